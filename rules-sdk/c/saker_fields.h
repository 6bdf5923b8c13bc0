/* The fields that rows may have. Made from Saker's catalogue: not to be edited. Texts, bytes
 * and addresses (of 4 or 16 bytes) are texts; times and spans are unsigned nanoseconds. */
#ifndef SAKER_FIELDS_H
#define SAKER_FIELDS_H

/* Number of the event, counted by Saker in the order of time. */
#define SAKER_NAME_evt_num "evt.num"
#define SAKER_KIND_evt_num unsigned

/* Time of day with nanoseconds, UTC. */
#define SAKER_NAME_evt_time "evt.time"
#define SAKER_KIND_evt_time text

/* Time of day in whole seconds, UTC. */
#define SAKER_NAME_evt_time_s "evt.time.s"
#define SAKER_KIND_evt_time_s text

/* Date and time with nanoseconds, UTC, as ISO 8601. */
#define SAKER_NAME_evt_time_iso8601 "evt.time.iso8601"
#define SAKER_KIND_evt_time_iso8601 text

/* Date and time with nanoseconds, UTC. */
#define SAKER_NAME_evt_datetime "evt.datetime"
#define SAKER_KIND_evt_datetime text

/* Date and time in whole seconds, UTC. */
#define SAKER_NAME_evt_datetime_s "evt.datetime.s"
#define SAKER_KIND_evt_datetime_s text

/* Time in nanoseconds since the epoch. */
#define SAKER_NAME_evt_rawtime "evt.rawtime"
#define SAKER_KIND_evt_rawtime unsigned

/* Whole seconds since the epoch. */
#define SAKER_NAME_evt_rawtime_s "evt.rawtime.s"
#define SAKER_KIND_evt_rawtime_s unsigned

/* Nanoseconds since the last whole second. */
#define SAKER_NAME_evt_rawtime_ns "evt.rawtime.ns"
#define SAKER_KIND_evt_rawtime_ns unsigned

/* Name of the event type, for example `openat`. */
#define SAKER_NAME_evt_type "evt.type"
#define SAKER_KIND_evt_type text

/* 1 for events of the type named, 0 for all others. */
#define SAKER_NAME_evt_type_is "evt.type.is"
#define SAKER_KIND_evt_type_is unsigned

/* Group of the event type, for example `file` or `net`. */
#define SAKER_NAME_evt_category "evt.category"
#define SAKER_KIND_evt_category text

/* CPU on which the event happened. */
#define SAKER_NAME_evt_cpu "evt.cpu"
#define SAKER_KIND_evt_cpu signed

/* Direction: `<`, but `>` for what is no call (`procexit`, `switch`, `signaldeliver`, `container` and so on). */
#define SAKER_NAME_evt_dir "evt.dir"
#define SAKER_KIND_evt_dir text

/* All parameters as `name=value`, separated by blanks. */
#define SAKER_NAME_evt_args "evt.args"
#define SAKER_KIND_evt_args text

/* The same as `evt.args`. */
#define SAKER_NAME_evt_info "evt.info"
#define SAKER_KIND_evt_info text

/* One parameter as text; flags are spelled out. */
#define SAKER_NAME_evt_arg "evt.arg"
#define SAKER_KIND_evt_arg text

/* One parameter as it was recorded, a number as a number. */
#define SAKER_NAME_evt_rawarg "evt.rawarg"
#define SAKER_KIND_evt_rawarg text

/* `SUCCESS` or the name of the error, for example `ENOENT`. */
#define SAKER_NAME_evt_res "evt.res"
#define SAKER_KIND_evt_res text

/* What the call returned; negative: minus the error number. */
#define SAKER_NAME_evt_rawres "evt.rawres"
#define SAKER_KIND_evt_rawres signed

/* Whether the call returned an error. */
#define SAKER_NAME_evt_failed "evt.failed"
#define SAKER_KIND_evt_failed boolean

/* Whether events of this type read or write a descriptor. */
#define SAKER_NAME_evt_is_io "evt.is_io"
#define SAKER_KIND_evt_is_io boolean

/* Whether events of this type read a descriptor. */
#define SAKER_NAME_evt_is_io_read "evt.is_io_read"
#define SAKER_KIND_evt_is_io_read boolean

/* Whether events of this type write a descriptor. */
#define SAKER_NAME_evt_is_io_write "evt.is_io_write"
#define SAKER_KIND_evt_is_io_write boolean

/* `read` or `write`, for events of types that do. */
#define SAKER_NAME_evt_io_dir "evt.io_dir"
#define SAKER_KIND_evt_io_dir text

/* Whether calls of this type wait for something, as `poll` does. */
#define SAKER_NAME_evt_is_wait "evt.is_wait"
#define SAKER_KIND_evt_is_wait boolean

/* Whether the event comes from outside of the stream of calls, which only captures have. */
#define SAKER_NAME_evt_is_async "evt.is_async"
#define SAKER_KIND_evt_is_async boolean

/* 1 for every event. */
#define SAKER_NAME_evt_count "evt.count"
#define SAKER_KIND_evt_count unsigned

/* 1 for every event but `procexit`. */
#define SAKER_NAME_evt_count_exit "evt.count.exit"
#define SAKER_KIND_evt_count_exit unsigned

/* 1 for calls that failed. */
#define SAKER_NAME_evt_count_error "evt.count.error"
#define SAKER_KIND_evt_count_error unsigned

/* 1 for calls on files that failed. */
#define SAKER_NAME_evt_count_error_file "evt.count.error.file"
#define SAKER_KIND_evt_count_error_file unsigned

/* 1 for calls on sockets that failed. */
#define SAKER_NAME_evt_count_error_net "evt.count.error.net"
#define SAKER_KIND_evt_count_error_net unsigned

