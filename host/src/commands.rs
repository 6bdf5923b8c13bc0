//! The command line: one command, one file. Exit codes: 0 done (also when stopped by SIGINT or
//! SIGTERM), 1 failed (also when alerts could not be written), 2 wrong usage, 3 a rule file or
//! module is invalid, 4 this machine or this user cannot do it (`saker doctor` says why).

mod check;
mod compile;
mod ctl;
mod doctor;
mod explain;
mod falco;
mod list;
mod module;
mod record;
mod replay;
mod rules;
mod run;

use crate::config::{Config, JudgedBy, Use};
use crate::extract::printable::is_obeyed;
use crate::pipeline::{CaptureMode, Pipeline};
use crate::sandbox::component::{COMMAND as COMPONENT_COMMAND, component_for_parent};
use crate::sandbox::{
    Apart, Budget, COMPILE_COMMAND, Cache, Compiler, JUDGE_COMMAND, Judge, JudgeProcess, Limits,
    SpawnError, compile_for_parent, judge_for_parent,
};
use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};
use std::io::IsTerminal;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  something failed; a capture was not read to its end
  2  the command line or the configuration says what cannot be
  3  rules or a module are invalid
  4  what is needed is missing here
  5  some parts of a capture could not be read, or events not be judged";

/// Linux runtime security: kernel events judged by sandboxed WebAssembly rules.
#[derive(Parser)]
#[command(
    name = "saker",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = EXIT_CODES
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
    /// Judge what captures hold, or print it
    Replay(replay::Args),
    /// Write events of the running kernel, or of captures, to a capture
    Record(record::Args),
    /// Check rule files and show every mistake in them
    Check(check::Args),
    /// Compile rule files to a WebAssembly module
    Compile(compile::Args),
    /// List rules, or the fields or event types that they may name
    List(list::Args),
    /// Write rule modules in any language: begin, build, test and inspect them
    Module(module::Args),
    /// Ask a running Saker how it goes and what it knows, or for other modules
    Ctl(ctl::Args),
    /// Show what a rule asks of each event type
    Explain(explain::Args),
    /// Say whether Saker can run here, and what to do if not
    Doctor(doctor::Args),
    /// Compile what comes on standard input, without any rights: what compiling is left to
    #[command(name = COMPILE_COMMAND, hide = true)]
    CompileWasm {
        /// How
        order: String,
    },
    /// Run a component for who started it, without any rights
    #[command(name = COMPONENT_COMMAND, hide = true)]
    Component {
        /// How
        order: String,
    },
    /// Judge windows for who started it, without any rights
    #[command(name = JUDGE_COMMAND, hide = true)]
    Judge {
        /// How
        order: String,
    },
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
    /// The command line says what cannot be.
    Usage(anyhow::Error),
    /// Rules or a module are invalid, and everything about that has been printed.
    Invalid,
    /// A precondition is missing here.
    Unable(anyhow::Error),
    /// What was to be judged was not, or not all of it.
    Unjudged(anyhow::Error),
}

impl Failure {
    /// What has still to be said.
    fn error(self) -> Option<anyhow::Error> {
        match self {
            Failure::Failed(error)
            | Failure::Usage(error)
            | Failure::Unable(error)
            | Failure::Unjudged(error) => Some(error),
            Failure::Invalid => None,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Failed(error)
            | Failure::Usage(error)
            | Failure::Unable(error)
            | Failure::Unjudged(error) => {
                write!(f, "{error:#}")
            }
            Failure::Invalid => f.write_str("it is invalid"),
        }
    }
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
    if let Some(advice) = falco::advice(std::env::args_os().skip(1)) {
        complain(&advice);
        return ExitCode::from(2);
    }
    let cli = Cli::try_parse().unwrap_or_else(|error| refuse(&error));
    log_to_stderr(cli.verbose);
    let done = match cli.command {
        Command::Run(args) => run::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Record(args) => record::run(args),
        Command::Check(args) => check::run(args),
        Command::Compile(args) => compile::run(args),
        Command::List(args) => list::run(args),
        Command::Module(args) => module::run(args),
        Command::Ctl(args) => ctl::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::CompileWasm { order } => return compile_for_parent(&order),
        Command::Judge { order } => return judge_for_parent(&order),
        Command::Component { order } => return component_for_parent(&order),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "saker", &mut script);
            print_bytes(&script)
        }
    };
    let Err(failure) = done else {
        return ExitCode::SUCCESS;
    };
    let code = match failure {
        Failure::Failed(_) => 1,
        Failure::Usage(_) => 2,
        Failure::Invalid => 3,
        Failure::Unable(_) => 4,
        Failure::Unjudged(_) => 5,
    };
    if let Some(error) = failure.error() {
        complain(&format!("saker: {}\n", escaped(&format!("{error:#}"))));
    }
    ExitCode::from(code)
}

