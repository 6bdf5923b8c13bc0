//! Conditions split by binding time: what asks only for the process becomes *bits*, computed
//! once per process row and read by the functions of the event types.
//!
//! Parts of an and or an or are regrouped, so that all that asks for the process is one bit.

use crate::Options;
use crate::guard::{self, Sign};
use crate::ir::{Graph, Id, Node};
use crate::share::Costs;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::Binding;

/// What an event type's function has to decide.
pub(crate) struct EventProgram {
    pub(crate) event: EventType,
    /// Rules that may be true, by number, in their order, with their conditions.
    pub(crate) rules: Vec<(u32, Id)>,
}

/// Everything a ruleset computes.
#[derive(Default)]
pub(crate) struct Programs {
    /// The process's part: what each bit says. `FALSE` where a word is filled up.
    pub(crate) bits: Vec<Id>,
    /// Bits by node.
    pub(crate) bit_of: HashMap<Id, u32, FixedState>,
    /// Only event types some rule wants.
    pub(crate) events: Vec<EventProgram>,
}

impl Programs {
    /// Per event type, the first in [`Programs::events`] that has to decide the same: itself or
    /// an earlier one. Many do, by the conditions that name no event type.
    pub(crate) fn firsts_alike(&self) -> Vec<usize> {
        let mut firsts: HashMap<&[(u32, Id)], usize, FixedState> = HashMap::default();
        let events = self.events.iter().enumerate();
        events
            .map(|(at, event)| *firsts.entry(event.rules.as_slice()).or_insert(at))
            .collect()
    }
}

impl Programs {
    /// Gives each group words of its own.
    fn put(&mut self, groups: Vec<Vec<Id>>) {
        self.bits.clear();
        self.bit_of.clear();
        for bits in groups {
            let start = self.bits.len().next_multiple_of(64);
            self.bits.resize(start, Id::FALSE);
            for id in bits {
                self.bit_of.insert(id, self.bits.len() as u32);
                self.bits.push(id);
            }
        }
    }
}

pub(crate) fn split(graph: &mut Graph, specialised: &[(EventType, Vec<Id>)]) -> Programs {
    let mut splitter = Splitter {
        graph,
        programs: Programs::default(),
        process_only: HashMap::default(),
        done: HashMap::default(),
    };
    for (event, conditions) in specialised {
        let mut rules = Vec::new();
        for (rule, condition) in conditions.iter().enumerate() {
            if *condition != Id::FALSE {
                rules.push((rule as u32, splitter.split(*condition)));
            }
        }
        if !rules.is_empty() {
            splitter.programs.events.push(EventProgram {
                event: *event,
                rules,
            });
        }
    }
    let mut programs = splitter.programs;
    arrange(graph, &mut programs);
    programs
}

/// Bits of one word are computed together, when a row first asks for one of them; so bits that
/// the same event types ask for share words, and an open never pays for what only an exec
/// asks. Nor does it pay for what is asked only once something rare was seen of it: that has
/// words of its own, and whatever is dear among it one for itself. Words are filled up with bits
/// that are never set.
fn arrange(graph: &Graph, programs: &mut Programs) {
    let none = HashMap::default();
    let mut costs = Costs::new(graph, &none);
    keep_dearest(programs, &mut costs);
    let mut asked_by: HashMap<Id, Vec<usize>, FixedState> = HashMap::default();
    let mut at_once: HashSet<Id, FixedState> = HashSet::default();
    for (at, first) in programs.firsts_alike().into_iter().enumerate() {
        // Those that decide the same as another ask for the same bits.
        if first == at {
            let rules = &programs.events[at].rules;
            let roots: Vec<Id> = rules.iter().map(|(_, condition)| *condition).collect();
            for id in bits_below(graph, roots.iter().copied(), &programs.bit_of) {
                asked_by.entry(id).or_default().push(at);
            }
            at_once.extend(bits_at_once(graph, &roots, programs));
        }
    }
    let mut is_dear = |id: &Id| costs.of(*id) >= DEAR_COST_MIN;
    for dear_apart in [true, false] {
        let mut groups: Vec<Vec<Id>> = Vec::new();
        let mut group_of: HashMap<(Vec<usize>, Option<Id>, bool), usize, FixedState> =
            HashMap::default();
        for id in &programs.bits {
            let events = asked_by.get(id).cloned().unwrap_or_default();
            let is_late = !at_once.contains(id);
            let alone = (is_late && dear_apart && is_dear(id)).then_some(*id);
            let group = *group_of.entry((events, alone, is_late)).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[group].push(*id);
        }
        let words: usize = groups.iter().map(|bits| bits.len().div_ceil(64)).sum();
        if words <= WORDS_MAX {
            programs.put(groups);
            return;
        }
    }
}

