//! YAML into items with positions. The only place that knows YAML.
//!
//! Bounded throughout: bytes of a source, nesting, and what aliases expand to. Whether items
//! make sense together is left to `collect`.

mod plugin;

pub(crate) use plugin::{Plugin, PluginRequirement};

use crate::Source;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::text::{Span, Text};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::rc::Rc;

/// No source is longer.
pub(crate) const SOURCE_BYTES_MAX: usize = 8 << 20;
/// The keys that tell what an item is, in the order in which they are looked for.
const ITEM_KINDS: [&str; 5] = [
    "required_engine_version",
    "required_plugin_versions",
    "list",
    "macro",
    "rule",
];
/// YAML nesting; Falco's files need five levels.
const DEPTH_MAX: usize = 64;
/// Nodes and bytes of scalars, aliases expanded, of one source.
const EXPANDED_MAX: usize = 16 << 20;
/// Values in a file, of all kinds: each takes some hundred bytes, however short it is.
const NODES_MAX: usize = 1_500_000;

/// An item of a rule file.
pub(crate) enum Item {
    EngineVersion(Text),
    PluginVersions(Vec<PluginRequirement>),
    List(List),
    Macro(Macro),
    Rule(Box<Rule>),
}

/// Where an item of a rule file begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `rule`, `macro`, `list`, `required_engine_version` or `required_plugin_versions`.
    pub kind: &'static str,
    /// Its name; empty for a requirement.
    pub name: String,
    /// From where it begins.
    pub span: Span,
}

/// What an item does to an earlier one of its name.
#[derive(Default)]
pub(crate) struct Change {
    /// `append: true` and where.
    pub(crate) append: Option<Span>,
    /// The entries of `override`: key, `append` or `replace`.
    pub(crate) entries: Vec<(Text, Text)>,
    /// Whether `override` is no mapping, so that nobody knows what was meant.
    pub(crate) is_faulty: bool,
    /// Where `override` stands.
    pub(crate) span: Option<Span>,
}

pub(crate) struct List {
    pub(crate) name: Text,
    pub(crate) items: Option<Vec<Text>>,
    pub(crate) change: Change,
}

pub(crate) struct Macro {
    pub(crate) name: Text,
    pub(crate) condition: Option<Text>,
    pub(crate) change: Change,
}

#[derive(Default)]
pub(crate) struct Rule {
    pub(crate) name: Text,
    pub(crate) condition: Option<Text>,
    pub(crate) output: Option<Text>,
    pub(crate) desc: Option<Text>,
    pub(crate) priority: Option<Text>,
    pub(crate) source: Option<Text>,
    pub(crate) enabled: Option<bool>,
    pub(crate) skip_if_unknown_filter: Option<bool>,
    pub(crate) warn_evttypes: Option<bool>,
    pub(crate) capture: Option<bool>,
    pub(crate) capture_duration: Option<u32>,
    pub(crate) tags: Option<Vec<Text>>,
    pub(crate) exceptions: Option<Vec<Exception>>,
    /// Every key but `rule`, `append` and `override`, with its place.
    pub(crate) keys: Vec<Text>,
    pub(crate) change: Change,
}

#[derive(Clone)]
pub(crate) struct Exception {
    pub(crate) name: Text,
    pub(crate) fields: Option<Entry>,
    pub(crate) comps: Option<Entry>,
    pub(crate) values: Option<Vec<Entry>>,
    pub(crate) span: Span,
}

/// A scalar or a list of such, and where the list stands.
#[derive(Clone)]
pub(crate) enum Entry {
    One(Text),
    Many(Vec<Entry>, Span),
}

impl Entry {
    pub(crate) fn span(&self) -> Span {
        match self {
            Entry::One(text) => text.whole(),
            Entry::Many(_, span) => *span,
        }
    }
}

struct Node {
    span: Span,
    kind: Kind,
}

enum Kind {
    Scalar { text: Text, plain: bool },
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
}

