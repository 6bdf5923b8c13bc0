//! Parameters as text, as Falco spells them: flags by name, descriptors as `<f>/path`, paths
//! made absolute, ids of users and processes with their names.

pub(super) mod captured;
pub(super) mod wire;

use super::{Scratch, Value, View, descriptor, path, time};
use crate::event::params::Fact;
use crate::event::path::{resolve, write_components};
use crate::event::{Event, Param, encode};
use crate::state::descriptor::{FdInfo, push_unix_path, write_address};
use crate::state::version::ProcessVersion;
use saker_ebpf::record::{FILE_LOWER_LAYER, FILE_MEMFD, FILE_UPPER_LAYER, Kind, Tag};
use saker_rules_schema::event::{Base, EventType, ParamType, Symbol};
use std::io::Write;

/// How much of a parameter is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The number and, in parentheses, what it means (`evt.args`).
    Both,
    /// What it means or, where that is nothing, the number (`evt.arg.NAME`).
    Resolved,
}

/// Bytes of a parameter that are shown.
const BYTES_SHOWN: usize = 4096;

/// Writes all parameters as `name=value` into the scratch text.
pub(super) fn write_all(view: &View<'_>, scratch: &mut Scratch) -> Option<()> {
    let kind = view.event.kind()?;
    scratch.text.clear();
    // Those of a call without a type of its own say only which call it is.
    if kind == EventType::Syscall {
        return Some(());
    }
    for (index, param) in kind.params().iter().enumerate() {
        if index > 0 {
            scratch.text.push(b' ');
        }
        scratch.text.extend_from_slice(param.name.as_bytes());
        scratch.text.push(b'=');
        write(view, index, Form::Both, scratch)?;
    }
    Some(())
}

/// `SUCCESS`, the name of the error, or its number.
pub(super) fn result<'s>(view: &View<'_>, scratch: &'s mut Scratch) -> Option<&'s [u8]> {
    let result = view.event.result()?;
    if result >= 0 {
        return Some(b"SUCCESS");
    }
    let first = view.event.kind()?.params().first()?;
    match encode::error_name(result.saturating_neg()) {
        Some(name) if first.kind != ParamType::Pid => Some(name.as_bytes()),
        Some(_) | None => {
            let text = scratch.text();
            // Writing to a vector cannot fail.
            let _ = write!(text, "{result}");
            Some(text)
        }
    }
}

/// What a parameter is, once the state has been asked.
enum Known<'a> {
    Signed(i64),
    Unsigned(u64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Address(&'a [u8]),
    Tuple,
    FilePath,
    Absent,
}

/// Texts of flags, kept by the number that they spell: the same few occur over and over, and
/// spelling one takes a look at all there are.
#[derive(Debug, Default)]
pub(super) struct Spelled([Spelling; SPELLED]);

/// How many are kept.
const SPELLED: usize = 16;

#[derive(Debug, Default)]
struct Spelling {
    /// Event type, parameter and number.
    of: Option<(EventType, usize, u64)>,
    text: Vec<u8>,
}

/// The parameter at that place as `evt.arg` shows it.
pub(super) fn text<'s>(
    view: &View<'_>,
    index: usize,
    scratch: &'s mut Scratch,
) -> Option<&'s [u8]> {
    if let Event::Captured(event) = view.event
        && let Some(param) = event.kind.params().get(index)
        && matches!(param.kind, ParamType::Flags | ParamType::Enum)
        && let Some(number) = event.unsigned(index)
    {
        let mixed = number ^ number >> 16 ^ index as u64;
        let spelling = &mut scratch.spelled.0[mixed as usize % SPELLED];
        let of = Some((event.kind, index, number));
        if spelling.of != of {
            spelling.text.clear();
            captured::write(view, event, index, Form::Resolved, &mut spelling.text)?;
            spelling.of = of;
        }
        return Some(&spelling.text);
    }
    scratch.text.clear();
    write(view, index, Form::Resolved, scratch)?;
    Some(&scratch.text)
}

