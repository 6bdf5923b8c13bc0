//! The line: two queues of words between the host and a judge that is another process.
//!
//! Each queue has one writer and one reader. What the words mean is the host's to say. Both
//! processes map the line writable, and neither believes the other: who writes and who reads
//! keeps its own position to itself, only tells it, and holds the other's against what can be; a
//! word is copied before it is looked at. So the worst that the other can do is to send other
//! words than it should, to fall silent, or to have us find out that it makes no sense.
//!
//! A reader that has nothing to do says so and sleeps, on a futex in the line or, as the host
//! does, on something of its own; whoever writes asks whether it must be woken, which costs a
//! system call only then.
//!
//! ```text
//! header   0     magic u64
//!          8     version u32      abi::VERSION
//!          12    words of the requests u32, a power of two
//!          16    words of the answers u32, a power of two
//!          512   the cells of the requests, each with 128 bytes to itself:
//!                written u64, read u64, the reader sleeps u32, the writer sleeps u32
//!          1024  the cells of the answers
//!          4096  the words of the requests, then those of the answers
//! ```

use crate::mapping::{Mapping, memfd};
use rustix::fs::SealFlags;
use rustix::mm::ProtFlags;
use rustix::thread::futex;
use saker_rules_schema::abi;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// First bytes of the header, read as a little-endian number.
const MAGIC: u64 = u64::from_le_bytes(*b"SAKERLIN");
const HEADER_BYTES: usize = 4096;
/// Bytes of the header that never change.
const HEADER_USED: usize = 20;
const REQUESTS_AT: usize = 512;
const ANSWERS_AT: usize = 1024;
/// Two lines of a processor's cache, which fetches them in pairs.
const CELL_BYTES: usize = 128;
const WORD_BYTES: usize = 8;
/// No queue has fewer words, or more.
const WORDS: std::ops::RangeInclusive<usize> = 64..=1 << 20;
/// Both sides write; neither takes the other's pages away.
const SEALS: SealFlags = SealFlags::GROW
    .union(SealFlags::SHRINK)
    .union(SealFlags::SEAL);

/// Why a descriptor is not a line.
#[derive(Debug, thiserror::Error)]
pub enum NotALine {
    /// It could not be looked at.
    #[error("the line cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It could shrink under whoever maps it.
    #[error("the line is not sealed against being resized")]
    Unsealed,
    /// Its header or its size says something else.
    #[error("the line's header is not one of version {}", abi::VERSION)]
    Header,
}

/// The other side claims a position that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position in the line that cannot be")]
pub struct Impossible;

/// What the host has of a line.
#[derive(Debug)]
pub struct HostEnd {
    /// To the judge.
    pub requests: Writer,
    /// From the judge.
    pub answers: Reader,
    fd: OwnedFd,
}

/// What the judge has of a line.
#[derive(Debug)]
pub struct JudgeEnd {
    /// From the host.
    pub requests: Reader,
    /// To the host.
    pub answers: Writer,
}

impl HostEnd {
    /// Makes a line whose queues have room for at least so many words.
    pub fn create(request_words: usize, answer_words: usize) -> io::Result<HostEnd> {
        let clamp = |words: usize| words.clamp(*WORDS.start(), *WORDS.end());
        let requests = clamp(request_words).next_power_of_two();
        let answers = clamp(answer_words).next_power_of_two();
        let fd = memfd("saker-line")?;
        let bytes = line_bytes(requests, answers);
        rustix::fs::ftruncate(&fd, bytes as u64)?;
        rustix::io::pwrite(&fd, &header(requests, answers), 0)?;
        rustix::fs::fcntl_add_seals(&fd, SEALS)?;
        let memory = map(fd.as_fd(), bytes)?;
        let (requests, answers) = queues(&memory, requests, answers);
        Ok(HostEnd {
            requests: Writer::new(requests),
            answers: Reader::new(answers),
            fd,
        })
    }

