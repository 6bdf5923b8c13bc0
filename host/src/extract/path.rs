//! `fs.path.*`, and the resolving of paths as programs give them.

pub(super) mod captured;

use super::{Scratch, Value, View, descriptor};
use crate::event::path::{Base, resolve};
use crate::event::{Event, Recorded};
use saker_ebpf::record::{Kind, Tag};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::Arg;

/// Which path of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Name,
    Source,
    Target,
}

/// Where a path of an event lies.
enum Place {
    None,
    /// First path, relative to its directory.
    First,
    /// Second path, relative to its directory.
    Second,
    /// First path, relative to the second one's directory or the cwd.
    FirstBySecond,
    /// The descriptor's name.
    Descriptor,
}

fn place(event: EventType, which: Which) -> Place {
    match event {
        EventType::Open
        | EventType::Openat
        | EventType::Openat2
        | EventType::Mkdir
        | EventType::Mkdirat
        | EventType::Rmdir
        | EventType::Unlink
        | EventType::Unlinkat
        | EventType::Chmod
        | EventType::Fchmodat
        | EventType::Umount
        | EventType::Umount2
            if which == Which::Name =>
        {
            Place::First
        }
        EventType::Fchmod if which == Which::Name => Place::Descriptor,
        EventType::Rename | EventType::Renameat | EventType::Renameat2 => match which {
            Which::Name => Place::None,
            Which::Source => Place::First,
            Which::Target => Place::Second,
        },
        // For Falco the new name is a link's source, and what it leads to the target.
        EventType::Link | EventType::Linkat => match which {
            Which::Name => Place::None,
            Which::Source => Place::Second,
            Which::Target => Place::First,
        },
        EventType::Symlink | EventType::Symlinkat => match which {
            Which::Name => Place::None,
            Which::Source => Place::Second,
            Which::Target => Place::FirstBySecond,
        },
        EventType::Mount => match which {
            Which::Name => Place::None,
            Which::Source => Place::FirstBySecond,
            Which::Target => Place::Second,
        },
        _ => Place::None,
    }
}

/// A path as the program gave it. Calls other than open have paths only when they succeed.
pub(super) fn raw<'s>(
    view: &'s View<'_>,
    which: Which,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    let event = match view.event {
        Event::Recorded(event) => event,
        Event::Captured(event) => return captured::raw(view, event, which),
    };
    let kind = event.kind?;
    if !view.event.succeeded() && !view.event.is_open() {
        return None;
    }
    let tag = match place(kind, which) {
        Place::None => return None,
        Place::First | Place::FirstBySecond => Tag::Path0,
        Place::Second => Tag::Path1,
        Place::Descriptor => {
            return Some(Value::Text(&descriptor::info(view, scratch)?.name));
        }
    };
    event.text(tag).map(Value::Text)
}

/// A path made absolute and normalised.
pub(super) fn resolved<'s>(
    view: &'s View<'_>,
    which: Which,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    let event = match view.event {
        Event::Recorded(event) => event,
        Event::Captured(event) => return captured::resolved(view, event, which, scratch),
    };
    let kind = event.kind?;
    if !view.event.succeeded() && !view.event.is_open() {
        return None;
    }
    let (path, directory) = match place(kind, which) {
        Place::None => return None,
        Place::First => (Tag::Path0, Tag::Dir0),
        Place::Second => (Tag::Path1, Tag::Dir1),
        Place::FirstBySecond => (Tag::Path0, Tag::Dir1),
        Place::Descriptor => {
            return Some(Value::Text(&descriptor::info(view, scratch)?.name));
        }
    };
    let raw = event.text(path)?;
    resolve(base(view, event, directory), raw, scratch.text());
    Some(Value::Text(&scratch.text))
}

/// `evt.abspath`: the path of a call that takes a directory as well, made absolute, whether
/// the call succeeded or not. Where there are two, the first, unless `dst` is asked for.
pub(super) fn absolute<'s>(
    view: &'s View<'_>,
    side: &Arg,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    let is_second = matches!(side, Arg::Key(side) if side == "dst");
    let event = match view.event {
        Event::Recorded(event) => event,
        Event::Captured(event) => return captured::absolute(view, event, side, scratch),
    };
    let (path, directory) = match event.kind? {
        EventType::Openat
        | EventType::Openat2
        | EventType::Mkdirat
        | EventType::Unlinkat
        | EventType::Fchmodat => (Tag::Path0, Tag::Dir0),
        EventType::Renameat | EventType::Renameat2 | EventType::Linkat => match is_second {
            true => (Tag::Path1, Tag::Dir1),
            false => (Tag::Path0, Tag::Dir0),
        },
        EventType::Symlinkat => (Tag::Path1, Tag::Dir1),
        EventType::OpenByHandleAt => {
            return Some(Value::Text(&descriptor::info(view, scratch)?.name));
        }
        _ => return None,
    };
    let raw = event.text(path)?;
    resolve(base(view, event, directory), raw, scratch.text());
    Some(Value::Text(&scratch.text))
}

/// Where a relative path of that event starts.
pub(super) fn base<'a>(view: &View<'a>, event: &Recorded<'a>, directory: Tag) -> Base<'a> {
    if let Some(base) = event.path(directory) {
        return base;
    }
    let header = &event.record.header;
    let descriptor = match (event.kind, directory) {
        _ if header.kind != Kind::Syscall => None,
        (
            Some(
                EventType::Openat
                | EventType::Openat2
                | EventType::Mkdirat
                | EventType::Unlinkat
                | EventType::Fchmodat
                | EventType::Renameat
                | EventType::Renameat2
                | EventType::Linkat
                | EventType::Execveat,
            ),
            Tag::Dir0,
        ) => Some(header.args[0]),
        (Some(EventType::Renameat | EventType::Renameat2 | EventType::Linkat), Tag::Dir1) => {
            Some(header.args[2])
        }
        (Some(EventType::Symlinkat), Tag::Dir1) => Some(header.args[1]),
        _ => None,
    };
    if descriptor.is_some_and(|descriptor| descriptor as i32 != libc::AT_FDCWD) {
        return Base::Unknown;
    }
    cwd(view)
}

/// The current directory of the event's thread.
fn cwd<'a>(view: &View<'a>) -> Base<'a> {
    match view.version {
        Some(version) if version.knows_cwd() => Base::Path(&version.cwd),
        Some(_) | None => Base::Unknown,
    }
}
