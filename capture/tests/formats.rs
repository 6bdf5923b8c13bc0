//! Every kind of block in every version of it.

mod support;

use saker_capture::{
    Addresses, CaptureError, Descriptor, Entry, Fault, Group, Interface, Machine, Named, Protocol,
    Reader, Target, Thread, User,
};
use std::net::{Ipv4Addr, Ipv6Addr};
use support::{Bytes, block, capture, event, only, read, section, thread};

/// What [`thread`] makes, in the newest version.
const THREAD: Thread<'static> = Thread {
    tid: 10,
    pid: 11,
    ptid: 12,
    sid: 13,
    vpgid: 14,
    comm: b"comm",
    exe: b"exe",
    exepath: b"/exepath",
    args: b"a\0b\0",
    cwd: b"/cwd",
    fdlimit: 15,
    flags: 16,
    uid: 17,
    gid: 18,
    vmsize_kib: 19,
    vmrss_kib: 20,
    vmswap_kib: 21,
    pfmajor: 22,
    pfminor: 23,
    env: b"X=1\0",
    vtid: 24,
    vpid: 25,
    cgroups: b"cpu=/\0",
    root: b"/root",
    pidns_init_start_time: 26,
    tty: 27,
    loginuid: 28,
    exe_writable: true,
    cap_inheritable: 29,
    cap_permitted: 30,
    cap_effective: 31,
    exe_upper_layer: true,
    exe_inode: 32,
    exe_change_time: 33,
    exe_modify_time: 34,
    exe_from_memfd: true,
    exe_lower_layer: true,
    pgid: 35,
};

#[test]
fn threads_of_every_version_have_what_it_has() {
    let blocks = [
        (1, &[0x202, 0x8000_ABCD][..]),
        (2, &[0x207, 0x8013_ABCD]),
        (3, &[0x209, 0x8014_ABCD]),
        (4, &[0x210]),
        (5, &[0x211]),
        (6, &[0x212]),
        (7, &[0x213]),
        (8, &[0x214]),
    ];
    for (version, kinds) in blocks {
        let absent = Thread::default();
        let mut expected = Thread {
            pidns_init_start_time: 0,
            tty: 0,
            loginuid: u32::MAX,
            exe_writable: false,
            cap_inheritable: 0,
            cap_permitted: 0,
            cap_effective: 0,
            exe_upper_layer: false,
            exe_inode: 0,
            exe_change_time: 0,
            exe_modify_time: 0,
            exe_from_memfd: false,
            exe_lower_layer: false,
            pgid: -1,
            ..THREAD
        };
        if version < 8 {
            expected.vpgid = -1;
        }
        if version < 7 {
            expected.exepath = b"";
        }
        if version < 6 {
            expected.sid = -1;
        }
        if version < 5 {
            expected.root = b"";
        }
        if version < 4 {
            (expected.vtid, expected.vpid, expected.cgroups) = (-1, -1, b"");
        }
        if version < 3 {
            expected.env = b"";
        }
        if version < 2 {
            expected.vmsize_kib = absent.vmsize_kib;
            expected.vmrss_kib = absent.vmrss_kib;
            expected.vmswap_kib = absent.vmswap_kib;
            (expected.pfmajor, expected.pfminor) = (absent.pfmajor, absent.pfminor);
        }
        for kind in kinds {
            only(*kind, &thread(version, true), |entry| {
                assert_eq!(
                    *entry,
                    Entry::Thread(Box::new(expected)),
                    "version {version}"
                );
            });
        }
    }
}

