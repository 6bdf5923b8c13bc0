//! The first wall: which modules may judge at all.
//!
//! An allow-list, section by section and instruction by instruction; what is not named here is
//! refused. It promises of a module that passes: of the window it only reads; between two calls
//! it can keep something nowhere but in the bytes of its own memory, which has a fixed size as
//! far as the module is concerned; every address its manifest names lies in that memory; it
//! uses nothing whose result could differ from machine to machine (no floating point, no
//! vectors, no threads); and it is of a size that can be compiled in reasonable time.
//! It does not trust the module to be the work of our compiler, and does not judge whether its
//! answers are right. Compiling and running is left to `instance`.

use saker_rules_schema::abi;
use saker_rules_schema::manifest::{Manifest, ManifestError};
use wasmparser::{
    CompositeInnerType, DataKind, ExternalKind, FunctionBody, MemoryType, Operator, Parser,
    Payload, TypeRef, ValType, ValidPayload, Validator, WasmFeatures,
};

/// Bytes of a page of Wasm memory.
pub(crate) const WASM_PAGE_BYTES: u64 = 64 * 1024;
/// No module's own memory is larger.
pub const MODULE_MEMORY_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// No module is larger. (Falco's stable rules make a module of some hundred KiB.)
pub const MODULE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// No module has more functions.
pub const FUNCTIONS_MAX: u32 = 20_000;
/// No function's body is larger. It is also how long code without a branch back can be, in
/// which nothing looks at the deadline.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// No function has more parameters.
pub(crate) const PARAMS_MAX: usize = 16;
/// No function has more locals.
pub const LOCALS_MAX: u32 = 4096;
/// No function has more locals (parameters are some) times branches: the time to compile grows
/// with the product, and faster than it.
pub const LOCALS_TIMES_BRANCHES_MAX: u64 = 2_000_000;
/// No module has more in all its functions. Even so one made for it keeps the compiling thread
/// busy for seconds; it holds up no window.
pub(crate) const LOCALS_TIMES_BRANCHES_TOTAL: u64 = 100_000_000;
/// No function has more jump targets in tables.
pub const TARGETS_MAX: u32 = 65_536;
/// No function has more bulk memory instructions: each may move the whole memory, and none of
/// them looks at the deadline.
pub const BULK_MAX: u32 = 16;
/// No module has more rules, literals and sets, each.
pub const MANIFEST_ITEMS_MAX: usize = 262_144;
/// No more is asked of an event before it gets a row.
pub const CLUES_MAX: usize = 256;
/// No row has more slots.
pub const SLOTS_MAX: usize = 1024;

/// The module's own memory: the window, imported, is memory 0.
const OWN: u32 = 1;
const WINDOW: u32 = 0;

