//! Container engines for tests: real ones, from Debian's packages, each with all it keeps in a
//! folder of the test's own.

pub(crate) mod cri;
pub(crate) mod libvirt;
pub(crate) mod lxc;

use crate::needs;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The image that every engine gets, made of the machine's static busybox.
pub(crate) const IMAGE: &str = "registry.example/tools/busybox:1.36";

/// One engine runs at a time: bridges and control groups are the machine's.
static ALONE: Mutex<()> = Mutex::new(());

pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a test can go on that needs these programs beside a kernel that can be watched.
pub(crate) fn have(programs: &[&str]) -> bool {
    let path = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin";
    let missing = programs.iter().find(|program| {
        let mut folders = path.split(':');
        !folders.any(|folder| Path::new(folder).join(program).exists())
    });
    needs::live() && needs::have("engines", missing.map(|program| format!("no `{program}`")))
}

/// A program that runs until the test ends.
pub(crate) struct Daemon(Child);

impl Daemon {
    pub(crate) fn start(command: &mut Command, log: &Path) -> Daemon {
        let log = std::fs::File::create(log).expect("the folder is there");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("it is open"))
            .stderr(log)
            .spawn();
        Daemon(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Ends it, in order if it can, and waits for that.
    pub(crate) fn stop(&mut self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process(pid, signal);
        let end = Instant::now() + Duration::from_secs(15);
        while Instant::now() < end {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop(rustix::process::Signal::TERM);
    }
}

/// Runs a program that must succeed, and gives what it printed.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Waits until it holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "{what} in vain");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A tar of a root file system in which there is busybox.
fn root_file_system(folder: &Path) -> PathBuf {
    let tar = folder.join("root.tar");
    if tar.exists() {
        return tar;
    }
    let root = folder.join("root");
    for name in ["bin", "etc", "tmp", "proc", "sys", "dev", "mnt", "var"] {
        std::fs::create_dir_all(root.join(name)).expect("a folder");
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox is there");
    for name in ["sh", "sleep", "true", "cat", "ls", "test", "echo"] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).expect("a link");
    }
    output(
        Command::new("tar")
            .arg("-C")
            .arg(&root)
            .arg("-cf")
            .arg(&tar)
            .arg("."),
    );
    tar
}

/// `runc` for machines that lack some capability, so that privileged containers start there too:
/// what the machine does not have is taken out of what is asked for.
fn runc(folder: &Path) -> PathBuf {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc is there");
    let bound = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let bound = u64::from_str_radix(bound.expect("it has one").trim(), 16).expect("a number");
    let program = folder.join("runc-bounded");
    let names = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP \
         LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER \
         SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE \
         SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP \
         MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF \
         CHECKPOINT_RESTORE";
    let missing = names.split_whitespace().enumerate();
    let missing = missing.filter(|(bit, _)| bound >> bit & 1 == 0);
    let missing: Vec<String> = missing.map(|(_, name)| format!("CAP_{name}")).collect();
    let script = format!(
        r#"#!/bin/bash
case " $* " in *" create "*|*" run "*)
  bundle=.; last=
  for word in "$@"; do [ "$last" = --bundle ] || [ "$last" = -b ] && bundle=$word; last=$word; done
  if jq -e .process.capabilities "$bundle/config.json" >/dev/null 2>&1; then
    jq -c --argjson m '{}' '.process.capabilities |= map_values(. - $m)' "$bundle/config.json" >"$bundle/.c"
    cat "$bundle/.c" >"$bundle/config.json"; rm -f "$bundle/.c"
  fi;;
esac
exec runc "$@"
"#,
        serde_json::to_string(&missing).expect("texts")
    );
    std::fs::write(&program, script).expect("the folder is there");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).expect("it is ours");
    program
}

/// A bridge with an address, which goes with the test.
struct Bridge(String);

