//! The machine that was recorded.

use crate::cursor::{Cursor, Encoder};

/// The place for the host's name, zero bytes behind it.
const HOSTNAME_BYTES: usize = 128;

/// The machine that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine<'a> {
    /// Processors.
    pub cpus: u32,
    /// Memory.
    pub memory_bytes: u64,
    /// The highest pid there can be.
    pub pid_max: u64,
    /// The host's name; at most 127 bytes are written.
    pub hostname: &'a [u8],
    /// When it was started, in nanoseconds since 1970; 0 if not recorded.
    pub boot_time: u64,
    /// As recorded.
    pub flags: u64,
}

impl<'a> Machine<'a> {
    pub(crate) fn decode(body: &mut Cursor<'a>) -> Option<Self> {
        let cpus = body.get()?;
        let memory_bytes = body.get()?;
        let pid_max = body.get()?;
        let hostname = body.take(HOSTNAME_BYTES)?;
        let boot_time = body.get()?;
        let flags = body.get()?;
        // Two more numbers, of no use so far.
        body.take(16)?;
        Some(Self {
            cpus,
            memory_bytes,
            pid_max,
            hostname: hostname.split(|byte| *byte == 0).next().unwrap_or_default(),
            boot_time,
            flags,
        })
    }

    pub(crate) fn encode(&self, out: &mut Encoder<'_>) {
        out.value(self.cpus);
        out.value(self.memory_bytes);
        out.value(self.pid_max);
        let mut hostname = [0; HOSTNAME_BYTES];
        for (place, byte) in hostname
            .iter_mut()
            .zip(self.hostname)
            .take(HOSTNAME_BYTES - 1)
        {
            *place = *byte;
        }
        out.texts_cut += u64::from(self.hostname.len() >= HOSTNAME_BYTES);
        out.put(&hostname);
        out.value(self.boot_time);
        out.value(self.flags);
        out.put(&[0; 16]);
    }
}
