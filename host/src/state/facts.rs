//! What is learnt of a process from outside the stream of events, in the form in which the
//! state takes it; and what a process executes.

use super::container::Cgroup;
use super::descriptor::{FdKind, Role};
use super::version::{Credentials, Ids};
use saker_ebpf::record::{File, Socket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a process executes, the same for all its versions until the next exec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The argument area: strings each ended by NUL, `argv[0]` first.
    pub arguments: Box<[u8]>,
    /// The environment area: `NAME=value` strings, each ended by NUL.
    pub environment: Box<[u8]>,
    /// Path of the executable.
    pub exe_path: Box<[u8]>,
    /// The path handed to exec.
    pub filename: Box<[u8]>,
    /// The executable.
    pub file: File,
    /// The process may write it.
    pub is_writable: bool,
    /// The probe or a bound cut one of the strings.
    pub is_cut: bool,
    /// In a capture: how long after the last change of the executable's inode the process that
    /// called exec had started, ns, modulo 2⁶⁴ as in Falco; 0 if that is not known.
    pub started_after_change_ns: u64,
}

impl Image {
    /// `argv[0]`.
    pub fn exe(&self) -> &[u8] {
        let end = memchr::memchr(0, &self.arguments).unwrap_or(self.arguments.len());
        &self.arguments[..end]
    }

    /// The argument area behind `argv[0]`.
    pub fn tail(&self) -> &[u8] {
        match memchr::memchr(0, &self.arguments) {
            Some(at) => &self.arguments[at + 1..],
            None => &[],
        }
    }

    /// The arguments behind `argv[0]`.
    pub fn args(&self) -> impl Iterator<Item = &[u8]> + '_ {
        strings(self.tail())
    }

    /// Bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.arguments.len() + self.environment.len() + self.exe_path.len() + self.filename.len()
    }
}

/// An image whose bytes count against the state's bound for as long as a version holds it.
#[derive(Debug)]
pub struct KeptImage {
    image: Image,
    total: Arc<AtomicUsize>,
}

impl KeptImage {
    pub(super) fn new(image: Image, total: &Arc<AtomicUsize>) -> Arc<KeptImage> {
        total.fetch_add(image.bytes(), Ordering::Relaxed);
        Arc::new(KeptImage {
            image,
            total: total.clone(),
        })
    }
}

impl Drop for KeptImage {
    fn drop(&mut self) {
        self.total.fetch_sub(self.image.bytes(), Ordering::Relaxed);
    }
}

impl std::ops::Deref for KeptImage {
    type Target = Image;

    fn deref(&self) -> &Image {
        &self.image
    }
}

/// Bytes that count against a bound of the state's for as long as this is kept.
#[derive(Debug)]
pub(super) struct Held {
    bytes: usize,
    total: Arc<AtomicUsize>,
}

impl Held {
    pub(super) fn new(bytes: usize, total: &Arc<AtomicUsize>) -> Held {
        total.fetch_add(bytes, Ordering::Relaxed);
        Held {
            bytes,
            total: total.clone(),
        }
    }
}

impl Held {
    /// The same bytes, counted there.
    pub(super) fn again(&self, total: &Arc<AtomicUsize>) -> Held {
        Held::new(self.bytes, total)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Where something counts makes it no other thing.
impl PartialEq for Held {
    fn eq(&self, _: &Held) -> bool {
        true
    }
}

impl Eq for Held {}

/// A directory, which counts against the bound of images.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Directory {
    path: Box<[u8]>,
    held: Option<Held>,
}

impl Directory {
    pub(super) fn new(path: &[u8], total: &Arc<AtomicUsize>) -> Arc<Directory> {
        Arc::new(Directory {
            path: path.into(),
            held: Some(Held::new(path.len(), total)),
        })
    }
}

impl Directory {
    /// One of which there is one for all.
    pub(super) fn uncounted(path: &[u8]) -> Directory {
        let (path, held) = (path.into(), None);
        Directory { path, held }
    }
}

impl std::ops::Deref for Directory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.path
    }
}

/// The strings of an area in which each is ended by NUL.
pub fn strings(area: &[u8]) -> impl Iterator<Item = &[u8]> + '_ {
    let none = area.is_empty();
    let area = area.strip_suffix(&[0]).unwrap_or(area);
    area.split(|byte| *byte == 0).skip(usize::from(none))
}

/// When a process or thread started, as exactly as its source knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// To the nanosecond, since boot.
    Exact(u64),
    /// Clock ticks of 10 ms since boot, rounded down (`/proc/PID/stat`).
    Ticks(u64),
}

/// Nanoseconds of a clock tick (`USER_HZ` is 100 on every architecture of interest).
pub const TICK_NS: u64 = 10_000_000;

/// A process as `/proc` tells it.
#[derive(Clone, Debug)]
pub struct ProcessFacts {
    /// Process id, initial pid namespace.
    pub pid: u32,
    /// When it started.
    pub start: Start,
    /// Its name.
    pub comm: Vec<u8>,
    /// What it executes.
    pub image: Image,
    /// Current directory.
    pub cwd: Vec<u8>,
    /// Ids.
    pub ids: Ids,
    /// Credentials.
    pub credentials: Credentials,
    /// Control groups.
    pub cgroup: Arc<Cgroup>,
    /// Size, kB.
    pub vm_size: u64,
    /// Resident size, kB.
    pub vm_rss: u64,
    /// Threads beside the first.
    pub threads: Vec<ThreadFacts>,
    /// Descriptors.
    pub descriptors: Vec<FdFacts>,
}

/// A thread as `/proc` tells it.
#[derive(Clone, Copy, Debug)]
pub struct ThreadFacts {
    /// Thread id, initial pid namespace.
    pub tid: u32,
    /// Thread id in its own pid namespace.
    pub vtid: u32,
    /// When it started.
    pub start: Start,
    /// Its credentials.
    pub credentials: Credentials,
}

/// A descriptor as `/proc` tells it.
#[derive(Clone, Debug)]
pub struct FdFacts {
    /// Its number.
    pub fd: u32,
    /// Its kind.
    pub kind: FdKind,
    /// Name, for what is no socket.
    pub name: Vec<u8>,
    /// The socket.
    pub socket: Option<Socket>,
    /// A unix socket's path.
    pub unix_path: Vec<u8>,
    /// Which end of a connection it is.
    pub role: Role,
    /// Device number as user space knows it.
    pub device: u32,
    /// Inode number.
    pub inode: u64,
    /// It is closed on exec.
    pub close_on_exec: bool,
}
