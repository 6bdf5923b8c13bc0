//! Which parts of a function's conditions are evaluated at most once, and in which order the
//! parts of an and or an or are tried: the cheap and telling ones first.

use crate::ir::{Graph, Id, Node, Op, Test};
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use saker_rules_schema::field::Field;
use saker_rules_schema::term::Term;

/// A part that is expected to cost less is computed again: remembering costs about as much.
const SHARED_COST_MIN: u32 = 20;
/// Copies of a part are not written down if together they cost so much at worst.
const COPIES_WEIGHT_MAX: u32 = 300;
/// A test that is made early costs no more.
const EARLY_COST_MAX: u32 = 8;
/// A cheap test used so often is made once, before the rules, and kept in a local.
const EARLY_USES_MIN: u32 = 3;
/// No more than so many: each is made whether or not a rule comes to ask for it.
const EARLY_MAX: usize = 24;
/// Nodes in one function, or thereabouts: what the compiler to native code keeps of a function
/// is some 20 MiB per thousand.
pub(crate) const NODES_MAX: usize = 1000;
/// What a list costs over one value.
const LIST_FACTOR: u32 = 6;

/// What nodes cost, in loads or thereabouts, and how often they hold. Nobody knows what events
/// will come: what rules look for is rare, and what they make exceptions for is too.
pub(crate) struct Costs<'a> {
    graph: &'a Graph,
    bits: &'a HashMap<Id, u32, FixedState>,
    known: HashMap<Id, Cost, FixedState>,
    early: HashMap<Id, u32, FixedState>,
}

#[derive(Clone, Copy)]
struct Cost {
    /// As long as it takes until the node is decided, mostly.
    expected: u32,
    /// At worst.
    weight: u32,
    /// How often it holds, in a thousand.
    likely: u32,
}

/// Always.
const ALWAYS: u32 = 1000;
/// What costs no more is asked without a branch between it and others of its kind.
pub(crate) const TOGETHER_COST_MAX: u32 = 3;

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

    /// What the node costs, as a rule.
    pub(crate) fn of(&mut self, id: Id) -> u32 {
        if self.early.contains_key(&id) {
            return 1;
        }
        if self.bits.contains_key(&id) {
            return 3;
        }
        self.cost(id).expected
    }

    /// How often the node holds, in a thousand.
    pub(crate) fn likely(&mut self, id: Id) -> u32 {
        self.cost(id).likely
    }

    /// Recursion is bounded by the graph's depth.
    fn cost(&mut self, id: Id) -> Cost {
        if let Some(cost) = self.known.get(&id) {
            return *cost;
        }
        let cost = match self.graph.node(id) {
            Node::False => Cost::of(0, 0),
            Node::True => Cost::of(0, ALWAYS),
            Node::Test(test) => Cost::of_test(test),
            Node::Not(part) => {
                let part = self.cost(*part);
                Cost {
                    expected: part.expected.saturating_add(2),
                    weight: part.weight.saturating_add(2),
                    likely: ALWAYS - part.likely,
                }
            }
            Node::And(parts) => self.chain(parts, true),
            Node::Or(parts) => self.chain(parts, false),
        };
        self.known.insert(id, cost);
        cost
    }

    fn chain(&mut self, parts: &[Id], and: bool) -> Cost {
        let mut chain = Cost::of(0, 0);
        // How often one comes so far.
        let mut reached = ALWAYS;
        for part in self.sorted(parts, and) {
            let (expected, cost) = (self.of(part), self.cost(part));
            chain.weight = chain.weight.saturating_add(cost.weight);
            let here = u64::from(expected) * u64::from(reached);
            chain.expected = chain
                .expected
                .saturating_add(u32::try_from(here.div_ceil(ALWAYS.into())).unwrap_or(u32::MAX));
            let goes_on = if and {
                cost.likely
            } else {
                ALWAYS - cost.likely
            };
            reached = reached * goes_on / ALWAYS;
        }
        chain.likely = if and { reached } else { ALWAYS - reached };
        chain
    }

    /// The parts of an and, or of an or, in the order in which they are to be tried: those that
    /// cost next to nothing, then those that decide most for what they cost.
    pub(crate) fn sorted(&mut self, parts: &[Id], and: bool) -> Vec<Id> {
        let mut parts = parts.to_vec();
        parts.sort_by_cached_key(|part| {
            let cost = self.of(*part);
            if cost <= TOGETHER_COST_MAX {
                return (false, cost);
            }
            let likely = self.likely(*part);
            let decides = if and { ALWAYS - likely } else { likely };
            (true, cost.saturating_mul(ALWAYS) / decides.max(1))
        });
        parts
    }
}

impl Cost {
    fn of(cost: u32, likely: u32) -> Cost {
        Cost {
            expected: cost,
            weight: cost,
            likely,
        }
    }

    fn of_test(test: &Test) -> Cost {
        let many = |count: usize| count.min(100) as u32;
        let (cost, likely) = match &test.op {
            // Equality is the most telling: it is rarely true.
            Op::In(values) => {
                let cost = if values.len() == 1 { 2 } else { 4 };
                let likely = match is_telling(&test.term) {
                    true => 20 + 3 * many(values.len()),
                    false => 500,
                };
                (cost, likely)
            }
            Op::Numbers(values) => (1 + many(values.len()), 400),
            Op::Exists | Op::Differs(_) => (4, 900),
            Op::Range(..) => (4, 700),
            Op::StartsWith(_) => (5, 50),
            Op::EndsWith(_) => (9, 20),
            Op::Contains(_) => (60, 20),
            Op::IContains(_) => (100, 20),
            Op::Networks(networks) => (4 + 4 * many(networks.len()), 300),
            Op::Accepted(_) => (80, 50),
            // Its beginning is asked for first.
            Op::Glob(pattern) if !pattern.literal_start().is_empty() => (10, 20),
            Op::Glob(_) => (150, 50),
        };
        match test.term.is_list() {
            true => Cost::of(cost * LIST_FACTOR, likely),
            false => Cost::of(cost, likely),
        }
    }
}

