//! `saker replay`: captures as a source, the pipeline, and alerts on standard output. Time is the
//! capture's, budgets are counted in fuel and nothing is dropped, so that the same captures and
//! the same rules give the same alerts whatever the machine.

pub(super) mod printed;
mod progress;
mod stop;

use super::{Failure, configured, count, list_of, rule_files, rules, shown, usage};
use crate::alert::Alert;
use crate::config::{Config, Engine, Use};
use crate::event::Clock;
use crate::modules::{Epoch, Module, Selection};
use crate::outputs::recording::{RecordError, Written};
use crate::outputs::stdout::Stdout;
use crate::outputs::{Output, Outputs};
use crate::pipeline::{Counters, Pipeline, Setup};
use crate::sandbox::{Budget, Compiler, Judge, Limits};
use crate::source::capture::{Capture, Skipped};
use crate::source::merge::Batch;
use crate::state::State;
use anyhow::Context;
use progress::{Bars, Progress};
use saker_capture::{CaptureError, Entry, Reader};
use saker_shm::window::Window;
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::BufReader;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use stop::Stop;

#[derive(clap::Args)]
#[command(after_long_help = super::settings_help(&[Use::Any, Use::Alerts, Use::Replay]))]
pub(crate) struct Args {
    /// Captures (scap files, plain or compressed by gzip), in this order; `-` is standard input. Of
    /// several each is a recording of its own: nothing that is known of one counts in the next,
    /// evt.num runs on through all, evt.reltime begins anew, and an alert names its capture among
    /// its fields (saker.capture)
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Rule file, directory of them, or compiled module (.wasm); the bundled rules if none is given
    #[arg(short, long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Write alerts as JSON lines (the same as -o json_output=true). With --events a line is an
    /// object of the fields in -p, of evt.num and evt.time (ns since 1970); null says that there
    /// is no value
    #[arg(long)]
    json: bool,
    /// Change a setting; `--help` lists them
    #[arg(short, long = "option", value_name = "KEY=VALUE")]
    option: Vec<String>,
    /// Print events instead of judging them
    #[arg(long, conflicts_with = "rules")]
    events: bool,
    /// Print only events that meet this condition
    #[arg(long, value_name = "CONDITION", requires = "events")]
    filter: Option<String>,
    /// How events are printed: a text with %fields, as the output of a rule; \t and \n in it are
    /// a tab and a line's end
    #[arg(
        short = 'p',
        long = "print",
        value_name = "FORMAT",
        requires = "events"
    )]
    format: Option<String>,
    /// Replay as slowly as it was recorded
    #[arg(long)]
    pace: bool,
}

