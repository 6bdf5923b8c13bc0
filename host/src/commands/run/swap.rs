//! Changing what is loaded while events flow: the one way by which a file that was saved, a
//! signal, `saker ctl` and a module's own failure bring other modules.
//!
//! Changes are made one after the other. What must be read and compiled is, on a thread of its
//! own; the roster is drafted, its modules are made ready by the pipeline while events go on,
//! and between two events they take over. What cannot be had is left as it was, said, and told
//! by an alert of Saker's own. Nothing here waits.

mod shadow;

use super::super::rules::{self, Loading, Said};
use super::super::{Failure, complain, shown};
use crate::alert::Alert;
use crate::config::RuleChoice;
use crate::control::{Answer, Asked, Request};
use crate::folder::Folder;
use crate::modules::roster::{Listed, Origin, Remedy, Roster, Unchanged};
use crate::modules::{Epoch, Incident, Module, Selection};
use crate::pipeline::{Pipeline, PipelineError};
use crate::store::history::{Entry, History, Texts};
use crate::watch::{Changed, Sources, Watcher};
use saker_rules_compiler::Source;
use saker_rules_schema::manifest::Priority;
use saker_web::trial::SHADOW_SECONDS_MAX;
use shadow::{Shadowing, Wish};
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// Changes that may wait for the one that is made.
const WAITING_MAX: usize = 64;
/// What an answer or an alert shows of a reason.
const REASON_BYTES_MAX: usize = 8 * 1024;

/// What is to change.
enum Change {
    /// What files say now.
    Files {
        changed: Changed,
        /// Also what was taken back may be taken again.
        is_asked: bool,
    },
    Load(PathBuf),
    Swap {
        name: String,
        path: PathBuf,
    },
    Disable(String),
    Enable(String),
    Rollback(String),
    /// A rule is turned on or off.
    Choose(RuleChoice),
    /// A module failed.
    Failed(Incident),
    /// The time of some that were set aside has come.
    Retry,
    /// A candidate is to judge beside the others.
    Shadow(Wish),
    /// It is to be forgotten.
    EndShadow,
    /// It ends by itself, and why.
    ShadowOver(String),
}

impl Change {
    fn in_words(&self) -> String {
        match self {
            Change::Files { is_asked: true, .. } => "read all files again".into(),
            Change::Files { changed, .. } => {
                let mut what: Vec<String> = Vec::new();
                what.extend(changed.rules.then(|| "the rules".into()));
                what.extend(changed.folder.then(|| "the folder of modules".into()));
                what.extend(changed.files.iter().map(|path| shown(path)));
                format!("read {} again", what.join(", "))
            }
            Change::Load(path) => format!("load `{}`", shown(path)),
            Change::Swap { name, path } => format!("swap module `{name}` for `{}`", shown(path)),
            Change::Disable(name) => format!("disable module `{name}`"),
            Change::Enable(name) => format!("enable module `{name}`"),
            Change::Rollback(name) => format!("roll module `{name}` back"),
            Change::Choose(RuleChoice { enable, rule, .. }) => {
                let word = if *enable { "enable" } else { "disable" };
                format!("{word} rule `{}`", rule.as_deref().unwrap_or_default())
            }
            Change::Failed(incident) => {
                let Incident { module, reason, .. } = incident;
                format!("module `{}` failed: {reason}", module.name)
            }
            Change::Retry => "try modules again that were set aside".into(),
            Change::Shadow(wish) => format!("judge with `{}` as a shadow", shown(&wish.path)),
            Change::EndShadow => "discard the shadow".into(),
            Change::ShadowOver(_) => "end the shadow".into(),
        }
    }
}

type Reply = Option<oneshot::Sender<Answer>>;

/// Who asks for a change.
struct Asking {
    /// In words.
    by: String,
    /// What is asked for, in words.
    what: String,
    reply: Reply,
}

/// A change that is to be made.
struct Waiting {
    change: Change,
    asking: Asking,
    /// It is what a shadow becomes.
    promotes: bool,
}

/// What a thread read.
#[derive(Default)]
pub(super) struct Found {
    read: Vec<Read>,
    /// Modules whose files are gone.
    gone: Vec<Origin>,
    /// A candidate, or why it is none.
    shadow: Option<Result<Module, String>>,
    /// The thread died of it.
    is_lost: bool,
}

