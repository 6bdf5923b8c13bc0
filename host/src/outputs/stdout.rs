//! Alerts on standard output: a line each, the priority coloured when it is a terminal.

use super::Output;
use crate::alert::{Alert, Format};
use anstyle::{AnsiColor, Style};
use saker_rules_schema::manifest::Priority;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Result, Write};
use std::os::fd::AsFd;

/// Bytes that are handed on together.
const CHUNK_BYTES: usize = 64 * 1024;
/// Bytes kept while they cannot be handed on.
const PENDING_BYTES_MAX: usize = 1 << 20;

/// Standard output.
pub struct Stdout {
    format: Format,
    hostname: String,
    color: bool,
    out: File,
    /// Whole lines, but for the first, of which a part may be written already. It is kept until
    /// the rest is, so that a disk that was full for a while splits no line.
    pending: Vec<u8>,
}

impl Stdout {
    /// Writes in that form.
    pub fn new(format: Format, hostname: String) -> Result<Stdout> {
        let out = std::io::stdout();
        // NO_COLOR: https://no-color.org
        let color = !format.json && out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Ok(Stdout {
            format,
            hostname,
            color,
            out: File::from(out.as_fd().try_clone_to_owned()?),
            pending: Vec::new(),
        })
    }
}

impl Output for Stdout {
    fn write(&mut self, alert: &Alert) -> Result<()> {
        if self.pending.len() >= CHUNK_BYTES
            && let Err(error) = self.flush()
            && (self.pending.len() >= PENDING_BYTES_MAX || error.kind() == ErrorKind::BrokenPipe)
        {
            return Err(error);
        }
        let line = alert.line(&self.format, &self.hostname);
        let name = alert.priority.name();
        // The line is "TIME: PRIORITY MESSAGE"; the message is the attacker's, the first is not.
        match line.split_once(name).filter(|_| self.color) {
            Some((before, after)) => {
                let style = style(alert.priority);
                writeln!(self.pending, "{before}{style}{name}{style:#}{after}")
            }
            None => writeln!(self.pending, "{line}"),
        }
    }

    fn flush(&mut self) -> Result<()> {
        let mut written = 0;
        let done = loop {
            match self.out.write(&self.pending[written..]) {
                Ok(0) => break Ok(()),
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.pending.drain(..written);
        done
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
