//! From records to alerts, on one thread: decode, apply, write rows, close windows, take hits
//! back, render.
//!
//! The pipeline owns the state, the window and the judge. It is driven from outside: records
//! come in batches ([`Pipeline::push`]), time passes ([`Pipeline::flush`]), modules are swapped
//! ([`Pipeline::propose`], [`Pipeline::outcome`], [`Pipeline::switch`]). It reads no clock and
//! knows no source.

pub mod contest;
mod epochs;
mod parking;
mod recording;
pub mod stages;

use crate::alert::{Alert, Identity, Scene, Why};
use crate::event::{Captured, Clock, Event, decode};
use crate::extract::row::{Full, Plan, PlanError};
use crate::extract::{Scratch, View};
use crate::guests::{FromGuests, Guests};
use crate::modules::{Epoch, INCIDENTS_MAX, Incident, Work};
use crate::outputs::recording::Recorder;
use crate::outputs::triggered::Triggered;
use crate::recent::Told;
use crate::sandbox::{FailureKind, FromJudge, Hit, Judge, SendError, Standing, ToJudge};
use crate::source::merge::{Batch, Form};
use crate::state::container::{Absence, ContainerAnswer};
use crate::state::{Seen, State};
use contest::Contest;
use parking::Parking;
pub use parking::{Counters as ParkingCounters, Limits as ParkingLimits};
use saker_capture::Entry;
use saker_ebpf::record::Record;
use saker_rules_schema::event::{Class, EventType};
use saker_shm::window::{Filled, SlotWriter, Window};
use stages::{Gauge, Spent, Stage, Stopwatch};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What happened so far. Everything lost is here, under its cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records that were events.
    pub events: u64,
    /// Events of plugins' sources among the records, which no rule is about.
    pub of_plugins: u64,
    /// Rows written.
    pub rows: u64,
    /// Windows sent to the judge.
    pub windows: u64,
    /// Alerts rendered.
    pub alerts: u64,
    /// Alerts of containers of which nothing but the id was known.
    pub alerts_without_metadata: u64,
    /// The same by [`Absence`].
    pub alerts_absent: [u64; Absence::ALL.len()],
    /// Records that did not parse.
    pub malformed: u64,
    /// Rows in windows that were not judged, because the module failed or is quarantined.
    pub rows_unjudged: u64,
    /// Rows in windows that were not judged, because the judge's process died or was not there.
    pub rows_of_dead_judges: u64,
    /// Rows for which a component has no answer, because its process died or was not there.
    pub rows_of_dead_components: u64,
    /// Hits beyond what a window may have, or that named nothing.
    pub hits_lost: u64,
    /// Rows that did not fit into an empty window.
    pub rows_too_large: u64,
    /// Rows in which a string is cut.
    pub rows_truncated: u64,
    /// Rows that were lost because their component was too slow.
    pub rows_untaken: u64,
    /// Requests of modules of which none heard what came of them: it was replaced or ended.
    pub responses_untold: u64,
    /// Times a module trapped or went over its budget.
    pub module_failures: u64,
    /// Alerts that are in no count of their rule's.
    pub matches_uncounted: u64,
}

/// Rules of a module whose alerts are counted: as many as a ruleset can have.
const MATCHES_MAX: usize = 10_000;

/// Windows are closed when their first event is so many events ago, however few rows they have:
/// all that happened since is kept for them.
const ROUND_EVENTS_MAX: u64 = 8192;

/// They are also closed when what their events lie in takes so many bytes: a window has room for
/// rows of thousands of events that are large themselves.
const ROUND_BYTES_MAX: usize = 16 << 20;

/// Records → alerts.
pub struct Pipeline {
    state: State,
    window: Window,
    judge: Judge,
    /// The components at work.
    guests: Guests,
    /// When they are told the time next, by events; never, where there are none.
    next_tick: u64,
    epoch: Rc<Epoch>,
    /// How the running epoch's modules want their rows, in load order.
    plans: Vec<Plan>,
    scratch: Scratch,
    rows_max: usize,
    /// `evt.num` of the next event.
    number: u64,
    windows: u64,
    open: Option<Round>,
    flying: VecDeque<Round>,
    /// Judged rounds leave their vectors here.
    spare_rows: Vec<Vec<Row>>,
    counters: Counters,
    alerts: Box<dyn FnMut(Alert)>,
    /// Takes the events of hits, and what changes the state, in place of alerts.
    recorder: Option<Recorder>,
    /// Makes the captures that alerts ask for.
    triggered: Option<Triggered>,
    /// Which alerts do.
    capture: CaptureMode,
    /// Events whose container's facts are awaited.
    parking: Parking,
    /// Whether what the modules answer may hang on such facts.
    needs_facts: bool,
    /// Time of the last event.
    time: u64,
    /// The epoch that is being made ready, or is ready.
    next: Option<Rc<Epoch>>,
    /// What came of that, until it is asked for.
    outcome: Option<Result<(), PipelineError>>,
    /// Failures that nobody asked for yet.
    incidents: Vec<Incident>,
    /// What rulesets did so far, by module.
    work: HashMap<Arc<str>, Work>,
    /// Alerts so far, by module and rule.
    matches: HashMap<Arc<str>, HashMap<Box<str>, u64>>,
    /// Alerts have with them what stood around their events.
    keeps_scenes: bool,
    /// How many of them tell why they came.
    whys: Allowance,
    /// Is told of every window that was judged.
    verdicts: Option<Box<dyn FnMut(Verdict)>>,
    /// What a candidate is compared in.
    contest: Option<Box<Contest>>,
    /// Events before it.
    contest_from: u64,
    /// Which events come, and what they cost.
    gauge: Gauge,
}

