//! The whole compiler: whatever the bytes of the rule files are, it gives diagnostics, or a
//! module that WebAssembly's rules admit, and the diagnostics can be shown.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use saker_rules_compiler::{Options, Source, compile, render};

fuzz_target!(|text: &str| -> Corpus {
    // A line of this is where a second file begins.
    let texts = text.split("\n--- file\n").take(8);
    let sources: Vec<Source> = texts
        .enumerate()
        .map(|(index, text)| Source {
            name: format!("rules{index}.yaml"),
            text: text.to_owned(),
        })
        .collect();
    let compilation = compile(&sources, &Options::default());
    let _ = render(&compilation.diagnostics, &sources, true);
    let Some(ruleset) = compilation.ruleset else {
        return Corpus::Keep;
    };
    wasmparser::validate(&ruleset.wasm).expect("a module is valid");
    Corpus::Keep
});
