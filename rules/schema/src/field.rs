//! The field catalogue: every field a condition or an output may name.
//!
//! Names, types and flags are Falco's (libs 0.25); descriptions are ours. A field is one row of
//! the table [`for_each_field!`](crate::for_each_field), or of
//! [`for_each_absent_field!`](crate::for_each_absent_field) while nothing gives it a value; ids,
//! look-ups, documentation and the host's extraction derive from them, so that a forgotten place
//! does not compile.

mod absent;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::event::{Category, Class, EventType, Param, READS_FD, WAITS, WRITES_FD};

/// What values of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Bytes that are text by convention (Falco `CHARBUF`).
    Text,
    /// True or false (`BOOL`).
    Bool,
    /// A signed number (`INT16` to `INT64`).
    Int,
    /// An unsigned number (`UINT8` to `UINT64`).
    Uint,
    /// A port number (`PORT`).
    Port,
    /// An IPv4 or IPv6 address (`IPADDR`): 4 or 16 bytes.
    IpAddr,
    /// A network to hold an address against (`IPNET`); values are addresses, 4 or 16 bytes.
    IpNet,
    /// Nanoseconds since the epoch (`ABSTIME`).
    AbsTime,
    /// Nanoseconds (`RELTIME`).
    RelTime,
    /// Any bytes (`BYTEBUF`).
    Bytes,
    /// A number with a fraction (`DOUBLE`).
    Double,
}

impl Type {
    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Type::Text => "text",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Uint => "uint",
            Type::Port => "port",
            Type::IpAddr => "ip",
            Type::IpNet => "network",
            Type::AbsTime => "abstime",
            Type::RelTime => "reltime",
            Type::Bytes => "bytes",
            Type::Double => "double",
        }
    }
}

/// What must be known to give a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binding {
    /// The event itself.
    Event,
    /// Only the process (its version, ancestors, user, container): judged once per process
    /// and window, not once per event.
    Process,
}

/// What may stand in brackets behind a field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArgKind {
    /// Nothing.
    None,
    /// A number or nothing; nothing means the list of all.
    Index,
    /// A name or nothing.
    Key,
    /// A name; also written `field.NAME`.
    KeyRequired,
    /// A number, a name or nothing; nothing means the list of all.
    IndexOrKey,
    /// A number or a name.
    IndexOrKeyRequired,
    /// Nothing, or `field.src` and `field.dst`.
    Side,
}

/// What else Falco says of a field (`EPF_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    /// Rules should do without it.
    Deprecated,
    /// Not for outputs.
    FilterOnly,
    /// Not for conditions.
    PrintOnly,
    /// Made for tables that Saker does not show.
    TableOnly,
    /// Its values are lists.
    List,
    /// Not for the right side of a comparison.
    NoRhs,
    /// Not for transformers.
    NoTransformer,
}

