//! `saker record`, and the captures that alerts ask for: over captures of our own, over Falco's,
//! and of the running kernel.

use crate::capture::{
    BEGIN, Own, SECOND, SHADOW_RULE, falco, falcos, folder, own_capture, run, shadow_rule, terminal,
};
use crate::needs;
use crate::program::{Saker, Scope, saker};
use std::io::{Read, Write};
use std::process::{Command, Stdio};

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
    assert!(
        err.contains("recorded 3 events (and 2 for the state alone)"),
        "{err}"
    );
    assert!(err.contains("10 events read"), "{err}");
    let (out, err, _) = run(&["replay", &slice, "--events", "-p", "%proc.name %fd.name"]);
    assert_eq!(out, "sh /tmp/a\nsh /home/b\nsh /etc/shadow\n", "{err}");
}

#[test]
fn what_plugins_told_is_in_a_copy_and_in_no_slice() {
    let folder = folder();
    let path = folder.path().join("plugins.scap");
    let mut own = Own::begin(&path, b"sh");
    own.open(BEGIN, "/tmp/a");
    own.plugin(BEGIN + 1, 999, b"something");
    own.plugin(BEGIN + 2, 999, b"something else");
    own.close(BEGIN + 3);
    own.end();
    let capture = path.display().to_string();
    let copy = folder.path().join("copy.scap").display().to_string();
    let events = |capture: &str| run(&["replay", capture, "--events"]).1;
    assert!(events(&capture).contains("2 events of plugins"));
    for (filter, said) in [
        (None, Some("2 events of plugins")),
        (Some("evt.type = openat"), None),
    ] {
        let filter: Vec<&str> = filter.into_iter().flat_map(|f| ["--filter", f]).collect();
        let (_, err, code) = run(&[&["record", &capture, "-w", &copy][..], &filter].concat());
        assert_eq!(code, Some(0), "{err}");
        let said_of_copy = events(&copy);
        match said {
            Some(said) => assert!(said_of_copy.contains(said), "{said_of_copy}\n{err}"),
            None => assert!(!said_of_copy.contains("plugins"), "{said_of_copy}"),
        }
    }
}

/// What is shown of events to tell whether they mean the same. Numbers and what hangs on the event
/// before are not among it.
const SHOWN: &str = "%evt.time %evt.cpu %evt.type %evt.args | %proc.name %proc.exepath \
    %proc.cmdline %proc.pid %proc.ppid %proc.aname[2] %proc.aname[3] %proc.cwd %proc.vpid \
    %thread.tid %thread.vtid %proc.sname %proc.pgid %proc.tty %user.name %user.uid %group.gid \
    %proc.vmsize %thread.pfminor %thread.cap_effective %thread.cgroups %proc.duration \
    %proc.nthreads %proc.nchilds %proc.fdopencount %proc.fdlimit | %container.id \
    %container.name %container.image | %fd.num %fd.name %fd.type %fd.types %fd.cip %fd.sip \
    %fd.cport %fd.sport %fd.l4proto %fd.is_server %fd.connected %fd.name_changed %fd.ino";

#[test]
fn events_of_a_slice_mean_what_they_meant_in_the_whole() {
    let Some(falco) = falco() else { return };
    let folder = folder();
    let slice = folder.path().join("slice.scap.gz").display().to_string();
    for (name, filter) in [
        ("server", "evt.type in (execve, connect)"),
        ("server", "evt.type in (read, write, recvfrom, sendto)"),
        ("docker", "evt.type = openat and fd.name startswith /etc"),
        ("privs", "proc.name in (sh, bash, cat)"),
        // An old one, in which calls begin and end apart.
        ("curl_google", "evt.type in (open, connect, close)"),
    ] {
        let whole = falcos(&falco, name).display().to_string();
        let (_, err, code) = run(&["record", &whole, "-w", &slice, "--filter", filter]);
        assert_eq!(code, Some(0), "{err}");
        let shown = ["--events", "-p", SHOWN];
        let all = [&["replay", &whole, "--filter", filter][..], &shown].concat();
        let (expected, err, _) = run(&all);
        assert!(!expected.is_empty(), "{name} {filter}: {err}");
        let (got, err, code) = run(&[&["replay", &slice][..], &shown].concat());
        assert_eq!(code, Some(0), "{err}");
        let differ = expected.lines().zip(got.lines()).find(|(a, b)| a != b);
        assert_eq!(differ, None, "{name} {filter}");
        assert_eq!(got.lines().count(), expected.lines().count(), "{name}");
        // A slice of it has what it keeps for the state as well.
        let again = folder.path().join("again.scap").display().to_string();
        let (_, err, code) = run(&["record", &slice, "-w", &again]);
        assert_eq!(code, Some(0), "{err}");
        let (got, err, _) = run(&[&["replay", &again][..], &shown].concat());
        assert!(got == expected, "{name} {filter}: {err}");
    }
}