/* 1 for calls of the category `memory` that failed. */
#define SAKER_NAME_evt_count_error_memory "evt.count.error.memory"
#define SAKER_KIND_evt_count_error_memory unsigned

/* 1 for the other calls that failed. */
#define SAKER_NAME_evt_count_error_other "evt.count.error.other"
#define SAKER_KIND_evt_count_error_other unsigned

/* Whether a file was opened for reading. */
#define SAKER_NAME_evt_is_open_read "evt.is_open_read"
#define SAKER_KIND_evt_is_open_read boolean

/* Whether a file was opened for writing. */
#define SAKER_NAME_evt_is_open_write "evt.is_open_write"
#define SAKER_KIND_evt_is_open_write boolean

/* Whether a file was created with an execute bit. */
#define SAKER_NAME_evt_is_open_exec "evt.is_open_exec"
#define SAKER_KIND_evt_is_open_exec boolean

/* Whether the call created the file it opened. */
#define SAKER_NAME_evt_is_open_create "evt.is_open_create"
#define SAKER_KIND_evt_is_open_create boolean

/* Path of a call that takes a directory as well, made absolute; `.src` and `.dst` choose where there are two. */
#define SAKER_NAME_evt_abspath "evt.abspath"
#define SAKER_KIND_evt_abspath text

/* Where events of this kind come from; `syscall`. */
#define SAKER_NAME_evt_source "evt.source"
#define SAKER_KIND_evt_source text

/* Name of the host. */
#define SAKER_NAME_evt_hostname "evt.hostname"
#define SAKER_KIND_evt_hostname text

/* Nanoseconds between call and return; always 0, since nothing is recorded at the call. */
#define SAKER_NAME_evt_latency "evt.latency"
#define SAKER_KIND_evt_latency unsigned

/* Whole seconds of that; 0. */
#define SAKER_NAME_evt_latency_s "evt.latency.s"
#define SAKER_KIND_evt_latency_s unsigned

/* The rest of that in nanoseconds; 0. */
#define SAKER_NAME_evt_latency_ns "evt.latency.ns"
#define SAKER_KIND_evt_latency_ns unsigned

/* Its logarithm, scaled to columns; 0. */
#define SAKER_NAME_evt_latency_quantized "evt.latency.quantized"
#define SAKER_KIND_evt_latency_quantized unsigned

/* That, with a unit; `0ns`. */
#define SAKER_NAME_evt_latency_human "evt.latency.human"
#define SAKER_KIND_evt_latency_human text

/* Nanoseconds since the event before, in a capture. */
#define SAKER_NAME_evt_deltatime "evt.deltatime"
#define SAKER_KIND_evt_deltatime unsigned

/* Whole seconds of that. */
#define SAKER_NAME_evt_deltatime_s "evt.deltatime.s"
#define SAKER_KIND_evt_deltatime_s unsigned

/* The rest of that in nanoseconds. */
#define SAKER_NAME_evt_deltatime_ns "evt.deltatime.ns"
#define SAKER_KIND_evt_deltatime_ns unsigned

/* Nanoseconds since the first event. */
#define SAKER_NAME_evt_reltime "evt.reltime"
#define SAKER_KIND_evt_reltime unsigned

/* Whole seconds of that. */
#define SAKER_NAME_evt_reltime_s "evt.reltime.s"
#define SAKER_KIND_evt_reltime_s unsigned

/* The rest of that in nanoseconds. */
#define SAKER_NAME_evt_reltime_ns "evt.reltime.ns"
#define SAKER_KIND_evt_reltime_ns unsigned

/* The same as `evt.time`. */
#define SAKER_NAME_evt_outputtime "evt.outputtime"
#define SAKER_KIND_evt_outputtime text

/* Bytes read or written, in a capture; at most 1021 are shown. */
#define SAKER_NAME_evt_buffer "evt.buffer"
#define SAKER_KIND_evt_buffer text

/* Number of bytes read or written, in a capture. */
#define SAKER_NAME_evt_buflen "evt.buflen"
#define SAKER_KIND_evt_buflen unsigned

/* Number of bytes read. */
#define SAKER_NAME_evt_buflen_in "evt.buflen.in"
#define SAKER_KIND_evt_buflen_in unsigned

/* Number of bytes written. */
#define SAKER_NAME_evt_buflen_out "evt.buflen.out"
#define SAKER_KIND_evt_buflen_out unsigned

/* Number of bytes read from or written to a file. */
#define SAKER_NAME_evt_buflen_file "evt.buflen.file"
#define SAKER_KIND_evt_buflen_file unsigned

/* Number of bytes read from a file. */
#define SAKER_NAME_evt_buflen_file_in "evt.buflen.file.in"
#define SAKER_KIND_evt_buflen_file_in unsigned

/* Number of bytes written to a file. */
#define SAKER_NAME_evt_buflen_file_out "evt.buflen.file.out"
#define SAKER_KIND_evt_buflen_file_out unsigned

/* Number of bytes received or sent. */
#define SAKER_NAME_evt_buflen_net "evt.buflen.net"
#define SAKER_KIND_evt_buflen_net unsigned

/* Number of bytes received. */
#define SAKER_NAME_evt_buflen_net_in "evt.buflen.net.in"
#define SAKER_KIND_evt_buflen_net_in unsigned

/* Number of bytes sent. */
#define SAKER_NAME_evt_buflen_net_out "evt.buflen.net.out"
#define SAKER_KIND_evt_buflen_net_out unsigned

/* Nanoseconds that a call waited; always 0. */
#define SAKER_NAME_evt_wait_latency "evt.wait_latency"
#define SAKER_KIND_evt_wait_latency unsigned

/* Whether the event writes to `/dev/log`. */
#define SAKER_NAME_evt_is_syslog "evt.is_syslog"
#define SAKER_KIND_evt_is_syslog boolean

