//! What a module has to say.

/// A value that an alert shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A signed number.
    Signed(i64),
    /// An unsigned number.
    Unsigned(u64),
    /// A number with a fraction.
    Real(f64),
    /// True or false.
    Boolean(bool),
}

macro_rules! from {
    ($($type:ty => $variant:ident;)*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Value {
                Value::$variant(value.into())
            }
        })*
    };
}

from! {
    &str => Text;
    String => Text;
    i32 => Signed;
    i64 => Signed;
    u16 => Unsigned;
    u32 => Unsigned;
    u64 => Unsigned;
    f32 => Real;
    f64 => Real;
    bool => Boolean;
}

/// One thing that a module has to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// The row of the batch that it is about.
    pub row: Option<u32>,
    /// The rule, by its place in the description.
    pub rule: u32,
    /// The text, where it is not the rule's output.
    pub message: Option<String>,
    /// What it shows beside the fields of the output.
    pub fields: Vec<(String, Value)>,
}

impl Alert {
    /// Shows one more value.
    pub fn field(&mut self, name: &str, value: impl Into<Value>) -> &mut Alert {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Has a text of its own instead of the rule's output.
    pub fn message(&mut self, text: impl Into<String>) -> &mut Alert {
        self.message = Some(text.into());
        self
    }
}

/// Takes a module's alerts.
#[derive(Debug, Default)]
pub struct Alerts {
    pub(crate) row: Option<u32>,
    pub(crate) alerts: Vec<Alert>,
}

impl Alerts {
    /// Alerts by a rule, about the event that was handed over; in `tick`, about none.
    pub fn alert(&mut self, rule: u32) -> &mut Alert {
        let row = self.row;
        self.alerts.push(Alert {
            row,
            rule,
            message: None,
            fields: Vec::new(),
        });
        let last = self.alerts.len() - 1;
        &mut self.alerts[last]
    }
}
