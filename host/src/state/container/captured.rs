//! Containers as captures tell of them: the JSON that Falco's recorder wrote into the events
//! `container` and, asynchronous, `container` and `container_removed`. It is written as it is read.
//!
//! The JSON is whatever was in the file. One that is not of that shape is refused as a whole, as
//! Falco refuses it.

use super::facts::{Command, ContainerFacts, Engine, Labels, Mount};
use serde::Deserialize;
use std::collections::BTreeMap;

/// No engine tells more of a container.
const JSON_BYTES_MAX: usize = 1 << 20;

/// Falco's number of an engine that it does not know.
const UNKNOWN_ENGINE: i64 = 0xffff;

#[derive(Deserialize)]
struct Envelope {
    container: Told,
}

type Names = BTreeMap<Box<str>, Box<str>>;

/// Names are the recorder's. Older recorders left most of it out.
#[derive(Deserialize)]
#[serde(default)]
struct Told {
    id: Box<str>,
    full_id: Box<str>,
    #[serde(rename = "type")]
    engine: i64,
    name: Box<str>,
    image: Box<str>,
    imageid: Box<str>,
    imagerepo: Box<str>,
    imagetag: Box<str>,
    imagedigest: Box<str>,
    ip: Box<str>,
    cni_json: Box<str>,
    privileged: bool,
    host_pid: bool,
    host_network: bool,
    host_ipc: bool,
    #[serde(rename = "Mounts")]
    mounts: Option<Vec<ToldMount>>,
    labels: Option<Names>,
    pod_sandbox_id: Box<str>,
    pod_sandbox_labels: Option<Names>,
    #[serde(rename = "Healthcheck")]
    healthcheck: Option<ToldCommand>,
    #[serde(rename = "LivenessProbe")]
    liveness_probe: Option<ToldCommand>,
    #[serde(rename = "ReadinessProbe")]
    readiness_probe: Option<ToldCommand>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ToldCommand {
    exe: Box<str>,
    args: Box<[Box<str>]>,
}

impl Default for Told {
    fn default() -> Told {
        Told {
            id: Box::default(),
            full_id: Box::default(),
            engine: UNKNOWN_ENGINE,
            name: Box::default(),
            image: Box::default(),
            imageid: Box::default(),
            imagerepo: Box::default(),
            imagetag: Box::default(),
            imagedigest: Box::default(),
            ip: Box::default(),
            cni_json: Box::default(),
            privileged: false,
            host_pid: false,
            host_network: false,
            host_ipc: false,
            mounts: None,
            labels: None,
            pod_sandbox_id: Box::default(),
            pod_sandbox_labels: None,
            healthcheck: None,
            liveness_probe: None,
            readiness_probe: None,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ToldMount {
    source: Box<str>,
    destination: Box<str>,
    mode: Box<str>,
    #[serde(rename = "RW")]
    is_writable: bool,
    propagation: Box<str>,
}

/// What such an event says of a container; `None` if it cannot be read.
pub(in crate::state) fn read(json: &[u8]) -> Option<ContainerFacts> {
    // The text ends where a C string would.
    let end = memchr::memchr(0, json).unwrap_or(json.len());
    let json = json.get(..end)?;
    if json.len() > JSON_BYTES_MAX {
        return None;
    }
    let told = serde_json::from_slice::<Envelope>(json).ok()?.container;
    let labels = |names: Option<Names>| names.into_iter().flatten().collect::<Labels>();
    let mounts = told.mounts.unwrap_or_default().into_iter();
    let command = |told: Option<ToldCommand>| {
        let told = told?;
        Some(Command {
            exe: told.exe,
            args: told.args,
        })
    };
    Some(ContainerFacts {
        id: told.id,
        full_id: told.full_id,
        engine: Engine::from_number(told.engine),
        name: told.name,
        image: told.image,
        image_id: told.imageid,
        image_repository: told.imagerepo,
        image_tag: told.imagetag,
        image_digest: told.imagedigest,
        ip: told.ip,
        cni_json: told.cni_json,
        is_privileged: told.privileged,
        has_host_pid: told.host_pid,
        has_host_network: told.host_network,
        has_host_ipc: told.host_ipc,
        mounts: mounts
            .map(|mount| Mount {
                source: mount.source,
                destination: mount.destination,
                mode: mount.mode,
                is_writable: mount.is_writable,
                propagation: mount.propagation,
            })
            .collect(),
        labels: labels(told.labels),
        pod_sandbox_id: told.pod_sandbox_id,
        pod_labels: labels(told.pod_sandbox_labels),
        healthcheck: command(told.healthcheck),
        liveness_probe: command(told.liveness_probe),
        readiness_probe: command(told.readiness_probe),
        roots: None,
        ended: 0,
        user: None,
        is_cut: false,
        group: 0,
    })
}

/// The text that such an event has, for [`read`] and for Falco.
pub fn write(facts: &ContainerFacts) -> Vec<u8> {
    use serde_json::{Map, Value, json};
    let labels = |labels: &Labels| -> Value {
        let labels = labels.iter();
        labels
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect::<Map<_, _>>()
            .into()
    };
    let mounts: Vec<Value> = facts
        .mounts
        .iter()
        .map(|mount| {
            json!({
                "Source": mount.source,
                "Destination": mount.destination,
                "Mode": mount.mode,
                "RW": mount.is_writable,
                "Propagation": mount.propagation,
            })
        })
        .collect();
    let mut told = json!({
        "type": facts.engine.number(),
        "id": facts.id,
        "full_id": facts.full_id,
        "name": facts.name,
        "image": facts.image,
        "imageid": facts.image_id,
        "imagerepo": facts.image_repository,
        "imagetag": facts.image_tag,
        "imagedigest": facts.image_digest,
        "ip": facts.ip,
        "cni_json": facts.cni_json,
        "privileged": facts.is_privileged,
        "host_pid": facts.has_host_pid,
        "host_network": facts.has_host_network,
        "host_ipc": facts.has_host_ipc,
        "is_pod_sandbox": *facts.pod_sandbox_id == *facts.full_id && !facts.full_id.is_empty(),
        "Mounts": mounts,
        "labels": labels(&facts.labels),
        "pod_sandbox_id": facts.pod_sandbox_id,
        "pod_sandbox_labels": labels(&facts.pod_labels),
        "lookup_state": 1,
    });
    let commands = [
        ("Healthcheck", &facts.healthcheck),
        ("LivenessProbe", &facts.liveness_probe),
        ("ReadinessProbe", &facts.readiness_probe),
    ];
    for (name, command) in commands {
        if let Some(command) = command {
            told[name] = json!({"exe": command.exe, "args": command.args});
        }
    }
    let mut text = json!({ "container": told }).to_string().into_bytes();
    text.push(0);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = r#"{"container": {
        "type": 7, "id": "0123456789ab", "full_id": "0123456789abcdef", "name": "web",
        "image": "example.org/shop:2", "imageid": "feed", "imagerepo": "example.org/shop",
        "imagetag": "2", "imagedigest": "sha256:beef", "ip": "10.0.0.7", "cni_json": "{}",
        "privileged": true, "host_ipc": true, "memory_limit": 5, "env": ["A=1"],
        "Mounts": [
            {"Source": "/srv", "Destination": "/data", "Mode": "ro", "RW": false,
             "Propagation": "rprivate"},
            {"Source": "cache", "Destination": "/tmp", "RW": true}],
        "labels": {"tier": "front", "io.kubernetes.pod.name": "shop-1", "bare": "",
                   "annotation.note": "n"},
        "pod_sandbox_id": "ba98", "pod_sandbox_labels": null, "port_mappings": []}}"#;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("it was made of text")
    }

