//! Where each parameter of each event type comes from: a register, a piece of the record, or
//! what the state knows of the process. One table; the types and names of the parameters are
//! those of `saker_rules_schema::event`.

use saker_rules_schema::event::EventType;
use saker_rules_schema::unprobed_event;

/// Where a parameter's value is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// What the call returned.
    Ret,
    /// A register as a C `int`.
    Int(u8),
    /// A register's lower 32 bits, unsigned.
    Uint(u8),
    /// A whole register.
    Long(u8),
    /// The first path argument.
    Path0,
    /// The second path argument.
    Path1,
    /// Another string argument.
    Text,
    /// The socket address handed over.
    Address,
    /// Both ends of the socket.
    Tuple,
    /// The path of the opened file.
    FilePath,
    /// Bytes from user memory.
    Bytes,
    /// Flags of an open.
    OpenFlags,
    /// Mode of a file that an open may make.
    OpenMode,
    /// Resolve flags in openat2's `open_how`.
    HowResolve,
    /// Permission bits of chmod.
    Permissions(u8),
    /// Overlay layer of a file made by creat.
    CreatFlags,
    /// Device of the file.
    Device,
    /// Inode of the file.
    Inode,
    /// Close-on-exec and non-blocking, in that register.
    DescriptorFlags(u8),
    /// fcntl's command.
    Command(u8),
    /// ptrace's request.
    Request(u8),
    /// clone flags in that register.
    CloneFlags(u8),
    /// clone flags, wherever this call has them.
    ForkFlags,
    /// mount's flags.
    MountFlags(u8),
    /// delete_module's flags.
    DeleteFlags(u8),
    /// One of socketpair's descriptors.
    Pair(u8),
    /// The socket's kernel address.
    Identity,
    /// Exit: the status as wait(2) tells it.
    Status,
    /// Exit: the code.
    ExitCode,
    /// Exit: the signal.
    ExitSignal,
    /// Exit: whether a core was dumped.
    ExitCore,
    /// Exit: who inherits the children.
    Reaper,
    /// What the state knows of the process.
    State(Fact),
    /// Falco measures it, Saker does not: 0.
    Zero,
}

/// What the state knows of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as Falco names the parameters")]
pub enum Fact {
    Exe,
    Args,
    Tid,
    Pid,
    Ptid,
    Cwd,
    FdLimit,
    VmSize,
    VmRss,
    Comm,
    Cgroups,
    Env,
    Tty,
    Vpgid,
    Loginuid,
    ExeFlags,
    CapInheritable,
    CapPermitted,
    CapEffective,
    ExeIno,
    ExeCtime,
    ExeMtime,
    Uid,
    Gid,
    ExePath,
    Pgid,
    Filename,
    Vtid,
    Vpid,
    PidNsStart,
}

use Fact::*;
use Origin::*;

const FORK: &[Origin] = &[
    Ret,
    State(Exe),
    State(Args),
    State(Tid),
    State(Pid),
    State(Ptid),
    State(Cwd),
    State(FdLimit),
    Zero,
    Zero,
    State(VmSize),
    State(VmRss),
    Zero,
    State(Comm),
    State(Cgroups),
    ForkFlags,
    State(Uid),
    State(Gid),
    State(Vtid),
    State(Vpid),
    State(PidNsStart),
];
const EXEC: &[Origin] = &[
    Ret,
    State(Exe),
    State(Args),
    State(Tid),
    State(Pid),
    State(Ptid),
    State(Cwd),
    State(FdLimit),
    Zero,
    Zero,
    State(VmSize),
    State(VmRss),
    Zero,
    State(Comm),
    State(Cgroups),
    State(Env),
    State(Tty),
    State(Vpgid),
    State(Loginuid),
    State(ExeFlags),
    State(CapInheritable),
    State(CapPermitted),
    State(CapEffective),
    State(ExeIno),
    State(ExeCtime),
    State(ExeMtime),
    State(Uid),
    State(ExePath),
    State(Pgid),
    State(Gid),
    State(Filename),
];

