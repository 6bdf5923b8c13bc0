use super::effect::{judged, note_missing};
use super::*;
use crate::alert::Scene;
use crate::modules::rulesets::Rulesets;
use saker_rules_compiler::{Options, Source};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

const RULES_TEXT: &str = "- list: shells\n  items: [bash, sh]\n\n- rule: 'It is: read'\n  desc: d\n  \
                          condition: evt.type = openat and fd.name = /etc/shadow\n  output: o\n  \
                          priority: INFO\n  exceptions:\n    - name: alert_7\n      fields: \
                          [proc.name]\n      values: [[known]]\n";

fn module() -> Module {
    let source = Source {
        name: "rules.yaml".into(),
        text: RULES_TEXT.into(),
    };
    let (module, found) = Rulesets::default().module(RULES, &[source], &Options::default());
    module.unwrap_or_else(|| panic!("{found:?}"))
}

fn target(module: &Module) -> Target<'_> {
    Target {
        module,
        written: module.written().expect("of rule files"),
        rule: 0,
    }
}

fn part(field: &str, operator: &str, value: &str) -> Part {
    Part {
        field: field.into(),
        operator: operator.into(),
        value: value.into(),
    }
}

/// What the condition has more by these parts.
fn more(module: &Module, parts: &[Part]) -> (String, Vec<Expr>) {
    let target = target(module);
    let text = written(&target, 7, parts).expect("it can be written");
    let (checked, ruleset) = editor::compiled(&text, target.written.sources.clone(), false);
    let ruleset = ruleset.unwrap_or_else(|| panic!("{text}\n{checked:?}"));
    let added = added(target.written.condition(0), &ruleset.conditions[0]);
    (text, added.expect("the rule is on"))
}

fn seen(fields: Json) -> Seen {
    let scene = Scene {
        event: "openat".into(),
        ..Scene::default()
    };
    Seen::of(&json!({ "output_fields": fields }), Some(&scene), None)
}

#[test]
fn whatever_a_process_is_called_the_exception_is_for_it_and_for_nothing_else() {
    let module = module();
    for name in [
        "bash",
        "shells",
        "a\"b",
        "a'b",
        "a\nb",
        "a\tb",
        "a\r",
        "- {",
        "]",
        "a, b",
        "a,b",
        "null",
        "~",
        "123",
        "0x10",
        "1e3",
        "-1",
        ".5",
        "true",
        "No",
        "é",
        "日本",
        "\u{202e}x",
        "\u{85}",
        "\u{feff}",
        "\u{2028}",
        "😀",
        "a\\b",
        "a\\",
        "a\\\\",
        "\\\"",
        "%proc.name",
        "x)or(evt.num>0",
        "x\") or (evt.num > 0 and proc.name = \"x",
        "# no",
        ": ",
        "a: b",
        "&a",
        "*a",
        "!t",
        "@",
        "`",
        " lead",
        "trail ",
        "\"\"",
        "''",
        "'x",
        "{{",
        "\\n",
        "and",
        "not",
        "=",
        "<NA>",
        "\u{1}",
        "\u{7f}",
        "\u{8}\u{c}",
        "|",
        ">",
        "---",
        "a\n- rule: x",
    ] {
        let (text, added) = more(&module, &[part("proc.name", "=", name)]);
        assert_eq!(added.len(), 1, "{text}");
        let is = |name: &str| judged(&added, &seen(json!({ "proc.name": name })));
        assert_eq!(is(name), Some(false), "{text}");
        for other in [format!("{name}x"), format!("x{name}"), "other".into()] {
            assert_eq!(is(&other), Some(true), "{other:?}: {text}");
        }
        assert_eq!(
            text.lines().filter(|line| line.contains("rule:")).count(),
            { 1 + usize::from(name.contains("rule:")) }
        );
    }
}

