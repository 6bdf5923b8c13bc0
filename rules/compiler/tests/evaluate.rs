//! Compiled modules run: each test writes rows as a host would and looks at the hits.

mod support;

use saker_rules_compiler::oracle;
use saker_rules_schema::abi::{MATCH_ALL, MATCH_FIRST};
use saker_rules_schema::event::EventType;
use saker_rules_schema::manifest::Manifest;
use support::{Judge, Window, engine, facts, ruleset};

/// One rule with that condition, one process, one event: whether it hits.
fn hits(
    condition: &str,
    event: EventType,
    process: &[(&str, &str)],
    of_event: &[(&str, &str)],
) -> bool {
    let yaml = format!(
        "- rule: r\n  desc: d\n  condition: {}\n  output: o\n  priority: INFO\n",
        serde_json::to_string(condition).unwrap()
    );
    let ruleset = ruleset(&yaml, false);
    let manifest = &ruleset.manifest;
    let mut window = Window::new(manifest);
    window.process(manifest, 0, &facts(process));
    if !window.event(manifest, event, 1, 0, &facts(of_event)) {
        return false;
    }
    let mut judge = Judge::new(&engine(), &ruleset, MATCH_ALL);
    let hits = judge.judge(&window.bytes);
    match hits.as_slice() {
        [] => false,
        [hit] => {
            assert_eq!(*hit, (window.rows[1].0, 0));
            true
        }
        more => panic!("one row and one rule give no {more:?}"),
    }
}

#[test]
fn a_rule_hits_the_event_it_describes_and_no_other() {
    let condition = "evt.type in (open, openat) and fd.name startswith /etc/ and proc.name != cat";
    let process = [("proc.name", "less")];
    let shadow = [("fd.name", "/etc/shadow")];
    assert!(hits(condition, EventType::Openat, &process, &shadow));
    assert!(!hits(condition, EventType::Creat, &process, &shadow));
    assert!(!hits(
        condition,
        EventType::Openat,
        &process,
        &[("fd.name", "/etc")]
    ));
    assert!(!hits(
        condition,
        EventType::Openat,
        &[("proc.name", "cat")],
        &shadow
    ));
}

#[test]
fn numbers_are_read_as_c_reads_them_and_ports_by_their_services() {
    let is = |condition: &str, field, value| {
        hits(
            condition,
            EventType::Connect,
            &[("user.uid", "0")],
            &[(field, value)],
        )
    };
    assert!(is("fd.sport = https", "fd.sport", "443"));
    assert!(is("fd.sport in (ssh, 8080)", "fd.sport", "22"));
    assert!(!is("fd.sport = http", "fd.sport", "443"));
    let by = |condition: &str, uid| {
        hits(
            condition,
            EventType::Connect,
            &[("user.uid", uid)],
            &[("fd.sport", "1")],
        )
    };
    let nobody = "4294967295";
    assert!(by("user.uid = -1 and fd.sport = 1", nobody));
    assert!(by("user.uid != -1 and fd.sport = 1", "0"));
    assert!(!by("user.uid < -1 and fd.sport = 1", nobody));
}

#[test]
fn tabs_may_part_a_key_and_its_value() {
    let yaml = "- rule:\tr\n  desc:\t\td\n  condition:\tevt.type = open and proc.name = ab\n  \
                output:\to\n  priority:\tINFO\n";
    assert_eq!(ruleset(yaml, false).manifest.rules[0].name, "r");
}

#[test]
fn an_event_without_a_type_of_its_own_is_told_by_its_name() {
    let is = |condition: &str, event, name| hits(condition, event, &[], &[("evt.type", name)]);
    let call = EventType::Syscall;
    assert!(is("evt.type = rt_sigaction", call, "rt_sigaction"));
    assert!(!is("evt.type = rt_sigaction", call, "rt_sigprocmask"));
    assert!(is("evt.type in (keyctl, rseq)", call, "rseq"));
    assert!(is("evt.type != rseq", call, "madvise"));
    assert!(!is("evt.type = openat", call, "rseq"));
    assert!(is("not evt.type = openat", call, "rseq"));
    assert!(is("evt.type startswith rt_", call, "rt_sigaction"));
    let reported = EventType::Asyncevent;
    assert!(is(
        "evt.type = container_removed",
        reported,
        "container_removed"
    ));
    assert!(!is("evt.type = container_removed", reported, "container"));
    assert!(!is(
        "evt.type = rt_sigaction",
        EventType::Openat,
        "rt_sigaction"
    ));
    let asynctype = [("evt.asynctype", "container")];
    let asks = "evt.asynctype = container";
    assert!(hits(asks, reported, &[], &asynctype));
    assert!(!hits(asks, EventType::Openat, &[], &asynctype));
    assert!(hits(
        "evt.asynctype = useradded",
        EventType::Useradded,
        &[],
        &[]
    ));
}

