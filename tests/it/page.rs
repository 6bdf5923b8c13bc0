//! The page's interface on the running program: what an attack looks like on it, who may do what,
//! and what outlives a sudden end.

use crate::needs;
use crate::program::{Saker, Scope};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// A running Saker with a page of its own.
struct Page {
    saker: Saker,
    address: String,
    token: String,
}

/// An answer.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }
}

fn told(output: &std::process::Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Page {
    fn start(scope: &Scope, folder: &Path, more: &[&str]) -> Page {
        let store = format!("store.path={}", folder.join("alerts.db").display());
        let socket = folder.join("control.sock");
        let control = format!("control.socket={}", socket.display());
        let mut args = vec![
            "-o",
            &store,
            "-o",
            &control,
            "-o",
            "page.address=127.0.0.1:0",
        ];
        args.extend(more);
        let saker = Saker::watch(scope, &args);
        let mut ask = std::process::Command::new(crate::program::saker());
        let asked = ask
            .args(["ctl", "--socket"])
            .arg(&socket)
            .arg("page")
            .output();
        let link = told(&asked.expect("saker runs"));
        let (address, token) = link.split_once("/#token=").expect("a link");
        Page {
            saker,
            address: address.trim_start_matches("http://").into(),
            token: token.into(),
        }
    }

    /// Sends a request with these lines in its head, and a body.
    fn send(&self, method: &str, path: &str, head: &[&str], body: &[u8]) -> Answer {
        let mut stream = self.begin(method, path, head, body);
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer in text");
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Answer {
            status: status.expect("a status"),
            head: head.to_ascii_lowercase(),
            body: body.into(),
        }
    }

    fn begin(&self, method: &str, path: &str, head: &[&str], body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).expect("a socket");
        let mut request = format!(
            "{method} {path} HTTP/1.0\r\ncontent-length: {}\r\n",
            body.len()
        );
        if !head.iter().any(|line| line.starts_with("host:")) {
            request.push_str(&format!("host: {}\r\n", self.address));
        }
        for line in head {
            request.push_str(&format!("{line}\r\n"));
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend(body);
        // What is refused for its length is not read to its end.
        let _ = stream.write_all(&bytes);
        stream
    }

    fn authorization(&self) -> String {
        format!("authorization: Bearer {}", self.token)
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.send(
            "GET",
            &format!("/api/v1{path}"),
            &[&self.authorization()],
            b"",
        );
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    fn post(&self, path: &str, body: &[u8]) -> Answer {
        let head = [&*self.authorization(), "content-type: application/json"];
        self.send("POST", &format!("/api/v1{path}"), &head, body)
    }

    fn done(&self, path: &str, body: &[u8]) -> Value {
        let answer = self.post(path, body);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Asks until the answer is as wanted.
    fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.get(path);
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < end, "{path} stays {answer}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for files of the test")
}

const RULE: &str = "- rule: Somebody reads it\n  desc: d\n  condition: >\n    evt.type in (open, \
                    openat) and fd.name = /etc/shadow and not proc.name in (login, sshd)\n  \
                    output: \"%proc.name reads %fd.name\"\n  priority: CRITICAL\n  tags: [mine]\n";

/// A rule file of the test.
fn rules(folder: &Path) -> String {
    let path = folder.join("rules.yaml");
    std::fs::write(&path, RULE).expect("a folder of the test");
    path.display().to_string()
}

/// Reads it inside, by a program of that name.
fn attack(scope: &Scope, folder: &Path, name: &str) {
    let program = folder.join(name);
    if !program.exists() {
        std::fs::copy("/bin/cat", &program).expect("a folder of the test");
    }
    let mut shell = scope.command("/bin/sh");
    shell
        .arg("-c")
        .arg("\"$0\" /etc/shadow > /dev/null; :")
        .arg(&program);
    assert!(shell.status().expect("a shell").success());
}

#[test]
fn an_attack_is_seen_with_what_stood_around_it_and_why_its_rule_held() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let page = Page::start(&scope, folder.path(), &["-r", &rules(folder.path())]);
    let name = "<img src=x on";
    attack(&scope, folder.path(), name);
    let found = page.until("/alerts", |found| !found["alerts"][0].is_null());
    let alert = &found["alerts"][0];
    assert_eq!(alert["rule"], "Somebody reads it");
    assert_eq!(alert["output"], format!("{name} reads /etc/shadow"));
    assert_eq!(alert["process"], name);
    assert_eq!(alert["container"], "host");
    let id = alert["id"].as_u64().expect("a number");
    let detail = page.get(&format!("/alerts/{id}"));
    assert_eq!(detail["rule_text"], RULE.trim_end());
    let processes = detail["processes"].as_array().expect("processes");
    assert_eq!(processes[0]["name"], name);
    assert_eq!(processes[1]["name"], "sh");
    assert_eq!(detail["fields"]["fd.name"], "/etc/shadow");
    assert_eq!(detail["object"]["fd.name"], "/etc/shadow");
    let why = &detail["why"];
    assert_eq!((&why["kind"], &why["held"]), (&json!("and"), &json!(true)));
    let parts = why["parts"].as_array().expect("parts");
    let test = parts
        .iter()
        .find(|part| part["values"]["fd.name"] == "/etc/shadow");
    assert_eq!(test.expect("a test of the name")["held"], true);
    let not = parts
        .iter()
        .find(|part| part["kind"] == "not")
        .expect("the exception");
    assert_eq!(not["parts"][0]["held"], false);
    assert_eq!(not["parts"][0]["values"]["proc.name"], name);
    // It is found by whatever it is looked for, and not by what it is not.
    let encoded = "%3Cimg%20src%3Dx%20on";
    let from = alert["time_ms"].as_i64().expect("a number");
    for (filter, is_found) in [
        ("priority=critical,error".to_owned(), true),
        ("priority=warning".into(), false),
        ("rule=Somebody%20reads%20it".into(), true),
        ("rule=Nobody".into(), false),
        ("tag=mine".into(), true),
        ("tag=yours".into(), false),
        ("container=host".into(), true),
        ("container=web".into(), false),
        (format!("process={encoded}"), true),
        ("process=cat".into(), false),
        ("text=reads%20etc%20sha".into(), true),
        ("text=writes".into(), false),
        (format!("from={from}"), true),
        (format!("from={}", from + 60_000), false),
        ("acknowledged=false".into(), true),
        ("acknowledged=true".into(), false),
        ("namespace=shop".into(), false),
        ("pod=web-1".into(), false),
    ] {
        let found = page.get(&format!("/alerts?{filter}"));
        assert_eq!(!found["alerts"][0].is_null(), is_found, "{filter}");
    }
    for wrong in [
        "priority=bad",
        "limit=0",
        "limit=501",
        "nothing=x",
        "text=%20",
    ] {
        let path = format!("/api/v1/alerts?{wrong}");
        let answer = page.send("GET", &path, &[&page.authorization()], b"");
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.body);
    }
    let histogram = page.get("/alerts/histogram");
    assert_eq!(histogram["total"], 1);
    // What one tree of processes does is one incident.
    attack(&scope, folder.path(), name);
    page.until("/alerts", |found| !found["alerts"][1].is_null());
    let incident = alert["incident"].as_str().expect("an id");
    let incident = page.get(&format!("/incidents/{incident}"));
    assert_eq!(incident["timeline"][0]["id"], id);
    let lines = page.send(
        "GET",
        "/api/v1/alerts/export.jsonl",
        &[&page.authorization()],
        b"",
    );
    assert_eq!(lines.body.lines().count(), 2, "{}", lines.body);
    let health = page.get("/health");
    assert_eq!(health["alerts"], 2);
    let count = |event: &str| {
        let mut types = health["event_types"].as_array().expect("types").iter();
        types
            .find(|came| came["event"] == event)
            .and_then(|came| came["count"].as_u64())
    };
    // Each attack executes a shell and a program, and opens at least what the rule is about.
    assert!(
        count("execve") >= Some(4) && count("openat") >= Some(2),
        "{health}"
    );
    let all: Option<u64> = (health["event_types"].as_array().expect("types").iter())
        .map(|came| came["count"].as_u64())
        .sum();
    assert_eq!(all, health["events"].as_u64());
    assert!(health["checks"][0]["state"].is_string());
    assert!(page.saker.stop().status.success());
}

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
    let changes = page.until("/changes", |changes| !changes["changes"][1].is_null());
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
        said("disable rule `Read sensitive file untrusted`", "admin"),
        "{changes:?}"
    );
    assert!(page.saker.stop().status.success());
}

