use super::*;
use crate::event::Captured;
use saker_capture::{Compression, ParamBuffer, Section, Writer};

/// A capture of these events: flags, thread, code and parameters; code 0xffff begins another
/// recording.
fn capture(events: &[(u32, i64, u16, &[&[u8]])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Compression::Plain).expect("memory takes it");
    let mut buffer = ParamBuffer::new();
    for (flags, tid, code, params) in events {
        if *code == NEXT {
            let section = Entry::Section(Section::NEWEST);
            writer.write(&section).expect("it can stand anywhere");
            continue;
        }
        buffer.clear();
        params.iter().for_each(|param| assert!(buffer.push(param)));
        let event = Event {
            cpu: 1,
            flags: *flags,
            time: 1000,
            tid: *tid,
            code: *code,
            params: buffer.params(),
        };
        writer.event(&event).expect("it is one");
    }
    writer.finish().expect("memory takes it")
}

const NEXT: u16 = u16::MAX;

/// What an event became.
#[derive(Debug, PartialEq)]
struct Became {
    kind: EventType,
    purpose: Purpose,
    params: usize,
    /// The bytes of what its beginning said.
    given: Vec<Vec<u8>>,
}

fn read(bytes: &[u8]) -> (Vec<Became>, Capture<&[u8]>) {
    let mut capture = Capture::new(Reader::new(bytes).expect("it is a capture"));
    let mut batch = Batch::new();
    while capture
        .read::<CaptureError>(&mut batch, 10_000, 1 << 24, |_, _, _| Ok(()))
        .expect("it is whole")
    {}
    let became = batch.records().map(|bytes| {
        let event = Captured::parse(bytes, 1).expect("it was just written");
        assert_eq!((event.cpu, event.time), (1, 1000));
        Became {
            kind: event.kind,
            purpose: event.purpose,
            params: event.len(),
            given: (0..event.beginning_len())
                .map(|index| event.beginning(index).expect("it is there").to_vec())
                .collect(),
        }
    });
    (became.collect(), capture)
}

fn purposes(became: &[Became]) -> Vec<(EventType, Purpose)> {
    became
        .iter()
        .map(|event| (event.kind, event.purpose))
        .collect()
}

#[test]
fn an_end_brings_along_what_its_beginning_said() {
    let begun: &[&[u8]] = &[b"/etc/shadow\0", &[1, 0, 0, 0], &[0; 4]];
    let ended: &[&[u8]] = &[&[3; 8], b"/tmp/x\0", &[1, 0, 0, 0], &[0; 4]];
    let bytes = capture(&[
        (0, 7, 2, begun),
        (0, 8, 3, ended),
        (0, 7, 3, ended),
        (0, 7, 3, ended),
    ]);
    let (became, capture) = read(&bytes);
    let opened = |given: &[&[u8]]| Became {
        kind: EventType::Open,
        purpose: Purpose::Judged,
        params: 6,
        given: given.iter().map(|param| param.to_vec()).collect(),
    };
    let beginning = Became {
        kind: EventType::Open,
        purpose: Purpose::Beginning,
        params: 3,
        given: Vec::new(),
    };
    assert_eq!(became, [beginning, opened(&[]), opened(begun), opened(&[])]);
    let expected = Skipped {
        hidden: 1,
        ..Skipped::default()
    };
    assert_eq!(capture.skipped(), expected);
}

#[test]
fn what_another_call_was_given_is_not_brought_along() {
    let begun: &[&[u8]] = &[b"/etc/shadow\0", &[1, 0, 0, 0], &[0; 4]];
    let ended: &[&[u8]] = &[&[3; 8], b"/tmp/x\0", &[1, 0, 0, 0], &[0; 4]];
    // What is no end of a call leaves it, any end takes it away.
    let switched: &[&[u8]] = &[&[1; 8], &[], &[], &[], &[], &[]];
    let bytes = capture(&[
        (0, 7, 2, begun),
        (0, 7, 152, switched),
        (0, 7, 3, ended),
        (0, 7, 2, begun),
        (0, 7, 5, &[&[0; 8], &[9; 8]]),
        (0, 7, 3, ended),
    ]);
    let given: Vec<usize> = read(&bytes)
        .0
        .iter()
        .map(|event| event.given.len())
        .collect();
    assert_eq!(given, [0, 0, 3, 0, 0, 0]);
}

