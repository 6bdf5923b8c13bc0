//! `saker replay` over captures that Falco recorded, held against Falco's own alerts, which are
//! read where they lie.

use crate::needs;
use crate::program::{saker, workspace};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The folder of Falco's data, if it is there.
fn falco() -> Option<PathBuf> {
    let beside = workspace().join("../shared/falco");
    let folder = std::env::var_os("SAKER_FALCO").map_or(beside, PathBuf::from);
    let missing = match folder.join("expected/replay.yaml").is_file() {
        true => None,
        false => Some(format!("no captures in {}", folder.display())),
    };
    needs::have("falco", missing).then_some(folder)
}

/// The capture of that name, compressed or not.
fn capture(folder: &std::path::Path, name: &str) -> PathBuf {
    let plain = folder.join(format!("captures/{name}.scap"));
    match plain.is_file() {
        true => plain,
        false => folder.join(format!("captures/{name}.scap.gz")),
    }
}

/// With what Falco's own run was configured, as options.
const AS_FALCO_RAN: [&str; 17] = [
    "watch_config_files=false",
    "rules[].enable.rule=*",
    "engine.kind=replay",
    "load_plugins[]=container",
    "priority=debug",
    "json_output=true",
    "time_format_iso_8601=false",
    "buffered_outputs=true",
    "stdout_output.enabled=true",
    "syslog_output.enabled=false",
    "webserver.enabled=false",
    "log_stderr=true",
    "log_syslog=false",
    "metrics.enabled=false",
    "append_output[]={\"suggested_output\": true}",
    "hostname=golden",
    "cache.dir=",
];

