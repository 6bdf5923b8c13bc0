//! What a module asks of servers and shows as metrics, from outside.

use crate::modules::{capture, replay, succeeds, text};
use crate::needs;
use crate::program::{Saker, Scope};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// What a test opens to have a module ask.
const MARKED: &str = "evt.type = openat and evt.arg.name contains saker-asks";

/// A module that asks `url` for every event, and alerts by what is said at once (`refused`), or
/// comes of it later (`status`, `body`).
fn asker(folder: &Path, url: &str, condition: &str) -> String {
    let source = format!(
        r#"#define SAKER_RESPONSES
        #include "saker.h"
        static const saker_text FIELDS[] = {{SAKER_TEXT("proc.name")}};
        static const saker_rule RULES[] = {{{{
            .name = SAKER_TEXT("Asked"), .priority = SAKER_NOTICE, .output = SAKER_TEXT("asked"),
        }}}};
        static const uint8_t WANTED[] = {{SAKER_HTTP, SAKER_METRICS}};
        const saker_description saker_module = {{
            .name = SAKER_TEXT("asker"), .version = SAKER_TEXT("1"),
            .rules = RULES, .rules_count = 1,
            .condition = SAKER_TEXT("{condition}"),
            .fields = FIELDS, .fields_count = 1,
            .capabilities = WANTED, .capabilities_count = 2,
        }};
        static char body[64];
        bool saker_init(const saker_setting *settings, uint32_t of) {{
            (void)settings; (void)of; return true;
        }}
        void saker_tick(uint64_t time) {{ (void)time; }}
        void saker_event(saker_row row) {{
            (void)row;
            uint64_t number;
            uint8_t said = saker_http_submit(saker_text_of("POST"), saker_text_of("{url}"),
                                             0, 0, saker_text_of("question"), &number);
            saker_metric_add(saker_text_of("asked"), 1);
            if (said != SAKER_HTTP_QUEUED)
                saker_show_unsigned(saker_alert_by(0), saker_text_of("refused"), said);
        }}
        void saker_response(uint64_t request, const saker_outcome *outcome) {{
            saker_alert *alert = saker_alert_by(0);
            saker_show_unsigned(alert, saker_text_of("request"), request);
            saker_show_unsigned(alert, saker_text_of("status"), outcome->status);
            uint32_t len = outcome->body.len < 64 ? outcome->body.len : 64;
            for (uint32_t i = 0; i < len; i++) body[i] = outcome->body.bytes[i];
            saker_show_text(alert, saker_text_of("body"), (saker_text){{body, len}});
        }}
        "#
    );
    let folder = folder.join("asker");
    std::fs::create_dir(&folder).expect("a folder of the test");
    std::fs::write(folder.join("asker.c"), source).expect("a folder of the test");
    let built = folder.join("asker.wasm");
    succeeds(&["module", "build", &text(&folder), "-o", &text(&built)]);
    text(&built)
}

/// The next question of a module, and where the answer goes.
pub(crate) fn question(server: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = server.accept().expect("somebody asks");
    let mut request = Vec::new();
    while !request.ends_with(b"question") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a request");
        request.push(byte[0]);
    }
    (stream, String::from_utf8(request).expect("text"))
}

#[test]
fn a_module_asks_a_server_that_it_may_and_hears_of_the_answer() {
    if !needs::live() || !needs::wasm_guests() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for files of the test");
    let server = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = format!("http://{}", server.local_addr().expect("an address"));
    let asked = std::thread::spawn(move || {
        let (mut stream, request) = question(&server);
        let answer = "HTTP/1.1 203 Sure\r\ncontent-length: 6\r\nconnection: close\r\n\r\nanswer";
        stream.write_all(answer.as_bytes()).expect("it listens");
        request
    });
    let module = asker(folder.path(), &format!("{address}/path"), MARKED);
    let settings = format!(
        r#"modules[]={{"name": "asker", "grant": ["http", "metrics"], "servers": ["{address}"]}}"#
    );
    let scope = Scope::new();
    let mut saker = Saker::watch(&scope, &["-r", &module, "-o", &settings]);
    scope.shell("cat /tmp/saker-asks 2>/dev/null; true");
    let alert = saker.next_alert();
    let ended = saker.stop();
    let fields = &alert["output_fields"];
    assert_eq!(fields["status"], 203, "{alert}\n{}", ended.messages);
    assert_eq!(
        (&fields["body"], &fields["request"]),
        (&"answer".into(), &1.into())
    );
    let request = asked.join().expect("the server ends");
    assert!(request.starts_with("POST /path HTTP/1.1\r\n"), "{request}");
}