/// A window was judged, and by which epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The window's number. Windows are numbered without a gap.
    pub window: u64,
    /// The epoch.
    pub epoch: u32,
    /// Which of its modules.
    pub module: u32,
    /// Rows in it.
    pub rows: u32,
}

/// Which alerts ask for captures.
#[derive(Clone, Copy, Debug, Default)]
pub struct CaptureMode {
    /// Those of every rule, not only of rules with `capture`.
    pub all_rules: bool,
    /// How long a capture goes on if the rule does not say.
    pub duration: Duration,
}

/// Alerts of one second that tell why they came: a condition is judged once more for each.
const WHYS_PER_SECOND: u32 = 200;

/// How many still may in a second of events.
#[derive(Debug, Default)]
struct Allowance {
    second: u64,
    taken: u32,
}

impl Allowance {
    /// Takes one, if there is one left.
    fn may(&mut self, time: u64) -> bool {
        let second = time / TICK_NS;
        if second != self.second {
            *self = Allowance { second, taken: 0 };
        }
        self.taken = self.taken.saturating_add(1);
        self.taken <= WHYS_PER_SECOND
    }
}

/// The windows that are filled and closed together, one per module.
struct Round {
    epoch: Rc<Epoch>,
    /// What its rows refer to.
    batches: Vec<Rc<Batch>>,
    /// Bytes of those.
    bytes: usize,
    /// For a recording: what changes the state, hit or not.
    lasting: Vec<Row>,
    parts: Vec<Part>,
    rows: usize,
    /// Number of its first event: what versions it needs.
    first: u64,
    /// Time of its last event.
    last_time: u64,
    /// Seconds that events reached, and the numbers of those events.
    ticks: Vec<(u64, u64)>,
    unanswered: usize,
}

impl Round {
    /// Reads the event of a row again.
    fn event<R>(&self, row: &Row, clock: Clock, see: impl FnOnce(&Event<'_>) -> R) -> Option<R> {
        let batch = &self.batches[row.batch as usize];
        let bytes = batch.record(row.record as usize);
        match batch.form() {
            Form::Recorded => {
                let record = Record::parse(bytes).ok()?;
                Some(see(&decode(&record, &clock, row.number).into()))
            }
            Form::Captured => {
                let event = Captured::parse(bytes, row.number)?;
                Some(see(&Event::Captured(event)))
            }
        }
    }
}

/// The place of a batch among those of a round, which it has joined then.
fn place_of(batch: &Rc<Batch>, batches: &mut Vec<Rc<Batch>>, bytes: &mut usize) -> u32 {
    if batches.last().is_none_or(|last| !Rc::ptr_eq(last, batch)) {
        *bytes += batch.bytes();
        batches.push(batch.clone());
    }
    batches.len() as u32 - 1
}

/// One module's window in a round.
#[derive(Default)]
struct Part {
    window: u64,
    place: Place,
    rows: Vec<Row>,
    hits: Vec<Hit>,
}

#[derive(Default)]
enum Place {
    /// No row yet.
    #[default]
    Nowhere,
    Filling(SlotWriter),
    /// With the judge; keeps the slot.
    Judged(#[allow(dead_code)] Filled),
}

/// An event in flight.
#[derive(Clone, Copy)]
struct Row {
    /// Byte offset of its row in the window memory.
    position: u32,
    batch: u32,
    record: u32,
    number: u64,
    seen: Seen,
}

/// What the judge or a component answered.
#[derive(Debug)]
pub enum Answer {
    /// The judge.
    Judge(FromJudge),
    /// A component.
    Component(FromGuests),
}

/// Nanoseconds between two ticks.
const TICK_NS: u64 = 1_000_000_000;

/// Why the pipeline cannot go on, or not with that epoch.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// A module does not compile or does not fit.
    #[error("module `{name}` is refused: {reason}")]
    Refused {
        /// Which module of the epoch.
        module: usize,
        /// What it is called.
        name: String,
        /// Why.
        reason: String,
    },
    /// A module asks for rows that cannot be.
    #[error("a module's rows cannot be written")]
    Plan(#[from] PlanError),
    /// The judge is gone.
    #[error("the judge has ended")]
    NoJudge,
}

/// What a pipeline is made of.
pub struct Setup {
    /// The state, seeded.
    pub state: State,
    /// The window, all slots free.
    pub window: Window,
    /// The judge of that window.
    pub judge: Judge,
    /// A window closes after that many rows.
    pub rows_max: usize,
    /// Takes the alerts, in order.
    pub alerts: Box<dyn FnMut(Alert)>,
}

impl Pipeline {
    /// A pipeline whose first epoch is `epoch`; returns when the judge has it ready.
    pub fn new(setup: Setup, epoch: Epoch) -> Result<Pipeline, PipelineError> {
        let Setup {
            mut state,
            window,
            judge,
            rows_max,
            alerts,
        } = setup;
        state.keep_all_descriptors(epoch.needs_all_descriptors());
        state.keep_notes(epoch.noted());
        // What a state knows already holds from numbers on that it gave.
        let number = state.number() + 1;
        let epoch = Rc::new(epoch);
        let mut pipeline = Pipeline {
            state,
            window,
            judge,
            guests: Guests::default(),
            next_tick: u64::MAX,
            plans: epoch.plans()?,
            epoch: epoch.clone(),
            scratch: Scratch::new(),
            rows_max: rows_max.max(1),
            number,
            windows: 0,
            open: None,
            flying: VecDeque::new(),
            spare_rows: Vec::new(),
            counters: Counters::default(),
            alerts,
            recorder: None,
            triggered: None,
            capture: CaptureMode::default(),
            parking: Parking::default(),
            needs_facts: epoch.needs_container_facts(),
            time: 0,
            next: None,
            outcome: None,
            incidents: Vec::new(),
            work: HashMap::new(),
            matches: HashMap::new(),
            keeps_scenes: false,
            whys: Allowance::default(),
            verdicts: None,
            contest: None,
            contest_from: 0,
            gauge: Gauge::default(),
        };
        pipeline.prepare(&epoch)?;
        pipeline.next = None;
        pipeline.guests.switch(&epoch);
        pipeline.begin_ticks();
        Ok(pipeline)
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        let guests = &self.guests.counters;
        Counters {
            rows_unjudged: self.counters.rows_unjudged + guests.rows_unjudged,
            rows_truncated: self.counters.rows_truncated + guests.rows_truncated,
            hits_lost: self.counters.hits_lost + guests.alerts_invalid,
            rows_untaken: guests.rows_untaken,
            rows_of_dead_components: guests.rows_of_dead,
            responses_untold: guests.responses_untold,
            module_failures: self.counters.module_failures + guests.failures,
            ..self.counters
        }
    }

