//! What the probe captures of each system call: one row of [`RECIPES`] per call that can be
//! recorded. The host pushes rows and interest into the probe's maps; which of them a rule
//! needs is the host's business.

/// Bytes of a recipe as the probe reads it (`struct recipe` in `probe/record.h`).
pub const RECIPE_BYTES: usize = 16;
/// System call numbers below this one have a row in the probe's table.
pub const CALLS: usize = 512;
/// Entries of the interest and translation tables: [`CALLS`] by number, then as many for the
/// calls that only the x32 table has (512 to 547).
pub const NUMBERS: usize = 1024;
/// In the translation table: no recorded call.
pub const NOT_RECORDED: u16 = u16::MAX;
/// The i386 call that multiplexes all socket calls; the probe looks into its arguments.
pub const IA32_SOCKETCALL: u16 = 102;
/// Interest bit: the 64-bit or x32 call of that number.
pub const WANTED_NATIVE: u8 = 1;
/// Interest bit: the 32-bit table's call of that number.
pub const WANTED_COMPAT: u8 = 2;
/// Interest bit: the 64-bit call of that number also when it fails.
pub const WANTED_FAILED: u8 = 4;

const RET: u8 = 7;
const CWD: u8 = 7;
const LIFECYCLE: u8 = 1;
const ONLY_FAILURE: u8 = 2;
const ONLY_DUPFD: u8 = 4;
const AFTER_PROCESS: u8 = 1;
const AFTER_CWD: u8 = 2;
const BYTES_CONSTANT: u8 = 128;

/// What to capture beside the registers. An argument is its number plus one, 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    flags: u8,
    path0: u8,
    dir0: u8,
    path1: u8,
    dir1: u8,
    fd: u8,
    sockaddr: u8,
    sockaddr_len: u8,
    text: u8,
    bytes: u8,
    bytes_len: u8,
    argv: u8,
    after: u8,
}

const NOTHING: Recipe = Recipe {
    flags: 0,
    path0: 0,
    dir0: 0,
    path1: 0,
    dir1: 0,
    fd: 0,
    sockaddr: 0,
    sockaddr_len: 0,
    text: 0,
    bytes: 0,
    bytes_len: 0,
    argv: 0,
    after: 0,
};

impl Recipe {
    /// The recipe as the probe's map holds it.
    pub const fn to_bytes(self) -> [u8; RECIPE_BYTES] {
        [
            self.flags,
            self.path0,
            self.dir0,
            self.path1,
            self.dir1,
            self.fd,
            self.sockaddr,
            self.sockaddr_len,
            self.text,
            self.bytes,
            self.bytes_len,
            self.argv,
            self.after,
            0,
            0,
            0,
        ]
    }

    /// Whether its records go into the lifecycle rings when it succeeds: no flood of opens, or
    /// of calls that fail, can fill them.
    pub const fn is_lifecycle(self) -> bool {
        self.flags & LIFECYCLE != 0
    }

