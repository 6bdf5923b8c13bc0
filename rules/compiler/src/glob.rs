//! Glob patterns, as `fnmatch` without flags reads them: `*`, `?`, `[a-z]`, `[!a]`, `\`.

use crate::ir::{Pattern, Piece};

/// No pattern has more pieces: matching costs text times pieces at worst.
const PIECES_MAX: usize = 1024;

/// Takes a pattern apart; `None` if it has too many pieces.
pub(crate) fn pattern(text: &[u8]) -> Option<Pattern> {
    let pieces = pieces(text);
    (pieces.len() <= PIECES_MAX).then_some(Pattern(pieces))
}

/// The same pattern for letters of either case (`iglob`).
pub(crate) fn folded(pattern: Pattern) -> Pattern {
    let both = |byte: u8| [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
    let fold = |piece| match piece {
        Piece::Byte(byte) if byte.is_ascii_alphabetic() => Piece::Class {
            negated: false,
            ranges: both(byte).map(|byte| (byte, byte)).to_vec(),
        },
        Piece::Class { negated, ranges } => Piece::Class {
            negated,
            ranges: (0..=u8::MAX)
                .filter(|byte| {
                    both(*byte).iter().any(|byte| {
                        let inside = |(first, last): &(u8, u8)| (*first..=*last).contains(byte);
                        ranges.iter().any(inside)
                    })
                })
                .map(|byte| (byte, byte))
                .collect(),
        },
        other => other,
    };
    Pattern(pattern.0.into_iter().map(fold).collect())
}

/// The pieces of a pattern. An unclosed `[` stands for itself.
pub(crate) fn pieces(text: &[u8]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        let piece = match byte {
            b'*' if pieces.last() == Some(&Piece::Star) => continue,
            b'*' => Piece::Star,
            b'?' => Piece::Any,
            b'\\' => match text.get(at) {
                Some(&next) => {
                    at += 1;
                    Piece::Byte(next)
                }
                None => Piece::Byte(b'\\'),
            },
            b'[' => match class(&text[at..]) {
                Some((piece, len)) => {
                    at += len;
                    piece
                }
                None => Piece::Byte(b'['),
            },
            other => Piece::Byte(other),
        };
        pieces.push(piece);
    }
    pieces
}

/// What follows a `[`, and how long it is.
fn class(text: &[u8]) -> Option<(Piece, usize)> {
    let negated = matches!(text.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let mut at = start;
    let mut ranges = Vec::new();
    loop {
        if let Some((named, len)) = named_class(&text[at..]) {
            ranges.extend_from_slice(named);
            at += len;
            continue;
        }
        let mut first = *text.get(at)?;
        if first == b']' && at > start {
            return Some((Piece::Class { negated, ranges }, at + 1));
        }
        at += 1;
        if first == b'\\' {
            first = *text.get(at)?;
            at += 1;
        }
        let mut last = first;
        if text.get(at) == Some(&b'-') && text.get(at + 1).is_some_and(|next| *next != b']') {
            last = text[at + 1];
            at += 2;
            if last == b'\\' {
                last = *text.get(at)?;
                at += 1;
            }
        }
        ranges.push((first, last));
    }
}

/// The bytes of a class such as `[:alpha:]` (POSIX, "C" locale) that the text begins with, and how
/// long its name is.
fn named_class(text: &[u8]) -> Option<(&'static [(u8, u8)], usize)> {
    let name = text.strip_prefix(b"[:")?;
    let end = name.windows(2).position(|pair| pair == b":]")?;
    let ranges: &[(u8, u8)] = match &name[..end] {
        b"alnum" => &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')],
        b"alpha" => &[(b'A', b'Z'), (b'a', b'z')],
        b"blank" => &[(b'\t', b'\t'), (b' ', b' ')],
        b"cntrl" => &[(0, 31), (127, 127)],
        b"digit" => &[(b'0', b'9')],
        b"graph" => &[(b'!', b'~')],
        b"lower" => &[(b'a', b'z')],
        b"print" => &[(b' ', b'~')],
        b"punct" => &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')],
        b"space" => &[(b'\t', b'\r'), (b' ', b' ')],
        b"upper" => &[(b'A', b'Z')],
        b"xdigit" => &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')],
        _ => return None,
    };
    Some((ranges, end + 4))
}

impl Piece {
    /// Whether it, standing for one byte, stands for this one.
    pub(crate) fn takes(&self, byte: u8) -> bool {
        match self {
            Piece::Byte(own) => *own == byte,
            Piece::Any => true,
            Piece::Star => false,
            Piece::Class { negated, ranges } => {
                ranges
                    .iter()
                    .any(|(first, last)| (*first..=*last).contains(&byte))
                    != *negated
            }
        }
    }
}

impl Pattern {
    /// Whether the whole text matches. Only the last star met is ever retried.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        let pieces = &self.0;
        let (mut piece, mut at) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while at < text.len() {
            match pieces.get(piece) {
                Some(Piece::Star) => {
                    piece += 1;
                    retry = Some((piece, at));
                }
                Some(other) if other.takes(text[at]) => {
                    piece += 1;
                    at += 1;
                }
                Some(_) | None => match retry {
                    Some((star, from)) => {
                        piece = star;
                        at = from + 1;
                        retry = Some((star, at));
                    }
                    None => return false,
                },
            }
        }
        pieces[piece..].iter().all(|piece| *piece == Piece::Star)
    }
}