#[test]
fn an_event_is_around_a_time_by_milliseconds() {
    let around = |condition: &str, ns| {
        let of_event = [("evt.around.1000", ns)];
        hits(condition, EventType::Openat, &[], &of_event)
    };
    assert!(around("evt.around[1000] = 2", "2000000"));
    assert!(!around("evt.around[1000] = 2", "2000001"));
    assert!(!around("not evt.around[1000] = 2", "0"));
}

#[test]
fn every_comparison_with_an_absent_field_is_false() {
    let event = EventType::Openat;
    for condition in [
        "evt.type=openat and proc.name != cat",
        "evt.type=openat and fd.num >= 0",
        "evt.type=openat and proc.aname != cat",
        "evt.type=openat and fd.sip != 1.2.3.4",
        "evt.type=openat and fd.ip != 1.2.3.4",
        "evt.type=openat and fd.name contains \"\"",
        "evt.type=openat and fd.name exists",
    ] {
        assert!(!hits(condition, event, &[], &[]), "{condition}");
    }
    assert!(hits(
        "evt.type=openat and not proc.name = cat",
        event,
        &[],
        &[]
    ));
}

#[test]
fn both_ends_compare_either_and_differ_only_together() {
    let ends = [
        ("fd.cip", "10.0.0.1"),
        ("fd.sip", "10.0.0.2"),
        ("fd.cport", "4000"),
        ("fd.sport", "80"),
    ];
    let holds = |condition: &str| {
        hits(
            &format!("evt.type=connect and {condition}"),
            EventType::Connect,
            &[],
            &ends,
        )
    };
    assert!(holds("fd.ip = 10.0.0.1"));
    assert!(holds("fd.ip in (10.0.0.2, ::1)"));
    assert!(!holds("fd.ip != 10.0.0.2"));
    assert!(holds("fd.ip != 10.0.0.3"));
    assert!(holds("fd.port = 80"));
    assert!(holds("fd.port < 100"));
    assert!(!holds("fd.port != 80"));
}

#[test]
fn an_ancestor_field_holds_for_any_ancestor() {
    let process = [
        ("proc.aname", "bash|sshd|systemd"),
        ("proc.apid", "30|20|1"),
        ("proc.aname[2]", "sshd"),
    ];
    let holds = |condition: &str| {
        hits(
            &format!("evt.type=execve and {condition}"),
            EventType::Execve,
            &process,
            &[],
        )
    };
    assert!(holds("proc.aname = sshd"));
    assert!(holds("proc.aname != sshd"));
    assert!(!holds("proc.aname = cron"));
    assert!(holds("proc.aname startswith sys"));
    assert!(holds("proc.aname in (a, b, c, d, systemd)"));
    assert!(holds("proc.apid = 1"));
    assert!(!holds("proc.apid > 30"));
    assert!(holds("proc.aname[2] = sshd"));
}

#[test]
fn texts_are_searched_to_their_last_byte_and_not_beyond() {
    let holds = |condition: &str, text: &str| {
        hits(
            &format!("evt.type=openat and fd.name {condition}"),
            EventType::Openat,
            &[],
            &[("fd.name", text)],
        )
    };
    let long = format!("{}needle", "x".repeat(1000));
    assert!(holds("contains needle", &long));
    assert!(holds("contains needle", "needle"));
    assert!(!holds("contains needle", "needl"));
    assert!(holds("contains n", "xxxxxxxxxxxxxxxxn"));
    assert!(holds("icontains NeEdLe", "xxNEEDLExx"));
    assert!(!holds("icontains 'a[b'", "a{b"));
    assert!(holds("endswith .so", "/lib/libc.so"));
    assert!(!holds("endswith .so", "so"));
    let part = "a".repeat(100);
    assert!(holds(&format!("startswith {part}"), &format!("{part}b")));
    assert!(!holds(&format!("startswith {part}b"), &part));
    assert!(holds("glob '/home/*/.ssh/*'", "/home/alice/.ssh/id"));
    assert!(!holds("glob '/home/*/.ssh/?'", "/home/alice/.ssh/id"));
    assert!(holds("glob '*[0-9][!a-c]'", "x1z"));
    assert!(!holds("glob '*[0-9][!a-c]'", "x1b"));
}

