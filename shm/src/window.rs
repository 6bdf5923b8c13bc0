//! The window: the shared memory in which rows go from the host to the judge.
//!
//! A memfd of a header page and a number of slots; how rows lie in a slot is
//! `saker_rules_schema::row`'s to say; what they hold and who judges them is the host's.
//! The host maps it shared and writable once and then seals it, so that nobody who is handed the
//! descriptor can map it writable, write to it, resize it or lift a seal.
//!
//! ```text
//! header   0   magic u64
//!          8   version u32      abi::VERSION
//!          12  slots u32
//!          16  slot_bytes u32
//!          20  header_bytes u32
//!          24  zero to the end of the page
//! ```
//!
//! A slot is owned by a value: [`Window::claim`] gives a [`SlotWriter`], the only thing through
//! which a slot can be written; [`SlotWriter::close`] turns it into a [`Filled`], through which
//! it can only be read; dropping either gives the slot back. A `Filled` must be kept until every
//! module that was offered it has answered: dropping it early harms no memory, but the judge
//! would read another window's rows.

use crate::mapping::{Mapping, memfd};
use rustix::fs::SealFlags;
use rustix::mm::ProtFlags;
use saker_rules_schema::abi;
use saker_rules_schema::row::{ROW_HEADER_BYTES, SLOT_BYTES, WINDOW_HEADER_BYTES};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// First bytes of the header page, read as a little-endian number.
pub const MAGIC: u64 = u64::from_le_bytes(*b"SAKERWIN");
/// No window has more slots (512 MiB; a Wasm memory ends at 4 GiB).
pub const SLOTS_MAX: u32 = 2048;

/// Bytes of the header page that say something.
const HEADER_USED: usize = 24;
/// What a window must be sealed against before anybody else may have it.
const SEALS: SealFlags = SealFlags::GROW
    .union(SealFlags::SHRINK)
    .union(SealFlags::FUTURE_WRITE)
    .union(SealFlags::SEAL);

/// Bytes of a window with that many slots.
pub fn window_bytes(slots: u32) -> usize {
    WINDOW_HEADER_BYTES + slots as usize * SLOT_BYTES
}

/// Where a slot lies in the window, in bytes.
pub fn slot_range(slot: u32) -> Range<usize> {
    let start = window_bytes(slot);
    start..start + SLOT_BYTES
}

/// Why a descriptor is not a window.
#[derive(Debug, thiserror::Error)]
pub enum NotAWindow {
    /// It could not be looked at.
    #[error("the window cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Its size is not that of a header page and a whole number of slots.
    #[error("a window cannot have {0} bytes")]
    Size(u64),
    /// It lacks a seal, so that it could change under whoever maps it.
    #[error("the window is not sealed against being resized and written")]
    Unsealed,
    /// The header page says something else.
    #[error("the window's header is not one of version {}", abi::VERSION)]
    Header,
}

/// Looks at a window one was handed, and returns how many slots it has. Trusts nothing but the
/// seals, which the kernel keeps.
pub fn examine(window: BorrowedFd<'_>) -> Result<u32, NotAWindow> {
    let seals = rustix::fs::fcntl_get_seals(window).map_err(|_| NotAWindow::Unsealed)?;
    if !seals.contains(SEALS) {
        return Err(NotAWindow::Unsealed);
    }
    let bytes = rustix::fs::fstat(window).map_err(io::Error::from)?.st_size as u64;
    let slots = bytes
        .checked_sub(WINDOW_HEADER_BYTES as u64)
        .filter(|rest| rest % SLOT_BYTES as u64 == 0)
        .map(|rest| rest / SLOT_BYTES as u64)
        .and_then(|slots| u32::try_from(slots).ok())
        .filter(|slots| (1..=SLOTS_MAX).contains(slots))
        .ok_or(NotAWindow::Size(bytes))?;
    let mut header = [0; HEADER_USED];
    let read = rustix::io::pread(window, &mut header, 0).map_err(io::Error::from)?;
    if read != HEADER_USED || header != header_page(slots) {
        return Err(NotAWindow::Header);
    }
    Ok(slots)
}