/* 1 for accounting events of processes. */
#define SAKER_NAME_evt_count_procinfo "evt.count.procinfo"
#define SAKER_KIND_evt_count_procinfo unsigned

/* 1 for accounting events of threads. */
#define SAKER_NAME_evt_count_threadinfo "evt.count.threadinfo"
#define SAKER_KIND_evt_count_threadinfo unsigned

/* Whether the event is at most so many milliseconds from the time named, as `evt.around[T] = 10`. */
#define SAKER_NAME_evt_around "evt.around"
#define SAKER_KIND_evt_around unsigned

/* Name of an event of the Docker engine. */
#define SAKER_NAME_evt_infra_docker_name "evt.infra.docker.name"
#define SAKER_KIND_evt_infra_docker_name text

/* Container that such an event is about. */
#define SAKER_NAME_evt_infra_docker_container_id "evt.infra.docker.container.id"
#define SAKER_KIND_evt_infra_docker_container_id text

/* Name of that container. */
#define SAKER_NAME_evt_infra_docker_container_name "evt.infra.docker.container.name"
#define SAKER_KIND_evt_infra_docker_container_name text

/* Image of that container. */
#define SAKER_NAME_evt_infra_docker_container_image "evt.infra.docker.container.image"
#define SAKER_KIND_evt_infra_docker_container_image text

/* Kind of an asynchronous event. */
#define SAKER_NAME_evt_asynctype "evt.asynctype"
#define SAKER_KIND_evt_asynctype text

/* Name of the system call; absent for events that are none. */
#define SAKER_NAME_syscall_type "syscall.type"
#define SAKER_KIND_syscall_type text

/* Number of the descriptor the event is about. */
#define SAKER_NAME_fd_num "fd.num"
#define SAKER_KIND_fd_num signed

/* Thread id and number of the descriptor, written one behind the other. */
#define SAKER_NAME_fd_uid "fd.uid"
#define SAKER_KIND_fd_uid text

/* Kind of the descriptor, for example `file`, `ipv4` or `unix`. */
#define SAKER_NAME_fd_type "fd.type"
#define SAKER_KIND_fd_type text

/* Kinds of the descriptors that the process has; with a number, of that descriptor. */
#define SAKER_NAME_fd_types "fd.types"
#define SAKER_KIND_fd_types text

/* Kind of the descriptor as one character. */
#define SAKER_NAME_fd_typechar "fd.typechar"
#define SAKER_KIND_fd_typechar text

/* Path of the file, resolved by the kernel where it was opened, or the connection as `client->server`. */
#define SAKER_NAME_fd_name "fd.name"
#define SAKER_KIND_fd_name text

/* Directory of a file's path. */
#define SAKER_NAME_fd_directory "fd.directory"
#define SAKER_KIND_fd_directory text

/* Last part of a file's path. */
#define SAKER_NAME_fd_filename "fd.filename"
#define SAKER_KIND_fd_filename text

/* Path as the program gave it. In a capture of what was opened since the file began: lists of descriptors have one name. */
#define SAKER_NAME_fd_nameraw "fd.nameraw"
#define SAKER_KIND_fd_nameraw text

/* Client or server address. */
#define SAKER_NAME_fd_ip "fd.ip"
#define SAKER_KIND_fd_ip text

/* Client's address. */
#define SAKER_NAME_fd_cip "fd.cip"
#define SAKER_KIND_fd_cip text

/* Server's address. */
#define SAKER_NAME_fd_sip "fd.sip"
#define SAKER_KIND_fd_sip text

/* Local address. */
#define SAKER_NAME_fd_lip "fd.lip"
#define SAKER_KIND_fd_lip text

/* Remote address. */
#define SAKER_NAME_fd_rip "fd.rip"
#define SAKER_KIND_fd_rip text

/* Client or server port. */
#define SAKER_NAME_fd_port "fd.port"
#define SAKER_KIND_fd_port unsigned

/* Client's port. */
#define SAKER_NAME_fd_cport "fd.cport"
#define SAKER_KIND_fd_cport unsigned

/* Server's port. */
#define SAKER_NAME_fd_sport "fd.sport"
#define SAKER_KIND_fd_sport unsigned

/* Local port. */
#define SAKER_NAME_fd_lport "fd.lport"
#define SAKER_KIND_fd_lport unsigned

/* Remote port. */
#define SAKER_NAME_fd_rport "fd.rport"
#define SAKER_KIND_fd_rport unsigned

/* Network of the client or the server. */
#define SAKER_NAME_fd_net "fd.net"
#define SAKER_KIND_fd_net text

/* Network of the client. */
#define SAKER_NAME_fd_cnet "fd.cnet"
#define SAKER_KIND_fd_cnet text

/* Network of the server. */
#define SAKER_NAME_fd_snet "fd.snet"
#define SAKER_KIND_fd_snet text

/* Network of the local end. */
#define SAKER_NAME_fd_lnet "fd.lnet"
#define SAKER_KIND_fd_lnet text

/* Network of the remote end. */
#define SAKER_NAME_fd_rnet "fd.rnet"
#define SAKER_KIND_fd_rnet text

/* Transport protocol: `tcp`, `udp`, `icmp` or `raw`. */
#define SAKER_NAME_fd_l4proto "fd.l4proto"
#define SAKER_KIND_fd_l4proto text

/* Family of the socket: `ip` or `unix`. */
#define SAKER_NAME_fd_sockfamily "fd.sockfamily"
#define SAKER_KIND_fd_sockfamily text

/* Whether the process is the server of this connection. */
#define SAKER_NAME_fd_is_server "fd.is_server"
#define SAKER_KIND_fd_is_server boolean

/* Name of the service at the client's port. */
#define SAKER_NAME_fd_cproto "fd.cproto"
#define SAKER_KIND_fd_cproto text

