//! `saker ctl`: asks a running Saker what it knows.

use super::{Failure, escaped, print};
use crate::config::Config;
use crate::control::{self, Question};
use anyhow::Context;
use serde_json::Value;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
    /// Where the running Saker listens (its setting control.socket)
    #[arg(long, value_name = "SOCKET", global = true)]
    socket: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Copy, clap::Subcommand)]
enum What {
    /// What is known of containers, why the rest is not, and how engines are doing
    Containers,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let usual = Config::default().control_socket.unwrap_or_default();
    let socket = args.socket.unwrap_or(usual);
    let question = match args.what {
        What::Containers => Question::Containers,
    };
    let answer = control::ask(&socket, question)
        .with_context(|| format!("no Saker answers at `{}`", super::shown(&socket)))?;
    print(&match args.json {
        true => format!("{answer:#}\n"),
        false => table(&answer),
    })
}

fn table(answer: &Value) -> String {
    let mut out = String::new();
    let text = |value: &Value| escaped(value.as_str().unwrap_or_default());
    let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    for container in list("containers") {
        let known = format!(
            "{:<11} {:<24} {}",
            text(&container["type"]),
            text(&container["name"]),
            text(&container["image"])
        );
        let what = match container["metadata"].as_str() {
            Some("") | None => known,
            Some(why) => format!("metadata={}", escaped(why)),
        };
        // Writing to a String does not fail.
        let _ = writeln!(out, "{:<14} {}", text(&container["id"]), what.trim_end());
    }
    for engine in list("engines") {
        let state = match engine["trouble"].as_str() {
            None => "followed".to_owned(),
            Some(trouble) => escaped(trouble),
        };
        let _ = writeln!(
            out,
            "{:<14} {}: {state} (asked {}, failed {})",
            text(&engine["engine"]),
            text(&engine["socket"]),
            engine["asked"],
            engine["failed"]
        );
    }
    out
}
