//! What a module is, and what it says of itself.

use crate::row::Record;
use crate::{Alerts, Answer, Nanoseconds};

pub use saker_rules_schema::manifest::Priority;

/// A rule module.
pub trait Module: Sized + 'static {
    /// What it wants of an event: a type that [`row!`](crate::row!) made.
    type Row<'r>: Record<'r>;

    /// What it is. Always the same answer; nothing is allowed here.
    fn describe() -> Description;

    /// A new instance. An error refuses the module.
    fn new(config: &Config) -> Result<Self, String>;

    /// An event that meets the condition. They come in order.
    fn event(&mut self, row: Self::Row<'_>, alerts: &mut Alerts);

    /// The time of events has reached another second.
    fn tick(&mut self, _time: Nanoseconds, _alerts: &mut Alerts) {}

    /// What came of a request of [`http`](crate::http): the server's answer, or why there is
    /// none. It may be a request of an instance before this one.
    fn response(&mut self, _request: u64, _outcome: Result<Answer, String>, _alerts: &mut Alerts) {}
}

/// What the settings have for the module.
#[derive(Clone, Debug, Default)]
pub struct Config(pub(crate) Vec<(String, String)>);

impl Config {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        pairs
            .find(|(name, _)| name == key)
            .map(|(_, value)| &**value)
    }

    /// The value of a key as a number, or what it is if it is not set.
    pub fn number<N: std::str::FromStr>(&self, key: &str, default: N) -> Result<N, String> {
        match self.get(key) {
            None => Ok(default),
            Some(value) => value
                .parse()
                .map_err(|_| format!("`{key}` takes a number, not `{value}`")),
        }
    }
}

/// What a module may be allowed beside judging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// To ask for the time: [`now`](crate::now).
    Clock,
    /// To keep values: [`kv`](crate::kv).
    Kv,
    /// To show numbers: [`metrics`](crate::metrics).
    Metrics,
    /// To ask servers that the settings name: [`http`](crate::http).
    Http,
}

/// What a module's memory is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing: any instance may get any event.
    None,
    /// Containers.
    Container,
    /// Processes and those below them.
    ProcessTree,
    /// The machine as a whole.
    Global,
}

/// A rule that a module may alert by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) priority: Priority,
    pub(crate) tags: Vec<String>,
    pub(crate) output: String,
}

impl Rule {
    /// A rule of that name.
    pub fn new(name: &str, priority: Priority) -> Rule {
        Rule {
            name: name.into(),
            description: String::new(),
            priority,
            tags: Vec::new(),
            output: String::new(),
        }
    }

    /// What it is for.
    pub fn description(mut self, text: &str) -> Rule {
        self.description = text.into();
        self
    }

    /// A word by which it is chosen.
    pub fn tag(mut self, tag: &str) -> Rule {
        self.tags.push(tag.into());
        self
    }

    /// The text of its alerts; `%field` in it for fields of the module's row.
    pub fn output(mut self, text: &str) -> Rule {
        self.output = text.into();
        self
    }
}

/// What a module says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) condition: String,
    pub(crate) rules: Vec<Rule>,
    pub(crate) capabilities: Vec<Capability>,
    pub(crate) state: State,
}

impl Description {
    /// A module of that name (letters, digits, `-`, `_`), which wants the events that meet the
    /// condition.
    pub fn new(name: &str, condition: &str) -> Description {
        Description {
            name: name.into(),
            version: "0.0.0".into(),
            condition: condition.into(),
            rules: Vec::new(),
            capabilities: Vec::new(),
            state: State::Global,
        }
    }

    /// Its version.
    pub fn version(mut self, version: &str) -> Description {
        self.version = version.into();
        self
    }

    /// One more rule; alerts name them by their place.
    pub fn rule(mut self, rule: Rule) -> Description {
        self.rules.push(rule);
        self
    }

    /// Something that it wants to be allowed.
    pub fn wants(mut self, capability: Capability) -> Description {
        self.capabilities.push(capability);
        self
    }

    /// What its memory is about; the machine, where it does not say.
    pub fn state(mut self, state: State) -> Description {
        self.state = state;
        self
    }
}
