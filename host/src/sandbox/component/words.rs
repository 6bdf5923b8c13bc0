//! What a component's process and the host say to each other: frames over a socket, one at a time
//! and in turns. The host asks, the process answers.
//!
//! ```text
//! frame     bytes of head (4)     bytes of tail (4)     head: a word, by postcard     tail
//! ```
//!
//! The tail is what is long: rows to the process, alerts or a description from it. Nothing that
//! the process says is taken in that is longer, or more, than an honest one says.

use super::ComponentLimits;
use super::call::{Alert, Capability, Column};
use super::capability::{Changes, ENTRIES_MAX, KEEP_BYTES_MAX, Level, SAID_MAX, Values};
use super::code::NotLoaded;
use super::metric::{METRICS_MAX, Metric};
use super::post::{Counts, Outcome, REQUESTS_MAX, Request};
use super::resident::Failure;
use crate::http::Server;
use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::time::Duration;

/// Bytes of a frame before its head.
pub(super) const HEADER_BYTES: usize = 8;
/// No head from the process is longer: values that are kept and as many that are forgotten,
/// requests and messages.
pub(super) const HEAD_BYTES_MAX: usize = 3 * KEEP_BYTES_MAX;
/// No call has more alerts: each has 32 bytes in the component's memory, and all have 1 MiB.
const ALERTS_MAX: usize = 1 << 15;

/// What the process is told on its command line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    pub(super) limits: ComponentLimits,
    /// Bytes of native code in its standard output.
    pub(super) code_bytes: u64,
    /// Memory that it may write to.
    pub(super) data_bytes_max: u64,
}

/// To the process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Told {
    /// Have the component say what it is.
    Describe,
    /// Make its first instance.
    Start(Box<Beginning>),
    /// Call it.
    Call {
        call: Call,
        /// How it stands with its requests.
        counts: Counts,
        /// What it keeps, where others have changed that.
        values: Option<Values>,
    },
}

/// What every instance is told and given.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Beginning {
    pub(super) granted: Vec<Capability>,
    pub(super) values: Values,
    pub(super) config: Vec<(String, String)>,
    pub(super) columns: Vec<Column>,
    pub(super) metrics: Vec<(String, Metric)>,
    /// Whom it may ask; `None`: there is no network.
    pub(super) servers: Option<Vec<Server>>,
    pub(super) counts: Counts,
    pub(super) memory_bytes_max: Option<usize>,
    pub(super) cpu: Option<Duration>,
}

/// What it is called for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Call {
    /// The rows are the tail.
    Batch {
        now: u64,
    },
    Tick {
        time: u64,
    },
    Response {
        request: u64,
        outcome: Outcome,
    },
}

/// From the process.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Said {
    /// It has no rights any more.
    Ready,
    /// What the component imports; the tail is its description.
    Described(#[serde(deserialize_with = "described")] Result<Vec<Capability>, NotLoaded>),
    /// What came of a start or a call. The tail is its alerts.
    Answered {
        outcome: Result<(), Failure>,
        effects: Effects,
        /// It has an instance.
        is_seated: bool,
        memory_bytes: u64,
    },
}

/// What the component did beside answering.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Effects {
    #[serde(deserialize_with = "at_most::<_, _, ENTRIES_TWICE>")]
    pub(super) kept: Changes,
    #[serde(deserialize_with = "at_most::<_, _, METRICS_MAX>")]
    pub(super) metrics: Vec<(String, Metric)>,
    #[serde(deserialize_with = "at_most::<_, _, SAID_MAX>")]
    pub(super) messages: Vec<(Level, String)>,
    pub(super) messages_left_out: u64,
    #[serde(deserialize_with = "at_most::<_, _, REQUESTS_MAX>")]
    pub(super) requests: Vec<(u64, Request)>,
}

/// Values that are kept, and as many that were.
const ENTRIES_TWICE: usize = 2 * ENTRIES_MAX;

fn described<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Result<Vec<Capability>, NotLoaded>, D::Error> {
    let described = Result::<Vec<Capability>, NotLoaded>::deserialize(from)?;
    match &described {
        // Each once.
        Ok(imports) if imports.len() > Capability::ALL.len() => Err(D::Error::custom("too many")),
        Ok(_) | Err(_) => Ok(described),
    }
}

