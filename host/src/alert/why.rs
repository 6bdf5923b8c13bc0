//! Why a rule alerted: its condition, judged part by part by the oracle, with the values that its
//! tests saw. For those who look at an alert later.

use super::to_json;
use crate::extract::made::kept;
use crate::extract::{self, Scratch, View};
use saker_rules_compiler::ir::Expr;
use saker_rules_compiler::oracle::{Value, Values};
use saker_rules_compiler::why::{self, Kind, Outlines};
use saker_rules_schema::field::FieldRef;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;

/// Of a value no more is kept.
const VALUE_BYTES_MAX: usize = 1024;

/// A part of a condition, and what it saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// The macro whose condition it is.
    #[serde(default, rename = "macro", skip_serializing_if = "Option::is_none")]
    pub of_macro: Option<String>,
    /// `and`, `or`, `not` or `test`.
    pub kind: String,
    /// A test in the rule language, perhaps cut; empty where the parts say it.
    pub text: String,
    /// Whether it held.
    pub held: bool,
    /// The fields that a test asked for, with their values; null where there was none.
    pub values: Vec<(String, serde_json::Value)>,
    /// What it is made of.
    pub parts: Vec<Why>,
}

impl Why {
    /// Judges the condition of a rule by what stands around an event, once more.
    pub fn of(
        condition: &Expr,
        outlines: &Outlines,
        rule: usize,
        view: &View<'_>,
        scratch: &mut Scratch,
    ) -> Option<Why> {
        let event = view.event.kind()?;
        let seen = Seen {
            view,
            scratch: RefCell::new(scratch),
        };
        let why = why::why(condition, outlines, rule, &seen, event);
        Some(seen.part(why))
    }

    /// Bytes of memory it takes, about.
    pub fn bytes(&self) -> usize {
        let values = self.values.iter().map(|(name, value)| {
            let text = value.as_str().map_or(0, str::len);
            128 + name.len() + text
        });
        let parts = self.parts.iter().map(Why::bytes);
        let of_macro = self.of_macro.as_ref().map_or(0, String::len);
        size_of::<Why>() + of_macro + self.text.len() + values.sum::<usize>() + parts.sum::<usize>()
    }
}

/// An event as the oracle asks it.
struct Seen<'v> {
    view: &'v View<'v>,
    scratch: RefCell<&'v mut Scratch>,
}

impl Values for Seen<'_> {
    fn value(&self, field: &FieldRef) -> Option<Value<'_>> {
        let mut scratch = self.scratch.borrow_mut();
        extract::value(field, self.view, &mut scratch).map(|value| kept(&value))
    }
}

impl Seen<'_> {
    fn part(&self, why: why::Why) -> Why {
        Why {
            of_macro: why.of_macro,
            kind: why.kind.name().into(),
            text: why.text,
            held: why.held,
            values: match why.kind {
                Kind::Test => why.fields.iter().map(|field| self.shown(field)).collect(),
                Kind::And | Kind::Or | Kind::Not => Vec::new(),
            },
            parts: why.parts.into_iter().map(|part| self.part(part)).collect(),
        }
    }

    fn shown(&self, field: &FieldRef) -> (String, serde_json::Value) {
        let mut scratch = self.scratch.borrow_mut();
        let mut value = to_json(extract::value(field, self.view, &mut scratch).as_ref());
        if let serde_json::Value::String(text) = &mut value
            && text.len() > VALUE_BYTES_MAX
        {
            text.truncate(text.floor_char_boundary(VALUE_BYTES_MAX));
            text.push('…');
        }
        (field.to_string(), value)
    }
}
