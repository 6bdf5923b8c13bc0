//! Nanoseconds an event of each stage, from decode to hit, over a made-up machine whose mix has
//! about 40 % of events that rules want; beside it `oracle`, the plain evaluator, over the same
//! rows, and both again by Falco's own rules where they are found. These want 54 % of that mix,
//! in which processes come and go some three times as often, and opens are fewer, than where Falco
//! was measured; so they are judged over a mix like that as well. What handing windows over costs
//! by itself is measured in `sandbox.rs`, what compiling takes in `compile.rs`.
//! `cargo bench -p saker --bench pipeline`; the figures stand in README.md.

#[path = "support/rules.rs"]
mod rules;
mod support;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rules::hundred_sources;
use saker::config::Matching;
use saker::event::{self, Clock};
use saker::extract::row::{Full, Plan};
use saker::modules::{Epoch, Module, Selection};
use saker::pipeline::{Pipeline, Setup};
use saker::recent::Recent;
use saker::sandbox::{FromJudge, Judge, Limits, ToJudge};
use saker::source::merge::Batch;
use saker::source::synthetic::{Mix, Options as Machine, Synthetic};
use saker::state::facts::{Image, ProcessFacts, Start};
use saker::state::version::{Credentials, Ids};
use saker::state::{Seen, State};
use saker_ebpf::record::{Builder, File, Header, Kind, Record, Tag};
use saker_rules_compiler::{Options, Ruleset, Source, compile, explain, ir, oracle};
use saker_rules_schema::event::EventType;
use saker_rules_schema::manifest::Priority;
use saker_rules_schema::row::{PROCESS_ROW, PROCESS_ROWS_MAX, ROW_HEADER_BYTES};
use saker_shm::window::{Filled, SlotWriter, Window};
use std::collections::HashMap;
use std::fmt::Write;
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

const CLOCK: Clock = Clock {
    boot_to_epoch_ns: 1_750_000_000_000_000_000,
};
const EVENTS: usize = 20_000;
const BATCH: usize = 1_000;
const MACHINE: Machine = Machine {
    seed: 1,
    processes: 100,
};

fn ruleset(sources: &[Source], for_oracle: bool) -> Ruleset {
    let options = Options {
        for_oracle,
        ..Options::default()
    };
    let compilation = compile(sources, &options);
    compilation.ruleset.unwrap_or_else(|| {
        panic!(
            "{}",
            saker_rules_compiler::render(&compilation.diagnostics, sources, false)
        )
    })
}

fn epoch(ruleset: &Ruleset) -> Epoch {
    let module = Module::compiled("bench", ruleset.wasm.clone()).expect("valid");
    let selection = Selection {
        priority: Priority::Debug,
        matching: Matching::All,
        ..Selection::default()
    };
    Epoch::new(1, vec![module], selection)
}

fn batch(mix: Mix) -> (Batch, Batch) {
    let mut machine = Synthetic::new(MACHINE).with_mix(mix);
    let (mut births, mut events) = (Batch::new(), Batch::new());
    machine.fill(&mut births, 1_000);
    machine.fill(&mut events, EVENTS);
    (births, events)
}

fn state_after(batch: &Batch) -> State {
    let mut state = State::new(Default::default(), CLOCK);
    // As a pipeline with these rules has it.
    state.keep_all_descriptors(false);
    for (number, bytes) in batch.records().enumerate() {
        let record = Record::parse(bytes).expect("made here");
        state.apply(&event::decode(&record, &CLOCK, number as u64 + 1).into());
    }
    state
}

/// The machine as it is after its first records, which are these.
fn machine(births: &Batch) -> Synthetic {
    let mut machine = Synthetic::new(MACHINE);
    machine.fill(&mut Batch::new(), births.len());
    machine
}

/// The time that taking in `times` [`EVENTS`] of the machine takes, in batches of the size that
/// a busy ring gives: as from the ring's reader, each is just written when it is taken in.
fn time_batches(times: u64, machine: &mut Synthetic, mut take: impl FnMut(&Rc<Batch>)) -> Duration {
    let mut taken = Duration::ZERO;
    for _ in 0..times * (EVENTS / BATCH) as u64 {
        let mut batch = Batch::new();
        machine.fill(&mut batch, BATCH);
        let batch = Rc::new(batch);
        let began = Instant::now();
        take(&batch);
        taken += began.elapsed();
    }
    taken
}

