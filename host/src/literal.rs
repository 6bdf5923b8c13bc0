//! The table of literals: the strings that occur in loaded rules, and their ids.
//!
//! Only what a rule compares with has an id; everything else is id 0, so that the table stays
//! small and most look-ups end at the filter.

use hashbrown::HashMap;

/// Strings and their ids, which begin at 1.
#[derive(Clone, Debug, Default)]
pub struct Literals {
    ids: HashMap<Box<[u8]>, u32, foldhash::fast::RandomState>,
    /// Bit `last byte % 64` of the word `length % 64`: what no literal looks like.
    filter: Filter,
}

#[derive(Clone, Debug)]
struct Filter([u64; 64]);

impl Default for Filter {
    fn default() -> Filter {
        Filter([0; 64])
    }
}

impl Filter {
    #[inline]
    fn bit(text: &[u8]) -> (usize, u64) {
        let last = text.last().copied().unwrap_or(0);
        (text.len() % 64, 1 << (last % 64))
    }
}

impl Literals {
    /// An empty table.
    pub fn new() -> Literals {
        Literals::default()
    }

    /// The literal's id; a new one if it has none yet.
    pub fn intern(&mut self, literal: &[u8]) -> u32 {
        if let Some(id) = self.ids.get(literal) {
            return *id;
        }
        // Modules are bounded, and with them their literals.
        let id = self.ids.len() as u32 + 1;
        self.ids.insert(literal.into(), id);
        let (word, bit) = Filter::bit(literal);
        self.filter.0[word] |= bit;
        id
    }

    /// The id of a string; 0 if no rule knows it.
    #[inline]
    pub fn id(&self, text: &[u8]) -> u32 {
        let (word, bit) = Filter::bit(text);
        if self.filter.0[word] & bit == 0 {
            return 0;
        }
        self.ids.get(text).copied().unwrap_or(0)
    }

    /// How many literals there are; ids are at most this.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_have_ids_and_nothing_else_has() {
        let mut literals = Literals::new();
        let (bash, empty) = (literals.intern(b"bash"), literals.intern(b""));
        assert_eq!((bash, empty), (1, 2));
        assert_eq!(literals.intern(b"bash"), bash);
        assert_eq!(literals.id(b"bash"), bash);
        assert_eq!(literals.id(b""), empty);
        assert_eq!(literals.id(b"dash"), 0);
        assert_eq!(literals.id(b"sh"), 0);
        assert_eq!(literals.len(), 2);
    }
}
