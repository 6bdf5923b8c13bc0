//! What can be wrong with a capture, and with what shall become one.

use std::fmt;
use std::io;

/// A place in a capture where it is not as it must be.
#[derive(Debug, thiserror::Error)]
#[error("byte {offset} of the capture{}: {fault}", InBlock(*.block))]
pub struct CaptureError {
    /// Where the block, or the entry of a list, begins: in bytes, after decompression.
    pub offset: u64,
    /// The type of the block, if its header could be read.
    pub block: Option<u32>,
    /// What is wrong.
    #[source]
    pub fault: Fault,
}

struct InBlock(Option<u32>);

impl fmt::Display for InBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(block) => write!(f, ", in a block of type {block:#x}"),
            None => Ok(()),
        }
    }
}

/// What is wrong with a capture.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It could not be read, or its compression is damaged.
    #[error("it cannot be read: {0}")]
    Read(io::Error),
    /// It does not begin as captures do.
    #[error("this is no capture in the scap format")]
    NotACapture,
    /// It begins as captures do, and as all pcapng files, and has blocks only of other kinds.
    #[error("this is a pcapng file, with no block in it that captures in the scap format have")]
    OtherBlocks,
    /// It is of a big-endian machine.
    #[error("a capture of a big-endian machine cannot be read")]
    ByteOrder,
    /// It is in a format to come.
    #[error("version {major}.{minor} of the format is not known")]
    Version {
        /// What changes when older readers cannot read it.
        major: u16,
        /// What changes when they can.
        minor: u16,
    },
    /// It ends in the middle of a block.
    #[error("the capture ends in the middle of a block")]
    Truncated,
    /// A block says that it is shorter than its own frame.
    #[error("a block cannot be {0} bytes long")]
    BlockLength(u32),
    /// A block's length behind it is not that before it.
    #[error("the block is {header} bytes long by its beginning and {trailer} by its end")]
    Trailer {
        /// The length before it.
        header: u32,
        /// The length behind it.
        trailer: u32,
    },
    /// An event, or an entry of a list, is longer than any can be.
    #[error("{length} bytes are more than the {limit} there can be")]
    TooLong {
        /// How long it says it is.
        length: u64,
        /// What is read.
        limit: u64,
    },
    /// A block, or an entry of a list, ends before what it must have.
    #[error("it ends before what it must have")]
    Short,
    /// An entry of a list is of a kind that is not known and does not say how long it is.
    #[error("an entry of kind {0} is not known")]
    EntryKind(u16),
    /// An event has more parameters than any has.
    #[error("an event cannot have {0} parameters")]
    ParamCount(u32),
    /// The lengths of an event's parameters contradict the event's.
    #[error("the lengths of the parameters are not those of the event")]
    ParamLengths,
}

impl CaptureError {
    /// Whether nothing more can be read. Otherwise the reader goes on with the next block.
    pub fn is_end(&self) -> bool {
        match self.fault {
            Fault::Read(_)
            | Fault::NotACapture
            | Fault::OtherBlocks
            | Fault::ByteOrder
            | Fault::Version { .. }
            | Fault::Truncated
            | Fault::BlockLength(_)
            | Fault::Trailer { .. } => true,
            Fault::TooLong { .. }
            | Fault::Short
            | Fault::EntryKind(_)
            | Fault::ParamCount(_)
            | Fault::ParamLengths => false,
        }
    }
}

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file, or whatever takes the capture, does not take it. What is written after that may
    /// stand behind half a block.
    #[error("the capture cannot be written: {0}")]
    Write(#[from] io::Error),
    /// What is recorded of the beginning comes before events, and users and interfaces stand
    /// together; readers refuse or forget it otherwise. Nothing was written of it.
    #[error("{0} cannot be written at this place of a capture")]
    Order(&'static str),
    /// An event that no reader takes, or an entry of a list that has grown beyond reason. Nothing
    /// was written of it.
    #[error("{length} bytes in one block are more than the {limit} that are written")]
    TooLong {
        /// How long the block would be.
        length: u64,
        /// How long it may be.
        limit: u64,
    },
    /// More parameters than any event has. Nothing was written of it.
    #[error("an event cannot have {0} parameters")]
    ParamCount(usize),
}
