//! containerd, by its own API, in all of its namespaces. (What Kubernetes and Docker run on it is
//! asked of them, where they are asked.)

use super::client::{Client, Described};
use super::docker::split_image;
use super::grpc::{self, Socket};
use super::roots::{self, First, Place};
use super::telling::Telling;
use super::{Trouble, few};
use crate::state::container::{ContainerAnswer, ContainerFacts, Engine, Labels, Mount};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Mutex;
use tonic::Request;

/// containerd at a socket.
pub(super) struct Containerd {
    socket: Socket,
    /// As far as they have been met.
    namespaces: Mutex<BTreeSet<String>>,
    /// Those that are others' to tell of, which know more.
    of_others: Vec<&'static str>,
}

/// The namespace of Kubernetes.
pub(super) const KUBERNETES: &str = "k8s.io";
/// A task that has ended.
const STOPPED: i32 = 3;
/// More namespaces are not asked.
const NAMESPACES_MAX: usize = 64;
/// Characters of a container's id as fields show it.
const ID_SHORT: usize = 12;

mod api {
    //! What is asked of containerd's API, `containerd.services.*.v1`.

    use std::collections::HashMap;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Named {
        #[prost(string, tag = "1")]
        pub(super) name: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Empty {}

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Any {
        #[prost(string, tag = "1")]
        pub(super) type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        pub(super) value: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Container {
        #[prost(string, tag = "1")]
        pub(super) id: String,
        #[prost(map = "string, string", tag = "2")]
        pub(super) labels: HashMap<String, String>,
        #[prost(string, tag = "3")]
        pub(super) image: String,
        #[prost(message, optional, tag = "5")]
        pub(super) spec: Option<Any>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct GotContainer {
        #[prost(message, optional, tag = "1")]
        pub(super) container: Option<Container>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Process {
        #[prost(string, tag = "1")]
        pub(super) container_id: String,
        #[prost(string, tag = "2")]
        pub(super) id: String,
        #[prost(uint32, tag = "3")]
        pub(super) pid: u32,
        #[prost(int32, tag = "4")]
        pub(super) status: i32,
        #[prost(message, optional, tag = "10")]
        pub(super) exited_at: Option<Time>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct Time {
        #[prost(int64, tag = "1")]
        pub(super) seconds: i64,
        #[prost(int32, tag = "2")]
        pub(super) nanos: i32,
    }

    /// The beginning of events of tasks: which container, and which process where it is another
    /// than the first.
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Exit {
        #[prost(string, tag = "1")]
        pub(super) container_id: String,
        #[prost(string, tag = "2")]
        pub(super) id: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct GotProcess {
        #[prost(message, optional, tag = "1")]
        pub(super) process: Option<Process>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ListedTasks {
        #[prost(message, repeated, tag = "1")]
        pub(super) tasks: Vec<Process>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ListedNamespaces {
        #[prost(message, repeated, tag = "1")]
        pub(super) namespaces: Vec<Named>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Descriptor {
        #[prost(string, tag = "2")]
        pub(super) digest: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Image {
        #[prost(message, optional, tag = "3")]
        pub(super) target: Option<Descriptor>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct GotImage {
        #[prost(message, optional, tag = "1")]
        pub(super) image: Option<Image>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Envelope {
        #[prost(message, optional, tag = "1")]
        pub(super) at: Option<Time>,
        #[prost(string, tag = "2")]
        pub(super) namespace: String,
        #[prost(string, tag = "3")]
        pub(super) topic: String,
        #[prost(message, optional, tag = "4")]
        pub(super) event: Option<Any>,
    }
}

/// What is read of the OCI specification of a container.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Spec {
    linux: Linux,
    #[serde(deserialize_with = "few::list")]
    mounts: Vec<SpecMount>,
    process: SpecProcess,
    #[serde(deserialize_with = "few::map")]
    pub(super) annotations: BTreeMap<Box<str>, Box<str>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpecProcess {
    capabilities: Capabilities,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Capabilities {
    #[serde(deserialize_with = "few::list")]
    bounding: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Linux {
    cgroups_path: String,
    #[serde(deserialize_with = "few::list")]
    namespaces: Vec<SpecNamespace>,
    #[serde(deserialize_with = "few::list")]
    masked_paths: Vec<String>,
    #[serde(deserialize_with = "few::list")]
    readonly_paths: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpecNamespace {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SpecMount {
    destination: Box<str>,
    #[serde(rename = "type")]
    kind: Box<str>,
    source: Box<str>,
    #[serde(deserialize_with = "few::list")]
    options: Vec<String>,
}

impl Spec {
    /// The control group that the container gets.
    pub(super) fn root(&self) -> Option<Box<[u8]>> {
        let path = &*self.linux.cgroups_path;
        match path.split(':').collect::<Vec<_>>()[..] {
            // systemd's form: slice, prefix, name.
            [slice, prefix, name] => {
                let slice = if slice.is_empty() {
                    "system.slice"
                } else {
                    slice
                };
                Some(roots::below(slice, &format!("{prefix}-{name}.scope")))
            }
            _ if path.is_empty() => None,
            _ => Some(format!("/{}", path.trim_matches('/')).into_bytes().into()),
        }
    }

    /// Whether it has no namespace of its own of that kind.
    pub(super) fn shares(&self, kind: &str) -> bool {
        let namespaces = &self.linux.namespaces;
        !namespaces.is_empty() && namespaces.iter().all(|namespace| namespace.kind != kind)
    }

    /// There is no word for it here: nothing is hidden from it, and it may do what the system can.
    fn is_privileged(&self) -> bool {
        let may = |name: &str| {
            self.process
                .capabilities
                .bounding
                .iter()
                .any(|own| own == name)
        };
        self.linux.masked_paths.is_empty()
            && self.linux.readonly_paths.is_empty()
            && may("CAP_SYS_ADMIN")
            && may("CAP_SYS_MODULE")
    }

    /// What of the host is mounted.
    pub(super) fn bind_mounts(&self) -> Box<[Mount]> {
        let is_bind = |mount: &&SpecMount| {
            &*mount.kind == "bind" || mount.options.iter().any(|o| o == "bind" || o == "rbind")
        };
        let mounts = self.mounts.iter().filter(is_bind);
        let of = |mount: &SpecMount| {
            let has = |option: &str| mount.options.iter().any(|own| own == option);
            let spread = [
                "rprivate", "private", "rshared", "shared", "rslave", "slave",
            ];
            let spread = spread.into_iter().find(|option| has(option));
            Mount {
                source: mount.source.clone(),
                destination: mount.destination.clone(),
                mode: if has("ro") { "ro" } else { "" }.into(),
                is_writable: !has("ro"),
                propagation: spread.unwrap_or_default().into(),
            }
        };
        mounts.map(of).collect()
    }
}

fn within<Q>(namespace: &str, message: Q) -> Result<Request<Q>, Trouble> {
    let mut request = Request::new(message);
    let name = namespace.parse();
    let name = name.map_err(|_| Trouble::BadAnswer("a namespace with an odd name".into()))?;
    request.metadata_mut().insert("containerd-namespace", name);
    Ok(request)
}

fn named(name: &str) -> api::Named {
    api::Named { name: name.into() }
}

impl Containerd {
    pub(super) fn new(socket: &Path, of_others: &[&'static str]) -> Containerd {
        Containerd {
            socket: Socket::new(socket),
            namespaces: Mutex::default(),
            of_others: of_others.into(),
        }
    }

    /// Whether Kubernetes' containers are asked about here.
    pub(super) fn has_kubernetes(&self) -> bool {
        !self.of_others.contains(&KUBERNETES)
    }

    fn namespaces(&self) -> Vec<String> {
        let namespaces = self.namespaces.lock().expect("nobody panics with it");
        namespaces.iter().cloned().collect()
    }

    /// Whether it is a new one.
    fn note_namespace(&self, name: &str) -> bool {
        let mut known = self.namespaces.lock().expect("nobody panics with it");
        !self.of_others.contains(&name)
            && known.len() < NAMESPACES_MAX
            && known.insert(name.to_owned())
    }

    async fn list_namespaces(&self) -> Result<(), Trouble> {
        let method = "/containerd.services.namespaces.v1.Namespaces/List";
        let request = Request::new(api::Empty {});
        let listed: api::ListedNamespaces = self.socket.list(method, request).await?;
        for namespace in listed.namespaces {
            self.note_namespace(&namespace.name);
        }
        Ok(())
    }

    /// What is known of the container of that id, in whichever namespace it is.
    pub(super) async fn inspect(&self, id: &str) -> Result<Option<Described>, Trouble> {
        if self.namespaces().is_empty() {
            self.list_namespaces().await?;
        }
        for namespace in self.namespaces() {
            if let Some(described) = self.inspect_in(&namespace, id).await? {
                return Ok(Some(described));
            }
        }
        Ok(None)
    }

    async fn inspect_in(&self, namespace: &str, id: &str) -> Result<Option<Described>, Trouble> {
        let method = "/containerd.services.containers.v1.Containers/Get";
        let request = within(namespace, named(id))?;
        let got: Option<api::GotContainer> = self.socket.call(method, request).await?;
        let Some(container) = got.and_then(|got| got.container) else {
            return Ok(None);
        };
        if container.id != id {
            return Ok(None);
        }
        let method = "/containerd.services.tasks.v1.Tasks/Get";
        let request = within(namespace, named(id))?;
        let got: Option<api::GotProcess> = self.socket.call(method, request).await?;
        let first = first(got.and_then(|got| got.process));
        let mut digest = String::new();
        if !container.image.is_empty() {
            let method = "/containerd.services.images.v1.Images/Get";
            let request = within(namespace, named(&container.image))?;
            // It may have been removed.
            let got = self.socket.call::<_, api::GotImage>(method, request).await;
            let image = got.ok().flatten().and_then(|got| got.image);
            let target = image.and_then(|image| image.target);
            digest = target.map(|target| target.digest).unwrap_or_default();
        }
        let spec = container.spec.as_ref();
        let spec = spec.and_then(|any| serde_json::from_slice::<Spec>(&any.value).ok());
        let spec = spec.unwrap_or_default();
        let place = Place::of(&first, id, || spec.root().into_iter().collect());
        Ok(Some(Described {
            facts: facts(container, &spec, &digest, place),
            is_early: matches!(first, First::ToCome),
        }))
    }

    /// Tells of the containers that run, then of those that begin and end.
    pub(super) async fn follow(&self, client: &Client, tell: &Telling) -> Result<(), Trouble> {
        let method = "/containerd.services.events.v1.Events/Subscribe";
        let opening = self.socket.stream(method, Request::new(api::Empty {}));
        let opening = grpc::Opening::begin(opening).await;
        self.list_namespaces().await?;
        client.note_well();
        let mut ids = Vec::new();
        for namespace in self.namespaces() {
            let told = ContainerAnswer::Namespace(namespace.as_str().into());
            tell.teller.tell(told).await;
            let method = "/containerd.services.tasks.v1.Tasks/List";
            let request = within(&namespace, api::Empty {})?;
            let listed: api::ListedTasks = self.socket.list(method, request).await?;
            for task in listed.tasks {
                ids.push(match task.container_id.is_empty() {
                    true => task.id,
                    false => task.container_id,
                });
            }
        }
        let heard = async {
            let Some(mut events) = opening.done().await? else {
                return Err(Trouble::BadAnswer("it tells no events".into()));
            };
            while let Some(event) = grpc::next::<api::Envelope>(&mut events).await? {
                let payload = event.event.map(|event| event.value).unwrap_or_default();
                tell.pace(payload.len()).await;
                if self.of_others.contains(&&*event.namespace) {
                    continue;
                }
                if self.note_namespace(&event.namespace) {
                    let told = ContainerAnswer::Namespace(event.namespace.as_str().into());
                    tell.teller.tell(told).await;
                }
                // Of all events that are of use here the first field is a container's id.
                let Ok(api::Named { name: id }) = prost::Message::decode(&*payload) else {
                    continue;
                };
                match &*event.topic {
                    "/tasks/create" | "/tasks/start" => tell.begun(&id),
                    "/tasks/exit" => {
                        let exit: Result<api::Exit, _> = prost::Message::decode(&*payload);
                        if exit.is_ok_and(|exit| exit.id == exit.container_id) {
                            tell.ended(&id, event.at.map_or(0, nanoseconds));
                        }
                    }
                    "/containers/create" | "/containers/update" => tell.soon(&id),
                    "/containers/delete" => tell.gone(&id, event.at.map_or(0, nanoseconds)).await,
                    _ => {}
                }
            }
            Ok(())
        };
        tokio::try_join!(tell.all(ids), heard).map(drop)
    }
}

/// Where the first process of a container is, which is what containerd calls its task.
fn first(task: Option<api::Process>) -> First {
    let Some(task) = task else {
        return First::ToCome;
    };
    if task.status != STOPPED && task.pid != 0 {
        return First::Runs(task.pid);
    }
    First::Ended(task.exited_at.map_or(0, nanoseconds))
}

/// ns since the epoch.
fn nanoseconds(at: api::Time) -> u64 {
    let seconds = u64::try_from(at.seconds).unwrap_or(0);
    let nanos = u64::try_from(at.nanos).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

fn facts(container: api::Container, spec: &Spec, digest: &str, place: Place) -> ContainerFacts {
    let id = container.id;
    let (repository, tag, _) = split_image(&container.image);
    let labels: HashMap<String, String> = container.labels;
    let labels = labels
        .into_iter()
        .map(|(name, value)| (name.into(), value.into()));
    ContainerFacts {
        id: id.get(..ID_SHORT).unwrap_or(&id).into(),
        engine: Engine::Containerd,
        // It has no name beside its id.
        name: id.get(..ID_SHORT).unwrap_or(&id).into(),
        image: container.image.as_str().into(),
        image_id: digest.strip_prefix("sha256:").unwrap_or(digest).into(),
        image_repository: repository.into(),
        image_tag: tag.into(),
        image_digest: digest.into(),
        is_privileged: spec.is_privileged(),
        has_host_pid: spec.shares("pid"),
        has_host_network: spec.shares("network"),
        has_host_ipc: spec.shares("ipc"),
        mounts: spec.bind_mounts(),
        labels: labels.collect::<Labels>(),
        group: place.group,
        ended: place.ended,
        roots: Some(place.roots.into()),
        full_id: id.into(),
        ..ContainerFacts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_says_where_the_container_is_and_what_it_shares() {
        let spec = |text: &str| serde_json::from_str::<Spec>(text).expect("it is of the shape");
        let root = |path: &str| {
            let spec = spec(&format!(r#"{{"linux": {{"cgroupsPath": "{path}"}}}}"#));
            spec.root()
                .map(|root| String::from_utf8_lossy(&root).into_owned())
        };
        assert_eq!(root("/default/web").as_deref(), Some("/default/web"));
        assert_eq!(
            root("kubepods-besteffort.slice:cri-containerd:ab").as_deref(),
            Some("/kubepods.slice/kubepods-besteffort.slice/cri-containerd-ab.scope")
        );
        assert_eq!(root(""), None);
        let shared = spec(
            r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]},
                "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                           {"destination": "/d", "type": "bind", "source": "/s",
                            "options": ["rbind", "ro"]}]}"#,
        );
        assert!(shared.shares("network") && !shared.shares("pid"));
        let mounts = shared.bind_mounts();
        assert_eq!(
            (mounts.len(), &*mounts[0].source, mounts[0].is_writable),
            (1, "/s", false)
        );
    }
}