/* Name of the service at the server's port. */
#define SAKER_NAME_fd_sproto "fd.sproto"
#define SAKER_KIND_fd_sproto text

/* Name of the service at the local port. */
#define SAKER_NAME_fd_lproto "fd.lproto"
#define SAKER_KIND_fd_lproto text

/* Name of the service at the remote port. */
#define SAKER_NAME_fd_rproto "fd.rproto"
#define SAKER_KIND_fd_rproto text

/* Whether the socket is connected. */
#define SAKER_NAME_fd_connected "fd.connected"
#define SAKER_KIND_fd_connected boolean

/* Whether the event changes what the descriptor is called. */
#define SAKER_NAME_fd_name_changed "fd.name_changed"
#define SAKER_KIND_fd_name_changed boolean

/* Device number of the file's file system. */
#define SAKER_NAME_fd_dev "fd.dev"
#define SAKER_KIND_fd_dev signed

/* Major part of that number. */
#define SAKER_NAME_fd_dev_major "fd.dev.major"
#define SAKER_KIND_fd_dev_major signed

/* Minor part of that number. */
#define SAKER_NAME_fd_dev_minor "fd.dev.minor"
#define SAKER_KIND_fd_dev_minor signed

/* Inode number of the file. */
#define SAKER_NAME_fd_ino "fd.ino"
#define SAKER_KIND_fd_ino signed

/* Whether the file lies in an overlay's upper layer. */
#define SAKER_NAME_fd_is_upper_layer "fd.is_upper_layer"
#define SAKER_KIND_fd_is_upper_layer boolean

/* Whether the file lies in an overlay's lower layer. */
#define SAKER_NAME_fd_is_lower_layer "fd.is_lower_layer"
#define SAKER_KIND_fd_is_lower_layer boolean

/* Id of the container, none for the host, and `fd.name`, a colon between. */
#define SAKER_NAME_fd_containername "fd.containername"
#define SAKER_KIND_fd_containername text

/* The same with `fd.directory`. */
#define SAKER_NAME_fd_containerdirectory "fd.containerdirectory"
#define SAKER_KIND_fd_containerdirectory text

/* The same as `fd.port`. */
#define SAKER_NAME_fd_proto "fd.proto"
#define SAKER_KIND_fd_proto unsigned

/* Numbers of the descriptors that a `poll` waits for. */
#define SAKER_NAME_fdlist_nums "fdlist.nums"
#define SAKER_KIND_fdlist_nums text

/* Names of those descriptors. */
#define SAKER_NAME_fdlist_names "fdlist.names"
#define SAKER_KIND_fdlist_names text

/* Clients' addresses of those descriptors. */
#define SAKER_NAME_fdlist_cips "fdlist.cips"
#define SAKER_KIND_fdlist_cips text

/* Servers' addresses of those descriptors. */
#define SAKER_NAME_fdlist_sips "fdlist.sips"
#define SAKER_KIND_fdlist_sips text

/* Clients' ports of those descriptors. */
#define SAKER_NAME_fdlist_cports "fdlist.cports"
#define SAKER_KIND_fdlist_cports text

/* Servers' ports of those descriptors. */
#define SAKER_NAME_fdlist_sports "fdlist.sports"
#define SAKER_KIND_fdlist_sports text

/* A counter: in an output of the alerts so far, in a condition of the events. */
#define SAKER_NAME_util_cnt "util.cnt"
#define SAKER_KIND_util_cnt unsigned

/* Path a file-system call works on, made absolute and normalised. */
#define SAKER_NAME_fs_path_name "fs.path.name"
#define SAKER_KIND_fs_path_name text

/* That path as the program gave it. */
#define SAKER_NAME_fs_path_nameraw "fs.path.nameraw"
#define SAKER_KIND_fs_path_nameraw text

/* Source path of a call that has two, made absolute and normalised. */
#define SAKER_NAME_fs_path_source "fs.path.source"
#define SAKER_KIND_fs_path_source text

/* Source path as the program gave it. */
#define SAKER_NAME_fs_path_sourceraw "fs.path.sourceraw"
#define SAKER_KIND_fs_path_sourceraw text

/* Target path of a call that has two, made absolute and normalised. */
#define SAKER_NAME_fs_path_target "fs.path.target"
#define SAKER_KIND_fs_path_target text

/* Target path as the program gave it. */
#define SAKER_NAME_fs_path_targetraw "fs.path.targetraw"
#define SAKER_KIND_fs_path_targetraw text

/* First argument of the program (`argv[0]`). */
#define SAKER_NAME_proc_exe "proc.exe"
#define SAKER_KIND_proc_exe text

/* `proc.exe` of the parent. */
#define SAKER_NAME_proc_pexe "proc.pexe"
#define SAKER_KIND_proc_pexe text

/* `proc.exe` of the ancestor of that level (1 = parent), or of any. */
#define SAKER_NAME_proc_aexe "proc.aexe"
#define SAKER_KIND_proc_aexe text

/* `proc.exe` of the ancestor of that level (1 = parent), or of any. */
#define SAKER_NAME_proc_aexe_all "proc.aexe"
#define SAKER_KIND_proc_aexe_all texts

/* Path of the executable file. */
#define SAKER_NAME_proc_exepath "proc.exepath"
#define SAKER_KIND_proc_exepath text

/* `proc.exepath` of the parent. */
#define SAKER_NAME_proc_pexepath "proc.pexepath"
#define SAKER_KIND_proc_pexepath text

/* `proc.exepath` of the ancestor of that level, or of any. */
#define SAKER_NAME_proc_aexepath "proc.aexepath"
#define SAKER_KIND_proc_aexepath text

/* `proc.exepath` of the ancestor of that level, or of any. */
#define SAKER_NAME_proc_aexepath_all "proc.aexepath"
#define SAKER_KIND_proc_aexepath_all texts

