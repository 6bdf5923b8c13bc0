//! Numbers that a component shows. Whoever runs Saker reads them; nothing hangs on them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::component::{ComponentType, Lift, Lower};

/// No module has more.
pub(super) const METRICS_MAX: usize = 64;
/// No name is longer.
const NAME_BYTES_MAX: usize = 64;

/// A number that a module shows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Metric {
    /// It only grows.
    Counter(u64),
    /// It goes up and down.
    Gauge(f64),
}

impl std::fmt::Display for Metric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Metric::Counter(count) => count.fmt(f),
            Metric::Gauge(value) => value.fmt(f),
        }
    }
}

/// Why a number was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Refusal {
    #[component(name = "name")]
    Name,
    #[component(name = "full")]
    Full,
    #[component(name = "kind")]
    Kind,
}

/// What a module shows. It outlives instances.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<Shown>>);

#[derive(Debug, Default)]
struct Shown {
    metrics: BTreeMap<String, Metric>,
    /// What changed, where somebody else has to be told: what counters grew by, and gauges.
    changes: Option<BTreeMap<String, Metric>>,
}

impl Metrics {
    /// Those, of which changes are noted.
    pub(super) fn noted(metrics: Vec<(String, Metric)>) -> Metrics {
        Metrics(Arc::new(Mutex::new(Shown {
            metrics: metrics.into_iter().collect(),
            changes: Some(BTreeMap::new()),
        })))
    }

    /// What changed since this was last called.
    pub(super) fn take_changes(&self) -> Vec<(String, Metric)> {
        let mut shown = self.lock();
        let changes = shown.changes.as_mut().map(std::mem::take);
        changes.unwrap_or_default().into_iter().collect()
    }

    /// Changes as another process noted them.
    pub(super) fn change_by(&self, name: &str, by: Metric) -> Result<(), Refusal> {
        match by {
            Metric::Counter(by) => self.add(name, by),
            Metric::Gauge(value) => self.set(name, value),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        // What is behind the lock is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its names and numbers, in the order of names.
    pub fn all(&self) -> Vec<(String, Metric)> {
        let shown = self.lock();
        let pairs = shown.metrics.iter();
        pairs
            .map(|(name, metric)| (name.clone(), *metric))
            .collect()
    }

    pub(super) fn add(&self, name: &str, by: u64) -> Result<(), Refusal> {
        self.change(name, Metric::Counter(0), |metric| match metric {
            Metric::Counter(count) => {
                *count = count.saturating_add(by);
                Ok(())
            }
            Metric::Gauge(_) => Err(Refusal::Kind),
        })
    }

    pub(super) fn set(&self, name: &str, value: f64) -> Result<(), Refusal> {
        if value.is_nan() {
            return Err(Refusal::Kind);
        }
        self.change(name, Metric::Gauge(0.0), |metric| match metric {
            Metric::Gauge(gauge) => {
                *gauge = value;
                Ok(())
            }
            Metric::Counter(_) => Err(Refusal::Kind),
        })
    }

    fn change(
        &self,
        name: &str,
        first: Metric,
        change: impl Fn(&mut Metric) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = name.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        if !begins || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_plain) {
            return Err(Refusal::Name);
        }
        let mut shown = self.lock();
        let Shown { metrics, changes } = &mut *shown;
        if !metrics.contains_key(name) && metrics.len() >= METRICS_MAX {
            return Err(Refusal::Full);
        }
        change(metrics.entry(name.to_owned()).or_insert(first))?;
        match changes {
            Some(changes) => change(changes.entry(name.to_owned()).or_insert(first)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_bounded_and_stay_of_their_kind() {
        let metrics = Metrics::default();
        for number in 0..METRICS_MAX {
            assert_eq!(metrics.add(&format!("m{number}"), 1), Ok(()));
        }
        assert_eq!(metrics.add("one_more", 1), Err(Refusal::Full));
        assert_eq!(metrics.add("m0", u64::MAX), Ok(()));
        assert_eq!(metrics.set("m0", 1.0), Err(Refusal::Kind));
        assert_eq!(metrics.set("m1", f64::NAN), Err(Refusal::Kind));
        let long = "m".repeat(NAME_BYTES_MAX + 1);
        for name in ["", "M", "1m", "m-m", "m\n", &*long] {
            assert_eq!(metrics.add(name, 1), Err(Refusal::Name), "{name}");
        }
        let all = metrics.all();
        assert_eq!(all[0], ("m0".into(), Metric::Counter(u64::MAX)));
        assert_eq!(all.len(), METRICS_MAX);
    }
}
