// The types of fields.js. Made from Saker's catalogue: not to be edited.

import type { Field, Many, WithArgument } from "./row.js";

/** Number of the event, counted by Saker in the order of time. */
export const evt_num: Field<bigint>;

/** Time of day with nanoseconds, UTC. */
export const evt_time: Field<string>;

/** Time of day in whole seconds, UTC. */
export const evt_time_s: Field<string>;

/** Date and time with nanoseconds, UTC, as ISO 8601. */
export const evt_time_iso8601: Field<string>;

/** Date and time with nanoseconds, UTC. */
export const evt_datetime: Field<string>;

/** Date and time in whole seconds, UTC. */
export const evt_datetime_s: Field<string>;

/** Time in nanoseconds since the epoch. */
export const evt_rawtime: Field<bigint>;

/** Whole seconds since the epoch. */
export const evt_rawtime_s: Field<bigint>;

/** Nanoseconds since the last whole second. */
export const evt_rawtime_ns: Field<bigint>;

/** Name of the event type, for example `openat`. */
export const evt_type: Field<string>;

/** 1 for events of the type named, 0 for all others. */
export const evt_type_is: WithArgument<bigint>;

/** Group of the event type, for example `file` or `net`. */
export const evt_category: Field<string>;

/** CPU on which the event happened. */
export const evt_cpu: Field<bigint>;

/** Direction: `<`, but `>` for what is no call (`procexit`, `switch`, `signaldeliver`, `container` and so on). */
export const evt_dir: Field<string>;

/** All parameters as `name=value`, separated by blanks. */
export const evt_args: Field<string>;

/** The same as `evt.args`. */
export const evt_info: Field<string>;

/** One parameter as text; flags are spelled out. */
export const evt_arg: WithArgument<string>;

/** One parameter as it was recorded, a number as a number. */
export const evt_rawarg: WithArgument<string>;

/** `SUCCESS` or the name of the error, for example `ENOENT`. */
export const evt_res: Field<string>;

/** What the call returned; negative: minus the error number. */
export const evt_rawres: Field<bigint>;

/** Whether the call returned an error. */
export const evt_failed: Field<boolean>;

/** Whether events of this type read or write a descriptor. */
export const evt_is_io: Field<boolean>;

/** Whether events of this type read a descriptor. */
export const evt_is_io_read: Field<boolean>;

/** Whether events of this type write a descriptor. */
export const evt_is_io_write: Field<boolean>;

/** `read` or `write`, for events of types that do. */
export const evt_io_dir: Field<string>;

/** Whether calls of this type wait for something, as `poll` does. */
export const evt_is_wait: Field<boolean>;

/** Whether the event comes from outside of the stream of calls, which only captures have. */
export const evt_is_async: Field<boolean>;

/** 1 for every event. */
export const evt_count: Field<bigint>;

/** 1 for every event but `procexit`. */
export const evt_count_exit: Field<bigint>;

/** 1 for calls that failed. */
export const evt_count_error: Field<bigint>;

/** 1 for calls on files that failed. */
export const evt_count_error_file: Field<bigint>;

/** 1 for calls on sockets that failed. */
export const evt_count_error_net: Field<bigint>;

/** 1 for calls of the category `memory` that failed. */
export const evt_count_error_memory: Field<bigint>;

/** 1 for the other calls that failed. */
export const evt_count_error_other: Field<bigint>;

/** Whether a file was opened for reading. */
export const evt_is_open_read: Field<boolean>;

/** Whether a file was opened for writing. */
export const evt_is_open_write: Field<boolean>;

/** Whether a file was created with an execute bit. */
export const evt_is_open_exec: Field<boolean>;

/** Whether the call created the file it opened. */
export const evt_is_open_create: Field<boolean>;

/** Path of a call that takes a directory as well, made absolute; `.src` and `.dst` choose where there are two. */
export const evt_abspath: Field<string>;

/** Where events of this kind come from; `syscall`. */
export const evt_source: Field<string>;

/** Name of the host. */
export const evt_hostname: Field<string>;

