//! Settings that are lists in `falco.yaml`: on the command line an entry is appended by `key[]`
//! and changed by `key[0]`, whole as a JSON object or part by part.

use super::{Config, ConfigError, Suggestion, boolean, closest, number};
use crate::http::Server;
use std::path::PathBuf;
use std::time::Duration;

/// An entry of `rules`: which rules it turns on or off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleChoice {
    /// On or off.
    pub enable: bool,
    /// The rules' names, `*` standing for anything.
    pub rule: Option<String>,
    /// A tag that they have.
    pub tag: Option<String>,
}

impl RuleChoice {
    /// Turns the rule of that name on or off.
    pub fn of(name: String, enable: bool) -> RuleChoice {
        RuleChoice {
            enable,
            rule: Some(name),
            tag: None,
        }
    }
}

/// An entry of `append_output`: what is added to the outputs of which rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Append {
    /// The fields that tell which container it was.
    pub suggested_output: bool,
    /// A text with fields, appended to the output.
    pub extra_output: Option<String>,
    /// Fields that are added to `output_fields` alone.
    pub extra_fields: Vec<String>,
    /// Only rules of this source.
    pub source: Option<String>,
    /// Only this rule.
    pub rule: Option<String>,
    /// Only rules that have all these tags.
    pub tags: Vec<String>,
}

/// An entry of `modules`: what is set for which component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleChoice {
    /// Its name.
    pub name: String,
    /// What it is allowed.
    pub grant: Vec<String>,
    /// The condition that events meet which it may be given.
    pub scope: Option<String>,
    /// What it is told: keys and values.
    pub config: Vec<(String, String)>,
    /// The servers that it may ask, by `http`.
    pub servers: Vec<String>,
    /// Bytes of memory that it may use.
    pub memory_bytes_max: Option<usize>,
    /// CPU time that it may take for a batch.
    pub cpu: Option<Duration>,
    /// Percent of a core that it may use over time.
    pub cpu_percent: Option<u32>,
}

/// One row of the table of settings that are parts of a list's entry.
pub struct EntrySetting {
    /// Its name, `[]` standing for the entry.
    pub key: &'static str,
    /// What it takes, for messages.
    pub wanted: &'static str,
    /// What it does.
    pub description: &'static str,
    apply: fn(&mut Config, usize, &str) -> Option<()>,
}

