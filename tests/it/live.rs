//! Behaviours on the real kernel, each with exactly the alert it must give. Every test watches
//! a cgroup of its own and acts only in there.

use crate::needs;
use crate::program::{ACTOR, Ended, Saker, Scope};
use serde_json::{Value, json};

/// Acts under the eyes of Saker with the bundled rules and returns what came of it.
fn alerts_of(act: impl FnOnce(&Scope)) -> Ended {
    let scope = Scope::new();
    let saker = Saker::watch(&scope, &[]);
    act(&scope);
    let ended = saker.stop();
    assert!(
        ended.status.success(),
        "{}: {}",
        ended.status,
        ended.messages
    );
    ended
}

/// Demands exactly one alert, of that rule, with those fields among its own.
#[track_caller]
fn exactly_one(ended: &Ended, rule: &str, fields: Value) -> Value {
    assert_eq!(
        ended.alerts.len(),
        1,
        "{:#?}\n{}",
        ended.alerts,
        ended.messages
    );
    let alert = &ended.alerts[0];
    assert_eq!(alert["rule"], rule);
    for (name, value) in fields.as_object().expect("an object") {
        assert_eq!(
            &alert["output_fields"][name], value,
            "field `{name}` of {alert:#}"
        );
    }
    alert.clone()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for files of the test")
}

#[test]
fn reading_shadow_by_an_untrusted_program_alerts() {
    if !needs::live() {
        return;
    }
    let ended = alerts_of(|scope| scope.shell("cat /etc/shadow > /dev/null"));
    let alert = exactly_one(
        &ended,
        "Read sensitive file untrusted",
        json!({
            "fd.name": "/etc/shadow",
            "fd.nameraw": "/etc/shadow",
            "user.name": "root",
            "user.uid": 0,
            "proc.name": "cat",
            "proc.pname": "sh",
            "proc.cmdline": "cat /etc/shadow",
            "container.id": "host",
        }),
    );
    // The line is Falco's, key by key.
    let keys: Vec<&String> = alert.as_object().expect("an object").keys().collect();
    let expected = [
        "hostname",
        "output",
        "output_fields",
        "priority",
        "rule",
        "source",
        "tags",
        "time",
    ];
    assert_eq!(keys, expected);
    assert_eq!(alert["hostname"], "test-host");
    assert_eq!(alert["priority"], "Warning");
    assert_eq!(alert["source"], "syscall");
    assert_eq!(
        alert["tags"],
        json!([
            "T1555",
            "container",
            "filesystem",
            "host",
            "mitre_credential_access"
        ])
    );
    let time = alert["output_fields"]["evt.time"]
        .as_u64()
        .expect("nanoseconds");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after");
    let age = now.as_nanos() as u64 - time;
    assert!(age < 60_000_000_000, "the alert's time is {age} ns ago");
    let seconds = alert["time"]
        .as_str()
        .expect("a time")
        .split('.')
        .nth(1)
        .expect("a fraction");
    assert_eq!(seconds, format!("{:09}Z", time % 1_000_000_000));
    let output = alert["output"].as_str().expect("text");
    assert!(
        output.contains(": Warning File with credentials opened"),
        "{output}"
    );
}

#[test]
fn a_detour_through_proc_self_root_is_seen_through() {
    if !needs::live() {
        return;
    }
    let ended = alerts_of(|scope| scope.shell("cat /proc/self/root/etc/shadow > /dev/null"));
    exactly_one(
        &ended,
        "Read sensitive file untrusted",
        json!({"fd.name": "/etc/shadow", "fd.nameraw": "/proc/self/root/etc/shadow"}),
    );
}

#[test]
fn a_detour_through_a_symlink_is_seen_through() {
    if !needs::live() {
        return;
    }
    let folder = folder();
    let link = folder.path().join("harmless.txt");
    std::os::unix::fs::symlink("/etc/shadow", &link).expect("outside of the scope");
    let link = link.display().to_string();
    let ended = alerts_of(|scope| scope.shell(&format!("head -c1 {link} > /dev/null")));
    exactly_one(
        &ended,
        "Read sensitive file untrusted",
        json!({"fd.name": "/etc/shadow", "fd.nameraw": link, "proc.name": "head"}),
    );
}

#[test]
fn a_detour_through_the_32_bit_system_calls_is_seen() {
    if !needs::live() {
        return;
    }
    let ended = alerts_of(|scope| scope.act(&["open-int80", "/etc/shadow"]));
    exactly_one(
        &ended,
        "Read sensitive file untrusted",
        json!({"fd.name": "/etc/shadow", "proc.name": "actor"}),
    );
}

