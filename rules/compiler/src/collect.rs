//! Items of all files into one set of lists, macros and rules: definition, redefinition,
//! `append`, `override`, the order that decides which macro may use which.
//!
//! Conditions stay text; a rule's exceptions become part of it in `exception`.

pub(crate) mod requirement;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::exception;
use crate::read::{self, Change, Exception, Item, PluginRequirement};
use crate::text::Text;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use saker_rules_schema::manifest::Priority;

/// The only source there is.
const SOURCE: &str = "syscall";

/// A list; `index` and `visibility` count items.
pub(crate) struct List {
    pub(crate) name: Text,
    pub(crate) items: Vec<Text>,
    /// Where in the order of items it was first defined.
    pub(crate) index: usize,
    /// Where it was last changed.
    pub(crate) visibility: usize,
}

/// A macro; `index` and `visibility` as for [`List`].
pub(crate) struct Macro {
    pub(crate) name: Text,
    pub(crate) condition: Text,
    pub(crate) index: usize,
    pub(crate) visibility: usize,
}

pub(crate) struct Rule {
    pub(crate) name: Text,
    /// With its exceptions in it.
    pub(crate) condition: Text,
    /// Without.
    pub(crate) condition_written: String,
    pub(crate) output: Text,
    pub(crate) desc: Text,
    pub(crate) priority: Priority,
    pub(crate) source: String,
    pub(crate) enabled: bool,
    pub(crate) skip_if_unknown_filter: bool,
    pub(crate) warn_evttypes: bool,
    pub(crate) capture: bool,
    pub(crate) capture_duration: u32,
    pub(crate) tags: Vec<String>,
    pub(crate) exceptions: Vec<Exception>,
    /// The first exception of each name.
    exception_names: HashMap<String, usize, FixedState>,
}

/// Definitions in the order of their first appearance.
#[derive(Default)]
pub(crate) struct Collected {
    pub(crate) lists: Vec<List>,
    pub(crate) macros: Vec<Macro>,
    pub(crate) rules: Vec<Rule>,
    /// The latest version that a file requires.
    pub(crate) engine_version: requirement::Version,
    pub(crate) plugins: Vec<PluginRequirement>,
    list_names: HashMap<String, usize, FixedState>,
    macro_names: HashMap<String, usize, FixedState>,
    rule_names: HashMap<String, usize, FixedState>,
    /// Rules of other sources, left out.
    foreign: HashMap<String, String, FixedState>,
    counter: usize,
}

impl Collected {
    pub(crate) fn list(&self, name: &str) -> Option<usize> {
        self.list_names.get(name).copied()
    }

    pub(crate) fn macro_named(&self, name: &str) -> Option<usize> {
        self.macro_names.get(name).copied()
    }
}

pub(crate) fn collect(items: Vec<Item>, diagnostics: &mut Diagnostics) -> Collected {
    let mut collected = Collected::default();
    for item in items {
        collected.counter += 1;
        match item {
            Item::EngineVersion(version) => {
                let needed = requirement::check_engine(&version, diagnostics).unwrap_or_default();
                collected.engine_version = collected.engine_version.max(needed);
            }
            Item::PluginVersions(plugins) => {
                for plugin in &plugins {
                    requirement::check_plugin(plugin, diagnostics);
                }
                collected.plugins.extend(plugins);
            }
            Item::List(list) => collected.add_list(list, diagnostics),
            Item::Macro(item) => collected.add_macro(item, diagnostics),
            Item::Rule(rule) => collected.add_rule(*rule, diagnostics),
        }
    }
    for rule in &mut collected.rules {
        let filled = exception::apply(&rule.condition, &rule.exceptions, &rule.name, diagnostics);
        rule.condition_written = rule.condition.as_str().to_string();
        rule.condition = filled;
    }
    collected
}

/// What an item wants with one key.
#[derive(Clone, Copy, PartialEq)]
enum Want {
    Append,
    Replace,
}

/// How an item changes what is there.
enum Plan {
    /// It defines, or defines anew.
    Define,
    /// `append: true`.
    Append,
    /// `override`.
    Override(Vec<(String, Want)>),
}