/// Appends the parameter at that place to the scratch text.
pub(super) fn write(
    view: &View<'_>,
    index: usize,
    form: Form,
    scratch: &mut Scratch,
) -> Option<()> {
    let kind = view.event.kind()?;
    let param = kind.params().get(index)?;
    if let Event::Captured(event) = view.event {
        return captured::write(view, event, index, form, &mut scratch.text);
    }
    let known = match view.event.param(index) {
        Some(Param::Fact(Fact::Cgroups)) => {
            write_cgroups(view, &mut scratch.text);
            return Some(());
        }
        param => known(view, param),
    };
    let number = match known {
        Known::Signed(number) => number,
        Known::Unsigned(number) => number as i64,
        Known::Text(_)
        | Known::Bytes(_)
        | Known::Address(_)
        | Known::Tuple
        | Known::FilePath
        | Known::Absent => 0,
    };
    let unsigned = match known {
        Known::Unsigned(number) => number,
        _ => number as u64,
    };
    let out = &mut scratch.text;
    match param.kind {
        ParamType::U32 | ParamType::Flags if matches!(known, Known::Absent) => {
            out.extend_from_slice(b"<NA>");
        }
        ParamType::Errno => {
            let name = encode::error_name(number.saturating_neg()).filter(|_| number < 0);
            write_named(number, name.map(str::as_bytes), form, out);
        }
        ParamType::Fd => write_fd(view, number, form, scratch),
        ParamType::Pid => {
            let pid = u32::try_from(number).ok().filter(|pid| *pid != 0);
            write_named(number, name_of_pid(view, pid), form, out);
        }
        ParamType::Uid => {
            let id = unsigned as u32;
            let user = view.state.users().user(id).map(|user| &*user.name);
            write_named((id as i32).into(), user.or(none_id(id)), form, out);
        }
        ParamType::Gid => {
            let id = unsigned as u32;
            let group = view.state.users().group(id);
            write_named((id as i32).into(), group.or(none_id(id)), form, out);
        }
        ParamType::Signal => {
            let name = encode::signal_name(number).map(str::as_bytes);
            write_named(number, name, form, out);
        }
        ParamType::SignalSet
        | ParamType::SyscallId
        | ParamType::U8
        | ParamType::U16
        | ParamType::U32
        | ParamType::U64
        | ParamType::RelTime
        | ParamType::Port
        | ParamType::Dyn(_) => {
            let _ = match param.base {
                Base::Decimal | Base::Unset => write!(out, "{unsigned}"),
                Base::Hexadecimal => write!(out, "{unsigned:X}"),
                Base::Octal if unsigned == 0 => write!(out, "0"),
                Base::Octal => write!(out, "0{unsigned:o}"),
            };
        }
        ParamType::I16 | ParamType::I32 | ParamType::I64 => {
            let _ = match param.base {
                Base::Decimal | Base::Unset => write!(out, "{number}"),
                Base::Hexadecimal => write!(out, "{number:X}"),
                Base::Octal => write!(out, "0{number:o}"),
            };
        }
        ParamType::Time => time::write_date_and_time(unsigned, out),
        ParamType::Flags | ParamType::Mode => {
            let start = out.len();
            if param.kind == ParamType::Mode && unsigned != 0 {
                let _ = write!(out, "0{unsigned:o}");
            } else {
                let _ = write!(out, "{unsigned}");
            }
            write_meaning(start, form, out, |out| {
                write_flags(unsigned, param.symbols, out)
            });
        }
        ParamType::Enum => {
            let start = out.len();
            let _ = write!(out, "{unsigned}");
            write_meaning(start, form, out, |out| {
                let named = param.symbols.iter().filter(|symbol| symbol.1 == unsigned);
                for (index, (name, _)) in named.enumerate() {
                    if index > 0 {
                        out.push(b'|');
                    }
                    out.extend_from_slice(name.as_bytes());
                }
            });
        }
        ParamType::Text => match known {
            Known::Text(text) => out.extend_from_slice(text),
            _ => out.extend_from_slice(b"<NA>"),
        },
        ParamType::Path | ParamType::RelativePath => match known {
            Known::Text(text) => write_path(view, kind, index, text, form, out),
            Known::FilePath => {
                let mut text = std::mem::take(&mut scratch.text);
                if let Some(info) = descriptor::info(view, scratch) {
                    text.extend_from_slice(&info.name);
                }
                scratch.text = text;
            }
            _ => out.extend_from_slice(b"<NA>"),
        },
        ParamType::Bytes
        | ParamType::TextList
        | ParamType::PairList
        | ParamType::FdList
        | ParamType::Ipv4
        | ParamType::Ipv6 => match known {
            Known::Bytes(bytes) | Known::Text(bytes) if !bytes.is_empty() => {
                let shown = &bytes[..bytes.len().min(BYTES_SHOWN)];
                let printable = |byte: &u8| match *byte {
                    byte @ 32..=126 => byte,
                    _ => b'.',
                };
                out.extend(shown.iter().map(printable));
            }
            _ => out.extend_from_slice(b"NULL"),
        },
        ParamType::Tuple => {
            let mark = scratch.text.len();
            let mut text = std::mem::take(&mut scratch.text);
            match descriptor::info(view, scratch) {
                Some(info) if info.connected => text.extend_from_slice(&info.name),
                Some(_) | None => text.extend_from_slice(b"NULL"),
            }
            debug_assert!(text.len() >= mark, "text is only appended");
            scratch.text = text;
        }
        ParamType::Address => match known {
            Known::Address(address) => write_sockaddr(address, out),
            _ => out.extend_from_slice(b"NULL"),
        },
    }
    Some(())
}

