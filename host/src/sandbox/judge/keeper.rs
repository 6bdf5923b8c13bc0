//! The keeper: the thread that starts the judging process, hands it epochs, and starts another
//! when it dies, with all epochs that were ready. It lives as long as the judge does: the process
//! is killed when the thread ends that started it.
//!
//! What lies in the line is none of its business.

use super::bench::EPOCHS_MAX;
use super::confined::{COMMAND, Order};
use super::parcel::{PACKET_BYTES_MAX, Parcel, Said, Told};
use super::words::REQUEST_WORDS;
use super::{JudgeProcess, Standing};
use crate::sandbox::Limits;
use crate::sandbox::child::{self, Lives};
use crate::sandbox::message::FromJudge;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
    SocketType, recv, sendmsg, socketpair,
};
use saker_shm::line::HostEnd;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

/// Room for answers in the line, in words: those of a window with many hits go in parts.
const ANSWER_WORDS: usize = 16 << 10;
/// A process that is not ready after that is given up.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long it may let a packet wait.
const TAKE_WITHIN: Duration = Duration::from_secs(10);

/// What the keeper is told.
#[derive(Debug)]
pub(super) enum ToKeeper {
    /// Have that installed.
    Install(Arc<Parcel>),
    /// The next process need not know that epoch.
    Forget(u32),
    /// That process is no good.
    Kill { number: u64, why: String },
    /// The process is about to end by itself.
    Stop,
    /// End.
    End,
}

/// What the host's end is told.
#[derive(Debug)]
pub(super) enum News {
    /// An answer that does not come over the line.
    Said(FromJudge),
    /// An epoch is ready, whose rulesets have so many rules.
    Installed { epoch: u32, rules: Vec<u32> },
    /// A process is ready, which knows those epochs.
    Begun {
        number: u64,
        pid: u32,
        line: HostEnd,
        epochs: Vec<u32>,
    },
    /// It is no more.
    Died { number: u64, why: String },
    /// It ended, as it was told to.
    Ended,
}

/// How threads tell the keeper and the host's end something.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    orders: Sender<ToKeeper>,
    /// Wakes the keeper.
    waker: Arc<OwnedFd>,
    news: Sender<News>,
    /// Wakes the host's end.
    bell: Arc<OwnedFd>,
}

/// Adds to a counter that somebody waits for. Full is as good.
pub(super) fn ring(bell: impl AsFd) {
    let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
}

/// Takes all that was added.
pub(super) fn hush(bell: impl AsFd) {
    let _ = rustix::io::read(bell, &mut [0; 8]);
}

impl Voice {
    pub(super) fn new(
        orders: Sender<ToKeeper>,
        waker: Arc<OwnedFd>,
        news: Sender<News>,
        bell: Arc<OwnedFd>,
    ) -> Voice {
        Voice {
            orders,
            waker,
            news,
            bell,
        }
    }

    /// `false`: it has ended.
    pub(super) fn order(&self, order: ToKeeper) -> bool {
        let is_sent = self.orders.send(order).is_ok();
        ring(&self.waker);
        is_sent
    }

    /// `false`: it is gone.
    pub(super) fn tell(&self, news: News) -> bool {
        let is_sent = self.news.send(news).is_ok();
        ring(&self.bell);
        is_sent
    }
}

/// An epoch that the process knows, or is to know.
struct Known {
    parcel: Arc<Parcel>,
    is_announced: bool,
    /// Processes that died before it was ready.
    deaths: u32,
}

/// A process that does not outlive this value.
struct Process {
    child: Child,
    socket: OwnedFd,
    number: u64,
    began: Instant,
    /// The host's end of its line, until it is ready.
    line: Option<HostEnd>,
    /// Epochs without which it is not.
    awaited: BTreeSet<u32>,
    is_confined: bool,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The thread's own.
pub(super) struct Keeper {
    window: OwnedFd,
    limits: Limits,
    process: JudgeProcess,
    orders: Receiver<ToKeeper>,
    voice: Voice,
    known: BTreeMap<u32, Known>,
    number: u64,
    lives: Lives,
    /// Why the process is killed.
    condemned: Option<String>,
    is_stopping: bool,
}

impl Keeper {
    pub(super) fn new(
        window: OwnedFd,
        limits: Limits,
        process: JudgeProcess,
        orders: Receiver<ToKeeper>,
        voice: Voice,
    ) -> Keeper {
        Keeper {
            window,
            limits,
            process,
            orders,
            voice,
            known: BTreeMap::new(),
            number: 0,
            lives: Lives::new(),
            condemned: None,
            is_stopping: false,
        }
    }