/// Every setting of that kind.
pub const ENTRY_SETTINGS: &[EntrySetting] = &[
    EntrySetting {
        key: "rules[].enable.rule",
        wanted: "a rule's name, with `*` for any text",
        description: "Turn rules on. Entries of `rules[]` are obeyed in their order.",
        apply: |config, at, value| choose(config, at, true, value, Part::Rule),
    },
    EntrySetting {
        key: "rules[].enable.tag",
        wanted: "a tag",
        description: "Turn the rules on that have the tag.",
        apply: |config, at, value| choose(config, at, true, value, Part::Tag),
    },
    EntrySetting {
        key: "rules[].disable.rule",
        wanted: "a rule's name, with `*` for any text",
        description: "Turn rules off.",
        apply: |config, at, value| choose(config, at, false, value, Part::Rule),
    },
    EntrySetting {
        key: "rules[].disable.tag",
        wanted: "a tag",
        description: "Turn the rules off that have the tag.",
        apply: |config, at, value| choose(config, at, false, value, Part::Tag),
    },
    EntrySetting {
        key: "append_output[].suggested_output",
        wanted: "true or false",
        description: "Add the container's fields to the outputs.",
        apply: |config, at, value| {
            entry(&mut config.append_output, at)?.suggested_output = boolean(value)?;
            Some(())
        },
    },
    EntrySetting {
        key: "append_output[].extra_output",
        wanted: "a text with %fields",
        description: "Add this to the outputs.",
        apply: |config, at, value| {
            entry(&mut config.append_output, at)?.extra_output = Some(value.to_owned());
            Some(())
        },
    },
    EntrySetting {
        key: "append_output[].extra_fields[]",
        wanted: "a field",
        description: "Add the field to `output_fields`.",
        apply: |config, at, value| {
            let fields = &mut entry(&mut config.append_output, at)?.extra_fields;
            fields.push(value.trim_start_matches('%').to_owned());
            Some(())
        },
    },
    EntrySetting {
        key: "append_output[].match.source",
        wanted: "a source of events",
        description: "Add only to rules of that source.",
        apply: |config, at, value| {
            entry(&mut config.append_output, at)?.source = Some(value.to_owned());
            Some(())
        },
    },
    EntrySetting {
        key: "append_output[].match.rule",
        wanted: "a rule's name",
        description: "Add only to that rule.",
        apply: |config, at, value| {
            entry(&mut config.append_output, at)?.rule = Some(value.to_owned());
            Some(())
        },
    },
    EntrySetting {
        key: "append_output[].match.tags[]",
        wanted: "a tag",
        description: "Add only to rules that have all these tags.",
        apply: |config, at, value| {
            entry(&mut config.append_output, at)?
                .tags
                .push(value.to_owned());
            Some(())
        },
    },
    EntrySetting {
        key: "modules[].name",
        wanted: "the name that a component gives itself",
        description: "What the other parts of this entry of `modules[]` are about.",
        apply: |config, at, value| {
            entry(&mut config.modules, at)?.name = value.to_owned();
            Some(())
        },
    },
    EntrySetting {
        key: "modules[].grant[]",
        wanted: "clock, kv, metrics or http",
        description: "Allow the component this, beside judging.",
        apply: |config, at, value| {
            let grant = &mut entry(&mut config.modules, at)?.grant;
            ["clock", "kv", "metrics", "http"]
                .contains(&value)
                .then(|| grant.push(value.to_owned()))
        },
    },
    EntrySetting {
        key: "modules[].scope",
        wanted: "a condition, such as k8s.ns.name = shop",
        description: "Give the component no event that does not meet this.",
        apply: |config, at, value| {
            entry(&mut config.modules, at)?.scope = Some(value.to_owned());
            Some(())
        },
    },
    EntrySetting {
        key: "modules[].config[]",
        wanted: "key=value",
        description: "Tell the component this.",
        apply: |config, at, value| {
            let (key, value) = value.split_once('=')?;
            let module = entry(&mut config.modules, at)?;
            module
                .config
                .push((key.trim().to_owned(), value.to_owned()));
            Some(())
        },
    },
    EntrySetting {
        key: "modules[].servers[]",
        wanted: "a host, as in `api.example.org`, or `http://host:port`",
        description: "Let the component ask this server, if it is granted `http`.",
        apply: |config, at, value| {
            Server::of(value)?;
            let servers = &mut entry(&mut config.modules, at)?.servers;
            servers.push(value.to_owned());
            Some(())
        },
    },
    EntrySetting {
        key: "modules[].memory_mb",
        wanted: "a number from 1 to 1024 (default 64)",
        description: "Memory that the component may use.",
        apply: |config, at, value| {
            let megabytes = number(value, 1, 1024)? as usize;
            entry(&mut config.modules, at)?.memory_bytes_max = Some(megabytes << 20);
            Some(())
        },
    },
    EntrySetting {
        key: "modules[].cpu_ms",
        wanted: "a number from 1 to 10000 (default: sandbox.window_cpu_ms)",
        description: "CPU time that the component may take for a batch.",
        apply: |config, at, value| {
            let cpu = Duration::from_millis(number(value, 1, 10_000)?.into());
            entry(&mut config.modules, at)?.cpu = Some(cpu);
            Some(())
        },
    },
    EntrySetting {
        key: "modules[].cpu_percent",
        wanted: "a number from 1 to 100 (default 50)",
        description: "Percent of a core that the component may use over time.",
        apply: |config, at, value| {
            let percent = number(value, 1, 100)?;
            entry(&mut config.modules, at)?.cpu_percent = Some(percent);
            Some(())
        },
    },
    EntrySetting {
        key: "rules_files[]",
        wanted: "a rule file",
        description: "Load this rule file, after those of `--rules`.",
        apply: |config, _, value| {
            config.rules_files.push(PathBuf::from(value));
            Some(())
        },
    },
    EntrySetting {
        key: "load_plugins[]",
        wanted: "container, which is built in",
        description: "Taken for Falco's sake.",
        apply: |_, _, value| (value == "container").then_some(()),
    },
    EntrySetting {
        key: "plugins[].name",
        wanted: "container, which is built in",
        description: "Taken for Falco's sake.",
        apply: |_, _, value| (value == "container").then_some(()),
    },
    EntrySetting {
        key: "plugins[].library_path",
        wanted: "a path, which is not read",
        description: "Taken for Falco's sake.",
        apply: |_, _, _| Some(()),
    },
    EntrySetting {
        key: "plugins[].init_config.label_max_len",
        wanted: "100",
        description: "Taken for Falco's sake.",
        apply: |_, _, value| (value == "100").then_some(()),
    },
    EntrySetting {
        key: "plugins[].init_config.with_size",
        wanted: "false",
        description: "Taken for Falco's sake.",
        apply: |_, _, value| (value == "false").then_some(()),
    },
    EntrySetting {
        key: "config_files[]",
        wanted: "no entry: settings are read from the command line alone",
        description: "Taken for Falco's sake.",
        apply: |_, _, _| None,
    },
];

/// No list has more entries.
const ENTRIES_MAX: usize = 1000;

