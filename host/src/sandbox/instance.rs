//! A compiled ruleset and its instances: compiled, set up, called, and what they answer checked.
//!
//! A [`Seat`] is a store with one instance in it and a private mapping of the window of its own.
//! After a failure it is thrown away whole: instance, memory, and with them every page of the
//! window that the module may have written to. Which seat judges which window is left to `judge`.

use super::deadline::{Clock, Ticker};
use super::message::{FailureKind, Hit, RulesetImage};
use super::native::{NotCompiled, Recipe};
use super::validate::{WASM_PAGE_BYTES, validate};
use super::{Budget, Limits};
use rustix::mm::{MapFlags, ProtFlags};
use saker_rules_schema::abi;
use saker_rules_schema::manifest::Manifest;
use saker_rules_schema::row::{PROCESS_ROW, ROW_HEADER_BYTES};
use saker_shm::window::{WindowView, window_bytes};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use wasmtime::{
    Config, Engine, Extern, Instance, Memory, MemoryType, Module, OptLevel, ResourceLimiter, Store,
    Trap, TypedFunc, UpdateDeadline,
};

/// Calls that a window may take whose hits do not fit into one.
const PARTS_MAX: usize = 1024;
/// How often the CPU time of a window those may take together.
const PARTS_BUDGETS: u32 = 16;
/// No epoch's literal table is larger.
const LITERALS_MAX: u32 = 1 << 24;

/// Makes the engine all modules of a judge are compiled by.
pub(crate) fn engine(limits: &Limits) -> wasmtime::Result<Engine> {
    engine_by(&limits.recipe())
}

