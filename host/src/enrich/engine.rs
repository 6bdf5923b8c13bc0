//! Container engines: who is asked about a container, how answers come back, and what becomes of
//! an engine that is dead, slow or lying.
//!
//! They are asked by a thread of its own. Questions and answers go over bounded channels, and the
//! state is touched by the event thread alone. One file for each engine that can be asked; those
//! that cannot (LXC, libvirt's, BPM) are known by their control groups, which is the state's
//! business.

mod containerd;
mod cri;
mod docker;
mod grpc;
mod http;
mod podman;
mod roots;

use crate::state::State;
use crate::state::container::{
    Absence, ByPath, ContainerAnswer, ContainerFacts, ContainerLookup, Engine as Kind,
};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

/// Questions, and answers, that may wait.
const QUEUE: usize = 4096;
/// Questions that are being asked of one engine at once.
const ASKED_AT_ONCE: usize = 64;
/// Questions that are being asked at once in all.
const LOOKUPS_MAX: usize = 4096;
/// An engine has so long to answer: Docker's inspect waits until the container has started. (How
/// long events wait is the pipeline's business. What comes later is of use to later ones.)
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// A container that an engine does not know may be one that it is only making: it is asked again
/// for so long.
const ASK_AGAIN_FOR: Duration = Duration::from_millis(400);
/// Kubernetes' sandboxes are known only when all is ready, their network included.
const ASK_AGAIN_FOR_SANDBOX: Duration = Duration::from_millis(1300);
/// And first after this; then after twice as long each time.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(4);
/// And at the latest after this.
const ASK_AGAIN_WITHIN: Duration = Duration::from_millis(100);
/// How long to wait before an engine is called again that has gone away, first and at most.
const CALL_AGAIN_AFTER: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];
/// It is looked who has logged in so often,
const USERS_LOOKED_FOR_EVERY: Duration = Duration::from_secs(2);
/// and for each container that is asked about, but not sooner again than that.
const USERS_LOOKED_FOR_AFTER: Duration = Duration::from_millis(50);
/// No answer of an engine about one container or image may be longer.
const ANSWER_BYTES_MAX: usize = 4 << 20;

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
}

/// An engine's client, whichever engine it is.
enum Api {
    Docker(docker::Docker),
    Podman(podman::Podman),
    Containerd(containerd::Containerd),
    Cri(cri::Cri),
}

struct Client {
    api: Api,
    socket: PathBuf,
    slots: Semaphore,
    asked: AtomicU64,
    failed: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Client {
    fn new(api: Api, socket: &Path) -> Arc<Client> {
        Arc::new(Client {
            api,
            socket: socket.to_owned(),
            slots: Semaphore::new(ASKED_AT_ONCE),
            asked: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            trouble: Mutex::new(Some("not called yet".into())),
        })
    }

    fn name(&self) -> &'static str {
        match &self.api {
            Api::Docker(_) => "docker",
            Api::Podman(_) => "podman",
            Api::Containerd(_) => "containerd",
            Api::Cri(_) => "cri",
        }
    }

    /// Whether it is one of those to ask about a container of such a path.
    fn may_know(&self, likely: Option<Kind>) -> bool {
        let Some(likely) = likely else { return true };
        match &self.api {
            // Kubernetes may run Docker underneath.
            Api::Docker(_) => matches!(likely, Kind::Docker | Kind::Cri),
            Api::Podman(_) => likely == Kind::Podman,
            Api::Containerd(_) => likely == Kind::Containerd,
            Api::Cri(_) => matches!(likely, Kind::Cri | Kind::CriO | Kind::Containerd),
        }
    }

