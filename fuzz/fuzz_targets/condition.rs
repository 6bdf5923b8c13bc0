//! The condition parser and everything behind it: the bytes are one rule's condition, quoted so
//! that YAML cannot get in their way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use saker_rules_compiler::{Options, Source, compile, render};

fuzz_target!(|condition: &str| {
    let quoted = condition.replace('\'', "''");
    let sources = [Source {
        name: "rules.yaml".into(),
        text: format!("- {{rule: r, desc: d, condition: '{quoted}', output: o, priority: INFO}}\n"),
    }];
    let compilation = compile(&sources, &Options::default());
    let _ = render(&compilation.diagnostics, &sources, false);
    if let Some(ruleset) = compilation.ruleset {
        wasmparser::validate(&ruleset.wasm).expect("a module is valid");
    }
});
