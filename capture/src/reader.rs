//! A capture, one entry after the other.

mod window;

use crate::Entry;
use crate::block::{self, EventLayout, HEADER_BYTES, Kind, TRAILER_BYTES};
use crate::cursor::Cursor;
use crate::descriptor::Descriptor;
use crate::error::{CaptureError, Fault};
use crate::event::{Event, PARAMS_MAX, Params, has_large_params};
use crate::interface::Interface;
use crate::machine::Machine;
use crate::section::Section;
use crate::thread::{SIZED_SINCE, Thread};
use crate::user::Account;
use std::io::Read;
use std::ops::Range;
use window::Window;

/// 64 parameters of 64 KiB each are 4 MiB; libscap's 32 are half of that, and it takes no more
/// than 64 KiB of such an event.
const EVENT_BYTES_MAX: u32 = 2 << 20;

/// Of events of which the format would allow 4 GiB. Plugins make at most some 100 KiB unless
/// they ask for more, containers as much as their labels and variables are.
const LARGE_EVENT_BYTES_MAX: u32 = 16 << 20;

/// Eight texts of 64 KiB, the most that an entry of a list can be of, are half of that. A list
/// itself may be as long as it likes.
const ENTRY_BYTES_MAX: u32 = 1 << 20;

/// The machine's, which has 180 bytes, and the section's, which has 16.
const SMALL_BLOCK_BYTES_MAX: u32 = 64 << 10;

/// In captures of the first version these two events say that they are three bytes longer than
/// they are.
const LONGER_THAN_THEY_ARE: [u16; 2] = [280, 286];
const LONGER_BY: usize = 3;

/// What was met so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Blocks of all types.
    pub blocks: u64,
    /// Blocks of a type that is not known, which were passed over.
    pub blocks_unknown: u64,
    /// Entries of lists, all kinds together.
    pub entries: u64,
    /// Entries of lists of a kind that is not known, which were passed over.
    pub entries_unknown: u64,
    /// Events.
    pub events: u64,
}

/// Reads a capture, plain or compressed by gzip, from the front to the end.
///
/// It holds at most 32 MiB, whatever the capture says of itself, and mostly 128 KiB; an event
/// costs no allocation. What comes out of a compressed capture is not bounded, only read piece by
/// piece.
pub struct Reader<R> {
    window: Window<R>,
    place: Place,
    counts: Counts,
    /// Where the event's parameters end, as [`Params`] wants it.
    ends: [u32; PARAMS_MAX],
}

/// Where in the chain of blocks the reader is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Before a block, or at the end.
    Between,
    /// In a block that is a list.
    List(List),
    /// Where nothing more can be read.
    End,
}

#[derive(Debug, Clone, Copy)]
struct List {
    kind: ListKind,
    block: u32,
    /// The block's length by its header.
    total: u32,
    /// Bytes up to the trailer.
    left: u32,
}

#[derive(Debug, Clone, Copy)]
enum ListKind {
    Threads { version: u8 },
    Descriptors { sized: bool, tid: i64 },
    Interfaces { sized: bool },
    Users { sized: bool },
}

impl ListKind {
    /// By how much the length in front of an entry is less than what the entry takes with it.
    /// That of an interface does not count itself; `None` if no length is there.
    fn beside_length(self) -> Option<u32> {
        match self {
            Self::Threads { version } => (version >= SIZED_SINCE).then_some(0),
            Self::Descriptors { sized, .. } | Self::Users { sized } => sized.then_some(0),
            Self::Interfaces { sized } => sized.then_some(4),
        }
    }
}

/// What comes next and where its bytes are. Borrowing them is left to the end, as nothing can be
/// read while they are.
enum Found {
    Section(Section),
    Machine(Range<usize>),
    Entry(ListKind, Range<usize>),
    Event(Head, Range<usize>),
}

/// An event without its parameters' bytes.
#[derive(Debug, Clone, Copy)]
struct Head {
    cpu: u16,
    flags: u32,
    time: u64,
    tid: i64,
    code: u16,
    params: usize,
}

/// An entry of a list.
enum Listed<'a> {
    Entry(Entry<'a>),
    Unknown(u16),
}

