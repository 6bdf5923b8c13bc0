//! Sockets: what a capture's events tell of their ends.
//!
//! Falco keeps the ends of a connection as source (who connected, the client) and destination,
//! whichever of them the process is. Here the source is the entry's local end and the destination
//! its remote one; a socket that is bound or listens has one end, the local, and the kernel's
//! state for that.

use crate::event::Captured;
use crate::event::captured::address::{Address, Place, Tuple, mapped};
use crate::event::encode;
use crate::state::State;
use crate::state::captured::Saw;
use crate::state::descriptor::{
    FdIndex, FdInfo, FdKind, NAME_BYTES_MAX, Role, write_address, write_end,
};
use saker_capture::{Protocol, Target};
use saker_rules_schema::event::EventType;

/// `TCP_LISTEN` of the kernel.
const LISTENS: u16 = 10;
/// The transport is not known.
const UNKNOWN: u16 = 0;
const TCP: u16 = libc::IPPROTO_TCP as u16;
const UDP: u16 = libc::IPPROTO_UDP as u16;
const ICMP: u16 = libc::IPPROTO_ICMP as u16;
const RAW: u16 = libc::IPPROTO_RAW as u16;

/// Falco's `AF_INET` and so on.
const AF_UNIX: u64 = 1;
const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;
const AF_NETLINK: u64 = 16;

fn protocol(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::TCP => TCP,
        Protocol::UDP => UDP,
        Protocol::ICMP => ICMP,
        Protocol::RAW => RAW,
        _ => UNKNOWN,
    }
}

/// The transport of a new internet socket.
fn transport(kind: u64, protocol: u64) -> u16 {
    let is_raw = kind == libc::SOCK_RAW as u64;
    match protocol as i32 {
        libc::IPPROTO_TCP | libc::IPPROTO_UDP | libc::IPPROTO_ICMP if is_raw => RAW,
        libc::IPPROTO_IP => match (kind & 0xff) as i32 {
            libc::SOCK_STREAM => TCP,
            libc::SOCK_DGRAM => UDP,
            libc::SOCK_RAW => RAW,
            _ => UNKNOWN,
        },
        libc::IPPROTO_TCP => TCP,
        libc::IPPROTO_UDP => UDP,
        libc::IPPROTO_ICMP => ICMP,
        libc::IPPROTO_RAW => RAW,
        _ => UNKNOWN,
    }
}

fn v4(ip: std::net::Ipv4Addr) -> [u8; 16] {
    let mut all = [0; 16];
    all[..4].copy_from_slice(&ip.octets());
    all
}

impl FdInfo {
    /// Whether it is an internet socket that has one end: it is bound or listens.
    pub fn is_bound(&self) -> bool {
        self.kind.is_ip() && self.socket.state == LISTENS
    }

    fn is_pair(&self) -> bool {
        self.kind.is_ip() && self.socket.state != LISTENS
    }

    fn set_pair(&mut self, kind: FdKind, source: Place, destination: Place) {
        self.kind = kind;
        self.socket.state = 0;
        (self.socket.local, self.socket.local_port) = source;
        (self.socket.remote, self.socket.remote_port) = destination;
    }

    fn swap_ends(&mut self) {
        std::mem::swap(&mut self.socket.local, &mut self.socket.remote);
        std::mem::swap(&mut self.socket.local_port, &mut self.socket.remote_port);
    }

    fn bind_to(&mut self, kind: FdKind, (ip, port): Place) {
        self.set_pair(kind, (ip, port), ([0; 16], 0));
        self.socket.state = LISTENS;
        self.role = Role::Server;
    }

    /// Names an internet socket by its ends.
    fn name_by_ends(&mut self) {
        let bytes = if self.kind == FdKind::Ipv4 { 4 } else { 16 };
        let mut name = std::mem::take(&mut self.name);
        name.clear();
        let socket = &self.socket;
        let (source, destination) = (&socket.local[..bytes], &socket.remote[..bytes]);
        if self.is_bound() {
            write_end((source, socket.local_port), &mut name);
        } else {
            match socket.protocol {
                TCP | UDP => {
                    write_end((source, socket.local_port), &mut name);
                    name.extend_from_slice(b"->");
                    write_end((destination, socket.remote_port), &mut name);
                }
                ICMP | RAW => {
                    write_address(source, &mut name);
                    name.extend_from_slice(b"->");
                    write_address(destination, &mut name);
                }
                _ => name.extend_from_slice(b"<unknown>"),
            }
        }
        self.name = name;
    }

