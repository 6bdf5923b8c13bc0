//! Merges the probe's rings into one sequence in exact order of time. No memory mapping, no
//! clock and no kernel in here: rings are [`Records`], the time is an argument.
//!
//! Several CPUs share a ring and a record's time is taken after its place was reserved, so no
//! ring is sorted by itself. What makes the merge exact is the order of reading: first the
//! clock (T), then every ring's end. A record stamped T or earlier had its place before T was
//! read, so it lies before the ends; once all rings are consumed up to them, everything up to
//! T is known and can go. What is later waits for the next round. A record that is reserved
//! but not committed stops its ring, and holds everything after the last time at which that
//! ring was complete.

use saker_ebpf::record::{HEADER_BYTES, RECORD_BYTES_MAX};
use saker_shm::ring::{Read, Records};

/// What went wrong while merging, since the merge began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Records the probe numbered that never came: gaps in a CPU's sequence.
    pub missing: u64,
    /// Bytes in a ring that were no record.
    pub malformed: u64,
    /// Records stamped earlier than one handed on before; they are handed on nonetheless.
    pub late: u64,
    /// Times a ring made no sense and was emptied.
    pub corrupt: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    time: u64,
    sequence: u64,
    at: usize,
    len: u32,
    cpu: u16,
}

impl Entry {
    fn key(&self) -> (u64, u16, u64) {
        (self.time, self.cpu, self.sequence)
    }
}

/// What the bytes of a batch are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// [`Record`](saker_ebpf::record::Record)s of the probe.
    #[default]
    Recorded,
    /// [`Captured`](crate::event::Captured) events.
    Captured,
}

/// The records of one round, in order; reused from round to round.
#[derive(Default)]
pub struct Batch {
    form: Form,
    arena: Vec<u8>,
    index: Vec<Entry>,
    complete_until: u64,
}

/// An arena that grew beyond this in a burst is given back.
const ARENA_BYTES_KEPT: usize = 16 << 20;

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// An empty batch with room for so many bytes in so many records.
    pub fn with_room(bytes: usize, records: usize) -> Batch {
        Batch {
            arena: Vec::with_capacity(bytes),
            index: Vec::with_capacity(records),
            ..Batch::default()
        }
    }

    /// Copies records of another batch, from that place on, for as long as there is room for them.
    /// Tells where it got to.
    pub fn copy_from(&mut self, other: &Batch, from: usize) -> usize {
        for (place, entry) in other.index.iter().enumerate().skip(from) {
            let len = entry.len as usize;
            if self.index.len() == self.index.capacity()
                || self.arena.len() + len > self.arena.capacity()
            {
                return place;
            }
            let at = self.arena.len();
            self.arena
                .extend_from_slice(&other.arena[entry.at..entry.at + len]);
            self.index.push(Entry { at, ..*entry });
        }
        other.len()
    }

    /// Copies one record of another batch, of the form of those that are there.
    pub fn push_copy(&mut self, other: &Batch, index: usize) {
        debug_assert!(self.is_empty() || self.form == other.form);
        self.form = other.form;
        let entry = &other.index[index];
        let at = self.arena.len();
        let bytes = &other.arena[entry.at..entry.at + entry.len as usize];
        self.arena.extend_from_slice(bytes);
        self.index.push(Entry { at, ..*entry });
    }

    /// Gives room back that it does not fill.
    pub fn shrink(&mut self) {
        self.arena.shrink_to_fit();
        self.index.shrink_to_fit();
    }

    /// Makes room for so many bytes in so many records in all.
    pub fn widen(&mut self, bytes: usize, records: usize) {
        self.arena.reserve(bytes.saturating_sub(self.arena.len()));
        self.index.reserve(records.saturating_sub(self.index.len()));
    }

    /// Bytes of memory that it takes.
    pub fn memory(&self) -> usize {
        self.arena.capacity() + self.index.capacity() * size_of::<Entry>()
    }

    /// The records, ordered by (time, CPU, sequence); each parses with
    /// [`Record::parse`](saker_ebpf::record::Record::parse).
    pub fn records(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.index
            .iter()
            .map(|entry| &self.arena[entry.at..entry.at + entry.len as usize])
    }

    /// The record at that place in the order.
    pub fn record(&self, index: usize) -> &[u8] {
        let entry = &self.index[index];
        &self.arena[entry.at..entry.at + entry.len as usize]
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// No record stamped up to this time (`CLOCK_BOOTTIME`, ns) is still to come.
    pub fn complete_until(&self) -> u64 {
        self.complete_until
    }

    /// What the records are.
    #[inline]
    pub fn form(&self) -> Form {
        self.form
    }

    /// Appends an event of a capture, whose bytes `write` appends, to a batch that holds no
    /// records of the probe.
    pub fn push_captured(&mut self, time: u64, write: impl FnOnce(&mut Vec<u8>)) {
        debug_assert!(self.is_empty() || self.form == Form::Captured);
        self.form = Form::Captured;
        let at = self.arena.len();
        write(&mut self.arena);
        self.index.push(Entry {
            time,
            sequence: 0,
            at,
            len: (self.arena.len() - at) as u32,
            cpu: 0,
        });
    }

    /// Time of the first event of a capture in it, ns since the epoch.
    pub fn first_time(&self) -> Option<u64> {
        self.index.first().map(|entry| entry.time)
    }

    /// Takes out what comes after the last event of a capture up to that time.
    pub fn keep_until(&mut self, time: u64) {
        let kept = self.index.iter().take_while(|entry| entry.time <= time);
        self.index.truncate(kept.count());
    }

    /// Time of the last event of a capture in it, ns since the epoch.
    pub fn last_time(&self) -> Option<u64> {
        self.index.last().map(|entry| entry.time)
    }

    /// How many bytes the records have together.
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// Takes all records out.
    pub fn clear(&mut self) {
        self.form = Form::Recorded;
        self.index.clear();
        self.arena.clear();
        if self.arena.capacity() > ARENA_BYTES_KEPT {
            self.arena.shrink_to(ARENA_BYTES_KEPT);
        }
    }

    /// Puts one record (or ring entry, which may be longer than the record in it) at the end;
    /// whether it was one. Keeping the order is the caller's business.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let number = |at: usize| {
            let word = bytes.get(at..at + 8)?;
            Some(u64::from_le_bytes(word.try_into().ok()?))
        };
        let (Some(first), Some(sequence), Some(time)) = (number(0), number(8), number(16)) else {
            return false;
        };
        let len = first as u32 as usize;
        // A ring entry has a size of its class; the record in it says how much it uses.
        if !(HEADER_BYTES..=RECORD_BYTES_MAX).contains(&len) || len > bytes.len() {
            return false;
        }
        self.index.push(Entry {
            time,
            sequence,
            at: self.arena.len(),
            len: len as u32,
            cpu: (first >> 48) as u16,
        });
        self.arena.extend_from_slice(&bytes[..len]);
        true
    }
}