#[test]
fn an_execve_takes_the_beginning_of_an_execveat_but_no_empty_one() {
    let ended: Vec<&[u8]> = vec![&[0; 8]; 31];
    let bytes = capture(&[
        (0, 7, 330, &[&[0; 8], b"x\0", &[0; 4]]),
        (0, 7, 293, &ended),
        (0, 7, 292, &[b"/bin/x\0"]),
        (0, 7, 293, &ended),
        (0, 7, 292, &[b""]),
        (0, 7, 293, &ended),
    ]);
    let given: Vec<usize> = read(&bytes)
        .0
        .iter()
        .map(|event| event.given.len())
        .collect();
    assert_eq!(given, [0, 3, 0, 1, 0, 0]);
}

#[test]
fn what_is_there_for_the_state_alone_is_not_judged() {
    use Purpose::{Hidden, Judged};
    let closed: &[&[u8]] = &[&[0; 8], &[9; 8]];
    let user: &[&[u8]] = &[&[0; 4], &[0; 4], b"x\0", b"/\0", b"/\0", b"\0"];
    let bytes = capture(&[
        (0, -1, 354, user),
        (0, -1, 324, &[b"{}\0"]),
        (0, 7, 5, closed),
        (1, 7, 5, closed),
        (0, -1, 354, user),
        (0, 0, NEXT, &[]),
        (0, -1, 354, user),
        // The end of a call that is left out is enough.
        (0, 7, 4, &[&[1; 8]]),
        (0, -1, 354, user),
    ]);
    let (became, capture) = read(&bytes);
    let expected = [
        (EventType::Useradded, Hidden),
        (EventType::Container, Hidden),
        (EventType::Close, Judged),
        (EventType::Close, Hidden),
        (EventType::Useradded, Judged),
        (EventType::Useradded, Hidden),
        (EventType::Useradded, Judged),
    ];
    assert_eq!(purposes(&became), expected);
    assert_eq!((capture.skipped().hidden, capture.skipped().merged), (4, 1));
}

#[test]
fn another_recording_knows_no_beginning_of_the_one_before() {
    let begun: &[&[u8]] = &[b"/etc/shadow\0", &[1, 0, 0, 0], &[0; 4]];
    let ended: &[&[u8]] = &[&[3; 8], b"/tmp/x\0", &[1, 0, 0, 0], &[0; 4], &[], &[]];
    let bytes = capture(&[
        (0, 7, 2, begun),
        (0, 8, 4, &[&[9; 8]]),
        (0, 0, NEXT, &[]),
        (0, 7, 3, ended),
        (0, 8, 5, &[&[0; 8]]),
    ]);
    let (became, capture) = read(&bytes);
    assert_eq!(became.len(), 3);
    assert!(became.iter().all(|event| event.given.is_empty()));
    // Descriptor 0, and not that of the other recording.
    assert_eq!((became[2].kind, became[2].params), (EventType::Close, 2));
    assert_eq!(capture.skipped().mismatched, 0);
}

#[test]
fn what_cannot_be_converted_is_counted_and_the_first_is_told() {
    let closed: &[&[u8]] = &[&[0; 8], &[9; 8]];
    let bytes = capture(&[
        (0, 7, 5, closed),
        (0, 7, 5, &[&[0; 8], &[9; 8], &[1]]),
        (0, 7, 17, &[]),
        (0, 7, 4000, &[]),
        (0, 7, 3, &[]),
        (0, 7, 5, closed),
    ]);
    let (became, capture) = read(&bytes);
    assert_eq!(became.len(), 2);
    let skipped = capture.skipped();
    assert_eq!((skipped.unconverted, skipped.unknown), (2, 2));
    let first = capture_bytes_before(&[(0, 7, 5, closed)]);
    let both = [(0, 7, 5, closed), (0, 7, 5, &[&[0; 8], &[9; 8], &[1]])];
    let second = capture_bytes_before(&both);
    let told = [
        format!("byte {first}: no event of type 5 is known that has 3 parameters"),
        format!("byte {second}: an event of type 17 is not known"),
    ];
    assert_eq!(capture.unread().collect::<Vec<_>>(), told);
}

fn capture_bytes_before(events: &[(u32, i64, u16, &[&[u8]])]) -> u64 {
    capture(events).len() as u64
}
