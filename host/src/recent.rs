//! What happened lately, to be judged again: records as they came, all else that the state was
//! told between them, and the state as it was before the oldest.
//!
//! The event thread copies records into a piece ([`Recent`]) and hands full pieces to a thread of
//! its own, which keeps them up to a bound. What that lets go changes its state first, as it
//! changed the event thread's when it came; so the state is always that before the oldest record
//! kept, and nobody has to write it down. Judging is `trial`'s.

use crate::enrich::Answer;
use crate::event::decode;
use crate::source::merge::{Batch, Form};
use crate::state::State;
use crate::state::container::ContainerAnswer;
use crate::state::facts::ProcessFacts;
use crate::state::note::Noted;
use saker_ebpf::recipe::Wanted;
use saker_ebpf::record::Record;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// Records come and go in pieces of so many bytes,
const PIECE_BYTES: usize = 256 << 10;
/// and no more of them than this: the shortest have 100 bytes.
const PIECE_RECORDS: usize = PIECE_BYTES / 100;
/// What else is told counts so much beside what it has itself.
const TOLD_BYTES: usize = 256;
/// So many pieces wait for the thread: it takes one in in less than what filling one takes.
const QUEUE: usize = 16;
/// A container is forgotten so long after its last process, as on the event thread.
const FORGET_AFTER: Duration = Duration::from_secs(10);

/// What is told between records.
#[derive(Clone)]
pub enum Told {
    /// Of processes, users, the clock.
    Enriched(Answer),
    /// Of a container.
    Container(ContainerAnswer),
    /// Which calls are recorded from here on.
    Traced(Arc<[Wanted]>),
}

impl Told {
    /// Bytes it takes, about.
    fn bytes(&self) -> usize {
        TOLD_BYTES
            + match self {
                Told::Enriched(Answer::Process(all)) => {
                    let facts = all.iter().filter_map(|(_, facts)| facts.as_deref());
                    facts.map(bytes_of).sum()
                }
                Told::Container(ContainerAnswer::Known(facts)) => facts.bytes(),
                Told::Traced(calls) => size_of_val(&**calls),
                Told::Enriched(Answer::Gone(all)) => size_of_val(&**all),
                Told::Enriched(_) | Told::Container(_) => 0,
            }
    }
}

/// Bytes that what is known of a process takes, about.
fn bytes_of(facts: &ProcessFacts) -> usize {
    let image = &facts.image;
    let names = (facts.descriptors.iter()).map(|fd| size_of_val(fd) + fd.name.len());
    size_of_val(facts) + image.arguments.len() + image.environment.len() + names.sum::<usize>()
}

/// Records in order, and what was told between them.
pub struct Piece {
    records: Batch,
    /// Each before the record of that place.
    told: Vec<(u32, Told)>,
    told_bytes: usize,
}

/// What comes next in a piece.
pub enum Next<'a> {
    /// A record.
    Record(&'a [u8]),
    /// What was told.
    Told(&'a Told),
}

impl Piece {
    pub(crate) fn new() -> Piece {
        Piece {
            records: Batch::with_room(PIECE_BYTES, PIECE_RECORDS),
            told: Vec::new(),
            told_bytes: 0,
        }
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.told.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.told.clear();
        self.told_bytes = 0;
    }

    pub(crate) fn bytes(&self) -> usize {
        self.records.memory() + self.told_bytes
    }

    /// How many records are in it.
    pub fn events(&self) -> usize {
        self.records.len()
    }

    /// Keeps a copy of one record of a batch, however long that is.
    pub(crate) fn push(&mut self, batch: &Batch, index: usize) {
        self.records.push_copy(batch, index);
    }

    /// Keeps what was told after all records so far.
    pub(crate) fn push_told(&mut self, told: Told) {
        self.told_bytes += told.bytes();
        self.told.push((self.records.len() as u32, told));
    }

    /// What the records are.
    pub(crate) fn form(&self) -> Form {
        self.records.form()
    }

    /// Whether there is so much in it that another one is begun.
    pub(crate) fn is_full(&self) -> bool {
        self.records.bytes() >= PIECE_BYTES
            || self.records.len() >= PIECE_RECORDS
            || self.told_bytes >= PIECE_BYTES
    }

    /// What comes next for somebody who has gone so far.
    pub(crate) fn next(&self, place: &mut Place) -> Option<Next<'_>> {
        if let Some((at, told)) = self.told.get(place.told)
            && *at as usize <= place.record
        {
            place.told += 1;
            return Some(Next::Told(told));
        }
        let record = (place.record < self.records.len()).then(|| self.records.record(place.record));
        place.record += usize::from(record.is_some());
        record.map(Next::Record)
    }

    /// All that is in it, in its order.
    pub fn each(&self) -> impl Iterator<Item = Next<'_>> {
        let mut place = Place::default();
        std::iter::from_fn(move || self.next(&mut place))
    }
}

/// How far somebody has gone in a piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Records.
    pub(crate) record: usize,
    /// What was told between them.
    told: usize,
}

