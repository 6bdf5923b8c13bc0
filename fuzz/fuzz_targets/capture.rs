//! Captures: whatever is read of one can be written, and is then read as it was, without an error.
//! Bytes whose first is even are a capture as they are; others are bodies of blocks, which get
//! frames that fit, as chance hardly finds two equal lengths.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saker_capture::{Compression, Entry, Reader, WriteError, Writer};

/// One of each kind and version.
const BLOCKS: [u32; 24] = [
    0x201,
    0x202,
    0x203,
    0x204,
    0x205,
    0x206,
    0x207,
    0x208,
    0x209,
    0x210,
    0x211,
    0x212,
    0x213,
    0x214,
    0x215,
    0x216,
    0x217,
    0x218,
    0x219,
    0x220,
    0x221,
    0x222,
    0x7777,
    0x0A0D_0D0A,
];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    if first % 2 == 0 {
        check(rest);
    } else {
        check(&framed(rest));
    }
});

fn frame(capture: &mut Vec<u8>, block: u32, body: &[u8]) {
    let total = (body.len().next_multiple_of(4) + 12) as u32;
    capture.extend(block.to_le_bytes());
    capture.extend(total.to_le_bytes());
    capture.extend(body);
    capture.resize(capture.len().next_multiple_of(4), 0);
    capture.extend(total.to_le_bytes());
}

/// Each block: which, how long its body is, the body.
fn framed(mut bytes: &[u8]) -> Vec<u8> {
    let mut capture = Vec::new();
    let section = [0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 2, 0];
    frame(
        &mut capture,
        0x0A0D_0D0A,
        &[&section[..], &[0xff; 8]].concat(),
    );
    while let [which, length, rest @ ..] = bytes {
        let block = BLOCKS[usize::from(*which) % BLOCKS.len()];
        let (body, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        frame(&mut capture, block, body);
        bytes = rest;
    }
    capture
}

fn check(capture: &[u8]) {
    let Ok(mut reader) = Reader::new(capture) else {
        return;
    };
    let mut writer = Writer::new(Vec::new(), Compression::Plain).expect("memory");
    let mut written = Vec::new();
    let mut steps = 0;
    loop {
        steps += 1;
        match reader.next() {
            Ok(Some(Entry::Section(_))) => {}
            Ok(Some(entry)) => match writer.write(&entry) {
                Ok(()) => written.push(format!("{entry:?}")),
                Err(WriteError::Order(_) | WriteError::TooLong { .. }) => {}
                Err(error) => panic!("{error}"),
            },
            Ok(None) => break,
            Err(_) => {}
        }
        // What is compressed can be a thousand times as long, and then says nothing new.
        if steps > 20_000 {
            return;
        }
    }
    let cut = writer.written().texts_cut;
    let again = writer.finish().expect("memory");
    let mut reader = Reader::new(&again[..]).expect("a capture");
    let mut written = written.iter();
    while let Some(entry) = reader.next().expect("what was written can be read") {
        if !matches!(entry, Entry::Section(_)) {
            let before = written.next().expect("no more than was written");
            assert!(cut > 0 || *before == format!("{entry:?}"));
        }
    }
    assert!(written.next().is_none());
}