/// Events that are taken in at once.
pub(super) const BATCH_EVENTS: usize = 1024;
/// Bytes of them.
pub(super) const BATCH_BYTES: usize = 1 << 20;
/// Bytes read ahead of the decompression of a capture. A plain one is read in larger pieces, past
/// this.
const INPUT_BYTES: usize = 32 << 10;
/// Fuel for a window: far more than any honest ruleset takes for the largest one.
const FUEL: u64 = 2_000_000_000;

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut config = configured(&args.option)?;
    config.format.json |= args.json;
    if config.engine == Some(Engine::Kernel) {
        return Err(usage(
            "the running kernel is watched by `saker run`, not by `saker replay`",
        ));
    }
    let events = args.events.then(|| printed::Events {
        filter: args.filter.as_deref(),
        format: args.format.as_deref(),
        json: config.format.json.then(|| config.format.clone()),
        is_live: false,
    });
    let compiler = super::compiler(&config);
    let modules = match &events {
        Some(events) => events.module()?,
        None => {
            let loading = rules::Loading::of_captures(&config, FUEL, &compiler)?;
            rules::load(&rule_files(&args.rules, &config), &loading)?
        }
    };
    let files: Vec<PathBuf> = match args.files.is_empty() {
        true => config.capture_file.clone().into_iter().collect(),
        false => args.files,
    };
    if files.is_empty() {
        return Err(usage("name a capture to replay"));
    }
    // What is judged of the first is not given away for a mistake in the name of the last.
    for path in &files {
        let is_file = path
            .metadata()
            .map_or(true, |found| !found.file_type().is_fifo());
        if path != Path::new("-") && is_file {
            open(path)?;
        }
    }
    let (purpose, output): (_, Option<Box<dyn Output>>) = match &events {
        Some(events) => (Purpose::Print, Some(Box::new(events.lines()))),
        None => {
            let stdout = Stdout::new(config.format.clone(), config.hostname());
            let stdout = stdout.context("cannot use standard output")?;
            (
                Purpose::Judge,
                config.stdout.then(|| Box::new(stdout) as Box<dyn Output>),
            )
        }
    };
    let mut replay = Replay::begin(&config, modules, purpose, output, compiler)?;
    if let Some(triggered) = replay.pipeline.triggered() {
        let found = files.iter().filter_map(|path| path.metadata().ok());
        found.for_each(|found| triggered.reads((found.dev(), found.ino())));
    }
    for path in &files {
        if files.len() > 1 && purpose == Purpose::Judge {
            // What is in flight is of the one before.
            replay.pipeline.drain()?;
            replay
                .name
                .replace(Some(path.to_string_lossy().into_owned()));
        }
        replay.file(path, args.pace.then(Pace::default), None)?;
    }
    replay.end()?.failed.map_or(Ok(()), Err)
}

/// What captures are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Alerts.
    Judge,
    /// Their events are printed.
    Print,
    /// Their events are written to another capture.
    Record,
}

/// All that is at work while captures are replayed.
pub(super) struct Replay {
    purpose: Purpose,
    stop: Stop,
    bars: Bars,
    pipeline: Pipeline,
    outputs: Outputs,
    compiler: Arc<Compiler>,
    skipped: Skipped,
    /// Entries that the state did not keep, and whether it has been said of one.
    entries_refused: u64,
    alerts: Rc<std::cell::RefCell<BTreeMap<String, u64>>>,
    /// When the first event was.
    first_time: Option<u64>,
    /// What ended a capture before its end, for the exit code.
    broken: Option<anyhow::Error>,
    /// It was left off before the end of all captures.
    is_cut_short: bool,
    /// Bars of captures that were read to their ends are shown.
    has_bars: bool,
    /// The capture that is read, where there are several.
    name: Rc<std::cell::RefCell<Option<String>>>,
}

impl Replay {
    /// Has the rules ready. Until this is done, signals end the program at once.
    pub(super) fn begin(
        config: &Config,
        modules: Vec<Module>,
        purpose: Purpose,
        output: Option<Box<dyn Output>>,
        compiler: Arc<Compiler>,
    ) -> Result<Replay, Failure> {
        let selection = Selection::of(config).map_err(usage)?;
        let epoch = Epoch::new(1, modules, selection);
        let mut state = State::new(Default::default(), Clock::default());
        state.set_hostname(config.hostname().as_bytes());
        let bars = Bars::new(purpose);
        let output = output.map(|output| bars.above(output));
        let outputs = Outputs::start(output.into_iter().collect(), config.outputs_queue_max)
            .context("cannot start the writer of alerts")?;
        let window = Window::create(config.window_slots).context("cannot make the window")?;
        let limits = Limits {
            budget: Budget::Fuel(FUEL),
            threads: config.judge_threads,
            ..Limits::default()
        };
        let judge = Judge::spawn_with(window.fd(), limits, compiler.clone())
            .context("cannot start the judge")?;
        let mut queue = outputs.queue();
        let alerts = Rc::new(std::cell::RefCell::new(BTreeMap::new()));
        let counted = alerts.clone();
        let name: Rc<std::cell::RefCell<Option<String>>> = Rc::default();
        let read = name.clone();
        let setup = Setup {
            state,
            window,
            judge,
            rows_max: config.window_rows_max,
            alerts: Box::new(move |mut alert: Alert| {
                if let Some(name) = &*read.borrow() {
                    alert.is_of_capture(name);
                }
                let mut counted = counted.borrow_mut();
                match counted.get_mut(&alert.rule) {
                    Some(count) => *count += 1,
                    None => {
                        counted.insert(alert.rule.clone(), 1);
                    }
                }
                queue.push_waiting(alert);
            }),
        };
        let mut pipeline = Pipeline::new(setup, epoch).context("cannot load the rules")?;
        super::make_captures(&mut pipeline, config)?;
        Ok(Replay {
            purpose,
            stop: Stop::on_signals()?,
            bars,
            pipeline,
            outputs,
            compiler,
            skipped: Skipped::default(),
            entries_refused: 0,
            alerts,
            first_time: None,
            broken: None,
            is_cut_short: false,
            has_bars: false,
            name,
        })
    }

