//! What a component may call: the world's imports. Each is there for every component, so that
//! who was not granted one is told so; none of them waits, and what they copy is charged.

use super::call::Capability;
use super::post;
use crate::extract::printable::is_obeyed;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wasmtime::component::{ComponentType, Lift, Linker, Lower};
use wasmtime::{Error, StoreContextMut, Trap};

use super::code::Guest;

/// Bytes that a module may keep, keys and values together with something for each.
pub const KEEP_BYTES_MAX: usize = 4 << 20;
/// No key is longer.
const KEY_BYTES_MAX: usize = 1024;
/// No value is longer.
const VALUE_BYTES_MAX: usize = 64 * 1024;
/// What an entry counts beside its bytes.
const ENTRY_BYTES: usize = 64;

/// No message of a module is longer.
const MESSAGE_BYTES_MAX: usize = 1024;
/// So many messages at once,
const MESSAGES_MAX: u32 = 50;
/// and one more after this time.
const MESSAGE_EVERY: Duration = Duration::from_millis(100);

/// Names of the world's interfaces, with its version.
pub(super) const MODULE: &str = "saker:rules/module@0.1.0";
const LOG: &str = "saker:rules/log@0.1.0";
const CLOCK: &str = "saker:rules/clock@0.1.0";
const KV: &str = "saker:rules/kv@0.1.0";
const METRICS: &str = "saker:rules/metrics@0.1.0";
const HTTP: &str = "saker:rules/http@0.1.0";

/// What an import is: nothing that a component may have, always there, or to be granted.
pub(super) enum Import {
    Unknown,
    Free,
    Granted(Capability),
}

pub(super) fn import(name: &str) -> Import {
    match name {
        LOG => Import::Free,
        CLOCK => Import::Granted(Capability::Clock),
        KV => Import::Granted(Capability::Kv),
        METRICS => Import::Granted(Capability::Metrics),
        HTTP => Import::Granted(Capability::Http),
        _ => Import::Unknown,
    }
}

/// What a module keeps for longer than an instance lives.
#[derive(Clone, Debug, Default)]
pub struct Keep(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    values: BTreeMap<String, Vec<u8>>,
    bytes: usize,
}

impl Keep {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        // What is behind the lock is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that are kept.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }
}

fn size(key: &str, value: &[u8]) -> usize {
    key.len() + value.len() + ENTRY_BYTES
}

impl Kept {
    fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), Refusal> {
        if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        let before = self.values.get(&key).map_or(0, |value| size(&key, value));
        let bytes = self.bytes - before + size(&key, &value);
        if bytes > KEEP_BYTES_MAX {
            return Err(Refusal::Full);
        }
        self.bytes = bytes;
        self.values.insert(key, value);
        Ok(())
    }

    fn delete(&mut self, key: &str) {
        if let Some(value) = self.values.remove(key) {
            self.bytes -= size(key, &value);
        }
    }
}

#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "only Wasm makes them")]
enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
enum Refusal {
    #[component(name = "too-long")]
    TooLong,
    #[component(name = "full")]
    Full,
}

/// How much a module may still say. What it says is for people: here the clock may decide.
pub(super) struct Voice {
    left: u32,
    since: Instant,
    unsaid: u64,
}

impl Voice {
    pub(super) fn new() -> Voice {
        Voice {
            left: MESSAGES_MAX,
            since: Instant::now(),
            unsaid: 0,
        }
    }

    /// Whether a message may be said; if so, how many before it were not.
    fn take(&mut self) -> Option<u64> {
        let more = self.since.elapsed().as_millis() / MESSAGE_EVERY.as_millis();
        if more > 0 {
            self.since = Instant::now();
            let more = u32::try_from(more).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(more).min(MESSAGES_MAX);
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Some(std::mem::take(&mut self.unsaid))
            }
            None => {
                self.unsaid += 1;
                None
            }
        }
    }
}

/// Takes what the host does for a call out of the caller's fuel, where that is counted.
fn charge(store: &mut StoreContextMut<'_, Guest>, bytes: usize) -> wasmtime::Result<()> {
    // Without fuel it is the thread's CPU time that is counted, and this is in it.
    if let Ok(fuel) = store.get_fuel() {
        let left = fuel.checked_sub(100 + bytes as u64);
        store.set_fuel(left.ok_or(Trap::OutOfFuel)?)?;
    }
    Ok(())
}

fn allowed(store: &StoreContextMut<'_, Guest>, what: Capability) -> wasmtime::Result<()> {
    match store.data().granted.contains(&what) {
        true => Ok(()),
        false => Err(Error::msg(format!(
            "called `{}`, which it is not granted",
            what.name()
        ))),
    }
}

