//! `saker ctl`: asks a running Saker how it goes, and for other modules.

use super::{Failure, escaped, print, shown};
use crate::config::CONTROL_SOCKET;
use crate::control::{self, Answer, Containers, Request, Status};
use crate::modules::roster::Listed;
use anyhow::Context;
use clap::Subcommand;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    /// The socket that it listens to (its setting `control.socket`)
    #[arg(long, value_name = "PATH", default_value = CONTROL_SOCKET, global = true)]
    socket: PathBuf,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Say how it goes
    Status,
    /// Say what is known of containers, why the rest is not, and how engines are doing
    Containers,
    /// List the modules that are loaded, or change them
    #[command(subcommand)]
    Modules(Modules),
    /// List the rules of the modules that are loaded, or turn one on or off
    #[command(subcommand)]
    Rules(Rules),
    /// Print a link to the page that lets in whoever follows it: keep it to yourself
    Page,
}

#[derive(Subcommand)]
enum Rules {
    /// List the rules, with how often they alerted
    List,
    /// Turn a rule on
    Enable {
        /// The rule's name
        name: String,
    },
    /// Turn a rule off
    Disable {
        /// The rule's name
        name: String,
    },
}

#[derive(Subcommand)]
enum Modules {
    /// List the modules that are loaded
    List,
    /// Load a module (.wasm), or rules (.yaml) as a ruleset of their own
    Load {
        /// The file
        file: PathBuf,
    },
    /// Put another version in a module's place, between two events
    Swap {
        /// The module's name
        name: String,
        /// The version's file
        file: PathBuf,
    },
    /// Turn a module off
    Disable {
        /// The module's name
        name: String,
    },
    /// Turn a module on again that was turned off or set aside
    Enable {
        /// The module's name
        name: String,
    },
    /// Bring the version before back
    Rollback {
        /// The module's name
        name: String,
    },
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let request = match args.command {
        Command::Status => Request::Status {},
        Command::Containers => Request::Containers {},
        Command::Page => Request::Page {},
        Command::Modules(Modules::List) => Request::List {},
        Command::Modules(Modules::Load { file }) => Request::Load {
            path: from_root(&file)?,
        },
        Command::Modules(Modules::Swap { name, file }) => Request::Swap {
            name,
            path: from_root(&file)?,
        },
        Command::Modules(Modules::Disable { name }) => Request::Disable { name },
        Command::Modules(Modules::Enable { name }) => Request::Enable { name },
        Command::Modules(Modules::Rollback { name }) => Request::Rollback { name },
        Command::Rules(Rules::List) => Request::Rules {},
        Command::Rules(Rules::Enable { name }) => Request::EnableRule { name },
        Command::Rules(Rules::Disable { name }) => Request::DisableRule { name },
    };
    let answer = control::ask(&args.socket, &request).with_context(|| {
        let socket = shown(&args.socket);
        format!("cannot ask at `{socket}` (does `saker run` listen there?)")
    });
    let answer = answer.map_err(Failure::Unable)?;
    if let Answer::Error(why) = answer {
        return Err(Failure::Failed(anyhow::anyhow!("{why}")));
    }
    if args.json {
        let line = serde_json::to_string(&answer).context("cannot write the answer")?;
        return print(&format!("{line}\n"));
    }
    print(&match answer {
        Answer::Done(done) => format!("{}\n", escaped(&done)),
        Answer::Modules(modules) => table(&modules),
        Answer::Rules(rules) => rules_table(&rules),
        Answer::Status(status) => in_words(&status),
        Answer::Containers(known) => containers(&known),
        Answer::Page(Some(link)) => format!("{}\n", escaped(&link)),
        Answer::Page(None) => {
            let why = "no page is served there; the log of `saker run` says why";
            return Err(Failure::Unable(anyhow::anyhow!(why)));
        }
        // Nothing here asks for it.
        Answer::Error(_) | Answer::Recent(_) | Answer::Shadow(_) => String::new(),
    })
}

/// A path that means the same to another process.
fn from_root(path: &Path) -> Result<PathBuf, Failure> {
    let path = std::path::absolute(path).with_context(|| format!("`{}`", shown(path)))?;
    Ok(path)
}

/// Digits of a digest that tell versions apart.
const DIGITS_SHOWN: usize = 12;

