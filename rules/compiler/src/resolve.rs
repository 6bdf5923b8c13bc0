//! Lists into conditions, conditions into syntax trees, macros into an order in which each
//! comes after those it uses.
//!
//! Lists are filled in as text, as Falco does it: a list's name, standing as a whole word,
//! is replaced by its items, wherever it stands. Macros stay names; `lower` translates each of
//! them once.

use crate::ast::{Expr, Kind};
use crate::collect::{Collected, List, Macro};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::exception::push_quoted;
use crate::parse;
use crate::text::{Span, Text};

/// No condition is longer with its lists filled in.
const CONDITION_BYTES_MAX: usize = 4 << 20;
/// Nor are all of them together.
const CONDITIONS_BYTES_MAX: usize = 16 << 20;

/// Conditions parsed, macros in order.
pub(crate) struct Resolved {
    /// Per macro of [`Collected`].
    pub(crate) macros: Vec<Expr>,
    /// Macros, each after those it uses. Those in a loop are missing.
    pub(crate) order: Vec<usize>,
    /// Per macro, the macros it names.
    pub(crate) macro_uses: Vec<Vec<usize>>,
    /// Per rule.
    pub(crate) rules: Vec<Expr>,
    /// Per rule, the macros its condition names.
    pub(crate) rule_uses: Vec<Vec<usize>>,
    /// Per list of [`Collected`], its items with the lists among them filled in.
    pub(crate) list_items: Vec<Vec<String>>,
    /// Per macro, the lists its condition names itself.
    pub(crate) macro_lists: Vec<Vec<usize>>,
    /// Per rule, the same.
    pub(crate) rule_lists: Vec<Vec<usize>>,
    /// Per list, whether anything uses it.
    pub(crate) lists_used: Vec<bool>,
    /// Per macro, the same.
    pub(crate) macros_used: Vec<bool>,
}

pub(crate) fn resolve(collected: &Collected, diagnostics: &mut Diagnostics) -> Resolved {
    let mut lists = Lists::new(collected);
    let mut parsed = |text: &Text, diagnostics: &mut Diagnostics| {
        let expr = match lists.fill(text) {
            Some(text) => parse::parse(&text, diagnostics),
            None => {
                diagnostics.push(Diagnostic::new(
                    Code::ConditionTooLarge,
                    text.whole(),
                    format!(
                        "the condition is too long with its lists filled in: one may have {} MiB, all together {}",
                        CONDITION_BYTES_MAX >> 20,
                        CONDITIONS_BYTES_MAX >> 20
                    ),
                ));
                Expr {
                    kind: Kind::Invalid,
                    span: text.whole(),
                }
            }
        };
        (expr, std::mem::take(&mut lists.named))
    };
    let (macros, macro_lists): (Vec<Expr>, Vec<_>) = collected
        .macros
        .iter()
        .map(|item| parsed(&item.condition, diagnostics))
        .unzip();
    let (rules, rule_lists): (Vec<Expr>, Vec<_>) = collected
        .rules
        .iter()
        .map(|rule| parsed(&rule.condition, diagnostics))
        .unzip();

    let macro_uses: Vec<Vec<usize>> = macros
        .iter()
        .zip(&collected.macros)
        .map(|(expr, item)| uses(expr, &macros, collected, Some(item), None, diagnostics))
        .collect();
    let rule_uses: Vec<Vec<usize>> = rules
        .iter()
        .zip(&collected.rules)
        .map(|(expr, rule)| {
            let rule = Some(rule.name.as_str());
            uses(expr, &macros, collected, None, rule, diagnostics)
        })
        .collect();
    let order = order(collected, &macro_uses, diagnostics);
    let mut macros_used = vec![false; collected.macros.len()];
    for used in macro_uses.iter().chain(&rule_uses).flatten() {
        macros_used[*used] = true;
    }
    for span in lists.unfilled.drain(..) {
        diagnostics.push(
            Diagnostic::new(
                Code::ListNotFilled,
                span,
                "a list's name that is not filled in here",
            )
            .label("compared as a text")
            .help(
                "a list of a list of a list is not filled in, as in Falco: name this one in the condition, or its items here",
            ),
        );
    }
    warn_of_unused(collected, &lists.used, &macros_used, diagnostics);
    let texts = |items: &Vec<&Text>| items.iter().map(|item| item.as_str().into()).collect();
    Resolved {
        macros,
        order,
        macro_uses,
        rules,
        rule_uses,
        list_items: lists.items.iter().map(texts).collect(),
        macro_lists,
        rule_lists,
        lists_used: lists.used,
        macros_used,
    }
}

/// Lists with the lists among their items filled in.
struct Lists<'a> {
    collected: &'a Collected,
    items: Vec<Vec<&'a Text>>,
    used: Vec<bool>,
    /// Those that the text filled in last names itself.
    named: Vec<usize>,
    /// Items of lists that are lists' names, and stayed texts.
    unfilled: Vec<Span>,
    room: usize,
    /// Lists whose names are more than one word.
    phrases: Vec<usize>,
}

