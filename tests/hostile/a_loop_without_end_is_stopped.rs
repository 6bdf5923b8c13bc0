use crate::court::{does_not_start, hostile, is_stopped, refusal};
use crate::specimen::Specimen;

const ENDLESS: &str = "(loop (br 0)) (unreachable)";

#[test]
fn in_a_batch() {
    let specimen = Specimen {
        on_batch: ENDLESS,
        ..hostile()
    };
    is_stopped(&specimen, "longer than it may");
}

#[test]
fn in_init() {
    let specimen = Specimen {
        init: ENDLESS,
        ..hostile()
    };
    does_not_start(&specimen, "longer than it may");
}

#[test]
fn in_the_start_function_and_where_it_is_asked_what_it_is() {
    let start = Specimen {
        more: "(func $start (loop (br 0))) (start $start)",
        ..hostile()
    };
    let describe = Specimen {
        describe: Some(ENDLESS),
        ..hostile()
    };
    for specimen in [start, describe] {
        let why = refusal(&specimen.component(), &[]);
        assert!(why.contains("longer than it may"), "{why}");
    }
}
