//! Components that mean harm: each is stopped, and why is said; whoever runs beside it notices
//! nothing.

use super::specimen::{ALERT, INIT, SILENT, Specimen};
use super::*;
use crate::componentise::componentise_by;
use crate::sandbox::FailureKind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

fn workshop() -> Arc<Workshop> {
    let limits = ComponentLimits {
        start: Budget::Time {
            cpu: Duration::from_millis(200),
            wall: Duration::from_secs(10),
        },
        ..ComponentLimits::live(Duration::from_millis(50))
    };
    Workshop::new(limits).expect("an engine")
}

fn load(specimen: &Specimen<'_>) -> Result<(Code, Description), NotLoaded> {
    Code::load(&workshop(), specimen.component())
}

fn start(granted: &[Capability], keep: &Keep) -> Start {
    Start {
        name: "specimen".into(),
        granted: granted.to_vec(),
        keep: keep.clone(),
        config: vec![("key".into(), "value".into())],
        columns: vec![],
        means: Means::default(),
    }
}

fn resident_of(
    specimen: &Specimen<'_>,
    granted: &[Capability],
    keep: &Keep,
) -> Result<Resident, Failure> {
    let (code, _) = load(specimen).unwrap_or_else(|error| panic!("{error}"));
    let stopping = Arc::new(AtomicBool::new(false));
    Resident::start(Arc::new(code), start(granted, keep), stopping)
}

fn resident(specimen: &Specimen<'_>) -> Resident {
    resident_of(specimen, &[], &Keep::default()).unwrap_or_else(|failure| panic!("{failure}"))
}

fn rows() -> Arc<Vec<u8>> {
    Arc::new(vec![0; 64])
}

/// A loop without end.
const ENDLESS: &str = "(loop (br 0)) (unreachable)";
/// A call of itself without end.
const DEEP: &str = "(func $deep (param i32) (result i32)
    (i32.add (call $deep (local.get 0)) (i32.const 1)))";

#[test]
fn an_honest_component_says_what_it_is_and_alerts() {
    let (_, description) = load(&Specimen::default()).expect("it is honest");
    assert_eq!(
        (&*description.name, description.state),
        ("specimen", State::Global)
    );
    let mut resident = resident(&Specimen::default());
    for _ in 0..3 {
        let alerts = resident.batch(&rows(), 0).expect("it answers");
        let expected = Alert {
            row: Some(0),
            rule: 0,
            message: None,
            fields: vec![],
        };
        assert_eq!(alerts, [expected]);
    }
    assert_eq!(resident.tick(1), Ok(vec![]));
}

