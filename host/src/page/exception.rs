//! Exceptions from alerts: what one may compare, how it is written, what it would have silenced,
//! and how it is saved.
//!
//! What it would have silenced is the oracle's to say, over what the store keeps of each alert of
//! its rule. Only the parts are judged by which the rule's condition has become another: that the
//! rest held is what an alert says. Events themselves are not kept, so that of some alerts too
//! little is known; those are told apart.

use super::behind::Behind;
use super::{Loaded, editor};
use crate::alert::{RULES, Scene, Why};
use crate::local::Unsaved;
use crate::modules::{Module, Written};
use crate::store::NewChange;
use crate::store::history::difference_of;
use saker_rules_compiler::Ruleset;
use saker_rules_compiler::ir::Expr;
use saker_rules_compiler::oracle::{Value, Values, holds_as_known};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{Arg, Field, FieldRef, Type};
use saker_web::alerts::{Alert, AlertDetail};
use saker_web::exceptions::{Attempt, Candidate, Draft, Effect, Part, Proposal};
use saker_web::host::Refusal;
use saker_web::modules::Done;
use saker_web::session::Actor;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Alerts so far back are judged,
const BACK: Duration = Duration::from_secs(24 * 3600);
/// no more of them,
const JUDGED_MAX: usize = 20_000;
/// and for no longer.
const JUDGING: Duration = Duration::from_secs(3);
/// So many are shown that would not have been,
const SILENCED_SHOWN: usize = 50;
/// and of those of which that is not known.
const UNKNOWN_SHOWN: usize = 10;
/// So many of a process's ancestors are offered.
const ANCESTORS: usize = 4;
/// A value that is longer is not offered: nobody means all of it.
const VALUE_BYTES_MAX: usize = 4096;
/// A text from `why` or a scene that is as long may have been cut.
const CUT_BYTES: usize = 1024;
/// How long it may take until a rule file that was saved is in force.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(10);

const OF_TEXTS: [&str; 5] = ["=", "startswith", "endswith", "contains", "glob"];
const OF_OTHERS: [&str; 1] = ["="];

/// What an alert kept of its event: fields with their values, where those are surely whole.
struct Seen {
    event: Option<EventType>,
    fields: BTreeMap<FieldRef, Json>,
}

impl Seen {
    fn of(line: &Json, scene: Option<&Scene>, why: Option<&Why>) -> Seen {
        let mut seen = Seen {
            event: None,
            fields: BTreeMap::new(),
        };
        // The first who tells of a field is believed.
        for (name, value) in line["output_fields"].as_object().into_iter().flatten() {
            seen.tell(name, value);
        }
        if let Some(scene) = scene {
            let mut events = EventType::ALL.iter().copied();
            seen.event = events.find(|event| event.name() == scene.event);
            for (name, value) in &scene.object {
                seen.tell(name, value);
            }
        }
        if let Some(why) = why {
            seen.take_tests(why);
        }
        if let Some(scene) = scene {
            seen.take_scene(scene);
        }
        seen
    }

    fn tell(&mut self, name: &str, value: &Json) {
        if let Ok(field) = FieldRef::parse(name) {
            self.fields.entry(field).or_insert_with(|| value.clone());
        }
    }

    fn take_tests(&mut self, why: &Why) {
        for (name, value) in &why.values {
            let is_cut = value.as_str().is_some_and(|text| text.len() >= CUT_BYTES);
            if !is_cut {
                self.tell(name, value);
            }
        }
        for part in &why.parts {
            self.take_tests(part);
        }
    }