/// What was read of a source.
struct Read {
    origin: Origin,
    /// Whose place it is to take, where that was said.
    name: Option<String>,
    /// `None` where it is as it was; else why there is none.
    module: Result<Option<Module>, String>,
}

/// The change that is being made.
enum Ongoing {
    Reading {
        found: oneshot::Receiver<Found>,
        waiting: Waiting,
    },
    Preparing(Box<Preparing>),
}

/// A draft whose modules are being made ready.
struct Preparing {
    draft: Draft,
    epoch: Rc<Epoch>,
}

/// What is to be.
struct Draft {
    roster: Roster,
    selection: Selection,
    /// The modules in which it differs.
    changed: Vec<Arc<str>>,
    /// It has fewer modules, or other rules are on.
    is_other: bool,
    /// What judges beside them.
    shadow: Option<Shadowing>,
    /// It has not judged yet.
    begins_shadow: bool,
    /// It is what a shadow becomes.
    promotes: bool,
    /// What is done when it is the roster, beside what changes in modules.
    done: Vec<String>,
    asking: Asking,
    /// Where something is not to be had, and why.
    refused: Vec<(String, String)>,
    began: Instant,
}

/// What is loaded, and what is to be.
pub(super) struct Swaps {
    roster: Roster,
    selection: Selection,
    loading: Loading,
    /// What the rules are read from.
    rules: Vec<PathBuf>,
    folder: Option<PathBuf>,
    watcher: Option<Watcher>,
    waiting: VecDeque<Waiting>,
    ongoing: Option<Ongoing>,
    epochs: u32,
    /// What was told of files in the folder: they are read whenever one of them changes.
    told: HashMap<PathBuf, String>,
    /// How often other modules took over.
    pub(super) count: u64,
    /// Where changes are remembered, where they are.
    history: Option<History>,
    /// What judges beside them, or did.
    shadow: Option<Shadowing>,
}

impl Swaps {
    /// Of a run that begins with that roster as its first epoch.
    pub(super) fn new(
        roster: Roster,
        selection: Selection,
        loading: Loading,
        sources: Sources,
        watcher: Option<Watcher>,
        history: Option<History>,
    ) -> Swaps {
        Swaps {
            roster,
            selection,
            loading,
            rules: sources.rules,
            folder: sources.folder,
            watcher,
            waiting: VecDeque::new(),
            ongoing: None,
            epochs: 1,
            told: HashMap::new(),
            count: 0,
            history,
            shadow: None,
        }
    }

    /// The modules themselves, those that are set aside as well.
    pub(super) fn modules(&self) -> impl Iterator<Item = (&Module, bool)> {
        self.roster.all()
    }

    /// The file that stands in for the rule files, if one does.
    pub(super) fn stand_in(&self) -> Option<&Path> {
        self.roster.stand_in()
    }

    /// Which rules are on.
    pub(super) fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The modules that are loaded.
    pub(super) fn list(&self) -> Vec<Listed> {
        self.roster.list(&self.selection, Instant::now())
    }

    /// Files changed.
    pub(super) fn files_changed(&mut self, changed: Changed) {
        self.wait(Change::Files {
            changed,
            is_asked: false,
        });
    }

    /// Everything is to be read again.
    pub(super) fn read_again(&mut self) {
        let files = self.roster.origins().filter_map(|origin| match origin {
            Origin::File(path) => Some(path.clone()),
            Origin::Rules | Origin::Folder(_) => None,
        });
        let changed = Changed {
            files: files.collect(),
            rules: true,
            folder: true,
        };
        self.wait(Change::Files {
            changed,
            is_asked: true,
        });
    }

