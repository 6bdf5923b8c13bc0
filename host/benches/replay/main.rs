//! What `saker replay` costs an event: CPU time of the whole program in user mode, over large
//! captures: one of a workload with Falco's own mix, recorded here and now, and two of Falco's
//! shared ones, their events over and over again. Without the latter the bench says so and measures
//! nothing. Figures of Falco for captures of its own stand in `PEER.md` beside them: 0.93 µs an
//! event with 25 rules, 2.8 µs with 81, 0.28 with none.
//!
//! What the stages cost is measured in this process, each with all before it.
//! `cargo bench -p saker --bench replay -- some.scap` measures a capture of one's own.

#[path = "../support/mod.rs"]
mod support;
mod workload;

use saker::event::{Captured, Clock, Event};
use saker::extract::row::Full;
use saker::modules::{Epoch, Module, Selection};
use saker::source::capture::Capture;
use saker::source::merge::Batch;
use saker::state::{Limits, State};
use saker_capture::{CaptureError, Compression, Entry, Reader, Writer};
use saker_rules_compiler::{Options, Source, compile};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Events that a looped capture has at least.
const EVENTS: u64 = 2_000_000;
/// Runs of the program of which the median is told.
const RUNS: usize = 5;
/// Rows of a window, as many as `saker replay` lets it have.
const ROWS: usize = 4096;
/// Bytes of a window.
const SLOT_BYTES: usize = 256 << 10;

fn falco() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/falco");
    let folder = std::env::var_os("SAKER_FALCO").map_or(beside, PathBuf::from);
    folder.join("captures").is_dir().then_some(folder)
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some(workload::WORD) {
        return workload::run();
    }
    let Some(folder) = falco() else {
        println!("skipped: needs falco data: the cost of a replay");
        return;
    };
    let temporary = tempfile::tempdir().expect("a folder for the capture");
    let rules = support::falco_rules("replay").expect("they lie beside the captures");
    let rules = [
        ("the stable rules", &rules[..1]),
        ("both files", &rules[..]),
    ];
    let named: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .map(PathBuf::from)
        .collect();
    let captures = match named.is_empty() {
        true => captures(&folder, temporary.path()),
        false => named,
    };
    for capture in &captures {
        let looped = temporary.path().join("looped.scap");
        let (events, names) = looped_from(capture, &looped);
        let name = capture.file_name().expect("a file").to_string_lossy();
        println!("{name}, {events} events: {}", most(&names, events));
        stages(&looped, events, &rules);
        let stable = folder.join("rules/falco_rules.yaml");
        let both = [
            stable.clone(),
            folder.join("rules/falco-incubating_rules.yaml"),
        ];
        program(
            "no event wanted",
            &looped,
            events,
            &[none(temporary.path())],
        );
        program("Falco's stable rules", &looped, events, &[stable]);
        program("both of Falco's files", &looped, events, &both);
    }
}

/// What is measured if nobody names a capture.
fn captures(falco: &Path, temporary: &Path) -> Vec<PathBuf> {
    let recorded = workload::recorded(temporary);
    if recorded.is_none() {
        println!("skipped: needs root and a kernel that can be watched: the cost of the workload");
    }
    let shared = ["docker.scap.gz", "server.scap.gz"];
    let shared = shared.map(|name| falco.join("captures").join(name));
    recorded.into_iter().chain(shared).collect()
}

/// A rule for events that never come.
fn none(folder: &Path) -> PathBuf {
    let path = folder.join("none.yaml");
    let rule = "- rule: none\n  desc: none\n  condition: evt.type = delete_module\n  output: none\n  priority: DEBUG\n";
    std::fs::write(&path, rule).expect("a folder of the bench");
    path
}

/// Writes the events of one capture into another until there are enough; how many, and how often
/// each type.
fn looped_from(from: &Path, to: &Path) -> (u64, BTreeMap<u16, u64>) {
    let file = File::create(to).expect("a folder of the bench");
    let mut writer = Writer::new(file, Compression::Plain).expect("a new file");
    let (mut events, mut names) = (0, BTreeMap::new());
    let mut shift = 0;
    while events < EVENTS {
        let file = BufReader::new(File::open(from).expect("it is there"));
        let mut reader = Reader::new(file).expect("it is a capture");
        let (mut first, mut last) = (None, 0);
        while let Some(entry) = reader.next().expect("it is whole") {
            match entry {
                Entry::Event(mut event) => {
                    first.get_or_insert(event.time);
                    last = event.time;
                    event.time += shift;
                    *names.entry(event.code).or_default() += 1;
                    events += 1;
                    writer.event(&event).expect("there is room");
                }
                Entry::Section(_) => {}
                entry if events == 0 || shift == 0 => writer.write(&entry).expect("there is room"),
                _ => {}
            }
        }
        shift += last - first.unwrap_or(last) + 1_000_000;
    }
    writer.finish().expect("there is room");
    (events, names)
}

