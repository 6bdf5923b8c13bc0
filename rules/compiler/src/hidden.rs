//! Rules that never come to their turn: where only the first rule that holds gives an alert, a
//! rule is hidden if, whatever event it holds for, one before it holds as well.
//!
//! What is found is certain, and by far not all: a condition is compared part by part, once per
//! event type, and a part follows from another only if it is the same, asks for more values, or
//! is an or that has it as a part.

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::ir::{Graph, Id, Node, Op};
use crate::lower::Rule;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use saker_rules_schema::event::EventType;
use saker_rules_schema::term::Term;

/// No more comparisons of parts or values are made: half a second, and far more than rulesets
/// need whose rules have little in common.
const STEPS_MAX: usize = 20_000_000;
/// No more of the rules that hide one are shown.
const SHOWN_MAX: usize = 3;

/// Warns of rules that are hidden.
pub(crate) fn warn(
    rules: &[Rule],
    graph: &Graph,
    specialised: &[(EventType, Vec<Id>)],
    diagnostics: &mut Diagnostics,
) {
    for (hidden, by) in find(rules, graph, specialised) {
        let name = |at: usize| rules[at].rule.name.as_str();
        let mut message = format!(
            "rule `{}` is hidden by rule `{}`",
            name(hidden),
            name(by[0])
        );
        if by.len() > 1 {
            message += &format!(" and {} more", by.len() - 1);
        }
        let mut diagnostic = Diagnostic::new(Code::Hidden, rules[hidden].span, message)
            .label("whenever it holds, an earlier rule does, and only the first gives an alert")
            .help("put it first, except its case from the other, or set `rule_matching` to `all`");
        for &at in by.iter().take(SHOWN_MAX) {
            diagnostic = diagnostic.context(rules[at].span, "comes before it");
        }
        diagnostics.push(diagnostic);
    }
}

/// Hidden rules, with those that hide them for one event type or another, in load order.
fn find(
    rules: &[Rule],
    graph: &Graph,
    specialised: &[(EventType, Vec<Id>)],
) -> Vec<(usize, Vec<usize>)> {
    // Per rule: those that hide it; `None` once it has its turn for some event type.
    let mut hidden: Vec<Option<Vec<usize>>> = vec![Some(Vec::new()); rules.len()];
    let mut steps = STEPS_MAX;
    for (_, roots) in specialised {
        let mut earlier = Earlier::new(graph, &mut steps);
        for (at, &root) in roots.iter().enumerate() {
            if root == Id::FALSE || !rules[at].rule.enabled {
                continue;
            }
            // Asked also of a rule that has its turn elsewhere: what hides it here hides
            // whatever it would hide.
            match (earlier.before(root), &mut hidden[at]) {
                (Some(by), Some(known)) => known.push(by),
                (Some(_), None) => {}
                (None, known) => {
                    *known = None;
                    earlier.add(root, at);
                }
            }
        }
    }
    let hidden = hidden.into_iter().enumerate();
    hidden
        .filter_map(|(at, by)| {
            let mut by = by?;
            by.sort_unstable();
            by.dedup();
            // Those that hold for nothing are warned of for that.
            (!by.is_empty()).then_some((at, by))
        })
        .collect()
}

/// The rules met so far that can hold for an event type.
struct Earlier<'a> {
    graph: &'a Graph,
    steps: &'a mut usize,
    /// One that always holds.
    always: Option<usize>,
    /// Conditions that make a rule hold, each below one of its parts: the one that the fewest
    /// stand below.
    below: HashMap<Id, Vec<(Id, usize)>, FixedState>,
    /// Parts of these that ask one field for a set of values.
    sets: HashMap<&'a Term, Vec<Id>, FixedState>,
    /// Parts of these that are ors, below each of their own parts.
    ors: HashMap<Id, Vec<Id>, FixedState>,
    /// The parts that are in either.
    known: HashSet<Id, FixedState>,
}

