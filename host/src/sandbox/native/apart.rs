//! Compiling in a process of its own: what a stranger wrote can make the compiler slow, large or
//! worse, and then costs that process.
//!
//! The process is this program again. It gets the Wasm code as a file without a name on its
//! standard input, gives up all rights, and answers on its standard output; it knows no path.
//! What it answers is believed as far as the compiler is, had it run here, and not further: it
//! is bounded, and whole or nothing.
//!
//! ```text
//! answer     what (1): 0 native code, 1 why there is none     length (8)     bytes
//! ```

use super::{Kind, NotCompiled, Recipe};
use crate::sandbox::cache::FILE_BYTES_MAX;
use crate::sandbox::component::COMPONENT_BYTES_MAX;
use crate::sandbox::confine::{Bounds, Memory, allow_only, give_up_rights};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::MemfdFlags;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// So many times what it may have of CPU time it may take of anybody's.
const BUSY_FACTOR: u32 = 5;
/// The word on the command line for it.
pub const COMMAND: &str = "compile-wasm";
/// An interpreter of 18 MiB takes 450 MiB, and so do a hundred thousand functions; there may be
/// twice as many.
const ADDRESS_BYTES_MAX: u64 = 4 << 30;
/// No answer is longer.
const ANSWER_BYTES_MAX: u64 = FILE_BYTES_MAX;
/// Words about why there is none.
const WORDS_BYTES_MAX: usize = 8 * 1024;
const HEADER_BYTES: usize = 9;
const CODE: u8 = 0;
const WORDS: u8 = 1;
/// Stack of the thread that compiles.
const STACK_BYTES: usize = 16 << 20;
/// How long a process may take to end that has said all.
const END_WITHIN: Duration = Duration::from_secs(1);

/// Where the compiling process comes from, and what it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apart {
    /// This program.
    pub program: PathBuf,
    /// Its address space.
    pub address_bytes_max: u64,
}

impl Apart {
    /// By that program.
    pub fn by(program: &Path) -> Apart {
        Apart {
            program: program.into(),
            address_bytes_max: ADDRESS_BYTES_MAX,
        }
    }

    /// Compiles.
    pub(super) fn compile(
        &self,
        kind: Kind,
        recipe: &Recipe,
        wasm: &[u8],
    ) -> Result<Vec<u8>, NotCompiled> {
        let within = Duration::from_secs(recipe.seconds);
        // The kernel ends it when that is its CPU time; on a busy machine, that takes a while.
        let end = Instant::now() + within * BUSY_FACTOR;
        let order = Order {
            kind,
            recipe: *recipe,
            address_bytes_max: self.address_bytes_max,
        };
        let (mut process, from) = self.start(&order, wasm).map_err(NotCompiled::Unstarted)?;
        let answer = match read(from, end) {
            Ok(answer) => answer,
            Err(NotRead::Late) => return Err(NotCompiled::Late(within)),
            Err(NotRead::TooLarge) => return Err(NotCompiled::TooLarge),
            Err(NotRead::Failed(error)) => return Err(NotCompiled::Unstarted(error)),
        };
        let whole = answer
            .split_first_chunk::<HEADER_BYTES>()
            .filter(|([_, length @ ..], rest)| u64::from_le_bytes(*length) == rest.len() as u64);
        match whole {
            Some(([CODE, ..], code)) => Ok(code.to_vec()),
            Some(([WORDS, ..], words)) => {
                let words = &words[..words.len().min(WORDS_BYTES_MAX)];
                let words = String::from_utf8_lossy(words).into_owned();
                Err(NotCompiled::Refused(words))
            }
            Some(_) | None => Err(self.died(process.end(), within)),
        }
    }

    fn start(&self, order: &Order, wasm: &[u8]) -> io::Result<(Process, ChildStdout)> {
        let input = rustix::fs::memfd_create("saker-wasm", MemfdFlags::CLOEXEC)?;
        let mut input = File::from(input);
        input.write_all(wasm)?;
        input.rewind()?;
        let mut child = Command::new(&self.program)
            .arg(COMMAND)
            .arg(serde_json::to_string(order)?)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(input))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let from = child.stdout.take();
        let process = Process(child);
        let from = from.ok_or_else(|| io::Error::other("it has no standard output"))?;
        Ok((process, from))
    }

    /// Why a process has not answered.
    fn died(&self, how: Option<ExitStatus>, within: Duration) -> NotCompiled {
        let signal = how.and_then(|status| status.signal());
        let is = |of: Signal| signal == Some(of.as_raw());
        if is(Signal::XCPU) {
            return NotCompiled::Late(within);
        }
        NotCompiled::Died(match (signal, how) {
            _ if is(Signal::ABORT) => format!(
                "it wanted more memory than the {} MiB that it may have, or failed",
                self.address_bytes_max >> 20
            ),
            _ if is(Signal::SYS) => "it did what no compiler does".into(),
            (Some(signal), _) => format!("signal {signal}"),
            (None, Some(how)) => format!("it gave no answer, {how}"),
            (None, None) => "it gave no answer".into(),
        })
    }
}

