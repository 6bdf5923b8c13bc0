//! What alerts say of containers whose engines cannot be asked: LXC, libvirt's, BPM.

use crate::containers::{RULES, fields};
use crate::engines::libvirt::Libvirt;
use crate::engines::lxc::Lxc;
use crate::needs;
use crate::program::{Saker, Scope};

fn watch(scope: &Scope, args: &[&str]) -> Saker {
    let mut all = vec!["-r", RULES];
    for engine in ["docker", "podman", "containerd", "cri"] {
        all.push("-o");
        all.push(match engine {
            "docker" => "engines.docker.enabled=false",
            "podman" => "engines.podman.enabled=false",
            "containerd" => "engines.containerd.enabled=false",
            _ => "engines.cri.enabled=false",
        });
    }
    all.extend(args);
    Saker::watch(scope, &all)
}

#[test]
fn an_lxc_containers_first_exec_shows_its_name() {
    let scope = match needs::live() {
        true => Scope::new(),
        false => return,
    };
    let within = scope.path().file_name().expect("it has one");
    let Some(lxc) = Lxc::new(&within.to_string_lossy()) else {
        return;
    };
    let saker = watch(&scope, &[]);
    lxc.start(&["/bin/sh", "-c", "sleep 20; true first"]);
    lxc.attach(&["/bin/ls", "/etc"]);
    let ended = saker.stop();
    for command in ["sh -c sleep 20; true first", "ls /etc"] {
        let fields = fields(&ended, command);
        assert_eq!(fields["container.id"], lxc.name(), "{fields:#}");
        assert_eq!(fields["container.type"], "lxc");
        assert_eq!(fields.get("metadata"), None, "{fields:#}");
    }
}

#[test]
fn a_libvirt_containers_first_exec_shows_its_name() {
    let scope = match needs::live() {
        true => Scope::new(),
        false => return,
    };
    let Some(mut libvirt) = Libvirt::start(&scope) else {
        return;
    };
    let saker = watch(&scope, &[]);
    let name = format!("saker-{}", std::process::id());
    libvirt.run(&name, &["/bin/sh", "-c", "sleep 1; /bin/ls /etc; sleep 20"]);
    std::thread::sleep(std::time::Duration::from_secs(2));
    let ended = saker.stop();
    // One of its hierarchies names it, whichever others do not.
    for command in ["sh -c sleep 1; /bin/ls /etc; sleep 20", "ls /etc"] {
        let fields = fields(&ended, command);
        assert_eq!(fields["container.id"], name, "{fields:#}");
        assert_eq!(fields["container.type"], "libvirt-lxc");
        assert_eq!(fields.get("metadata"), None, "{fields:#}");
    }
}

#[test]
fn a_bpm_job_is_known_by_its_group_unless_that_is_switched_off() {
    if !needs::live() {
        return;
    }
    for (args, expected) in [
        (&[][..], true),
        (&["-o", "engines.bpm.enabled=false"], false),
    ] {
        let scope = Scope::new();
        let saker = watch(&scope, args);
        let job = scope.path().join("bpm-router.scope");
        std::fs::create_dir(&job).expect("it is ours");
        // A shell that goes there, and executes something.
        let script = format!(
            "echo 0 >{}/cgroup.procs; exec /bin/ls -d /etc",
            job.display()
        );
        scope.shell(&script);
        let ended = saker.stop();
        std::fs::remove_dir(&job).expect("it is empty");
        if !expected {
            assert_eq!(ended.alerts, [] as [serde_json::Value; 0]);
            continue;
        }
        let fields = fields(&ended, "ls -d /etc");
        assert_eq!(fields["container.id"], "router", "{fields:#}");
        assert_eq!(fields["container.type"], "bpm");
    }
}
