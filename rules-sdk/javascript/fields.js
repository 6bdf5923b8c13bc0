// The fields that rows may have. Made from Saker's catalogue: not to be edited.

import { field, many, withArgument } from "./row.js";

/** Number of the event, counted by Saker in the order of time. */
export const evt_num = field("unsigned", "evt.num");

/** Time of day with nanoseconds, UTC. */
export const evt_time = field("text", "evt.time");

/** Time of day in whole seconds, UTC. */
export const evt_time_s = field("text", "evt.time.s");

/** Date and time with nanoseconds, UTC, as ISO 8601. */
export const evt_time_iso8601 = field("text", "evt.time.iso8601");

/** Date and time with nanoseconds, UTC. */
export const evt_datetime = field("text", "evt.datetime");

/** Date and time in whole seconds, UTC. */
export const evt_datetime_s = field("text", "evt.datetime.s");

/** Time in nanoseconds since the epoch. */
export const evt_rawtime = field("time", "evt.rawtime");

/** Whole seconds since the epoch. */
export const evt_rawtime_s = field("time", "evt.rawtime.s");

/** Nanoseconds since the last whole second. */
export const evt_rawtime_ns = field("time", "evt.rawtime.ns");

/** Name of the event type, for example `openat`. */
export const evt_type = field("text", "evt.type");

/** 1 for events of the type named, 0 for all others. */
export const evt_type_is = withArgument("unsigned", "evt.type.is");

/** Group of the event type, for example `file` or `net`. */
export const evt_category = field("text", "evt.category");

/** CPU on which the event happened. */
export const evt_cpu = field("signed", "evt.cpu");

/** Direction: `<`, but `>` for what is no call (`procexit`, `switch`, `signaldeliver`, `container` and so on). */
export const evt_dir = field("text", "evt.dir");

/** All parameters as `name=value`, separated by blanks. */
export const evt_args = field("text", "evt.args");

/** The same as `evt.args`. */
export const evt_info = field("text", "evt.info");

/** One parameter as text; flags are spelled out. */
export const evt_arg = withArgument("text", "evt.arg");

/** One parameter as it was recorded, a number as a number. */
export const evt_rawarg = withArgument("text", "evt.rawarg");

/** `SUCCESS` or the name of the error, for example `ENOENT`. */
export const evt_res = field("text", "evt.res");

/** What the call returned; negative: minus the error number. */
export const evt_rawres = field("signed", "evt.rawres");

/** Whether the call returned an error. */
export const evt_failed = field("boolean", "evt.failed");

/** Whether events of this type read or write a descriptor. */
export const evt_is_io = field("boolean", "evt.is_io");

/** Whether events of this type read a descriptor. */
export const evt_is_io_read = field("boolean", "evt.is_io_read");

/** Whether events of this type write a descriptor. */
export const evt_is_io_write = field("boolean", "evt.is_io_write");

/** `read` or `write`, for events of types that do. */
export const evt_io_dir = field("text", "evt.io_dir");

/** Whether calls of this type wait for something, as `poll` does. */
export const evt_is_wait = field("boolean", "evt.is_wait");

/** Whether the event comes from outside of the stream of calls, which only captures have. */
export const evt_is_async = field("boolean", "evt.is_async");

/** 1 for every event. */
export const evt_count = field("unsigned", "evt.count");

/** 1 for every event but `procexit`. */
export const evt_count_exit = field("unsigned", "evt.count.exit");

/** 1 for calls that failed. */
export const evt_count_error = field("unsigned", "evt.count.error");

/** 1 for calls on files that failed. */
export const evt_count_error_file = field("unsigned", "evt.count.error.file");

/** 1 for calls on sockets that failed. */
export const evt_count_error_net = field("unsigned", "evt.count.error.net");

/** 1 for calls of the category `memory` that failed. */
export const evt_count_error_memory = field("unsigned", "evt.count.error.memory");

/** 1 for the other calls that failed. */
export const evt_count_error_other = field("unsigned", "evt.count.error.other");

/** Whether a file was opened for reading. */
export const evt_is_open_read = field("boolean", "evt.is_open_read");

/** Whether a file was opened for writing. */
export const evt_is_open_write = field("boolean", "evt.is_open_write");

