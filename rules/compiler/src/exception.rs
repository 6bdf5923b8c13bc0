//! A rule's exceptions into its condition: `(condition) and not (…) and not (…)`.
//!
//! Done on text, as Falco does it, since lists and macros may stand in exceptions too; each
//! byte still points at the field, operator or value it came from.

use crate::ast::{Modifier, Operator, Takes};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::read::{Entry, Exception};
use crate::text::{Span, Text};
use saker_rules_schema::field::{FieldError, FieldRef};

const LIST_OPERATORS: [&str; 3] = ["in", "pmatch", "intersects"];

/// The words of `comps`, blanks around and between them made one.
pub(crate) fn operator_written(comp: &Text) -> String {
    let words: Vec<&str> = comp.as_str().split_whitespace().collect();
    words.join(" ")
}

/// Whether it is an operator with a value, and if it is one of texts, perhaps a modifier.
fn is_comparison(comp: &str) -> bool {
    let (operator, modifier) = match comp.split_once(' ') {
        None => (comp, None),
        Some((operator, modifier)) => (operator, Some(modifier)),
    };
    let known = |known: &&Operator| known.name() == operator;
    match Operator::ALL.iter().find(known).map(|known| known.takes()) {
        None | Some(Takes::Nothing) => false,
        Some(Takes::Number | Takes::List) => modifier.is_none(),
        Some(Takes::Text) => modifier.is_none_or(|modifier| {
            let mut names = Modifier::ALL.iter().map(|known| known.name());
            names.any(|name| name == modifier)
        }),
    }
}

/// The condition with all exceptions in it.
pub(crate) fn apply(
    condition: &Text,
    exceptions: &[Exception],
    rule: &Text,
    diagnostics: &mut Diagnostics,
) -> Text {
    let mut clauses = Vec::new();
    for exception in exceptions {
        match clause(exception) {
            Ok(Some(clause)) => clauses.push(clause),
            Ok(None) => {}
            Err(diagnostic) => diagnostics.push(diagnostic.rule(rule.as_str())),
        }
    }
    if clauses.is_empty() {
        return condition.clone();
    }
    let place = condition.whole();
    let mut out = Text::default();
    out.push_made("(", place);
    out.push_part(condition, 0..condition.len());
    out.push_made(")", place);
    for clause in clauses {
        let place = clause.whole();
        out.push_made(" and not (", place);
        out.push_part(&clause, 0..clause.len());
        out.push_made(")", place);
    }
    out
}

/// What is wrong with an exception, shown where it is wrong.
struct Faults<'a> {
    exception: &'a Exception,
}

impl Faults<'_> {
    fn at(&self, span: Span, message: String) -> Box<Diagnostic> {
        Box::new(Diagnostic::new(Code::Exception, span, message))
    }

    /// One of the values. They may have been appended far from the fields that they are for.
    fn value(&self, value: &Entry, message: String) -> Box<Diagnostic> {
        let fields = self.exception.fields.as_ref();
        let span = fields.map_or(self.exception.span, Entry::span);
        let found = Diagnostic::new(Code::Exception, value.span(), message);
        Box::new(found.context(span, "for these fields"))
    }
}

