//! Captures that Falco and sysdig recorded, read where they lie; skipped, visibly, without them.

use saker_capture::{Compression, Counts, Entry, Reader, Target, Writer};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The folder with Falco's data: `SAKER_FALCO`, or `../shared/falco` beside the workspace.
fn falco(test: &str) -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/falco");
    let folder = std::env::var_os("SAKER_FALCO").map_or(beside, PathBuf::from);
    if folder.join("captures").is_dir() {
        return Some(folder);
    }
    let required = std::env::var("SAKER_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|name| name.trim() == "falco"),
        "falco data is required and was not found"
    );
    println!("skipped: needs falco data: {test}");
    None
}

fn captures(test: &str) -> Vec<(String, Vec<u8>)> {
    let Some(folder) = falco(test) else {
        return Vec::new();
    };
    let mut captures: Vec<_> = std::fs::read_dir(folder.join("captures"))
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), std::fs::read(&path).expect("a file"))
        })
        .collect();
    captures.sort();
    assert_eq!(captures.len(), 11);
    captures
}

fn each(bytes: &[u8], mut what: impl FnMut(&Entry<'_>)) -> Counts {
    let mut reader = Reader::new(bytes).expect("a capture");
    while let Some(entry) = reader.next().expect("an entry") {
        what(&entry);
    }
    reader.counts()
}

#[test]
fn show() {
    for (name, bytes) in captures("show") {
        let mut kinds = BTreeMap::new();
        let mut sample = Vec::new();
        let counts = each(&bytes, |entry| {
            let (kind, show) = match entry {
                Entry::Section(_) => ("section", true),
                Entry::Machine(_) => ("machine", true),
                Entry::Interface(_) => ("interface", true),
                Entry::User(_) => ("user", false),
                Entry::Group(_) => ("group", false),
                Entry::Thread(_) => ("thread", false),
                Entry::Descriptor { .. } => ("descriptor", false),
                Entry::Event(_) => ("event", false),
            };
            let n = kinds.entry(kind).or_insert(0);
            *n += 1;
            if show
                || *n == 2
                || (kind == "descriptor"
                    && matches!(entry, Entry::Descriptor{descriptor, ..} if !matches!(descriptor.target, Target::Named{..}))
                    && *n % 20 == 3)
            {
                sample.push(format!("{entry:?}"));
            }
        });
        println!("{name} {counts:?} {kinds:?}");
        for s in sample.iter() {
            println!("    {}", s.chars().take(900).collect::<String>());
        }
    }
}
