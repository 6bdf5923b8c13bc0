//! What a component may call: the world's imports. Each is there for every component, so that
//! who was not granted one is told so; none of them waits, and what they copy is charged.

use super::call::Capability;
use super::post;
use crate::extract::printable::is_obeyed;
use serde::{Deserialize, Serialize};
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
/// So many entries are kept at most, and as many forgotten by one call.
pub(super) const ENTRIES_MAX: usize = KEEP_BYTES_MAX / ENTRY_BYTES;

/// No message of a module is longer.
pub(super) const MESSAGE_BYTES_MAX: usize = 1024;
/// So many messages at once,
const MESSAGES_MAX: u32 = 50;
/// and one more after this time.
const MESSAGE_EVERY: Duration = Duration::from_millis(100);
/// So many of one call are handed on by a process.
pub(super) const SAID_MAX: usize = 256;

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
    /// How often that changed.
    changed: u64,
    /// Keys whose values changed, where somebody else has to be told, and whether that one knows
    /// the key.
    dirty: Option<BTreeMap<String, bool>>,
}

/// What a module keeps, as it goes from process to process.
pub(super) type Values = Vec<(String, Vec<u8>)>;
/// What became of values: another, or none.
pub(super) type Changes = Vec<(String, Option<Vec<u8>>)>;

/// What another process says was kept, and cannot be.
#[derive(Debug)]
pub(super) enum Unkept {
    /// It was never possible.
    Never,
    /// There is no room, since others kept something meanwhile.
    Full,
}

impl Keep {
    /// Those values, of which changes are noted.
    pub(super) fn noted(values: Values) -> Keep {
        let keep = Keep::default();
        keep.replace(values);
        keep
    }

    /// Holds those from here on; changes are noted.
    pub(super) fn replace(&self, values: Values) {
        let mut kept = self.lock();
        *kept = Kept::default();
        for (key, value) in values {
            // Whoever had them was bound by the same.
            let _ = kept.set(key, value);
        }
        kept.dirty = Some(BTreeMap::new());
    }

    /// What changed since this was last called.
    pub(super) fn take_changes(&self) -> Changes {
        let mut kept = self.lock();
        let dirty = kept.dirty.as_mut().map(std::mem::take).unwrap_or_default();
        let changes = dirty.into_keys().map(|key| {
            let value = kept.values.get(&key).cloned();
            (key, value)
        });
        changes.collect()
    }

    /// All values, and how often they changed; `None` where that is so often.
    pub(super) fn values_unless(&self, known: Option<u64>) -> Option<(u64, Values)> {
        let kept = self.lock();
        if known == Some(kept.changed) {
            return None;
        }
        let pairs = kept.values.iter();
        let values = pairs.map(|(key, value)| (key.clone(), value.clone()));
        Some((kept.changed, values.collect()))
    }

    /// Changes as another process noted them, which knew the values as they were after so many.
    /// Says what it knows now: `None`, if others changed something meanwhile.
    pub(super) fn change_by(&self, known: u64, changes: Changes) -> Result<Option<u64>, Unkept> {
        let mut kept = self.lock();
        let was_known = kept.changed == known;
        // Room first: in its own order there was some.
        let (forgotten, set): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|(_, value)| value.is_none());
        for (key, _) in &forgotten {
            kept.delete(key);
        }
        let mut is_full = false;
        let mut large = Vec::new();
        for (key, value) in set {
            let Some(value) = value else { continue };
            let shrinks = |kept: &Kept| {
                kept.values
                    .get(&key)
                    .is_some_and(|old| old.len() >= value.len())
            };
            match shrinks(&kept) {
                true => match kept.set(key, value) {
                    Ok(()) => {}
                    Err(Refusal::TooLong) => return Err(Unkept::Never),
                    Err(Refusal::Full) => is_full = true,
                },
                false => large.push((key, value)),
            }
        }
        for (key, value) in large {
            match kept.set(key, value) {
                Ok(()) => {}
                Err(Refusal::TooLong) => return Err(Unkept::Never),
                Err(Refusal::Full) => is_full = true,
            }
        }
        match (is_full, was_known) {
            (false, true) => Ok(Some(kept.changed)),
            (false, false) => Ok(None),
            // Alone it had counted the same bytes.
            (true, true) => Err(Unkept::Never),
            (true, false) => Err(Unkept::Full),
        }
    }

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
        self.changed += 1;
        if let Some(dirty) = &mut self.dirty
            && !dirty.contains_key(&key)
        {
            dirty.insert(key.clone(), before > 0);
        }
        self.values.insert(key, value);
        Ok(())
    }

    fn delete(&mut self, key: &str) {
        let Some(value) = self.values.remove(key) else {
            return;
        };
        self.bytes -= size(key, &value);
        self.changed += 1;
        if let Some(dirty) = &mut self.dirty {
            // Of what came and went in between nobody need hear.
            match dirty.get(key) {
                Some(false) => dirty.remove(key),
                Some(true) | None => dirty.insert(key.to_owned(), true),
            };
        }
    }
}

