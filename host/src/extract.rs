//! Values of fields: from an event and what it saw of the state, in Falco's terms.
//!
//! [`value`] gives any field of the catalogue, for rendering alerts and for the oracle;
//! [`row`] writes what the loaded modules need into a window. A new field does not compile
//! until it has its arm in one of the two matches; those without values share one arm.

mod container;
mod descriptor;
mod infra;
pub mod made;
mod need;
mod param;
mod path;
mod polled;
pub(crate) mod printable;
mod process;
pub mod row;
pub mod time;

use crate::event::Event;
use crate::state::Memory;
use crate::state::descriptor::{FdIndex, FdInfo, FdKind};
use crate::state::note::{Note, Noted};
use crate::state::version::ProcessVersion;
use crate::state::{Seen, State};
use container::container_field;
pub use container::is_told_by_engines;
pub use param::wire::Wire;
pub(crate) use process::push_command_line as command_line;
use saker_rules_schema::absent_field;
use saker_rules_schema::event::{Base, CREATES_FD, Category, EventType, ParamType, WRITES_FD};
use saker_rules_schema::field::{Arg, Binding, Field, FieldRef, Type};
use saker_rules_schema::row::double_key;
use std::io::Write;

/// An event, and the state as it saw it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(crate) event: &'a Event<'a>,
    state: &'a State,
    seen: Seen,
    /// [`Event::descriptor`], which every `fd` field begins with.
    descriptor: Option<i64>,
    /// What that stood for, as far as the state knows.
    info: Option<&'a FdInfo>,
    /// The process.
    version: Option<&'a ProcessVersion>,
}

impl<'a> View<'a> {
    /// An event, the state, and what the event saw of it.
    #[inline]
    pub fn new(event: &'a Event<'a>, state: &'a State, seen: Seen) -> View<'a> {
        View {
            event,
            state,
            seen,
            descriptor: event.descriptor(seen.fd != FdIndex::NONE),
            info: state.descriptor(seen.fd),
            version: state.version(seen.version),
        }
    }
}

impl<'a> View<'a> {
    /// The state.
    pub fn state(&self) -> &'a State {
        self.state
    }

