//! What must hold of an event for any of the rules that want it to hold, in a few cheap questions:
//! whoever writes rows asks them first, and most events need no row.
//!
//! Only a part of what rules ask is told, never more: an event that meets it may still match
//! nothing.

use crate::ir::{Graph, Id, Node, Op, Test};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use saker_rules_schema::field::{Field, Type};
use saker_rules_schema::manifest::{Clue, Need};
use saker_rules_schema::term::Term;

/// More than so many clues are not worth asking for.
const CLUES_MAX: usize = 64;
/// Nor are so many searches.
const SEARCHES_MAX: usize = 6;
/// A text that is compared with more than so many is looked up.
const COMPARED_MAX: usize = 4;

/// One of these holds where one of the conditions does; none if nothing can be said. Slots are
/// those of the event's row, and of the process's.
pub(crate) fn needs(
    graph: &Graph,
    roots: &[Id],
    bit_of: &HashMap<Id, u32, FixedState>,
    slot_of: &HashMap<Term, u16, FixedState>,
    process_slot_of: &HashMap<Term, u16, FixedState>,
) -> Vec<Need> {
    let none = HashMap::default();
    let finder = Finder::new(graph, bit_of, slot_of);
    let of_process = Finder::new(graph, &none, process_slot_of);
    let mut needs: Vec<Need> = Vec::new();
    for root in roots {
        let Need {
            number,
            clues,
            process,
        } = need(&finder, &of_process, *root);
        if number.is_none() && clues.is_empty() && process.is_empty() {
            return Vec::new();
        }
        let is_full = needs.len() == CLUES_MAX;
        let alike = |need: &&mut Need| need.number == number && need.process == process;
        match needs.iter_mut().find(alike) {
            // What they have in common is enough for some rule.
            Some(need) if need.clues.is_empty() || clues.is_empty() => need.clues.clear(),
            Some(need) => {
                for clue in clues {
                    add(&mut need.clues, clue);
                }
                if need.clues.len() > CLUES_MAX {
                    return Vec::new();
                }
            }
            None if is_full => return Vec::new(),
            None => needs.push(Need {
                number,
                clues,
                process,
            }),
        }
    }
    for need in &mut needs {
        need.clues.sort_by_key(cost);
    }
    let of_event = || needs.iter().flat_map(|need| &need.clues);
    let searches = of_event().filter(|clue| matches!(clue, Clue::Contains(..)));
    let all = of_event().chain(needs.iter().flat_map(|need| &need.process));
    if all.count() > CLUES_MAX || searches.count() > SEARCHES_MAX {
        return Vec::new();
    }
    needs
}

/// Adds a clue, if those there are do not say it. Among literals of all rules is what one rule
/// names.
fn add(clues: &mut Vec<Clue>, clue: Clue) {
    let is_of = |clue: &Clue, slot: u16| matches!(clue, Clue::Is(of, _) if *of == slot);
    let clue = match clue {
        Clue::Is(slot, _) if clues.contains(&Clue::Known(slot)) => return,
        Clue::Is(slot, _) if clues.iter().filter(|clue| is_of(clue, slot)).count() == CLUES_MAX => {
            Clue::Known(slot)
        }
        clue => clue,
    };
    if let Clue::Known(slot) = clue {
        clues.retain(|known| !is_of(known, slot));
    }
    if !clues.contains(&clue) {
        clues.push(clue);
    }
}

/// A number that the condition needs, and clues of which it needs one; of the process, where those
/// of the event tell little.
fn need(finder: &Finder<'_>, of_process: &Finder<'_>, root: Id) -> Need {
    let mut parts = Vec::new();
    let mut stack = vec![root];
    while let Some(id) = stack.pop() {
        match finder.graph.node(id) {
            Node::And(more) if !finder.bit_of.contains_key(&id) => {
                stack.extend(more.iter().rev());
            }
            Node::And(_)
            | Node::Or(_)
            | Node::Not(_)
            | Node::Test(_)
            | Node::True
            | Node::False => parts.push(id),
        }
    }
    let numbers = parts.iter().filter_map(|part| finder.number(*part));
    // Whether something is so tells more than how many there are.
    let number = numbers.min_by_key(|(kind, _)| *kind != Type::Bool);
    let clues = parts.iter().filter_map(|part| finder.clues(*part));
    let clues = clues.min_by_key(|clues| finder.price(clues));
    let process = match &clues {
        Some(clues) if finder.tells(clues) => None,
        Some(_) | None => {
            let bits = parts
                .iter()
                .filter(|part| finder.bit_of.contains_key(*part));
            let clues = bits.filter_map(|bit| of_process.clues(*bit));
            let clues = clues.min_by_key(|clues| of_process.price(clues));
            clues.filter(|clues| of_process.tells(clues))
        }
    };
    Need {
        number: number.map(|(_, number)| number),
        clues: clues.unwrap_or_default(),
        process: process.unwrap_or_default(),
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
                | Field::UserName
                | Field::UserLoginname
                | Field::GroupName
                | Field::ContainerId
                | Field::ContainerName
                | Field::ContainerImage
        )
    })
}

