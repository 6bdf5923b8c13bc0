use crate::court::{hostile, is_stopped};
use crate::specimen::{ALERT, Specimen};

fn message(at: u32, bytes: u32) -> String {
    format!(
        "{ALERT} (drop) (i32.store (i32.const 140) (i32.const 1))
         (i32.store (i32.const 144) (i32.const {at}))
         (i32.store (i32.const 148) (i32.const {bytes})) (i32.const 32)"
    )
}

#[test]
fn whether_there_is_memory_behind_it_or_not() {
    let within = message(65_536, 50_000_000);
    let beyond = message(65_536, 100_000_000);
    for on_batch in [&within, &beyond] {
        let specimen = Specimen {
            on_batch,
            pages: 900,
            ..hostile()
        };
        is_stopped(&specimen, "answer");
    }
}
