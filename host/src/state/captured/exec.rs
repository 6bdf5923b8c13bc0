//! What an exec that a capture tells of changes.

use super::birth::name;
use super::flags;
use super::lifecycle::{memory_at, set_capabilities, set_gid, set_uid, with_faults};
use super::threads::NO_ID;
use crate::event::Captured;
use crate::event::path::{Base, join};
use crate::state::State;
use crate::state::facts::{Image, KeptImage};
use saker_ebpf::record::{FILE_LOWER_LAYER, FILE_MEMFD, FILE_UPPER_LAYER, File};

/// Falco's bits of what is executed.
const EXE_WRITABLE: u64 = 1;
const EXE_UPPER_LAYER: u64 = 2;
const EXE_FROM_MEMFD: u64 = 4;
const EXE_LOWER_LAYER: u64 = 8;

/// Falco's bit of the flags of an `execveat`.
const AT_EMPTY_PATH: u64 = 1;

/// The kernel's way to say that a file has no name any more.
const DELETED: &[u8] = b" (deleted)";

impl State {
    /// The event is of the thread that the kernel left: the first one, whichever called exec.
    pub(super) fn apply_exec_captured(&mut self, slot: u32, event: &Captured<'_>) {
        let was_unknown = self.is_invalid(slot);
        self.captured.revive(slot);
        let id_at = |index: usize| event.signed(index).map(super::id);
        if let Some(pid) = id_at(4) {
            self.change(slot, |version| version.pid = pid);
        }
        if was_unknown {
            self.introduce_by_exec(slot, event);
        }
        let latest = self.latest(slot);
        let Some((old, start_time)) =
            latest.map(|version| (version.image.clone(), version.start_time))
        else {
            return;
        };
        let mut image = image_of(event, &old);
        if event.text(27).is_none()
            && let Some(path) = self.path_as_given(slot, event)
        {
            image.exe_path = path.into();
        }
        if start_time != 0 {
            image.started_after_change_ns = start_time.wrapping_sub(image.file.ctime);
        }
        self.bound(&mut image);
        let image = KeptImage::new(image, &self.image_bytes);
        let cgroup = event.bytes(14).filter(|list| !list.is_empty());
        let cgroup = cgroup.map(|list| self.captured_cgroup(list));
        let comm = name(event);
        self.change(slot, |version| {
            version.image = image.clone();
            version.comm = comm;
            version.has_container = true;
            version.has_executed = true;
            if let Some(cgroup) = &cgroup {
                version.cgroup = cgroup.clone();
            }
            let ids = &mut version.ids;
            ids.fd_limit = event.unsigned(7).unwrap_or(ids.fd_limit);
            ids.tty = event.unsigned(16).map_or(ids.tty, |tty| tty as u32);
            ids.vpgid = id_at(17).unwrap_or(ids.vpgid);
            ids.loginuid = event.unsigned(18).map_or(ids.loginuid, |uid| uid as u32);
            ids.pgid = id_at(28).unwrap_or(NO_ID);
            set_capabilities(version, [20, 21, 22].map(|index| event.unsigned(index)));
            if let Some(uid) = event.unsigned(26) {
                set_uid(version, uid as u32);
            }
            if let Some(gid) = event.unsigned(29) {
                set_gid(version, gid as u32);
            }
        });
        if let Some(kept) = self.captured.get_mut(slot) {
            kept.flags &= flags::KEPT_BY_EXEC;
            if event.unsigned(12).is_some() {
                kept.memory = with_faults(event, 8, memory_at(event, 10, kept.memory));
            }
        }
        self.mark_namespace(slot);
        self.end_others(slot);
        self.captured_close_on_exec(slot);
    }

    /// An exec tells of a thread of which nothing was known what process it is.
    fn introduce_by_exec(&mut self, slot: u32, event: &Captured<'_>) {
        let ptid = event.signed(5).map_or(NO_ID, super::id);
        self.change(slot, |version| version.ids.ppid = ptid);
        if self.kept(slot).flags & flags::CHILD_IN_PIDNS == 0 {
            self.change(slot, |version| version.ids.vpid = version.pid);
            if let Some(kept) = self.captured.get_mut(slot) {
                kept.vtid = super::id(event.tid);
            }
        }
        self.link_captured(slot);
    }

    /// The path of the program by what the call was given, of which an old capture tells: those do
    /// not say what the kernel found.
    fn path_as_given(&self, slot: u32, event: &Captured<'_>) -> Option<Vec<u8>> {
        let is_at = event.beginning_len() > 1;
        let (base, path) = if is_at {
            let directory = self.captured_directory(slot, event.beginning_signed(0));
            (directory, event.beginning_text(1))
        } else {
            event.beginning(0)?;
            (self.captured_cwd(slot), event.beginning_text(0))
        };
        let flags = event.beginning_unsigned(2).unwrap_or(0);
        let mut out = Vec::new();
        match (path, base) {
            // The directory's descriptor is the program's.
            (_, Base::Path(program)) if is_at && flags & AT_EMPTY_PATH != 0 => {
                out.extend_from_slice(program);
            }
            (Some(path), _) if path.starts_with(b"/") => join(Base::Path(b""), path, &mut out),
            (Some(path), Base::Path(_)) => join(base, path, &mut out),
            (_, _) => out.extend_from_slice(b"<NA>"),
        }
        Some(out)
    }

    /// Exec ends all other threads of the process.
    fn end_others(&mut self, slot: u32) {
        if self
            .captured
            .group_of(slot)
            .is_none_or(|group| group.alive <= 1)
        {
            return;
        }
        let others: Vec<u32> = self
            .captured
            .of_group(slot)
            .filter(|other| *other != slot && self.first_place(*other) != Some(*other))
            .collect();
        for other in others {
            self.remove_captured(other, NO_ID);
        }
    }
}

fn image_of(event: &Captured<'_>, old: &Image) -> Image {
    let flags = event.unsigned(19);
    let flag = |bit: u64, file_bit: u32| match flags.unwrap_or(0) & bit {
        0 => 0,
        _ => file_bit,
    };
    let environment = event.bytes(15).filter(|area| !area.is_empty());
    let exe_path = event
        .text(27)
        .map(|path| path.strip_suffix(DELETED).unwrap_or(path));
    Image {
        arguments: super::seed::area(
            event.text(1).unwrap_or_default(),
            event.bytes(2).unwrap_or_default(),
        ),
        environment: environment.map_or_else(|| old.environment.clone(), Box::from),
        exe_path: exe_path.map_or_else(|| old.exe_path.clone(), Box::from),
        filename: event.text(30).unwrap_or_default().into(),
        file: File {
            inode: event.unsigned(23).unwrap_or(old.file.inode),
            ctime: event.unsigned(24).unwrap_or(old.file.ctime),
            mtime: event.unsigned(25).unwrap_or(old.file.mtime),
            flags: match flags {
                Some(_) => {
                    flag(EXE_UPPER_LAYER, FILE_UPPER_LAYER)
                        | flag(EXE_LOWER_LAYER, FILE_LOWER_LAYER)
                        | flag(EXE_FROM_MEMFD, FILE_MEMFD)
                }
                None => old.file.flags,
            },
            ..File::default()
        },
        is_writable: flags.map_or(old.is_writable, |flags| flags & EXE_WRITABLE != 0),
        is_cut: false,
        started_after_change_ns: old.started_after_change_ns,
    }
}
