//! Output formats: text with `%field` and `%field[argument]` in it.

use crate::ast::{self, Operand, Transform};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, Severity};
use crate::lower::never_there;
use crate::parse;
use crate::similar::Suggestions;
use crate::terms::{self, unknown_field};
use crate::text::Text;
use saker_rules_schema::field::{ArgKind, Field, FieldError, FieldRef, Flag};
use saker_rules_schema::manifest::OutputPart;

/// No output names more fields: each costs every alert.
const FIELDS_MAX: usize = 1000;
/// No field's name, with the name of a parameter or label behind it, is longer.
const NAME_BYTES_MAX: usize = 256;
/// No transformer with its arguments is longer.
const TRANSFORMER_BYTES_MAX: usize = 4096;

/// Takes an output format apart that stands in no rule file; an error says what is wrong with it.
pub fn output_parts(format: &str) -> Result<Vec<OutputPart>, String> {
    let mut text = Text::default();
    for (offset, char) in format.char_indices() {
        text.push(char, 0, offset as u32);
    }
    let mut found = Vec::new();
    let parts = parse(&text, &mut found, &mut Suggestions::default());
    let wrong = found
        .into_iter()
        .find(|found| found.severity() == Severity::Error);
    match wrong {
        Some(wrong) => Err(wrong.message),
        None => Ok(parts),
    }
}