/* Name of the process (the kernel's `comm`). */
#define SAKER_NAME_proc_name "proc.name"
#define SAKER_KIND_proc_name text

/* Name of the parent. */
#define SAKER_NAME_proc_pname "proc.pname"
#define SAKER_KIND_proc_pname text

/* Name of the ancestor of that level, or of any. */
#define SAKER_NAME_proc_aname "proc.aname"
#define SAKER_KIND_proc_aname text

/* Name of the ancestor of that level, or of any. */
#define SAKER_NAME_proc_aname_all "proc.aname"
#define SAKER_KIND_proc_aname_all texts

/* Arguments without the first, separated by blanks; with a number, that one (0 is the first after `argv[0]`). */
#define SAKER_NAME_proc_args "proc.args"
#define SAKER_KIND_proc_args text

/* `proc.name` and the arguments. */
#define SAKER_NAME_proc_cmdline "proc.cmdline"
#define SAKER_KIND_proc_cmdline text

/* `proc.cmdline` of the parent. */
#define SAKER_NAME_proc_pcmdline "proc.pcmdline"
#define SAKER_KIND_proc_pcmdline text

/* `proc.cmdline` of the ancestor of that level, or of any. */
#define SAKER_NAME_proc_acmdline "proc.acmdline"
#define SAKER_KIND_proc_acmdline text

/* `proc.cmdline` of the ancestor of that level, or of any. */
#define SAKER_NAME_proc_acmdline_all "proc.acmdline"
#define SAKER_KIND_proc_acmdline_all texts

/* `proc.args` of the ancestor of that level; without one, of the process itself. */
#define SAKER_NAME_proc_aargs "proc.aargs"
#define SAKER_KIND_proc_aargs text

/* Number of arguments without the first. */
#define SAKER_NAME_proc_cmdnargs "proc.cmdnargs"
#define SAKER_KIND_proc_cmdnargs unsigned

/* Characters in the arguments without the first, blanks not counted. */
#define SAKER_NAME_proc_cmdlenargs "proc.cmdlenargs"
#define SAKER_KIND_proc_cmdlenargs unsigned

/* `proc.exe` and the arguments. */
#define SAKER_NAME_proc_exeline "proc.exeline"
#define SAKER_KIND_proc_exeline text

/* Environment as `NAME=value` separated by blanks; with a name, its value. */
#define SAKER_NAME_proc_env "proc.env"
#define SAKER_KIND_proc_env text

/* `proc.env` of the ancestor of that level, or of any; with a name, its value in the nearest ancestor that has it. */
#define SAKER_NAME_proc_aenv "proc.aenv"
#define SAKER_KIND_proc_aenv text

/* `proc.env` of the ancestor of that level, or of any; with a name, its value in the nearest ancestor that has it. */
#define SAKER_NAME_proc_aenv_all "proc.aenv"
#define SAKER_KIND_proc_aenv_all texts

/* Current directory, ended by a slash. */
#define SAKER_NAME_proc_cwd "proc.cwd"
#define SAKER_KIND_proc_cwd text

/* Process id of the oldest shell among the ancestors. */
#define SAKER_NAME_proc_loginshellid "proc.loginshellid"
#define SAKER_KIND_proc_loginshellid signed

/* Device number of the controlling terminal, 0 if none. */
#define SAKER_NAME_proc_tty "proc.tty"
#define SAKER_KIND_proc_tty unsigned

/* Process id. */
#define SAKER_NAME_proc_pid "proc.pid"
#define SAKER_KIND_proc_pid signed

/* Process id of the parent. */
#define SAKER_NAME_proc_ppid "proc.ppid"
#define SAKER_KIND_proc_ppid signed

/* Process id of the ancestor of that level, or of any. */
#define SAKER_NAME_proc_apid "proc.apid"
#define SAKER_KIND_proc_apid signed

/* Process id of the ancestor of that level, or of any. */
#define SAKER_NAME_proc_apid_all "proc.apid"
#define SAKER_KIND_proc_apid_all signeds

/* Process id in the process's own pid namespace. */
#define SAKER_NAME_proc_vpid "proc.vpid"
#define SAKER_KIND_proc_vpid signed

/* Parent's process id in its own pid namespace. */
#define SAKER_NAME_proc_pvpid "proc.pvpid"
#define SAKER_KIND_proc_pvpid signed

/* Session id, in the process's own pid namespace. */
#define SAKER_NAME_proc_sid "proc.sid"
#define SAKER_KIND_proc_sid signed

/* Name of the session's leader, or of the oldest ancestor in the session. */
#define SAKER_NAME_proc_sname "proc.sname"
#define SAKER_KIND_proc_sname text

/* `proc.exe` of the session's leader. */
#define SAKER_NAME_proc_sid_exe "proc.sid.exe"
#define SAKER_KIND_proc_sid_exe text

/* `proc.exepath` of the session's leader. */
#define SAKER_NAME_proc_sid_exepath "proc.sid.exepath"
#define SAKER_KIND_proc_sid_exepath text

/* Process group, in the initial pid namespace. */
#define SAKER_NAME_proc_pgid "proc.pgid"
#define SAKER_KIND_proc_pgid signed

/* Name of that group's leader. */
#define SAKER_NAME_proc_pgid_name "proc.pgid.name"
#define SAKER_KIND_proc_pgid_name text

/* `proc.exe` of that group's leader. */
#define SAKER_NAME_proc_pgid_exe "proc.pgid.exe"
#define SAKER_KIND_proc_pgid_exe text

/* `proc.exepath` of that group's leader. */
#define SAKER_NAME_proc_pgid_exepath "proc.pgid.exepath"
#define SAKER_KIND_proc_pgid_exepath text

/* Process group, in the process's own pid namespace. */
#define SAKER_NAME_proc_vpgid "proc.vpgid"
#define SAKER_KIND_proc_vpgid signed

