//! Modules in languages that bring an interpreter along, from outside: written, built by their own
//! tools, and at work.

use crate::apart::has_room;
use crate::modules::{capture, replay, succeeds, text};
use crate::needs;
use crate::program::{Saker, Scope, guests, saker, workspace};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder below that of the tools, where they are found.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(guests()).expect("a folder for files of the test")
}

/// Runs `saker` there; a Go of the tests' own is found before any other.
fn tool(folder: &Path, args: &[&str]) -> (bool, String) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = [guests().join("go/bin")];
    let path = std::env::join_paths(first.into_iter().chain(std::env::split_paths(&path)));
    let output = Command::new(saker())
        .args(args)
        .env("PATH", path.expect("no colon in it"))
        // What is not there is not fetched.
        .env("GOTOOLCHAIN", "local")
        // One crate is built once for all.
        .env("CARGO_TARGET_DIR", workspace().join("examples/target"))
        .current_dir(folder)
        .output()
        .expect("saker runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), said + &printed)
}

#[track_caller]
fn works(folder: &Path, args: &[&str]) -> String {
    let (is_done, said) = tool(folder, args);
    assert!(is_done, "{args:?}: {said}");
    said
}

/// A new module in that language, built.
fn new(folder: &Path, name: &str, language: &str) -> String {
    works(folder, &["module", "new", name, "--lang", language]);
    build(folder, &folder.join(name), name)
}

fn build(folder: &Path, source: &Path, name: &str) -> String {
    let built: PathBuf = folder.join(format!("{name}.wasm"));
    let built = text(&built);
    works(folder, &["module", "build", &text(source), "-o", &built]);
    built
}

/// An example, where the tools are found: tested, which says `ran`, and built.
fn example(folder: &Path, name: &str, ran: &str) -> String {
    let source = workspace().join("examples").join(name);
    let copy = folder.join(name);
    std::fs::create_dir(&copy).expect("a folder of the test");
    std::fs::create_dir(copy.join("tests")).expect("a folder of the test");
    for part in [".", "tests"] {
        for entry in std::fs::read_dir(source.join(part)).expect("a folder of the project") {
            let entry = entry.expect("an entry");
            if entry.path().is_file() {
                let to = copy.join(part).join(entry.file_name());
                std::fs::copy(entry.path(), to).expect("room");
            }
        }
    }
    let said = works(folder, &["module", "test", name]);
    assert!(said.contains(ran), "{said}");
    build(folder, &copy, name)
}

/// What is kept of its native code, so that it is compiled once.
fn cache(folder: &Path) -> String {
    format!("cache.dir={}", text(&folder.join("cache")))
}

/// Watches by a module in a process of its own.
fn watch(folder: &Path, scope: &Scope, module: &str, settings: &str) -> Saker {
    let (cache, control) = (
        cache(folder),
        format!("control.socket={}", text(&folder.join("socket"))),
    );
    let mut args = vec!["-r", module];
    let options = [settings, &cache, &control, "sandbox.judge=process"];
    options
        .iter()
        .for_each(|option| args.extend(["-o", option]));
    Saker::watch(scope, &args)
}

/// Demands that a module is refused for want of memory, and that it is said what sets that.
#[track_caller]
fn needs_more(folder: &Path, scope: &Scope, module: &str, settings: &str) {
    let scope = format!("scope.cgroup={}", scope.path().display());
    let cache = cache(folder);
    let nowhere = ["control.socket=", "modules.folder=", "store.path="];
    let options = [&scope, &cache, settings, "sandbox.judge=process"];
    let mut args = vec!["run", "-r", module];
    let options = options.iter().chain(&nowhere);
    options.for_each(|option| args.extend(["-o", option]));
    let (is_done, said) = tool(folder, &args);
    assert!(!is_done, "{said}");
    let why = "wanted more memory than its 4 MiB (`memory_mb` sets that)";
    assert!(said.contains(why), "{said}");
}