/// Says what is wrong with the command line, or what was asked of it. Clap repeats arguments as they
/// are: it is to see them as people may.
fn refuse(error: &clap::Error) -> ! {
    let shown = std::env::args_os().map(|arg| escaped(&arg.to_string_lossy()));
    match Cli::try_parse_from(shown) {
        Err(error) => error.exit(),
        // Only what is no text is no mistake any more.
        Ok(_) => {
            complain(&format!("{}\n", escaped(&error.to_string())));
            std::process::exit(2)
        }
    }
}

/// Writes to standard output.
fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// Writes to standard output. A reader that has gone away (`saker list fields | head`) has what
/// it wanted.
fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write;
    let mut out = std::io::stdout();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error)
                .context("cannot write to standard output")
                .into())
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes to standard error. Where that fails there is nobody left to tell.
fn complain(text: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// A path for people to read: what a terminal would obey is escaped.
fn shown(path: &std::path::Path) -> String {
    escaped(&path.to_string_lossy())
}

/// A text from a file for people to read.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match is_obeyed(char) {
            true => escaped.extend(char.escape_default()),
            false => escaped.push(char),
        }
    }
    escaped
}

/// The settings with what `-o` says.
fn configured(options: &[String]) -> Result<Config, Failure> {
    let mut config = Config::default();
    for option in options {
        config
            .set(option)
            .map_err(|error| Failure::Usage(error.into()))?;
    }
    Ok(config)
}

/// Has captures made, if the settings say so.
fn make_captures(pipeline: &mut Pipeline, config: &Config) -> Result<(), Failure> {
    use crate::outputs::triggered::{Settings, Triggered};
    if !config.capture {
        return Ok(());
    }
    let folder = config.capture_path_prefix.parent();
    let folder = folder.filter(|folder| !folder.is_dir());
    if let Some(folder) = folder {
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder);
        made.with_context(|| format!("cannot make the folder of captures `{}`", shown(folder)))?;
    }
    let settings = Settings {
        path_prefix: config.capture_path_prefix.clone(),
        before: config.capture_before,
        file_bytes_max: config.capture_bytes_max,
    };
    let mode = CaptureMode {
        all_rules: config.capture_all_rules,
        duration: config.capture_duration,
    };
    pipeline.make_captures(Triggered::new(settings), mode);
    Ok(())
}

/// Says what modules show.
fn show_metrics(pipeline: &crate::pipeline::Pipeline) {
    for (module, metrics) in pipeline.guests().metrics() {
        for (name, metric) in metrics {
            tracing::info!("module `{module}`: {name} = {metric}");
        }
    }
}

/// Says what became of the captures that alerts asked for.
fn finish_captures(pipeline: &mut Pipeline) -> Result<(), Failure> {
    let Some(triggered) = pipeline.triggered() else {
        return Ok(());
    };
    triggered.finish();
    let counters = triggered.counters;
    let mut line = count(counters.captures, "capture");
    let lost = list_of(&[
        (counters.failed, "not whole"),
        (
            counters.forgotten,
            "event(s) forgotten before (its|their) time",
        ),
        (counters.too_long, "event(s) longer than a capture can hold"),
        (
            counters.late,
            "event(s) that came after later ones left out",
        ),
    ]);
    if !lost.is_empty() {
        line.push_str(&format!(" ({lost})"));
    }
    tracing::info!("{line}");
    match counters.failed {
        0 => Ok(()),
        failed => Err(Failure::Failed(anyhow::anyhow!(
            "{} of an alert could not be written",
            count(failed, "capture")
        ))),
    }
}

/// A mistake on the command line.
fn usage(why: impl std::fmt::Display) -> Failure {
    Failure::Usage(anyhow::anyhow!("{why}"))
}

/// The rule files of the command line, then those of the settings.
fn rule_files(named: &[PathBuf], config: &Config) -> Vec<PathBuf> {
    named.iter().chain(&config.rules_files).cloned().collect()
}