    /// The process, as the event saw it.
    pub(crate) fn process(&self) -> Option<&'a ProcessVersion> {
        self.version
    }

    /// Whether it is about a socket that the state knows.
    pub(crate) fn is_about_socket(&self) -> bool {
        let info = self.state.descriptor(self.seen.fd);
        info.is_some_and(|info| {
            matches!(
                info.kind,
                FdKind::Ipv4 | FdKind::Ipv6 | FdKind::Unix | FdKind::Netlink
            )
        })
    }

    /// What a descriptor that the event names stood for, as far as the state knows.
    fn descriptor_at(&self, fd: i64) -> Option<&'a FdInfo> {
        if self.descriptor == Some(fd) {
            return self.info;
        }
        let other = self.state.note(self.event.number())?.other(fd);
        self.state.descriptor(other)
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
    /// A number that is shown in a base of its own and, where numbers are told from texts, as
    /// a text. One whose base is not set has a sign.
    Based(u64, Base),
    /// A number that rules can ask for, and that Falco never shows.
    Unshown(i64),
    /// A number with a fraction.
    Double(f64),
    /// Text as it was given, which may be of any bytes.
    Given(&'a [u8]),
    /// Any bytes, shown with a dot in place of each that is not printable.
    Bytes(&'a [u8]),
    /// An address of 4 or 16 bytes.
    Ip(&'a [u8]),
    /// Several values, for instance of all ancestors, nearest first.
    List(Vec<Value<'a>>),
}

impl Value<'_> {
    /// The value, or the first of several: both ends of a connection are two slots, and where one
    /// is asked for, it is the first. Of none, an empty list.
    #[inline]
    fn first(&self) -> &Self {
        match self {
            Value::List(items) => items.first().unwrap_or(self),
            single => single,
        }
    }

    /// Calls it with what is compared as a text. Events of several types have parameters of one
    /// name, and not all are of one type: as Falco does, a number is read as if its bytes were a
    /// text. Of no value, an empty one.
    #[inline]
    fn with_text<R>(&self, f: impl FnOnce(&[u8]) -> R) -> R {
        match self.text() {
            Some(text) => f(text),
            None => {
                let bytes = self.number().unwrap_or(0).to_le_bytes();
                let end = memchr::memchr(0, &bytes).unwrap_or(bytes.len());
                f(&bytes[..end])
            }
        }
    }

    /// What is compared as a number: of a text, likewise, its first bytes.
    #[inline]
    fn as_number(&self) -> u64 {
        self.number().unwrap_or_else(|| {
            let mut bytes = [0; 8];
            let text = self.text().unwrap_or_default();
            for (to, from) in bytes.iter_mut().zip(text) {
                *to = *from;
            }
            u64::from_le_bytes(bytes)
        })
    }

    /// The bytes of what is compared as a text.
    #[inline]
    fn text(&self) -> Option<&[u8]> {
        match self {
            Value::Text(text) | Value::Given(text) | Value::Bytes(text) | Value::Ip(text) => {
                Some(text)
            }
            Value::Bool(_)
            | Value::Int(_)
            | Value::Uint(_)
            | Value::Based(..)
            | Value::Unshown(_)
            | Value::Double(_)
            | Value::List(_) => None,
        }
    }

    /// What is compared as a number, as the eight bytes of its slot.
    #[inline]
    fn number(&self) -> Option<u64> {
        match self {
            Value::Bool(flag) => Some(u64::from(*flag)),
            Value::Int(number) | Value::Unshown(number) => Some(*number as u64),
            Value::Uint(number) | Value::Based(number, _) => Some(*number),
            Value::Double(number) => Some(double_key(*number)),
            Value::Text(_) | Value::Given(_) | Value::Bytes(_) | Value::Ip(_) | Value::List(_) => {
                None
            }
        }
    }
}

/// Buffers that values are put together in. Used again from event to event.
#[derive(Debug, Default)]
pub struct Scratch {
    text: Vec<u8>,
    fd: FdInfo,
    fd_of: Option<Key>,
    fd_is_named: bool,
    ranges: Vec<(usize, usize)>,
    patterns: container::Patterns,
    spelled: param::Spelled,
    /// How many alerts were rendered with this; 0 where rows are written.
    alerts: u64,
}

/// Which event something in a [`Scratch`] belongs to.
type Key = (u64, u64, u64, u16);

fn key(event: &Event<'_>) -> Key {
    let sequence = event
        .recorded()
        .map_or(0, |event| event.record.header.sequence);
    (event.number(), event.process_time(), sequence, event.cpu())
}

impl Scratch {
    /// Empty buffers.
    pub fn new() -> Scratch {
        Scratch::default()
    }

    /// Another alert is rendered with this.
    pub(crate) fn count_alert(&mut self) {
        self.alerts += 1;
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
            let version = view.state.version(view.seen.process_row())?;
            process::value(field, view.state, version, view.event.number(), scratch)
        }
        Binding::Event => event_value(field, view, scratch),
    }
}

/// What must be noted of an event for the value of that field.
pub fn needs(asked: &FieldRef) -> Noted {
    let field = asked.field;
    Noted {
        counts: matches!(
            field,
            Field::EvtDeltatime
                | Field::EvtDeltatimeS
                | Field::EvtDeltatimeNs
                | Field::FdNameChanged
                | Field::ProcPpidDuration
                | Field::ProcNthreads
                | Field::ProcNchilds
                | Field::ProcVmsize
                | Field::ProcVmrss
                | Field::ProcVmswap
                | Field::ProcFdopencount
                | Field::ProcFdusage
                | Field::ThreadPfmajor
                | Field::ThreadPfminor
                | Field::ThreadVmsize
                | Field::ThreadVmrss
                | Field::ThreadVmsizeB
                | Field::ThreadVmrssB
        ),
        kinds: field == Field::FdTypes,
        others: match field {
            Field::EvtArgs
            | Field::EvtInfo
            | Field::EvtAbspath
            | Field::FdTypes
            | Field::FdlistNames
            | Field::FdlistCips
            | Field::FdlistSips
            | Field::FdlistCports
            | Field::FdlistSports => true,
            Field::EvtArg => shows_descriptors(&asked.arg),
            _ => false,
        },
    }
}

/// Whether a parameter of that name may be shown by what descriptors stand for.
fn shows_descriptors(name: &Arg) -> bool {
    let Arg::Key(name) = name else {
        return true;
    };
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    is_number
        || EventType::ALL.iter().any(|kind| {
            let param = kind.param(name).and_then(|index| kind.params().get(index));
            param.is_some_and(|param| {
                matches!(
                    param.kind,
                    ParamType::Fd | ParamType::FdList | ParamType::RelativePath
                )
            })
        })
}

/// The place of a parameter, given by name or, as Falco also takes it, by position.
fn param_index(kind: EventType, name: &str) -> Option<usize> {
    let by_position = || name.parse().ok();
    kind.param(name)
        .or_else(|| by_position().filter(|index| *index < kind.params().len()))
}

/// The value of a field that depends on the event itself.
fn event_value<'s>(
    field: &FieldRef,
    view: &'s View<'_>,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    let event = view.event;
    let fixed = |text: &'static str| Some(Value::Text(text.as_bytes()));
    match field.field {
        Field::EvtNum => Some(Value::Uint(event.number())),
        Field::EvtTime | Field::EvtOutputtime => {
            time::write_time_of_day(event.time(), scratch.text());
            Some(Value::Text(&scratch.text))
        }
        Field::EvtTimeS => {
            time::write_time_of_day_s(event.time(), scratch.text());
            Some(Value::Text(&scratch.text))
        }
        Field::EvtDatetime => {
            time::write_date_and_time(event.time(), scratch.text());
            Some(Value::Text(&scratch.text))
        }
        Field::EvtDatetimeS => {
            time::write_date_and_time_s(event.time(), scratch.text());
            Some(Value::Text(&scratch.text))
        }
        Field::EvtTimeIso8601 => {
            time::write_iso8601(event.time(), scratch.text());
            Some(Value::Text(&scratch.text))
        }
        Field::EvtRawtime => Some(Value::Uint(event.time())),
        Field::EvtRawtimeS => Some(Value::Uint(event.time() / time::SECOND)),
        Field::EvtRawtimeNs => Some(Value::Uint(event.time() % time::SECOND)),
        Field::EvtType | Field::SyscallType | Field::EvtAsynctype => {
            if let Some(known) = field.text_by_type(event.kind()?) {
                return known.and_then(fixed);
            }
            param::captured::name_of_event(event.captured()?).map(Value::Text)
        }
        Field::EvtCategory => fixed(category(view)?),
        Field::EvtCpu => Some(Value::Int(event.cpu().into())),
        Field::EvtDir | Field::EvtLatencyHuman => {
            field.text_by_type(event.kind()?)?.and_then(fixed)
        }
        Field::EvtLatency
        | Field::EvtLatencyS
        | Field::EvtLatencyNs
        | Field::EvtLatencyQuantized
        | Field::EvtWaitLatency
        | Field::EvtCountThreadinfo
        | Field::EvtTypeIs
        | Field::EvtIsIo
        | Field::EvtIsIoRead
        | Field::EvtIsIoWrite
        | Field::EvtIsWait
        | Field::EvtIsAsync
        | Field::EvtCount
        | Field::EvtCountExit => {
            let number = field.number_by_type(event.kind()?)??;
            Some(match field.field.kind() {
                Type::Bool => Value::Bool(number != 0),
                _ => Value::Uint(number),
            })
        }
        Field::EvtIoDir => event.kind()?.direction().and_then(fixed),
        Field::EvtArgs | Field::EvtInfo => {
            param::write_all(view, scratch)?;
            Some(Value::Text(&scratch.text))
        }
        Field::EvtArg => {
            let Arg::Key(name) = &field.arg else {
                return None;
            };
            let kind = event.kind()?;
            let index = param_index(kind, name)?;
            Some(Value::Text(param::text(view, index, scratch)?))
        }
        Field::EvtRawarg => {
            let Arg::Key(name) = &field.arg else {
                return None;
            };
            // Falco takes no position here.
            param::raw(view, event.kind()?.param(name)?)
        }
        Field::EvtBuffer => buffer(view, scratch),
        Field::EvtBuflen
        | Field::EvtBuflenIn
        | Field::EvtBuflenOut
        | Field::EvtBuflenFile
        | Field::EvtBuflenFileIn
        | Field::EvtBuflenFileOut
        | Field::EvtBuflenNet
        | Field::EvtBuflenNetIn
        | Field::EvtBuflenNetOut => buffer_len(field, view),
        Field::EvtIsSyslog => {
            let writes = event.kind()?.flags() & WRITES_FD != 0;
            let is_log = || {
                let info = view.info?;
                memchr::memmem::find(&info.name, b"/dev/log")
            };
            Some(Value::Bool(writes && is_log().is_some()))
        }
        Field::EvtCountProcinfo => {
            let counts =
                event.kind()? == EventType::Procinfo && is_first_thread(view) == Some(true);
            Some(Value::Uint(counts.into()))
        }
        Field::EvtAround => {
            let Arg::Key(time) = &field.arg else {
                return None;
            };
            // Rules ask how far away it is; what Falco would show is nothing.
            let distance = event.time().abs_diff(time.parse().ok()?);
            Some(Value::Unshown(i64::try_from(distance).unwrap_or(i64::MAX)))
        }
        Field::EvtDeltatime => Some(Value::Uint(since_last(view)?)),
        Field::EvtDeltatimeS => Some(Value::Uint(since_last(view)? / time::SECOND)),
        Field::EvtDeltatimeNs => Some(Value::Uint(since_last(view)? % time::SECOND)),
        Field::EvtReltime => Some(Value::Uint(since_first(view))),
        Field::EvtReltimeS => Some(Value::Uint(since_first(view) / time::SECOND)),
        Field::EvtReltimeNs => Some(Value::Uint(since_first(view) % time::SECOND)),
        Field::EvtInfraDockerName
        | Field::EvtInfraDockerContainerId
        | Field::EvtInfraDockerContainerName
        | Field::EvtInfraDockerContainerImage => infra::value(field.field, event.captured()?),
        Field::EvtRes => {
            let text = param::result(view, scratch)?;
            Some(Value::Text(text))
        }
        Field::EvtRawres => Some(Value::Int(event.result()?)),
        Field::EvtCountError
        | Field::EvtCountErrorFile
        | Field::EvtCountErrorNet
        | Field::EvtCountErrorMemory
        | Field::EvtCountErrorOther => {
            let counts = field.field == Field::EvtCountError
                || failure(view, scratch)?.contains(&Some(field.field));
            (is_failure(event) && counts).then_some(Value::Uint(1))
        }
        Field::EvtFailed => Some(Value::Bool(event.result()? < 0)),
        Field::EvtIsOpenRead => Some(Value::Bool(event.opens_to_read())),
        Field::EvtIsOpenWrite => Some(Value::Bool(event.opens_to_write())),
        Field::EvtIsOpenExec => Some(Value::Bool(event.makes_executable())),
        Field::EvtIsOpenCreate => Some(Value::Bool(event.opens_a_new_file())),
        Field::EvtSource => fixed("syscall"),
        Field::EvtHostname => Some(Value::Text(view.state.hostname())),
        Field::EvtAbspath => path::absolute(view, &field.arg, scratch),

        Field::FdNum
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
        | Field::FdProto
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
        | Field::FdConnected
        | Field::FdNameChanged
        | Field::FdDev
        | Field::FdDevMajor
        | Field::FdDevMinor
        | Field::FdIno
        | Field::FdIsUpperLayer
        | Field::FdIsLowerLayer => descriptor::value(field.field, view, scratch),
        Field::FdContainername => in_container(Field::FdName, view, scratch),
        Field::FdContainerdirectory => in_container(Field::FdDirectory, view, scratch),
        // Falco counts how often it is asked: in an output with each alert, in a condition that
        // begins with it with each event.
        Field::UtilCnt => Some(Value::Uint(match scratch.alerts {
            0 => event.number(),
            alerts => alerts,
        })),

        Field::FdlistNums
        | Field::FdlistNames
        | Field::FdlistCips
        | Field::FdlistSips
        | Field::FdlistCports
        | Field::FdlistSports => polled::value(field.field, view, scratch),

        Field::FsPathName => path::resolved(view, path::Which::Name, scratch),
        Field::FsPathNameraw => path::raw(view, path::Which::Name, scratch),
        Field::FsPathSource => path::resolved(view, path::Which::Source, scratch),
        Field::FsPathSourceraw => path::raw(view, path::Which::Source, scratch),
        Field::FsPathTarget => path::resolved(view, path::Which::Target, scratch),
        Field::FsPathTargetraw => path::raw(view, path::Which::Target, scratch),

        Field::ProcDuration => {
            let version = view.version?;
            Some(Value::Uint(since(view, version.start_time)?))
        }
        Field::ProcPpidDuration => {
            let version = view.version?;
            let parent = view.state.parent(version, event.number())?;
            // In a capture a parent may be any thread: its process's start counts.
            let parent = view.state.first_thread(parent, event.number())?;
            match since(view, parent.start_time) {
                Some(duration) => Some(Value::Uint(duration)),
                // For a parent that was there before the capture Falco's number is that of the
                // next field in its source: how many descriptors the process has.
                None => noted(view, |note| note.descriptors.into()),
            }
        }
        Field::ContainerDuration => {
            let version = view.version?;
            let start = container::start(view.state, version)?;
            Some(Value::Uint(event.time().saturating_sub(start)))
        }
        Field::ProcNthreads => noted(view, |note| note.threads.into()),
        Field::ProcNchilds => noted(view, |note| note.other_threads.into()),
        Field::ProcVmsize => Some(Value::Uint(memory(view)?.size.into())),
        Field::ProcVmrss => Some(Value::Uint(memory(view)?.resident.into())),
        Field::ProcVmswap => noted(view, |note| note.memory.swapped.into()),
        Field::ThreadPfmajor => noted(view, |note| note.memory.major_faults),
        Field::ThreadPfminor => noted(view, |note| note.memory.minor_faults),
        Field::ProcStdinType => standard(view, 0)?.kind.name().and_then(fixed),
        Field::ProcStdoutType => standard(view, 1)?.kind.name().and_then(fixed),
        Field::ProcStderrType => standard(view, 2)?.kind.name().and_then(fixed),
        Field::ProcStdinName => Some(Value::Text(&standard(view, 0)?.name)),
        Field::ProcStdoutName => Some(Value::Text(&standard(view, 1)?.name)),
        Field::ProcStderrName => Some(Value::Text(&standard(view, 2)?.name)),
        Field::ProcFdopencount => Some(Value::Uint(open_count(view)?.into())),
        Field::ProcFdusage => {
            let count = f64::from(open_count(view)?);
            let version = view.version?;
            let first = view.state.process_at(version.pid, event.number());
            // As Falco does, which knows no limit of processes it knows nothing of.
            let limit = first.unwrap_or(version).ids.fd_limit as i64;
            Some(Value::Double(match limit {
                ..=0 => 0.0,
                limit => (count * 100.0 / limit as f64).min(100.0),
            }))
        }
        Field::FdTypes => descriptor::types(view, &field.arg),
        Field::ThreadTid => Some(Value::Int(event.tid())),
        Field::ThreadIsmain => Some(Value::Bool(is_first_thread(view)?)),
        Field::ThreadVtid => {
            let version = view.version?;
            if version.is_captured() && view.seen.vtid == u32::MAX {
                return None;
            }
            Some(Value::Int((view.seen.vtid as i32).into()))
        }
        Field::ThreadNametid => {
            let version = view.version?;
            let text = scratch.text();
            text.extend_from_slice(version.comm.as_bytes());
            // Writing to a vector cannot fail.
            let _ = write!(text, "{}", event.tid());
            Some(Value::Text(text))
        }
        Field::ThreadVmsize => first_threads(view, |memory| memory.size),
        Field::ThreadVmrss => first_threads(view, |memory| memory.resident),
        Field::ThreadVmsizeB => kilobytes(first_threads(view, |memory| memory.size)?),
        Field::ThreadVmrssB => kilobytes(first_threads(view, |memory| memory.resident)?),

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
        | Field::ProcAargs
        | Field::ProcCmdnargs
        | Field::ProcCmdlenargs
        | Field::ProcExeline
        | Field::ProcEnv
        | Field::ProcAenv
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
        | Field::ProcPgid
        | Field::ProcPgidName
        | Field::ProcPgidExe
        | Field::ProcPgidExepath
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
        | Field::ProcIsPgidLeader
        | Field::ProcExeIno
        | Field::ProcExeInoCtime
        | Field::ProcExeInoMtime
        | Field::ProcExeInoCtimeDurationProcStart
        | Field::ProcExeInoCtimeDurationPidnsStart
        | Field::ProcPidnsInitStartTs
        | Field::ProcFdlimit
        | Field::ThreadCgroups
        | Field::ThreadCgroup
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
        | container_field!() => {
            let version = view.version?;
            process::value(field, view.state, version, event.number(), scratch)
        }
        absent_field!() => None,
    }
}

