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

/// Demands alerts of those rules, in that order, and no other. Each act is to give one.
#[track_caller]
fn in_turn(ended: &Ended, rules: &[&str]) {
    let given: Vec<&str> = ended
        .alerts
        .iter()
        .map(|alert| alert["rule"].as_str().expect("a name"))
        .collect();
    assert_eq!(given, rules, "{:#?}\n{}", ended.alerts, ended.messages);
}

/// Runs each script in a shell of its own; each is to give one alert of that rule.
#[track_caller]
fn each_alerts(rule: &str, scripts: &[String]) {
    let ended = alerts_of(|scope| {
        for script in scripts {
            scope.shell(script);
        }
    });
    in_turn(&ended, &vec![rule; scripts.len()]);
}

/// A file that a test makes where it cannot choose the folder.
struct File(String);

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A name in a folder that other programs look into: no test makes it twice, and cron passes
/// over names with a dot.
fn file(folder: &str, name: &str) -> File {
    let _ = std::fs::create_dir_all(folder);
    File(format!("{folder}/saker-test-{}.{name}", std::process::id()))
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
fn the_credentials_read_by_cp_or_under_a_borrowed_name_alert() {
    if !needs::live() {
        return;
    }
    let folder = folder();
    let at = folder.path().display();
    std::fs::copy("/bin/cat", folder.path().join("apt")).expect("a copy");
    std::os::unix::fs::symlink("/bin/cat", folder.path().join("sshd")).expect("a link");
    std::fs::copy("/bin/sh", folder.path().join("frontend")).expect("a copy");
    each_alerts(
        "Read sensitive file untrusted",
        &[
            format!("cp /etc/shadow {at}/copy"),
            format!("cd /var/backups; cp -p /etc/shadow {at}/shadow.bak"),
            format!("{at}/apt /etc/shadow > /dev/null"),
            format!("{at}/sshd /etc/shadow > /dev/null"),
            format!("{at}/frontend -c 'cat /etc/shadow > /dev/null; :'"),
            "exec 3> /proc/self/comm; printf passwd >&3; read -r line < /etc/shadow".into(),
        ],
    );
}

#[test]
fn what_cron_runs_alerts_however_it_comes_there() {
    if !needs::live() {
        return;
    }
    let folder = folder();
    let at = folder.path().display();
    let job = file("/etc/cron.d", "job");
    let job = &job.0;
    let ended = alerts_of(|scope| {
        scope.act(&["creat", job]);
        for script in [
            format!("echo > {at}/1; mv {at}/1 {job}"),
            format!("echo > {at}/2; mv {at}/2 /proc/self/root{job}"),
            format!("echo > {at}/3; cp -f {at}/3 {job}"),
            format!("rm {job}; ln -s {at}/3 {job}"),
        ] {
            scope.shell(&script);
        }
    });
    in_turn(&ended, &["Schedule Cron Jobs"; 5]);
    assert_eq!(ended.alerts[0]["output_fields"]["fd.name"], **job);
    assert_eq!(ended.alerts[1]["output_fields"]["fs.path.target"], **job);
}

#[test]
fn another_authorized_keys_alerts_however_it_comes_there() {
    if !needs::live() {
        return;
    }
    let folder = folder();
    let at = folder.path().display();
    std::fs::create_dir(folder.path().join(".ssh")).expect("a folder");
    let keys = format!("{at}/.ssh/authorized_keys");
    let ended = alerts_of(|scope| {
        scope.act(&["creat", &keys]);
        for script in [
            format!("echo > {at}/1; mv {at}/1 {keys}"),
            format!("echo > {at}/2; cd {at}/.ssh; mv ../2 authorized_keys"),
            format!("rm {keys}; ln -s x {keys}"),
            format!("mkdir {at}/3; mv {at}/.ssh {at}/4; mv {at}/3 {at}/.ssh"),
        ] {
            scope.shell(&script);
        }
    });
    in_turn(&ended, &["Adding ssh keys to authorized_keys"; 5]);
    assert_eq!(ended.alerts[1]["output_fields"]["fs.path.target"], *keys);
}

#[test]
fn another_preload_file_in_place_alerts() {
    if !needs::live() {
        return;
    }
    // Not the real one, which every program would load.
    let folder = folder();
    let at = folder.path().display();
    each_alerts(
        "Dynamic linker preload changed",
        &[
            format!("echo > {at}/1; mv {at}/1 {at}/ld.so.preload"),
            format!("ln -sf {at}/1 {at}/ld.so.preload"),
        ],
    );
}

#[test]
fn emptying_a_log_alerts_in_whatever_mode_it_is_opened() {
    if !needs::live() {
        return;
    }
    let log = file("/var/log", "log");
    std::fs::write(&log.0, "a line").expect("root may write a log");
    let ended = alerts_of(|scope| {
        scope.act(&["creat", &log.0]);
        scope.act(&["open-to-empty", &log.0]);
        scope.shell(&format!(": > {}", log.0));
    });
    in_turn(&ended, &["Clear Log Activities"; 3]);
}

#[test]
fn shell_history_moved_away_or_linked_to_nothing_alerts() {
    if !needs::live() {
        return;
    }
    let folder = folder();
    let at = folder.path().display();
    std::fs::write(folder.path().join(".bash_history"), "ls").expect("a file");
    each_alerts(
        "Delete or rename shell history",
        &[
            format!("mv {at}/.bash_history {at}/x"),
            format!("ln -sf /dev/null {at}/.bash_history"),
            format!("cd {at}; rm .bash_history"),
            format!("cd {at}; mv x .bash_history"),
        ],
    );
}

#[test]
fn scripts_in_dev_shm_alert_however_they_are_run() {
    if !needs::live() {
        return;
    }
    let script = file("/dev/shm", "script");
    let name = script.0.strip_prefix("/dev/shm/").expect("made there");
    std::fs::write(&script.0, "#!/bin/sh\n:\n").expect("/dev/shm can be written");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script.0, executable).expect("a file of ours");
    let perl = file("/dev/shm", "perl");
    std::fs::write(&perl.0, "1;\n").expect("/dev/shm can be written");
    let program = file("/dev/shm", "program");
    std::fs::copy("/bin/true", &program.0).expect("/dev/shm can be written");
    let folder = folder();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&script.0, &link).expect("outside of the scope");
    let (path, link) = (&script.0, link.display());
    let linker =
        "$(ls /lib64/ld-linux-* /lib/ld-linux-aarch64* /lib/ld-musl-* 2> /dev/null | head -n 1)";
    each_alerts(
        "Execution from /dev/shm",
        &[
            format!("exec {path}"),
            format!("cd /dev/shm; ./{name}"),
            format!("sh {path}"),
            format!("sh -e {path}"),
            format!("sh -e -u {path}"),
            format!("sh -o nounset {path}"),
            format!("sh -c '. {path}'"),
            format!("sh < {path}"),
            format!("cd /dev/shm; sh {name}"),
            format!("cd /dev/shm; sh -e {name}"),
            format!("sh /dev//shm/{name}"),
            format!("sh /proc/self/root{path}"),
            format!("cd /dev; sh shm/{name}"),
            format!("sh {link}"),
            format!("perl -w {}", perl.0),
            format!("{linker} {}", program.0),
            format!("cd /dev/shm; {linker} ./{}", &program.0[9..]),
        ],
    );
}

