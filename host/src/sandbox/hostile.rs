//! The judge against modules that pass the validator and misbehave all the same: whatever they
//! do, it costs their windows and nothing else.

use super::fixture::{Court, HITS, ROW, evaluating, fill, honest, image, manifest, row, text};
use super::fixture::{HONEST, with_manifest};
use super::{Budget, FailureKind, FromJudge, Hit, Judge, Limits, Nothing, SendError, ToJudge};
use saker_rules_schema::manifest::Manifest;
use saker_shm::window::{Filled, window_bytes};
use std::time::{Duration, Instant};

/// Asserts that the window was judged, and returns hits, lost and invalid ones.
#[track_caller]
fn judged(answer: FromJudge) -> (Vec<Hit>, u64, u64) {
    match answer {
        FromJudge::Judged {
            hits,
            lost_hits,
            invalid_hits,
            ..
        } => (hits, lost_hits, invalid_hits),
        other => panic!("{other:?}"),
    }
}

/// Asserts that it was not, and returns why.
#[track_caller]
fn failed(answer: FromJudge) -> (FailureKind, String, Duration) {
    match answer {
        FromJudge::Failed {
            kind,
            message,
            cpu_ns,
            ..
        } => (kind, message, Duration::from_nanos(cpu_ns)),
        other => panic!("{other:?}"),
    }
}

/// A court with that one module as epoch 1, and strikes off.
fn court(wasm: Vec<u8>) -> Court {
    let limits = Limits {
        strikes: 0,
        ..Limits::default()
    };
    let mut court = Court::new(limits);
    let answer = court.install(1, &[wasm, honest()]);
    assert_eq!(answer, FromJudge::Installed { epoch: 1 });
    court
}

/// The honest module, beside the one in question, still judges right.
#[track_caller]
fn assert_sane(court: &mut Court, filled: &Filled) {
    let (hits, lost, invalid) = judged(court.judge(1, 1, filled));
    let first = Hit {
        row: row(filled, 0),
        rule: 0,
    };
    assert_eq!((hits.first(), lost, invalid), (Some(&first), 0, 0));
}

/// Fails with a window for a reason, twice, while another ruleset goes on judging right.
#[track_caller]
fn assert_fails(body: &str, fields: &str, expected: FailureKind) -> (String, Duration) {
    let mut court = court(evaluating(body, fields));
    let filled = fill(&court.window, &[0, 9]);
    let mut last = Default::default();
    for _ in 0..2 {
        let (kind, message, cpu) = failed(court.judge(1, 0, &filled));
        assert_eq!(kind, expected, "{message}");
        assert_sane(&mut court, &filled);
        last = (message, cpu);
    }
    last
}

#[test]
fn an_honest_module_names_every_row_that_matches() {
    let mut court = court(honest());
    let first = fill(&court.window, &[0, 9, 1, 1, 7]);
    let second = fill(&court.window, &[]);
    let hit = |filled, at, rule| Hit {
        row: row(filled, at),
        rule,
    };
    let expected = vec![hit(&first, 0, 0), hit(&first, 2, 1), hit(&first, 3, 1)];
    assert_eq!(judged(court.judge(1, 0, &first)), (expected, 0, 0));
    assert_eq!(judged(court.judge(1, 0, &second)), (vec![], 0, 0));
}

#[test]
fn a_slot_that_is_used_again_is_judged_by_its_new_rows() {
    let mut court = court(honest());
    for round in 0..20 {
        let filled = fill(&court.window, &[round % 3, 0]);
        let (hits, ..) = judged(court.judge(1, 0, &filled));
        assert_eq!(hits.len(), if round % 3 < 2 { 2 } else { 1 });
    }
}

