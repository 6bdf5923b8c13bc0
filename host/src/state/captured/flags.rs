//! What Falco notes of a thread in one word: how it was cloned, in its own numbering, and what
//! became of it.

/// Shares the descriptors of its process.
pub(in crate::state) const CLONE_FILES: u32 = 1;
/// In a pid namespace of its own.
pub(super) const CLONE_NEWPID: u32 = 1 << 6;
/// A child of its creator's parent.
pub(super) const CLONE_PARENT: u32 = 1 << 8;
/// A thread of its creator's process.
pub(in crate::state) const CLONE_THREAD: u32 = 1 << 13;
/// Made known by its own return from the call, not by its creator's.
pub(super) const CLONE_INVERTED: u32 = 1 << 16;
/// Its name was changed.
pub(super) const NAME_CHANGED: u32 = 1 << 17;
/// It has ended.
pub(in crate::state) const CLOSED: u32 = 1 << 18;
/// It has done something.
pub(super) const ACTIVE: u32 = 1 << 19;
/// In a user namespace of its own.
pub(super) const CLONE_NEWUSER: u32 = 1 << 20;
/// The writing end of a pipe.
pub(super) const PIPE_SRC: u32 = 1 << 21;
/// The reading end of a pipe.
pub(super) const PIPE_DST: u32 = 1 << 22;
/// Its creator waits until it executes or ends.
pub(super) const CLONE_VFORK: u32 = 1 << 27;
/// In another pid namespace than the first.
pub(super) const CHILD_IN_PIDNS: u32 = 1 << 29;
/// The first thread of its process.
pub(super) const IS_MAIN_THREAD: u32 = 1 << 30;

/// What an exec leaves as it was.
pub(super) const KEPT_BY_EXEC: u32 =
    ACTIVE | NAME_CHANGED | PIPE_SRC | PIPE_DST | IS_MAIN_THREAD | CLONE_INVERTED;