    /// The life of the thread.
    pub(super) fn run(mut self) {
        let mut process: Option<Process> = None;
        loop {
            if process.is_none() && !self.is_stopping && Instant::now() >= self.lives.again_at() {
                self.number += 1;
                let begun = self.begin();
                match begun {
                    Ok(begun) => process = Some(begun),
                    Err(error) => self.died(Instant::now(), format!("it cannot start: {error}")),
                }
            }
            self.wait(process.as_ref());
            while let Ok(order) = self.orders.try_recv() {
                if !self.obey(order, process.as_ref()) {
                    return;
                }
            }
            let Some(current) = &mut process else {
                continue;
            };
            let mut is_over = self.condemned.is_some();
            while !is_over {
                match hear(current.socket.as_fd()) {
                    Ok(Some(said)) => self.take(said, current),
                    Ok(None) => break,
                    Err(()) => is_over = true,
                }
            }
            if current.line.is_some() && current.began.elapsed() > READY_WITHIN {
                let limit = READY_WITHIN.as_secs();
                self.condemned = Some(format!("it was not ready within {limit} s"));
                is_over = true;
            }
            if is_over && let Some(ended) = process.take() {
                self.bury(ended);
            }
        }
    }

    /// Waits until there is something to do.
    fn wait(&self, process: Option<&Process>) {
        let until = match process {
            Some(process) if process.line.is_some() => Some(process.began + READY_WITHIN),
            None if !self.is_stopping => Some(self.lives.again_at()),
            Some(_) | None => None,
        };
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        // A bit longer than the kernel rounds down.
        let left = left.and_then(|left| (left + Duration::from_millis(1)).try_into().ok());
        let waker = PollFd::new(&self.voice.waker, PollFlags::IN);
        let mut polled = vec![waker];
        if let Some(process) = process {
            polled.push(PollFd::new(&process.socket, PollFlags::IN));
        }
        // Interrupted or not, it is looked.
        let _ = poll(&mut polled, left.as_ref());
        hush(&self.voice.waker);
    }

    /// `false`: that was the end.
    fn obey(&mut self, order: ToKeeper, process: Option<&Process>) -> bool {
        match order {
            ToKeeper::Install(parcel) => {
                let epoch = parcel.epoch;
                if self.known.contains_key(&epoch) || self.known.len() >= EPOCHS_MAX {
                    let error = match self.known.len() {
                        EPOCHS_MAX.. => format!("{EPOCHS_MAX} epochs are installed already"),
                        _ => format!("epoch {epoch} is installed already"),
                    };
                    return self.voice.tell(News::Said(FromJudge::Refused {
                        epoch,
                        ruleset: 0,
                        error,
                    }));
                }
                if let Some(process) = process
                    && let Err(error) = deliver(process.socket.as_fd(), &parcel)
                {
                    self.condemned = Some(format!("it took no rules: {error}"));
                }
                let known = Known {
                    parcel,
                    is_announced: false,
                    deaths: 0,
                };
                self.known.insert(epoch, known);
            }
            ToKeeper::Forget(epoch) => {
                // Of one that is not ready yet it is still to be told when it is.
                if self
                    .known
                    .get(&epoch)
                    .is_some_and(|known| known.is_announced)
                {
                    self.known.remove(&epoch);
                }
            }
            ToKeeper::Kill { number, why } => {
                if process.is_some_and(|process| process.number == number) {
                    self.condemned = Some(why);
                }
            }
            ToKeeper::Stop => self.is_stopping = true,
            ToKeeper::End => return false,
        }
        true
    }

    /// Starts a process, and tells it all that the last one knew.
    fn begin(&mut self) -> io::Result<Process> {
        let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
        let (socket, theirs) = socketpair(AddressFamily::UNIX, kind, flags, None)?;
        set_socket_timeout(&socket, Timeout::Send, Some(TAKE_WITHIN))?;
        let queue = self.limits.queue.clamp(1, 1 << 16);
        let line = HostEnd::create(queue * REQUEST_WORDS, ANSWER_WORDS)?;
        let order = Order {
            limits: self.limits,
        };
        let program = &self.process.program;
        let child = child::start(program, COMMAND, &order, theirs, Stdio::null())?;
        let mut process = Process {
            child,
            socket,
            number: self.number,
            began: Instant::now(),
            line: None,
            awaited: self.known.keys().copied().collect(),
            is_confined: false,
        };
        let bell = self.voice.bell.as_fd();
        let socket = process.socket.as_fd();
        send(
            socket,
            &Told::Begin,
            &[self.window.as_fd(), line.fd(), bell],
        )?;
        for known in self.known.values() {
            deliver(socket, &known.parcel)?;
        }
        process.line = Some(line);
        Ok(process)
    }