#[test]
fn a_trap_costs_its_window_only() {
    let (message, _) = assert_fails("unreachable", "", FailureKind::Trap);
    assert!(message.contains("unreachable"), "{message}");
    let trap = FailureKind::Trap;
    assert_fails("(i32.div_u (i32.const 1) (i32.const 0))", "", trap);
    assert_fails("(i32.load $window (i32.const -4))", "", trap);
    assert_fails("(i32.load $own (i32.const 65533))", "", trap);
    let beyond = window_bytes(4);
    assert_fails(
        &format!("(i32.load $window (i32.const {beyond}))"),
        "",
        trap,
    );
    let copy = "(memory.copy $own $window (i32.const 0) (i32.const -1) (i32.const 2)) unreachable";
    assert_fails(copy, "", trap);
}

#[test]
fn a_module_that_never_returns_is_stopped_at_its_cpu_budget() {
    let begun = Instant::now();
    let deadline = FailureKind::Deadline;
    let (_, cpu) = assert_fails("(loop $l (br $l)) unreachable", "", deadline);
    assert!(cpu > Duration::from_millis(50), "{cpu:?}");
    assert!(cpu < Duration::from_millis(80), "{cpu:?}");
    // Two windows of 50 ms; a loaded machine gets ten times that.
    assert!(begun.elapsed() < Duration::from_secs(2));
    let ping = "(func $ping (param i32) (call $pong (local.get 0)) (call $pong (local.get 0)))";
    let pong = "(func $pong (param i32)
        (if (i32.lt_u (local.get 0) (i32.const 30)) (then
          (call $ping (i32.add (local.get 0) (i32.const 1))))))";
    let fields = format!("{ping} {pong}");
    assert_fails(
        "(call $ping (i32.const 0)) (i32.const 0)",
        &fields,
        deadline,
    );
}

#[test]
fn filling_the_whole_memory_over_and_over_is_stopped_too() {
    let fill = "(memory.fill $own (i32.const 4096) (i32.const 1) (i32.const 61440))";
    let body = format!("(loop $l {fill} (br $l)) unreachable");
    let (_, cpu) = assert_fails(&body, "", FailureKind::Deadline);
    assert!(cpu < Duration::from_millis(100), "{cpu:?}");
}

#[test]
fn recursion_without_end_is_a_trap() {
    let (message, _) = assert_fails(
        "(call $deep (local.get $first))",
        "(func $deep (param i32) (result i32)
           (i32.add (call $deep (local.get 0)) (i32.const 1)))",
        FailureKind::Trap,
    );
    assert!(message.contains("stack"), "{message}");
}