/** Whether a file was created with an execute bit. */
export const evt_is_open_exec = field("boolean", "evt.is_open_exec");

/** Whether the call created the file it opened. */
export const evt_is_open_create = field("boolean", "evt.is_open_create");

/** Path of a call that takes a directory as well, made absolute; `.src` and `.dst` choose where there are two. */
export const evt_abspath = field("text", "evt.abspath");

/** Where events of this kind come from; `syscall`. */
export const evt_source = field("text", "evt.source");

/** Name of the host. */
export const evt_hostname = field("text", "evt.hostname");

/** Nanoseconds between call and return; always 0, since nothing is recorded at the call. */
export const evt_latency = field("duration", "evt.latency");

/** Whole seconds of that; 0. */
export const evt_latency_s = field("duration", "evt.latency.s");

/** The rest of that in nanoseconds; 0. */
export const evt_latency_ns = field("duration", "evt.latency.ns");

/** Its logarithm, scaled to columns; 0. */
export const evt_latency_quantized = field("unsigned", "evt.latency.quantized");

/** That, with a unit; `0ns`. */
export const evt_latency_human = field("text", "evt.latency.human");

/** Nanoseconds since the event before, in a capture. */
export const evt_deltatime = field("duration", "evt.deltatime");

/** Whole seconds of that. */
export const evt_deltatime_s = field("duration", "evt.deltatime.s");

/** The rest of that in nanoseconds. */
export const evt_deltatime_ns = field("duration", "evt.deltatime.ns");

/** Nanoseconds since the first event. */
export const evt_reltime = field("duration", "evt.reltime");

/** Whole seconds of that. */
export const evt_reltime_s = field("duration", "evt.reltime.s");

/** The rest of that in nanoseconds. */
export const evt_reltime_ns = field("duration", "evt.reltime.ns");

/** The same as `evt.time`. */
export const evt_outputtime = field("text", "evt.outputtime");

/** Bytes read or written, in a capture; at most 1021 are shown. */
export const evt_buffer = field("bytes", "evt.buffer");

/** Number of bytes read or written, in a capture. */
export const evt_buflen = field("unsigned", "evt.buflen");

/** Number of bytes read. */
export const evt_buflen_in = field("unsigned", "evt.buflen.in");

/** Number of bytes written. */
export const evt_buflen_out = field("unsigned", "evt.buflen.out");

/** Number of bytes read from or written to a file. */
export const evt_buflen_file = field("unsigned", "evt.buflen.file");

/** Number of bytes read from a file. */
export const evt_buflen_file_in = field("unsigned", "evt.buflen.file.in");

/** Number of bytes written to a file. */
export const evt_buflen_file_out = field("unsigned", "evt.buflen.file.out");

/** Number of bytes received or sent. */
export const evt_buflen_net = field("unsigned", "evt.buflen.net");

/** Number of bytes received. */
export const evt_buflen_net_in = field("unsigned", "evt.buflen.net.in");

/** Number of bytes sent. */
export const evt_buflen_net_out = field("unsigned", "evt.buflen.net.out");

/** Nanoseconds that a call waited; always 0. */
export const evt_wait_latency = field("duration", "evt.wait_latency");

/** Whether the event writes to `/dev/log`. */
export const evt_is_syslog = field("boolean", "evt.is_syslog");

/** 1 for accounting events of processes. */
export const evt_count_procinfo = field("unsigned", "evt.count.procinfo");

/** 1 for accounting events of threads. */
export const evt_count_threadinfo = field("unsigned", "evt.count.threadinfo");

/** Whether the event is at most so many milliseconds from the time named, as `evt.around[T] = 10`. */
export const evt_around = withArgument("unsigned", "evt.around");

/** Name of an event of the Docker engine. */
export const evt_infra_docker_name = field("text", "evt.infra.docker.name");

/** Container that such an event is about. */
export const evt_infra_docker_container_id = field("text", "evt.infra.docker.container.id");

/** Name of that container. */
export const evt_infra_docker_container_name = field("text", "evt.infra.docker.container.name");

/** Image of that container. */
export const evt_infra_docker_container_image = field("text", "evt.infra.docker.container.image");

