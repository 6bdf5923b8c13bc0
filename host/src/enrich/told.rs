//! The processes that were read from `/proc` for the state: none is told of twice, and that they
//! are gone must be told of those whose end no event tells, which is so outside of a scope.

use super::procfs::Reader;
use crate::state::facts::{ProcessFacts, Start};
use std::collections::HashMap;

/// So many are remembered.
const TOLD_MAX: usize = 64 * 1024;

/// What is remembered of one.
struct Process {
    start: Start,
    /// It was not there any more when it was last looked for.
    is_missed: bool,
}

/// The processes.
#[derive(Default)]
pub(super) struct Told {
    by_pid: HashMap<u32, Process>,
}

impl Told {
    /// Whether a process of that id was told of.
    pub(super) fn holds(&self, pid: u32) -> bool {
        self.by_pid.contains_key(&pid)
    }

    /// Remembers one.
    pub(super) fn insert(&mut self, facts: &ProcessFacts) {
        if self.by_pid.len() >= TOLD_MAX {
            self.by_pid.clear();
        }
        let process = Process {
            start: facts.start,
            is_missed: false,
        };
        self.by_pid.insert(facts.pid, process);
    }

    /// Those that are gone, which are forgotten. Each is missed once before: the event that tells
    /// its end may still be on its way, and knows more.
    pub(super) fn gone(&mut self, reader: &Reader) -> Vec<(u32, Start)> {
        let mut gone = Vec::new();
        self.by_pid.retain(|pid, process| {
            let was_missed = process.is_missed;
            process.is_missed = reader.start(*pid) != Some(process.start);
            let is_gone = was_missed && process.is_missed;
            if is_gone {
                gone.push((*pid, process.start));
            }
            !is_gone
        });
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_is_gone_when_it_is_missed_for_the_second_time() {
        let reader = Reader::default();
        let mut told = Told::default();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("sleep is there");
        for pid in [child.id(), std::process::id()] {
            told.insert(&reader.process(pid).expect("it runs"));
        }
        let start = reader.start(child.id()).expect("it runs");
        assert_eq!(told.gone(&reader), []);
        child.kill().expect("it runs");
        child.wait().expect("a child of ours");
        assert_eq!(told.gone(&reader), []);
        assert_eq!(told.gone(&reader), [(child.id(), start)]);
        assert_eq!(told.gone(&reader), []);
        assert!(told.holds(std::process::id()) && !told.holds(child.id()));
    }
}
