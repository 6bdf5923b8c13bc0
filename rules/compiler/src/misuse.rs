//! Values that are probably meant to be something else, or need less: a field's name or a
//! transformer, which on the right of an operator is but text unless `val()` or the transformer's
//! form makes it more; a list's name with a mistake in it; a regular expression without anything
//! that only such can say.
//!
//! Judges by how a value looks. Whether the comparison is sound is left to `lower`.

use crate::ast::{Expr, Kind, Operator, Right, Transformer, Value};
use crate::collect::Collected;
use crate::compiled::quoted;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::resolve::Resolved;
use crate::similar::Suggestions;
use crate::text::Text;
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use saker_rules_schema::field::{Field, FieldRef};

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
                let regex = test.operator == Operator::Regex;
                for value in values {
                    let simple = regex.then(|| simple_regex(value)).flatten();
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
        if !is_bare || value.text.contains(['/', '.']) {
            return None;
        }
        let lists = &self.collected.lists;
        let names = lists.iter().map(|list| list.name.as_str());
        let mut help = self.suggestions.did_you_mean(&value.text, names)?;
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

/// A warning, if all that a regular expression leaves open is what comes before and behind.
fn simple_regex(value: &Value) -> Option<Diagnostic> {
    const OPEN: [&str; 3] = [".*", ".+", ".?"];
    // An expression is held against the whole text, anchors or not.
    let mut text = value.text.strip_prefix('^').unwrap_or(&value.text);
    text = text.strip_suffix('$').unwrap_or(text);
    let open_before = OPEN.iter().find_map(|open| text.strip_prefix(open));
    text = open_before.unwrap_or(text);
    // What is left of an escaped dot is a backslash, and that is special as well.
    let open_behind = OPEN.iter().find_map(|open| text.strip_suffix(open));
    text = open_behind.unwrap_or(text);
    let special = [
        '.', '*', '+', '?', '^', '$', '(', ')', '[', ']', '{', '}', '|', '\\',
    ];
    if text.is_empty() || text.contains(special) {
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
            .help(format!(
                "write `{operator} {}`, or `glob` with `*` and `?`",
                quoted(text)
            )),
    )
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
        let help = format!("write `val({text})` if the field's value is meant");
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