/// The table of all fields with values. Calls `$callback! { rows }`; a row is
/// `Variant "falco.name" Type Binding ArgKind "description" Flag*;`.
#[macro_export]
macro_rules! for_each_field {
    ($callback:ident) => {
        $callback! {
            EvtNum "evt.num" Uint Event None "Number of the event, counted by Saker in the order of time.";
            EvtTime "evt.time" Text Event None "Time of day with nanoseconds, UTC.";
            EvtTimeS "evt.time.s" Text Event None "Time of day in whole seconds, UTC.";
            EvtTimeIso8601 "evt.time.iso8601" Text Event None "Date and time with nanoseconds, UTC, as ISO 8601.";
            EvtDatetime "evt.datetime" Text Event None "Date and time with nanoseconds, UTC.";
            EvtDatetimeS "evt.datetime.s" Text Event None "Date and time in whole seconds, UTC.";
            EvtRawtime "evt.rawtime" AbsTime Event None "Time in nanoseconds since the epoch.";
            EvtRawtimeS "evt.rawtime.s" AbsTime Event None "Whole seconds since the epoch.";
            EvtRawtimeNs "evt.rawtime.ns" AbsTime Event None "Nanoseconds since the last whole second.";
            EvtType "evt.type" Text Event None "Name of the event type, for example `openat`.";
            EvtTypeIs "evt.type.is" Uint Event KeyRequired "1 for events of the type named, 0 for all others.";
            SyscallType "syscall.type" Text Event None "Name of the system call; absent for events that are none.";
            EvtCategory "evt.category" Text Event None "Group of the event type, for example `file` or `net`.";
            EvtCpu "evt.cpu" Int Event None "CPU on which the event happened.";
            EvtDir "evt.dir" Text Event None "Direction: `<`, but `>` for what is no call (`procexit`, `switch`, `signaldeliver`, `container` and so on)." Deprecated;
            EvtArgs "evt.args" Text Event None "All parameters as `name=value`, separated by blanks.";
            EvtInfo "evt.info" Text Event None "The same as `evt.args`.";
            EvtArg "evt.arg" Text Event KeyRequired "One parameter as text; flags are spelled out.";
            EvtRawarg "evt.rawarg" Text Event KeyRequired "One parameter as it was recorded, a number as a number." NoRhs NoTransformer;
            EvtRes "evt.res" Text Event None "`SUCCESS` or the name of the error, for example `ENOENT`.";
            EvtRawres "evt.rawres" Int Event None "What the call returned; negative: minus the error number.";
            EvtFailed "evt.failed" Bool Event None "Whether the call returned an error.";
            EvtIsIo "evt.is_io" Bool Event None "Whether events of this type read or write a descriptor.";
            EvtIsIoRead "evt.is_io_read" Bool Event None "Whether events of this type read a descriptor.";
            EvtIsIoWrite "evt.is_io_write" Bool Event None "Whether events of this type write a descriptor.";
            EvtIoDir "evt.io_dir" Text Event None "`read` or `write`, for events of types that do.";
            EvtIsWait "evt.is_wait" Bool Event None "Whether calls of this type wait for something, as `poll` does.";
            EvtIsAsync "evt.is_async" Bool Event None "Whether the event comes from outside of the stream of calls, which only captures have.";
            EvtCount "evt.count" Uint Event None "1 for every event.";
            EvtCountExit "evt.count.exit" Uint Event None "1 for every event but `procexit`.";
            EvtCountError "evt.count.error" Uint Event None "1 for calls that failed.";
            EvtCountErrorFile "evt.count.error.file" Uint Event None "1 for calls on files that failed.";
            EvtCountErrorNet "evt.count.error.net" Uint Event None "1 for calls on sockets that failed.";
            EvtCountErrorMemory "evt.count.error.memory" Uint Event None "1 for calls of the category `memory` that failed.";
            EvtCountErrorOther "evt.count.error.other" Uint Event None "1 for the other calls that failed.";
            EvtIsOpenRead "evt.is_open_read" Bool Event None "Whether a file was opened for reading.";
            EvtIsOpenWrite "evt.is_open_write" Bool Event None "Whether a file was opened for writing.";
            EvtIsOpenExec "evt.is_open_exec" Bool Event None "Whether a file was created with an execute bit.";
            EvtIsOpenCreate "evt.is_open_create" Bool Event None "Whether the call created the file it opened.";
            EvtAbspath "evt.abspath" Text Event Side "Path of a call that takes a directory as well, made absolute; `.src` and `.dst` choose where there are two.";
            EvtSource "evt.source" Text Event None "Where events of this kind come from; `syscall`.";
            EvtHostname "evt.hostname" Text Event None "Name of the host.";
            EvtLatency "evt.latency" RelTime Event None "Nanoseconds between call and return; always 0, since nothing is recorded at the call." Deprecated;
            EvtLatencyS "evt.latency.s" RelTime Event None "Whole seconds of that; 0." Deprecated;
            EvtLatencyNs "evt.latency.ns" RelTime Event None "The rest of that in nanoseconds; 0." Deprecated;
            EvtLatencyQuantized "evt.latency.quantized" Uint Event None "Its logarithm, scaled to columns; 0." TableOnly Deprecated;
            EvtLatencyHuman "evt.latency.human" Text Event None "That, with a unit; `0ns`." Deprecated;
            EvtDeltatime "evt.deltatime" RelTime Event None "Nanoseconds since the event before, in a capture.";
            EvtDeltatimeS "evt.deltatime.s" RelTime Event None "Whole seconds of that.";
            EvtDeltatimeNs "evt.deltatime.ns" RelTime Event None "The rest of that in nanoseconds.";
            EvtReltime "evt.reltime" RelTime Event None "Nanoseconds since the first event.";
            EvtReltimeS "evt.reltime.s" RelTime Event None "Whole seconds of that.";
            EvtReltimeNs "evt.reltime.ns" RelTime Event None "The rest of that in nanoseconds.";
            EvtOutputtime "evt.outputtime" Text Event None "The same as `evt.time`." PrintOnly;
            EvtBuffer "evt.buffer" Bytes Event None "Bytes read or written, in a capture; at most 1021 are shown.";
            EvtBuflen "evt.buflen" Uint Event None "Number of bytes read or written, in a capture.";
            EvtBuflenIn "evt.buflen.in" Uint Event None "Number of bytes read." TableOnly;
            EvtBuflenOut "evt.buflen.out" Uint Event None "Number of bytes written." TableOnly;
            EvtBuflenFile "evt.buflen.file" Uint Event None "Number of bytes read from or written to a file." TableOnly;
            EvtBuflenFileIn "evt.buflen.file.in" Uint Event None "Number of bytes read from a file." TableOnly;
            EvtBuflenFileOut "evt.buflen.file.out" Uint Event None "Number of bytes written to a file." TableOnly;
            EvtBuflenNet "evt.buflen.net" Uint Event None "Number of bytes received or sent." TableOnly;
            EvtBuflenNetIn "evt.buflen.net.in" Uint Event None "Number of bytes received." TableOnly;
            EvtBuflenNetOut "evt.buflen.net.out" Uint Event None "Number of bytes sent." TableOnly;
            EvtWaitLatency "evt.wait_latency" RelTime Event None "Nanoseconds that a call waited; always 0." Deprecated;
            EvtIsSyslog "evt.is_syslog" Bool Event None "Whether the event writes to `/dev/log`.";
            EvtCountProcinfo "evt.count.procinfo" Uint Event None "1 for accounting events of processes." TableOnly;
            EvtCountThreadinfo "evt.count.threadinfo" Uint Event None "1 for accounting events of threads." TableOnly;
            EvtAround "evt.around" Uint Event KeyRequired "Whether the event is at most so many milliseconds from the time named, as `evt.around[T] = 10`." NoRhs;
            EvtInfraDockerName "evt.infra.docker.name" Text Event None "Name of an event of the Docker engine." TableOnly;
            EvtInfraDockerContainerId "evt.infra.docker.container.id" Text Event None "Container that such an event is about." TableOnly;
            EvtInfraDockerContainerName "evt.infra.docker.container.name" Text Event None "Name of that container." TableOnly;
            EvtInfraDockerContainerImage "evt.infra.docker.container.image" Text Event None "Image of that container." TableOnly;
            EvtAsynctype "evt.asynctype" Text Event None "Kind of an asynchronous event.";

            FdNum "fd.num" Int Event None "Number of the descriptor the event is about.";
            FdUid "fd.uid" Text Event None "Thread id and number of the descriptor, written one behind the other.";
            FdType "fd.type" Text Event None "Kind of the descriptor, for example `file`, `ipv4` or `unix`.";
            FdTypes "fd.types" Text Event Index "Kinds of the descriptors that the process has; with a number, of that descriptor." List NoRhs;
            FdTypechar "fd.typechar" Text Event None "Kind of the descriptor as one character.";
            FdName "fd.name" Text Event None "Path of the file, resolved by the kernel where it was opened, or the connection as `client->server`.";
            FdDirectory "fd.directory" Text Event None "Directory of a file's path.";
            FdFilename "fd.filename" Text Event None "Last part of a file's path.";
            FdNameraw "fd.nameraw" Text Event None "Path as the program gave it. In a capture of what was opened since the file began: lists of descriptors have one name.";
            FdIp "fd.ip" IpAddr Event None "Client or server address." FilterOnly NoRhs NoTransformer;
            FdCip "fd.cip" IpAddr Event None "Client's address.";
            FdSip "fd.sip" IpAddr Event None "Server's address.";
            FdLip "fd.lip" IpAddr Event None "Local address.";
            FdRip "fd.rip" IpAddr Event None "Remote address.";
            FdPort "fd.port" Port Event None "Client or server port." FilterOnly NoRhs NoTransformer;
            FdCport "fd.cport" Port Event None "Client's port.";
            FdSport "fd.sport" Port Event None "Server's port.";
            FdLport "fd.lport" Port Event None "Local port.";
            FdRport "fd.rport" Port Event None "Remote port.";
            FdNet "fd.net" IpNet Event None "Network of the client or the server." FilterOnly NoRhs NoTransformer;
            FdCnet "fd.cnet" IpNet Event None "Network of the client." FilterOnly NoRhs NoTransformer;
            FdSnet "fd.snet" IpNet Event None "Network of the server." FilterOnly NoRhs NoTransformer;
            FdLnet "fd.lnet" IpNet Event None "Network of the local end." FilterOnly NoRhs NoTransformer;
            FdRnet "fd.rnet" IpNet Event None "Network of the remote end." FilterOnly NoRhs NoTransformer;
            FdL4proto "fd.l4proto" Text Event None "Transport protocol: `tcp`, `udp`, `icmp` or `raw`.";
            FdSockfamily "fd.sockfamily" Text Event None "Family of the socket: `ip` or `unix`.";
            FdIsServer "fd.is_server" Bool Event None "Whether the process is the server of this connection.";
            FdCproto "fd.cproto" Text Event None "Name of the service at the client's port.";
            FdSproto "fd.sproto" Text Event None "Name of the service at the server's port.";
            FdLproto "fd.lproto" Text Event None "Name of the service at the local port.";
            FdRproto "fd.rproto" Text Event None "Name of the service at the remote port.";
            FdConnected "fd.connected" Bool Event None "Whether the socket is connected.";
            FdNameChanged "fd.name_changed" Bool Event None "Whether the event changes what the descriptor is called.";
            FdDev "fd.dev" Int Event None "Device number of the file's file system.";
            FdDevMajor "fd.dev.major" Int Event None "Major part of that number.";
            FdDevMinor "fd.dev.minor" Int Event None "Minor part of that number.";
            FdIno "fd.ino" Int Event None "Inode number of the file.";
            FdIsUpperLayer "fd.is_upper_layer" Bool Event None "Whether the file lies in an overlay's upper layer.";
            FdIsLowerLayer "fd.is_lower_layer" Bool Event None "Whether the file lies in an overlay's lower layer.";
            FdContainername "fd.containername" Text Event None "Id of the container, none for the host, and `fd.name`, a colon between.";
            FdContainerdirectory "fd.containerdirectory" Text Event None "The same with `fd.directory`.";
            FdProto "fd.proto" Port Event None "The same as `fd.port`." FilterOnly NoRhs NoTransformer;

            FdlistNums "fdlist.nums" Text Event None "Numbers of the descriptors that a `poll` waits for.";
            FdlistNames "fdlist.names" Text Event None "Names of those descriptors.";
            FdlistCips "fdlist.cips" Text Event None "Clients' addresses of those descriptors.";
            FdlistSips "fdlist.sips" Text Event None "Servers' addresses of those descriptors.";
            FdlistCports "fdlist.cports" Text Event None "Clients' ports of those descriptors.";
            FdlistSports "fdlist.sports" Text Event None "Servers' ports of those descriptors.";

            UtilCnt "util.cnt" Uint Event None "A counter: in an output of the alerts so far, in a condition of the events.";

            FsPathName "fs.path.name" Text Event None "Path a file-system call works on, made absolute and normalised.";
            FsPathNameraw "fs.path.nameraw" Text Event None "That path as the program gave it.";
            FsPathSource "fs.path.source" Text Event None "Source path of a call that has two, made absolute and normalised.";
            FsPathSourceraw "fs.path.sourceraw" Text Event None "Source path as the program gave it.";
            FsPathTarget "fs.path.target" Text Event None "Target path of a call that has two, made absolute and normalised.";
            FsPathTargetraw "fs.path.targetraw" Text Event None "Target path as the program gave it.";

            ProcExe "proc.exe" Text Process None "First argument of the program (`argv[0]`).";
            ProcPexe "proc.pexe" Text Process None "`proc.exe` of the parent.";
            ProcAexe "proc.aexe" Text Process Index "`proc.exe` of the ancestor of that level (1 = parent), or of any." NoRhs NoTransformer;
            ProcExepath "proc.exepath" Text Process None "Path of the executable file.";
            ProcPexepath "proc.pexepath" Text Process None "`proc.exepath` of the parent.";
            ProcAexepath "proc.aexepath" Text Process Index "`proc.exepath` of the ancestor of that level, or of any." NoRhs NoTransformer;
            ProcName "proc.name" Text Process None "Name of the process (the kernel's `comm`).";
            ProcPname "proc.pname" Text Process None "Name of the parent.";
            ProcAname "proc.aname" Text Process Index "Name of the ancestor of that level, or of any." NoRhs NoTransformer;
            ProcArgs "proc.args" Text Process Index "Arguments without the first, separated by blanks; with a number, that one (0 is the first after `argv[0]`).";
            ProcCmdline "proc.cmdline" Text Process None "`proc.name` and the arguments.";
            ProcPcmdline "proc.pcmdline" Text Process None "`proc.cmdline` of the parent.";
            ProcAcmdline "proc.acmdline" Text Process Index "`proc.cmdline` of the ancestor of that level, or of any." NoRhs NoTransformer;
            ProcAargs "proc.aargs" Text Process Index "`proc.args` of the ancestor of that level; without one, of the process itself.";
            ProcCmdnargs "proc.cmdnargs" Uint Process None "Number of arguments without the first.";
            ProcCmdlenargs "proc.cmdlenargs" Uint Process None "Characters in the arguments without the first, blanks not counted.";
            ProcExeline "proc.exeline" Text Process None "`proc.exe` and the arguments.";
            ProcEnv "proc.env" Text Process Key "Environment as `NAME=value` separated by blanks; with a name, its value.";
            ProcAenv "proc.aenv" Text Process IndexOrKey "`proc.env` of the ancestor of that level, or of any; with a name, its value in the nearest ancestor that has it." NoRhs NoTransformer;
            ProcCwd "proc.cwd" Text Process None "Current directory, ended by a slash.";
            ProcLoginshellid "proc.loginshellid" Int Process None "Process id of the oldest shell among the ancestors.";
            ProcTty "proc.tty" Uint Process None "Device number of the controlling terminal, 0 if none.";
            ProcPid "proc.pid" Int Process None "Process id.";
            ProcPpid "proc.ppid" Int Process None "Process id of the parent.";
            ProcApid "proc.apid" Int Process Index "Process id of the ancestor of that level, or of any." NoRhs NoTransformer;
            ProcVpid "proc.vpid" Int Process None "Process id in the process's own pid namespace.";
            ProcPvpid "proc.pvpid" Int Process None "Parent's process id in its own pid namespace.";
            ProcSid "proc.sid" Int Process None "Session id, in the process's own pid namespace.";
            ProcSname "proc.sname" Text Process None "Name of the session's leader, or of the oldest ancestor in the session.";
            ProcSidExe "proc.sid.exe" Text Process None "`proc.exe` of the session's leader.";
            ProcSidExepath "proc.sid.exepath" Text Process None "`proc.exepath` of the session's leader.";
            ProcPgid "proc.pgid" Int Process None "Process group, in the initial pid namespace.";
            ProcPgidName "proc.pgid.name" Text Process None "Name of that group's leader.";
            ProcPgidExe "proc.pgid.exe" Text Process None "`proc.exe` of that group's leader.";
            ProcPgidExepath "proc.pgid.exepath" Text Process None "`proc.exepath` of that group's leader.";
            ProcVpgid "proc.vpgid" Int Process None "Process group, in the process's own pid namespace.";
            ProcVpgidName "proc.vpgid.name" Text Process None "Name of the process group's leader.";
            ProcVpgidExe "proc.vpgid.exe" Text Process None "`proc.exe` of the process group's leader.";
            ProcVpgidExepath "proc.vpgid.exepath" Text Process None "`proc.exepath` of the process group's leader.";
            ProcDuration "proc.duration" RelTime Event None "Nanoseconds since the process started. In a capture of processes that began since the file did: lists of processes do not say when.";
            ProcPpidDuration "proc.ppid.duration" RelTime Event None "Nanoseconds since the parent started.";
            ProcPidTs "proc.pid.ts" RelTime Process None "When the process started, in nanoseconds since the epoch. In a capture as `proc.duration`.";
            ProcPpidTs "proc.ppid.ts" RelTime Process None "When the parent started. In a capture as `proc.duration`.";
            ProcIsExeWritable "proc.is_exe_writable" Bool Process None "Whether the process's user may write its executable.";
            ProcIsExeUpperLayer "proc.is_exe_upper_layer" Bool Process None "Whether the executable lies in an overlay's upper layer.";
            ProcIsExeLowerLayer "proc.is_exe_lower_layer" Bool Process None "Whether the executable lies in an overlay's lower layer.";
            ProcIsExeFromMemfd "proc.is_exe_from_memfd" Bool Process None "Whether the executable is an anonymous memory file.";
            ProcIsSidLeader "proc.is_sid_leader" Bool Process None "Whether the process leads its session.";
            ProcIsVpgidLeader "proc.is_vpgid_leader" Bool Process None "Whether the process leads its process group.";
            ProcIsPgidLeader "proc.is_pgid_leader" Bool Process None "Whether the process leads its group, as the initial pid namespace numbers it.";
            ProcExeIno "proc.exe_ino" Int Process None "Inode number of the executable.";
            ProcExeInoCtime "proc.exe_ino.ctime" AbsTime Process None "When the executable's inode last changed.";
            ProcExeInoMtime "proc.exe_ino.mtime" AbsTime Process None "When the executable's content last changed.";
            ProcExeInoCtimeDurationProcStart "proc.exe_ino.ctime_duration_proc_start" AbsTime Process None "Nanoseconds from the last change of the executable's inode to the start of the process.";
            ProcExeInoCtimeDurationPidnsStart "proc.exe_ino.ctime_duration_pidns_start" AbsTime Process None "Nanoseconds from the start of the pid namespace to the last change of the executable's inode, if it came later.";
            ProcPidnsInitStartTs "proc.pidns_init_start_ts" Uint Process None "When the first process of the pid namespace started, in nanoseconds since the epoch.";
            ProcFdlimit "proc.fdlimit" Int Process None "How many descriptors the process may have.";
            ProcVmsize "proc.vmsize" Uint Event None "Virtual memory in kB, as of the last exec or fork.";
            ProcVmrss "proc.vmrss" Uint Event None "Resident memory in kB, as of the last exec or fork.";
            ProcVmswap "proc.vmswap" Uint Event None "Swapped memory in kB.";
            ProcNthreads "proc.nthreads" Uint Event None "Number of threads of the process.";
            ProcNchilds "proc.nchilds" Uint Event None "Number of threads beside the first.";
            ProcStdinType "proc.stdin.type" Text Event None "Kind of descriptor 0.";
            ProcStdoutType "proc.stdout.type" Text Event None "Kind of descriptor 1.";
            ProcStderrType "proc.stderr.type" Text Event None "Kind of descriptor 2.";
            ProcStdinName "proc.stdin.name" Text Event None "Name of descriptor 0.";
            ProcStdoutName "proc.stdout.name" Text Event None "Name of descriptor 1.";
            ProcStderrName "proc.stderr.name" Text Event None "Name of descriptor 2.";
            ProcFdopencount "proc.fdopencount" Uint Event None "Number of descriptors that the process has.";
            ProcFdusage "proc.fdusage" Double Event None "Part of the allowed descriptors that are in use.";

            ThreadCapPermitted "thread.cap_permitted" Text Process None "Permitted capabilities, names separated by blanks.";
            ThreadCapInheritable "thread.cap_inheritable" Text Process None "Inheritable capabilities.";
            ThreadCapEffective "thread.cap_effective" Text Process None "Effective capabilities.";
            ThreadCgroups "thread.cgroups" Text Process None "All control groups as `controller=path`, separated by blanks.";
            ThreadCgroup "thread.cgroup" Text Process KeyRequired "Path of the control group of the controller named.";
            ThreadTid "thread.tid" Int Event None "Thread id.";
            ThreadIsmain "thread.ismain" Bool Event None "Whether the thread is its process's first.";
            ThreadVtid "thread.vtid" Int Event None "Thread id in its own pid namespace.";
            ThreadNametid "thread.nametid" Text Event None "Name of the process and thread id, written one behind the other." TableOnly;
            ThreadVmsize "thread.vmsize" Uint Event None "`proc.vmsize` for the first thread, 0 for others.";
            ThreadVmrss "thread.vmrss" Uint Event None "`proc.vmrss` for the first thread, 0 for others.";
            ThreadVmsizeB "thread.vmsize.b" Uint Event None "`thread.vmsize` in bytes." TableOnly;
            ThreadVmrssB "thread.vmrss.b" Uint Event None "`thread.vmrss` in bytes." TableOnly;
            ThreadPfmajor "thread.pfmajor" Uint Event None "Major page faults since the start.";
            ThreadPfminor "thread.pfminor" Uint Event None "Minor page faults since the start.";

            UserUid "user.uid" Uint Process None "Effective user id.";
            UserName "user.name" Text Process None "Name of that user.";
            UserHomedir "user.homedir" Text Process None "Home directory of that user.";
            UserShell "user.shell" Text Process None "Login shell of that user.";
            UserLoginuid "user.loginuid" Int Process None "User id of the login this process descends from, -1 if none.";
            UserLoginname "user.loginname" Text Process None "Name of that user.";
            GroupGid "group.gid" Uint Process None "Effective group id.";
            GroupName "group.name" Text Process None "Name of that group.";

            ContainerId "container.id" Text Process None "First 12 characters of the container's id; `host` outside of containers.";
            ContainerFullId "container.full_id" Text Process None "The container's whole id.";
            ContainerName "container.name" Text Process None "Name of the container; `host` outside of containers.";
            ContainerType "container.type" Text Process None "What runs the container, for example `docker`; `host` outside of containers.";
            ContainerImage "container.image" Text Process None "Name of the image as it was asked for.";
            ContainerImageId "container.image.id" Text Process None "Id of the image.";
            ContainerImageRepository "container.image.repository" Text Process None "Repository of the image.";
            ContainerImageTag "container.image.tag" Text Process None "Tag of the image.";
            ContainerImageDigest "container.image.digest" Text Process None "Digest of the image.";
            ContainerPrivileged "container.privileged" Bool Process None "Whether the container is privileged.";
            ContainerMounts "container.mounts" Text Process None "All mounts of the container as `source:destination:mode:writable:propagation`, separated by commas.";
            ContainerMount "container.mount" Text Process IndexOrKeyRequired "One mount: by number, or the first in whose source the regular expression is found.";
            ContainerMountSource "container.mount.source" Text Process IndexOrKeyRequired "Source of a mount: by number, or found by its destination.";
            ContainerMountDest "container.mount.dest" Text Process IndexOrKeyRequired "Destination of a mount: by number, or found by its source.";
            ContainerMountMode "container.mount.mode" Text Process IndexOrKeyRequired "Mode of a mount: by number, or found by its source.";
            ContainerMountRdwr "container.mount.rdwr" Text Process IndexOrKeyRequired "Whether a mount is writable: by number, or found by its source.";
            ContainerMountPropagation "container.mount.propagation" Text Process IndexOrKeyRequired "Propagation of a mount: by number, or found by its source.";
            ContainerHealthcheck "container.healthcheck" Text Process None "Command by which Docker or Podman asks whether the container is well; `NONE` where the image's was switched off.";
            ContainerLivenessProbe "container.liveness_probe" Text Process None "Command by which Kubernetes asks whether the container lives.";
            ContainerReadinessProbe "container.readiness_probe" Text Process None "Command by which Kubernetes asks whether the container can work.";
            ProcIsContainerHealthcheck "proc.is_container_healthcheck" Bool Process None "Whether the process is the container's health check, or comes of it: what came into the container from outside by that very command.";
            ProcIsContainerLivenessProbe "proc.is_container_liveness_probe" Bool Process None "The same of the liveness probe.";
            ProcIsContainerReadinessProbe "proc.is_container_readiness_probe" Bool Process None "The same of the readiness probe.";
            ContainerStartTs "container.start_ts" AbsTime Process None "When the first process of the pid namespace started.";
            ContainerDuration "container.duration" RelTime Event None "Nanoseconds since then.";
            ContainerIp "container.ip" Text Process None "Address of the container.";
            ContainerCniJson "container.cni.json" Text Process None "Network configuration of the container.";
            ContainerHostPid "container.host_pid" Bool Process None "Whether it shares the host's pid namespace.";
            ContainerHostNetwork "container.host_network" Bool Process None "Whether it shares the host's network.";
            ContainerHostIpc "container.host_ipc" Bool Process None "Whether it shares the host's IPC namespace.";
            ContainerLabels "container.labels" Text Process None "All labels of the container as `name:value`, separated by commas, without those of Kubernetes itself.";
            ContainerLabel "container.label" Text Process IndexOrKeyRequired "One label of the container.";
            K8sNsName "k8s.ns.name" Text Process None "Namespace of the pod.";
            K8sPodName "k8s.pod.name" Text Process None "Name of the pod.";
            K8sPodId "k8s.pod.id" Text Process None "The same as `k8s.pod.uid`, for older rules.";
            K8sPodUid "k8s.pod.uid" Text Process None "Unique id of the pod.";
            K8sPodSandboxId "k8s.pod.sandbox_id" Text Process None "First 12 characters of the id of the pod's sandbox.";
            K8sPodFullSandboxId "k8s.pod.full_sandbox_id" Text Process None "Whole id of the pod's sandbox.";
            K8sPodLabel "k8s.pod.label" Text Process IndexOrKeyRequired "One label of the pod.";
            K8sPodLabels "k8s.pod.labels" Text Process None "All labels of the pod.";
            K8sPodIp "k8s.pod.ip" Text Process None "Address of the pod.";
            K8sPodCniJson "k8s.pod.cni.json" Text Process None "Network configuration of the pod.";
        }
    };
}

