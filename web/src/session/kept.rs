//! Sessions that outlast the program: a file of digests, for nobody else to read. Whoever reads it
//! nevertheless learns nothing that lets in.

use super::{Bucket, IDLE, REQUEST_EVERY, REQUESTS, Role, SESSIONS_MAX, Token};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// It is no longer: that is room for all sessions.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// The file.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    /// Of the tokens: sessions of others go on no more.
    tokens: String,
    writing: Mutex<()>,
}

#[derive(Serialize, Deserialize)]
struct Content {
    tokens: String,
    sessions: Vec<Session>,
}

/// A session as it is kept.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    id: [u8; 32],
    role: Role,
    csrf: [u8; 32],
    /// When it was used last, in seconds since 1970.
    used: u64,
}

impl Session {
    pub(super) fn of(id: &[u8; 32], session: &super::Session) -> Session {
        Session {
            id: *id,
            role: session.role,
            csrf: session.csrf,
            used: seconds().saturating_sub(session.used.elapsed().as_secs()),
        }
    }
}

fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl Kept {
    pub(super) fn new(path: PathBuf, admin: &Token, viewer: Option<&Token>) -> Kept {
        let mut tokens = Context::new(&SHA256);
        tokens.update(&admin.0);
        tokens.update(viewer.map_or(&[], |viewer| &viewer.0));
        let tokens = tokens.finish();
        let digits = tokens.as_ref().iter().map(|byte| format!("{byte:02x}"));
        Kept {
            path,
            tokens: digits.collect(),
            writing: Mutex::default(),
        }
    }

    /// The sessions that go on; none where the file is not there, not ours, or of other tokens.
    pub(super) fn read(&self, now: Instant) -> HashMap<[u8; 32], super::Session> {
        let content = match self.content() {
            Ok(content) => content,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return HashMap::new(),
            Err(error) => {
                let path = self.path.display();
                tracing::warn!("sessions in `{path}` do not go on: {error}");
                return HashMap::new();
            }
        };
        if content.tokens != self.tokens {
            return HashMap::new();
        }
        let today = seconds();
        let sessions = content.sessions.into_iter().take(SESSIONS_MAX);
        sessions
            .filter_map(|session| {
                // One of tomorrow is of a clock that was set.
                let unused = Duration::from_secs(today.checked_sub(session.used)?);
                let used = now.checked_sub(unused).filter(|_| unused < IDLE)?;
                let found = super::Session {
                    role: session.role,
                    csrf: session.csrf,
                    used,
                    requests: Bucket::new(REQUESTS, REQUEST_EVERY, now),
                };
                Some((session.id, found))
            })
            .collect()
    }

    fn content(&self) -> io::Result<Content> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        let options = options.read(true).custom_flags(flags.bits() as i32);
        let file = options.open(&self.path)?;
        let found = file.metadata()?;
        let own = rustix::process::geteuid().as_raw();
        if !found.is_file() || ![0, own].contains(&found.uid()) || found.mode() & 0o077 != 0 {
            return Err(io::Error::other("others may have written it, or read it"));
        }
        let mut text = String::new();
        file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Writes what there is then; who comes second tells of more.
    pub(super) fn write(&self, sessions: impl FnOnce() -> Vec<Session>) {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let content = Content {
            tokens: self.tokens.clone(),
            sessions: sessions(),
        };
        if let Err(error) = self.put(&content) {
            let path = self.path.display();
            tracing::warn!("sessions are not kept in `{path}`: {error}");
        }
    }

    fn put(&self, content: &Content) -> io::Result<()> {
        let aside = self.path.with_extension("new");
        // What a sudden end has left is not written into: its mode may be another.
        match std::fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&aside)?;
        file.write_all(&serde_json::to_vec(content)?)?;
        file.sync_all()?;
        std::fs::rename(&aside, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sessions;
    use super::*;
    use axum::http::HeaderMap;
    use axum::http::header::COOKIE;
    use std::net::SocketAddr;
    use std::os::unix::fs::PermissionsExt;

    fn sessions(file: &std::path::Path, token: &str) -> Sessions {
        let token = Token::new(token).expect("long enough");
        Sessions::new(token, None, false, 1, Some(file.into()))
    }

    fn knows(sessions: &Sessions, headers: &HeaderMap) -> bool {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        sessions.know(headers, peer) != super::super::Known::Nobody
    }

    #[test]
    fn a_session_goes_on_after_a_restart_until_it_ends_or_the_token_is_another() {
        let folder = tempfile::tempdir().expect("a folder for files of the test");
        let file = folder.path().join("page.sessions");
        let token = "a token of the test";
        let first = sessions(&file, token);
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let (_, cookie, csrf) = first.begin(token, peer).expect("the right token");
        first.keep();
        let mode = file.metadata().expect("it is there").mode();
        assert_eq!(mode & 0o7777, 0o600);
        let text = std::fs::read_to_string(&file).expect("ours");
        let cookie = cookie
            .to_str()
            .expect("a text")
            .split(';')
            .next()
            .expect("a value");
        let secret = cookie.split_once('=').expect("a value").1;
        assert!(!text.contains(secret) && !text.contains(&csrf));
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookie.parse().expect("a header"));
        let second = sessions(&file, token);
        assert!(knows(&second, &headers));
        assert!(!knows(&sessions(&file, "another token of it"), &headers));
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).expect("ours");
        assert!(!knows(&sessions(&file, token), &headers));
        second.keep();
        assert!(knows(&sessions(&file, token), &headers));
        second.end(&headers).expect("a cookie");
        second.keep();
        assert!(!knows(&sessions(&file, token), &headers));
    }

    #[test]
    fn what_was_unused_for_too_long_or_is_no_file_of_sessions_does_not_go_on() {
        let folder = tempfile::tempdir().expect("a folder for files of the test");
        let file = folder.path().join("page.sessions");
        let token = Token::new("a token of the test").expect("long enough");
        let kept = Kept::new(file.clone(), &token, None);
        let used = |used| Session {
            id: [used as u8; 32],
            role: Role::Admin,
            csrf: [0; 32],
            used,
        };
        let now = seconds();
        let old = now - IDLE.as_secs();
        kept.write(|| vec![used(old), used(now - 5), used(now + 1000)]);
        let found = kept.read(Instant::now());
        assert_eq!(found.len(), 1);
        assert!(found.contains_key(&[(now - 5) as u8; 32]));
        for wrong in ["", "{", "[]", "{\"tokens\":1}"] {
            std::fs::write(&file, wrong).expect("ours");
            assert!(kept.read(Instant::now()).is_empty());
        }
    }
}
