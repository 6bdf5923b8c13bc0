use crate::court::{Home, hostile, refusal, tried};

#[test]
fn cut_off_anywhere() {
    let wasm = hostile().component();
    for length in (0..wasm.len()).step_by(7) {
        refusal(&wasm[..length], &[]);
    }
}

#[test]
fn with_a_bit_turned_anywhere() {
    let wasm = hostile().component();
    let (mut refused, mut loaded) = (0, Vec::new());
    for at in (8..wasm.len()).step_by(11) {
        let mut damaged = wasm.clone();
        damaged[at] ^= 1 << (at % 8);
        match Home::Threads.load(damaged.clone()) {
            Err(_) => refused += 1,
            Ok(_) => loaded.push(damaged),
        }
    }
    assert!(refused > 20, "{refused}");
    // Those that say what they are may be let loose, a few for the time it takes.
    for damaged in loaded.into_iter().take(8) {
        if let Err(why) = tried(&damaged, &[]) {
            assert!(!why.is_empty());
        }
    }
}
