//! Events kept for captures to come: as they came, with what else the state was told between them,
//! and the state as it was before the oldest.

use crate::event::{Captured, Event, decode};
use crate::extract::View;
use crate::recent::{Next, Piece, Place, Told};
use crate::source::merge::{Batch, Form};
use crate::state::container::{ContainerAnswer, ContainerFacts};
use crate::state::{Seen, State};
use saker_capture::Entry;
use saker_ebpf::record::Record;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A container is forgotten so long after its last process, as on the event thread.
const FORGET_AFTER: Duration = Duration::from_secs(10);

/// When an event was, and what it takes in a capture.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) time: u64,
    pub(super) bytes: u64,
}

/// A piece of them.
struct Kept {
    piece: Piece,
    /// One for each record.
    sizes: Vec<Size>,
}

/// The events. They come and go in pieces.
pub(super) struct Ring {
    before: Follower,
    pieces: VecDeque<Kept>,
    /// How many pieces went before them.
    gone: u64,
    bytes: usize,
    /// To be used again.
    spare: Option<Kept>,
}

/// A state that goes over the events some time after they came.
pub(super) struct Follower {
    pub(super) state: State,
    /// Number of its next event.
    number: u64,
    /// Time of its last.
    pub(super) time: u64,
    at: At,
}

/// How far it has gone.
#[derive(Clone, Copy, Default)]
struct At {
    piece: u64,
    place: Place,
}

impl Ring {
    /// Keeps what comes from that number on.
    pub(super) fn new(state: &State, number: u64) -> Ring {
        let mut state = state.copy();
        // Captures want all of them, whatever rules ask for.
        state.keep_all_descriptors(true);
        Ring {
            before: Follower {
                state,
                number,
                time: 0,
                at: At::default(),
            },
            pieces: VecDeque::new(),
            gone: 0,
            bytes: 0,
            spare: None,
        }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many events there are.
    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(|kept| kept.sizes.len()).sum()
    }

