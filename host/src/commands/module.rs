//! `saker module`: rule modules in any language, from an empty folder to a registry.

mod bench;
mod build;
mod inspect;
mod new;
mod place;
mod pull;
mod push;
mod sdk;
mod test;
mod toolchain;

use super::Failure;
use clap::Subcommand;

#[derive(clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Begin a module in a new folder
    New(new::Args),
    /// Build a module to a component
    Build(build::Args),
    /// Run a module's own tests, and hold its alerts over captures against what is expected
    Test(test::Args),
    /// Measure what a module costs for each event of captures
    Bench(bench::Args),
    /// Show what a module says of itself, and what it imports
    Inspect(inspect::Args),
    /// Put a module, or rules, into a folder in the OCI layout
    Pack(push::PackArgs),
    /// Push a module, or rules, to a registry
    Push(push::Args),
    /// Pull a module, or rules, from a registry
    Pull(pull::PullArgs),
    /// Tell who signed an artefact
    Verify(pull::VerifyArgs),
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::New(args) => new::run(args),
        Command::Build(args) => build::run(args).map(drop),
        Command::Test(args) => test::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Pack(args) => push::pack(args),
        Command::Push(args) => push::run(args),
        Command::Pull(args) => pull::pull(args),
        Command::Verify(args) => pull::verify(args),
    }
}
