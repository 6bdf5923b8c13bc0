//! The module's own memory: what code refers to in it, and where everything lies.

use super::HITS_MAX;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use saker_rules_schema::{abi, row};

/// No set is made that has more members than this, to spare asking several.
const UNION_MAX: usize = 512;
/// Nor one where a set takes so many bits.
const UNION_LITERALS_MAX: usize = 20_000;

/// What nodes refer to in the own memory.
#[derive(Default)]
pub(crate) struct Pool {
    pub(super) literals: Vec<Vec<u8>>,
    pub(super) literal_of: HashMap<Vec<u8>, u32, FixedState>,
    pub(super) sets: Vec<Vec<u32>>,
    pub(super) set_of: HashMap<Vec<u32>, u32, FixedState>,
    pub(super) members: usize,
    pub(super) data: Vec<u8>,
    pub(super) data_of: HashMap<Vec<u8>, u32, FixedState>,
}

impl Pool {
    pub(super) fn literal(&mut self, text: &[u8]) -> u32 {
        if let Some(known) = self.literal_of.get(text) {
            return *known;
        }
        let index = self.literals.len() as u32;
        self.literals.push(text.to_vec());
        self.literal_of.insert(text.to_vec(), index);
        index
    }

    pub(super) fn set(&mut self, texts: &[Vec<u8>]) -> u32 {
        let mut members: Vec<u32> = texts.iter().map(|text| self.literal(text)).collect();
        members.sort_unstable();
        if let Some(known) = self.set_of.get(&members) {
            return *known;
        }
        let index = self.sets.len() as u32;
        self.members += members.len();
        self.sets.push(members.clone());
        self.set_of.insert(members, index);
        index
    }

    /// The set of these (sorted), which spares asking several; none if it were too large for that.
    pub(super) fn union(&mut self, texts: &[&[u8]]) -> Option<u32> {
        if texts.len() > UNION_MAX || self.literals.len() > UNION_LITERALS_MAX {
            return None;
        }
        let members = self.members;
        let texts: Vec<Vec<u8>> = texts.iter().map(|text| text.to_vec()).collect();
        let set = self.set(&texts);
        // The rules name its members elsewhere.
        self.members = members;
        Some(set)
    }

    /// Offset among the data; aligned to 4.
    pub(super) fn data(&mut self, bytes: &[u8]) -> u32 {
        if let Some(known) = self.data_of.get(bytes) {
            return *known;
        }
        while !self.data.len().is_multiple_of(4) {
            self.data.push(0);
        }
        let offset = self.data.len() as u32;
        self.data.extend_from_slice(bytes);
        self.data_of.insert(bytes.to_vec(), offset);
        offset
    }
}

/// Offset of `row` in a process's entry: where its row lies in the window, plus 1; 0 if it has none.
pub(super) const ROW_AT: u32 = 0;
/// Offset of `serial`: that of the row of which the words were computed.
pub(super) const SERIAL_AT: u32 = 8;
/// Offset of `known`: a bit per word that has been computed.
pub(super) const KNOWN_AT: u32 = 16;
/// Offset of the words of bits.
pub(super) const WORDS_AT: u32 = 24;

/// Bytes of the table of entries' addresses by ordinal.
pub(super) const PLACES_BYTES: u32 = row::PROCESS_ROWS_MAX as u32 * 4;

/// Where things lie in the own memory.
#[derive(Clone, Copy, Default)]
pub(crate) struct Addresses {
    pub(super) literal_ids: u32,
    pub(super) sets: u32,
    pub(super) enabled: u32,
    pub(super) matching: u32,
    pub(super) cells: u32,
    pub(super) places: u32,
    pub(super) bits: u32,
    /// Bytes of one process's entry.
    pub(super) stride: u32,
    pub(super) hits: u32,
    pub(super) data: u32,
    pub(super) heap: u32,
}

impl Addresses {
    pub(super) fn new(pool: &Pool, rules: usize, cells: usize, bits: usize) -> Addresses {
        let mut at = 0;
        let mut take = |bytes: usize| {
            let address = at;
            at = (at + bytes as u32).next_multiple_of(8);
            address
        };
        let stride = WORDS_AT + (bits.div_ceil(64) * 8) as u32;
        // The entry of processes without a row, at address 0.
        take(stride as usize);
        Addresses {
            literal_ids: take(pool.literals.len() * 4),
            sets: take(pool.sets.len() * 8),
            enabled: take(rules),
            matching: take(4),
            cells: take(cells.next_multiple_of(8)),
            places: take(PLACES_BYTES as usize),
            bits: take(stride as usize * row::PROCESS_ROWS_MAX),
            stride,
            hits: take(HITS_MAX as usize * abi::HIT_BYTES),
            data: take(pool.data.len()),
            heap: at,
        }
    }
}
