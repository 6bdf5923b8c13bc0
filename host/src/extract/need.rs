//! Which events get a row: those of which something holds that a rule needs, by a few questions to
//! the slots that are written first. What a module is not offered so, none of its rules matches.

use super::row::PlannedSlot;
use crate::literal::Literals;
use memchr::memmem::Finder;
use saker_rules_schema::manifest::{Clue, Need};

/// A need, of slots in a row that is being written.
#[derive(Debug)]
pub(super) struct PlannedNeed {
    number: Option<(PlannedSlot, u64)>,
    clues: Vec<PlannedClue>,
}

#[derive(Debug)]
enum PlannedClue {
    /// Where the slot is that holds any literal.
    Known(usize),
    /// And this one.
    Is(usize, u32),
    /// The text begins so.
    Starts(usize, Box<[u8]>),
    /// This is in the text.
    Contains(usize, Box<Finder<'static>>),
}

/// The needs of an event type, as they can be asked; none where every event gets a row, as also
/// where the module asks for what cannot be answered.
pub(super) fn planned(
    needs: &[Need],
    slots: &[PlannedSlot],
    literals: &Literals,
) -> Vec<PlannedNeed> {
    let all = needs.iter().map(|need| planned_one(need, slots, literals));
    all.collect::<Option<_>>().unwrap_or_default()
}

fn planned_one(need: &Need, slots: &[PlannedSlot], literals: &Literals) -> Option<PlannedNeed> {
    let number = match need.number {
        None => None,
        Some((slot, number)) => {
            let slot = slots.get(usize::from(slot))?;
            Some((slot.is_number().then(|| slot.clone())?, number))
        }
    };
    let clues = need.clues.iter().map(|clue| {
        let slot = slots.get(usize::from(clue.slot()))?;
        let at = slot.is_single_text().then_some(slot.at)?;
        Some(match clue {
            Clue::Known(_) => PlannedClue::Known(at),
            Clue::Is(_, text) => match literals.id(text) {
                0 => return None,
                id => PlannedClue::Is(at, id),
            },
            Clue::Starts(_, text) => {
                PlannedClue::Starts(at, slot.bytes.then(|| text.clone().into())?)
            }
            Clue::Contains(_, text) => {
                let finder = || Box::new(Finder::new(text).into_owned());
                PlannedClue::Contains(at, slot.bytes.then(finder)?)
            }
        })
    });
    Some(PlannedNeed {
        number,
        clues: clues.collect::<Option<_>>()?,
    })
}

impl PlannedNeed {
    /// Whether it holds of the row.
    #[inline]
    pub(super) fn holds(&self, row: &[u8]) -> bool {
        let number = self.number.as_ref().is_none_or(|(slot, number)| {
            let (at, mask) = slot.presence;
            word(row, at) & mask != 0 && word(row, slot.at) == *number
        });
        number && (self.clues.is_empty() || self.clues.iter().any(|clue| clue.holds(row)))
    }
}

impl PlannedClue {
    #[inline]
    fn holds(&self, row: &[u8]) -> bool {
        // An absent text has neither an id nor bytes: its slot is 0.
        match self {
            PlannedClue::Known(at) => word(row, *at) as u32 != 0,
            PlannedClue::Is(at, id) => word(row, *at) as u32 == *id,
            PlannedClue::Starts(at, start) => text(row, *at).starts_with(start),
            PlannedClue::Contains(at, finder) => finder.find(text(row, *at)).is_some(),
        }
    }
}

#[inline]
fn word(row: &[u8], at: usize) -> u64 {
    let bytes = row.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The bytes of a slot's text.
#[inline]
fn text(row: &[u8], at: usize) -> &[u8] {
    let place = (word(row, at) >> 32) as usize;
    if place == 0 {
        return &[];
    }
    let string = row.get(place..).and_then(<[u8]>::split_first_chunk);
    let Some((len, bytes)) = string else {
        return &[];
    };
    let len = u32::from_le_bytes(*len) as usize;
    bytes.get(..len).unwrap_or_default()
}