    /// Takes ends in, as Falco does: those it has, in whatever order, change nothing. Whether
    /// something changed.
    fn update_ends(&mut self, kind: FdKind, source: Place, destination: Place) -> bool {
        if self.is_bound() {
            self.set_pair(kind, ([0; 16], 0), ([0; 16], 0));
        }
        let own = (self.socket.local, self.socket.local_port);
        let other = (self.socket.remote, self.socket.remote_port);
        let is_same =
            (own, other) == (source, destination) || (own, other) == (destination, source);
        if self.kind == kind && is_same {
            return false;
        }
        self.set_pair(kind, source, destination);
        (own, other) != (source, destination)
    }

    /// Takes the destination in that a call was given which tells no tuple, as one that sends
    /// with its first data (`TCP_FASTOPEN_CONNECT`). Falco names no internet socket by it, and
    /// any other by the tuple that there is not.
    fn connect_to(&mut self, given: Option<Address<'_>>) {
        let (kind, (ip, port)) = match given {
            Some(Address::V4(place)) => (FdKind::Ipv4, place),
            Some(Address::V6((ip, port))) => match mapped(&ip) {
                Some(ip) => (FdKind::Ipv4, (ip, port)),
                None => (FdKind::Ipv6, (ip, port)),
            },
            Some(Address::Unix(_) | Address::Other(_)) => {
                self.name.clear();
                self.name.extend_from_slice(b"NULL");
                return;
            }
            Some(Address::Invalid { .. }) | None => return,
        };
        if self.is_bound() {
            self.socket.local_port = 0;
        }
        let source = (self.socket.local, self.socket.local_port);
        self.set_pair(kind, source, (ip, port));
    }

    /// Becomes an internet socket of a capture's list.
    pub(super) fn fill_captured_socket(&mut self, target: &Target<'_>) {
        match *target {
            Target::Ipv4 {
                source,
                destination,
                protocol: transport,
            } => {
                self.socket.protocol = protocol(transport);
                self.set_pair(
                    FdKind::Ipv4,
                    (v4(*source.ip()), source.port()),
                    (v4(*destination.ip()), destination.port()),
                );
            }
            Target::Ipv6 {
                source,
                destination,
                protocol: transport,
            } => {
                self.socket.protocol = protocol(transport);
                let (from, to) = (source.ip().octets(), destination.ip().octets());
                let (kind, from, to) = match (mapped(&from), mapped(&to)) {
                    (Some(from), Some(to)) => (FdKind::Ipv4, from, to),
                    _ => (FdKind::Ipv6, from, to),
                };
                self.set_pair(kind, (from, source.port()), (to, destination.port()));
            }
            Target::Ipv4Server {
                address,
                protocol: transport,
            } => {
                self.socket.protocol = protocol(transport);
                self.bind_to(FdKind::Ipv4, (v4(*address.ip()), address.port()));
            }
            Target::Ipv6Server {
                address,
                protocol: transport,
            } => {
                self.socket.protocol = protocol(transport);
                self.bind_to(FdKind::Ipv6, (address.ip().octets(), address.port()));
            }
            Target::File { .. }
            | Target::Unix { .. }
            | Target::Named { .. }
            | Target::Unknown(_) => {
                return;
            }
        }
        self.connected = self.is_pair() && self.socket.protocol == TCP;
        self.name_by_ends();
    }
}

/// Which of an event's ends kind and places are.
fn ends(tuple: Tuple<'_>) -> Option<(FdKind, Place, Place)> {
    match tuple.unmapped() {
        Tuple::V4(source, destination) => Some((FdKind::Ipv4, source, destination)),
        Tuple::V6(source, destination) => Some((FdKind::Ipv6, source, destination)),
        Tuple::Unix { .. } | Tuple::Other(_) | Tuple::Invalid => None,
    }
}