fn known<'v>(view: &'v View<'_>, param: Option<Param<'v>>) -> Known<'v> {
    match param {
        Some(Param::Signed(number)) => Known::Signed(number),
        Some(Param::Unsigned(number)) => Known::Unsigned(number),
        Some(Param::Text(text)) => Known::Text(text),
        Some(Param::Bytes(bytes)) => Known::Bytes(bytes),
        Some(Param::Address(address)) => Known::Address(address),
        Some(Param::Tuple) => Known::Tuple,
        Some(Param::FilePath) => Known::FilePath,
        Some(Param::Fact(fact)) => look_up(view, fact),
        Some(Param::Wire(_)) | None => Known::Absent,
    }
}

/// The parameter at that place as it was recorded.
pub(super) fn raw<'v>(view: &'v View<'_>, index: usize) -> Option<Value<'v>> {
    if let Event::Captured(event) = view.event {
        return captured::raw(event, index);
    }
    let param = view.event.kind()?.params().get(index)?;
    let number = match known(view, view.event.param(index)) {
        Known::Signed(number) => number as u64,
        Known::Unsigned(number) => number,
        Known::Text(text) => return Some(Value::Given(text)),
        Known::Bytes(bytes) => return Some(Value::Bytes(bytes)),
        Known::Address(_) | Known::Tuple | Known::FilePath | Known::Absent => return None,
    };
    captured::raw_number(param, number)
}

/// The name of the process of that id, as of the event.
fn name_of_pid<'a>(view: &View<'a>, pid: Option<u32>) -> Option<&'a [u8]> {
    let pid = pid?;
    let version = if i64::from(pid) == view.event.tid() {
        view.version
    } else {
        view.state.process_at(pid, view.event.number())
    };
    let name = version.map(|version| version.comm.as_bytes());
    name.filter(|name| !name.is_empty())
}

fn none_id(id: u32) -> Option<&'static [u8]> {
    (id == u32::MAX).then_some(b"<NONE>")
}

/// Appends a number and the name it stands for.
fn write_named(number: i64, name: Option<&[u8]>, form: Form, out: &mut Vec<u8>) {
    match (name, form) {
        (Some(name), Form::Resolved) => out.extend_from_slice(name),
        (Some(name), Form::Both) => {
            let _ = write!(out, "{number}(");
            out.extend_from_slice(name);
            out.push(b')');
        }
        (None, Form::Both | Form::Resolved) => {
            let _ = write!(out, "{number}");
        }
    }
}

/// Adds to the number written from `start` on what it means, or puts that in its place.
fn write_meaning(start: usize, form: Form, out: &mut Vec<u8>, meaning: impl FnOnce(&mut Vec<u8>)) {
    let after = out.len();
    out.push(b'(');
    meaning(out);
    if out.len() == after + 1 {
        out.truncate(after);
    } else if form == Form::Both {
        out.push(b')');
    } else {
        out.drain(start..=after);
    }
}

/// Falco's way: names in the order of the table; the one that equals the whole set ends it.
fn write_flags(set: u64, symbols: &[Symbol], out: &mut Vec<u8>) {
    let start = out.len();
    let mut push = |name: &str| {
        if out.len() > start {
            out.push(b'|');
        }
        out.extend_from_slice(name.as_bytes());
    };
    let mut left = set;
    for (name, bits) in symbols {
        if *bits == set {
            push(name);
            return;
        }
        if *bits != 0 && left & bits == *bits {
            push(name);
            left &= !bits;
        }
    }
}

