//! The host's end of a component that has a process of its own: one process for each, started
//! anew when it died.
//!
//! The component's thread asks, and waits for the answer, which also brings what the component did
//! meanwhile: what it keeps, shows, says and asks of servers. Nothing of that is believed. It is
//! held against what the component may do, and applied here; the first answer that makes no sense
//! is the process's last, and counts as the component's failure, as does silence. Strikes are
//! counted here, so that no death wipes them out. A process that just died costs the call, and is
//! counted as that; after several such deaths the next has to wait.

use super::ComponentLimits;
use super::call::{Alert, Capability, Description};
use super::capability::{Unkept, Voice, for_people, say};
use super::code::{Code, NotLoaded};
use super::confined::COMMAND;
use super::metric;
use super::post::Counts;
use super::resident::{Failure, Start, Strikes};
use super::words::{
    Beginning, Call, Effects, HEAD_BYTES_MAX, HEADER_BYTES, Order, Said, Told, alerts_of,
    begin_frame, lengths, whole,
};
use super::worker::{LOOK_EVERY, ToComponent};
use crate::sandbox::child::{self, Lives, sealed};
use crate::sandbox::{Budget, FailureKind};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair,
};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A process that has no answer so long after its component had to be stopped has none.
const GRACE: Duration = Duration::from_secs(5);
/// A process that is not ready after that is given up.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// So long a call waits for a process to come back.
const BACK_WITHIN: Duration = Duration::from_secs(1);
/// Memory of a process beside its component's and the native code.
const DATA_BYTES: u64 = 256 << 20;

/// Native code for processes.
#[derive(Debug)]
pub(super) struct Native {
    file: OwnedFd,
    bytes: u64,
    /// Whose processes they are.
    program: PathBuf,
}

impl Native {
    pub(super) fn new(program: &Path, code: &[u8]) -> io::Result<Native> {
        Ok(Native {
            file: sealed(&[code])?,
            bytes: code.len() as u64,
            program: program.into(),
        })
    }
}

/// Why there is no answer that makes sense.
enum Broken {
    /// The process ended, or closed its end.
    Closed,
    /// It takes too long.
    Late,
    /// The host is stopping.
    Stopping,
    /// What it says cannot be.
    Nonsense(&'static str),
    /// The socket failed.
    Failed(io::Error),
}

/// A process that does not outlive this value.
struct Process {
    child: Child,
    socket: OwnedFd,
    began: Instant,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only where it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts one, and waits until it has no rights any more.
    fn begin(
        native: &Native,
        limits: &ComponentLimits,
        memory_bytes_max: usize,
        stopping: &AtomicBool,
    ) -> Result<Process, Broken> {
        let (kind, flags) = (SocketType::STREAM, SocketFlags::CLOEXEC);
        let pair = socketpair(AddressFamily::UNIX, kind, flags, None);
        let (socket, theirs) = pair.map_err(io::Error::from)?;
        let order = Order {
            limits: *limits,
            code_bytes: native.bytes,
            data_bytes_max: DATA_BYTES + memory_bytes_max as u64 + native.bytes * 3,
        };
        let code = Stdio::from(native.file.try_clone()?);
        let child = child::start(&native.program, COMMAND, &order, theirs, code)?;
        let process = Process {
            child,
            socket,
            began: Instant::now(),
        };
        match process.hear(process.began + READY_WITHIN, limits, stopping)? {
            (Said::Ready, _) => Ok(process),
            (Said::Described(_) | Said::Answered { .. }, _) => {
                Err(Broken::Nonsense("an answer before there was a question"))
            }
        }
    }

    /// Asks, and waits for the answer.
    fn ask(
        &self,
        told: &Told,
        tail: &[u8],
        within: Duration,
        limits: &ComponentLimits,
        stopping: &AtomicBool,
    ) -> Result<(Said, Vec<u8>), Broken> {
        let until = Instant::now() + within;
        let frame = begin_frame(told, tail)?;
        for mut rest in [&frame[..], tail] {
            while !rest.is_empty() {
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                match send(&self.socket, rest, flags) {
                    Ok(sent) => rest = &rest[sent..],
                    Err(Errno::AGAIN) => self.wait(PollFlags::OUT, until, stopping)?,
                    Err(Errno::INTR) => {}
                    Err(Errno::PIPE | Errno::CONNRESET) => return Err(Broken::Closed),
                    Err(error) => return Err(io::Error::from(error).into()),
                }
            }
        }
        self.hear(until, limits, stopping)
    }

