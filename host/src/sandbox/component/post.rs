//! Requests of components: queued, sent one after the other by a thread that lives while there
//! are some, and answered when the component is next called.
//!
//! A component never waits for one, and nor does anybody else: whoever asks too much is refused.

use super::call::Answer;
use crate::http::{Client, Limits, Server};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use wasmtime::component::{ComponentType, Lift, Lower};

/// So many requests, queued, sent, or answered and not yet told.
pub(super) const REQUESTS_MAX: usize = 16;
/// No address is longer.
const URL_BYTES_MAX: usize = 2048;
/// No more headers,
const HEADERS_MAX: usize = 32;
/// and no more bytes in all of them.
const HEADERS_BYTES_MAX: usize = 8 * 1024;
/// Nothing longer is sent.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// What is longer of an answer is cut.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// How long a request may take.
const LIMITS: Limits = Limits {
    whole: Duration::from_secs(10),
    connect: Duration::from_secs(5),
};
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// What a component asks for.
#[derive(Clone, Debug, ComponentType, Lift, Serialize, Deserialize)]
#[component(record)]
pub(super) struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Bytes of it.
    pub(super) fn bytes(&self) -> usize {
        self.method.len() + self.url.len() + self.header_bytes() + self.body.len()
    }

    fn header_bytes(&self) -> usize {
        let headers = self.headers.iter();
        headers.map(|(name, value)| name.len() + value.len()).sum()
    }
}

/// Why a request is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Refusal {
    #[component(name = "not-allowed")]
    NotAllowed,
    #[component(name = "invalid")]
    Invalid,
    #[component(name = "too-long")]
    TooLong,
    #[component(name = "full")]
    Full,
    #[component(name = "unavailable")]
    Unavailable,
}

/// What came of a request.
pub type Outcome = Result<Answer, String>;

/// Where a component's requests go, and answers come from. It outlives instances.
#[derive(Clone, Debug)]
pub struct Post(Arc<Office>);

#[derive(Debug)]
struct Office {
    /// Who may be asked.
    servers: Vec<Server>,
    /// What is queued stays so until somebody else takes it to send it.
    is_relayed: bool,
    mail: Mutex<Mail>,
}

#[derive(Debug, Default)]
struct Mail {
    numbers: u64,
    /// Not answered or not told.
    open: usize,
    queued: VecDeque<(u64, Request)>,
    answered: VecDeque<(u64, Outcome)>,
    /// Somebody sends what is queued.
    is_served: bool,
    /// Of requests up to this number nobody hears any more.
    forgotten: u64,
    /// Nobody hears of anything any more.
    is_closed: bool,
}

impl Office {
    fn mail(&self) -> MutexGuard<'_, Mail> {
        // What is behind the lock is whole between any two statements.
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How it stands with somebody's requests, so that another process refuses what would be refused
/// here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// The number of the last.
    numbers: u64,
    open: u32,
    is_closed: bool,
}

impl Post {
    /// For requests to these servers.
    pub fn new(servers: Vec<Server>) -> Post {
        Post(Arc::new(Office {
            servers,
            is_relayed: false,
            mail: Mutex::default(),
        }))
    }

    /// For requests to these servers that somebody else sends.
    pub(super) fn relayed(servers: Vec<Server>) -> Post {
        Post(Arc::new(Office {
            servers,
            is_relayed: true,
            mail: Mutex::default(),
        }))
    }

    /// Who may be asked.
    pub(super) fn servers(&self) -> &[Server] {
        &self.0.servers
    }

    /// How it stands.
    pub(super) fn counts(&self) -> Counts {
        let mail = self.0.mail();
        Counts {
            numbers: mail.numbers,
            open: mail.open as u32,
            is_closed: mail.is_closed,
        }
    }

    /// How it stands with who sends what is asked here.
    pub(super) fn set_counts(&self, counts: Counts) {
        let mut mail = self.0.mail();
        mail.numbers = counts.numbers;
        mail.open = counts.open as usize;
        mail.is_closed = counts.is_closed;
    }

    /// What was asked since this was last called.
    pub(super) fn take_requests(&self) -> Vec<(u64, Request)> {
        self.0.mail().queued.drain(..).collect()
    }

    /// Queues a request that was given that number by who must not be believed. `false`: it would
    /// never have been given one.
    pub(super) fn submit_as(&self, number: u64, request: Request) -> bool {
        {
            let mut mail = self.0.mail();
            if number != mail.numbers + 1 {
                return false;
            }
            if mail.is_closed {
                // Nobody is left to be told.
                mail.numbers = number;
                return true;
            }
        }
        match self.submit(request) {
            Ok(given) => given == number,
            Err(Refusal::Unavailable) => {
                // It was promised an answer.
                let mut mail = self.0.mail();
                mail.numbers = number;
                mail.open += 1;
                let why = Err("there is no thread to send it".to_string());
                mail.answered.push_back((number, why));
                true
            }
            Err(Refusal::NotAllowed | Refusal::Invalid | Refusal::TooLong | Refusal::Full) => false,
        }
    }

    /// Whether an answer may come.
    pub(super) fn is_waiting(&self) -> bool {
        self.0.mail().open > 0
    }

    /// From here on nothing is sent and nothing is told. Says of how many requests nobody heard.
    pub fn close(&self) -> u64 {
        self.0.mail().is_closed = true;
        self.forget()
    }

    /// Nothing is told of what was asked so far. Says of how many requests nobody heard.
    pub fn forget(&self) -> u64 {
        let mut mail = self.0.mail();
        mail.forgotten = mail.numbers;
        mail.queued.clear();
        mail.answered.clear();
        std::mem::take(&mut mail.open) as u64
    }

