use crate::court::{hostile, is_stopped, refusal, tried};
use crate::specimen::{ALERT, Specimen};

const CLOCK: &str = r#"(import "saker:rules/clock@0.1.0" "now" (func $now (result i64)))"#;

#[test]
fn a_capability_that_it_does_not_say_it_wants_or_is_not_granted() {
    let on_batch = format!("(drop (call $now)) {ALERT}");
    let silent = Specimen {
        imports: CLOCK,
        on_batch: &on_batch,
        ..hostile()
    };
    let why = refusal(&silent.component(), &[]);
    assert!(why.contains("does not say that it wants it"), "{why}");
    let open = Specimen {
        capabilities: &[0],
        ..silent
    };
    let why = refusal(&open.component(), &[]);
    assert!(why.contains("not granted"), "{why}");
    let sentence = tried(&open.component(), &["clock"]).expect("it is granted");
    assert!(!sentence.lines.is_empty());
}

#[test]
fn what_no_component_has() {
    for import in ["wasi:filesystem/preopens@0.2.0", "saker:rules/shell@0.1.0"] {
        let wat = format!(r#"(component (import "{import}" (instance (export "x" (func)))))"#);
        let wasm = wat::parse_str(wat).expect("a component");
        refusal(&wasm, &[]);
    }
}

/// A flood of what is free ends at the budget.
#[test]
fn a_flood_of_messages() {
    let specimen = Specimen {
        imports: r#"(import "saker:rules/log@0.1.0" "write" (func $write (param i32 i32 i32)))"#,
        on_batch: "(loop (call $write (i32.const 3) (i32.const 0) (i32.const 65536)) (br 0))
                   unreachable",
        ..hostile()
    };
    is_stopped(&specimen, "");
}