    const fn lifecycle(mut self) -> Recipe {
        self.flags |= LIFECYCLE;
        self
    }
    const fn only_failure(mut self) -> Recipe {
        self.flags |= ONLY_FAILURE;
        self
    }
    const fn only_dupfd(mut self) -> Recipe {
        self.flags |= ONLY_DUPFD;
        self
    }
    /// A path relative to the current directory.
    const fn path(mut self, arg: u8) -> Recipe {
        self.path0 = arg + 1;
        self.dir0 = CWD;
        self
    }
    /// A path relative to a directory descriptor.
    const fn path_at(mut self, dir: u8, arg: u8) -> Recipe {
        self.path0 = arg + 1;
        self.dir0 = dir + 1;
        self
    }
    /// A string kept as a path but resolved by nobody: a symlink's target, a mount's source.
    const fn bare(mut self, arg: u8) -> Recipe {
        self.path0 = arg + 1;
        self
    }
    const fn second(mut self, arg: u8) -> Recipe {
        self.path1 = arg + 1;
        self.dir1 = CWD;
        self
    }
    const fn second_at(mut self, dir: u8, arg: u8) -> Recipe {
        self.path1 = arg + 1;
        self.dir1 = dir + 1;
        self
    }
    const fn made_fd(mut self) -> Recipe {
        self.fd = RET;
        self
    }
    const fn used_fd(mut self, arg: u8) -> Recipe {
        self.fd = arg + 1;
        self
    }
    const fn sockaddr(mut self, arg: u8, len: u8) -> Recipe {
        self.sockaddr = arg + 1;
        self.sockaddr_len = len + 1;
        self
    }
    const fn text(mut self, arg: u8) -> Recipe {
        self.text = arg + 1;
        self
    }
    const fn bytes(mut self, arg: u8, len: u8) -> Recipe {
        self.bytes = arg + 1;
        self.bytes_len = len + 1;
        self
    }
    const fn constant_bytes(mut self, arg: u8, len: u8) -> Recipe {
        self.bytes = arg + 1;
        self.bytes_len = len | BYTES_CONSTANT;
        self
    }
    const fn argv(mut self, arg: u8) -> Recipe {
        self.argv = arg + 1;
        self
    }
    const fn process_after(mut self) -> Recipe {
        self.after |= AFTER_PROCESS;
        self
    }
    const fn cwd_after(mut self) -> Recipe {
        self.after |= AFTER_CWD;
        self
    }
}

/// One system call that can be recorded.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its name in the kernel.
    pub name: &'static str,
    /// Falco's event name (`evt.type`).
    pub event: &'static str,
    /// Its number in the 64-bit table.
    pub number: u16,
    /// Its numbers in the 32-bit table: none, one, or two where a 16-bit form lives on.
    pub ia32: &'static [u16],
    /// What is captured.
    pub recipe: Recipe,
}

const fn call(
    name: &'static str,
    event: &'static str,
    number: u16,
    ia32: &'static [u16],
    recipe: Recipe,
) -> Call {
    Call {
        name,
        event,
        number,
        ia32,
        recipe,
    }
}

const N: Recipe = NOTHING;
/// Credentials change for good when these succeed.
const CREDENTIALS: Recipe = NOTHING.lifecycle().process_after();

