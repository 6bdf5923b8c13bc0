"""The fields that rows may have. Made from Saker's catalogue: not to be edited."""

from .row import (
    Address,
    Boolean,
    Bytes,
    Duration,
    Many,
    Real,
    Signed,
    Text,
    Time,
    Unsigned,
    WithArgument,
)

# Number of the event, counted by Saker in the order of time.
evt_num = Unsigned("evt.num")

# Time of day with nanoseconds, UTC.
evt_time = Text("evt.time")

# Time of day in whole seconds, UTC.
evt_time_s = Text("evt.time.s")

# Date and time with nanoseconds, UTC, as ISO 8601.
evt_time_iso8601 = Text("evt.time.iso8601")

# Date and time with nanoseconds, UTC.
evt_datetime = Text("evt.datetime")

# Date and time in whole seconds, UTC.
evt_datetime_s = Text("evt.datetime.s")

# Time in nanoseconds since the epoch.
evt_rawtime = Time("evt.rawtime")

# Whole seconds since the epoch.
evt_rawtime_s = Time("evt.rawtime.s")

# Nanoseconds since the last whole second.
evt_rawtime_ns = Time("evt.rawtime.ns")

# Name of the event type, for example `openat`.
evt_type = Text("evt.type")

# 1 for events of the type named, 0 for all others.
evt_type_is = WithArgument(Unsigned, "evt.type.is")

# Group of the event type, for example `file` or `net`.
evt_category = Text("evt.category")

# CPU on which the event happened.
evt_cpu = Signed("evt.cpu")

# Direction: `<`, but `>` for what is no call (`procexit`, `switch`, `signaldeliver`, `container` and so on).
evt_dir = Text("evt.dir")

# All parameters as `name=value`, separated by blanks.
evt_args = Text("evt.args")

# The same as `evt.args`.
evt_info = Text("evt.info")

# One parameter as text; flags are spelled out.
evt_arg = WithArgument(Text, "evt.arg")

# One parameter as it was recorded, a number as a number.
evt_rawarg = WithArgument(Text, "evt.rawarg")

# `SUCCESS` or the name of the error, for example `ENOENT`.
evt_res = Text("evt.res")

# What the call returned; negative: minus the error number.
evt_rawres = Signed("evt.rawres")

# Whether the call returned an error.
evt_failed = Boolean("evt.failed")

# Whether events of this type read or write a descriptor.
evt_is_io = Boolean("evt.is_io")

# Whether events of this type read a descriptor.
evt_is_io_read = Boolean("evt.is_io_read")

# Whether events of this type write a descriptor.
evt_is_io_write = Boolean("evt.is_io_write")

# `read` or `write`, for events of types that do.
evt_io_dir = Text("evt.io_dir")

# Whether calls of this type wait for something, as `poll` does.
evt_is_wait = Boolean("evt.is_wait")

# Whether the event comes from outside of the stream of calls, which only captures have.
evt_is_async = Boolean("evt.is_async")

# 1 for every event.
evt_count = Unsigned("evt.count")

# 1 for every event but `procexit`.
evt_count_exit = Unsigned("evt.count.exit")

# 1 for calls that failed.
evt_count_error = Unsigned("evt.count.error")

# 1 for calls on files that failed.
evt_count_error_file = Unsigned("evt.count.error.file")

# 1 for calls on sockets that failed.
evt_count_error_net = Unsigned("evt.count.error.net")

# 1 for calls of the category `memory` that failed.
evt_count_error_memory = Unsigned("evt.count.error.memory")

# 1 for the other calls that failed.
evt_count_error_other = Unsigned("evt.count.error.other")

# Whether a file was opened for reading.
evt_is_open_read = Boolean("evt.is_open_read")

# Whether a file was opened for writing.
evt_is_open_write = Boolean("evt.is_open_write")

# Whether a file was created with an execute bit.
evt_is_open_exec = Boolean("evt.is_open_exec")

# Whether the call created the file it opened.
evt_is_open_create = Boolean("evt.is_open_create")

# Path of a call that takes a directory as well, made absolute; `.src` and `.dst` choose where there are two.
evt_abspath = Text("evt.abspath")

# Where events of this kind come from; `syscall`.
evt_source = Text("evt.source")