fn clause(exception: &Exception) -> Result<Option<Text>, Box<Diagnostic>> {
    let name = exception.name.as_str();
    let wrong = Faults { exception };
    let Some(fields) = &exception.fields else {
        return Err(Box::new(
            Diagnostic::new(
                Code::MissingKey,
                exception.span,
                format!("exception `{name}` has no `fields`"),
            )
            .help("add a key `fields`"),
        ));
    };
    let values = exception.values.as_deref().unwrap_or_default();
    if values.is_empty()
        && let Some(unknown) = unknown_field(fields)
    {
        let message = format!(
            "exception `{name}` names an unknown field `{}`",
            unknown.as_str()
        );
        let diagnostic = wrong.at(unknown.whole(), message);
        return Err(Box::new(
            diagnostic.help("`saker list fields` shows all fields"),
        ));
    }
    match fields {
        Entry::One(field) => {
            let comp = match &exception.comps {
                None => None,
                Some(Entry::One(comp)) => Some(comp),
                Some(Entry::Many(_, span)) => {
                    let message =
                        format!("`comps` of exception `{name}` must be a text, as `fields` is");
                    return Err(Box::new(wrong.at(*span, message).help(AS_LISTS)));
                }
            };
            if let Some(comp) = comp.filter(|comp| !LIST_OPERATORS.contains(&comp.as_str().trim()))
            {
                let message = format!(
                    "`comps` of exception `{name}` must be one of `in`, `pmatch`, `intersects`"
                );
                return Err(Box::new(wrong.at(comp.whole(), message).help(AS_LISTS)));
            }
            let mut out = Text::default();
            for value in values {
                let Entry::One(value) = value else {
                    let message =
                        format!("`values` of exception `{name}` must be texts, as `fields` is");
                    return Err(wrong.value(value, message));
                };
                if out.is_empty() {
                    push(&mut out, field);
                    push_comp(&mut out, comp, "in", exception.span);
                    out.push_made("(", value.whole());
                } else {
                    out.push_made(", ", value.whole());
                }
                push_quoted(&mut out, value);
            }
            if out.is_empty() {
                return Ok(None);
            }
            out.push_made(")", exception.span);
            Ok(Some(out))
        }
        Entry::Many(fields, fields_span) => {
            let comps = match &exception.comps {
                None => None,
                Some(Entry::Many(comps, _)) if comps.len() == fields.len() => Some(comps),
                Some(comps @ (Entry::Many(..) | Entry::One(_))) => {
                    let message = format!(
                        "`fields` and `comps` of exception `{name}` must have equal length"
                    );
                    let found = wrong.at(comps.span(), message);
                    return Err(Box::new(
                        found
                            .label(counted(comps, "operator"))
                            .context(*fields_span, count(fields.len(), "field")),
                    ));
                }
            };
            let mut operators = Vec::new();
            for comp in comps.into_iter().flatten() {
                let Entry::One(comp) = comp else {
                    let message = format!("`comps` of exception `{name}` must be texts");
                    return Err(wrong.at(comp.span(), message));
                };
                let written = operator_written(comp);
                if !is_comparison(&written) {
                    let message = format!("`{written}` is not a supported comparison operator");
                    let names: Vec<&str> = Operator::ALL
                        .iter()
                        .filter(|operator| operator.takes() != Takes::Nothing)
                        .map(|operator| operator.name())
                        .collect();
                    let diagnostic = wrong
                        .at(comp.whole(), message)
                        .label("exceptions cannot compare with this")
                        .help(format!("operators are {}", names.join(" ")));
                    return Err(Box::new(diagnostic));
                }
                operators.push(comp);
            }
            let mut out = Text::default();
            for value in values {
                let row = match value {
                    Entry::Many(row, _) if row.len() == fields.len() => row,
                    Entry::Many(..) | Entry::One(_) => {
                        let message = format!(
                            "`fields` and each of the `values` of exception `{name}` must have equal length"
                        );
                        let mut found = Diagnostic::new(Code::Exception, value.span(), message)
                            .label(counted(value, "value"))
                            .context(*fields_span, count(fields.len(), "field"));
                        if let Entry::One(text) = value {
                            found = found.help(format!("each is a list: `- [{}]`", text.as_str()));
                        }
                        return Err(Box::new(found));
                    }
                };
                let place = value.span();
                out.push_made(if out.is_empty() { "(" } else { " or (" }, place);
                for (at, (field, value)) in fields.iter().zip(row).enumerate() {
                    let Entry::One(field) = field else {
                        let message = format!("`fields` of exception `{name}` must be texts");
                        return Err(wrong.at(field.span(), message));
                    };
                    if at > 0 {
                        out.push_made(" and ", place);
                    }
                    push(&mut out, field);
                    let comp = operators.get(at).copied();
                    push_comp(&mut out, comp, "=", exception.span);
                    push_value(&mut out, value, comp).ok_or_else(|| {
                        let message =
                            format!("`values` of exception `{name}` are nested too deeply");
                        wrong.value(value, message)
                    })?;
                }
                out.push_made(")", place);
            }
            Ok((!out.is_empty()).then_some(out))
        }
    }
}

const AS_LISTS: &str =
    "write `fields`, `comps` and each of the `values` as lists for other operators";

fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// How many a list has.
fn counted(entry: &Entry, what: &str) -> String {
    match entry {
        Entry::Many(entries, _) => count(entries.len(), what),
        Entry::One(_) => format!("one {what}, and no list"),
    }
}

/// The first field that does not exist. What has parentheses is a transformer, left to the
/// parser.
fn unknown_field(fields: &Entry) -> Option<&Text> {
    let fields = match fields {
        Entry::One(_) => std::slice::from_ref(fields),
        Entry::Many(fields, _) => fields,
    };
    let mut texts = fields.iter().filter_map(|field| match field {
        Entry::One(text) => Some(text),
        Entry::Many(..) => None,
    });
    texts.find(|text| {
        let text = text.as_str().trim();
        !text.contains('(') && FieldRef::parse(text) == Err(FieldError::Unknown)
    })
}

fn push(out: &mut Text, text: &Text) {
    out.push_part(text, 0..text.len());
}

fn push_comp(out: &mut Text, comp: Option<&Text>, default: &str, place: Span) {
    out.push_made(" ", place);
    match comp {
        None => out.push_made(default, place),
        Some(comp) => push(out, comp),
    }
    out.push_made(" ", place);
}

fn push_value(out: &mut Text, value: &Entry, comp: Option<&Text>) -> Option<()> {
    let takes_list = comp.is_some_and(|comp| {
        let last = comp.as_str().split_whitespace().last().unwrap_or_default();
        LIST_OPERATORS.contains(&last) || matches!(last, "oneof" | "anyof" | "allof")
    });
    match value {
        Entry::One(text) if takes_list && !text.as_str().starts_with('(') => {
            out.push_made("(", text.whole());
            push_quoted(out, text);
            out.push_made(")", text.whole());
        }
        Entry::One(text) => push_quoted(out, text),
        Entry::Many(values, _) => {
            out.push_made("(", out.whole());
            for (at, value) in values.iter().enumerate() {
                let Entry::One(value) = value else {
                    return None;
                };
                if at > 0 {
                    out.push_made(", ", value.whole());
                }
                push_quoted(out, value);
            }
            out.push_made(")", out.whole());
        }
    }
    Some(())
}

/// Values with blanks are one value, unless quoted or put in parentheses by the author.
pub(crate) fn push_quoted(out: &mut Text, value: &Text) {
    let text = value.as_str();
    let quote = text.contains([' ', '\t', '\n', '\r']) && !text.starts_with(['"', '\'', '(']);
    if quote {
        out.push_made("\"", value.whole());
    }
    push(out, value);
    if quote {
        out.push_made("\"", value.whole());
    }
}
