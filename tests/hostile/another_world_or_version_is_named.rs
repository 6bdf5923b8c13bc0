use crate::court::{hostile, refusal};
use saker::componentise::{WIT, componentise_by};

#[test]
fn instead_of_being_run() {
    let core = hostile().core();
    let module = "saker:rules/module@0.1.0";
    for (from, to, why) in [
        (
            "saker:rules@0.1.0",
            "saker:rules@9.1.0",
            "speaks version 9.1.0",
        ),
        (
            "package saker:rules",
            "package other:rules",
            "is no rule module",
        ),
    ] {
        let wit = WIT.replace(from, to);
        assert_ne!(wit, WIT, "`{from}` is in it");
        let name = match to.contains("other") {
            true => "other:rules/module@0.1.0".to_owned(),
            false => "saker:rules/module@9.1.0".to_owned(),
        };
        let text = hostile().text().replace(module, &name);
        let core = wat::parse_str(text).expect("only a name differs");
        let wasm = componentise_by(&wit, &core).expect("a component of that world");
        let refused = refusal(&wasm, &[]);
        assert!(refused.contains(why), "{refused}");
    }
    // What is no component at all.
    for wasm in [core, b"\0asm".to_vec(), b"#!/bin/sh".to_vec(), Vec::new()] {
        refusal(&wasm, &[]);
    }
}