/** Nanoseconds between call and return; always 0, since nothing is recorded at the call. */
export const evt_latency: Field<bigint>;

/** Whole seconds of that; 0. */
export const evt_latency_s: Field<bigint>;

/** The rest of that in nanoseconds; 0. */
export const evt_latency_ns: Field<bigint>;

/** Its logarithm, scaled to columns; 0. */
export const evt_latency_quantized: Field<bigint>;

/** That, with a unit; `0ns`. */
export const evt_latency_human: Field<string>;

/** Nanoseconds since the event before, in a capture. */
export const evt_deltatime: Field<bigint>;

/** Whole seconds of that. */
export const evt_deltatime_s: Field<bigint>;

/** The rest of that in nanoseconds. */
export const evt_deltatime_ns: Field<bigint>;

/** Nanoseconds since the first event. */
export const evt_reltime: Field<bigint>;

/** Whole seconds of that. */
export const evt_reltime_s: Field<bigint>;

/** The rest of that in nanoseconds. */
export const evt_reltime_ns: Field<bigint>;

/** The same as `evt.time`. */
export const evt_outputtime: Field<string>;

/** Bytes read or written, in a capture; at most 1021 are shown. */
export const evt_buffer: Field<Uint8Array>;

/** Number of bytes read or written, in a capture. */
export const evt_buflen: Field<bigint>;

/** Number of bytes read. */
export const evt_buflen_in: Field<bigint>;

/** Number of bytes written. */
export const evt_buflen_out: Field<bigint>;

/** Number of bytes read from or written to a file. */
export const evt_buflen_file: Field<bigint>;

/** Number of bytes read from a file. */
export const evt_buflen_file_in: Field<bigint>;

/** Number of bytes written to a file. */
export const evt_buflen_file_out: Field<bigint>;

/** Number of bytes received or sent. */
export const evt_buflen_net: Field<bigint>;

/** Number of bytes received. */
export const evt_buflen_net_in: Field<bigint>;

/** Number of bytes sent. */
export const evt_buflen_net_out: Field<bigint>;

/** Nanoseconds that a call waited; always 0. */
export const evt_wait_latency: Field<bigint>;

/** Whether the event writes to `/dev/log`. */
export const evt_is_syslog: Field<boolean>;

/** 1 for accounting events of processes. */
export const evt_count_procinfo: Field<bigint>;

/** 1 for accounting events of threads. */
export const evt_count_threadinfo: Field<bigint>;

/** Whether the event is at most so many milliseconds from the time named, as `evt.around[T] = 10`. */
export const evt_around: WithArgument<bigint>;

/** Name of an event of the Docker engine. */
export const evt_infra_docker_name: Field<string>;

/** Container that such an event is about. */
export const evt_infra_docker_container_id: Field<string>;

/** Name of that container. */
export const evt_infra_docker_container_name: Field<string>;

/** Image of that container. */
export const evt_infra_docker_container_image: Field<string>;

/** Kind of an asynchronous event. */
export const evt_asynctype: Field<string>;

/** Name of the system call; absent for events that are none. */
export const syscall_type: Field<string>;

/** Number of the descriptor the event is about. */
export const fd_num: Field<bigint>;

/** Thread id and number of the descriptor, written one behind the other. */
export const fd_uid: Field<string>;

/** Kind of the descriptor, for example `file`, `ipv4` or `unix`. */
export const fd_type: Field<string>;

/** Kinds of the descriptors that the process has; with a number, of that descriptor. */
export const fd_types: Field<string>;

/** Kind of the descriptor as one character. */
export const fd_typechar: Field<string>;

/** Path of the file, resolved by the kernel where it was opened, or the connection as `client->server`. */
export const fd_name: Field<string>;

/** Directory of a file's path. */
export const fd_directory: Field<string>;

/** Last part of a file's path. */
export const fd_filename: Field<string>;

/** Path as the program gave it. In a capture of what was opened since the file began: lists of descriptors have one name. */
export const fd_nameraw: Field<string>;

/** Client or server address. */
export const fd_ip: Field<string>;

/** Client's address. */
export const fd_cip: Field<string>;

