//! What must hold for any of several conditions to hold: conditions that have such a thing in
//! common are asked for together, so that one question answers for all of them. A ruleset of
//! hundreds of paths asks an event whose path none of them names about as much as one of ten.

use crate::ir::{Graph, Id, Node, Op, Test};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use saker_rules_schema::field::Field;
use saker_rules_schema::term::Term;

/// Slots beyond this are not worth asking for first.
const KNOWN_MAX: usize = 4;

/// What is asked before a group's conditions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Guard {
    /// Nothing.
    Always,
    /// Whether one of these slots holds a text that any rule compares with.
    Known(Vec<u16>),
    /// Whether the slot's text begins with these bytes.
    Starts(u16, Head),
    /// A test that all of them need.
    Test(Id),
    /// Whether the process has one of these bits, all in one word.
    Bits {
        /// The word.
        word: u32,
        /// Bits of it. Ignored when groups are told apart.
        mask: u64,
    },
}

/// Up to eight bytes at a text's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Head {
    /// The bytes, the first one lowest.
    pub(crate) bytes: u64,
    /// Which bytes count.
    pub(crate) mask: u64,
}

impl Head {
    /// Of a text to begin with; `None` if it is empty or has a NUL, which the zeroes behind a
    /// short text would be taken for.
    pub(crate) fn of(part: &[u8]) -> Option<Head> {
        let part = &part[..part.len().min(8)];
        if part.is_empty() || part.contains(&0) {
            return None;
        }
        let (mut bytes, mut mask) = ([0; 8], [0; 8]);
        bytes[..part.len()].copy_from_slice(part);
        mask[..part.len()].fill(u8::MAX);
        Some(Head {
            bytes: u64::from_le_bytes(bytes),
            mask: u64::from_le_bytes(mask),
        })
    }
}

/// Conditions that share a guard, by their places among the roots.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) guard: Guard,
    pub(crate) members: Vec<usize>,
}

/// Groups all of these conditions; within a group they keep their order.
pub(crate) fn groups(
    graph: &Graph,
    roots: &[Id],
    bit_of: &HashMap<Id, u32, FixedState>,
    slot_of: &HashMap<Term, u16, FixedState>,
) -> Vec<Group> {
    let finder = Finder {
        graph,
        bit_of,
        slot_of,
    };
    let needs: Vec<Vec<Id>> = roots.iter().map(|root| finder.needs(*root)).collect();
    let mut guards: Vec<Option<Guard>> = needs
        .iter()
        .map(|needs| finder.known(needs).or_else(|| finder.starts(needs)))
        .collect();
    while let Some(test) = finder.commonest(&needs, &guards) {
        for (guard, needs) in guards.iter_mut().zip(&needs) {
            if guard.is_none() && needs.contains(&test) {
                *guard = Some(Guard::Test(test));
            }
        }
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of: HashMap<Guard, usize, FixedState> = HashMap::default();
    for (member, (guard, needs)) in guards.into_iter().zip(&needs).enumerate() {
        let guard = guard.or_else(|| finder.bit(needs)).unwrap_or(Guard::Always);
        let key = match guard {
            Guard::Bits { word, .. } => Guard::Bits { word, mask: 0 },
            ref other => other.clone(),
        };
        let at = *group_of.entry(key.clone()).or_insert_with(|| {
            groups.push(Group {
                guard: key,
                members: Vec::new(),
            });
            groups.len() - 1
        });
        if let (Guard::Bits { mask: all, .. }, Guard::Bits { mask, .. }) =
            (&mut groups[at].guard, guard)
        {
            *all |= mask;
        }
        groups[at].members.push(member);
    }
    groups
}

/// Whether most values of it are named by no rule. Of those that say what kind of thing something
/// is, rules name the commonest.
pub(crate) fn is_telling(term: &Term) -> bool {
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

struct Finder<'a> {
    graph: &'a Graph,
    bit_of: &'a HashMap<Id, u32, FixedState>,
    slot_of: &'a HashMap<Term, u16, FixedState>,
}

impl Finder<'_> {
    /// What has to hold for the node to hold: the parts of an and, else the node.
    fn needs(&self, id: Id) -> Vec<Id> {
        let mut needs = Vec::new();
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            match self.graph.node(id) {
                Node::And(parts) if !self.bit_of.contains_key(&id) => {
                    stack.extend(parts.iter().rev());
                }
                Node::And(_)
                | Node::Or(_)
                | Node::Not(_)
                | Node::Test(_)
                | Node::True
                | Node::False => needs.push(id),
            }
        }
        needs
    }

    fn slot(&self, test: &Test) -> Option<u16> {
        if test.term.is_list() {
            return None;
        }
        self.slot_of.get(&test.term).copied()
    }

    fn known(&self, needs: &[Id]) -> Option<Guard> {
        needs
            .iter()
            .filter_map(|id| self.known_slots(*id))
            .min_by_key(Vec::len)
            .map(Guard::Known)
    }

    /// Slots of which one holds a literal if the node holds, in order. Recursion is bounded by
    /// the graph's depth.
    fn known_slots(&self, id: Id) -> Option<Vec<u16>> {
        if self.bit_of.contains_key(&id) {
            return None;
        }
        match self.graph.node(id) {
            Node::Test(test) => match test.op {
                Op::In(_) if is_telling(&test.term) => Some(vec![self.slot(test)?]),
                _ => None,
            },
            Node::And(parts) => {
                let known = parts.iter().filter_map(|part| self.known_slots(*part));
                known.min_by_key(Vec::len)
            }
            Node::Or(parts) => {
                let mut slots = Vec::new();
                for part in parts {
                    slots.extend(self.known_slots(*part)?);
                    slots.sort_unstable();
                    slots.dedup();
                    if slots.len() > KNOWN_MAX {
                        return None;
                    }
                }
                Some(slots)
            }
            Node::Not(_) | Node::True | Node::False => None,
        }
    }

    fn starts(&self, needs: &[Id]) -> Option<Guard> {
        needs.iter().find_map(|id| match self.graph.node(*id) {
            Node::Test(test) if !self.bit_of.contains_key(id) => match &test.op {
                Op::StartsWith(part) => Some(Guard::Starts(self.slot(test)?, Head::of(part)?)),
                _ => None,
            },
            _ => None,
        })
    }

    /// The test for a number that most of the conditions without a guard need.
    fn commonest(&self, needs: &[Vec<Id>], guards: &[Option<Guard>]) -> Option<Id> {
        let mut counts: HashMap<Id, usize, FixedState> = HashMap::default();
        for (needs, guard) in needs.iter().zip(guards) {
            if guard.is_some() {
                continue;
            }
            for id in needs {
                if let Node::Test(test) = self.graph.node(*id)
                    && matches!(test.op, Op::Numbers(_))
                    && !self.bit_of.contains_key(id)
                    && self.slot(test).is_some()
                {
                    *counts.entry(*id).or_insert(0) += 1;
                }
            }
        }
        let most = |(id, count): &(Id, usize)| (*count, std::cmp::Reverse(*id));
        let (id, count) = counts.into_iter().max_by_key(most)?;
        (count > 1).then_some(id)
    }

    fn bit(&self, needs: &[Id]) -> Option<Guard> {
        let bit = needs.iter().find_map(|id| self.bit_of.get(id))?;
        Some(Guard::Bits {
            word: bit / 64,
            mask: 1 << (bit % 64),
        })
    }
}