/** Kind of an asynchronous event. */
export const evt_asynctype = field("text", "evt.asynctype");

/** Name of the system call; absent for events that are none. */
export const syscall_type = field("text", "syscall.type");

/** Number of the descriptor the event is about. */
export const fd_num = field("signed", "fd.num");

/** Thread id and number of the descriptor, written one behind the other. */
export const fd_uid = field("text", "fd.uid");

/** Kind of the descriptor, for example `file`, `ipv4` or `unix`. */
export const fd_type = field("text", "fd.type");

/** Kinds of the descriptors that the process has; with a number, of that descriptor. */
export const fd_types = field("text", "fd.types");

/** Kind of the descriptor as one character. */
export const fd_typechar = field("text", "fd.typechar");

/** Path of the file, resolved by the kernel where it was opened, or the connection as `client->server`. */
export const fd_name = field("text", "fd.name");

/** Directory of a file's path. */
export const fd_directory = field("text", "fd.directory");

/** Last part of a file's path. */
export const fd_filename = field("text", "fd.filename");

/** Path as the program gave it. In a capture of what was opened since the file began: lists of descriptors have one name. */
export const fd_nameraw = field("text", "fd.nameraw");

/** Client or server address. */
export const fd_ip = field("address", "fd.ip");

/** Client's address. */
export const fd_cip = field("address", "fd.cip");

/** Server's address. */
export const fd_sip = field("address", "fd.sip");

/** Local address. */
export const fd_lip = field("address", "fd.lip");

/** Remote address. */
export const fd_rip = field("address", "fd.rip");

/** Client or server port. */
export const fd_port = field("unsigned", "fd.port");

/** Client's port. */
export const fd_cport = field("unsigned", "fd.cport");

/** Server's port. */
export const fd_sport = field("unsigned", "fd.sport");

/** Local port. */
export const fd_lport = field("unsigned", "fd.lport");

/** Remote port. */
export const fd_rport = field("unsigned", "fd.rport");

/** Network of the client or the server. */
export const fd_net = field("address", "fd.net");

/** Network of the client. */
export const fd_cnet = field("address", "fd.cnet");

/** Network of the server. */
export const fd_snet = field("address", "fd.snet");

/** Network of the local end. */
export const fd_lnet = field("address", "fd.lnet");

/** Network of the remote end. */
export const fd_rnet = field("address", "fd.rnet");

/** Transport protocol: `tcp`, `udp`, `icmp` or `raw`. */
export const fd_l4proto = field("text", "fd.l4proto");

/** Family of the socket: `ip` or `unix`. */
export const fd_sockfamily = field("text", "fd.sockfamily");

/** Whether the process is the server of this connection. */
export const fd_is_server = field("boolean", "fd.is_server");

/** Name of the service at the client's port. */
export const fd_cproto = field("text", "fd.cproto");

/** Name of the service at the server's port. */
export const fd_sproto = field("text", "fd.sproto");

/** Name of the service at the local port. */
export const fd_lproto = field("text", "fd.lproto");

/** Name of the service at the remote port. */
export const fd_rproto = field("text", "fd.rproto");

/** Whether the socket is connected. */
export const fd_connected = field("boolean", "fd.connected");

/** Whether the event changes what the descriptor is called. */
export const fd_name_changed = field("boolean", "fd.name_changed");

/** Device number of the file's file system. */
export const fd_dev = field("signed", "fd.dev");

/** Major part of that number. */
export const fd_dev_major = field("signed", "fd.dev.major");

/** Minor part of that number. */
export const fd_dev_minor = field("signed", "fd.dev.minor");

/** Inode number of the file. */
export const fd_ino = field("signed", "fd.ino");

/** Whether the file lies in an overlay's upper layer. */
export const fd_is_upper_layer = field("boolean", "fd.is_upper_layer");

/** Whether the file lies in an overlay's lower layer. */
export const fd_is_lower_layer = field("boolean", "fd.is_lower_layer");

/** Id of the container, none for the host, and `fd.name`, a colon between. */
export const fd_containername = field("text", "fd.containername");

/** The same with `fd.directory`. */
export const fd_containerdirectory = field("text", "fd.containerdirectory");

