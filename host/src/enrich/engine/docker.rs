//! Docker, by its API. (Of bollard's types one unknown word makes a whole answer unreadable, and
//! it reads answers of any length; of so large an API we ask four things.)

use super::client::{Client, Described};
use super::http::{self, Socket};
use super::roots::{self, First, Place};
use super::telling::Telling;
use super::{Trouble, few};
use crate::state::container::{Command, ContainerFacts, Engine, Labels, Mount};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What tells engines with this API apart.
#[derive(Debug)]
pub(super) struct Dialect {
    pub(super) engine: Engine,
    /// The parent of control groups under each driver, unless the container says otherwise.
    pub(super) parents: [(&'static str, &'static str); 2],
    /// What names of control groups begin with under each driver.
    pub(super) prefixes: [(&'static str, &'static str); 2],
}

/// Docker's own.
pub(super) const DOCKER: Dialect = Dialect {
    engine: Engine::Docker,
    parents: [("cgroupfs", "/docker"), ("systemd", "system.slice")],
    prefixes: [("cgroupfs", ""), ("systemd", "docker-")],
};

/// Images that are remembered,
const IMAGES_MAX: usize = 256;
/// so many names of each,
const IMAGE_NAMES_MAX: usize = 16;
/// and none that is longer.
const IMAGE_NAME_MAX: usize = 512;

/// Docker at a socket.
pub(super) struct Docker {
    socket: Socket,
    dialect: &'static Dialect,
    /// `cgroupfs` or `systemd`, once that is known.
    driver: Mutex<Option<Box<str>>>,
    /// The parent of control groups of containers that name none, once one was met.
    parent: Mutex<Option<Box<[u8]>>>,
    images: Mutex<BTreeMap<Box<str>, Arc<Image>>>,
}