/// The origins of an event type's parameters, in the order of `EventType::params`; none for a
/// type that the probe does not record.
pub fn origins(event: EventType) -> &'static [Origin] {
    match event {
        EventType::Open => &[Ret, Path0, OpenFlags, OpenMode, Device, Inode],
        EventType::Close => &[Ret, Int(0)],
        EventType::Socket => &[Ret, Uint(0), Uint(1), Uint(2), DescriptorFlags(1)],
        EventType::Bind => &[Ret, Address, Int(0)],
        EventType::Connect => &[Ret, Tuple, Int(0), Address],
        EventType::Socketpair => &[
            Ret,
            Pair(0),
            Pair(1),
            Identity,
            Zero,
            Uint(0),
            Uint(1),
            Uint(2),
        ],
        EventType::OpenByHandleAt => &[Ret, Int(0), OpenFlags, FilePath, Device, Inode],
        EventType::Creat => &[Ret, Path0, OpenMode, Device, Inode, CreatFlags],
        EventType::Chdir => &[Ret, Path0],
        EventType::Fchdir => &[Ret, Int(0)],
        EventType::Kill => &[Ret, Int(0), Int(1)],
        EventType::Fcntl => &[Ret, Int(0), Command(1), Long(2)],
        EventType::Ptrace => &[Ret, Long(2), Long(3), Request(0), Int(1)],
        EventType::Rename | EventType::Link => &[Ret, Path0, Path1],
        EventType::Renameat => &[Ret, Int(0), Path0, Int(2), Path1],
        EventType::Symlink => &[Ret, Path0, Path1],
        EventType::Symlinkat => &[Ret, Path0, Int(1), Path1],
        EventType::Procexit => &[Status, ExitCode, ExitSignal, ExitCore, Reaper],
        EventType::Setresuid | EventType::Setresgid => &[Ret, Uint(0), Uint(1), Uint(2)],
        EventType::Setuid | EventType::Setgid => &[Ret, Uint(0)],
        EventType::Setreuid | EventType::Setregid => &[Ret, Uint(0), Uint(1)],
        EventType::Clone | EventType::Fork | EventType::Vfork | EventType::Clone3 => FORK,
        EventType::Setns => &[Ret, Int(0), CloneFlags(1)],
        EventType::Accept => &[Ret, Tuple, Zero, Zero, Zero],
        EventType::Accept4 => &[Ret, Tuple, Zero, Zero, Zero, DescriptorFlags(3)],
        EventType::Mount => &[Ret, Path0, Path1, Text, MountFlags(3)],
        EventType::Chroot | EventType::Rmdir | EventType::Unlink => &[Ret, Path0],
        EventType::Setsid => &[Ret],
        EventType::Mkdir => &[Ret, Path0, Uint(1)],
        EventType::Unshare => &[Ret, CloneFlags(0)],
        EventType::Execve => EXEC,
        EventType::Execveat => EXEC.split_at(30).0,
        EventType::Setpgid => &[Ret, Int(0), Int(1)],
        EventType::Unlinkat => &[Ret, Int(0), Path0, Uint(2)],
        EventType::Mkdirat => &[Ret, Int(0), Path0, Uint(2)],
        EventType::Openat => &[Ret, Int(0), Path0, OpenFlags, OpenMode, Device, Inode],
        EventType::Linkat => &[Ret, Int(0), Path0, Int(2), Path1, Uint(4)],
        EventType::Fchmodat => &[Ret, Int(0), Path0, Permissions(2)],
        EventType::Chmod => &[Ret, Path0, Permissions(1)],
        EventType::Fchmod => &[Ret, Int(0), Permissions(1)],
        EventType::Renameat2 => &[Ret, Int(0), Path0, Int(2), Path1, Uint(4)],
        EventType::Openat2 => &[
            Ret,
            Int(0),
            Path0,
            OpenFlags,
            OpenMode,
            HowResolve,
            Device,
            Inode,
        ],
        EventType::Capset => &[
            Ret,
            State(CapInheritable),
            State(CapPermitted),
            State(CapEffective),
        ],
        EventType::Dup2 => &[Ret, Int(0), Int(1)],
        EventType::Dup3 => &[Ret, Int(0), Int(1), DescriptorFlags(2)],
        EventType::Dup => &[Ret, Int(0)],
        EventType::Bpf => &[Ret, Int(0)],
        EventType::Umount => &[Ret, Path0],
        EventType::Umount2 => &[Ret, Path0, Uint(1)],
        EventType::MemfdCreate => &[Ret, Text, Uint(1)],
        EventType::InitModule => &[Ret, Bytes, Long(1), Text],
        EventType::FinitModule => &[Ret, Int(0), Text, Uint(2)],
        EventType::DeleteModule => &[Ret, Text, DeleteFlags(1)],
        unprobed_event!() => &[],
    }
}

/// Which descriptor an event is about (`fd.*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// None.
    None,
    /// The one the call returned.
    Ret,
    /// The one in that register.
    Arg(u8),
    /// The one in that register, in which a path starts that the call works on.
    Directory(u8),
    /// The second one of a pair.
    Pair,
}

/// Which descriptor an event type is about.
pub fn descriptor(event: EventType) -> Descriptor {
    match event {
        EventType::Open
        | EventType::Openat
        | EventType::Openat2
        | EventType::OpenByHandleAt
        | EventType::Creat
        | EventType::Socket
        | EventType::Accept
        | EventType::Accept4
        | EventType::MemfdCreate
        | EventType::Bpf
        | EventType::Dup
        | EventType::Dup2
        | EventType::Dup3
        | EventType::Fcntl => Descriptor::Ret,
        EventType::Socketpair => Descriptor::Pair,
        EventType::Close
        | EventType::Bind
        | EventType::Connect
        | EventType::Fchdir
        | EventType::Setns
        | EventType::FinitModule
        | EventType::Fchmod => Descriptor::Arg(0),
        EventType::Unlinkat | EventType::Mkdirat | EventType::Fchmodat => Descriptor::Directory(0),
        EventType::Symlinkat => Descriptor::Directory(1),
        EventType::Chdir
        | EventType::Kill
        | EventType::Ptrace
        | EventType::Rename
        | EventType::Renameat
        | EventType::Renameat2
        | EventType::Symlink
        | EventType::Procexit
        | EventType::Setresuid
        | EventType::Setresgid
        | EventType::Setuid
        | EventType::Setgid
        | EventType::Setreuid
        | EventType::Setregid
        | EventType::Clone
        | EventType::Fork
        | EventType::Vfork
        | EventType::Clone3
        | EventType::Mount
        | EventType::Chroot
        | EventType::Setsid
        | EventType::Mkdir
        | EventType::Rmdir
        | EventType::Unshare
        | EventType::Execve
        | EventType::Execveat
        | EventType::Setpgid
        | EventType::Unlink
        | EventType::Link
        | EventType::Linkat
        | EventType::Chmod
        | EventType::Capset
        | EventType::Umount
        | EventType::Umount2
        | EventType::InitModule
        | EventType::DeleteModule
        | unprobed_event!() => Descriptor::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_of_every_recorded_event_type_has_an_origin() {
        for event in EventType::ALL.iter().filter(|event| event.is_probed()) {
            assert_eq!(
                origins(*event).len(),
                event.params().len(),
                "{}",
                event.name()
            );
        }
    }
}
