//! Native code of modules: as it was kept, or compiled now. How it is kept is `cache`'s to say;
//! which module may be compiled at all, `validate`'s and `component::admit`'s.

use super::cache::{Cache, Key, Kind, Refused};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

/// Makes native code of Wasm.
#[derive(Debug, Default)]
pub struct Compiler {
    cache: Option<Cache>,
}

/// What Wasm becomes.
pub(super) trait Native: Sized {
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
    /// One that keeps what it made in that directory, and looks there first.
    pub fn keeping(cache: Cache) -> Compiler {
        Compiler { cache: Some(cache) }
    }

    /// What is kept, if anything is.
    pub fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// A module or component, ready to be instantiated.
    pub(super) fn native<T: Native>(&self, engine: &Engine, wasm: &[u8]) -> wasmtime::Result<T> {
        let Some(cache) = &self.cache else {
            return T::compiled(engine, wasm);
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
        let native = T::compiled(engine, wasm)?;
        let kept = native
            .serialized()
            .map_err(|error| format!("{error:#}"))
            .and_then(|code| cache.keep(&key, &code).map_err(|error| error.to_string()));
        if let Err(error) = kept {
            tracing::warn!("native code is not kept for the next time: {error}");
        }
        Ok(native)
    }
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
