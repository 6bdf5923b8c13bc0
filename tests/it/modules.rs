//! Rule modules from outside: written, built and loaded as a user does it.

use crate::needs;
use crate::program::{Saker, Scope, saker, workspace};
use saker_capture::{Compression, Entry, Event, ParamBuffer, Thread, Writer};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const SECOND: u64 = 1_000_000_000;
const OPENAT: u16 = 307;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for files of the test")
}

pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A capture in which a shell opens 300 files, four in a second.
pub(crate) fn capture(folder: &Path) -> String {
    let path = folder.join("opens.scap");
    let file = std::fs::File::create(&path).expect("a folder of the test");
    let mut writer = Writer::new(file, Compression::Plain).expect("a new file");
    let shell = Thread {
        tid: 77,
        pid: 77,
        ptid: 1,
        vtid: 77,
        vpid: 77,
        comm: b"sh",
        exe: b"/bin/sh",
        exepath: b"/bin/sh",
        cwd: b"/home",
        ..Thread::default()
    };
    writer
        .write(&Entry::Thread(Box::new(shell)))
        .expect("it fits");
    for number in 0..300_u64 {
        let name = format!("/tmp/{}\0", number % 10);
        let (fd, cwd) = (3i64.to_le_bytes(), (-100i64).to_le_bytes());
        let (flags, none) = (1u32.to_le_bytes(), 0u32.to_le_bytes());
        let inode = 9u64.to_le_bytes();
        let open: [&[u8]; 7] = [&fd, &cwd, name.as_bytes(), &flags, &none, &none, &inode];
        let mut params = ParamBuffer::new();
        assert!(open.iter().all(|param| params.push(param)));
        let event = Event {
            cpu: 1,
            flags: 0,
            time: 1_795_309_200 * SECOND + number * SECOND / 4,
            tid: 77,
            code: OPENAT,
            params: params.params(),
        };
        writer.event(&event).expect("it fits");
    }
    writer.finish().expect("there is room");
    text(&path)
}

/// A module in C, of that name, in which `event` and `tick` are the bodies of functions; built.
fn module(folder: &Path, name: &str, condition: &str, event: &str, tick: &str) -> String {
    let source = format!(
        r#"#include "saker.h"
        enum {{ NAME, FILE }};
        static const saker_text FIELDS[] = {{SAKER_TEXT("proc.name"), SAKER_TEXT("fd.name")}};
        static const saker_rule RULES[] = {{{{
            .name = SAKER_TEXT("By {name}"),
            .priority = SAKER_NOTICE,
            .output = SAKER_TEXT("%proc.name opens %fd.name"),
        }}}};
        const saker_description saker_module = {{
            .name = SAKER_TEXT("{name}"),
            .version = SAKER_TEXT("1"),
            .rules = RULES,
            .rules_count = 1,
            .condition = SAKER_TEXT("{condition}"),
            .fields = FIELDS,
            .fields_count = 2,
        }};
        static uint64_t count;
        bool saker_init(const saker_setting *settings, uint32_t of) {{
            (void)settings;
            return of == 0;
        }}
        void saker_event(saker_row row) {{ (void)row; count++; {event} }}
        void saker_tick(uint64_t time) {{ (void)time; {tick} }}
        "#
    );
    let source_folder = folder.join(name);
    std::fs::create_dir(&source_folder).expect("a folder of the test");
    std::fs::write(source_folder.join("module.c"), source).expect("a folder of the test");
    let built = folder.join(format!("{name}.wasm"));
    succeeds(&[
        "module",
        "build",
        &text(&source_folder),
        "-o",
        &text(&built),
    ]);
    text(&built)
}

fn run(args: &[&str]) -> Output {
    Command::new(saker())
        .args(args)
        .output()
        .expect("saker runs")
}

#[track_caller]
pub(crate) fn succeeds(args: &[&str]) -> (String, String) {
    ends_with(0, args)
}

