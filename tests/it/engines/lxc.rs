//! LXC: it has no daemon, and needs no more than a root file system with busybox.

use super::{alone, have, output, root_file_system};
use std::path::Path;
use std::process::Command;
use std::sync::MutexGuard;

/// A container of LXC's that goes with the test.
pub(crate) struct Lxc {
    folder: tempfile::TempDir,
    name: String,
    _alone: MutexGuard<'static, ()>,
}

impl Lxc {
    /// A container whose control groups lie in that one; it does not run yet.
    pub(crate) fn new(within: &str) -> Option<Lxc> {
        if !have(&["lxc-start", "lxc-stop", "busybox"]) {
            return None;
        }
        let lxc = Lxc {
            folder: tempfile::tempdir().expect("a folder"),
            name: format!("saker-{}", std::process::id()),
            _alone: alone(),
        };
        root_file_system(lxc.folder.path());
        let own = lxc.folder.path().join(&lxc.name);
        std::fs::create_dir(&own).expect("the folder is ours");
        let config = format!(
            "lxc.uts.name = {}\nlxc.rootfs.path = dir:{}\nlxc.net.0.type = empty\n\
             lxc.cgroup.dir = {within}\nlxc.apparmor.profile = unconfined\n\
             lxc.mount.auto = proc:mixed\n",
            lxc.name,
            lxc.folder.path().join("root").display(),
        );
        std::fs::write(own.join("config"), config).expect("the folder is ours");
        Some(lxc)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-P").arg(self.folder.path());
        command.args(["-n", &self.name]);
        command
    }

    /// Starts it with that as its first program.
    #[track_caller]
    pub(crate) fn start(&self, program: &[&str]) {
        let log = self.folder.path().join("log");
        let mut start = self.command("lxc-start");
        start.args(["-l", "INFO", "-o"]).arg(&log).arg("--");
        let started = start.args(program).output().expect("it is there");
        let log = std::fs::read_to_string(log).unwrap_or_default();
        assert!(started.status.success(), "{started:?}: {log}");
    }

    /// Runs a program in it, once it runs.
    #[track_caller]
    pub(crate) fn attach(&self, program: &[&str]) -> String {
        output(self.command("lxc-attach").arg("--").args(program))
    }
}

impl Drop for Lxc {
    fn drop(&mut self) {
        let _ = self.command("lxc-stop").arg("-k").output();
        remove_groups("lxc.pivot");
    }
}

/// Removes the empty control groups of that name which an engine leaves in every hierarchy.
pub(super) fn remove_groups(name: &str) {
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten();
    for hierarchy in hierarchies.flatten() {
        remove_empty(&hierarchy.path().join(name));
    }
}

/// Refused where anything is in it.
fn remove_empty(group: &Path) {
    let inner = std::fs::read_dir(group).into_iter().flatten().flatten();
    for inner in inner.filter(|inner| inner.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_empty(&inner.path());
    }
    let _ = std::fs::remove_dir(group);
}