/// No more items that stayed texts are kept to be told.
const UNFILLED_MAX: usize = 1000;
/// No more of them are looked for.
const PHRASES_MAX: usize = 64;

fn is_delimiter(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\n' | b'\r' | b'(' | b')' | b',' | b'='
    )
}

impl<'a> Lists<'a> {
    fn new(collected: &'a Collected) -> Lists<'a> {
        let mut used = vec![false; collected.lists.len()];
        let mut room = CONDITIONS_BYTES_MAX;
        let mut items = Vec::new();
        for list in &collected.lists {
            // An item that names an earlier list stands for that list's items as written:
            // one level here, as in Falco; the rest is found when a condition is filled in.
            let mut filled: Vec<&Text> = Vec::new();
            for item in &list.items {
                let earlier = collected
                    .list(item.as_str())
                    .filter(|other| collected.lists[*other].index < list.visibility);
                match earlier {
                    Some(other) if !std::ptr::eq(&collected.lists[other], list) => {
                        used[other] = true;
                        let others: &List = &collected.lists[other];
                        let bytes: usize = others.items.iter().map(|item| item.len() + 2).sum();
                        if bytes > room {
                            continue;
                        }
                        room -= bytes;
                        filled.extend(&others.items);
                    }
                    Some(_) | None => filled.push(item),
                }
            }
            items.push(filled);
        }
        Lists {
            collected,
            items,
            used,
            named: Vec::new(),
            unfilled: Vec::new(),
            room,
            phrases: (0..collected.lists.len())
                .filter(|at| collected.lists[*at].name.as_str().bytes().any(is_delimiter))
                .take(PHRASES_MAX)
                .collect(),
        }
    }

    /// The list whose name stands at the beginning of a text, and how long that name is.
    fn list_at(&self, text: &str, first: usize) -> Option<(usize, usize)> {
        let ends = |len: usize| {
            text.as_bytes()
                .get(len)
                .is_none_or(|byte| is_delimiter(*byte))
        };
        for &list in &self.phrases {
            let name = self.collected.lists[list].name.as_str();
            if list >= first && text.starts_with(name) && ends(name.len()) {
                return Some((list, name.len()));
            }
        }
        let word = text.bytes().take_while(|byte| !is_delimiter(*byte)).count();
        let list = self.collected.list(&text[..word])?;
        (list >= first).then_some((list, word))
    }

    /// The text with its lists filled in; `None` if it becomes too long.
    fn fill(&mut self, text: &Text) -> Option<Text> {
        let mut out = Text::default();
        let limit = CONDITION_BYTES_MAX.min(self.room);
        let filled = self.fill_words(text, 0, &mut out, limit, 0);
        self.named.sort_unstable();
        self.named.dedup();
        // One that became too long has taken as much time.
        self.room -= out.len().min(self.room);
        filled.map(|()| out)
    }

    /// Falco goes through the lists in their order and replaces each one's name throughout, so
    /// that the items of one may be names only of later ones: `first` and up.
    fn fill_words(
        &mut self,
        text: &Text,
        first: usize,
        out: &mut Text,
        limit: usize,
        depth: usize,
    ) -> Option<()> {
        let bytes = text.as_str().as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let word = bytes[at..]
                .iter()
                .take_while(|byte| !is_delimiter(**byte))
                .count();
            let list = match word {
                0 => None,
                _ => self.list_at(&text.as_str()[at..], first),
            };
            let end = at + list.map_or(word, |(_, len)| len);
            match list {
                Some((list, _)) if depth < 64 => {
                    self.used[list] = true;
                    if depth == 0 {
                        self.named.push(list);
                    }
                    let items = self.items[list].clone();
                    if items.is_empty() {
                        at = skip_empty(text, end, out);
                        continue;
                    }
                    for (position, item) in items.iter().enumerate() {
                        if position > 0 {
                            out.push_made(", ", item.whole());
                        }
                        let mut quoted = Text::default();
                        push_quoted(&mut quoted, item);
                        self.fill_words(&quoted, list + 1, out, limit, depth + 1)?;
                    }
                }
                Some(_) => return None,
                None if word > 0 => {
                    let range = at..end;
                    if depth > 0 {
                        self.note_unfilled(text, range.clone());
                    }
                    out.push_part(text, range);
                }
                None => {
                    out.push_part(text, at..at + 1);
                    at += 1;
                    continue;
                }
            }
            at = end;
            if out.len() > limit {
                return None;
            }
        }
        (out.len() <= limit).then_some(())
    }
}

impl Lists<'_> {
    /// Notes an item that is the name of another list than its own.
    fn note_unfilled(&mut self, text: &Text, range: std::ops::Range<usize>) {
        let Some(named) = self.collected.list(&text.as_str()[range.clone()]) else {
            return;
        };
        let span = text.span(range);
        let own = &self.collected.lists[named].items;
        if self.unfilled.len() < UNFILLED_MAX && !own.iter().any(|item| item.whole() == span) {
            self.unfilled.push(span);
        }
    }
}

