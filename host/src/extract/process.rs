//! Fields that depend on the process alone: `proc.*`, `user.*`, `group.*`, `container.*`.

use super::container::{self, container_field};
use super::{Scratch, Value};
use crate::event::encode::CAPABILITIES;
use crate::state::State;
use crate::state::facts::strings;
use crate::state::users::User;
use crate::state::version::ProcessVersion;
use saker_ebpf::record::{FILE_LOWER_LAYER, FILE_MEMFD, FILE_UPPER_LAYER};
use saker_rules_schema::absent_field;
use saker_rules_schema::field::{Arg, Field, FieldRef};
use saker_rules_schema::row::LIST_LEN_MAX;

/// What Falco says where it has a string to give and nothing in it.
const NOT_AVAILABLE: Option<Value<'static>> = Some(Value::Text(b"<NA>"));

/// The value of a field for a process version as of an event; `None` for fields that depend
/// on the event.
pub(super) fn value<'s>(
    field: &FieldRef,
    state: &'s State,
    version: &'s ProcessVersion,
    number: u64,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    if version.is_told() {
        return container::value(field, state, version, number, scratch);
    }
    let text = |text: &'s [u8]| Some(Value::Text(text));
    // A capture's id may be -1. No kernel gives out one that would be negative.
    let int = |number: u32| Some(Value::Int((number as i32).into()));
    let flag = |flag: bool| Some(Value::Bool(flag));
    let parent = || state.parent(version, number);
    // What is not known has no value: an empty text would be one.
    let image = || imaged(version).map(|version| &version.image);
    let wall = |start: u64| (start != 0).then(|| Value::Uint(state.clock().wall(start)));
    // In a capture environment, directory and limits are the first thread's.
    let first = || state.first_thread(version, number);
    let environment = || Some(&imaged(first().unwrap_or(version))?.image.environment);
    // Where nobody leads, Falco's text is empty.
    let led =
        |leader: Option<&'s ProcessVersion>, show: fn(&'s ProcessVersion) -> &'s [u8]| match leader
        {
            Some(leader) => Some(Value::Text(show(named(imaged(leader)?)?))),
            None if version.is_captured() => Some(Value::Text(b"")),
            None => None,
        };
    let name: fn(&'s ProcessVersion) -> &'s [u8] = |version| version.comm.as_bytes();
    let exe: fn(&'s ProcessVersion) -> &'s [u8] = |version| version.image.exe();
    let exe_path: fn(&'s ProcessVersion) -> &'s [u8] = |version| &version.image.exe_path;
    let ids = &version.ids;
    match field.field {
        Field::ProcExe => text(image()?.exe()),
        Field::ProcPexe => text(imaged(parent()?)?.image.exe()),
        Field::ProcExepath => text(&image()?.exe_path),
        Field::ProcPexepath => text(&imaged(parent()?)?.image.exe_path),
        Field::ProcName => text(named(version)?.comm.as_bytes()),
        Field::ProcPname => text(named(parent()?)?.comm.as_bytes()),
        Field::ProcAexe
        | Field::ProcAexepath
        | Field::ProcAname
        | Field::ProcAcmdline
        | Field::ProcAenv
        | Field::ProcApid => match &field.arg {
            Arg::Index(0) => ancestor(field.field, first()?, state, number, scratch),
            Arg::Index(level) => {
                let level = *level as usize - 1;
                let found = state.lineage(version, number).nth(level)?;
                ancestor(field.field, found, state, number, scratch)
            }
            Arg::None => Some(ancestors(field.field, state, version, number, scratch)),
            // Of the fields above, only the environment has names.
            Arg::Key(name) => {
                let mut values = state
                    .lineage(version, number)
                    .map(|ancestor| state.first_thread(ancestor, number).unwrap_or(ancestor))
                    .filter_map(imaged)
                    .map(|ancestor| variable(&ancestor.image.environment, name.as_bytes()));
                text(values.find(|value| !value.is_empty()).unwrap_or_default())
            }
        },
        Field::ProcAargs => {
            // Without a number it is the process's own, as in Falco.
            let found = match &field.arg {
                Arg::None | Arg::Index(0) => first()?,
                Arg::Index(level) => state.lineage(version, number).nth(*level as usize - 1)?,
                Arg::Key(_) => return None,
            };
            scratch.text.clear();
            push_joined(imaged(found)?.image.tail(), &mut scratch.text);
            text(&scratch.text)
        }
        Field::ProcArgs => match field.arg {
            Arg::None => {
                scratch.text.clear();
                push_joined(image()?.tail(), &mut scratch.text);
                text(&scratch.text)
            }
            Arg::Index(index) => text(image()?.args().nth(index as usize).unwrap_or_default()),
            Arg::Key(_) => None,
        },
        Field::ProcCmdline => {
            scratch.text.clear();
            push_command_line(named(imaged(version)?)?, &mut scratch.text);
            text(&scratch.text)
        }
        Field::ProcPcmdline => {
            scratch.text.clear();
            push_command_line(named(imaged(parent()?)?)?, &mut scratch.text);
            text(&scratch.text)
        }
        Field::ProcCmdnargs => Some(Value::Uint(image()?.args().count() as u64)),
        Field::ProcCmdlenargs => {
            let bytes = image()?.args().map(<[u8]>::len).sum::<usize>();
            Some(Value::Uint(bytes as u64))
        }
        Field::ProcExeline => {
            scratch.text.clear();
            let image = image()?;
            scratch.text.extend_from_slice(image.exe());
            scratch.text.push(b' ');
            push_joined(image.tail(), &mut scratch.text);
            text(&scratch.text)
        }
        Field::ProcEnv => match &field.arg {
            Arg::None => {
                scratch.text.clear();
                push_joined(environment()?, &mut scratch.text);
                text(&scratch.text)
            }
            Arg::Key(name) => text(variable(environment()?, name.as_bytes())),
            Arg::Index(_) => None,
        },
        Field::ProcCwd => {
            if !version.knows_cwd() {
                return None;
            }
            let Some(first) = first() else {
                return text(b"./");
            };
            scratch.text.clear();
            scratch.text.extend_from_slice(&first.cwd);
            let is_empty = version.is_captured() && first.cwd.is_empty();
            if !is_empty && first.cwd.last() != Some(&b'/') {
                scratch.text.push(b'/');
            }
            text(&scratch.text)
        }
        Field::ProcLoginshellid => {
            let is_shell = |version: &&ProcessVersion| version.comm.as_bytes().ends_with(b"sh");
            let chain = first().into_iter().chain(state.lineage(version, number));
            int(chain.filter(is_shell).last()?.pid)
        }
        Field::ProcTty => Some(Value::Uint(ids.tty.into())),
        Field::ProcPid => int(version.pid),
        Field::ProcPpid if version.is_captured() => {
            // A capture's parent may be any thread; shown is its process.
            let first = first()?;
            int(state
                .parent(first, number)
                .map_or(first.ids.ppid, |parent| parent.pid))
        }
        Field::ProcPpid => int(ids.ppid),
        Field::ProcVpid if version.is_captured() && ids.vpid == u32::MAX => None,
        Field::ProcVpid => int(ids.vpid),
        Field::ProcPvpid => int(parent()?.ids.vpid),
        Field::ProcSid => int(ids.vsid),
        Field::ProcSname => led(state.session_leader(version, number), name),
        Field::ProcSidExe => led(state.session_leader(version, number), exe),
        Field::ProcSidExepath => led(state.session_leader(version, number), exe_path),
        Field::ProcPgid => int(ids.pgid),
        Field::ProcVpgid => int(ids.vpgid),
        Field::ProcPgidName => led(state.group_leader(version, number), name),
        Field::ProcPgidExe => led(state.group_leader(version, number), exe),
        Field::ProcPgidExepath => led(state.group_leader(version, number), exe_path),
        Field::ProcVpgidName => led(state.virtual_group_leader(version, number), name),
        Field::ProcVpgidExe => led(state.virtual_group_leader(version, number), exe),
        Field::ProcVpgidExepath => led(state.virtual_group_leader(version, number), exe_path),
        Field::ProcPidTs => wall(version.start_time),
        // Falco shows 0 for one that was there before the capture.
        Field::ProcPpidTs if version.is_captured() => Some(Value::Uint(parent()?.start_time)),
        Field::ProcPpidTs => wall(parent()?.start_time),
        Field::ProcIsExeWritable => flag(image()?.is_writable),
        Field::ProcIsExeUpperLayer => flag(image()?.file.flags & FILE_UPPER_LAYER != 0),
        Field::ProcIsExeLowerLayer => flag(image()?.file.flags & FILE_LOWER_LAYER != 0),
        Field::ProcIsExeFromMemfd => flag(image()?.file.flags & FILE_MEMFD != 0),
        Field::ProcIsSidLeader => flag(ids.vsid == ids.vpid),
        Field::ProcIsVpgidLeader => flag(ids.vpgid == ids.vpid),
        Field::ProcIsPgidLeader => flag(ids.pgid == version.pid),
        Field::ProcExeIno => known(image()?.file.inode).map(|inode| Value::Int(inode as i64)),
        Field::ProcExeInoCtime => known(image()?.file.ctime).map(Value::Uint),
        Field::ProcExeInoMtime => known(image()?.file.mtime).map(Value::Uint),
        Field::ProcExeInoCtimeDurationProcStart if version.is_captured() => {
            known(image()?.started_after_change_ns).map(Value::Uint)
        }
        Field::ProcExeInoCtimeDurationPidnsStart
            if version.is_captured() && !version.has_executed() =>
        {
            None
        }
        Field::ProcExeInoCtimeDurationProcStart => {
            let start = state.clock().wall(known(version.start_time)?);
            start
                .checked_sub(known(image()?.file.ctime)?)
                .map(Value::Uint)
        }
        Field::ProcExeInoCtimeDurationPidnsStart => {
            let start = state.clock().wall(known(ids.pid_ns_start_time)?);
            image()?.file.ctime.checked_sub(start).map(Value::Uint)
        }
        Field::ProcPidnsInitStartTs => wall(ids.pid_ns_start_time),
        Field::ProcFdlimit if version.is_captured() => {
            let limit = first().map_or(0, |first| first.ids.fd_limit);
            Some(Value::Int(limit as i64))
        }
        Field::ProcFdlimit => known(ids.fd_limit).map(|limit| Value::Int(limit as i64)),
        Field::ThreadCapPermitted => {
            capabilities(version.credentials.cap_permitted, version, scratch)
        }
        Field::ThreadCapInheritable => {
            capabilities(version.credentials.cap_inheritable, version, scratch)
        }
        Field::ThreadCapEffective => {
            capabilities(version.credentials.cap_effective, version, scratch)
        }
        Field::UserUid => uid(version).map(|uid| Value::Uint(uid.into())),
        Field::UserName => Some(user(state, version, uid(version)?, |user| &user.name)),
        Field::UserHomedir => Some(user(state, version, uid(version)?, |user| &user.home)),
        Field::UserShell => Some(user(state, version, uid(version)?, |user| &user.shell)),
        // 4294967295 means none, which is -1 as a signed number.
        Field::UserLoginuid => Some(Value::Int((ids.loginuid as i32).into())),
        Field::UserLoginname => match state.users().user(ids.loginuid) {
            Some(user) => text(&user.name),
            None => NOT_AVAILABLE,
        },
        Field::GroupGid => {
            uid(version)?;
            Some(Value::Uint(version.credentials.egid.into()))
        }
        Field::GroupName => {
            uid(version)?;
            let gid = version.credentials.egid;
            let is_inside = version.is_captured() && version.container().is_some();
            match state.users().group(gid).filter(|_| !is_inside) {
                Some(name) => text(name),
                None if version.is_captured() && gid == 0 => text(b"root"),
                None => NOT_AVAILABLE,
            }
        }
        Field::ThreadCgroups => {
            let list = version.cgroup.list();
            if list.is_empty() {
                return None;
            }
            scratch.text.clear();
            push_joined(list, &mut scratch.text);
            text(&scratch.text)
        }
        Field::ThreadCgroup => {
            let Arg::Key(name) = &field.arg else {
                return None;
            };
            let path = |entry: &'s [u8]| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=");
            text(strings(version.cgroup.list()).find_map(path)?)
        }
        container_field!() => container::value(field, state, version, number, scratch),

        Field::EvtNum
        | Field::EvtTime
        | Field::EvtTimeS
        | Field::EvtDatetime
        | Field::EvtDatetimeS
        | Field::EvtRawtimeS
        | Field::EvtRawtimeNs
        | Field::EvtTypeIs
        | Field::EvtLatency
        | Field::EvtLatencyS
        | Field::EvtLatencyNs
        | Field::EvtLatencyQuantized
        | Field::EvtLatencyHuman
        | Field::EvtDeltatime
        | Field::EvtDeltatimeS
        | Field::EvtDeltatimeNs
        | Field::EvtReltime
        | Field::EvtReltimeS
        | Field::EvtReltimeNs
        | Field::EvtOutputtime
        | Field::EvtBuffer
        | Field::EvtBuflen
        | Field::EvtBuflenIn
        | Field::EvtBuflenOut
        | Field::EvtBuflenFile
        | Field::EvtBuflenFileIn
        | Field::EvtBuflenFileOut
        | Field::EvtBuflenNet
        | Field::EvtBuflenNetIn
        | Field::EvtBuflenNetOut
        | Field::EvtWaitLatency
        | Field::EvtIsSyslog
        | Field::EvtCountProcinfo
        | Field::EvtCountThreadinfo
        | Field::EvtAround
        | Field::EvtInfraDockerName
        | Field::EvtInfraDockerContainerId
        | Field::EvtInfraDockerContainerName
        | Field::EvtInfraDockerContainerImage
        | Field::EvtAsynctype
        | Field::EvtIsIo
        | Field::EvtIsIoRead
        | Field::EvtIsIoWrite
        | Field::EvtIoDir
        | Field::EvtIsWait
        | Field::EvtIsAsync
        | Field::EvtCount
        | Field::EvtCountExit
        | Field::EvtCountError
        | Field::EvtCountErrorFile
        | Field::EvtCountErrorNet
        | Field::EvtCountErrorMemory
        | Field::EvtCountErrorOther
        | Field::EvtInfo
        | Field::EvtAbspath
        | Field::EvtTimeIso8601
        | Field::EvtRawtime
        | Field::EvtType
        | Field::SyscallType
        | Field::EvtCategory
        | Field::EvtCpu
        | Field::EvtDir
        | Field::EvtArgs
        | Field::EvtArg
        | Field::EvtRawarg
        | Field::EvtRes
        | Field::EvtRawres
        | Field::EvtFailed
        | Field::EvtIsOpenRead
        | Field::EvtIsOpenWrite
        | Field::EvtIsOpenExec
        | Field::EvtIsOpenCreate
        | Field::EvtSource
        | Field::EvtHostname
        | Field::FdNum
        | Field::FdUid
        | Field::FdType
        | Field::FdTypechar
        | Field::FdName
        | Field::FdDirectory
        | Field::FdFilename
        | Field::FdNameraw
        | Field::FdIp
        | Field::FdCip
        | Field::FdSip
        | Field::FdLip
        | Field::FdRip
        | Field::FdPort
        | Field::FdCport
        | Field::FdSport
        | Field::FdLport
        | Field::FdRport
        | Field::FdNet
        | Field::FdCnet
        | Field::FdSnet
        | Field::FdLnet
        | Field::FdRnet
        | Field::FdL4proto
        | Field::FdSockfamily
        | Field::FdIsServer
        | Field::FdCproto
        | Field::FdSproto
        | Field::FdLproto
        | Field::FdRproto
        | Field::FdContainername
        | Field::FdContainerdirectory
        | Field::FdProto
        | Field::UtilCnt
        | Field::FdNameChanged
        | Field::FdlistNums
        | Field::FdlistNames
        | Field::FdlistCips
        | Field::FdlistSips
        | Field::FdlistCports
        | Field::FdlistSports
        | Field::ProcFdopencount
        | Field::ProcFdusage
        | Field::FdTypes
        | Field::FdConnected
        | Field::FdDev
        | Field::FdDevMajor
        | Field::FdDevMinor
        | Field::FdIno
        | Field::FdIsUpperLayer
        | Field::FdIsLowerLayer
        | Field::FsPathName
        | Field::FsPathNameraw
        | Field::FsPathSource
        | Field::FsPathSourceraw
        | Field::FsPathTarget
        | Field::FsPathTargetraw
        | Field::ProcDuration
        | Field::ProcPpidDuration
        | Field::ContainerDuration
        | Field::ProcStdinType
        | Field::ProcStdoutType
        | Field::ProcStderrType
        | Field::ProcStdinName
        | Field::ProcStdoutName
        | Field::ProcStderrName
        | Field::ThreadTid
        | Field::ThreadIsmain
        | Field::ThreadVtid
        | Field::ThreadNametid
        | Field::ThreadVmsize
        | Field::ThreadVmrss
        | Field::ThreadVmsizeB
        | Field::ThreadVmrssB
        | Field::ProcVmsize
        | Field::ProcVmrss
        | Field::ProcVmswap
        | Field::ProcNthreads
        | Field::ProcNchilds
        | Field::ThreadPfmajor
        | Field::ThreadPfminor
        | absent_field!() => None,
    }
}

/// What the table of users says of a process's user. Of a container's users a capture tells
/// none: like Falco it is then only said what user 0 is called.
fn user<'s>(
    state: &'s State,
    version: &ProcessVersion,
    uid: u32,
    show: fn(&User) -> &[u8],
) -> Value<'s> {
    let is_inside = version.is_captured() && version.container().is_some();
    match state.users().user(uid).filter(|_| !is_inside) {
        Some(user) => Value::Text(show(user)),
        None if version.is_captured() && uid == 0 => {
            Value::Text(show(super::super::state::users::root()))
        }
        None => Value::Text(b"<NA>"),
    }
}

