//! Native code kept from run to run: what was compiled once is ready at once.
//!
//! What lies in the directory will run with the rights of this program, past both walls. So a
//! file is taken only where its bytes are those that this program, here, once wrote under the
//! name of just this module, engine and version: a code made with a [`Secret`] of the directory's
//! says so, over the very bytes that are run; [`native`](super::native) has the proof. Anything
//! else is ignored, counted and written anew: the cache can make a start slower or faster, never
//! fail it.
//!
//! ```text
//! secret                               32 random bytes, made with the directory
//! <64 hex digits of the key>.cwasm     magic (8)   code of authenticity (32)   native code (rest)
//! ```

use super::native::Kind;
use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, fstat, futimens,
    linkat, mkdir, open, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use wasmtime::Engine;

/// No more files are kept; the least recently used go.
const FILES_MAX: usize = 32;
/// Nor more bytes in all of them: some interpreters, which have fifty MiB each.
const BYTES_MAX: u64 = 512 << 20;
/// No file is larger. (Falco's 56 rules make 120 KB.)
pub(super) const FILE_BYTES_MAX: u64 = 128 << 20;

/// How a file begins; another form of file gets another one.
const MAGIC: &[u8; 8] = b"sakercw2";
const MAC_BYTES: usize = 32;
const HEADER_BYTES: usize = MAGIC.len() + MAC_BYTES;
/// Hex digits of a key.
const NAME_DIGITS: usize = 64;
const SUFFIX: &str = ".cwasm";
/// Follows the name, and a number, until a file is whole.
const UNFINISHED: &str = ".part";
const SECRET_NAME: &str = "secret";
const SECRET_BYTES: usize = 32;

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
    /// It has no secret, and cannot be given one.
    #[error("its secret cannot be made: {0}")]
    Secret(io::Error),
}

/// A directory of native code that only root and our own user can write to.
#[derive(Debug)]
pub struct Cache {
    directory: OwnedFd,
    secret: Secret,
    taken: AtomicU64,
    refused: [AtomicU64; Refused::ALL.len()],
}

/// What only this directory's user knows: it tells what was written here from what was brought.
struct Secret([u8; SECRET_BYTES]);

/// What native code is kept under.
#[derive(Clone, Copy)]
pub(crate) struct Key(blake3::Hash);

/// Why a file that is there was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A link, most likely.
    #[error("it cannot be opened")]
    Closed,
    /// A directory, a pipe, a device.
    #[error("it is no regular file")]
    NoFile,
    /// Another user could have written it.
    #[error("it belongs to another user")]
    Owner,
    /// Others could have.
    #[error("its mode is not 0600")]
    Mode,
    /// More than anything of ours.
    #[error("it is too large")]
    TooLarge,
    /// The disk failed.
    #[error("it cannot be read")]
    Unreadable,
    /// Cut off, changed, or not written here.
    #[error("it is damaged, or was not written here")]
    Foreign,
    /// The engine does not know it.
    #[error("it was made for another engine")]
    Engine,
}