#[test]
fn bytes_are_searched_for_what_is_written_in_hexadecimal_digits() {
    let holds = |condition: &str| {
        hits(
            condition,
            EventType::Read,
            &[],
            &[("evt.buffer", "\u{7f}ELF\0\u{1}")],
        )
    };
    assert!(holds("evt.buffer bstartswith 7f45"));
    assert!(holds("evt.buffer bcontains 4c4600"));
    assert!(holds("evt.buffer bcontains 4C46"));
    assert!(!holds("evt.buffer bcontains 4c4601"));
    assert!(!holds("evt.buffer bstartswith 45"));
    assert!(holds("not evt.buffer bstartswith 45"));
    assert!(holds("evt.buffer bcontains anyof (ffff, 0001)"));
    assert!(!holds("evt.buffer bcontains allof (ffff, 0001)"));
}

#[test]
fn numbers_are_compared_with_their_sign() {
    let holds = |condition: &str, name: &str, number: &str| {
        hits(
            &format!("evt.type=openat and {condition}"),
            EventType::Openat,
            &[],
            &[(name, number)],
        )
    };
    assert!(holds("evt.rawres < 0", "evt.rawres", "-2"));
    assert!(!holds("evt.rawres >= 0", "evt.rawres", "-2"));
    assert!(holds("fd.num in (0x10, 2)", "fd.num", "16"));
    assert!(holds(
        "evt.rawtime > 0x7fffffffffffffff",
        "evt.rawtime",
        "18446744073709551615"
    ));
    assert!(holds(
        "evt.is_open_write = true",
        "evt.is_open_write",
        "true"
    ));
    assert!(!holds(
        "evt.is_open_write = true",
        "evt.is_open_write",
        "false"
    ));
}

const TWO: &str = "
- rule: first
  desc: d
  condition: evt.type=openat and fd.name startswith /etc
  output: o
  priority: INFO
- rule: second
  desc: d
  condition: evt.type=openat and fd.name endswith shadow
  output: o
  priority: INFO
";

#[test]
fn first_match_gives_one_hit_per_event_and_disabled_rules_none() {
    let ruleset = ruleset(TWO, false);
    let manifest = &ruleset.manifest;
    let mut window = Window::new(manifest);
    for number in 0..2 {
        let name = [("fd.name", "/etc/shadow")];
        window.event(manifest, EventType::Openat, number, 0, &facts(&name));
    }
    let second = window.rows[1].0;
    let mut all = Judge::new(&engine(), &ruleset, MATCH_ALL);
    assert_eq!(
        all.judge(&window.bytes),
        [(0, 0), (0, 1), (second, 0), (second, 1)]
    );
    let mut first = Judge::new(&engine(), &ruleset, MATCH_FIRST);
    assert_eq!(first.judge(&window.bytes), [(0, 0), (second, 0)]);
    first.enable(0, false);
    assert_eq!(first.judge(&window.bytes), [(0, 1), (second, 1)]);
}

#[test]
fn a_corrupt_row_length_ends_the_window() {
    let ruleset = ruleset(TWO, false);
    let manifest = &ruleset.manifest;
    let mut window = Window::new(manifest);
    window.event(
        manifest,
        EventType::Openat,
        1,
        0,
        &facts(&[("fd.name", "/etc/shadow")]),
    );
    let mut judge = Judge::new(&engine(), &ruleset, MATCH_ALL);
    for len in [0u32, 8, 31, u32::MAX, 0x8000_0000, 1 << 20] {
        let mut bytes = window.bytes.clone();
        bytes[0..4].copy_from_slice(&len.to_le_bytes());
        assert_eq!(judge.judge(&bytes), [], "{len}");
    }
    assert_eq!(judge.judge(&window.bytes).len(), 2);
}

#[test]
fn hits_beyond_the_room_are_counted_and_not_stored() {
    let ruleset = ruleset(TWO, false);
    let manifest = &ruleset.manifest;
    let mut window = Window::new(manifest);
    while window.bytes.len() < 300_000 {
        window.event(
            manifest,
            EventType::Openat,
            1,
            0,
            &facts(&[("fd.name", "/etc/shadow")]),
        );
    }
    let mut judge = Judge::new(&engine(), &ruleset, MATCH_ALL);
    judge.load(&window.bytes);
    let count = judge.evaluate(0, window.bytes.len() as u32);
    assert_eq!(count as usize, 2 * window.rows.len());
    assert!(count as u32 > manifest.hits_max);
}