    fn take_scene(&mut self, scene: &Scene) {
        // Names and paths of a scene are shown as they can be: only plain ones surely are theirs.
        let mut text = |field: Field, arg: Arg, text: &str| {
            if !text.is_empty() && text.is_ascii() && text.len() < CUT_BYTES {
                let kept = self.fields.entry(FieldRef { field, arg });
                kept.or_insert_with(|| text.into());
            }
        };
        const OF_PROCESSES: [[Field; 3]; 2] = [
            [Field::ProcName, Field::ProcExepath, Field::ProcCmdline],
            [Field::ProcPname, Field::ProcPexepath, Field::ProcPcmdline],
        ];
        for (fields, process) in OF_PROCESSES.iter().zip(&scene.processes) {
            let values = [&process.name, &process.exepath, &process.cmdline];
            for (field, value) in fields.iter().zip(values) {
                text(*field, Arg::None, value);
            }
        }
        let ancestors = scene.processes.iter().enumerate().skip(1).take(ANCESTORS);
        for (at, process) in ancestors {
            let arg = || Arg::Index(at as u32);
            text(Field::ProcAname, arg(), &process.name);
            text(Field::ProcAexepath, arg(), &process.exepath);
        }
        match &scene.container {
            Some(container) => {
                for (field, value) in [
                    (Field::ContainerId, &container.id),
                    (Field::ContainerName, &container.name),
                    (Field::ContainerImage, &container.image),
                    (Field::ContainerImageRepository, &container.image_repository),
                    (Field::K8sNsName, &container.namespace),
                    (Field::K8sPodName, &container.pod),
                ] {
                    text(field, Arg::None, value);
                }
            }
            None if !scene.processes.is_empty() => {
                text(Field::ContainerId, Arg::None, "host");
            }
            None => {}
        }
    }

    /// Whether the value that was kept is the one that the event had.
    fn knows(&self, field: &FieldRef) -> bool {
        self.fields
            .get(field)
            .is_some_and(|value| typed(field, value).is_some())
    }
}

impl Values for Seen {
    fn value(&self, field: &FieldRef) -> Option<Value<'_>> {
        typed(field, self.fields.get(field)?)?
    }
}

/// The value that was shown so; none if that does not tell, none within if the field has none.
fn typed<'v>(field: &FieldRef, shown: &'v Json) -> Option<Option<Value<'v>>> {
    let kind = field.kind();
    let one = |shown: &'v Json| match (kind, shown) {
        // What cannot be shown was replaced by it.
        (Type::Text, Json::String(text)) => {
            (!text.contains('\u{fffd}')).then(|| Value::Text(text.as_bytes().into()))
        }
        (Type::IpAddr | Type::IpNet, Json::String(text)) => {
            let address = text.parse::<IpAddr>().ok()?;
            Some(Value::Ip(match address {
                IpAddr::V4(address) => address.octets().to_vec().into(),
                IpAddr::V6(address) => address.octets().to_vec().into(),
            }))
        }
        (Type::Bool, Json::Bool(truth)) => Some(Value::Bool(*truth)),
        (Type::Int | Type::Uint | Type::Port, Json::Number(number)) => {
            let number = number.as_i64().map(i128::from);
            number
                .or_else(|| shown.as_u64().map(i128::from))
                .map(Value::Number)
        }
        _ => None,
    };
    match shown {
        Json::Array(elements) if field.is_list() => {
            let elements: Option<Vec<Value<'v>>> = elements.iter().map(one).collect();
            elements.map(|elements| Some(Value::List(elements)))
        }
        // Some numbers are there and not shown.
        Json::Null => match kind {
            Type::Text | Type::IpAddr | Type::IpNet => Some(None),
            _ => None,
        },
        shown if !field.is_list() => one(shown).map(Some),
        _ => None,
    }
}

/// The rule files as they run, and the rule in them.
struct Target<'l> {
    module: &'l Module,
    written: &'l Written,
    rule: usize,
}