/// A process that does not outlive this value.
struct Process(Child);

impl Process {
    /// How it ended; `None` if it did not.
    fn end(&mut self) -> Option<ExitStatus> {
        let end = Instant::now() + END_WITHIN;
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < end => std::thread::sleep(Duration::from_millis(1)),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

enum NotRead {
    Late,
    TooLarge,
    Failed(io::Error),
}

/// All that comes, until then.
fn read(mut from: ChildStdout, end: Instant) -> Result<Vec<u8>, NotRead> {
    let mut answer = Vec::new();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let left = left.try_into().map_err(io::Error::other);
        let left = left.map_err(NotRead::Failed)?;
        let mut polled = [PollFd::new(&from, PollFlags::IN)];
        match poll(&mut polled, Some(&left)) {
            Ok(0) => return Err(NotRead::Late),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(NotRead::Failed(error.into())),
        }
        let mut chunk = [0; 64 << 10];
        match from.read(&mut chunk) {
            Ok(0) => return Ok(answer),
            Ok(read) => answer.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(NotRead::Failed(error)),
        }
        if answer.len() as u64 > ANSWER_BYTES_MAX {
            return Err(NotRead::TooLarge);
        }
    }
}

/// What the process is told beside the code.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    kind: Kind,
    recipe: Recipe,
    address_bytes_max: u64,
}

/// The calls of a process that reads memory, computes, and writes what it found: those of the
/// allocator, of threads that wait and end, and of a panic.
const CALLS: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    libc::SYS_write,
    libc::SYS_writev,
];

/// The allocator of the C library asks for a setting of the kernel's when it shrinks, and does
/// without.
const REFUSED: &[libc::c_long] = &[libc::SYS_openat];

/// The life of the process that compiles.
pub fn compile_for_parent(order: &str) -> ExitCode {
    let told = match serde_json::from_str(order) {
        Ok(order) => confined(order),
        Err(error) => Err(format!("that is no order: {error}")),
    };
    let (what, bytes) = match told {
        Ok(code) => (CODE, code),
        Err(words) => (WORDS, words.into_bytes()),
    };
    let mut out = io::stdout();
    let said = out
        .write_all(&[what])
        .and_then(|()| out.write_all(&(bytes.len() as u64).to_le_bytes()))
        .and_then(|()| out.write_all(&bytes))
        .and_then(|()| out.flush());
    // Who asked may have given up.
    ExitCode::from(u8::from(said.is_err()))
}

fn confined(order: Order) -> Result<Vec<u8>, String> {
    let bounds = Bounds {
        cpu_seconds: Some(order.recipe.seconds),
        address_bytes_max: Some(order.address_bytes_max),
        data_bytes_max: None,
    };
    give_up_rights(bounds).map_err(|error| format!("its rights cannot be given up: {error}"))?;
    let thread = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || {
            catch_unwind(AssertUnwindSafe(|| made(&order)))
                .unwrap_or_else(|_| Err("the compiler of Wasm panicked".into()))
        });
    let thread = thread.map_err(|error| error.to_string())?;
    thread
        .join()
        .unwrap_or_else(|_| Err("the compiling thread died".into()))
}

fn made(order: &Order) -> Result<Vec<u8>, String> {
    let mut wasm = Vec::new();
    io::stdin()
        .take(COMPONENT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut wasm)
        .map_err(|error| error.to_string())?;
    if wasm.len() > COMPONENT_BYTES_MAX {
        return Err("it is too large".into());
    }
    let engine = order.recipe.engine(order.kind);
    let engine = engine.map_err(|error| format!("{error:#}"))?;
    // Nothing of the stranger's was looked at before.
    allow_only(CALLS, REFUSED, Memory::Data)
        .map_err(|error| format!("its system calls cannot be confined: {error}"))?;
    let code = order.kind.precompiled(&engine, &wasm);
    code.map_err(|error| format!("{error:#}"))
}