/// Defines all imports that there are.
pub(super) fn define(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut log = linker.instance(LOG)?;
    log.func_wrap(
        "write",
        |mut store: StoreContextMut<'_, Guest>, (level, message): (Level, String)| {
            charge(&mut store, message.len())?;
            write(store.data_mut(), level, &message);
            Ok(())
        },
    )?;
    let mut clock = linker.instance(CLOCK)?;
    clock.func_wrap("now", |mut store: StoreContextMut<'_, Guest>, (): ()| {
        allowed(&store, Capability::Clock)?;
        charge(&mut store, 0)?;
        Ok((now(store.data()),))
    })?;
    let mut kv = linker.instance(KV)?;
    kv.func_wrap(
        "get",
        |mut store: StoreContextMut<'_, Guest>, (key,): (String,)| {
            allowed(&store, Capability::Kv)?;
            let value = store.data().keep.lock().values.get(&key).cloned();
            charge(&mut store, key.len() + value.as_ref().map_or(0, Vec::len))?;
            Ok((value,))
        },
    )?;
    kv.func_wrap(
        "set",
        |mut store: StoreContextMut<'_, Guest>, (key, value): (String, Vec<u8>)| {
            allowed(&store, Capability::Kv)?;
            charge(&mut store, key.len() + value.len())?;
            Ok((store.data().keep.lock().set(key, value),))
        },
    )?;
    kv.func_wrap(
        "delete",
        |mut store: StoreContextMut<'_, Guest>, (key,): (String,)| {
            allowed(&store, Capability::Kv)?;
            charge(&mut store, key.len())?;
            store.data().keep.lock().delete(&key);
            Ok(())
        },
    )?;
    let mut metrics = linker.instance(METRICS)?;
    metrics.func_wrap(
        "add",
        |mut store: StoreContextMut<'_, Guest>, (name, by): (String, u64)| {
            allowed(&store, Capability::Metrics)?;
            charge(&mut store, name.len())?;
            Ok((store.data().means.metrics.add(&name, by),))
        },
    )?;
    metrics.func_wrap(
        "set",
        |mut store: StoreContextMut<'_, Guest>, (name, value): (String, f64)| {
            allowed(&store, Capability::Metrics)?;
            charge(&mut store, name.len())?;
            Ok((store.data().means.metrics.set(&name, value),))
        },
    )?;
    let mut http = linker.instance(HTTP)?;
    http.func_wrap(
        "submit",
        |mut store: StoreContextMut<'_, Guest>, (request,): (post::Request,)| {
            allowed(&store, Capability::Http)?;
            charge(&mut store, request.bytes())?;
            let post = store.data().means.post.as_ref();
            Ok((match post {
                Some(post) => post.submit(request),
                None => Err(post::Refusal::Unavailable),
            },))
        },
    )
}

/// The time of the last event in a replay, else the clock's, in whole milliseconds.
fn now(guest: &Guest) -> u64 {
    let now = match guest.now {
        Some(now) => now,
        None => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
        }
    };
    now - now % 1_000_000
}

/// A text that a component chose: not too long, and nothing in it that a terminal would obey.
pub(super) fn for_people(message: &str) -> String {
    let mut text = String::new();
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
    for char in message[..end].chars() {
        match is_obeyed(char) {
            true => text.extend(char.escape_default()),
            false => text.push(char),
        }
    }
    if end < message.len() {
        text.push('…');
    }
    text
}

fn write(guest: &mut Guest, level: Level, message: &str) {
    let Some(unsaid) = guest.voice.take() else {
        return;
    };
    let mut text = for_people(message);
    if unsaid > 0 {
        text.push_str(&format!(" ({unsaid} messages before this one left out)"));
    }
    let name = &guest.name;
    match level {
        Level::Debug => tracing::debug!("module `{name}`: {text}"),
        Level::Info => tracing::info!("module `{name}`: {text}"),
        Level::Warn => tracing::warn!("module `{name}`: {text}"),
        Level::Error => tracing::error!("module `{name}`: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_keeps_is_bounded_and_what_it_forgets_makes_room() {
        let mut kept = Kept::default();
        let value = vec![7; VALUE_BYTES_MAX];
        let mut count = 0;
        while kept.set(format!("key {count}"), value.clone()).is_ok() {
            count += 1;
        }
        assert!(kept.bytes <= KEEP_BYTES_MAX && kept.bytes > KEEP_BYTES_MAX / 2);
        assert_eq!(
            kept.set("one more".into(), value.clone()),
            Err(Refusal::Full)
        );
        // In place of another there is room.
        assert_eq!(kept.set("key 0".into(), value.clone()), Ok(()));
        kept.delete("key 0");
        kept.delete("nothing");
        assert_eq!(kept.set("one more".into(), value), Ok(()));
        let long = vec![0; VALUE_BYTES_MAX + 1];
        assert_eq!(kept.set("k".into(), long), Err(Refusal::TooLong));
        let key = "k".repeat(KEY_BYTES_MAX + 1);
        assert_eq!(kept.set(key, vec![]), Err(Refusal::TooLong));
        let count = kept.values.len();
        for key in kept.values.keys().cloned().collect::<Vec<_>>() {
            kept.delete(&key);
        }
        assert!(count > 0 && kept.bytes == 0);
    }

    #[test]
    fn a_module_that_says_too_much_is_left_out_and_counted() {
        let mut voice = Voice::new();
        let said = (0..1000).filter(|_| voice.take().is_some()).count();
        assert!((50..60).contains(&said), "{said}");
        assert!(voice.unsaid > 900);
    }
}
