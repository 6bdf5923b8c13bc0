//! Falco's own verdicts on filters and events, read where they lie; skipped, visibly, without
//! them. The events are built by hand after what the cases say of them, and go the whole way
//! from record, or from what a capture has, to alert.

use saker::alert::Alert;
use saker::config::Matching;
use saker::event::{Clock, captured};
use saker::modules::{Epoch, Module, Selection};
use saker::pipeline::{Pipeline, Setup};
use saker::sandbox::{Judge, Limits};
use saker::source::merge::Batch;
use saker::state::State;
use saker_ebpf::record::{Builder, File, Header, Kind, Process, Socket, Tag};
use saker_rules_compiler::{Options, Source, compile, render};
use saker_rules_schema::event::EventType;
use saker_rules_schema::manifest::Priority;
use saker_shm::window::Window;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;

/// The file of cases: below `SAKER_FALCO`, or `../shared/falco` beside the workspace.
fn cases() -> Option<Vec<serde_json::Value>> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/falco");
    let folder = std::env::var_os("SAKER_FALCO").map_or(beside, PathBuf::from);
    let Ok(text) = std::fs::read_to_string(folder.join("cases/eval_filter.json")) else {
        let required = std::env::var("SAKER_REQUIRE").unwrap_or_default();
        assert!(
            !required.split(',').any(|name| name.trim() == "falco"),
            "falco data is required and was not found"
        );
        println!("skipped: needs falco data: falco_and_saker_judge_an_event_alike");
        return None;
    };
    Some(serde_json::from_str(&text).expect("it is JSON"))
}

const PID: u32 = 40;

fn header(kind: Kind, call: i64, ret: i64, args: [u64; 6]) -> Header {
    Header {
        len: 0,
        kind,
        cpu: 1,
        sequence: 0,
        time: 5_000_000_000,
        start_time: 2_000_000_000 + u64::from(PID),
        cgroup: 0,
        tid: PID,
        tgid: PID,
        syscall: call as u16,
        flags: 0,
        ret,
        args,
    }
}