#[test]
fn a_threads_length_says_how_much_of_it_is_recorded() {
    let whole = thread(9, true);
    only(0x215, &whole.clone().sized(), |entry| {
        assert_eq!(*entry, Entry::Thread(Box::new(THREAD)));
    });
    // From libscap before 0.10, which had no two members in the middle.
    only(0x215, &thread(9, false).sized(), |entry| {
        let expected = Thread {
            pidns_init_start_time: 0,
            tty: 0,
            exe_upper_layer: false,
            exe_inode: 0,
            exe_change_time: 0,
            exe_modify_time: 0,
            exe_from_memfd: false,
            exe_lower_layer: false,
            pgid: -1,
            ..THREAD
        };
        assert_eq!(*entry, Entry::Thread(Box::new(expected)));
    });
    // From libscap before members were appended one by one: first without the last, and so on.
    let mut shorter = THREAD;
    for (less, forget) in [
        (8, (|thread| thread.pgid = -1) as fn(&mut Thread<'_>)),
        (9, |thread| thread.exe_lower_layer = false),
        (10, |thread| thread.exe_from_memfd = false),
        (18, |thread| thread.exe_modify_time = 0),
    ] {
        forget(&mut shorter);
        let entry = Bytes(whole.0[..whole.0.len() - less].to_vec()).sized();
        only(0x215, &entry, |entry| {
            assert_eq!(*entry, Entry::Thread(Box::new(shorter)))
        });
    }
    // From libscap to come, with more at the end.
    let entry = whole.clone().raw(&[0xEE; 21]).sized();
    let two = Bytes::new().raw(&entry.0).raw(&entry.0);
    let (entries, errors, _) = read(&capture(&[block(0x215, &two)]));
    assert_eq!(
        entries,
        vec![format!("{:?}", Entry::Thread(Box::new(THREAD))); 2]
    );
    assert!(errors.is_empty());
}

#[test]
fn descriptors_of_every_kind_and_in_both_versions_are_read() {
    let v6: Ipv6Addr = "2001:db8::1".parse().expect("an address");
    let (sized, unsized_) = (0x218, [0x203, 0x8001_ABCD]);
    let file = |device| Target::File {
        open_flags: 0x1003,
        name: b"/f",
        device,
    };
    let cases = [
        (
            Bytes::new()
                .u8(3)
                .raw(&[10, 0, 0, 1, 10, 0, 0, 2])
                .u16(1025)
                .u16(443)
                .u8(2),
            Target::Ipv4 {
                source: "10.0.0.1:1025".parse().expect("an address"),
                destination: "10.0.0.2:443".parse().expect("an address"),
                protocol: Protocol::TCP,
            },
        ),
        (
            Bytes::new()
                .u8(4)
                .raw(&v6.octets())
                .raw(&Ipv6Addr::LOCALHOST.octets())
                .u16(1025)
                .u16(53)
                .u8(3),
            Target::Ipv6 {
                source: "[2001:db8::1]:1025".parse().expect("an address"),
                destination: "[::1]:53".parse().expect("an address"),
                protocol: Protocol::UDP,
            },
        ),
        (
            Bytes::new().u8(5).raw(&[0; 4]).u16(80).u8(2),
            Target::Ipv4Server {
                address: "0.0.0.0:80".parse().expect("an address"),
                protocol: Protocol::TCP,
            },
        ),
        (
            Bytes::new().u8(6).raw(&v6.octets()).u16(80).u8(5),
            Target::Ipv6Server {
                address: "[2001:db8::1]:80".parse().expect("an address"),
                protocol: Protocol::RAW,
            },
        ),
        (
            Bytes::new()
                .u8(8)
                .u64(0xFFFF_8880_0000_0001)
                .u64(2)
                .text("/run/s"),
            Target::Unix {
                source: 0xFFFF_8880_0000_0001,
                destination: 2,
                name: b"/run/s",
            },
        ),
        (Bytes::new().u8(16).u32(0x1003).text("/f"), file(0)),
        (Bytes::new().u8(0), Target::Unknown(0)),
    ];
    let named = Named::ALL.iter().map(|kind| {
        let target = Target::Named {
            kind: *kind,
            name: b"/n",
        };
        (Bytes::new().u8(*kind as u8).text("/n"), target)
    });
    assert_eq!(Named::ALL.len(), 15);
    for (body, target) in cases.into_iter().chain(named) {
        let expected = Entry::Descriptor {
            tid: 7,
            descriptor: Descriptor {
                fd: -3,
                inode: 9,
                target,
            },
        };
        let entry = Bytes::new().u64(-3_i64 as u64).u64(9).raw(&body.0);
        for kind in unsized_ {
            only(kind, &Bytes::new().u64(7).raw(&entry.0), |found| {
                assert_eq!(*found, expected);
            });
        }
        let entry = entry.raw(b"more to come").sized();
        if !matches!(target, Target::File { .. }) {
            only(sized, &Bytes::new().u64(7).raw(&entry.0), |found| {
                assert_eq!(*found, expected);
            });
        }
    }
    let with_device = Bytes::new()
        .u64(1)
        .u64(2)
        .u8(16)
        .u32(0x1003)
        .text("/f")
        .u32(64768);
    only(
        sized,
        &Bytes::new().u64(7).raw(&with_device.sized().0),
        |found| {
            let Entry::Descriptor { descriptor, .. } = found else {
                panic!("{found:?}");
            };
            assert_eq!(descriptor.target, file(64768));
        },
    );
    // Of a kind to come nothing but the kind is known, and what follows is read all the same.
    let unknown = Bytes::new().u64(1).u64(2).u8(200).raw(b"whatever").sized();
    let two = Bytes::new().u64(7).raw(&unknown.0).raw(&unknown.0);
    let (entries, errors, _) = read(&capture(&[block(sized, &two)]));
    assert_eq!((entries.len(), errors.len()), (2, 0));
    assert!(entries[1].contains("Unknown(200)"), "{}", entries[1]);
}

#[test]
fn interfaces_users_and_the_machine_are_read() {
    let v4 = [[10, 1, 2, 3], [255, 0, 0, 0], [10, 255, 255, 255]].map(Ipv4Addr::from);
    let v6 = [[1; 16], [255; 16], [0; 16]].map(Ipv6Addr::from);
    let v4_bytes = v4.map(|one| one.octets()).concat();
    let v6_bytes = v6.map(|one| one.octets()).concat();
    for (kind, addresses, bytes, speed) in [
        (1, Addresses::V4(v4), &v4_bytes, true),
        (2, Addresses::V6(v6), &v6_bytes, true),
        (3, Addresses::V4(v4), &v4_bytes, false),
        (4, Addresses::V6(v6), &v6_bytes, false),
    ] {
        let entry = Bytes::new().u16(kind).u16(4).raw(bytes);
        let entry = if speed { entry.u64(1000) } else { entry };
        let entry = entry.raw(b"eth0");
        let expected = Entry::Interface(Interface {
            name: b"eth0",
            addresses,
            link_speed: if speed { 1000 } else { 0 },
        });
        for old in [0x205, 0x8011_ABCD] {
            only(old, &entry, |found| assert_eq!(*found, expected));
        }
        // This length alone does not count itself.
        let sized = Bytes::new().u32(entry.0.len() as u32).raw(&entry.0);
        only(0x219, &sized, |found| assert_eq!(*found, expected));
    }

    let user = Bytes::new()
        .u8(0)
        .u32(1000)
        .u32(100)
        .text("u")
        .text("/home/u")
        .text("/bin/sh");
    let group = Bytes::new().u8(1).u32(100).text("g");
    let user_expected = Entry::User(User {
        uid: 1000,
        gid: 100,
        name: b"u",
        home: b"/home/u",
        shell: b"/bin/sh",
    });
    let group_expected = Entry::Group(Group {
        gid: 100,
        name: b"g",
    });
    for old in [0x206, 0x8012_ABCD] {
        only(old, &user, |found| assert_eq!(*found, user_expected));
        only(old, &group, |found| assert_eq!(*found, group_expected));
    }
    only(0x220, &user.clone().sized(), |found| {
        assert_eq!(*found, user_expected)
    });
    only(0x220, &group.clone().sized(), |found| {
        assert_eq!(*found, group_expected)
    });

    // An entry of an unknown kind is passed over if it says how long it is.
    let other = Bytes::new().u8(9).raw(b"whatever");
    let list = Bytes::new()
        .raw(&other.clone().sized().0)
        .raw(&group.clone().sized().0);
    let (entries, errors, counts) = read(&capture(&[block(0x220, &list)]));
    assert_eq!(entries, [format!("{group_expected:?}")]);
    assert!(errors.is_empty());
    assert_eq!((counts.entries, counts.entries_unknown), (1, 1));
    let list = Bytes::new().raw(&group.0).raw(&other.0).raw(&group.0);
    let (entries, errors, _) = read(&capture(&[block(0x206, &list), section()]));
    assert_eq!(entries.len(), 1);
    assert!(matches!(
        errors[..],
        [CaptureError {
            fault: Fault::EntryKind(9),
            ..
        }]
    ));

    let machine = Bytes::new().u32(2).u64(3).u64(4).raw(b"host");
    let machine = machine.raw(&[0; 124]).u64(5).u64(6).raw(&[0; 16]);
    for kind in [0x201, 0x8002_ABCD] {
        only(kind, &machine, |found| {
            let expected = Machine {
                cpus: 2,
                memory_bytes: 3,
                pid_max: 4,
                hostname: b"host",
                boot_time: 5,
                flags: 6,
            };
            assert_eq!(*found, Entry::Machine(expected));
        });
    }
}

#[test]
fn events_in_every_block_have_the_same_parameters() {
    let params: [&[u8]; 4] = [b"\x03\0\0\0\0\0\0\0", b"", b"/etc/passwd\0", b"\x01\0\0\0"];
    for (kind, flags, count, large) in [
        (0x204, false, false, false),
        (0x8010_ABCD, false, false, false),
        (0x208, true, false, false),
        (0x216, false, true, false),
        (0x217, true, true, false),
        (0x221, false, true, true),
        (0x222, true, true, true),
    ] {
        let code = if large { 402 } else { 307 };
        for params in [&params[..], &params[..1], &[]] {
            let body = Bytes::new().u16(3);
            let body = if flags { body.u32(2) } else { body };
            let body = body.raw(&event(code, count, large, params).0);
            only(kind, &body, |found| {
                let Entry::Event(found) = found else {
                    panic!("{found:?}");
                };
                assert_eq!((found.cpu, found.flags), (3, if flags { 2 } else { 0 }));
                assert_eq!(found.time, 1_700_000_000_000_000_001);
                assert_eq!((found.tid, found.code), (4711, code));
                assert_eq!(found.params.len(), params.len());
                assert_eq!(found.params.iter().collect::<Vec<_>>(), params);
                assert_eq!(found.params.get(params.len()), None);
            });
        }
    }
}

#[test]
fn old_events_that_say_they_are_longer_than_they_are_can_be_read() {
    for code in [280, 286] {
        let mut body = Bytes::new()
            .u16(0)
            .raw(&event(code, false, false, &[b"id", b"d"]).0);
        let said = u32::from_le_bytes(body.0[18..22].try_into().expect("four bytes"));
        body.0[18..22].copy_from_slice(&(said + 3).to_le_bytes());
        only(0x204, &body.raw(&[0; 3]), |found| {
            let Entry::Event(found) = found else {
                panic!("{found:?}");
            };
            assert_eq!(found.params.iter().collect::<Vec<_>>(), [&b"id"[..], b"d"]);
        });
    }
}

#[test]
fn events_that_contradict_themselves_are_errors_and_the_next_is_read() {
    let good = Bytes::new().u16(0).raw(&event(3, true, false, &[b"x"]).0);
    let with = |place: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad.0[place..place + bytes.len()].copy_from_slice(bytes);
        bad
    };
    let length = 18;
    let count = 24;
    let first = 28;
    for (bad, kind) in [
        (with(length, &u32::MAX.to_le_bytes()), "Short"),
        (with(length, &25_u32.to_le_bytes()), "Short"),
        (with(length, &26_u32.to_le_bytes()), "ParamLengths"),
        (with(count, &2_u32.to_le_bytes()), "ParamLengths"),
        (with(count, &65_u32.to_le_bytes()), "ParamCount(65)"),
        (
            with(count, &u32::MAX.to_le_bytes()),
            "ParamCount(4294967295)",
        ),
        (with(first, &2_u16.to_le_bytes()), "ParamLengths"),
        (Bytes::new().u16(0), "Short"),
        (Bytes::new(), "Short"),
    ] {
        let bytes = capture(&[block(0x216, &bad), block(0x216, &good)]);
        let (entries, errors, _) = read(&bytes);
        assert_eq!((entries.len(), errors.len()), (1, 1));
        assert!(
            format!("{:?}", errors[0].fault).starts_with(kind),
            "{:?}",
            errors[0]
        );
        assert_eq!(errors[0].offset, section().len() as u64);
        assert_eq!(errors[0].block, Some(0x216));
    }
    // Without a number of parameters the lengths must add up exactly.
    let bad = Bytes::new().u16(0).raw(&event(3, false, false, &[b"x"]).0);
    let mut bad_length = bad.clone();
    bad_length.0[18] += 1;
    let (_, errors, _) = read(&capture(&[block(0x204, &bad_length.raw(&[0]))]));
    assert!(matches!(errors[0].fault, Fault::ParamLengths));
}

#[test]
fn what_is_no_capture_is_told_so_at_once() {
    let refused = |bytes: &[u8]| match Reader::new(bytes) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error,
    };
    for bytes in [
        &b""[..],
        b"x",
        b"\x7fELF and so on and on and on",
        &[0; 100],
    ] {
        assert!(matches!(refused(bytes).fault, Fault::NotACapture));
    }
    // pcapng has the same first block, and then its own.
    let mut other = section();
    other[8..12].copy_from_slice(&0x1A2B_3C4D_u32.to_be_bytes());
    assert!(matches!(refused(&other).fault, Fault::ByteOrder));
    other[8] = 9;
    assert!(matches!(refused(&other).fault, Fault::NotACapture));
    let mut other = section();
    other[12] = 2;
    let error = refused(&other);
    assert!(matches!(error.fault, Fault::Version { major: 2, minor: 2 }));
    assert_eq!(
        error.to_string(),
        "byte 0 of the capture, in a block of type 0xa0d0d0a: version 2.2 of the format is not known"
    );
    assert!(matches!(refused(&section()[..9]).fault, Fault::Truncated));
    assert!(matches!(refused(&[0x1f, 0x8b]).fault, Fault::Truncated));
    assert!(matches!(
        refused(b"\x1f\x8bnot gzip all the same").fault,
        Fault::Read(_)
    ));
}

