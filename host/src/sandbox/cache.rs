//! Native code kept from run to run: a ruleset that was compiled once is ready at once.
//!
//! What lies in the directory will run with the rights of this program, past both walls. So a
//! file is taken only where nobody but root and our own user can have put it, whole, under the
//! name of just this module, engine and version; [`Cache::load`] has the proof. Anything else
//! is ignored and written anew: the cache can make a start slower or faster, never fail it.
//!
//! ```text
//! <64 hex digits of the key>.cwasm     magic (8)   digest (32)   what wasmtime made (rest)
//! ```

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, fstat, futimens,
    mkdir, open, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use wasmtime::{Engine, Module};

/// No more files are kept; the least recently used go.
const FILES_MAX: usize = 32;
/// Nor more bytes in all of them.
const BYTES_MAX: u64 = 128 << 20;
/// No file is larger. (Falco's 56 rules make 120 KB.)
const FILE_BYTES_MAX: u64 = 64 << 20;

/// How a file begins; another form of file gets another one.
const MAGIC: &[u8; 8] = b"sakercw1";
const DIGEST_BYTES: usize = 32;
const HEADER_BYTES: usize = MAGIC.len() + DIGEST_BYTES;
/// Hex digits of a key.
const NAME_DIGITS: usize = 64;
const SUFFIX: &str = ".cwasm";
/// Follows the suffix, and a number, until a file is whole.
const UNFINISHED: &str = ".part";

/// Why no native code is kept in a directory.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It cannot be opened, or made.
    #[error("it cannot be opened: {0}")]
    Closed(io::Error),
    /// It is another user's.
    #[error("it belongs to user {0}, who could put code there")]
    Owner(u32),
    /// Others may write to it.
    #[error("others may write to it (mode {0:o}), and could put code there")]
    Writable(u32),
}

/// A directory of native code that only root and our own user can write to.
#[derive(Debug)]
pub struct Cache {
    directory: OwnedFd,
}

/// What native code is kept under.
struct Key(blake3::Hash);

/// Why a file was not taken.
#[derive(Debug, PartialEq, Eq)]
enum NotTaken {
    /// There is none.
    Missing,
    /// There is something else, or it is damaged.
    Wrong(&'static str),
}

impl Cache {
    /// Opens the directory, or makes it (not those above it).
    pub fn open(path: &Path) -> Result<Cache, Unfit> {
        let closed = |error: Errno| Unfit::Closed(error.into());
        match mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(closed(error)),
        }
        // Everything further goes through this descriptor: whatever the path leads to later,
        // what was looked at here is what is used.
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = open(path, flags, Mode::empty()).map_err(closed)?;
        let stat = fstat(&directory).map_err(closed)?;
        if !is_trusted(&stat) {
            return Err(Unfit::Owner(stat.st_uid));
        }
        // What an access-control list grants to anybody shows in the group's bits.
        if stat.st_mode & 0o022 != 0 {
            return Err(Unfit::Writable(stat.st_mode & 0o7777));
        }
        Ok(Cache { directory })
    }