/// Whether most values of it are named by no rule. Of those that say what kind of thing something
/// is, rules name the commonest.
fn is_telling(term: &Term) -> bool {
    !term.field().is_some_and(|field| {
        matches!(
            field.field,
            Field::FdType
                | Field::FdTypechar
                | Field::FdL4proto
                | Field::FdSockfamily
                | Field::EvtRes
                | Field::ProcStdinType
                | Field::ProcStdoutType
                | Field::ProcStderrType
        )
    })
}

/// The nodes below these roots that are used more than once and cost enough to be remembered,
/// each after those it refers to. `bits` are not entered, unless they are the roots.
pub(crate) fn shared(graph: &Graph, roots: &[Id], costs: &mut Costs<'_>) -> Vec<Id> {
    let mut shared: Vec<Id> = uses(graph, roots, costs)
        .into_iter()
        .filter(|(id, count)| *count > 1 && !costs.bits.contains_key(id))
        .filter(|(id, count)| {
            let copies = (*count - 1).saturating_mul(costs.cost(*id).weight);
            costs.of(*id) >= SHARED_COST_MIN || copies > COPIES_WEIGHT_MAX
        })
        .map(|(id, _)| id)
        .collect();
    shared.sort_unstable();
    shared
}

/// Chains that are too long for one function.
#[derive(Default)]
pub(crate) struct Long {
    /// Each after those it refers to.
    pub(crate) chains: Vec<Id>,
    /// How many nodes each node puts into a function.
    sizes: HashMap<Id, usize, FixedState>,
}

impl Long {
    pub(crate) fn size(&self, id: Id) -> usize {
        self.sizes.get(&id).copied().unwrap_or(1)
    }
}

/// The chains below these roots that are too long for one function.
pub(crate) fn long(graph: &Graph, roots: &[Id], shared: &[Id], costs: &Costs<'_>) -> Long {
    let mut nodes: Vec<Id> = uses(graph, roots, costs).into_keys().collect();
    // A node comes after those it is made of.
    nodes.sort_unstable();
    let mut long = Long::default();
    for id in nodes {
        let is_called = costs.bits.contains_key(&id) || shared.binary_search(&id).is_ok();
        let size = match graph.node(id) {
            Node::False | Node::True | Node::Test(_) => 1,
            Node::Not(part) => long.size(*part),
            Node::And(parts) | Node::Or(parts) => {
                let size = 1 + parts.iter().map(|part| long.size(*part)).sum::<usize>();
                if size > NODES_MAX && !costs.bits.contains_key(&id) {
                    long.chains.push(id);
                    size / NODES_MAX
                } else {
                    size
                }
            }
        };
        long.sizes.insert(id, if is_called { 1 } else { size });
    }
    long
}

/// The cheap tests most used by these roots, as far as the `hot` ones of them use them.
pub(crate) fn early(graph: &Graph, roots: &[Id], hot: &[Id], costs: &mut Costs<'_>) -> Vec<Id> {
    let of_hot = uses(graph, hot, costs);
    let mut early: Vec<(u32, Id)> = uses(graph, roots, costs)
        .into_iter()
        .filter(|(id, _)| of_hot.contains_key(id))
        .filter(|(id, count)| *count >= EARLY_USES_MIN && !costs.bits.contains_key(id))
        .filter(|(id, _)| matches!(graph.node(*id), Node::Test(_)))
        .filter(|(id, _)| costs.of(*id) <= EARLY_COST_MAX)
        .map(|(id, count)| (count, id))
        .collect();
    early.sort_unstable_by_key(|(count, id)| (std::cmp::Reverse(*count), *id));
    early.truncate(EARLY_MAX);
    early.into_iter().map(|(_, id)| id).collect()
}

/// Slots that several tests of these roots read, and whether for the text or for the id only, as
/// far as the `hot` ones of them read them.
pub(crate) fn often(
    graph: &Graph,
    roots: &[Id],
    hot: &[Id],
    costs: &Costs<'_>,
    slot_of: &HashMap<Term, u16, FixedState>,
) -> Vec<(u16, bool)> {
    let reader = |id: Id| {
        let Node::Test(test) = graph.node(id) else {
            return None;
        };
        let slot = slot_of.get(&test.term).filter(|_| !test.term.is_list())?;
        let reads = test.op.needs_bytes() || matches!(test.op, Op::In(_));
        reads.then_some((*slot, test.op.needs_bytes()))
    };
    let of_hot: HashSet<(u16, bool), FixedState> = uses(graph, hot, costs)
        .into_keys()
        .filter_map(reader)
        .collect();
    let mut readers: HashMap<(u16, bool), u32, FixedState> = HashMap::default();
    for reader in uses(graph, roots, costs).into_keys().filter_map(reader) {
        *readers.entry(reader).or_insert(0) += 1;
    }
    let mut often: Vec<(u16, bool)> = readers
        .into_iter()
        .filter(|(reader, count)| *count >= EARLY_USES_MIN && of_hot.contains(reader))
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