#[test]
fn who_never_says_what_it_is_is_not_loaded() {
    let began = Instant::now();
    let bodies = [
        ("endless", ENDLESS, "", "longer than it may"),
        ("deep", "(call $deep (i32.const 0))", DEEP, "stack"),
        ("trap", "unreachable", "", "unreachable"),
        ("outside", "(i32.const 0x7ffffff0)", "", "out of bounds"),
        (
            "start",
            SILENT,
            "(func $start (loop (br 0))) (start $start)",
            "longer than it may",
        ),
        (
            "too large",
            "(i32.const 4096)",
            "(memory $more 2000)",
            "memory",
        ),
    ];
    for (name, describe, more, why) in bodies {
        let specimen = Specimen {
            describe: Some(describe),
            more,
            ..Specimen::default()
        };
        // A second memory is no part of what components are made of; the first can be as large.
        let specimen = match name {
            "too large" => Specimen {
                more: "",
                pages: 2000,
                ..specimen
            },
            _ => specimen,
        };
        let error = load(&specimen)
            .err()
            .unwrap_or_else(|| panic!("{name}: loaded"));
        assert!(matches!(error, NotLoaded::Mute(_)), "{name}: {error:?}");
        assert!(error.to_string().contains(why), "{name}: {error}");
    }
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn who_fails_in_init_does_not_start() {
    for (init, kind, why) in [
        (ENDLESS, FailureKind::Deadline, "longer"),
        ("unreachable", FailureKind::Trap, "unreachable"),
        ("(i32.const 0x7ffffff0)", FailureKind::Answer, "out of bounds"),
        (
            // Says that it will not: with a text of the greatest length.
            "(i32.store8 (i32.const 64) (i32.const 1)) (i32.store (i32.const 68) (i32.const 0))
             (i32.store (i32.const 72) (i32.const -1)) (i32.const 64)",
            FailureKind::Answer,
            "out of bounds",
        ),
        (
            "(i32.store8 (i32.const 64) (i32.const 1)) (i32.store (i32.const 68) (i32.const 16))
             (i32.store (i32.const 72) (i32.const 2)) (i32.store16 (i32.const 16) (i32.const 0x6f6e))
             (i32.const 64)",
            FailureKind::Answer,
            "`init` says: no",
        ),
    ] {
        let specimen = Specimen {
            init,
            ..Specimen::default()
        };
        let failure = resident_of(&specimen, &[], &Keep::default()).err();
        let failure = failure.unwrap_or_else(|| panic!("{init}: it starts"));
        assert_eq!(failure.kind, kind, "{init}: {failure}");
        assert!(failure.message.contains(why), "{init}: {failure}");
    }
}

/// Pointer and number of alerts.
fn answer(at: &str, count: &str) -> String {
    format!("(i32.store (i32.const 32) {at}) (i32.store (i32.const 36) {count}) (i32.const 32)")
}

#[test]
fn who_fails_in_a_batch_loses_it_and_is_called_again_until_it_is_one_too_many() {
    let nowhere = answer("(i32.const 0x10000)", "(i32.const 0x10000000)");
    // Alerts that lie upon each other are no trick that pays: a million of them,
    let million = answer("(i32.const 0)", "(i32.const 14000)");
    // one with a text of all the memory,
    let text = format!(
        "{ALERT} (drop) (i32.store (i32.const 140) (i32.const 1)) (i32.store (i32.const 144)
         (i32.const 0)) (i32.store (i32.const 148) (i32.const 2097152)) (i32.const 32)"
    );
    // and one whose text is no UTF-8.
    let not_utf8 = format!(
        "{ALERT} (drop) (i32.store (i32.const 140) (i32.const 1)) (i32.store (i32.const 144)
         (i32.const 16)) (i32.store (i32.const 148) (i32.const 1))
         (i32.store8 (i32.const 16) (i32.const 0xff)) (i32.const 32)"
    );
    let greedy =
        "(loop (br_if 0 (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable";
    let cases: [(&str, &str, FailureKind); 10] = [
        ("endless", ENDLESS, FailureKind::Deadline),
        ("deep", "(call $deep (i32.const 0))", FailureKind::Trap),
        ("trap", "unreachable", FailureKind::Trap),
        ("greedy", greedy, FailureKind::Memory),
        ("nowhere", &nowhere, FailureKind::Answer),
        ("unaligned", "(i32.const 33)", FailureKind::Answer),
        ("a million alerts", &million, FailureKind::Answer),
        ("a text too long", &text, FailureKind::Answer),
        ("no text", &not_utf8, FailureKind::Answer),
        (
            "fill",
            "(loop (memory.fill (i32.const 65536) (i32.const 1) (i32.const 400000)) (br 0))
             unreachable",
            FailureKind::Deadline,
        ),
    ];
    for (name, on_batch, kind) in cases {
        let mut resident = resident(&Specimen {
            on_batch,
            more: DEEP,
            pages: 40,
            ..Specimen::default()
        });
        for last in [false, false, true] {
            // It is called anew, and answers what it can.
            assert_eq!(resident.tick(1), Ok(vec![]), "{name}");
            let failure = resident.batch(&rows(), 0).expect_err(name);
            assert_eq!(failure.kind, kind, "{name}: {failure}");
            assert_eq!(failure.is_last, last, "{name}");
        }
        let failure = resident.batch(&rows(), 0).expect_err(name);
        assert_eq!(failure.kind, FailureKind::Quarantined, "{name}");
    }
}

#[test]
fn who_lies_about_memory_harms_only_itself() {
    for realloc in [
        "(i32.const -1)",
        "(i32.const 0x7fffffff)",
        "(i32.const 65537)",
        "unreachable",
        ENDLESS,
    ] {
        let specimen = Specimen {
            realloc,
            ..Specimen::default()
        };
        // It is asked for room for the settings first.
        let failure = resident_of(&specimen, &[], &Keep::default()).err();
        assert!(
            failure.is_some_and(|failure| failure.kind.is_strike()),
            "{realloc}"
        );
    }
    // Room upon its own stack, data and answer: what it gets is what it asked for.
    let specimen = Specimen {
        realloc: "(i32.const 0)",
        ..Specimen::default()
    };
    let mut resident = resident(&specimen);
    let _ = resident.batch(&Arc::new(vec![0xff; 300_000]), 0);
}