#[test]
fn a_program_in_memory_that_takes_the_name_of_a_container_runtime_alerts() {
    if !needs::live() {
        return;
    }
    let ended = alerts_of(|scope| {
        let name = "runc_cloned:/proc/self/exe";
        scope.act(&["memfd-exec-as", name, "/bin/true"]);
    });
    exactly_one(
        &ended,
        "Fileless execution via memfd_create",
        json!({"proc.exepath": "memfd:runc_cloned:/proc/self/exe"}),
    );
}

#[test]
fn a_file_made_with_the_setuid_bit_alerts() {
    if !needs::live() {
        return;
    }
    let folder = folder();
    let file = folder.path().join("tool").display().to_string();
    let ended = alerts_of(|scope| scope.act(&["open-setuid", &file]));
    exactly_one(
        &ended,
        "Set Setuid or Setgid bit",
        json!({"fd.name": file, "evt.arg.mode": "04755"}),
    );
}

#[test]
fn links_to_sensitive_files_alert_however_they_are_written() {
    if !needs::live() {
        return;
    }
    let folder = folder();
    let at = folder.path().display();
    each_alerts(
        "Create Symlink Over Sensitive Files",
        &[
            format!("ln -s /etc//shadow {at}/1"),
            format!("ln -s /etc/./shadow {at}/2"),
            format!("cd {at}; ln -s ..//..//../etc/shadow 3"),
            format!("ln -s /proc/self/root/etc/shadow {at}/4"),
            format!("ln -s /etc/ {at}/5"),
            format!("ln -s /proc/self/root {at}/6"),
        ],
    );
    // A hard link stays within its file system, so it is made beside the file.
    let link = file("/etc", "link");
    each_alerts(
        "Create Hardlink Over Sensitive Files",
        &[
            format!("ln /proc/self/root/etc/shadow {0}; rm {0}", link.0),
            format!("ln /etc/../etc//shadow {0}; rm {0}", link.0),
            format!("cd /etc; ln /proc/self/cwd/shadow {0}; rm {0}", link.0),
        ],
    );
}

