//! Programs to a WebAssembly module and its manifest.
//!
//! ```text
//! memory 0   the window, imported; only loaded from
//! memory 1   own:
//!            none          an entry as among the bits below, never written: at address 0
//!            literal ids   u32 per literal                      written by the host
//!            sets          {address u32, bits u32} per set      written by the host
//!            enabled       u8 per rule                          written by the host
//!            matching      u32                                  written by the host
//!            cells         u8 per shared part: 0 unknown, 1 false, 2 true; those of events'
//!                           parts cleared per row, those of processes' per learning
//!            places        u32 per process ordinal: the address of its entry among the bits,
//!                           0 if it has no row in this window; cleared per call
//!            bits          per process ordinal: row u32, serial u64, known u64, then a bit per
//!                           process part, in words computed when first asked for, and kept
//!                           for as long as rows of this ordinal have the same serial
//!            hits          8 bytes each
//!            data          needles, patterns
//!            heap          free: the host places the sets' bitmaps here
//!
//! functions  evaluate → event… (one per 128 rules of an event type, or of several whose
//!                             conditions are the same) → part…
//!                             → learn → word… (64 bits each) → part…
//! ```
//!
//! Which instructions a node becomes is left to `node`, how texts are searched to `text`.

mod node;
mod own;
mod text;

use crate::Options;
use crate::clue;
use crate::guard::{self, Group, Groups, Sign};
use crate::ir::{Graph, Id, Node, is_string};
use crate::share::{self, Costs, Long};
use crate::split::{EventProgram, Programs, bits_below};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use node::{Body, Layout, Locals, Scope, Slots};
use own::{Addresses, KNOWN_AT, PLACES_BYTES, Pool, ROW_AT, SERIAL_AT, WORDS_AT};
use saker_rules_schema::abi;
use saker_rules_schema::manifest::{EventLayout, Manifest, Rule, Slot};
use saker_rules_schema::row;
use saker_rules_schema::term::Term;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, CustomSection, DataSection, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, ImportSection, InstructionSink, MemArg,
    MemorySection, MemoryType, Module, TypeSection, ValType,
};

/// The imported memory.
const WINDOW: u32 = 0;
/// The module's memory.
const OWN: u32 = 1;
const PAGE: u32 = 64 * 1024;
/// The own memory never grows beyond 16 MiB.
const OWN_PAGES_MAX: u64 = 256;
/// Hits that fit; the host counts those beyond.
const HITS_MAX: u32 = 8192;
/// Fields of an event type, and what they are made of: as many as the host takes.
const SLOTS_MAX: usize = 1024;
/// Bytes of needles and patterns.
const DATA_BYTES_MAX: usize = 4 << 20;
/// Literals, and members of all sets together.
const LITERALS_MAX: usize = 200_000;
/// Bytes of code: what Cranelift compiles in seconds.
const CODE_BYTES_MAX: usize = 6 << 20;
/// Rules in one function.
const RULES_PER_FUNCTION: usize = 128;

/// Why no module came of it.
type Emitted<T> = Result<T, String>;

/// Functions that every module has, by index.
#[derive(Clone, Copy)]
pub(crate) struct Functions {
    evaluate: u32,
    hit: u32,
    find: u32,
    find_folded: u32,
    seek: u32,
    seek_folded: u32,
    same: u32,
    glob: u32,
    walk: u32,
    walk_back: u32,
    /// The first of the others.
    pub(crate) first: u32,
}

pub(crate) const FUNCTIONS: Functions = Functions {
    evaluate: 0,
    hit: 1,
    find: 2,
    find_folded: 3,
    seek: 4,
    seek_folded: 5,
    same: 6,
    glob: 7,
    walk: 8,
    walk_back: 9,
    first: 10,
};

/// Types of functions.
#[derive(Clone, Copy)]
enum Signature {
    /// `(i32, i32) -> i32`
    Two,
    /// `(i32, i32, i32) -> i32`
    Three,
    /// `(row i32) -> i64`
    Word,
    /// `(entry i32, words i64)`
    Learn,
    /// `(i32, i32, i32, i32) -> i32`
    Four,
    /// `(text i32, needle i32, gap i32, first i64, last i64) -> i32`
    Find,
}

