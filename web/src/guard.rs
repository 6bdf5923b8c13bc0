//! What every request passes first, and every answer last: where it comes from, who it is by,
//! whether it may, how much of it there is; and what a browser may do with the answer.

use crate::Shared;
use crate::answer::refused;
use crate::listener::Place;
use crate::session::{Actor, Known, Role, keep};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// What requests are no longer than,
const BODY_BYTES_MAX: usize = 1 << 20;
/// but those that bring a module or a capture.
const UPLOAD_BYTES_MAX: usize = 64 << 20;
/// Who may not come in yet has less to say.
const LOGIN_BYTES_MAX: usize = 4096;
/// So long a request may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);

/// Where the interface is.
pub(crate) const API: &str = "/api/v1";

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Lets a request through that may.
pub(crate) async fn admit(
    State(shared): State<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    if !shared.hosts.admit(request.headers(), request.uri()) {
        return refused(
            StatusCode::MISDIRECTED_REQUEST,
            "this is no name of the page: add it to `page.hosts`",
        );
    }
    let path = request.uri().path();
    let Some(path) = path.strip_prefix(API).map(str::to_owned) else {
        return next.run(request).await;
    };
    let is_login = path == "/session" && request.method() == Method::POST;
    let peer = request.extensions().get::<Peer>();
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let peer = peer.map_or(nowhere, |peer| peer.0);
    let known = shared.sessions.know(request.headers(), peer);
    let changes = ![Method::GET, Method::HEAD].contains(request.method());
    if changes && !is_same_origin(request.headers(), shared.is_secure) {
        return refused(StatusCode::FORBIDDEN, "it comes from another origin");
    }
    let role = match known {
        Known::TooMuch => return refused(StatusCode::TOO_MANY_REQUESTS, "that is too often"),
        _ if is_login => None,
        Known::Nobody => return refused(StatusCode::UNAUTHORIZED, "log in first"),
        Known::Wrong(is_first) => {
            if is_first {
                note_wrong(&shared, peer.ip());
            }
            return refused(StatusCode::UNAUTHORIZED, "that token lets nobody in");
        }
        Known::Browser(_, false) if changes => {
            return refused(StatusCode::FORBIDDEN, "`X-CSRF-Token` is not the session's");
        }
        Known::Program(role) | Known::Browser(role, _) => Some(role),
    };
    if shared.sessions.is_due() {
        let shared = shared.clone();
        // Nobody waits for it.
        drop(tokio::spawn(async move { keep(&shared).await }));
    }
    // What looks like a change and is none.
    let is_looking = ["/check", "/session"].contains(&path.as_str());
    if changes && !is_looking && role != Some(Role::Admin) {
        return refused(StatusCode::FORBIDDEN, "your role may only look");
    }
    request.extensions_mut().insert(Actor {
        role,
        peer: peer.ip(),
    });
    request.extensions_mut().insert(Peer(peer));
    // Whoever was let in keeps the place while this is answered; a stream does so to its end.
    let place = request.extensions_mut().remove::<Arc<Place>>();
    let _held = place.filter(|_| role.is_some()).map(|place| {
        let held = place.hold();
        request.extensions_mut().insert(held.clone());
        held
    });
    if changes {
        let brings_file = path.starts_with("/modules") || path == "/trial/capture";
        let most = match brings_file {
            _ if is_login => LOGIN_BYTES_MAX,
            true => UPLOAD_BYTES_MAX,
            false => BODY_BYTES_MAX,
        };
        request = match whole(request, most).await {
            Ok(request) => request,
            Err(refusal) => return *refusal,
        };
    }
    next.run(request).await
}

/// Has it written down that somebody showed a wrong token.
pub(crate) fn note_wrong(shared: &Shared, peer: IpAddr) {
    let host = shared.host.clone();
    let actor = Actor { role: None, peer };
    // What comes of the note is not waited for.
    drop(tokio::task::spawn_blocking(move || {
        host.note(&actor, "was refused: wrong token");
    }));
}

