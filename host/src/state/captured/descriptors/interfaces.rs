//! Addresses of the machine on which a capture was recorded.

use crate::state::descriptor::FdKind;
use saker_capture::{Addresses, Interface};

/// No more are kept.
const INTERFACES_MAX: usize = 4096;

/// The machine's own addresses, in the order of the capture.
#[derive(Clone, Debug, Default)]
pub(in crate::state) struct Interfaces {
    v4: Vec<([u8; 4], [u8; 4])>,
    v6: Vec<[u8; 16]>,
}

impl Interfaces {
    /// Keeps an address. Whether there was room.
    pub(in crate::state) fn add(&mut self, interface: &Interface<'_>) -> bool {
        if self.v4.len() + self.v6.len() >= INTERFACES_MAX {
            return false;
        }
        match interface.addresses {
            Addresses::V4([address, mask, _]) => self.v4.push((address.octets(), mask.octets())),
            Addresses::V6([address, _, _]) => self.v6.push(address.octets()),
        }
        true
    }

    /// All of them, as a capture has them.
    pub(in crate::state) fn iter(&self) -> impl Iterator<Item = Interface<'static>> + '_ {
        let any = std::net::Ipv4Addr::UNSPECIFIED;
        let none = std::net::Ipv6Addr::UNSPECIFIED;
        let interface = |addresses| Interface {
            name: b"",
            addresses,
            link_speed: 0,
        };
        let v4 = self.v4.iter().map(move |(address, mask)| {
            interface(Addresses::V4([(*address).into(), (*mask).into(), any]))
        });
        let v6 = self.v6.iter();
        v4.chain(v6.map(move |address| interface(Addresses::V6([(*address).into(), none, none]))))
    }

    /// Whether an address is one of the machine's.
    pub(in crate::state) fn has(&self, kind: FdKind, ip: &[u8; 16]) -> bool {
        let network = |ip: &[u8; 16]| {
            u64::from_ne_bytes([ip[0], ip[1], ip[2], ip[3], ip[4], ip[5], ip[6], ip[7]])
        };
        match kind {
            FdKind::Ipv4 => self.v4.iter().any(|(own, _)| *own == ip[..4]),
            // As Falco has it, any address of a network of the machine's.
            FdKind::Ipv6 => self.v6.iter().any(|own| network(own) == network(ip)),
            _ => false,
        }
    }

    /// The machine's address towards that one, where a tuple says none: the same, one of the
    /// same network, or the first that is not the loopback's.
    pub(in crate::state) fn towards(&self, kind: FdKind, ip: &[u8; 16]) -> [u8; 16] {
        const LOOPBACK: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        if kind == FdKind::Ipv6 {
            let same = self.v6.iter().find(|own| *own == ip);
            let near = || self.v6.iter().find(|own| own[..8] == ip[..8]);
            let first = || self.v6.iter().find(|own| **own != LOOPBACK);
            return same
                .or_else(near)
                .or_else(first)
                .copied()
                .unwrap_or_default();
        }
        let target = u32::from_be_bytes([ip[0], ip[1], ip[2], ip[3]]);
        let is_near = |own: &[u8; 4], mask: &[u8; 4]| {
            let mask = u32::from_be_bytes(*mask);
            u32::from_be_bytes(*own) & mask == target & mask
        };
        let same = self.v4.iter().find(|(own, _)| *own == ip[..4]);
        let near = || self.v4.iter().find(|(own, mask)| is_near(own, mask));
        let first = || self.v4.iter().find(|(own, _)| *own != [127, 0, 0, 1]);
        let mut found = [0; 16];
        if let Some((own, _)) = same.or_else(near).or_else(first) {
            found[..4].copy_from_slice(own);
        }
        found
    }
}