/// Every call that can be recorded; numbers from `arch/x86/entry/syscalls/*.tbl`, the order
/// of arguments from the calls' prototypes in `include/linux/syscalls.h`.
#[rustfmt::skip]
pub const RECIPES: &[Call] = &[
    call("open", "open", 2, &[5], N.path(0).made_fd()),
    call("openat", "openat", 257, &[295], N.path_at(0, 1).made_fd()),
    call("openat2", "openat2", 437, &[437], N.path_at(0, 1).made_fd().bytes(2, 3)),
    call("open_by_handle_at", "open_by_handle_at", 304, &[342], N.made_fd()),
    call("creat", "creat", 85, &[8], N.path(0).made_fd()),
    call("close", "close", 3, &[6], N),
    call("dup", "dup", 32, &[41], N.made_fd()),
    call("dup2", "dup2", 33, &[63], N.made_fd()),
    call("dup3", "dup3", 292, &[330], N.made_fd()),
    call("fcntl", "fcntl", 72, &[55, 221], N.only_dupfd().made_fd()),
    call("pipe", "pipe", 22, &[42], N.constant_bytes(0, 8)),
    call("pipe2", "pipe2", 293, &[331], N.constant_bytes(0, 8)),
    call("socket", "socket", 41, &[359], N.made_fd()),
    call("socketpair", "socketpair", 53, &[360], N.constant_bytes(3, 8)),
    call("bind", "bind", 49, &[361], N.used_fd(0).sockaddr(1, 2)),
    call("connect", "connect", 42, &[362], N.used_fd(0).sockaddr(1, 2)),
    call("listen", "listen", 50, &[363], N.used_fd(0)),
    call("accept", "accept", 43, &[], N.made_fd()),
    call("accept4", "accept4", 288, &[364], N.made_fd()),
    call("unlink", "unlink", 87, &[10], N.path(0)),
    call("unlinkat", "unlinkat", 263, &[301], N.path_at(0, 1)),
    call("rename", "rename", 82, &[38], N.path(0).second(1)),
    call("renameat", "renameat", 264, &[302], N.path_at(0, 1).second_at(2, 3)),
    call("renameat2", "renameat2", 316, &[353], N.path_at(0, 1).second_at(2, 3)),
    call("symlink", "symlink", 88, &[83], N.bare(0).second(1)),
    call("symlinkat", "symlinkat", 266, &[304], N.bare(0).second_at(1, 2)),
    call("link", "link", 86, &[9], N.path(0).second(1)),
    call("linkat", "linkat", 265, &[303], N.path_at(0, 1).second_at(2, 3)),
    call("mkdir", "mkdir", 83, &[39], N.path(0)),
    call("mkdirat", "mkdirat", 258, &[296], N.path_at(0, 1)),
    call("rmdir", "rmdir", 84, &[40], N.path(0)),
    call("chmod", "chmod", 90, &[15], N.path(0)),
    call("fchmod", "fchmod", 91, &[94], N.used_fd(0)),
    call("fchmodat", "fchmodat", 268, &[306], N.path_at(0, 1)),
    call("fchmodat2", "fchmodat", 452, &[452], N.path_at(0, 1)),
    call("chdir", "chdir", 80, &[12], N.lifecycle().path(0).cwd_after()),
    call("fchdir", "fchdir", 81, &[133], N.lifecycle().cwd_after()),
    call("chroot", "chroot", 161, &[61], N.lifecycle().path(0)),
    call("execve", "execve", 59, &[11], N.only_failure().path(0).argv(1)),
    call("execveat", "execveat", 322, &[358], N.only_failure().path_at(0, 1).argv(2)),
    call("fork", "fork", 57, &[2], N.lifecycle()),
    call("vfork", "vfork", 58, &[190], N.lifecycle()),
    call("clone", "clone", 56, &[120], N.lifecycle()),
    call("clone3", "clone3", 435, &[435], N.lifecycle().bytes(0, 1)),
    call("setsid", "setsid", 112, &[66], CREDENTIALS),
    call("setpgid", "setpgid", 109, &[57], CREDENTIALS),
    call("setuid", "setuid", 105, &[23, 213], CREDENTIALS),
    call("setgid", "setgid", 106, &[46, 214], CREDENTIALS),
    call("setreuid", "setreuid", 113, &[70, 203], CREDENTIALS),
    call("setregid", "setregid", 114, &[71, 204], CREDENTIALS),
    call("setresuid", "setresuid", 117, &[164, 208], CREDENTIALS),
    call("setresgid", "setresgid", 119, &[170, 210], CREDENTIALS),
    call("setfsuid", "setfsuid", 122, &[138, 215], CREDENTIALS),
    call("setfsgid", "setfsgid", 123, &[139, 216], CREDENTIALS),
    call("capset", "capset", 126, &[185], CREDENTIALS),
    call("setns", "setns", 308, &[346], CREDENTIALS.used_fd(0)),
    call("unshare", "unshare", 272, &[310], CREDENTIALS),
    call("mount", "mount", 165, &[21], N.lifecycle().bare(0).second(1).text(2)),
    call("umount2", "umount2", 166, &[52], N.lifecycle().path(0)),
    call("init_module", "init_module", 175, &[128], N.lifecycle().text(2)),
    call("finit_module", "finit_module", 313, &[350], N.lifecycle().used_fd(0).text(1)),
    call("delete_module", "delete_module", 176, &[129], N.lifecycle().text(0)),
    call("ptrace", "ptrace", 101, &[26], N.lifecycle()),
    call("memfd_create", "memfd_create", 319, &[356], N.text(0).made_fd()),
    call("bpf", "bpf", 321, &[357], N),
    call("kill", "kill", 62, &[37], N),
    call("tkill", "tkill", 200, &[238], N),
    call("tgkill", "tgkill", 234, &[270], N),
];

/// Calls whose x32 form has a number of its own, and that number.
const X32: &[(u16, u16)] = &[(520, 59), (521, 101), (545, 322)];

/// The row of a 64-bit system call number.
pub fn call_of(number: u16) -> Option<&'static Call> {
    RECIPES.iter().find(|call| call.number == number)
}

