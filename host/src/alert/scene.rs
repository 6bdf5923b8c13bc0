//! What stood around the event of a hit: who did it, whom that came of, in which container, and
//! with what. For those who look at an alert later; its line does not show it.

use super::to_json;
use crate::extract::{self, Scratch, View, command_line, printable};
use crate::state::State;
use crate::state::version::ProcessVersion;
use saker_rules_schema::field::{Arg, Field, FieldRef};
use serde::{Deserialize, Serialize};

/// A command line is shown no further.
const COMMAND_LINE_BYTES_MAX: usize = 4096;
/// Nor all of a scene together.
const SCENE_BYTES_MAX: usize = 64 * 1024;
/// Nor of more processes is it told that they are below their root.
const BELOW_MAX: usize = 32;
/// Nobody's login.
const NO_LOGIN: u32 = u32::MAX;
/// The first process, which services and whoever lost its parent come of, and the kernel's.
const ROOTS_MAX: u32 = 2;

/// What stood around an event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// Type of the event.
    pub event: String,
    /// Fields of what the event was about, with their values; those without are left out.
    pub object: Vec<(String, serde_json::Value)>,
    /// The process and its ancestors, nearest first.
    pub processes: Vec<Process>,
    /// The container; none outside of one.
    pub container: Option<Container>,
    /// The root of the process tree.
    pub root: Option<Root>,
    /// It was longer than what is kept.
    #[serde(default)]
    pub is_cut: bool,
}

/// A process as it was then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// What it executes.
    pub exepath: String,
    /// Its name and arguments.
    pub cmdline: String,
    /// Its user's name, where it is known.
    pub user: String,
    /// Its effective user.
    pub uid: u32,
    /// When it started, ns since the epoch; 0 where that is not known.
    pub started: u64,
    /// The whole id of its container; empty outside of one.
    pub container: String,
}

/// A container as far as it was known then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields' names")]
pub struct Container {
    pub id: String,
    pub full_id: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub image: String,
    #[serde(default)]
    pub image_repository: String,
    pub image_digest: String,
    pub namespace: String,
    pub pod: String,
}

/// What the root of a process tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootKind {
    /// A container's entry point, or what came into the container.
    Container,
    /// Somebody's login.
    Login,
    /// What the first process began.
    Service,
}

/// The root of a process tree: where an attack came in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Root {
    /// What it is.
    pub kind: RootKind,
    /// Which of the scene's processes it is.
    pub at: usize,
    /// Tells it from every other root since the machine was booted.
    pub key: String,
    /// The keys of what stands between it and the event's process: each would have been the root
    /// while what it came of was not known.
    #[serde(skip)]
    pub below: Vec<String>,
}

impl Scene {
    /// What stands around the event in `view`.
    pub fn of(view: &View<'_>, scratch: &mut Scratch) -> Scene {
        let state = view.state();
        let number = view.event.number();
        let mut scene = Scene {
            event: view.event.kind().map_or("", |kind| kind.name()).to_owned(),
            ..Scene::default()
        };
        for field in OBJECT {
            let asked = FieldRef {
                field: *field,
                arg: Arg::None,
            };
            if let Some(value) = extract::value(&asked, view, scratch) {
                let value = to_json(Some(&value));
                let is_long = value
                    .as_str()
                    .is_some_and(|text| text.len() > COMMAND_LINE_BYTES_MAX);
                scene.is_cut |= is_long;
                if !value.is_null() && !is_long {
                    scene.object.push((field.name().to_owned(), value));
                }
            }
        }
        let Some(version) = view.process() else {
            return scene;
        };
        let chain = || std::iter::once(version).chain(state.lineage(version, number));
        let mut bytes = 0;
        for version in chain() {
            let process = scene.process(state, version);
            bytes += process.cmdline.len() + process.exepath.len();
            if bytes > SCENE_BYTES_MAX {
                scene.is_cut = true;
                break;
            }
            scene.processes.push(process);
        }
        if version.container().is_some() {
            scene.container = Some(container(view, scratch));
        }
        let chain: Vec<_> = chain().take(scene.processes.len()).collect();
        scene.root = root(&chain);
        scene
    }

