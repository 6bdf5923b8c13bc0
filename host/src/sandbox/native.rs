//! Native code of modules: as it was kept, or compiled now, here or [apart]. How it is kept is
//! `cache`'s to say; which module may be compiled at all, `validate`'s and `component::admit`'s.

mod apart;

pub use apart::{Apart, COMMAND, compile_for_parent};

use super::cache::{Cache, Key, Refused};
use super::{component, instance};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// Makes native code of Wasm. By default in this process, and keeps none: for what is trusted.
#[derive(Debug, Default)]
pub struct Compiler {
    cache: Option<Cache>,
    apart: Option<Apart>,
}

/// What is made native: the same bytes make another thing of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Ruleset,
    Component,
}

impl Kind {
    /// The serialised native code.
    fn precompiled(self, engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Vec<u8>> {
        match self {
            Kind::Ruleset => engine.precompile_module(wasm),
            Kind::Component => engine.precompile_component(wasm),
        }
    }
}

/// What is to be known of an engine to make the same in another process, and how long it may
/// take to compile by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    /// Code counts its fuel.
    pub(crate) counts_fuel: bool,
    pub(crate) stack_bytes_max: usize,
    /// The process that compiles apart has so much, of the wall's time and the processor's.
    pub(crate) seconds: u64,
}

impl Recipe {
    fn engine(&self, kind: Kind) -> wasmtime::Result<Engine> {
        match kind {
            Kind::Ruleset => instance::engine_by(self),
            Kind::Component => component::engine_by(self),
        }
    }
}

/// Why there is no native code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotCompiled {
    #[error("{0}")]
    Refused(String),
    #[error("it takes longer than {} s of CPU time", .0.as_secs())]
    Late(Duration),
    #[error("its native code is larger than any may be")]
    TooLarge,
    #[error("the process that compiled it died: {0}")]
    Died(String),
    #[error("no process can compile it: {0}")]
    Unstarted(std::io::Error),
}

impl From<wasmtime::Error> for NotCompiled {
    fn from(error: wasmtime::Error) -> NotCompiled {
        NotCompiled::Refused(format!("{error:#}"))
    }
}

/// What Wasm becomes.
pub(crate) trait Native: Sized {
    const KIND: Kind;

    fn compiled(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Self>;

    fn serialized(&self) -> wasmtime::Result<Vec<u8>>;

    /// # Safety
    /// The bytes are what [`serialized`](Self::serialized) gave, unchanged: what they say is run.
    unsafe fn deserialized(engine: &Engine, code: &[u8]) -> wasmtime::Result<Self>;
}

impl Native for Module {
    const KIND: Kind = Kind::Ruleset;

    fn compiled(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Module> {
        Module::from_binary(engine, wasm)
    }

    fn serialized(&self) -> wasmtime::Result<Vec<u8>> {
        self.serialize()
    }

    unsafe fn deserialized(engine: &Engine, code: &[u8]) -> wasmtime::Result<Module> {
        // SAFETY: promised by the caller.
        unsafe { Module::deserialize(engine, code) }
    }
}

impl Native for Component {
    const KIND: Kind = Kind::Component;

    fn compiled(engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Component> {
        Component::from_binary(engine, wasm)
    }

    fn serialized(&self) -> wasmtime::Result<Vec<u8>> {
        self.serialize()
    }

    unsafe fn deserialized(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
        // SAFETY: promised by the caller.
        unsafe { Component::deserialize(engine, code) }
    }
}

impl Compiler {
    /// One that has a process of its own compile what comes.
    pub fn apart(apart: Apart) -> Compiler {
        Compiler {
            apart: Some(apart),
            cache: None,
        }
    }

    /// The same, which keeps what it made in that directory, and looks there first.
    pub fn keeping(self, cache: Cache) -> Compiler {
        Compiler {
            cache: Some(cache),
            ..self
        }
    }

