//! What has to be asked of the system: processes that ran before the probe, those whose birth it
//! missed, names of users. It is asked by a thread of its own; the event thread only exchanges
//! questions and answers with it and never waits.
//!
//! [`engine`] asks container engines, [`procfs`] reads processes, [`groups`] numbers of control
//! groups, [`users`] names; [`told`] remembers what was said. What answers are worth is the
//! state's to decide.

pub mod engine;
mod groups;
pub mod procfs;
mod told;
pub mod users;

use crate::event::Clock;
use crate::state::facts::{ProcessFacts, Start};
use crate::state::{Lookup, State};
use saker_rules_schema::field::LINEAGE_MAX;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use told::Told;

/// Questions, and answers, that may wait. More are dropped and counted: an unknown process
/// comes up again with its next event.
const QUEUE: usize = 1024;
/// How often user tables and clocks are looked at.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often it is looked whether processes outside of a scope are still there.
const MISS_AFTER: Duration = Duration::from_secs(10);

/// What comes back.
#[derive(Clone)]
pub enum Answer {
    /// The process that was asked about, or that there is none any more, behind those of its
    /// ancestors that were not told of yet.
    Process(Vec<(Lookup, Option<Box<ProcessFacts>>)>),
    /// Processes that are not there any more, of which no event told that they ended.
    Gone(Vec<(u32, Start)>),
    /// Users and groups, which are others now.
    Users(crate::state::users::Users),
    /// The calendar's clock was set.
    Clock(Clock),
}

impl Answer {
    /// Tells the state.
    pub fn tell(self, state: &mut State) {
        match self {
            Answer::Process(mut all) => {
                let asked = all.pop();
                for (lookup, facts) in all {
                    state.learn_of(lookup, facts.map(|facts| *facts));
                }
                if let Some((lookup, facts)) = asked {
                    state.answer(lookup, facts.map(|facts| *facts));
                }
            }
            Answer::Gone(all) => {
                for (pid, start) in all {
                    state.end_unseen(pid, start);
                }
            }
            Answer::Users(users) => state.set_users(users),
            Answer::Clock(clock) => state.set_clock(clock),
        }
    }
}

/// The asking thread.
pub struct Enrichment {
    questions: SyncSender<Lookup>,
    answers: Receiver<Answer>,
    /// Questions that found the queue full.
    pub dropped: u64,
}

impl Enrichment {
    /// Tells the state of what is there now (in a cgroup if only that is watched), then starts
    /// the thread.
    pub fn start(state: &mut State, scope: Option<&Path>) -> io::Result<Enrichment> {
        let mut user_files = users::Files::default();
        if let Some(users) = user_files.read_if_changed() {
            state.set_users(users);
        }
        let reader = procfs::Reader::new(state.by_path());
        let mut told = Told::default();
        match scope {
            Some(cgroup) => {
                let found = reader.processes_in(cgroup);
                state.seed(found.into_iter().inspect(|facts| told.insert(facts)));
            }
            None => state.seed(reader.processes().inspect(|facts| told.insert(facts))),
        }
        let misses = scope.is_some();
        let (questions, asked) = sync_channel(QUEUE);
        let (answer, answers) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("saker-enrich".into())
            .spawn(move || answer_all(&reader, &asked, &answer, &mut user_files, told, misses))?;
        Ok(Enrichment {
            questions,
            answers,
            dropped: 0,
        })
    }

    /// Hands the state's open questions over, and the answers there are to the state, after `hear`
    /// has heard them.
    pub fn exchange(&mut self, state: &mut State, mut hear: impl FnMut(&Answer)) {
        for lookup in state.take_lookups() {
            match self.questions.try_send(lookup) {
                Ok(()) => {}
                Err(TrySendError::Full(lookup) | TrySendError::Disconnected(lookup)) => {
                    self.dropped += 1;
                    state.answer(lookup, None);
                }
            }
        }
        for answer in self.answers.try_iter() {
            hear(&answer);
            answer.tell(state);
        }
    }
}

