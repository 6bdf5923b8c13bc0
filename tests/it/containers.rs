//! What alerts say of containers, held against what the engines say themselves.

use crate::engines::{Containerd, Docker, IMAGE, Podman};
use crate::program::{Ended, Saker, Scope};
use serde_json::{Value, json};

/// Alerts on every exec in a container, with every field there is of one.
pub(crate) const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/it/containers.yaml");

/// Saker with that rule, which asks one engine alone.
pub(crate) fn watch(scope: &Scope, engine: &str, socket: &std::path::Path, args: &[&str]) -> Saker {
    let all = arguments(engine, socket, args);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    Saker::watch(scope, &all)
}

/// What makes it ask that engine, and no other.
fn arguments(engine: &str, socket: &std::path::Path, args: &[&str]) -> Vec<String> {
    let mut all = vec!["-r".to_owned(), RULES.to_owned()];
    for name in ["docker", "podman", "containerd", "cri"] {
        all.push("-o".into());
        all.push(match name == engine {
            true => format!("engines.{name}.sockets={}", socket.display()),
            false => format!("engines.{name}.enabled=false"),
        });
    }
    all.extend(args.iter().map(|arg| (*arg).to_owned()));
    all
}

/// The alerts of that command line.
pub(crate) fn alerts_of<'e>(ended: &'e Ended, command: &str) -> Vec<&'e Value> {
    let is_of = |alert: &&Value| alert["output_fields"]["proc.cmdline"] == command;
    ended.alerts.iter().filter(is_of).collect()
}

/// The fields of the one alert of that command line.
#[track_caller]
pub(crate) fn fields<'e>(ended: &'e Ended, command: &str) -> &'e Value {
    let found = alerts_of(ended, command);
    assert_eq!(
        found.len(),
        1,
        "`{command}`: {:#?}\n{}",
        ended.alerts,
        ended.messages
    );
    &found[0]["output_fields"]
}

#[track_caller]
pub(crate) fn agree(fields: &Value, expected: Value) {
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&fields[name], value, "field `{name}` of {fields:#}");
    }
    assert_eq!(fields.get("metadata"), None, "{fields:#}");
}

#[test]
fn the_first_exec_of_a_docker_container_shows_what_docker_tells_of_it() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let scope = Scope::shared("docker");
    let control = docker.folder().join("control.sock");
    let setting = format!("control.socket={}", control.display());
    let saker = watch(&scope, "docker", &docker.socket(), &["-o", &setting]);
    let data = docker.folder().join("shared");
    std::fs::create_dir(&data).expect("the folder is ours");
    let mount = format!("{}:/mnt/data:ro", data.display());
    let plain = docker.docker(&[
        "run",
        "-d",
        "--name",
        "plain",
        "--label",
        "team=blue",
        "-v",
        &mount,
        "--health-cmd",
        "test -d /mnt/data",
        "--health-interval",
        "1s",
        IMAGE,
        "sh",
        "-c",
        "sleep 20; true plain",
    ]);
    let privileged = docker.docker(&[
        "run",
        "-d",
        "--name",
        "bold",
        "--privileged",
        "--runtime",
        "bounded",
        "--pid",
        "host",
        "--network",
        "host",
        "--ipc",
        "host",
        IMAGE,
        "sh",
        "-c",
        "sleep 20; true bold",
    ]);
    let inspected = [&plain, &privileged].map(|id| docker.inspect(id));
    let image: Value =
        serde_json::from_str(&docker.docker(&["image", "inspect", IMAGE])).expect("JSON");
    let ended = saker.stop();
    for (inspected, command) in inspected.iter().zip(["plain", "bold"]) {
        let fields = fields(&ended, &format!("sh -c sleep 20; true {command}"));
        let id = inspected["Id"].as_str().expect("text");
        let name = inspected["Name"].as_str().expect("text");
        let host = &inspected["HostConfig"];
        let labels = inspected["Config"]["Labels"]
            .as_object()
            .expect("an object");
        let labels: Vec<String> = labels
            .iter()
            .map(|(name, value)| format!("{name}:{}", value.as_str().expect("text")))
            .collect();
        let mounts: Vec<String> = inspected["Mounts"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|mount| {
                let text = |name: &str| mount[name].as_str().expect("text").to_owned();
                let (source, target) = (text("Source"), text("Destination"));
                let (mode, way) = (text("Mode"), text("Propagation"));
                format!("{source}:{target}:{mode}:{}:{way}", mount["RW"])
            })
            .collect();
        agree(
            fields,
            json!({
                "container.id": id[..12],
                "container.full_id": id,
                "container.name": name[1..],
                "container.type": "docker",
                "container.image": inspected["Config"]["Image"],
                "container.image.id": inspected["Image"].as_str().expect("text")[7..],
                "container.image.repository": "registry.example/tools/busybox",
                "container.image.tag": "1.36",
                "container.privileged": host["Privileged"],
                "container.host_pid": host["PidMode"] == "host",
                "container.host_network": host["NetworkMode"] == "host",
                "container.host_ipc": host["IpcMode"] == "host",
                "container.ip": inspected["NetworkSettings"]["IPAddress"],
                "container.labels": labels.join(", "),
                "container.mounts": mounts.join(","),
            }),
        );
        assert_eq!(image[0]["Id"], inspected["Image"]);
    }
    let plain = fields(&ended, "sh -c sleep 20; true plain");
    assert_ne!(plain["container.ip"], "");
    let data = data.display().to_string();
    agree(
        plain,
        json!({
            "container.label[team]": "blue",
            "container.mount.dest[0]": "/mnt/data",
            "container.mount.source[/mnt/data]": data,
            "container.mount.rdwr[0]": "false",
            "container.healthcheck": "/bin/sh -c test -d /mnt/data",
            "proc.is_container_healthcheck": false,
        }),
    );
}

