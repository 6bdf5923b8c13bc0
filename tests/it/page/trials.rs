//! Rules tried before they are loaded, and those that judge as a shadow.

use super::*;

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
    for seconds in [0, 86_401] {
        let refused = shadow(RULE, seconds);
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(refused.body.contains("1 to 86400"), "{}", refused.body);
    }
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

#[test]
fn a_shadow_behind_the_loaded_files_is_added_to_the_local_rules_when_it_is_promoted() {
    if !needs::live() {
        return;
    }
    let (scope, folder) = (Scope::new(), folder());
    let rules = rules(folder.path());
    let local = folder.path().join("saker_rules.local.yaml");
    std::fs::write(&local, "- list: kept\n  items: [a]\n").expect("a folder of the test");
    let page = Page::start(&scope, folder.path(), &["-r", &rules]);
    let text = "- rule: Somebody reads it\n  condition: and not proc.name = known\n  override:\n    \
                condition: append\n";
    let request = json!({
        "file": "more.yaml", "text": text, "replaces": "rules", "with_loaded": true,
        "seconds": 600,
    });
    page.done("/shadow", request.to_string().as_bytes());
    attack(&scope, folder.path(), "known");
    page.until("/shadow", |of| of["shadow"]["compared"]["removed"] == 1);
    let done = page.done("/shadow/promote", b"");
    let said = done["done"].as_str().expect("words");
    assert!(said.ends_with("and in force"), "{said}");
    assert_eq!(page.get("/shadow")["shadow"], Value::Null);
    let saved = std::fs::read_to_string(&local).expect("it is there");
    assert!(saved.starts_with("- list: kept\n"), "{saved}");
    assert!(saved.ends_with(text), "{saved}");
    assert_eq!(std::fs::read_to_string(&rules).expect("there"), RULE);
    // What it would have silenced is silent now, and the rest is not.
    attack(&scope, folder.path(), "known");
    attack(&scope, folder.path(), "other");
    let found = page.until("/alerts", |found| found["alerts"][0]["process"] == "other");
    assert_eq!(found["alerts"].as_array().map(Vec::len), Some(2), "{found}");
    let changes = page.get("/changes");
    let mut changes = changes["changes"].as_array().expect("changes").iter();
    let promoted =
        changes.find(|change| change["what"] == "promote the shadow: add `more.yaml` to the rules");
    let difference = promoted.expect("it is remembered")["difference"].to_string();
    assert!(difference.contains("not proc.name = known"), "{difference}");
    assert!(page.saker.stop().status.success());
}