    fn hear(
        &self,
        until: Instant,
        limits: &ComponentLimits,
        stopping: &AtomicBool,
    ) -> Result<(Said, Vec<u8>), Broken> {
        let mut header = [0; HEADER_BYTES];
        self.read(&mut header, until, stopping)?;
        let (of_head, of_tail) = lengths(header);
        // No number takes twice the bytes that it has in the component's memory.
        if of_head > HEAD_BYTES_MAX || of_tail > 2 * limits.answer_bytes_max {
            return Err(Broken::Nonsense("more than any component may answer"));
        }
        let (mut head, mut tail) = (vec![0; of_head], vec![0; of_tail]);
        self.read(&mut head, until, stopping)?;
        self.read(&mut tail, until, stopping)?;
        let said = whole(&head).ok_or(Broken::Nonsense("what is no answer"))?;
        Ok((said, tail))
    }

    fn read(&self, into: &mut [u8], until: Instant, stopping: &AtomicBool) -> Result<(), Broken> {
        let mut have = 0;
        while have < into.len() {
            match recv(&self.socket, &mut into[have..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return Err(Broken::Closed),
                Ok((_, count)) => have += count,
                Err(Errno::AGAIN) => self.wait(PollFlags::IN, until, stopping)?,
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Err(Broken::Closed),
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        Ok(())
    }

    fn wait(&self, what: PollFlags, until: Instant, stopping: &AtomicBool) -> Result<(), Broken> {
        loop {
            if stopping.load(Ordering::SeqCst) {
                return Err(Broken::Stopping);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Broken::Late);
            }
            let left = left.min(LOOK_EVERY).try_into().ok();
            match poll(&mut [PollFd::new(&self.socket, what)], left.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
    }

    /// CPU time of all its threads so far, as the kernel counts it.
    fn cpu(&self) -> Option<Duration> {
        let pid = libc::pid_t::try_from(self.child.id()).ok()?;
        let mut clock = 0;
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: each writes one value of its kind, and nothing else. The number is a child's
        // that was not waited for, so nobody else's.
        let is_told = unsafe {
            libc::clock_getcpuclockid(pid, &mut clock) == 0
                && libc::clock_gettime(clock, &mut time) == 0
        };
        let (seconds, rest) = (time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?);
        is_told.then(|| Duration::new(seconds, rest))
    }

    /// How it ended.
    fn end(mut self) -> String {
        // What has closed its socket has ended, or has no right to live.
        let grace = Instant::now() + Duration::from_millis(100);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return format!("its process died: {status}"),
                Ok(None) if Instant::now() < grace => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Ok(None) | Err(_) => return "its process says nothing any more".into(),
            }
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Broken {
        Broken::Failed(error)
    }
}

/// Starts a process, to see that it can be done.
pub(super) fn attempt(program: &Path, limits: &ComponentLimits) -> Result<(), String> {
    let never = AtomicBool::new(false);
    let native = Native::new(program, &[]).map_err(|error| error.to_string())?;
    match Process::begin(&native, limits, limits.memory_bytes_max, &never) {
        Ok(_) => Ok(()),
        Err(Broken::Failed(error)) => Err(error.to_string()),
        Err(Broken::Closed) => Err("its process does not start".into()),
        Err(Broken::Late | Broken::Stopping) => Err("its process is not ready in time".into()),
        Err(Broken::Nonsense(what)) => Err(format!("its process says {what}")),
    }
}

/// What a component says of itself, and the capabilities that it imports.
pub(super) fn described(
    native: &Native,
    limits: &ComponentLimits,
) -> Result<(Vec<Capability>, Description), NotLoaded> {
    let never = AtomicBool::new(false);
    let mute = |broken| {
        NotLoaded::Mute(match broken {
            Broken::Failed(error) => format!("no process can run it: {error}"),
            Broken::Closed => "its process died".into(),
            Broken::Late | Broken::Stopping => "it takes longer than it may".into(),
            Broken::Nonsense(what) => format!("its process says {what}"),
        })
    };
    let asked = Process::begin(native, limits, limits.memory_bytes_max, &never).and_then(|it| {
        let within = wall(limits.start) + GRACE;
        it.ask(&Told::Describe, &[], within, limits, &never)
    });
    let (said, tail) = asked.map_err(mute)?;
    let Said::Described(said) = said else {
        return Err(mute(Broken::Nonsense("what it was not asked")));
    };
    let imports = said.map_err(|why| match why {
        NotLoaded::Inadmissible(why) => NotLoaded::Inadmissible(for_people(&why)),
        NotLoaded::Uncompiled(why) => NotLoaded::Uncompiled(for_people(&why)),
        NotLoaded::World(why) => NotLoaded::World(for_people(&why)),
        NotLoaded::Import(why) => NotLoaded::Import(for_people(&why)),
        NotLoaded::Mute(why) => NotLoaded::Mute(for_people(&why)),
    })?;
    let description = whole(&tail).ok_or(Broken::Nonsense("what is no description"));
    Ok((imports, description.map_err(mute)?))
}

fn wall(budget: Budget) -> Duration {
    match budget {
        Budget::Time { wall, .. } => wall,
        // Of such there are none here.
        Budget::Fuel(_) => READY_WITHIN,
    }
}

/// A component at work in a process.
pub(super) struct Apart {
    code: Arc<Code>,
    start: Start,
    stopping: Arc<AtomicBool>,
    process: Option<Process>,
    /// The process's id, for whoever asks; 0: there is none.
    pid: Arc<AtomicU32>,
    lives: Lives,
    strikes: Strikes,
    voice: Voice,
    /// It has an instance, as far as is known.
    is_seated: bool,
    /// What it keeps is known to it as that was after so many changes.
    known: Option<u64>,
    memory_bytes: usize,
    /// CPU time that it has used and nobody took note of.
    used: Duration,
    /// The process's at that time.
    seen: Duration,
}

impl Apart {
    /// Starts a process, and makes the first instance in it.
    pub(super) fn start(
        code: Arc<Code>,
        start: Start,
        stopping: Arc<AtomicBool>,
        pid: Arc<AtomicU32>,
    ) -> Result<Apart, Failure> {
        let mut apart = Apart {
            strikes: Strikes::new(&code.workshop().limits),
            code,
            start,
            stopping,
            process: None,
            pid,
            lives: Lives::new(),
            voice: Voice::new(),
            is_seated: false,
            known: None,
            memory_bytes: 0,
            used: Duration::ZERO,
            seen: Duration::ZERO,
        };
        apart.begin()?;
        apart.take_used();
        Ok(apart)
    }

    /// Bytes of memory that the component says to have.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// CPU time that was used since this was last called.
    pub(super) fn take_used(&mut self) -> Duration {
        self.meter();
        std::mem::take(&mut self.used)
    }

    /// Calls the component.
    pub(super) fn call(&mut self, of: &ToComponent) -> Result<Vec<Alert>, Failure> {
        self.strikes.begin()?;
        let answer = self.ready().and_then(|()| self.ask_of(of));
        answer.map_err(|failure| self.strikes.after(failure, &self.stopping))
    }

    fn limits(&self) -> ComponentLimits {
        self.code.workshop().limits
    }

    /// Sees to it that there is a process.
    fn ready(&mut self) -> Result<(), Failure> {
        // One that died while there was nothing to do costs nothing.
        let ended = |process: &mut Process| !matches!(process.child.try_wait(), Ok(None));
        match self.process.as_mut().map(ended) {
            Some(false) => return Ok(()),
            Some(true) => {
                let failure = self.bury(Broken::Closed);
                let name = &self.start.name;
                tracing::warn!(
                    "module `{name}`: {}; another takes its place",
                    failure.message
                );
            }
            None => {}
        }
        let until = self.lives.again_at().min(Instant::now() + BACK_WITHIN);
        while !self.stopping.load(Ordering::SeqCst) {
            match until.saturating_duration_since(Instant::now()) {
                Duration::ZERO => break,
                left => std::thread::sleep(left.min(LOOK_EVERY)),
            }
        }
        if Instant::now() < self.lives.again_at() {
            let message = "its processes died one after the other".to_string();
            return Err(failed(FailureKind::Died, message));
        }
        self.begin()
    }

    fn begin(&mut self) -> Result<(), Failure> {
        let limits = self.limits();
        let Some(native) = self.code.native() else {
            let message = "there is no native code for a process".to_string();
            return Err(failed(FailureKind::Judge, message));
        };
        let means = &self.start.means;
        let memory_bytes_max = means.memory_bytes_max.unwrap_or(limits.memory_bytes_max);
        let begun = Process::begin(native, &limits, memory_bytes_max, &self.stopping);
        let process = match begun {
            Ok(process) => process,
            Err(broken) => {
                self.lives.ended(Instant::now());
                return Err(broken.failure(None));
            }
        };
        let values = match self.may(Capability::Kv) {
            true => self.start.keep.values_unless(None),
            false => None,
        };
        let (known, values) = values.unzip();
        let told = Told::Start(Box::new(Beginning {
            granted: self.start.granted.clone(),
            values: values.unwrap_or_default(),
            config: self.start.config.clone(),
            columns: self.start.columns.clone(),
            metrics: means.metrics.all(),
            servers: means.post.as_ref().map(|post| post.servers().to_vec()),
            counts: self.counts(),
            memory_bytes_max: means.memory_bytes_max,
            cpu: means.cpu,
        }));
        self.known = known;
        self.pid.store(process.child.id(), Ordering::Relaxed);
        self.process = Some(process);
        self.seen = Duration::ZERO;
        let started = self.ask(&told, &[], wall(limits.start));
        if started.is_err() {
            self.end();
        }
        started.map(drop)
    }

    fn may(&self, what: Capability) -> bool {
        self.start.granted.contains(&what)
    }

    fn counts(&self) -> Counts {
        let post = self.start.means.post.as_ref();
        post.map(|post| post.counts()).unwrap_or_default()
    }

    fn ask_of(&mut self, of: &ToComponent) -> Result<Vec<Alert>, Failure> {
        let (call, tail) = match of {
            ToComponent::Batch { rows, now } => (Call::Batch { now: *now }, &rows[..]),
            ToComponent::Tick { time } => (Call::Tick { time: *time }, &[][..]),
            ToComponent::Response { request, outcome } => {
                let (request, outcome) = (*request, outcome.clone());
                (Call::Response { request, outcome }, &[][..])
            }
        };
        // What the next version of a module, or the one before, has kept meanwhile.
        let values = match self.may(Capability::Kv) {
            true => self.start.keep.values_unless(self.known),
            false => None,
        };
        let (known, values) = values.unzip();
        self.known = known.or(self.known);
        let told = Told::Call {
            call,
            counts: self.counts(),
            values,
        };
        let limits = self.limits();
        let mut within = wall(limits.budget).max(self.start.means.cpu.unwrap_or_default() * 4);
        if !self.is_seated {
            within += wall(limits.start);
        }
        self.ask(&told, tail, within)
    }

    /// Asks the process, and does what the component wanted done.
    fn ask(&mut self, told: &Told, tail: &[u8], within: Duration) -> Result<Vec<Alert>, Failure> {
        let limits = self.limits();
        let Some(process) = &self.process else {
            return Err(failed(FailureKind::Died, "there is no process".into()));
        };
        let asked = process.ask(told, tail, within + GRACE, &limits, &self.stopping);
        match asked.and_then(|(said, tail)| self.take(said, &tail)) {
            Ok(answer) => answer,
            Err(broken) => Err(self.bury(broken)),
        }
    }

    /// Holds an answer against what can be.
    fn take(&mut self, said: Said, tail: &[u8]) -> Result<Result<Vec<Alert>, Failure>, Broken> {
        let Said::Answered {
            outcome,
            effects,
            is_seated,
            memory_bytes,
        } = said
        else {
            return Err(Broken::Nonsense("what it was not asked"));
        };
        let answer = match outcome {
            Ok(()) => Ok(alerts_of(tail).ok_or(Broken::Nonsense("what are no alerts"))?),
            Err(failure) => Err(heard(failure)?),
        };
        self.apply(effects)?;
        self.is_seated = is_seated;
        // Only for people.
        let limits = self.limits();
        let most = self.start.means.memory_bytes_max;
        let most = most.unwrap_or(limits.memory_bytes_max);
        self.memory_bytes = usize::try_from(memory_bytes).map_or(most, |bytes| bytes.min(most));
        Ok(answer)
    }

    fn apply(&mut self, effects: Effects) -> Result<(), Broken> {
        let Effects {
            kept,
            metrics,
            messages,
            messages_left_out,
            requests,
        } = effects;
        let ungranted = (!kept.is_empty() && !self.may(Capability::Kv))
            || (!metrics.is_empty() && !self.may(Capability::Metrics))
            || (!requests.is_empty() && !self.may(Capability::Http));
        if ungranted {
            return Err(Broken::Nonsense("to have done what it is not granted"));
        }
        self.voice.left_out(messages_left_out);
        for (level, message) in messages {
            say(&mut self.voice, &self.start.name, level, &message);
        }
        let name = &self.start.name;
        if !kept.is_empty() {
            let known = self.known.unwrap_or_default();
            self.known = match self.start.keep.change_by(known, kept) {
                Ok(known) => known,
                Err(Unkept::Full) => {
                    tracing::warn!(
                        "module `{name}` lost values that it kept: another version of it left \
                         them no room"
                    );
                    None
                }
                Err(Unkept::Never) => {
                    return Err(Broken::Nonsense("to keep what may not be kept"));
                }
            };
        }
        for (metric, by) in metrics {
            match self.start.means.metrics.change_by(&metric, by) {
                Ok(()) => {}
                Err(metric::Refusal::Name) => {
                    return Err(Broken::Nonsense("a metric that has no name"));
                }
                // Another version of the module shows other things.
                Err(metric::Refusal::Full | metric::Refusal::Kind) => {
                    tracing::debug!("module `{name}` shows `{metric}` in vain");
                }
            }
        }
        let post = self.start.means.post.as_ref();
        for (number, request) in requests {
            if !post.is_some_and(|post| post.submit_as(number, request)) {
                return Err(Broken::Nonsense("a request that it may not make"));
            }
        }
        Ok(())
    }

    /// Takes note of the CPU time that the process used.
    fn meter(&mut self) {
        if let Some(now) = self.process.as_ref().and_then(Process::cpu) {
            self.used += now.saturating_sub(self.seen);
            self.seen = now;
        }
    }

    /// Ends the process.
    fn end(&mut self) -> Option<Process> {
        self.meter();
        self.pid.store(0, Ordering::Relaxed);
        self.is_seated = false;
        self.known = None;
        self.memory_bytes = 0;
        self.process.take()
    }

    fn bury(&mut self, broken: Broken) -> Failure {
        let process = self.end();
        if let Some(process) = &process {
            self.lives.ended(process.began);
        }
        broken.failure(process)
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.pid.store(0, Ordering::Relaxed);
    }
}

impl Broken {
    /// What it means for the call, and the process that is the cause, which is ended.
    fn failure(self, process: Option<Process>) -> Failure {
        match self {
            Broken::Closed => {
                let how = process.map(Process::end);
                let how = how.unwrap_or_else(|| "its process does not start".into());
                failed(FailureKind::Died, how)
            }
            Broken::Late => failed(
                FailureKind::Deadline,
                "its process says nothing for too long".into(),
            ),
            Broken::Stopping => failed(FailureKind::Judge, "the sandbox is stopping".into()),
            Broken::Nonsense(what) => {
                failed(FailureKind::Answer, format!("its process claims {what}"))
            }
            Broken::Failed(error) => {
                failed(FailureKind::Died, format!("no process can run it: {error}"))
            }
        }
    }
}

fn failed(kind: FailureKind, message: String) -> Failure {
    Failure {
        kind,
        message,
        is_last: false,
    }
}

/// A failure as a process tells it.
fn heard(failure: Failure) -> Result<Failure, Broken> {
    match failure.kind {
        FailureKind::Trap
        | FailureKind::Deadline
        | FailureKind::Memory
        | FailureKind::Answer
        | FailureKind::Judge => Ok(failed(failure.kind, for_people(&failure.message))),
        FailureKind::Hits | FailureKind::Quarantined | FailureKind::Request | FailureKind::Died => {
            Err(Broken::Nonsense("a failure that it cannot have"))
        }
    }
}