/// A field of the descriptor behind the id of the process's container, which the host has not.
fn in_container<'s>(
    field: Field,
    view: &'s View<'_>,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    let version = view.state.version(view.seen.version)?;
    let Value::Text(value) = descriptor::value(field, view, scratch)? else {
        return None;
    };
    let value = value.to_vec();
    let out = scratch.text();
    if let Some(id) = version.container() {
        out.extend_from_slice(id.short());
    }
    out.push(b':');
    out.extend_from_slice(&value);
    Some(Value::Text(out))
}

/// Whether the event is a call that failed, as Falco counts them: one that tells its result, or
/// the descriptor it makes.
fn is_failure(event: &Event<'_>) -> bool {
    let tells = event.kind().is_some_and(|kind| {
        kind.param("res").is_some() || kind.flags() & CREATES_FD != 0 && kind.param("fd").is_some()
    });
    tells && event.result().is_some_and(|result| result < 0)
}

/// As what a call that failed counts: by what it is about and, where that is nothing, by its
/// type.
fn failure(view: &View<'_>, scratch: &mut Scratch) -> Option<[Option<Field>; 2]> {
    use crate::state::descriptor::FdKind;
    let kind = view.event.kind()?;
    let is_memory = kind.category() == Category::Memory;
    let memory = is_memory.then_some(Field::EvtCountErrorMemory);
    let by_subject = match descriptor::info(view, scratch).map(|info| info.kind) {
        Some(FdKind::File | FdKind::Directory) => Some(Field::EvtCountErrorFile),
        Some(FdKind::Ipv4 | FdKind::Ipv6 | FdKind::Unix) => Some(Field::EvtCountErrorNet),
        Some(
            FdKind::Unknown
            | FdKind::Netlink
            | FdKind::Pipe
            | FdKind::Event
            | FdKind::Signal
            | FdKind::Epoll
            | FdKind::Inotify
            | FdKind::Timer
            | FdKind::Bpf
            | FdKind::Userfault
            | FdKind::IoUring
            | FdKind::Memfd
            | FdKind::Pidfd,
        ) => Some(Field::EvtCountErrorOther),
        None => match kind {
            EventType::Open
            | EventType::Creat
            | EventType::Openat
            | EventType::Openat2
            | EventType::OpenByHandleAt => Some(Field::EvtCountErrorFile),
            EventType::Accept | EventType::Accept4 | EventType::Connect => {
                Some(Field::EvtCountErrorNet)
            }
            _ if is_memory => None,
            _ => Some(Field::EvtCountErrorOther),
        },
    };
    Some([by_subject, memory])
}

