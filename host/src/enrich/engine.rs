//! Container engines: who is asked about a container, how answers come back, and what becomes of
//! an engine that is dead, slow or lying.
//!
//! They are asked by a thread of its own. Questions and answers go over bounded channels, and the
//! state is touched by the event thread alone. One file for each engine that can be asked; those
//! that cannot (LXC, libvirt's, BPM) are known by their control groups, which is the state's
//! business.
//!
//! An engine at a socket is a [`client`], which looks containers up, and follows the engine's
//! events: [`telling`] bounds what these have asked, [`lives`] remembers what they say of
//! containers that begin and end. Which control groups a container has, [`roots`] tells.

mod client;
mod containerd;
mod cri;
mod docker;
mod few;
mod grpc;
mod http;
mod lives;
mod podman;
mod roots;
mod telling;

use crate::state::State;
use crate::state::container::{Absence, ByPath, ContainerAnswer, ContainerLookup};
use client::{ANSWER_WITHIN, Client};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telling::Teller;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

/// Questions that may wait.
const QUEUE: usize = 4096;
/// Answers that may wait.
const ANSWERS_MAX: usize = 256;
/// Questions that are being asked at once in all.
const LOOKUPS_MAX: usize = 4096;
/// It is looked who has logged in so often,
const USERS_LOOKED_FOR_EVERY: Duration = Duration::from_secs(2);
/// and for each container that is asked about, but not sooner again than that.
const USERS_LOOKED_FOR_AFTER: Duration = Duration::from_millis(50);
/// No answer of an engine about one container or image may be longer,
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// by gRPC, where more is told that is not read,
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// and none of a list.
const LIST_BYTES_MAX: usize = 16 << 20;

/// Whether an engine is asked, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Whether.
    pub enabled: bool,
    /// Where, below `HOST_ROOT`.
    pub sockets: Vec<PathBuf>,
}

impl Choice {
    fn at(sockets: &[&str]) -> Choice {
        Choice {
            enabled: true,
            sockets: sockets.iter().map(PathBuf::from).collect(),
        }
    }
}

/// Which engines are asked, under the names that Falco's container plugin gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the engines' names")]
pub struct Settings {
    pub docker: Choice,
    pub podman: Choice,
    pub containerd: Choice,
    pub cri: Choice,
    /// Those that cannot be asked.
    pub by_path: ByPath,
}

impl Default for Settings {
    /// The plugin's sockets, and those of the distributions of Kubernetes that bring their own.
    fn default() -> Settings {
        Settings {
            docker: Choice::at(&["/var/run/docker.sock"]),
            podman: Choice::at(&[
                "/run/podman/podman.sock",
                "/run/user/$uid/podman/podman.sock",
            ]),
            containerd: Choice::at(&[
                "/run/containerd/containerd.sock",
                "/run/host-containerd/containerd.sock",
            ]),
            cri: Choice::at(&[
                "/run/containerd/containerd.sock",
                "/run/crio/crio.sock",
                // k3s's, and RKE2's.
                "/run/k3s/containerd/containerd.sock",
                "/run/k0s/containerd.sock",
                "/var/snap/microk8s/common/run/containerd.sock",
                "/run/host-containerd/containerd.sock",
            ]),
            by_path: ByPath::default(),
        }
    }
}

impl Settings {
    /// Where engines are asked, with their names; without the sockets of users.
    pub fn sockets(&self) -> Vec<(&'static str, PathBuf)> {
        let all = [
            ("docker", &self.docker),
            ("podman", &self.podman),
            ("containerd", &self.containerd),
            ("cri", &self.cri),
        ];
        let asked = all.into_iter().filter(|(_, choice)| choice.enabled);
        let sockets = asked.flat_map(|(engine, choice)| {
            let places = choice.sockets.iter().map(|socket| socket.to_string_lossy());
            let fixed = places.filter(|place| !place.contains(podman::USER));
            fixed.map(move |place| (engine, super::host_path(&place)))
        });
        sockets.collect()
    }
}

/// Why an engine did not answer.
#[derive(Debug)]
enum Trouble {
    NoSocket,
    Denied,
    Timeout,
    BadAnswer(String),
    /// The connection was lost, or was closed by the engine.
    Lost(String),
}

