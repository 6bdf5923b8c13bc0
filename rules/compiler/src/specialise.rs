//! Conditions per event type: with `evt.type` known, most of a condition folds away.

use crate::ir::{Graph, Id, Node, Op, Test};
use crate::made;
use crate::oracle::{Value, answer, value_by_type};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{Arg, Field, FieldRef};
use saker_rules_schema::term::Term;

/// What is known of a field before any event of a type is seen.
enum Known {
    Value(Value<'static>),
    Absent,
    Nothing,
}

fn known(field: &FieldRef, event: EventType) -> Known {
    if let Some(value) = value_by_type(field, event) {
        return value.map_or(Known::Absent, Known::Value);
    }
    match field.field {
        Field::EvtArg | Field::EvtRawarg => match &field.arg {
            Arg::Key(key) => {
                let by_number = key
                    .parse::<usize>()
                    .is_ok_and(|number| number < event.params().len());
                match by_number || event.param(key).is_some() {
                    true => Known::Nothing,
                    false => Known::Absent,
                }
            }
            Arg::None | Arg::Index(_) => Known::Nothing,
        },
        _ => Known::Nothing,
    }
}

/// The answer of a test to `evt.num`, if it is the same for every number: events are counted
/// from 1, and `evt.num = 0` is how rule files write "never".
fn number_answer(op: &Op) -> Option<bool> {
    match op {
        Op::Exists => Some(true),
        Op::Numbers(values) if values.iter().all(|value| *value < 1) => Some(false),
        Op::Range(_, max) if *max < 1 => Some(false),
        Op::Range(min, max) if *min <= 1 && *max >= u64::MAX.into() => Some(true),
        Op::Numbers(_)
        | Op::Range(..)
        | Op::In(_)
        | Op::Differs(_)
        | Op::Contains(_)
        | Op::IContains(_)
        | Op::StartsWith(_)
        | Op::EndsWith(_)
        | Op::Glob(_)
        | Op::Accepted(_)
        | Op::Networks(_) => None,
    }
}

/// The nodes that no event type decides anything of: each folds to itself, for all types alike.
/// They are most of a large ruleset, and would otherwise be gone through once per event type.
pub(crate) struct Plain(Vec<bool>);

impl Plain {
    pub(crate) fn of(graph: &Graph) -> Plain {
        let mut plain: Vec<bool> = Vec::with_capacity(graph.len());
        let mut terms: HashMap<&Term, bool, FixedState> = HashMap::default();
        for node in graph.nodes() {
            // What a node is made of has come before it.
            let all = |parts: &[Id]| parts.iter().all(|part| plain[part.index()]);
            let is_plain = match node {
                Node::False | Node::True => true,
                Node::Test(test) => *terms
                    .entry(&test.term)
                    .or_insert_with(|| is_plain(&test.term)),
                Node::Not(part) => all(std::slice::from_ref(part)),
                Node::And(parts) | Node::Or(parts) => all(parts),
            };
            plain.push(is_plain);
        }
        Plain(plain)
    }

    /// False of nodes that were made later.
    fn has(&self, id: Id) -> bool {
        self.0.get(id.index()).is_some_and(|plain| *plain)
    }
}

/// Whether no event type knows anything of the term beforehand. What is made of texts alone is
/// the same for all, and folds.
fn is_plain(term: &Term) -> bool {
    let (mut any, mut plain) = (false, true);
    term.each_field(&mut |field| {
        let nothing = |event: &EventType| matches!(known(field, *event), Known::Nothing);
        any = true;
        plain &= field.field != Field::EvtNum && EventType::ALL.iter().all(nothing);
    });
    any && plain
}

/// Conditions for one event type.
pub(crate) struct Specialiser<'a> {
    event: EventType,
    plain: &'a Plain,
    /// What became of a node, under so many negations, even or odd.
    done: HashMap<(Id, bool), Id, FixedState>,
}

