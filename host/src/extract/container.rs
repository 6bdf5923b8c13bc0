//! Fields of containers and pods: `container.*`, `k8s.*`.
//!
//! Before an engine has told of a container only its id is known. Outside of containers Falco
//! shows a container called `host`, of which everything else is empty.

use super::{Scratch, Value};
use crate::state::State;
use crate::state::container::{Command, Container, ContainerFacts, Mount};
use crate::state::version::ProcessVersion;
use saker_rules_compiler::automaton::Automaton;
use saker_rules_schema::field::{Arg, Field, FieldRef};

/// A pattern that all fields of containers match whose value depends on the process alone.
macro_rules! container_field {
    () => {
        Field::ContainerId
            | Field::ContainerFullId
            | Field::ContainerName
            | Field::ContainerType
            | Field::ContainerImage
            | Field::ContainerImageId
            | Field::ContainerImageRepository
            | Field::ContainerImageTag
            | Field::ContainerImageDigest
            | Field::ContainerPrivileged
            | Field::ContainerMounts
            | Field::ContainerMount
            | Field::ContainerMountSource
            | Field::ContainerMountDest
            | Field::ContainerMountMode
            | Field::ContainerMountRdwr
            | Field::ContainerMountPropagation
            | Field::ContainerHealthcheck
            | Field::ContainerLivenessProbe
            | Field::ContainerReadinessProbe
            | Field::ProcIsContainerHealthcheck
            | Field::ProcIsContainerLivenessProbe
            | Field::ProcIsContainerReadinessProbe
            | Field::ContainerStartTs
            | Field::ContainerIp
            | Field::ContainerCniJson
            | Field::ContainerHostPid
            | Field::ContainerHostNetwork
            | Field::ContainerHostIpc
            | Field::ContainerLabels
            | Field::ContainerLabel
            | Field::K8sNsName
            | Field::K8sPodName
            | Field::K8sPodId
            | Field::K8sPodUid
            | Field::K8sPodSandboxId
            | Field::K8sPodFullSandboxId
            | Field::K8sPodLabel
            | Field::K8sPodLabels
            | Field::K8sPodIp
            | Field::K8sPodCniJson
    };
}
pub(super) use container_field;

/// Whether the field's value hangs on what an engine tells of the container. (The id stands in
/// the control group's path.)
pub fn is_told_by_engines(field: Field) -> bool {
    let is_in_the_path = matches!(
        field,
        Field::ContainerId | Field::ContainerFullId | Field::ContainerStartTs
    );
    matches!(field, container_field!()) && !is_in_the_path
}

/// Labels in which Kubernetes' runtimes say what pod a container belongs to.
const POD_NAME: &str = "io.kubernetes.pod.name";
const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
const POD_UID: &str = "io.kubernetes.pod.uid";