#[test]
fn memories_together_are_no_larger_than_one_may_be() {
    // What it has and what it wants are counted together: 40 MiB and 40 MiB.
    let specimen = Specimen {
        pages: 640,
        on_batch: "(if (i32.ne (memory.grow (i32.const 640)) (i32.const -1)) (then unreachable))
            (i64.store (i32.const 32) (i64.const 0)) (i32.const 32)",
        ..Specimen::default()
    };
    assert_eq!(resident(&specimen).batch(&rows(), 0), Ok(vec![]));
}

const KV: &str = r#"
    (import "saker:rules/kv@0.1.0" "get" (func $get (param i32 i32 i32)))
    (import "saker:rules/kv@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32)))
    (import "saker:rules/clock@0.1.0" "now" (func $now (result i64)))
    (import "saker:rules/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#;

#[test]
fn what_was_not_granted_is_not_had_even_if_it_is_called() {
    let using = |on_batch: &'static str| Specimen {
        imports: KV,
        capabilities: &[0, 1],
        on_batch,
        ..Specimen::default()
    };
    let now = using("(drop (call $now)) (i64.store (i32.const 32) (i64.const 0)) (i32.const 32)");
    let keep = Keep::default();
    let refused = |failure: Failure| (failure.kind, failure.message.contains("not granted"));
    let mut denied = resident_of(&now, &[Capability::Kv], &keep).expect("it starts");
    assert_eq!(
        denied.batch(&rows(), 0).map_err(refused),
        Err((FailureKind::Answer, true))
    );
    let mut allowed = resident_of(&now, &[Capability::Clock], &keep).expect("it starts");
    assert_eq!(allowed.batch(&rows(), 0), Ok(vec![]));
    // Nothing at all is allowed while it says what it is.
    let error = load(&Specimen {
        describe: Some("(drop (call $now)) unreachable"),
        ..now
    });
    assert!(
        error
            .err()
            .is_some_and(|error| error.to_string().contains("not granted"))
    );
}

#[test]
fn what_is_kept_outlives_the_instance_that_kept_it() {
    // Keeps a value and traps; the next instance finds it, and alerts.
    let on_batch = format!(
        "(call $get (i32.const 16) (i32.const 1) (i32.const 80))
         (if (i32.eqz (i32.load8_u (i32.const 80))) (then
            (call $set (i32.const 16) (i32.const 1) (i32.const 16) (i32.const 9) (i32.const 80))
            unreachable))
         (if (i32.ne (i32.load (i32.const 88)) (i32.const 9)) (then unreachable))
         {ALERT}"
    );
    let specimen = Specimen {
        imports: KV,
        capabilities: &[0, 1],
        on_batch: &on_batch,
        ..Specimen::default()
    };
    let keep = Keep::default();
    let mut resident = resident_of(&specimen, &[Capability::Kv], &keep).expect("it starts");
    assert!(resident.batch(&rows(), 0).is_err());
    assert_eq!(keep.bytes(), 64 + 1 + 9);
    assert_eq!(resident.batch(&rows(), 0).map(|alerts| alerts.len()), Ok(1));
}

#[test]
fn a_flood_of_messages_and_of_imports_ends_at_the_budget() {
    for on_batch in [
        "(loop (call $log (i32.const 1) (i32.const 65536) (i32.const 100000)) (br 0)) unreachable",
        "(loop (call $set (i32.const 65536) (i32.const 100) (i32.const 65536)
            (i32.const 60000) (i32.const 80)) (br 0)) unreachable",
    ] {
        let specimen = Specimen {
            imports: KV,
            capabilities: &[0, 1],
            on_batch,
            ..Specimen::default()
        };
        let mut live =
            resident_of(&specimen, &[Capability::Kv], &Keep::default()).expect("it starts");
        let failure = live.batch(&rows(), 0).expect_err("it never ends");
        assert_eq!(failure.kind, FailureKind::Deadline, "{failure}");
        // Counted in fuel, too: what the host copies is paid for.
        let workshop = Workshop::new(ComponentLimits::replay(50_000_000)).expect("an engine");
        let (code, _) = Code::load(&workshop, specimen.component()).expect("it loads");
        let start = start(&[Capability::Kv], &Keep::default());
        let stopping = Arc::new(AtomicBool::new(false));
        let mut replayed = Resident::start(Arc::new(code), start, stopping).expect("it starts");
        let began = Instant::now();
        let failure = replayed.batch(&rows(), 0).expect_err("it never ends");
        assert_eq!(failure.kind, FailureKind::Deadline, "{failure}");
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn in_place_of_wasi_there_are_stubs_that_answer_the_same_each_time() {
    let imports = r#"
        (import "wasi_snapshot_preview1" "clock_time_get"
            (func $time (param i32 i64 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open"
            (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))"#;
    // Traps unless all is as it should be.
    let on_batch = format!(
        "(i32.store (i32.const 208) (i32.const 0)) (i32.store (i32.const 212) (i32.const 7))
         (i64.store (i32.const 224) (i64.const 7))
         (if (call $time (i32.const 0) (i64.const 0) (i32.const 224)) (then unreachable))
         (if (i64.ne (i64.load (i32.const 224)) (i64.const 1)) (then unreachable))
         (if (call $random (i32.const 232) (i32.const 4)) (then unreachable))
         (if (i32.eqz (i32.load (i32.const 232))) (then unreachable))
         (if (call $write (i32.const 1) (i32.const 208) (i32.const 1) (i32.const 240))
            (then unreachable))
         (if (i32.ne (i32.load (i32.const 240)) (i32.const 7)) (then unreachable))
         (if (i32.ne (i32.const 52) (call $open (i32.const 3) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0)))
            (then unreachable))
         {ALERT}"
    );
    let specimen = Specimen {
        imports,
        on_batch: &on_batch,
        ..Specimen::default()
    };
    let alerts = resident(&specimen).batch(&rows(), 0);
    assert_eq!(alerts.map(|alerts| alerts.len()), Ok(1));
    assert_eq!(
        crate::sandbox::component::imports(&specimen.component()),
        [""; 0]
    );
}

#[test]
fn other_worlds_and_versions_are_named() {
    let renamed = |from: &str, to: &str| {
        let wit = crate::componentise::WIT.replace(from, to);
        let text = Specimen::default().text().replace(from, to);
        let core = wat::parse_str(text).expect("Wasm text");
        let component = componentise_by(&wit, &core).unwrap_or_else(|error| panic!("{error}"));
        Code::load(&workshop(), component)
            .err()
            .map(|error| error.to_string())
    };
    let newer = renamed("@0.1.0", "@0.2.0").expect("refused");
    assert!(newer.contains("version 0.2.0"), "{newer}");
    let other = renamed("saker:rules", "other:judges").expect("refused");
    assert!(other.contains("no rule module"), "{other}");
    let empty = wat::parse_str("(component)").expect("Wasm text");
    let error = Code::load(&workshop(), empty).expect_err("refused");
    assert!(error.to_string().contains("no rule module"), "{error}");
    let wasi = r#"(component (import "wasi:io/poll@0.2.0" (instance)))"#;
    let error = Code::load(&workshop(), wat::parse_str(wasi).expect("Wasm text"));
    let error = error.expect_err("refused").to_string();
    assert!(
        error.contains("no rule module") || error.contains("wasi:io/poll"),
        "{error}"
    );
}

#[test]
fn what_is_no_component_is_refused_wherever_it_ends_or_is_damaged() {
    let workshop = workshop();
    let whole = Specimen::default().component();
    let core = Specimen::default().core();
    let error = Code::load(&workshop, core).expect_err("refused");
    assert!(error.to_string().contains("saker module build"), "{error}");
    for bytes in [&b""[..], b"\0asm", b"\x7fELF", b"\0asm\x0d\0\x01\0"] {
        assert!(Code::load(&workshop, bytes.to_vec()).is_err());
    }
    let mut large = whole.clone();
    large.resize(COMPONENT_BYTES_MAX + 1, 0);
    let error = Code::load(&workshop, large).expect_err("refused");
    assert!(error.to_string().contains("bytes, the limit"), "{error}");
    for end in (0..whole.len() - 1).step_by(97) {
        let _ = Code::load(&workshop, whole[..end].to_vec());
    }
    for at in (0..whole.len()).step_by(61) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        // Some changes are harmless: a rule has another name. Others make other code.
        let Ok((code, _)) = Code::load(&workshop, damaged) else {
            continue;
        };
        let stopping = Arc::new(AtomicBool::new(false));
        let resident = Resident::start(Arc::new(code), start(&[], &Keep::default()), stopping);
        if let Ok(mut resident) = resident {
            let _ = resident.batch(&rows(), 0);
        }
    }
}

#[test]
fn too_many_functions_and_too_long_ones_are_not_compiled() {
    let functions = "(func)".repeat(200_001);
    let long = format!("(func {})", "nop ".repeat(2 << 20));
    let branches = "(if (local.get 0) (then))".repeat(500);
    let slow = format!("(func (local {}) {branches})", "i32 ".repeat(45_000));
    for (more, why) in [
        (functions, "functions"),
        (long, "bytes in a function"),
        (slow, "locals times branches"),
    ] {
        let text = Specimen {
            more: &more,
            ..Specimen::default()
        };
        let began = Instant::now();
        // Wrapped by hand: validating it is not what is tested.
        let core = text.core();
        let mut component = b"\0asm\x0d\0\x01\0\x01".to_vec();
        let mut length = core.len();
        while length >= 0x80 {
            component.push(length as u8 | 0x80);
            length >>= 7;
        }
        component.push(length as u8);
        component.extend(core);
        let error = Code::load(&workshop(), component)
            .expect_err("refused")
            .to_string();
        assert!(error.contains(why), "{error}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn a_slow_component_loses_its_own_messages_and_its_host_does_not_wait() {
    let specimen = Specimen {
        on_batch: ENDLESS,
        init: INIT,
        ..Specimen::default()
    };
    let limits = ComponentLimits {
        queue: 2,
        strikes: 0,
        ..workshop().limits
    };
    let workshop = Workshop::new(limits).expect("an engine");
    let (code, _) = Code::load(&workshop, specimen.component()).expect("it loads");
    let (answer, mut answers) = tokio::sync::mpsc::unbounded_channel();
    let start = start(&[], &Keep::default());
    let worker = Worker::spawn(7, Arc::new(code), start, answer).expect("a thread");
    let worker = worker.unwrap_or_else(|failure| panic!("{failure}"));
    let began = Instant::now();
    let message = || ToComponent::Batch {
        rows: rows(),
        now: 0,
    };
    let put: Vec<Put> = (0..10).map(|_| worker.put(message())).collect();
    assert!(began.elapsed() < Duration::from_millis(40), "nobody waits");
    let queued = put.iter().filter(|put| **put == Put::Queued).count();
    assert!((2..=3).contains(&queued), "{put:?}");
    for _ in 0..queued {
        let answer = answers.blocking_recv().expect("every message is answered");
        assert_eq!(answer.worker, 7);
        let failure = answer.answer.expect_err("it never ends");
        assert_eq!(failure.kind, FailureKind::Deadline);
    }
    // Its end is not waited for either.
    let _ = worker.put(message());
    let began = Instant::now();
    drop(worker);
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[test]
fn one_that_stays_within_its_budget_each_time_has_no_more_than_its_share_over_time() {
    // Some milliseconds of work.
    let busy = format!(
        "(local $left i32) (local.set $left (i32.const 300000))
         (loop $on
           (local.set $left (i32.sub (local.get $left) (i32.const 1)))
           (br_if $on (local.get $left)))
         {ALERT}"
    );
    let specimen = Specimen {
        on_batch: &busy,
        ..Specimen::default()
    };
    let limits = ComponentLimits {
        cpu_at_once: Duration::from_millis(1),
        ..workshop().limits
    };
    let workshop = Workshop::new(limits).expect("an engine");
    let (code, _) = Code::load(&workshop, specimen.component()).expect("it loads");
    let code = Arc::new(code);
    // CPU time of the whole test is of no use: others run beside it.
    let took = |percent| {
        let mut start = start(&[], &Keep::default());
        start.means.cpu_percent = Some(percent);
        let (answer, mut answers) = tokio::sync::mpsc::unbounded_channel();
        let worker = Worker::spawn(1, code.clone(), start, answer).expect("a thread");
        let worker = worker.unwrap_or_else(|failure| panic!("{failure}"));
        let began = Instant::now();
        for _ in 0..30 {
            let rows = rows();
            assert_eq!(worker.put(ToComponent::Batch { rows, now: 0 }), Put::Queued);
        }
        for _ in 0..30 {
            let answer = answers.blocking_recv().expect("every message is answered");
            answer.answer.expect("it is honest");
        }
        let took = began.elapsed();
        // One that waits is not waited for.
        let began = Instant::now();
        drop(worker);
        assert!(began.elapsed() < Duration::from_secs(1));
        took
    };
    let (alone, shared) = (took(100), took(5));
    assert!(shared > alone * 4, "{shared:?} against {alone:?}");
}