#[test]
fn a_shell_with_only_its_errors_on_a_connection_alerts() {
    if !needs::live() {
        return;
    }
    let ended = alerts_of(|scope| scope.act(&["shell-with-errors-on-socket"]));
    exactly_one(
        &ended,
        "Shell connected to the network",
        json!({"proc.name": "sh", "proc.pname": "actor"}),
    );
}

#[test]
fn daily_work_that_resembles_attacks_gives_no_alert() {
    if !needs::live() {
        return;
    }
    let folder = folder();
    let at = folder.path().display();
    let shared = file("/dev/shm", "data");
    let shared = &shared.0;
    let log = file("/var/log", "kept");
    let log = &log.0;
    let ended = alerts_of(|scope| {
        scope.shell(&format!(
            "set -e; cd {at}; export HOME={at}
             # Packages replace files, editors rename theirs, copies keep hard links.
             mkdir -p etc/cron.d etc/ssh root; echo a > etc/cron.d/job; echo b > etc/shadow
             echo c > etc/cron.d/job.dpkg-new; ln etc/cron.d/job etc/cron.d/job.dpkg-tmp
             mv etc/cron.d/job.dpkg-new etc/cron.d/job; rm etc/cron.d/job.dpkg-tmp
             cp -a etc/cron.d/job job~; sed -i s/c/d/ etc/cron.d/job; cp -al etc etc.1
             ln -s etc config; ln -s ../etc up; ln -s . here; readlink -f up > /dev/null || :
             # Shells keep their histories, and so do others.
             echo ls > .bash_history; printf 'echo\nexit\n' | HISTFILE=.bash_history bash -i > /dev/null 2>&1 || :
             echo x >> .python_history
             # Data, not programs, in shared memory.
             echo data > {shared}; sort {shared} > /dev/null; cat {shared} > /dev/null
             while read -r line; do :; done < {shared}; sh -c 'cat > /dev/null' < {shared}
             sh -c 'cat \"$1\" > /dev/null' sh {shared}; perl -ne 1 {shared}
             (cd /dev/shm; cat {shared} > /dev/null; sh -c 'cat {shared}' > /dev/null; perl -e 1)
             # Logs grow, and rotate.
             echo line >> {log}; mv {log} {log}.1; echo line >> {log}; rm {log}.1
             # What manages accounts reads credentials, under its own path.
             passwd -S root > /dev/null 2>&1 || :; chage -l root > /dev/null 2>&1 || :
             su -c : > /dev/null 2>&1 < /dev/null || :; crontab -l > /dev/null 2>&1 || :
             # Who am I, and what has this machine?
             grep root /etc/passwd > /dev/null; ls /etc/cron.d /etc/ssh > /dev/null 2>&1 || :
             install -m 755 /bin/true tool; ./tool; chmod 1777 root; umask > /dev/null"
        ));
        if has("git") {
            scope.shell(&format!(
                "set -e; cd {at}; mkdir work; cd work; export HOME={at}
                 git init -q .; mkdir -p etc/cron.d .ssh; echo x > etc/cron.d/job; echo y > notes
                 git add .; git -c user.name=a -c user.email=a@b commit -q -m first
                 git mv notes moved; git stash -q; git gc -q; git status > /dev/null"
            ));
        }
        if has("vim") {
            scope.shell(&format!(
                "cd {at}; HOME={at} vim -u NONE -es -c 'set backup' -c 'normal ox' -c wq etc/cron.d/job < /dev/null || :"
            ));
        }
        if std::path::Path::new("/usr/sbin/logrotate").exists() {
            scope.shell(&format!(
                "set -e; cd {at}; printf '{log} {{\n copytruncate\n rotate 0\n su root root\n}}\n' > rotate.conf
                 chmod 600 rotate.conf; /usr/sbin/logrotate -f -s {at}/rotate.state rotate.conf"
            ));
        }
    });
    assert!(ended.alerts.is_empty(), "{:#?}", ended.alerts);
    let events = number_before(&ended.messages, " events");
    assert!(events > 500, "the work was not seen: {}", ended.messages);
}

/// Whether a program is there.
fn has(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).exists())
    })
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
