//! `saker replay` over captures that Falco recorded, held against Falco's own alerts, which are
//! read where they lie.

use crate::capture::{
    BEGIN, Own, SECOND, SHADOW_RULE, falco, falcos, folder, own_capture, own_capture_of, run,
    shadow_rule, terminal,
};
use crate::program::saker;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

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
            let output = replay(&falcos(&folder, name), &rules, &[matching]);
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
        let capture = falcos(&folder, name);
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
fn a_wrong_filter_or_format_is_shown_as_it_was_written() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let filter = ["--filter", "proc.name = \"a b\" and\nevt.tipe = x"];
    let args = ["replay", &capture, "--events"];
    let (out, err, code) = run(&[&args[..], &filter].concat());
    assert_eq!((out.as_str(), code), ("", Some(2)), "{err}");
    let expected = "\
error[S501 LOAD_ERR_COMPILE_CONDITION]: unknown field `evt.tipe`
 --> filter:2:1
  |
2 | evt.tipe = x
  | ^^^^^^^^
  |
  = help: did you mean `evt.time`?

saker: the filter is no condition
";
    assert_eq!(err, expected);
    let (_, err, code) = run(&[&args[..], &["-p", "a\\t%evt.num %fd.nam \\n"]].concat());
    assert_eq!(code, Some(2), "{err}");
    let expected = "\
error[S601 LOAD_ERR_COMPILE_OUTPUT]: unknown field `fd.nam`
 --> format:1:13
  |
1 | a\\t%evt.num %fd.nam \\n
  |             ^^^^^^^
  |
  = help: did you mean `fd.name`?

saker: events cannot be printed in this format
";
    assert_eq!(err, expected);
    // A warning is about what the user wrote, and does not stop anything.
    let (out, err, code) = run(&[&args[..], &["--filter", "evt.dir = <"]].concat());
    assert_eq!((out.lines().count(), code), (10, Some(0)), "{err}");
    assert_eq!(err.matches("evt.dir").count(), 2, "{err}");
    assert!(err.contains("--> filter:1:1"), "{err}");
    let never = "evt.type = open and evt.type = close";
    let (out, err, code) = run(&[&args[..], &["--filter", never]].concat());
    assert_eq!((out.as_str(), code), ("", Some(0)), "{err}");
    assert!(
        err.contains("the filter is true for no event\n --> filter:1:1"),
        "{err}"
    );
    let (_, err, _) = run(&args);
    assert!(!err.contains("warning"), "{err}");
}

#[test]
fn a_format_has_tabs_and_lines_of_its_own_and_values_have_none() {
    let folder = folder();
    let path = folder.path().join("sly.scap");
    let mut own = Own::begin(&path, b"sh");
    own.open(BEGIN, "/a\n2\tx");
    own.end();
    let path = path.display().to_string();
    let format = "\\t%evt.num\\t%fd.name\\n%evt.rawarg.name \\\\n \\d\\n";
    let (out, err, code) = run(&["replay", &path, "--events", "-p", format]);
    assert_eq!(code, Some(0), "{err}");
    let expected = "\t1\t/a\u{fffd}2\u{fffd}x\n/a\\n2\\tx \\\\n \\\\d\n\n";
    assert_eq!(out, expected);
}

#[test]
fn events_are_also_printed_as_json() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let first = ["--filter", "evt.num = 1"];
    let args = ["replay", &capture, "--events", "--json"];
    let format = ["-p", "%proc.name\\n%fd.name %fd.sport %evt.num"];
    let (out, err, code) = run(&[&args[..], &first, &format].concat());
    assert_eq!(code, Some(0), "{err}");
    let expected = format!(
        "{{\"evt.num\":1,\"evt.time\":{BEGIN},\"fd.name\":\"/tmp/a\",\"fd.sport\":null,\"proc.name\":\"sh\"}}\n"
    );
    assert_eq!(out, expected);
    let (out, _, _) = run(&args);
    let events: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(events.len(), 10);
    assert_eq!(events[9]["evt.type"], "close");
    assert_eq!(events[9]["evt.args"], "res=0 fd=3(<f>/tmp/d)");
    let iso = ["-o", "time_format_iso_8601=true"];
    let (out, _, _) = run(&[&args[..], &first, &iso].concat());
    let event: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(
        event["evt.time.iso8601"],
        "2026-11-22T01:00:00.000000000+0000"
    );
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