    fn process(&mut self, state: &State, version: &ProcessVersion) -> Process {
        let mut text = Vec::new();
        command_line(version, &mut text);
        self.is_cut |= text.len() > COMMAND_LINE_BYTES_MAX;
        text.truncate(COMMAND_LINE_BYTES_MAX);
        let uid = version.credentials.euid;
        let user = state.users().user(uid);
        let shown = |bytes: &[u8]| printable::lenient(bytes).into_owned();
        Process {
            pid: version.pid,
            name: shown(version.comm.as_bytes()),
            exepath: shown(&version.image.exe_path),
            cmdline: shown(&text),
            user: user.map_or(String::new(), |user| shown(&user.name)),
            uid,
            started: match version.start_time {
                0 => 0,
                start => state.clock().wall(start),
            },
            container: version
                .container()
                .map_or(String::new(), |id| shown(id.whole)),
        }
    }

    /// Bytes of memory it takes, about.
    pub fn bytes(&self) -> usize {
        let processes = self
            .processes
            .iter()
            .map(|process| size_of::<Process>() + process.cmdline.len() + process.exepath.len());
        size_of::<Scene>() + 64 * self.object.len() + processes.sum::<usize>()
    }
}

/// What an event is about, and what came of it.
const OBJECT: &[Field] = &[
    Field::FdName,
    Field::FdType,
    Field::FdNum,
    Field::FdL4proto,
    Field::FdLip,
    Field::FdLport,
    Field::FdRip,
    Field::FdRport,
    Field::FsPathName,
    Field::FsPathSource,
    Field::FsPathTarget,
    Field::EvtRes,
    Field::ProcCwd,
    Field::ProcTty,
    Field::UserLoginuid,
    Field::UserLoginname,
];

fn container(view: &View<'_>, scratch: &mut Scratch) -> Container {
    let mut text = |field: Field| {
        let asked = FieldRef {
            field,
            arg: Arg::None,
        };
        let value = extract::value(&asked, view, scratch);
        match to_json(value.as_ref()) {
            serde_json::Value::String(text) => text,
            _ => String::new(),
        }
    };
    Container {
        id: text(Field::ContainerId),
        full_id: text(Field::ContainerFullId),
        name: text(Field::ContainerName),
        kind: text(Field::ContainerType),
        image: text(Field::ContainerImage),
        image_repository: text(Field::ContainerImageRepository),
        image_digest: text(Field::ContainerImageDigest),
        namespace: text(Field::K8sNsName),
        pod: text(Field::K8sPodName),
    }
}

/// The root of a chain of processes, nearest first: of those in one container the last, else of
/// those of one login, else the one that the first process began.
fn root(chain: &[&ProcessVersion]) -> Option<Root> {
    let own = chain.first()?;
    let last = |is_in: &dyn Fn(&ProcessVersion) -> bool| {
        let inside = chain.iter().take_while(|version| is_in(version)).count();
        inside.saturating_sub(1)
    };
    if let Some(id) = own.container() {
        let whole = id.whole.to_vec();
        return Some(Root {
            kind: RootKind::Container,
            at: last(&|version| version.container().is_some_and(|id| id.whole == whole)),
            key: format!("container {}", String::from_utf8_lossy(&whole)),
            below: Vec::new(),
        });
    }
    let login = own.ids.loginuid;
    let (kind, at) = match login {
        NO_LOGIN => (
            RootKind::Service,
            last(&|version| version.pid > ROOTS_MAX || version.pid == own.pid),
        ),
        _ => (
            RootKind::Login,
            last(&|version| version.ids.loginuid == login),
        ),
    };
    // What is read of a process that was there before us is rounded down to clock ticks.
    let key = |of: &ProcessVersion| format!("process {} {}", of.pid, of.start_time / TICK_NS);
    let below = chain[..at].iter().rev().take(BELOW_MAX);
    Some(Root {
        kind,
        at,
        key: key(chain[at]),
        below: below.map(|of| key(of)).collect(),
    })
}

/// Of `USER_HZ`.
const TICK_NS: u64 = 10_000_000;
