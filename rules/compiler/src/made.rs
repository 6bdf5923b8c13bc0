//! What a [`Term`] amounts to, given the values of its fields: Falco's transformers, and the
//! comparison of one value with another. Whoever writes rows, and whoever evaluates without rows,
//! asks here.

use crate::glob;
use crate::oracle::Value;
use saker_rules_schema::field::FieldRef;
use saker_rules_schema::row::{LIST_LEN_MAX, STRING_BYTES_MAX};
use saker_rules_schema::term::{Comparison, Term, Transformer};
use std::borrow::Cow;

/// A text that is put together has no more bytes: one more than a row holds, so that a row shows
/// that it was cut, and counts it, as it does with any other text that is too long.
const MADE_BYTES_MAX: usize = STRING_BYTES_MAX + 1;

/// The value of a term; none if it is absent. `field` gives those of fields. No text that is put
/// together is longer than [`MADE_BYTES_MAX`], no list than [`LIST_LEN_MAX`]; what is beyond is
/// cut.
pub fn value<'v>(
    term: &'v Term,
    field: &mut dyn FnMut(&'v FieldRef) -> Option<Value<'v>>,
) -> Option<Value<'v>> {
    match term {
        Term::Field(reference) => field(reference),
        Term::Text(text) => Some(Value::Text(Cow::Borrowed(text.as_bytes()))),
        Term::List(parts) => {
            let values = parts.iter().take(LIST_LEN_MAX);
            let values: Option<Vec<Value<'v>>> = values.map(|part| value(part, field)).collect();
            values.map(Value::List)
        }
        Term::Made(transformer, arguments) => {
            let mut argument = |at: usize| value(arguments.get(at)?, field);
            match transformer {
                Transformer::ToLower => each(argument(0)?, &|text| Some(text.to_ascii_lowercase())),
                Transformer::ToUpper => each(argument(0)?, &|text| Some(text.to_ascii_uppercase())),
                Transformer::B64 => each(argument(0)?, &decoded),
                Transformer::Basename => each(argument(0)?, &|text| {
                    let start = memchr::memrchr(b'/', text).map_or(0, |slash| slash + 1);
                    Some(text[start..].to_vec())
                }),
                Transformer::Len => Some(Value::Number(match argument(0)? {
                    Value::List(values) => values.len() as i128,
                    Value::Text(text) | Value::Ip(text) => text.len() as i128,
                    Value::Number(_) | Value::Bool(_) => return None,
                })),
                Transformer::Join => {
                    let between = argument(0)?;
                    let between = as_text(&between)?;
                    joined(&between, values_of(argument(1)?))
                }
                Transformer::Concat => {
                    let values: Option<Vec<Value<'v>>> =
                        (0..arguments.len()).map(argument).collect();
                    joined(b"", values?)
                }
                Transformer::GetOpt => {
                    let letters = argument(1)?;
                    let letters = as_text(&letters)?;
                    let only = match arguments.get(2) {
                        Some(_) => Some(*as_text(&argument(2)?)?.first()?),
                        None => None,
                    };
                    options(&values_of(argument(0)?), &letters, only)
                }
            }
        }
        Term::Compared(comparison, sides) => {
            let left = value(&sides[0], field)?;
            let right = value(&sides[1], field)?;
            Some(Value::Bool(compared(*comparison, &left, &right)))
        }
    }
}