    /// Somebody asks for a change. What is none is answered elsewhere.
    pub(super) fn ask(&mut self, asked: Asked) {
        let change = match asked.request {
            Request::Load { path } => Change::Load(path),
            Request::Swap { name, path } => Change::Swap { name, path },
            Request::Disable { name } => Change::Disable(name),
            Request::Enable { name } => Change::Enable(name),
            Request::Rollback { name } => Change::Rollback(name),
            Request::EnableRule { name } => Change::Choose(RuleChoice::of(name, true)),
            Request::DisableRule { name } => Change::Choose(RuleChoice::of(name, false)),
            Request::Shadow {
                path,
                replaces,
                with_loaded,
                seconds,
            } => Change::Shadow(Wish {
                path,
                replaces,
                with_loaded,
                // The page has refused what is beyond.
                time: Duration::from_secs(seconds.clamp(1, SHADOW_SECONDS_MAX).into()),
            }),
            Request::EndShadow {} => Change::EndShadow,
            Request::Promote {} => return self.promote(asked),
            Request::Status {}
            | Request::ShadowStanding {}
            | Request::Containers {}
            | Request::List {}
            | Request::Rules {}
            | Request::Recent {}
            | Request::Page {} => return,
        };
        let asking = Asking {
            by: asked.by,
            what: change.in_words(),
            reply: Some(asked.reply),
        };
        if self.waiting.len() >= WAITING_MAX {
            return self.refuse(asking, "too many changes wait already".into());
        }
        self.waiting.push_back(Waiting {
            change,
            asking,
            promotes: false,
        });
    }

    /// A shadow is to take its place.
    fn promote(&mut self, asked: Asked) {
        let promotion = self.promotion();
        let words = promotion.as_ref().map(Change::in_words);
        let asking = Asking {
            by: asked.by,
            what: match words {
                Ok(words) => format!("promote the shadow: {words}"),
                Err(_) => "promote the shadow".into(),
            },
            reply: Some(asked.reply),
        };
        match promotion {
            Err(why) => self.refuse(asking, why),
            Ok(_) if self.waiting.len() >= WAITING_MAX => {
                self.refuse(asking, "too many changes wait already".into());
            }
            Ok(change) => self.waiting.push_back(Waiting::promoting(change, asking)),
        }
    }

    /// A module failed.
    pub(super) fn failed(&mut self, incident: Incident) {
        self.wait(Change::Failed(incident));
    }

    /// When a module is to be tried again; never while that waits already.
    pub(super) fn due(&self) -> Option<Instant> {
        let mut waiting = self.waiting.iter();
        let of_roster = match waiting.any(|waiting| matches!(waiting.change, Change::Retry)) {
            true => None,
            false => self.roster.due(),
        };
        of_roster.into_iter().chain(self.shadow_due()).min()
    }

    /// The time of a module that was set aside has come.
    pub(super) fn retry(&mut self) {
        // A shadow's time is looked at whenever something happens.
        if self.roster.due().is_some_and(|due| due <= Instant::now()) {
            self.wait(Change::Retry);
        }
    }

    fn wait(&mut self, change: Change) {
        // Where too much waits: a module that is not set aside fails again, and who saved a file
        // in the midst of that finds it unread, which is said.
        if self.waiting.len() < WAITING_MAX {
            let by = match &change {
                Change::Files { is_asked: true, .. } => "a signal",
                Change::Files { .. } => "a file that changed",
                _ => "Saker",
            };
            let asking = Asking {
                by: by.into(),
                what: change.in_words(),
                reply: None,
            };
            self.waiting.push_back(Waiting {
                change,
                asking,
                promotes: false,
            });
        } else if let Change::Files { .. } = change {
            tracing::error!("too many changes wait: files that changed are not read");
        }
    }

    /// Returns when what is being read was. May be given up at any time.
    pub(super) async fn found(&mut self) -> Found {
        match &mut self.ongoing {
            Some(Ongoing::Reading { found, .. }) => found.await.unwrap_or(Found {
                is_lost: true,
                ..Found::default()
            }),
            Some(Ongoing::Preparing(_)) | None => std::future::pending().await,
        }
    }

    /// Goes on as far as it gets without waiting. Tells whether other modules took over; `widen`
    /// is told before they do.
    pub(super) fn go_on(
        &mut self,
        pipeline: &mut Pipeline,
        widen: impl FnOnce(&Epoch) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        let mut has_switched = false;
        for incident in pipeline.incidents() {
            self.failed(incident);
        }
        self.look_at_shadow(pipeline);
        if let Some(outcome) = pipeline.outcome()
            && let Some(Ongoing::Preparing(preparing)) = self.ongoing.take()
        {
            if outcome.is_ok() {
                widen(&preparing.epoch)?;
            }
            has_switched = self.prepared(*preparing, outcome, pipeline)?;
        }
        while self.ongoing.is_none()
            && let Some(waiting) = self.waiting.pop_front()
        {
            self.begin(waiting, pipeline)?;
        }
        Ok(has_switched)
    }