/// Where there are more bits than a process can have, the cheapest are none: they are asked of
/// every event anew.
fn keep_dearest(programs: &mut Programs, costs: &mut Costs<'_>) {
    let mut dearest = programs.bits.clone();
    dearest.sort_by_cached_key(|id| std::cmp::Reverse(costs.of(*id)));
    for id in dearest.into_iter().skip(WORDS_MAX * 64) {
        programs.bit_of.remove(&id);
    }
    programs.bits.retain(|id| programs.bit_of.contains_key(id));
    for (at, id) in programs.bits.iter().enumerate() {
        programs.bit_of.insert(*id, at as u32);
    }
}

/// The bits that are asked for whatever an event is like.
fn bits_at_once(graph: &Graph, roots: &[Id], programs: &Programs) -> Vec<Id> {
    // Only whether a value has a slot counts, and all do.
    let slots = crate::emit::layout(graph, roots, &programs.bit_of, &Options::default());
    let slot_of = slots.map(|layout| layout.slot_of).unwrap_or_default();
    let mut costs = Costs::new(graph, &programs.bit_of);
    let groups = guard::groups(graph, roots, &programs.bit_of, &slot_of, &mut costs);
    let hot = groups.hot(roots);
    let mut bits = bits_below(graph, hot.into_iter(), &programs.bit_of);
    for sign in &groups.rare_signs {
        if let Sign::Bits { word, mask } = sign {
            let word_bits = programs.bits.iter().skip(*word as usize * 64).take(64);
            let asked = word_bits
                .enumerate()
                .filter(|(at, _)| mask & (1 << at) != 0);
            bits.extend(asked.map(|(_, id)| *id));
        }
    }
    bits
}

/// What costs so much is computed only for whoever asks for it.
const DEAR_COST_MIN: u32 = 30;

/// Words of bits that a process can have: each has a bit in the mask of those that are known.
pub(crate) const WORDS_MAX: usize = 64;

/// The bits that these conditions ask for.
pub(crate) fn bits_below(
    graph: &Graph,
    roots: impl Iterator<Item = Id>,
    bit_of: &HashMap<Id, u32, FixedState>,
) -> Vec<Id> {
    let mut seen = vec![false; graph.len()];
    let mut found = Vec::new();
    let mut stack: Vec<Id> = roots.collect();
    while let Some(id) = stack.pop() {
        if std::mem::replace(&mut seen[id.index()], true) {
            continue;
        }
        if bit_of.contains_key(&id) {
            found.push(id);
            continue;
        }
        match graph.node(id) {
            Node::False | Node::True | Node::Test(_) => {}
            Node::Not(part) => stack.push(*part),
            Node::And(parts) | Node::Or(parts) => stack.extend(parts),
        }
    }
    found
}

struct Splitter<'a> {
    graph: &'a mut Graph,
    programs: Programs,
    process_only: HashMap<Id, bool, FixedState>,
    done: HashMap<Id, Id, FixedState>,
}

impl Splitter<'_> {
    /// Recursion is bounded by the graph's depth.
    fn is_process_only(&mut self, id: Id) -> bool {
        if let Some(known) = self.process_only.get(&id) {
            return *known;
        }
        let answer = match self.graph.node(id).clone() {
            Node::False | Node::True => false,
            Node::Test(test) => test.term.binding() == Binding::Process,
            Node::Not(part) => self.is_process_only(part),
            Node::And(parts) | Node::Or(parts) => {
                parts.into_iter().all(|part| self.is_process_only(part))
            }
        };
        self.process_only.insert(id, answer);
        answer
    }

    fn bit(&mut self, id: Id) -> Id {
        let next = self.programs.bits.len() as u32;
        self.programs.bit_of.entry(id).or_insert_with(|| {
            self.programs.bits.push(id);
            next
        });
        id
    }

    fn split(&mut self, id: Id) -> Id {
        if let Some(done) = self.done.get(&id) {
            return *done;
        }
        let out = if self.is_process_only(id) {
            self.bit(id)
        } else {
            match self.graph.node(id).clone() {
                Node::False | Node::True | Node::Test(_) => id,
                Node::Not(part) => {
                    let part = self.split(part);
                    self.graph.not(part)
                }
                Node::And(parts) => self.split_parts(parts, true),
                Node::Or(parts) => self.split_parts(parts, false),
            }
        };
        self.done.insert(id, out);
        out
    }

    fn split_parts(&mut self, parts: Vec<Id>, and: bool) -> Id {
        let (process, others): (Vec<Id>, Vec<Id>) = parts
            .into_iter()
            .partition(|part| self.is_process_only(*part));
        let mut out = Vec::new();
        if !process.is_empty() {
            let group = self.graph.grouped(process, and);
            self.process_only.insert(group, true);
            out.push(self.bit(group));
        }
        for part in others {
            out.push(self.split(part));
        }
        self.graph.grouped(out, and)
    }
}
