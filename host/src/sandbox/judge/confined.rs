//! The life of the process that judges: this program again, as a user of its own, without a capability, a
//! file or a socket but the one to who started it, and with few system calls.
//!
//! It knows the window and the line, gets modules with their native code over the socket, and
//! may make memory executable only where it cannot be written any more. It ends with who started
//! it.

use super::bench::{Bench, Docket, Intake, Job, lock, threads, work};
use super::keeper::ring;
use super::parcel::{PACKET_BYTES_MAX, Said, Told, WORDS_BYTES_MAX};
use super::recent::Recent;
use super::words::{Asked, REQUEST_WORDS, put_answer};
use crate::sandbox::Limits;
use crate::sandbox::child::{confine, contents, ignore_signals};
use crate::sandbox::confine::{Bounds, give_up_rights};
use crate::sandbox::instance::{Compiled, engine};
use crate::sandbox::message::{FromJudge, RulesetImage};
use crate::sandbox::native::module;
use crate::sandbox::validate::validate;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send};
use saker_rules_schema::manifest::Manifest;
use saker_shm::line::{JudgeEnd, Reader, Writer};
use saker_shm::window::WindowView;
use serde::{Deserialize, Serialize};
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use wasmtime::{Engine, Module};

/// The word on the command line for it.
pub const COMMAND: &str = "judge";

/// What the process is told at its start.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    pub(super) limits: Limits,
}

/// The life of the process that judges.
pub fn judge_for_parent(order: &str) -> ExitCode {
    // Whoever started it notices, and says what is to be said.
    ExitCode::from(u8::from(judge(order).is_err()))
}

fn judge(order: &str) -> io::Result<()> {
    let Order { limits } = serde_json::from_str(order)?;
    ignore_signals();
    give_up_rights(Bounds {
        cpu_seconds: None,
        // Every memory of Wasm reserves 4 GiB.
        address_bytes_max: None,
        data_bytes_max: None,
    })?;
    let stdin = io::stdin();
    let socket = stdin.as_fd();
    let Some((Told::Begin, with)) = hear(socket)? else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let [window, line, bell]: [OwnedFd; 3] = with
        .try_into()
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    let window = WindowView::open(window.as_fd()).map_err(io::Error::other)?;
    let JudgeEnd { requests, answers } = JudgeEnd::open(line.as_fd()).map_err(io::Error::other)?;
    let engine = engine(&limits).map_err(io::Error::other)?;
    let bench = Arc::new(Bench::new(window, limits, &engine, Arc::default())?);
    let voice = Arc::new(Voice {
        answers: Mutex::new(answers),
        bell,
    });
    let intake = Intake::of(Requests(requests));
    let (count, stack_bytes) = threads(&limits);
    let at_work = Arc::new(AtomicUsize::new(count));
    for number in 0..count {
        let (bench, intake) = (Arc::clone(&bench), Arc::clone(&intake));
        let (voice, at_work) = (Arc::clone(&voice), Arc::clone(&at_work));
        std::thread::Builder::new()
            .name(format!("saker-judge-{number}"))
            .stack_size(stack_bytes)
            .spawn(move || {
                let mut words = Vec::new();
                work(&bench, &intake, |answer| voice.say(&answer, &mut words));
                // The last has said all that was asked.
                if at_work.fetch_sub(1, Ordering::SeqCst) == 1 {
                    std::process::exit(0);
                }
            })?;
    }
    // Nothing of a stranger's was looked at before.
    confine()?;
    say(socket, &Said::Ready)?;
    let mut installer = Installer {
        engine,
        recent: Recent::default(),
    };
    while let Some((told, _)) = hear(socket)? {
        let Told::Epoch { epoch, rulesets } = told else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        say(socket, &installer.install(&bench, socket, epoch, rulesets)?)?;
    }
    Ok(())
}

/// The line's requests.
struct Requests(Reader);

impl Docket for Requests {
    fn next(&mut self) -> Job {
        let mut words = [0; REQUEST_WORDS];
        let mut have = 0;
        while have < REQUEST_WORDS {
            let read = self.0.read(&mut words[have..]);
            let waited = match read {
                Ok(0) => self.0.wait(),
                Ok(count) => {
                    have += count;
                    Ok(())
                }
                Err(impossible) => Err(impossible),
            };
            if waited.is_err() {
                return Job::Stop;
            }
        }
        match Asked::of(&words) {
            Some(Asked::Judge(request)) => Job::Judge(request),
            Some(Asked::Retire(epoch)) => Job::Retire(epoch),
            Some(Asked::Stop) | None => Job::Stop,
        }
    }
}