/// How much what a module says matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift, Serialize, Deserialize)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Level {
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

    /// So many were left out elsewhere.
    pub(super) fn left_out(&mut self, count: u64) {
        self.unsaid = self.unsaid.saturating_add(count);
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
                self.left_out(1);
                None
            }
        }
    }
}

/// What a module says in a process of its own, until that is told.
#[derive(Clone, Debug, Default)]
pub(super) struct Diary(Arc<Mutex<Said>>);

/// Messages, and how many were left out.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) messages: Vec<(Level, String)>,
    pub(super) left_out: u64,
}

impl Diary {
    /// What was said since this was last called.
    pub(super) fn take(&self) -> Said {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, level: Level, message: &str, unsaid: u64) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.left_out += unsaid;
        if said.messages.len() >= SAID_MAX {
            said.left_out += 1;
            return;
        }
        let end = message.floor_char_boundary(MESSAGE_BYTES_MAX + 1);
        said.messages.push((level, message[..end].to_owned()));
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
    match &guest.diary {
        Some(diary) => {
            if let Some(unsaid) = guest.voice.take() {
                diary.note(level, message, unsaid);
            }
        }
        None => say(&mut guest.voice, &guest.name, level, message),
    }
}

/// Tells people what a module says, unless it says too much.
pub(super) fn say(voice: &mut Voice, name: &str, level: Level, message: &str) {
    let Some(unsaid) = voice.take() else {
        return;
    };
    let mut text = for_people(message);
    if unsaid > 0 {
        text.push_str(&format!(" ({unsaid} messages before this one left out)"));
    }
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
    fn what_a_process_kept_is_kept_here_as_far_as_it_may_be() {
        let host = Keep::default();
        host.lock().set("a".into(), vec![1]).expect("room");
        let (known, values) = host.values_unless(None).expect("it knows none");
        let there = Keep::noted(values);
        assert_eq!(there.take_changes(), []);
        there.lock().set("b".into(), vec![2]).expect("room");
        there.lock().set("gone".into(), vec![3]).expect("room");
        there.lock().delete("gone");
        there.lock().delete("a");
        let changes = there.take_changes();
        assert_eq!(changes, [("a".into(), None), ("b".into(), Some(vec![2]))]);
        let known = host.change_by(known, changes).expect("as it may be");
        assert!(known.is_some() && host.values_unless(known).is_none());
        assert_eq!(host.bytes(), there.bytes());
        // Somebody else keeps something: then all is told anew.
        host.lock().set("c".into(), vec![4]).expect("room");
        let (now, values) = host.values_unless(known).expect("it does not know");
        assert_eq!(values.len(), 2);
        let stale = host.change_by(now - 1, vec![("d".into(), Some(vec![5]))]);
        assert!(matches!(stale, Ok(None)), "{stale:?}");
        // No value is longer, and no more are kept, whatever a process says.
        let known = host.values_unless(None).expect("all").0;
        let long = vec![("e".into(), Some(vec![0; VALUE_BYTES_MAX + 1]))];
        assert!(matches!(host.change_by(known, long), Err(Unkept::Never)));
        let many = (0..100).map(|key| (format!("{key}"), Some(vec![0; VALUE_BYTES_MAX])));
        let many = host.change_by(known, many.collect());
        assert!(matches!(many, Err(Unkept::Never)), "{many:?}");
        assert!(host.bytes() <= KEEP_BYTES_MAX);
    }

    #[test]
    fn a_module_that_says_too_much_is_left_out_and_counted() {
        let mut voice = Voice::new();
        let said = (0..1000).filter(|_| voice.take().is_some()).count();
        assert!((50..60).contains(&said), "{said}");
        assert!(voice.unsaid > 900);
    }
}
