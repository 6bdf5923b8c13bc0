//! The probe: what it writes into its ring buffers ([`record`]), what it captures of each
//! system call ([`recipe`]) and, in `probe/`, the C source that does so. Loading the probe
//! and reading the rings is the host's business.

pub mod recipe;
pub mod record;

/// The compiled probe: the committed object, or one's own build under `SAKER_BUILD_PROBE=1`.
pub const OBJECT: &[u8] = include_bytes!(env!("SAKER_PROBE_OBJECT"));
