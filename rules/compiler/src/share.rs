//! Which parts of a function's conditions are evaluated at most once, and in which order the
//! parts of an and or an or are tried: the cheap and telling ones first.

use crate::ir::{Graph, Id, Node, Op};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use saker_rules_schema::term::Term;

/// A part that costs less is computed again: remembering costs about as much.
const SHARED_COST_MIN: u32 = 9;
/// A cheap test used so often is made once, before the rules, and kept in a local.
const EARLY_USES_MIN: u32 = 3;
/// No more than so many: each is made whether or not a rule comes to ask for it.
const EARLY_MAX: usize = 24;
/// What a list costs over one value.
const LIST_FACTOR: u32 = 6;

/// What a node costs, in loads or thereabouts.
pub(crate) struct Costs<'a> {
    graph: &'a Graph,
    bits: &'a HashMap<Id, u32, FixedState>,
    known: HashMap<Id, u32, FixedState>,
    early: HashMap<Id, u32, FixedState>,
}

impl<'a> Costs<'a> {
    pub(crate) fn new(graph: &'a Graph, bits: &'a HashMap<Id, u32, FixedState>) -> Costs<'a> {
        Costs {
            graph,
            bits,
            known: HashMap::default(),
            early: HashMap::default(),
        }
    }

    /// Tests that are made early cost next to nothing where they are used.
    pub(crate) fn set_early(&mut self, early: &HashMap<Id, u32, FixedState>) {
        self.early = early.clone();
        self.known.clear();
    }

    /// Recursion is bounded by the graph's depth.
    pub(crate) fn of(&mut self, id: Id) -> u32 {
        if self.early.contains_key(&id) {
            return 1;
        }
        if self.bits.contains_key(&id) {
            return 3;
        }
        if let Some(cost) = self.known.get(&id) {
            return *cost;
        }
        let cost = match self.graph.node(id) {
            Node::False | Node::True => 0,
            Node::Test(test) => {
                let cost = match &test.op {
                    // Equality is the most telling: it is rarely true.
                    Op::In(values) if values.len() == 1 => 2,
                    Op::Numbers(values) => 1 + values.len().min(100) as u32,
                    Op::Exists | Op::In(_) | Op::Differs(_) | Op::Range(..) => 4,
                    Op::StartsWith(_) => 5,
                    Op::EndsWith(_) => 9,
                    Op::Contains(_) => 60,
                    Op::IContains(_) => 100,
                    Op::Networks(networks) => 4 + 4 * networks.len().min(100) as u32,
                    Op::Accepted(_) => 80,
                    // Its beginning is asked for first.
                    Op::Glob(pattern) if !pattern.literal_start().is_empty() => 10,
                    Op::Glob(_) => 150,
                };
                match test.term.is_list() {
                    true => cost * LIST_FACTOR,
                    false => cost,
                }
            }
            Node::Not(part) => self.of(*part).saturating_add(2),
            Node::And(parts) | Node::Or(parts) => parts
                .iter()
                .fold(0u32, |sum, part| sum.saturating_add(self.of(*part))),
        };
        self.known.insert(id, cost);
        cost
    }

    /// The parts in the order in which they are to be tried.
    pub(crate) fn sorted(&mut self, parts: &[Id]) -> Vec<Id> {
        let mut parts = parts.to_vec();
        parts.sort_by_cached_key(|part| self.of(*part));
        parts
    }
}

/// The nodes below these roots that are used more than once and cost enough to be remembered,
/// each after those it refers to. `bits` are not entered, unless they are the roots.
pub(crate) fn shared(graph: &Graph, roots: &[Id], costs: &mut Costs<'_>) -> Vec<Id> {
    let mut shared: Vec<Id> = uses(graph, roots, costs)
        .into_iter()
        .filter(|(id, count)| *count > 1 && !costs.bits.contains_key(id))
        .map(|(id, _)| id)
        .filter(|id| costs.of(*id) >= SHARED_COST_MIN)
        .collect();
    shared.sort_unstable();
    shared
}

/// The cheap tests most used by these roots.
pub(crate) fn early(graph: &Graph, roots: &[Id], costs: &mut Costs<'_>) -> Vec<Id> {
    let mut early: Vec<(u32, Id)> = uses(graph, roots, costs)
        .into_iter()
        .filter(|(id, count)| *count >= EARLY_USES_MIN && !costs.bits.contains_key(id))
        .filter(|(id, _)| matches!(graph.node(*id), Node::Test(_)))
        .filter(|(id, _)| costs.of(*id) < SHARED_COST_MIN)
        .map(|(id, count)| (count, id))
        .collect();
    early.sort_unstable_by_key(|(count, id)| (std::cmp::Reverse(*count), *id));
    early.truncate(EARLY_MAX);
    early.into_iter().map(|(_, id)| id).collect()
}

/// Slots that several tests of these roots read, and whether for the text or for the id only.
pub(crate) fn often(
    graph: &Graph,
    roots: &[Id],
    costs: &Costs<'_>,
    slot_of: &HashMap<Term, u16, FixedState>,
) -> Vec<(u16, bool)> {
    let mut readers: HashMap<(u16, bool), u32, FixedState> = HashMap::default();
    for id in uses(graph, roots, costs).into_keys() {
        let Node::Test(test) = graph.node(id) else {
            continue;
        };
        let Some(slot) = slot_of.get(&test.term).filter(|_| !test.term.is_list()) else {
            continue;
        };
        if test.op.needs_bytes() || matches!(test.op, Op::In(_)) {
            *readers.entry((*slot, test.op.needs_bytes())).or_insert(0) += 1;
        }
    }
    let mut often: Vec<(u16, bool)> = readers
        .into_iter()
        .filter(|(_, count)| *count >= EARLY_USES_MIN)
        .map(|(reader, _)| reader)
        .collect();
    often.sort_unstable();
    often.truncate(EARLY_MAX);
    often
}

/// How often each node is referred to below these roots.
fn uses(graph: &Graph, roots: &[Id], costs: &Costs<'_>) -> HashMap<Id, u32, FixedState> {
    let mut uses: HashMap<Id, u32, FixedState> = HashMap::default();
    let mut stack = roots.to_vec();
    while let Some(id) = stack.pop() {
        let count = uses.entry(id).or_insert(0);
        *count += 1;
        if *count > 1 || costs.bits.contains_key(&id) {
            continue;
        }
        match graph.node(id) {
            Node::False | Node::True | Node::Test(_) => {}
            Node::Not(part) => stack.push(*part),
            Node::And(parts) | Node::Or(parts) => stack.extend(parts),
        }
    }
    uses
}
