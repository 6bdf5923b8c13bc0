use crate::court::{does_not_start, hostile, is_stopped, judge};
use crate::specimen::{ALERT, Specimen};

const GREEDY: &str =
    "(loop (br_if 0 (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable";

#[test]
fn who_wants_more_and_fails_for_it_is_stopped() {
    let on_batch = Specimen {
        on_batch: GREEDY,
        ..hostile()
    };
    is_stopped(&on_batch, "memory");
    let init = Specimen {
        init: GREEDY,
        ..hostile()
    };
    does_not_start(&init, "memory");
}

#[test]
fn who_makes_do_with_what_there_is_goes_on() {
    let on_batch = format!("(drop (memory.grow (i32.const 65000))) {ALERT}");
    let content = Specimen {
        on_batch: &on_batch,
        ..hostile()
    };
    let sentence = judge(&content);
    assert!(sentence.reasons.is_empty(), "{:?}", sentence.reasons);
    assert!(!sentence.lines.is_empty());
}
