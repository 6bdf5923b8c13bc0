//! Reading the tables of users and groups, again whenever one of them changes.

use super::host_path;
use crate::state::users::Users;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

/// No table is read further.
const TABLE_BYTES_MAX: u64 = 16 << 20;

/// What a file was like when it was read: device, inode, size, change time.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// `/etc/passwd` and `/etc/group`, and what they were like when last read.
#[derive(Default)]
pub struct Files {
    stamps: Option<[Stamp; 2]>,
}

impl Files {
    /// The tables, if they are other than when last asked.
    pub fn read_if_changed(&mut self) -> Option<Users> {
        let paths = ["/etc/passwd", "/etc/group"].map(host_path);
        let stamps = paths.each_ref().map(|path| {
            let file = std::fs::metadata(path).ok()?;
            Some((
                file.dev(),
                file.ino(),
                file.size(),
                file.ctime(),
                file.ctime_nsec(),
            ))
        });
        if self.stamps == Some(stamps) {
            return None;
        }
        self.stamps = Some(stamps);
        let [passwd, group] = paths.map(|path| {
            let mut text = Vec::new();
            // A table that is not there is an empty one: ids then have no names.
            if let Ok(file) = File::open(path) {
                let _ = file.take(TABLE_BYTES_MAX).read_to_end(&mut text);
            }
            text
        });
        Some(Users::parse(&passwd, &group))
    }
}
