//! Memory that the host shares with others: the kernel, which fills a [`ring`], and the judges,
//! which read a [`window`]. Nearly all `unsafe` code of Saker is in here, in a crate that builds
//! in seconds, so that the address sanitizer can watch its tests.

pub mod ring;
pub mod window;
