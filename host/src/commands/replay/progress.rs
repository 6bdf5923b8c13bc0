//! How far a replay is, on standard error when that is a terminal.

use super::Purpose;
use crate::alert::Alert;
use crate::outputs::Output;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Read, Result};
use std::time::Duration;

/// A bar over the bytes of one capture, or, where nobody knows how many there are, a sign that
/// something moves.
pub(super) struct Progress {
    bar: ProgressBar,
    events: std::cell::Cell<u64>,
}

/// Where bars are shown, one below the other.
#[derive(Clone)]
pub(super) struct Bars(MultiProgress);

impl Bars {
    /// On standard error, if that is a terminal.
    pub(super) fn new(purpose: Purpose) -> Bars {
        // Events that are printed on a terminal are progress enough.
        let is_in_the_way = purpose == Purpose::Print && std::io::stdout().is_terminal();
        let target = match std::io::stderr().is_terminal() && !is_in_the_way {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Bars(MultiProgress::with_draw_target(target))
    }

    /// Has what is said from here on stand in lines of its own, below bars that stay.
    pub(super) fn end(&self, stay: bool) {
        if stay && !self.0.is_hidden() {
            eprintln!();
        }
    }

    /// The output, whose lines go above the bars if both are on a terminal.
    pub(super) fn above(&self, output: Box<dyn Output>) -> Box<dyn Output> {
        match !self.0.is_hidden() && std::io::stdout().is_terminal() {
            true => Box::new(Above {
                output,
                bars: self.clone(),
            }),
            false => output,
        }
    }
}

/// An output that takes the bars away while it writes.
struct Above {
    output: Box<dyn Output>,
    bars: Bars,
}

impl Output for Above {
    fn write(&mut self, alert: &Alert) -> Result<()> {
        self.bars.0.suspend(|| self.output.write(alert))
    }

    fn flush(&mut self) -> Result<()> {
        self.bars.0.suspend(|| self.output.flush())
    }
}

/// A bar of which nothing is left.
const DONE: &str = "{prefix} {wide_bar} {percent:>3} %  {msg}";

/// Nobody can read numbers that change faster.
const TURN_EVERY: Duration = Duration::from_millis(100);

impl Progress {
    /// Begins with the capture of that name and so many bytes.
    pub(super) fn begin(name: &str, bytes: Option<u64>, bars: &Bars) -> Progress {
        let bar = match bytes {
            Some(bytes) => ProgressBar::new(bytes),
            None => ProgressBar::no_length(),
        };
        let bar = bars.0.add(bar);
        let template = match bytes {
            Some(_) => "{prefix} {wide_bar} {percent:>3} %  {msg}  {eta} left",
            None => "{spinner} {prefix} {bytes}  {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(name.to_owned());
        if bytes.is_none() && !bar.is_hidden() {
            bar.enable_steady_tick(TURN_EVERY);
        }
        Progress {
            bar,
            events: Default::default(),
        }
    }

    /// The capture, whose bytes move the bar as they are read.
    pub(super) fn counting<R: Read>(&self, read: R) -> Counting<R> {
        Counting {
            read,
            bar: self.bar.clone(),
        }
    }

    /// So many events more are judged.
    pub(super) fn events(&self, events: u64) {
        if self.bar.is_hidden() {
            return;
        }
        self.events.set(self.events.get() + events);
        let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
        let rate = self.events.get() as f64 / seconds;
        self.bar.set_message(format!("{rate:.0} events/s"));
    }

    /// Leaves the bar as it is at the end of the whole capture.
    pub(super) fn finish(self) {
        if let Ok(style) = ProgressStyle::with_template(DONE)
            && self.bar.length().is_some()
        {
            self.bar.set_style(style);
        }
        // Reading ends with the last event, not with the last byte.
        self.bar.finish();
    }

    /// Takes the bar away: the capture was left off.
    pub(super) fn clear(self) {
        self.bar.finish_and_clear();
    }
}

/// A reader that moves a bar.
pub(super) struct Counting<R> {
    read: R,
    bar: ProgressBar,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let bytes = self.read.read(buffer)?;
        self.bar.inc(bytes as u64);
        Ok(bytes)
    }
}