/// A list of no more than so many.
fn at_most<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MAX: usize>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    struct AtMost<T, const MAX: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for AtMost<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = list.next_element()? {
                if items.len() == MAX {
                    return Err(A::Error::custom("too many"));
                }
                items.push(item);
            }
            Ok(items)
        }
    }

    from.deserialize_seq(AtMost::<T, MAX>(PhantomData))
}

#[derive(Serialize, Deserialize)]
struct Alerts(#[serde(deserialize_with = "at_most::<_, _, ALERTS_MAX>")] Vec<Alert>);

/// Alerts as a tail: nothing, where there is none.
pub(super) fn tail_of(alerts: Vec<Alert>) -> io::Result<Vec<u8>> {
    match alerts.is_empty() {
        true => Ok(Vec::new()),
        false => postcard::to_stdvec(&Alerts(alerts)).map_err(io::Error::other),
    }
}

/// The alerts that a tail is.
pub(super) fn alerts_of(tail: &[u8]) -> Option<Vec<Alert>> {
    match tail.is_empty() {
        true => Some(Vec::new()),
        false => whole(tail).map(|Alerts(alerts)| alerts),
    }
}

/// The word that bytes are, and nothing behind it.
pub(super) fn whole<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (word, rest) = postcard::take_from_bytes(bytes).ok()?;
    rest.is_empty().then_some(word)
}

/// A frame's beginning: all but its tail.
pub(super) fn begin_frame(head: &impl Serialize, tail: &[u8]) -> io::Result<Vec<u8>> {
    let mut frame = postcard::to_extend(head, vec![0; HEADER_BYTES]).map_err(io::Error::other)?;
    let bytes = |bytes: usize| u32::try_from(bytes).map_err(io::Error::other);
    let (of_head, of_tail) = (bytes(frame.len() - HEADER_BYTES)?, bytes(tail.len())?);
    frame[..4].copy_from_slice(&of_head.to_le_bytes());
    frame[4..HEADER_BYTES].copy_from_slice(&of_tail.to_le_bytes());
    Ok(frame)
}

/// Bytes of a frame's head and tail.
pub(super) fn lengths([a, b, c, d, e, f, g, h]: [u8; HEADER_BYTES]) -> (usize, usize) {
    let (head, tail) = ([a, b, c, d], [e, f, g, h]);
    (
        u32::from_le_bytes(head) as usize,
        u32::from_le_bytes(tail) as usize,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert() -> Alert {
        Alert {
            row: Some(1),
            rule: 2,
            message: None,
            fields: Vec::new(),
        }
    }

    #[test]
    fn no_more_is_taken_in_than_an_honest_process_says() {
        let tail = tail_of(vec![alert(); ALERTS_MAX]).expect("it is written");
        assert_eq!(
            alerts_of(&tail).map(|alerts| alerts.len()),
            Some(ALERTS_MAX)
        );
        let tail = tail_of(vec![alert(); ALERTS_MAX + 1]).expect("it is written");
        assert_eq!(alerts_of(&tail), None);
        let said = |requests: usize, imports: usize| {
            let metrics = (0..requests).map(|name| (name.to_string(), Metric::Counter(1)));
            let effects = Effects {
                metrics: metrics.collect(),
                ..Effects::default()
            };
            let said = [
                Said::Answered {
                    outcome: Ok(()),
                    effects,
                    is_seated: true,
                    memory_bytes: 0,
                },
                Said::Described(Ok(vec![Capability::Kv; imports])),
            ];
            said.map(|said| {
                let frame = begin_frame(&said, &[1, 2]).expect("it is written");
                let (header, head) = frame.split_first_chunk().expect("a header");
                assert_eq!(lengths(*header), (head.len(), 2));
                // Nothing lacks, and nothing is behind it.
                assert!(whole::<Said>(&head[..head.len() - 1]).is_none());
                assert!(whole::<Said>(&[head, &[0]].concat()).is_none());
                whole::<Said>(head).is_some()
            })
        };
        assert_eq!(said(METRICS_MAX, 4), [true, true]);
        assert_eq!(said(METRICS_MAX + 1, 5), [false, false]);
    }

    #[test]
    fn bytes_at_random_are_no_word_that_could_be_large() {
        let mut state = 7_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..20_000 {
            let length = random() as usize % 64;
            let bytes: Vec<u8> = (0..length).map(|_| random() as u8).collect();
            let _ = whole::<Said>(&bytes);
            if let Some(alerts) = alerts_of(&bytes) {
                assert!(alerts.len() <= ALERTS_MAX);
            }
        }
    }
}
