//! Syntax trees to [`ir`](crate::ir): fields looked up, operators and values held against
//! types, Falco's quirks (absent fields, both ends, ancestors) spelled out.
//!
//! Each macro is lowered once. Comparisons are left to `compare`, values to `value`, output formats
//! to `output`.

pub(crate) mod compare;

use crate::ast::{self, Expr, Kind, Modifier, Operand, Operator, Right, Takes, Value};
use crate::automaton::Automata;
use crate::collect::Collected;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::ir::{Graph, Id, Op};
use crate::output;
use crate::resolve::Resolved;
use crate::similar::Suggestions;
use crate::terms::{self, Lower, fault};
use crate::text::Span;
use crate::value;
use crate::why::{Outline, Outlines};
use crate::{ONLY_IN_CAPTURES, Stop};
use saker_rules_schema::event::{EventType, REPORTED};
use saker_rules_schema::field::{Arg, Field, FieldRef, Flag, LINEAGE_MAX};
use saker_rules_schema::manifest;
use saker_rules_schema::syscall;
use saker_rules_schema::term::Term;
use std::collections::BTreeSet;

/// A rule whose condition is lowered.
pub(crate) struct Rule {
    pub(crate) rule: manifest::Rule,
    pub(crate) root: Id,
    /// Where its name stands.
    pub(crate) span: Span,
    pub(crate) warn_evttypes: bool,
    /// The fields in its condition that nothing gives a value.
    pub(crate) absent: BTreeSet<Field>,
    /// What its condition joins by `and`.
    pub(crate) parts: Vec<(Span, Id)>,
}

pub(crate) struct Lowered {
    /// The conditions as they are written.
    pub(crate) outlines: Outlines,
    pub(crate) graph: Graph,
    pub(crate) rules: Vec<Rule>,
    /// Per macro of [`Collected`], its condition.
    pub(crate) macros: Vec<Id>,
}

/// A macro, lowered. What is wrong with it is reported where a rule uses it; an unused one may
/// name fields that do not exist.
struct Macro {
    root: Id,
    outline: Outline,
    found: Vec<Diagnostic>,
    /// Whether something is wrong with it or with one it uses.
    faulty: bool,
    /// The first unknown field in it or in one it uses.
    unknown: Option<Diagnostic>,
    /// Whether all that has been reported.
    told: bool,
    /// The fields in it or in one it uses that nothing gives a value.
    absent: BTreeSet<Field>,
}

impl Default for Macro {
    fn default() -> Macro {
        Macro {
            root: Id::FALSE,
            outline: Outline::test(Id::FALSE),
            found: Vec::new(),
            faulty: false,
            unknown: None,
            told: false,
            absent: BTreeSet::new(),
        }
    }
}

/// Once so many faults of macros have been reported, each is reported for the first rule that
/// it is in and for no other: thousands of rules may use a macro with thousands of faults.
const REPORTS_MAX: usize = 100_000;

/// Whether a rule with `skip-if-unknown-filter` is left out for it.
fn is_unknown(diagnostic: &Diagnostic) -> bool {
    matches!(
        diagnostic.code,
        Code::UnknownField | Code::UnknownEventType | Code::Output
    )
}

