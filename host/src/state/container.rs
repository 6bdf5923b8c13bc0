//! Which container a process is in, read off its control group's path.
//!
//! Engines name groups after containers, each in its own way; the last component that is so
//! named decides, so that an inner group (systemd in a container, a container in a pod) does
//! not hide or replace it. A path is only a claim, for whoever may make groups may give them any
//! name: where an engine can be asked, it says which group the container has, and of several
//! claims, one inside the other, the innermost that it confirms counts. What the container is
//! called and where its image comes from is the engine's to tell ([`facts`]), which it does late
//! ([`table`]).

mod captured;
mod facts;
mod table;
mod watch;

pub use captured::write as write_json;
pub use facts::{Command, ContainerFacts, Engine, Labels, Mount};
pub use table::Container;
pub(super) use table::Containers;
pub(super) use watch::WatchedContainers;
pub use watch::{Absence, ContainerAnswer, ContainerLookup, Listed};

use super::facts::Held;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Characters of `container.id`, where the engine gives out ids.
const ID_SHORT: usize = 12;
/// No container id or name is taken to be longer.
const ID_MAX: usize = 128;

/// What the names of control groups alone tell: which engines' containers are known of those that
/// cannot be asked, and which names are namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the engines' names")]
pub struct ByPath {
    pub lxc: bool,
    pub libvirt_lxc: bool,
    pub bpm: bool,
    /// containerd's namespaces as far as they were told of: it names a group after the namespace,
    /// and one in that after the container.
    pub namespaces: Vec<Box<[u8]>>,
}

impl Default for ByPath {
    /// All of them.
    fn default() -> ByPath {
        ByPath {
            lxc: true,
            libvirt_lxc: true,
            bpm: true,
            namespaces: vec![(*b"default").into()],
        }
    }
}

/// A process's control groups as far as they matter.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cgroup {
    /// Numbers in the default hierarchy, of the group and those it lies in, leaf first, without the
    /// root's; no other has one as long as it is there. None where that is not known.
    ids: Box<[u64]>,
    /// Components of the path in the default hierarchy, leaf first.
    pub(super) unified: Box<[u8]>,
    /// Components of the path in the first v1 hierarchy where it is not `/`.
    pub(super) first_v1: Box<[u8]>,
    /// Of a capture: `subsystem=path` strings, each ended by NUL.
    list: Box<[u8]>,
    /// The containers that a path names: the innermost and, if that is another, the outermost.
    claims: Box<[Claim]>,
    /// Of a capture: its bytes.
    held: Option<Held>,
}

/// A container that a control group's path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The container's whole id.
    whole: Box<[u8]>,
    /// The path up to the component that names it.
    root: Box<[u8]>,
    /// Number of the group at that path in the default hierarchy, where the process is in it or
    /// below; 0 where that is not known.
    group: u64,
    /// What most likely made it.
    likely: Option<Engine>,
    /// All there is to know of the container, where no engine can be asked.
    bare: Option<Arc<ContainerFacts>>,
}

impl Claim {
    /// The container.
    pub fn id(&self) -> ContainerId<'_> {
        ContainerId {
            whole: &self.whole,
            engine: self.bare.as_ref().map(|facts| facts.engine),
            likely: self.likely,
        }
    }

    /// The path up to the component that names it.
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// Number of the group at that path, or 0 where it is not known.
    pub fn group(&self) -> u64 {
        self.group
    }

    /// All there is to know of the container, where no engine can be asked.
    pub(super) fn bare(&self) -> Option<&ContainerFacts> {
        self.bare.as_deref()
    }
}

/// A container as a control group's path names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerId<'a> {
    /// The whole id.
    pub whole: &'a [u8],
    /// What made the container, where it can be told and cannot be asked.
    pub engine: Option<Engine>,
    /// What most likely made it, where that can be asked.
    pub likely: Option<Engine>,
}

impl<'a> ContainerId<'a> {
    /// The id as `container.id` shows it.
    pub fn short(&self) -> &'a [u8] {
        match self.engine {
            Some(_) => self.whole,
            None => self.whole.get(..ID_SHORT).unwrap_or(self.whole),
        }
    }
}

