//! Running it day by day: what it does when outputs fail, rules change or what it watches goes.

use crate::needs;
use crate::program::{Saker, Scope, saker};
use rustix::process::Signal;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::process::{Command, Stdio};

const READ_SHADOW: &str = "cat /etc/shadow > /dev/null";

fn full() -> File {
    let mut options = OpenOptions::new();
    options.write(true).open("/dev/full").expect("Linux has it")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for files of the test")
}

#[test]
fn alerts_that_cannot_be_written_are_counted_and_fail_the_run() {
    if !needs::live() {
        return;
    }
    let scope = Scope::new();
    let saker = Saker::watch_to(full().into(), &scope, &[]);
    scope.shell(READ_SHADOW);
    let ended = saker.stop();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.messages);
    let expected = "1 alert, 0 dropped, 1 alerts not written";
    assert!(ended.messages.contains(expected), "{}", ended.messages);
    assert!(
        ended.messages.contains("No space left"),
        "{}",
        ended.messages
    );
}

#[test]
fn a_reader_that_goes_away_ends_the_run() {
    if !needs::live() {
        return;
    }
    let scope = Scope::new();
    let mut saker = Saker::watch(&scope, &[]);
    scope.shell(READ_SHADOW);
    saker.next_alert();
    saker.desert();
    scope.shell(READ_SHADOW);
    let ended = saker.wait();
    assert_eq!(ended.status.code(), Some(1), "{}", ended.messages);
    let said = &ended.messages;
    assert!(
        said.contains("nobody reads") && said.contains("not written"),
        "{said}"
    );
}

#[test]
fn a_standard_error_that_cannot_be_written_changes_no_exit_code() {
    let code = |args: &[&str]| {
        let mut command = Command::new(saker());
        command.args(args).stdout(Stdio::null()).stderr(full());
        command.status().expect("saker runs").code()
    };
    assert_eq!(code(&["check", "/nonexistent.yaml"]), Some(1));
    assert_eq!(code(&["check", "/dev/null", "/etc/hostname"]), Some(3));
    assert_eq!(code(&["run", "-o", "x=y"]), Some(2));
    if needs::live() {
        let scope = Scope::new();
        let scope = format!("scope.cgroup={}", scope.path().display());
        let run = ["run", "-M", "1", "-o", &scope, "-o", "store.path="];
        assert_eq!(code(&run), Some(0));
    }
}

#[test]
fn sighup_brings_new_rules_and_keeps_the_old_where_the_new_are_wrong() {
    if !needs::live() {
        return;
    }
    let rule = |name: &str, file: &str| {
        format!(
            "- rule: {name}\n  desc: d\n  condition: evt.type in (open, openat) and fd.name = {file}\n  \
             output: \"%fd.name\"\n  priority: INFO\n"
        )
    };
    let folder = folder();
    let path = folder.path().join("rules.yaml");
    let write = |text: &str| {
        let beside = folder.path().join("beside");
        std::fs::write(&beside, text).expect("ours");
        std::fs::rename(&beside, &path).expect("ours");
    };
    write(&rule("before", "/etc/hostname"));
    let scope = Scope::new();
    let unwatched = "watch_config_files=false";
    let mut saker = Saker::watch(
        &scope,
        &["-r", &path.display().to_string(), "-o", unwatched],
    );
    scope.shell("cat /etc/hostname");
    assert_eq!(saker.next_of_rules()["rule"], "before");

    for wrong in ["- rule: [", ""] {
        write(wrong);
        saker.signal(Signal::HUP);
        std::thread::sleep(std::time::Duration::from_millis(500));
        scope.shell("cat /etc/hostname");
        assert_eq!(saker.next_of_rules()["rule"], "before");
    }
    write(&rule("after", "/etc/passwd"));
    saker.signal(Signal::HUP);
    let after = loop {
        scope.shell("cat /etc/hostname; exec 3</etc/passwd");
        let alert = saker.next_of_rules();
        if alert["rule"] != "before" {
            break alert;
        }
    };
    assert_eq!(after["rule"], "after");
    assert_eq!(after["output_fields"]["fd.name"], "/etc/passwd");
    let ended = saker.stop();
    assert!(ended.status.success(), "{}", ended.messages);
    let said = &ended.messages;
    assert!(
        said.contains("S101") && said.contains("none is on"),
        "{said}"
    );
}

