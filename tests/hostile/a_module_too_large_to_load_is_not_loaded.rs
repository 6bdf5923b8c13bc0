use crate::court::{Home, hostile, refusal};
use saker::modules::Module;
use saker::sandbox::MODULE_BYTES_MAX;
use std::time::{Duration, Instant};

/// A custom section of so many bytes, behind what there is.
fn padded(mut wasm: Vec<u8>, bytes: usize) -> Vec<u8> {
    let mut rest = bytes + 2;
    wasm.push(0);
    while rest > 127 {
        wasm.push(rest as u8 | 128);
        rest >>= 7;
    }
    wasm.push(rest as u8);
    wasm.extend([1, b'x']);
    wasm.resize(wasm.len() + bytes, 0);
    wasm
}

#[test]
fn a_component_of_64_mib() {
    let wasm = padded(hostile().component(), 64 << 20);
    let began = Instant::now();
    let why = refusal(&wasm, &[]);
    assert!(why.contains("bytes, the limit is"), "{why}");
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    for home in Home::ALL {
        assert!(home.load(padded(hostile().component(), 1 << 20)).is_ok());
    }
}

#[test]
fn a_ruleset_of_64_mib() {
    let wasm = padded(b"\0asm\x01\0\0\0".to_vec(), 64 << 20);
    assert!(wasm.len() > MODULE_BYTES_MAX);
    let why = Module::foreign("hostile", wasm).err().expect("too large");
    assert!(why.to_string().contains("bytes"), "{why}");
}