    /// Takes in what was read.
    pub(super) fn take(
        &mut self,
        mut found: Found,
        pipeline: &mut Pipeline,
    ) -> Result<(), PipelineError> {
        let Some(Ongoing::Reading { waiting, .. }) = self.ongoing.take() else {
            return Ok(());
        };
        let mut draft = self.draft(waiting.asking);
        let is_asked = matches!(waiting.change, Change::Files { is_asked: true, .. });
        if is_asked {
            draft.roster.forgive();
        }
        if let Change::Shadow(wish) = &waiting.change {
            self.draft_shadow(wish, &mut found, &mut draft);
        }
        if found.is_lost {
            draft
                .refused
                .push(("files".into(), "reading them failed".into()));
        }
        let now = Instant::now();
        // Of a file that is gone nothing was told.
        let mut told = std::mem::take(&mut self.told);
        let is_there = |path: &PathBuf| {
            let mut read = found.read.iter();
            read.any(|read| matches!(&read.origin, Origin::Folder(there) if there == path))
        };
        if found
            .read
            .iter()
            .any(|read| matches!(read.origin, Origin::Folder(_)))
        {
            told.retain(|path, _| is_there(path));
        }
        for Read {
            origin,
            name,
            module,
        } in found.read
        {
            let place = origin.path().map_or_else(|| "the rules".into(), shown);
            let module = match module {
                Ok(Some(module)) => module,
                Ok(None) => continue,
                Err(why) => {
                    draft.roster.refuse(&origin, &why);
                    let last = match &origin {
                        Origin::Folder(path) => told.insert(path.clone(), why.clone()),
                        Origin::Rules | Origin::File(_) => None,
                    };
                    if is_asked || last.as_deref() != Some(&*why) {
                        draft.refused.push((place, why));
                    }
                    continue;
                }
            };
            if let Origin::Folder(path) = &origin {
                told.remove(path);
            }
            let found = module.identity().clone();
            let is_same = draft.roster.from(&origin) == Some((found.name.clone(), found.digest));
            // The rules are compiled to know that.
            if is_same && name.is_none() {
                continue;
            }
            let (installed, called) = match name {
                Some(name) => {
                    let path = origin.path().unwrap_or(&PathBuf::new()).to_owned();
                    let swapped = draft.roster.swap(&name, &path, module, now);
                    (swapped, name.into())
                }
                None => {
                    let selection = &self.selection;
                    let installed = draft.roster.install(origin.clone(), module, selection, now);
                    (installed, found.name)
                }
            };
            match installed {
                Ok(()) => draft.changed.push(called),
                Err(Unchanged::Shunned) if !is_asked => {}
                Err(why) => {
                    draft.roster.refuse(&origin, &why.to_string());
                    draft.refused.push((place, why.to_string()));
                }
            }
            // What stands in for the rule files is not a module of its own.
            if let (Some(watcher), Origin::File(path)) = (&self.watcher, &origin)
                && draft.roster.from(&origin).is_some()
            {
                watcher.watch(path);
            }
        }
        self.told = told;
        for origin in found.gone {
            if let Some((name, _)) = draft.roster.from(&origin) {
                tracing::info!("module `{name}` is given up: its file is gone");
                draft.roster.remove(&origin);
                draft.is_other = true;
            }
        }
        if waiting.promotes && draft.refused.is_empty() {
            draft.promotes = true;
            // What runs already may be what it was.
            draft.is_other |= draft.shadow.take().is_some();
        }
        self.prepare(draft, pipeline)
    }

    fn draft(&self, asking: Asking) -> Draft {
        Draft {
            roster: self.roster.clone(),
            selection: self.selection.clone(),
            changed: Vec::new(),
            is_other: false,
            shadow: self.shadow.clone(),
            begins_shadow: false,
            promotes: false,
            done: Vec::new(),
            asking,
            refused: Vec::new(),
            began: Instant::now(),
        }
    }