#[test]
fn bits_of_an_earlier_window_do_not_answer_for_a_later_one() {
    let yaml = TWO.replace("fd.name startswith /etc", "proc.name=cat");
    let ruleset = ruleset(&yaml, false);
    let manifest = &ruleset.manifest;
    let mut judge = Judge::new(&engine(), &ruleset, MATCH_ALL);
    let mut window = Window::new(manifest);
    window.process(manifest, 7, &facts(&[("proc.name", "cat")]));
    window.event(manifest, EventType::Openat, 1, 7, &facts(&[]));
    assert_eq!(judge.judge(&window.bytes).len(), 1);
    let mut window = Window::new(manifest);
    window.event(manifest, EventType::Openat, 2, 7, &facts(&[]));
    assert_eq!(judge.judge(&window.bytes), []);
}

#[test]
fn what_was_computed_of_a_process_row_holds_for_rows_of_the_same_serial_and_no_other() {
    let yaml = TWO.replace("fd.name startswith /etc", "proc.name=cat");
    let ruleset = ruleset(&yaml, false);
    let manifest = &ruleset.manifest;
    let mut judge = Judge::new(&engine(), &ruleset, MATCH_ALL);
    let mut hits_of = |ordinal: u32, serial: u64, name: &str| {
        let mut window = Window::new(manifest);
        window.process_of(manifest, ordinal, serial, &facts(&[("proc.name", name)]));
        window.event(manifest, EventType::Openat, 1, ordinal, &facts(&[]));
        judge.judge(&window.bytes).len()
    };
    assert_eq!(hits_of(7, 1, "cat"), 1);
    // No host gives two contents one serial: here it shows that the answer was kept.
    assert_eq!(hits_of(7, 1, "ls"), 1);
    // The serial is compared whole, and belongs to the ordinal.
    assert_eq!(hits_of(7, 1 << 32 | 1, "ls"), 0);
    assert_eq!(hits_of(7, 1, "ls"), 0);
    assert_eq!(hits_of(8, 1, "cat"), 1);
    // Without a serial nothing is kept.
    assert_eq!(hits_of(7, 0, "cat"), 1);
    assert_eq!(hits_of(7, 0, "ls"), 0);
    // And a process without a row in the window has nothing.
    assert_eq!(hits_of(7, 2, "cat"), 1);
    let mut window = Window::new(manifest);
    window.event(manifest, EventType::Openat, 1, 7, &facts(&[]));
    assert_eq!(judge.judge(&window.bytes), []);
}

#[test]
fn a_search_finds_what_is_there_at_every_place_and_length() {
    use saker_rules_compiler::oracle::holds;
    let needles = ["a", "B", "ab", "aba", "abaab", "bbbbbbbb", "abaabaaba"];
    let mut conditions = Vec::new();
    for needle in needles {
        for operator in ["contains", "icontains", "startswith", "endswith"] {
            conditions.push(format!("fd.name {operator} {needle}"));
        }
        conditions.push(format!("fd.name glob '*{needle}?*'"));
    }
    let yaml: String = conditions
        .iter()
        .enumerate()
        .map(|(at, condition)| {
            format!("- rule: r{at}\n  desc: d\n  condition: \"evt.type=open and {condition}\"\n  output: o\n  priority: INFO\n")
        })
        .collect();
    let ruleset = ruleset(&yaml, false);
    let manifest = &ruleset.manifest;
    let mut window = Window::new(manifest);
    let mut expected = Vec::new();
    // A generator of its own suffices: the texts only have to be many and alike.
    let mut state = 1u32;
    for row in 0..1500usize {
        let mut text = String::new();
        for _ in 0..row % 45 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push(['a', 'b', 'a', 'B'][(state >> 24) as usize % 4]);
        }
        let known = facts(&[("fd.name", &text)]);
        window.event(manifest, EventType::Open, 1, 0, &known);
        let at = window.rows.last().unwrap().0;
        for (rule, condition) in ruleset.conditions.iter().enumerate() {
            if holds(condition, &support::Known(&known), EventType::Open) {
                expected.push((at, rule as u32));
            }
        }
    }
    // More hits than there is room for: judge in parts.
    let mut judge = Judge::new(&engine(), &ruleset, MATCH_ALL);
    judge.load(&window.bytes);
    let mut found = Vec::new();
    for rows in window.rows.chunks(100) {
        found.extend(judge.hits(rows[0].0, rows[rows.len() - 1].1));
    }
    assert_eq!(found, expected);
}