fn header_page(slots: u32) -> [u8; HEADER_USED] {
    let mut header = [0; HEADER_USED];
    header[..8].copy_from_slice(&MAGIC.to_le_bytes());
    let numbers = [
        abi::VERSION,
        slots,
        SLOT_BYTES as u32,
        WINDOW_HEADER_BYTES as u32,
    ];
    for (to, number) in header[8..].chunks_exact_mut(4).zip(numbers) {
        to.copy_from_slice(&number.to_le_bytes());
    }
    header
}

/// The shared memory and which of its slots are free.
#[derive(Debug)]
pub struct Window {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    fd: OwnedFd,
    mapping: Mapping,
    slots: u32,
    /// Locked twice per window, never per row.
    free: Mutex<Vec<Free>>,
}

/// A slot nobody owns; of its bytes the first `dirty` may be other than zero.
#[derive(Clone, Copy, Debug)]
struct Free {
    slot: u32,
    dirty: usize,
}

impl Window {
    /// Makes a window of so many slots (1 to [`SLOTS_MAX`]), all of them free.
    pub fn create(slots: u32) -> io::Result<Window> {
        if !(1..=SLOTS_MAX).contains(&slots) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("a window has 1 to {SLOTS_MAX} slots, not {slots}"),
            ));
        }
        let fd = memfd("saker-window")?;
        let bytes = window_bytes(slots);
        rustix::fs::ftruncate(&fd, bytes as u64)?;
        let mapping = Mapping::new(fd.as_fd(), bytes, ProtFlags::READ | ProtFlags::WRITE)?;
        // SAFETY: the mapping is at least a header page long, nobody else knows of it yet.
        unsafe { mapping.bytes_mut(0..HEADER_USED) }.copy_from_slice(&header_page(slots));
        rustix::fs::fcntl_add_seals(&fd, SEALS)?;
        let free = (0..slots)
            .rev()
            .map(|slot| Free { slot, dirty: 0 })
            .collect();
        Ok(Window {
            shared: Arc::new(Shared {
                fd,
                mapping,
                slots,
                free: Mutex::new(free),
            }),
        })
    }

    /// The descriptor, for the judge. Sealed: it can be mapped privately or for reading only.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.shared.fd.as_fd()
    }

    /// How many slots there are.
    pub fn slots(&self) -> u32 {
        self.shared.slots
    }

    /// How many slots nobody owns at the moment.
    pub fn free_slots(&self) -> usize {
        self.shared.lock_free().len()
    }

    /// Takes a free slot, all zero. `None` while every slot is being filled or in flight.
    pub fn claim(&self) -> Option<SlotWriter> {
        let Free { slot, dirty } = self.shared.lock_free().pop()?;
        let mut owner = Owner {
            shared: Arc::clone(&self.shared),
            slot,
            dirty,
        };
        owner.bytes_mut()[..dirty].fill(0);
        owner.dirty = 0;
        Some(SlotWriter { owner, end: 0 })
    }
}

impl Shared {
    fn lock_free(&self) -> std::sync::MutexGuard<'_, Vec<Free>> {
        // A list of numbers is whole at every moment, also when a thread died holding it.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Owns a slot: of the values of this type that exist, no two share a window and a slot number.
/// (A number leaves the free list when its owner is made, and returns when it is dropped.)
#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    slot: u32,
    /// How many bytes from the start may be other than zero.
    dirty: usize,
}

impl Owner {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the slot lies inside the mapping, which `shared` keeps alive; it is written
        // only through `bytes_mut` of this very value, which `&self` excludes meanwhile, as no
        // other owner of the slot exists and the seals forbid any other writable mapping.
        unsafe { self.shared.mapping.bytes(slot_range(self.slot)) }
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; the host's mapping is writable, and `&mut self` excludes every
        // other use of this owner. The judge only loads, from slots that are in flight.
        unsafe { self.shared.mapping.bytes_mut(slot_range(self.slot)) }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.lock_free().push(Free {
            slot: self.slot,
            dirty: self.dirty,
        });
    }
}