    /// The process that judges; `None` where threads do.
    pub fn judge(&self) -> Option<Standing> {
        self.judge.standing()
    }

    /// The components at work.
    pub fn guests(&self) -> &Guests {
        &self.guests
    }

    fn begin_ticks(&mut self) {
        // The first event sets the clock, and is no tick.
        self.next_tick = if self.guests.is_empty() { u64::MAX } else { 0 };
    }

    /// How many windows are filled or judged, and how many can be.
    pub fn windows(&self) -> [usize; 2] {
        let most = self.window.slots() as usize;
        [most.saturating_sub(self.window.free_slots()), most]
    }

    /// How much the state remembers: threads, processes, versions of them, descriptors, bytes of
    /// images.
    pub fn sizes(&self) -> [usize; 5] {
        self.state.sizes()
    }

    /// The state, for what answers from it.
    pub fn state(&mut self) -> &mut State {
        &mut self.state
    }

    /// Takes in an entry of a capture that is no event. With a section another recording begins:
    /// what is in flight is judged, and captures of alerts end.
    pub fn seed(&mut self, entry: &Entry<'_>) -> Result<(), PipelineError> {
        if let Entry::Section(_) = entry {
            self.drain()?;
            self.begin_ticks();
        } else if self.recorder.is_some() || self.is_keeping() {
            self.drain()?;
        }
        if let Some(triggered) = &mut self.triggered {
            triggered.entry(entry);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.entry(entry);
        }
        self.state.seed_captured(entry);
        Ok(())
    }

    /// Whether the judge or a component owes an answer.
    pub fn is_waiting(&self) -> bool {
        let is_preparing = self.next.is_some() && self.outcome.is_none();
        !self.flying.is_empty() || self.guests.is_waiting() || is_preparing
    }

    /// The failures since this was last asked.
    pub fn incidents(&mut self) -> Vec<Incident> {
        let mut incidents = std::mem::take(&mut self.incidents);
        incidents.append(&mut self.guests.incidents);
        incidents
    }

    fn note(&mut self, incident: Incident) {
        if self.incidents.len() < INCIDENTS_MAX {
            self.incidents.push(incident);
        }
    }

    /// Has alerts tell what stood around their events, from here on.
    pub fn keep_scenes(&mut self) {
        self.keeps_scenes = true;
    }

    /// Has times of stages measured by that clock, from here on.
    pub fn measure(&mut self, stopwatch: Stopwatch) {
        self.gauge.lend(stopwatch);
    }

    /// The types of events that came, and how often.
    pub fn event_types(&self) -> impl Iterator<Item = (EventType, u64)> + '_ {
        self.gauge.types()
    }

