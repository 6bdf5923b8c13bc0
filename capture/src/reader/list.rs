//! Lists: blocks of any length, of which one entry at a time is in memory.

use super::{Found, Place, Reader};
use crate::Entry;
use crate::block::{HEADER_BYTES, TRAILER_BYTES};
use crate::cursor::Cursor;
use crate::descriptor::Descriptor;
use crate::error::{CaptureError, Fault};
use crate::interface::Interface;
use crate::thread::{SIZED_SINCE, Thread};
use crate::user::Account;
use std::io::Read;
use std::ops::Range;

/// Eight texts of 64 KiB, the most that an entry can be of, are half of that.
const ENTRY_BYTES_MAX: u32 = 1 << 20;

/// What is looked at first of an entry that does not say its length.
const ENTRY_BYTES_FIRST: u32 = 4 << 10;

const LENGTH_BYTES: u32 = 4;
const TID_BYTES: u32 = 8;

#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    kind: ListKind,
    block: u32,
    /// The block's length by its header.
    total: u32,
    /// Bytes up to the trailer.
    left: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum ListKind {
    Threads { version: u8 },
    Descriptors { sized: bool, tid: i64 },
    Interfaces { sized: bool },
    Users { sized: bool },
}

impl ListKind {
    /// How many bytes the length in front of an entry leaves out of it. That of an interface does
    /// not count itself. `None` if no length is there.
    fn uncounted(self) -> Option<u32> {
        match self {
            Self::Threads { version } => (version >= SIZED_SINCE).then_some(0),
            Self::Descriptors { sized, .. } | Self::Users { sized } => sized.then_some(0),
            Self::Interfaces { sized } => sized.then_some(LENGTH_BYTES),
        }
    }

    /// `None` if the bytes end before the entry does, `Err` if its kind is not known.
    pub(super) fn decode<'a>(self, entry: &mut Cursor<'a>) -> Option<Result<Entry<'a>, u16>> {
        Some(match self {
            Self::Threads { version } => {
                Ok(Entry::Thread(Box::new(Thread::decode(entry, version)?)))
            }
            Self::Descriptors { sized, tid } => {
                let descriptor = Descriptor::decode(entry, sized)?;
                match descriptor.unknown_kind() {
                    Some(kind) if !sized => Err(kind),
                    Some(_) | None => Ok(Entry::Descriptor { tid, descriptor }),
                }
            }
            Self::Interfaces { .. } => Interface::decode(entry)?.map(Entry::Interface),
            Self::Users { .. } => Account::decode(entry)?.map(|account| match account {
                Account::User(user) => Entry::User(user),
                Account::Group(group) => Entry::Group(group),
            }),
        })
    }
}

/// An entry that the reader has gone past.
struct Taken {
    /// Where it is, without the length in front.
    places: Range<usize>,
    /// What it takes of the list.
    bytes: u32,
    /// Its kind, if that is not known.
    unknown: Option<u16>,
}

impl<R: Read> Reader<R> {
    /// Goes into a block whose header is in memory.
    pub(super) fn enter(&mut self, block: u32, total: u32, kind: ListKind) {
        self.window.consume(HEADER_BYTES);
        self.place = Place::List(List {
            kind,
            block,
            total,
            left: total - (HEADER_BYTES + TRAILER_BYTES) as u32,
        });
    }

    /// The same, where the thread whose descriptors they are stands before the first.
    pub(super) fn enter_descriptors(
        &mut self,
        block: u32,
        total: u32,
        sized: bool,
    ) -> Result<(), CaptureError> {
        let head = HEADER_BYTES + TID_BYTES as usize;
        if (total as usize) < head + TRAILER_BYTES {
            let error = self.fault(Some(block), Fault::Short);
            self.skip(u64::from(total) - TRAILER_BYTES as u64, block)?;
            self.trailer(block, total)?;
            return Err(error);
        }
        self.need(head, block)?;
        let mut start = Cursor::new(self.window.unread());
        start.take(HEADER_BYTES);
        let tid = start.get().unwrap_or_default();
        self.window.consume(head);
        self.place = Place::List(List {
            kind: ListKind::Descriptors { sized, tid },
            block,
            total,
            left: total - (head + TRAILER_BYTES) as u32,
        });
        Ok(())
    }

