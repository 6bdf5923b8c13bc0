//! Reads one BPF ring buffer through its mapped pages.
//!
//! aya's own reader keeps the producer's position to itself and cannot tell a ring that is
//! empty from one whose next record is not committed yet; whoever sorts records across rings
//! needs both, and sees a ring as [`Records`].
//!
//! ```text
//! page 0        consumer position, written by us
//! page 1        producer position, written by the kernel
//! page 2…       the data, mapped twice in a row, so that a record that wraps lies in one piece
//!
//! a record      u32 length | BUSY | DISCARD, u32 page offset, the bytes, padding to 8
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// The kernel reserved the record and has not filled it yet (`BPF_RINGBUF_BUSY_BIT`).
const BUSY: u32 = 1 << 31;
/// The kernel gave the reservation up (`BPF_RINGBUF_DISCARD_BIT`).
const DISCARD: u32 = 1 << 30;
/// Bytes before each record (`BPF_RINGBUF_HDR_SZ`).
const RECORD_HEADER_BYTES: u64 = 8;
/// How often a record that is not committed yet is looked at before the round goes on without
/// it. Between reserve and commit the probe only copies the record, so this is reached when the
/// hypervisor took the CPU away or preemption did.
const BUSY_SPINS_MAX: u32 = 20_000;

/// How reading a ring up to an end went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// The end was reached.
    Done,
    /// A record before it is not committed yet.
    Busy,
    /// The ring's bytes made no sense; it was emptied up to the end.
    Corrupt,
}

/// A ring as whoever merges several sees it.
pub trait Records {
    /// Up to where records have been reserved, in bytes since the ring was made.
    fn end(&self) -> u64;
    /// Up to where records have been read.
    fn position(&self) -> u64;
    /// Hands every record before `end` to `sink`, as long as they are committed.
    fn read(&mut self, end: u64, sink: &mut dyn FnMut(&[u8])) -> Read;
}

/// The positions and data of a ring, wherever they lie.
struct View {
    consumer: NonNull<AtomicU64>,
    producer: NonNull<AtomicU64>,
    data: NonNull<u8>,
    /// Bytes of the ring less one; the data can be read for twice its size.
    mask: u64,
}

impl View {
    fn consumer(&self) -> &AtomicU64 {
        // SAFETY: whoever makes a `View` promises that the pointer is valid and aligned for
        // as long as the view lives, and that everybody accesses the number atomically.
        unsafe { self.consumer.as_ref() }
    }

    fn producer(&self) -> &AtomicU64 {
        // SAFETY: as for `consumer`.
        unsafe { self.producer.as_ref() }
    }

    fn size(&self) -> u64 {
        self.mask + 1
    }

    /// The length word of the record at that position.
    fn length_at(&self, position: u64) -> &AtomicU32 {
        let offset = (position & self.mask) as usize;
        // SAFETY: `offset` is below the ring's size and a multiple of 8 (`read` keeps
        // positions so), hence the word lies inside the data and is aligned.
        unsafe { self.data.add(offset).cast::<AtomicU32>().as_ref() }
    }

    /// The bytes of a committed record; `None` when they would not fit into the ring.
    fn bytes_at(&self, position: u64, len: u64) -> Option<&[u8]> {
        if len > self.size() - RECORD_HEADER_BYTES {
            return None;
        }
        let offset = (position & self.mask) + RECORD_HEADER_BYTES;
        // SAFETY: offset + len < 2 * size, all of which is mapped. The producer does not write
        // into a committed record before the consumer position has passed it, which `read`
        // moves only when the slice is gone.
        Some(unsafe {
            std::slice::from_raw_parts(self.data.add(offset as usize).as_ptr(), len as usize)
        })
    }

    fn end(&self) -> u64 {
        self.producer().load(Ordering::Acquire)
    }

    fn position(&self) -> u64 {
        self.consumer().load(Ordering::Relaxed)
    }