    /// Whether there is no use in reading on.
    fn is_left_off(&self) -> bool {
        self.stop.is_asked() || self.outputs.is_deserted()
    }

    /// Replays one capture. One that ends in the middle has given what it could.
    /// It ends early when it has gone on for `span` of its own time, or its recording is over;
    /// when a signal says so, or nobody takes what comes of it, it and all after it.
    pub(super) fn file(
        &mut self,
        path: &Path,
        pace: Option<Pace>,
        span: Option<Duration>,
    ) -> Result<(), Failure> {
        self.file_when_ready(path, pace, span, |_| Ok(()))
    }

    /// The same; `ready` is called when it can be read and nothing was yet.
    pub(super) fn file_when_ready(
        &mut self,
        path: &Path,
        mut pace: Option<Pace>,
        span: Option<Duration>,
        ready: impl FnOnce(&mut Pipeline) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.is_left_off() {
            self.is_cut_short = true;
            return Ok(());
        }
        let name = shown(path);
        let (file, bytes) = if path == Path::new("-") {
            let input = std::io::stdin().as_fd().try_clone_to_owned();
            let input = input.context("cannot use standard input")?;
            (File::from(input), None)
        } else {
            let file = open(path)?;
            let found = file.metadata().ok();
            let bytes = found.filter(Metadata::is_file).map(|found| found.len());
            (file, bytes)
        };
        // Of a file that is one, there is always more, or its end.
        let stream = match bytes {
            None => Some(file.try_clone().context("cannot use the input twice")?),
            Some(_) => None,
        };
        let is_silent = || stream.as_ref().is_some_and(stop::is_silent);
        let progress = Progress::begin(&name, bytes, &self.bars);
        let counted = progress.counting(self.stop.reading(file));
        let reader = match Reader::new(BufReader::with_capacity(INPUT_BYTES, counted)) {
            Ok(reader) => reader,
            Err(error) => {
                progress.clear();
                self.break_off(&name, error);
                return Ok(());
            }
        };
        ready(&mut self.pipeline)?;
        let mut capture = Capture::new(reader);
        let mut spare: Vec<Rc<Batch>> = Vec::new();
        let batch_events = if pace.is_some() { 1 } else { BATCH_EVENTS };
        let result = loop {
            let mut batch = take_spare(&mut spare);
            let more = {
                let batch = Rc::get_mut(&mut batch).expect("nobody else has it");
                let pipeline = &mut self.pipeline;
                let (stop, outputs) = (&self.stop, &self.outputs);
                let refused = &mut self.entries_refused;
                let take = |batch: &mut Batch, entry: &Entry<'_>, offset: u64| {
                    // With recordings of few events each, no batch would ever be full.
                    if matches!(entry, Entry::Section(_))
                        && (stop.is_asked() || outputs.is_deserted() || pipeline.is_recorded())
                    {
                        return Err(ReplayError::LeftOff);
                    }
                    seed(pipeline, batch, entry)?;
                    let all = pipeline.state().counters.entries_refused;
                    if std::mem::replace(refused, all) == 0 && all > 0 {
                        tracing::warn!(
                            "`{name}`, byte {offset}: there is no room for all of what stands there, nor for all behind it"
                        );
                    }
                    Ok(())
                };
                capture.read_unless(is_silent, batch, batch_events, BATCH_BYTES, take)
            };
            if let (Some(pace), Some(time)) = (&mut pace, batch.last_time()) {
                // What is due is judged and shown before the wait.
                if let Some(wait) = pace.wait(time) {
                    self.pipeline.drain()?;
                    self.stop.wait(wait);
                }
            }
            if let (Some(span), Some(time)) = (span, batch.last_time()) {
                let first = *self
                    .first_time
                    .get_or_insert(batch.first_time().unwrap_or(time));
                if Duration::from_nanos(time.saturating_sub(first)) > span {
                    if let Some(batch) = Rc::get_mut(&mut batch) {
                        batch.keep_until(first.saturating_add(span.as_nanos() as u64));
                    }
                    self.pipeline.push(&batch)?;
                    break Ok(());
                }
            }
            self.pipeline.push(&batch)?;
            if is_silent() {
                // Nobody knows when more comes; what has come is judged and shown.
                self.pipeline.drain()?;
            }
            // Alerts that are still to come want what captures of them begin with.
            let triggered = self.pipeline.triggered();
            if triggered.is_some_and(|triggered| triggered.is_crowded()) {
                self.pipeline.drain()?;
            }
            if self.pipeline.is_recorded() {
                break Ok(());
            }
            if self.is_left_off() && !matches!(more, Ok(false)) {
                self.is_cut_short = true;
                break Ok(());
            }
            progress.events(batch.len() as u64);
            spare.push(batch);
            match more {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        match result {
            Ok(()) if !self.is_cut_short => {
                self.has_bars = true;
                progress.finish();
            }
            Ok(()) | Err(_) => progress.clear(),
        }
        self.skipped += capture.skipped();
        for first in capture.unread() {
            tracing::warn!("`{name}`, {first}; it is left out, and so are its like");
        }
        match result {
            Ok(()) => Ok(()),
            Err(ReplayError::Capture(error)) => {
                self.break_off(&name, error);
                Ok(())
            }
            Err(ReplayError::LeftOff) => Ok(()),
            Err(ReplayError::Pipeline(error)) => Err(error.into()),
        }
    }

    /// Says why a capture could not be read to its end.
    fn break_off(&mut self, name: &str, error: CaptureError) {
        if self.stop.is_asked() {
            self.is_cut_short = true;
            return;
        }
        tracing::error!("`{name}` cannot be read any further: {error}");
        let error = anyhow::anyhow!("`{name}` was not read to its end");
        self.broken.get_or_insert(error);
    }

    /// Judges what is left, writes the last alerts and says what was seen. Tells what was
    /// recorded, if anything was to be.
    pub(super) fn end(mut self) -> Result<Recorded, Failure> {
        self.pipeline.drain()?;
        let recorded = self.pipeline.finish_recording();
        let captures = super::finish_captures(&mut self.pipeline);
        let counters = self.pipeline.counters();
        // What is shown above is shown.
        self.bars.end(self.has_bars);
        super::show_metrics(&self.pipeline);
        let forgotten = self.pipeline.state().counters;
        drop(self.pipeline);
        let written = self.outputs.counters();
        self.outputs.close();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .context("cannot start the runtime")?;
        runtime.block_on(self.outputs.ended());
        let unwritten = counters
            .alerts
            .saturating_sub(written.written.load(Ordering::Relaxed));
        // A reader that has gone away (`saker replay … | head`) has what it wanted.
        let is_deserted = self.outputs.is_deserted();
        let line = Summary {
            purpose: self.purpose,
            counters,
            skipped: self.skipped,
            unread: if is_deserted { unwritten } else { 0 },
            unwritten,
        };
        let left_off = if self.is_cut_short { "stopped: " } else { "" };
        tracing::info!("{left_off}{line}");
        forgot(&forgotten);
        if let Some(first) = forgotten.first_unread {
            tracing::warn!("event {first} is the first that is not to be read, or of no thread");
        }
        super::report_kept_code(&self.compiler);
        for (rule, count) in self.alerts.borrow().iter() {
            if self.purpose == Purpose::Judge {
                tracing::info!("{count:>8}  {}", super::escaped(rule));
            }
        }
        if unwritten > 0 && !is_deserted {
            return Err(Failure::Failed(anyhow::anyhow!(
                "{} could not be written",
                count(unwritten, self.purpose.what())
            )));
        }
        captures?;
        let broken = self.broken.map(Failure::Failed);
        Ok(Recorded {
            written: recorded,
            failed: broken.or_else(|| unjudged(&counters, &self.skipped, &forgotten)),
        })
    }
}

/// Opens a capture. A pipe's writer is waited for when it is read, which a signal may end.
fn open(path: &Path) -> Result<File, Failure> {
    let name = shown(path);
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path);
    let file = file.with_context(|| format!("cannot open the capture `{name}`"))?;
    if file.metadata().is_ok_and(|found| found.is_dir()) {
        return Err(usage(format!(
            "`{name}` is a directory: name the captures in it"
        )));
    }
    Ok(file)
}