pub(crate) fn engine_by(recipe: &Recipe) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        // 4 GiB and a guard for every memory, which never moves: addresses need no comparison.
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20)
        .memory_may_move(false)
        // What a memory begins with is copied: the process that judges can make no file of it.
        .memory_init_cow(false)
        .signals_based_traps(true)
        .epoch_interruption(true)
        .consume_fuel(recipe.counts_fuel)
        .max_wasm_stack(recipe.stack_bytes_max)
        .concurrency_support(false)
        // The same list as the validator's, should it ever be wrong.
        .wasm_multi_memory(true)
        .wasm_multi_value(false)
        .wasm_bulk_memory(true)
        .wasm_simd(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_memory64(false)
        .wasm_extended_const(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        // Nobody walks a module's stack.
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(false)
        .generate_address_map(false);
    Engine::new(&config)
}

/// A ruleset that was compiled.
pub(crate) struct Compiled {
    module: Module,
    manifest: Manifest,
    setup: Setup,
}

/// What is written into every instance's memory.
struct Setup {
    literal_ids: Vec<u8>,
    /// Per set, its bitmap over literal ids: bit `id % 8` of byte `id / 8`.
    bitmaps: Vec<Vec<u8>>,
    /// Bits of every bitmap: one more than the greatest literal id.
    bits: u32,
    enabled: Vec<u8>,
    matching: u32,
    reset: bool,
}

impl Compiled {
    /// Validates, has it compiled, and holds the image against the module's manifest.
    pub(crate) fn new(
        image: &RulesetImage,
        native: impl FnOnce(&[u8]) -> Result<Module, NotCompiled>,
    ) -> Result<Compiled, String> {
        let manifest = validate(&image.wasm).map_err(|refusal| refusal.to_string())?;
        Compiled::of(image, manifest, native)
    }

    /// Of an image whose module was validated and compiled before.
    pub(crate) fn ready(
        image: &RulesetImage,
        manifest: Manifest,
        module: Module,
    ) -> Result<Compiled, String> {
        let setup = Setup::new(image, &manifest)?;
        Ok(Compiled {
            module,
            manifest,
            setup,
        })
    }

    /// The same without the first wall, to test the second.
    #[cfg(test)]
    pub(crate) fn unvalidated(
        engine: &Engine,
        image: &RulesetImage,
        manifest: Manifest,
    ) -> Result<Compiled, String> {
        Compiled::of(image, manifest, |wasm| {
            Module::from_binary(engine, wasm).map_err(NotCompiled::from)
        })
    }

    fn of(
        image: &RulesetImage,
        manifest: Manifest,
        native: impl FnOnce(&[u8]) -> Result<Module, NotCompiled>,
    ) -> Result<Compiled, String> {
        let setup = Setup::new(image, &manifest)?;
        let module = native(&image.wasm).map_err(|error| error.to_string())?;
        Ok(Compiled {
            module,
            manifest,
            setup,
        })
    }
}

impl Setup {
    fn new(image: &RulesetImage, manifest: &Manifest) -> Result<Setup, String> {
        let same = |what: &str, given: usize, wanted: usize| {
            if given == wanted {
                return Ok(());
            }
            Err(format!("{given} {what} given, the module has {wanted}"))
        };
        same("rules", image.enabled.len(), manifest.rules.len())?;
        same(
            "literal ids",
            image.literal_ids.len(),
            manifest.literals.len(),
        )?;
        if image.literals > LITERALS_MAX {
            let count = image.literals;
            return Err(format!("{count} literals, the limit is {LITERALS_MAX}"));
        }
        // Id 0 stands for every other string: a literal of that id would equal them all.
        let stray = image
            .literal_ids
            .iter()
            .find(|id| !(1..=image.literals).contains(id));
        if let Some(id) = stray {
            return Err(format!("there is no literal of id {id}"));
        }
        if image.matching != abi::MATCH_ALL && image.matching != abi::MATCH_FIRST {
            return Err(format!("there is no matching mode {}", image.matching));
        }
        let bits = image.literals + 1;
        let bitmap_bytes = bits.div_ceil(64) as usize * 8;
        if manifest.sets.len().saturating_mul(bitmap_bytes) as u64 > super::MODULE_MEMORY_BYTES_MAX
        {
            let sets = manifest.sets.len();
            return Err(format!("{sets} sets over {bits} literals are too many"));
        }
        let bitmaps = manifest.sets.iter().map(|set| {
            let mut bitmap = vec![0; bitmap_bytes];
            for literal in set {
                // Indices were held against the literals when the manifest was read.
                let id = image.literal_ids[*literal as usize] as usize;
                bitmap[id / 8] |= 1 << (id % 8);
            }
            bitmap
        });
        Ok(Setup {
            literal_ids: bytes_of(&image.literal_ids),
            bitmaps: bitmaps.collect(),
            bits,
            enabled: image.enabled.iter().map(|on| u8::from(*on)).collect(),
            matching: image.matching,
            reset: image.reset,
        })
    }
}

fn bytes_of(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// What a store knows of its guest.
struct Guest {
    clock: Clock,
    memory: MemoryCap,
}

/// Counts the bytes of all memories together; the window was made before it was asked.
struct MemoryCap {
    used: usize,
    most: usize,
    /// Growth was refused since this was last cleared.
    refused: bool,
}

impl ResourceLimiter for MemoryCap {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.used.saturating_add(desired.saturating_sub(current));
        if wanted > self.most {
            self.refused = true;
            return Ok(false);
        }
        self.used = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // No ruleset has a table.
        Ok(false)
    }
}

/// An instance of a ruleset, ready to be called.
pub(crate) struct Seat {
    store: Store<Guest>,
    memory: Memory,
    evaluate: TypedFunc<(i32, i32), i32>,
    fuel: Option<u64>,
    /// The memory as it was before the first call, where it is to be so before every call.
    image: Option<Vec<u8>>,
}

/// What a ruleset answered, checked.
pub(crate) struct Verdict {
    pub(crate) hits: Vec<Hit>,
    pub(crate) lost: u64,
    pub(crate) invalid: u64,
    pub(crate) cpu: Duration,
}

/// What is to be judged, and within which bounds.
pub(crate) struct Case<'a> {
    pub(crate) ruleset: &'a Compiled,
    pub(crate) window: &'a WindowView,
    pub(crate) limits: &'a Limits,
    pub(crate) ticker: &'a Ticker,
    /// The rows in `[first, end)`, which the caller has held against the window.
    pub(crate) rows: (u32, u32),
}

/// Why there is no answer. The seat must not be used again.
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
    pub(crate) cpu: Duration,
}