    #[test]
    fn everything_that_fields_show_is_read() {
        let facts = read(WEB.as_bytes()).expect("it is of the shape");
        assert_eq!(facts.engine.name(), "containerd");
        assert_eq!((&*facts.id, &*facts.name), ("0123456789ab", "web"));
        assert_eq!((&*facts.image_tag, &*facts.ip), ("2", "10.0.0.7"));
        assert!(facts.is_privileged && facts.has_host_ipc);
        assert!(!facts.has_host_pid && !facts.has_host_network);
        let mounts: Vec<_> = facts
            .mounts
            .iter()
            .map(|m| text(|out| m.write(out)))
            .collect();
        assert_eq!(
            mounts,
            ["/srv:/data:ro:false:rprivate", "cache:/tmp::true:"]
        );
        assert_eq!(text(|out| facts.labels.write(out)), "bare, tier:front");
        assert_eq!(facts.labels.get("io.kubernetes.pod.name"), Some("shop-1"));
        assert_eq!(facts.labels.get("io.kubernetes"), None);
        assert_eq!(facts.pod_labels, Labels::default());
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let mut facts = read(WEB.as_bytes()).expect("it is of the shape");
        facts.healthcheck = Some(Command {
            exe: "/bin/sh".into(),
            args: ["-c".into(), "test -f /x".into()].into(),
        });
        assert_eq!(read(&write(&facts)), Some(facts));
    }

    #[test]
    fn a_short_form_leaves_the_rest_empty() {
        let facts = read(b"{\"container\":{\"id\":\"a\"}}\0rest").expect("it is of the shape");
        assert_eq!(facts, ContainerFacts::bare("a", Engine::Other));
        assert_eq!(facts.engine.name(), "");
    }

    #[test]
    fn what_is_of_another_shape_is_refused_as_a_whole() {
        for json in [
            "",
            "{",
            "{}",
            "[]",
            r#"{"container":7}"#,
            r#"{"container":{"id":7}}"#,
            r#"{"container":{"id":"a","name":null}}"#,
            r#"{"container":{"id":"a","type":"docker"}}"#,
            r#"{"container":{"id":"a","labels":{"x":1}}}"#,
            r#"{"container":{"id":"a"}} more"#,
            "{\"container\":{\"id\":\"\u{0}\"}}",
        ] {
            assert_eq!(read(json.as_bytes()), None, "{json}");
        }
        assert_eq!(read(b"{\"container\":{\"id\":\"\xff\"}}"), None);
        let deep = format!("{{\"container\":{{\"x\":{}", "[".repeat(100_000));
        assert_eq!(read(deep.as_bytes()), None);
        let name = "n".repeat(JSON_BYTES_MAX);
        let large = format!(r#"{{"container":{{"id":"a","name":"{name}"}}}}"#);
        assert_eq!(read(large.as_bytes()), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            at in 0usize..WEB.len(), byte in 0u8..=255, cut in 0usize..WEB.len(),
        ) {
            let mut json = WEB.as_bytes().to_vec();
            json[at] = byte;
            read(&json);
            read(&json[cut..]);
        }
    }
}