/// How many descriptors the process has; of those the probe tells of, nobody counts them.
fn open_count(view: &View<'_>) -> Option<u32> {
    view.event.captured()?;
    view.version?;
    Some(view.state.note(view.event.number())?.descriptors)
}

/// What the event read or wrote.
fn buffer<'s>(view: &'s View<'_>, scratch: &'s mut Scratch) -> Option<Value<'s>> {
    let event = view.event.captured()?;
    let index = event.kind.param("data")?;
    match event.kind.params().get(index)?.kind {
        ParamType::Bytes => Some(Value::Bytes(event.bytes(index)?)),
        // A number or a text.
        _ => {
            scratch.text.clear();
            param::write(view, index, param::Form::Resolved, scratch)?;
            Some(Value::Text(&scratch.text))
        }
    }
}

/// How much the event read or wrote, if that is through a descriptor of a kind the field is for.
fn buffer_len<'s>(field: &FieldRef, view: &View<'_>) -> Option<Value<'s>> {
    use crate::state::descriptor::FdKind;
    let event = view.event.captured()?;
    if field.number_by_type(event.kind) == Some(None) {
        return None;
    }
    let kind = view.info?.kind;
    let counts = match field.field {
        Field::EvtBuflenFile | Field::EvtBuflenFileIn | Field::EvtBuflenFileOut => {
            kind == FdKind::File
        }
        Field::EvtBuflenNet | Field::EvtBuflenNetIn | Field::EvtBuflenNetOut => kind.is_ip(),
        _ => true,
    };
    let result = event.result().filter(|_| counts && event.kind.is_exit())?;
    Some(Value::Uint(u64::try_from(result).ok()?))
}