impl Seat {
    /// Makes an instance and tells it what it must know.
    pub(crate) fn new(
        ruleset: &Compiled,
        window: &WindowView,
        limits: &Limits,
        ticker: &Ticker,
        stopping: &Arc<AtomicBool>,
    ) -> Result<Seat, String> {
        let _ticking = ticker.watch();
        Seat::make(ruleset, window, limits, stopping).map_err(|error| format!("{error:#}"))
    }

    fn make(
        ruleset: &Compiled,
        window: &WindowView,
        limits: &Limits,
        stopping: &Arc<AtomicBool>,
    ) -> wasmtime::Result<Seat> {
        let guest = Guest {
            clock: Clock::new(limits.budget, Arc::clone(stopping)),
            memory: MemoryCap {
                used: 0,
                most: limits.memory_bytes_max,
                refused: false,
            },
        };
        let mut store = Store::new(ruleset.module.engine(), guest);
        let mapped = map_window(&mut store, window)?;
        store.limiter(|guest| &mut guest.memory);
        store.epoch_deadline_callback(|guest| {
            if guest.data().clock.is_over() {
                return Ok(UpdateDeadline::Interrupt);
            }
            Ok(UpdateDeadline::Continue(1))
        });
        store.set_epoch_deadline(1);
        let fuel = match limits.budget {
            Budget::Fuel(fuel) => Some(fuel),
            Budget::Time { .. } => None,
        };
        if let Some(fuel) = fuel {
            store.set_fuel(fuel)?;
        }
        let instance = Instance::new(&mut store, &ruleset.module, &[Extern::Memory(mapped)])?;
        let memory = instance
            .get_memory(&mut store, abi::EXPORT_MEMORY)
            .ok_or_else(|| wasmtime::Error::msg("the module exports no memory"))?;
        let evaluate = instance.get_typed_func(&mut store, abi::EXPORT_EVALUATE)?;
        set_up(&mut store, memory, ruleset)?;
        let image = ruleset.setup.reset.then(|| memory.data(&store).to_vec());
        Ok(Seat {
            store,
            memory,
            evaluate,
            fuel,
            image,
        })
    }

    /// Judges rows. Where there are more hits than the module has room for, a part of the rules
    /// is asked at a time.
    pub(crate) fn judge(&mut self, case: &Case<'_>) -> Result<Verdict, Failure> {
        let whole = self.judge_by(None, case)?;
        // Of the first rules to match there are no more than rows, and so of a single one.
        let on = case.ruleset.setup.enabled.iter().filter(|on| **on != 0);
        match whole.lost > 0 && case.ruleset.setup.matching == abi::MATCH_ALL && on.count() > 1 {
            true => self.judge_in_parts(whole, case),
            false => Ok(whole),
        }
    }

    fn judge_in_parts(&mut self, whole: Verdict, case: &Case<'_>) -> Result<Verdict, Failure> {
        let enabled = &case.ruleset.setup.enabled;
        let on: Vec<usize> = (0..enabled.len()).filter(|at| enabled[*at] != 0).collect();
        let cpu_most = match case.limits.budget {
            Budget::Time { cpu, .. } => cpu * PARTS_BUDGETS,
            Budget::Fuel(_) => Duration::MAX,
        };
        let (first, second) = on.split_at(on.len() / 2);
        let mut parts = vec![first, second];
        let mut sum = Verdict {
            hits: Vec::new(),
            lost: 0,
            invalid: 0,
            cpu: whole.cpu,
        };
        let mut calls = 1;
        while let Some(part) = parts.pop() {
            let mut only = vec![0; enabled.len()];
            for rule in part {
                only[*rule] = 1;
            }
            let verdict = self.judge_by(Some(&only), case);
            let verdict = verdict.map_err(|failure| Failure {
                cpu: failure.cpu + sum.cpu,
                ..failure
            })?;
            calls += 1;
            sum.cpu += verdict.cpu;
            let may_go_on = calls < PARTS_MAX && sum.cpu < cpu_most;
            if verdict.lost > 0 && part.len() > 1 && may_go_on {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([first, second]);
                continue;
            }
            sum.lost += verdict.lost;
            sum.invalid += verdict.invalid;
            sum.hits.extend(verdict.hits);
        }
        self.enable(case.ruleset, enabled)
            .map_err(|(kind, message)| Failure {
                kind,
                message,
                cpu: sum.cpu,
            })?;
        sum.hits.sort_unstable();
        sum.hits.dedup();
        Ok(sum)
    }