/// Compiles programs.
pub(crate) fn emit(
    graph: &Graph,
    programs: &Programs,
    rules: Vec<Rule>,
    options: &Options,
) -> Emitted<(Vec<u8>, Manifest)> {
    let none = HashMap::default();
    let process = layout(graph, &programs.bits, &none, options)?;
    let mut events: Vec<Layout> = Vec::new();
    for (at, first) in programs.firsts_alike().into_iter().enumerate() {
        events.push(match events.get(first) {
            Some(layout) => layout.clone(),
            None => {
                let conditions = programs.events[at].rules.iter();
                let roots: Vec<Id> = conditions.map(|(_, condition)| *condition).collect();
                layout(graph, &roots, &programs.bit_of, options)?
            }
        });
    }

    // Code names addresses, and addresses depend on what the code refers to. So it is made
    // twice: once to fill the pool, once with the addresses.
    let mut pool = Pool::default();
    let mut emitter = Emitter {
        graph,
        programs,
        process: &process,
        events: &events,
        pool: &mut pool,
        addresses: Addresses::default(),
        bodies: Vec::new(),
        cells: 0,
        process_cells: 0,
        bytes: 0,
    };
    emitter.functions()?;
    let cells = emitter.cells;
    let addresses = Addresses::new(&pool, rules.len(), cells, programs.bits.len());
    if pool.data.len() > DATA_BYTES_MAX {
        return Err(format!(
            "the texts and patterns that rules search for take {} KiB together, and may take {}",
            pool.data.len() >> 10,
            DATA_BYTES_MAX >> 10
        ));
    }
    if pool.literals.len() > LITERALS_MAX || pool.members > LITERALS_MAX {
        return Err(format!(
            "the rules compare with more than {LITERALS_MAX} values"
        ));
    }
    // Bitmaps over ids follow on the heap; leave them at least half of the memory.
    if u64::from(addresses.heap) > OWN_PAGES_MAX * u64::from(PAGE) / 2 {
        return Err("the module needs too much memory".into());
    }
    let mut emitter = Emitter {
        graph,
        programs,
        process: &process,
        events: &events,
        pool: &mut pool,
        addresses,
        bodies: Vec::new(),
        cells: 0,
        process_cells: 0,
        bytes: 0,
    };
    emitter.functions()?;
    let bodies = emitter.bodies;

    let manifest = Manifest {
        rules,
        literals: pool.literals.clone(),
        sets: pool.sets.clone(),
        process: process.slots.clone(),
        events: programs
            .events
            .iter()
            .zip(events)
            .map(|(program, layout)| {
                let roots: Vec<Id> = program.rules.iter().map(|(_, root)| *root).collect();
                let needs = match options.for_oracle {
                    true => Vec::new(),
                    false => clue::needs(
                        graph,
                        &roots,
                        &programs.bit_of,
                        &layout.slot_of,
                        &process.slot_of,
                    ),
                };
                EventLayout {
                    event: program.event,
                    slots: layout.slots,
                    needs,
                }
            })
            .collect(),
        hits_at: addresses.hits,
        hits_max: HITS_MAX,
        literal_ids_at: addresses.literal_ids,
        sets_at: addresses.sets,
        enabled_at: addresses.enabled,
        matching_at: addresses.matching,
        heap_at: addresses.heap,
    };
    Ok((assemble(&bodies, &pool, addresses, &manifest), manifest))
}

/// The slots that conditions ask for, bits not entered.
pub(crate) fn layout(
    graph: &Graph,
    roots: &[Id],
    bits: &HashMap<Id, u32, FixedState>,
    options: &Options,
) -> Emitted<Layout> {
    let mut seen = vec![false; graph.len()];
    let mut slots: Vec<Slot> = Vec::new();
    let mut terms = 0;
    let mut slot_of: HashMap<Term, u16, FixedState> = HashMap::default();
    let mut stack: Vec<Id> = roots.iter().rev().copied().collect();
    while let Some(id) = stack.pop() {
        if std::mem::replace(&mut seen[id.index()], true) || bits.contains_key(&id) {
            continue;
        }
        match graph.node(id) {
            Node::False | Node::True => {}
            Node::Not(part) => stack.push(*part),
            Node::And(parts) | Node::Or(parts) => stack.extend(parts.iter().rev()),
            Node::Test(test) => {
                let string = is_string(test.term.kind());
                let bytes = test.op.needs_bytes() || (options.for_oracle && string);
                match slot_of.get(&test.term) {
                    Some(known) => slots[usize::from(*known)].bytes |= bytes,
                    None => {
                        terms += test.term.size();
                        slot_of.insert(test.term.clone(), slots.len() as u16);
                        slots.push(Slot {
                            term: test.term.clone(),
                            bytes,
                        });
                    }
                }
                if terms > SLOTS_MAX {
                    return Err(format!(
                        "the rules name more than {SLOTS_MAX} fields, those that transformers take included"
                    ));
                }
            }
        }
    }
    Ok(Layout {
        shape: row::Shape {
            slots: slots.len() as u16,
        },
        slots,
        slot_of,
    })
}