#[test]
fn first_match_stops_at_the_first_of_hundreds_of_rules() {
    let yaml: String = (0..400)
        .map(|at| {
            format!("- rule: r{at}\n  desc: d\n  condition: evt.type=open and fd.num >= {at}\n  output: o\n  priority: INFO\n")
        })
        .collect();
    let ruleset = ruleset(&yaml, false);
    let manifest = &ruleset.manifest;
    let mut window = Window::new(manifest);
    window.event(
        manifest,
        EventType::Open,
        1,
        0,
        &facts(&[("fd.num", "300")]),
    );
    let mut judge = Judge::new(&engine(), &ruleset, MATCH_ALL);
    assert_eq!(judge.judge(&window.bytes).len(), 301);
    judge.set_matching(MATCH_FIRST);
    for first in [0, 1, 127, 128, 129, 256, 300] {
        for rule in 0..400 {
            judge.enable(rule, rule >= first);
        }
        assert_eq!(judge.judge(&window.bytes), [(0, first as u32)]);
    }
}

#[test]
fn rules_asked_together_answer_each_for_itself() {
    // Beginnings of every length around the eight bytes that are compared at once, texts
    // shorter, equal and longer, and values that share a slot with them.
    let text = "/srv/data/x";
    let mut conditions: Vec<String> = (1..=text.len())
        .map(|len| {
            format!(
                "evt.type = openat and fd.name startswith '{}'",
                &text[..len]
            )
        })
        .collect();
    conditions.push("evt.type = openat and fd.name = /srv".into());
    conditions.push("evt.type = openat and fd.name in (/srv/data, /srv/dat)".into());
    conditions.push("evt.type = openat and fd.num = 3 and fd.name endswith a".into());
    conditions.push("evt.type = openat and fd.num = 3 and fd.name contains d".into());
    conditions.push("evt.type = openat and proc.name = cat".into());
    conditions.push("evt.type = openat and proc.name = cat and fd.name endswith x".into());
    let yaml: String = conditions
        .iter()
        .enumerate()
        .map(|(at, condition)| {
            format!(
                "- rule: r{at}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n"
            )
        })
        .collect();
    let ruleset = ruleset(&yaml, false);
    let manifest = &ruleset.manifest;
    let mut window = Window::new(manifest);
    window.process(manifest, 0, &facts(&[("proc.name", "cat")]));
    window.process(manifest, 1, &facts(&[("proc.name", "dog")]));
    let mut expected = Vec::new();
    let texts = (0..=text.len()).map(|len| text[..len].to_string()).chain([
        "/srv/datA/x".into(),
        "srv/data/x".into(),
        "/srv/dat\0".into(),
    ]);
    for (number, name) in texts.enumerate() {
        for (fd, process) in [("3", 0), ("4", 1)] {
            let known = facts(&[("fd.name", &name), ("fd.num", fd)]);
            let openat = EventType::Openat;
            assert!(window.event(manifest, openat, number as u64 + 1, process, &known));
            let row = window.rows.last().unwrap().0;
            let mut known = known;
            known.extend(facts(&[(
                "proc.name",
                if process == 0 { "cat" } else { "dog" },
            )]));
            for (rule, condition) in ruleset.conditions.iter().enumerate() {
                if saker_rules_compiler::oracle::holds(condition, &support::Known(&known), openat) {
                    expected.push((row, rule as u32));
                }
            }
        }
    }
    assert!(expected.len() > 50);
    let mut judge = Judge::new(&engine(), &ruleset, MATCH_ALL);
    assert_eq!(judge.judge(&window.bytes), expected);
}

#[test]
fn an_address_lies_in_a_network_or_not_in_either_family() {
    let both = |client, server| [("fd.cnet", client), ("fd.snet", server)];
    let v4 = both("172.40.111.222", "142.251.111.147");
    let v6 = both("2001:db8::1", "2001:db8:abcd:12::9");
    for (ends, condition, expected) in [
        (v4, "fd.net = 142.251.0.0/8", true),
        (v4, "fd.net = 172.40.111.222/32", true),
        (v4, "fd.net in (10.0.0.0/8, 172.32.0.0/11)", true),
        (v4, "fd.net = 10.0.0.0/8", false),
        (v4, "fd.net != 10.0.0.0/8", true),
        (v4, "fd.net != 142.0.0.0/8", false),
        (v4, "fd.net != 2001:db8:abcd:12::/64", true),
        (v4, "fd.net = 2001:db8:abcd:12::/64", false),
        (v4, "fd.net = 0.0.0.0/0", true),
        (v4, "fd.net = ::/0", false),
        (v4, "fd.snet = 142.251.111.146/31", true),
        (v4, "fd.snet = 142.251.111.144/31", false),
        (v4, "fd.cnet = 142.251.0.0/16", false),
        (v6, "fd.net = 2001:db8:abcd:12::/64", true),
        (v6, "fd.snet = 2001:db8:abcd:10::/62", true),
        (v6, "fd.snet = 2001:db8:abcd:10::/63", false),
        (v6, "fd.cnet = 2001:db8::1/128", true),
        (v6, "fd.net in (0.0.0.0/0)", false),
    ] {
        let condition = format!("evt.type = connect and {condition}");
        assert_eq!(
            hits(&condition, EventType::Connect, &[], &ends),
            expected,
            "{condition}"
        );
    }
    let absent = "evt.type = connect and fd.snet != 10.0.0.0/8";
    assert!(!hits(absent, EventType::Connect, &[], &[]));
}

