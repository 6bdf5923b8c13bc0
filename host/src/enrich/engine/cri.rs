//! The runtimes of Kubernetes by their common interface, CRI v1: containerd, CRI-O and those that
//! bring one of them along.

use super::Trouble;
use super::client::{Client, Described};
use super::containerd::Spec;
use super::docker::split_image;
use super::grpc::{self, Socket};
use super::roots::{self, First, Place};
use super::telling::Telling;
use crate::state::container::{Command, ContainerFacts, Engine, Labels, Mount};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;
use tonic::Request;

/// A runtime at a socket.
pub(super) struct Cri {
    socket: Socket,
    /// Which runtime it says it is.
    engine: Mutex<Option<Engine>>,
}

/// Characters of a container's id as fields show it.
const ID_SHORT: usize = 12;
/// How often a runtime is asked what runs that tells no events (containerd before 1.7).
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The annotation in which kubectl keeps what it was given.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The annotation in which CRI-O keeps what the network's plugins said.
const CRIO_CNI: &str = "io.kubernetes.cri-o.CNIResult";

mod api {
    //! What is asked of `runtime.v1`.

    use std::collections::HashMap;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Empty {}

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Version {
        #[prost(string, tag = "2")]
        pub(super) runtime_name: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct StatusRequest {
        #[prost(string, tag = "1")]
        pub(super) id: String,
        #[prost(bool, tag = "2")]
        pub(super) verbose: bool,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ImageSpec {
        #[prost(string, tag = "1")]
        pub(super) image: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ImageStatusRequest {
        #[prost(message, optional, tag = "1")]
        pub(super) image: Option<ImageSpec>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Image {
        #[prost(string, tag = "1")]
        pub(super) id: String,
        #[prost(string, repeated, tag = "2")]
        pub(super) repo_tags: Vec<String>,
        #[prost(string, repeated, tag = "3")]
        pub(super) repo_digests: Vec<String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct GotImage {
        #[prost(message, optional, tag = "1")]
        pub(super) image: Option<Image>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ContainerMetadata {
        #[prost(string, tag = "1")]
        pub(super) name: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct PodMetadata {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(string, tag = "2")]
        pub(super) uid: String,
        #[prost(string, tag = "3")]
        pub(super) namespace: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Mount {
        #[prost(string, tag = "1")]
        pub(super) container_path: String,
        #[prost(string, tag = "2")]
        pub(super) host_path: String,
        #[prost(bool, tag = "3")]
        pub(super) readonly: bool,
        #[prost(int32, tag = "5")]
        pub(super) propagation: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ContainerStatus {
        #[prost(string, tag = "1")]
        pub(super) id: String,
        #[prost(message, optional, tag = "2")]
        pub(super) metadata: Option<ContainerMetadata>,
        #[prost(int32, tag = "3")]
        pub(super) state: i32,
        #[prost(int64, tag = "6")]
        pub(super) finished_at: i64,
        #[prost(message, optional, tag = "8")]
        pub(super) image: Option<ImageSpec>,
        #[prost(string, tag = "9")]
        pub(super) image_ref: String,
        #[prost(map = "string, string", tag = "12")]
        pub(super) labels: HashMap<String, String>,
        #[prost(message, repeated, tag = "14")]
        pub(super) mounts: Vec<Mount>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct GotContainer {
        #[prost(message, optional, tag = "1")]
        pub(super) status: Option<ContainerStatus>,
        #[prost(map = "string, string", tag = "2")]
        pub(super) info: HashMap<String, String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Network {
        #[prost(string, tag = "1")]
        pub(super) ip: String,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct NamespaceOptions {
        #[prost(int32, tag = "1")]
        pub(super) network: i32,
        #[prost(int32, tag = "2")]
        pub(super) pid: i32,
        #[prost(int32, tag = "3")]
        pub(super) ipc: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Namespaces {
        #[prost(message, optional, tag = "2")]
        pub(super) options: Option<NamespaceOptions>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct LinuxPod {
        #[prost(message, optional, tag = "1")]
        pub(super) namespaces: Option<Namespaces>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct PodStatus {
        #[prost(string, tag = "1")]
        pub(super) id: String,
        #[prost(message, optional, tag = "2")]
        pub(super) metadata: Option<PodMetadata>,
        #[prost(int32, tag = "3")]
        pub(super) state: i32,
        #[prost(message, optional, tag = "5")]
        pub(super) network: Option<Network>,
        #[prost(message, optional, tag = "6")]
        pub(super) linux: Option<LinuxPod>,
        #[prost(map = "string, string", tag = "7")]
        pub(super) labels: HashMap<String, String>,
        #[prost(map = "string, string", tag = "8")]
        pub(super) annotations: HashMap<String, String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct GotPod {
        #[prost(message, optional, tag = "1")]
        pub(super) status: Option<PodStatus>,
        #[prost(map = "string, string", tag = "2")]
        pub(super) info: HashMap<String, String>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Item {
        #[prost(string, tag = "1")]
        pub(super) id: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Items {
        #[prost(message, repeated, tag = "1")]
        pub(super) items: Vec<Item>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ContainerEvent {
        #[prost(string, tag = "1")]
        pub(super) id: String,
        #[prost(int32, tag = "2")]
        pub(super) kind: i32,
        #[prost(int64, tag = "3")]
        pub(super) at: i64,
    }
}

/// What a runtime tells beside the interface's own words, as JSON under `info`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Info {
    #[serde(rename = "sandboxID")]
    sandbox_id: String,
    pid: u32,
    /// CRI-O's.
    privileged: bool,
    config: Option<InfoConfig>,
    runtime_spec: Option<Box<RawValue>>,
    #[serde(skip)]
    spec: Option<Spec>,
    cni_result: Option<Box<RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InfoConfig {
    linux: Option<InfoLinux>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct InfoLinux {
    security_context: Option<SecurityContext>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SecurityContext {
    privileged: bool,
}

impl Info {
    fn of(info: &HashMap<String, String>) -> Info {
        let text = info.get("info").map(String::as_str).unwrap_or_default();
        let mut info: Info = serde_json::from_str(text).unwrap_or_default();
        let spec = info.runtime_spec.take();
        info.spec = spec.and_then(|spec| serde_json::from_str(spec.get()).ok());
        info
    }

    fn is_privileged(&self) -> bool {
        let config = self
            .config
            .as_ref()
            .and_then(|config| config.linux.as_ref());
        let context = config.and_then(|linux| linux.security_context.as_ref());
        self.privileged || context.is_some_and(|context| context.privileged)
    }

    /// Where its groups are.
    fn place(&self, first: &First, id: &str) -> Place {
        Place::of(first, id, || {
            let spec = self.spec.as_ref();
            spec.and_then(Spec::root).into_iter().collect()
        })
    }

    fn annotation(&self, name: &str) -> Option<&str> {
        Some(&**self.spec.as_ref()?.annotations.get(name)?)
    }

    /// What the network's plugins said, as each runtime keeps it.
    fn cni_json(&self) -> String {
        match &self.cni_result {
            Some(result) => compact(result.get()).unwrap_or_default(),
            None => self.annotation(CRIO_CNI).unwrap_or_default().to_owned(),
        }
    }
}

/// The same JSON without blanks, unless it is long.
fn compact(json: &str) -> Option<String> {
    let json = Some(json).filter(|json| json.len() <= CNI_BYTES_MAX)?;
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    Some(value.to_string())
}

/// What the network's plugins said is no longer.
const CNI_BYTES_MAX: usize = 64 << 10;
/// The namespace is the host's.
const OF_NODE: i32 = 2;
/// A container that has no process yet.
const CREATED: i32 = 0;
/// A container that has none any more.
const EXITED: i32 = 2;
/// A sandbox that is there.
const READY: i32 = 0;
/// Events say that a container has begun,
const STARTED: i32 = 1;
/// has ended,
const STOPPED: i32 = 2;
/// and is no more.
const DELETED: i32 = 3;

fn status_request(id: &str) -> Request<api::StatusRequest> {
    Request::new(api::StatusRequest {
        id: id.to_owned(),
        verbose: true,
    })
}

impl Cri {
    pub(super) fn new(socket: &Path) -> Cri {
        Cri {
            socket: Socket::new(socket),
            engine: Mutex::default(),
        }
    }

    async fn engine(&self) -> Result<Engine, Trouble> {
        if let Some(engine) = *self.engine.lock().expect("nobody panics with it") {
            return Ok(engine);
        }
        let method = "/runtime.v1.RuntimeService/Version";
        let version: Option<api::Version> = self
            .socket
            .call(method, Request::new(api::Empty {}))
            .await?;
        let engine = match &*version.unwrap_or_default().runtime_name {
            "containerd" => Engine::Containerd,
            "cri-o" => Engine::CriO,
            "docker" => Engine::Docker,
            _ => Engine::Cri,
        };
        *self.engine.lock().expect("nobody panics with it") = Some(engine);
        Ok(engine)
    }

    /// What is known of the container, or the sandbox, of that id.
    pub(super) async fn inspect(&self, id: &str) -> Result<Option<Described>, Trouble> {
        let engine = self.engine().await?;
        let method = "/runtime.v1.RuntimeService/ContainerStatus";
        let got: Option<api::GotContainer> = self.socket.call(method, status_request(id)).await?;
        let Some(got) = got else {
            let pod = self.pod(id).await?;
            return Ok(pod.and_then(|pod| sandbox(engine, id, &pod)));
        };
        let info = Info::of(&got.info);
        let Some(status) = got.status.filter(|status| status.id == id) else {
            return Ok(None);
        };
        let pod = match &*info.sandbox_id {
            "" => None,
            sandbox => self.pod(sandbox).await?,
        };
        let asked = status.image.as_ref().map_or("", |image| &image.image);
        let image = self.image(asked, &status.image_ref).await;
        let first = match (info.pid, status.state) {
            (0, CREATED) => First::ToCome,
            (_, EXITED) => First::Ended(u64::try_from(status.finished_at).unwrap_or(0)),
            (0, _) => First::Ended(roots::now()),
            (pid, _) => First::Runs(pid),
        };
        let place = info.place(&first, id);
        let pod = pod.unwrap_or_default();
        Ok(Some(Described {
            facts: facts(engine, status, &info, place, &pod, &image),
            is_early: matches!(first, First::ToCome),
        }))
    }

    async fn pod(&self, id: &str) -> Result<Option<api::GotPod>, Trouble> {
        let method = "/runtime.v1.RuntimeService/PodSandboxStatus";
        self.socket.call(method, status_request(id)).await
    }

    /// What is told of an image; nothing where that fails, for the container counts for more.
    async fn image(&self, asked: &str, reference: &str) -> api::Image {
        let method = "/runtime.v1.ImageService/ImageStatus";
        for image in [reference, asked]
            .into_iter()
            .filter(|image| !image.is_empty())
        {
            let request = Request::new(api::ImageStatusRequest {
                image: Some(api::ImageSpec {
                    image: image.to_owned(),
                }),
            });
            let got = self.socket.call::<_, api::GotImage>(method, request).await;
            if let Some(image) = got.ok().flatten().and_then(|got| got.image) {
                return image;
            }
        }
        api::Image::default()
    }

    async fn list(&self) -> Result<BTreeSet<String>, Trouble> {
        let mut ids = BTreeSet::new();
        for method in [
            "/runtime.v1.RuntimeService/ListContainers",
            "/runtime.v1.RuntimeService/ListPodSandbox",
        ] {
            let request = Request::new(api::Empty {});
            let listed: api::Items = self.socket.list(method, request).await?;
            ids.extend(listed.items.into_iter().map(|item| item.id));
        }
        Ok(ids)
    }

    /// Tells of the containers that run, then of those that begin and end.
    pub(super) async fn follow(&self, client: &Client, tell: &Telling) -> Result<(), Trouble> {
        // Another may have taken its place.
        *self.engine.lock().expect("nobody panics with it") = None;
        self.engine().await?;
        let method = "/runtime.v1.RuntimeService/GetContainerEvents";
        let request = Request::new(api::Empty {});
        let opening = self
            .socket
            .stream::<_, api::ContainerEvent>(method, request);
        let opening = grpc::Opening::begin(opening).await;
        let mut known = self.list().await?;
        client.note_well();
        let listed = tell.all(known.clone());
        let heard = async {
            let mut events = opening.done().await?;
            while let Some(stream) = &mut events {
                match grpc::next(stream).await {
                    Ok(Some(event)) => {
                        tell.pace(event.id.len()).await;
                        let at = u64::try_from(event.at).unwrap_or(0);
                        match event.kind {
                            STARTED => tell.begun(&event.id),
                            STOPPED => tell.ended(&event.id, at),
                            DELETED => tell.gone(&event.id, at).await,
                            _ => tell.soon(&event.id),
                        }
                    }
                    Ok(None) => return Ok(()),
                    // Some say so only when they are to tell the first.
                    Err(Trouble::BadAnswer(_)) => events = None,
                    Err(trouble) => return Err(trouble),
                }
            }
            loop {
                tokio::time::sleep(LOOK_AGAIN_AFTER).await;
                let now = self.list().await?;
                for id in known.difference(&now) {
                    tell.gone(id, 0).await;
                }
                tell.all(now.difference(&known).cloned()).await?;
                known = now;
            }
        };
        tokio::try_join!(listed, heard).map(drop)
    }
}

fn labels(of: &HashMap<String, String>) -> impl Iterator<Item = (Box<str>, Box<str>)> {
    of.iter()
        .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
}

/// What the labels of every container of Kubernetes say of its pod, where whoever made it has left
/// that out.
fn pod_labels_of(pod: &api::PodStatus) -> Vec<(Box<str>, Box<str>)> {
    let Some(metadata) = &pod.metadata else {
        return Vec::new();
    };
    let all = [
        ("io.kubernetes.pod.name", &metadata.name),
        ("io.kubernetes.pod.namespace", &metadata.namespace),
        ("io.kubernetes.pod.uid", &metadata.uid),
    ];
    all.map(|(name, value)| (name.into(), value.as_str().into()))
        .into()
}

fn options_of(pod: &api::PodStatus) -> api::NamespaceOptions {
    let linux = pod.linux.as_ref();
    let namespaces = linux.and_then(|linux| linux.namespaces.as_ref());
    namespaces
        .and_then(|namespaces| namespaces.options)
        .unwrap_or_default()
}

fn facts(
    engine: Engine,
    status: api::ContainerStatus,
    info: &Info,
    place: Place,
    pod: &api::GotPod,
    image: &api::Image,
) -> ContainerFacts {
    let pod_info = Info::of(&pod.info);
    let pod = pod.status.clone().unwrap_or_default();
    let options = options_of(&pod);
    let mut asked = status.image.map(|image| image.image).unwrap_or_default();
    // The image may have been asked for by its id.
    if asked.starts_with("sha256:")
        && let Some(tag) = image.repo_tags.first()
    {
        asked.clone_from(tag);
    }
    let (repository, tag, digest) = split_image(&asked);
    let digests = image.repo_digests.iter().chain([&status.image_ref]);
    let found = digests
        .filter_map(|one| one.split_once('@'))
        .map(|(_, digest)| digest)
        .next();
    let digest = if digest.is_empty() {
        found.unwrap_or_default()
    } else {
        digest
    };
    let image_id = match (&*image.id, &*status.image_ref) {
        ("", reference) if reference.starts_with("sha256:") => reference,
        (id, _) => id,
    };
    let name = status
        .metadata
        .map(|metadata| metadata.name)
        .unwrap_or_default();
    let probe = |kind: &str| {
        let applied = pod.annotations.get(APPLIED)?;
        probe_of(applied, &name, kind)
    };
    let mount = |mount: &api::Mount| Mount {
        source: mount.host_path.as_str().into(),
        destination: mount.container_path.as_str().into(),
        mode: Box::default(),
        is_writable: !mount.readonly,
        propagation: match mount.propagation {
            0 => "private",
            1 => "rslave",
            2 => "rshared",
            _ => "unknown",
        }
        .into(),
    };
    ContainerFacts {
        id: status.id.get(..ID_SHORT).unwrap_or(&status.id).into(),
        engine,
        image_id: image_id.strip_prefix("sha256:").unwrap_or(image_id).into(),
        image_repository: repository.into(),
        image_tag: tag.into(),
        image_digest: digest.into(),
        ip: pod
            .network
            .as_ref()
            .map_or("", |network| &network.ip)
            .into(),
        cni_json: pod_info.cni_json().into(),
        is_privileged: info.is_privileged(),
        has_host_pid: options.pid == OF_NODE,
        has_host_network: options.network == OF_NODE,
        has_host_ipc: options.ipc == OF_NODE,
        mounts: status.mounts.iter().map(mount).collect(),
        labels: pod_labels_of(&pod)
            .into_iter()
            .chain(labels(&status.labels))
            .collect::<Labels>(),
        pod_sandbox_id: info.sandbox_id.as_str().into(),
        pod_labels: labels(&pod.labels).collect(),
        liveness_probe: probe("livenessProbe"),
        readiness_probe: probe("readinessProbe"),
        group: place.group,
        ended: place.ended,
        roots: Some(place.roots.into()),
        name: name.as_str().into(),
        image: asked.as_str().into(),
        full_id: status.id.into(),
        ..ContainerFacts::default()
    }
}

fn sandbox(engine: Engine, id: &str, pod: &api::GotPod) -> Option<Described> {
    let info = Info::of(&pod.info);
    let status = pod.status.as_ref().filter(|status| status.id == id)?;
    let first = match (info.pid, status.state) {
        (0, READY) => First::ToCome,
        // When, nobody says.
        (0, _) => First::Ended(0),
        (pid, _) => First::Runs(pid),
    };
    let place = info.place(&first, id);
    let options = options_of(status);
    let own = labels(&status.labels);
    let facts = ContainerFacts {
        id: id.get(..ID_SHORT).unwrap_or(id).into(),
        full_id: id.into(),
        engine,
        name: status
            .metadata
            .as_ref()
            .map_or("", |metadata| &metadata.name)
            .into(),
        ip: status
            .network
            .as_ref()
            .map_or("", |network| &network.ip)
            .into(),
        cni_json: info.cni_json().into(),
        is_privileged: info.is_privileged(),
        has_host_pid: options.pid == OF_NODE,
        has_host_network: options.network == OF_NODE,
        has_host_ipc: options.ipc == OF_NODE,
        labels: pod_labels_of(status)
            .into_iter()
            .chain(own)
            .collect::<Labels>(),
        pod_sandbox_id: id.into(),
        pod_labels: labels(&status.labels).collect(),
        group: place.group,
        ended: place.ended,
        roots: Some(place.roots.into()),
        ..ContainerFacts::default()
    };
    Some(Described {
        facts,
        is_early: matches!(first, First::ToCome),
    })
}

/// The command of a probe in the configuration of a pod.
fn probe_of(applied: &str, container: &str, kind: &str) -> Option<Command> {
    let pod: serde_json::Value = serde_json::from_str(applied).ok()?;
    let containers = pod.get("spec")?.get("containers")?.as_array()?;
    let is_it = |one: &&serde_json::Value| {
        one.get("name").and_then(serde_json::Value::as_str) == Some(container)
    };
    let command = containers
        .iter()
        .find(is_it)?
        .get(kind)?
        .get("exec")?
        .get("command")?;
    let words = command.as_array()?.iter();
    let words: Vec<Box<str>> = words
        .map(|word| Some(word.as_str()?.into()))
        .collect::<Option<_>>()?;
    let (exe, args) = words.split_first()?;
    Some(Command {
        exe: exe.clone(),
        args: args.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cri_o_tells_in_its_own_way_is_read() {
        let text = r#"{"sandboxID": "5a", "pid": 0, "privileged": true, "runtimeSpec":
            {"annotations": {"io.kubernetes.cri-o.CNIResult": "{\"ips\":[]}"},
             "linux": {"cgroupsPath": "kubepods-besteffort-pod6f_1c.slice:crio:ab"}}}"#;
        let info = Info::of(&HashMap::from([("info".to_owned(), text.to_owned())]));
        assert!(info.is_privileged());
        assert_eq!(info.cni_json(), r#"{"ips":[]}"#);
        let expected = "/kubepods.slice/kubepods-besteffort.slice/\
             kubepods-besteffort-pod6f_1c.slice/crio-ab.scope";
        let place = info.place(&First::ToCome, "ab");
        assert_eq!(place.roots, [expected.as_bytes().into()]);
    }

    #[test]
    fn a_probe_stands_in_what_was_applied() {
        let applied = r#"{"spec": {"containers": [{"name": "web", "livenessProbe":
            {"exec": {"command": ["/check", "-q"]}}, "readinessProbe": {"httpGet": {}}}]}}"#;
        let probe = probe_of(applied, "web", "livenessProbe").expect("it is there");
        assert_eq!((&*probe.exe, &*probe.args[0]), ("/check", "-q"));
        assert_eq!(probe_of(applied, "web", "readinessProbe"), None);
        assert_eq!(probe_of(applied, "db", "livenessProbe"), None);
        assert_eq!(probe_of("{", "web", "livenessProbe"), None);
    }
}
