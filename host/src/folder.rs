//! A folder of modules: which files are in it, and what is in them, so that nothing outside of it
//! can be reached through it and nobody but root and Saker's user can have put it there.
//!
//! Links are followed as long as they stay in the folder, as those of a mounted ConfigMap do
//! (`x.wasm` leads to `..data/x.wasm`, and `..data` to a folder beside it). When to look is
//! `watch`'s to say, and what a file means is left to `modules`.

use rustix::fs::{
    CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, open, openat, openat2,
};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// No more files of a folder are looked at.
pub const FILES_MAX: usize = 256;
/// Endings of files that are modules.
const ENDINGS: [&str; 3] = ["wasm", "yaml", "yml"];

/// Why a folder, or a file in it, is not used.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It cannot be opened.
    #[error("it cannot be opened: {0}")]
    Closed(io::Error),
    /// It leads out of the folder.
    #[error("it is a link that leads out of the folder")]
    Outside,
    /// It is another user's.
    #[error("it belongs to user {0}, and not to root or to Saker's user")]
    Owner(u32),
    /// Others may write to it.
    #[error("others may write to it (mode {0:o})")]
    Writable(u32),
    /// It is a device, a pipe, a folder.
    #[error("it is no regular file")]
    NoFile,
    /// It is too large.
    #[error("it is larger than {0} MiB")]
    TooLarge(usize),
    /// There are too many.
    #[error("it holds more than {FILES_MAX} modules")]
    TooMany,
}

impl From<Errno> for Unfit {
    fn from(error: Errno) -> Unfit {
        match error {
            // A link that leads out of it, and one of another root's or of a process's.
            Errno::XDEV | Errno::LOOP => Unfit::Outside,
            error => Unfit::Closed(error.into()),
        }
    }
}

/// A folder of modules, opened.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    directory: OwnedFd,
}

impl Folder {
    /// Opens it; everything further goes through this descriptor.
    pub fn open(path: &Path) -> Result<Folder, Unfit> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(CWD, path, flags, Mode::empty())?;
        trust(&fstat(&directory)?)?;
        Ok(Folder {
            path: path.into(),
            directory,
        })
    }

    /// Names of the files that are modules, in their order.
    pub fn names(&self) -> Result<Vec<PathBuf>, Unfit> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.directory)? {
            let entry = entry?;
            let name = Path::new(OsStr::from_bytes(entry.file_name().to_bytes()));
            let is_module = name
                .extension()
                .and_then(OsStr::to_str)
                .is_some_and(|ending| ENDINGS.contains(&ending));
            // Editors' copies and the folders of a ConfigMap begin with a dot.
            if !is_module || name.as_os_str().as_bytes().starts_with(b".") {
                continue;
            }
            if names.len() == FILES_MAX {
                return Err(Unfit::TooMany);
            }
            names.push(name.to_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Where a file of it lies.
    pub fn path_of(&self, name: &Path) -> PathBuf {
        self.path.join(name)
    }

    /// What is in a file of it.
    pub fn read(&self, name: &Path, bytes_max: usize) -> Result<Vec<u8>, Unfit> {
        // A pipe put there would otherwise hold us up.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let file = match openat2(&self.directory, name, flags, Mode::empty(), inside) {
            // Where the system call is filtered, no link at all is followed.
            Err(Errno::NOSYS | Errno::PERM) => openat(
                &self.directory,
                name,
                flags | OFlags::NOFOLLOW,
                Mode::empty(),
            ),
            opened => opened,
        }?;
        trust(&fstat(&file)?)?;
        read_regular(file, bytes_max)
    }
}

/// Whether nobody but root and our user can have written it.
fn trust(stat: &Stat) -> Result<(), Unfit> {
    if stat.st_uid != 0 && stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(Unfit::Owner(stat.st_uid));
    }
    match stat.st_mode & 0o022 {
        0 => Ok(()),
        _ => Err(Unfit::Writable(stat.st_mode & 0o7777)),
    }
}

/// Reads a file that somebody named: no more than so many bytes of a regular file, wherever it
/// lies.
pub fn read_named(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Unfit> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::empty()).map_err(|error| Unfit::Closed(error.into()))?;
    read_regular(file, bytes_max)
}