/// A path as the probe tells it: leaf first, each component ended by a NUL.
fn components(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in path
        .rsplit(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
    {
        out.extend_from_slice(part);
        out.push(0);
    }
    out
}

fn open(path: &[u8], flags: i32) -> Vec<u8> {
    let mut file = Vec::new();
    File {
        inode: 5,
        mode: libc::S_IFREG | 0o644,
        open_flags: flags as u32,
        ..File::default()
    }
    .write(&mut file);
    let args = [libc::AT_FDCWD as u64, 0, flags as u64, 0o644, 0, 0];
    Builder::new(&header(Kind::Syscall, libc::SYS_openat, 4, args))
        .piece(Tag::Path0, 0, path)
        .piece(Tag::File, 0, &file)
        .piece(Tag::FilePath, 0, &components(path))
        .finish()
}

fn failed_open() -> Vec<u8> {
    let args = [libc::AT_FDCWD as u64, 0, 0, 0, 0, 0];
    Builder::new(&header(Kind::Syscall, libc::SYS_openat, -1, args))
        .piece(Tag::Path0, 0, b"/tmp/secret")
        .finish()
}

/// An end of a connection: address and port.
type End = ([u8; 16], u16);

/// A call that made a connection, from the local end's side.
fn connected(call: i64, ret: i64, family: i32, local: End, remote: End) -> Vec<u8> {
    let mut socket = Vec::new();
    Socket {
        family: family as u16,
        kind: libc::SOCK_STREAM as u16,
        protocol: libc::IPPROTO_TCP as u16,
        state: 1,
        local_port: local.1,
        remote_port: remote.1,
        local: local.0,
        remote: remote.0,
        inode: 7,
        ..Socket::default()
    }
    .write(&mut socket);
    Builder::new(&header(Kind::Syscall, call, ret, [3, 0, 16, 0, 0, 0]))
        .piece(Tag::Socket, 0, &socket)
        .finish()
}

fn v4(address: [u8; 4]) -> [u8; 16] {
    let mut out = [0; 16];
    out[..4].copy_from_slice(&address);
    out
}

fn v6(address: &str) -> [u8; 16] {
    address
        .parse::<std::net::Ipv6Addr>()
        .expect("an address")
        .octets()
}

fn rename(from: &[u8], to: &[u8]) -> Vec<u8> {
    Builder::new(&header(Kind::Syscall, libc::SYS_rename, 0, [0; 6]))
        .piece(Tag::Path0, 0, from)
        .piece(Tag::Path1, 0, to)
        .finish()
}

fn chdir(path: &[u8]) -> Vec<u8> {
    Builder::new(&header(Kind::Syscall, libc::SYS_chdir, 0, [0; 6]))
        .piece(Tag::Path0, 0, path)
        .piece(Tag::Cwd, 0, &components(path))
        .finish()
}

/// A process becomes another program; its parent has the process id before its own.
fn exec(pid: u32, parent: u32, exe: &[u8], cwd: &[u8]) -> Vec<u8> {
    let name = exe.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let mut process = Vec::new();
    Process {
        parent_tgid: parent,
        parent_start_time: 2_000_000_000 + u64::from(parent),
        ..Process::default()
    }
    .write(&mut process);
    let mut argument = exe.to_vec();
    argument.push(0);
    let header = Header {
        tid: pid,
        tgid: pid,
        start_time: 2_000_000_000 + u64::from(pid),
        time: 3_000_000_000 + u64::from(pid),
        ..header(Kind::Exec, libc::SYS_execve, 0, [0; 6])
    };
    Builder::new(&header)
        .piece(Tag::Process, 0, &process)
        .piece(Tag::Comm, 0, name)
        .piece(Tag::Args, 0, &argument)
        .piece(Tag::Filename, 0, exe)
        .piece(Tag::ExePath, 0, &components(exe))
        .piece(Tag::Cwd, 0, &components(cwd))
        .finish()
}

/// What a failing chdir, an exec and a setgid have that an open has not.
fn with_parameter(filter: &str) -> Option<Vec<u8>> {
    let call = |number, ret| {
        Builder::new(&header(Kind::Syscall, number, ret, [0; 6]))
            .piece(Tag::Path0, 0, b"/none")
            .finish()
    };
    match filter {
        filter if filter.contains("rawarg.res") => Some(call(libc::SYS_chdir, -2)),
        filter if filter.contains("rawarg.gid") => Some(call(libc::SYS_setgid, 0)),
        filter if filter.contains("rawarg.uid") => Some(call(libc::SYS_setuid, 0)),
        filter if filter.contains("rawarg.pgid") => Some(call(libc::SYS_setpgid, 0)),
        _ => None,
    }
}

/// The records of a test of Falco's; the last one is the event judged.
fn records(test: &str) -> Option<Vec<Vec<u8>>> {
    let run_by = |exe: &[u8], event| vec![exec(PID, 1, exe, b"/tmp"), event];
    let run = |event| run_by(b"/bin/test-exe", event);
    let opened = |path: &[u8], flags| run(open(path, flags));
    Some(match test {
        "basename_transformer"
        | "len_transformer"
        | "multivalue_transformer_join"
        | "multivalue_transformer_concat"
        | "multivalue_transformer_with_outer_transformer"
        | "multivalue_transformer_getopt" => {
            // Its number must be 1: nothing comes before it.
            vec![open(b"/tmp/file_to_run", libc::O_RDWR)]
        }
        "contains_icontains" => opened(b"/opt/dir/SUBDIR", libc::O_CREAT | libc::O_RDWR),
        "pmatch" => opened(b"/opt/dir/subdir", libc::O_RDWR),
        "net_ipv4_compare" | "net_modifier_ip_compare" => run(connected(
            libc::SYS_connect,
            0,
            libc::AF_INET,
            (v4([172, 40, 111, 222]), 54_321),
            (v4([142, 251, 111, 147]), 443),
        )),
        "net_ipv6_compare" => run(connected(
            libc::SYS_accept4,
            5,
            libc::AF_INET6,
            (v6("2001:4860:4860::8888"), 443),
            (v6("::1"), 54_321),
        )),
        "event_res" | "signed_int_compare" => run(failed_open()),
        // Upstream's is a getcwd; of what these filters ask, a chdir has the same.
        "filter_cache_corner_cases"
        | "filter_regex_operator_evaluation"
        | "filter_val_transformer"
        | "filter_simple_evaluation"
        | "filter_transformers_combination"
        | "filter_str_op_modifier_evaluation" => run(chdir(b"/test/dir")),
        "filter_cache_pointer_instability" => {
            run(Builder::new(&header(Kind::Exit, 0, 0, [5 << 8, 1, 1, 0, 0, 0])).finish())
        }
        "EVT_FILTER_rawarg_madness" => run(open(b"/tmp/x", 0)),
        "PROC_FILTER_aname" => vec![
            exec(1, 0, b"/sbin/init", b"/"),
            exec(20, 1, b"/bin/bash", b"/"),
            exec(PID, 20, b"/bin/good-exe", b"/"),
            open(b"/tmp/x", 0),
        ],
        "fd_fields_invalid_utf8_match" => opened(b"/p\xff/q\xff", 0),
        "proc_fields_invalid_utf8_match" => run_by(b"/bin/bad\xff", open(b"/tmp/x", 0)),
        "proc_cwd_invalid_utf8_match" => {
            vec![exec(PID, 1, b"/bin/x", b"/tmp/\xff"), open(b"/tmp/x", 0)]
        }
        "fspath_fields_invalid_utf8_match" => run(rename(b"/tmp/a\xff", b"/tmp/b\xff")),
        "evt_abspath_invalid_utf8_match" => opened(b"/tmp/a\xff", 0),
        test if test.starts_with("FILTERCHECK_MOD") => run_by(b"/bin/myexe", open(b"/tmp/x", 0)),
        _ => return None,
    })
}

/// An event as captures have it, and its parameters.
type Captured = (EventType, Vec<Vec<u8>>);

fn number(number: i64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

/// What is only found in captures; the last event is the one judged.
fn captured_events(test: &str, filter: &str) -> Option<Vec<Captured>> {
    let written = |data: &[u8]| {
        let size = (data.len() as u32).to_le_bytes().to_vec();
        let result = number(data.len() as i64);
        (EventType::Write, vec![result, data.into(), number(4), size])
    };
    let names = |name| filter.contains(name);
    Some(match test {
        _ if names("getcwd") => vec![(EventType::Getcwd, vec![number(0), b"/test/dir\0".into()])],
        "bytebuf_bcontains_bstartswith" => vec![written(b"hello")],
        "bytebuf_matches_nul" => vec![written(b"a\0b")],
        "EVT_FILTER_data_buffer_str" => vec![written(b"gigi")],
        "EVT_FILTER_rawarg_madness" if names("rawarg.size") => vec![written(&[b'x'; 512])],
        "len_transformer" if names("evt.arg.data") => vec![written(b"gigi\0x")],
        "len_transformer" if names("fd.types") => {
            let file = vec![
                number(4),
                b"/tmp/x\0".into(),
                vec![0; 4],
                vec![0; 4],
                vec![0; 4],
                number(5),
            ];
            let (inet, stream) = (vec![2, 0, 0, 0], vec![1, 0, 0, 0]);
            let socket = vec![number(5), inet, stream, vec![0; 4], vec![0; 4]];
            let mut process = vec![Vec::new(); 31];
            process[0] = number(0);
            process[1] = b"/bin/x\0".into();
            process[3] = number(PID.into());
            process[4] = number(PID.into());
            vec![
                (EventType::Execve, process),
                (EventType::Open, file),
                (EventType::Socket, socket),
                written(b"hello"),
            ]
        }
        _ => return None,
    })
}

/// Why Saker cannot be asked, by what a filter names.
const APART: &[(&str, &str)] = &[
    (
        "\\xf",
        "a rule file is UTF-8 text: it cannot name other bytes",
    ),
    ("sample.", "a field of upstream's sample plugin"),
    ("evt.plugin", "a field of plugins"),
];

fn rule(name: &str, filter: &str) -> String {
    // As C writes a byte.
    let filter = &filter.replace("\\x00", "\0");
    format!(
        "- rule: {name}\n  desc: d\n  condition: {}\n  output: \"%evt.num\"\n  priority: INFO\n",
        serde_json::to_string(filter).expect("a text is JSON")
    )
}

fn batch(records: &[Vec<u8>]) -> Batch {
    let mut batch = Batch::new();
    for record in records {
        batch.push(record);
    }
    batch
}

fn captured_batch(events: &[Captured]) -> Batch {
    let mut batch = Batch::new();
    for (time, (kind, params)) in (1..).zip(events) {
        batch.push_captured(time, |out| {
            let param = |index: usize| params[index].as_slice();
            captured::write(*kind, 0, time, PID.into(), params.len(), param, out);
        });
    }
    batch
}

/// Which of the rules hit the last event.
fn hits(rules: &str, batch: Batch) -> BTreeSet<String> {
    let sources = [Source {
        name: "cases.yaml".into(),
        text: rules.into(),
    }];
    let compilation = compile(&sources, &Options::default());
    let said = render(&compilation.diagnostics, &sources, false);
    let ruleset = compilation.ruleset.unwrap_or_else(|| panic!("{said}"));
    let module = Module::compiled("cases.yaml", ruleset.wasm).expect("our own modules are valid");
    let selection = Selection {
        priority: Priority::Debug,
        matching: Matching::All,
        ..Selection::default()
    };
    let window = Window::create(2).expect("memory");
    let judge = Judge::spawn(window.fd(), Limits::default()).expect("threads");
    let alerts: Rc<RefCell<Vec<Alert>>> = Rc::default();
    let sink = alerts.clone();
    let setup = Setup {
        state: State::new(Default::default(), Clock::default()),
        window,
        judge,
        rows_max: 64,
        alerts: Box::new(move |alert| sink.borrow_mut().push(alert)),
    };
    let mut pipeline =
        Pipeline::new(setup, Epoch::new(1, vec![module], selection)).expect("a good module");
    pipeline.push(&Rc::new(batch)).expect("the judge lives");
    pipeline.drain().expect("the judge lives");
    let last = pipeline.counters().events.to_string();
    let alerts = alerts.borrow();
    alerts
        .iter()
        .filter(|alert| alert.message == last)
        .map(|alert| alert.rule.clone())
        .collect()
}

#[test]
fn falco_and_saker_judge_an_event_alike() {
    let Some(cases) = cases() else { return };
    let mut by_test: BTreeMap<&str, Vec<(&str, bool)>> = BTreeMap::new();
    let mut apart: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in &cases {
        let text = |key: &str| case[key].as_str().expect("every case has it");
        let (test, filter) = (text("test"), text("filter"));
        let result = case["result"].as_bool().expect("a verdict");
        if let Some((_, why)) = APART.iter().find(|(name, _)| filter.contains(name)) {
            *apart.entry(why).or_default() += 1;
            continue;
        }
        by_test.entry(test).or_default().push((filter, result));
    }
    let mut held = 0;
    for (test, filters) in &by_test {
        let is_captured = |(filter, _): &(&str, bool)| captured_events(test, filter).is_some();
        let records = match records(test) {
            Some(records) => records,
            None if filters.iter().all(is_captured) => Vec::new(),
            None => {
                wrong.push(format!("no event is built for `{test}`"));
                continue;
            }
        };
        let mut rules = String::new();
        let mut own = BTreeSet::new();
        for (at, (filter, _)) in filters.iter().enumerate() {
            let rule = rule(&at.to_string(), filter);
            if let Some(events) = captured_events(test, filter) {
                own.extend(hits(&rule, captured_batch(&events)));
            } else if let Some(event) = with_parameter(filter) {
                let records = [exec(PID, 1, b"/bin/x", b"/"), event];
                own.extend(hits(&rule, batch(&records)));
            } else {
                rules += &rule;
            }
        }
        let mut hits = hits(&rules, batch(&records));
        hits.extend(own);
        for (at, (filter, result)) in filters.iter().enumerate() {
            held += 1;
            if hits.contains(&at.to_string()) != *result {
                wrong.push(format!("{test}: {filter} is {result}"));
            }
        }
    }
    println!("{held} of {} verdicts held; apart: {apart:#?}", cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(held > 285, "{held}");
}

#[test]
fn a_parameter_is_there_whatever_type_another_event_gives_it() {
    let fails = number(-1);
    let text = |text: &str| format!("{text}\0").into_bytes();
    let mount = vec![
        fails.clone(),
        text("/dev/x"),
        text("/mnt"),
        text("ext4"),
        vec![0; 4],
    ];
    let munlock = vec![fails, number(0x6261), number(1)];
    for (event, name, said) in [
        // Numbers elsewhere: the type of a socket.
        ((EventType::Mount, mount), "type", 0x3474_7865.to_string()),
        // An address of the network elsewhere.
        ((EventType::Munlock, munlock), "addr", "ab".to_owned()),
    ] {
        let rules = [
            rule("there", &format!("evt.rawarg.{name} exists")),
            rule("missing", &format!("not evt.rawarg.{name} exists")),
            rule("same", &format!("evt.rawarg.{name} = {said}")),
            rule("another", &format!("evt.rawarg.{name} = 7")),
        ];
        let hits = hits(&rules.concat(), captured_batch(&[event]));
        let hits: Vec<&str> = hits.iter().map(String::as_str).collect();
        assert_eq!(hits, ["same", "there"], "{name}");
    }
}
