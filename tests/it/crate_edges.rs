//! Which of our crates may use which: the arrows of ARCHITECTURE.md, held against Cargo's own
//! account of them.

use std::collections::BTreeMap;
use std::process::Command;

/// Every crate there is or will be, with those of ours it may use.
const EDGES: &[(&str, &[&str])] = &[
    ("saker-capture", &[]),
    ("saker-ebpf", &[]),
    ("saker-rules-schema", &[]),
    ("saker-web", &[]),
    ("saker-rules-compiler", &["saker-rules-schema"]),
    ("saker-shm", &["saker-rules-schema"]),
    ("saker-rules-sdk", &["saker-rules-schema"]),
    (
        "saker",
        &[
            "saker-capture",
            "saker-ebpf",
            "saker-rules-schema",
            "saker-rules-compiler",
            "saker-shm",
            "saker-web",
        ],
    ),
    (
        "saker-tests",
        &[
            "saker",
            "saker-capture",
            "saker-rules-schema",
            "saker-rules-compiler",
            "saker-shm",
        ],
    ),
    ("saker-fuzz", &["saker-capture", "saker-rules-compiler"]),
    ("beacon", &["saker-rules-sdk"]),
];

/// The workspace, and those that are apart from it.
const MANIFESTS: [&str; 3] = ["Cargo.toml", "fuzz/Cargo.toml", "examples/Cargo.toml"];

fn packages(manifest: &str) -> Vec<serde_json::Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .args(["--manifest-path", manifest])
        .current_dir(crate::program::workspace())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

#[test]
fn crates_use_only_what_the_architecture_lets_them() {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in MANIFESTS.into_iter().flat_map(packages) {
        let name = package["name"].as_str().expect("a name");
        let Some(may_use) = allowed.get(name) else {
            wrong.push(format!("`{name}` is in no row of EDGES"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("a name");
            if allowed.contains_key(used) && !may_use.contains(&used) {
                wrong.push(format!("`{name}` must not use `{used}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_module_reads_yaml_and_one_runs_wasm() {
    let homes: [(&str, &[&str]); 11] = [
        ("saphyr", &["rules/compiler/src/read"]),
        ("wasmtime", &["host/src/sandbox"]),
        ("seccompiler", &["host/src/sandbox/confine"]),
        // The doctor asks it what this kernel can do.
        ("aya", &["host/src/source/ebpf", "host/src/commands/doctor"]),
        // Captures are compressed, and so are rules in a registry.
        ("flate2", &["capture/src", "host/src/distribution/artefact"]),
        ("tar", &["host/src/distribution/artefact"]),
        ("ureq", &["host/src/http"]),
        ("rusqlite", &["host/src/store"]),
        ("axum", &["web/src"]),
        ("wit_component", &["host/src/componentise"]),
        ("wit_bindgen", &["rules-sdk/src/bindings"]),
    ];
    let mut wrong = Vec::new();
    for folder in [
        "capture/src",
        "host/src",
        "rules/compiler/src",
        "rules/schema/src",
        "rules-sdk/src",
        "ebpf/src",
        "web/src",
    ] {
        walk(
            &crate::program::workspace().join(folder),
            &mut |path, text| {
                let path = path.display().to_string();
                for (word, homes) in homes {
                    let uses = text.lines().any(|line| {
                        let line = line.trim_start();
                        !line.starts_with("//") && line.contains(&format!("{word}::"))
                    });
                    if uses && !homes.iter().any(|home| path.contains(home)) {
                        let homes = homes.join(" and ");
                        wrong.push(format!("{path} uses {word}, whose home is {homes}"));
                    }
                }
            },
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn walk(folder: &std::path::Path, each: &mut impl FnMut(&std::path::Path, &str)) {
    for entry in std::fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, each);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&path, &std::fs::read_to_string(&path).expect("source text"));
        }
    }
}