/// The third of 300 opens alerts, and an interpreter beside it changes nothing. The module's own
/// test passes, and would not if it were wrong.
fn counts_opens(language: &str, test: &str) {
    let folder = folder();
    let module = new(folder.path(), "opens", language);
    let capture = capture(folder.path());
    let settings = r#"modules[]={"name": "opens", "config": ["most=3"]}"#;
    let (alerts, said) = replay(&capture, &[&module], &[settings]);
    let alerts: Vec<Value> = alerts
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(alerts.len(), 1, "{said}");
    assert_eq!(alerts[0]["output_fields"]["opened"], 3);
    assert_eq!(alerts[0]["output_fields"]["fd.name"], "/tmp/2");
    assert!(!said.contains("failed"), "{said}");
    let refused = r#"modules[]={"name": "opens", "config": ["most=many"]}"#;
    let (is_done, said) = tool(
        folder.path(),
        &[
            "replay",
            "-o",
            "cache.dir=",
            "-o",
            refused,
            "-r",
            &module,
            &capture,
        ],
    );
    assert!(!is_done && said.contains("opens"), "{said}");
    // It imports what it wants: nothing.
    let (shown, _) = succeeds(&["module", "inspect", &module]);
    assert!(shown.contains("opens 0.1.0"), "{shown}");
    let imports = shown.lines().filter(|line| line.starts_with("imports"));
    let other = imports.filter(|line| !line.ends_with("saker:rules/log@0.1.0"));
    assert_eq!(other.count(), 0, "{shown}");
    let is_go = language == "go";
    assert_eq!(
        shown.contains("stub         clock_time_get"),
        is_go,
        "{shown}"
    );
    works(folder.path(), &["module", "test", "opens"]);
    let test = folder.path().join("opens").join(test);
    let right = std::fs::read_to_string(&test).expect("a new module has a test");
    let wrong = right.replace("0, 0, 1, 0", "0, 1, 0, 0");
    assert_ne!(right, wrong);
    std::fs::write(&test, wrong).expect("a folder of the test");
    let (is_done, said) = tool(folder.path(), &["module", "test", "opens"]);
    assert!(!is_done, "{said}");
}

#[test]
fn a_new_module_in_python_builds_and_counts_over_a_capture() {
    if needs::interpreted_guests() {
        counts_opens("python", "tests/test_module.py");
    }
}

#[test]
fn a_new_module_in_javascript_builds_and_counts_over_a_capture() {
    if needs::interpreted_guests() {
        counts_opens("javascript", "tests/module.test.js");
    }
}

#[test]
fn a_new_module_in_typescript_builds_and_counts_over_a_capture() {
    if needs::interpreted_guests() {
        counts_opens("typescript", "tests/module.test.js");
    }
}

#[test]
fn a_new_module_in_go_builds_and_counts_over_a_capture() {
    if needs::go_guests() {
        counts_opens("go", "module_test.go");
    }
}

#[test]
fn a_new_module_in_rust_needs_nothing_but_the_program_to_build_and_count() {
    if needs::wasm_guests() {
        counts_opens("rust", "src/lib.rs");
    }
}

#[test]
fn what_a_language_needs_is_said_where_it_is_missing() {
    let folder = tempfile::tempdir().expect("a folder for files of the test");
    for (language, wanted) in [
        ("python", "pip install"),
        ("javascript", "`node` is not installed"),
        ("go", "`go` is not installed"),
        ("c", "`clang` is not installed"),
        ("rust", "`cargo` is not installed"),
    ] {
        works(
            folder.path(),
            &["module", "new", language, "--lang", language],
        );
        let output = Command::new(saker())
            .args(["module", "build", language])
            .env("PATH", folder.path())
            .current_dir(folder.path())
            .output()
            .expect("saker runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(wanted), "{said}");
    }
}

#[test]
fn the_example_in_python_finds_a_chain_of_parents_that_never_was_as_it_happens() {
    if !needs::live() || !needs::interpreted_guests() {
        return;
    }
    let folder = folder();
    let module = example(folder.path(), "parent-chains", "Ran 3 tests");
    let scope = Scope::new();
    let settings = r#"modules[]={"name": "parent-chains", "grant": ["kv"],
        "config": ["learn_events=3", "learn_seconds=0", "depth=1"]}"#;
    let little = r#"modules[]={"name": "parent-chains", "grant": ["kv"], "memory_mb": 4}"#;
    needs_more(folder.path(), &scope, &module, little);
    let saker = watch(folder.path(), &scope, &module, settings);
    has_room(&text(&folder.path().join("socket")), "parent-chains");
    // The same chain over and over, then one that is new.
    scope.shell("for i in 1 2 3 4 5; do /bin/true; done");
    scope.run(
        "/usr/bin/env",
        &["sh", "-c", "/usr/bin/head -c 1 /dev/null; true"],
    );
    let ended = saker.stop();
    let chains: Vec<&str> = ended
        .alerts
        .iter()
        .filter_map(|alert| alert["output_fields"]["chain"].as_str())
        .collect();
    assert!(
        chains.contains(&"head < sh"),
        "{chains:?}\n{}",
        ended.messages
    );
    assert!(!chains.contains(&"true < sh"), "{chains:?}");
    assert!(!ended.messages.contains("failed"), "{}", ended.messages);
}