macro_rules! define {
    (
        {$($name:ident $text:literal $kind:ident $binding:ident $arg:ident $doc:literal $($flag:ident)*;)*}
        $($absent:ident $absent_text:literal $absent_kind:ident $absent_arg:ident $absent_doc:literal $($absent_flag:ident)*;)*
    ) => {
        define! {@
            $($name $text $kind $binding $arg $doc [$($flag)*];)*
            $($absent $absent_text $absent_kind Event $absent_arg $absent_doc [$($absent_flag)*];)*
        }
    };
    (@ $($name:ident $text:literal $kind:ident $binding:ident $arg:ident $doc:literal [$($flag:ident)*];)*) => {
        /// A field of the catalogue. Its number is the id used in rows' manifests.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Field { $(#[doc = concat!("`", $text, "`: ", $doc)] $name,)* }

        impl Field {
            /// Every field, in order of ids.
            pub const ALL: &'static [Field] = &[$(Field::$name,)*];

            /// Falco's name for it.
            pub fn name(self) -> &'static str {
                match self { $(Field::$name => $text,)* }
            }
            /// Type of its values (of the elements, for a list).
            #[inline]
            pub fn kind(self) -> Type {
                match self { $(Field::$name => Type::$kind,)* }
            }
            /// What its value depends on.
            #[inline]
            pub fn binding(self) -> Binding {
                match self { $(Field::$name => Binding::$binding,)* }
            }
            /// What may stand in brackets behind it.
            pub fn arg(self) -> ArgKind {
                match self { $(Field::$name => ArgKind::$arg,)* }
            }
            /// One sentence on it.
            pub fn description(self) -> &'static str {
                match self { $(Field::$name => $doc,)* }
            }
            /// What else is to be known of it.
            pub fn flags(self) -> &'static [Flag] {
                match self { $(Field::$name => &[$(Flag::$flag,)*],)* }
            }
        }
    };
}
macro_rules! define_all {
    ($($rows:tt)*) => { crate::for_each_absent_field!({$($rows)*} define!); };
}
for_each_field!(define_all);

