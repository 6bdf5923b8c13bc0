//! Each type of parameter with bytes of its own, whole and damaged.

use super::*;
use crate::event::{Clock, Event, captured};
use crate::extract::{FieldRef, Scratch, value};
use crate::state::{Limits, State};

/// What fields are of an event with these parameters.
fn fields(
    names: &[&str],
    kind: EventType,
    params: &[&[u8]],
    state: &mut State,
    number: u64,
) -> Vec<String> {
    let mut bytes = Vec::new();
    let param = |index: usize| params[index];
    captured::write(kind, 0, 1_500_000_000, 7, params.len(), param, &mut bytes);
    let event = Captured::parse(&bytes, number).expect("it was just written");
    let event = Event::Captured(event);
    let seen = state.apply(&event);
    let view = View::new(&event, state, seen);
    let mut scratch = Scratch::new();
    let show = |name: &&str| {
        let field = FieldRef::parse(name).expect("the field exists");
        match crate::alert::to_json(value(&field, &view, &mut scratch).as_ref()) {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        }
    };
    let shown = names.iter().map(show).collect();
    state.release(number + 1);
    shown
}

/// What a field is of the first event there is.
fn field(name: &str, kind: EventType, params: &[&[u8]]) -> String {
    let mut state = State::new(Limits::default(), Clock::default());
    fields(&[name], kind, params, &mut state, 1).remove(0)
}

/// The parameter of that name, where all the others are empty.
fn shown(field_of: &str, kind: EventType, name: &str, bytes: &[u8]) -> String {
    let index = kind.param(name).expect("the event has the parameter");
    let params: Vec<&[u8]> = (0..kind.params().len())
        .map(|at| if at == index { bytes } else { b"" })
        .collect();
    field(&format!("{field_of}.{name}"), kind, &params)
}

fn arg(kind: EventType, name: &str, bytes: &[u8]) -> String {
    shown("evt.arg", kind, name, bytes)
}

fn raw_arg(kind: EventType, name: &str, bytes: &[u8]) -> String {
    shown("evt.rawarg", kind, name, bytes)
}

#[test]
fn results_and_descriptors_below_zero_are_named_as_errors() {
    let close = |name, number: i64| arg(EventType::Close, name, &number.to_le_bytes());
    assert_eq!(close("res", 0), "0");
    assert_eq!(close("res", -9), "EBADF");
    assert_eq!(close("res", -516), "ERESTART_RESTARTBLOCK");
    assert_eq!(close("res", -126), "-126");
    assert_eq!(close("fd", 5), "5");
    assert_eq!(close("fd", -1), "EPERM");
    assert_eq!(close("fd", -100), "AT_FDCWD");
    assert_eq!(close("fd", i64::MIN), i64::MIN.to_string());
    let raw = |name, number: i64| raw_arg(EventType::Close, name, &number.to_le_bytes());
    // Falco compares results, and does not show them.
    assert_eq!(
        (raw("fd", -1), raw("res", -9)),
        ("-1".into(), "null".into())
    );
    let directory = 3i64.to_le_bytes();
    assert_eq!(raw_arg(EventType::Fchdir, "fd", &directory), "3");
}

#[test]
fn numbers_are_shown_in_the_base_of_the_table() {
    let mode = |number: u32| arg(EventType::Open, "mode", &number.to_le_bytes());
    assert_eq!((mode(0o644), mode(0)), ("0644".into(), "0".into()));
    assert_eq!(
        raw_arg(EventType::Open, "mode", &0o644u32.to_le_bytes()),
        "644"
    );
    let device = 0xfe00u32.to_le_bytes();
    assert_eq!(arg(EventType::Open, "dev", &device), "FE00");
    assert_eq!(raw_arg(EventType::Open, "dev", &device), "FE00");
    // A number without a sign is shown with one in text, and without as what it is.
    let offset = u64::MAX.to_le_bytes();
    assert_eq!(arg(EventType::Lseek, "offset", &offset), "-1");
    assert_eq!(
        raw_arg(EventType::Lseek, "offset", &offset),
        u64::MAX.to_string()
    );
}