/// Appends `<f>/path` and the like.
fn push_descriptor(info: &FdInfo, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(info.kind.letter().as_bytes());
    if info.kind.is_ip() {
        match info.protocol() {
            "tcp" => out.push(b't'),
            "udp" => out.push(b'u'),
            "icmp" => out.push(b'i'),
            "raw" => out.push(b'r'),
            _ => {}
        }
    }
    out.push(b'>');
    out.extend_from_slice(&info.name);
}

fn write_fd(view: &View<'_>, number: i64, form: Form, scratch: &mut Scratch) {
    let mut text = std::mem::take(&mut scratch.text);
    let start = text.len();
    let _ = write!(text, "{number}");
    write_meaning(start, form, &mut text, |text| {
        if number == i64::from(libc::AT_FDCWD) {
            text.extend_from_slice(b"AT_FDCWD");
        } else if number < 0 {
            let name = encode::error_name(number.saturating_neg());
            text.extend_from_slice(name.unwrap_or_default().as_bytes());
        } else {
            meaning_of_fd(view, number, scratch, text);
        }
    });
    scratch.text = text;
}

/// What a descriptor that an event names stands for, as of the event.
fn meaning_of_fd(view: &View<'_>, number: i64, scratch: &mut Scratch, out: &mut Vec<u8>) {
    let Some(event) = view.event.recorded() else {
        return;
    };
    let header = &event.record.header;
    let is_call = header.kind == Kind::Syscall;
    let directory = |arg: usize, tag| {
        (is_call && i64::from(header.args[arg] as i32) == number)
            .then(|| event.path(tag))
            .flatten()
    };
    let start = match event.kind {
        Some(
            EventType::Openat
            | EventType::Openat2
            | EventType::Unlinkat
            | EventType::Mkdirat
            | EventType::Fchmodat
            | EventType::Execveat,
        ) if event.descriptor() != Some(number) || !event.has(Tag::File) => directory(0, Tag::Dir0),
        Some(EventType::Renameat | EventType::Renameat2 | EventType::Linkat) => {
            directory(0, Tag::Dir0).or_else(|| directory(2, Tag::Dir1))
        }
        Some(EventType::Symlinkat) => directory(1, Tag::Dir1),
        _ => None,
    };
    if let Some(start) = start {
        out.extend_from_slice(b"<d>");
        start.write(out);
        return;
    }
    // A duplicate stands for what the original stands for.
    let duplicated = matches!(
        event.kind,
        Some(EventType::Dup | EventType::Dup2 | EventType::Dup3 | EventType::Fcntl)
    ) && event.succeeded();
    let is_pair = event.kind == Some(EventType::Socketpair);
    if (duplicated || is_pair || event.descriptor() == Some(number))
        && let Some(info) = descriptor::info(view, scratch)
    {
        push_descriptor(info, out);
    }
}

/// Appends a path as given and, if that is something else, made absolute.
fn write_path(
    view: &View<'_>,
    kind: EventType,
    index: usize,
    raw: &[u8],
    form: Form,
    out: &mut Vec<u8>,
) {
    use crate::event::params::{Origin, origins};
    let start = out.len();
    let tag = match origins(kind).get(index) {
        Some(Origin::Path1) => Tag::Dir1,
        _ => Tag::Dir0,
    };
    let base = match view.event.recorded() {
        Some(event) => path::base(view, event, tag),
        None => crate::event::path::Base::Unknown,
    };
    if raw.is_empty() || matches!(base, crate::event::path::Base::Unknown) && raw[0] != b'/' {
        out.extend_from_slice(raw);
        if form == Form::Both && !raw.is_empty() {
            out.push(b'(');
            out.extend_from_slice(raw);
            out.push(b')');
        }
        return;
    }
    out.extend_from_slice(raw);
    let middle = out.len();
    out.push(b'(');
    resolve(base, raw, out);
    if out[middle + 1..] == *raw {
        out.truncate(middle);
    } else if form == Form::Both {
        out.push(b')');
    } else {
        out.drain(start..=middle);
    }
}

fn write_sockaddr(address: &[u8], out: &mut Vec<u8>) {
    let family = address
        .get(..2)
        .map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    let port = address
        .get(2..4)
        .map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    let ip = match i32::from(family) {
        libc::AF_INET => address.get(4..8),
        libc::AF_INET6 => address.get(8..24),
        libc::AF_UNIX => return push_unix_path(&address[2..], out),
        _ => None,
    };
    match ip {
        Some(ip) => {
            write_address(ip, out);
            let _ = write!(out, ":{port}");
        }
        None => out.extend_from_slice(b"NULL"),
    }
}

