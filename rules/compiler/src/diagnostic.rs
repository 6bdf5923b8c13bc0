//! What is wrong with rule files, and how it is shown: code, place, label, help.
//!
//! Every diagnostic has a code of ours, which is never reused, and Falco's name for that kind
//! of error or warning. Finding the faults is left to the stages.

use crate::Source;
use crate::similar::Suggestions;
use crate::text::Span;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// No ruleset comes of it.
    Error,
    /// Worth a look.
    Warning,
}

macro_rules! codes {
    ($($name:ident $id:literal $severity:ident $falco:literal $doc:literal;)*) => {
        /// What kind of fault it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $doc] $name,)* }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];
            /// Our number for it; never reused.
            pub fn id(self) -> &'static str { match self { $(Code::$name => $id,)* } }
            /// Falco's name for that kind of fault.
            pub fn falco(self) -> &'static str { match self { $(Code::$name => $falco,)* } }
            /// How bad it is.
            pub fn severity(self) -> Severity { match self { $(Code::$name => Severity::$severity,)* } }
            /// One sentence on it.
            pub fn description(self) -> &'static str { match self { $(Code::$name => $doc,)* } }
        }
    };
}

codes! {
    YamlSyntax "S101" Error "LOAD_ERR_YAML_PARSE" "The file is no YAML.";
    SourceTooLarge "S102" Error "LOAD_ERR_YAML_PARSE" "The file, or what its aliases expand to, is beyond a bound.";
    Shape "S103" Error "LOAD_ERR_YAML_VALIDATE" "A value is of another kind than the key asks for.";
    UnknownItem "S104" Warning "LOAD_UNKNOWN_ITEM" "An item is neither rule, macro, list nor a requirement.";
    UnknownKey "S105" Warning "LOAD_UNKNOWN_KEY" "An item has a key that means nothing.";
    RepeatedKey "S106" Warning "LOAD_UNKNOWN_KEY" "A key occurs twice in an item; the first counts.";
    TooManyDiagnostics "S107" Warning "LOAD_WARNING_EXTENSION" "There are more diagnostics than are kept.";

    MissingKey "S201" Error "LOAD_ERR_YAML_VALIDATE" "An item lacks a key it needs.";
    NothingToChange "S202" Error "LOAD_ERR_VALIDATE" "An item appends to, overrides or enables what does not exist.";
    BadOverride "S203" Error "LOAD_ERR_YAML_VALIDATE" "`override` and the keys of an item do not fit together.";
    Deprecated "S204" Warning "LOAD_DEPRECATED_ITEM" "A key or field is deprecated by Falco.";
    MacroName "S205" Warning "LOAD_INVALID_MACRO_NAME" "No condition can name a macro of that name.";
    ListName "S206" Warning "LOAD_INVALID_LIST_NAME" "No condition can name a list of that name.";
    EngineVersion "S207" Error "LOAD_ERR_VALIDATE" "The file requires another version of the engine.";
    OtherSource "S208" Error "LOAD_ERR_VALIDATE" "A rule is defined again for another source.";
    UnknownSource "S209" Warning "LOAD_UNKNOWN_SOURCE" "A rule is for a source that does not exist; it is left out.";
    Priority "S210" Error "LOAD_ERR_YAML_VALIDATE" "A priority is none of Falco's.";
    Exception "S211" Error "LOAD_ERR_VALIDATE" "An exception is put together wrongly.";
    ExceptionWithoutValues "S212" Warning "LOAD_APPEND_NO_VALUES" "An exception is appended without values.";
    ExceptionRepeated "S213" Warning "LOAD_EXCEPTION_NAME_NOT_UNIQUE" "Two exceptions of a rule have one name.";
    EngineVersionForm "S214" Error "LOAD_ERR_YAML_VALIDATE" "An engine version is neither a number nor of the form `x.y.z`.";
    PluginVersion "S215" Error "LOAD_ERR_VALIDATE" "The file requires a plugin that is not there, or another version of it.";
    NothingAppended "S216" Error "LOAD_ERR_VALIDATE" "An item with `append` has nothing that could be appended.";

    Syntax "S301" Error "LOAD_ERR_COMPILE_CONDITION" "A condition does not follow the grammar.";
    TooDeep "S302" Error "LOAD_ERR_COMPILE_CONDITION" "A condition is nested too deeply.";

    UnknownMacro "S401" Error "LOAD_ERR_VALIDATE" "A condition names a macro that does not exist.";
    MacroOrder "S402" Error "LOAD_ERR_VALIDATE" "A macro uses one that is defined after it.";
    MacroLoop "S403" Error "LOAD_ERR_VALIDATE" "A macro refers to itself.";
    UnusedMacro "S404" Warning "LOAD_UNUSED_MACRO" "No rule uses the macro.";
    UnusedList "S405" Warning "LOAD_UNUSED_LIST" "Nothing uses the list.";
    ConditionTooLarge "S406" Error "LOAD_ERR_COMPILE_CONDITION" "A condition, its lists and macros filled in, is beyond a bound.";

    UnknownField "S501" Error "LOAD_ERR_COMPILE_CONDITION" "There is no such field, or not yet.";
    FieldArgument "S502" Error "LOAD_ERR_COMPILE_CONDITION" "A field's argument is missing or not one it takes.";
    OperatorType "S503" Error "LOAD_ERR_COMPILE_CONDITION" "An operator does not work on values of that type.";
    Value "S504" Error "LOAD_ERR_COMPILE_CONDITION" "A value is not of the field's type.";
    UnknownEventType "S506" Error "LOAD_ERR_COMPILE_CONDITION" "There is no such event type.";
    EventTypeNotSeen "S507" Warning "LOAD_COMPILE_CONDITION" "Falco has that event type, Saker does not see it live yet.";
    UnknownParameter "S508" Warning "LOAD_COMPILE_CONDITION" "No event type has a parameter of that name, or no process an ancestor of that level.";
    UnsafeNaCheck "S509" Warning "LOAD_UNSAFE_NA_CHECK" "A comparison with `<NA>` never sees an absent field.";
    UnknownFilter "S510" Warning "LOAD_UNKNOWN_FILTER" "A rule with `skip-if-unknown-filter` names an unknown field; it is left out.";
    OutputOnly "S511" Error "LOAD_ERR_COMPILE_CONDITION" "A condition names a field that is for outputs.";
    Transformer "S520" Error "LOAD_ERR_COMPILE_CONDITION" "A transformer does not take these arguments.";
    ResultAsNumber "S512" Warning "LOAD_COMPILE_CONDITION" "`evt.res` is compared with a number, which it never is.";
    FieldAsText "S513" Warning "LOAD_COMPILE_CONDITION" "A value is the name of a field, and compared as a text.";
    TransformerAsText "S514" Warning "LOAD_COMPILE_CONDITION" "A value looks like a transformer of a field, and is compared as a text.";
    SimpleRegex "S515" Warning "LOAD_COMPILE_CONDITION" "A regular expression asks for what a simpler operator does as well.";
    TimeAsNumber "S516" Warning "LOAD_COMPILE_CONDITION" "A time that is written out is compared with a number.";
    NoList "S517" Warning "LOAD_COMPILE_CONDITION" "A value alone is nearly the name of a list, and compared as a text.";
    ListNotFilled "S518" Warning "LOAD_COMPILE_CONDITION" "An item of a list is a list's name, and stays a text.";
    PatternAsText "S519" Warning "LOAD_COMPILE_CONDITION" "A value is a pattern, and compared as a text.";
    MadeOtherwise "S521" Warning "LOAD_COMPILE_CONDITION" "A value is never what it is compared with.";

    Output "S601" Error "LOAD_ERR_COMPILE_OUTPUT" "An output format names an unknown field, or one that is for conditions.";

    NoEventType "S701" Warning "LOAD_NO_EVTTYPE" "A rule asks for most or all event types, which costs.";
    NeverTrue "S702" Warning "LOAD_COMPILE_CONDITION" "A condition is true for no event.";
    Hidden "S703" Warning "LOAD_COMPILE_CONDITION" "Under `rule_matching: first`, whenever a rule holds, an earlier one does.";

    RulesetTooLarge "S801" Error "LOAD_ERR_VALIDATE" "The ruleset is beyond a bound.";
}