#[test]
fn a_server_that_the_settings_do_not_name_is_never_asked() {
    if !needs::live() || !needs::wasm_guests() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for files of the test");
    let server = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    server.set_nonblocking(true).expect("a socket");
    let address = format!("http://{}", server.local_addr().expect("an address"));
    let module = asker(folder.path(), &address, MARKED);
    // The host is right, the port is not.
    let settings = r#"modules[]={"name": "asker", "grant": ["http", "metrics"],
        "servers": ["http://127.0.0.1:1"]}"#;
    let scope = Scope::new();
    let mut saker = Saker::watch(&scope, &["-r", &module, "-o", settings]);
    scope.shell("cat /tmp/saker-asks 2>/dev/null; true");
    let alert = saker.next_alert();
    saker.stop();
    assert_eq!(alert["output_fields"]["refused"], 0);
    assert!(server.accept().is_err(), "nobody came");
}

#[test]
fn in_a_replay_there_is_no_network() {
    if !needs::wasm_guests() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for files of the test");
    let module = asker(folder.path(), "http://127.0.0.1:1", "evt.type = openat");
    let capture = capture(folder.path());
    let settings = r#"modules[]={"name": "asker", "grant": ["http", "metrics"],
        "servers": ["http://127.0.0.1:1"]}"#;
    let (alerts, said) = replay(&capture, &[&module], &[settings]);
    let first = alerts.lines().next().expect("an alert");
    let first: serde_json::Value = serde_json::from_str(first).expect("JSON");
    assert_eq!(first["output_fields"]["refused"], 4);
    let asked = alerts.lines().count();
    assert!(
        said.contains(&format!("module `asker`: asked = {asked}")),
        "{said}"
    );
}

#[test]
fn what_a_module_asked_is_told_to_nobody_once_another_version_has_its_place() {
    if !needs::live() || !needs::wasm_guests() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for files of the test");
    let server = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = format!("http://{}", server.local_addr().expect("an address"));
    let module = asker(folder.path(), &address, MARKED);
    let source = folder.path().join("asker/asker.c");
    let changed = std::fs::read_to_string(&source).expect("written above");
    let changed = changed.replace("SAKER_TEXT(\"1\")", "SAKER_TEXT(\"2\")");
    std::fs::write(&source, changed).expect("a folder of the test");
    let next = text(&folder.path().join("next.wasm"));
    let source = text(&folder.path().join("asker"));
    succeeds(&["module", "build", &source, "-o", &next]);
    let settings = format!(
        r#"modules[]={{"name": "asker", "grant": ["http", "metrics"], "servers": ["{address}"]}}"#
    );
    let socket = text(&folder.path().join("socket"));
    let control = format!("control.socket={socket}");
    let scope = Scope::new();
    let mut saker = Saker::watch(&scope, &["-r", &module, "-o", &settings, "-o", &control]);
    let ask = || scope.shell("cat /tmp/saker-asks 2>/dev/null; true");
    ask();
    // The first version asks, and is replaced before it is answered.
    let (mut first, _) = question(&server);
    std::fs::rename(&next, &module).expect("a folder of the test");
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let (listed, _) = succeeds(&["ctl", "--socket", &socket, "modules", "list", "--json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
        let mut modules = listed["modules"].as_array().expect("a list").iter();
        if modules.any(|module| module["version"] == "2") {
            break;
        }
        assert!(Instant::now() < end, "{listed:#}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let answer = |body: &str| {
        format!("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n{body}")
    };
    first.write_all(answer("early").as_bytes()).expect("sent");
    drop(first);
    // The second has numbers of its own, its own answers, and goes on with the metrics.
    ask();
    let (mut second, _) = question(&server);
    second.write_all(answer("later").as_bytes()).expect("sent");
    drop(second);
    let alert = saker.next_of_rules();
    let ended = saker.stop();
    let fields = &alert["output_fields"];
    assert_eq!(fields["body"], "later", "{alert}\n{}", ended.messages);
    let of_rules = |alert: &&serde_json::Value| alert["source"] != "internal";
    assert_eq!(ended.alerts.iter().filter(of_rules).count(), 0);
    for said in [
        "1 requests of modules that were gone before the answer",
        "module `asker`: asked = 2",
    ] {
        assert!(ended.messages.contains(said), "{}", ended.messages);
    }
}