#[test]
fn rules_are_sent_swapped_and_rolled_back_and_the_history_tells_how_they_differ() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let page = Page::start(&scope, folder.path(), &["-r", &rules(folder.path())]);
    let own = RULE.replace("Somebody reads it", "One of my own");
    page.done("/modules?file=own.yaml", own.as_bytes());
    let modules = page.get("/modules");
    let sent = &modules[1];
    assert_eq!(
        (&sent["kind"], &sent["state"]),
        (&json!("ruleset"), &json!("running"))
    );
    assert_eq!(sent["name"], "own");
    let other = own.replace("sshd", "sshd, other");
    let twice = page.post("/modules?file=own.yaml", other.as_bytes());
    assert_eq!(twice.status, 409, "{}", twice.body);
    attack(&scope, folder.path(), "one");
    page.until("/alerts?rule=One%20of%20my%20own", |found| {
        !found["alerts"][0].is_null()
    });
    let quiet = own.replace("sshd", "sshd, one");
    page.done("/modules/own/swap?file=quiet.yaml", quiet.as_bytes());
    attack(&scope, folder.path(), "one");
    page.until("/alerts?rule=Somebody%20reads%20it", |found| {
        !found["alerts"][1].is_null()
    });
    let found = page.get("/alerts?rule=One%20of%20my%20own");
    assert!(found["alerts"][1].is_null(), "{found}");
    let refused = page.post("/modules/own/swap?file=bad.yaml", b"- rule: x\n");
    assert_eq!(refused.status, 409, "{}", refused.body);
    // Of what is refused nothing is kept.
    let sent = std::fs::read_dir(folder.path().join("modules")).expect("files were sent");
    let names = sent
        .flatten()
        .flat_map(|of| std::fs::read_dir(of.path()).expect("ours"));
    let names: Vec<_> = names.flatten().map(|file| file.file_name()).collect();
    assert!(
        !names.is_empty() && !names.contains(&"bad.yaml".into()),
        "{names:?}"
    );
    page.done("/modules/own/rollback", b"");
    attack(&scope, folder.path(), "one");
    page.until("/alerts?rule=One%20of%20my%20own", |found| {
        !found["alerts"][1].is_null()
    });
    page.done(
        "/rules/enabled",
        br#"{"rule": "One of my own", "enabled": false}"#,
    );
    let rules = page.get("/rules");
    let mut rules = rules.as_array().expect("rules").iter();
    let rule = rules
        .find(|rule| rule["name"] == "One of my own")
        .expect("it is loaded");
    assert_eq!(
        (&rule["enabled"], &rule["alerts"]),
        (&json!(false), &json!(2))
    );
    assert_eq!(rule["text"], own.trim_end());
    let changes = page.until("/changes", |changes| !changes["changes"][4].is_null());
    let mut changes = changes["changes"].as_array().expect("changes").iter();
    let swap = changes.find(|change| {
        let what = change["what"].as_str().unwrap_or_default();
        what.starts_with("swap module") && change["done"] == true
    });
    let difference = swap.expect("it is remembered")["difference"]
        .as_str()
        .expect("a text");
    assert!(difference.contains("\n-"), "{difference}");
    assert!(difference.contains("sshd, one"), "{difference}");
    assert!(page.saker.stop().status.success());
}

