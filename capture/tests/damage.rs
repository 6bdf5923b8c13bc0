//! Captures that are damaged or cut off: an error, never a panic, never without an end.

mod support;

use flate2::write::GzEncoder;
use saker_capture::{Compression, Entry, ParamBuffer, Reader, Writer};
use std::io::{self, Read, Write};
use support::{read, small};

#[test]
fn any_damaged_byte_is_survived() {
    let whole = small();
    let (entries, errors, _) = read(&whole);
    assert_eq!(
        (entries.len(), errors.len()),
        (13, 0),
        "{entries:#?} {errors:?}"
    );
    let mut bytes = whole.clone();
    let mut told = 0;
    for place in 0..bytes.len() {
        for value in [
            0,
            1,
            0x7f,
            0x80,
            0xff,
            whole[place] ^ 1,
            whole[place] ^ 0x80,
        ] {
            bytes[place] = value;
            told += usize::from(!read(&bytes).1.is_empty());
        }
        bytes[place] = whole[place];
    }
    assert!(told > whole.len(), "{told} errors");
}

#[test]
fn a_capture_that_is_cut_off_gives_what_is_there_and_says_so() {
    let whole = small();
    let (all, ..) = read(&whole);
    let mut before = 0;
    let mut silent = 0;
    for length in 0..whole.len() {
        let (entries, errors, _) = read(&whole[..length]);
        assert_eq!(entries, all[..entries.len()]);
        assert!(entries.len() >= before, "less at {length} than before");
        before = entries.len();
        assert!(errors.len() <= 1);
        silent += usize::from(errors.is_empty());
    }
    // Between two blocks nothing tells that more was to come.
    assert_eq!(silent, 9);
}

#[test]
fn a_compressed_capture_that_is_cut_off_or_damaged_is_survived() {
    let whole = small();
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&whole).expect("memory");
    let gzip = encoder.finish().expect("memory");
    assert_eq!(read(&gzip).0, read(&whole).0);
    for length in 0..gzip.len() {
        let (entries, errors, _) = read(&gzip[..length]);
        assert!(entries.len() <= 13 && errors.len() == 1, "{length}");
    }
    let mut told = 0;
    let mut bytes = gzip.clone();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            bytes[place] ^= 1 << bit;
            told += usize::from(!read(&bytes).1.is_empty());
            bytes[place] ^= 1 << bit;
        }
    }
    assert!(told > gzip.len() * 7, "{told} of {}", gzip.len() * 8);
}

#[test]
fn compressed_captures_one_after_the_other_are_two_sections() {
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let (one, two) = (small(), small());
    // The second member begins in the middle of a block.
    let halves = [gzip(&one[..50]), gzip(&one[50..]), gzip(&two)].concat();
    let mut reader = Reader::new(&halves[..]).expect("a capture");
    let (mut sections, mut entries) = (0, 0);
    while let Some(entry) = reader.next().expect("an entry") {
        match entry {
            Entry::Section(_) => sections += 1,
            _ => entries += 1,
        }
    }
    assert_eq!((sections, entries), (2, 26));
}

/// Gives one byte at a time and is interrupted before each.
struct Slow<'a>(&'a [u8], bool);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}

#[test]
fn a_capture_may_come_byte_by_byte() {
    let whole = small();
    let mut reader = Reader::new(Slow(&whole, false)).expect("a capture");
    let mut entries = Vec::new();
    while let Some(entry) = reader.next().expect("an entry") {
        if !matches!(entry, Entry::Section(_)) {
            entries.push(format!("{entry:?}"));
        }
    }
    assert_eq!(entries, read(&whole).0);
}

/// As much of the same byte as one likes.
struct Endless(u8);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(self.0);
        Ok(buffer.len())
    }
}

#[test]
fn a_file_that_cannot_be_read_on_is_an_error_with_its_cause() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let whole = small();
    let mut reader = Reader::new(whole.chain(Broken)).expect("a capture");
    let mut entries = 0;
    let error = loop {
        match reader.next() {
            Ok(Some(_)) => entries += 1,
            Ok(None) => panic!("it ended well"),
            Err(error) => break error,
        }
    };
    assert_eq!(entries, 14);
    assert!(
        error.is_end() && error.to_string().contains("the disk is gone"),
        "{error}"
    );
    assert!(matches!(reader.next(), Ok(None)));
}

#[test]
fn a_bomb_costs_time_and_no_memory() {
    // A block of 128 MiB that is a list of the longest entries, each of which is refused.
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&support::section()).expect("memory");
    let total: u32 = 1 << 27;
    let head = [0x215_u32.to_le_bytes(), total.to_le_bytes()].concat();
    encoder.write_all(&head).expect("memory");
    io::copy(&mut Endless(0x20).take(u64::from(total) - 12), &mut encoder).expect("memory");
    encoder.write_all(&total.to_le_bytes()).expect("memory");
    let bomb = encoder.finish().expect("memory");
    assert!(bomb.len() < total as usize / 50);
    let (entries, errors, _) = read(&bomb);
    assert_eq!((entries.len(), errors.len()), (0, 1));
    let peak = std::fs::read_to_string("/proc/self/status").expect("proc");
    let peak = peak
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a line");
    let kib: u64 = peak
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number");
    assert!(kib < 64 << 10, "{kib} KiB");
}

#[test]
fn a_damaged_capture_can_be_written_again() {
    // Whatever the reader gives, the writer takes, and gives back as it was.
    let whole = small();
    let mut bytes = whole.clone();
    for place in 0..bytes.len() {
        bytes[place] ^= 0x55;
        rewrite(&bytes);
        bytes[place] = whole[place];
    }
}

fn rewrite(bytes: &[u8]) {
    let Ok(mut reader) = Reader::new(bytes) else {
        return;
    };
    let mut writer = Writer::new(Vec::new(), Compression::Plain).expect("memory");
    let mut written = Vec::new();
    loop {
        match reader.next() {
            Ok(Some(Entry::Section(_))) => {}
            Ok(Some(entry)) => {
                if writer.write(&entry).is_ok() {
                    written.push(format!("{entry:?}"));
                }
            }
            Ok(None) => break,
            Err(_) => {}
        }
    }
    let cut = writer.written().texts_cut;
    let again = writer.finish().expect("memory");
    let (entries, errors, _) = read(&again);
    assert!(errors.is_empty(), "{errors:?}");
    if cut == 0 {
        assert_eq!(entries, written);
    }
}

#[test]
fn parameters_that_do_not_fit_are_refused() {
    let mut params = ParamBuffer::new();
    assert!(params.push(b"one") && params.push(b""));
    assert_eq!(params.params().len(), 2);
    assert_eq!(params.params().get(0), Some(&b"one"[..]));
    assert_eq!(params.params().get(1), Some(&b""[..]));
    params.clear();
    assert!(params.params().is_empty());
}