impl<'l> Target<'l> {
    /// Where an exception from that alert belongs; else why there can be none.
    fn of(alert: &AlertDetail, loaded: &'l Loaded) -> Result<Target<'l>, String> {
        let rule = &alert.alert.rule;
        match &*alert.module {
            RULES => {
                if let Some(path) = &loaded.stand_in {
                    return Err(format!(
                        "`{}` stands in for the rule files, and would give way to them: write the \
                         exception there, or roll it back first",
                        path.display()
                    ));
                }
            }
            "" => return Err("it is an alert of Saker's own, and of no rule".into()),
            other => {
                let mut modules = loaded.modules.iter().map(|(module, _)| module);
                let found = modules.find(|module| &*module.identity().name == other);
                return Err(match found {
                    Some(module) if module.written().is_some() => format!(
                        "its rule is of the ruleset `{other}`, which has macros, lists and a file \
                         of its own: write the exception there"
                    ),
                    Some(module) if module.as_component().is_some() => format!(
                        "it is by the module `{other}`, a program that decides by itself: rules \
                         alone take exceptions"
                    ),
                    Some(_) => format!(
                        "its rule is of the compiled module `{other}`, which does not tell its \
                         rule files: write the exception there"
                    ),
                    None => format!("its module `{other}` is loaded no more"),
                });
            }
        }
        let mut modules = loaded.modules.iter().map(|(module, _)| module);
        let module = modules.find(|module| &*module.identity().name == RULES);
        let written = module.and_then(|module| Some((module, module.written()?)));
        let Some((module, written)) = written else {
            return Err("no rule files are loaded that it could be added to".into());
        };
        let at = module.rules().iter().position(|known| known.name == *rule);
        match at {
            None => Err(format!("no rule `{rule}` is loaded any more")),
            Some(rule) => Ok(Target {
                module,
                written,
                rule,
            }),
        }
    }

    fn name(&self) -> &str {
        &self.module.rules()[self.rule].name
    }

    /// The rule's condition in another ruleset; none if it is not there, or off.
    fn in_ruleset<'r>(&self, ruleset: &'r Ruleset) -> Option<&'r Expr> {
        let rules = &ruleset.manifest.rules;
        let at = rules.iter().position(|rule| rule.name == self.name())?;
        rules[at].enabled.then(|| ruleset.conditions.get(at))?
    }

    /// A name that no exception of the rule has.
    fn free_name(&self, id: u64) -> String {
        let listing = self.written.listing();
        let rules = listing.map_or(&[][..], |listing| &listing.rules);
        let known = rules.iter().find(|rule| rule.name == self.name());
        let taken = known.map_or(&[][..], |rule| &rule.exception_names);
        let first = format!("alert_{id}");
        let others = (2..).map(|number| format!("{first}_{number}"));
        std::iter::once(first.clone())
            .chain(others)
            .find(|name| !taken.contains(name))
            .unwrap_or(first)
    }

    /// Names that stand for something else than themselves.
    fn is_name(&self, text: &str) -> bool {
        self.written.listing().is_none_or(|listing| {
            let mut lists = listing.lists.iter().map(|list| &list.name);
            let mut macros = listing.macros.iter().map(|of| &of.name);
            lists.any(|name| name == text) || macros.any(|name| name == text)
        })
    }
}

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
fn proposed(seen: &Seen) -> Vec<Candidate> {
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

/// A value in the rule language: as it is, or in quotes where it needs them.
fn in_rules(value: &str, is_name: impl Fn(&str) -> bool) -> Result<String, &'static str> {
    if is_plain(value) && !is_name(value) {
        return Ok(value.into());
    }
    // A quote behind a backslash does not end a text, even if that stands for itself.
    if value.ends_with('\\') {
        let is_bare = |byte: u8| byte > b' ' && byte < 0x7f && !b"(),=\"'".contains(&byte);
        return match value.bytes().all(is_bare) && !is_name(value) {
            true => Ok(value.into()),
            false => Err(
                "a text with blanks or quotes cannot end with a backslash in the rule \
                          language: compare its beginning",
            ),
        };
    }
    if value.contains('\0') {
        return Err("a text has no byte 0");
    }
    let mut quoted = String::from("\"");
    for char in value.chars() {
        match char {
            char if let Some(escape) = escape_of(char) => quoted.push_str(escape),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    Ok(quoted)
}

/// How a character in quotes is written in YAML as well as in the rule language.
fn escape_of(char: char) -> Option<&'static str> {
    match char {
        '"' => Some("\\\""),
        '\\' => Some("\\\\"),
        '\n' => Some("\\n"),
        '\r' => Some("\\r"),
        '\t' => Some("\\t"),
        _ => None,
    }
}

/// Whether a text stands for itself both in YAML and in the rule language, whatever reads it.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'/' || byte == b'_';
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.-+".contains(&byte);
    text.bytes().next().is_some_and(first)
        && text.bytes().all(rest)
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        && !["and", "or", "not"].contains(&text)
}

