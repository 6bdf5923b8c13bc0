//! Reading rule files for the commands that compile them.

use super::{Failure, THIS_PROGRAM, complain, shown, stderr_color};
use crate::alert::RULES;
use crate::config::{Config, JudgedBy, ModuleChoice, RuleChoice};
use crate::distribution::signature::{BESIDE_BYTES_MAX, Key, Policy};
use crate::folder::{self, Folder};
use crate::local::LocalFile;
use crate::modules::roster::Origin;
use crate::modules::rulesets::{Rulesets, compile_to_run};
use crate::modules::{Module, Unfit, is_meant};
use crate::sandbox::component::{COMPONENT_BYTES_MAX, ComponentLimits, Workshop, is_component};
use crate::sandbox::{Compiler, MODULE_BYTES_MAX};
use anyhow::Context;
use saker_rules_compiler::{Code, Diagnostic, Options, Ruleset, Source, render, similar};
use saker_rules_schema::manifest::Rule;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The ruleset in the program itself, and how it is named on the command line.
const DEFAULT_PATH: &str = "default";
const DEFAULT_NAME: &str = "saker_rules.yaml";
const DEFAULT_TEXT: &str = include_str!("../../../rules/default/saker_rules.yaml");

/// No rule file may be larger.
const FILE_BYTES_MAX: u64 = 10 << 20;

/// What there is to say of files, while they are read.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) text: String,
    color: bool,
}

impl Said {
    /// What will be printed on standard error.
    fn to_stderr() -> Said {
        Said {
            text: String::new(),
            color: stderr_color(),
        }
    }

    fn say(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn tell_of(&mut self, mut found: Vec<Diagnostic>, sources: &[Source], is_live: bool) {
        if !is_live {
            found.retain(|found| found.code != Code::EventTypeNotSeen);
        }
        if !found.is_empty() {
            self.text.push_str(&render(&found, sources, self.color));
        }
    }

    /// Prints it, whatever came of it.
    fn print<T>(result: T, said: &Said) -> T {
        if !said.text.is_empty() {
            complain(&said.text);
        }
        result
    }
}

/// What to compile: the files named, or the bundled ruleset if none is. Says of every file
/// that it cannot be read, not of the first only.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut said = Said::to_stderr();
    Said::print(read_saying(paths, &mut said), &said)
}

fn read_saying(paths: &[PathBuf], said: &mut Said) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    let mut failed: Option<Failure> = None;
    for (_, read) in each_saying(paths, said)? {
        match read {
            Ok(source) => sources.push(source),
            Err(failure) => {
                if let Some(error) = failed.replace(failure).and_then(Failure::error) {
                    said.say(&format!("saker: {error:#}\n"));
                }
            }
        }
    }
    failed.map_or(Ok(sources), Err)
}

/// A file's name, and what came of reading it.
pub(crate) type FileRead = (String, Result<Source, Failure>);

/// Likewise, where what cannot be read is no reason to leave the others.
pub(crate) fn read_each(paths: &[PathBuf]) -> Result<Vec<FileRead>, Failure> {
    let mut said = Said::to_stderr();
    Said::print(each_saying(paths, &mut said), &said)
}

fn each_saying(paths: &[PathBuf], said: &mut Said) -> Result<Vec<FileRead>, Failure> {
    let read = |path: PathBuf| match path == Path::new(DEFAULT_PATH) {
        true => {
            let source = Source {
                name: DEFAULT_NAME.into(),
                text: DEFAULT_TEXT.into(),
            };
            (DEFAULT_NAME.into(), Ok(source))
        }
        false => (shown(&path), read_file(&path, said)),
    };
    Ok(files(paths)?.into_iter().map(read).collect())
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
            // What cannot be looked at, as a link that leads nowhere, fails when it is read.
            let is_other = || path.metadata().is_ok_and(|found| !found.is_file());
            let ending = path.extension();
            ending.is_some_and(|ext| ext == "yaml" || ext == "yml") && !is_other()
        })
        .collect();
    files.sort();
    Ok(files)
}

fn read_file(path: &Path, said: &mut Said) -> Result<Source, Failure> {
    let bytes = read_bounded(path, "rule file", FILE_BYTES_MAX, said)?;
    source(&shown(path), bytes, said)
}

fn source(name: &str, bytes: Vec<u8>, said: &mut Said) -> Result<Source, Failure> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let before = error.as_bytes()[..at].iter();
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        said.say(&format!(
            "saker: the rule file `{name}` is not UTF-8: line {line} (byte {at}) has no character\n"
        ));
        Failure::Invalid
    })?;
    Ok(Source {
        name: name.into(),
        text,
    })
}