/** Server's address. */
export const fd_sip: Field<string>;

/** Local address. */
export const fd_lip: Field<string>;

/** Remote address. */
export const fd_rip: Field<string>;

/** Client or server port. */
export const fd_port: Field<bigint>;

/** Client's port. */
export const fd_cport: Field<bigint>;

/** Server's port. */
export const fd_sport: Field<bigint>;

/** Local port. */
export const fd_lport: Field<bigint>;

/** Remote port. */
export const fd_rport: Field<bigint>;

/** Network of the client or the server. */
export const fd_net: Field<string>;

/** Network of the client. */
export const fd_cnet: Field<string>;

/** Network of the server. */
export const fd_snet: Field<string>;

/** Network of the local end. */
export const fd_lnet: Field<string>;

/** Network of the remote end. */
export const fd_rnet: Field<string>;

/** Transport protocol: `tcp`, `udp`, `icmp` or `raw`. */
export const fd_l4proto: Field<string>;

/** Family of the socket: `ip` or `unix`. */
export const fd_sockfamily: Field<string>;

/** Whether the process is the server of this connection. */
export const fd_is_server: Field<boolean>;

/** Name of the service at the client's port. */
export const fd_cproto: Field<string>;

/** Name of the service at the server's port. */
export const fd_sproto: Field<string>;

/** Name of the service at the local port. */
export const fd_lproto: Field<string>;

/** Name of the service at the remote port. */
export const fd_rproto: Field<string>;

/** Whether the socket is connected. */
export const fd_connected: Field<boolean>;

/** Whether the event changes what the descriptor is called. */
export const fd_name_changed: Field<boolean>;

/** Device number of the file's file system. */
export const fd_dev: Field<bigint>;

/** Major part of that number. */
export const fd_dev_major: Field<bigint>;

/** Minor part of that number. */
export const fd_dev_minor: Field<bigint>;

/** Inode number of the file. */
export const fd_ino: Field<bigint>;

/** Whether the file lies in an overlay's upper layer. */
export const fd_is_upper_layer: Field<boolean>;

/** Whether the file lies in an overlay's lower layer. */
export const fd_is_lower_layer: Field<boolean>;

/** Id of the container, none for the host, and `fd.name`, a colon between. */
export const fd_containername: Field<string>;

/** The same with `fd.directory`. */
export const fd_containerdirectory: Field<string>;

/** The same as `fd.port`. */
export const fd_proto: Field<bigint>;

/** Numbers of the descriptors that a `poll` waits for. */
export const fdlist_nums: Field<string>;

/** Names of those descriptors. */
export const fdlist_names: Field<string>;

/** Clients' addresses of those descriptors. */
export const fdlist_cips: Field<string>;

/** Servers' addresses of those descriptors. */
export const fdlist_sips: Field<string>;

/** Clients' ports of those descriptors. */
export const fdlist_cports: Field<string>;

/** Servers' ports of those descriptors. */
export const fdlist_sports: Field<string>;

/** A counter: in an output of the alerts so far, in a condition of the events. */
export const util_cnt: Field<bigint>;

/** Path a file-system call works on, made absolute and normalised. */
export const fs_path_name: Field<string>;

/** That path as the program gave it. */
export const fs_path_nameraw: Field<string>;

/** Source path of a call that has two, made absolute and normalised. */
export const fs_path_source: Field<string>;

/** Source path as the program gave it. */
export const fs_path_sourceraw: Field<string>;

/** Target path of a call that has two, made absolute and normalised. */
export const fs_path_target: Field<string>;

/** Target path as the program gave it. */
export const fs_path_targetraw: Field<string>;

/** First argument of the program (`argv[0]`). */
export const proc_exe: Field<string>;

/** `proc.exe` of the parent. */
export const proc_pexe: Field<string>;

/** `proc.exe` of the ancestor of that level (1 = parent), or of any. */
export const proc_aexe: Many<string>;

/** Path of the executable file. */
export const proc_exepath: Field<string>;

/** `proc.exepath` of the parent. */
export const proc_pexepath: Field<string>;