impl Trouble {
    fn of_io(error: &io::Error) -> Trouble {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Trouble::NoSocket,
            io::ErrorKind::PermissionDenied => Trouble::Denied,
            _ => Trouble::Lost(error.to_string()),
        }
    }

    fn absence(&self) -> Absence {
        match self {
            Trouble::NoSocket => Absence::NoSocket,
            Trouble::Denied => Absence::Denied,
            Trouble::Timeout | Trouble::Lost(_) => Absence::Timeout,
            Trouble::BadAnswer(_) => Absence::BadAnswer,
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::NoSocket => f.write_str("nobody listens"),
            Trouble::Denied => f.write_str("permission denied"),
            Trouble::Timeout => f.write_str("no answer in time"),
            Trouble::BadAnswer(why) => write!(f, "a bad answer: {why}"),
            Trouble::Lost(why) => write!(f, "the connection was lost: {why}"),
        }
    }
}

/// An engine's client, whichever engine it is.
enum Api {
    Docker(docker::Docker),
    Podman(podman::Podman),
    Containerd(containerd::Containerd),
    Cri(cri::Cri),
}

/// How an engine at one socket is doing.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Which engine.
    pub engine: &'static str,
    /// Where.
    pub socket: PathBuf,
    /// What is wrong; `None` while its events are followed.
    pub trouble: Option<String>,
    /// How often it was asked about a container, and did not answer that.
    pub asked: u64,
    /// How often it failed to answer.
    pub failed: u64,
    /// Containers that its events told of, too many at once: they were not asked about until a
    /// process of theirs was met.
    pub overlooked: u64,
}

/// Whom there is to ask: those at sockets of the settings, and users' own, who come and go.
struct Clients {
    fixed: Vec<Arc<Client>>,
    /// Sockets of Podman's, with `$uid` for whose it is.
    of_users: Vec<PathBuf>,
    users: Mutex<Users>,
}

#[derive(Default)]
struct Users {
    clients: Vec<Arc<Client>>,
    /// What follows each of them.
    followed: Vec<AbortHandle>,
    looked_at: Option<Instant>,
}

impl Clients {
    fn new(settings: &Settings) -> Arc<Clients> {
        let is_of_users = |socket: &PathBuf| socket.to_string_lossy().contains(podman::USER);
        let mut of_users = settings.podman.sockets.clone();
        of_users.retain(|socket| settings.podman.enabled && is_of_users(socket));
        Arc::new(Clients {
            fixed: clients(settings),
            of_users,
            users: Mutex::default(),
        })
    }

    fn all(&self) -> Vec<Arc<Client>> {
        let users = self.users.lock().expect("nobody panics with it");
        self.fixed.iter().chain(&users.clients).cloned().collect()
    }

    /// Looks who has logged in or out, unless that was just done.
    fn look_for_users(&self, tell: &Teller) {
        if self.of_users.is_empty() {
            return;
        }
        let mut users = self.users.lock().expect("nobody panics with it");
        let users = &mut *users;
        let is_late = |at: Instant| at.elapsed() >= USERS_LOOKED_FOR_AFTER;
        if !users.looked_at.is_none_or(is_late) {
            return;
        }
        users.looked_at = Some(Instant::now());
        let there = podman::sockets(&self.of_users);
        let gone = |client: &Arc<Client>| there.iter().all(|(_, socket)| *socket != client.socket);
        while let Some(at) = users.clients.iter().position(gone) {
            users.clients.remove(at);
            users.followed.remove(at).abort();
        }
        for (uid, socket) in there {
            if users.clients.iter().any(|client| client.socket == socket) {
                continue;
            }
            let podman = Api::Podman(podman::Podman::new(&socket, Some(uid)));
            let client = Client::new(podman, &socket, Some(uid));
            let followed = tokio::spawn(client.clone().follow_for_ever(tell.clone()));
            users.followed.push(followed.abort_handle());
            users.clients.push(client);
        }
    }
}

/// The thread that asks engines.
pub struct Engines {
    lookups: Sender<ContainerLookup>,
    answers: Receiver<ContainerAnswer>,
    clients: Arc<Clients>,
}

