//! What the tests share: a writer of rows, and an instance of a compiled module.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use saker_rules_compiler::made;
use saker_rules_compiler::oracle::{Value, Values};
use saker_rules_compiler::{Compilation, Options, Ruleset, Source, compile};
use saker_rules_schema::abi;
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::FieldRef;
use saker_rules_schema::manifest::{Manifest, Slot};
use saker_rules_schema::row::{self, Shape, double_key};
use std::collections::HashMap;
use wasmtime::{Config, Engine, Instance, Linker, Memory, MemoryType, Module, Store, TypedFunc};

pub type Facts = HashMap<FieldRef, Value<'static>>;

/// Facts as values for the oracle.
pub struct Known<'a>(pub &'a Facts);

impl Values for Known<'_> {
    fn value(&self, field: &FieldRef) -> Option<Value<'_>> {
        self.0.get(field).cloned()
    }
}

pub fn source(text: &str) -> Source {
    Source {
        name: "rules.yaml".into(),
        text: text.into(),
    }
}

pub fn compiled(text: &str) -> Compilation {
    compile(&[source(text)], &Options::default())
}

pub fn ruleset(text: &str, for_oracle: bool) -> Ruleset {
    let sources = [source(text)];
    let options = Options {
        for_oracle,
        ..Options::default()
    };
    let compilation = compile(&sources, &options);
    let shown = saker_rules_compiler::render(&compilation.diagnostics, &sources, false);
    compilation
        .ruleset
        .unwrap_or_else(|| panic!("{text}\n{shown}"))
}

/// Ids as the host gives them: literals of all rulesets from 1.
pub fn ids(manifest: &Manifest) -> HashMap<Vec<u8>, u32> {
    manifest
        .literals
        .iter()
        .enumerate()
        .map(|(at, literal)| (literal.clone(), at as u32 + 1))
        .collect()
}

/// Writes rows one behind the other.
pub struct Window {
    pub bytes: Vec<u8>,
    pub rows: Vec<(u32, u32)>,
    ids: HashMap<Vec<u8>, u32>,
    /// Bytes are written even where the manifest does not ask for them.
    pub keep_bytes: bool,
}

impl Window {
    pub fn new(manifest: &Manifest) -> Window {
        Window {
            bytes: Vec::new(),
            rows: Vec::new(),
            ids: ids(manifest),
            keep_bytes: false,
        }
    }

    pub fn process(&mut self, manifest: &Manifest, ordinal: u32, facts: &Facts) {
        self.process_of(manifest, ordinal, 0, facts);
    }

    /// Writes a process's row of that serial.
    pub fn process_of(&mut self, manifest: &Manifest, ordinal: u32, serial: u64, facts: &Facts) {
        self.write(&manifest.process, row::PROCESS_ROW, ordinal, serial, facts);
    }

    /// Writes the row unless the module does not want the event type.
    pub fn event(
        &mut self,
        manifest: &Manifest,
        event: EventType,
        number: u64,
        ordinal: u32,
        facts: &Facts,
    ) -> bool {
        let Some(layout) = manifest.layout(event) else {
            return false;
        };
        self.write(&layout.slots, event.code(), ordinal, number, facts);
        true
    }

    pub fn last(&self) -> &[u8] {
        let (start, end) = *self.rows.last().expect("a row was written");
        &self.bytes[start as usize..end as usize]
    }