#[test]
fn a_slice_gives_the_alerts_of_its_events() {
    let Some(falco) = falco() else { return };
    let folder = folder();
    let slice = folder.path().join("slice.scap").display().to_string();
    let rules = falco.join("rules/falco_rules.yaml").display().to_string();
    let judge = |capture: &str| run(&["replay", capture, "-r", &rules, "--json"]).0;
    for name in ["privs", "docker"] {
        let whole = falcos(&falco, name).display().to_string();
        let filter = "not evt.type in (close, mmap, clone, clone3, chdir, procexit)";
        let (_, err, code) = run(&["record", &whole, "-w", &slice, "--filter", filter]);
        assert_eq!(code, Some(0), "{err}");
        let (expected, got) = (judge(&whole), judge(&slice));
        assert!(!expected.is_empty(), "{name} gives no alerts");
        assert!(got == expected, "{name}: {got}\n{expected}");
    }
}

#[test]
fn what_a_slice_keeps_for_the_state_is_marked_as_falco_marks_it() {
    use saker_capture::{Entry, Reader};
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let slice = folder.path().join("slice.scap");
    let path = slice.display().to_string();
    let filter = ["--filter", "evt.type = close"];
    let (_, err, code) = run(&[&["record", &capture, "-w", &path][..], &filter].concat());
    assert_eq!(code, Some(0), "{err}");
    let bytes = std::fs::read(&slice).expect("it was just written");
    let mut reader = Reader::new(&bytes[..]).expect("it is a capture");
    let mut events = Vec::new();
    while let Some(entry) = reader.next().expect("it is whole") {
        if let Entry::Event(event) = entry {
            events.push((event.code, event.flags));
        }
    }
    assert_eq!(events, [(307, 1), (5, 0)].repeat(5));
}

#[test]
fn a_file_of_several_begins_with_what_was_so_before_its_first_event() {
    let folder = folder();
    let path = folder.path().join("names.scap");
    let mut own = Own::begin(&path, b"sh");
    own.open(BEGIN, "/tmp/first");
    own.write(BEGIN + 2 * SECOND, b"a");
    own.close(BEGIN + 2 * SECOND + 1);
    own.open(BEGIN + 2 * SECOND + 2, "/tmp/second");
    own.end();
    let capture = path.display().to_string();
    let files = folder.path().join("part.scap").display().to_string();
    let cut = ["--file-seconds", "1", "--filter", "evt.type != close"];
    let (_, err, code) = run(&[&["record", &capture, "-w", &files][..], &cut].concat());
    assert_eq!(code, Some(0), "{err}");
    assert!(
        err.contains("3 events (and 1 for the state alone)"),
        "{err}"
    );
    let last = folder.path().join("part.000001.scap").display().to_string();
    let (out, err, _) = run(&["replay", &last, "--events", "-p", "%evt.type %fd.name"]);
    assert_eq!(out, "write /tmp/first\nopenat /tmp/second\n", "{err}");
}

