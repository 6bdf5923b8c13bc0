//! What benches share: Falco's own rules, read where they lie.

use saker_rules_compiler::Source;
use std::path::PathBuf;

/// Falco's rule files in the folder of its data: `SAKER_FALCO`, or `../shared/falco` beside the
/// workspace. Without them the bench says that it is skipped, or fails where `SAKER_REQUIRE`
/// asks for `falco`.
pub(crate) fn falco_rules(bench: &str) -> Option<Vec<Source>> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/falco");
    let folder = std::env::var_os("SAKER_FALCO").map_or(beside, PathBuf::from);
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder.join("rules").join(name)).ok()?;
        let name = name.to_owned();
        Some(Source { name, text })
    };
    let sources: Option<Vec<Source>> = ["falco_rules.yaml", "falco-incubating_rules.yaml"]
        .into_iter()
        .map(read)
        .collect();
    if sources.is_none() {
        let required = std::env::var("SAKER_REQUIRE").unwrap_or_default();
        assert!(
            !required.split(',').any(|name| name.trim() == "falco"),
            "falco data is required and was not found"
        );
        println!("skipped: needs falco data: {bench}");
    }
    sources
}
