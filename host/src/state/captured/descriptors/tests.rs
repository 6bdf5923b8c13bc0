//! Descriptors over hand-made events of captures: what each stood for, at which event.

use crate::alert::to_json;
use crate::event::captured::{self, Head, Purpose};
use crate::event::{Captured, Clock, Event};
use crate::extract::{Scratch, View, value};
use crate::state::descriptor::{FdKind, Role};
use crate::state::{Limits, State};
use saker_capture::{Addresses, Descriptor, Entry, Interface, Protocol, Target, Thread};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::FieldRef;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddrV4};

const TID: i64 = 50;
const DIRECTORY: u32 = 1024;
const CLOEXEC: u32 = 4096;
const AT_FDCWD: i64 = -100;

/// A replay that a test makes up.
struct Replay {
    state: State,
    number: u64,
}

/// A parameter's bytes.
trait Param {
    fn raw(&self) -> Vec<u8>;
}

macro_rules! number {
    ($($kind:ty)*) => {
        $(impl Param for $kind {
            fn raw(&self) -> Vec<u8> {
                self.to_le_bytes().to_vec()
            }
        })*
    };
}
number!(i64 u64 u32 u16 u8);

impl Param for &str {
    fn raw(&self) -> Vec<u8> {
        [self.as_bytes(), b"\0"].concat()
    }
}

impl Param for Vec<u8> {
    fn raw(&self) -> Vec<u8> {
        self.clone()
    }
}

macro_rules! params {
    ($($value:expr),* $(,)?) => { [$($value.raw()),*] };
}

impl Replay {
    fn new(limits: Limits) -> Replay {
        let mut state = State::new(limits, Clock::default());
        for tid in [TID, TID + 1] {
            state.seed_captured(&Entry::Thread(Box::new(Thread {
                tid,
                pid: TID,
                ptid: 1,
                comm: b"sh",
                exe: b"/bin/sh",
                cwd: b"/tmp/d",
                fdlimit: 8,
                // The second is a thread of the first's process, with its descriptors.
                flags: if tid == TID { 0 } else { 1 | 1 << 13 },
                ..Thread::default()
            })));
        }
        Replay { state, number: 0 }
    }

    fn seed(&mut self, fd: i64, target: Target<'_>) {
        let descriptor = Descriptor {
            fd,
            inode: 7,
            target,
        };
        let tid = TID;
        self.state
            .seed_captured(&Entry::Descriptor { tid, descriptor });
    }

    /// Applies an event, and gives the values that these fields have at it.
    fn at<const N: usize>(
        &mut self,
        tid: i64,
        kind: EventType,
        params: &[Vec<u8>],
        fields: [&str; N],
    ) -> [Value; N] {
        self.number += 1;
        self.after(tid, &[], kind, params, fields)
    }

    /// The same of an event in an old capture, which tells apart what the call was given.
    fn after<const N: usize>(
        &mut self,
        tid: i64,
        given: &[Vec<u8>],
        kind: EventType,
        params: &[Vec<u8>],
        fields: [&str; N],
    ) -> [Value; N] {
        let mut bytes = Vec::new();
        let head = Head {
            kind,
            purpose: Purpose::Judged,
            cpu: 0,
            time: self.number,
            tid,
        };
        let all = params.iter().chain(given).map(|param| &param[..]);
        captured::write_whole(&head, params.len(), all, &mut bytes);
        let event = Captured::parse(&bytes, self.number).expect("it was just written");
        let event = Event::Captured(event);
        let seen = self.state.apply(&event);
        let view = View::new(&event, &self.state, seen);
        let mut scratch = Scratch::new();
        let values = fields.map(|name| {
            let field = FieldRef::parse(name).expect("the field exists");
            to_json(value(&field, &view, &mut scratch).as_ref())
        });
        self.state.release(self.number);
        values
    }

    fn open(&mut self, fd: i64, name: &str, flags: u32) -> [Value; 4] {
        let params = params![fd, name, flags, 0u32, 0xFE00u32, 99u64];
        let fields = ["fd.num", "fd.name", "fd.type", "fd.name_changed"];
        self.at(TID, EventType::Open, &params, fields)
    }

    fn fstat<const N: usize>(&mut self, fd: i64, fields: [&str; N]) -> [Value; N] {
        self.at(TID, EventType::Fstat, &params![0i64, fd], fields)
    }
}

