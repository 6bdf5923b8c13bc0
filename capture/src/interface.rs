//! The addresses of network interfaces.

use crate::cursor::{Cursor, Encoder};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const V4: u16 = 1;
const V6: u16 = 2;
const V4_WITHOUT_SPEED: u16 = 3;
const V6_WITHOUT_SPEED: u16 = 4;

/// libscap refuses a longer name.
const NAME_BYTES_MAX: usize = 1023;

/// An address of a network interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface<'a> {
    /// The interface's name.
    pub name: &'a [u8],
    /// Its address, and which part of it is the network's, and the address of all there.
    pub addresses: Addresses,
    /// In bits per second; 0 if not recorded.
    pub link_speed: u64,
}

/// Address, mask of the network and broadcast address, all of the same family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// IPv4: address, mask, broadcast.
    V4([Ipv4Addr; 3]),
    /// IPv6: address, mask, broadcast.
    V6([Ipv6Addr; 3]),
}

impl<'a> Interface<'a> {
    /// The interface's own address.
    pub fn address(&self) -> IpAddr {
        match self.addresses {
            Addresses::V4([address, _, _]) => address.into(),
            Addresses::V6([address, _, _]) => address.into(),
        }
    }

    /// `Err` is a kind of address that is not known.
    pub(crate) fn decode(entry: &mut Cursor<'a>) -> Option<Result<Self, u16>> {
        let kind: u16 = entry.get()?;
        let name_bytes: u16 = entry.get()?;
        let addresses = match kind {
            V4 | V4_WITHOUT_SPEED => Addresses::V4([entry.get()?, entry.get()?, entry.get()?]),
            V6 | V6_WITHOUT_SPEED => Addresses::V6([entry.get()?, entry.get()?, entry.get()?]),
            unknown => return Some(Err(unknown)),
        };
        let link_speed = match kind {
            V4 | V6 => entry.get()?,
            _ => 0,
        };
        let name = entry.take(name_bytes.into())?;
        Some(Ok(Self {
            name,
            addresses,
            link_speed,
        }))
    }

    pub(crate) fn encode(&self, out: &mut Encoder<'_>) {
        let name = self.name.get(..NAME_BYTES_MAX).unwrap_or(self.name);
        out.texts_cut += u64::from(name.len() < self.name.len());
        out.value(match self.addresses {
            Addresses::V4(_) => V4,
            Addresses::V6(_) => V6,
        });
        out.value(u16::try_from(name.len()).expect("the name was cut"));
        match self.addresses {
            Addresses::V4(addresses) => addresses.into_iter().for_each(|one| out.value(one)),
            Addresses::V6(addresses) => addresses.into_iter().for_each(|one| out.value(one)),
        }
        out.value(self.link_speed);
        out.put(name);
    }
}