    /// The module's native code: as it was kept or, where it was not, compiled and kept.
    pub(crate) fn module(&self, engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Module> {
        let key = Key::of(engine, wasm);
        match self.load(engine, &key) {
            Ok(module) => {
                tracing::debug!("native code was kept as `{}`", key.name());
                return Ok(module);
            }
            Err(NotTaken::Missing) => {}
            Err(NotTaken::Wrong(why)) => {
                tracing::warn!("kept native code `{}` is not used: {why}", key.name());
            }
        }
        let module = Module::from_binary(engine, wasm)?;
        let kept = module
            .serialize()
            .map_err(|error| format!("{error:#}"))
            .and_then(|code| {
                let kept = self.keep(&key, &code).and_then(|()| self.prune());
                kept.map_err(|error| error.to_string())
            });
        if let Err(error) = kept {
            tracing::warn!("native code is not kept for the next time: {error}");
        }
        Ok(module)
    }

    fn load(&self, engine: &Engine, key: &Key) -> Result<Module, NotTaken> {
        let bytes = self.read(key)?;
        let code = key.code_of(&bytes)?;
        // SAFETY: `deserialize` asks for bytes that `Module::serialize` made, unchanged, for an
        // engine of the same configuration; it runs what they say. These are such bytes:
        // - `read` took them from a regular file with our mode and a trusted owner, in a
        //   directory that, when it was opened, belonged to root or our user and that nobody
        //   else could write to; both were asked of open descriptors, so no path could be bent
        //   in between. Who can put a file there is root or ourselves, and needs no cache to
        //   have this process run code. So no secret is needed to tell who wrote the file.
        // - Such a file is written by `keep` only, with what `Module::serialize` gave.
        // - It is in our own memory, so nobody can change it between the check and the use; and
        //   its digest, keyed by `key`, fits: it is whole, and it was kept for this Wasm code,
        //   this engine's compatibility hash and this version of Saker, not put under its name
        //   by mistake.
        // Beyond that wasmtime compares its own version, the configuration and the features of
        // this CPU, and refuses in words.
        unsafe { Module::deserialize(engine, code) }
            .map_err(|_| NotTaken::Wrong("it was made for another engine"))
    }

    /// A file's bytes, if nobody but root and our user can have written them.
    fn read(&self, key: &Key) -> Result<Vec<u8>, NotTaken> {
        // A pipe put there would otherwise hold us up.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.directory, key.name(), flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Err(NotTaken::Missing),
            Err(_) => return Err(NotTaken::Wrong("it cannot be opened")),
        };
        let unreadable = NotTaken::Wrong("it cannot be read");
        let Ok(stat) = fstat(&file) else {
            return Err(unreadable);
        };
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(NotTaken::Wrong("it is no regular file"));
        }
        if !is_trusted(&stat) {
            return Err(NotTaken::Wrong("it belongs to another user"));
        }
        if stat.st_mode & 0o7777 != 0o600 {
            return Err(NotTaken::Wrong("its mode is not 0600"));
        }
        let length = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if length > FILE_BYTES_MAX {
            return Err(NotTaken::Wrong("it is too large"));
        }
        // It is in use, so others go before it. Where that cannot be noted, it goes sooner.
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        };
        let _ = futimens(
            &file,
            &Timestamps {
                last_access: now,
                last_modification: now,
            },
        );
        let mut bytes = Vec::with_capacity(length as usize);
        match File::from(file).take(length).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(_) => Err(unreadable),
        }
    }

    /// Writes a file aside, and puts it in its place when it is whole. After a crash it may be
    /// there with a part of its bytes; its digest tells.
    fn keep(&self, key: &Key, code: &[u8]) -> io::Result<()> {
        static WRITTEN: AtomicU32 = AtomicU32::new(0);
        if (HEADER_BYTES + code.len()) as u64 > FILE_BYTES_MAX {
            return Err(io::Error::other("it is too large"));
        }
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let name = key.name();
        let aside = format!("{name}.{}-{number}{UNFINISHED}", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let create = || openat(&self.directory, &aside, flags, Mode::RUSR | Mode::WUSR);
        let file = match create() {
            // Left behind by a process of the same number that has ended.
            Err(Errno::EXIST) => {
                unlinkat(&self.directory, &aside, AtFlags::empty())?;
                create()
            }
            other => other,
        }?;
        let mut file = File::from(file);
        let written = file
            .write_all(MAGIC)
            .and_then(|()| file.write_all(key.digest(code).as_bytes()))
            .and_then(|()| file.write_all(code))
            .and_then(|()| Ok(renameat(&self.directory, &aside, &self.directory, &name)?));
        if written.is_err() {
            let _ = unlinkat(&self.directory, &aside, AtFlags::empty());
        }
        written
    }

    /// Removes what is too much, the least recently used first, and nothing that is not ours.
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in Dir::read_from(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if !name.to_str().is_ok_and(is_ours) {
                continue;
            }
            // Another process may be pruning as well.
            if let Ok(stat) = statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                files.push(((stat.st_mtime, stat.st_mtime_nsec), size, name.to_owned()));
            }
        }
        files.sort_unstable_by(|one, other| other.cmp(one));
        let mut bytes = 0u64;
        for (at, (_, size, name)) in files.iter().enumerate() {
            bytes = bytes.saturating_add(*size);
            if at >= FILES_MAX || bytes > BYTES_MAX {
                match unlinkat(&self.directory, name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// Whether it is root's or our own.
fn is_trusted(stat: &Stat) -> bool {
    stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw()
}

/// Whether a file of that name was made here, whole or not.
fn is_ours(name: &str) -> bool {
    let Some((digits, rest)) = name.split_at_checked(NAME_DIGITS) else {
        return false;
    };
    digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        && rest
            .strip_prefix(SUFFIX)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with(UNFINISHED))
}

impl Key {
    /// All that native code depends on: what it was made of, how, and by whom.
    fn of(engine: &Engine, wasm: &[u8]) -> Key {
        let mut hasher = Digesting(blake3::Hasher::new_derive_key(concat!(
            "saker ",
            env!("CARGO_PKG_VERSION"),
            " native code of a rule module"
        )));
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.0.update(&(wasm.len() as u64).to_le_bytes());
        hasher.0.update(wasm);
        Key(hasher.0.finalize())
    }

    fn name(&self) -> String {
        format!("{}{SUFFIX}", self.0.to_hex())
    }

    fn digest(&self, code: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(self.0.as_bytes(), code)
    }

    /// The code in a file's bytes, if it is whole and was kept under this key.
    fn code_of<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], NotTaken> {
        let damaged = NotTaken::Wrong("it is damaged");
        let Some((digest, code)) = bytes
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.split_first_chunk::<DIGEST_BYTES>())
        else {
            return Err(damaged);
        };
        if self.digest(code) != *digest {
            return Err(damaged);
        }
        Ok(code)
    }
}