/// An empty list takes one neighbouring comma with it. Gives where to go on.
fn skip_empty(text: &Text, end: usize, out: &mut Text) -> usize {
    let written = out.as_str().trim_end_matches([' ', '\t', '\n', '\r']);
    if written.ends_with(',') {
        let kept = written.len() - 1;
        out.truncate(kept);
        return end;
    }
    let rest = &text.as_str()[end..];
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    if rest[blanks..].starts_with(',') {
        return end + blanks + 1;
    }
    end
}

/// The names of macros in a condition.
fn named(expr: &Expr) -> Vec<(&str, Span)> {
    let mut names = Vec::new();
    let mut stack = vec![expr];
    while let Some(expr) = stack.pop() {
        match &expr.kind {
            Kind::And(parts) | Kind::Or(parts) => stack.extend(parts),
            Kind::Not(part) => stack.push(part),
            Kind::Test(_) | Kind::Invalid => {}
            Kind::Macro(name) => names.push((name.as_str(), expr.span)),
        }
    }
    names
}

/// The macros a condition names, which is that of the macro `of`, if of one.
fn uses(
    expr: &Expr,
    macros: &[Expr],
    collected: &Collected,
    of: Option<&Macro>,
    rule: Option<&str>,
    diagnostics: &mut Diagnostics,
) -> Vec<usize> {
    let mut used = Vec::new();
    for (name, span) in named(expr) {
        match collected.macro_named(name) {
            Some(known) => {
                let defined = &collected.macros[known];
                let early = of.filter(|of| defined.index > of.visibility);
                let Some(of) = early else {
                    used.push(known);
                    continue;
                };
                let of = of.name.as_str();
                let is_mutual = named(&macros[known]).iter().any(|(name, _)| *name == of);
                diagnostics.push(
                    Diagnostic::new(
                        Code::MacroOrder,
                        span,
                        format!("macro `{name}` is used before it is defined"),
                    )
                    .context(defined.name.whole(), "defined here")
                    .help(match is_mutual {
                        true => format!("take `{of}` out of `{name}`: each names the other"),
                        false => "move the definition up".into(),
                    }),
                );
            }
            None => {
                let mut diagnostic =
                    Diagnostic::new(Code::UnknownMacro, span, format!("unknown macro `{name}`"));
                let names = collected.macros.iter().map(|item| item.name.as_str());
                let meant = parse::connective(name).map(|meant| format!("write `{meant}`"));
                diagnostic.help =
                    meant.or_else(|| diagnostics.suggestions.did_you_mean(name, names));
                if diagnostic.help.is_none() && collected.list(name).is_some() {
                    diagnostic.help =
                        Some(format!("`{name}` is a list: write `FIELD in ({name})`"));
                }
                if let Some(rule) = rule {
                    diagnostic = diagnostic.rule(rule);
                }
                diagnostics.push(diagnostic);
            }
        }
    }
    used.sort_unstable();
    used.dedup();
    used
}

/// Macros, each after those it uses; a loop is reported and left out.
fn order(collected: &Collected, uses: &[Vec<usize>], diagnostics: &mut Diagnostics) -> Vec<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; uses.len()];
    let mut order = Vec::new();
    for start in 0..uses.len() {
        if marks[start] != Mark::New {
            continue;
        }
        marks[start] = Mark::Open;
        let mut path = vec![(start, 0)];
        while let Some((at, next)) = path.last_mut() {
            let Some(&used) = uses[*at].get(*next) else {
                marks[*at] = Mark::Done;
                order.push(*at);
                path.pop();
                continue;
            };
            *next += 1;
            match marks[used] {
                Mark::Done => {}
                Mark::New => {
                    marks[used] = Mark::Open;
                    path.push((used, 0));
                }
                Mark::Open => {
                    let item = &collected.macros[used];
                    diagnostics.push(
                        Diagnostic::new(
                            Code::MacroLoop,
                            item.name.whole(),
                            format!("macro `{}` refers to itself", item.name.as_str()),
                        )
                        .context(
                            collected.macros[*at].condition.whole(),
                            "through this condition",
                        ),
                    );
                }
            }
        }
    }
    order
}

fn warn_of_unused(
    collected: &Collected,
    lists: &[bool],
    macros: &[bool],
    diagnostics: &mut Diagnostics,
) {
    let macros = (collected.macros.iter().zip(macros))
        .map(|(item, used)| (Code::UnusedMacro, "macro", &item.name, *used));
    let lists = (collected.lists.iter().zip(lists))
        .map(|(list, used)| (Code::UnusedList, "list", &list.name, *used));
    for (code, what, name, _) in macros.chain(lists).filter(|(.., used)| !used) {
        let message = format!("{what} `{}` is used by nothing", name.as_str());
        diagnostics.push(
            Diagnostic::new(code, name.whole(), message)
                .label("no rule asks for it")
                .help(format!(
                    "remove the {what}, or load the rules that use it as well"
                )),
        );
    }
}