# Name of the host.
evt_hostname = Text("evt.hostname")

# Nanoseconds between call and return; always 0, since nothing is recorded at the call.
evt_latency = Duration("evt.latency")

# Whole seconds of that; 0.
evt_latency_s = Duration("evt.latency.s")

# The rest of that in nanoseconds; 0.
evt_latency_ns = Duration("evt.latency.ns")

# Its logarithm, scaled to columns; 0.
evt_latency_quantized = Unsigned("evt.latency.quantized")

# That, with a unit; `0ns`.
evt_latency_human = Text("evt.latency.human")

# Nanoseconds since the event before, in a capture.
evt_deltatime = Duration("evt.deltatime")

# Whole seconds of that.
evt_deltatime_s = Duration("evt.deltatime.s")

# The rest of that in nanoseconds.
evt_deltatime_ns = Duration("evt.deltatime.ns")

# Nanoseconds since the first event.
evt_reltime = Duration("evt.reltime")

# Whole seconds of that.
evt_reltime_s = Duration("evt.reltime.s")

# The rest of that in nanoseconds.
evt_reltime_ns = Duration("evt.reltime.ns")

# The same as `evt.time`.
evt_outputtime = Text("evt.outputtime")

# Bytes read or written, in a capture; at most 1021 are shown.
evt_buffer = Bytes("evt.buffer")

# Number of bytes read or written, in a capture.
evt_buflen = Unsigned("evt.buflen")

# Number of bytes read.
evt_buflen_in = Unsigned("evt.buflen.in")

# Number of bytes written.
evt_buflen_out = Unsigned("evt.buflen.out")

# Number of bytes read from or written to a file.
evt_buflen_file = Unsigned("evt.buflen.file")

# Number of bytes read from a file.
evt_buflen_file_in = Unsigned("evt.buflen.file.in")

# Number of bytes written to a file.
evt_buflen_file_out = Unsigned("evt.buflen.file.out")

# Number of bytes received or sent.
evt_buflen_net = Unsigned("evt.buflen.net")

# Number of bytes received.
evt_buflen_net_in = Unsigned("evt.buflen.net.in")

# Number of bytes sent.
evt_buflen_net_out = Unsigned("evt.buflen.net.out")

# Nanoseconds that a call waited; always 0.
evt_wait_latency = Duration("evt.wait_latency")

# Whether the event writes to `/dev/log`.
evt_is_syslog = Boolean("evt.is_syslog")

# 1 for accounting events of processes.
evt_count_procinfo = Unsigned("evt.count.procinfo")

# 1 for accounting events of threads.
evt_count_threadinfo = Unsigned("evt.count.threadinfo")

# Whether the event is at most so many milliseconds from the time named, as `evt.around[T] = 10`.
evt_around = WithArgument(Unsigned, "evt.around")

# Name of an event of the Docker engine.
evt_infra_docker_name = Text("evt.infra.docker.name")

# Container that such an event is about.
evt_infra_docker_container_id = Text("evt.infra.docker.container.id")

# Name of that container.
evt_infra_docker_container_name = Text("evt.infra.docker.container.name")

# Image of that container.
evt_infra_docker_container_image = Text("evt.infra.docker.container.image")

# Kind of an asynchronous event.
evt_asynctype = Text("evt.asynctype")

# Name of the system call; absent for events that are none.
syscall_type = Text("syscall.type")

# Number of the descriptor the event is about.
fd_num = Signed("fd.num")

# Thread id and number of the descriptor, written one behind the other.
fd_uid = Text("fd.uid")

# Kind of the descriptor, for example `file`, `ipv4` or `unix`.
fd_type = Text("fd.type")

# Kinds of the descriptors that the process has; with a number, of that descriptor.
fd_types = Text("fd.types")

# Kind of the descriptor as one character.
fd_typechar = Text("fd.typechar")

# Path of the file, resolved by the kernel where it was opened, or the connection as `client->server`.
fd_name = Text("fd.name")

# Directory of a file's path.
fd_directory = Text("fd.directory")

# Last part of a file's path.
fd_filename = Text("fd.filename")

# Path as the program gave it. In a capture of what was opened since the file began: lists of descriptors have one name.
fd_nameraw = Text("fd.nameraw")

# Client or server address.
fd_ip = Address("fd.ip")