#[test]
fn other_rulesets_and_windows_are_judged_while_one_is_stuck() {
    let limits = Limits {
        threads: 2,
        ..Limits::default()
    };
    let mut court = Court::new(limits);
    court.install(
        1,
        &[evaluating("(loop $l (br $l)) unreachable", ""), honest()],
    );
    let filled = fill(&court.window, &[0]);
    let stuck = court.send(1, 0, &filled);
    let fine = court.send(1, 1, &filled);
    let order: Vec<u64> = (0..2)
        .map(|_| match court.judge.blocking_receive().unwrap() {
            FromJudge::Judged { window, .. } | FromJudge::Failed { window, .. } => window,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(order, [fine, stuck]);
}

#[test]
fn a_count_of_hits_that_cannot_be_is_a_failure() {
    for count in ["-1", "5", "0x7fffffff", "0x80000000"] {
        let body = format!("(i32.const {count})");
        // Two event rows and a process row by two rules: no more than six fit 120 bytes.
        let body = if count == "5" { "(i32.const 7)" } else { &body };
        let (message, _) = assert_fails(body, "", FailureKind::Hits);
        assert!(message.contains("claims"), "{message}");
    }
}

#[test]
fn entries_that_are_no_hits_are_counted_and_never_delivered() {
    // Each case stores (row - first, rule) pairs, and says how many of them are hits.
    let row = |index: usize| (index * ROW) as i64;
    type Pairs<'a> = &'a [(i64, i64)];
    let cases: [(Pairs<'_>, Pairs<'_>); 12] = [
        (&[(row(1), 0)], &[(row(1), 0)]),
        (&[(row(0), 0)], &[]),
        (&[(row(1), 2)], &[]),
        (&[(row(1), -1)], &[]),
        (&[(row(1) + 8, 0)], &[]),
        (&[(row(1) + 1, 0)], &[]),
        (&[(row(3), 0)], &[]),
        (&[(-8, 0)], &[]),
        (&[(0x7fff_fff8, 0)], &[]),
        (&[(row(1), 1), (row(1), 0)], &[(row(1), 0), (row(1), 1)]),
        (&[(row(1), 1), (row(1), 1)], &[(row(1), 1)]),
        (
            &[(row(2), 0), (row(1), 0), (row(2), 1)],
            &[(row(2), 0), (row(2), 1)],
        ),
    ];
    for (stored, expected) in cases {
        let mut body = String::new();
        for (index, (row, rule)) in stored.iter().enumerate() {
            let at = 1024 + index * 8;
            body += &format!(
                "(i32.store $own offset={at} (i32.const 0)
                   (i32.add (local.get $first) (i32.const {row})))
                 (i32.store $own offset={} (i32.const 0) (i32.const {rule}))",
                at + 4
            );
        }
        body += &format!("(i32.const {})", stored.len());
        let mut court = court(evaluating(&body, ""));
        let filled = fill(&court.window, &[0, 9]);
        let (hits, lost, invalid) = judged(court.judge(1, 0, &filled));
        let expected: Vec<Hit> = expected
            .iter()
            .map(|(row, rule)| Hit {
                row: filled.range().start + *row as u32,
                rule: *rule as u32,
            })
            .collect();
        assert_eq!(hits, expected, "{stored:?}");
        assert_eq!(invalid as usize, stored.len() - expected.len());
        assert_eq!(lost, 0);
    }
}

#[test]
fn hits_beyond_the_room_for_them_are_counted_as_lost() {
    // Of two rules, each would be asked alone.
    let one_rule = || super::RulesetImage {
        enabled: vec![true, false],
        ..image(honest())
    };
    let mut court = Court::new(Limits::default());
    court.install_images(1, vec![one_rule()]);
    let filled = fill(&court.window, &[0; 100]);
    let (hits, lost, invalid) = judged(court.judge(1, 0, &filled));
    assert_eq!(hits.len(), HITS as usize);
    assert_eq!((lost, invalid), (100 - u64::from(HITS), 0));
    let counters = court.judge.counters()[&(1, 0)];
    assert_eq!(counters.hits, 16);
    assert_eq!(counters.hits_lost, 84);
    assert_eq!(counters.rows, 101);
    let mut strict = Court::new(Limits {
        hits_max: 3,
        ..Limits::default()
    });
    strict.install_images(1, vec![one_rule()]);
    let filled = fill(&strict.window, &[0; 100]);
    let (hits, lost, _) = judged(strict.judge(1, 0, &filled));
    assert_eq!((hits.len(), lost), (3, 97));
}

#[test]
fn a_ruleset_that_keeps_failing_is_quarantined_and_its_neighbours_are_not() {
    let mut court = Court::new(Limits::default());
    court.install(1, &[evaluating("unreachable", ""), honest()]);
    let filled = fill(&court.window, &[0]);
    for _ in 0..3 {
        assert_eq!(failed(court.judge(1, 0, &filled)).0, FailureKind::Trap);
    }
    let quarantined = FromJudge::Quarantined {
        epoch: 1,
        ruleset: 0,
    };
    assert_eq!(court.judge.blocking_receive(), Some(quarantined));
    for _ in 0..3 {
        let (kind, ..) = failed(court.judge(1, 0, &filled));
        assert_eq!(kind, FailureKind::Quarantined);
        assert_sane(&mut court, &filled);
    }
    let counters = court.judge.counters()[&(1, 0)];
    assert_eq!(counters.windows, 6);
    assert_eq!(counters.rows_lost, 12);
    assert_eq!(counters.failures.iter().sum::<u64>(), 6);
    // A swap is a new chance.
    court.install(2, &[honest()]);
    assert_eq!(judged(court.judge(2, 0, &filled)).0.len(), 1);
}

#[test]
fn failures_far_apart_do_not_add_up() {
    let limits = Limits {
        strikes: 3,
        strike_windows: 10,
        ..Limits::default()
    };
    let mut court = Court::new(limits);
    // Traps on windows whose first event row is a 4.
    let touchy = format!(
        "(if (i32.eq (i32.load $window offset=72 (local.get $first)) (i32.const 4))
           (then unreachable)) {HONEST}"
    );
    court.install(1, &[evaluating(&touchy, "")]);
    let (bad, good) = (fill(&court.window, &[4]), fill(&court.window, &[0]));
    for _ in 0..4 {
        assert_eq!(failed(court.judge(1, 0, &bad)).0, FailureKind::Trap);
        for _ in 0..5 {
            assert_eq!(judged(court.judge(1, 0, &good)).0.len(), 1);
        }
    }
    for _ in 0..2 {
        failed(court.judge(1, 0, &bad));
    }
    let quarantined = court.judge.blocking_receive();
    assert!(matches!(quarantined, Some(FromJudge::Quarantined { .. })));
}