    /// What the stages of an event take, as far as that is measured.
    pub fn stages(&self) -> impl Iterator<Item = (Stage, Spent)> + '_ {
        self.gauge.spent(self.counters.events)
    }

    /// Tells `watch` of every window that is judged, from here on.
    pub fn watch_verdicts(&mut self, watch: impl FnMut(Verdict) + 'static) {
        self.verdicts = Some(Box::new(watch));
    }

    /// Hands out an alert that is about no event: of Saker itself.
    pub fn alert(&mut self, alert: Alert) {
        self.alert_all(vec![alert]);
    }

    /// Takes a batch in: every event of it is applied to the state, and written as a row for
    /// each module that wants it.
    pub fn push(&mut self, batch: &Rc<Batch>) -> Result<(), PipelineError> {
        let keeps = self.keeps_for_captures();
        if let Some(triggered) = &mut self.triggered
            && !keeps
        {
            triggered.keep_none();
        }
        for index in 0..batch.len() {
            let mut lap = self.gauge.begin();
            // Kept where it is: a parsed record is large enough for moving it to show.
            let record;
            let event = match batch.form() {
                Form::Recorded => {
                    record = Record::parse(batch.record(index));
                    let clock = self.state.clock();
                    record
                        .as_ref()
                        .ok()
                        .map(|record| decode(record, &clock, self.number).into())
                }
                Form::Captured => {
                    Captured::parse(batch.record(index), self.number).map(Event::Captured)
                }
            };
            let Some(event) = event else {
                self.counters.malformed += 1;
                continue;
            };
            // What waits comes before it in the file.
            if self.parking.is_empty() {
                self.begin_file_if_due(event.time(), self.number.saturating_sub(1))?;
            }
            if let Some(triggered) = &mut self.triggered
                && keeps
            {
                triggered.keep(&self.state, event.number());
            }
            let Some(kind) = event.kind() else {
                self.state.absorb(&event);
                self.keep_for_captures(&event, Seen::NONE, batch, index);
                if let Some(recorder) = &mut self.recorder {
                    recorder.expect(batch.record(index).len());
                    self.keep_lasting(batch, index, event.number(), Seen::NONE);
                }
                self.number += u64::from(event.is_numbered());
                continue;
            };
            if event.time() >= self.next_tick {
                self.tick(event.time());
            }
            self.number += 1;
            match kind.class() == Class::Plugin {
                true => self.counters.of_plugins += 1,
                false => self.counters.events += 1,
            }
            self.gauge.count(kind);
            self.gauge.lap(&mut lap, Stage::Decode);
            let is_wanted = self.plans.iter().any(|plan| plan.row(kind).is_some());
            let is_lasting = self
                .recorder
                .as_ref()
                .is_some_and(|recorder| recorder.may_want(kind));
            if !is_wanted && !is_lasting && !self.is_keeping() {
                self.state.absorb(&event);
                self.gauge.lap(&mut lap, Stage::State);
                continue;
            }
            if let Some(recorder) = &mut self.recorder {
                recorder.expect(batch.record(index).len());
            }
            let seen = self.state.apply(&event);
            self.gauge.lap(&mut lap, Stage::State);
            self.time = event.time();
            self.keep_for_captures(&event, seen, batch, index);
            // Nothing is asked of anybody in a replay, so that nothing waits there.
            if (self.state.pending_containers() > 0 || !self.parking.is_empty())
                && self.park(batch, index, &event, seen, is_lasting)?
            {
                continue;
            }
            self.take_in(batch, index, &event, seen, is_lasting)?;
            self.gauge.lap(&mut lap, Stage::Extract);
        }
        self.take_all_that_is_there();
        if let Some(round) = &mut self.open {
            if round.rows == 0 {
                // Nothing refers to what was before.
                round.first = self.number;
            } else if self.number.saturating_sub(round.first) >= ROUND_EVENTS_MAX {
                self.close_round()?;
            }
        }
        self.release_versions();
        Ok(())
    }

    /// Writes an event's rows for the modules that want it, and keeps it for a recording.
    fn take_in(
        &mut self,
        batch: &Rc<Batch>,
        index: usize,
        event: &Event<'_>,
        seen: Seen,
        is_lasting: bool,
    ) -> Result<(), PipelineError> {
        if is_lasting {
            self.keep_lasting(batch, index, event.number(), seen);
        }
        let kind = event.kind();
        for module in 0..self.plans.len() {
            if kind.is_none_or(|kind| self.plans[module].row(kind).is_none()) {
                continue;
            }
            if self.write(batch, index, module, event, seen)?.is_err() {
                self.flush()?;
                if self.write(batch, index, module, event, seen)?.is_err() {
                    self.counters.rows_too_large += 1;
                }
            }
        }
        if self
            .open
            .as_ref()
            .is_some_and(|round| round.rows >= self.rows_max || round.bytes > ROUND_BYTES_MAX)
        {
            self.close_round()?;
        }
        Ok(())
    }