/// No lineage is followed further up: deep enough for any real one, and a bound to what a chain
/// of forks can cost.
pub const LINEAGE_MAX: usize = 64;

impl Field {
    /// The field of that name, without argument.
    pub fn by_name(name: &str) -> Option<Field> {
        Field::ALL
            .iter()
            .copied()
            .find(|field| field.name() == name)
    }

    /// Every field by group, both in order: `evt`, `proc` and so on.
    pub fn by_group() -> Vec<(&'static str, Vec<Field>)> {
        let mut groups: Vec<(&str, Vec<Field>)> = Vec::new();
        for field in Field::ALL {
            let name = field.name().split('.').next().unwrap_or_default();
            match groups.iter_mut().find(|(group, _)| *group == name) {
                Some((_, fields)) => fields.push(*field),
                None => groups.push((name, Vec::from([*field]))),
            }
        }
        groups
    }

    /// Its name and, if it takes one, its argument.
    pub fn usage(self) -> String {
        let name = self.name();
        match self.arg() {
            ArgKind::None => name.into(),
            ArgKind::Index => format!("{name}[n]"),
            ArgKind::Key => format!("{name}[NAME]"),
            ArgKind::KeyRequired => format!("{name}.NAME"),
            ArgKind::IndexOrKey | ArgKind::IndexOrKeyRequired => format!("{name}[n or NAME]"),
            ArgKind::Side => format!("{name} (.src, .dst)"),
        }
    }

