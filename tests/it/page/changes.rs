//! Rules and modules changed, exceptions saved.

use super::*;

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