/// Windows full of the batch's rows, and how many event rows they hold.
struct Rows {
    window: Window,
    filled: Vec<Filled>,
    rows: usize,
}

/// Writes an event's row if the plan wants the event, and tells that; where the slot is full,
/// goes on in the next.
fn write_row(
    plan: &mut Plan,
    state: &mut State,
    event: &event::Event<'_>,
    seen: Seen,
    window: &Window,
    slot: &mut SlotWriter,
    mut full: impl FnMut(Filled),
) -> bool {
    loop {
        match plan.write(state, event, seen, slot.rest()) {
            Ok(None) => return false,
            Ok(Some(written)) => {
                slot.commit(written.bytes);
                return true;
            }
            Err(Full) => {
                let begun = slot.rest().len();
                slot.discard(begun);
                let next = window.claim().expect("a slot");
                full(std::mem::replace(slot, next).close());
                plan.begin_window();
            }
        }
    }
}

fn write_rows(epoch: &Epoch, births: &Batch, events: &Batch) -> Rows {
    let mut state = state_after(births);
    let window = Window::create(64).expect("memory");
    let mut rows = Rows {
        window,
        filled: Vec::new(),
        rows: 0,
    };
    let plan = &mut epoch.plans().expect("the compiler's layouts are possible")[0];
    let mut slot = rows.window.claim().expect("a slot");
    for (index, bytes) in events.records().enumerate() {
        let record = Record::parse(bytes).expect("made here");
        let event: event::Event =
            event::decode(&record, &CLOCK, (births.len() + index) as u64 + 1).into();
        let seen = state.apply(&event);
        let filled = &mut rows.filled;
        rows.rows += usize::from(write_row(
            plan,
            &mut state,
            &event,
            seen,
            &rows.window,
            &mut slot,
            |full| filled.push(full),
        ));
    }
    rows.filled.push(slot.close());
    rows
}

fn judge_of(rows: &Rows, epoch: &Epoch) -> Judge {
    let mut judge = Judge::spawn(rows.window.fd(), Limits::default()).expect("threads");
    judge
        .send(ToJudge::Install {
            epoch: 1,
            rulesets: epoch.images(),
        })
        .expect("room");
    assert!(matches!(
        judge.blocking_receive(),
        Some(FromJudge::Installed { .. })
    ));
    judge
}

/// What judging every window took, and gave.
#[derive(Default)]
struct Judged {
    cpu_ns: u64,
    hits: usize,
}

/// A window with a process row of every ordinal, after which a module knows no process of
/// another window any more.
fn strangers(window: &Window) -> Filled {
    let mut slot = window.claim().expect("a slot");
    for ordinal in 0..PROCESS_ROWS_MAX as u32 {
        let row = &mut slot.rest()[..ROW_HEADER_BYTES];
        row[..4].copy_from_slice(&(ROW_HEADER_BYTES as u32).to_le_bytes());
        row[4..6].copy_from_slice(&PROCESS_ROW.to_le_bytes());
        row[24..28].copy_from_slice(&ordinal.to_le_bytes());
        slot.commit(ROW_HEADER_BYTES);
    }
    slot.close()
}

/// Sends every window and waits for the answers.
fn judge_all(judge: &mut Judge, rows: &Rows) -> Judged {
    judge_each(judge, &rows.filled)
}

fn judge_each(judge: &mut Judge, windows: &[Filled]) -> Judged {
    let mut judged = Judged::default();
    for (number, filled) in windows.iter().enumerate() {
        let message = ToJudge::Judge {
            window: number as u64,
            epoch: 1,
            ruleset: 0,
            slot: filled.slot(),
            first: filled.range().start,
            end: filled.range().end,
            rows: 0,
        };
        judge.send(message).expect("room");
    }
    for _ in windows {
        match judge.blocking_receive() {
            Some(FromJudge::Judged { cpu_ns, hits, .. }) => {
                judged.cpu_ns += cpu_ns;
                judged.hits += hits.len();
            }
            other => panic!("{other:?}"),
        }
    }
    judged
}

