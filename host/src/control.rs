//! The control socket: requests and answers as lines of JSON, of Saker's own user and root.
//!
//! A thread of its own reads and writes; what is asked goes to the event thread over a bounded
//! queue, and whatever a request says is done there or aside by the commands. Who may connect is
//! settled twice: the socket's file has mode 0600 from its first moment, and the kernel is asked
//! who is at the other end of each connection. How many connect, how long a line is and how long
//! anybody waits is bounded.

use crate::modules::roster::Listed;
use crate::recent::Standing;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use saker_web::trial::Shadow;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// No line that is asked is longer.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// No answer is longer: what lists of 256 modules take, with room.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// So many may be connected.
const CONNECTIONS_MAX: usize = 16;
/// So much that was asked may wait.
const ASKED_MAX: usize = 32;
/// Who says nothing for so long is hung up on.
const SILENCE: Duration = Duration::from_secs(10);
/// How long an answer may take: a module takes a minute to compile at most.
const ANSWER: Duration = Duration::from_secs(180);

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How it goes.
    Status {},
    /// What is known of containers.
    Containers {},
    /// Which modules are loaded.
    List {},
    /// Which rules the loaded modules have.
    Rules {},
    /// How much is kept of recent events; what is not together yet is put together.
    Recent {},
    /// Have rules judge beside those that run, without anybody hearing them.
    Shadow {
        /// Their file, from the root.
        path: PathBuf,
        /// The module whose place they would take.
        replaces: Option<String>,
        /// Whether the loaded rule files come before them.
        with_loaded: bool,
        /// For how long.
        seconds: u32,
    },
    /// What they come to.
    ShadowStanding {},
    /// Put them in their place.
    Promote {},
    /// Forget them.
    EndShadow {},
    /// Where the page is.
    Page {},
    /// Turn a rule on.
    EnableRule {
        /// Its name.
        name: String,
    },
    /// Turn a rule off.
    DisableRule {
        /// Its name.
        name: String,
    },
    /// Load a module that is not loaded yet.
    Load {
        /// Its file, from the root.
        path: PathBuf,
    },
    /// Put another version in a module's place.
    Swap {
        /// Its name.
        name: String,
        /// The version's file, from the root.
        path: PathBuf,
    },
    /// Turn a module off.
    Disable {
        /// Its name.
        name: String,
    },
    /// Turn it on again.
    Enable {
        /// Its name.
        name: String,
    },
    /// Bring its version before back.
    Rollback {
        /// Its name.
        name: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is not done, and why.
    Error(String),
    /// It is done; what.
    Done(String),
    /// The modules.
    Modules(Vec<Listed>),
    /// The rules.
    Rules(Vec<Rule>),
    /// What is known of containers.
    Containers(Containers),
    /// How it goes.
    Status(Status),
    /// How much is kept of recent events; none where they are not kept.
    Recent(Option<Standing>),
    /// What a shadow comes to, if there is one.
    Shadow(Option<Box<Shadow>>),
    /// A link to the page that lets in whoever follows it; none where there is no page.
    Page(Option<String>),
}

/// A rule of a module that is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// The module it is of.
    pub module: String,
    /// What it is about.
    pub description: String,
    /// Its priority.
    pub priority: String,
    /// Its source.
    pub source: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether it may alert.
    pub enabled: bool,
    /// Alerts so far.
    pub alerts: u64,
}

/// What is known of containers, and of those who know them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Containers {
    /// Those that were seen and are not forgotten yet.
    pub containers: Vec<Container>,
    /// The engines that are asked.
    pub engines: Vec<Engine>,
    /// Of how many containers nothing could be told so far, and of how many alerts' containers, by
    /// the reason.
    #[serde(default)]
    pub absent: Vec<Absent>,
    /// Events that waited until their container was told of.
    #[serde(default)]
    pub waited: u64,
    /// Those that waited for as long as they may.
    #[serde(default)]
    pub waited_in_vain: u64,
    /// Those that had to go on because too many waited.
    #[serde(default)]
    pub crowded_out: u64,
}

/// What could not be told for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// The reason, as alerts give it.
    pub why: String,
    /// Containers that were asked about.
    pub containers: u64,
    /// Alerts.
    pub alerts: u64,
}