/// Why a module may not judge. Offsets are bytes from the start of the module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More of something than is allowed.
    #[error("the module has {found} {what}, the limit is {limit}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much there may be.
        limit: u64,
    },
    /// It does not begin as WebAssembly does.
    #[error("it is not WebAssembly")]
    NotWasm,
    /// Not a module, or not a valid one, or of a proposal that is not allowed.
    #[error("at byte {at}: {message}")]
    Malformed {
        /// Where.
        at: usize,
        /// What the parser says.
        message: String,
    },
    /// An import other than the window.
    #[error("at byte {at}: imports `{name}`; only the memory `saker.window` may be imported")]
    Import {
        /// Where.
        at: usize,
        /// `module.name` of the import.
        name: String,
    },
    /// The window is not imported.
    #[error("the memory `saker.window` is not imported")]
    NoWindow,
    /// A section that no ruleset needs.
    #[error("at byte {at}: {what} is not allowed")]
    Section {
        /// Where.
        at: usize,
        /// What the section declares.
        what: &'static str,
    },
    /// A memory that is not as it must be.
    #[error("at byte {at}: {why}")]
    Memory {
        /// Where.
        at: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An export beside the two of the contract, or one of them is something else.
    #[error("at byte {at}: exports `{name}`, which is not the contract's")]
    Export {
        /// Where.
        at: usize,
        /// The export's name.
        name: String,
    },
    /// An export of the contract is missing.
    #[error("does not export `{0}`")]
    NoExport(&'static str),
    /// The exported function has other parameters or results.
    #[error("`evaluate` is not of type (i32, i32) -> i32")]
    Signature,
    /// An instruction or a data segment that writes to the window.
    #[error("at byte {at}: `{operator}` would write to the window")]
    WritesWindow {
        /// Where.
        at: usize,
        /// The instruction, or `data`.
        operator: &'static str,
    },
    /// An instruction that is not on the list.
    #[error("at byte {at}: the instruction `{operator}` is not allowed")]
    Instruction {
        /// Where.
        at: usize,
        /// The instruction.
        operator: String,
    },
    /// There is no manifest.
    #[error("the module has no section `saker.manifest`: it is not a compiled ruleset")]
    NoManifest,
    /// There is more than one manifest.
    #[error("at byte {at}: a second section `saker.manifest`")]
    TwoManifests {
        /// Where the second begins.
        at: usize,
    },
    /// The manifest cannot be read.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    /// The manifest names an address beyond the module's memory.
    #[error("the manifest puts {what} at {at}, {bytes} bytes, in a memory of {memory}")]
    Address {
        /// What lies there.
        what: &'static str,
        /// Where.
        at: u32,
        /// How long it is.
        bytes: u64,
        /// How large the memory is.
        memory: u64,
    },
    /// The manifest puts two things on the same bytes.
    #[error("the manifest puts {what} upon {other}")]
    Overlap {
        /// The one.
        what: &'static str,
        /// The other.
        other: &'static str,
    },
    /// The manifest describes the rows of an event type twice.
    #[error("the manifest lays out `{0}` twice")]
    TwoLayouts(&'static str),
}

impl From<wasmparser::Error> for Refusal {
    fn from(error: wasmparser::Error) -> Refusal {
        Refusal::Malformed {
            at: error.offset(),
            message: error.message().to_string(),
        }
    }
}

/// Decides whether a module may judge, and reads its manifest.
pub fn validate(wasm: &[u8]) -> Result<Manifest, Refusal> {
    at_most("bytes", wasm.len(), MODULE_BYTES_MAX)?;
    if !wasm.starts_with(b"\0asm") {
        return Err(Refusal::NotWasm);
    }
    let mut module = Module::default();
    // What is not in here the parser refuses, with its own words. Bulk memory is here so that
    // its instructions reach our list, which takes but two of them.
    // Multiple values are not: blocks that pass thousands on cost gigabytes to compile.
    let features =
        WasmFeatures::SIGN_EXTENSION | WasmFeatures::BULK_MEMORY | WasmFeatures::MULTI_MEMORY;
    let mut validator = Validator::new_with_features(features);
    let mut allocations = wasmparser::FuncValidatorAllocations::default();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        module.admit(&payload)?;
        match validator.payload(&payload)? {
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
            ValidPayload::Func(function, body) => {
                module.work = module.work.saturating_add(admit_body(&body)?);
                let what = "locals times branches";
                let limit = LOCALS_TIMES_BRANCHES_TOTAL;
                at_most(what, module.work as usize, limit as usize)?;
                let mut function = function.into_validator(allocations);
                function.validate(&body)?;
                allocations = function.into_allocations();
            }
            ValidPayload::End(types) => {
                let evaluate = module
                    .evaluate
                    .ok_or(Refusal::NoExport(abi::EXPORT_EVALUATE))?;
                let kind = &types[types.as_ref().core_function_at(evaluate)];
                let CompositeInnerType::Func(kind) = &kind.composite_type.inner else {
                    return Err(Refusal::Signature);
                };
                if kind.params() != [ValType::I32, ValType::I32] || kind.results() != [ValType::I32]
                {
                    return Err(Refusal::Signature);
                }
            }
        }
    }
    if !module.window {
        return Err(Refusal::NoWindow);
    }
    let memory = module.memory.filter(|_| module.memory_exported);
    let memory = memory.ok_or(Refusal::NoExport(abi::EXPORT_MEMORY))?;
    let manifest = Manifest::decode(module.manifest.ok_or(Refusal::NoManifest)?)?;
    admit_manifest(&manifest, memory)?;
    Ok(manifest)
}

/// What was seen of a module so far.
#[derive(Default)]
struct Module<'a> {
    window: bool,
    memory: Option<MemoryType>,
    memory_exported: bool,
    evaluate: Option<u32>,
    manifest: Option<&'a [u8]>,
    /// Locals times branches of the functions so far.
    work: u64,
}

