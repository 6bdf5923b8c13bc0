//! Rule files written to do harm: each gives diagnostics, in bounded time, and no panic.

mod support;

use saker_rules_compiler::{Compilation, Options, compile, render};
use std::time::Duration;
use support::{compiled, source};

/// CPU time of this thread, which is all that compiling takes: other work on the machine is not
/// counted.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Compiles, within a time that it keeps without optimisation.
fn bounded(text: &str) -> Compilation {
    let start = cpu_time();
    let compilation = compiled(text);
    let took = cpu_time() - start;
    assert!(took < Duration::from_secs(20), "{took:?}");
    // Showing them must be bounded too.
    let shown = render(&compilation.diagnostics, &[source(text)], true);
    assert!(
        (cpu_time() - start) < Duration::from_secs(40),
        "{:?}",
        (cpu_time() - start)
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
    let signs = rule(&"!".repeat(1_000_000));
    assert_eq!(codes(&bounded(&signs)), ["S301"]);
    let sets = rule(&format!(
        "evt.type=open and fd.name regex '[{}'",
        "[:".repeat(16_000)
    ));
    assert_eq!(codes(&bounded(&sets)), ["S504"]);
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
fn a_file_of_millions_of_short_values_is_refused() {
    let text = format!("[{}]\n", "a,".repeat(2 << 20));
    let found = compile(&[source(&text)], &Options::default()).diagnostics;
    assert!(
        found.iter().any(|found| found.code.id() == "S102"),
        "{}",
        found.len()
    );
}

#[test]
fn too_many_rules_for_one_module_are_refused_and_not_half_compiled() {
    let many = |alternatives: usize| -> String {
        (0..9000)
            .map(|at| {
                let more: String = (0..alternatives)
                    .map(|of| format!(" or fd.name contains b{at}_{of}"))
                    .collect();
                format!("- rule: r{at}\n  desc: d\n  condition: proc.name=a{at}{more}\n  output: o\n  priority: INFO\n  warn_evttypes: false\n")
            })
            .collect()
    };
    let compilation = bounded(&many(1));
    assert_eq!(
        compilation.ruleset.map(|it| it.manifest.rules.len()),
        Some(9000)
    );
    let compilation = bounded(&many(20));
    assert_eq!(codes(&compilation), ["S801"]);
    assert!(compilation.ruleset.is_none());
}

#[test]
fn thousands_of_wrong_names_among_thousands_of_right_ones_end_soon() {
    let mut text: String = (0..9990)
        .map(|at| format!("- macro: macro_number_{at:05}\n  condition: fd.num={at}\n"))
        .collect();
    let wrong: Vec<String> = (0..5000)
        .map(|at| format!("macro_nunber_{at:05}"))
        .collect();
    text += &rule(&wrong.join(" or "));
    let compilation = bounded(&text);
    assert!(codes(&compilation).contains(&"S401"));
    let helped = |compilation: &Compilation| {
        let helps = compilation
            .diagnostics
            .iter()
            .filter_map(|found| found.help.as_ref());
        helps
            .filter(|help| help.starts_with("did you mean"))
            .count()
    };
    assert!(helped(&compilation) >= 1);
    let wrong = |at: usize| {
        let wrong = format!("evt.type=open{at} or evt.arg.nam{at}=1 or proc.nam{at}=1");
        rule(&vec![wrong; 20].join(" or ")).replace("rule: r", &format!("rule: r{at}"))
    };
    let text: String = (0..2000).map(wrong).collect();
    assert!(helped(&bounded(&text)) >= 50);
}

#[test]
fn an_output_of_any_size_ends_soon() {
    let long = format!("%{}", "fd.name".repeat(100_000));
    let dots = format!("%{} ", "a.".repeat(5_000)).repeat(100);
    let fields = "%fd.name ".repeat(200_000);
    let unknown = "%fd.nam ".repeat(200_000);
    let brackets = "%proc.aname[".repeat(100_000);
    for output in [long, dots, fields, unknown, brackets] {
        let text = format!(
            "- rule: r\n  desc: d\n  condition: evt.type=open\n  output: \"{output}\"\n  priority: INFO\n"
        );
        let compilation = bounded(&text);
        assert!(codes(&compilation).contains(&"S601"), "{}", &output[..20]);
        assert!(compilation.diagnostics.len() <= 1001);
    }
}

#[test]
fn an_output_names_as_many_fields_as_the_limit_and_no_more() {
    let of = |count: usize| {
        let text = format!(
            "- rule: r\n  desc: d\n  condition: evt.type=open\n  output: \"{}\"\n  priority: INFO\n",
            "%fd.name".repeat(count)
        );
        bounded(&text)
    };
    assert!(of(1000).ruleset.is_some());
    let refused = of(1001);
    assert!(refused.ruleset.is_none());
    assert_eq!(
        refused.diagnostics[0].message,
        "the output names more than 1000 fields"
    );
}

#[test]
fn thousands_of_rules_may_use_a_macro_with_thousands_of_faults() {
    let faults: Vec<String> = (0..20_000).map(|at| format!("a.b{at}=1")).collect();
    let mut text = format!("- macro: m\n  condition: {}\n", faults.join(" or "));
    // Through a macro, to be met again and again.
    text += "- macro: n\n  condition: m\n";
    for at in 0..9000 {
        text += &rule("evt.type=open and n").replace("rule: r", &format!("rule: r{at}"));
    }
    let compilation = bounded(&text);
    assert!(codes(&compilation).contains(&"S501"));
    assert!(compilation.ruleset.is_none());
}

#[test]
fn faults_of_a_macro_count_for_every_rule_however_many_were_reported() {
    // The first rules use up what is reported per rule; the last one's own macro is faulty too.
    let faults: Vec<String> = (0..900).map(|at| format!("fd.num=x{at}")).collect();
    let mut text = format!("- macro: m\n  condition: {}\n", faults.join(" or "));
    text += "- macro: last\n  condition: no.such=1\n";
    for at in 0..200 {
        text += &rule("evt.type=open and m").replace("rule: r", &format!("rule: r{at}"));
    }
    text += &rule("evt.type=open and last");
    let compilation = bounded(&text);
    assert!(codes(&compilation).contains(&"S501"));
}

#[test]
fn keys_and_exceptions_may_be_many() {
    let keys: String = (0..100_000).map(|at| format!("  k{at}: v\n")).collect();
    bounded(&format!("- rule: r\n{keys}"));
    let exceptions: String = (0..40_000)
        .map(|at| format!("    - name: e{at}\n      fields: [proc.name]\n      values: [[a]]\n"))
        .collect();
    bounded(&format!(
        "{}  exceptions:\n{exceptions}",
        rule("evt.type=open")
    ));
}

#[test]
fn a_list_too_long_for_thousands_of_rules_is_filled_in_a_few_times() {
    let items: Vec<String> = (0..200_000).map(|at| format!("v{at}")).collect();
    let mut text = format!("- list: l\n  items: [{}]\n", items.join(","));
    for at in 0..2000 {
        text +=
            &rule("evt.type=open and fd.name in (l)").replace("rule: r", &format!("rule: r{at}"));
    }
    assert!(codes(&bounded(&text)).contains(&"S406"));
}

#[test]
fn faults_behind_millions_of_lines_are_shown_soon() {
    let text = format!("{}{}", "\n".repeat(8_000_000), "- a: b\n".repeat(900));
    let shown = render(&bounded(&text).diagnostics, &[source(&text)], false);
    assert!(shown.contains("rules.yaml:8000001:"));
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

#[test]
fn thousands_of_rules_with_most_of_their_parts_in_common_are_compared_soon() {
    let all: Vec<String> = (0..1000).map(|at| format!("n{at:04}")).collect();
    let text: String = (0..3000)
        .map(|at| {
            let names = all[at % 500..at % 500 + 200].join(", ");
            format!(
                "- rule: r{at}\n  desc: d\n  condition: evt.type = open and proc.name in ({names}) and user.uid = 0 and fd.num in (1, 2, {at}) and (fd.name = a or fd.name contains b{at})\n  output: o\n  priority: INFO\n"
            )
        })
        .collect();
    let sources = [source(&text)];
    let mut took = [false, true].map(|first_match| {
        let start = cpu_time();
        let options = Options {
            first_match,
            ..Options::default()
        };
        compile(&sources, &options);
        cpu_time() - start
    });
    took.sort();
    assert!(took[1] - took[0] < Duration::from_secs(10), "{took:?}");
}

#[test]
fn thousands_of_patterns_that_each_need_many_states_are_refused_soon() {
    for pattern in ["'.*a{}.{8}'", "'(a|b)*a(a|b){9}{}'", "'[^x]{1,90}x{}.*y'"] {
        let rules: String = (0..600)
            .map(|at| {
                let patterns: Vec<String> = (0..20)
                    .map(|n| pattern.replace("{}", &format!("{at}_{n}")))
                    .map(|pattern| format!("fd.name regex {pattern}"))
                    .collect();
                rule(&format!("evt.type=open and ({})", patterns.join(" or ")))
                    .replace("rule: r", &format!("rule: r{at}"))
            })
            .collect();
        let compilation = bounded(&rules);
        assert!(compilation.ruleset.is_none(), "{pattern}");
        let messages = compilation.diagnostics.iter();
        let refused = |message: &str| message.contains("patterns of all rules together");
        let refused = messages.filter(|found| refused(&found.message)).count();
        assert!(refused > 100, "{pattern}: {refused}");
    }
}

#[test]
fn one_pattern_in_thousands_of_rules_is_built_once() {
    let rules: String = (0..3000)
        .map(|at| {
            rule(&format!(
                "evt.type=open and fd.num={at} and fd.name regex '.*a[ab]{{9}}'"
            ))
            .replace("rule: r", &format!("rule: r{at}"))
        })
        .collect();
    let compilation = bounded(&rules);
    assert_eq!(codes(&compilation), [""; 0]);
}

#[test]
fn thousands_of_rules_without_event_types_end_soon() {
    // Of the largest size a file may have.
    let mut rules = String::new();
    for at in 0..6000 {
        let parts: Vec<String> = (0..20)
            .map(|n| format!("proc.name=n{at}_{n} and fd.name contains /p{at}/{n}"))
            .collect();
        rules += &rule(&parts.join(" or ")).replace("rule: r", &format!("rule: r{at}"));
    }
    assert!(rules.len() > 6 << 20);
    assert!(bounded(&rules).ruleset.is_none());
}

#[test]
fn a_file_of_ten_megabytes_is_refused_at_once() {
    let text = rule("evt.type=open").repeat((10 << 20) / rule("evt.type=open").len());
    let start = cpu_time();
    assert_eq!(codes(&compiled(&text)), ["S102"]);
    assert!(cpu_time() - start < Duration::from_secs(2));
    // Just below the limit it is read whole.
    let text = rule("evt.type=open").repeat((7 << 20) / rule("evt.type=open").len());
    assert_eq!(
        bounded(&text).ruleset.map(|it| it.manifest.rules.len()),
        Some(1)
    );
}

#[test]
fn lists_of_a_hundred_thousand_items_make_a_module_or_say_why_not() {
    let items = |from: usize| {
        let items: Vec<String> = (from..from + 100_000).map(|at| format!("v{at}")).collect();
        items.join(", ")
    };
    let mut text = format!("- list: a\n  items: [{}]\n", items(0));
    text += &rule("evt.type=open and fd.name in (a)");
    assert!(bounded(&text).ruleset.is_some());
    // Addresses take more to write.
    let addresses = (0..100_000).map(|at| {
        format!(
            "198.{}.1{:02}.1{:02}",
            at / 10_000,
            at / 100 % 100,
            at % 100
        )
    });
    let mut others = format!(
        "- list: a\n  items: [{}]\n",
        Vec::from_iter(addresses).join(", ")
    );
    others += &rule("evt.type=connect and fd.sip in (a)");
    assert!(bounded(&others).ruleset.is_some());
    for (name, from) in [("b", 100_000), ("c", 200_000)] {
        text += &format!("- list: {name}\n  items: [{}]\n", items(from));
        text += &rule(&format!("evt.type=open and fd.name in ({name})"))
            .replace("rule: r", &format!("rule: {name}"));
    }
    assert_eq!(codes(&bounded(&text)), ["S801"]);
}

#[test]
fn thousands_of_names_of_files_are_no_names_of_fields_and_soon_found_to_be_none() {
    let items: Vec<String> = (0..50_000).map(|at| format!("lib{at}.so")).collect();
    let mut text = format!("- list: a\n  items: [{}]\n", items.join(", "));
    for at in 0..10 {
        let own = rule(&format!("evt.type=open and fd.num={at} and fd.name in (a)"));
        text += &own.replace("rule: r", &format!("rule: r{at}"));
    }
    let start = cpu_time();
    assert!(compiled(&text).ruleset.is_some());
    let took = cpu_time() - start;
    // To look each of them up among all fields took 8 s; without, it is 2.
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn thousands_of_warnings_are_no_error_and_hide_none() {
    let warnings: String = (0..3000)
        .map(|at| format!("- macro: unused{at}\n  condition: evt.num = {at}\n"))
        .collect();
    let good = rule("evt.type = open and fd.name = a");
    let compilation = bounded(&format!("{warnings}{good}"));
    assert!(compilation.ruleset.is_some());
    assert_eq!(compilation.diagnostics.len(), 1001);
    let bad = rule("evt.type = open and fd.nam = a");
    let compilation = bounded(&format!("{warnings}{bad}"));
    assert!(compilation.ruleset.is_none());
    assert!(codes(&compilation).contains(&"S501"));
}

#[test]
fn as_many_parentheses_as_falco_takes_compile_and_more_do_not() {
    let nested = |levels| {
        let (open, close) = ("(".repeat(levels), ")".repeat(levels));
        rule(&format!("evt.type = open and {open}fd.name = a{close}"))
    };
    assert!(bounded(&nested(999)).ruleset.is_some());
    assert_eq!(codes(&bounded(&nested(1000))), ["S302"]);
    let alternating = "not (".repeat(999);
    let close = ")".repeat(999);
    let compilation = bounded(&rule(&format!("{alternating}fd.name = a{close}")));
    assert!(compilation.ruleset.is_some());
}

#[test]
fn and_and_or_may_be_in_each_other_as_deep_as_parentheses() {
    let mut condition = String::new();
    for at in 0..999 {
        let joint = if at % 2 == 0 { "and" } else { "or" };
        condition += &format!("not (fd.num={at} {joint} ");
    }
    condition += &format!("fd.name contains a{}", ")".repeat(999));
    let text = rule(&format!("evt.type = open and {condition}"));
    let ruleset = bounded(&text).ruleset.expect("it compiles");
    wasmparser::validate(&ruleset.wasm).expect("it validates");
    // Shown, explained and listed, too.
    let [condition] = ruleset.conditions.as_slice() else {
        panic!("one rule");
    };
    assert!(condition.to_string().contains("998"));
    assert_eq!(saker_rules_compiler::explain(condition).len(), 1);
    let described = saker_rules_compiler::describe(&[source(&text)]);
    assert!(described.listing.is_some());
}

#[test]
fn a_row_that_no_host_would_write_is_refused() {
    let of = |fields: usize| {
        let fields: Vec<String> = (0..fields).map(|at| format!("proc.args[{at}]")).collect();
        rule(&format!(
            "evt.type = execve and concat({}) = a",
            fields.join(", ")
        ))
    };
    assert!(bounded(&of(1023)).ruleset.is_some());
    assert_eq!(codes(&bounded(&of(1024))), ["S801"]);
}

#[test]
fn thousands_of_rules_without_an_event_type_are_compiled_soon() {
    let rules: String = (0..5000)
        .map(|at| {
            rule(&format!("proc.name = p{at} and fd.name contains x{at}"))
                .replace("rule: r", &format!("rule: r{at}"))
        })
        .collect();
    assert!(bounded(&rules).ruleset.is_some());
}
