//! `saker module bench`: what a module costs for each event of captures. They are judged over and
//! over as if they happened now, by turns with the module and with none.

use crate::commands::replay::{BATCH_BYTES, BATCH_EVENTS, ReplayError, seed};
use crate::commands::{
    Failure, compiler, complain, configured, count, live_limits, print, rules, shown, usage,
};
use crate::config::Config;
use crate::event::Clock;
use crate::modules::{Epoch, Module, Selection};
use crate::pipeline::{Counters, Pipeline, Setup};
use crate::sandbox::{Compiler, Judge};
use crate::source::capture::Capture;
use crate::source::merge::Batch;
use crate::state::State;
use anyhow::{Context, anyhow};
use rustix::time::{ClockId, clock_gettime};
use saker_capture::{Entry, Reader};
use saker_shm::window::Window;
use serde_json::json;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The module: a component, or rules
    module: PathBuf,
    /// Captures (scap files, plain or compressed by gzip)
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<PathBuf>,
    /// How often it is done with the module, and how often without
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// A setting, such as `modules[]={…}`
    #[arg(short, long = "option", value_name = "KEY=VALUE")]
    option: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let config = configured(&args.option)?;
    let compiler = compiler(&config);
    let loading = rules::Loading::as_live(&config, BATCH_EVENTS, &compiler)?;
    let modules = rules::load(std::slice::from_ref(&args.module), &loading)?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        without.push(round(&config, &compiler, &[], &args.captures)?);
        with.push(round(&config, &compiler, &modules, &args.captures)?);
    }
    let counters = with[0].counters;
    if counters.events == 0 {
        return Err(usage("the captures have no event"));
    }
    let cost = Cost {
        without: median(&without),
        with: median(&with),
        counters,
        rounds: args.rounds,
    };
    let name = shown(&args.module);
    print(&match args.json {
        true => cost.json(&name),
        false => cost.text(&name),
    })?;
    if counters.rows_untaken > 0 || counters.rows_unjudged > 0 || counters.module_failures > 0 {
        complain("what it failed at, or was too slow for, costs nothing here\n");
        return Err(anyhow!("the module did not judge all that it wanted").into());
    }
    Ok(())
}

/// Captures judged once.
struct Round {
    /// CPU time of the whole program, compilation left out.
    cpu: Duration,
    counters: Counters,
}

fn round(
    config: &Config,
    compiler: &Arc<Compiler>,
    modules: &[Module],
    captures: &[PathBuf],
) -> Result<Round, Failure> {
    let window = Window::create(config.window_slots).context("cannot make the window")?;
    let limits = live_limits(config);
    let judge = Judge::spawn_with(window.fd(), limits, compiler.clone())
        .context("cannot start the judge")?;
    let setup = Setup {
        state: State::new(Default::default(), Clock::default()),
        window,
        judge,
        rows_max: config.window_rows_max,
        alerts: Box::new(drop),
    };
    let selection = Selection::of(config).map_err(usage)?;
    let epoch = Epoch::new(1, modules.to_vec(), selection);
    let mut pipeline = Pipeline::new(setup, epoch).context("cannot load the module")?;
    let began = cpu_time();
    for path in captures {
        let done = judge_capture(&mut pipeline, path);
        done.with_context(|| format!("cannot judge the capture `{}`", shown(path)))?;
    }
    Ok(Round {
        cpu: cpu_time().saturating_sub(began),
        counters: pipeline.counters(),
    })
}

fn judge_capture(pipeline: &mut Pipeline, path: &Path) -> anyhow::Result<()> {
    let mut capture = Capture::new(Reader::new(BufReader::new(File::open(path)?))?);
    let mut batch = Rc::<Batch>::default();
    loop {
        match Rc::get_mut(&mut batch) {
            Some(batch) => batch.clear(),
            None => batch = Rc::default(),
        }
        let empty = Rc::get_mut(&mut batch).expect("nobody else has it");
        let take = |batch: &mut Batch, entry: &Entry<'_>, _| seed(pipeline, batch, entry);
        let more = capture.read::<ReplayError>(empty, BATCH_EVENTS, BATCH_BYTES, take)?;
        pipeline.push(&batch)?;
        // So nobody is late.
        pipeline.drain()?;
        if !more {
            return Ok(());
        }
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

fn median(rounds: &[Round]) -> Duration {
    let mut times: Vec<Duration> = rounds.iter().map(|round| round.cpu).collect();
    times.sort();
    times[times.len() / 2]
}

/// What came of it, for all captures once.
struct Cost {
    without: Duration,
    with: Duration,
    counters: Counters,
    rounds: u32,
}

impl Cost {
    /// Nanoseconds for each event: without, with, and the difference, which noise may make
    /// negative.
    fn per_event(&self) -> [f64; 3] {
        let of = |time: Duration| time.as_nanos() as f64 / self.counters.events as f64;
        let [without, with] = [of(self.without), of(self.with)];
        [without, with, with - without]
    }

    fn text(&self, name: &str) -> String {
        let [without, with, more] = self.per_event();
        let counters = &self.counters;
        let rows = counters.rows as f64 * 100.0 / counters.events as f64;
        format!(
            "{name}: {} by turns, {}\n\
             CPU time    {without:.0} ns an event without it, {with:.0} ns with it: {more:+.0} ns\n\
             rows        {} ({rows:.1} % of the events)\n\
             alerts      {}\n\
             lost        {} that it failed at, {} that it was too slow for\n",
            count(self.rounds.into(), "round"),
            count(counters.events, "event"),
            counters.rows,
            counters.alerts,
            count(counters.rows_unjudged, "row"),
            count(counters.rows_untaken, "row"),
        )
    }

    fn json(&self, name: &str) -> String {
        let [without, with, more] = self.per_event();
        let counters = &self.counters;
        let line = json!({
            "module": name,
            "rounds": self.rounds,
            "events": counters.events,
            "rows": counters.rows,
            "alerts": counters.alerts,
            "rows_unjudged": counters.rows_unjudged,
            "rows_untaken": counters.rows_untaken,
            "ns_per_event": {"without": without, "with": with, "more": more},
        });
        format!("{line}\n")
    }
}
