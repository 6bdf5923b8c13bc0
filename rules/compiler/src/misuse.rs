//! Values that are probably meant to be something else, or need less: a field's name or a
//! transformer, which on the right of an operator is but text unless `val()` or the transformer's
//! form makes it more; a list's name with a mistake in it; a regular expression without anything
//! that only such can say.
//!
//! Judges by how a value looks. Whether the comparison is sound is left to `lower`.

use crate::ast::{Expr, Kind, Operand, Operator, Right, Test, Transform, Transformer, Value};
use crate::collect::Collected;
use crate::compiled::quoted;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::resolve::Resolved;
use crate::similar::Suggestions;
use crate::text::Text;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use saker_rules_schema::field::{Field, FieldRef, Type};

/// Warns of such values in conditions and macros. Falco takes the blanks out before it looks.
pub(crate) fn warn(collected: &Collected, resolved: &Resolved, diagnostics: &mut Diagnostics) {
    let mut lists = Lists::new(collected);
    let groups: Vec<&str> = (Field::by_group().into_iter())
        .map(|(group, _)| group)
        .collect();
    let mut stack: Vec<&Expr> = resolved.macros.iter().chain(&resolved.rules).collect();
    while let Some(expr) = stack.pop() {
        match &expr.kind {
            Kind::And(parts) | Kind::Or(parts) => stack.extend(parts),
            Kind::Not(part) => stack.push(part),
            Kind::Test(test) => {
                let values = match &test.right {
                    Right::None | Right::Operand(_) => &[],
                    Right::Value(value) => std::slice::from_ref(value),
                    Right::List(values) => values.as_slice(),
                };
                if let (Right::List(_), [value]) = (&test.right, values)
                    && let Some(found) = lists.meant(value)
                {
                    diagnostics.push(found);
                }
                let regex = test.operator == Operator::Regex && is_text(&test.left);
                let equal = matches!(
                    test.operator,
                    Operator::Equal | Operator::Equal2 | Operator::NotEqual | Operator::In
                );
                for value in values {
                    if let Some(found) = equal.then(|| pattern(value)).flatten() {
                        diagnostics.push(found);
                    }
                    if let Some(found) = made_otherwise(test, value) {
                        diagnostics.push(found);
                    }
                    let simple = regex.then(|| simple_regex(value)).flatten();
                    let simple = simple.or_else(|| regex.then(|| no_boundary(value)).flatten());
                    for found in simple.into_iter().chain(look(value, &groups)) {
                        diagnostics.push(found);
                    }
                }
            }
            Kind::Macro(_) | Kind::Invalid => {}
        }
    }
}

/// Names of lists, for values that nearly are one.
struct Lists<'a> {
    collected: &'a Collected,
    /// All that is in any of them; made when it is first asked for.
    items: Option<HashSet<&'a str, FixedState>>,
    suggestions: Suggestions,
}

