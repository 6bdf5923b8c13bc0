//! The YAML reader: the bytes are a file of lists and macros at most, as no rule uses them, so
//! that little is spent on what comes behind reading and collecting.
#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use saker_rules_compiler::{Options, Source, compile, render};

fuzz_target!(|text: &str| -> Corpus {
    // Whole rules are the business of `compiler`.
    if text.contains("condition") {
        return Corpus::Reject;
    }
    let sources = [Source {
        name: "rules.yaml".into(),
        text: text.to_owned(),
    }];
    let compilation = compile(&sources, &Options::default());
    let _ = render(&compilation.diagnostics, &sources, false);
    Corpus::Keep
});
