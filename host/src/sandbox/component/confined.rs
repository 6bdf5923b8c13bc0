//! The life of the process that a component has: this program again, as a user of its own,
//! without a capability, a file or a socket but the one to who started it, and with few system
//! calls.
//!
//! It gets native code in a sealed file, what the component is told and may do, and calls; it
//! answers each with what came of it, and with what the component did meanwhile, for no import
//! asks the host anything. It ends with who started it.

use super::call::Alert;
use super::capability::{Diary, Keep, Said as Spoken};
use super::code::{Code, Workshop, describe};
use super::metric::Metrics;
use super::post::Post;
use super::resident::{Failure, Means, Resident, Start};
use super::words::{
    Beginning, Call, Effects, HEADER_BYTES, Order, Said, Told, begin_frame, lengths, tail_of, whole,
};
use super::{ComponentLimits, worker::STACK_BYTES};
use crate::sandbox::child::{confine, contents, ignore_signals};
use crate::sandbox::confine::{Bounds, give_up_rights};
use rustix::net::{RecvAncillaryBuffer, RecvFlags, SendFlags, recvmsg, send};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The word on the command line for it.
pub const COMMAND: &str = "component";

/// The life of the process.
pub fn component_for_parent(order: &str) -> ExitCode {
    // Whoever started it notices, and says what is to be said.
    ExitCode::from(u8::from(begin(order).is_err()))
}

fn begin(order: &str) -> io::Result<()> {
    let Order {
        limits,
        code_bytes,
        data_bytes_max,
    } = serde_json::from_str(order)?;
    ignore_signals();
    give_up_rights(Bounds {
        cpu_seconds: None,
        // Every memory of Wasm reserves 4 GiB.
        address_bytes_max: None,
        data_bytes_max: Some(data_bytes_max),
    })?;
    let code = io::stdout().as_fd().try_clone_to_owned()?;
    let code = contents(code, code_bytes)?;
    let limits = ComponentLimits {
        // They are counted by who started it.
        strikes: 0,
        ..limits
    };
    let living = std::thread::Builder::new()
        .name("saker-module".into())
        .stack_size(STACK_BYTES.saturating_add(limits.stack_bytes_max))
        .spawn(move || live(limits, code))?;
    living
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the component's thread died")))
}

fn live(limits: ComponentLimits, native: Vec<u8>) -> io::Result<()> {
    let stdin = io::stdin();
    let socket = stdin.as_fd();
    let diary = Diary::default();
    let workshop = Workshop::confined(limits, diary.clone()).map_err(io::Error::other)?;
    // Nothing of a stranger's was looked at before.
    confine()?;
    say(socket, &Said::Ready, &[])?;
    let Some(first) = hear(socket)? else {
        return Ok(());
    };
    let code = Code::confined(Arc::new(workshop), &native).map(Arc::new);
    drop(native);
    let mut at_work = None;
    let mut next = Some(first);
    while let Some((told, tail)) = next {
        let (said, tail) = match told {
            Told::Describe => {
                let known = code.as_ref().map_err(Clone::clone);
                let told = known.and_then(|code| Ok((code.imports.clone(), describe(code, None)?)));
                let tail = match &told {
                    Ok((_, description)) => {
                        postcard::to_stdvec(description).map_err(io::Error::other)?
                    }
                    Err(_) => Vec::new(),
                };
                (Said::Described(told.map(|(imports, _)| imports)), tail)
            }
            Told::Start(beginning) => {
                let code = code
                    .as_ref()
                    .map_err(|why| io::Error::other(why.to_string()))?;
                let (at, outcome) = AtWork::start(code, *beginning, diary.clone());
                at_work.insert(at).answer(outcome.map(|()| Vec::new()))?
            }
            Told::Call {
                call,
                counts,
                values,
            } => {
                let at: &mut AtWork = at_work.as_mut().ok_or(io::ErrorKind::InvalidData)?;
                if let Some(post) = &at.post {
                    post.set_counts(counts);
                }
                if let Some(values) = values {
                    at.keep.replace(values);
                }
                let alerts = at.call(call, tail);
                at.answer(alerts)?
            }
        };
        say(socket, &said, &tail)?;
        next = hear(socket)?;
    }
    Ok(())
}