/// The settings that matter somewhere, for the long help.
fn settings_help(used: &[Use]) -> String {
    let mut text = String::from("Settings for -o:\n");
    let single = crate::config::SETTINGS
        .iter()
        .filter(|setting| used.contains(&setting.used))
        .map(|setting| (setting.key, setting.description, setting.wanted));
    // Entries of lists are about rules and outputs.
    let entries = crate::config::ENTRY_SETTINGS
        .iter()
        .filter(|_| used.contains(&Use::Alerts))
        .map(|setting| (setting.key, setting.description, setting.wanted));
    for (key, description, wanted) in single.chain(entries) {
        text.push_str(&format!(
            "  {key}\n      {description}\n      Takes {wanted}.\n"
        ));
    }
    text
}

/// Says which settings have no say in something.
fn warn_of_unused(options: &[String], used: &[Use], what: &str) {
    for option in options {
        let key = option.split_once('=').map_or(&**option, |(key, _)| key);
        let mut settings = crate::config::SETTINGS.iter();
        let setting = settings.find(|setting| setting.key == key);
        if setting.is_some_and(|setting| !used.contains(&setting.used)) {
            tracing::warn!("`{key}` has no say in {what}");
        }
    }
}

/// This very program, whatever has taken its place on the disk.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// What rulesets may take while events happen.
fn live_limits(config: &Config) -> Limits {
    Limits {
        budget: Budget::Time {
            cpu: config.budget_cpu,
            wall: config.budget_cpu * 40,
        },
        threads: config.judge_threads,
        ..Limits::default()
    }
}

/// What judges while events happen: a process of its own, unless the settings say otherwise or
/// there can be none.
fn live_judge(
    window: BorrowedFd<'_>,
    config: &Config,
    compiler: &Arc<Compiler>,
) -> Result<Judge, SpawnError> {
    let limits = live_limits(config);
    let threads = || Judge::spawn_with(window, limits, compiler.clone());
    let process = JudgeProcess::by(THIS_PROGRAM);
    let apart = || Judge::spawn_apart(window, limits, compiler.clone(), process);
    match config.judged_by {
        Some(JudgedBy::Threads) => threads(),
        Some(JudgedBy::Process) => apart(),
        None => apart().or_else(|error| {
            tracing::warn!("{error}: rules are judged with all rights of this process");
            threads()
        }),
    }
}

/// What makes native code, in a process of its own each time.
fn compiler_apart() -> Compiler {
    Compiler::apart(Apart::by(Path::new(THIS_PROGRAM)))
}

/// The same, which keeps it if it can: that only saves time.
fn compiler(config: &Config) -> Arc<Compiler> {
    let compiler = compiler_apart();
    let Some(directory) = &config.cache_directory else {
        return compiler.into();
    };
    match Cache::open(directory) {
        Ok(cache) => compiler.keeping(cache).into(),
        Err(unfit) => {
            tracing::warn!(
                "`{}` is not used to keep compiled rules: {unfit} (`-o cache.dir=` does without)",
                shown(directory)
            );
            compiler.into()
        }
    }
}

/// Says which kept code was not used, by cause.
fn report_kept_code(compiler: &Compiler) {
    let refused = compiler.cache().into_iter().flat_map(Cache::refused);
    let causes: Vec<String> = refused
        .filter(|(_, files)| *files > 0)
        .map(|(why, files)| format!("{} because {why}", count(files, "file")))
        .collect();
    if !causes.is_empty() {
        tracing::warn!("kept native code was not used: {}", causes.join(", "));
    }
}

/// `3 too long, 1 malformed`, without what there is none of.
fn list_of(counts: &[(u64, &str)]) -> String {
    let some = counts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = some.map(|(count, what)| several(*count, what)).collect();
    words.join(", ")
}

/// A count of things, of which the text has both forms: `(an event|events) of (a type|types)`, or
/// `event(s)`.
fn several(count: u64, what: &str) -> String {
    let mut words = count.to_string();
    words.push(' ');
    for (index, part) in what.split(['(', ')']).enumerate() {
        let (one, more) = part.split_once('|').unwrap_or(("", part));
        words.push_str(match (index % 2, count) {
            (0, _) => part,
            (_, 1) => one,
            (_, _) => more,
        });
    }
    words
}

/// A count of things: `1 rule`, `2 rules`.
fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
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
        // Which would panic where standard error cannot be written.
        .log_internal_errors(false)
        .init();
}

/// Whether messages on standard error may be coloured.
fn stderr_color() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