impl<'a> Lists<'a> {
    fn new(collected: &'a Collected) -> Lists<'a> {
        Lists {
            collected,
            items: None,
            suggestions: Suggestions::default(),
        }
    }

    /// A warning, if a value alone, without quotes, is nearly a list's name and in no list itself.
    fn meant(&mut self, value: &Value) -> Option<Diagnostic> {
        let is_bare = (value.span.end - value.span.start) as usize == value.text.len();
        if !is_bare || value.text.contains(['/', '.']) || value.text.len() < 3 {
            return None;
        }
        if self.collected.macro_named(&value.text).is_some() {
            let message = format!("`{}` is a macro, and no list", value.text);
            return Some(
                Diagnostic::new(Code::NoList, value.span, message)
                    .label("compared as a text")
                    .help("name a list, or quote the text"),
            );
        }
        let lists = &self.collected.lists;
        let names = lists.iter().map(|list| list.name.as_str());
        let meant = self.suggestions.did_you_mean(&value.text, names);
        // Names of lists have words, names of programs hardly ever.
        let mut help = match meant {
            Some(meant) => meant,
            None if value.text.contains('_') && value.text.ends_with('s') => {
                "load the file that defines it first".to_string()
            }
            None => return None,
        };
        let all = || lists.iter().flat_map(|list| &list.items);
        let items = (self.items).get_or_insert_with(|| all().map(Text::as_str).collect());
        if items.contains(value.text.as_str()) {
            return None;
        }
        help += " (quotes say that a text is meant)";
        let message = format!("no list is called `{}`", value.text);
        Some(
            Diagnostic::new(Code::NoList, value.span, message)
                .label("compared as a text")
                .help(help),
        )
    }
}

/// A warning, if a regular expression asks for a backspace, which is what `\b` in quotes is.
fn no_boundary(value: &Value) -> Option<Diagnostic> {
    value.text.contains('\u{8}').then(|| {
        let message = "`\\b` in quotes is the character backspace, not the end of a word";
        Diagnostic::new(Code::MadeOtherwise, value.span, message)
            .label("searched for as it stands")
            .help("there is no sign for the end of a word: write `[^A-Za-z0-9_]`, or without")
    })
}

/// A warning, if all that a regular expression leaves open is what comes before and behind.
fn simple_regex(value: &Value) -> Option<Diagnostic> {
    const ANY: &str = ".*";
    const OPEN: [&str; 3] = [ANY, ".+", ".?"];
    // An expression is held against the whole text, anchors or not.
    let mut text = value.text.strip_prefix('^').unwrap_or(&value.text);
    text = text.strip_suffix('$').unwrap_or(text);
    let before = OPEN.into_iter().find(|open| text.starts_with(open));
    let open_before = before.and_then(|open| text.strip_prefix(open));
    text = open_before.unwrap_or(text);
    // What is left of an escaped dot is a backslash, and that is special as well.
    let behind = OPEN.into_iter().find(|open| text.ends_with(open));
    let open_behind = behind.and_then(|open| text.strip_suffix(open));
    text = open_behind.unwrap_or(text);
    let special = [
        '.', '*', '+', '?', '^', '$', '(', ')', '[', ']', '{', '}', '|', '\\',
    ];
    if text.is_empty() || text.contains(special) || text.contains(char::is_control) {
        return None;
    }
    let operator = match (open_before, open_behind) {
        (None, None) => "=",
        (None, Some(_)) => "startswith",
        (Some(_), None) => "endswith",
        (Some(_), Some(_)) => "contains",
    };
    let message = format!("the regular expression `{}` needs no `regex`", value.text);
    Some(
        Diagnostic::new(Code::SimpleRegex, value.span, message)
            .label("a simpler operator is cheaper")
            .help(match before.into_iter().chain(behind).all(|open| open == ANY) {
                true => format!(
                    "write `{operator} {}`, for which the end of a line is a character like any other",
                    quoted(text)
                ),
                false => "write `glob`, with `*` for `.*` and `?*` for `.+`".into(),
            }),
    )
}

/// Whether what is compared is a text, as a regular expression needs it.
fn is_text(left: &Operand) -> bool {
    match left {
        Operand::Field(field) => {
            Field::by_name(&field.name).is_none_or(|field| field.kind() == Type::Text)
        }
        Operand::Transform(_) => true,
    }
}

/// A warning, if a value is a pattern, or in quotes that are none.
fn pattern(value: &Value) -> Option<Diagnostic> {
    let is_bare = (value.span.end - value.span.start) as usize == value.text.len();
    let is_pattern = is_bare && value.text.len() > 1 && value.text.contains('*');
    let (what, help) = if is_pattern {
        (
            "a pattern",
            "write `glob`; quotes say that the text itself is meant",
        )
    } else if value.text.starts_with(['“', '”', '‘', '’', '„']) {
        (
            "in typographic quotes, which are a part of it",
            "write plain quotes",
        )
    } else {
        return None;
    };
    let message = format!("`{}` is {what}, and is compared as a text", value.text);
    Some(
        Diagnostic::new(Code::PatternAsText, value.span, message)
            .label("this text, as it stands")
            .help(help),
    )
}

/// A warning, if a transformer makes no text with such a value in it.
fn made_otherwise(test: &Test, value: &Value) -> Option<Diagnostic> {
    let Operand::Transform(Transform { transformer, .. }) = &test.left else {
        return None;
    };
    let by_text = matches!(
        test.operator,
        Operator::Equal
            | Operator::Equal2
            | Operator::In
            | Operator::Contains
            | Operator::StartsWith
            | Operator::EndsWith
    );
    let what = match transformer {
        Transformer::ToLower if value.text.contains(|c: char| c.is_ascii_uppercase()) => {
            "has capitals, which `tolower` leaves none"
        }
        Transformer::ToUpper if value.text.contains(|c: char| c.is_ascii_lowercase()) => {
            "has small letters, which `toupper` leaves none"
        }
        Transformer::Basename if value.text.contains('/') => {
            "has a slash, which `basename` leaves none"
        }
        _ => return None,
    };
    by_text.then(|| {
        let message = format!("`{}` {what}", value.text);
        Diagnostic::new(Code::MadeOtherwise, value.span, message).label("nothing is compared equal")
    })
}

/// Fields are of these groups.
fn look(value: &Value, groups: &[&str]) -> Option<Diagnostic> {
    // Neither a field nor a transformer lacks both.
    if !value.text.contains(['.', '(']) {
        return None;
    }
    let text: String = value.text.split_ascii_whitespace().collect();
    let transformer = Transformer::ALL.iter().any(|transformer| {
        let rest = text.strip_prefix(transformer.name());
        rest.is_some_and(|rest| rest.starts_with('(') && rest.ends_with(')'))
    });
    // Most texts with a dot are files and addresses, and lists have thousands of them.
    let is_of_group = || groups.contains(&text.split('.').next().unwrap_or_default());
    let (code, what, help) = if transformer {
        let help = format!("write `{text}` without quotes and blanks if the function is meant");
        (Code::TransformerAsText, "a transformer", help)
    } else if is_of_group() && FieldRef::parse(&text).is_ok() {
        let help = format!("write `= val({text})`, not in a list, if the field's value is meant");
        (Code::FieldAsText, "a field", help)
    } else {
        return None;
    };
    let message = format!("`{}` may be {what}, and is compared as a text", value.text);
    Some(
        Diagnostic::new(code, value.span, message)
            .label("this text, as it stands")
            .help(help),
    )
}