# Client's address.
fd_cip = Address("fd.cip")

# Server's address.
fd_sip = Address("fd.sip")

# Local address.
fd_lip = Address("fd.lip")

# Remote address.
fd_rip = Address("fd.rip")

# Client or server port.
fd_port = Unsigned("fd.port")

# Client's port.
fd_cport = Unsigned("fd.cport")

# Server's port.
fd_sport = Unsigned("fd.sport")

# Local port.
fd_lport = Unsigned("fd.lport")

# Remote port.
fd_rport = Unsigned("fd.rport")

# Network of the client or the server.
fd_net = Address("fd.net")

# Network of the client.
fd_cnet = Address("fd.cnet")

# Network of the server.
fd_snet = Address("fd.snet")

# Network of the local end.
fd_lnet = Address("fd.lnet")

# Network of the remote end.
fd_rnet = Address("fd.rnet")

# Transport protocol: `tcp`, `udp`, `icmp` or `raw`.
fd_l4proto = Text("fd.l4proto")

# Family of the socket: `ip` or `unix`.
fd_sockfamily = Text("fd.sockfamily")

# Whether the process is the server of this connection.
fd_is_server = Boolean("fd.is_server")

# Name of the service at the client's port.
fd_cproto = Text("fd.cproto")

# Name of the service at the server's port.
fd_sproto = Text("fd.sproto")

# Name of the service at the local port.
fd_lproto = Text("fd.lproto")

# Name of the service at the remote port.
fd_rproto = Text("fd.rproto")

# Whether the socket is connected.
fd_connected = Boolean("fd.connected")

# Whether the event changes what the descriptor is called.
fd_name_changed = Boolean("fd.name_changed")

# Device number of the file's file system.
fd_dev = Signed("fd.dev")

# Major part of that number.
fd_dev_major = Signed("fd.dev.major")

# Minor part of that number.
fd_dev_minor = Signed("fd.dev.minor")

# Inode number of the file.
fd_ino = Signed("fd.ino")

# Whether the file lies in an overlay's upper layer.
fd_is_upper_layer = Boolean("fd.is_upper_layer")

# Whether the file lies in an overlay's lower layer.
fd_is_lower_layer = Boolean("fd.is_lower_layer")

# Id of the container, none for the host, and `fd.name`, a colon between.
fd_containername = Text("fd.containername")

# The same with `fd.directory`.
fd_containerdirectory = Text("fd.containerdirectory")

# The same as `fd.port`.
fd_proto = Unsigned("fd.proto")

# Numbers of the descriptors that a `poll` waits for.
fdlist_nums = Text("fdlist.nums")

# Names of those descriptors.
fdlist_names = Text("fdlist.names")

# Clients' addresses of those descriptors.
fdlist_cips = Text("fdlist.cips")

# Servers' addresses of those descriptors.
fdlist_sips = Text("fdlist.sips")

# Clients' ports of those descriptors.
fdlist_cports = Text("fdlist.cports")

# Servers' ports of those descriptors.
fdlist_sports = Text("fdlist.sports")

# A counter: in an output of the alerts so far, in a condition of the events.
util_cnt = Unsigned("util.cnt")

# Path a file-system call works on, made absolute and normalised.
fs_path_name = Text("fs.path.name")

# That path as the program gave it.
fs_path_nameraw = Text("fs.path.nameraw")

# Source path of a call that has two, made absolute and normalised.
fs_path_source = Text("fs.path.source")

# Source path as the program gave it.
fs_path_sourceraw = Text("fs.path.sourceraw")

# Target path of a call that has two, made absolute and normalised.
fs_path_target = Text("fs.path.target")

# Target path as the program gave it.
fs_path_targetraw = Text("fs.path.targetraw")

# First argument of the program (`argv[0]`).
proc_exe = Text("proc.exe")

# `proc.exe` of the parent.
proc_pexe = Text("proc.pexe")

# `proc.exe` of the ancestor of that level (1 = parent), or of any.
proc_aexe = Many(Text, "proc.aexe")

# Path of the executable file.
proc_exepath = Text("proc.exepath")

# `proc.exepath` of the parent.
proc_pexepath = Text("proc.pexepath")

# `proc.exepath` of the ancestor of that level, or of any.
proc_aexepath = Many(Text, "proc.aexepath")