    /// The list's next entry; `None` behind its end.
    pub(super) fn advance_list(&mut self, mut list: List) -> Result<Option<Found>, CaptureError> {
        // Up to three bytes are there to make the block's length a multiple of four.
        while list.left >= 4 {
            let offset = self.window.offset();
            let taken = match list.kind.uncounted() {
                Some(uncounted) => self.sized_entry(list, uncounted),
                None => self.unsized_entry(list),
            };
            let error = match taken {
                Ok(taken) => {
                    list.left -= taken.bytes;
                    match taken.unknown {
                        None => {
                            self.place = Place::List(list);
                            self.counts.entries += 1;
                            return Ok(Some(Found::Entry(list.kind, taken.places)));
                        }
                        Some(_) if list.kind.uncounted().is_some() => {
                            self.counts.entries_unknown += 1;
                            self.first_unknown.get_or_insert((offset, list.block));
                            continue;
                        }
                        Some(kind) => CaptureError {
                            offset,
                            block: Some(list.block),
                            fault: Fault::EntryKind(kind),
                        },
                    }
                }
                Err(error) if error.is_end() => return Err(error),
                Err(error) => {
                    if let Some(bytes) = self.said_length(list) {
                        self.skip(bytes.into(), list.block)?;
                        list.left -= bytes;
                        self.place = Place::List(list);
                        return Err(error);
                    }
                    error
                }
            };
            self.leave(list)?;
            return Err(error);
        }
        self.leave(list)?;
        Ok(None)
    }

    /// Goes past what is left of the block.
    fn leave(&mut self, list: List) -> Result<(), CaptureError> {
        self.skip(list.left.into(), list.block)?;
        self.trailer(list.block, list.total)?;
        self.place = Place::Between;
        Ok(())
    }

    /// Goes past an entry with its length in front. After an error that is not the end it is
    /// still before the entry.
    fn sized_entry(&mut self, list: List, uncounted: u32) -> Result<Taken, CaptureError> {
        let block = Some(list.block);
        self.need(LENGTH_BYTES as usize, list.block)?;
        let said: u32 = Cursor::new(self.window.unread()).get().unwrap_or_default();
        let length = u64::from(said) + u64::from(uncounted);
        if length < LENGTH_BYTES.into() || length > list.left.into() {
            return Err(self.fault(block, Fault::Short));
        }
        if length > ENTRY_BYTES_MAX.into() {
            let limit = ENTRY_BYTES_MAX.into();
            return Err(self.fault(block, Fault::TooLong { length, limit }));
        }
        let bytes = length as u32;
        self.need(bytes as usize, list.block)?;
        let entry = LENGTH_BYTES as usize..bytes as usize;
        let entry = self.window.unread().get(entry).unwrap_or_default();
        let unknown = match list.kind.decode(&mut Cursor::new(entry)) {
            Some(known) => known.err(),
            None => return Err(self.fault(block, Fault::Short)),
        };
        let places = self.window.consume(bytes as usize);
        Ok(Taken {
            places: places.start + LENGTH_BYTES as usize..places.end,
            bytes,
            unknown,
        })
    }

    /// How long the entry that comes next says it is, where that can be so.
    fn said_length(&self, list: List) -> Option<u32> {
        let uncounted = list.kind.uncounted()?;
        let said: u32 = Cursor::new(self.window.unread()).get()?;
        let length = said.checked_add(uncounted)?;
        (LENGTH_BYTES..=list.left)
            .contains(&length)
            .then_some(length)
    }

    /// The same for an entry that ends where its last member does.
    fn unsized_entry(&mut self, list: List) -> Result<Taken, CaptureError> {
        let mut seen = ENTRY_BYTES_FIRST;
        loop {
            let most = list.left.min(seen);
            let whole = self.fill(most as usize, Some(list.block))?;
            let bytes = self.window.unread();
            let bytes = bytes.get(..most as usize).unwrap_or(bytes);
            let mut cursor = Cursor::new(bytes);
            match list.kind.decode(&mut cursor) {
                Some(known) => {
                    let unknown = known.err();
                    let taken = bytes.len() - cursor.left();
                    return Ok(Taken {
                        places: self.window.consume(taken),
                        bytes: taken as u32,
                        unknown,
                    });
                }
                None if !whole => {
                    return Err(self.fault(Some(list.block), Fault::Truncated));
                }
                None if most == list.left => {
                    return Err(self.fault(Some(list.block), Fault::Short));
                }
                None if seen >= ENTRY_BYTES_MAX => {
                    let fault = Fault::TooLong {
                        length: seen.into(),
                        limit: ENTRY_BYTES_MAX.into(),
                    };
                    return Err(self.fault(Some(list.block), fault));
                }
                None => seen *= 2,
            }
        }
    }
}