impl<'a> Module<'a> {
    fn admit(&mut self, payload: &Payload<'a>) -> Result<(), Refusal> {
        let section =
            |at: &std::ops::Range<usize>, what| Err(Refusal::Section { at: at.start, what });
        match payload {
            Payload::ImportSection(imports) => {
                for import in imports.clone().into_imports_with_offsets() {
                    let (at, import) = import?;
                    let known = (import.module, import.name)
                        == (abi::IMPORT_MODULE, abi::IMPORT_WINDOW)
                        && !self.window;
                    let TypeRef::Memory(memory) = import.ty else {
                        return Err(foreign(at, &import));
                    };
                    if !known {
                        return Err(foreign(at, &import));
                    }
                    plain(at, &memory)?;
                    self.window = true;
                }
                Ok(())
            }
            Payload::MemorySection(memories) => {
                // Otherwise memory 0 would be another one than the checks below take it for.
                if !self.window {
                    return Err(Refusal::NoWindow);
                }
                for memory in memories.clone().into_iter_with_offsets() {
                    let (at, memory) = memory?;
                    if self.memory.is_some() {
                        return Err(Refusal::Memory {
                            at,
                            why: "a second memory of its own",
                        });
                    }
                    plain(at, &memory)?;
                    let bytes = memory.maximum.and_then(|n| n.checked_mul(WASM_PAGE_BYTES));
                    if bytes.is_none_or(|bytes| bytes > MODULE_MEMORY_BYTES_MAX) {
                        return Err(Refusal::Memory {
                            at,
                            why: "the memory needs a maximum of at most 16 MiB",
                        });
                    }
                    self.memory = Some(memory);
                }
                Ok(())
            }
            Payload::TypeSection(types) => {
                for kind in types.clone().into_iter_err_on_gc_types() {
                    at_most("parameters", kind?.params().len(), PARAMS_MAX)?;
                }
                Ok(())
            }
            Payload::GlobalSection(globals) => {
                for global in globals.clone().into_iter_with_offsets() {
                    let (at, global) = global?;
                    if global.ty.mutable {
                        return Err(Refusal::Section {
                            at,
                            what: "a mutable global",
                        });
                    }
                }
                Ok(())
            }
            Payload::ExportSection(exports) => {
                for export in exports.clone().into_iter_with_offsets() {
                    let (at, export) = export?;
                    match (export.name, export.kind) {
                        (abi::EXPORT_MEMORY, ExternalKind::Memory) if export.index == OWN => {
                            self.memory_exported = true;
                        }
                        (abi::EXPORT_EVALUATE, ExternalKind::Func) => {
                            self.evaluate = Some(export.index);
                        }
                        (name, _) => {
                            return Err(Refusal::Export {
                                at,
                                name: brief(name),
                            });
                        }
                    }
                }
                Ok(())
            }
            Payload::DataSection(segments) => {
                for segment in segments.clone().into_iter_with_offsets() {
                    let (at, segment) = segment?;
                    match segment.kind {
                        DataKind::Active { memory_index, .. } if memory_index == WINDOW => {
                            return Err(Refusal::WritesWindow {
                                at,
                                operator: "data",
                            });
                        }
                        DataKind::Active { .. } => {}
                        DataKind::Passive => {
                            return Err(Refusal::Section {
                                at,
                                what: "a passive data segment",
                            });
                        }
                    }
                }
                Ok(())
            }
            Payload::CodeSectionStart { count, .. } => {
                at_most("functions", *count as usize, FUNCTIONS_MAX as usize)
            }
            Payload::CustomSection(custom) if custom.name() == abi::MANIFEST_SECTION => {
                if self.manifest.replace(custom.data()).is_some() {
                    return Err(Refusal::TwoManifests {
                        at: custom.range().start,
                    });
                }
                Ok(())
            }
            Payload::StartSection { range, .. } => section(range, "a start function"),
            Payload::TableSection(tables) => section(&tables.range(), "a table"),
            Payload::ElementSection(elements) => section(&elements.range(), "an element segment"),
            Payload::TagSection(tags) => section(&tags.range(), "a tag"),
            Payload::Version { .. }
            | Payload::FunctionSection(_)
            | Payload::DataCountSection { .. }
            | Payload::CodeSectionEntry(_)
            | Payload::CustomSection(_)
            | Payload::End(_) => Ok(()),
            // Components, and whatever the format may learn.
            other => match other.as_section() {
                Some((_, range)) => section(&range, "a section of this kind"),
                None => section(&(0..0), "this kind of file"),
            },
        }
    }
}

fn foreign(at: usize, import: &wasmparser::Import<'_>) -> Refusal {
    Refusal::Import {
        at,
        name: format!("{}.{}", brief(import.module), brief(import.name)),
    }
}

/// The beginning of a name that a stranger chose.
fn brief(name: &str) -> String {
    name.chars().take(64).collect()
}