/// Another place that belongs to a diagnostic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// What is wrong: lower case, no full stop, the offender in backquotes.
    pub message: String,
    /// Where, if anywhere.
    pub span: Option<Span>,
    /// What stands beside the caret.
    pub label: String,
    /// Other places.
    pub context: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
    /// Rules whose condition it is in, when the place itself does not tell (a macro or list).
    pub rules: Vec<String>,
}

impl Diagnostic {
    pub(crate) fn new(code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            message: message.into(),
            span: Some(span),
            label: String::new(),
            context: Vec::new(),
            help: None,
            rules: Vec::new(),
        }
    }

    pub(crate) fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn context(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.context.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    pub(crate) fn rule(mut self, rule: &str) -> Diagnostic {
        self.rules.push(rule.to_string());
        self
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Line and column of its place, both from 1, columns in characters.
    pub fn position(&self, sources: &[Source]) -> Option<(usize, usize)> {
        let span = self.span?;
        let text = &sources.get(span.source as usize)?.text;
        let before = text.get(..span.start as usize)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next()?.chars().count() + 1;
        Some((line, column))
    }
}

/// No more diagnostics are kept: a hostile file could have one per byte.
const DIAGNOSTICS_MAX: usize = 1000;
/// A line with more bytes is cut around the caret when shown.
const LINE_BYTES_SHOWN: usize = 400;

/// Diagnostics as they are found.
#[derive(Default)]
pub(crate) struct Diagnostics {
    found: Vec<Diagnostic>,
    known: HashMap<(Code, Option<Span>, String), usize, FixedState>,
    /// How many of those found are warnings.
    warnings: usize,
    left_out: usize,
    /// For the help of those that are about a name.
    pub(crate) suggestions: Suggestions,
}

impl Diagnostics {
    /// Adds one. The same fault at the same place, met again through another rule, only adds
    /// the rule's name.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        let key = (diagnostic.code, diagnostic.span, diagnostic.message.clone());
        if let Some(known) = self.known.get(&key) {
            let known = &mut self.found[*known];
            for rule in diagnostic.rules {
                if known.rules.last() != Some(&rule) {
                    known.rules.push(rule);
                }
            }
            return;
        }
        let is_warning = diagnostic.severity() != Severity::Error;
        if self.found.len() < DIAGNOSTICS_MAX {
            self.known.insert(key, self.found.len());
            self.found.push(diagnostic);
            self.warnings += usize::from(is_warning);
            return;
        }
        self.left_out += 1;
        // An error is worth more than a warning.
        let warning = |found: &Diagnostic| found.severity() != Severity::Error;
        if !is_warning
            && self.warnings > 0
            && let Some(at) = self.found.iter().rposition(warning)
        {
            self.warnings -= 1;
            let out = std::mem::replace(&mut self.found[at], diagnostic);
            self.known.remove(&(out.code, out.span, out.message));
            self.known.insert(key, at);
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.warnings < self.found.len()
    }

    /// All, in the order of files and places.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.found
            .sort_by_key(|diagnostic| (diagnostic.span, diagnostic.code));
        if self.left_out > 0 {
            self.found.push(Diagnostic {
                code: Code::TooManyDiagnostics,
                message: format!("{} more diagnostics are not shown", self.left_out),
                span: None,
                label: String::new(),
                context: Vec::new(),
                help: Some("repair the ones shown first".into()),
                rules: Vec::new(),
            });
        }
        self.found
    }
}

