//! Fields that depend on the process alone: `proc.*`, `user.*`, `group.*`, `container.*`.

use super::{Scratch, Value};
use crate::event::encode::CAPABILITIES;
use crate::state::State;
use crate::state::container::ID_SHORT;
use crate::state::facts::strings;
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
    let text = |text: &'s [u8]| Some(Value::Text(text));
    let int = |number: u32| Some(Value::Int(number.into()));
    let flag = |flag: bool| Some(Value::Bool(flag));
    let parent = || state.parent(version, number);
    let wall = |start: u64| (start != 0).then(|| Value::Uint(state.clock().wall(start)));
    let image = &version.image;
    let ids = &version.ids;
    match field.field {
        Field::ProcExe => text(image.exe()),
        Field::ProcPexe => text(parent()?.image.exe()),
        Field::ProcExepath => text(&image.exe_path),
        Field::ProcPexepath => text(&parent()?.image.exe_path),
        Field::ProcName => text(version.comm.as_bytes()),
        Field::ProcPname => text(parent()?.comm.as_bytes()),
        Field::ProcAexe
        | Field::ProcAexepath
        | Field::ProcAname
        | Field::ProcAcmdline
        | Field::ProcAenv
        | Field::ProcApid => match &field.arg {
            Arg::Index(0) => ancestor(field.field, version, scratch),
            Arg::Index(level) => {
                let level = *level as usize - 1;
                let found = state.lineage(version, number).nth(level)?;
                ancestor(field.field, found, scratch)
            }
            Arg::None => Some(ancestors(field.field, state, version, number, scratch)),
            // Of the fields above, only the environment has names.
            Arg::Key(name) => {
                let mut values = state
                    .lineage(version, number)
                    .map(|ancestor| variable(&ancestor.image.environment, name.as_bytes()));
                text(values.find(|value| !value.is_empty()).unwrap_or_default())
            }
        },
        Field::ProcArgs => match field.arg {
            Arg::None => {
                scratch.text.clear();
                push_joined(image.tail(), &mut scratch.text);
                text(&scratch.text)
            }
            Arg::Index(index) => text(image.args().nth(index as usize).unwrap_or_default()),
            Arg::Key(_) => None,
        },
        Field::ProcCmdline => {
            scratch.text.clear();
            push_command_line(version, &mut scratch.text);
            text(&scratch.text)
        }
        Field::ProcPcmdline => {
            scratch.text.clear();
            push_command_line(parent()?, &mut scratch.text);
            text(&scratch.text)
        }
        Field::ProcCmdnargs => Some(Value::Uint(image.args().count() as u64)),
        Field::ProcCmdlenargs => {
            let bytes = image.args().map(<[u8]>::len).sum::<usize>();
            Some(Value::Uint(bytes as u64))
        }
        Field::ProcExeline => {
            scratch.text.clear();
            scratch.text.extend_from_slice(image.exe());
            push_arguments(version, &mut scratch.text);
            text(&scratch.text)
        }
        Field::ProcEnv => match &field.arg {
            Arg::None => {
                scratch.text.clear();
                push_joined(&image.environment, &mut scratch.text);
                text(&scratch.text)
            }
            Arg::Key(name) => text(variable(&image.environment, name.as_bytes())),
            Arg::Index(_) => None,
        },
        Field::ProcCwd => {
            if !version.knows_cwd() {
                return None;
            }
            scratch.text.clear();
            scratch.text.extend_from_slice(&version.cwd);
            if version.cwd.last() != Some(&b'/') {
                scratch.text.push(b'/');
            }
            text(&scratch.text)
        }
        Field::ProcLoginshellid => {
            let is_shell = |version: &&ProcessVersion| version.comm.as_bytes().ends_with(b"sh");
            let chain = std::iter::once(version).chain(state.lineage(version, number));
            int(chain.filter(is_shell).last()?.pid)
        }
        Field::ProcTty => Some(Value::Uint(ids.tty.into())),
        Field::ProcPid => int(version.pid),
        Field::ProcPpid => int(ids.ppid),
        Field::ProcVpid => int(ids.vpid),
        Field::ProcPvpid => int(parent()?.ids.vpid),
        Field::ProcSid => int(ids.vsid),
        Field::ProcSname => text(state.session_leader(version, number)?.comm.as_bytes()),
        Field::ProcSidExe => text(state.session_leader(version, number)?.image.exe()),
        Field::ProcSidExepath => text(&state.session_leader(version, number)?.image.exe_path),
        Field::ProcPgid => int(ids.pgid),
        Field::ProcVpgid => int(ids.vpgid),
        // One group, whichever namespace numbers it.
        Field::ProcPgidName | Field::ProcVpgidName => {
            text(state.group_leader(version, number)?.comm.as_bytes())
        }
        Field::ProcPgidExe | Field::ProcVpgidExe => {
            text(state.group_leader(version, number)?.image.exe())
        }
        Field::ProcPgidExepath | Field::ProcVpgidExepath => {
            text(&state.group_leader(version, number)?.image.exe_path)
        }
        Field::ProcPidTs => wall(version.start_time),
        Field::ProcPpidTs => wall(parent()?.start_time),
        Field::ProcIsExeWritable => flag(image.is_writable),
        Field::ProcIsExeUpperLayer => flag(image.file.flags & FILE_UPPER_LAYER != 0),
        Field::ProcIsExeLowerLayer => flag(image.file.flags & FILE_LOWER_LAYER != 0),
        Field::ProcIsExeFromMemfd => flag(image.file.flags & FILE_MEMFD != 0),
        Field::ProcIsSidLeader => flag(ids.vsid == ids.vpid),
        Field::ProcIsVpgidLeader => flag(ids.vpgid == ids.vpid),
        Field::ProcIsPgidLeader => flag(ids.pgid == version.pid),
        Field::ProcExeIno => known(image.file.inode).map(|inode| Value::Int(inode as i64)),
        Field::ProcExeInoCtime => known(image.file.ctime).map(Value::Uint),
        Field::ProcExeInoMtime => known(image.file.mtime).map(Value::Uint),
        Field::ProcExeInoCtimeDurationProcStart => {
            let start = state.clock().wall(known(version.start_time)?);
            start.checked_sub(known(image.file.ctime)?).map(Value::Uint)
        }
        Field::ProcExeInoCtimeDurationPidnsStart => {
            let start = state.clock().wall(known(ids.pid_ns_start_time)?);
            image.file.ctime.checked_sub(start).map(Value::Uint)
        }
        Field::ProcPidnsInitStartTs => wall(ids.pid_ns_start_time),
        Field::ProcFdlimit => known(ids.fd_limit).map(|limit| Value::Int(limit as i64)),
        Field::ProcVmsize => Some(Value::Uint(version.vm_size)),
        Field::ProcVmrss => Some(Value::Uint(version.vm_rss)),
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
        Field::UserName => match state.users().user(uid(version)?) {
            Some(user) => text(&user.name),
            None => NOT_AVAILABLE,
        },
        Field::UserHomedir => match state.users().user(uid(version)?) {
            Some(user) => text(&user.home),
            None => NOT_AVAILABLE,
        },
        Field::UserShell => match state.users().user(uid(version)?) {
            Some(user) => text(&user.shell),
            None => NOT_AVAILABLE,
        },
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
            match state.users().group(version.credentials.egid) {
                Some(name) => text(name),
                None => NOT_AVAILABLE,
            }
        }
        Field::ContainerId => match version.cgroup.container() {
            Some(id) => text(&id[..id.len().min(ID_SHORT)]),
            None => host(version),
        },
        Field::ContainerFullId => match version.cgroup.container() {
            Some(id) => text(id),
            None => host(version),
        },
        // A container's name is its engine's to tell, and which engine that is, nobody tells yet.
        Field::ContainerName | Field::ContainerType => match version.cgroup.container() {
            Some(_) => None,
            None => host(version),
        },

        Field::EvtNum
        | Field::EvtTime
        | Field::EvtTimeS
        | Field::EvtDatetime
        | Field::EvtDatetimeS
        | Field::EvtRawtimeS
        | Field::EvtRawtimeNs
        | Field::EvtTypeIs
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
        | absent_field!() => None,
    }
}

