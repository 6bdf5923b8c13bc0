//! Sockets behind which there is anything but an engine.

use super::*;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Instant;

const ID: &str = "deee98f7e35b645905487db81e52e8d8887dbd2e2cf6f5222a7dd8e04292e0bb";

/// A server at that path that treats every caller so.
fn server(path: &Path, treat: impl Fn(UnixStream) + Send + Clone + 'static) {
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for caller in listener.incoming().flatten() {
            let treat = treat.clone();
            std::thread::spawn(move || treat(caller));
        }
    });
}

/// Reads a request, and answers so.
fn says(answer: impl Into<Vec<u8>>) -> impl Fn(UnixStream) + Send + Clone + 'static {
    let answer = answer.into();
    move |mut caller| {
        let mut request = [0; 4096];
        let _ = caller.read(&mut request);
        let _ = caller.write_all(&answer);
    }
}

fn only(engine: &str, socket: &Path) -> Settings {
    let choice = |name: &str| Choice {
        enabled: name == engine,
        sockets: vec![socket.to_owned()],
    };
    Settings {
        docker: choice("docker"),
        podman: choice("podman"),
        containerd: choice("containerd"),
        cri: choice("cri"),
        by_path: ByPath::default(),
    }
}

/// What is answered about a container if that engine is all there is.
fn answer_of(engine: &str, socket: &Path) -> ContainerAnswer {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let clients = clients(&only(engine, socket));
    let lookup = ContainerLookup {
        id: ID.as_bytes().into(),
        short: ID.as_bytes()[..12].into(),
        likely: None,
    };
    runtime.block_on(look_up(&clients, lookup))
}

#[track_caller]
fn absent(engine: &str, socket: &Path) -> Absence {
    let began = Instant::now();
    let answer = answer_of(engine, socket);
    assert!(began.elapsed() < ANSWER_WITHIN * 2);
    match answer {
        ContainerAnswer::Absent(_, why) => why,
        ContainerAnswer::Known(_) | ContainerAnswer::Gone(_) | ContainerAnswer::Namespace(_) => {
            panic!("{answer:?}")
        }
    }
}

const ENGINES: [&str; 4] = ["docker", "podman", "containerd", "cri"];

#[test]
fn where_nobody_listens_there_is_no_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.sock");
    for engine in ENGINES {
        assert_eq!(absent(engine, &path), Absence::NoSocket, "{engine}");
    }
    // One that was left behind.
    drop(UnixListener::bind(&path).unwrap());
    for engine in ENGINES {
        assert_eq!(absent(engine, &path), Absence::NoSocket, "{engine}");
    }
}

#[test]
fn a_socket_that_hangs_costs_time_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hangs.sock");
    server(&path, |caller| {
        std::thread::sleep(Duration::from_secs(60));
        drop(caller);
    });
    std::thread::scope(|threads| {
        for engine in ENGINES {
            let path = &path;
            threads.spawn(move || assert_eq!(absent(engine, path), Absence::Timeout, "{engine}"));
        }
    });
}

#[test]
fn garbage_is_a_bad_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garbage.sock");
    for garbage in [
        &b"\x00\xff\x00\xff\x00\xff\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{]}",
        b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
    ] {
        server(&path, says(garbage));
        assert_eq!(absent("docker", &path), Absence::BadAnswer);
    }
    server(
        &path,
        says(&b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"[..]),
    );
    assert_eq!(absent("docker", &path), Absence::Denied);
    server(
        &path,
        says(&b"\x00\xff\x00 no frames of HTTP/2 \x00\xff"[..]),
    );
    for engine in ["containerd", "cri"] {
        let why = absent(engine, &path);
        assert!(
            matches!(why, Absence::Timeout | Absence::BadAnswer),
            "{engine}: {why:?}"
        );
    }
}

#[test]
fn an_answer_of_100_mb_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("much.sock");
    let sent = Arc::new(AtomicU64::new(0));
    let count = sent.clone();
    server(&path, move |mut caller| {
        let mut request = [0; 4096];
        let _ = caller.read(&mut request);
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n{\"Id\":\"";
        let _ = caller.write_all(head);
        for _ in 0..1600 {
            if caller.write_all(&[b'a'; 65536]).is_err() {
                return;
            }
            count.fetch_add(65536, Ordering::Relaxed);
        }
    });
    assert_eq!(absent("docker", &path), Absence::BadAnswer);
    assert!(sent.load(Ordering::Relaxed) < 3 * ANSWER_BYTES_MAX as u64);
}

#[test]
fn another_containers_facts_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lies.sock");
    let body = format!(r#"{{"Id":"{}","Name":"/trusted"}}"#, "f".repeat(64));
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    server(&path, says(head + &body));
    assert_eq!(absent("docker", &path), Absence::NotFound);
}

#[test]
fn an_id_that_no_engine_gives_out_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asked.sock");
    let asked = Arc::new(AtomicU64::new(0));
    let count = asked.clone();
    server(&path, move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let clients = clients(&only("docker", &path));
    for id in [&b"../images"[..], b"a b", b"\xff", b".."] {
        let lookup = ContainerLookup {
            id: id.into(),
            short: id.into(),
            likely: None,
        };
        let answer = runtime.block_on(look_up(&clients, lookup));
        assert!(matches!(
            answer,
            ContainerAnswer::Absent(_, Absence::NotFound)
        ));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[test]
fn podman_of_a_user_who_logs_in_later_is_asked_and_no_more_when_they_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("$uid/podman.sock");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let clients = Clients::new(&only("podman", &socket));
    let (lookups, asked) = channel(QUEUE);
    let (tell, mut answers) = channel(QUEUE);
    let ask = || ContainerLookup {
        id: ID.as_bytes().into(),
        short: ID.as_bytes()[..12].into(),
        likely: Some(Kind::Podman),
    };
    let why = |answer: Option<ContainerAnswer>| match answer {
        Some(ContainerAnswer::Absent(_, why)) => why,
        answer => panic!("{answer:?}"),
    };
    let sockets = || -> Vec<PathBuf> {
        let clients = clients.all().into_iter();
        clients.map(|client| client.socket.clone()).collect()
    };
    let mut next = async || {
        lookups.send(ask()).await.expect("it is served");
        answers.recv().await
    };
    runtime.block_on(async {
        tokio::spawn(serve(clients.clone(), asked, Teller(tell)));
        assert_eq!(why(next().await), Absence::NoSocket);
        assert!(sockets().is_empty());

        let user = folder.path().join("1000");
        std::fs::create_dir(&user).unwrap();
        server(&user.join("podman.sock"), says("nonsense"));
        sleep(USERS_LOOKED_FOR_AFTER).await;
        assert_eq!(why(next().await), Absence::BadAnswer);
        assert_eq!(sockets(), [user.join("podman.sock")]);

        std::fs::remove_dir_all(&user).unwrap();
        sleep(USERS_LOOKED_FOR_AFTER).await;
        assert_eq!(why(next().await), Absence::NoSocket);
        assert!(sockets().is_empty());
    });
}
