//! Modules in languages whose components bring an interpreter: the language's own tool makes
//! them, in a folder of its own, of the module's files, the SDK and the world.
//!
//! The tool imports all that its world has, so the module is asked first, natively, what it wants
//! to be allowed, and gets a world of just that.

use super::{Scratch, read};
use crate::commands::module::sdk::{self, File};
use crate::commands::module::toolchain::{
    componentize_js, componentize_py, node, python as find_python,
};
use crate::commands::{Failure, shown};
use crate::componentise::wit_with;
use anyhow::{Context, anyhow};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// No module has more files, and no folder of it is deeper.
const FILES_MAX: usize = 1000;
const DEPTH_MAX: usize = 8;

/// A module in Python.
pub(super) fn python(folder: &Path) -> Result<(PathBuf, Vec<u8>), Failure> {
    let tool = componentize_py(folder)?;
    let scratch = Scratch::new()?;
    lay(folder, &scratch.0, &["py"], sdk::PYTHON)?;
    let mut asked = Command::new(find_python()?);
    asked.args(["-B", "-m", "saker.glue", "module"]);
    let world = world(&mut asked, &scratch.0)?;
    let app = "import module\nfrom saker import glue\n\nModule = glue.exported(module)\n";
    put(&scratch.0.join("saker_app.py"), app)?;
    let mut tool = Command::new(tool);
    tool.arg("--quiet")
        .arg("-d")
        .arg(&world)
        .args(["-w", "rules"]);
    tool.args(["componentize", "--stub-wasi", "-p", ".", "saker_app"]);
    tool.args(["-o", "module.wasm"]);
    // An environment would have its packages searched.
    tool.env_remove("VIRTUAL_ENV");
    finish(&mut tool, &scratch.0, "componentize-py")?;
    Ok((
        PathBuf::from("module"),
        read(&scratch.0.join("module.wasm"))?,
    ))
}

/// A module in JavaScript or TypeScript.
pub(super) fn javascript(folder: &Path) -> Result<(PathBuf, Vec<u8>), Failure> {
    let (node, package) = componentize_js(folder)?;
    let scratch = Scratch::new()?;
    lay(folder, &scratch.0, &["js", "mjs", "ts"], sdk::JAVASCRIPT)?;
    put(&scratch.0.join("package.json"), "{\"type\": \"module\"}\n")?;
    // Types go before anything runs.
    strip(&node, &package, &scratch.0)?;
    let mut asked = Command::new(&node);
    asked.args(["--import", "./saker/native.mjs", "saker/wanted.mjs"]);
    let world = world(&mut asked, &scratch.0)?;
    let mut tool = Command::new(&node);
    tool.arg("saker/componentize.mjs").arg(&package).arg(&world);
    finish(&mut tool, &scratch.0, "componentize-js")?;
    Ok((
        PathBuf::from("module"),
        read(&scratch.0.join("module.wasm"))?,
    ))
}

/// Runs the tests of a module in Python; false if it has none.
pub(in crate::commands::module) fn python_tests(folder: &Path) -> Result<bool, Failure> {
    let scratch = Scratch::new()?;
    lay(folder, &scratch.0, &["py"], sdk::PYTHON)?;
    let is_test = |name: &str| name.starts_with("test") && name.ends_with(".py");
    if lay_tests(folder, &scratch.0, &["py"], is_test)?.is_empty() {
        return Ok(false);
    }
    let mut tests = Command::new(find_python()?);
    tests.args(["-B", "-m", "unittest", "discover", "-s", "tests"]);
    tests.env("PYTHONPATH", ".");
    finish(&mut tests, &scratch.0, "python3")?;
    Ok(true)
}

/// The same for JavaScript or TypeScript.
pub(in crate::commands::module) fn javascript_tests(folder: &Path) -> Result<bool, Failure> {
    let scratch = Scratch::new()?;
    let kinds = ["js", "mjs", "ts"];
    lay(folder, &scratch.0, &kinds, sdk::JAVASCRIPT)?;
    let is_test = |name: &str| name.ends_with(".test.js") || name.ends_with(".test.mjs");
    let found = lay_tests(folder, &scratch.0, &kinds, is_test)?;
    if found.is_empty() {
        return Ok(false);
    }
    put(&scratch.0.join("package.json"), "{\"type\": \"module\"}\n")?;
    if folder.join("module.ts").is_file() {
        let (node, package) = componentize_js(folder)?;
        strip(&node, &package, &scratch.0)?;
    }
    let mut tests = Command::new(node()?);
    tests.args(["--import", "./saker/native.mjs", "--test"]);
    tests.args(found.iter().map(|name| format!("tests/{name}")));
    finish(&mut tests, &scratch.0, "node")?;
    Ok(true)
}

