//! An automaton that is in a set of states at once, for patterns of which one that is in a single
//! state would be too large: `.*a.{12}` has to remember where the last thirteen `a` stood.

use super::{DEAD, classes};
use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use std::collections::HashMap;

/// No automaton has more states that it may be in at once: what a byte of a text costs at most
/// grows with their square.
pub(crate) const STATES_MAX: usize = 1024;
/// States of the NFA that it is made of, those included which only lead to others.
const NFA_STATES_MAX: usize = 16 * STATES_MAX;

/// States as bits, in as few words as all of the automaton's need.
type Set = Vec<u64>;

/// Where the header ends, behind the sizes, offsets and classes.
const HEADER_BYTES: usize = 16 + 256;

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Sets {
    class_of: [u8; 256],
    classes: usize,
    /// Words of a set.
    words: usize,
    start: Set,
    accepting: Set,
    /// By state and class: which set it leads to, 0 for none.
    next: Vec<u32>,
    /// The first is empty.
    sets: Vec<Set>,
}

impl Sets {
    /// Of an NFA for whole texts, which looks at nothing but ends of lines. None if it is too
    /// large.
    pub(super) fn new(nfa: &NFA) -> Option<Sets> {
        if nfa.states().len() > NFA_STATES_MAX {
            return None;
        }
        let mut maker = Maker {
            nfa,
            number_of: HashMap::new(),
            states: Vec::new(),
            reached: HashMap::new(),
        };
        let start = maker.reach(nfa.start_anchored(), true)?;
        let mut rows: Vec<[u32; 256]> = Vec::new();
        let mut accepting = Vec::new();
        let mut targets: Vec<Vec<u32>> = vec![Vec::new()];
        let mut number_of: HashMap<Vec<u32>, u32> = HashMap::from([(Vec::new(), DEAD)]);
        while let Some(&state) = maker.states.get(rows.len()) {
            let mut row = [DEAD; 256];
            for byte in 0..=u8::MAX {
                let reached = maker.step(state, byte)?;
                row[usize::from(byte)] = *number_of.entry(reached).or_insert_with_key(|reached| {
                    targets.push(reached.clone());
                    (targets.len() - 1) as u32
                });
            }
            if maker.ends(state) {
                accepting.push(rows.len() as u32);
            }
            rows.push(row);
        }
        let words = rows.len().div_ceil(64).max(1);
        let set = |states: &Vec<u32>| {
            let mut set = vec![0; words];
            for state in states {
                set[*state as usize / 64] |= 1 << (state % 64);
            }
            set
        };
        let (class_of, leaders) = classes(&rows);
        Some(Sets {
            class_of,
            classes: leaders.len(),
            words,
            start: set(&start),
            accepting: set(&accepting),
            next: (rows.iter())
                .flat_map(|row| leaders.iter().map(|byte| row[*byte]))
                .collect(),
            sets: targets.iter().map(set).collect(),
        })
    }

    pub(super) fn accepts(&self, text: &[u8]) -> bool {
        let mut current = self.start.clone();
        let mut other = vec![0; self.words];
        for byte in text {
            let class = usize::from(self.class_of[usize::from(*byte)]);
            other.fill(0);
            let mut any = false;
            for (word, bits) in current.iter().enumerate() {
                let mut bits = *bits;
                while bits != 0 {
                    let state = word * 64 + bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    let set = self.next[state * self.classes + class];
                    any |= set != DEAD;
                    for (to, from) in other.iter_mut().zip(&self.sets[set as usize]) {
                        *to |= from;
                    }
                }
            }
            if !any {
                return false;
            }
            std::mem::swap(&mut current, &mut other);
        }
        let mut both = current.iter().zip(&self.accepting);
        both.any(|(state, accepting)| state & accepting != 0)
    }

    /// As the compiled module reads it, little-endian, offsets from the table's begin:
    ///
    /// ```text
    /// 0     bytes of a set
    /// 4     bytes of a state's row
    /// 8     offset of the rows: by state and class, the offset of the set it leads to, or 0
    /// 12    the class of every byte
    /// 268   not used
    /// 272   set at the start; those that accept; two that the module works in
    /// …     rows, then the sets that they name
    /// ```
    pub(super) fn encode(&self) -> Vec<u8> {
        let set_bytes = self.words * 8;
        let row_bytes = self.classes * 4;
        let rows_at = HEADER_BYTES + 4 * set_bytes;
        let sets_at = rows_at + self.next.len() * 4;
        let mut bytes = Vec::with_capacity(sets_at + self.sets.len() * set_bytes);
        let u32 = |bytes: &mut Vec<u8>, number: usize| {
            bytes.extend_from_slice(&(number as u32).to_le_bytes());
        };
        u32(&mut bytes, set_bytes);
        u32(&mut bytes, row_bytes);
        u32(&mut bytes, rows_at);
        bytes.extend_from_slice(&self.class_of);
        u32(&mut bytes, 0);
        let set = |bytes: &mut Vec<u8>, set: &Set| {
            bytes.extend(set.iter().flat_map(|word| word.to_le_bytes()));
        };
        set(&mut bytes, &self.start);
        set(&mut bytes, &self.accepting);
        bytes.resize(rows_at, 0);
        for next in &self.next {
            u32(
                &mut bytes,
                match *next {
                    DEAD => 0,
                    // The empty one is not written.
                    other => sets_at + (other as usize - 1) * set_bytes,
                },
            );
        }
        for other in &self.sets[1..] {
            set(&mut bytes, other);
        }
        bytes
    }
}

