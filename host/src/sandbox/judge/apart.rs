//! The host's end of a judge that is a process of its own.
//!
//! Windows go out and hits come in over the line, on the thread that owns this end; all else is
//! done by two threads: one has rulesets compiled ([`pack`]), the other keeps a process alive
//! ([`Keeper`]). Nothing that the process says is believed: every answer is held against the
//! window that was asked about, and the first that makes no sense is the process's last.
//!
//! A window is sent once. What a process had when it died is answered as failed; what comes while
//! there is none waits for the next, and not longer than [`BACK_WITHIN`].

use super::bench::Request;
use super::keeper::{Keeper, News, ToKeeper, Voice, hush};
use super::parcel::pack;
use super::threads::{COMPILE_STACK_BYTES, INSTALLS};
use super::words::{Asked, HEAD_WORDS, Head, REQUEST_WORDS, What, hit_of, text_of};
use super::{Install, JudgeProcess, Nothing, SendError, SpawnError, Standing};
use crate::sandbox::instance::Rows;
use crate::sandbox::message::{FailureKind, FromJudge, Hit, ToJudge};
use crate::sandbox::{Compiler, Limits};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use saker_shm::line::{HostEnd, Impossible};
use saker_shm::window::WindowView;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// So long a window waits for a process to come back.
const BACK_WITHIN: Duration = Duration::from_secs(1);
/// A process that wakes us so often in a row for nothing means harm.
const VAIN_RINGS_MAX: u32 = 10_000;

/// No window has more hits that were lost, or takes more nanoseconds.
const FIGURE_MAX: u64 = 1 << 48;

/// The host's end.
pub(super) struct Apart {
    window: WindowView,
    installs: SyncSender<Install>,
    voice: Voice,
    keeper: Option<JoinHandle<()>>,
    news: Receiver<News>,
    bell: Arc<OwnedFd>,
    /// The bell as the runtime knows it.
    heard: Option<AsyncFd<OwnedFd>>,
    process: Option<Process>,
    standing: Standing,
    epochs: HashMap<u32, Vec<Ruleset>>,
    /// What waits for room in the line, or for a process.
    waiting: VecDeque<Asked>,
    /// Windows that are with the process, in the order in which they were sent.
    flying: VecDeque<Request>,
    /// Answers that are not the process's.
    said: VecDeque<FromJudge>,
    queue: usize,
    silent_after: Duration,
    /// When it last answered, or was given something after all was answered.
    heard_at: Instant,
    /// Since when there is no process.
    gone_since: Instant,
    vain_rings: u32,
    is_stopped: bool,
    has_ended: bool,
}

/// The process that is there now.
struct Process {
    number: u64,
    line: HostEnd,
    head: [u64; HEAD_WORDS],
    body: Vec<u64>,
    /// Words of the head and the body that have come.
    have: usize,
}

/// What is known of a ruleset.
struct Ruleset {
    rules: u32,
    is_quarantined: bool,
}

/// What the process said that cannot be.
struct Nonsense(&'static str);

impl From<Impossible> for Nonsense {
    fn from(_: Impossible) -> Nonsense {
        Nonsense("a position in the line")
    }
}

impl std::fmt::Debug for Apart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Apart")
            .field("standing", &self.standing)
            .finish_non_exhaustive()
    }
}

