//! Components at work: which events they are offered, as rows of their own, and what becomes of
//! their alerts.
//!
//! Of an event as it happens a copy is put into the component's batch, which goes to its thread
//! when the windows around it are judged; its alerts come when it answers. In a replay it is
//! asked row by row, in the order of events, so that the size of windows and the number of
//! threads show in nothing. When to offer what is the pipeline's to say.

use crate::alert::{self, Alert};
use crate::extract::row::{Full, PlanError, RowPlan};
use crate::extract::{Value, View};
use crate::literal::Literals;
use crate::modules::{Component, Epoch, INCIDENTS_MAX, Incident, Work};
use crate::sandbox::FailureKind;
use crate::sandbox::component::{
    self, Failure, FromComponent, Keep, Metric, Metrics, Post, Put, Resident, Start, ToComponent,
    Worker,
};
use saker_rules_schema::offered::{self, Kind, Row, Rows};
use saker_rules_schema::row::{ROW_BYTES_MAX, double_of};
use saker_rules_schema::term::Term;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A batch is handed over when it is so long, also between windows.
const BATCH_BYTES: usize = 256 * 1024;
/// No alert shows more values beside its output's.
const FIELDS_MAX: usize = 64;
/// No name of such a value is longer.
const NAME_BYTES_MAX: usize = 256;
/// What is longer of such a text is cut.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Buffers of batches that are kept for the next.
const SPARE_MAX: usize = 16;

/// What happened so far. Everything lost is here, under its cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Rows that were offered.
    pub rows: u64,
    /// Rows that were lost because their component was too slow.
    pub rows_untaken: u64,
    /// Rows of batches for which there is no answer.
    pub rows_unjudged: u64,
    /// Rows of batches for which there is none because the component's process died.
    pub rows_of_dead: u64,
    /// Rows in which a string is cut.
    pub rows_truncated: u64,
    /// Alerts about rows or rules that there are not, or that show too much.
    pub alerts_invalid: u64,
    /// Times that a component failed.
    pub failures: u64,
    /// Requests of which no component heard what came of them: it was replaced or ended before.
    pub responses_untold: u64,
}

/// Why a component cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It does not start.
    #[error("{0}")]
    Start(String),
    /// Its rows cannot be.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// The components of the epochs that are not over yet.
pub struct Guests {
    guests: Vec<Guest>,
    /// By the module's name.
    keeps: HashMap<String, Keep>,
    /// The same.
    metrics: HashMap<String, Metrics>,
    /// What each did so far.
    work: HashMap<Arc<str>, Work>,
    answers: UnboundedReceiver<FromComponent>,
    answer_to: UnboundedSender<FromComponent>,
    /// Those that are being started, on a thread of its own.
    starting: Option<Starting>,
    started: UnboundedReceiver<Started>,
    started_to: UnboundedSender<Started>,
    numbers: u64,
    row: Vec<u8>,
    spare: Vec<Arc<Vec<u8>>>,
    /// What happened so far.
    pub counters: Counters,
    /// Failures that nobody took yet.
    pub incidents: Vec<Incident>,
}

/// What comes from the components' threads.
#[derive(Debug)]
pub enum FromGuests {
    /// An answer.
    Answer(FromComponent),
    /// The components of an epoch are at work, or one cannot be.
    Started(Started),
}

/// What came of starting components.
#[derive(Debug)]
pub struct Started {
    epoch: u32,
    /// In the order in which they were asked for; or which module of the epoch is not to be had.
    workers: Result<Vec<Worker>, (usize, Refused)>,
}

/// Components that are being started.
struct Starting {
    epoch: u32,
    guests: Vec<Guest>,
}

/// A component at work.
struct Guest {
    number: u64,
    component: Arc<Component>,
    /// Which of its rules may alert.
    rules_on: Vec<bool>,
    plan: RowPlan,
    at: Place,
    /// Where its requests are.
    post: Option<Post>,
    batch: Vec<u8>,
    rows: u32,
    /// Time of the batch's last row.
    now: u64,
    /// Messages that are not answered yet.
    waiting: usize,
    /// Its queue was full when it was last tried.
    is_late: bool,
    /// It failed too often, and is not called any more.
    is_aside: bool,
}