impl Refused {
    /// All of them, for counting by cause.
    pub const ALL: [Refused; 8] = [
        Refused::Closed,
        Refused::NoFile,
        Refused::Owner,
        Refused::Mode,
        Refused::TooLarge,
        Refused::Unreadable,
        Refused::Foreign,
        Refused::Engine,
    ];
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
        let secret = Secret::of(&directory).map_err(Unfit::Secret)?;
        Ok(Cache {
            directory,
            secret,
            taken: AtomicU64::new(0),
            refused: Default::default(),
        })
    }

    /// How often native code was taken from a file.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// How often a file was there and not used, by cause.
    pub fn refused(&self) -> impl Iterator<Item = (Refused, u64)> {
        let counts = self.refused.iter();
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        Refused::ALL.into_iter().zip(counts)
    }

    /// Takes note of a file that is there and not used.
    pub(super) fn refuse(&self, key: &Key, why: Refused) {
        for (count, of) in self.refused.iter().zip(Refused::ALL) {
            count.fetch_add(u64::from(of == why), Ordering::Relaxed);
        }
        tracing::warn!("kept native code `{}` is not used: {why}", key.name());
    }

    /// Takes note of one that is.
    pub(super) fn take(&self, key: &Key) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        tracing::debug!("native code was kept as `{}`", key.name());
    }

    /// The code that was kept under that key, which was written here; `None` where there is none.
    pub(super) fn load(&self, key: &Key) -> Result<Option<Vec<u8>>, Refused> {
        let Some(mut bytes) = self.read(key)? else {
            return Ok(None);
        };
        self.secret.authenticate(key, &bytes)?;
        bytes.drain(..HEADER_BYTES);
        Ok(Some(bytes))
    }

    /// A file's bytes, if nobody but root and our user can have written them.
    fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, Refused> {
        let Some((file, length)) = open_ours(&self.directory, &key.name())? else {
            return Ok(None);
        };
        if length > FILE_BYTES_MAX {
            return Err(Refused::TooLarge);
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
        match file.take(length).read_to_end(&mut bytes) {
            Ok(_) => Ok(Some(bytes)),
            Err(_) => Err(Refused::Unreadable),
        }
    }

    /// Keeps code, and removes what is too much then.
    pub(super) fn keep(&self, key: &Key, code: &[u8]) -> io::Result<()> {
        self.write(key, code)?;
        self.prune()
    }

    /// Writes a file aside, and puts it in its place when it is whole. After a crash it may be
    /// there with a part of its bytes; that shows.
    fn write(&self, key: &Key, code: &[u8]) -> io::Result<()> {
        if (HEADER_BYTES + code.len()) as u64 > FILE_BYTES_MAX {
            return Err(io::Error::other("it is too large"));
        }
        let mac = self.secret.mac(key, code);
        let name = key.name();
        let (aside, mut file) = create_aside(&self.directory, &name)?;
        let written = file
            .write_all(MAGIC)
            .and_then(|()| file.write_all(mac.as_bytes()))
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

/// Opens a file that nobody but root and our user can have written or read, with its length;
/// `None` where there is none of that name.
fn open_ours(directory: &OwnedFd, name: &str) -> Result<Option<(File, u64)>, Refused> {
    // A pipe put there would otherwise hold us up.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(directory, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(_) => return Err(Refused::Closed),
    };
    let stat = fstat(&file).map_err(|_| Refused::Unreadable)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Refused::NoFile);
    }
    if !is_trusted(&stat) {
        return Err(Refused::Owner);
    }
    if stat.st_mode & 0o7777 != 0o600 {
        return Err(Refused::Mode);
    }
    let length = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    Ok(Some((File::from(file), length)))
}

/// A new file that is to get that name when it is whole, and its name until then.
fn create_aside(directory: &OwnedFd, name: &str) -> io::Result<(String, File)> {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let aside = format!("{name}.{}-{number}{UNFINISHED}", std::process::id());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let create = || openat(directory, &aside, flags, Mode::RUSR | Mode::WUSR);
    let file = match create() {
        // Left behind by a process of the same number that has ended.
        Err(Errno::EXIST) => {
            unlinkat(directory, &aside, AtFlags::empty())?;
            create()
        }
        other => other,
    }?;
    Ok((aside, file.into()))
}