/// A text in YAML, in quotes where it needs them.
fn in_yaml(text: &str) -> String {
    if is_plain(text) {
        return text.into();
    }
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            char if let Some(escape) = escape_of(char) => quoted.push_str(escape),
            ' '..='~' => quoted.push(char),
            // What is seen is what is meant: nothing that turns the direction of writing, is not
            // shown, or looks like something else.
            char if char.is_alphanumeric() => quoted.push(char),
            char => {
                // Writing to a String does not fail.
                let _ = match u32::from(char) {
                    code @ ..=0xff => write!(quoted, "\\x{code:02x}"),
                    code @ ..=0xffff => write!(quoted, "\\u{code:04x}"),
                    code => write!(quoted, "\\U{code:08x}"),
                };
            }
        }
    }
    quoted.push('"');
    quoted
}

/// An exception that compares these, as an override of its rule.
fn written(target: &Target<'_>, id: u64, parts: &[Part]) -> Result<String, Refusal> {
    let (mut fields, mut comps, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for Part {
        field,
        operator,
        value,
    } in parts
    {
        let known = FieldRef::parse(field)
            .map_err(|_| Refusal::Invalid(format!("there is no field `{field}`")))?;
        let may: &[&str] = match known.kind() {
            Type::Text => &OF_TEXTS,
            _ => &OF_OTHERS,
        };
        if !may.contains(&&**operator) {
            return Err(Refusal::Invalid(format!(
                "`{field}` is not compared by `{operator}`, but by {}",
                may.join(" ")
            )));
        }
        let of_rules = in_rules(value, |text| target.is_name(text));
        let of_rules = of_rules.map_err(|why| Refusal::Invalid(format!("`{field}`: {why}")))?;
        fields.push(match is_plain(field) {
            true => field.clone(),
            // A bracket would end the list.
            false => in_yaml(&known.to_string()),
        });
        comps.push(operator.as_str());
        values.push(in_yaml(&of_rules));
    }
    Ok(format!(
        "- rule: {}\n  exceptions:\n    - name: {}\n      fields: [{}]\n      comps: [{}]\n      \
         values:\n        - [{}]\n  override:\n    exceptions: append\n",
        in_yaml_key(target.name()),
        target.free_name(id),
        fields.join(", "),
        comps.join(", "),
        values.join(", "),
    ))
}

/// A rule's name, which mostly has blanks.
fn in_yaml_key(name: &str) -> String {
    let words = name.split(' ').collect::<Vec<_>>();
    let is_plain = match words.as_slice() {
        [only] => is_plain(only),
        [first, rest @ ..] => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.-+".contains(&byte);
            let is_word = |word: &&str| !word.is_empty() && word.bytes().all(plain);
            is_plain(first) && rest.iter().all(is_word)
        }
        [] => false,
    };
    match is_plain {
        true => name.into(),
        false => in_yaml(name),
    }
}

