//! `saker check`: rule files together, as `run` would load them, and compiled modules.

use super::{Failure, complain, print, rules, shown, stderr_color};
use saker_rules_compiler::{Diagnostic, Options, Severity, compile, render};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rule files, directories of them, or compiled modules (.wasm)
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let (modules, files): (Vec<_>, Vec<_>) = args
        .files
        .into_iter()
        .partition(|path| rules::is_module(path));
    let mut valid = true;
    for path in &modules {
        match rules::read_module(path) {
            Ok(_) => print(&format!("{}: Ok\n", shown(path)))?,
            Err(Failure::Invalid) => {
                valid = false;
                print(&format!("{}: Invalid\n", shown(path)))?;
            }
            Err(other) => return Err(other),
        }
    }
    if !files.is_empty() {
        let sources = rules::read(&files)?;
        let compilation = compile(&sources, &Options { keep_bytes: false });
        if !compilation.diagnostics.is_empty() {
            complain(&render(&compilation.diagnostics, &sources, stderr_color()));
        }
        for (index, source) in sources.iter().enumerate() {
            // What has no place concerns all files.
            let here = |found: &&Diagnostic| {
                found
                    .span
                    .as_ref()
                    .is_none_or(|span| span.source as usize == index)
            };
            let mut of_file = compilation.diagnostics.iter().filter(here).peekable();
            let verdict = if of_file.peek().is_none() {
                "Ok"
            } else if of_file.any(|found| found.code.severity() == Severity::Error) {
                "Invalid"
            } else {
                "Ok, with warnings"
            };
            print(&format!("{}: {verdict}\n", source.name))?;
        }
        valid &= compilation.ruleset.is_some();
    }
    if valid { Ok(()) } else { Err(Failure::Invalid) }
}