    /// The field with that id.
    pub fn by_id(id: u16) -> Option<Field> {
        Field::ALL.get(id as usize).copied()
    }

    /// Its number in manifests. Numbers hold within one version of [`crate::abi::VERSION`].
    pub fn id(self) -> u16 {
        self as u16
    }

    /// Whether nothing gives the field a value yet: a test of it is always false.
    pub fn is_absent(self) -> bool {
        matches!(self, crate::absent_field!())
    }

    /// Why nothing does, if there is more to say than that nobody has done it.
    pub fn why_absent(self) -> Option<&'static str> {
        let speaks = |names: &str| names.split(' ').any(|name| self.name().starts_with(name));
        let row = absent::REASONS.iter().find(|(names, _)| speaks(names))?;
        self.is_absent().then_some(row.1)
    }

    /// Whether Falco says that of it.
    pub fn has(self, flag: Flag) -> bool {
        self.flags().contains(&flag)
    }

    /// For a field that stands for both ends of a connection: the client's and the server's.
    /// A comparison with it holds if it holds for either (`!=`: for both).
    pub fn both_ends(self) -> Option<(Field, Field)> {
        match self {
            Field::FdIp => Some((Field::FdCip, Field::FdSip)),
            Field::FdPort | Field::FdProto => Some((Field::FdCport, Field::FdSport)),
            Field::FdNet => Some((Field::FdCnet, Field::FdSnet)),
            _ => None,
        }
    }

    /// Whether the field, with that argument, is a list, of which a comparison need only hold
    /// for one element: an ancestor field without a number.
    pub fn is_list(self, arg: &Arg) -> bool {
        self.is_ancestor() && *arg == Arg::None
    }

    /// Whether the field walks up the ancestors (`proc.a*`).
    pub fn is_ancestor(self) -> bool {
        matches!(
            self,
            Field::ProcAexe
                | Field::ProcAexepath
                | Field::ProcAname
                | Field::ProcAcmdline
                | Field::ProcApid
                | Field::ProcAenv
        )
    }
}