#[test]
fn what_was_seen_and_said_outlives_a_sudden_end_and_a_stream_goes_on_behind_it() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let rules = rules(folder.path());
    let page = Page::start(&scope, folder.path(), &["-r", &rules]);
    attack(&scope, folder.path(), "first");
    let found = page.until("/alerts", |found| !found["alerts"][0].is_null());
    let id = found["alerts"][0]["id"].as_u64().expect("a number");
    let seen = format!(r#"{{"ids": [{id}], "acknowledged": true}}"#);
    assert_eq!(
        page.done("/alerts/acknowledge", seen.as_bytes())["changed"],
        1
    );
    page.done(
        &format!("/alerts/{id}/comments"),
        br#"{"text": "it was <b>me</b>"}"#,
    );
    page.saker.signal(rustix::process::Signal::KILL);
    let token = page.token.clone();
    let _ = page.saker.wait();

    let page = Page::start(&scope, folder.path(), &["-r", &rules]);
    assert_eq!(page.token, token, "a link stays good");
    let detail = page.get(&format!("/alerts/{id}"));
    assert_eq!(detail["acknowledged"], true);
    assert!(
        detail["acknowledged_by"]
            .as_str()
            .is_some_and(|by| by.contains("admin"))
    );
    assert_eq!(detail["comments"][0]["text"], "it was <b>me</b>");
    attack(&scope, folder.path(), "second");
    let last = format!("last-event-id: {id}");
    let head = [&*page.authorization(), &last, "accept: text/event-stream"];
    let stream = page.begin("GET", "/api/v1/alerts/stream", &head, b"");
    let mut lines = BufReader::new(stream).lines();
    let next = lines.find_map(|line| {
        let line = line.expect("the stream goes on");
        Some(
            line.strip_prefix("data: ")?
                .strip_prefix("data:")
                .unwrap_or(&line[6..])
                .to_owned(),
        )
    });
    let alerts: Value = serde_json::from_str(&next.expect("alerts")).expect("JSON");
    assert_eq!(alerts[0]["process"], "second", "{alerts}");
    assert!(alerts[0]["id"].as_u64() > Some(id));
    assert!(page.saker.stop().status.success());
}

