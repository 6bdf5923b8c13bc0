//! `saker module pull` and `verify`: an artefact's files from a registry or a folder, and who
//! signed it.

use super::place::{Artefact, Doing, keys};
use crate::commands::{Failure, print, shown};
use crate::distribution::artefact::{self, File, Found, Kind, MediaType};
use crate::distribution::reference::Reference;
use crate::distribution::signature::{self, EVIDENCE_ENDING, Evidence, Key, Signed};
use crate::distribution::{Error, Place};
use crate::folder::write_whole;
use anyhow::{Context, anyhow};
use saker_rules_compiler::speaks;
use serde::Deserialize;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// What an artefact says of itself is no larger.
const CONFIG_BYTES_MAX: usize = 1 << 20;

#[derive(clap::Args)]
pub(crate) struct PullArgs {
    #[command(flatten)]
    artefact: Artefact,
    /// The folder that its files go to
    #[arg(short = 'd', long, value_name = "FOLDER", default_value = ".")]
    directory: PathBuf,
    /// Only if the owner of this public key signed it (`cosign sign --key`); may be repeated
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    artefact: Artefact,
    /// The public key of who is to have signed it; may be repeated
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// An artefact that was found where it was looked for.
struct Looked {
    reference: Reference,
    place: Box<dyn Place>,
    found: Found,
    signatures: Vec<Signed>,
}

fn look(artefact: &Artefact) -> Result<Looked, Failure> {
    let reference = artefact.reference()?;
    let place = artefact.place(&reference)?;
    let found = artefact::find(&*place, &reference.which())?;
    let signatures = signature::signatures(&*place, &found.digest)?;
    Ok(Looked {
        reference,
        place,
        found,
        signatures,
    })
}

impl Looked {
    fn signer<'k>(&self, keys: &'k [Key]) -> Result<&'k Key, Failure> {
        let digest = &self.found.digest;
        signature::signer(keys, digest, &self.signatures).ok_or_else(|| {
            let why = match self.signatures.len() {
                0 => "nobody has signed it".to_owned(),
                1 => "it has one signature, which is by none of the keys".to_owned(),
                more => format!("it has {more} signatures, which are by none of the keys"),
            };
            anyhow!("{} ({digest}) is not believed: {why}", self.reference).into()
        })
    }
}

pub(crate) fn verify(args: VerifyArgs) -> Result<(), Failure> {
    let keys = keys(&args.key)?;
    let doing = Doing::begin("asking for signatures".into());
    let looked = look(&args.artefact)?;
    drop(doing);
    let signer = looked.signer(&keys)?;
    let digest = looked.found.digest;
    match args.json {
        true => {
            let told = serde_json::json!({
                "reference": looked.reference.to_string(),
                "digest": digest.to_string(),
                "key": shown(&signer.path),
            });
            print(&format!("{told}\n"))
        }
        false => print(&format!(
            "{}\ndigest {digest}\nsigned by the owner of {}\n",
            looked.reference,
            shown(&signer.path)
        )),
    }
}

pub(crate) fn pull(args: PullArgs) -> Result<(), Failure> {
    let keys = keys(&args.key)?;
    let doing = Doing::begin(format!("pulling {}", args.artefact.reference()?));
    let looked = look(&args.artefact)?;
    // Before anything more is fetched.
    let signer = match keys.is_empty() {
        true => None,
        false => Some(looked.signer(&keys)?),
    };
    let stem = looked.reference.stem();
    let manifest = &looked.found.manifest;
    let (kind, files) = artefact::files(&*looked.place, manifest, &stem)?;
    if kind == Kind::Rules {
        speaks_their_language(&looked)?;
    }
    drop(doing);
    let mut written = Vec::new();
    // The evidence first: the file may be waited for.
    if kind == Kind::Module && !looked.signatures.is_empty() {
        let evidence = Evidence::new(&looked.found, &looked.signatures).bytes();
        for file in &files {
            let name = format!("{}.{EVIDENCE_ENDING}", file.name);
            written.push(write(&args, &name, &evidence)?);
        }
    }
    for File { name, bytes } in &files {
        written.push(write(&args, name, bytes)?);
    }
    let digest = looked.found.digest;
    if args.json {
        let told = serde_json::json!({
            "reference": looked.reference.to_string(),
            "digest": digest.to_string(),
            "files": written.iter().map(|path| shown(path)).collect::<Vec<_>>(),
            "key": signer.map(|key| shown(&key.path)),
        });
        return print(&format!("{told}\n"));
    }
    let mut text = format!("pulled {}\ndigest {digest}\n", looked.reference);
    if let Some(key) = signer {
        text += &format!("signed by the owner of {}\n", shown(&key.path));
    }
    for path in &written {
        text += &format!("wrote {}\n", shown(path));
    }
    print(&text)
}

fn write(args: &PullArgs, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
    let folder = &args.directory;
    // Only what Saker's user alone can write to is read as a folder of modules.
    let made = DirBuilder::new().recursive(true).mode(0o755).create(folder);
    made.with_context(|| format!("cannot make the folder `{}`", shown(folder)))?;
    let path = folder.join(name);
    write_whole(&path, bytes).with_context(|| format!("cannot write `{}`", shown(&path)))?;
    Ok(path)
}

/// Whether rules are made for an engine that speaks no more than Saker does, as they say.
fn speaks_their_language(looked: &Looked) -> Result<(), Failure> {
    #[derive(Deserialize, Default)]
    struct Config {
        #[serde(default)]
        requirements: Vec<Requirement>,
    }
    #[derive(Deserialize)]
    struct Requirement {
        name: String,
        version: String,
    }
    let config = &looked.found.manifest.config;
    if config.media_type != MediaType::RULES_CONFIG {
        return Ok(());
    }
    let bytes = artefact::piece(&*looked.place, config, CONFIG_BYTES_MAX)?;
    let config: Config = serde_json::from_slice(&bytes).map_err(|error| {
        Error::Artefact(format!(
            "what the rules say of themselves is no JSON: {error}"
        ))
    })?;
    for needed in &config.requirements {
        let is_engine = matches!(
            needed.name.as_str(),
            "engine_version" | "engine_version_semver"
        );
        if is_engine && !speaks(&needed.version) {
            return Err(anyhow!(
                "the rules need version {} of Falco's engine, which is newer than what Saker \
                 speaks",
                needed.version
            )
            .into());
        }
    }
    Ok(())
}