/// The argument of a field reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Arg {
    /// None given.
    #[default]
    None,
    /// A number.
    Index(u32),
    /// A name.
    Key(String),
}

/// A field with its argument: what a condition or an output names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldRef {
    /// The field.
    pub field: Field,
    /// Its argument.
    pub arg: Arg,
}

impl FieldRef {
    /// Reads `proc.aname[2]`, `evt.arg.flags`, `evt.arg[flags]`, `fd.name`.
    ///
    /// The longest catalogued name that `text` begins with decides; what follows must be an
    /// argument that the field takes.
    pub fn parse(text: &str) -> Result<FieldRef, FieldError> {
        let (name, bracket) = match text.split_once('[') {
            None => (text, None),
            Some((name, rest)) => {
                let arg = rest.strip_suffix(']').ok_or(FieldError::Argument)?;
                let bare = arg
                    .strip_prefix('"')
                    .and_then(|arg| arg.strip_suffix('"'))
                    .or_else(|| {
                        arg.strip_prefix('\'')
                            .and_then(|arg| arg.strip_suffix('\''))
                    })
                    .unwrap_or(arg);
                (name, Some(bare))
            }
        };
        if let Some(field) = Field::by_name(name) {
            return Ok(FieldRef {
                field,
                arg: field.read_arg(bracket)?,
            });
        }
        let (prefix, key) = name.rsplit_once('.').ok_or(FieldError::Unknown)?;
        match Field::by_name(prefix) {
            Some(field)
                if matches!(field.arg(), ArgKind::KeyRequired | ArgKind::Side)
                    && bracket.is_none() =>
            {
                // What follows a side's dot is a name of its own to whoever mistypes it.
                let arg = field
                    .read_arg(Some(key))
                    .map_err(|error| match field.arg() {
                        ArgKind::Side => FieldError::Unknown,
                        _ => error,
                    })?;
                Ok(FieldRef { field, arg })
            }
            _ => Err(FieldError::Unknown),
        }
    }