/// Nanoseconds since the event before; none if nobody has kept that.
fn since_last(view: &View<'_>) -> Option<u64> {
    Some(view.state.note(view.event.number())?.since_last_ns)
}

/// Nanoseconds since the first event; for Falco since the epoch, where there was none yet.
fn since_first(view: &View<'_>) -> u64 {
    let first = view
        .state
        .first_event()
        .filter(|(number, _)| *number <= view.event.number());
    // Clocks are set back, and Falco's number has no sign.
    view.event
        .time()
        .wrapping_sub(first.map_or(0, |(_, time)| time))
}

/// Memory of the event's thread.
fn memory(view: &View<'_>) -> Option<Memory> {
    let version = view.version?;
    match view.event {
        Event::Recorded(_) => Some(version.memory()),
        Event::Captured(event) => Some(view.state.note(event.number)?.memory),
    }
}

/// A number that is kept of a captured event's thread.
fn noted<'s>(view: &View<'_>, number: impl Fn(&Note) -> u64) -> Option<Value<'s>> {
    view.event.captured()?;
    view.version?;
    Some(Value::Uint(number(view.state.note(view.event.number())?)))
}

/// A size of the process in kB, shown for its first thread; 0 for the others.
fn first_threads<'s>(view: &View<'_>, size: impl Fn(&Memory) -> u32) -> Option<Value<'s>> {
    let memory = memory(view)?;
    let shown = if is_first_thread(view)? {
        size(&memory)
    } else {
        0
    };
    Some(Value::Uint(shown.into()))
}