    fn write(&mut self, slots: &[Slot], code: u16, ordinal: u32, number: u64, facts: &Facts) {
        let shape = Shape {
            slots: slots.len() as u16,
        };
        let mut row = vec![0u8; shape.tail() as usize];
        row[4..6].copy_from_slice(&code.to_le_bytes());
        row[16..24].copy_from_slice(&number.to_le_bytes());
        row[24..28].copy_from_slice(&ordinal.to_le_bytes());
        for (at, slot) in slots.iter().enumerate() {
            let value = match slot.term.field() {
                Some(field) => facts.get(field).cloned(),
                None => made::value(&slot.term, &mut |field| facts.get(field).cloned()),
            };
            let Some(value) = value else {
                continue;
            };
            let (word, mask) = shape.presence(at as u16);
            let word = word as usize;
            let presence = u64::from_le_bytes(row[word..word + 8].try_into().unwrap()) | mask;
            row[word..word + 8].copy_from_slice(&presence.to_le_bytes());
            let place = shape.slot(at as u16) as usize;
            if let Value::List(values) = &value {
                while !row.len().is_multiple_of(8) {
                    row.push(0);
                }
                let tail = row.len();
                row.resize(tail + values.len() * 8, 0);
                row[place..place + 4].copy_from_slice(&(values.len() as u32).to_le_bytes());
                row[place + 4..place + 8].copy_from_slice(&(tail as u32).to_le_bytes());
                for (element, value) in values.iter().enumerate() {
                    self.value(&mut row, tail + element * 8, value, slot.bytes);
                }
            } else {
                self.value(&mut row, place, &value, slot.bytes);
            }
        }
        while !row.len().is_multiple_of(8) {
            row.push(0);
        }
        let len = row.len() as u32;
        row[0..4].copy_from_slice(&len.to_le_bytes());
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&row);
        self.rows.push((start, start + len));
    }

    fn value(&self, row: &mut Vec<u8>, place: usize, value: &Value<'_>, bytes: bool) {
        match value {
            Value::Text(text) | Value::Ip(text) => {
                let id = self.ids.get(text.as_ref()).copied().unwrap_or(0);
                let tail = if bytes || self.keep_bytes {
                    let tail = row.len() as u32;
                    row.extend_from_slice(&(text.len() as u32).to_le_bytes());
                    row.extend_from_slice(text);
                    while !row.len().is_multiple_of(4) {
                        row.push(0);
                    }
                    tail
                } else {
                    0
                };
                row[place..place + 4].copy_from_slice(&id.to_le_bytes());
                row[place + 4..place + 8].copy_from_slice(&tail.to_le_bytes());
            }
            Value::Number(number) => {
                row[place..place + 8].copy_from_slice(&(*number as u64).to_le_bytes());
            }
            Value::Bool(truth) => row[place] = u8::from(*truth),
            Value::List(_) => unreachable!("no list in a list"),
        }
    }
}

/// A module with its memories, filled in as the host does it.
pub struct Judge {
    pub store: Store<()>,
    pub window: Memory,
    own: Memory,
    evaluate: TypedFunc<(i32, i32), i32>,
    manifest: Manifest,
}

pub fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_multi_memory(true);
    // As the host has it: a memory that stays where it is needs no look-up of its base.
    config.memory_may_move(false);
    Engine::new(&config).expect("the configuration is valid")
}

impl Judge {
    pub fn new(engine: &Engine, ruleset: &Ruleset, matching: u32) -> Judge {
        let module = Module::new(engine, &ruleset.wasm).expect("the module is valid");
        let mut store = Store::new(engine, ());
        let window = Memory::new(&mut store, MemoryType::new(5, None)).unwrap();
        let mut linker = Linker::new(engine);
        linker
            .define(&store, abi::IMPORT_MODULE, abi::IMPORT_WINDOW, window)
            .unwrap();
        let instance: Instance = linker.instantiate(&mut store, &module).unwrap();
        let own = instance.get_memory(&mut store, abi::EXPORT_MEMORY).unwrap();
        let evaluate = instance
            .get_typed_func(&mut store, abi::EXPORT_EVALUATE)
            .unwrap();
        let manifest = ruleset.manifest.clone();
        let ids = ids(&manifest);
        let id = |at: u32| ids[&manifest.literals[at as usize]];
        let mut heap = manifest.heap_at as usize;
        let bits = manifest.literals.len() as u32 + 1;
        let bytes = (bits as usize).div_ceil(64) * 8;
        let needed = heap + manifest.sets.len() * bytes;
        let missing = needed.saturating_sub(own.data_size(&store));
        own.grow(&mut store, missing.div_ceil(65536) as u64)
            .unwrap();
        let mut put = |at: usize, bytes: &[u8]| own.write(&mut store, at, bytes).unwrap();
        for at in 0..manifest.literals.len() as u32 {
            let cell = (manifest.literal_ids_at + at * 4) as usize;
            put(cell, &id(at).to_le_bytes());
        }
        for (at, set) in manifest.sets.iter().enumerate() {
            let mut bitmap = vec![0u8; bytes];
            for literal in set {
                let id = id(*literal);
                bitmap[id as usize / 8] |= 1 << (id % 8);
            }
            let cell = manifest.sets_at as usize + at * 8;
            put(cell, &(heap as u32).to_le_bytes());
            put(cell + 4, &bits.to_le_bytes());
            put(heap, &bitmap);
            heap += bytes;
        }
        for (at, rule) in manifest.rules.iter().enumerate() {
            put(manifest.enabled_at as usize + at, &[u8::from(rule.enabled)]);
        }
        put(manifest.matching_at as usize, &matching.to_le_bytes());
        Judge {
            store,
            window,
            own,
            evaluate,
            manifest,
        }
    }

