//! Each of the two walls, tested with the other one off.

use super::deadline::Ticker;
use super::fixture::{Court, HONEST, evaluating, fill, honest, image, manifest, row, text};
use super::fixture::{with_manifest, with_section};
use super::instance::{Case, Compiled, Failure, Seat, Verdict, engine};
use super::validate::{Refusal, validate};
use super::{FromJudge, Hit, Limits};
use saker_rules_schema::abi;
use saker_rules_schema::event::EventType;
use saker_rules_schema::manifest::{EventLayout, Manifest, ManifestError};
use saker_shm::window::{Filled, Window, WindowView, slot_range};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Modules that write to the window, each in its own way: name, body, further fields.
const WRITERS: [(&str, &str, &str); 14] = [
    (
        "i32.store",
        "(i32.store $window (local.get $first) (i32.const -1)) (i32.const 0)",
        "",
    ),
    (
        "i64.store",
        "(i64.store $window (local.get $first) (i64.const -1)) (i32.const 0)",
        "",
    ),
    (
        "i32.store8",
        "(i32.store8 $window (local.get $first) (i32.const -1)) (i32.const 0)",
        "",
    ),
    (
        "i32.store16",
        "(i32.store16 $window (local.get $first) (i32.const -1)) (i32.const 0)",
        "",
    ),
    (
        "i64.store8",
        "(i64.store8 $window (local.get $first) (i64.const -1)) (i32.const 0)",
        "",
    ),
    (
        "i64.store16",
        "(i64.store16 $window (local.get $first) (i64.const -1)) (i32.const 0)",
        "",
    ),
    (
        "i64.store32",
        "(i64.store32 $window (local.get $first) (i64.const -1)) (i32.const 0)",
        "",
    ),
    (
        "memory.fill",
        "(memory.fill $window (i32.const 0) (i32.const 255)
           (i32.mul (memory.size $window) (i32.const 65536))) (i32.const 0)",
        "",
    ),
    (
        "memory.copy",
        "(memory.copy $window $own (local.get $first) (i32.const 0) (i32.const 65536))
         (i32.const 0)",
        "",
    ),
    (
        "memory.copy",
        "(memory.copy $window $window (local.get $first) (i32.const 0) (i32.const 65536))
         (i32.const 0)",
        "",
    ),
    (
        "memory.init",
        "(memory.init $window $bytes (local.get $first) (i32.const 0) (i32.const 4)) (i32.const 0)",
        r#"(data $bytes "\ff\ff\ff\ff")"#,
    ),
    (
        "data",
        "(i32.const 0)",
        r#"(data (memory $window) (i32.const 0x10000) "\ff\ff\ff\ff")"#,
    ),
    (
        "memory.grow",
        "(drop (memory.grow $window (i32.const 1))) (i32.const 0)",
        "",
    ),
    (
        "i32.store",
        "(call $deep (local.get $first)) unreachable",
        "(func $deep (param i32) (i32.store $window (local.get 0) (i32.const -1)))",
    ),
];

#[test]
fn the_validator_alone_refuses_every_module_that_writes_to_the_window() {
    for (name, body, fields) in WRITERS {
        let refusal = validate(&evaluating(body, fields)).unwrap_err();
        let Refusal::WritesWindow { at, operator } = refusal else {
            panic!("{name}: {refusal}");
        };
        assert_eq!(operator, name);
        assert!(at > 8, "{name}: the place is named");
    }
}

#[test]
fn the_validator_admits_loads_sizes_and_copies_from_the_window() {
    assert_eq!(validate(&honest()).unwrap(), manifest());
    let reader = "
        (memory.copy $own $window (i32.const 8192) (local.get $first) (i32.const 64))
        (memory.fill $own (i32.const 8192) (i32.const 0) (i32.const 64))
        (i32.add (memory.size $window) (i32.wrap_i64 (i64.load32_u $window (local.get $end))))";
    validate(&evaluating(
        reader,
        r#"(data (memory $own) (i32.const 9000) "x")"#,
    ))
    .unwrap();
    validate(&evaluating(
        "(global.get $g)",
        "(global $g i32 (i32.const 0))",
    ))
    .unwrap();
}