#[track_caller]
fn ends_with(code: i32, args: &[&str]) -> (String, String) {
    let output = run(args);
    let (out, err) = (
        String::from_utf8(output.stdout).expect("text"),
        String::from_utf8(output.stderr).expect("text"),
    );
    assert_eq!(output.status.code(), Some(code), "{args:?}: {err}");
    (out, err)
}

/// Replays with these rules and modules; alerts, and what was said.
#[track_caller]
pub(crate) fn replay(capture: &str, rules: &[&str], options: &[&str]) -> (String, String) {
    succeeds(&replaying(capture, rules, options))
}

/// Likewise, where something is not judged.
#[track_caller]
fn replay_in_part(capture: &str, rules: &[&str]) -> (String, String) {
    let (out, said) = ends_with(5, &replaying(capture, rules, &[]));
    assert!(said.contains("not everything was judged: "), "{said}");
    (out, said)
}

fn replaying<'a>(capture: &'a str, rules: &[&'a str], options: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec![
        "replay",
        "--json",
        "-o",
        "cache.dir=",
        "-o",
        "hostname=h",
        capture,
    ];
    rules.iter().for_each(|rules| args.extend(["-r", rules]));
    options
        .iter()
        .for_each(|option| args.extend(["-o", option]));
    args
}

fn rule_file(folder: &Path) -> String {
    let path = folder.join("rules.yaml");
    let rules = "\
- rule: Five
  desc: every tenth
  condition: evt.type = openat and fd.name = /tmp/5
  output: five (%fd.name %evt.num)
  priority: WARNING
";
    std::fs::write(&path, rules).expect("a folder of the test");
    text(&path)
}

