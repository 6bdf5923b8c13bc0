//! Who comes in: tokens, sessions, TLS, connections.

use super::*;

#[test]
fn nobody_comes_in_without_a_token_and_who_may_look_changes_nothing() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let viewer = folder.path().join("viewer");
    std::fs::write(&viewer, "only for looking at it\n").expect("a folder of the test");
    let only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&viewer, only).expect("a file of the test");
    let viewer = format!("page.viewer_token_file={}", viewer.display());
    let page = Page::start(&scope, folder.path(), &["-o", &viewer]);
    let token = page.authorization();
    let status = |method: &str, path: &str, head: &[&str], body: &[u8]| {
        page.send(method, path, head, body).status
    };
    let (alerts, choice) = ("/api/v1/alerts", "/api/v1/rules/enabled");
    let body = br#"{"rule": "Read sensitive file untrusted", "enabled": false}"#;
    let json = "content-type: application/json";
    // Nobody, somebody with a wrong secret, somebody who may look, somebody who may change.
    assert_eq!(status("GET", alerts, &[], b""), 401);
    let wrong = "authorization: Bearer 0123456789abcdef";
    assert_eq!(status("GET", alerts, &[wrong], b""), 401);
    let looking = "authorization: Bearer only for looking at it";
    assert_eq!(status("GET", alerts, &[looking], b""), 200);
    assert_eq!(status("POST", choice, &[looking, json], body), 403);
    assert_eq!(
        status(
            "POST",
            "/api/v1/check",
            &[looking, json],
            br#"{"text": ""}"#
        ),
        200
    );
    // A browser: a session, which a page of another origin cannot make use of.
    let login = format!(r#"{{"token": "{}"}}"#, page.token);
    let session = page.send("POST", "/api/v1/session", &[json], login.as_bytes());
    assert_eq!(session.status, 200, "{}", session.body);
    let csrf = format!(
        "x-csrf-token: {}",
        session.json()["csrf"].as_str().expect("a secret")
    );
    let cookie = session
        .head
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie.expect("a cookie");
    assert!(
        cookie.contains("httponly") && cookie.contains("samesite=strict"),
        "{cookie}"
    );
    let cookie = format!("cookie: {}", cookie.split(';').next().expect("a value"));
    assert_eq!(status("GET", alerts, &[&cookie], b""), 200);
    assert_eq!(status("POST", choice, &[&cookie, json], body), 403);
    assert_eq!(
        status("POST", choice, &[&cookie, "x-csrf-token: x", json], body),
        403
    );
    let elsewhere = "origin: http://127.0.0.1:1";
    assert_eq!(
        status("POST", choice, &[&cookie, &csrf, elsewhere, json], body),
        403
    );
    assert_eq!(status("POST", choice, &[&cookie, &csrf, json], body), 200);
    assert_eq!(
        status("GET", alerts, &["host: evil.example", &token], b""),
        421
    );
    // What is too long, unknown or no request is refused, and nothing fails.
    let long = vec![b' '; 2 << 20];
    assert_eq!(status("POST", choice, &[&token, json], &long), 413);
    assert_eq!(status("POST", choice, &[&token, json], b"{"), 400);
    assert_eq!(status("GET", "/api/v1/nothing", &[&token], b""), 404);
    assert_eq!(status("PUT", alerts, &[&token], b""), 405);
    // What is no part of the interface is no view of the page either, and files only are read.
    for path in ["/api", "/api/", "/api/v2/alerts", "/api/nothing"] {
        let answer = page.send("GET", path, &[], b"");
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.json()["error"].is_string(), "{}", answer.body);
    }
    for (method, path) in [("POST", "/"), ("DELETE", "/alerts"), ("PROPFIND", "/")] {
        assert_eq!(status(method, path, &[], b""), 405, "{method} {path}");
    }
    let lower = page.authorization().replace("Bearer", "bearer");
    assert_eq!(status("GET", alerts, &[&lower], b""), 200);
    assert_eq!(
        status("GET", "/api/v1/alerts/99999999999999999999", &[&token], b""),
        400
    );
    assert_eq!(status("GET", "/api/v1/alerts/99", &[&token], b""), 404);
    assert_eq!(
        status("POST", "/api/v1/modules?file=../x.wasm", &[&token], b"x"),
        400
    );
    assert_eq!(
        status("DELETE", "/api/v1/session", &[&cookie, &csrf], b""),
        204
    );
    assert_eq!(status("GET", alerts, &[&cookie], b""), 401);
    // The page itself is there for all, and no browser runs in it what is not its own.
    let index = page.send("GET", "/alerts/7", &[], b"");
    assert_eq!(index.status, 200);
    assert!(
        index
            .head
            .contains("content-security-policy: default-src 'none'")
    );
    assert!(index.head.contains("x-frame-options: deny"));
    assert!(!index.body.contains("<script>"));
    // All of it is remembered.
    let changes = page.until("/changes", |changes| !changes["changes"][2].is_null());
    let changes = changes["changes"].as_array().expect("changes");
    let said = |what: &str, by: &str| {
        let mut changes = changes.iter();
        changes.any(|change| {
            change["what"]
                .as_str()
                .is_some_and(|text| text.contains(what))
                && change["by"].as_str().is_some_and(|text| text.contains(by))
        })
    };
    assert!(said("logged in", "admin from 127.0.0.1"), "{changes:?}");
    assert!(
        said("was refused: wrong token", "somebody from 127.0.0.1"),
        "{changes:?}"
    );
    assert!(
        said("disable rule `Read sensitive file untrusted`", "admin"),
        "{changes:?}"
    );
    assert!(page.saker.stop().status.success());
}