/// A tuple of IPv4, by the last byte of each address.
fn tuple(source: u8, from: u16, destination: u8, to: u16) -> Vec<u8> {
    let mut bytes = vec![2, 10, 0, 0, source];
    bytes.extend(from.to_le_bytes());
    bytes.extend([10, 0, 0, destination]);
    bytes.extend(to.to_le_bytes());
    bytes
}

fn address(last: u8, port: u16) -> Vec<u8> {
    let mut bytes = vec![2, 10, 0, 0, last];
    bytes.extend(port.to_le_bytes());
    bytes
}

#[test]
fn an_opened_file_is_named_by_its_directory_until_the_event_after_its_close() {
    let mut replay = Replay::new(Limits::default());
    let opened = replay.open(3, "../e//f", 1);
    assert_eq!(
        opened,
        [json!(3), json!("/tmp/e/f"), json!("file"), json!(true)]
    );
    let opened = replay.open(4, "/tmp/e", DIRECTORY);
    assert_eq!(opened[1..3], [json!("/tmp/e"), json!("directory")]);
    let params = params![5i64, 4i64, "g", 1u32, 0u32, 0xFE00u32, 100u64];
    let fields = ["fd.name", "fd.nameraw", "fd.ino", "fd.dev", "evt.abspath"];
    let values = replay.at(TID, EventType::Openat, &params, fields);
    assert_eq!(
        values,
        [
            json!("/tmp/e/g"),
            json!("g"),
            json!(100),
            json!("FE00"),
            json!("/tmp/e/g")
        ]
    );
    let params = params![-2i64, AT_FDCWD, "g", 1u32, 0u32, 0u32, 0u64];
    let fields = ["fd.num", "fd.name", "fd.typechar", "fd.type"];
    let values = replay.at(TID, EventType::Openat, &params, fields);
    assert_eq!(
        values,
        [json!(-1), json!("/tmp/d/g"), json!("f"), Value::Null]
    );
    // Threads of a process have the same.
    let fields = ["fd.name", "proc.fdopencount"];
    let params = params![0i64, 3i64];
    let values = replay.at(TID + 1, EventType::Close, &params, fields);
    assert_eq!(values, [json!("/tmp/e/f"), json!(3)]);
    let fields = [
        "fd.num",
        "fd.name",
        "fd.typechar",
        "proc.fdopencount",
        "proc.fdusage",
    ];
    let values = replay.fstat(3, fields);
    assert_eq!(
        values,
        [json!(3), json!(""), json!("o"), json!(2), json!(25.0)]
    );
    let failed = replay.at(TID, EventType::Close, &params![-9i64, 4i64], ["fd.name"]);
    assert_eq!(failed, [json!("/tmp/e")]);
    assert_eq!(replay.fstat(4, ["fd.name"]), [json!("/tmp/e")]);
}

#[test]
fn duplicates_stand_for_the_same_and_exec_closes_what_is_marked() {
    let mut replay = Replay::new(Limits::default());
    replay.open(3, "/a", 1 | CLOEXEC);
    let fields = ["fd.num", "fd.name", "fd.name_changed"];
    let values = replay.at(TID, EventType::Dup, &params![4i64, 3i64], fields);
    assert_eq!(values, [json!(4), json!("/a"), json!(false)]);
    let values = replay.at(
        TID,
        EventType::Dup3,
        &params![5i64, 3i64, 5i64, CLOEXEC],
        fields,
    );
    assert_eq!(values[0], json!(5));
    // What nobody knows has no duplicate.
    let values = replay.at(TID, EventType::Dup2, &params![9i64, 77i64, 9i64], fields);
    assert_eq!(values, [json!(77), json!(""), Value::Null]);
    let duplicate = params![6i64, 3i64, 26u8, 0u64];
    assert_eq!(
        replay.at(TID, EventType::Fcntl, &duplicate, ["fd.num"]),
        [json!(6)]
    );
    let other = params![0i64, 3i64, 2u8, 0u64];
    assert_eq!(
        replay.at(TID, EventType::Fcntl, &other, ["fd.num"]),
        [json!(3)]
    );
    let mark = params![0i64, 4i64, 3u8, 1u64];
    replay.at(TID, EventType::Fcntl, &mark, []);
    let duplicate = params![7i64, 3i64, 1u8, 0u64];
    replay.at(TID, EventType::Fcntl, &duplicate, []);
    assert_eq!(replay.fstat(7, ["proc.fdopencount"]), [json!(5)]);
    let slot = replay.state.live_process(TID as u32).expect("it lives");
    replay.state.captured_close_on_exec(slot);
    assert_eq!(
        replay.fstat(7, ["fd.name", "proc.fdopencount"]),
        [json!("/a"), json!(1)]
    );
}

