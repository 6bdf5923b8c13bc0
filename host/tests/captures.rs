//! Captures that Falco recorded, with Falco's own values of every field at every event, read
//! where they lie; skipped, visibly, without them.
//!
//! `SAKER_CAPTURES=files,procs` looks at those alone, `SAKER_FIELDS=proc.,fd.name` at fields
//! that begin so, `SAKER_SAMPLES=20` shows more events of each; every difference that is not in
//! the table of deliberate ones is shown with its first events.

use flate2::read::MultiGzDecoder;
use saker::alert::to_json;
use saker::event::{Captured, Clock, Event};
use saker::extract::{Scratch, View, needs, value};
use saker::source::capture::Capture;
use saker::source::merge::Batch;
use saker::state::note::Noted;
use saker::state::{Limits, Seen, State};
use saker_capture::{CaptureError, Reader};
use saker_rules_schema::field::FieldRef;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

/// The folder of Falco's data: `SAKER_FALCO`, or `../shared/falco` beside the workspace.
fn falco() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/falco");
    let folder = std::env::var_os("SAKER_FALCO").map_or(beside, PathBuf::from);
    if folder.join("expected/fields.txt").is_file() {
        return Some(folder);
    }
    let required = std::env::var("SAKER_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|name| name.trim() == "falco"),
        "falco data is required and was not found"
    );
    println!("skipped: needs falco data: every_field_of_every_event_is_falcos");
    None
}

/// Captures, with the file of each.
const CAPTURES: [(&str, &str); 5] = [
    ("files", "files.scap"),
    ("procs", "procs.scap.gz"),
    ("privs", "privs.scap.gz"),
    ("docker", "docker.scap.gz"),
    ("server", "server.scap.gz"),
];

/// Where Saker means to differ: of which field, whether that is so of these two values (Falco's
/// and ours), and why.
type Difference = (&'static str, fn(&Value, &Value) -> bool, &'static str);

const DIFFERENCES: &[Difference] = &[
    (
        "evt.time.iso8601",
        |wanted, _| wanted.is_null(),
        "the same as `evt.time` in Falco's output, and not among its values",
    ),
    (
        "evt.deltatime",
        |wanted, _| *wanted == 0,
        "Falco counts from the last event for which that very check was asked, and these were \
         asked once; Saker counts from the event before",
    ),
    (
        "evt.buffer",
        |wanted, got| {
            let texts = wanted.as_str().zip(got.as_str());
            texts.is_some_and(|(wanted, got)| match got {
                "" => wanted.starts_with('N'),
                _ => wanted.starts_with(got) && got.len() < 16,
            })
        },
        "of no bytes, and of a number, Falco shows what was left in its buffer by another text",
    ),
];

/// In Falco's values a directory was renamed after they were given, and with it the paths in the
/// captures; there one part of one relative path was missed.
fn renamed(got: Value) -> Value {
    match got {
        Value::String(text) => text.replace("/tmp/work", "/tmp/task").into(),
        other => other,
    }
}

/// What is wrong with one field.
#[derive(Default)]
struct Wrong {
    events: usize,
    samples: Vec<String>,
}

fn chosen(variable: &str, name: &str, matches: fn(&str, &str) -> bool) -> bool {
    match std::env::var(variable) {
        Ok(chosen) => chosen.split(',').any(|part| matches(name, part.trim())),
        Err(_) => true,
    }
}

/// Two states, of which the second notes nothing that is not asked of it.
type States = [State; 2];