/// A container, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// `container.id`.
    pub id: String,
    /// `container.full_id`.
    pub full_id: String,
    /// The path of its control group, or of the first that has its name; empty where none was met.
    #[serde(default)]
    pub group: String,
    /// `container.name`; empty as long as no engine has told anything, as all below is.
    pub name: String,
    /// `container.type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `container.image`.
    pub image: String,
    /// Why nothing is known, or not all of it, or not of the processes in that group; empty where
    /// all is well.
    pub metadata: String,
}

/// An engine, and how it is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    /// Its name.
    pub engine: String,
    /// Where it is asked.
    pub socket: String,
    /// Why it is not followed, if it is not.
    pub trouble: Option<String>,
    /// Questions so far.
    pub asked: u64,
    /// Those that failed.
    pub failed: u64,
    /// Containers that its events told of, too many at once to ask about each.
    #[serde(default)]
    pub overlooked: u64,
}

/// How a run goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Saker's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Since when it watches.
    pub uptime_seconds: u64,
    /// The number of the running epoch.
    pub epoch: u32,
    /// Modules that are loaded.
    pub modules: u64,
    /// Rules that may alert.
    pub rules: u64,
    /// Events so far.
    pub events: u64,
    /// Alerts so far.
    pub alerts: u64,
    /// Windows handed to modules so far.
    pub windows: u64,
    /// Rows written for modules so far.
    #[serde(default)]
    pub rows: u64,
    /// Events that the kernel had no room for.
    pub dropped: u64,
    /// Rows that no module judged.
    pub rows_unjudged: u64,
    /// Times that a module failed.
    pub module_failures: u64,
    /// Times that other modules took over.
    pub swaps: u64,
    /// Files of kept native code that were there and not used.
    pub kept_code_refused: u64,
    /// The process that judges; none where threads do, or while it is started anew.
    #[serde(default)]
    pub judge_pid: Option<u32>,
    /// Times that another took its place.
    #[serde(default)]
    pub judge_restarts: u64,
    /// Rows that no module judged because the process died.
    #[serde(default)]
    pub rows_of_dead_judges: u64,
    /// All that was lost, by cause; causes without a loss, too.
    #[serde(default)]
    pub losses: Vec<Loss>,
    /// Which types of events came, and how often.
    #[serde(default)]
    pub event_types: Vec<Came>,
    /// What the stages of an event take.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// What waits where.
    #[serde(default)]
    pub queues: Vec<Queue>,
    /// What the state remembers.
    #[serde(default)]
    pub remembered: Remembered,
}

/// How often a type of events came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Came {
    /// Its name.
    pub event: String,
    /// How often.
    pub count: u64,
}

/// What a stage of an event takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name.
    pub stage: String,
    /// Nanoseconds together.
    pub ns: u64,
    /// Of so many events.
    pub events: u64,
}

/// How full a queue is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Of what.
    pub name: String,
    /// So many wait.
    pub waiting: u64,
    /// So many may.
    pub most: u64,
}

/// How much was lost for one cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The cause.
    pub cause: String,
    /// How much.
    pub count: u64,
}

/// How much is remembered between events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Threads.
    pub threads: u64,
    /// Processes.
    pub processes: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

/// The error where no answer came, of which nobody knows what it would have been.
pub const LATE: &str = "it takes too long; it may still be done";

/// Where requests are put to the event thread.
#[derive(Clone, Debug)]
pub struct Asker(mpsc::Sender<Asked>);

/// Where requests are put, and where they come out.
pub fn requests() -> (Asker, mpsc::Receiver<Asked>) {
    let (ask, asked) = mpsc::channel(ASKED_MAX);
    (Asker(ask), asked)
}

impl Asker {
    /// Asks, and waits for the answer, so long at most. Not for threads that others wait for.
    pub fn ask_within(&self, patience: Duration, request: Request, by: &str) -> Option<Answer> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let answer = answer(request, by, &self.0);
        let answer = async { tokio::time::timeout(patience, answer).await.ok() };
        runtime.ok()?.block_on(answer)
    }

    /// The same, for as long as any answer may take.
    pub fn ask_waiting(&self, request: Request, by: &str) -> Answer {
        let answer = self.ask_within(2 * ANSWER, request, by);
        answer.unwrap_or_else(|| Answer::Error(LATE.into()))
    }
}