impl Cgroup {
    /// The same once more, whose bytes, where they count, count there.
    pub(super) fn copy(&self, total: &Arc<AtomicUsize>) -> Cgroup {
        Cgroup {
            ids: self.ids.clone(),
            unified: self.unified.clone(),
            first_v1: self.first_v1.clone(),
            list: self.list.clone(),
            claims: self.claims.clone(),
            held: self.held.as_ref().map(|held| held.again(total)),
        }
    }

    /// From components, leaf first, each ended by NUL, and the numbers of the groups that those of
    /// the default hierarchy name.
    pub fn from_components(unified: &[u8], first_v1: &[u8], ids: &[u64], known: &ByPath) -> Cgroup {
        let path = |components: &[u8]| {
            let mut path = Vec::new();
            crate::event::path::write_components(components, &mut path);
            path
        };
        let mut cgroup = Cgroup {
            ids: ids.into(),
            unified: unified.into(),
            first_v1: first_v1.into(),
            ..Cgroup::default()
        };
        let unified = path(unified);
        cgroup.look_at(&path(first_v1), known);
        cgroup.look_at(&unified, known);
        cgroup.number_claims(&unified);
        cgroup
    }

    /// Tells of each claim the number of the group that its path names.
    fn number_claims(&mut self, unified: &[u8]) {
        let depth = |path: &[u8]| memchr::memchr_iter(b'/', path).count();
        for claim in &mut self.claims {
            let below = unified.strip_prefix(&*claim.root);
            let is_there = below.is_some_and(|below| below.is_empty() || below[0] == b'/');
            if is_there && !claim.root.is_empty() {
                let above = depth(unified) - depth(&claim.root);
                claim.group = self.ids.get(above).copied().unwrap_or(0);
            }
        }
    }

    /// From the lines of `/proc/PID/cgroup`; `number` tells the number of the group at a path of the
    /// default hierarchy, or 0.
    pub fn from_proc(text: &[u8], known: &ByPath, number: impl Fn(&[u8]) -> u64) -> Cgroup {
        let components = |path: &[u8]| {
            let mut out = Vec::new();
            for name in path.split(|byte| *byte == b'/').rev() {
                if !name.is_empty() {
                    out.extend_from_slice(name);
                    out.push(0);
                }
            }
            out
        };
        let mut cgroup = Cgroup::default();
        let mut unified = &b""[..];
        for line in text.split(|byte| *byte == b'\n') {
            let mut parts = line.splitn(3, |byte| *byte == b':');
            let (Some(number), Some(_), Some(path)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if number == b"0" {
                unified = path;
                cgroup.unified = components(path).into();
            } else if cgroup.first_v1.is_empty() && path != b"/" {
                cgroup.first_v1 = components(path).into();
            }
            // Some engines name only some of the v1 hierarchies, so every line counts.
            cgroup.look_at(path, known);
        }
        let mut ends: Vec<usize> = memchr::memchr_iter(b'/', unified).skip(1).collect();
        ends.push(unified.len());
        let groups = ends.iter().rev().map(|end| &unified[..*end]);
        if unified.len() > 1 {
            cgroup.ids = groups.map(number).collect();
        }
        cgroup.number_claims(unified);
        cgroup
    }

    /// From `subsystem=path` strings, each ended by NUL, as captures have them. What comes behind
    /// one without `=` is not looked at, as in Falco.
    pub fn from_list(list: &[u8]) -> Cgroup {
        let mut cgroup = Cgroup::default();
        let mut kept = Vec::with_capacity(list.len());
        for entry in super::facts::strings(list) {
            let Some(at) = memchr::memchr(b'=', entry) else {
                break;
            };
            let (name, path) = (&entry[..at], &entry[at + 1..]);
            let name = name.strip_suffix(b"_cgroup").unwrap_or(name);
            kept.extend_from_slice(match name {
                b"perf" => b"perf_event",
                b"mem" => b"memory",
                b"io" => b"blkio",
                name => name,
            });
            kept.push(b'=');
            kept.extend_from_slice(path);
            kept.push(0);
            cgroup.look_at(path, &ByPath::default());
        }
        cgroup.list = kept.into();
        cgroup
    }

    /// Bytes that it takes, with a copy of the list by which it is found.
    pub(super) fn bytes(&self) -> usize {
        let claims = self.claims.iter();
        let named: usize = claims
            .map(|claim| claim.whole.len() + claim.root.len() + size_of::<Claim>())
            .sum();
        size_of::<Cgroup>() + 2 * self.list.len() + named
    }

    /// Lets its bytes count against a bound for as long as it is kept.
    pub(super) fn hold(&mut self, total: &Arc<AtomicUsize>) {
        self.held = Some(Held::new(self.bytes(), total));
    }

    /// Of a capture: `subsystem=path` strings, each ended by NUL.
    pub fn list(&self) -> &[u8] {
        &self.list
    }

    /// Its number in the default hierarchy, or 0 where that is not known.
    pub fn id(&self) -> u64 {
        self.ids.first().copied().unwrap_or(0)
    }

    /// Numbers in the default hierarchy of the group and those it lies in, leaf first.
    pub fn ids(&self) -> &[u64] {
        &self.ids
    }

    /// Components of the path in the default hierarchy, leaf first.
    pub fn unified(&self) -> &[u8] {
        &self.unified
    }

    /// Components of the path in the first v1 hierarchy where it is not `/`.
    pub fn first_v1(&self) -> &[u8] {
        &self.first_v1
    }

    /// Appends them as `name=path`, each ended by NUL, as captures have them.
    pub fn write_list(&self, out: &mut Vec<u8>) {
        let hierarchies = [(&b"unified="[..], &self.unified), (b"v1=", &self.first_v1)];
        for (name, components) in hierarchies {
            if name == b"v1=" && components.is_empty() {
                continue;
            }
            out.extend_from_slice(name);
            crate::event::path::write_components(components, out);
            out.push(0);
        }
    }

    /// The container; `None` outside of containers.
    pub fn container(&self) -> Option<ContainerId<'_>> {
        Some(self.claims.first()?.id())
    }