    /// Closes the open windows because there is enough in them.
    fn close_round(&mut self) -> Result<(), PipelineError> {
        match self.recorder.is_some() {
            // When a file is long enough must not hang on how fast the judge is.
            true => self.drain(),
            false => self.flush(),
        }
    }

    /// Frees what no event sees any more that is in flight, or waits.
    fn release_versions(&mut self) {
        let rounds = self.flying.iter().chain(&self.open);
        let first = rounds.map(|round| round.first).min();
        let waiting = self.parking.first();
        let oldest = first.into_iter().chain(waiting).min();
        self.state.release(oldest.unwrap_or(self.number));
    }

    /// Takes in what an engine says of a container.
    pub fn answer_container(&mut self, answer: ContainerAnswer) {
        let told = match &answer {
            ContainerAnswer::Known(facts) => Some(Box::<[u8]>::from(facts.key())),
            ContainerAnswer::Absent(..)
            | ContainerAnswer::Gone(..)
            | ContainerAnswer::Namespace(_) => None,
        };
        let before = self.state.generation();
        if self.is_keeping() {
            self.tell_triggered(Told::Container(answer.clone()));
        }
        self.state.answer_container(answer);
        if let Some(id) = told
            && before != self.state.generation()
            && let Some(facts) = self.state.container_facts(&id)
        {
            self.tell_recording(&facts);
        }
    }

    /// Writes an event's row for one module.
    fn write(
        &mut self,
        batch: &Rc<Batch>,
        record: usize,
        module: usize,
        event: &Event<'_>,
        seen: Seen,
    ) -> Result<Result<(), Full>, PipelineError> {
        self.open_slot(module, event.number())?;
        let Some(round) = self.open.as_mut() else {
            return Ok(Ok(()));
        };
        let part = &mut round.parts[module];
        let Place::Filling(slot) = &mut part.place else {
            return Ok(Ok(()));
        };
        let written = match self.plans[module].write(&mut self.state, event, seen, slot.rest()) {
            Ok(Some(written)) => written,
            Ok(None) => {
                self.counters.rows_truncated += self.plans[module].take_cut();
                return Ok(Ok(()));
            }
            Err(Full) => {
                let begun = slot.rest().len();
                slot.discard(begun);
                return Ok(Err(Full));
            }
        };
        round.last_time = round.last_time.max(event.time());
        let position = slot.position() + written.row as u32;
        slot.commit(written.bytes);
        let batch = place_of(batch, &mut round.batches, &mut round.bytes);
        part.rows.push(Row {
            position,
            batch,
            record: record as u32,
            number: event.number(),
            seen,
        });
        round.rows += 1;
        self.counters.rows += 1;
        self.counters.rows_truncated += u64::from(written.truncated);
        Ok(Ok(()))
    }

    /// The round that is open, or a new one.
    fn open_round(&mut self, number: u64) -> &mut Round {
        let modules = self.epoch.modules.len();
        let epoch = &self.epoch;
        let round = self.open.get_or_insert_with(|| Round {
            epoch: epoch.clone(),
            batches: Vec::new(),
            bytes: 0,
            lasting: Vec::new(),
            parts: (0..modules).map(|_| Part::default()).collect(),
            rows: 0,
            first: number,
            last_time: 0,
            ticks: Vec::new(),
            unanswered: 0,
        });
        // What waited is older than what came meanwhile.
        round.first = round.first.min(number);
        round
    }

    /// Sees to it that there is a round, and in it a slot for the module.
    fn open_slot(&mut self, module: usize, number: u64) -> Result<(), PipelineError> {
        let round = self.open_round(number);
        if !matches!(round.parts[module].place, Place::Nowhere) {
            return Ok(());
        }
        let slot = loop {
            if let Some(slot) = self.window.claim() {
                break slot;
            }
            // Every slot is with the judge, which is bound by its budgets.
            let answer = self
                .judge
                .blocking_receive()
                .ok_or(PipelineError::NoJudge)?;
            self.take(answer);
        };
        let rows = self.spare_rows.pop().unwrap_or_default();
        if let Some(round) = &mut self.open {
            round.parts[module].place = Place::Filling(slot);
            round.parts[module].rows = rows;
        }
        Ok(())
    }

    /// Closes the open windows and sends them to the judge.
    pub fn flush(&mut self) -> Result<(), PipelineError> {
        let Some(mut round) = self.open.take() else {
            return Ok(());
        };
        self.plans.iter_mut().for_each(Plan::begin_window);
        let mut messages = Vec::with_capacity(round.parts.len());
        for (index, part) in round.parts.iter_mut().enumerate() {
            let Place::Filling(slot) = std::mem::take(&mut part.place) else {
                continue;
            };
            let filled = slot.close();
            let range = filled.range();
            part.window = self.windows;
            self.windows += 1;
            self.counters.windows += 1;
            let message = ToJudge::Judge {
                window: part.window,
                epoch: round.epoch.id,
                ruleset: index as u32,
                slot: filled.slot(),
                first: range.start,
                end: range.end,
                rows: part.rows.len() as u32,
            };
            part.place = Place::Judged(filled);
            round.unanswered += 1;
            messages.push(message);
        }
        self.flying.push_back(round);
        for message in messages {
            self.send(message)?;
        }
        self.finish_rounds();
        Ok(())
    }