/// The component, and where what it does is noted.
struct AtWork {
    resident: Option<Resident>,
    keep: Keep,
    metrics: Metrics,
    post: Option<Post>,
    diary: Diary,
}

impl AtWork {
    fn start(
        code: &Arc<Code>,
        beginning: Beginning,
        diary: Diary,
    ) -> (AtWork, Result<(), Failure>) {
        let Beginning {
            granted,
            values,
            config,
            columns,
            metrics,
            servers,
            counts,
            memory_bytes_max,
            cpu,
        } = beginning;
        let keep = Keep::noted(values);
        let metrics = Metrics::noted(metrics);
        let post = servers.map(Post::relayed);
        if let Some(post) = &post {
            post.set_counts(counts);
        }
        let start = Start {
            // The host says whose messages they are.
            name: "".into(),
            granted,
            keep: keep.clone(),
            config,
            columns,
            means: Means {
                post: post.clone(),
                metrics: metrics.clone(),
                memory_bytes_max,
                cpu,
                cpu_percent: None,
            },
        };
        let never = Arc::new(AtomicBool::new(false));
        let (resident, outcome) = match Resident::start(Arc::clone(code), start, never) {
            Ok(resident) => (Some(resident), Ok(())),
            Err(failure) => (None, Err(failure)),
        };
        let at = AtWork {
            resident,
            keep,
            metrics,
            post,
            diary,
        };
        (at, outcome)
    }

    fn call(&mut self, call: Call, tail: Vec<u8>) -> Result<Vec<Alert>, Failure> {
        let Some(resident) = &mut self.resident else {
            return Err(Failure {
                kind: crate::sandbox::FailureKind::Judge,
                message: "it was not started".into(),
                is_last: false,
            });
        };
        match call {
            Call::Batch { now } => resident.batch(&Arc::new(tail), now),
            Call::Tick { time } => resident.tick(time),
            Call::Response { request, outcome } => resident.response(request, &outcome),
        }
    }

    /// What came of a call, and all that was noted since the last.
    fn answer(&self, answer: Result<Vec<Alert>, Failure>) -> io::Result<(Said, Vec<u8>)> {
        let Spoken { messages, left_out } = self.diary.take();
        let post = self.post.as_ref();
        let effects = Effects {
            kept: self.keep.take_changes(),
            metrics: self.metrics.take_changes(),
            messages,
            messages_left_out: left_out,
            requests: post.map(Post::take_requests).unwrap_or_default(),
        };
        let resident = self.resident.as_ref();
        let (outcome, tail) = match answer {
            Ok(alerts) => (Ok(()), tail_of(alerts)?),
            Err(failure) => (Err(failure), Vec::new()),
        };
        let said = Said::Answered {
            outcome,
            effects,
            is_seated: resident.is_some_and(Resident::is_seated),
            memory_bytes: resident.map_or(0, Resident::memory_bytes) as u64,
        };
        Ok((said, tail))
    }
}

/// The next frame; `None` when none will come any more.
fn hear(socket: BorrowedFd<'_>) -> io::Result<Option<(Told, Vec<u8>)>> {
    let mut header = [0; HEADER_BYTES];
    if !read(socket, &mut header)? {
        return Ok(None);
    }
    let (of_head, of_tail) = lengths(header);
    let (mut head, mut tail) = (vec![0; of_head], vec![0; of_tail]);
    if !read(socket, &mut head)? || !read(socket, &mut tail)? {
        return Ok(None);
    }
    let told = whole(&head).ok_or(io::ErrorKind::InvalidData)?;
    Ok(Some((told, tail)))
}

/// `false`: nothing more will come.
fn read(socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<bool> {
    let mut have = 0;
    while have < into.len() {
        let mut control = RecvAncillaryBuffer::new(&mut []);
        let parts = &mut [IoSliceMut::new(&mut into[have..])];
        match recvmsg(socket, parts, &mut control, RecvFlags::empty()) {
            Ok(received) if received.bytes == 0 => return Ok(false),
            Ok(received) => have += received.bytes,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

fn say(socket: BorrowedFd<'_>, said: &Said, tail: &[u8]) -> io::Result<()> {
    let frame = begin_frame(said, tail)?;
    for mut rest in [&frame[..], tail] {
        while !rest.is_empty() {
            match send(socket, rest, SendFlags::NOSIGNAL) {
                Ok(sent) => rest = &rest[sent..],
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
