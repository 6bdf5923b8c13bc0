//! What an event saw that nothing keeps: counts of its process, and what further descriptors it
//! names stood for.

use super::Memory;
use super::descriptor::{FdIndex, FdKind};

/// What one event saw beside [`super::Seen`].
#[derive(Clone, Debug, Default)]
pub struct Note {
    pub(super) number: u64,
    /// Time since the event before, ns.
    pub since_last_ns: u64,
    /// Threads of the process that have not ended.
    pub threads: u32,
    /// Those of them that are not its first.
    pub other_threads: u32,
    /// Memory and page faults of the thread.
    pub memory: Memory,
    /// Open descriptors of the process.
    pub descriptors: u32,
    /// The kinds of those, in Falco's order.
    pub kinds: Kinds,
    /// The event gave the descriptor a name, or another one.
    pub fd_name_changed: bool,
    /// Descriptors the event names beside the one it is about.
    pub(super) others: Box<[(i64, FdIndex)]>,
}

impl Note {
    /// What another descriptor that the event names stood for.
    pub fn other(&self, fd: i64) -> FdIndex {
        let found = self.others.iter().find(|(number, _)| *number == fd);
        found.map_or(FdIndex::NONE, |(_, index)| *index)
    }
}

/// What is noted of an event: what nobody asks for need not be found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Everything but the kinds and the further descriptors.
    pub counts: bool,
    /// [`Note::kinds`], for which the order of descriptors must be kept as well.
    pub kinds: bool,
    /// The further descriptors that events name. Those of opens are noted in any case: the name
    /// of what could not be opened needs them.
    pub others: bool,
}

impl Noted {
    /// All there is to say.
    pub const ALL: Noted = Noted {
        counts: true,
        kinds: true,
        others: true,
    };
    /// No more than what nothing can do without.
    pub const NOTHING: Noted = Noted {
        counts: false,
        kinds: false,
        others: false,
    };
}

impl std::ops::BitOrAssign for Noted {
    fn bitor_assign(&mut self, other: Noted) {
        self.counts |= other.counts;
        self.kinds |= other.kinds;
        self.others |= other.others;
    }
}

/// Kinds of descriptors, each at most once, in the order in which they were met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Five bits for each, the first lowest: its number and 1; 0 behind the last.
    order: u128,
    /// Bits by kind.
    met: u32,
}

impl Kinds {
    /// Takes a kind in.
    pub(super) fn meet(&mut self, kind: FdKind) {
        let bit = 1 << kind as u32;
        if self.met & bit == 0 {
            self.order |= (kind as u128 + 1) << (5 * self.met.count_ones());
            self.met |= bit;
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        self.met.count_ones()
    }

    /// The kinds in order.
    pub fn iter(self) -> impl Iterator<Item = FdKind> {
        (0..self.len()).filter_map(move |place| {
            let number = (self.order >> (5 * place) & 31) as usize;
            FdKind::ALL.get(number.checked_sub(1)?).copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_given_in_the_order_they_were_met_each_once() {
        let mut kinds = Kinds::default();
        for kind in [FdKind::Pidfd, FdKind::Unknown, FdKind::Pidfd, FdKind::File] {
            kinds.meet(kind);
        }
        let all: Vec<_> = kinds.iter().collect();
        assert_eq!(all, [FdKind::Pidfd, FdKind::Unknown, FdKind::File]);
        FdKind::ALL.iter().for_each(|kind| kinds.meet(*kind));
        assert_eq!(kinds.iter().count(), FdKind::ALL.len());
    }
}