fn read_regular(file: OwnedFd, bytes_max: usize) -> Result<Vec<u8>, Unfit> {
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(Unfit::NoFile);
    }
    let mut bytes = Vec::new();
    let read = File::from(file)
        .take(bytes_max as u64 + 1)
        .read_to_end(&mut bytes);
    read.map_err(Unfit::Closed)?;
    match bytes.len() > bytes_max {
        true => Err(Unfit::TooLarge(bytes_max >> 20)),
        false => Ok(bytes),
    }
}

/// Writes a file so that whoever reads it sees all of it or what was there before. Everybody may
/// read it, and only its owner write to it.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut aside = tempfile::Builder::new()
        .prefix(".saker-")
        .permissions(PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)?;
    aside.write_all(bytes)?;
    aside.as_file().sync_all()?;
    aside.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().expect("a folder for files of the test");
        let path = place.path().join("modules");
        std::fs::create_dir(&path).expect("ours");
        set_mode(&path, 0o755);
        (place, path)
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("ours");
    }

    fn write(path: &Path, text: &str) {
        std::fs::write(path, text).expect("ours");
        set_mode(path, 0o644);
    }

    #[test]
    fn links_are_followed_within_the_folder_and_never_out_of_it() {
        let (place, path) = folder();
        write(&place.path().join("secret.wasm"), "secret");
        // As a ConfigMap is mounted.
        std::fs::create_dir(path.join("..2026")).expect("ours");
        write(&path.join("..2026/a.wasm"), "a");
        symlink("..2026", path.join("..data")).expect("ours");
        symlink("..data/a.wasm", path.join("a.wasm")).expect("ours");
        symlink("../secret.wasm", path.join("up.wasm")).expect("ours");
        symlink(place.path().join("secret.wasm"), path.join("whole.wasm")).expect("ours");
        symlink("/proc/self/root/etc/passwd", path.join("magic.wasm")).expect("ours");
        symlink("loop.wasm", path.join("loop.wasm")).expect("ours");
        symlink("..", path.join("parent")).expect("ours");
        symlink("parent/secret.wasm", path.join("round.wasm")).expect("ours");
        let folder = Folder::open(&path).expect("it is ours");
        assert_eq!(folder.read(Path::new("a.wasm"), 10).expect("inside"), b"a");
        for out in ["up", "whole", "magic", "loop", "round"] {
            let name = format!("{out}.wasm");
            let read = folder.read(Path::new(&name), 1000);
            assert!(matches!(read, Err(Unfit::Outside)), "{out}: {read:?}");
        }
        let read = folder.read(Path::new("../secret.wasm"), 1000);
        assert!(matches!(read, Err(Unfit::Outside)), "{read:?}");
    }

    #[test]
    fn what_others_can_have_put_there_and_what_is_no_file_is_not_read() {
        let (_place, path) = folder();
        write(&path.join("open.wasm"), "x");
        set_mode(&path.join("open.wasm"), 0o666);
        write(&path.join("large.wasm"), "more than ten bytes");
        std::fs::create_dir(path.join("folder.wasm")).expect("ours");
        rustix::fs::mknodat(
            CWD,
            path.join("pipe.wasm"),
            FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .expect("anybody may make a pipe");
        let folder = Folder::open(&path).expect("it is ours");
        let read = |name: &str| folder.read(Path::new(name), 10);
        assert!(matches!(read("open.wasm"), Err(Unfit::Writable(0o666))));
        assert!(matches!(read("large.wasm"), Err(Unfit::TooLarge(_))));
        assert!(matches!(read("pipe.wasm"), Err(Unfit::NoFile)));
        assert!(matches!(read("folder.wasm"), Err(Unfit::NoFile)));
        assert!(matches!(read("none.wasm"), Err(Unfit::Closed(_))));
        set_mode(&path, 0o777);
        assert!(matches!(Folder::open(&path), Err(Unfit::Writable(0o777))));
    }

    #[test]
    fn copies_of_editors_are_no_modules_and_too_many_files_are_refused() {
        let (_place, path) = folder();
        for name in [
            "b.wasm",
            "a.yaml",
            ".a.yaml.swp",
            "a.yaml~",
            "4913",
            ".x.wasm",
            "README",
        ] {
            write(&path.join(name), "");
        }
        let folder = Folder::open(&path).expect("it is ours");
        let names = folder.names().expect("it can be read");
        assert_eq!(names, [Path::new("a.yaml"), Path::new("b.wasm")]);
        for number in 0..FILES_MAX {
            write(&path.join(format!("{number}.wasm")), "");
        }
        assert!(matches!(folder.names(), Err(Unfit::TooMany)));
    }
}
