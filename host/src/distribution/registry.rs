//! A repository of a registry (OCI distribution specification), by HTTP.
//!
//! Who one is comes from where docker and podman keep it: `$DOCKER_CONFIG/config.json` or
//! `~/.docker/config.json`. It is sent to the registry itself, or to the server that the registry
//! names for tokens, and to nobody that either leads on to.

use super::artefact::MediaType;
use super::digest::Digest;
use super::{Error, MANIFEST_BYTES_MAX, Place, Which};
use crate::folder::read_named;
use crate::http::{Client, Limits, Reply, Server};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// What a transfer may take.
const LIMITS: Limits = Limits {
    whole: Duration::from_secs(300),
    connect: Duration::from_secs(10),
};
/// Registries keep their blobs elsewhere, one step away.
const REDIRECTS_MAX: usize = 3;
/// What is read of an answer that is only looked at.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// No file of credentials is larger.
const CREDENTIALS_BYTES_MAX: usize = 1 << 20;

/// A repository of a registry.
pub struct Registry {
    client: Client,
    /// `https://host`.
    base: String,
    host: String,
    repository: String,
    /// Name and password, as Basic sends them.
    credentials: Option<String>,
    /// What to send as `Authorization`, once the registry has asked.
    authorization: RefCell<Option<String>>,
}

impl Registry {
    /// That repository of that host, by HTTP without TLS if it is this machine or `is_plain`.
    pub fn new(host: &str, repository: &str, is_plain: bool) -> Result<Registry, Error> {
        let server = |scheme: &str| {
            let base = format!("{scheme}://{host}");
            Server::of(&base).map(|server| (base, server))
        };
        let found = match server("http") {
            Some((base, server)) if is_plain || server.is_loopback() => Some((base, server)),
            _ => server("https"),
        };
        let (base, _) =
            found.ok_or_else(|| Error::Place(format!("`{host}` is no host of a registry")))?;
        Ok(Registry {
            client: Client::new(LIMITS),
            base,
            host: host.into(),
            repository: repository.into(),
            credentials: credentials(host),
            authorization: RefCell::default(),
        })
    }

    fn url(&self, rest: &str) -> String {
        format!("{}/v2/{}/{rest}", self.base, self.repository)
    }

    fn whole_url(&self, rest: &str) -> String {
        // A scheme's colon stands before any slash.
        let is_whole = rest
            .split(['/', '?', '#'])
            .next()
            .is_some_and(|first| first.contains(':'));
        match is_whole {
            true => rest.into(),
            false => format!("{}/{}", self.base, rest.trim_start_matches('/')),
        }
    }

