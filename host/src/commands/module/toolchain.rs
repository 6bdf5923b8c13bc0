//! Compilers for WebAssembly that this machine has, and what to install where it has none.

use crate::commands::Failure;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target that Rust modules are built for.
pub(super) const RUST_TARGET: &str = "wasm32-unknown-unknown";

/// How Rust is built here.
#[derive(Debug)]
pub(super) enum Rust {
    /// The target's library is installed.
    Installed,
    /// The library is built from its source, by this compiler.
    FromSource {
        rustc: PathBuf,
        /// Where the compiler brings none of its own.
        linker: Option<PathBuf>,
    },
}

/// The file of that name on the path. A link that leads nowhere is none.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
    files.find(|file| file.is_file())
}

fn printed(program: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The first number of a version after the program's name.
fn number_behind(name: &str, stem: &str) -> Option<u32> {
    name.strip_prefix(stem)?.parse().ok()
}

impl Rust {
    /// Finds a compiler; an error says what is missing.
    pub(super) fn find() -> Result<Rust, Failure> {
        let Some(_) = on_path("cargo") else {
            return Err(missing(
                "`cargo` is not installed: rustup.rs tells how to install it",
            ));
        };
        let own = on_path("rustc");
        if let Some(rustc) = &own {
            let args = ["--print", "target-libdir", "--target", RUST_TARGET];
            let library = printed(rustc, &args).map(PathBuf::from);
            if library.is_some_and(|library| library.is_dir()) {
                return Ok(Rust::Installed);
            }
        }
        let debian = PathBuf::from("/usr/bin/rustc");
        let mut wanting = Vec::new();
        for rustc in own.into_iter().chain(debian.is_file().then_some(debian)) {
            let Some(root) = printed(&rustc, &["--print", "sysroot"]).map(PathBuf::from) else {
                continue;
            };
            if !root.join("lib/rustlib/src/rust/library/std").is_dir() {
                wanting.push(format!(
                    "`{}` has no source of its library",
                    rustc.display()
                ));
                continue;
            }
            let host = printed(&rustc, &["--print", "host-tuple"]).unwrap_or_default();
            let own = root.join(format!("lib/rustlib/{host}/bin/rust-lld"));
            if own.is_file() {
                let linker = None;
                return Ok(Rust::FromSource { rustc, linker });
            }
            match on_path("rust-lld").or_else(|| newest("wasm-ld")) {
                Some(linker) => {
                    let linker = Some(linker);
                    return Ok(Rust::FromSource { rustc, linker });
                }
                None => wanting.push(format!("`{}` has no `rust-lld`", rustc.display())),
            }
        }
        if wanting.is_empty() {
            wanting.push("there is no `rustc`".into());
        }
        Err(missing(&format!(
            "no Rust compiler here builds for {RUST_TARGET} ({}): `rustup target add \
             {RUST_TARGET}` does, or on Debian the packages rustc-web, rust-web-src and the lld \
             that /usr/bin/rust-lld leads to",
            wanting.join("; ")
        )))
    }

    /// `cargo build`, so that it builds for WebAssembly.
    pub(super) fn cargo(&self) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.args(["build", "--release", "--target", RUST_TARGET]);
        if let Rust::FromSource { rustc, linker } = self {
            cargo.arg("-Zbuild-std=std,panic_abort");
            cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", rustc);
            if let Some(linker) = linker {
                let variable = format!(
                    "CARGO_TARGET_{}_LINKER",
                    RUST_TARGET.to_uppercase().replace('-', "_")
                );
                cargo.env(variable, linker);
            }
        }
        cargo
    }
}

/// The program of that name, or with the greatest number behind it, as in `clang-14`.
fn newest(name: &str) -> Option<PathBuf> {
    if let Some(plain) = on_path(name) {
        return Some(plain);
    }
    let path = std::env::var_os("PATH")?;
    let stem = format!("{name}-");
    let mut found: Option<(u32, PathBuf)> = None;
    for entry in std::env::split_paths(&path)
        .filter_map(|folder| folder.read_dir().ok())
        .flatten()
    {
        let Ok(entry) = entry else { continue };
        let file = entry.file_name();
        let number = file.to_str().and_then(|file| number_behind(file, &stem));
        if let Some(number) = number
            && entry.path().is_file()
            && found.as_ref().is_none_or(|(best, _)| number > *best)
        {
            found = Some((number, entry.path()));
        }
    }
    found.map(|(_, path)| path)
}

