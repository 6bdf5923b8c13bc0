//! What is written is what any reader takes, or it is refused.

mod support;

use saker_capture::{
    Compression, Descriptor, Entry, Event, Group, Machine, Named, PARAMS_MAX, ParamBuffer, Reader,
    Section, Target, Thread, User, WriteError, Writer,
};
use std::io::{self, Write};
use support::read;

fn event<'a>(params: &'a ParamBuffer, code: u16, flags: u32) -> Event<'a> {
    Event {
        cpu: 1,
        flags,
        time: 1_700_000_000_000_000_000,
        tid: -1,
        code,
        params: params.params(),
    }
}

fn params(of: &[&[u8]]) -> ParamBuffer {
    let mut params = ParamBuffer::new();
    for param in of {
        assert!(params.push(param));
    }
    params
}

fn writer() -> Writer<Vec<u8>> {
    Writer::new(Vec::new(), Compression::Plain).expect("memory")
}

fn thread(tid: i64, env: &[u8]) -> Entry<'_> {
    Entry::Thread(Box::new(Thread {
        tid,
        env,
        ..Thread::default()
    }))
}

fn descriptor(tid: i64, name: &[u8]) -> Entry<'_> {
    Entry::Descriptor {
        tid,
        descriptor: Descriptor {
            fd: 3,
            inode: 1,
            target: Target::Named {
                kind: Named::Pipe,
                name,
            },
        },
    }
}

/// The types of a capture's blocks.
fn blocks(capture: &[u8]) -> Vec<u32> {
    let number = |place: usize| {
        u32::from_le_bytes(capture[place..place + 4].try_into().expect("four bytes"))
    };
    let mut found = Vec::new();
    let mut place = 0;
    while place < capture.len() {
        found.push(number(place));
        let total = number(place + 4) as usize;
        assert_eq!(total % 4, 0, "libscap's blocks are aligned");
        assert_eq!(number(place + total - 4) as usize, total);
        place += total;
    }
    found
}

#[test]
fn events_go_into_the_block_that_holds_them() {
    let params = params(&[b"\x01\0\0\0\0\0\0\0", b"name\0"]);
    let mut writer = writer();
    for (code, flags) in [(307, 0), (307, 1), (402, 0), (402, 2)] {
        writer.event(&event(&params, code, flags)).expect("it fits");
    }
    let capture = writer.finish().expect("memory");
    assert_eq!(blocks(&capture), [0x0A0D_0D0A, 0x216, 0x217, 0x221, 0x222]);
    let (entries, errors, _) = read(&capture);
    assert!(errors.is_empty());
    for (entry, (code, flags)) in entries.iter().zip([(307, 0), (307, 1), (402, 0), (402, 2)]) {
        assert_eq!(
            *entry,
            format!("{:?}", Entry::Event(event(&params, code, flags)))
        );
    }
}

#[test]
fn events_that_no_reader_takes_are_refused_and_nothing_is_written() {
    let mut writer = writer();
    let written = writer.written();
    let longest = 65_536 - 26 - 2 - 6 - 3 - 12;
    let fits = vec![1; longest];
    let too_long = vec![1; longest + 1];
    let refused = writer.event(&event(&params(&[&too_long]), 307, 0));
    assert!(
        matches!(refused, Err(WriteError::TooLong { limit: 65_536, .. })),
        "{refused:?}"
    );
    let large = vec![1; 16 << 20];
    let refused = writer.event(&event(&params(&[&large]), 402, 0));
    assert!(
        matches!(refused, Err(WriteError::TooLong { .. })),
        "{refused:?}"
    );
    let many = params(&[b"x".as_slice(); PARAMS_MAX + 1]);
    let refused = writer.event(&event(&many, 307, 0));
    assert!(
        matches!(refused, Err(WriteError::ParamCount(65))),
        "{refused:?}"
    );
    assert_eq!(writer.written(), written);
    writer
        .event(&event(&params(&[&fits]), 307, 3))
        .expect("it fits");
    let large = vec![1; 15 << 20];
    writer
        .event(&event(&params(&[&large]), 402, 3))
        .expect("it fits");
    let many = params(&[b"x".as_slice(); PARAMS_MAX]);
    writer.event(&event(&many, 307, 0)).expect("it fits");
    let (entries, errors, _) = read(&writer.finish().expect("memory"));
    assert_eq!((entries.len(), errors.len()), (3, 0));
}

