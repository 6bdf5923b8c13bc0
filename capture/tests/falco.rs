//! Captures that Falco and sysdig recorded, and what Falco reads in them; skipped, visibly,
//! where they are not there.

use flate2::read::MultiGzDecoder;
use saker_capture::{Compression, Entry, Reader, Thread, Writer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

/// The folder with Falco's data: `SAKER_FALCO`, or `../shared/falco` beside the workspace.
fn falco(test: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/falco");
    let folder = std::env::var_os("SAKER_FALCO").map_or(beside, PathBuf::from);
    if folder.join("captures").is_dir() {
        return Some(folder);
    }
    let required = std::env::var("SAKER_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|name| name.trim() == "falco"),
        "falco data is required and was not found"
    );
    println!("skipped: needs falco data: {test}");
    None
}

/// Name, then events, threads, descriptors, users, groups and interfaces, counted without
/// the reader.
const CAPTURES: [(&str, [u64; 6]); 11] = [
    ("cat_write.scap", [345, 73, 384, 32, 61, 5]),
    ("connect_localhost.scap", [374, 184, 690, 41, 71, 7]),
    ("curl_google.scap", [1536, 54, 316, 31, 55, 5]),
    ("docker.scap.gz", [13424, 23, 5, 27, 50, 9]),
    ("empty.scap", [143, 218, 883, 45, 77, 11]),
    ("files.scap", [2956, 2, 5, 27, 50, 7]),
    ("open-multiple-files.scap", [1272, 128, 685, 40, 70, 8]),
    ("privs.scap.gz", [7736, 2, 5, 27, 50, 7]),
    ("procs.scap.gz", [11154, 2, 5, 27, 50, 7]),
    ("server.scap.gz", [14279, 2, 5, 27, 50, 7]),
    ("test_ipv6_client.scap", [326, 58, 333, 31, 55, 5]),
];

#[test]
fn every_capture_has_what_was_recorded() {
    let Some(folder) = falco("every_capture_has_what_was_recorded") else {
        return;
    };
    for (name, expected) in CAPTURES {
        let bytes = std::fs::read(folder.join("captures").join(name)).expect("it is there");
        let mut reader = Reader::new(&bytes[..]).expect("a capture");
        let mut found = [0; 6];
        let mut rest = [0; 2];
        while let Some(entry) = reader.next().expect("an entry") {
            let place = match entry {
                Entry::Event(_) => &mut found[0],
                Entry::Thread(_) => &mut found[1],
                Entry::Descriptor { .. } => &mut found[2],
                Entry::User(_) => &mut found[3],
                Entry::Group(_) => &mut found[4],
                Entry::Interface(_) => &mut found[5],
                Entry::Section(_) => &mut rest[0],
                Entry::Machine(_) => &mut rest[1],
            };
            *place += 1;
        }
        assert_eq!(found, expected, "{name}");
        assert_eq!(rest, [1, 1], "{name}");
        let counts = reader.counts();
        assert_eq!((counts.blocks_unknown, counts.entries_unknown), (0, 0));
        assert_eq!(counts.entries, found[1..].iter().sum::<u64>());
    }
}

/// Name and number of parameters of the events, by code.
fn event_table(folder: &std::path::Path) -> Vec<(String, usize)> {
    let text = std::fs::read_to_string(folder.join("event_table.json")).expect("it is there");
    let table: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let of = |event: &Value| {
        let name = event["name"].as_str().expect("a name").to_owned();
        (name, event["params"].as_array().expect("a list").len())
    };
    table.iter().map(of).collect()
}

#[test]
fn no_event_of_an_old_capture_has_more_parameters_than_there_are() {
    let Some(folder) = falco("no_event_of_an_old_capture_has_more_parameters_than_there_are")
    else {
        return;
    };
    let table = event_table(&folder);
    for (name, _) in CAPTURES {
        let bytes = std::fs::read(folder.join("captures").join(name)).expect("it is there");
        let mut reader = Reader::new(&bytes[..]).expect("a capture");
        while let Some(entry) = reader.next().expect("an entry") {
            if let Entry::Event(event) = entry {
                let (_, params) = &table[usize::from(event.code)];
                assert!(event.params.len() <= *params, "{name}: {event:?}");
            }
        }
    }
}

/// What Falco says of each event of the five newer captures.
fn events_as_falco_sees_them(folder: &std::path::Path, name: &str) -> impl Iterator<Item = Value> {
    let path = folder
        .join("expected")
        .join(format!("{name}.fields.jsonl.gz"));
    let file = std::fs::File::open(path).expect("it is there");
    BufReader::new(MultiGzDecoder::new(file))
        .lines()
        .map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON"))
}

const NEWER: [&str; 5] = [
    "docker.scap.gz",
    "files.scap",
    "privs.scap.gz",
    "procs.scap.gz",
    "server.scap.gz",
];

#[test]
fn events_and_threads_are_those_that_falco_sees() {
    let Some(folder) = falco("events_and_threads_are_those_that_falco_sees") else {
        return;
    };
    let table = event_table(&folder);
    let mut threads_compared = 0;
    for name in NEWER {
        let bytes = std::fs::read(folder.join("captures").join(name)).expect("it is there");
        let mut reader = Reader::new(&bytes[..]).expect("a capture");
        let (stem, _) = name.split_once('.').expect("a dot");
        let mut seen_by_falco = events_as_falco_sees_them(&folder, stem);
        let mut threads: BTreeMap<i64, BTreeMap<&str, Value>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let mut events = 0;
        while let Some(entry) = reader.next().expect("an entry") {
            let event = match entry {
                Entry::Thread(thread) => {
                    threads.insert(thread.tid, as_fields(&thread));
                    continue;
                }
                Entry::Event(event) => event,
                _ => continue,
            };
            events += 1;
            let falco = seen_by_falco.next().expect("an event of Falco's");
            assert_eq!(falco["evt.num"], events);
            assert_eq!(falco["evt.rawtime"], event.time);
            assert_eq!(falco["evt.cpu"], event.cpu);
            let (kind, params) = &table[usize::from(event.code)];
            // The generic event and the asynchronous one go by what they are about.
            if kind != "syscall" && kind != "asyncevent" {
                assert_eq!(falco["evt.type"], *kind, "event {events} of {name}");
            }
            assert_eq!(event.params.len(), *params);
            if event.tid >= 0 {
                assert_eq!(falco["thread.tid"], event.tid, "event {events} of {name}");
            }
            // A thread is as it was recorded until its first event, if that changes nothing.
            let Some(thread) = threads.get(&event.tid) else {
                continue;
            };
            let harmless = ["read", "write", "openat", "close", "fcntl", "wait4", "poll"];
            if seen.insert(event.tid) && harmless.contains(&kind.as_str()) {
                for (field, value) in thread {
                    // It shows nothing where 0 means that nothing is known.
                    let shown = falco.get(*field).cloned().unwrap_or(0.into());
                    assert_eq!(shown, *value, "{field} of {} in {name}", event.tid);
                }
                threads_compared += 1;
            }
        }
        assert!(seen_by_falco.next().is_none(), "{name}");
    }
    assert!(threads_compared >= 5, "{threads_compared}");
}

/// The thread as Falco's fields show it.
fn as_fields(thread: &Thread<'_>) -> BTreeMap<&'static str, Value> {
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes).into_owned());
    BTreeMap::from([
        ("thread.tid", thread.tid.into()),
        ("proc.pid", thread.pid.into()),
        ("proc.sid", thread.sid.into()),
        ("proc.vpgid", thread.vpgid.into()),
        ("proc.pgid", thread.pgid.into()),
        ("proc.name", text(thread.comm)),
        ("proc.exe", text(thread.exe)),
        ("proc.exepath", text(thread.exepath)),
        ("proc.vpid", thread.vpid.into()),
        ("thread.vtid", thread.vtid.into()),
        ("proc.fdlimit", thread.fdlimit.into()),
        ("user.uid", thread.uid.into()),
        ("group.gid", thread.gid.into()),
        ("proc.vmsize", thread.vmsize_kib.into()),
        ("proc.vmrss", thread.vmrss_kib.into()),
        ("proc.vmswap", thread.vmswap_kib.into()),
        ("thread.pfmajor", thread.pfmajor.into()),
        ("thread.pfminor", thread.pfminor.into()),
        ("proc.tty", thread.tty.into()),
        ("proc.is_exe_writable", thread.exe_writable.into()),
        ("proc.is_exe_upper_layer", thread.exe_upper_layer.into()),
        ("proc.is_exe_lower_layer", thread.exe_lower_layer.into()),
        ("proc.is_exe_from_memfd", thread.exe_from_memfd.into()),
        ("proc.exe_ino", thread.exe_inode.into()),
        ("proc.exe_ino.ctime", thread.exe_change_time.into()),
        ("proc.exe_ino.mtime", thread.exe_modify_time.into()),
        (
            "proc.pidns_init_start_ts",
            thread.pidns_init_start_time.into(),
        ),
    ])
}