    /// Sends a request; again, with who we are, if the registry wants to know.
    fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        body_bytes_max: usize,
    ) -> Result<Reply, Error> {
        let send = || {
            let mut all: Vec<(String, String)> = headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let is_ours = Server::of(url) == Server::of(&self.base);
            if let Some(authorization) = &*self.authorization.borrow()
                && is_ours
            {
                all.push(("authorization".into(), authorization.clone()));
            }
            let reply = self.client.send(method, url, &all, body, body_bytes_max);
            reply.map_err(|why| Error::Place(format!("`{}` does not answer: {why}", self.host)))
        };
        let reply = send()?;
        if reply.status != 401 || self.authorization.borrow().is_some() {
            return Ok(reply);
        }
        let Some(challenge) = reply.header("www-authenticate") else {
            return Ok(reply);
        };
        let authorization = self.authorize(challenge, method != "GET")?;
        *self.authorization.borrow_mut() = Some(authorization);
        send()
    }

    /// What the registry's question is answered with (RFC 7235; the token's way is docker's).
    fn authorize(&self, challenge: &str, writes: bool) -> Result<String, Error> {
        let (scheme, rest) = challenge.split_once(' ').unwrap_or((challenge, ""));
        let basic = self
            .credentials
            .as_ref()
            .map(|known| format!("Basic {known}"));
        if scheme.eq_ignore_ascii_case("basic") {
            return basic.ok_or_else(|| self.refused("it wants a name and a password"));
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(self.refused("it wants to know who asks in a way that Saker has not"));
        }
        let params = challenge_params(rest);
        let realm = params
            .get("realm")
            .ok_or_else(|| self.refused("it does not say who gives tokens"))?;
        let server = Server::of(realm);
        // Nobody is to have us ask another machine, or this one, in the clear.
        let ours = Server::of(&self.base);
        let fits = server.is_some_and(|server| {
            let is_plain_too = ours.is_some_and(|ours| !ours.is_secure() && ours.is_at(&server));
            server.is_secure() || is_plain_too
        });
        if !fits || !realm.contains("://") || realm.contains('#') {
            return Err(self.refused("it names a server for tokens that is not safe to ask"));
        }
        let actions = if writes { "pull,push" } else { "pull" };
        let scope = format!("repository:{}:{actions}", self.repository);
        let joint = if realm.contains('?') { '&' } else { '?' };
        let mut url = format!("{realm}{joint}scope={}", encoded(&scope));
        if let Some(service) = params.get("service") {
            url += &format!("&service={}", encoded(service));
        }
        let headers: Vec<(String, String)> = basic
            .map(|basic| ("authorization".to_owned(), basic))
            .into_iter()
            .collect();
        let reply = self
            .client
            .send("GET", &url, &headers, &[], ANSWER_BYTES_MAX)
            .map_err(|why| {
                self.refused(&format!("its server for tokens does not answer: {why}"))
            })?;
        #[derive(Deserialize)]
        struct Token {
            #[serde(alias = "access_token")]
            token: String,
        }
        let token: Option<Token> = serde_json::from_slice(&reply.body).ok();
        match token.filter(|token| reply.status == 200 && is_token(&token.token)) {
            Some(token) => Ok(format!("Bearer {}", token.token)),
            None => Err(self.refused(&format!(
                "its server for tokens gives none (status {})",
                reply.status
            ))),
        }
    }

    fn refused(&self, why: &str) -> Error {
        Error::Place(format!("`{}` lets nobody in: {why}", self.host))
    }

    /// What an answer that is none of those hoped for means.
    fn fault(&self, reply: &Reply, what: &str) -> Error {
        match reply.status {
            404 => Error::Missing(format!("{what} in `{}/{}`", self.host, self.repository)),
            401 | 403 => self.refused(&format!("status {} for {what}", reply.status)),
            status => {
                #[derive(Deserialize)]
                struct Said {
                    errors: Vec<Message>,
                }
                #[derive(Deserialize)]
                struct Message {
                    #[serde(default)]
                    message: String,
                }
                let said: Option<Said> = serde_json::from_slice(&reply.body).ok();
                let said = said.and_then(|said| said.errors.into_iter().next());
                let said = said.map_or_else(String::new, |said| {
                    format!(", {}", said.message.chars().take(200).collect::<String>())
                });
                Error::Place(format!("`{}` answers {status}{said} for {what}", self.host))
            }
        }
    }

    /// What is at that place, wherever it leads.
    fn get(
        &self,
        rest: &str,
        accept: &str,
        what: &str,
        bytes_max: usize,
    ) -> Result<Vec<u8>, Error> {
        let mut url = self.url(rest);
        for _ in 0..=REDIRECTS_MAX {
            let reply = self.send("GET", &url, &[("accept", accept)], &[], bytes_max)?;
            match reply.status {
                200 if reply.is_cut => {
                    return Err(Error::TooLarge(what.into(), bytes_max >> 10));
                }
                200 => return Ok(reply.body),
                301 | 302 | 303 | 307 | 308 => {
                    let next = reply.header("location").unwrap_or_default();
                    let next = self.whole_url(next);
                    let is_safe = next.starts_with("https://") || self.base.starts_with("http://");
                    if !is_safe || Server::of(&next).is_none() {
                        return Err(Error::Place(format!(
                            "`{}` leads to where {what} is not safe to fetch",
                            self.host
                        )));
                    }
                    url = next;
                }
                _ => return Err(self.fault(&reply, what)),
            }
        }
        Err(Error::Place(format!("`{}` leads in circles", self.host)))
    }
}

impl Place for Registry {
    fn manifest(&self, which: &Which) -> Result<Vec<u8>, Error> {
        let accept = format!("{}, {}", MediaType::MANIFEST, MediaType::INDEX);
        let what = format!("`{which}`");
        self.get(
            &format!("manifests/{which}"),
            &accept,
            &what,
            MANIFEST_BYTES_MAX,
        )
    }

    fn blob(&self, digest: &Digest, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let what = format!("`{digest}`");
        self.get(&format!("blobs/{digest}"), "*/*", &what, bytes_max)
    }

    fn put_blob(&self, bytes: &[u8]) -> Result<(), Error> {
        let digest = Digest::of(bytes);
        let what = format!("`{digest}`");
        let known = self.send("HEAD", &self.url(&format!("blobs/{digest}")), &[], &[], 0)?;
        if known.status == 200 {
            return Ok(());
        }
        let begun = self.send(
            "POST",
            &self.url("blobs/uploads/"),
            &[],
            &[],
            ANSWER_BYTES_MAX,
        )?;
        if begun.status != 202 {
            return Err(self.fault(&begun, &what));
        }
        let location = self.whole_url(begun.header("location").unwrap_or_default());
        // What is pushed goes to the registry and to nobody else.
        if Server::of(&location) != Server::of(&self.base) {
            return Err(Error::Place(format!(
                "`{}` would have {what} sent to another server",
                self.host
            )));
        }
        let joint = if location.contains('?') { '&' } else { '?' };
        let url = format!("{location}{joint}digest={}", encoded(&digest.to_string()));
        let headers = [("content-type", "application/octet-stream")];
        let put = self.send("PUT", &url, &headers, bytes, ANSWER_BYTES_MAX)?;
        match put.status {
            201 => Ok(()),
            _ => Err(self.fault(&put, &what)),
        }
    }

