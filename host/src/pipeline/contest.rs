//! A candidate judged beside the rules that run: what either says of the same events is counted
//! rule by rule, and of the candidate nobody is told.
//!
//! A shadow of a live run and a trial over recent events are both one; what differs is whether
//! the others are heard.

use super::{Pipeline, Round, Row};
use crate::alert::Alert;
use crate::modules::{Epoch, Shadow};
use saker_rules_schema::manifest::Priority;
use std::collections::BTreeMap;

/// So many alerts of the candidate are kept as examples, and so many that it has not.
pub const EXAMPLES_MAX: usize = 50;

/// Rules of more names are not counted: two rulesets have no more, and others may take over.
const RULES_MAX: usize = 20_000;
/// More of what an example says is not kept.
const OUTPUT_BYTES_MAX: usize = 4096;

/// What came of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Alerts by the rules that run.
    pub running: u64,
    /// Alerts by the candidate.
    pub candidate: u64,
    /// Those of the candidate alone.
    pub added: u64,
    /// Those of the rules that run alone.
    pub removed: u64,
}

/// An alert of one of both, as far as it is shown.
#[derive(Clone, Debug)]
pub struct Example {
    /// Time of the event, ns since the epoch.
    pub time: u64,
    /// Name of the rule.
    pub rule: String,
    /// Its priority.
    pub priority: Priority,
    /// Name of the process.
    pub process: String,
    /// Its id.
    pub pid: u32,
    /// What it says.
    pub output: String,
    /// By whom it is.
    pub by: By,
}

impl Example {
    fn of(alert: Alert, by: By) -> Example {
        let processes = alert.scene.map(|scene| scene.processes);
        let process = processes.and_then(|processes| processes.into_iter().next());
        let process = process.unwrap_or_default();
        let mut output = alert.message;
        output.truncate(output.floor_char_boundary(OUTPUT_BYTES_MAX));
        output.shrink_to_fit();
        Example {
            time: alert.time,
            rule: alert.rule,
            priority: alert.priority,
            process: process.name,
            pid: process.pid,
            output,
            by,
        }
    }
}

/// Who alerts of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Both.
    Both,
    /// The candidate alone.
    Candidate,
    /// The rules that run alone.
    Running,
}

/// What came of both so far.
#[derive(Clone, Debug, Default)]
pub struct Contest {
    /// By the rule's name.
    pub rules: BTreeMap<Box<str>, Tally>,
    /// The first of the candidate's alerts, and the first that it has not.
    pub examples: Vec<Example>,
    /// CPU time of judging by the candidate, ns.
    pub candidate_ns: u64,
    /// The same by the rules whose place it would take.
    pub running_ns: u64,
    /// Events since it began.
    pub events: u64,
    /// Rows that the candidate was given and did not judge.
    pub unjudged: u64,
    /// Hits that were lost, or are in no count of their rule's.
    pub hits_lost: u64,
    /// Why it is not asked any more.
    pub failed: Option<String>,
    /// How many examples there are of each kind.
    shown: [usize; 2],
    /// The others are not heard either.
    is_silent: bool,
    /// Number of the epoch with which it began: windows of earlier ones are none of it.
    since_epoch: u32,
}

impl Contest {
    /// One of which nothing is told to anybody.
    pub fn silent() -> Contest {
        Contest {
            is_silent: true,
            ..Contest::default()
        }
    }

    /// All rules together.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in self.rules.values() {
            total.running += tally.running;
            total.candidate += tally.candidate;
            total.added += tally.added;
            total.removed += tally.removed;
        }
        total
    }

    fn count(&mut self, rule: &str, change: impl FnOnce(&mut Tally)) {
        let is_full = self.rules.len() >= RULES_MAX;
        match self.rules.get_mut(rule) {
            Some(tally) => change(tally),
            None if is_full => self.hits_lost += 1,
            None => change(self.rules.entry(rule.into()).or_default()),
        }
    }

    /// Whether one more may be kept.
    fn has_room(&mut self, by: By) -> bool {
        let shown = &mut self.shown[usize::from(by == By::Running)];
        let has_room = *shown < EXAMPLES_MAX;
        *shown += usize::from(has_room);
        has_room
    }
}

/// The name of a rule of an epoch.
fn name_of(epoch: &Epoch, module: usize, rule: u32) -> Option<&str> {
    let module = epoch.modules.get(module)?;
    let rule = module.manifest().rules.get(rule as usize)?;
    Some(&rule.name)
}

