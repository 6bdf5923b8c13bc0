//! Printing events: a ruleset of one rule, whose condition is the filter and whose output is the
//! format, and an output that writes nothing but that.
//!
//! What is wrong with filter and format is shown where the user wrote it: the rule is put
//! together character by character, and each knows where it is from.

use crate::alert::{Alert, Format};
use crate::commands::{Failure, complain, stderr_color};
use crate::modules::Module;
use crate::outputs::Output;
use anyhow::Context;
use saker_rules_compiler::{Code, Diagnostic, Options, Severity, Source, Span};
use saker_rules_compiler::{compile, render};
use std::io::{BufWriter, Result, Stdout, Write};
use std::ops::Range;

/// As sysdig prints events.
const FORMAT: &str =
    "%evt.num %evt.time %evt.cpu %proc.name (%thread.tid) %evt.dir %evt.type %evt.args";
/// Every event has a number.
const ALL: &str = "evt.num > 0";
/// The rule, and the source of its condition. Messages name both.
const FILTER: &str = "filter";

/// Which events are taken, and how they look.
pub(in crate::commands) struct Events<'a> {
    /// Only events that meet this condition.
    pub(in crate::commands) filter: Option<&'a str>,
    /// A text with `%fields`, in which `\t` and `\n` are a tab and a line's end.
    pub(in crate::commands) format: Option<&'a str>,
    /// Each event is a JSON object of the fields in the format.
    pub(in crate::commands) json: Option<Format>,
    /// They are the running kernel's, of which there are not all types.
    pub(in crate::commands) is_live: bool,
}