/// Takes an output format apart; what is wrong with it is added to `found`.
pub(crate) fn parse(
    output: &Text,
    found: &mut Vec<Diagnostic>,
    suggestions: &mut Suggestions,
) -> Vec<OutputPart> {
    let text = output.as_str();
    // A leading `*` asks for the line even if fields are missing, which always happens.
    let mut at = usize::from(text.starts_with('*'));
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut fields = 0;
    while let Some(offset) = text[at..].find('%') {
        plain.push_str(&text[at..at + offset]);
        let start = at + offset;
        at = start + 1;
        fields += 1;
        if fields > FIELDS_MAX {
            found.push(
                Diagnostic::new(
                    Code::Output,
                    output.span(start..at),
                    format!("the output names more than {FIELDS_MAX} fields"),
                )
                .help("name only those that tell something about the event"),
            );
            return parts;
        }
        let rest = &text[at..];
        let word = rest
            .bytes()
            .take(NAME_BYTES_MAX)
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
            .count();
        let mut name = rest[..word].trim_end_matches('.');
        if rest[word..].starts_with('(') && is_transformer(&rest[..word]) {
            let Some((transform, len)) = transformed(output, at, found) else {
                continue;
            };
            match terms::operand(&Operand::Transform(transform), suggestions) {
                Ok(made) => {
                    found.extend(
                        made.fields
                            .iter()
                            .filter_map(|(field, span)| never_there(field, *span, suggestions)),
                    );
                    if !plain.is_empty() {
                        parts.push(OutputPart::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(OutputPart::Value {
                        name: rest[..len].to_string(),
                        term: made.term,
                    });
                    at += len;
                }
                Err(mut wrong) => {
                    wrong.code = Code::Output;
                    found.push(*wrong);
                }
            }
            continue;
        }
        if name.is_empty() {
            let message = "a `%` must be followed by a field";
            found.push(
                Diagnostic::new(Code::Output, output.span(start..start + 1), message)
                    .help("leave it out, or name a field: `%proc.name`"),
            );
            continue;
        }
        if name == "container.info" {
            found.push(
                Diagnostic::new(
                    Code::Deprecated,
                    output.span(start..at + name.len()),
                    "`%container.info` is deprecated",
                )
                .label("this gives nothing")
                .help("name the container fields wanted"),
            );
            at += name.len();
            continue;
        }
        let takes_argument = |field: Field| field.arg() != ArgKind::None;
        if name.len() == word
            && rest[word..].starts_with('[')
            && !rest[word..].contains(']')
            && Field::by_name(name).is_some_and(takes_argument)
        {
            let bracket = output.span(at + word..at + word + 1);
            let message = "this bracket is never closed";
            found.push(Diagnostic::new(Code::Output, bracket, message));
        }
        // What follows a field's name with a dot may be the sentence's text.
        let field = loop {
            let mut written = name.to_string();
            if name.len() == word
                && rest[word..].starts_with('[')
                && let Some(end) = rest[word..].find(']')
            {
                written.push_str(&rest[word..word + end + 1]);
            }
            match FieldRef::parse(&written) {
                Ok(field) => break Ok((field, written)),
                Err(FieldError::Unknown) => {}
                Err(error @ (FieldError::Argument | FieldError::ArgumentMissing)) => {
                    break Err(error);
                }
            }
            match name.rsplit_once('.') {
                Some((shorter, _)) => name = shorter,
                None => break Err(FieldError::Unknown),
            }
        };
        match field {
            Ok((field, written)) => {
                let span = output.span(start..at + written.len());
                if field.field.has(Flag::FilterOnly) {
                    let message = format!("field `{field}` is for conditions, not for outputs");
                    found.push(Diagnostic::new(Code::Output, span, message));
                }
                if field.field.has(Flag::Deprecated) {
                    let message = format!("field `{field}` is deprecated");
                    found.push(Diagnostic::new(Code::Deprecated, span, message));
                }
                match terms::unknown_argument(&field, span, suggestions) {
                    Some(mut unknown) => {
                        unknown.code = Code::Output;
                        found.push(*unknown);
                    }
                    None => found.extend(never_there(&field, span, suggestions)),
                }
                at += written.len();
                if !plain.is_empty() {
                    parts.push(OutputPart::Text(std::mem::take(&mut plain)));
                }
                parts.push(OutputPart::Value {
                    name: written,
                    term: field.into(),
                });
            }
            Err(error) => {
                name = rest[..word].trim_end_matches('.');
                let (message, help) = match error {
                    FieldError::Unknown if rest[word..].starts_with('(') => {
                        let names = ast::Transformer::ALL.iter().map(|known| known.name());
                        let meant = names.clone().find(|known| known.ends_with(name));
                        let all: Vec<&str> = names.collect();
                        let all = format!("transformers are {}", all.join(" "));
                        let help = match meant.filter(|_| name.len() > 2) {
                            Some(meant) => format!("did you mean `%{meant}(…)`? ({all})"),
                            None => all,
                        };
                        (format!("`{name}` is no transformer"), Some(help))
                    }
                    FieldError::Unknown => {
                        let (message, help) = unknown_field(name, suggestions);
                        (message, Some(help))
                    }
                    FieldError::Argument => (
                        format!("field `{name}` in the output does not take this argument"),
                        None,
                    ),
                    FieldError::ArgumentMissing => {
                        let message = format!("field `{name}` in the output needs an argument");
                        let help = match terms::bracketed(name) {
                            Some(meant) => format!("did you mean `%{meant}`?"),
                            None => format!("write `%{name}.NAME`"),
                        };
                        (message, Some(help))
                    }
                };
                let mut diagnostic =
                    Diagnostic::new(Code::Output, output.span(start..at + name.len()), message);
                diagnostic.help = help;
                found.push(diagnostic);
                at += name.len();
            }
        }
    }
    plain.push_str(&text[at..]);
    if !plain.is_empty() {
        parts.push(OutputPart::Text(plain));
    }
    parts
}

fn is_transformer(name: &str) -> bool {
    ast::Transformer::ALL
        .iter()
        .any(|transformer| transformer.name() == name)
}

/// The transformer at `at`, and its length.
fn transformed(
    output: &Text,
    at: usize,
    found: &mut Vec<Diagnostic>,
) -> Option<(Transform, usize)> {
    let mut end = (at + TRANSFORMER_BYTES_MAX).min(output.len());
    while !output.as_str().is_char_boundary(end) {
        end -= 1;
    }
    let mut rest = Text::default();
    rest.push_part(output, at..end);
    let mut diagnostics = Diagnostics::default();
    let transform = parse::transform(&rest, &mut diagnostics);
    found.extend(diagnostics.finish().into_iter().map(|mut wrong| {
        wrong.code = Code::Output;
        wrong
    }));
    transform
}