/* Name of the process group's leader. */
#define SAKER_NAME_proc_vpgid_name "proc.vpgid.name"
#define SAKER_KIND_proc_vpgid_name text

/* `proc.exe` of the process group's leader. */
#define SAKER_NAME_proc_vpgid_exe "proc.vpgid.exe"
#define SAKER_KIND_proc_vpgid_exe text

/* `proc.exepath` of the process group's leader. */
#define SAKER_NAME_proc_vpgid_exepath "proc.vpgid.exepath"
#define SAKER_KIND_proc_vpgid_exepath text

/* Nanoseconds since the process started. In a capture of processes that began since the file did: lists of processes do not say when. */
#define SAKER_NAME_proc_duration "proc.duration"
#define SAKER_KIND_proc_duration unsigned

/* Nanoseconds since the parent started. */
#define SAKER_NAME_proc_ppid_duration "proc.ppid.duration"
#define SAKER_KIND_proc_ppid_duration unsigned

/* When the process started, in nanoseconds since the epoch. In a capture as `proc.duration`. */
#define SAKER_NAME_proc_pid_ts "proc.pid.ts"
#define SAKER_KIND_proc_pid_ts unsigned

/* When the parent started. In a capture as `proc.duration`. */
#define SAKER_NAME_proc_ppid_ts "proc.ppid.ts"
#define SAKER_KIND_proc_ppid_ts unsigned

/* Whether the process's user may write its executable. */
#define SAKER_NAME_proc_is_exe_writable "proc.is_exe_writable"
#define SAKER_KIND_proc_is_exe_writable boolean

/* Whether the executable lies in an overlay's upper layer. */
#define SAKER_NAME_proc_is_exe_upper_layer "proc.is_exe_upper_layer"
#define SAKER_KIND_proc_is_exe_upper_layer boolean

/* Whether the executable lies in an overlay's lower layer. */
#define SAKER_NAME_proc_is_exe_lower_layer "proc.is_exe_lower_layer"
#define SAKER_KIND_proc_is_exe_lower_layer boolean

/* Whether the executable is an anonymous memory file. */
#define SAKER_NAME_proc_is_exe_from_memfd "proc.is_exe_from_memfd"
#define SAKER_KIND_proc_is_exe_from_memfd boolean

/* Whether the process leads its session. */
#define SAKER_NAME_proc_is_sid_leader "proc.is_sid_leader"
#define SAKER_KIND_proc_is_sid_leader boolean

/* Whether the process leads its process group. */
#define SAKER_NAME_proc_is_vpgid_leader "proc.is_vpgid_leader"
#define SAKER_KIND_proc_is_vpgid_leader boolean

/* Whether the process leads its group, as the initial pid namespace numbers it. */
#define SAKER_NAME_proc_is_pgid_leader "proc.is_pgid_leader"
#define SAKER_KIND_proc_is_pgid_leader boolean

/* Inode number of the executable. */
#define SAKER_NAME_proc_exe_ino "proc.exe_ino"
#define SAKER_KIND_proc_exe_ino signed

/* When the executable's inode last changed. */
#define SAKER_NAME_proc_exe_ino_ctime "proc.exe_ino.ctime"
#define SAKER_KIND_proc_exe_ino_ctime unsigned

/* When the executable's content last changed. */
#define SAKER_NAME_proc_exe_ino_mtime "proc.exe_ino.mtime"
#define SAKER_KIND_proc_exe_ino_mtime unsigned

/* Nanoseconds from the last change of the executable's inode to the start of the process. */
#define SAKER_NAME_proc_exe_ino_ctime_duration_proc_start "proc.exe_ino.ctime_duration_proc_start"
#define SAKER_KIND_proc_exe_ino_ctime_duration_proc_start unsigned

/* Nanoseconds from the start of the pid namespace to the last change of the executable's inode, if it came later. */
#define SAKER_NAME_proc_exe_ino_ctime_duration_pidns_start "proc.exe_ino.ctime_duration_pidns_start"
#define SAKER_KIND_proc_exe_ino_ctime_duration_pidns_start unsigned

/* When the first process of the pid namespace started, in nanoseconds since the epoch. */
#define SAKER_NAME_proc_pidns_init_start_ts "proc.pidns_init_start_ts"
#define SAKER_KIND_proc_pidns_init_start_ts unsigned

/* How many descriptors the process may have. */
#define SAKER_NAME_proc_fdlimit "proc.fdlimit"
#define SAKER_KIND_proc_fdlimit signed

/* Virtual memory in kB, as of the last exec or fork. */
#define SAKER_NAME_proc_vmsize "proc.vmsize"
#define SAKER_KIND_proc_vmsize unsigned

/* Resident memory in kB, as of the last exec or fork. */
#define SAKER_NAME_proc_vmrss "proc.vmrss"
#define SAKER_KIND_proc_vmrss unsigned

/* Swapped memory in kB. */
#define SAKER_NAME_proc_vmswap "proc.vmswap"
#define SAKER_KIND_proc_vmswap unsigned

/* Number of threads of the process. */
#define SAKER_NAME_proc_nthreads "proc.nthreads"
#define SAKER_KIND_proc_nthreads unsigned

/* Number of threads beside the first. */
#define SAKER_NAME_proc_nchilds "proc.nchilds"
#define SAKER_KIND_proc_nchilds unsigned

/* Kind of descriptor 0. */
#define SAKER_NAME_proc_stdin_type "proc.stdin.type"
#define SAKER_KIND_proc_stdin_type text

/* Kind of descriptor 1. */
#define SAKER_NAME_proc_stdout_type "proc.stdout.type"
#define SAKER_KIND_proc_stdout_type text