fn read_bounded(
    path: &Path,
    what: &str,
    bytes_max: u64,
    said: &mut Said,
) -> Result<Vec<u8>, Failure> {
    let shown = shown(path);
    let open = match path == Path::new("-") {
        true => Path::new("/dev/stdin"),
        false => path,
    };
    let file =
        std::fs::File::open(open).with_context(|| format!("cannot open the {what} `{shown}`"))?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read the {what} `{shown}`"))?;
    if bytes.len() as u64 > bytes_max {
        let most = bytes_max >> 20;
        said.say(&format!(
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
    options: Options,
    /// What is set for components.
    choices: Vec<ModuleChoice>,
    /// Which rules are switched on or off.
    switched: Vec<RuleChoice>,
    /// Whose modules are loaded.
    signatures: Arc<Policy>,
    limits: ComponentLimits,
    /// Whether components have processes of their own, where that is said.
    run_by: Option<JudgedBy>,
    compiler: Arc<Compiler>,
    /// One engine for all components, made when there is one.
    workshop: Arc<Mutex<Option<Arc<Workshop>>>>,
    /// What was compiled lately.
    rulesets: Arc<Mutex<Rulesets>>,
    /// The events will be the running kernel's, of which there are not all types.
    is_live: bool,
    /// The rule file that is loaded behind those that are named.
    local: Option<LocalFile>,
}

impl Loading {
    /// For events as they happen.
    pub(crate) fn live(config: &Config, compiler: &Arc<Compiler>) -> Result<Loading, Failure> {
        Ok(Loading {
            options: options(config),
            choices: config.modules.clone(),
            switched: config.rules.clone(),
            signatures: Arc::new(policy(config)?),
            limits: ComponentLimits::live(config.budget_cpu),
            run_by: config.judged_by,
            compiler: compiler.clone(),
            workshop: Arc::default(),
            rulesets: Arc::default(),
            is_live: true,
            local: None,
        })
    }

    /// For events of captures that are judged as if they happened, in pieces of so many. Their
    /// time goes by faster than ours, so more of them wait for a module at once.
    pub(crate) fn as_live(
        config: &Config,
        events: usize,
        compiler: &Arc<Compiler>,
    ) -> Result<Loading, Failure> {
        let live = Loading::live(config, compiler)?;
        Ok(Loading {
            limits: ComponentLimits {
                // Each may be told in a call of its own, and the time before it.
                queue: 2 * events,
                cpu_percent: 100,
                ..live.limits
            },
            ..live
        })
    }

    /// For events of captures, where a call may take that much fuel.
    pub(crate) fn of_captures(
        config: &Config,
        fuel: u64,
        compiler: &Arc<Compiler>,
    ) -> Result<Loading, Failure> {
        Ok(Loading {
            limits: ComponentLimits::replay(fuel),
            // They are called in the order of events.
            run_by: Some(JudgedBy::Threads),
            is_live: false,
            ..Loading::live(config, compiler)?
        })
    }
}

impl Loading {
    /// The same with a local rule file.
    pub(crate) fn with_local(self, local: Option<LocalFile>) -> Loading {
        Loading { local, ..self }
    }

    /// The local rule file behind those, if it is there, may be trusted, and is none of them.
    fn local(&self, files: &[PathBuf], said: &mut Said) -> Result<Option<Source>, Failure> {
        let Some(local) = &self.local else {
            return Ok(None);
        };
        let own = local.path().canonicalize().ok();
        let mut named = self::files(files)?.into_iter();
        if own.is_some() && named.any(|path| path.canonicalize().ok() == own) {
            return Ok(None);
        }
        match local.read() {
            Ok(Some(bytes)) => source(&shown(local.path()), bytes, said).map(Some),
            Ok(None) => Ok(None),
            Err(why) => {
                tracing::warn!("`{}` is not loaded: {why}", shown(local.path()));
                Ok(None)
            }
        }
    }

    fn workshop(&self) -> Result<Arc<Workshop>, Failure> {
        let mut workshop = self.workshop.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*workshop {
            return Ok(made.clone());
        }
        let threads = || Workshop::new_with(self.limits, self.compiler.clone());
        let apart = || Workshop::new_apart(self.limits, self.compiler.clone(), THIS_PROGRAM);
        let made = match self.run_by {
            Some(JudgedBy::Threads) => threads(),
            Some(JudgedBy::Process) => apart(),
            None => apart().or_else(|why| {
                tracing::warn!(
                    "no process can run a module: {why}: modules have all rights of this process"
                );
                threads()
            }),
        };
        let made = made.map_err(|why| anyhow::anyhow!("no sandbox for modules: {why}"))?;
        Ok(workshop.insert(made).clone())
    }

    /// The module that rules are, or was when they were last read.
    fn compiled(&self, name: &str, sources: &[Source], said: &mut Said) -> Result<Module, Failure> {
        let mut rulesets = self.rulesets.lock().unwrap_or_else(PoisonError::into_inner);
        let (module, found) = rulesets.module(name, sources, &self.options);
        said.tell_of(found, sources, self.is_live);
        module.ok_or(Failure::Invalid)
    }
}

/// A module from a file: a compiled ruleset or a component. That it is neither is printed.
pub(crate) fn read_module(path: &Path, loading: &Loading) -> Result<Module, Failure> {
    let mut said = Said::to_stderr();
    Said::print(read_one(path, loading, &mut said), &said)
}

/// Settings of a module that there is not are most likely misspelt.
fn not_loaded(name: &str) {
    let name = super::escaped(name);
    tracing::warn!("there are settings for the module `{name}`, which is not loaded");
}

/// Says which switches are for no rule.
pub(crate) fn tell_of_switches(switched: &[RuleChoice], rules: &[&Rule]) {
    for choice in switched {
        if !rules.iter().any(|rule| is_meant(rule, choice)) {
            switches_nothing(choice, rules);
        }
    }
}

/// A switch that is for no rule is most likely misspelt.
fn switches_nothing(choice: &RuleChoice, rules: &[&Rule]) {
    let mut wanted = Vec::new();
    let mut meant = Vec::new();
    if let Some(pattern) = &choice.rule {
        wanted.push(format!("is like `{}`", super::escaped(pattern)));
        // The rule, or what would match its beginning as well.
        let begin = pattern.strip_suffix('*').map(|begin| begin.chars().count());
        let names = rules.iter().map(|rule| match begin {
            None => rule.name.clone(),
            Some(count) => rule.name.chars().take(count).chain(['*']).collect(),
        });
        let names: Vec<String> = names.collect();
        meant.extend(similar(pattern, names.iter().map(String::as_str)).map(super::escaped));
    }
    if let Some(tag) = &choice.tag {
        wanted.push(format!("has the tag `{}`", super::escaped(tag)));
        let tags = rules.iter().flat_map(|rule| &rule.tags);
        meant.extend(similar(tag, tags.map(String::as_str)).map(super::escaped));
    }
    let what = if choice.enable { "on" } else { "off" };
    let help = match meant.as_slice() {
        [] => String::new(),
        meant => format!("; did you mean `{}`?", meant.join("` and `")),
    };
    tracing::warn!(
        "no rule is switched {what}: none {}{help}",
        wanted.join(" and ")
    );
}

fn read_one(path: &Path, loading: &Loading, said: &mut Said) -> Result<Module, Failure> {
    let wasm = read_bounded(path, "module", COMPONENT_BYTES_MAX as u64, said)?;
    module_of(path, wasm, |ending| beside(path, ending), loading, said)
}

/// The name of a file that lies beside another of that name, for its sake.
fn beside_name(name: &Path, ending: &str) -> PathBuf {
    let mut name = name.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn beside(path: &Path, ending: &str) -> Option<Vec<u8>> {
    folder::read_named(&beside_name(path, ending), BESIDE_BYTES_MAX).ok()
}

/// Whose modules are loaded, as the configuration has it.
fn policy(config: &Config) -> Result<Policy, Failure> {
    if config.modules_require_signature && config.modules_keys.is_empty() {
        return Err(super::usage(
            "`modules.require_signature` wants `modules.keys`: whose signatures count",
        ));
    }
    let keys: Result<Vec<Key>, _> = config
        .modules_keys
        .iter()
        .map(|path| Key::read(path))
        .collect();
    Ok(Policy {
        is_required: config.modules_require_signature,
        keys: keys.map_err(anyhow::Error::from)?,
    })
}

/// The module that a file holds; rules are one that is compiled now.
fn module_of(
    path: &Path,
    bytes: Vec<u8>,
    beside: impl Fn(&str) -> Option<Vec<u8>>,
    loading: &Loading,
    said: &mut Said,
) -> Result<Module, Failure> {
    let shown = shown(path);
    if let Err(why) = loading.signatures.admits(&bytes, beside) {
        said.say(&format!("saker: `{shown}` is not loaded: {why}\n"));
        return Err(Failure::Invalid);
    }
    if !bytes.starts_with(b"\0asm") && path.extension().is_some_and(|ending| ending != "wasm") {
        let source = source(&shown, bytes, said)?;
        return loading.compiled(&shown, &[source], said);
    }
    let refused = |said: &mut Said, why: &dyn std::fmt::Display| {
        said.say(&format!(
            "saker: `{shown}` is no module that Saker can run: {}\n",
            super::escaped(&why.to_string())
        ));
        Failure::Invalid
    };
    if is_component(&bytes) {
        let workshop = loading.workshop()?;
        let loaded = Module::component(shown.clone(), bytes, &workshop, &loading.choices);
        let (module, found, source) = match loaded {
            Ok(loaded) => loaded,
            Err(Unfit::Subscription(found, source)) => {
                said.tell_of(found, &[source], true);
                return Err(refused(said, &"its subscription is invalid"));
            }
            Err(Unfit::Module(why)) => return Err(refused(said, &why)),
        };
        said.tell_of(found, &[source], loading.is_live);
        return Ok(module);
    }
    if bytes.len() > MODULE_BYTES_MAX {
        let most = MODULE_BYTES_MAX >> 20;
        return Err(refused(said, &format!("it is larger than {most} MiB")));
    }
    let module = Module::foreign(shown.clone(), bytes);
    let module = module.map_err(|refusal| refused(said, &refusal))?;
    module.plan().map_err(|error| refused(said, &error))?;
    Ok(module)
}

/// The module that all rule files are together.
pub(crate) fn ruleset(
    files: &[PathBuf],
    loading: &Loading,
    said: &mut Said,
) -> Result<Module, Failure> {
    let mut sources = read_saying(files, said)?;
    sources.extend(loading.local(files, said)?);
    loading.compiled(RULES, &sources, said)
}

/// A module from a file that somebody named; `None` if it is the one of that digest.
pub(crate) fn named(
    path: &Path,
    known: Option<blake3::Hash>,
    loading: &Loading,
    said: &mut Said,
) -> Result<Option<Module>, Failure> {
    let bytes = folder::read_named(path, COMPONENT_BYTES_MAX);
    let bytes = bytes.with_context(|| format!("cannot read `{}`", shown(path)))?;
    match known == Some(blake3::hash(&bytes)) {
        true => Ok(None),
        false => module_of(path, bytes, |ending| beside(path, ending), loading, said).map(Some),
    }
}

/// Rules from a file that are to judge beside those that run, alone or behind these.
pub(crate) fn candidate(
    path: &Path,
    loaded: Option<&[Source]>,
    loading: &Loading,
    said: &mut Said,
) -> Result<Module, Failure> {
    let bytes = folder::read_named(path, COMPONENT_BYTES_MAX);
    let bytes = bytes.with_context(|| format!("cannot read `{}`", shown(path)))?;
    let beside = |ending: &str| beside(path, ending);
    let module = match loaded {
        None => module_of(path, bytes, beside, loading, said)?,
        Some(loaded) => {
            if let Err(why) = loading.signatures.admits(&bytes, beside) {
                said.say(&format!("saker: `{}` is not loaded: {why}\n", shown(path)));
                return Err(Failure::Invalid);
            }
            let own = source(&shown(path), bytes, said)?;
            let all: Vec<Source> = loaded.iter().cloned().chain([own]).collect();
            loading.compiled(&shown(path), &all, said)?
        }
    };
    if module.as_component().is_some() {
        said.say("saker: a component cannot be a shadow: it would begin without its memory\n");
        return Err(Failure::Invalid);
    }
    Ok(module)
}

/// The same from a file in the folder of modules.
pub(crate) fn in_folder(
    folder: &Folder,
    name: &Path,
    known: Option<blake3::Hash>,
    loading: &Loading,
    said: &mut Said,
) -> Result<Option<Module>, Failure> {
    let path = folder.path_of(name);
    let bytes = folder.read(name, COMPONENT_BYTES_MAX);
    let bytes = bytes.with_context(|| format!("`{}` is not used", shown(&path)))?;
    match known == Some(blake3::hash(&bytes)) {
        true => Ok(None),
        false => {
            let beside = |ending: &str| {
                folder
                    .read(&beside_name(name, ending), BESIDE_BYTES_MAX)
                    .ok()
            };
            module_of(&path, bytes, beside, loading, said).map(Some)
        }
    }
}

/// All modules to run: one compiled of all rule files, then the others.
pub(crate) fn load(paths: &[PathBuf], loading: &Loading) -> Result<Vec<Module>, Failure> {
    let loaded = load_all(paths, None, loading)?;
    Ok(loaded.into_iter().map(|(_, module)| module).collect())
}

/// The rule files and modules that are named, and what is in the folder of modules, each with
/// where it comes from. Of a file in the folder that is none, it is only said.
pub(crate) fn load_all(
    paths: &[PathBuf],
    folder: Option<&Path>,
    loading: &Loading,
) -> Result<Vec<(Origin, Module)>, Failure> {
    let mut said = Said::to_stderr();
    let named = load_named(paths, loading, &mut said);
    let mut loaded = Said::print(named, &said)?;
    for (origin, module) in folder
        .map(|path| load_folder(path, loading))
        .into_iter()
        .flatten()
    {
        let name = module.identity().name.clone();
        if loaded
            .iter()
            .any(|(_, other)| other.identity().name == name)
        {
            tracing::error!(
                "`{}` is not used: a module called `{name}` is loaded",
                module.name
            );
            continue;
        }
        loaded.push((origin, module));
    }
    for choice in &loading.choices {
        if !loaded
            .iter()
            .any(|(_, module)| *module.identity().name == *choice.name)
        {
            not_loaded(&choice.name);
        }
    }
    let rules: Vec<&Rule> = loaded
        .iter()
        .flat_map(|(_, module)| module.rules())
        .collect();
    tell_of_switches(&loading.switched, &rules);
    Ok(loaded)
}

fn load_named(
    paths: &[PathBuf],
    loading: &Loading,
    said: &mut Said,
) -> Result<Vec<(Origin, Module)>, Failure> {
    let (modules, files): (Vec<_>, Vec<_>) =
        paths.iter().cloned().partition(|path| is_module(path));
    let mut loaded: Vec<(Origin, Module)> = Vec::new();
    if !files.is_empty() || modules.is_empty() {
        loaded.push((Origin::Rules, ruleset(&files, loading, said)?));
    }
    for path in &modules {
        let module = read_one(path, loading, said)?;
        let name = &module.identity().name;
        if loaded
            .iter()
            .any(|(_, other)| other.identity().name == *name)
        {
            said.say(&format!("saker: two modules are called `{name}`\n"));
            return Err(Failure::Invalid);
        }
        loaded.push((Origin::File(path.clone()), module));
    }
    Ok(loaded)
}

fn load_folder(path: &Path, loading: &Loading) -> Vec<(Origin, Module)> {
    let opened = Folder::open(path).and_then(|folder| Ok((folder.names()?, folder)));
    let (names, folder) = match opened {
        Ok(opened) => opened,
        Err(why) => {
            tracing::error!("the modules in `{}` are not used: {why}", shown(path));
            return Vec::new();
        }
    };
    let mut loaded = Vec::new();
    for name in names {
        let mut said = Said::to_stderr();
        let module = in_folder(&folder, &name, None, loading, &mut said);
        match Said::print(module, &said) {
            Ok(Some(module)) => loaded.push((Origin::Folder(folder.path_of(&name)), module)),
            // There is none that is known.
            Ok(None) => {}
            Err(failure) => {
                if let Some(error) = failure.error() {
                    tracing::error!("{error:#}");
                }
            }
        }
    }
    loaded
}

/// Which of the paths are rule files, and which are modules.
pub(crate) fn sorted(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (modules, files) = paths.iter().cloned().partition(|path| is_module(path));
    (files, modules)
}

/// What the compiler is told.
pub(crate) fn options(config: &Config) -> Options {
    Options {
        first_match: config.is_hiding_certain(),
        ..Options::default()
    }
}

/// Prints what was found in sources on standard error.
pub(crate) fn tell_of(found: Vec<Diagnostic>, sources: &[Source]) {
    let mut said = Said::to_stderr();
    said.tell_of(found, sources, true);
    Said::print((), &said);
}

/// Compiles, and prints what there is to say of the sources on standard error.
pub(crate) fn compile_or_explain(sources: &[Source]) -> Result<Ruleset, Failure> {
    let compilation = compile_to_run(sources, &Options::default());
    tell_of(compilation.diagnostics, sources);
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