/// What an ancestor field says of one ancestor.
fn ancestor<'s>(
    field: Field,
    version: &'s ProcessVersion,
    state: &'s State,
    number: u64,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    match field {
        Field::ProcAexe => Some(Value::Text(imaged(version)?.image.exe())),
        Field::ProcAexepath => Some(Value::Text(&imaged(version)?.image.exe_path)),
        Field::ProcAname => Some(Value::Text(named(version)?.comm.as_bytes())),
        Field::ProcApid => Some(Value::Int((version.pid as i32).into())),
        Field::ProcAcmdline => {
            scratch.text.clear();
            push_command_line(named(imaged(version)?)?, &mut scratch.text);
            Some(Value::Text(&scratch.text))
        }
        Field::ProcAenv => {
            let first = state.first_thread(version, number).unwrap_or(version);
            scratch.text.clear();
            push_joined(&imaged(first)?.image.environment, &mut scratch.text);
            Some(Value::Text(&scratch.text))
        }
        // No other field is an ancestor's.
        _ => None,
    }
}

/// What an ancestor field says of all ancestors, nearest first.
fn ancestors<'s>(
    field: Field,
    state: &'s State,
    version: &'s ProcessVersion,
    number: u64,
    scratch: &'s mut Scratch,
) -> Value<'s> {
    let lineage = state.lineage(version, number).take(LIST_LEN_MAX);
    let text = |bytes: &'s [u8]| Value::Text(bytes);
    Value::List(match field {
        Field::ProcAexe => lineage
            .filter_map(imaged)
            .map(|version| text(version.image.exe()))
            .collect(),
        Field::ProcAexepath => lineage
            .filter_map(imaged)
            .map(|version| text(&version.image.exe_path))
            .collect(),
        Field::ProcAname => lineage
            .filter_map(named)
            .map(|version| text(version.comm.as_bytes()))
            .collect(),
        Field::ProcApid => lineage
            .map(|version| Value::Int((version.pid as i32).into()))
            .collect(),
        Field::ProcAcmdline | Field::ProcAenv => {
            let Scratch { text, ranges, .. } = scratch;
            text.clear();
            ranges.clear();
            for version in lineage.filter_map(imaged).filter_map(named) {
                let start = text.len();
                match field {
                    Field::ProcAenv => {
                        let first = state.first_thread(version, number).unwrap_or(version);
                        push_joined(&first.image.environment, text);
                    }
                    _ => push_command_line(version, text),
                }
                ranges.push((start, text.len()));
            }
            let text = &*text;
            ranges
                .iter()
                .map(|(start, end)| Value::Text(&text[*start..*end]))
                .collect()
        }
        // No other field is an ancestor's.
        _ => Vec::new(),
    })
}