/* Kind of descriptor 2. */
#define SAKER_NAME_proc_stderr_type "proc.stderr.type"
#define SAKER_KIND_proc_stderr_type text

/* Name of descriptor 0. */
#define SAKER_NAME_proc_stdin_name "proc.stdin.name"
#define SAKER_KIND_proc_stdin_name text

/* Name of descriptor 1. */
#define SAKER_NAME_proc_stdout_name "proc.stdout.name"
#define SAKER_KIND_proc_stdout_name text

/* Name of descriptor 2. */
#define SAKER_NAME_proc_stderr_name "proc.stderr.name"
#define SAKER_KIND_proc_stderr_name text

/* Number of descriptors that the process has. */
#define SAKER_NAME_proc_fdopencount "proc.fdopencount"
#define SAKER_KIND_proc_fdopencount unsigned

/* Part of the allowed descriptors that are in use. */
#define SAKER_NAME_proc_fdusage "proc.fdusage"
#define SAKER_KIND_proc_fdusage real

/* Whether the process is the container's health check, or comes of it: what came into the container from outside by that very command. */
#define SAKER_NAME_proc_is_container_healthcheck "proc.is_container_healthcheck"
#define SAKER_KIND_proc_is_container_healthcheck boolean

/* The same of the liveness probe. */
#define SAKER_NAME_proc_is_container_liveness_probe "proc.is_container_liveness_probe"
#define SAKER_KIND_proc_is_container_liveness_probe boolean

/* The same of the readiness probe. */
#define SAKER_NAME_proc_is_container_readiness_probe "proc.is_container_readiness_probe"
#define SAKER_KIND_proc_is_container_readiness_probe boolean

/* Permitted capabilities, names separated by blanks. */
#define SAKER_NAME_thread_cap_permitted "thread.cap_permitted"
#define SAKER_KIND_thread_cap_permitted text

/* Inheritable capabilities. */
#define SAKER_NAME_thread_cap_inheritable "thread.cap_inheritable"
#define SAKER_KIND_thread_cap_inheritable text

/* Effective capabilities. */
#define SAKER_NAME_thread_cap_effective "thread.cap_effective"
#define SAKER_KIND_thread_cap_effective text

/* All control groups as `controller=path`, separated by blanks. */
#define SAKER_NAME_thread_cgroups "thread.cgroups"
#define SAKER_KIND_thread_cgroups text

/* Path of the control group of the controller named. */
#define SAKER_NAME_thread_cgroup "thread.cgroup"
#define SAKER_KIND_thread_cgroup text

/* Thread id. */
#define SAKER_NAME_thread_tid "thread.tid"
#define SAKER_KIND_thread_tid signed

/* Whether the thread is its process's first. */
#define SAKER_NAME_thread_ismain "thread.ismain"
#define SAKER_KIND_thread_ismain boolean

/* Thread id in its own pid namespace. */
#define SAKER_NAME_thread_vtid "thread.vtid"
#define SAKER_KIND_thread_vtid signed

/* Name of the process and thread id, written one behind the other. */
#define SAKER_NAME_thread_nametid "thread.nametid"
#define SAKER_KIND_thread_nametid text

/* `proc.vmsize` for the first thread, 0 for others. */
#define SAKER_NAME_thread_vmsize "thread.vmsize"
#define SAKER_KIND_thread_vmsize unsigned

/* `proc.vmrss` for the first thread, 0 for others. */
#define SAKER_NAME_thread_vmrss "thread.vmrss"
#define SAKER_KIND_thread_vmrss unsigned

/* `thread.vmsize` in bytes. */
#define SAKER_NAME_thread_vmsize_b "thread.vmsize.b"
#define SAKER_KIND_thread_vmsize_b unsigned

/* `thread.vmrss` in bytes. */
#define SAKER_NAME_thread_vmrss_b "thread.vmrss.b"
#define SAKER_KIND_thread_vmrss_b unsigned

/* Major page faults since the start. */
#define SAKER_NAME_thread_pfmajor "thread.pfmajor"
#define SAKER_KIND_thread_pfmajor unsigned

/* Minor page faults since the start. */
#define SAKER_NAME_thread_pfminor "thread.pfminor"
#define SAKER_KIND_thread_pfminor unsigned

/* Effective user id. */
#define SAKER_NAME_user_uid "user.uid"
#define SAKER_KIND_user_uid unsigned

/* Name of that user. */
#define SAKER_NAME_user_name "user.name"
#define SAKER_KIND_user_name text

/* Home directory of that user. */
#define SAKER_NAME_user_homedir "user.homedir"
#define SAKER_KIND_user_homedir text

/* Login shell of that user. */
#define SAKER_NAME_user_shell "user.shell"
#define SAKER_KIND_user_shell text

/* User id of the login this process descends from, -1 if none. */
#define SAKER_NAME_user_loginuid "user.loginuid"
#define SAKER_KIND_user_loginuid signed

/* Name of that user. */
#define SAKER_NAME_user_loginname "user.loginname"
#define SAKER_KIND_user_loginname text

/* Effective group id. */
#define SAKER_NAME_group_gid "group.gid"
#define SAKER_KIND_group_gid unsigned

/* Name of that group. */
#define SAKER_NAME_group_name "group.name"
#define SAKER_KIND_group_name text

/* First 12 characters of the container's id; `host` outside of containers. */
#define SAKER_NAME_container_id "container.id"
#define SAKER_KIND_container_id text

/* The container's whole id. */
#define SAKER_NAME_container_full_id "container.full_id"
#define SAKER_KIND_container_full_id text

/* Name of the container; `host` outside of containers. */
#define SAKER_NAME_container_name "container.name"
#define SAKER_KIND_container_name text

/* What runs the container, for example `docker`; `host` outside of containers. */
#define SAKER_NAME_container_type "container.type"
#define SAKER_KIND_container_type text

