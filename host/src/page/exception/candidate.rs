//! What an exception from an alert may compare, what of that is proposed, and where that is
//! broader than the alert.

use super::quoted::in_rules;
use super::seen::{Seen, typed};
use super::{OF_OTHERS, OF_TEXTS};
use saker_rules_schema::field::{Arg, Field, FieldRef, Type};
use saker_web::exceptions::Candidate;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A value that is longer is not offered: nobody means all of it.
const VALUE_BYTES_MAX: usize = 4096;
/// The kernel keeps so many bytes of a process's name.
const NAME_BYTES: usize = 15;

/// Values of a field as they are offered; none for those that an exception cannot compare.
fn candidate(field: &FieldRef, value: &Json) -> Option<Candidate> {
    let is_argument = matches!(field.field, Field::EvtArg | Field::EvtRawarg);
    if field.is_list() || field.field.is_absent() || is_argument {
        return None;
    }
    typed(field, value)??;
    let (value, operators): (String, &[&str]) = match value {
        Json::String(text) if field.kind() == Type::Text => (text.clone(), &OF_TEXTS),
        Json::String(text) => (text.clone(), &OF_OTHERS),
        Json::Number(number) => (number.to_string(), &OF_OTHERS),
        Json::Bool(truth) => (truth.to_string(), &OF_OTHERS),
        _ => return None,
    };
    let is_fit = !value.is_empty() && value.len() <= VALUE_BYTES_MAX;
    let is_fit = is_fit && in_rules(&value, |_| false).is_ok();
    is_fit.then(|| Candidate {
        field: field.to_string(),
        value,
        operators: operators.iter().map(|of| (*of).into()).collect(),
        proposed: false,
    })
}

/// What is proposed of what was kept: who did it, to what or started by whom, and in which image.
pub(super) fn proposed(seen: &Seen) -> Vec<Candidate> {
    let plain = |field| FieldRef {
        field,
        arg: Arg::None,
    };
    let mut all: BTreeMap<FieldRef, Candidate> = (seen.fields.iter())
        .filter_map(|(field, value)| Some((field.clone(), candidate(field, value)?)))
        .collect();
    let text = |field| {
        let value = seen.fields.get(&plain(field));
        value.and_then(Json::as_str).unwrap_or_default()
    };
    // A connection's name has a port in it that no other has.
    let is_file = matches!(text(Field::FdType), "file" | "directory");
    let beside = match is_file && all.contains_key(&plain(Field::FdName)) {
        true => Field::FdName,
        false => Field::ProcPname,
    };
    // A name that no rule can compare is told apart by its program.
    let own = match all.contains_key(&plain(Field::ProcName)) {
        true => Field::ProcName,
        false => Field::ProcExepath,
    };
    let mut chosen = Vec::new();
    for field in [own, beside, Field::ContainerImageRepository] {
        if let Some(mut found) = all.remove(&plain(field)) {
            found.proposed = true;
            chosen.push(found);
        }
    }
    // Better that than none.
    if chosen.is_empty()
        && let Some(mut found) = all.pop_first().map(|(_, found)| found)
    {
        found.proposed = true;
        chosen.push(found);
    }
    chosen.extend(all.into_values());
    chosen
}

/// Where what is proposed holds for more than what the alert was about, in words.
pub(super) fn broader(seen: &Seen, all: &[Candidate]) -> Vec<String> {
    let value = |field: Field| {
        let arg = Arg::None;
        let value = seen.fields.get(&FieldRef { field, arg });
        value.and_then(Json::as_str).unwrap_or_default()
    };
    let offered = |field: Field| all.iter().find(|of| of.field == field.name());
    let is_proposed = |field: Field| offered(field).is_some_and(|of| of.proposed);
    let mut broader = Vec::new();
    if offered(Field::ProcName).is_none() && !value(Field::ProcName).is_empty() {
        let why = incomparable(value(Field::ProcName));
        let instead = match is_proposed(Field::ProcExepath) {
            true => "`proc.exepath` is compared instead, whatever the process is called",
            false => "no name is compared, so that it holds for every process",
        };
        broader.push(format!(
            "`proc.name` cannot be compared, since {why}: {instead}"
        ));
    }
    for field in [Field::ProcName, Field::ProcPname] {
        if is_proposed(field) && value(field).len() >= NAME_BYTES {
            broader.push(format!(
                "`{0}` may be cut, as the kernel keeps {NAME_BYTES} bytes of a name: it holds for \
                 every process whose name begins so; compare `{1}` to tell them apart",
                field.name(),
                match field {
                    Field::ProcPname => "proc.pexepath",
                    _ => "proc.exepath",
                },
            ));
        }
    }
    let is_file = matches!(value(Field::FdType), "file" | "directory");
    if is_file && offered(Field::FdName).is_none() && !value(Field::FdName).is_empty() {
        let why = incomparable(value(Field::FdName));
        broader.push(format!(
            "`fd.name` cannot be compared, since {why}: it holds for every file"
        ));
    }
    let container = value(Field::ContainerId);
    let is_inside = !container.is_empty() && container != "host";
    if is_inside && !is_proposed(Field::ContainerImageRepository) {
        broader.push(
            "the container's image is not known: it holds in every container, and outside of them"
                .into(),
        );
    }
    broader
}

/// Why a text is not compared.
fn incomparable(text: &str) -> &'static str {
    match in_rules(text, |_| false) {
        _ if text.len() > VALUE_BYTES_MAX => "it is too long",
        _ if text.contains('\u{fffd}') => "it has bytes that are no text",
        Err(why) => why,
        Ok(_) => "it was not kept whole",
    }
}