/** The same as `fd.port`. */
export const fd_proto = field("unsigned", "fd.proto");

/** Numbers of the descriptors that a `poll` waits for. */
export const fdlist_nums = field("text", "fdlist.nums");

/** Names of those descriptors. */
export const fdlist_names = field("text", "fdlist.names");

/** Clients' addresses of those descriptors. */
export const fdlist_cips = field("text", "fdlist.cips");

/** Servers' addresses of those descriptors. */
export const fdlist_sips = field("text", "fdlist.sips");

/** Clients' ports of those descriptors. */
export const fdlist_cports = field("text", "fdlist.cports");

/** Servers' ports of those descriptors. */
export const fdlist_sports = field("text", "fdlist.sports");

/** A counter: in an output of the alerts so far, in a condition of the events. */
export const util_cnt = field("unsigned", "util.cnt");

/** Path a file-system call works on, made absolute and normalised. */
export const fs_path_name = field("text", "fs.path.name");

/** That path as the program gave it. */
export const fs_path_nameraw = field("text", "fs.path.nameraw");

/** Source path of a call that has two, made absolute and normalised. */
export const fs_path_source = field("text", "fs.path.source");

/** Source path as the program gave it. */
export const fs_path_sourceraw = field("text", "fs.path.sourceraw");

/** Target path of a call that has two, made absolute and normalised. */
export const fs_path_target = field("text", "fs.path.target");

/** Target path as the program gave it. */
export const fs_path_targetraw = field("text", "fs.path.targetraw");

/** First argument of the program (`argv[0]`). */
export const proc_exe = field("text", "proc.exe");

/** `proc.exe` of the parent. */
export const proc_pexe = field("text", "proc.pexe");

/** `proc.exe` of the ancestor of that level (1 = parent), or of any. */
export const proc_aexe = many("text", "proc.aexe");

/** Path of the executable file. */
export const proc_exepath = field("text", "proc.exepath");

/** `proc.exepath` of the parent. */
export const proc_pexepath = field("text", "proc.pexepath");

/** `proc.exepath` of the ancestor of that level, or of any. */
export const proc_aexepath = many("text", "proc.aexepath");

/** Name of the process (the kernel's `comm`). */
export const proc_name = field("text", "proc.name");

/** Name of the parent. */
export const proc_pname = field("text", "proc.pname");

/** Name of the ancestor of that level, or of any. */
export const proc_aname = many("text", "proc.aname");

/** Arguments without the first, separated by blanks; with a number, that one (0 is the first after `argv[0]`). */
export const proc_args = field("text", "proc.args");

/** `proc.name` and the arguments. */
export const proc_cmdline = field("text", "proc.cmdline");

/** `proc.cmdline` of the parent. */
export const proc_pcmdline = field("text", "proc.pcmdline");

/** `proc.cmdline` of the ancestor of that level, or of any. */
export const proc_acmdline = many("text", "proc.acmdline");

/** `proc.args` of the ancestor of that level; without one, of the process itself. */
export const proc_aargs = field("text", "proc.aargs");

/** Number of arguments without the first. */
export const proc_cmdnargs = field("unsigned", "proc.cmdnargs");

/** Characters in the arguments without the first, blanks not counted. */
export const proc_cmdlenargs = field("unsigned", "proc.cmdlenargs");

/** `proc.exe` and the arguments. */
export const proc_exeline = field("text", "proc.exeline");

/** Environment as `NAME=value` separated by blanks; with a name, its value. */
export const proc_env = field("text", "proc.env");

/** `proc.env` of the ancestor of that level, or of any; with a name, its value in the nearest ancestor that has it. */
export const proc_aenv = many("text", "proc.aenv");

/** Current directory, ended by a slash. */
export const proc_cwd = field("text", "proc.cwd");

/** Process id of the oldest shell among the ancestors. */
export const proc_loginshellid = field("signed", "proc.loginshellid");

/** Device number of the controlling terminal, 0 if none. */
export const proc_tty = field("unsigned", "proc.tty");

/** Process id. */
export const proc_pid = field("signed", "proc.pid");

/** Process id of the parent. */
export const proc_ppid = field("signed", "proc.ppid");

