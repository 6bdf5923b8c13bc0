//! Nodes and tests to instructions. Every node leaves an `i32` on the stack: 0 for false,
//! anything else for true.

use super::own::WORDS_AT;
use super::text;
use super::{Addresses, Functions, OWN, Pool, WINDOW, own32};
use crate::guard::{Edge, Sign};
use crate::ir::{Graph, Id, Network, Node, Op, Test, is_string};
use crate::share::{Costs, Long, NODES_MAX, TOGETHER_COST_MAX};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use saker_rules_schema::field::Type;
use saker_rules_schema::manifest::Slot;
use saker_rules_schema::row::Shape;
use saker_rules_schema::term::Term;
use wasm_encoder::{BlockType, Function, InstructionSink, MemArg, ValType};

/// The row's address: always the first parameter.
pub(crate) const ROW: u32 = 0;
/// The address of the process's bits: second parameter of a part.
pub(crate) const BITS: u32 = 1;
/// Hits so far.
pub(crate) const HITS: u32 = 2;
/// Anything short-lived.
pub(crate) const SCRATCH: u32 = 3;
/// A literal id, or a text's address.
const TEXT: u32 = 4;
/// A list's next element.
const CURSOR: u32 = 5;
/// A list's elements left.
const LEFT: u32 = 6;
/// A number.
const NUMBER: u32 = 7;
/// A word of bits in the making.
pub(crate) const WORD: u32 = 8;
/// The first of a function's own.
pub(crate) const EARLY: u32 = 9;

/// So many parts of a chain that cost next to nothing are asked without a branch between them.
const TOGETHER_MAX: usize = 4;
/// A set of so many is compared one by one; beyond, its bitmap is asked.
const COMPARED_MAX: usize = 4;
/// Texts of so many bytes are compared with constants in the code.
const INLINE_MAX: usize = 64;

/// The slots of a row.
#[derive(Clone)]
pub(crate) struct Layout {
    pub(crate) slots: Vec<Slot>,
    pub(crate) slot_of: HashMap<Term, u16, FixedState>,
    pub(crate) shape: Shape,
}

/// Locals that hold what was read of a slot: 0 if the field is absent.
#[derive(Default)]
pub(crate) struct Slots {
    /// Literal ids.
    pub(crate) ids: HashMap<u16, u32, FixedState>,
    /// Addresses of texts.
    pub(crate) texts: HashMap<u16, u32, FixedState>,
    /// The first eight bytes of texts, zeroes behind a shorter one (`i64`).
    pub(crate) starts: HashMap<u16, u32, FixedState>,
    /// The last eight bytes of texts, zeroes before a shorter one (`i64`).
    pub(crate) ends: HashMap<u16, u32, FixedState>,
}

/// How many locals a function has of its own, from [`EARLY`] on: `i32`, then `i64`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Locals {
    pub(crate) ints: u32,
    pub(crate) longs: u32,
}

/// The instructions of a function in the making.
#[derive(Default)]
pub(crate) struct Body(Vec<u8>);

impl Body {
    pub(crate) fn sink(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.0)
    }

    /// The function, which has so many parameters. Locals have fixed places, those of its own
    /// follow.
    pub(crate) fn finish(self, params: u32, own: Locals) -> Function {
        let mut function = Function::new([
            (NUMBER - params, ValType::I32),
            (EARLY - NUMBER, ValType::I64),
            (own.ints, ValType::I32),
            (own.longs, ValType::I64),
        ]);
        function.raw(self.0);
        function
    }
}

/// What the nodes of a function refer to.
pub(crate) struct Scope<'a, 'c> {
    pub(crate) graph: &'a Graph,
    pub(crate) layout: &'a Layout,
    pub(crate) bits: &'a HashMap<Id, u32, FixedState>,
    pub(crate) parts: &'a HashMap<Id, u32, FixedState>,
    pub(crate) pieces: &'a HashMap<Id, Vec<u32>, FixedState>,
    /// Locals of the tests that are made early.
    pub(crate) early: &'a HashMap<Id, u32, FixedState>,
    /// Locals of what is read of often used slots before the rules.
    pub(crate) slots: &'a Slots,
    pub(crate) costs: &'a mut Costs<'c>,
    pub(crate) pool: &'a mut Pool,
    pub(crate) addresses: Addresses,
    pub(crate) functions: Functions,
}