#[test]
fn all_files_of_a_recording_show_what_the_whole_does() {
    let Some(falco) = falco() else { return };
    let folder = folder();
    let files = folder.path().join("part.scap").display().to_string();
    let whole = falcos(&falco, "docker").display().to_string();
    let cut = ["--file-seconds", "1"];
    let (_, err, code) = run(&[&["record", &whole, "-w", &files][..], &cut].concat());
    assert_eq!(code, Some(0), "{err}");
    let parts = (0..).map(|number| folder.path().join(format!("part.{number:06}.scap")));
    let parts = parts.take_while(|part| part.is_file());
    let parts: Vec<String> = parts.map(|part| part.display().to_string()).collect();
    assert!(parts.len() > 5, "{err}");
    let shown = "%evt.rawtime %evt.type %thread.tid %proc.cmdline %container.id %container.image \
                 %container.ip %container.mounts %thread.cgroups %fd.name %fd.connected \
                 %proc.fdopencount %proc.fdusage %evt.args";
    let print = ["--events", "-p", shown];
    let (expected, ..) = run(&[&["replay", &whole][..], &print].concat());
    let mut args = vec!["replay"];
    args.extend(parts.iter().map(String::as_str));
    let (got, err, _) = run(&[&args[..], &print].concat());
    let differ = expected.lines().zip(got.lines()).find(|(a, b)| a != b);
    assert_eq!(differ, None, "{err}");
    assert_eq!(got.lines().count(), expected.lines().count(), "{err}");
    // How many events are judged at once is nothing that they could tell.
    let again = folder.path().join("again.scap").display().to_string();
    let rows = ["-o", "window.rows_max=7"];
    let (_, err, code) = run(&[&["record", &whole, "-w", &again][..], &cut, &rows].concat());
    assert_eq!(code, Some(0), "{err}");
    for part in &parts {
        let [one, other] = [part, &part.replace("/part.", "/again.")].map(std::fs::read);
        let same = one.expect("it is there") == other.expect("it is there");
        assert!(same, "{part}");
    }
}

#[test]
fn a_recording_is_written_to_standard_output_where_that_is_asked_for() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let record = |more: &[&str]| {
        let mut command = Command::new(saker());
        command.args(["record", &capture, "-w", "-", "-o", "cache.dir="]);
        command.args(more);
        command
    };
    let output = record(&[]).output().expect("saker runs");
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("recorded 10 events"), "{said}");
    assert!(said.contains("to standard output"), "{said}");
    assert!(
        !said.contains("printed") && !said.contains("watching"),
        "{said}"
    );
    let made = folder.path().join("made.scap");
    std::fs::write(&made, output.stdout).expect("a folder of the test");
    let (out, err, code) = run(&["replay", &made.display().to_string(), "--events"]);
    assert_eq!((out.lines().count(), code), (10, Some(0)), "{err}");

    let (shows, terminal) = terminal();
    let ended = record(&[]).stdout(terminal).output().expect("saker runs");
    let said = String::from_utf8(ended.stderr).expect("text");
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("not for a terminal"), "{said}");
    drop(shows);
    for wrong in [
        ["-M", "0"],
        ["--events", "0"],
        ["--file-size", "0"],
        ["--file-size", "1"],
    ] {
        let ended = record(&wrong).output().expect("saker runs");
        assert_eq!(ended.status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_recording_ends_when_nobody_reads_it_any_more() {
    let folder = folder();
    let capture = std::fs::read(own_capture(&folder)).expect("it was just written");
    let mut child = Command::new(saker())
        .args(["record", "-", "-w", "-", "-o", "cache.dir="])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("saker starts");
    let mut input = child.stdin.take().expect("piped");
    let fed = std::thread::spawn(move || while input.write_all(&capture).is_ok() {});
    let mut output = child.stdout.take().expect("piped");
    output.read_exact(&mut [0; 100]).expect("a capture");
    drop(output);
    let ended = child.wait_with_output().expect("a child of ours");
    let said = String::from_utf8(ended.stderr).expect("text");
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(!said.contains("ERROR"), "{said}");
    let expected = "until nobody read standard output any more";
    assert!(said.contains(expected), "{said}");
    fed.join().expect("it does not panic");
}

#[test]
fn a_recording_goes_on_in_further_files_and_keeps_the_last() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let files = folder.path().join("part.scap").display().to_string();
    std::fs::write(folder.path().join("part.000007.scap"), "").expect("a folder of the test");
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
    assert!(err.contains("in 2 files that take "), "{err}");
    assert!(
        err.contains("1 file of an earlier recording beside them"),
        "{err}"
    );
    assert!(err.contains(" bytes removed to make room"), "{err}");
    let names = |number| format!("part.{number:06}.scap");
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
    // Another run over the same gives the same, and follows no link that lies there.
    let first = std::fs::read(&made).expect("it was just made");
    let other = folder.path().join("other");
    std::fs::write(&other, "kept").expect("a folder of the test");
    std::fs::remove_file(&made).expect("it was just made");
    for link in [true, false] {
        if link {
            std::os::unix::fs::symlink(&other, &made).expect("a folder of the test");
        }
        let (_, err, code) = run(&args);
        assert_eq!(code, Some(0), "{err}");
        assert!(std::fs::read(&made).expect("it was made") == first);
        assert_eq!(std::fs::read(&other).expect("it is there"), b"kept");
    }
    // But it is not written over what is read.
    let all = ["-o", "capture.before_ms=9000"];
    let (_, err, code) = run(&[&args[..], &all].concat());
    assert_eq!(code, Some(0), "{err}");
    let again = [&["replay", &made, "-r", &rules][..], &ask, &all].concat();
    let first = std::fs::read(&made).expect("it was just made");
    let (_, err, code) = run(&again);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("it is what is being read"), "{err}");
    assert!(std::fs::read(&made).expect("it is there") == first);
}