fn plain(at: usize, memory: &MemoryType) -> Result<(), Refusal> {
    if memory.memory64 || memory.shared || memory.page_size_log2.is_some() {
        let why = "only plain 32-bit memories are allowed";
        return Err(Refusal::Memory { at, why });
    }
    Ok(())
}

fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), Refusal> {
    if found > limit {
        return Err(Refusal::TooMany {
            what,
            found: found as u64,
            limit: limit as u64,
        });
    }
    Ok(())
}

/// Admits a function's body; its locals times its branches.
fn admit_body(body: &FunctionBody<'_>) -> Result<u64, Refusal> {
    let bytes = body.range().len();
    at_most("bytes in a function", bytes, BODY_BYTES_MAX)?;
    let mut locals = 0_u32;
    for local in body.get_locals_reader()? {
        locals = locals.saturating_add(local?.0);
    }
    at_most("locals in a function", locals as usize, LOCALS_MAX as usize)?;
    let (mut targets, mut bulk, mut branches) = (0_u32, 0_u32, 0_u64);
    for operator in body.get_operators_reader()?.into_iter_with_offsets() {
        let (operator, at) = operator?;
        match admit_operator(at, &operator)? {
            Cost::Plain => {}
            Cost::Bulk => bulk += 1,
            Cost::Branch => branches += 1,
            Cost::Targets(count) => targets = targets.saturating_add(count),
        }
    }
    let product = branches * (u64::from(locals) + PARAMS_MAX as u64);
    let product_what = "locals times branches in a function";
    let limit = LOCALS_TIMES_BRANCHES_MAX as usize;
    at_most(product_what, product as usize, limit)?;
    let bulk_what = "bulk memory instructions in a function";
    at_most(bulk_what, bulk as usize, BULK_MAX as usize)?;
    let targets_what = "jump targets in a function";
    at_most(targets_what, targets as usize, TARGETS_MAX as usize)?;
    Ok(product)
}

/// What an instruction counts towards.
enum Cost {
    Plain,
    Bulk,
    Branch,
    Targets(u32),
}

fn admit_operator(at: usize, operator: &Operator<'_>) -> Result<Cost, Refusal> {
    use Operator as O;
    let writes = |memory: u32, operator: &'static str| {
        if memory == WINDOW {
            return Err(Refusal::WritesWindow { at, operator });
        }
        Ok(Cost::Plain)
    };
    match operator {
        // Control.
        O::Unreachable | O::Nop | O::Block { .. } | O::Else | O::End | O::Return => {}
        O::Call { .. } => {}
        O::Loop { .. } | O::If { .. } | O::Br { .. } | O::BrIf { .. } => return Ok(Cost::Branch),
        O::BrTable { targets } => return Ok(Cost::Targets(targets.len())),
        // Values. There is no mutable global to set, and no table to call through.
        O::Drop | O::Select | O::LocalGet { .. } | O::LocalSet { .. } | O::LocalTee { .. } => {}
        O::GlobalGet { .. } | O::I32Const { .. } | O::I64Const { .. } => {}
        // Loads, from either memory.
        O::I32Load { .. } | O::I64Load { .. } => {}
        O::I32Load8S { .. } | O::I32Load8U { .. } => {}
        O::I32Load16S { .. } | O::I32Load16U { .. } => {}
        O::I64Load8S { .. } | O::I64Load8U { .. } => {}
        O::I64Load16S { .. } | O::I64Load16U { .. } => {}
        O::I64Load32S { .. } | O::I64Load32U { .. } | O::MemorySize { .. } => {}
        // Stores, never to the window.
        O::I32Store { memarg } => return writes(memarg.memory, "i32.store"),
        O::I64Store { memarg } => return writes(memarg.memory, "i64.store"),
        O::I32Store8 { memarg } => return writes(memarg.memory, "i32.store8"),
        O::I32Store16 { memarg } => return writes(memarg.memory, "i32.store16"),
        O::I64Store8 { memarg } => return writes(memarg.memory, "i64.store8"),
        O::I64Store16 { memarg } => return writes(memarg.memory, "i64.store16"),
        O::I64Store32 { memarg } => return writes(memarg.memory, "i64.store32"),
        O::MemoryFill { mem } => return writes(*mem, "memory.fill").map(|_| Cost::Bulk),
        O::MemoryCopy { dst_mem, .. } => {
            return writes(*dst_mem, "memory.copy").map(|_| Cost::Bulk);
        }
        // These are refused for either memory, but the window deserves to be named: a size, and
        // which segments were dropped, would outlive the call.
        O::MemoryGrow { mem } if *mem == WINDOW => {
            return writes(*mem, "memory.grow");
        }
        O::MemoryInit { mem, .. } if *mem == WINDOW => {
            return writes(*mem, "memory.init");
        }
        // Numbers: integers only, so that every machine answers the same.
        O::I32Eqz | O::I32Eq | O::I32Ne | O::I32LtS | O::I32LtU | O::I32GtS | O::I32GtU => {}
        O::I32LeS | O::I32LeU | O::I32GeS | O::I32GeU => {}
        O::I64Eqz | O::I64Eq | O::I64Ne | O::I64LtS | O::I64LtU | O::I64GtS | O::I64GtU => {}
        O::I64LeS | O::I64LeU | O::I64GeS | O::I64GeU => {}
        O::I32Clz | O::I32Ctz | O::I32Popcnt | O::I32Add | O::I32Sub | O::I32Mul => {}
        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU | O::I32And | O::I32Or => {}
        O::I32Xor | O::I32Shl | O::I32ShrS | O::I32ShrU | O::I32Rotl | O::I32Rotr => {}
        O::I64Clz | O::I64Ctz | O::I64Popcnt | O::I64Add | O::I64Sub | O::I64Mul => {}
        O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU | O::I64And | O::I64Or => {}
        O::I64Xor | O::I64Shl | O::I64ShrS | O::I64ShrU | O::I64Rotl | O::I64Rotr => {}
        O::I32WrapI64 | O::I64ExtendI32S | O::I64ExtendI32U => {}
        O::I32Extend8S | O::I32Extend16S => {}
        O::I64Extend8S | O::I64Extend16S | O::I64Extend32S => {}
        other => {
            let mut operator = format!("{other:?}");
            operator.truncate(operator.find([' ', '(']).unwrap_or(operator.len()));
            return Err(Refusal::Instruction { at, operator });
        }
    }
    Ok(Cost::Plain)
}