    fn put_manifest(&self, tag: &str, media_type: &str, bytes: &[u8]) -> Result<(), Error> {
        let url = self.url(&format!("manifests/{tag}"));
        let headers = [("content-type", media_type)];
        let put = self.send("PUT", &url, &headers, bytes, ANSWER_BYTES_MAX)?;
        match put.status {
            201 => Ok(()),
            _ => Err(self.fault(&put, &format!("`{tag}`"))),
        }
    }
}

/// What stands in a challenge behind its scheme: `name="value", …`.
fn challenge_params(text: &str) -> HashMap<String, String> {
    let mut params = HashMap::new();
    let mut rest = text;
    while let Some((name, behind)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let (value, behind) = match behind.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => behind.split_once(',').unwrap_or((behind, "")),
        };
        params.insert(name, value.to_owned());
        rest = behind;
    }
    params
}

/// What may stand in a header, and is no longer than any token.
fn is_token(text: &str) -> bool {
    (1..=16 << 10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// As a part of a query (RFC 3986).
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte.into());
            }
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}

/// What is kept for that host, as Basic sends it.
fn credentials(host: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Kept {
        #[serde(default)]
        auths: HashMap<String, Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        auth: String,
    }
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".docker"));
    let path = folder.or_else(home)?.join("config.json");
    let bytes = read_named(&path, CREDENTIALS_BYTES_MAX).ok()?;
    let kept: Kept = serde_json::from_slice(&bytes).ok()?;
    let names = [
        host.to_owned(),
        format!("https://{host}"),
        format!("https://{host}/v1/"),
        format!("http://{host}"),
    ];
    let entry = names.iter().find_map(|name| kept.auths.get(name))?;
    STANDARD.decode(&entry.auth).ok()?;
    (!entry.auth.is_empty()).then(|| entry.auth.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_who_gives_tokens() {
        let params = challenge_params(
            "realm=\"https://auth.example/token?a=b\",service=\"registry.example\", scope=x",
        );
        assert_eq!(params["realm"], "https://auth.example/token?a=b");
        assert_eq!(params["service"], "registry.example");
        assert_eq!(params["scope"], "x");
        assert!(challenge_params("").is_empty());
        assert_eq!(challenge_params("realm=\"open")["realm"], "open");
    }

    #[test]
    fn who_one_is_is_told_in_the_clear_to_nobody_but_a_registry_that_is_spoken_to_so() {
        let asked = |host: &str, realm: &str| {
            let registry = Registry::new(host, "a", false).expect("a host");
            let challenge = format!("Bearer realm=\"{realm}\"");
            registry
                .authorize(&challenge, false)
                .map_err(|error| error.to_string())
        };
        for (host, realm) in [
            ("registry.example", "http://registry.example/token"),
            ("registry.example", "http://127.0.0.1:1/token"),
            ("127.0.0.1:1", "http://other.example/token"),
            ("127.0.0.1:1", "127.0.0.1:1/token"),
            ("127.0.0.1:1", "http://user@127.0.0.1/token"),
            ("127.0.0.1:1", "file:///token"),
        ] {
            let why = asked(host, realm).expect_err(realm);
            assert!(why.contains("not safe to ask"), "{why}");
        }
        // Nobody is there, but it is asked.
        let why = asked("127.0.0.1:1", "http://127.0.0.1:1/token").expect_err("nobody");
        assert!(why.contains("does not answer"), "{why}");
    }

    #[test]
    fn where_a_registry_leads_is_a_place_of_its_own_unless_it_names_another() {
        let registry = Registry::new("127.0.0.1:1", "a", false).expect("a host");
        for (said, url) in [
            ("/v2/x?y=http://z", "http://127.0.0.1:1/v2/x?y=http://z"),
            ("https://z/x", "https://z/x"),
            ("file:///x", "file:///x"),
        ] {
            assert_eq!(registry.whole_url(said), url);
        }
    }

    #[test]
    fn what_a_query_says_ends_nowhere_else() {
        assert_eq!(encoded("a b&c=d/é"), "a%20b%26c%3Dd%2F%C3%A9");
    }
}
