//! What alerts say of containers of Kubernetes, held against what their runtimes say.

use crate::containers::{agree, fields, watch};
use crate::engines::cri::{Caller, CriO, api, names};
use crate::engines::{Containerd, IMAGE};
use crate::needs;
use crate::program::Scope;
use serde_json::{Value, json};

/// What kubectl was given, as it keeps it.
const APPLIED: &str = r#"{"kind": "Pod", "spec": {"containers": [{"name": "main",
    "livenessProbe": {"exec": {"command": ["/bin/ls", "/etc"]}},
    "readinessProbe": {"exec": {"command": ["/bin/sh", "-c", "ls /tmp; true ready"]}}}]}}"#;

#[test]
fn the_first_exec_of_a_pods_container_shows_what_its_runtime_tells_of_it() {
    let Some(containerd) = Containerd::start() else {
        return;
    };
    let cri = Caller::new(&containerd.socket());
    cri.wait();
    let scope = Scope::shared("kubepods");
    let saker = watch(&scope, "cri", &containerd.socket(), &[]);
    let data = containerd.folder().join("shared");
    std::fs::create_dir(&data).expect("the folder is ours");
    let uid = "6f1c1a5e-9a07-4b8e-8a3e-2b1a6f0c9d11";
    let logs = containerd.folder().join("logs");
    std::fs::create_dir_all(&logs).expect("the folder is ours");
    let pod_config = api::PodConfig {
        metadata: Some(api::PodMetadata {
            name: "web-0".into(),
            uid: uid.into(),
            namespace: "shop".into(),
        }),
        hostname: "web-0".into(),
        log_directory: logs.display().to_string(),
        labels: names([
            ("app", "web"),
            ("io.kubernetes.pod.name", "web-0"),
            ("io.kubernetes.pod.namespace", "shop"),
            ("io.kubernetes.pod.uid", uid),
        ]),
        annotations: names([("kubectl.kubernetes.io/last-applied-configuration", APPLIED)]),
        linux: Some(api::LinuxPod {
            cgroup_parent: format!("/kubepods/besteffort/pod{uid}"),
            ..api::LinuxPod::default()
        }),
    };
    let pod: api::Id = cri
        .call(
            "RunPodSandbox",
            api::RunPod {
                config: Some(pod_config.clone()),
            },
        )
        .expect("it runs");
    let command = ["/bin/sh", "-c", "sleep 20; true plain"];
    let container: api::Id = cri
        .call(
            "CreateContainer",
            api::CreateContainer {
                pod: pod.id.clone(),
                config: Some(api::ContainerConfig {
                    metadata: Some(api::Named {
                        name: "main".into(),
                    }),
                    image: Some(api::Named { name: IMAGE.into() }),
                    command: command.map(str::to_owned).into(),
                    mounts: vec![api::Mount {
                        container_path: "/mnt/data".into(),
                        host_path: data.display().to_string(),
                        readonly: true,
                    }],
                    labels: names([
                        ("team", "blue"),
                        ("io.kubernetes.container.name", "main"),
                        ("io.kubernetes.pod.name", "web-0"),
                        ("io.kubernetes.pod.namespace", "shop"),
                        ("io.kubernetes.pod.uid", uid),
                    ]),
                    log_path: "main.log".into(),
                }),
                pod_config: Some(pod_config),
            },
        )
        .expect("it is made");
    let asked = |id: &str| api::Id {
        id: id.into(),
        verbose: true,
    };
    let _: api::Empty = cri
        .call("StartContainer", asked(&container.id))
        .expect("it starts");
    let _: api::Empty = cri
        .call(
            "ExecSync",
            api::Exec {
                id: container.id.clone(),
                command: vec!["/bin/ls".into(), "/etc".into()],
                timeout: 10,
            },
        )
        .expect("it runs");
    let status: api::GotContainer = cri
        .call("ContainerStatus", asked(&container.id))
        .expect("it is known");
    let pod_status: api::GotPod = cri
        .call("PodSandboxStatus", asked(&pod.id))
        .expect("it is known");
    let ended = saker.stop();
    let gone: Result<api::Empty, _> = cri.call("StopPodSandbox", asked(&pod.id));
    gone.expect("it stops");
    let gone: Result<api::Empty, _> = cri.call("RemovePodSandbox", asked(&pod.id));
    gone.expect("it goes");

    let fields = fields(&ended, "sh -c sleep 20; true plain");
    let status = status.status.expect("it is told");
    let ip = pod_status.status.and_then(|status| status.network);
    let ip = ip.expect("it has one").name;
    assert_ne!(ip, "");
    agree(
        fields,
        json!({
            "container.id": status.id[..12],
            "container.full_id": status.id,
            "container.name": "main",
            "container.type": "containerd",
            "container.image": status.image.expect("it has one").name,
            "container.image.repository": "registry.example/tools/busybox",
            "container.image.tag": "1.36",
            "container.image.id": status.image_ref.trim_start_matches("sha256:"),
            "container.ip": ip,
            "container.privileged": false,
            "container.host_network": false,
            "container.label[team]": "blue",
            "container.mount.dest[0]": "/mnt/data",
            "container.mount.source[/mnt/data]": data.display().to_string(),
            "container.mount.rdwr[0]": "false",
            "k8s.pod.name": "web-0",
            "k8s.ns.name": "shop",
            "k8s.pod.uid": uid,
            "k8s.pod.ip": ip,
            "k8s.pod.labels": "app:web",
            "k8s.pod.sandbox_id": pod.id[..12],
            "container.liveness_probe": "/bin/ls /etc",
            "container.readiness_probe": "/bin/sh -c ls /tmp; true ready",
            "proc.is_container_liveness_probe": false,
        }),
    );
    let probe = crate::containers::fields(&ended, "ls /etc");
    assert_eq!(probe["proc.is_container_liveness_probe"], true, "{probe:#}");
    assert_eq!(probe["proc.is_container_readiness_probe"], false);
    assert!(
        fields["container.cni.json"].to_string().contains(&ip),
        "{fields:#}"
    );
}

