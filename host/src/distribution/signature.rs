//! Who signed something: cosign's signatures by a key pair (ECDSA over P-256 with SHA-256), of
//! artefacts (`cosign sign --key`) and of files (`cosign sign-blob --key`).
//!
//! A signature of an artefact says which manifest was signed, and the manifest which files there
//! are. [`Evidence`] is all of that together: with it beside a file, the file can be believed
//! without the registry, whenever it is loaded.

use super::artefact::{self, Descriptor, Index, Manifest, MediaType};
use super::digest::Digest;
use super::{Error, Place, Which};
use crate::folder::read_named;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Ending of the file that holds a file's signature.
pub const SIGNATURE_ENDING: &str = "sig";
/// Ending of the file that holds a file's [`Evidence`].
pub const EVIDENCE_ENDING: &str = "evidence.json";
/// Neither is larger.
pub const BESIDE_BYTES_MAX: usize = 16 << 20;

/// The annotation of a signature's layer that is the signature.
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// No more signatures of an artefact are looked at.
const SIGNATURES_MAX: usize = 32;
/// No payload that is signed is larger.
const PAYLOAD_BYTES_MAX: usize = 64 << 10;
/// No file of a key is larger.
const KEY_BYTES_MAX: usize = 64 << 10;
/// What stands before the point in the key of a P-256 pair (RFC 5480, SubjectPublicKeyInfo).
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Bytes of a point that is not compressed.
const POINT_BYTES: usize = 65;

/// Somebody's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Where it was read.
    pub path: PathBuf,
    point: [u8; POINT_BYTES],
}

impl Key {
    /// Reads `cosign.pub`, or another in PEM.
    pub fn read(path: &Path) -> Result<Key, Error> {
        let shown = path.display();
        let bytes = read_named(path, KEY_BYTES_MAX)
            .map_err(|why| Error::Place(format!("the key `{shown}` cannot be read: {why}")))?;
        let point = point_of(&bytes).ok_or_else(|| {
            Error::Artefact(format!(
                "`{shown}` is no public key of ECDSA over P-256 in PEM, as cosign makes them"
            ))
        })?;
        Ok(Key {
            path: path.into(),
            point,
        })
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point);
        key.verify(message, signature).is_ok()
    }
}

fn point_of(pem: &[u8]) -> Option<[u8; POINT_BYTES]> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, rest) = text.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(body).ok()?;
    der.strip_prefix(&P256)?.try_into().ok()
}

/// A signature, and what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// What an artefact's signer says, as cosign writes it.
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

impl Signed {
    fn is_about(&self, digest: &Digest) -> bool {
        let payload: Option<Payload> = serde_json::from_slice(&self.payload).ok();
        payload.is_some_and(|payload| {
            payload.critical.kind == "cosign container image signature"
                && payload.critical.image.digest.parse() == Ok(*digest)
        })
    }
}

/// The signatures that a place keeps of an artefact; none if there are none.
pub fn signatures(place: &dyn Place, digest: &Digest) -> Result<Vec<Signed>, Error> {
    let tag = format!("sha256-{}.sig", digest.hexadecimal());
    let found = match artefact::find(place, &Which::Tag(tag)) {
        Ok(found) => found,
        Err(Error::Missing(_)) => return Ok(Vec::new()),
        Err(other) => return Err(other),
    };
    let layers = found.manifest.layers.iter().take(SIGNATURES_MAX);
    let mut signatures = Vec::new();
    for layer in layers.filter(|layer| layer.media_type == MediaType::SIGNED) {
        let signature = layer.annotations.get(SIGNATURE);
        let Some(signature) = signature.and_then(|text| STANDARD.decode(text).ok()) else {
            continue;
        };
        signatures.push(Signed {
            payload: artefact::piece(place, layer, PAYLOAD_BYTES_MAX)?,
            signature,
        });
    }
    Ok(signatures)
}

/// Which of the keys has signed the artefact of that digest.
pub fn signer<'k>(keys: &'k [Key], digest: &Digest, signatures: &[Signed]) -> Option<&'k Key> {
    let about = || signatures.iter().filter(|signed| signed.is_about(digest));
    keys.iter()
        .find(|key| about().any(|signed| key.has_signed(&signed.payload, &signed.signature)))
}