/// Returns as many hits as windows it has seen, counting them in its own memory.
const COUNTING: &str = "
    (i32.store $own offset=8192 (i32.const 0)
      (i32.add (i32.load $own offset=8192 (i32.const 0)) (i32.const 1)))
    (i32.load $own offset=8192 (i32.const 0))";

#[test]
fn a_module_installed_with_reset_keeps_nothing_from_window_to_window() {
    let mut court = Court::new(Limits::default());
    let kept = image(evaluating(COUNTING, ""));
    let mut reset = kept.clone();
    reset.reset = true;
    court.install_images(1, vec![kept, reset]);
    let filled = fill(&court.window, &[0, 0, 0]);
    // Its hits are none, so the number of invalid ones is the number it returned.
    let count = |court: &mut Court, ruleset| judged(court.judge(1, ruleset, &filled)).2;
    assert_eq!([0; 3].map(|of| count(&mut court, of)), [1, 2, 3]);
    assert_eq!([1; 3].map(|of| count(&mut court, of)), [1, 1, 1]);
}

#[test]
fn ids_sets_flags_and_mode_lie_where_the_manifest_says() {
    let manifest = Manifest {
        literals: vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()],
        sets: vec![vec![0, 2], vec![], vec![1]],
        heap_at: 65_530,
        ..manifest()
    };
    // Answers a number it finds at the place the first row names, in whichever way it says.
    let body = "
        (local.set $len (i32.load $window offset=72 (local.get $first)))
        (i32.store $own offset=1024 (i32.const 0) (i32.add (local.get $first) (i32.const 40)))
        (i32.eq
          (i32.load8_u $own (local.get $len))
          (i32.load $window offset=112 (local.get $first)))";
    let mut court = Court::new(Limits::default());
    let mut ruleset = image(with_manifest(&text(body, ""), &manifest));
    ruleset.enabled = vec![false, true];
    ruleset.matching = 1;
    ruleset.literal_ids = vec![300, 2, 511];
    ruleset.literals = 511;
    let answer = court.install_images(1, vec![ruleset]);
    assert_eq!(answer, FromJudge::Installed { epoch: 1 });
    // Bitmaps of 512 bits begin at the next multiple of 8 and need a second page.
    let (first, second, third) = (65_536, 65_536 + 64, 65_536 + 128);
    let words = [
        (0, 300),
        (4, 2),
        (8, 511),
        (256, first),
        (260, 512),
        (264, second),
        (272, third),
        (512, 0x0100),
        (516, 1),
        (first + 36, 1 << (300 - 288)),
        (first + 60, 1 << 31),
        (first, 0),
        (second, 0),
        (third, 1 << 2),
    ];
    for (at, word) in words {
        for byte in 0..4 {
            let value = (word >> (byte * 8)) & 0xff;
            // The flags are two bytes; what follows them is the mode.
            if at == 512 && byte > 1 {
                continue;
            }
            let filled = fill(&court.window, &[at + byte, value]);
            let (hits, ..) = judged(court.judge(1, 0, &filled));
            assert_eq!(hits.len(), 1, "byte {byte} of {word:#x} at {at}");
        }
    }
}