/// A slot being filled with rows.
#[derive(Debug)]
pub struct SlotWriter {
    owner: Owner,
    end: usize,
}

impl SlotWriter {
    /// The slot's number.
    #[inline]
    pub fn slot(&self) -> u32 {
        self.owner.slot
    }

    /// Bytes of the rows written so far.
    #[inline]
    pub fn used(&self) -> usize {
        self.end
    }

    /// Where the next row begins, as a byte offset in the window memory.
    #[inline]
    pub fn position(&self) -> u32 {
        // A window ends below 4 GiB.
        (slot_range(self.owner.slot).start + self.end) as u32
    }

    /// All bytes behind the last row, zero. Write a row at the start, then call
    /// [`commit`](Self::commit); or [`discard`](Self::discard) if it turns out not to fit.
    #[inline]
    pub fn rest(&mut self) -> &mut [u8] {
        let end = self.end;
        &mut self.owner.bytes_mut()[end..]
    }

    /// Makes the first `len` bytes of [`rest`](Self::rest) a row. Nothing may have been written
    /// behind them.
    ///
    /// # Panics
    /// If `len` is no row's length: not a multiple of 8, shorter than a row's header, or longer
    /// than what is left.
    #[inline]
    pub fn commit(&mut self, len: usize) {
        assert!(
            len.is_multiple_of(8) && len >= ROW_HEADER_BYTES && len <= SLOT_BYTES - self.end,
            "a row of {len} bytes at {} of {SLOT_BYTES}",
            self.end
        );
        self.end += len;
        self.owner.dirty = self.owner.dirty.max(self.end);
        debug_assert!(
            self.rest().iter().take(4096).all(|byte| *byte == 0),
            "bytes were written behind the row"
        );
    }

    /// Clears the first `touched` bytes of [`rest`](Self::rest) again: a row begun is given up.
    #[inline]
    pub fn discard(&mut self, touched: usize) {
        let rest = self.rest();
        let touched = touched.min(rest.len());
        rest[..touched].fill(0);
    }

    /// No more rows: from here on the slot can only be read.
    pub fn close(self) -> Filled {
        Filled {
            end: self.end,
            owner: self.owner,
        }
    }
}

/// A slot full of rows, in flight until it is dropped.
#[derive(Debug)]
pub struct Filled {
    owner: Owner,
    end: usize,
}

impl Filled {
    /// The slot's number.
    #[inline]
    pub fn slot(&self) -> u32 {
        self.owner.slot
    }

    /// Where its rows lie, as byte offsets in the window memory: `first` and `end` of the call.
    pub fn range(&self) -> Range<u32> {
        let start = slot_range(self.owner.slot).start;
        start as u32..(start + self.end) as u32
    }

    /// The rows. A row at byte offset `row` of the window memory begins at
    /// `row - range().start` here.
    pub fn rows(&self) -> &[u8] {
        &self.owner.bytes()[..self.end]
    }
}

/// The window as the judge has it: to be looked at, not touched. Beside it the judge maps the
/// window privately for each module; what a module does to its copy is not seen here.
#[derive(Debug)]
pub struct WindowView {
    fd: OwnedFd,
    mapping: Mapping,
    slots: u32,
}

impl WindowView {
    /// Maps a window one was handed, after [`examine`]; keeps a descriptor of its own.
    pub fn open(window: BorrowedFd<'_>) -> Result<WindowView, NotAWindow> {
        let slots = examine(window)?;
        let fd = window.try_clone_to_owned()?;
        let mapping = Mapping::new(fd.as_fd(), window_bytes(slots), ProtFlags::READ)?;
        Ok(WindowView { fd, mapping, slots })
    }