    /// The descriptor, for the judge.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl JudgeEnd {
    /// Maps a line one was handed.
    pub fn open(line: BorrowedFd<'_>) -> Result<JudgeEnd, NotALine> {
        let seals = rustix::fs::fcntl_get_seals(line).map_err(|_| NotALine::Unsealed)?;
        if !seals.contains(SEALS) {
            return Err(NotALine::Unsealed);
        }
        let mut read = [0; HEADER_USED];
        let count = rustix::io::pread(line, &mut read, 0).map_err(io::Error::from)?;
        let number = |at: usize| {
            let bytes = [read[at], read[at + 1], read[at + 2], read[at + 3]];
            u32::from_le_bytes(bytes) as usize
        };
        let (requests, answers) = (number(12), number(16));
        let fits = |words: usize| WORDS.contains(&words) && words.is_power_of_two();
        if count != HEADER_USED || !fits(requests) || !fits(answers) {
            return Err(NotALine::Header);
        }
        let bytes = line_bytes(requests, answers);
        let size = rustix::fs::fstat(line).map_err(io::Error::from)?.st_size;
        if read != header(requests, answers) || size as u64 != bytes as u64 {
            return Err(NotALine::Header);
        }
        let memory = map(line, bytes)?;
        let (requests, answers) = queues(&memory, requests, answers);
        Ok(JudgeEnd {
            requests: Reader::new(requests),
            answers: Writer::new(answers),
        })
    }
}

fn line_bytes(requests: usize, answers: usize) -> usize {
    HEADER_BYTES + (requests + answers) * WORD_BYTES
}

fn header(requests: usize, answers: usize) -> [u8; HEADER_USED] {
    let mut header = [0; HEADER_USED];
    header[..8].copy_from_slice(&MAGIC.to_le_bytes());
    let numbers = [abi::VERSION, requests as u32, answers as u32];
    for (to, number) in header[8..].chunks_exact_mut(4).zip(numbers) {
        to.copy_from_slice(&number.to_le_bytes());
    }
    header
}