    fn read(&mut self, end: u64, sink: &mut dyn FnMut(&[u8])) -> Read {
        let mut position = self.position();
        let mut outcome = Read::Done;
        while position < end {
            let Some(word) = self.committed(position) else {
                outcome = Read::Busy;
                break;
            };
            let len = u64::from(word & !(BUSY | DISCARD));
            let next = position + (len + RECORD_HEADER_BYTES).next_multiple_of(8);
            let (Some(bytes), true) = (self.bytes_at(position, len), next <= end) else {
                // No kernel writes this; what lies beyond cannot be found any more.
                position = end;
                outcome = Read::Corrupt;
                break;
            };
            if word & DISCARD == 0 {
                sink(bytes);
            }
            position = next;
        }
        self.consumer().store(position, Ordering::Release);
        outcome
    }

    /// The length word once the record is committed; `None` when that takes too long.
    fn committed(&self, position: u64) -> Option<u32> {
        for _ in 0..BUSY_SPINS_MAX {
            let word = self.length_at(position).load(Ordering::Acquire);
            if word & BUSY == 0 {
                return Some(word);
            }
            std::hint::spin_loop();
        }
        None
    }
}

/// A BPF ring buffer map, mapped for reading. There must be one reader only.
pub struct Ring {
    view: View,
    map: OwnedFd,
    consumer_page: NonNull<u8>,
    producer_pages: NonNull<u8>,
    page_bytes: usize,
}

// SAFETY: the pointers are to mappings that `Ring` owns; nothing is tied to a thread.
unsafe impl Send for Ring {}

impl Ring {
    /// Maps the ring buffer map of `bytes` bytes.
    pub fn map(map: OwnedFd, bytes: u32) -> io::Result<Ring> {
        let page_bytes = rustix::param::page_size();
        if !bytes.is_power_of_two() || (bytes as usize) < page_bytes {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let data_bytes = bytes as usize;
        // SAFETY: a new shared mapping at an address of the kernel's choice touches no memory
        // of ours.
        let consumer_page = unsafe {
            mmap(
                ptr::null_mut(),
                page_bytes,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                &map,
                0,
            )?
        };
        // SAFETY: as above.
        let producer_pages = unsafe {
            mmap(
                ptr::null_mut(),
                page_bytes + 2 * data_bytes,
                ProtFlags::READ,
                MapFlags::SHARED,
                &map,
                page_bytes as u64,
            )
        };
        let producer_pages = match producer_pages {
            Ok(pages) => pages,
            Err(error) => {
                // SAFETY: mapped above with that length, and referred to by nothing yet.
                unsafe { munmap(consumer_page, page_bytes).ok() };
                return Err(error.into());
            }
        };
        let pointer = |address| NonNull::new(address).expect("mmap never answers with null");
        let consumer_page = pointer(consumer_page.cast::<u8>());
        let producer_pages = pointer(producer_pages.cast::<u8>());
        // SAFETY: the first page of the second mapping is followed by the data.
        let data = unsafe { producer_pages.add(page_bytes) };
        Ok(Ring {
            view: View {
                consumer: consumer_page.cast(),
                producer: producer_pages.cast(),
                data,
                mask: u64::from(bytes) - 1,
            },
            map,
            consumer_page,
            producer_pages,
            page_bytes,
        })
    }

    /// Bytes between consumer and producer position.
    pub fn waiting(&self) -> u64 {
        self.view.end().saturating_sub(self.view.position())
    }
}

impl Records for Ring {
    fn end(&self) -> u64 {
        self.view.end()
    }

    fn position(&self) -> u64 {
        self.view.position()
    }