    fn begin(&mut self, waiting: Waiting, pipeline: &mut Pipeline) -> Result<(), PipelineError> {
        let now = Instant::now();
        let mut draft = match &waiting.change {
            Change::Shadow(wish) if self.shadow_refused(wish).is_some() => {
                let why = self.shadow_refused(wish).unwrap_or_default();
                self.refuse(waiting.asking, why);
                return Ok(());
            }
            Change::Files { .. } | Change::Load(_) | Change::Swap { .. } | Change::Shadow(_) => {
                return self.begin_to_read(waiting, pipeline);
            }
            Change::Disable(_)
            | Change::Enable(_)
            | Change::Rollback(_)
            | Change::Choose(_)
            | Change::Failed(_)
            | Change::Retry
            | Change::EndShadow
            | Change::ShadowOver(_) => self.draft(waiting.asking),
        };
        let (done, name) = match waiting.change {
            Change::Files { .. } | Change::Load(_) | Change::Swap { .. } | Change::Shadow(_) => {
                return Ok(());
            }
            Change::EndShadow => return self.end_shadow(None, draft, pipeline),
            Change::ShadowOver(why) => return self.end_shadow(Some(why), draft, pipeline),
            Change::Disable(name) => (draft.roster.disable(&name), name),
            Change::Enable(name) => (draft.roster.enable(&name), name),
            Change::Rollback(name) => (draft.roster.roll_back(&name), name),
            Change::Choose(choice) => return self.choose(choice, draft, pipeline),
            Change::Failed(incident) => {
                let Some(remedy) = draft.roster.failed(&incident, now) else {
                    // It is counted.
                    self.roster = draft.roster;
                    return Ok(());
                };
                tell_of_failure(&incident, remedy, pipeline);
                (Ok(()), incident.module.name.to_string())
            }
            Change::Retry => {
                let names = draft.roster.retry(now);
                for name in &names {
                    tracing::info!("module `{name}`, which was set aside, is tried again");
                }
                draft.changed = names;
                return match draft.changed.is_empty() {
                    true => Ok(()),
                    false => self.prepare(draft, pipeline),
                };
            }
        };
        match done {
            Ok(()) => {
                draft.changed.push(name.as_str().into());
                self.prepare(draft, pipeline)
            }
            Err(why) => {
                self.refuse(draft.asking, why.to_string());
                Ok(())
            }
        }
    }

    /// Turns a rule on or off.
    fn choose(
        &mut self,
        choice: RuleChoice,
        mut draft: Draft,
        pipeline: &mut Pipeline,
    ) -> Result<(), PipelineError> {
        let name = choice.rule.clone().unwrap_or_default();
        let modules = draft.roster.modules();
        let mut rules = modules.iter().flat_map(Module::rules);
        if !rules.any(|rule| rule.name == name) {
            let why = format!("no rule of a module that runs is called `{name}`");
            self.refuse(draft.asking, why);
            return Ok(());
        }
        let word = if choice.enable { "on" } else { "off" };
        // Of what was said of it before, nothing counts any more.
        draft
            .selection
            .choices
            .retain(|earlier| earlier.tag.is_some() || earlier.rule.as_ref() != Some(&name));
        draft.selection.choices.push(choice);
        draft.is_other = true;
        draft.done.push(format!("rule `{name}` is {word}"));
        self.prepare(draft, pipeline)
    }