impl<'a> Specialiser<'a> {
    pub(crate) fn new(event: EventType, plain: &'a Plain) -> Specialiser<'a> {
        Specialiser {
            event,
            plain,
            done: HashMap::default(),
        }
    }

    /// The condition with everything folded in that is known of the event type. Recursion is
    /// bounded by the graph's depth.
    pub(crate) fn fold(&mut self, graph: &mut Graph, id: Id) -> Id {
        self.fold_under(graph, id, false)
    }

    fn fold_under(&mut self, graph: &mut Graph, id: Id, negated: bool) -> Id {
        if self.plain.has(id) {
            return id;
        }
        // It makes a difference only to names.
        let negated = negated && self.event.is_named_by_event();
        if let Some(done) = self.done.get(&(id, negated)) {
            return *done;
        }
        // Tests are not copied: there is one per rule and event type, with a pattern of up to a
        // thousand pieces.
        let part = match graph.node(id) {
            Node::Test(test) => {
                let folded = self.fold_test(id, test, negated);
                self.done.insert((id, negated), folded);
                return folded;
            }
            part => part.clone(),
        };
        let folded = match part {
            Node::False | Node::True | Node::Test(_) => id,
            Node::Not(part) => {
                let part = self.fold_under(graph, part, !negated);
                graph.not(part)
            }
            Node::And(parts) => {
                let parts = parts
                    .into_iter()
                    .map(|part| self.fold_under(graph, part, negated))
                    .collect();
                graph.and(parts)
            }
            Node::Or(parts) => {
                let parts = parts
                    .into_iter()
                    .map(|part| self.fold_under(graph, part, negated))
                    .collect();
                graph.or(parts)
            }
        };
        self.done.insert((id, negated), folded);
        folded
    }

    /// The answer of a test to the name of an event type that says its name itself, as long as
    /// it can be none of those compared with: else every rule had to be asked about such events.
    ///
    /// A call that has a type by now has none in an old capture, and its name all the same. As in
    /// Falco, whoever asks for that name is not asked about such an event; who asks for any other
    /// is, and is told the name.
    fn name_answer(&self, test: &Test, negated: bool) -> Option<bool> {
        let is_name = |field: &FieldRef| matches!(field.field, Field::EvtType | Field::SyscallType);
        if !self.event.is_named_by_event() || !test.term.field().is_some_and(is_name) {
            return None;
        }
        let may_be = |name: &Vec<u8>, asks_for_others: bool| {
            std::str::from_utf8(name).is_ok_and(|name| match asks_for_others {
                true => self.event.may_be_called(name),
                false => self.event.may_be_named(name),
            })
        };
        match &test.op {
            Op::In(names) => {
                let mut names = names.iter();
                (!names.any(|name| may_be(name, negated))).then_some(false)
            }
            Op::Differs(name) => (!may_be(name, !negated)).then_some(true),
            Op::Exists
            | Op::Numbers(_)
            | Op::Range(..)
            | Op::Contains(_)
            | Op::IContains(_)
            | Op::StartsWith(_)
            | Op::EndsWith(_)
            | Op::Glob(_)
            | Op::Accepted(_)
            | Op::Networks(_) => None,
        }
    }

    fn fold_test(&self, id: Id, test: &Test, negated: bool) -> Id {
        let counts = |field: &FieldRef| field.field == Field::EvtNum;
        let answer = if test.term.field().is_some_and(counts) {
            number_answer(&test.op)
        } else if let Some(answer) = self.name_answer(test, negated) {
            Some(answer)
        } else {
            // Absent as soon as one of its fields is, whatever the others are.
            let mut is_open = false;
            let value = made::value(&test.term, &mut |field| match known(field, self.event) {
                Known::Value(value) => Some(value),
                Known::Absent => None,
                Known::Nothing => {
                    is_open = true;
                    None
                }
            });
            (!is_open).then(|| value.is_some_and(|value| answer(&test.op, &value)))
        };
        match answer {
            None => id,
            Some(true) => Id::TRUE,
            Some(false) => Id::FALSE,
        }
    }
}
