//! Events of captures, in the form in which they wait in a batch: Falco's current event type
//! and the bytes of its parameters.
//!
//! ```text
//! 0   u16  code of the event type     8   u64  time, ns since the epoch
//! 2   u16  cpu                        16  i64  thread id
//! 4   u16  number of parameters       24  u32  end of each parameter, then of each of the
//! 6   u8   the same of its beginning           beginning's, counted from behind these ends;
//! 7   u8   purpose                             then the bytes of all of them
//! ```

pub mod address;

use super::{Param, encode};
use saker_rules_schema::event::{CREATES_FD, Class, EventType, ParamType};
use saker_rules_schema::field::Type;

const HEADER_BYTES: usize = 24;

/// Whether the first parameter of an event type is what the call returned: so it is of every call
/// that has a type of its own.
static RETURNS: [bool; EventType::COUNT] = {
    let mut table = [false; EventType::COUNT];
    let mut index = 0;
    while index < EventType::COUNT {
        let kind = EventType::ALL[index];
        table[index] = matches!(kind.class(), Class::Call)
            && kind.is_exit()
            && !matches!(kind, EventType::Syscall);
        index += 1;
    }
    table
};

/// What an event of a capture is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Rules judge it.
    Judged = 0,
    /// It changes what is known, and is not judged; it has a number nonetheless.
    Hidden = 1,
    /// The same, and it only says that such a call begins and what it is given: its parameters
    /// are not those of [`Captured::kind`].
    Beginning = 2,
}

/// An event of a capture, without its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Its type.
    pub kind: EventType,
    /// What it is there for.
    pub purpose: Purpose,
    /// The processor it happened on.
    pub cpu: u16,
    /// Wall time, ns since the epoch.
    pub time: u64,
    /// The thread; negative for none.
    pub tid: i64,
}

/// An event of a capture.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// Its type.
    pub kind: EventType,
    /// What it is there for.
    pub purpose: Purpose,
    /// `evt.num`.
    pub number: u64,
    /// Wall time, ns since the epoch.
    pub time: u64,
    /// The processor it happened on.
    pub cpu: u16,
    /// The thread; negative for none.
    pub tid: i64,
    /// [`Captured::result`], which nearly everything asks for.
    result: Option<i64>,
    /// How many parameters it has; the others are its beginning's.
    count: usize,
    ends: &'a [[u8; 4]],
    bytes: &'a [u8],
}

/// Appends an event that is judged to `out`, as [`Captured::parse`] reads it.
pub fn write<'p>(
    kind: EventType,
    cpu: u16,
    time: u64,
    tid: i64,
    count: usize,
    param: impl Fn(usize) -> &'p [u8] + Copy,
    out: &mut Vec<u8>,
) {
    let head = Head {
        kind,
        purpose: Purpose::Judged,
        cpu,
        time,
        tid,
    };
    write_whole(&head, count, (0..count).map(param), out);
}

/// The same of an event whose parameters' bytes stand one behind the other already, in `bytes`,
/// each up to its end.
pub fn write_parts(head: &Head, ends: &[u32], bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(HEADER_BYTES + ends.len() * 4 + bytes.len());
    out.extend_from_slice(&head.bytes(ends.len()));
    let at = out.len();
    out.resize(at + ends.len() * 4, 0);
    let (places, _) = out[at..].as_chunks_mut::<4>();
    for (place, end) in places.iter_mut().zip(ends) {
        *place = end.to_le_bytes();
    }
    out.extend_from_slice(bytes);
}

impl Head {
    fn bytes(&self, count: usize) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..2].copy_from_slice(&self.kind.code().to_le_bytes());
        bytes[2..4].copy_from_slice(&self.cpu.to_le_bytes());
        bytes[4..6].copy_from_slice(&(count as u16).to_le_bytes());
        bytes[7] = self.purpose as u8;
        bytes[8..16].copy_from_slice(&self.time.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.tid.to_le_bytes());
        bytes
    }
}

/// The same of any event. It has `count` parameters, which stand in `params` before those of its
/// beginning, if it has one.
pub fn write_whole<'p>(
    head: &Head,
    count: usize,
    params: impl Iterator<Item = &'p [u8]> + Clone,
    out: &mut Vec<u8>,
) {
    let first = out.len();
    out.extend_from_slice(&head.bytes(count));
    let (mut end, mut all) = (0u32, 0usize);
    for param in params.clone() {
        end = end.saturating_add(param.len() as u32);
        out.extend_from_slice(&end.to_le_bytes());
        all += 1;
    }
    if let Some(more) = out.get_mut(first + 6) {
        *more = all.saturating_sub(count) as u8;
    }
    for param in params {
        out.extend_from_slice(param);
    }
}

