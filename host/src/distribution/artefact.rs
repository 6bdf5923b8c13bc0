//! What artefacts are made of (OCI image manifests), and the two kinds that Saker has a use for:
//! a module, laid out as the CNCF's Wasm artefacts are, and rules, as Falco's `rulesfile`s are.

use super::digest::Digest;
use super::{BLOB_BYTES_MAX, Error, MANIFEST_BYTES_MAX, Place, Which};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Component, Path};

/// Names of what pieces hold.
pub struct MediaType;

impl MediaType {
    /// An image's manifest (OCI image specification).
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// A list of manifests.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// What a Wasm artefact says of its component (CNCF, Wasm OCI artefact layout).
    pub const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
    /// The component.
    pub const WASM: &str = "application/wasm";
    /// What Falco's rules say of themselves.
    pub const RULES_CONFIG: &str = "application/vnd.cncf.falco.rulesfile.config.v1+json";
    /// The rules, packed.
    pub const RULES: &str = "application/vnd.cncf.falco.rulesfile.layer.v1+tar.gz";
    /// What is signed, as cosign has it.
    pub const SIGNED: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
}

/// The annotation that is a piece's file name.
const TITLE: &str = "org.opencontainers.image.title";
/// No more manifests stand in an index.
const MANIFESTS_MAX: usize = 64;
/// No more pieces make an artefact.
const LAYERS_MAX: usize = 64;
/// No more rule files come out of one.
const FILES_MAX: usize = 64;
/// Bytes of all of them, unpacked.
const RULES_BYTES_MAX: u64 = 16 << 20;

/// A piece, by what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it holds.
    pub media_type: String,
    /// Its digest, as its manifest has it.
    digest: String,
    /// Its bytes.
    pub size: u64,
    /// What is said of it besides.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// That of those bytes.
    pub fn of(bytes: &[u8], media_type: &str) -> Descriptor {
        Descriptor {
            media_type: media_type.into(),
            digest: Digest::of(bytes).to_string(),
            size: bytes.len() as u64,
            annotations: BTreeMap::new(),
        }
    }

    /// Its digest.
    pub fn digest(&self) -> Result<Digest, Error> {
        self.digest
            .parse()
            .map_err(|()| Error::Artefact(format!("`{}` is no digest by SHA-256", self.digest)))
    }
}

/// A list of manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// 2.
    schema_version: u32,
    /// [`MediaType::INDEX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifests.
    pub manifests: Vec<Descriptor>,
}

impl Index {
    /// Reads one; `what` is its name.
    pub fn parse(bytes: &[u8], what: &str) -> Result<Index, Error> {
        let index: Index = parsed(bytes, what)?;
        match index.manifests.len() > MANIFESTS_MAX {
            true => Err(Error::Artefact(format!(
                "{what} lists more than {MANIFESTS_MAX} manifests"
            ))),
            false => Ok(index),
        }
    }

    /// As it is written.
    pub fn bytes(&self) -> Vec<u8> {
        let index = Index {
            schema_version: 2,
            ..self.clone()
        };
        serde_json::to_vec(&index).expect("texts and numbers are JSON")
    }
}

/// What an artefact consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// 2.
    schema_version: u32,
    /// [`MediaType::MANIFEST`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    /// What it says of itself.
    pub config: Descriptor,
    /// What it holds.
    pub layers: Vec<Descriptor>,
    /// What is said of it besides.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

fn parsed<'b, T: Deserialize<'b>>(bytes: &'b [u8], what: &str) -> Result<T, Error> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::Artefact(format!("{what} is not what it ought to be: {error}")))
}

/// A manifest that was found, and the way to it.
#[derive(Clone, Debug)]
pub struct Found {
    /// The digest that was asked for, or that the tag means now: what is signed.
    pub digest: Digest,
    /// The manifest's bytes; before them, if there is one, its index's.
    pub chain: Vec<Vec<u8>>,
    /// The manifest.
    pub manifest: Manifest,
}