/// A size in kB, in bytes.
fn kilobytes(size: Value<'_>) -> Option<Value<'_>> {
    match size {
        Value::Uint(size) => Some(Value::Uint(size.saturating_mul(1024))),
        other => Some(other),
    }
}

/// Whether the event's thread is its process's first; `None` for a captured event of no thread.
fn is_first_thread(view: &View<'_>) -> Option<bool> {
    match view.event {
        Event::Recorded(event) => Some(event.record.header.tid == event.record.header.tgid),
        Event::Captured(event) => {
            let version = view.version?;
            Some(i64::from(version.pid) == event.tid)
        }
    }
}

/// Nanoseconds from a start, given as time since boot, to the event.
fn since(view: &View<'_>, start_time: u64) -> Option<u64> {
    if start_time == 0 {
        return None;
    }
    Some(view.event.process_time().saturating_sub(start_time))
}

fn standard<'s>(view: &'s View<'_>, which: usize) -> Option<&'s FdInfo> {
    view.state.descriptor(view.seen.standard[which])
}

/// Falco's category; that of descriptor events depends on the descriptor.
fn category(view: &View<'_>) -> Option<&'static str> {
    use crate::state::descriptor::FdKind;
    let category = view.event.kind()?.category();
    if !category.is_io() {
        return Some(category.name());
    }
    let kind = view.info.map(|info| info.kind);
    Some(match kind {
        Some(FdKind::File | FdKind::Directory) => "file",
        Some(FdKind::Ipv4 | FdKind::Ipv6) => "net",
        // Not as the category of calls that make them, which is `IPC`.
        Some(
            FdKind::Unix
            | FdKind::Pipe
            | FdKind::Event
            | FdKind::Signal
            | FdKind::Inotify
            | FdKind::Userfault,
        ) => "ipc",
        Some(
            FdKind::Unknown
            | FdKind::Netlink
            | FdKind::Epoll
            | FdKind::Timer
            | FdKind::Bpf
            | FdKind::IoUring
            | FdKind::Memfd
            | FdKind::Pidfd,
        )
        | None => "unknown",
    })
}

#[cfg(test)]
mod tests;
