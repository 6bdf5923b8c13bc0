//! `saker record`: events, of the running kernel or of captures, to a capture. A filter is a
//! ruleset of one rule, and what it hits is written.

use super::replay::{Purpose, Replay, printed};
use super::run::Watch;
use super::{Failure, configured, count, doctor, usage};
use crate::config::Use;
use crate::outputs::recording::{Limits, RecordError, Recording};
use crate::pipeline::TakeHit;
use std::cell::{Cell, RefCell};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
#[command(after_long_help = super::settings_help(&[Use::Any, Use::Kernel]))]
pub(crate) struct Args {
    /// Take events from this capture instead of the running kernel
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write to this file, compressed if its name ends in .gz
    #[arg(short, long, value_name = "FILE")]
    write: PathBuf,
    /// Write only events that meet this condition
    #[arg(long, value_name = "CONDITION")]
    filter: Option<String>,
    /// Stop after that many seconds
    #[arg(short = 'M', long, value_name = "SECONDS")]
    duration: Option<u64>,
    /// Stop after that many events
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    events: Option<u64>,
    /// Begin another file when one has that many MiB (before compression)
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..1 << 20))]
    file_size: Option<u64>,
    /// Begin another file when one covers that many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..1 << 30))]
    file_seconds: Option<u64>,
    /// Keep only the last files, so many
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..10_000))]
    files_max: Option<u64>,
    /// Change a setting; `--help` lists them
    #[arg(short, long = "option", value_name = "KEY=VALUE")]
    option: Vec<String>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let config = configured(&args.option)?;
    let is_one_file = args.file_size.is_none() && args.file_seconds.is_none();
    if args.files_max.is_some() && is_one_file {
        return Err(usage(
            "--files-max keeps the last of several files: say with --file-size or --file-seconds when the next one begins",
        ));
    }
    let limits = Limits {
        file_bytes: args.file_size.map(|mib| mib << 20),
        file_ns: args.file_seconds.map(|seconds| seconds * 1_000_000_000),
        files: args.files_max.map(|files| files as usize),
        events: args.events,
        ..Limits::default()
    };
    let events = printed::Events {
        filter: args.filter.as_deref(),
        format: None,
        json: None,
        is_live: args.files.is_empty(),
    };
    let modules = events.module()?;
    // What one capture says of a process does not hold for the next one's.
    if args.files.len() > 1 {
        return Err(usage(
            "take one capture at a time: each has processes of its own",
        ));
    }
    let inputs = args.files.iter().filter_map(|path| path.metadata().ok());
    let inputs = inputs.map(|found| (found.dev(), found.ino())).collect();
    let recording = Recording::new(args.write, limits, inputs);
    let recording = recording.map_err(|error| Failure::Failed(error.into()))?;
    let shared = Rc::new(Shared::new(recording));
    if args.files.is_empty() {
        if let Some(missing) = doctor::first_missing() {
            return Err(Failure::Unable(anyhow::anyhow!(
                "{missing} (see `saker doctor`)"
            )));
        }
        let mut watch = Watch::begin(&config, modules)?;
        watch.take_hits(take(&shared));
        let end = args
            .duration
            .and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
        watch.until_told(&[], end, || shared.is_over.get())?;
        watch.end()?;
    } else {
        let mut replay = Replay::begin(&config, modules, Purpose::Record, None)?;
        replay.take_hits(take(&shared));
        let span = args.duration.map(Duration::from_secs);
        for path in &args.files {
            replay.file(path, None, span, || shared.is_over.get())?;
        }
        replay.end()?;
    }
    let shared = Rc::into_inner(shared);
    let shared = shared.expect("what took the hits ended with the pipeline");
    finish(shared)
}

/// Ends the last file, and says what there is now.
fn finish(shared: Shared) -> Result<(), Failure> {
    if let Some(error) = shared.error.into_inner() {
        return Err(Failure::Failed(error.into()));
    }
    let recording = shared.recording.into_inner();
    let (events, cut) = (recording.events(), recording.cut());
    let files = recording
        .finish()
        .map_err(|error| Failure::Failed(error.into()))?;
    let mut line = format!(
        "{} in {}",
        count(events, "event"),
        count(files as u64, "file")
    );
    if cut > 0 {
        line.push_str(&format!(
            ", {} longer than a capture can hold",
            count(cut, "text")
        ));
    }
    tracing::info!("recorded {line}");
    Ok(())
}

/// The recording, for what takes hits and for what waits for its end.
struct Shared {
    recording: RefCell<Recording>,
    is_over: Cell<bool>,
    error: RefCell<Option<RecordError>>,
}

impl Shared {
    fn new(recording: Recording) -> Shared {
        Shared {
            recording: RefCell::new(recording),
            is_over: Cell::new(false),
            error: RefCell::new(None),
        }
    }
}

fn take(shared: &Rc<Shared>) -> TakeHit {
    let shared = shared.clone();
    Box::new(move |view| {
        if shared.is_over.get() {
            return;
        }
        let mut recording = shared.recording.borrow_mut();
        if let Err(error) = recording.event(view) {
            *shared.error.borrow_mut() = Some(error);
            shared.is_over.set(true);
        }
        if recording.is_full() {
            shared.is_over.set(true);
        }
    })
}