    /// Reads and compiles aside.
    fn begin_to_read(
        &mut self,
        waiting: Waiting,
        pipeline: &mut Pipeline,
    ) -> Result<(), PipelineError> {
        let known: Vec<(Origin, blake3::Hash)> = self
            .roster
            .origins()
            .filter_map(|origin| Some((origin.clone(), self.roster.from(origin)?.1)))
            .collect();
        let mut order = Order {
            known,
            ..Order::default()
        };
        match &waiting.change {
            Change::Files { changed, .. } => {
                let has_rules = self.roster.from(&Origin::Rules).is_some();
                order.rules = (changed.rules && has_rules).then(|| self.rules.clone());
                order.folder = self.folder.clone().filter(|_| changed.folder);
                order.files = changed
                    .files
                    .iter()
                    .map(|path| (path.clone(), None))
                    .collect();
            }
            Change::Load(path) => {
                let origin = Origin::File(path.clone());
                let folder = Origin::Folder(path.clone());
                let loaded = self
                    .roster
                    .from(&origin)
                    .or_else(|| self.roster.from(&folder));
                if let Some((name, _)) = loaded {
                    let why = Unchanged::Twice(name.to_string());
                    self.refuse(waiting.asking, why.to_string());
                    return Ok(());
                }
                order.files.push((path.clone(), None));
            }
            Change::Swap { name, path } => order.files.push((path.clone(), Some(name.clone()))),
            Change::Shadow(wish) => self.order_shadow(wish, &mut order),
            Change::EndShadow
            | Change::ShadowOver(_)
            | Change::Disable(_)
            | Change::Enable(_)
            | Change::Rollback(_)
            | Change::Choose(_)
            | Change::Failed(_)
            | Change::Retry => return Ok(()),
        }
        let (say, found) = oneshot::channel();
        let loading = self.loading.clone();
        let spawned = std::thread::Builder::new()
            .name("saker-rules".into())
            .spawn(move || {
                // Nobody listens any more only when the program ends.
                let _ = say.send(order.carry_out(&loading));
            });
        match spawned {
            Ok(_) => {
                self.ongoing = Some(Ongoing::Reading { found, waiting });
                Ok(())
            }
            Err(error) => {
                let mut draft = self.draft(waiting.asking);
                draft.refused.push(("files".into(), error.to_string()));
                self.prepare(draft, pipeline)
            }
        }
    }

    /// Has a draft's modules made ready, if it changes anything.
    fn prepare(&mut self, mut draft: Draft, pipeline: &mut Pipeline) -> Result<(), PipelineError> {
        if draft.changed.is_empty() && !draft.is_other {
            // Why there is nothing new is noted.
            self.roster = draft.roster;
            self.conclude(
                draft.asking,
                draft.refused,
                Vec::new(),
                Vec::new(),
                pipeline,
            );
            return Ok(());
        }
        self.epochs += 1;
        let epoch = Rc::new(self.epoch(&draft));
        if let Err(why) = epoch.plans() {
            // Nothing of it can be had: each module alone has a plan.
            draft
                .refused
                .push(("the modules together".into(), why.to_string()));
            self.conclude(
                draft.asking,
                draft.refused,
                Vec::new(),
                Vec::new(),
                pipeline,
            );
            return Ok(());
        }
        pipeline.propose(epoch.clone())?;
        self.ongoing = Some(Ongoing::Preparing(Box::new(Preparing { draft, epoch })));
        Ok(())
    }