/// Puts the folder `tests` beside the module, and gives the names of the tests right in it.
fn lay_tests(
    from: &Path,
    to: &Path,
    kinds: &[&str],
    is_test: impl Fn(&str) -> bool,
) -> Result<Vec<String>, Failure> {
    let (from, to) = (from.join("tests"), to.join("tests"));
    if !from.is_dir() {
        return Ok(Vec::new());
    }
    let mut left = FILES_MAX;
    copy(&from, &to, kinds, DEPTH_MAX, &mut left)?;
    let laid = to.read_dir().into_iter().flatten();
    let names = laid.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| is_test(name)).collect();
    names.sort();
    Ok(names)
}

/// Makes JavaScript of TypeScript. The compiler lies beside the package, in `node_modules`.
fn strip(node: &Path, package: &Path, folder: &Path) -> Result<(), Failure> {
    let mut strip = Command::new(node);
    strip.arg("saker/strip.mjs");
    strip.arg(package.ancestors().nth(2).unwrap_or(package));
    finish(&mut strip, folder, "typescript")
}

/// Puts the module's files of these kinds, and the SDK, into a folder.
fn lay(from: &Path, to: &Path, kinds: &[&str], sdk: &[File]) -> Result<(), Failure> {
    let mut left = FILES_MAX;
    copy(from, to, kinds, DEPTH_MAX, &mut left)?;
    for (name, text) in sdk {
        put(&to.join("saker").join(name), text)?;
    }
    Ok(())
}

fn copy(
    from: &Path,
    to: &Path,
    kinds: &[&str],
    depth: usize,
    left: &mut usize,
) -> Result<(), Failure> {
    let entries =
        std::fs::read_dir(from).with_context(|| format!("cannot read `{}`", shown(from)))?;
    for entry in entries.filter_map(|entry| entry.ok()) {
        let (path, name) = (entry.path(), entry.file_name());
        let text = name.to_string_lossy();
        // What is installed beside a module is no part of it.
        let apart = ["venv", "node_modules", "tests", "__pycache__", "saker"];
        let is_apart = text.starts_with('.') || apart.contains(&&*text);
        let kind = path.extension().and_then(|kind| kind.to_str());
        if path.is_dir() && !is_apart {
            if depth == 0 {
                return Err(anyhow!("folders in `{}` are too deep", shown(from)).into());
            }
            copy(&path, &to.join(&name), kinds, depth - 1, left)?;
        } else if path.is_file() && kind.is_some_and(|kind| kinds.contains(&kind)) {
            *left = left
                .checked_sub(1)
                .ok_or_else(|| anyhow!("a module has at most {FILES_MAX} files"))?;
            std::fs::create_dir_all(to)
                .and_then(|()| std::fs::copy(&path, to.join(&name)))
                .with_context(|| format!("cannot copy `{}`", shown(&path)))?;
        }
    }
    Ok(())
}

fn put(path: &Path, text: &str) -> Result<(), Failure> {
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, text))
        .with_context(|| format!("cannot write `{}`", shown(path)))?;
    Ok(())
}

/// A folder with the world of what a module wants, which is asked for that.
fn world(asked: &mut Command, folder: &Path) -> Result<PathBuf, Failure> {
    let answered = asked
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run the module natively")?;
    if !answered.status.success() {
        return Err(anyhow!("the module does not run natively to say what it wants").into());
    }
    let text = String::from_utf8_lossy(&answered.stdout);
    let wanted: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("capability "))
        .collect();
    let world = folder.join("wit");
    put(&world.join("rules.wit"), &wit_with(&wanted))?;
    Ok(world)
}

/// Runs a tool in a folder. What it says on standard output is no answer of ours.
fn finish(tool: &mut Command, folder: &Path, name: &str) -> Result<(), Failure> {
    let status = tool
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("cannot run `{name}`"))?;
    match status.success() {
        true => Ok(()),
        false => Err(anyhow!("`{name}` refuses the module").into()),
    }
}
