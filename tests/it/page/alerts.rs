//! Alerts: what an attack looks like, what people say of it, and what outlives a sudden end.

use super::*;

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
