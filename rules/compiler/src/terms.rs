//! Fields and transformers as written to [`Term`]s: names looked up, arguments held against what
//! each transformer takes.

use crate::ast::{self, Argument, Operand, Transform};
use crate::diagnostic::{Code, Diagnostic};
use crate::lower::compare::what_it_is;
use crate::lower::is_number;
use crate::similar::Suggestions;
use crate::text::Span;
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{Arg, ArgKind, Field, FieldError, FieldRef, Flag, Type};
use saker_rules_schema::term::{Term, Transformer};

/// A diagnostic is large, and rare.
pub(crate) type Lower<T> = Result<T, Box<Diagnostic>>;

pub(crate) fn fault(code: Code, span: Span, message: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::new(code, span, message))
}

/// A term, and the fields in it with their places.
pub(crate) struct Found {
    pub(crate) term: Term,
    pub(crate) fields: Vec<(FieldRef, Span)>,
}

/// A field, or what a transformer makes of fields.
pub(crate) fn operand(operand: &Operand, suggestions: &mut Suggestions) -> Lower<Found> {
    let mut reading = Reading {
        suggestions,
        fields: Vec::new(),
    };
    let term = reading.operand(operand)?;
    let fields = reading.fields;
    Ok(Found { term, fields })
}

/// How a transformer is written.
fn usage(transformer: ast::Transformer) -> &'static str {
    match transformer {
        ast::Transformer::ToLower => "tolower(FIELD)",
        ast::Transformer::ToUpper => "toupper(FIELD)",
        ast::Transformer::B64 => "b64(FIELD)",
        ast::Transformer::Basename => "basename(FIELD)",
        ast::Transformer::Len => "len(FIELD)",
        ast::Transformer::Join => "join(\",\", (FIELD, FIELD))",
        ast::Transformer::Concat => "concat(FIELD, \"text\")",
        ast::Transformer::GetOpt => "getopt((proc.args[0], proc.args[1]), \"ab:\")[b] = VALUE",
        ast::Transformer::Val => "val(FIELD)",
    }
}

struct Reading<'s> {
    suggestions: &'s mut Suggestions,
    fields: Vec<(FieldRef, Span)>,
}