#[test]
fn what_was_read_and_written_reads_the_same() {
    let Some(folder) = falco("what_was_read_and_written_reads_the_same") else {
        return;
    };
    for (name, _) in CAPTURES {
        for compression in [Compression::Plain, Compression::Gzip] {
            let bytes = std::fs::read(folder.join("captures").join(name)).expect("it is there");
            let mut reader = Reader::new(&bytes[..]).expect("a capture");
            let mut writer = Writer::new(Vec::new(), compression).expect("memory");
            while let Some(entry) = reader.next().expect("an entry") {
                writer.write(&entry).expect("it can be written");
            }
            assert_eq!(writer.written().texts_cut, 0, "{name}");
            assert_eq!(writer.written().events, reader.counts().events);
            let written = writer.finish().expect("memory");

            let mut before = Reader::new(&bytes[..]).expect("a capture");
            let mut after = Reader::new(&written[..]).expect("a capture");
            loop {
                match (before.next().expect("read"), after.next().expect("read")) {
                    (None, None) => break,
                    (Some(Entry::Section(_)), Some(Entry::Section(_))) => {}
                    (before, after) => assert_eq!(before, after, "{name}"),
                }
            }
            assert_eq!(before.counts().entries, after.counts().entries);
        }
    }
}

#[test]
fn a_capture_of_the_newest_version_is_written_byte_by_byte_as_it_was() {
    let Some(folder) = falco("a_capture_of_the_newest_version_is_written_byte_by_byte_as_it_was")
    else {
        return;
    };
    for name in NEWER {
        let file = std::fs::File::open(folder.join("captures").join(name)).expect("it is there");
        let mut reader = Reader::new(file).expect("a capture");
        let mut writer = Writer::new(Vec::new(), Compression::Plain).expect("memory");
        while let Some(entry) = reader.next().expect("an entry") {
            writer.write(&entry).expect("it can be written");
        }
        let written = writer.finish().expect("memory");
        let bytes = std::fs::read(folder.join("captures").join(name)).expect("it is there");
        let mut plain = bytes.clone();
        if name.ends_with(".gz") {
            plain.clear();
            std::io::copy(&mut MultiGzDecoder::new(&bytes[..]), &mut plain).expect("gzip");
        }
        let differs = plain.iter().zip(&written).position(|(a, b)| a != b);
        assert_eq!((differs, plain.len()), (None, written.len()), "{name}");
    }
}
