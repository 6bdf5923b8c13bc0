//! Which control groups a container has: those of its first process, or where that is gone or yet
//! to come, those that its engine would have made.

use crate::enrich::groups::Groups;
use crate::enrich::host_path;
use crate::state::container::roots_of;

/// The groups that name the container, of those that the process is in.
pub(super) fn of_process(pid: u32, id: &str) -> Vec<Box<[u8]>> {
    let mut roots: Vec<Box<[u8]>> = Vec::new();
    if pid == 0 {
        return roots;
    }
    let text = std::fs::read(host_path(&format!("/proc/{pid}/cgroup"))).unwrap_or_default();
    for line in text.split(|byte| *byte == b'\n') {
        let path = line.splitn(3, |byte| *byte == b':').nth(2);
        if let Some(root) = path.and_then(|path| roots_of(path, id.as_bytes()))
            && !roots.iter().any(|known| **known == *root)
        {
            roots.push(root.into());
        }
    }
    roots
}

/// Number of the container's group in the default hierarchy, once its first process is in it; 0
/// where that is not known.
pub(super) fn group(pid: u32, roots: &[Box<[u8]>]) -> u64 {
    if pid == 0 {
        return 0;
    }
    let Some(groups) = Groups::new() else {
        return 0;
    };
    let numbers = roots.iter().map(|root| groups.number(root));
    numbers.into_iter().find(|number| *number != 0).unwrap_or(0)
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
        assert!(of_process(std::process::id(), &"0".repeat(64)).is_empty());
        assert!(of_process(0, "a").is_empty());
    }
}
