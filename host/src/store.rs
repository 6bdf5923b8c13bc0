//! Alerts kept: a file in which they are found again, with what people say of them and who
//! changed what. The only place that knows SQL.
//!
//! `write` is the output that alerts come to, on a thread and behind a queue of its own; what
//! people do goes by `change`; `read` answers. All of them share the file, whose journal is
//! written ahead, so that nobody waits for a reader. What a batch of alerts was written with
//! outlives this program's sudden end; what people did outlives the machine's.

mod change;
mod incident;
pub mod history;
mod query;
mod read;
mod schema;
mod write;

pub use change::NewChange;
pub use write::Writer;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Mode, OFlags, fstat, open};
use saker_web::host::Refusal;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// How long one who writes waits for another to be done.
const BUSY: Duration = Duration::from_secs(10);
/// Connections for readers that are kept.
const READERS_MAX: usize = 8;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Alerts of events older than that are given up.
    pub age: Duration,
    /// Of more bytes the oldest are.
    pub bytes: u64,
}

/// Why nothing is kept in a file.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Its folder cannot be made.
    #[error("its folder cannot be made: {0}")]
    Folder(std::io::Error),
    /// It cannot be opened, or made.
    #[error("it cannot be opened: {0}")]
    Closed(std::io::Error),
    /// It is another user's.
    #[error("it, or its folder, belongs to user {0}, and not to root or to Saker's user")]
    Owner(u32),
    /// Others may write to it.
    #[error("others may write to it, or to its folder (mode {0:o})")]
    Writable(u32),
    /// It is a folder, a device.
    #[error("it is no regular file")]
    NoFile,
    /// It was made by a later version.
    #[error("it was written by a later version of Saker (form {0}, this one knows {1})")]
    Later(i64, i64),
    /// It has something else in it.
    #[error("it is no store of alerts")]
    Foreign,
    /// It is damaged, or the disk is full.
    #[error("{0}")]
    Database(#[from] rusqlite::Error),
}

/// What was written and given up so far.
#[derive(Debug, Default)]
pub struct Counters {
    /// Alerts that were written.
    pub written: AtomicU64,
    /// Alerts that were given up for their age or the room they take.
    pub forgotten: AtomicU64,
}

/// The store.
#[derive(Clone)]
pub struct Store {
    inside: Arc<Inside>,
}

struct Inside {
    path: PathBuf,
    limits: Limits,
    readers: Mutex<Vec<Connection>>,
    changes: Mutex<Connection>,
    newest: watch::Sender<u64>,
    counters: Counters,
}

impl Store {
    /// Opens the store, or makes it, and the writer of alerts to it.
    pub fn open(path: &Path, limits: Limits, hostname: String) -> Result<(Store, Writer), Unfit> {
        trust(path)?;
        let mut writing = connect(path)?;
        schema::migrate(&mut writing)?;
        let newest = read::newest(&writing)?;
        let changes = connect(path)?;
        // What somebody was told is done is on the disk.
        changes.pragma_update(None, "synchronous", "FULL")?;
        let inside = Arc::new(Inside {
            path: path.into(),
            limits,
            readers: Mutex::default(),
            changes: Mutex::new(changes),
            newest: watch::Sender::new(newest),
            counters: Counters::default(),
        });
        let store = Store { inside };
        let writer = Writer::new(writing, store.clone(), hostname);
        Ok((store, writer))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.inside.path
    }

    /// How much it keeps.
    pub fn limits(&self) -> Limits {
        self.inside.limits
    }

    /// What was written and given up so far.
    pub fn counters(&self) -> &Counters {
        &self.inside.counters
    }

    /// Tells the id of the newest alert whenever there is another.
    pub fn newest(&self) -> watch::Receiver<u64> {
        self.inside.newest.subscribe()
    }

    /// Asks it something.
    fn read<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, Refused>) -> Result<T, Refusal> {
        let mut readers = lock(&self.inside.readers);
        let reader = readers.pop();
        drop(readers);
        let reader = match reader {
            Some(reader) => reader,
            None => reading(&self.inside.path).map_err(Refused::from)?,
        };
        let answer = ask(&reader).map_err(Refusal::from);
        let mut readers = lock(&self.inside.readers);
        if readers.len() < READERS_MAX {
            readers.push(reader);
        }
        answer
    }

    fn changes(&self) -> MutexGuard<'_, Connection> {
        lock(&self.inside.changes)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a question has no answer.
enum Refused {
    Refusal(Refusal),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Refused {
        Refused::Database(error)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused::Refusal(refusal)
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Refusal {
        match refused {
            Refused::Refusal(refusal) => refusal,
            Refused::Database(error) => {
                tracing::error!("the store of alerts fails: {error}");
                Refusal::Failed("the store of alerts fails; Saker's log says why".into())
            }
        }
    }
}

/// Nobody else may have written it, or may come to; it is made where it is not there.
fn trust(path: &Path) -> Result<(), Unfit> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(Unfit::Folder)?;
    let found = folder.metadata().map_err(Unfit::Folder)?;
    owned(found.uid(), found.permissions().mode())?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = open(path, flags | OFlags::NONBLOCK, Mode::RUSR | Mode::WUSR);
    let file = file.map_err(|error| Unfit::Closed(error.into()))?;
    let found = fstat(&file).map_err(|error| Unfit::Closed(error.into()))?;
    if !rustix::fs::FileType::from_raw_mode(found.st_mode).is_file() {
        return Err(Unfit::NoFile);
    }
    owned(found.st_uid, found.st_mode)
}

fn owned(uid: u32, mode: u32) -> Result<(), Unfit> {
    if uid != 0 && uid != rustix::process::geteuid().as_raw() {
        return Err(Unfit::Owner(uid));
    }
    match mode & 0o022 {
        0 => Ok(()),
        // Of a folder in which each has only what is theirs, the file's own mode says the rest.
        _ if mode & 0o1000 != 0 => Ok(()),
        _ => Err(Unfit::Writable(mode & 0o7777)),
    }
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    // With a journal written ahead, an end of this program loses nothing that was committed.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

fn reading(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

/// What a text is found by: texts are long and repeat, and an index of their digests is small.
/// Two texts of one digest are found together.
fn mark(text: &str) -> i64 {
    let digest = blake3::hash(text.as_bytes());
    let mut bytes = [0; 8];
    bytes[..6].copy_from_slice(&digest.as_bytes()[..6]);
    i64::from_le_bytes(bytes)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as i64)
}

const NS_PER_MS: i64 = 1_000_000;

#[cfg(test)]
mod tests;
