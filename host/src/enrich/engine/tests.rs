//! Sockets behind which there is anything but an engine.

use super::*;
use crate::state::container::Engine;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::time::sleep;

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
        root: (*b"/").into(),
        met_at: 0,
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
        ContainerAnswer::Known(_) | ContainerAnswer::Gone(..) | ContainerAnswer::Namespace(_) => {
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
            root: (*b"/").into(),
            met_at: 0,
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
    let own = format!("/user.slice/user-1000.slice/user@1000.service/libpod-{ID}.scope");
    let ask = || ContainerLookup {
        id: ID.as_bytes().into(),
        root: own.as_bytes().into(),
        met_at: 0,
        likely: Some(Engine::Podman),
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

/// What Podman says of a container that has ended.
fn of_podman(parent: &str) -> String {
    let body = format!(
        r#"{{"Id":"{ID}","Name":"/trusted","HostConfig":{{"CgroupParent":"{parent}"}},
            "State":{{"FinishedAt":"2023-11-14T22:13:20Z"}}}}"#
    );
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn podman_of_a_user_is_asked_about_and_believed_of_that_users_groups_alone() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = folder.path().join("$uid/podman.sock");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    // Who listens is ourselves.
    let uid = rustix::process::geteuid().as_raw();
    std::fs::create_dir_all(folder.path().join(uid.to_string())).unwrap();
    let slice = &*format!("/user.slice/user-{uid}.slice/user@{uid}.service/pods");
    let other = &*format!("/user.slice/user-{uid}.slice/user@{uid}.service/other");
    for (parent, root, is_told) in [
        // It tells of another group of the user's than it was asked about.
        (other, slice, false),
        (slice, slice, true),
        // It tells of a group that is not the user's.
        ("/docker", slice, false),
        // It is not asked about one.
        (slice, "/docker", false),
        ("/user.slice/user-9.slice/user@9.service", slice, false),
    ] {
        server(
            &folder.path().join(format!("{uid}/podman.sock")),
            says(of_podman(parent)),
        );
        let answer = runtime.block_on(async {
            let clients = Clients::new(&only("podman", &wanted));
            let (tell, _answers) = channel(QUEUE);
            clients.look_for_users(&Teller(tell));
            let lookup = ContainerLookup {
                id: ID.as_bytes().into(),
                root: format!("{root}/libpod-{ID}.scope").into_bytes().into(),
                met_at: 0,
                likely: Some(Engine::Podman),
            };
            look_up(&clients.all(), lookup).await
        });
        match answer {
            ContainerAnswer::Known(facts) => {
                assert!(is_told, "{parent} {root}");
                assert_eq!((facts.user, &*facts.name), (Some(uid), "trusted"));
                assert!(
                    facts
                        .roots
                        .iter()
                        .flatten()
                        .all(|root| root.starts_with(slice.as_bytes()))
                );
            }
            ContainerAnswer::Absent(_, Absence::NotFound | Absence::NoSocket) => {
                assert!(!is_told, "{parent} {root}");
            }
            answer => panic!("{answer:?}"),
        }
    }
}

#[test]
fn a_flood_of_events_has_each_container_asked_about_a_few_times_and_is_slowed_down() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("floods.sock");
    let inspected = Arc::new(AtomicU64::new(0));
    let told = Arc::new(AtomicU64::new(0));
    let (count, lines) = (inspected.clone(), told.clone());
    server(&path, move |mut caller| {
        let mut request = [0; 4096];
        let length = caller.read(&mut request).unwrap_or(0);
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        if request.starts_with("GET /events") {
            let _ = caller.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            let line = format!("{{\"Action\":\"start\",\"Actor\":{{\"ID\":\"{ID}\"}}}}\n");
            while caller.write_all(line.as_bytes()).is_ok() {
                lines.fetch_add(1, Ordering::Relaxed);
            }
        } else if request.contains("containers/json") {
            let _ = caller.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]");
        } else if request.contains(ID) {
            count.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(50));
            let _ = caller.write_all(of_podman("/docker").as_bytes());
        } else {
            let _ = caller.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (tell, mut answers) = channel(ANSWERS_MAX);
    let heard = runtime.block_on(async {
        let clients = clients(&only("docker", &path));
        tokio::spawn(clients[0].clone().follow_for_ever(Teller(tell)));
        let mut heard = 0;
        let until = Instant::now() + Duration::from_secs(1);
        while let Ok(Some(_)) = tokio::time::timeout_at(until.into(), answers.recv()).await {
            heard += 1;
        }
        heard
    });
    // Eight at once, 50 ms each: 160 a second, whatever is told.
    assert!((1..=200).contains(&heard), "{heard}");
    let inspected = inspected.load(Ordering::Relaxed);
    assert!(inspected <= 200, "{inspected}");
    // What is not read stays with who tells it: what a second lets through, and what sockets and
    // buffers hold.
    let told = told.load(Ordering::Relaxed);
    assert!(told < 60_000, "{told}");
}

#[test]
fn an_engine_that_tells_of_too_many_has_some_overlooked() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let path = Path::new("/nowhere");
        let docker = docker::Docker::new(path, None, &docker::DOCKER);
        let client = Client::new(Api::Docker(docker), path, None);
        let (tell, _answers) = channel(ANSWERS_MAX);
        let (telling, _ids) = telling::Telling::new(&client, &Teller(tell));
        for index in 0..1100 {
            telling.soon(&format!("{index:064x}"));
            telling.soon(&format!("{index:064x}"));
        }
        // What no engine gives out is not even counted.
        telling.soon("../images");
        telling.soon(&"a".repeat(1000));
        // Each was told of twice.
        assert_eq!(client.standing().overlooked, 2 * (1100 - 1024));
    });
}

#[test]
fn who_begins_no_answer_is_called_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hangs.sock");
    let calls = Arc::new(AtomicU64::new(0));
    let count = calls.clone();
    server(&path, move |caller| {
        count.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(Duration::from_secs(60));
        drop(caller);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (tell, _answers) = channel(ANSWERS_MAX);
        let clients = clients(&only("docker", &path));
        tokio::spawn(clients[0].clone().follow_for_ever(Teller(tell)));
        sleep(ANSWER_WITHIN + Duration::from_secs(1)).await;
        let trouble = clients[0].standing().trouble;
        assert_eq!(trouble.as_deref(), Some("no answer in time"));
    });
    assert!(calls.load(Ordering::Relaxed) >= 2);
}
