//! Podman, by its API that is compatible with Docker's: root's, and each user's.

use super::docker::{Dialect, Docker};
use super::{Client, Teller, Trouble};
use crate::enrich::host_path;
use crate::state::container::{ContainerFacts, Engine};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const PODMAN: Dialect = Dialect {
    engine: Engine::Podman,
    parents: [("cgroupfs", "/libpod_parent"), ("systemd", "machine.slice")],
    prefixes: [("cgroupfs", "libpod-"), ("systemd", "libpod-")],
};

/// What stands for a user's number in a path.
pub(super) const USER: &str = "$uid";
/// Sockets of users that are asked.
const USERS_MAX: usize = 64;

/// Podman at a socket.
pub(super) struct Podman(Docker);

impl Podman {
    pub(super) fn new(socket: &Path) -> Podman {
        Podman(Docker::new(socket, &PODMAN))
    }

    pub(super) async fn inspect(&self, id: &str) -> Result<Option<ContainerFacts>, Trouble> {
        self.0.inspect(id).await
    }

    pub(super) async fn follow(&self, client: &Arc<Client>, tell: &Teller) -> Result<(), Trouble> {
        self.0.follow(client, tell).await
    }
}

/// The sockets: of one with `$uid` in it those of all users that are logged in.
pub(super) fn sockets(wanted: &[PathBuf]) -> Vec<PathBuf> {
    let mut sockets = Vec::new();
    for socket in wanted {
        let text = socket.to_string_lossy();
        let Some((before, after)) = text.split_once(USER) else {
            sockets.push(host_path(&text));
            continue;
        };
        let users = std::fs::read_dir(host_path(before)).into_iter().flatten();
        let mut uids: Vec<u32> = users
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        uids.sort_unstable();
        uids.truncate(USERS_MAX);
        let of = |uid: u32| host_path(&format!("{before}{uid}{after}"));
        sockets.extend(uids.into_iter().map(of));
    }
    sockets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_users_socket_is_found() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["1001", "1000", "other"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let root = folder.path().display().to_string();
        let wanted = [format!("{root}/$uid/podman.sock"), format!("{root}/a.sock")];
        let found = sockets(&wanted.map(PathBuf::from));
        let expected = ["1000/podman.sock", "1001/podman.sock", "a.sock"];
        assert_eq!(found, expected.map(|name| folder.path().join(name)));
    }
}