impl Pipeline {
    /// Compares the candidate of the running epoch, and of those that follow, with the rules that
    /// run, from nothing on; `None` no longer does.
    pub fn compare(&mut self, contest: Option<Contest>) {
        let since_epoch = self.epoch.id;
        self.contest = contest.map(|contest| {
            Box::new(Contest {
                since_epoch,
                ..contest
            })
        });
        self.contest_from = self.counters.events;
    }

    /// What came of that so far.
    pub fn contest(&self) -> Option<Contest> {
        let contest = self.contest.as_deref().cloned();
        contest.map(|contest| Contest {
            events: self.counters.events - self.contest_from,
            ..contest
        })
    }

    /// Why the candidate is not asked any more, if it is not.
    pub fn contest_failed(&self) -> Option<&str> {
        self.contest.as_ref()?.failed.as_deref()
    }

    /// Counts the hits of a round that are compared, and takes out those that nobody is to be
    /// told of. They are in the order of events.
    pub(super) fn hold_contest(
        &mut self,
        round: &Round,
        hits: Vec<(u64, usize, u32, Row)>,
    ) -> Vec<(u64, usize, u32, Row)> {
        let Some(shadow) = &round.epoch.shadow else {
            return hits;
        };
        let heard = |hits: Vec<(u64, usize, u32, Row)>, is_silent: bool| {
            let is_heard = |hit: &(u64, usize, u32, Row)| !is_silent && hit.1 != shadow.module;
            hits.into_iter().filter(is_heard).collect()
        };
        let contest = self.contest.take_if(|of| of.since_epoch <= round.epoch.id);
        let Some(mut contest) = contest else {
            // Windows of a candidate that was given up in the meantime.
            return heard(hits, false);
        };
        for of_event in hits.chunk_by(|a, b| a.0 == b.0) {
            for &(_, module, rule, row) in of_event {
                if !shadow.compares(module, rule) {
                    continue;
                }
                let Some(name) = name_of(&round.epoch, module, rule) else {
                    continue;
                };
                let is_candidate = module == shadow.module;
                let is_matched = of_event.iter().any(|&(_, other, rule, _)| {
                    (other == shadow.module) != is_candidate
                        && shadow.compares(other, rule)
                        && name_of(&round.epoch, other, rule) == Some(name)
                });
                let by = match (is_candidate, is_matched) {
                    (_, true) => By::Both,
                    (true, false) => By::Candidate,
                    (false, false) => By::Running,
                };
                contest.count(name, |tally| match is_candidate {
                    true => {
                        tally.candidate += 1;
                        tally.added += u64::from(!is_matched);
                    }
                    false => {
                        tally.running += 1;
                        tally.removed += u64::from(!is_matched);
                    }
                });
                // What both say is shown as the candidate says it.
                if (is_candidate || !is_matched)
                    && contest.has_room(by)
                    && let Some(alert) = self.alert_of(round, module, rule as usize, &row)
                {
                    contest.examples.push(Example::of(alert, by));
                }
            }
        }
        let is_silent = contest.is_silent;
        self.contest = Some(contest);
        heard(hits, is_silent)
    }

    /// Notes something of the candidate of that epoch, if it is compared still.
    pub(super) fn note_contest(&mut self, epoch: u32, note: impl FnOnce(&mut Contest)) {
        if let Some(contest) = &mut self.contest
            && contest.since_epoch <= epoch
        {
            note(contest);
        }
    }

    /// Whether that module of an epoch that is in flight, or runs, is a candidate.
    pub(super) fn is_candidate(&self, epoch: u32, module: u32) -> bool {
        self.shadow_of(epoch)
            .is_some_and(|shadow| shadow.module == module as usize)
    }

    fn shadow_of(&self, epoch: u32) -> Option<&Shadow> {
        let rounds = self.flying.iter().map(|round| &round.epoch);
        let mut known = rounds.chain([&self.epoch]);
        known.find(|known| known.id == epoch)?.shadow.as_ref()
    }

    /// Notes what judging a window took.
    pub(super) fn note_contest_work(&mut self, epoch: u32, module: u32, cpu_ns: u64) {
        let Some(shadow) = self.shadow_of(epoch) else {
            return;
        };
        let module = Some(module as usize);
        let (is_candidate, is_replaced) =
            (module == Some(shadow.module), module == shadow.replaced);
        self.note_contest(epoch, |contest| match (is_candidate, is_replaced) {
            (true, _) => contest.candidate_ns += cpu_ns,
            (false, true) => contest.running_ns += cpu_ns,
            (false, false) => {}
        });
    }
}