/** Process id of the ancestor of that level, or of any. */
export const proc_apid = many("signed", "proc.apid");

/** Process id in the process's own pid namespace. */
export const proc_vpid = field("signed", "proc.vpid");

/** Parent's process id in its own pid namespace. */
export const proc_pvpid = field("signed", "proc.pvpid");

/** Session id, in the process's own pid namespace. */
export const proc_sid = field("signed", "proc.sid");

/** Name of the session's leader, or of the oldest ancestor in the session. */
export const proc_sname = field("text", "proc.sname");

/** `proc.exe` of the session's leader. */
export const proc_sid_exe = field("text", "proc.sid.exe");

/** `proc.exepath` of the session's leader. */
export const proc_sid_exepath = field("text", "proc.sid.exepath");

/** Process group, in the initial pid namespace. */
export const proc_pgid = field("signed", "proc.pgid");

/** Name of that group's leader. */
export const proc_pgid_name = field("text", "proc.pgid.name");

/** `proc.exe` of that group's leader. */
export const proc_pgid_exe = field("text", "proc.pgid.exe");

/** `proc.exepath` of that group's leader. */
export const proc_pgid_exepath = field("text", "proc.pgid.exepath");

/** Process group, in the process's own pid namespace. */
export const proc_vpgid = field("signed", "proc.vpgid");

/** Name of the process group's leader. */
export const proc_vpgid_name = field("text", "proc.vpgid.name");

/** `proc.exe` of the process group's leader. */
export const proc_vpgid_exe = field("text", "proc.vpgid.exe");

/** `proc.exepath` of the process group's leader. */
export const proc_vpgid_exepath = field("text", "proc.vpgid.exepath");

/** Nanoseconds since the process started. In a capture of processes that began since the file did: lists of processes do not say when. */
export const proc_duration = field("duration", "proc.duration");

/** Nanoseconds since the parent started. */
export const proc_ppid_duration = field("duration", "proc.ppid.duration");

/** When the process started, in nanoseconds since the epoch. In a capture as `proc.duration`. */
export const proc_pid_ts = field("duration", "proc.pid.ts");

/** When the parent started. In a capture as `proc.duration`. */
export const proc_ppid_ts = field("duration", "proc.ppid.ts");

/** Whether the process's user may write its executable. */
export const proc_is_exe_writable = field("boolean", "proc.is_exe_writable");

/** Whether the executable lies in an overlay's upper layer. */
export const proc_is_exe_upper_layer = field("boolean", "proc.is_exe_upper_layer");

/** Whether the executable lies in an overlay's lower layer. */
export const proc_is_exe_lower_layer = field("boolean", "proc.is_exe_lower_layer");

/** Whether the executable is an anonymous memory file. */
export const proc_is_exe_from_memfd = field("boolean", "proc.is_exe_from_memfd");

/** Whether the process leads its session. */
export const proc_is_sid_leader = field("boolean", "proc.is_sid_leader");

/** Whether the process leads its process group. */
export const proc_is_vpgid_leader = field("boolean", "proc.is_vpgid_leader");

/** Whether the process leads its group, as the initial pid namespace numbers it. */
export const proc_is_pgid_leader = field("boolean", "proc.is_pgid_leader");

/** Inode number of the executable. */
export const proc_exe_ino = field("signed", "proc.exe_ino");

/** When the executable's inode last changed. */
export const proc_exe_ino_ctime = field("time", "proc.exe_ino.ctime");

/** When the executable's content last changed. */
export const proc_exe_ino_mtime = field("time", "proc.exe_ino.mtime");

/** Nanoseconds from the last change of the executable's inode to the start of the process. */
export const proc_exe_ino_ctime_duration_proc_start = field("time", "proc.exe_ino.ctime_duration_proc_start");

/** Nanoseconds from the start of the pid namespace to the last change of the executable's inode, if it came later. */
export const proc_exe_ino_ctime_duration_pidns_start = field("time", "proc.exe_ino.ctime_duration_pidns_start");

/** When the first process of the pid namespace started, in nanoseconds since the epoch. */
export const proc_pidns_init_start_ts = field("unsigned", "proc.pidns_init_start_ts");

