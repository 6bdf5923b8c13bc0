//! An event in the form in which captures have it: Falco's parameters as bytes.

use super::{Known, known};
use crate::event::params::Fact;
use crate::event::{Event, Param};
use crate::extract::{Scratch, View, descriptor};
use crate::state::descriptor::{FdInfo, FdKind};
use saker_capture::{ParamBuffer, Params};
use saker_rules_schema::event::{self as schema, ParamType};

/// No parameter of an event that a kernel makes is longer: their lengths have two bytes.
const PARAM_BYTES_MAX: usize = u16::MAX as usize;

/// Parameters being put together. Used again from event to event.
#[derive(Debug, Default)]
pub struct Wire {
    params: ParamBuffer,
    one: Vec<u8>,
    /// Parameters of which only the beginning is kept.
    pub cut: u64,
}

impl Wire {
    /// The parameters of an event as a capture has them, of one of a capture as they were;
    /// `None` for what is no event of Falco's.
    pub fn params(&mut self, view: &View<'_>, scratch: &mut Scratch) -> Option<Params<'_>> {
        self.params.clear();
        match view.event {
            Event::Captured(event) => {
                for index in 0..event.len() {
                    self.params.push(event.bytes(index).unwrap_or_default());
                }
            }
            Event::Recorded(event) => {
                for (index, param) in event.kind?.params().iter().enumerate() {
                    self.one.clear();
                    match event.param(index) {
                        Some(Param::Fact(Fact::Cgroups)) => {
                            if let Some(version) = view.version {
                                version.cgroup.write_list(&mut self.one);
                            }
                        }
                        value => push(&known(view, value), param, view, scratch, &mut self.one),
                    }
                    if self.one.len() > PARAM_BYTES_MAX {
                        self.one.truncate(PARAM_BYTES_MAX);
                        self.cut += 1;
                    }
                    self.params.push(&self.one);
                }
            }
        }
        Some(self.params.params())
    }
}

/// Appends one parameter; nothing where it is not known.
fn push(
    value: &Known<'_>,
    param: &schema::Param,
    view: &View<'_>,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) {
    let number = |number: u64, out: &mut Vec<u8>| {
        let width = usize::from(param.width.unwrap_or(8)).min(8);
        out.extend_from_slice(&number.to_le_bytes()[..width]);
    };
    match value {
        Known::Signed(value) => number(*value as u64, out),
        Known::Unsigned(value) => number(*value, out),
        Known::Text(text) => {
            out.extend_from_slice(text);
            if matches!(
                param.kind,
                ParamType::Text | ParamType::Path | ParamType::RelativePath
            ) {
                out.push(0);
            }
        }
        Known::Bytes(bytes) => out.extend_from_slice(bytes),
        Known::Address(address) => push_address(address, out),
        Known::Tuple => {
            if let Some(info) = descriptor::info(view, scratch) {
                push_tuple(info, out);
            }
        }
        Known::FilePath => {
            if let Some(info) = descriptor::info(view, scratch) {
                out.extend_from_slice(&info.name);
                out.push(0);
            }
        }
        Known::Absent => {}
    }
}

/// Falco's numbers of families are Linux's, in one byte.
const UNIX: u8 = 1;
const INET: u8 = 2;
const INET6: u8 = 10;

/// A `struct sockaddr` as captures have it: family, address, port in the machine's order.
fn push_address(address: &[u8], out: &mut Vec<u8>) {
    let Some((family, rest)) = address.split_first_chunk::<2>() else {
        return;
    };
    let family = u16::from_le_bytes(*family) as u8;
    let port = |rest: &[u8]| {
        rest.first_chunk::<2>()
            .map(|port| u16::from_be_bytes(*port))
    };
    match family {
        INET => {
            if let (Some(port), Some(ip)) = (port(rest), rest.get(2..6)) {
                out.push(family);
                out.extend_from_slice(ip);
                out.extend_from_slice(&port.to_le_bytes());
            }
        }
        INET6 => {
            if let (Some(port), Some(ip)) = (port(rest), rest.get(6..22)) {
                out.push(family);
                out.extend_from_slice(ip);
                out.extend_from_slice(&port.to_le_bytes());
            }
        }
        UNIX => {
            let end = memchr::memchr(0, rest).unwrap_or(rest.len());
            out.push(family);
            out.extend_from_slice(&rest[..end]);
            out.push(0);
        }
        _ => out.push(family),
    }
}

/// Both ends of a connected socket as captures have them: family, then address and port of the
/// client and of the server, or both kernel addresses and the path.
fn push_tuple(info: &FdInfo, out: &mut Vec<u8>) {
    if !info.connected {
        return;
    }
    let end = |(address, port): (&[u8], u16), out: &mut Vec<u8>| {
        out.extend_from_slice(address);
        out.extend_from_slice(&port.to_le_bytes());
    };
    match info.kind {
        FdKind::Ipv4 | FdKind::Ipv6 => {
            let (client, server) = info.ends();
            out.push(if info.kind == FdKind::Ipv4 {
                INET
            } else {
                INET6
            });
            end(client, out);
            end(server, out);
        }
        FdKind::Unix => {
            out.push(UNIX);
            out.extend_from_slice(&info.socket.identity.to_le_bytes());
            out.extend_from_slice(&0u64.to_le_bytes());
            let path = info.name.splitn(2, |byte| *byte == b' ').nth(1);
            out.extend_from_slice(path.unwrap_or_default());
            out.push(0);
        }
        _ => {}
    }
}
