//! A container as its engine tells of it, whichever engine that is and however it was asked.

use super::Claim;

/// What engines tell of one container takes no more bytes.
pub(super) const FACTS_BYTES_MAX: usize = 256 << 10;

/// What runs a container, in Falco's numbering and with Falco's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the engines' names")]
pub enum Engine {
    Docker,
    Lxc,
    LibvirtLxc,
    Mesos,
    Rkt,
    Cri,
    Containerd,
    CriO,
    Bpm,
    Podman,
    Host,
    /// One that has no name in Falco.
    #[default]
    Other,
}

impl Engine {
    /// The engine of that number in Falco's records.
    pub fn from_number(number: i64) -> Engine {
        match number {
            0 => Engine::Docker,
            1 => Engine::Lxc,
            2 => Engine::LibvirtLxc,
            3 => Engine::Mesos,
            4 => Engine::Rkt,
            6 => Engine::Cri,
            7 => Engine::Containerd,
            8 => Engine::CriO,
            9 => Engine::Bpm,
            11 => Engine::Podman,
            0xfffe => Engine::Host,
            _ => Engine::Other,
        }
    }

    /// Its number there.
    pub fn number(self) -> i64 {
        match self {
            Engine::Docker => 0,
            Engine::Lxc => 1,
            Engine::LibvirtLxc => 2,
            Engine::Mesos => 3,
            Engine::Rkt => 4,
            Engine::Cri => 6,
            Engine::Containerd => 7,
            Engine::CriO => 8,
            Engine::Bpm => 9,
            Engine::Podman => 11,
            Engine::Host => 0xfffe,
            Engine::Other => 0xffff,
        }
    }

    /// `container.type`.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Docker => "docker",
            Engine::Lxc => "lxc",
            Engine::LibvirtLxc => "libvirt-lxc",
            Engine::Mesos => "mesos",
            Engine::Rkt => "rkt",
            Engine::Cri => "cri",
            Engine::Containerd => "containerd",
            Engine::CriO => "cri-o",
            Engine::Bpm => "bpm",
            Engine::Podman => "podman",
            Engine::Host => "host",
            Engine::Other => "",
        }
    }
}

/// What an engine tells of a container. What it does not tell is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFacts {
    /// The id as `container.id` shows it, by which processes find the container: the first
    /// 12 characters of a long one.
    pub id: Box<str>,
    /// The whole id.
    pub full_id: Box<str>,
    /// What runs it.
    pub engine: Engine,
    /// Its name.
    pub name: Box<str>,
    /// The image as it was asked for.
    pub image: Box<str>,
    /// The image's id, hexadecimal.
    pub image_id: Box<str>,
    /// The image's name without tag.
    pub image_repository: Box<str>,
    /// The image's tag.
    pub image_tag: Box<str>,
    /// The image's digest, with the algorithm in front.
    pub image_digest: Box<str>,
    /// Its IPv4 address.
    pub ip: Box<str>,
    /// What the network's plugins said, as JSON.
    pub cni_json: Box<str>,
    /// It is privileged.
    pub is_privileged: bool,
    /// It shares the host's pid namespace.
    pub has_host_pid: bool,
    /// It shares the host's network.
    pub has_host_network: bool,
    /// It shares the host's IPC namespace.
    pub has_host_ipc: bool,
    /// Mounts, in the engine's order.
    pub mounts: Box<[Mount]>,
    /// Labels.
    pub labels: Labels,
    /// Whole id of the sandbox of its pod.
    pub pod_sandbox_id: Box<str>,
    /// Labels of the pod.
    pub pod_labels: Labels,
    /// How it is asked whether it is well.
    pub healthcheck: Option<Command>,
    /// How Kubernetes asks whether it lives.
    pub liveness_probe: Option<Command>,
    /// How Kubernetes asks whether it can work.
    pub readiness_probe: Option<Command>,
    /// Paths of the control groups that it has, each with what is below. `None`: whoever told of
    /// it (a capture) vouches for every group of that name.
    pub roots: Option<Box<[Box<[u8]>]>>,
    /// Number of its control group in the default hierarchy; 0 where that is not known.
    pub group: u64,
    /// Its first process had ended before it was looked which group that was in: until then, ns
    /// since the epoch, the group at that path was its own. 0 where that is settled.
    pub ended: u64,
    /// Whose engine told of it, which is believed of the user's own groups alone; `None`: the
    /// system's.
    pub user: Option<u32>,
    /// It has more labels, mounts or commands than are kept, and therefore none here.
    pub is_cut: bool,
}

/// A program and what it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The program.
    pub exe: Box<str>,
    /// Its arguments.
    pub args: Box<[Box<str>]>,
}

impl Command {
    /// Whether a program that was given these arguments, its own name in front and each ended by
    /// NUL, is this.
    pub fn is(&self, arguments: &[u8]) -> bool {
        let own = std::iter::once(&self.exe).chain(&self.args);
        crate::state::facts::strings(arguments).eq(own.map(|word| word.as_bytes()))
    }