/// The most frequent types, in parts of a hundred.
fn most(codes: &BTreeMap<u16, u64>, events: u64) -> String {
    let mut all: Vec<_> = codes.iter().collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let shown = all.iter().take(10).map(|(code, count)| {
        let name = saker_rules_schema::wire::wire(**code).map_or("?", |wire| wire.name);
        format!("{name} {} %", **count * 100 / events)
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// CPU time of this thread in user mode, ns.
fn user_ns(who: libc::c_int) -> u64 {
    let mut usage: libc::rusage = unsafe {
        // SAFETY: all-zero is a value of this plain structure.
        std::mem::zeroed()
    };
    // SAFETY: `usage` is a structure of the right type that lives through the call.
    let done = unsafe { libc::getrusage(who, &mut usage) };
    assert_eq!(done, 0, "the kernel tells");
    usage.ru_utime.tv_sec as u64 * 1_000_000_000 + usage.ru_utime.tv_usec as u64 * 1000
}

/// What the stages cost, each with all before it.
fn stages(capture: &Path, events: u64, rules: &[(&str, &[Source])]) {
    let measured = |name: &str, run: &mut dyn FnMut()| {
        let mut all: Vec<u64> = (0..RUNS)
            .map(|_| {
                let before = user_ns(libc::RUSAGE_THREAD);
                run();
                user_ns(libc::RUSAGE_THREAD) - before
            })
            .collect();
        all.sort_unstable();
        println!("  {name:<44} {:>5} ns an event", all[RUNS / 2] / events);
    };
    measured("read", &mut || {
        let mut reader = open(capture);
        while reader.next().expect("whole").is_some() {}
    });
    measured("and convert", &mut || read(capture, |_, _| {}));
    measured("and apply", &mut || {
        read(capture, |state, event| state.absorb(&event));
    });
    for (name, sources) in rules {
        let compiled = compile(sources, &Options::default()).ruleset;
        let wasm = compiled.expect("Falco's rules compile").wasm;
        let module = Module::compiled("bench", wasm).expect("valid");
        let mut epoch = 0;
        measured(&format!("and write rows for {name}"), &mut || {
            epoch += 1;
            let epoch = Epoch::new(epoch, vec![module.clone()], Selection::default());
            let plan = &mut epoch.plans().expect("layouts that can be")[0];
            let mut window = vec![0; SLOT_BYTES];
            let (mut used, mut rows) = (0, 0);
            read(capture, |state, event| {
                if event.kind().is_none_or(|kind| plan.row(kind).is_none()) {
                    return state.absorb(&event);
                }
                let seen = state.apply(&event);
                if rows == ROWS {
                    plan.begin_window();
                    (used, rows) = (0, 0);
                }
                let written = plan.write(state, &event, seen, &mut window[used..]);
                let written = written.or_else(|Full| {
                    plan.begin_window();
                    (used, rows) = (0, 0);
                    plan.write(state, &event, seen, &mut window)
                });
                let written = written.expect("a row fits");
                let Some(written) = written else { return };
                used += written.bytes;
                rows += 1;
            });
        });
    }
}

fn open(capture: &Path) -> Reader<BufReader<File>> {
    let file = BufReader::with_capacity(256 << 10, File::open(capture).expect("just written"));
    Reader::new(file).expect("a capture")
}

/// Reads and converts all events, and hands each on with the state.
fn read(capture: &Path, mut take: impl FnMut(&mut State, Event<'_>)) {
    let mut state = State::new(Limits::default(), Clock::default());
    let mut source = Capture::new(open(capture));
    let mut batch = Batch::new();
    let mut number = 0;
    loop {
        let more = source.read::<CaptureError>(&mut batch, 4096, 1 << 20, |_, entry, _| {
            state.seed_captured(entry);
            Ok(())
        });
        for bytes in batch.records() {
            number += 1;
            if let Some(event) = Captured::parse(bytes, number) {
                take(&mut state, Event::Captured(event));
            }
        }
        state.release(number + 1);
        batch.clear();
        if !more.expect("whole") {
            break;
        }
    }
}

/// The whole program, with the native code of its rules kept, as after any first run.
fn program(name: &str, capture: &Path, events: u64, rules: &[PathBuf]) {
    let cache = capture.with_file_name("cache");
    let _ = std::fs::DirBuilder::new().mode(0o700).create(&cache);
    let cache = format!("cache.dir={}", cache.display());
    let mut alerts = 0;
    let mut all: Vec<u64> = (0..=RUNS)
        .map(|_| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_saker"));
            command.arg("replay").arg(capture).arg("-o").arg(&cache);
            command.args(["-o", "rules[].enable.rule=*"]);
            for rules in rules {
                command.arg("-r").arg(rules);
            }
            let before = user_ns(libc::RUSAGE_CHILDREN);
            let output = command.output().expect("saker runs");
            assert!(output.status.success(), "{name}");
            alerts = output.stdout.iter().filter(|byte| **byte == b'\n').count();
            user_ns(libc::RUSAGE_CHILDREN) - before
        })
        .collect();
    // The first one compiled.
    all.remove(0);
    all.sort_unstable();
    let [least, median, most] = [all[0], all[RUNS / 2], all[RUNS - 1]].map(|ns| ns / events);
    println!("  whole program, {name}: {median} ns an event [{least}-{most}], {alerts} alerts");
}