/// A C compiler, and a linker for WebAssembly; an error says what is missing.
pub(super) fn clang() -> Result<(PathBuf, PathBuf), Failure> {
    let Some(clang) = newest("clang") else {
        return Err(missing(
            "`clang` is not installed (on Debian: clang and lld)",
        ));
    };
    let own = printed(&clang, &["--target=wasm32", "--print-prog-name=wasm-ld"]);
    let own = own
        .map(PathBuf::from)
        .filter(|own| own.is_absolute() && own.is_file());
    // `clang-14` goes with `wasm-ld-14`.
    let name = clang.file_name().and_then(|name| name.to_str());
    let number = name.and_then(|name| number_behind(name, "clang-"));
    let of_number = number.and_then(|number| on_path(&format!("wasm-ld-{number}")));
    match own.or(of_number).or_else(|| newest("wasm-ld")) {
        Some(linker) => Ok((clang, linker)),
        None => Err(missing(&format!(
            "`{}` has no `wasm-ld` (on Debian: the lld of the same number)",
            clang.display()
        ))),
    }
}

/// The tool that makes components of Python: in a virtual environment in the module's folder or
/// above it, or on the path; an error says what is missing.
pub(super) fn componentize_py(folder: &Path) -> Result<PathBuf, Failure> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let own = folder.ancestors().flat_map(|folder| {
        ["venv", ".venv"].map(|venv| folder.join(venv).join("bin/componentize-py"))
    });
    let own = own.into_iter().find(|tool| tool.is_file());
    own.or_else(|| on_path("componentize-py")).ok_or_else(|| {
        missing(
            "`componentize-py` is not installed: in the module's folder, `python3 -m venv .venv \
             && .venv/bin/pip install 'componentize-py>=0.25'` does",
        )
    })
}

/// A Python that runs a module natively.
pub(super) fn python() -> Result<PathBuf, Failure> {
    on_path("python3").ok_or_else(|| missing("`python3` is not installed"))
}

/// Node, and the package that makes components of JavaScript: in `node_modules` of the module's
/// folder or above it; an error says what is missing.
pub(super) fn componentize_js(folder: &Path) -> Result<(PathBuf, PathBuf), Failure> {
    let node = node()?;
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut packages = folder
        .ancestors()
        .map(|folder| folder.join("node_modules/@bytecodealliance/componentize-js"));
    match packages.find(|package| package.join("package.json").is_file()) {
        Some(package) => Ok((node, package)),
        None => Err(missing(
            "`componentize-js` is not installed: in the module's folder, `npm install \
             @bytecodealliance/componentize-js` does",
        )),
    }
}

/// A Go that builds for WebAssembly; an error says what is missing.
pub(super) fn go() -> Result<PathBuf, Failure> {
    let go = on_path("go")
        .ok_or_else(|| missing("`go` is not installed: 1.24 or later (on Debian 13: golang)"))?;
    // As in `go1.24.1`.
    let version = printed(&go, &["env", "GOVERSION"]).unwrap_or_default();
    let minor = version
        .strip_prefix("go1.")
        .and_then(|rest| rest.split(['.', 'r', 'b', ' ']).next()?.parse::<u32>().ok());
    if minor.is_none_or(|minor| minor < 24) {
        return Err(missing(&format!(
            "this `go` ({version}) cannot export functions to WebAssembly: 1.24 or later can"
        )));
    }
    Ok(go)
}

/// Node.
pub(super) fn node() -> Result<PathBuf, Failure> {
    on_path("node").ok_or_else(|| missing("`node` is not installed (on Debian: nodejs)"))
}

fn missing(what: &str) -> Failure {
    Failure::Unable(anyhow::anyhow!("{what}"))
}