/// The version, if it is known what it executes.
fn imaged(version: &ProcessVersion) -> Option<&ProcessVersion> {
    version.knows_image().then_some(version)
}

/// The version, if its name is known.
fn named(version: &ProcessVersion) -> Option<&ProcessVersion> {
    version.knows_name().then_some(version)
}

fn known(number: u64) -> Option<u64> {
    (number != 0).then_some(number)
}

/// The effective user id, once known.
fn uid(version: &ProcessVersion) -> Option<u32> {
    version
        .knows_credentials()
        .then_some(version.credentials.euid)
}

/// Appends the strings of an area, separated by blanks.
fn push_joined(area: &[u8], out: &mut Vec<u8>) {
    for (index, string) in strings(area).enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(string);
    }
}

fn push_arguments(version: &ProcessVersion, out: &mut Vec<u8>) {
    for argument in version.image.args() {
        out.push(b' ');
        out.extend_from_slice(argument);
    }
}

/// Appends `proc.name` and the arguments.
pub(crate) fn push_command_line(version: &ProcessVersion, out: &mut Vec<u8>) {
    out.extend_from_slice(version.comm.as_bytes());
    push_arguments(version, out);
}

/// The value of an environment variable; empty where there is none, as Falco has it.
fn variable<'s>(environment: &'s [u8], name: &[u8]) -> &'s [u8] {
    strings(environment)
        .find_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="))
        .unwrap_or_default()
}

fn capabilities<'s>(
    set: u64,
    version: &ProcessVersion,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    uid(version)?;
    let out = scratch.text();
    for (bit, name) in CAPABILITIES.iter().enumerate() {
        if set >> bit & 1 != 0 {
            if !out.is_empty() {
                out.push(b' ');
            }
            out.extend_from_slice(name.as_bytes());
        }
    }
    Some(Value::Text(out))
}
