//! Compiling in a process of its own: what comes of it, what it may do, and what becomes of those
//! who wait for one that is slow, greedy, or no compiler at all.

use saker::modules::rulesets::Rulesets;
use saker::modules::{Epoch, Selection};
use saker::sandbox::component::{Code, ComponentLimits, NotLoaded, Workshop};
use saker::sandbox::{
    Apart, Budget, COMPILE_COMMAND, Compiler, FromJudge, Judge, Limits, RulesetImage, ToJudge,
};
use saker_rules_compiler::{Options, Source};
use saker_shm::window::Window;
use std::fmt::Write as _;
use std::fs::read_to_string;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_saker");

fn ruleset() -> Vec<RulesetImage> {
    let source = Source {
        name: "rules.yaml".into(),
        text: "- {rule: r, desc: d, condition: evt.type = connect, output: o, priority: INFO}"
            .into(),
    };
    let made = Rulesets::default().module("rules", &[source], &Options::default());
    let module = made.0.expect("a good rule");
    Epoch::new(1, vec![module], Selection::default()).images()
}

/// What a judge answers that has rules compiled by that.
fn installed(compiler: Compiler) -> FromJudge {
    let window = Window::create(1).expect("memory");
    let judge = Judge::spawn_with(window.fd(), Limits::default(), compiler.into());
    let mut judge = judge.expect("threads");
    let install = ToJudge::Install {
        epoch: 1,
        rulesets: ruleset(),
    };
    judge.send(install).expect("room");
    judge.blocking_receive().expect("an answer")
}

/// Why there are no rules.
fn refused(apart: Apart) -> String {
    match installed(Compiler::apart(apart)) {
        FromJudge::Refused { error, .. } => error,
        other => panic!("{other:?}"),
    }
}

/// A component of so many functions, which imports and exports nothing: that it is no rule module
/// shows once it is compiled.
fn functions(count: usize) -> Vec<u8> {
    let mut text = String::from("(component (core module ");
    for number in 0..count {
        let _ = write!(
            text,
            "(func (param i32) (result i32) (i32.mul (local.get 0) (i32.const {number})))"
        );
    }
    text.push_str("))");
    wat::parse_str(text).expect("Wasm text")
}

fn loaded(wasm: Vec<u8>, within: Duration, apart: Apart) -> NotLoaded {
    let limits = ComponentLimits {
        compile: within,
        ..ComponentLimits::live(Duration::from_millis(50))
    };
    let compiler = Arc::new(Compiler::apart(apart));
    let workshop = Workshop::new_with(limits, compiler).expect("an engine");
    Code::load(&workshop, wasm).expect_err("it is no rule module")
}

fn by(program: &str) -> Apart {
    Apart::by(Path::new(program))
}

/// The children of a process.
fn children(pid: u32) -> Vec<u32> {
    let own = read_to_string("/proc/thread-self/children");
    own.expect("this kernel tells of children");
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter();
    let children = threads.flatten().flatten().map(|thread| {
        let children = thread.path().join("children");
        // The thread may have ended.
        read_to_string(children).unwrap_or_default()
    });
    let children: String = children.collect();
    let children = children.split_whitespace();
    children.map(|pid| pid.parse().expect("a number")).collect()
}

