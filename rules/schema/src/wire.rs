//! What an event looks like in a capture, for each of Falco's codes.
//!
//! Falco's table only ever grows: an event that gets other parameters gets a new code, and
//! captures keep the old one. And until libs 0.25 a call was two events, one with what it was
//! given, one with what came of it. [`EventType`] has each event once, as it is now; here are
//! all codes with the parameters of each, and the event type that each leads to.

mod table;

use crate::event::{Category, Class, EventType, Param};

/// An event as it lies in a capture.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    /// Falco's name; `NA` for a code that is not in use.
    pub name: &'static str,
    /// Whether it is the end of a call. Its beginning is the code below, and an event that is
    /// no call has no end.
    pub is_exit: bool,
    /// The event type that such an event leads to: by itself, or for the beginning of a call
    /// together with its end. `None` for a code that is not in use, and for what nothing has
    /// come after (`k8s`, `mesos`, `tracer`).
    pub event: Option<EventType>,
    /// Where it comes from.
    pub class: Class,
    /// Falco's category.
    pub category: Category,
    /// `CREATES_FD` and such bits.
    pub flags: u16,
    /// Its parameters in the order in which they lie there. A file may hold fewer: those that
    /// Falco has added at the end without a new code.
    pub params: &'static [Param],
}

impl Wire {
    /// Whether events of that code are what [`Wire::event`] is now, and need no conversion.
    pub fn is_current(&self) -> bool {
        self.flags & (crate::event::OLD_VERSION | crate::event::UNUSED) == 0
            && self
                .event
                .is_some_and(|event| event.is_exit() == self.is_exit)
    }
}

/// How many codes there are.
pub const CODES: usize = table::WIRES.len();

/// What an event of that code looks like in a capture; `None` for a code that Falco (libs 0.25)
/// does not have.
pub fn wire(code: u16) -> Option<&'static Wire> {
    table::WIRES.get(usize::from(code))
}