struct Emitter<'a> {
    graph: &'a Graph,
    programs: &'a Programs,
    process: &'a Layout,
    events: &'a [Layout],
    pool: &'a mut Pool,
    addresses: Addresses,
    bodies: Vec<(Signature, Function)>,
    /// Cells of all parts, and those of processes' parts, which come first.
    cells: usize,
    process_cells: usize,
    bytes: usize,
}

/// What the functions over one kind of row have in common.
struct Unit<'a> {
    layout: &'a Layout,
    bits: &'a HashMap<Id, u32, FixedState>,
    parts: HashMap<Id, u32, FixedState>,
    /// Of a chain that is too long for one function, those of its pieces.
    pieces: HashMap<Id, Vec<u32>, FixedState>,
    costs: Costs<'a>,
}

impl<'a> Unit<'a> {
    fn new(
        graph: &'a Graph,
        layout: &'a Layout,
        bits: &'a HashMap<Id, u32, FixedState>,
    ) -> Unit<'a> {
        Unit {
            layout,
            bits,
            parts: HashMap::default(),
            pieces: HashMap::default(),
            costs: Costs::new(graph, bits),
        }
    }
}

/// What a function reads and tests before its conditions, and the locals that hold it.
#[derive(Default)]
struct Early {
    tests: HashMap<Id, u32, FixedState>,
    slots: Slots,
}

/// The conditions of a function, and what was done for them so far.
struct Asked<'a> {
    roots: &'a [Id],
    early: Early,
    /// The function that learns words of bits.
    learn: Option<u32>,
    /// The words that are known here, whichever way one came.
    learnt: u64,
}

