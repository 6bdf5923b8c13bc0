//! Reading rule files for the commands that compile them.

use super::{Failure, complain, shown, stderr_color};
use crate::config::Matching;
use crate::modules::Module;
use crate::sandbox::MODULE_BYTES_MAX;
use anyhow::Context;
use saker_rules_compiler::{Code, Options, Ruleset, Source, compile, render};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The ruleset in the program itself, and how it is named on the command line.
const DEFAULT_PATH: &str = "default";
const DEFAULT_NAME: &str = "saker_rules.yaml";
const DEFAULT_TEXT: &str = include_str!("../../../rules/default/saker_rules.yaml");

/// No rule file may be larger.
const FILE_BYTES_MAX: u64 = 10 << 20;

/// What names the bundled ruleset.
pub(crate) fn bundled() -> &'static Path {
    Path::new(DEFAULT_PATH)
}

/// What to compile: the files named, or the bundled ruleset if none is. Says of every file
/// that it cannot be read, not of the first only.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    let mut failed: Option<Failure> = None;
    for path in files(paths)? {
        if path == Path::new(DEFAULT_PATH) {
            sources.push(Source {
                name: DEFAULT_NAME.into(),
                text: DEFAULT_TEXT.into(),
            });
            continue;
        }
        match read_file(&path) {
            Ok(source) => sources.push(source),
            Err(failure) => {
                if let Some(error) = failed.replace(failure).and_then(Failure::error) {
                    complain(&format!("saker: {error:#}\n"));
                }
            }
        }
    }
    failed.map_or(Ok(sources), Err)
}

/// The files that paths stand for: a directory for the `.yaml` and `.yml` files in it, in the
/// order of their names; no path at all for the bundled ruleset.
pub(crate) fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    if paths.is_empty() {
        return Ok(vec![DEFAULT_PATH.into()]);
    }
    let mut files = Vec::new();
    for path in paths {
        if path == Path::new(DEFAULT_PATH) || !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let in_directory = files_in(path)?;
        if in_directory.is_empty() {
            anyhow::bail!("`{}` holds no .yaml or .yml file", shown(path));
        }
        files.extend(in_directory);
    }
    Ok(files)
}

fn files_in(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)
        .and_then(|entries| entries.collect::<Result<Vec<_>, _>>())
        .with_context(|| format!("cannot read the rules directory `{}`", shown(directory)))?;
    let mut files: Vec<PathBuf> = entries
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| {
            path.is_file()
                && path
                    .extension()
                    .is_some_and(|ext| ext == "yaml" || ext == "yml")
        })
        .collect();
    files.sort();
    Ok(files)
}

fn read_file(path: &Path) -> Result<Source, Failure> {
    let name = shown(path);
    let bytes = read_bounded(path, "rule file", FILE_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        complain(&format!(
            "saker: the rule file `{name}` is not UTF-8: byte {at} is no character\n"
        ));
        Failure::Invalid
    })?;
    Ok(Source { name, text })
}

fn read_bounded(path: &Path, what: &str, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let shown = shown(path);
    let file =
        std::fs::File::open(path).with_context(|| format!("cannot open the {what} `{shown}`"))?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read the {what} `{shown}`"))?;
    if bytes.len() as u64 > bytes_max {
        let most = bytes_max >> 20;
        complain(&format!(
            "saker: the {what} `{shown}` is larger than {most} MiB\n"
        ));
        return Err(Failure::Invalid);
    }
    Ok(bytes)
}

/// Whether that is a compiled module: by its name, or by how it begins.
pub(crate) fn is_module(path: &Path) -> bool {
    let begins = || {
        // A pipe is not looked into: what was read of it would be gone.
        let file = path.is_file().then(|| std::fs::File::open(path).ok())??;
        let mut magic = Vec::new();
        file.take(4).read_to_end(&mut magic).ok()?;
        (magic == b"\0asm").then_some(())
    };
    path.extension()
        .is_some_and(|extension| extension == "wasm")
        || begins().is_some()
}

/// A compiled module from a file. That it is none is printed.
pub(crate) fn read_module(path: &Path) -> Result<Module, Failure> {
    let shown = shown(path);
    let wasm = read_bounded(path, "module", MODULE_BYTES_MAX as u64)?;
    let refused = |why: &dyn std::fmt::Display| {
        complain(&format!(
            "saker: `{shown}` is no module that Saker can run: {why}\n"
        ));
        Failure::Invalid
    };
    let module = Module::foreign(shown.clone(), wasm).map_err(|refusal| refused(&refusal))?;
    module.plan().map_err(|error| refused(&error))?;
    Ok(module)
}

/// All modules to run: one compiled of all rule files, then the compiled ones.
pub(crate) fn load(paths: &[PathBuf], matching: Matching) -> Result<Vec<Module>, Failure> {
    load_for(paths, matching, true)
}

/// The same, for events of captures.
pub(crate) fn load_for_captures(
    paths: &[PathBuf],
    matching: Matching,
) -> Result<Vec<Module>, Failure> {
    load_for(paths, matching, false)
}

fn load_for(paths: &[PathBuf], matching: Matching, is_live: bool) -> Result<Vec<Module>, Failure> {
    let (modules, files): (Vec<_>, Vec<_>) =
        paths.iter().cloned().partition(|path| is_module(path));
    let mut loaded = Vec::new();
    if !files.is_empty() || modules.is_empty() {
        let ruleset = compile_for(&read(&files)?, matching, is_live)?;
        let module = Module::compiled("rules", ruleset.wasm)
            .context("the compiler made a module that the sandbox refuses")?;
        loaded.push(module);
    }
    for path in &modules {
        loaded.push(read_module(path)?);
    }
    Ok(loaded)
}

/// What the compiler is told.
pub(crate) fn options(matching: Matching) -> Options {
    Options {
        first_match: matching == Matching::First,
        ..Options::default()
    }
}

/// Compiles, and prints what there is to say of the sources on standard error.
pub(crate) fn compile_or_explain(
    sources: &[Source],
    matching: Matching,
) -> Result<Ruleset, Failure> {
    compile_for(sources, matching, true)
}

/// The same; `is_live` says whether the events will be the running kernel's, of which there are
/// not all types.
fn compile_for(sources: &[Source], matching: Matching, is_live: bool) -> Result<Ruleset, Failure> {
    let mut compilation = compile(sources, &options(matching));
    if !is_live {
        let unseen = Code::EventTypeNotSeen;
        compilation.diagnostics.retain(|found| found.code != unseen);
    }
    if !compilation.diagnostics.is_empty() {
        complain(&render(&compilation.diagnostics, sources, stderr_color()));
    }
    compilation.ruleset.ok_or(Failure::Invalid)
}

/// Refuses compiled modules, where conditions are wanted.
pub(super) fn refuse_modules(paths: &[PathBuf]) -> Result<(), Failure> {
    match paths.iter().find(|path| is_module(path)) {
        None => Ok(()),
        Some(module) => Err(Failure::Usage(anyhow::anyhow!(
            "`{}` is a compiled module, which does not tell its conditions: name its rule files",
            super::shown(module)
        ))),
    }
}
