//! The part of a capture that is in memory, and what it is filled from: the file itself, or what
//! comes out of it decompressed.

use flate2::read::MultiGzDecoder;
use std::io::{self, Chain, Cursor, Read};
use std::ops::Range;

/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Enough for hundreds of events at a time, little enough for a processor's own memory.
const BYTES_FIRST: usize = 64 << 10;

/// What was read to tell what it is, then the rest.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

enum Input<R> {
    Plain(Whole<R>),
    /// Of one or several members: files that were put one after the other are one stream.
    Gzip(Box<MultiGzDecoder<Whole<R>>>),
}

impl<R: Read> Input<R> {
    fn new(mut read: R) -> io::Result<Self> {
        let mut first = Vec::new();
        read.by_ref()
            .take(GZIP.len() as u64)
            .read_to_end(&mut first)?;
        let gzip = first == GZIP;
        let whole = Cursor::new(first).chain(read);
        Ok(if gzip {
            Self::Gzip(Box::new(MultiGzDecoder::new(whole)))
        } else {
            Self::Plain(whole)
        })
    }

    /// `None` for compressed bytes that end too early.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            let result = match self {
                Self::Plain(read) => read.read(buffer),
                Self::Gzip(read) => read.read(buffer),
            };
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                result => return result.map(Some),
            }
        }
    }
}

/// Consecutive bytes of a stream. What was consumed stays where it was until more is asked for.
pub(crate) struct Window<R> {
    input: Input<R>,
    bytes: Vec<u8>,
    /// What is in memory and not consumed.
    unread: Range<usize>,
    /// Where in the stream that begins.
    offset: u64,
    /// The stream ended earlier than its compression says.
    cut_off: bool,
}

impl<R: Read> Window<R> {
    pub(crate) fn new(read: R) -> io::Result<Self> {
        Ok(Self {
            input: Input::new(read)?,
            bytes: vec![0; BYTES_FIRST],
            unread: 0..0,
            offset: 0,
            cut_off: false,
        })
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the stream ended earlier than its compression says.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut_off
    }

    /// What is in memory and not consumed.
    #[inline]
    pub(crate) fn unread(&self) -> &[u8] {
        self.bytes.get(self.unread.clone()).unwrap_or_default()
    }

    /// Bytes at places that [`Self::consume`] told.
    #[inline]
    pub(crate) fn at(&self, places: Range<usize>) -> &[u8] {
        self.bytes.get(places).unwrap_or_default()
    }

    /// Reads until so many bytes are in memory; `false` if the stream ends before. Memory grows
    /// with what has come, not with what is asked for.
    #[inline]
    pub(crate) fn fill(&mut self, length: usize) -> io::Result<bool> {
        if self.unread.len() >= length {
            return Ok(true);
        }
        self.fill_more(length)
    }

    #[cold]
    fn fill_more(&mut self, length: usize) -> io::Result<bool> {
        self.bytes.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        while self.unread.len() < length {
            if self.unread.end == self.bytes.len() {
                self.bytes.resize(self.bytes.len() * 2, 0);
            }
            let free = self.bytes.get_mut(self.unread.end..).unwrap_or_default();
            let room = free.len();
            match self.input.read(free)? {
                Some(0) => return Ok(false),
                Some(read) => self.unread.end += read.min(room),
                None => {
                    self.cut_off = true;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Goes past bytes that are in memory, and tells their places there, which hold until more
    /// is asked for.
    #[inline]
    pub(crate) fn consume(&mut self, length: usize) -> Range<usize> {
        let length = length.min(self.unread.len());
        let start = self.unread.start;
        self.unread.start += length;
        self.offset += length as u64;
        start..self.unread.start
    }

    /// Goes past bytes wherever they are; `false` if the stream ends before.
    pub(crate) fn skip(&mut self, mut length: u64) -> io::Result<bool> {
        loop {
            let here = usize::try_from(length)
                .unwrap_or(usize::MAX)
                .min(self.unread.len());
            self.consume(here);
            length -= here as u64;
            if length == 0 {
                return Ok(true);
            }
            if !self.fill(1)? {
                return Ok(false);
            }
        }
    }
}