#[test]
fn the_example_in_javascript_finds_random_names_as_they_are_given() {
    if !needs::live() || !needs::interpreted_guests() {
        return;
    }
    let folder = folder();
    let module = example(folder.path(), "ransomware-names", "pass 5");
    let files = tempfile::tempdir().expect("a folder for files of the test");
    let scope = Scope::new();
    let settings = r#"modules[]={"name": "ransomware-names", "config": ["files=5"]}"#;
    let little = r#"modules[]={"name": "ransomware-names", "memory_mb": 4}"#;
    needs_more(folder.path(), &scope, &module, little);
    let saker = watch(folder.path(), &scope, &module, settings);
    has_room(&text(&folder.path().join("socket")), "ransomware-names");
    let rename = "import os,sys,hashlib\n\
        for n in range(8):\n \
        open('report-%d.txt' % n, 'w').close()\n \
        os.rename('report-%d.txt' % n, 'summary-of-%d.txt' % n)\n \
        os.rename('summary-of-%d.txt' % n, hashlib.sha256(b'%d' % n).hexdigest()[:32] + '.locked')\n";
    let script = files.path().join("rename.py");
    std::fs::write(&script, rename).expect("a folder of the test");
    let command = format!("cd {} && python3 rename.py", files.path().display());
    scope.shell(&command);
    let ended = saker.stop();
    assert_eq!(
        ended.alerts.len(),
        1,
        "{:#?}\n{}",
        ended.alerts,
        ended.messages
    );
    let fields = &ended.alerts[0]["output_fields"];
    assert_eq!(fields["names.random"], 5);
    let target = fields["fs.path.target"].as_str().expect("a path");
    assert!(target.ends_with(".locked"), "{target}");
}

#[test]
fn the_example_in_go_finds_a_scan_of_ports_as_it_happens() {
    if !needs::live() || !needs::go_guests() {
        return;
    }
    let folder = folder();
    // It is built where it lies: the SDK is beside it.
    let source = workspace().join("examples/scans");
    let said = works(folder.path(), &["module", "test", &text(&source)]);
    assert!(said.contains("ok"), "{said}");
    let module = build(folder.path(), &source, "scans");
    let scope = Scope::new();
    let settings = r#"modules[]={"name": "scans", "config": ["targets=6"]}"#;
    let saker = Saker::watch(&scope, &["-r", &module, "-o", settings]);
    let scan = "import socket\n\
        for port in [1, 2, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8]:\n \
        socket.socket().connect_ex(('127.0.0.1', port))\n";
    let script = folder.path().join("scan.py");
    std::fs::write(&script, scan).expect("a folder of the test");
    scope.run("/usr/bin/env", &["python3", &text(&script)]);
    let ended = saker.stop();
    assert_eq!(
        ended.alerts.len(),
        1,
        "{:#?}\n{}",
        ended.alerts,
        ended.messages
    );
    let fields = &ended.alerts[0]["output_fields"];
    assert_eq!(fields["scan.targets"], 6);
    assert_eq!(fields["evt.arg.addr"], "127.0.0.1:6");
}