/** How many descriptors the process may have. */
export const proc_fdlimit = field("signed", "proc.fdlimit");

/** Virtual memory in kB, as of the last exec or fork. */
export const proc_vmsize = field("unsigned", "proc.vmsize");

/** Resident memory in kB, as of the last exec or fork. */
export const proc_vmrss = field("unsigned", "proc.vmrss");

/** Swapped memory in kB. */
export const proc_vmswap = field("unsigned", "proc.vmswap");

/** Number of threads of the process. */
export const proc_nthreads = field("unsigned", "proc.nthreads");

/** Number of threads beside the first. */
export const proc_nchilds = field("unsigned", "proc.nchilds");

/** Kind of descriptor 0. */
export const proc_stdin_type = field("text", "proc.stdin.type");

/** Kind of descriptor 1. */
export const proc_stdout_type = field("text", "proc.stdout.type");

/** Kind of descriptor 2. */
export const proc_stderr_type = field("text", "proc.stderr.type");

/** Name of descriptor 0. */
export const proc_stdin_name = field("text", "proc.stdin.name");

/** Name of descriptor 1. */
export const proc_stdout_name = field("text", "proc.stdout.name");

/** Name of descriptor 2. */
export const proc_stderr_name = field("text", "proc.stderr.name");

/** Number of descriptors that the process has. */
export const proc_fdopencount = field("unsigned", "proc.fdopencount");

/** Part of the allowed descriptors that are in use. */
export const proc_fdusage = field("real", "proc.fdusage");

/** Whether the process is the container's health check, or comes of it: what came into the container from outside by that very command. */
export const proc_is_container_healthcheck = field("boolean", "proc.is_container_healthcheck");

/** The same of the liveness probe. */
export const proc_is_container_liveness_probe = field("boolean", "proc.is_container_liveness_probe");

/** The same of the readiness probe. */
export const proc_is_container_readiness_probe = field("boolean", "proc.is_container_readiness_probe");

/** Permitted capabilities, names separated by blanks. */
export const thread_cap_permitted = field("text", "thread.cap_permitted");

/** Inheritable capabilities. */
export const thread_cap_inheritable = field("text", "thread.cap_inheritable");

/** Effective capabilities. */
export const thread_cap_effective = field("text", "thread.cap_effective");

/** All control groups as `controller=path`, separated by blanks. */
export const thread_cgroups = field("text", "thread.cgroups");

/** Path of the control group of the controller named. */
export const thread_cgroup = withArgument("text", "thread.cgroup");

/** Thread id. */
export const thread_tid = field("signed", "thread.tid");

/** Whether the thread is its process's first. */
export const thread_ismain = field("boolean", "thread.ismain");

/** Thread id in its own pid namespace. */
export const thread_vtid = field("signed", "thread.vtid");

/** Name of the process and thread id, written one behind the other. */
export const thread_nametid = field("text", "thread.nametid");

/** `proc.vmsize` for the first thread, 0 for others. */
export const thread_vmsize = field("unsigned", "thread.vmsize");

/** `proc.vmrss` for the first thread, 0 for others. */
export const thread_vmrss = field("unsigned", "thread.vmrss");

/** `thread.vmsize` in bytes. */
export const thread_vmsize_b = field("unsigned", "thread.vmsize.b");

/** `thread.vmrss` in bytes. */
export const thread_vmrss_b = field("unsigned", "thread.vmrss.b");

/** Major page faults since the start. */
export const thread_pfmajor = field("unsigned", "thread.pfmajor");

/** Minor page faults since the start. */
export const thread_pfminor = field("unsigned", "thread.pfminor");

/** Effective user id. */
export const user_uid = field("unsigned", "user.uid");

/** Name of that user. */
export const user_name = field("text", "user.name");

/** Home directory of that user. */
export const user_homedir = field("text", "user.homedir");

/** Login shell of that user. */
export const user_shell = field("text", "user.shell");

/** User id of the login this process descends from, -1 if none. */
export const user_loginuid = field("signed", "user.loginuid");

/** Name of that user. */
export const user_loginname = field("text", "user.loginname");

/** Effective group id. */
export const group_gid = field("unsigned", "group.gid");

/** Name of that group. */
export const group_name = field("text", "group.name");