fn map(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<Arc<Mapping>> {
    Mapping::new(fd, bytes, ProtFlags::READ | ProtFlags::WRITE).map(Arc::new)
}

fn queues(memory: &Arc<Mapping>, requests: usize, answers: usize) -> (Queue, Queue) {
    let queue = |cells, words, count: usize| Queue {
        memory: Arc::clone(memory),
        cells,
        words,
        mask: count as u64 - 1,
    };
    let second = HEADER_BYTES + requests * WORD_BYTES;
    (
        queue(REQUESTS_AT, HEADER_BYTES, requests),
        queue(ANSWERS_AT, second, answers),
    )
}

/// Where a queue lies in the line.
#[derive(Debug)]
struct Queue {
    memory: Arc<Mapping>,
    cells: usize,
    words: usize,
    /// Words there is room for, less one.
    mask: u64,
}

impl Queue {
    fn number(&self, at: usize) -> &AtomicU64 {
        let place = self.memory.pointer(&(at..at + WORD_BYTES));
        // SAFETY: eight bytes inside the mapping, which `self` keeps alive and nobody can shrink;
        // aligned, as the mapping is to a page and every `at` here to 8. All of a line is only
        // ever accessed atomically, by both processes, so that what the other writes meanwhile
        // is no data race, and any bytes are a number.
        unsafe { &*place.cast::<AtomicU64>() }
    }

    fn flag(&self, at: usize) -> &AtomicU32 {
        let place = self.memory.pointer(&(at..at + 4));
        // SAFETY: as in `number`, with four bytes.
        unsafe { &*place.cast::<AtomicU32>() }
    }

    fn written(&self) -> &AtomicU64 {
        self.number(self.cells)
    }

    fn read(&self) -> &AtomicU64 {
        self.number(self.cells + CELL_BYTES)
    }

    fn reader_sleeps(&self) -> &AtomicU32 {
        self.flag(self.cells + 2 * CELL_BYTES)
    }

    fn writer_sleeps(&self) -> &AtomicU32 {
        self.flag(self.cells + 3 * CELL_BYTES)
    }

    fn word(&self, position: u64) -> &AtomicU64 {
        self.number(self.words + (position & self.mask) as usize * WORD_BYTES)
    }

    fn room(&self) -> u64 {
        self.mask + 1
    }
}

/// Asks whether the other sleeps, who is to be woken then. After what it waits for is there.
fn take_sleep(sleeps: &AtomicU32) -> bool {
    // Either this sees that the other is about to sleep, or the other sees what it waits for:
    // it says so first and looks then, with such a fence between.
    fence(Ordering::SeqCst);
    sleeps.load(Ordering::Relaxed) != 0 && sleeps.swap(0, Ordering::Relaxed) != 0
}

fn wake(sleeps: &AtomicU32) {
    // Nobody may be there any more.
    let _ = futex::wake(sleeps, futex::Flags::empty(), 1);
}

fn sleep(sleeps: &AtomicU32) {
    // It comes back at once if it was woken meanwhile, and for no reason at times: who sleeps
    // looks again.
    let _ = futex::wait(sleeps, futex::Flags::empty(), 1, None);
}

/// Puts words into a queue.
#[derive(Debug)]
pub struct Writer {
    queue: Queue,
    written: u64,
    /// Where the reader was when it was last asked.
    read: u64,
}

impl Writer {
    fn new(queue: Queue) -> Writer {
        Writer {
            queue,
            written: 0,
            read: 0,
        }
    }

    /// For how many words there is room.
    pub fn room(&mut self) -> Result<usize, Impossible> {
        // Acquire: what the reader has read it has copied.
        let read = self.queue.read().load(Ordering::Acquire);
        if read < self.read || read > self.written {
            return Err(Impossible);
        }
        self.read = read;
        Ok((self.queue.room() - (self.written - read)) as usize)
    }

    /// Writes as many of the words as there is room for, and tells how many.
    pub fn write(&mut self, words: &[u64]) -> Result<usize, Impossible> {
        let fit = self.room()?.min(words.len());
        for word in &words[..fit] {
            self.queue
                .word(self.written)
                .store(*word, Ordering::Relaxed);
            self.written += 1;
        }
        // Release: who sees the position sees the words.
        self.queue.written().store(self.written, Ordering::Release);
        Ok(fit)
    }

    /// Whether the reader sleeps and is to be woken, which is told once.
    pub fn is_awaited(&self) -> bool {
        take_sleep(self.queue.reader_sleeps())
    }

    /// Wakes a reader that sleeps in the line.
    pub fn wake(&self) {
        if self.is_awaited() {
            wake(self.queue.reader_sleeps());
        }
    }

    /// Sleeps until there is room. May return without.
    pub fn wait(&mut self) -> Result<(), Impossible> {
        self.queue.writer_sleeps().store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if self.room()? == 0 {
            sleep(self.queue.writer_sleeps());
        }
        self.queue.writer_sleeps().store(0, Ordering::Relaxed);
        Ok(())
    }
}

/// Takes words out of a queue.
#[derive(Debug)]
pub struct Reader {
    queue: Queue,
    read: u64,
    /// Where the writer was when it was last asked.
    written: u64,
}

impl Reader {
    fn new(queue: Queue) -> Reader {
        Reader {
            queue,
            read: 0,
            written: 0,
        }
    }

    /// How many words wait.
    pub fn waiting(&mut self) -> Result<usize, Impossible> {
        // Acquire: the words before it are there.
        let written = self.queue.written().load(Ordering::Acquire);
        if written < self.written || written - self.read > self.queue.room() {
            return Err(Impossible);
        }
        self.written = written;
        Ok((written - self.read) as usize)
    }

    /// Copies words out, as many as there are and fit, and tells how many.
    pub fn read(&mut self, into: &mut [u64]) -> Result<usize, Impossible> {
        let count = self.waiting()?.min(into.len());
        if count == 0 {
            return Ok(0);
        }
        for to in &mut into[..count] {
            *to = self.queue.word(self.read).load(Ordering::Relaxed);
            self.read += 1;
        }
        // Release: the words are copied before the writer may write over them.
        self.queue.read().store(self.read, Ordering::Release);
        if take_sleep(self.queue.writer_sleeps()) {
            wake(self.queue.writer_sleeps());
        }
        Ok(count)
    }

    /// Says that the reader is about to sleep. `false`: there is something to read, it must not.
    pub fn may_sleep(&mut self) -> Result<bool, Impossible> {
        self.queue.reader_sleeps().store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let may = self.waiting()? == 0;
        if !may {
            self.queue.reader_sleeps().store(0, Ordering::Relaxed);
        }
        Ok(may)
    }

    /// Sleeps in the line until there is something to read. May return without.
    pub fn wait(&mut self) -> Result<(), Impossible> {
        if self.may_sleep()? {
            sleep(self.queue.reader_sleeps());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> (HostEnd, JudgeEnd) {
        let host = HostEnd::create(64, 64).unwrap();
        let judge = JudgeEnd::open(host.fd()).unwrap();
        (host, judge)
    }

    /// The same in one mapping, so that the thread sanitizer sees that it is the same memory.
    fn ends_in_one_mapping() -> (HostEnd, JudgeEnd) {
        let host = HostEnd::create(64, 64).unwrap();
        let (requests, answers) = queues(&host.requests.queue.memory, 64, 64);
        let judge = JudgeEnd {
            requests: Reader::new(requests),
            answers: Writer::new(answers),
        };
        (host, judge)
    }

    fn read_all(reader: &mut Reader) -> Vec<u64> {
        let mut words = vec![0; 200];
        let count = reader.read(&mut words).unwrap();
        words.truncate(count);
        words
    }

    #[test]
    fn words_come_out_as_they_went_in_in_both_directions_and_around_the_end() {
        let (mut host, mut judge) = ends();
        for round in 0..100 {
            let words: Vec<u64> = (0..37).map(|n| round * 1000 + n).collect();
            assert_eq!(host.requests.write(&words), Ok(37));
            assert_eq!(judge.answers.write(&words[..7]), Ok(7));
            assert_eq!(read_all(&mut judge.requests), words);
            assert_eq!(read_all(&mut host.answers), words[..7]);
        }
    }

    #[test]
    fn what_does_not_fit_is_not_written_and_what_is_not_asked_for_stays() {
        let (mut host, mut judge) = ends();
        let words: Vec<u64> = (0..100).collect();
        assert_eq!(host.requests.room(), Ok(64));
        assert_eq!(host.requests.write(&words), Ok(64));
        assert_eq!(host.requests.write(&words), Ok(0));
        let mut few = [0; 10];
        assert_eq!(judge.requests.read(&mut few), Ok(10));
        assert_eq!(few[..], words[..10]);
        assert_eq!(host.requests.write(&words[64..]), Ok(10));
        assert_eq!(read_all(&mut judge.requests), words[10..74]);
        assert_eq!(judge.requests.waiting(), Ok(0));
    }

    #[test]
    fn a_queue_has_room_for_what_was_asked_and_for_no_more_than_any_may() {
        for (asked, room) in [(0, 64), (65, 128), (usize::MAX, 1 << 20)] {
            let mut host = HostEnd::create(asked, 64).unwrap();
            assert_eq!(host.requests.room(), Ok(room));
        }
    }

    #[test]
    fn a_position_that_cannot_be_is_told_from_the_words() {
        let (mut host, mut judge) = ends();
        host.requests.write(&[1, 2, 3]).unwrap();
        read_all(&mut judge.requests);
        judge.answers.write(&[1, 2, 3]).unwrap();
        read_all(&mut host.answers);
        // More read than was written, and less than before.
        for read in [4, u64::MAX, 2] {
            host.requests.room().unwrap();
            judge.requests.queue.read().store(read, Ordering::Release);
            assert_eq!(host.requests.room(), Err(Impossible), "{read}");
            assert_eq!(host.requests.write(&[1]), Err(Impossible), "{read}");
            judge.requests.queue.read().store(3, Ordering::Release);
        }
        // More written than there is room for, and less than before.
        for written in [3 + 65, u64::MAX, 0] {
            judge
                .answers
                .queue
                .written()
                .store(written, Ordering::Release);
            assert_eq!(host.answers.read(&mut [0]), Err(Impossible), "{written}");
            assert_eq!(host.answers.may_sleep(), Err(Impossible), "{written}");
            judge.answers.queue.written().store(3, Ordering::Release);
        }
        assert_eq!(host.answers.waiting(), Ok(0));
        assert_eq!(host.requests.room(), Ok(64));
    }

    #[test]
    fn what_one_side_makes_of_the_others_position_changes_nothing() {
        let (mut host, mut judge) = ends();
        host.requests.write(&[1, 2]).unwrap();
        // Neither asks the line where it is itself.
        judge.requests.queue.written().store(60, Ordering::Release);
        judge.answers.queue.read().store(60, Ordering::Release);
        assert_eq!(host.requests.write(&[3]), Ok(1));
        assert_eq!(read_all(&mut judge.requests), [1, 2, 3]);
        judge.answers.write(&[4]).unwrap_err();
        assert_eq!(host.answers.waiting(), Ok(0));
    }

    #[test]
    fn a_descriptor_that_is_no_line_is_refused() {
        let file = tempfile::tempfile().unwrap();
        let refused = JudgeEnd::open(file.as_fd()).unwrap_err();
        assert!(matches!(refused, NotALine::Unsealed), "{refused}");
        let sealed = |bytes: usize, header: &[u8]| {
            let fd = memfd("saker-line").unwrap();
            rustix::fs::ftruncate(&fd, bytes as u64).unwrap();
            rustix::io::pwrite(&fd, header, 0).unwrap();
            rustix::fs::fcntl_add_seals(&fd, SEALS).unwrap();
            JudgeEnd::open(fd.as_fd()).map(drop)
        };
        let good = header(64, 128);
        sealed(line_bytes(64, 128), &good).unwrap();
        for (bytes, header) in [
            (line_bytes(64, 128) - 8, good),
            (line_bytes(64, 128) + 8, good),
            (line_bytes(65, 128), header(65, 128)),
            (line_bytes(64, 32), header(64, 32)),
            (line_bytes(64, 128), header(1 << 31, 1 << 31)),
            (line_bytes(64, 128), [0; HEADER_USED]),
            (10, [0; HEADER_USED]),
        ] {
            let refused = sealed(bytes, &header[..bytes.min(HEADER_USED)]).unwrap_err();
            assert!(matches!(refused, NotALine::Header), "{refused}");
        }
    }

    #[test]
    fn nobody_who_is_handed_the_descriptor_can_resize_it() {
        let host = HostEnd::create(64, 64).unwrap();
        for bytes in [0, 1 << 20] {
            let resized = rustix::fs::ftruncate(host.fd(), bytes);
            assert_eq!(resized, Err(rustix::io::Errno::PERM));
        }
    }

    /// Sends so many numbers through both queues and back, with sleeps on either side.
    fn there_and_back(numbers: u64, at_once: u64) {
        let (mut host, mut judge) = ends_in_one_mapping();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut word = [0; 3];
                let mut last = 0;
                while last < numbers {
                    let count = judge.requests.read(&mut word).unwrap();
                    if count == 0 {
                        judge.requests.wait().unwrap();
                        continue;
                    }
                    let mut left = &word[..count];
                    last += count as u64;
                    while !left.is_empty() {
                        let written = judge.answers.write(left).unwrap();
                        left = &left[written..];
                        judge.answers.wake();
                        if !left.is_empty() {
                            judge.answers.wait().unwrap();
                        }
                    }
                }
            });
            let (mut sent, mut received) = (0, 0);
            let mut words = [0; 50];
            while received < numbers {
                while sent < numbers && sent - received < at_once {
                    if host.requests.write(&[sent]) == Ok(0) {
                        break;
                    }
                    sent += 1;
                    host.requests.wake();
                }
                let count = host.answers.read(&mut words).unwrap();
                for word in &words[..count] {
                    assert_eq!(*word, received);
                    received += 1;
                }
                if count == 0 {
                    host.answers.wait().unwrap();
                }
            }
        });
    }

    #[test]
    fn nothing_is_lost_and_nobody_sleeps_too_long_however_threads_meet() {
        there_and_back(20_000, 1);
        there_and_back(50_000, 3);
        // More than fits into both queues: both sides wait for room.
        there_and_back(100_000, 1000);
    }
}
