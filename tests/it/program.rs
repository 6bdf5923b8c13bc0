//! The programs under test: building them, running `saker` in a cgroup of the test's own, and
//! running in that cgroup what it is to notice.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// No wait in a test is longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests lies in the workspace")
        .into()
}

/// Where the tools for modules in interpreted languages lie.
pub(crate) fn guests() -> PathBuf {
    workspace().join("target/guests")
}

/// The program that misbehaves.
pub(crate) const ACTOR: &str = env!("CARGO_BIN_EXE_actor");

/// The program `saker`, built now if the test run has not built it, in the same profile.
pub(crate) fn saker() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = Path::new(ACTOR)
            .parent()
            .expect("the actor lies in the profile's folder");
        let mut build = Command::new(env!("CARGO"));
        // With the features that the whole workspace's tests have, so that nothing is built twice.
        build.args([
            "build",
            "--quiet",
            "--workspace",
            "--bin",
            "saker",
            "--test",
            "it",
        ]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let target = folder
            .parent()
            .expect("the profile's folder lies in the target folder");
        build
            .arg("--target-dir")
            .arg(target)
            .current_dir(workspace());
        assert!(
            build.status().expect("cargo runs").success(),
            "saker does not build"
        );
        folder.join("saker")
    })
}

/// Where cgroup v2 is mounted.
pub(crate) fn cgroup_root() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let place = words.nth(1)?;
        (words.next()? == "cgroup2").then(|| place.into())
    })
}

/// A cgroup of the test's own, removed at the end with everything in it.
pub(crate) struct Scope {
    path: PathBuf,
    /// Others make their cgroups in it.
    is_shared: bool,
}

impl Scope {
    pub(crate) fn new() -> Scope {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("saker-test-{}-{count}", std::process::id());
        let path = cgroup_root().expect("checked by `needs::live`").join(name);
        std::fs::create_dir(&path).expect("root may make a cgroup");
        Scope {
            path,
            is_shared: false,
        }
    }

    /// One of that name, in which an engine makes its containers' cgroups.
    pub(crate) fn shared(name: &str) -> Scope {
        let path = cgroup_root().expect("checked by `needs::live`").join(name);
        std::fs::create_dir_all(&path).expect("root may make a cgroup");
        Scope {
            path,
            is_shared: true,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A command that will run inside.
    pub(crate) fn command(&self, program: &str) -> Command {
        let procs = std::fs::OpenOptions::new()
            .write(true)
            .open(self.path.join("cgroup.procs"))
            .expect("the cgroup takes processes");
        let mut command = Command::new(program);
        // SAFETY: between fork and exec only write(2) is called, on a descriptor that is open.
        unsafe {
            command.pre_exec(move || {
                rustix::io::write(&procs, b"0")
                    .map(drop)
                    .map_err(Into::into)
            });
        }
        command
    }

    /// Runs a program inside and demands that it succeeds.
    pub(crate) fn run(&self, program: &str, args: &[&str]) {
        let output = self
            .command(program)
            .args(args)
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {said}");
    }

    /// Runs a shell script inside.
    pub(crate) fn shell(&self, script: &str) {
        self.run("/bin/sh", &["-c", script]);
    }

    /// Runs the actor inside.
    pub(crate) fn act(&self, words: &[&str]) {
        self.run(ACTOR, words);
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if self.is_shared {
            // Refused as long as there is anything in it.
            let _ = std::fs::remove_dir(&self.path);
            return;
        }
        let _ = std::fs::write(self.path.join("cgroup.kill"), "1");
        let end = Instant::now() + Duration::from_secs(5);
        while std::fs::remove_dir(&self.path).is_err() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A running `saker run --json` that watches one scope.
pub(crate) struct Saker {
    child: Child,
    /// Standard output, where it comes here.
    alerts: Option<BufReader<ChildStdout>>,
    messages: std::thread::JoinHandle<String>,
    /// What it said until it watched.
    said: String,
}

/// What a run left behind.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) alerts: Vec<Value>,
    pub(crate) messages: String,
}

impl Saker {
    /// Starts it and waits until it watches.
    pub(crate) fn watch(scope: &Scope, args: &[&str]) -> Saker {
        Saker::watch_to(Stdio::piped(), scope, args)
    }

    /// The same, with its alerts going elsewhere.
    pub(crate) fn watch_to(stdout: Stdio, scope: &Scope, args: &[&str]) -> Saker {
        Saker::start(&["run", "--json"], stdout, scope, args)
    }

    /// Starts to record what happens in the scope, and waits until it watches.
    pub(crate) fn record(scope: &Scope, capture: &str, args: &[&str]) -> Saker {
        Saker::start(&["record", "-w", capture], Stdio::piped(), scope, args)
    }

    fn start(command: &[&str], stdout: Stdio, scope: &Scope, args: &[&str]) -> Saker {
        let mut child = Command::new(saker())
            .args(command)
            .arg("-o")
            .arg(format!("scope.cgroup={}", scope.path().display()))
            // A test leaves nothing on the machine.
            .args(["-o", "cache.dir="])
            .args(["-o", "control.socket=", "-o", "modules.folder="])
            .args(["-o", "store.path="])
            .args(args)
            .env("FALCO_HOSTNAME", "test-host")
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .expect("saker starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut messages = String::new();
        // The line that says so comes after the probe is attached.
        while !messages.contains("watching") && !messages.contains("INFO recording ") {
            let read = stderr.read_line(&mut messages).expect("messages are text");
            assert!(read > 0, "saker ended before it watched: {messages}");
        }
        let said = messages.clone();
        let messages = std::thread::spawn(move || {
            let _ = stderr.read_to_string(&mut messages);
            messages
        });
        let alerts = child.stdout.take().map(BufReader::new);
        Saker {
            child,
            alerts,
            messages,
            said,
        }
    }

    /// Where something of it listens, as it said itself.
    pub(crate) fn listens_at(&self, what: &str) -> String {
        let said = format!("{what} listens at ");
        let address = self
            .said
            .lines()
            .find_map(|line| Some(line.split_once(&said)?.1));
        address
            .unwrap_or_else(|| panic!("{}", self.said))
            .trim()
            .to_owned()
    }

    /// The next alert that is not Saker's own; blocks until there is one.
    pub(crate) fn next_of_rules(&mut self) -> Value {
        loop {
            let alert = self.next_alert();
            if alert["source"] != "internal" {
                return alert;
            }
        }
    }

    /// The next alert of Saker's own, of that name; blocks until there is one.
    pub(crate) fn next_internal(&mut self, what: &str) -> Value {
        let rule = format!("Saker internal: {what}");
        loop {
            let alert = self.next_alert();
            if alert["rule"] == rule {
                return alert;
            }
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// The next alert; blocks until there is one.
    pub(crate) fn next_alert(&mut self) -> Value {
        let mut line = String::new();
        let alerts = self.alerts.as_mut().expect("they come here");
        alerts.read_line(&mut line).expect("alerts are text");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Leaves its alerts unread from here on.
    pub(crate) fn desert(&mut self) {
        self.alerts = None;
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).expect("a process id");
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Asks it to stop, and collects what it still says.
    pub(crate) fn stop(self) -> Ended {
        self.signal(rustix::process::Signal::TERM);
        self.wait()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let mut text = String::new();
        if let Some(alerts) = &mut self.alerts {
            alerts.read_to_string(&mut text).expect("alerts are text");
        }
        let end = Instant::now() + PATIENCE;
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
        let alerts = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect();
        let messages = self.messages.join().expect("the reader does not panic");
        Ended {
            status,
            alerts,
            messages,
        }
    }
}
