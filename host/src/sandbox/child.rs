//! A process of this program that works for this one: how it is started, what goes with it, and
//! how long to wait for the next after it died. Which rights it gives up is `confine`'s.

use super::confine::allow_only;
use rustix::fs::{MemfdFlags, SealFlags};
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A process that lived for so long had nothing wrong with it.
const STEADY_AFTER: Duration = Duration::from_secs(10);
/// After the second short life in a row, the next waits so long; then twice as long, and so on,
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// up to this.
const AGAIN_AFTER_MAX: Duration = Duration::from_secs(30);

/// The program again, by that word and order. It is killed when the thread ends that starts it,
/// as soon as it has given up its rights.
pub(super) fn start(
    program: &Path,
    word: &str,
    order: &impl Serialize,
    stdin: OwnedFd,
    stdout: Stdio,
) -> io::Result<Child> {
    Command::new(program)
        .arg(word)
        .arg(serde_json::to_string(order)?)
        .env_clear()
        .current_dir("/")
        // What a terminal sends to its processes is not for it.
        .process_group(0)
        .stdin(Stdio::from(stdin))
        .stdout(stdout)
        .stderr(Stdio::null())
        .spawn()
}

/// Ignores what asks a process to end: such signals are for who started it, which may still want
/// something of it; it ends with that one.
pub(super) fn ignore_signals() {
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
        // SAFETY: to ignore a signal runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// The calls of a process that runs native code of modules, maps memory, waits, and speaks to who
/// started it by what it has open: those of the engine and its traps, of the allocator, of threads
/// that wait, tick and end, and of a panic.
const CALLS: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_pread64,
    libc::SYS_recvmsg,
    // Threads that are just beginning make these two.
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendto,
    libc::SYS_sigaltstack,
    libc::SYS_statx,
    libc::SYS_tgkill,
    libc::SYS_write,
    libc::SYS_writev,
];

/// The allocator of the C library asks for a setting of the kernel's when it shrinks, and does
/// without.
const REFUSED: &[libc::c_long] = &[libc::SYS_openat];

/// Leaves all threads of such a process the calls that it needs, and no others.
pub(super) fn confine() -> io::Result<()> {
    allow_only(CALLS, REFUSED, super::confine::Memory::Code).map_err(io::Error::other)
}

/// Bytes as a file that nobody can change.
pub(super) fn sealed(parts: &[&[u8]]) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(rustix::fs::memfd_create("saker-module", flags)?);
    for part in parts {
        file.write_all(part)?;
    }
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}

/// So many bytes of a file that was handed over.
pub(super) fn contents(file: OwnedFd, bytes: u64) -> io::Result<Vec<u8>> {
    let file = File::from(file);
    // Asked of the kernel before as much memory is taken.
    if file.metadata()?.len() != bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut contents = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
    file.read_exact_at(&mut contents, 0)?;
    Ok(contents)
}

/// Lives of processes that follow each other.
#[derive(Debug)]
pub(super) struct Lives {
    /// Short ones in a row.
    short: u32,
    again_at: Instant,
}

impl Lives {
    pub(super) fn new() -> Lives {
        Lives {
            short: 0,
            again_at: Instant::now(),
        }
    }

    /// When the next may begin.
    pub(super) fn again_at(&self) -> Instant {
        self.again_at
    }

    /// One ended that began then.
    pub(super) fn ended(&mut self, began: Instant) {
        if began.elapsed() >= STEADY_AFTER {
            self.short = 0;
        }
        let wait = match self.short {
            0 => Duration::ZERO,
            lives => AGAIN_AFTER.saturating_mul(1 << (lives - 1).min(16)),
        };
        self.short += 1;
        self.again_at = Instant::now() + wait.min(AGAIN_AFTER_MAX);
    }
}
