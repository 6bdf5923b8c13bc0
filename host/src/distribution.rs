//! Modules and rules as OCI artefacts: what they are made of, where they are kept (a registry, or
//! a folder in the OCI layout), and who signed them.
//!
//! Nothing that comes from a place is believed: what was asked for by digest must have it, each
//! piece must have the digest and the length that its manifest says, and all of it has bounds. A
//! tag alone says nothing but what its registry says at the time, so whatever is pulled is told
//! by digest.
//!
//! ```text
//! tag ─► [index ─►] manifest ─► config, layers        each arrow but the first is a digest
//!                      ▲
//!        tag sha256-<digest>.sig ─► manifest ─► payload that names the digest, and its signature
//! ```

pub mod artefact;
pub mod digest;
pub mod layout;
pub mod reference;
pub mod registry;
pub mod signature;

use digest::Digest;

/// No manifest or index is larger; registries take no more either (OCI distribution, 4 MiB).
pub const MANIFEST_BYTES_MAX: usize = 4 << 20;
/// No piece of an artefact is larger: more than any module that Saker would run.
pub const BLOB_BYTES_MAX: usize = 32 << 20;

/// Why something cannot be pulled, pushed or believed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The place could not be asked, or answered with this.
    #[error("{0}")]
    Place(String),
    /// There is no such thing.
    #[error("there is no {0}")]
    Missing(String),
    /// What came is not what was asked for.
    #[error("{what} is not what was asked for: its digest is {found} instead of {asked}")]
    Digest {
        /// What came.
        what: String,
        /// What its digest is.
        found: Digest,
        /// What it ought to be.
        asked: Digest,
    },
    /// It is none that Saker reads.
    #[error("{0}")]
    Artefact(String),
    /// It is larger than anything of its kind may be.
    #[error("{0} is larger than {1} KiB")]
    TooLarge(String, usize),
}

/// What a manifest is asked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// A name that may mean another one tomorrow.
    Tag(String),
    /// The manifest itself.
    Digest(Digest),
}

impl std::fmt::Display for Which {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Which::Tag(tag) => f.write_str(tag),
            Which::Digest(digest) => digest.fmt(f),
        }
    }
}

/// Where artefacts are kept. What it gives is not checked yet: [`artefact`] does that.
pub trait Place {
    /// A manifest's bytes, at most [`MANIFEST_BYTES_MAX`].
    fn manifest(&self, which: &Which) -> Result<Vec<u8>, Error>;
    /// A piece's bytes, at most so many.
    fn blob(&self, digest: &Digest, bytes_max: usize) -> Result<Vec<u8>, Error>;
    /// Keeps a piece.
    fn put_blob(&self, bytes: &[u8]) -> Result<(), Error>;
    /// Keeps a manifest of that media type, whose pieces it has, under a tag.
    fn put_manifest(&self, tag: &str, media_type: &str, bytes: &[u8]) -> Result<(), Error>;
}
