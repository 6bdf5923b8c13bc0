//! Events of old captures, as Falco's current ones: an event that got a new code or more
//! parameters since it was recorded, and what a call was given, which was an event of its own,
//! becomes part of the one that says what came of it. What is done is what Falco does since
//! 0.42, row by row ([`table`]); nothing here knows what an event means.
//!
//! ```text
//! current, with all parameters ─────────────────────────────────► event
//! old ───► row of (code, parameters) ───► another code, more parameters
//!   ▲                                      │
//!   └───────── until it is current ────────┘
//! beginning of a call ───► kept by thread ───► taken by its end; some are for the state, too
//! ```
//!
//! Where Falco gives up reading, Saker goes on: an end that meets the beginning of another call
//! is converted as if none were kept, and an event of which no row speaks is left out; both are
//! counted. And a `connect` of two parameters gets both that it lacks from its beginning, which
//! Falco has forgotten when it comes to the second.

mod table;

use super::beginnings::{Beginning, Beginnings, Limits};
use saker_capture::Event;
use saker_rules_schema::event::{EventType, OLD_VERSION, Param, ParamType, UNUSED};
use saker_rules_schema::wire::{CODES, wire};
use std::io::Write;

/// More than any row makes.
const PARAMS_MAX: usize = 32;
/// More than the longest chain of rows has, which is that of `execve`.
const STEPS_MAX: usize = 50;

/// What becomes of an event of that code that has so many parameters.
struct Row {
    code: u16,
    params: u8,
    action: Action,
}

enum Action {
    /// It is kept for the call's end.
    Store,
    /// It is for the state alone.
    Pass,
    /// Both.
    StoreAndPass,
    /// It gets parameters more.
    Append(&'static [Part]),
    /// It becomes an event of that code, with these parameters and no others.
    Become(u16, &'static [Part]),
    /// The id, type, name and image of a container become one text in JSON.
    Describe(u16),
}

/// Where a parameter comes from.
#[derive(Clone, Copy)]
enum Part {
    /// From that one of the call's beginning; as [`Part::Unset`] if none is kept.
    Enter(u8),
    /// The same; as [`Part::Empty`] if none is kept.
    EnterOrEmpty(u8),
    /// From the event itself: several, from the first to the last.
    Old(u8, u8),
    /// No value.
    Empty,
    /// What is nothing in its type: 0, no id, no address; of a type whose length varies, no bytes.
    Unset,
}

/// How an event of a code is dealt with.
#[derive(Clone, Copy)]
struct Plan {
    fate: Fate,
    /// How many parameters it has now.
    params: u8,
    /// What it is or leads to.
    kind: Option<EventType>,
    rows: &'static [Row],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// No event has that code, or none that has come after it.
    Unused,
    /// A beginning whose end says it all.
    Needless,
    /// It is as it is.
    Current,
    /// It is as it is if it has all parameters.
    CurrentIfWhole,
    /// It is what a row says.
    Old,
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was handed on.
    Written,
    /// It is the beginning of a call, kept for its end or not needed.
    Merged,
    /// Nothing is known of such an event.
    Unknown,
    /// Nothing is known of such an event with so many parameters.
    Unconverted,
}

/// An event that is current now.
pub(super) struct Converted<'a> {
    pub(super) kind: EventType,
    /// Whether it only says what a call is given, with the code it has now; that of the call's
    /// end is one more.
    pub(super) beginning: Option<u16>,
    pub(super) params: &'a [&'a [u8]],
}

/// Makes current events of old ones. A current event costs one look-up, and none an allocation
/// once memory has grown.
pub(super) struct Converter {
    plans: Box<[Plan]>,
    beginnings: Beginnings,
    /// A container's description.
    json: Vec<u8>,
    mismatched: u64,
}

impl Converter {
    pub(super) fn new() -> Converter {
        Converter {
            plans: (0..CODES).map(|code| plan(code as u16)).collect(),
            beginnings: Beginnings::new(Limits::default()),
            json: Vec::new(),
            mismatched: 0,
        }
    }

    /// Ends of calls that met the beginning of another call.
    pub(super) fn mismatched(&self) -> u64 {
        self.mismatched
    }

    /// Beginnings forgotten before their end came.
    pub(super) fn forgotten(&self) -> u64 {
        self.beginnings.forgotten()
    }

    /// Forgets all beginnings: another recording begins.
    pub(super) fn restart(&mut self) {
        self.beginnings.clear();
    }

    /// The type of an event of that code with so many parameters, if it needs no conversion.
    #[inline]
    pub(super) fn current(&self, code: u16, params: usize) -> Option<EventType> {
        current(&self.plans, code, params)
    }

