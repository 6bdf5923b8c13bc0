//! Sockets: where the page is listened for, over TLS or not, how many connect and how long they
//! may take. The page and what kubelet asks have a listener each, and one thread together.

mod places;

use crate::guard::Peer;
use crate::host::Host;
use crate::operations::{self, Operations};
use crate::session::Token;
use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use places::Places;
pub(crate) use places::{Held, Place};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// So many may be connected to a listener.
const CONNECTIONS_MAX: usize = 128;
/// A handshake, and the head of a request, take no longer; nor does the next request let itself be
/// waited for.
const HEAD_WITHIN: Duration = match cfg!(test) {
    false => Duration::from_secs(15),
    true => Duration::from_secs(2),
};
/// The head of a request is no longer,
const HEAD_BYTES_MAX: usize = 32 << 10;
/// and has no more lines.
const HEADERS_MAX: usize = 64;
/// So many questions are answered at once, each on a thread.
const THREADS_MAX: usize = 16;

/// What TLS is made with: files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, with those between it and the root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Where and how the page is served.
#[derive(Clone)]
pub struct Settings {
    /// Where.
    pub address: SocketAddr,
    /// Over TLS, where it is said how.
    pub tls: Option<Tls>,
    /// Lets in those who may change things.
    pub admin: Token,
    /// Lets in those who may look.
    pub viewer: Option<Token>,
    /// Names of the page beside those of this machine.
    pub hosts: Vec<String>,
    /// The file in which sessions outlast this program; none, and they end with it.
    pub sessions: Option<PathBuf>,
}

/// Why something is not served.
#[derive(Debug, thiserror::Error)]
pub enum Unserved {
    /// Others would read along.
    #[error(
        "beyond this machine it is served over TLS only: `page.certificate` and `page.key` say how"
    )]
    Plain,
    /// The certificate or its key is none.
    #[error("`{0}` is not usable for TLS: {1}")]
    Certificate(PathBuf, String),
    /// The address cannot be had.
    #[error("cannot listen at {0}: {1}")]
    Address(SocketAddr, io::Error),
    /// Something else.
    #[error("{0}")]
    Failed(#[from] io::Error),
}

/// What is served, as long as this lives.
pub struct Served {
    /// Where it is listened for.
    pub address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

/// Serves the page.
pub fn serve(settings: &Settings, host: Arc<dyn Host>) -> Result<Served, Unserved> {
    if settings.tls.is_none() && !settings.address.ip().is_loopback() {
        return Err(Unserved::Plain);
    }
    let tls = settings.tls.as_ref().map(acceptor).transpose()?;
    let (listener, address) = listen(settings.address)?;
    let router = crate::router(settings, address.port(), host);
    start("saker-page", listener, address, tls, router)
}

/// Serves what kubelet and Prometheus ask.
pub fn serve_operations(
    address: SocketAddr,
    tls: Option<&Tls>,
    healthz: &str,
    operations: Arc<dyn Operations>,
) -> Result<Served, Unserved> {
    let tls = tls.map(acceptor).transpose()?;
    let (listener, address) = listen(address)?;
    let router = operations::router(healthz, operations);
    start("saker-webserver", listener, address, tls, router)
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Unserved> {
    let listen = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    listen().map_err(|error| Unserved::Address(address, error))
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, Unserved> {
    let unfit = |path: &PathBuf, why: &dyn std::fmt::Display| {
        Unserved::Certificate(path.clone(), why.to_string())
    };
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(|chain| chain.collect::<Result<Vec<_>, _>>())
        .map_err(|why| unfit(&tls.certificate, &why))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|why| unfit(&tls.key, &why))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|why| unfit(&tls.certificate, &why))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn start(
    name: &str,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
) -> Result<Served, Unserved> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(THREADS_MAX)
        .build()?;
    let (stop, stopped) = oneshot::channel();
    let inside = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    drop(inside);
    std::thread::Builder::new()
        .name(name.into())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept_all(listener, tls, router) => {}
                    _ = stopped => {}
                }
            });
            // Who still waits for an answer does so no longer.
            runtime.shutdown_background();
        })?;
    Ok(Served {
        address,
        _stop: stop,
    })
}

async fn accept_all(listener: tokio::net::TcpListener, tls: Option<TlsAcceptor>, router: Router) {
    let mut places = Places::new(CONNECTIONS_MAX);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // For want of descriptors, mostly; some are given back.
                tracing::debug!("a connection is not taken: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let place = places.take().await;
        let (tls, router) = (tls.clone(), router.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = greet(stream, peer, tls, router, &place) => {}
                () = place.is_needed() => {
                    tracing::debug!("{peer} makes room for another");
                }
            }
        });
    }
}

async fn greet(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    place: &Arc<Place>,
) {
    // An answer is not to wait for more to come.
    let _ = stream.set_nodelay(true);
    match tls {
        None => converse(stream, peer, router, place.clone()).await,
        Some(tls) => {
            let greeting = tokio::time::timeout(HEAD_WITHIN, tls.accept(stream));
            if let Ok(Ok(stream)) = greeting.await {
                converse(stream, peer, router, place.clone()).await;
            }
        }
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    place: Arc<Place>,
) {
    let service = tower::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(place.clone());
        router.clone().oneshot(request)
    });
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = conversation.await {
        tracing::debug!("a conversation with {peer} ends: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpStream};

    struct Quiet;

    impl Operations for Quiet {
        fn is_healthy(&self) -> bool {
            true
        }

        fn versions(&self) -> serde_json::Value {
            serde_json::Value::Null
        }

        fn metrics(&self) -> Option<String> {
            None
        }
    }

    fn served() -> Served {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        serve_operations(address, None, "/healthz", Arc::new(Quiet)).expect("loopback")
    }

    fn connect(served: &Served) -> TcpStream {
        let stream = TcpStream::connect(served.address).expect("it listens");
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).expect("a socket");
        stream
    }

    #[test]
    fn who_merely_connects_keeps_nobody_out() {
        let served = served();
        // Some say nothing, some begin a request, some had one answered.
        let idle: Vec<TcpStream> = (0..2 * CONNECTIONS_MAX + 20)
            .map(|number| {
                let mut stream = connect(&served);
                let begun = ["", "GET /healthz HTTP/1.1\r\nhost", KEPT][number % 3];
                let _ = stream.write_all(begun.as_bytes());
                stream
            })
            .collect();
        let mut asked = connect(&served);
        let request = "GET /healthz HTTP/1.0\r\nhost: localhost\r\n\r\n";
        asked.write_all(request.as_bytes()).expect("it listens");
        let begin = std::time::Instant::now();
        let mut answer = String::new();
        asked.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
        // Not because the others were given up for their silence.
        assert!(begin.elapsed() < HEAD_WITHIN / 2, "{:?}", begin.elapsed());
        drop(idle);
    }

    const KEPT: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

    #[test]
    fn who_says_nothing_is_waited_for_no_longer_before_a_request_or_behind_it() {
        let served = served();
        for begun in ["", "GET /healthz HTTP/1.1\r\nhost", KEPT] {
            let mut stream = connect(&served);
            stream.write_all(begun.as_bytes()).expect("it listens");
            let begin = std::time::Instant::now();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("it hangs up");
            let within = HEAD_WITHIN / 2..HEAD_WITHIN * 4;
            assert!(within.contains(&begin.elapsed()), "{begun:?}");
            assert_eq!(begun == KEPT, answer.starts_with(b"HTTP/1.1 200"));
        }
    }
}