    /// The containers that the path names, innermost first.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// The first path that names a container decides.
    fn look_at(&mut self, path: &[u8], known: &ByPath) {
        if self.claims.is_empty() {
            self.claims = claims(path, known).into_iter().flatten().collect();
        }
    }
}

/// The containers that a path names: the innermost, and the outermost if that is another.
fn claims(path: &[u8], known: &ByPath) -> [Option<Claim>; 2] {
    let mut innermost: Option<(ContainerId<'_>, usize)> = None;
    let mut outermost: Option<(ContainerId<'_>, usize)> = None;
    let mut end = path.len();
    for component in path.split(|byte| *byte == b'/').rev() {
        let begin = end - component.len();
        let before = path[..begin].strip_suffix(b"/").unwrap_or_default();
        let parent = before.rsplit(|byte| *byte == b'/').next();
        let parent = parent.filter(|parent| !parent.is_empty());
        let id = id_of(component, parent, before, known);
        if let Some(id) = id.filter(|id| id.whole.len() <= ID_MAX) {
            match innermost {
                None => innermost = Some((id, end)),
                Some(_) => outermost = Some((id, end)),
            }
        }
        end = begin.saturating_sub(1);
    }
    // Of one that nobody can be asked about, a group inside of a container is no evidence: its
    // processes may make such groups.
    if outermost.is_some() && innermost.is_some_and(|(id, _)| id.engine.is_some()) {
        innermost = outermost.take();
    }
    [innermost, outermost].map(|found| {
        let (id, end) = found?;
        Some(Claim {
            whole: id.whole.into(),
            root: path[..end].into(),
            group: 0,
            likely: id.likely,
            bare: id.engine.map(|engine| {
                let name = String::from_utf8_lossy(id.whole);
                Arc::new(ContainerFacts::bare(&name, engine))
            }),
        })
    })
}

/// The container that a group of that path belongs to, and where in the path it is named: for
/// engines' answers, which name a process whose path this is.
pub fn roots_of<'p>(path: &'p [u8], whole: &[u8]) -> Option<&'p [u8]> {
    let mut end = 0;
    for component in path.split(|byte| *byte == b'/') {
        end += component.len();
        if component.len() >= whole.len() && memchr::memmem::find(component, whole).is_some() {
            return Some(&path[..end]);
        }
        end += 1;
    }
    None
}

/// What the names of groups begin with, and whose groups these are.
const PREFIXES: [(&[u8], Engine); 6] = [
    (b"docker-", Engine::Docker),
    (b"libpod-", Engine::Podman),
    (b"cri-containerd-", Engine::Cri),
    (b"crio-", Engine::CriO),
    (b"containerd-", Engine::Containerd),
    (b"nerdctl-", Engine::Containerd),
];