impl<'a> Captured<'a> {
    /// Reads what [`write`] wrote; `None` for anything else.
    #[inline]
    pub fn parse(bytes: &'a [u8], number: u64) -> Option<Captured<'a>> {
        let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
        let code = u16::from_le_bytes([header[0], header[1]]);
        let count = usize::from(u16::from_le_bytes([header[4], header[5]]));
        let all = count + usize::from(header[6]);
        let (ends, _) = rest.as_chunks::<4>();
        let ends = ends.get(..all)?;
        let mut event = Captured {
            kind: EventType::from_code(code)?,
            purpose: match header[7] {
                0 => Purpose::Judged,
                1 => Purpose::Hidden,
                2 => Purpose::Beginning,
                _ => return None,
            },
            number,
            time: u64::from_le_bytes(header[8..16].try_into().ok()?),
            cpu: u16::from_le_bytes([header[2], header[3]]),
            tid: i64::from_le_bytes(header[16..24].try_into().ok()?),
            result: None,
            count,
            ends,
            bytes: &rest[all * 4..],
        };
        if RETURNS[event.kind.index()] {
            event.result = event.signed(0);
        }
        Some(event)
    }

    /// The bytes of a parameter, `None` where the event has fewer. A parameter that could not
    /// be read is empty.
    #[inline]
    pub fn bytes(&self, index: usize) -> Option<&'a [u8]> {
        if index < self.count {
            self.piece(index)
        } else {
            None
        }
    }

    /// What the call was given, where the capture is an old one that says so apart from what
    /// came of it and Falco makes use of it (`open`, `creat`, `openat`, `openat2`, `connect`,
    /// `execve` and `execveat`): a parameter of that event, as it was recorded.
    pub fn beginning(&self, index: usize) -> Option<&'a [u8]> {
        self.piece(self.count.checked_add(index)?)
    }

    /// How many parameters [`Captured::beginning`] has; 0 where there is none. An `execve` may
    /// have that of an `execveat` (three instead of one), which returns as an `execve` does.
    pub fn beginning_len(&self) -> usize {
        self.ends.len() - self.count
    }

    /// The same where it is a string, up to its NUL; `None` where it could not be read.
    pub fn beginning_text(&self, index: usize) -> Option<&'a [u8]> {
        let text = text(self.beginning(index)?)?;
        // As Falco put it where it could not be read.
        (text != b"<NA>").then_some(text)
    }

    /// The same where it is a number of 1, 2, 4 or 8 bytes.
    pub fn beginning_unsigned(&self, index: usize) -> Option<u64> {
        unsigned(self.beginning(index)?)
    }

    /// The same of a signed one.
    pub fn beginning_signed(&self, index: usize) -> Option<i64> {
        signed(self.beginning(index)?)
    }

    #[inline]
    fn piece(&self, index: usize) -> Option<&'a [u8]> {
        let end = u32::from_le_bytes(*self.ends.get(index)?) as usize;
        let start = match index.checked_sub(1) {
            Some(before) => u32::from_le_bytes(*self.ends.get(before)?) as usize,
            None => 0,
        };
        self.bytes.get(start..end)
    }

    /// How many parameters it has.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A parameter of 1, 2, 4 or 8 bytes as an unsigned number.
    #[inline]
    pub fn unsigned(&self, index: usize) -> Option<u64> {
        unsigned(self.bytes(index)?)
    }

    /// The same as a signed one.
    #[inline]
    pub fn signed(&self, index: usize) -> Option<i64> {
        signed(self.bytes(index)?)
    }

    /// A parameter that is a string, up to its NUL; `None` where it could not be read.
    #[inline]
    pub fn text(&self, index: usize) -> Option<&'a [u8]> {
        text(self.bytes(index)?)
    }

    /// What the call returned.
    #[inline]
    pub fn result(&self) -> Option<i64> {
        self.result
    }

    /// The number of the descriptor the event is about, where `known` says whether the state
    /// knows of that one: -1 where the call made none or does not say which.
    #[inline]
    pub fn descriptor(&self, known: bool) -> Option<i64> {
        let index = self.kind.fd_param()?;
        let number = || self.signed(index).unwrap_or(-1);
        Some(match self.kind {
            EventType::Dup | EventType::Dup2 | EventType::Dup3 => match self.result {
                Some(made) if made >= 0 && known => made,
                _ => self.signed(1).unwrap_or(-1),
            },
            EventType::Fcntl => match self.duplicate() {
                Some(made) if known => made,
                _ => number(),
            },
            // What it made is only known where what it was made of is.
            EventType::PidfdGetfd if !known => -1,
            // Falco keeps what these made even where they made nothing.
            EventType::MemfdCreate | EventType::PidfdOpen => number(),
            kind if kind.flags() & CREATES_FD != 0 => match self.result {
                Some(result) if result < 0 => -1,
                _ => number(),
            },
            _ => number(),
        })
    }

    /// What an `fcntl` that duplicates a descriptor made.
    #[inline]
    pub fn duplicate(&self) -> Option<i64> {
        let made = self.signed(0)?;
        let command = self.unsigned(2)?;
        let duplicates = matches!(command, encode::F_DUPFD | encode::F_DUPFD_CLOEXEC);
        (made >= 0 && duplicates).then_some(made)
    }

    /// The flags of an open in Falco's numbering, 0 for any other event.
    #[inline]
    pub fn open_flags(&self) -> u64 {
        let index = match self.kind {
            EventType::Open | EventType::OpenByHandleAt => 2,
            EventType::Openat | EventType::Openat2 => 3,
            _ => return 0,
        };
        self.unsigned(index).unwrap_or(0)
    }

    /// Whether it is an open that made the file.
    pub fn opens_a_new_file(&self) -> bool {
        let flags = self.open_flags();
        // Whoever recorded sets `O_TMPFILE`, which has the bits of `O_DIRECTORY` in it, where a
        // directory is opened; and so does Falco say that it was made.
        let is_temporary = || flags & encode::F_TMPFILE != 0 && self.result() >= Some(0);
        flags & encode::F_CREATED != 0 || is_temporary()
    }

    /// Whether it may make a file that has an execute bit.
    pub fn makes_executable(&self) -> bool {
        let mode = match self.kind {
            EventType::Open => self.unsigned(3),
            EventType::Openat | EventType::Openat2 => self.unsigned(4),
            EventType::Creat => self.unsigned(2),
            _ => None,
        };
        let makes = self.kind == EventType::Creat
            || self.open_flags() & (encode::F_CREAT | encode::F_TMPFILE) != 0;
        makes && mode.unwrap_or(0) & 0o111 != 0
    }

    /// The parameter at that place.
    pub fn param(&self, index: usize) -> Option<Param<'a>> {
        let kind = self.kind.params().get(index)?.kind;
        let bytes = self.bytes(index)?;
        match (kind, kind.raw()) {
            (ParamType::Tuple | ParamType::Address, _) => Some(Param::Wire(bytes)),
            (_, Type::Int) => self.signed(index).map(Param::Signed),
            (_, Type::Uint) => self.unsigned(index).map(Param::Unsigned),
            (_, Type::Text) => self.text(index).map(Param::Text),
            (_, _) => Some(Param::Wire(bytes)),
        }
    }
}