    /// Hands what becomes of the event to `write`, if something does.
    pub(super) fn convert(
        &mut self,
        event: &Event<'_>,
        write: impl FnOnce(Converted<'_>),
    ) -> Outcome {
        let Some(plan) = self.plans.get(usize::from(event.code)) else {
            return Outcome::Unknown;
        };
        match plan.fate {
            Fate::Unused => return Outcome::Unknown,
            Fate::Needless => return Outcome::Merged,
            Fate::Current | Fate::CurrentIfWhole | Fate::Old => {}
        }
        if is_end(event.code) {
            self.convert_end(event, write)
        } else {
            self.convert_beginning(event, write)
        }
    }

    fn convert_end(&mut self, event: &Event<'_>, write: impl FnOnce(Converted<'_>)) -> Outcome {
        let enter = self.beginnings.get(event.tid);
        let mut params: Slots<'_> = [&[]; PARAMS_MAX];
        let Some(mut work) = Work::new(event, enter, &mut params) else {
            return Outcome::Unconverted;
        };
        let Some(Left::Event(kind)) = work.follow(&self.plans, &[]) else {
            return Outcome::Unconverted;
        };
        write(Converted {
            kind,
            beginning: None,
            params: work.params(),
        });
        let (used, mismatched) = (work.used_enter, work.mismatched);
        self.mismatched += u64::from(mismatched);
        // One that is kept for another call is not for any to come.
        if used || mismatched {
            self.beginnings.forget(event.tid);
        }
        Outcome::Written
    }

    /// The same of the beginning of a call, and of what is no call.
    fn convert_beginning(
        &mut self,
        event: &Event<'_>,
        write: impl FnOnce(Converted<'_>),
    ) -> Outcome {
        describe(&self.plans, event, &mut self.json);
        let mut params: Slots<'_> = [&[]; PARAMS_MAX];
        let Some(mut work) = Work::new(event, None, &mut params) else {
            return Outcome::Unconverted;
        };
        let Some(left) = work.follow(&self.plans, &self.json) else {
            return Outcome::Unconverted;
        };
        let (beginning, stores) = match left {
            Left::Event(kind) => {
                write(Converted {
                    kind,
                    beginning: None,
                    params: work.params(),
                });
                return Outcome::Written;
            }
            Left::Beginning { kind, stores } => (kind, stores),
        };
        if let Some(kind) = beginning {
            write(Converted {
                kind,
                beginning: Some(work.code),
                params: work.params(),
            });
        }
        if stores {
            self.beginnings.keep(event.tid, work.code, work.params());
        }
        match beginning {
            Some(_) => Outcome::Written,
            None => Outcome::Merged,
        }
    }
}

const fn is_end(code: u16) -> bool {
    code % 2 == 1
}

/// How an event of that code is dealt with.
fn plan(code: u16) -> Plan {
    let rows = table::ROWS;
    let first = rows.partition_point(|row| row.code < code);
    let last = rows.partition_point(|row| row.code <= code);
    let rows = rows.get(first..last).unwrap_or_default();
    let Some(wire) = wire(code) else {
        return Plan {
            fate: Fate::Unused,
            params: 0,
            kind: None,
            rows: &[],
        };
    };
    let is_old = wire.flags & OLD_VERSION != 0;
    let fate = if wire.flags & UNUSED != 0 || wire.event.is_none() {
        Fate::Unused
    } else if rows.is_empty() && is_old && !is_end(code) {
        Fate::Needless
    } else if rows.is_empty() && !is_old {
        Fate::Current
    } else if is_old || !is_end(code) {
        Fate::Old
    } else {
        Fate::CurrentIfWhole
    };
    Plan {
        fate,
        params: wire.params.len() as u8,
        kind: wire.event,
        rows,
    }
}

#[inline]
fn current(plans: &[Plan], code: u16, params: usize) -> Option<EventType> {
    let plan = plans.get(usize::from(code))?;
    match plan.fate {
        Fate::Current => plan.kind,
        Fate::CurrentIfWhole if usize::from(plan.params) == params => plan.kind,
        Fate::CurrentIfWhole | Fate::Unused | Fate::Needless | Fate::Old => None,
    }
}

/// Room for an event's parameters.
type Slots<'a> = [&'a [u8]; PARAMS_MAX];

/// An event on its way to what it is now.
struct Work<'w, 'a> {
    code: u16,
    count: usize,
    /// Elsewhere, as moving them would take longer than all else.
    params: &'w mut Slots<'a>,
    enter: Option<Beginning<'a>>,
    used_enter: bool,
    mismatched: bool,
}

/// Where its way ended.
enum Left {
    /// It is that event.
    Event(EventType),
    /// It is a call's beginning: of which event, if it is for the state, and whether it is for
    /// the call's end.
    Beginning {
        kind: Option<EventType>,
        stores: bool,
    },
}

impl<'w, 'a> Work<'w, 'a> {
    /// `None` for an event of more parameters than any has.
    fn new(
        event: &Event<'a>,
        enter: Option<Beginning<'a>>,
        params: &'w mut Slots<'a>,
    ) -> Option<Work<'w, 'a>> {
        let count = event.params.len();
        for (index, place) in params.get_mut(..count)?.iter_mut().enumerate() {
            *place = event.params.get(index).unwrap_or_default();
        }
        Some(Work {
            code: event.code,
            count,
            params,
            enter,
            used_enter: false,
            mismatched: false,
        })
    }

    fn params(&self) -> &[&'a [u8]] {
        self.params.get(..self.count).unwrap_or_default()
    }