#[test]
fn a_call_that_made_no_memfd_counts_as_falco_counts_it() {
    let mut replay = Replay::new(Limits::default());
    let params = params![-22i64, "payload", 0u32];
    let fields = ["fd.num", "fd.name", "fd.type", "proc.fdopencount"];
    let values = replay.at(TID, EventType::MemfdCreate, &params, fields);
    assert_eq!(values, [json!(-22), json!(""), Value::Null, json!(1)]);
}

#[test]
fn a_socket_is_named_by_what_it_is_bound_and_connected_to() {
    let mut replay = Replay::new(Limits::default());
    replay.state.seed_captured(&Entry::Interface(Interface {
        name: b"eth0",
        addresses: Addresses::V4([
            Ipv4Addr::new(10, 0, 0, 1),
            Ipv4Addr::new(255, 0, 0, 0),
            Ipv4Addr::new(10, 255, 255, 255),
        ]),
        link_speed: 0,
    }));
    let socket = params![3i64, 2u32, 1u32, 6u32, 0u32];
    let fields = ["fd.name", "fd.type", "fd.l4proto", "fd.connected"];
    let values = replay.at(TID, EventType::Socket, &socket, fields);
    assert_eq!(
        values,
        [json!(""), json!("ipv4"), json!("<NA>"), json!(false)]
    );
    // One that was refused changes nothing.
    let refused = params![-111i64, Vec::<u8>::new(), 3i64, address(2, 80)];
    assert_eq!(replay.at(TID, EventType::Connect, &refused, fields), values);
    let begun = params![-115i64, tuple(1, 1000, 2, 80), 3i64, address(2, 80)];
    let fields = [
        "fd.name",
        "fd.cip",
        "fd.sport",
        "fd.lip",
        "fd.rip",
        "fd.is_server",
        "fd.l4proto",
        "fd.cproto",
    ];
    let values = replay.at(TID, EventType::Connect, &begun, fields);
    let expected = [
        json!("10.0.0.1:1000->10.0.0.2:80"),
        json!("10.0.0.1"),
        json!(80),
        json!("10.0.0.1"),
        json!("10.0.0.2"),
        json!(false),
        json!("tcp"),
        json!("1000"),
    ];
    assert_eq!(values, expected);

    replay.at(
        TID,
        EventType::Socket,
        &params![4i64, 2u32, 1u32, 6u32, 0u32],
        [],
    );
    let bind = params![0i64, address(1, 22), 4i64];
    let fields = [
        "fd.name",
        "fd.sip",
        "fd.sport",
        "fd.cip",
        "fd.is_server",
        "fd.name_changed",
    ];
    let values = replay.at(TID, EventType::Bind, &bind, fields);
    let expected = [
        json!("10.0.0.1:22"),
        json!("10.0.0.1"),
        json!(22),
        Value::Null,
        json!(true),
        json!(true),
    ];
    assert_eq!(values, expected);
    let accept = params![5i64, tuple(9, 5000, 1, 22), 0u8, 0u32, 0u32, CLOEXEC];
    let fields = ["fd.num", "fd.name", "fd.cport", "fd.lport", "fd.is_server"];
    let values = replay.at(TID, EventType::Accept4, &accept, fields);
    let expected = [
        json!(5),
        json!("10.0.0.9:5000->10.0.0.1:22"),
        json!(5000),
        json!(22),
        json!(true),
    ];
    assert_eq!(values, expected);
    let failed = params![-11i64, Vec::<u8>::new(), 0u8, 0u32, 0u32, 0u32];
    let values = replay.at(
        TID,
        EventType::Accept4,
        &failed,
        ["fd.num", "fd.name", "fd.typechar"],
    );
    assert_eq!(values, [json!(-1), json!("NULL"), json!("4")]);
    let list = [2u16.raw(), 3i64.raw(), 0u16.raw(), 77i64.raw(), 0u16.raw()].concat();
    let fields = [
        "fdlist.nums",
        "fdlist.names",
        "fdlist.cips",
        "fdlist.sports",
    ];
    let values = replay.at(TID, EventType::Poll, &params![1i64, list, 0i64], fields);
    let expected = [
        json!("3,77"),
        json!("10.0.0.1:1000->10.0.0.2:80,<NA>"),
        json!("10.0.0.1"),
        json!("80"),
    ];
    assert_eq!(values, expected);
}