    /// Tells the module which rules are asked.
    fn enable(&mut self, ruleset: &Compiled, rules: &[u8]) -> Result<(), (FailureKind, String)> {
        let at = ruleset.manifest.enabled_at as usize;
        self.memory
            .write(&mut self.store, at, rules)
            .map_err(|error| (FailureKind::Judge, error.to_string()))
    }

    /// Asks all rules that are on, or `only` some.
    fn judge_by(&mut self, only: Option<&[u8]>, case: &Case<'_>) -> Result<Verdict, Failure> {
        self.store.data_mut().clock.start();
        self.reset();
        let outcome = only
            .map_or(Ok(()), |only| self.enable(case.ruleset, only))
            .and_then(|()| self.call(case.ticker, case.rows))
            .and_then(|count| self.hits(case, count));
        let cpu = self.store.data().clock.cpu_used();
        match outcome {
            Ok(verdict) => Ok(Verdict { cpu, ..verdict }),
            Err((kind, message)) => Err(Failure { kind, message, cpu }),
        }
    }

    /// Makes the memory what it was before the first call, where it is to be so.
    fn reset(&mut self) {
        if let Some(image) = &self.image {
            // A validated module cannot grow its memory, so both have the same length.
            let memory = self.memory.data_mut(&mut self.store);
            let same = memory.len().min(image.len());
            memory[..same].copy_from_slice(&image[..same]);
        }
    }

    fn call(&mut self, ticker: &Ticker, rows: (u32, u32)) -> Result<u32, (FailureKind, String)> {
        self.store.data_mut().memory.refused = false;
        self.store.set_epoch_deadline(1);
        if let Some(fuel) = self.fuel {
            self.store
                .set_fuel(fuel)
                .map_err(|error| (FailureKind::Judge, format!("{error:#}")))?;
        }
        let _ticking = ticker.watch();
        let (first, end) = (rows.0.cast_signed(), rows.1.cast_signed());
        let called = self.evaluate.call(&mut self.store, (first, end));
        called
            .map(i32::cast_unsigned)
            .map_err(|error| match error.downcast_ref::<Trap>() {
                Some(Trap::Interrupt | Trap::OutOfFuel) => (
                    FailureKind::Deadline,
                    "took longer than a window may".to_string(),
                ),
                Some(trap) if self.store.data().memory.refused => {
                    (FailureKind::Memory, format!("wanted more memory; {trap}"))
                }
                Some(trap) => (FailureKind::Trap, trap.to_string()),
                None => (FailureKind::Trap, format!("{error:#}")),
            })
    }

    fn hits(&self, case: &Case<'_>, count: u32) -> Result<Verdict, (FailureKind, String)> {
        let (manifest, (first, end)) = (&case.ruleset.manifest, case.rows);
        let rules = manifest.rules.len();
        let rows_most = (end - first) as usize / ROW_HEADER_BYTES;
        if count as usize > rows_most.saturating_mul(rules) {
            let message = format!("claims {count} hits of {rows_most} rows and {rules} rules");
            return Err((FailureKind::Hits, message));
        }
        let taken = count.min(manifest.hits_max).min(case.limits.hits_max);
        let start = manifest.hits_at as usize;
        let stored = start
            .checked_add(taken as usize * abi::HIT_BYTES)
            .and_then(|stop| self.memory.data(&self.store).get(start..stop))
            .ok_or((FailureKind::Hits, "its hits lie outside its memory".into()))?;
        let mut rows = Rows {
            window: case.window,
            next: first,
            end,
        };
        let mut hits: Vec<Hit> = Vec::with_capacity(taken as usize);
        for entry in stored.chunks_exact(abi::HIT_BYTES) {
            let number = |at: usize| {
                u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]])
            };
            let hit = Hit {
                row: number(0),
                rule: number(4),
            };
            // Rows come in order, which makes one walk over them enough; a row's rules need not.
            let is_same_row = hits.last().is_some_and(|last| last.row == hit.row);
            if (hit.rule as usize) < rules && (is_same_row || rows.find(hit.row)) {
                hits.push(hit);
            }
        }
        // No rule hits a row twice.
        hits.sort_unstable();
        hits.dedup();
        Ok(Verdict {
            lost: u64::from(count - taken),
            invalid: u64::from(taken) - hits.len() as u64,
            hits,
            cpu: Duration::ZERO,
        })
    }
}

