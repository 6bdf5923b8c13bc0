//! How artefacts are named: `registry/repository:tag@digest`, or `oci:folder:tag`.

use super::Which;
use super::digest::Digest;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// The tag where none is named.
const LATEST: &str = "latest";

/// An artefact by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Where it is.
    pub place: PlaceName,
    /// What it is called there.
    pub tag: String,
    /// What it must be, whatever it is called.
    pub digest: Option<Digest>,
}

/// A place by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceName {
    /// A repository of a registry.
    Registry {
        /// Host, and port if there is one.
        host: String,
        /// Path below it.
        repository: String,
    },
    /// A folder in the OCI layout.
    Folder(PathBuf),
}

impl Reference {
    /// What to ask the place for.
    pub fn which(&self) -> Which {
        match self.digest {
            Some(digest) => Which::Digest(digest),
            None => Which::Tag(self.tag.clone()),
        }
    }

    /// What files of it are called where it says nothing itself.
    pub fn stem(&self) -> String {
        let last = match &self.place {
            PlaceName::Registry { repository, .. } => repository.rsplit('/').next(),
            PlaceName::Folder(path) => path.file_name().and_then(|name| name.to_str()),
        };
        last.unwrap_or("module").to_owned()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            PlaceName::Registry { host, repository } => write!(f, "{host}/{repository}")?,
            PlaceName::Folder(path) => write!(f, "oci:{}", path.display())?,
        }
        write!(f, ":{}", self.tag)?;
        match self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Reference, String> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => {
                let digest = digest.parse();
                let digest = digest.map_err(|()| "a digest is `sha256:` and 64 digits")?;
                (name, Some(digest))
            }
            None => (text, None),
        };
        // A port's colon stands before a slash.
        let (name, tag) = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') && name != "oci" => (name, tag),
            _ => (name, LATEST),
        };
        if !is_tag(tag) {
            return Err(format!("`{tag}` is no tag"));
        }
        let place = match name.strip_prefix("oci:") {
            Some("") => return Err("name a folder behind `oci:`".into()),
            Some(path) => PlaceName::Folder(path.into()),
            None => {
                let (host, repository) = name.split_once('/').unwrap_or((name, ""));
                let is_host = host.contains(['.', ':']) || host == "localhost";
                if !is_host {
                    return Err(
                        "name the registry too, for example `ghcr.io/team/beacon:1.0`".into(),
                    );
                }
                if !is_repository(repository) {
                    return Err(format!("`{repository}` is no repository of a registry"));
                }
                PlaceName::Registry {
                    host: host.into(),
                    repository: repository.into(),
                }
            }
        };
        Ok(Reference {
            place,
            tag: tag.into(),
            digest,
        })
    }
}

/// As OCI's distribution has it: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
fn is_tag(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(is_part) && !text.starts_with(['.', '-'])
}

/// As OCI's distribution has it, a little stricter: no part begins or ends with a separator.
fn is_repository(text: &str) -> bool {
    let is_part = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let inner = |byte: u8| plain(byte) || matches!(byte, b'_' | b'.' | b'-');
        part.bytes().all(inner)
            && part.bytes().next().is_some_and(plain)
            && part.bytes().next_back().is_some_and(plain)
    };
    text.len() <= 255 && text.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_a_place_a_tag_and_a_digest() {
        let digest = Digest::of(b"x");
        for (text, shown) in [
            ("ghcr.io/a/b", "ghcr.io/a/b:latest".to_owned()),
            ("127.0.0.1:5000/b:1.0", "127.0.0.1:5000/b:1.0".into()),
            ("localhost/b", "localhost/b:latest".into()),
            ("oci:some/folder", "oci:some/folder:latest".into()),
            ("oci:folder:1.0", "oci:folder:1.0".into()),
            (
                &format!("ghcr.io/a/b@{digest}"),
                format!("ghcr.io/a/b:latest@{digest}"),
            ),
        ] {
            let reference: Reference = text.parse().expect(text);
            assert_eq!(reference.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "",
            "beacon",
            "team/beacon",
            "ghcr.io",
            "ghcr.io/",
            "ghcr.io/A",
            "ghcr.io/a//b",
            "ghcr.io/../b",
            "ghcr.io/a:",
            "ghcr.io/a:.x",
            "ghcr.io/a?x=1",
            "ghcr.io/a@sha256:1",
            "oci:",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