    /// What the engine knows of the container; `None` if it knows none of that id.
    async fn inspect(&self, id: &str) -> Result<Option<ContainerFacts>, Trouble> {
        let asked = async {
            let _slot = self.slots.acquire().await;
            match &self.api {
                Api::Docker(docker) => docker.inspect(id).await,
                Api::Podman(podman) => podman.inspect(id).await,
                Api::Containerd(containerd) => containerd.inspect(id).await,
                Api::Cri(cri) => cri.inspect(id).await,
            }
        };
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = match timeout(ANSWER_WITHIN, asked).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(Trouble::Timeout),
        };
        if let Err(trouble) = &answer {
            tracing::debug!("{} did not tell of `{id}`: {trouble}", self.name());
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    /// Tells of what runs, then of what begins and ends, for as long as the engine does.
    async fn follow(self: &Arc<Client>, tell: &Teller) -> Trouble {
        let followed = match &self.api {
            Api::Docker(docker) => docker.follow(self, tell).await,
            Api::Podman(podman) => podman.follow(self, tell).await,
            Api::Containerd(containerd) => containerd.follow(self, tell).await,
            Api::Cri(cri) => cri.follow(self, tell).await,
        };
        match followed {
            Ok(()) => Trouble::Lost("it was closed".into()),
            Err(trouble) => trouble,
        }
    }

    /// Its events are being followed.
    fn note_well(&self) {
        let mut trouble = self.trouble.lock().expect("nobody panics with it");
        if trouble.take().is_some() {
            tracing::debug!("{} at `{}` answers", self.name(), self.socket.display());
        }
    }

    async fn follow_for_ever(self: Arc<Client>, tell: Teller) {
        let [first, most] = CALL_AGAIN_AFTER;
        let mut pause = first;
        loop {
            let began = Instant::now();
            let why = self.follow(&tell).await;
            tracing::debug!("{} at `{}`: {why}", self.name(), self.socket.display());
            *self.trouble.lock().expect("nobody panics with it") = Some(why.to_string());
            if began.elapsed() > most {
                pause = first;
            }
            sleep(pause).await;
            pause = (pause * 2).min(most);
        }
    }
}

/// The way of answers.
#[derive(Clone)]
struct Teller(Sender<ContainerAnswer>);

impl Teller {
    /// Waits until there is room: an engine that tells too much waits, nobody else.
    async fn tell(&self, answer: ContainerAnswer) {
        // Who listened no more is about to end this thread.
        let _ = self.0.send(answer).await;
    }

    /// Asks about containers, a few at once, and tells the answers.
    async fn tell_all(&self, client: &Arc<Client>, ids: Vec<String>) {
        let few = Arc::new(Semaphore::new(8));
        for id in ids {
            let Ok(slot) = few.clone().acquire_owned().await else {
                return;
            };
            let (client, tell) = (client.clone(), self.clone());
            tokio::spawn(async move {
                tell.tell_of(&client, &id).await;
                drop(slot);
            });
        }
        // Until the last has answered.
        let _ = few.acquire_many(8).await;
    }