fn values_of(value: Value<'_>) -> Vec<Value<'_>> {
    match value {
        Value::List(values) => values,
        single @ (Value::Text(_) | Value::Ip(_) | Value::Number(_) | Value::Bool(_)) => {
            vec![single]
        }
    }
}

/// A value as it stands in an output.
fn as_text<'v>(value: &'v Value<'_>) -> Option<Cow<'v, [u8]>> {
    Some(match value {
        Value::Text(text) => Cow::Borrowed(text),
        Value::Number(number) => Cow::Owned(number.to_string().into_bytes()),
        Value::Bool(flag) => Cow::Borrowed(if *flag { b"true" } else { b"false" }),
        Value::Ip(address) => {
            let address = match (address.first_chunk::<4>(), address.first_chunk::<16>()) {
                (_, Some(bytes)) => std::net::IpAddr::from(*bytes),
                (Some(bytes), None) => std::net::IpAddr::from(*bytes),
                (None, None) => return None,
            };
            Cow::Owned(address.to_string().into_bytes())
        }
        Value::List(_) => return None,
    })
}

/// The text, or each of a list's, made anew; absent if one of them cannot be.
fn each<'v>(value: Value<'v>, make: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Value<'v>> {
    match value {
        Value::Text(text) => Some(Value::Text(Cow::Owned(make(&text)?))),
        Value::List(values) => {
            let values: Option<Vec<Value<'v>>> =
                values.into_iter().map(|value| each(value, make)).collect();
            values.map(Value::List)
        }
        Value::Ip(_) | Value::Number(_) | Value::Bool(_) => None,
    }
}

fn joined<'v>(between: &[u8], values: Vec<Value<'_>>) -> Option<Value<'v>> {
    let mut text = Vec::new();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            text.extend_from_slice(between);
        }
        text.extend_from_slice(&as_text(value)?);
        text.truncate(MADE_BYTES_MAX);
    }
    Some(Value::Text(Cow::Owned(text)))
}

/// Base64 (RFC 4648) decoded; the padding may be left out.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine;
    use base64::alphabet::STANDARD;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    LENIENT.decode(text).ok()
}

/// Which options a program's arguments give. As Falco, and unlike getopt(3), it passes over long
/// options, and an option that lacks its value gives an empty text and not its letter.
fn options<'v>(arguments: &[Value<'_>], letters: &[u8], only: Option<u8>) -> Option<Value<'v>> {
    let letters = letters.strip_prefix(b":").unwrap_or(letters);
    let takes_value = |letter: u8| -> Option<bool> {
        let at = letters.iter().position(|known| *known == letter)?;
        (letter != b':').then(|| letters.get(at + 1) == Some(&b':'))
    };
    let texts: Option<Vec<_>> = arguments.iter().map(as_text).collect();
    let texts = texts?;
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut last: Option<Vec<u8>> = None;
    let mut rest = texts.iter();
    while let Some(argument) = rest.next() {
        match argument.as_ref() {
            b"--" => break,
            [b'-', b'-', ..] => continue,
            [b'-', _, ..] => {}
            _ => break,
        }
        for (at, &letter) in argument.iter().enumerate().skip(1) {
            let Some(takes_value) = takes_value(letter) else {
                found.push(b"?".to_vec());
                continue;
            };
            if !takes_value {
                found.push(vec![letter]);
                if only == Some(letter) {
                    last = Some(vec![letter]);
                }
                continue;
            }
            let value = match &argument[at + 1..] {
                [] => rest.next().map(|value| value.to_vec()),
                attached => Some(attached.to_vec()),
            };
            if value.is_some() {
                found.push(vec![letter]);
            }
            let value = value.unwrap_or_default();
            if only == Some(letter) {
                last = Some(value.clone());
            }
            found.push(value);
            break;
        }
        found.truncate(LIST_LEN_MAX);
    }
    let text = |text: Vec<u8>| Value::Text(Cow::Owned(text));
    match only {
        Some(_) => last.map(text),
        None => Some(Value::List(found.into_iter().map(text).collect())),
    }
}

