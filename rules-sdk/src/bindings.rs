//! What wit-bindgen makes of `wit/rules.wit`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::undocumented_unsafe_blocks
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "rules",
    pub_export_macro: true,
    export_macro_name: "export_bindings",
    default_bindings_module: "saker_rules_sdk::bindings",
});