impl Plan {
    fn want(&self, key: &str) -> Option<Want> {
        match self {
            Plan::Override(wants) => wants
                .iter()
                .find(|(known, _)| known == key)
                .map(|(_, want)| *want),
            Plan::Define | Plan::Append => None,
        }
    }

    fn appends(&self) -> bool {
        match self {
            Plan::Define => false,
            Plan::Append => true,
            Plan::Override(wants) => wants.iter().any(|(_, want)| *want == Want::Append),
        }
    }
}

/// Reads `append` and `override` of an item; `None` if they contradict each other.
fn plan(
    what: &str,
    change: &Change,
    present: &dyn Fn(&str) -> bool,
    appendable: &[&str],
    replaceable: &[&str],
    diagnostics: &mut Diagnostics,
) -> Option<Plan> {
    if let Some(append) = change.append {
        let entries: Vec<String> = appendable
            .iter()
            .filter(|key| present(key))
            .map(|key| format!("`{key}: append`"))
            .collect();
        let help = match entries.as_slice() {
            [] => format!("write `{}: append` under `override` instead", appendable[0]),
            entries => format!("write {} under `override` instead", entries.join(" and ")),
        };
        diagnostics.push(
            Diagnostic::new(Code::Deprecated, append, "the key `append` is deprecated")
                .help(help.as_str()),
        );
        if let Some(span) = change.span {
            diagnostics.push(
                Diagnostic::new(
                    Code::BadOverride,
                    append,
                    "`override` and `append: true` cannot be used together",
                )
                .context(span, "`override` is here")
                .help(help),
            );
            return None;
        }
        return Some(Plan::Append);
    }
    if change.is_faulty {
        return None;
    }
    if change.span.is_none() || change.entries.is_empty() {
        return Some(Plan::Define);
    }
    let mut wants = Vec::new();
    let mut sound = true;
    for (key, action) in &change.entries {
        let (want, allowed) = match action.as_str() {
            "append" => (Want::Append, appendable.contains(&key.as_str())),
            "replace" => (
                Want::Replace,
                appendable.contains(&key.as_str()) || replaceable.contains(&key.as_str()),
            ),
            other => {
                diagnostics.push(
                    Diagnostic::new(
                        Code::BadOverride,
                        action.whole(),
                        format!("`{other}` is no way to override"),
                    )
                    .help("write `append` or `replace`"),
                );
                sound = false;
                continue;
            }
        };
        if !allowed {
            let mut wrong = Diagnostic::new(
                Code::BadOverride,
                key.whole(),
                format!(
                    "the key `{}` of a {what} cannot be overridden with `{}`",
                    key.as_str(),
                    action.as_str()
                ),
            );
            let known = || appendable.iter().chain(replaceable).copied();
            wrong.help = match known().any(|known| known == key.as_str()) {
                true => Some("write `replace`".into()),
                false => {
                    let meant = diagnostics.suggestions.did_you_mean(key.as_str(), known());
                    let all =
                        || format!("keys that can be are {}", Vec::from_iter(known()).join(" "));
                    Some(meant.unwrap_or_else(all))
                }
            };
            diagnostics.push(wrong);
            sound = false;
        } else if !present(key.as_str()) {
            diagnostics.push(
                Diagnostic::new(
                    Code::BadOverride,
                    key.whole(),
                    format!(
                        "`override` names `{0}`, but `{0}` is not defined",
                        key.as_str()
                    ),
                )
                .help(format!("give the item a key `{}`", key.as_str())),
            );
            sound = false;
        } else {
            wants.push((key.as_str().to_string(), want));
        }
    }
    sound.then_some(Plan::Override(wants))
}

/// The first key of an item that may be meant to change an earlier one.
fn changed_key(keys: &[Text]) -> Option<&str> {
    let mut keys = keys.iter().map(Text::as_str);
    keys.find(|key| RULE_APPENDABLE.contains(key) || RULE_REPLACEABLE.contains(key))
}

fn missing(what: &str, key: &str, name: &Text) -> Diagnostic {
    Diagnostic::new(
        Code::MissingKey,
        name.whole(),
        format!("{what} `{}` has no `{key}`", name.as_str()),
    )
    .help(format!("add a key `{key}`"))
}

