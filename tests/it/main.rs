//! Saker from outside: the program as a user runs it, on this machine's kernel.

mod apart;
mod capture;
mod command_line;
mod containers;
mod containers_by_path;
mod containers_of_pods;
mod crate_edges;
mod engines;
mod legacy;
mod languages;
mod live;
mod modules;
mod needs;
mod operation;
mod page;
mod program;
mod record;
mod registry;
mod requests;
mod replay;
mod swap;

// The components of the sandbox's own tests, for which no compiler is needed.
use saker::componentise;
#[path = "../../host/src/sandbox/component/specimen.rs"]
#[allow(dead_code)]
mod specimen;