/// Where a component runs.
enum Place {
    /// Not yet.
    Nowhere,
    /// On this thread, in a replay.
    Here(Box<Resident>),
    /// On its own, or in a process of its own that this one asks.
    There(Worker),
}

impl Default for Guests {
    fn default() -> Guests {
        let (answer_to, answers) = unbounded_channel();
        let (started_to, started) = unbounded_channel();
        Guests {
            guests: Vec::new(),
            keeps: HashMap::new(),
            metrics: HashMap::new(),
            work: HashMap::new(),
            answers,
            answer_to,
            starting: None,
            started,
            started_to,
            numbers: 0,
            row: Vec::new(),
            spare: Vec::new(),
            counters: Counters::default(),
            incidents: Vec::new(),
        }
    }
}

impl Guests {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.guests.is_empty()
    }

    /// What modules show: their names, and each one's metrics.
    pub fn metrics(&self) -> Vec<(&str, Vec<(String, Metric)>)> {
        let of_modules = self.metrics.iter();
        let mut all: Vec<_> = of_modules
            .map(|(name, metrics)| (name.as_str(), metrics.all()))
            .collect();
        all.sort_by_key(|(name, _)| *name);
        all
    }

    /// Whether something is to come from one of them.
    pub fn is_waiting(&self) -> bool {
        self.is_starting() || self.owes_alerts()
    }

    /// Whether one was handed events that it has not answered for.
    pub fn owes_alerts(&self) -> bool {
        self.guests.iter().any(|guest| guest.waiting > 0)
    }

    /// Whether some are being started.
    pub fn is_starting(&self) -> bool {
        self.starting.is_some()
    }

    /// Starts the components of an epoch that are not at work already; `true` if they all are.
    /// Otherwise that is told by [`FromGuests::Started`]: making an instance runs the component,
    /// and events do not wait for that. An error names the module of the epoch.
    pub fn prepare(&mut self, epoch: &Epoch) -> Result<bool, (usize, Refused)> {
        let mut guests = Vec::new();
        let mut starts: Vec<(usize, u64, Arc<Component>, Start)> = Vec::new();
        for (index, module) in epoch.modules.iter().enumerate() {
            let Some(component) = module.as_component() else {
                continue;
            };
            // One that was set aside gets another chance.
            let known = self.find(component);
            if known.is_some_and(|known| !self.guests[known].is_aside) {
                continue;
            }
            self.numbers += 1;
            let keep = self.keeps.entry(component.name.to_string()).or_default();
            let metrics = self.metrics.entry(component.name.to_string()).or_default();
            let start = component.start(keep.clone(), metrics.clone());
            let mut guest = Guest::new(self.numbers, component).map_err(|why| (index, why))?;
            guest.post = start.means.post.clone();
            if component.code.workshop().is_replay() {
                let never = Arc::new(AtomicBool::new(false));
                let resident = Resident::start(component.code.clone(), start, never);
                let resident = resident.map_err(|why| (index, Refused::of(&why)))?;
                guest.at = Place::Here(Box::new(resident));
                self.put_to_work(guest);
                continue;
            }
            starts.push((index, guest.number, component.clone(), start));
            guests.push(guest);
        }
        if starts.is_empty() {
            return Ok(true);
        }
        let first = starts[0].0;
        let epoch = epoch.id;
        self.starting = Some(Starting { epoch, guests });
        let (tell, answer_to) = (self.started_to.clone(), self.answer_to.clone());
        let spawned = std::thread::Builder::new()
            .name("saker-start".into())
            .spawn(move || {
                let workers = starts.into_iter().map(|(index, number, component, start)| {
                    let code = component.code.clone();
                    let worker = Worker::spawn(number, code, start, answer_to.clone());
                    let worker = worker.map_err(|error| (index, Refused::Start(error.to_string())));
                    worker?.map_err(|failure| (index, Refused::of(&failure)))
                });
                let workers = workers.collect();
                let _ = tell.send(Started { epoch, workers });
            });
        match spawned {
            Ok(_) => Ok(false),
            Err(error) => {
                self.starting = None;
                Err((first, Refused::Start(error.to_string())))
            }
        }
    }

    /// Takes note of what came of starting components, and of which epoch.
    pub fn take_started(&mut self, started: Started) -> (u32, Result<(), (usize, Refused)>) {
        let Started { epoch, workers } = started;
        let Some(starting) = self.starting.take_if(|starting| starting.epoch == epoch) else {
            // Another epoch was proposed meanwhile; these are ended.
            return (epoch, Ok(()));
        };
        let workers = match workers {
            Ok(workers) => workers,
            Err(why) => return (epoch, Err(why)),
        };
        for (mut guest, worker) in starting.guests.into_iter().zip(workers) {
            guest.at = Place::There(worker);
            self.put_to_work(guest);
        }
        (epoch, Ok(()))
    }

    fn put_to_work(&mut self, guest: Guest) {
        match self.find(&guest.component) {
            Some(known) => {
                let former = std::mem::replace(&mut self.guests[known], guest);
                self.leave(former);
            }
            None => self.guests.push(guest),
        }
    }

    /// From here on, rules are on as that epoch says. A component that is none of its own may still
    /// owe alerts about events before, but of its requests it hears no more.
    pub fn switch(&mut self, epoch: &Epoch) {
        for guest in &self.guests {
            let mut components = epoch
                .modules
                .iter()
                .filter_map(|module| module.as_component());
            if let Some(post) = &guest.post
                && !components.any(|component| component.key == guest.component.key)
            {
                self.counters.responses_untold += post.forget();
            }
        }
        for module in &epoch.modules {
            let Some(component) = module.as_component() else {
                continue;
            };
            if let Some(index) = self.find(component) {
                self.guests[index].rules_on = component.rules_on(epoch.selection());
            }
        }
    }

    /// Ends the components that none of the epochs has.
    pub fn retain<'e>(&mut self, epochs: impl Iterator<Item = &'e Epoch> + Clone) {
        let is_wanted = |guest: &mut Guest| {
            let mut modules = epochs.clone().flat_map(|epoch| &epoch.modules);
            guest.waiting > 0
                || guest.rows > 0
                || modules.any(|module| {
                    let component = module.as_component();
                    component.is_some_and(|other| other.key == guest.component.key)
                })
        };
        let unwanted: Vec<Guest> = self
            .guests
            .extract_if(.., |guest| !is_wanted(guest))
            .collect();
        for guest in unwanted {
            self.leave(guest);
        }
    }

    /// Ends a component without waiting for it: the call it is in goes on to the next tick. What
    /// comes of its requests from here on is told to nobody, least of all to who comes after it:
    /// that one would not know what they were for.
    fn leave(&mut self, guest: Guest) {
        if let Some(post) = &guest.post {
            self.counters.responses_untold += post.close();
        }
        let ending = std::thread::Builder::new().name("saker-end".into());
        // Where there is no thread for it, it is waited for after all.
        let _ = ending.spawn(move || drop(guest));
    }

    fn find(&self, component: &Component) -> Option<usize> {
        let mut guests = self.guests.iter();
        guests.position(|guest| guest.component.key == component.key)
    }

    /// Offers an event to a component whose subscription it meets.
    pub fn offer(&mut self, component: &Component, view: &View<'_>) -> Vec<Alert> {
        let Some(index) = self.find(component) else {
            return Vec::new();
        };
        self.row.resize(ROW_BYTES_MAX, 0);
        let guest = &mut self.guests[index];
        let row = match guest.plan.write(view, &mut self.row) {
            Ok(bytes) => &self.row[..bytes],
            // With a whole row's room, a row always fits.
            Err(Full) => return Vec::new(),
        };
        self.counters.rows += 1;
        guest.now = view.event.time();
        guest.rows += 1;
        if let Some((row, _)) = Row::first(row, 0) {
            self.counters.rows_truncated += u64::from(row.is_cut());
        }
        guest.batch.extend_from_slice(row);
        if matches!(guest.at, Place::Here(_)) || guest.batch.len() >= BATCH_BYTES {
            return self.hand_over(index);
        }
        Vec::new()
    }

    /// Hands over what was offered so far.
    pub fn flush(&mut self) {
        for index in 0..self.guests.len() {
            // One that runs here was handed each row at once.
            let _ = self.hand_over(index);
        }
    }

    /// Tells all of them the time of events, which has reached another second.
    pub fn tick(&mut self, time: u64) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for index in 0..self.guests.len() {
            alerts.extend(self.hand_over(index));
            alerts.extend(self.put(index, ToComponent::Tick { time }, 0));
        }
        alerts
    }

    fn hand_over(&mut self, index: usize) -> Vec<Alert> {
        let guest = &mut self.guests[index];
        if guest.rows == 0 {
            return Vec::new();
        }
        let count = std::mem::take(&mut guest.rows);
        let mut rows = self.spare.pop().unwrap_or_default();
        if let Some(rows) = Arc::get_mut(&mut rows) {
            rows.clear();
            std::mem::swap(rows, &mut guest.batch);
        }
        let now = guest.now;
        self.put(index, ToComponent::Batch { rows, now }, count)
    }

    fn put(&mut self, index: usize, message: ToComponent, count: u32) -> Vec<Alert> {
        let guest = &mut self.guests[index];
        match &mut guest.at {
            Place::Here(resident) => {
                let answer = match &message {
                    ToComponent::Batch { rows, now } => resident.batch(rows, *now),
                    ToComponent::Tick { time } => resident.tick(*time),
                    ToComponent::Response { request, outcome } => {
                        resident.response(*request, outcome)
                    }
                };
                self.answered(index, message, answer)
            }
            // Those are not among the guests.
            Place::Nowhere => Vec::new(),
            Place::There(worker) => {
                match worker.put(message) {
                    Put::Queued => {
                        guest.waiting += 1;
                        guest.is_late = false;
                    }
                    Put::Full => {
                        self.counters.rows_untaken += u64::from(count);
                        if !guest.is_late {
                            let name = &guest.component.name;
                            tracing::warn!("module `{name}` is too slow and loses events");
                        }
                        guest.is_late = true;
                    }
                }
                Vec::new()
            }
        }
    }

    /// What comes next; waits for ever where nothing is to come. May be given up at any time.
    pub async fn answer(&mut self) -> FromGuests {
        // We hold a sender of both ourselves, so neither ends.
        tokio::select! {
            Some(answer) = self.answers.recv() => FromGuests::Answer(answer),
            Some(started) = self.started.recv() => FromGuests::Started(started),
        }
    }

    /// The same for code outside of an async runtime, where something is to come. While
    /// components are started, that is what it waits for.
    pub fn blocking_answer(&mut self) -> Option<FromGuests> {
        match self.is_starting() {
            true => self.started.blocking_recv().map(FromGuests::Started),
            false => self.answers.blocking_recv().map(FromGuests::Answer),
        }
    }

    /// What came already, if anything has.
    pub fn try_answer(&mut self) -> Option<FromGuests> {
        let answer = self.answers.try_recv().map(FromGuests::Answer);
        let mut started = || self.started.try_recv().map(FromGuests::Started);
        answer.or_else(|_| started()).ok()
    }

    /// What the component of that name did so far, if there is or was one.
    pub fn work(&self, name: &str) -> Option<Work> {
        let mut guests = self.guests.iter();
        let is_one = guests.any(|guest| *guest.component.name == *name);
        let known = self.work.get(name).copied();
        known.or(is_one.then(Work::default))
    }

    /// The process that the component of that name has.
    pub fn pid(&self, name: &str) -> Option<u32> {
        let mut guests = self.guests.iter().rev();
        let guest = guests.find(|guest| *guest.component.name == *name)?;
        match &guest.at {
            Place::Nowhere | Place::Here(_) => None,
            Place::There(worker) => worker.pid(),
        }
    }

    fn worked(&mut self, index: usize, answer: &FromComponent) {
        let guest = &self.guests[index];
        let columns = guest.component.slots.len() as u16;
        let name = guest.component.identity.name.clone();
        let work = self.work.entry(name).or_default();
        if let ToComponent::Batch { rows, .. } = &answer.of {
            work.events += Rows::new(rows, columns).count() as u64;
        }
        work.cpu_ns += answer.cpu.as_nanos() as u64;
        work.memory_bytes = Some(answer.memory_bytes as u64);
    }

    /// Takes an answer: the alerts in it.
    pub fn take(&mut self, answer: FromComponent) -> Vec<Alert> {
        let of = |guest: &Guest| guest.number == answer.worker;
        let Some(index) = self.guests.iter().position(of) else {
            // It was set aside or ended.
            match &answer.of {
                ToComponent::Batch { rows, .. } => {
                    self.counters.rows_unjudged += Rows::new(rows, 0).count() as u64;
                }
                ToComponent::Tick { .. } => {}
                ToComponent::Response { .. } => self.counters.responses_untold += 1,
            }
            return Vec::new();
        };
        self.worked(index, &answer);
        match answer.of {
            ToComponent::Batch { .. } | ToComponent::Tick { .. } => {
                self.guests[index].waiting -= 1;
            }
            // Nobody waits for it.
            ToComponent::Response { .. } => {}
        }
        self.answered(index, answer.of, answer.answer)
    }

    fn answered(
        &mut self,
        index: usize,
        of: ToComponent,
        answer: Result<Vec<component::Alert>, Failure>,
    ) -> Vec<Alert> {
        let guest = &self.guests[index];
        let columns = guest.component.slots.len() as u16;
        let none = Arc::default();
        let (bytes, time) = match &of {
            ToComponent::Batch { rows, now } => (rows, *now),
            ToComponent::Tick { time } => (&none, *time),
            ToComponent::Response { .. } => (&none, wall_clock()),
        };
        let alerts = match answer {
            // Mostly it has nothing to say.
            Ok(told) if told.is_empty() => Vec::new(),
            Ok(told) => {
                let rows: Vec<Row<'_>> = Rows::new(bytes, columns).collect();
                let all = told.len();
                let (alerts, valid) = guest.alerts(&rows, time, told);
                self.counters.alerts_invalid += (all - valid) as u64;
                alerts
            }
            Err(failure) => {
                let rows = Rows::new(bytes, columns).count();
                match failure.kind {
                    FailureKind::Died => self.counters.rows_of_dead += rows as u64,
                    _ => self.counters.rows_unjudged += rows as u64,
                }
                self.counters.failures += u64::from(failure.kind.is_strike());
                let name = guest.component.identity.name.clone();
                self.work.entry(name).or_default().failed(failure.kind);
                guest.complain(&failure, rows);
                if failure.kind.is_strike() && self.incidents.len() < INCIDENTS_MAX {
                    self.incidents.push(Incident {
                        module: guest.component.identity.clone(),
                        reason: failure.to_string(),
                        is_last: failure.is_last,
                    });
                }
                self.guests[index].is_aside |= failure.is_last;
                Vec::new()
            }
        };
        if let ToComponent::Batch { rows, .. } = of
            && self.spare.len() < SPARE_MAX
            && Arc::strong_count(&rows) == 1
        {
            self.spare.push(rows);
        }
        alerts
    }
}

