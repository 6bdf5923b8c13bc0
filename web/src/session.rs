//! Who somebody is: tokens, the sessions they begin, and what each role may do.
//!
//! A token is a secret of the operator's. Whoever shows it gets a session: a cookie that scripts
//! cannot read, and beside it a second secret that every change must carry. That one is told
//! once, at login. A cookie does not know ports, so a browser hands it to any other server on
//! the same host; with the cookie alone nobody changes anything.

mod failures;
mod kept;

use crate::Shared;
use crate::answer::{Asked, refused};
use crate::guard::{Peer, note_wrong};
use crate::host::Refusal;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use failures::Failures;
use kept::Kept;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// What carries the second secret.
pub const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
/// No token is shorter: it must not be guessed.
pub const TOKEN_BYTES_MIN: usize = 16;
const TOKEN_BYTES_MAX: usize = 512;
/// What stands before a token in a request.
const BEARER: &[u8] = b"Bearer ";
/// So many sessions there are; the one unused for longest makes room.
const SESSIONS_MAX: usize = 64;
/// A session ends when it was unused for so long.
const IDLE: Duration = Duration::from_secs(12 * 3600);
/// So often it is written down when sessions were used.
const KEEP_EVERY: Duration = Duration::from_secs(600);
/// So many requests may come at once, and so many a second.
const REQUESTS: u32 = 300;
const REQUEST_EVERY: Duration = Duration::from_millis(10);

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look.
    Viewer,
    /// Look, and change.
    Admin,
}

/// Somebody who was let in, or who tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// What they may do; none yet for who tries to log in.
    pub role: Option<Role>,
    /// Where they come from.
    pub peer: IpAddr,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Some(Role::Admin) => "admin",
            Some(Role::Viewer) => "viewer",
            None => "somebody",
        };
        write!(f, "{role} from {}", self.peer)
    }
}

/// A secret, of which only a digest is kept: comparing it tells nothing by its time.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// Of that text; none if it is too short to be a secret.
    pub fn new(text: &str) -> Option<Token> {
        (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX)
            .contains(&text.len())
            .then(|| Token(hash(text)))
    }
}

/// A text that nobody guesses.
pub fn secret() -> std::io::Result<String> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| std::io::Error::other("the kernel gives no random bytes"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The token of an `Authorization`, whose scheme is written as one likes (RFC 9110, 11.1).
fn bearer_token(value: &[u8]) -> &[u8] {
    match value.split_at_checked(BEARER.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(BEARER) => token.trim_ascii_start(),
        Some(_) | None => &[],
    }
}

fn hash(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

/// What fills by one in some time, up to a bound.
#[derive(Debug)]
struct Bucket {
    level: u32,
    most: u32,
    every: Duration,
    since: Instant,
}

impl Bucket {
    fn new(most: u32, every: Duration, now: Instant) -> Bucket {
        Bucket {
            level: most,
            most,
            every,
            since: now,
        }
    }

    fn fill(&mut self, now: Instant) {
        let filled = now.duration_since(self.since).as_nanos() / self.every.as_nanos();
        let filled = u32::try_from(filled).unwrap_or(u32::MAX);
        self.level = self.level.saturating_add(filled).min(self.most);
        match self.level == self.most {
            true => self.since = now,
            false => self.since += self.every * filled,
        }
    }

    /// Takes one out, if there is one.
    fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let is_there = self.level > 0;
        self.level = self.level.saturating_sub(1);
        is_there
    }

    fn is_empty(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level == 0
    }
}

/// A session.
#[derive(Debug)]
struct Session {
    role: Role,
    csrf: [u8; 32],
    used: Instant,
    requests: Bucket,
}

/// Who may come in, and who did.
pub(crate) struct Sessions {
    admin: Token,
    viewer: Option<Token>,
    cookie: String,
    is_secure: bool,
    kept: Option<Kept>,
    inside: Mutex<Inside>,
}

struct Inside {
    sessions: HashMap<[u8; 32], Session>,
    failures: Failures,
    /// Of all who have no session.
    strangers: Bucket,
    /// Of all who show a token with each request.
    programs: Bucket,
    /// When sessions were written down, as far as they are.
    kept: Instant,
}

/// Who a request is by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Somebody whose requests a browser cannot be made to send.
    Program(Role),
    /// Somebody with a session, and whether the request carries its second secret.
    Browser(Role, bool),
    /// Nobody who was let in.
    Nobody,
    /// Somebody with a wrong token, and whether that is to be told.
    Wrong(bool),
    /// Whoever it is asks too often.
    TooMuch,
}

impl Sessions {
    /// Where those tokens let in; `port` tells the cookie from those of others on this host.
    /// Those that are kept in that file go on.
    pub(crate) fn new(
        admin: Token,
        viewer: Option<Token>,
        is_secure: bool,
        port: u16,
        file: Option<PathBuf>,
    ) -> Sessions {
        let now = Instant::now();
        let kept = file.map(|file| Kept::new(file, &admin, viewer.as_ref()));
        let sessions = kept.as_ref().map_or(HashMap::new(), |kept| kept.read(now));
        let prefix = if is_secure { "__Host-" } else { "" };
        Sessions {
            admin,
            viewer,
            cookie: format!("{prefix}saker-{port}"),
            is_secure,
            kept,
            inside: Mutex::new(Inside {
                sessions,
                failures: Failures::default(),
                strangers: Bucket::new(REQUESTS, REQUEST_EVERY, now),
                programs: Bucket::new(REQUESTS, REQUEST_EVERY, now),
                kept: now,
            }),
        }
    }

