//! Where raw events come from. [`ebpf`] loads the probe into the running kernel and reads its
//! records through [`ring`] and [`merge`]; what a record means is decoded by `event`.
//! [`synthetic`] makes records up instead.

pub mod capture;
pub mod ebpf;
pub mod merge;
pub mod synthetic;
