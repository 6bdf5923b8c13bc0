//! `saker run`: the live source, the pipeline and the outputs, until a signal or the time says
//! stop. How other rules and modules come in meanwhile is `swap`'s.

mod swap;

use super::{Failure, configured, count, doctor, list_of, rule_files, rules, shown, usage};
use crate::alert::Alert;
use crate::config::{Config, Engine, Use};
use crate::control::{self, Asked, Asker, Control, Request};
use crate::enrich::engine::Engines;
use crate::enrich::{self, Enrichment};
use crate::local::LocalFile;
use crate::modules::roster::Roster;
use crate::modules::{Epoch, Module, Selection};
use crate::outputs::recording::{RecordError, Recorder, Written};
use crate::outputs::{self, Outputs, Queue, stdout::Stdout};
use crate::page::{self, Loaded, Page};
use crate::pipeline::{Answer, Counters, ParkingCounters, ParkingLimits, Pipeline, Setup};
use crate::recent::{Recent, Told};
use crate::sandbox::{Cache, Compiler};
use crate::source::ebpf::{Drops, Options, Probe, Scope};
use crate::source::merge::Batch;
use crate::state::container::{Absence, ContainerAnswer};
use crate::state::{self, State};
use crate::store::history::History;
use crate::store::{Limits, Store, Writer};
use crate::trial::Trials;
use crate::watch::{Changed, Sources, Watcher};
use anyhow::Context;
use saker_rules_schema::manifest::Priority;
use saker_shm::window::Window;
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use swap::{Found, Swaps};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

#[derive(clap::Args)]
#[command(after_long_help = super::settings_help(&[Use::Any, Use::Alerts, Use::Kernel, Use::Rules, Use::Falco]))]
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

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut config = configured(&args.option)?;
    config.format.json |= args.json;
    let rules = rule_files(&args.rules, &config);
    let compiler = super::compiler(&config);
    let (files, modules) = rules::sorted(&rules);
    // Where there are modules alone, there is nothing that it could add to.
    let local = (!files.is_empty() || modules.is_empty())
        .then(|| LocalFile::of(&config.page.local_rules, &files))
        .flatten();
    let loading = rules::Loading::live(&config, &compiler)?.with_local(local.clone());
    let folder = config.modules_folder.as_deref();
    let folder = folder.filter(|folder| folder.is_dir());
    let (named, watched) = (files.clone(), files.into_iter());
    let watched = watched.chain(local.iter().map(|local| local.path().to_owned()));
    let sources = Sources {
        rules: watched.collect(),
        files: modules,
        folder: folder.map(Path::to_owned),
    };
    // First watch, then read: what changes meanwhile is read again.
    let watching = config.watch_files.then(|| Watcher::start(sources.clone()));
    let watching = watching.transpose().context("cannot watch files")?;
    let modules = rules::load_all(&rules, folder, &loading)?;
    if config.engine == Some(Engine::Replay) {
        return Err(usage(
            "a capture is judged by `saker replay`, not by `saker run`",
        ));
    }
    if let Some(missing) = doctor::first_missing() {
        return Err(Failure::Unable(anyhow::anyhow!(
            "{missing} (see `saker doctor`)"
        )));
    }
    let selection = Selection::of(&config).map_err(usage)?;
    let roster = Roster::new(modules, config.modules_probation);
    let (store, writer) = kept(&config).unzip();
    let mut watch = Watch::begin(&config, roster.modules(), compiler, writer)?;
    let (watcher, changed) = watching.unzip();
    watch.changed = changed;
    let history = store.clone().map(History::start).transpose();
    let history = history.context("cannot start the thread of the history")?;
    let sources = Sources {
        rules: named,
        ..sources
    };
    watch.swaps = Some(Swaps::new(
        roster, selection, loading, sources, watcher, history,
    ));
    let (asker, asked) = control::requests();
    watch.asked = Some(asked);
    let _control = config
        .control_socket
        .as_deref()
        .and_then(|path| listen(path, asker.clone()));
    let webserver = (config.webserver.enabled)
        .then(|| page::serve_operations(&config, asker.clone()))
        .transpose()
        .map_err(|why| usage(format!("what `webserver` says cannot be: {why}")))?;
    if let Some(webserver) = &webserver {
        tracing::info!("the web server listens at {}", webserver.address);
    }
    watch.page = store.and_then(|store| {
        let trials = watch.trials(&config);
        served(&config, store, asker, trials, local)
    });
    watch.show_what_is_loaded();
    let end = args.duration.and_then(|seconds| {
        // Further away than the clock reaches is as good as never.
        Instant::now().checked_add(Duration::from_secs(seconds))
    });
    watch.say_what_rules_are_on();
    watch.until_told(end)?;
    watch.end().map(drop)
}