impl State {
    pub(super) fn apply_socket(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        match event.kind {
            EventType::Socket => self.apply_new_socket(slot, event, saw),
            EventType::Socketpair => self.apply_socketpair(slot, event, saw),
            EventType::Bind => self.apply_bind(slot, event, saw),
            EventType::Connect => self.apply_connect(slot, event, saw),
            _ => self.apply_accept(slot, event, saw),
        }
    }

    fn apply_new_socket(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        let Some(fd) = event.result().filter(|fd| *fd >= 0) else {
            return;
        };
        let number = |param| event.unsigned(param).unwrap_or(0);
        let to_close = number(4) & encode::F_CLOEXEC != 0;
        let index = self.make_captured(slot, fd, to_close, |info| {
            info.kind = match number(1) {
                AF_UNIX => FdKind::Unix,
                AF_INET => FdKind::Ipv4,
                AF_INET6 => FdKind::Ipv6,
                AF_NETLINK => FdKind::Netlink,
                _ => FdKind::Unknown,
            };
            if info.kind.is_ip() {
                info.socket.protocol = transport(number(2), number(3));
            }
        });
        saw.makes(index);
    }

    fn apply_socketpair(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        let (Some(0..), Some(first), Some(second)) =
            (event.signed(0), event.signed(1), event.signed(2))
        else {
            return;
        };
        saw.fd = FdIndex::NONE;
        if first == second {
            return;
        }
        // Falco does not look for SOCK_CLOEXEC in the type here.
        let index = self.make_captured(slot, first, false, |info| info.kind = FdKind::Unix);
        if index != FdIndex::NONE {
            self.put_captured(slot, second, index, false);
        }
        saw.makes(index);
    }

    fn apply_bind(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        let (Some(fd), Some(0..)) = (event.signed(2), event.result()) else {
            return;
        };
        let Some(address) = event.bytes(1).and_then(Address::parse) else {
            return;
        };
        if saw.fd == FdIndex::NONE {
            return;
        }
        self.edit(slot, fd, saw, |info| {
            match address {
                Address::V4((ip, port)) if port > 0 => info.bind_to(FdKind::Ipv4, (ip, port)),
                Address::V6((ip, port)) if port > 0 => match mapped(&ip) {
                    Some(ip) => info.bind_to(FdKind::Ipv4, (ip, port)),
                    None => info.bind_to(FdKind::Ipv6, (ip, port)),
                },
                Address::V4(_)
                | Address::V6(_)
                | Address::Unix(_)
                | Address::Other(_)
                | Address::Invalid { .. } => {}
            }
            info.name.clear();
            address.write(&mut info.name);
        });
    }

    fn apply_connect(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        let (Some(fd), Some(result)) = (event.signed(2), event.result()) else {
            return;
        };
        if saw.fd == FdIndex::NONE || result < 0 && result != -i64::from(libc::EINPROGRESS) {
            return;
        }
        // In an old capture: what the call was given before another thread could change it.
        let given = event.beginning(1).and_then(Address::parse);
        let now = event.bytes(3).and_then(Address::parse);
        let tuple = event.bytes(1).and_then(Tuple::parse);
        let tuple = tuple.map(|tuple| tuple.with_given(given, now));
        self.edit(slot, fd, saw, |info| {
            info.connected = true;
            let Some(tuple) = tuple else {
                info.connect_to(given);
                return;
            };
            match (ends(tuple), tuple) {
                (Some((kind, source, destination)), _) => {
                    let changed = info.update_ends(kind, source, destination);
                    if changed && info.role == Role::Server && info.socket.protocol == UDP {
                        info.swap_ends();
                    }
                    info.name_by_ends();
                }
                (None, Tuple::Unix { .. }) if info.kind == FdKind::Unix => {
                    info.name.clear();
                    tuple.write(&mut info.name);
                }
                (None, _) => return,
            }
            if info.role == Role::None {
                info.role = Role::Client;
            }
        });
    }