impl Refused {
    fn of(failure: &Failure) -> Refused {
        Refused::Start(failure.to_string())
    }
}

impl Guest {
    fn new(number: u64, component: &Arc<Component>) -> Result<Guest, Refused> {
        // Literals are the rules' business: a component gets texts.
        let literals = Arc::new(Literals::new());
        Ok(Guest {
            number,
            component: component.clone(),
            rules_on: vec![false; component.rules.len()],
            plan: RowPlan::new(offered::CODE, &component.slots, &literals)?,
            at: Place::Nowhere,
            post: None,
            batch: Vec::new(),
            rows: 0,
            now: 0,
            waiting: 0,
            is_late: false,
            is_aside: false,
        })
    }

    /// What it told, as alerts, in the order of rows and rules; and how much of it is valid.
    fn alerts(
        &self,
        rows: &[Row<'_>],
        time: u64,
        mut told: Vec<component::Alert>,
    ) -> (Vec<Alert>, usize) {
        told.retain(|alert| {
            let is_row = alert.row.is_none_or(|row| (row as usize) < rows.len());
            let is_shown = alert.fields.len() <= FIELDS_MAX
                && alert
                    .fields
                    .iter()
                    .all(|(name, _)| name.len() <= NAME_BYTES_MAX);
            is_row && is_shown && (alert.rule as usize) < self.rules_on.len()
        });
        let valid = told.len();
        told.retain(|alert| self.rules_on[alert.rule as usize]);
        told.sort_by_key(|alert| (alert.row.unwrap_or(u32::MAX), alert.rule));
        let slots = &self.component.slots;
        let alerts = told.into_iter().map(|alert| {
            let row = alert.row.map(|row| &rows[row as usize]);
            let rule = &self.component.rules[alert.rule as usize];
            let more = alert
                .fields
                .into_iter()
                .map(|(name, value)| (name, shown(value)));
            let time = row.map_or(time, Row::time);
            let told = Alert::told(rule, alert.message, more.collect(), time, |term| {
                let column = slots.iter().position(|slot| slot.term == *term)?;
                value(row?, column as u16, term)
            });
            Alert {
                module: Some(self.component.identity.clone()),
                ..told
            }
        });
        (alerts.collect(), valid)
    }

    fn complain(&self, failure: &Failure, rows: usize) {
        // Of one that was set aside it has been said once.
        if failure.kind == FailureKind::Quarantined {
            return;
        }
        let name = &self.component.name;
        tracing::warn!("module `{name}` failed ({failure}), {rows} events unjudged");
        if failure.is_last {
            tracing::error!(
                "module `{name}` failed too often and is set aside: its rules no longer alert"
            );
        }
    }
}

/// An alert about an answer from elsewhere has no event's time.
fn wall_clock() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

fn shown(value: component::Value) -> serde_json::Value {
    match value {
        component::Value::Text(mut text) => {
            if text.len() > TEXT_BYTES_MAX {
                text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
                text.push('…');
            }
            text.into()
        }
        component::Value::Signed(number) => number.into(),
        component::Value::Unsigned(number) => number.into(),
        component::Value::Real(number) => alert::to_json(Some(&Value::Double(number))),
        component::Value::Boolean(flag) => flag.into(),
    }
}

/// A column's value, as an alert shows it.
fn value<'r>(row: &Row<'r>, column: u16, term: &Term) -> Option<Value<'r>> {
    let slot = row.slot(column)?;
    let kind = Kind::of(term.kind());
    match term.is_list() {
        true => {
            let items = row.list(slot).filter_map(|slot| single(row, slot, kind));
            Some(Value::List(items.collect()))
        }
        false => single(row, slot, kind),
    }
}

fn single<'r>(row: &Row<'r>, slot: u64, kind: Kind) -> Option<Value<'r>> {
    Some(match kind {
        Kind::Text => Value::Text(row.text(slot)?),
        Kind::Address => Value::Ip(row.text(slot)?),
        Kind::Bytes => Value::Bytes(row.text(slot)?),
        Kind::Boolean => Value::Bool(slot != 0),
        Kind::Signed => Value::Int(slot.cast_signed()),
        Kind::Unsigned | Kind::Time | Kind::Duration => Value::Uint(slot),
        Kind::Real => Value::Double(double_of(slot)),
    })
}
