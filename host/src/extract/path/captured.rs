//! Paths of events from captures: parameters of the event, resolved by what the state knows of
//! directories.

use super::{Which, cwd};
use crate::event::Captured;
use crate::event::path::{Base, resolve};
use crate::extract::{Scratch, Value, View, descriptor};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::Arg;

/// Where a path of an event lies: the parameter with the path, and the one with the descriptor
/// of the directory in which it starts (else it starts in the current one).
#[derive(Clone, Copy)]
enum Place {
    Path(usize, Option<usize>),
    /// The descriptor's name.
    Descriptor,
}

fn place(event: EventType, which: Which) -> Option<Place> {
    let path = |path| Some(Place::Path(path, None));
    let at = |directory, path| Some(Place::Path(path, Some(directory)));
    match (event, which) {
        (
            EventType::Open
            | EventType::Creat
            | EventType::Mkdir
            | EventType::Rmdir
            | EventType::Unlink
            | EventType::Chmod
            | EventType::Umount
            | EventType::Umount2,
            Which::Name,
        ) => path(1),
        (
            EventType::Openat
            | EventType::Openat2
            | EventType::Mkdirat
            | EventType::Unlinkat
            | EventType::Fchmodat,
            Which::Name,
        ) => at(1, 2),
        (EventType::Fchmod, Which::Name) => Some(Place::Descriptor),
        (EventType::Rename, Which::Source) => path(1),
        (EventType::Rename, Which::Target) => path(2),
        (EventType::Renameat | EventType::Renameat2, Which::Source) => at(1, 2),
        (EventType::Renameat | EventType::Renameat2, Which::Target) => at(3, 4),
        // For Falco the new name is a link's source, and what it leads to the target.
        (EventType::Link, Which::Source) => path(2),
        (EventType::Link, Which::Target) => path(1),
        (EventType::Linkat, Which::Source) => at(3, 4),
        (EventType::Linkat, Which::Target) => at(1, 2),
        (EventType::Symlink, Which::Source) => path(2),
        (EventType::Symlink, Which::Target) => path(1),
        (EventType::Symlinkat, Which::Source) => at(2, 3),
        (EventType::Symlinkat, Which::Target) => at(2, 1),
        (EventType::Mount, Which::Source) => path(1),
        (EventType::Mount, Which::Target) => path(2),
        _ => None,
    }
}

/// Where a relative path of an open starts.
pub(in crate::extract) fn base_of_open<'a>(view: &View<'a>, event: &Captured<'a>) -> Base<'a> {
    match place(event.kind, Which::Name) {
        Some(Place::Path(_, directory)) => base(view, event, directory),
        Some(Place::Descriptor) | None => Base::Unknown,
    }
}

pub(super) fn raw<'s>(
    view: &'s View<'_>,
    event: &Captured<'s>,
    which: Which,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    match place(event.kind, which)? {
        Place::Path(path, _) => event.text(path).map(Value::Text),
        Place::Descriptor => Some(Value::Text(&descriptor::info(view, scratch)?.name)),
    }
}

pub(super) fn resolved<'s>(
    view: &'s View<'_>,
    event: &Captured<'s>,
    which: Which,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    match place(event.kind, which)? {
        Place::Path(path, directory) => {
            let raw = event.text(path)?;
            resolve(base(view, event, directory), raw, scratch.text());
            Some(Value::Text(&scratch.text))
        }
        Place::Descriptor => Some(Value::Text(&descriptor::info(view, scratch)?.name)),
    }
}

/// `evt.abspath`.
pub(super) fn absolute<'s>(
    view: &'s View<'_>,
    event: &Captured<'s>,
    side: &Arg,
    scratch: &'s mut Scratch,
) -> Option<Value<'s>> {
    let is_second = matches!(side, Arg::Key(side) if side == "dst");
    let which = match event.kind {
        EventType::Openat
        | EventType::Openat2
        | EventType::Mkdirat
        | EventType::Unlinkat
        | EventType::Fchmodat => Which::Name,
        EventType::Renameat | EventType::Renameat2 => match is_second {
            true => Which::Target,
            false => Which::Source,
        },
        EventType::Linkat => match is_second {
            true => Which::Source,
            false => Which::Target,
        },
        EventType::Symlinkat => Which::Source,
        EventType::OpenByHandleAt => {
            return Some(Value::Text(&descriptor::info(view, scratch)?.name));
        }
        _ => return None,
    };
    resolved(view, event, which, scratch)
}

/// Where a relative path starts: in the directory whose descriptor that parameter is.
pub(in crate::extract) fn base<'a>(
    view: &View<'a>,
    event: &Captured<'a>,
    directory: Option<usize>,
) -> Base<'a> {
    let fd = directory.and_then(|index| event.signed(index));
    match fd {
        None => cwd(view),
        Some(fd) if fd == i64::from(libc::AT_FDCWD) => cwd(view),
        Some(fd) => match view.descriptor_at(fd) {
            Some(info) => Base::Path(&info.name),
            None => Base::Unknown,
        },
    }
}