/// Reads one source. What cannot be read is reported; the rest is returned. `places` gets an
/// entry for each item, sound or not.
pub(crate) fn read(
    source: &Source,
    index: u32,
    places: &mut Vec<Place>,
    diagnostics: &mut Diagnostics,
) -> Vec<Item> {
    let mut items = Vec::new();
    if source.text.len() > SOURCE_BYTES_MAX {
        let span = Span {
            source: index,
            start: 0,
            end: 0,
        };
        diagnostics.push(Diagnostic::new(
            Code::SourceTooLarge,
            span,
            format!("the file is longer than {} MiB", SOURCE_BYTES_MAX >> 20),
        ));
        return items;
    }
    let spaced;
    let mut read = Tree::new(&source.text, index).documents();
    if read.is_err() && source.text.contains(":\t") {
        spaced = without_tabs(&source.text);
        read = Tree::new(&spaced, index).documents();
    }
    let documents = match read {
        Ok(documents) => documents,
        Err((diagnostic, documents)) => {
            diagnostics.push(*diagnostic);
            documents
        }
    };
    for document in documents {
        match &document.kind {
            Kind::Scalar { text, plain: true } if text.is_empty() || is_null(text.as_str()) => {}
            Kind::Scalar { .. } | Kind::Mapping(_) => diagnostics.push(
                Diagnostic::new(
                    Code::Shape,
                    document.span,
                    "a rule file must be a sequence of items",
                )
                .help("begin each item with `- rule:`, `- macro:` or `- list:`"),
            ),
            Kind::Sequence(nodes) => {
                for node in nodes {
                    places.extend(place(node));
                    items.extend(read_item(node, diagnostics));
                }
            }
        }
    }
    items
}

/// The text with blanks for the tabs between a key and its value, which YAML takes and the parser
/// does not. All else stays where it is.
fn without_tabs(text: &str) -> String {
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let key = line.trim_start_matches([' ', '-']);
        let indent = line.len() - key.len();
        let length = key.bytes().take_while(is_key).count();
        let behind = key[length..].strip_prefix(":\t").filter(|_| length > 0);
        match behind.map(|value| value.trim_start_matches('\t')) {
            Some(value) => {
                out.push_str(&line[..indent + length + 1]);
                out.extend(std::iter::repeat_n(
                    ' ',
                    key.len() - length - 1 - value.len(),
                ));
                out.push_str(value);
            }
            None => out.push_str(line),
        }
    }
    out
}

/// What a node is the item of.
fn place(node: &Node) -> Option<Place> {
    let Kind::Mapping(pairs) = &node.kind else {
        return None;
    };
    let value_of = |key: &str| {
        let mut pairs = pairs.iter();
        let is =
            |node: &Node| matches!(&node.kind, Kind::Scalar { text, .. } if text.as_str() == key);
        pairs.find(|(known, _)| is(known)).map(|(_, value)| value)
    };
    let (kind, value) = ITEM_KINDS
        .iter()
        .find_map(|kind| Some((*kind, value_of(kind)?)))?;
    let name = match (&value.kind, kind) {
        (Kind::Scalar { text, .. }, "list" | "macro" | "rule") => text.as_str().trim().to_string(),
        (Kind::Scalar { .. } | Kind::Sequence(_) | Kind::Mapping(_), _) => String::new(),
    };
    Some(Place {
        kind,
        name,
        span: node.span,
    })
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Parser events into nodes.
struct Tree<'a> {
    source: &'a str,
    index: u32,
    /// Byte offset of each character; empty if all are ASCII.
    offsets: Vec<u32>,
    anchors: hashbrown::HashMap<usize, (Rc<Node>, usize), foldhash::fast::FixedState>,
    /// Values so far.
    nodes: usize,
    expanded: usize,
}

/// A sequence or mapping being read.
struct Open {
    start: u32,
    anchor: usize,
    /// What was expanded before it.
    expanded: usize,
    mapping: bool,
    children: Vec<Rc<Node>>,
}

type Failure = (Box<Diagnostic>, Vec<Rc<Node>>);

impl<'a> Tree<'a> {
    fn new(text: &'a str, index: u32) -> Tree<'a> {
        let offsets = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices()
                .map(|(offset, _)| offset as u32)
                .chain([text.len() as u32])
                .collect()
        };
        Tree {
            source: text,
            index,
            offsets,
            anchors: hashbrown::HashMap::default(),
            nodes: 0,
            expanded: 0,
        }
    }

