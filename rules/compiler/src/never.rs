//! Why a condition holds for no event: the fields in it that nothing gives a value, and those of
//! its parts that hold for none by themselves, or contradict each other.
//!
//! That it holds for none is found by `specialise`.

use crate::diagnostic::Label;
use crate::ir::{Graph, Id, Node, Op};
use crate::lower::Rule;
use crate::specialise::{Plain, Specialiser};
use crate::text::Span;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use saker_rules_schema::event::{Class, EventType};
use saker_rules_schema::field::Field;
use saker_rules_schema::term::Term;
use std::collections::BTreeSet;

/// So many rules are looked into,
const RULES_MAX: usize = 20;
/// each if it has no more parts: they are held against each other in pairs.
const PARTS_MAX: usize = 32;

/// Why a condition holds for no event, by the fields in it that nothing gives a value.
pub fn why_never(absent: &BTreeSet<Field>) -> String {
    let names: Vec<String> = (absent.iter())
        .map(|field| format!("`{}`", field.name()))
        .collect();
    match names.as_slice() {
        [] => "its comparisons contradict each other, or ask for what no event type has".into(),
        [name] => format!("{name} has no value yet"),
        names => format!("{} have no value yet", names.join(", ")),
    }
}

/// So many comparisons of one field are held against others of it.
const COMPARED_MAX: usize = 16;

const WHERE: &str = "where this holds,";
const NOT: &str = "this does not";

fn label(span: Span, text: &str) -> Label {
    Label {
        span,
        text: text.into(),
    }
}

/// Whether no value meets both.
fn are_apart(one: &Op, other: &Op) -> bool {
    let within = |values: &[i128], min: &i128, max: &i128| {
        values.iter().any(|value| (min..=max).contains(&value))
    };
    match (one, other) {
        (Op::In(one), Op::In(other)) => !one.iter().any(|value| other.binary_search(value).is_ok()),
        (Op::Numbers(one), Op::Numbers(other)) => {
            !one.iter().any(|value| other.binary_search(value).is_ok())
        }
        (Op::Numbers(values), Op::Range(min, max)) | (Op::Range(min, max), Op::Numbers(values)) => {
            !within(values, min, max)
        }
        (Op::Range(min, max), Op::Range(least, most)) => max < least || most < min,
        _ => false,
    }
}

/// What conditions that hold for no event have in them that is to blame.
pub(crate) struct Culprits<'a> {
    graph: &'a mut Graph,
    plain: Plain,
    rules_left: usize,
}

impl<'a> Culprits<'a> {
    pub(crate) fn new(graph: &'a mut Graph) -> Culprits<'a> {
        Culprits {
            plain: Plain::of(graph),
            graph,
            rules_left: RULES_MAX,
        }
    }

    /// The one part that holds for no event, or the first two that never hold together.
    pub(crate) fn of(&mut self, rule: &Rule) -> Vec<Label> {
        if self.rules_left == 0 || rule.parts.len() > PARTS_MAX {
            return Vec::new();
        }
        self.rules_left -= 1;
        let folded = self.fold(&rule.parts);
        let is_never = |at: usize| folded.iter().all(|of_type| of_type[at] == Id::FALSE);
        let parts = || rule.parts.iter().enumerate();
        if let Some((_, &(span, _))) = parts().find(|(at, _)| is_never(*at)) {
            return vec![label(span, "this holds for no event")];
        }
        for (second, &(span, _)) in parts() {
            for (first, &(other, _)) in parts().take(second) {
                let mut is_never = true;
                for of_type in &folded {
                    let both = vec![of_type[first], of_type[second]];
                    is_never &= self.graph.and(both) == Id::FALSE;
                }
                if is_never {
                    return vec![label(other, WHERE), label(span, NOT)];
                }
            }
        }
        Vec::new()
    }

    /// Two comparisons of one field that have no value in common. What is asked of it once per
    /// event type is found where conditions are folded; this is for the others.
    pub(crate) fn contradiction(&self, rule: &Rule) -> Option<Vec<Label>> {
        let mut asked: HashMap<&Term, Vec<(Span, &Op)>, FixedState> = HashMap::default();
        for &(span, part) in &rule.parts {
            let mut stack = vec![part];
            while let Some(id) = stack.pop() {
                let test = match self.graph.node(id) {
                    Node::And(parts) => {
                        stack.extend(parts);
                        continue;
                    }
                    Node::Test(test) if !test.term.is_list() => test,
                    Node::Test(_) | Node::Or(_) | Node::Not(_) | Node::True | Node::False => {
                        continue;
                    }
                };
                let known = asked.entry(&test.term).or_default();
                let other = known.iter().find(|(_, op)| are_apart(op, &test.op));
                if let Some(&(other, _)) = other {
                    return Some(vec![label(other, WHERE), label(span, NOT)]);
                }
                if known.len() < COMPARED_MAX {
                    known.push((span, &test.op));
                }
            }
        }
        None
    }

    /// Per event type, what is left of the parts.
    fn fold(&mut self, parts: &[(Span, Id)]) -> Vec<Vec<Id>> {
        let mut folded = Vec::new();
        for &event in EventType::ALL {
            if event.class() == Class::Plugin {
                continue;
            }
            let mut specialiser = Specialiser::new(event, &self.plain);
            let fold = |&(_, part): &(Span, Id)| specialiser.fold(self.graph, part);
            folded.push(parts.iter().map(fold).collect());
        }
        folded
    }
}