/// Where a slot lies: at an offset from the address in a local.
#[derive(Clone, Copy)]
struct Place {
    base: u32,
    offset: u32,
    /// The local that holds the literal id, if one does.
    id: Option<u32>,
    /// The local that holds the text's address, if one does.
    text: Option<u32>,
    /// The local that holds the text's first bytes, if one does.
    start: Option<u32>,
    /// The local that holds the text's last bytes, if one does.
    end: Option<u32>,
}

impl Place {
    /// The literal id, or a list's count.
    fn first(self) -> MemArg {
        self.at(0)
    }

    /// The tail's offset.
    fn second(self) -> MemArg {
        self.at(4)
    }

    fn at(self, more: u32) -> MemArg {
        MemArg {
            offset: (self.offset + more).into(),
            align: 2,
            memory_index: WINDOW,
        }
    }

    fn number(self) -> MemArg {
        MemArg {
            offset: self.offset.into(),
            align: 3,
            memory_index: WINDOW,
        }
    }
}

impl Scope<'_, '_> {
    /// Reads a slot's literal id, or its text's address, into a local; 0 if it is absent, as
    /// all of an absent field's slot is.
    pub(crate) fn read(&self, body: &mut Body, slot: u16, text: bool, local: u32) {
        let place = MemArg {
            offset: (self.layout.shape.slot(slot) + if text { 4 } else { 0 }).into(),
            align: 2,
            memory_index: WINDOW,
        };
        let mut sink = body.sink();
        sink.local_get(ROW).i32_load(place);
        if text {
            sink.local_tee(TEXT).local_get(ROW).i32_add();
            sink.i32_const(0).local_get(TEXT).select();
        }
        sink.local_set(local);
    }

    /// Reads the first bytes of the text whose address is in a local into another.
    pub(crate) fn read_start(&self, body: &mut Body, text: u32, local: u32) {
        let at = |offset: u64| MemArg {
            offset,
            align: 0,
            memory_index: WINDOW,
        };
        let mut sink = body.sink();
        sink.block(BlockType::Result(ValType::I64)).i64_const(0);
        sink.local_get(text).i32_eqz().br_if(0);
        sink.local_get(text)
            .i32_load(super::window32(0))
            .local_tee(SCRATCH);
        sink.i32_eqz().br_if(0).drop();
        // Texts are filled up with zeroes to a multiple of four.
        sink.local_get(text).i64_load32_u(at(4));
        sink.local_get(SCRATCH).i32_const(4).i32_le_u().br_if(0);
        sink.local_get(text).i64_load32_u(at(8));
        sink.i64_const(32).i64_shl().i64_or();
        sink.end().local_set(local);
    }

    /// The same for its last bytes.
    pub(crate) fn read_end(&self, body: &mut Body, text: u32, local: u32) {
        let mut sink = body.sink();
        sink.block(BlockType::Result(ValType::I64)).i64_const(0);
        sink.local_get(text).i32_eqz().br_if(0);
        sink.local_get(text)
            .i32_load(super::window32(0))
            .local_tee(SCRATCH);
        sink.i32_eqz().br_if(0).drop();
        // Before the text stands its length, so that eight bytes before its end can be read.
        sink.local_get(text).local_get(SCRATCH).i32_add();
        sink.i32_const(4).i32_sub().i64_load(MemArg {
            offset: 0,
            align: 0,
            memory_index: WINDOW,
        });
        sink.i64_const(-1);
        sink.i32_const(8).local_get(SCRATCH).i32_sub();
        sink.i32_const(0);
        sink.local_get(SCRATCH).i32_const(8).i32_lt_u().select();
        sink.i32_const(3).i32_shl().i64_extend_i32_u();
        sink.i64_shl().i64_and();
        sink.end().local_set(local);
    }