    /// Waits until every window sent is judged and its alerts are rendered.
    pub fn drain(&mut self) -> Result<(), PipelineError> {
        self.flush()?;
        while !self.flying.is_empty() {
            let answer = self
                .judge
                .blocking_receive()
                .ok_or(PipelineError::NoJudge)?;
            self.take(answer);
        }
        while self.guests.owes_alerts()
            && let Some(answer) = self.guests.blocking_answer()
        {
            self.take_answer(Answer::Component(answer));
        }
        Ok(())
    }

    /// Waits for the next answer of the judge or a component; for a caller that has nothing else
    /// to do. May be given up at any time.
    pub async fn answer(&mut self) -> Result<Answer, PipelineError> {
        tokio::select! {
            answer = self.judge.receive() => {
                answer.map(Answer::Judge).ok_or(PipelineError::NoJudge)
            }
            answer = self.guests.answer() => Ok(Answer::Component(answer)),
        }
    }

    /// Takes an answer that [`Pipeline::answer`] gave.
    pub fn take_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Judge(answer) => self.take(answer),
            Answer::Component(FromGuests::Answer(answer)) => {
                let alerts = self.guests.take(answer);
                self.alert_all(alerts);
            }
            Answer::Component(FromGuests::Started(started)) => {
                let (epoch, started) = self.guests.take_started(started);
                self.started(epoch, started);
            }
        }
        self.dismiss_guests();
    }

    /// Ends the components that no epoch has any more and that owe no answer, also while nothing
    /// happens.
    fn dismiss_guests(&mut self) {
        let flying = self.flying.iter().chain(&self.open);
        let flying = flying.map(|round| &*round.epoch);
        let running = flying.chain([&*self.epoch]).chain(self.next.as_deref());
        self.guests.retain(running);
    }

    fn alert_all(&mut self, alerts: Vec<Alert>) {
        for alert in alerts {
            self.counters.alerts += 1;
            self.count_match(&alert);
            (self.alerts)(alert);
        }
    }

    fn count_match(&mut self, alert: &Alert) {
        let Some(module) = &alert.module else {
            return;
        };
        let of_module = match self.matches.get_mut(&*module.name) {
            Some(of_module) => of_module,
            None => self.matches.entry(module.name.clone()).or_default(),
        };
        if let Some(matches) = of_module.get_mut(&*alert.rule) {
            *matches += 1;
        } else if of_module.len() < MATCHES_MAX {
            of_module.insert(alert.rule.as_str().into(), 1);
        } else {
            // Modules come and go, and their rules with them.
            self.counters.matches_uncounted += 1;
        }
    }

    /// How often a rule of a module alerted so far.
    pub fn matches(&self, module: &str, rule: &str) -> u64 {
        let of_module = self.matches.get(module);
        let of_rule = of_module.and_then(|of_module| of_module.get(rule));
        of_rule.copied().unwrap_or(0)
    }

    /// Notes that events have reached another second; components are told in its turn.
    fn tick(&mut self, time: u64) {
        let second = time - time % TICK_NS;
        let is_first = self.next_tick == 0;
        self.next_tick = second.saturating_add(TICK_NS);
        if is_first {
            return;
        }
        match self.open.as_mut().or(self.flying.back_mut()) {
            Some(round) => round.ticks.push((self.number, second)),
            // All before it is judged.
            None => {
                let alerts = self.guests.tick(second);
                self.alert_all(alerts);
            }
        }
    }

    fn take(&mut self, answer: FromJudge) {
        match answer {
            FromJudge::Judged {
                window,
                epoch,
                ruleset,
                rows,
                hits,
                lost_hits,
                invalid_hits,
                cpu_ns,
                ..
            } => {
                let hits_lost = lost_hits.saturating_add(invalid_hits);
                match self.is_candidate(epoch, ruleset) {
                    true => self.note_contest(epoch, |contest| {
                        contest.hits_lost = contest.hits_lost.saturating_add(hits_lost);
                    }),
                    false => {
                        let lost = &mut self.counters.hits_lost;
                        *lost = lost.saturating_add(hits_lost);
                    }
                }
                self.worked(epoch, ruleset, rows, cpu_ns);
                if let Some(watch) = &mut self.verdicts {
                    watch(Verdict {
                        window,
                        epoch,
                        module: ruleset,
                        rows,
                    });
                }
                if let Some(part) = self.answered(window, ruleset) {
                    part.hits = hits;
                }
            }
            FromJudge::Failed {
                window,
                epoch,
                ruleset,
                kind,
                message,
                rows,
                cpu_ns,
                ..
            } => {
                self.worked(epoch, ruleset, 0, cpu_ns);
                if self.is_candidate(epoch, ruleset) {
                    self.note_contest(epoch, |contest| contest.unjudged += u64::from(rows));
                    self.answered(window, ruleset);
                    self.finish_rounds();
                    return;
                }
                match kind {
                    FailureKind::Died => self.counters.rows_of_dead_judges += u64::from(rows),
                    _ => self.counters.rows_unjudged += u64::from(rows),
                }
                if kind.is_strike() {
                    self.counters.module_failures += 1;
                    if let Some(module) = self.module(epoch, ruleset) {
                        self.work
                            .entry(module.name.clone())
                            .or_default()
                            .failed(kind);
                        self.note(Incident {
                            module,
                            reason: format!("{kind}: {message}"),
                            is_last: false,
                        });
                    }
                }
                // Of a quarantined module it has been said once.
                if kind != FailureKind::Quarantined {
                    let name = self.module_name(epoch, ruleset);
                    tracing::warn!(
                        "module `{name}` failed ({kind}), {rows} events unjudged: {message}"
                    );
                }
                self.answered(window, ruleset);
            }
            FromJudge::Quarantined { epoch, ruleset } if self.is_candidate(epoch, ruleset) => {
                self.note_contest(epoch, |contest| {
                    contest.failed = Some("it failed too often".into())
                });
            }
            FromJudge::Quarantined { epoch, ruleset } => {
                let name = self.module_name(epoch, ruleset);
                tracing::error!(
                    "module `{name}` failed too often and is set aside: its rules no longer alert"
                );
                if let Some(module) = self.module(epoch, ruleset) {
                    self.note(Incident {
                        module,
                        reason: "it failed too often".into(),
                        is_last: true,
                    });
                }
            }
            FromJudge::Installed { epoch } => self.installed(epoch),
            FromJudge::Refused {
                epoch,
                ruleset,
                error,
            } => {
                if let Some(next) = self.next.clone().filter(|next| next.id == epoch) {
                    self.refuse(&next, ruleset as usize, error);
                }
            }
        }
        self.finish_rounds();
    }

    fn worked(&mut self, epoch: u32, ruleset: u32, rows: u32, cpu_ns: u64) {
        self.gauge.judged(cpu_ns);
        self.note_contest_work(epoch, ruleset, cpu_ns);
        if self.is_candidate(epoch, ruleset) {
            return;
        }
        let Some(module) = self.module(epoch, ruleset) else {
            return;
        };
        let work = self.work.entry(module.name).or_default();
        work.events += u64::from(rows);
        work.cpu_ns = work.cpu_ns.saturating_add(cpu_ns);
    }

    /// What a module of that name did so far.
    pub fn work(&self, module: &str) -> Work {
        let judged = self.work.get(module).copied().unwrap_or_default();
        let Some(own) = self.guests.work(module) else {
            return judged;
        };
        // Of a component it was judged which events it wants.
        Work {
            cpu_ns: judged.cpu_ns.saturating_add(own.cpu_ns),
            traps: judged.traps + own.traps,
            overruns: judged.overruns + own.overruns,
            pid: self.guests.pid(module),
            ..own
        }
    }

    /// Which module that is, of an epoch that has windows in flight or runs.
    fn module(&self, epoch: u32, ruleset: u32) -> Option<Identity> {
        let rounds = self.flying.iter().map(|round| &round.epoch);
        let mut known = rounds.chain([&self.epoch]);
        let known = known.find(|known| known.id == epoch)?;
        let module = known.modules.get(ruleset as usize)?;
        Some(module.identity().clone())
    }

    fn module_name(&self, epoch: u32, ruleset: u32) -> String {
        let rounds = self.flying.iter().map(|round| &round.epoch);
        rounds
            .chain([&self.epoch])
            .find(|known| known.id == epoch)
            .and_then(|known| known.modules.get(ruleset as usize))
            .map_or_else(
                || format!("{epoch}/{ruleset}"),
                |module| module.name.clone(),
            )
    }

    /// The part that a window was, which is now answered for.
    fn answered(&mut self, window: u64, ruleset: u32) -> Option<&mut Part> {
        let round = self.flying.iter_mut().find(|round| {
            let part = round.parts.get(ruleset as usize);
            part.is_some_and(|part| part.window == window && matches!(part.place, Place::Judged(_)))
        })?;
        round.unanswered -= 1;
        let part = &mut round.parts[ruleset as usize];
        // Gives the slot back.
        part.place = Place::Nowhere;
        Some(part)
    }

    fn take_all_that_is_there(&mut self) {
        while let Ok(answer) = self.judge.try_receive() {
            self.take(answer);
        }
        while let Some(answer) = self.guests.try_answer() {
            self.take_answer(Answer::Component(answer));
        }
    }

    /// Renders the alerts of the rounds that are judged, oldest first, and frees what only they
    /// needed.
    fn finish_rounds(&mut self) {
        while self
            .flying
            .front()
            .is_some_and(|round| round.unanswered == 0)
        {
            let Some(round) = self.flying.pop_front() else {
                return;
            };
            let mut lap = self.gauge.begin_round();
            match self.recorder.is_some() {
                true => self.write_recording(&round),
                false => self.render(&round),
            }
            self.gauge.lap(&mut lap, Stage::Alert);
            if !self.guests.is_empty() {
                self.guests.flush();
                self.dismiss_guests();
            }
            if let Some(triggered) = &mut self.triggered {
                // Of what waits alerts may still come.
                let waiting = self.parking.since().unwrap_or(u64::MAX);
                triggered.judged(round.last_time.min(waiting));
            }
            for part in round.parts {
                let mut rows = part.rows;
                rows.clear();
                // A part that never had a slot took none from here.
                if rows.capacity() > 0 {
                    self.spare_rows.push(rows);
                }
            }
            self.release_versions();
        }
    }

    /// The hits of a round: event, module and rule.
    fn hits(&mut self, round: &Round) -> Vec<(u64, usize, u32, Row)> {
        let mut hits: Vec<(u64, usize, u32, Row)> = Vec::new();
        for (module, part) in round.parts.iter().enumerate() {
            for hit in &part.hits {
                let found = part.rows.binary_search_by_key(&hit.row, |row| row.position);
                match found {
                    Ok(index) => {
                        let row = part.rows[index];
                        hits.push((row.number, module, hit.rule, row));
                    }
                    // A hit on a process row: no event to speak of.
                    Err(_) => self.counters.hits_lost += 1,
                }
            }
        }
        hits.sort_by_key(|(number, module, rule, _)| (*number, *module, *rule));
        hits
    }

    fn render(&mut self, round: &Round) {
        let mut ticks = round.ticks.iter().peekable();
        let hits = self.hits(round);
        for (number, module, rule, row) in self.hold_contest(round, hits) {
            while let Some((_, time)) = ticks.next_if(|(at, _)| *at <= number) {
                let alerts = self.guests.tick(*time);
                self.alert_all(alerts);
            }
            let index = rule as usize;
            let Some(rule) = round.epoch.modules[module].manifest().rules.get(index) else {
                self.counters.hits_lost += 1;
                continue;
            };
            if let Some(component) = round.epoch.modules[module].as_component() {
                let alerts = round.event(&row, self.state.clock(), |event| {
                    let view = View::new(event, &self.state, row.seen);
                    self.guests.offer(component, &view)
                });
                self.alert_all(alerts.unwrap_or_default());
                continue;
            }
            let wants_capture = self.capture.all_rules || rule.capture;
            let capture_duration_ms = rule.capture_duration_ms;
            let Some(mut alert) = self.alert_of(round, module, index, &row) else {
                continue;
            };
            let version = self.state.version(row.seen.version);
            if let Some(why) = version.and_then(|v| self.state.container_absence(v, number)) {
                self.counters.alerts_without_metadata += 1;
                self.counters.alerts_absent[why as usize] += 1;
                alert.lacks_metadata(why.name());
            }
            self.counters.alerts += 1;
            if let Some(triggered) = &mut self.triggered
                && wants_capture
            {
                let duration = match capture_duration_ms {
                    0 => self.capture.duration,
                    ms => Duration::from_millis(ms.into()),
                };
                triggered.trigger(alert.time, number, duration);
            }
            self.count_match(&alert);
            (self.alerts)(alert);
        }
        for (_, time) in ticks {
            let alerts = self.guests.tick(*time);
            self.alert_all(alerts);
        }
    }

    /// What a rule has to say of an event in flight.
    fn alert_of(&mut self, round: &Round, module: usize, index: usize, row: &Row) -> Option<Alert> {
        let of = &round.epoch.modules[module];
        let rule = of.manifest().rules.get(index)?;
        let more = round.epoch.fields_of(module, index);
        let written = of.written().filter(|_| self.keeps_scenes);
        let mut alert = round.event(row, self.state.clock(), |event| {
            let view = View::new(event, &self.state, row.seen);
            let mut alert = Alert::render(rule, more, &view, &mut self.scratch);
            if self.keeps_scenes {
                alert.scene = Some(Box::new(Scene::of(&view, &mut self.scratch)));
            }
            if let Some(written) = written
                && let Some(condition) = written.condition(index)
                && self.whys.may(alert.time)
            {
                let outlines = written.outlines();
                let why = Why::of(condition, outlines, index, &view, &mut self.scratch);
                alert.why = why.map(Box::new);
            }
            alert
        })?;
        alert.module = Some(of.identity().clone());
        let text = written.and_then(|written| written.rule(&rule.name));
        alert.text = text.cloned();
        Some(alert)
    }

    /// Sends to the judge; where its queue is full, takes answers until it is not.
    fn send(&mut self, mut message: ToJudge) -> Result<(), PipelineError> {
        loop {
            match self.judge.send(message) {
                Ok(()) => return Ok(()),
                Err(SendError::Gone(_)) => return Err(PipelineError::NoJudge),
                Err(SendError::Full(back)) => message = back,
            }
            let answer = self
                .judge
                .blocking_receive()
                .ok_or(PipelineError::NoJudge)?;
            self.take(answer);
        }
    }
}