#[test]
fn a_cgroup_that_is_removed_while_it_is_watched_ends_the_run() {
    if !needs::live() {
        return;
    }
    let scope = Scope::new();
    let saker = Saker::watch(&scope, &[]);
    let path = scope.path().to_owned();
    drop(scope);
    std::fs::create_dir(&path).expect("another of the same name");
    let ended = saker.wait();
    std::fs::remove_dir(&path).expect("it is empty");
    assert_eq!(ended.status.code(), Some(1), "{}", ended.messages);
    assert!(ended.messages.contains("is gone"), "{}", ended.messages);
}

#[test]
fn a_flood_is_told_while_it_lasts_and_by_its_cause() {
    if !needs::live() {
        return;
    }
    let scope = Scope::new();
    let size = "engine.modern_ebpf.buf_size_preset=1";
    let mut saker = Saker::watch(&scope, &["-o", size]);
    let mut floods: Vec<_> = (0..4)
        .map(|_| {
            let mut flood = scope.command(crate::program::ACTOR);
            flood.args(["open-many", "/etc/hostname", "1000000000"]);
            flood.spawn().expect("the actor runs")
        })
        .collect();
    std::thread::sleep(std::time::Duration::from_secs(8));
    // Whoever reads alerts alone is told, too.
    let alert = saker.next_internal("events lost");
    assert_eq!(alert["priority"], "Warning");
    let told = alert["output"].as_str().expect("a text");
    assert!(told.contains("for want of room"), "{told}");
    assert!(
        alert["output_fields"]["saker.events_lost"].as_u64() > Some(0),
        "{alert}"
    );
    for flood in &mut floods {
        let _ = flood.kill();
        let _ = flood.wait();
    }
    let ended = saker.stop();
    assert!(ended.status.success(), "{}", ended.messages);
    let said = &ended.messages;
    let (before, closing) = said.split_once("stopped:").expect("a closing line");
    assert!(!closing.contains(" 0 dropped"), "{said}");
    let told = before.contains("events are lost") && before.contains("for want of room");
    assert!(told, "{said}");
}

#[test]
fn a_judge_that_is_killed_is_told_of_by_an_alert_and_others_follow() {
    if !needs::live() {
        return;
    }
    let scope = Scope::new();
    let mut saker = Saker::watch(&scope, &[]);
    scope.shell(READ_SHADOW);
    saker.next_of_rules();
    let is_judge = |pid: &i32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.split(|byte| *byte == 0).nth(1) == Some(b"judge")
    };
    let of_threads = std::fs::read_dir(format!("/proc/{}/task", saker.pid())).expect("it runs");
    let children = of_threads
        .flatten()
        .map(|thread| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let children: String = children.collect();
    let mut children = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    let judge = children.find(is_judge).expect("rules are judged apart");
    let judge = rustix::process::Pid::from_raw(judge).expect("a process");
    rustix::process::kill_process(judge, Signal::KILL).expect("it is ours");
    let alert = saker.next_internal("judge died");
    assert_eq!(alert["priority"], "Critical");
    assert_eq!(alert["output_fields"]["saker.judge_restarts"], 1);
    scope.shell(READ_SHADOW);
    saker.next_of_rules();
    let ended = saker.stop();
    assert!(ended.status.success(), "{}", ended.messages);
}

#[test]
fn an_endless_duration_is_no_panic() {
    if !needs::live() {
        return;
    }
    let scope = Scope::new();
    let saker = Saker::watch(&scope, &["-M", &u64::MAX.to_string()]);
    let ended = saker.stop();
    assert!(ended.status.success(), "{}", ended.messages);
}