    /// Type of its values: the field's, for a raw parameter that parameter's.
    pub fn kind(&self) -> Type {
        match (self.field, self.raw_param()) {
            (Field::EvtRawarg, param) => param.map_or(Type::Text, |param| param.kind.raw()),
            (field, _) => field.kind(),
        }
    }

    /// Of a raw parameter, the one that decides its type: the first of that name.
    pub fn raw_param(&self) -> Option<&'static Param> {
        let (Field::EvtRawarg, Arg::Key(name)) = (self.field, &self.arg) else {
            return None;
        };
        let mut params = EventType::ALL.iter().flat_map(|event| event.params());
        params.find(|param| param.name == name)
    }

    /// Whether a comparison with it need only hold for one element of a list.
    pub fn is_list(&self) -> bool {
        self.field.is_list(&self.arg)
    }

    /// The number that is the field's value in every event of that type, where the type
    /// decides it; `Some(None)` if it decides that there is none.
    pub fn number_by_type(&self, event: EventType) -> Option<Option<u64>> {
        let has = |flags: u16| Some(Some(u64::from(event.flags() & flags != 0)));
        match self.field {
            Field::EvtTypeIs => {
                let name = match &self.arg {
                    Arg::Key(name) => name.as_str(),
                    Arg::None | Arg::Index(_) => "",
                };
                Some(Some(u64::from(event.name() == name)))
            }
            Field::EvtIsIo => has(READS_FD | WRITES_FD),
            Field::EvtIsIoRead => has(READS_FD),
            Field::EvtIsIoWrite => has(WRITES_FD),
            Field::EvtIsWait => has(WAITS),
            Field::EvtIsAsync => Some(Some(u64::from(event.class() == Class::Meta))),
            Field::EvtCount => Some(Some(1)),
            // For Falco the end of a process is no exit of a call.
            Field::EvtCountExit => Some(event.is_exit().then_some(1)),
            // What came of a call and what it was given are one event.
            Field::EvtLatency
            | Field::EvtLatencyS
            | Field::EvtLatencyNs
            | Field::EvtLatencyQuantized
            | Field::EvtWaitLatency => Some(Some(0)),
            Field::EvtCountThreadinfo => Some(Some(u64::from(event == EventType::Procinfo))),
            Field::EvtCountProcinfo if event != EventType::Procinfo => Some(Some(0)),
            Field::EvtIsSyslog if event.flags() & WRITES_FD == 0 => Some(Some(0)),
            Field::EvtBuflen | Field::EvtBuflenFile | Field::EvtBuflenNet
                if !event.category().is_io() =>
            {
                Some(None)
            }
            Field::EvtBuflenIn | Field::EvtBuflenFileIn | Field::EvtBuflenNetIn
                if event.category() != Category::IoRead =>
            {
                Some(None)
            }
            Field::EvtBuflenOut | Field::EvtBuflenFileOut | Field::EvtBuflenNetOut
                if event.category() != Category::IoWrite =>
            {
                Some(None)
            }
            _ => None,
        }
    }

    /// The text that is the field's value in every event of that type, where the type decides
    /// it; `Some(None)` if it decides that there is none.
    pub fn text_by_type(&self, event: EventType) -> Option<Option<&'static str>> {
        match self.field {
            Field::SyscallType if event.class() != Class::Call => Some(None),
            Field::EvtType | Field::SyscallType if event.is_named_by_event() => None,
            Field::EvtType | Field::SyscallType => Some(Some(event.name())),
            Field::EvtCategory if event.category().is_io() => None,
            Field::EvtCategory => Some(Some(event.category().name())),
            Field::EvtIoDir => Some(event.direction()),
            Field::EvtSource if event.class() == Class::Plugin => None,
            Field::EvtSource => Some(Some("syscall")),
            Field::EvtDir if event.is_exit() => Some(Some("<")),
            Field::EvtDir => Some(Some(">")),
            Field::EvtLatencyHuman => Some(Some("0ns")),
            Field::EvtBuffer if event.param("data").is_none() => Some(None),
            Field::EvtAsynctype if event.class() != Class::Meta => Some(None),
            Field::EvtAsynctype if event.is_named_by_event() => None,
            Field::EvtAsynctype => Some(Some(event.name())),
            Field::EvtInfraDockerName
            | Field::EvtInfraDockerContainerId
            | Field::EvtInfraDockerContainerName
            | Field::EvtInfraDockerContainerImage
                if event != EventType::Infra =>
            {
                Some(None)
            }
            _ => None,
        }
    }
}