#[test]
fn running_a_program_from_dev_shm_alerts() {
    if !needs::live() {
        return;
    }
    let program = format!("/dev/shm/saker-test-{}", std::process::id());
    std::fs::copy("/bin/true", &program).expect("/dev/shm can be written");
    let ended = alerts_of(|scope| scope.run(&program, &["--quietly"]));
    let _ = std::fs::remove_file(&program);
    exactly_one(
        &ended,
        "Execution from /dev/shm",
        json!({
            "proc.exepath": program,
            "proc.exe": program,
            "proc.cmdline": format!("{} --quietly", program[9..].chars().take(15).collect::<String>()),
            "user.uid": 0,
        }),
    );
}

#[test]
fn running_a_program_from_memory_alerts() {
    if !needs::live() {
        return;
    }
    let ended = alerts_of(|scope| scope.act(&["memfd-exec", "/bin/true"]));
    let alert = exactly_one(
        &ended,
        "Fileless execution via memfd_create",
        json!({"proc.exepath": "memfd:payload", "user.uid": 0}),
    );
    let flags = alert["output_fields"]["evt.arg.flags"]
        .as_str()
        .expect("flags");
    assert!(flags.contains("EXE_FROM_MEMFD"), "{flags}");
    assert_eq!(alert["priority"], "Critical");
}

#[test]
fn attaching_to_a_process_alerts() {
    if !needs::live() {
        return;
    }
    let mut sleeper = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .expect("sleep is everywhere");
    let pid = sleeper.id().to_string();
    let ended = alerts_of(|scope| scope.act(&["ptrace-attach", &pid]));
    let _ = sleeper.kill();
    let _ = sleeper.wait();
    let alert = exactly_one(
        &ended,
        "PTRACE attached to process",
        json!({"evt.arg.request": "PTRACE_ATTACH", "proc.name": "actor"}),
    );
    let target = alert["output_fields"]["evt.arg.pid"].to_string();
    assert!(target.contains(&pid), "{target} is not about {pid}");
}

#[test]
fn a_symlink_over_a_sensitive_file_alerts() {
    if !needs::live() {
        return;
    }
    let folder = folder();
    let link = folder.path().join("notes").display().to_string();
    let ended = alerts_of(|scope| scope.shell(&format!("ln -s /etc/shadow {link}")));
    exactly_one(
        &ended,
        "Create Symlink Over Sensitive Files",
        json!({"evt.arg.target": "/etc/shadow", "evt.arg.linkpath": link, "proc.name": "ln"}),
    );
}

#[test]
fn a_shell_on_a_connection_alerts() {
    if !needs::live() {
        return;
    }
    let ended = alerts_of(|scope| scope.act(&["shell-on-socket"]));
    let alert = exactly_one(
        &ended,
        "Shell connected to the network",
        json!({"proc.name": "sh", "proc.pname": "actor"}),
    );
    for name in ["proc.stdin.name", "proc.stdout.name"] {
        let connection = alert["output_fields"][name].as_str().expect("a connection");
        assert!(connection.starts_with("127.0.0.1:"), "{connection}");
        assert!(connection.contains("->127.0.0.1:"), "{connection}");
    }
}

#[test]
fn setting_the_setuid_bit_alerts() {
    if !needs::live() {
        return;
    }
    let folder = folder();
    let file = folder.path().join("tool");
    std::fs::write(&file, "").expect("a file of the test");
    let file = file.display().to_string();
    let ended = alerts_of(|scope| scope.shell(&format!("chmod +s {file}")));
    let alert = exactly_one(
        &ended,
        "Set Setuid or Setgid bit",
        json!({"fs.path.name": file, "proc.name": "chmod"}),
    );
    let mode = alert["output_fields"]["evt.arg.mode"]
        .as_str()
        .expect("a mode");
    assert!(mode.contains("S_ISUID"), "{mode}");
}

