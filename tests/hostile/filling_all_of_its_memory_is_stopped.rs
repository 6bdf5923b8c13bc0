use crate::court::{hostile, is_stopped, judge};
use crate::specimen::{ALERT, Specimen};

#[test]
fn over_and_over() {
    for bulk in [
        "(memory.fill (i32.const 65536) (i32.const 1) (i32.const 400000))",
        "(memory.copy (i32.const 65536) (i32.const 70000) (i32.const 400000))",
    ] {
        let on_batch = format!("(loop {bulk} (br 0)) unreachable");
        let specimen = Specimen {
            on_batch: &on_batch,
            ..hostile()
        };
        is_stopped(&specimen, "longer than it may");
    }
}

#[test]
fn beyond_its_end() {
    let specimen = Specimen {
        on_batch: "(memory.fill (i32.const 0) (i32.const 1) (i32.const -1)) (i32.const 32)",
        ..hostile()
    };
    is_stopped(&specimen, "out of bounds");
}

/// The rows are its own copy.
#[test]
fn over_the_rows_that_it_was_given() {
    let on_batch =
        format!("(memory.fill (local.get $rows) (i32.const 255) (local.get $bytes)) {ALERT}");
    let specimen = Specimen {
        on_batch: &on_batch,
        ..hostile()
    };
    let sentence = judge(&specimen);
    assert!(sentence.reasons.is_empty(), "{:?}", sentence.reasons);
    // What its alerts show is what the host knows of the row.
    assert!(sentence.lines.iter().all(|line| line.contains("hostile ")));
    assert!(!sentence.lines.iter().any(|line| line.contains('\u{fffd}')));
}