/* Name of the image as it was asked for. */
#define SAKER_NAME_container_image "container.image"
#define SAKER_KIND_container_image text

/* Id of the image. */
#define SAKER_NAME_container_image_id "container.image.id"
#define SAKER_KIND_container_image_id text

/* Repository of the image. */
#define SAKER_NAME_container_image_repository "container.image.repository"
#define SAKER_KIND_container_image_repository text

/* Tag of the image. */
#define SAKER_NAME_container_image_tag "container.image.tag"
#define SAKER_KIND_container_image_tag text

/* Digest of the image. */
#define SAKER_NAME_container_image_digest "container.image.digest"
#define SAKER_KIND_container_image_digest text

/* Whether the container is privileged. */
#define SAKER_NAME_container_privileged "container.privileged"
#define SAKER_KIND_container_privileged boolean

/* All mounts of the container as `source:destination:mode:writable:propagation`, separated by commas. */
#define SAKER_NAME_container_mounts "container.mounts"
#define SAKER_KIND_container_mounts text

/* One mount: by number, or the first in whose source the regular expression is found. */
#define SAKER_NAME_container_mount "container.mount"
#define SAKER_KIND_container_mount text

/* Source of a mount: by number, or found by its destination. */
#define SAKER_NAME_container_mount_source "container.mount.source"
#define SAKER_KIND_container_mount_source text

/* Destination of a mount: by number, or found by its source. */
#define SAKER_NAME_container_mount_dest "container.mount.dest"
#define SAKER_KIND_container_mount_dest text

/* Mode of a mount: by number, or found by its source. */
#define SAKER_NAME_container_mount_mode "container.mount.mode"
#define SAKER_KIND_container_mount_mode text

/* Whether a mount is writable: by number, or found by its source. */
#define SAKER_NAME_container_mount_rdwr "container.mount.rdwr"
#define SAKER_KIND_container_mount_rdwr text

/* Propagation of a mount: by number, or found by its source. */
#define SAKER_NAME_container_mount_propagation "container.mount.propagation"
#define SAKER_KIND_container_mount_propagation text

/* Command by which Docker or Podman asks whether the container is well; `NONE` where the image's was switched off. */
#define SAKER_NAME_container_healthcheck "container.healthcheck"
#define SAKER_KIND_container_healthcheck text

/* Command by which Kubernetes asks whether the container lives. */
#define SAKER_NAME_container_liveness_probe "container.liveness_probe"
#define SAKER_KIND_container_liveness_probe text

/* Command by which Kubernetes asks whether the container can work. */
#define SAKER_NAME_container_readiness_probe "container.readiness_probe"
#define SAKER_KIND_container_readiness_probe text

/* When the first process of the pid namespace started. */
#define SAKER_NAME_container_start_ts "container.start_ts"
#define SAKER_KIND_container_start_ts unsigned

/* Nanoseconds since then. */
#define SAKER_NAME_container_duration "container.duration"
#define SAKER_KIND_container_duration unsigned

/* Address of the container. */
#define SAKER_NAME_container_ip "container.ip"
#define SAKER_KIND_container_ip text

/* Network configuration of the container. */
#define SAKER_NAME_container_cni_json "container.cni.json"
#define SAKER_KIND_container_cni_json text

/* Whether it shares the host's pid namespace. */
#define SAKER_NAME_container_host_pid "container.host_pid"
#define SAKER_KIND_container_host_pid boolean

/* Whether it shares the host's network. */
#define SAKER_NAME_container_host_network "container.host_network"
#define SAKER_KIND_container_host_network boolean

/* Whether it shares the host's IPC namespace. */
#define SAKER_NAME_container_host_ipc "container.host_ipc"
#define SAKER_KIND_container_host_ipc boolean

/* All labels of the container as `name:value`, separated by commas, without those of Kubernetes itself. */
#define SAKER_NAME_container_labels "container.labels"
#define SAKER_KIND_container_labels text

/* One label of the container. */
#define SAKER_NAME_container_label "container.label"
#define SAKER_KIND_container_label text

/* Namespace of the pod. */
#define SAKER_NAME_k8s_ns_name "k8s.ns.name"
#define SAKER_KIND_k8s_ns_name text

/* Name of the pod. */
#define SAKER_NAME_k8s_pod_name "k8s.pod.name"
#define SAKER_KIND_k8s_pod_name text

/* The same as `k8s.pod.uid`, for older rules. */
#define SAKER_NAME_k8s_pod_id "k8s.pod.id"
#define SAKER_KIND_k8s_pod_id text

/* Unique id of the pod. */
#define SAKER_NAME_k8s_pod_uid "k8s.pod.uid"
#define SAKER_KIND_k8s_pod_uid text

/* First 12 characters of the id of the pod's sandbox. */
#define SAKER_NAME_k8s_pod_sandbox_id "k8s.pod.sandbox_id"
#define SAKER_KIND_k8s_pod_sandbox_id text

/* Whole id of the pod's sandbox. */
#define SAKER_NAME_k8s_pod_full_sandbox_id "k8s.pod.full_sandbox_id"
#define SAKER_KIND_k8s_pod_full_sandbox_id text

/* One label of the pod. */
#define SAKER_NAME_k8s_pod_label "k8s.pod.label"
#define SAKER_KIND_k8s_pod_label text

/* All labels of the pod. */
#define SAKER_NAME_k8s_pod_labels "k8s.pod.labels"
#define SAKER_KIND_k8s_pod_labels text

/* Address of the pod. */
#define SAKER_NAME_k8s_pod_ip "k8s.pod.ip"
#define SAKER_KIND_k8s_pod_ip text

/* Network configuration of the pod. */
#define SAKER_NAME_k8s_pod_cni_json "k8s.pod.cni.json"
#define SAKER_KIND_k8s_pod_cni_json text

#endif