/// Null is what it would be if it were not there.
fn nullable<'d, D: Deserializer<'d>, T: Default + Deserialize<'d>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Inspected {
    id: Box<str>,
    #[serde(deserialize_with = "nullable")]
    name: Box<str>,
    #[serde(deserialize_with = "nullable")]
    image: Box<str>,
    #[serde(deserialize_with = "nullable")]
    state: State,
    #[serde(deserialize_with = "nullable")]
    config: Config,
    #[serde(deserialize_with = "nullable")]
    host_config: HostConfig,
    #[serde(deserialize_with = "few::list")]
    mounts: Vec<MountPoint>,
    #[serde(deserialize_with = "nullable")]
    network_settings: NetworkSettings,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct State {
    pid: u32,
    #[serde(deserialize_with = "nullable")]
    finished_at: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Config {
    #[serde(deserialize_with = "nullable")]
    image: Box<str>,
    #[serde(deserialize_with = "few::map")]
    labels: BTreeMap<Box<str>, Box<str>>,
    healthcheck: Option<Healthcheck>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Healthcheck {
    #[serde(deserialize_with = "few::list")]
    test: Vec<Box<str>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct HostConfig {
    privileged: bool,
    #[serde(deserialize_with = "nullable")]
    pid_mode: Box<str>,
    #[serde(deserialize_with = "nullable")]
    ipc_mode: Box<str>,
    #[serde(deserialize_with = "nullable")]
    network_mode: Box<str>,
    #[serde(deserialize_with = "nullable")]
    cgroup_parent: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct MountPoint {
    #[serde(deserialize_with = "nullable")]
    source: Box<str>,
    #[serde(deserialize_with = "nullable")]
    destination: Box<str>,
    #[serde(deserialize_with = "nullable")]
    mode: Box<str>,
    #[serde(rename = "RW")]
    is_writable: bool,
    #[serde(deserialize_with = "nullable")]
    propagation: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct NetworkSettings {
    #[serde(rename = "IPAddress", deserialize_with = "nullable")]
    ip: Box<str>,
    #[serde(deserialize_with = "few::map")]
    networks: BTreeMap<Box<str>, Network>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Network {
    #[serde(rename = "IPAddress", deserialize_with = "nullable")]
    ip: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Image {
    #[serde(deserialize_with = "few::list")]
    repo_tags: Vec<Box<str>>,
    #[serde(deserialize_with = "few::list")]
    repo_digests: Vec<Box<str>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Info {
    #[serde(deserialize_with = "nullable")]
    cgroup_driver: Box<str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: Box<str>,
    actor: Actor,
    /// Whatever is said to be it.
    #[serde(rename = "timeNano", default)]
    time_nano: serde_json::Value,
}

#[derive(Deserialize)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
}

/// Characters of a container's id as fields show it.
const ID_SHORT: usize = 12;

impl Docker {
    /// The system's, or a user's.
    pub(super) fn new(socket: &Path, user: Option<u32>, dialect: &'static Dialect) -> Docker {
        Docker {
            socket: Socket {
                path: socket.to_owned(),
                user,
            },
            dialect,
            driver: Mutex::default(),
            parent: Mutex::default(),
            images: Mutex::default(),
        }
    }

    /// What is known of the container of that whole id.
    pub(super) async fn inspect(&self, id: &str) -> Result<Option<Described>, Trouble> {
        let path = format!("/containers/{id}/json");
        let Some(inspected) = http::get::<Inspected>(&self.socket, &path).await? else {
            return Ok(None);
        };
        // Names and beginnings of ids are found as well.
        if *inspected.id != *id {
            return Ok(None);
        }
        // A container whose image was removed has none to ask about, and one that cannot be
        // asked about must not hide the rest.
        let image = self.image(&inspected.image).await.unwrap_or_default();
        let mut ip = ip_of(&inspected.network_settings);
        if let Some(other) = inspected
            .host_config
            .network_mode
            .strip_prefix("container:")
            && ip.is_empty()
            && other.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            let path = format!("/containers/{other}/json");
            if let Ok(Some(other)) = http::get::<Inspected>(&self.socket, &path).await {
                ip = ip_of(&other.network_settings);
            }
        }
        let first = inspected.state.first();
        let place = Place::of(&first, &inspected.id, || self.expected(&inspected));
        self.learn_parent(&inspected, &place);
        Ok(Some(Described {
            facts: self.facts(inspected, &image, ip, place),
            // Addresses are given just before the first process runs.
            is_early: matches!(first, First::ToCome),
        }))
    }

    async fn image(&self, id: &str) -> Result<Arc<Image>, Trouble> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b':';
        if id.is_empty() || !id.bytes().all(is_plain) {
            return Ok(Arc::default());
        }
        let known = |images: &BTreeMap<Box<str>, Arc<Image>>| images.get(id).cloned();
        if let Some(image) = known(&self.images.lock().expect("nobody panics with it")) {
            return Ok(image);
        }
        let found = http::get::<Image>(&self.socket, &format!("/images/{id}/json")).await?;
        let mut found = found.unwrap_or_default();
        for names in [&mut found.repo_tags, &mut found.repo_digests] {
            names.retain(|name| name.len() <= IMAGE_NAME_MAX);
            names.truncate(IMAGE_NAMES_MAX);
        }
        let image = Arc::new(found);
        let mut images = self.images.lock().expect("nobody panics with it");
        if images.len() >= IMAGES_MAX {
            images.pop_first();
        }
        images.insert(id.into(), image.clone());
        Ok(image)
    }

    /// Where containers are that name no parent of their groups is seen by the first one.
    fn learn_parent(&self, inspected: &Inspected, place: &Place) {
        let first = place.roots.first().filter(|_| place.ended == 0);
        let end = first.and_then(|first| first.iter().rposition(|byte| *byte == b'/'));
        if let (Some(first), Some(end)) = (first, end)
            && inspected.host_config.cgroup_parent.is_empty()
            && inspected.state.pid != 0
        {
            let mut learned = self.parent.lock().expect("nobody panics with it");
            *learned = Some(first[..end].into());
        }
    }

    /// The control groups that it would get.
    fn expected(&self, inspected: &Inspected) -> Vec<Box<[u8]>> {
        let id = &*inspected.id;
        let learned = self.parent.lock().expect("nobody panics with it");
        let parent = &*inspected.host_config.cgroup_parent;
        let driver = self.driver.lock().expect("nobody panics with it");
        let mut expected = Vec::new();
        let Dialect {
            parents, prefixes, ..
        } = self.dialect;
        for ((name, usual), (_, prefix)) in parents.iter().zip(prefixes) {
            if driver.as_deref().is_some_and(|driver| driver != *name) {
                continue;
            }
            let name = match *name {
                "systemd" => format!("{prefix}{id}.scope"),
                _ => format!("{prefix}{id}"),
            };
            let parent = match (parent, &*learned) {
                ("", Some(learned)) => &*String::from_utf8_lossy(learned),
                ("", None) => usual,
                (parent, _) => parent,
            };
            expected.push(roots::below(parent, &name));
        }
        expected
    }

    fn facts(
        &self,
        inspected: Inspected,
        image: &Image,
        ip: Box<str>,
        place: Place,
    ) -> ContainerFacts {
        let Inspected {
            id,
            name,
            image: image_id,
            config,
            host_config,
            mounts,
            ..
        } = inspected;
        let image_id = image_id.strip_prefix("sha256:").unwrap_or(&image_id);
        let asked = &*config.image;
        let is_id =
            asked.starts_with("sha256:") || asked.len() >= ID_SHORT && image_id.starts_with(asked);
        let named = match is_id {
            // It was run by its id: it has a name nevertheless, perhaps.
            true => image.repo_tags.first().map_or("", |tag| &**tag),
            false => asked,
        };
        let (repository, tag, digest) = split_image(named);
        let tag = match (tag, named) {
            ("", "") => "",
            ("", _) if digest.is_empty() => "latest",
            (tag, _) => tag,
        };
        let own = image.repo_digests.iter().find_map(|one| {
            let (of, digest) = one.split_once('@')?;
            (of == repository).then_some(digest)
        });
        let any = image.repo_digests.first();
        let any = any.and_then(|one| Some(one.split_once('@')?.1));
        let digest = match digest {
            "" => own.or(any).unwrap_or_default(),
            digest => digest,
        };
        ContainerFacts {
            id: id.get(..ID_SHORT).unwrap_or(&id).into(),
            engine: self.dialect.engine,
            name: name.strip_prefix('/').unwrap_or(&name).into(),
            image_id: image_id.into(),
            image_repository: repository.into(),
            image_tag: tag.into(),
            image_digest: digest.into(),
            image: named_or(asked, named).into(),
            ip,
            is_privileged: host_config.privileged,
            has_host_pid: *host_config.pid_mode == *"host",
            has_host_network: *host_config.network_mode == *"host",
            has_host_ipc: *host_config.ipc_mode == *"host",
            mounts: mounts
                .into_iter()
                .map(|mount| Mount {
                    source: mount.source,
                    destination: mount.destination,
                    mode: mount.mode,
                    is_writable: mount.is_writable,
                    propagation: mount.propagation,
                })
                .collect(),
            labels: config.labels.into_iter().collect::<Labels>(),
            healthcheck: config.healthcheck.as_ref().and_then(command),
            group: place.group,
            ended: place.ended,
            roots: Some(place.roots.into()),
            full_id: id,
            ..ContainerFacts::default()
        }
    }

    /// Tells of the containers that run, then of those that begin and end.
    pub(super) async fn follow(&self, client: &Client, tell: &Telling) -> Result<(), Trouble> {
        // What happens while they are listed waits in the stream.
        let path = "/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D";
        let mut events = http::lines(&self.socket, path).await?;
        let info = http::get::<Info>(&self.socket, "/info").await?;
        if let Some(info) = info.filter(|info| !info.cgroup_driver.is_empty()) {
            *self.driver.lock().expect("nobody panics with it") = Some(info.cgroup_driver);
        }
        client.note_well();
        let listed: few::Many<Listed> = http::list(&self.socket, "/containers/json").await?;
        let listed = tell.all(listed.0.into_iter().map(|listed| listed.id));
        let heard = async {
            while let Some(line) = events.next().await? {
                tell.pace(line.len()).await;
                let Ok(event) = serde_json::from_slice::<Event>(&line) else {
                    client.note_unreadable();
                    continue;
                };
                let (id, at) = (event.actor.id, event.time_nano.as_u64().unwrap_or(0));
                match &*event.action {
                    "create" | "init" | "rename" | "update" => tell.soon(&id),
                    "start" => tell.begun(&id),
                    "die" | "died" => tell.ended(&id, at),
                    "destroy" | "remove" => tell.gone(&id, at).await,
                    _ => {}
                }
            }
            Ok(())
        };
        tokio::try_join!(listed, heard).map(drop)
    }
}

impl State {
    fn first(&self) -> First {
        // The year 1 is never. What can be no time is one long ago, of which nothing hangs.
        let finished = match &*self.finished_at {
            "" | NEVER => None,
            text => Some(nanoseconds(text).unwrap_or(1)),
        };
        match (self.pid, finished) {
            (0, None) => First::ToCome,
            (0, Some(at)) => First::Ended(at),
            (pid, _) => First::Runs(pid),
        }
    }
}

/// A time that is none.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// A time of RFC 3339, ns since the epoch.
fn nanoseconds(text: &str) -> Option<u64> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_nanosecond()).ok()
}

fn named_or<'n>(asked: &'n str, named: &'n str) -> &'n str {
    match named {
        "" => asked,
        named => named,
    }
}

fn ip_of(settings: &NetworkSettings) -> Box<str> {
    let mut all = settings.networks.values().map(|network| &network.ip);
    match &*settings.ip {
        "" => all.find(|ip| !ip.is_empty()).cloned().unwrap_or_default(),
        ip => ip.into(),
    }
}

/// Repository, tag and digest of an image's name; empty what it does not name.
pub(super) fn split_image(name: &str) -> (&str, &str, &str) {
    let (name, digest) = name.split_once('@').unwrap_or((name, ""));
    // A colon before a slash is that of a port.
    match name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some((repository, tag)) => (repository, tag, digest),
        None => (name, "", digest),
    }
}

/// What a health check runs; `None` where there is none.
fn command(check: &Healthcheck) -> Option<Command> {
    let (first, rest) = check.test.split_first()?;
    let command = |exe: &str, args: &[Box<str>]| Command {
        exe: exe.into(),
        args: args.into(),
    };
    match &**first {
        "NONE" => Some(command("NONE", &[])),
        "CMD" => {
            let (exe, args) = rest.split_first()?;
            Some(command(exe, args))
        }
        "CMD-SHELL" => Some(command("/bin/sh", &["-c".into(), rest.first()?.clone()])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_images_name_is_taken_apart() {
        for (name, expected) in [
            ("busybox", ("busybox", "", "")),
            ("busybox:1.36", ("busybox", "1.36", "")),
            ("reg.example:5000/a/b", ("reg.example:5000/a/b", "", "")),
            (
                "reg.example:5000/a:2@sha256:ff",
                ("reg.example:5000/a", "2", "sha256:ff"),
            ),
            ("", ("", "", "")),
        ] {
            assert_eq!(split_image(name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_null_or_missing_is_empty_and_no_word_is_unknown() {
        let text = r#"{"Id": "ab", "Name": null, "Mounts": null, "State": {"Pid": 7, "FinishedAt": "odd"},
            "Config": {"Labels": null, "Healthcheck": {"Test": ["CMD", "/check", "-x"]}},
            "HostConfig": {"NetworkMode": "host", "New": [1]}, "NetworkSettings": {"Networks":
            {"a": {"IPAddress": ""}, "b": {"IPAddress": "10.1.2.3"}}}}"#;
        let inspected: Inspected = serde_json::from_str(text).expect("it is of the shape");
        let ip = ip_of(&inspected.network_settings);
        assert_eq!(&*ip, "10.1.2.3");
        let docker = Docker::new(Path::new("/nowhere"), None, &DOCKER);
        assert!(matches!(inspected.state.first(), First::Runs(7)));
        let place = Place::of(&First::ToCome, "ab", Vec::new);
        let facts = docker.facts(inspected, &Image::default(), ip, place);
        assert!(facts.has_host_network && !facts.has_host_pid);
        let check = facts.healthcheck.expect("there is one");
        assert_eq!((&*check.exe, &*check.args[0]), ("/check", "-x"));
    }

    #[test]
    fn a_container_without_process_is_to_come_or_has_ended() {
        let first = |pid: u32, finished: &str| {
            let state = State {
                pid,
                finished_at: finished.into(),
            };
            match state.first() {
                First::ToCome => (0, 0),
                First::Runs(pid) => (pid, 0),
                First::Ended(at) => (0, at),
            }
        };
        assert_eq!(first(0, ""), (0, 0));
        assert_eq!(first(0, "0001-01-01T00:00:00Z"), (0, 0));
        let end = 1_700_000_000_000_000_005;
        assert_eq!(first(0, "2023-11-14T22:13:20.000000005Z"), (0, end));
        assert_eq!(first(0, "2023-11-15T00:13:20.000000005+02:00"), (0, end));
        for odd in ["9999-12-31T00:00:00Z", "1969-12-31T00:00:00Z", "x"] {
            assert_eq!(first(0, odd), (0, 1), "{odd}");
        }
        assert_eq!(first(9, "2023-11-14T22:13:20.000000005Z"), (9, 0));
    }

    #[test]
    fn the_groups_of_a_container_without_process_are_those_its_engine_would_make() {
        let docker = Docker::new(Path::new("/nowhere"), None, &DOCKER);
        let inspected = |parent: &str| Inspected {
            id: "ab".into(),
            host_config: HostConfig {
                cgroup_parent: parent.into(),
                ..HostConfig::default()
            },
            ..Inspected::default()
        };
        let roots = |parent: &str| -> Vec<String> {
            let roots = docker.expected(&inspected(parent)).into_iter();
            roots
                .map(|root| String::from_utf8_lossy(&root).into_owned())
                .collect()
        };
        assert_eq!(roots(""), ["/docker/ab", "/system.slice/docker-ab.scope"]);
        *docker.driver.lock().unwrap() = Some("cgroupfs".into());
        assert_eq!(roots(""), ["/docker/ab"]);
        assert_eq!(roots("/mine"), ["/mine/ab"]);
        *docker.parent.lock().unwrap() = Some((*b"/learned").into());
        assert_eq!(roots(""), ["/learned/ab"]);
        assert_eq!(roots("/mine"), ["/mine/ab"]);
    }
}