#[test]
fn what_transformers_make_is_compared_as_a_field_is() {
    let event = EventType::Openat;
    // What is made of fields of both rows stands in the event's.
    let facts = [
        ("fd.name", "/Etc/shadow"),
        ("fd.num", "3"),
        ("proc.name", "CAT"),
        ("proc.pname", "cat"),
        ("proc.pid", "3"),
    ];
    for (condition, holds) in [
        ("evt.type=openat and tolower(fd.name) = /etc/shadow", true),
        ("evt.type=openat and basename(fd.name) in (a, shadow)", true),
        ("evt.type=openat and len(fd.name) > 10", true),
        ("evt.type=openat and len(fd.name) > 11", false),
        (
            "evt.type=openat and concat(fd.name, \":\", proc.name) = /Etc/shadow:CAT",
            true,
        ),
        (
            "evt.type=openat and join(\"-\", (proc.pid, fd.name)) endswith shadow",
            true,
        ),
        (
            "evt.type=openat and toupper(proc.pname) = val(proc.name)",
            true,
        ),
        ("evt.type=openat and proc.name = tolower(proc.pname)", false),
        ("evt.type=openat and proc.name != tolower(proc.pname)", true),
        ("evt.type=openat and proc.pid = val(fd.num)", true),
        ("evt.type=openat and proc.pid < val(fd.num)", false),
        ("evt.type=openat and proc.name != val(proc.exe)", false),
        ("evt.type=openat and toupper(evt.type) = OPENAT", true),
        ("evt.type=openat and fd.name < 1", true),
        ("evt.type=openat and fd.name >= 1", false),
        ("evt.type=openat and tolower(proc.cwd) exists", false),
        (
            "evt.type=openat and getopt((proc.name), \"a\") exists",
            true,
        ),
    ] {
        assert_eq!(hits(condition, event, &facts, &facts), holds, "{condition}");
    }
}

#[test]
fn what_the_event_type_knows_compares_with_what_the_event_tells() {
    let open = [("evt.is_open_read", "false"), ("evt.is_io", "false")];
    let condition = "evt.type=openat and evt.is_open_read = val(evt.is_io)";
    assert!(hits(condition, EventType::Openat, &[], &open));
    let facts = facts(&open);
    let ruleset = ruleset(
        &format!("- {{rule: r, desc: d, condition: {condition}, output: o, priority: INFO}}\n"),
        false,
    );
    let values = support::Known(&facts);
    assert!(oracle::holds(
        &ruleset.conditions[0],
        &values,
        EventType::Openat
    ));
}

#[test]
fn what_hundreds_of_levels_share_is_answered_from_the_innermost_out() {
    let mut yaml = String::from("- {macro: m0, condition: fd.name contains /deep/}\n");
    for at in 1..900 {
        yaml += &format!(
            "- macro: m{at}\n  condition: (m{} or fd.name contains /y{at}/) and not fd.name contains /n{at}/\n\
             - {{rule: r{at}, desc: d, condition: evt.type=openat and m{at}, output: o, priority: INFO}}\n",
            at - 1
        );
    }
    let ruleset = ruleset(&yaml, false);
    let manifest = &ruleset.manifest;
    let mut judge = Judge::new(&engine(), &ruleset, MATCH_ALL);
    for (name, hits) in [
        ("/deep/", 899),
        ("/deep/n600/", 599),
        ("/y500/", 400),
        ("/deep/n300/y700/", 299 + 200),
        ("/n899/", 0),
    ] {
        let facts = facts(&[("fd.name", name)]);
        let mut window = Window::new(manifest);
        window.process(manifest, 0, &facts);
        assert!(window.event(manifest, EventType::Openat, 1, 0, &facts));
        assert_eq!(judge.judge(&window.bytes).len(), hits, "{name}");
        let values = support::Known(&facts);
        let by_oracle = ruleset.conditions.iter();
        let by_oracle = by_oracle.filter(|it| oracle::holds(it, &values, EventType::Openat));
        assert_eq!(by_oracle.count(), hits, "{name}");
    }
}

