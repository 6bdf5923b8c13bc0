//! What a running Saker is asked by `saker ctl`: a socket that takes one word and answers with
//! one JSON object.
//!
//! It is served by a thread of its own, one caller after the other, each for a bounded time. What
//! only the event thread knows, that is asked for over a channel, and answers when it gets to it.

use serde_json::Value;
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

/// Nobody who asks is waited for longer.
const CALLER_WITHIN: Duration = Duration::from_secs(2);
/// A question is no longer.
const QUESTION_BYTES_MAX: u64 = 64;
/// No answer is taken to be longer.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// What is known of containers, and how their engines are doing.
    Containers,
}

impl Question {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Question::Containers => "containers",
        }
    }

    fn of(word: &str) -> Option<Question> {
        [Question::Containers]
            .into_iter()
            .find(|question| question.word() == word)
    }
}

/// A question that waits for its answer.
pub struct Asked {
    /// What is asked.
    pub question: Question,
    /// Takes the answer.
    pub answer: oneshot::Sender<Value>,
}

/// The socket, which goes with this.
pub struct Control {
    questions: Receiver<Asked>,
    path: PathBuf,
}

impl Control {
    /// Listens at that path, where only the owner may ask. A socket on which nobody listens any
    /// more is replaced.
    pub fn listen(path: &Path) -> io::Result<Control> {
        if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(folder)?;
        }
        if UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        match std::fs::symlink_metadata(path) {
            Ok(found) if !std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Ok(_) => std::fs::remove_file(path)?,
            Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?;
        let (ask, questions) = channel(1);
        std::thread::Builder::new()
            .name("saker-control".into())
            .spawn(move || serve(&listener, &ask))?;
        Ok(Control {
            questions,
            path: path.to_owned(),
        })
    }

    /// Waits for the next question. May be given up at any time.
    pub async fn asked(&mut self) -> Asked {
        match self.questions.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve(listener: &UnixListener, ask: &Sender<Asked>) {
    for caller in listener.incoming() {
        // What goes wrong is the caller's loss.
        if let Ok(caller) = caller {
            let _ = answer(caller, ask);
        }
        if ask.is_closed() {
            return;
        }
    }
}

fn answer(mut caller: UnixStream, ask: &Sender<Asked>) -> io::Result<()> {
    caller.set_read_timeout(Some(CALLER_WITHIN))?;
    caller.set_write_timeout(Some(CALLER_WITHIN))?;
    let mut word = String::new();
    (&mut caller)
        .take(QUESTION_BYTES_MAX)
        .read_to_string(&mut word)?;
    let Some(question) = Question::of(word.trim()) else {
        return caller.write_all(b"{\"error\": \"nobody knows what that is\"}\n");
    };
    let (tell, told) = oneshot::channel();
    let asked = Asked {
        question,
        answer: tell,
    };
    if ask.blocking_send(asked).is_err() {
        return Ok(());
    }
    if let Ok(value) = told.blocking_recv() {
        caller.write_all(value.to_string().as_bytes())?;
    }
    Ok(())
}

/// Asks the Saker that listens at that path.
pub fn ask(path: &Path, question: Question) -> io::Result<Value> {
    let mut socket = UnixStream::connect(path)?;
    socket.set_read_timeout(Some(CALLER_WITHIN * 2))?;
    socket.write_all(question.word().as_bytes())?;
    socket.shutdown(std::net::Shutdown::Write)?;
    let mut text = Vec::new();
    socket.take(ANSWER_BYTES_MAX).read_to_end(&mut text)?;
    serde_json::from_slice(&text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_and_nonsense_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own/control.sock");
        let mut control = Control::listen(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(Control::listen(&path).is_err(), "one listens already");
        let asking = {
            let path = path.clone();
            std::thread::spawn(move || ask(&path, Question::Containers).unwrap())
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let asked = runtime.block_on(control.asked());
        assert_eq!(asked.question, Question::Containers);
        asked.answer.send(serde_json::json!({"a": 1})).unwrap();
        assert_eq!(asking.join().unwrap()["a"], 1);
        let mut caller = UnixStream::connect(&path).unwrap();
        caller.write_all(b"\xff nonsense").unwrap();
        caller.shutdown(std::net::Shutdown::Write).unwrap();
        drop(control);
        assert!(!path.exists());
    }
}