    /// Whether a text's first or last bytes, in a local, are these.
    fn edge(&self, body: &mut Body, local: u32, edge: Edge) {
        let mut sink = body.sink();
        sink.local_get(local);
        if edge.mask != u64::MAX {
            sink.i64_const(edge.mask.cast_signed()).i64_and();
        }
        sink.i64_const(edge.word.cast_signed()).i64_eq();
    }

    /// Whether one of these signs is seen. There is no branch in it.
    pub(crate) fn signs(&mut self, body: &mut Body, signs: &[Sign]) {
        for (at, sign) in signs.iter().enumerate() {
            self.sign(body, sign);
            if at > 0 {
                body.sink().i32_or();
            }
        }
    }

    fn sign(&mut self, body: &mut Body, sign: &Sign) {
        let graph = self.graph;
        match sign {
            Sign::In(slot, tests) => {
                let mut values: Vec<&[u8]> = Vec::new();
                for test in tests {
                    if let Node::Test(Test { op: Op::In(of), .. }) = graph.node(*test) {
                        values.extend(of.iter().map(Vec::as_slice));
                    }
                }
                values.sort_unstable();
                values.dedup();
                let Some(id) = self.slots.ids.get(slot).copied() else {
                    body.sink().i32_const(1);
                    return;
                };
                if values.len() <= COMPARED_MAX {
                    self.compared(body, &values, id);
                } else if let Some(set) = self.pool.union(&values) {
                    self.marked(&mut body.sink(), set, id);
                } else {
                    // A literal is not yet one of these, but most texts are none.
                    body.sink().local_get(id).i32_const(0).i32_ne();
                }
            }
            Sign::Starts(slot, edge) | Sign::Ends(slot, edge) => {
                let read = match sign {
                    Sign::Starts(..) => &self.slots.starts,
                    _ => &self.slots.ends,
                };
                match read.get(slot).copied() {
                    Some(local) => self.edge(body, local, *edge),
                    None => {
                        body.sink().i32_const(1);
                    }
                }
            }
            Sign::Test(id) => {
                self.node(body, *id);
                body.sink().i32_const(0).i32_ne();
            }
            Sign::Bits { word, mask } => {
                let mut sink = body.sink();
                sink.local_get(BITS);
                sink.i64_load(super::own64(WORDS_AT + word * 8));
                sink.i64_const(mask.cast_signed()).i64_and();
                sink.i64_const(0).i64_ne();
            }
        }
    }

    /// Recursion is bounded by the graph's depth.
    pub(crate) fn node(&mut self, body: &mut Body, id: Id) {
        if let Some(local) = self.early.get(&id) {
            body.sink().local_get(*local);
            return;
        }
        if let Some(bit) = self.bits.get(&id) {
            let mut sink = body.sink();
            sink.local_get(BITS).i32_load8_u(MemArg {
                offset: (WORDS_AT + bit / 8).into(),
                align: 0,
                memory_index: OWN,
            });
            sink.i32_const(1 << (bit % 8)).i32_and();
            return;
        }
        if let Some(part) = self.parts.get(&id) {
            body.sink().local_get(ROW).local_get(BITS).call(*part);
            return;
        }
        self.node_itself(body, id);
    }

    /// The node, even if it is a part with a function of its own.
    pub(crate) fn node_itself(&mut self, body: &mut Body, id: Id) {
        let graph = self.graph;
        match graph.node(id) {
            Node::False => {
                body.sink().i32_const(0);
            }
            Node::True => {
                body.sink().i32_const(1);
            }
            Node::Not(part) => {
                self.node(body, *part);
                body.sink().i32_eqz();
            }
            Node::And(_) | Node::Or(_) if self.pieces.contains_key(&id) => {
                self.called(body, id);
            }
            Node::And(parts) => {
                let steps = self.steps(parts, true);
                self.chain(body, &steps, true);
            }
            Node::Or(parts) => {
                let steps = self.steps(parts, false);
                self.chain(body, &steps, false);
            }
            Node::Test(test) => self.test(body, test),
        }
    }