    fn apply_accept(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        let Some(fd) = event.result().filter(|fd| *fd >= 0) else {
            return;
        };
        let Some(tuple) = event.bytes(1).and_then(Tuple::parse) else {
            return;
        };
        let ends = ends(tuple);
        if ends.is_none() && !matches!(tuple, Tuple::Unix { .. }) {
            return;
        }
        let to_close = event.kind == EventType::Accept4
            && event.unsigned(5).unwrap_or(0) & encode::F_CLOEXEC != 0;
        let index = self.make_captured(slot, fd, to_close, |info| {
            match ends {
                Some((kind, source, destination)) => {
                    info.set_pair(kind, source, destination);
                    info.socket.protocol = TCP;
                }
                None => info.kind = FdKind::Unix,
            }
            tuple.write(&mut info.name);
            info.role = Role::Server;
            info.connected = true;
        });
        saw.makes(index);
        saw.fd_name_changed = self.is_named(index);
    }

    /// Reading and writing, which tell whom a datagram comes from or goes to.
    pub(super) fn apply_transfer(&mut self, slot: u32, event: &Captured<'_>, saw: &mut Saw) {
        if event.result().is_none_or(|result| result < 0) {
            return;
        }
        let (tuple, is_read) = match event.kind {
            EventType::Recvfrom => (Some(2), true),
            EventType::Recvmsg => (Some(3), true),
            EventType::Recv | EventType::Recvmmsg => (Some(4), true),
            EventType::Send | EventType::Sendto | EventType::Sendmsg | EventType::Sendmmsg => {
                (Some(4), false)
            }
            EventType::Write | EventType::Writev | EventType::Pwrite | EventType::Pwritev => {
                (None, false)
            }
            _ => (None, true),
        };
        let fd = event.kind.fd_param().and_then(|param| event.signed(param));
        let Some(fd) = fd.filter(|fd| *fd >= 0) else {
            return;
        };
        let tuple = tuple
            .and_then(|param| event.bytes(param))
            .and_then(Tuple::parse);
        if saw.fd == FdIndex::NONE {
            let sends = matches!(
                event.kind,
                EventType::Send | EventType::Sendto | EventType::Sendmsg
            );
            let kind = match tuple {
                Some(Tuple::V4(..)) if sends => FdKind::Ipv4,
                Some(Tuple::V6(..)) if sends => FdKind::Ipv6,
                _ => return,
            };
            // Its making was missed; who says where each message goes has no connection.
            let index = self.make_captured(slot, fd, false, |info| {
                info.kind = kind;
                info.socket.protocol = UDP;
            });
            saw.makes(index);
        }
        let Some(info) = self.descriptors.info(saw.fd) else {
            return;
        };
        let becomes_connected = info.is_pair() && !info.connected;
        let is_tcp = info.kind == FdKind::Ipv4 && info.is_pair() && info.socket.protocol == TCP;
        let tuple = tuple.filter(|_| info.name.is_empty() || !is_tcp);
        if tuple.is_none() && !becomes_connected {
            return;
        }
        let edited = self.edit(slot, fd, saw, |info| info.connected |= info.is_pair());
        if let Some(tuple) = tuple.filter(|_| edited) {
            self.apply_tuple(slot, tuple, is_read, saw);
        }
    }

