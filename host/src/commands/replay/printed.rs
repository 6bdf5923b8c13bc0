//! Printing events: a ruleset of one rule, whose condition is the filter and whose output is the
//! format, and an output that writes nothing but that.

use crate::alert::Alert;
use crate::commands::{Failure, complain, stderr_color};
use crate::modules::Module;
use crate::outputs::Output;
use anyhow::Context;
use saker_rules_compiler::{Options, Source, compile, render};
use std::io::{BufWriter, Result, Stdout, Write};

/// As sysdig prints events.
const FORMAT: &str =
    "%evt.num %evt.time %evt.cpu %proc.name (%thread.tid) %evt.dir %evt.type %evt.args";
/// Every event has a number.
const ALL: &str = "evt.num > 0";

/// The module that prints what meets the filter.
pub(in crate::commands) fn module(
    filter: Option<&str>,
    format: Option<&str>,
) -> std::result::Result<Vec<Module>, Failure> {
    // JSON is YAML, and takes any text without another meaning.
    let rule = serde_json::json!([{
        "rule": "event",
        "desc": "an event is printed",
        "condition": filter.unwrap_or(ALL),
        "output": format.unwrap_or(FORMAT),
        "priority": "DEBUG",
        "warn_evttypes": false,
    }]);
    let source = [Source {
        name: "--filter or --print".into(),
        text: rule.to_string(),
    }];
    let compilation = compile(&source, &Options::default());
    let Some(ruleset) = compilation.ruleset else {
        complain(&render(&compilation.diagnostics, &source, stderr_color()));
        return Err(Failure::Usage(anyhow::anyhow!(
            "events cannot be printed like that"
        )));
    };
    let module = Module::compiled("events", ruleset.wasm)
        .context("the compiler made a module that the sandbox refuses")?;
    Ok(vec![module])
}

/// The text of each hit, a line each.
pub(super) struct Lines {
    out: BufWriter<Stdout>,
}

impl Lines {
    pub(super) fn new() -> Lines {
        Lines {
            out: BufWriter::with_capacity(64 << 10, std::io::stdout()),
        }
    }
}

impl Output for Lines {
    fn write(&mut self, alert: &Alert) -> Result<()> {
        writeln!(self.out, "{}", alert.visible_message())
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}