    /// Leaves the block of that depth unless the node holds.
    pub(crate) fn unless(&mut self, body: &mut Body, id: Id, depth: u32) {
        let parts = match self.graph.node(id) {
            Node::And(parts) if !self.is_made(id) => parts,
            _ => {
                self.node(body, id);
                body.sink().i32_eqz().br_if(depth);
                return;
            }
        };
        for step in self.steps(parts, true) {
            match step.as_slice() {
                [one] => self.unless(body, *one, depth),
                several => {
                    self.together(body, several, true);
                    body.sink().i32_eqz().br_if(depth);
                }
            }
        }
    }

    /// Whether the node's answer is at hand, or a function's.
    fn is_made(&self, id: Id) -> bool {
        self.early.contains_key(&id)
            || self.bits.contains_key(&id)
            || self.parts.contains_key(&id)
            || self.pieces.contains_key(&id)
    }

    /// The parts of a chain in the order in which they are asked. Those that cost next to nothing
    /// are asked together: a branch that is foretold wrongly costs more.
    fn steps(&mut self, parts: &[Id], and: bool) -> Vec<Vec<Id>> {
        let parts = self.costs.sorted(parts, and);
        let (cheap, others): (Vec<Id>, Vec<Id>) = parts
            .into_iter()
            .partition(|part| self.costs.of(*part) <= TOGETHER_COST_MAX);
        let mut steps: Vec<Vec<Id>> = cheap.chunks(TOGETHER_MAX).map(<[Id]>::to_vec).collect();
        steps.extend(others.into_iter().map(|part| vec![part]));
        steps
    }

    /// A long chain's steps, so many together as fit into a function.
    pub(crate) fn pieces_of(&mut self, id: Id, long: &Long) -> Vec<Vec<Vec<Id>>> {
        let steps = match self.graph.node(id) {
            Node::And(parts) => self.steps(parts, true),
            Node::Or(parts) => self.steps(parts, false),
            Node::False | Node::True | Node::Not(_) | Node::Test(_) => Vec::new(),
        };
        let mut pieces: Vec<Vec<Vec<Id>>> = Vec::new();
        let mut room = 0;
        for step in steps {
            let size = step.iter().map(|part| long.size(*part)).sum::<usize>();
            match pieces.last_mut().filter(|_| size <= room) {
                Some(piece) => piece.push(step),
                None => {
                    pieces.push(vec![step]);
                    room = NODES_MAX;
                }
            }
            room = room.saturating_sub(size);
        }
        pieces
    }

    /// A long chain by its pieces, until one decides.
    fn called(&mut self, body: &mut Body, id: Id) {
        let and = matches!(self.graph.node(id), Node::And(_));
        let mut sink = body.sink();
        sink.block(BlockType::Result(ValType::I32));
        let (last, others) = match self.pieces[&id].split_last() {
            Some(found) => found,
            None => unreachable!("a long chain has pieces"),
        };
        for piece in others {
            sink.i32_const(i32::from(!and));
            sink.local_get(ROW).local_get(BITS).call(*piece);
            if and {
                sink.i32_eqz();
            }
            sink.br_if(0).drop();
        }
        sink.local_get(ROW).local_get(BITS).call(*last).end();
    }

    /// Steps one after the other, until one decides.
    pub(crate) fn chain(&mut self, body: &mut Body, steps: &[Vec<Id>], and: bool) {
        body.sink()
            .block(BlockType::Result(ValType::I32))
            .i32_const(i32::from(!and));
        for (at, step) in steps.iter().enumerate() {
            let last = at + 1 == steps.len();
            if last {
                body.sink().drop();
            }
            self.together(body, step, and);
            if !last {
                if and {
                    body.sink().i32_eqz();
                }
                body.sink().br_if(0);
            }
        }
        body.sink().end();
    }

    /// All of the parts, and whether all of them hold, or one.
    fn together(&mut self, body: &mut Body, parts: &[Id], and: bool) {
        for (at, part) in parts.iter().enumerate() {
            self.node(body, *part);
            // What is true may be any number but 0.
            if and && parts.len() > 1 {
                body.sink().i32_eqz();
            }
            if at > 0 {
                body.sink().i32_or();
            }
        }
        if and && parts.len() > 1 {
            body.sink().i32_eqz();
        }
    }