fn compared(comparison: Comparison, left: &Value<'_>, right: &Value<'_>) -> bool {
    // Of all ancestors, one is enough.
    if let Value::List(values) = left
        && !matches!(comparison, Comparison::In | Comparison::Intersects)
    {
        return values.iter().any(|left| compared(comparison, left, right));
    }
    let values = |value: &'_ Value<'_>| -> Vec<Value<'static>> {
        values_of(value.clone()).into_iter().map(owned).collect()
    };
    match comparison {
        Comparison::In => {
            let right = values(right);
            values(left).iter().all(|value| right.contains(value))
        }
        Comparison::Intersects => {
            let right = values(right);
            values(left).iter().any(|value| right.contains(value))
        }
        Comparison::Equal => left == right,
        Comparison::Differs => left != right,
        Comparison::Less
        | Comparison::LessEqual
        | Comparison::Greater
        | Comparison::GreaterEqual => {
            let order = match (left, right) {
                (Value::Number(left), Value::Number(right)) => left.cmp(right),
                (Value::Text(left), Value::Text(right)) => left.cmp(right),
                _ => return false,
            };
            match comparison {
                Comparison::Less => order.is_lt(),
                Comparison::LessEqual => order.is_le(),
                Comparison::Greater => order.is_gt(),
                _ => order.is_ge(),
            }
        }
        Comparison::Contains
        | Comparison::IContains
        | Comparison::StartsWith
        | Comparison::EndsWith
        | Comparison::Glob
        | Comparison::IGlob
        | Comparison::PMatch => {
            let Value::Text(left) = left else {
                return false;
            };
            let matches = |right: &[u8]| match comparison {
                Comparison::Contains => memchr::memmem::find(left, right).is_some(),
                Comparison::IContains => {
                    memchr::memmem::find(&left.to_ascii_lowercase(), &right.to_ascii_lowercase())
                        .is_some()
                }
                Comparison::StartsWith => left.starts_with(right),
                Comparison::EndsWith => left.ends_with(right),
                Comparison::Glob => glob::pattern(right).is_some_and(|glob| glob.matches(left)),
                Comparison::IGlob => {
                    glob::pattern(right).is_some_and(|glob| glob::folded(glob).matches(left))
                }
                _ => lies_in(left, right),
            };
            values(right)
                .iter()
                .any(|value| matches!(value, Value::Text(right) if matches(right)))
        }
    }
}

fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        Value::Ip(address) => Value::Ip(Cow::Owned(address.into_owned())),
        Value::Number(number) => Value::Number(number),
        Value::Bool(flag) => Value::Bool(flag),
        Value::List(values) => Value::List(values.into_iter().map(owned).collect()),
    }
}

