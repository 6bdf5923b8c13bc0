use crate::court::{Home, hostile};
use crate::specimen::Specimen;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// A minute is what a component may take, with room for a busy machine.
const LONG: Duration = Duration::from_secs(60);

fn ends(more: &str, why: Option<&str>) {
    let specimen = Specimen { more, ..hostile() };
    let wasm = specimen.component();
    for home in Home::ALL {
        let began = Instant::now();
        match (home.tried(&wasm, &[]), why) {
            // It is none the worse for it.
            (Ok(_), None) => {}
            (Err(refused), _) => {
                let why = why.unwrap_or("it takes longer");
                assert!(refused.contains(why), "{refused}");
            }
            (Ok(_), Some(why)) => panic!("loaded, in spite of {why}"),
        }
        assert!(began.elapsed() < LONG, "{home:?}: {:?}", began.elapsed());
    }
}

#[test]
fn a_hundred_thousand_functions() {
    let mut more = String::new();
    for number in 0..100_000 {
        let _ = write!(more, "(func (param i32) (result i32) (i32.const {number}))");
    }
    ends(&more, None);
}

#[test]
fn more_functions_than_there_may_be() {
    ends(&"(func)".repeat(200_001), Some("functions, the limit is"));
}

/// With locals times branches the time to compile grows.
#[test]
fn a_function_of_many_locals_and_branches() {
    let locals = "i32 ".repeat(40_000);
    let branches = "(if (local.get 0) (then (local.set 1 (local.get 2))))".repeat(2_000);
    let more = format!("(func (param i32) (local {locals}) {branches})");
    ends(&more, Some("locals times branches"));
}
