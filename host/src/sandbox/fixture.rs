//! Modules, windows and a judge for the tests of this folder.

use super::{FromJudge, Judge, Limits, RulesetImage, ToJudge};
use saker_rules_schema::abi;
use saker_rules_schema::manifest::{Manifest, Priority, Rule};
use saker_rules_schema::row::PROCESS_ROW;
use saker_shm::window::{Filled, Window};

/// Bytes of a row in these tests.
pub(crate) const ROW: usize = 40;
/// Hits the modules of these tests have room for.
pub(crate) const HITS: u32 = 16;

pub(crate) fn rule(name: &str) -> Rule {
    Rule {
        name: name.into(),
        description: String::new(),
        priority: Priority::Notice,
        output: Vec::new(),
        tags: Vec::new(),
        source: "syscall".into(),
        enabled: true,
        capture: false,
        capture_duration_ms: 0,
    }
}

/// A manifest of two rules, whose addresses leave room for some literals and sets.
pub(crate) fn manifest() -> Manifest {
    Manifest {
        rules: vec![rule("first"), rule("second")],
        hits_at: 1024,
        hits_max: HITS,
        literal_ids_at: 0,
        sets_at: 256,
        enabled_at: 512,
        matching_at: 516,
        heap_at: 4096,
        ..Manifest::default()
    }
}

fn leb(mut number: usize, out: &mut Vec<u8>) {
    while number > 127 {
        out.push(number as u8 | 128);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a custom section.
pub(crate) fn with_section(mut wasm: Vec<u8>, name: &str, data: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    leb(name.len(), &mut content);
    content.extend_from_slice(name.as_bytes());
    content.extend_from_slice(data);
    wasm.push(0);
    leb(content.len(), &mut wasm);
    wasm.extend(content);
    wasm
}

/// A module with that text and a manifest.
pub(crate) fn with_manifest(text: &str, manifest: &Manifest) -> Vec<u8> {
    let wasm = wat::parse_str(text).expect("the test's text is a module");
    with_section(wasm, abi::MANIFEST_SECTION, &manifest.encode())
}

/// A module whose `evaluate` has that body: `$first` and `$end` are its parameters, `$window`
/// and `$own` the memories, `$n` and `$len` locals. Further fields may follow.
pub(crate) fn evaluating(body: &str, fields: &str) -> Vec<u8> {
    with_manifest(&text(body, fields), &manifest())
}

/// Its text.
pub(crate) fn text(body: &str, fields: &str) -> String {
    format!(
        r#"(module
             (import "saker" "window" (memory $window 1))
             (memory $own (export "memory") 1 256)
             (func $evaluate (export "evaluate")
               (param $first i32) (param $end i32) (result i32) (local $n i32) (local $len i32)
               {body})
             {fields})"#
    )
}

/// Walks the rows; of every event row whose number at 32 is a rule's, stores a hit.
pub(crate) const HONEST: &str = r#"
  (block $done
    (loop $next
      (br_if $done (i32.ge_u (local.get $first) (local.get $end)))
      (if (i32.and
            (i32.ne (i32.load16_u $window offset=4 (local.get $first)) (i32.const 65535))
            (i32.lt_u (i32.load $window offset=32 (local.get $first)) (i32.const 2)))
        (then
          (if (i32.lt_u (local.get $n) (i32.const 16))
            (then
              (i32.store $own offset=1024
                (i32.shl (local.get $n) (i32.const 3)) (local.get $first))
              (i32.store $own offset=1028
                (i32.shl (local.get $n) (i32.const 3))
                (i32.load $window offset=32 (local.get $first)))))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))))
      (local.set $len (i32.load $window (local.get $first)))
      (br_if $done (i32.eqz (local.get $len)))
      (local.set $first (i32.add (local.get $first) (local.get $len)))
      (br $next)))
  (local.get $n)"#;

pub(crate) fn honest() -> Vec<u8> {
    evaluating(HONEST, "")
}

/// What to install of a module of [`manifest`].
pub(crate) fn image(wasm: Vec<u8>) -> RulesetImage {
    RulesetImage {
        wasm,
        enabled: vec![true, true],
        ..RulesetImage::default()
    }
}

/// A slot with one process row and then an event row per number, which lies at 32.
pub(crate) fn fill(window: &Window, numbers: &[u32]) -> Filled {
    let mut slot = window.claim().expect("a free slot");
    let rows = std::iter::once((PROCESS_ROW, 0)).chain(numbers.iter().map(|n| (7, *n)));
    for (code, number) in rows {
        let row = &mut slot.rest()[..ROW];
        row[..4].copy_from_slice(&(ROW as u32).to_le_bytes());
        row[4..6].copy_from_slice(&code.to_le_bytes());
        row[32..36].copy_from_slice(&number.to_le_bytes());
        slot.commit(ROW);
    }
    slot.close()
}

/// The offset of the event row of that index.
pub(crate) fn row(window: &Filled, index: usize) -> u32 {
    window.range().start + ((index + 1) * ROW) as u32
}

/// A judge with its window.
pub(crate) struct Court {
    pub(crate) window: Window,
    pub(crate) judge: Judge,
    sent: u64,
}

impl Court {
    pub(crate) fn new(limits: Limits) -> Court {
        let window = Window::create(4).unwrap();
        let judge = Judge::spawn(window.fd(), limits).unwrap();
        Court {
            window,
            judge,
            sent: 0,
        }
    }

    /// Installs modules of [`manifest`] as an epoch.
    pub(crate) fn install(&mut self, epoch: u32, modules: &[Vec<u8>]) -> FromJudge {
        let rulesets = modules.iter().cloned().map(image).collect();
        self.install_images(epoch, rulesets)
    }

    pub(crate) fn install_images(&mut self, epoch: u32, rulesets: Vec<RulesetImage>) -> FromJudge {
        let install = ToJudge::Install { epoch, rulesets };
        self.judge.send(install).unwrap();
        self.judge.blocking_receive().unwrap()
    }

    pub(crate) fn send(&mut self, epoch: u32, ruleset: u32, filled: &Filled) -> u64 {
        self.sent += 1;
        let message = ToJudge::Judge {
            window: self.sent,
            epoch,
            ruleset,
            slot: filled.slot(),
            first: filled.range().start,
            end: filled.range().end,
            rows: (filled.rows().len() / ROW) as u32,
        };
        self.judge.send(message).unwrap();
        self.sent
    }

    pub(crate) fn judge(&mut self, epoch: u32, ruleset: u32, filled: &Filled) -> FromJudge {
        self.send(epoch, ruleset, filled);
        self.judge.blocking_receive().unwrap()
    }
}
