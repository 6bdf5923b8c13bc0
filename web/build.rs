//! Files that come into the built page, or go, are looked for again.

fn main() {
    println!("cargo::rerun-if-changed=page/dist");
}