    fn role_of(&self, token: &str) -> Option<Role> {
        let token = Some(Token::new(token)?);
        if token == Some(self.admin.clone()) {
            return Some(Role::Admin);
        }
        (token == self.viewer).then_some(Role::Viewer)
    }

    /// Who that is.
    pub(crate) fn know(&self, headers: &HeaderMap, peer: SocketAddr) -> Known {
        let now = Instant::now();
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let inside = &mut *inside;
        let bearer = headers.get("authorization").map(|value| value.as_bytes());
        if let Some(bearer) = bearer {
            let token = bearer_token(bearer);
            // Nobody guesses on and on.
            let Some(who) = inside.failures.may_try(peer, now) else {
                return Known::TooMuch;
            };
            let role = std::str::from_utf8(token).ok();
            return match role.and_then(|token| self.role_of(token)) {
                Some(role) if inside.programs.take(now) => Known::Program(role),
                Some(_) => Known::TooMuch,
                None => {
                    inside.failures.failed(who, now);
                    Known::Wrong(inside.failures.is_told(who, now))
                }
            };
        }
        let id = self.cookie_of(headers).map(hash);
        let session = id.and_then(|id| inside.sessions.get_mut(&id));
        match session.filter(|session| now.duration_since(session.used) < IDLE) {
            Some(session) => {
                session.used = now;
                let csrf = headers.get(CSRF).and_then(|value| value.to_str().ok());
                let is_meant = csrf.is_some_and(|csrf| hash(csrf) == session.csrf);
                match session.requests.take(now) {
                    true => Known::Browser(session.role, is_meant),
                    false => Known::TooMuch,
                }
            }
            None if inside.strangers.take(now) => Known::Nobody,
            None => Known::TooMuch,
        }
    }

    fn cookie_of<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let cookies = headers.get_all(COOKIE).into_iter();
        let cookies = cookies.filter_map(|value| value.to_str().ok());
        cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .find_map(|(name, value)| (name == self.cookie).then_some(value))
    }

    /// Begins a session: its role, its cookie and its second secret.
    fn begin(&self, token: &str, peer: SocketAddr) -> Result<(Role, HeaderValue, String), Denied> {
        let now = Instant::now();
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(who) = inside.failures.may_try(peer, now) else {
            return Err(Denied::TooOften);
        };
        let Some(role) = self.role_of(token) else {
            inside.failures.failed(who, now);
            return Err(Denied::Unknown(inside.failures.is_told(who, now)));
        };
        let (id, csrf) = (secret()?, secret()?);
        inside
            .sessions
            .retain(|_, session| now.duration_since(session.used) < IDLE);
        if inside.sessions.len() >= SESSIONS_MAX {
            let oldest = inside.sessions.iter().min_by_key(|(_, held)| held.used);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                inside.sessions.remove(&oldest);
            }
        }
        let session = Session {
            role,
            csrf: hash(&csrf),
            used: now,
            requests: Bucket::new(REQUESTS, REQUEST_EVERY, now),
        };
        inside.sessions.insert(hash(&id), session);
        Ok((role, self.set(&id, "")?, csrf))
    }

    /// Whether it is time to write down when sessions were used.
    pub(crate) fn is_due(&self) -> bool {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = self.kept.is_some() && inside.kept.elapsed() >= KEEP_EVERY;
        if is_due {
            inside.kept = Instant::now();
        }
        is_due
    }

    /// Writes down which sessions there are, where they are kept. May wait for the disk.
    fn keep(&self) {
        let Some(kept) = &self.kept else {
            return;
        };
        kept.write(|| {
            let inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
            let sessions = inside.sessions.iter();
            sessions
                .map(|(id, session)| kept::Session::of(id, session))
                .collect()
        });
    }

    fn end(&self, headers: &HeaderMap) -> std::io::Result<HeaderValue> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = self.cookie_of(headers) {
            inside.sessions.remove(&hash(id));
        }
        self.set("", "; Max-Age=0")
    }

    fn set(&self, id: &str, more: &str) -> std::io::Result<HeaderValue> {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let name = &self.cookie;
        let text = format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
        HeaderValue::from_str(&text).map_err(std::io::Error::other)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Denied {
    /// No such token, and whether that is to be told.
    Unknown(bool),
    TooOften,
    Broken,
}

impl From<std::io::Error> for Denied {
    fn from(_: std::io::Error) -> Denied {
        Denied::Broken
    }
}

/// What one who wants to come in shows.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// The token.
    #[schema(max_length = 512)]
    token: String,
}

