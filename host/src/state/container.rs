//! Which container a process is in, read off its control group's path.
//!
//! Engines name groups after containers, each in its own way; the last component that is so
//! named decides, so that an inner group (systemd in a container, a container in a pod) does
//! not hide or replace it. What the container is called and where its image comes from is the
//! engine's to tell ([`facts`]), which it does late ([`table`]).

mod captured;
mod facts;
mod table;

pub use facts::{ContainerFacts, Engine, Labels, Mount};
pub use table::Container;
pub(super) use table::Containers;

use std::sync::Arc;

/// Characters of `container.id`, where the engine gives out ids.
const ID_SHORT: usize = 12;
/// No container id or name is taken to be longer.
const ID_MAX: usize = 128;

/// A process's control groups as far as they matter.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cgroup {
    /// Components of the path in the default hierarchy, leaf first.
    pub(super) unified: Box<[u8]>,
    /// Components of the path in the first v1 hierarchy where it is not `/`.
    pub(super) first_v1: Box<[u8]>,
    /// Of a capture: `subsystem=path` strings, each ended by NUL.
    list: Box<[u8]>,
    /// The container's whole id.
    container: Option<Box<[u8]>>,
    /// All there is to know of the container, where no engine can be asked.
    bare: Option<Arc<ContainerFacts>>,
}

/// A container as a control group's path names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerId<'a> {
    /// The whole id.
    pub whole: &'a [u8],
    /// What made the container, where it can be told and cannot be asked.
    pub engine: Option<Engine>,
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
    /// From components, leaf first, each ended by NUL.
    pub fn from_components(unified: &[u8], first_v1: &[u8]) -> Cgroup {
        let path = |components: &[u8]| {
            let mut path = Vec::new();
            crate::event::path::write_components(components, &mut path);
            path
        };
        let mut cgroup = Cgroup {
            unified: unified.into(),
            first_v1: first_v1.into(),
            ..Cgroup::default()
        };
        for components in [first_v1, unified] {
            cgroup.look_at(&path(components));
        }
        cgroup
    }

    /// From the lines of `/proc/PID/cgroup`.
    pub fn from_proc(text: &[u8]) -> Cgroup {
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
        for line in text.split(|byte| *byte == b'\n') {
            let mut parts = line.splitn(3, |byte| *byte == b':');
            let (Some(number), Some(_), Some(path)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if number == b"0" {
                cgroup.unified = components(path).into();
            } else if cgroup.first_v1.is_empty() && path != b"/" {
                cgroup.first_v1 = components(path).into();
            }
            // Some engines name only some of the v1 hierarchies, so every line counts.
            cgroup.look_at(path);
        }
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
            cgroup.look_at(path);
        }
        cgroup.list = kept.into();
        cgroup
    }

    /// Of a capture: `subsystem=path` strings, each ended by NUL.
    pub fn list(&self) -> &[u8] {
        &self.list
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
        Some(ContainerId {
            whole: self.container.as_deref()?,
            engine: self.bare.as_ref().map(|facts| facts.engine),
        })
    }

    /// All there is to know of the container, where no engine can be asked.
    pub(super) fn bare(&self) -> Option<&ContainerFacts> {
        self.bare.as_deref()
    }

    /// The first path that names a container decides.
    fn look_at(&mut self, path: &[u8]) {
        if self.container.is_none()
            && let Some(id) = container_id(path)
        {
            self.container = Some(id.whole.into());
            self.bare = id.engine.map(|engine| {
                let name = String::from_utf8_lossy(id.whole);
                Arc::new(ContainerFacts::bare(&name, engine))
            });
        }
    }
}

/// The container that a group of that path belongs to.
pub fn container_id(path: &[u8]) -> Option<ContainerId<'_>> {
    let mut components = path
        .split(|byte| *byte == b'/')
        .filter(|component| !component.is_empty())
        .rev()
        .peekable();
    while let Some(component) = components.next() {
        let parent = components.peek().copied();
        if let Some(id) = id_of(component, parent) {
            return (id.whole.len() <= ID_MAX).then_some(id);
        }
    }
    None
}