    async fn tell_of(&self, client: &Client, id: &str) {
        if let Ok(Some(facts)) = client.inspect(id).await {
            self.tell(ContainerAnswer::Known(Box::new(facts))).await;
        }
    }
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
        let gone = |client: &Arc<Client>| !there.contains(&client.socket);
        while let Some(at) = users.clients.iter().position(gone) {
            users.clients.remove(at);
            users.followed.remove(at).abort();
        }
        for socket in there {
            if users.clients.iter().any(|client| client.socket == socket) {
                continue;
            }
            let client = Client::new(Api::Podman(podman::Podman::new(&socket)), &socket);
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
        let (tell, answers) = channel(QUEUE);
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
                let short = refused.into_inner().short;
                state.answer_container(ContainerAnswer::Absent(short, Absence::Limit));
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
        let standings = clients.iter().map(|client| Standing {
            engine: client.name(),
            socket: client.socket.clone(),
            trouble: client
                .trouble
                .lock()
                .expect("nobody panics with it")
                .clone(),
            asked: client.asked.load(Ordering::Relaxed),
            failed: client.failed.load(Ordering::Relaxed),
        });
        standings.collect()
    }
}

fn clients(settings: &Settings) -> Vec<Arc<Client>> {
    let mut clients = Vec::new();
    let sockets = |choice: &Choice| match choice.enabled {
        true => choice.sockets.clone(),
        false => Vec::new(),
    };
    let place = |socket: &Path| super::host_path(&socket.to_string_lossy());
    for socket in sockets(&settings.docker).iter().map(|path| place(path)) {
        let docker = docker::Docker::new(&socket, &docker::DOCKER);
        clients.push(Client::new(Api::Docker(docker), &socket));
    }
    let of_podman = sockets(&settings.podman).into_iter();
    let of_podman = of_podman.filter(|path| !path.to_string_lossy().contains(podman::USER));
    for socket in of_podman.map(|path| place(&path)) {
        let podman = podman::Podman::new(&socket);
        clients.push(Client::new(Api::Podman(podman), &socket));
    }
    for socket in sockets(&settings.containerd).iter().map(|path| place(path)) {
        let containerd = containerd::Containerd::new(&socket);
        clients.push(Client::new(Api::Containerd(containerd), &socket));
    }
    for socket in sockets(&settings.cri).iter().map(|path| place(path)) {
        let cri = cri::Cri::new(&socket);
        clients.push(Client::new(Api::Cri(cri), &socket));
    }
    clients
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
            let absent = ContainerAnswer::Absent(lookup.short, Absence::Limit);
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

/// Asks all engines that may know the container, and takes the first answer.
async fn look_up(clients: &[Arc<Client>], lookup: ContainerLookup) -> ContainerAnswer {
    let absent = |why| ContainerAnswer::Absent(lookup.short.clone(), why);
    // What no engine would call a container is none, and must not become part of a request.
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    let id = std::str::from_utf8(&lookup.id).ok();
    let Some(id) = id.filter(|id| id.bytes().all(|byte| is_plain(&byte)) && !id.starts_with('.'))
    else {
        return absent(Absence::NotFound);
    };
    let mut asked = tokio::task::JoinSet::new();
    for client in clients
        .iter()
        .filter(|client| client.may_know(lookup.likely))
    {
        let (client, id) = (client.clone(), id.to_owned());
        let patience = match lookup.likely {
            Some(Kind::Cri | Kind::CriO) => ASK_AGAIN_FOR_SANDBOX,
            Some(_) | None => ASK_AGAIN_FOR,
        };
        asked.spawn(async move { ask_again(&client, &id, patience).await });
    }
    let mut why = Absence::NoSocket;
    let deadline = Instant::now() + ANSWER_WITHIN;
    while let Ok(Some(answer)) = tokio::time::timeout_at(deadline, asked.join_next()).await {
        match answer {
            Ok(Ok(facts)) => return ContainerAnswer::Known(Box::new(facts)),
            // The reasons are in the order of what they say of the others.
            Ok(Err(absence)) => why = why.min(absence),
            Err(_panicked) => why = why.min(Absence::BadAnswer),
        }
    }
    if !asked.is_empty() {
        why = why.min(Absence::Timeout);
    }
    absent(why)
}

async fn ask_again(
    client: &Client,
    id: &str,
    patience: Duration,
) -> Result<ContainerFacts, Absence> {
    let until = Instant::now() + patience;
    let mut pause = ASK_AGAIN_AFTER;
    let mut early = None;
    loop {
        match client.inspect(id).await {
            // Its process is there: the engine will know in a moment.
            Ok(Some(facts)) if facts.is_early && Instant::now() + pause <= until => {
                early = Some(facts);
            }
            Ok(Some(facts)) => return Ok(facts),
            // It was removed meanwhile.
            Ok(None) if let Some(early) = early.take() => return Ok(early),
            Ok(None) if Instant::now() + pause > until => return Err(Absence::NotFound),
            // It may be restarting.
            Err(Trouble::Lost(_)) if Instant::now() + pause <= until => {}
            Ok(None) => {}
            Err(trouble) => return Err(trouble.absence()),
        }
        sleep(pause).await;
        pause = (pause * 2).min(ASK_AGAIN_WITHIN);
    }
}

#[cfg(test)]
mod tests;