fn nothing_there(what: &str, name: &Text) -> Diagnostic {
    Diagnostic::new(
        Code::NothingToChange,
        name.whole(),
        format!("no {what} named `{}` exists to be changed", name.as_str()),
    )
    .help("name the file that defines it first; `-r default` names the bundled rules")
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|char: char| char.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Collected {
    fn add_list(&mut self, list: read::List, diagnostics: &mut Diagnostics) {
        let name = list.name.as_str();
        if name.is_empty() {
            diagnostics.push(Diagnostic::new(
                Code::MissingKey,
                list.name.whole(),
                "a list needs a name",
            ));
            return;
        }
        // Dots, dashes and slashes do no harm in a list's name: it is found as a whole word.
        if name.contains([' ', '\t', '\n', '\r', '(', ')', ',', '=', '"', '\'']) {
            diagnostics.push(
                Diagnostic::new(
                    Code::ListName,
                    list.name.whole(),
                    format!("the list `{name}` has an invalid name"),
                )
                .help("use letters, digits, `_`, `-` and `.`"),
            );
        }
        let present = |key: &str| key == "items" && list.items.is_some();
        let Some(plan) = plan("list", &list.change, &present, &["items"], &[], diagnostics) else {
            return;
        };
        let Some(items) = list.items else {
            diagnostics.push(missing("list", "items", &list.name));
            return;
        };
        let appends = plan.appends();
        match self.list(name) {
            Some(known) => {
                let known = &mut self.lists[known];
                known.visibility = self.counter;
                if appends {
                    known.items.extend(items);
                } else {
                    known.items = items;
                }
            }
            None if appends => diagnostics.push(nothing_there("list", &list.name)),
            None => {
                self.list_names.insert(name.to_string(), self.lists.len());
                self.lists.push(List {
                    name: list.name,
                    items,
                    index: self.counter,
                    visibility: self.counter,
                });
            }
        }
    }

    fn add_macro(&mut self, item: read::Macro, diagnostics: &mut Diagnostics) {
        let name = item.name.as_str();
        if name.is_empty() {
            diagnostics.push(Diagnostic::new(
                Code::MissingKey,
                item.name.whole(),
                "a macro needs a name",
            ));
            return;
        }
        if !is_identifier(name) {
            diagnostics.push(
                Diagnostic::new(
                    Code::MacroName,
                    item.name.whole(),
                    format!("the macro `{name}` has an invalid name"),
                )
                .help("use letters, digits and `_`, beginning with a letter"),
            );
        }
        let present = |key: &str| key == "condition" && item.condition.is_some();
        let Some(plan) = plan(
            "macro",
            &item.change,
            &present,
            &["condition"],
            &[],
            diagnostics,
        ) else {
            return;
        };
        let Some(condition) = item.condition.filter(|condition| !condition.is_empty()) else {
            diagnostics.push(missing("macro", "condition", &item.name));
            return;
        };
        let appends = plan.appends();
        match self.macro_named(name) {
            Some(known) => {
                let known = &mut self.macros[known];
                known.visibility = self.counter;
                if appends {
                    known.condition.append(&condition);
                } else {
                    known.condition = condition;
                }
            }
            None if appends => diagnostics.push(nothing_there("macro", &item.name)),
            None => {
                self.macro_names.insert(name.to_string(), self.macros.len());
                self.macros.push(Macro {
                    name: item.name,
                    condition,
                    index: self.counter,
                    visibility: self.counter,
                });
            }
        }
    }

    fn add_rule(&mut self, rule: read::Rule, diagnostics: &mut Diagnostics) {
        let name = rule.name.as_str();
        if name.is_empty() {
            diagnostics.push(Diagnostic::new(
                Code::MissingKey,
                rule.name.whole(),
                "a rule needs a name",
            ));
            return;
        }
        let present = |key: &str| rule.keys.iter().any(|known| known.as_str() == key);
        let Some(plan) = plan(
            "rule",
            &rule.change,
            &present,
            RULE_APPENDABLE,
            RULE_REPLACEABLE,
            diagnostics,
        ) else {
            return;
        };
        let known = self.rule_names.get(name).copied();
        if !self.check_source(&rule, known, diagnostics) {
            return;
        }
        match (plan, known) {
            // As in Falco, it is the lack of these that makes it a switch.
            (Plan::Define, known)
                if rule.enabled.is_some()
                    && !["condition", "output", "desc", "priority"]
                        .into_iter()
                        .any(present) =>
            {
                let Some(known) = known else {
                    diagnostics.push(nothing_there("rule", &rule.name));
                    return;
                };
                diagnostics.push(
                    Diagnostic::new(
                        Code::Deprecated,
                        rule.name.whole(),
                        "`enabled` alone on an existing rule is deprecated",
                    )
                    .help("add `enabled: replace` under `override`"),
                );
                self.rules[known].enabled = rule.enabled.unwrap_or(true);
            }
            (Plan::Define, known) => self.define_rule(rule, known, diagnostics),
            (Plan::Append | Plan::Override(_), None) => {
                diagnostics.push(nothing_there("rule", &rule.name));
            }
            (Plan::Append, Some(known)) => {
                if rule.condition.is_none() && rule.exceptions.is_none() {
                    diagnostics.push(
                        Diagnostic::new(
                            Code::NothingAppended,
                            rule.name.whole(),
                            format!("nothing is appended to rule `{name}`"),
                        )
                        .label("neither `condition` nor `exceptions`")
                        .help("add a `condition` or `exceptions`"),
                    );
                    return;
                }
                let known = &mut self.rules[known];
                if let Some(condition) = &rule.condition {
                    known.condition.append(condition);
                }
                if let Some(exceptions) = rule.exceptions {
                    append_exceptions(known, exceptions, diagnostics);
                }
            }
            (plan @ Plan::Override(_), Some(known)) => {
                for key in &rule.keys {
                    let overridable = RULE_APPENDABLE.contains(&key.as_str())
                        || RULE_REPLACEABLE.contains(&key.as_str());
                    if overridable && plan.want(key.as_str()).is_none() {
                        diagnostics.push(
                            Diagnostic::new(
                                Code::BadOverride,
                                key.whole(),
                                format!("unexpected key `{}`", key.as_str()),
                            )
                            .label("no entry under `override` names it")
                            .help(format!(
                                "add `{}: replace` under `override`, or remove the key",
                                key.as_str()
                            )),
                        );
                    }
                }
                self.override_rule(rule, &plan, known, diagnostics);
            }
        }
    }

    /// Whether the rule is for our source, and for the one it was defined for.
    fn check_source(
        &mut self,
        rule: &read::Rule,
        known: Option<usize>,
        diagnostics: &mut Diagnostics,
    ) -> bool {
        let name = rule.name.as_str();
        let before = match known {
            Some(_) => Some(SOURCE.to_string()),
            None => self.foreign.get(name).cloned(),
        };
        let before = before.as_deref();
        let given = rule.source.as_ref().filter(|source| !source.is_empty());
        let changes = rule.change.append.is_some() || rule.change.span.is_some();
        let source = match (given, before) {
            (Some(given), _) => given.as_str(),
            (None, Some(before)) if changes => before,
            (None, _) => SOURCE,
        };
        if let Some(before) = before.filter(|before| *before != source) {
            diagnostics.push(
                Diagnostic::new(
                    Code::OtherSource,
                    given.map_or(rule.name.whole(), Text::whole),
                    format!("rule `{name}` has been defined for source `{before}`, and now for `{source}`"),
                )
                .help("give one of them another name"),
            );
            return false;
        }
        if source == SOURCE {
            return true;
        }
        if self
            .foreign
            .insert(name.to_string(), source.to_string())
            .is_none()
        {
            diagnostics.push(
                Diagnostic::new(
                    Code::UnknownSource,
                    given.map_or(rule.name.whole(), Text::whole),
                    format!("unknown source `{source}`, rule `{name}` is left out"),
                )
                .help(format!("the only source is `{SOURCE}`")),
            );
        }
        false
    }

    fn define_rule(
        &mut self,
        rule: read::Rule,
        known: Option<usize>,
        diagnostics: &mut Diagnostics,
    ) {
        let there = known.map(|known| self.rules[known].name.whole());
        let mut need = |value: Option<Text>, key: &str, may_be_empty: bool| {
            if value.is_none() && rule.keys.iter().any(|known| known.as_str() == key) {
                // That it is no text has been said.
                return None;
            }
            let value = value.filter(|value| may_be_empty || !value.is_empty());
            if value.is_none() {
                let mut missing = missing("rule", key, &rule.name);
                if let (Some(there), Some(meant)) = (there, changed_key(&rule.keys)) {
                    missing = missing
                        .context(there, "a rule of that name is here")
                        .help(format!(
                            "add `override: {{{meant}: replace}}` to change that one"
                        ));
                }
                diagnostics.push(missing);
            }
            value
        };
        let condition = need(rule.condition, "condition", false);
        let output = need(rule.output, "output", false);
        let desc = need(rule.desc, "desc", true);
        let priority = need(rule.priority, "priority", false);
        let (Some(condition), Some(output), Some(desc), Some(priority)) =
            (condition, output, desc, priority)
        else {
            return;
        };
        // With another priority, so that what else is wrong with the rule is said as well.
        let priority = read_priority(&priority, diagnostics).unwrap_or(Priority::Debug);
        let mut defined = Rule {
            name: rule.name,
            condition,
            condition_written: String::new(),
            output,
            desc,
            priority,
            source: SOURCE.to_string(),
            enabled: rule.enabled.unwrap_or(true),
            skip_if_unknown_filter: rule.skip_if_unknown_filter.unwrap_or(false),
            warn_evttypes: rule.warn_evttypes.unwrap_or(true),
            capture: rule.capture.unwrap_or(false),
            capture_duration: rule.capture_duration.unwrap_or(0),
            tags: tags(rule.tags.unwrap_or_default()),
            exceptions: Vec::new(),
            exception_names: HashMap::default(),
        };
        for exception in rule.exceptions.unwrap_or_default() {
            define_exception(&mut defined, exception, diagnostics);
        }
        match known {
            Some(known) => self.rules[known] = defined,
            None => {
                self.rule_names
                    .insert(defined.name.as_str().to_string(), self.rules.len());
                self.rules.push(defined);
            }
        }
    }

    fn override_rule(
        &mut self,
        rule: read::Rule,
        plan: &Plan,
        known: usize,
        diagnostics: &mut Diagnostics,
    ) {
        let known = &mut self.rules[known];
        let put = |key: &str, new: Option<Text>, old: &mut Text| match (plan.want(key), new) {
            (Some(Want::Append), Some(new)) => old.append(&new),
            (Some(Want::Replace), Some(new)) => *old = new,
            (Some(Want::Append | Want::Replace), None) | (None, _) => {}
        };
        put("condition", rule.condition, &mut known.condition);
        put("output", rule.output, &mut known.output);
        put("desc", rule.desc, &mut known.desc);
        if let (Some(_), Some(priority)) = (plan.want("priority"), &rule.priority)
            && let Some(priority) = read_priority(priority, diagnostics)
        {
            known.priority = priority;
        }
        let set = |key: &str, new: Option<bool>, old: &mut bool| {
            if let (Some(_), Some(new)) = (plan.want(key), new) {
                *old = new;
            }
        };
        set("enabled", rule.enabled, &mut known.enabled);
        set(
            "warn_evttypes",
            rule.warn_evttypes,
            &mut known.warn_evttypes,
        );
        set("capture", rule.capture, &mut known.capture);
        if let (Some(_), Some(new)) = (plan.want("capture_duration"), rule.capture_duration) {
            known.capture_duration = new;
        }
        set(
            "skip-if-unknown-filter",
            rule.skip_if_unknown_filter,
            &mut known.skip_if_unknown_filter,
        );
        match (plan.want("tags"), rule.tags) {
            (Some(Want::Append), Some(new)) => known.tags.extend(tags(new)),
            (Some(Want::Replace), Some(new)) => known.tags = tags(new),
            (Some(Want::Append | Want::Replace), None) | (None, _) => {}
        }
        match (plan.want("exceptions"), rule.exceptions) {
            (Some(Want::Append), Some(new)) => append_exceptions(known, new, diagnostics),
            (Some(Want::Replace), Some(new)) => {
                known.exceptions.clear();
                known.exception_names.clear();
                for exception in new {
                    warn_without_values(&exception, diagnostics);
                    define_exception(known, exception, diagnostics);
                }
            }
            (Some(Want::Append | Want::Replace), None) | (None, _) => {}
        }
    }
}

const RULE_APPENDABLE: &[&str] = &["condition", "output", "desc", "tags", "exceptions"];
const RULE_REPLACEABLE: &[&str] = &[
    "priority",
    "capture",
    "capture_duration",
    "enabled",
    "warn_evttypes",
    "skip-if-unknown-filter",
];

fn tags(tags: Vec<Text>) -> Vec<String> {
    tags.into_iter()
        .map(|tag| tag.as_str().to_string())
        .collect()
}

fn read_priority(text: &Text, diagnostics: &mut Diagnostics) -> Option<Priority> {
    let priority = Priority::parse(text.as_str());
    if priority.is_none() {
        let names: Vec<&str> = Priority::ALL
            .iter()
            .map(|priority| priority.name())
            .collect();
        diagnostics.push(
            Diagnostic::new(
                Code::Priority,
                text.whole(),
                format!("invalid priority `{}`", text.as_str()),
            )
            .help(format!("it is one of {}", names.join(", "))),
        );
    }
    priority
}

fn define_exception(rule: &mut Rule, exception: Exception, diagnostics: &mut Diagnostics) {
    let name = exception.name.as_str();
    if let Some(known) = rule.exception_names.get(name) {
        let known = &rule.exceptions[*known];
        diagnostics.push(
            Diagnostic::new(
                Code::ExceptionRepeated,
                exception.name.whole(),
                format!(
                    "multiple definitions of exception `{}`",
                    exception.name.as_str()
                ),
            )
            .label("both except")
            .context(known.name.whole(), "first defined here")
            .help("give one of them another name"),
        );
    } else {
        let name = name.to_string();
        rule.exception_names.insert(name, rule.exceptions.len());
    }
    rule.exceptions.push(exception);
}

fn has_values(exception: &Exception) -> bool {
    exception
        .values
        .as_ref()
        .is_some_and(|values| !values.is_empty())
}

fn warn_without_values(exception: &Exception, diagnostics: &mut Diagnostics) {
    if !has_values(exception) {
        diagnostics.push(
            Diagnostic::new(
                Code::ExceptionWithoutValues,
                exception.name.whole(),
                format!(
                    "exception `{}` is appended or overridden without values",
                    exception.name.as_str()
                ),
            )
            .label("excepts nothing")
            .help("give it `values`"),
        );
    }
}

fn append_exceptions(rule: &mut Rule, exceptions: Vec<Exception>, diagnostics: &mut Diagnostics) {
    for exception in exceptions {
        let name = exception.name.as_str();
        let Some(known) = rule.exception_names.get(name) else {
            // A new one may only be defined empty together with its rule.
            for (key, there) in [
                ("fields", exception.fields.is_some()),
                ("values", has_values(&exception)),
            ] {
                if !there {
                    diagnostics.push(
                        Diagnostic::new(
                            Code::Exception,
                            exception.name.whole(),
                            format!("exception `{name}` is new and has no `{key}`"),
                        )
                        .label("no earlier exception of that name")
                        .help(format!("give it `{key}`, or the name of one that exists")),
                    );
                }
            }
            if exception.fields.is_some() && has_values(&exception) {
                define_exception(rule, exception, diagnostics);
            }
            continue;
        };
        warn_without_values(&exception, diagnostics);
        let known = &mut rule.exceptions[*known];
        if exception.fields.is_some() || exception.comps.is_some() {
            diagnostics.push(
                Diagnostic::new(
                    Code::Exception,
                    exception.name.whole(),
                    format!("only values can be appended to exception `{name}`"),
                )
                .context(known.name.whole(), "`fields` and `comps` were given here")
                .help("leave `fields` and `comps` out, or give it another name"),
            );
            continue;
        }
        let values = exception.values.unwrap_or_default();
        known.values.get_or_insert_default().extend(values);
    }
}
