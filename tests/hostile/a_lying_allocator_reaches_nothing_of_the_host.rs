use crate::court::{does_not_start, hostile, is_stopped, judge};
use crate::specimen::Specimen;

#[test]
fn places_outside_of_its_memory() {
    for place in [
        "(i32.const -16)",
        "(i32.const 0x7ffffff0)",
        "(i32.const 524280)",
    ] {
        let specimen = Specimen {
            realloc: place,
            ..hostile()
        };
        // The rows do not fit there; nor does the layout that `init` gets.
        does_not_start(&specimen, "beyond end of memory");
    }
}

#[test]
fn a_trap_and_a_loop_in_it() {
    // `init` is asked once, so it may have its memory; batches come later.
    let once = |then: &str| {
        format!(
            "(if (result i32) (i32.lt_u (i32.load (i32.const 0)) (i32.const 8))
               (then (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
                     (i32.const 65536))
               (else {then}))"
        )
    };
    let trap = once("unreachable");
    let endless = once("(loop (br 0)) unreachable");
    for (realloc, why) in [(&trap, "unreachable"), (&endless, "longer than it may")] {
        let specimen = Specimen {
            realloc,
            ..hostile()
        };
        is_stopped(&specimen, why);
    }
}

/// Over what it keeps itself: it deceives nobody else.
#[test]
fn a_place_that_is_taken() {
    let specimen = Specimen {
        realloc: "(i32.const 4096)",
        ..hostile()
    };
    judge(&specimen);
}