    /// The modules of a draft are ready, or cannot be.
    fn prepared(
        &mut self,
        preparing: Preparing,
        outcome: Result<(), PipelineError>,
        pipeline: &mut Pipeline,
    ) -> Result<bool, PipelineError> {
        let Preparing { mut draft, epoch } = preparing;
        match outcome {
            Ok(()) => {}
            Err(PipelineError::Refused {
                module,
                name,
                reason,
            }) => {
                if epoch.shadow.as_ref().is_some_and(|of| of.module == module) {
                    draft.refused.push((name, reason));
                    draft.shadow = None;
                    // There may be nothing else to it.
                    if std::mem::take(&mut draft.begins_shadow) {
                        (draft.done, draft.is_other) = (Vec::new(), false);
                    }
                    self.prepare(draft, pipeline)?;
                    return Ok(false);
                }
                if std::mem::take(&mut draft.promotes) {
                    draft.shadow = self.shadow.clone();
                }
                let refused = draft.roster.name_in_epoch(module).unwrap_or_default();
                let at = draft.changed.iter().position(|name| *name == refused);
                draft.refused.push((name, reason));
                match at {
                    // The others may still be had.
                    Some(at) => {
                        draft.changed.remove(at);
                        draft.roster.restore(&refused, &self.roster);
                    }
                    // One that was there before: then nothing changes.
                    None => {
                        (draft.changed, draft.is_other) = (Vec::new(), false);
                        draft.roster = self.roster.clone();
                        draft.selection = self.selection.clone();
                    }
                }
                self.prepare(draft, pipeline)?;
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        pipeline.switch(epoch)?;
        self.switch_shadow(&mut draft, pipeline);
        self.count += 1;
        self.selection = draft.selection;
        let mut done = draft.done;
        for listed in draft.roster.list(&self.selection, Instant::now()) {
            if draft.changed.iter().any(|name| **name == *listed.name) {
                let state = match &*listed.state {
                    "probation" => "on probation",
                    state => state,
                };
                done.push(format!(
                    "module `{}` is {state} as {} with {} on",
                    listed.name,
                    &listed.digest[..DIGITS_SHOWN],
                    super::super::count(listed.rules as u64, "rule"),
                ));
            }
        }
        for done in &done {
            tracing::info!(
                "{done}, {} ms after it was read",
                draft.began.elapsed().as_millis()
            );
        }
        let texts = texts(&draft.changed, &self.roster, &draft.roster);
        self.roster = draft.roster;
        self.conclude(draft.asking, draft.refused, done, texts, pipeline);
        Ok(true)
    }

    /// A change cannot be.
    fn refuse(&self, asking: Asking, why: String) {
        let Asking { by, what, reply } = asking;
        self.note(by, what, why.clone(), false, Vec::new());
        tell(reply, Answer::Error(why));
    }

    /// Answers who asked; what nobody asked for and cannot be had is told by an alert.
    fn conclude(
        &self,
        asking: Asking,
        mut refused: Vec<(String, String)>,
        done: Vec<String>,
        texts: Vec<Texts>,
        pipeline: &mut Pipeline,
    ) {
        let Asking { by, what, reply } = asking;
        for (_, why) in &mut refused {
            why.truncate(why.floor_char_boundary(REASON_BYTES_MAX));
        }
        let words = |(place, why): &(String, String)| format!("{place}: {}", why.trim_end());
        let is_done = refused.is_empty();
        let mut outcome: Vec<String> = done.clone();
        outcome.extend(refused.iter().map(words));
        // What a file that was touched says is what it said before.
        if !outcome.is_empty() || reply.is_some() {
            if outcome.is_empty() {
                outcome.push(UNCHANGED.into());
            }
            self.note(by, what, outcome.join("; "), is_done, texts);
        }
        if reply.is_some() {
            let answer = match is_done {
                true if done.is_empty() => Answer::Done(UNCHANGED.into()),
                true => Answer::Done(done.join("; ")),
                false => Answer::Error(refused.iter().map(words).collect::<Vec<_>>().join("; ")),
            };
            return tell(reply, answer);
        }
        for refusal in &refused {
            tracing::error!("{} (what ran goes on)", words(refusal));
            pipeline.alert(internal(
                "module not loaded",
                Priority::Warning,
                format!("Module not loaded, what ran goes on ({})", words(refusal)),
                &refusal.0,
                &refusal.1,
            ));
        }
    }

    /// Has the change remembered.
    fn note(&self, by: String, what: String, outcome: String, done: bool, texts: Vec<Texts>) {
        if let Some(history) = &self.history {
            history.note(Entry {
                by,
                what,
                outcome,
                done,
                texts,
            });
        }
    }
}

/// What came of a change that was none.
const UNCHANGED: &str = "nothing has changed";

/// Digits of a digest that people are shown.
const DIGITS_SHOWN: usize = 12;

fn tell(reply: Reply, answer: Answer) {
    if let Some(reply) = reply {
        // Who asked may have gone.
        let _ = reply.send(answer);
    }
}

/// What modules were compiled of before and after a change, where both is known.
fn texts(changed: &[Arc<str>], before: &Roster, after: &Roster) -> Vec<Texts> {
    let of = |roster: &Roster, name: &str| {
        let mut all = roster.all().map(|(module, _)| module);
        let module = all.find(|module| *module.identity().name == *name)?;
        module.written().cloned()
    };
    let texts = changed.iter().filter_map(|name| {
        let (before, after) = (of(before, name), of(after, name)?);
        Some(Texts { before, after })
    });
    texts.collect()
}

fn tell_of_failure(incident: &Incident, remedy: Remedy, pipeline: &mut Pipeline) {
    let Incident { module, reason, .. } = incident;
    let name = &module.name;
    tracing::error!("module `{name}` failed ({reason}): {remedy}");
    let what = match remedy {
        Remedy::RolledBack => "module rolled back",
        Remedy::Quarantined(_) => "module quarantined",
    };
    let message = format!("Module failed: {remedy} (module={name} reason={reason})");
    pipeline.alert(internal(what, Priority::Critical, message, name, reason));
}

fn internal(what: &str, priority: Priority, message: String, module: &str, reason: &str) -> Alert {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let fields = vec![
        ("saker.module".into(), module.into()),
        ("saker.reason".into(), reason.into()),
    ];
    Alert::internal(what, priority, now.as_nanos() as u64, message, fields)
}

/// What is to be read.
#[derive(Default)]
struct Order {
    /// The rule files.
    rules: Option<Vec<PathBuf>>,
    /// Files, and whose place they are to take.
    files: Vec<(PathBuf, Option<String>)>,
    folder: Option<PathBuf>,
    /// A candidate's file, and the rule files before it.
    shadow: Option<(PathBuf, Option<Vec<Source>>)>,
    /// What came from where is known.
    known: Vec<(Origin, blake3::Hash)>,
}

impl Order {
    fn known(&self, origin: &Origin) -> Option<blake3::Hash> {
        let mut known = self.known.iter();
        known
            .find(|(of, _)| of == origin)
            .map(|(_, digest)| *digest)
    }

    fn carry_out(self, loading: &Loading) -> Found {
        let mut found = Found::default();
        if let Some(rules) = &self.rules {
            let mut said = Said::default();
            let module = rules::ruleset(rules, loading, &mut said);
            found.read.push(Read {
                origin: Origin::Rules,
                name: None,
                module: in_words(module.map(Some), &said),
            });
        }
        for (path, name) in &self.files {
            let origin = Origin::File(path.clone());
            let known = self.known(&origin).filter(|_| name.is_none());
            let mut said = Said::default();
            let module = rules::named(path, known, loading, &mut said);
            found.read.push(Read {
                origin,
                name: name.clone(),
                module: in_words(module, &said),
            });
        }
        if let Some(path) = &self.folder {
            self.look_into(path, loading, &mut found);
        }
        if let Some((path, loaded)) = &self.shadow {
            let mut said = Said::default();
            let module = rules::candidate(path, loaded.as_deref(), loading, &mut said);
            let module = in_words(module.map(Some), &said);
            found.shadow = module.transpose();
        }
        found
    }

    fn look_into(&self, path: &std::path::Path, loading: &Loading, found: &mut Found) {
        let opened = Folder::open(path).and_then(|folder| Ok((folder.names()?, folder)));
        let (names, folder) = match opened {
            Ok(opened) => opened,
            // It never was there: then it was not asked for either.
            Err(_) if !path.exists() && !self.has_of_folder() => return,
            Err(why) => {
                tracing::error!("the modules in `{}` are not read: {why}", shown(path));
                return;
            }
        };
        let origins: Vec<Origin> = names
            .iter()
            .map(|name| Origin::Folder(folder.path_of(name)))
            .collect();
        let gone = self.known.iter().filter_map(|(origin, _)| match origin {
            Origin::Folder(_) if !origins.contains(origin) => Some(origin.clone()),
            Origin::Rules | Origin::File(_) | Origin::Folder(_) => None,
        });
        found.gone.extend(gone);
        for (name, origin) in names.iter().zip(origins) {
            let mut said = Said::default();
            let known = self.known(&origin);
            let module = rules::in_folder(&folder, name, known, loading, &mut said);
            found.read.push(Read {
                origin,
                name: None,
                module: in_words(module, &said),
            });
        }
    }

    fn has_of_folder(&self) -> bool {
        let mut known = self.known.iter();
        known.any(|(origin, _)| matches!(origin, Origin::Folder(_)))
    }
}

/// What was said of a file: of one that can be had it goes to standard error, else it stands for
/// what came of it.
fn in_words(
    module: Result<Option<Module>, Failure>,
    said: &Said,
) -> Result<Option<Module>, String> {
    match module {
        Ok(module) => {
            complain(&said.text);
            Ok(module)
        }
        Err(failure) => Err(match failure.error() {
            // Of files that cannot be read there may be several.
            Some(error) => format!("{}{error:#}", said.text),
            None => said.text.clone(),
        }),
    }
}