impl Reading<'_> {
    fn operand(&mut self, operand: &Operand) -> Lower<Term> {
        match operand {
            Operand::Field(field) => {
                let reference = field_ref(field, self.suggestions)?;
                self.fields.push((reference.clone(), field.span));
                Ok(Term::Field(reference))
            }
            Operand::Transform(transform) => self.transform(transform),
        }
    }

    fn argument(&mut self, argument: &Argument) -> Lower<Term> {
        match argument {
            Argument::Operand(operand) => self.operand(operand),
            Argument::Text(value) => Ok(Term::Text(value.text.clone())),
            Argument::List(elements) => {
                let elements: Lower<Vec<Term>> = elements
                    .iter()
                    .map(|element| self.argument(element))
                    .collect();
                elements.map(Term::List)
            }
        }
    }

    /// Recursion is bounded by the parser's bound on transformers.
    fn transform(&mut self, transform: &Transform) -> Lower<Term> {
        let mut arguments = Vec::new();
        for argument in &transform.arguments {
            arguments.push(self.argument(argument)?);
        }
        let wrong = |message: String| {
            let mut wrong = fault(Code::Transformer, transform.span, message);
            wrong.help = Some(format!("write `{}`", usage(transform.transformer)));
            Err(wrong)
        };
        let transformer = match transform.transformer {
            ast::Transformer::ToLower => Transformer::ToLower,
            ast::Transformer::ToUpper => Transformer::ToUpper,
            ast::Transformer::B64 => Transformer::B64,
            ast::Transformer::Basename => Transformer::Basename,
            ast::Transformer::Len => Transformer::Len,
            ast::Transformer::Join => Transformer::Join,
            ast::Transformer::Concat => Transformer::Concat,
            ast::Transformer::GetOpt => Transformer::GetOpt,
            // The field itself: only where it stands makes a difference.
            ast::Transformer::Val => {
                return match arguments.pop() {
                    Some(field) => Ok(field),
                    None => wrong("`val` takes a field".into()),
                };
            }
        };
        let name = transformer.name();
        let untransformed = arguments
            .iter()
            .filter_map(Term::field)
            .find(|field| field.field.has(Flag::NoTransformer));
        if let Some(field) = untransformed {
            let message = format!("field `{field}` cannot be transformed");
            return Err(fault(Code::Transformer, transform.span, message));
        }
        let takes = |term: &Term, kinds: &[Type]| kinds.contains(&term.kind());
        match (transformer, arguments.as_slice()) {
            (Transformer::ToLower | Transformer::ToUpper | Transformer::Basename, [text])
                if takes(text, &[Type::Text]) => {}
            (Transformer::B64, [text]) if takes(text, &[Type::Text, Type::Bytes]) => {}
            (Transformer::Len, [text])
                if text.is_many() || takes(text, &[Type::Text, Type::Bytes]) => {}
            (
                Transformer::ToLower
                | Transformer::ToUpper
                | Transformer::Basename
                | Transformer::B64
                | Transformer::Len,
                [other, ..],
            ) => {
                let message = format!(
                    "`{name}` takes a text, and `{other}` is {}",
                    what_it_is(other.kind())
                );
                let mut wrong = fault(Code::Transformer, transform.span, message);
                wrong.help = Some("`saker list fields` shows which fields are texts".into());
                return Err(wrong);
            }
            (Transformer::Join, [between, list]) => {
                if between.is_many() || !takes(between, &[Type::Text]) {
                    return wrong("what `join` puts between must be a text".into());
                }
                if !list.is_many() {
                    return wrong(format!("`join` takes a list, and `{list}` is none"));
                }
            }
            (Transformer::Concat, texts) => {
                if texts.len() < 2 {
                    return wrong("`concat` takes two texts or more".into());
                }
                let other = texts
                    .iter()
                    .find(|text| text.is_many() || !takes(text, &[Type::Text]));
                if let Some(other) = other {
                    return wrong(format!("`concat` takes texts, and `{other}` is none"));
                }
            }
            (Transformer::GetOpt, [list, _]) => {
                if !list.is_many() || !takes(list, &[Type::Text]) {
                    return wrong(format!(
                        "`getopt` takes a list of texts, and `{list}` is none"
                    ));
                }
            }
            (Transformer::Join | Transformer::GetOpt, _) | (_, []) => {
                return wrong(format!("`{name}` takes other arguments"));
            }
        }
        if let Some(key) = &transform.key {
            if key.len() != 1 {
                return wrong("an option that `getopt` looks for is one letter".into());
            }
            arguments.push(Term::Text(key.clone()));
        }
        Ok(Term::Made(transformer, arguments))
    }
}

/// What is to be said of a field that Saker does not know, and the help.
pub(crate) fn unknown_field(name: &str, suggestions: &mut Suggestions) -> (String, String) {
    let names = Field::ALL.iter().map(|field| field.name());
    (
        format!("unknown field `{name}`"),
        suggestions
            .did_you_mean(&name.to_ascii_lowercase(), names)
            .or_else(|| bracketed(name).map(|meant| format!("did you mean `{meant}`?")))
            .unwrap_or_else(|| "`saker list fields` shows all fields".into()),
    )
}

/// A field whose argument stands behind a dot, as it is written.
pub(crate) fn bracketed(name: &str) -> Option<String> {
    name.match_indices('.').rev().find_map(|(at, _)| {
        let field = Field::by_name(&name[..at])?;
        let takes_name = !matches!(field.arg(), ArgKind::None | ArgKind::Index | ArgKind::Side);
        takes_name.then(|| format!("{}[{}]", &name[..at], &name[at + 1..]))
    })
}

