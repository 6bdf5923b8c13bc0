//! Control groups as the default hierarchy's file system shows them.

use super::host_path;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// The default hierarchy.
pub(super) struct Groups(PathBuf);

impl Groups {
    /// Where it is mounted; `None` where it is not.
    pub(super) fn new() -> Option<Groups> {
        let places = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(host_path);
        let mut places = places.into_iter();
        let place = places.find(|place| place.join("cgroup.controllers").exists());
        place.map(Groups)
    }

    /// Number of the group at that path, which no other has as long as it is there; 0 where there
    /// is none.
    pub(super) fn number(&self, path: &[u8]) -> u64 {
        // Of a kernel of 64 bits the inode's number is the group's.
        self.look_at(path).map_or(0, |data| data.ino())
    }

    /// Whose the group at that path is, by the user's number; `None` where there is none.
    pub(super) fn owner(&self, path: &[u8]) -> Option<u32> {
        Some(self.look_at(path)?.uid())
    }

    fn look_at(&self, path: &[u8]) -> Option<Metadata> {
        let path = Path::new(OsStr::from_bytes(path.strip_prefix(b"/")?));
        // Seen from another root, a path may lead up.
        if path.components().any(|part| part == Component::ParentDir) {
            return None;
        }
        std::fs::metadata(self.0.join(path)).ok()
    }
}