    pub fn enable(&mut self, rule: usize, on: bool) {
        let at = self.manifest.enabled_at as usize + rule;
        self.own
            .write(&mut self.store, at, &[u8::from(on)])
            .unwrap();
    }

    pub fn set_matching(&mut self, matching: u32) {
        let at = self.manifest.matching_at as usize;
        self.own
            .write(&mut self.store, at, &matching.to_le_bytes())
            .unwrap();
    }

    pub fn load(&mut self, bytes: &[u8]) {
        let missing = bytes
            .len()
            .saturating_sub(self.window.data_size(&self.store));
        let pages = missing.div_ceil(65536) as u64;
        self.window.grow(&mut self.store, pages).unwrap();
        self.window.write(&mut self.store, 0, bytes).unwrap();
    }

    pub fn evaluate(&mut self, first: u32, end: u32) -> i32 {
        self.evaluate
            .call(&mut self.store, (first as i32, end as i32))
            .expect("the module does not trap")
    }

    /// Judges a window that begins at 0: hits as (row offset, rule).
    pub fn judge(&mut self, bytes: &[u8]) -> Vec<(u32, u32)> {
        self.load(bytes);
        self.hits(0, bytes.len() as u32)
    }

    /// Judges a part of the window loaded last: hits by rows, each row's sorted by rules.
    pub fn hits(&mut self, first: u32, end: u32) -> Vec<(u32, u32)> {
        let count = self.evaluate(first, end) as u32;
        let memory = self.own.data(&self.store);
        let mut hits: Vec<(u32, u32)> = (0..count.min(self.manifest.hits_max))
            .map(|at| {
                let at = (self.manifest.hits_at + at * 8) as usize;
                let number = |at: usize| u32::from_le_bytes(memory[at..at + 4].try_into().unwrap());
                (number(at), number(at + 4))
            })
            .collect();
        assert!(hits.is_sorted_by_key(|(row, _)| *row));
        hits.sort();
        hits
    }
}

/// `proc.name=cat`, `fd.num=3`, `proc.aname=a|b`: facts in short.
pub fn facts(pairs: &[(&str, &str)]) -> Facts {
    use saker_rules_schema::field::Type;
    pairs
        .iter()
        .map(|(name, text)| {
            let field = FieldRef::parse(name).unwrap_or_else(|_| panic!("{name}"));
            let one = |text: &str| match field.field.kind() {
                Type::Text | Type::Bytes => Value::Text(text.as_bytes().to_vec().into()),
                Type::IpAddr | Type::IpNet => Value::Ip(match text.parse().unwrap() {
                    std::net::IpAddr::V4(ip) => ip.octets().to_vec().into(),
                    std::net::IpAddr::V6(ip) => ip.octets().to_vec().into(),
                }),
                Type::Bool => Value::Bool(text == "true"),
                Type::Int | Type::Uint | Type::Port | Type::AbsTime | Type::RelTime => {
                    Value::Number(text.parse().unwrap())
                }
                Type::Double => Value::Number(double_key(text.parse().unwrap()).into()),
            };
            let value = match field.is_list() {
                true => Value::List(text.split('|').map(one).collect()),
                false => one(text),
            };
            (field, value)
        })
        .collect()
}
