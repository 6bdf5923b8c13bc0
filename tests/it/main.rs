//! Saker from outside: the program as a user runs it, on this machine's kernel.

mod capture;
mod command_line;
mod crate_edges;
mod legacy;
mod live;
mod modules;
mod needs;
mod operation;
mod program;
mod record;
mod replay;