#[test]
fn flags_are_named_in_the_order_of_the_table() {
    let flags = |set: u32| arg(EventType::Open, "flags", &set.to_le_bytes());
    assert_eq!(flags(258), "O_TRUNC|O_WRONLY");
    assert_eq!(flags(0), "O_NONE");
    assert_eq!(flags(1 << 31), "2147483648");
    let domain = |value: u32| arg(EventType::Socket, "domain", &value.to_le_bytes());
    assert_eq!(
        (domain(16), domain(200)),
        ("AF_ROUTE|AF_NETLINK".into(), "200".into())
    );
    let mode = |mode: u32| arg(EventType::Chmod, "mode", &mode.to_le_bytes());
    assert_eq!((mode(0o400), mode(0)), ("S_IRUSR".into(), "0".into()));
    assert_eq!(mode(0o600), "S_IWUSR|S_IRUSR");
}

#[test]
fn signals_calls_and_times_are_told_by_name() {
    assert_eq!(arg(EventType::Kill, "sig", &[9]), "SIGKILL");
    assert_eq!(arg(EventType::Kill, "sig", &[0]), "0");
    assert_eq!(arg(EventType::Kill, "sig", &[200]), "200");
    let call = |id: u16| field("evt.type", EventType::Syscall, &[&id.to_le_bytes(), b""]);
    assert_eq!(
        (call(107), call(9999)),
        ("rt_sigaction".into(), "<unknown syscall>".into())
    );
    assert_eq!(
        arg(EventType::Syscall, "ID", &107u16.to_le_bytes()),
        "rt_sigaction"
    );
    assert_eq!(
        field("evt.args", EventType::Syscall, &[&[107, 0], b"\x0d\0"]),
        ""
    );
    let time = |ns: u64| arg(EventType::Nanosleep, "interval", &ns.to_le_bytes());
    assert_eq!((time(0), time(1_500_000_000)), ("0s".into(), "1.5s".into()));
    assert_eq!((time(1), time(u64::MAX)), ("1e-09s".into(), "none".into()));
    assert_eq!(
        (time(123_456_789), time(u64::MAX - 1)),
        ("0.123457s".into(), "1.84467e+10s".into())
    );
    assert_eq!(
        (time(100_000_000), time(999_999_900_000_000)),
        ("0.1s".into(), "1e+06s".into())
    );
}

#[test]
fn texts_are_shown_without_what_could_control_a_terminal() {
    assert_eq!(arg(EventType::Chdir, "path", b"a\tb\0rest"), "a\u{fffd}b");
    assert_eq!(raw_arg(EventType::Chdir, "path", b"a\tb\0rest"), "a\tb");
    assert_eq!(raw_arg(EventType::Chdir, "path", b"caf\xe9.r\0"), "caf鮲");
    assert_eq!(arg(EventType::Chdir, "path", b"no end"), "no end");
    assert_eq!(arg(EventType::Read, "data", b"a\0\xff "), "a.. ");
    let long = [b'x'; 3000];
    assert_eq!(arg(EventType::Read, "data", &long).len(), 3000);
    assert_eq!(raw_arg(EventType::Read, "data", &long).len(), 1021);
    let args = [&b"res"[..], b"a\0", b"b\0"];
    assert_eq!(
        field("evt.args", EventType::Symlink, &args),
        "res=<NA> target=a linkpath=b(b)"
    );
    assert_eq!(
        field("evt.args", EventType::Symlink, &[b"", b"\0", b"/b/\0"]),
        "res=<NA> target= linkpath=/b/"
    );
}