impl<'a> Earlier<'a> {
    fn new(graph: &'a Graph, steps: &'a mut usize) -> Earlier<'a> {
        Earlier {
            graph,
            steps,
            always: None,
            below: HashMap::default(),
            sets: HashMap::default(),
            ors: HashMap::default(),
            known: HashSet::default(),
        }
    }

    fn add(&mut self, root: Id, rule: usize) {
        if root == Id::TRUE {
            self.always.get_or_insert(rule);
        }
        let graph = self.graph;
        let alternatives = alternatives(graph, &root).iter();
        for &condition in alternatives.chain(std::iter::once(&root)) {
            let parts = parts(graph, &condition);
            let fewest = parts
                .iter()
                .min_by_key(|part| self.below.get(*part).map_or(0, Vec::len));
            let Some(fewest) = fewest else { continue };
            let below = self.below.entry(*fewest).or_default();
            // A condition that is no or is its own only alternative.
            if below.last() != Some(&(condition, rule)) {
                below.push((condition, rule));
            }
            for &part in parts {
                if !self.known.insert(part) {
                    continue;
                }
                if let Some((field, _)) = set(graph, part) {
                    self.sets.entry(field).or_default().push(part);
                }
                if let Node::Or(inner) = graph.node(part) {
                    for &inner in inner {
                        self.ors.entry(inner).or_default().push(part);
                    }
                }
            }
        }
    }

    /// A rule that holds whenever the condition does; of several alternatives, a rule for the
    /// first, if there is one for each.
    fn before(&mut self, root: Id) -> Option<usize> {
        if self.always.is_some() {
            return self.always;
        }
        if let Some(rule) = self.follows(root) {
            return Some(rule);
        }
        match alternatives(self.graph, &root) {
            [_] => None,
            alternatives => alternatives.iter().try_fold(None, |first, alternative| {
                let rule = self.follows(*alternative)?;
                Some(first.or(Some(rule)))
            })?,
        }
    }

    /// A rule that holds whenever all parts of the condition do.
    fn follows(&mut self, condition: Id) -> Option<usize> {
        let mut holding: Vec<Id> = parts(self.graph, &condition).to_vec();
        for at in 0..holding.len() {
            self.widen(holding[at], &mut holding)?;
        }
        for at in 0..holding.len() {
            let ors = self.ors.get(&holding[at]).into_iter().flatten();
            let before = holding.len();
            holding.extend(ors);
            *self.steps = self.steps.checked_sub(holding.len() - before)?;
        }
        let all: HashSet<Id, FixedState> = holding.iter().copied().collect();
        let mut found: Option<usize> = None;
        for part in &holding {
            for &(earlier, rule) in self.below.get(part).into_iter().flatten() {
                let parts = parts(self.graph, &earlier);
                *self.steps = self.steps.checked_sub(parts.len())?;
                if found.is_none_or(|found| rule < found)
                    && parts.iter().all(|part| all.contains(part))
                {
                    found = Some(rule);
                }
            }
        }
        found
    }

    /// Adds the parts that hold because a set of values lies in theirs.
    fn widen(&mut self, part: Id, holding: &mut Vec<Id>) -> Option<()> {
        let Some((field, inner)) = set(self.graph, part) else {
            return Some(());
        };
        for &wider in self.sets.get(field).into_iter().flatten() {
            let Some((_, outer)) = set(self.graph, wider) else {
                continue;
            };
            *self.steps = self.steps.checked_sub(1 + inner.len())?;
            if wider != part && inner.within(&outer) {
                holding.push(wider);
            }
        }
        Some(())
    }
}

/// What makes a condition hold: the parts of an or, else the whole.
fn alternatives<'a>(graph: &'a Graph, condition: &'a Id) -> &'a [Id] {
    match graph.node(*condition) {
        Node::Or(parts) => parts,
        Node::And(_) | Node::Not(_) | Node::Test(_) | Node::True | Node::False => {
            std::slice::from_ref(condition)
        }
    }
}

/// What must all hold: the parts of an and, else the whole.
fn parts<'a>(graph: &'a Graph, condition: &'a Id) -> &'a [Id] {
    match graph.node(*condition) {
        Node::And(parts) => parts,
        Node::Or(_) | Node::Not(_) | Node::Test(_) | Node::True | Node::False => {
            std::slice::from_ref(condition)
        }
    }
}

/// The values of a question whether a field has one of them, sorted.
enum Values<'a> {
    Texts(&'a [Vec<u8>]),
    Numbers(&'a [i128]),
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Values::Texts(texts) => texts.len(),
            Values::Numbers(numbers) => numbers.len(),
        }
    }

    fn within(&self, other: &Values<'_>) -> bool {
        fn all_in<T: Ord>(inner: &[T], outer: &[T]) -> bool {
            inner.len() <= outer.len()
                && inner.iter().all(|value| outer.binary_search(value).is_ok())
        }
        match (self, other) {
            (Values::Texts(inner), Values::Texts(outer)) => all_in(inner, outer),
            (Values::Numbers(inner), Values::Numbers(outer)) => all_in(inner, outer),
            (Values::Texts(_) | Values::Numbers(_), Values::Texts(_) | Values::Numbers(_)) => false,
        }
    }
}

fn set(graph: &Graph, part: Id) -> Option<(&Term, Values<'_>)> {
    let Node::Test(test) = graph.node(part) else {
        return None;
    };
    let values = match &test.op {
        Op::In(texts) => Values::Texts(texts),
        Op::Numbers(numbers) => Values::Numbers(numbers),
        Op::Exists
        | Op::Differs(_)
        | Op::Contains(_)
        | Op::IContains(_)
        | Op::StartsWith(_)
        | Op::EndsWith(_)
        | Op::Glob(_)
        | Op::Accepted(_)
        | Op::Networks(_)
        | Op::Range(..) => return None,
    };
    Some((&test.term, values))
}