/// The rows that yield a Falco event of that name.
pub fn calls_of_event(event: &str) -> impl Iterator<Item = &'static Call> {
    RECIPES.iter().filter(move |call| call.event == event)
}

/// 64-bit number by 32-bit number, then by x32 number; [`NOT_RECORDED`] where there is none.
pub fn translation() -> [u16; NUMBERS] {
    let mut table = [NOT_RECORDED; NUMBERS];
    for call in RECIPES {
        for &number in call.ia32 {
            table[usize::from(number)] = call.number;
        }
    }
    for &(number, native) in X32 {
        table[usize::from(number)] = native;
    }
    table
}

/// A system call that is to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Its number in the 64-bit table.
    pub call: u16,
    /// Whether also when it fails.
    pub failed: bool,
}

impl Wanted {
    /// The call, however it ends.
    pub const fn always(call: u16) -> Wanted {
        Wanted { call, failed: true }
    }

    /// The call when it succeeds.
    pub const fn success(call: u16) -> Wanted {
        Wanted {
            call,
            failed: false,
        }
    }
}

/// The probe's interest table for these calls; those without a recipe are passed over.
pub fn interest(wanted: impl IntoIterator<Item = Wanted>) -> [u8; NUMBERS] {
    let mut table = [0; NUMBERS];
    for wanted in wanted {
        let Some(call) = call_of(wanted.call) else {
            continue;
        };
        table[usize::from(call.number)] |= WANTED_NATIVE;
        if wanted.failed {
            table[usize::from(call.number)] |= WANTED_FAILED;
        }
        for &number in call.ia32 {
            table[usize::from(number)] |= WANTED_COMPAT;
        }
        if matches!(call.number, 41..=43 | 49 | 50 | 53 | 288) {
            table[usize::from(IA32_SOCKETCALL)] |= WANTED_COMPAT;
        }
        for &(number, native) in X32 {
            if native == call.number {
                table[usize::from(number)] |= WANTED_NATIVE;
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_one_row_and_its_own_numbers() {
        let mut native: Vec<u16> = RECIPES.iter().map(|call| call.number).collect();
        let mut ia32: Vec<u16> = RECIPES.iter().flat_map(|call| call.ia32).copied().collect();
        for numbers in [&mut native, &mut ia32] {
            let rows = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), rows, "a number stands in two rows");
            assert!(numbers.iter().all(|&n| usize::from(n) < CALLS));
        }
    }

    #[test]
    fn a_wanted_call_is_wanted_by_every_way_into_the_kernel() {
        let table = interest([
            Wanted::always(59),
            Wanted::success(42),
            Wanted::success(105),
            Wanted::always(105),
            Wanted::success(105),
        ]);
        let wanted: Vec<(usize, u8)> = table
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, bits)| *bits != 0)
            .collect();
        assert_eq!(
            wanted,
            [
                (11, 2),
                (23, 2),
                (42, 1),
                (59, 5),
                (102, 2),
                (105, 5),
                (213, 2),
                (362, 2),
                (520, 1)
            ]
        );
        assert_eq!(translation()[11], 59);
        assert_eq!(translation()[520], 59);
        assert_eq!(translation()[0], NOT_RECORDED);
    }

    #[test]
    fn an_unknown_call_asks_for_nothing() {
        let unknown = [0, 511, u16::MAX].map(Wanted::always);
        assert!(interest(unknown).iter().all(|bits| *bits == 0));
    }

    #[test]
    fn a_recipe_lies_in_the_map_field_by_field() {
        let rename = call_of(316).expect("renameat2 has a row").recipe.to_bytes();
        assert_eq!(rename, [0, 2, 1, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let execve = call_of(59).expect("execve has a row").recipe;
        assert_eq!(execve.to_bytes()[..2], [ONLY_FAILURE, 1]);
        let chdir = call_of(80).expect("chdir has a row").recipe;
        assert!(chdir.is_lifecycle());
        assert_eq!(chdir.to_bytes()[..2], [LIFECYCLE, 1]);
    }
}
