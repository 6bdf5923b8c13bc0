// Made from Saker's catalogue: not to be edited.

package saker

// The fields that rows may have.
var (
	// EvtNum: Number of the event, counted by Saker in the order of time.
	EvtNum = UnsignedField{"evt.num"}
	// EvtTime: Time of day with nanoseconds, UTC.
	EvtTime = TextField{"evt.time"}
	// EvtTimeS: Time of day in whole seconds, UTC.
	EvtTimeS = TextField{"evt.time.s"}
	// EvtTimeIso8601: Date and time with nanoseconds, UTC, as ISO 8601.
	EvtTimeIso8601 = TextField{"evt.time.iso8601"}
	// EvtDatetime: Date and time with nanoseconds, UTC.
	EvtDatetime = TextField{"evt.datetime"}
	// EvtDatetimeS: Date and time in whole seconds, UTC.
	EvtDatetimeS = TextField{"evt.datetime.s"}
	// EvtRawtime: Time in nanoseconds since the epoch.
	EvtRawtime = TimeField{"evt.rawtime"}
	// EvtRawtimeS: Whole seconds since the epoch.
	EvtRawtimeS = TimeField{"evt.rawtime.s"}
	// EvtRawtimeNs: Nanoseconds since the last whole second.
	EvtRawtimeNs = TimeField{"evt.rawtime.ns"}
	// EvtType: Name of the event type, for example `openat`.
	EvtType = TextField{"evt.type"}
	// EvtTypeIs: 1 for events of the type named, 0 for all others.
	EvtTypeIs = UnsignedField{"evt.type.is"}
	// EvtCategory: Group of the event type, for example `file` or `net`.
	EvtCategory = TextField{"evt.category"}
	// EvtCpu: CPU on which the event happened.
	EvtCpu = SignedField{"evt.cpu"}
	// EvtDir: Direction: `<`, but `>` for what is no call (`procexit`, `switch`, `signaldeliver`, `container` and so on).
	EvtDir = TextField{"evt.dir"}
	// EvtArgs: All parameters as `name=value`, separated by blanks.
	EvtArgs = TextField{"evt.args"}
	// EvtInfo: The same as `evt.args`.
	EvtInfo = TextField{"evt.info"}
	// EvtArg: One parameter as text; flags are spelled out.
	EvtArg = TextField{"evt.arg"}
	// EvtRawarg: One parameter as it was recorded, a number as a number.
	EvtRawarg = TextField{"evt.rawarg"}
	// EvtRes: `SUCCESS` or the name of the error, for example `ENOENT`.
	EvtRes = TextField{"evt.res"}
	// EvtRawres: What the call returned; negative: minus the error number.
	EvtRawres = SignedField{"evt.rawres"}
	// EvtFailed: Whether the call returned an error.
	EvtFailed = BooleanField{"evt.failed"}
	// EvtIsIo: Whether events of this type read or write a descriptor.
	EvtIsIo = BooleanField{"evt.is_io"}
	// EvtIsIoRead: Whether events of this type read a descriptor.
	EvtIsIoRead = BooleanField{"evt.is_io_read"}
	// EvtIsIoWrite: Whether events of this type write a descriptor.
	EvtIsIoWrite = BooleanField{"evt.is_io_write"}
	// EvtIoDir: `read` or `write`, for events of types that do.
	EvtIoDir = TextField{"evt.io_dir"}
	// EvtIsWait: Whether calls of this type wait for something, as `poll` does.
	EvtIsWait = BooleanField{"evt.is_wait"}
	// EvtIsAsync: Whether the event comes from outside of the stream of calls, which only captures have.
	EvtIsAsync = BooleanField{"evt.is_async"}
	// EvtCount: 1 for every event.
	EvtCount = UnsignedField{"evt.count"}
	// EvtCountExit: 1 for every event but `procexit`.
	EvtCountExit = UnsignedField{"evt.count.exit"}
	// EvtCountError: 1 for calls that failed.
	EvtCountError = UnsignedField{"evt.count.error"}
	// EvtCountErrorFile: 1 for calls on files that failed.
	EvtCountErrorFile = UnsignedField{"evt.count.error.file"}
	// EvtCountErrorNet: 1 for calls on sockets that failed.
	EvtCountErrorNet = UnsignedField{"evt.count.error.net"}
	// EvtCountErrorMemory: 1 for calls of the category `memory` that failed.
	EvtCountErrorMemory = UnsignedField{"evt.count.error.memory"}
	// EvtCountErrorOther: 1 for the other calls that failed.
	EvtCountErrorOther = UnsignedField{"evt.count.error.other"}
	// EvtIsOpenRead: Whether a file was opened for reading.
	EvtIsOpenRead = BooleanField{"evt.is_open_read"}
	// EvtIsOpenWrite: Whether a file was opened for writing.
	EvtIsOpenWrite = BooleanField{"evt.is_open_write"}
	// EvtIsOpenExec: Whether a file was created with an execute bit.
	EvtIsOpenExec = BooleanField{"evt.is_open_exec"}
	// EvtIsOpenCreate: Whether the call created the file it opened.
	EvtIsOpenCreate = BooleanField{"evt.is_open_create"}
	// EvtAbspath: Path of a call that takes a directory as well, made absolute; `.src` and `.dst` choose where there are two.
	EvtAbspath = TextField{"evt.abspath"}
	// EvtSource: Where events of this kind come from; `syscall`.
	EvtSource = TextField{"evt.source"}
	// EvtHostname: Name of the host.
	EvtHostname = TextField{"evt.hostname"}
	// EvtLatency: Nanoseconds between call and return; always 0, since nothing is recorded at the call.
	EvtLatency = TimeField{"evt.latency"}
	// EvtLatencyS: Whole seconds of that; 0.
	EvtLatencyS = TimeField{"evt.latency.s"}
	// EvtLatencyNs: The rest of that in nanoseconds; 0.
	EvtLatencyNs = TimeField{"evt.latency.ns"}
	// EvtLatencyQuantized: Its logarithm, scaled to columns; 0.
	EvtLatencyQuantized = UnsignedField{"evt.latency.quantized"}
	// EvtLatencyHuman: That, with a unit; `0ns`.
	EvtLatencyHuman = TextField{"evt.latency.human"}
	// EvtDeltatime: Nanoseconds since the event before, in a capture.
	EvtDeltatime = TimeField{"evt.deltatime"}
	// EvtDeltatimeS: Whole seconds of that.
	EvtDeltatimeS = TimeField{"evt.deltatime.s"}
	// EvtDeltatimeNs: The rest of that in nanoseconds.
	EvtDeltatimeNs = TimeField{"evt.deltatime.ns"}
	// EvtReltime: Nanoseconds since the first event.
	EvtReltime = TimeField{"evt.reltime"}
	// EvtReltimeS: Whole seconds of that.
	EvtReltimeS = TimeField{"evt.reltime.s"}
	// EvtReltimeNs: The rest of that in nanoseconds.
	EvtReltimeNs = TimeField{"evt.reltime.ns"}
	// EvtOutputtime: The same as `evt.time`.
	EvtOutputtime = TextField{"evt.outputtime"}
	// EvtBuffer: Bytes read or written, in a capture; at most 1021 are shown.
	EvtBuffer = BytesField{"evt.buffer"}
	// EvtBuflen: Number of bytes read or written, in a capture.
	EvtBuflen = UnsignedField{"evt.buflen"}
	// EvtBuflenIn: Number of bytes read.
	EvtBuflenIn = UnsignedField{"evt.buflen.in"}
	// EvtBuflenOut: Number of bytes written.
	EvtBuflenOut = UnsignedField{"evt.buflen.out"}
	// EvtBuflenFile: Number of bytes read from or written to a file.
	EvtBuflenFile = UnsignedField{"evt.buflen.file"}
	// EvtBuflenFileIn: Number of bytes read from a file.
	EvtBuflenFileIn = UnsignedField{"evt.buflen.file.in"}
	// EvtBuflenFileOut: Number of bytes written to a file.
	EvtBuflenFileOut = UnsignedField{"evt.buflen.file.out"}
	// EvtBuflenNet: Number of bytes received or sent.
	EvtBuflenNet = UnsignedField{"evt.buflen.net"}
	// EvtBuflenNetIn: Number of bytes received.
	EvtBuflenNetIn = UnsignedField{"evt.buflen.net.in"}
	// EvtBuflenNetOut: Number of bytes sent.
	EvtBuflenNetOut = UnsignedField{"evt.buflen.net.out"}
	// EvtWaitLatency: Nanoseconds that a call waited; always 0.
	EvtWaitLatency = TimeField{"evt.wait_latency"}
	// EvtIsSyslog: Whether the event writes to `/dev/log`.
	EvtIsSyslog = BooleanField{"evt.is_syslog"}
	// EvtCountProcinfo: 1 for accounting events of processes.
	EvtCountProcinfo = UnsignedField{"evt.count.procinfo"}
	// EvtCountThreadinfo: 1 for accounting events of threads.
	EvtCountThreadinfo = UnsignedField{"evt.count.threadinfo"}
	// EvtAround: Whether the event is at most so many milliseconds from the time named, as `evt.around[T] = 10`.
	EvtAround = UnsignedField{"evt.around"}
	// EvtInfraDockerName: Name of an event of the Docker engine.
	EvtInfraDockerName = TextField{"evt.infra.docker.name"}
	// EvtInfraDockerContainerId: Container that such an event is about.
	EvtInfraDockerContainerId = TextField{"evt.infra.docker.container.id"}
	// EvtInfraDockerContainerName: Name of that container.
	EvtInfraDockerContainerName = TextField{"evt.infra.docker.container.name"}
	// EvtInfraDockerContainerImage: Image of that container.
	EvtInfraDockerContainerImage = TextField{"evt.infra.docker.container.image"}
	// EvtAsynctype: Kind of an asynchronous event.
	EvtAsynctype = TextField{"evt.asynctype"}
	// SyscallType: Name of the system call; absent for events that are none.
	SyscallType = TextField{"syscall.type"}
	// FdNum: Number of the descriptor the event is about.
	FdNum = SignedField{"fd.num"}
	// FdUid: Thread id and number of the descriptor, written one behind the other.
	FdUid = TextField{"fd.uid"}
	// FdType: Kind of the descriptor, for example `file`, `ipv4` or `unix`.
	FdType = TextField{"fd.type"}
	// FdTypes: Kinds of the descriptors that the process has; with a number, of that descriptor.
	FdTypes = TextField{"fd.types"}
	// FdTypechar: Kind of the descriptor as one character.
	FdTypechar = TextField{"fd.typechar"}
	// FdName: Path of the file, resolved by the kernel where it was opened, or the connection as `client->server`.
	FdName = TextField{"fd.name"}
	// FdDirectory: Directory of a file's path.
	FdDirectory = TextField{"fd.directory"}
	// FdFilename: Last part of a file's path.
	FdFilename = TextField{"fd.filename"}
	// FdNameraw: Path as the program gave it. In a capture of what was opened since the file began: lists of descriptors have one name.
	FdNameraw = TextField{"fd.nameraw"}
	// FdIp: Client or server address.
	FdIp = AddressField{"fd.ip"}
	// FdCip: Client's address.
	FdCip = AddressField{"fd.cip"}
	// FdSip: Server's address.
	FdSip = AddressField{"fd.sip"}
	// FdLip: Local address.
	FdLip = AddressField{"fd.lip"}
	// FdRip: Remote address.
	FdRip = AddressField{"fd.rip"}
	// FdPort: Client or server port.
	FdPort = UnsignedField{"fd.port"}
	// FdCport: Client's port.
	FdCport = UnsignedField{"fd.cport"}
	// FdSport: Server's port.
	FdSport = UnsignedField{"fd.sport"}
	// FdLport: Local port.
	FdLport = UnsignedField{"fd.lport"}
	// FdRport: Remote port.
	FdRport = UnsignedField{"fd.rport"}
	// FdNet: Network of the client or the server.
	FdNet = AddressField{"fd.net"}
	// FdCnet: Network of the client.
	FdCnet = AddressField{"fd.cnet"}
	// FdSnet: Network of the server.
	FdSnet = AddressField{"fd.snet"}
	// FdLnet: Network of the local end.
	FdLnet = AddressField{"fd.lnet"}
	// FdRnet: Network of the remote end.
	FdRnet = AddressField{"fd.rnet"}
	// FdL4proto: Transport protocol: `tcp`, `udp`, `icmp` or `raw`.
	FdL4proto = TextField{"fd.l4proto"}
	// FdSockfamily: Family of the socket: `ip` or `unix`.
	FdSockfamily = TextField{"fd.sockfamily"}
	// FdIsServer: Whether the process is the server of this connection.
	FdIsServer = BooleanField{"fd.is_server"}
	// FdCproto: Name of the service at the client's port.
	FdCproto = TextField{"fd.cproto"}
	// FdSproto: Name of the service at the server's port.
	FdSproto = TextField{"fd.sproto"}
	// FdLproto: Name of the service at the local port.
	FdLproto = TextField{"fd.lproto"}
	// FdRproto: Name of the service at the remote port.
	FdRproto = TextField{"fd.rproto"}
	// FdConnected: Whether the socket is connected.
	FdConnected = BooleanField{"fd.connected"}
	// FdNameChanged: Whether the event changes what the descriptor is called.
	FdNameChanged = BooleanField{"fd.name_changed"}
	// FdDev: Device number of the file's file system.
	FdDev = SignedField{"fd.dev"}
	// FdDevMajor: Major part of that number.
	FdDevMajor = SignedField{"fd.dev.major"}
	// FdDevMinor: Minor part of that number.
	FdDevMinor = SignedField{"fd.dev.minor"}
	// FdIno: Inode number of the file.
	FdIno = SignedField{"fd.ino"}
	// FdIsUpperLayer: Whether the file lies in an overlay's upper layer.
	FdIsUpperLayer = BooleanField{"fd.is_upper_layer"}
	// FdIsLowerLayer: Whether the file lies in an overlay's lower layer.
	FdIsLowerLayer = BooleanField{"fd.is_lower_layer"}
	// FdContainername: Id of the container, none for the host, and `fd.name`, a colon between.
	FdContainername = TextField{"fd.containername"}
	// FdContainerdirectory: The same with `fd.directory`.
	FdContainerdirectory = TextField{"fd.containerdirectory"}
	// FdProto: The same as `fd.port`.
	FdProto = UnsignedField{"fd.proto"}
	// FdlistNums: Numbers of the descriptors that a `poll` waits for.
	FdlistNums = TextField{"fdlist.nums"}
	// FdlistNames: Names of those descriptors.
	FdlistNames = TextField{"fdlist.names"}
	// FdlistCips: Clients' addresses of those descriptors.
	FdlistCips = TextField{"fdlist.cips"}
	// FdlistSips: Servers' addresses of those descriptors.
	FdlistSips = TextField{"fdlist.sips"}
	// FdlistCports: Clients' ports of those descriptors.
	FdlistCports = TextField{"fdlist.cports"}
	// FdlistSports: Servers' ports of those descriptors.
	FdlistSports = TextField{"fdlist.sports"}
	// UtilCnt: A counter: in an output of the alerts so far, in a condition of the events.
	UtilCnt = UnsignedField{"util.cnt"}
	// FsPathName: Path a file-system call works on, made absolute and normalised.
	FsPathName = TextField{"fs.path.name"}
	// FsPathNameraw: That path as the program gave it.
	FsPathNameraw = TextField{"fs.path.nameraw"}
	// FsPathSource: Source path of a call that has two, made absolute and normalised.
	FsPathSource = TextField{"fs.path.source"}
	// FsPathSourceraw: Source path as the program gave it.
	FsPathSourceraw = TextField{"fs.path.sourceraw"}
	// FsPathTarget: Target path of a call that has two, made absolute and normalised.
	FsPathTarget = TextField{"fs.path.target"}
	// FsPathTargetraw: Target path as the program gave it.
	FsPathTargetraw = TextField{"fs.path.targetraw"}
	// ProcExe: First argument of the program (`argv[0]`).
	ProcExe = TextField{"proc.exe"}
	// ProcPexe: `proc.exe` of the parent.
	ProcPexe = TextField{"proc.pexe"}
	// ProcAexe: `proc.exe` of the ancestor of that level (1 = parent), or of any.
	ProcAexe = TextList{"proc.aexe"}
	// ProcExepath: Path of the executable file.
	ProcExepath = TextField{"proc.exepath"}
	// ProcPexepath: `proc.exepath` of the parent.
	ProcPexepath = TextField{"proc.pexepath"}
	// ProcAexepath: `proc.exepath` of the ancestor of that level, or of any.
	ProcAexepath = TextList{"proc.aexepath"}
	// ProcName: Name of the process (the kernel's `comm`).
	ProcName = TextField{"proc.name"}
	// ProcPname: Name of the parent.
	ProcPname = TextField{"proc.pname"}
	// ProcAname: Name of the ancestor of that level, or of any.
	ProcAname = TextList{"proc.aname"}
	// ProcArgs: Arguments without the first, separated by blanks; with a number, that one (0 is the first after `argv[0]`).
	ProcArgs = TextField{"proc.args"}
	// ProcCmdline: `proc.name` and the arguments.
	ProcCmdline = TextField{"proc.cmdline"}
	// ProcPcmdline: `proc.cmdline` of the parent.
	ProcPcmdline = TextField{"proc.pcmdline"}
	// ProcAcmdline: `proc.cmdline` of the ancestor of that level, or of any.
	ProcAcmdline = TextList{"proc.acmdline"}
	// ProcAargs: `proc.args` of the ancestor of that level; without one, of the process itself.
	ProcAargs = TextField{"proc.aargs"}
	// ProcCmdnargs: Number of arguments without the first.
	ProcCmdnargs = UnsignedField{"proc.cmdnargs"}
	// ProcCmdlenargs: Characters in the arguments without the first, blanks not counted.
	ProcCmdlenargs = UnsignedField{"proc.cmdlenargs"}
	// ProcExeline: `proc.exe` and the arguments.
	ProcExeline = TextField{"proc.exeline"}
	// ProcEnv: Environment as `NAME=value` separated by blanks; with a name, its value.
	ProcEnv = TextField{"proc.env"}
	// ProcAenv: `proc.env` of the ancestor of that level, or of any; with a name, its value in the nearest ancestor that has it.
	ProcAenv = TextList{"proc.aenv"}
	// ProcCwd: Current directory, ended by a slash.
	ProcCwd = TextField{"proc.cwd"}
	// ProcLoginshellid: Process id of the oldest shell among the ancestors.
	ProcLoginshellid = SignedField{"proc.loginshellid"}
	// ProcTty: Device number of the controlling terminal, 0 if none.
	ProcTty = UnsignedField{"proc.tty"}
	// ProcPid: Process id.
	ProcPid = SignedField{"proc.pid"}
	// ProcPpid: Process id of the parent.
	ProcPpid = SignedField{"proc.ppid"}
	// ProcApid: Process id of the ancestor of that level, or of any.
	ProcApid = SignedList{"proc.apid"}
	// ProcVpid: Process id in the process's own pid namespace.
	ProcVpid = SignedField{"proc.vpid"}
	// ProcPvpid: Parent's process id in its own pid namespace.
	ProcPvpid = SignedField{"proc.pvpid"}
	// ProcSid: Session id, in the process's own pid namespace.
	ProcSid = SignedField{"proc.sid"}
	// ProcSname: Name of the session's leader, or of the oldest ancestor in the session.
	ProcSname = TextField{"proc.sname"}
	// ProcSidExe: `proc.exe` of the session's leader.
	ProcSidExe = TextField{"proc.sid.exe"}
	// ProcSidExepath: `proc.exepath` of the session's leader.
	ProcSidExepath = TextField{"proc.sid.exepath"}
	// ProcPgid: Process group, in the initial pid namespace.
	ProcPgid = SignedField{"proc.pgid"}
	// ProcPgidName: Name of that group's leader.
	ProcPgidName = TextField{"proc.pgid.name"}
	// ProcPgidExe: `proc.exe` of that group's leader.
	ProcPgidExe = TextField{"proc.pgid.exe"}
	// ProcPgidExepath: `proc.exepath` of that group's leader.
	ProcPgidExepath = TextField{"proc.pgid.exepath"}
	// ProcVpgid: Process group, in the process's own pid namespace.
	ProcVpgid = SignedField{"proc.vpgid"}
	// ProcVpgidName: Name of the process group's leader.
	ProcVpgidName = TextField{"proc.vpgid.name"}
	// ProcVpgidExe: `proc.exe` of the process group's leader.
	ProcVpgidExe = TextField{"proc.vpgid.exe"}
	// ProcVpgidExepath: `proc.exepath` of the process group's leader.
	ProcVpgidExepath = TextField{"proc.vpgid.exepath"}
	// ProcDuration: Nanoseconds since the process started. In a capture of processes that began since the file did: lists of processes do not say when.
	ProcDuration = TimeField{"proc.duration"}
	// ProcPpidDuration: Nanoseconds since the parent started.
	ProcPpidDuration = TimeField{"proc.ppid.duration"}
	// ProcPidTs: When the process started, in nanoseconds since the epoch. In a capture as `proc.duration`.
	ProcPidTs = TimeField{"proc.pid.ts"}
	// ProcPpidTs: When the parent started. In a capture as `proc.duration`.
	ProcPpidTs = TimeField{"proc.ppid.ts"}
	// ProcIsExeWritable: Whether the process's user may write its executable.
	ProcIsExeWritable = BooleanField{"proc.is_exe_writable"}
	// ProcIsExeUpperLayer: Whether the executable lies in an overlay's upper layer.
	ProcIsExeUpperLayer = BooleanField{"proc.is_exe_upper_layer"}
	// ProcIsExeLowerLayer: Whether the executable lies in an overlay's lower layer.
	ProcIsExeLowerLayer = BooleanField{"proc.is_exe_lower_layer"}
	// ProcIsExeFromMemfd: Whether the executable is an anonymous memory file.
	ProcIsExeFromMemfd = BooleanField{"proc.is_exe_from_memfd"}
	// ProcIsSidLeader: Whether the process leads its session.
	ProcIsSidLeader = BooleanField{"proc.is_sid_leader"}
	// ProcIsVpgidLeader: Whether the process leads its process group.
	ProcIsVpgidLeader = BooleanField{"proc.is_vpgid_leader"}
	// ProcIsPgidLeader: Whether the process leads its group, as the initial pid namespace numbers it.
	ProcIsPgidLeader = BooleanField{"proc.is_pgid_leader"}
	// ProcExeIno: Inode number of the executable.
	ProcExeIno = SignedField{"proc.exe_ino"}
	// ProcExeInoCtime: When the executable's inode last changed.
	ProcExeInoCtime = TimeField{"proc.exe_ino.ctime"}
	// ProcExeInoMtime: When the executable's content last changed.
	ProcExeInoMtime = TimeField{"proc.exe_ino.mtime"}
	// ProcExeInoCtimeDurationProcStart: Nanoseconds from the last change of the executable's inode to the start of the process.
	ProcExeInoCtimeDurationProcStart = TimeField{"proc.exe_ino.ctime_duration_proc_start"}
	// ProcExeInoCtimeDurationPidnsStart: Nanoseconds from the start of the pid namespace to the last change of the executable's inode, if it came later.
	ProcExeInoCtimeDurationPidnsStart = TimeField{"proc.exe_ino.ctime_duration_pidns_start"}
	// ProcPidnsInitStartTs: When the first process of the pid namespace started, in nanoseconds since the epoch.
	ProcPidnsInitStartTs = UnsignedField{"proc.pidns_init_start_ts"}
	// ProcFdlimit: How many descriptors the process may have.
	ProcFdlimit = SignedField{"proc.fdlimit"}
	// ProcVmsize: Virtual memory in kB, as of the last exec or fork.
	ProcVmsize = UnsignedField{"proc.vmsize"}
	// ProcVmrss: Resident memory in kB, as of the last exec or fork.
	ProcVmrss = UnsignedField{"proc.vmrss"}
	// ProcVmswap: Swapped memory in kB.
	ProcVmswap = UnsignedField{"proc.vmswap"}
	// ProcNthreads: Number of threads of the process.
	ProcNthreads = UnsignedField{"proc.nthreads"}
	// ProcNchilds: Number of threads beside the first.
	ProcNchilds = UnsignedField{"proc.nchilds"}
	// ProcStdinType: Kind of descriptor 0.
	ProcStdinType = TextField{"proc.stdin.type"}
	// ProcStdoutType: Kind of descriptor 1.
	ProcStdoutType = TextField{"proc.stdout.type"}
	// ProcStderrType: Kind of descriptor 2.
	ProcStderrType = TextField{"proc.stderr.type"}
	// ProcStdinName: Name of descriptor 0.
	ProcStdinName = TextField{"proc.stdin.name"}
	// ProcStdoutName: Name of descriptor 1.
	ProcStdoutName = TextField{"proc.stdout.name"}
	// ProcStderrName: Name of descriptor 2.
	ProcStderrName = TextField{"proc.stderr.name"}
	// ProcFdopencount: Number of descriptors that the process has.
	ProcFdopencount = UnsignedField{"proc.fdopencount"}
	// ProcFdusage: Part of the allowed descriptors that are in use.
	ProcFdusage = RealField{"proc.fdusage"}
	// ProcIsContainerHealthcheck: Whether the process is the container's health check, or comes of it: what came into the container from outside by that very command.
	ProcIsContainerHealthcheck = BooleanField{"proc.is_container_healthcheck"}
	// ProcIsContainerLivenessProbe: The same of the liveness probe.
	ProcIsContainerLivenessProbe = BooleanField{"proc.is_container_liveness_probe"}
	// ProcIsContainerReadinessProbe: The same of the readiness probe.
	ProcIsContainerReadinessProbe = BooleanField{"proc.is_container_readiness_probe"}
	// ThreadCapPermitted: Permitted capabilities, names separated by blanks.
	ThreadCapPermitted = TextField{"thread.cap_permitted"}
	// ThreadCapInheritable: Inheritable capabilities.
	ThreadCapInheritable = TextField{"thread.cap_inheritable"}
	// ThreadCapEffective: Effective capabilities.
	ThreadCapEffective = TextField{"thread.cap_effective"}
	// ThreadCgroups: All control groups as `controller=path`, separated by blanks.
	ThreadCgroups = TextField{"thread.cgroups"}
	// ThreadCgroup: Path of the control group of the controller named.
	ThreadCgroup = TextField{"thread.cgroup"}
	// ThreadTid: Thread id.
	ThreadTid = SignedField{"thread.tid"}
	// ThreadIsmain: Whether the thread is its process's first.
	ThreadIsmain = BooleanField{"thread.ismain"}
	// ThreadVtid: Thread id in its own pid namespace.
	ThreadVtid = SignedField{"thread.vtid"}
	// ThreadNametid: Name of the process and thread id, written one behind the other.
	ThreadNametid = TextField{"thread.nametid"}
	// ThreadVmsize: `proc.vmsize` for the first thread, 0 for others.
	ThreadVmsize = UnsignedField{"thread.vmsize"}
	// ThreadVmrss: `proc.vmrss` for the first thread, 0 for others.
	ThreadVmrss = UnsignedField{"thread.vmrss"}
	// ThreadVmsizeB: `thread.vmsize` in bytes.
	ThreadVmsizeB = UnsignedField{"thread.vmsize.b"}
	// ThreadVmrssB: `thread.vmrss` in bytes.
	ThreadVmrssB = UnsignedField{"thread.vmrss.b"}
	// ThreadPfmajor: Major page faults since the start.
	ThreadPfmajor = UnsignedField{"thread.pfmajor"}
	// ThreadPfminor: Minor page faults since the start.
	ThreadPfminor = UnsignedField{"thread.pfminor"}
	// UserUid: Effective user id.
	UserUid = UnsignedField{"user.uid"}
	// UserName: Name of that user.
	UserName = TextField{"user.name"}
	// UserHomedir: Home directory of that user.
	UserHomedir = TextField{"user.homedir"}
	// UserShell: Login shell of that user.
	UserShell = TextField{"user.shell"}
	// UserLoginuid: User id of the login this process descends from, -1 if none.
	UserLoginuid = SignedField{"user.loginuid"}
	// UserLoginname: Name of that user.
	UserLoginname = TextField{"user.loginname"}
	// GroupGid: Effective group id.
	GroupGid = UnsignedField{"group.gid"}
	// GroupName: Name of that group.
	GroupName = TextField{"group.name"}
	// ContainerId: First 12 characters of the container's id; `host` outside of containers.
	ContainerId = TextField{"container.id"}
	// ContainerFullId: The container's whole id.
	ContainerFullId = TextField{"container.full_id"}
	// ContainerName: Name of the container; `host` outside of containers.
	ContainerName = TextField{"container.name"}
	// ContainerType: What runs the container, for example `docker`; `host` outside of containers.
	ContainerType = TextField{"container.type"}
	// ContainerImage: Name of the image as it was asked for.
	ContainerImage = TextField{"container.image"}
	// ContainerImageId: Id of the image.
	ContainerImageId = TextField{"container.image.id"}
	// ContainerImageRepository: Repository of the image.
	ContainerImageRepository = TextField{"container.image.repository"}
	// ContainerImageTag: Tag of the image.
	ContainerImageTag = TextField{"container.image.tag"}
	// ContainerImageDigest: Digest of the image.
	ContainerImageDigest = TextField{"container.image.digest"}
	// ContainerPrivileged: Whether the container is privileged.
	ContainerPrivileged = BooleanField{"container.privileged"}
	// ContainerMounts: All mounts of the container as `source:destination:mode:writable:propagation`, separated by commas.
	ContainerMounts = TextField{"container.mounts"}
	// ContainerMount: One mount: by number, or the first in whose source the regular expression is found.
	ContainerMount = TextField{"container.mount"}
	// ContainerMountSource: Source of a mount: by number, or found by its destination.
	ContainerMountSource = TextField{"container.mount.source"}
	// ContainerMountDest: Destination of a mount: by number, or found by its source.
	ContainerMountDest = TextField{"container.mount.dest"}
	// ContainerMountMode: Mode of a mount: by number, or found by its source.
	ContainerMountMode = TextField{"container.mount.mode"}
	// ContainerMountRdwr: Whether a mount is writable: by number, or found by its source.
	ContainerMountRdwr = TextField{"container.mount.rdwr"}
	// ContainerMountPropagation: Propagation of a mount: by number, or found by its source.
	ContainerMountPropagation = TextField{"container.mount.propagation"}
	// ContainerHealthcheck: Command by which Docker or Podman asks whether the container is well; `NONE` where the image's was switched off.
	ContainerHealthcheck = TextField{"container.healthcheck"}
	// ContainerLivenessProbe: Command by which Kubernetes asks whether the container lives.
	ContainerLivenessProbe = TextField{"container.liveness_probe"}
	// ContainerReadinessProbe: Command by which Kubernetes asks whether the container can work.
	ContainerReadinessProbe = TextField{"container.readiness_probe"}
	// ContainerStartTs: When the first process of the pid namespace started.
	ContainerStartTs = TimeField{"container.start_ts"}
	// ContainerDuration: Nanoseconds since then.
	ContainerDuration = TimeField{"container.duration"}
	// ContainerIp: Address of the container.
	ContainerIp = TextField{"container.ip"}
	// ContainerCniJson: Network configuration of the container.
	ContainerCniJson = TextField{"container.cni.json"}
	// ContainerHostPid: Whether it shares the host's pid namespace.
	ContainerHostPid = BooleanField{"container.host_pid"}
	// ContainerHostNetwork: Whether it shares the host's network.
	ContainerHostNetwork = BooleanField{"container.host_network"}
	// ContainerHostIpc: Whether it shares the host's IPC namespace.
	ContainerHostIpc = BooleanField{"container.host_ipc"}
	// ContainerLabels: All labels of the container as `name:value`, separated by commas, without those of Kubernetes itself.
	ContainerLabels = TextField{"container.labels"}
	// ContainerLabel: One label of the container.
	ContainerLabel = TextField{"container.label"}
	// K8sNsName: Namespace of the pod.
	K8sNsName = TextField{"k8s.ns.name"}
	// K8sPodName: Name of the pod.
	K8sPodName = TextField{"k8s.pod.name"}
	// K8sPodId: The same as `k8s.pod.uid`, for older rules.
	K8sPodId = TextField{"k8s.pod.id"}
	// K8sPodUid: Unique id of the pod.
	K8sPodUid = TextField{"k8s.pod.uid"}
	// K8sPodSandboxId: First 12 characters of the id of the pod's sandbox.
	K8sPodSandboxId = TextField{"k8s.pod.sandbox_id"}
	// K8sPodFullSandboxId: Whole id of the pod's sandbox.
	K8sPodFullSandboxId = TextField{"k8s.pod.full_sandbox_id"}
	// K8sPodLabel: One label of the pod.
	K8sPodLabel = TextField{"k8s.pod.label"}
	// K8sPodLabels: All labels of the pod.
	K8sPodLabels = TextField{"k8s.pod.labels"}
	// K8sPodIp: Address of the pod.
	K8sPodIp = TextField{"k8s.pod.ip"}
	// K8sPodCniJson: Network configuration of the pod.
	K8sPodCniJson = TextField{"k8s.pod.cni.json"}
)