/// How far a ring is known to be complete.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// Everything up to this time has been read from the ring.
    complete_until: u64,
    /// The ring's end in this round.
    end: u64,
    /// An earlier end and its time, which a busy record kept us from.
    awaited: Option<(u64, u64)>,
}

impl Progress {
    fn advance(&mut self, now: u64, position: u64) {
        if position >= self.end {
            self.complete_until = now;
            self.awaited = None;
            return;
        }
        match self.awaited {
            Some((_, end)) if position < end => {}
            Some((time, _)) => {
                self.complete_until = time;
                self.awaited = Some((now, self.end));
            }
            None => self.awaited = Some((now, self.end)),
        }
    }
}

/// The state between rounds.
pub struct Merger {
    progress: Vec<Progress>,
    carried: Batch,
    /// Per CPU, the number expected next.
    expected: Vec<u64>,
    complete_until: u64,
    losses: Losses,
}

impl Merger {
    /// A merger of that many rings.
    pub fn new(rings: usize) -> Merger {
        Merger {
            progress: vec![Progress::default(); rings],
            carried: Batch::new(),
            expected: Vec::new(),
            complete_until: 0,
            losses: Losses::default(),
        }
    }

    /// What was lost or out of order so far.
    pub fn losses(&self) -> Losses {
        self.losses
    }

