//! What `saker replay` costs an event: CPU time of the whole program in user mode, over a large
//! capture. The capture is one of Falco's shared ones, its events over and over again; without
//! them the bench says so and measures nothing. Figures of Falco for captures of its own stand in
//! `PEER.md` beside them: 0.93 µs an event with 25 rules, 2.8 µs with 81, 0.28 with none.
//!
//! What the stages cost is measured in this process, each with all before it.

use saker::event::{Captured, Clock, Event};
use saker::source::capture::Capture;
use saker::source::merge::Batch;
use saker::state::{Limits, State};
use saker_capture::{CaptureError, Compression, Entry, Reader, Writer};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Events that a looped capture has at least.
const EVENTS: u64 = 2_000_000;
/// Runs of the program of which the median is told.
const RUNS: usize = 5;

fn falco() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/falco");
    let folder = std::env::var_os("SAKER_FALCO").map_or(beside, PathBuf::from);
    folder.join("captures").is_dir().then_some(folder)
}

fn main() {
    let Some(folder) = falco() else {
        println!("skipped: needs falco data: the cost of a replay");
        return;
    };
    let temporary = tempfile::tempdir().expect("a folder for the capture");
    for name in ["docker.scap.gz", "server.scap.gz"] {
        let looped = temporary.path().join("looped.scap");
        let (events, names) = looped_from(&folder.join("captures").join(name), &looped);
        println!("{name}, {events} events: {}", most(&names, events));
        stages(&looped, events);
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

fn stages(capture: &Path, events: u64) {
    let open = || {
        let file = BufReader::with_capacity(256 << 10, File::open(capture).expect("just written"));
        Reader::new(file).expect("a capture")
    };
    let measured = |name: &str, run: &mut dyn FnMut()| {
        let before = user_ns(libc::RUSAGE_THREAD);
        run();
        let ns = user_ns(libc::RUSAGE_THREAD) - before;
        println!("  {name:<24} {:>5} ns an event", ns / events);
    };
    measured("read", &mut || {
        let mut reader = open();
        while reader.next().expect("whole").is_some() {}
    });
    let read = |mut apply: Option<&mut State>| {
        let mut source = Capture::new(open());
        let mut batch = Batch::new();
        let mut number = 0;
        loop {
            let more = source.read::<CaptureError>(&mut batch, 4096, 1 << 20, |_, entry| {
                if let Some(state) = &mut apply {
                    state.seed_captured(entry);
                }
                Ok(())
            });
            for bytes in batch.records() {
                number += 1;
                if let (Some(state), Some(event)) = (&mut apply, Captured::parse(bytes, number)) {
                    state.absorb(&Event::Captured(event));
                }
            }
            if let Some(state) = &mut apply {
                state.release(number + 1);
            }
            batch.clear();
            if !more.expect("whole") {
                break;
            }
        }
    };
    measured("read and convert", &mut || read(None));
    measured("read, convert and apply", &mut || {
        read(Some(&mut State::new(Limits::default(), Clock::default())));
    });
}

/// The whole program.
fn program(name: &str, capture: &Path, events: u64, rules: &[PathBuf]) {
    let mut all: Vec<u64> = (0..RUNS)
        .map(|_| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_saker"));
            command
                .arg("replay")
                .arg(capture)
                .args(["-o", "cache.dir="]);
            command.args(["-o", "rules[].enable.rule=*"]);
            for rules in rules {
                command.arg("-r").arg(rules);
            }
            let before = user_ns(libc::RUSAGE_CHILDREN);
            let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
            assert!(status.expect("saker runs").success(), "{name}");
            user_ns(libc::RUSAGE_CHILDREN) - before
        })
        .collect();
    all.sort_unstable();
    let [least, median, most] = [all[0], all[RUNS / 2], all[RUNS - 1]].map(|ns| ns / events);
    println!("  whole program, {name}: {median} ns an event [{least}-{most}]");
}
