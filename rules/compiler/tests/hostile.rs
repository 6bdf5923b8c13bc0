//! Rule files written to do harm: each gives diagnostics, in bounded time, and no panic.

mod support;

use saker_rules_compiler::{Compilation, render};
use std::time::{Duration, Instant};
use support::{compiled, source};

/// Compiles, within a time that even a busy machine without optimisation keeps.
fn bounded(text: &str) -> Compilation {
    let start = Instant::now();
    let compilation = compiled(text);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    // Showing them must be bounded too.
    let shown = render(&compilation.diagnostics, &[source(text)], true);
    assert!(
        start.elapsed() < Duration::from_secs(40),
        "{:?}",
        start.elapsed()
    );
    assert!(shown.len() < 10 << 20);
    compilation
}

fn codes(compilation: &Compilation) -> Vec<&'static str> {
    let mut codes: Vec<_> = compilation
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.code.id())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn rule(condition: &str) -> String {
    format!("- rule: r\n  desc: d\n  condition: \"{condition}\"\n  output: o\n  priority: INFO\n")
}

#[test]
fn aliases_that_multiply_are_refused() {
    let mut text = String::from("- list: l0\n  items: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for at in 1..12 {
        let before = at - 1;
        let many = vec![format!("*a{before}"); 10].join(", ");
        text += &format!("- list: l{at}\n  items: &a{at} [{many}]\n");
    }
    let compilation = bounded(&text);
    assert!(codes(&compilation).contains(&"S102"));
    assert!(compilation.ruleset.is_none());
}

#[test]
fn an_alias_within_what_it_names_is_refused() {
    let compilation = bounded("- &a [*a]\n");
    assert!(compilation.ruleset.is_none());
}

#[test]
fn lists_that_multiply_are_refused() {
    let mut text = String::new();
    for at in 0..40 {
        let next = at + 1;
        text += &format!("- list: l{at}\n  items: [l{next}, l{next}]\n");
    }
    text += "- list: l40\n  items: [x]\n";
    text += &rule("evt.type=open and proc.name in (l0)");
    let compilation = bounded(&text);
    assert!(
        codes(&compilation).contains(&"S406"),
        "{:?}",
        codes(&compilation)
    );
}

#[test]
fn macros_that_multiply_are_refused() {
    let mut text = String::from("- macro: m0\n  condition: proc.name=a and not fd.name=b\n");
    for at in 1..150 {
        let m = format!("m{}", at - 1);
        text += &format!(
            "- macro: m{at}\n  condition: ({m} and fd.num={at}) or (not {m} and proc.pid={at})\n"
        );
    }
    text += &rule("evt.type=open and m149");
    let compilation = bounded(&text);
    assert!(
        codes(&compilation).contains(&"S406"),
        "{:?}",
        codes(&compilation)
    );
}

#[test]
fn a_chain_of_thousands_of_macros_does_not_exhaust_the_stack() {
    let mut text = String::from("- macro: m0\n  condition: proc.name=a\n");
    for at in 1..5000 {
        text += &format!(
            "- macro: m{at}\n  condition: not (m{} and fd.num={at})\n",
            at - 1
        );
    }
    text += &rule("evt.type=open and m4999");
    let compilation = bounded(&text);
    assert!(
        codes(&compilation).contains(&"S406"),
        "{:?}",
        codes(&compilation)
    );
}

#[test]
fn a_loop_of_macros_is_refused() {
    let text = "
- macro: a
  condition: proc.name=x
- macro: b
  condition: a or fd.num=1
- macro: a
  condition: b
"
    .to_string()
        + &rule("evt.type=open and a");
    assert!(codes(&bounded(&text)).contains(&"S403"));
}

#[test]
fn deep_nesting_is_refused_at_every_level() {
    for (open, close) in [("(", ")"), ("not (", ")"), ("tolower(", ")")] {
        let condition = format!("{}proc.name{}", open.repeat(100_000), close.repeat(100_000));
        let compilation = bounded(&rule(&condition));
        assert!(codes(&compilation).contains(&"S302"), "{open}");
    }
    let compilation = bounded(&"[".repeat(1_000_000));
    assert!(compilation.ruleset.is_none());
    let compilation = bounded(&"- ".repeat(1_000_000));
    assert!(compilation.ruleset.is_none());
    let nots = format!("{}proc.name=a", "not ".repeat(100_000));
    bounded(&rule(&format!("evt.type=open and {nots}")));
}

#[test]
fn as_many_faults_as_bytes_give_a_bounded_report() {
    for text in [
        "- a: b\n".repeat(100_000),
        rule(&") ".repeat(200_000)),
        rule(&"( ".repeat(200)),
    ] {
        let compilation = bounded(&text);
        assert!(compilation.diagnostics.len() <= 1001);
    }
    let many: String = (0..3000)
        .map(|at| format!("- rule: r{at}\n  desc: d\n  condition: nothing{at}\n  output: o\n  priority: INFO\n"))
        .collect();
    let compilation = bounded(&many);
    assert_eq!(compilation.diagnostics.len(), 1001);
    assert!(compilation.ruleset.is_none());
}

#[test]
fn too_many_rules_for_one_module_are_refused_and_not_half_compiled() {
    let many: String = (0..9000)
        .map(|at| {
            format!("- rule: r{at}\n  desc: d\n  condition: proc.name=a{at} or fd.name contains b{at}\n  output: o\n  priority: INFO\n  warn_evttypes: false\n")
        })
        .collect();
    let compilation = bounded(&many);
    assert_eq!(codes(&compilation), ["S801"]);
    assert!(compilation.ruleset.is_none());
}

#[test]
fn bytes_of_all_kinds_give_diagnostics_and_no_panic() {
    let seeds = [
        rule("evt.type in (open, openat) and fd.name = 'ä\\\\' or not proc.aname[2] glob \\\"*\\\""),
        "- macro: m\n  condition: >\n    (evt.type=open\n     and fd.name contains \"ü\")\n- list: l\n  items: ['\"a b\"', c]\n".into(),
        "- rule: x\n  exceptions:\n    - name: e\n      fields: [proc.name]\n      values: [[a], [b]]\n  append: true\n".into(),
    ];
    let marks = [
        "'", "\"", "(", ")", "[", "]", "%", "\\", "\u{0}", "é", "*a", "&a ", ": ", "\n", "- ", ",",
        "{", "|", ">",
    ];
    // Every prefix, and every mark at every place.
    for seed in &seeds {
        for (at, _) in seed.char_indices() {
            let _ = render(
                &compiled(&seed[..at]).diagnostics,
                &[source(&seed[..at])],
                false,
            );
            for mark in marks {
                let text = format!("{}{mark}{}", &seed[..at], &seed[at..]);
                let _ = render(&compiled(&text).diagnostics, &[source(&text)], false);
            }
        }
    }
}