#[test]
fn events_of_a_captures_time_that_come_behind_its_end_are_counted() {
    let folder = folder();
    let path = folder.path().join("late.scap");
    let mut own = Own::begin(&path, b"sh");
    own.open(BEGIN, "/etc/shadow");
    own.close(BEGIN + SECOND);
    own.open(BEGIN + 3 * SECOND, "/tmp/after");
    own.close(BEGIN + SECOND);
    own.open(BEGIN + 4 * SECOND, "/tmp/later");
    own.end();
    let (capture, rules) = (path.display().to_string(), shadow_rule(&folder));
    let prefix = format!("capture.path_prefix={}/of", folder.path().display());
    let ask = ["-o", "capture.enabled=true", "-o", &prefix];
    for rows in ["window.rows_max=1", "window.rows_max=4096"] {
        let rows = ["-o", rows];
        let (_, err, code) = run(&[&["replay", &capture, "-r", &rules][..], &ask, &rows].concat());
        assert_eq!(code, Some(0), "{err}");
        let said = "1 capture (1 event that came after later ones left out)";
        assert!(err.contains(said), "{err}");
    }
    let made = folder.path().join(format!("of_{BEGIN}_1.scap.gz"));
    let made = made.display().to_string();
    let (out, err, _) = run(&["replay", &made, "--events", "-p", "%evt.type"]);
    assert_eq!(out, "openat\nclose\n", "{err}");
}