    fn test(&mut self, body: &mut Body, test: &Test) {
        let Some(&slot) = self.layout.slot_of.get(&test.term) else {
            // A layout holds every field of its conditions; were it not so, the field would be
            // absent.
            body.sink().i32_const(0);
            return;
        };
        let shape = self.layout.shape;
        let (word, mask) = shape.presence(slot);
        let byte = mask.trailing_zeros() / 8;
        let place = Place {
            base: ROW,
            offset: shape.slot(slot),
            id: self.slots.ids.get(&slot).copied(),
            text: self.slots.texts.get(&slot).copied(),
            start: self.slots.starts.get(&slot).copied(),
            end: self.slots.ends.get(&slot).copied(),
        };
        let present = |body: &mut Body| {
            let mut sink = body.sink();
            sink.local_get(ROW).i32_load8_u(MemArg {
                offset: (word + byte).into(),
                align: 0,
                memory_index: WINDOW,
            });
            sink.i32_const(1 << (mask.trailing_zeros() % 8)).i32_and();
        };
        if test.op == Op::Exists {
            present(body);
            return;
        }
        if !holds_for_zero(&test.op) {
            match test.term.is_list() {
                true => self.list(body, test, place),
                false => self.element(body, test.term.kind(), &test.op, place),
            }
            return;
        }
        if is_straight(&test.op) && !test.term.is_list() {
            present(body);
            body.sink().i32_const(0).i32_ne();
            self.element(body, test.term.kind(), &test.op, place);
            body.sink().i32_and();
            return;
        }
        body.sink()
            .block(BlockType::Result(ValType::I32))
            .i32_const(0);
        present(body);
        body.sink().i32_eqz().br_if(0).drop();
        if test.term.is_list() {
            self.list(body, test, place);
        } else {
            self.element(body, test.term.kind(), &test.op, place);
        }
        body.sink().end();
    }

    /// Whether one element of a list satisfies the test.
    fn list(&mut self, body: &mut Body, test: &Test, place: Place) {
        let mut sink = body.sink();
        sink.local_get(place.base)
            .i32_load(place.first())
            .local_set(LEFT);
        sink.local_get(ROW);
        sink.local_get(place.base).i32_load(place.second());
        sink.i32_add().local_set(CURSOR);
        sink.block(BlockType::Result(ValType::I32));
        sink.loop_(BlockType::Empty);
        sink.i32_const(0);
        sink.local_get(LEFT).i32_eqz().br_if(1).drop();
        sink.i32_const(1);
        let element = Place {
            base: CURSOR,
            offset: 0,
            id: None,
            text: None,
            start: None,
            end: None,
        };
        self.element(body, test.term.kind(), &test.op, element);
        let mut sink = body.sink();
        sink.br_if(1).drop();
        sink.local_get(CURSOR)
            .i32_const(8)
            .i32_add()
            .local_set(CURSOR);
        sink.local_get(LEFT).i32_const(1).i32_sub().local_set(LEFT);
        sink.br(0).end();
        sink.unreachable().end();
    }

    /// The question to a value that is there.
    fn element(&mut self, body: &mut Body, kind: Type, op: &Op, place: Place) {
        match op {
            Op::Exists => {
                body.sink().i32_const(1);
            }
            Op::In(values) => self.member(body, values, place),
            Op::Differs(value) => {
                let cell = self.addresses.literal_ids + self.pool.literal(value) * 4;
                let mut sink = body.sink();
                sink.local_get(place.base).i32_load(place.first());
                sink.i32_const(0).i32_load(own32(cell)).i32_ne();
            }
            Op::Numbers(values) => numbers(&mut body.sink(), values, place),
            Op::Range(min, max) => range(&mut body.sink(), kind, *min, *max, place),
            Op::StartsWith(part) => self.end(body, part, place, false),
            Op::EndsWith(part) => self.end(body, part, place, true),
            Op::Contains(part) => self.find(body, part, place, false),
            Op::IContains(part) => self.find(body, part, place, true),
            Op::Networks(networks) => networks_hold(&mut body.sink(), networks, place),
            Op::Accepted(automaton) => {
                let encoded = automaton.encode();
                let at = self.addresses.data + self.pool.data(&encoded.table);
                let walk = match encoded.is_backward {
                    true => self.functions.walk_back,
                    false => self.functions.walk,
                };
                call(&mut body.sink(), place, &[at, encoded.start], walk);
            }
            Op::Glob(pattern) => {
                // Most texts do not even begin as the pattern does.
                let start = pattern.literal_start();
                if !start.is_empty() {
                    self.end(body, &start, place, false);
                    body.sink().if_(BlockType::Result(ValType::I32));
                }
                let pieces = text::pieces(pattern, |class| self.pool.data(class));
                let at = self.addresses.data + self.pool.data(&pieces);
                let pieces = pattern.0.len() as u32;
                call(&mut body.sink(), place, &[at, pieces], self.functions.glob);
                if !start.is_empty() {
                    body.sink().else_().i32_const(0).end();
                }
            }
        }
        debug_assert!(
            is_string(kind) || !op.needs_bytes(),
            "lowering holds operators against types"
        );
    }