    /// Takes a message's ends in. The entry was made by this very event: nobody else has it.
    fn apply_tuple(&mut self, slot: u32, tuple: Tuple<'_>, is_read: bool, saw: &mut Saw) {
        let Some(info) = self.descriptors.info_mut(saw.fd) else {
            return;
        };
        let ends = match (ends(tuple), tuple) {
            // Falco makes no pair of an IPv6 socket that is bound, nor of one of which it has not
            // seen what it is: the message gives it a name, and no more.
            (Some((FdKind::Ipv6, ..)), _) if info.kind != FdKind::Ipv6 || info.is_bound() => None,
            (Some(ends), _) => Some(ends),
            (None, Tuple::Unix { .. }) => {
                info.kind = FdKind::Unix;
                None
            }
            (None, _) => return,
        };
        let Some((kind, source, destination)) = ends else {
            let before = std::mem::take(&mut info.name);
            tuple.write(&mut info.name);
            info.name.truncate(NAME_BYTES_MAX);
            saw.fd_name_changed |= before != info.name;
            return;
        };
        if !info.update_ends(kind, source, destination) {
            return;
        }
        if info.socket.protocol == UNKNOWN {
            info.socket.protocol = UDP;
        }
        let interfaces = &self.interfaces;
        let same_port = info.socket.local_port == info.socket.remote_port;
        let (missing, known) = match (info.socket.local == [0; 16], info.socket.remote == [0; 16]) {
            (true, _) => (Some(&mut info.socket.local), info.socket.remote),
            (false, true) => (Some(&mut info.socket.remote), info.socket.local),
            (false, false) => (None, [0; 16]),
        };
        if let Some(missing) = missing {
            let found = interfaces.towards(info.kind, &known);
            if found != known || !same_port {
                *missing = found;
            }
        }
        let (from, to) = match info.kind {
            // Where Falco looks for the ports of an IPv4 connection, whatever the address is.
            FdKind::Ipv6 => {
                let [.., a, b, c, d, _, _, _, _] = info.socket.local;
                (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]))
            }
            _ => (info.socket.local_port, info.socket.remote_port),
        };
        let guessed = match info.role {
            Role::None => Some(self.guess_role(slot, from, to, is_read)),
            Role::Client | Role::Server => None,
        };
        let Some(info) = self.descriptors.info_mut(saw.fd) else {
            return;
        };
        if let Some(role) = guessed {
            info.role = role;
        }
        if info.role == (if is_read { Role::Client } else { Role::Server }) {
            info.swap_ends();
        }
        let before = std::mem::take(&mut info.name);
        info.name_by_ends();
        saw.fd_name_changed |= before != info.name;
    }

    /// Which end a process is of a connection from and to these ports: the server where it is
    /// bound to the second; where it uses the first as well, who reads first is the server.
    fn guess_role(&self, slot: u32, from: u16, to: u16, is_read: bool) -> Role {
        let (mut is_bound, mut uses) = (false, false);
        for (_, index) in self.descriptors.entries(self.table_of(slot)) {
            let Some(info) = self.descriptors.info(index) else {
                continue;
            };
            if info.kind != FdKind::Ipv4 {
                continue;
            }
            if info.is_bound() {
                is_bound |= info.socket.local_port == to;
            } else {
                is_bound |= info.socket.remote_port == to;
                uses |= info.socket.local_port == from;
            }
        }
        match (is_bound, uses) {
            (false, _) => Role::Client,
            (true, false) => Role::Server,
            (true, true) if is_read => Role::Server,
            (true, true) => Role::Client,
        }
    }

    /// Says which end each process is of the connections that a capture lists: who owns the port
    /// that a connection comes from has accepted it.
    pub(in crate::state::captured) fn settle_roles(&mut self) {
        let Unsettled { ports, sockets } = std::mem::take(&mut self.unsettled);
        for index in sockets {
            let Some(info) = self.descriptors.info_mut(index) else {
                continue;
            };
            if ports.contains(&info.socket.local_port) {
                info.swap_ends();
                info.role = Role::Server;
                info.name_by_ends();
            } else {
                info.role = Role::Client;
            }
        }
    }
}

/// What a capture lists of sockets, until all of its list is known.
#[derive(Clone, Debug, Default)]
pub(in crate::state) struct Unsettled {
    /// Ports that processes listen at.
    ports: hashbrown::HashSet<u16, foldhash::fast::RandomState>,
    /// Connections of which nobody knows which end is the process's.
    sockets: Vec<FdIndex>,
}

impl Unsettled {
    pub(super) fn take_in(&mut self, index: FdIndex, info: &FdInfo) {
        if info.kind != FdKind::Ipv4 {
        } else if info.is_bound() {
            self.ports.insert(info.socket.local_port);
        } else {
            self.sockets.push(index);
        }
    }

    pub(in crate::state::captured) fn is_empty(&self) -> bool {
        self.ports.is_empty() && self.sockets.is_empty()
    }
}