#[test]
fn a_container_of_cri_o_shows_what_it_tells_in_its_own_way() {
    if !needs::live() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (id, pod) = ("c".repeat(64), "d".repeat(64));
    let uid = "6f1c1a5e_9a07_4b8e_8a3e_2b1a6f0c9d11";
    let scope = Scope::new();
    let slice = format!("kubepods-besteffort-pod{uid}.slice");
    let group = scope.path().join("kubepods.slice").join(&slice);
    let group = group.join(format!("crio-{id}.scope"));
    std::fs::create_dir_all(&group).expect("it is ours");
    // The container's first process, which waits until the runtime can tell of it.
    let go = folder.path().join("go");
    let script = format!(
        "echo 0 >{}/cgroup.procs; until [ -e {} ]; do read -t 0.05 x </dev/zero; done; \
         exec /bin/ls -d /etc",
        group.display(),
        go.display()
    );
    let mut first = std::process::Command::new("/bin/bash")
        .args(["-c", &script])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    let info = |text: Value| names([("info", &text.to_string())]);
    let told = CriO {
        container: api::GotContainer {
            status: Some(api::ContainerStatus {
                id: id.clone(),
                metadata: Some(api::Named {
                    name: "main".into(),
                }),
                state: 1,
                image: Some(api::Named { name: IMAGE.into() }),
                image_ref: "0f".repeat(32),
                labels: names([
                    ("team", "blue"),
                    ("io.kubernetes.pod.name", "web-0"),
                    ("io.kubernetes.pod.namespace", "shop"),
                    ("io.kubernetes.pod.uid", uid),
                ]),
                mounts: vec![api::Mount {
                    container_path: "/mnt/data".into(),
                    host_path: "/srv/data".into(),
                    readonly: true,
                }],
            }),
            info: info(json!({
                "sandboxID": pod, "pid": first.id(), "privileged": true,
                "runtimeSpec": {"linux": {"cgroupsPath": format!("{slice}:crio:{id}")}},
            })),
        },
        pod: api::GotPod {
            status: Some(api::PodStatus {
                id: pod.clone(),
                metadata: Some(api::PodMetadata {
                    name: "web-0".into(),
                    uid: uid.into(),
                    namespace: "shop".into(),
                }),
                network: Some(api::Named {
                    name: "10.85.0.7".into(),
                }),
                labels: names([("app", "web")]),
                annotations: names([("kubectl.kubernetes.io/last-applied-configuration", APPLIED)]),
            }),
            info: info(json!({
                "image": "pause", "pid": 0,
                "runtimeSpec": {"annotations": {
                    "io.kubernetes.cri-o.CNIResult": "{\"ips\":[{\"address\":\"10.85.0.7/16\"}]}",
                }},
            })),
        },
        image: api::Image {
            id: "0f".repeat(32),
            repo_tags: vec![IMAGE.into()],
            repo_digests: vec![format!(
                "registry.example/tools/busybox@sha256:{}",
                "1d".repeat(32)
            )],
        },
    };
    let socket = folder.path().join("crio.sock");
    told.serve(&socket);
    let saker = watch(&scope, "cri", &socket, &[]);
    std::fs::write(&go, "").expect("the folder is ours");
    assert!(first.wait().expect("it ends").success());
    let ended = saker.stop();
    agree(
        fields(&ended, "ls -d /etc"),
        json!({
            "container.id": id[..12],
            "container.full_id": id,
            "container.name": "main",
            "container.type": "cri-o",
            "container.image": IMAGE,
            "container.image.id": "0f".repeat(32),
            "container.image.digest": format!("sha256:{}", "1d".repeat(32)),
            "container.privileged": true,
            "container.ip": "10.85.0.7",
            "container.label[team]": "blue",
            "container.mount.source[/mnt/data]": "/srv/data",
            "container.mount.rdwr[0]": "false",
            "container.cni.json": "{\"ips\":[{\"address\":\"10.85.0.7/16\"}]}",
            "k8s.pod.name": "web-0",
            "k8s.ns.name": "shop",
            "k8s.pod.labels": "app:web",
            "k8s.pod.ip": "10.85.0.7",
            "k8s.pod.sandbox_id": pod[..12],
        }),
    );
}
