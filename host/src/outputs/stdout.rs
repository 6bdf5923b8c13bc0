//! Alerts on standard output: a line each, the priority coloured when it is a terminal.

use super::Output;
use crate::alert::{Alert, Format};
use anstyle::{AnsiColor, Style};
use saker_rules_schema::manifest::Priority;
use std::io::{BufWriter, IsTerminal, Write};

/// Standard output.
pub struct Stdout {
    format: Format,
    hostname: String,
    color: bool,
    out: BufWriter<std::io::Stdout>,
}

impl Stdout {
    /// Writes in that form.
    pub fn new(format: Format, hostname: String) -> Stdout {
        let out = std::io::stdout();
        // NO_COLOR: https://no-color.org
        let color = !format.json && out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Stdout {
            format,
            hostname,
            color,
            out: BufWriter::new(out),
        }
    }
}

impl Output for Stdout {
    fn write(&mut self, alert: &Alert) -> std::io::Result<()> {
        let line = alert.line(&self.format, &self.hostname);
        let name = alert.priority.name();
        // The line is "TIME: PRIORITY MESSAGE"; the message is the attacker's, the first is not.
        match line.split_once(name).filter(|_| self.color) {
            Some((before, after)) => {
                let style = style(alert.priority);
                writeln!(self.out, "{before}{style}{name}{style:#}{after}")
            }
            None => writeln!(self.out, "{line}"),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

fn style(priority: Priority) -> Style {
    match priority {
        Priority::Emergency | Priority::Alert | Priority::Critical => {
            AnsiColor::Red.on_default().bold()
        }
        Priority::Error => AnsiColor::Red.on_default(),
        Priority::Warning => AnsiColor::Yellow.on_default(),
        Priority::Notice => AnsiColor::Cyan.on_default(),
        Priority::Informational => AnsiColor::Green.on_default(),
        Priority::Debug => Style::new().dimmed(),
    }
}
