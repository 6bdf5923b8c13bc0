//! The words of a condition: names, fields, values, quoted texts, numbers.

use super::{Failure, Parsed, Parser, is_bare, is_blank, is_word};
use crate::ast::{Field, Value};

impl Parser<'_> {
    pub(super) fn identifier(&mut self) -> Option<String> {
        let rest = self.rest();
        if !rest.first()?.is_ascii_alphabetic() {
            return None;
        }
        let count = rest.iter().take_while(|byte| is_word(**byte)).count();
        let name = &self.text.as_str()[self.at..self.at + count];
        if matches!(name, "and" | "or" | "not") {
            return None;
        }
        self.at += count;
        Some(name.to_string())
    }

    pub(super) fn field(&mut self) -> Parsed<Option<Field>> {
        let start = self.at;
        let rest = self.rest();
        let mut end = 0;
        let mut segments = 0;
        loop {
            let part = &rest[end..];
            if !part.first().is_some_and(u8::is_ascii_alphabetic) {
                break;
            }
            end += part.iter().take_while(|byte| is_word(**byte)).count();
            segments += 1;
            let goes_on = rest.get(end) == Some(&b'.')
                && rest.get(end + 1).is_some_and(u8::is_ascii_alphabetic);
            if !goes_on {
                break;
            }
            end += 1;
        }
        if segments < 2 {
            return Ok(None);
        }
        self.at += end;
        let name = self.text.as_str()[start..self.at].to_string();
        let name_end = self.at;
        let arg = self.argument()?;
        Ok(Some(Field {
            name,
            arg,
            span: self.span(start..self.at),
            arg_span: self.span(name_end..self.at),
        }))
    }

    /// What stands in brackets, if there are brackets.
    pub(super) fn argument(&mut self) -> Parsed<Option<String>> {
        if !self.eat("[") {
            return Ok(None);
        }
        let arg = match self.quoted()? {
            Some(arg) => arg,
            None => {
                let count = self
                    .rest()
                    .iter()
                    .take_while(|byte| {
                        !is_blank(**byte) && !matches!(**byte, b'[' | b']' | b'"' | b'\'')
                    })
                    .count();
                if count == 0 {
                    return Err(Failure::at(
                        self.word_here(),
                        "expected a valid field argument: a quoted string or a bare string",
                    ));
                }
                self.at += count;
                self.text.as_str()[self.at - count..self.at].to_string()
            }
        };
        if !self.eat("]") {
            return Err(Failure::at(self.word_here(), "expected a ']' token"));
        }
        Ok(Some(arg))
    }

    pub(super) fn value(&mut self) -> Parsed<Option<Value>> {
        let start = self.at;
        if let Some(text) = self.quoted()? {
            return Ok(Some(Value {
                text,
                span: self.span(start..self.at),
            }));
        }
        let count = self
            .rest()
            .iter()
            .take_while(|byte| is_bare(**byte))
            .count();
        if count == 0 {
            return Ok(None);
        }
        self.at += count;
        Ok(Some(Value {
            text: self.text.as_str()[start..self.at].to_string(),
            span: self.span(start..self.at),
        }))
    }

    pub(super) fn quoted(&mut self) -> Parsed<Option<String>> {
        let Some(quote @ (b'"' | b'\'')) = self.peek() else {
            return Ok(None);
        };
        let start = self.at;
        let rest = self.rest();
        // A quote ends the text unless the byte before it is a backslash, even an escaped one.
        let end =
            (1..rest.len()).find(|at| rest[*at] == quote && (*at == 1 || rest[at - 1] != b'\\'));
        let Some(end) = end else {
            return Err(Failure::at(start..start + 1, "this quote is never closed")
                .help("add the same quote behind the value"));
        };
        let mut out = Vec::new();
        let mut at = 1;
        while at < end {
            let (byte, len) = match (rest[at], rest[at + 1]) {
                (b'\\', b'b') => (8, 2),
                (b'\\', b'f') => (12, 2),
                (b'\\', b'n') => (b'\n', 2),
                (b'\\', b'r') => (b'\r', 2),
                (b'\\', b't') => (b'\t', 2),
                (b'\\', other @ (b'"' | b'\'')) if other != quote => {
                    return Err(Failure::at(
                        start + at..start + at + 2,
                        "only the quote around a text is escaped in it",
                    )
                    .help("remove the backslash"));
                }
                (b'\\', escaped @ (b'"' | b'\'' | b'\\' | b'/')) => (escaped, 2),
                // An unknown escape stands for itself.
                (byte, _) => (byte, 1),
            };
            out.push(byte);
            at += len;
        }
        let at = end;
        self.at += at + 1;
        Ok(Some(
            String::from_utf8(out).expect("bytes of a string, ASCII exchanged for ASCII"),
        ))
    }

    /// A hexadecimal or decimal number, as written.
    pub(super) fn number(&mut self) -> Option<String> {
        let rest = self.rest();
        let digits = |from: usize| {
            rest[from..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count()
        };
        let end = if rest.starts_with(b"0x") || rest.starts_with(b"0X") {
            let count = rest[2..]
                .iter()
                .take_while(|byte| byte.is_ascii_hexdigit())
                .count();
            if count == 0 {
                return None;
            }
            2 + count
        } else {
            let mut end = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
            let whole = digits(end);
            if whole == 0 {
                return None;
            }
            end += whole;
            if rest.get(end) == Some(&b'.') && digits(end + 1) > 0 {
                end += 1 + digits(end + 1);
            }
            if matches!(rest.get(end), Some(b'e' | b'E')) {
                let sign = usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
                let exponent = digits((end + 1 + sign).min(rest.len()));
                if exponent > 0 {
                    end += 1 + sign + exponent;
                }
            }
            end
        };
        let number = self.text.as_str()[self.at..self.at + end].to_string();
        self.at += end;
        Some(number)
    }
}