    /// Byte offset of a character index.
    fn offset(&self, char_index: usize) -> u32 {
        let offset = match self.offsets.is_empty() {
            true => char_index as u32,
            false => *self
                .offsets
                .get(char_index)
                .unwrap_or(&(self.source.len() as u32)),
        };
        offset.min(self.source.len() as u32)
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        let start = self.offset(span.start.index());
        Span {
            source: self.index,
            start,
            end: self.offset(span.end.index()).max(start),
        }
    }

    fn documents(mut self) -> Result<Vec<Rc<Node>>, Failure> {
        let mut documents = Vec::new();
        let mut stack: Vec<Open> = Vec::new();
        for event in Parser::new_from_str(self.source) {
            let (event, place) = match event {
                Ok(event) => event,
                Err(error) => {
                    let start = self.offset(error.marker().index());
                    let span = Span {
                        source: self.index,
                        start,
                        end: start,
                    };
                    let message = format!("the file is no valid YAML: {}", error.info());
                    let help = what_is_meant(self.source, start as usize);
                    let diagnostic = Diagnostic::new(Code::YamlSyntax, span, message).help(help);
                    return Err((Box::new(diagnostic), documents));
                }
            };
            let span = self.span(place);
            let too_large = |what: String| {
                Box::new(
                    Diagnostic::new(Code::SourceTooLarge, span, what).label("this is too much"),
                )
            };
            let (node, anchor, expanded) = match event {
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => continue,
                Event::Alias(anchor) => match self.anchors.get(&anchor) {
                    Some((node, weight)) => {
                        self.expanded += weight;
                        (node.clone(), 0, 0)
                    }
                    // Inside of the node it names, or unknown.
                    None => {
                        let diagnostic = Diagnostic::new(
                            Code::YamlSyntax,
                            span,
                            "an alias refers to itself or to nothing",
                        );
                        return Err((Box::new(diagnostic), documents));
                    }
                },
                Event::Scalar(value, style, anchor, _) => {
                    let before = self.expanded;
                    self.expanded += 1 + value.len();
                    let text = self.align(&value, style, span);
                    let plain = style == ScalarStyle::Plain;
                    let kind = Kind::Scalar { text, plain };
                    (Rc::new(Node { span, kind }), anchor, self.expanded - before)
                }
                Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                    if stack.len() >= DEPTH_MAX {
                        let what = format!("the file is nested more than {DEPTH_MAX} levels deep");
                        return Err((too_large(what), documents));
                    }
                    let expanded = self.expanded;
                    self.expanded += 1;
                    stack.push(Open {
                        start: span.start,
                        anchor,
                        expanded,
                        mapping: matches!(event, Event::MappingStart(..)),
                        children: Vec::new(),
                    });
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let Some(open) = stack.pop() else { continue };
                    let kind = if open.mapping {
                        let mut pairs = Vec::new();
                        let mut children = open.children.into_iter();
                        while let (Some(key), Some(value)) = (children.next(), children.next()) {
                            pairs.push((key, value));
                        }
                        Kind::Mapping(pairs)
                    } else {
                        Kind::Sequence(open.children)
                    };
                    let span = Span {
                        source: self.index,
                        start: open.start,
                        end: span.start.max(open.start),
                    };
                    let expanded = self.expanded - open.expanded;
                    (Rc::new(Node { span, kind }), open.anchor, expanded)
                }
            };
            self.nodes += 1;
            if self.nodes > NODES_MAX {
                let what = format!("the file has more than {NODES_MAX} values");
                return Err((too_large(what), documents));
            }
            if self.expanded > EXPANDED_MAX {
                let what = "the file's aliases expand beyond all bounds".to_string();
                return Err((too_large(what), documents));
            }
            if anchor > 0 {
                self.anchors.insert(anchor, (node.clone(), expanded));
            }
            match stack.last_mut() {
                Some(open) => open.children.push(node),
                None => documents.push(node),
            }
        }
        Ok(documents)
    }

    /// The text of a scalar with the place of each character: value and source are walked side
    /// by side, since the parser tells only where the scalar begins and ends.
    fn align(&self, value: &str, style: ScalarStyle, span: Span) -> Text {
        let raw = &self.source.as_bytes()[..span.end as usize];
        let mut at = span.start as usize;
        match style {
            ScalarStyle::Plain => {}
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => at += 1,
            ScalarStyle::Literal | ScalarStyle::Folded => {
                if matches!(raw.get(at), Some(b'|' | b'>')) {
                    while at < raw.len() && raw[at] != b'\n' {
                        at += 1;
                    }
                }
            }
        }
        let blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let mut text = Text::from(self.index, span.start);
        for char in value.chars() {
            let is_blank = char.is_ascii() && blank(char as u8);
            if !is_blank {
                while at < raw.len() && blank(raw[at]) {
                    at += 1;
                }
            }
            let mut end = at;
            if raw.get(at).is_some_and(|byte| *byte == b'\\') && style == ScalarStyle::DoubleQuoted
            {
                end += match raw.get(at + 1) {
                    Some(b'x') => 4,
                    Some(b'u') => 6,
                    Some(b'U') => 10,
                    _ => 2,
                };
            } else if raw[at.min(raw.len())..].starts_with(b"''")
                && style == ScalarStyle::SingleQuoted
            {
                end += 2;
            } else if is_blank {
                end += usize::from(raw.get(at).is_some_and(|byte| blank(*byte)));
            } else {
                end += char.len_utf8();
            }
            let last = (span.end as usize).saturating_sub(1);
            text.push(char, self.index, at.min(last) as u32);
            at = end.min(raw.len());
        }
        text
    }
}