    /// All events, the oldest first.
    pub(super) fn sizes(&self) -> impl DoubleEndedIterator<Item = Size> + '_ {
        self.pieces
            .iter()
            .flat_map(|kept| kept.sizes.iter().copied())
    }

    /// The piece to add to.
    fn last(&mut self) -> &mut Piece {
        if self.pieces.back().is_none_or(|last| last.piece.is_full()) {
            let kept = self.spare.take().unwrap_or_else(|| Kept {
                piece: Piece::new(),
                sizes: Vec::new(),
            });
            self.bytes += kept.piece.bytes();
            self.pieces.push_back(kept);
        }
        &mut self.pieces.back_mut().expect("there is one now").piece
    }

    /// Keeps a copy of an event.
    pub(super) fn push(&mut self, batch: &Batch, index: usize, size: Size) {
        let piece = self.last();
        let before = piece.bytes();
        piece.push(batch, index);
        let more = piece.bytes() - before;
        self.bytes += more;
        let kept = self.pieces.back_mut().expect("it was just written to");
        kept.sizes.push(size);
    }

    /// Keeps what was told after all events so far.
    pub(super) fn push_told(&mut self, told: Told) {
        let piece = self.last();
        let before = piece.bytes();
        piece.push_told(told);
        let more = piece.bytes() - before;
        self.bytes += more;
    }

    /// Time of the last event of the oldest piece (0, if it has none), and how many it has.
    pub(super) fn oldest(&self) -> Option<(u64, usize)> {
        let sizes = &self.pieces.front()?.sizes;
        Some((sizes.last().map_or(0, |last| last.time), sizes.len()))
    }

    /// Lets the oldest piece go. A follower that has not gone over all of it, does so now.
    pub(super) fn let_go(&mut self, follower: Option<&mut Follower>) {
        let end = self.gone + 1;
        if let Some(follower) = follower {
            while follower.at.piece < end && self.step(follower, |_| {}) {}
        }
        let Some(mut kept) = self.pieces.pop_front() else {
            return;
        };
        self.bytes -= kept.piece.bytes();
        let form = kept.piece.form();
        let before = &mut self.before;
        let mut told_at = 0;
        for next in kept.piece.each() {
            before.take(form, &next, &mut told_at, None::<fn(&View<'_>)>);
        }
        before.settle();
        if form == Form::Recorded && told_at > 0 {
            let after = FORGET_AFTER.as_nanos() as u64;
            before.state.forget_containers(told_at, after);
        }
        self.gone = end;
        before.at = At {
            piece: end,
            place: Place::default(),
        };
        kept.piece.clear();
        kept.sizes.clear();
        self.spare = Some(kept);
    }

    /// Takes in an entry of a capture that is no event, after all events.
    pub(super) fn entry(&mut self, entry: &Entry<'_>) {
        while !self.pieces.is_empty() {
            self.let_go(None);
        }
        self.before.state.seed_captured(entry);
    }

    /// Another state that knows what was known before the oldest event.
    pub(super) fn follower(&self) -> Follower {
        let before = &self.before;
        Follower {
            state: before.state.copy(),
            number: before.number,
            time: before.time,
            at: At {
                piece: self.gone,
                place: Place::default(),
            },
        }
    }

    fn next(&self, at: &mut At) -> Option<(Form, Next<'_>)> {
        loop {
            let index = at.piece.checked_sub(self.gone)?;
            let kept = self.pieces.get(index as usize)?;
            if let Some(next) = kept.piece.next(&mut at.place) {
                return Some((kept.piece.form(), next));
            }
            // More may come into the last one.
            if index as usize + 1 >= self.pieces.len() {
                return None;
            }
            *at = At {
                piece: at.piece + 1,
                place: Place::default(),
            };
        }
    }

    /// The next event of a follower. What was told before it, `told` hears.
    pub(super) fn peek(
        &self,
        follower: &mut Follower,
        mut told: impl FnMut(&mut Follower, &Told),
    ) -> Option<Size> {
        loop {
            let mut at = follower.at;
            match self.next(&mut at)?.1 {
                Next::Told(what) => {
                    follower.at = at;
                    told(follower, what);
                }
                Next::Record(_) => {
                    let kept = self.pieces.get((at.piece - self.gone) as usize)?;
                    return kept.sizes.get(at.place.record - 1).copied();
                }
            }
        }
    }

    /// The events that a follower has not gone over.
    pub(super) fn sizes_behind(&self, follower: &Follower) -> Vec<Size> {
        let mut at = follower.at;
        let mut sizes = Vec::new();
        while let Some((_, next)) = self.next(&mut at) {
            if let Next::Record(_) = next
                && let Some(kept) = self.pieces.get((at.piece - self.gone) as usize)
            {
                sizes.extend(kept.sizes.get(at.place.record - 1).copied());
            }
        }
        sizes
    }

    /// What a follower will be told of containers of which it knows nothing yet.
    pub(super) fn containers_to_come(&self, follower: &Follower) -> Vec<ContainerAnswer> {
        let mut at = follower.at;
        let mut found: BTreeMap<_, &Box<ContainerFacts>> = BTreeMap::new();
        while let Some((_, next)) = self.next(&mut at) {
            let Next::Told(Told::Container(ContainerAnswer::Known(facts))) = next else {
                continue;
            };
            if follower.state.container_facts(facts.key()).is_none() {
                found.entry(facts.key()).or_insert(facts);
            }
        }
        let answers = found.into_values().cloned();
        answers.map(ContainerAnswer::Known).collect()
    }

    /// Has a follower take in what is next, which `see` sees if it is an event. Whether there was
    /// anything.
    pub(super) fn step(&self, follower: &mut Follower, see: impl FnOnce(&View<'_>)) -> bool {
        let Some((form, next)) = self.next(&mut follower.at) else {
            return false;
        };
        follower.take(form, &next, &mut 0, Some(see));
        true
    }
}

impl Follower {
    /// Takes in what comes next, which `see` sees if it is an event. The time by which the state
    /// knows when it was goes to `clock`.
    fn take<S: FnOnce(&View<'_>)>(
        &mut self,
        form: Form,
        next: &Next<'_>,
        clock: &mut u64,
        see: Option<S>,
    ) {
        let record;
        let event = match (next, form) {
            (Next::Told(told), _) => return self.tell(told),
            (Next::Record(bytes), Form::Recorded) => {
                record = Record::parse(bytes);
                let record = record.as_ref().ok();
                record.map(|record| decode(record, &self.state.clock(), self.number).into())
            }
            (Next::Record(bytes), Form::Captured) => {
                Captured::parse(bytes, self.number).map(Event::Captured)
            }
        };
        let Some(event) = event else {
            return;
        };
        self.time = event.time();
        *clock = event.process_time();
        match see {
            None => self.state.absorb(&event),
            // As on the event thread.
            Some(see) if event.kind().is_none() => {
                self.state.absorb(&event);
                see(&View::new(&event, &self.state, Seen::NONE));
            }
            Some(see) => {
                let seen = self.state.apply(&event);
                see(&View::new(&event, &self.state, seen));
            }
        }
        self.number += u64::from(event.is_numbered());
    }

    /// Tells the state what it was told then.
    pub(super) fn tell(&mut self, told: &Told) {
        match told {
            Told::Enriched(answer) => answer.clone().tell(&mut self.state),
            Told::Container(answer) => self.state.answer_container(answer.clone()),
            Told::Traced(_) => {}
        }
    }

    /// Frees what nobody sees any more. What it would ask was asked already.
    pub(super) fn settle(&mut self) {
        drop(self.state.take_lookups());
        drop(self.state.take_container_lookups());
        self.state.release(self.number);
    }
}