/// A session.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SessionState {
    /// What one may do.
    role: Role,
    /// What every change must carry as `X-CSRF-Token`. Told at login alone: keep it where no other
    /// origin reads it, such as `localStorage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf: Option<String>,
}

/// Has the sessions written down before anybody is told of them.
pub(crate) async fn keep(shared: &Shared) {
    let shared = shared.clone();
    // That it fails is said where it does.
    let _ = tokio::task::spawn_blocking(move || shared.sessions.keep()).await;
}

/// Begins a session, whose cookie is set.
#[utoipa::path(post, path = "/session", tag = "session", request_body = Login, security(()),
    responses((status = 200, body = SessionState),
        (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn login(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
    Extension(peer): Extension<Peer>,
    login: Asked<Json<Login>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(Login { token }) = login?;
    let Peer(peer) = peer;
    let begun = shared.sessions.begin(&token, peer);
    if begun.is_ok() {
        keep(&shared).await;
    }
    match begun {
        Ok((role, cookie, csrf)) => {
            let role_of = Some(role);
            let actor = Actor {
                role: role_of,
                ..actor
            };
            // What comes of the note is not waited for.
            drop(tokio::task::spawn_blocking(move || {
                shared.host.note(&actor, "logged in");
            }));
            let csrf = Some(csrf);
            Ok(([(SET_COOKIE, cookie)], Json(SessionState { role, csrf })).into_response())
        }
        Err(Denied::Unknown(is_first)) => {
            if is_first {
                note_wrong(&shared, actor.peer);
            }
            Ok(refused(StatusCode::FORBIDDEN, "that token lets nobody in"))
        }
        Err(Denied::TooOften) => Err(Refusal::Busy("too many have tried: wait a while".into())),
        Err(Denied::Broken) => Err(Refusal::Failed("no session can be begun".into())),
    }
}

/// Who one is.
#[utoipa::path(get, path = "/session", tag = "session",
    responses((status = 200, body = SessionState),
        (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn show(Extension(actor): Extension<Actor>) -> Json<SessionState> {
    Json(SessionState {
        role: actor.role.unwrap_or(Role::Viewer),
        csrf: None,
    })
}

/// Ends the session.
#[utoipa::path(delete, path = "/session", tag = "session",
    responses((status = 204), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn logout(
    State(shared): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let cookie = shared.sessions.end(&headers);
    keep(&shared).await;
    let cookie = cookie.map_err(|_| Refusal::Failed("the cookie cannot be written".into()))?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_so_many_through_and_fills_with_time() {
        let begin = Instant::now();
        let mut bucket = Bucket::new(2, Duration::from_secs(1), begin);
        assert!(bucket.take(begin) && bucket.take(begin) && !bucket.take(begin));
        let later = begin + Duration::from_millis(1500);
        assert!(bucket.take(later) && !bucket.take(later));
        // Half a second was left over.
        assert!(bucket.take(begin + Duration::from_secs(2)));
        let long = begin + Duration::from_secs(1000);
        assert!(bucket.take(long) && bucket.take(long) && !bucket.take(long));
    }

    #[test]
    fn the_session_unused_for_longest_makes_room() {
        let token = Token::new("a token of the test").expect("long enough");
        let sessions = Sessions::new(token, None, false, 1, None);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        for _ in 0..SESSIONS_MAX + 5 {
            assert!(sessions.begin("a token of the test", peer).is_ok());
        }
        let inside = sessions.inside.lock().expect("nobody else");
        assert_eq!(inside.sessions.len(), SESSIONS_MAX);
    }

    #[test]
    fn wrong_tokens_are_told_once_a_minute_however_they_are_shown() {
        let token = Token::new("a token of the test").expect("long enough");
        let sessions = Sessions::new(token, None, false, 1, None);
        let peer = |host| SocketAddr::from(([10, 0, 0, host], 1));
        let shows = |authorization: &str, host: u8| {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_str(authorization).expect("a header");
            headers.insert("authorization", value);
            sessions.know(&headers, peer(host))
        };
        let wrong = "Bearer 0123456789abcdef";
        assert_eq!(shows(wrong, 1), Known::Wrong(true));
        assert_eq!(shows(wrong, 1), Known::Wrong(false));
        assert_eq!(shows("Basic 0123456789abcdef", 1), Known::Wrong(false));
        assert_eq!(shows(wrong, 2), Known::Wrong(true));
        let login = |host| sessions.begin("another token of it", peer(host)).err();
        assert_eq!(login(1), Some(Denied::Unknown(false)));
        assert_eq!(login(3), Some(Denied::Unknown(true)));
    }

    #[test]
    fn the_scheme_is_written_as_one_likes() {
        for value in ["Bearer x y", "bearer x y", "BEARER   x y"] {
            assert_eq!(bearer_token(value.as_bytes()), b"x y", "{value}");
        }
        for value in ["", "Bearer", "Basic x", "Bearerx y"] {
            assert_eq!(bearer_token(value.as_bytes()), b"", "{value}");
        }
    }

    #[test]
    fn a_short_token_is_none() {
        assert!(Token::new("short").is_none());
        assert!(Token::new("").is_none());
    }
}