#[test]
fn what_is_no_capture_is_said_to_be_none() {
    let folder = folder();
    let path = folder.path().join("packets.pcapng");
    let u32s = |numbers: &[u32]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    let section: Vec<u8> = u32s(&[0x0A0D_0D0A, 28, 0x1A2B_3C4D, 1, u32::MAX, u32::MAX, 28]);
    let interface: Vec<u8> = u32s(&[1, 20, 1, 65535, 20]);
    std::fs::write(&path, [section.clone(), interface].concat()).expect("a folder of the test");
    let (_, err, code) = run(&["replay", &path.display().to_string()]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("a pcapng file"), "{err}");
    std::fs::write(&path, section).expect("a folder of the test");
    let (_, err, code) = run(&["replay", &path.display().to_string()]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("0 events"), "{err}");
    let (_, err, code) = run(&["replay", &folder.path().display().to_string()]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("is a directory"), "{err}");
}

#[test]
fn names_of_descriptors_are_told_apart_by_container() {
    let Some(falco) = falco() else { return };
    let mut containers = 0;
    for name in ["docker", "server"] {
        let capture = falcos(&falco, name).display().to_string();
        let fields = [
            "container.id",
            "fd.name",
            "fd.containername",
            "fd.directory",
        ];
        let format = format!("%{}\\t%fd.containerdirectory", fields.join("\\t%"));
        let args = ["replay", &capture, "--events", "--filter", "fd.num >= 0"];
        let (out, err, code) = run(&[&args[..], &["-p", &format]].concat());
        assert_eq!(code, Some(0), "{err}");
        for line in out.lines() {
            let values: Vec<&str> = line.split('\t').collect();
            let [id, name, in_container, directory, directory_in] = values[..] else {
                panic!("{line}");
            };
            let id = if id == "host" { "" } else { id };
            containers += usize::from(!id.is_empty());
            let inside = |value: &str| match value {
                "<NA>" => value.to_owned(),
                _ => format!("{id}:{value}"),
            };
            assert_eq!(in_container, inside(name), "{line}");
            assert_eq!(directory_in, inside(directory), "{line}");
        }
    }
    assert!(containers > 0, "nothing happens in a container");
}

#[test]
fn a_port_is_the_same_by_either_name() {
    let Some(falco) = falco() else { return };
    let capture = falcos(&falco, "server").display().to_string();
    for test in ["= 18101", "!= 18101", "in (443, 18101)", "> 1024", "exists"] {
        let [port, proto] = ["fd.port", "fd.proto"].map(|field| {
            let filter = format!("{field} {test}");
            let args = ["replay", &capture, "--events", "--filter", &filter];
            let (out, err, code) = run(&args);
            assert_eq!(code, Some(0), "{err}");
            out
        });
        assert!(!port.is_empty() && port == proto, "{test}");
    }
}

#[test]
fn times_that_are_asked_for_stand_among_the_fields() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let format = "%evt.time.iso8601 %evt.time %proc.name";
    for more in [&[][..], &["-o", "time_format_iso_8601=true"]] {
        let args = ["replay", &capture, "--events", "--json", "-p", format];
        let (out, err, _) = run(&[&args[..], more].concat());
        let line = out.lines().next().expect("an event");
        let fields: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(fields["evt.time"], BEGIN, "{out} {err}");
        let iso = fields["evt.time.iso8601"].as_str().unwrap_or_default();
        assert!(iso.starts_with("2026-11-22T01:00:00.0"), "{line}");
    }
}