/// What is refused though it does not write to the window: a part of the message, and the text.
fn others() -> Vec<(&'static str, String)> {
    let body = |body: &str| text(body, "(type $t (func))");
    let field = |field: &str| text("(i32.const 0)", field);
    let plain = text("(i32.const 0)", "");
    let import = r#"(import "saker" "window" (memory $window 1))"#;
    let own = r#"(memory $own (export "memory") 1 256)"#;
    vec![
        ("a start function", field("(func $s) (start $s)")),
        ("a table", field("(table 1 funcref)")),
        (
            "a mutable global",
            field("(global (mut i32) (i32.const 0))"),
        ),
        ("a passive data segment", field(r#"(data "x")"#)),
        ("a second memory", field("(memory 1 1)")),
        ("exports `more`", field(r#"(func (export "more"))"#)),
        (
            "imports `saker.time`",
            plain.replacen(
                import,
                &format!(r#"{import} (import "saker" "time" (func))"#),
                1,
            ),
        ),
        (
            "imports `saker.window`",
            plain.replacen(
                import,
                &format!("{import} {import}").replacen("$window", "", 1),
                1,
            ),
        ),
        (
            "imports `env.window`",
            plain.replacen("\"saker\"", "\"env\"", 1),
        ),
        (
            "imports `saker.window`",
            plain.replacen(
                import,
                r#"(import "saker" "window" (func)) (memory $window 1)"#,
                1,
            ),
        ),
        (
            "`saker.window` is not imported",
            plain.replacen(import, "(memory $window 1)", 1),
        ),
        (
            "32-bit",
            plain.replacen("(memory $window 1)", "(memory $window 1 2 shared)", 1),
        ),
        (
            "32-bit",
            plain.replacen("(memory $window 1)", "(memory $window i64 1)", 1),
        ),
        (
            "a maximum",
            plain.replacen(own, r#"(memory $own (export "memory") 1)"#, 1),
        ),
        (
            "a maximum",
            plain.replacen(own, r#"(memory $own (export "memory") 1 257)"#, 1),
        ),
        (
            "does not export `memory`",
            plain.replacen(own, "(memory $own 1 256)", 1),
        ),
        (
            "exports `memory`",
            plain.replacen(
                own,
                r#"(memory $own 1 256) (export "memory" (memory $window))"#,
                1,
            ),
        ),
        (
            "does not export `evaluate`",
            plain.replacen(r#"(export "evaluate")"#, "", 1),
        ),
        (
            "not of type",
            plain.replacen("(result i32)", "(result i64)", 1).replacen(
                "(i32.const 0)",
                "(i64.const 0)",
                1,
            ),
        ),
        ("not of type", plain.replacen("(param $end i32)", "", 1)),
        ("`MemoryGrow`", body("(memory.grow $own (i32.const 1))")),
        (
            "`DataDrop`",
            text(
                "(data.drop 0) (i32.const 0)",
                r#"(data (memory $own) (i32.const 0) "x")"#,
            ),
        ),
        (
            "`MemoryInit`",
            text(
                "(memory.init $own 0 (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 0)",
                r#"(data (memory $own) (i32.const 0) "x")"#,
            ),
        ),
        ("`F32Const`", body("(drop (f32.const 0)) (i32.const 0)")),
        (
            "`F64Load`",
            body("(drop (f64.load $window (i32.const 0))) (i32.const 0)"),
        ),
        (
            "`V128Load`",
            body("(v128.store $own (i32.const 0) (v128.load $window (i32.const 0))) (i32.const 0)"),
        ),
        (
            "`ReturnCall`",
            body("(return_call $evaluate (i32.const 0) (i32.const 0))"),
        ),
        (
            "`I32AtomicRmwAdd`",
            body("(i32.atomic.rmw.add $own (i32.const 0) (i32.const 0))"),
        ),
        ("`RefNull`", body("(drop (ref.null func)) (i32.const 0)")),
        ("floating-point", field("(func (param f64))")),
        ("SIMD", field("(func (param v128))")),
        (
            "`TypedSelect`",
            body("(select (result i32) (i32.const 0) (i32.const 0) (i32.const 0))"),
        ),
        (
            "locals in a function",
            field(&format!("(func (local {}))", "i32 ".repeat(4097))),
        ),
        (
            "locals times branches",
            field(&format!(
                "(func (local {}) {})",
                "i32 ".repeat(4000),
                "(if (local.get 0) (then))".repeat(501)
            )),
        ),
        (
            "locals times branches, the limit is 100000000",
            field(
                &format!(
                    "(func (local {}) {})",
                    "i32 ".repeat(3984),
                    "(if (local.get 0) (then))".repeat(495)
                )
                .repeat(51),
            ),
        ),
        (
            "parameters",
            field(&format!("(func (param {}))", "i32 ".repeat(17))),
        ),
        // Values that blocks pass on: ten thousand such blocks cost gigabytes to compile.
        (
            "multi-value",
            body("(i32.const 0) (block (param i32) (result i32))"),
        ),
        (
            "multi-value",
            field("(func (result i32 i32) (i32.const 0) (i32.const 0))"),
        ),
        (
            "bulk memory instructions",
            body(&format!(
                "{} (i32.const 0)",
                "(memory.fill $own (i32.const 0) (i32.const 0) (i32.const 0))".repeat(17)
            )),
        ),
        (
            "jump targets",
            field(&format!(
                "(func (br_table {} (i32.const 0)))",
                "0 ".repeat(65_538)
            )),
        ),
        (
            "bytes in a function",
            field(&format!("(func {})", "nop ".repeat(1024 * 1024))),
        ),
        ("functions", field(&"(func)".repeat(20_000))),
    ]
}

#[test]
fn the_validator_refuses_what_no_ruleset_needs_and_says_what_and_where() {
    for (part, text) in others() {
        let wasm = with_manifest(&text, &manifest());
        match validate(&wasm) {
            Ok(_) => panic!("{part}: admitted"),
            Err(refusal) => {
                let message = refusal.to_string();
                assert!(message.contains(part), "{part}: {message}");
            }
        }
    }
}

#[test]
fn the_validator_refuses_what_is_no_module() {
    let good = honest();
    let malformed = |wasm: &[u8]| {
        let refusal = validate(wasm).unwrap_err();
        assert!(!matches!(refusal, Refusal::Manifest(_)), "{refusal}");
    };
    malformed(b"");
    malformed(b"\0asm");
    malformed(b"#!/bin/sh\nexit 0\n");
    malformed(b"\x7fELF\x02\x01\x01\0");
    malformed(b"\0asm\x0d\0\x01\0");
    malformed(&wat::parse_str("(component)").unwrap());
    malformed(&wat::parse_str("(module)").unwrap());
    for end in (0..good.len() - 1).step_by(7) {
        malformed(&good[..end]);
    }
    let long = with_section(good, "padding", &vec![0; super::MODULE_BYTES_MAX]);
    assert!(matches!(validate(&long), Err(Refusal::TooMany { .. })));
}

#[test]
fn no_byte_of_a_module_when_changed_makes_the_validator_panic() {
    let good = honest();
    for at in 0..good.len() {
        for bits in [1, 0x80, 0xff] {
            let mut wasm = good.clone();
            wasm[at] ^= bits;
            // Some changes are harmless: a rule has another name.
            let _ = validate(&wasm);
        }
    }
}

#[test]
fn the_validator_holds_the_manifest_against_the_module() {
    let of = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = manifest();
        change(&mut manifest);
        let wasm = with_manifest(&text("(i32.const 0)", ""), &manifest);
        validate(&wasm)
            .map(|_| ())
            .map_err(|refusal| refusal.to_string())
    };
    assert_eq!(of(&|_| {}), Ok(()));
    type Change<'a> = &'a dyn Fn(&mut Manifest);
    let outside: [(&str, Change<'_>); 9] = [
        ("the hits at 65536", &|m| {
            (m.hits_at, m.heap_at) = (65_536, 70_000)
        }),
        ("the hits at 1024", &|m| m.hits_max = u32::MAX),
        ("the hits at 4294967295", &|m| m.hits_at = u32::MAX),
        ("the ids at 65533", &|m| {
            m.literals = vec![b"x".to_vec()];
            m.literal_ids_at = 65_533;
        }),
        ("the sets at 65529", &|m| {
            m.sets = vec![vec![]];
            m.sets_at = 65_529;
        }),
        ("the enabled flags at 65535", &|m| m.enabled_at = 65_535),
        ("the matching mode at 65533", &|m| m.matching_at = 65_533),
        ("the heap at 16777217", &|m| m.heap_at = 16_777_217),
        ("the heap at 4294967295", &|m| m.heap_at = u32::MAX),
    ];
    for (part, change) in outside {
        let message = of(change).unwrap_err();
        assert!(message.contains(part), "{part}: {message}");
    }
    let upon: [Change<'_>; 5] = [
        &|m| m.matching_at = 1024,
        &|m| m.matching_at = 1021,
        &|m| m.enabled_at = 1024 + 8 * 16 - 1,
        &|m| m.heap_at = 1024,
        &|m| m.hits_at = 8192,
    ];
    for change in upon {
        let message = of(change).unwrap_err();
        assert!(message.contains(" upon "), "{message}");
    }
    assert_eq!(
        of(&|m| m.literal_ids_at = u32::MAX),
        Err("the manifest puts the ids at 4294967295, 0 bytes, in a memory of 65536".to_string())
    );
    let layout = EventLayout {
        event: EventType::from_code(7).unwrap_or(EventType::ALL[0]),
        slots: vec![],
        needs: vec![],
    };
    let twice = of(&|m| m.events = vec![layout.clone(), layout.clone()]).unwrap_err();
    assert!(twice.contains("twice"), "{twice}");
}

#[test]
fn the_validator_wants_one_manifest_of_its_own_version() {
    let bare = wat::parse_str(text("(i32.const 0)", "")).unwrap();
    assert_eq!(validate(&bare), Err(Refusal::NoManifest));
    let bytes = manifest().encode();
    let section = |bytes: &[u8]| with_section(bare.clone(), abi::MANIFEST_SECTION, bytes);
    let two = with_section(section(&bytes), abi::MANIFEST_SECTION, &bytes);
    assert!(matches!(validate(&two), Err(Refusal::TwoManifests { .. })));
    let mut newer = bytes.clone();
    newer[0] += 1;
    let version = ManifestError::Version(abi::VERSION + 1);
    assert_eq!(validate(&section(&newer)), Err(Refusal::Manifest(version)));
    let cut = &bytes[..bytes.len() - 1];
    let malformed = Err(Refusal::Manifest(ManifestError::Malformed));
    assert_eq!(validate(&section(cut)), malformed);
}

/// A judge's insides without its threads, and without the first wall.
struct Unguarded {
    window: Window,
    view: WindowView,
    limits: Limits,
    ticker: Ticker,
    engine: wasmtime::Engine,
}

impl Unguarded {
    fn new() -> Unguarded {
        let limits = Limits::default();
        let engine = engine(&limits).unwrap();
        let window = Window::create(2).unwrap();
        Unguarded {
            view: WindowView::open(window.fd()).unwrap(),
            window,
            limits,
            ticker: Ticker::spawn(engine.clone()).unwrap(),
            engine,
        }
    }

    fn compile(&self, wasm: Vec<u8>) -> Compiled {
        Compiled::unvalidated(&self.engine, &image(wasm), manifest()).unwrap()
    }

    fn seat(&self, ruleset: &Compiled) -> Result<Seat, String> {
        let stopping = Arc::new(AtomicBool::new(false));
        Seat::new(ruleset, &self.view, &self.limits, &self.ticker, &stopping)
    }

    fn judge(&self, seat: &mut Seat, ruleset: &Compiled, of: &Filled) -> Result<Verdict, Failure> {
        let rows = (of.range().start, of.range().end);
        seat.judge(&Case {
            ruleset,
            window: &self.view,
            limits: &self.limits,
            ticker: &self.ticker,
            rows,
        })
    }

    /// All bytes of the window, header included, as the host has them.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; slot_range(self.window.slots()).start];
        rustix::io::pread(self.window.fd(), &mut bytes, 0).unwrap();
        bytes
    }
}

#[test]
fn the_private_mapping_alone_keeps_the_hosts_rows_from_every_module_that_writes() {
    let court = Unguarded::new();
    let filled = fill(&court.window, &[0, 9, 1]);
    let rows = filled.rows().to_vec();
    let before = court.bytes();
    let good = court.compile(honest());
    let mut good_seat = court.seat(&good).unwrap();
    for (name, body, fields) in WRITERS {
        // Says whether its copy of the first row is another now.
        let changed = "(i32.ne (i32.load $window (local.get $first)) (i32.const 40))";
        let body = match body.strip_suffix("(i32.const 0)") {
            Some(body) => format!("{body}{changed}"),
            None => body.to_string(),
        };
        let ruleset = court.compile(evaluating(&body, fields));
        let mut seat = court
            .seat(&ruleset)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let outcome = court.judge(&mut seat, &ruleset, &filled);
        let wrote = outcome.ok().map(|verdict| verdict.invalid == 1);
        let expected = match name {
            "memory.grow" => Some(false),
            _ if body.ends_with("unreachable") => None,
            _ => Some(true),
        };
        assert_eq!(wrote, expected, "{name}: what it does is done to its copy");
        assert_eq!(court.bytes(), before, "{name}");
        assert_eq!(filled.rows(), rows, "{name}");
        // What the judge does after a failure: everything anew.
        let fresh = court.compile(honest());
        for seat in [&mut court.seat(&fresh).unwrap(), &mut good_seat] {
            let verdict = court.judge(seat, &good, &filled).ok().expect(name);
            let expected = [
                Hit {
                    row: row(&filled, 0),
                    rule: 0,
                },
                Hit {
                    row: row(&filled, 2),
                    rule: 1,
                },
            ];
            assert_eq!(verdict.hits, expected, "{name}");
        }
    }
}

#[test]
fn a_module_that_writes_to_the_window_deceives_itself_until_its_mapping_is_made_anew() {
    let court = Unguarded::new();
    let filled = fill(&court.window, &[5, 5]);
    // Makes the first event row one that the second call takes for a hit of rule 1.
    let liar = format!("{HONEST} (i32.store $window offset=72 (i32.const 0x10000) (i32.const 1)) ");
    let ruleset = court.compile(evaluating(&liar, ""));
    let mut seat = court.seat(&ruleset).unwrap();
    let hits = |seat: &mut Seat| court.judge(seat, &ruleset, &filled).ok().unwrap().hits;
    assert_eq!(hits(&mut seat), []);
    assert_eq!(hits(&mut seat).len(), 1, "the private page keeps the lie");
    assert_eq!(hits(&mut court.seat(&ruleset).unwrap()), []);
}

#[test]
fn hits_are_held_against_the_hosts_rows_not_against_what_the_module_made_of_them() {
    let court = Unguarded::new();
    let filled = fill(&court.window, &[5, 5]);
    // Splits the first row in two, and claims a hit in the middle of it.
    let liar = "
        (i32.store $window (local.get $first) (i32.const 32))
        (i32.store $own offset=1024 (i32.const 0) (i32.add (local.get $first) (i32.const 32)))
        (i32.const 1)";
    let ruleset = court.compile(evaluating(liar, ""));
    let mut seat = court.seat(&ruleset).unwrap();
    let verdict = court.judge(&mut seat, &ruleset, &filled).ok().unwrap();
    assert_eq!((verdict.hits.len(), verdict.invalid), (0, 1));
}

#[test]
fn memory_beyond_the_cap_is_not_given_even_to_a_module_nobody_validated() {
    let court = Unguarded::new();
    let filled = fill(&court.window, &[5]);
    let greedy = text("(i32.eq (memory.grow $own (i32.const 256)) (i32.const -1)) (if (then unreachable)) (i32.const 0)", "")
        .replacen("1 256)", "1)", 1);
    let ruleset = court.compile(with_manifest(&greedy, &manifest()));
    let failure = court.judge(&mut court.seat(&ruleset).unwrap(), &ruleset, &filled);
    let failure = failure.err().expect("the growth is refused");
    assert_eq!(
        failure.kind,
        super::FailureKind::Memory,
        "{}",
        failure.message
    );
    // Two memories, each below the cap, together above it.
    let two = text("(i32.const 0)", "(memory 200)");
    let ruleset = court.compile(with_manifest(
        &two.replacen("1 256)", "100)", 1),
        &manifest(),
    ));
    assert!(court.seat(&ruleset).is_err());
}

#[test]
fn a_start_function_nobody_refused_is_under_the_deadline_too() {
    let court = Unguarded::new();
    let endless = evaluating("(i32.const 0)", "(func $s (loop (br 0))) (start $s)");
    assert!(court.seat(&court.compile(endless)).is_err());
}

#[test]
fn the_judge_uses_the_first_wall() {
    let mut court = Court::new(Limits::default());
    let (name, body, fields) = WRITERS[7];
    let answer = court.install(1, &[honest(), evaluating(body, fields)]);
    let FromJudge::Refused {
        epoch: 1,
        ruleset: 1,
        error,
    } = answer
    else {
        panic!("{answer:?}");
    };
    assert!(error.contains(name), "{error}");
}