/// What became of a replay.
pub(super) struct Recorded {
    /// What was recorded.
    pub(super) written: Option<Result<Written, RecordError>>,
    /// Why not all of the captures was read, or judged.
    pub(super) failed: Option<Failure>,
}

/// Whoever counts on what a replay found must hear that something was not looked at.
fn unjudged(
    counters: &Counters,
    skipped: &Skipped,
    state: &crate::state::Counters,
) -> Option<Failure> {
    let lost = list_of(&[
        (
            skipped.unknown,
            "event(s) of (an unknown type|unknown types)",
        ),
        (
            skipped.unconverted,
            "event(s) of (an unknown version|unknown versions)",
        ),
        (skipped.damaged, "damaged part(s)"),
        (skipped.unknown_parts, "unknown part(s)"),
        (state.entries_refused, "(entry|entries) without room"),
        (state.containers_unreadable, "unreadable container(s)"),
        (
            state.events_of_bad_ids,
            "event(s) of (an impossible thread id|impossible thread ids)",
        ),
        (counters.rows_unjudged, "event(s) unjudged"),
        (counters.rows_too_large, "event(s) too large"),
        (counters.hits_lost, "hit(s) lost"),
    ]);
    let error = || anyhow::anyhow!("not everything was judged: {lost}");
    (!lost.is_empty()).then(|| Failure::Unjudged(error()))
}