#[test]
fn a_call_of_an_old_capture_is_never_said_to_be_another() {
    let folder = folder();
    let path = folder.path().join("old.scap");
    let mut own = Own::begin(&path, b"sh");
    for number in 0..256 {
        own.call(BEGIN + u64::from(number), number);
    }
    own.end();
    let path = path.display().to_string();
    let shown = |filter: &str| {
        let args = [
            "replay",
            &path,
            "--events",
            "-p",
            "%evt.type",
            "--filter",
            filter,
        ];
        let (out, err, code) = run(&args);
        assert_eq!(code, Some(0), "{err}");
        out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // By now it has an event type of its own, of which these events are not.
    assert_eq!(shown("evt.type contains mprotect"), ["mprotect"]);
    let all = shown("evt.type exists").len();
    assert!(all > 200, "{all}");
    for others in [
        "evt.type != mprotect",
        "not evt.type = mprotect",
        "not (evt.type in (mprotect, open) or proc.name = x)",
        "syscall.type != mprotect",
    ] {
        let shown = shown(others);
        assert!(!shown.iter().any(|name| name == "mprotect"), "{others}");
        assert!(shown.len() + 2 >= all, "{others}: {} of {all}", shown.len());
    }
    for none in ["evt.type = mprotect", "not evt.type != mprotect"] {
        assert_eq!(shown(none), [""; 0], "{none}");
    }
    // Nobody is the shell's parent.
    for none in ["proc.apid exists", "proc.aname exists", "proc.apid != 1"] {
        assert_eq!(shown(none), [""; 0], "{none}");
    }
    assert_eq!(shown("not proc.aname exists").len(), all);
}

#[test]
fn a_counter_grows_with_what_is_shown() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let args = [
        "--filter",
        "evt.type = close",
        "-p",
        "%evt.num %util.cnt %util.cnt",
    ];
    let (out, err, _) = run(&[&["replay", &capture, "--events"][..], &args].concat());
    assert_eq!(out, "2 1 1\n4 2 2\n6 3 3\n8 4 4\n10 5 5\n", "{err}");
    // In a condition it counts all events, whatever the size of windows.
    for rows in ["window.rows_max=1", "window.rows_max=4096"] {
        let args = ["--filter", "util.cnt > 8", "-p", "%evt.num", "-o", rows];
        let (out, err, _) = run(&[&["replay", &capture, "--events"][..], &args].concat());
        assert_eq!(out, "9\n10\n", "{err}");
    }
}

/// The program at work, to be ended.
struct Running {
    child: Child,
}

impl Running {
    /// Replays standard input with these arguments.
    fn over_stdin(args: &[&str]) -> Running {
        let child = Command::new(saker())
            .args(["replay", "-", "-o", "cache.dir="])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Running {
            child: child.expect("saker starts"),
        }
    }

