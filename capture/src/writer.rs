//! Writing a capture, so that Falco, sysdig and Stratoshark open it.

use crate::Entry;
use crate::block::{self, HEADER_BYTES, TRAILER_BYTES};
use crate::cursor::Encoder;
use crate::descriptor::Descriptor;
use crate::error::WriteError;
use crate::event::{Event, PARAMS_MAX, has_large_params};
use crate::section::Section;
use flate2::write::GzEncoder;
use std::io::{self, Write};

/// zlib's own default, which libscap writes with.
const LEVEL: flate2::Compression = flate2::Compression::new(6);

/// What is gathered before it is handed on.
const GATHERED_BYTES: usize = 64 << 10;

/// Where a list of threads, or of one thread's descriptors, goes on in another block.
const LIST_BYTES: usize = 1 << 20;

/// Lists that must stand in one block are in memory as a whole until they end; a machine with ten
/// thousand users has one of 1 MiB.
const WHOLE_LIST_BYTES_MAX: usize = 16 << 20;

/// What libscap takes of an event whose parameters' lengths have two bytes: from the block's
/// header to its end.
const EVENT_BYTES_MAX: usize = 64 << 10;

/// What our reader takes of other events; libscap takes 4 GiB.
const LARGE_EVENT_BYTES_MAX: usize = 16 << 20;

/// How a capture lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    Plain,
    /// By gzip: about a tenth of the size.
    Gzip,
}

/// What was written so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Events.
    pub events: u64,
    /// Bytes before compression, what is still gathered included.
    pub bytes: u64,
    /// Texts of which only the beginning was written, as readers refuse them if they are longer.
    pub texts_cut: u64,
}

/// Writes a capture in the newest version of the format. What is written is an [`Entry`], in the
/// order in which readers want it: a section (or none: the first is written without being asked
/// for), then machine, interfaces, users and groups, threads and their descriptors, then events.
///
/// Nothing is complete before [`finish`](Self::finish).
#[must_use = "a capture is complete only after `finish`"]
pub struct Writer<W: Write> {
    sink: Sink<W>,
    /// Whole blocks that are not handed on yet, then the one that is open.
    gathered: Vec<u8>,
    open: Option<Open>,
    /// What the section has already that can stand in it only once, or only before events.
    section: Has,
    written: Written,
}

enum Sink<W: Write> {
    Plain(W),
    Gzip(Box<GzEncoder<W>>),
}

impl<W: Write> Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(write) => write.write_all(bytes),
            Self::Gzip(write) => write.write_all(bytes),
        }
    }
}

/// A list that further entries may be added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    list: List,
    /// Where in what is gathered its block begins.
    start: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Interfaces,
    Users,
    Threads,
    /// Of this thread.
    Descriptors(i64),
}

#[derive(Debug, Clone, Copy, Default)]
struct Has {
    anything: bool,
    interfaces: bool,
    users: bool,
    events: bool,
}

impl<W: Write> Writer<W> {
    /// Begins a capture. Whatever `write` is, it need not be buffered.
    ///
    /// # Errors
    /// None yet; the signature leaves it open to write at once.
    pub fn new(write: W, compression: Compression) -> Result<Self, WriteError> {
        let mut writer = Self {
            sink: match compression {
                Compression::Plain => Sink::Plain(write),
                Compression::Gzip => Sink::Gzip(Box::new(GzEncoder::new(write, LEVEL))),
            },
            gathered: Vec::with_capacity(2 * GATHERED_BYTES),
            open: None,
            section: Has::default(),
            written: Written::default(),
        };
        writer.begin_section();
        Ok(writer)
    }

    /// What was written so far.
    pub fn written(&self) -> Written {
        self.written
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// It cannot stand here, no reader would take it, or the file does not take what was
    /// gathered. In the first two cases nothing was written and one can go on.
    pub fn write(&mut self, entry: &Entry<'_>) -> Result<(), WriteError> {
        match entry {
            Entry::Section(_) => {
                // Whatever it was recorded in, it is written in the newest version.
                if self.section.anything {
                    self.close();
                    self.begin_section();
                }
            }
            Entry::Machine(machine) => {
                self.before_events("the machine")?;
                self.close();
                self.block(block::MACHINE, |out| machine.encode(out));
            }
            Entry::Interface(interface) => {
                let once = self.section.interfaces;
                self.list(List::Interfaces, once, "an interface", |out| {
                    interface.encode(out)
                })?;
                self.section.interfaces = true;
            }
            Entry::User(user) => {
                let once = self.section.users;
                self.list(List::Users, once, "a user", |out| user.encode(out))?;
                self.section.users = true;
            }
            Entry::Group(group) => {
                let once = self.section.users;
                self.list(List::Users, once, "a group", |out| group.encode(out))?;
                self.section.users = true;
            }
            Entry::Thread(thread) => {
                self.list(List::Threads, false, "a thread", |out| thread.encode(out))?;
            }
            Entry::Descriptor { tid, descriptor } => self.descriptor(*tid, descriptor)?,
            Entry::Event(event) => return self.event(event),
        }
        self.section.anything = true;
        self.hand_on(GATHERED_BYTES)
    }

    /// Adds an event: the same as [`write`](Self::write).
    ///
    /// # Errors
    /// No reader would take it, or the file does not take what was gathered. In the first case
    /// nothing was written and one can go on.
    pub fn event(&mut self, event: &Event<'_>) -> Result<(), WriteError> {
        let params = event.params.len();
        if params > PARAMS_MAX {
            return Err(WriteError::ParamCount(params));
        }
        let large = has_large_params(event.code);
        let limit = if large {
            LARGE_EVENT_BYTES_MAX
        } else {
            EVENT_BYTES_MAX
        };
        let length = event.length();
        // Processor, flags and what the block may be longer for its alignment.
        let block_bytes = length + 6 + 3 + HEADER_BYTES + TRAILER_BYTES;
        if block_bytes > limit {
            return Err(WriteError::TooLong {
                length: block_bytes as u64,
                limit: limit as u64,
            });
        }
        self.close();
        let block = match (event.flags, large) {
            (0, false) => block::EVENT,
            (0, true) => block::EVENT_LARGE,
            (_, false) => block::EVENT_FLAGS,
            (_, true) => block::EVENT_FLAGS_LARGE,
        };
        self.block(block, |out| event.encode(length, out));
        self.section.anything = true;
        self.section.events = true;
        self.written.events += 1;
        self.hand_on(GATHERED_BYTES)
    }

    /// Hands on what was gathered, so that all of it can be read from the file.
    ///
    /// # Errors
    /// The file does not take it.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        self.close();
        self.hand_on(1)?;
        match &mut self.sink {
            Sink::Plain(write) => write.flush()?,
            Sink::Gzip(write) => write.flush()?,
        }
        Ok(())
    }

