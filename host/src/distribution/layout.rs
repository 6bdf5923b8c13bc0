//! A folder in the OCI layout (OCI image specification, "Image Layout"): what a registry holds,
//! as files, for places without one.

use super::artefact::{Descriptor, Index, MediaType};
use super::digest::Digest;
use super::{BLOB_BYTES_MAX, Error, MANIFEST_BYTES_MAX, Place, Which};
use crate::folder::{Unfit, read_named, write_whole};
use std::path::{Path, PathBuf};

/// What the layout's own file says.
const LAYOUT: &str = "{\"imageLayoutVersion\":\"1.0.0\"}";
/// The annotation that is a manifest's tag.
const TAG: &str = "org.opencontainers.image.ref.name";

/// A folder in the OCI layout.
#[derive(Debug)]
pub struct Layout {
    path: PathBuf,
}

impl Layout {
    /// The one at that path, which there need not be yet.
    pub fn new(path: &Path) -> Layout {
        Layout { path: path.into() }
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path.join("blobs/sha256").join(digest.hexadecimal())
    }

    fn read(&self, path: &Path, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let shown = || format!("`{}`", path.display());
        read_named(path, bytes_max).map_err(|why| match why {
            Unfit::Closed(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Error::Missing(shown())
            }
            Unfit::TooLarge(_) => Error::TooLarge(shown(), bytes_max >> 10),
            why => Error::Place(format!("{} cannot be read: {why}", shown())),
        })
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| write_whole(path, bytes));
        written.map_err(|error| {
            Error::Place(format!("`{}` cannot be written: {error}", path.display()))
        })
    }

    fn index(&self) -> Result<Index, Error> {
        let path = self.path.join("index.json");
        let bytes = self.read(&path, MANIFEST_BYTES_MAX)?;
        Index::parse(&bytes, &format!("`{}`", path.display()))
    }
}

impl Place for Layout {
    fn manifest(&self, which: &Which) -> Result<Vec<u8>, Error> {
        let digest = match which {
            Which::Digest(digest) => *digest,
            Which::Tag(tag) => {
                let index = self.index()?;
                let is_it = |found: &&Descriptor| found.annotations.get(TAG) == Some(tag);
                let found = index.manifests.iter().find(is_it).ok_or_else(|| {
                    Error::Missing(format!("`{tag}` in `{}`", self.path.display()))
                })?;
                found.digest()?
            }
        };
        self.read(&self.blob_path(&digest), MANIFEST_BYTES_MAX)
    }

    fn blob(&self, digest: &Digest, bytes_max: usize) -> Result<Vec<u8>, Error> {
        self.read(&self.blob_path(digest), bytes_max.min(BLOB_BYTES_MAX))
    }

    fn put_blob(&self, bytes: &[u8]) -> Result<(), Error> {
        self.write(&self.blob_path(&Digest::of(bytes)), bytes)
    }

    fn put_manifest(&self, tag: &str, media_type: &str, bytes: &[u8]) -> Result<(), Error> {
        self.put_blob(bytes)?;
        let mut index = match self.index() {
            Ok(index) => index,
            Err(Error::Missing(_)) => Index::default(),
            Err(other) => return Err(other),
        };
        index
            .manifests
            .retain(|known| known.annotations.get(TAG).is_none_or(|known| known != tag));
        let mut descriptor = Descriptor::of(bytes, media_type);
        descriptor.annotations.insert(TAG.into(), tag.into());
        index.manifests.push(descriptor);
        index.media_type = Some(MediaType::INDEX.into());
        self.write(&self.path.join("oci-layout"), LAYOUT.as_bytes())?;
        self.write(&self.path.join("index.json"), &index.bytes())
    }
}
