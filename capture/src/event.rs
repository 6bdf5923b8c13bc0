//! Events: when, where and by whom, a code, and parameters as pieces of bytes.

use std::fmt;

/// More parameters than any event has (libscap's own bound is 32).
pub const PARAMS_MAX: usize = 64;

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event<'a> {
    /// On which processor.
    pub cpu: u16,
    /// libscap's flags of the recording: 1 if the event is there for the state alone and shall
    /// not be shown, 2 for a tracer.
    pub flags: u32,
    /// When, in nanoseconds since 1970.
    pub time: u64,
    /// By which thread; -1 for what no thread did.
    pub tid: i64,
    /// Which event, by Falco's number of it. It need not be one that is known.
    pub code: u16,
    /// What is recorded of it. How many are there depends on the recorder's version: more or
    /// fewer than one knows of.
    pub params: Params<'a>,
}

/// Whether the lengths of this event's parameters have four bytes. Only events that no kernel
/// makes do: a plugin's, a container's, and those that a plugin adds to others.
pub const fn has_large_params(code: u16) -> bool {
    matches!(code, 322 | 324 | 402)
}

/// The parameters of an event.
#[derive(Clone, Copy, Default)]
pub struct Params<'a> {
    /// Where each of them ends in `data`; never decreasing.
    ends: &'a [u32],
    data: &'a [u8],
}

impl<'a> Params<'a> {
    pub(crate) fn new(ends: &'a [u32], data: &'a [u8]) -> Self {
        Self { ends, data }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of the parameter; `None` if the event has fewer.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(index)?;
        let start = match index {
            0 => 0,
            _ => *self.ends.get(index - 1)?,
        };
        self.data.get(start as usize..end as usize)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let params = *self;
        (0..self.len()).map(move |index| params.get(index).unwrap_or_default())
    }
}

impl PartialEq for Params<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Params<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for param in self.iter() {
            list.entry(&format_args!("\"{}\"", param.escape_ascii()));
        }
        list.finish()
    }
}

/// Parameters that are being put together, to be written. Keeps its memory from event to event.
#[derive(Debug, Clone, Default)]
pub struct ParamBuffer {
    ends: Vec<u32>,
    data: Vec<u8>,
}

impl ParamBuffer {
    /// None at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.data.clear();
    }

    /// Adds one at the end. `false`, and nothing added, if all together would exceed 4 GiB.
    pub fn push(&mut self, param: &[u8]) -> bool {
        let Ok(end) = u32::try_from(self.data.len() + param.len()) else {
            return false;
        };
        self.data.extend_from_slice(param);
        self.ends.push(end);
        true
    }

    /// What was put together.
    pub fn params(&self) -> Params<'_> {
        Params::new(&self.ends, &self.data)
    }
}