impl Bridge {
    fn new() -> Bridge {
        let name = format!("skr{}", std::process::id() % 100_000);
        let ip = |words: &[&str]| Command::new("ip").args(words).status();
        let _ = ip(&["link", "del", &name]);
        for words in [
            &["link", "add", &name, "type", "bridge"][..],
            &["addr", "add", "172.29.83.1/24", "dev", &name],
            &["link", "set", &name, "up"],
        ] {
            assert!(
                ip(words).is_ok_and(|status| status.success()),
                "ip {words:?}"
            );
        }
        Bridge(name)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "del", &self.0]).status();
    }
}

/// A Docker of the test's own.
pub(crate) struct Docker {
    folder: tempfile::TempDir,
    bridge: Bridge,
    daemon: Option<Daemon>,
    _alone: MutexGuard<'static, ()>,
}

impl Docker {
    /// Starts it, if what it needs is there.
    pub(crate) fn start() -> Option<Docker> {
        if !have(&[
            "dockerd",
            "docker",
            "containerd",
            "runc",
            "jq",
            "ip",
            "busybox",
        ]) {
            return None;
        }
        let alone = alone();
        let mut docker = Docker {
            folder: tempfile::tempdir().expect("a folder"),
            bridge: Bridge::new(),
            daemon: None,
            _alone: alone,
        };
        docker.launch();
        let tar = root_file_system(docker.folder.path());
        let mut import = docker.command(&["import"]);
        import.args([
            "-c",
            r#"CMD ["sh"]"#,
            "-c",
            "ENV PATH=/bin",
            "-c",
            "LABEL of.image=yes",
        ]);
        output(import.arg(tar).arg(IMAGE));
        Some(docker)
    }

    /// Starts the daemon, which may have run before.
    pub(crate) fn launch(&mut self) {
        let folder = self.folder.path();
        let runc = runc(folder);
        let mut command = Command::new("dockerd");
        command
            .arg("-H")
            .arg(format!("unix://{}", self.socket().display()))
            .arg("--data-root")
            .arg(folder.join("data"))
            .arg("--exec-root")
            .arg(folder.join("exec"))
            .arg("--pidfile")
            .arg(folder.join("pid"))
            .args(["--bridge", &self.bridge.0, "--fixed-cidr", "172.29.83.0/24"])
            .args(["--iptables=false", "--ip-masq=false", "--live-restore"])
            .arg("--add-runtime")
            .arg(format!("bounded={}", runc.display()));
        // A daemon that was killed takes its containerd along, and leaves both their numbers.
        for name in ["pid", "exec/containerd/containerd.pid"] {
            let _ = std::fs::remove_file(folder.join(name));
        }
        self.daemon = Some(Daemon::start(&mut command, &folder.join("log")));
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let version = self.command(&["version"]).output();
            if version.is_ok_and(|output| output.status.success()) {
                return;
            }
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "dockerd does not answer: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills the daemon. Its containers run on.
    pub(crate) fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.stop(rustix::process::Signal::KILL);
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker");
        let host = format!("unix://{}", self.socket().display());
        command.args(["-H", &host]).args(words);
        command
    }

    #[track_caller]
    pub(crate) fn docker(&self, words: &[&str]) -> String {
        output(&mut self.command(words))
    }

    /// What it tells of a container.
    #[track_caller]
    pub(crate) fn inspect(&self, id: &str) -> Value {
        let text = self.docker(&["inspect", id]);
        let all: Value = serde_json::from_str(&text).expect("JSON");
        all[0].clone()
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let ids = self.command(&["ps", "-aq"]).output();
        let ids = ids.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        for id in ids.unwrap_or_default().split_whitespace() {
            let _ = self.command(&["rm", "-f", id]).output();
        }
        drop(self.daemon.take());
        unmount_below(self.folder.path());
    }
}

/// What a daemon leaves mounted when it is killed.
fn unmount_below(folder: &Path) {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    let mut places: Vec<&str> = places
        .filter(|place| Path::new(place).starts_with(folder))
        .collect();
    places.sort_unstable();
    for place in places.into_iter().rev() {
        let _ = Command::new("umount").args(["-l", place]).status();
    }
}