pub(crate) fn lower(
    collected: &Collected,
    resolved: &Resolved,
    diagnostics: &mut Diagnostics,
    stop: Stop<'_>,
) -> Option<Lowered> {
    let mut graph = Graph::default();
    let mut automata = Automata::default();
    let mut macros: Vec<Macro> = Vec::new();
    macros.resize_with(collected.macros.len(), Macro::default);
    for &at in &resolved.order {
        if stop() {
            return None;
        }
        let mut lowering = Lowering {
            graph: &mut graph,
            automata: &mut automata,
            collected,
            macros: &macros,
            found: Vec::new(),
            absent: BTreeSet::new(),
            suggestions: &mut diagnostics.suggestions,
        };
        let (root, _, outline) = lowering.whole(&resolved.macros[at]);
        let (found, mut absent) = (lowering.found, lowering.absent);
        let used = || resolved.macro_uses[at].iter().map(|used| &macros[*used]);
        absent.extend(used().flat_map(|used| &used.absent));
        let unknown = found
            .iter()
            .find(|diagnostic| is_unknown(diagnostic))
            .or_else(|| used().find_map(|used| used.unknown.as_ref()))
            .cloned();
        macros[at] = Macro {
            root,
            outline,
            faulty: !found.is_empty() || used().any(|used| used.faulty),
            unknown,
            found,
            told: false,
            absent,
        };
    }
    let mut reports = REPORTS_MAX;
    let mut visited = vec![usize::MAX; collected.macros.len()];
    let mut rules = Vec::new();
    let mut outlines = Outlines::default();
    for (at, rule) in collected.rules.iter().enumerate() {
        if stop() {
            return None;
        }
        let mut lowering = Lowering {
            graph: &mut graph,
            automata: &mut automata,
            collected,
            macros: &macros,
            found: Vec::new(),
            absent: BTreeSet::new(),
            suggestions: &mut diagnostics.suggestions,
        };
        let (root, parts, outline) = lowering.whole(&resolved.rules[at]);
        let (found, mut absent) = (lowering.found, lowering.absent);
        let mut output_found = Vec::new();
        let suggestions = &mut diagnostics.suggestions;
        let output = output::parse(&rule.output, &mut output_found, suggestions);
        let used = resolved.rule_uses[at].iter().map(|used| &macros[*used]);
        absent.extend(used.clone().flat_map(|used| &used.absent));
        let unknown = found
            .iter()
            .chain(used.filter_map(|used| used.unknown.as_ref()))
            .chain(&output_found)
            .find(|diagnostic| is_unknown(diagnostic));
        if let Some(unknown) = unknown.filter(|_| rule.skip_if_unknown_filter) {
            let mut skipped = Diagnostic::new(
                Code::UnknownFilter,
                rule.name.whole(),
                format!(
                    "rule `{}` is left out: {}",
                    rule.name.as_str(),
                    unknown.message
                ),
            );
            if let Some(span) = unknown.span {
                skipped = skipped.context(span, "here");
            }
            diagnostics.push(skipped);
            continue;
        }
        for diagnostic in found {
            diagnostics.push(diagnostic);
        }
        let mut stack = resolved.rule_uses[at].clone();
        while let Some(used) = stack.pop() {
            let item = &mut macros[used];
            if !item.faulty || item.told && reports == 0 || visited[used] == at {
                continue;
            }
            visited[used] = at;
            item.told = true;
            let uses = &resolved.macro_uses[used];
            reports = reports.saturating_sub(1 + item.found.len() + uses.len());
            for diagnostic in &item.found {
                diagnostics.push(diagnostic.clone().rule(rule.name.as_str()));
            }
            stack.extend(uses);
        }
        for diagnostic in output_found {
            diagnostics.push(diagnostic);
        }
        outlines.rules.push(outline);
        rules.push(Rule {
            rule: manifest::Rule {
                name: rule.name.as_str().to_string(),
                description: rule.desc.as_str().to_string(),
                priority: rule.priority,
                output,
                tags: rule.tags.clone(),
                source: rule.source.clone(),
                enabled: rule.enabled,
                capture: rule.capture,
                capture_duration_ms: rule.capture_duration,
            },
            root,
            span: rule.name.whole(),
            warn_evttypes: rule.warn_evttypes,
            absent,
            parts,
        });
    }
    let roots = macros.iter().map(|item| item.root).collect();
    let names = collected.macros.iter().map(|item| item.name.as_str());
    let written = macros.into_iter().map(|item| item.outline);
    outlines.macros = names.map(str::to_owned).zip(written).collect();
    Some(Lowered {
        graph,
        outlines,
        rules,
        macros: roots,
    })
}

struct Lowering<'a> {
    graph: &'a mut Graph,
    automata: &'a mut Automata,
    collected: &'a Collected,
    macros: &'a [Macro],
    found: Vec<Diagnostic>,
    absent: BTreeSet<Field>,
    suggestions: &'a mut Suggestions,
}

