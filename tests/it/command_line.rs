//! What a user meets on the command line: results, and above all what goes wrong.

use crate::needs;
use crate::program::{saker, workspace};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    Command::new(saker())
        .args(args)
        .current_dir(workspace())
        .output()
        .expect("saker runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

fn file(folder: &tempfile::TempDir, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, content).expect("a folder of the test");
    path.display().to_string()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for files of the test")
}

#[test]
fn the_bundled_rules_are_flawless() {
    let output = run(&["check", "rules/default/saker_rules.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "rules/default/saker_rules.yaml: Ok\n");
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_bad_rule_file_is_answered_with_every_mistake_and_its_place() {
    let folder = folder();
    let bad = file(
        &folder,
        "bad.yaml",
        "- rule: one\n  desc: d\n  condition: evt.type = open and fd.nam = /x\n  output: o\n  priority: WARNING\n\
         - rule: two\n  desc: d\n  condition: evt.type = open and (proc.name = x\n  output: o\n  priority: WARNING\n\
         - rule: three\n  desc: d\n  condition: evt.type = open and unknown_macro\n  output: '%no.such'\n  priority: WRONG\n",
    );
    for command in [
        &["check", &bad][..],
        &["run", "-r", &bad],
        &["compile", &bad, "-o", "/dev/null"],
    ] {
        let output = run(command);
        assert_eq!(
            output.status.code(),
            Some(3),
            "{command:?}: {}",
            stderr(&output)
        );
        let said = stderr(&output);
        for (line, what) in [
            (3, "fd.nam"),
            (8, ""),
            (13, "unknown_macro"),
            (14, "no.such"),
            (15, "WRONG"),
        ] {
            let place = format!("bad.yaml:{line}:");
            assert!(
                said.contains(&place) && said.contains(what),
                "no {place} {what} in\n{said}"
            );
        }
        assert!(said.contains("fd.name"), "no suggestion in\n{said}");
    }
}

#[test]
fn a_file_that_is_not_there_or_not_text_is_named() {
    let folder = folder();
    let output = run(&["check", "/nonexistent/rules.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("`/nonexistent/rules.yaml`"),
        "{}",
        stderr(&output)
    );
    let binary = file(&folder, "binary.yaml", [0xff, 0xfe, 0x00]);
    let output = run(&["check", &binary]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("not UTF-8"), "{}", stderr(&output));
}

#[test]
fn a_link_in_a_folder_that_leads_nowhere_is_a_file_that_cannot_be_read() {
    use std::os::unix::fs::symlink;
    let folder = folder();
    // As Kubernetes lays a ConfigMap out: nothing is read twice.
    let data = folder.path().join("..2026");
    std::fs::create_dir(&data).unwrap();
    let rule = "- rule: R\n  desc: d\n  condition: evt.type = open\n  output: o\n  \
                priority: INFO\n";
    std::fs::write(data.join("rules.yaml"), rule).unwrap();
    symlink("..2026", folder.path().join("..data")).unwrap();
    symlink("..data/rules.yaml", folder.path().join("rules.yaml")).unwrap();
    std::fs::create_dir(folder.path().join("folder.yaml")).unwrap();
    let path = folder.path().display().to_string();
    let output = run(&["check", &path]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 1, "{}", stdout(&output));

    symlink("..data/gone.yaml", folder.path().join("gone.yaml")).unwrap();
    let capture = folder.path().join("none.scap").display().to_string();
    for command in [&["check", &path][..], &["replay", &capture, "-r", &path]] {
        let output = run(command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let said = stderr(&output);
        assert!(said.contains("cannot open the rule file"), "{said}");
        assert!(said.contains("gone.yaml"), "{said}");
    }
}

#[test]
fn a_wasm_file_that_is_none_is_refused() {
    let folder = folder();
    for (name, content) in [
        ("text.wasm", &b"not a module"[..]),
        ("empty.wasm", b"\0asm\x01\0\0\0"),
    ] {
        let path = file(&folder, name, content);
        for command in [&["check", &path][..], &["run", "-r", &path]] {
            let output = run(command);
            assert_eq!(
                output.status.code(),
                Some(3),
                "{command:?}: {}",
                stderr(&output)
            );
            assert!(stderr(&output).contains(name), "{}", stderr(&output));
        }
    }
}

#[test]
fn a_compiled_module_is_written_whole_or_not_at_all() {
    let folder = folder();
    let module = folder.path().join("out.wasm").display().to_string();
    let output = run(&["compile", "rules/default/saker_rules.yaml", "-o", &module]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        std::fs::read(&module)
            .expect("written")
            .starts_with(b"\0asm")
    );
    let output = run(&["check", &module]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let bad = file(&folder, "bad.yaml", "- rule: [");
    let other = folder.path().join("other.wasm").display().to_string();
    assert_eq!(run(&["compile", &bad, "-o", &other]).status.code(), Some(3));
    let nowhere = folder
        .path()
        .join("no/such/folder.wasm")
        .display()
        .to_string();
    assert_eq!(run(&["compile", "-o", &nowhere]).status.code(), Some(1));
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn fields_and_events_are_listed_for_people_and_for_programs() {
    let fields = stdout(&run(&["list", "fields"]));
    for name in ["proc.aname[n]", "evt.arg.NAME", "fd.name", "container.id"] {
        assert!(fields.contains(name), "{name}");
    }
    let some = stdout(&run(&["list", "fields", "proc.n"]));
    let names: Vec<_> = some.lines().map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&Some("proc.name")), "{some}");
    assert!(
        names
            .iter()
            .flatten()
            .all(|name| name.starts_with("proc.n")),
        "{some}"
    );
    let absent = stdout(&run(&["list", "fields", "evt.plugin"]));
    assert!(absent.contains("(not yet)"), "{absent}");
    for line in stdout(&run(&["list", "fields", "--json"])).lines() {
        let field: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(
            field["description"]
                .as_str()
                .is_some_and(|text| text.ends_with('.')),
            "{line}"
        );
    }
    let events = stdout(&run(&["list", "events"]));
    for name in ["execve", "openat2", "ptrace", "memfd_create"] {
        assert!(
            events
                .lines()
                .any(|line| line.split(' ').next() == Some(name)),
            "{name}"
        );
    }
}

#[test]
fn fields_and_events_are_listed_by_name_only_and_as_tables() {
    let names = stdout(&run(&["list", "fields", "-N", "proc.n"]));
    assert!(names.lines().any(|line| line == "proc.name"), "{names}");
    assert!(!names.contains(' '), "{names}");
    let names = stdout(&run(&["list", "events", "--names"]));
    assert!(names.lines().any(|line| line == "openat2"), "{names}");
    for what in ["fields", "events"] {
        let table = stdout(&run(&["list", what, "--markdown"]));
        assert!(table.lines().count() > 50, "{table}");
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        assert!(table.lines().all(|line| cells(line) == 4), "{table}");
    }
    let mixed = run(&["list", "fields", "-r", "rules.yaml"]);
    assert_eq!(mixed.status.code(), Some(2));
}

#[test]
fn rules_are_listed_for_people_and_with_the_words_of_falco() {
    let folder = folder();
    let rules = file(
        &folder,
        "rules.yaml",
        "- required_engine_version: 0.26.0\n\
         - required_plugin_versions:\n  - name: container\n    version: 0.4.0\n    alternatives: [{name: other, version: 1.0.0}]\n\
         - list: names\n  items: [cat, more_names]\n\
         - list: more_names\n  items: [dd]\n\
         - list: all_names\n  items: [od, more_names]\n\
         - macro: named\n  condition: proc.name in (names)\n\
         - rule: First\n  desc: |\n    One line\n    and another\n  condition: evt.type = open and named\n  output: 'file=%fd.name id=%container.id'\n  priority: WARNING\n  tags: [b, a]\n  exceptions:\n    - {name: of a file, fields: fd.name, values: [/x y]}\n\
         - rule: \"Sec\\eond\"\n  desc: d\n  condition: evt.type = close\n  output: o\n  priority: INFO\n  enabled: false\n  capture: true\n  capture_duration: 5\n",
    );
    let text = stdout(&run(&["list", "rules", "-r", &rules]));
    assert_eq!(
        text,
        "First        Warning       One line and another\n\
         Sec\\u{1b}ond Informational (off) d\n"
    );
    let names = stdout(&run(&["list", "rules", "-N", "-r", &rules]));
    assert_eq!(names, "First\nSec\\u{1b}ond\n");
    let one = stdout(&run(&["list", "rules", "First", "-r", &rules]));
    for part in [
        "First\n",
        "One line and another",
        "evt.type = open and named",
        "a, b",
    ] {
        assert!(one.contains(part), "no {part} in\n{one}");
    }
    let json = stdout(&run(&["list", "rules", "--json", "-r", &rules]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let expected = serde_json::json!({
        "required_engine_version": "0.26.0",
        "required_plugin_versions": [{
            "name": "container", "version": "0.4.0",
            "alternatives": [{"name": "other", "version": "1.0.0"}],
        }],
        "lists": [
            {
                "info": {"name": "names", "items": ["cat", "more_names"]},
                "details": {
                    "lists": [], "items_compiled": ["cat", "more_names"],
                    "plugins": [], "used": true,
                },
            },
            {
                "info": {"name": "more_names", "items": ["dd"]},
                "details": {
                    "lists": [], "items_compiled": ["dd"], "plugins": [], "used": true,
                },
            },
            {
                "info": {"name": "all_names", "items": ["od"]},
                "details": {
                    "lists": ["more_names"], "items_compiled": ["od", "dd"],
                    "plugins": [], "used": false,
                },
            },
        ],
        "macros": [{
            "info": {"name": "named", "condition": "proc.name in (names)"},
            "details": {
                "macros": [], "lists": ["names"],
                "condition_operators": ["in"], "condition_fields": ["proc.name"],
                "events": json["macros"][0]["details"]["events"],
                "condition_compiled": "proc.name in (cat, dd)",
                "plugins": [], "used": true,
            },
        }],
        "rules": [
            {
                "info": {
                    "name": "First", "condition": "evt.type = open and named",
                    "priority": "Warning", "output": "file=%fd.name id=%container.id",
                    "description": "One line\nand another", "enabled": true, "source": "syscall",
                    "capture": false, "capture_duration": 0, "tags": ["a", "b"],
                },
                "details": {
                    "macros": ["named"], "lists": [],
                    "condition_operators": ["=", "in"],
                    "condition_fields": ["evt.type", "fd.name", "proc.name"],
                    "output_fields": ["container.id", "fd.name"],
                    "exception_fields": ["fd.name"], "exception_names": ["of a file"],
                    "exception_operators": ["in"], "events": ["open"],
                    "condition_compiled": "((evt.type = open and proc.name in (cat, dd)) and not fd.name in (\"/x y\"))",
                    "output_compiled": "file=%fd.name id=%container.id",
                    "plugins": ["container"],
                },
            },
            json["rules"][1],
        ],
    });
    assert_eq!(json, expected, "{json:#}");
    let second = &json["rules"][1]["info"];
    assert_eq!(
        (&second["capture"], &second["capture_duration"]),
        (&true.into(), &5.into())
    );
    let one = stdout(&run(&["list", "rules", "First", "--json", "-r", &rules]));
    let one: serde_json::Value = serde_json::from_str(&one).expect("JSON");
    assert_eq!(one, serde_json::json!({"rules": [json["rules"][0]]}));

    let wrong = run(&["list", "rules", "Fist", "-r", &rules]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("did you mean `First`?"));
    let bad = file(&folder, "bad.yaml", "- macro: m\n  condition: fd.nam\n");
    let refused = run(&["list", "rules", "-r", &bad]);
    assert_eq!(refused.status.code(), Some(3));
    assert_eq!(stdout(&refused), "");
}

#[test]
fn help_shows_the_settings_that_matter_to_the_command() {
    let shown = |command, key: &str| {
        let help = stdout(&run(&[command, "--help"]));
        help.lines().any(|line| line.trim() == key)
    };
    for (key, commands) in [
        ("hostname", ["run", "replay", "record"].as_slice()),
        ("json_output", &["run", "replay"]),
        ("rules[].enable.rule", &["run", "replay"]),
        ("scope.cgroup", &["run", "record"]),
        ("engine.replay.capture_file", &["replay"]),
        ("log_syslog", &["run"]),
        ("page.enabled", &["run"]),
        ("store.path", &["run"]),
        ("webserver.enabled", &["run"]),
        ("engines.docker.enabled", &["run", "record"]),
    ] {
        for command in ["run", "replay", "record"] {
            let expected = commands.contains(&command);
            assert_eq!(shown(command, key), expected, "{command} {key}");
        }
    }
}

#[test]
fn a_wrong_setting_is_answered_with_the_right_one() {
    let output = run(&["run", "-o", "json_outptu=true"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("did you mean `json_output`?"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn without_root_the_missing_capabilities_are_named() {
    if !needs::live() {
        return;
    }
    let folder = folder();
    let everyone = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), everyone.clone()).expect("ours");
    let program = folder.path().join("saker");
    std::fs::copy(saker(), &program).expect("a copy that anyone may run");
    std::fs::set_permissions(&program, everyone).expect("ours");
    for command in ["run", "doctor"] {
        let output = Command::new(&program)
            .arg(command)
            .current_dir(folder.path())
            .uid(65534)
            .gid(65534)
            .output()
            .expect("saker runs");
        assert_eq!(
            output.status.code(),
            Some(4),
            "{command}: {}",
            stderr(&output)
        );
        let said = stdout(&output) + &stderr(&output);
        assert!(
            said.contains("CAP_BPF") && said.contains("run as root"),
            "{command}: {said}"
        );
    }
}

#[test]
fn the_doctor_finds_this_machine_fit_where_live_tests_run() {
    if !needs::live() {
        return;
    }
    let output = run(&["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let found: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(found["able"], true);
}

#[test]
fn a_scope_that_is_no_cgroup_is_refused() {
    if !needs::live() {
        return;
    }
    let output = run(&[
        "run",
        "-o",
        "scope.cgroup=/nonexistent",
        "-o",
        "store.path=",
    ]);
    assert_ne!(output.status.code(), Some(0));
    assert!(
        stderr(&output).contains("/nonexistent"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_rule_is_explained_by_event_type() {
    let folder = folder();
    let rules = file(
        &folder,
        "rules.yaml",
        "- rule: A rule\n  desc: d\n  condition: >\n    (evt.type = openat and evt.is_open_write = true and fd.num >= 0 and proc.name != cat)\n    or (evt.type = connect and fd.sport in (22, 23))\n  output: o\n  priority: INFO\n",
    );
    let output = run(&["explain", "A rule", "-r", &rules]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = "\
connect
  holds if fd.sport in (22, 23)
  asked of the event: fd.sport
openat
  holds if evt.is_open_write = true
       and fd.num >= 0
       and proc.name exists
       and not proc.name = \"cat\"
  asked of the event: evt.is_open_write, fd.num
  asked of the process: proc.name
";
    assert_eq!(stdout(&output), expected);
    let json = stdout(&run(&["explain", "A rule", "-r", &rules, "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json[0]["events"], serde_json::json!(["connect"]));
    assert_eq!(json[1]["process_fields"], serde_json::json!(["proc.name"]));
    let wrong = run(&["explain", "A rul", "-r", &rules]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("did you mean `A rule`?"));
}

#[test]
fn a_rule_that_never_holds_or_is_off_is_explained_with_the_reason() {
    let folder = folder();
    let rule = |name: &str, condition: &str, more: &str| {
        format!(
            "- rule: {name}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n{more}"
        )
    };
    let text = "- macro: busy\n  condition: thread.cpu > 50\n".to_owned()
        + "- macro: named\n  condition: proc.name = proc.pname\n"
        + "- list: nothing\n  items: []\n"
        + &rule("Busy", "evt.type = open and busy", "")
        + &rule("Never", "evt.type = open and evt.type = close", "")
        + &rule("Off", "evt.type = open and named", "  enabled: false\n")
        + &rule("Fine", "evt.type = open", "")
        + &rule("Gone", "jevt.value = 1", "  source: other\n");
    let rules = file(&folder, "rules.yaml", text);
    let explained = |rule: &str| run(&["explain", rule, "-r", &rules]);

    let busy = explained("Busy");
    assert_eq!(
        stdout(&busy),
        "holds for no event type: `thread.cpu` has no value yet\n\
         never has a value: thread.cpu (every switch of the scheduler would have to be recorded)\n"
    );
    let never = stdout(&explained("Never"));
    let contrary = "holds for no event type: its comparisons contradict each other";
    assert!(never.starts_with(contrary), "{never}");
    assert_eq!(
        stdout(&run(&["explain", "Never", "-r", &rules, "--json"])),
        "[]\n"
    );

    let off = explained("Off");
    assert!(
        stdout(&off).contains("it is off: `-o 'rules[].enable.rule=Off'` switches it on"),
        "{}",
        stdout(&off)
    );
    // What is worth a look in a macro of its own, and nothing of other rules, macros and lists.
    let said = stderr(&off);
    assert!(said.contains("S513"), "{said}");
    assert_eq!(said.matches("warning[").count(), 1, "{said}");
    assert_eq!(stderr(&explained("Fine")), "");

    let gone = explained("Gone");
    assert_eq!(gone.status.code(), Some(2));
    assert!(
        stderr(&gone).contains("LOAD_UNKNOWN_SOURCE"),
        "{}",
        stderr(&gone)
    );
    assert!(stderr(&gone).contains("the rule `Gone` is left out"));
    // Of warnings a listing shows those of what it lacks.
    let said = stderr(&run(&["list", "rules", "-r", &rules]));
    assert_eq!(said.matches("warning[").count(), 1, "{said}");
    assert!(said.contains("rule `Gone` is left out"), "{said}");
}

#[test]
fn a_switch_that_is_for_no_rule_is_told_with_what_may_be_meant() {
    let folder = folder();
    let rules = file(
        &folder,
        "rules.yaml",
        "- rule: Shell spawned\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: INFO\n  tags: [network]\n",
    );
    // Rules are loaded before the capture is looked for.
    let said = |option: &str| {
        let output = run(&["replay", "/nonexistent.scap", "-r", &rules, "-o", option]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        stderr(&output)
    };
    for (option, warning) in [
        (
            "rules[].disable.rule=Shel spawned",
            "no rule is switched off: none is like `Shel spawned`; did you mean `Shell spawned`?",
        ),
        (
            "rules[].enable.rule=Shelk sp*",
            "no rule is switched on: none is like `Shelk sp*`; did you mean `Shell sp*`?",
        ),
        (
            "rules[].disable.tag=netwrok",
            "no rule is switched off: none has the tag `netwrok`; did you mean `network`?",
        ),
        (
            "rules[].disable.rule=Nothing like it",
            "no rule is switched off: none is like `Nothing like it`\n",
        ),
    ] {
        let said = said(option);
        assert!(said.contains(warning), "{said}");
    }
    for option in ["rules[].disable.rule=Shell*", "rules[].disable.tag=network"] {
        let said = said(option);
        assert!(!said.contains("no rule is switched"), "{said}");
    }
}

#[test]
fn verdicts_are_also_told_as_json() {
    let folder = folder();
    let good = file(&folder, "good.yaml", "- list: unused\n  items: [a]\n");
    let bad = file(
        &folder,
        "bad.yaml",
        "- rule: r\n  desc: d\n  condition: evt.type = open and fd.nam = /x\n  output: o\n  priority: INFO\n",
    );
    let output = run(&["check", "--json", &good, &bad]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(stderr(&output), "");
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let results = &json["falco_load_results"];
    assert_eq!(results[0]["successful"], true);
    assert_eq!(results[0]["warnings"][0]["code"], "LOAD_UNUSED_LIST");
    assert_eq!(results[1]["successful"], false);
    let error = &results[1]["errors"][0];
    assert_eq!(error["code"], "LOAD_ERR_COMPILE_CONDITION");
    let locations = error["context"]["locations"].as_array().expect("a list");
    assert_eq!(locations.len(), 3);
    assert_eq!(locations[0]["item_type"], "rules content");
    let item = &locations[1];
    assert_eq!(
        (&item["item_type"], &item["item_name"]),
        (&"rule".into(), &"r".into())
    );
    let at = &locations[2]["position"];
    assert_eq!((&at["line"], &at["column"]), (&2.into(), &33.into()));
    assert_eq!(error["saker"]["help"], "did you mean `fd.name`?");
}

#[test]
fn a_file_that_cannot_be_read_hides_nothing_of_the_others() {
    let folder = folder();
    let good = file(&folder, "good.yaml", "- list: unused\n  items: [a]\n");
    let bad = file(&folder, "bad.yaml", "- rule: r\n");
    let binary = file(&folder, "binary.yaml", [0xff, 0xfe, 0x00]);
    let files = ["/nonexistent.yaml", &good, &binary, &bad];
    let output = run(&[&["check", "--json"], &files[..]].concat());
    assert_eq!(output.status.code(), Some(3));
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let results = json["falco_load_results"].as_array().expect("a list");
    let code = |name: &str| {
        let of = |result: &&serde_json::Value| result["name"] == *name;
        let result = results.iter().find(of).expect("every file has a result");
        assert_eq!(result["successful"], *name == good);
        result["errors"][0]["code"].as_str()
    };
    assert_eq!(code("/nonexistent.yaml"), Some("LOAD_ERR_FILE_READ"));
    assert_eq!(code(&binary), Some("LOAD_ERR_FILE_READ"));
    assert_eq!(code(&bad), Some("LOAD_ERR_YAML_VALIDATE"));
    assert_eq!(code(&good), None);

    let output = run(&[&["check"], &files[..]].concat());
    for line in [
        "/nonexistent.yaml: Not read".to_owned(),
        format!("{binary}: Not read"),
        format!("{good}: Ok, with warnings"),
        format!("{bad}: Invalid"),
    ] {
        assert!(stdout(&output).contains(&line), "{}", stdout(&output));
    }
    for said in ["`/nonexistent.yaml`", "not UTF-8", "bad.yaml:1"] {
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

#[test]
fn a_rule_hidden_by_another_is_warned_of_only_where_the_first_match_ends_it() {
    let folder = folder();
    let rule = |name: &str, condition: &str| {
        format!(
            "- rule: {name}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n"
        )
    };
    let text = rule("Any", "evt.type = open") + &rule("Some", "evt.type = open and fd.num = 3");
    let rules = file(&folder, "rules.yaml", text);
    let all = run(&["check", &rules]);
    assert_eq!(stderr(&all), "");
    let first = run(&["check", &rules, "-o", "rule_matching=first"]);
    assert_eq!(first.status.code(), Some(0));
    assert_eq!(stdout(&first), format!("{rules}: Ok, with warnings\n"));
    assert!(
        stderr(&first).contains("rule `Some` is hidden by rule `Any`"),
        "{}",
        stderr(&first)
    );
    // Of rules that settings switch, it cannot be said.
    let matching = ["-o", "rule_matching=first"];
    for setting in ["rules[].disable.rule=Any", "priority=alert"] {
        let output = run(&[&["check", &rules, "-o", setting][..], &matching].concat());
        assert_eq!(stderr(&output), "", "{setting}");
    }
    let output = run(&["check", &rules, "-o", "rules[].disable.rule=Sone"]);
    assert!(
        stderr(&output).contains("did you mean `Some`?"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_option_of_falco_is_told_our_command() {
    let output = run(&["-V", "rules.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("write `saker check FILE`"),
        "{}",
        stderr(&output)
    );
    let output = run(&["--list-events"]);
    assert!(
        stderr(&output).contains("write `saker list events`"),
        "{}",
        stderr(&output)
    );
    assert!(stdout(&run(&["-V"])).starts_with("saker "));
}

#[test]
fn a_list_of_rules_tells_which_are_left_out() {
    let folder = folder();
    let text = "- rule: R\n  desc: d\n  condition: evt.type = open and no.field = 3\n  output: o\n  \
                priority: INFO\n  skip-if-unknown-filter: true\n";
    let rules = file(&folder, "rules.yaml", text);
    let output = run(&["list", "rules", "-r", &rules]);
    assert_eq!(stdout(&output), "");
    assert!(
        stderr(&output).contains("rule `R` is left out"),
        "{}",
        stderr(&output)
    );
}