/// The ends of a connection, both IPv6: `2001:db8::` and a last byte.
fn tuple_v6(source: u8, from: u16, destination: u8, to: u16) -> Vec<u8> {
    let mut bytes = address_v6(source, from);
    bytes.extend(&address_v6(destination, to)[1..]);
    bytes
}

fn address_v6(last: u8, port: u16) -> Vec<u8> {
    let mut bytes = vec![10, 0x20, 1, 0xd, 0xb8];
    bytes.extend([0; 11]);
    bytes.push(last);
    bytes.extend(port.to_le_bytes());
    bytes
}

fn mapped_address(last: u8, port: u16) -> Vec<u8> {
    let mut bytes = vec![10];
    bytes.extend([0; 10]);
    bytes.extend([0xff, 0xff, 10, 0, 0, last]);
    bytes.extend(port.to_le_bytes());
    bytes
}

#[test]
fn a_connection_goes_where_its_beginning_says_unless_the_kernel_says_otherwise() {
    let mut replay = Replay::new(Limits::default());
    let fields = ["fd.name", "fd.type", "fd.sip", "fd.sport"];
    let mut connect = |domain: u32, [tuple, now, given]: [Vec<u8>; 3]| {
        let socket = params![3i64, domain, 1u32, 0u32, 0u32];
        replay.at(TID, EventType::Socket, &socket, []);
        replay.after(
            TID,
            &params![3i64, given],
            EventType::Connect,
            &params![0i64, tuple, 3i64, now],
            fields,
        )
    };
    let shown = |name: &str, kind: &str, ip: &str, port: u16| {
        let port = Some(port).filter(|port| *port != 0);
        let ip = Some(ip).filter(|ip| !ip.is_empty());
        [json!(name), json!(kind), json!(ip), json!(port)]
    };
    // What the end tells is what was swapped in meanwhile.
    assert_eq!(
        connect(2, [tuple(1, 9, 3, 81), address(3, 81), address(2, 80)]),
        shown("10.0.0.1:9->10.0.0.2:80", "ipv4", "10.0.0.2", 80)
    );
    assert_eq!(
        connect(
            10,
            [tuple_v6(1, 9, 3, 81), address_v6(3, 81), address_v6(2, 80)]
        ),
        shown("2001:db8::1:9->2001:db8::2:80", "ipv6", "2001:db8::2", 80)
    );
    let mut both = mapped_address(1, 9);
    both.extend(&mapped_address(3, 81)[1..]);
    assert_eq!(
        connect(10, [both, mapped_address(3, 81), mapped_address(2, 80)]),
        shown("10.0.0.1:9->10.0.0.2:80", "ipv4", "10.0.0.2", 80)
    );
    let path = |path: &str| [b"\x01".as_slice(), path.as_bytes(), b"\0"].concat();
    let ends = |path: &str| {
        let addresses = [1u8.raw(), 0xau64.raw(), 0xbu64.raw()].concat();
        [&addresses, path.as_bytes(), b"\0"].concat()
    };
    assert_eq!(
        connect(1, [ends("/run/b"), path("/run/b"), path("/run/a")]),
        shown("a->b /run/a", "unix", "", 0)
    );
    // The kernel's own word differs from what the process says now: nobody else wrote that.
    assert_eq!(
        connect(2, [tuple(1, 9, 3, 81), address(4, 81), address(2, 80)]),
        shown("10.0.0.1:9->10.0.0.3:81", "ipv4", "10.0.0.3", 81)
    );
    assert_eq!(
        connect(1, [ends("/run/b"), path("/run/c"), path("/run/a")]),
        shown("a->b /run/b", "unix", "", 0)
    );
}