#[test]
fn thousands_of_exceptions_each_except_their_own() {
    // More than a process has bits.
    let rows: String = (0..5000)
        .map(|at| format!("      - [p{at}, c{at:04}, /x/f{at:04}]\n"))
        .collect();
    let yaml = format!(
        "- rule: r\n  desc: d\n  condition: evt.type=openat\n  output: o\n  priority: INFO\n  \
         exceptions:\n  - name: e\n    fields: [proc.name, proc.cmdline, fd.name]\n    \
         comps: [=, contains, startswith]\n    values:\n{rows}"
    );
    let ruleset = ruleset(&yaml, false);
    let manifest = &ruleset.manifest;
    let mut judge = Judge::new(&engine(), &ruleset, MATCH_ALL);
    let mut excepted = |name: usize, cmdline: usize, file: usize| {
        let (name, cmdline) = (format!("p{name}"), format!("x c{cmdline:04}"));
        let process = facts(&[("proc.name", name.as_str()), ("proc.cmdline", &cmdline)]);
        let mut of_event = facts(&[("fd.name", format!("/x/f{file:04}").as_str())]);
        of_event.extend(process.clone());
        let mut window = Window::new(manifest);
        window.process(manifest, 0, &process);
        assert!(window.event(manifest, EventType::Openat, 1, 0, &of_event));
        judge.judge(&window.bytes).is_empty()
    };
    for at in [0, 1, 4095, 4096, 4999] {
        assert!(excepted(at, at, at), "{at}");
        assert!(!excepted(at, at, 17), "{at}");
        assert!(!excepted(at, 17, at), "{at}");
        assert!(!excepted(17, at, at), "{at}");
    }
}

#[test]
fn of_ancestors_one_is_enough_for_order_too() {
    let process = [("proc.aname", "bash|5x")];
    let holds = |text: &str| hits(text, EventType::Openat, &process, &[]);
    assert!(holds("evt.type=openat and proc.aname < 99"));
    assert!(holds("evt.type=openat and proc.aname >= 99"));
    assert!(!holds("evt.type=openat and proc.aname < 1"));
}

#[test]
fn the_deepest_transformers_come_back_out_of_the_manifest() {
    let mut term = String::from("proc.name");
    for _ in 0..31 {
        term = format!("join(',', ('a', {term}))");
    }
    let condition = format!("evt.type=openat and {term} = val(proc.exe)");
    let yaml = serde_json::json!([{
        "rule": "r", "desc": "d", "condition": condition, "output": "o", "priority": "INFO"
    }]);
    let manifest = ruleset(&yaml.to_string(), false).manifest;
    assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest));
}

#[test]
fn patterns_know_the_named_classes_of_posix() {
    let event = EventType::Openat;
    for (question, name, holds) in [
        ("glob '/x[[:digit:]]'", "/x7", true),
        ("glob '/x[[:digit:]]'", "/xa", false),
        ("glob '/x[![:digit:][:punct:]]'", "/xa", true),
        ("glob '/x[![:digit:][:punct:]]'", "/x-", false),
        ("glob '/x[[:nothing:]]'", "/x:]", true),
        ("iglob '/X[[:upper:]_]'", "/xq", true),
        ("pmatch ('/x[[:alpha:]]')", "/xa/b", true),
        ("pmatch ('/x[[:alpha:]]')", "/x1/b", false),
    ] {
        let condition = format!("evt.type=openat and fd.name {question}");
        let facts = [("fd.name", name)];
        assert_eq!(
            hits(&condition, event, &[], &facts),
            holds,
            "{condition} {name}"
        );
    }
}

#[test]
fn a_list_of_many_paths_with_stars_is_held_against_part_by_part() {
    let event = EventType::Openat;
    let words = ["secret", "pass", "token", "cred", "key", "priv"];
    let paths = words.map(|word| format!("'/*/*{word}*'")).join(", ");
    let homes: Vec<String> = (0..1000)
        .map(|n| format!("/home/*/.config/app{n}/secrets"))
        .collect();
    for (list, name, holds) in [
        (paths.as_str(), "/home/my-tokens.txt/x", true),
        (paths.as_str(), "/home/notes", false),
        (paths.as_str(), "/a/private", true),
        (&homes.join(", "), "/home/me/.config/app999/secrets", true),
        (&homes.join(", "), "/home/me/.config/app1000/secrets", false),
    ] {
        let condition = format!("evt.type=openat and fd.name pmatch ({list})");
        let facts = [("fd.name", name)];
        assert_eq!(hits(&condition, event, &[], &facts), holds, "{name}");
        let not = format!("evt.type=openat and not fd.name pmatch ({list})");
        assert_eq!(hits(&not, event, &[], &facts), !holds, "{name}");
    }
}