impl Secret {
    /// The directory's, made now if it has none. One that others can have read or written is
    /// none: another takes its place, and what was kept under it is foreign.
    fn of(directory: &OwnedFd) -> io::Result<Secret> {
        match Secret::read(directory) {
            Ok(Some(secret)) => return Ok(secret),
            Ok(None) => {}
            Err(why) => {
                tracing::warn!("the secret of kept native code is replaced: {why}");
                unlinkat(directory, SECRET_NAME, AtFlags::empty())?;
            }
        }
        let mut bytes = [0; SECRET_BYTES];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| io::Error::other("the kernel gives no random bytes"))?;
        let (aside, mut file) = create_aside(directory, SECRET_NAME)?;
        // On disk before it has its name: a file of zeros after a crash would be known to all.
        let linked = file
            .write_all(&bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| {
                let flags = AtFlags::empty();
                Ok(linkat(directory, &aside, directory, SECRET_NAME, flags)?)
            });
        let _ = unlinkat(directory, &aside, AtFlags::empty());
        match linked {
            Ok(()) => Ok(Secret(bytes)),
            // Another process was sooner.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = Secret::read(directory).map_err(io::Error::other)?;
                found.ok_or_else(|| io::Error::other("it comes and goes"))
            }
            Err(error) => Err(error),
        }
    }

    fn read(directory: &OwnedFd) -> Result<Option<Secret>, Refused> {
        let Some((mut file, length)) = open_ours(directory, SECRET_NAME)? else {
            return Ok(None);
        };
        let mut bytes = [0; SECRET_BYTES];
        match length == SECRET_BYTES as u64 && file.read_exact(&mut bytes).is_ok() {
            true => Ok(Some(Secret(bytes))),
            false => Err(Refused::Foreign),
        }
    }

    /// What only who knows the secret can say of that code under that key.
    fn mac(&self, key: &Key, code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(key.0.as_bytes());
        hasher.update(code);
        hasher.finalize()
    }

    /// Whether a file's bytes are whole, and were written here under that key.
    fn authenticate(&self, key: &Key, bytes: &[u8]) -> Result<(), Refused> {
        let (mac, code) = bytes
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.split_first_chunk::<MAC_BYTES>())
            .ok_or(Refused::Foreign)?;
        // This comparison takes as long whatever it finds.
        match self.mac(key, code) == blake3::Hash::from_bytes(*mac) {
            true => Ok(()),
            false => Err(Refused::Foreign),
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
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
    /// All that native code depends on: what it was made of and into, how, and by whom. What
    /// wasmtime says of an engine holds its version, its settings and the features of this CPU.
    pub(crate) fn of(engine: &Engine, kind: Kind, wasm: &[u8]) -> Key {
        let mut hasher = Digesting(blake3::Hasher::new_derive_key(concat!(
            "saker ",
            env!("CARGO_PKG_VERSION"),
            " native code of a rule module"
        )));
        hasher.0.update(match kind {
            Kind::Ruleset => b"r",
            Kind::Component => b"c",
        });
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.0.update(&(wasm.len() as u64).to_le_bytes());
        hasher.0.update(wasm);
        Key(hasher.0.finalize())
    }

    fn name(&self) -> String {
        format!("{}{SUFFIX}", self.0.to_hex())
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
    use super::super::component::specimen::Specimen;
    use super::super::fixture::{evaluating, honest};
    use super::super::instance::engine;
    use super::super::native::{Compiler, Recipe};
    use super::super::{Budget, Limits};
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;
    use wasmtime::component::Component;
    use wasmtime::{Config, Module};

    /// Nothing is compiled apart here.
    const RECIPE: Recipe = Recipe {
        counts_fuel: false,
        stack_bytes_max: 0,
        seconds: 0,
    };

    /// A directory, and what is kept in it.
    struct Place {
        engine: Engine,
        kind: Kind,
        wasm: Vec<u8>,
        directory: tempfile::TempDir,
    }

    impl Place {
        fn new(kind: Kind) -> Place {
            let limits = Limits::default();
            Place {
                engine: match kind {
                    Kind::Ruleset => engine(&limits).unwrap(),
                    Kind::Component => Engine::new(&Config::new()).unwrap(),
                },
                kind,
                wasm: match kind {
                    Kind::Ruleset => honest(),
                    Kind::Component => Specimen::default().component(),
                },
                directory: tempfile::tempdir().unwrap(),
            }
        }

        fn both() -> [Place; 2] {
            [Kind::Ruleset, Kind::Component].map(Place::new)
        }

        fn cache(&self) -> Cache {
            Cache::open(self.directory.path()).unwrap()
        }

        fn key(&self) -> Key {
            Key::of(&self.engine, self.kind, &self.wasm)
        }

        fn file(&self) -> PathBuf {
            self.directory.path().join(self.key().name())
        }

        fn secret(&self) -> PathBuf {
            self.directory.path().join(SECRET_NAME)
        }

        /// Has the native code, in a new process as it were: whether it had been kept, and why
        /// it was not used.
        fn have(&self) -> (bool, Option<Refused>) {
            let compiler = Compiler::default().keeping(self.cache());
            match self.kind {
                Kind::Ruleset => {
                    let made: Module = compiler.native(&self.engine, &RECIPE, &self.wasm).unwrap();
                    drop(made);
                }
                Kind::Component => {
                    let made: Component =
                        compiler.native(&self.engine, &RECIPE, &self.wasm).unwrap();
                    drop(made);
                }
            }
            let cache = compiler.cache().unwrap();
            let refused: Vec<(Refused, u64)> =
                cache.refused().filter(|(_, count)| *count > 0).collect();
            let why = match refused[..] {
                [] => None,
                [(why, 1)] => Some(why),
                _ => panic!("{refused:?}"),
            };
            (cache.taken() == 1, why)
        }

        /// Demands that what is there is not used for that reason, and written anew.
        #[track_caller]
        fn is_refused(&self, why: Refused) {
            assert_eq!(self.have(), (false, Some(why)));
            assert_eq!(self.have(), (true, None), "it was written anew");
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

    fn mode_of(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().permissions().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn code_is_compiled_once_and_then_taken_from_a_file_that_only_we_can_read() {
        for place in Place::both() {
            assert_eq!(place.have(), (false, None));
            assert_eq!(place.files(), [&place.key().name(), SECRET_NAME]);
            assert_eq!(mode_of(&place.file()), 0o600);
            assert_eq!(mode_of(&place.secret()), 0o600);
            assert_eq!(place.have(), (true, None));
            assert_eq!(place.files().len(), 2);
        }
    }

    #[test]
    fn another_module_engine_processor_or_kind_has_another_file() {
        let place = Place::new(Kind::Ruleset);
        let of = |engine: &Engine| Key::of(engine, Kind::Ruleset, &place.wasm).0;
        let wasm = evaluating("(i32.const 0)", "");
        let other = Key::of(&place.engine, Kind::Ruleset, &wasm);
        assert_ne!(place.key().0, other.0);
        let other = Key::of(&place.engine, Kind::Component, &place.wasm);
        assert_ne!(place.key().0, other.0);
        let fuel = Limits {
            budget: Budget::Fuel(1),
            ..Limits::default()
        };
        assert_ne!(place.key().0, of(&engine(&fuel).unwrap()));
        assert_eq!(place.key().0, place.key().0);
        let mut config = Config::new();
        let mut version = Config::new();
        let this = of(&Engine::new(&config).unwrap());
        let other = wasmtime::ModuleVersionStrategy::Custom("1".into());
        version.module_version(other).unwrap();
        assert_ne!(this, of(&Engine::new(&version).unwrap()));
        if cfg!(target_arch = "x86_64") {
            // SAFETY: the engine makes less of the processor than there is, and runs nothing.
            unsafe { config.cranelift_flag_set("has_bmi1", "false") };
            assert_ne!(this, of(&Engine::new(&config).unwrap()));
        }
    }

    #[test]
    fn a_damaged_file_is_ignored_and_written_anew() {
        for place in Place::both() {
            place.have();
            let good = std::fs::read(place.file()).unwrap();
            let mut damages = vec![
                Vec::new(),
                good[..20].to_vec(),
                good[..HEADER_BYTES].to_vec(),
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
                place.is_refused(Refused::Foreign);
                assert_eq!(std::fs::read(place.file()).unwrap(), good);
            }
        }
    }

    #[test]
    fn a_file_under_another_modules_name_is_not_taken_for_that_modules() {
        let mut place = Place::new(Kind::Ruleset);
        place.have();
        let first = place.file();
        place.wasm = evaluating("(i32.const 0)", "");
        std::fs::rename(first, place.file()).unwrap();
        place.is_refused(Refused::Foreign);
    }

    #[test]
    fn a_file_that_was_written_elsewhere_is_not_taken() {
        for (here, elsewhere) in Place::both().into_iter().zip(Place::both()) {
            elsewhere.have();
            here.cache();
            // The very code that would be made here: only the secret differs.
            std::fs::copy(elsewhere.file(), here.file()).unwrap();
            set_mode(&here.file(), 0o600);
            here.is_refused(Refused::Foreign);
        }
    }

    #[test]
    fn a_secret_that_others_can_know_is_none() {
        let place = Place::new(Kind::Ruleset);
        place.have();
        let secret = std::fs::read(place.secret()).unwrap();
        assert_eq!(secret.len(), SECRET_BYTES);
        let is_replaced = |how: &dyn Fn(&Path)| {
            let before = std::fs::read(place.secret()).unwrap();
            how(&place.secret());
            place.is_refused(Refused::Foreign);
            assert_eq!(mode_of(&place.secret()), 0o600);
            assert_ne!(std::fs::read(place.secret()).unwrap(), before);
        };
        is_replaced(&|path| set_mode(path, 0o644));
        is_replaced(&|path| std::fs::write(path, [0; SECRET_BYTES - 1]).unwrap());
        is_replaced(&|path| std::fs::write(path, [0; SECRET_BYTES + 1]).unwrap());
        is_replaced(&|path| std::fs::remove_file(path).unwrap());
        let aside = place.directory.path().join("aside");
        is_replaced(&|path| {
            std::fs::rename(path, &aside).unwrap();
            std::os::unix::fs::symlink(&aside, path).unwrap();
        });
        if rustix::process::geteuid().is_root() {
            is_replaced(&|path| std::os::unix::fs::chown(path, Some(65_534), None).unwrap());
        }
        assert!(place.have().0);
    }

    #[test]
    fn those_who_begin_at_once_have_the_same_secret() {
        for _ in 0..20 {
            let place = Place::new(Kind::Ruleset);
            let secrets = std::thread::scope(|scope| {
                let opened = [(); 4].map(|()| scope.spawn(|| place.cache().secret.0));
                opened.map(|thread| thread.join().unwrap())
            });
            assert!(secrets.windows(2).all(|pair| pair[0] == pair[1]));
            assert_eq!(place.files(), [SECRET_NAME]);
        }
    }

    #[test]
    fn bytes_that_wasmtime_did_not_make_are_refused_even_under_a_fitting_code() {
        for place in Place::both() {
            place.cache().keep(&place.key(), b"no code").unwrap();
            place.is_refused(Refused::Engine);
        }
    }

    #[test]
    fn what_others_could_have_written_is_not_run() {
        for place in Place::both() {
            place.have();
            let good = std::fs::read(place.file()).unwrap();
            for mode in [0o644, 0o620, 0o602, 0o4600] {
                set_mode(&place.file(), mode);
                place.is_refused(Refused::Mode);
            }
            // A link to a file that would do.
            let aside = place.directory.path().join("aside");
            std::fs::rename(place.file(), &aside).unwrap();
            std::os::unix::fs::symlink(&aside, place.file()).unwrap();
            place.is_refused(Refused::Closed);
            std::fs::remove_file(place.file()).unwrap();
            let mode = Mode::RUSR | Mode::WUSR;
            rustix::fs::mknodat(rustix::fs::CWD, place.file(), FileType::Fifo, mode, 0).unwrap();
            place.is_refused(Refused::NoFile);
            let file = File::options().write(true).open(place.file()).unwrap();
            file.set_len(FILE_BYTES_MAX + 1).unwrap();
            place.is_refused(Refused::TooLarge);
            if rustix::process::geteuid().is_root() {
                std::fs::write(place.file(), good).unwrap();
                std::os::unix::fs::chown(place.file(), Some(65_534), None).unwrap();
                place.is_refused(Refused::Owner);
            }
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
            set_mode(&path, mode);
            let opened = Cache::open(&path);
            assert_eq!(opened.is_ok(), fit, "{mode:o}: {:?}", opened.err());
        }
        set_mode(&path, 0o700);
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(Cache::open(&link), Err(Unfit::Closed(_))));
        let below = place.path().join("not/there");
        assert!(matches!(Cache::open(&below), Err(Unfit::Closed(_))));
        std::fs::remove_file(path.join(SECRET_NAME)).unwrap();
        std::fs::create_dir(path.join(SECRET_NAME)).unwrap();
        assert!(matches!(Cache::open(&path), Err(Unfit::Secret(_))));
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
            assert!(matches!(Cache::open(&path), Err(Unfit::Owner(65_534))));
        }
    }

    #[test]
    fn the_least_recently_used_files_go_when_there_are_too_many_and_no_others() {
        let place = Place::new(Kind::Ruleset);
        let cache = place.cache();
        let key = |n: usize| Key(blake3::hash(&n.to_le_bytes()));
        let path = |n: usize| place.directory.path().join(key(n).name());
        for n in 0..FILES_MAX + 3 {
            cache.write(&key(n), b"code").unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(n as u64);
            File::open(path(n)).unwrap().set_modified(time).unwrap();
        }
        // The oldest is read, and so the youngest.
        cache.read(&key(0)).unwrap().unwrap();
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
        assert_eq!(place.files().len(), FILES_MAX + 2);
        // Holes take no room on the disk.
        for n in 100..106 {
            cache.write(&key(n), b"code").unwrap();
            let file = File::options().write(true).open(path(n)).unwrap();
            file.set_len(BYTES_MAX / 5).unwrap();
        }
        cache.prune().unwrap();
        assert_eq!(
            place.files().len(),
            7,
            "five large ones, the secret, and what is not ours"
        );
    }

    #[test]
    fn a_directory_that_is_gone_costs_nothing_but_the_cache() {
        let place = Place::new(Kind::Ruleset);
        let compiler = Compiler::default().keeping(place.cache());
        std::fs::remove_dir_all(place.directory.path()).unwrap();
        let made: Module = compiler
            .native(&place.engine, &RECIPE, &place.wasm)
            .unwrap();
        drop(made);
    }
}