/// What may be made of an alert.
pub(super) fn propose(behind: &Behind, id: u64) -> Result<Proposal, Refusal> {
    let alert = behind.store.alert(id)?;
    let loaded = behind.loaded();
    let mut proposal = Proposal {
        rule: alert.alert.rule.clone(),
        ..Proposal::default()
    };
    let target = match Target::of(&alert, &loaded) {
        Ok(target) => target,
        Err(why) => {
            proposal.refused = Some(why);
            return Ok(proposal);
        }
    };
    let seen = behind.store.kept(id, Seen::of)?;
    proposal.fields = proposed(&seen);
    if proposal.fields.is_empty() {
        proposal.refused = Some("nothing was kept of it that an exception could compare".into());
        return Ok(proposal);
    }
    let parts: Vec<Part> = (proposal.fields.iter())
        .filter(|field| field.proposed)
        .map(|field| Part {
            field: field.field.clone(),
            operator: "=".into(),
            value: field.value.clone(),
        })
        .collect();
    proposal.text = written(&target, id, &parts)?;
    match &behind.local {
        Some(local) => {
            proposal.file = Some(local.path().to_string_lossy().into_owned());
            proposal.unwritable = local.unwritable().map(|why| why.to_string());
        }
        None => proposal.unwritable = Some("`page.local_rules` names no file".into()),
    }
    Ok(proposal)
}

/// Says what an exception would do.
pub(super) fn attempt(behind: &Behind, id: u64, draft: &Draft) -> Result<Attempt, Refusal> {
    let alert = behind.store.alert(id)?;
    let loaded = behind.loaded();
    let target = Target::of(&alert, &loaded).map_err(Refusal::Conflict)?;
    let text = match (&draft.parts, &draft.text) {
        (Some(parts), _) => written(&target, id, parts)?,
        (None, text) => text.clone().unwrap_or_default(),
    };
    let before = editor::sources(&loaded);
    let (checked, ruleset) = editor::compiled(&text, before, behind.first_match);
    let effect = match ruleset {
        None => None,
        Some(ruleset) => {
            let added = match target.in_ruleset(&ruleset) {
                Some(after) => added(target.written.condition(target.rule), after),
                // The rule is off then.
                None => None,
            };
            Some(effect(behind, target.name(), added.as_deref())?)
        }
    };
    Ok(Attempt {
        text,
        checked,
        effect,
    })
}

/// The parts of a condition that it has not had before. All of them must hold.
fn added(before: Option<&Expr>, after: &Expr) -> Option<Vec<Expr>> {
    let shown = |part: &Expr| part.graph.show(part.root).to_string();
    let known: HashSet<String> = before.map_or(HashSet::new(), |before| {
        before.parts().iter().map(shown).collect()
    });
    let mut parts = after.parts();
    parts.retain(|part| !known.contains(&shown(part)));
    Some(parts)
}

/// What would have become of the alerts of a rule whose condition has those parts more; without
/// any, of a rule that is off.
fn effect(behind: &Behind, rule: &str, added: Option<&[Expr]>) -> Result<Effect, Refusal> {
    let mut effect = Effect::default();
    let mut missing: BTreeSet<String> = BTreeSet::new();
    let end = Instant::now() + JUDGING;
    let judge = |line: &Json, scene: Option<&Scene>, why: Option<&Why>, alert: Alert| {
        if effect.judged >= JUDGED_MAX as u64 || Instant::now() >= end {
            effect.is_cut = true;
            return false;
        }
        effect.judged += 1;
        match added {
            None => effect.silence(alert),
            Some(added) => {
                let seen = Seen::of(line, scene, why);
                match judged(added, &seen) {
                    Some(true) => {}
                    Some(false) => effect.silence(alert),
                    None => {
                        note_missing(added, &seen, &mut missing);
                        effect.unknown += 1;
                        if effect.unknown_alerts.len() < UNKNOWN_SHOWN {
                            effect.unknown_alerts.push(alert);
                        }
                    }
                }
            }
        }
        true
    };
    behind.store.each_of_rule(RULES, rule, BACK, judge)?;
    effect.missing = missing.into_iter().collect();
    Ok(effect)
}

trait Silence {
    fn silence(&mut self, alert: Alert);
}