impl Emitter<'_> {
    fn functions(&mut self) -> Emitted<()> {
        // The fixed functions come first; `evaluate` needs to know the others.
        let learn = self.process_functions()?;
        self.cells = self.cells.next_multiple_of(8);
        self.process_cells = self.cells;
        let mut events: Vec<Vec<u32>> = Vec::new();
        for (at, first) in self.programs.firsts_alike().into_iter().enumerate() {
            events.push(match events.get(first) {
                Some(functions) => functions.clone(),
                None => self.event_functions(at, learn)?,
            });
        }
        let others = std::mem::take(&mut self.bodies);
        let evaluate = self.evaluate(&events);
        self.bodies = vec![
            (Signature::Two, evaluate),
            (Signature::Three, self.hit()),
            (Signature::Find, text::find(false, FUNCTIONS.seek)),
            (Signature::Find, text::find(true, FUNCTIONS.seek_folded)),
            (Signature::Four, text::seek(false)),
            (Signature::Four, text::seek(true)),
            (Signature::Three, text::same()),
            (Signature::Three, text::glob(self.addresses.data)),
            (Signature::Three, text::walk(false)),
            (Signature::Three, text::walk(true)),
        ];
        self.bodies.extend(others);
        Ok(())
    }

    fn next_index(&self) -> u32 {
        FUNCTIONS.first + self.bodies.len() as u32
    }

    fn push(&mut self, signature: Signature, function: Function) -> Emitted<u32> {
        let index = self.next_index();
        self.bytes += function.byte_len();
        if self.bytes > CODE_BYTES_MAX {
            return Err(format!(
                "the rules compile to more than {} KiB of code",
                CODE_BYTES_MAX >> 10
            ));
        }
        self.bodies.push((signature, function));
        Ok(index)
    }

    /// Functions for shared parts and for pieces of long chains below these roots; each comes
    /// after those it uses, so their indices are known.
    fn parts(&mut self, unit: &mut Unit<'_>, roots: &[Id], shared: &[Id]) -> Emitted<()> {
        let mut cells = self.addresses.cells + self.cells as u32..;
        self.cells += shared.len();
        let long = share::long(self.graph, roots, shared, &unit.costs);
        let mut chains = long.chains.iter().copied().peekable();
        for id in shared {
            while let Some(chain) = chains.next_if(|chain| chain <= id) {
                self.pieces(unit, chain, &long)?;
            }
            let Some(cell) = cells.next() else {
                unreachable!("numbers of cells have no end")
            };
            let mut body = Body::default();
            {
                let mut sink = body.sink();
                // The cell says 1 or 2: known.
                sink.i32_const(0)
                    .i32_load8_u(own8(cell))
                    .local_tee(node::SCRATCH);
                sink.if_(BlockType::Empty);
                sink.local_get(node::SCRATCH)
                    .i32_const(1)
                    .i32_sub()
                    .return_()
                    .end();
                sink.i32_const(0);
            }
            self.scope(unit, &Early::default())
                .node_itself(&mut body, *id);
            {
                let mut sink = body.sink();
                sink.i32_const(0).i32_ne().local_tee(node::SCRATCH);
                sink.i32_const(1).i32_add().i32_store8(own8(cell));
                sink.local_get(node::SCRATCH).end();
            }
            let index = self.push(Signature::Two, body.finish(2, Locals::default()))?;
            unit.parts.insert(*id, index);
        }
        chains.try_for_each(|chain| self.pieces(unit, chain, &long))
    }

    /// A function per piece of a chain.
    fn pieces(&mut self, unit: &mut Unit<'_>, chain: Id, long: &Long) -> Emitted<()> {
        let and = matches!(self.graph.node(chain), Node::And(_));
        let none = Early::default();
        let pieces = self.scope(unit, &none).pieces_of(chain, long);
        let mut indices = Vec::new();
        for piece in pieces {
            let mut body = Body::default();
            self.scope(unit, &none).chain(&mut body, &piece, and);
            body.sink().end();
            indices.push(self.push(Signature::Two, body.finish(2, Locals::default()))?);
        }
        unit.pieces.insert(chain, indices);
        Ok(())
    }

    fn scope<'s, 'c>(&'s mut self, unit: &'s mut Unit<'c>, early: &'s Early) -> Scope<'s, 'c> {
        Scope {
            graph: self.graph,
            layout: unit.layout,
            bits: unit.bits,
            parts: &unit.parts,
            pieces: &unit.pieces,
            early: &early.tests,
            slots: &early.slots,
            costs: &mut unit.costs,
            pool: &mut *self.pool,
            addresses: self.addresses,
            functions: FUNCTIONS,
        }
    }

    /// Clears cells, beginning with one whose number is a multiple of eight.
    fn clear_cells(&self, sink: &mut InstructionSink<'_>, cells: std::ops::Range<usize>) {
        for word in cells.start / 8..cells.end.div_ceil(8) {
            let at = self.addresses.cells + word as u32 * 8;
            sink.i32_const(0).i64_const(0).i64_store(own64(at));
        }
    }

    /// Asks conditions group by group; what `take` makes of one is done if it holds. Processes'
    /// bits are learnt where a group first asks for them.
    fn conditions(
        &mut self,
        unit: &mut Unit<'_>,
        body: &mut Body,
        roots: &[Id],
        learn: Option<u32>,
        mut take: impl FnMut(&mut InstructionSink<'_>, usize),
    ) -> Locals {
        let slot_of = &unit.layout.slot_of;
        let groups = guard::groups(self.graph, roots, unit.bits, slot_of, &mut unit.costs);
        let (early, locals) = self.early(unit, body, roots, &groups);
        unit.costs.set_early(&early.tests);
        let mut asked = Asked {
            roots,
            early,
            learn,
            learnt: 0,
        };
        if !groups.rare.is_empty() {
            self.guard(unit, body, &mut asked, &groups.rare_signs);
            for group in &groups.rare {
                self.group(unit, body, &mut asked, group, &mut take);
            }
            body.sink().end();
        }
        for group in &groups.others {
            self.group(unit, body, &mut asked, group, &mut take);
        }
        unit.costs.set_early(&HashMap::default());
        locals
    }

    /// Reads and tests before all conditions what many of them ask for.
    fn early(
        &mut self,
        unit: &mut Unit<'_>,
        body: &mut Body,
        roots: &[Id],
        groups: &Groups,
    ) -> (Early, Locals) {
        let hot = groups.hot(roots);
        let slot_of = &unit.layout.slot_of;
        let mut reads = share::often(self.graph, roots, &hot, &unit.costs, slot_of);
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        let others = groups.others.iter().flat_map(|group| &group.signs);
        for sign in groups.rare_signs.iter().chain(others) {
            match sign {
                Sign::In(slot, _) => reads.push((*slot, false)),
                Sign::Starts(slot, _) => {
                    reads.push((*slot, true));
                    starts.push(*slot);
                }
                Sign::Ends(slot, _) => {
                    reads.push((*slot, true));
                    ends.push(*slot);
                }
                Sign::Test(_) | Sign::Bits { .. } => {}
            }
        }
        reads.sort_unstable();
        reads.dedup();
        for edges in [&mut starts, &mut ends] {
            edges.sort_unstable();
            edges.dedup();
        }
        let tests = share::early(self.graph, roots, &hot, &mut unit.costs);

        let locals = Locals {
            ints: (reads.len() + tests.len()) as u32,
            longs: (starts.len() + ends.len()) as u32,
        };
        let mut early = Early::default();
        let mut next = node::EARLY;
        for (slot, text) in reads {
            self.scope(unit, &early).read(body, slot, text, next);
            let known = match text {
                true => &mut early.slots.texts,
                false => &mut early.slots.ids,
            };
            known.insert(slot, next);
            next += 1;
        }
        for id in tests {
            self.scope(unit, &early).node(body, id);
            body.sink().local_set(next);
            early.tests.insert(id, next);
            next += 1;
        }
        for slot in starts {
            if let Some(text) = early.slots.texts.get(&slot) {
                self.scope(unit, &early).read_start(body, *text, next);
                early.slots.starts.insert(slot, next);
                next += 1;
            }
        }
        for slot in ends {
            if let Some(text) = early.slots.texts.get(&slot) {
                self.scope(unit, &early).read_end(body, *text, next);
                early.slots.ends.insert(slot, next);
                next += 1;
            }
        }
        (early, locals)
    }

    fn group(
        &mut self,
        unit: &mut Unit<'_>,
        body: &mut Body,
        asked: &mut Asked<'_>,
        group: &Group,
        take: &mut impl FnMut(&mut InstructionSink<'_>, usize),
    ) {
        let roots = asked.roots;
        let members = group.members.iter().map(|member| roots[*member]);
        let words = bits_below(self.graph, members, unit.bits)
            .into_iter()
            .filter_map(|id| unit.bits.get(&id))
            .fold(0u64, |words, bit| words | 1 << (bit / 64));
        if !group.signs.is_empty() {
            self.guard(unit, body, asked, &group.signs);
        }
        let learnt = asked.learnt;
        self.learn(&mut body.sink(), asked, words);
        // Words of bits are filled up with what never holds.
        let members = group.members.iter();
        for member in members.filter(|member| roots[**member] != Id::FALSE) {
            let mut sink = body.sink();
            sink.block(BlockType::Empty);
            self.scope(unit, &asked.early)
                .unless(body, roots[*member], 0);
            take(&mut body.sink(), *member);
            body.sink().end();
        }
        if !group.signs.is_empty() {
            body.sink().end();
            // Whoever was not let in learnt nothing behind the guard.
            asked.learnt = learnt;
        }
    }

    /// Opens an `if` for one of these signs.
    fn guard(
        &mut self,
        unit: &mut Unit<'_>,
        body: &mut Body,
        asked: &mut Asked<'_>,
        signs: &[Sign],
    ) {
        self.learn(&mut body.sink(), asked, words_of(signs));
        self.scope(unit, &asked.early).signs(body, signs);
        body.sink().if_(BlockType::Empty);
    }

    /// Sees to it that these words of the process's bits are known.
    fn learn(&self, sink: &mut InstructionSink<'_>, asked: &mut Asked<'_>, words: u64) {
        let words = words & !asked.learnt;
        asked.learnt |= words;
        let (Some(learn), 1..) = (asked.learn, words) else {
            return;
        };
        sink.local_get(node::BITS).i64_load(own64(KNOWN_AT));
        sink.i64_const(words.cast_signed()).i64_and();
        sink.i64_const(words.cast_signed()).i64_ne();
        sink.if_(BlockType::Empty);
        sink.local_get(node::BITS);
        sink.i64_const(words.cast_signed()).call(learn).end();
    }

    /// The functions that compute a process's bits; the index of `learn(entry, words)`, which
    /// computes those of these words that are not known, if there are bits at all.
    fn process_functions(&mut self) -> Emitted<Option<u32>> {
        let programs = self.programs;
        if programs.bits.is_empty() {
            return Ok(None);
        }
        let none = HashMap::default();
        let mut unit = Unit::new(self.graph, self.process, &none);
        let shared = share::shared(self.graph, &programs.bits, &mut unit.costs);
        self.parts(&mut unit, &programs.bits, &shared)?;
        let mut words = Vec::new();
        for word in programs.bits.chunks(64) {
            let mut body = Body::default();
            let locals = self.conditions(&mut unit, &mut body, word, None, |sink, at| {
                sink.local_get(node::WORD).i64_const(1 << at).i64_or();
                sink.local_set(node::WORD);
            });
            body.sink().local_get(node::WORD).end();
            words.push(self.push(Signature::Word, body.finish(1, locals))?);
        }
        const ENTRY: u32 = 0;
        const WORDS: u32 = 1;
        const ROW: u32 = 2;
        let mut function = Function::new([(1, ValType::I32)]);
        let mut sink = function.instructions();
        // A process without a row in this window has no bit set.
        sink.local_get(ENTRY).i32_load(own32(ROW_AT)).local_tee(ROW);
        sink.i32_eqz().if_(BlockType::Empty).return_().end();
        sink.local_get(ROW).i32_const(1).i32_sub().local_set(ROW);
        self.clear_cells(&mut sink, 0..shared.len());
        // Leaves in WORDS what is wanted and not known.
        sink.local_get(WORDS);
        sink.local_get(ENTRY).i64_load(own64(KNOWN_AT));
        sink.i64_const(-1).i64_xor().i64_and().local_set(WORDS);
        for (at, word) in words.iter().enumerate() {
            sink.local_get(WORDS).i64_const(1 << at).i64_and();
            sink.i64_const(0).i64_ne().if_(BlockType::Empty);
            sink.local_get(ENTRY).local_get(ROW).call(*word);
            sink.i64_store(own64(WORDS_AT + at as u32 * 8)).end();
        }
        sink.local_get(ENTRY);
        sink.local_get(ENTRY).i64_load(own64(KNOWN_AT));
        sink.local_get(WORDS).i64_or().i64_store(own64(KNOWN_AT));
        sink.end();
        Ok(Some(self.push(Signature::Learn, function)?))
    }

    /// The ordinal of a row's process, within bounds.
    fn ordinal(&self, sink: &mut InstructionSink<'_>, row: u32) {
        sink.local_get(row).i32_load(window32(row::PROCESS_AT));
        sink.i32_const(row::PROCESS_ROWS_MAX as i32 - 1).i32_and();
    }

    /// The functions that judge the rows of one event type: `(row, hits) -> hits`, each over
    /// some of the rules.
    fn event_functions(&mut self, at: usize, learn: Option<u32>) -> Emitted<Vec<u32>> {
        let programs = self.programs;
        let EventProgram { rules, .. } = &programs.events[at];
        let roots: Vec<Id> = rules.iter().map(|(_, condition)| *condition).collect();
        let mut unit = Unit::new(self.graph, &self.events[at], &programs.bit_of);
        let shared = share::shared(self.graph, &roots, &mut unit.costs);
        // Event types are judged one at a time, and use the same cells; a process's come
        // before them.
        let kept = self.cells;
        let first = self.process_cells;
        self.cells = first;
        self.parts(&mut unit, &roots, &shared)?;
        let cells = first..self.cells;
        self.cells = kept.max(cells.end);

        let addresses = self.addresses;
        let mut functions = Vec::new();
        for (chunk, rules) in rules.chunks(RULES_PER_FUNCTION).enumerate() {
            // Parameters row and hits; bits as the first local, as in parts it is the second
            // parameter.
            let mut body = Body::default();
            {
                let mut sink = body.sink();
                // The count of hits makes room for the bits' address, which parts and nodes
                // expect as second local.
                sink.local_get(1).local_set(node::HITS);
                self.ordinal(&mut sink, node::ROW);
                sink.i32_const(4).i32_mul();
                sink.i32_load(own32(addresses.places));
                sink.local_set(node::BITS);
                if chunk == 0 {
                    self.clear_cells(&mut sink, cells.clone());
                }
            }
            let roots: Vec<Id> = rules.iter().map(|(_, condition)| *condition).collect();
            let locals = self.conditions(&mut unit, &mut body, &roots, learn, |sink, at| {
                let rule = rules[at].0;
                sink.i32_const(0)
                    .i32_load8_u(own8(addresses.enabled + rule));
                sink.if_(BlockType::Empty);
                sink.local_get(node::ROW).i32_const(rule as i32);
                sink.local_get(node::HITS).call(FUNCTIONS.hit);
                sink.local_set(node::HITS).end();
            });
            body.sink().local_get(node::HITS).end();
            functions.push(self.push(Signature::Two, body.finish(2, locals))?);
        }
        Ok(functions)
    }

    /// `hit(row, rule, count) -> count`: stores a hit if there is room. If only a row's first
    /// rule is to give one, the row's hits so far are one, and the lesser rule stays.
    fn hit(&self) -> Function {
        const ROW: u32 = 0;
        const RULE: u32 = 1;
        const COUNT: u32 = 2;
        /// Offset of the hit among the hits.
        const AT: u32 = 3;
        let mut function = Function::new([(1, ValType::I32)]);
        let mut sink = function.instructions();
        let size = abi::HIT_BYTES as i32;
        let (row, rule) = (self.addresses.hits, self.addresses.hits + 4);
        sink.local_get(COUNT)
            .i32_const(size)
            .i32_mul()
            .local_set(AT);
        sink.i32_const(0).i32_load(own32(self.addresses.matching));
        sink.i32_const(abi::MATCH_FIRST as i32).i32_eq();
        sink.local_get(COUNT).i32_const(1).i32_sub();
        sink.i32_const(HITS_MAX as i32).i32_lt_u().i32_and();
        sink.if_(BlockType::Empty);
        sink.local_get(AT).i32_const(size).i32_sub().local_tee(AT);
        sink.i32_load(own32(row)).local_get(ROW).i32_eq();
        sink.if_(BlockType::Empty);
        sink.local_get(RULE).local_get(AT).i32_load(own32(rule));
        sink.i32_lt_u().if_(BlockType::Empty);
        sink.local_get(AT).local_get(RULE).i32_store(own32(rule));
        sink.end();
        sink.local_get(COUNT).return_().end();
        sink.local_get(AT).i32_const(size).i32_add().local_set(AT);
        sink.end();

        sink.local_get(COUNT).i32_const(HITS_MAX as i32).i32_lt_u();
        sink.if_(BlockType::Empty);
        sink.local_get(AT).local_get(ROW).i32_store(own32(row));
        sink.local_get(AT).local_get(RULE).i32_store(own32(rule));
        sink.end();
        sink.local_get(COUNT).i32_const(1).i32_add().end();
        function
    }

    /// Takes note of a process's row. What is asked of it is computed when an event's row asks,
    /// and what was computed of a row of the same serial still holds.
    fn process_row(&self, sink: &mut InstructionSink<'_>, row: u32, entry: u32, serial: u32) {
        self.ordinal(sink, row);
        sink.local_tee(entry).i32_const(4).i32_mul();
        sink.local_get(entry);
        sink.i32_const(self.addresses.stride as i32).i32_mul();
        sink.i32_const(self.addresses.bits as i32).i32_add();
        sink.local_tee(entry);
        sink.i32_store(own32(self.addresses.places));
        sink.local_get(entry);
        sink.local_get(row).i32_const(1).i32_add();
        sink.i32_store(own32(ROW_AT));
        sink.local_get(row)
            .i64_load(window64(row::NUMBER_AT))
            .local_tee(serial);
        sink.i64_eqz();
        sink.local_get(serial);
        sink.local_get(entry).i64_load(own64(SERIAL_AT)).i64_ne();
        sink.i32_or().if_(BlockType::Empty);
        sink.local_get(entry).local_get(serial);
        sink.i64_store(own64(SERIAL_AT));
        sink.local_get(entry).i64_const(0);
        sink.i64_store(own64(KNOWN_AT)).end();
    }

    /// `evaluate(first, end) -> hits`: from row to row. A row that claims to be shorter than
    /// its header, or longer than what is left, ends it.
    fn evaluate(&self, events: &[Vec<u32>]) -> Function {
        const ROW: u32 = 0;
        const END: u32 = 1;
        const HITS: u32 = 2;
        const LEN: u32 = 3;
        const CODE: u32 = 4;
        const BEFORE: u32 = 5;
        const ENTRY: u32 = 6;
        const LEFT: u32 = 7;
        const SERIAL: u32 = 8;
        let mut function = Function::new([(6, ValType::I32), (1, ValType::I64)]);
        let mut sink = function.instructions();
        let has_bits = !self.programs.bits.is_empty();
        if has_bits {
            // No entry of an earlier window may answer for a process without a row in this one.
            sink.i32_const(self.addresses.places as i32).i32_const(0);
            sink.i32_const(PLACES_BYTES as i32).memory_fill(OWN);
        }
        sink.block(BlockType::Empty);
        sink.local_get(ROW).local_get(END).i32_gt_u().br_if(0);
        sink.loop_(BlockType::Empty);
        // At least a header must be left.
        sink.local_get(END).local_get(ROW).i32_sub().local_tee(LEFT);
        sink.i32_const(row::ROW_HEADER_BYTES as i32)
            .i32_lt_u()
            .br_if(1);
        sink.local_get(ROW)
            .i32_load(window32(row::LEN_AT))
            .local_tee(LEN);
        sink.i32_const(row::ROW_HEADER_BYTES as i32)
            .i32_lt_u()
            .br_if(1);
        sink.local_get(LEN).local_get(LEFT).i32_gt_u().br_if(1);
        sink.local_get(ROW)
            .i32_load16_u(MemArg {
                offset: row::CODE_AT.into(),
                align: 1,
                memory_index: WINDOW,
            })
            .local_set(CODE);

        // One block per event type, so that a branch out of the n-th lands before the n-th
        // call; the outermost is for codes of no interest.
        sink.block(BlockType::Empty);
        if has_bits {
            sink.local_get(CODE)
                .i32_const(row::PROCESS_ROW.into())
                .i32_eq();
            sink.if_(BlockType::Empty);
            self.process_row(&mut sink, ROW, ENTRY, SERIAL);
            sink.br(1).end();
        }
        for _ in events {
            sink.block(BlockType::Empty);
        }
        let none = events.len() as u32;
        let last = self
            .programs
            .events
            .last()
            .map_or(0, |program| program.event.code() + 1);
        let mut targets = vec![none; usize::from(last)];
        for (at, program) in self.programs.events.iter().enumerate() {
            targets[usize::from(program.event.code())] = at as u32;
        }
        sink.local_get(CODE).br_table(targets, none);
        for (at, functions) in events.iter().enumerate() {
            sink.end();
            sink.local_get(HITS).local_set(BEFORE);
            for (chunk, function) in functions.iter().enumerate() {
                if chunk > 0 {
                    // In the first-match mode, a hit ends the event.
                    sink.i32_const(0).i32_load(own32(self.addresses.matching));
                    sink.i32_const(abi::MATCH_FIRST as i32).i32_eq();
                    sink.local_get(HITS).local_get(BEFORE).i32_ne().i32_and();
                    sink.br_if(none - 1 - at as u32);
                }
                sink.local_get(ROW).local_get(HITS).call(*function);
                sink.local_set(HITS);
            }
            sink.br(none - 1 - at as u32);
        }
        sink.end();
        sink.local_get(ROW).local_get(LEN).i32_add().local_set(ROW);
        sink.br(0).end().end();
        sink.local_get(HITS).end();
        function
    }
}

/// The words of bits that these signs are read of.
fn words_of(signs: &[Sign]) -> u64 {
    signs.iter().fold(0, |words, sign| match sign {
        Sign::Bits { word, .. } => words | 1 << word,
        Sign::In(..) | Sign::Starts(..) | Sign::Ends(..) | Sign::Test(_) => words,
    })
}

fn window32(offset: u32) -> MemArg {
    MemArg {
        offset: offset.into(),
        align: 2,
        memory_index: WINDOW,
    }
}

fn window64(offset: u32) -> MemArg {
    MemArg {
        align: 3,
        ..window32(offset)
    }
}

fn own8(offset: u32) -> MemArg {
    MemArg {
        offset: offset.into(),
        align: 0,
        memory_index: OWN,
    }
}

fn own32(offset: u32) -> MemArg {
    MemArg {
        offset: offset.into(),
        align: 2,
        memory_index: OWN,
    }
}

fn own64(offset: u32) -> MemArg {
    MemArg {
        offset: offset.into(),
        align: 3,
        memory_index: OWN,
    }
}

fn assemble(
    bodies: &[(Signature, Function)],
    pool: &Pool,
    addresses: Addresses,
    manifest: &Manifest,
) -> Vec<u8> {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32; 2], [ValType::I32]);
    types.ty().function([ValType::I32; 3], [ValType::I32]);
    types.ty().function([ValType::I32], [ValType::I64]);
    types.ty().function([ValType::I32, ValType::I64], []);
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    let find = [
        ValType::I32,
        ValType::I32,
        ValType::I32,
        ValType::I64,
        ValType::I64,
    ];
    types.ty().function(find, [ValType::I32]);
    module.section(&types);

    let mut imports = ImportSection::new();
    let memory = |minimum: u64, maximum: Option<u64>| MemoryType {
        minimum,
        maximum,
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    imports.import(
        abi::IMPORT_MODULE,
        abi::IMPORT_WINDOW,
        EntityType::Memory(memory(1, None)),
    );
    module.section(&imports);

    let mut functions = FunctionSection::new();
    for (signature, _) in bodies {
        functions.function(match signature {
            Signature::Two => 0,
            Signature::Three => 1,
            Signature::Word => 2,
            Signature::Learn => 3,
            Signature::Four => 4,
            Signature::Find => 5,
        });
    }
    module.section(&functions);

    let mut memories = MemorySection::new();
    let pages = addresses.heap.div_ceil(PAGE);
    memories.memory(memory(pages.into(), Some(OWN_PAGES_MAX)));
    module.section(&memories);

    let mut exports = ExportSection::new();
    exports.export(abi::EXPORT_MEMORY, ExportKind::Memory, OWN);
    exports.export(abi::EXPORT_EVALUATE, ExportKind::Func, FUNCTIONS.evaluate);
    module.section(&exports);

    let mut code = CodeSection::new();
    for (_, function) in bodies {
        code.function(function);
    }
    module.section(&code);

    if !pool.data.is_empty() {
        let mut data = DataSection::new();
        data.active(
            OWN,
            &ConstExpr::i32_const(addresses.data as i32),
            pool.data.iter().copied(),
        );
        module.section(&data);
    }
    module.section(&CustomSection {
        name: abi::MANIFEST_SECTION.into(),
        data: manifest.encode().into(),
    });
    module.finish()
}
