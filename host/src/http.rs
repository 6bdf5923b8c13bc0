//! Requests by HTTP, over TLS or not: the only place that knows ureq.
//!
//! Everything about a request is bounded: how long it takes as a whole, what comes back, and
//! that nobody is sent elsewhere unasked: who is to follow a redirect follows it himself. Who may
//! be asked, and when, is left to others. A request blocks; it is for threads that may.

use serde::{Deserialize, Serialize};
use std::io::Read;
use std::time::Duration;
use ureq::http::{Method, Request};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// Where systems keep the certificates that they trust; before all of them, what the variable
/// `SSL_CERT_FILE` names. Where there is none, Mozilla's are used, which are part of the program.
const CERTIFICATES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];
/// No such file is larger.
const CERTIFICATES_BYTES_MAX: u64 = 8 << 20;
/// Bytes of an answer's headers together.
const HEADERS_BYTES_MAX: usize = 32 * 1024;

/// What a request may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// To the end of the answer.
    pub whole: Duration,
    /// Until there is a connection.
    pub connect: Duration,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Names, in small letters, and values that are text.
    pub headers: Vec<(String, String)>,
    /// What came behind them.
    pub body: Vec<u8>,
    /// There was more of that than was wanted.
    pub is_cut: bool,
}

impl Reply {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| &**value)
    }
}

/// Who sends requests.
#[derive(Debug)]
pub struct Client(ureq::Agent);

impl Client {
    /// One whose requests may take that long.
    pub fn new(limits: Limits) -> Client {
        let tls = TlsConfig::builder().root_certs(certificates()).build();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(HEADERS_BYTES_MAX)
            .timeout_global(Some(limits.whole))
            .timeout_connect(Some(limits.connect))
            .user_agent(concat!("saker/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Client(config.into())
    }

    /// Sends a request, and reads so many bytes of the answer's body. An error says in words why
    /// there is none.
    pub fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: &[u8],
        body_bytes_max: usize,
    ) -> Result<Reply, String> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let in_words = |error: ureq::Error| error.to_string();
        let bodiless = matches!(request.method_ref(), Some(&Method::GET | &Method::HEAD));
        let answered = match bodiless {
            true => self
                .0
                .run(request.body(()).map_err(|error| error.to_string())?),
            false => self
                .0
                .run(request.body(body).map_err(|error| error.to_string())?),
        };
        let (parts, body) = answered.map_err(in_words)?.into_parts();
        let mut bytes = Vec::new();
        let more = body_bytes_max as u64 + 1;
        let mut reader = body.into_reader().take(more);
        reader
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        let is_cut = bytes.len() > body_bytes_max;
        bytes.truncate(body_bytes_max);
        let headers = parts.headers.iter().filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        });
        Ok(Reply {
            status: parts.status.as_u16(),
            headers: headers.collect(),
            body: bytes,
            is_cut,
        })
    }
}

fn certificates() -> RootCerts {
    let named = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
    let known = CERTIFICATES.iter().map(std::path::PathBuf::from);
    for path in named.into_iter().chain(known) {
        let Ok(file) = std::fs::File::open(&path) else {
            continue;
        };
        let mut pem = Vec::new();
        if file
            .take(CERTIFICATES_BYTES_MAX)
            .read_to_end(&mut pem)
            .is_err()
        {
            continue;
        }
        let found = parse_pem(&pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            Ok(_) | Err(_) => None,
        });
        let found: Vec<_> = found.collect();
        if !found.is_empty() {
            return RootCerts::new_with_certs(&found);
        }
    }
    RootCerts::WebPki
}

/// Where a request goes: what a list of servers is held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    is_secure: bool,
    /// In small letters.
    host: String,
    port: u16,
}

impl Server {
    /// The server of an address, `https` where it names no scheme; `None` where it is none, or
    /// names a user.
    pub fn of(address: &str) -> Option<Server> {
        let (is_secure, rest) = match address.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(_) => return None,
            None => (true, address),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = &rest[..end];
        // `[::1]:80` has colons in its host.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok()?,
            Some(_) => return None,
            None if is_secure => 443,
            None => 80,
        };
        let name = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        let is_host = match name {
            Some(name) => name.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.len() <= 253 && host.bytes().all(is_plain),
        };
        is_host.then(|| Server {
            is_secure,
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    /// Nobody on the way reads what it is sent.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Both are on one host, whatever their ports.
    pub fn is_at(&self, other: &Server) -> bool {
        self.host == other.host
    }

    /// It is this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_matches(['[', ']']);
        let address = host.parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_its_scheme_its_host_and_its_port() {
        let plain = Server::of("api.example.org").expect("a server");
        assert_eq!(
            Server::of("https://API.example.org:443/a?b#c"),
            Some(plain.clone())
        );
        for other in [
            "http://api.example.org",
            "https://api.example.org:8443/",
            "https://api.example.org.evil.example/",
            "https://api.example.org%2e/",
        ] {
            assert_ne!(Server::of(other), Some(plain.clone()), "{other}");
        }
        assert!(
            Server::of("http://[::1]:80/x")
                .expect("a server")
                .is_loopback()
        );
        assert_eq!(
            Server::of("http://127.0.0.1:80"),
            Server::of("http://127.0.0.1/")
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_server() {
        for address in [
            "https://api.example.org@evil.example/",
            "https://user:secret@api.example.org/",
            "https://api.example.org\\@evil.example/",
            "https://api.example.org:/",
            "https://api.example.org:443443/",
            "https://api.example.org:+443/",
            "https:///path",
            "ftp://api.example.org/",
            "https://api example.org/",
            "https://[fe80::1%25eth0]/",
            "",
        ] {
            assert_eq!(Server::of(address), None, "{address}");
        }
    }
}
