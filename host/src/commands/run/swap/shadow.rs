//! A candidate that judges beside the rules that run, for a time, and is not heard: there is one at
//! a time. When its time is over, or it fails, what it came to stays, until somebody promotes it,
//! which is a swap like any other, or discards it.

use super::{Asking, Change, Draft, Found, Order, Swaps, Waiting};
use crate::alert::RULES;
use crate::commands::{count, escaped, shown};
use crate::modules::{Epoch, Module};
use crate::pipeline::contest::Contest;
use crate::pipeline::{Pipeline, PipelineError};
use saker_rules_compiler::Source;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// The file of its rules.
    pub(super) path: PathBuf,
    /// The module whose place it would take.
    pub(super) replaces: Option<String>,
    /// Whether the loaded rule files come before it.
    pub(super) with_loaded: bool,
    /// How long it is to judge.
    pub(super) time: Duration,
}

impl Wish {
    /// The file's name.
    fn file(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// A shadow.
#[derive(Clone)]
pub(super) struct Shadowing {
    wish: Wish,
    module: Module,
    by: String,
    began: SystemTime,
    until: Instant,
    /// Why it does not judge any more.
    over: Option<String>,
    /// What it came to by then.
    came_to: Option<Box<Contest>>,
    /// It is about to end.
    is_ending: bool,
}

impl Shadowing {
    fn is_judging(&self) -> bool {
        self.over.is_none()
    }
}

const TIME_OVER: &str = "its time is over";

impl Swaps {
    /// What a shadow comes to, if there is one.
    pub(in super::super) fn shadow(&self, pipeline: &Pipeline) -> Option<saker_web::trial::Shadow> {
        let shadow = self.shadow.as_ref()?;
        let came_to = shadow.came_to.as_deref().cloned();
        let contest = came_to.or_else(|| pipeline.contest()).unwrap_or_default();
        let ms = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            since.as_millis() as u64
        };
        Some(saker_web::trial::Shadow {
            file: shadow.wish.file(),
            replaces: shadow.wish.replaces.clone(),
            with_loaded: shadow.wish.with_loaded,
            by: shadow.by.clone(),
            from_ms: ms(shadow.began),
            to_ms: ms(shadow.began + shadow.wish.time),
            over: shadow.over.clone(),
            events: contest.events,
            compared: crate::trial::compared(contest),
        })
    }

    /// When its time is over.
    pub(super) fn shadow_due(&self) -> Option<Instant> {
        let shadow = self.shadow.as_ref()?;
        (shadow.is_judging() && !shadow.is_ending).then_some(shadow.until)
    }

    /// Has a shadow end that has failed, or whose time is over.
    pub(super) fn look_at_shadow(&mut self, pipeline: &Pipeline) {
        let Some(shadow) = &mut self.shadow else {
            return;
        };
        if !shadow.is_judging() || shadow.is_ending {
            return;
        }
        let why = match pipeline.contest_failed() {
            Some(why) => why.to_owned(),
            None if shadow.until <= Instant::now() => TIME_OVER.into(),
            None => return,
        };
        shadow.is_ending = true;
        self.wait(Change::ShadowOver(why));
    }

    /// What is to be promoted, as the change that it is.
    pub(super) fn promotion(&self) -> Result<Change, String> {
        let Some(shadow) = &self.shadow else {
            return Err("there is no shadow".into());
        };
        if shadow.wish.with_loaded {
            let why = "a file that changes the loaded ones belongs beside them: save it there";
            return Err(why.into());
        }
        let path = shadow.wish.path.clone();
        Ok(match shadow.wish.replaces.clone() {
            Some(name) => Change::Swap { name, path },
            None => Change::Load(path),
        })
    }

    /// Why there cannot be another shadow now.
    pub(super) fn shadow_refused(&self, wish: &Wish) -> Option<String> {
        let judging = self.shadow.as_ref().filter(|shadow| shadow.is_judging());
        if judging.is_some() {
            return Some("a shadow judges already: promote or discard it first".into());
        }
        let name = wish.replaces.as_ref()?;
        let mut all = self.roster.all().map(|(module, _)| module);
        let is_there = all.any(|of| *of.identity().name == **name && of.as_component().is_none());
        (!is_there).then(|| format!("no ruleset is called `{name}`"))
    }

    /// What is to be read for it.
    pub(super) fn order_shadow(&self, wish: &Wish, order: &mut Order) {
        let loaded = || -> Vec<Source> {
            let mut all = self.roster.all().map(|(module, _)| module);
            let rules = all.find(|module| *module.identity().name == *RULES);
            let written = rules.and_then(|module| module.written());
            written.map_or(Vec::new(), |written| written.sources.clone())
        };
        order.shadow = Some((wish.path.clone(), wish.with_loaded.then(loaded)));
    }

    /// It has been read.
    pub(super) fn draft_shadow(&self, wish: &Wish, found: &mut Found, draft: &mut Draft) {
        match found.shadow.take() {
            Some(Ok(module)) => {
                draft.done.push(format!(
                    "`{}` judges as a shadow for {}",
                    escaped(&wish.file()),
                    count(wish.time.as_secs(), "second")
                ));
                draft.shadow = Some(Shadowing {
                    wish: wish.clone(),
                    module,
                    by: draft.asking.by.clone(),
                    began: SystemTime::now(),
                    until: Instant::now() + wish.time,
                    over: None,
                    came_to: None,
                    is_ending: false,
                });
                (draft.begins_shadow, draft.is_other) = (true, true);
            }
            Some(Err(why)) => draft.refused.push((shown(&wish.path), why)),
            None => {}
        }
    }

    /// A shadow is to end: with what it came to, or with nothing.
    pub(super) fn end_shadow(
        &mut self,
        over: Option<String>,
        mut draft: Draft,
        pipeline: &mut Pipeline,
    ) -> Result<(), PipelineError> {
        let Some(shadow) = &mut draft.shadow else {
            self.refuse(draft.asking, "there is no shadow".into());
            return Ok(());
        };
        draft.is_other = shadow.is_judging();
        match over {
            Some(why) => {
                tracing::info!("the shadow no longer judges: {why}");
                draft
                    .done
                    .push(format!("the shadow no longer judges: {why}"));
                shadow.over = Some(why);
            }
            None => {
                draft.done.push("the shadow is discarded".into());
                draft.shadow = None;
            }
        }
        if draft.is_other {
            return self.prepare(draft, pipeline);
        }
        // It does not judge any more: nobody notices.
        self.shadow = draft.shadow;
        self.conclude(
            draft.asking,
            draft.refused,
            draft.done,
            Vec::new(),
            pipeline,
        );
        Ok(())
    }

    /// The epoch of a draft.
    pub(super) fn epoch(&self, draft: &Draft) -> Epoch {
        let (id, modules) = (self.epochs, draft.roster.modules());
        let selection = draft.selection.clone();
        match draft.shadow.as_ref().filter(|shadow| shadow.is_judging()) {
            Some(Shadowing { wish, module, .. }) => Epoch::shadowed(
                id,
                modules,
                module.clone(),
                wish.replaces.as_deref(),
                selection,
            ),
            None => Epoch::new(id, modules, selection),
        }
    }

    /// The draft has become what runs.
    pub(super) fn switch_shadow(&mut self, draft: &mut Draft, pipeline: &mut Pipeline) {
        self.shadow = draft.shadow.take();
        match &mut self.shadow {
            Some(_) if draft.begins_shadow => pipeline.compare(Some(Contest::default())),
            Some(shadow) if shadow.is_judging() => {}
            Some(shadow) => {
                if let Some(contest) = pipeline.contest() {
                    shadow.came_to = Some(Box::new(contest));
                }
                pipeline.compare(None);
            }
            None => pipeline.compare(None),
        }
    }
}

impl Waiting {
    /// The same, as what a shadow becomes.
    pub(super) fn promoting(change: Change, asking: Asking) -> Waiting {
        Waiting {
            change,
            asking,
            promotes: true,
        }
    }
}