#[test]
fn only_who_came_from_outside_by_the_health_check_is_taken_for_it() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let scope = Scope::shared("docker");
    let saker = watch(&scope, "docker", &docker.socket(), &[]);
    // The first process executes what looks like the check.
    let script = "/bin/sh -c '/bin/ls -d /etc; true'; sleep 20";
    let check = ["--health-cmd", "/bin/ls -d /etc; true"];
    let id = docker.docker(
        &[
            &["run", "-d"][..],
            &check,
            &["--health-interval", "1s", IMAGE, "sh", "-c", script],
        ]
        .concat(),
    );
    crate::engines::until("the health check is waited for", || {
        docker.inspect(&id)["State"]["Health"]["Status"] == "healthy"
    });
    docker.docker(&["exec", &id, "/bin/ls", "-d", "/tmp"]);
    let ended = saker.stop();
    let is_check = |command: &str| -> Vec<bool> {
        let alerts = alerts_of(&ended, command).into_iter();
        let is = alerts.map(|alert| &alert["output_fields"]["proc.is_container_healthcheck"]);
        is.map(|is| is.as_bool().expect("it has a value")).collect()
    };
    // Who is it, and what it executes; the first of each is the first process's.
    for command in ["sh -c /bin/ls -d /etc; true", "ls -d /etc"] {
        let [first, rest @ ..] = &is_check(command)[..] else {
            panic!("`{command}` was not seen: {:#?}", ended.alerts);
        };
        assert!(!first && !rest.is_empty(), "{command}: {rest:?}");
        assert!(rest.iter().all(|is| *is), "{command}: {rest:?}");
    }
    assert_eq!(is_check("ls -d /tmp"), [false]);
}

#[test]
fn a_group_named_like_a_container_has_none_of_what_is_known_of_it() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let scope = Scope::shared("docker");
    let control = docker.folder().join("control.sock");
    let setting = format!("control.socket={}", control.display());
    let saker = watch(&scope, "docker", &docker.socket(), &["-o", &setting]);
    let id = docker.docker(&["run", "-d", "--name", "trusted", IMAGE, "sleep", "60"]);
    let enter = |group: &std::path::Path, what: &str| {
        std::fs::create_dir_all(group).expect("root may make a group");
        let script = format!(
            "echo 0 >{}/cgroup.procs; exec /bin/ls -d {what}",
            group.display()
        );
        let entered = std::process::Command::new("/bin/sh")
            .args(["-c", &script])
            .output();
        assert!(entered.expect("it starts").status.success());
        std::fs::remove_dir(group).expect("it is empty");
    };
    // Elsewhere, while the container runs; then in its very place, as soon as that is free.
    enter(&scope.path().join("elsewhere").join(&id), "/etc");
    let _ = std::fs::remove_dir(scope.path().join("elsewhere"));
    docker.docker(&["exec", &id, "/bin/ls", "-d", "/bin"]);
    docker.docker(&["rm", "-f", &id]);
    enter(&scope.path().join(&id), "/tmp");
    // And in a group below one that has that place.
    enter(&scope.path().join(&id).join("below"), "/usr");
    let _ = std::fs::remove_dir(scope.path().join(&id));
    let known = std::process::Command::new(crate::program::saker())
        .args(["ctl", "--socket"])
        .arg(&control)
        .arg("containers")
        .output()
        .expect("it starts");
    let ended = saker.stop();
    agree(
        fields(&ended, "ls -d /bin"),
        json!({"container.name": "trusted", "container.image": IMAGE}),
    );
    for (command, reasons) in [
        ("ls -d /etc", &["unconfirmed"][..]),
        ("ls -d /tmp", &["unconfirmed", "not found"]),
        ("ls -d /usr", &["unconfirmed", "not found"]),
    ] {
        let fields = fields(&ended, command);
        assert_eq!(fields["container.id"], id[..12], "{fields:#}");
        assert_eq!(fields["container.image"], Value::Null, "{fields:#}");
        assert_eq!(fields["container.name"], Value::Null, "{fields:#}");
        let why = fields["metadata"].as_str().expect("it has a reason");
        assert!(reasons.contains(&why), "{why}");
    }
    let known = String::from_utf8_lossy(&known.stdout).into_owned();
    assert!(known.contains("metadata=unconfirmed: "), "{known}");
    assert!(known.contains("events waited for what was told"), "{known}");
}