/// About how much a clue takes to ask.
fn cost(clue: &Clue) -> u32 {
    match clue {
        Clue::Known(_) | Clue::Is(..) => 1,
        Clue::Starts(..) => 2,
        Clue::Contains(..) => 8,
    }
}

struct Finder<'a> {
    graph: &'a Graph,
    bit_of: &'a HashMap<Id, u32, FixedState>,
    slot_of: &'a HashMap<Term, u16, FixedState>,
    /// By slot: whether most values are named by no rule.
    telling: Vec<bool>,
}

impl<'a> Finder<'a> {
    fn new(
        graph: &'a Graph,
        bit_of: &'a HashMap<Id, u32, FixedState>,
        slot_of: &'a HashMap<Term, u16, FixedState>,
    ) -> Finder<'a> {
        let mut telling = vec![true; slot_of.len()];
        for (term, slot) in slot_of {
            telling[usize::from(*slot)] = is_telling(term);
        }
        Finder {
            graph,
            bit_of,
            slot_of,
            telling,
        }
    }

    /// Whether for most events none of them holds.
    fn tells(&self, clues: &[Clue]) -> bool {
        let tells = |clue: &Clue| self.telling.get(usize::from(clue.slot())) == Some(&true);
        clues.iter().all(tells)
    }

    /// What asking for one of these costs: most of all that the answer is yes for most events.
    fn price(&self, clues: &[Clue]) -> (bool, u32) {
        (!self.tells(clues), clues.iter().map(cost).sum())
    }

    fn slot(&self, test: &Test) -> Option<u16> {
        if test.term.is_list() {
            return None;
        }
        self.slot_of.get(&test.term).copied()
    }

    fn number(&self, id: Id) -> Option<(Type, (u16, u64))> {
        let Node::Test(test) = self.graph.node(id) else {
            return None;
        };
        let kind = test.term.kind();
        match &test.op {
            Op::Numbers(values) if kind != Type::Double && !self.bit_of.contains_key(&id) => {
                let [value] = values[..] else { return None };
                // The same whether the number has a sign or not.
                let value = u64::try_from(i64::try_from(value).ok()?).ok()?;
                Some((kind, (self.slot(test)?, value)))
            }
            _ => None,
        }
    }

    /// Clues of which one holds if the node holds. Recursion is bounded by the graph's depth.
    fn clues(&self, id: Id) -> Option<Vec<Clue>> {
        if self.bit_of.contains_key(&id) {
            return None;
        }
        match self.graph.node(id) {
            Node::Test(test) => self.clues_of(test),
            Node::And(parts) => {
                let clues = parts.iter().filter_map(|part| self.clues(*part));
                clues.min_by_key(|clues| self.price(clues))
            }
            Node::Or(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    for clue in self.clues(*part)? {
                        if !all.contains(&clue) {
                            all.push(clue);
                        }
                    }
                    if all.len() > CLUES_MAX {
                        return None;
                    }
                }
                Some(all)
            }
            Node::Not(_) | Node::True | Node::False => None,
        }
    }

    fn clues_of(&self, test: &Test) -> Option<Vec<Clue>> {
        let slot = self.slot(test)?;
        Some(match &test.op {
            Op::In(values) if values.len() <= COMPARED_MAX => {
                let is = values.iter().map(|value| Clue::Is(slot, value.clone()));
                is.collect()
            }
            Op::In(_) if is_telling(&test.term) => vec![Clue::Known(slot)],
            Op::StartsWith(part) if !part.is_empty() => vec![Clue::Starts(slot, part.clone())],
            Op::Glob(pattern) if !pattern.literal_start().is_empty() => {
                vec![Clue::Starts(slot, pattern.literal_start())]
            }
            Op::Contains(part) | Op::EndsWith(part) if !part.is_empty() => {
                vec![Clue::Contains(slot, part.clone())]
            }
            Op::Exists
            | Op::In(_)
            | Op::Differs(_)
            | Op::Contains(_)
            | Op::IContains(_)
            | Op::StartsWith(_)
            | Op::EndsWith(_)
            | Op::Glob(_)
            | Op::Accepted(_)
            | Op::Networks(_)
            | Op::Numbers(_)
            | Op::Range(..) => return None,
        })
    }
}
