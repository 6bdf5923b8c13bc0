//! `fd.*`: what is known of the descriptor an event is about.

mod captured;

use super::{Scratch, Value, View, key, path};
use crate::event::Event;
use crate::event::path::{directory, file_name, resolve};
use crate::state::descriptor::{FdInfo, FdKind, NAME_BYTES_MAX, Role};
use saker_ebpf::record::{FILE_LOWER_LAYER, FILE_UPPER_LAYER, Tag};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{Arg, Field};
use std::io::Write;

/// What the event's descriptor stands for: as the state has it, else as the record tells.
pub(super) fn info<'s>(view: &'s View<'_>, scratch: &'s mut Scratch) -> Option<&'s FdInfo> {
    info_with(view, scratch, true)
}

/// The same, where `names` says whether its names are looked at.
fn info_with<'s>(view: &'s View<'_>, scratch: &'s mut Scratch, names: bool) -> Option<&'s FdInfo> {
    let number = view.descriptor?;
    if number < 0 {
        return None;
    }
    if let Some(info) = view.info {
        return Some(info);
    }
    // What a capture's descriptors stand for, only the state knows.
    let event = view.event.recorded()?;
    if !event.has(Tag::File) && !event.has(Tag::Socket) {
        return None;
    }
    let key = key(view.event);
    if scratch.fd_of != Some(key) || names && !scratch.fd_is_named {
        match names {
            true => scratch.fd.fill_resolved(event, view.seen.role),
            false => scratch.fd.fill_facts(event, view.seen.role),
        }
        scratch.fd_of = Some(key);
        scratch.fd_is_named = names;
    }
    Some(&scratch.fd)
}

/// An open (or creat) that failed has a path but no descriptor.
fn is_failed_open(view: &View<'_>) -> bool {
    matches!(
        view.event.kind(),
        Some(EventType::Open | EventType::Openat | EventType::Openat2 | EventType::Creat)
    ) && !view.event.succeeded()
}

/// Whether the value of the descriptor's number stands in no register: the call failed to
/// make one.
fn makes_descriptor(view: &View<'_>) -> bool {
    view.descriptor == view.event.result()
}

/// `fd.types`: the kinds of all descriptors of the process, each once, or with a number that of
/// one descriptor: a standard one, or one that the event names.
pub(super) fn types<'s>(view: &View<'_>, which: &Arg) -> Option<Value<'s>> {
    let event = view.event.captured()?;
    event.kind.fd_param()?;
    view.version?;
    let name = |kind: FdKind| Value::Text(kind.name().unwrap_or("<NA>").as_bytes());
    let number = match which {
        Arg::Index(number) => i64::from(*number),
        _ => {
            let kinds: Vec<_> = view
                .state
                .note(event.number)?
                .kinds
                .iter()
                .map(name)
                .collect();
            return (!kinds.is_empty()).then_some(Value::List(kinds));
        }
    };
    let info = match usize::try_from(number).ok()? {
        standard @ 0..3 => view.state.descriptor(view.seen.standard[standard]),
        _ => view.descriptor_at(number),
    };
    Some(Value::List(vec![name(info?.kind)]))
}