/** `proc.exepath` of the ancestor of that level, or of any. */
export const proc_aexepath: Many<string>;

/** Name of the process (the kernel's `comm`). */
export const proc_name: Field<string>;

/** Name of the parent. */
export const proc_pname: Field<string>;

/** Name of the ancestor of that level, or of any. */
export const proc_aname: Many<string>;

/** Arguments without the first, separated by blanks; with a number, that one (0 is the first after `argv[0]`). */
export const proc_args: Field<string>;

/** `proc.name` and the arguments. */
export const proc_cmdline: Field<string>;

/** `proc.cmdline` of the parent. */
export const proc_pcmdline: Field<string>;

/** `proc.cmdline` of the ancestor of that level, or of any. */
export const proc_acmdline: Many<string>;

/** `proc.args` of the ancestor of that level; without one, of the process itself. */
export const proc_aargs: Field<string>;

/** Number of arguments without the first. */
export const proc_cmdnargs: Field<bigint>;

/** Characters in the arguments without the first, blanks not counted. */
export const proc_cmdlenargs: Field<bigint>;

/** `proc.exe` and the arguments. */
export const proc_exeline: Field<string>;

/** Environment as `NAME=value` separated by blanks; with a name, its value. */
export const proc_env: Field<string>;

/** `proc.env` of the ancestor of that level, or of any; with a name, its value in the nearest ancestor that has it. */
export const proc_aenv: Many<string>;

/** Current directory, ended by a slash. */
export const proc_cwd: Field<string>;

/** Process id of the oldest shell among the ancestors. */
export const proc_loginshellid: Field<bigint>;

/** Device number of the controlling terminal, 0 if none. */
export const proc_tty: Field<bigint>;

/** Process id. */
export const proc_pid: Field<bigint>;

/** Process id of the parent. */
export const proc_ppid: Field<bigint>;

/** Process id of the ancestor of that level, or of any. */
export const proc_apid: Many<bigint>;

/** Process id in the process's own pid namespace. */
export const proc_vpid: Field<bigint>;

/** Parent's process id in its own pid namespace. */
export const proc_pvpid: Field<bigint>;

/** Session id, in the process's own pid namespace. */
export const proc_sid: Field<bigint>;

/** Name of the session's leader, or of the oldest ancestor in the session. */
export const proc_sname: Field<string>;

/** `proc.exe` of the session's leader. */
export const proc_sid_exe: Field<string>;

/** `proc.exepath` of the session's leader. */
export const proc_sid_exepath: Field<string>;

/** Process group, in the initial pid namespace. */
export const proc_pgid: Field<bigint>;

/** Name of that group's leader. */
export const proc_pgid_name: Field<string>;

/** `proc.exe` of that group's leader. */
export const proc_pgid_exe: Field<string>;

/** `proc.exepath` of that group's leader. */
export const proc_pgid_exepath: Field<string>;

/** Process group, in the process's own pid namespace. */
export const proc_vpgid: Field<bigint>;

/** Name of the process group's leader. */
export const proc_vpgid_name: Field<string>;

/** `proc.exe` of the process group's leader. */
export const proc_vpgid_exe: Field<string>;

/** `proc.exepath` of the process group's leader. */
export const proc_vpgid_exepath: Field<string>;

/** Nanoseconds since the process started. In a capture of processes that began since the file did: lists of processes do not say when. */
export const proc_duration: Field<bigint>;

/** Nanoseconds since the parent started. */
export const proc_ppid_duration: Field<bigint>;

/** When the process started, in nanoseconds since the epoch. In a capture as `proc.duration`. */
export const proc_pid_ts: Field<bigint>;

/** When the parent started. In a capture as `proc.duration`. */
export const proc_ppid_ts: Field<bigint>;

/** Whether the process's user may write its executable. */
export const proc_is_exe_writable: Field<boolean>;

/** Whether the executable lies in an overlay's upper layer. */
export const proc_is_exe_upper_layer: Field<boolean>;

/** Whether the executable lies in an overlay's lower layer. */
export const proc_is_exe_lower_layer: Field<boolean>;

