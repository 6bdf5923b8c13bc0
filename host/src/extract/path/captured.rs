//! Paths of events from captures: parameters of the event, resolved by what the state knows of
//! directories.

use super::Which;
use crate::event::Captured;
use crate::event::path::{Base, UNKNOWN, join, join_behind};
use crate::extract::{Scratch, Value, View};
use crate::state::descriptor::FdKind;
use saker_rules_schema::event::{EventType, USES_FD};
use saker_rules_schema::field::Arg;

/// Falco's text for what could not be read.
pub(in crate::extract) const UNREADABLE: &[u8] = b"<NA>";

/// What an event names a file by.
#[derive(Clone, Copy)]
enum Place {
    /// The parameter with the path.
    Path(usize),
    /// The descriptor's name.
    Descriptor,
}

fn place(event: EventType, which: Which) -> Option<Place> {
    let path = |path| Some(Place::Path(path));
    match (event, which) {
        (
            EventType::Open
            | EventType::Mkdir
            | EventType::Rmdir
            | EventType::Unlink
            | EventType::Chmod
            | EventType::Chown
            | EventType::Lchown
            | EventType::Quotactl
            | EventType::Umount
            | EventType::Umount2,
            Which::Name,
        ) => path(1),
        (
            EventType::Openat
            | EventType::Openat2
            | EventType::Mkdirat
            | EventType::Unlinkat
            | EventType::Fchmodat
            | EventType::Fchownat,
            Which::Name,
        ) => path(2),
        (EventType::Fchmod | EventType::Fchown, Which::Name) => Some(Place::Descriptor),
        (EventType::Rename, Which::Source) => path(1),
        (EventType::Rename, Which::Target) => path(2),
        (EventType::Renameat | EventType::Renameat2, Which::Source) => path(2),
        (EventType::Renameat | EventType::Renameat2, Which::Target) => path(4),
        // For Falco the new name is a link's source, and what it leads to the target.
        (EventType::Link, Which::Source) => path(2),
        (EventType::Link, Which::Target) => path(1),
        (EventType::Linkat, Which::Source) => path(4),
        (EventType::Linkat, Which::Target) => path(2),
        (EventType::Symlink, Which::Source) => path(2),
        (EventType::Symlink, Which::Target) => path(1),
        (EventType::Symlinkat, Which::Source) => path(3),
        (EventType::Symlinkat, Which::Target) => path(1),
        (EventType::Mount, Which::Source) => path(1),
        (EventType::Mount, Which::Target) => path(2),
        _ => None,
    }
}

/// Whether it is a call whose path stands for what it opens.
fn opens(event: &Captured<'_>) -> bool {
    matches!(
        event.kind,
        EventType::Open | EventType::Openat | EventType::Openat2
    )
}

/// The event's path, where Falco has one: of an open also if that failed, but not with an error
/// of 1, and of others only if they returned 0.
fn given<'s>(view: &'s View<'_>, event: &Captured<'s>, which: Which) -> Option<&'s [u8]> {
    view.version?;
    let place = place(event.kind, which)?;
    let result = event.result();
    let counts = match opens(event) {
        true => result != Some(-1),
        false => result == Some(0),
    };
    if !counts {
        return None;
    }
    match place {
        Place::Path(path) => Some(event.text(path).unwrap_or(UNREADABLE)),
        Place::Descriptor => Some(match view.info {
            Some(info) => &info.name,
            None => b"",
        }),
    }
}

pub(super) fn raw<'s>(view: &'s View<'_>, event: &Captured<'s>, which: Which) -> Option<Value<'s>> {
    given(view, event, which).map(Value::Text)
}

/// As Falco resolves `fs.path`, which is not as it resolves the name of what is opened: relative
/// to the directory that the event is about if it is about one, else to the current one.
pub(super) fn resolved<'s>(
    view: &'s View<'_>,
    event: &Captured<'s>,
    which: Which,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    let raw = given(view, event, which)?;
    let info = view.info;
    let is_relative = !raw.is_empty() && raw.first() != Some(&b'/');
    let base = match event.kind {
        EventType::Openat | EventType::Openat2 if is_relative => {
            return Some(Value::Text(info.map_or(UNKNOWN, |info| &info.name)));
        }
        EventType::Symlinkat if which == Which::Target => Base::Unknown,
        // What was not opened as a directory is none.
        kind if kind.flags() & USES_FD != 0 => match info {
            Some(info) if info.kind == FdKind::Directory => Base::Path(&info.name),
            Some(_) | None => Base::Unknown,
        },
        _ => cwd(view),
    };
    join(base, raw, scratch.text());
    Some(Value::Text(&scratch.text))
}

/// `evt.abspath`.
pub(super) fn absolute<'s>(
    view: &'s View<'_>,
    event: &Captured<'s>,
    side: &Arg,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    view.version?;
    let is_second = matches!(side, Arg::Key(side) if side == "dst");
    let (directory, path) = match event.kind {
        EventType::Openat
        | EventType::Openat2
        | EventType::Mkdirat
        | EventType::Unlinkat
        | EventType::Fchmodat
        | EventType::Fchownat => (1, 2),
        EventType::Renameat | EventType::Renameat2 | EventType::Linkat if is_second => (3, 4),
        EventType::Renameat | EventType::Renameat2 | EventType::Linkat => (1, 2),
        EventType::Symlinkat => (2, 3),
        EventType::OpenByHandleAt => {
            return event
                .text(3)
                .filter(|path| *path != UNREADABLE)
                .map(Value::Text);
        }
        _ => return None,
    };
    let raw = event.text(path).filter(|raw| *raw != UNREADABLE)?;
    let text = scratch.text();
    match (base(view, event, Some(directory)), event.signed(directory)) {
        (known, Some(fd)) if fd != i64::from(libc::AT_FDCWD) => {
            // Whatever its name ends in.
            text.extend_from_slice(match known {
                Base::Path(path) => path,
                Base::Components(_) | Base::End(_) | Base::Unknown => UNKNOWN,
            });
            text.push(b'/');
            join_behind(0, raw, text);
        }
        (known, _) => join(known, raw, text),
    }
    Some(Value::Text(text))
}

/// Where a relative path of an open starts.
pub(in crate::extract) fn base_of_open<'a>(view: &View<'a>, event: &Captured<'a>) -> Base<'a> {
    match event.kind {
        EventType::Openat | EventType::Openat2 => base(view, event, Some(1)),
        _ => cwd(view),
    }
}

/// Where a relative path starts: in the directory whose descriptor that parameter is.
pub(in crate::extract) fn base<'a>(
    view: &View<'a>,
    event: &Captured<'a>,
    directory: Option<usize>,
) -> Base<'a> {
    let Some(directory) = directory else {
        return cwd(view);
    };
    match event.signed(directory) {
        None => Base::Path(b""),
        Some(fd) if fd == i64::from(libc::AT_FDCWD) => cwd(view),
        Some(fd) => match view.descriptor_at(fd) {
            Some(info) => Base::Path(&info.name),
            None => Base::Unknown,
        },
    }
}

/// The current directory of the event's process: its first thread's.
fn cwd<'a>(view: &View<'a>) -> Base<'a> {
    let first = view.version.and_then(|version| {
        let first = view.state.process_at(version.pid, view.event.number());
        first.or(Some(version))
    });
    match first {
        Some(version) => Base::Path(&version.cwd),
        None => Base::Unknown,
    }
}