/// A request, and where its answer goes.
#[derive(Debug)]
pub struct Asked {
    /// What is asked.
    pub request: Request,
    /// By whom, in words.
    pub by: String,
    /// Takes the answer. Nobody may be there any more.
    pub reply: oneshot::Sender<Answer>,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum Unserved {
    /// Another process answers there.
    #[error("another process listens there")]
    Taken,
    /// What is there is no socket.
    #[error("it is something else than a socket")]
    NoSocket,
    /// The path is longer than one of a socket may be.
    #[error("the path is too long for a socket")]
    TooLong,
    /// It cannot be made.
    #[error("{0}")]
    Failed(#[from] io::Error),
}

impl From<Errno> for Unserved {
    fn from(error: Errno) -> Unserved {
        Unserved::Failed(error.into())
    }
}

/// The socket, as long as it is served.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    /// Of the socket's file: another's is not removed.
    inode: u64,
}

impl Control {
    /// Makes the socket and serves it; what is asked goes there.
    pub fn serve(path: &Path, asker: Asker) -> Result<Control, Unserved> {
        let listener = listen(path)?;
        let inode = path.symlink_metadata()?.ino();
        let Asker(ask) = asker;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("saker-control".into())
            .spawn(move || {
                let served = runtime.block_on(serve(listener.into(), ask));
                if let Err(error) = served {
                    tracing::error!("the control socket is served no more: {error}");
                }
            })?;
        let path = path.to_owned();
        Ok(Control { path, inode })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let found = self.path.symlink_metadata();
        if found.is_ok_and(|found| found.ino() == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn listen(path: &Path) -> Result<OwnedFd, Unserved> {
    let address = SocketAddrUnix::new(path).map_err(|_| Unserved::TooLong)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        std::fs::DirBuilder::new().mode(0o755).create(folder)?;
    }
    match path.symlink_metadata() {
        Ok(found) if !found.file_type().is_socket() => return Err(Unserved::NoSocket),
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => return Err(Unserved::Taken),
            // Left behind by a process that was killed.
            Err(_) => std::fs::remove_file(path)?,
        },
        Err(_) => {}
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // A socket's file gets the mode of the socket that is bound: it is nobody else's from the
    // first moment.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, CONNECTIONS_MAX as i32)?;
    Ok(socket)
}

async fn serve(
    listener: std::os::unix::net::UnixListener,
    ask: mpsc::Sender<Asked>,
) -> io::Result<()> {
    let listener = tokio::net::UnixListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Who comes when all places are taken waits in the kernel's queue.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return Ok(());
        };
        let stream = tokio::select! {
            () = ask.closed() => return Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // No descriptors left, most likely: it passes.
                    tracing::debug!("a connection cannot be taken: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let ask = ask.clone();
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = converse(stream, &ask).await {
                tracing::debug!("a connection to the control socket ends: {error}");
            }
        });
    }
}

async fn converse(mut stream: tokio::net::UnixStream, ask: &mpsc::Sender<Asked>) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    if uid != 0 && uid != rustix::process::geteuid().as_raw() {
        return say(
            &mut stream,
            &Answer::Error(format!("user {uid} may not control this Saker")),
        )
        .await;
    }
    let by = format!("user {uid} by `saker ctl`");
    let (read, mut write) = stream.split();
    let mut read = tokio::io::BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = (&mut read).take(REQUEST_BYTES_MAX as u64 + 1);
        let reading = bounded.read_until(b'\n', &mut line);
        match tokio::time::timeout(SILENCE, reading).await {
            Ok(Ok(0)) => return Ok(()),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Ok(()),
        }
        if line.len() > REQUEST_BYTES_MAX {
            let error = format!("a request has {REQUEST_BYTES_MAX} bytes at most");
            // What follows is the rest of it.
            return say(&mut write, &Answer::Error(error)).await;
        }
        let answer = match serde_json::from_slice(&line) {
            Ok(request) => answer(request, &by, ask).await,
            Err(error) => Answer::Error(format!("that is no request: {error}")),
        };
        say(&mut write, &answer).await?;
    }
}

