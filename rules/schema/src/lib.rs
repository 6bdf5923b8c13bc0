//! The contract between host and rule modules: which fields and event types there are, how a
//! row and a window are laid out, what a compiled ruleset says of itself and exports.
//! Compiler, host and SDKs derive everything from here; nothing here depends on them.

#![no_std]
extern crate alloc;

pub mod abi;
pub mod event;
pub mod field;
pub mod manifest;
pub mod offered;
pub mod row;
pub mod syscall;
pub mod term;
pub mod wire;