fn id_of<'a>(component: &'a [u8], parent: Option<&[u8]>) -> Option<ContainerId<'a>> {
    let id = |whole: &'a [u8]| ContainerId {
        whole,
        engine: None,
    };
    let bare = component.strip_suffix(b".scope").unwrap_or(component);
    // `libpod-conmon-<id>` and `crio-conmon-<id>` are the monitors, not the container: what
    // is left of them is no id.
    for prefix in [
        &b"docker-"[..],
        b"libpod-",
        b"cri-containerd-",
        b"crio-",
        b"containerd-",
        b"nerdctl-",
    ] {
        if let Some(hex) = bare.strip_prefix(prefix) {
            return is_hex_id(hex).then_some(id(hex));
        }
    }
    if is_hex_id(bare) {
        return Some(id(bare));
    }
    let named = |name: &'a [u8], engine: Option<Engine>| {
        (!name.is_empty()).then_some(ContainerId {
            whole: name,
            engine,
        })
    };
    let (lxc, libvirt) = (Some(Engine::Lxc), Some(Engine::LibvirtLxc));
    if let Some(name) = component.strip_prefix(b"lxc.payload.") {
        return named(name, lxc);
    }
    if let Some(rest) = component.strip_suffix(b".libvirt-lxc") {
        let name = rest
            .strip_prefix(b"lxc-")
            .and_then(|rest| skip_number(rest, b"-"))
            .unwrap_or(rest);
        return named(name, libvirt);
    }
    // systemd escapes `-` in unit names.
    if let Some(rest) = bare.strip_prefix(br"machine-lxc\x2d") {
        return named(skip_number(rest, br"\x2d").unwrap_or(rest), libvirt);
    }
    if let Some(job) = bare.strip_prefix(b"bpm-") {
        let is_job = job
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte));
        return named(job, Some(Engine::Bpm)).filter(|_| is_job);
    }
    match parent {
        Some(b"lxc" | b"lxc.payload") => named(component, lxc),
        // containerd's own client: /<namespace>/<any name>.
        Some(b"default") if !component.ends_with(b".slice") => named(component, None),
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
            assert_eq!(
                container_id(path.as_bytes()).map(|id| id.whole),
                expected.map(str::as_bytes),
                "{path}"
            );
        }
    }

    #[test]
    fn a_container_named_on_one_v1_line_only_is_found() {
        let text = b"12:pids:/\n5:memory:/machine/lxc-77-box.libvirt-lxc\n0::/\n";
        let cgroup = Cgroup::from_proc(text);
        let container = cgroup.container().expect("it is named");
        assert_eq!(
            (container.whole, container.short()),
            (&b"box"[..], &b"box"[..])
        );
        let text = b"5:memory:/\n0::/system.slice/cron.service\n";
        assert_eq!(Cgroup::from_proc(text).container(), None);
    }

    #[test]
    fn components_from_the_kernel_and_text_from_proc_agree() {
        let kernel = Cgroup::from_components(format!("{ID}\0docker\0").as_bytes(), b"");
        let text = Cgroup::from_proc(format!("0::/docker/{ID}\n").as_bytes());
        assert_eq!(kernel, text);
        let container = kernel.container().expect("it is named");
        assert_eq!((container.whole, container.engine), (ID.as_bytes(), None));
        assert_eq!(container.short(), &ID.as_bytes()[..12]);
    }

    #[test]
    fn only_ids_are_shown_shortened() {
        let short = |path: &'static str| {
            let id = container_id(path.as_bytes()).expect("it is named");
            (
                std::str::from_utf8(id.short()).expect("it is text"),
                id.engine,
            )
        };
        assert_eq!(short("/default/frontend-canary"), ("frontend-can", None));
        assert_eq!(
            short("/lxc/frontend-canary"),
            ("frontend-canary", Some(Engine::Lxc))
        );
    }

    proptest::proptest! {
        #[test]
        fn no_path_makes_it_panic(path in proptest::collection::vec(0u8..=255, 0..200)) {
            container_id(&path);
            Cgroup::from_proc(&path);
        }
    }
}
