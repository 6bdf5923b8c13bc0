//! Names and values as the rule language and YAML take them: so that each stands for itself.

use std::fmt::Write as _;

/// A value in the rule language: as it is, or in quotes where it needs them.
pub(super) fn in_rules(
    value: &str,
    is_name: impl Fn(&str) -> bool,
) -> Result<String, &'static str> {
    if is_plain(value) && !is_name(value) {
        return Ok(value.into());
    }
    // A quote behind a backslash does not end a text, even if that stands for itself.
    if value.ends_with('\\') {
        let is_bare = |byte: u8| byte > b' ' && byte < 0x7f && !b"(),=\"'".contains(&byte);
        return match value.bytes().all(is_bare) && !is_name(value) {
            true => Ok(value.into()),
            false => Err(
                "a text with blanks or quotes cannot end with a backslash in the rule \
                          language: compare its beginning",
            ),
        };
    }
    if value.contains('\0') {
        return Err("a text has no byte 0");
    }
    let mut quoted = String::from("\"");
    for char in value.chars() {
        match char {
            char if let Some(escape) = escape_of(char) => quoted.push_str(escape),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    Ok(quoted)
}

/// How a character in quotes is written in YAML as well as in the rule language.
fn escape_of(char: char) -> Option<&'static str> {
    match char {
        '"' => Some("\\\""),
        '\\' => Some("\\\\"),
        '\n' => Some("\\n"),
        '\r' => Some("\\r"),
        '\t' => Some("\\t"),
        _ => None,
    }
}

/// Whether a text stands for itself both in YAML and in the rule language, whatever reads it.
pub(super) fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'/' || byte == b'_';
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.-+".contains(&byte);
    text.bytes().next().is_some_and(first)
        && text.bytes().all(rest)
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        && !["and", "or", "not"].contains(&text)
}

/// A text in YAML, in quotes where it needs them.
pub(super) fn in_yaml(text: &str) -> String {
    if is_plain(text) {
        return text.into();
    }
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            char if let Some(escape) = escape_of(char) => quoted.push_str(escape),
            ' '..='~' => quoted.push(char),
            // What is seen is what is meant: nothing that turns the direction of writing, is not
            // shown, or looks like something else.
            char if char.is_alphanumeric() => quoted.push(char),
            char => {
                // Writing to a String does not fail.
                let _ = match u32::from(char) {
                    code @ ..=0xff => write!(quoted, "\\x{code:02x}"),
                    code @ ..=0xffff => write!(quoted, "\\u{code:04x}"),
                    code => write!(quoted, "\\U{code:08x}"),
                };
            }
        }
    }
    quoted.push('"');
    quoted
}

/// A rule's name, which mostly has blanks.
pub(super) fn in_yaml_key(name: &str) -> String {
    let words = name.split(' ').collect::<Vec<_>>();
    let is_plain = match words.as_slice() {
        [only] => is_plain(only),
        [first, rest @ ..] => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.-+".contains(&byte);
            let is_word = |word: &&str| !word.is_empty() && word.bytes().all(plain);
            is_plain(first) && rest.iter().all(is_word)
        }
        [] => false,
    };
    match is_plain {
        true => name.into(),
        false => in_yaml(name),
    }
}
