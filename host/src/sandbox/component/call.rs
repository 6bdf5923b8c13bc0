//! The types of the world, as Wasm values are turned into them. They are held against the
//! component's own types when it is compiled.

use saker_rules_schema::manifest;
use saker_rules_schema::offered;
use serde::{Deserialize, Serialize};
use wasmtime::component::{ComponentType, Lift, Lower};

macro_rules! enumeration {
    ($(#[$doc:meta])* $type:ident: $($trait:ident)* { $($(#[$item:meta])* $name:ident $text:literal)* }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, ComponentType, Serialize, Deserialize, $($trait),*
        )]
        #[component(enum)]
        #[repr(u8)]
        pub enum $type { $($(#[$item])* #[component(name = $text)] $name,)* }

        impl $type {
            /// All of them.
            pub const ALL: &'static [$type] = &[$($type::$name,)*];

            /// The world's word for it.
            pub fn name(self) -> &'static str {
                match self { $($type::$name => $text,)* }
            }
        }
    };
}

enumeration! {
    /// How urgent a rule's alerts are.
    Priority: Lift {
        /// System is unusable.
        Emergency "emergency"
        /// Act at once.
        Alert "alert"
        /// Critical.
        Critical "critical"
        /// An error.
        Error "error"
        /// A warning.
        Warning "warning"
        /// Normal, yet worth a look.
        Notice "notice"
        /// Informational.
        Informational "informational"
        /// For debugging.
        Debug "debug"
    }
}

enumeration! {
    /// What a module may be allowed.
    Capability: Lift {
        /// To ask for the time.
        Clock "clock"
        /// To keep values that outlive its instance.
        Kv "kv"
        /// To show numbers.
        Metrics "metrics"
        /// To ask servers that the settings name.
        Http "http"
    }
}

enumeration! {
    /// What a module's memory is about.
    State: Lift {
        /// Nothing.
        None "none"
        /// Containers.
        Container "container"
        /// Processes and those below them.
        ProcessTree "process-tree"
        /// The machine.
        Global "global"
    }
}

enumeration! {
    /// What the values of a column are.
    Kind: Lower {
        /// Bytes that are text by convention.
        Text "text"
        /// 0 or 1.
        Boolean "boolean"
        /// A signed number.
        Signed "signed"
        /// An unsigned number.
        Unsigned "unsigned"
        /// 4 or 16 bytes.
        Address "address"
        /// Nanoseconds since 1970.
        Time "time"
        /// Nanoseconds.
        Duration "duration"
        /// Any bytes.
        Bytes "bytes"
        /// The key of a number with a fraction.
        Real "real"
    }
}

impl From<Priority> for manifest::Priority {
    fn from(priority: Priority) -> manifest::Priority {
        match priority {
            Priority::Emergency => manifest::Priority::Emergency,
            Priority::Alert => manifest::Priority::Alert,
            Priority::Critical => manifest::Priority::Critical,
            Priority::Error => manifest::Priority::Error,
            Priority::Warning => manifest::Priority::Warning,
            Priority::Notice => manifest::Priority::Notice,
            Priority::Informational => manifest::Priority::Informational,
            Priority::Debug => manifest::Priority::Debug,
        }
    }
}

impl From<offered::Kind> for Kind {
    fn from(kind: offered::Kind) -> Kind {
        match kind {
            offered::Kind::Text => Kind::Text,
            offered::Kind::Boolean => Kind::Boolean,
            offered::Kind::Signed => Kind::Signed,
            offered::Kind::Unsigned => Kind::Unsigned,
            offered::Kind::Address => Kind::Address,
            offered::Kind::Time => Kind::Time,
            offered::Kind::Duration => Kind::Duration,
            offered::Kind::Bytes => Kind::Bytes,
            offered::Kind::Real => Kind::Real,
        }
    }
}

/// A rule that a module may alert by.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How urgent its alerts are.
    pub priority: Priority,
    /// Its tags.
    pub tags: Vec<String>,
    /// The text of its alerts, with fields in it.
    pub output: String,
}

/// Which events a module wants, and what of them.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
pub struct Subscription {
    /// In the rule language.
    pub condition: String,
    /// Names of fields.
    pub fields: Vec<String>,
}

/// What a module says of itself.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// The events it wants.
    pub subscription: Subscription,
    /// What it wants to be allowed.
    pub capabilities: Vec<Capability>,
    /// What its memory is about.
    pub state: State,
}

/// A field in a module's rows.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
pub struct Column {
    /// The field's name.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// They are lists.
    pub many: bool,
    /// Where its slot begins in a row.
    pub at: u32,
}

/// A value that an alert shows.
#[derive(Clone, Debug, PartialEq, ComponentType, Lift, Serialize, Deserialize)]
#[component(variant)]
pub enum Value {
    /// A text.
    #[component(name = "text")]
    Text(String),
    /// A signed number.
    #[component(name = "signed")]
    Signed(i64),
    /// An unsigned number.
    #[component(name = "unsigned")]
    Unsigned(u64),
    /// A number with a fraction.
    #[component(name = "real")]
    Real(f64),
    /// True or false.
    #[component(name = "boolean")]
    Boolean(bool),
}

/// What a module has to say.
#[derive(Clone, Debug, PartialEq, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
pub struct Alert {
    /// The row of the batch.
    pub row: Option<u32>,
    /// The rule.
    pub rule: u32,
    /// Its text, where it is not the rule's output.
    pub message: Option<String>,
    /// What it shows beside the fields of the output.
    pub fields: Vec<(String, Value)>,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lower, Serialize, Deserialize)]
#[component(record)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What came behind them.
    pub body: Vec<u8>,
    /// The body was too long, and is cut.
    pub cut: bool,
}