/// Which of the keys has signed a file; `signature` is what `cosign sign-blob` or
/// `openssl dgst -sha256 -sign` gives, in base64 or not.
pub fn blob_signer<'k>(keys: &'k [Key], bytes: &[u8], signature: &[u8]) -> Option<&'k Key> {
    let decoded = STANDARD.decode(signature.trim_ascii());
    let signature = decoded.as_deref().unwrap_or(signature);
    keys.iter().find(|key| key.has_signed(bytes, signature))
}

/// What ties a file to the signatures of the artefact that it came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Manifests from the one that is signed to the one that has the file, in base64.
    manifests: Vec<String>,
    /// What was signed, and how, both in base64.
    signatures: Vec<[String; 2]>,
}

impl Evidence {
    /// That of the files of an artefact.
    pub fn new(found: &artefact::Found, signatures: &[Signed]) -> Evidence {
        let pair = |signed: &Signed| {
            [
                STANDARD.encode(&signed.payload),
                STANDARD.encode(&signed.signature),
            ]
        };
        Evidence {
            manifests: found
                .chain
                .iter()
                .map(|bytes| STANDARD.encode(bytes))
                .collect(),
            signatures: signatures.iter().map(pair).collect(),
        }
    }

    /// As it is kept.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("texts are JSON")
    }

    /// Which of the keys has signed an artefact that holds a file of those bytes.
    pub fn signer<'k>(&self, keys: &'k [Key], bytes: &[u8]) -> Option<&'k Key> {
        let decode = |text: &String| STANDARD.decode(text).ok();
        let manifests: Option<Vec<Vec<u8>>> = self.manifests.iter().map(decode).collect();
        let manifests = manifests?;
        let (last, indexes) = manifests.split_last()?;
        let pieces = |manifest: &[u8]| -> Option<Vec<Descriptor>> {
            let manifest: Manifest = serde_json::from_slice(manifest).ok()?;
            Some(manifest.layers)
        };
        // From the file back to what is signed.
        let mut digest = Digest::of(bytes);
        let holds = |parts: Vec<Descriptor>, digest: &Digest| {
            let mut parts = parts.iter();
            parts.any(|part| part.digest().is_ok_and(|known| known == *digest))
        };
        if !holds(pieces(last)?, &digest) {
            return None;
        }
        digest = Digest::of(last);
        for index in indexes.iter().rev() {
            let listed = Index::parse(index, "the index").ok()?.manifests;
            if !holds(listed, &digest) {
                return None;
            }
            digest = Digest::of(index);
        }
        let signed = self.signatures.iter().take(SIGNATURES_MAX);
        let signed: Vec<Signed> = signed
            .filter_map(|[payload, signature]| {
                Some(Signed {
                    payload: decode(payload)?,
                    signature: decode(signature)?,
                })
            })
            .collect();
        signer(keys, &digest, &signed)
    }
}

/// Whether a file may be loaded, by what lies beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Only what one of the keys has signed is loaded.
    pub is_required: bool,
    /// Who is believed.
    pub keys: Vec<Key>,
}

impl Policy {
    /// Says why a file may not be loaded. `beside` gives the file of its name and that ending
    /// more, if there is one.
    pub fn admits(
        &self,
        bytes: &[u8],
        beside: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<(), String> {
        if !self.is_required {
            return Ok(());
        }
        let (signature, evidence) = (beside(SIGNATURE_ENDING), beside(EVIDENCE_ENDING));
        if signature.is_none() && evidence.is_none() {
            return Err(
                "it is not signed, and `modules.require_signature` wants that: no `.sig` and no \
                 `.evidence.json` lies beside it"
                    .into(),
            );
        }
        let signed = signature.is_some_and(|text| blob_signer(&self.keys, bytes, &text).is_some());
        let proven = || {
            let evidence: Option<Evidence> = serde_json::from_slice(&evidence?).ok();
            evidence?.signer(&self.keys, bytes).map(|_| ())
        };
        match signed || proven().is_some() {
            true => Ok(()),
            false => Err("none of `modules.keys` has signed it".into()),
        }
    }
}
