//! Users and groups that captured events tell of.

use crate::event::Captured;
use crate::state::State;
use saker_rules_schema::event::EventType;

impl State {
    /// Applies an event that is of no thread to the names of users and groups.
    pub(super) fn apply_names(&mut self, event: &Captured<'_>) {
        let text = |index: usize| event.text(index).unwrap_or_default();
        let number = |index: usize| event.unsigned(index).map(|number| number as u32);
        match event.kind {
            EventType::Useradded => {
                if let Some(uid) = number(0) {
                    self.users.add_user(text(5), uid, text(2), text(3), text(4));
                }
            }
            EventType::Userdeleted => {
                if let Some(uid) = number(0) {
                    self.users.remove_user(text(5), uid);
                }
            }
            EventType::Groupadded => {
                if let Some(gid) = number(0) {
                    self.users.add_group(text(2), gid, text(1));
                }
            }
            EventType::Groupdeleted => {
                if let Some(gid) = number(0) {
                    self.users.remove_group(text(2), gid);
                }
            }
            _ => return,
        }
        self.names_changed();
    }
}