/// Whether a path is the other or lies below it, whose components may be glob patterns.
fn lies_in(path: &[u8], above: &[u8]) -> bool {
    let components =
        |path| <[u8]>::split(path, |byte| *byte == b'/').filter(|part| !part.is_empty());
    let mut path = components(path);
    components(above).all(|above| {
        path.next()
            .is_some_and(|own| glob::pattern(above).is_some_and(|glob| glob.matches(own)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Term {
        Term::Text(text.into())
    }

    fn made(transformer: Transformer, arguments: &[Term]) -> Option<Value<'static>> {
        let term = Term::Made(transformer, arguments.to_vec());
        value(&term, &mut |_| None).map(owned)
    }

    fn shown(value: Option<Value<'_>>) -> Option<String> {
        let text = as_text(&value?)?.into_owned();
        Some(String::from_utf8(text).expect("the tests' texts are UTF-8"))
    }

    #[test]
    fn base64_needs_no_padding_and_no_whole_last_byte() {
        for (encoded, decoded) in [
            ("bmM=", Some("nc")),
            ("bmM", Some("nc")),
            ("L2V0Yy9zaGFkb3c", Some("/etc/shadow")),
            ("", Some("")),
            ("n c", None),
            ("bmM*", None),
        ] {
            let value = made(Transformer::B64, &[text(encoded)]);
            assert_eq!(shown(value).as_deref(), decoded, "{encoded}");
        }
    }

    #[test]
    fn the_last_part_of_a_path_is_what_follows_the_last_slash() {
        for (path, name) in [("/a/b", "b"), ("b", "b"), ("/a/", ""), ("", ""), ("/", "")] {
            let value = made(Transformer::Basename, &[text(path)]);
            assert_eq!(shown(value).as_deref(), Some(name), "{path}");
        }
    }

    #[test]
    fn options_are_read_as_falco_reads_them() {
        let read = |arguments: &[&str], letters: &str, only: Option<&str>| {
            let list = Term::List(arguments.iter().map(|argument| text(argument)).collect());
            let mut parts = vec![list, text(letters)];
            parts.extend(only.map(text));
            made(Transformer::GetOpt, &parts).map(|value| {
                let values = values_of(value).into_iter();
                let texts: Vec<String> = values.filter_map(|value| shown(Some(value))).collect();
                texts.join(",")
            })
        };
        for (arguments, letters, options) in [
            (&["-e", "/bin/sh", "host"][..], "e:", "e,/bin/sh"),
            (&["-lpe", "4444"], "lpe:", "l,p,e,4444"),
            (&["-e/bin/sh"], "e:", "e,/bin/sh"),
            (&["-l", "--", "-e"], "le", "l"),
            (&["--exec", "-l"], "l", "l"),
            (&["host", "-l"], "l", ""),
            (&["-", "-l"], "l", ""),
            (&["-x", "-:"], ":l", "?,?"),
            (&["-e"], ":e:", ""),
        ] {
            let found = read(arguments, letters, None);
            assert_eq!(found.as_deref(), Some(options), "{arguments:?}");
        }
        assert_eq!(read(&["-t1", "-t2"], "t:", Some("t")).as_deref(), Some("2"));
        assert_eq!(read(&["-n"], "n", Some("n")).as_deref(), Some("n"));
        assert_eq!(read(&["-n"], "nt:", Some("t")), None);
    }

    #[test]
    fn a_text_put_together_has_a_bound() {
        let long = text(&"x".repeat(STRING_BYTES_MAX));
        let mut term = Term::Made(Transformer::Concat, vec![long.clone(), long]);
        for _ in 0..20 {
            term = Term::Made(Transformer::Concat, vec![term.clone(), text("y")]);
        }
        let Some(Value::Text(text)) = value(&term, &mut |_| None) else {
            panic!("it is a text");
        };
        assert_eq!(text.len(), MADE_BYTES_MAX);
    }

    #[test]
    fn values_compare_by_order_pattern_and_path() {
        let number = |number| Value::Number(number);
        let word = |word: &'static str| Value::Text(Cow::Borrowed(word.as_bytes()));
        let list = |words: &[&'static str]| Value::List(words.iter().map(|w| word(w)).collect());
        for (left, comparison, right, holds) in [
            (number(1), Comparison::Less, number(2), true),
            (number(2), Comparison::LessEqual, number(2), true),
            (number(2), Comparison::Greater, word("1"), false),
            (word("b"), Comparison::GreaterEqual, word("a"), true),
            (word("abc"), Comparison::IContains, word("BC"), true),
            (word("abc"), Comparison::Glob, word("a?c"), true),
            (word("ABC"), Comparison::IGlob, word("a*"), true),
            (word("/a/b/c"), Comparison::PMatch, word("/a/?"), true),
            (word("/a"), Comparison::PMatch, word("/a/b"), false),
            (
                list(&["a", "b"]),
                Comparison::In,
                list(&["b", "a", "c"]),
                true,
            ),
            (list(&["a", "d"]), Comparison::In, list(&["a"]), false),
            (
                list(&["a", "d"]),
                Comparison::Intersects,
                list(&["a"]),
                true,
            ),
            (list(&[]), Comparison::Intersects, list(&["a"]), false),
        ] {
            assert_eq!(
                compared(comparison, &left, &right),
                holds,
                "{left:?} {comparison:?}"
            );
        }
    }
}
