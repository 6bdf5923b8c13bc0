use crate::court::{hostile, is_stopped};
use crate::specimen::Specimen;

#[test]
fn they_lie_side_by_side_in_a_memory_large_enough() {
    // Zeroes are alerts of rule 0 about no row, 40 bytes each.
    let specimen = Specimen {
        on_batch: "(i32.store (i32.const 32) (i32.const 65536))
                   (i32.store (i32.const 36) (i32.const 1000000)) (i32.const 32)",
        pages: 700,
        ..hostile()
    };
    is_stopped(&specimen, "answer");
}