#[test]
fn what_the_rule_language_cannot_say_is_said_so() {
    let module = module();
    let target = target(&module);
    for (field, operator, value, why) in [
        ("proc.name", "=", "a b\\", "backslash"),
        ("proc.name", "=", "\0", "byte 0"),
        ("proc.nam", "=", "x", "no field"),
        ("fd.sport", "startswith", "2", "not compared"),
        ("proc.name", "regex", "x", "not compared"),
        ("proc.name", "= x\n- rule: y", "x", "not compared"),
    ] {
        let refused = written(&target, 7, &[part(field, operator, value)]);
        match refused {
            Err(Refusal::Invalid(said)) => assert!(said.contains(why), "{said}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn operators_and_several_fields_mean_what_they_mean_in_the_rules() {
    let module = module();
    let parts = [
        part("proc.name", "startswith", "post*"),
        part("fd.name", "glob", "/etc/\\*/*.conf"),
        part("proc.aname[2]", "endswith", "d"),
        part("fd.sport", "=", "443"),
    ];
    let (text, added) = more(&module, &parts);
    assert!(text.contains("name: alert_7_2\n"), "{text}");
    let is = |name: &str, file: &str, port: u32| {
        judged(
            &added,
            &seen(
                json!({ "proc.name": name, "fd.name": file, "proc.aname[2]": "sshd",
                "fd.sport": port }),
            ),
        )
    };
    assert_eq!(is("post*gres", "/etc/*/a.conf", 443), Some(false));
    assert_eq!(is("postgres", "/etc/*/a.conf", 443), Some(true));
    assert_eq!(is("post*gres", "/etc/x/a.conf", 443), Some(true));
    assert_eq!(is("post*gres", "/etc/*/a.conf", 80), Some(true));
}

#[test]
fn what_was_not_kept_whole_is_not_taken_for_known() {
    let module = module();
    let parts = [part("proc.name", "=", "x"), part("proc.pname", "=", "y")];
    let (_, added) = more(&module, &parts);
    let is = |fields: Json| judged(&added, &seen(fields));
    assert_eq!(is(json!({ "proc.name": "x" })), None);
    // One that surely differs decides, whatever the other is.
    assert_eq!(is(json!({ "proc.name": "z" })), Some(true));
    assert_eq!(
        is(json!({ "proc.name": "x", "proc.pname": "y\u{fffd}" })),
        None
    );
    assert_eq!(
        is(json!({ "proc.name": "x", "proc.pname": null })),
        Some(true)
    );
    assert_eq!(
        is(json!({ "proc.name": "x", "proc.pname": "y" })),
        Some(false)
    );
    let without = Seen::of(
        &json!({ "output_fields": { "proc.name": "x" } }),
        None,
        None,
    );
    assert_eq!(judged(&added, &without), None);
    let mut missing = BTreeSet::new();
    note_missing(&added, &seen(json!({ "proc.name": "x" })), &mut missing);
    assert_eq!(missing, BTreeSet::from(["proc.pname".to_owned()]));
}

#[test]
fn a_file_is_proposed_and_a_connections_port_is_not() {
    let names = |fields: Json| {
        let proposed = proposed(&seen(fields)).into_iter();
        let names = proposed.filter(|of| of.proposed).map(|of| of.field);
        names.collect::<Vec<_>>().join(" ")
    };
    let file = json!({ "fd.name": "/etc/shadow", "fd.type": "file", "proc.name": "cat",
        "proc.pname": "sh", "container.image.repository": "web" });
    assert_eq!(names(file), "proc.name fd.name container.image.repository");
    let connection = json!({ "fd.name": "1.2.3.4:5->6.7.8.9:10", "fd.type": "ipv4",
        "proc.name": "cat", "proc.pname": "sh" });
    assert_eq!(names(connection), "proc.name proc.pname");
    assert_eq!(
        names(json!({ "user.uid": 0, "proc.tty": null })),
        "user.uid"
    );
}

#[test]
fn it_is_said_where_a_proposal_holds_for_more_than_its_alert() {
    let said = |fields: Json| {
        let seen = seen(fields);
        broader(&seen, &proposed(&seen)).join("\n")
    };
    let plain = json!({ "proc.name": "cat", "proc.pname": "sh", "proc.exepath": "/bin/cat" });
    assert_eq!(said(plain), "");
    let cut = json!({ "proc.name": "a-long-program-", "proc.exepath": "/bin/a-long-program-1" });
    let cut = said(cut);
    assert!(cut.contains("`proc.name` may be cut"), "{cut}");
    assert!(cut.contains("`proc.exepath`"), "{cut}");
    for (name, why) in [
        ("a b\\", "backslash"),
        ("x\u{fffd}", "bytes that are no text"),
        ("x\0", "byte 0"),
    ] {
        let said = said(json!({ "proc.name": name, "proc.exepath": "/bin/x" }));
        assert!(said.contains(why), "{said}");
        assert!(
            said.contains("`proc.exepath` is compared instead"),
            "{said}"
        );
    }
    let nameless = said(json!({ "proc.name": "x\u{fffd}", "user.uid": 0 }));
    assert!(nameless.contains("every process"), "{nameless}");
    let file = json!({ "proc.name": "cat", "fd.type": "file", "fd.name": "/tmp/\u{fffd}" });
    assert!(said(file).contains("every file"));
    let inside = json!({ "proc.name": "cat", "container.id": "0123456789ab" });
    assert!(said(inside).contains("every container"));
    let known = json!({ "proc.name": "cat", "container.id": "0123456789ab",
        "container.image.repository": "web" });
    assert_eq!(said(known), "");
}