fn replay(capture: &std::path::Path, rules: &[PathBuf], options: &[&str]) -> Output {
    let mut command = Command::new(saker());
    command.arg("replay").arg(capture);
    for rules in rules {
        command.arg("-r").arg(rules);
    }
    for option in AS_FALCO_RAN.iter().chain(options) {
        command.arg("-o").arg(option);
    }
    let output = command.output().expect("saker runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A line as values, without what Falco reads from memory that it never wrote.
fn alert(line: &str) -> Value {
    const GARBAGE: &str = "proc.exe_ino.ctime_duration_proc_start";
    let mut alert: Value = serde_json::from_str(line).expect("a line is JSON");
    let removed = alert["output_fields"]
        .as_object_mut()
        .and_then(|fields| fields.remove(GARBAGE));
    if removed.is_some() {
        let text = alert["output"].as_str().unwrap_or_default().to_owned();
        let (before, after) = text
            .split_once("proc_exe_ino_ctime_duration_proc_start=")
            .unwrap_or((&text, ""));
        let after = after.split_once(' ').map_or("", |(_, after)| after);
        alert["output"] = format!("{before}{after}").into();
    }
    alert
}

#[test]
fn the_alerts_over_falcos_captures_are_falcos() {
    let Some(folder) = falco() else { return };
    let stable = folder.join("rules/falco_rules.yaml");
    let incubating = folder.join("rules/falco-incubating_rules.yaml");
    let (mut alerts, mut wrong) = (0, Vec::new());
    for name in ["files", "procs", "privs", "docker", "server"] {
        for (kind, rules, matching) in [
            ("stable", vec![stable.clone()], "rule_matching=all"),
            ("stable_first", vec![stable.clone()], "rule_matching=first"),
            (
                "incubating",
                vec![stable.clone(), incubating.clone()],
                "rule_matching=all",
            ),
        ] {
            let expected = folder.join(format!("expected/{name}.{kind}.jsonl"));
            let expected = std::fs::read_to_string(expected).expect("Falco's alerts are there");
            let output = replay(&capture(&folder, name), &rules, &[matching]);
            let got = String::from_utf8(output.stdout).expect("text");
            let (wanted, got): (Vec<_>, Vec<_>) = (
                expected.lines().map(alert).collect(),
                got.lines().map(alert).collect(),
            );
            alerts += wanted.len();
            for missing in wanted.iter().filter(|alert| !got.contains(alert)) {
                wrong.push(format!("{name}.{kind} lacks {missing}"));
            }
            for extra in got.iter().filter(|alert| !wanted.contains(alert)) {
                wrong.push(format!("{name}.{kind} has   {extra}"));
            }
            if wanted != got && wrong.is_empty() {
                wrong.push(format!("{name}.{kind}: other order or number"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{alerts} alerts are equal");
    assert!(alerts > 0, "there is nothing to compare");
}

#[test]
fn windows_of_any_size_and_any_number_of_threads_give_the_same_bytes() {
    let Some(folder) = falco() else { return };
    let rules = [folder.join("rules/falco_rules.yaml")];
    for name in ["privs", "docker"] {
        let capture = capture(&folder, name);
        let ways = [
            ("1", "1"),
            ("7", "4"),
            ("4096", "1"),
            ("4096", "4"),
            ("1", "4"),
        ];
        let outputs = ways.map(|(rows, threads)| {
            let rows = format!("window.rows_max={rows}");
            let threads = format!("sandbox.threads={threads}");
            replay(&capture, &rules, &[&rows, &threads]).stdout
        });
        assert!(!outputs[0].is_empty(), "{name} gives no alert");
        assert!(
            outputs.iter().all(|output| *output == outputs[0]),
            "{name}: the window's size or the number of threads shows"
        );
    }
}

/// One second, in the units of captures.
const SECOND: u64 = 1_000_000_000;
/// When the first event of our own capture happens: at 01:00:00.
const BEGIN: u64 = 1_795_309_200 * SECOND;

/// A capture of our own: every second, the shell opens a file and closes it; the third one is
/// `/etc/shadow`.
fn own_capture(folder: &tempfile::TempDir) -> PathBuf {
    own_capture_of(folder, "own.scap", b"sh")
}

/// The same in a file of that name, by a program of that name.
fn own_capture_of(folder: &tempfile::TempDir, name: &str, comm: &[u8]) -> PathBuf {
    use saker_capture::{Compression, Entry, Event, ParamBuffer, Thread, Writer};
    const CLOSE: u16 = 5;
    const OPENAT: u16 = 307;
    let path = folder.path().join(name);
    let file = std::fs::File::create(&path).expect("a folder of the test");
    let mut writer = Writer::new(file, Compression::Plain).expect("a new file");
    let shell = Thread {
        tid: 77,
        pid: 77,
        ptid: 1,
        vtid: 77,
        vpid: 77,
        comm,
        exe: b"/bin/sh",
        exepath: b"/bin/sh",
        cwd: b"/home",
        ..Thread::default()
    };
    writer
        .write(&Entry::Thread(Box::new(shell)))
        .expect("it fits");
    let event = |writer: &mut Writer<std::fs::File>, code, time, params: &[&[u8]]| {
        let mut all = ParamBuffer::new();
        assert!(params.iter().all(|param| all.push(param)));
        let event = Event {
            cpu: 1,
            flags: 0,
            time,
            tid: 77,
            code,
            params: all.params(),
        };
        writer.event(&event).expect("it fits");
    };
    for (second, name) in ["/tmp/a\0", "b\0", "/etc/shadow\0", "/tmp/c\0", "/tmp/d\0"]
        .iter()
        .enumerate()
    {
        let time = BEGIN + second as u64 * SECOND;
        let (fd, cwd) = (3i64.to_le_bytes(), (-100i64).to_le_bytes());
        let (flags, none) = (1u32.to_le_bytes(), 0u32.to_le_bytes());
        let inode = 9u64.to_le_bytes();
        let open: [&[u8]; 7] = [&fd, &cwd, name.as_bytes(), &flags, &none, &none, &inode];
        event(&mut writer, OPENAT, time, &open);
        let close: [&[u8]; 2] = [&0i64.to_le_bytes(), &fd];
        event(&mut writer, CLOSE, time + 1000, &close);
    }
    writer.finish().expect("there is room");
    path
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for files of the test")
}

/// Runs the program with these arguments; standard output, standard error and exit code.
fn run(args: &[&str]) -> (String, String, Option<i32>) {
    let output = Command::new(saker())
        .args(args)
        .args(["-o", "cache.dir=", "-o", "hostname=h"])
        .output()
        .expect("saker runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code(),
    )
}

const SHADOW_RULE: &str = "\
- rule: Shadow
  desc: passwords are read
  condition: evt.type = openat and fd.name = /etc/shadow
  output: read by %proc.name (file=%fd.name)
  priority: WARNING
  capture: true
  capture_duration: 1500
";

fn shadow_rule(folder: &tempfile::TempDir) -> String {
    let path = folder.path().join("rules.yaml");
    std::fs::write(&path, SHADOW_RULE).expect("a folder of the test");
    path.display().to_string()
}

#[test]
fn a_capture_is_judged_at_its_own_time() {
    let folder = folder();
    let (capture, rules) = (own_capture(&folder), shadow_rule(&folder));
    let capture = capture.display().to_string();
    let (out, err, code) = run(&["replay", &capture, "-r", &rules]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(
        out,
        "01:00:02.000000000: Warning read by sh (file=/etc/shadow)\n"
    );
    assert!(err.contains("10 events, 1 alert"), "{err}");
    assert!(err.contains("1  Shadow"), "{err}");
}

#[test]
fn events_of_a_capture_are_printed_in_any_form() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let (out, err, code) = run(&[
        "replay",
        &capture,
        "--events",
        "--filter",
        "evt.type=openat and fd.name startswith /home",
        "-p",
        "%evt.num %proc.name %fd.name",
    ]);
    assert_eq!((out.as_str(), code), ("3 sh /home/b\n", Some(0)), "{err}");
    let (out, _, _) = run(&["replay", &capture, "--events"]);
    assert_eq!(out.lines().count(), 10);
    let (_, err, code) = run(&["replay", &capture, "--events", "--filter", "evt.tipe=x"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("evt.tipe"), "{err}");
}

#[test]
fn a_capture_that_ends_in_the_middle_gives_what_it_has_and_says_where_it_broke() {
    let folder = folder();
    let (capture, rules) = (own_capture(&folder), shadow_rule(&folder));
    let whole = std::fs::read(&capture).expect("it was just written");
    let cut = folder.path().join("cut.scap");
    std::fs::write(&cut, &whole[..whole.len() - 20]).expect("a folder of the test");
    let (out, err, code) = run(&["replay", &cut.display().to_string(), "-r", &rules]);
    assert_eq!(code, Some(1), "{err}");
    assert_eq!(out.lines().count(), 1);
    assert!(err.contains("9 events, 1 alert"), "{err}");
    assert!(err.contains("byte "), "{err}");
    let (_, err, code) = run(&["replay", &rules, "-r", &rules]);
    assert_eq!(code, Some(1));
    assert!(err.contains("no capture"), "{err}");
}

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
fn a_paced_replay_takes_as_long_as_what_was_recorded() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let began = std::time::Instant::now();
    let (out, err, code) = run(&["replay", &capture, "--events", "--pace"]);
    assert_eq!((out.lines().count(), code), (10, Some(0)), "{err}");
    let took = began.elapsed();
    assert!(took >= std::time::Duration::from_secs(4), "{took:?}");
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
fn settings_that_say_otherwise_than_the_command_are_refused() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let (_, err, code) = run(&["run", "-o", "engine.kind=replay"]);
    assert_eq!(code, Some(2), "{err}");
    let (_, err, code) = run(&["replay", &capture, "-o", "engine.kind=modern_ebpf"]);
    assert_eq!(code, Some(2), "{err}");
    let rules = shadow_rule(&folder);
    let quiet = ["-o", "stdout_output.enabled=false"];
    let (out, err, code) = run(&[&["replay", &capture, "-r", &rules], &quiet[..]].concat());
    assert_eq!((out.as_str(), code), ("", Some(0)), "{err}");
    assert!(err.contains("1 alert"), "{err}");
}

#[test]
fn what_was_judged_of_a_process_says_nothing_of_another_captures() {
    let folder = folder();
    let files = [
        ("1.scap", &b"sh"[..]),
        ("2.scap", b"other"),
        ("3.scap", b"sh"),
    ];
    let files = files.map(|(name, comm)| own_capture_of(&folder, name, comm));
    let files = files.map(|path| path.display().to_string());
    let rules = folder.path().join("name.yaml");
    let text = SHADOW_RULE.replace("fd.name = /etc/shadow", "proc.name = sh");
    std::fs::write(&rules, text).expect("a folder of the test");
    let rules = rules.display().to_string();
    let (out, err, code) = run(&["replay", &files[0], &files[1], &files[2], "-r", &rules]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out.lines().count(), 10, "{out}");
    assert!(out.lines().all(|line| line.contains("read by sh")), "{out}");
}