/** First 12 characters of the container's id; `host` outside of containers. */
export const container_id = field("text", "container.id");

/** The container's whole id. */
export const container_full_id = field("text", "container.full_id");

/** Name of the container; `host` outside of containers. */
export const container_name = field("text", "container.name");

/** What runs the container, for example `docker`; `host` outside of containers. */
export const container_type = field("text", "container.type");

/** Name of the image as it was asked for. */
export const container_image = field("text", "container.image");

/** Id of the image. */
export const container_image_id = field("text", "container.image.id");

/** Repository of the image. */
export const container_image_repository = field("text", "container.image.repository");

/** Tag of the image. */
export const container_image_tag = field("text", "container.image.tag");

/** Digest of the image. */
export const container_image_digest = field("text", "container.image.digest");

/** Whether the container is privileged. */
export const container_privileged = field("boolean", "container.privileged");

/** All mounts of the container as `source:destination:mode:writable:propagation`, separated by commas. */
export const container_mounts = field("text", "container.mounts");

/** One mount: by number, or the first in whose source the regular expression is found. */
export const container_mount = withArgument("text", "container.mount");

/** Source of a mount: by number, or found by its destination. */
export const container_mount_source = withArgument("text", "container.mount.source");

/** Destination of a mount: by number, or found by its source. */
export const container_mount_dest = withArgument("text", "container.mount.dest");

/** Mode of a mount: by number, or found by its source. */
export const container_mount_mode = withArgument("text", "container.mount.mode");

/** Whether a mount is writable: by number, or found by its source. */
export const container_mount_rdwr = withArgument("text", "container.mount.rdwr");

/** Propagation of a mount: by number, or found by its source. */
export const container_mount_propagation = withArgument("text", "container.mount.propagation");

/** Command by which Docker or Podman asks whether the container is well; `NONE` where the image's was switched off. */
export const container_healthcheck = field("text", "container.healthcheck");

/** Command by which Kubernetes asks whether the container lives. */
export const container_liveness_probe = field("text", "container.liveness_probe");

/** Command by which Kubernetes asks whether the container can work. */
export const container_readiness_probe = field("text", "container.readiness_probe");

/** When the first process of the pid namespace started. */
export const container_start_ts = field("time", "container.start_ts");

/** Nanoseconds since then. */
export const container_duration = field("duration", "container.duration");

/** Address of the container. */
export const container_ip = field("text", "container.ip");

/** Network configuration of the container. */
export const container_cni_json = field("text", "container.cni.json");

/** Whether it shares the host's pid namespace. */
export const container_host_pid = field("boolean", "container.host_pid");

/** Whether it shares the host's network. */
export const container_host_network = field("boolean", "container.host_network");

/** Whether it shares the host's IPC namespace. */
export const container_host_ipc = field("boolean", "container.host_ipc");

/** All labels of the container as `name:value`, separated by commas, without those of Kubernetes itself. */
export const container_labels = field("text", "container.labels");

/** One label of the container. */
export const container_label = withArgument("text", "container.label");

/** Namespace of the pod. */
export const k8s_ns_name = field("text", "k8s.ns.name");

/** Name of the pod. */
export const k8s_pod_name = field("text", "k8s.pod.name");

/** The same as `k8s.pod.uid`, for older rules. */
export const k8s_pod_id = field("text", "k8s.pod.id");

/** Unique id of the pod. */
export const k8s_pod_uid = field("text", "k8s.pod.uid");

/** First 12 characters of the id of the pod's sandbox. */
export const k8s_pod_sandbox_id = field("text", "k8s.pod.sandbox_id");

/** Whole id of the pod's sandbox. */
export const k8s_pod_full_sandbox_id = field("text", "k8s.pod.full_sandbox_id");

/** One label of the pod. */
export const k8s_pod_label = withArgument("text", "k8s.pod.label");

/** All labels of the pod. */
export const k8s_pod_labels = field("text", "k8s.pod.labels");

/** Address of the pod. */
export const k8s_pod_ip = field("text", "k8s.pod.ip");

/** Network configuration of the pod. */
export const k8s_pod_cni_json = field("text", "k8s.pod.cni.json");
