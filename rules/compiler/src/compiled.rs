//! A condition as Falco shows it compiled: macros and lists filled in, one blank between words,
//! parentheses around every and and or. And what it asks for, over all of its macros.
//!
//! For people and for tests; nothing is compiled from it.

use crate::ast::{Argument, Expr, Field, Kind, Operand, Right, Test, Value};
use crate::collect::Collected;
use crate::resolve::Resolved;
use std::collections::BTreeSet;

/// No condition is shown longer: macros may multiply.
const SHOWN_BYTES_MAX: usize = 1 << 20;
/// Nor are all of them together.
const ALL_SHOWN_BYTES_MAX: usize = 64 << 20;
/// No more parts are looked at for what they ask.
const LOOKS_MAX: usize = 50_000_000;
/// What stands where one was cut.
const CUT: &str = "…";

/// What is left to be written.
enum Step<'a> {
    Expr(&'a Expr),
    Text(&'static str),
}

/// What a condition asks for.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) fields: BTreeSet<String>,
    pub(crate) operators: BTreeSet<String>,
}

/// Shows conditions of a ruleset.
pub(crate) struct Compiled<'a> {
    collected: &'a Collected,
    resolved: &'a Resolved,
    /// Bytes that may still be shown.
    bytes: usize,
    /// Parts that may still be looked at.
    looks: usize,
}

impl<'a> Compiled<'a> {
    pub(crate) fn new(collected: &'a Collected, resolved: &'a Resolved) -> Compiled<'a> {
        Compiled {
            collected,
            resolved,
            bytes: ALL_SHOWN_BYTES_MAX,
            looks: LOOKS_MAX,
        }
    }

    /// The condition with everything filled in. Macros in macros in macros cost no call stack.
    pub(crate) fn show(&mut self, condition: &'a Expr) -> String {
        let limit = SHOWN_BYTES_MAX.min(self.bytes);
        let mut out = String::new();
        let mut steps = vec![Step::Expr(condition)];
        while let Some(step) = steps.pop() {
            if out.len() >= limit {
                out.push_str(CUT);
                break;
            }
            match step {
                Step::Text(text) => out.push_str(text),
                Step::Expr(expr) => match &expr.kind {
                    Kind::And(parts) => join(parts, " and ", &mut steps),
                    Kind::Or(parts) => join(parts, " or ", &mut steps),
                    Kind::Not(part) => steps.extend([Step::Expr(part), Step::Text("not ")]),
                    Kind::Macro(name) => match self.collected.macro_named(name) {
                        Some(at) => steps.push(Step::Expr(&self.resolved.macros[at])),
                        None => out.push_str(name),
                    },
                    Kind::Test(test) => show_test(test, &mut out),
                    Kind::Invalid => out.push_str(CUT),
                },
            }
        }
        self.bytes -= out.len().min(self.bytes);
        out
    }

    /// What the condition and its macros ask for; each macro is looked at once.
    pub(crate) fn asked(&mut self, condition: &'a Expr) -> Asked {
        let mut asked = Asked::default();
        let mut seen = BTreeSet::new();
        let mut stack = vec![condition];
        while let Some(expr) = stack.pop() {
            if self.looks == 0 {
                break;
            }
            self.looks -= 1;
            match &expr.kind {
                Kind::And(parts) | Kind::Or(parts) => stack.extend(parts),
                Kind::Not(part) => stack.push(part),
                Kind::Macro(name) => {
                    let known = self.collected.macro_named(name);
                    if let Some(at) = known.filter(|at| seen.insert(*at)) {
                        stack.push(&self.resolved.macros[at]);
                    }
                }
                Kind::Test(test) => {
                    asked.operators.insert(operator(test));
                    let right = match &test.right {
                        Right::Operand(right) => Some(right),
                        Right::None | Right::Value(_) | Right::List(_) => None,
                    };
                    for side in std::iter::once(&test.left).chain(right) {
                        add_fields(side, &mut asked.fields);
                    }
                }
                Kind::Invalid => {}
            }
        }
        asked
    }
}

/// The last step is done first.
fn join<'a>(parts: &'a [Expr], word: &'static str, steps: &mut Vec<Step<'a>>) {
    steps.push(Step::Text(")"));
    for (at, part) in parts.iter().enumerate().rev() {
        steps.push(Step::Expr(part));
        steps.push(Step::Text(if at > 0 { word } else { "(" }));
    }
}

fn show_test(test: &Test, out: &mut String) {
    out.push_str(&operand(&test.left));
    out.push(' ');
    out.push_str(&operator(test));
    match &test.right {
        Right::None => {}
        Right::Value(value) => {
            out.push(' ');
            out.push_str(&quoted(&value.text));
        }
        Right::List(values) => {
            let texts = |value: &Value| quoted(&value.text);
            let values: Vec<String> = values.iter().map(texts).collect();
            out.push_str(" (");
            out.push_str(&values.join(", "));
            out.push(')');
        }
        Right::Operand(right) => {
            out.push(' ');
            out.push_str(&operand(right));
        }
    }
}

fn operator(test: &Test) -> String {
    match test.modifier {
        None => test.operator.name().to_string(),
        Some((modifier, _)) => format!("{} {}", test.operator.name(), modifier.name()),
    }
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Field(field) => field_written(field),
        Operand::Transform(transform) => {
            let arguments = arguments(&transform.arguments);
            let mut out = format!("{}{arguments}", transform.transformer.name());
            if let Some(key) = &transform.key {
                out.push_str(&format!("[{key}]"));
            }
            out
        }
    }
}

/// Recursion is bounded by the parser's bound on transformers.
fn arguments(arguments_: &[Argument]) -> String {
    let written: Vec<String> = arguments_
        .iter()
        .map(|argument| match argument {
            Argument::Operand(inner) => operand(inner),
            Argument::Text(value) => format!("{:?}", value.text),
            Argument::List(elements) => arguments(elements),
        })
        .collect();
    format!("({})", written.join(", "))
}

/// Adds the fields that a side of a test names.
fn add_fields(operand: &Operand, fields: &mut BTreeSet<String>) {
    match operand {
        Operand::Field(field) => {
            fields.insert(field_written(field));
        }
        Operand::Transform(transform) => add_arguments(&transform.arguments, fields),
    }
}

fn add_arguments(arguments: &[Argument], fields: &mut BTreeSet<String>) {
    for argument in arguments {
        match argument {
            Argument::Operand(operand) => add_fields(operand, fields),
            Argument::Text(_) => {}
            Argument::List(elements) => add_arguments(elements, fields),
        }
    }
}

fn field_written(field: &Field) -> String {
    match &field.arg {
        None => field.name.clone(),
        Some(arg) => format!("{}[{}]", field.name, quoted(arg)),
    }
}

/// A value in quotes where it needs them, escaped as Falco does it.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    let mut quote = false;
    for char in text.chars() {
        let escaped = match char {
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            ' ' => " ",
            '\\' => "\\\\",
            '"' => "\\\"",
            '\'' => "'",
            _ => {
                out.push(char);
                continue;
            }
        };
        quote = true;
        out.push_str(escaped);
    }
    match quote {
        true => format!("\"{out}\""),
        false => out,
    }
}
