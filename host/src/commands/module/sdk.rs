//! The SDKs, which are part of the program: a new module gets what it needs put beside it, so that
//! it builds wherever it lies.

/// A file's name, and what is in it.
pub(super) type File = (&'static str, &'static str);

/// The headers for C.
pub(super) const C: &[File] = &[
    ("saker.h", include_str!("../../../../rules-sdk/c/saker.h")),
    (
        "saker_fields.h",
        include_str!("../../../../rules-sdk/c/saker_fields.h"),
    ),
];

/// The package `saker` for Python.
pub(super) const PYTHON: &[File] = &[
    (
        "__init__.py",
        include_str!("../../../../rules-sdk/python/saker/__init__.py"),
    ),
    (
        "fields.py",
        include_str!("../../../../rules-sdk/python/saker/fields.py"),
    ),
    (
        "glue.py",
        include_str!("../../../../rules-sdk/python/saker/glue.py"),
    ),
    (
        "host.py",
        include_str!("../../../../rules-sdk/python/saker/host.py"),
    ),
    (
        "row.py",
        include_str!("../../../../rules-sdk/python/saker/row.py"),
    ),
    (
        "testing.py",
        include_str!("../../../../rules-sdk/python/saker/testing.py"),
    ),
];

/// The folder `saker` for JavaScript and TypeScript.
pub(super) const JAVASCRIPT: &[File] = &[
    (
        "clock.js",
        include_str!("../../../../rules-sdk/javascript/clock.js"),
    ),
    (
        "fields.js",
        include_str!("../../../../rules-sdk/javascript/fields.js"),
    ),
    (
        "glue.js",
        include_str!("../../../../rules-sdk/javascript/glue.js"),
    ),
    (
        "http.js",
        include_str!("../../../../rules-sdk/javascript/http.js"),
    ),
    (
        "kv.js",
        include_str!("../../../../rules-sdk/javascript/kv.js"),
    ),
    (
        "log.js",
        include_str!("../../../../rules-sdk/javascript/log.js"),
    ),
    (
        "metrics.js",
        include_str!("../../../../rules-sdk/javascript/metrics.js"),
    ),
    (
        "row.js",
        include_str!("../../../../rules-sdk/javascript/row.js"),
    ),
    (
        "saker.js",
        include_str!("../../../../rules-sdk/javascript/saker.js"),
    ),
    (
        "testing.js",
        include_str!("../../../../rules-sdk/javascript/testing.js"),
    ),
    (
        "fields.d.ts",
        include_str!("../../../../rules-sdk/javascript/fields.d.ts"),
    ),
    (
        "row.d.ts",
        include_str!("../../../../rules-sdk/javascript/row.d.ts"),
    ),
    (
        "saker.d.ts",
        include_str!("../../../../rules-sdk/javascript/saker.d.ts"),
    ),
    (
        "componentize.mjs",
        include_str!("../../../../rules-sdk/javascript/componentize.mjs"),
    ),
    (
        "native.mjs",
        include_str!("../../../../rules-sdk/javascript/native.mjs"),
    ),
    (
        "strip.mjs",
        include_str!("../../../../rules-sdk/javascript/strip.mjs"),
    ),
    (
        "wanted.mjs",
        include_str!("../../../../rules-sdk/javascript/wanted.mjs"),
    ),
];

/// The package `saker` for Go.
pub(super) const GO: &[File] = &[
    (
        "calls.go",
        include_str!("../../../../rules-sdk/go/calls.go"),
    ),
    (
        "column.go",
        include_str!("../../../../rules-sdk/go/column.go"),
    ),
    (
        "fields.go",
        include_str!("../../../../rules-sdk/go/fields.go"),
    ),
    (
        "native.go",
        include_str!("../../../../rules-sdk/go/native.go"),
    ),
    (
        "saker.go",
        include_str!("../../../../rules-sdk/go/saker.go"),
    ),
    (
        "world.go",
        include_str!("../../../../rules-sdk/go/world.go"),
    ),
];