    /// One round. `now` must have been read before this call, in the clock that stamps the
    /// records; `rings` are those the merger was made for, in the same order.
    pub fn round<R: Records>(&mut self, now: u64, rings: &mut [R], batch: &mut Batch) {
        debug_assert_eq!(rings.len(), self.progress.len());
        batch.clear();
        std::mem::swap(batch, &mut self.carried);
        // All ends before the first record is read: reading takes time, in which the rings
        // would otherwise grow unevenly.
        for (ring, progress) in rings.iter().zip(&mut self.progress) {
            progress.end = ring.end();
        }
        let mut complete_until = now;
        for (ring, progress) in rings.iter_mut().zip(&mut self.progress) {
            let mut malformed = 0;
            let outcome = ring.read(progress.end, &mut |bytes| {
                malformed += u64::from(!batch.push(bytes));
            });
            self.losses.malformed += malformed;
            match outcome {
                Read::Done | Read::Busy => {}
                Read::Corrupt => self.losses.corrupt += 1,
            }
            progress.advance(now, ring.position());
            complete_until = complete_until.min(progress.complete_until);
        }
        // Stable, because that sort merges the runs that each CPU's records already are.
        batch.index.sort_by_key(Entry::key);
        let ready = batch
            .index
            .partition_point(|entry| entry.time <= complete_until);
        for entry in batch.index.drain(ready..) {
            let at = self.carried.arena.len();
            let bytes = &batch.arena[entry.at..entry.at + entry.len as usize];
            self.carried.arena.extend_from_slice(bytes);
            self.carried.index.push(Entry { at, ..entry });
        }
        self.check(batch);
        self.complete_until = self.complete_until.max(complete_until);
        batch.complete_until = self.complete_until;
    }

