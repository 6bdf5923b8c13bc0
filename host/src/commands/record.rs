//! `saker record`: events, of the running kernel or of captures, to a capture. A filter is a
//! ruleset of one rule, and what it hits is written, with what changes the state of others.

use super::replay::{Purpose, Replay, printed};
use super::run::Watch;
use super::{Failure, configured, count, doctor, list_of, shown, usage};
use crate::config::Use;
use crate::outputs::recording::{Limits, Recorder, Recording, STDOUT, Written};
use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the running kernel's recording is set by.
const LIVE: [Use; 2] = [Use::Any, Use::Kernel];

/// Names of files that other programs compress end so.
const OTHER_KINDS: [&str; 8] = ["zst", "zstd", "xz", "bz2", "lz4", "lzma", "br", "zip"];

#[derive(clap::Args)]
#[command(after_long_help = super::settings_help(&LIVE))]
pub(crate) struct Args {
    /// Take events from this capture instead of the running kernel
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Write to this file, compressed if its name ends in .gz; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    write: PathBuf,
    /// Write only events that meet this condition; beside them, marked so that nothing shows
    /// them, those that say what became of processes, descriptors and containers
    #[arg(long, value_name = "CONDITION")]
    filter: Option<String>,
    /// Stop after that many seconds
    #[arg(short = 'M', long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    duration: Option<u64>,
    /// Stop after that many events
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    events: Option<u64>,
    /// Begin another file when one has that many MiB (before compression), or up to 64 KiB more
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
    let is_stdout = args.write == Path::new(STDOUT);
    let extension = args.write.extension().and_then(|name| name.to_str());
    if let Some(kind) = extension.filter(|kind| OTHER_KINDS.contains(kind)) {
        return Err(usage(format!(
            "captures are compressed by gzip alone: name a file that ends in .gz, or lead `-w -` to what makes .{kind}"
        )));
    }
    let used: &[Use] = match args.file {
        None => &LIVE,
        Some(_) => &[Use::Any],
    };
    super::warn_of_unused(&args.option, used, "a recording");
    if is_stdout && !is_one_file {
        return Err(usage("standard output is one file: name another"));
    }
    if is_stdout && std::io::stdout().is_terminal() {
        return Err(usage(
            "a capture is not for a terminal: name a file, or lead standard output to one",
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
        is_live: args.file.is_none(),
    };
    let modules = events.module()?;
    let inputs = args.file.iter().filter_map(|path| identity(path)).collect();
    let begin = |path| {
        let recording = Recording::new(path, limits, inputs);
        let recording = recording.map_err(|error| Failure::Failed(error.into()))?;
        let recorder = Recorder::new(recording);
        Ok::<_, Failure>(match args.filter {
            Some(_) => recorder,
            None => recorder.with_plugins(),
        })
    };
    let target = match is_stdout {
        true => "standard output".to_owned(),
        false => format!("`{}`", shown(&args.write)),
    };
    let which = match args.filter {
        Some(_) => "events that meet the condition",
        None => "all events",
    };
    let (written, failed) = if let Some(file) = args.file {
        let compiler = super::compiler(&config);
        let mut replay = Replay::begin(&config, modules, Purpose::Record, None, compiler)?;
        let span = args.duration.map(Duration::from_secs);
        // What lies where it writes is given up only for something that can be read.
        replay.file_when_ready(&file, None, span, |pipeline| {
            pipeline.record(begin(args.write)?);
            tracing::debug!("recording {which} to {target}");
            Ok(())
        })?;
        let ended = replay.end()?;
        (ended.written, ended.failed)
    } else {
        if let Some(missing) = doctor::first_missing() {
            return Err(Failure::Unable(anyhow::anyhow!(
                "{missing} (see `saker doctor`)"
            )));
        }
        let mut watch = Watch::begin(&config, modules, super::compiler(&config), None)?;
        watch.record(begin(args.write)?);
        tracing::info!("recording {which} to {target}");
        let end = args
            .duration
            .and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
        watch.until_told(end)?;
        (watch.end()?, None)
    };
    match written {
        Some(Ok(written)) => tell(&written, &target),
        Some(Err(error)) => return Err(Failure::Failed(error.into())),
        None => {}
    }
    failed.map_or(Ok(()), Err)
}

/// Device and inode of an input that is a file.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let input = match path == Path::new("-") {
        true => std::io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .map(File::from),
        false => return path.metadata().ok().map(|found| (found.dev(), found.ino())),
    };
    let found = input.ok()?.metadata().ok()?;
    found.is_file().then(|| (found.dev(), found.ino()))
}

/// Says what there is now.
fn tell(written: &Written, target: &str) {
    let mut line = count(written.events, "event");
    if written.hidden > 0 {
        line.push_str(&format!(" (and {} for the state alone)", written.hidden));
    }
    let bytes = count(written.bytes, "byte");
    match written.files {
        0 => line.push_str(&format!(", until nobody read {target} any more")),
        1 => line.push_str(&format!(", {bytes}, to {target}")),
        files => line.push_str(&format!(
            ", {bytes}, in {files} files that take {}",
            count(written.kept_bytes, "byte")
        )),
    }
    let bytes = count(written.removed_bytes, "byte");
    let removed = format!("file(s) of {bytes} removed to make room");
    let lost = list_of(&[
        (
            written.beside,
            "file(s) of an earlier recording beside them",
        ),
        (written.removed, &removed),
        (written.too_long, "event(s) longer than a capture can hold"),
        (written.cut, "text(s) longer than a capture can hold"),
        (
            written.entries_lost,
            "(entry|entries) of its beginning that stand(s|) elsewhere",
        ),
    ]);
    if !lost.is_empty() {
        line.push_str(&format!(", {lost}"));
    }
    tracing::info!("recorded {line}");
}