/// The store of alerts and what writes to it, if there is to be one and it can be had.
fn kept(config: &Config) -> Option<(Store, Writer)> {
    let path = config.store.as_deref()?;
    let limits = Limits {
        age: config.store_age,
        bytes: config.store_bytes,
    };
    let opened = Store::open(path, limits, config.hostname());
    opened
        .inspect_err(|why| {
            tracing::warn!(
                "alerts are not kept in `{}`, and there is no page: {why} (`-o store.path=` does \
                 without)",
                shown(path)
            );
        })
        .ok()
}

/// Serves the page, if it is to be and can be.
fn served(
    config: &Config,
    store: Store,
    asker: Asker,
    trials: Trials,
    local: Option<LocalFile>,
) -> Option<Page> {
    if !config.page.enabled {
        return None;
    }
    let doctor: page::Doctor = Box::new(doctor::checks);
    match Page::serve(config, store, asker, doctor, Box::new(trials), local) {
        Ok(page) => {
            tracing::info!(
                "the page is at {} (`saker ctl page` prints a link that lets you in)",
                page.address()
            );
            Some(page)
        }
        Err(why) => {
            tracing::warn!("there is no page: {why} (`-o page.enabled=false` does without)");
            None
        }
    }
}

/// Listens to `saker ctl`, if it can.
fn listen(path: &Path, asker: Asker) -> Option<Control> {
    Control::serve(path, asker)
        .inspect_err(|why| {
            tracing::warn!(
                "`{}` is not listened to: {why} (`-o control.socket=` does without)",
                shown(path)
            );
        })
        .ok()
}

/// Losses are told by an alert no more often, as Falco does it.
const LOSSES_TOLD_EVERY: Duration = Duration::from_secs(30);
/// How often it is looked whether anything was lost.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// So much of what engines tell is taken in between events.
const ANSWERS_AT_ONCE: usize = 64;
/// A container is forgotten so long after its last process.
const FORGET_AFTER: Duration = Duration::from_secs(10);
/// How long the last events may wait for what is told of their containers.
const LAST_ANSWERS_WITHIN: Duration = Duration::from_millis(1500);
/// How long the last alerts may take to be written.
const LAST_ALERTS_WITHIN: Duration = Duration::from_secs(5);

/// All that is at work while the kernel is watched.
pub(super) struct Watch {
    runtime: tokio::runtime::Runtime,
    stop: [Signal; 2],
    again: Signal,
    scope: Option<Watched>,
    /// Changes of what is loaded; none where nothing changes.
    swaps: Option<Swaps>,
    /// Tells which files changed.
    changed: Option<mpsc::Receiver<Changed>>,
    /// What `saker ctl` and the page ask.
    asked: Option<mpsc::Receiver<Asked>>,
    page: Option<Page>,
    began: Instant,
    flush_after: Duration,
    probe: Probe,
    pipeline: Pipeline,
    enrichment: Enrichment,
    engines: Engines,
    outputs: Outputs,
    /// What keeps alerts: on a thread of its own, for a disk may be slow.
    keeping: Option<Outputs>,
    /// What happened lately, where that is kept.
    recent: Option<Recent>,
    compiler: Arc<Compiler>,
    /// What was lost when it was last looked,
    lost: Drops,
    /// and what of that an alert has told, at what time.
    lost_told: (Drops, Option<Instant>),
    /// How often the judge had been started anew by then.
    judge_restarts: u64,
}

/// What the loop woke up for.
enum Step {
    Stop,
    ReadAgain,
    Changed(Changed),
    Asked(Asked),
    Found(Found),
    Retry,
    Deserted,
    Read,
    Answer(Answer),
    Told(ContainerAnswer),
}

/// What comes next out of a queue that may not be there, or not any more.
async fn next<T>(queue: &mut Option<mpsc::Receiver<T>>) -> T {
    if let Some(from) = queue {
        if let Some(next) = from.recv().await {
            return next;
        }
        *queue = None;
    }
    std::future::pending().await
}

/// Returns when what was read aside is there, or when a module is to be tried again.
async fn next_of_swaps(swaps: &mut Option<Swaps>) -> Step {
    let Some(swaps) = swaps else {
        return std::future::pending().await;
    };
    match swaps.due() {
        None => Step::Found(swaps.found().await),
        Some(due) => tokio::select! {
            found = swaps.found() => Step::Found(found),
            () = tokio::time::sleep_until(due.into()) => Step::Retry,
        },
    }
}