/// An archive as `docker save` writes them, of an image with that program.
fn image_archive(folder: &Path, name: &str) -> PathBuf {
    // A sandbox stays until it is ended.
    let command = if name == PAUSE {
        ["sleep", "86400"].as_slice()
    } else {
        &["sh"]
    };
    let root = root_file_system(folder);
    let digest = |path: &Path| {
        let text = output(Command::new("sha256sum").arg(path));
        text.split(' ').next().expect("a digest").to_owned()
    };
    let layer = digest(&root);
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux",
        "config": {"Cmd": command, "Env": ["PATH=/bin"], "Labels": {"of.image": "yes"}},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
        "history": [{"created_by": "a test"}],
    });
    let draft = folder.join("config.json");
    std::fs::write(&draft, config.to_string()).expect("the folder is ours");
    let id = digest(&draft);
    let manifest = serde_json::json!([
        {"Config": format!("{id}.json"), "RepoTags": [name], "Layers": [format!("{layer}.tar")]}
    ]);
    let image = folder.join(format!("image-{}", id.get(..8).expect("it is long")));
    std::fs::create_dir_all(&image).expect("the folder is ours");
    std::fs::rename(&draft, image.join(format!("{id}.json"))).expect("the same file system");
    std::fs::copy(&root, image.join(format!("{layer}.tar"))).expect("there is room");
    std::fs::write(image.join("manifest.json"), manifest.to_string()).expect("it is ours");
    let archive = image.with_extension("tar");
    output(
        Command::new("tar")
            .arg("-C")
            .arg(&image)
            .arg("-cf")
            .arg(&archive)
            .arg("."),
    );
    archive
}

/// The image of pods' sandboxes.
pub(crate) const PAUSE: &str = "registry.example/tools/pause:3.9";

/// A containerd of the test's own, with its plugin for Kubernetes.
pub(crate) struct Containerd {
    folder: tempfile::TempDir,
    _daemon: Daemon,
    _alone: MutexGuard<'static, ()>,
}

impl Containerd {
    /// Starts it, if what it needs is there.
    pub(crate) fn start() -> Option<Containerd> {
        if !have(&["containerd", "ctr", "runc", "busybox", "iptables"]) {
            return None;
        }
        let plugins = Path::new("/usr/lib/cni/bridge").exists();
        if !needs::have(
            "engines",
            (!plugins).then(|| "no plugins for networks".into()),
        ) {
            return None;
        }
        let alone = alone();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().display().to_string();
        let bridge = format!("skc{}", std::process::id() % 100_000);
        let config = format!(
            r#"version = 2
root = "{path}/root"
state = "{path}/state"
[grpc]
  address = "{path}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{path}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{path}/cni"
"#
        );
        let network = serde_json::json!({
            "cniVersion": "1.0.0", "name": "test", "plugins": [{
                "type": "bridge", "bridge": bridge, "isGateway": true, "ipMasq": false,
                "ipam": {"type": "host-local", "dataDir": format!("{path}/ipam"),
                         "ranges": [[{"subnet": "10.244.83.0/24"}]]},
            }],
        });
        std::fs::create_dir(folder.path().join("cni")).expect("the folder is ours");
        std::fs::write(
            folder.path().join("cni/10-test.conflist"),
            network.to_string(),
        )
        .expect("the folder is ours");
        std::fs::write(folder.path().join("config.toml"), config).expect("the folder is ours");
        let mut command = Command::new("containerd");
        command.arg("-c").arg(folder.path().join("config.toml"));
        let daemon = Daemon::start(&mut command, &folder.path().join("log"));
        let containerd = Containerd {
            folder,
            _daemon: daemon,
            _alone: alone,
        };
        until("containerd is waited for", || {
            let version = containerd.command(&["version"]).output();
            version.is_ok_and(|output| output.status.success())
        });
        for (space, name) in [("default", IMAGE), ("k8s.io", IMAGE), ("k8s.io", PAUSE)] {
            let archive = image_archive(containerd.folder.path(), name);
            let archive = archive.display().to_string();
            containerd.ctr(&["-n", space, "images", "import", &archive]);
        }
        Some(containerd)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("containerd.sock")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command.arg("-a").arg(self.socket()).args(words);
        command
    }