#[test]
fn events_before_an_alert_mean_in_its_capture_what_they_meant() {
    let Some(falco) = falco() else { return };
    let folder = folder();
    let rules = folder.path().join("rules.yaml").display().to_string();
    for (name, alert, before_ms, duration_ms) in [
        ("server", 9000, 300, 100),
        ("procs", 6000, 250, 1),
        ("docker", 11000, 3000, 50),
        ("privs", 7500, 100, 5000),
        ("files", 2000, 60, 10),
        // An old one, in which calls begin and end apart.
        ("curl_google", 700, 20, 10),
    ] {
        let whole = falcos(&falco, name).display().to_string();
        let text = format!(
            "- rule: Now\n  desc: it is time\n  condition: evt.num = {alert}\n  output: now\n  \
             priority: WARNING\n  capture: true\n  capture_duration: {duration_ms}\n"
        );
        std::fs::write(&rules, text).expect("a folder of the test");
        let prefix = format!("capture.path_prefix={}/{name}/x", folder.path().display());
        let before = format!("capture.before_ms={before_ms}");
        let mut args = vec!["replay", &whole, "-r", &rules];
        let settings = ["capture.enabled=true", &prefix, &before];
        args.extend(settings.iter().flat_map(|setting| ["-o", setting]));
        let (_, err, code) = run(&args);
        assert_eq!(code, Some(0), "{err}");
        let made = std::fs::read_dir(folder.path().join(name)).expect("it was made");
        let made: Vec<String> = made
            .map(|made| made.expect("readable").path().display().to_string())
            .collect();
        assert_eq!(made.len(), 1, "{name}: {err}");
        // What the list of processes does not say.
        let shown = SHOWN.replace("%proc.duration", "");
        let shown = shown.replace("%proc.fdopencount", "");
        let shown = format!("%evt.rawtime {shown}");
        let print = ["--events", "-p", &shown];
        let (got, err, code) = run(&[&["replay", &made[0]][..], &print].concat());
        assert_eq!(code, Some(0), "{err}");
        let (expected, ..) = run(&[&["replay", &whole][..], &print].concat());
        let first = got.lines().next().expect("an event");
        let time = first.split(' ').next();
        let expected = expected
            .lines()
            .skip_while(|line| line.split(' ').next() != time);
        let differ: Vec<_> = expected.zip(got.lines()).filter(|(a, b)| a != b).collect();
        let events = got.lines().count();
        assert!(events > 300, "{name}: {events}");
        assert!(
            differ.is_empty(),
            "{name}: {} of {events}: {:#?}",
            differ.len(),
            differ[0]
        );
    }
}

#[test]
fn a_file_of_a_recording_is_no_longer_than_asked_for_by_more_than_a_block() {
    let folder = folder();
    let path = folder.path().join("much.scap");
    let mut own = Own::begin(&path, b"sh");
    for event in 0..40_000 {
        own.write(BEGIN + event, &[b'x'; 100]);
    }
    own.end();
    let capture = path.display().to_string();
    let lengths = |rows: &str| {
        let files = folder.path().join(format!("{rows}.part.scap"));
        let rows_max = format!("window.rows_max={rows}");
        let more = ["--file-size", "1", "-o", &rows_max];
        let args = ["record", &capture, "-w", &files.display().to_string()];
        let (_, err, code) = run(&[&args[..], &more].concat());
        assert_eq!(code, Some(0), "{err}");
        let parts = (0..).map(|part| folder.path().join(format!("{rows}.part.{part:06}.scap")));
        let lengths = parts.map_while(|part| Some(part.metadata().ok()?.len()));
        lengths.collect::<Vec<u64>>()
    };
    let all = lengths("4096");
    assert!(all.len() > 5, "{all:?}");
    for length in &all[..all.len() - 1] {
        // Beside the list of one process.
        let (least, most) = (1 << 20, (1 << 20) + (64 << 10) + 1024);
        assert!((least..most).contains(length), "{all:?}");
    }
    assert_eq!(lengths("7"), all);
}

#[test]
fn what_a_recording_cannot_do_is_said() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let made = folder.path().join("made.scap.zst").display().to_string();
    let (_, err, code) = run(&["record", &capture, "-w", &made]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("gzip alone"), "{err}");
    assert!(!std::path::Path::new(&made).exists());
    let made = folder.path().join("made.scap").display().to_string();
    let settings = ["-o", "json_output=true", "-o", "scope.cgroup=/x"];
    let (_, err, code) = run(&[&["record", &capture, "-w", &made][..], &settings].concat());
    assert_eq!(code, Some(0), "{err}");
    for key in ["json_output", "scope.cgroup"] {
        assert!(err.contains(&format!("`{key}` has no say")), "{err}");
    }
    assert!(!err.contains("`hostname`"), "{err}");
    let (help, ..) = run(&["record", "--help"]);
    for key in [
        "modules.keys",
        "page.local_rules",
        "recent.max_mb",
        "json_output",
    ] {
        assert!(!help.contains(key), "{key}");
    }
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
    let ended = Command::new(saker())
        .args(["record", "-", "-w", &capture, "-o", "cache.dir="])
        .stdin(std::fs::File::open(&capture).expect("it is there"))
        .output()
        .expect("saker runs");
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(std::fs::read(&capture).expect("it is there"), whole);
}