const EVERY_TENTH: &str = "
    if (count % 10 == 0) saker_show_unsigned(saker_alert_by(0), saker_text_of(\"count\"), count);";
const TELL: &str = "
    saker_show_unsigned(saker_alert_by(0), saker_text_of(\"second\"), time / 1000000000);";

#[test]
fn a_replay_by_a_module_gives_the_same_bytes_whatever_the_window_and_the_threads() {
    if !needs::wasm_guests() {
        return;
    }
    let folder = folder();
    let capture = capture(folder.path());
    let rules = rule_file(folder.path());
    let opens = "evt.type = openat and fd.name startswith /tmp/";
    let module = module(folder.path(), "tenth", opens, EVERY_TENTH, TELL);
    let ways = [("1", "1"), ("7", "4"), ("4096", "1"), ("100", "4")];
    let outputs = ways.map(|(rows, threads)| {
        let rows = format!("window.rows_max={rows}");
        let threads = format!("sandbox.threads={threads}");
        replay(&capture, &[&rules, &module], &[&rows, &threads]).0
    });
    assert!(outputs.iter().all(|output| *output == outputs[0]));
    let alerts: Vec<Value> = outputs[0]
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let of = |rule: &str| alerts.iter().filter(|alert| alert["rule"] == rule).count();
    // 75 seconds have 74 ends.
    assert_eq!((of("Five"), of("By tenth")), (30, 30 + 74));
    let times: Vec<u64> = alerts
        .iter()
        .map(|alert| alert["output_fields"]["evt.time"].as_u64().expect("a time"))
        .collect();
    assert!(times.is_sorted(), "alerts come in the order of events");
    let tenth = alerts
        .iter()
        .find(|alert| alert["output_fields"]["count"] == 10);
    let tenth = tenth.expect("there is one");
    assert_eq!(tenth["output_fields"]["fd.name"], "/tmp/9");
    assert_eq!(tenth["priority"], "Notice");
    assert!(
        tenth["output"]
            .as_str()
            .expect("text")
            .ends_with("Notice sh opens /tmp/9")
    );
}

#[test]
fn who_fails_beside_others_changes_nothing_of_their_alerts() {
    if !needs::wasm_guests() {
        return;
    }
    let folder = folder();
    let capture = capture(folder.path());
    let rules = rule_file(folder.path());
    let opens = "evt.type = openat";
    let good = module(folder.path(), "good", opens, EVERY_TENTH, "");
    let (alone, _) = replay(&capture, &[&rules, &good], &[]);
    assert_eq!(alone.lines().count(), 60);
    for (name, event, why) in [
        ("traps", "__builtin_trap();", "trap"),
        (
            "traps-at-times",
            "if (count % 3 == 0) __builtin_trap();",
            "trap",
        ),
        ("loops", "for (volatile int i = 0;; i++) {}", "deadline"),
        (
            "grows",
            "while (__builtin_wasm_memory_grow(0, 16) != -1ul) {} __builtin_trap();",
            "memory",
        ),
        (
            "shouts",
            "saker_alert *a = saker_alert_by(0); a->has_message = 1; \
             a->message = (saker_text){\"\", 0x7fffffff};",
            "answer",
        ),
    ] {
        let bad = module(folder.path(), name, opens, event, "");
        let (beside, said) = replay_in_part(&capture, &[&rules, &bad, &good]);
        assert_eq!(beside, alone, "{name}: {said}");
        assert!(
            said.contains(&format!("module `{name}` failed ({why}")),
            "{name}: {said}"
        );
        assert!(said.contains("set aside"), "{name}: {said}");
        assert!(said.contains("events unjudged"), "{name}: {said}");
    }
    // About a row and by a rule that are not there.
    let event = "saker_alert *a = saker_alert_by(0); a->row = 1; saker_alert_by(1);";
    let liar = module(folder.path(), "liar", opens, event, "");
    let (beside, said) = replay_in_part(&capture, &[&rules, &liar, &good]);
    assert_eq!(beside, alone);
    assert!(said.contains("600 hits lost"), "{said}");
}

#[test]
fn a_module_is_given_nothing_outside_its_scope_whatever_it_asks_for() {
    if !needs::wasm_guests() {
        return;
    }
    let folder = folder();
    let capture = capture(folder.path());
    let alerts = |name: &str, wanted: &str, scope: &str| {
        let module = module(folder.path(), name, wanted, "saker_alert_by(0);", "");
        let scope = format!(r#"modules[]={{"name": "{name}", "scope": "{scope}"}}"#);
        run(&[
            "replay",
            "--json",
            "-o",
            "cache.dir=",
            "-o",
            &scope,
            "-r",
            &module,
            &capture,
        ])
    };
    let output = alerts("scoped", "evt.type = openat", "fd.name = /tmp/3");
    let lines = String::from_utf8(output.stdout).expect("text");
    assert_eq!(lines.lines().count(), 30, "{lines}");
    assert!(lines.lines().all(|line| line.contains("opens /tmp/3")));
    let nowhere = alerts("nowhere", "evt.type = openat", "k8s.ns.name = shop");
    assert!(nowhere.status.success() && nowhere.stdout.is_empty());
    // No bracket of its condition ends the scope's.
    let escape = "evt.type = close) or (evt.type = openat";
    let output = alerts("escapes", escape, "fd.name = /tmp/3");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && output.stdout.is_empty(),
        "{said}"
    );
    assert!(said.contains("unexpected `)`"), "{said}");
    // A scope that is none is said, and nothing runs without it.
    let output = alerts("unscoped", "evt.type = openat", "k8s.ns.nam = shop");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && output.stdout.is_empty(),
        "{said}"
    );
    assert!(said.contains("did you mean `k8s.ns.name`?"), "{said}");
}

#[test]
fn what_a_module_costs_is_measured_over_captures() {
    if !needs::wasm_guests() {
        return;
    }
    let folder = folder();
    let capture = capture(folder.path());
    let wanted = "evt.type = openat and fd.name = /tmp/3";
    let honest = module(folder.path(), "honest", wanted, "saker_alert_by(0);", "");
    let bench = |module: &str, more: &[&str]| {
        let args = ["module", "bench", module, &capture, &capture];
        run(&[&args[..], &["--rounds", "2"], more].concat())
    };
    let output = bench(&honest, &["--json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    // One in ten events of two captures.
    for (key, number) in [("events", 600), ("rows", 60), ("alerts", 60), ("rounds", 2)] {
        assert_eq!(found[key], number, "{key}: {found}");
    }
    let costs = |key: &str| found["ns_per_event"][key].as_f64().expect("a number");
    assert!(costs("without") > 0.0);
    let off = costs("with") - costs("without") - costs("more");
    assert!(off.abs() < 0.01, "{found}");
    let text = bench(&honest, &[]).stdout;
    let text = String::from_utf8(text).expect("text");
    assert!(
        text.contains("rows        60 (10.0 % of the events)"),
        "{text}"
    );

    let failing = module(folder.path(), "failing", wanted, "__builtin_trap();", "");
    let output = bench(&failing, &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("did not judge all that it wanted"), "{said}");
}

#[test]
fn a_module_that_may_not_be_loaded_is_refused_with_the_reason() {
    if !needs::wasm_guests() {
        return;
    }
    let folder = folder();
    let capture = capture(folder.path());
    let refused = |module: &str, options: &[&str], why: &str| {
        let mut args = vec!["replay", "-o", "cache.dir=", &capture, "-r", module];
        options
            .iter()
            .for_each(|option| args.extend(["-o", option]));
        let output = run(&args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{said}");
        assert!(said.contains(why), "{why}: {said}");
    };
    let wrong = module(
        folder.path(),
        "wrong",
        "evt.type = openat and fd.nam = x",
        "",
        "",
    );
    refused(&wrong, &[], "fd.nam");
    let plain = module(folder.path(), "plain", "evt.type = openat", "", "");
    // Its `init` takes no settings.
    let settings = r#"modules[]={"name": "plain", "config": ["key=value"]}"#;
    refused(&plain, &[settings], "`init` says");
    let unknown = r#"modules[]={"name": "plain", "grant": ["fork"]}"#;
    refused(&plain, &[unknown], "clock, kv, metrics or http");
    let other = r#"modules[]={"name": "other"}"#;
    let (_, said) = replay(&capture, &[&plain], &[other]);
    assert!(said.contains("`other`, which is not loaded"), "{said}");
    let copy = folder.path().join("copy.wasm");
    std::fs::copy(&plain, &copy).expect("a folder of the test");
    let args = ["replay", &capture, "-r", &plain, "-r", &text(&copy)];
    let output = run(&args);
    assert_eq!(output.status.code(), Some(3));
    let clock = module(
        folder.path(),
        "clock",
        "evt.type = openat",
        "if (saker_now() == 0) saker_alert_by(0);",
        "",
    );
    refused(&clock, &[], "does not say that it wants it");
    let mut damaged = std::fs::read(&plain).expect("it was just built");
    damaged.truncate(damaged.len() / 2);
    std::fs::write(&copy, damaged).expect("a folder of the test");
    refused(&text(&copy), &[], "is no module that Saker can run");
}

#[test]
fn a_new_module_in_c_builds_and_is_tested_over_a_capture() {
    if !needs::wasm_guests() {
        return;
    }
    let folder = folder();
    let in_folder = |args: &[&str]| {
        let output = Command::new(saker())
            .args(args)
            .current_dir(folder.path())
            .output()
            .expect("saker runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            said,
        )
    };
    let (code, _, said) = in_folder(&["module", "new", "watch-shadow", "--lang", "c"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = in_folder(&["module", "build", "watch-shadow"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("warning"), "{said}");
    let (code, out, said) = in_folder(&["module", "inspect", "watch-shadow/module.wasm"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        out.contains("watch-shadow 0.1.0") && out.contains("Passwords read"),
        "{out}"
    );
    let (code, _, said) = in_folder(&["module", "test", "watch-shadow"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("nothing to test"), "{said}");
    let tests = folder.path().join("watch-shadow/tests");
    std::fs::create_dir(&tests).expect("a folder of the test");
    capture(&tests);
    std::fs::write(tests.join("opens.alerts"), "").expect("a folder of the test");
    let (code, _, said) = in_folder(&["module", "test", "watch-shadow"]);
    assert_eq!(code, Some(0), "{said}");
    std::fs::write(tests.join("opens.alerts"), "{}\n").expect("a folder of the test");
    let (code, _, said) = in_folder(&["module", "test", "watch-shadow"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("alert 1 differs"), "{said}");
    for (args, why) in [
        (&["module", "new", "../x", "--lang", "c"][..], "no name"),
        (
            &["module", "new", "watch-shadow", "--lang", "c"],
            "cannot make",
        ),
        (&["module", "build", "."], "no Cargo.toml, module.py"),
    ] {
        let (code, _, said) = in_folder(args);
        assert_ne!(code, Some(0));
        assert!(said.contains(why), "{said}");
    }
}

/// Builds an example; where it lies.
fn example(folder: &Path, name: &str) -> String {
    let built: PathBuf = folder.join(format!("{name}.wasm"));
    let source = workspace().join("examples").join(name);
    succeeds(&["module", "build", &text(&source), "-o", &text(&built)]);
    text(&built)
}

#[test]
fn the_example_in_c_finds_a_burst_of_failed_opens_as_it_happens() {
    if !needs::live() || !needs::wasm_guests() {
        return;
    }
    let folder = folder();
    let module = example(folder.path(), "failed-opens");
    let scope = Scope::new();
    let saker = Saker::watch(&scope, &["-r", &module]);
    let missing = "for i in $(seq 60); do echo /nowhere/$i; done | xargs cat; true";
    scope.shell(missing);
    let ended = saker.stop();
    assert_eq!(
        ended.alerts.len(),
        1,
        "{:#?}\n{}",
        ended.alerts,
        ended.messages
    );
    let alert = &ended.alerts[0];
    assert_eq!(alert["rule"], "Burst of failed opens");
    assert_eq!(alert["output_fields"]["tree.failed_opens"], 50);
}

#[test]
fn the_example_in_rust_finds_who_calls_by_the_clock_as_it_happens() {
    if !needs::live() || !needs::wasm_guests() {
        return;
    }
    let folder = folder();
    let module = example(folder.path(), "beacon");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let port = listener.local_addr().expect("an address").port();
    let scope = Scope::new();
    let settings = r#"modules[]={"name": "beacon",
        "config": ["connects=5", "least_seconds=0.05", "jitter=0.5"]}"#;
    let saker = Saker::watch(&scope, &["-r", &module, "-o", settings]);
    let calls = format!(
        "for i in 1 2 3 4 5 6; do exec 3<>/dev/tcp/127.0.0.1/{port}; exec 3>&-; sleep 0.4; done"
    );
    scope.run("/bin/bash", &["-c", &calls]);
    let ended = saker.stop();
    assert_eq!(
        ended.alerts.len(),
        1,
        "{:#?}\n{}",
        ended.alerts,
        ended.messages
    );
    let fields = &ended.alerts[0]["output_fields"];
    assert_eq!(fields["fd.sport"], port);
    assert_eq!(fields["fd.sip"], "127.0.0.1");
    assert_eq!(fields["beacon.connects"], 5);
}

#[test]
fn a_module_goes_on_where_it_was_when_the_rules_beside_it_change() {
    if !needs::live() || !needs::wasm_guests() {
        return;
    }
    let folder = folder();
    let rules = rule_file(folder.path());
    let marked = "evt.type = openat and evt.arg.name startswith /etc/saker-marked";
    let event = "saker_show_unsigned(saker_alert_by(0), saker_text_of(\"count\"), count);";
    let module = module(folder.path(), "counts", marked, event, "");
    let scope = Scope::new();
    let mut saker = Saker::watch(&scope, &["-r", &rules, "-r", &module]);
    let mut counts = Vec::new();
    for round in 0..3 {
        scope.shell("cat /etc/saker-marked 2>/dev/null; true");
        counts.push(saker.next_alert()["output_fields"]["count"].clone());
        let other = format!(
            "- rule: Other {round}\n  desc: d\n  condition: evt.type=chroot\n  output: o\n  priority: DEBUG\n"
        );
        std::fs::write(folder.path().join("rules.yaml"), other).expect("a folder of the test");
        saker.signal(rustix::process::Signal::HUP);
        // It is read aside; what happens meanwhile is judged.
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let ended = saker.stop();
    assert_eq!(counts, [1, 2, 3], "{}", ended.messages);
}