#[test]
fn a_container_in_a_namespace_of_its_own_is_known_from_its_first_exec_on() {
    let Some(containerd) = Containerd::start() else {
        return;
    };
    let scope = Scope::shared("shop");
    let saker = watch(&scope, "containerd", &containerd.socket(), &[]);
    containerd.import("shop");
    // A namespace has to be told of before its containers' groups can be told from others.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let run = ["-n", "shop", "run", "-d", "--net-host", IMAGE, "front-1"];
    containerd.ctr(&[&run[..], &["/bin/sh", "-c", "sleep 20; true own"]].concat());
    let ended = saker.stop();
    agree(
        fields(&ended, "sh -c sleep 20; true own"),
        json!({
            "container.id": "front-1",
            "container.type": "containerd",
            "container.image": IMAGE,
        }),
    );
}

#[test]
fn containers_that_run_already_are_known_before_the_first_alert_about_them() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let id = docker.docker(&["run", "-d", "--name", "early", IMAGE, "sleep", "60"]);
    let scope = Scope::shared("docker");
    let mut saker = watch(&scope, "docker", &docker.socket(), &[]);
    docker.docker(&["exec", "early", "ls", "/etc"]);
    let alert = saker.next_alert();
    let ended = saker.stop();
    assert!(ended.status.success(), "{}", ended.messages);
    agree(
        &alert["output_fields"],
        json!({"container.id": id[..12], "container.name": "early"}),
    );
}

/// What of a process is in memory.
fn resident_kb(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("it is of the shape")
}