# Name of the process (the kernel's `comm`).
proc_name = Text("proc.name")

# Name of the parent.
proc_pname = Text("proc.pname")

# Name of the ancestor of that level, or of any.
proc_aname = Many(Text, "proc.aname")

# Arguments without the first, separated by blanks; with a number, that one (0 is the first after `argv[0]`).
proc_args = Text("proc.args")

# `proc.name` and the arguments.
proc_cmdline = Text("proc.cmdline")

# `proc.cmdline` of the parent.
proc_pcmdline = Text("proc.pcmdline")

# `proc.cmdline` of the ancestor of that level, or of any.
proc_acmdline = Many(Text, "proc.acmdline")

# `proc.args` of the ancestor of that level; without one, of the process itself.
proc_aargs = Text("proc.aargs")

# Number of arguments without the first.
proc_cmdnargs = Unsigned("proc.cmdnargs")

# Characters in the arguments without the first, blanks not counted.
proc_cmdlenargs = Unsigned("proc.cmdlenargs")

# `proc.exe` and the arguments.
proc_exeline = Text("proc.exeline")

# Environment as `NAME=value` separated by blanks; with a name, its value.
proc_env = Text("proc.env")

# `proc.env` of the ancestor of that level, or of any; with a name, its value in the nearest ancestor that has it.
proc_aenv = Many(Text, "proc.aenv")

# Current directory, ended by a slash.
proc_cwd = Text("proc.cwd")

# Process id of the oldest shell among the ancestors.
proc_loginshellid = Signed("proc.loginshellid")

# Device number of the controlling terminal, 0 if none.
proc_tty = Unsigned("proc.tty")

# Process id.
proc_pid = Signed("proc.pid")

# Process id of the parent.
proc_ppid = Signed("proc.ppid")

# Process id of the ancestor of that level, or of any.
proc_apid = Many(Signed, "proc.apid")

# Process id in the process's own pid namespace.
proc_vpid = Signed("proc.vpid")

# Parent's process id in its own pid namespace.
proc_pvpid = Signed("proc.pvpid")

# Session id, in the process's own pid namespace.
proc_sid = Signed("proc.sid")

# Name of the session's leader, or of the oldest ancestor in the session.
proc_sname = Text("proc.sname")

# `proc.exe` of the session's leader.
proc_sid_exe = Text("proc.sid.exe")

# `proc.exepath` of the session's leader.
proc_sid_exepath = Text("proc.sid.exepath")

# Process group, in the initial pid namespace.
proc_pgid = Signed("proc.pgid")

# Name of that group's leader.
proc_pgid_name = Text("proc.pgid.name")

# `proc.exe` of that group's leader.
proc_pgid_exe = Text("proc.pgid.exe")

# `proc.exepath` of that group's leader.
proc_pgid_exepath = Text("proc.pgid.exepath")

# Process group, in the process's own pid namespace.
proc_vpgid = Signed("proc.vpgid")

# Name of the process group's leader.
proc_vpgid_name = Text("proc.vpgid.name")

# `proc.exe` of the process group's leader.
proc_vpgid_exe = Text("proc.vpgid.exe")

# `proc.exepath` of the process group's leader.
proc_vpgid_exepath = Text("proc.vpgid.exepath")

# Nanoseconds since the process started. In a capture of processes that began since the file did: lists of processes do not say when.
proc_duration = Duration("proc.duration")

# Nanoseconds since the parent started.
proc_ppid_duration = Duration("proc.ppid.duration")

# When the process started, in nanoseconds since the epoch. In a capture as `proc.duration`.
proc_pid_ts = Duration("proc.pid.ts")

# When the parent started. In a capture as `proc.duration`.
proc_ppid_ts = Duration("proc.ppid.ts")

# Whether the process's user may write its executable.
proc_is_exe_writable = Boolean("proc.is_exe_writable")

# Whether the executable lies in an overlay's upper layer.
proc_is_exe_upper_layer = Boolean("proc.is_exe_upper_layer")

# Whether the executable lies in an overlay's lower layer.
proc_is_exe_lower_layer = Boolean("proc.is_exe_lower_layer")

# Whether the executable is an anonymous memory file.
proc_is_exe_from_memfd = Boolean("proc.is_exe_from_memfd")