/// Every event of the capture, applied in order to both states.
fn each_event(path: &std::path::Path, mut see: impl FnMut(&States, &Event<'_>, [Seen; 2])) {
    let file = File::open(path).expect("the capture is there");
    let reader = Reader::new(BufReader::new(file)).expect("it is a capture");
    let mut capture = Capture::new(reader);
    let mut states = [(); 2].map(|()| State::new(Limits::default(), Clock::default()));
    states[1].keep_notes(Noted::NOTHING);
    let mut batch = Batch::new();
    let mut number = 0;
    let mut apply = |states: &mut States, batch: &mut Batch| {
        for bytes in batch.records() {
            number += 1;
            let event = Captured::parse(bytes, number).expect("the source wrote it");
            let event = Event::Captured(event);
            let seen = states.each_mut().map(|state| state.apply(&event));
            if event.kind().is_some() {
                see(states, &event, seen);
            }
            states
                .iter_mut()
                .for_each(|state| state.release(number + 1));
        }
        batch.clear();
    };
    loop {
        let more = capture.read::<CaptureError>(&mut batch, 256, 1 << 20, |batch, entry, _| {
            apply(&mut states, batch);
            for state in &mut states {
                state.seed_captured(entry);
            }
            Ok(())
        });
        apply(&mut states, &mut batch);
        if !more.expect("the capture is whole") {
            break;
        }
    }
}

#[test]
fn every_field_of_every_event_is_falcos() {
    let Some(folder) = falco() else {
        return;
    };
    let listed = std::fs::read_to_string(folder.join("expected/fields.txt")).expect("it is there");
    let listed: Vec<&str> = listed.split_whitespace().collect();
    let mut refs: HashMap<String, Option<FieldRef>> = HashMap::new();
    let mut wrong: BTreeMap<String, Wrong> = BTreeMap::new();
    let (mut compared, mut events) = (0usize, 0usize);
    for (name, file) in CAPTURES {
        if !chosen("SAKER_CAPTURES", name, |name, part| name == part) {
            continue;
        }
        let expected = folder.join(format!("expected/{name}.fields.jsonl.gz"));
        let expected = File::open(expected).expect("the values are there");
        let mut lines = BufReader::new(MultiGzDecoder::new(expected)).lines();
        let mut scratch = Scratch::new();
        each_event(
            &folder.join("captures").join(file),
            |states, event, seen| {
                let Some(line) = lines.next() else {
                    wrong
                        .entry("more events than Falco has".into())
                        .or_default()
                        .events += 1;
                    return;
                };
                let line = line.expect("the values are readable");
                let want: serde_json::Map<String, Value> =
                    serde_json::from_str(&line).expect("JSON");
                events += 1;
                let kind = event.kind().expect("it is an event");
                let params = kind.params().iter().flat_map(|param| {
                    [
                        format!("evt.arg.{}", param.name),
                        format!("evt.rawarg.{}", param.name),
                    ]
                });
                let [all, bare] = [0, 1].map(|which| View::new(event, &states[which], seen[which]));
                for key in listed.iter().map(|key| (*key).to_owned()).chain(params) {
                    if !chosen("SAKER_FIELDS", &key, |key, part| key.starts_with(part)) {
                        continue;
                    }
                    let field = refs
                        .entry(key.clone())
                        .or_insert_with(|| FieldRef::parse(&key).ok());
                    let got = match (&*field, key.as_str()) {
                        (_, "evt.time") => event.time().into(),
                        (Some(field), _) => {
                            let is_noted = needs(field) != Noted::NOTHING;
                            let view = if is_noted { &all } else { &bare };
                            to_json(value(field, view, &mut scratch).as_ref())
                        }
                        (None, _) => Value::String("no such field".into()),
                    };
                    let got = renamed(got);
                    compared += 1;
                    let absent = |value: &Value| value.is_null() || value == "<NA>";
                    let wanted = want.get(&key).unwrap_or(&Value::Null);
                    if *wanted == got || absent(wanted) && absent(&got) {
                        continue;
                    }
                    let is_meant =
                        |(field, differs, _): &Difference| *field == key && differs(wanted, &got);
                    if DIFFERENCES.iter().any(is_meant) {
                        continue;
                    }
                    let wrong = wrong.entry(key).or_default();
                    wrong.events += 1;
                    if wrong.samples.len()
                        < std::env::var("SAKER_SAMPLES")
                            .ok()
                            .and_then(|n| n.parse().ok())
                            .unwrap_or(4)
                    {
                        let number = event.number();
                        let kind = kind.name();
                        wrong
                            .samples
                            .push(format!("{name} {number} {kind}: {wanted} is {got}"));
                    }
                }
            },
        );
        assert!(
            lines.next().is_none(),
            "{name}: fewer events than Falco has"
        );
    }
    let total: usize = wrong.values().map(|wrong| wrong.events).sum();
    println!("{events} events, {compared} values, {total} differ");
    let mut all: Vec<_> = wrong.iter().collect();
    all.sort_by_key(|(_, wrong)| std::cmp::Reverse(wrong.events));
    for (key, wrong) in all {
        println!("{key}: {}", wrong.events);
        for sample in &wrong.samples {
            println!("    {sample}");
        }
    }
    assert_eq!(total, 0, "values differ from Falco's");
}
