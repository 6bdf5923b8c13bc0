//! Podman, by its API that is compatible with Docker's: root's, and each user's.

use super::Trouble;
use super::client::{Client, Described};
use super::docker::{Dialect, Docker};
use super::telling::Telling;
use crate::enrich::host_path;
use crate::state::container::Engine;
use std::path::{Path, PathBuf};

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
    /// The system's, or a user's.
    pub(super) fn new(socket: &Path, user: Option<u32>) -> Podman {
        Podman(Docker::new(socket, user, &PODMAN))
    }

    pub(super) async fn inspect(&self, id: &str) -> Result<Option<Described>, Trouble> {
        self.0.inspect(id).await
    }

    pub(super) async fn follow(&self, client: &Client, tell: &Telling) -> Result<(), Trouble> {
        self.0.follow(client, tell).await
    }
}

/// The sockets of all users that are logged in, and whose they are.
pub(super) fn sockets(wanted: &[PathBuf]) -> Vec<(u32, PathBuf)> {
    let mut sockets = Vec::new();
    for socket in wanted {
        let text = socket.to_string_lossy();
        let Some((before, after)) = text.split_once(USER) else {
            continue;
        };
        let users = std::fs::read_dir(host_path(before)).into_iter().flatten();
        let mut uids: Vec<u32> = users
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        uids.sort_unstable();
        uids.truncate(USERS_MAX);
        let of = |uid: u32| (uid, host_path(&format!("{before}{uid}{after}")));
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
        let found = sockets(&[PathBuf::from(format!("{root}/$uid/podman.sock"))]);
        let socket = |uid: u32| (uid, folder.path().join(format!("{uid}/podman.sock")));
        assert_eq!(found, [1000, 1001].map(socket));
    }
}