/** Whether the executable is an anonymous memory file. */
export const proc_is_exe_from_memfd: Field<boolean>;

/** Whether the process leads its session. */
export const proc_is_sid_leader: Field<boolean>;

/** Whether the process leads its process group. */
export const proc_is_vpgid_leader: Field<boolean>;

/** Whether the process leads its group, as the initial pid namespace numbers it. */
export const proc_is_pgid_leader: Field<boolean>;

/** Inode number of the executable. */
export const proc_exe_ino: Field<bigint>;

/** When the executable's inode last changed. */
export const proc_exe_ino_ctime: Field<bigint>;

/** When the executable's content last changed. */
export const proc_exe_ino_mtime: Field<bigint>;

/** Nanoseconds from the last change of the executable's inode to the start of the process. */
export const proc_exe_ino_ctime_duration_proc_start: Field<bigint>;

/** Nanoseconds from the start of the pid namespace to the last change of the executable's inode, if it came later. */
export const proc_exe_ino_ctime_duration_pidns_start: Field<bigint>;

/** When the first process of the pid namespace started, in nanoseconds since the epoch. */
export const proc_pidns_init_start_ts: Field<bigint>;

/** How many descriptors the process may have. */
export const proc_fdlimit: Field<bigint>;

/** Virtual memory in kB, as of the last exec or fork. */
export const proc_vmsize: Field<bigint>;

/** Resident memory in kB, as of the last exec or fork. */
export const proc_vmrss: Field<bigint>;

/** Swapped memory in kB. */
export const proc_vmswap: Field<bigint>;

/** Number of threads of the process. */
export const proc_nthreads: Field<bigint>;

/** Number of threads beside the first. */
export const proc_nchilds: Field<bigint>;

/** Kind of descriptor 0. */
export const proc_stdin_type: Field<string>;

/** Kind of descriptor 1. */
export const proc_stdout_type: Field<string>;

/** Kind of descriptor 2. */
export const proc_stderr_type: Field<string>;

/** Name of descriptor 0. */
export const proc_stdin_name: Field<string>;

/** Name of descriptor 1. */
export const proc_stdout_name: Field<string>;

/** Name of descriptor 2. */
export const proc_stderr_name: Field<string>;

/** Number of descriptors that the process has. */
export const proc_fdopencount: Field<bigint>;

/** Part of the allowed descriptors that are in use. */
export const proc_fdusage: Field<number>;

/** Whether the process is the container's health check, or comes of it: what came into the container from outside by that very command. */
export const proc_is_container_healthcheck: Field<boolean>;

/** The same of the liveness probe. */
export const proc_is_container_liveness_probe: Field<boolean>;

/** The same of the readiness probe. */
export const proc_is_container_readiness_probe: Field<boolean>;

/** Permitted capabilities, names separated by blanks. */
export const thread_cap_permitted: Field<string>;

/** Inheritable capabilities. */
export const thread_cap_inheritable: Field<string>;

/** Effective capabilities. */
export const thread_cap_effective: Field<string>;

/** All control groups as `controller=path`, separated by blanks. */
export const thread_cgroups: Field<string>;

/** Path of the control group of the controller named. */
export const thread_cgroup: WithArgument<string>;

/** Thread id. */
export const thread_tid: Field<bigint>;

/** Whether the thread is its process's first. */
export const thread_ismain: Field<boolean>;

/** Thread id in its own pid namespace. */
export const thread_vtid: Field<bigint>;

/** Name of the process and thread id, written one behind the other. */
export const thread_nametid: Field<string>;

/** `proc.vmsize` for the first thread, 0 for others. */
export const thread_vmsize: Field<bigint>;

/** `proc.vmrss` for the first thread, 0 for others. */
export const thread_vmrss: Field<bigint>;

/** `thread.vmsize` in bytes. */
export const thread_vmsize_b: Field<bigint>;

/** `thread.vmrss` in bytes. */
export const thread_vmrss_b: Field<bigint>;

/** Major page faults since the start. */
export const thread_pfmajor: Field<bigint>;

/** Minor page faults since the start. */
export const thread_pfminor: Field<bigint>;

