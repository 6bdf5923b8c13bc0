//! A module in a process of its own, as one is by default: what it is given there from end to
//! end, and what outlives the process and the version.

use crate::modules::{succeeds, text};
use crate::needs;
use crate::program::{Saker, Scope};
use crate::requests::question;
use serde_json::Value;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// No wait in a test is longer.
const LONG: Duration = Duration::from_secs(60);

/// A module that does for every event all that a module may: it keeps a count, says so, shows it,
/// asks the time, asks the server at `url` and one that it may not; and alerts by that, and by
/// what comes of asking.
fn clerk(folder: &Path, version: &str, url: &str) -> String {
    let source = format!(
        r#"#define SAKER_RESPONSES
        #include "saker.h"
        static const saker_text FIELDS[] = {{SAKER_TEXT("proc.name")}};
        static const saker_rule RULES[] = {{{{
            .name = SAKER_TEXT("Clerk"), .priority = SAKER_NOTICE, .output = SAKER_TEXT("clerk"),
        }}}};
        static const uint8_t WANTED[] = {{SAKER_CLOCK, SAKER_KV, SAKER_METRICS, SAKER_HTTP}};
        const saker_description saker_module = {{
            .name = SAKER_TEXT("clerk"), .version = SAKER_TEXT("{version}"),
            .rules = RULES, .rules_count = 1,
            .condition = SAKER_TEXT("evt.type = openat and evt.arg.name contains saker-clerk"),
            .fields = FIELDS, .fields_count = 1,
            .capabilities = WANTED, .capabilities_count = 4,
        }};
        static char digit[1];
        static char body[64];
        static uint8_t submit(const char *url, uint32_t len) {{
            uint64_t number;
            return saker_http_submit(saker_text_of("POST"), (saker_text){{url, len}}, 0, 0,
                                     saker_text_of("question"), &number);
        }}
        static uint64_t kept(void) {{
            saker_text value;
            uint64_t count = 0;
            if (saker_kv_get(saker_text_of("count"), &value)) saker_parse(value, &count);
            return count;
        }}
        bool saker_init(const saker_setting *settings, uint32_t of) {{
            return of == 1 && saker_equal(settings[0].value, saker_text_of("of the test"));
        }}
        void saker_tick(uint64_t time) {{ (void)time; }}
        void saker_event(saker_row row) {{
            (void)row;
            uint64_t count = kept() + 1;
            digit[0] = (char)('0' + count);
            bool is_kept = saker_kv_set(saker_text_of("count"), (saker_text){{digit, 1}});
            saker_log(SAKER_LOG_WARN, saker_text_of("{version} writes that down"));
            bool is_shown = saker_metric_add(saker_text_of("written"), 1);
            saker_metric_set(saker_text_of("last"), (double)count);
            saker_alert *alert = saker_alert_by(0);
            saker_show_unsigned(alert, saker_text_of("count"), is_kept && is_shown ? count : 0);
            saker_show_unsigned(alert, saker_text_of("now"), saker_now());
            saker_show_unsigned(alert, saker_text_of("other"), submit("http://127.0.0.1:1/", 19));
            saker_show_unsigned(alert, saker_text_of("said"), submit("{url}", {len}));
        }}
        void saker_response(uint64_t request, const saker_outcome *outcome) {{
            saker_alert *alert = saker_alert_by(0);
            saker_show_unsigned(alert, saker_text_of("request"), request);
            saker_show_unsigned(alert, saker_text_of("status"), outcome->status);
            saker_show_unsigned(alert, saker_text_of("kept"), kept());
            uint32_t len = outcome->body.len < 64 ? outcome->body.len : 64;
            for (uint32_t i = 0; i < len; i++) body[i] = outcome->body.bytes[i];
            saker_show_text(alert, saker_text_of("body"), (saker_text){{body, len}});
        }}
        "#,
        len = url.len()
    );
    let folder = folder.join(version);
    std::fs::create_dir(&folder).expect("a folder of the test");
    std::fs::write(folder.join("clerk.c"), source).expect("a folder of the test");
    let built = folder.join("clerk.wasm");
    succeeds(&["module", "build", &text(&folder), "-o", &text(&built)]);
    text(&built)
}

/// Demands that a module's process takes far less memory than it may, and says how much.
#[track_caller]
pub(crate) fn has_room(socket: &str, name: &str) {
    let pid = pid_of(socket, name);
    let kib = |line: &str| -> u64 {
        let text = status(pid, line);
        let (number, unit) = text.split_once(' ').expect("a number and its unit");
        assert_eq!(unit, "kB");
        number.parse().expect("a number")
    };
    let bounds = std::fs::read_to_string(format!("/proc/{pid}/limits")).expect("it lives");
    let mut bounds = bounds.lines();
    let data = bounds.find_map(|line| line.strip_prefix("Max data size"));
    let most = data.and_then(|data| data.split_whitespace().next()?.parse::<u64>().ok());
    let most = most.expect("it is bounded") >> 10;
    let (data, resident) = (kib("VmData:"), kib("VmRSS:"));
    println!("{name}: {resident} KiB resident, {data} KiB of data, of {most} that there may be");
    assert!(data * 4 < most, "{data} KiB of {most}");
}

