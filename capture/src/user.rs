//! Users and groups.

use crate::cursor::{Cursor, Encoder};

const USER: u8 = 0;
const GROUP: u8 = 1;

/// libscap refuses longer ones, and takes home and shell of no more either.
const TEXT_BYTES_MAX: usize = 255;

/// A user of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User<'a> {
    /// The user's number.
    pub uid: u32,
    /// The number of the group it is in first of all.
    pub gid: u32,
    /// The name.
    pub name: &'a [u8],
    /// The home directory.
    pub home: &'a [u8],
    /// The program that a login starts.
    pub shell: &'a [u8],
}

/// A group of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group<'a> {
    /// The group's number.
    pub gid: u32,
    /// The name.
    pub name: &'a [u8],
}

/// An entry of the list, which has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account<'a> {
    User(User<'a>),
    Group(Group<'a>),
}

impl<'a> Account<'a> {
    /// `Err` is a kind of entry that is not known.
    pub(crate) fn decode(entry: &mut Cursor<'a>) -> Option<Result<Self, u16>> {
        Some(Ok(match entry.get::<u8>()? {
            USER => Self::User(User {
                uid: entry.get()?,
                gid: entry.get()?,
                name: entry.get()?,
                home: entry.get()?,
                shell: entry.get()?,
            }),
            GROUP => Self::Group(Group {
                gid: entry.get()?,
                name: entry.get()?,
            }),
            unknown => return Some(Err(unknown.into())),
        }))
    }
}

impl User<'_> {
    pub(crate) fn encode(&self, out: &mut Encoder<'_>) {
        out.value(USER);
        out.value(self.uid);
        out.value(self.gid);
        out.text(self.name, TEXT_BYTES_MAX);
        out.text(self.home, TEXT_BYTES_MAX);
        out.text(self.shell, TEXT_BYTES_MAX);
    }
}

impl Group<'_> {
    pub(crate) fn encode(&self, out: &mut Encoder<'_>) {
        out.value(GROUP);
        out.value(self.gid);
        out.text(self.name, TEXT_BYTES_MAX);
    }
}
