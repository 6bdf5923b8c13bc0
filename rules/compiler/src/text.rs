//! Text that remembers, byte by byte, where it was written.
//!
//! Conditions are put together from several places (appended, lists substituted, exceptions
//! added), and a diagnostic must still point at what the author typed. Knows nothing of YAML
//! or of the rule language.

/// A stretch of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Index into the sources given to [`crate::compile`].
    pub source: u32,
    /// First byte.
    pub start: u32,
    /// Byte behind the last.
    pub end: u32,
}

/// A string and the origin of each of its bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text {
    text: String,
    at: Vec<(u32, u32)>,
    /// Where it was written, should it be empty.
    begin: (u32, u32),
}

impl Text {
    /// An empty one, which is written from `offset` of `source` on.
    pub(crate) fn from(source: u32, offset: u32) -> Text {
        Text {
            begin: (source, offset),
            ..Text::default()
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Appends a character written at `offset` of `source`.
    pub(crate) fn push(&mut self, char: char, source: u32, offset: u32) {
        self.text.push(char);
        for byte in 0..char.len_utf8() as u32 {
            self.at.push((source, offset + byte));
        }
    }

    /// Appends text that nobody wrote; it points at `span`.
    pub(crate) fn push_made(&mut self, text: &str, span: Span) {
        self.text.push_str(text);
        self.at
            .extend(std::iter::repeat_n((span.source, span.start), text.len()));
    }

    /// Keeps the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.text.truncate(len);
        self.at.truncate(len);
    }

    /// Appends a part of another text.
    pub(crate) fn push_part(&mut self, other: &Text, range: std::ops::Range<usize>) {
        self.text.push_str(&other.text[range.clone()]);
        self.at.extend_from_slice(&other.at[range]);
    }

    /// Appends another text behind a blank, as Falco's `append` does.
    pub(crate) fn append(&mut self, other: &Text) {
        let end = self.end();
        self.push_made(" ", end);
        self.push_part(other, 0..other.len());
    }

    /// The part of the text without blanks around it.
    pub(crate) fn trimmed(&self) -> Text {
        let trimmed = self.text.trim();
        let start = self.text.len() - self.text.trim_start().len();
        let mut out = Text::from(self.begin.0, self.begin.1);
        out.push_part(self, start..start + trimmed.len());
        out
    }

    /// Where a range of the text was written. A range put together from several places gives
    /// the place of its first byte.
    pub(crate) fn span(&self, range: std::ops::Range<usize>) -> Span {
        let Some(&(source, start)) = self.at.get(range.start) else {
            return self.end();
        };
        let end = range
            .end
            .checked_sub(1)
            .and_then(|last| self.at.get(last))
            .filter(|(last_source, last)| *last_source == source && *last >= start)
            .map_or(start + 1, |(_, last)| last + 1);
        Span { source, start, end }
    }

    /// Where the whole text was written.
    pub(crate) fn whole(&self) -> Span {
        self.span(0..self.text.len())
    }

    fn end(&self) -> Span {
        match self.at.last() {
            Some(&(source, last)) => Span {
                source,
                start: last,
                end: last + 1,
            },
            None => Span {
                source: self.begin.0,
                start: self.begin.1,
                end: self.begin.1,
            },
        }
    }
}