    /// Gives a namespace the image.
    pub(crate) fn import(&self, space: &str) {
        let archive = image_archive(self.folder.path(), IMAGE);
        let archive = archive.display().to_string();
        self.ctr(&["-n", space, "images", "import", &archive]);
    }

    #[track_caller]
    pub(crate) fn ctr(&self, words: &[&str]) -> String {
        output(&mut self.command(words))
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        for space in ["default", "k8s.io", "shop"] {
            let list = |what: &[&str]| {
                let words = [&["-n", space][..], what].concat();
                let listed = self.command(&words).output();
                listed.map_or(String::new(), |o| {
                    String::from_utf8_lossy(&o.stdout).into_owned()
                })
            };
            for id in list(&["tasks", "ls", "-q"]).split_whitespace() {
                let _ = self
                    .command(&["-n", space, "tasks", "rm", "-f", id])
                    .output();
            }
            for id in list(&["containers", "ls", "-q"]).split_whitespace() {
                let _ = self
                    .command(&["-n", space, "containers", "rm", id])
                    .output();
            }
        }
        self._daemon.stop(rustix::process::Signal::TERM);
        unmount_below(self.folder.path());
        let bridge = format!("skc{}", std::process::id() % 100_000);
        let _ = Command::new("ip").args(["link", "del", &bridge]).output();
    }
}

/// A Podman of the test's own.
pub(crate) struct Podman {
    folder: tempfile::TempDir,
    _daemon: Daemon,
    _alone: MutexGuard<'static, ()>,
}

impl Podman {
    /// Starts its service, if what it needs is there.
    pub(crate) fn start() -> Option<Podman> {
        if !have(&["podman", "conmon", "runc", "iptables", "busybox"]) {
            return None;
        }
        let alone = alone();
        let folder = tempfile::tempdir().expect("a folder");
        // Its own default for open files is more than some machines allow.
        let config =
            "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n";
        std::fs::write(folder.path().join("containers.conf"), config).expect("it is ours");
        let mut command = Podman::command_in(folder.path());
        let address = format!("unix://{}", folder.path().join("podman.sock").display());
        command.args(["system", "service", "--time", "0", &address]);
        let podman = Podman {
            _daemon: Daemon::start(&mut command, &folder.path().join("log")),
            folder,
            _alone: alone,
        };
        until("podman is waited for", || podman.socket().exists());
        let tar = root_file_system(podman.folder.path());
        let mut import = Podman::command_in(podman.folder.path());
        import.args([
            "import",
            "-c",
            "CMD=sh",
            "-c",
            "ENV=PATH=/bin",
            "-c",
            "LABEL=of.image=yes",
        ]);
        output(import.arg(tar).arg(IMAGE));
        Some(podman)
    }

    fn command_in(folder: &Path) -> Command {
        let at = |name: &str| folder.join(name).display().to_string();
        let mut command = Command::new("podman");
        command.env("CONTAINERS_CONF", at("containers.conf"));
        command.args([
            "--root",
            &at("graph"),
            "--runroot",
            &at("run"),
            "--tmpdir",
            &at("tmp"),
        ]);
        command.args([
            "--network-config-dir",
            &at("net"),
            "--network-backend",
            "netavark",
        ]);
        command.args(["--cgroup-manager", "cgroupfs", "--events-backend", "file"]);
        command.args(["--runtime", "runc"]);
        command
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("podman.sock")
    }

    #[track_caller]
    pub(crate) fn podman(&self, words: &[&str]) -> String {
        output(Podman::command_in(self.folder.path()).args(words))
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let mut remove = Podman::command_in(self.folder.path());
        let _ = remove.args(["rm", "-f", "-t", "0", "-a"]).output();
        self._daemon.stop(rustix::process::Signal::TERM);
        unmount_below(self.folder.path());
    }
}