    /// An answer that has come.
    pub(super) fn take(&self) -> Option<(u64, Outcome)> {
        let mut mail = self.0.mail();
        let answered = mail.answered.pop_front()?;
        mail.open -= 1;
        Some(answered)
    }

    /// Queues a request, and gives its number.
    pub(super) fn submit(&self, request: Request) -> Result<u64, Refusal> {
        let too_long = request.url.len() > URL_BYTES_MAX
            || request.headers.len() > HEADERS_MAX
            || request.header_bytes() > HEADERS_BYTES_MAX
            || request.body.len() > BODY_BYTES_MAX;
        if too_long {
            return Err(Refusal::TooLong);
        }
        let has_body = !matches!(&*request.method, "GET" | "HEAD");
        if !METHODS.contains(&&*request.method)
            || !(has_body || request.body.is_empty())
            || !request.headers.iter().all(is_header)
            || !request.url.contains("://")
            || !request.url.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(Refusal::Invalid);
        }
        let server = Server::of(&request.url).ok_or(Refusal::Invalid)?;
        if !self.0.servers.contains(&server) {
            return Err(Refusal::NotAllowed);
        }
        let mut mail = self.0.mail();
        if mail.is_closed {
            return Err(Refusal::Unavailable);
        }
        if mail.open >= REQUESTS_MAX {
            return Err(Refusal::Full);
        }
        if !mail.is_served && !self.0.is_relayed {
            let office = Arc::downgrade(&self.0);
            let thread = std::thread::Builder::new().name("saker-http".into());
            if thread.spawn(move || serve(&office)).is_err() {
                return Err(Refusal::Unavailable);
            }
            mail.is_served = true;
        }
        mail.numbers += 1;
        mail.open += 1;
        let number = mail.numbers;
        mail.queued.push_back((number, request));
        Ok(number)
    }
}

/// Whether a header is one, and none by which the connection itself is steered.
fn is_header((name, value): &(String, String)) -> bool {
    const STEERING: [&str; 7] = [
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "upgrade",
        "te",
        "expect",
    ];
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_value = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    let lower = name.to_ascii_lowercase();
    !name.is_empty()
        && name.bytes().all(is_plain)
        && value.bytes().all(is_value)
        && !STEERING.contains(&&*lower)
        && !lower.starts_with("proxy-")
}

/// Sends what is queued until there is nothing more, or nobody who would hear of it.
fn serve(office: &Weak<Office>) {
    let client = Client::new(LIMITS);
    loop {
        let Some(office) = office.upgrade() else {
            return;
        };
        let mut mail = office.mail();
        let Some((number, request)) = mail.queued.pop_front() else {
            mail.is_served = false;
            return;
        };
        drop(mail);
        let office = {
            let weak = Arc::downgrade(&office);
            drop(office);
            weak
        };
        let outcome = send(&client, &request);
        let Some(office) = office.upgrade() else {
            return;
        };
        let mut mail = office.mail();
        if number > mail.forgotten {
            mail.answered.push_back((number, outcome));
        }
    }
}

fn send(client: &Client, request: &Request) -> Outcome {
    let Request {
        method,
        url,
        headers,
        body,
    } = request;
    let reply = client.send(method, url, headers, body, ANSWER_BYTES_MAX)?;
    Ok(Answer {
        status: reply.status,
        headers: reply.headers,
        body: reply.body,
        cut: reply.is_cut,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_another_process_says_was_asked_only_what_may_be_is_queued() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", silent.local_addr().expect("bound"));
        let servers: Vec<Server> = Server::of(&address).into_iter().collect();
        let request = |url: &str| Request {
            method: "GET".into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let (post, relay) = (Post::new(servers.clone()), Post::relayed(servers));
        relay.set_counts(post.counts());
        assert_eq!(relay.submit(request(&address)), Ok(1));
        let elsewhere = relay.submit(request("http://192.0.2.1/"));
        assert_eq!(elsewhere, Err(Refusal::NotAllowed));
        for (number, request) in relay.take_requests() {
            assert!(post.submit_as(number, request));
        }
        assert_eq!(post.counts(), relay.counts());
        // A number that was not next, another server, one too many.
        assert!(!post.submit_as(1, request(&address)));
        assert!(!post.submit_as(3, request(&address)));
        assert!(!post.submit_as(2, request("http://192.0.2.1/")));
        for number in 2..=REQUESTS_MAX as u64 {
            assert!(post.submit_as(number, request(&address)));
        }
        assert!(!post.submit_as(REQUESTS_MAX as u64 + 1, request(&address)));
        relay.set_counts(post.counts());
        assert_eq!(relay.submit(request(&address)), Err(Refusal::Full));
        // What is closed takes no more, and that is no lie.
        assert_eq!(post.close(), REQUESTS_MAX as u64);
        assert!(post.submit_as(REQUESTS_MAX as u64 + 1, request(&address)));
        assert!(!post.is_waiting());
    }

    #[test]
    fn what_is_closed_tells_how_much_was_open_and_takes_no_more() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", silent.local_addr().expect("bound"));
        let post = Post::new(Server::of(&address).into_iter().collect());
        let request = Request {
            method: "GET".into(),
            url: address,
            headers: Vec::new(),
            body: Vec::new(),
        };
        for number in 1..=3 {
            assert_eq!(post.submit(request.clone()), Ok(number));
        }
        assert!(post.is_waiting());
        assert_eq!(post.close(), 3);
        assert_eq!(post.close(), 0);
        assert!(!post.is_waiting() && post.take().is_none());
        assert_eq!(post.submit(request), Err(Refusal::Unavailable));
    }
}
