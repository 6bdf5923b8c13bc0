//! Socket addresses and tuples as captures hold them: a byte for the family in Falco's numbering
//! (which is the kernel's for those below), then what that family has, numbers little-endian.
//!
//! ```text
//! AF_INET   address: ip 4, port 2       tuple: source ip 4, port 2, destination ip 4, port 2
//! AF_INET6  the same with 16 bytes
//! AF_UNIX   address: path               tuple: source 8, destination 8 (kernel addresses), path
//! ```

use crate::state::descriptor::write_end;
use std::io::Write;

const UNIX: u8 = 1;
const INET: u8 = 2;
const INET6: u8 = 10;

/// An IPv4 or IPv6 address (an IPv4 one in the first four bytes) and a port.
pub type Place = ([u8; 16], u16);

/// A socket's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address<'a> {
    /// IPv4.
    V4(Place),
    /// IPv6.
    V6(Place),
    /// A path, up to its NUL.
    Unix(&'a [u8]),
    /// Of another family.
    Other(u8),
    /// IPv4 or IPv6, but not as long as that is.
    Invalid {
        /// It is IPv6.
        v6: bool,
    },
}

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuple<'a> {
    /// IPv4: source and destination.
    V4(Place, Place),
    /// IPv6: source and destination.
    V6(Place, Place),
    /// A unix socket's.
    Unix {
        /// The kernel's address of one end.
        source: u64,
        /// The kernel's address of the other.
        destination: u64,
        /// The path, up to its NUL.
        path: &'a [u8],
    },
    /// Of another family.
    Other(u8),
    /// Of a family that is known, but not as long as that is.
    Invalid,
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

fn place(bytes: &mut &[u8], is_v6: bool) -> Option<Place> {
    let mut ip = [0; 16];
    if is_v6 {
        ip = take(bytes)?;
    } else {
        let (first, _) = ip.split_first_chunk_mut()?;
        *first = take::<4>(bytes)?;
    }
    Some((ip, u16::from_le_bytes(take(bytes)?)))
}

fn up_to_nul(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    &bytes[..end]
}

impl<'a> Address<'a> {
    /// Reads a parameter; `None` for an empty one.
    pub fn parse(bytes: &'a [u8]) -> Option<Address<'a>> {
        let (family, mut rest) = bytes.split_first()?;
        Some(match *family {
            UNIX => Address::Unix(up_to_nul(rest)),
            family @ (INET | INET6) => {
                let v6 = family == INET6;
                match place(&mut rest, v6).filter(|_| rest.is_empty()) {
                    Some(place) if v6 => Address::V6(place),
                    Some(place) => Address::V4(place),
                    None => Address::Invalid { v6 },
                }
            }
            family => Address::Other(family),
        })
    }

    /// Appends it as Falco shows it.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Address::V4((ip, port)) => write_end((&ip[..4], *port), out),
            Address::V6((ip, port)) => write_end((ip, *port), out),
            Address::Unix(path) => out.extend_from_slice(path),
            Address::Invalid { v6: true } => out.extend_from_slice(b"INVALID IPv6"),
            Address::Invalid { v6: false } => out.extend_from_slice(b"INVALID IPv4"),
            // Writing to a vector cannot fail.
            Address::Other(family) => {
                let _ = write!(out, "family {family}");
            }
        }
    }
}

impl<'a> Tuple<'a> {
    /// Reads a parameter; `None` for an empty one.
    pub fn parse(bytes: &'a [u8]) -> Option<Tuple<'a>> {
        let (family, mut rest) = bytes.split_first()?;
        let known = match *family {
            UNIX => unix_tuple(&mut rest),
            family @ (INET | INET6) => {
                let v6 = family == INET6;
                let ends = place(&mut rest, v6).zip(place(&mut rest, v6));
                ends.filter(|_| rest.is_empty())
                    .map(|(source, destination)| match v6 {
                        true => Tuple::V6(source, destination),
                        false => Tuple::V4(source, destination),
                    })
            }
            family => Some(Tuple::Other(family)),
        };
        Some(known.unwrap_or(Tuple::Invalid))
    }

    /// Both ends as IPv4, where that is what they are, though the socket is an IPv6 one.
    pub fn unmapped(self) -> Tuple<'a> {
        match self {
            Tuple::V6((source, from), (destination, to)) => {
                match (mapped(&source), mapped(&destination)) {
                    (Some(source), Some(destination)) => {
                        Tuple::V4((source, from), (destination, to))
                    }
                    _ => self,
                }
            }
            Tuple::V4(..) | Tuple::Unix { .. } | Tuple::Other(_) | Tuple::Invalid => self,
        }
    }