impl Apart {
    pub(super) fn spawn(
        window: BorrowedFd<'_>,
        limits: Limits,
        compiler: Arc<Compiler>,
        process: JudgeProcess,
    ) -> Result<Apart, SpawnError> {
        let window = WindowView::open(window)?;
        let new_bell = || {
            let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
            eventfd(0, flags).map(Arc::new).map_err(io::Error::from)
        };
        let (bell, waker) = (new_bell()?, new_bell()?);
        let (orders, to_obey) = channel();
        let (tell, news) = channel();
        let voice = Voice::new(orders, waker, tell, Arc::clone(&bell));
        let silent_after = process.silent_after;
        let theirs = window.fd().try_clone_to_owned()?;
        let keeper = Keeper::new(theirs, limits, process, to_obey, voice.clone());
        let keeper = std::thread::Builder::new()
            .name("saker-keeper".into())
            .spawn(move || keeper.run())?;
        let (installs, to_install) = sync_channel(INSTALLS);
        let mut apart = Apart {
            window,
            installs,
            voice: voice.clone(),
            keeper: Some(keeper),
            news,
            bell,
            heard: None,
            process: None,
            standing: Standing::default(),
            epochs: HashMap::new(),
            waiting: VecDeque::new(),
            flying: VecDeque::new(),
            said: VecDeque::new(),
            queue: limits.queue.max(1),
            silent_after,
            heard_at: Instant::now(),
            gone_since: Instant::now(),
            vain_rings: 0,
            is_stopped: false,
            has_ended: false,
        };
        // Not joined at the end: a compilation cannot be broken off, and holds nothing of ours.
        std::thread::Builder::new()
            .name("saker-compile".into())
            .stack_size(COMPILE_STACK_BYTES)
            .spawn(move || pack(&to_install, limits, &compiler, &voice))?;
        match apart.news.recv() {
            Ok(News::Died { why, .. }) => Err(SpawnError::Process(why)),
            Ok(first) => {
                apart.hear(first);
                Ok(apart)
            }
            Err(_) => Err(SpawnError::Process("its keeper died".into())),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing
    }

    pub(super) fn send(&mut self, message: ToJudge) -> Result<(), SendError> {
        if self.is_stopped || self.has_ended {
            return Err(SendError::Gone(message));
        }
        match message {
            ToJudge::Install { epoch, rulesets } => {
                return Install::offer(&self.installs, epoch, rulesets);
            }
            ToJudge::Judge { .. } if self.flying.len() + self.waiting.len() >= self.queue => {
                return Err(SendError::Full(message));
            }
            ToJudge::Judge {
                window,
                epoch,
                ruleset,
                slot,
                first,
                end,
                rows,
            } => {
                let request = Request {
                    window,
                    epoch,
                    ruleset,
                    slot,
                    first,
                    end,
                    rows,
                };
                // The process forgets that when it dies.
                if self.ruleset(&request).is_some_and(|of| of.is_quarantined) {
                    let message = "in quarantine".to_string();
                    let failed = request.failed(FailureKind::Quarantined, message, 0);
                    self.said.push_back(failed);
                    return Ok(());
                }
                self.waiting.push_back(Asked::Judge(request));
            }
            ToJudge::Retire { epoch } => {
                self.epochs.remove(&epoch);
                self.waiting.push_back(Asked::Retire(epoch));
            }
            ToJudge::Stop => {
                self.is_stopped = true;
                self.voice.order(ToKeeper::Stop);
                self.waiting.push_back(Asked::Stop);
            }
        }
        self.forward();
        Ok(())
    }

    fn ruleset(&self, of: &Request) -> Option<&Ruleset> {
        self.epochs.get(&of.epoch)?.get(of.ruleset as usize)
    }

    /// Puts what waits into the line, as far as there is room.
    fn forward(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        let requests = &mut process.line.requests;
        let mut is_sent = false;
        let sent = loop {
            let Some(asked) = self.waiting.front() else {
                break Ok(());
            };
            match requests.room() {
                Ok(room) if room < REQUEST_WORDS => break Ok(()),
                Ok(_) => {}
                Err(impossible) => break Err(impossible),
            }
            if let Err(impossible) = requests.write(&asked.words()) {
                break Err(impossible);
            }
            is_sent = true;
            match self.waiting.pop_front() {
                Some(Asked::Judge(request)) => {
                    if self.flying.is_empty() {
                        self.heard_at = Instant::now();
                    }
                    self.flying.push_back(request);
                }
                Some(Asked::Retire(epoch)) => {
                    self.voice.order(ToKeeper::Forget(epoch));
                }
                Some(Asked::Stop) | None => {}
            }
        };
        if is_sent {
            requests.wake();
        }
        if let Err(impossible) = sent {
            self.condemn(impossible.into());
        }
    }

    pub(super) fn try_receive(&mut self) -> Result<FromJudge, Nothing> {
        loop {
            while let Ok(news) = self.news.try_recv() {
                self.vain_rings = 0;
                self.hear(news);
            }
            if let Some(answer) = self.said.pop_front() {
                return Ok(answer);
            }
            match self.pull() {
                Ok(Some(answer)) => {
                    self.heard_at = Instant::now();
                    self.vain_rings = 0;
                    self.forward();
                    return Ok(answer);
                }
                Ok(None) => {}
                Err(nonsense) => {
                    self.condemn(nonsense);
                    continue;
                }
            }
            self.forward();
            self.give_up_late();
            if self.said.is_empty() {
                break;
            }
        }
        match self.has_ended {
            true => Err(Nothing::Ever),
            false => Err(Nothing::Yet),
        }
    }

    pub(super) fn blocking_receive(&mut self) -> Option<FromJudge> {
        loop {
            match self.try_receive() {
                Ok(answer) => return Some(answer),
                Err(Nothing::Ever) => return None,
                Err(Nothing::Yet) => {}
            }
            if !self.may_sleep() {
                continue;
            }
            let left = self.due().and_then(|left| left.try_into().ok());
            let mut polled = [PollFd::new(&self.bell, PollFlags::IN)];
            // Interrupted or late, it is looked.
            let _ = poll(&mut polled, left.as_ref());
            self.hush();
        }
    }

    pub(super) async fn receive(&mut self) -> Option<FromJudge> {
        loop {
            match self.try_receive() {
                Ok(answer) => return Some(answer),
                Err(Nothing::Ever) => return None,
                Err(Nothing::Yet) => {}
            }
            if !self.may_sleep() {
                continue;
            }
            let due = self.due();
            let heard = self.heard();
            let rung = async {
                match heard {
                    Ok(heard) => heard.readable().await.map(|mut guard| {
                        hush(heard.get_ref());
                        guard.clear_ready();
                    }),
                    Err(error) => Err(error),
                }
            };
            let rung = match due {
                Some(left) => tokio::time::timeout(left, rung).await.unwrap_or(Ok(())),
                None => rung.await,
            };
            if rung.is_err() {
                // The runtime is another by now.
                self.heard = None;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            self.hush();
        }
    }

    fn heard(&mut self) -> io::Result<&AsyncFd<OwnedFd>> {
        if self.heard.is_none() {
            let bell = self.bell.try_clone()?;
            // SAFETY: an owned descriptor is open, and the same, as long as it lives, and nobody
            // takes it out of there.
            let heard = unsafe { AsyncFd::register_with_interest(bell, Interest::READABLE) };
            self.heard = Some(heard?);
        }
        let heard = self.heard.as_ref();
        heard.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn hush(&mut self) {
        hush(&self.bell);
        self.vain_rings += 1;
        if self.vain_rings > VAIN_RINGS_MAX {
            self.vain_rings = 0;
            self.condemn(Nonsense("that there is an answer, without end"));
        }
    }

    /// Tells the process to wake us. `false`: there is something to do.
    fn may_sleep(&mut self) -> bool {
        let may = match &mut self.process {
            Some(process) => process.line.answers.may_sleep(),
            None => Ok(true),
        };
        match may {
            Ok(may) => may,
            Err(impossible) => {
                self.condemn(impossible.into());
                false
            }
        }
    }

    /// In how long something is to be given up.
    fn due(&self) -> Option<Duration> {
        let at = if !self.flying.is_empty() {
            self.heard_at + self.silent_after
        } else if self.process.is_none() && !self.waiting.is_empty() {
            self.gone_since + BACK_WITHIN
        } else {
            return None;
        };
        // At least as long as the clock of timers can tell.
        let left = at.saturating_duration_since(Instant::now());
        Some(left.max(Duration::from_millis(1)))
    }

    fn give_up_late(&mut self) {
        if !self.flying.is_empty() && self.heard_at.elapsed() >= self.silent_after {
            self.condemn(Nonsense("nothing for too long"));
        }
        let is_away = self.process.is_none() && self.gone_since.elapsed() >= BACK_WITHIN;
        if !is_away {
            return;
        }
        for asked in std::mem::take(&mut self.waiting) {
            match asked {
                Asked::Judge(request) => {
                    let message = "there is no judge".to_string();
                    let failed = request.failed(FailureKind::Died, message, 0);
                    self.said.push_back(failed);
                }
                Asked::Retire(_) | Asked::Stop => self.waiting.push_back(asked),
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Said(answer) => self.said.push_back(answer),
            News::Installed { epoch, rules } => {
                let rulesets = rules.into_iter().map(|rules| Ruleset {
                    rules,
                    is_quarantined: false,
                });
                self.epochs.insert(epoch, rulesets.collect());
                self.said.push_back(FromJudge::Installed { epoch });
            }
            News::Begun {
                number,
                pid,
                line,
                epochs,
            } => {
                self.process = Some(Process {
                    number,
                    line,
                    head: [0; HEAD_WORDS],
                    body: Vec::new(),
                    have: 0,
                });
                self.standing = Standing::of(number, pid);
                // Those that were retired when the process before could not be told any more, or
                // was.
                let is_known = |epoch: &u32| self.epochs.contains_key(epoch);
                let retired = epochs.into_iter().filter(|epoch| !is_known(epoch));
                for epoch in retired.collect::<Vec<_>>() {
                    // Behind the windows that wait for it.
                    if !self.waiting.contains(&Asked::Retire(epoch)) {
                        self.waiting.push_back(Asked::Retire(epoch));
                    }
                }
                self.forward();
            }
            News::Died { number, why } => {
                if self.process.as_ref().is_some_and(|it| it.number == number) {
                    // What it answered before is true.
                    while let Ok(Some(answer)) = self.pull() {
                        self.said.push_back(answer);
                    }
                    self.bury(&why);
                }
            }
            News::Ended => {
                while let Ok(Some(answer)) = self.pull() {
                    self.said.push_back(answer);
                }
                self.bury("the judge has stopped");
                self.has_ended = true;
            }
        }
    }

    /// Answers for the windows that went with a process.
    fn bury(&mut self, why: &str) {
        self.process = None;
        self.standing.pid = None;
        self.gone_since = Instant::now();
        for request in std::mem::take(&mut self.flying) {
            let failed = request.failed(FailureKind::Died, why.to_string(), 0);
            self.said.push_back(failed);
        }
    }

    /// Has nothing more to do with a process.
    fn condemn(&mut self, Nonsense(what): Nonsense) {
        let Some(Process { number, .. }) = self.process else {
            return;
        };
        let why = format!("it said what cannot be: {what}");
        self.bury(&why);
        self.voice.order(ToKeeper::Kill { number, why });
    }

    /// Takes what has come of an answer; gives it when it is whole, and was asked for.
    fn pull(&mut self) -> Result<Option<FromJudge>, Nonsense> {
        let Some(process) = &mut self.process else {
            return Ok(None);
        };
        let answers = &mut process.line.answers;
        if process.have < HEAD_WORDS {
            process.have += answers.read(&mut process.head[process.have..])?;
            if process.have < HEAD_WORDS {
                return Ok(None);
            }
            process.body.clear();
        }
        let head = Head::of(&process.head).ok_or(Nonsense("an answer of no kind"))?;
        let at = asked_for(&head, &self.flying, &self.epochs)?;
        if process.body.len() < head.words {
            // Bounded by what was asked for.
            process.body.resize(head.words, 0);
        }
        let have = process.have - HEAD_WORDS;
        process.have += answers.read(&mut process.body[have..])?;
        if process.have < HEAD_WORDS + head.words {
            return Ok(None);
        }
        process.have = 0;
        let body = std::mem::take(&mut process.body);
        let answer = self.answer(&head, at, &body);
        if let Some(process) = &mut self.process {
            process.body = body;
        }
        answer.map(Some)
    }

    fn answer(
        &mut self,
        head: &Head,
        at: Option<usize>,
        body: &[u64],
    ) -> Result<FromJudge, Nonsense> {
        let Head {
            window,
            epoch,
            ruleset,
            slot,
            rows,
            lost_hits,
            invalid_hits,
            cpu_ns,
            ..
        } = *head;
        let asked = at.and_then(|at| self.flying.get(at).copied());
        let (answer, asked) = match (head.what, asked) {
            (What::Quarantined, _) => {
                let known = self.epochs.get_mut(&epoch);
                if let Some(known) = known.and_then(|known| known.get_mut(ruleset as usize)) {
                    known.is_quarantined = true;
                }
                return Ok(FromJudge::Quarantined { epoch, ruleset });
            }
            (_, None) => return Err(Nonsense("an answer to nothing")),
            (What::Failed { kind, text_bytes }, Some(asked)) => {
                (asked.failed(kind, text_of(body, text_bytes), cpu_ns), asked)
            }
            (What::Judged, Some(asked)) => {
                let hits: Vec<Hit> = body.iter().map(|word| hit_of(*word)).collect();
                self.examine(&asked, &hits)?;
                let judged = FromJudge::Judged {
                    window,
                    epoch,
                    ruleset,
                    slot,
                    rows,
                    hits,
                    lost_hits,
                    invalid_hits,
                    cpu_ns,
                };
                (judged, asked)
            }
        };
        self.flying.retain(|flying| *flying != asked);
        Ok(answer)
    }

    /// Holds hits against the window's rows and the ruleset's rules.
    fn examine(&self, asked: &Request, hits: &[Hit]) -> Result<(), Nonsense> {
        // A ruleset that is retired meanwhile had its rules counted with the head.
        let rules = self.ruleset(asked).map_or(u32::MAX, |of| of.rules);
        if !hits.is_sorted_by(|one, next| one < next) {
            return Err(Nonsense("hits in no order"));
        }
        let mut rows = Rows {
            window: &self.window,
            next: asked.first,
            end: asked.end,
        };
        let mut last = None;
        for hit in hits {
            let is_row = last == Some(hit.row) || rows.find(hit.row);
            if !is_row || hit.rule >= rules {
                return Err(Nonsense("a hit on nothing"));
            }
            last = Some(hit.row);
        }
        Ok(())
    }
}

/// Which of the windows in flight that is an answer to, and whether it can be one.
fn asked_for(
    head: &Head,
    flying: &VecDeque<Request>,
    epochs: &HashMap<u32, Vec<Ruleset>>,
) -> Result<Option<usize>, Nonsense> {
    if head.what == What::Quarantined {
        return Ok(None);
    }
    let at = flying.iter().position(|asked| asked.window == head.window);
    let asked = at.map(|at| flying[at]);
    let asked = asked.ok_or(Nonsense("an answer to nothing"))?;
    let of = (asked.epoch, asked.ruleset, asked.slot, asked.rows);
    if of != (head.epoch, head.ruleset, head.slot, head.rows) {
        return Err(Nonsense("an answer to something else"));
    }
    let figures = [head.lost_hits, head.invalid_hits, head.cpu_ns];
    if figures.iter().any(|figure| *figure > FIGURE_MAX) {
        return Err(Nonsense("a figure that cannot be"));
    }
    if head.what == What::Judged {
        let known = epochs.get(&asked.epoch);
        let known = known.and_then(|known| known.get(asked.ruleset as usize));
        // Of a retired one as many as any could have.
        let rules = known.map_or(crate::sandbox::MANIFEST_ITEMS_MAX as u64, |of| {
            of.rules.into()
        });
        if head.words as u64 > rules.saturating_mul(asked.rows.into()) {
            return Err(Nonsense("more hits than there are rows and rules"));
        }
    }
    Ok(at)
}

impl Drop for Apart {
    fn drop(&mut self) {
        let _ = self.installs.try_send(Install::Stop);
        self.voice.order(ToKeeper::End);
        if let Some(keeper) = self.keeper.take() {
            // What it died of was said when it died.
            let _ = keeper.join();
        }
    }
}