impl core::fmt::Display for FieldRef {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match &self.arg {
            Arg::None => f.write_str(self.field.name()),
            Arg::Index(index) => write!(f, "{}[{index}]", self.field.name()),
            Arg::Key(key) if matches!(self.field.arg(), ArgKind::KeyRequired | ArgKind::Side) => {
                write!(f, "{}.{key}", self.field.name())
            }
            Arg::Key(key) => write!(f, "{}[{key}]", self.field.name()),
        }
    }
}

/// Why a text names no field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldError {
    /// No field of that name.
    Unknown,
    /// The field exists and takes no such argument.
    Argument,
    /// The field needs an argument.
    ArgumentMissing,
}

impl Field {
    fn read_arg(self, arg: Option<&str>) -> Result<Arg, FieldError> {
        let Some(arg) = arg else {
            return match self.arg() {
                ArgKind::KeyRequired | ArgKind::IndexOrKeyRequired => {
                    Err(FieldError::ArgumentMissing)
                }
                ArgKind::None
                | ArgKind::Index
                | ArgKind::Key
                | ArgKind::IndexOrKey
                | ArgKind::Side => Ok(Arg::None),
            };
        };
        // Level 0 is the process itself, which Falco allows.
        let index = arg.parse().map(Arg::Index);
        let key = || match arg {
            "" => Err(FieldError::Argument),
            name => Ok(Arg::Key(name.into())),
        };
        match self.arg() {
            ArgKind::None => Err(FieldError::Argument),
            ArgKind::Index => index.map_err(|_| FieldError::Argument),
            ArgKind::Key | ArgKind::KeyRequired => key(),
            ArgKind::IndexOrKey | ArgKind::IndexOrKeyRequired => index.or_else(|_| key()),
            ArgKind::Side if matches!(arg, "src" | "dst") => key(),
            ArgKind::Side => Err(FieldError::Argument),
        }
    }
}
