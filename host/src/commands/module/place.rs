//! What `push`, `pull` and `verify` share: where artefacts are, and who is believed.

use crate::commands::{Failure, usage};
use crate::distribution::layout::Layout;
use crate::distribution::reference::{PlaceName, Reference};
use crate::distribution::registry::Registry;
use crate::distribution::signature::Key;
use crate::distribution::{Error, Place};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::time::Duration;

#[derive(clap::Args)]
pub(super) struct Artefact {
    /// REGISTRY/REPOSITORY[:TAG][@DIGEST], or oci:FOLDER[:TAG] for a folder in the OCI layout
    #[arg(value_name = "REFERENCE")]
    reference: String,
    /// Speak to the registry without TLS, as to one on this machine
    #[arg(long)]
    plain_http: bool,
}

impl Artefact {
    pub(super) fn new(reference: String) -> Artefact {
        Artefact {
            reference,
            plain_http: false,
        }
    }

    pub(super) fn reference(&self) -> Result<Reference, Failure> {
        let parsed = self.reference.parse();
        parsed.map_err(|why| usage(format!("`{}` is no reference: {why}", self.reference)))
    }

    pub(super) fn place(&self, reference: &Reference) -> Result<Box<dyn Place>, Failure> {
        Ok(match &reference.place {
            PlaceName::Folder(path) => Box::new(Layout::new(path)),
            PlaceName::Registry { host, repository } => {
                Box::new(Registry::new(host, repository, self.plain_http)?)
            }
        })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Failed(error.into())
    }
}

pub(super) fn keys(paths: &[PathBuf]) -> Result<Vec<Key>, Failure> {
    let keys: Result<Vec<Key>, Error> = paths.iter().map(|path| Key::read(path)).collect();
    Ok(keys?)
}

/// What is going on, on a terminal, until it is dropped.
pub(super) struct Doing(ProgressBar);

impl Doing {
    pub(super) fn begin(what: String) -> Doing {
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what);
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Doing(bar)
    }
}

impl Drop for Doing {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