#[test]
fn a_session_goes_on_after_a_restart() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let start = |address: &str| {
        let address = format!("page.address={address}");
        Page::start(&scope, folder.path(), &["-o", &address])
    };
    let page = start("127.0.0.1:0");
    let json = "content-type: application/json";
    let login = format!(r#"{{"token": "{}"}}"#, page.token);
    let session = page.send("POST", "/api/v1/session", &[json], login.as_bytes());
    assert_eq!(session.status, 200, "{}", session.body);
    let mut lines = session.head.lines();
    let cookie = lines.find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie.and_then(|cookie| cookie.split(';').next());
    let cookie = format!("cookie: {}", cookie.expect("a cookie"));
    let csrf = session.json()["csrf"]
        .as_str()
        .expect("a secret")
        .to_owned();
    let csrf = format!("x-csrf-token: {csrf}");
    let address = page.address.clone();
    assert!(page.saker.stop().status.success());
    let page = start(&address);
    let asked = page.send("GET", "/api/v1/session", &[&cookie], b"");
    assert_eq!(asked.status, 200, "{}", asked.body);
    assert_eq!(asked.json()["role"], "admin");
    let ended = page.send("DELETE", "/api/v1/session", &[&cookie, &csrf], b"");
    assert_eq!(ended.status, 204, "{}", ended.body);
    assert!(page.saker.stop().status.success());
    let page = start(&address);
    let asked = page.send("GET", "/api/v1/session", &[&cookie], b"");
    assert_eq!(asked.status, 401, "{}", asked.body);
    assert!(page.saker.stop().status.success());
}

/// What `openssl` answers to these arguments, given that text.
fn openssl(args: &[&str], text: &[u8]) -> std::process::Output {
    let mut child = std::process::Command::new("openssl")
        .args(args)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("openssl is there, as `needs` says");
    let mut input = child.stdin.take().expect("piped");
    // Who needs no more text reads none.
    let _ = input.write_all(text);
    drop(input);
    child.wait_with_output().expect("it ends")
}

#[test]
fn over_tls_one_logs_in_and_without_it_the_page_stays_on_this_machine() {
    if !needs::live() || !needs::page_tool("openssl") {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let [certificate, key] = ["page.pem", "page.key"].map(|name| folder.path().join(name));
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let made = openssl(
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-days",
            "2",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ],
        b"",
    );
    assert!(made.status.success(), "{made:?}");
    let options = [
        format!("page.certificate={certificate}"),
        format!("page.key={key}"),
    ];
    let page = Page::start(
        &scope,
        folder.path(),
        &["-o", &options[0], "-o", &options[1]],
    );
    let address = page.address.trim_start_matches("https://").to_owned();
    let ask = |request: String| {
        // It hangs up when its input ends: that is held open until the answer is there.
        let script = "{ printf '%s' \"$0\"; sleep 2; } | openssl s_client -quiet -connect \"$1\" \
                      -CAfile \"$2\" -verify_return_error -verify_ip 127.0.0.1 2>/dev/null";
        let answer = std::process::Command::new("/bin/sh")
            .args(["-c", script, &request, &address, &certificate])
            .output();
        String::from_utf8_lossy(&answer.expect("a shell").stdout).to_ascii_lowercase()
    };
    let body = format!(r#"{{"token": "{}"}}"#, page.token);
    let login = ask(format!(
        "POST /api/v1/session HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert!(login.starts_with("http/1.0 200"), "{login}");
    let cookie = login
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "));
    let cookie = cookie.expect("a cookie");
    assert!(
        cookie.starts_with("__host-saker-") && cookie.contains("; secure"),
        "{cookie}"
    );
    assert!(
        login.contains("strict-transport-security: max-age="),
        "{login}"
    );
    // Without TLS nobody is spoken to there.
    let mut plain = TcpStream::connect(&address).expect("it listens");
    let asked = format!("GET /api/v1/alerts HTTP/1.0\r\nhost: {address}\r\n\r\n");
    let _ = plain.write_all(asked.as_bytes());
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(page.saker.stop().status.success());
    // Beyond this machine there is no page without it.
    let store = format!("store.path={}", folder.path().join("alerts.db").display());
    let saker = Saker::watch(&scope, &["-o", &store, "-o", "page.address=0.0.0.0:0"]);
    let ended = saker.stop();
    assert!(ended.status.success());
    assert!(
        ended
            .messages
            .contains("beyond this machine it is served over TLS only"),
        "{}",
        ended.messages
    );
}

#[test]
fn who_merely_connects_shuts_nobody_out_and_ends_no_stream() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let page = Page::start(&scope, folder.path(), &["-r", &rules(folder.path())]);
    let head = [&*page.authorization(), "accept: text/event-stream"];
    let stream = page.begin("GET", "/api/v1/alerts/stream", &head, b"");
    // It has begun.
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().expect("an answer").expect("text");
    assert!(first.starts_with("HTTP/1.0 200"), "{first}");
    let idle: Vec<TcpStream> = (0..300)
        .map(|number| {
            let mut stream = TcpStream::connect(&page.address).expect("it listens");
            // Some say nothing, some begin a request, and some a login that does not go on.
            let begun = [
                String::new(),
                "GET /".into(),
                format!(
                    "POST /api/v1/session HTTP/1.1\r\nhost: {}\r\ncontent-length: 9\r\n\r\n",
                    page.address
                ),
            ];
            let _ = stream.write_all(begun[number % 3].as_bytes());
            stream
        })
        .collect();
    let begin = Instant::now();
    page.get("/session");
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    attack(&scope, folder.path(), "reader");
    let alert = lines.find_map(|line| {
        let line = line.expect("the stream goes on");
        line.contains("reader reads").then_some(line)
    });
    assert!(alert.is_some());
    drop(idle);
    assert!(page.saker.stop().status.success());
}