impl<R: Read> Reader<R> {
    /// Reads the header. Whatever `read` is, it need not be buffered.
    ///
    /// # Errors
    /// It is not a capture, or cannot be read.
    pub fn new(read: R) -> Result<Self, CaptureError> {
        let window = Window::new(read).map_err(|error| CaptureError {
            offset: 0,
            block: None,
            fault: Fault::Read(error),
        })?;
        let mut reader = Self {
            window,
            place: Place::Between,
            counts: Counts::default(),
            ends: [0; PARAMS_MAX],
        };
        reader.start()?;
        Ok(reader)
    }

    /// What was met so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How much of the capture was read, in bytes after decompression.
    pub fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// The next entry; `None` at the end. The first is the section.
    ///
    /// # Errors
    /// The capture is damaged or cannot be read. Unless the error
    /// [is the end](CaptureError::is_end), what is left of the block is passed over and the
    /// reader goes on behind it; after the end comes `None`.
    #[expect(
        clippy::should_implement_trait,
        reason = "an entry borrows from the reader, which `Iterator` cannot say"
    )]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, CaptureError> {
        match self.advance() {
            Ok(Some(found)) => Ok(Some(self.entry(found))),
            Ok(None) => Ok(None),
            Err(error) => {
                if error.is_end() {
                    self.place = Place::End;
                }
                Err(error)
            }
        }
    }

    fn entry(&self, found: Found) -> Entry<'_> {
        const DECODED: &str = "it was decoded to find its end";
        match found {
            Found::Event(head, data) => {
                let ends = self.ends.get(..head.params).unwrap_or_default();
                Entry::Event(Event {
                    cpu: head.cpu,
                    flags: head.flags,
                    time: head.time,
                    tid: head.tid,
                    code: head.code,
                    params: Params::new(ends, self.window.at(data)),
                })
            }
            Found::Entry(kind, places) => {
                match decode(kind, &mut Cursor::new(self.window.at(places))) {
                    Some(Listed::Entry(entry)) => entry,
                    Some(Listed::Unknown(_)) | None => unreachable!("{DECODED}"),
                }
            }
            Found::Machine(places) => Entry::Machine(
                Machine::decode(&mut Cursor::new(self.window.at(places))).expect(DECODED),
            ),
            Found::Section(section) => Entry::Section(section),
        }
    }

    /// Looks at the header without going past it, so that what is no capture is told at once.
    fn start(&mut self) -> Result<(), CaptureError> {
        // The type, the length, the magic number and the version.
        let whole = self.fill(16, None)?;
        let mut start = Cursor::new(self.window.unread());
        if start.get::<u32>() != Some(block::SECTION) {
            return Err(self.fault(None, Fault::NotACapture));
        }
        if !whole {
            return Err(self.fault(Some(block::SECTION), Fault::Truncated));
        }
        start.take(4);
        Section::decode(&mut start)
            .map(|_| ())
            .map_err(|fault| self.fault(Some(block::SECTION), fault))
    }

    fn fault(&self, block: Option<u32>, fault: Fault) -> CaptureError {
        CaptureError {
            offset: self.window.offset(),
            block,
            fault,
        }
    }

    #[inline]
    fn fill(&mut self, length: usize, block: Option<u32>) -> Result<bool, CaptureError> {
        self.window
            .fill(length)
            .map_err(|error| self.fault(block, Fault::Read(error)))
    }

    /// As `fill`, where the end of the stream is an error.
    #[inline]
    fn need(&mut self, length: usize, block: u32) -> Result<(), CaptureError> {
        if self.fill(length, Some(block))? {
            Ok(())
        } else {
            Err(self.fault(Some(block), Fault::Truncated))
        }
    }

    fn skip(&mut self, length: u64, block: u32) -> Result<(), CaptureError> {
        match self.window.skip(length) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.fault(Some(block), Fault::Truncated)),
            Err(error) => Err(self.fault(Some(block), Fault::Read(error))),
        }
    }

    #[inline]
    fn advance(&mut self) -> Result<Option<Found>, CaptureError> {
        loop {
            match self.place {
                Place::Between => {}
                Place::List(list) => match self.advance_list(list)? {
                    Some(found) => return Ok(Some(found)),
                    None => continue,
                },
                Place::End => return Ok(None),
            }
            if !self.fill(HEADER_BYTES, None)? {
                return match self.window.unread().len() {
                    0 => Ok(None),
                    _ => Err(self.fault(None, Fault::Truncated)),
                };
            }
            let mut header = Cursor::new(self.window.unread());
            let (Some(block), Some(total)) = (header.get::<u32>(), header.get::<u32>()) else {
                return Err(self.fault(None, Fault::Truncated));
            };
            if (total as usize) < HEADER_BYTES + TRAILER_BYTES {
                return Err(self.fault(Some(block), Fault::BlockLength(total)));
            }
            self.counts.blocks += 1;
            match block::kind(block) {
                Some(Kind::Event(layout)) => {
                    return self.event(block, total, layout).map(Some);
                }
                Some(Kind::Section) => return self.section(block, total).map(Some),
                Some(Kind::Machine) => return self.machine(block, total).map(Some),
                Some(Kind::Threads(version)) => {
                    self.enter(block, total, ListKind::Threads { version });
                }
                Some(Kind::Interfaces(sized)) => {
                    self.enter(block, total, ListKind::Interfaces { sized });
                }
                Some(Kind::Users(sized)) => self.enter(block, total, ListKind::Users { sized }),
                Some(Kind::Descriptors(sized)) => self.enter_descriptors(block, total, sized)?,
                None => {
                    self.counts.blocks_unknown += 1;
                    self.skip(u64::from(total) - TRAILER_BYTES as u64, block)?;
                    self.trailer(block, total)?;
                }
            }
        }
    }

    /// Goes past the block and tells where its body is.
    #[inline]
    fn whole(&mut self, block: u32, total: u32, limit: u32) -> Result<Range<usize>, CaptureError> {
        if total > limit {
            let error = self.fault(
                Some(block),
                Fault::TooLong {
                    length: total.into(),
                    limit: limit.into(),
                },
            );
            self.skip(u64::from(total) - TRAILER_BYTES as u64, block)?;
            self.trailer(block, total)?;
            return Err(error);
        }
        self.need(total as usize, block)?;
        let body = HEADER_BYTES..total as usize - TRAILER_BYTES;
        let trailer = self
            .window
            .unread()
            .get(body.end..)
            .and_then(<[u8]>::first_chunk);
        let trailer = trailer.map_or(0, |bytes| u32::from_le_bytes(*bytes));
        if trailer != total {
            let header = total;
            return Err(self.fault(Some(block), Fault::Trailer { header, trailer }));
        }
        let places = self.window.consume(total as usize);
        Ok(places.start + body.start..places.start + body.end)
    }

    /// Goes past a block's trailer.
    fn trailer(&mut self, block: u32, total: u32) -> Result<(), CaptureError> {
        self.need(TRAILER_BYTES, block)?;
        let trailer = Cursor::new(self.window.unread()).get().unwrap_or_default();
        if trailer != total {
            let header = total;
            return Err(self.fault(Some(block), Fault::Trailer { header, trailer }));
        }
        self.window.consume(TRAILER_BYTES);
        Ok(())
    }

    fn section(&mut self, block: u32, total: u32) -> Result<Found, CaptureError> {
        let offset = self.window.offset();
        let body = self.whole(block, total, SMALL_BLOCK_BYTES_MAX)?;
        Section::decode(&mut Cursor::new(self.window.at(body)))
            .map(Found::Section)
            .map_err(|fault| CaptureError {
                offset,
                block: Some(block),
                fault,
            })
    }

    fn machine(&mut self, block: u32, total: u32) -> Result<Found, CaptureError> {
        let offset = self.window.offset();
        let body = self.whole(block, total, SMALL_BLOCK_BYTES_MAX)?;
        match Machine::decode(&mut Cursor::new(self.window.at(body.clone()))) {
            Some(_) => Ok(Found::Machine(body)),
            None => Err(CaptureError {
                offset,
                block: Some(block),
                fault: Fault::Short,
            }),
        }
    }

    fn event(
        &mut self,
        block: u32,
        total: u32,
        layout: EventLayout,
    ) -> Result<Found, CaptureError> {
        let limit = if layout.large {
            LARGE_EVENT_BYTES_MAX
        } else {
            EVENT_BYTES_MAX
        };
        let offset = self.window.offset();
        let body = self.whole(block, total, limit)?;
        let found = event(&mut self.ends, self.window.at(body.clone()), layout);
        match found {
            Ok((head, data)) => {
                self.counts.events += 1;
                let data = body.start + data.start..body.start + data.end;
                Ok(Found::Event(head, data))
            }
            Err(fault) => Err(CaptureError {
                offset,
                block: Some(block),
                fault,
            }),
        }
    }

    fn enter(&mut self, block: u32, total: u32, kind: ListKind) {
        self.window.consume(HEADER_BYTES);
        self.place = Place::List(List {
            kind,
            block,
            total,
            left: total - (HEADER_BYTES + TRAILER_BYTES) as u32,
        });
    }

    /// The thread whose descriptors they are stands before the first.
    fn enter_descriptors(
        &mut self,
        block: u32,
        total: u32,
        sized: bool,
    ) -> Result<(), CaptureError> {
        const TID_BYTES: usize = 8;
        if (total as usize) < HEADER_BYTES + TID_BYTES + TRAILER_BYTES {
            let error = self.fault(Some(block), Fault::Short);
            self.skip(u64::from(total) - TRAILER_BYTES as u64, block)?;
            self.trailer(block, total)?;
            return Err(error);
        }
        self.need(HEADER_BYTES + TID_BYTES, block)?;
        let mut start = Cursor::new(self.window.unread());
        start.take(HEADER_BYTES);
        let tid = start.get().unwrap_or_default();
        self.enter(block, total, ListKind::Descriptors { sized, tid });
        self.window.consume(TID_BYTES);
        if let Place::List(list) = &mut self.place {
            list.left -= TID_BYTES as u32;
        }
        Ok(())
    }

    /// The list's next entry; `None` behind its end.
    fn advance_list(&mut self, list: List) -> Result<Option<Found>, CaptureError> {
        loop {
            let Place::List(List { left, .. }) = self.place else {
                return Ok(None);
            };
            // Up to three bytes are there to make the block's length a multiple of four.
            if left < 4 {
                self.skip(left.into(), list.block)?;
                self.trailer(list.block, list.total)?;
                self.place = Place::Between;
                return Ok(None);
            }
            let offset = self.window.offset();
            let entry = match list.kind.beside_length() {
                Some(beside) => self.sized_entry(list, left, beside)?,
                None => self.unsized_entry(list, left)?,
            };
            let fault = match entry {
                Ok((places, length, unknown)) => {
                    self.place = Place::List(List {
                        left: left - length,
                        ..list
                    });
                    match unknown {
                        None => {
                            self.counts.entries += 1;
                            return Ok(Some(Found::Entry(list.kind, places)));
                        }
                        Some(_) if list.kind.beside_length().is_some() => {
                            self.counts.entries_unknown += 1;
                            continue;
                        }
                        Some(kind) => Fault::EntryKind(kind),
                    }
                }
                Err(fault) => fault,
            };
            let passed = self.window.offset() - offset;
            self.skip(u64::from(left).saturating_sub(passed), list.block)?;
            self.trailer(list.block, list.total)?;
            self.place = Place::Between;
            return Err(CaptureError {
                offset,
                block: Some(list.block),
                fault,
            });
        }
    }

    /// An entry with its length in front: where it is, how many bytes it takes of the list, and
    /// its kind if that is not known.
    fn sized_entry(
        &mut self,
        list: List,
        left: u32,
        beside: u32,
    ) -> Result<Result<(Range<usize>, u32, Option<u16>), Fault>, CaptureError> {
        const LENGTH_BYTES: u32 = 4;
        self.need(LENGTH_BYTES as usize, list.block)?;
        let said: u32 = Cursor::new(self.window.unread()).get().unwrap_or_default();
        let length = u64::from(said) + u64::from(beside);
        if length < LENGTH_BYTES.into() || length > left.into() {
            return Ok(Err(Fault::Short));
        }
        if length > ENTRY_BYTES_MAX.into() {
            return Ok(Err(Fault::TooLong {
                length,
                limit: ENTRY_BYTES_MAX.into(),
            }));
        }
        let length = length as u32;
        self.need(length as usize, list.block)?;
        let places = self.window.consume(length as usize);
        let places = places.start + LENGTH_BYTES as usize..places.end;
        Ok(
            match decode(list.kind, &mut Cursor::new(self.window.at(places.clone()))) {
                Some(Listed::Entry(_)) => Ok((places, length, None)),
                Some(Listed::Unknown(kind)) => Ok((places, length, Some(kind))),
                None => Err(Fault::Short),
            },
        )
    }

    /// The same of an entry that ends where its last member does.
    fn unsized_entry(
        &mut self,
        list: List,
        left: u32,
    ) -> Result<Result<(Range<usize>, u32, Option<u16>), Fault>, CaptureError> {
        let mut seen = 4 << 10;
        loop {
            let most = left.min(seen);
            self.need(most as usize, list.block)?;
            let bytes = self
                .window
                .unread()
                .get(..most as usize)
                .unwrap_or_default();
            let mut cursor = Cursor::new(bytes);
            match decode(list.kind, &mut cursor) {
                Some(listed) => {
                    let length = bytes.len() - cursor.left();
                    let unknown = match listed {
                        Listed::Entry(_) => None,
                        Listed::Unknown(kind) => Some(kind),
                    };
                    let places = self.window.consume(length);
                    return Ok(Ok((places, length as u32, unknown)));
                }
                None if most == left => return Ok(Err(Fault::Short)),
                None if seen >= ENTRY_BYTES_MAX => {
                    return Ok(Err(Fault::TooLong {
                        length: seen.into(),
                        limit: ENTRY_BYTES_MAX.into(),
                    }));
                }
                None => seen *= 2,
            }
        }
    }
}