fn id_of<'a>(
    component: &'a [u8],
    parent: Option<&[u8]>,
    before: &[u8],
    known: &ByPath,
) -> Option<ContainerId<'a>> {
    let id = |whole: &'a [u8], likely: Option<Engine>| ContainerId {
        whole,
        engine: None,
        likely,
    };
    // A namespace's group lies in the root.
    let is_namespace = |parent: &[u8]| {
        before.strip_prefix(b"/") == Some(parent)
            && known.namespaces.iter().any(|own| **own == *parent)
    };
    let bare = component.strip_suffix(b".scope").unwrap_or(component);
    // `libpod-conmon-<id>` and `crio-conmon-<id>` are the monitors, not the container: what
    // is left of them is no id.
    for (prefix, engine) in PREFIXES {
        if let Some(hex) = bare.strip_prefix(prefix) {
            return is_hex_id(hex).then_some(id(hex, Some(engine)));
        }
    }
    if is_hex_id(bare) {
        return match parent {
            // A pod, not a container.
            Some(b"libpod_parent") => None,
            Some(b"docker") => Some(id(bare, Some(Engine::Docker))),
            Some(b"k8s.io") => Some(id(bare, Some(Engine::Containerd))),
            Some(parent) if is_namespace(parent) => Some(id(bare, Some(Engine::Containerd))),
            _ if memchr::memmem::find(before, b"kubepods").is_some() => {
                Some(id(bare, Some(Engine::Cri)))
            }
            Some(_) | None => Some(id(bare, None)),
        };
    }
    let named = |name: &'a [u8], engine: Option<Engine>| {
        (!name.is_empty()).then_some(ContainerId {
            whole: name,
            engine,
            likely: None,
        })
    };
    let (lxc, libvirt) = (Some(Engine::Lxc), Some(Engine::LibvirtLxc));
    if let Some(name) = component
        .strip_prefix(b"lxc.payload.")
        .filter(|_| known.lxc)
    {
        return named(name, lxc);
    }
    let of_libvirt = component.strip_suffix(b".libvirt-lxc");
    if let Some(rest) = of_libvirt.filter(|_| known.libvirt_lxc) {
        let name = rest
            .strip_prefix(b"lxc-")
            .and_then(|rest| skip_number(rest, b"-"))
            .unwrap_or(rest);
        return named(name, libvirt);
    }
    // systemd escapes `-` in unit names.
    let of_libvirt = bare.strip_prefix(br"machine-lxc\x2d");
    if let Some(rest) = of_libvirt.filter(|_| known.libvirt_lxc) {
        return named(skip_number(rest, br"\x2d").unwrap_or(rest), libvirt);
    }
    if let Some(job) = bare.strip_prefix(b"bpm-").filter(|_| known.bpm) {
        let is_job = job
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
        return named(job, Some(Engine::Bpm)).filter(|_| is_job);
    }
    match parent {
        Some(b"lxc" | b"lxc.payload") if known.lxc => named(component, lxc),
        // containerd's own client: /<namespace>/<any name>.
        Some(parent) if is_namespace(parent) && !component.ends_with(b".slice") => {
            (!component.is_empty()).then_some(id(component, Some(Engine::Containerd)))
        }
        Some(_) | None => None,
    }
}

fn is_hex_id(id: &[u8]) -> bool {
    id.len() == 64 && id.iter().all(u8::is_ascii_hexdigit)
}