#[test]
fn kubelet_and_prometheus_are_answered_as_falco_answers_them() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let rules = rules(folder.path());
    let mut page = Page::start(
        &scope,
        folder.path(),
        &[
            "-r",
            &rules,
            "-o",
            "webserver.enabled=true",
            "-o",
            "webserver.listen_address=127.0.0.1",
            "-o",
            "webserver.listen_port=0",
            "-o",
            "webserver.k8s_healthz_endpoint=/health/z",
            "-o",
            "webserver.prometheus_metrics_enabled=true",
            "-o",
            "metrics.enabled=true",
        ],
    );
    attack(&scope, folder.path(), "cat");
    page.saker.next_of_rules();
    let own = std::mem::replace(&mut page.address, page.saker.listens_at("the web server"));
    let get = |path: &str| page.send("GET", path, &[], b"");
    assert_eq!(get("/health/z").json(), json!({"status": "ok"}));
    assert_eq!(get("/versions").json()["engine_version"], "62");
    assert_eq!(get("/api/v1/alerts").status, 404);
    let metrics = get("/metrics");
    assert!(
        metrics
            .head
            .contains("content-type: text/plain; version=0.0.4"),
        "{}",
        metrics.head
    );
    let sample = "falcosecurity_falco_rules_matches_total{priority=\"2\",rule_name=\"Somebody reads \
                  it\",source=\"syscall\",module=\"rules\",tag_mine=\"true\"} 1";
    assert!(
        metrics.body.lines().any(|line| line == sample),
        "{}",
        metrics.body
    );
    let mut names = std::collections::HashSet::new();
    for line in metrics.body.lines() {
        let Some(line) = line.strip_prefix("# TYPE ") else {
            let value = line.rsplit(' ').next().expect("a value");
            assert!(
                line.starts_with('#') || value.parse::<f64>().is_ok(),
                "{line}"
            );
            continue;
        };
        assert!(names.insert(line.to_owned()), "{line} twice");
    }
    page.address = own;
    assert!(page.saker.stop().status.success());
}