/// Walks the rows of a window in the host's own bytes, not in what the module made of its copy.
pub(super) struct Rows<'a> {
    pub(super) window: &'a WindowView,
    pub(super) next: u32,
    pub(super) end: u32,
}

impl Rows<'_> {
    /// Whether an event row begins at that offset. To be asked in ascending order.
    pub(super) fn find(&mut self, row: u32) -> bool {
        while self.next < self.end && self.next <= row {
            let at = self.next;
            let Some((len, code)) = self.window.row(at) else {
                return false;
            };
            let fits =
                len as usize >= ROW_HEADER_BYTES && len.is_multiple_of(8) && len <= self.end - at;
            if !fits {
                // Not a row: nothing behind it can be one.
                self.next = self.end;
                return false;
            }
            if at == row {
                return code != PROCESS_ROW;
            }
            self.next = at + len;
        }
        false
    }
}

/// Makes the memory that a module imports as the window.
fn map_window(store: &mut Store<Guest>, window: &WindowView) -> wasmtime::Result<Memory> {
    let bytes = window_bytes(window.slots());
    let pages = bytes as u64 / WASM_PAGE_BYTES;
    let kind = MemoryType::new(u32::try_from(pages)?, Some(u32::try_from(pages)?));
    let memory = Memory::new(&mut *store, kind)?;
    let base = memory.data_ptr(&*store);
    if memory.data_size(&*store) != bytes || !base.addr().is_multiple_of(4096) {
        return Err(wasmtime::Error::msg("the window cannot be mapped there"));
    }
    // SAFETY: `[base, base + bytes)` is exactly the accessible part of a memory that wasmtime has
    // just mapped for this store, that cannot grow or move (minimum = maximum) and that nobody
    // has looked into yet; replacing its pages by others that can be read and written leaves all
    // that wasmtime assumes of it true, and unmapping the whole, as it does at the end, removes
    // ours as well. The window's seals keep its pages from going away (no SIGBUS).
    unsafe {
        rustix::mm::mmap(
            base.cast(),
            bytes,
            ProtFlags::READ | ProtFlags::WRITE,
            // Copies are made only of pages that are written, which is none of them as a rule.
            MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
            window.fd(),
            0,
        )?;
    }
    Ok(memory)
}

/// Writes what the contract says into a new instance's memory. Every address is the module's
/// word; `Memory::write` holds it against the memory.
fn set_up(store: &mut Store<Guest>, memory: Memory, ruleset: &Compiled) -> wasmtime::Result<()> {
    let Compiled {
        manifest, setup, ..
    } = ruleset;
    let mut sets = Vec::with_capacity(setup.bitmaps.len() * 2);
    let mut heap = u64::from(manifest.heap_at).next_multiple_of(8);
    for bitmap in &setup.bitmaps {
        sets.extend([u32::try_from(heap)?, setup.bits]);
        heap += bitmap.len() as u64;
    }
    let missing = heap.saturating_sub(memory.data_size(&*store) as u64);
    if missing > 0 && !setup.bitmaps.is_empty() {
        memory
            .grow(&mut *store, missing.div_ceil(WASM_PAGE_BYTES))
            .map_err(|error| error.context("the sets do not fit in the module's memory"))?;
    }
    memory.write(
        &mut *store,
        manifest.literal_ids_at as usize,
        &setup.literal_ids,
    )?;
    memory.write(&mut *store, manifest.sets_at as usize, &bytes_of(&sets))?;
    memory.write(&mut *store, manifest.enabled_at as usize, &setup.enabled)?;
    let matching = setup.matching.to_le_bytes();
    memory.write(&mut *store, manifest.matching_at as usize, &matching)?;
    for (bitmap, set) in setup.bitmaps.iter().zip(sets.chunks_exact(2)) {
        memory.write(&mut *store, set[0] as usize, bitmap)?;
    }
    Ok(())
}