    /// Whether the text contains this.
    fn find(&mut self, body: &mut Body, part: &[u8], place: Place, folded: bool) {
        let needle = self.addresses.data + self.pool.data(part);
        let (first, last) = text::edges(part, folded);
        let mut sink = body.sink();
        sink.block(BlockType::Result(ValType::I32)).i32_const(0);
        text_address(&mut sink, place);
        let Some(gap) = part.len().checked_sub(1) else {
            // What is empty is in every text.
            sink.drop().i32_const(1).end();
            return;
        };
        sink.drop().local_get(TEXT);
        sink.i32_const(needle as i32).i32_const(gap as i32);
        sink.i64_const(first).i64_const(last);
        sink.call(match folded {
            false => self.functions.find,
            true => self.functions.find_folded,
        });
        sink.end();
    }

    /// Whether the literal id is that of one of these.
    fn member(&mut self, body: &mut Body, values: &[Vec<u8>], place: Place) {
        let mut sink = body.sink();
        let id = place.id.unwrap_or(TEXT);
        if place.id.is_none() {
            sink.local_get(place.base)
                .i32_load(place.first())
                .local_set(TEXT);
        }
        if values.len() <= COMPARED_MAX {
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            self.compared(body, &values, id);
            return;
        }
        let set = self.pool.set(values);
        self.marked(&mut body.sink(), set, id);
    }

    /// Whether the literal id in the local is that of one of these few.
    fn compared(&mut self, body: &mut Body, values: &[&[u8]], id: u32) {
        // No literal's id is 0, which all other texts have.
        for (at, value) in values.iter().enumerate() {
            let cell = self.addresses.literal_ids + self.pool.literal(value) * 4;
            let mut sink = body.sink();
            sink.local_get(id);
            sink.i32_const(0).i32_load(own32(cell)).i32_eq();
            if at > 0 {
                sink.i32_or();
            }
        }
        if values.is_empty() {
            body.sink().i32_const(0);
        }
    }

    /// Whether the literal id in the local is marked in the set's bitmap, where 0 never is.
    fn marked(&self, sink: &mut InstructionSink<'_>, set: u32, id: u32) {
        let set = self.addresses.sets + set * 8;
        sink.local_get(id).i32_const(0);
        sink.local_get(id);
        sink.i32_const(0).i32_load(own32(set + 4));
        sink.i32_lt_u().select().local_tee(SCRATCH);
        sink.i32_const(3).i32_shr_u();
        sink.i32_const(0).i32_load(own32(set)).i32_add();
        sink.i32_load8_u(super::own8(0));
        sink.local_get(SCRATCH).i32_const(7).i32_and().i32_shr_u();
        sink.i32_const(1).i32_and();
    }