    /// Whether each of its threads sleeps.
    fn is_waiting(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        tasks.expect("it runs").flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat"));
            stat.is_ok_and(|stat| {
                stat.rsplit(')')
                    .next()
                    .is_some_and(|it| it.starts_with(" S"))
            })
        })
    }

    fn signal(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    }

    /// Waits for the end: the exit code, and what it said of itself.
    fn end(mut self) -> (Option<i32>, String) {
        let end = Instant::now() + Duration::from_secs(60);
        let status = loop {
            match self.child.try_wait().expect("a child of ours") {
                Some(status) => break status,
                None if Instant::now() > end => {
                    let _ = self.child.kill();
                    panic!("saker did not end");
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let mut said = String::new();
        let stderr = self.child.stderr.take();
        let read = stderr.expect("piped").read_to_string(&mut said);
        read.expect("messages are text");
        (status.code(), said)
    }
}

#[test]
fn a_signal_ends_a_replay_in_order() {
    let folder = folder();
    let whole = std::fs::read(own_capture(&folder)).expect("it was just written");
    let rules = shadow_rule(&folder);
    let mut replay = Running::over_stdin(&["-r", &rules]);
    let mut input = replay.child.stdin.take().expect("piped");
    input.write_all(&whole).expect("it is read");
    // It has read all there is, and waits for more.
    while rustix::io::ioctl_fionread(&input).expect("a pipe") > 0 || !replay.is_waiting() {
        std::thread::sleep(Duration::from_millis(10));
    }
    replay.signal();
    let mut out = String::new();
    let output = replay.child.stdout.take();
    let read = output.expect("piped").read_to_string(&mut out);
    read.expect("alerts are text");
    let (code, err) = replay.end();
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(out.lines().count(), 1, "{err}");
    assert!(err.contains("stopped: 10 events, 1 alert"), "{err}");
    assert!(!err.contains("ERROR"), "{err}");
    drop(input);
}

#[test]
fn every_alert_is_given_where_all_rules_match_all_events() {
    const EVENTS: u64 = 5_000;
    let folder = folder();
    let path = folder.path().join("many.scap");
    let mut own = Own::begin(&path, b"sh");
    for event in 0..EVENTS {
        own.open(BEGIN + event, "/tmp/a");
    }
    own.end();
    let rule = |name: &str| {
        format!(
            "- {{rule: {name}, desc: d, condition: evt.num >= 0, output: '%evt.num {name}', \
             priority: INFO}}\n"
        )
    };
    let rules = folder.path().join("all.yaml");
    let names = ["A", "B", "C", "D", "E", "F", "G"];
    std::fs::write(&rules, names.map(rule).concat()).expect("a folder of the test");
    let (capture, rules) = (path.display().to_string(), rules.display().to_string());
    let args = ["replay", &capture, "-r", &rules, "-o", "rule_matching=all"];
    let (out, err, _) = run(&args);
    let numbers = (1..=EVENTS).flat_map(|number| names.map(|name| format!("{number} {name}")));
    let expected: Vec<String> = numbers.collect();
    let found: Vec<&str> = out
        .lines()
        .map(|line| {
            line.split_once("Informational ")
                .map_or(line, |(_, said)| said)
        })
        .collect();
    assert_eq!(found.len(), expected.len(), "{err}");
    assert_eq!(found, expected);
    assert!(!err.contains("lost"), "{err}");
}

#[test]
fn what_a_slow_stream_has_brought_is_judged_and_shown_before_more_comes() {
    let folder = folder();
    let whole = std::fs::read(own_capture(&folder)).expect("it was just written");
    let rules = shadow_rule(&folder);
    for args in [["-r", &rules].as_slice(), &["--events"]] {
        let mut replay = Running::over_stdin(args);
        let mut input = replay.child.stdin.take().expect("piped");
        // Also where it comes in pieces that end in the middle of an event.
        for piece in whole[..whole.len() - 1].chunks(100) {
            input.write_all(piece).expect("it is read");
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut output = BufReader::new(replay.child.stdout.take().expect("piped"));
        let mut first = String::new();
        output.read_line(&mut first).expect("what is shown is text");
        assert_ne!(first, "", "{args:?}");
        input
            .write_all(&whole[whole.len() - 1..])
            .expect("it is read");
        drop(input);
        let mut rest = String::new();
        output.read_to_string(&mut rest).expect("it is text");
        let (code, err) = replay.end();
        assert_eq!(code, Some(0), "{err}");
        assert!(err.contains("10 events"), "{err}");
    }
}

#[test]
fn a_signal_ends_the_wait_of_a_paced_replay() {
    let folder = folder();
    let path = folder.path().join("slow.scap");
    let mut own = Own::begin(&path, b"sh");
    own.open(BEGIN, "/tmp/a");
    own.close(BEGIN + 3600 * SECOND);
    own.end();
    let whole = std::fs::read(path).expect("it was just written");
    let mut replay = Running::over_stdin(&["--events", "--pace"]);
    let mut input = replay.child.stdin.take().expect("piped");
    input.write_all(&whole).expect("it is read");
    let mut output = BufReader::new(replay.child.stdout.take().expect("piped"));
    let mut first = String::new();
    output.read_line(&mut first).expect("events are text");
    assert!(first.contains("openat"), "{first}");
    replay.signal();
    let (code, err) = replay.end();
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("stopped: "), "{err}");
}

/// Writes to the program until it takes no more.
fn feed(replay: &mut Running, capture: Vec<u8>) -> std::thread::JoinHandle<()> {
    let mut input = replay.child.stdin.take().expect("piped");
    std::thread::spawn(move || while input.write_all(&capture).is_ok() {})
}

#[test]
fn a_second_signal_ends_a_replay_at_once() {
    let folder = folder();
    let capture = std::fs::read(own_capture(&folder)).expect("it was just written");
    let mut replay = Running::over_stdin(&["--events", "-o", "outputs_queue.capacity=1"]);
    let fed = feed(&mut replay, capture);
    // Nobody reads on, so that it can end neither by itself nor in order.
    let mut output = BufReader::with_capacity(1, replay.child.stdout.take().expect("piped"));
    let mut first = String::new();
    output.read_line(&mut first).expect("events are text");
    std::thread::sleep(Duration::from_millis(500));
    replay.signal();
    std::thread::sleep(Duration::from_millis(300));
    let ended = replay.child.try_wait().expect("a child of ours");
    assert!(ended.is_none(), "{ended:?}");
    replay.signal();
    let (code, err) = replay.end();
    assert_eq!(code, Some(143), "{err}");
    fed.join().expect("it does not panic");
}

#[test]
fn a_replay_ends_when_nobody_reads_on() {
    let folder = folder();
    let capture = std::fs::read(own_capture(&folder)).expect("it was just written");
    let rules = shadow_rule(&folder);
    for args in [&["--events"][..], &["-r", &rules]] {
        let mut replay = Running::over_stdin(args);
        let fed = feed(&mut replay, capture.clone());
        let mut output = BufReader::new(replay.child.stdout.take().expect("piped"));
        let mut first = String::new();
        output.read_line(&mut first).expect("lines are text");
        drop(output);
        let (code, err) = replay.end();
        assert_eq!(code, Some(0), "{err}");
        assert!(err.contains("stopped: "), "{err}");
        assert!(err.contains("nobody reads them any more"), "{err}");
        assert!(!err.contains("ERROR") && !err.contains("saker: "), "{err}");
        fed.join().expect("it does not panic");
    }
}

/// What the program shows on a terminal that its messages go to, and its alerts do not.
fn on_a_terminal(args: &[&str], input: Stdio) -> String {
    let (terminal, other_end) = terminal();
    shown_on(terminal, args, input, Stdio::null(), other_end.into())
}

/// What it shows there.
fn shown_on(mut end: File, args: &[&str], input: Stdio, output: Stdio, error: Stdio) -> String {
    let mut child = Command::new(saker())
        .args(["replay", "-o", "cache.dir="])
        .args(args)
        .env("TERM", "xterm")
        .stdin(input)
        .stdout(output)
        .stderr(error)
        .spawn()
        .expect("saker starts");
    let mut shown = Vec::new();
    // It ends with an error once nobody holds the other end.
    let _ = end.read_to_end(&mut shown);
    assert!(child.wait().expect("a child of ours").success());
    String::from_utf8_lossy(&shown).into_owned()
}

#[test]
fn progress_is_whole_at_the_end() {
    let folder = folder();
    let capture = own_capture(&folder).display().to_string();
    let packed = folder.path().join("own.scap.gz").display().to_string();
    let (_, err, code) = run(&["record", &capture, "-w", &packed]);
    assert_eq!(code, Some(0), "{err}");
    for args in [&[packed.as_str()][..], &[&capture, "--pace"]] {
        let shown = on_a_terminal(args, Stdio::null());
        let last = shown.rsplit_once(" % ").expect("there is a bar").0;
        assert!(last.ends_with("100"), "{shown}");
        assert!(shown.contains("events/s"), "{shown}");
        let end = &shown[shown.rfind("events/s").expect("there is one")..];
        assert!(!end.contains(" left"), "{shown}");
        assert!(
            end.starts_with("events/s\r\n") || end.contains("\n"),
            "{shown}"
        );
    }
    let input = File::open(&capture).expect("it is there");
    let shown = on_a_terminal(&["-"], input.into());
    assert!(
        shown.contains("events/s") && !shown.contains('%'),
        "{shown}"
    );
}

#[test]
fn an_alert_names_its_capture_where_there_are_several() {
    let folder = folder();
    let one = own_capture(&folder).display().to_string();
    let two = own_capture_of(&folder, "two.scap", b"sh")
        .display()
        .to_string();
    let rules = folder.path().join("rules.yaml").display().to_string();
    let rule = "- rule: Shadow\n  desc: x\n  condition: fd.name = /etc/shadow and evt.type = openat\n  \
                output: (number=%evt.num)\n  priority: INFO\n";
    std::fs::write(&rules, rule).expect("a folder of the test");
    let captures = |args: &[&str]| {
        let (out, err, code) = run(&[&["replay", "-r", &rules, "--json"][..], args].concat());
        assert_eq!(code, Some(0), "{err}");
        let line = |line: &str| -> Value { serde_json::from_str(line).expect("JSON") };
        let fields = out.lines().map(|text| line(text)["output_fields"].clone());
        let both = fields.map(|of| (of["saker.capture"].clone(), of["evt.num"].clone()));
        both.collect::<Vec<_>>()
    };
    let several = captures(&[&one, &two]);
    let expected = [(json!(one), json!(5)), (json!(two), json!(15))];
    assert_eq!(several, expected);
    assert_eq!(captures(&[&one]), [(Value::Null, json!(5))]);
}

#[test]
fn alerts_stand_above_the_progress_on_one_terminal() {
    let folder = folder();
    let (capture, rules) = (own_capture(&folder), shadow_rule(&folder));
    let capture = capture.display().to_string();
    let (shows, end) = terminal();
    let output = end.try_clone().expect("it is open");
    let args = [capture.as_str(), "-r", &rules, "--pace"];
    let shown = shown_on(shows, &args, Stdio::null(), output.into(), end.into());
    let (before, _) = shown.split_once("01:00:02.").expect("there is an alert");
    assert!(before.contains(" % "), "{shown:?}");
    // The bar's line is empty, and the alert at its beginning.
    assert!(before.ends_with("\r\u{1b}[2K"), "{shown:?}");
}

/// A block of that type; its body is made up to a multiple of four.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let total = (12 + body.len()).next_multiple_of(4);
    let mut block = Vec::new();
    block.extend(kind.to_le_bytes());
    block.extend((total as u32).to_le_bytes());
    block.extend(body);
    block.resize(total - 4, 0);
    block.extend((total as u32).to_le_bytes());
    block
}

/// An event's block of that thread and of Falco's code.
fn event(tid: i64, code: u16, params: &[&[u8]]) -> Vec<u8> {
    let data = params.concat();
    let mut body = vec![1, 0];
    body.extend((BEGIN + 9 * SECOND).to_le_bytes());
    body.extend(tid.to_le_bytes());
    body.extend(((26 + 2 * params.len() + data.len()) as u32).to_le_bytes());
    body.extend(code.to_le_bytes());
    body.extend((params.len() as u32).to_le_bytes());
    let lengths = params.iter().map(|param| param.len() as u16);
    body.extend(lengths.flat_map(u16::to_le_bytes));
    body.extend(data);
    block(0x216, &body)
}

#[test]
fn what_is_left_out_of_a_capture_is_counted_with_its_place_and_the_rest_is_judged() {
    let folder = folder();
    let whole = std::fs::read(own_capture(&folder)).expect("it was just written");
    let path = folder.path().join("more.scap");
    let rules = shadow_rule(&folder);
    let closed = event(77, 5, &[&[0; 8], &3i64.to_le_bytes()]);
    let at = format!("byte {}", whole.len());
    let long = block(0x216, &vec![0; 17 << 20]);
    let container = event(-1, 272, &[b"{\"container\":\0"]);
    let impossible = event(1 << 23, 5, &[&[0; 8][..]; 2]);
    for (bad, said, place) in [
        (event(77, 4000, &[]), "1 event of an unknown type", &*at),
        (
            event(77, 5, &[&[0; 8][..]; 9]),
            "1 event of an unknown version",
            &at,
        ),
        (block(0x7777, &[0; 8]), "1 unknown part", &at),
        (long, "1 damaged part", &at),
        (block(0x216, &[0; 3]), "1 damaged part", &at),
        (impossible, "1 event of an impossible thread id", "event 11"),
        (container, "1 unreadable container", "event 11"),
    ] {
        std::fs::write(&path, [&whole[..], &bad, &closed].concat()).expect("a folder of the test");
        let capture = path.display().to_string();
        let (out, err, code) = run(&["replay", &capture, "-r", &rules]);
        assert_eq!((out.lines().count(), code), (1, Some(5)), "{said}: {err}");
        assert!(
            err.contains(&format!("not everything was judged: {said}\n")),
            "{err}"
        );
        assert!(err.contains(place), "{said}: {err}");
        let (out, _, code) = run(&["replay", &capture, "--events"]);
        assert_eq!(code, Some(5), "{said}");
        // The last one stands behind it.
        assert!(out.lines().count() >= 11, "{said}: {out}");
    }
    // In front of the events every reader passes over such a block.
    let section = u32::from_le_bytes(whole[4..8].try_into().expect("four bytes")) as usize;
    let unknown = block(0x7777, &[0; 8]);
    let bytes = [&whole[..section], &unknown, &whole[section..]].concat();
    std::fs::write(&path, bytes).expect("a folder of the test");
    let (_, err, code) = run(&["replay", &path.display().to_string(), "-r", &rules]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("1 unknown block\n"), "{err}");
    assert!(err.contains(&format!("byte {section}")), "{err}");
}

#[test]
fn entries_of_a_capture_beyond_all_bounds_are_counted_with_the_place_of_the_first() {
    use saker_capture::{Compression, Entry, User, Writer};
    let folder = folder();
    let path = folder.path().join("users.scap");
    let file = File::create(&path).expect("a folder of the test");
    let mut writer = Writer::new(file, Compression::Plain).expect("a new file");
    for uid in 0..100_002 {
        let user = User {
            uid,
            gid: 0,
            name: b"u",
            home: b"",
            shell: b"",
        };
        writer.write(&Entry::User(user)).expect("it fits");
    }
    writer.finish().expect("there is room");
    let (_, err, code) = run(&["replay", &path.display().to_string(), "--events"]);
    assert_eq!(code, Some(5), "{err}");
    assert!(err.contains("2 entries without room"), "{err}");
    assert!(err.contains("2 users and groups"), "{err}");
    assert!(
        err.contains("there is no room for all of what stands there"),
        "{err}"
    );
}

#[test]
fn nothing_is_judged_where_one_of_several_captures_is_not_there() {
    let folder = folder();
    let (capture, rules) = (own_capture(&folder), shadow_rule(&folder));
    let capture = capture.display().to_string();
    let (out, err, code) = run(&["replay", &capture, "/nonexistent.scap", "-r", &rules]);
    assert_eq!((&*out, code), ("", Some(1)), "{err}");
    assert!(
        err.contains("cannot open the capture `/nonexistent.scap`"),
        "{err}"
    );
    assert!(!err.contains("events"), "{err}");
}

#[test]
fn a_signal_ends_a_replay_that_waits_for_a_pipe_to_be_opened() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use rustix::process::{Pid, Signal, kill_process};
    let folder = folder();
    let pipe = folder.path().join("pipe");
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, &pipe, FileType::Fifo, mode, 0).expect("a folder of the test");
    let begin = || {
        let mut command = Command::new(saker());
        command.arg("replay").arg(&pipe);
        command.args(["--events", "-o", "cache.dir="]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("saker starts");
        std::thread::sleep(Duration::from_secs(3));
        assert!(child.try_wait().expect("a child of ours").is_none());
        child
    };
    let child = begin();
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it runs");
    let began = Instant::now();
    let ended = child.wait_with_output().expect("a child of ours");
    assert!(began.elapsed() < Duration::from_secs(10));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(said.contains("stopped"), "{said}");
    // Where somebody opens it, it is read.
    let child = begin();
    let bytes = std::fs::read(own_capture(&folder)).expect("it was just written");
    std::fs::write(&pipe, bytes).expect("somebody reads it");
    let ended = child.wait_with_output().expect("a child of ours");
    assert_eq!(String::from_utf8_lossy(&ended.stdout).lines().count(), 10);
}

#[test]
fn no_argument_and_no_name_of_a_file_turns_to_the_terminal() {
    for args in [
        &["replay", "--\u{9b}31m"][..],
        &["replay", "x.scap", "--pace=\u{9b}\u{202e}1"],
        &["replay", "no\u{202e}such\u{2066}\u{9b}.scap"],
        &["repl\u{9b}y"],
    ] {
        let (out, err, code) = run(args);
        assert!(matches!(code, Some(1 | 2)), "{args:?}: {err}");
        for bad in ['\u{9b}', '\u{202e}', '\u{2066}'] {
            assert!(
                !err.contains(bad) && !out.contains(bad),
                "{args:?}: {err:?}"
            );
        }
        assert!(err.contains("\\u{"), "{args:?}: {err}");
    }
}