/// A batch that nothing in flight refers to any more, or a new one.
fn take_spare(spare: &mut Vec<Rc<Batch>>) -> Rc<Batch> {
    let free = spare.iter().position(|batch| Rc::strong_count(batch) == 1);
    let mut batch = free.map_or_else(Rc::default, |index| spare.swap_remove(index));
    if let Some(batch) = Rc::get_mut(&mut batch) {
        batch.clear();
    }
    batch
}

/// Takes an entry in that is no event, after the events before it.
pub(super) fn seed(
    pipeline: &mut Pipeline,
    batch: &mut Batch,
    entry: &Entry<'_>,
) -> Result<(), ReplayError> {
    if !batch.is_empty() {
        pipeline.push(&Rc::new(std::mem::take(batch)))?;
    }
    Ok(pipeline.seed(entry)?)
}

/// Why a capture is not replayed to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplayError {
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error(transparent)]
    Pipeline(#[from] crate::pipeline::PipelineError),
    #[error("it is left off")]
    LeftOff,
}

/// When the first event was, by the capture and by the clock.
#[derive(Default)]
pub(super) struct Pace(Option<(u64, Instant)>);

impl Pace {
    /// How long to wait until an event of that time is due.
    fn wait(&mut self, time: u64) -> Option<Duration> {
        let (first, began) = *self.0.get_or_insert_with(|| (time, Instant::now()));
        let due = Duration::from_nanos(time.saturating_sub(first));
        due.checked_sub(began.elapsed())
    }
}

