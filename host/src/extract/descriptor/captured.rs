//! `fd.*` of events from captures: as Falco derives it from what events say.
//!
//! Source and destination of a connection are its entry's local and remote end there, whichever
//! of them the process is; which is local to the machine its interfaces tell.

use crate::event::Captured;
use crate::event::captured::address::Tuple;
use crate::event::path::{directory, file_name, is_plain, join};
use crate::extract::path::captured::{UNREADABLE, base_of_open};
use crate::extract::{Scratch, Value, View};
use crate::state::container::Container;
use crate::state::descriptor::{End, FdInfo, FdKind, Role};
use crate::state::version::ProcessVersion;
use saker_ebpf::record::{FILE_LOWER_LAYER, FILE_UPPER_LAYER};
use saker_rules_schema::event::{Base, EventType};
use saker_rules_schema::field::Field;
use std::io::Write;
use std::net::Ipv4Addr;

fn fixed<'s>(text: &'static str) -> Option<Value<'s>> {
    Some(Value::Text(text.as_bytes()))
}

pub(super) fn value<'s>(
    field: Field,
    view: &'s View<'_>,
    event: &Captured<'s>,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    let number = view.descriptor?;
    let version = view.version?;
    if field == Field::FdNum {
        return Some(Value::Int(number));
    }
    if field == Field::FdUid {
        let text = scratch.text();
        // Writing to a vector cannot fail.
        let _ = write!(text, "{}{number}", event.tid);
        return Some(Value::Text(text));
    }
    let Some(info) = view.info else {
        return of_nothing(field, view, event, scratch);
    };
    match field {
        Field::FdType => info.kind.name().and_then(fixed),
        Field::FdTypechar => fixed(info.kind.letter()),
        Field::FdName => Some(Value::Text(&info.name)),
        Field::FdNameraw => {
            let text = single_slashes(&info.raw, scratch.text());
            Some(Value::Text(text))
        }
        Field::FdDirectory if info.kind == FdKind::File => Some(Value::Text(directory(&info.name))),
        Field::FdDirectory if info.kind == FdKind::Directory => Some(Value::Text(&info.name)),
        Field::FdFilename if info.kind == FdKind::File => Some(Value::Text(file_name(&info.name))),
        Field::FdConnected => Some(Value::Bool(info.connected)),
        Field::FdNameChanged => {
            let note = view.state.note(event.number)?;
            Some(Value::Bool(note.fd_name_changed))
        }
        Field::FdDev => Some(Value::Based(info.device.into(), Base::Hexadecimal)),
        Field::FdDevMajor => Some(Value::Int((info.device >> 8 & 0xfff).into())),
        Field::FdDevMinor => {
            let minor = info.device & 0xff | info.device >> 12 & 0xf_ff00;
            Some(Value::Int(minor.into()))
        }
        Field::FdIno => Some(Value::Int(info.inode as i64)),
        Field::FdIsUpperLayer => Some(Value::Bool(info.file_flags & FILE_UPPER_LAYER != 0)),
        Field::FdIsLowerLayer => Some(Value::Bool(info.file_flags & FILE_LOWER_LAYER != 0)),
        _ => of_socket(field, view, info, version, scratch),
    }
}

/// What only sockets have.
fn of_socket<'s>(
    field: Field,
    view: &'s View<'_>,
    info: &'s FdInfo,
    version: &ProcessVersion,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    let ip = |(address, _): End<'s>| Value::Ip(address);
    let port = |(_, port): End<'s>| Value::Uint(port.into());
    let is_bound = info.is_bound();
    let is_pair = info.kind.is_ip() && !is_bound;
    let has_role = info.role != Role::None;
    let is_connection = is_pair && has_role;
    let (source, destination) = (info.local(), info.remote());
    let is_local = |ip: &[u8; 16]| is_local(view, version, info.kind, ip);
    let own = |is_own: bool| {
        is_connection.then(|| {
            let is_source = is_local(&info.socket.local);
            if is_source == is_own {
                source
            } else {
                destination
            }
        })
    };
    match field {
        Field::FdIp | Field::FdNet if is_pair => {
            Some(Value::List(vec![ip(source), ip(destination)]))
        }
        Field::FdIp | Field::FdNet if is_bound => Some(Value::List(vec![ip(source)])),
        Field::FdPort | Field::FdProto if is_pair => {
            Some(Value::List(vec![port(source), port(destination)]))
        }
        Field::FdPort | Field::FdProto if is_bound => Some(Value::List(vec![port(source)])),
        Field::FdCip | Field::FdCnet => is_connection.then(|| ip(source)),
        Field::FdCport => is_connection.then(|| port(source)),
        Field::FdSip | Field::FdSnet if is_bound => has_role.then(|| ip(source)),
        Field::FdSip | Field::FdSnet => is_connection.then(|| ip(destination)),
        Field::FdSport if is_bound => Some(port(source)),
        Field::FdSport => is_connection.then(|| port(destination)),
        Field::FdLip | Field::FdLnet => own(true).map(ip),
        Field::FdRip | Field::FdRnet => own(false).map(ip),
        Field::FdLport => own(true).map(port),
        Field::FdRport => own(false).map(port),
        Field::FdCproto if has_role => match is_pair {
            true => written_port(source, scratch),
            false => fixed(""),
        },
        Field::FdSproto if is_bound => fixed(""),
        Field::FdSproto if is_connection => written_port(destination, scratch),
        Field::FdLproto => written_port(own(true)?, scratch),
        Field::FdRproto => written_port(own(false)?, scratch),
        Field::FdL4proto => fixed(transport(info)),
        Field::FdSockfamily if info.kind.is_ip() => fixed("ip"),
        Field::FdSockfamily if info.kind == FdKind::Unix => fixed("unix"),
        Field::FdIsServer => Some(Value::Bool(
            is_bound || is_pair && is_local(&info.socket.remote),
        )),
        _ => None,
    }
}