/// Rows of a window: (bytes of the process row, bytes of the event row).
fn rows_of(filled: &Filled) -> Vec<(&[u8], &[u8])> {
    let (mut rest, mut processes, mut rows) = (filled.rows(), HashMap::new(), Vec::new());
    while !rest.is_empty() {
        let number = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().expect("4"));
        let (row, after) = rest.split_at(number(0) as usize);
        if number(4) as u16 == PROCESS_ROW {
            processes.insert(number(24), row);
        } else {
            rows.push((processes[&number(24)], row));
        }
        rest = after;
    }
    rows
}

fn stages(c: &mut Criterion) {
    let (births, events) = batch(Mix::Server);
    let compiled = ruleset(&hundred_sources(), false);
    let epoch = epoch(&compiled);
    let mut group = c.benchmark_group("per event");
    group.throughput(Throughput::Elements(events.len() as u64));

    group.bench_function("decode", |b| {
        b.iter(|| {
            for (number, bytes) in events.records().enumerate() {
                let record = Record::parse(bytes).expect("made here");
                black_box(event::decode(&record, &CLOCK, number as u64 + 1));
            }
        });
    });
    group.bench_function("decode + state", |b| {
        b.iter_batched_ref(
            || state_after(&births),
            |state| {
                for (number, bytes) in events.records().enumerate() {
                    let record = Record::parse(bytes).expect("made here");
                    let number = (births.len() + number) as u64 + 1;
                    black_box(state.apply(&event::decode(&record, &CLOCK, number).into()));
                    if number.is_multiple_of(1024) {
                        state.release(number);
                    }
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("decode to row", |b| {
        let mut machine = machine(&births);
        let mut state = state_after(&births);
        let window = Window::create(8).expect("memory");
        let mut plan = epoch
            .plans()
            .expect("the compiler's layouts are possible")
            .remove(0);
        let mut number = births.len() as u64;
        b.iter_custom(|times| {
            let mut slot = window.claim().expect("a slot");
            time_batches(times, &mut machine, |batch| {
                for bytes in batch.records() {
                    number += 1;
                    let record = Record::parse(bytes).expect("made here");
                    let event: event::Event = event::decode(&record, &CLOCK, number).into();
                    if event.kind().is_none_or(|kind| plan.row(kind).is_none()) {
                        state.absorb(&event);
                        continue;
                    }
                    let seen = state.apply(&event);
                    write_row(
                        &mut plan, &mut state, &event, seen, &window, &mut slot, drop,
                    );
                }
                state.release(number);
            })
        });
    });
    group.bench_function("decode to hit (whole pipeline)", |b| {
        let window = Window::create(8).expect("memory");
        let judge = Judge::spawn(window.fd(), Limits::default()).expect("threads");
        let setup = Setup {
            state: State::new(Default::default(), CLOCK),
            window,
            judge,
            rows_max: 4096,
            alerts: Box::new(|alert| panic!("the bench's rules match nothing: {alert:?}")),
        };
        let mut pipeline = Pipeline::new(setup, self::epoch(&compiled)).expect("valid");
        let mut machine = machine(&births);
        let (births_again, _) = batch(Mix::Server);
        pipeline
            .push(&Rc::new(births_again))
            .expect("the judge lives");
        b.iter_custom(|times| {
            let pushed = time_batches(times, &mut machine, |batch| {
                pipeline.push(batch).expect("the judge lives");
            });
            let began = Instant::now();
            pipeline.drain().expect("the judge lives");
            pushed + began.elapsed()
        });
    });
    group.finish();
    share_of_wanted(&epoch, &events);
}

/// Says what the mix is like, so that figures can be compared.
fn share_of_wanted(epoch: &Epoch, events: &Batch) -> usize {
    let wanted: Vec<EventType> = epoch.wanted().collect();
    let kinds = events.records().filter_map(|bytes| {
        event::decode(&Record::parse(bytes).expect("made here"), &CLOCK, 1).kind
    });
    let (mut all, mut of_interest) = (0, 0);
    for kind in kinds {
        all += 1;
        of_interest += usize::from(wanted.contains(&kind));
    }
    println!("mix: {of_interest} of {all} events are wanted by the rules");
    of_interest
}

fn evaluation(c: &mut Criterion) {
    let hits = evaluate(c, "100 rules", &hundred_sources(), Mix::Server);
    assert_eq!(hits, 0, "these rules match nothing");
    if let Some(sources) = support::falco_rules("evaluation") {
        let mixes = [
            ("Falco's rules", Mix::Server),
            ("Falco's rules on a busy machine", Mix::Busy),
        ];
        for (name, mix) in mixes {
            let hits = evaluate(c, name, &sources, mix);
            println!("{name}: {hits} hits");
        }
    }
}

/// Rows judged by the compiled rules and by the oracle; how often the rules hold.
fn evaluate(c: &mut Criterion, rules: &str, sources: &[Source], mix: Mix) -> usize {
    let (births, events) = batch(mix);
    let lean = ruleset(sources, false);
    let lean_epoch = epoch(&lean);
    let wanted = share_of_wanted(&lean_epoch, &events);
    let rows = write_rows(&lean_epoch, &births, &events);
    println!(
        "rows: {} of them are judged, as far as can be told before",
        rows.rows
    );
    let mut group = c.benchmark_group("per wanted event");
    group.throughput(Throughput::Elements(wanted as u64));

    let mut judge = judge_of(&rows, &lean_epoch);
    let hits = judge_all(&mut judge, &rows).hits;
    group.bench_function(format!("evaluate, {rules} compiled"), |b| {
        // The judge's own CPU time, so that handing over is not counted in. Every time it meets
        // these processes for the first time.
        let strangers = [strangers(&rows.window)];
        b.iter_custom(|times| {
            (0..times)
                .map(|_| {
                    judge_each(&mut judge, &strangers);
                    Duration::from_nanos(judge_all(&mut judge, &rows).cpu_ns)
                })
                .sum()
        });
    });
    group.bench_function(format!("hand over and evaluate, {rules}"), |b| {
        b.iter(|| judge_all(&mut judge, &rows).hits);
    });

    // The oracle reads bytes, so its rows carry them; and nothing is asked before.
    let full = ruleset(sources, true);
    let full_epoch = epoch(&full);
    let full_rows = write_rows(&full_epoch, &births, &events);
    assert_eq!(full_rows.rows, wanted, "a row for each");
    let windows: Vec<_> = full_rows.filled.iter().map(rows_of).collect();
    // As Falco does, it asks only the rules that name the event's type.
    let layouts = oracle::Layouts::new(&full.manifest);
    let mut by_event: HashMap<EventType, Vec<&ir::Expr>> = HashMap::new();
    for condition in &full.conditions {
        for (event, _) in explain(condition) {
            by_event.entry(event).or_default().push(condition);
        }
    }
    let by_oracle = || {
        let mut hits = 0;
        for (process, row) in windows.iter().flatten() {
            let code = u16::from_le_bytes([row[4], row[5]]);
            let event = EventType::from_code(code).expect("written here");
            let values = layouts.values(event, row, process).expect("written here");
            for condition in &by_event[&event] {
                hits += usize::from(oracle::holds(condition, &values, event));
            }
        }
        hits
    };
    assert_eq!(by_oracle(), hits, "both find the same");
    group.bench_function(format!("evaluate, {rules} by oracle"), |b| {
        b.iter_custom(|times| {
            let began = cpu_time();
            for _ in 0..times {
                black_box(by_oracle());
            }
            cpu_time() - began
        });
    });
    group.finish();
    hits
}

/// CPU time of this thread so far, which other programs of the machine add nothing to.
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a structure of the right type that lives through the call.
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(done, 0, "the kernel tells");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A process that opens files in a loop, under rules that search its command line. The search
/// is made once per process; what a long command line adds to an open is that it is written once
/// per window, where there is a row. (Of a longer one, 16 KiB are recorded.)
fn command_lines(c: &mut Criterion) {
    let mut yaml = String::new();
    for n in 0..20 {
        let condition = format!("evt.type = openat and proc.cmdline contains --evil{n}");
        let _ = writeln!(
            yaml,
            "- {{rule: rule {n}, desc: d, condition: {condition}, output: o, priority: INFO}}"
        );
    }
    let sources = [Source {
        name: "bench.yaml".into(),
        text: yaml,
    }];
    let epoch = epoch(&ruleset(&sources, false));
    let mut group = c.benchmark_group("per open, 20 rules search the command line");
    group.throughput(Throughput::Elements(EVENTS as u64));
    for (name, bytes) in [("of 40 bytes", 40), ("of 100 KB", 100_000)] {
        let mut state = State::new(Default::default(), CLOCK);
        state.seed([process_with_command_line(bytes)]);
        let open = open_by_process();
        let record = Record::parse(&open).expect("made here");
        let window = Window::create(64).expect("memory");
        let mut rows = Rows {
            window,
            filled: Vec::new(),
            rows: EVENTS,
        };
        let mut judge = judge_of(&rows, &epoch);
        let plan = &mut epoch.plans().expect("the compiler's layouts are possible")[0];
        let mut number = 0;
        group.bench_function(name, |b| {
            // From record to row on this thread, and the judge over the rows, both in CPU time:
            // the difference is smaller than what others on the machine take away.
            b.iter_custom(|times| {
                let mut taken = Duration::ZERO;
                for _ in 0..times {
                    let began = thread_cpu();
                    plan.begin_window();
                    let mut slot = rows.window.claim().expect("a slot");
                    for _ in 0..EVENTS {
                        number += 1;
                        let event: event::Event = event::decode(&record, &CLOCK, number).into();
                        let seen = state.apply(&event);
                        let (window, filled) = (&rows.window, &mut rows.filled);
                        write_row(plan, &mut state, &event, seen, window, &mut slot, |full| {
                            filled.push(full);
                        });
                        state.release(number);
                    }
                    rows.filled.push(slot.close());
                    taken += thread_cpu() - began;
                    let judged = judge_all(&mut judge, &rows);
                    assert_eq!(judged.hits, 0, "these rules match nothing");
                    taken += Duration::from_nanos(judged.cpu_ns);
                    rows.filled.clear();
                }
                taken
            });
        });
    }
    group.finish();
}

/// CPU time this thread has used.
fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("it does not run backwards")
}

fn process_with_command_line(bytes: usize) -> ProcessFacts {
    // What the probe records, and what is read of `/proc`, at most.
    let recorded = bytes.min(16 * 1024);
    ProcessFacts {
        pid: 500,
        start: Start::Exact(1),
        comm: "loop".into(),
        image: Image {
            arguments: [&b"loop\0"[..], &vec![b'-'; recorded]].concat().into(),
            is_cut: recorded < bytes,
            ..Image::default()
        },
        cwd: b"/".to_vec(),
        ids: Ids::default(),
        credentials: Credentials::default(),
        cgroup: Default::default(),
        vm_size: 0,
        vm_rss: 0,
        threads: Vec::new(),
        descriptors: Vec::new(),
    }
}

fn open_by_process() -> Vec<u8> {
    let mut file = Vec::new();
    File::default().write(&mut file);
    let header = Header {
        len: 0,
        kind: Kind::Syscall,
        cpu: 0,
        sequence: 1,
        time: 1,
        start_time: 1,
        cgroup: 1,
        tid: 500,
        tgid: 500,
        syscall: libc::SYS_openat as u16,
        flags: 0,
        ret: 3,
        args: [0; 6],
    };
    Builder::new(&header)
        .piece(Tag::File, 0, &file)
        .piece(Tag::FilePath, 0, b"file\0srv\0")
        .finish()
}

/// What keeping recent events costs the event thread, and the thread that lets go of the oldest:
/// with room for all, with room for a part, and without.
fn recent(criterion: &mut Criterion) {
    let (births, _) = batch(Mix::default());
    let mut group = criterion.benchmark_group("recent");
    group.throughput(Throughput::Elements(EVENTS as u64));
    for (name, bytes) in [("roomy", 1 << 30), ("full", 16 << 20)] {
        let mut machine = machine(&births);
        let mut recent = Recent::start(state_after(&births).copy(), bytes).expect("a thread");
        // Until the first are let go of.
        time_batches(20, &mut machine, |batch| recent.records(batch));
        group.bench_function(name, |b| {
            b.iter_custom(|times| time_batches(times, &mut machine, |batch| recent.records(batch)));
        });
        let standing = recent.standing();
        println!("{name}: {standing:?}");
    }
    group.finish();
}

criterion_group!(benches, stages, evaluation, command_lines, recent);
criterion_main!(benches);
