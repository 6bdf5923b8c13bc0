//! Requests to a Unix socket, as Docker's API has them. Whatever answers, no more than a bounded
//! part of it is ever held.

use super::client::ANSWER_WITHIN;
use super::{ANSWER_BYTES_MAX, LIST_BYTES_MAX, Trouble};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::path::PathBuf;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Header lines of an answer may take so much.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// No line of a stream may be longer.
const LINE_BYTES_MAX: usize = 1 << 20;

/// A connection, which ends with this.
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn lost(error: &hyper::Error) -> Trouble {
    match error.is_parse() {
        true => Trouble::BadAnswer(error.to_string()),
        false => Trouble::Lost(error.to_string()),
    }
}

/// Where an engine listens, and as whom if it is a user's.
pub(super) struct Socket {
    pub(super) path: PathBuf,
    pub(super) user: Option<u32>,
}

/// The beginning of an answer.
async fn request(socket: &Socket, path: &str) -> Result<(Response<Incoming>, Connection), Trouble> {
    match timeout(ANSWER_WITHIN, request_at_length(socket, path)).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(Trouble::Timeout),
    }
}

async fn request_at_length(
    socket: &Socket,
    path: &str,
) -> Result<(Response<Incoming>, Connection), Trouble> {
    let stream = UnixStream::connect(&socket.path).await;
    let stream = stream.map_err(|error| Trouble::of_io(&error))?;
    // Behind a link may be anybody.
    let peer = stream.peer_cred().map_err(|error| Trouble::of_io(&error))?;
    if socket.user.is_some_and(|uid| peer.uid() != uid) {
        return Err(Trouble::BadAnswer("another user listens".into()));
    }
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| lost(&error))?;
    let connection = Connection(tokio::spawn(async move {
        // What went wrong the request says, too.
        let _ = connection.await;
    }));
    let request = Request::get(path)
        .header(hyper::header::HOST, "localhost")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Trouble::BadAnswer(error.to_string()))?;
    let answer = sender.send_request(request).await;
    let answer = answer.map_err(|error| lost(&error))?;
    Ok((answer, connection))
}

/// What is at that path; `None` if there is nothing.
pub(super) async fn get<T: DeserializeOwned>(
    socket: &Socket,
    path: &str,
) -> Result<Option<T>, Trouble> {
    read(socket, path, ANSWER_BYTES_MAX).await
}

/// The list at that path.
pub(super) async fn list<T: DeserializeOwned + Default>(
    socket: &Socket,
    path: &str,
) -> Result<T, Trouble> {
    let listed = read(socket, path, LIST_BYTES_MAX).await?;
    Ok(listed.unwrap_or_default())
}

async fn read<T: DeserializeOwned>(
    socket: &Socket,
    path: &str,
    bytes_max: usize,
) -> Result<Option<T>, Trouble> {
    let read = timeout(ANSWER_WITHIN, read_at_length(socket, path, bytes_max)).await;
    read.unwrap_or(Err(Trouble::Timeout))
}

async fn read_at_length<T: DeserializeOwned>(
    socket: &Socket,
    path: &str,
    bytes_max: usize,
) -> Result<Option<T>, Trouble> {
    let (mut answer, _connection) = request(socket, path).await?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(None),
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => return Err(Trouble::Denied),
        other => return Err(Trouble::BadAnswer(other.to_string())),
    }
    let mut text = Vec::new();
    while let Some(frame) = answer.body_mut().frame().await {
        let frame = frame.map_err(|error| lost(&error))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if text.len() + data.len() > bytes_max {
            return Err(Trouble::BadAnswer("it is too long".into()));
        }
        text.extend_from_slice(data);
    }
    let value = serde_json::from_slice(&text);
    value
        .map(Some)
        .map_err(|error| Trouble::BadAnswer(error.to_string()))
}

/// An answer that goes on, line by line.
pub(super) struct Lines {
    answer: Response<Incoming>,
    _connection: Connection,
    read: Vec<u8>,
    /// So much of it holds no line's end.
    looked: usize,
}

/// Begins to read what is at that path.
pub(super) async fn lines(socket: &Socket, path: &str) -> Result<Lines, Trouble> {
    let (answer, connection) = request(socket, path).await?;
    match answer.status() {
        StatusCode::OK => Ok(Lines {
            answer,
            _connection: connection,
            read: Vec::new(),
            looked: 0,
        }),
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Err(Trouble::Denied),
        other => Err(Trouble::BadAnswer(other.to_string())),
    }
}

impl Lines {
    /// The next line; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.read[self.looked..]) {
                let rest = self.read.split_off(self.looked + at + 1);
                self.looked = 0;
                return Ok(Some(std::mem::replace(&mut self.read, rest)));
            }
            self.looked = self.read.len();
            if self.read.len() > LINE_BYTES_MAX {
                return Err(Trouble::BadAnswer("a line is too long".into()));
            }
            let Some(frame) = self.answer.body_mut().frame().await else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| lost(&error))?;
            if let Some(data) = frame.data_ref() {
                self.read.extend_from_slice(data);
            }
        }
    }
}
