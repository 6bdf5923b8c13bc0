//! What host and compiled ruleset agree on, beside the row: imports, exports, hits.
//!
//! A compiled ruleset is a core WebAssembly module that
//! - imports one memory, [`IMPORT_MODULE`]`.`[`IMPORT_WINDOW`], and nothing else; it only loads
//!   from it;
//! - exports its own memory as [`EXPORT_MEMORY`] and the function [`EXPORT_EVALUATE`]
//!   `(first: i32, end: i32) -> i32`: judges the rows in `[first, end)` of the window memory
//!   (byte offsets, both on row boundaries) and returns how many hits there were;
//! - carries its manifest in the custom section [`MANIFEST_SECTION`].
//!
//! A hit is `row: u32` (the row's byte offset in the window memory) and `rule: u32` (index into
//! the manifest's rules), at `manifest.hits_at`, in the order of rows, those of one row in any
//! order. Only the first `manifest.hits_max` are stored; the count returned goes on.
//!
//! After instantiation the host writes into the module's memory, at addresses the manifest
//! names: a `u32` literal id per literal; a `u32` address and a `u32` number of bits per set
//! (the bitmap over literal ids it placed at `heap_at`, growing the memory); a `u8` per rule
//! (1 = enabled); a `u32` matching mode. A module keeps nothing else from call to call that
//! changes what it answers: it may keep what it computed of a process row, by the row's serial.

/// Version of rows, manifest and exports together; the host refuses any other.
pub const VERSION: u32 = 6;
/// Module name of the import.
pub const IMPORT_MODULE: &str = "saker";
/// Name of the imported memory.
pub const IMPORT_WINDOW: &str = "window";
/// Name of the module's own memory.
pub const EXPORT_MEMORY: &str = "memory";
/// Name of the function that judges rows.
pub const EXPORT_EVALUATE: &str = "evaluate";
/// Name of the custom section with the manifest.
pub const MANIFEST_SECTION: &str = "saker.manifest";
/// Bytes of a hit.
pub const HIT_BYTES: usize = 8;
/// Matching mode: every rule that holds gives a hit.
pub const MATCH_ALL: u32 = 0;
/// Matching mode: per event, only the first rule that holds.
pub const MATCH_FIRST: u32 = 1;