/// The keys of an item.
struct Keys<'a> {
    what: &'static str,
    pairs: Vec<(Text, &'a Rc<Node>, bool)>,
    /// The keys that such an item may have.
    known: Vec<&'static str>,
}

impl<'a> Keys<'a> {
    fn new(
        what: &'static str,
        pairs: &'a [(Rc<Node>, Rc<Node>)],
        diagnostics: &mut Diagnostics,
    ) -> Keys<'a> {
        let mut keys = Keys {
            what,
            pairs: Vec::new(),
            known: Vec::new(),
        };
        let mut known: HashMap<&str, usize, FixedState> = HashMap::default();
        for (key, value) in pairs {
            let Kind::Scalar { text, .. } = &key.kind else {
                diagnostics.push(Diagnostic::new(
                    Code::Shape,
                    key.span,
                    "a key must be a word",
                ));
                continue;
            };
            if let Some(first) = known.get(text.as_str()) {
                let (first, _, _) = &keys.pairs[*first];
                diagnostics.push(
                    Diagnostic::new(
                        Code::RepeatedKey,
                        key.span,
                        format!("the key `{}` occurs twice", text.as_str()),
                    )
                    .label("this one is ignored")
                    .context(first.whole(), "this one counts"),
                );
                continue;
            }
            known.insert(text.as_str(), keys.pairs.len());
            keys.pairs.push((text.clone(), value, false));
        }
        keys
    }

    fn has(&self, key: &str) -> bool {
        self.pairs.iter().any(|(known, _, _)| known.as_str() == key)
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Rc<Node>> {
        self.known.push(key);
        let entry = self
            .pairs
            .iter_mut()
            .find(|(known, _, _)| known.as_str() == key)?;
        entry.2 = true;
        Some(entry.1)
    }

    /// A scalar; an empty one (`key:`, `key: ~`) counts as text of no bytes.
    fn text(&mut self, key: &'static str, diagnostics: &mut Diagnostics) -> Option<Text> {
        let node = self.take(key)?;
        match &node.kind {
            Kind::Scalar { text, plain: true } if is_null(text.as_str()) => {
                Some(Text::from(node.span.source, node.span.start))
            }
            Kind::Scalar { text, .. } => Some(text.trimmed()),
            Kind::Sequence(_) | Kind::Mapping(_) => {
                let mut wrong = shape(node, format!("`{key}` must be a text"));
                if key == "condition" {
                    wrong = wrong.help("write its parts as one text, with `and` between them");
                }
                diagnostics.push(wrong);
                None
            }
        }
    }

    fn bool(&mut self, key: &'static str, diagnostics: &mut Diagnostics) -> Option<bool> {
        let node = self.take(key)?;
        let value = match &node.kind {
            Kind::Scalar { text, .. } => match text.as_str().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" => Some(true),
                "false" | "no" | "off" | "n" => Some(false),
                _ => None,
            },
            Kind::Sequence(_) | Kind::Mapping(_) => None,
        };
        if value.is_none() {
            diagnostics.push(shape(node, format!("`{key}` must be `true` or `false`")));
        }
        value
    }

    fn number(&mut self, key: &'static str, diagnostics: &mut Diagnostics) -> Option<u32> {
        let node = self.take(key)?;
        let value = match &node.kind {
            Kind::Scalar { text, .. } => text.as_str().parse().ok(),
            Kind::Sequence(_) | Kind::Mapping(_) => None,
        };
        if value.is_none() {
            let most = u32::MAX;
            let message = format!("`{key}` must be a whole number from 0 to {most}");
            diagnostics.push(shape(node, message));
        }
        value
    }

    /// A list of scalars; an empty one for what is no list.
    fn texts(&mut self, key: &'static str, diagnostics: &mut Diagnostics) -> Option<Vec<Text>> {
        let node = self.take(key)?;
        match &node.kind {
            Kind::Sequence(nodes) => {
                let mut texts = Vec::new();
                for node in nodes {
                    match &node.kind {
                        Kind::Scalar { text, .. } => texts.push(text.clone()),
                        Kind::Sequence(_) | Kind::Mapping(_) => diagnostics
                            .push(shape(node, format!("an element of `{key}` must be a text"))),
                    }
                }
                Some(texts)
            }
            Kind::Scalar { text, plain: true } if is_null(text.as_str()) => Some(Vec::new()),
            Kind::Scalar { text, .. } => {
                let help = format!("write `{key}: [{}]`", text.as_str());
                diagnostics.push(shape(node, format!("`{key}` must be a list")).help(help));
                Some(Vec::new())
            }
            Kind::Mapping(_) => {
                diagnostics.push(shape(node, format!("`{key}` must be a list")));
                Some(Vec::new())
            }
        }
    }

    fn change(&mut self, diagnostics: &mut Diagnostics) -> Change {
        let mut change = Change::default();
        let append_at = self.take("append").map(|node| node.span);
        if self.bool("append", diagnostics) == Some(true) {
            change.append = append_at;
        }
        if let Some(node) = self.take("override") {
            change.span = Some(node.span);
            match &node.kind {
                Kind::Mapping(pairs) => {
                    for (key, value) in pairs {
                        match (&key.kind, &value.kind) {
                            (Kind::Scalar { text: key, .. }, Kind::Scalar { text, .. }) => {
                                change.entries.push((key.clone(), text.clone()));
                            }
                            (
                                Kind::Scalar { .. } | Kind::Sequence(_) | Kind::Mapping(_),
                                Kind::Scalar { .. } | Kind::Sequence(_) | Kind::Mapping(_),
                            ) => diagnostics.push(shape(
                                value,
                                "an entry of `override` must be `append` or `replace`".into(),
                            )),
                        }
                    }
                }
                Kind::Scalar { .. } | Kind::Sequence(_) => {
                    change.is_faulty = true;
                    diagnostics
                        .push(shape(node, "`override` must be a mapping".into()).help(
                            "name what is changed, and how: `override: {condition: append}`",
                        ));
                }
            }
        }
        change
    }

    /// Warns of the keys nobody took.
    fn finish(self, diagnostics: &mut Diagnostics) {
        for (key, _, taken) in &self.pairs {
            if *taken {
                continue;
            }
            let known = self.known.iter().copied();
            let help = diagnostics.suggestions.did_you_mean(key.as_str(), known);
            let article = match self.what.starts_with(['a', 'e', 'i', 'o', 'u']) {
                true => "an",
                false => "a",
            };
            let message = format!("unknown key `{}` in {article} {}", key.as_str(), self.what);
            let mut unknown =
                Diagnostic::new(Code::UnknownKey, key.whole(), message).label("this means nothing");
            unknown.help = help;
            diagnostics.push(unknown);
        }
    }
}