/// A module, as `saker ctl modules list --json` shows it.
fn listed(socket: &str, name: &str) -> Value {
    let (listed, _) = succeeds(&["ctl", "--socket", socket, "modules", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let mut modules = listed["modules"].as_array().expect("a list").iter();
    let found = modules.find(|module| module["name"] == name);
    found
        .unwrap_or_else(|| panic!("no `{name}`: {listed:#}"))
        .clone()
}

/// The process that a module has by now.
pub(crate) fn pid_of(socket: &str, name: &str) -> u32 {
    let end = Instant::now() + LONG;
    loop {
        let listed = listed(socket, name);
        if let Some(pid) = listed["work"]["pid"].as_u64() {
            return pid as u32;
        }
        assert!(Instant::now() < end, "{listed:#}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What the kernel says of a process in a line that begins so.
fn status(pid: u32, line: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let found = text.lines().find_map(|text| text.strip_prefix(line));
    found.expect("the kernel says so").trim().into()
}

fn answer(mut to: TcpStream, body: &str) {
    let answer = format!(
        "HTTP/1.1 203 Sure\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    to.write_all(answer.as_bytes()).expect("it listens");
}

#[test]
fn a_module_keeps_says_shows_asks_and_hears_there_and_what_it_kept_outlives_process_and_version() {
    if !needs::live() || !needs::wasm_guests() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for files of the test");
    let server = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = format!("http://{}", server.local_addr().expect("an address"));
    let module = clerk(folder.path(), "first", &format!("{address}/"));
    let next = clerk(folder.path(), "second", &format!("{address}/"));
    let settings = format!(
        r#"modules[]={{"name": "clerk", "grant": ["clock", "kv", "metrics", "http"],
            "servers": ["{address}"], "config": ["which=of the test"]}}"#
    );
    let socket = text(&folder.path().join("socket"));
    let control = format!("control.socket={socket}");
    let scope = Scope::new();
    let apart = "sandbox.judge=process";
    let options = ["-r", &module, "-o", &settings, "-o", &control, "-o", apart];
    let mut saker = Saker::watch(&scope, &options);

    let pid = pid_of(&socket, "clerk");
    assert_eq!(status(pid, "PPid:"), saker.pid().to_string());
    assert_eq!(status(pid, "CapEff:"), "0000000000000000");
    assert_eq!(status(pid, "Seccomp:"), "2");
    assert_ne!(status(pid, "Uid:").split('\t').next(), Some("0"));

    // What it says of an event, which is its so manyth.
    let writes = |saker: &mut Saker, count: u64| {
        scope.shell("cat /tmp/saker-clerk 2>/dev/null; true");
        let alert = saker.next_of_rules();
        let fields = &alert["output_fields"];
        assert_eq!(fields["count"], count, "{alert}");
        // Not allowed, and queued.
        assert_eq!((&fields["other"], &fields["said"]), (&0.into(), &5.into()));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.expect("a time").as_nanos() as u64;
        let told = fields["now"].as_u64().expect("a number");
        assert!(now.abs_diff(told) < 60_000_000_000, "{told}, not {now}");
        assert_eq!(told % 1_000_000, 0, "{told}");
    };
    let hears = |saker: &mut Saker, request: u64, kept: u64, body: &str| {
        let alert = saker.next_of_rules();
        let fields = &alert["output_fields"];
        assert_eq!(fields["status"], 203, "{alert}");
        for (field, expected) in [("request", request), ("kept", kept)] {
            assert_eq!(fields[field], expected, "{alert}");
        }
        assert_eq!(fields["body"], body);
    };
    writes(&mut saker, 1);
    answer(question(&server).0, "one");
    hears(&mut saker, 1, 1, "one");

    // Killed while a server has its question: another process hears of the answer.
    writes(&mut saker, 2);
    let (asked, _) = question(&server);
    let killed = rustix::process::Pid::from_raw(pid as i32).expect("a process");
    rustix::process::kill_process(killed, rustix::process::Signal::KILL).expect("it lives");
    answer(asked, "two");
    hears(&mut saker, 2, 2, "two");
    let other = pid_of(&socket, "clerk");
    assert_ne!(other, pid);
    writes(&mut saker, 3);
    answer(question(&server).0, "three");
    hears(&mut saker, 3, 3, "three");

    // The next version goes on with what was kept and shown; its requests have numbers of their
    // own.
    std::fs::rename(&next, &module).expect("a folder of the test");
    let end = Instant::now() + LONG;
    while listed(&socket, "clerk")["version"] != "second" {
        assert!(Instant::now() < end, "it is not swapped");
        std::thread::sleep(Duration::from_millis(20));
    }
    writes(&mut saker, 4);
    answer(question(&server).0, "four");
    hears(&mut saker, 1, 4, "four");
    let last = pid_of(&socket, "clerk");
    assert_ne!(last, other);
    let work = &listed(&socket, "clerk")["work"];
    assert_eq!(work["events"], 4, "{work}");
    let memory = work["memory_bytes"].as_u64().expect("it has memory");
    assert!((1 << 16..64 << 20).contains(&memory), "{work}");

    let ended = saker.stop();
    for said in [
        "first writes that down",
        "second writes that down",
        "module `clerk`: written = 4",
        "module `clerk`: last = 4",
    ] {
        assert!(ended.messages.contains(said), "{said}: {}", ended.messages);
    }
    assert!(!ended.messages.contains("failed"), "{}", ended.messages);
    for pid in [pid, other, last] {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid}");
    }
}
