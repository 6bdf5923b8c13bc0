//! Memory that the host shares with others: the kernel, which fills a [`ring`], and the judges,
//! which read a [`window`] and answer over a [`line`]. Nearly all `unsafe` code of Saker is in
//! here, in a crate that builds in seconds, so that sanitizers can watch its tests.

pub mod line;
mod mapping;
pub mod ring;
pub mod window;
