//! Saker's host: everything but `main`, in the order in which an event passes through it.
//! Each module uses those above it and none below.

pub mod http;
pub mod event;
pub mod source;
pub mod state;
pub mod enrich;
pub mod recent;
pub mod literal;
pub mod extract;
pub mod componentise;
pub mod sandbox;
pub mod alert;
pub mod config;
pub mod folder;
pub mod local;
pub mod distribution;
pub mod modules;
pub mod guests;
pub mod outputs;
pub mod store;
pub mod control;
pub mod page;
pub mod watch;
pub mod pipeline;
pub mod trial;
pub mod commands;