impl Engines {
    /// Starts the thread, and has the state ask about containers.
    pub fn start(settings: &Settings, state: &mut State) -> io::Result<Engines> {
        let clients = Clients::new(settings);
        let (lookups, asked) = channel(QUEUE);
        let (tell, answers) = channel(ANSWERS_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let served = clients.clone();
        std::thread::Builder::new()
            .name("saker-engines".into())
            .spawn(move || runtime.block_on(serve(served, asked, Teller(tell))))?;
        state.ask_about_containers();
        let mut engines = Engines {
            lookups,
            answers,
            clients,
        };
        engines.ask(state);
        Ok(engines)
    }

    /// Hands the state's open questions over.
    pub fn ask(&mut self, state: &mut State) {
        for lookup in state.take_container_lookups() {
            if let Err(refused) = self.lookups.try_send(lookup) {
                let id = refused.into_inner().id;
                state.answer_container(ContainerAnswer::Absent(id, Absence::Limit));
            }
        }
    }

    /// The next answer, if there is one.
    pub fn try_answer(&mut self) -> Option<ContainerAnswer> {
        self.answers.try_recv().ok()
    }

    /// Waits for the next answer. May be given up at any time.
    pub async fn answer(&mut self) -> ContainerAnswer {
        match self.answers.recv().await {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    /// How the engines are doing.
    pub fn standings(&self) -> Vec<Standing> {
        let clients = self.clients.all();
        clients.iter().map(|client| client.standing()).collect()
    }
}

fn clients(settings: &Settings) -> Vec<Arc<Client>> {
    // What Docker and Kubernetes run on containerd they tell of themselves, and more.
    let others = [
        ("moby", settings.docker.enabled),
        (containerd::KUBERNETES, settings.cri.enabled),
    ];
    let others = others.into_iter().filter(|(_, is_asked)| *is_asked);
    let others: Vec<&'static str> = others.map(|(namespace, _)| namespace).collect();
    let client = |(engine, socket): (&str, PathBuf)| {
        let api = match engine {
            "docker" => Api::Docker(docker::Docker::new(&socket, None, &docker::DOCKER)),
            "podman" => Api::Podman(podman::Podman::new(&socket, None)),
            "containerd" => Api::Containerd(containerd::Containerd::new(&socket, &others)),
            _ => Api::Cri(cri::Cri::new(&socket)),
        };
        Client::new(api, &socket, None)
    };
    settings.sockets().into_iter().map(client).collect()
}

/// Runs until nobody asks any more.
async fn serve(clients: Arc<Clients>, mut asked: Receiver<ContainerLookup>, tell: Teller) {
    for client in &clients.fixed {
        tokio::spawn(client.clone().follow_for_ever(tell.clone()));
    }
    let slots = Arc::new(Semaphore::new(LOOKUPS_MAX));
    loop {
        clients.look_for_users(&tell);
        let lookup = match timeout(USERS_LOOKED_FOR_EVERY, asked.recv()).await {
            Ok(Some(lookup)) => lookup,
            Ok(None) => return,
            Err(_elapsed) => continue,
        };
        // It may be the first container of a user who just logged in.
        clients.look_for_users(&tell);
        let Ok(slot) = slots.clone().try_acquire_owned() else {
            let absent = ContainerAnswer::Absent(lookup.id, Absence::Limit);
            tell.tell(absent).await;
            continue;
        };
        let (clients, tell) = (clients.all(), tell.clone());
        tokio::spawn(async move {
            tell.tell(look_up(&clients, lookup).await).await;
            drop(slot);
        });
    }
}

/// Asks all engines that may know the container, and takes the first answer of the system's.
async fn look_up(clients: &[Arc<Client>], lookup: ContainerLookup) -> ContainerAnswer {
    let absent = |why| ContainerAnswer::Absent(lookup.id.clone(), why);
    // What no engine would call a container is none.
    let id = std::str::from_utf8(&lookup.id).ok();
    let Some(id) = id.filter(|id| telling::is_id(id)) else {
        return absent(Absence::NotFound);
    };
    let mut asked = tokio::task::JoinSet::new();
    for client in clients.iter().filter(|client| client.may_know(&lookup)) {
        let (client, lookup, id) = (client.clone(), lookup.clone(), id.to_owned());
        asked.spawn(async move { client.look_up(&lookup, &id).await });
    }
    let mut why = Absence::NoSocket;
    let mut of_user = None;
    let deadline = Instant::now() + ANSWER_WITHIN;
    while let Ok(Some(answer)) = tokio::time::timeout_at(deadline, asked.join_next()).await {
        match answer {
            // What a user's engine says counts where the system's know nothing.
            Ok(Ok(facts)) if facts.user.is_some() => of_user = Some(facts),
            Ok(Ok(facts)) => return ContainerAnswer::Known(Box::new(facts)),
            // The reasons are in the order of what they say of the others.
            Ok(Err(absence)) => why = why.min(absence),
            Err(_panicked) => why = why.min(Absence::BadAnswer),
        }
    }
    if let Some(facts) = of_user {
        return ContainerAnswer::Known(Box::new(facts));
    }
    if !asked.is_empty() {
        why = why.min(Absence::Timeout);
    }
    absent(why)
}

#[cfg(test)]
mod tests;
