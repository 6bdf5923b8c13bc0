//! The scap file format, in which Falco, sysdig and Stratoshark keep what a kernel did: a
//! [`Reader`] of every version of it and a [`Writer`] of the newest, plain or compressed by gzip.
//!
//! A capture is a chain of blocks: a header, the machine, its network interfaces, users, threads
//! and their descriptors as they were when recording began, then events. What an event's code
//! and parameters mean is left to others; here they are a number and pieces of bytes. So is what
//! to do with an entry.
//!
//! Captures come from anywhere. The reader believes no length before it has compared it with what
//! is there and with a bound; it holds one entry of a list or one event at a time, never a file.
//!
//! ```text
//! block   u32 type │ u32 length of all │ body, padded to 4 bytes │ u32 length again
//! list    entry, entry, …                      each with its length in front since format 1.2
//! event   u16 cpu │ u32 flags, in some │ u64 time │ i64 tid │ u32 length │ u16 code
//!         │ u32 number of parameters, since 1.2 │ length of each: u16, in a few u32 │ bytes
//! ```
//!
//! All numbers are little-endian.
#![forbid(unsafe_code)]

mod cursor;
mod block;
mod section;
mod machine;
mod interface;
mod user;
mod thread;
mod descriptor;
mod event;
mod error;
mod reader;
mod writer;

pub use descriptor::{Descriptor, Named, Protocol, Target};
pub use error::{CaptureError, Fault, WriteError};
pub use event::{Event, PARAMS_MAX, ParamBuffer, Params, has_large_params};
pub use interface::{Addresses, Interface};
pub use machine::Machine;
pub use reader::{Counts, Reader};
pub use section::Section;
pub use thread::Thread;
pub use user::{Group, User};
pub use writer::{Compression, Writer, Written};

/// What a capture consists of. Texts are bytes as they were recorded; nothing says that they are
/// UTF-8, and none ends in a zero byte unless said so.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<'a> {
    /// A header: what follows is another recording than what went before, if anything did.
    /// Files of several recordings are made by putting them one after the other.
    Section(Section),
    /// The machine that was recorded.
    Machine(Machine<'a>),
    /// An address of a network interface.
    Interface(Interface<'a>),
    /// A user of the machine.
    User(User<'a>),
    /// A group of users.
    Group(Group<'a>),
    /// A thread that existed when recording began. By far the largest of all, it is kept apart so
    /// that events do not pay for its size.
    Thread(Box<Thread<'a>>),
    /// A descriptor that the thread had open when recording began.
    Descriptor {
        /// Whose it is.
        tid: i64,
        /// What it is.
        descriptor: Descriptor<'a>,
    },
    /// Something that happened.
    Event(Event<'a>),
}
