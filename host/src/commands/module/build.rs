//! `saker module build`: sources, or a core module, to a component. What a language needs beside
//! its compiler stands in the file of its name.

pub(super) mod interpreted;

use super::sdk;
use super::toolchain::{Rust, clang, go as find_go};
use crate::commands::{Failure, complain, shown, usage};
use crate::componentise::{componentise, stubbed};
use crate::sandbox::component::{COMPONENT_BYTES_MAX, is_component};
use anyhow::{Context, anyhow};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The module's folder (with a Cargo.toml, module.py, module.js, module.ts, go.mod or .c files),
    /// or a core module (.wasm)
    #[arg(default_value = ".")]
    source: PathBuf,
    /// Where to write the component; its name in the module's folder if not given
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> Result<PathBuf, Failure> {
    build(&args.source, args.output)
}

/// Builds, and tells where the component lies.
pub(super) fn build(source: &Path, output: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let (name, core) = if source.is_file() {
        let name = source
            .file_stem()
            .unwrap_or(OsStr::new("module"))
            .to_owned();
        (PathBuf::from(name), read(source)?)
    } else if source.join("Cargo.toml").is_file() {
        rust(source)?
    } else if source.join("module.py").is_file() {
        interpreted::python(source)?
    } else if ["js", "ts"]
        .iter()
        .any(|kind| source.join("module").with_extension(kind).is_file())
    {
        interpreted::javascript(source)?
    } else if source.join("go.mod").is_file() {
        go(source)?
    } else {
        c(source)?
    };
    let folder = match source.is_file() {
        true => source.parent().unwrap_or(Path::new("")).to_owned(),
        false => source.to_owned(),
    };
    let output = output.unwrap_or_else(|| folder.join(name).with_extension("wasm"));
    if is_component(&core) && source.is_dir() {
        // The language's own tool made one.
        return write(&output, &core);
    }
    if is_component(&core) {
        return Err(usage(format!("`{}` is a component already", shown(source))));
    }
    if output
        .canonicalize()
        .is_ok_and(|output| source.canonicalize().is_ok_and(|it| it == output))
    {
        return Err(usage(
            "the component would lie where the core module does: name another `-o`",
        ));
    }
    let component = componentise(&core)
        .map_err(|why| anyhow!("`{}` cannot be made a component: {why}", shown(source)))?;
    let stubbed = stubbed(&core);
    if !stubbed.is_empty() {
        complain(&format!(
            "there is no WASI: stubs take the place of {}\n",
            stubbed.join(", ")
        ));
    }
    write(&output, &component)
}

fn write(output: &Path, component: &[u8]) -> Result<PathBuf, Failure> {
    std::fs::write(output, component)
        .with_context(|| format!("cannot write `{}`", shown(output)))?;
    complain(&format!("{}: {} bytes\n", shown(output), component.len()));
    Ok(output.to_owned())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let length = path.metadata().map(|found| found.len());
    if length.is_ok_and(|length| length > COMPONENT_BYTES_MAX as u64) {
        return Err(anyhow!("`{}` is larger than any module may be", shown(path)).into());
    }
    Ok(std::fs::read(path).with_context(|| format!("cannot read `{}`", shown(path)))?)
}

/// Builds a crate, and tells what it left.
fn rust(folder: &Path) -> Result<(PathBuf, Vec<u8>), Failure> {
    let mut cargo = Rust::find()?.cargo();
    let built = cargo
        .arg("--message-format=json-render-diagnostics")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run `cargo`")?;
    if !built.status.success() {
        return Err(anyhow!("`cargo` could not build `{}`", shown(folder)).into());
    }
    // The crate's own artefact is the last.
    let printed = String::from_utf8_lossy(&built.stdout);
    let made = printed.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let files = message["filenames"].as_array()?;
        let mut files = files.iter().filter_map(|file| file.as_str());
        let is_wasm = |file: &&str| Path::new(file).extension() == Some(OsStr::new("wasm"));
        files.find(is_wasm).map(PathBuf::from)
    });
    let Some(made) = made else {
        return Err(anyhow!(
            "`{}` is built to no .wasm file: its Cargo.toml needs `crate-type = [\"cdylib\"]` \
             under `[lib]`",
            shown(folder)
        )
        .into());
    };
    let name = made.file_stem().unwrap_or(OsStr::new("module"));
    Ok((PathBuf::from(name), read(&made)?))
}

/// Builds a Go module to a core module.
fn go(folder: &Path) -> Result<(PathBuf, Vec<u8>), Failure> {
    let scratch = Scratch::new()?;
    let core = scratch.0.join("module.wasm");
    let status = Command::new(find_go()?)
        .args(["build", "-buildmode=c-shared", "-trimpath"])
        .args(["-buildvcs=false", "-ldflags=-s -w"])
        .env("GOOS", "wasip1")
        .env("GOARCH", "wasm")
        .arg("-o")
        .arg(&core)
        .arg(".")
        .current_dir(folder)
        .stdin(Stdio::null())
        .status()
        .context("cannot run `go`")?;
    if !status.success() {
        return Err(anyhow!("`go` could not build `{}`", shown(folder)).into());
    }
    Ok((PathBuf::from("module"), read(&core)?))
}

/// Builds all C files of a folder.
fn c(folder: &Path) -> Result<(PathBuf, Vec<u8>), Failure> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder `{}`", shown(folder)))?;
    let mut sources: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension() == Some(OsStr::new("c")))
        .collect();
    sources.sort();
    let Some(first) = sources.first() else {
        let folder = shown(folder);
        return Err(usage(format!(
            "`{folder}` has no Cargo.toml, module.py, module.js, module.ts, go.mod or .c file"
        )));
    };
    let name = first.file_stem().unwrap_or(OsStr::new("module")).to_owned();
    let scratch = Scratch::new()?;
    for (name, text) in sdk::C {
        std::fs::write(scratch.0.join(name), text).context("cannot write the header")?;
    }
    let core = scratch.0.join("module.wasm");
    let (clang, linker) = clang()?;
    let mut chosen = std::ffi::OsString::from("-fuse-ld=");
    chosen.push(linker);
    let status = Command::new(clang)
        .arg(chosen)
        .args([
            "--target=wasm32",
            "-std=c11",
            "-Os",
            "-Wall",
            "-nostdlib",
            "-ffreestanding",
        ])
        .args(["-fvisibility=hidden", "-Wl,--no-entry", "-Wl,--strip-debug"])
        // A stack that overflows leaves the memory instead of running into the data.
        .args(["-Wl,--stack-first", "-Wl,-z,stack-size=65536"])
        .arg("-I")
        .arg(&scratch.0)
        .arg("-o")
        .arg(&core)
        .args(&sources)
        .stdin(Stdio::null())
        .status()
        .context("cannot run `clang`")?;
    if !status.success() {
        return Err(anyhow!("`clang` could not build `{}`", shown(folder)).into());
    }
    Ok((PathBuf::from(name), read(&core)?))
}

/// A folder for a while, which nobody else can put anything into.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Scratch> {
        use std::os::unix::fs::DirBuilderExt;
        let folder = std::env::temp_dir();
        for number in 0..1000 {
            let path = folder.join(format!("saker-build-{}-{number}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Scratch(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).context("cannot make a folder to build in"),
            }
        }
        anyhow::bail!("cannot make a folder to build in")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
