//! Calls to a Unix socket by gRPC. The few messages that are asked for are written down with
//! their engines, by number: what else is in an answer is passed over.

use super::client::ANSWER_WITHIN;
use super::{LIST_BYTES_MAX, MESSAGE_BYTES_MAX, Trouble};
use hyper_util::rt::TokioIo;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;

/// Engines that answer at once do so within this.
const OPEN_WITHIN: Duration = Duration::from_millis(100);

/// A socket that is called again when its connection is lost.
pub(super) struct Socket {
    path: PathBuf,
    channel: Mutex<Option<Channel>>,
}

fn trouble_of(status: &Status) -> Trouble {
    match status.code() {
        Code::PermissionDenied | Code::Unauthenticated => Trouble::Denied,
        Code::Unavailable | Code::Cancelled => Trouble::Lost(status.message().to_owned()),
        Code::DeadlineExceeded => Trouble::Timeout,
        _ => Trouble::BadAnswer(status.message().chars().take(200).collect()),
    }
}

impl Socket {
    pub(super) fn new(path: &Path) -> Socket {
        Socket {
            path: path.to_owned(),
            channel: Mutex::default(),
        }
    }

    async fn channel(&self) -> Result<Channel, Trouble> {
        if let Some(channel) = &*self.channel.lock().expect("nobody panics with it") {
            return Ok(channel.clone());
        }
        let connected = timeout(ANSWER_WITHIN, self.connect()).await;
        let channel = connected.unwrap_or(Err(Trouble::Timeout))?;
        *self.channel.lock().expect("nobody panics with it") = Some(channel.clone());
        Ok(channel)
    }

    async fn connect(&self) -> Result<Channel, Trouble> {
        // So that what the system says is known as it says it.
        let stream = UnixStream::connect(&self.path).await;
        let stream = stream.map_err(|error| Trouble::of_io(&error))?;
        let mut stream = Some(stream);
        let path = self.path.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let (stream, path) = (stream.take(), path.clone());
            async move {
                let stream = match stream {
                    Some(stream) => stream,
                    None => UnixStream::connect(path).await?,
                };
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        // The name goes into the request and means nothing.
        let endpoint = Endpoint::from_static("http://localhost");
        let channel = endpoint.connect_with_connector(connector).await;
        channel.map_err(|error| Trouble::Lost(error.to_string()))
    }

    fn forget(&self) {
        *self.channel.lock().expect("nobody panics with it") = None;
    }

    async fn client(&self, bytes_max: usize) -> Result<tonic::client::Grpc<Channel>, Trouble> {
        let channel = self.channel().await?;
        let mut client = tonic::client::Grpc::new(channel);
        if let Err(error) = client.ready().await {
            self.forget();
            return Err(Trouble::Lost(error.to_string()));
        }
        Ok(client.max_decoding_message_size(bytes_max))
    }

    /// Calls a method; `None` if there is nothing of that name.
    pub(super) async fn call<Q, A>(
        &self,
        method: &'static str,
        request: Request<Q>,
    ) -> Result<Option<A>, Trouble>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        self.read(method, request, MESSAGE_BYTES_MAX).await
    }

    /// Calls a method that tells a list.
    pub(super) async fn list<Q, A>(
        &self,
        method: &'static str,
        request: Request<Q>,
    ) -> Result<A, Trouble>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        Ok(self
            .read(method, request, LIST_BYTES_MAX)
            .await?
            .unwrap_or_default())
    }

    async fn read<Q, A>(
        &self,
        method: &'static str,
        request: Request<Q>,
        bytes_max: usize,
    ) -> Result<Option<A>, Trouble>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut client = self.client(bytes_max).await?;
        let codec = ProstCodec::<Q, A>::default();
        let path = PathAndQuery::from_static(method);
        let answer = timeout(ANSWER_WITHIN, client.unary(request, path, codec)).await;
        match answer.map_err(|_elapsed| Trouble::Timeout)? {
            Ok(answer) => Ok(Some(answer.into_inner())),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => {
                if matches!(status.code(), Code::Unavailable | Code::Unknown) {
                    self.forget();
                }
                Err(trouble_of(&status))
            }
        }
    }

    /// Calls a method whose answer goes on; `None` if there is no such method.
    pub(super) async fn stream<Q, A>(
        &self,
        method: &'static str,
        request: Request<Q>,
    ) -> Result<Option<Streaming<A>>, Trouble>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut client = self.client(MESSAGE_BYTES_MAX).await?;
        let codec = ProstCodec::<Q, A>::default();
        let path = PathAndQuery::from_static(method);
        match client.server_streaming(request, path, codec).await {
            Ok(answer) => Ok(Some(answer.into_inner())),
            Err(status) if status.code() == Code::Unimplemented => Ok(None),
            Err(status) => {
                self.forget();
                Err(trouble_of(&status))
            }
        }
    }
}

/// A stream that is being asked for, after a moment: an engine where nothing happens may answer
/// with the first that it tells, and meanwhile there is other work.
pub(super) struct Opening<F>(Pin<Box<F>>, Option<F::Output>)
where
    F: Future;

impl<F: Future> Opening<F> {
    pub(super) async fn begin(opening: F) -> Opening<F> {
        let mut opening = Box::pin(opening);
        let opened = tokio::select! {
            opened = &mut opening => Some(opened),
            () = sleep(OPEN_WITHIN) => None,
        };
        Opening(opening, opened)
    }

    pub(super) async fn done(self) -> F::Output {
        match self.1 {
            Some(opened) => opened,
            None => self.0.await,
        }
    }
}

/// The next message of a stream; `None` at its end.
pub(super) async fn next<A>(stream: &mut Streaming<A>) -> Result<Option<A>, Trouble> {
    stream.message().await.map_err(|status| trouble_of(&status))
}