/// What to do where a file stops being YAML, by what stands there.
fn what_is_meant(source: &str, at: usize) -> String {
    let (done, rest) = source.split_at_checked(at).unwrap_or((source, ""));
    let begin = done.rfind('\n').map_or(0, |end| end + 1);
    let line = source[begin..].lines().next().unwrap_or_default();
    let before = &done[begin..];
    let is_indented_by_tabs = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        line[..indent].contains('\t')
    };
    if source[begin..].lines().take(2).any(is_indented_by_tabs) {
        return "indent with blanks: tabs do not count".into();
    }
    for (open, close) in [('[', ']'), ('{', '}')] {
        let unclosed = done
            .rfind(open)
            .filter(|from| !done[*from..].contains(close));
        if let Some(from) = unclosed.filter(|from| *from < begin) {
            let line = done[..from].matches('\n').count() + 1;
            return format!("close the `{open}` of line {line}");
        }
    }
    let value = line.split_once(": ").map(|(_, value)| value.trim_start());
    let sign = value.and_then(|value| value.chars().next());
    let is_sign = |sign: &char| "%@`{[*&!".contains(*sign);
    if let Some(sign) = sign.filter(is_sign) {
        return format!("put quotes around a text that begins with `{sign}`");
    }
    if let Some(quote) = sign.filter(|sign| matches!(sign, '"' | '\'')) {
        return format!("close the `{quote}` where the text ends, and nowhere before");
    }
    if rest.starts_with(':') && before.contains(": ") {
        return "put quotes around a text with `: ` in it".into();
    }
    let key = before.trim_start_matches([' ', '-']);
    if rest.starts_with(':') || (before.is_empty() && !rest.starts_with('-')) {
        let name = key.is_empty().then(|| rest.split(':').next()).flatten();
        let name = escaped_key(name.unwrap_or(key));
        return format!("indent `{name}` as far as the first key of its item");
    }
    "check the indentation and the quotes around here".into()
}

