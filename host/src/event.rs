//! What happened: an event of one of Falco's types, and its parameters.
//!
//! An event is either [`Recorded`] by the probe, whose record speaks the kernel's language, or
//! [`Captured`] in a file, which speaks Falco's. Here is what both can be asked; what neither
//! tells (names of processes, of descriptors) is the business of `state`; turning values into
//! text that of `extract`.

pub mod captured;
pub mod encode;
pub mod params;
pub mod path;
pub mod recorded;

pub use captured::{Captured, Purpose};
use params::Fact;
pub use recorded::{Recorded, calls_of, decode};
use saker_rules_schema::event::EventType;

/// What turns the kernel's time since boot into wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// `CLOCK_REALTIME - CLOCK_BOOTTIME`, ns.
    pub boot_to_epoch_ns: i64,
}

impl Clock {
    /// Wall time, ns since the epoch, of a time since boot.
    pub fn wall(self, boot_ns: u64) -> u64 {
        boot_ns.saturating_add_signed(self.boot_to_epoch_ns)
    }
}

/// A parameter's value as the event tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param<'a> {
    /// A number.
    Signed(i64),
    /// A number.
    Unsigned(u64),
    /// A string as it lay in user memory.
    Text(&'a [u8]),
    /// Bytes as they lay there.
    Bytes(&'a [u8]),
    /// A socket address as it lay there.
    Address(&'a [u8]),
    /// Both ends of the record's socket.
    Tuple,
    /// The path of the record's file.
    FilePath,
    /// What the state knows of the process.
    Fact(Fact),
    /// A value of a type that only captures have, in the bytes of the file.
    Wire(&'a [u8]),
}

/// An event, wherever it comes from.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The probe recorded it.
    Recorded(Recorded<'a>),
    /// A capture holds it.
    Captured(Captured<'a>),
}

impl<'a> From<Recorded<'a>> for Event<'a> {
    fn from(event: Recorded<'a>) -> Event<'a> {
        Event::Recorded(event)
    }
}

impl<'a> Event<'a> {
    /// Its type; `None` for what only changes the state.
    #[inline]
    pub fn kind(&self) -> Option<EventType> {
        match self {
            Event::Recorded(event) => event.kind,
            Event::Captured(event) => match event.purpose {
                Purpose::Judged => Some(event.kind),
                Purpose::Hidden | Purpose::Beginning => None,
            },
        }
    }

    /// Whether it has a number of its own; what has a type does.
    #[inline]
    pub fn is_numbered(&self) -> bool {
        match self {
            Event::Recorded(event) => event.kind.is_some(),
            Event::Captured(_) => true,
        }
    }

    /// `evt.num`.
    #[inline]
    pub fn number(&self) -> u64 {
        match self {
            Event::Recorded(event) => event.number,
            Event::Captured(event) => event.number,
        }
    }

    /// Wall time, ns since the epoch.
    #[inline]
    pub fn time(&self) -> u64 {
        match self {
            Event::Recorded(event) => event.time,
            Event::Captured(event) => event.time,
        }
    }

    /// The time on the clock by which the state knows when processes started: of a record
    /// since boot, of a capture since the epoch; ns.
    pub fn process_time(&self) -> u64 {
        match self {
            Event::Recorded(event) => event.record.header.time,
            Event::Captured(event) => event.time,
        }
    }

    /// Id of the thread, initial pid namespace; negative for an event of no thread.
    #[inline]
    pub fn tid(&self) -> i64 {
        match self {
            Event::Recorded(event) => event.record.header.tid.into(),
            Event::Captured(event) => event.tid,
        }
    }

    /// The processor it happened on.
    pub fn cpu(&self) -> u16 {
        match self {
            Event::Recorded(event) => event.record.header.cpu,
            Event::Captured(event) => event.cpu,
        }
    }

    /// What the probe recorded, if it did.
    #[inline]
    pub fn recorded(&self) -> Option<&Recorded<'a>> {
        match self {
            Event::Recorded(event) => Some(event),
            Event::Captured(_) => None,
        }
    }

    /// What the capture holds, if it comes from one.
    #[inline]
    pub fn captured(&self) -> Option<&Captured<'a>> {
        match self {
            Event::Recorded(_) => None,
            Event::Captured(event) => Some(event),
        }
    }

    /// What the call returned; `None` for what is no call.
    pub fn result(&self) -> Option<i64> {
        match self {
            Event::Recorded(event) => event.result(),
            Event::Captured(event) => event.result(),
        }
    }

    /// Whether the call succeeded (what is no call does).
    pub fn succeeded(&self) -> bool {
        self.result().is_none_or(|result| result >= 0)
    }

    /// The number of the descriptor the event is about: negative where the call failed to
    /// make one, or for `AT_FDCWD`. `known` says whether the state knows what it stands for,
    /// which decides what a capture's event is about.
    #[inline]
    pub fn descriptor(&self, known: bool) -> Option<i64> {
        match self {
            Event::Recorded(event) => event.descriptor(),
            Event::Captured(event) => event.descriptor(known),
        }
    }

    /// The parameter at that place in Falco's table; `None` where it could not be read or was
    /// not kept.
    pub fn param(&self, index: usize) -> Option<Param<'a>> {
        match self {
            Event::Recorded(event) => event.param(index),
            Event::Captured(event) => event.param(index),
        }
    }

    /// Whether the event is one of the opens that have flags.
    pub fn is_open(&self) -> bool {
        matches!(
            self.kind(),
            Some(
                EventType::Open
                    | EventType::Openat
                    | EventType::Openat2
                    | EventType::OpenByHandleAt
            )
        )
    }

    /// `evt.is_open_read`.
    pub fn opens_to_read(&self) -> bool {
        match self {
            // O_RDONLY is 0, O_RDWR 2; 3 counts as neither bit of Falco's O_WRONLY.
            Event::Recorded(event) => event.open_flags().is_some_and(|flags| flags & 3 != 1),
            Event::Captured(event) => event.open_flags() & encode::F_RDONLY != 0,
        }
    }

    /// `evt.is_open_write`.
    pub fn opens_to_write(&self) -> bool {
        match self {
            Event::Recorded(event) => event
                .open_flags()
                .is_some_and(|flags| matches!(flags & 3, 1 | 2)),
            Event::Captured(event) => event.open_flags() & encode::F_WRONLY != 0,
        }
    }

    /// Whether the call asked for an execute bit on a file it makes, or has made a file that
    /// has one (`evt.is_open_exec`).
    pub fn makes_executable(&self) -> bool {
        match self {
            Event::Recorded(event) => event.makes_executable(),
            Event::Captured(event) => event.makes_executable(),
        }
    }

    /// `evt.is_open_create`.
    pub fn opens_a_new_file(&self) -> bool {
        match self {
            Event::Recorded(event) => {
                event.is_open()
                    && event.succeeded()
                    && event
                        .file()
                        .is_some_and(|file| file.flags & saker_ebpf::record::FILE_CREATED != 0)
            }
            Event::Captured(event) => event.opens_a_new_file(),
        }
    }

    /// Whether the probe had to cut a string of it.
    pub fn is_cut(&self) -> bool {
        match self {
            Event::Recorded(event) => event.has_cut_path(),
            Event::Captured(_) => false,
        }
    }
}
