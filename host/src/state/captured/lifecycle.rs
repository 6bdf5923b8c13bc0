//! What captured events do to threads and processes.

use super::Saw;
use crate::event::Captured;
use crate::state::State;

impl State {
    /// Applies an event to the thread in that place and its relatives.
    pub(super) fn apply_lifecycle(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        let _ = (slot, event, saw);
    }
}