fn escaped_key(name: &str) -> String {
    name.chars().take(40).flat_map(char::escape_debug).collect()
}

fn shape(node: &Node, message: String) -> Diagnostic {
    Diagnostic::new(Code::Shape, node.span, message)
}

fn read_item(node: &Node, diagnostics: &mut Diagnostics) -> Option<Item> {
    let Kind::Mapping(pairs) = &node.kind else {
        diagnostics.push(
            shape(node, "an item must be a mapping".into())
                .help("begin it with `- rule:`, `- macro:` or `- list:`"),
        );
        return None;
    };
    let mut keys = Keys::new("item", pairs, diagnostics);
    if keys.has("required_engine_version") {
        keys.what = "requirement";
        let version = keys.text("required_engine_version", diagnostics);
        keys.finish(diagnostics);
        return version.map(Item::EngineVersion);
    }
    if keys.has("required_plugin_versions") {
        keys.what = "requirement";
        let node = keys.take("required_plugin_versions")?;
        keys.finish(diagnostics);
        return plugin::read(node, diagnostics).map(Item::PluginVersions);
    }
    if keys.has("list") {
        keys.what = "list";
        let list = List {
            name: keys.text("list", diagnostics)?,
            items: keys.texts("items", diagnostics),
            change: keys.change(diagnostics),
        };
        keys.finish(diagnostics);
        return Some(Item::List(list));
    }
    if keys.has("macro") {
        keys.what = "macro";
        let name = keys.text("macro", diagnostics)?;
        let condition = keys.text("condition", diagnostics);
        let is_no_text = condition.is_none() && keys.has("condition");
        let change = keys.change(diagnostics);
        keys.finish(diagnostics);
        return (!is_no_text).then_some(Item::Macro(Macro {
            name,
            condition,
            change,
        }));
    }
    if keys.has("rule") {
        keys.what = "rule";
        return read_rule(keys, diagnostics);
    }
    let all = "an item is a `rule`, a `macro`, a `list` or a requirement";
    let mut diagnostic = Diagnostic::new(Code::UnknownItem, node.span, "unknown item").help(all);
    if let Some((key, _, _)) = keys.pairs.first() {
        let items = [
            "rule",
            "macro",
            "list",
            "required_engine_version",
            "required_plugin_versions",
        ];
        let meant = diagnostics
            .suggestions
            .did_you_mean(key.as_str(), items.into_iter());
        diagnostic.help = Some(meant.unwrap_or_else(|| all.into()));
        diagnostic.message = format!("unknown item `{}`", key.as_str());
        diagnostic.span = Some(key.whole());
    }
    diagnostics.push(diagnostic);
    None
}