# Whether the process leads its session.
proc_is_sid_leader = Boolean("proc.is_sid_leader")

# Whether the process leads its process group.
proc_is_vpgid_leader = Boolean("proc.is_vpgid_leader")

# Whether the process leads its group, as the initial pid namespace numbers it.
proc_is_pgid_leader = Boolean("proc.is_pgid_leader")

# Inode number of the executable.
proc_exe_ino = Signed("proc.exe_ino")

# When the executable's inode last changed.
proc_exe_ino_ctime = Time("proc.exe_ino.ctime")

# When the executable's content last changed.
proc_exe_ino_mtime = Time("proc.exe_ino.mtime")

# Nanoseconds from the last change of the executable's inode to the start of the process.
proc_exe_ino_ctime_duration_proc_start = Time("proc.exe_ino.ctime_duration_proc_start")

# Nanoseconds from the start of the pid namespace to the last change of the executable's inode, if it came later.
proc_exe_ino_ctime_duration_pidns_start = Time("proc.exe_ino.ctime_duration_pidns_start")

# When the first process of the pid namespace started, in nanoseconds since the epoch.
proc_pidns_init_start_ts = Unsigned("proc.pidns_init_start_ts")

# How many descriptors the process may have.
proc_fdlimit = Signed("proc.fdlimit")

# Virtual memory in kB, as of the last exec or fork.
proc_vmsize = Unsigned("proc.vmsize")

# Resident memory in kB, as of the last exec or fork.
proc_vmrss = Unsigned("proc.vmrss")

# Swapped memory in kB.
proc_vmswap = Unsigned("proc.vmswap")

# Number of threads of the process.
proc_nthreads = Unsigned("proc.nthreads")

# Number of threads beside the first.
proc_nchilds = Unsigned("proc.nchilds")

# Kind of descriptor 0.
proc_stdin_type = Text("proc.stdin.type")

# Kind of descriptor 1.
proc_stdout_type = Text("proc.stdout.type")

# Kind of descriptor 2.
proc_stderr_type = Text("proc.stderr.type")

# Name of descriptor 0.
proc_stdin_name = Text("proc.stdin.name")

# Name of descriptor 1.
proc_stdout_name = Text("proc.stdout.name")

# Name of descriptor 2.
proc_stderr_name = Text("proc.stderr.name")

# Number of descriptors that the process has.
proc_fdopencount = Unsigned("proc.fdopencount")

# Part of the allowed descriptors that are in use.
proc_fdusage = Real("proc.fdusage")

# Whether the process is the container's health check, or comes of it: what came into the container from outside by that very command.
proc_is_container_healthcheck = Boolean("proc.is_container_healthcheck")

# The same of the liveness probe.
proc_is_container_liveness_probe = Boolean("proc.is_container_liveness_probe")

# The same of the readiness probe.
proc_is_container_readiness_probe = Boolean("proc.is_container_readiness_probe")

# Permitted capabilities, names separated by blanks.
thread_cap_permitted = Text("thread.cap_permitted")

# Inheritable capabilities.
thread_cap_inheritable = Text("thread.cap_inheritable")

# Effective capabilities.
thread_cap_effective = Text("thread.cap_effective")

# All control groups as `controller=path`, separated by blanks.
thread_cgroups = Text("thread.cgroups")

# Path of the control group of the controller named.
thread_cgroup = WithArgument(Text, "thread.cgroup")

# Thread id.
thread_tid = Signed("thread.tid")

# Whether the thread is its process's first.
thread_ismain = Boolean("thread.ismain")

# Thread id in its own pid namespace.
thread_vtid = Signed("thread.vtid")

# Name of the process and thread id, written one behind the other.
thread_nametid = Text("thread.nametid")

# `proc.vmsize` for the first thread, 0 for others.
thread_vmsize = Unsigned("thread.vmsize")

# `proc.vmrss` for the first thread, 0 for others.
thread_vmrss = Unsigned("thread.vmrss")

# `thread.vmsize` in bytes.
thread_vmsize_b = Unsigned("thread.vmsize.b")

# `thread.vmrss` in bytes.
thread_vmrss_b = Unsigned("thread.vmrss.b")

# Major page faults since the start.
thread_pfmajor = Unsigned("thread.pfmajor")

