//! The files that say who may come in: one line, for nobody else to read.

use rustix::fs::{Mode, OFlags, fstat, open};
use saker_web::session::{TOKEN_BYTES_MIN, Token, secret};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// What is read of such a file.
const FILE_BYTES_MAX: u64 = 4096;

/// Why a file gives no token.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It cannot be read, or made.
    #[error("{0}")]
    Failed(#[from] io::Error),
    /// It is another user's.
    #[error("it belongs to user {0}, and not to root or to Saker's user")]
    Owner(u32),
    /// Others may read or write it.
    #[error("others may read it or write to it (mode {0:o}): `chmod 600` it")]
    Open(u32),
    /// It is a folder, a device.
    #[error("it is no regular file")]
    NoFile,
    /// It is no secret.
    #[error("its first line has fewer than {TOKEN_BYTES_MIN} characters, or more than 512")]
    Short,
}

impl From<rustix::io::Errno> for Unfit {
    fn from(error: rustix::io::Errno) -> Unfit {
        Unfit::Failed(error.into())
    }
}

/// The token in that file, as a text and as what it is compared with.
pub(super) fn read(path: &Path) -> Result<(String, Token), Unfit> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::empty())?;
    let found = fstat(&file)?;
    if !rustix::fs::FileType::from_raw_mode(found.st_mode).is_file() {
        return Err(Unfit::NoFile);
    }
    if found.st_uid != 0 && found.st_uid != rustix::process::geteuid().as_raw() {
        return Err(Unfit::Owner(found.st_uid));
    }
    // A secret of Kubernetes' has mode 640, and the group of the pod.
    if found.st_mode & 0o027 != 0 {
        return Err(Unfit::Open(found.st_mode & 0o7777));
    }
    let mut text = String::new();
    File::from(file)
        .take(FILE_BYTES_MAX)
        .read_to_string(&mut text)?;
    let line = text.lines().next().unwrap_or_default().trim();
    let token = Token::new(line).ok_or(Unfit::Short)?;
    Ok((line.to_owned(), token))
}

/// The same; where there is no such file it is made, with a secret.
pub(super) fn read_or_make(path: &Path) -> Result<(String, Token), Unfit> {
    match read(path) {
        Err(Unfit::Failed(error)) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    if let Some(folder) = path.parent() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(folder)?;
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::RUSR | Mode::WUSR)?;
    let mut file = File::from(file);
    writeln!(file, "{}", secret()?)?;
    file.sync_all()?;
    read(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_made_once_and_is_for_nobody_else_to_read() {
        let folder = tempfile::tempdir().expect("a folder for files of the test");
        let path = folder.path().join("state/page.token");
        let (made, _) = read_or_make(&path).expect("a folder of the test");
        assert_eq!(made.len(), 64);
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let (found, _) = read_or_make(&path).expect("it is there");
        assert_eq!(found, made);
    }

    #[test]
    fn a_file_that_others_may_read_or_that_is_no_secret_lets_nobody_in() {
        let folder = tempfile::tempdir().expect("a folder for files of the test");
        let path = folder.path().join("token");
        std::fs::write(&path, "a secret of the test\n").expect("a folder of the test");
        let may = |mode| {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, permissions).expect("a file of the test");
            read(&path)
        };
        assert!(matches!(may(0o644), Err(Unfit::Open(0o644))));
        assert!(matches!(may(0o660), Err(Unfit::Open(0o660))));
        assert!(may(0o640).is_ok());
        assert!(may(0o600).is_ok());
        std::fs::write(&path, "short\nand more than that\n").expect("a file of the test");
        assert!(matches!(read(&path), Err(Unfit::Short)));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a folder of the test");
        assert!(matches!(read(&link), Err(Unfit::Failed(_))));
        assert!(matches!(read(folder.path()), Err(Unfit::NoFile)));
    }
}
