//! `saker module test`: a module's own tests, then its alerts over captures.
//!
//! Beside a capture `tests/NAME.scap` (or `.scap.gz`) lies what is expected of it, in
//! `tests/NAME.alerts`: the alerts as JSON lines. With `BLESS=1` that file is written.

use super::build::{build, interpreted};
use super::toolchain;
use crate::commands::{Failure, complain, count, shown, usage};
use anyhow::{Context, anyhow};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The module's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// A setting for the replays, such as `modules[]={…}`
    #[arg(short, long = "option", value_name = "KEY=VALUE")]
    option: Vec<String>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    if !args.folder.is_dir() {
        return Err(usage(format!("`{}` is no folder", shown(&args.folder))));
    }
    let has_own = own_tests(&args.folder)?;
    let captures = captures(&args.folder.join("tests"))?;
    if captures.is_empty() {
        return match has_own {
            true => Ok(()),
            false => {
                Err(anyhow!("there is nothing to test: `tests` has no test, and no capture").into())
            }
        };
    }
    let module = build(&args.folder, None)?;
    let mut wrong = 0;
    for capture in &captures {
        wrong += u64::from(!is_as_expected(&module, capture, &args.option)?);
    }
    match wrong {
        0 => {
            complain(&format!(
                "{} as expected\n",
                count(captures.len() as u64, "capture")
            ));
            Ok(())
        }
        wrong => Err(anyhow!("{} not as expected", count(wrong, "capture")).into()),
    }
}

/// Runs the tests that the module's language has; false if there are none.
fn own_tests(folder: &Path) -> Result<bool, Failure> {
    let has = |name: &str| folder.join(name).is_file();
    if has("module.py") {
        return interpreted::python_tests(folder);
    }
    if has("module.js") || has("module.ts") {
        return interpreted::javascript_tests(folder);
    }
    let mut tests = if has("Cargo.toml") {
        let mut cargo = Command::new("cargo");
        cargo.arg("test");
        cargo
    } else if has("go.mod") {
        let mut go = Command::new(toolchain::go()?);
        go.args(["test", "-buildvcs=false", "./..."]);
        go
    } else {
        return Ok(false);
    };
    let name = tests.get_program().to_owned();
    let status = tests.current_dir(folder).status();
    let status = status.with_context(|| format!("cannot run `{}`", shown(Path::new(&name))))?;
    match status.success() {
        true => Ok(true),
        false => Err(anyhow!("the module's own tests fail").into()),
    }
}

fn captures(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read `{}`", shown(folder)))?;
    let is_capture = |path: &PathBuf| {
        let name = path.to_string_lossy();
        name.ends_with(".scap") || name.ends_with(".scap.gz")
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut captures: Vec<PathBuf> = paths.filter(is_capture).collect();
    captures.sort();
    Ok(captures)
}

fn is_as_expected(module: &Path, capture: &Path, options: &[String]) -> Result<bool, Failure> {
    let name = capture.to_string_lossy();
    let stem = name.trim_end_matches(".gz").trim_end_matches(".scap");
    let expected = PathBuf::from(format!("{stem}.alerts"));
    let saker = std::env::current_exe().context("cannot find `saker` itself")?;
    let mut replay = Command::new(saker);
    replay.args([
        "replay",
        "--json",
        "-o",
        "hostname=test",
        "-o",
        "cache.dir=",
    ]);
    for option in options {
        replay.arg("-o").arg(option);
    }
    let output = replay.arg("-r").arg(module).arg(capture).output();
    let output = output.context("cannot run `saker replay`")?;
    if !output.status.success() {
        complain(&String::from_utf8_lossy(&output.stderr));
        return Err(anyhow!("`{}` cannot be replayed", shown(capture)).into());
    }
    if std::env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&expected, &output.stdout)
            .with_context(|| format!("cannot write `{}`", shown(&expected)))?;
        return Ok(true);
    }
    let wanted = std::fs::read(&expected)
        .with_context(|| format!("cannot read `{}` (`BLESS=1` writes it)", shown(&expected)))?;
    if wanted == output.stdout {
        return Ok(true);
    }
    let (wanted, got) = (
        String::from_utf8_lossy(&wanted),
        String::from_utf8_lossy(&output.stdout),
    );
    let differs = wanted
        .lines()
        .zip(got.lines())
        .position(|(one, other)| one != other);
    let at = differs.unwrap_or(wanted.lines().count().min(got.lines().count()));
    complain(&format!(
        "{}: alert {} differs\n  expected {}\n  got      {}\n",
        shown(capture),
        at + 1,
        wanted.lines().nth(at).unwrap_or("none"),
        got.lines().nth(at).unwrap_or("none")
    ));
    Ok(false)
}
