//! `saker record`, and the captures that alerts ask for, over captures of our own.

use crate::capture::{BEGIN, Own, SECOND, SHADOW_RULE, folder, own_capture, run, shadow_rule};

#[test]
fn a_slice_of_a_capture_is_a_capture() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let slice = folder.path().join("slice.scap.gz").display().to_string();
    let (_, err, code) = run(&[
        "record",
        &capture,
        "-w",
        &slice,
        "--filter",
        "evt.type=openat",
        "--events",
        "3",
    ]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("recorded 3 events in 1 file"), "{err}");
    let (out, err, _) = run(&["replay", &slice, "--events", "-p", "%proc.name %fd.name"]);
    assert_eq!(out, "sh /tmp/a\nsh /home/b\nsh /etc/shadow\n", "{err}");
}

#[test]
fn a_recording_goes_on_in_further_files_and_keeps_the_last() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let files = folder.path().join("part.scap").display().to_string();
    let (_, err, code) = run(&[
        "record",
        &capture,
        "-w",
        &files,
        "--file-seconds",
        "2",
        "--files-max",
        "2",
    ]);
    assert_eq!(code, Some(0), "{err}");
    let names = |number| format!("part.{number}.scap");
    let there: Vec<bool> = (0..4)
        .map(|number| folder.path().join(names(number)).is_file())
        .collect();
    assert_eq!(there, [false, true, true, false]);
    let last = folder.path().join(names(2)).display().to_string();
    let (out, _, _) = run(&["replay", &last, "--events", "-p", "%evt.type %proc.name"]);
    assert_eq!(out, "openat sh\nclose sh\n");
}

#[test]
fn an_alert_takes_its_capture_with_it() {
    let folder = folder();
    let (capture, rules) = (own_capture(&folder), shadow_rule(&folder));
    let capture = capture.display().to_string();
    let prefix = folder.path().join("evidence/of");
    let prefix = format!("capture.path_prefix={}", prefix.display());
    let ask = ["-o", "capture.enabled=true", "-o", &prefix];
    let before = ["-o", "capture.before_ms=1500"];
    let args = [&["replay", &capture, "-r", &rules][..], &ask, &before].concat();
    let (_, err, code) = run(&args);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("1 capture"), "{err}");
    let name = format!("evidence/of_{}_5.scap.gz", BEGIN + 2 * SECOND);
    let made = folder.path().join(name).display().to_string();
    let (out, err, _) = run(&["replay", &made, "--events", "-p", "%evt.type %evt.arg.fd"]);
    let expected = [
        "openat <f>/home/b",
        "close <f>/home/b",
        "openat <f>/etc/shadow",
        "close <f>/etc/shadow",
        "openat <f>/tmp/c",
        "close <f>/tmp/c",
    ];
    assert_eq!(out.lines().collect::<Vec<_>>(), expected, "{err}");
    // A file that lies there already is nobody's to overwrite.
    let (_, err, code) = run(&args);
    assert!(err.contains("not whole"), "{err}");
    assert_eq!(code, Some(1), "{err}");
}

#[test]
fn a_capture_is_not_written_over_while_it_is_read() {
    let folder = folder();
    let capture = own_capture(&folder);
    let whole = std::fs::read(&capture).expect("it was just written");
    let link = folder.path().join("link.scap");
    std::os::unix::fs::symlink(&capture, &link).expect("a folder of the test");
    let (capture, link) = (capture.display().to_string(), link.display().to_string());
    for output in [&capture, &link] {
        let (_, err, code) = run(&["record", &capture, "-w", output]);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("what is being read"), "{err}");
    }
    assert_eq!(std::fs::read(&capture).expect("it is there"), whole);
}

#[test]
fn each_alert_has_its_own_capture_however_fast_it_is_replayed() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let rules = shadow_rule(&folder).replace("rules.yaml", "all.yaml");
    let text = SHADOW_RULE
        .replace("fd.name = /etc/shadow", "fd.name exists")
        .replace("1500", "10");
    std::fs::write(&rules, text).expect("a folder of the test");
    let prefix = format!("capture.path_prefix={}/c/x", folder.path().display());
    let settings = ["capture.enabled=true", &prefix, "capture.before_ms=10"];
    let mut args = vec!["replay", &capture, "-r", &rules];
    args.extend(settings.iter().flat_map(|setting| ["-o", setting]));
    let (_, err, code) = run(&args);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("5 captures"), "{err}");
    let made = std::fs::read_dir(folder.path().join("c")).expect("it was made");
    for made in made {
        let path = made.expect("readable").path().display().to_string();
        let (out, err, _) = run(&["replay", &path, "--events", "-p", "%evt.type"]);
        assert_eq!(out, "openat\nclose\n", "{err}");
    }
}

