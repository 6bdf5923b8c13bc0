//! Captures put together byte by byte, without the writer: what the format is, not what we write.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use saker_capture::{CaptureError, Counts, Entry, Reader};

/// Bytes of a body. Numbers are little-endian.
#[derive(Clone, Default)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn u8(self, value: u8) -> Self {
        self.raw(&[value])
    }

    pub fn u16(self, value: u16) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub fn u32(self, value: u32) -> Self {
        self.raw(&value.to_le_bytes())
    }

    pub fn u64(self, value: u64) -> Self {
        self.raw(&value.to_le_bytes())
    }

    /// A length in two bytes, then the text.
    pub fn text(self, text: &str) -> Self {
        self.u16(text.len() as u16).raw(text.as_bytes())
    }

    /// With its own length in front, counted in.
    pub fn sized(self) -> Self {
        Self::new().u32(self.0.len() as u32 + 4).raw(&self.0)
    }
}

/// A whole block around a body.
pub fn block(kind: u32, body: &Bytes) -> Vec<u8> {
    let mut padded = body.0.clone();
    padded.resize(padded.len().next_multiple_of(4), 0);
    let total = padded.len() as u32 + 12;
    Bytes::new().u32(kind).u32(total).raw(&padded).u32(total).0
}

pub fn section() -> Vec<u8> {
    let body = Bytes::new().u32(0x1A2B_3C4D).u16(1).u16(2).u64(u64::MAX);
    block(0x0A0D_0D0A, &body)
}

/// A capture of these blocks.
pub fn capture(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut capture = section();
    blocks
        .iter()
        .for_each(|block| capture.extend_from_slice(block));
    capture
}

/// An event's head and parameters as they follow the processor and the flags.
pub fn event(code: u16, count: bool, large: bool, params: &[&[u8]]) -> Bytes {
    let mut tail = Bytes::new();
    for param in params {
        tail = match large {
            true => tail.u32(param.len() as u32),
            false => tail.u16(param.len() as u16),
        };
    }
    for param in params {
        tail = tail.raw(param);
    }
    let head = if count { 26 } else { 22 };
    let event = Bytes::new()
        .u64(1_700_000_000_000_000_001)
        .u64(4711)
        .u32(head + tail.0.len() as u32)
        .u16(code);
    let event = if count {
        event.u32(params.len() as u32)
    } else {
        event
    };
    event.raw(&tail.0)
}

/// All entries as text, the section left out; then all errors, and what was counted.
pub fn read(capture: &[u8]) -> (Vec<String>, Vec<CaptureError>, Counts) {
    let mut entries = Vec::new();
    let mut errors = Vec::new();
    let mut reader = match Reader::new(capture) {
        Ok(reader) => reader,
        Err(error) => return (entries, vec![error], Counts::default()),
    };
    loop {
        match reader.next() {
            Ok(Some(Entry::Section(_))) => {}
            Ok(Some(entry)) => entries.push(format!("{entry:?}")),
            Ok(None) => break,
            Err(error) => errors.push(error),
        }
        // Each step takes twelve bytes of blocks or four of a list.
        assert!(entries.len() + errors.len() <= capture.len());
    }
    assert!(matches!(reader.next(), Ok(None)), "the end is the end");
    (entries, errors, reader.counts())
}

/// The only entry of a capture of this block.
pub fn only(kind: u32, body: &Bytes, check: impl FnOnce(&Entry<'_>)) {
    let capture = capture(&[block(kind, body)]);
    let mut reader = Reader::new(&capture[..]).expect("a capture");
    assert!(matches!(reader.next(), Ok(Some(Entry::Section(_)))));
    check(&reader.next().expect("it can be read").expect("an entry"));
    assert!(matches!(reader.next(), Ok(None)));
}

/// A little of everything, in the newest version.
pub fn small() -> Vec<u8> {
    let machine = Bytes::new()
        .u32(2)
        .u64(1 << 30)
        .u64(32768)
        .raw(b"host")
        .raw(&[0; 124])
        .u64(5)
        .u64(6)
        .u64(0)
        .u64(0);
    let interface = Bytes::new()
        .u32(26)
        .u16(1)
        .u16(2)
        .raw(&[127, 0, 0, 1, 255, 0, 0, 0, 127, 255, 255, 255])
        .u64(9)
        .raw(b"lo");
    let user = Bytes::new()
        .u8(0)
        .u32(1)
        .u32(2)
        .text("u")
        .text("/u")
        .text("sh")
        .sized();
    let group = Bytes::new().u8(1).u32(2).text("g").sized();
    let threads = Bytes::new()
        .raw(&thread(9, true).sized().0)
        .raw(&thread(9, false).sized().0);
    let file = Bytes::new()
        .u64(3)
        .u64(77)
        .u8(16)
        .u32(1)
        .text("/f")
        .u32(8)
        .sized();
    let pipe = Bytes::new().u64(4).u64(78).u8(7).text("").sized();
    let server = Bytes::new()
        .u64(5)
        .u64(79)
        .u8(5)
        .raw(&[0; 4])
        .u16(80)
        .u8(2)
        .sized();
    let descriptors = Bytes::new()
        .u64(4711)
        .raw(&file.0)
        .raw(&pipe.0)
        .raw(&server.0);
    let params: [&[u8]; 3] = [b"\x03\0\0\0\0\0\0\0", b"/etc/passwd\0", b""];
    capture(&[
        block(0x201, &machine),
        block(0x219, &interface),
        block(0x220, &Bytes::new().raw(&user.0).raw(&group.0)),
        block(0x215, &threads),
        block(0x218, &descriptors),
        block(
            0x216,
            &Bytes::new().u16(1).raw(&event(3, true, false, &params).0),
        ),
        block(
            0x217,
            &Bytes::new()
                .u16(1)
                .u32(1)
                .raw(&event(5, true, false, &params).0),
        ),
        block(
            0x204,
            &Bytes::new().u16(0).raw(&event(3, false, false, &params).0),
        ),
        block(
            0x221,
            &Bytes::new().u16(0).raw(&event(402, true, true, &params).0),
        ),
    ])
}

/// A thread as a list of that version has it. `newest` adds what came into version 9 later.
pub fn thread(version: u8, newest: bool) -> Bytes {
    let mut thread = Bytes::new().u64(10).u64(11).u64(12);
    if version >= 6 {
        thread = thread.u64(13);
    }
    if version >= 8 {
        thread = thread.u64(14);
    }
    thread = thread.text("comm").text("exe");
    if version >= 7 {
        thread = thread.text("/exepath");
    }
    thread = thread
        .text("a\0b\0")
        .text("/cwd")
        .u64(15)
        .u32(16)
        .u32(17)
        .u32(18);
    if version >= 2 {
        thread = thread.u32(19).u32(20).u32(21).u64(22).u64(23);
    }
    if version >= 3 {
        thread = thread.text("X=1\0");
    }
    if version >= 4 {
        thread = thread.u64(24).u64(25).text("cpu=/\0");
    }
    if version >= 5 {
        thread = thread.text("/root");
    }
    if version >= 9 {
        if newest {
            thread = thread.u64(26).u32(27);
        }
        thread = thread.u32(28).u8(1).u64(29).u64(30).u64(31);
        if newest {
            thread = thread.u8(1).u64(32).u64(33).u64(34).u8(1).u8(1).u64(35);
        }
    }
    thread
}