#[test]
fn what_is_recorded_of_the_beginning_comes_before_events() {
    let none = ParamBuffer::new();
    let user = Entry::User(User {
        uid: 1,
        gid: 2,
        name: b"u",
        home: b"/",
        shell: b"sh",
    });
    let group = Entry::Group(Group { gid: 2, name: b"g" });
    let mut writer = writer();
    writer
        .write(&Entry::Section(Section::NEWEST))
        .expect("it is there already");
    writer.write(&user).expect("in order");
    writer.write(&group).expect("the same list");
    writer.write(&thread(1, b"")).expect("in order");
    // Readers would forget the first list.
    assert!(matches!(
        writer.write(&user),
        Err(WriteError::Order("a user"))
    ));
    writer.write(&descriptor(1, b"n")).expect("in order");
    writer
        .write(&thread(2, b""))
        .expect("there may be several lists of threads");
    writer.event(&event(&none, 307, 0)).expect("it fits");
    for late in [user.clone(), thread(3, b""), descriptor(3, b"n")] {
        assert!(matches!(writer.write(&late), Err(WriteError::Order(_))));
    }
    // After a section all may come again.
    writer
        .write(&Entry::Section(Section::NEWEST))
        .expect("a section may come anywhere");
    writer.write(&user).expect("in order");
    let capture = writer.finish().expect("memory");
    assert_eq!(
        blocks(&capture),
        [
            0x0A0D_0D0A,
            0x220,
            0x215,
            0x218,
            0x215,
            0x216,
            0x0A0D_0D0A,
            0x220
        ]
    );
    assert_eq!(read(&capture).0.len(), 7);
}

#[test]
fn texts_that_readers_refuse_are_cut_and_counted() {
    let long = vec![b'x'; 70_000];
    let mut writer = writer();
    let entries = [
        Entry::Machine(Machine {
            cpus: 1,
            memory_bytes: 2,
            pid_max: 3,
            hostname: &long,
            boot_time: 4,
            flags: 5,
        }),
        Entry::Group(Group {
            gid: 1,
            name: &long,
        }),
        thread(1, &long),
        descriptor(1, &long),
    ];
    for (number, entry) in entries.iter().enumerate() {
        writer.write(entry).expect("in order");
        assert_eq!(writer.written().texts_cut, number as u64 + 1);
    }
    let capture = writer.finish().expect("memory");
    let mut reader = Reader::new(&capture[..]).expect("a capture");
    let mut lengths = Vec::new();
    while let Some(entry) = reader.next().expect("an entry") {
        match entry {
            Entry::Machine(machine) => lengths.push(machine.hostname.len()),
            Entry::Group(group) => lengths.push(group.name.len()),
            Entry::Thread(thread) => lengths.push(thread.env.len()),
            Entry::Descriptor { descriptor, .. } => match descriptor.target {
                Target::Named { name, .. } => lengths.push(name.len()),
                _ => panic!("{descriptor:?}"),
            },
            _ => {}
        }
    }
    assert_eq!(lengths, [127, 255, 4096, 1023]);
}

#[test]
fn a_long_list_of_threads_goes_on_in_another_block() {
    let env = vec![b'e'; 4096];
    let mut writer = writer();
    for tid in 0..1000 {
        writer.write(&thread(tid, &env)).expect("in order");
    }
    let capture = writer.finish().expect("memory");
    assert_eq!(
        blocks(&capture),
        [0x0A0D_0D0A, 0x215, 0x215, 0x215, 0x215, 0x215]
    );
    assert_eq!(read(&capture).0.len(), 1000);
}

#[test]
fn a_list_of_users_without_end_is_refused() {
    let name = [b'n'; 255];
    let group = Entry::Group(Group {
        gid: 1,
        name: &name,
    });
    let mut writer = writer();
    let refused = (0..100_000).find_map(|_| writer.write(&group).err());
    assert!(matches!(
        refused,
        Some(WriteError::TooLong {
            limit: 16_777_216,
            ..
        })
    ));
    let capture = writer.finish().expect("memory");
    assert!(capture.len() < 17 << 20);
    assert!(read(&capture).1.is_empty());
}

#[test]
fn what_was_flushed_can_be_read() {
    let params = params(&[b"x"]);
    for compression in [Compression::Plain, Compression::Gzip] {
        let mut file = File::default();
        let mut writer = Writer::new(&mut file, compression).expect("memory");
        writer.event(&event(&params, 307, 0)).expect("it fits");
        writer.flush().expect("memory");
        writer.event(&event(&params, 307, 0)).expect("it fits");
        writer.finish().expect("memory");
        let flushed = file.flushed.first().expect("it was flushed");
        assert_eq!(read(&file.bytes[..*flushed]).0.len(), 1);
        assert_eq!(read(&file.bytes).0.len(), 2);
    }
}

/// Remembers how long it was when it was flushed.
#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    flushed: Vec<usize>,
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed.push(self.bytes.len());
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for compression in [Compression::Plain, Compression::Gzip] {
        let mut writer = Writer::new(Full, compression).expect("nothing is written yet");
        let bytes: Vec<u8> = (0..60_000_u32).map(|n| ((n * n) >> 7) as u8).collect();
        let params = params(&[&bytes]);
        let failed = (0..100).any(|_| writer.event(&event(&params, 307, 0)).is_err());
        assert!(failed);
    }
}
