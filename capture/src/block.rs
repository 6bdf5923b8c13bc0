//! The types of blocks, by the numbers that stand in files.

/// A block's type and length in front of its body.
pub(crate) const HEADER_BYTES: usize = 8;
/// Its length once more, behind it.
pub(crate) const TRAILER_BYTES: usize = 4;

/// The header of a recording. The same bytes in either byte order, so that it can be told first.
pub(crate) const SECTION: u32 = 0x0A0D_0D0A;
pub(crate) const MACHINE: u32 = 0x201;
pub(crate) const INTERFACES: u32 = 0x219;
pub(crate) const USERS: u32 = 0x220;
pub(crate) const THREADS: u32 = 0x215;
pub(crate) const DESCRIPTORS: u32 = 0x218;
pub(crate) const EVENT: u32 = 0x216;
pub(crate) const EVENT_FLAGS: u32 = 0x217;
pub(crate) const EVENT_LARGE: u32 = 0x221;
pub(crate) const EVENT_FLAGS_LARGE: u32 = 0x222;

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Section,
    Machine,
    /// Since which version of it entries have which members: `thread.rs` says which. Since the
    /// ninth an entry begins with its length.
    Threads(u8),
    /// Whether an entry begins with its length, as in the next two.
    Descriptors(bool),
    Interfaces(bool),
    Users(bool),
    Event(EventLayout),
}

/// What an event's block has besides what all have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventLayout {
    pub(crate) flags: bool,
    /// The number of parameters.
    pub(crate) count: bool,
    /// Its length may exceed 64 KiB.
    pub(crate) large: bool,
}

impl EventLayout {
    const fn new(flags: bool, count: bool, large: bool) -> Self {
        Self {
            flags,
            count,
            large,
        }
    }
}

/// What the block of this type holds; `None` for one that is not known. The numbers that end in
/// `ABCD` are from before the format was public.
#[inline]
pub(crate) fn kind(block: u32) -> Option<Kind> {
    Some(match block {
        SECTION => Kind::Section,
        MACHINE | 0x8002_ABCD => Kind::Machine,
        0x202 | 0x8000_ABCD => Kind::Threads(1),
        0x207 | 0x8013_ABCD => Kind::Threads(2),
        0x209 | 0x8014_ABCD => Kind::Threads(3),
        0x210 => Kind::Threads(4),
        0x211 => Kind::Threads(5),
        0x212 => Kind::Threads(6),
        0x213 => Kind::Threads(7),
        0x214 => Kind::Threads(8),
        THREADS => Kind::Threads(9),
        0x203 | 0x8001_ABCD => Kind::Descriptors(false),
        DESCRIPTORS => Kind::Descriptors(true),
        0x205 | 0x8011_ABCD => Kind::Interfaces(false),
        INTERFACES => Kind::Interfaces(true),
        0x206 | 0x8012_ABCD => Kind::Users(false),
        USERS => Kind::Users(true),
        0x204 | 0x8010_ABCD => Kind::Event(EventLayout::new(false, false, false)),
        0x208 => Kind::Event(EventLayout::new(true, false, false)),
        EVENT => Kind::Event(EventLayout::new(false, true, false)),
        EVENT_FLAGS => Kind::Event(EventLayout::new(true, true, false)),
        EVENT_LARGE => Kind::Event(EventLayout::new(false, true, true)),
        EVENT_FLAGS_LARGE => Kind::Event(EventLayout::new(true, true, true)),
        _ => return None,
    })
}