impl Silence for Effect {
    fn silence(&mut self, alert: Alert) {
        self.silenced += 1;
        if self.silenced_alerts.len() < SILENCED_SHOWN {
            self.silenced_alerts.push(alert);
        }
    }
}

/// Whether the alert would have been: all parts hold for it.
fn judged(added: &[Expr], seen: &Seen) -> Option<bool> {
    let event = seen.event?;
    let mut all = Some(true);
    for part in added {
        match holds_as_known(part, seen, &|field| seen.knows(field), event) {
            Some(false) => return Some(false),
            Some(true) => {}
            None => all = None,
        }
    }
    all
}

fn note_missing(added: &[Expr], seen: &Seen, missing: &mut BTreeSet<String>) {
    for term in added.iter().flat_map(Expr::terms) {
        term.each_field(&mut |field| {
            if !seen.knows(field) && missing.len() < UNKNOWN_SHOWN {
                missing.insert(field.to_string());
            }
        });
    }
}

/// Saves an exception, and waits until it is in force.
pub(super) fn save(behind: &Behind, actor: &Actor, id: u64, text: &str) -> Result<Done, Refusal> {
    let alert = behind.store.alert(id)?;
    let loaded = behind.loaded();
    let target = Target::of(&alert, &loaded).map_err(Refusal::Conflict)?;
    let Some(local) = &behind.local else {
        let why = "`page.local_rules` names no file: put the exception into your rule files";
        return Err(Refusal::Conflict(why.into()));
    };
    let shown = local.path().to_string_lossy().into_owned();
    let unsaved = |why: Unsaved| {
        Refusal::Conflict(format!(
            "`{shown}`: {why}; put the exception into your rule files"
        ))
    };
    let _saving = behind.saving.lock().unwrap_or_else(PoisonError::into_inner);
    let before = local.text().map_err(unsaved)?;
    let mut after = before.clone();
    if !after.is_empty() && !after.ends_with('\n') {
        after.push('\n');
    }
    if !after.is_empty() {
        after.push('\n');
    }
    after.push_str(text.trim_end());
    after.push('\n');
    // The whole file behind the others, as it will be loaded.
    let mut others = editor::sources(&loaded);
    others.retain(|source| source.name != shown);
    let turn = behind.next_turn();
    let (checked, ruleset) = editor::compiled(&after, others, behind.first_match);
    drop(turn);
    if !checked.valid {
        let mut found = checked.diagnostics.iter();
        let error = found.find(|found| found.severity == "error");
        return Err(Refusal::Invalid(match error {
            Some(found) => format!(
                "the rules are not valid with it: [{}] {}",
                found.code, found.message
            ),
            None => "the rules are not valid with it".into(),
        }));
    }
    // Rules that are the same are not loaded again, and nobody would see them come.
    let made = ruleset
        .as_ref()
        .and_then(|ruleset| target.in_ruleset(ruleset));
    let known = target.written.condition(target.rule);
    if made.is_some_and(|made| added(known, made).is_some_and(|added| added.is_empty())) {
        let rule = target.name();
        return Err(Refusal::Invalid(format!(
            "it excepts nothing from rule `{rule}` that is not excepted already"
        )));
    }
    local.write(&before, &after).map_err(unsaved)?;
    let what = format!("except in rule `{}` what alert {id} is", target.name());
    let outcome = format!("saved to `{shown}`");
    let difference = difference_of(&shown, &before, &after);
    behind.store.note(&NewChange {
        by: actor.to_string(),
        what,
        outcome: outcome.clone(),
        done: true,
        difference,
    })?;
    let end = Instant::now() + IN_FORCE_WITHIN;
    let is_in_force = || {
        let sources = editor::sources(&behind.loaded());
        sources.iter().any(|source| source.text == after)
    };
    while behind.is_watching && Instant::now() < end {
        if is_in_force() {
            return Ok(Done {
                done: format!("{outcome}, and in force"),
            });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(Done {
        done: match behind.is_watching {
            true => format!("{outcome}; it is not in force yet: the history says what came of it"),
            false => format!(
                "{outcome}; it is in force when the files are read again (SIGHUP), since \
                 `watch_config_files` is off"
            ),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::rulesets::Rulesets;
    use saker_rules_compiler::{Options, Source};
    use serde_json::json;

    const RULES_TEXT: &str = "- list: shells\n  items: [bash, sh]\n\n- rule: 'It is: read'\n  desc: d\n  \
                              condition: evt.type = openat and fd.name = /etc/shadow\n  output: o\n  \
                              priority: INFO\n  exceptions:\n    - name: alert_7\n      fields: \
                              [proc.name]\n      values: [[known]]\n";

    fn module() -> Module {
        let source = Source {
            name: "rules.yaml".into(),
            text: RULES_TEXT.into(),
        };
        let (module, found) = Rulesets::default().module(RULES, &[source], &Options::default());
        module.unwrap_or_else(|| panic!("{found:?}"))
    }

    fn target(module: &Module) -> Target<'_> {
        Target {
            module,
            written: module.written().expect("of rule files"),
            rule: 0,
        }
    }

    fn part(field: &str, operator: &str, value: &str) -> Part {
        Part {
            field: field.into(),
            operator: operator.into(),
            value: value.into(),
        }
    }

    /// What the condition has more by these parts.
    fn more(module: &Module, parts: &[Part]) -> (String, Vec<Expr>) {
        let target = target(module);
        let text = written(&target, 7, parts).expect("it can be written");
        let (checked, ruleset) = editor::compiled(&text, target.written.sources.clone(), false);
        let ruleset = ruleset.unwrap_or_else(|| panic!("{text}\n{checked:?}"));
        let added = added(target.written.condition(0), &ruleset.conditions[0]);
        (text, added.expect("the rule is on"))
    }

    fn seen(fields: Json) -> Seen {
        let scene = Scene {
            event: "openat".into(),
            ..Scene::default()
        };
        Seen::of(&json!({ "output_fields": fields }), Some(&scene), None)
    }

    #[test]
    fn whatever_a_process_is_called_the_exception_is_for_it_and_for_nothing_else() {
        let module = module();
        for name in [
            "bash",
            "shells",
            "a\"b",
            "a'b",
            "a\nb",
            "a\tb",
            "a\r",
            "- {",
            "]",
            "a, b",
            "a,b",
            "null",
            "~",
            "123",
            "0x10",
            "1e3",
            "-1",
            ".5",
            "true",
            "No",
            "é",
            "日本",
            "\u{202e}x",
            "\u{85}",
            "\u{feff}",
            "\u{2028}",
            "😀",
            "a\\b",
            "a\\",
            "a\\\\",
            "\\\"",
            "%proc.name",
            "x)or(evt.num>0",
            "x\") or (evt.num > 0 and proc.name = \"x",
            "# no",
            ": ",
            "a: b",
            "&a",
            "*a",
            "!t",
            "@",
            "`",
            " lead",
            "trail ",
            "\"\"",
            "''",
            "'x",
            "{{",
            "\\n",
            "and",
            "not",
            "=",
            "<NA>",
            "\u{1}",
            "\u{7f}",
            "\u{8}\u{c}",
            "|",
            ">",
            "---",
            "a\n- rule: x",
        ] {
            let (text, added) = more(&module, &[part("proc.name", "=", name)]);
            assert_eq!(added.len(), 1, "{text}");
            let is = |name: &str| judged(&added, &seen(json!({ "proc.name": name })));
            assert_eq!(is(name), Some(false), "{text}");
            for other in [format!("{name}x"), format!("x{name}"), "other".into()] {
                assert_eq!(is(&other), Some(true), "{other:?}: {text}");
            }
            assert_eq!(
                text.lines().filter(|line| line.contains("rule:")).count(),
                { 1 + usize::from(name.contains("rule:")) }
            );
        }
    }

    #[test]
    fn what_the_rule_language_cannot_say_is_said_so() {
        let module = module();
        let target = target(&module);
        for (field, operator, value, why) in [
            ("proc.name", "=", "a b\\", "backslash"),
            ("proc.name", "=", "\0", "byte 0"),
            ("proc.nam", "=", "x", "no field"),
            ("fd.sport", "startswith", "2", "not compared"),
            ("proc.name", "regex", "x", "not compared"),
            ("proc.name", "= x\n- rule: y", "x", "not compared"),
        ] {
            let refused = written(&target, 7, &[part(field, operator, value)]);
            match refused {
                Err(Refusal::Invalid(said)) => assert!(said.contains(why), "{said}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn operators_and_several_fields_mean_what_they_mean_in_the_rules() {
        let module = module();
        let parts = [
            part("proc.name", "startswith", "post*"),
            part("fd.name", "glob", "/etc/\\*/*.conf"),
            part("proc.aname[2]", "endswith", "d"),
            part("fd.sport", "=", "443"),
        ];
        let (text, added) = more(&module, &parts);
        assert!(text.contains("name: alert_7_2\n"), "{text}");
        let is = |name: &str, file: &str, port: u32| {
            judged(
                &added,
                &seen(
                    json!({ "proc.name": name, "fd.name": file, "proc.aname[2]": "sshd",
                    "fd.sport": port }),
                ),
            )
        };
        assert_eq!(is("post*gres", "/etc/*/a.conf", 443), Some(false));
        assert_eq!(is("postgres", "/etc/*/a.conf", 443), Some(true));
        assert_eq!(is("post*gres", "/etc/x/a.conf", 443), Some(true));
        assert_eq!(is("post*gres", "/etc/*/a.conf", 80), Some(true));
    }

    #[test]
    fn what_was_not_kept_whole_is_not_taken_for_known() {
        let module = module();
        let parts = [part("proc.name", "=", "x"), part("proc.pname", "=", "y")];
        let (_, added) = more(&module, &parts);
        let is = |fields: Json| judged(&added, &seen(fields));
        assert_eq!(is(json!({ "proc.name": "x" })), None);
        // One that surely differs decides, whatever the other is.
        assert_eq!(is(json!({ "proc.name": "z" })), Some(true));
        assert_eq!(
            is(json!({ "proc.name": "x", "proc.pname": "y\u{fffd}" })),
            None
        );
        assert_eq!(
            is(json!({ "proc.name": "x", "proc.pname": null })),
            Some(true)
        );
        assert_eq!(
            is(json!({ "proc.name": "x", "proc.pname": "y" })),
            Some(false)
        );
        let without = Seen::of(
            &json!({ "output_fields": { "proc.name": "x" } }),
            None,
            None,
        );
        assert_eq!(judged(&added, &without), None);
        let mut missing = BTreeSet::new();
        note_missing(&added, &seen(json!({ "proc.name": "x" })), &mut missing);
        assert_eq!(missing, BTreeSet::from(["proc.pname".to_owned()]));
    }

    #[test]
    fn a_file_is_proposed_and_a_connections_port_is_not() {
        let names = |fields: Json| {
            let proposed = proposed(&seen(fields)).into_iter();
            let names = proposed.filter(|of| of.proposed).map(|of| of.field);
            names.collect::<Vec<_>>().join(" ")
        };
        let file = json!({ "fd.name": "/etc/shadow", "fd.type": "file", "proc.name": "cat",
            "proc.pname": "sh", "container.image.repository": "web" });
        assert_eq!(names(file), "proc.name fd.name container.image.repository");
        let connection = json!({ "fd.name": "1.2.3.4:5->6.7.8.9:10", "fd.type": "ipv4",
            "proc.name": "cat", "proc.pname": "sh" });
        assert_eq!(names(connection), "proc.name proc.pname");
        assert_eq!(
            names(json!({ "user.uid": 0, "proc.tty": null })),
            "user.uid"
        );
    }
}
