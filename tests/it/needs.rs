//! What a test needs and may not find. Without it the test says so and passes; where
//! `SAKER_REQUIRE` names it (as CI does), it fails instead.

/// Whether the test can go on. `name` is what `SAKER_REQUIRE` calls the need.
pub(crate) fn have(name: &str, missing: Option<String>) -> bool {
    let Some(missing) = missing else { return true };
    let required = std::env::var("SAKER_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|required| required.trim() == name),
        "SAKER_REQUIRE asks for `{name}`, yet: {missing}"
    );
    // The test harness swallows what `eprintln!` prints in a passing test, not this.
    let line = format!("skipped: needs {name}: {missing}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
    false
}

/// A kernel that can be watched: root, BTF, the ring buffer, a cgroup v2 to confine what is
/// watched to the test's own processes.
pub(crate) fn live() -> bool {
    let missing = if !rustix::process::geteuid().is_root() {
        Some("not root".into())
    } else if !std::path::Path::new("/sys/kernel/btf/vmlinux").exists() {
        Some("no BTF at /sys/kernel/btf/vmlinux".into())
    } else if crate::program::cgroup_root().is_none() {
        Some("no cgroup v2 mounted".into())
    } else {
        None
    };
    have("live", missing)
}

/// A program that the tests of the page use.
pub(crate) fn page_tool(name: &str) -> bool {
    let found = std::process::Command::new(name).arg("--version").output();
    have("page", found.err().map(|error| format!("{name}: {error}")))
}

/// What asks an interface everything that its description allows, and more: schemathesis, in
/// `target/guests/schemathesis`.
pub(crate) fn schemathesis() -> Option<std::path::PathBuf> {
    let program = crate::program::guests().join("schemathesis/bin/schemathesis");
    let missing = (!program.exists()).then(|| "no target/guests/schemathesis".into());
    have("page", missing).then_some(program)
}

/// The tools that make components of Python and JavaScript, in `target/guests`: `venv` with
/// componentize-py, `node_modules` with componentize-js.
pub(crate) fn interpreted_guests() -> bool {
    let folder = crate::program::guests();
    let found = |path: &str| folder.join(path).exists();
    let missing = if !found("venv/bin/componentize-py") {
        Some("no componentize-py in target/guests/venv".into())
    } else if !found("node_modules/@bytecodealliance/componentize-js/package.json") {
        Some("no componentize-js in target/guests/node_modules".into())
    } else {
        None
    };
    have("interpreted-guests", missing)
}

/// A Go of 1.24 or later: in `target/guests/go/bin`, or on the path.
pub(crate) fn go_guests() -> bool {
    let own = crate::program::guests().join("go/bin/go");
    let go = if own.is_file() { own } else { "go".into() };
    let version = std::process::Command::new(go)
        .args(["env", "GOVERSION"])
        .output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let version = version.unwrap_or_default();
    let minor = version.trim().strip_prefix("go1.");
    let minor = minor.and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    let missing = match minor {
        Some(24..) => None,
        Some(_) | None => Some(format!("no Go of 1.24 or later, but `{}`", version.trim())),
    };
    have("go-guests", missing)
}

/// Compilers for WebAssembly: clang with its linker, and a Rust compiler that has a target for it
/// or the source of its library.
pub(crate) fn wasm_guests() -> bool {
    let fits = |program: &str, args: &[&str]| {
        let output = std::process::Command::new(program).args(args).output();
        output.is_ok_and(|output| output.status.success())
    };
    let clang = ["clang", "clang-14", "clang-16", "clang-19", "clang-22"];
    let library = std::path::Path::new("/usr/lib/rustlib/src/rust/library/std");
    let missing = if !clang.iter().any(|name| fits(name, &["--version"])) {
        Some("no clang".into())
    } else if !library.is_dir() {
        Some("no rustc-web with rust-web-src".into())
    } else {
        None
    };
    have("wasm-guests", missing)
}