    /// Counts what came late and what never came.
    fn check(&mut self, batch: &Batch) {
        for entry in &batch.index {
            if entry.time <= self.complete_until {
                self.losses.late += 1;
            }
            let cpu = usize::from(entry.cpu);
            if cpu >= self.expected.len() {
                self.expected.resize(cpu + 1, 0);
            }
            let expected = &mut self.expected[cpu];
            if entry.sequence >= *expected {
                self.losses.missing += entry.sequence - *expected;
                *expected = entry.sequence + 1;
            } else {
                // It came after a later one, and was counted as missing then.
                self.losses.missing = self.losses.missing.saturating_sub(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use proptest::prelude::*;
    use saker_ebpf::record::{Builder, Header, Kind, Record};

    use super::*;

    fn record(cpu: u16, sequence: u64, time: u64) -> Vec<u8> {
        Builder::new(&Header {
            len: 0,
            kind: Kind::Exit,
            cpu,
            sequence,
            time,
            start_time: 0,
            cgroup: 0,
            tid: 1,
            tgid: 1,
            syscall: 0,
            flags: 0,
            ret: 0,
            args: [0; 6],
        })
        .finish()
    }

    /// A record's life in the kernel: when its place is reserved, when it is stamped, when it
    /// is committed.
    #[derive(Clone, Debug)]
    struct Life {
        cpu: u16,
        ring: usize,
        reserved: u64,
        stamped: u64,
        committed: u64,
        sequence: u64,
    }

    /// A ring whose kernel works while it is being read: every look moves the world's clock.
    struct Fake {
        world: Rc<Cell<u64>>,
        pace: u64,
        lives: Vec<Life>,
        position: u64,
    }

    impl Fake {
        fn tick(&self) -> u64 {
            self.world.set(self.world.get() + self.pace);
            self.world.get()
        }
    }

    impl Records for Fake {
        fn end(&self) -> u64 {
            let now = self.tick();
            self.lives
                .iter()
                .take_while(|life| life.reserved <= now)
                .count() as u64
        }

        fn position(&self) -> u64 {
            self.position
        }

        fn read(&mut self, end: u64, sink: &mut dyn FnMut(&[u8])) -> Read {
            while self.position < end {
                let now = self.tick();
                let life = &self.lives[self.position as usize];
                if life.committed > now {
                    return Read::Busy;
                }
                sink(&record(life.cpu, life.sequence, life.stamped));
                self.position += 1;
            }
            Read::Done
        }
    }

    /// Lives of records on a few CPUs, each CPU doing one after the other.
    fn lives() -> impl Strategy<Value = Vec<Life>> {
        let step = (0u64..40, 0u64..30, 0u64..30, 0usize..2);
        prop::collection::vec(prop::collection::vec(step, 0..40), 1..5).prop_map(|cpus| {
            let mut all = Vec::new();
            for (cpu, steps) in cpus.into_iter().enumerate() {
                let mut clock = 1;
                for (sequence, (pause, to_stamp, to_commit, class)) in steps.into_iter().enumerate()
                {
                    let reserved = clock + pause;
                    let stamped = reserved + to_stamp;
                    clock = stamped + to_commit;
                    all.push(Life {
                        cpu: cpu as u16,
                        // Two CPUs share a pair of rings.
                        ring: cpu / 2 * 2 + class,
                        reserved,
                        stamped,
                        committed: clock,
                        sequence: sequence as u64,
                    });
                }
            }
            all
        })
    }

    fn rings(lives: &[Life], pace: u64) -> (Rc<Cell<u64>>, Vec<Fake>) {
        let world = Rc::new(Cell::new(0));
        let rings = (0..4)
            .map(|ring| {
                let mut own: Vec<Life> = lives
                    .iter()
                    .filter(|life| life.ring == ring)
                    .cloned()
                    .collect();
                own.sort_by_key(|life| life.reserved);
                Fake {
                    world: world.clone(),
                    pace,
                    lives: own,
                    position: 0,
                }
            })
            .collect();
        (world, rings)
    }

    fn drain(lives: &[Life], pace: u64, pauses: &[u64]) -> (Vec<(u64, u16, u64)>, Losses) {
        let (world, mut rings) = rings(lives, pace);
        let mut merger = Merger::new(rings.len());
        let mut batch = Batch::new();
        let mut out = Vec::new();
        let mut complete = 0;
        for pause in pauses.iter().copied().chain([1_000_000, 1]) {
            world.set(world.get() + pause);
            let now = world.get();
            merger.round(now, &mut rings, &mut batch);
            assert!(batch.complete_until() >= complete, "time never goes back");
            complete = batch.complete_until();
            for bytes in batch.records() {
                let header = Record::parse(bytes).expect("it was whole").header;
                assert!(header.time <= complete);
                out.push((header.time, header.cpu, header.sequence));
            }
        }
        (out, merger.losses())
    }

    proptest! {
        #[test]
        fn whatever_the_interleaving_the_output_is_sorted_and_complete(
            lives in lives(),
            pace in 0u64..20,
            pauses in prop::collection::vec(0u64..60, 0..60),
        ) {
            let (out, losses) = drain(&lives, pace, &pauses);
            let mut expected: Vec<_> =
                lives.iter().map(|life| (life.stamped, life.cpu, life.sequence)).collect();
            expected.sort_unstable();
            prop_assert_eq!(out, expected);
            prop_assert_eq!(losses, Losses::default());
        }

        #[test]
        fn every_record_that_was_dropped_is_a_gap(
            lives in lives(),
            pauses in prop::collection::vec(0u64..60, 0..60),
            dropped in any::<u64>(),
        ) {
            // The last of each CPU stays: nothing behind a last one tells of it.
            let last = |life: &Life| {
                !lives.iter().any(|other| other.cpu == life.cpu && other.sequence > life.sequence)
            };
            let kept: Vec<Life> = lives
                .iter()
                .filter(|life| last(life) || (dropped >> (life.sequence % 64)) & 1 == 0)
                .cloned()
                .collect();
            let (out, losses) = drain(&kept, 3, &pauses);
            prop_assert_eq!(out.len(), kept.len());
            prop_assert_eq!(losses.missing, (lives.len() - kept.len()) as u64);
        }

        #[test]
        fn no_bytes_make_a_batch_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut batch = Batch::new();
            if batch.push(&bytes) {
                prop_assert!(batch.records().all(|record| record.len() >= HEADER_BYTES));
            }
        }
    }

    #[test]
    fn a_record_that_stays_busy_holds_only_what_may_follow_it() {
        let life = |ring, reserved, stamped, committed, sequence| Life {
            cpu: ring as u16,
            ring,
            reserved,
            stamped,
            committed,
            sequence,
        };
        let lives = [
            life(0, 5, 6, 7, 0),
            life(0, 20, 200, 300, 1),
            life(1, 10, 11, 12, 0),
            life(1, 30, 31, 32, 1),
        ];
        let (world, mut rings) = rings(&lives, 0);
        let mut merger = Merger::new(rings.len());
        let mut batch = Batch::new();
        let mut times = |now: u64| {
            world.set(now);
            merger.round(now, &mut rings, &mut batch);
            batch
                .records()
                .map(|bytes| Record::parse(bytes).expect("it was whole").header.time)
                .collect::<Vec<_>>()
        };
        assert_eq!(times(15), [6, 11]);
        assert_eq!(
            times(40),
            [0u64; 0],
            "the busy record may yet be stamped before 31"
        );
        assert_eq!(times(50), [0u64; 0]);
        assert_eq!(times(400), [31, 200]);
    }
}