    /// Whether the text begins or ends with this.
    fn end(&mut self, body: &mut Body, part: &[u8], place: Place, last: bool) {
        let (local, edge) = match last {
            false => (place.start, Edge::start(part)),
            true => (place.end, Edge::end(part)),
        };
        if let (Some(local), Some(edge)) = (local, edge) {
            self.edge(body, local, edge);
            if part.len() <= 8 {
                return;
            }
            body.sink().if_(BlockType::Result(ValType::I32));
            let place = Place {
                start: None,
                end: None,
                ..place
            };
            self.end(body, part, place, last);
            body.sink().else_().i32_const(0).end();
            return;
        }
        let mut sink = body.sink();
        sink.block(BlockType::Result(ValType::I32)).i32_const(0);
        text_address(&mut sink, place);
        sink.local_get(TEXT)
            .i32_load(super::window32(0))
            .local_tee(SCRATCH);
        sink.i32_const(part.len() as i32).i32_lt_u().br_if(0).drop();
        if last {
            sink.local_get(TEXT).local_get(SCRATCH).i32_add();
            sink.i32_const(part.len() as i32).i32_sub().local_set(TEXT);
        }
        // TEXT is now 4 below the first byte to compare.
        if part.len() <= INLINE_MAX {
            inline_equal(&mut sink, part);
        } else {
            let needle = self.addresses.data + self.pool.data(part);
            let mut sink = body.sink();
            sink.local_get(TEXT).i32_const(4).i32_add();
            sink.i32_const(needle as i32).i32_const(part.len() as i32);
            sink.call(self.functions.same);
        }
        body.sink().end();
    }
}

/// Sets `TEXT` to the address of the text's length; leaves the block if there are no bytes.
fn text_address(sink: &mut InstructionSink<'_>, place: Place) {
    if let Some(local) = place.text {
        sink.local_get(local).local_tee(TEXT).i32_eqz().br_if(0);
        return;
    }
    sink.local_get(place.base)
        .i32_load(place.second())
        .local_tee(TEXT)
        .i32_eqz()
        .br_if(0);
    sink.local_get(TEXT)
        .local_get(ROW)
        .i32_add()
        .local_set(TEXT);
}

/// Calls one of the functions over texts: `(text, arguments…) -> i32`.
fn call(sink: &mut InstructionSink<'_>, place: Place, arguments: &[u32], function: u32) {
    sink.block(BlockType::Result(ValType::I32)).i32_const(0);
    text_address(sink, place);
    sink.drop().local_get(TEXT);
    for argument in arguments {
        sink.i32_const(*argument as i32);
    }
    sink.call(function).end();
}

/// Compares the bytes 4 behind `TEXT` with a constant, in words that stay within the text.
fn inline_equal(sink: &mut InstructionSink<'_>, part: &[u8]) {
    let mut at = 0;
    let mut first = true;
    while at < part.len() {
        let place = MemArg {
            offset: 4 + at as u64,
            align: 0,
            memory_index: WINDOW,
        };
        let rest = &part[at..];
        sink.local_get(TEXT);
        if let Some(word) = rest.first_chunk::<8>() {
            sink.i64_load(place)
                .i64_const(i64::from_le_bytes(*word))
                .i64_eq();
            at += 8;
        } else if let Some(word) = rest.first_chunk::<4>() {
            sink.i32_load(place)
                .i32_const(i32::from_le_bytes(*word))
                .i32_eq();
            at += 4;
        } else if let Some(word) = rest.first_chunk::<2>() {
            sink.i32_load16_u(place);
            sink.i32_const(u16::from_le_bytes(*word).into()).i32_eq();
            at += 2;
        } else {
            sink.i32_load8_u(place).i32_const(rest[0].into()).i32_eq();
            at += 1;
        }
        if !first {
            sink.i32_and();
        }
        first = false;
    }
    if first {
        sink.i32_const(1);
    }
}

/// Whether the address lies in one of these networks.
fn networks_hold(sink: &mut InstructionSink<'_>, networks: &[Network], place: Place) {
    sink.block(BlockType::Result(ValType::I32)).i32_const(0);
    text_address(sink, place);
    sink.drop();
    for bytes in [4, 16] {
        let of_family = || {
            networks
                .iter()
                .filter(move |network| network.address().len() == bytes)
        };
        if of_family().next().is_none() {
            continue;
        }
        sink.local_get(TEXT).i32_load(super::window32(0));
        sink.i32_const(bytes as i32).i32_eq().if_(BlockType::Empty);
        for network in of_family() {
            sink.i32_const(1);
            inline_masked(sink, network.address(), &network.mask());
            sink.br_if(1).drop();
        }
        sink.end();
    }
    sink.i32_const(0).end();
}