#[test]
fn addresses_are_shown_by_family() {
    let connect = |name, bytes: &[u8]| arg(EventType::Connect, name, bytes);
    assert_eq!(connect("addr", &[2, 127, 0, 0, 1, 80, 0]), "127.0.0.1:80");
    assert_eq!(connect("addr", b"\x01/run/\x1bs\0"), "/run/\u{fffd}s");
    assert_eq!(connect("addr", &[2, 1]), "INVALID IPv4");
    assert_eq!(connect("addr", &[99]), "family 99");
    let tuple = [2, 10, 0, 0, 1, 1, 0, 10, 0, 0, 2, 2, 0];
    assert_eq!(connect("tuple", &tuple), "10.0.0.1:1->10.0.0.2:2");
    assert_eq!(raw_arg(EventType::Connect, "tuple", &tuple), "null");
}

#[test]
fn lists_are_shown_as_far_as_they_are_there() {
    let mut fds = vec![2, 0];
    for (fd, flags) in [(5i64, 0x481u16), (-1, 0)] {
        fds.extend(fd.to_le_bytes());
        fds.extend(flags.to_le_bytes());
    }
    let poll = |bytes: &[u8]| arg(EventType::Poll, "fds", bytes);
    assert_eq!(poll(&fds), "5:?481 -1:?0");
    assert_eq!(poll(&fds[..15]), "5:?481");
    fds[..2].fill(0xff);
    assert_eq!(poll(&fds), "5:?481 -1:?0");
    assert_eq!((poll(&[1]), poll(&[1, 0])), ("NULL".into(), String::new()));
    assert_eq!(arg(EventType::Task, "argv", b"a\0b c\0"), "a.b c");
}

#[test]
fn a_value_of_one_of_several_types_says_which() {
    let ptrace = |bytes: &[u8]| arg(EventType::Ptrace, "data", bytes);
    let mut number = vec![0];
    number.extend(0x7fffu64.to_le_bytes());
    assert_eq!(ptrace(&number), "7FFF");
    assert_eq!(ptrace(&[1, 17]), "SIGCHLD");
    assert_eq!(ptrace(&[9, 1]), "INVALID DYNAMIC PARAMETER");
    assert_eq!(
        (ptrace(&[0]), ptrace(&number[..4])),
        ("<NA>".into(), "<NA>".into())
    );
}

#[test]
fn what_could_not_be_read_is_shown_by_its_type() {
    assert_eq!(arg(EventType::Chdir, "path", b""), "<NA>");
    assert_eq!(raw_arg(EventType::Chdir, "path", b""), "<NA>");
    assert_eq!(arg(EventType::Close, "fd", b""), "<NA>");
    assert_eq!(arg(EventType::Read, "data", b""), "NULL");
    assert_eq!(arg(EventType::Connect, "tuple", b""), "NULL");
    assert_eq!(arg(EventType::Connect, "addr", b""), "<NA>");
    assert_eq!(arg(EventType::Poll, "fds", b""), "NULL");
}

#[test]
fn no_bytes_of_any_length_stop_an_event_from_being_shown() {
    let mut state = State::new(Limits::default(), Clock::default());
    let mut number = 0;
    for kind in EventType::ALL {
        let mut names = vec![
            "evt.args",
            "evt.res",
            "evt.type",
            "evt.buffer",
            "evt.asynctype",
        ];
        let raw = kind.params().iter();
        let raw: Vec<String> = raw
            .map(|param| format!("evt.rawarg.{}", param.name))
            .collect();
        names.extend(raw.iter().map(String::as_str));
        for fill in [0, 1, 2, 10, 0x80, 0xff] {
            for len in [0, 1, 2, 3, 4, 7, 8, 9, 10, 13, 20, 37] {
                let bytes = vec![fill; len];
                let params = vec![&bytes[..]; kind.params().len()];
                // Also an event that has fewer than its type.
                for count in [params.len(), params.len() / 2] {
                    number += 1;
                    let shown = fields(&names, *kind, &params[..count], &mut state, number);
                    assert!(shown.iter().all(|text| !text.contains('\x7f')));
                }
            }
        }
    }
}
