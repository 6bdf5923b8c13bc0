//! `saker compile`: rule files to one WebAssembly module.

use super::{Failure, rules};
use anyhow::Context;
use std::io::Write;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rule files or directories of them; the bundled rules if none is given
    files: Vec<PathBuf>,
    /// Where to write the module
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let sources = rules::read(&args.files)?;
    let ruleset = rules::compile_or_explain(&sources)?;
    write_whole(&args.output, &ruleset.wasm)
        .with_context(|| format!("cannot write `{}`", args.output.display()))?;
    eprintln!(
        "{}: {} rules for {} event types, {} bytes",
        args.output.display(),
        ruleset.manifest.rules.len(),
        ruleset.manifest.events.len(),
        ruleset.wasm.len()
    );
    Ok(())
}

/// Writes beside the target and renames, so that nobody ever sees half a module.
fn write_whole(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}