/// The fault, if the field is an event's argument and no event has one of that name. As for Falco,
/// a name that begins with a known one will do.
pub(crate) fn unknown_argument(
    field: &FieldRef,
    span: Span,
    suggestions: &mut Suggestions,
) -> Option<Box<Diagnostic>> {
    /// Of events that Saker has none of.
    const OF_OTHERS: [&str; 3] = ["image", "res_or_fd", "tags"];
    let (Field::EvtArg | Field::EvtRawarg, Arg::Key(key)) = (field.field, &field.arg) else {
        return None;
    };
    let names = || {
        let params = EventType::ALL.iter().flat_map(|event| event.params());
        params.map(|param| param.name).chain(OF_OTHERS)
    };
    if is_number(key) || names().any(|name| key.starts_with(name)) {
        return None;
    }
    let message = format!("unknown event argument `{key}`");
    let mut unknown = fault(Code::UnknownField, span, message);
    let known = suggestions.did_you_mean(key, names());
    let all = || "`saker list events` shows the arguments of all events".into();
    unknown.help = Some(known.unwrap_or_else(all));
    Some(unknown)
}

/// Looks a field up.
pub(crate) fn field_ref(field: &ast::Field, suggestions: &mut Suggestions) -> Lower<FieldRef> {
    let written = match &field.arg {
        Some(arg) => format!("{}[{arg}]", field.name),
        None => field.name.clone(),
    };
    // There, brackets are for the number of an argument.
    let is_by_name = match (field.name.as_str(), &field.arg) {
        ("evt.rawarg", Some(_)) => true,
        ("evt.arg", Some(arg)) => !is_number(arg),
        _ => false,
    };
    if is_by_name {
        let message = format!("field `{}` takes a name behind a dot", field.name);
        let mut diagnostic = fault(Code::FieldArgument, field.arg_span, message);
        diagnostic.help = Some(format!("write `{}.NAME`", field.name));
        return Err(diagnostic);
    }
    let parsed = FieldRef::parse(&written);
    if let Ok(reference) = &parsed
        && let Some(unknown) = unknown_argument(reference, field.span, suggestions)
    {
        return Err(unknown);
    }
    parsed.map_err(|error| match error {
        FieldError::Unknown => {
            let (message, help) = unknown_field(&field.name, suggestions);
            let mut diagnostic = fault(Code::UnknownField, field.span, message);
            diagnostic.help = Some(help);
            diagnostic
        }
        FieldError::Argument => fault(
            Code::FieldArgument,
            field.arg_span,
            format!(
                "field `{}` does not take the argument `{}`",
                field.name,
                field.arg.as_deref().unwrap_or_default()
            ),
        ),
        FieldError::ArgumentMissing => {
            let mut diagnostic = fault(
                Code::FieldArgument,
                field.span,
                format!("field `{}` needs an argument", field.name),
            );
            let usage = Field::by_name(&field.name).map(Field::usage);
            diagnostic.help = usage.map(|usage| format!("write `{usage}`"));
            diagnostic
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Source, compile};

    #[test]
    fn who_writes_a_transformer_as_its_help_says_has_a_rule() {
        for transformer in ast::Transformer::ALL {
            let written = usage(*transformer).replace("FIELD", "proc.name");
            let condition = match (transformer, written.contains(" = ")) {
                (ast::Transformer::Val, _) => format!("proc.pname = {written}"),
                (_, true) => written,
                (_, false) => format!("{written} exists"),
            };
            let text = format!(
                "- rule: R\n  desc: d\n  condition: evt.type = open and {condition}\n  \
                 output: o\n  priority: INFO\n"
            );
            let source = Source {
                name: "usage.yaml".into(),
                text,
            };
            let made = compile(&[source], &Options::default());
            assert!(
                made.ruleset.is_some(),
                "{condition}: {:?}",
                made.diagnostics
            );
        }
    }
}