#[test]
fn an_exception_is_saved_to_the_local_rules_alone_and_by_nobody_who_may_only_look() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let viewer = folder.path().join("viewer");
    std::fs::write(&viewer, "only for looking at it\n").expect("a folder of the test");
    let only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&viewer, only).expect("a file of the test");
    let viewer = format!("page.viewer_token_file={}", viewer.display());
    let rules = rules(folder.path());
    let page = Page::start(&scope, folder.path(), &["-r", &rules, "-o", &viewer]);
    let local = folder.path().join("saker_rules.local.yaml");
    attack(&scope, folder.path(), "first");
    attack(&scope, folder.path(), "second");
    let found = page.until("/alerts", |found| !found["alerts"][1].is_null());
    let id = found["alerts"][1]["id"].as_u64().expect("a number");
    let at = format!("/alerts/{id}/exception");
    let proposal = page.get(&at);
    assert_eq!(proposal["refused"], Value::Null);
    assert_eq!(proposal["file"], local.display().to_string());
    assert_eq!(proposal["unwritable"], Value::Null);
    let text = proposal["text"].as_str().expect("a text");
    let by_process = json!({ "parts": [
        { "field": "proc.name", "operator": "startswith", "value": "fir" },
    ] });
    let tried = page.done(&format!("{at}/try"), by_process.to_string().as_bytes());
    assert_eq!(tried["checked"]["valid"], true);
    assert_eq!(tried["effect"]["judged"], 2);
    assert_eq!(tried["effect"]["silenced"], 1);
    assert_eq!(tried["effect"]["silenced_alerts"][0]["id"], id);
    // What nothing was kept of is not known, unless the rest decides.
    let by_more = json!({ "parts": [
        { "field": "proc.name", "operator": "=", "value": "first" },
        { "field": "proc.env[HOME]", "operator": "=", "value": "/" },
    ] });
    let tried = page.done(&format!("{at}/try"), by_more.to_string().as_bytes());
    assert_eq!(tried["effect"]["silenced"], 0, "{tried}");
    assert_eq!(tried["effect"]["unknown"], 1);
    assert_eq!(tried["effect"]["missing"], json!(["proc.env[HOME]"]));
    // Nothing was written by that, nor is by who may only look, nor what is not valid.
    let body = json!({ "text": text }).to_string();
    let looking = "authorization: Bearer only for looking at it";
    let json_of = "content-type: application/json";
    for path in [at.clone(), format!("{at}/try")] {
        let path = format!("/api/v1{path}");
        let refused = page.send("POST", &path, &[looking, json_of], body.as_bytes());
        assert_eq!(refused.status, 403, "{}", refused.body);
    }
    for (wrong, status) in [
        (json!({ "text": "- rule: [" }), 400),
        (json!({ "text": "# nothing" }), 400),
        (json!({ "text": text, "path": "/etc/passwd" }), 400),
        (json!({ "text": "# ".repeat(40_000) }), 400),
    ] {
        let refused = page.post(&at, wrong.to_string().as_bytes());
        assert_eq!(refused.status, status, "{}", refused.body);
    }
    assert!(!local.exists());
    let before = std::fs::read_to_string(&rules).expect("a file of the test");
    let done = page.done(&at, body.as_bytes());
    let said = done["done"].as_str().expect("a text");
    assert!(said.ends_with("and in force"), "{said}");
    assert_eq!(std::fs::read_to_string(&rules).expect("there"), before);
    let saved = std::fs::read_to_string(&local).expect("it was saved");
    assert!(saved.contains(&format!("name: alert_{id}\n")), "{saved}");
    attack(&scope, folder.path(), "first");
    attack(&scope, folder.path(), "second");
    let found = page.until("/alerts", |found| !found["alerts"][2].is_null());
    assert_eq!(found["alerts"][0]["process"], "second");
    assert_eq!(found["alerts"].as_array().map(Vec::len), Some(3));
    // One more for the same alert has another name.
    let again = page.get(&at);
    let again = again["text"].as_str().expect("a text");
    assert!(again.contains(&format!("name: alert_{id}_2\n")), "{again}");
    // A file that is a link, as in a ConfigMap, is left alone, and why is said.
    std::fs::rename(&local, folder.path().join("elsewhere.yaml")).expect("ours");
    std::os::unix::fs::symlink("elsewhere.yaml", &local).expect("ours");
    let proposal = page.get(&at);
    let why = proposal["unwritable"].as_str().expect("a reason");
    assert!(why.contains("link"), "{why}");
    let refused = page.post(&at, json!({ "text": again }).to_string().as_bytes());
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("elsewhere.yaml")).expect("there"),
        saved
    );
    assert!(page.saker.stop().status.success());
}

#[test]
fn what_comes_of_one_origin_outside_of_the_scope_is_one_incident() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let page = Page::start(&scope, folder.path(), &["-r", &rules(folder.path())]);
    // A shell stays outside, and whom it starts comes in and stays a while before it reads.
    let script = "for name in a b c; do (echo 0 > \"$0/cgroup.procs\"; /bin/true; sleep 0.3; \
                  cat /etc/shadow > /dev/null; :) & done; wait";
    let outside = std::process::Command::new("/bin/sh")
        .args(["-c", script])
        .arg(scope.path())
        .status();
    assert!(outside.expect("a shell").success());
    let found = page.until("/alerts", |found| !found["alerts"][2].is_null());
    let incidents = page.get("/incidents");
    assert_eq!(
        incidents["incidents"].as_array().map(Vec::len),
        Some(1),
        "{incidents} {found}"
    );
    let id = found["alerts"][0]["id"].as_u64().expect("a number");
    let detail = page.get(&format!("/alerts/{id}"));
    let lineage = detail["processes"].as_array().expect("processes");
    assert!(lineage.len() > 3, "{lineage:?}");
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

