//! Names of users and groups. Parsing only; who reads the files, and when, is `enrich`'s
//! business.

use hashbrown::HashMap;

/// No more users and no more groups are kept.
const ENTRIES_MAX: usize = 100_000;
/// No more bytes of what captures tell of them.
const BYTES_MAX: usize = 16 << 20;

/// A line of the user table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: Box<[u8]>,
    /// Home directory.
    pub home: Box<[u8]>,
    /// Login shell.
    pub shell: Box<[u8]>,
}

impl User {
    fn bytes(&self) -> usize {
        self.name.len() + self.home.len() + self.shell.len()
    }
}

/// User 0 where no table tells more, as Falco has it.
pub fn root() -> &'static User {
    static ROOT: std::sync::LazyLock<User> = std::sync::LazyLock::new(|| User {
        name: b"root"[..].into(),
        home: b"/root"[..].into(),
        shell: b"<NA>"[..].into(),
    });
    &ROOT
}

/// Users and groups by number.
#[derive(Clone, Debug, Default)]
pub struct Users {
    users: HashMap<u32, User, foldhash::fast::RandomState>,
    groups: HashMap<u32, Box<[u8]>, foldhash::fast::RandomState>,
    /// Bytes of those that captures told of.
    bytes: usize,
}

impl Users {
    /// Reads the text of `/etc/passwd` and of `/etc/group`. Lines that are none are passed
    /// over; of several lines with one number the first counts.
    pub fn parse(passwd: &[u8], group: &[u8]) -> Users {
        let mut users = Users::default();
        for line in passwd.split(|byte| *byte == b'\n') {
            let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
            if let [name, _, uid, _, _, home, shell] = fields[..]
                && let Some(uid) = number(uid)
                && users.users.len() < ENTRIES_MAX
            {
                users.users.entry(uid).or_insert_with(|| User {
                    name: name.into(),
                    home: home.into(),
                    shell: shell.into(),
                });
            }
        }
        for line in group.split(|byte| *byte == b'\n') {
            let mut fields = line.split(|byte| *byte == b':');
            if let (Some(name), Some(_), Some(gid)) = (fields.next(), fields.next(), fields.next())
                && let Some(gid) = number(gid)
                && users.groups.len() < ENTRIES_MAX
            {
                users.groups.entry(gid).or_insert_with(|| name.into());
            }
        }
        users
    }

    /// Takes in a user, in place of one with that number. Whether there was room.
    pub fn set_user(&mut self, uid: u32, name: &[u8], home: &[u8], shell: &[u8]) -> bool {
        self.remove_user(uid);
        let user = User {
            name: bounded(name).into(),
            home: bounded(home).into(),
            shell: bounded(shell).into(),
        };
        let has_room = self.users.len() < ENTRIES_MAX && self.take_room(user.bytes());
        if has_room {
            self.users.insert(uid, user);
        }
        has_room
    }

    /// Takes in a group, in place of one with that number. Whether there was room.
    pub fn set_group(&mut self, gid: u32, name: &[u8]) -> bool {
        self.remove_group(gid);
        let name: Box<[u8]> = bounded(name).into();
        let has_room = self.groups.len() < ENTRIES_MAX && self.take_room(name.len());
        if has_room {
            self.groups.insert(gid, name);
        }
        has_room
    }

    fn take_room(&mut self, bytes: usize) -> bool {
        let has_room = self.bytes + bytes <= BYTES_MAX;
        if has_room {
            self.bytes += bytes;
        }
        has_room
    }

    /// All users, the least number first.
    pub fn users(&self) -> impl Iterator<Item = (u32, &User)> {
        let mut users: Vec<_> = self.users.iter().map(|(uid, user)| (*uid, user)).collect();
        users.sort_unstable_by_key(|(uid, _)| *uid);
        users.into_iter()
    }

    /// All groups, the least number first.
    pub fn groups(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let groups = self.groups.iter().map(|(gid, name)| (*gid, &**name));
        let mut groups: Vec<_> = groups.collect();
        groups.sort_unstable();
        groups.into_iter()
    }

    /// Forgets a user.
    pub(super) fn remove_user(&mut self, uid: u32) {
        if let Some(user) = self.users.remove(&uid) {
            self.bytes = self.bytes.saturating_sub(user.bytes());
        }
    }

    /// Forgets a group.
    pub(super) fn remove_group(&mut self, gid: u32) {
        if let Some(name) = self.groups.remove(&gid) {
            self.bytes = self.bytes.saturating_sub(name.len());
        }
    }

    /// The user of that number.
    pub fn user(&self, uid: u32) -> Option<&User> {
        self.users.get(&uid)
    }

    /// The name of the group of that number.
    pub fn group(&self, gid: u32) -> Option<&[u8]> {
        self.groups.get(&gid).map(|name| &**name)
    }
}

/// No text is kept longer: names have 32 bytes, and paths of homes few more.
fn bounded(text: &[u8]) -> &[u8] {
    &text[..text.len().min(1024)]
}

fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_found_by_number() {
        let users = Users::parse(
            b"root:x:0:0:root:/root:/bin/bash\n# no line\nnobody:x:65534:65534::/nonexistent:/bin/false\ntoor:x:0:0::/:/bin/sh\n\xff:x:9:9::/:/x",
            b"root:x:0:\nnogroup:x:65534:a,b\nbroken\n:x:-1:\n",
        );
        let root = users.user(0).expect("root is there");
        assert_eq!(
            (&*root.name, &*root.shell),
            (&b"root"[..], &b"/bin/bash"[..])
        );
        assert_eq!(users.group(65534), Some(&b"nogroup"[..]));
        assert_eq!(
            &*users.user(9).expect("a name need not be text").name,
            b"\xff"
        );
        assert!(users.user(1).is_none() && users.group(1).is_none());
    }
}