#[test]
fn a_connection_without_a_tuple_goes_where_its_beginning_says() {
    let mut replay = Replay::new(Limits::default());
    let mut connect = |domain: u32, given: Vec<u8>| {
        let socket = params![3i64, domain, 1u32, 0u32, 0u32];
        replay.at(TID, EventType::Socket, &socket, []);
        let [name] = replay.after(
            TID,
            &params![3i64, given],
            EventType::Connect,
            &params![0i64, Vec::<u8>::new(), 3i64, Vec::<u8>::new()],
            ["fd.name"],
        );
        let state = &replay.state;
        let slot = state.live_process(TID as u32).expect("it lives");
        let info = state.descriptors.info(state.captured_fd(slot, 3));
        let info = info.expect("it was just made");
        assert!(info.connected && info.role == Role::None);
        let bytes = if info.kind == FdKind::Ipv4 { 4 } else { 16 };
        let port = info.socket.remote_port;
        (name, info.kind, info.socket.remote[..bytes].to_vec(), port)
    };
    let v4 = vec![10, 0, 0, 2];
    let v6 = address_v6(2, 80)[1..17].to_vec();
    for (domain, given, kind, ip) in [
        (2, address(2, 80), FdKind::Ipv4, &v4),
        (10, address_v6(2, 80), FdKind::Ipv6, &v6),
        (10, mapped_address(2, 80), FdKind::Ipv4, &v4),
    ] {
        assert_eq!(connect(domain, given), (json!(""), kind, ip.clone(), 80));
    }
    let (name, kind, ..) = connect(1, b"\x01/run/a\0".to_vec());
    assert_eq!((name, kind), (json!("NULL"), FdKind::Unix));
    assert_eq!(
        connect(2, Vec::new()),
        (json!(""), FdKind::Ipv4, vec![0; 4], 0)
    );
}

#[test]
fn datagrams_name_a_socket_and_whose_it_is_is_guessed() {
    let mut replay = Replay::new(Limits::default());
    // Sending through what nobody knows.
    let send = params![4i64, Vec::<u8>::new(), 3i64, 4u32, tuple(1, 1000, 2, 53)];
    let fields = ["fd.name", "fd.l4proto", "fd.cport", "fd.connected"];
    let values = replay.at(TID, EventType::Sendto, &send, fields);
    assert_eq!(
        values,
        [
            json!("10.0.0.1:1000->10.0.0.2:53"),
            json!("udp"),
            json!(1000),
            json!(true)
        ]
    );
    // The answer has the same ends.
    let receive = params![4i64, Vec::<u8>::new(), tuple(2, 53, 1, 1000), 3i64, 4u32];
    let fields = ["fd.name", "fd.name_changed"];
    let values = replay.at(TID, EventType::Recvfrom, &receive, fields);
    assert_eq!(values, [json!("10.0.0.1:1000->10.0.0.2:53"), json!(false)]);
    // What is read first is a request.
    replay.at(
        TID,
        EventType::Socket,
        &params![4i64, 2u32, 2u32, 17u32, 0u32],
        [],
    );
    let receive = params![4i64, Vec::<u8>::new(), tuple(9, 4000, 1, 514), 4i64, 4u32];
    let fields = ["fd.name", "fd.cport", "fd.sport"];
    let values = replay.at(TID, EventType::Recvfrom, &receive, fields);
    assert_eq!(
        values,
        [
            json!("10.0.0.9:4000->10.0.0.1:514"),
            json!(4000),
            json!(514)
        ]
    );
}

#[test]
fn a_datagram_to_another_names_a_socket_anew() {
    let mut replay = Replay::new(Limits::default());
    let send = |to: Vec<u8>| params![4i64, Vec::<u8>::new(), 3i64, 4u32, to];
    let fields = ["fd.name", "fd.sip", "fd.sport", "fd.name_changed"];
    for (domain, to, name, ip) in [
        (
            2u32,
            tuple(1, 9, 2, 53),
            "10.0.0.1:9->10.0.0.2:53",
            "10.0.0.2",
        ),
        (2, tuple(1, 9, 3, 54), "10.0.0.1:9->10.0.0.3:54", "10.0.0.3"),
        (
            10,
            tuple_v6(1, 9, 2, 53),
            "2001:db8::1:9->2001:db8::2:53",
            "2001:db8::2",
        ),
        (
            10,
            tuple_v6(1, 9, 3, 54),
            "2001:db8::1:9->2001:db8::3:54",
            "2001:db8::3",
        ),
    ] {
        if name.ends_with(":53") {
            let socket = params![3i64, domain, 2u32, 17u32, 0u32];
            replay.at(TID, EventType::Socket, &socket, []);
        }
        let port = if name.ends_with(":53") { 53 } else { 54 };
        assert_eq!(
            replay.at(TID, EventType::Sendto, &send(to), fields),
            [json!(name), json!(ip), json!(port), json!(true)]
        );
    }
}

