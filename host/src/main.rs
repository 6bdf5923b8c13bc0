//! The program `saker`: reads the command line and runs one command.

use std::process::ExitCode;

fn main() -> ExitCode {
    saker::commands::main()
}