/// Texts of every length up to some words of eight, beginning anywhere in a row, and needles that
/// nearly are in them: searched as the plain evaluator does it.
#[test]
fn texts_of_every_length_are_searched_to_their_ends_and_no_further() {
    let needles = [
        "b",
        "ab",
        "aab",
        "aaaaaab",
        "aaaaaaab",
        "aaaaaaaab",
        "baaaaaaaaaaaaab",
    ];
    let mut yaml = String::new();
    for (at, needle) in needles.iter().enumerate() {
        for operator in ["contains", "icontains", "startswith", "endswith"] {
            yaml += &format!(
                "- {{rule: {operator} {at}, desc: d, condition: evt.type = openat and fd.name {operator} {needle}, output: o, priority: INFO}}\n"
            );
        }
    }
    yaml += "- {rule: other text, desc: d, condition: evt.type = openat and evt.res contains zz, output: o, priority: INFO}\n";
    let ruleset = ruleset(&yaml, false);
    let manifest = &ruleset.manifest;
    let mut judge = Judge::new(&engine(), &ruleset, MATCH_ALL);
    for length in 0..40 {
        let mut texts = vec!["a".repeat(length)];
        for b in 0..length {
            let mut text = "a".repeat(length);
            text.replace_range(b..=b, if b % 2 == 0 { "b" } else { "B" });
            texts.push(text);
        }
        let mut window = Window::new(manifest);
        window.process(manifest, 0, &facts(&[]));
        let mut expected = Vec::new();
        for (number, text) in texts.iter().enumerate() {
            // The text before it gives this one another place.
            let of_event = facts(&[("fd.name", text), ("evt.res", &text[..number % 8])]);
            window.event(manifest, EventType::Openat, 1, 0, &of_event);
            let row = window.rows.last().expect("it was written").0;
            for (at, needle) in needles.iter().enumerate() {
                let holds = [
                    text.contains(needle),
                    text.to_lowercase().contains(needle),
                    text.starts_with(needle),
                    text.ends_with(needle),
                ];
                let rules = (at as u32 * 4..).zip(holds);
                expected.extend(
                    rules
                        .filter(|(_, holds)| *holds)
                        .map(|(rule, _)| (row, rule)),
                );
            }
        }
        assert_eq!(judge.judge(&window.bytes), expected, "{length}");
    }
}

#[test]
fn of_thousands_of_pairs_each_is_asked_and_no_function_is_long() {
    // An or of ands in brackets, and, as exceptions are, an and of what is not.
    let pair = |at: usize| format!("fd.name startswith /p{at}/ and fd.num = {at}");
    let pairs: Vec<String> = (0..2000).map(|at| format!("({})", pair(at))).collect();
    let nested: Vec<String> = (0..4)
        .map(|at| {
            format!(
                "(fd.typechar = {at} and ({}))",
                pairs[500 * at..500 * (at + 1)].join(" or ")
            )
        })
        .collect();
    let excepted = pairs.iter().map(|pair| format!(" and not {pair}"));
    let yaml = [
        format!("({})", pairs.join(" or ")),
        format!("({})", nested.join(" or ")),
        format!("fd.num >= 0{}", excepted.collect::<String>()),
    ]
    .iter()
    .enumerate()
    .map(|(at, condition)| {
        format!(
            "- rule: r{at}\n  desc: d\n  condition: evt.type = open and {condition}\n  output: o\n  priority: INFO\n"
        )
    })
    .collect::<String>();
    let ruleset = ruleset(&yaml, false);
    for payload in wasmparser::Parser::new(0).parse_all(&ruleset.wasm) {
        if let Ok(wasmparser::Payload::CodeSectionEntry(body)) = payload {
            assert!(body.range().len() < 60_000, "{:?}", body.range());
        }
    }
    let manifest = &ruleset.manifest;
    let mut window = Window::new(manifest);
    let mut expected = Vec::new();
    for (path, number) in [(0, 0), (1, 1), (2, 1), (730, 730), (1999, 1999), (1999, 0)] {
        let of_event = [
            ("fd.name", &*format!("/p{path}/x")),
            ("fd.num", &*number.to_string()),
            ("fd.typechar", &*(path / 500).to_string()),
        ];
        window.event(manifest, EventType::Open, 1, 0, &facts(&of_event));
        let row = window.rows[window.rows.len() - 1].0;
        match path == number {
            true => expected.extend([(row, 0), (row, 1)]),
            false => expected.push((row, 2)),
        }
    }
    let mut judge = Judge::new(&engine(), &ruleset, MATCH_ALL);
    let mut hits = judge.judge(&window.bytes);
    hits.sort_unstable();
    assert_eq!(hits, expected);
}
