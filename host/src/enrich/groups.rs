//! Control groups as the default hierarchy's file system shows them.

use super::host_path;
use std::ffi::OsStr;
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
        let Some(path) = path.strip_prefix(b"/") else {
            return 0;
        };
        let path = Path::new(OsStr::from_bytes(path));
        // Seen from another root, a path may lead up.
        if path.components().any(|part| part == Component::ParentDir) {
            return 0;
        }
        // Of a kernel of 64 bits the inode's number is the group's.
        std::fs::metadata(self.0.join(path)).map_or(0, |data| data.ino())
    }
}