#[test]
fn a_module_is_written_to_what_the_output_names_and_never_over_a_source() {
    let folder = folder();
    let place = |name: &str| folder.path().join(name);
    let compile = |to: &std::path::Path| {
        let mut command = Command::new(saker());
        let output = command.args(["compile", "default", "-o"]).arg(to).output();
        let output = output.expect("saker runs");
        (output.status.code(), output.stdout)
    };
    assert_eq!(compile(std::path::Path::new("/dev/null")).0, Some(0));
    let null = std::fs::metadata("/dev/null").expect("it is there");
    assert!(null.file_type().is_char_device());

    std::fs::write(place("real.wasm"), "old").expect("ours");
    std::fs::set_permissions(place("real.wasm"), PermissionsExt::from_mode(0o600)).expect("ours");
    symlink("real.wasm", place("link.wasm")).expect("ours");
    assert_eq!(compile(&place("link.wasm")).0, Some(0));
    assert!(place("link.wasm").is_symlink());
    let real = std::fs::metadata(place("real.wasm")).expect("it is there");
    assert_eq!(real.mode() & 0o777, 0o600);
    assert!(real.len() > 100);

    let (code, module) = compile(std::path::Path::new("-"));
    assert_eq!(code, Some(0));
    assert!(module.starts_with(b"\0asm"));
    // Whatever it is called, a module is one by how it begins.
    std::fs::write(place("module"), module).expect("ours");
    let mut check = Command::new(saker());
    let checked = check
        .arg("check")
        .arg(place("module"))
        .output()
        .expect("saker runs");
    assert_eq!(checked.status.code(), Some(0));

    let source = place("rules.yaml");
    std::fs::write(&source, "- list: a\n  items: [b]\n").expect("ours");
    let mut onto_itself = Command::new(saker());
    onto_itself
        .arg("compile")
        .arg(&source)
        .arg("-o")
        .arg(&source);
    let refused = onto_itself.output().expect("saker runs");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("one of the rule files"));
    assert!(
        std::fs::read_to_string(&source)
            .expect("text")
            .contains("list")
    );
}

#[test]
fn rules_that_were_compiled_once_are_ready_at_once_the_next_time() {
    if !needs::live() {
        return;
    }
    let place = folder();
    let scope = Scope::new();
    let set = format!("cache.dir={}", place.path().join("cache").display());
    let alerts_and_messages = || {
        let mut saker = Saker::watch(&scope, &["-v", "-o", &set]);
        scope.shell(READ_SHADOW);
        saker.next_alert();
        saker.stop().messages
    };
    let first = alerts_and_messages();
    assert!(!first.contains("native code was kept"), "{first}");
    let second = alerts_and_messages();
    assert!(second.contains("native code was kept"), "{second}");
    // Of what is not as it was written, it is said at the end as well.
    let files = place.path().join("cache").read_dir().expect("it is there");
    let files = files.map(|file| file.expect("ours").path());
    for path in files.filter(|path| !path.ends_with("secret")) {
        let mut bytes = std::fs::read(&path).expect("ours");
        *bytes.last_mut().expect("it is not empty") ^= 1;
        std::fs::write(&path, bytes).expect("ours");
    }
    let third = alerts_and_messages();
    let expected = "kept native code was not used: 1 file because it is damaged";
    assert!(third.contains(expected), "{third}");
}

#[test]
fn a_cache_that_others_could_put_code_into_is_not_used() {
    if !needs::live() {
        return;
    }
    let place = folder();
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o777)).expect("ours");
    let scope = Scope::new();
    let set = format!("cache.dir={}", place.path().display());
    let mut saker = Saker::watch(&scope, &["-o", &set]);
    scope.shell(READ_SHADOW);
    saker.next_alert();
    let ended = saker.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.messages);
    let expected = "others may write to it (mode 777)";
    assert!(ended.messages.contains(expected), "{}", ended.messages);
    let left = place.path().read_dir().expect("it is there").count();
    assert_eq!(left, 0);
}