/// A state in which an automaton waits for a byte, or for the end of the text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Waiting {
    state: StateID,
    /// The state looks whether a line ends here, and this says whether one begins here. False of
    /// other states.
    begins: bool,
}

struct Maker<'a> {
    nfa: &'a NFA,
    number_of: HashMap<Waiting, u32>,
    states: Vec<Waiting>,
    /// By state and whether a line begins: what `reach` answers.
    reached: HashMap<(StateID, bool), Vec<u32>>,
}

impl Maker<'_> {
    /// Numbers of those that wait where `from` leads without a byte, in order. `begins`: a line
    /// begins here.
    fn reach(&mut self, from: StateID, begins: bool) -> Option<Vec<u32>> {
        if let Some(known) = self.reached.get(&(from, begins)) {
            return Some(known.clone());
        }
        let mut numbers = Vec::new();
        for waiting in self.closure(from, begins, false) {
            let next = self.states.len() as u32;
            let number = *self.number_of.entry(waiting).or_insert(next);
            if number == next {
                self.states.push(waiting);
            }
            numbers.push(number);
        }
        numbers.sort_unstable();
        self.reached.insert((from, begins), numbers.clone());
        (self.states.len() <= STATES_MAX).then_some(numbers)
    }

    /// Those that wait where `from` leads without a byte. `ends`: a line ends here, so that
    /// nothing needs to wait for that.
    fn closure(&self, from: StateID, begins: bool, ends: bool) -> Vec<Waiting> {
        let mut seen = vec![false; self.nfa.states().len()];
        let mut stack = vec![from];
        let mut found = Vec::new();
        while let Some(state) = stack.pop() {
            if std::mem::replace(&mut seen[state.as_usize()], true) {
                continue;
            }
            let waits = |begins| Waiting { state, begins };
            match self.nfa.state(state) {
                State::ByteRange { .. }
                | State::Sparse(_)
                | State::Dense(_)
                | State::Match { .. } => found.push(waits(false)),
                State::Look { look, next } => match look {
                    Look::StartLF if begins => stack.push(*next),
                    Look::EndLF if ends => stack.push(*next),
                    Look::EndLF => found.push(waits(begins)),
                    // No line begins here, and there is no syntax for the others.
                    _ => {}
                },
                State::Union { alternates } => stack.extend(alternates.iter()),
                State::BinaryUnion { alt1, alt2 } => stack.extend([alt1, alt2]),
                State::Capture { next, .. } => stack.push(*next),
                State::Fail => {}
            }
        }
        found
    }

    /// Numbers of those that a byte leads to, in order.
    fn step(&mut self, waiting: Waiting, byte: u8) -> Option<Vec<u32>> {
        let next = match self.nfa.state(waiting.state) {
            State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
            State::Sparse(sparse) => sparse.matches_byte(byte),
            State::Dense(dense) => dense.matches_byte(byte),
            State::Look { next, .. } if byte == b'\n' => {
                let mut numbers = Vec::new();
                for behind in self.closure(*next, waiting.begins, true) {
                    numbers.extend(self.step(behind, byte)?);
                }
                numbers.sort_unstable();
                numbers.dedup();
                return Some(numbers);
            }
            _ => None,
        };
        match next {
            Some(next) => self.reach(next, byte == b'\n'),
            None => Some(Vec::new()),
        }
    }

    /// A text may end here.
    fn ends(&self, waiting: Waiting) -> bool {
        let is_match = |state| matches!(self.nfa.state(state), State::Match { .. });
        match self.nfa.state(waiting.state) {
            State::Look { next, .. } => (self.closure(*next, waiting.begins, true).iter())
                .any(|behind| is_match(behind.state)),
            _ => is_match(waiting.state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Automata, Form};
    use super::*;

    /// Every text of up to so many of these characters.
    fn texts(characters: &str, most: usize) -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut begin = 0;
        for _ in 0..most {
            let end = texts.len();
            for at in begin..end {
                for character in characters.chars() {
                    texts.push(format!("{}{character}", texts[at]));
                }
            }
            begin = end;
        }
        texts
    }

    #[test]
    fn one_that_is_in_several_states_accepts_what_one_in_a_single_state_does() {
        let texts = texts("ab\né", 6);
        for pattern in [
            "",
            "a",
            ".*",
            "(a|b)*abb",
            "^a$",
            "(^a*$\n?)*",
            "a*$^b*",
            "(a$|\nb|^)*",
            "[^a]{2,4}.?",
            "(a|(b|\n$)+){1,3}é*",
            "a^b|$",
            "$^",
        ] {
            let single = Automata::default().regex(pattern).expect(pattern);
            assert!(matches!(single.0.form, Form::Single(_)), "{pattern}");
            let nfa = Automata::default().nfa(&format!("(?:{pattern})"));
            let sets = Sets::new(&nfa.expect(pattern)).expect(pattern);
            for text in &texts {
                let text = text.as_bytes();
                assert_eq!(
                    sets.accepts(text),
                    single.accepts(text),
                    "{pattern} {text:?}"
                );
            }
        }
    }
}
