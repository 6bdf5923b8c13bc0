//! What goes to the judging process beside the line: packets over a socket, and modules with
//! their native code as files without a name that nobody can change.

use super::Install;
use super::keeper::{News, ToKeeper, Voice};
use super::recent::Recent;
use crate::sandbox::child::sealed;
use crate::sandbox::instance::engine;
use crate::sandbox::message::{FromJudge, RulesetImage};
use crate::sandbox::native::Kind;
use crate::sandbox::validate::validate;
use crate::sandbox::{Compiler, Limits};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// No packet is longer.
pub(super) const PACKET_BYTES_MAX: usize = 16 << 10;
/// Words about why a ruleset cannot be had.
pub(super) const WORDS_BYTES_MAX: usize = 8 << 10;

/// A packet to the process.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Told {
    /// With it: the window, the line and the bell.
    Begin,
    /// So many rulesets follow.
    Epoch { epoch: u32, rulesets: u32 },
    /// With it: the module, which is Wasm and then native code, and how it is set up.
    Ruleset {
        digest: [u8; 32],
        wasm_bytes: u64,
        code_bytes: u64,
        setup_bytes: u64,
    },
}

/// A packet from the process.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Said {
    /// It has no rights any more, and waits for windows.
    Ready,
    Installed {
        epoch: u32,
    },
    Refused {
        epoch: u32,
        ruleset: u32,
        error: String,
    },
}

/// A module as the process gets it.
#[derive(Debug)]
pub(super) struct Module {
    file: OwnedFd,
    digest: [u8; 32],
    wasm_bytes: u64,
    code_bytes: u64,
    /// How many rules it has.
    pub(super) rules: u32,
}

/// A ruleset as the process gets it.
#[derive(Debug)]
pub(super) struct Ruleset {
    pub(super) module: Arc<Module>,
    setup: OwnedFd,
    setup_bytes: u64,
}

impl Ruleset {
    /// The packet, and what goes with it.
    pub(super) fn packet(&self) -> (Told, [BorrowedFd<'_>; 2]) {
        let told = Told::Ruleset {
            digest: self.module.digest,
            wasm_bytes: self.module.wasm_bytes,
            code_bytes: self.module.code_bytes,
            setup_bytes: self.setup_bytes,
        };
        (told, [self.module.file.as_fd(), self.setup.as_fd()])
    }
}

/// An epoch as the process gets it.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) epoch: u32,
    pub(super) rulesets: Vec<Ruleset>,
}

/// The life of the thread that has rulesets compiled for the process.
pub(super) fn pack(installs: &Receiver<Install>, limits: Limits, compiler: &Compiler, to: &Voice) {
    let mut recent = Recent::default();
    while let Ok(Install::Epoch { epoch, rulesets }) = installs.recv() {
        let packed = catch_unwind(AssertUnwindSafe(|| {
            parcel(epoch, &rulesets, &limits, compiler, &mut recent)
        }));
        let packed =
            packed.unwrap_or_else(|_| Err((0, "the compiler of Wasm code panicked".into())));
        let is_heard = match packed {
            Ok(parcel) => to.order(ToKeeper::Install(Arc::new(parcel))),
            Err((ruleset, error)) => to.tell(News::Said(FromJudge::Refused {
                epoch,
                ruleset,
                error,
            })),
        };
        if !is_heard {
            return;
        }
    }
}

fn parcel(
    epoch: u32,
    images: &[RulesetImage],
    limits: &Limits,
    compiler: &Compiler,
    recent: &mut Recent<Arc<Module>>,
) -> Result<Parcel, (u32, String)> {
    let mut rulesets = Vec::new();
    for (index, image) in images.iter().enumerate() {
        let digest = blake3::hash(&image.wasm);
        let module = recent.module(digest, image.wasm.len(), || {
            compiled(&image.wasm, digest, limits, compiler).map(Arc::new)
        });
        let ruleset = module.and_then(|module| {
            let setup = RulesetImage {
                wasm: Vec::new(),
                enabled: image.enabled.clone(),
                literal_ids: image.literal_ids.clone(),
                ..*image
            };
            let setup = postcard::to_stdvec(&setup).map_err(|error| error.to_string())?;
            Ok(Ruleset {
                module,
                setup: sealed(&[&setup]).map_err(|error| error.to_string())?,
                setup_bytes: setup.len() as u64,
            })
        });
        rulesets.push(ruleset.map_err(|error: String| (index as u32, error))?);
    }
    Ok(Parcel { epoch, rulesets })
}

fn compiled(
    wasm: &[u8],
    digest: blake3::Hash,
    limits: &Limits,
    compiler: &Compiler,
) -> Result<Module, String> {
    // What is not admitted is not compiled either.
    let manifest = validate(wasm).map_err(|refusal| refusal.to_string())?;
    let engine = engine(limits).map_err(|error| format!("{error:#}"))?;
    let code = compiler.code(&engine, &limits.recipe(), Kind::Ruleset, wasm);
    let code = code.map_err(|error| error.to_string())?;
    let file = sealed(&[wasm, &code]).map_err(|error| error.to_string())?;
    Ok(Module {
        file,
        digest: *digest.as_bytes(),
        wasm_bytes: wasm.len() as u64,
        code_bytes: code.len() as u64,
        rules: u32::try_from(manifest.rules.len()).unwrap_or(u32::MAX),
    })
}