fn read_rule(mut keys: Keys<'_>, diagnostics: &mut Diagnostics) -> Option<Item> {
    let mut rule = Rule {
        name: keys.text("rule", diagnostics)?,
        change: keys.change(diagnostics),
        ..Rule::default()
    };
    rule.keys = keys
        .pairs
        .iter()
        .filter(|(_, _, taken)| !taken)
        .map(|(key, _, _)| key.clone())
        .collect();
    rule.condition = keys.text("condition", diagnostics);
    rule.output = keys.text("output", diagnostics);
    rule.desc = keys.text("desc", diagnostics);
    rule.priority = keys.text("priority", diagnostics);
    rule.source = keys.text("source", diagnostics);
    rule.enabled = keys.bool("enabled", diagnostics);
    rule.skip_if_unknown_filter = keys.bool("skip-if-unknown-filter", diagnostics);
    rule.warn_evttypes = keys.bool("warn_evttypes", diagnostics);
    rule.tags = keys.texts("tags", diagnostics);
    rule.exceptions = read_exceptions(&mut keys, diagnostics);
    rule.capture = keys.bool("capture", diagnostics);
    rule.capture_duration = keys.number("capture_duration", diagnostics);
    keys.finish(diagnostics);
    Some(Item::Rule(Box::new(rule)))
}

fn read_exceptions(keys: &mut Keys<'_>, diagnostics: &mut Diagnostics) -> Option<Vec<Exception>> {
    let node = keys.take("exceptions")?;
    let nodes = match &node.kind {
        Kind::Sequence(nodes) => nodes,
        Kind::Scalar { text, plain: true } if is_null(text.as_str()) => return Some(Vec::new()),
        Kind::Scalar { .. } | Kind::Mapping(_) => {
            diagnostics.push(shape(node, "`exceptions` must be a list".into()));
            return None;
        }
    };
    let mut exceptions = Vec::new();
    for node in nodes {
        let Kind::Mapping(pairs) = &node.kind else {
            diagnostics.push(shape(node, "an exception must be a mapping".into()));
            continue;
        };
        let mut keys = Keys::new("exception", pairs, diagnostics);
        let Some(name) = keys.text("name", diagnostics) else {
            diagnostics.push(Diagnostic::new(
                Code::MissingKey,
                node.span,
                "an exception needs a `name`",
            ));
            continue;
        };
        let values = match keys.take("values") {
            None => None,
            Some(node) => match entry(node, diagnostics) {
                Some(Entry::Many(values, _)) => Some(values),
                Some(Entry::One(text)) if is_null(text.as_str()) => Some(Vec::new()),
                Some(Entry::One(_)) => {
                    diagnostics.push(shape(node, "`values` must be a list".into()));
                    None
                }
                None => None,
            },
        };
        exceptions.push(Exception {
            name,
            fields: keys
                .take("fields")
                .and_then(|node| entry(node, diagnostics)),
            comps: keys.take("comps").and_then(|node| entry(node, diagnostics)),
            values,
            span: node.span,
        });
        keys.finish(diagnostics);
    }
    Some(exceptions)
}

fn entry(node: &Node, diagnostics: &mut Diagnostics) -> Option<Entry> {
    match &node.kind {
        Kind::Scalar { text, .. } => Some(Entry::One(text.clone())),
        Kind::Sequence(nodes) => {
            let entries = nodes.iter().filter_map(|node| entry(node, diagnostics));
            Some(Entry::Many(entries.collect(), node.span))
        }
        Kind::Mapping(_) => {
            diagnostics.push(shape(node, "a mapping cannot stand here".into()));
            None
        }
    }
}