fn entry<T: Default>(list: &mut Vec<T>, at: usize) -> Option<&mut T> {
    if at == list.len() && at < ENTRIES_MAX {
        list.push(T::default());
    }
    list.get_mut(at)
}

enum Part {
    Rule,
    Tag,
}

fn choose(config: &mut Config, at: usize, enable: bool, value: &str, part: Part) -> Option<()> {
    let choice = entry(&mut config.rules, at)?;
    choice.enable = enable;
    match part {
        Part::Rule => choice.rule = Some(value.to_owned()),
        Part::Tag => choice.tag = Some(value.to_owned()),
    }
    Some(())
}

/// The list that a key is about, and which entry of it: the name up to the first bracket, and
/// what is in the brackets.
fn list_of(key: &str) -> Option<(&str, &str, &str)> {
    let open = key.find('[')?;
    let close = open + key[open..].find(']')?;
    Some((&key[..open], &key[open + 1..close], &key[close + 1..]))
}

impl Config {
    /// Applies `key=value` where the key names a list; `None` where it does not.
    pub(super) fn set_in_list(
        &mut self,
        key: &str,
        value: &str,
    ) -> Option<Result<(), ConfigError>> {
        let Some((list, index, rest)) = list_of(key) else {
            // The whole list at once.
            let known = ENTRY_SETTINGS
                .iter()
                .any(|setting| list_of(setting.key).is_some_and(|(list, ..)| list == key));
            return match known.then(|| items(value))? {
                Ok(items) => Some(items.iter().try_for_each(|item| {
                    let at = self.entries(key);
                    self.set_entry(key, at, "", item)
                })),
                Err(_) => Some(Err(bad(format!("{key}="), value))),
            };
        };
        let at = match index {
            "" => self.entries(list),
            index => match index.parse() {
                Ok(at) if at > self.entries(list) => {
                    return Some(Err(ConfigError::NoEntry(key.to_owned(), list.to_owned())));
                }
                Ok(at) => at,
                Err(_) => return Some(Err(ConfigError::NoValue(key.to_owned()))),
            },
        };
        let value = match value.starts_with(['{', '[']) {
            true => match serde_json::from_str(value) {
                Ok(object) => object,
                Err(_) => return Some(Err(bad(format!("{key}="), value))),
            },
            false => serde_json::Value::from(value),
        };
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        Some(self.set_entry(list, at, rest, &value))
    }

    /// How many entries a list has.
    fn entries(&self, list: &str) -> usize {
        match list {
            "rules" => self.rules.len(),
            "append_output" => self.append_output.len(),
            "modules" => self.modules.len(),
            _ => 0,
        }
    }

    /// Sets a part of an entry, or all the parts that an object has.
    fn set_entry(
        &mut self,
        list: &str,
        at: usize,
        part: &str,
        value: &serde_json::Value,
    ) -> Result<(), ConfigError> {
        let below = |name: &str| match part {
            "" => name.to_owned(),
            part => format!("{part}.{name}"),
        };
        // Where Falco's container plugin has them, which calls them as we do.
        let of_engines = part
            .strip_prefix("init_config.")
            .filter(|key| list == "plugins" && key.starts_with("engines."));
        if let Some(key) = of_engines.filter(|_| !value.is_object()) {
            return match value.as_str() {
                Some(text) => self.set(&format!("{key}={text}")),
                None => self.set(&format!("{key}={value}")),
            };
        }
        let text = match value {
            serde_json::Value::Object(parts) => {
                return parts
                    .iter()
                    .try_for_each(|(name, value)| self.set_entry(list, at, &below(name), value));
            }
            serde_json::Value::Array(items) => {
                return items
                    .iter()
                    .try_for_each(|item| self.set_entry(list, at, &format!("{part}[]"), item));
            }
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let key = match part {
            "" => format!("{list}[]"),
            part => format!("{list}[].{part}"),
        };
        let setting = ENTRY_SETTINGS
            .iter()
            .find(|setting| setting.key == key)
            .ok_or_else(|| ConfigError::UnknownKey(key.clone(), Suggestion(closest(&key))))?;
        (setting.apply)(self, at, &text).ok_or(ConfigError::BadValue {
            key: setting.key,
            value: text,
            wanted: setting.wanted,
        })
    }
}

/// A list in JSON, or one of bare words as `falco.yaml` has it: `[container]`.
fn items(value: &str) -> serde_json::Result<Vec<serde_json::Value>> {
    let inside = value
        .trim()
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match inside.filter(|inside| !inside.contains(['"', '[', ']', '{', '}'])) {
        Some(inside) if !inside.trim().is_empty() => {
            let words = inside.split(',').map(|word| word.trim().into());
            Ok(words.collect())
        }
        Some(_) | None => serde_json::from_str(value),
    }
}

fn bad(key: String, value: &str) -> ConfigError {
    ConfigError::NotJson(key, value.to_owned())
}