fn skip_number<'a>(text: &'a [u8], separator: &[u8]) -> Option<&'a [u8]> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    text[digits..].strip_prefix(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "deee98f7e35b645905487db81e52e8d8887dbd2e2cf6f5222a7dd8e04292e0bb";
    const POD: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn every_engines_paths_name_the_container() {
        let id = Some(ID);
        for (path, expected) in [
            ("/docker/ID", id),
            ("/docker/ID/system.slice/ssh.service", id),
            ("/libpod_parent/libpod-ID", id),
            ("/libpod_parent/POD/libpod-ID", id),
            ("/libpod_parent/libpod-conmon-ID", None),
            ("/machine.slice/libpod-ID.scope/container", id),
            ("/machine.slice/libpod-conmon-ID.scope", None),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope",
                id,
            ),
            ("/default/ID", id),
            ("/default/web-1", Some("web-1")),
            ("/moby/ID", id),
            (
                "/kubepods/besteffort/pod6f1c1a5e-9a07-4b8e-8a3e-2b1a6f0c9d11/ID",
                id,
            ),
            (
                "/kubepods/burstable/pod6f1c1a5e-9a07-4b8e-8a3e-2b1a6f0c9d11/ID",
                id,
            ),
            ("/kubepods/pod6f1c1a5e-9a07-4b8e-8a3e-2b1a6f0c9d11/ID", id),
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod6f1c1a5e_9a07.slice/cri-containerd-ID.scope",
                id,
            ),
            ("/kubepods.slice/kubepods-pod6f1c.slice/crio-ID.scope", id),
            (
                "/kubepods.slice/kubepods-pod6f1c.slice/crio-conmon-ID.scope",
                None,
            ),
            ("/system.slice/docker-ID.scope", id),
            ("/lxc.payload.alpine", Some("alpine")),
            (
                "/lxc.payload.alpine/system.slice/cron.service",
                Some("alpine"),
            ),
            ("/lxc.monitor.alpine", None),
            ("/lxc/alpine", Some("alpine")),
            ("/machine/lxc-4711-web.libvirt-lxc", Some("web")),
            (
                r"/machine.slice/machine-lxc\x2d4711\x2dweb.scope",
                Some("web"),
            ),
            ("/system.slice/bpm-router.scope", Some("router")),
            ("/", None),
            ("", None),
            ("/workload", None),
            ("/system.slice/docker.service", None),
            ("/user.slice/user-0.slice/session-1.scope", None),
            ("/init.scope", None),
        ] {
            let path = path.replace("ID", ID).replace("POD", POD);
            let [found, _] = claims(path.as_bytes(), &ByPath::default());
            assert_eq!(
                found.as_ref().map(|claim| &*claim.whole),
                expected.map(str::as_bytes),
                "{path}"
            );
        }
    }

    #[test]
    fn a_container_named_on_one_v1_line_only_is_found() {
        let text = b"12:pids:/\n5:memory:/machine/lxc-77-box.libvirt-lxc\n0::/\n";
        let cgroup = Cgroup::from_proc(text, &ByPath::default(), |_| 0);
        let container = cgroup.container().expect("it is named");
        assert_eq!(
            (container.whole, container.short()),
            (&b"box"[..], &b"box"[..])
        );
        let text = b"5:memory:/\n0::/system.slice/cron.service\n";
        assert_eq!(
            Cgroup::from_proc(text, &ByPath::default(), |_| 0).container(),
            None
        );
    }

    #[test]
    fn components_from_the_kernel_and_text_from_proc_agree() {
        let known = ByPath::default();
        let number = |path: &[u8]| path.len() as u64;
        let root = format!("/docker/{ID}");
        for (below, components) in [("", ""), ("/inner/most", "most\0inner\0")] {
            let path = format!("{root}{below}");
            let components = format!("{components}{ID}\0docker\0");
            let above = std::path::Path::new(&path).ancestors();
            let lengths = above.map(|path| path.as_os_str().len() as u64);
            let ids: Vec<u64> = lengths.filter(|length| *length > 1).collect();
            let kernel = Cgroup::from_components(components.as_bytes(), b"", &ids, &known);
            let text = Cgroup::from_proc(format!("0::{path}\n").as_bytes(), &known, number);
            assert_eq!(kernel, text);
            let container = kernel.container().expect("it is named");
            assert_eq!((container.whole, container.engine), (ID.as_bytes(), None));
            let [claim] = kernel.claims() else {
                panic!("there is one container: {kernel:?}");
            };
            assert_eq!(claim.root(), root.as_bytes());
            // The number is that of the container's group, also of a process in one below.
            assert_eq!(claim.group(), root.len() as u64);
            assert_eq!(container.short(), &ID.as_bytes()[..12]);
        }
    }

    #[test]
    fn only_ids_are_shown_shortened() {
        let short = |path: &'static str| {
            let [claim, _] = claims(path.as_bytes(), &ByPath::default());
            let claim = claim.expect("it is named");
            let id = claim.id();
            let short = std::str::from_utf8(id.short()).expect("it is text");
            (short.to_owned(), id.engine)
        };
        assert_eq!(
            short("/default/frontend-canary"),
            ("frontend-can".into(), None)
        );
        assert_eq!(
            short("/lxc/frontend-canary"),
            ("frontend-canary".into(), Some(Engine::Lxc))
        );
    }

    #[test]
    fn the_innermost_and_the_outermost_container_are_kept_with_their_places() {
        for (path, expected) in [
            ("/docker/ID", &[(ID, "/docker/ID")][..]),
            ("/docker/ID/init.scope", &[(ID, "/docker/ID")]),
            (
                "/docker/POD/docker/ID",
                &[(ID, "/docker/POD/docker/ID"), (POD, "/docker/POD")],
            ),
            (
                "/docker/POD/x/docker-ID.scope/y",
                &[(ID, "/docker/POD/x/docker-ID.scope"), (POD, "/docker/POD")],
            ),
            // A pod of podman is no container, and LXC is nobody's to ask.
            (
                "/libpod_parent/POD/libpod-ID",
                &[(ID, "/libpod_parent/POD/libpod-ID")],
            ),
            ("/docker/ID/lxc.payload.web", &[(ID, "/docker/ID")]),
        ] {
            let name = |text: &str| text.replace("ID", ID).replace("POD", POD);
            let found = claims(name(path).as_bytes(), &ByPath::default());
            let found: Vec<_> = found.iter().flatten().collect();
            let found: Vec<_> = found.iter().map(|c| (&*c.whole, &*c.root)).collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(id, root)| (*id, name(root)))
                .collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(id, root)| (id.as_bytes(), root.as_bytes()))
                .collect();
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn an_engine_that_is_switched_off_has_no_containers() {
        let none = ByPath {
            lxc: false,
            libvirt_lxc: false,
            bpm: false,
            ..ByPath::default()
        };
        for (path, expected) in [
            ("/lxc.payload.alpine", None),
            ("/lxc/alpine", None),
            ("/machine/lxc-4711-web.libvirt-lxc", None),
            (r"/machine.slice/machine-lxc\x2d4711\x2dweb.scope", None),
            ("/system.slice/bpm-router.scope", None),
            ("/lxc/alpine/docker/ID", Some(ID)),
            ("/lxc/alpine/docker/ID/bpm-router", Some(ID)),
        ] {
            let [found, outermost] = claims(path.replace("ID", ID).as_bytes(), &none);
            let found = found.as_ref().map(|claim| &*claim.whole);
            assert_eq!(found, expected.map(str::as_bytes), "{path}");
            assert_eq!(outermost, None, "{path}");
        }
    }

    #[test]
    fn a_namespace_that_was_told_of_names_containers() {
        let known = ByPath {
            namespaces: vec![(*b"shop").into()],
            ..ByPath::default()
        };
        for (path, expected) in [
            ("/shop/web-1", Some("web-1")),
            ("/shop/ID", Some(ID)),
            ("/shop/web-1/inner", Some("web-1")),
            ("/other/web-1", None),
            ("/a/shop/web-1", None),
            ("/shop", None),
        ] {
            let [found, _] = claims(path.replace("ID", ID).as_bytes(), &known);
            let found = found.as_ref();
            assert_eq!(
                found.map(|claim| &*claim.whole),
                expected.map(str::as_bytes),
                "{path}"
            );
            let likely = found.map(|claim| claim.likely);
            assert!(likely.is_none_or(|likely| likely == Some(Engine::Containerd)));
        }
    }

    #[test]
    fn a_path_tells_whom_to_ask() {
        for (path, engine) in [
            ("/docker/ID", Some(Engine::Docker)),
            ("/system.slice/docker-ID.scope", Some(Engine::Docker)),
            ("/libpod_parent/libpod-ID", Some(Engine::Podman)),
            ("/kubepods/besteffort/pod6f1c/ID", Some(Engine::Cri)),
            (
                "/kubepods.slice/x.slice/cri-containerd-ID.scope",
                Some(Engine::Cri),
            ),
            ("/kubepods.slice/x.slice/crio-ID.scope", Some(Engine::CriO)),
            ("/default/web-1", Some(Engine::Containerd)),
            ("/somewhere/ID", None),
        ] {
            let [found, _] = claims(path.replace("ID", ID).as_bytes(), &ByPath::default());
            assert_eq!(found.expect("it is named").likely, engine, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_path_makes_it_panic(path in proptest::collection::vec(0u8..=255, 0..200)) {
            for claim in claims(&path, &ByPath::default()).into_iter().flatten() {
                proptest::prop_assert!(path.starts_with(&claim.root));
            }
            roots_of(&path, b"a");
            Cgroup::from_proc(&path, &ByPath::default(), |_| 0);
        }
    }
}