async fn answer(request: Request, by: &str, ask: &mpsc::Sender<Asked>) -> Answer {
    let (reply, replied) = oneshot::channel();
    let by = by.to_owned();
    if ask.try_send(Asked { request, by, reply }).is_err() {
        return Answer::Error("too much is asked at once".into());
    }
    match tokio::time::timeout(ANSWER, replied).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Answer::Error("Saker is ending".into()),
        Err(_) => Answer::Error(LATE.into()),
    }
}

async fn say(to: &mut (impl AsyncWriteExt + Unpin), answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    match tokio::time::timeout(SILENCE, to.write_all(&line)).await {
        Ok(written) => written,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Asks the Saker that serves that socket.
pub fn ask(path: &Path, request: &Request) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(ANSWER + SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_until(b'\n', &mut answer)?;
    Ok(serde_json::from_slice(&answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket whose every request is answered by its own text.
    fn echo(folder: &Path) -> (Control, PathBuf) {
        let path = folder.join("socket");
        let (asker, mut asked) = requests();
        let control = Control::serve(&path, asker).expect("a folder of the test");
        std::thread::spawn(move || {
            while let Some(Asked { request, reply, .. }) = asked.blocking_recv() {
                let _ = reply.send(Answer::Done(format!("{request:?}")));
            }
        });
        (control, path)
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder for files of the test")
    }

    #[test]
    fn what_is_asked_is_answered_and_the_socket_is_nobody_elses() {
        let folder = folder();
        let (control, path) = echo(folder.path());
        let mode = path.symlink_metadata().expect("it is there").mode();
        assert_eq!(mode & 0o7777, 0o600);
        let request = Request::Swap {
            name: "beacon".into(),
            path: "/x.wasm".into(),
        };
        let answer = ask(&path, &request).expect("it answers");
        assert_eq!(answer, Answer::Done(format!("{request:?}")));
        drop(control);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_request_is_answered_so_and_too_long_a_line_ends_the_conversation() {
        let folder = folder();
        let (_control, path) = echo(folder.path());
        let mut stream = UnixStream::connect(&path).expect("it listens");
        let mut lines = BufReader::new(stream.try_clone().expect("a descriptor")).lines();
        for wrong in [
            "",
            "x",
            "{}",
            r#"{"ask":"fork"}"#,
            r#"{"ask":"disable"}"#,
            r#"{"ask":"disable","name":"x","more":1}"#,
            "\u{0}",
        ] {
            writeln!(stream, "{wrong}").expect("it reads");
            let line = lines.next().expect("an answer").expect("text");
            assert!(line.contains("no request"), "{wrong:?}: {line}");
        }
        writeln!(stream, r#"{{"ask":"list"}}"#).expect("it reads");
        let line = lines.next().expect("an answer").expect("text");
        assert!(line.contains("List"), "{line}");
        let _ = stream.write_all(&vec![b' '; REQUEST_BYTES_MAX + 2]);
        let line = lines.next().expect("an answer").expect("text");
        assert!(line.contains("bytes at most"), "{line}");
        assert!(!matches!(lines.next(), Some(Ok(_))));
    }

    #[test]
    fn one_who_never_speaks_keeps_nobody_else_from_being_answered() {
        let folder = folder();
        let (_control, path) = echo(folder.path());
        let silent: Vec<UnixStream> = (0..CONNECTIONS_MAX - 1)
            .map(|_| UnixStream::connect(&path).expect("it listens"))
            .collect();
        assert!(ask(&path, &Request::Status {}).is_ok());
        drop(silent);
    }

    #[test]
    fn a_socket_that_was_left_behind_is_replaced_and_one_that_is_served_is_not() {
        let folder = folder();
        let path = folder.path().join("socket");
        // As a process leaves it that is killed.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a folder of the test"));
        let (_control, path) = echo(folder.path());
        let taken = Control::serve(&path, requests().0).expect_err("it is served");
        assert!(matches!(taken, Unserved::Taken));
        let file = folder.path().join("file");
        std::fs::write(&file, "x").expect("a folder of the test");
        assert!(matches!(
            Control::serve(&file, requests().0),
            Err(Unserved::NoSocket)
        ));
        assert!(file.exists());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a folder of the test");
        assert!(matches!(
            Control::serve(&link, requests().0),
            Err(Unserved::NoSocket)
        ));
    }
}