#[test]
fn who_asks_over_ipv6_is_no_server_for_asking_over_ipv4_too() {
    let mut replay = Replay::new(Limits::default());
    for (fd, domain) in [(3i64, 2u32), (4, 10)] {
        let socket = params![fd, domain, 2u32, 17u32, 0u32];
        replay.at(TID, EventType::Socket, &socket, []);
    }
    let fields = ["fd.name", "fd.is_server"];
    for (fd, to, name) in [
        (3i64, tuple(1, 9, 2, 53), "10.0.0.1:9->10.0.0.2:53"),
        (4, tuple_v6(1, 8, 2, 53), "2001:db8::1:8->2001:db8::2:53"),
    ] {
        let send = params![4i64, Vec::<u8>::new(), fd, 4u32, to];
        assert_eq!(
            replay.at(TID, EventType::Sendto, &send, fields),
            [json!(name), json!(false)]
        );
    }
}

#[test]
fn a_bound_ipv6_socket_stays_so_whoever_talks_to_it() {
    let mut replay = Replay::new(Limits::default());
    let socket = params![3i64, 10u32, 2u32, 17u32, 0u32];
    replay.at(TID, EventType::Socket, &socket, []);
    let bind = params![0i64, address_v6(1, 53), 3i64];
    replay.at(TID, EventType::Bind, &bind, []);
    let fields = ["fd.name", "fd.sip", "fd.sport", "fd.is_server"];
    let shown = |name: &str| [json!(name), json!("2001:db8::1"), json!(53), json!(true)];
    let receive = params![4i64, Vec::<u8>::new(), tuple_v6(9, 4000, 1, 53), 3i64, 4u32];
    assert_eq!(
        replay.at(TID, EventType::Recvfrom, &receive, fields),
        shown("2001:db8::9:4000->2001:db8::1:53")
    );
    let send = params![4i64, Vec::<u8>::new(), 3i64, 4u32, tuple_v6(1, 53, 8, 4001)];
    assert_eq!(
        replay.at(TID, EventType::Sendto, &send, fields),
        shown("2001:db8::1:53->2001:db8::8:4001")
    );
}

#[test]
fn who_owns_the_port_that_a_listed_connection_comes_from_accepted_it() {
    let mut replay = Replay::new(Limits::default());
    let at = |last, port| SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), port);
    let protocol = Protocol::TCP;
    replay.seed(
        0,
        Target::File {
            open_flags: CLOEXEC,
            name: b"/dev/null",
            device: 6,
        },
    );
    replay.seed(
        3,
        Target::Ipv4 {
            source: at(1, 22),
            destination: at(9, 5000),
            protocol,
        },
    );
    replay.seed(
        4,
        Target::Ipv4 {
            source: at(1, 6000),
            destination: at(9, 22),
            protocol,
        },
    );
    replay.seed(
        5,
        Target::Ipv4Server {
            address: at(0, 22),
            protocol,
        },
    );
    replay.seed(
        6,
        Target::Unix {
            source: 1,
            destination: 2,
            name: b"/run/a",
        },
    );
    let fields = ["fd.name", "fd.type", "fd.types", "fd.types[0]"];
    let expected = [
        json!("10.0.0.9:5000->10.0.0.1:22"),
        json!("ipv4"),
        json!(["unix", "ipv4", "file"]),
        json!(["file"]),
    ];
    assert_eq!(replay.fstat(3, fields), expected);
    assert_eq!(
        replay.fstat(4, ["fd.name"]),
        [json!("10.0.0.1:6000->10.0.0.9:22")]
    );
    assert_eq!(
        replay.fstat(5, ["fd.name", "fd.ino"]),
        [
            json!("10.0.0.1:22".replace("10.0.0.1", "10.0.0.0")),
            json!(7)
        ]
    );
    assert_eq!(
        replay.fstat(6, ["fd.name", "fd.sockfamily"]),
        [json!("/run/a"), json!("unix")]
    );
    let values = replay.fstat(
        6,
        ["proc.stdin.name", "proc.stdin.type", "proc.stdout.type"],
    );
    assert_eq!(values, [json!("/dev/null"), json!("file"), Value::Null]);
}

