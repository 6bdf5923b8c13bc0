use crate::court::{does_not_start, hostile, is_stopped};
use crate::specimen::Specimen;

const DEEP: &str = "(func $deep (param i32) (result i32)
    (i32.add (call $deep (local.get 0)) (i32.const 1)))";

#[test]
fn in_a_batch_and_in_init() {
    let on_batch = Specimen {
        on_batch: "(call $deep (i32.const 0))",
        more: DEEP,
        ..hostile()
    };
    is_stopped(&on_batch, "stack");
    let init = Specimen {
        init: "(call $deep (i32.const 0))",
        more: DEEP,
        ..hostile()
    };
    does_not_start(&init, "stack");
}