    /// The descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// How many slots there are.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// Length and code of the row at a byte offset of the window memory; `None` if the offset
    /// is no multiple of 8 or beyond the window. It does not know where rows begin.
    #[inline]
    pub fn row(&self, at: u32) -> Option<(u32, u16)> {
        let at = at as usize;
        if !at.is_multiple_of(8) || at + 8 > self.mapping.len() {
            return None;
        }
        let word = self.mapping.pointer(&(at..at + 8)).cast::<AtomicU64>();
        // SAFETY: eight bytes inside the mapping, aligned as a page is and `at` is; the load is
        // atomic because the host writes to slots that are not in flight meanwhile.
        let word = unsafe { &*word }.load(Ordering::Relaxed).to_ne_bytes();
        let [a, b, c, d, e, f, _, _] = word;
        Some((u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    fn write_row(slot: &mut SlotWriter, len: usize, fill: u8) -> u32 {
        let at = slot.position();
        slot.rest()[..len].fill(fill);
        slot.commit(len);
        at
    }

    #[test]
    fn a_new_window_examines_as_what_it_is() {
        let window = Window::create(3).unwrap();
        assert_eq!(examine(window.fd()).unwrap(), 3);
        assert_eq!(window.slots(), 3);
        assert_eq!(window.free_slots(), 3);
    }

    #[test]
    fn a_window_has_at_least_one_slot_and_not_too_many() {
        assert!(Window::create(0).is_err());
        assert!(Window::create(SLOTS_MAX + 1).is_err());
        assert!(Window::create(1).is_ok());
    }

    #[test]
    fn nobody_who_is_handed_the_descriptor_can_write_or_resize_it() {
        let window = Window::create(1).unwrap();
        let fd = window.fd();
        assert_eq!(rustix::io::pwrite(fd, b"x", 0), Err(Errno::PERM));
        assert_eq!(rustix::fs::ftruncate(fd, 0), Err(Errno::PERM));
        assert_eq!(rustix::fs::ftruncate(fd, 1 << 30), Err(Errno::PERM));
        assert_eq!(
            rustix::fs::fcntl_add_seals(fd, SealFlags::WRITE),
            Err(Errno::PERM)
        );
        let mapped = Mapping::new(fd, window_bytes(1), ProtFlags::READ | ProtFlags::WRITE);
        assert_eq!(
            mapped.unwrap_err().raw_os_error(),
            Some(rustix::io::Errno::PERM.raw_os_error())
        );
    }

    #[test]
    fn a_descriptor_that_is_no_window_is_refused() {
        let file = tempfile::tempfile().unwrap();
        assert!(matches!(examine(file.as_fd()), Err(NotAWindow::Unsealed)));
        let sealed = |bytes: usize, header: &[u8]| {
            let fd = memfd("saker-window").unwrap();
            rustix::fs::ftruncate(&fd, bytes as u64).unwrap();
            rustix::io::pwrite(&fd, header, 0).unwrap();
            rustix::fs::fcntl_add_seals(&fd, SEALS).unwrap();
            examine(fd.as_fd())
        };
        let good = header_page(2);
        assert_eq!(sealed(window_bytes(2), &good).unwrap(), 2);
        assert!(matches!(
            sealed(window_bytes(2) - 1, &good),
            Err(NotAWindow::Size(_))
        ));
        assert!(matches!(
            sealed(WINDOW_HEADER_BYTES, &good),
            Err(NotAWindow::Size(_))
        ));
        assert!(matches!(
            sealed(window_bytes(3), &good),
            Err(NotAWindow::Header)
        ));
        assert!(matches!(
            sealed(window_bytes(2), b"SAKERWON"),
            Err(NotAWindow::Header)
        ));
    }

    #[test]
    fn every_slot_has_one_owner_and_comes_back_when_it_is_dropped() {
        let window = Window::create(2).unwrap();
        let first = window.claim().unwrap();
        let second = window.claim().unwrap();
        assert_ne!(first.slot(), second.slot());
        assert!(window.claim().is_none());
        let in_flight = first.close();
        assert!(
            window.claim().is_none(),
            "a window in flight keeps its slot"
        );
        let slot = in_flight.slot();
        drop(in_flight);
        assert_eq!(window.claim().unwrap().slot(), slot);
    }

    #[test]
    fn rows_lie_where_the_range_says_and_others_see_them_through_the_descriptor() {
        let window = Window::create(2).unwrap();
        let mut slot = window.claim().unwrap();
        let first = write_row(&mut slot, 40, 1);
        let second = write_row(&mut slot, 64, 2);
        assert_eq!(second, first + 40);
        let filled = slot.close();
        assert_eq!(filled.range(), first..first + 104);
        assert_eq!(filled.rows()[..40], [1; 40]);
        assert_eq!(filled.rows()[40..], [2; 64]);
        let mut seen = [0; 112];
        rustix::io::pread(window.fd(), &mut seen, first.into()).unwrap();
        assert_eq!(seen[..104], *filled.rows());
        assert_eq!(seen[104..], [0; 8]);
    }

    #[test]
    fn a_slot_is_zero_when_it_is_claimed_again() {
        let window = Window::create(1).unwrap();
        for round in 1..4 {
            let mut slot = window.claim().unwrap();
            assert!(slot.rest().iter().all(|byte| *byte == 0), "round {round}");
            for _ in 0..round * 10 {
                write_row(&mut slot, 4096, 0xff);
            }
            drop(slot);
        }
    }

    #[test]
    fn a_row_given_up_leaves_nothing_behind() {
        let window = Window::create(1).unwrap();
        let mut slot = window.claim().unwrap();
        write_row(&mut slot, 32, 1);
        slot.rest()[..1000].fill(7);
        slot.discard(1000);
        assert_eq!(slot.used(), 32);
        write_row(&mut slot, 32, 2);
        slot.discard(usize::MAX);
        assert_eq!(slot.close().rows().len(), 64);
        assert!(window.claim().unwrap().rest().iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_slot_can_be_filled_to_its_last_byte_and_no_further() {
        let window = Window::create(1).unwrap();
        let mut slot = window.claim().unwrap();
        write_row(&mut slot, SLOT_BYTES - 32, 1);
        write_row(&mut slot, 32, 2);
        assert!(slot.rest().is_empty());
        let filled = slot.close();
        assert_eq!(filled.range().end as usize, window_bytes(1));
        for len in [0, 24, 36, SLOT_BYTES + 8, usize::MAX - 7] {
            drop(window.claim());
            let window = Window::create(1).unwrap();
            let commit = std::panic::catch_unwind(|| window.claim().unwrap().commit(len));
            assert!(commit.is_err(), "{len}");
        }
    }

    #[test]
    fn slots_may_be_filled_and_dropped_on_other_threads() {
        let window = Window::create(4).unwrap();
        std::thread::scope(|scope| {
            for fill in 1..=4 {
                let window = &window;
                scope.spawn(move || {
                    for _ in 0..200 {
                        let Some(mut slot) = window.claim() else {
                            continue;
                        };
                        assert!(slot.rest()[..128].iter().all(|byte| *byte == 0));
                        write_row(&mut slot, 128, fill);
                        assert_eq!(slot.close().rows(), [fill; 128]);
                    }
                });
            }
        });
        assert_eq!(window.free_slots(), 4);
    }

    #[test]
    fn a_view_sees_rows_and_nothing_beyond_the_window() {
        let window = Window::create(1).unwrap();
        let view = WindowView::open(window.fd()).unwrap();
        let mut slot = window.claim().unwrap();
        slot.rest()[..8].copy_from_slice(&[40, 0, 0, 0, 7, 1, 0, 0]);
        let at = slot.position();
        slot.commit(40);
        assert_eq!(view.slots(), 1);
        assert_eq!(view.row(at), Some((40, 0x107)));
        assert_eq!(view.row(at + 40), Some((0, 0)));
        assert_eq!(view.row(at + 4), None);
        assert_eq!(view.row(window_bytes(1) as u32 - 8), Some((0, 0)));
        assert_eq!(view.row(window_bytes(1) as u32), None);
        assert_eq!(view.row(u32::MAX - 7), None);
    }

    #[test]
    fn a_slot_outlives_the_window_that_gave_it() {
        let window = Window::create(1).unwrap();
        let mut slot = window.claim().unwrap();
        drop(window);
        write_row(&mut slot, 32, 5);
        assert_eq!(slot.close().rows(), [5; 32]);
    }
}
