//! Threads as they were when recording began.

use crate::cursor::{Cursor, Encoder, Value};

/// Beyond these libscap refuses an entry.
const PATH_BYTES_MAX: usize = 1024;
const LIST_BYTES_MAX: usize = 4096;

/// The last version of the list's block; since it entries say their length.
pub(crate) const SIZED_SINCE: u8 = 9;

/// What a list of version 9 has at most behind the members of version 8, if it was written by
/// libscap before 0.10: `loginuid` to `cap_effective`. Version 0.10 put two members in front of
/// them, and only the length tells which of the two it is.
const OLD_TAIL_BYTES: usize = 29;

/// The members in the order in which they lie, each with what it is where it was not recorded.
/// From this come the structure, the reading and the writing.
macro_rules! thread {
    (
        members { $($(#[$doc:meta])* $name:ident: $type:ty = $absent:expr, since $since:literal
            $(, at most $limit:ident)?;)* }
        // Added in the middle by libscap 0.10.
        inserted { $($(#[$doc_in:meta])* $name_in:ident: $type_in:ty = $absent_in:expr;)* }
        // As many as the entry's length has place for.
        tail { $($(#[$doc_tail:meta])* $name_tail:ident: $type_tail:ty = $absent_tail:expr;)* }
    ) => {
        /// A thread as it was when recording began. A member that the recording's version does
        /// not have is 0, empty or false unless said otherwise.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Thread<'a> {
            $($(#[$doc])* pub $name: $type,)*
            $($(#[$doc_in])* pub $name_in: $type_in,)*
            $($(#[$doc_tail])* pub $name_tail: $type_tail,)*
        }

        impl Default for Thread<'_> {
            fn default() -> Self {
                Self {
                    $($name: $absent,)*
                    $($name_in: $absent_in,)*
                    $($name_tail: $absent_tail,)*
                }
            }
        }

        impl<'a> Thread<'a> {
            /// `version` is that of the block. Since the ninth, `entry` must be exactly one entry
            /// without the length in front.
            pub(crate) fn decode(entry: &mut Cursor<'a>, version: u8) -> Option<Self> {
                let mut thread = Self::default();
                $(if version >= $since {
                    thread.$name = entry.get()?;
                })*
                if version < SIZED_SINCE {
                    return Some(thread);
                }
                if entry.left() > OLD_TAIL_BYTES {
                    $(thread.$name_in = entry.get()?;)*
                }
                thread.decode_tail(entry);
                Some(thread)
            }

            /// Stops where the entry ends: it is from before what follows was added.
            fn decode_tail(&mut self, entry: &mut Cursor<'a>) -> Option<()> {
                $(self.$name_tail = entry.get()?;)*
                Some(())
            }

            pub(crate) fn encode(&self, out: &mut Encoder<'_>) {
                $(self.$name.write(out, 0 $(+ $limit)?);)*
                $(self.$name_in.write(out, 0);)*
                $(self.$name_tail.write(out, 0);)*
            }
        }
    };
}

thread! {
members {
    /// The thread.
    tid: i64 = 0, since 1;
    /// Its process.
    pid: i64 = 0, since 1;
    /// The thread that made it.
    ptid: i64 = 0, since 1;
    /// The session; -1 if not recorded.
    sid: i64 = -1, since 6;
    /// The process group as its pid namespace numbers it; -1 if not recorded.
    vpgid: i64 = -1, since 8;
    /// The name.
    comm: &'a [u8] = &[], since 1, at most PATH_BYTES_MAX;
    /// The first argument (`argv[0]`).
    exe: &'a [u8] = &[], since 1, at most PATH_BYTES_MAX;
    /// The path of the executable.
    exepath: &'a [u8] = &[], since 7, at most PATH_BYTES_MAX;
    /// The arguments after the first, each with a zero byte behind it; the last one may lack it.
    args: &'a [u8] = &[], since 1, at most LIST_BYTES_MAX;
    /// The working directory.
    cwd: &'a [u8] = &[], since 1, at most PATH_BYTES_MAX;
    /// How many descriptors it may have.
    fdlimit: i64 = 0, since 1;
    /// How it was made, in Falco's `CL_` bits.
    flags: u32 = 0, since 1;
    /// The user.
    uid: u32 = 0, since 1;
    /// The group.
    gid: u32 = 0, since 1;
    /// Virtual memory, in KiB.
    vmsize_kib: u32 = 0, since 2;
    /// Resident memory, in KiB.
    vmrss_kib: u32 = 0, since 2;
    /// Swapped memory, in KiB.
    vmswap_kib: u32 = 0, since 2;
    /// Major page faults so far.
    pfmajor: u64 = 0, since 2;
    /// Minor page faults so far.
    pfminor: u64 = 0, since 2;
    /// The environment, each variable with a zero byte behind it; the last one may lack it.
    env: &'a [u8] = &[], since 3, at most LIST_BYTES_MAX;
    /// The thread as its pid namespace numbers it; -1 if not recorded.
    vtid: i64 = -1, since 4;
    /// The process as its pid namespace numbers it; -1 if not recorded.
    vpid: i64 = -1, since 4;
    /// `subsystem=path` for each cgroup, each with a zero byte behind it.
    cgroups: &'a [u8] = &[], since 4, at most LIST_BYTES_MAX;
    /// The root directory.
    root: &'a [u8] = &[], since 5, at most PATH_BYTES_MAX;
}
inserted {
    /// When the first process of its pid namespace started, in nanoseconds since 1970.
    pidns_init_start_time: u64 = 0;
    /// The terminal's device number.
    tty: u32 = 0;
}
tail {
    /// The user that logged in; `u32::MAX` if nobody did, or if not recorded.
    loginuid: u32 = u32::MAX;
    /// The user may write to the executable.
    exe_writable: bool = false;
    /// Inheritable capabilities, in Falco's bits.
    cap_inheritable: u64 = 0;
    /// Permitted capabilities, in Falco's bits.
    cap_permitted: u64 = 0;
    /// Effective capabilities, in Falco's bits.
    cap_effective: u64 = 0;
    /// The executable is in the upper layer of an overlay file system.
    exe_upper_layer: bool = false;
    /// The executable's inode.
    exe_inode: u64 = 0;
    /// When the executable's inode last changed, in nanoseconds since 1970.
    exe_change_time: u64 = 0;
    /// When the executable was last written, in nanoseconds since 1970.
    exe_modify_time: u64 = 0;
    /// The executable is a memfd.
    exe_from_memfd: bool = false;
    /// The executable is in a lower layer of an overlay file system.
    exe_lower_layer: bool = false;
    /// The process group; -1 if not recorded.
    pgid: i64 = -1;
}
}
