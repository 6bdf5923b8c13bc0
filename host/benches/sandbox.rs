//! What it costs to hand a window over to the judge: messages, threads, and the call itself; by
//! threads of our own, and beside that by a process.
//! `walk` beside `empty` is what a module pays for finding the rows. Elements are rows, so the
//! time per element is the cost per row. `component` is the same for a component, in a batch as
//! it comes from the kernel and row by row as in a replay.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use saker::componentise::componentise;
use saker::sandbox::component::{Code, ComponentLimits, Keep, Means, Resident, Start, Workshop};
use saker::sandbox::{FromJudge, Judge, JudgeProcess, Limits, RulesetImage, ToJudge};
use saker_rules_schema::abi;
use saker_rules_schema::manifest::Manifest;
use saker_shm::window::{Filled, Window};
use std::sync::Arc;
use std::time::Duration;

const ROWS: u32 = 1000;
/// A row of eight slots.
const ROW_BYTES: usize = 104;

const WALK: &str = "
  (block $done
    (loop $next
      (br_if $done (i32.ge_u (local.get 0) (local.get 1)))
      (local.set 0 (i32.add (local.get 0) (i32.load $window (local.get 0))))
      (br $next)))
  (i32.const 0)";

fn module(body: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
             (import "saker" "window" (memory $window 1))
             (memory (export "memory") 1 16)
             (func (export "evaluate") (param i32 i32) (result i32) {body}))"#
    );
    let manifest = Manifest {
        hits_at: 1024,
        hits_max: 1024,
        heap_at: 16_384,
        ..Manifest::default()
    };
    let mut wasm = wat::parse_str(text).expect("the text is a module");
    let mut section = vec![abi::MANIFEST_SECTION.len() as u8];
    section.extend_from_slice(abi::MANIFEST_SECTION.as_bytes());
    section.extend(manifest.encode());
    wasm.extend([0, section.len() as u8]);
    wasm.extend(section);
    wasm
}

fn fill(window: &Window) -> Filled {
    let mut slot = window.claim().expect("a free slot");
    for _ in 0..ROWS {
        slot.rest()[..4].copy_from_slice(&(ROW_BYTES as u32).to_le_bytes());
        slot.commit(ROW_BYTES);
    }
    slot.close()
}

fn hand_over(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hand_over");
    group.throughput(Throughput::Elements(ROWS.into()));
    let bodies = [("empty", "(i32.const 0)"), ("walk", WALK)];
    let homes = ["threads", "process"];
    let cases = bodies
        .iter()
        .flat_map(|body| homes.map(|home| (home, *body)));
    for (home, (body_name, body)) in cases {
        let name = format!("{body_name}/{home}");
        let window = Window::create(4).expect("a window");
        let limits = Limits::default();
        let judge = match home {
            "threads" => Judge::spawn(window.fd(), limits),
            _ => {
                let program = JudgeProcess::by(env!("CARGO_BIN_EXE_saker"));
                Judge::spawn_apart(window.fd(), limits, Arc::default(), program)
            }
        };
        let mut judge = judge.expect("a judge");
        let rulesets = vec![RulesetImage {
            wasm: module(body),
            ..RulesetImage::default()
        }];
        judge
            .send(ToJudge::Install { epoch: 1, rulesets })
            .expect("room in the queue");
        let installed = judge.blocking_receive();
        assert_eq!(installed, Some(FromJudge::Installed { epoch: 1 }));
        let filled = fill(&window);
        let send = |judge: &mut Judge| {
            let message = ToJudge::Judge {
                window: 1,
                epoch: 1,
                ruleset: 0,
                slot: filled.slot(),
                first: filled.range().start,
                end: filled.range().end,
                rows: ROWS,
            };
            judge.send(message).expect("room in the queue");
        };
        let receive = |judge: &mut Judge| {
            let answer = judge.blocking_receive();
            assert!(matches!(answer, Some(FromJudge::Judged { .. })));
        };
        // There and back, one window at a time: both threads go to sleep in between.
        group.bench_function(format!("{name}/one at a time"), |bencher| {
            bencher.iter(|| {
                send(&mut judge);
                receive(&mut judge);
            });
        });
        // As live: the next window is under way while one is judged.
        group.bench_function(format!("{name}/three in flight"), |bencher| {
            for _ in 0..2 {
                send(&mut judge);
            }
            bencher.iter(|| {
                send(&mut judge);
                receive(&mut judge);
            });
            for _ in 0..2 {
                receive(&mut judge);
            }
        });
        let counters = judge.counters()[&(1, 0)];
        println!(
            "{name}: {:.2} ns of the judge's CPU time a row",
            counters.cpu_ns as f64 / counters.rows as f64
        );
    }
    group.finish();
}

/// A component that walks its rows and has nothing to say; what it says of itself is empty.
const COMPONENT: &str = r#"(module
    (memory (export "memory") 16)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
    (func (export "saker:rules/module@0.1.0#describe") (result i32) (i32.const 128))
    (func (export "saker:rules/module@0.1.0#init") (param i32 i32 i32 i32) (result i32)
        (i32.const 128))
    (func (export "saker:rules/module@0.1.0#on-tick") (param i64) (result i32) (i32.const 128))
    (func (export "saker:rules/module@0.1.0#on-batch") (param i32 i32) (result i32)
        (local.set 1 (i32.add (local.get 0) (local.get 1)))
        (block $done
            (loop $next
                (br_if $done (i32.ge_u (local.get 0) (local.get 1)))
                (local.set 0 (i32.add (local.get 0) (i32.load (local.get 0))))
                (br $next)))
        (i32.const 128)))"#;

fn component(criterion: &mut Criterion) {
    let core = wat::parse_str(COMPONENT).expect("the text is a module");
    let wasm = componentise(&core).expect("it follows the world");
    let rows = |count: usize| {
        let mut bytes = vec![0; count * ROW_BYTES];
        for row in bytes.chunks_exact_mut(ROW_BYTES) {
            row[..4].copy_from_slice(&(ROW_BYTES as u32).to_le_bytes());
        }
        Arc::new(bytes)
    };
    let mut group = criterion.benchmark_group("component");
    let live = ComponentLimits::live(Duration::from_millis(50));
    for (name, limits, count) in [
        ("batch", live, ROWS as usize),
        ("row", live, 1),
        ("row in a replay", ComponentLimits::replay(2_000_000_000), 1),
    ] {
        let workshop = Workshop::new(limits).expect("an engine");
        let (code, _) = Code::load(&workshop, wasm.clone()).expect("it loads");
        let start = Start {
            name: "bench".into(),
            granted: Vec::new(),
            keep: Keep::default(),
            config: Vec::new(),
            columns: Vec::new(),
            means: Means::default(),
        };
        let resident = Resident::start(Arc::new(code), start, Arc::default());
        let mut resident = resident.unwrap_or_else(|failure| panic!("{failure}"));
        let rows = rows(count);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(name, |bencher| bencher.iter(|| resident.batch(&rows, 0)));
    }
    group.finish();
}

criterion_group!(benches, hand_over, component);
criterion_main!(benches);
