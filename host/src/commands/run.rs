//! `saker run`: the live source, the pipeline and the outputs, until a signal or the time says
//! stop.

use super::{Failure, doctor, rules};
use crate::config::Config;
use crate::enrich::{self, Enrichment};
use crate::modules::{Epoch, Module, Selection};
use crate::outputs::{self, Outputs, stdout::Stdout};
use crate::pipeline::{Counters, Pipeline, Setup};
use crate::sandbox::{Budget, FromJudge, Judge, Limits};
use crate::source::ebpf::{Options, Probe, Scope};
use crate::source::merge::Batch;
use crate::state::{self, State};
use crate::window::Window;
use anyhow::Context;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

#[derive(clap::Args)]
#[command(after_long_help = settings_help())]
pub(crate) struct Args {
    /// Rule file, directory of them, or compiled module (.wasm); the bundled rules if none is given
    #[arg(short, long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Write alerts as JSON lines (the same as -o json_output=true)
    #[arg(long)]
    json: bool,
    /// Change a setting; `--help` lists them
    #[arg(short, long = "option", value_name = "KEY=VALUE")]
    option: Vec<String>,
    /// Stop after that many seconds
    #[arg(short = 'M', long, value_name = "SECONDS")]
    duration: Option<u64>,
}

/// The settings, for the long help.
fn settings_help() -> String {
    let mut text = String::from("Settings for -o:\n");
    for setting in crate::config::SETTINGS {
        text.push_str(&format!(
            "  {}\n      {}\n      Takes {}.\n",
            setting.key, setting.description, setting.wanted
        ));
    }
    text
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut config = Config::default();
    for option in &args.option {
        config.set(option).map_err(anyhow::Error::from)?;
    }
    config.format.json |= args.json;
    let modules = rules::load(&args.rules)?;
    if let Some(missing) = doctor::first_missing() {
        return Err(Failure::Unable(anyhow::anyhow!(
            "{missing} (see `saker doctor`)"
        )));
    }
    watch(&config, modules, args.duration.map(Duration::from_secs))
}

fn watch(config: &Config, modules: Vec<Module>, duration: Option<Duration>) -> Result<(), Failure> {
    // Each step takes place outside of the runtime but for waiting: the pipeline may block on
    // the judge.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let (mut terminate, mut interrupt) = {
        let _inside = runtime.enter();
        let handler = |kind| signal(kind).context("cannot take signals");
        (
            handler(SignalKind::terminate())?,
            handler(SignalKind::interrupt())?,
        )
    };

    let selection = Selection {
        priority: config.priority,
        matching: config.matching,
    };
    let epoch = Epoch::new(1, modules, selection);
    let rules: usize = epoch
        .modules
        .iter()
        .map(|module| module.manifest().rules.len())
        .sum();

    // Attach first, look around second: what happens meanwhile waits in the rings, and is newer.
    let mut probe = Probe::load(&Options {
        scope: config.scope_cgroup.clone().map(Scope::Path),
        cpus_per_ring: config.cpus_per_ring,
        bulk_ring_bytes: config.ring_bytes,
        ..Options::default()
    })
    .map_err(|error| Failure::Unable(error.into()))?;
    let not_told = "cannot tell the probe what to record";
    probe
        .set_interest(&state::calls().collect::<Vec<_>>())
        .context(not_told)?;
    let mut state = State::new(Default::default(), enrich::clock_now());
    state.keep_all_descriptors(epoch.needs_all_descriptors());
    state.set_hostname(config.hostname().as_bytes());
    let mut enrichment = Enrichment::start(&mut state, config.scope_cgroup.as_deref())
        .context("cannot look up processes")?;

    let outputs = Outputs::start(
        vec![Box::new(Stdout::new(
            config.format.clone(),
            config.hostname(),
        ))],
        config.outputs_queue_max,
    )
    .context("cannot start the writer of alerts")?;
    let written = outputs.counters();
    let window = Window::create(config.window_slots).context("cannot make the window")?;
    let limits = Limits {
        budget: Budget::Time {
            cpu: config.budget_cpu,
            wall: config.budget_cpu * 40,
        },
        ..Limits::default()
    };
    let judge = Judge::spawn(window.fd(), limits).context("cannot start the judge")?;
    let outputs = Rc::new(outputs);
    let sink = outputs.clone();
    let mut pipeline = Pipeline::new(
        Setup {
            state,
            window,
            judge,
            rows_max: config.window_rows_max,
            alerts: Box::new(move |alert| sink.push(alert)),
        },
        epoch,
    )
    .context("cannot load the rules")?;

    // What is plenty comes last, when there is somebody to read it.
    probe
        .set_interest(&pipeline.epoch().interest())
        .context(not_told)?;
    tracing::info!("watching with {rules} rules");
    let end = duration.map(|duration| Instant::now() + duration);
    let mut batch = Rc::new(Batch::new());
    loop {
        let fresh = match Rc::get_mut(&mut batch) {
            Some(batch) => batch,
            // Rows in flight still refer to it.
            None => {
                batch = Rc::new(Batch::new());
                Rc::get_mut(&mut batch).expect("nobody else has it yet")
            }
        };
        let step = runtime.block_on(async {
            tokio::select! {
                biased;
                _ = terminate.recv() => Ok(Step::Stop),
                _ = interrupt.recv() => Ok(Step::Stop),
                answer = pipeline.answer(), if pipeline.is_waiting() => Ok(Step::Answer(answer?)),
                read = probe.next_batch(fresh, config.window_flush_after) => {
                    read.context("cannot read the rings").map(|()| Step::Read)
                }
            }
        });
        match step.map_err(Failure::Failed)? {
            Step::Stop => break,
            Step::Answer(answer) => pipeline.take(answer),
            Step::Read => {
                pipeline.push(&batch)?;
                // Live, an alert is worth more than a full window.
                pipeline.flush()?;
                enrichment.exchange(pipeline.state());
            }
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
    }
    // What had happened by now is judged too.
    let mut last = Batch::new();
    probe.read(&mut last);
    pipeline.push(&Rc::new(last))?;
    pipeline.drain()?;

    let counters = pipeline.counters();
    let dropped = probe
        .drops()
        .context("cannot read what was dropped")?
        .total
        .records();
    drop(pipeline);
    if let Ok(outputs) = Rc::try_unwrap(outputs) {
        outputs.stop();
    }
    report(&counters, dropped, &written);
    Ok(())
}

/// What the loop woke up for.
enum Step {
    Stop,
    Read,
    Answer(FromJudge),
}

/// The closing line: what was seen, and everything that was lost, under its cause.
fn report(counters: &Counters, dropped: u64, written: &outputs::Counters) {
    let mut line = format!(
        "stopped: {} events, {} alerts, {dropped} dropped",
        counters.events, counters.alerts
    );
    for (count, what) in [
        (counters.malformed, "malformed records"),
        (counters.rows_unjudged, "events unjudged"),
        (counters.rows_too_large, "events too large"),
        (counters.hits_lost, "hits lost"),
        (
            written.dropped.load(Ordering::Relaxed),
            "alerts not taken by the output",
        ),
        (written.failed.load(Ordering::Relaxed), "alerts not written"),
    ] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    tracing::info!("{line}");
}