    /// Completes the capture and gives back where it was written to, flushed.
    ///
    /// # Errors
    /// The file does not take the rest.
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.close();
        self.hand_on(1)?;
        let mut write = match self.sink {
            Sink::Plain(write) => write,
            Sink::Gzip(write) => write.finish()?,
        };
        write.flush()?;
        Ok(write)
    }

    fn begin_section(&mut self) {
        self.section = Has::default();
        self.block(block::SECTION, |out| Section::NEWEST.encode(out));
    }

    fn before_events(&self, what: &'static str) -> Result<(), WriteError> {
        if self.section.events {
            return Err(WriteError::Order(what));
        }
        Ok(())
    }

    fn descriptor(&mut self, tid: i64, descriptor: &Descriptor<'_>) -> Result<(), WriteError> {
        self.list(List::Descriptors(tid), false, "a descriptor", |out| {
            descriptor.encode(out);
        })
    }

    /// Adds an entry to the list that is open, or to one that is opened for it. `once`: of
    /// several such lists readers keep only the last, and there was one.
    fn list(
        &mut self,
        list: List,
        once: bool,
        what: &'static str,
        encode: impl FnOnce(&mut Encoder<'_>),
    ) -> Result<(), WriteError> {
        self.before_events(what)?;
        let open = self.open.filter(|open| open.list == list);
        let length = open.map_or(0, |open| self.gathered.len() - open.start);
        let goes_on = match list {
            List::Interfaces | List::Users if length > WHOLE_LIST_BYTES_MAX => {
                return Err(WriteError::TooLong {
                    length: length as u64,
                    limit: WHOLE_LIST_BYTES_MAX as u64,
                });
            }
            List::Interfaces | List::Users => open.is_some(),
            List::Threads | List::Descriptors(_) => open.is_some() && length < LIST_BYTES,
        };
        if !goes_on {
            if once {
                return Err(WriteError::Order(what));
            }
            self.close();
            self.hand_on(GATHERED_BYTES)?;
            self.open(list);
        }
        let start = self.gathered.len();
        self.encode(|out| {
            out.put(&[0; 4]);
            encode(out);
        });
        let length = self.gathered.len() - start;
        let said = match list {
            // Theirs does not count itself.
            List::Interfaces => length - 4,
            List::Users | List::Threads | List::Descriptors(_) => length,
        };
        self.put_length(start, said);
        Ok(())
    }

    fn open(&mut self, list: List) {
        let block = match list {
            List::Interfaces => block::INTERFACES,
            List::Users => block::USERS,
            List::Threads => block::THREADS,
            List::Descriptors(_) => block::DESCRIPTORS,
        };
        let start = self.begin_block(block);
        if let List::Descriptors(tid) = list {
            self.encode(|out| out.value(tid));
        }
        self.open = Some(Open { list, start });
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.end_block(open.start);
        }
    }

    #[inline]
    fn block(&mut self, block: u32, encode: impl FnOnce(&mut Encoder<'_>)) {
        let start = self.begin_block(block);
        self.encode(encode);
        self.end_block(start);
    }

    #[inline]
    fn encode(&mut self, encode: impl FnOnce(&mut Encoder<'_>)) {
        let mut out = Encoder::new(&mut self.gathered);
        encode(&mut out);
        self.written.texts_cut += out.texts_cut;
    }

    fn begin_block(&mut self, block: u32) -> usize {
        let start = self.gathered.len();
        self.gathered.extend_from_slice(&block.to_le_bytes());
        self.gathered.extend_from_slice(&[0; 4]);
        start
    }

    fn end_block(&mut self, start: usize) {
        let body = self.gathered.len() - start;
        self.gathered.resize(start + body.next_multiple_of(4), 0);
        let total = self.gathered.len() - start + TRAILER_BYTES;
        self.put_length(start + 4, total);
        self.gathered
            .extend_from_slice(&(total as u32).to_le_bytes());
        self.written.bytes += total as u64;
    }

    fn put_length(&mut self, place: usize, length: usize) {
        if let Some(bytes) = self.gathered.get_mut(place..place + 4) {
            bytes.copy_from_slice(&(length as u32).to_le_bytes());
        }
    }

    /// Hands on what was gathered if it is so much, and no list is open.
    fn hand_on(&mut self, least: usize) -> Result<(), WriteError> {
        if self.open.is_none() && self.gathered.len() >= least {
            self.sink.write(&self.gathered)?;
            self.gathered.clear();
        }
        Ok(())
    }
}