pub(super) fn value<'s>(
    field: Field,
    view: &'s View<'_>,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    if let Event::Captured(event) = view.event {
        return captured::value(field, view, event, scratch);
    }
    let number = view.descriptor?;
    if field == Field::FdNum {
        let failed = number < 0 && makes_descriptor(view);
        return Some(Value::Int(if failed { -1 } else { number }));
    }
    if field == Field::FdUid {
        let number = if number < 0 && makes_descriptor(view) {
            -1
        } else {
            number
        };
        let text = scratch.text();
        // Writing to a vector cannot fail.
        let _ = write!(text, "{}{number}", view.event.tid());
        return Some(Value::Text(text));
    }
    if is_failed_open(view) {
        return failed_open(field, view, scratch);
    }
    let fixed = |text: &'static str| Some(Value::Text(text.as_bytes()));
    let names = matches!(
        field,
        Field::FdName | Field::FdDirectory | Field::FdFilename
    );
    let Some(info) = info_with(view, scratch, names) else {
        return match field {
            Field::FdTypechar => fixed(FdKind::Unknown.letter()),
            Field::FdName | Field::FdNameraw => fixed(""),
            Field::FdDirectory => fixed("/"),
            _ => None,
        };
    };
    let is_ip = info.kind.is_ip();
    let connected = is_ip && info.connected;
    let bound = is_ip && !info.connected && info.socket.local_port != 0;
    let ip = |(address, _): (&'s [u8], u16)| Value::Ip(address);
    let port = |(_, port): (&[u8], u16)| Value::Uint(port.into());
    match field {
        Field::FdNum => Some(Value::Int(number)),
        Field::FdType => info.kind.name().and_then(fixed),
        Field::FdTypechar => fixed(info.kind.letter()),
        Field::FdName => Some(Value::Text(&info.name)),
        Field::FdDirectory => match info.kind {
            FdKind::File => Some(Value::Text(directory(&info.name))),
            FdKind::Directory => Some(Value::Text(&info.name)),
            FdKind::Unknown => fixed("/"),
            FdKind::Ipv4
            | FdKind::Ipv6
            | FdKind::Unix
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
            | FdKind::Pidfd => None,
        },
        Field::FdFilename => {
            (info.kind == FdKind::File).then(|| Value::Text(file_name(&info.name)))
        }
        // What the state does not keep was given with this very event.
        Field::FdNameraw if view.info.is_none() => {
            let raw = tried(view).unwrap_or_default();
            Some(Value::Text(&raw[..raw.len().min(NAME_BYTES_MAX)]))
        }
        Field::FdNameraw => Some(Value::Text(&info.raw)),
        Field::FdIp | Field::FdNet if connected => {
            let (client, server) = info.ends();
            Some(Value::List(vec![ip(client), ip(server)]))
        }
        Field::FdPort | Field::FdProto if connected => {
            let (client, server) = info.ends();
            Some(Value::List(vec![port(client), port(server)]))
        }
        Field::FdIp | Field::FdNet if bound => Some(Value::List(vec![ip(info.local())])),
        Field::FdPort | Field::FdProto if bound => Some(Value::List(vec![port(info.local())])),
        Field::FdCip | Field::FdCnet => connected.then(|| ip(info.ends().0)),
        Field::FdCport => connected.then(|| port(info.ends().0)),
        Field::FdSip | Field::FdSnet if bound => Some(ip(info.local())),
        Field::FdSport if bound => Some(port(info.local())),
        Field::FdSip | Field::FdSnet => connected.then(|| ip(info.ends().1)),
        Field::FdSport => connected.then(|| port(info.ends().1)),
        Field::FdLip | Field::FdLnet => connected.then(|| ip(info.local())),
        Field::FdLport => connected.then(|| port(info.local())),
        Field::FdRip | Field::FdRnet => connected.then(|| ip(info.remote())),
        Field::FdRport => connected.then(|| port(info.remote())),
        Field::FdL4proto => fixed(info.protocol()),
        Field::FdSockfamily if is_ip => fixed("ip"),
        Field::FdSockfamily => (info.kind == FdKind::Unix).then_some(Value::Text(b"unix")),
        Field::FdIsServer => Some(Value::Bool(info.role == Role::Server)),
        Field::FdConnected => Some(Value::Bool(info.connected)),
        Field::FdDev => Some(Value::Int(info.device.into())),
        Field::FdDevMajor => Some(Value::Int(
            crate::event::encode::device_parts(info.device).0.into(),
        )),
        Field::FdDevMinor => Some(Value::Int(
            crate::event::encode::device_parts(info.device).1.into(),
        )),
        Field::FdIno => Some(Value::Int(info.inode as i64)),
        Field::FdIsUpperLayer => Some(Value::Bool(info.file_flags & FILE_UPPER_LAYER != 0)),
        Field::FdIsLowerLayer => Some(Value::Bool(info.file_flags & FILE_LOWER_LAYER != 0)),
        _ => None,
    }
}

/// The path handed to an open.
fn tried<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    view.event.recorded()?.text(Tag::Path0)
}

fn failed_open<'s>(
    field: Field,
    view: &'s View<'_>,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    match field {
        Field::FdTypechar => {
            // As Falco has it: only the oldest call knows nothing of what it did not open.
            let letter = match view.event.kind() {
                Some(EventType::Open) => FdKind::Unknown,
                _ => FdKind::File,
            };
            Some(Value::Text(letter.letter().as_bytes()))
        }
        Field::FdNameraw => tried(view).map(Value::Text),
        Field::FdName | Field::FdDirectory => {
            let raw = tried(view)?;
            let base = path::base(view, view.event.recorded()?, Tag::Dir0);
            resolve(base, raw, scratch.text());
            let name = &scratch.text[..];
            Some(Value::Text(if field == Field::FdName {
                name
            } else {
                directory(name)
            }))
        }
        _ => None,
    }
}