impl Watch {
    /// Attaches the probe, looks at what runs already, and has the rules ready. Until this is
    /// done, signals end the program at once.
    pub(super) fn begin(
        config: &Config,
        modules: Vec<Module>,
        compiler: Arc<Compiler>,
        writer: Option<Writer>,
    ) -> Result<Watch, Failure> {
        let selection = Selection::of(config).map_err(usage)?;
        let epoch = Epoch::new(1, modules, selection);
        let scope = config.scope_cgroup.as_deref().map(Watched::of);

        // Attach first, look around second: what happens meanwhile waits in the rings, and is
        // newer.
        let mut probe = Probe::load(&Options {
            scope: config.scope_cgroup.clone().map(Scope::Path),
            cpus_per_ring: config.cpus_per_ring,
            bulk_ring_bytes: config.ring_bytes,
            ..Options::default()
        })
        .map_err(|error| Failure::Unable(error.into()))?;
        tracing::debug!("the probe is attached");
        let calls: Vec<_> = state::calls().collect();
        probe.set_interest(&calls).context(NOT_TOLD)?;
        let mut state = State::new(Default::default(), enrich::clock_now());
        state.keep_all_descriptors(epoch.needs_all_descriptors());
        state.set_hostname(config.hostname().as_bytes());
        state.set_machine(&enrich::machine());
        // Before processes are met, so that their containers are asked about.
        state.know_by_path(config.engines.by_path.clone());
        state.ask_about_containers();
        let enrichment = Enrichment::start(&mut state, config.scope_cgroup.as_deref())
            .context("cannot look up processes")?;
        let [threads, processes, ..] = state.sizes();
        tracing::debug!("{processes} processes with {threads} threads run already");

        let engines =
            Engines::start(&config.engines, &mut state).context("cannot ask container engines")?;
        let has_page = writer.is_some() && config.page.enabled;
        let recent = (has_page && config.recent_bytes > 0)
            .then(|| Recent::start(state.copy(), config.recent_bytes))
            .transpose()
            .context("cannot start the thread of recent events")?;

        let stdout = Stdout::new(config.format.clone(), config.hostname())
            .context("cannot use standard output")?;
        let stdout = config
            .stdout
            .then(|| Box::new(stdout) as Box<dyn outputs::Output>);
        let outputs = Outputs::start(stdout.into_iter().collect(), config.outputs_queue_max)
            .context("cannot start the writer of alerts")?;
        let window = Window::create(config.window_slots).context("cannot make the window")?;
        let judge =
            super::live_judge(window.fd(), config, &compiler).context("cannot start the judge")?;
        let keeping = writer
            .map(|writer| Outputs::start(vec![Box::new(writer)], config.outputs_queue_max))
            .transpose()
            .context("cannot start the writer of alerts that are kept")?;
        let setup = Setup {
            state,
            window,
            judge,
            rows_max: config.window_rows_max,
            alerts: handing_on(outputs.queue(), keeping.as_ref().map(Outputs::queue)),
        };
        let began = Instant::now();
        let mut pipeline = Pipeline::new(setup, epoch).context("cannot load the rules")?;
        super::make_captures(&mut pipeline, config)?;
        if keeping.is_some() {
            pipeline.keep_scenes();
            // For the page, which is there with what is kept.
            pipeline.measure(monotonic_ns);
        }
        pipeline.set_parking(ParkingLimits {
            wait: config.metadata_wait,
            ..ParkingLimits::default()
        });
        tracing::debug!("the rules were made ready in {:?}", began.elapsed());

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let inside = runtime.enter();
        let handler = |kind| signal(kind).context("cannot take signals");
        let stop = [
            handler(SignalKind::terminate())?,
            handler(SignalKind::interrupt())?,
        ];
        let again = handler(SignalKind::hangup())?;
        drop(inside);
        let mut watch = Watch {
            runtime,
            stop,
            again,
            scope,
            swaps: None,
            changed: None,
            asked: None,
            page: None,
            began: Instant::now(),
            flush_after: config.window_flush_after,
            probe,
            pipeline,
            enrichment,
            engines,
            outputs,
            keeping,
            recent,
            compiler,
            lost: Drops::default(),
            lost_told: (Drops::default(), None),
            judge_restarts: 0,
        };
        watch.record_what_rules_want()?;
        Ok(watch)
    }

    /// Records the events of hits instead of alerting.
    pub(super) fn record(&mut self, recorder: Recorder) {
        self.pipeline.record(recorder);
    }

    /// What is plenty comes last, when there is somebody to read it.
    fn record_what_rules_want(&mut self) -> Result<(), Failure> {
        let wanted = self.pipeline.epoch().interest();
        self.probe.set_interest(&wanted).context(NOT_TOLD)?;
        if let Some(recent) = &mut self.recent {
            recent.told(Told::Traced(wanted.into()));
        }
        Ok(())
    }

