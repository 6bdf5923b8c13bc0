//! `saker module new`: a folder with a module that builds and does something.

use super::sdk;
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
    /// Use the SDK that lies there, for Rust, instead of putting a copy into the new folder
    #[arg(long, value_name = "FOLDER")]
    sdk: Option<PathBuf>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Language {
    /// By the crate saker-rules-sdk
    Rust,
    /// By the header saker.h
    C,
    /// By the package saker
    Python,
    /// By the modules in saker/
    #[value(alias = "js")]
    Javascript,
    /// By the same, which brings its types
    #[value(alias = "ts")]
    Typescript,
    /// By the package saker
    Go,
}

const CARGO: &str = include_str!("template/Cargo.toml.in");
const RUST: &str = include_str!("template/lib.rs.in");
const PYTHON: &str = include_str!("template/module.py.in");
const PYTHON_TEST: &str = include_str!("template/test_module.py.in");
const JAVASCRIPT: &str = include_str!("template/module.js.in");
const JAVASCRIPT_TEST: &str = include_str!("template/module.test.js.in");
const PACKAGE: &str = include_str!("template/package.json.in");
const GO: &str = include_str!("template/module.go.in");
const GO_TEST: &str = include_str!("template/module_test.go.in");
const GO_MOD: &str = include_str!("template/go.mod.in");
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
    let beside = |sdk: &[sdk::File]| {
        let files = sdk.iter();
        let named = files.map(|(name, text)| (format!("saker/{name}"), (*text).to_owned()));
        named.collect::<Vec<_>>()
    };
    let mut files: Vec<(String, String)> = Vec::new();
    let put = |name: &str, text: String, files: &mut Vec<(String, String)>| {
        files.push((name.to_owned(), filled(&text)));
    };
    match args.lang {
        Language::Rust => {
            let sdk = match &args.sdk {
                Some(sdk) => sdk
                    .canonicalize()
                    .with_context(|| format!("there is no SDK in `{}`", shown(sdk)))?,
                None => {
                    for (name, text) in sdk::RUST {
                        files.push((format!("sdk/{name}"), sdk::on_its_own(text)));
                    }
                    PathBuf::from("sdk/rules-sdk")
                }
            };
            // A string of TOML is one of JSON.
            let sdk = serde_json::Value::from(sdk.to_string_lossy()).to_string();
            put("Cargo.toml", CARGO.replace("{sdk}", &sdk), &mut files);
            put("src/lib.rs", RUST.to_owned(), &mut files);
        }
        Language::C => {
            put("module.c", C.to_owned(), &mut files);
            // For editors; `build` brings its own.
            for (name, text) in sdk::C {
                files.push(((*name).to_owned(), (*text).to_owned()));
            }
        }
        Language::Python => {
            put("module.py", PYTHON.to_owned(), &mut files);
            put("tests/test_module.py", PYTHON_TEST.to_owned(), &mut files);
            files.extend(beside(sdk::PYTHON));
        }
        Language::Javascript | Language::Typescript => {
            let name = match args.lang {
                Language::Typescript => "module.ts",
                _ => "module.js",
            };
            put(name, JAVASCRIPT.to_owned(), &mut files);
            put(
                "tests/module.test.js",
                JAVASCRIPT_TEST.to_owned(),
                &mut files,
            );
            put("package.json", PACKAGE.to_owned(), &mut files);
            files.extend(beside(sdk::JAVASCRIPT));
        }
        Language::Go => {
            put("module.go", GO.to_owned(), &mut files);
            put("module_test.go", GO_TEST.to_owned(), &mut files);
            put("go.mod", GO_MOD.to_owned(), &mut files);
            files.extend(beside(sdk::GO));
        }
    }
    std::fs::create_dir(folder).with_context(|| format!("cannot make `{}`", shown(folder)))?;
    for (name, text) in files {
        let path = folder.join(&name);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, text))
            .with_context(|| format!("cannot write `{}`", shown(&path)))?;
    }
    complain(&format!("`saker module build {}` builds it\n", args.name));
    Ok(())
}
