//! Events: when, where and by whom, a code, and parameters as pieces of bytes.

use crate::block::{EventLayout, HEADER_BYTES, TRAILER_BYTES};
use crate::cursor::{Cursor, Encoder};
use crate::error::Fault;
use std::fmt;
use std::ops::Range;

/// More parameters than any event has (libscap's own bound is 32).
pub const PARAMS_MAX: usize = 64;

/// From the time to the number of parameters.
const HEAD_BYTES: usize = 26;

/// In captures of the first version these two events say that they are three bytes longer than
/// they are.
const LONGER_THAN_THEY_ARE: [u16; 2] = [280, 286];
const LONGER_BY: usize = 3;

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
    #[inline]
    pub(crate) fn new(ends: &'a [u32], data: &'a [u8]) -> Self {
        Self { ends, data }
    }

    /// How many there are.
    #[inline]
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

    /// Where each of them ends, and the bytes of all.
    #[inline]
    pub fn parts(&self) -> (&'a [u32], &'a [u8]) {
        (self.ends, self.data)
    }

    /// All of them, in order.
    #[inline]
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
    #[inline]
    pub fn push(&mut self, param: &[u8]) -> bool {
        let Ok(end) = u32::try_from(self.data.len() + param.len()) else {
            return false;
        };
        self.data.extend_from_slice(param);
        self.ends.push(end);
        true
    }

    /// What was put together.
    #[inline]
    pub fn params(&self) -> Params<'_> {
        Params::new(&self.ends, &self.data)
    }
}

/// An event without its parameters' bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Head {
    cpu: u16,
    flags: u32,
    time: u64,
    tid: i64,
    code: u16,
    params: usize,
}

impl Head {
    /// The event's length from its time on, and the number of parameters where that is said.
    #[inline]
    fn decode(body: &mut Cursor<'_>, layout: EventLayout) -> Option<(Self, u32, Option<u32>)> {
        let cpu = body.get()?;
        let flags = if layout.flags { body.get()? } else { 0 };
        let time = body.get()?;
        let tid = body.get()?;
        let length = body.get()?;
        let code = body.get()?;
        let count = match layout.count {
            true => Some(body.get()?),
            false => None,
        };
        let head = Self {
            cpu,
            flags,
            time,
            tid,
            code,
            params: 0,
        };
        Some((head, length, count))
    }

    /// The whole event. `ends` is what [`decode`] left there, `data` is what its range says.
    #[inline]
    pub(crate) fn event<'a>(self, ends: &'a [u32; PARAMS_MAX], data: &'a [u8]) -> Event<'a> {
        Event {
            cpu: self.cpu,
            flags: self.flags,
            time: self.time,
            tid: self.tid,
            code: self.code,
            params: Params::new(ends.get(..self.params).unwrap_or_default(), data),
        }
    }
}

/// Reads an event's head, and puts where its parameters end into `ends`. The range is that of
/// their bytes in `body`.
#[inline]
pub(crate) fn decode(
    ends: &mut [u32; PARAMS_MAX],
    body: &[u8],
    layout: EventLayout,
) -> Result<(Head, Range<usize>), Fault> {
    let mut cursor = Cursor::new(body);
    let (mut head, length, count) = Head::decode(&mut cursor, layout).ok_or(Fault::Short)?;
    let after_head = body.len() - cursor.left();
    let head_bytes = match count {
        Some(_) => HEAD_BYTES,
        None => HEAD_BYTES - 4,
    };
    let mut rest_bytes = (length as usize)
        .checked_sub(head_bytes)
        .ok_or(Fault::Short)?;
    if count.is_none() && LONGER_THAN_THEY_ARE.contains(&head.code) {
        rest_bytes = rest_bytes.saturating_sub(LONGER_BY);
    }
    // What is behind the event in its block is no part of it.
    let rest = cursor.take(rest_bytes).ok_or(Fault::Short)?;
    let data = match count {
        Some(count) => {
            head.params = usize::try_from(count)
                .ok()
                .filter(|count| *count <= PARAMS_MAX)
                .ok_or(Fault::ParamCount(count))?;
            let ends = ends.get_mut(..head.params).unwrap_or_default();
            if has_large_params(head.code) {
                counted(ends, rest, u32::from_le_bytes)
            } else {
                counted(ends, rest, |bytes| u16::from_le_bytes(bytes).into())
            }
        }
        None => uncounted(ends, rest).map(|(params, data)| {
            head.params = params;
            data
        }),
    };
    let data = data.ok_or(Fault::ParamLengths)?;
    Ok((head, after_head + data.start..after_head + data.end))
}

/// Where the parameters' bytes are behind as many lengths as there is place for in `ends`. `None`
/// if the lengths claim more than is there.
#[inline]
fn counted<const N: usize>(
    ends: &mut [u32],
    rest: &[u8],
    length: impl Fn([u8; N]) -> u32,
) -> Option<Range<usize>> {
    let (lengths, data) = rest.split_at_checked(ends.len() * N)?;
    let mut end = 0_u64;
    for (place, bytes) in ends.iter_mut().zip(lengths.as_chunks::<N>().0) {
        end += u64::from(length(*bytes));
        // Cut off only where what is checked below does not hold.
        *place = end as u32;
    }
    if end > data.len() as u64 {
        return None;
    }
    Some(lengths.len()..lengths.len() + end as usize)
}

/// The same for an event that does not say how many parameters it has. There is one number of
/// them with which lengths and bytes together are as long as the event: each further one makes it
/// longer by two at least.
#[inline]
fn uncounted(ends: &mut [u32; PARAMS_MAX], rest: &[u8]) -> Option<(usize, Range<usize>)> {
    let lengths = rest.as_chunks::<2>().0;
    let mut data_bytes = 0_usize;
    let mut params = 0;
    while params * 2 + data_bytes < rest.len() {
        data_bytes += usize::from(u16::from_le_bytes(*lengths.get(params)?));
        *ends.get_mut(params)? = data_bytes as u32;
        params += 1;
    }
    (params * 2 + data_bytes == rest.len()).then_some((params, params * 2..rest.len()))
}

impl Event<'_> {
    /// How long the event is from its time on.
    #[inline]
    pub(crate) fn length(&self) -> usize {
        let data: usize = self.params.iter().map(<[u8]>::len).sum();
        let length_bytes = if has_large_params(self.code) { 4 } else { 2 };
        HEAD_BYTES + self.params.len() * length_bytes + data
    }

    /// Bytes of the block that [`Writer::event`](crate::Writer::event) makes of it.
    pub fn block_bytes(&self) -> usize {
        let flags_bytes = if self.flags == 0 { 0 } else { 4 };
        let body = HEADER_BYTES + 2 + flags_bytes + self.length();
        body.next_multiple_of(4) + TRAILER_BYTES
    }

    /// `length` is what [`Self::length`] says, and below 4 GiB; where the parameters' lengths
    /// have two bytes, below 64 KiB. Flags are written where there are any.
    #[inline]
    pub(crate) fn encode(&self, length: usize, out: &mut Encoder<'_>) {
        out.value(self.cpu);
        if self.flags != 0 {
            out.value(self.flags);
        }
        out.value(self.time);
        out.value(self.tid);
        out.value(length as u32);
        out.value(self.code);
        out.value(self.params.len() as u32);
        for param in self.params.iter() {
            if has_large_params(self.code) {
                out.value(param.len() as u32);
            } else {
                out.value(param.len() as u16);
            }
        }
        for param in self.params.iter() {
            out.put(param);
        }
    }
}