    fn read(&mut self, end: u64, sink: &mut dyn FnMut(&[u8])) -> Read {
        self.view.read(end, sink)
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let data_bytes = 2 * self.view.size() as usize;
        // SAFETY: both were mapped by `map` with these lengths, and the view dies with us.
        unsafe {
            munmap(self.consumer_page.as_ptr().cast(), self.page_bytes).ok();
            munmap(
                self.producer_pages.as_ptr().cast(),
                self.page_bytes + data_bytes,
            )
            .ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring in ordinary memory: the test plays the kernel.
    struct Fake {
        consumer: Box<AtomicU64>,
        producer: Box<AtomicU64>,
        data: Vec<AtomicU64>,
        size: u64,
    }

    impl Fake {
        fn new(size: u64) -> Fake {
            Fake {
                consumer: Box::new(AtomicU64::new(0)),
                producer: Box::new(AtomicU64::new(0)),
                data: (0..2 * size / 8).map(|_| AtomicU64::new(0)).collect(),
                size,
            }
        }

        fn view(&self) -> View {
            View {
                consumer: NonNull::from(&*self.consumer),
                producer: NonNull::from(&*self.producer),
                data: NonNull::from(&self.data[0]).cast(),
                mask: self.size - 1,
            }
        }

        /// Writes a word at that position, in both copies of the data.
        fn put(&self, position: u64, word: u64) {
            let slot = ((position & (self.size - 1)) / 8) as usize;
            self.data[slot].store(word, Ordering::Release);
            self.data[slot + (self.size / 8) as usize].store(word, Ordering::Release);
        }

        fn reserve(&self, words: &[u64]) -> u64 {
            let position = self.producer.load(Ordering::Relaxed);
            self.put(position, u64::from(BUSY | (8 * words.len() as u32)));
            for (n, word) in words.iter().enumerate() {
                self.put(position + 8 + 8 * n as u64, *word);
            }
            self.producer
                .store(position + 8 + 8 * words.len() as u64, Ordering::Release);
            position
        }

        fn commit(&self, position: u64, len: usize, flags: u32) {
            self.put(position, u64::from((8 * len as u32) | flags));
        }

        fn write(&self, words: &[u64]) {
            let position = self.reserve(words);
            self.commit(position, words.len(), 0);
        }
    }

    fn words(view: &mut View, end: u64) -> (Read, Vec<Vec<u64>>) {
        let mut seen = Vec::new();
        let outcome = view.read(end, &mut |bytes| {
            seen.push(
                bytes
                    .chunks(8)
                    .map(|chunk| u64::from_ne_bytes(chunk.try_into().expect("whole words")))
                    .collect(),
            );
        });
        (outcome, seen)
    }

    #[test]
    fn records_come_out_as_they_went_in_across_the_ring_end() {
        let fake = Fake::new(128);
        let mut view = fake.view();
        for round in 0..100u64 {
            let written: Vec<Vec<u64>> = (1..=3)
                .map(|n| {
                    (0..n + round % 2)
                        .map(|w| 1000 * round + 10 * n + w)
                        .collect()
                })
                .collect();
            for record in &written {
                fake.write(record);
            }
            let end = view.end();
            assert_eq!(words(&mut view, end), (Read::Done, written));
            assert_eq!(view.position(), end);
        }
    }

    #[test]
    fn a_busy_record_holds_back_what_follows_it_in_its_ring() {
        let fake = Fake::new(256);
        let mut view = fake.view();
        fake.write(&[1]);
        let late = fake.reserve(&[2]);
        fake.write(&[3]);
        let end = view.end();
        assert_eq!(words(&mut view, end), (Read::Busy, vec![vec![1]]));
        assert_eq!(view.position(), late);
        fake.commit(late, 1, 0);
        assert_eq!(words(&mut view, end), (Read::Done, vec![vec![2], vec![3]]));
    }

    #[test]
    fn a_discarded_record_is_passed_over() {
        let fake = Fake::new(256);
        let mut view = fake.view();
        let given_up = fake.reserve(&[7, 7]);
        fake.commit(given_up, 2, DISCARD);
        fake.write(&[8]);
        let end = view.end();
        assert_eq!(words(&mut view, end), (Read::Done, vec![vec![8]]));
    }

    #[test]
    fn nothing_beyond_the_end_asked_for_is_read() {
        let fake = Fake::new(256);
        let mut view = fake.view();
        fake.write(&[1]);
        let end = view.end();
        fake.write(&[2]);
        assert_eq!(words(&mut view, end), (Read::Done, vec![vec![1]]));
    }

    #[test]
    fn an_impossible_length_is_corruption_and_not_a_read_out_of_bounds() {
        for length in [8, 1 << 29, 0x3fff_ffff] {
            let fake = Fake::new(64);
            let mut view = fake.view();
            fake.put(0, length);
            fake.producer.store(8, Ordering::Release);
            assert_eq!(
                words(&mut view, 8),
                (Read::Corrupt, vec![]),
                "length {length}"
            );
            assert_eq!(view.position(), 8);
        }
    }
}