impl Events<'_> {
    /// The module that finds the events.
    pub(in crate::commands) fn module(&self) -> std::result::Result<Vec<Module>, Failure> {
        for (option, given) in [("--filter", self.filter), ("-p", self.format)] {
            if given.is_some_and(|given| given.trim().is_empty()) {
                return Err(crate::commands::usage(format!(
                    "nothing stands behind {option}"
                )));
            }
        }
        let mut rule = Rule::default();
        rule.put(r#"[{"rule": "filter", "desc": "", "priority": "DEBUG", "#);
        rule.put(r#""warn_evttypes": false, "condition": ""#);
        rule.head_bytes = rule.text.len();
        match self.filter {
            Some(filter) => rule.quote(chars(filter), 0),
            None => rule.put(ALL),
        }
        rule.put(r#"", "output": ""#);
        if self.json.is_some() {
            // An object that does not say which event it is of is of little use.
            rule.put("%evt.num ");
        }
        match self.format {
            Some(format) => rule.quote(trimmed(unescaped(format)).1, 1),
            None => rule.put(FORMAT),
        }
        rule.put(r#""}]"#);
        let source = [Source {
            name: FILTER.into(),
            text: rule.text.clone(),
        }];
        let compilation = compile(&source, &Options::default());
        let mut found = compilation.diagnostics;
        found.retain_mut(|found| self.relocate(&rule, found));
        if !found.is_empty() {
            let sources = [(FILTER, self.filter), ("format", self.format)];
            let sources = sources.map(|(name, text)| Source {
                name: name.into(),
                text: text.unwrap_or_default().into(),
            });
            complain(&render(&found, &sources, stderr_color()));
        }
        let Some(ruleset) = compilation.ruleset else {
            let is_wrong = |place: u32| {
                found.iter().any(|found| {
                    let source = found.span.map(|span| span.source);
                    found.severity() == Severity::Error && source == Some(place)
                })
            };
            return Err(Failure::Usage(match (is_wrong(0), is_wrong(1)) {
                (true, false) => anyhow::anyhow!("the filter is no condition"),
                (false, true) => anyhow::anyhow!("events cannot be printed in this format"),
                _ => anyhow::anyhow!("neither the filter nor the format can be used"),
            }));
        };
        let module = Module::compiled("events", ruleset.wasm)
            .context("the compiler made a module that the sandbox refuses")?;
        Ok(vec![module])
    }

    /// Lets a diagnostic point to where the user wrote it; whether it is about that at all.
    fn relocate(&self, rule: &Rule, found: &mut Diagnostic) -> bool {
        found.rules.clear();
        let about_all = "rule `filter`";
        if found.message.starts_with(about_all) {
            found.message.replace_range(..about_all.len(), "the filter");
        }
        found.context.retain_mut(|label| {
            let origin = rule.origin(label.span);
            label.span = origin.unwrap_or(label.span);
            origin.is_some()
        });
        let Some(span) = found.span else {
            return found.severity() == Severity::Error;
        };
        let origin = rule.origin(span);
        // What is said of the rule is said of the whole condition.
        let of_all = || {
            let end = self.filter?.len() as u32;
            let is_of_rule = (span.start as usize) < rule.head_bytes;
            is_of_rule.then_some(Span {
                source: 0,
                start: 0,
                end,
            })
        };
        found.span = origin.or_else(of_all);
        match found.severity() {
            Severity::Error => true,
            Severity::Warning => {
                let is_of_use = self.is_live || found.code != Code::EventTypeNotSeen;
                found.span.is_some() && is_of_use
            }
        }
    }

    /// The output that writes them.
    pub(super) fn lines(&self) -> Lines {
        let format = self.format.unwrap_or_default();
        let (before, _, behind) = trimmed(unescaped(format));
        let text = |chars: Vec<Char>| chars.iter().map(|char| char.char).collect();
        Lines {
            out: BufWriter::with_capacity(64 << 10, std::io::stdout()),
            before: text(before),
            behind: text(behind),
            json: self.json.clone(),
        }
    }
}

/// A character, and which bytes of the user's text it is from.
struct Char {
    char: char,
    from: Range<u32>,
}

fn chars(text: &str) -> Vec<Char> {
    let chars = text.char_indices().map(|(at, char)| {
        let from = at as u32..(at + char.len_utf8()) as u32;
        Char { char, from }
    });
    chars.collect()
}

/// The same with `\t`, `\n` and `\\` replaced. Any other backslash is one.
fn unescaped(text: &str) -> Vec<Char> {
    let mut out: Vec<Char> = Vec::new();
    let mut is_escape = false;
    for next in chars(text) {
        let meant = match next.char {
            't' => Some('\t'),
            'n' => Some('\n'),
            '\\' => Some('\\'),
            _ => None,
        };
        match (is_escape, meant, out.last_mut()) {
            (true, Some(char), Some(backslash)) => {
                backslash.char = char;
                backslash.from.end = next.from.end;
                is_escape = false;
            }
            _ => {
                is_escape = next.char == '\\';
                out.push(next);
            }
        }
    }
    out
}

/// The blanks before and behind, which a rule's output has not.
fn trimmed(mut text: Vec<Char>) -> (Vec<Char>, Vec<Char>, Vec<Char>) {
    let is_seen = |char: &Char| !char.char.is_whitespace();
    let end = text.iter().rposition(is_seen).map_or(0, |last| last + 1);
    let behind = text.split_off(end);
    let start = text.iter().position(is_seen).unwrap_or(0);
    let rest = text.split_off(start);
    (text, rest, behind)
}

/// The text of the rule. It is JSON, which is YAML, and takes any text without another meaning.
#[derive(Default)]
struct Rule {
    text: String,
    /// Where in it the condition begins.
    head_bytes: usize,
    /// Of each byte that the user wrote: its place here, in which of the user's texts, and where
    /// there.
    origins: Vec<(usize, u32, Range<u32>)>,
}

impl Rule {
    /// Appends what the user did not write.
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends what the user wrote, for a string.
    fn quote(&mut self, text: Vec<Char>, source: u32) {
        for Char { char, from } in text {
            let start = self.text.len();
            match char {
                '"' | '\\' => self.text.extend(['\\', char]),
                // YAML ends lines at some of these.
                '\0'..' ' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                    self.text.push_str(&format!("\\u{:04x}", char as u32));
                }
                _ => self.text.push(char),
            }
            let places = start..self.text.len();
            self.origins
                .extend(places.map(|place| (place, source, from.clone())));
        }
    }

    /// Where the user wrote that.
    fn origin(&self, span: Span) -> Option<Span> {
        let find = |place: u32| {
            let found = self
                .origins
                .binary_search_by_key(&(place as usize), |origin| origin.0);
            found.ok().map(|index| &self.origins[index])
        };
        let (_, source, first) = find(span.start)?;
        let last = find(span.end.saturating_sub(1)).filter(|last| last.1 == *source);
        Some(Span {
            source: *source,
            start: first.start,
            end: last.map_or(first.end, |last| last.2.end),
        })
    }
}

/// The text of each hit, a line each.
pub(super) struct Lines {
    out: BufWriter<Stdout>,
    /// Blanks of the format before and behind what a rule's output has of it.
    before: String,
    behind: String,
    json: Option<Format>,
}

impl Output for Lines {
    fn write(&mut self, alert: &Alert) -> Result<()> {
        match &self.json {
            Some(format) => writeln!(self.out, "{}", alert.fields_line(format)),
            None => {
                let text = alert.visible_message();
                writeln!(self.out, "{}{text}{}", self.before, self.behind)
            }
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}
