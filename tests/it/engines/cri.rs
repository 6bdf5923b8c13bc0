//! Kubernetes' interface to runtimes, CRI v1: as kubelet calls it, and as CRI-O, which Debian does
//! not have, answers it.

use super::until;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Endpoint, Uri};

pub(crate) mod api {
    //! What of `runtime.v1` tests say and are told.

    use std::collections::HashMap;

    /// Makes messages: each field with its type and number.
    macro_rules! messages {
        ($($name:ident { $($field:ident: $kind:ty = #[$meta:meta];)* })*) => {
            $(
                #[derive(Clone, PartialEq, prost::Message)]
                pub(crate) struct $name {
                    $(#[$meta] pub(crate) $field: $kind,)*
                }
            )*
        };
    }

    messages! {
        Empty {}
        Version {
            runtime_name: String = #[prost(string, tag = "2")];
        }
        PodMetadata {
            name: String = #[prost(string, tag = "1")];
            uid: String = #[prost(string, tag = "2")];
            namespace: String = #[prost(string, tag = "3")];
        }
        Named {
            name: String = #[prost(string, tag = "1")];
        }
        NamespaceOptions {
            network: i32 = #[prost(int32, tag = "1")];
            pid: i32 = #[prost(int32, tag = "2")];
            ipc: i32 = #[prost(int32, tag = "3")];
        }
        PodSecurity {
            options: Option<NamespaceOptions> = #[prost(message, optional, tag = "1")];
        }
        LinuxPod {
            cgroup_parent: String = #[prost(string, tag = "1")];
            security: Option<PodSecurity> = #[prost(message, optional, tag = "2")];
        }
        PodConfig {
            metadata: Option<PodMetadata> = #[prost(message, optional, tag = "1")];
            hostname: String = #[prost(string, tag = "2")];
            log_directory: String = #[prost(string, tag = "3")];
            labels: HashMap<String, String> = #[prost(map = "string, string", tag = "6")];
            annotations: HashMap<String, String> = #[prost(map = "string, string", tag = "7")];
            linux: Option<LinuxPod> = #[prost(message, optional, tag = "8")];
        }
        Mount {
            container_path: String = #[prost(string, tag = "1")];
            host_path: String = #[prost(string, tag = "2")];
            readonly: bool = #[prost(bool, tag = "3")];
        }
        ContainerConfig {
            metadata: Option<Named> = #[prost(message, optional, tag = "1")];
            image: Option<Named> = #[prost(message, optional, tag = "2")];
            command: Vec<String> = #[prost(string, repeated, tag = "3")];
            mounts: Vec<Mount> = #[prost(message, repeated, tag = "7")];
            labels: HashMap<String, String> = #[prost(map = "string, string", tag = "9")];
            log_path: String = #[prost(string, tag = "11")];
        }
        RunPod {
            config: Option<PodConfig> = #[prost(message, optional, tag = "1")];
        }
        CreateContainer {
            pod: String = #[prost(string, tag = "1")];
            config: Option<ContainerConfig> = #[prost(message, optional, tag = "2")];
            pod_config: Option<PodConfig> = #[prost(message, optional, tag = "3")];
        }
        Exec {
            id: String = #[prost(string, tag = "1")];
            command: Vec<String> = #[prost(string, repeated, tag = "2")];
            timeout: i64 = #[prost(int64, tag = "3")];
        }
        Id {
            id: String = #[prost(string, tag = "1")];
            verbose: bool = #[prost(bool, tag = "2")];
        }
        Items {
            items: Vec<Id> = #[prost(message, repeated, tag = "1")];
        }
        ContainerStatus {
            id: String = #[prost(string, tag = "1")];
            metadata: Option<Named> = #[prost(message, optional, tag = "2")];
            state: i32 = #[prost(int32, tag = "3")];
            image: Option<Named> = #[prost(message, optional, tag = "8")];
            image_ref: String = #[prost(string, tag = "9")];
            labels: HashMap<String, String> = #[prost(map = "string, string", tag = "12")];
            mounts: Vec<Mount> = #[prost(message, repeated, tag = "14")];
        }
        GotContainer {
            status: Option<ContainerStatus> = #[prost(message, optional, tag = "1")];
            info: HashMap<String, String> = #[prost(map = "string, string", tag = "2")];
        }
        PodStatus {
            id: String = #[prost(string, tag = "1")];
            metadata: Option<PodMetadata> = #[prost(message, optional, tag = "2")];
            network: Option<Named> = #[prost(message, optional, tag = "5")];
            labels: HashMap<String, String> = #[prost(map = "string, string", tag = "7")];
            annotations: HashMap<String, String> = #[prost(map = "string, string", tag = "8")];
        }
        GotPod {
            status: Option<PodStatus> = #[prost(message, optional, tag = "1")];
            info: HashMap<String, String> = #[prost(map = "string, string", tag = "2")];
        }
        Image {
            id: String = #[prost(string, tag = "1")];
            repo_tags: Vec<String> = #[prost(string, repeated, tag = "2")];
            repo_digests: Vec<String> = #[prost(string, repeated, tag = "3")];
        }
        GotImage {
            image: Option<Image> = #[prost(message, optional, tag = "1")];
        }
    }
}

/// A caller of the interface.
pub(crate) struct Caller {
    runtime: tokio::runtime::Runtime,
    socket: PathBuf,
}

impl Caller {
    pub(crate) fn new(socket: &Path) -> Caller {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Caller {
            runtime: runtime.expect("a runtime"),
            socket: socket.to_owned(),
        }
    }

    /// Calls a method of the service for runtimes.
    pub(crate) fn call<Q, A>(&self, method: &str, request: Q) -> Result<A, tonic::Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        self.runtime.block_on(async {
            let path = self.socket.clone();
            let connect = tower::service_fn(move |_: Uri| {
                let path = path.clone();
                async move {
                    let stream = UnixStream::connect(path).await?;
                    Ok::<_, std::io::Error>(TokioIo::new(stream))
                }
            });
            let endpoint = Endpoint::from_static("http://localhost");
            let channel = endpoint.connect_with_connector(connect).await;
            let channel = channel.map_err(|error| tonic::Status::unavailable(error.to_string()))?;
            let mut client = tonic::client::Grpc::new(channel);
            let ready = client.ready().await;
            ready.map_err(|error| tonic::Status::unavailable(error.to_string()))?;
            let path = format!("/runtime.v1.RuntimeService/{method}");
            let path = PathAndQuery::try_from(path).expect("it is one");
            let codec = tonic_prost::ProstCodec::<Q, A>::default();
            let answer = client
                .unary(tonic::Request::new(request), path, codec)
                .await;
            Ok(answer?.into_inner())
        })
    }

    /// Waits until the runtime answers.
    pub(crate) fn wait(&self) {
        until("the runtime is waited for", || {
            self.call::<_, api::Version>("Version", api::Empty {})
                .is_ok()
        });
    }
}

/// What a runtime tells of one container and its pod, as CRI-O tells it.
pub(crate) struct CriO {
    pub(crate) container: api::GotContainer,
    pub(crate) pod: api::GotPod,
    pub(crate) image: api::Image,
}

impl CriO {
    /// Answers at that socket as long as the test runs.
    pub(crate) fn serve(self, socket: &Path) {
        let listener = std::os::unix::net::UnixListener::bind(socket).expect("the folder is ours");
        listener.set_nonblocking(true).expect("it is open");
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::UnixListener::from_std(listener).expect("it is one");
                let told = std::sync::Arc::new(self);
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(told.clone().answer_all(stream));
                }
            });
        });
    }

    async fn answer_all(self: std::sync::Arc<CriO>, stream: UnixStream) {
        let Ok(mut connection) = h2::server::handshake(stream).await else {
            return;
        };
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let told = self.clone();
            tokio::spawn(async move {
                let method = request.uri().path().to_owned();
                let mut body = request.into_body();
                let mut asked = Vec::new();
                while let Some(Ok(data)) = body.data().await {
                    let _ = body.flow_control().release_capacity(data.len());
                    asked.extend_from_slice(&data);
                }
                let answer = told.answer(&method, asked.get(5..).unwrap_or_default());
                let head = tonic::codegen::http::Response::builder()
                    .header("content-type", "application/grpc")
                    .body(());
                let head = head.expect("it is of the shape");
                let Ok(mut stream) = respond.send_response(head, false) else {
                    return;
                };
                let mut trailers = tonic::codegen::http::HeaderMap::new();
                match answer {
                    Ok(message) => {
                        let mut frame = vec![0];
                        frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
                        frame.extend_from_slice(&message);
                        let _ = stream.send_data(frame.into(), false);
                        trailers.insert("grpc-status", 0.into());
                    }
                    Err(code) => {
                        trailers.insert("grpc-status", (code as i32).into());
                    }
                }
                let _ = stream.send_trailers(trailers);
            });
        }
    }

    fn answer(&self, method: &str, asked: &[u8]) -> Result<Vec<u8>, tonic::Code> {
        use prost::Message;
        let id = || api::Id::decode(asked).map(|asked| asked.id);
        let is = |own: Option<&str>| own.is_some() && id().ok().as_deref() == own;
        let container = self.container.status.as_ref();
        let container = container.map(|status| &*status.id);
        let pod = self.pod.status.as_ref().map(|status| &*status.id);
        let list = |own: Option<&str>| api::Items {
            items: Vec::from_iter(own.map(|own| api::Id {
                id: own.into(),
                verbose: false,
            })),
        };
        match method {
            "/runtime.v1.RuntimeService/Version" => Ok(api::Version {
                runtime_name: "cri-o".into(),
            }
            .encode_to_vec()),
            "/runtime.v1.RuntimeService/ListContainers" => Ok(list(container).encode_to_vec()),
            "/runtime.v1.RuntimeService/ListPodSandbox" => Ok(list(pod).encode_to_vec()),
            "/runtime.v1.RuntimeService/ContainerStatus" if is(container) => {
                Ok(self.container.encode_to_vec())
            }
            "/runtime.v1.RuntimeService/PodSandboxStatus" if is(pod) => {
                Ok(self.pod.encode_to_vec())
            }
            "/runtime.v1.ImageService/ImageStatus" => Ok(api::GotImage {
                image: Some(self.image.clone()),
            }
            .encode_to_vec()),
            "/runtime.v1.RuntimeService/ContainerStatus"
            | "/runtime.v1.RuntimeService/PodSandboxStatus" => Err(tonic::Code::NotFound),
            // It tells no events unless it is asked to when it is started.
            _ => Err(tonic::Code::Unimplemented),
        }
    }
}

/// Labels, or the like.
pub(crate) fn names<const N: usize>(all: [(&str, &str); N]) -> HashMap<String, String> {
    all.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}