/// The line's answers, and what wakes the host.
struct Voice {
    answers: Mutex<Writer>,
    bell: OwnedFd,
}

impl Voice {
    /// `false`: the host makes no sense.
    fn say(&self, answer: &FromJudge, words: &mut Vec<u64>) -> bool {
        words.clear();
        put_answer(answer, words);
        let mut rest = &words[..];
        // Held for the whole answer, which is in one piece for the host.
        let mut answers = lock(&self.answers);
        while !rest.is_empty() {
            let Ok(written) = answers.write(rest) else {
                return false;
            };
            rest = &rest[written..];
            if answers.is_awaited() {
                ring(&self.bell);
            }
            if !rest.is_empty() && answers.wait().is_err() {
                return false;
            }
        }
        true
    }
}

struct Installer {
    engine: Engine,
    recent: Recent<(Manifest, Module)>,
}

impl Installer {
    fn install(
        &mut self,
        bench: &Bench,
        socket: BorrowedFd<'_>,
        epoch: u32,
        rulesets: u32,
    ) -> io::Result<Said> {
        // All are taken in before any is looked at: a refusal leaves nothing behind.
        let mut parts = Vec::new();
        for _ in 0..rulesets {
            let part = hear(socket)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            parts.push(Some(part));
        }
        let ready = bench.prepare(epoch, parts.len(), |index| {
            let part = parts[index].take().ok_or("a ruleset is used twice")?;
            self.compiled(part)
        });
        let answer = ready.map_or_else(|refused| refused, |ready| bench.install(ready));
        Ok(match answer {
            FromJudge::Refused {
                epoch,
                ruleset,
                mut error,
            } => {
                error.truncate(error.floor_char_boundary(WORDS_BYTES_MAX));
                Said::Refused {
                    epoch,
                    ruleset,
                    error,
                }
            }
            FromJudge::Installed { .. }
            | FromJudge::Judged { .. }
            | FromJudge::Failed { .. }
            | FromJudge::Quarantined { .. } => Said::Installed { epoch },
        })
    }

    fn compiled(&mut self, (told, with): (Told, Vec<OwnedFd>)) -> Result<Compiled, String> {
        let Told::Ruleset {
            digest,
            wasm_bytes,
            code_bytes,
            setup_bytes,
        } = told
        else {
            return Err("that is no ruleset".into());
        };
        let [file, setup]: [OwnedFd; 2] = with
            .try_into()
            .map_err(|_| "a ruleset comes in two files")?;
        let setup = contents(setup, setup_bytes).map_err(|error| error.to_string())?;
        let setup: RulesetImage =
            postcard::from_bytes(&setup).map_err(|error| error.to_string())?;
        let Installer { engine, recent } = self;
        let digest = blake3::Hash::from_bytes(digest);
        let (manifest, module) = recent.module(digest, wasm_bytes as usize, || {
            let bytes = wasm_bytes.saturating_add(code_bytes);
            let file = contents(file, bytes).map_err(|error| error.to_string())?;
            let wasm = file.get(..wasm_bytes as usize);
            let (wasm, code) = wasm
                .map(|wasm| (wasm, &file[wasm.len()..]))
                .ok_or("a module lacks its end")?;
            let manifest = validate(wasm).map_err(|refusal| refusal.to_string())?;
            // SAFETY: these are bytes that `Compiler::code` gave, for an engine made by the same
            // recipe: they came from who started this process, the only one at the other end of
            // the socket, in a file that was sealed when they were whole, and were copied out.
            // What is believed of them is what that one believes; should it be wrong, it is this
            // process that runs them, which has no rights.
            let module = unsafe { module(engine, code) };
            let module = module.map_err(|error| format!("{error:#}"))?;
            Ok::<_, String>((manifest, module))
        })?;
        Compiled::ready(&setup, manifest, module)
    }
}

/// The next packet and what comes with it; `None` when none will come any more.
fn hear(socket: BorrowedFd<'_>) -> io::Result<Option<(Told, Vec<OwnedFd>)>> {
    let mut packet = vec![0; PACKET_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let into = &mut [IoSliceMut::new(&mut packet)];
        match recvmsg(socket, into, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Ok(received) => break received,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let files = rights.flatten().collect();
    let told = postcard::from_bytes(&packet[..received.bytes]).map_err(io::Error::other)?;
    Ok(Some((told, files)))
}

fn say(socket: BorrowedFd<'_>, said: &Said) -> io::Result<()> {
    let packet = postcard::to_stdvec(said).map_err(io::Error::other)?;
    send(socket, &packet, SendFlags::NOSIGNAL)?;
    Ok(())
}