/// What an ancestor field says of one ancestor.
fn ancestor<'s>(
    field: Field,
    version: &'s ProcessVersion,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    match field {
        Field::ProcAexe => Some(Value::Text(version.image.exe())),
        Field::ProcAexepath => Some(Value::Text(&version.image.exe_path)),
        Field::ProcAname => Some(Value::Text(version.comm.as_bytes())),
        Field::ProcApid => Some(Value::Int(version.pid.into())),
        Field::ProcAcmdline => {
            scratch.text.clear();
            push_command_line(version, &mut scratch.text);
            Some(Value::Text(&scratch.text))
        }
        Field::ProcAenv => {
            scratch.text.clear();
            push_joined(&version.image.environment, &mut scratch.text);
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
        Field::ProcAexe => lineage.map(|version| text(version.image.exe())).collect(),
        Field::ProcAexepath => lineage
            .map(|version| text(&version.image.exe_path))
            .collect(),
        Field::ProcAname => lineage
            .map(|version| text(version.comm.as_bytes()))
            .collect(),
        Field::ProcApid => lineage
            .map(|version| Value::Int(version.pid.into()))
            .collect(),
        Field::ProcAcmdline | Field::ProcAenv => {
            let Scratch { text, ranges, .. } = scratch;
            text.clear();
            ranges.clear();
            for version in lineage {
                let start = text.len();
                match field {
                    Field::ProcAenv => push_joined(&version.image.environment, text),
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

fn known(number: u64) -> Option<u64> {
    (number != 0).then_some(number)
}

/// The effective user id, once known.
fn uid(version: &ProcessVersion) -> Option<u32> {
    version
        .knows_credentials()
        .then_some(version.credentials.euid)
}

fn host(version: &ProcessVersion) -> Option<Value<'static>> {
    version.knows_cgroup().then_some(Value::Text(b"host"))
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
fn push_command_line(version: &ProcessVersion, out: &mut Vec<u8>) {
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