/// Runs containers that end at once, eight at a time, while `go_on` says so of how many there
/// were; `seen` hears of each how many there were by then. Gives their number.
fn run_short_lived(
    docker: &Docker,
    go_on: impl Fn(u32) -> bool + Sync,
    seen: impl Fn(u32) + Sync,
) -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    let (begun, ended) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                loop {
                    let number = begun.fetch_add(1, Ordering::Relaxed);
                    if !go_on(number) {
                        return;
                    }
                    let name = format!("short-{number}");
                    docker.docker(&["run", "--rm", "--name", &name, IMAGE, "sh", "-c", "true"]);
                    seen(ended.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    ended.into_inner()
}

/// How many of the alerts of these containers have all of their metadata; the others have a reason.
fn whole(alerts: &[&Value]) -> usize {
    let mut reasons = std::collections::BTreeMap::<&str, u32>::new();
    for alert in alerts {
        let fields = &alert["output_fields"];
        match fields.get("metadata") {
            None => {
                let name = fields["container.name"].as_str();
                let is_ours = name.is_some_and(|name| name.starts_with("short-"));
                assert!(is_ours, "{fields:#}");
                assert_eq!(fields["container.image"], IMAGE);
            }
            Some(why) => *reasons.entry(why.as_str().expect("text")).or_default() += 1,
        }
    }
    let lack: u32 = reasons.values().sum();
    let whole = alerts.len() - lack as usize;
    eprintln!(
        "{whole} of {} alerts have all of their metadata, the others: {reasons:?}",
        alerts.len()
    );
    whole
}

#[test]
fn short_lived_containers_have_their_metadata_or_a_reason() {
    let Some(docker) = Docker::start() else {
        return;
    };
    const COUNT: u32 = 200;
    let scope = Scope::shared("docker");
    // The machine of the tests may be busy.
    let patience = ["-o", "container.wait_ms=20000"];
    let saker = watch(&scope, "docker", &docker.socket(), &patience);
    let resident = std::sync::atomic::AtomicU64::new(0);
    let pid = saker.pid();
    run_short_lived(
        &docker,
        |number| number < COUNT,
        |count| {
            if count == COUNT / 2 {
                resident.store(resident_kb(pid), std::sync::atomic::Ordering::Relaxed);
            }
        },
    );
    let half = resident.into_inner();
    let all = resident_kb(pid);
    eprintln!("resident after half of the containers {half} kB, after all {all} kB");
    // What is kept of a container goes with it.
    assert!(
        half > 0 && all.saturating_sub(half) < 2048,
        "{half} kB, then {all} kB"
    );
    let ended = saker.stop();
    let alerts = alerts_of(&ended, "sh -c true");
    assert_eq!(alerts.len() as u32, COUNT, "{}", ended.messages);
    // Docker tells of a container before it makes it.
    assert_eq!(whole(&alerts), alerts.len(), "{}", ended.messages);
}

#[test]
#[ignore = "takes a quarter of an hour"]
fn a_quarter_of_an_hour_of_containers_leaves_no_memory_behind() {
    let Some(docker) = Docker::start() else {
        return;
    };
    const FIRST: u32 = 500;
    let until = std::time::Instant::now() + std::time::Duration::from_secs(15 * 60);
    let scope = Scope::shared("docker");
    // Alerts that nobody takes would wait for it, and recent events fill the room they have.
    let alerts = docker.folder().join("alerts.json");
    let stdout = std::fs::File::create(&alerts).expect("the folder is ours");
    let args = arguments("docker", &docker.socket(), &["-o", "recent.max_mb=0"]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let saker = Saker::watch_to(stdout.into(), &scope, &args);
    let resident = std::sync::atomic::AtomicU64::new(0);
    let pid = saker.pid();
    let count = run_short_lived(
        &docker,
        |_| std::time::Instant::now() < until,
        |count| {
            if count % FIRST == 0 {
                eprintln!("resident after {count} containers: {} kB", resident_kb(pid));
            }
            if count == FIRST {
                resident.store(resident_kb(pid), std::sync::atomic::Ordering::Relaxed);
            }
        },
    );
    let (first, all) = (resident.into_inner(), resident_kb(pid));
    eprintln!("resident after {FIRST} containers {first} kB, after {count} {all} kB");
    assert!(first > 0, "there were {count} containers");
    let more = all.saturating_sub(first) * 1000 / u64::from(count - FIRST).max(1);
    assert!(more < 1024, "{more} kB in a thousand containers");
    let mut ended = saker.stop();
    let alerts = std::fs::read_to_string(alerts).expect("it is there");
    let alerts = alerts.lines().map(serde_json::from_str);
    ended.alerts = alerts.collect::<Result<_, _>>().expect("alerts are JSON");
    let alerts = alerts_of(&ended, "sh -c true");
    assert_eq!(alerts.len() as u32, count, "{}", ended.messages);
    whole(&alerts);
}

#[test]
fn the_first_exec_of_a_containerd_container_shows_what_containerd_tells_of_it() {
    let Some(containerd) = Containerd::start() else {
        return;
    };
    let scope = Scope::shared("default");
    let saker = watch(&scope, "containerd", &containerd.socket(), &[]);
    let data = containerd.folder().join("shared");
    std::fs::create_dir(&data).expect("the folder is ours");
    let mount = format!(
        "type=bind,src={},dst=/mnt/data,options=rbind:ro",
        data.display()
    );
    containerd.ctr(&[
        "run",
        "-d",
        "--label",
        "team=blue",
        "--mount",
        &mount,
        "--net-host",
        IMAGE,
        "frontend-canary",
        "/bin/sh",
        "-c",
        "sleep 20; true plain",
    ]);
    let info: Value =
        serde_json::from_str(&containerd.ctr(&["containers", "info", "frontend-canary"]))
            .expect("JSON");
    let ended = saker.stop();
    let fields = fields(&ended, "sh -c sleep 20; true plain");
    let labels = info["Labels"].as_object().expect("an object");
    let labels: Vec<String> = labels
        .iter()
        .filter(|(name, _)| !name.starts_with("io.kubernetes."))
        .map(|(name, value)| format!("{name}:{}", value.as_str().expect("text")))
        .collect();
    agree(
        fields,
        json!({
            "container.id": "frontend-can",
            "container.full_id": info["ID"],
            "container.type": "containerd",
            "container.image": info["Image"],
            "container.image.repository": "registry.example/tools/busybox",
            "container.image.tag": "1.36",
            "container.labels": labels.join(", "),
            "container.label[team]": "blue",
            "container.mount.source[/mnt/data]": data.display().to_string(),
            "container.mount.rdwr[0]": "false",
            "container.privileged": false,
            "container.host_network": true,
            "container.host_pid": false,
        }),
    );
}

#[test]
fn the_first_exec_of_a_podman_container_shows_what_podman_tells_of_it() {
    let Some(podman) = Podman::start() else {
        return;
    };
    let scope = Scope::shared("libpod_parent");
    let saker = watch(&scope, "podman", &podman.socket(), &[]);
    let data = podman.folder().join("shared");
    std::fs::create_dir(&data).expect("the folder is ours");
    let mount = format!("{}:/mnt/data:ro", data.display());
    let id = podman.podman(&[
        "run",
        "-d",
        "--name",
        "plain",
        "--label",
        "team=blue",
        "-v",
        &mount,
        "--network",
        "host",
        IMAGE,
        "sh",
        "-c",
        "sleep 20; true plain",
    ]);
    let text = podman.podman(&["inspect", &id]);
    let inspected: Value = serde_json::from_str(&text).expect("JSON");
    let inspected = &inspected[0];
    let ended = saker.stop();
    let fields = fields(&ended, "sh -c sleep 20; true plain");
    agree(
        fields,
        json!({
            "container.id": id[..12],
            "container.full_id": inspected["Id"],
            "container.name": inspected["Name"],
            "container.type": "podman",
            "container.image": inspected["ImageName"],
            "container.image.id": inspected["Image"],
            "container.image.repository": "registry.example/tools/busybox",
            "container.image.tag": "1.36",
            "container.privileged": false,
            "container.host_network": true,
            "container.label[team]": "blue",
            "container.mount.source[/mnt/data]": data.display().to_string(),
            "container.mount.rdwr[0]": "false",
        }),
    );
}

#[test]
fn an_engine_that_is_killed_and_comes_back_costs_no_metadata() {
    let Some(mut docker) = Docker::start() else {
        return;
    };
    let scope = Scope::shared("docker");
    let patience = ["-o", "container.wait_ms=20000"];
    let saker = watch(&scope, "docker", &docker.socket(), &patience);
    let script = "for i in 1 2 3 4 5 6 7 8 9; do ls -d /etc; sleep 0.5; done";
    docker.docker(&["run", "-d", "--name", "before", IMAGE, "sh", "-c", script]);
    // Others come and go meanwhile, as far as Docker can be spoken to.
    let socket = format!("unix://{}", docker.socket().display());
    let is_over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let load: Vec<_> = (0..4)
        .map(|thread| {
            let (socket, is_over) = (socket.clone(), is_over.clone());
            std::thread::spawn(move || {
                let mut count = 0;
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    let name = format!("load-{thread}-{count}");
                    let mut run = std::process::Command::new("docker");
                    run.args(["-H", &socket, "run", "--rm", "--name", &name, IMAGE, "ls"]);
                    let ran = run.output().expect("it starts");
                    count += u32::from(ran.status.success());
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                count
            })
        })
        .collect();
    std::thread::sleep(std::time::Duration::from_secs(2));
    docker.kill();
    docker.launch();
    std::thread::sleep(std::time::Duration::from_secs(2));
    is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    let ran: u32 = load
        .into_iter()
        .map(|load| load.join().expect("it ends"))
        .sum();
    docker.docker(&[
        "run",
        "-d",
        "--name",
        "after",
        IMAGE,
        "sh",
        "-c",
        "ls -d /tmp",
    ]);
    std::thread::sleep(std::time::Duration::from_secs(1));
    let ended = saker.stop();
    let mut names = Vec::new();
    let mut reasons = std::collections::BTreeMap::<&str, u32>::new();
    for alert in &ended.alerts {
        let fields = &alert["output_fields"];
        match fields.get("metadata") {
            None => names.push(fields["container.name"].as_str().expect("it is known")),
            // One that began as Docker died, and was gone when it came back.
            Some(why) => *reasons.entry(why.as_str().expect("text")).or_default() += 1,
        }
    }
    eprintln!(
        "{} of {} alerts have all of their metadata, the others: {reasons:?}; {ran} came and went",
        names.len(),
        ended.alerts.len()
    );
    let loaded = names.iter().filter(|name| name.starts_with("load-"));
    assert!(
        loaded.count() as u32 >= ran / 2,
        "{ran} ran: {names:?} {reasons:?}"
    );
    assert!(
        names.contains(&"before") && names.contains(&"after"),
        "{names:?}"
    );
}

#[test]
fn a_recording_tells_of_its_containers_in_every_file() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let scope = Scope::shared("docker");
    let captures = docker.folder().join("captures");
    std::fs::create_dir(&captures).expect("the folder is ours");
    let capture = captures.join("all.scap").display().to_string();
    let sockets = format!("engines.docker.sockets={}", docker.socket().display());
    let saker = Saker::record(
        &scope,
        &capture,
        &[
            "-o",
            &sockets,
            "--file-seconds",
            "1",
            "-o",
            "engines.podman.enabled=false",
        ],
    );
    docker.docker(&[
        "run",
        "-d",
        "--name",
        "kept",
        IMAGE,
        "sh",
        "-c",
        "while :; do ls /etc; sleep 0.3; done",
    ]);
    std::thread::sleep(std::time::Duration::from_secs(4));
    let ended = saker.stop();
    assert!(ended.status.success(), "{}", ended.messages);
    let files = std::fs::read_dir(&captures).expect("it is ours");
    let files: Vec<_> = files
        .map(|entry| entry.expect("it is there").path())
        .collect();
    assert!(files.len() >= 3, "{files:?}");
    let mut seen = 0;
    for file in &files {
        let mut replay = std::process::Command::new(crate::program::saker());
        replay
            .arg("replay")
            .arg(file)
            .args(["-o", "cache.dir=", "--events"]);
        replay.args([
            "--filter",
            "evt.type = execve",
            "-p",
            "%container.name %container.image",
        ]);
        for line in crate::engines::output(&mut replay).lines() {
            assert_eq!(line, format!("kept {IMAGE}"), "{}", file.display());
            seen += 1;
        }
    }
    assert!(seen >= 3, "{seen} programs in {files:?}");
}

#[test]
fn a_capture_of_an_alert_tells_of_the_containers_of_its_processes() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let scope = Scope::shared("docker");
    let rules = docker.folder().join("rules.yaml");
    let rule = "- rule: Captured\n  desc: d\n  condition: evt.type = execve and proc.cmdline = \
                \"ls -d /tmp\"\n  output: '%container.name'\n  priority: INFO\n  capture: true\n  \
                capture_duration: 1000\n";
    std::fs::write(&rules, rule).expect("the folder is ours");
    let captures = docker.folder().join("captures");
    std::fs::create_dir(&captures).expect("the folder is ours");
    let prefix = format!("capture.path_prefix={}/alert", captures.display());
    let rules = rules.display().to_string();
    let more = ["-r", &rules, "-o", "capture.enabled=true", "-o", &prefix];
    let saker = watch(&scope, "docker", &docker.socket(), &more);
    let script = "/bin/ls -d /etc; sleep 1; /bin/ls -d /tmp; sleep 1; /bin/ls -d /bin; sleep 20";
    docker.docker(&["run", "-d", "--name", "kept", IMAGE, "sh", "-c", script]);
    std::thread::sleep(std::time::Duration::from_secs(5));
    let ended = saker.stop();
    assert!(ended.status.success(), "{}", ended.messages);
    let files: Vec<_> = std::fs::read_dir(&captures)
        .expect("it is ours")
        .map(|entry| entry.expect("it is there").path())
        .collect();
    let [file] = &files[..] else {
        panic!("{files:?}: {:#?}\n{}", ended.alerts, ended.messages);
    };
    let mut replay = std::process::Command::new(crate::program::saker());
    replay
        .arg("replay")
        .arg(file)
        .args(["-o", "cache.dir=", "--events"]);
    let format = "%proc.cmdline: %container.name %container.image";
    replay.args([
        "--filter",
        "evt.type = execve and proc.name = ls",
        "-p",
        format,
    ]);
    let shown = crate::engines::output(&mut replay);
    assert!(
        shown.contains(&format!("ls -d /tmp: kept {IMAGE}")),
        "{shown}"
    );
    for line in shown.lines() {
        assert!(line.ends_with(&format!(": kept {IMAGE}")), "{shown}");
    }
}