/// What is held of each answer.
const CHECKS: &str = "not_a_server_error,response_schema_conformance,status_code_conformance,\
                      content_type_conformance";

#[test]
fn whatever_is_asked_is_answered_as_the_description_says_and_never_by_a_failure() {
    if !needs::live() {
        return;
    }
    let Some(schemathesis) = needs::schemathesis() else {
        return;
    };
    let (scope, folder) = (Scope::new(), folder());
    let page = Page::start(&scope, folder.path(), &["-r", &rules(folder.path())]);
    attack(&scope, folder.path(), "cat");
    page.until("/alerts", |found| !found["alerts"][0].is_null());
    let base = format!("http://{}/api/v1", page.address);
    let description = format!("{base}/openapi.json");
    // A stream does not end. Wrong tokens are refused for a while after some, as is too much at
    // once, and what changes the session ends this one's.
    let asked = std::process::Command::new("timeout")
        .arg("120")
        .arg(schemathesis)
        .args(["run", &description, "--url", &base])
        .args(["-H", &format!("Authorization: Bearer {}", page.token)])
        .args([
            "--exclude-path",
            "/alerts/stream",
            "--exclude-path",
            "/session",
        ])
        .args(["--phases", "coverage,fuzzing", "--max-examples", "5"])
        .args([
            "--rate-limit",
            "90/s",
            "--request-timeout",
            "15",
            "--no-color",
        ])
        .args(["--checks", CHECKS])
        .arg("--generation-deterministic")
        .current_dir(folder.path())
        .output()
        .expect("schemathesis runs");
    let said = String::from_utf8_lossy(&asked.stdout);
    assert!(asked.status.success(), "{said}");
    assert!(said.contains("Fuzzing (in"), "{said}");
    assert_eq!(page.get("/health")["module_failures"], 0);
    assert!(page.saker.stop().status.success());
}

/// What rules in the place of the loaded ones would say, over recent events or a capture.
fn tried(page: &Page, text: &str, more: Value) -> Value {
    let mut request = json!({"text": text, "replaces": "rules"});
    let request = match (request.as_object_mut(), more) {
        (Some(request), Value::Object(more)) => {
            request.extend(more);
            json!(request)
        }
        _ => request,
    };
    page.done("/trial", request.to_string().as_bytes())
}