impl Lowering<'_> {
    /// A whole condition, what it joins by `and`, the outermost, and how it is written.
    fn whole(&mut self, expr: &Expr) -> (Id, Vec<(Span, Id)>, Outline) {
        self.graph.take_exceeded();
        let (id, parts, outline) = match &expr.kind {
            Kind::And(joined) => {
                let (ids, outlines): (Vec<Id>, _) =
                    joined.iter().map(|part| self.expr(part)).unzip();
                let spans = joined.iter().map(|part| part.span);
                let parts = spans.zip(ids.iter().copied()).collect();
                let id = self.graph.and(ids);
                (id, parts, Outline::join(id, outlines, true))
            }
            Kind::Or(_) | Kind::Not(_) | Kind::Macro(_) | Kind::Test(_) | Kind::Invalid => {
                let (id, outline) = self.expr(expr);
                (id, vec![(expr.span, id)], outline)
            }
        };
        if self.graph.take_exceeded() {
            self.found.push(Diagnostic::new(
                Code::ConditionTooLarge,
                expr.span,
                "the condition is too large, or nested too deeply, with its macros filled in",
            ));
        }
        (id, parts, outline)
    }

    /// Recursion is bounded by the parser's bound on groups.
    fn expr(&mut self, expr: &Expr) -> (Id, Outline) {
        match &expr.kind {
            Kind::And(parts) => {
                let (ids, outlines) = parts.iter().map(|part| self.expr(part)).unzip();
                let id = self.graph.and(ids);
                (id, Outline::join(id, outlines, true))
            }
            Kind::Or(parts) => {
                let (ids, outlines) = parts.iter().map(|part| self.expr(part)).unzip();
                let id = self.graph.or(ids);
                (id, Outline::join(id, outlines, false))
            }
            Kind::Not(part) => {
                let (part, outline) = self.expr(part);
                let id = self.graph.not(part);
                (id, Outline::not(id, outline))
            }
            // Unknown ones have been reported.
            Kind::Macro(name) => match self.collected.macro_named(name) {
                Some(at) => {
                    let id = self.macros[at].root;
                    (id, Outline::of_macro(id, at))
                }
                None => (Id::FALSE, Outline::test(Id::FALSE)),
            },
            Kind::Test(test) => {
                let id = self.test(test).unwrap_or_else(|diagnostic| {
                    self.found.push(*diagnostic);
                    Id::FALSE
                });
                (id, Outline::test(id))
            }
            Kind::Invalid => (Id::FALSE, Outline::test(Id::FALSE)),
        }
    }

    fn test(&mut self, test: &ast::Test) -> Lower<Id> {
        let left = self.operand(&test.left)?;
        let plain_field = left.field().map(|field| field.field);
        if plain_field == Some(Field::EvtRes) {
            self.check_results(test.operator, values_of(test));
        }
        if let Some(time) = plain_field.and_then(written_time) {
            self.check_times(&time, test.operator, values_of(test));
        }
        compare::check_type(test.operator, &left, test.operator_span)?;
        if let Right::Operand(operand) = &test.right {
            return self.compare_with(left, test, operand);
        }
        let values = values_of(test);
        if matches!(plain_field, Some(Field::EvtType | Field::SyscallType)) {
            self.check_event_types(test.operator, values)?;
        }
        if matches!(
            test.operator,
            Operator::Equal | Operator::Equal2 | Operator::NotEqual | Operator::In
        ) {
            for value in values.iter().filter(|value| value.text == "<NA>") {
                self.found.push(
                    Diagnostic::new(
                        Code::UnsafeNaCheck,
                        value.span,
                        "comparing with `<NA>` is unsafe",
                    )
                    .help(format!(
                        "an absent field equals nothing: write `not {left} exists`"
                    )),
                );
            }
        }
        let Some((modifier, _)) = test.modifier else {
            return self.question(&left, test.operator, values);
        };
        let mut answers = Vec::new();
        for value in values {
            let value = std::slice::from_ref(value);
            answers.push(self.question(&left, test.operator, value)?);
        }
        Ok(match modifier {
            _ if answers.is_empty() => Id::FALSE,
            Modifier::Any => self.graph.or(answers),
            Modifier::All => self.graph.and(answers),
            Modifier::One => self.exactly_one(&answers).0,
        })
    }

    /// A field, or what a transformer makes of fields.
    fn operand(&mut self, operand: &Operand) -> Lower<Term> {
        let found = terms::operand(operand, self.suggestions)?;
        let mut wrong = None;
        for (field, span) in found.fields {
            self.absent
                .extend(Some(field.field).filter(|field| field.is_absent()));
            wrong = wrong.or(self.check_field(&field, span).err());
        }
        match wrong {
            Some(wrong) => Err(wrong),
            None => Ok(found.term),
        }
    }

    /// Whether exactly one of these holds, and whether none does. Halves are joined, so that
    /// the depth grows with the logarithm.
    fn exactly_one(&mut self, answers: &[Id]) -> (Id, Id) {
        match answers {
            [] => (Id::FALSE, Id::TRUE),
            [answer] => (*answer, self.graph.not(*answer)),
            more => {
                let (left, right) = more.split_at(more.len() / 2);
                let (left_one, left_none) = self.exactly_one(left);
                let (right_one, right_none) = self.exactly_one(right);
                let either = [(left_one, right_none), (left_none, right_one)]
                    .map(|(one, other)| self.graph.and(vec![one, other]));
                (
                    self.graph.or(either.to_vec()),
                    self.graph.and(vec![left_none, right_none]),
                )
            }
        }
    }

    /// One comparison with all of the values.
    fn question(&mut self, term: &Term, operator: Operator, values: &[Value]) -> Lower<Id> {
        let negative = operator == Operator::NotEqual;
        match term.field().and_then(|field| field.field.both_ends()) {
            // Falco answers from the descriptor's existence, not from its addresses.
            Some(_) if operator == Operator::Exists => {
                Ok(self.graph.test(plain(Field::FdNum), Op::Exists))
            }
            Some((client, server)) => {
                let ends = [plain(client), plain(server)];
                let mut parts = Vec::new();
                for end in &ends {
                    let part = self.compare(end, operator, values, false);
                    parts.push(part.map_err(|mut wrong| {
                        // Nobody wrote the end's name.
                        wrong.message = wrong.message.replace(&end.to_string(), &term.to_string());
                        wrong
                    })?);
                }
                let either = self.graph.or(parts);
                if !negative {
                    return Ok(either);
                }
                let exist = ends
                    .into_iter()
                    .map(|end| self.graph.test(end, Op::Exists))
                    .collect();
                let exist = self.graph.or(exist);
                let neither = self.graph.not(either);
                Ok(self.graph.and(vec![exist, neither]))
            }
            None => self.compare(term, operator, values, negative),
        }
    }

    /// Refuses fields that are for outputs, warns of fields and parameters that are never there.
    fn check_field(&mut self, field: &FieldRef, span: Span) -> Lower<()> {
        if field.field.has(Flag::PrintOnly) {
            let message = format!("field `{field}` is for outputs, not for conditions");
            return Err(fault(Code::OutputOnly, span, message));
        }
        if field.field.has(Flag::Deprecated) {
            let message = format!("field `{field}` is deprecated");
            self.found
                .push(
                    Diagnostic::new(Code::Deprecated, span, message).help(match field.field {
                        Field::EvtDir => "every event is an exit event now: remove the comparison",
                        _ => "nothing measures it any more: remove the comparison",
                    }),
                );
        }
        if let (Field::EvtAround, Arg::Key(time)) = (field.field, &field.arg)
            && time.parse::<u64>().is_err()
        {
            let message = format!("`{time}` is no time in nanoseconds since the epoch");
            return Err(fault(Code::Value, span, message));
        }
        if let (Field::EvtTypeIs, Arg::Key(name)) = (field.field, &field.arg) {
            self.check_event_type(name, span)?;
        }
        self.found
            .extend(never_there(field, span, self.suggestions));
        Ok(())
    }

    /// Warns of results as numbers: `evt.res` is a text, and never that of 0 or more.
    fn check_results(&mut self, operator: Operator, values: &[Value]) {
        if !matches!(
            operator,
            Operator::Equal | Operator::Equal2 | Operator::NotEqual | Operator::In
        ) {
            return;
        }
        for value in values.iter().filter(|value| is_number(&value.text)) {
            let help = match value.text.as_str() {
                "0" => "write `evt.res = SUCCESS`, or `evt.rawres = 0`".to_string(),
                text => format!("write `evt.rawres = {text}` for the number that a call returned"),
            };
            let message = format!("`evt.res` never equals the number `{}`", value.text);
            self.found.push(
                Diagnostic::new(Code::ResultAsNumber, value.span, message)
                    .label("it is `SUCCESS` or an error's name such as `ENOENT`")
                    .help(help),
            );
        }
    }

    /// Warns of times as numbers: Falco compares those that are written out as texts, character
    /// by character, so that `evt.time > 5` says nothing of time.
    fn check_times(&mut self, time: &WrittenTime, operator: Operator, values: &[Value]) {
        let compares = match operator {
            Operator::Equal | Operator::Equal2 | Operator::NotEqual | Operator::In => true,
            operator => operator.takes() == Takes::Number,
        };
        // An hour, or a year, is what such a time begins with.
        let is_wrong = |value: &&Value| is_number(&value.text) && value.text.len() != time.first;
        for value in values.iter().filter(is_wrong).filter(|_| compares) {
            let message = format!(
                "`{}` is compared with `{}` as a text, not as a number",
                time.field.name(),
                value.text
            );
            self.found.push(
                Diagnostic::new(Code::TimeAsNumber, value.span, message)
                    .label(format!("a time is a text such as `{}`", time.example))
                    .help(
                        "`evt.rawtime` is the time in nanoseconds since the epoch, `evt.rawtime.s` in seconds",
                    ),
            );
        }
    }

    fn check_event_types(&mut self, operator: Operator, values: &[Value]) -> Lower<()> {
        if !matches!(
            operator,
            Operator::Equal | Operator::Equal2 | Operator::NotEqual | Operator::In
        ) {
            return Ok(());
        }
        for value in values {
            self.check_event_type(&value.text, value.span)?;
        }
        Ok(())
    }

    fn check_event_type(&mut self, name: &str, span: Span) -> Lower<()> {
        let mut events = EventType::by_name(name).peekable();
        let is_in_captures =
            events.peek().is_some() || syscall::is_known(name) || REPORTED.contains(&name);
        if events.any(EventType::is_probed) {
            return Ok(());
        }
        if is_in_captures || value::is_known_event(name) {
            let seen = match is_in_captures {
                true => ("is not seen live yet", ONLY_IN_CAPTURES),
                false => ("is not seen any more", "this is never true"),
            };
            let message = format!("event type `{name}` {}", seen.0);
            let warning = Diagnostic::new(Code::EventTypeNotSeen, span, message);
            self.found.push(warning.label(seen.1));
            return Ok(());
        }
        let mut diagnostic = fault(
            Code::UnknownEventType,
            span,
            format!("unknown event type `{name}`"),
        );
        let names = EventType::ALL.iter().map(|event| event.name());
        let meant = self.suggestions.did_you_mean(name, names);
        let all = || "`saker list events` shows all event types".into();
        diagnostic.help = Some(meant.unwrap_or_else(all));
        Err(diagnostic)
    }
}

