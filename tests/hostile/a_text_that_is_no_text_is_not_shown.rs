use crate::court::{hostile, is_stopped, judge};
use crate::specimen::{ALERT, Specimen};

fn message(bytes: &str) -> String {
    format!(
        "{ALERT} (drop) (i32.store (i32.const 140) (i32.const 1))
         (i32.store (i32.const 144) (i32.const 16)) (i32.store (i32.const 148) (i32.const 4))
         (i32.store (i32.const 16) (i32.const {bytes})) (i32.const 32)"
    )
}

#[test]
fn it_is_no_utf_8() {
    for bytes in ["0xffffffff", "0x80808080", "0x61eda080", "0xc0c0c0c0"] {
        let on_batch = message(bytes);
        let specimen = Specimen {
            on_batch: &on_batch,
            ..hostile()
        };
        is_stopped(&specimen, "answer");
    }
}

/// A text that a terminal would obey is one, and reaches none as it is.
#[test]
fn it_is_an_escape_sequence() {
    // ESC c NUL LF
    let on_batch = message("0x0a00631b");
    let specimen = Specimen {
        on_batch: &on_batch,
        ..hostile()
    };
    let sentence = judge(&specimen);
    assert!(!sentence.lines.is_empty());
    let controls = |line: &String| line.chars().any(char::is_control);
    assert!(!sentence.lines.iter().any(controls));
}
