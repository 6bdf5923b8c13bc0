//! Fields that Falco has and for which nothing gives a value yet.
//!
//! A condition or an output may name them; they are absent in every event, so that a test of
//! one is false whatever it asks. A field that gets a value moves to
//! [`for_each_field!`](crate::for_each_field), and extraction does not compile until it has
//! its arm there.

/// The table of all fields without values. Calls `$callback { $before rows }`; a row is
/// `Variant "falco.name" Type ArgKind "description" Flag*;`.
#[macro_export]
macro_rules! for_each_absent_field {
    ($before:tt $($callback:tt)+) => {
        $($callback)+ {
            $before
            EvtPluginname "evt.pluginname" Text None "Name of the plugin that the event comes from; Saker runs none.";
            EvtPlugininfo "evt.plugininfo" Text None "What that plugin says of the event; Saker runs none.";

            FdContainername "fd.containername" Text None "Id of the container and `fd.name`, a colon between.";
            FdContainerdirectory "fd.containerdirectory" Text None "Id of the container and `fd.directory`, a colon between.";
            FdProto "fd.proto" Port None "Name of the service at the client's or the server's port." FilterOnly NoRhs NoTransformer;
            FdCipName "fd.cip.name" Text None "Host name of the client's address." NoRhs NoTransformer;
            FdSipName "fd.sip.name" Text None "Host name of the server's address." NoRhs NoTransformer;
            FdLipName "fd.lip.name" Text None "Host name of the local address." NoRhs NoTransformer;
            FdRipName "fd.rip.name" Text None "Host name of the remote address." NoRhs NoTransformer;
            FdTypes "fd.types" Text Index "Kinds of the descriptors that the process has; with a number, of that descriptor." List NoRhs;

            ProcFdusage "proc.fdusage" Double None "Part of the allowed descriptors that are in use.";

            ThreadExectime "thread.exectime" RelTime None "Nanoseconds on a processor since the last switch.";
            ThreadTotexectime "thread.totexectime" RelTime None "Nanoseconds on a processor since the start of recording.";
            ThreadCpu "thread.cpu" Double None "Part of a processor that the thread used in the last second.";
            ThreadCpuUser "thread.cpu.user" Double None "Part of that in user mode.";
            ThreadCpuSystem "thread.cpu.system" Double None "Part of that in kernel mode.";

            UtilCnt "util.cnt" Uint None "A counter that grows with each look.";

            ContainerImage "container.image" Text None "Name of the image.";
            ContainerImageId "container.image.id" Text None "Id of the image.";
            ContainerImageRepository "container.image.repository" Text None "Repository of the image.";
            ContainerImageTag "container.image.tag" Text None "Tag of the image.";
            ContainerImageDigest "container.image.digest" Text None "Digest of the image.";
            ContainerPrivileged "container.privileged" Bool None "Whether the container is privileged.";
            ContainerMounts "container.mounts" Text None "All mounts of the container.";
            ContainerMount "container.mount" Text IndexOrKeyRequired "One mount: by number, or by its source.";
            ContainerMountSource "container.mount.source" Text IndexOrKeyRequired "Source of a mount: by number, or by its destination.";
            ContainerMountDest "container.mount.dest" Text IndexOrKeyRequired "Destination of a mount: by number, or by its source.";
            ContainerMountMode "container.mount.mode" Text IndexOrKeyRequired "Mode of a mount: by number, or by its source.";
            ContainerMountRdwr "container.mount.rdwr" Text IndexOrKeyRequired "Whether a mount is writable: by number, or by its source.";
            ContainerMountPropagation "container.mount.propagation" Text IndexOrKeyRequired "Propagation of a mount: by number, or by its source.";
            ContainerHealthcheck "container.healthcheck" Text None "Command of the health check.";
            ContainerLivenessProbe "container.liveness_probe" Text None "Command of the liveness probe.";
            ContainerReadinessProbe "container.readiness_probe" Text None "Command of the readiness probe.";
            ContainerStartTs "container.start_ts" AbsTime None "When the container started.";
            ContainerDuration "container.duration" RelTime None "Nanoseconds since the container started.";
            ContainerIp "container.ip" Text None "Address of the container.";
            ContainerCniJson "container.cni.json" Text None "Network configuration of the container.";
            ContainerHostPid "container.host_pid" Bool None "Whether it shares the host's pid namespace.";
            ContainerHostNetwork "container.host_network" Bool None "Whether it shares the host's network.";
            ContainerHostIpc "container.host_ipc" Bool None "Whether it shares the host's IPC namespace.";
            ContainerLabels "container.labels" Text None "All labels of the container.";
            ContainerLabel "container.label" Text IndexOrKeyRequired "One label of the container.";

            ProcIsContainerHealthcheck "proc.is_container_healthcheck" Bool None "Whether the process is the container's health check.";
            ProcIsContainerLivenessProbe "proc.is_container_liveness_probe" Bool None "Whether the process is the container's liveness probe.";
            ProcIsContainerReadinessProbe "proc.is_container_readiness_probe" Bool None "Whether the process is the container's readiness probe.";

            K8sNsName "k8s.ns.name" Text None "Namespace of the pod.";
            K8sPodName "k8s.pod.name" Text None "Name of the pod.";
            K8sPodId "k8s.pod.id" Text None "The same as `k8s.pod.uid`, for older rules.";
            K8sPodUid "k8s.pod.uid" Text None "Unique id of the pod.";
            K8sPodSandboxId "k8s.pod.sandbox_id" Text None "First 12 characters of the id of the pod's sandbox.";
            K8sPodFullSandboxId "k8s.pod.full_sandbox_id" Text None "Whole id of the pod's sandbox.";
            K8sPodLabel "k8s.pod.label" Text IndexOrKeyRequired "One label of the pod.";
            K8sPodLabels "k8s.pod.labels" Text None "All labels of the pod.";
            K8sPodIp "k8s.pod.ip" Text None "Address of the pod.";
            K8sPodCniJson "k8s.pod.cni.json" Text None "Network configuration of the pod.";
        }
    };
}

/// A pattern that all fields without values match, for exhaustive matches over [`Field`].
///
/// [`Field`]: crate::field::Field
#[macro_export]
macro_rules! absent_field {
    () => {
        $crate::for_each_absent_field!({} $crate::absent_field_pattern!)
    };
}

/// What [`absent_field!`](crate::absent_field) makes of the table.
#[doc(hidden)]
#[macro_export]
macro_rules! absent_field_pattern {
    ({} $($name:ident $text:literal $kind:ident $arg:ident $doc:literal $($flag:ident)*;)*) => {
        $($crate::field::Field::$name)|*
    };
}
