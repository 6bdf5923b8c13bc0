//! The committed object is what its source says.

use std::path::Path;
use std::process::Command;

#[path = "../build/compile.rs"]
mod compile;

/// Whether a test may run; says so when it may not, and fails where `SAKER_REQUIRE` lists the
/// name of what is missing.
fn require(name: &str, present: bool) -> bool {
    if !present {
        let required = std::env::var("SAKER_REQUIRE").unwrap_or_default();
        assert!(
            !required.split(',').any(|listed| listed.trim() == name),
            "SAKER_REQUIRE lists `{name}`, which is missing"
        );
        // The test harness swallows what `eprintln!` prints in a passing test, not this.
        let line = format!("skipped: needs {name}\n");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
    }
    present
}

fn is_clang_14() -> bool {
    Command::new(compile::clang())
        .arg("--version")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("version 14."))
}

#[test]
fn the_committed_object_is_rebuilt_byte_for_byte_from_anywhere() {
    if !require("clang", is_clang_14()) {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let folder = elsewhere.path().join("another/place");
    std::fs::create_dir_all(&folder).expect("a folder in it");
    for entry in std::fs::read_dir(root.join("probe")).expect("the probe's source") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), folder.join(entry.file_name())).expect("copied");
    }
    let object = elsewhere.path().join("probe.o");
    compile::compile(&folder, &object).expect("the probe compiles");
    let built = std::fs::read(&object).expect("the object");
    let committed = root.join("probe.x86_64.o");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&committed, &built).expect("written");
    }
    let kept = std::fs::read(&committed).expect("the committed object");
    assert!(
        built == kept,
        "probe.x86_64.o ({} bytes) is not what probe/ compiles to ({} bytes); \
         BLESS=1 rewrites it",
        kept.len(),
        built.len()
    );
}
