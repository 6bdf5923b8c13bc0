//! What captures of a time when the beginning of a call was an event of its own say of files and
//! programs: the kernel's arguments at the beginning hold, not what they were at the end.

use saker::alert::to_json;
use saker::event::{Captured, Clock, Event};
use saker::extract::{Scratch, View, value};
use saker::source::capture::Capture;
use saker::source::merge::Batch;
use saker::state::{Limits, State};
use saker_capture::{
    CaptureError, Compression, Entry, ParamBuffer, Reader, Section, Thread, Writer,
};
use saker_rules_schema::field::FieldRef;
use serde_json::Value;

const ZERO: &[u8] = &[0; 8];
const SEVEN: &[u8] = &[7, 0, 0, 0, 0, 0, 0, 0];
const THREE: &[u8] = &[3, 0, 0, 0, 0, 0, 0, 0];
const FLAGS: &[u8] = &[1, 0, 0, 0];

/// A capture in which thread 7, which is in `/home`, does that: code and parameters.
fn capture(events: &[(u16, &[&[u8]])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Compression::Plain).expect("memory takes it");
    writer
        .write(&Entry::Section(Section::NEWEST))
        .expect("it comes first");
    let thread = Thread {
        tid: 7,
        pid: 7,
        comm: b"actor",
        cwd: b"/home",
        ..Thread::default()
    };
    let thread = Entry::Thread(thread.into());
    writer.write(&thread).expect("before events");
    let mut buffer = ParamBuffer::new();
    for (code, params) in events {
        buffer.clear();
        params.iter().for_each(|param| assert!(buffer.push(param)));
        let event = saker_capture::Event {
            cpu: 0,
            flags: 0,
            time: 1_000,
            tid: 7,
            code: *code,
            params: buffer.params(),
        };
        writer.event(&event).expect("it is one");
    }
    writer.finish().expect("memory takes it")
}

/// Number and field of every event that is judged.
fn values(capture: &[u8], field: &str) -> Vec<(u64, Value)> {
    let field = FieldRef::parse(field).expect("the field exists");
    let mut capture = Capture::new(Reader::new(capture).expect("it is a capture"));
    let mut state = State::new(Limits::default(), Clock::default());
    let (mut batch, mut scratch) = (Batch::new(), Scratch::new());
    let (mut number, mut values) = (0, Vec::new());
    let mut apply = |state: &mut State, batch: &mut Batch| {
        for bytes in batch.records() {
            number += 1;
            let event = Captured::parse(bytes, number).expect("the source wrote it");
            let event = Event::Captured(event);
            let seen = state.apply(&event);
            if event.kind().is_some() {
                let view = View::new(&event, state, seen);
                values.push((number, to_json(value(&field, &view, &mut scratch).as_ref())));
            }
            state.release(number + 1);
        }
        batch.clear();
    };
    let read = capture.read::<CaptureError>(&mut batch, 10_000, 1 << 24, |batch, entry, _| {
        apply(&mut state, batch);
        state.seed_captured(entry);
        Ok(())
    });
    assert!(!read.expect("it is whole"), "that was all of it");
    apply(&mut state, &mut batch);
    values
}

#[test]
fn what_an_open_was_given_at_its_beginning_is_what_it_opened() {
    let bytes = capture(&[
        (306, &[&(-100i64).to_le_bytes(), b"shadow\0", FLAGS, FLAGS]),
        (307, &[THREE, ZERO, b"/tmp/x\0", FLAGS, FLAGS]),
        // One that could not be read says nothing.
        (306, &[&(-100i64).to_le_bytes(), b"<NA>\0", FLAGS, FLAGS]),
        (307, &[THREE, ZERO, b"/tmp/x\0", FLAGS, FLAGS]),
        (2, &[b"/etc/shadow\0", FLAGS, FLAGS]),
        (3, &[THREE, b"/tmp/x\0", FLAGS, FLAGS]),
    ]);
    // The beginnings have numbers of their own.
    let expected = [(2, "/home/shadow"), (4, "/tmp/x"), (6, "/etc/shadow")];
    let expected = expected.map(|(number, name)| (number, Value::from(name)));
    assert_eq!(values(&bytes, "fd.name"), expected);
}

#[test]
fn the_program_of_an_exec_is_what_its_beginning_named() {
    let ended: Vec<&[u8]> = (0..17)
        .map(|index| match index {
            0 | 6 => ZERO,
            3..=5 => SEVEN,
            1 | 13 => b"x\0",
            _ => b"",
        })
        .collect();
    for (begun, path) in [
        (&[&b"bin/x\0"[..]][..], Value::from("/home/bin/x")),
        (&[b"/bin/x\0"], Value::from("/bin/x")),
        (&[b"<NA>\0"], Value::from("<NA>")),
    ] {
        let bytes = capture(&[(288, begun), (289, &ended)]);
        assert_eq!(values(&bytes, "proc.exepath"), [(2, path)]);
    }
}

#[test]
fn another_recording_begins_with_nothing_known() {
    let opened: (u16, &[&[u8]]) = (3, &[THREE, b"x\0", FLAGS, FLAGS]);
    let read: (u16, &[&[u8]]) = (7, &[ZERO, b"data", THREE, FLAGS]);
    let mut bytes = capture(&[opened, read]);
    bytes.extend(capture(&[read]));
    let name = Value::from("/home/x");
    let expected = [(1, name.clone()), (2, name), (3, "".into())];
    assert_eq!(values(&bytes, "fd.name"), expected);
}