#[test]
fn what_lies_there_is_kept_where_nothing_can_be_recorded() {
    let folder = folder();
    let kept = folder.path().join("kept.scap");
    std::fs::write(&kept, "of yesterday").expect("a folder of the test");
    let kept = kept.display().to_string();
    for input in ["/nonexistent.scap", "/etc/hostname", "/"] {
        let (_, err, code) = run(&["record", input, "-w", &kept]);
        assert!(matches!(code, Some(1 | 2)), "{input}: {err}");
        let text = std::fs::read_to_string(&kept).expect("it is there");
        assert_eq!(text, "of yesterday", "{input}");
    }
}

#[test]
fn an_event_that_no_capture_can_hold_is_left_out_and_counted() {
    let folder = folder();
    let path = folder.path().join("own.scap");
    let mut own = Own::begin(&path, b"sh");
    own.open(BEGIN, "/tmp/a");
    own.end();
    // Readers take a block that is longer than those they write.
    let mut bytes = std::fs::read(&path).expect("it was just written");
    let data = vec![b'x'; 60_000];
    let params: [&[u8]; 4] = [&[0; 8], &data, &data, &[0; 4]];
    let all: usize = params.iter().map(|param| param.len()).sum();
    let length = 26 + 2 * params.len() + all;
    let total = (8 + 2 + length).next_multiple_of(4) + 4;
    let mut block = Vec::new();
    block.extend(0x216u32.to_le_bytes());
    block.extend((total as u32).to_le_bytes());
    block.extend(1u16.to_le_bytes());
    block.extend((BEGIN + 1).to_le_bytes());
    block.extend(77i64.to_le_bytes());
    block.extend((length as u32).to_le_bytes());
    block.extend(9u16.to_le_bytes());
    block.extend((params.len() as u32).to_le_bytes());
    block.extend(
        params
            .iter()
            .flat_map(|param| (param.len() as u16).to_le_bytes()),
    );
    block.extend(params.concat());
    block.resize(total - 4, 0);
    block.extend((total as u32).to_le_bytes());
    bytes.extend(block);
    std::fs::write(&path, bytes).expect("a folder of the test");
    let made = folder.path().join("made.scap").display().to_string();
    let (_, err, code) = run(&["record", &path.display().to_string(), "-w", &made]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("recorded 1 event,"), "{err}");
    assert!(
        err.contains("1 event longer than a capture can hold"),
        "{err}"
    );
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
    let link = folder.path().join("part.000001.scap");
    std::os::unix::fs::symlink(&target, &link).expect("a folder of the test");
    let files = folder.path().join("part.scap").display().to_string();
    let (_, err, code) = run(&["record", &capture, "-w", &files, "--file-seconds", "2"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("part.000001.scap"), "{err}");
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
    let (_, forgotten, code) = run(&args);
    assert_eq!(code, Some(0), "{forgotten}");
    let made = folder
        .path()
        .join(format!("c/x_{}_101.scap.gz", BEGIN + 100));
    let made = made.display().to_string();
    let (out, err, _) = run(&["replay", &made, "--events", "-p", "%evt.type"]);
    // Nine of 50 KB are almost half a MB, and 20 are one.
    let before = out.lines().take_while(|event| *event == "write").count();
    assert_eq!((before, out.lines().nth(9)), (9, Some("openat")), "{err}");
    assert_eq!(out.lines().count(), 21, "{err}");
    assert!(forgotten.contains("91 "), "{forgotten}");
}

#[test]
fn a_capture_of_an_alert_has_all_where_all_of_it_is_short_enough() {
    let folder = folder();
    let path = folder.path().join("many.scap");
    let mut own = Own::begin(&path, b"sh");
    // 864 KB as they are written.
    for event in 0..11_000 {
        own.write(BEGIN + event, b"x");
    }
    own.open(BEGIN + 11_000, "/etc/shadow");
    for event in 11_001..12_000 {
        own.write(BEGIN + event, b"x");
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
    assert!(!err.contains("forgotten"), "{err}");
    let made = format!("c/x_{}_11001.scap.gz", BEGIN + 11_000);
    let made = folder.path().join(made).display().to_string();
    let (out, err, _) = run(&["replay", &made, "--events", "-p", "%evt.type"]);
    assert_eq!(out.lines().count(), 12_000, "{err}");
}

#[test]
fn a_capture_of_an_alert_tells_of_containers_as_they_were_known_then() {
    let Some(falco) = falco() else { return };
    let folder = folder();
    let whole = falcos(&falco, "docker").display().to_string();
    let rules = shadow_rule(&folder);
    let text = SHADOW_RULE.replace("fd.name = /etc/shadow", "fd.name = /var/log/x.log");
    std::fs::write(&rules, text).expect("a folder of the test");
    let prefix = format!("capture.path_prefix={}/c/x", folder.path().display());
    let settings = ["capture.enabled=true", &prefix, "capture.before_ms=60"];
    let mut args = vec!["replay", &whole, "-r", &rules];
    args.extend(settings.iter().flat_map(|setting| ["-o", setting]));
    let (_, err, code) = run(&args);
    assert_eq!(code, Some(0), "{err}");
    let filter = ["--filter", "evt.type = openat and fd.name = /var/log/x.log"];
    let shown = [
        "--events",
        "-p",
        "%evt.rawtime %container.name %container.image",
    ];
    let (expected, ..) = run(&[&["replay", &whole][..], &filter, &shown].concat());
    assert!(expected.contains("team/app:1.0"), "{expected}");
    let made = std::fs::read_dir(folder.path().join("c")).expect("it was made");
    let made: Vec<String> = made
        .map(|made| made.expect("readable").path().display().to_string())
        .collect();
    assert_eq!(made.len(), 1);
    let (got, err, _) = run(&[&["replay", &made[0]][..], &filter, &shown].concat());
    assert_eq!(got, expected, "{err}");
}

#[test]
fn what_tells_of_a_container_is_shown_as_first_event_of_a_slice_too() {
    let Some(falco) = falco() else { return };
    let folder = folder();
    let slice = folder.path().join("slice.scap").display().to_string();
    let whole = falcos(&falco, "docker").display().to_string();
    let filter = ["--filter", "evt.type = container"];
    let (_, err, code) = run(&[&["record", &whole, "-w", &slice][..], &filter].concat());
    assert_eq!(code, Some(0), "{err}");
    let shown = ["--events", "-p", "%evt.rawtime %container.id"];
    let (expected, ..) = run(&[&["replay", &whole][..], &filter, &shown].concat());
    let (got, err, _) = run(&[&["replay", &slice][..], &filter, &shown].concat());
    assert!(!expected.is_empty());
    assert_eq!(got, expected, "{err}");
}

#[test]
fn what_is_recorded_gives_the_alerts_that_watching_gives() {
    if !needs::live() {
        return;
    }
    let scope = Scope::new();
    let folder = folder();
    // Whose open it is the events tell that do not meet the filter.
    for filter in [&[][..], &["--filter", "evt.type = openat"]] {
        let capture = folder.path().join("live.scap.gz").display().to_string();
        let recording = Saker::record(&scope, &capture, filter);
        scope.shell("cat /etc/shadow > /dev/null");
        let ended = recording.stop();
        assert!(ended.status.success(), "{}", ended.messages);
        let said = &ended.messages;
        assert!(said.contains("recorded"), "{said}");
        assert!(!said.contains("watching"), "{said}");
        // Without a filter it depends on when it is known whence the shell came.
        let has_hidden = said.contains("for the state alone");
        assert!(has_hidden || filter.is_empty(), "{said}");
        let (out, said, code) = run(&["replay", &capture, "--json"]);
        assert_eq!(code, Some(0), "{said}");
        let alerts = out
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"));
        let alerts: Vec<serde_json::Value> = alerts.collect();
        let [alert] = &alerts[..] else {
            panic!("{alerts:?}, {said}");
        };
        for (field, value) in [
            ("fd.name", "/etc/shadow"),
            ("proc.cmdline", "cat /etc/shadow"),
            ("proc.pname", "sh"),
            ("user.name", "root"),
        ] {
            assert_eq!(alert["output_fields"][field], value, "{alert}");
        }
    }
}

/// A shell that runs outside and knows nothing of the scope: it enters when it is told where that
/// is, then reads a file. Two of its ancestors are outside as well.
fn enter_and_read(scope: &Scope, file: &str) {
    let procs = scope.path().join("cgroup.procs");
    let script = format!(
        "read line; echo $$ > {}; read line < {file}; sleep 0.3",
        procs.display()
    );
    let mut shell = Command::new("/bin/sh")
        .args(["-c", &script, "shell-from-outside", "an argument"])
        .current_dir("/var")
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    // Its exec is long over when it enters.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut input = shell.stdin.take().expect("piped");
    input.write_all(b"go\n").expect("it reads");
    assert!(shell.wait().expect("a child of ours").success());
}

/// A replay must show of the shell that read it what was so.
#[track_caller]
fn knows_the_shell(capture: &str, scope: &Scope, file: &str) {
    let parent = std::fs::read_to_string("/proc/self/comm").expect("it is there");
    let parent = format!("{} {}", parent.trim_end(), std::process::id());
    let filter = format!("fd.name = {file} and evt.type = openat");
    let shown = "%proc.name %proc.exe %proc.args[3] %proc.cwd %user.name %proc.pname %proc.ppid \
                 %thread.cgroups";
    let print = ["--filter", &filter, "--events", "-p", shown];
    let (out, err, _) = run(&[&["replay", capture][..], &print].concat());
    let expected = format!("sh /bin/sh an argument /var/ root {parent} ");
    let cgroups = out.strip_prefix(&expected);
    let group = scope.path().file_name().expect("it has one");
    let is_in = |cgroups: &str| cgroups.contains(&*group.to_string_lossy());
    assert!(
        cgroups.is_some_and(is_in),
        "{out:?}, not {expected:?}\n{err}"
    );
}

#[test]
fn what_enters_the_scope_is_known_in_the_recording_that_goes_on() {
    if !needs::live() {
        return;
    }
    let scope = Scope::new();
    let folder = folder();
    let capture = folder.path().join("entered.scap").display().to_string();
    let recording = Saker::record(&scope, &capture, &[]);
    enter_and_read(&scope, "/etc/hostname");
    let ended = recording.stop();
    assert!(ended.status.success(), "{}", ended.messages);
    knows_the_shell(&capture, &scope, "/etc/hostname");
}

#[test]
fn what_enters_the_scope_is_known_in_the_capture_that_its_alert_asks_for() {
    if !needs::live() {
        return;
    }
    let scope = Scope::new();
    let folder = folder();
    let rules = shadow_rule(&folder);
    let prefix = format!("capture.path_prefix={}/c/x", folder.path().display());
    let settings = ["capture.enabled=true", &prefix, "page.enabled=false"];
    let mut args = vec!["-r", &rules];
    args.extend(settings.iter().flat_map(|setting| ["-o", setting]));
    let saker = Saker::watch(&scope, &args);
    // The first one asks for the capture, and is known to it by its beginning or behind it; the
    // second comes while it is written.
    for file in ["/etc/shadow", "/etc/hostname"] {
        enter_and_read(&scope, file);
    }
    let ended = saker.stop();
    assert!(ended.status.success(), "{}", ended.messages);
    let made = std::fs::read_dir(folder.path().join("c")).expect("it was made");
    let made: Vec<String> = made
        .map(|made| made.expect("readable").path().display().to_string())
        .collect();
    assert_eq!(made.len(), 1, "{}", ended.messages);
    for file in ["/etc/shadow", "/etc/hostname"] {
        knows_the_shell(&made[0], &scope, file);
    }
}
