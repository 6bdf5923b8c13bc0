//! `saker compile`: rule files to one WebAssembly module.

use super::{Failure, complain, count, print_bytes, rules, shown};
use anyhow::{Context, bail};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rule files or directories of them; the bundled rules if none is given
    files: Vec<PathBuf>,
    /// Where to write the module; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    refuse_to_overwrite_a_source(&args)?;
    let sources = rules::read(&args.files)?;
    let ruleset = rules::compile_or_explain(&sources)?;
    if args.output == Path::new("-") {
        print_bytes(&ruleset.wasm)?;
    } else {
        write(&args.output, &ruleset.wasm)
            .with_context(|| format!("cannot write `{}`", shown(&args.output)))?;
    }
    complain(&format!(
        "{}: {} for {}, {} bytes\n",
        shown(&args.output),
        count(ruleset.manifest.rules.len() as u64, "rule"),
        count(ruleset.manifest.events.len() as u64, "event type"),
        ruleset.wasm.len()
    ));
    Ok(())
}

fn refuse_to_overwrite_a_source(args: &Args) -> anyhow::Result<()> {
    let identity = |path: &Path| {
        let file: Metadata = path.metadata().ok()?;
        file.is_file().then(|| (file.dev(), file.ino()))
    };
    let Some(output) = identity(&args.output) else {
        return Ok(());
    };
    for source in rules::files(&args.files)? {
        if identity(&source) == Some(output) {
            bail!("`{}` is one of the rule files", shown(&args.output));
        }
    }
    Ok(())
}

/// Writes a file so that nobody ever sees half of it: beside the target, which then takes its
/// place. What is no regular file (`/dev/null`, a pipe) is written to as it stands.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let found = match path.metadata() {
        Ok(found) if !found.is_file() => {
            return OpenOptions::new().write(true).open(path)?.write_all(bytes);
        }
        Ok(found) => Some(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // Behind a symbolic link, the file it leads to.
    let target = match &found {
        Some(_) => path.canonicalize()?,
        None => path.to_owned(),
    };
    let mut beside = target.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = File::create_new(&beside).and_then(|mut file| {
        if let Some(found) = &found {
            file.set_permissions(found.permissions())?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, &target)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}