/// Runs until the event thread is gone. If it `misses` processes, no event tells of all ends.
fn answer_all(
    reader: &procfs::Reader,
    asked: &Receiver<Lookup>,
    answer: &SyncSender<Answer>,
    user_files: &mut users::Files,
    mut told: Told,
    misses: bool,
) {
    let mut looked = Instant::now();
    let mut missed = looked;
    let mut clock = clock_now();
    loop {
        match asked.recv_timeout(LOOK_AGAIN_AFTER) {
            Ok(lookup) => {
                let found = with_ancestors(reader, lookup, &mut told);
                if answer.send(Answer::Process(found)).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if looked.elapsed() < LOOK_AGAIN_AFTER {
            continue;
        }
        looked = Instant::now();
        if misses && missed.elapsed() >= MISS_AFTER {
            missed = looked;
            let gone = told.gone(reader);
            if !gone.is_empty() && answer.send(Answer::Gone(gone)).is_err() {
                return;
            }
        }
        if let Some(users) = user_files.read_if_changed()
            && answer.send(Answer::Users(users)).is_err()
        {
            return;
        }
        let now = clock_now();
        if now.boot_to_epoch_ns.abs_diff(clock.boot_to_epoch_ns) > CLOCK_STEP_NS {
            clock = now;
            if answer.send(Answer::Clock(now)).is_err() {
                return;
            }
        }
    }
}

/// A process, behind those of its ancestors that were not told of yet: asked for one by one, each
/// would be known an exchange later than the one below it, and what its descendants do meanwhile
/// would be of another root. An ancestor's id that another process has since is asked for by the
/// state itself.
fn with_ancestors(
    reader: &procfs::Reader,
    lookup: Lookup,
    told: &mut Told,
) -> Vec<(Lookup, Option<Box<ProcessFacts>>)> {
    let read = |pid, told: &mut Told| {
        let facts = reader.process(pid).map(Box::new)?;
        told.insert(&facts);
        Some((facts.ids.ppid, facts))
    };
    let (mut parent, first) = read(lookup.pid, told).unzip();
    let mut found = vec![(lookup, first)];
    while let Some(pid) = parent.filter(|pid| *pid != 0 && !told.holds(*pid))
        && found.len() <= LINEAGE_MAX
    {
        let lookup = Lookup { pid, start_time: 0 };
        let Some((above, facts)) = read(pid, told) else {
            break;
        };
        parent = Some(above);
        found.push((lookup, Some(facts)));
    }
    found.reverse();
    found
}

/// Less is the time between two readings; more means that the calendar's clock was set.
const CLOCK_STEP_NS: u64 = 1_000_000;

/// This machine, but for its name. What cannot be read is 0.
pub fn machine() -> saker_capture::Machine<'static> {
    let cpus = std::thread::available_parallelism().map_or(0, |cpus| cpus.get() as u32);
    let system = rustix::system::sysinfo();
    let pid_max = std::fs::read_to_string("/proc/sys/kernel/pid_max");
    let pid_max = pid_max.ok().and_then(|text| text.trim().parse().ok());
    saker_capture::Machine {
        cpus,
        memory_bytes: (system.totalram as u64).saturating_mul(system.mem_unit.into()),
        pid_max: pid_max.unwrap_or(0),
        hostname: &[],
        boot_time: clock_now().wall(0),
        flags: 0,
    }
}

/// How the kernel's time since boot relates to the calendar now.
pub fn clock_now() -> Clock {
    use rustix::time::{ClockId, Timespec, clock_gettime};
    let ns = |time: Timespec| time.tv_sec * 1_000_000_000 + time.tv_nsec;
    // Boot time on both sides of real time, so that being interrupted between them shows: the
    // closest of some tries is taken.
    let tries = (0..5).map(|_| {
        let before = ns(clock_gettime(ClockId::Boottime));
        let real = ns(clock_gettime(ClockId::Realtime));
        let after = ns(clock_gettime(ClockId::Boottime));
        (after - before, real - (before + (after - before) / 2))
    });
    let closest = tries.min_by_key(|(distance, _)| *distance);
    Clock {
        boot_to_epoch_ns: closest.map_or(0, |(_, offset)| offset),
    }
}

/// Where the host's root directory is seen: `HOST_ROOT` if set, as for Falco, else `/`.
fn host_path(path: &str) -> std::path::PathBuf {
    match std::env::var_os("HOST_ROOT") {
        Some(root) if !root.is_empty() => {
            let mut place = std::path::PathBuf::from(root);
            place.push(path.trim_start_matches('/'));
            place
        }
        Some(_) | None => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ancestors_are_told_at_once_and_once_the_eldest_first() {
        let reader = procfs::Reader::default();
        let lookup = Lookup {
            pid: std::process::id(),
            start_time: 0,
        };
        let mut told = Told::default();
        let found = with_ancestors(&reader, lookup, &mut told);
        let pids: Vec<u32> = found.iter().map(|(lookup, _)| lookup.pid).collect();
        assert!(
            pids.len() > 1 && pids.last() == Some(&lookup.pid),
            "{pids:?}"
        );
        let mut above = 0;
        for (lookup, facts) in &found {
            let facts = facts.as_ref().expect("whoever waits for us is there");
            assert_eq!((facts.pid, facts.ids.ppid), (lookup.pid, above));
            above = facts.pid;
        }
        // What runs without a parent that can be seen has none.
        let again = with_ancestors(&reader, lookup, &mut told);
        assert_eq!(again.len(), 1);
    }
}