    /// The same with the destination that the call was `given` at its beginning. Where the tuple
    /// says what the call's end says (`now`), another thread may have changed both since; where
    /// it does not, it is the kernel's and holds.
    pub fn with_given(self, given: Option<Address<'a>>, now: Option<Address<'a>>) -> Tuple<'a> {
        match (self, given, now) {
            (Tuple::V4(source, to), Some(Address::V4(given)), Some(Address::V4(now)))
                if to == now =>
            {
                Tuple::V4(source, given)
            }
            (Tuple::V6(source, to), Some(Address::V6(given)), Some(Address::V6(now)))
                if to == now =>
            {
                Tuple::V6(source, given)
            }
            (
                Tuple::Unix {
                    source,
                    destination,
                    path,
                },
                Some(Address::Unix(given)),
                Some(Address::Unix(now)),
            ) if path == now => Tuple::Unix {
                source,
                destination,
                path: given,
            },
            _ => self,
        }
    }

    /// Appends it as Falco shows it.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self.unmapped() {
            Tuple::V4((source, from), (destination, to)) => {
                write_end((&source[..4], from), out);
                out.extend_from_slice(b"->");
                write_end((&destination[..4], to), out);
            }
            Tuple::V6((source, from), (destination, to)) => {
                write_end((&source, from), out);
                out.extend_from_slice(b"->");
                write_end((&destination, to), out);
            }
            Tuple::Unix {
                source,
                destination,
                path,
            } => {
                // Writing to a vector cannot fail.
                let _ = write!(out, "{source:x}->{destination:x} ");
                out.extend_from_slice(path);
            }
            Tuple::Other(family) => {
                let _ = write!(out, "family {family}");
            }
            Tuple::Invalid => {}
        }
    }
}

fn unix_tuple<'a>(rest: &mut &'a [u8]) -> Option<Tuple<'a>> {
    let source = take(rest)?;
    let destination = take(rest)?;
    Some(Tuple::Unix {
        source: u64::from_le_bytes(source),
        destination: u64::from_le_bytes(destination),
        path: up_to_nul(rest),
    })
}

/// The IPv4 address within an IPv6 one. As in Falco, the address of all interfaces is one of
/// both kinds.
pub fn mapped(ip: &[u8; 16]) -> Option<[u8; 16]> {
    let (zeros, rest) = ip.split_at(10);
    let is_mapped = zeros.iter().all(|byte| *byte == 0)
        && (rest.starts_with(&[0xff, 0xff]) || rest.iter().all(|byte| *byte == 0));
    is_mapped.then(|| {
        let mut short = [0; 16];
        short[..4].copy_from_slice(&ip[12..]);
        short
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        Address::parse(bytes)
            .expect("it is not empty")
            .write(&mut out);
        String::from_utf8(out).expect("it is text")
    }

    fn tuple(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        Tuple::parse(bytes)
            .expect("it is not empty")
            .write(&mut out);
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn an_address_is_shown_by_its_family() {
        assert_eq!(address(&[2, 127, 0, 0, 1, 0x50, 0]), "127.0.0.1:80");
        let mut any = vec![10];
        any.extend([0; 16]);
        any.extend(4444u16.to_le_bytes());
        assert_eq!(address(&any), ":::4444");
        assert_eq!(address(b"\x01/run/a\0rest"), "/run/a");
        assert_eq!(address(&[17, 1, 2]), "family 17");
        assert_eq!(address(&[2, 127, 0]), "INVALID IPv4");
        assert_eq!(address(&[10]), "INVALID IPv6");
        assert_eq!(Address::parse(b""), None);
    }

    #[test]
    fn a_tuple_of_mapped_addresses_is_one_of_ipv4() {
        let mut v4 = vec![2];
        v4.extend([10, 0, 0, 1, 1, 0, 10, 0, 0, 2, 2, 0]);
        assert_eq!(tuple(&v4), "10.0.0.1:1->10.0.0.2:2");
        let mut v6 = vec![10];
        for last in [1, 2] {
            v6.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last]);
            v6.extend([last, 0]);
        }
        assert_eq!(tuple(&v6), "10.0.0.1:1->10.0.0.2:2");
        v6[1] = 0x20;
        assert_eq!(tuple(&v6), "2000::ffff:a00:1:1->::ffff:10.0.0.2:2");
        let mut unix = vec![1];
        unix.extend(0xabcu64.to_le_bytes());
        unix.extend(0xdefu64.to_le_bytes());
        unix.extend(b"/run/a\0");
        assert_eq!(tuple(&unix), "abc->def /run/a");
        for len in 1..v6.len() {
            assert_eq!(Tuple::parse(&v6[..len]), Some(Tuple::Invalid));
        }
        assert_eq!(Tuple::parse(&unix[..9]), Some(Tuple::Invalid));
    }
}