/// The value of such a field for a process version as of an event; `None` for all others.
pub(super) fn value<'s>(
    field: &FieldRef,
    state: &'s State,
    version: &'s ProcessVersion,
    number: u64,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    if field.field == Field::ContainerStartTs {
        return start(state, version).map(Value::Uint);
    }
    let is_probe = |probe: &Option<Command>| {
        let by = version.came_into_container_by();
        let is = by.is_some_and(|by| probe.as_ref().is_some_and(|probe| probe.is(by)));
        // A capture does not tell how a process came into its container, and Falco shows nothing.
        (!version.is_captured() && !version.is_told()).then_some(Value::Bool(is))
    };
    let facts = match state.container(version, number)? {
        Container::Known(facts) => facts,
        Container::Id(id) => {
            return match field.field {
                Field::ContainerId => Some(Value::Text(id.short())),
                // Falco knows no more than that before the engine has told. The whole id is in
                // the control group's path as well.
                Field::ContainerFullId if !version.is_captured() => Some(Value::Text(id.whole)),
                _ => None,
            };
        }
    };
    let text = |text: &'s str| Some(Value::Text(text.as_bytes()));
    let flag = |flag: bool| Some(Value::Bool(flag));
    // What is not stored with the container, Falco takes from the sandbox of its pod.
    let sandbox = || state.pod_sandbox(facts, number);
    match field.field {
        Field::ContainerId => text(&facts.id),
        Field::ContainerFullId => match version.container() {
            Some(id) if facts.full_id.is_empty() && !version.is_captured() => {
                Some(Value::Text(id.whole))
            }
            Some(_) | None => text(&facts.full_id),
        },
        Field::ContainerName => text(&facts.name),
        Field::ContainerType => text(facts.engine.name()),
        Field::ContainerImage => text(&facts.image),
        Field::ContainerImageId => text(&facts.image_id),
        Field::ContainerImageRepository => text(&facts.image_repository),
        Field::ContainerImageTag => text(&facts.image_tag),
        Field::ContainerImageDigest => text(&facts.image_digest),
        Field::ContainerPrivileged => flag(facts.is_privileged),
        Field::ContainerHostPid => flag(facts.has_host_pid),
        Field::ContainerHostNetwork => flag(facts.has_host_network),
        Field::ContainerHostIpc => flag(facts.has_host_ipc),
        Field::ContainerHealthcheck => command(facts.healthcheck.as_ref()?, scratch),
        Field::ContainerLivenessProbe => command(facts.liveness_probe.as_ref()?, scratch),
        Field::ContainerReadinessProbe => command(facts.readiness_probe.as_ref()?, scratch),
        Field::ProcIsContainerHealthcheck => is_probe(&facts.healthcheck),
        Field::ProcIsContainerLivenessProbe => is_probe(&facts.liveness_probe),
        Field::ProcIsContainerReadinessProbe => is_probe(&facts.readiness_probe),
        Field::ContainerIp => text(&facts.ip),
        Field::ContainerCniJson => text(&facts.cni_json),
        Field::ContainerMounts => {
            let out = scratch.text();
            for (index, mount) in facts.mounts.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                mount.write(out);
            }
            Some(Value::Text(out))
        }
        Field::ContainerMount => {
            let mount = mount(field, facts, scratch)?;
            let out = scratch.text();
            mount.write(out);
            Some(Value::Text(out))
        }
        Field::ContainerMountSource => text(&mount(field, facts, scratch)?.source),
        Field::ContainerMountDest => text(&mount(field, facts, scratch)?.destination),
        Field::ContainerMountMode => text(&mount(field, facts, scratch)?.mode),
        Field::ContainerMountPropagation => text(&mount(field, facts, scratch)?.propagation),
        Field::ContainerMountRdwr => match mount(field, facts, scratch)?.is_writable {
            true => text("true"),
            false => text("false"),
        },
        Field::ContainerLabel => text(with_name(&field.arg, |name| facts.labels.get(name))?),
        Field::ContainerLabels => {
            let out = scratch.text();
            facts.labels.write(out);
            Some(Value::Text(out))
        }
        Field::K8sPodName => text(facts.labels.get(POD_NAME)?),
        Field::K8sNsName => text(facts.labels.get(POD_NAMESPACE)?),
        Field::K8sPodId | Field::K8sPodUid => text(facts.labels.get(POD_UID)?),
        Field::K8sPodSandboxId => {
            let id = &*facts.pod_sandbox_id;
            text(id.get(..SANDBOX_ID_SHORT).unwrap_or(id))
        }
        Field::K8sPodFullSandboxId => text(&facts.pod_sandbox_id),
        Field::K8sPodLabel => {
            let sandbox = sandbox().filter(|_| facts.cni_json.is_empty());
            let own = |name: &str| facts.pod_labels.get(name);
            text(with_name(&field.arg, |name| {
                let theirs = sandbox.and_then(|sandbox| sandbox.pod_labels.get(name));
                theirs.or_else(|| own(name))
            })?)
        }
        Field::K8sPodLabels => {
            let sandbox = sandbox().filter(|_| facts.cni_json.is_empty());
            let out = scratch.text();
            sandbox.unwrap_or(facts).pod_labels.write(out);
            Some(Value::Text(out))
        }
        Field::K8sPodIp if facts.cni_json.is_empty() => text(&sandbox()?.ip),
        Field::K8sPodIp => text(&facts.ip),
        Field::K8sPodCniJson if facts.cni_json.is_empty() => text(&sandbox()?.cni_json),
        Field::K8sPodCniJson => text(&facts.cni_json),
        // No other field is a container's.
        _ => None,
    }
}

fn command<'s>(command: &Command, scratch: &'s mut Scratch) -> Option<Value<'s>> {
    let out = scratch.text();
    command.write(out);
    Some(Value::Text(out))
}

/// Characters of `k8s.pod.sandbox_id`.
const SANDBOX_ID_SHORT: usize = 12;

/// When the first process of the pid namespace started, which for Falco is when the container
/// did, whatever the engine says; in a capture as its recorder told it.
pub(super) fn start(state: &State, version: &ProcessVersion) -> Option<u64> {
    let start = version.ids.pid_ns_start_time;
    (start != 0).then(|| state.clock().wall(start))
}

/// What `get` gives for the name in brackets, which may look like a number.
fn with_name<T>(arg: &Arg, get: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    match arg {
        Arg::Key(name) => get(name),
        Arg::Index(number) => get(&number.to_string()),
        Arg::None => None,
    }
}

/// Regular expressions that fields have in brackets, each built once.
#[derive(Debug, Default)]
pub(super) struct Patterns(Vec<(String, Option<Automaton>)>);

/// More than these are built anew each time: no rules have so many.
const PATTERNS_MAX: usize = 256;

impl Patterns {
    /// `None` for what is none.
    fn get(&mut self, pattern: &str) -> Option<Automaton> {
        if let Some((_, built)) = self.0.iter().find(|(own, _)| own == pattern) {
            return built.clone();
        }
        let built = Automaton::finding(pattern).ok();
        if self.0.len() < PATTERNS_MAX {
            self.0.push((pattern.to_owned(), built.clone()));
        }
        built
    }
}

/// The mount of that number, or the first in which what stands in brackets is found: in its
/// destination if the source is asked for, else in its source.
fn mount<'f>(
    field: &FieldRef,
    facts: &'f ContainerFacts,
    scratch: &mut Scratch,
) -> Option<&'f Mount> {
    match &field.arg {
        Arg::Index(index) => facts.mounts.get(*index as usize),
        Arg::Key(pattern) => {
            let pattern = scratch.patterns.get(pattern)?;
            facts.mounts.iter().find(|mount| {
                let path = match field.field {
                    Field::ContainerMountSource => &mount.destination,
                    _ => &mount.source,
                };
                pattern.accepts(path.as_bytes())
            })
        }
        Arg::None => None,
    }
}

#[cfg(test)]
mod tests;