# Minor page faults since the start.
thread_pfminor = Unsigned("thread.pfminor")

# Effective user id.
user_uid = Unsigned("user.uid")

# Name of that user.
user_name = Text("user.name")

# Home directory of that user.
user_homedir = Text("user.homedir")

# Login shell of that user.
user_shell = Text("user.shell")

# User id of the login this process descends from, -1 if none.
user_loginuid = Signed("user.loginuid")

# Name of that user.
user_loginname = Text("user.loginname")

# Effective group id.
group_gid = Unsigned("group.gid")

# Name of that group.
group_name = Text("group.name")

# First 12 characters of the container's id; `host` outside of containers.
container_id = Text("container.id")

# The container's whole id.
container_full_id = Text("container.full_id")

# Name of the container; `host` outside of containers.
container_name = Text("container.name")

# What runs the container, for example `docker`; `host` outside of containers.
container_type = Text("container.type")

# Name of the image as it was asked for.
container_image = Text("container.image")

# Id of the image.
container_image_id = Text("container.image.id")

# Repository of the image.
container_image_repository = Text("container.image.repository")

# Tag of the image.
container_image_tag = Text("container.image.tag")

# Digest of the image.
container_image_digest = Text("container.image.digest")

# Whether the container is privileged.
container_privileged = Boolean("container.privileged")

# All mounts of the container as `source:destination:mode:writable:propagation`, separated by commas.
container_mounts = Text("container.mounts")

# One mount: by number, or the first in whose source the regular expression is found.
container_mount = WithArgument(Text, "container.mount")

# Source of a mount: by number, or found by its destination.
container_mount_source = WithArgument(Text, "container.mount.source")

# Destination of a mount: by number, or found by its source.
container_mount_dest = WithArgument(Text, "container.mount.dest")

# Mode of a mount: by number, or found by its source.
container_mount_mode = WithArgument(Text, "container.mount.mode")

# Whether a mount is writable: by number, or found by its source.
container_mount_rdwr = WithArgument(Text, "container.mount.rdwr")

# Propagation of a mount: by number, or found by its source.
container_mount_propagation = WithArgument(Text, "container.mount.propagation")

# Command by which Docker or Podman asks whether the container is well; `NONE` where the image's was switched off.
container_healthcheck = Text("container.healthcheck")

# Command by which Kubernetes asks whether the container lives.
container_liveness_probe = Text("container.liveness_probe")

# Command by which Kubernetes asks whether the container can work.
container_readiness_probe = Text("container.readiness_probe")

# When the first process of the pid namespace started.
container_start_ts = Time("container.start_ts")

# Nanoseconds since then.
container_duration = Duration("container.duration")

# Address of the container.
container_ip = Text("container.ip")

# Network configuration of the container.
container_cni_json = Text("container.cni.json")

# Whether it shares the host's pid namespace.
container_host_pid = Boolean("container.host_pid")

# Whether it shares the host's network.
container_host_network = Boolean("container.host_network")

# Whether it shares the host's IPC namespace.
container_host_ipc = Boolean("container.host_ipc")

# All labels of the container as `name:value`, separated by commas, without those of Kubernetes itself.
container_labels = Text("container.labels")

# One label of the container.
container_label = WithArgument(Text, "container.label")

# Namespace of the pod.
k8s_ns_name = Text("k8s.ns.name")

# Name of the pod.
k8s_pod_name = Text("k8s.pod.name")

# The same as `k8s.pod.uid`, for older rules.
k8s_pod_id = Text("k8s.pod.id")

# Unique id of the pod.
k8s_pod_uid = Text("k8s.pod.uid")

# First 12 characters of the id of the pod's sandbox.
k8s_pod_sandbox_id = Text("k8s.pod.sandbox_id")

# Whole id of the pod's sandbox.
k8s_pod_full_sandbox_id = Text("k8s.pod.full_sandbox_id")

# One label of the pod.
k8s_pod_label = WithArgument(Text, "k8s.pod.label")

# All labels of the pod.
k8s_pod_labels = Text("k8s.pod.labels")

# Address of the pod.
k8s_pod_ip = Text("k8s.pod.ip")

# Network configuration of the pod.
k8s_pod_cni_json = Text("k8s.pod.cni.json")
