//! Bytes from outside as text that can be shown: Falco's ways to do so, of which there are three.

use std::borrow::Cow;

/// Stands for what cannot be shown.
const REPLACEMENT: &str = "\u{fffd}";

/// Of bytes, no more are shown: Falco puts them together in a buffer of 1 KiB.
pub(crate) const BYTES_SHOWN: usize = 1021;

/// Appends text, with U+FFFD in place of each control character, each character that Unicode
/// sets aside, and each part that is no UTF-8.
pub(crate) fn push_text(text: &[u8], out: &mut Vec<u8>) {
    // Most texts are plain.
    if text.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        out.extend_from_slice(text);
        return;
    }
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            let shown = match character.is_control() || is_set_aside(character) {
                true => char::REPLACEMENT_CHARACTER,
                false => character,
            };
            out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(REPLACEMENT.as_bytes());
        }
    }
}

/// The same as text of its own.
pub(crate) fn text(text: &[u8]) -> Cow<'_, str> {
    let is_plain = text.iter().all(|byte| matches!(byte, b' '..=b'~'));
    match std::str::from_utf8(text) {
        Ok(text) if is_plain => Cow::Borrowed(text),
        Ok(_) | Err(_) => {
            let mut out = Vec::new();
            push_text(text, &mut out);
            // What cannot be shown was replaced.
            Cow::Owned(String::from_utf8_lossy(&out).into_owned())
        }
    }
}

/// Whether a terminal would obey the character, a reader end a line with it, or the direction of
/// writing turn: what no text from outside may do.
pub(crate) fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

/// Whether Unicode has no character there, and never will.
fn is_set_aside(character: char) -> bool {
    let number = u32::from(character);
    number & 0xfffe == 0xfffe || (0xfdd0..=0xfdef).contains(&number)
}

/// Appends bytes, with a dot in place of each that is no printable ASCII.
pub(crate) fn push_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(bytes.iter().map(|byte| match *byte {
        byte @ b' '..=b'~' => byte,
        _ => b'.',
    }));
}

/// The same as text, of which no more than [`BYTES_SHOWN`] are shown.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    push_bytes(&bytes[..bytes.len().min(BYTES_SHOWN)], &mut out);
    // They are ASCII.
    String::from_utf8(out).unwrap_or_default()
}

/// Text as it was given, read in the lenient way of the library that writes Falco's JSON: of a
/// character of several bytes only the first is looked at, and the others are taken for what they
/// should be. So that what is shown may be another character, or take in what comes behind it.
pub(crate) fn lenient(text: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        let (character, taken) = lenient_character(*first, rest);
        out.push(character);
        rest = rest.get(taken..).unwrap_or_default();
    }
    Cow::Owned(out)
}

/// The character that begins with that byte, and how many bytes it takes.
fn lenient_character(first: u8, rest: &[u8]) -> (char, usize) {
    let (len, bits, least) = match first {
        0..0x80 => return (char::from(first), 1),
        0x80..0xe0 => (2, first & 0x1f, 0x80),
        0xe0..0xf0 => (3, first & 0x0f, 0x800),
        0xf0..0xf8 => (4, first & 0x07, 0x10000),
        0xf8.. => return (char::REPLACEMENT_CHARACTER, 1),
    };
    let Some(others) = rest.get(1..len) else {
        return (char::REPLACEMENT_CHARACTER, 1);
    };
    let number = others.iter().fold(u32::from(bits), |number, byte| {
        number << 6 | u32::from(byte & 0x3f)
    });
    let character = char::from_u32(number).filter(|_| number >= least);
    (character.unwrap_or(char::REPLACEMENT_CHARACTER), len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &[u8]) -> String {
        let mut out = Vec::new();
        push_text(text, &mut out);
        String::from_utf8(out).expect("what is shown is text")
    }

    #[test]
    fn text_is_shown_without_what_could_control_a_terminal() {
        assert_eq!(shown(b"plain"), "plain");
        assert_eq!(shown("å€😮".as_bytes()), "å€😮");
        assert_eq!(
            shown(b"tab\there\x1b[31m\x7f"),
            "tab\u{fffd}here\u{fffd}[31m\u{fffd}"
        );
        assert_eq!(
            shown("\u{85}\u{fdd0}\u{ffff}\u{1fffe}".as_bytes()),
            REPLACEMENT.repeat(4)
        );
        // As many as Unicode recommends.
        assert_eq!(shown(b"\xf0\x9f\x98"), REPLACEMENT);
        assert_eq!(shown(b"\xed\xa0\x80"), REPLACEMENT.repeat(3));
        assert_eq!(shown(b"\xc3("), "\u{fffd}(");
    }

    #[test]
    fn bytes_are_shown_as_dots_unless_they_are_printable() {
        let mut out = b"kept".to_vec();
        push_bytes(b"a\0b\x7f\xc3~ ", &mut out);
        assert_eq!(out, b"kepta.b..~ ");
        assert_eq!(bytes(&[b'x'; 2000]).len(), BYTES_SHOWN);
    }

    #[test]
    fn raw_text_is_read_leniently() {
        assert_eq!(lenient(b"tab\there"), "tab\there");
        assert_eq!(lenient(b"caf\xe9.r"), "caf鮲");
        assert_eq!(lenient(b"\xc3("), "è");
        assert_eq!(lenient(b"\xf0\x9f\x98"), "\u{fffd}ߘ");
        assert_eq!(lenient(b"\xf0\x9f\x98.r"), "😮r");
        assert_eq!(lenient(b"\xed\xa0\x80"), "\u{fffd}");
        assert_eq!(lenient(b"\xff\xfea\xc0\x80"), "\u{fffd}\u{fffd}a\u{fffd}");
        for first in 0..=255u8 {
            for second in [0, b'a', 0x80, 0xbf, 0xff] {
                let text = [first, second, second];
                for len in 0..=3 {
                    let _ = lenient(&text[..len]);
                }
            }
        }
    }
}
