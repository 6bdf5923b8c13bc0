//! Values of fields: from an event and what it saw of the state, in Falco's terms.
//!
//! [`value`] gives any field of the catalogue, for rendering alerts and for the oracle;
//! [`row`] writes what the loaded modules need into a window. A new field does not compile
//! until it has its arm in one of the two matches.

mod descriptor;
mod param;
mod path;
mod process;
pub mod row;
pub mod time;

use crate::event::Event;
use crate::state::descriptor::FdInfo;
use crate::state::{Seen, State};
use saker_rules_schema::event::{Category, EventType};
use saker_rules_schema::field::{Arg, Binding, Field, FieldRef};

/// An event, and the state as it saw it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(crate) event: &'a Event<'a>,
    state: &'a State,
    seen: Seen,
    /// [`Event::descriptor`], which every `fd` field begins with.
    descriptor: Option<i64>,
}

impl<'a> View<'a> {
    /// An event, the state, and what the event saw of it.
    #[inline]
    pub fn new(event: &'a Event<'a>, state: &'a State, seen: Seen) -> View<'a> {
        View {
            event,
            state,
            seen,
            descriptor: event.descriptor(),
        }
    }
}

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Text, by convention UTF-8.
    Text(&'a [u8]),
    /// True or false.
    Bool(bool),
    /// A signed number.
    Int(i64),
    /// An unsigned number, a port, a time in ns.
    Uint(u64),
    /// An address of 4 or 16 bytes.
    Ip(&'a [u8]),
    /// Several values, for instance of all ancestors, nearest first.
    List(Vec<Value<'a>>),
}

/// Buffers that values are put together in. Used again from event to event.
#[derive(Debug, Default)]
pub struct Scratch {
    text: Vec<u8>,
    fd: FdInfo,
    fd_of: Option<Key>,
    ranges: Vec<(usize, usize)>,
}

/// Which event something in a [`Scratch`] belongs to.
type Key = (u64, u64, u64, u16);

fn key(event: &Event<'_>) -> Key {
    let header = &event.record.header;
    (event.number, header.time, header.sequence, header.cpu)
}

impl Scratch {
    /// Empty buffers.
    pub fn new() -> Scratch {
        Scratch::default()
    }

    /// The cleared text buffer.
    fn text(&mut self) -> &mut Vec<u8> {
        self.text.clear();
        &mut self.text
    }
}

/// The value of a field, `None` where there is none (every comparison is then false).
pub fn value<'s>(
    field: &FieldRef,
    view: &'s View<'_>,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    match field.field.binding() {
        Binding::Process => {
            let version = view.state.version(view.seen.version)?;
            process::value(field, view.state, version, view.event.number, scratch)
        }
        Binding::Event => event_value(field, view, scratch),
    }
}

/// The value of a field that depends on the event itself.
fn event_value<'s>(
    field: &FieldRef,
    view: &'s View<'_>,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    let event = view.event;
    let header = &event.record.header;
    let fixed = |text: &'static str| Some(Value::Text(text.as_bytes()));
    match field.field {
        Field::EvtNum => Some(Value::Uint(event.number)),
        Field::EvtTime => {
            time::write_time_of_day(event.time, scratch.text());
            Some(Value::Text(&scratch.text))
        }
        Field::EvtTimeIso8601 => {
            time::write_iso8601(event.time, scratch.text());
            Some(Value::Text(&scratch.text))
        }
        Field::EvtRawtime => Some(Value::Uint(event.time)),
        Field::EvtType => fixed(event.kind?.name()),
        Field::SyscallType => match event.kind? {
            EventType::Procexit => None,
            kind => fixed(kind.name()),
        },
        Field::EvtCategory => fixed(category(view)?),
        Field::EvtCpu => Some(Value::Int(header.cpu.into())),
        Field::EvtDir => match event.kind? {
            EventType::Procexit => fixed(">"),
            _ => fixed("<"),
        },
        Field::EvtArgs => {
            param::write_all(view, scratch)?;
            Some(Value::Text(&scratch.text))
        }
        Field::EvtArg => {
            let Arg::Key(name) = &field.arg else {
                return None;
            };
            let kind = event.kind?;
            let index = match kind.param(name) {
                Some(index) => index,
                // Falco takes a position as well.
                None => name
                    .parse()
                    .ok()
                    .filter(|index| *index < kind.params().len())?,
            };
            scratch.text.clear();
            param::write(view, index, param::Form::Resolved, scratch)?;
            Some(Value::Text(&scratch.text))
        }
        Field::EvtRes => {
            param::write_result(view, scratch.text())?;
            Some(Value::Text(&scratch.text))
        }
        Field::EvtRawres => Some(Value::Int(event.result()?)),
        Field::EvtFailed => Some(Value::Bool(event.result()? < 0)),
        Field::EvtIsOpenRead => Some(Value::Bool(
            // O_RDONLY is 0, O_RDWR 2; 3 counts as neither bit of Falco's O_WRONLY.
            event.open_flags().is_some_and(|flags| flags & 3 != 1),
        )),
        Field::EvtIsOpenWrite => Some(Value::Bool(
            event
                .open_flags()
                .is_some_and(|flags| matches!(flags & 3, 1 | 2)),
        )),
        Field::EvtIsOpenExec => Some(Value::Bool(event.makes_executable())),
        Field::EvtIsOpenCreate => Some(Value::Bool(
            event.is_open()
                && event.succeeded()
                && event
                    .file()
                    .is_some_and(|file| file.flags & saker_ebpf::record::FILE_CREATED != 0),
        )),
        Field::EvtSource => fixed("syscall"),
        Field::EvtHostname => Some(Value::Text(view.state.hostname())),

        Field::FdNum
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
        | Field::FdL4proto
        | Field::FdSockfamily
        | Field::FdIsServer
        | Field::FdConnected
        | Field::FdDev
        | Field::FdDevMajor
        | Field::FdDevMinor
        | Field::FdIno
        | Field::FdIsUpperLayer
        | Field::FdIsLowerLayer => descriptor::value(field.field, view, scratch),

        Field::FsPathName => path::resolved(view, path::Which::Name, scratch),
        Field::FsPathNameraw => path::raw(view, path::Which::Name, scratch),
        Field::FsPathSource => path::resolved(view, path::Which::Source, scratch),
        Field::FsPathSourceraw => path::raw(view, path::Which::Source, scratch),
        Field::FsPathTarget => path::resolved(view, path::Which::Target, scratch),
        Field::FsPathTargetraw => path::raw(view, path::Which::Target, scratch),

        Field::ProcDuration => {
            let version = view.state.version(view.seen.version)?;
            Some(Value::Uint(since(view, version.start_time)?))
        }
        Field::ProcPpidDuration => {
            let version = view.state.version(view.seen.version)?;
            let parent = view.state.parent(version, event.number)?;
            Some(Value::Uint(since(view, parent.start_time)?))
        }
        Field::ProcStdinType => standard(view, 0)?.kind.name().and_then(fixed),
        Field::ProcStdoutType => standard(view, 1)?.kind.name().and_then(fixed),
        Field::ProcStderrType => standard(view, 2)?.kind.name().and_then(fixed),
        Field::ProcStdinName => Some(Value::Text(&standard(view, 0)?.name)),
        Field::ProcStdoutName => Some(Value::Text(&standard(view, 1)?.name)),
        Field::ProcStderrName => Some(Value::Text(&standard(view, 2)?.name)),
        Field::ThreadTid => Some(Value::Int(header.tid.into())),
        Field::ThreadIsmain => Some(Value::Bool(header.tid == header.tgid)),
        Field::ThreadVtid => {
            view.state.version(view.seen.version)?;
            Some(Value::Int(view.seen.vtid.into()))
        }

        Field::ProcExe
        | Field::ProcPexe
        | Field::ProcAexe
        | Field::ProcExepath
        | Field::ProcPexepath
        | Field::ProcAexepath
        | Field::ProcName
        | Field::ProcPname
        | Field::ProcAname
        | Field::ProcArgs
        | Field::ProcCmdline
        | Field::ProcPcmdline
        | Field::ProcAcmdline
        | Field::ProcCmdnargs
        | Field::ProcCmdlenargs
        | Field::ProcExeline
        | Field::ProcEnv
        | Field::ProcCwd
        | Field::ProcLoginshellid
        | Field::ProcTty
        | Field::ProcPid
        | Field::ProcPpid
        | Field::ProcApid
        | Field::ProcVpid
        | Field::ProcPvpid
        | Field::ProcSid
        | Field::ProcSname
        | Field::ProcSidExe
        | Field::ProcSidExepath
        | Field::ProcVpgid
        | Field::ProcVpgidName
        | Field::ProcVpgidExe
        | Field::ProcVpgidExepath
        | Field::ProcPidTs
        | Field::ProcPpidTs
        | Field::ProcIsExeWritable
        | Field::ProcIsExeUpperLayer
        | Field::ProcIsExeLowerLayer
        | Field::ProcIsExeFromMemfd
        | Field::ProcIsSidLeader
        | Field::ProcIsVpgidLeader
        | Field::ProcExeIno
        | Field::ProcExeInoCtime
        | Field::ProcExeInoMtime
        | Field::ThreadCapPermitted
        | Field::ThreadCapInheritable
        | Field::ThreadCapEffective
        | Field::UserUid
        | Field::UserName
        | Field::UserHomedir
        | Field::UserShell
        | Field::UserLoginuid
        | Field::UserLoginname
        | Field::GroupGid
        | Field::GroupName
        | Field::ContainerId
        | Field::ContainerFullId
        | Field::ContainerName => {
            let version = view.state.version(view.seen.version)?;
            process::value(field, view.state, version, event.number, scratch)
        }
    }
}

/// Nanoseconds from a start, given as time since boot, to the event.
fn since(view: &View<'_>, start_time: u64) -> Option<u64> {
    if start_time == 0 {
        return None;
    }
    Some(view.event.record.header.time.saturating_sub(start_time))
}

fn standard<'s>(view: &'s View<'_>, which: usize) -> Option<&'s FdInfo> {
    view.state.descriptor(view.seen.standard[which])
}

/// Falco's category; that of descriptor events depends on the descriptor.
fn category(view: &View<'_>) -> Option<&'static str> {
    use crate::state::descriptor::FdKind;
    let category = view.event.kind?.category();
    if category != Category::IoOther {
        return Some(category.name());
    }
    let kind = view.state.descriptor(view.seen.fd).map(|info| info.kind);
    let category = match kind {
        Some(FdKind::File | FdKind::Directory) => Category::File,
        Some(FdKind::Ipv4 | FdKind::Ipv6) => Category::Net,
        Some(FdKind::Unix | FdKind::Pipe | FdKind::Event | FdKind::Signal) => Category::Ipc,
        Some(
            FdKind::Unknown
            | FdKind::Netlink
            | FdKind::Epoll
            | FdKind::Inotify
            | FdKind::Timer
            | FdKind::Bpf
            | FdKind::Userfault
            | FdKind::IoUring
            | FdKind::Memfd
            | FdKind::Pidfd,
        )
        | None => Category::Other,
    };
    Some(category.name())
}

#[cfg(test)]
mod tests;