/// Appends the control groups as Falco lists them, each ended by a dot.
fn write_cgroups(view: &View<'_>, out: &mut Vec<u8>) {
    let Some(version) = view.version else {
        out.extend_from_slice(b"NULL");
        return;
    };
    out.extend_from_slice(b"unified=");
    write_components(version.cgroup.unified(), out);
    out.push(b'.');
    if !version.cgroup.first_v1().is_empty() {
        out.extend_from_slice(b"v1=");
        write_components(version.cgroup.first_v1(), out);
        out.push(b'.');
    }
}

/// What the state knows of the process; of an exec that failed, what was tried.
fn look_up<'a>(view: &View<'a>, fact: Fact) -> Known<'a> {
    let Event::Recorded(event) = view.event else {
        return Known::Absent;
    };
    let header = &event.record.header;
    let failed = !event.succeeded();
    let is_exec = matches!(event.kind, Some(EventType::Execve | EventType::Execveat));
    let signed = |number: u32| Known::Signed(number.into());
    let unsigned = |number: u32| Known::Unsigned(number.into());
    match fact {
        Fact::Tid => return signed(header.tid),
        Fact::Pid => return signed(header.tgid),
        Fact::Exe if failed => {
            let tried = event.bytes(Tag::Args).filter(|_| is_exec);
            return tried.map_or(Known::Absent, |args| {
                Known::Text(&args[..memchr::memchr(0, args).unwrap_or(args.len())])
            });
        }
        Fact::Args if failed => {
            let tried = event.bytes(Tag::Args).filter(|_| is_exec);
            return tried.map_or(Known::Absent, |args| {
                let end = memchr::memchr(0, args).map_or(args.len(), |at| at + 1);
                Known::Bytes(&args[end..])
            });
        }
        Fact::Filename if failed => {
            return event.text(Tag::Path0).map_or(Known::Absent, Known::Text);
        }
        _ => {}
    }
    let Some(version) = view.version else {
        return Known::Absent;
    };
    let version: &ProcessVersion = version;
    let (ids, image, credentials) = (&version.ids, &version.image, &version.credentials);
    match fact {
        Fact::Tid => signed(header.tid),
        Fact::Pid => signed(header.tgid),
        Fact::Exe => Known::Text(image.exe()),
        Fact::Args => Known::Bytes(image.tail()),
        Fact::Filename => Known::Text(&image.filename),
        Fact::Ptid => signed(ids.ppid),
        Fact::Cwd => Known::Text(&version.cwd),
        Fact::FdLimit => Known::Unsigned(ids.fd_limit),
        Fact::VmSize => Known::Unsigned(version.vm_size),
        Fact::VmRss => Known::Unsigned(version.vm_rss),
        Fact::Comm => Known::Text(version.comm.as_bytes()),
        // Written by the caller, which has the place to put it together.
        Fact::Cgroups => Known::Absent,
        Fact::Env => Known::Bytes(&image.environment),
        Fact::Tty => unsigned(ids.tty),
        Fact::Vpgid => signed(ids.vpgid),
        Fact::Loginuid => unsigned(ids.loginuid),
        Fact::ExeFlags => {
            let bit = |flag: u32, falco: u64| {
                if image.file.flags & flag != 0 {
                    falco
                } else {
                    0
                }
            };
            Known::Unsigned(
                u64::from(image.is_writable)
                    | bit(FILE_UPPER_LAYER, 2)
                    | bit(FILE_MEMFD, 4)
                    | bit(FILE_LOWER_LAYER, 8),
            )
        }
        Fact::CapInheritable => Known::Unsigned(credentials.cap_inheritable),
        Fact::CapPermitted => Known::Unsigned(credentials.cap_permitted),
        Fact::CapEffective => Known::Unsigned(credentials.cap_effective),
        Fact::ExeIno => Known::Unsigned(image.file.inode),
        Fact::ExeCtime => Known::Unsigned(image.file.ctime),
        Fact::ExeMtime => Known::Unsigned(image.file.mtime),
        Fact::Uid => unsigned(credentials.euid),
        Fact::Gid => unsigned(credentials.egid),
        Fact::ExePath => Known::Text(&image.exe_path),
        Fact::Pgid => signed(ids.pgid),
        Fact::Vtid => signed(view.seen.vtid),
        Fact::Vpid => signed(ids.vpid),
        Fact::PidNsStart => Known::Unsigned(ids.pid_ns_start_time),
    }
}