/// Takes what wasmtime says of an engine, which it says to a [`Hasher`] only, into a digest.
struct Digesting(blake3::Hasher);

impl Hasher for Digesting {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.finalize();
        let first = digest.as_bytes().first_chunk().expect("32 bytes have 8");
        u64::from_le_bytes(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{evaluating, honest};
    use super::super::instance::engine;
    use super::super::{Budget, Limits};
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;

    struct Place {
        engine: Engine,
        directory: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Place {
            Place {
                engine: engine(&Limits::default()).unwrap(),
                directory: tempfile::tempdir().unwrap(),
            }
        }

        fn cache(&self) -> Cache {
            Cache::open(self.directory.path()).unwrap()
        }

        fn key(&self) -> Key {
            Key::of(&self.engine, &honest())
        }

        fn file(&self) -> PathBuf {
            self.directory.path().join(self.key().name())
        }

        /// Has the module, and whether it had been kept.
        fn have(&self) -> bool {
            let cache = self.cache();
            let kept = cache.load(&self.engine, &self.key()).is_ok();
            cache.module(&self.engine, &honest()).unwrap();
            kept
        }

        fn files(&self) -> Vec<String> {
            let names = std::fs::read_dir(self.directory.path()).unwrap();
            let mut names: Vec<_> = names
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_module_is_compiled_once_and_then_taken_from_a_file_that_only_we_can_read() {
        let place = Place::new();
        assert!(!place.have());
        assert_eq!(place.files(), [place.key().name()]);
        let mode = place.file().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert!(place.have());
        assert_eq!(place.files().len(), 1);
    }

    #[test]
    fn another_module_or_another_engine_has_another_file() {
        let place = Place::new();
        let other = Key::of(&place.engine, &evaluating("(i32.const 0)", ""));
        assert_ne!(place.key().0, other.0);
        let fuel = Limits {
            budget: Budget::Fuel(1),
            ..Limits::default()
        };
        let counting = Key::of(&engine(&fuel).unwrap(), &honest());
        assert_ne!(place.key().0, counting.0);
        assert_eq!(place.key().0, place.key().0);
    }

    #[test]
    fn a_damaged_file_is_ignored_and_written_anew() {
        let place = Place::new();
        place.have();
        let good = std::fs::read(place.file()).unwrap();
        let mut damages = vec![
            Vec::new(),
            good[..20].to_vec(),
            good[..good.len() - 1].to_vec(),
        ];
        damages.push([good.as_slice(), b"x"].concat());
        for at in [0, 8, HEADER_BYTES, good.len() / 2, good.len() - 1] {
            let mut damaged = good.clone();
            damaged[at] ^= 1;
            damages.push(damaged);
        }
        for damaged in damages {
            std::fs::write(place.file(), damaged).unwrap();
            assert!(!place.have());
            assert_eq!(std::fs::read(place.file()).unwrap(), good);
            assert!(place.have());
        }
    }

    #[test]
    fn a_file_under_another_modules_name_is_not_taken_for_that_modules() {
        let place = Place::new();
        place.have();
        let wasm = evaluating("(i32.const 0)", "");
        let other = Key::of(&place.engine, &wasm);
        std::fs::rename(place.file(), place.directory.path().join(other.name())).unwrap();
        let taken = place.cache().load(&place.engine, &other);
        assert_eq!(taken.err(), Some(NotTaken::Wrong("it is damaged")));
    }

    #[test]
    fn bytes_that_wasmtime_did_not_make_are_refused_even_under_a_fitting_digest() {
        let place = Place::new();
        place.cache().keep(&place.key(), b"no code").unwrap();
        let taken = place.cache().load(&place.engine, &place.key());
        let why = NotTaken::Wrong("it was made for another engine");
        assert_eq!(taken.err(), Some(why));
        assert!(!place.have());
        assert!(place.have());
    }

    #[test]
    fn what_others_could_have_written_is_not_run() {
        let place = Place::new();
        place.have();
        let good = std::fs::read(place.file()).unwrap();
        let wrong = |why| {
            let taken = place.cache().load(&place.engine, &place.key());
            assert_eq!(taken.err(), Some(NotTaken::Wrong(why)));
            assert!(!place.have());
            assert!(place.have(), "it was written anew");
        };
        for mode in [0o644, 0o620, 0o602, 0o4600] {
            std::fs::set_permissions(place.file(), PermissionsExt::from_mode(mode)).unwrap();
            wrong("its mode is not 0600");
        }
        // A link to a file that would do.
        let aside = place.directory.path().join("aside");
        std::fs::rename(place.file(), &aside).unwrap();
        std::os::unix::fs::symlink(&aside, place.file()).unwrap();
        wrong("it cannot be opened");
        std::fs::remove_file(place.file()).unwrap();
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, place.file(), FileType::Fifo, mode, 0).unwrap();
        wrong("it is no regular file");
        if rustix::process::geteuid().is_root() {
            std::fs::write(place.file(), good).unwrap();
            std::os::unix::fs::chown(place.file(), Some(65_534), None).unwrap();
            wrong("it belongs to another user");
        }
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_no_cache() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("cache");
        Cache::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o700);
        for (mode, fit) in [
            (0o755, true),
            (0o775, false),
            (0o757, false),
            (0o1777, false),
        ] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let opened = Cache::open(&path);
            assert_eq!(opened.is_ok(), fit, "{mode:o}: {:?}", opened.err());
        }
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(Cache::open(&link), Err(Unfit::Closed(_))));
        let below = place.path().join("not/there");
        assert!(matches!(Cache::open(&below), Err(Unfit::Closed(_))));
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
            assert!(matches!(Cache::open(&path), Err(Unfit::Owner(65_534))));
        }
    }

    #[test]
    fn the_least_recently_used_files_go_when_there_are_too_many_and_no_others() {
        let place = Place::new();
        let cache = place.cache();
        let key = |n: usize| Key(blake3::hash(&n.to_le_bytes()));
        let path = |n: usize| place.directory.path().join(key(n).name());
        for n in 0..FILES_MAX + 3 {
            cache.keep(&key(n), b"code").unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(n as u64);
            File::open(path(n)).unwrap().set_modified(time).unwrap();
        }
        // The oldest is read, and so the youngest.
        cache.read(&key(0)).unwrap();
        std::fs::write(place.directory.path().join("not-ours"), "x").unwrap();
        let part = format!("{}.77-0{UNFINISHED}", key(FILES_MAX + 9).name());
        std::fs::write(place.directory.path().join(&part), "x").unwrap();
        cache.prune().unwrap();
        assert!(path(0).exists());
        for n in 1..=4 {
            assert!(!path(n).exists(), "{n}");
        }
        assert!(path(5).exists());
        assert!(place.files().contains(&"not-ours".to_string()));
        assert_eq!(place.files().len(), FILES_MAX + 1);
        let large = vec![0; (BYTES_MAX / 4) as usize];
        for n in 100..105 {
            cache.keep(&key(n), &large).unwrap();
        }
        cache.prune().unwrap();
        assert_eq!(
            place.files().len(),
            4,
            "three large ones, and what is not ours"
        );
    }

    #[test]
    fn a_directory_that_is_gone_costs_nothing_but_the_cache() {
        let place = Place::new();
        let cache = place.cache();
        std::fs::remove_dir(place.directory.path()).unwrap();
        cache.module(&place.engine, &honest()).unwrap();
    }
}
