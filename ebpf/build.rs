//! Chooses the probe's object: the committed one, or under `SAKER_BUILD_PROBE=1` one built
//! here with clang.

use std::path::{Path, PathBuf};
use std::{env, process};

#[path = "build/compile.rs"]
mod compile;

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-env-changed=SAKER_BUILD_PROBE");
    println!("cargo::rerun-if-env-changed=CLANG");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=probe.x86_64.o");
    let object = if env::var_os("SAKER_BUILD_PROBE").is_some_and(|value| value == "1") {
        println!("cargo::rerun-if-changed=probe");
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
        own(&root, &out.join("probe.o"))
    } else {
        root.join("probe.x86_64.o")
    };
    println!("cargo::rustc-env=SAKER_PROBE_OBJECT={}", object.display());
}

fn own(root: &Path, object: &Path) -> PathBuf {
    if let Err(why) = compile::compile(&root.join("probe"), object) {
        println!("cargo::error=SAKER_BUILD_PROBE=1: {why}");
        process::exit(1);
    }
    object.to_owned()
}