/// What is kept.
#[derive(Default)]
struct Counters {
    events: AtomicU64,
    bytes: AtomicU64,
    /// Records that the thread was too slow for.
    missed: AtomicU64,
    /// Bytes of the state alone, where they were too many.
    state_too_large: AtomicU64,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Events.
    pub events: u64,
    /// Bytes that are kept for them alone.
    pub bytes: u64,
    /// Bytes that may be.
    pub bytes_max: u64,
    /// Events that were not kept, because that was too slow.
    pub missed: u64,
    /// Bytes of the state alone where those are more than may be, for which nothing is kept; else
    /// 0.
    pub state_too_large: u64,
}

/// All that is kept at one time, for somebody to judge.
pub struct Kept {
    /// As it was before the oldest record.
    pub state: State,
    /// The records, the oldest first.
    pub pieces: Vec<Arc<Piece>>,
    /// Which calls were recorded when the oldest came.
    pub traced: Arc<[Wanted]>,
    /// Events that came in this time and are not there.
    pub missed: u64,
}

enum Message {
    Piece(Box<Piece>, u64),
    Look(SyncSender<Option<Kept>>),
}

/// Where what is kept is asked for.
#[derive(Clone)]
pub struct Asker(SyncSender<Message>);

/// How long an answer may take: at most [`QUEUE`] pieces come before it, and a state is copied.
const ANSWER: Duration = Duration::from_secs(10);

impl Asker {
    /// All that is kept; none within where there was no room for the state. Not for the event
    /// thread: it waits.
    pub fn look(&self) -> Option<Option<Kept>> {
        let (asking, answer) = sync_channel(1);
        self.0.send(Message::Look(asking)).ok()?;
        answer.recv_timeout(ANSWER).ok()
    }
}

/// The event thread's end.
pub struct Recent {
    piece: Box<Piece>,
    keeper: SyncSender<Message>,
    spare: Receiver<Box<Piece>>,
    counters: Arc<Counters>,
    /// Records that were missed since the last piece that was not.
    missed: u64,
    bytes_max: usize,
}

impl Recent {
    /// Keeps what comes from here on in so many bytes, those of the state included, which is what
    /// is known now.
    pub fn start(state: State, bytes_max: usize) -> io::Result<Recent> {
        let (keeper, messages) = sync_channel(QUEUE);
        let (give_back, spare) = sync_channel(QUEUE);
        let counters = Arc::new(Counters::default());
        let ring = Ring::new(state, bytes_max, counters.clone(), give_back);
        std::thread::Builder::new()
            .name("saker-recent".into())
            .spawn(move || ring.keep(&messages))?;
        Ok(Recent {
            piece: Box::new(Piece::new()),
            keeper,
            spare,
            counters,
            missed: 0,
            bytes_max,
        })
    }

    /// Keeps a copy of the records of a batch.
    pub fn records(&mut self, batch: &Batch) {
        let mut from = 0;
        while from < batch.len() {
            let reached = self.piece.records.copy_from(batch, from);
            if reached < batch.len() {
                if self.piece.is_empty() {
                    // It is longer than a piece, which no record is.
                    self.missed += 1;
                    from = reached + 1;
                    continue;
                }
                self.hand_over();
            }
            from = reached;
        }
    }

    /// Keeps what was told after all records so far.
    pub fn told(&mut self, told: Told) {
        let piece = &mut self.piece;
        piece.push_told(told);
        if piece.told_bytes >= PIECE_BYTES {
            self.hand_over();
        }
    }

    /// Where other threads ask for what is kept.
    pub fn asker(&self) -> Asker {
        Asker(self.keeper.clone())
    }

    /// How much is kept, as of a moment ago. What came since can be had from here on.
    pub fn standing(&mut self) -> Standing {
        // It keeps no room that nothing will come into.
        self.piece.records.shrink();
        self.hand_over();
        let [events, bytes, missed, state_too_large] = [
            &self.counters.events,
            &self.counters.bytes,
            &self.counters.missed,
            &self.counters.state_too_large,
        ]
        .map(|count| count.load(Ordering::Relaxed));
        Standing {
            events,
            bytes,
            bytes_max: self.bytes_max as u64,
            missed,
            state_too_large,
        }
    }

    fn hand_over(&mut self) {
        if self.piece.is_empty() {
            self.piece.records.widen(PIECE_BYTES, PIECE_RECORDS);
            return;
        }
        let next = self.spare.try_recv();
        let next = next.unwrap_or_else(|_| Box::new(Piece::new()));
        let piece = std::mem::replace(&mut self.piece, next);
        match self.keeper.try_send(Message::Piece(piece, self.missed)) {
            Ok(()) => self.missed = 0,
            Err(
                TrySendError::Full(Message::Piece(mut piece, _))
                | TrySendError::Disconnected(Message::Piece(mut piece, _)),
            ) => {
                let events = piece.events() as u64;
                self.missed += events;
                self.counters.missed.fetch_add(events, Ordering::Relaxed);
                piece.clear();
                piece.records.widen(PIECE_BYTES, PIECE_RECORDS);
                self.piece = piece;
            }
            Err(
                TrySendError::Full(Message::Look(_)) | TrySendError::Disconnected(Message::Look(_)),
            ) => {}
        }
    }
}