#[test]
fn a_pcapng_file_of_something_else_is_no_capture() {
    // A network interface and a packet.
    let other = [
        block(1, &Bytes::new().raw(&[0; 8])),
        block(6, &Bytes::new().raw(&[0; 40])),
    ];
    let (entries, errors, counts) = read(&capture(&other));
    assert_eq!((entries.len(), counts.blocks_unknown), (0, 2));
    assert!(matches!(
        errors[..],
        [CaptureError {
            fault: Fault::OtherBlocks,
            ..
        }]
    ));
    assert!(errors[0].is_end());
    // One without any block is a capture of nothing.
    let (_, errors, _) = read(&capture(&[]));
    assert!(errors.is_empty());
}

#[test]
fn blocks_of_unknown_types_are_passed_over_and_counted() {
    let event = block(
        0x216,
        &Bytes::new().u16(0).raw(&event(3, true, false, &[]).0),
    );
    let unknown = block(0x7777, &Bytes::new().raw(&vec![1; 300_000]));
    let (entries, errors, counts) = read(&capture(&[unknown, event]));
    assert_eq!((entries.len(), errors.len()), (1, 0));
    assert_eq!(
        (counts.blocks, counts.blocks_unknown, counts.events),
        (3, 1, 1)
    );
}

#[test]
fn a_block_that_lies_about_its_length_ends_the_capture() {
    let event = block(
        0x216,
        &Bytes::new().u16(0).raw(&event(3, true, false, &[]).0),
    );
    let frame = |total: u32| Bytes::new().u32(0x216).u32(total).raw(&[0; 64]).0;
    for (bad, kind) in [
        (frame(0), "BlockLength(0)"),
        (frame(11), "BlockLength(11)"),
        (frame(40), "Trailer"),
        (frame(1 << 20), "Truncated"),
        (frame(u32::MAX), "Truncated"),
        (Bytes::new().u32(0x219).u32(u32::MAX).0, "Truncated"),
        (Bytes::new().u32(0x7777).u32(u32::MAX).0, "Truncated"),
        (Bytes::new().u32(0x7777).u32(13).raw(&[0; 5]).0, "Trailer"),
        (vec![0x16, 2, 0], "Truncated"),
    ] {
        let (entries, errors, _) = read(&capture(&[event.clone(), bad, event.clone()]));
        assert_eq!(entries.len(), 1, "{kind}");
        let last = errors.last().expect("an error");
        assert!(last.is_end());
        assert!(format!("{:?}", last.fault).starts_with(kind), "{last:?}");
    }
}

