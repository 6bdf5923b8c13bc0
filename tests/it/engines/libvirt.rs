//! libvirt's LXC driver.

use super::lxc::remove_groups;
use super::{Daemon, alone, have, root_file_system, unmount_below, until};
use crate::program::Scope;
use std::path::Path;
use std::process::Command;
use std::sync::MutexGuard;

/// Where libvirt's drivers lie.
const DRIVER: &str = "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_lxc.so";

/// A libvirtd of the test's own.
pub(crate) struct Libvirt {
    folder: tempfile::TempDir,
    names: Vec<String>,
    daemon: Daemon,
    _alone: MutexGuard<'static, ()>,
}

impl Libvirt {
    /// Starts it in that group, if what it needs is there.
    pub(crate) fn start(scope: &Scope) -> Option<Libvirt> {
        if !have(&["libvirtd", "virsh", "unshare", "busybox"]) {
            return None;
        }
        let missing = (!Path::new(DRIVER).exists()).then(|| format!("no `{DRIVER}`"));
        if !crate::needs::have("engines", missing) {
            return None;
        }
        let alone = alone();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        root_file_system(path);
        let config = "listen_tls = 0\nlisten_tcp = 0\nauth_unix_rw = \"none\"\n\
                      auth_unix_ro = \"none\"\n";
        std::fs::write(path.join("libvirtd.conf"), config).expect("the folder is ours");
        // QEMU's driver would want a user of its own.
        std::fs::create_dir(path.join("drivers")).expect("the folder is ours");
        let link = path.join("drivers/libvirt_driver_lxc.so");
        std::os::unix::fs::symlink(DRIVER, link).expect("the folder is ours");
        // Its containers stay in that group of the second hierarchy, of which it knows nothing:
        // with both kinds it makes none.
        let mut command = scope.command("unshare");
        let script = "umount /sys/fs/cgroup/unified; exec libvirtd -f \"$0\" -p \"$1\"";
        command
            .env("LIBVIRT_DRIVER_DIR", path.join("drivers"))
            .args(["-m", "--propagation", "private", "sh", "-c", script])
            .arg(path.join("libvirtd.conf"))
            .arg(path.join("pid"));
        let daemon = Daemon::start(&mut command, &path.join("log"));
        let libvirt = Libvirt {
            folder,
            names: Vec::new(),
            daemon,
            _alone: alone,
        };
        until("libvirtd is waited for", || {
            let version = virsh(&["version"]).output();
            version.is_ok_and(|output| output.status.success())
        });
        Some(libvirt)
    }

    /// Starts a container of that name with that as its first program.
    #[track_caller]
    pub(crate) fn run(&mut self, name: &str, program: &[&str]) {
        let [first, rest @ ..] = program else {
            panic!("it needs a program");
        };
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
        let rest: String = rest
            .iter()
            .map(|word| format!("<initarg>{}</initarg>", escaped(word)))
            .collect();
        let domain = format!(
            "<domain type='lxc'><name>{name}</name><memory unit='MiB'>128</memory>\
             <vcpu>1</vcpu><os><type arch='x86_64'>exe</type><init>{}</init>{rest}</os>\
             <devices><emulator>/usr/lib/libvirt/libvirt_lxc</emulator>\
             <filesystem type='mount'><source dir='{}'/><target dir='/'/></filesystem>\
             <console type='pty'/></devices></domain>",
            escaped(first),
            self.folder.path().join("root").display(),
        );
        let file = self.folder.path().join(format!("{name}.xml"));
        std::fs::write(&file, domain).expect("the folder is ours");
        self.names.push(name.to_owned());
        let started = virsh(&["create"]).arg(&file).output().expect("it is there");
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(started.status.success(), "{started:?}: {log}");
    }
}

fn virsh(words: &[&str]) -> Command {
    let mut command = Command::new("virsh");
    command.args(["-q", "-c", "lxc:///"]).args(words);
    command
}

impl Drop for Libvirt {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = virsh(&["destroy", name]).output();
        }
        self.daemon.stop(rustix::process::Signal::TERM);
        unmount_below(self.folder.path());
        remove_groups("machine");
    }
}