fn values_of(test: &ast::Test) -> &[Value] {
    match &test.right {
        Right::None | Right::Operand(_) => &[],
        Right::Value(value) => std::slice::from_ref(value),
        Right::List(values) => values,
    }
}

pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A field that is a time as people write it.
struct WrittenTime {
    field: Field,
    example: &'static str,
    /// How many digits it begins with.
    first: usize,
}

fn written_time(field: Field) -> Option<WrittenTime> {
    let (example, first) = match field {
        Field::EvtTime => ("13:45:01.000000000", 2),
        Field::EvtTimeS => ("13:45:01", 2),
        Field::EvtTimeIso8601 => ("2026-11-22T13:45:01.000000000+0000", 4),
        Field::EvtDatetime => ("2026-11-22 13:45:01.000000000", 4),
        Field::EvtDatetimeS => ("2026-11-22 13:45:01", 4),
        _ => return None,
    };
    Some(WrittenTime {
        field,
        example,
        first,
    })
}

/// A warning, if no event and no process ever has the field with that argument.
pub(crate) fn never_there(
    field: &FieldRef,
    span: Span,
    suggestions: &mut Suggestions,
) -> Option<Diagnostic> {
    match &field.arg {
        Arg::Key(key) if matches!(field.field, Field::EvtArg | Field::EvtRawarg) => {
            let params = || EventType::ALL.iter().flat_map(|event| event.params());
            if is_number(key) || params().any(|param| param.name == key) {
                return None;
            }
            let mut diagnostic = Diagnostic::new(
                Code::UnknownParameter,
                span,
                format!("no event type that Saker sees has a parameter `{key}`"),
            )
            .label("always absent");
            let names = params().map(|param| param.name);
            diagnostic.help = suggestions.did_you_mean(key, names);
            Some(diagnostic)
        }
        Arg::Index(level) if field.field.is_ancestor() && *level as usize > LINEAGE_MAX => Some(
            Diagnostic::new(
                Code::UnknownParameter,
                span,
                format!("no ancestor above the {LINEAGE_MAX}th is known"),
            )
            .label("always absent"),
        ),
        Arg::None | Arg::Index(_) | Arg::Key(_) => None,
    }
}

fn plain(field: Field) -> Term {
    Term::Field(FieldRef {
        field,
        arg: Arg::None,
    })
}
