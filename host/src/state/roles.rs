//! Which end of a connection each of the latest sockets is.

use super::descriptor::Role;

/// Roles by inode. The kernel numbers inodes in sequence, so the place of one is its lowest bits:
/// neighbours in time are neighbours in memory, and a socket is forgotten when one as many
/// numbers later comes.
#[derive(Clone, Debug)]
pub(super) struct Roles {
    /// The inode and, in the lowest two bits, its role; 0 is nobody's.
    cells: Box<[u64]>,
}

impl Roles {
    /// Room for so many sockets, rounded up to a power of two.
    pub(super) fn new(entries: usize) -> Roles {
        Roles {
            cells: vec![0; entries.next_power_of_two()].into(),
        }
    }

    /// Bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.cells)
    }

    #[inline]
    fn place(&self, inode: u64) -> usize {
        inode as usize & (self.cells.len() - 1)
    }

    #[inline]
    pub(super) fn get(&self, inode: u64) -> Option<Role> {
        let cell = self.cells[self.place(inode)];
        match cell & 3 {
            1 if cell >> 2 == inode => Some(Role::Client),
            2 if cell >> 2 == inode => Some(Role::Server),
            _ => None,
        }
    }

    /// Remembers a socket's role, or with [`Role::None`] forgets the socket.
    #[inline]
    pub(super) fn set(&mut self, inode: u64, role: Role) {
        let place = self.place(inode);
        self.cells[place] = match role {
            // What has its place may be another.
            Role::None if self.cells[place] >> 2 != inode => return,
            Role::None => 0,
            Role::Client => inode << 2 | 1,
            Role::Server => inode << 2 | 2,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_forgotten_for_one_as_many_numbers_later_only() {
        let mut roles = Roles::new(6);
        (100..108).for_each(|inode| roles.set(inode, Role::Client));
        roles.set(101, Role::Server);
        roles.set(102, Role::None);
        roles.set(110, Role::None);
        let known = |roles: &Roles| -> Vec<_> { (99..109).map(|inode| roles.get(inode)).collect() };
        let (client, server) = (Some(Role::Client), Some(Role::Server));
        let all = [
            None, client, server, None, client, client, client, client, client, None,
        ];
        assert_eq!(known(&roles), all);
        roles.set(108, Role::Server);
        let mut all = all;
        (all[1], all[9]) = (None, server);
        assert_eq!(known(&roles), all);
        assert_eq!(roles.get(0), None);
        assert_eq!(roles.get(u64::MAX), None);
    }
}
