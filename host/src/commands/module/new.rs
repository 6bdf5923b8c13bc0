//! `saker module new`: a folder with a module that builds and does something.

use crate::commands::{Failure, complain, shown, usage};
use anyhow::Context;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The module's name, and its folder's: letters, digits and `-`
    name: String,
    /// The language
    #[arg(long, value_enum)]
    lang: Language,
    /// Where Saker's `rules-sdk` lies, for Rust
    #[arg(long, value_name = "FOLDER", required_if_eq("lang", "rust"))]
    sdk: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Language {
    /// By the crate saker-rules-sdk
    Rust,
    /// By the header saker.h
    C,
}

const CARGO: &str = include_str!("template/Cargo.toml.in");
const RUST: &str = include_str!("template/lib.rs.in");
const C: &str = include_str!("template/module.c.in");

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = args
        .name
        .as_bytes()
        .first()
        .is_some_and(u8::is_ascii_lowercase);
    if !begins || !args.name.bytes().all(is_plain) || args.name.len() > 64 {
        return Err(usage(format!(
            "`{}` is no name for a module: small letters, digits and `-`",
            super::super::escaped(&args.name)
        )));
    }
    let folder = Path::new(&args.name);
    let filled = |text: &str| text.replace("{name}", &args.name);
    let mut files = Vec::new();
    match args.lang {
        Language::Rust => {
            let sdk = args.sdk.unwrap_or_default();
            let sdk = sdk
                .canonicalize()
                .with_context(|| format!("there is no SDK in `{}`", shown(&sdk)))?;
            // A string of TOML is one of JSON.
            let sdk = serde_json::Value::from(sdk.to_string_lossy()).to_string();
            files.push(("Cargo.toml", filled(CARGO).replace("{sdk}", &sdk)));
            files.push(("src/lib.rs", filled(RUST)));
        }
        Language::C => {
            files.push(("module.c", filled(C)));
            // For editors; `build` brings its own.
            files.push(("saker.h", super::build::HEADER.to_owned()));
        }
    }
    std::fs::create_dir(folder).with_context(|| format!("cannot make `{}`", shown(folder)))?;
    for (name, text) in files {
        let path = folder.join(name);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, text))
            .with_context(|| format!("cannot write `{}`", shown(&path)))?;
    }
    complain(&format!("`saker module build {}` builds it\n", args.name));
    Ok(())
}