#[test]
fn a_busy_harmless_workload_gives_no_alert() {
    if !needs::live() {
        return;
    }
    let folder = folder();
    let at = folder.path().display();
    let ended = alerts_of(|scope| {
        scope.shell(&format!(
            "set -e; cd {at}
             for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
               mkdir d$i; echo line $i > d$i/file; cp d$i/file d$i/copy; mv d$i/copy d$i/moved
               ln -s ../d1/file d$i/link; cat d$i/link /etc/passwd /etc/hostname > /dev/null
               chmod 640 d$i/file; grep -rq line . ; ls -lR . > /dev/null; (cd d$i && pwd) > /dev/null
             done
             find /usr/bin /usr/lib -maxdepth 2 -name 'lib*' > /dev/null
             tar cf all.tar d1 d2 d3; tar tf all.tar > /dev/null; rm -r d1 d2
             sort -u /etc/services | wc -l > /dev/null; id > /dev/null; ps > /dev/null || true"
        ));
    });
    assert!(ended.alerts.is_empty(), "{:#?}", ended.alerts);
    let events = number_before(&ended.messages, " event");
    assert!(
        events > 2_000,
        "the workload was not seen: {}",
        ended.messages
    );
    assert_eq!(
        number_before(&ended.messages, " dropped"),
        0,
        "{}",
        ended.messages
    );
}

/// The number in front of `word` in the closing line.
fn number_before(messages: &str, word: &str) -> u64 {
    let line = messages.lines().last().unwrap_or_default();
    let before = line.split(word).next().unwrap_or_default();
    let digits = before
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap_or_default();
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no number before `{word}` in {line:?}"))
}

#[test]
fn nothing_outside_of_the_scope_is_seen() {
    if !needs::live() {
        return;
    }
    let ended = alerts_of(|_| {
        let output = std::process::Command::new("cat")
            .arg("/etc/shadow")
            .output()
            .expect("cat");
        assert!(output.status.success());
    });
    assert!(ended.alerts.is_empty(), "{:#?}", ended.alerts);
}

#[test]
fn a_process_that_ran_before_is_known() {
    if !needs::live() {
        return;
    }
    let scope = Scope::new();
    let mut old = scope
        .command(ACTOR)
        .args(["sleep-then-read", "/etc/shadow"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("the actor runs");
    let saker = Saker::watch(&scope, &[]);
    drop(old.stdin.take());
    assert!(old.wait().expect("a child of ours").success());
    let ended = saker.stop();
    exactly_one(
        &ended,
        "Read sensitive file untrusted",
        json!({
            "proc.name": "actor",
            "proc.cmdline": "actor sleep-then-read /etc/shadow",
            "proc.exepath": ACTOR,
        }),
    );
}

#[test]
fn killing_the_tracer_leaves_no_probe_behind() {
    if !needs::live() {
        return;
    }
    let scope = Scope::new();
    let saker = Saker::watch(&scope, &[]);
    let programs = programs_of(saker.pid());
    assert!(programs.len() >= 4, "the running tracer holds {programs:?}");
    let loaded = loaded_programs();
    assert!(
        programs.iter().all(|id| loaded.contains(id)),
        "{programs:?} are not loaded"
    );
    saker.signal(rustix::process::Signal::KILL);
    let ended = saker.wait();
    assert!(!ended.status.success());
    // The kernel frees programs after a grace period.
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while loaded_programs().iter().any(|id| programs.contains(id)) {
        assert!(
            std::time::Instant::now() < end,
            "some of {programs:?} are still loaded"
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Ids of the BPF programs that a process holds.
fn programs_of(pid: i32) -> Vec<u32> {
    let mut ids = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("root may look") {
        let text = std::fs::read_to_string(entry.expect("an entry").path()).unwrap_or_default();
        ids.extend(text.lines().filter_map(|line| {
            line.strip_prefix("prog_id:")
                .and_then(|id| id.trim().parse::<u32>().ok())
        }));
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn loaded_programs() -> Vec<u32> {
    aya::programs::loaded_programs()
        .filter_map(|program| program.ok().map(|program| program.id()))
        .collect()
}

#[test]
fn a_signal_in_mid_stream_ends_the_run_in_good_order() {
    if !needs::live() {
        return;
    }
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let scope = Scope::new();
        let mut saker = Saker::watch(&scope, &[]);
        let mut flood = scope
            .command("/bin/sh")
            .args(["-c", "while :; do cat /etc/shadow > /dev/null; done"])
            .spawn()
            .expect("sh runs");
        let first = saker.next_alert();
        assert_eq!(first["rule"], "Read sensitive file untrusted");
        saker.signal(signal);
        let ended = saker.wait();
        let _ = flood.kill();
        let _ = flood.wait();
        assert!(
            ended.status.success(),
            "{}: {}",
            ended.status,
            ended.messages
        );
        let said = number_before(&ended.messages, " alert");
        assert_eq!(said, 1 + ended.alerts.len() as u64, "{}", ended.messages);
    }
}