/// Renders diagnostics for people: place, snippet, caret, help.
pub fn render(diagnostics: &[Diagnostic], sources: &[Source], color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut out = String::new();
    let lines: Vec<Lines> = sources
        .iter()
        .map(|source| Lines::of(&source.text))
        .collect();
    for diagnostic in diagnostics {
        let level = match diagnostic.severity() {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let id = format!("{} {}", diagnostic.code.id(), diagnostic.code.falco());
        let title = level.primary_title(printable(&diagnostic.message)).id(id);
        let mut group = Group::with_title(title);
        let mut labels: Vec<(Span, AnnotationKind, &str)> = Vec::new();
        if let Some(span) = diagnostic.span {
            labels.push((span, AnnotationKind::Primary, &diagnostic.label));
        }
        for label in &diagnostic.context {
            labels.push((label.span, AnnotationKind::Context, &label.text));
        }
        // One snippet per file, the primary's first.
        while let Some(&(first, _, _)) = labels.first() {
            let (here, rest): (Vec<_>, Vec<_>) = labels
                .into_iter()
                .partition(|(span, _, _)| span.source == first.source);
            labels = rest;
            let Some(source) = sources.get(first.source as usize) else {
                continue;
            };
            for (text, line, shown) in excerpts(&source.text, &lines[first.source as usize], &here)
            {
                let mut snippet = Snippet::source(text)
                    .line_start(line)
                    .path(source.name.clone());
                for (range, kind, label) in shown {
                    let annotation = kind.span(range);
                    snippet = snippet.annotation(if label.is_empty() {
                        annotation
                    } else {
                        annotation.label(printable(label))
                    });
                }
                group = group.element(snippet);
            }
        }
        match diagnostic.rules.as_slice() {
            [] => {}
            [rule] => {
                group = group.element(Level::NOTE.message(printable(&format!("in rule `{rule}`"))))
            }
            [rule, others @ ..] => {
                let text = format!("in rule `{rule}` and {} more", others.len());
                group = group.element(Level::NOTE.message(printable(&text)));
            }
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(printable(help)));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}

/// Control characters out of a rule file must not reach a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() { '\u{fffd}' } else { char })
        .collect()
}

type Shown<'a> = (std::ops::Range<usize>, AnnotationKind, &'a str);

