use crate::court::{hostile, is_stopped, judge};
use crate::specimen::{ALERT, Specimen};

/// An honest alert, but for four bytes of it.
fn with(at: u32, value: i64) -> String {
    let last = "(i32.const 32)";
    let honest = ALERT.trim_end().strip_suffix(last).expect("it ends so");
    format!("{honest} (i32.store (i32.const {at}) (i32.const {value})) {last}")
}

#[test]
fn rows_and_rules_that_there_are_not() {
    for (at, value) in [(132, 1_000_000), (132, -1), (136, 1), (136, -1)] {
        let on_batch = with(at, value);
        let specimen = Specimen {
            on_batch: &on_batch,
            ..hostile()
        };
        let sentence = judge(&specimen);
        assert!(sentence.lines.is_empty(), "{:?}", sentence.lines);
        assert!(sentence.counters.hits_lost > 0, "{at}: {value}");
    }
}

#[test]
fn lists_that_lie_outside_of_its_memory() {
    for (at, value) in [(32, -8), (32, 0x7fff_fff8), (36, -1), (36, 100_000)] {
        let on_batch = with(at, value);
        let specimen = Specimen {
            on_batch: &on_batch,
            ..hostile()
        };
        is_stopped(&specimen, "answer");
    }
    let unaligned = Specimen {
        on_batch: "(i32.const 33)",
        ..hostile()
    };
    is_stopped(&unaligned, "answer");
}