    /// What is kept, if anything is.
    pub fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// A module or component for an engine that was made by that recipe.
    pub(crate) fn native<T: Native>(
        &self,
        engine: &Engine,
        recipe: &Recipe,
        wasm: &[u8],
    ) -> Result<T, NotCompiled> {
        let Some(cache) = &self.cache else {
            let (native, _) = self.made(engine, recipe, wasm)?;
            return Ok(native);
        };
        let key = Key::of(engine, T::KIND, wasm);
        match kept(cache, engine, &key) {
            Ok(Some(native)) => {
                cache.take(&key);
                return Ok(native);
            }
            Ok(None) => {}
            Err(why) => cache.refuse(&key, why),
        }
        let (native, code) = self.made::<T>(engine, recipe, wasm)?;
        let code = code.map_or_else(|| native.serialized(), Ok);
        let kept = code
            .map_err(|error| format!("{error:#}"))
            .and_then(|code| cache.keep(&key, &code).map_err(|error| error.to_string()));
        if let Err(error) = kept {
            tracing::warn!("native code is not kept for the next time: {error}");
        }
        Ok(native)
    }

    /// The serialised native code of a module, for a process that runs it; here it is not.
    pub(crate) fn code(
        &self,
        engine: &Engine,
        recipe: &Recipe,
        kind: Kind,
        wasm: &[u8],
    ) -> Result<Vec<u8>, NotCompiled> {
        let key = Key::of(engine, kind, wasm);
        if let Some(cache) = &self.cache {
            match cache.load(&key) {
                Ok(Some(code)) => {
                    cache.take(&key);
                    return Ok(code);
                }
                Ok(None) => {}
                Err(why) => cache.refuse(&key, why),
            }
        }
        let code = match &self.apart {
            Some(apart) => apart.compile(kind, recipe, wasm)?,
            None => kind.precompiled(engine, wasm)?,
        };
        if let Some(cache) = &self.cache
            && let Err(error) = cache.keep(&key, &code)
        {
            tracing::warn!("native code is not kept for the next time: {error}");
        }
        Ok(code)
    }

    /// Compiles; beside it the serialised code, if there is any.
    fn made<T: Native>(
        &self,
        engine: &Engine,
        recipe: &Recipe,
        wasm: &[u8],
    ) -> Result<(T, Option<Vec<u8>>), NotCompiled> {
        let Some(apart) = &self.apart else {
            return Ok((T::compiled(engine, wasm)?, None));
        };
        let code = apart.compile(T::KIND, recipe, wasm)?;
        // SAFETY: these are bytes that wasmtime serialised, unchanged: they came whole over a
        // pipe whose other end only a process of this very program had, for an engine made by
        // the same recipe. What that process worked on is a stranger's; should that have taken
        // it over, it could answer what it likes, as it could do what it likes had the compiler
        // run here: the code is the compiler's word either way. Nothing else of the process is
        // believed.
        let native = unsafe { T::deserialized(engine, &code) }?;
        Ok((native, Some(code)))
    }
}

/// A module of code that [`Compiler::code`] gave, in the process that runs it.
///
/// # Safety
/// The bytes are what that gave for such a module, unchanged.
pub(crate) unsafe fn module<T: Native>(engine: &Engine, code: &[u8]) -> wasmtime::Result<T> {
    // SAFETY: promised by the caller.
    unsafe { T::deserialized(engine, code) }
}

fn kept<T: Native>(cache: &Cache, engine: &Engine, key: &Key) -> Result<Option<T>, Refused> {
    let Some(code) = cache.load(key)? else {
        return Ok(None);
    };
    // SAFETY: these are bytes that `serialized` gave, unchanged, for such an engine:
    // - They are in our own memory, where nobody can change them between the check and the use,
    //   and a code of authenticity over just these bytes and `key` fits. It is made with a
    //   secret that lies in a file of mode 0600 of root's or our user's, in a directory that
    //   nobody else can write to; all of that was asked of open descriptors. So whoever wrote
    //   them could read that secret, and needs no cache to have this process run code.
    // - What knows the secret is this program, and it writes only what `serialized` gave, under
    //   the key of the Wasm code, the kind, the engine's version, settings and CPU features, and
    //   this version of Saker: not under another by mistake, and not a part of it.
    // Beyond that wasmtime compares its own version, the configuration and the features of this
    // CPU, and refuses in words.
    let native = unsafe { T::deserialized(engine, &code) };
    native.map(Some).map_err(|_| Refused::Engine)
}
