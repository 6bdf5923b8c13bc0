//! `saker module push` and `pack`: a module, or rules, to a registry or a folder.

use super::place::{Artefact, Doing};
use crate::commands::{Failure, print, shown, usage};
use crate::distribution::BLOB_BYTES_MAX;
use crate::distribution::artefact::{Packed, file_name};
use crate::folder::read_named;
use crate::sandbox::component::{exports, imports};
use anyhow::{Context, anyhow};
use saker_rules_compiler::{Source, describe};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The module (.wasm), or a file of rules (.yaml)
    file: PathBuf,
    #[command(flatten)]
    artefact: Artefact,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct PackArgs {
    /// The module (.wasm), or a file of rules (.yaml)
    file: PathBuf,
    /// The folder, which need not be there yet
    #[arg(short, long, value_name = "FOLDER", default_value = "oci")]
    output: PathBuf,
    /// What it is called there
    #[arg(short, long, default_value = "latest")]
    tag: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn pack(args: PackArgs) -> Result<(), Failure> {
    run(Args {
        file: args.file,
        artefact: Artefact::new(format!("oci:{}:{}", args.output.display(), args.tag)),
        json: args.json,
    })
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let reference = args.artefact.reference()?;
    if reference.digest.is_some() {
        return Err(usage(
            "what is pushed has the digest that it has".to_owned(),
        ));
    }
    let packed = packed(&args.file, &reference.tag)?;
    let place = args.artefact.place(&reference)?;
    let doing = Doing::begin(format!("pushing to {reference}"));
    let digest = packed.put(&*place, &reference.tag)?;
    drop(doing);
    match args.json {
        true => {
            let told = serde_json::json!({
                "reference": reference.to_string(),
                "digest": digest.to_string(),
            });
            print(&format!("{told}\n"))
        }
        false => print(&format!("pushed {reference}\ndigest {digest}\n")),
    }
}

fn packed(file: &Path, version: &str) -> Result<Packed, Failure> {
    let bytes = read_named(file, BLOB_BYTES_MAX);
    let bytes = bytes.with_context(|| format!("cannot read `{}`", shown(file)))?;
    let name = file_name(file)?;
    if bytes.starts_with(b"\0asm") {
        return Ok(Packed::module(
            &name,
            &bytes,
            &imports(&bytes),
            &exports(&bytes),
        ));
    }
    if !name.ends_with(".yaml") && !name.ends_with(".yml") {
        return Err(anyhow!(
            "`{}` is neither a module nor rules by its name",
            shown(file)
        )
        .into());
    }
    let text =
        String::from_utf8(bytes).map_err(|_| anyhow!("`{}` is no text in UTF-8", shown(file)))?;
    let source = Source {
        name: shown(file),
        text,
    };
    let described = describe(std::slice::from_ref(&source));
    let Some(listing) = described.listing else {
        return Err(anyhow!(
            "`{}` is not pushed: `saker check` finds mistakes in it",
            shown(file)
        )
        .into());
    };
    let engine = listing.required_engine_version;
    Ok(Packed::rules(
        &name,
        version,
        source.text.as_bytes(),
        (!engine.is_empty()).then_some(&*engine),
    ))
}