fn admit_manifest(manifest: &Manifest, memory: MemoryType) -> Result<(), Refusal> {
    at_most("rules", manifest.rules.len(), MANIFEST_ITEMS_MAX)?;
    at_most("literals", manifest.literals.len(), MANIFEST_ITEMS_MAX)?;
    at_most("sets", manifest.sets.len(), MANIFEST_ITEMS_MAX)?;
    at_most("slots in a row", manifest.process.len(), SLOTS_MAX)?;
    let mut seen = Vec::new();
    for layout in &manifest.events {
        at_most("slots in a row", layout.slots.len(), SLOTS_MAX)?;
        let clues = layout.needs.iter();
        let clues = clues
            .map(|need| 1 + need.clues.len() + need.process.len())
            .sum();
        at_most("clues to an event", clues, CLUES_MAX)?;
        if seen.contains(&layout.event) {
            return Err(Refusal::TwoLayouts(layout.event.name()));
        }
        seen.push(layout.event);
    }
    let bytes = memory.initial * WASM_PAGE_BYTES;
    let most = memory.maximum.unwrap_or(memory.initial) * WASM_PAGE_BYTES;
    let count = |items: usize, each: u64| items as u64 * each;
    let hits = u64::from(manifest.hits_max) * abi::HIT_BYTES as u64;
    let literals = count(manifest.literals.len(), 4);
    let sets = manifest.sets.len();
    let enabled = count(manifest.rules.len(), 1);
    let heap = most.saturating_sub(manifest.heap_at.into());
    let mut places = vec![
        ("the hits", manifest.hits_at, hits, bytes),
        ("the ids", manifest.literal_ids_at, literals, bytes),
        ("the sets", manifest.sets_at, count(sets, 8), bytes),
        ("the enabled flags", manifest.enabled_at, enabled, bytes),
        ("the matching mode", manifest.matching_at, 4, bytes),
        ("the heap", manifest.heap_at, heap, most),
    ];
    for &(what, at, bytes, memory) in &places {
        if u64::from(at) + bytes > memory {
            return Err(Refusal::Address {
                what,
                at,
                bytes,
                memory,
            });
        }
    }
    // What is empty lies nowhere, whatever address it was given.
    places.retain(|(_, _, bytes, _)| *bytes > 0);
    places.sort_by_key(|(_, at, _, _)| *at);
    for pair in places.windows(2) {
        let (other, start, bytes, _) = pair[0];
        let (what, at, ..) = pair[1];
        if u64::from(start) + bytes > u64::from(at) {
            return Err(Refusal::Overlap { what, other });
        }
    }
    Ok(())
}
