//! Reading rule files for the commands that compile them.

use super::{Failure, stderr_color};
use crate::modules::Module;
use crate::sandbox::MODULE_BYTES_MAX;
use anyhow::Context;
use saker_rules_compiler::{Options, Ruleset, Source, compile, render};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The ruleset in the program itself.
const DEFAULT_NAME: &str = "saker_rules.yaml";
const DEFAULT_TEXT: &str = include_str!("../../../rules/default/saker_rules.yaml");

/// No rule file may be larger.
const FILE_BYTES_MAX: u64 = 10 << 20;

/// The files to compile: those named, or the bundled ruleset if none is. A directory stands for
/// the `.yaml` and `.yml` files in it, in the order of their names.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    if paths.is_empty() {
        return Ok(vec![Source {
            name: DEFAULT_NAME.into(),
            text: DEFAULT_TEXT.into(),
        }]);
    }
    let mut sources = Vec::new();
    for path in paths {
        if path.is_dir() {
            let in_directory = files_in(path)?;
            if in_directory.is_empty() {
                let path = path.display();
                return Err(anyhow::anyhow!("`{path}` holds no .yaml or .yml file").into());
            }
            for file in in_directory {
                sources.push(read_file(&file)?);
            }
        } else {
            sources.push(read_file(path)?);
        }
    }
    Ok(sources)
}

fn files_in(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(directory)
        .and_then(|entries| entries.collect::<Result<Vec<_>, _>>())
        .with_context(|| format!("cannot read the rules directory `{}`", directory.display()))?;
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
    let shown = path.display();
    let bytes = read_bounded(path, "rule file", FILE_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow::anyhow!("the rule file `{shown}` is not UTF-8: byte {at} is no character")
    })?;
    Ok(Source {
        name: shown.to_string(),
        text,
    })
}

fn read_bounded(path: &Path, what: &str, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let shown = path.display();
    let file =
        std::fs::File::open(path).with_context(|| format!("cannot open the {what} `{shown}`"))?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read the {what} `{shown}`"))?;
    if bytes.len() as u64 > bytes_max {
        let most = bytes_max >> 20;
        return Err(anyhow::anyhow!("the {what} `{shown}` is larger than {most} MiB").into());
    }
    Ok(bytes)
}

/// Whether that is the name of a compiled module.
pub(crate) fn is_module(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "wasm")
}

/// A compiled module from a file. That it is none is printed.
pub(crate) fn read_module(path: &Path) -> Result<Module, Failure> {
    let shown = path.display();
    let wasm = read_bounded(path, "module", MODULE_BYTES_MAX as u64)?;
    Module::foreign(shown.to_string(), wasm).map_err(|refusal| {
        eprintln!("saker: `{shown}` is no module that Saker can run: {refusal}");
        Failure::Invalid
    })
}

/// All modules to run: one compiled of all rule files, then the compiled ones.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Vec<Module>, Failure> {
    let (modules, files): (Vec<_>, Vec<_>) =
        paths.iter().cloned().partition(|path| is_module(path));
    let mut loaded = Vec::new();
    if !files.is_empty() || modules.is_empty() {
        let ruleset = compile_or_explain(&read(&files)?)?;
        let module = Module::compiled("rules", ruleset.wasm)
            .context("the compiler made a module that the sandbox refuses")?;
        loaded.push(module);
    }
    for path in &modules {
        loaded.push(read_module(path)?);
    }
    Ok(loaded)
}

/// Compiles, and prints what there is to say of the sources on standard error.
pub(crate) fn compile_or_explain(sources: &[Source]) -> Result<Ruleset, Failure> {
    let compilation = compile(sources, &Options { keep_bytes: false });
    if !compilation.diagnostics.is_empty() {
        eprint!(
            "{}",
            render(&compilation.diagnostics, sources, stderr_color())
        );
    }
    compilation.ruleset.ok_or(Failure::Invalid)
}
