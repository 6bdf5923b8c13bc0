//! Which control groups a container has: those of its first process, or where that is gone or yet
//! to come, those that its engine would have made.

use crate::enrich::groups::Groups;
use crate::enrich::host_path;
use crate::state::container::roots_of;

/// Where a container's first process is.
pub(super) enum First {
    /// Yet to come.
    ToCome,
    /// It has that id.
    Runs(u32),
    /// It ended then, ns since the epoch.
    Ended(u64),
}

/// The groups of a container.
pub(super) struct Place {
    pub(super) roots: Vec<Box<[u8]>>,
    /// Number of the one in the default hierarchy, where its process was found in it; or 0.
    pub(super) group: u64,
    /// When its process ended that was not found, ns since the epoch; or 0.
    pub(super) ended: u64,
}

impl Place {
    /// That of a container whose engine would have made the `expected` groups.
    pub(super) fn of(first: &First, id: &str, expected: impl FnOnce() -> Vec<Box<[u8]>>) -> Place {
        let ended = match *first {
            First::ToCome => 0,
            First::Ended(at) => at.max(1),
            First::Runs(pid) => {
                let roots = of_process(pid, id);
                let group = number(roots.as_deref().unwrap_or_default());
                // The number is that of its group if it is still there. One that is elsewhere has
                // none that can be told by the name.
                if let Some(roots) =
                    roots.filter(|roots| of_process(pid, id).as_ref() == Some(roots))
                {
                    return Place {
                        roots,
                        group,
                        ended: 0,
                    };
                }
                now()
            }
        };
        Place {
            roots: expected(),
            group: 0,
            ended,
        }
    }
}

/// ns since the epoch.
pub(super) fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64)
}

/// The groups that name the container, of those that the process is in; `None` if there is none.
fn of_process(pid: u32, id: &str) -> Option<Vec<Box<[u8]>>> {
    let mut roots: Vec<Box<[u8]>> = Vec::new();
    let text = std::fs::read(host_path(&format!("/proc/{pid}/cgroup"))).ok()?;
    // One that has ended and was not waited for is in the root.
    if is_over(pid) {
        return None;
    }
    for line in text.split(|byte| *byte == b'\n') {
        let path = line.splitn(3, |byte| *byte == b':').nth(2);
        if let Some(root) = path.and_then(|path| roots_of(path, id.as_bytes()))
            && !roots.iter().any(|known| **known == *root)
        {
            roots.push(root.into());
        }
    }
    Some(roots)
}

/// Whether the process has ended.
fn is_over(pid: u32) -> bool {
    let stat = std::fs::read(host_path(&format!("/proc/{pid}/stat"))).unwrap_or_default();
    // `pid (name) state`, and a name may have any bracket.
    let state = memchr::memrchr(b')', &stat).and_then(|at| stat.get(at + 2));
    state.is_none_or(|state| b"ZXx".contains(state))
}

/// Number of the group in the default hierarchy, or 0.
fn number(roots: &[Box<[u8]>]) -> u64 {
    let Some(groups) = Groups::new() else {
        return 0;
    };
    let numbers = roots.iter().map(|root| groups.number(root));
    numbers.into_iter().find(|number| *number != 0).unwrap_or(0)
}

/// Whether nobody but the user, and root, can have made the group: it is theirs, or lies where
/// systemd has given the hierarchy to them.
pub(super) fn is_of_user(root: &[u8], uid: u32) -> bool {
    let own = format!("/user.slice/user-{uid}.slice/user@{uid}.service/");
    root.starts_with(own.as_bytes())
        || Groups::new().is_some_and(|groups| groups.owner(root) == Some(uid))
}

/// The group called `name` in the parent, which is a slice of systemd's or a path.
pub(super) fn below(parent: &str, name: &str) -> Box<[u8]> {
    let mut path = String::new();
    match parent.strip_suffix(".slice") {
        // `a-b.slice` lies in `a.slice`.
        Some(slice) if !parent.contains('/') => {
            for (at, _) in slice.match_indices('-').chain([(slice.len(), "")]) {
                path.push('/');
                path.push_str(&slice[..at]);
                path.push_str(".slice");
            }
        }
        Some(_) | None => {
            path.push('/');
            path.push_str(parent.trim_matches('/'));
        }
    }
    if path != "/" {
        path.push('/');
    }
    path.push_str(name);
    path.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_lies_in_those_that_its_name_begins_with() {
        for (parent, expected) in [
            ("/docker", "/docker/x"),
            ("a/b/", "/a/b/x"),
            ("/", "/x"),
            ("system.slice", "/system.slice/x"),
            ("a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice/x"),
            ("/kubepods.slice/y.slice", "/kubepods.slice/y.slice/x"),
        ] {
            assert_eq!(&*below(parent, "x"), expected.as_bytes(), "{parent}");
        }
    }

    #[test]
    fn a_process_of_no_container_has_no_such_group() {
        let id = "0".repeat(64);
        assert_eq!(of_process(std::process::id(), &id), Some(Vec::new()));
        assert_eq!(of_process(0, "a"), None);
        let place = |pid| Place::of(&First::Runs(pid), &id, || vec![(*b"/expected").into()]);
        let elsewhere = place(std::process::id());
        assert!(elsewhere.roots.is_empty() && elsewhere.ended == 0);
        let gone = place(u32::MAX);
        assert!(!gone.roots.is_empty() && gone.ended != 0);
    }
}