/// What the state had no room for, or could not make out.
fn forgot(counters: &crate::state::Counters) {
    let processes = counters.processes_evicted + counters.processes_refused;
    let containers = counters.containers_evicted + counters.containers_refused;
    let lost = list_of(&[
        (processes, "process(es)"),
        (counters.versions_overwritten, "state(s) of processes"),
        (counters.descriptors_refused, "descriptor(s)"),
        (counters.images_cut, "command line(s) in part"),
        (
            counters.directories_refused,
            "(current directory|current directories)",
        ),
        (counters.cgroups_refused, "control group(s)"),
        (counters.interfaces_refused, "address(es) of the machine"),
        (counters.names_refused, "(user or group|users and groups)"),
        (
            counters.events_of_bad_ids,
            "event(s) of (an impossible thread id|impossible thread ids)",
        ),
        (containers, "container(s)"),
        (counters.containers_unreadable, "unreadable container(s)"),
    ]);
    if !lost.is_empty() {
        tracing::warn!("not kept for want of room or sense: {lost}");
    }
}

impl Purpose {
    /// What comes of it.
    fn what(self) -> &'static str {
        match self {
            Purpose::Judge => "alert",
            Purpose::Print | Purpose::Record => "event",
        }
    }
}

/// The closing line: what was seen, and everything that was lost, under its cause.
struct Summary {
    purpose: Purpose,
    counters: Counters,
    skipped: Skipped,
    /// What was to be written when nobody read it any more.
    unread: u64,
    /// That, and what could not be written.
    unwritten: u64,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Summary {
            purpose,
            counters,
            skipped,
            unread,
            unwritten,
        } = self;
        f.write_str(&count(counters.events, "event"))?;
        let beside = list_of(&[
            (skipped.merged, "beginning(s) of (a call|calls)"),
            (skipped.hidden, "event(s) for the state alone"),
            (counters.of_plugins, "event(s) of plugins"),
        ]);
        if !beside.is_empty() {
            write!(f, " (beside {beside})")?;
        }
        match purpose {
            Purpose::Judge => write!(f, ", {}", count(counters.alerts, "alert"))?,
            Purpose::Print => write!(
                f,
                ", {} printed",
                counters.alerts.saturating_sub(*unwritten)
            )?,
            Purpose::Record => f.write_str(" read")?,
        }
        let what = match purpose {
            Purpose::Judge => "not written: nobody reads (it|them) any more",
            Purpose::Print | Purpose::Record => "not printed: nobody reads (it|them) any more",
        };
        let lost = list_of(&[
            (
                skipped.unknown,
                "event(s) of (an unknown type|unknown types)",
            ),
            (
                skipped.unconverted,
                "event(s) of (an unknown version|unknown versions)",
            ),
            (
                skipped.mismatched,
                "event(s) that (lacks what its|lack what their) call was given",
            ),
            (
                skipped.forgotten,
                "beginning(s) of (a call that was|calls that were) forgotten",
            ),
            (skipped.damaged, "damaged part(s)"),
            (skipped.unknown_blocks, "unknown block(s)"),
            (skipped.unknown_parts, "unknown part(s)"),
            (counters.malformed, "malformed event(s)"),
            (counters.rows_unjudged, "event(s) unjudged"),
            (counters.rows_too_large, "event(s) too large"),
            (
                counters.rows_truncated,
                "event(s) judged by (a text that was|texts that were) cut",
            ),
            (counters.hits_lost, "hit(s) lost"),
            (*unread, what),
        ]);
        match lost.is_empty() {
            true => Ok(()),
            false => write!(f, ", {lost}"),
        }
    }
}
