//! Reading rule files for the commands that compile them.

use super::{Failure, complain, shown, stderr_color};
use crate::config::{Config, Matching, ModuleChoice};
use crate::modules::{Module, Unfit};
use crate::sandbox::MODULE_BYTES_MAX;
use crate::sandbox::component::{COMPONENT_BYTES_MAX, ComponentLimits, Workshop, is_component};
use anyhow::Context;
use saker_rules_compiler::{Code, Options, Ruleset, Source, compile, render};
use std::cell::OnceCell;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// How rules and modules are loaded.
#[derive(Clone, Debug)]
pub(crate) struct Loading {
    matching: Matching,
    /// What is set for components.
    choices: Vec<ModuleChoice>,
    limits: ComponentLimits,
    /// The events will be the running kernel's, of which there are not all types.
    is_live: bool,
}

impl Loading {
    /// For events as they happen.
    pub(crate) fn live(config: &Config) -> Loading {
        Loading {
            matching: config.matching,
            choices: config.modules.clone(),
            limits: ComponentLimits::live(config.budget_cpu),
            is_live: true,
        }
    }

    /// For events of captures, where a call may take that much fuel.
    pub(crate) fn of_captures(config: &Config, fuel: u64) -> Loading {
        Loading {
            limits: ComponentLimits::replay(fuel),
            is_live: false,
            ..Loading::live(config)
        }
    }
}

/// A module from a file: a compiled ruleset or a component. That it is neither is printed.
pub(crate) fn read_module(path: &Path, loading: &Loading) -> Result<Module, Failure> {
    read_one(path, loading, &OnceCell::new())
}

/// Settings of a module that there is not are most likely misspelt.
fn not_loaded(name: &str) {
    let name = super::escaped(name);
    tracing::warn!("there are settings for the module `{name}`, which is not loaded");
}

fn read_one(
    path: &Path,
    loading: &Loading,
    workshop: &OnceCell<Arc<Workshop>>,
) -> Result<Module, Failure> {
    let shown = shown(path);
    let wasm = read_bounded(path, "module", COMPONENT_BYTES_MAX as u64)?;
    let refused = |why: &dyn std::fmt::Display| {
        complain(&format!(
            "saker: `{shown}` is no module that Saker can run: {}\n",
            super::escaped(&why.to_string())
        ));
        Failure::Invalid
    };
    if is_component(&wasm) {
        // One engine for all of them.
        let workshop = match workshop.get() {
            Some(workshop) => workshop.clone(),
            None => {
                let made = Workshop::new(loading.limits);
                let made = made.map_err(|why| anyhow::anyhow!("no sandbox for modules: {why}"))?;
                workshop.get_or_init(|| made).clone()
            }
        };
        let loaded = Module::component(shown.clone(), wasm, &workshop, &loading.choices);
        let (module, mut found, source) = match loaded {
            Ok(loaded) => loaded,
            Err(Unfit::Subscription(found, source)) => {
                complain(&render(&found, &[source], stderr_color()));
                return Err(refused(&"its subscription is invalid"));
            }
            Err(Unfit::Module(why)) => return Err(refused(&why)),
        };
        if !loading.is_live {
            found.retain(|found| found.code != Code::EventTypeNotSeen);
        }
        if !found.is_empty() {
            complain(&render(&found, &[source], stderr_color()));
        }
        return Ok(module);
    }
    if wasm.len() > MODULE_BYTES_MAX {
        let most = MODULE_BYTES_MAX >> 20;
        return Err(refused(&format!("it is larger than {most} MiB")));
    }
    let module = Module::foreign(shown.clone(), wasm).map_err(|refusal| refused(&refusal))?;
    module.plan().map_err(|error| refused(&error))?;
    Ok(module)
}

/// All modules to run: one compiled of all rule files, then the others.
pub(crate) fn load(paths: &[PathBuf], loading: &Loading) -> Result<Vec<Module>, Failure> {
    let (modules, files): (Vec<_>, Vec<_>) =
        paths.iter().cloned().partition(|path| is_module(path));
    let mut loaded: Vec<Module> = Vec::new();
    if !files.is_empty() || modules.is_empty() {
        let ruleset = compile_for(&read(&files)?, loading.matching, loading.is_live)?;
        let module = Module::compiled("rules", ruleset.wasm)
            .context("the compiler made a module that the sandbox refuses")?;
        loaded.push(module);
    }
    let workshop = OnceCell::new();
    for path in &modules {
        loaded.push(read_one(path, loading, &workshop)?);
    }
    let mut names = Vec::new();
    for component in loaded.iter().filter_map(Module::as_component) {
        if names.contains(&&component.name) {
            complain(&format!(
                "saker: two modules are called `{}`\n",
                component.name
            ));
            return Err(Failure::Invalid);
        }
        names.push(&component.name);
    }
    for choice in &loading.choices {
        if !names.iter().any(|name| ***name == *choice.name) {
            not_loaded(&choice.name);
        }
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