#[test]
fn an_entry_that_is_damaged_costs_what_lies_behind_it_only_where_its_length_is_wrong() {
    let good = thread(9, true).sized();
    for (bad, kind, left) in [
        (Bytes::new().u32(0), "Short", 0),
        (Bytes::new().u32(3), "Short", 0),
        (Bytes::new().u32(u32::MAX).raw(&[0; 8]), "Short", 0),
        (Bytes::new().u32(12).raw(&[0; 8]), "Short", 1),
        (
            Bytes::new().u32(2 << 20).raw(&vec![0; (2 << 20) - 4]),
            "TooLong",
            1,
        ),
    ] {
        let list = Bytes::new().raw(&good.0).raw(&bad.0).raw(&good.0);
        let event = block(
            0x216,
            &Bytes::new().u16(0).raw(&event(3, true, false, &[]).0),
        );
        let (entries, errors, _) = read(&capture(&[block(0x215, &list), event]));
        assert_eq!((entries.len(), errors.len()), (2 + left, 1), "{kind}");
        assert!(
            format!("{:?}", errors[0].fault).starts_with(kind),
            "{errors:?}"
        );
        assert_eq!(
            errors[0].offset,
            (section().len() + 8 + good.0.len()) as u64
        );
    }
}

#[test]
fn events_longer_than_any_are_passed_over() {
    let long = Bytes::new()
        .u16(0)
        .raw(&event(3, true, false, &[&[1; 10]]).0);
    let long = long.raw(&vec![0; 3 << 20]);
    let large = Bytes::new()
        .u16(0)
        .raw(&event(402, true, true, &[&[1; 3 << 20]]).0);
    let larger = Bytes::new()
        .u16(0)
        .raw(&event(402, true, true, &[&[1; 17 << 20]]).0);
    let bytes = capture(&[
        block(0x216, &long),
        block(0x221, &larger),
        block(0x221, &large),
    ]);
    let (entries, errors, _) = read(&bytes);
    assert_eq!((entries.len(), errors.len()), (1, 2));
    let lengths = errors.iter().map(|error| match error.fault {
        Fault::TooLong { limit, .. } => limit,
        _ => panic!("{error:?}"),
    });
    assert_eq!(lengths.collect::<Vec<_>>(), [2 << 20, 16 << 20]);
}
