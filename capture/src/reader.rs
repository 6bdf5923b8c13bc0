//! A capture, one entry after the other.

mod window;
mod list;

use crate::Entry;
use crate::block::{self, EventLayout, HEADER_BYTES, Kind, TRAILER_BYTES};
use crate::cursor::Cursor;
use crate::error::{CaptureError, Fault};
use crate::event::{self, Head, PARAMS_MAX};
use crate::machine::Machine;
use crate::section::Section;
use list::{List, ListKind};
use std::io::Read;
use std::ops::Range;
use window::Window;

/// 64 parameters of 64 KiB each are 4 MiB; libscap's 32 are half of that, and it takes no more
/// than 64 KiB of such an event.
const EVENT_BYTES_MAX: usize = 2 << 20;

/// Of events of which the format would allow 4 GiB. Plugins make at most some 100 KiB unless
/// they ask for more, containers as much as their labels and variables are.
const LARGE_EVENT_BYTES_MAX: usize = 16 << 20;

/// The machine's, which has 180 bytes, and the section's, which has 16.
const SMALL_BLOCK_BYTES_MAX: u32 = 64 << 10;

#[inline]
fn event_bytes_max(layout: EventLayout) -> usize {
    if layout.large {
        LARGE_EVENT_BYTES_MAX
    } else {
        EVENT_BYTES_MAX
    }
}

/// What was met so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Blocks of all types.
    pub blocks: u64,
    /// Blocks of a type that is not known, which were passed over.
    pub blocks_unknown: u64,
    /// Those of them that stand behind an event. Libscap passes over the others as well, and takes
    /// these for another recording.
    pub blocks_unknown_late: u64,
    /// Entries of lists, all kinds together.
    pub entries: u64,
    /// Entries of lists of a kind that is not known, which were passed over.
    pub entries_unknown: u64,
    /// Events.
    pub events: u64,
}

/// Reads a capture, plain or compressed by gzip, from the front to the end.
///
/// It holds at most 32 MiB, whatever the capture says of itself, and mostly 64 KiB; an event
/// costs no allocation. What comes out of a compressed capture is not bounded, only read piece by
/// piece.
pub struct Reader<R> {
    window: Window<R>,
    place: Place,
    counts: Counts,
    /// The first block or entry that [`Counts`] says is not known: where it begins, and its block.
    first_unknown: Option<(u64, u32)>,
    /// Whether a block was met that only captures have. Their header is that of pcapng files, in
    /// which there are others.
    is_capture: bool,
    /// The event that was found last, where its parameters' bytes are in the window, and where
    /// each of them ends there.
    head: Head,
    data: Range<usize>,
    ends: [u32; PARAMS_MAX],
    /// Whether that event is the next one.
    is_found: bool,
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

/// What comes next and where its bytes are. Borrowing them is left to the end, as nothing can be
/// read while they are.
enum Found {
    Section(Section),
    Machine(Range<usize>),
    Entry(ListKind, Range<usize>),
    /// Kept in the reader: moving it from function to function takes longer than reading it.
    Event,
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
            first_unknown: None,
            is_capture: false,
            head: Head::default(),
            data: 0..0,
            ends: [0; PARAMS_MAX],
            is_found: false,
        };
        reader.start()?;
        Ok(reader)
    }

    /// What was met so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The first block of a type that is not known, or block with an entry of a kind that is not:
    /// where that begins, and the block's type.
    pub fn first_unknown(&self) -> Option<(u64, u32)> {
        self.first_unknown
    }

    /// Whether the next entry is an event that is in memory already, so that [`Reader::next`]
    /// will not wait for anything.
    #[inline]
    pub fn is_event_at_hand(&mut self) -> bool {
        self.is_found = self.is_found || self.whole_event();
        self.is_found
    }

    /// How much of the capture was read, in bytes after decompression.
    pub fn offset(&self) -> u64 {
        self.window.offset()
    }

    /// The next entry; `None` at the end. The first is the section.
    ///
    /// # Errors
    /// The capture is damaged or cannot be read. Unless the error
    /// [is the end](CaptureError::is_end), the entry of a list is passed over where its length says
    /// how, otherwise what is left of the block, and the reader goes on behind it; after the end
    /// comes `None`.
    #[expect(
        clippy::should_implement_trait,
        reason = "an entry borrows from the reader, which `Iterator` cannot say"
    )]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, CaptureError> {
        if self.is_event_at_hand() {
            self.is_found = false;
            return Ok(Some(self.found_event()));
        }
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

    /// Goes past an event that is in memory as a whole and has nothing wrong with it: nearly
    /// always. Whatever else comes, [`Self::advance`] looks at it anew.
    #[inline]
    fn whole_event(&mut self) -> bool {
        if !matches!(self.place, Place::Between) {
            return false;
        }
        let unread = self.window.unread();
        let mut header = Cursor::new(unread);
        let (Some(block), Some(total)) = (header.get::<u32>(), header.get::<u32>()) else {
            return false;
        };
        let Some(Kind::Event(layout)) = block::kind(block) else {
            return false;
        };
        let total = total as usize;
        let Some((rest, trailer)) = unread
            .get(HEADER_BYTES..total)
            .and_then(<[u8]>::split_last_chunk)
        else {
            return false;
        };
        if u32::from_le_bytes(*trailer) as usize != total || total > event_bytes_max(layout) {
            return false;
        }
        let Ok((head, data)) = event::decode(&mut self.ends, rest, layout) else {
            return false;
        };
        let start = self.window.consume(total).start + HEADER_BYTES;
        self.head = head;
        self.data = start + data.start..start + data.end;
        self.counts.blocks += 1;
        self.counts.events += 1;
        self.is_capture = true;
        true
    }

    #[inline]
    fn found_event(&self) -> Entry<'_> {
        Entry::Event(
            self.head
                .event(&self.ends, self.window.at(self.data.clone())),
        )
    }

    #[cold]
    fn entry(&self, found: Found) -> Entry<'_> {
        const DECODED: &str = "it was decoded to find its end";
        match found {
            Found::Event => self.found_event(),
            Found::Entry(kind, places) => kind
                .decode(&mut Cursor::new(self.window.at(places)))
                .and_then(Result::ok)
                .expect(DECODED),
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
        if self.window.is_cut_off() {
            return Err(self.fault(None, Fault::Truncated));
        }
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

    #[cold]
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
                    0 if !self.window.is_cut_off() => {
                        if self.counts.blocks_unknown > 0 && !self.is_capture {
                            return Err(self.fault(None, Fault::OtherBlocks));
                        }
                        Ok(None)
                    }
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
            let kind = block::kind(block);
            self.is_capture |= !matches!(kind, None | Some(Kind::Section));
            match kind {
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
                Some(Kind::Descriptors(sized)) => {
                    self.enter_descriptors(block, total, sized)?;
                }
                None => {
                    self.counts.blocks_unknown += 1;
                    self.counts.blocks_unknown_late += u64::from(self.counts.events > 0);
                    let offset = self.window.offset();
                    self.first_unknown.get_or_insert((offset, block));
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
        let offset = self.window.offset();
        let body = self.whole(block, total, event_bytes_max(layout) as u32)?;
        let found = event::decode(&mut self.ends, self.window.at(body.clone()), layout);
        match found {
            Ok((head, data)) => {
                self.counts.events += 1;
                self.head = head;
                self.data = body.start + data.start..body.start + data.end;
                Ok(Found::Event)
            }
            Err(fault) => Err(CaptureError {
                offset,
                block: Some(block),
                fault,
            }),
        }
    }
}
