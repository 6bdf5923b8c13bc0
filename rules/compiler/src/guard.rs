//! What must be seen of a row for a condition to hold: its guard. Conditions with the same guard
//! are asked for together, and those whose guards are rare behind one question for all of them,
//! which most events answer with no. A ruleset of hundreds of paths asks an event whose path none
//! of them names about as much as one of ten.

use crate::ir::{Graph, Id, Node, Op, Test};
use crate::share::Costs;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use saker_rules_schema::term::Term;

/// More signs than this are not worth asking for first.
const SIGNS_MAX: usize = 8;
/// What a process once has, in a thousand, all of its events have.
const BITS_MIN: u32 = 100;
/// What holds more often is no guard, even if it is a single test for a number or a bit.
const GLANCE_MAX: u32 = 700;
/// Groups that are entered no more often, in a thousand, are asked for together first.
const RARE_MAX: u32 = 150;

/// Something that is cheaply seen of a row. Seeing it takes no branch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Sign {
    /// The slot holds a literal that one of these tests names (sorted). The tests are ignored when
    /// groups are told apart.
    In(u16, Vec<Id>),
    /// The slot's text begins with these bytes.
    Starts(u16, Edge),
    /// The slot's text ends with these bytes.
    Ends(u16, Edge),
    /// This test for a number holds.
    Test(Id),
    /// The process has one of these bits, all in one word.
    Bits {
        /// The word.
        word: u32,
        /// Bits of it. Ignored when groups are told apart.
        mask: u64,
    },
}

impl Sign {
    /// What groups are told apart by.
    fn key(&self) -> Sign {
        match self {
            Sign::In(slot, _) => Sign::In(*slot, Vec::new()),
            Sign::Bits { word, .. } => Sign::Bits {
                word: *word,
                mask: 0,
            },
            Sign::Starts(..) | Sign::Ends(..) | Sign::Test(_) => self.clone(),
        }
    }
}

/// Takes a sign among others: literals of one slot, and bits of one word, are one sign.
fn join(signs: &mut Vec<Sign>, sign: Sign) {
    let key = sign.key();
    let Some(known) = signs.iter_mut().find(|known| known.key() == key) else {
        signs.push(sign);
        signs.sort_unstable();
        return;
    };
    match (known, sign) {
        (Sign::In(_, known), Sign::In(_, tests)) => {
            for test in tests {
                if let Err(at) = known.binary_search(&test) {
                    known.insert(at, test);
                }
            }
        }
        (Sign::Bits { mask: known, .. }, Sign::Bits { mask, .. }) => *known |= mask,
        _ => {}
    }
}

/// Up to eight bytes at a text's beginning or end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Edge {
    /// The bytes: of a beginning the first one lowest, of an end the last one highest.
    pub(crate) word: u64,
    /// Which bytes count.
    pub(crate) mask: u64,
}

impl Edge {
    /// Of a text to begin with; `None` if it is empty or has a NUL, which the zeroes beside a
    /// short text would be taken for.
    pub(crate) fn start(part: &[u8]) -> Option<Edge> {
        let part = &part[..part.len().min(8)];
        let (mut bytes, mut mask) = ([0; 8], [0; 8]);
        bytes[..part.len()].copy_from_slice(part);
        mask[..part.len()].fill(u8::MAX);
        Edge::of(part, bytes, mask)
    }

    /// Of a text to end with.
    pub(crate) fn end(part: &[u8]) -> Option<Edge> {
        let part = &part[part.len().saturating_sub(8)..];
        let (mut bytes, mut mask) = ([0; 8], [0; 8]);
        bytes[8 - part.len()..].copy_from_slice(part);
        mask[8 - part.len()..].fill(u8::MAX);
        Edge::of(part, bytes, mask)
    }

    /// The bytes that count.
    #[cfg(test)]
    pub(crate) fn bytes(self) -> Vec<u8> {
        let bytes = self.word.to_le_bytes();
        bytes.into_iter().filter(|byte| *byte != 0).collect()
    }

    fn of(part: &[u8], bytes: [u8; 8], mask: [u8; 8]) -> Option<Edge> {
        if part.is_empty() || part.contains(&0) {
            return None;
        }
        Some(Edge {
            word: u64::from_le_bytes(bytes),
            mask: u64::from_le_bytes(mask),
        })
    }
}

/// Conditions that share a guard, by their places among the roots.
#[derive(Debug)]
pub(crate) struct Group {
    /// Of these signs one must be seen for a condition to hold; none: they are asked at once.
    pub(crate) signs: Vec<Sign>,
    pub(crate) members: Vec<usize>,
}

/// The groups of some conditions.
#[derive(Debug)]
pub(crate) struct Groups {
    /// Those that few rows enter, and the signs of all of them: one question for all.
    pub(crate) rare: Vec<Group>,
    pub(crate) rare_signs: Vec<Sign>,
    /// The others.
    pub(crate) others: Vec<Group>,
}

impl Groups {
    /// The conditions that are not rarely asked.
    pub(crate) fn hot(&self, roots: &[Id]) -> Vec<Id> {
        let members = self.others.iter().flat_map(|group| &group.members);
        members.map(|member| roots[*member]).collect()
    }
}

