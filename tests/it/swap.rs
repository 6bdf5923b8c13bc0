//! Other rules and modules while events flow: by a file that is saved, a folder, `saker ctl`, and
//! by a module's own failure.

use crate::needs;
use crate::program::{Saker, Scope, saker};
use crate::specimen::{ALERT, Specimen};
use serde_json::Value;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// No wait in a test is longer.
const LONG: Duration = Duration::from_secs(60);

/// A folder of the test, with `rules.yaml`, `modules` and a socket in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().expect("a folder for files of the test"));
        std::fs::create_dir(place.path("modules")).expect("ours");
        set_mode(&place.path("modules"), 0o755);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Writes a file in place.
    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).expect("ours");
        set_mode(&self.path(name), 0o644);
    }

    /// Watches by `rules.yaml` and `modules`.
    fn watch(&self, scope: &Scope, more: &[&str]) -> Saker {
        let (rules, socket, modules) = (
            self.text("rules.yaml"),
            format!("control.socket={}", self.text("socket")),
            format!("modules.folder={}", self.text("modules")),
        );
        let mut args = vec!["-r", &rules, "-o", &socket, "-o", &modules];
        args.extend(more);
        Saker::watch(scope, &args)
    }

    fn ctl(&self, args: &[&str]) -> Output {
        let mut command = Command::new(saker());
        command.args(["ctl", "--socket", &self.text("socket")]);
        command.args(args).output().expect("saker runs")
    }

    #[track_caller]
    fn done(&self, args: &[&str]) -> String {
        let output = self.ctl(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
        String::from_utf8(output.stdout).expect("text")
    }

    #[track_caller]
    fn refused(&self, args: &[&str], why: &str) {
        let output = self.ctl(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains(why), "{args:?}: {said}");
    }

    /// A module, as `list --json` shows it.
    fn listed(&self, name: &str) -> Option<Value> {
        let answer: Value =
            serde_json::from_str(&self.done(&["modules", "list", "--json"])).expect("JSON");
        let modules = answer["modules"].as_array().expect("a list").clone();
        modules.into_iter().find(|module| module["name"] == name)
    }

    /// Waits until a module is as it should be.
    #[track_caller]
    fn until(&self, name: &str, is_so: impl Fn(Option<&Value>) -> bool) -> Option<Value> {
        let end = Instant::now() + LONG;
        loop {
            let listed = self.listed(name);
            if is_so(listed.as_ref()) {
                return listed;
            }
            assert!(Instant::now() < end, "{listed:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("ours");
}

fn rule(name: &str) -> String {
    format!(
        "- rule: {name}\n  desc: d\n  condition: evt.type in (open, openat) and fd.name = \
         /etc/hostname\n  output: \"%fd.name\"\n  priority: INFO\n"
    )
}

const OPEN: &str = "exec 3</etc/hostname";

/// Opens the file until there is an alert of that rule, and then demands that no other follows.
#[track_caller]
fn takes_over(saker: &mut Saker, scope: &Scope, name: &str) -> Value {
    let end = Instant::now() + LONG;
    loop {
        scope.shell(OPEN);
        let alert = saker.next_of_rules();
        if alert["rule"] == name {
            return alert;
        }
        assert!(Instant::now() < end, "{alert}");
    }
}

/// A component that is offered opens of `/etc/hostname`.
fn component(name: &str, on_batch: &str) -> Vec<u8> {
    let specimen = Specimen {
        name,
        rules: &[("By component", "seen %proc.name")],
        condition: "evt.type in (open, openat) and fd.name = /etc/hostname",
        fields: &["proc.name"],
        on_batch,
        ..Specimen::default()
    };
    specimen.component()
}

#[test]
fn rules_are_swapped_while_events_flow_by_saving_their_file() {
    if !needs::live() {
        return;
    }
    let place = Place::new();
    place.write("rules.yaml", rule("one"));
    let scope = Scope::new();
    let digest = "modules.in_alerts=digest";
    let mut saker = place.watch(&scope, &["-o", digest]);
    let first = takes_over(&mut saker, &scope, "one");
    // In place, and aside and renamed over.
    place.write("rules.yaml", rule("two"));
    let second = takes_over(&mut saker, &scope, "two");
    place.write("rules.yaml.new", rule("three"));
    std::fs::rename(place.path("rules.yaml.new"), place.path("rules.yaml")).expect("ours");
    takes_over(&mut saker, &scope, "three");
    let digest = |alert: &Value| alert["output_fields"]["saker.module_digest"].clone();
    assert_eq!(first["output_fields"]["saker.module"], "rules");
    assert!(digest(&first).is_string() && digest(&first) != digest(&second));
    let listed = place.listed("rules").expect("it is loaded");
    assert_eq!(
        (&listed["state"], &listed["rules"]),
        (&"probation".into(), &1.into())
    );
    // What does not compile, or has no rule, changes nothing, and that is told.
    for (wrong, why) in [("- rule: [", "S101"), ("", "none is on")] {
        place.write("rules.yaml", wrong);
        let told = saker.next_internal("module not loaded");
        let reason = told["output_fields"]["saker.reason"]
            .as_str()
            .expect("text");
        assert!(reason.contains(why), "{reason}");
        scope.shell(OPEN);
        assert_eq!(saker.next_alert()["rule"], "three");
    }
    let listed = place.listed("rules").expect("it is loaded");
    assert!(
        listed["reason"]
            .as_str()
            .is_some_and(|why| why.contains("none is on"))
    );
    std::fs::remove_file(place.path("rules.yaml")).expect("ours");
    let told = saker.next_internal("module not loaded");
    assert_eq!(told["priority"], "Warning");
    scope.shell(OPEN);
    assert_eq!(saker.next_alert()["rule"], "three");
    place.write("rules.yaml", rule("four"));
    takes_over(&mut saker, &scope, "four");
    let ended = saker.stop();
    assert!(ended.status.success(), "{}", ended.messages);
}

#[test]
fn modules_come_and_go_with_their_files_in_the_folder_and_no_link_leads_out_of_it() {
    if !needs::live() {
        return;
    }
    let place = Place::new();
    place.write("rules.yaml", rule("one"));
    place.write("outside.wasm", component("outside", ALERT));
    symlink(place.path("outside.wasm"), place.path("modules/link.wasm")).expect("ours");
    let scope = Scope::new();
    let mut saker = place.watch(&scope, &[]);
    assert!(place.listed("outside").is_none());
    place.write("modules/inside.wasm", component("inside", ALERT));
    let told = saker.next_internal("module not loaded");
    let reason = told["output_fields"]["saker.reason"]
        .as_str()
        .expect("text");
    assert!(reason.contains("leads out of the folder"), "{reason}");
    place.until("inside", |listed| listed.is_some());
    let alert = takes_over(&mut saker, &scope, "By component");
    assert_eq!(alert["output_fields"]["saker.module"], "inside");
    // Rules there are a ruleset of their own.
    place.write("modules/more.yaml", rule("more"));
    takes_over(&mut saker, &scope, "more");
    assert_eq!(
        place.listed("more").expect("it is loaded")["kind"],
        "ruleset"
    );
    for gone in ["inside", "more"] {
        let ending = if gone == "more" { "yaml" } else { "wasm" };
        std::fs::remove_file(place.path(&format!("modules/{gone}.{ending}"))).expect("ours");
        place.until(gone, |listed| listed.is_none());
    }
    // A ConfigMap's link leads to a folder beside it.
    std::fs::create_dir(place.path("modules/..1")).expect("ours");
    place.write("modules/..1/inside.wasm", component("mounted", ALERT));
    symlink("..1", place.path("modules/..data")).expect("ours");
    symlink("..data/inside.wasm", place.path("modules/inside.wasm")).expect("ours");
    place.until("mounted", |listed| listed.is_some());
    assert!(place.listed("outside").is_none());
    let ended = saker.stop();
    assert!(ended.status.success(), "{}", ended.messages);
}

#[test]
fn ctl_lists_loads_swaps_disables_enables_and_rolls_back() {
    if !needs::live() {
        return;
    }
    let place = Place::new();
    place.write("rules.yaml", rule("one"));
    place.write("two.yaml", rule("two"));
    place.write("wrong.yaml", "- rule: [");
    place.write("counts.wasm", component("counts", ALERT));
    let scope = Scope::new();
    let mut saker = place.watch(&scope, &[]);
    takes_over(&mut saker, &scope, "one");
    let table = place.done(&["modules", "list"]);
    let row = table.lines().nth(1).expect("a module");
    assert!(
        table.starts_with("NAME") && row.starts_with("rules"),
        "{table}"
    );

    place.done(&["modules", "swap", "rules", &place.text("two.yaml")]);
    scope.shell(OPEN);
    assert_eq!(saker.next_alert()["rule"], "two");
    place.done(&["modules", "rollback", "rules"]);
    scope.shell(OPEN);
    assert_eq!(saker.next_alert()["rule"], "one");
    place.done(&["modules", "load", &place.text("counts.wasm")]);
    place.done(&["modules", "disable", "rules"]);
    scope.shell(OPEN);
    assert_eq!(saker.next_alert()["rule"], "By component");
    assert_eq!(place.listed("rules").expect("loaded")["state"], "disabled");
    place.done(&["modules", "enable", "rules"]);
    place.done(&["modules", "disable", "counts"]);
    scope.shell(OPEN);
    assert_eq!(saker.next_alert()["rule"], "one");

    for (args, why) in [
        (&["modules", "disable", "nobody"][..], "no module is called"),
        (&["modules", "disable", "counts"], "disabled already"),
        (&["modules", "rollback", "counts"], "no version"),
        (
            &["modules", "load", &place.text("counts.wasm")],
            "loaded already",
        ),
        (
            &["modules", "load", &place.text("none.wasm")],
            "cannot read",
        ),
        (&["modules", "load", "/dev/zero"], "no regular file"),
        (
            &["modules", "swap", "rules", &place.text("wrong.yaml")],
            "S101",
        ),
    ] {
        place.refused(args, why);
    }
    scope.shell(OPEN);
    assert_eq!(saker.next_alert()["rule"], "one");
    let status: Value = serde_json::from_str(&place.done(&["status", "--json"])).expect("JSON");
    let status = &status["status"];
    assert_eq!(
        (&status["modules"], &status["rules"]),
        (&2.into(), &1.into())
    );
    assert_eq!(status["swaps"], 6);
    assert!(place.done(&["status"]).contains("swaps           6"));
    let ended = saker.stop();
    assert!(ended.status.success(), "{}", ended.messages);
    // Nobody listens any more.
    assert!(!place.path("socket").exists());
    assert_eq!(place.ctl(&["status"]).status.code(), Some(4));
}

#[test]
fn what_stands_in_for_the_rule_files_gives_way_when_they_are_saved_or_read_again() {
    if !needs::live() {
        return;
    }
    let place = Place::new();
    place.write("rules.yaml", rule("one"));
    place.write("two.yaml", rule("two"));
    place.write("extra.yaml", rule("extra"));
    place.write("other.yaml", rule("other"));
    let scope = Scope::new();
    let mut saker = place.watch(&scope, &[]);
    takes_over(&mut saker, &scope, "one");
    let two = place.text("two.yaml");
    for again in ["saved", "read again"] {
        place.done(&["modules", "swap", "rules", &two]);
        takes_over(&mut saker, &scope, "two");
        let listed = place.listed("rules").expect("loaded");
        assert_eq!(
            (&listed["kind"], &listed["path"]),
            (&"rules".into(), &Value::from(&*two))
        );
        match again {
            "saved" => place.write("rules.yaml", rule("saved")),
            _ => saker.signal(rustix::process::Signal::HUP),
        }
        takes_over(&mut saker, &scope, "saved");
        assert_eq!(place.listed("rules").expect("loaded")["path"], Value::Null);
    }
    // What was rolled back, to the last version that proved itself, is attached to them, too.
    place.done(&["modules", "swap", "rules", &two]);
    place.done(&["modules", "rollback", "rules"]);
    takes_over(&mut saker, &scope, "one");
    place.write("rules.yaml", rule("three"));
    takes_over(&mut saker, &scope, "three");
    // A ruleset keeps its name, whatever its file is called.
    place.done(&["modules", "load", &place.text("extra.yaml")]);
    place.done(&["modules", "swap", "extra", &place.text("other.yaml")]);
    saker.signal(rustix::process::Signal::HUP);
    place.write("other.yaml", rule("another"));
    takes_over(&mut saker, &scope, "another");
    assert!(place.listed("other").is_none() && place.listed("extra").is_some());
    assert!(saker.stop().status.success());
}

#[test]
fn a_version_that_fails_is_replaced_by_the_one_before_and_what_it_kept_stays() {
    if !needs::live() {
        return;
    }
    // Alerts when it finds what it kept; keeps it the first time.
    let imports = r#"
        (import "saker:rules/kv@0.1.0" "get" (func $get (param i32 i32 i32)))
        (import "saker:rules/kv@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32)))"#;
    let keeps = format!(
        "(call $get (i32.const 16) (i32.const 1) (i32.const 200))
         (if (result i32) (i32.load8_u (i32.const 200)) (then {ALERT}) (else
           (call $set (i32.const 16) (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 220))
           (i64.store (i32.const 32) (i64.const 0)) (i32.const 32)))"
    );
    let keeping = |on_batch: &str| {
        let specimen = Specimen {
            name: "keeps",
            rules: &[("Kept", "kept %proc.name")],
            condition: "evt.type in (open, openat) and fd.name = /etc/hostname",
            fields: &["proc.name"],
            capabilities: &[1],
            imports,
            on_batch,
            ..Specimen::default()
        };
        specimen.component()
    };
    let place = Place::new();
    place.write("rules.yaml", rule("one"));
    place.write("modules/keeps.wasm", keeping(&keeps));
    let scope = Scope::new();
    let grant = r#"modules[]={"name": "keeps", "grant": ["kv"]}"#;
    let mut saker = place.watch(&scope, &["-o", grant]);
    takes_over(&mut saker, &scope, "Kept");
    let good = place.listed("keeps").expect("it is loaded")["digest"].clone();
    // Another version, which finds what was kept.
    place.write(
        "modules/keeps.wasm",
        keeping(&format!("(drop (i32.const 7)) {keeps}")),
    );
    let other = place.until("keeps", |listed| {
        listed.is_some_and(|listed| listed["digest"] != good)
    });
    let other = other.expect("it is loaded");
    assert_eq!(
        (&other["state"], &other["previous"]),
        (&"probation".into(), &good)
    );
    while saker.next_of_rules()["rule"] != "Kept" {
        scope.shell(OPEN);
    }
    // And one that traps at its first event: the last that proved itself comes back.
    place.write("modules/keeps.wasm", keeping("unreachable"));
    place.until("keeps", |listed| {
        listed.is_some_and(|listed| ![&good, &other["digest"]].contains(&&listed["digest"]))
    });
    scope.shell(OPEN);
    let told = saker.next_internal("module rolled back");
    assert_eq!(told["priority"], "Critical");
    assert_eq!(told["output_fields"]["saker.module"], "keeps");
    let listed = place.until("keeps", |listed| {
        listed.is_some_and(|listed| listed["state"] == "running")
    });
    let listed = listed.expect("it is loaded");
    assert_eq!(listed["digest"], good);
    assert!(
        listed["reason"]
            .as_str()
            .is_some_and(|why| why.contains("trap"))
    );
    takes_over(&mut saker, &scope, "Kept");
    let ended = saker.stop();
    assert!(ended.status.success(), "{}", ended.messages);
}

#[test]
fn a_module_that_goes_on_failing_is_set_aside_others_go_on_and_it_is_tried_again() {
    if !needs::live() {
        return;
    }
    let place = Place::new();
    place.write("rules.yaml", rule("one"));
    place.write("modules/traps.wasm", component("traps", "unreachable"));
    let scope = Scope::new();
    let mut saker = place.watch(&scope, &[]);
    let mut alerts = 0;
    let told = loop {
        scope.shell(OPEN);
        let alert = saker.next_alert();
        match alert["source"] == "internal" {
            true => break alert,
            false => alerts += 1,
        }
        assert!(alerts < 100, "it is never set aside");
    };
    assert_eq!(told["rule"], "Saker internal: module quarantined");
    assert_eq!(told["output_fields"]["saker.module"], "traps");
    place.until("traps", |listed| {
        listed.is_some_and(|listed| listed["state"] == "quarantined")
    });
    let since = Instant::now();
    takes_over(&mut saker, &scope, "one");
    place.until("traps", |listed| {
        listed.is_some_and(|listed| listed["state"] == "running")
    });
    assert!(
        since.elapsed() > Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
    // It has learnt nothing.
    let told = loop {
        scope.shell(OPEN);
        let alert = saker.next_alert();
        if alert["source"] == "internal" {
            break alert;
        }
    };
    let output = told["output"].as_str().expect("text");
    assert!(output.contains("set aside for 20 s"), "{output}");
    let ended = saker.stop();
    assert!(ended.status.success(), "{}", ended.messages);
}