    /// Where rules are tried, as they would be judged here.
    fn trials(&self, config: &Config) -> Trials {
        let (of, compiler) = (config.clone(), self.compiler.clone());
        let judges =
            Box::new(move |window: BorrowedFd<'_>| super::live_judge(window, &of, &compiler));
        let recent = self.recent.as_ref().map(Recent::asker);
        Trials::new(config, judges, recent)
    }

    fn say_what_rules_are_on(&self) {
        match self.pipeline.epoch().rules_on() {
            0 => tracing::warn!("no rule is on: there is nothing to watch for"),
            rules => tracing::info!("watching with {}", count(rules as u64, "rule")),
        }
    }

    /// Has the page know the modules.
    fn show_what_is_loaded(&self) {
        if let (Some(page), Some(swaps)) = (&self.page, &self.swaps) {
            page.show(Loaded {
                modules: swaps
                    .modules()
                    .map(|(module, on)| (module.clone(), on))
                    .collect(),
                selection: swaps.selection().clone(),
                stand_in: swaps.stand_in().map(Path::to_owned),
            });
        }
    }

    /// Watches until a signal, or that time, or until its recording is over.
    pub(super) fn until_told(&mut self, end: Option<Instant>) -> Result<(), Failure> {
        let mut batch = Rc::new(Batch::new());
        let mut look = Instant::now() + LOOK_EVERY;
        // However much they tell, events come in between.
        let mut engines_were_heard = false;
        loop {
            let fresh = match Rc::get_mut(&mut batch) {
                Some(batch) => batch,
                // Rows in flight still refer to it.
                None => {
                    batch = Rc::new(Batch::new());
                    Rc::get_mut(&mut batch).expect("nobody else has it yet")
                }
            };
            let [terminate, interrupt] = &mut self.stop;
            let was_told = std::mem::take(&mut engines_were_heard);
            let step = self.runtime.block_on(async {
                tokio::select! {
                    biased;
                    _ = terminate.recv() => Ok(Step::Stop),
                    _ = interrupt.recv() => Ok(Step::Stop),
                    _ = self.again.recv() => Ok(Step::ReadAgain),
                    changed = next(&mut self.changed) => Ok(Step::Changed(changed)),
                    asked = next(&mut self.asked) => Ok(Step::Asked(asked)),
                    step = next_of_swaps(&mut self.swaps) => Ok(step),
                    () = self.outputs.ended() => Ok(Step::Deserted),
                    answer = self.engines.answer(), if !was_told => Ok(Step::Told(answer)),
                    answer = self.pipeline.answer(), if self.pipeline.is_waiting() => {
                        Ok(Step::Answer(answer?))
                    }
                    read = self.probe.next_batch(fresh, self.flush_after) => {
                        read.context("cannot read the rings").map(|()| Step::Read)
                    }
                }
            });
            match step.map_err(Failure::Failed)? {
                Step::Stop => return Ok(()),
                Step::ReadAgain => self.change(Swaps::read_again),
                Step::Changed(changed) => self.change(|swaps| swaps.files_changed(changed)),
                Step::Retry => self.change(Swaps::retry),
                Step::Asked(asked) => self.answer(asked)?,
                Step::Found(found) => {
                    if let Some(swaps) = &mut self.swaps {
                        swaps.take(found, &mut self.pipeline)?;
                    }
                }
                Step::Deserted => {
                    tracing::error!("nobody reads the alerts any more");
                    return Ok(());
                }
                Step::Answer(answer) => self.pipeline.take_answer(answer),
                Step::Told(answer) => {
                    self.answer_container(answer);
                    self.hear_engines()?;
                    self.pipeline.flush()?;
                    engines_were_heard = true;
                }
                Step::Read => {
                    if let Some(recent) = &mut self.recent {
                        recent.records(&batch);
                    }
                    self.pipeline.push(&batch)?;
                    // Asked before anything else is done: containers may be short-lived.
                    self.engines.ask(self.pipeline.state());
                    self.hear_engines()?;
                    // Live, an alert is worth more than a full window.
                    self.pipeline.flush()?;
                    let recent = &mut self.recent;
                    let is_keeping = self.pipeline.is_keeping();
                    let mut told = Vec::new();
                    self.enrichment.exchange(self.pipeline.state(), |answer| {
                        if let Some(recent) = recent {
                            recent.told(Told::Enriched(answer.clone()));
                        }
                        if is_keeping {
                            told.push(Told::Enriched(answer.clone()));
                        }
                    });
                    for told in told {
                        self.pipeline.tell_triggered(told);
                    }
                    self.pipeline.tell_processes();
                    self.engines.ask(self.pipeline.state());
                }
            }
            if let Some(swaps) = &mut self.swaps {
                let running = self.pipeline.epoch().clone();
                // What either wants is recorded before others take over, and what none wants any
                // more only after.
                let widen = |next: &Epoch| {
                    let mut wanted = running.interest();
                    wanted.extend(next.interest());
                    self.probe
                        .set_interest(&wanted)
                        .context(NOT_TOLD)
                        .map_err(Failure::from)
                };
                if swaps.go_on(&mut self.pipeline, widen)? {
                    self.record_what_rules_want()?;
                    self.say_what_rules_are_on();
                    self.show_what_is_loaded();
                }
            }
            let now = Instant::now();
            if now >= look {
                look = now + LOOK_EVERY;
                self.look_for_losses()?;
            }
            if self.pipeline.is_recorded() || end.is_some_and(|end| now >= end) {
                return Ok(());
            }
        }
    }

    /// What is known of containers, and how their engines are doing.
    fn list_containers(&mut self) -> control::Containers {
        let containers = self
            .pipeline
            .state()
            .containers()
            .into_iter()
            .map(|listed| {
                let why = match (&listed.facts, listed.absence) {
                    (_, Some(why)) => why.name(),
                    (Some(facts), None) if facts.is_cut => Absence::Limit.name(),
                    (Some(_), None) => "",
                    (None, None) => "pending",
                };
                let facts = listed.facts.unwrap_or_default();
                control::Container {
                    id: listed.short,
                    full_id: listed.id,
                    group: listed.group,
                    name: facts.name.to_string(),
                    kind: facts.engine.name().into(),
                    image: facts.image.to_string(),
                    metadata: why.into(),
                }
            });
        let containers = containers.collect();
        let engines = self.engines.standings().into_iter();
        let engines = engines.map(|standing| control::Engine {
            engine: standing.engine.to_string(),
            socket: standing.socket.to_string_lossy().into_owned(),
            trouble: standing.trouble.clone(),
            asked: standing.asked,
            failed: standing.failed,
            overlooked: standing.overlooked,
        });
        let counters = self.pipeline.counters();
        let parked = self.pipeline.parked();
        let asked = self.pipeline.state().counters.containers_absent;
        let absent = Absence::ALL.iter().zip(asked);
        let absent = absent.zip(counters.alerts_absent);
        let absent = absent.filter(|((_, containers), alerts)| containers + alerts > 0);
        let absent = absent.map(|((why, containers), alerts)| control::Absent {
            why: why.name().into(),
            containers,
            alerts,
        });
        control::Containers {
            engines: engines.collect(),
            containers,
            absent: absent.collect(),
            waited: parked.parked,
            waited_in_vain: parked.timed_out,
            crowded_out: parked.crowded_out,
        }
    }

    fn answer_container(&mut self, answer: ContainerAnswer) {
        if let Some(recent) = &mut self.recent {
            recent.told(Told::Container(answer.clone()));
        }
        self.pipeline.answer_container(answer);
    }

    /// Takes in what engines have told, and the events that waited for it.
    fn hear_engines(&mut self) -> Result<(), Failure> {
        for _ in 0..ANSWERS_AT_ONCE {
            let Some(answer) = self.engines.try_answer() else {
                break;
            };
            self.answer_container(answer);
        }
        if self.pipeline.is_parking() {
            self.pipeline.release_parked(wall_clock_ns())?;
        }
        Ok(())
    }

    fn change(&mut self, change: impl FnOnce(&mut Swaps)) {
        if let Some(swaps) = &mut self.swaps {
            change(swaps);
        }
    }

    /// Answers what can be answered now; the rest is a change.
    fn answer(&mut self, asked: Asked) -> Result<(), Failure> {
        let answer = match asked.request {
            Request::Status {} => control::Answer::Status(self.status()?),
            Request::Containers {} => control::Answer::Containers(self.list_containers()),
            Request::List {} => {
                let listed = self.swaps.as_ref().map(Swaps::list);
                let mut listed = listed.unwrap_or_default();
                for module in &mut listed {
                    module.work = self.pipeline.work(&module.name);
                }
                control::Answer::Modules(listed)
            }
            Request::Rules {} => control::Answer::Rules(self.list_rules()),
            Request::Recent {} => {
                control::Answer::Recent(self.recent.as_mut().map(Recent::standing))
            }
            Request::Page {} => control::Answer::Page(self.page.as_ref().map(Page::link)),
            Request::ShadowStanding {} => {
                let swaps = self.swaps.as_ref();
                let shadow = swaps.and_then(|swaps| swaps.shadow(&self.pipeline));
                control::Answer::Shadow(shadow.map(Box::new))
            }
            Request::Load { .. }
            | Request::Shadow { .. }
            | Request::Promote {}
            | Request::EndShadow {}
            | Request::Swap { .. }
            | Request::Disable { .. }
            | Request::Enable { .. }
            | Request::Rollback { .. }
            | Request::EnableRule { .. }
            | Request::DisableRule { .. } => {
                self.change(|swaps| swaps.ask(asked));
                return Ok(());
            }
        };
        // Who asked may have gone.
        let _ = asked.reply.send(answer);
        Ok(())
    }

    /// The rules of all modules, those that are set aside as well.
    fn list_rules(&self) -> Vec<control::Rule> {
        let Some(swaps) = &self.swaps else {
            return Vec::new();
        };
        let mut rules = Vec::new();
        for (module, runs) in swaps.modules() {
            let name = &module.identity().name;
            rules.extend(module.rules().iter().map(|rule| control::Rule {
                name: rule.name.clone(),
                module: name.to_string(),
                description: rule.description.clone(),
                priority: rule.priority.name().into(),
                source: rule.source.clone(),
                tags: rule.tags.clone(),
                enabled: runs && swaps.selection().is_on(rule),
                alerts: self.pipeline.matches(name, &rule.name),
            }));
        }
        rules
    }

    fn status(&self) -> Result<control::Status, Failure> {
        let counters = self.pipeline.counters();
        let drops = self.probe.drops().context(NOT_COUNTED)?.total;
        let mut lost = dropped(&drops, &Drops::default()).to_vec();
        lost.extend(unjudged(&counters));
        let untaken = |outputs: &Outputs| {
            let counters = outputs.counters();
            let [dropped, failed] =
                [&counters.dropped, &counters.failed].map(|count| count.load(Ordering::Relaxed));
            dropped + failed
        };
        lost.push((untaken(&self.outputs), "alerts not written"));
        lost.push((self.keeping.as_ref().map_or(0, untaken), "alerts not kept"));
        let losses = lost.into_iter().map(|(count, cause)| control::Loss {
            cause: cause.into(),
            count,
        });
        let [threads, processes, _, descriptors, _] = self.pipeline.sizes();
        let epoch = self.pipeline.epoch();
        let swaps = self.swaps.as_ref();
        Ok(control::Status {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            uptime_seconds: self.began.elapsed().as_secs(),
            epoch: epoch.id,
            modules: swaps.map_or(0, |swaps| swaps.list().len() as u64),
            rules: epoch.rules_on() as u64,
            events: counters.events,
            alerts: counters.alerts,
            windows: counters.windows,
            rows: counters.rows,
            dropped: drops.records(),
            rows_unjudged: counters.rows_unjudged,
            module_failures: counters.module_failures,
            swaps: swaps.map_or(0, |swaps| swaps.count),
            kept_code_refused: self.kept_code_refused(),
            judge_pid: self.pipeline.judge().and_then(|judge| judge.pid),
            judge_restarts: self.pipeline.judge().map_or(0, |judge| judge.restarts),
            rows_of_dead_judges: counters.rows_of_dead_judges,
            losses: losses.collect(),
            event_types: self.event_types(),
            stages: (self.pipeline.stages())
                .map(|(stage, spent)| control::Stage {
                    stage: stage.name().into(),
                    ns: spent.ns,
                    events: spent.events,
                })
                .collect(),
            queues: self.queues(),
            remembered: control::Remembered {
                threads: threads as u64,
                processes: processes as u64,
                descriptors: descriptors as u64,
            },
        })
    }

    /// Which types of events came. Several of Falco's codes have one name.
    fn event_types(&self) -> Vec<control::Came> {
        let mut types: BTreeMap<&str, u64> = BTreeMap::new();
        for (event, count) in self.pipeline.event_types() {
            *types.entry(event.name()).or_default() += count;
        }
        let types = types.into_iter().map(|(event, count)| control::Came {
            event: event.into(),
            count,
        });
        types.collect()
    }

    /// What waits where.
    fn queues(&self) -> Vec<control::Queue> {
        let [windows, windows_max] = self.pipeline.windows();
        let [parked, parked_max] = self.pipeline.events_parked();
        let mut queues = vec![
            (WINDOWS_QUEUE, windows as u64, windows_max as u64),
            (PARKED_QUEUE, parked as u64, parked_max as u64),
        ];
        let (waiting, most) = self.outputs.waiting();
        queues.push(("bytes of alerts to be written", waiting, most));
        if let Some((waiting, most)) = self.keeping.as_ref().map(Outputs::waiting) {
            queues.push(("bytes of alerts to be kept", waiting, most));
        }
        let queue = |(name, waiting, most): (&str, u64, u64)| control::Queue {
            name: name.into(),
            waiting,
            most,
        };
        queues.into_iter().map(queue).collect()
    }

    /// How often kept native code was not used.
    fn kept_code_refused(&self) -> u64 {
        let refused = self.compiler.cache().into_iter().flat_map(Cache::refused);
        refused.map(|(_, files)| files).sum()
    }

    /// Says while it matters what could not be recorded, and whether anything can be at all.
    fn look_for_losses(&mut self) -> Result<(), Failure> {
        let now = wall_clock_ns();
        let since = self.began.elapsed().as_nanos() as u64;
        let state = self.pipeline.state();
        state.forget_containers(since, FORGET_AFTER.as_nanos() as u64);
        if let Some(triggered) = self.pipeline.triggered() {
            triggered.tick(now);
        }
        let drops = self.probe.drops().context(NOT_COUNTED)?.total;
        let before = std::mem::replace(&mut self.lost, drops);
        let new = losses(&drops, &before);
        if !new.is_empty() {
            tracing::warn!("events are lost: {new}");
        }
        self.tell_of_losses(now);
        match &self.scope {
            Some(scope) if scope.is_gone() => Err(Failure::Failed(anyhow::anyhow!(
                "the cgroup `{}` is gone: there is nothing left to watch",
                shown(&scope.path)
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Has alerts made of what was lost, as whoever reads alerts alone must know.
    fn tell_of_losses(&mut self, now: u64) {
        let (told, told_at) = &self.lost_told;
        let records = self.lost.records() - told.records();
        if records > 0 && told_at.is_none_or(|at| at.elapsed() >= LOSSES_TOLD_EVERY) {
            let causes = losses(&self.lost, told);
            self.lost_told = (self.lost, Some(Instant::now()));
            let message = format!("Events are lost ({causes})");
            let fields = vec![("saker.events_lost".to_owned(), records.into())];
            let alert = Alert::internal("events lost", Priority::Warning, now, message, fields);
            self.pipeline.alert(alert);
        }
        let restarts = self.pipeline.judge().map_or(0, |judge| judge.restarts);
        if restarts > self.judge_restarts {
            self.judge_restarts = restarts;
            let message = format!(
                "The judge died, and what it had at hand is not judged; another took its place (restarts={restarts})"
            );
            let fields = vec![("saker.judge_restarts".to_owned(), restarts.into())];
            let alert = Alert::internal("judge died", Priority::Critical, now, message, fields);
            self.pipeline.alert(alert);
        }
    }

    /// Judges what had happened by now, writes the last alerts and says what was seen.
    /// Tells what was recorded, if anything was to be.
    pub(super) fn end(mut self) -> Result<Option<Result<Written, RecordError>>, Failure> {
        let mut last = Batch::new();
        self.probe.read(&mut last);
        self.pipeline.push(&Rc::new(last))?;
        self.wait_for_engines()?;
        self.pipeline.drain()?;
        if self.pipeline.makes_captures() {
            self.wait_for_processes();
        }
        let recorded = self.pipeline.finish_recording();
        let captures = super::finish_captures(&mut self.pipeline);
        let counters = self.pipeline.counters();
        let parked = self.pipeline.parked();
        let absent = self.pipeline.state().counters.containers_absent;
        super::show_metrics(&self.pipeline);
        let drops = self.probe.drops().context(NOT_COUNTED)?.total;
        // Takes its end of the queue with it.
        drop(self.pipeline);
        let written = self.outputs.counters();
        self.outputs.close();
        if let Some(keeping) = &mut self.keeping {
            keeping.close();
        }
        let [terminate, interrupt] = &mut self.stop;
        let all_written = async {
            self.outputs.ended().await;
            if let Some(keeping) = &self.keeping {
                keeping.ended().await;
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                () = all_written => {}
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = tokio::time::sleep(LAST_ALERTS_WITHIN) => {}
            }
        });
        report_containers(&counters, &parked, &absent);
        super::report_kept_code(&self.compiler);
        report(&counters, &drops, &written, recorded.is_some())?;
        captures?;
        Ok(recorded)
    }

    /// Gives what is asked of `/proc` the time it has, for the captures that wait for it.
    fn wait_for_processes(&mut self) {
        let end = Instant::now() + LAST_ANSWERS_WITHIN;
        loop {
            self.enrichment.exchange(self.pipeline.state(), |_| {});
            self.pipeline.tell_processes();
            if !self.pipeline.state().is_awaiting() || Instant::now() >= end {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Gives what waits for engines the time it has, then takes it in as it is.
    fn wait_for_engines(&mut self) -> Result<(), Failure> {
        self.engines.ask(self.pipeline.state());
        let end = Instant::now() + LAST_ANSWERS_WITHIN;
        self.hear_engines()?;
        while self.pipeline.is_parking() && Instant::now() < end {
            let engines = &mut self.engines;
            let answer = self.runtime.block_on(async {
                tokio::time::timeout(Duration::from_millis(20), engines.answer()).await
            });
            if let Ok(answer) = answer {
                self.pipeline.answer_container(answer);
            }
            self.hear_engines()?;
        }
        Ok(self.pipeline.release_all_parked()?)
    }
}

fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn wall_clock_ns() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_nanos() as u64)
}

/// Says what could not be told of containers.
fn report_containers(counters: &Counters, parked: &ParkingCounters, absent: &[u64]) {
    let reasons = Absence::ALL.iter().zip(absent);
    let reasons: Vec<_> = reasons.map(|(why, count)| (*count, why.name())).collect();
    let containers = absent.iter().sum::<u64>();
    if containers > 0 {
        tracing::info!(
            "nothing is known of {} ({}); {} of them",
            count(containers, "container"),
            list_of(&reasons),
            count(counters.alerts_without_metadata, "alert"),
        );
    }
    tracing::debug!("events that waited for their container: {parked:?}");
}

const WINDOWS_QUEUE: &str = "windows with the judge";
const PARKED_QUEUE: &str = "events that wait for their container";
const NOT_TOLD: &str = "cannot tell the probe what to record";
const NOT_COUNTED: &str = "cannot read what was dropped";

/// The cgroup that is watched.
struct Watched {
    path: PathBuf,
    inode: Option<u64>,
}

impl Watched {
    fn of(path: &Path) -> Watched {
        Watched {
            path: path.to_owned(),
            inode: inode(path),
        }
    }

    /// Whether it was removed; another of the same name is not it.
    fn is_gone(&self) -> bool {
        inode(&self.path) != self.inode
    }
}

fn inode(path: &Path) -> Option<u64> {
    path.metadata().ok().map(|found| found.ino())
}

/// What was lost since `before` on the way here, by cause.
fn dropped(drops: &Drops, before: &Drops) -> [(u64, &'static str); 4] {
    [
        (
            drops.bulk_ring_full - before.bulk_ring_full,
            "for want of room in the rings",
        ),
        (
            drops.lifecycle_ring_full - before.lifecycle_ring_full,
            "of processes' lives for want of room",
        ),
        (drops.busy - before.busy, "recorded while another was"),
        (drops.too_long - before.too_long, "too long"),
    ]
}

/// The same in words; empty if nothing was.
fn losses(drops: &Drops, before: &Drops) -> String {
    list_of(&dropped(drops, before))
}

/// What was lost since it is here, by cause.
fn unjudged(counters: &Counters) -> [(u64, &'static str); 9] {
    [
        (counters.malformed, "malformed records"),
        (counters.rows_unjudged, "events unjudged"),
        (
            counters.rows_of_dead_judges,
            "events unjudged because the judge died",
        ),
        (
            counters.rows_of_dead_components,
            "events unjudged because a module's process died",
        ),
        (counters.rows_too_large, "events too large"),
        (
            counters.rows_truncated,
            "events judged by texts that were cut",
        ),
        (counters.hits_lost, "hits lost"),
        (
            counters.rows_untaken,
            "events that modules were too slow for",
        ),
        (
            counters.responses_untold,
            "requests of modules that were gone before the answer",
        ),
    ]
}

/// Hands each alert to the outputs; what stood around its event, to where alerts are kept.
fn handing_on(mut queue: Queue, keeping: Option<Queue>) -> Box<dyn FnMut(Alert)> {
    match keeping {
        None => Box::new(move |alert| queue.push(alert)),
        Some(mut keeping) => Box::new(move |mut alert| {
            let (scene, why, text) = (alert.scene.take(), alert.why.take(), alert.text.take());
            queue.push(alert.clone());
            (alert.scene, alert.why, alert.text) = (scene, why, text);
            keeping.push(alert);
        }),
    }
}

/// The closing line: what was seen, and everything that was lost, under its cause.
fn report(
    counters: &Counters,
    drops: &Drops,
    written: &outputs::Counters,
    is_recording: bool,
) -> Result<(), Failure> {
    let mut line = format!("stopped: {}", count(counters.events, "event"));
    match is_recording {
        true => line.push_str(" seen"),
        false => line.push_str(&format!(", {}", count(counters.alerts, "alert"))),
    }
    line.push_str(&format!(", {} dropped", drops.records()));
    let causes = losses(drops, &Drops::default());
    if !causes.is_empty() {
        line.push_str(&format!(" ({causes})"));
    }
    let untaken = written.dropped.load(Ordering::Relaxed);
    let unwritten = counters
        .alerts
        .saturating_sub(written.written.load(Ordering::Relaxed) + untaken);
    let mut lost = unjudged(counters).to_vec();
    lost.push((untaken, "alerts not taken by the output"));
    lost.push((unwritten, "alerts not written"));
    let lost = list_of(&lost);
    if !lost.is_empty() {
        line.push_str(&format!(", {lost}"));
    }
    tracing::info!("{line}");
    if untaken + unwritten > 0 {
        return Err(Failure::Failed(anyhow::anyhow!(
            "{} could not be written",
            count(untaken + unwritten, "alert")
        )));
    }
    Ok(())
}