/// Asks for a manifest, through an index if that is what is there.
pub fn find(place: &dyn Place, which: &Which) -> Result<Found, Error> {
    let bytes = checked_manifest(place, which)?;
    let digest = Digest::of(&bytes);
    let what = format!("the manifest `{which}`");
    #[derive(Deserialize)]
    struct Kind {
        #[serde(default)]
        manifests: Option<serde::de::IgnoredAny>,
    }
    let kind: Kind = parsed(&bytes, &what)?;
    let mut chain = vec![bytes];
    if kind.manifests.is_some() {
        let index = Index::parse(&chain[0], &what)?;
        // Neither modules nor rules are made for one kind of machine.
        let first = index.manifests.first();
        let first = first.ok_or_else(|| Error::Artefact(format!("{what} lists nothing")))?;
        chain.push(checked_manifest(place, &Which::Digest(first.digest()?))?);
    }
    let last = chain.last().expect("there is one");
    let manifest: Manifest = parsed(last, &what)?;
    if manifest.layers.len() > LAYERS_MAX {
        return Err(Error::Artefact(format!(
            "{what} has more than {LAYERS_MAX} layers"
        )));
    }
    Ok(Found {
        digest,
        chain,
        manifest,
    })
}

fn checked_manifest(place: &dyn Place, which: &Which) -> Result<Vec<u8>, Error> {
    let bytes = place.manifest(which)?;
    let what = || format!("the manifest `{which}`");
    if bytes.len() > MANIFEST_BYTES_MAX {
        return Err(Error::TooLarge(what(), MANIFEST_BYTES_MAX >> 10));
    }
    match which {
        Which::Digest(asked) => checked(bytes, *asked, what),
        Which::Tag(_) => Ok(bytes),
    }
}

fn checked(bytes: Vec<u8>, asked: Digest, what: impl Fn() -> String) -> Result<Vec<u8>, Error> {
    let found = Digest::of(&bytes);
    match found == asked {
        true => Ok(bytes),
        false => Err(Error::Digest {
            what: what(),
            found,
            asked,
        }),
    }
}

/// A piece, which has the length and the digest that its manifest says.
pub fn piece(place: &dyn Place, piece: &Descriptor, bytes_max: usize) -> Result<Vec<u8>, Error> {
    let digest = piece.digest()?;
    let what = || format!("the piece {digest}");
    let size = usize::try_from(piece.size).ok();
    let Some(size) = size.filter(|size| *size <= bytes_max) else {
        return Err(Error::TooLarge(what(), bytes_max >> 10));
    };
    checked(place.blob(&digest, size)?, digest, what)
}

/// A file of an artefact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name: no path, and no name that begins with a dot.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// What an artefact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A module.
    Module,
    /// Rules.
    Rules,
}

/// What kind an artefact is of, and its files; `stem` names those that have no name.
pub fn files(
    place: &dyn Place,
    manifest: &Manifest,
    stem: &str,
) -> Result<(Kind, Vec<File>), Error> {
    let of = |media_type: &str| {
        let mut layers = manifest.layers.iter();
        layers.find(|layer| layer.media_type == media_type)
    };
    if let Some(layer) = of(MediaType::WASM) {
        let title = layer.annotations.get(TITLE);
        let title = title.filter(|title| title.ends_with(".wasm"));
        let name = title.map_or_else(|| format!("{stem}.wasm"), String::clone);
        let bytes = piece(place, layer, BLOB_BYTES_MAX)?;
        let name = plain_name(&name)?;
        return Ok((Kind::Module, vec![File { name, bytes }]));
    }
    if let Some(layer) = of(MediaType::RULES) {
        let packed = piece(place, layer, BLOB_BYTES_MAX)?;
        return Ok((Kind::Rules, unpacked(&packed)?));
    }
    let held: Vec<&str> = manifest
        .layers
        .iter()
        .map(|layer| &*layer.media_type)
        .collect();
    Err(Error::Artefact(format!(
        "it is neither a module nor rules: it holds {}",
        match held.as_slice() {
            [] => "nothing".into(),
            held => held.join(", "),
        }
    )))
}

/// A name that stays where it is put, and is not hidden there.
fn plain_name(name: &str) -> Result<String, Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    match (1..=128).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with(['.', '-'])
    {
        true => Ok(name.into()),
        false => Err(Error::Artefact(format!(
            "`{}` is no name for a file",
            name.escape_default()
        ))),
    }
}