#[test]
fn rules_are_tried_against_what_happened_lately_and_against_a_capture() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let page = Page::start(&scope, folder.path(), &["-r", &rules(folder.path())]);
    attack(&scope, folder.path(), "reader");
    attack(&scope, folder.path(), "known");
    page.until("/alerts", |found| !found["alerts"][1].is_null());
    // The same rules say the same.
    let same = tried(&page, RULE, json!({}));
    let compared = &same["compared"];
    let counts =
        |of: &Value| ["running", "candidate", "added", "removed"].map(|key| of[key].clone());
    assert_eq!(counts(compared), [2, 2, 0, 0].map(Value::from), "{same}");
    assert!(same["events"].as_u64().expect("a number") > 4, "{same}");
    assert_eq!((&same["cut"], &same["missed"]), (&Value::Null, &json!(0)));
    // An exception silences one, another rule says more.
    let other = RULE.replace("(login, sshd)", "(login, sshd, known)")
        + "- rule: A shell\n  desc: d\n  condition: evt.type in (execve, execveat) and \
           proc.name = sh\n  output: \"a shell (%proc.cmdline)\"\n  priority: NOTICE\n";
    let tried_other = tried(&page, &other, json!({}));
    let compared = &tried_other["compared"];
    assert_eq!(
        counts(compared),
        [2, 3, 2, 1].map(Value::from),
        "{tried_other}"
    );
    let shell = &compared["rules"][0];
    assert_eq!(
        (&shell["rule"], &shell["added"]),
        (&json!("A shell"), &json!(2))
    );
    let examples = compared["examples"].as_array().expect("examples");
    let by = |by: &str| {
        examples
            .iter()
            .filter(|of| of["by"] == by)
            .collect::<Vec<_>>()
    };
    assert_eq!(by("running")[0]["output"], "known reads /etc/shadow");
    assert_eq!(by("running")[0]["process"], "known");
    assert_eq!(by("both")[0]["output"], "reader reads /etc/shadow");
    assert_eq!(by("candidate").len(), 2);
    // Failed calls of exec are not recorded where no rule asks for them, which is said.
    let untraced = &tried_other["untraced"][0];
    assert_eq!(
        (&untraced["event"], &untraced["what"]),
        (&json!("execve"), &json!("failed"))
    );
    // What was never recorded is no silence.
    let chmods = "- {rule: C, desc: d, condition: evt.type = fchmod, output: o, priority: INFO}\n";
    let unseen = tried(&page, chmods, json!({}));
    let fchmod = json!([{"event": "fchmod", "what": "never", "since_ms": null}]);
    assert_eq!(unseen["untraced"], fchmod, "{unseen}");
    assert_eq!(
        counts(&unseen["compared"]),
        [2, 0, 0, 2].map(Value::from),
        "{unseen}"
    );
    // As a ruleset of its own it is compared with rules of its names alone.
    let own = page.done("/trial", json!({"text": chmods}).to_string().as_bytes());
    assert_eq!(
        counts(&own["compared"]),
        [0, 0, 0, 0].map(Value::from),
        "{own}"
    );
    // Nothing of all that was told, and nothing has changed.
    assert_eq!(page.get("/health")["alerts"], 2);
    assert_eq!(page.get("/health")["swaps"], 0);
    let kept = page.get("/trial");
    assert!(
        kept["recent"]["events"].as_u64().expect("a number") > 4,
        "{kept}"
    );
    assert_eq!(kept["recent"]["bytes_max"], 64 << 20);
    assert_eq!(kept["capture"], Value::Null);

    // The same over a capture that is sent.
    let capture = folder.path().join("c.scap");
    let path = capture.display().to_string();
    let recorder = Saker::record(&scope, &path, &[]);
    attack(&scope, folder.path(), "known");
    assert!(recorder.stop().status.success());
    let bytes = std::fs::read(&capture).expect("a capture");
    let sent = page.done("/trial/capture", &bytes);
    assert_eq!(sent["bytes"], bytes.len());
    let captured = tried(&page, &other, json!({"capture": sent["id"]}));
    assert_eq!(
        counts(&captured["compared"]),
        [1, 1, 1, 1].map(Value::from),
        "{captured}"
    );
    // What is none is refused, and so is what cannot be had.
    assert_eq!(
        page.post("/trial/capture", b"no capture at all").status,
        400
    );
    let refused = |more: Value| page.post("/trial", more.to_string().as_bytes()).status;
    let other = json!({"text": RULE, "capture": "0000000000000000"});
    assert_eq!(refused(other), 409);
    // The one before is still there.
    page.done(
        "/trial",
        json!({"text": RULE, "capture": sent["id"]})
            .to_string()
            .as_bytes(),
    );
    assert_eq!(refused(json!({"text": RULE, "replaces": "nobody"})), 409);
    assert_eq!(refused(json!({"text": "- rule: R\n"})), 400);
    // One that breaks off has given what it could.
    let half = page.done("/trial/capture", &bytes[..bytes.len() - 40]);
    let broken = tried(&page, RULE, json!({"capture": half["id"]}));
    assert!(broken["cut"].is_string(), "{broken}");
    assert!(page.saker.stop().status.success());
}

#[test]
fn where_nothing_is_kept_nothing_is_tried_and_that_is_said() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let page = Page::start(&scope, folder.path(), &["-o", "recent.max_mb=0"]);
    assert_eq!(page.get("/trial")["recent"], Value::Null);
    let answer = page.post("/trial", json!({"text": RULE}).to_string().as_bytes());
    assert_eq!(answer.status, 409, "{}", answer.body);
    assert!(answer.body.contains("recent.max_mb"), "{}", answer.body);
    assert!(page.saker.stop().status.success());
}