/// Compares those bits of the bytes 4 behind `TEXT` that count with a constant.
fn inline_masked(sink: &mut InstructionSink<'_>, address: &[u8], mask: &[u8]) {
    sink.i32_const(1);
    for (at, (address, mask)) in address.chunks(4).zip(mask.chunks(4)).enumerate() {
        let (Some(address), Some(mask)) = (address.first_chunk(), mask.first_chunk()) else {
            continue;
        };
        let mask = i32::from_le_bytes(*mask);
        if mask == 0 {
            continue;
        }
        sink.local_get(TEXT).i32_load(MemArg {
            offset: 4 + at as u64 * 4,
            align: 0,
            memory_index: WINDOW,
        });
        sink.i32_const(mask).i32_and();
        sink.i32_const(i32::from_le_bytes(*address)).i32_eq();
        sink.i32_and();
    }
}

fn numbers(sink: &mut InstructionSink<'_>, values: &[i128], place: Place) {
    // Both signed and unsigned numbers are compared by their bits.
    let compare = |sink: &mut InstructionSink<'_>, value: &i128| {
        sink.local_get(NUMBER).i64_const(*value as i64).i64_eq();
    };
    sink.local_get(place.base)
        .i64_load(place.number())
        .local_set(NUMBER);
    if values.len() <= COMPARED_MAX {
        sink.i32_const(0);
        for value in values {
            compare(sink, value);
            sink.i32_or();
        }
        return;
    }
    sink.block(BlockType::Result(ValType::I32)).i32_const(1);
    for value in values {
        compare(sink, value);
        sink.br_if(0);
    }
    sink.drop().i32_const(0).end();
}

/// Whether it may hold for what an absent field's slot holds: no literal, no text, no elements,
/// or the number 0. If not, nobody needs to ask whether the field is there.
fn holds_for_zero(op: &Op) -> bool {
    match op {
        Op::Exists | Op::Differs(_) => true,
        Op::Numbers(values) => values.contains(&0),
        Op::Range(min, max) => (*min..=*max).contains(&0),
        Op::In(_)
        | Op::Contains(_)
        | Op::IContains(_)
        | Op::StartsWith(_)
        | Op::EndsWith(_)
        | Op::Glob(_)
        | Op::Accepted(_)
        | Op::Networks(_) => false,
    }
}

/// Whether a value is held against it without a branch, so that it may as well be done for one
/// that is absent.
fn is_straight(op: &Op) -> bool {
    match op {
        Op::In(values) => values.len() <= COMPARED_MAX,
        Op::Numbers(values) => values.len() <= COMPARED_MAX,
        Op::Range(..) | Op::Differs(_) => true,
        Op::Exists
        | Op::StartsWith(_)
        | Op::EndsWith(_)
        | Op::Contains(_)
        | Op::IContains(_)
        | Op::Networks(_)
        | Op::Accepted(_)
        | Op::Glob(_) => false,
    }
}

fn range(sink: &mut InstructionSink<'_>, kind: Type, min: i128, max: i128, place: Place) {
    let signed = match kind {
        Type::Int => true,
        Type::Uint
        | Type::Port
        | Type::AbsTime
        | Type::RelTime
        | Type::Double
        | Type::Bool
        | Type::Text
        | Type::Bytes
        | Type::IpAddr
        | Type::IpNet => false,
    };
    let (least, greatest) = match signed {
        true => (i64::MIN.into(), i64::MAX.into()),
        false => (0, i128::from(u64::MAX)),
    };
    sink.local_get(place.base)
        .i64_load(place.number())
        .local_set(NUMBER);
    sink.i32_const(1);
    if min > least {
        sink.local_get(NUMBER).i64_const(min as i64);
        match signed {
            true => sink.i64_ge_s(),
            false => sink.i64_ge_u(),
        };
        sink.i32_and();
    }
    if max < greatest {
        sink.local_get(NUMBER).i64_const(max as i64);
        match signed {
            true => sink.i64_le_s(),
            false => sink.i64_le_u(),
        };
        sink.i32_and();
    }
}
