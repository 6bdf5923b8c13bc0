//! The header of a recording.

use crate::cursor::{Cursor, Encoder};
use crate::error::Fault;

const MAGIC: u32 = 0x1A2B_3C4D;

/// The version of the format that a recording is in. Newer minor ones add blocks or members at
/// the end of entries, and can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// 1 for all there are.
    pub major: u16,
    /// 2 is the newest, of 2018.
    pub minor: u16,
}

impl Section {
    /// What [`Writer`](crate::Writer) writes.
    pub const NEWEST: Self = Self { major: 1, minor: 2 };

    /// The body has 16 bytes; the last 8 are the recording's length, which writers leave open.
    pub(crate) fn decode(body: &mut Cursor<'_>) -> Result<Self, Fault> {
        let magic = body.get::<u32>().ok_or(Fault::Short)?;
        if magic == MAGIC.swap_bytes() {
            return Err(Fault::ByteOrder);
        }
        if magic != MAGIC {
            return Err(Fault::NotACapture);
        }
        let major = body.get().ok_or(Fault::Short)?;
        let minor = body.get().ok_or(Fault::Short)?;
        if major > Self::NEWEST.major {
            return Err(Fault::Version { major, minor });
        }
        Ok(Self { major, minor })
    }

    pub(crate) fn encode(self, out: &mut Encoder<'_>) {
        out.value(MAGIC);
        out.value(self.major);
        out.value(self.minor);
        out.value(u64::MAX);
    }
}