    /// Follows the rows; `None` where none speaks of such an event.
    fn follow(&mut self, plans: &[Plan], json: &'a [u8]) -> Option<Left> {
        for _ in 0..STEPS_MAX {
            if let Some(kind) = current(plans, self.code, self.count) {
                return Some(Left::Event(kind));
            }
            let plan = plans.get(usize::from(self.code))?;
            let mut rows = plan.rows.iter();
            let row = rows.find(|row| usize::from(row.params) == self.count)?;
            let left = |stores, passes: bool| Left::Beginning {
                kind: plan.kind.filter(|_| passes),
                stores,
            };
            match row.action {
                Action::Store => return Some(left(true, false)),
                Action::Pass => return Some(left(false, true)),
                Action::StoreAndPass => return Some(left(true, true)),
                Action::Append(parts) => self.append(self.code, parts, None)?,
                Action::Become(code, parts) => {
                    let old = (*self.params, self.count);
                    self.count = 0;
                    self.append(code, parts, Some(&old))?;
                    self.code = code;
                }
                Action::Describe(code) => {
                    self.params[0] = json;
                    self.count = 1;
                    self.code = code;
                }
            }
        }
        None
    }

    /// Adds the parts, as parameters of an event of the code `code`. What is taken over from
    /// `old` is not longer than its new type is.
    fn append(
        &mut self,
        code: u16,
        parts: &[Part],
        old: Option<&(Slots<'a>, usize)>,
    ) -> Option<()> {
        let types = wire(code)?.params;
        for part in parts {
            let to = types.get(self.count)?;
            let taken = match *part {
                Part::Enter(index) => self.given(index).unwrap_or_else(|| unset(to)),
                Part::EnterOrEmpty(index) => self.given(index).unwrap_or_default(),
                Part::Empty => &[],
                Part::Unset => unset(to),
                Part::Old(first, last) => {
                    let (params, count) = old?;
                    let params = params.get(..*count)?;
                    for param in params.get(usize::from(first)..=usize::from(last))? {
                        let to = types.get(self.count)?;
                        self.push(capped(param, to))?;
                    }
                    continue;
                }
            };
            let taken = if old.is_some() {
                capped(taken, to)
            } else {
                taken
            };
            self.push(taken)?;
        }
        Some(())
    }

    fn push(&mut self, param: &'a [u8]) -> Option<()> {
        *self.params.get_mut(self.count)? = param;
        self.count += 1;
        Some(())
    }

    /// A parameter of the call's beginning, if that is kept.
    fn given(&mut self, index: u8) -> Option<&'a [u8]> {
        let enter = self.enter?;
        if enter.code.checked_add(1) != Some(self.code) {
            self.mismatched = true;
            return None;
        }
        self.used_enter = true;
        enter.param(index.into())
    }
}

/// A parameter that has at most the bytes of its type.
fn capped<'a>(param: &'a [u8], to: &Param) -> &'a [u8] {
    match to.width {
        Some(width) => param.get(..width.into()).unwrap_or(param),
        None => param,
    }
}

/// What is nothing in that type.
fn unset(to: &Param) -> &'static [u8] {
    const ZEROS: &[u8] = &[0; 16];
    const ONES: &[u8] = &[0xff; 16];
    let is_id = matches!(to.kind, ParamType::Uid | ParamType::Gid);
    let width = match to.width {
        // The address of no family.
        None if to.kind == ParamType::Address => 1,
        width => width.unwrap_or(0),
    };
    let bytes = if is_id { ONES } else { ZEROS };
    bytes.get(..width.into()).unwrap_or_default()
}

/// A container's id, type, name and image as one text, as Falco puts it but for what JSON wants
/// escaped, which Falco leaves as it is. Nothing for an event that has not these.
fn describe(plans: &[Plan], event: &Event<'_>, json: &mut Vec<u8>) {
    let rows = plans
        .get(usize::from(event.code))
        .map_or(&[][..], |plan| plan.rows);
    let describes = |row: &Row| matches!(row.action, Action::Describe(_));
    if !rows.iter().any(describes) {
        return;
    }
    let kind = event.params.get(1).and_then(|kind| kind.first_chunk());
    let kind = kind.map_or(0, |kind| u32::from_le_bytes(*kind));
    json.clear();
    json.extend_from_slice(b"{\"id\":\"");
    escape(json, event.params.get(0));
    json.extend_from_slice(b"\",\"type\":");
    // A vector takes everything.
    let _ = write!(json, "{kind}");
    json.extend_from_slice(b",\"name\":\"");
    escape(json, event.params.get(2));
    json.extend_from_slice(b"\",\"image\":\"");
    escape(json, event.params.get(3));
    json.extend_from_slice(b"\"}\0");
}

/// A text without its NUL, as it stands between quotes.
fn escape(json: &mut Vec<u8>, text: Option<&[u8]>) {
    let text = text.unwrap_or_default();
    for byte in text.strip_suffix(b"\0").unwrap_or(text) {
        match byte {
            b'"' | b'\\' => json.extend_from_slice(&[b'\\', *byte]),
            0..0x20 => {
                let _ = write!(json, "\\u{byte:04x}");
            }
            _ => json.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests;