/// Groups all of these conditions; within a group they keep their order.
pub(crate) fn groups(
    graph: &Graph,
    roots: &[Id],
    bit_of: &HashMap<Id, u32, FixedState>,
    slot_of: &HashMap<Term, u16, FixedState>,
    costs: &mut Costs<'_>,
) -> Groups {
    let mut finder = Finder {
        graph,
        bit_of,
        slot_of,
        costs,
        known: HashMap::default(),
    };
    let mut groups: Vec<(u32, Group)> = Vec::new();
    let mut group_of: HashMap<Vec<Sign>, usize, FixedState> = HashMap::default();
    for (member, root) in roots.iter().enumerate() {
        let guard = finder.guard(*root).filter(Seen::is_worth_it);
        let guard = guard.unwrap_or_default();
        let key: Vec<Sign> = guard.signs.iter().map(Sign::key).collect();
        let at = *group_of.entry(key).or_insert_with(|| {
            let (signs, members) = (Vec::new(), Vec::new());
            groups.push((0, Group { signs, members }));
            groups.len() - 1
        });
        let (likely, group) = &mut groups[at];
        *likely = guard.likely.max(*likely);
        group.members.push(member);
        for sign in guard.signs {
            join(&mut group.signs, sign);
        }
    }
    let is_rare = |(likely, group): &(u32, Group)| !group.signs.is_empty() && *likely <= RARE_MAX;
    let (mut rare, mut others): (Vec<_>, Vec<_>) = groups.into_iter().partition(is_rare);
    if rare.len() == 1 {
        others.append(&mut rare);
    }
    let mut rare_signs = Vec::new();
    for sign in rare.iter().flat_map(|(_, group)| &group.signs) {
        join(&mut rare_signs, sign.clone());
    }
    let groups = |groups: Vec<(u32, Group)>| groups.into_iter().map(|(_, group)| group).collect();
    Groups {
        rare: groups(rare),
        rare_signs,
        others: groups(others),
    }
}

/// Signs of which one must be seen, and how often that is, in a thousand.
#[derive(Clone, Default)]
struct Seen {
    signs: Vec<Sign>,
    likely: u32,
}

impl Seen {
    /// What is seen often must be seen at a glance, or the conditions may be asked at once.
    fn is_worth_it(&self) -> bool {
        match self.signs.as_slice() {
            [Sign::Test(_) | Sign::Bits { .. }] => self.likely <= GLANCE_MAX,
            _ => self.likely <= RARE_MAX,
        }
    }

    /// The lesser, the better a guard. What an event shows is known without learning anything of
    /// its process.
    fn rank(&self) -> (u32, bool, usize) {
        let is_of_process = |sign: &Sign| matches!(sign, Sign::Bits { .. });
        let of_process = self.signs.iter().any(is_of_process);
        (self.likely, of_process, self.signs.len())
    }
}

struct Finder<'a, 'c> {
    graph: &'a Graph,
    bit_of: &'a HashMap<Id, u32, FixedState>,
    slot_of: &'a HashMap<Term, u16, FixedState>,
    costs: &'a mut Costs<'c>,
    known: HashMap<Id, Option<Seen>, FixedState>,
}

impl Finder<'_, '_> {
    /// The rarest signs of which one is seen if the node holds. Recursion is bounded by the
    /// graph's depth.
    fn guard(&mut self, id: Id) -> Option<Seen> {
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        let guard = self.find(id);
        self.known.insert(id, guard.clone());
        guard
    }

    fn find(&mut self, id: Id) -> Option<Seen> {
        if let Some(bit) = self.bit_of.get(&id) {
            let (word, mask) = (bit / 64, 1 << (bit % 64));
            return Some(Seen {
                signs: vec![Sign::Bits { word, mask }],
                likely: self.costs.likely(id).max(BITS_MIN),
            });
        }
        match self.graph.node(id) {
            Node::Test(test) => Some(Seen {
                signs: vec![self.sign(id, test)?],
                likely: self.costs.likely(id),
            }),
            Node::And(parts) => {
                let guards = parts.iter().filter_map(|part| self.guard(*part));
                guards.min_by_key(Seen::rank)
            }
            Node::Or(parts) => {
                let mut any = Seen::default();
                for part in parts {
                    let guard = self.guard(*part)?;
                    any.likely += guard.likely;
                    for sign in guard.signs {
                        join(&mut any.signs, sign);
                    }
                    if any.signs.len() > SIGNS_MAX {
                        return None;
                    }
                }
                Some(any)
            }
            Node::Not(_) | Node::True | Node::False => None,
        }
    }

    fn sign(&self, id: Id, test: &Test) -> Option<Sign> {
        if test.term.is_list() {
            return None;
        }
        let slot = self.slot_of.get(&test.term).copied()?;
        match &test.op {
            Op::In(_) => Some(Sign::In(slot, vec![id])),
            Op::StartsWith(part) => Some(Sign::Starts(slot, Edge::start(part)?)),
            Op::Glob(pattern) => Some(Sign::Starts(slot, Edge::start(&pattern.literal_start())?)),
            Op::EndsWith(part) => Some(Sign::Ends(slot, Edge::end(part)?)),
            Op::Numbers(_) | Op::Range(..) | Op::Exists => Some(Sign::Test(id)),
            Op::Differs(_)
            | Op::Contains(_)
            | Op::IContains(_)
            | Op::Accepted(_)
            | Op::Networks(_) => None,
        }
    }
}
