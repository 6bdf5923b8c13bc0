//! What an event saw that nothing keeps: counts of its process, and what further descriptors it
//! names stood for.

use super::Memory;
use super::descriptor::FdIndex;

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