#[test]
fn further_files_are_not_written_through_links_that_lie_there() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let target = folder.path().join("target");
    std::fs::write(&target, "kept").expect("a folder of the test");
    let link = folder.path().join("part.1.scap");
    std::os::unix::fs::symlink(&target, &link).expect("a folder of the test");
    let files = folder.path().join("part.scap").display().to_string();
    let (_, err, code) = run(&["record", &capture, "-w", &files, "--file-seconds", "2"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("part.1.scap"), "{err}");
    let kept = std::fs::read(&target).expect("it is there");
    assert_eq!(kept, b"kept");
    // One that was named is followed.
    let named = folder.path().join("named.scap");
    std::os::unix::fs::symlink(&target, &named).expect("a folder of the test");
    let (_, err, code) = run(&["record", &capture, "-w", &named.display().to_string()]);
    assert_eq!(code, Some(0), "{err}");
    assert_ne!(std::fs::read(&target).expect("it is there"), b"kept");
}

/// A capture of 80 MiB in which nothing happens that a rule asks for but an open at the beginning
/// and one near the end.
fn long_capture(folder: &tempfile::TempDir, first: &str) -> String {
    let path = folder.path().join("long.scap");
    let mut own = Own::begin(&path, b"sh");
    own.open(BEGIN, first);
    let data = [b'x'; 60_000];
    for second in 1..1400 {
        own.write(BEGIN + second * SECOND, &data);
    }
    own.open(BEGIN + 1400 * SECOND, "/etc/shadow");
    own.end();
    path.display().to_string()
}

#[test]
fn events_kept_for_captures_of_alerts_go_when_their_time_has_come() {
    for first in ["/tmp/a", "/etc/shadow"] {
        let folder = folder();
        let (capture, rules) = (long_capture(&folder, first), shadow_rule(&folder));
        let prefix = format!("capture.path_prefix={}/c/x", folder.path().display());
        let settings = ["capture.enabled=true", &prefix, "capture.before_ms=10000"];
        let mut args = vec!["replay", &capture, "-r", &rules];
        args.extend(settings.iter().flat_map(|setting| ["-o", setting]));
        let (_, err, code) = run(&args);
        assert_eq!(code, Some(0), "{err}");
        assert!(!err.contains("forgotten"), "{err}");
        let name = format!("c/x_{}_1401.scap.gz", BEGIN + 1400 * SECOND);
        let made = folder.path().join(name).display().to_string();
        let (out, err, _) = run(&["replay", &made, "--events", "-p", "%evt.type"]);
        // What is kept goes in pieces of a few events, but no event before its time.
        let events: Vec<&str> = out.lines().collect();
        let writes = events.iter().filter(|event| **event == "write").count();
        assert_eq!((writes, events.len()), (10, 11), "{err}");
    }
}

#[test]
fn a_capture_of_an_alert_ends_where_it_is_long_enough() {
    let folder = folder();
    let path = folder.path().join("much.scap");
    let mut own = Own::begin(&path, b"sh");
    let data = [b'x'; 50_000];
    for event in 0..100 {
        own.write(BEGIN + event, &data);
    }
    own.open(BEGIN + 100, "/etc/shadow");
    for event in 101..200 {
        own.write(BEGIN + event, &data);
    }
    own.end();
    let (capture, rules) = (path.display().to_string(), shadow_rule(&folder));
    let prefix = format!("capture.path_prefix={}/c/x", folder.path().display());
    let bound = "capture.max_file_size_mb=1";
    let mut args = vec!["replay", &capture, "-r", &rules];
    let settings = ["capture.enabled=true", &prefix, bound];
    args.extend(settings.iter().flat_map(|setting| ["-o", setting]));
    let (_, err, code) = run(&args);
    assert_eq!(code, Some(0), "{err}");
    let made = folder
        .path()
        .join(format!("c/x_{}_101.scap.gz", BEGIN + 100));
    let made = made.display().to_string();
    let (out, err, _) = run(&["replay", &made, "--events", "-p", "%evt.type"]);
    // 20 of 50 KB are 1 MB.
    assert_eq!(out.lines().count(), 20, "{err}");
}