fn table(modules: &[Listed]) -> String {
    let short = |digest: &str| digest.chars().take(DIGITS_SHOWN).collect::<String>();
    let mut rows = vec![
        [
            "NAME", "KIND", "VERSION", "STATE", "RULES", "PROCESS", "DIGEST", "PREVIOUS", "FILE",
        ]
        .map(str::to_owned),
    ];
    rows.extend(modules.iter().map(|module| {
        [
            escaped(&module.name),
            module.kind.clone(),
            escaped(module.version.as_deref().unwrap_or("-")),
            module.state.clone(),
            module.rules.to_string(),
            module.work.pid.map_or("-".into(), |pid| pid.to_string()),
            short(&module.digest),
            module.previous.as_deref().map_or("-".into(), short),
            escaped(module.path.as_deref().unwrap_or("-")),
        ]
    }));
    let mut widths = [0; 9];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(widths).take(row.len() - 1) {
            // Writing to a String does not fail.
            let _ = write!(text, "{cell:width$}  ");
        }
        text.push_str(row.last().map_or("", String::as_str));
        text.push('\n');
        let module = index.checked_sub(1).and_then(|index| modules.get(index));
        if let Some(reason) = module.and_then(|module| module.reason.as_deref()) {
            let _ = writeln!(text, "    {}", escaped(reason.trim_end()));
        }
    }
    text
}

fn rules_table(rules: &[control::Rule]) -> String {
    let mut text = format!(
        "{:<13}{:>8}  {:<14}{:<16}RULE\n",
        "PRIORITY", "ALERTS", "STATE", "MODULE"
    );
    for rule in rules {
        let state = if rule.enabled { "on" } else { "off" };
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "{:<13}{:>8}  {state:<14}{:<16}{}",
            rule.priority,
            rule.alerts,
            escaped(&rule.module),
            escaped(&rule.name)
        );
    }
    text
}

fn in_words(status: &Status) -> String {
    let Status {
        version,
        pid,
        uptime_seconds,
        epoch,
        modules,
        rules,
        events,
        alerts,
        windows,
        rows,
        dropped,
        rows_unjudged,
        module_failures,
        swaps,
        kept_code_refused,
        judge_pid,
        judge_restarts,
        rows_of_dead_judges,
        losses,
        // Who wants these reads JSON, or the page.
        event_types: _,
        stages: _,
        queues: _,
        remembered,
    } = status;
    let judge = judge_pid.map_or("none".into(), |pid| pid.to_string());
    let mut text = String::new();
    for (name, value) in [
        ("version", &escaped(version) as &dyn std::fmt::Display),
        ("process", pid),
        ("watching for", &format!("{uptime_seconds} s")),
        ("modules", modules),
        ("rules on", rules),
        ("epoch", epoch),
        ("swaps", swaps),
        ("events", events),
        ("alerts", alerts),
        ("windows", windows),
        ("rows", rows),
        ("processes", &remembered.processes),
        ("events dropped", dropped),
        ("events unjudged", rows_unjudged),
        ("module failures", module_failures),
        ("code refused", kept_code_refused),
        ("judge process", &judge),
        ("judge restarts", judge_restarts),
        ("lost with it", rows_of_dead_judges),
    ] {
        let _ = writeln!(text, "{name:16}{value}");
    }
    for loss in losses.iter().filter(|loss| loss.count > 0) {
        let _ = writeln!(
            text,
            "lost            {} {}",
            loss.count,
            escaped(&loss.cause)
        );
    }
    text
}

fn containers(known: &Containers) -> String {
    let mut text = String::new();
    for container in &known.containers {
        let known = format!(
            "{:<11} {:<24} {}",
            escaped(&container.kind),
            escaped(&container.name),
            escaped(&container.image)
        );
        let known = if container.name.is_empty() {
            ""
        } else {
            known.trim_end()
        };
        let what = match &*container.metadata {
            "" => known.to_owned(),
            why => format!(
                "{known} metadata={} (for {})",
                escaped(why),
                escaped(&container.group)
            ),
        };
        // Writing to a String does not fail.
        let _ = writeln!(text, "{:<14} {}", escaped(&container.id), what.trim());
    }
    for engine in &known.engines {
        let state = engine.trouble.as_deref().map_or("followed".into(), escaped);
        let _ = writeln!(
            text,
            "{:<14} {}: {state} (asked {}, failed {}, overlooked {})",
            escaped(&engine.engine),
            escaped(&engine.socket),
            engine.asked,
            engine.failed,
            engine.overlooked
        );
    }
    for absent in &known.absent {
        let _ = writeln!(
            text,
            "metadata={}: {} containers of which nothing was told, {} alerts without it",
            escaped(&absent.why),
            absent.containers,
            absent.alerts
        );
    }
    let _ = writeln!(
        text,
        "{} events waited for what was told, {} of them in vain, {} had to make room",
        known.waited, known.waited_in_vain, known.crowded_out
    );
    text
}