/** Effective user id. */
export const user_uid: Field<bigint>;

/** Name of that user. */
export const user_name: Field<string>;

/** Home directory of that user. */
export const user_homedir: Field<string>;

/** Login shell of that user. */
export const user_shell: Field<string>;

/** User id of the login this process descends from, -1 if none. */
export const user_loginuid: Field<bigint>;

/** Name of that user. */
export const user_loginname: Field<string>;

/** Effective group id. */
export const group_gid: Field<bigint>;

/** Name of that group. */
export const group_name: Field<string>;

/** First 12 characters of the container's id; `host` outside of containers. */
export const container_id: Field<string>;

/** The container's whole id. */
export const container_full_id: Field<string>;

/** Name of the container; `host` outside of containers. */
export const container_name: Field<string>;

/** What runs the container, for example `docker`; `host` outside of containers. */
export const container_type: Field<string>;

/** Name of the image as it was asked for. */
export const container_image: Field<string>;

/** Id of the image. */
export const container_image_id: Field<string>;

/** Repository of the image. */
export const container_image_repository: Field<string>;

/** Tag of the image. */
export const container_image_tag: Field<string>;

/** Digest of the image. */
export const container_image_digest: Field<string>;

/** Whether the container is privileged. */
export const container_privileged: Field<boolean>;

/** All mounts of the container as `source:destination:mode:writable:propagation`, separated by commas. */
export const container_mounts: Field<string>;

/** One mount: by number, or the first in whose source the regular expression is found. */
export const container_mount: WithArgument<string>;

/** Source of a mount: by number, or found by its destination. */
export const container_mount_source: WithArgument<string>;

/** Destination of a mount: by number, or found by its source. */
export const container_mount_dest: WithArgument<string>;

/** Mode of a mount: by number, or found by its source. */
export const container_mount_mode: WithArgument<string>;

/** Whether a mount is writable: by number, or found by its source. */
export const container_mount_rdwr: WithArgument<string>;

/** Propagation of a mount: by number, or found by its source. */
export const container_mount_propagation: WithArgument<string>;

/** Command by which Docker or Podman asks whether the container is well; `NONE` where the image's was switched off. */
export const container_healthcheck: Field<string>;

/** Command by which Kubernetes asks whether the container lives. */
export const container_liveness_probe: Field<string>;

/** Command by which Kubernetes asks whether the container can work. */
export const container_readiness_probe: Field<string>;

/** When the first process of the pid namespace started. */
export const container_start_ts: Field<bigint>;

/** Nanoseconds since then. */
export const container_duration: Field<bigint>;

/** Address of the container. */
export const container_ip: Field<string>;

/** Network configuration of the container. */
export const container_cni_json: Field<string>;

/** Whether it shares the host's pid namespace. */
export const container_host_pid: Field<boolean>;

/** Whether it shares the host's network. */
export const container_host_network: Field<boolean>;

/** Whether it shares the host's IPC namespace. */
export const container_host_ipc: Field<boolean>;

/** All labels of the container as `name:value`, separated by commas, without those of Kubernetes itself. */
export const container_labels: Field<string>;

/** One label of the container. */
export const container_label: WithArgument<string>;

/** Namespace of the pod. */
export const k8s_ns_name: Field<string>;

/** Name of the pod. */
export const k8s_pod_name: Field<string>;

/** The same as `k8s.pod.uid`, for older rules. */
export const k8s_pod_id: Field<string>;

/** Unique id of the pod. */
export const k8s_pod_uid: Field<string>;

/** First 12 characters of the id of the pod's sandbox. */
export const k8s_pod_sandbox_id: Field<string>;

/** Whole id of the pod's sandbox. */
export const k8s_pod_full_sandbox_id: Field<string>;

/** One label of the pod. */
export const k8s_pod_label: WithArgument<string>;

/** All labels of the pod. */
export const k8s_pod_labels: Field<string>;

/** Address of the pod. */
export const k8s_pod_ip: Field<string>;

/** Network configuration of the pod. */
export const k8s_pod_cni_json: Field<string>;
