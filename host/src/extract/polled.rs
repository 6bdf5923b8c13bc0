//! `fdlist.*`: the descriptors that a `poll` waits for.

use super::{Scratch, Value, View};
use crate::state::descriptor::{End, write_address};
use crate::state::polled_descriptors;
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::Field;
use std::io::Write;

/// The list as text; `None` where nothing is in it.
pub(super) fn value<'s>(
    field: Field,
    view: &'s View<'_>,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    let event = view.event.captured()?;
    if !matches!(event.kind, EventType::Poll | EventType::Ppoll) {
        return None;
    }
    view.version?;
    let text = scratch.text();
    for fd in polled_descriptors(event.bytes(1)?) {
        let info = view.descriptor_at(fd);
        let bound = info.filter(|info| info.is_bound());
        let pair = info.filter(|info| info.kind.is_ip() && !info.is_bound());
        // Writing to a vector cannot fail.
        match field {
            Field::FdlistNums => {
                let _ = write!(text, "{fd}");
            }
            Field::FdlistNames => {
                let name = info.map_or(&b""[..], |info| &info.name);
                text.extend_from_slice(if name.is_empty() { b"<NA>" } else { name });
            }
            Field::FdlistCips | Field::FdlistSips => {
                let end: End<'_> = match (field, pair, bound) {
                    (Field::FdlistCips, Some(pair), _) => pair.local(),
                    (Field::FdlistSips, Some(pair), _) => pair.remote(),
                    (Field::FdlistSips, None, Some(bound)) => bound.local(),
                    _ => continue,
                };
                write_address(end.0, text);
            }
            Field::FdlistCports | Field::FdlistSports => {
                let Some(pair) = pair else {
                    continue;
                };
                let (_, port) = match field {
                    Field::FdlistCports => pair.local(),
                    _ => pair.remote(),
                };
                let _ = write!(text, "{port}");
            }
            _ => return None,
        }
        text.push(b',');
    }
    text.pop();
    (!text.is_empty()).then_some(Value::Text(text))
}