    fn take(&mut self, said: Said, process: &mut Process) {
        match said {
            Said::Ready => process.is_confined = true,
            Said::Installed { epoch } => {
                process.awaited.remove(&epoch);
                if let Some(known) = self.known.get_mut(&epoch)
                    && !std::mem::replace(&mut known.is_announced, true)
                {
                    let rulesets = known.parcel.rulesets.iter();
                    let rules = rulesets.map(|ruleset| ruleset.module.rules).collect();
                    self.voice.tell(News::Installed { epoch, rules });
                }
            }
            Said::Refused {
                epoch,
                ruleset,
                error,
            } => match self.known.get(&epoch).map(|known| known.is_announced) {
                Some(false) => {
                    self.known.remove(&epoch);
                    process.awaited.remove(&epoch);
                    self.voice.tell(News::Said(FromJudge::Refused {
                        epoch,
                        ruleset,
                        error,
                    }));
                }
                // Another process had it ready.
                Some(true) => {
                    self.condemned = Some(format!("it has no epoch {epoch}: {error}"));
                }
                None => {}
            },
        }
        if process.is_confined
            && process.awaited.is_empty()
            && let Some(line) = process.line.take()
        {
            let announced = self.known.iter().filter(|(_, known)| known.is_announced);
            self.voice.tell(News::Begun {
                number: process.number,
                pid: process.child.id(),
                line,
                epochs: announced.map(|(epoch, _)| *epoch).collect(),
            });
        }
    }

    /// Finds out how a process ended.
    fn bury(&mut self, mut process: Process) {
        let was_condemned = self.condemned.take();
        // It has said all: what has closed its socket has ended, or has no right to live.
        let grace = Instant::now() + Duration::from_millis(100);
        let mut status = process.child.try_wait();
        while matches!(status, Ok(None)) && was_condemned.is_none() && Instant::now() < grace {
            std::thread::sleep(Duration::from_millis(1));
            status = process.child.try_wait();
        }
        let why = match (was_condemned, status) {
            (Some(why), _) => why,
            (None, Ok(Some(status))) if self.is_stopping && status.success() => {
                self.voice.tell(News::Ended);
                return;
            }
            (None, Ok(Some(status))) => status.to_string(),
            (None, Ok(None) | Err(_)) => "it says nothing any more".into(),
        };
        let (pid, began) = (process.child.id(), process.began);
        drop(process);
        tracing::error!("the judge (process {pid}) died: {why}; another takes its place");
        self.died(began, why);
    }

    fn died(&mut self, began: Instant, why: String) {
        let mut given_up = Vec::new();
        for (epoch, known) in &mut self.known {
            known.deaths += u32::from(!known.is_announced);
            // Once may be chance.
            if known.deaths >= 2 {
                given_up.push(*epoch);
            }
        }
        for epoch in given_up {
            self.known.remove(&epoch);
            self.voice.tell(News::Said(FromJudge::Refused {
                epoch,
                ruleset: 0,
                error: format!("the judge died while it was made ready: {why}"),
            }));
        }
        self.lives.ended(began);
        let number = self.number;
        match self.is_stopping {
            true => self.voice.tell(News::Ended),
            false => self.voice.tell(News::Died { number, why }),
        };
    }
}

impl Standing {
    pub(super) fn of(number: u64, pid: u32) -> Standing {
        Standing {
            pid: Some(pid),
            restarts: number.saturating_sub(1),
        }
    }
}

fn send(socket: BorrowedFd<'_>, told: &Told, with: &[BorrowedFd<'_>]) -> io::Result<()> {
    let packet = postcard::to_stdvec(told).map_err(io::Error::other)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !with.is_empty() && !control.push(SendAncillaryMessage::ScmRights(with)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(
        socket,
        &[IoSlice::new(&packet)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

fn deliver(socket: BorrowedFd<'_>, parcel: &Parcel) -> io::Result<()> {
    let rulesets = u32::try_from(parcel.rulesets.len()).map_err(io::Error::other)?;
    let epoch = parcel.epoch;
    send(socket, &Told::Epoch { epoch, rulesets }, &[])?;
    for ruleset in &parcel.rulesets {
        let (told, with) = ruleset.packet();
        send(socket, &told, &with)?;
    }
    Ok(())
}

/// The next packet, if there is one; an error where no sensible one can come any more.
fn hear(socket: BorrowedFd<'_>) -> Result<Option<Said>, ()> {
    let mut packet = vec![0; PACKET_BYTES_MAX];
    // Descriptors that come with it are closed by the kernel.
    match recv(socket, &mut packet[..], RecvFlags::DONTWAIT) {
        Ok((0, _)) => Err(()),
        Ok((length, _)) => {
            let said = packet.get(..length).ok_or(())?;
            postcard::from_bytes(said).map(Some).map_err(drop)
        }
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(_) => Err(()),
    }
}
