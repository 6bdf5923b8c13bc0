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
    short: Short,
}

/// Those of at most seven bytes, which most values that rules ask for are, as numbers: open
/// addressing, at most half full.
#[derive(Clone, Debug, Default)]
struct Short {
    /// [`Short::key`] and id; id 0 where nothing is.
    places: Vec<(u64, u32)>,
    len: usize,
}

impl Short {
    /// The bytes and, in the highest one, how many there are.
    #[inline]
    fn key(text: &[u8]) -> Option<u64> {
        if text.len() > 7 {
            return None;
        }
        let bytes = text.iter().rev();
        let bytes = bytes.fold(0, |key, byte| key << 8 | u64::from(*byte));
        Some(bytes | (text.len() as u64) << 56)
    }

    #[inline]
    fn places_of(&self, key: u64) -> impl Iterator<Item = usize> {
        // Fibonacci hashing: the high bits of the product depend on all of the key.
        let first = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let mask = self.places.len().wrapping_sub(1);
        (0..self.places.len()).map(move |step| (first as usize + step) & mask)
    }

    #[inline]
    fn id(&self, key: u64) -> u32 {
        for place in self.places_of(key) {
            match self.places[place] {
                (_, 0) => return 0,
                (other, id) if other == key => return id,
                _ => {}
            }
        }
        0
    }

    fn insert(&mut self, key: u64, id: u32) {
        if self.places.len() < 2 * (self.len + 1) {
            let more = (4 * (self.len + 1)).next_power_of_two();
            let before = std::mem::replace(&mut self.places, vec![(0, 0); more]);
            self.len = 0;
            for (key, id) in before.into_iter().filter(|(_, id)| *id != 0) {
                self.insert(key, id);
            }
        }
        let free = self.places_of(key).find(|place| self.places[*place].1 == 0);
        if let Some(free) = free {
            self.places[free] = (key, id);
            self.len += 1;
        }
    }
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
        if let Some(key) = Short::key(literal) {
            self.short.insert(key, id);
        }
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
        match Short::key(text) {
            Some(key) => self.short.id(key),
            None => self.ids.get(text).copied().unwrap_or(0),
        }
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

    #[test]
    fn every_literal_is_found_again_whatever_its_length() {
        let mut literals = Literals::new();
        let all: Vec<String> = (0..5000)
            .map(|n| format!("{n:x}").repeat(n % 4 + 1))
            .collect();
        let mut ids = HashMap::new();
        for text in &all {
            ids.insert(text.as_bytes(), literals.intern(text.as_bytes()));
        }
        assert_eq!(ids.len(), literals.len());
        for text in &all {
            assert_eq!(literals.id(text.as_bytes()), ids[text.as_bytes()]);
        }
        // Bytes of 0 are told from none.
        assert_eq!(literals.id(b"1\0"), 0);
        assert_eq!(literals.id(b"\0"), 0);
        assert_eq!(literals.id(b"zzz"), 0);
    }
}