    /// Appends it as one would type it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.exe.as_bytes());
        for word in &self.args {
            out.push(b' ');
            out.extend_from_slice(word.as_bytes());
        }
    }
}

/// A mount of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted: a path of the host, or the name of a volume.
    pub source: Box<str>,
    /// Where, in the container.
    pub destination: Box<str>,
    /// The engine's word for how.
    pub mode: Box<str>,
    /// It can be written.
    pub is_writable: bool,
    /// How mounts below it spread.
    pub propagation: Box<str>,
}

impl Mount {
    /// Appends `source:destination:mode:writable:propagation`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let writable = if self.is_writable { "true" } else { "false" };
        let parts = [
            &*self.source,
            &*self.destination,
            &*self.mode,
            writable,
            &*self.propagation,
        ];
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                out.push(b':');
            }
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// Labels, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Box<[(Box<str>, Box<str>)]>);

/// Bytes that a label takes beside its texts, in round numbers.
const LABEL_BYTES: usize = 64;
/// What a runtime keeps for itself among the labels begins so.
const INTERNAL: [&str; 2] = ["annotation.", "io.kubernetes."];

impl Labels {
    /// The label of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.binary_search_by(|(own, _)| (**own).cmp(name));
        Some(&*self.0.get(found.ok()?)?.1)
    }

    /// Appends `name:value, name:value`, without what the runtime keeps for itself.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        for (name, value) in &self.0 {
            if INTERNAL.iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            if out.len() > start {
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(name.as_bytes());
            if !value.is_empty() {
                out.push(b':');
                out.extend_from_slice(value.as_bytes());
            }
        }
    }

    /// Name and value of each, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    fn bytes(&self) -> usize {
        self.0
            .iter()
            .map(|(name, value)| name.len() + value.len() + LABEL_BYTES)
            .sum()
    }
}

impl FromIterator<(Box<str>, Box<str>)> for Labels {
    /// Of several with one name the last counts.
    fn from_iter<I: IntoIterator<Item = (Box<str>, Box<str>)>>(labels: I) -> Labels {
        let by_name: std::collections::BTreeMap<_, _> = labels.into_iter().collect();
        Labels(by_name.into_iter().collect())
    }
}

impl ContainerFacts {
    /// What is known of a container that has no engine to ask: its id and what made it.
    pub fn bare(id: &str, engine: Engine) -> ContainerFacts {
        ContainerFacts {
            id: id.into(),
            engine,
            ..ContainerFacts::default()
        }
    }

    /// By what it is found: the whole id, where that was told.
    pub fn key(&self) -> &[u8] {
        match self.full_id.as_bytes() {
            [] => self.id.as_bytes(),
            whole => whole,
        }
    }

    /// Whether the control group is the container's that is said to be. Of two at one path, one
    /// after the other, the number tells which is meant.
    pub fn is_at(&self, claim: &Claim) -> bool {
        self.is_group(claim.root(), claim.group())
    }

    /// The same of a group's path and number, where that is not 0.
    pub(super) fn is_group(&self, root: &[u8], group: u64) -> bool {
        let is_other = self.group != 0 && group != 0 && self.group != group;
        let is_settled = self.ended == 0 && !is_other;
        self.roots.is_none() || is_settled && self.is_below(root)
    }

    /// Whether it has a group at that path.
    pub(super) fn is_below(&self, root: &[u8]) -> bool {
        self.roots.iter().flatten().any(|own| **own == *root)
    }

    /// Leaves out what a container may have any number of, where that is more than is kept; false
    /// where the rest is too much as well.
    pub fn cut(&mut self) -> bool {
        if self.bytes() > FACTS_BYTES_MAX {
            self.is_cut = true;
            self.cni_json = Box::default();
            self.mounts = Box::default();
            self.labels = Labels::default();
            self.pod_labels = Labels::default();
            for command in [
                &mut self.healthcheck,
                &mut self.liveness_probe,
                &mut self.readiness_probe,
            ] {
                *command = None;
            }
        }
        self.bytes() <= FACTS_BYTES_MAX
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        let texts = [
            &self.id,
            &self.full_id,
            &self.name,
            &self.image,
            &self.image_id,
            &self.image_repository,
            &self.image_tag,
            &self.image_digest,
            &self.ip,
            &self.cni_json,
            &self.pod_sandbox_id,
        ];
        let mounts = self.mounts.iter().map(|mount| {
            let texts = mount.source.len() + mount.destination.len();
            texts + mount.mode.len() + mount.propagation.len() + size_of::<Mount>()
        });
        size_of::<ContainerFacts>()
            + texts.iter().map(|text| text.len()).sum::<usize>()
            + mounts.sum::<usize>()
            + self.labels.bytes()
            + self.pod_labels.bytes()
            + self
                .roots
                .iter()
                .flatten()
                .map(|root| root.len() + 16)
                .sum::<usize>()
            + [
                &self.healthcheck,
                &self.liveness_probe,
                &self.readiness_probe,
            ]
            .into_iter()
            .flatten()
            .flat_map(|command| command.args.iter().chain([&command.exe]))
            .map(|text| text.len() + 16)
            .sum::<usize>()
    }
}