#[test]
fn a_shadow_is_counted_and_not_heard_until_it_is_promoted() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let page = Page::start(&scope, folder.path(), &["-r", &rules(folder.path())]);
    let shadow = |text: &str, seconds: u64| {
        let request = json!({
            "file": "other.yaml", "text": text, "replaces": "rules", "seconds": seconds,
        });
        page.post("/shadow", request.to_string().as_bytes())
    };
    let counts = |of: &Value| {
        ["running", "candidate", "added", "removed"].map(|key| of["compared"][key].as_u64())
    };
    let came_to = |wanted: [u64; 4]| {
        page.until("/shadow", |of| counts(&of["shadow"]) == wanted.map(Some))["shadow"].clone()
    };
    assert_eq!(page.get("/shadow")["shadow"], Value::Null);
    assert_eq!(page.post("/shadow/promote", b"").status, 409);
    // What is no rule file is no shadow, and changes nothing.
    let wrong = shadow("- rule: R\n", 60);
    assert_eq!(wrong.status, 409, "{}", wrong.body);
    assert_eq!(page.get("/shadow")["shadow"], Value::Null);

    // It may ask for what was not recorded before: those who run are not asked.
    let other = RULE.replace("(login, sshd)", "(login, sshd, known)")
        + "- rule: A mode\n  desc: d\n  condition: evt.type = fchmodat\n  \
           output: \"%proc.name changes a mode\"\n  priority: NOTICE\n";
    let begun = shadow(&other, 3600);
    assert_eq!(begun.status, 200, "{}", begun.body);
    assert_eq!(shadow(&other, 3600).status, 409, "one at a time");
    let file = folder.path().join("mode");
    std::fs::write(&file, "").expect("a folder of the test");
    for name in ["reader", "known"] {
        attack(&scope, folder.path(), name);
    }
    let mut chmod = scope.command("/bin/chmod");
    assert!(
        chmod
            .arg("600")
            .arg(&file)
            .status()
            .expect("chmod")
            .success()
    );
    let standing = came_to([2, 2, 1, 1]);
    assert_eq!(
        (&standing["over"], &standing["file"]),
        (&Value::Null, &json!("other.yaml"))
    );
    assert!(standing["events"].as_u64() > Some(5), "{standing}");
    let cost = standing["compared"]["candidate_ns"].as_f64();
    assert!(cost > Some(0.0), "{standing}");
    // The rules that run said what they say, and nobody heard the shadow.
    let alerts = page.get("/alerts");
    let said: Vec<&str> = (alerts["alerts"].as_array().expect("alerts").iter())
        .filter_map(|alert| alert["output"].as_str())
        .collect();
    assert_eq!(
        said,
        ["known reads /etc/shadow", "reader reads /etc/shadow"]
    );
    let listed = page.get("/modules");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    // Rules that are saved meanwhile take over, and it goes on.
    std::fs::write(
        folder.path().join("rules.yaml"),
        RULE.replace("reads %fd", "has read %fd"),
    )
    .expect("a folder of the test");
    page.until("/health", |health| health["swaps"] == 2);
    attack(&scope, folder.path(), "reader");
    came_to([3, 3, 1, 1]);

    // Promoted, it is the rules; what it came to is gone.
    let done = page.done("/shadow/promote", b"");
    assert!(
        done["done"].as_str().expect("words").contains("`rules`"),
        "{done}"
    );
    assert_eq!(page.get("/shadow")["shadow"], Value::Null);
    attack(&scope, folder.path(), "known");
    attack(&scope, folder.path(), "reader");
    let newest = |output: &str| {
        page.until("/alerts", |found| found["alerts"][0]["output"] == output);
    };
    newest("reader reads /etc/shadow");
    assert_eq!(
        page.get("/alerts")["alerts"][1]["output"],
        "reader has read /etc/shadow"
    );
    let changes = page.until("/changes", |changes| {
        let what = changes["changes"][0]["what"].as_str();
        what.is_some_and(|what| what.starts_with("promote the shadow: swap module `rules`"))
    });
    assert_eq!(changes["changes"][0]["done"], true);

    // One whose time is over stays to be looked at, and is discarded.
    assert_eq!(shadow(RULE, 1).status, 200);
    let over = page.until("/shadow", |of| of["shadow"]["over"].is_string());
    assert_eq!(over["shadow"]["over"], "its time is over");
    attack(&scope, folder.path(), "known");
    let head = [&*page.authorization()];
    let discarded = page.send("DELETE", "/api/v1/shadow", &head, b"");
    assert_eq!(discarded.status, 200, "{}", discarded.body);
    assert_eq!(page.get("/shadow")["shadow"], Value::Null);
    assert!(page.saker.stop().status.success());
}