/// Where the lines of a text begin: counting them anew for each diagnostic takes a minute where a
/// thousand stand at the end of millions of lines.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Lines {
        Lines(
            memchr::memchr_iter(b'\n', text.as_bytes())
                .map(|at| at + 1)
                .collect(),
        )
    }

    /// The number of the line that a byte is in, from 1.
    fn number(&self, at: usize) -> usize {
        self.0.partition_point(|start| *start <= at) + 1
    }
}

/// The lines of the labels, those close together in one piece; labels relative to the piece.
fn excerpts<'a>(
    text: &str,
    lines: &Lines,
    labels: &[(Span, AnnotationKind, &'a str)],
) -> Vec<(String, usize, Vec<Shown<'a>>)> {
    let mut out = Vec::new();
    for (span, kind, label) in labels {
        let clamp = |at: u32| {
            let mut at = (at as usize).min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = clamp(span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = clamp(span.end).clamp(start, line_end);
        // A line of megabytes is cut around the caret.
        let from = if start - line_start > LINE_BYTES_SHOWN {
            clamp((start - LINE_BYTES_SHOWN / 2) as u32)
        } else {
            line_start
        };
        let to = if line_end - start > LINE_BYTES_SHOWN {
            clamp((start + LINE_BYTES_SHOWN) as u32)
        } else {
            line_end
        };
        let end = end.min(to);
        let line = lines.number(line_start);
        let piece: String = text[from..to]
            .chars()
            .map(|char| {
                if char.is_control() && char != '\t' {
                    ' '
                } else {
                    char
                }
            })
            .collect();
        // Control characters of two bytes became one; offsets are counted anew.
        let offset = |at: usize| -> usize {
            text[from..at]
                .chars()
                .map(|char| {
                    if char.is_control() && char != '\t' {
                        1
                    } else {
                        char.len_utf8()
                    }
                })
                .sum()
        };
        out.push((
            piece,
            line,
            vec![(offset(start)..offset(end), *kind, *label)],
        ));
    }
    // Labels on one line share a snippet.
    let mut merged: Vec<(String, usize, Vec<Shown<'a>>)> = Vec::new();
    for (piece, line, shown) in out {
        match merged
            .iter_mut()
            .find(|(known, known_line, _)| *known_line == line && *known == piece)
        {
            Some((_, _, labels)) => labels.extend(shown),
            None => merged.push((piece, line, shown)),
        }
    }
    merged
}