#[test]
fn an_image_that_does_not_fit_its_module_is_refused() {
    let with_sets = Manifest {
        literals: vec![b"a".to_vec()],
        sets: vec![vec![0]; 20],
        ..manifest()
    };
    let wasm = with_manifest(&text("(i32.const 0)", ""), &with_sets);
    let small = text("(i32.const 0)", "").replacen("1 256)", "1 1)", 1);
    let mut good = image(wasm);
    good.literal_ids = vec![7];
    good.literals = 7;
    let changed = |change: &dyn Fn(&mut super::RulesetImage)| {
        let mut image = good.clone();
        change(&mut image);
        image
    };
    let mut court = Court::new(Limits::default());
    let images = [
        ("rules given", changed(&|i| i.enabled = vec![true])),
        ("literal ids given", changed(&|i| i.literal_ids = vec![])),
        ("no literal of id 0", changed(&|i| i.literal_ids = vec![0])),
        ("no literal of id 8", changed(&|i| i.literal_ids = vec![8])),
        ("no matching mode 2", changed(&|i| i.matching = 2)),
        ("the limit is", changed(&|i| i.literals = u32::MAX)),
        ("are too many", changed(&|i| i.literals = 10_000_000)),
        (
            "sets do not fit",
            changed(&|i| {
                i.wasm = with_manifest(&small, &with_sets);
                i.literals = 100_000;
            }),
        ),
        (
            "incompatible import type",
            changed(&|i| {
                let text = text("(i32.const 0)", "").replacen("$window 1)", "$window 18)", 1);
                i.wasm = with_manifest(&text, &with_sets);
            }),
        ),
        ("at byte 40", changed(&|i| i.wasm.truncate(40))),
        (
            "not WebAssembly",
            changed(&|i| i.wasm = b"rules:\n- rule: x".to_vec()),
        ),
    ];
    for (index, (part, image)) in images.into_iter().enumerate() {
        let answer = court.install_images(index as u32, vec![good.clone(), image]);
        let FromJudge::Refused { ruleset, error, .. } = answer else {
            panic!("{part}: {answer:?}");
        };
        assert_eq!(ruleset, 1);
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(
        court.install_images(1, vec![good]),
        FromJudge::Installed { epoch: 1 }
    );
}

#[test]
fn a_request_for_what_is_not_there_is_answered_so() {
    let mut court = court(honest());
    let filled = fill(&court.window, &[0]);
    let (start, end) = (filled.range().start, filled.range().end);
    let slot = filled.slot();
    let requests = [
        (9, 0, slot, start, end),
        (1, 2, slot, start, end),
        (1, u32::MAX, slot, start, end),
        (1, 0, 4, start, end),
        (1, 0, u32::MAX, start, end),
        (1, 0, slot + 1, start, end),
        (1, 0, slot, end, start),
        (1, 0, slot, start + 4, end),
        (1, 0, slot, start, end + 4),
        (1, 0, slot, 0, end),
        (1, 0, slot, start, u32::MAX),
        (1, 0, slot, start, window_bytes(slot + 1) as u32 + 8),
    ];
    for (epoch, ruleset, slot, first, end) in requests {
        let message = ToJudge::Judge {
            window: 77,
            epoch,
            ruleset,
            slot,
            first,
            end,
            rows: 1,
        };
        court.judge.send(message).unwrap();
        let (kind, ..) = failed(court.judge.blocking_receive().unwrap());
        assert_eq!(kind, FailureKind::Request);
    }
    assert_sane(&mut court, &filled);
}

#[test]
fn windows_sent_before_their_epoch_was_retired_are_judged_and_later_ones_are_not() {
    let mut court = court(honest());
    court.install(2, &[honest()]);
    let filled = fill(&court.window, &[0]);
    for _ in 0..5 {
        court.send(1, 0, &filled);
    }
    court.judge.send(ToJudge::Retire { epoch: 1 }).unwrap();
    court.send(1, 0, &filled);
    court.send(2, 0, &filled);
    for _ in 0..5 {
        judged(court.judge.blocking_receive().unwrap());
    }
    let (kind, ..) = failed(court.judge.blocking_receive().unwrap());
    assert_eq!(kind, FailureKind::Request);
    judged(court.judge.blocking_receive().unwrap());
    court.judge.forget(1);
    assert!(court.judge.counters().keys().all(|(epoch, _)| *epoch == 2));
}

#[test]
fn an_epoch_is_installed_once_until_it_is_retired() {
    let mut court = court(honest());
    let twice = court.install(1, &[honest()]);
    assert!(matches!(twice, FromJudge::Refused { epoch: 1, .. }));
    court.judge.send(ToJudge::Retire { epoch: 1 }).unwrap();
    let again = court.install(1, &[honest()]);
    assert_eq!(again, FromJudge::Installed { epoch: 1 });
}

#[test]
fn a_judge_that_is_told_to_stop_judges_what_it_was_sent_and_ends() {
    let mut court = court(honest());
    let filled = fill(&court.window, &[0]);
    assert_eq!(court.judge.try_receive(), Err(Nothing::Yet));
    for _ in 0..10 {
        court.send(1, 0, &filled);
    }
    court.judge.send(ToJudge::Stop).unwrap();
    for _ in 0..10 {
        judged(court.judge.blocking_receive().unwrap());
    }
    assert_eq!(court.judge.blocking_receive(), None);
    assert_eq!(court.judge.try_receive(), Err(Nothing::Ever));
    let late = court.judge.send(ToJudge::Retire { epoch: 1 });
    assert!(matches!(
        late,
        Err(SendError::Gone(ToJudge::Retire { epoch: 1 }))
    ));
}

#[test]
fn dropping_the_judge_in_mid_window_does_not_wait_for_a_module_that_never_returns() {
    let limits = Limits {
        budget: Budget::Time {
            cpu: Duration::from_secs(3600),
            wall: Duration::from_secs(3600),
        },
        queue: 4,
        ..Limits::default()
    };
    let mut court = Court::new(limits);
    court.install(1, &[evaluating("(loop $l (br $l)) unreachable", "")]);
    let filled = fill(&court.window, &[0]);
    for _ in 0..4 {
        court.send(1, 0, &filled);
    }
    std::thread::sleep(Duration::from_millis(20));
    let begun = Instant::now();
    drop(court);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn dropping_the_judge_ends_every_thread_whatever_they_wait_for() {
    for round in 0..200 {
        let limits = Limits {
            threads: 1 + round % 4,
            queue: 1 + round % 3,
            ..Limits::default()
        };
        let mut court = Court::new(limits);
        if round % 2 == 0 {
            court.install(1, &[honest()]);
        }
        let filled = fill(&court.window, &[0]);
        for window in 0..round % 7 {
            let message = ToJudge::Judge {
                window: window as u64,
                epoch: 1,
                ruleset: 0,
                slot: filled.slot(),
                first: filled.range().start,
                end: filled.range().end,
                rows: 2,
            };
            // Some find the queue full: that is what is tried here.
            let _ = court.judge.send(message);
        }
        drop(court);
    }
}

#[test]
fn a_full_queue_gives_the_message_back_and_nothing_is_lost() {
    let limits = Limits {
        queue: 2,
        ..Limits::default()
    };
    let mut court = Court::new(limits);
    court.install(1, &[honest()]);
    let filled = fill(&court.window, &[0]);
    let mut sent = 0_u64;
    let mut returned = None;
    while returned.is_none() {
        let message = ToJudge::Judge {
            window: sent,
            epoch: 1,
            ruleset: 0,
            slot: filled.slot(),
            first: filled.range().start,
            end: filled.range().end,
            rows: 2,
        };
        match court.judge.send(message) {
            Ok(()) => sent += 1,
            Err(SendError::Full(message)) => returned = Some(message),
            Err(SendError::Gone(_)) => panic!("it is there"),
        }
        assert!(sent < 1000, "the queue has no end");
    }
    assert!(matches!(returned, Some(ToJudge::Judge { window, .. }) if window == sent));
    for expected in 0..sent {
        let answer = court.judge.blocking_receive().unwrap();
        assert!(matches!(answer, FromJudge::Judged { window, .. } if window == expected));
    }
}

#[test]
fn answers_can_be_awaited_on_a_single_threaded_runtime() {
    let mut court = court(honest());
    let filled = fill(&court.window, &[0]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for _ in 0..3 {
        court.send(1, 0, &filled);
    }
    runtime.block_on(async {
        for _ in 0..3 {
            judged(court.judge.receive().await.unwrap());
        }
    });
}

#[test]
fn with_fuel_for_a_budget_the_verdict_does_not_depend_on_the_clock() {
    // So many rounds take about four units of fuel each.
    let rounds = |count: u32| {
        let body = format!(
            "(loop $l
               (local.set $n (i32.add (local.get $n) (i32.const 1)))
               (br_if $l (i32.lt_u (local.get $n) (i32.const {count}))))
             (i32.const 0)"
        );
        evaluating(&body, "")
    };
    let outcomes: Vec<Vec<bool>> = (0..3)
        .map(|_| {
            let limits = Limits {
                budget: Budget::Fuel(1_000_000),
                strikes: 0,
                ..Limits::default()
            };
            let mut court = Court::new(limits);
            let counts: Vec<u32> = (0..20).map(|step| 100_000 + step * 10_000).collect();
            let modules: Vec<Vec<u8>> = counts.iter().map(|count| rounds(*count)).collect();
            court.install(1, &modules);
            let filled = fill(&court.window, &[0]);
            (0..20)
                .map(|ruleset| match court.judge(1, ruleset, &filled) {
                    FromJudge::Judged { .. } => true,
                    FromJudge::Failed {
                        kind: FailureKind::Deadline,
                        ..
                    } => false,
                    other => panic!("{other:?}"),
                })
                .collect()
        })
        .collect();
    assert!(outcomes[0].contains(&true) && outcomes[0].contains(&false));
    assert_eq!(outcomes[0], outcomes[1]);
    assert_eq!(outcomes[0], outcomes[2]);
}

#[test]
fn something_that_is_no_window_starts_no_judge() {
    let file = tempfile::tempfile().unwrap();
    let spawned = Judge::spawn(std::os::fd::AsFd::as_fd(&file), Limits::default());
    assert!(spawned.is_err());
}

#[test]
fn many_threads_judge_many_windows_alike() {
    let limits = Limits {
        threads: 4,
        ..Limits::default()
    };
    let mut court = Court::new(limits);
    court.install(1, &[honest(), evaluating("unreachable", "")]);
    let (one, two) = (fill(&court.window, &[0]), fill(&court.window, &[1, 0]));
    for _ in 0..50 {
        court.send(1, 0, &one);
        court.send(1, 0, &two);
        court.send(1, 1, &one);
        for _ in 0..3 {
            match court.judge.blocking_receive().unwrap() {
                FromJudge::Judged { slot, hits, .. } => {
                    let filled = if slot == one.slot() { &one } else { &two };
                    assert_eq!(hits.len(), filled.rows().len() / ROW - 1);
                }
                FromJudge::Failed { ruleset, .. } => assert_eq!(ruleset, 1),
                FromJudge::Quarantined { .. } => {
                    court.judge.blocking_receive().unwrap();
                }
                FromJudge::Installed { .. } | FromJudge::Refused { .. } => unreachable!(),
            }
        }
    }
}