/// The rule files of a packed archive.
fn unpacked(packed: &[u8]) -> Result<Vec<File>, Error> {
    let broken =
        |error: std::io::Error| Error::Artefact(format!("the rules' archive is broken: {error}"));
    let mut archive = tar::Archive::new(GzDecoder::new(packed).take(RULES_BYTES_MAX));
    let mut files: Vec<File> = Vec::new();
    for entry in archive.entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(broken)?;
        let is_rules = |path: &Path| {
            let ending = path.extension().and_then(|ending| ending.to_str());
            ending.is_some_and(|ending| matches!(ending, "yaml" | "yml"))
        };
        if !is_rules(&path) {
            continue;
        }
        // Where it lay is of no interest; only where it would go.
        let name = match path.components().next_back() {
            Some(Component::Normal(name)) => plain_name(&name.to_string_lossy())?,
            _ => continue,
        };
        if files.len() == FILES_MAX {
            return Err(Error::Artefact(format!(
                "the archive holds more than {FILES_MAX} rule files"
            )));
        }
        if files.iter().any(|file| file.name == name) {
            return Err(Error::Artefact(format!(
                "the archive holds two files named `{name}`"
            )));
        }
        let size = entry.size();
        let mut bytes = Vec::new();
        entry
            .take(RULES_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(broken)?;
        if bytes.len() as u64 != size {
            return Err(Error::TooLarge(
                "the rules' archive".into(),
                RULES_BYTES_MAX as usize >> 10,
            ));
        }
        files.push(File { name, bytes });
    }
    match files.is_empty() {
        true => Err(Error::Artefact("the archive holds no rule file".into())),
        false => Ok(files),
    }
}

/// An artefact to be kept somewhere.
#[derive(Clone, Debug)]
pub struct Packed {
    /// Its manifest.
    pub manifest: Vec<u8>,
    /// The pieces: what it says of itself, and what it holds.
    pub pieces: [Vec<u8>; 2],
}

impl Packed {
    /// Of a module's file. `imports` and `exports` are its component's.
    pub fn module(name: &str, wasm: &[u8], imports: &[String], exports: &[String]) -> Packed {
        let config = serde_json::json!({
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [Digest::of(wasm).to_string()],
            "component": {"imports": imports, "exports": exports},
        });
        let media_types = [MediaType::WASM_CONFIG, MediaType::WASM];
        Packed::of(name, media_types, &config, wasm.to_vec())
    }

    /// Of a file of rules; `engine` is the version of Falco's engine that they need, if they say.
    pub fn rules(name: &str, version: &str, yaml: &[u8], engine: Option<&str>) -> Packed {
        let requirements: Vec<_> = engine
            .iter()
            .map(|version| serde_json::json!({"name": "engine_version_semver", "version": version}))
            .collect();
        let config = serde_json::json!({
            "name": name.rsplit_once('.').map_or(name, |(stem, _)| stem),
            "version": version,
            "requirements": requirements,
        });
        // Nothing of when or by whom it was packed, so that the same rules are the same artefact.
        let mut header = tar::Header::new_ustar();
        header.set_size(yaml.len() as u64);
        header.set_mode(0o644);
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        const MEMORY: &str = "memory takes all that is written";
        archive
            .append_data(&mut header, name, yaml)
            .expect("the name was held against what names are");
        let mut packed = archive.into_inner().expect(MEMORY);
        packed.flush().expect(MEMORY);
        let layer = packed.finish().expect(MEMORY);
        let media_types = [MediaType::RULES_CONFIG, MediaType::RULES];
        Packed::of(name, media_types, &config, layer)
    }

    fn of(
        name: &str,
        [config_type, layer_type]: [&str; 2],
        config: &serde_json::Value,
        layer: Vec<u8>,
    ) -> Packed {
        let config = config.to_string().into_bytes();
        let mut held = Descriptor::of(&layer, layer_type);
        held.annotations.insert(TITLE.into(), name.into());
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(MediaType::MANIFEST.into()),
            config: Descriptor::of(&config, config_type),
            layers: vec![held],
            annotations: BTreeMap::new(),
        };
        Packed {
            manifest: serde_json::to_vec(&manifest).expect("texts and numbers are JSON"),
            pieces: [config, layer],
        }
    }

    /// Keeps it under a tag, and tells by which digest it is known there.
    pub fn put(&self, place: &dyn Place, tag: &str) -> Result<Digest, Error> {
        for piece in &self.pieces {
            place.put_blob(piece)?;
        }
        place.put_manifest(tag, MediaType::MANIFEST, &self.manifest)?;
        Ok(Digest::of(&self.manifest))
    }
}

/// A file's name, if an artefact may hold a file of that name.
pub fn file_name(path: &Path) -> Result<String, Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    plain_name(&name)
}