/// Waits for that.
#[track_caller]
fn wait_for<T>(what: &str, mut is_there: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(there) = is_there() {
            return there;
        }
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn rules_and_components_are_compiled_by_another_process() {
    let ready = FromJudge::Installed { epoch: 1 };
    assert_eq!(installed(Compiler::apart(by(PROGRAM))), ready);
    let why = loaded(functions(10), Duration::from_secs(60), by(PROGRAM));
    assert!(matches!(why, NotLoaded::World(_)), "{why}");
    // Where fuel counts, code is another.
    let window = Window::create(1).expect("memory");
    let limits = Limits {
        budget: Budget::Fuel(1_000_000),
        ..Limits::default()
    };
    let compiler = Arc::new(Compiler::apart(by(PROGRAM)));
    let mut judge = Judge::spawn_with(window.fd(), limits, compiler).expect("threads");
    let rulesets = ruleset();
    let install = ToJudge::Install { epoch: 1, rulesets };
    judge.send(install).expect("room");
    assert_eq!(judge.blocking_receive(), Some(ready));
}

#[test]
fn what_does_not_compile_is_refused_in_the_compilers_words() {
    // That a function does not give what it says shows only when it is compiled.
    let wrong = wat::parse_str("(component (core module (func (result i32))))").expect("text");
    let here = Workshop::new(ComponentLimits::live(Duration::from_millis(50))).expect("an engine");
    let here = Code::load(&here, wrong.clone()).expect_err("it is wrong");
    assert!(matches!(here, NotLoaded::Uncompiled(_)), "{here}");
    let apart = loaded(wrong, Duration::from_secs(60), by(PROGRAM));
    assert_eq!(apart, here);
}

#[test]
fn who_is_slow_or_greedy_is_ended_and_named() {
    let large = functions(100_000);
    let began = Instant::now();
    let why = loaded(large.clone(), Duration::from_secs(1), by(PROGRAM));
    assert!(why.to_string().contains("longer than 1 s"), "{why}");
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    let small = Apart {
        address_bytes_max: 256 << 20,
        ..by(PROGRAM)
    };
    let why = loaded(large, Duration::from_secs(60), small);
    let expected = "it wanted more memory than the 256 MiB that it may have";
    assert!(why.to_string().contains(expected), "{why}");
}

#[test]
fn whoever_answers_something_else_is_not_believed() {
    for (program, why) in [
        ("/nonexistent", "no process can compile it"),
        ("/bin/false", "it gave no answer, exit status: 1"),
        // Words without end.
        ("/usr/bin/yes", "larger than any may be"),
    ] {
        let error = refused(by(program));
        assert!(error.contains(why), "{program}: {error}");
    }
    // A script's answers: too short, too long, of no kind, and code that is none.
    let place = tempfile::tempdir().expect("a folder for files of the test");
    for (number, (answer, why)) in [
        (r"\0\1\0\0\0\0\0\0\0", "it gave no answer"),
        (r"\0\0\0\0\0\0\0\0\0x", "it gave no answer"),
        (r"\7\1\0\0\0\0\0\0\0x", "it gave no answer"),
        (r"\1\2\0\0\0\0\0\0\0no", "no"),
        (r"\0\1\0\0\0\0\0\0\0x", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let script = place.path().join(format!("answer-{number}"));
        let text = format!("#!/bin/sh\nprintf '{answer}'\n");
        std::fs::write(&script, text).expect("a folder of the test");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&script, mode).expect("our own");
        let error = refused(Apart::by(&script));
        assert!(error.contains(why), "{answer}: {error}");
    }
}

/// What the kernel says of a process, in that file and line.
fn said(pid: u32, file: &str, line: &str) -> String {
    let text = read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let found = text.lines().find_map(|text| text.strip_prefix(line));
    found.unwrap_or_default().trim().to_string()
}

fn is_confined(pid: u32) -> bool {
    said(pid, "status", "Seccomp:") == "2"
}

/// Other processes of the program run what is compiled.
fn is_compiling(pid: u32) -> bool {
    let arguments = read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    arguments.split('\0').nth(1) == Some(COMPILE_COMMAND)
}

/// `saker check` of a large module, and the process that compiles it.
fn checking(place: &Path) -> (Child, u32) {
    let file = place.join("large.wasm");
    std::fs::write(&file, functions(100_000)).expect("a folder of the test");
    let check = Command::new(PROGRAM)
        .args([Path::new("check"), &file])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("saker runs");
    let compiling = wait_for("a process that compiles", || {
        let mut children = children(check.id()).into_iter();
        children.find(|pid| is_confined(*pid) && is_compiling(*pid))
    });
    (check, compiling)
}

#[test]
fn it_ends_with_who_waits_for_it() {
    let place = tempfile::tempdir().expect("a folder for files of the test");
    let (mut check, compiling) = checking(place.path());
    check.kill().expect("it is ours");
    check.wait().expect("it is ours");
    wait_for("its end", || (!is_confined(compiling)).then_some(()));
}

#[test]
fn who_kills_it_kills_nothing_else() {
    let place = tempfile::tempdir().expect("a folder for files of the test");
    let (check, compiling) = checking(place.path());
    let pid = rustix::process::Pid::from_raw(compiling as i32).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is ours");
    let checked = check.wait_with_output().expect("it is ours");
    let messages = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(3), "{messages}");
    let expected = "the process that compiled it died: signal 9";
    assert!(messages.contains(expected), "{messages}");
}

#[test]
fn it_has_no_rights_while_it_compiles() {
    let order = r#"{"kind":"Component","recipe":{"counts_fuel":false,"stack_bytes_max":524288,
        "seconds":100},"address_bytes_max":4294967296}"#;
    let mut child = Command::new(PROGRAM)
        .args([COMPILE_COMMAND, order])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("saker runs");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(&functions(100_000)).expect("it reads");
    drop(input);
    let pid = child.id();
    // The filter is the last of what it does before it looks at what is not ours.
    wait_for("a filter", || is_confined(pid).then_some(()));
    assert_eq!(said(pid, "status", "NoNewPrivs:"), "1");
    for set in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"] {
        assert_eq!(said(pid, "status", set), "0000000000000000", "{set}");
    }
    if rustix::process::geteuid().is_root() {
        // A user of its own.
        let user = 0x7fff_0000 + pid % 65_536;
        for line in ["Uid:", "Gid:"] {
            let users = vec![user.to_string(); 4].join("\t");
            assert_eq!(said(pid, "status", line), users, "{line}");
        }
        assert_eq!(said(pid, "status", "Groups:"), "");
    }
    let limit = |what| {
        let limit = said(pid, "limits", what);
        let mut words = limit.split_whitespace().map(String::from);
        [words.next(), words.next()].map(Option::unwrap_or_default)
    };
    assert_eq!(limit("Max cpu time"), ["100", "101"]);
    assert_eq!(limit("Max file size"), ["0", "0"]);
    assert_eq!(limit("Max address space"), ["4294967296", "4294967296"]);
    child.kill().expect("it is ours");
    child.wait().expect("it is ours");
}

#[test]
fn nobody_is_left_behind() {
    let why = loaded(functions(100_000), Duration::from_secs(1), by(PROGRAM));
    assert!(why.to_string().contains("longer"), "{why}");
    // Others of this file have their own children meanwhile.
    wait_for("the end of all children", || {
        children(std::process::id()).is_empty().then_some(())
    });
}