/// A request with all of its body.
async fn whole(request: Request, most: usize) -> Result<Request, Box<Response>> {
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY_WITHIN, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Ok(Err(_)) => Err(Box::new(refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("it is cut off, or longer than {most} bytes"),
        ))),
        Err(_) => Err(Box::new(refused(
            StatusCode::REQUEST_TIMEOUT,
            "it takes too long to arrive",
        ))),
    }
}

/// Whether a browser sends it for this page, as far as a browser sends it.
fn is_same_origin(headers: &HeaderMap, is_secure: bool) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().ok());
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") {
        return false;
    }
    let scheme = if is_secure { "https" } else { "http" };
    match (text(&ORIGIN), text(&HOST)) {
        (None, _) => true,
        (Some(Some(origin)), Some(Some(host))) => origin == format!("{scheme}://{host}"),
        (Some(_), _) => false,
    }
}

/// By which names the page may be asked for. A name that an attacker owns may be made to lead to
/// this machine, and a browser takes it for the attacker's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    /// Names that may be; where there are none and it is not only this machine that is served,
    /// any: the certificate says there which name is meant.
    pub(crate) names: Vec<String>,
    /// Only this machine is served.
    pub(crate) is_loopback: bool,
}

impl Hosts {
    fn admit(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let mut named = headers.get_all(HOST).into_iter();
        let (Some(host), None) = (named.next(), named.next()) else {
            return false;
        };
        let Ok(host) = host.to_str() else {
            return false;
        };
        if uri.authority().is_some_and(|authority| authority != host) {
            return false;
        }
        let name = name_of(host);
        if self
            .names
            .iter()
            .any(|other| other.eq_ignore_ascii_case(name))
        {
            return true;
        }
        match self.is_loopback {
            true => {
                let address = name.trim_start_matches('[').trim_end_matches(']');
                let address: Option<IpAddr> = address.parse().ok();
                name.eq_ignore_ascii_case("localhost")
                    || address.is_some_and(|address| address.is_loopback())
            }
            false => self.names.is_empty(),
        }
    }
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            // An address of version 6 without a port ends with its bracket.
            if name.contains(':') && !name.ends_with(']') {
                host
            } else {
                name
            }
        }
        Some(_) | None => host,
    }
}

/// No inline script, nothing from elsewhere, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Says of an answer what a browser may do with it.
pub(crate) async fn harden(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let is_kept = headers.contains_key(CACHE_CONTROL);
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), microphone=(), geolocation=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !is_kept {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if shared.is_secure {
        let lasting = HeaderValue::from_static("max-age=31536000");
        headers.insert(STRICT_TRANSPORT_SECURITY, lasting);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(hosts: &Hosts, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).expect("a header"));
        hosts.admit(&headers, &Uri::from_static("/"))
    }

    #[test]
    fn on_loopback_only_names_of_this_machine_are_admitted() {
        let hosts = Hosts {
            names: vec!["saker.example".into()],
            is_loopback: true,
        };
        for host in [
            "localhost",
            "localhost:8766",
            "LOCALHOST:1",
            "127.0.0.1:8766",
            "127.1.2.3",
            "[::1]:8766",
            "[::1]",
            "saker.example:8766",
        ] {
            assert!(admits(&hosts, host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8766",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1:8766",
            "",
            "[::1].evil",
            "localhost:x",
        ] {
            assert!(!admits(&hosts, host), "{host}");
        }
        assert!(!hosts.admit(&HeaderMap::new(), &Uri::from_static("/")));
        let anywhere = Hosts::default();
        assert!(admits(&anywhere, "any.example"));
    }

    #[test]
    fn what_another_page_sends_is_of_another_origin() {
        let of = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_same_origin(&headers, false)
        };
        let host = ("host", "127.0.0.1:8766");
        assert!(of(&[host]));
        assert!(of(&[host, ("origin", "http://127.0.0.1:8766")]));
        assert!(!of(&[host, ("origin", "http://127.0.0.1:9999")]));
        assert!(!of(&[host, ("origin", "https://127.0.0.1:8766")]));
        assert!(!of(&[host, ("origin", "null")]));
        assert!(!of(&[host, ("sec-fetch-site", "same-site")]));
        assert!(of(&[host, ("sec-fetch-site", "same-origin")]));
    }
}