/// The thread's end.
struct Ring {
    /// As it was before the oldest piece; none once it alone had more than may be kept: what came
    /// since has no state to begin with.
    state: Option<State>,
    /// With how many records were missed before each.
    pieces: VecDeque<(Arc<Piece>, u64)>,
    /// What is recorded when the oldest comes.
    traced: Arc<[Wanted]>,
    bytes: usize,
    bytes_max: usize,
    events: u64,
    counters: Arc<Counters>,
    give_back: SyncSender<Box<Piece>>,
}

impl Ring {
    fn new(
        mut state: State,
        bytes_max: usize,
        counters: Arc<Counters>,
        give_back: SyncSender<Box<Piece>>,
    ) -> Ring {
        // What a candidate will ask for is not known yet.
        state.keep_all_descriptors(true);
        // Of events in flight, which there are none of here.
        state.keep_notes(Noted::NOTHING);
        let mut ring = Ring {
            state: Some(state),
            pieces: VecDeque::new(),
            traced: Arc::default(),
            bytes: 0,
            bytes_max,
            events: 0,
            counters,
            give_back,
        };
        ring.bound();
        ring
    }

    /// Runs until the event thread is gone.
    fn keep(mut self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            match message {
                Message::Piece(piece, missed) => self.take(piece, missed),
                Message::Look(asking) => {
                    let kept = self.kept();
                    // Who asked may have gone.
                    let _ = asking.try_send(kept);
                }
            }
        }
    }

    fn kept(&self) -> Option<Kept> {
        Some(Kept {
            state: self.state.as_ref()?.copy(),
            pieces: self.pieces.iter().map(|(piece, _)| piece.clone()).collect(),
            traced: self.traced.clone(),
            missed: self.pieces.iter().map(|(_, missed)| missed).sum(),
        })
    }

    fn take(&mut self, mut piece: Box<Piece>, missed: u64) {
        if self.state.is_none() {
            if piece.records.memory() >= PIECE_BYTES {
                piece.clear();
                let _ = self.give_back.try_send(piece);
            }
            return;
        }
        self.bytes += piece.bytes();
        self.events += piece.events() as u64;
        self.pieces.push_back((Arc::from(piece), missed));
        self.bound();
    }

    /// Lets go of the oldest pieces that are too much; and of the state, if it alone is.
    fn bound(&mut self) {
        let state_bytes = |ring: &Ring| ring.state.as_ref().map_or(0, State::bytes);
        while self.bytes + state_bytes(self) > self.bytes_max
            && let Some((piece, _)) = self.pieces.pop_front()
        {
            self.let_go(piece);
        }
        let alone = state_bytes(self);
        if alone > self.bytes_max {
            self.state = None;
            tracing::warn!(
                "no recent events are kept: the state alone has {} MiB, and `recent.max_mb` is {}",
                alone.div_ceil(1 << 20),
                self.bytes_max >> 20
            );
            let too_large = &self.counters.state_too_large;
            too_large.store(alone as u64, Ordering::Relaxed);
        }
        let bytes = (self.bytes + state_bytes(self)) as u64;
        self.counters.bytes.store(bytes, Ordering::Relaxed);
        self.counters.events.store(self.events, Ordering::Relaxed);
    }

    /// Moves the state over a piece.
    fn let_go(&mut self, piece: Arc<Piece>) {
        self.bytes -= piece.bytes();
        self.events -= piece.events() as u64;
        let Some(state) = &mut self.state else {
            return;
        };
        let mut time = 0;
        for next in piece.each() {
            match next {
                Next::Record(bytes) => {
                    let Ok(record) = Record::parse(bytes) else {
                        continue;
                    };
                    time = record.header.time;
                    let number = state.number() + 1;
                    let event = decode(&record, &state.clock(), number);
                    state.absorb(&event.into());
                }
                Next::Told(Told::Enriched(answer)) => answer.clone().tell(state),
                Next::Told(Told::Container(answer)) => state.answer_container(answer.clone()),
                Next::Told(Told::Traced(calls)) => self.traced = calls.clone(),
            }
        }
        // The event thread has asked already.
        drop(state.take_lookups());
        drop(state.take_container_lookups());
        state.release(state.number() + 1);
        if time > 0 {
            let after = FORGET_AFTER.as_nanos() as u64;
            state.forget_containers(time, after);
        }
        // Somebody may be judging it still.
        if let Ok(mut piece) = Arc::try_unwrap(piece)
            && piece.records.memory() >= PIECE_BYTES
        {
            piece.clear();
            let _ = self.give_back.try_send(Box::new(piece));
        }
    }
}

#[cfg(test)]
mod tests;