#[test]
fn a_snapshot_tells_of_both_ends_of_a_unix_socket_and_what_exec_closes() {
    let mut replay = Replay::new(Limits::default());
    replay.open(3, "/a", 1 | CLOEXEC);
    replay.open(4, "/b", 1);
    let addresses = [1u8.raw(), 0xau64.raw(), 0xbu64.raw()].concat();
    let ends = [addresses, "/run/a".raw()].concat();
    let socket = params![5i64, 1u32, 1u32, 0u32];
    replay.at(TID, EventType::Socket, &socket, []);
    let connect = params![0i64, ends.clone(), 5i64, vec![1u8]];
    replay.at(TID, EventType::Connect, &connect, []);
    let accept = params![6i64, ends, 0u8, 0u32, 0u32];
    replay.at(TID, EventType::Accept, &accept, []);
    let closing = params![0i64, 6i64, 3u8, 1u64];
    replay.at(TID, EventType::Fcntl, &closing, []);
    let mut later = Replay::new(Limits::default());
    let taken: Result<(), ()> = replay.state.snapshot(replay.number, |entry| {
        later.state.seed_captured(entry);
        Ok(())
    });
    assert_eq!(taken, Ok(()));
    let mut told = Vec::new();
    let taken: Result<(), ()> = replay.state.closed_on_exec(replay.number, |tid, fd| {
        told.push((tid, fd));
        Ok(())
    });
    assert_eq!(taken, Ok(()));
    // Of files the list says it.
    assert_eq!(told, [(TID as u32, 6)]);
    for (fd, role) in [(5, Role::Client), (6, Role::Server)] {
        for replay in [&mut replay, &mut later] {
            let shown = replay.fstat(fd, ["fd.name", "fd.connected"]);
            assert_eq!(shown, [json!("a->b /run/a"), json!(true)], "{fd}");
            let slot = replay.state.live_process(TID as u32).expect("it lives");
            let index = replay.state.captured_fd(slot, fd);
            let info = replay.state.descriptor(index).expect("it is open");
            assert_eq!(info.role, role, "{fd}");
        }
    }
    for (fd, closes) in [(3, true), (4, false)] {
        let slot = later.state.live_process(TID as u32).expect("it lives");
        let table = later.state.table_of(slot);
        assert_eq!(later.state.descriptors.closes_on_exec(table, fd), closes);
    }
}

#[test]
fn what_an_event_saw_stays_when_the_socket_goes_on() {
    let mut replay = Replay::new(Limits::default());
    replay.at(
        TID,
        EventType::Socket,
        &params![3i64, 2u32, 1u32, 6u32, 0u32],
        [],
    );
    let slot = replay.state.live_process(TID as u32).expect("it lives");
    let before = replay.state.captured_fd(slot, 3);
    let connect = params![0i64, tuple(1, 1000, 2, 80), 3i64, address(2, 80)];
    replay.at(TID, EventType::Connect, &connect, []);
    let after = replay.state.captured_fd(slot, 3);
    assert_ne!(before, after);
    let name = |index| replay.state.descriptor(index).map(|info| info.name.clone());
    assert_eq!(name(before), Some(Vec::new()));
    assert_eq!(name(after), Some(b"10.0.0.1:1000->10.0.0.2:80".to_vec()));
}

#[test]
fn no_bytes_of_a_capture_break_the_state_or_pass_its_bounds() {
    let limits = Limits {
        descriptors_max: 64,
        descriptors_per_process_max: 16,
        ..Limits::default()
    };
    let mut replay = Replay::new(limits);
    let mut seed = 1u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let fields = [
        "fd.name",
        "fd.num",
        "fd.types",
        "fdlist.names",
        "evt.abspath",
        "fs.path.name",
    ];
    for _ in 0..4_000 {
        let kind = EventType::ALL[random() as usize % EventType::COUNT];
        let params: Vec<Vec<u8>> = kind
            .params()
            .iter()
            .map(|param| {
                let mut bytes = match random() % 4 {
                    0 => (random() % 24).to_le_bytes().to_vec(),
                    1 => tuple(1, random() as u16, 2, random() as u16),
                    2 => "../a/./b".raw(),
                    _ => random().to_le_bytes()[..random() as usize % 9].to_vec(),
                };
                if let Some(width) = param.width
                    && !random().is_multiple_of(16)
                {
                    bytes.resize(width.into(), 0);
                }
                bytes
            })
            .collect();
        let tid = TID + (random() % 3) as i64;
        replay.at(tid, kind, &params, fields);
    }
    assert!(replay.state.sizes()[3] <= 64);
    assert!(replay.state.counters.descriptors_refused > 0);
}
