//! The command line: one command, one file. Exit codes: 0 done (also when stopped by SIGINT or
//! SIGTERM), 1 failed, 2 wrong usage, 3 a rule file or module is invalid, 4 this machine or this
//! user cannot do it (`saker doctor` says why).

mod check;
mod compile;
mod doctor;
mod list;
mod rules;
mod run;

use clap::{CommandFactory, Parser, Subcommand};
use std::io::IsTerminal;
use std::process::ExitCode;

/// Linux runtime security: kernel events judged by sandboxed WebAssembly rules.
#[derive(Parser)]
#[command(
    name = "saker",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Say more on standard error (twice: much more)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Watch the running kernel and print alerts
    Run(run::Args),
    /// Check rule files and show every mistake in them
    Check(check::Args),
    /// Compile rule files to a WebAssembly module
    Compile(compile::Args),
    /// List the fields or the event types that rules may name
    List(list::Args),
    /// Say whether Saker can run here, and what to do if not
    Doctor(doctor::Args),
    /// Print a completion script for a shell
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Why a command ended without success.
pub(crate) enum Failure {
    /// Something went wrong that belongs to none of the others.
    Failed(anyhow::Error),
    /// Rules or a module are invalid, and everything about that has been printed.
    Invalid,
    /// A precondition is missing here.
    Unable(anyhow::Error),
}

impl From<crate::pipeline::PipelineError> for Failure {
    fn from(error: crate::pipeline::PipelineError) -> Failure {
        Failure::Failed(error.into())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::Failed(error)
    }
}

/// Runs the command that the command line asks for.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr(cli.verbose);
    let done = match cli.command {
        Command::Run(args) => run::run(args),
        Command::Check(args) => check::run(args),
        Command::Compile(args) => compile::run(args),
        Command::List(args) => list::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "saker", &mut script);
            print(&String::from_utf8_lossy(&script));
            Ok(())
        }
    };
    let (message, code) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Invalid) => return ExitCode::from(3),
        Err(Failure::Failed(error)) => (error, 1),
        Err(Failure::Unable(error)) => (error, 4),
    };
    eprintln!("saker: {message:#}");
    ExitCode::from(code)
}

/// Writes to standard output. A reader that has gone away (`saker list fields | head`) is no
/// reason to panic, as `println!` would.
fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn log_to_stderr(verbose: u8) {
    let default = match verbose {
        0 => "saker=info",
        1 => "saker=debug",
        _ => "saker=trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("SAKER_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(stderr_color())
        .with_target(false)
        .init();
}

/// Whether messages on standard error may be coloured.
fn stderr_color() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
