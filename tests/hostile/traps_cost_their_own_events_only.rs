use crate::court::{hostile, is_stopped, judge};
use crate::specimen::{ALERT, Specimen};

#[test]
fn at_every_event() {
    let specimen = Specimen {
        on_batch: "unreachable",
        ..hostile()
    };
    is_stopped(&specimen, "trap");
}

#[test]
fn at_every_tenth() {
    let on_batch = format!(
        "(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
         (if (i32.eq (i32.load (i32.const 0)) (i32.const 10)) (then unreachable)) {ALERT}"
    );
    let specimen = Specimen {
        on_batch: &on_batch,
        ..hostile()
    };
    let sentence = judge(&specimen);
    // What it said before is said; each time it began anew.
    assert_eq!(sentence.lines.len(), 27);
    assert_eq!(sentence.reasons.len(), 3);
    assert!(sentence.is_aside);
}

#[test]
fn when_it_is_told_the_time() {
    let specimen = Specimen {
        on_tick: "unreachable",
        ..hostile()
    };
    judge(&specimen);
}
