use crate::court::{Court, hostile, judge, load};

#[test]
fn cut_off_anywhere() {
    let wasm = hostile().component();
    for length in (0..wasm.len()).step_by(7) {
        assert!(load(wasm[..length].to_vec()).is_err(), "{length} bytes");
    }
}

#[test]
fn with_a_bit_turned_anywhere() {
    let wasm = hostile().component();
    let (mut refused, mut loaded) = (0, Vec::new());
    for at in (8..wasm.len()).step_by(11) {
        let mut damaged = wasm.clone();
        damaged[at] ^= 1 << (at % 8);
        match load(damaged) {
            Err(_) => refused += 1,
            Ok(module) => loaded.push(module),
        }
    }
    assert!(refused > 20, "{refused}");
    // Those that say what they are may be let loose, a few for the time it takes.
    for module in loaded.into_iter().take(8) {
        let mut court = Court::new(Vec::new());
        match court.swap(vec![module.clone()]) {
            Ok(()) => drop(judge(module)),
            Err(why) => assert!(!why.is_empty()),
        }
    }
}
