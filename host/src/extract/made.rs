//! Values that are made of fields' values: those of transformers, and of comparisons of two
//! fields. They are rare, and each is put together anew.

use super::{Scratch, Value, View, process};
use crate::state::State;
use crate::state::version::ProcessVersion;
use saker_rules_compiler::made;
use saker_rules_compiler::oracle::Value as Made;
use saker_rules_schema::row::double_key;
use saker_rules_schema::term::Term;
use std::borrow::Cow;

/// The value of a term, as an event has it.
pub fn value<'t>(term: &'t Term, view: &View<'_>, scratch: &mut Scratch) -> Option<Made<'t>> {
    made::value(term, &mut |field| {
        super::value(field, view, scratch).map(|value| kept(&value))
    })
}

/// The value of a term of fields that are a process's, as an event of that number sees it.
pub(super) fn process_value<'t>(
    term: &'t Term,
    state: &State,
    version: &ProcessVersion,
    number: u64,
    scratch: &mut Scratch,
) -> Option<Made<'t>> {
    made::value(term, &mut |field| {
        process::value(field, state, version, number, scratch).map(|value| kept(&value))
    })
}

/// A value that no longer refers to event, state or buffers.
pub(crate) fn kept(value: &Value<'_>) -> Made<'static> {
    match value {
        Value::Text(text) | Value::Given(text) | Value::Bytes(text) => {
            Made::Text(Cow::Owned(text.to_vec()))
        }
        Value::Ip(address) => Made::Ip(Cow::Owned(address.to_vec())),
        Value::Bool(flag) => Made::Bool(*flag),
        Value::Int(number) | Value::Unshown(number) => Made::Number((*number).into()),
        Value::Uint(number) | Value::Based(number, _) => Made::Number((*number).into()),
        Value::Double(number) => Made::Number(double_key(*number).into()),
        Value::List(values) => Made::List(values.iter().map(kept).collect()),
    }
}

/// The same value as one of fields.
pub fn as_value<'m>(made: &'m Made<'_>) -> Value<'m> {
    match made {
        Made::Text(text) => Value::Text(text),
        Made::Ip(address) => Value::Ip(address),
        Made::Bool(flag) => Value::Bool(*flag),
        // A field's number has 64 bits, and no transformer makes it larger.
        Made::Number(number) if *number < 0 => Value::Int(*number as i64),
        Made::Number(number) => Value::Uint(*number as u64),
        Made::List(values) => Value::List(values.iter().map(as_value).collect()),
    }
}