/// Whether an address is the machine's own, or the container's of the process. Of containers'
/// IPv6 addresses Falco knows nothing.
fn is_local(view: &View<'_>, version: &ProcessVersion, kind: FdKind, ip: &[u8; 16]) -> bool {
    if kind == FdKind::Ipv6 {
        return version.container().is_none() && view.state.has_address(kind, ip);
    }
    let container = view.state.container(version, view.event.number());
    let own = match container {
        Some(Container::Known(facts)) => facts.ip.parse().ok().map(|ip: Ipv4Addr| ip.octets()),
        Some(Container::Id(_)) | None => None,
    };
    own.is_some_and(|own| own == ip[..4]) || view.state.has_address(kind, ip)
}

/// Falco's `fd.l4proto`, which of a connection nobody knows before its role.
pub(in crate::extract) fn transport(info: &FdInfo) -> &'static str {
    let protocol = i32::from(info.socket.protocol);
    if !info.kind.is_ip()
        || info.role == Role::None && !info.is_bound() && protocol != libc::IPPROTO_RAW
    {
        return "<NA>";
    }
    match protocol {
        libc::IPPROTO_TCP => "tcp",
        libc::IPPROTO_UDP => "udp",
        libc::IPPROTO_ICMP => "icmp",
        libc::IPPROTO_RAW => "raw",
        _ => "<NA>",
    }
}

fn written_port<'s>((_, port): End<'_>, scratch: &'s mut Scratch) -> Option<Value<'s>> {
    let text = scratch.text();
    // Writing to a vector cannot fail.
    let _ = write!(text, "{port}");
    Some(Value::Text(text))
}

/// A path without doubled slashes; `out` is empty.
fn single_slashes<'s>(path: &'s [u8], out: &'s mut Vec<u8>) -> &'s [u8] {
    if is_plain(path) {
        return path;
    }
    for byte in path {
        if *byte != b'/' || out.last() != Some(&b'/') {
            out.push(*byte);
        }
    }
    out
}

/// What an event says that is about a descriptor nobody knows, or made none.
fn of_nothing<'s>(
    field: Field,
    view: &'s View<'_>,
    event: &Captured<'s>,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    match field {
        Field::FdTypechar => fixed(
            match event.kind {
                EventType::Openat | EventType::Openat2 | EventType::Creat => FdKind::File,
                // As Falco has it, whatever family the socket would have been of.
                EventType::Socket | EventType::Accept | EventType::Accept4 => FdKind::Ipv4,
                EventType::Pipe | EventType::Pipe2 => FdKind::Pipe,
                EventType::Eventfd | EventType::Eventfd2 => FdKind::Event,
                EventType::Signalfd | EventType::Signalfd4 => FdKind::Signal,
                EventType::TimerfdCreate => FdKind::Timer,
                EventType::InotifyInit | EventType::InotifyInit1 => FdKind::Inotify,
                _ => FdKind::Unknown,
            }
            .letter(),
        ),
        Field::FdName | Field::FdNameraw | Field::FdDirectory => {
            let is_openat = matches!(event.kind, EventType::Openat | EventType::Openat2);
            let path = is_openat.then(|| event.text(2).unwrap_or(UNREADABLE));
            if path == Some(UNREADABLE) {
                return None;
            }
            let text = scratch.text();
            write_tried(view, event, field == Field::FdNameraw, text);
            if field == Field::FdNameraw {
                text.dedup_by(|next, last| (*next, *last) == (b'/', b'/'));
            }
            Some(Value::Text(match field {
                Field::FdDirectory => directory(text),
                _ => text,
            }))
        }
        _ => None,
    }
}

/// Appends the name that the call would have given what it was to make.
fn write_tried(view: &View<'_>, event: &Captured<'_>, is_raw: bool, out: &mut Vec<u8>) {
    match event.kind {
        EventType::Open | EventType::Creat => {
            let raw = event.text(1).unwrap_or(UNREADABLE);
            if raw.first() == Some(&b'/') || raw.is_empty() || raw == UNREADABLE {
                out.extend_from_slice(raw);
            } else {
                join(base_of_open(view, event), raw, out);
            }
        }
        EventType::Openat | EventType::Openat2 => {
            let raw = event.text(2).unwrap_or(UNREADABLE);
            if is_raw {
                out.extend_from_slice(raw);
            } else {
                join(base_of_open(view, event), raw, out);
            }
        }
        EventType::OpenByHandleAt => out.extend_from_slice(event.text(3).unwrap_or(UNREADABLE)),
        EventType::Accept | EventType::Accept4 => match event.bytes(1).and_then(Tuple::parse) {
            Some(tuple) => tuple.write(out),
            None => out.extend_from_slice(b"NULL"),
        },
        _ => {}
    }
}