#[inline]
fn unsigned(bytes: &[u8]) -> Option<u64> {
    // Most have 8 bytes.
    if let Ok(bytes) = bytes.try_into() {
        return Some(u64::from_le_bytes(bytes));
    }
    Some(match *bytes {
        [a] => a.into(),
        [a, b] => u16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]).into(),
        _ => return None,
    })
}

#[inline]
fn signed(bytes: &[u8]) -> Option<i64> {
    if let Ok(bytes) = bytes.try_into() {
        return Some(i64::from_le_bytes(bytes));
    }
    Some(match *bytes {
        [a] => i64::from(a as i8),
        [a, b] => i16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        _ => return None,
    })
}

#[inline]
fn text(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.is_empty() {
        return None;
    }
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    Some(&bytes[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_it_was_written_and_nothing_else_is() {
        let params: [&[u8]; 3] = [&7i64.to_le_bytes(), b"", b"/tmp\0"];
        let head = Head {
            kind: EventType::Chdir,
            purpose: Purpose::Judged,
            cpu: 3,
            time: 99,
            tid: -5,
        };
        let mut bytes = Vec::new();
        let given: [&[u8]; 2] = [b"a", b"bc"];
        let all = params.into_iter().chain(given);
        write_whole(&head, params.len(), all, &mut bytes);
        let event = Captured::parse(&bytes, 12).expect("it was just written");
        assert_eq!(
            (event.kind, event.cpu, event.time),
            (EventType::Chdir, 3, 99)
        );
        assert_eq!((event.tid, event.number, event.len()), (-5, 12, 3));
        assert_eq!((event.signed(0), event.result()), (Some(7), Some(7)));
        assert_eq!((event.bytes(1), event.text(1)), (Some(&b""[..]), None));
        assert_eq!(event.text(2), Some(&b"/tmp"[..]));
        assert_eq!((event.bytes(3), event.beginning_len()), (None, 2));
        assert_eq!(event.beginning(0), Some(&b"a"[..]));
        assert_eq!(event.beginning(1), Some(&b"bc"[..]));
        assert_eq!(event.beginning(2), None);
        for len in 0..bytes.len() {
            if let Some(event) = Captured::parse(&bytes[..len], 1) {
                for index in 0..6 {
                    let _ = (
                        event.bytes(index),
                        event.param(index),
                        event.beginning(index),
                    );
                }
            }
        }
        bytes[7] = 3;
        assert!(Captured::parse(&bytes, 1).is_none());
        bytes[4..7].fill(0xff);
        assert!(Captured::parse(&bytes, 1).is_none());
    }
}
