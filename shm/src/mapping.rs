//! Memory that can be handed to others as a descriptor, and its mapping.

use rustix::fs::MemfdFlags;
use rustix::mm::{MapFlags, ProtFlags};
use std::io;
use std::ops::Range;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::NonNull;

/// Memory as a file without a name, that can be sealed.
pub(crate) fn memfd(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // It is data: nobody should ever execute it. Kernels before 6.3 do not know the flag.
    rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| rustix::fs::memfd_create(name, flags))
        .map_err(io::Error::from)
}

/// A shared mapping of a memfd that cannot shrink.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping is plain memory that belongs to this value and is not tied to a thread;
// every access goes through `bytes` and `bytes_mut`, whose callers prove exclusion.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub(crate) fn new(
        fd: BorrowedFd<'_>,
        bytes: usize,
        protection: ProtFlags,
    ) -> io::Result<Mapping> {
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let base = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                bytes,
                protection,
                MapFlags::SHARED,
                fd,
                0,
            )
        }?;
        let base = NonNull::new(base.cast()).expect("the kernel maps nothing at address 0");
        Ok(Mapping { base, bytes })
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    pub(crate) fn pointer(&self, range: &Range<usize>) -> *mut u8 {
        assert!(range.start <= range.end && range.end <= self.bytes);
        // SAFETY: inside the mapping, as just asserted.
        unsafe { self.base.as_ptr().add(range.start) }
    }

    /// # Safety
    /// Nobody writes to the range while the slice lives.
    pub(crate) unsafe fn bytes(&self, range: Range<usize>) -> &[u8] {
        // SAFETY: `pointer` holds the range against the mapping, which lives as long as `self`;
        // pages of a memfd sealed against shrinking are always there, and bytes always valid.
        unsafe { std::slice::from_raw_parts(self.pointer(&range), range.len()) }
    }

    /// # Safety
    /// The mapping is writable, and nobody else reads or writes the range while the slice lives.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn bytes_mut(&self, range: Range<usize>) -> &mut [u8] {
        // SAFETY: as in `bytes`; exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.pointer(&range), range.len()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this address and length; no slice outlives `self`.
        // A failure would leave it mapped, which harms nobody.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}
