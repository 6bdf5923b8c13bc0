//! Which events get a row: those of which something holds that a rule needs, by a few questions
//! that cost less than a row. What a module is not offered so, none of its rules matches.

use super::row::PlannedSlot;
use super::{Scratch, Value, View};
use crate::literal::Literals;
use memchr::memmem::Finder;
use saker_rules_schema::manifest::{Clue, Need};
use saker_rules_schema::row::STRING_BYTES_MAX;

/// A need, of values as they would stand in rows.
#[derive(Debug)]
pub(super) struct PlannedNeed {
    /// The bit among those of the process, or 0.
    process: u64,
    number: Option<(PlannedSlot, u64)>,
    /// One of these, if there are any.
    texts: Vec<PlannedText>,
}

/// What is asked of one text.
#[derive(Debug)]
struct PlannedText {
    slot: PlannedSlot,
    /// Whether it may be any literal.
    known: bool,
    is: Vec<Box<[u8]>>,
    starts: Vec<Box<[u8]>>,
    contains: Vec<Finder<'static>>,
}

/// What needs ask of processes: a bit for each question, which is asked once for a process's row.
#[derive(Debug, Default)]
pub(super) struct ProcessNeeds(Vec<(Vec<Clue>, Vec<PlannedText>)>);

impl ProcessNeeds {
    /// The bits of those that hold, by what a process's row shows.
    pub(super) fn bits(
        &self,
        literals: &Literals,
        mut value: impl FnMut(&PlannedSlot, &mut dyn FnMut(&Value<'_>)),
    ) -> u64 {
        let mut bits = 0;
        for (bit, (_, texts)) in self.0.iter().enumerate() {
            let holds = texts.iter().any(|text| {
                let mut holds = false;
                value(&text.slot, &mut |value| holds = text.holds(value, literals));
                holds
            });
            bits |= u64::from(holds) << bit;
        }
        bits
    }

    /// The bit of a question; `None` where it cannot be asked.
    fn bit(&mut self, clues: &[Clue], slots: &[PlannedSlot]) -> Option<u64> {
        if clues.is_empty() {
            return Some(0);
        }
        let known = self.0.iter().position(|(known, _)| *known == clues);
        let place = match known {
            Some(place) => place,
            None => {
                self.0.push((clues.to_vec(), texts(clues, slots)?));
                self.0.len() - 1
            }
        };
        1u64.checked_shl(place as u32)
    }
}

/// The needs of an event type, as they can be asked; none where every event gets a row, as also
/// where the module asks for what cannot be answered.
pub(super) fn planned(
    needs: &[Need],
    slots: &[PlannedSlot],
    process: &[PlannedSlot],
    of_process: &mut ProcessNeeds,
) -> Vec<PlannedNeed> {
    let all = needs.iter().map(|need| {
        let number = match need.number {
            None => None,
            Some((slot, number)) => {
                let slot = slots.get(usize::from(slot))?;
                Some((slot.is_number().then(|| slot.clone())?, number))
            }
        };
        Some(PlannedNeed {
            process: of_process.bit(&need.process, process)?,
            number,
            texts: texts(&need.clues, slots)?,
        })
    });
    all.collect::<Option<_>>().unwrap_or_default()
}

/// The clues, by the text that they ask.
fn texts(clues: &[Clue], slots: &[PlannedSlot]) -> Option<Vec<PlannedText>> {
    let mut texts: Vec<PlannedText> = Vec::new();
    for clue in clues {
        let slot = slots.get(usize::from(clue.slot()))?;
        let place = match texts.iter().position(|text| text.slot.at == slot.at) {
            Some(place) => place,
            None => {
                texts.push(PlannedText::of(
                    slot.is_single_text().then(|| slot.clone())?,
                ));
                texts.len() - 1
            }
        };
        let text = &mut texts[place];
        match clue {
            Clue::Known(_) => text.known = true,
            Clue::Is(_, whole) => text.is.push(whole.clone().into()),
            Clue::Starts(_, start) => text.starts.push(start.clone().into()),
            Clue::Contains(_, part) => text.contains.push(Finder::new(part).into_owned()),
        }
    }
    Some(texts)
}

impl PlannedNeed {
    /// Whether something is asked of the process.
    pub(super) fn asks_process(&self) -> bool {
        self.process != 0
    }

    /// Whether it holds of the event, with those bits of its process.
    #[inline]
    pub(super) fn holds(
        &self,
        process: u64,
        view: &View<'_>,
        literals: &Literals,
        scratch: &mut Scratch,
    ) -> bool {
        let mut is_number = |slot: &PlannedSlot, number: u64| {
            let found = slot.value(view, scratch, |value| value.first().as_number());
            found == Some(number)
        };
        (self.process == 0 || process & self.process != 0)
            && self
                .number
                .as_ref()
                .is_none_or(|(slot, number)| is_number(slot, *number))
            && (self.texts.is_empty()
                || self.texts.iter().any(|text| {
                    let found = text
                        .slot
                        .value(view, scratch, |value| text.holds(value, literals));
                    found == Some(true)
                }))
    }
}

impl PlannedText {
    fn of(slot: PlannedSlot) -> PlannedText {
        PlannedText {
            slot,
            known: false,
            is: Vec::new(),
            starts: Vec::new(),
            contains: Vec::new(),
        }
    }

    #[inline]
    fn holds(&self, value: &Value<'_>, literals: &Literals) -> bool {
        value.first().with_text(|text| {
            // One that a row would hold only in part goes to the module, so that it is counted.
            text.len() > STRING_BYTES_MAX
                || self.is.iter().any(|whole| **whole == *text)
                || self.starts.iter().any(|start| text.starts_with(start))
                || self.contains.iter().any(|part| part.find(text).is_some())
                || self.known && literals.id(text) != 0
        })
    }
}