/// An entry of a list; `None` if the bytes end before it does.
fn decode<'a>(kind: ListKind, entry: &mut Cursor<'a>) -> Option<Listed<'a>> {
    Some(match kind {
        ListKind::Threads { version } => {
            Listed::Entry(Entry::Thread(Thread::decode(entry, version)?))
        }
        ListKind::Descriptors { sized, tid } => {
            let descriptor = Descriptor::decode(entry, sized)?;
            match descriptor.unknown_kind() {
                Some(kind) if !sized => Listed::Unknown(kind),
                Some(_) | None => Listed::Entry(Entry::Descriptor { tid, descriptor }),
            }
        }
        ListKind::Interfaces { .. } => match Interface::decode(entry)? {
            Ok(interface) => Listed::Entry(Entry::Interface(interface)),
            Err(kind) => Listed::Unknown(kind),
        },
        ListKind::Users { .. } => match Account::decode(entry)? {
            Ok(Account::User(user)) => Listed::Entry(Entry::User(user)),
            Ok(Account::Group(group)) => Listed::Entry(Entry::Group(group)),
            Err(kind) => Listed::Unknown(kind),
        },
    })
}

/// Reads an event's head, and puts where its parameters end into `ends`. The range is that of
/// their bytes in `body`.
#[inline]
fn event(
    ends: &mut [u32; PARAMS_MAX],
    body: &[u8],
    layout: EventLayout,
) -> Result<(Head, Range<usize>), Fault> {
    let mut cursor = Cursor::new(body);
    let head = |cursor: &mut Cursor<'_>| {
        let cpu = cursor.get()?;
        let flags = if layout.flags { cursor.get()? } else { 0 };
        let start = body.len() - cursor.left();
        let time = cursor.get()?;
        let tid = cursor.get()?;
        let length: u32 = cursor.get()?;
        let head = Head {
            cpu,
            flags,
            time,
            tid,
            code: cursor.get()?,
            params: 0,
        };
        let count: Option<u32> = if layout.count {
            Some(cursor.get()?)
        } else {
            None
        };
        Some((head, start, length, count))
    };
    let (mut head, start, length, count) = head(&mut cursor).ok_or(Fault::Short)?;
    let after_head = body.len() - cursor.left();
    let mut end = start.checked_add(length as usize).ok_or(Fault::Short)?;
    if count.is_none() && LONGER_THAN_THEY_ARE.contains(&head.code) {
        end = end.saturating_sub(LONGER_BY);
    }
    // What is behind the event in its block is no part of it.
    let rest = body.get(after_head..end).ok_or(Fault::Short)?;
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
