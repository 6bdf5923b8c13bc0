//! What an engine's events tell of when containers begin and end, and what it said of those whose
//! first process was still to come: of one that was removed at once there is nobody else to ask.

use crate::state::container::ContainerFacts;
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

/// What was said of one is remembered if it is no more than that.
const FACTS_BYTES_MAX: usize = 16 << 10;

/// The containers that an engine told of lately, and how many there may be.
pub(super) struct Lives(Mutex<Remembered>, usize);

#[derive(Default)]
struct Remembered {
    by_id: HashMap<Box<str>, Life>,
    /// Who came first goes first.
    in_order: VecDeque<Box<str>>,
}

#[derive(Default)]
struct Life {
    /// What was said before there was a process.
    early: Option<ContainerFacts>,
    has_begun: bool,
    /// ns since the epoch; 0 while it goes on.
    ended: u64,
}

impl Lives {
    pub(super) fn of_at_most(lives: usize) -> Lives {
        Lives(Mutex::default(), lives)
    }

    fn note(&self, id: &str, note: impl FnOnce(&mut Life)) {
        let mut remembered = self.0.lock().expect("nobody panics with it");
        let remembered = &mut *remembered;
        if !remembered.by_id.contains_key(id) {
            remembered.in_order.push_back(id.into());
        }
        note(remembered.by_id.entry(id.into()).or_default());
        if remembered.in_order.len() > self.1
            && let Some(first) = remembered.in_order.pop_front()
        {
            remembered.by_id.remove(&first);
        }
    }

    /// Its first process runs.
    pub(super) fn begin(&self, id: &str) {
        self.note(id, |life| (life.has_begun, life.ended) = (true, 0));
    }

    /// It had ended then, ns since the epoch. (Of a container that is killed and removed at once
    /// Docker may tell the end last.)
    pub(super) fn end(&self, id: &str, at: u64) {
        self.note(id, |life| {
            let is_first = life.ended == 0 || at < life.ended;
            life.ended = if is_first { at } else { life.ended };
        });
    }

    /// This was said of it before it began.
    pub(super) fn note_early(&self, facts: &ContainerFacts) {
        if facts.bytes() <= FACTS_BYTES_MAX {
            self.note(&facts.full_id, |life| life.early = Some(facts.clone()));
        }
    }

    /// What is known of a container that has begun and ended, and that its engine knows no more.
    pub(super) fn passed(&self, id: &str) -> Option<ContainerFacts> {
        let remembered = self.0.lock().expect("nobody panics with it");
        let life = remembered.by_id.get(id);
        let life = life.filter(|life| life.has_begun && life.ended != 0)?;
        let early = life.early.clone()?;
        Some(ContainerFacts {
            ended: life.ended,
            ..early
        })
    }

    /// Forgets all: what happened since was not heard.
    pub(super) fn forget(&self) {
        *self.0.lock().expect("nobody panics with it") = Remembered::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn early(id: &str) -> ContainerFacts {
        ContainerFacts {
            full_id: id.into(),
            ..ContainerFacts::default()
        }
    }

    #[test]
    fn only_what_has_begun_and_ended_has_passed() {
        let lives = Lives::of_at_most(9);
        lives.note_early(&early("a"));
        assert_eq!(lives.passed("a"), None);
        lives.end("a", 5);
        assert_eq!(lives.passed("a"), None);
        lives.begin("a");
        assert_eq!(lives.passed("a"), None, "it goes on");
        lives.end("a", 7);
        lives.end("a", 9);
        assert_eq!(lives.passed("a").map(|facts| facts.ended), Some(7));
        // Nobody said what it was.
        lives.begin("b");
        lives.end("b", 7);
        assert_eq!(lives.passed("b"), None);
        lives.forget();
        assert_eq!(lives.passed("a"), None);
    }

    #[test]
    fn so_many_are_remembered_and_no_large_ones() {
        let lives = Lives::of_at_most(9);
        for id in 0..11 {
            lives.note_early(&early(&id.to_string()));
            lives.begin(&id.to_string());
            lives.end(&id.to_string(), 1);
        }
        assert_eq!(lives.passed("1"), None);
        assert!(lives.passed("2").is_some());
        let mut large = early("large");
        large.name = "x".repeat(FACTS_BYTES_MAX).into();
        lives.note_early(&large);
        lives.begin("large");
        lives.end("large", 1);
        assert_eq!(lives.passed("large"), None);
    }
}