/// The crate `saker-rules-sdk`, and what it is made of.
pub(super) const RUST: &[File] = &[
    (
        "rules-sdk/Cargo.toml",
        include_str!("../../../../rules-sdk/Cargo.toml"),
    ),
    (
        "rules-sdk/src/alert.rs",
        include_str!("../../../../rules-sdk/src/alert.rs"),
    ),
    (
        "rules-sdk/src/bindings.rs",
        include_str!("../../../../rules-sdk/src/bindings.rs"),
    ),
    (
        "rules-sdk/src/capability.rs",
        include_str!("../../../../rules-sdk/src/capability.rs"),
    ),
    (
        "rules-sdk/src/field.rs",
        include_str!("../../../../rules-sdk/src/field.rs"),
    ),
    (
        "rules-sdk/src/glue.rs",
        include_str!("../../../../rules-sdk/src/glue.rs"),
    ),
    (
        "rules-sdk/src/lib.rs",
        include_str!("../../../../rules-sdk/src/lib.rs"),
    ),
    (
        "rules-sdk/src/module.rs",
        include_str!("../../../../rules-sdk/src/module.rs"),
    ),
    (
        "rules-sdk/src/row.rs",
        include_str!("../../../../rules-sdk/src/row.rs"),
    ),
    (
        "rules-sdk/src/testing.rs",
        include_str!("../../../../rules-sdk/src/testing.rs"),
    ),
    (
        "rules/schema/Cargo.toml",
        include_str!("../../../../rules/schema/Cargo.toml"),
    ),
    (
        "rules/schema/src/abi.rs",
        include_str!("../../../../rules/schema/src/abi.rs"),
    ),
    (
        "rules/schema/src/event.rs",
        include_str!("../../../../rules/schema/src/event.rs"),
    ),
    (
        "rules/schema/src/event/symbols.rs",
        include_str!("../../../../rules/schema/src/event/symbols.rs"),
    ),
    (
        "rules/schema/src/event/table.rs",
        include_str!("../../../../rules/schema/src/event/table.rs"),
    ),
    (
        "rules/schema/src/field.rs",
        include_str!("../../../../rules/schema/src/field.rs"),
    ),
    (
        "rules/schema/src/field/absent.rs",
        include_str!("../../../../rules/schema/src/field/absent.rs"),
    ),
    (
        "rules/schema/src/lib.rs",
        include_str!("../../../../rules/schema/src/lib.rs"),
    ),
    (
        "rules/schema/src/manifest.rs",
        include_str!("../../../../rules/schema/src/manifest.rs"),
    ),
    (
        "rules/schema/src/offered.rs",
        include_str!("../../../../rules/schema/src/offered.rs"),
    ),
    (
        "rules/schema/src/row.rs",
        include_str!("../../../../rules/schema/src/row.rs"),
    ),
    (
        "rules/schema/src/syscall.rs",
        include_str!("../../../../rules/schema/src/syscall.rs"),
    ),
    (
        "rules/schema/src/term.rs",
        include_str!("../../../../rules/schema/src/term.rs"),
    ),
    (
        "rules/schema/src/wire.rs",
        include_str!("../../../../rules/schema/src/wire.rs"),
    ),
    (
        "rules/schema/src/wire/table.rs",
        include_str!("../../../../rules/schema/src/wire/table.rs"),
    ),
    ("wit/rules.wit", include_str!("../../../../wit/rules.wit")),
];

/// A manifest as it is outside of our workspace, where nothing is inherited.
pub(super) fn on_its_own(manifest: &str) -> String {
    let package = [
        ("version.workspace = true", "version = \"0.1.0\""),
        ("edition.workspace = true", "edition = \"2024\""),
        ("rust-version.workspace = true", "rust-version = \"1.95\""),
        ("license.workspace = true", "license = \"Apache-2.0\""),
        ("[lints]\nworkspace = true\n", ""),
        (
            "saker-rules-schema.workspace = true",
            "saker-rules-schema = { path = \"../rules/schema\" }",
        ),
    ];
    // The longer name first: one of them ends in the other.
    let mut text = manifest.replace(package[2].0, package[2].1);
    for (inherited, own) in package {
        text = text.replace(inherited, own);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn walk(folder: &Path, each: &mut impl FnMut(&Path)) {
        for entry in std::fs::read_dir(folder).expect("a folder of the project") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => walk(&path, each),
                false => each(&path),
            }
        }
    }

    #[test]
    fn no_file_of_an_sdk_is_forgotten() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (folder, prefix, files) in [
            ("rules-sdk/python/saker", "", PYTHON),
            ("rules-sdk/javascript", "", JAVASCRIPT),
            ("rules-sdk/c", "", C),
            ("rules-sdk/go", "", GO),
            ("rules-sdk/src", "rules-sdk/src/", RUST),
            ("rules/schema/src", "rules/schema/src/", RUST),
        ] {
            let folder = root.join(folder);
            walk(&folder, &mut |path| {
                let name = path
                    .strip_prefix(&folder)
                    .expect("in it")
                    .display()
                    .to_string();
                // A module of its own is the package only where it lies.
                let is_source =
                    !name.contains("__pycache__") && !name.ends_with(".md") && name != "go.mod";
                let name = format!("{prefix}{name}");
                let is_known = files.iter().any(|(known, _)| *known == name);
                assert!(is_known || !is_source, "`{name}` is not in the list");
            });
        }
    }

    #[test]
    fn nothing_of_a_manifest_is_inherited() {
        for (name, text) in RUST.iter().filter(|(name, _)| name.ends_with(".toml")) {
            assert!(!on_its_own(text).contains("workspace"), "{name}");
        }
    }
}
