//! Users and groups that captured events tell of. Those of containers have no names in Falco,
//! whatever the capture tells.

use crate::event::Captured;
use crate::state::State;
use saker_rules_schema::event::EventType;

impl State {
    /// Applies an event that is of no thread to the names of users and groups.
    pub(super) fn apply_names(&mut self, event: &Captured<'_>) {
        let text = |index: usize| event.text(index).unwrap_or_default();
        let is_hosts = |container: usize| text(container).is_empty();
        let number = |index: usize| event.unsigned(index).map(|number| number as u32);
        match event.kind {
            EventType::Useradded if is_hosts(5) => {
                if let Some(uid) = number(0) {
                    self.users.set_user(uid, text(2), text(3), text(4));
                }
            }
            EventType::Userdeleted if is_hosts(5) => {
                if let Some(uid) = number(0) {
                    self.users.remove_user(uid);
                }
            }
            EventType::Groupadded if is_hosts(2) => {
                if let Some(gid) = number(0) {
                    self.users.set_group(gid, text(1));
                }
            }
            EventType::Groupdeleted if is_hosts(2) => {
                if let Some(gid) = number(0) {
                    self.users.remove_group(gid);
                }
            }
            _ => return,
        }
        self.names_changed();
    }
}
