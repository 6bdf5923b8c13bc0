//! A component compiled, asked what it is, and made instances of.
//!
//! Where components have processes of their own, that one says what it is as well, and native code
//! of it is only handed on here.
//!
//! A [`Seat`] is a store with one instance in it; after a failure it is thrown away whole. When
//! to make another is left to `resident`.

use super::ComponentLimits;
use super::admit::{admit, is_component};
use super::apart::{self, Native};
use super::call::{Alert, Capability, Column, Description};
use super::capability::{self, Diary, Import, Keep, MODULE, Voice, for_people};
use super::post::Outcome;
use super::resident::{Failure, Means, Start};
use crate::sandbox::deadline::{Clock, Ticker};
use crate::sandbox::native::{Kind, Recipe, module};
use crate::sandbox::{Budget, Compiler, FailureKind};
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use wasmtime::component::{
    Component, ComponentNamedList, Instance, Lift, Linker, Lower, TypedFunc,
};
use wasmtime::{Config, Engine, OptLevel, ResourceLimiter, Store, Trap, UpdateDeadline};

/// Stack of the thread that compiles.
const COMPILE_STACK_BYTES: usize = 16 << 20;
/// How much longer than it may the thread is waited for: it also asks the component what it is.
const COMPILE_GRACE: Duration = Duration::from_secs(15);
/// What an element of a table counts.
const TABLE_ELEMENT_BYTES: usize = 16;
/// No component has more core instances, memories and tables, each.
const PARTS_MAX: usize = 256;

/// Why there is no component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum NotLoaded {
    /// It is too large, or no component.
    #[error("{0}")]
    Inadmissible(String),
    /// It does not compile.
    #[error("it does not compile: {0}")]
    Uncompiled(String),
    /// It speaks another version of the world, or none.
    #[error("{0}")]
    World(String),
    /// It imports what no component may have.
    #[error("it imports `{0}`, which Saker does not have (`saker module build` stubs WASI)")]
    Import(String),
    /// It did not say what it is.
    #[error("it does not say what it is: {0}")]
    Mute(String),
}

fn in_words(error: &wasmtime::Error) -> String {
    format!("{error:#}")
}

/// Where components are compiled, for one budget: the engine and its ticker.
pub struct Workshop {
    engine: Engine,
    linker: Linker<Guest>,
    pub(super) ticker: Ticker,
    compiler: Arc<Compiler>,
    /// The program by which its components have processes of their own, if they have.
    program: Option<PathBuf>,
    /// Where components note what they say, if nobody is told at once.
    diary: Option<Diary>,
    /// What its components may use.
    pub limits: ComponentLimits,
}

impl std::fmt::Debug for Workshop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workshop")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Workshop {
    /// Makes the engine, and starts its ticker.
    pub fn new(limits: ComponentLimits) -> Result<Arc<Workshop>, String> {
        Workshop::new_with(limits, Arc::default())
    }

    /// The same, where native code comes from that compiler.
    pub fn new_with(
        limits: ComponentLimits,
        compiler: Arc<Compiler>,
    ) -> Result<Arc<Workshop>, String> {
        Ok(Arc::new(Workshop::made(limits, compiler)?))
    }

    /// The same, where each component has a process of its own, by that program. One is started
    /// here, to see that it can be.
    pub fn new_apart(
        limits: ComponentLimits,
        compiler: Arc<Compiler>,
        program: impl Into<PathBuf>,
    ) -> Result<Arc<Workshop>, String> {
        let program = program.into();
        apart::attempt(&program, &limits)?;
        Ok(Arc::new(Workshop {
            program: Some(program),
            ..Workshop::made(limits, compiler)?
        }))
    }

    /// In the process of a component, which notes there what it says.
    pub(super) fn confined(limits: ComponentLimits, diary: Diary) -> Result<Workshop, String> {
        Ok(Workshop {
            diary: Some(diary),
            ..Workshop::made(limits, Arc::default())?
        })
    }

    fn made(limits: ComponentLimits, compiler: Arc<Compiler>) -> Result<Workshop, String> {
        let engine = engine_by(&limits.recipe()).map_err(|error| in_words(&error))?;
        let mut linker = Linker::new(&engine);
        capability::define(&mut linker).map_err(|error| in_words(&error))?;
        Ok(Workshop {
            ticker: Ticker::spawn(engine.clone()).map_err(|error| error.to_string())?,
            engine,
            linker,
            compiler,
            program: None,
            diary: None,
            limits,
        })
    }

    /// Whether a component is called in the order of events and at once: its budget is fuel.
    pub fn is_replay(&self) -> bool {
        matches!(self.limits.budget, Budget::Fuel(_))
    }
}

/// Makes the engine of a workshop.
pub(crate) fn engine_by(recipe: &Recipe) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20)
        .memory_may_move(false)
        // That would take a file in memory, and a process of a component's own opens none.
        .memory_init_cow(false)
        .signals_based_traps(true)
        .epoch_interruption(true)
        .consume_fuel(recipe.counts_fuel)
        .max_wasm_stack(recipe.stack_bytes_max)
        .concurrency_support(false)
        // What compilers of many languages emit, and nothing that differs from machine to machine.
        .wasm_component_model(true)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .wasm_backtrace_max_frames(None)
        .native_unwind_info(false)
        .generate_address_map(false);
    Engine::new(&config)
}

/// What a store knows of its guest.
pub(super) struct Guest {
    pub(super) name: Arc<str>,
    pub(super) granted: Vec<Capability>,
    pub(super) keep: Keep,
    pub(super) voice: Voice,
    pub(super) diary: Option<Diary>,
    pub(super) means: Means,
    /// In a replay, the time of the last event.
    pub(super) now: Option<u64>,
    clock: Clock,
    memory: Memory,
}

/// Counts the bytes of all memories and tables together.
struct Memory {
    used: usize,
    most: usize,
    /// Growth was refused since this was last cleared.
    refused: bool,
}

impl Memory {
    fn take(&mut self, current: usize, desired: usize, each: usize) -> bool {
        let wanted = desired.saturating_sub(current).saturating_mul(each);
        let used = self.used.saturating_add(wanted);
        let fits = used <= self.most;
        if fits {
            self.used = used;
        }
        self.refused |= !fits;
        fits
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.take(current, desired, 1))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.take(current, desired, TABLE_ELEMENT_BYTES))
    }

    fn instances(&self) -> usize {
        PARTS_MAX
    }

    fn tables(&self) -> usize {
        PARTS_MAX
    }

    fn memories(&self) -> usize {
        PARTS_MAX
    }
}

/// A component, compiled.
pub struct Code {
    body: Body,
    workshop: Arc<Workshop>,
    /// The capabilities that it imports.
    pub imports: Vec<Capability>,
    /// Tells it from any other.
    pub digest: blake3::Hash,
}

/// Where its native code is.
enum Body {
    /// Here, ready to be run.
    Here(Component),
    /// In a file, for processes that run it.
    Apart(Native),
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code")
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Code {
    /// Compiles a component and has it say what it is. Its code runs for that, in an instance
    /// that is allowed nothing. On a thread of its own, which is left behind if it takes longer
    /// than it may: a compilation cannot be broken off.
    pub fn load(workshop: &Arc<Workshop>, wasm: Vec<u8>) -> Result<(Code, Description), NotLoaded> {
        Code::load_within(workshop, wasm, workshop.limits.memory_bytes_max)
    }

    /// The same, where it may use so much memory to say what it is. How much a component may use
    /// later hangs on its name, which it says then.
    pub fn load_within(
        workshop: &Arc<Workshop>,
        wasm: Vec<u8>,
        memory_bytes_max: usize,
    ) -> Result<(Code, Description), NotLoaded> {
        let (tell, told) = channel();
        let mine = Arc::clone(workshop);
        let spawned = std::thread::Builder::new()
            .name("saker-compile".into())
            .stack_size(COMPILE_STACK_BYTES + workshop.limits.stack_bytes_max)
            .spawn(move || {
                let loaded =
                    catch_unwind(AssertUnwindSafe(|| load(&mine, &wasm, memory_bytes_max)));
                let panicked = || NotLoaded::Uncompiled("the compiler of Wasm panicked".into());
                // Nobody listens any more only if it was given up.
                let _ = tell.send(loaded.unwrap_or_else(|_| Err(panicked())));
            });
        spawned.map_err(|error| NotLoaded::Uncompiled(error.to_string()))?;
        // What compiles apart keeps that time by itself.
        match told.recv_timeout(workshop.limits.compile + COMPILE_GRACE) {
            Ok(loaded) => loaded,
            Err(RecvTimeoutError::Timeout) => Err(NotLoaded::Uncompiled(format!(
                "it takes longer than {} s",
                workshop.limits.compile.as_secs()
            ))),
            Err(RecvTimeoutError::Disconnected) => {
                Err(NotLoaded::Uncompiled("the compiling thread died".into()))
            }
        }
    }

    /// That of native code that was handed over, in the process that runs it.
    pub(super) fn confined(workshop: Arc<Workshop>, native: &[u8]) -> Result<Code, NotLoaded> {
        // SAFETY: these are bytes that `Compiler::code` gave for a component, for an engine made
        // by the same recipe: they came from who started this process, in a file that was sealed
        // when they were whole, and were copied out. What is believed of them is what that one
        // believes; should it be wrong, it is this process that runs them, which has no rights.
        let component = unsafe { module(&workshop.engine, native) };
        let component = component.map_err(|error| NotLoaded::Uncompiled(in_words(&error)))?;
        Ok(Code {
            imports: world(&component, &workshop.engine)?,
            body: Body::Here(component),
            workshop,
            // Nobody asks for it here.
            digest: blake3::hash(native),
        })
    }

    /// What processes that run it are given; `None` where it runs here.
    pub(super) fn native(&self) -> Option<&Native> {
        match &self.body {
            Body::Here(_) => None,
            Body::Apart(native) => Some(native),
        }
    }

    /// Where it was compiled.
    pub fn workshop(&self) -> &Arc<Workshop> {
        &self.workshop
    }
}

fn load(
    workshop: &Arc<Workshop>,
    wasm: &[u8],
    memory_bytes_max: usize,
) -> Result<(Code, Description), NotLoaded> {
    if !is_component(wasm) && !wasm.starts_with(b"\0asm") {
        return Err(NotLoaded::Inadmissible("it is not WebAssembly".into()));
    }
    admit(wasm).map_err(NotLoaded::Inadmissible)?;
    let (recipe, digest) = (workshop.limits.recipe(), blake3::hash(wasm));
    let uncompiled = |error: &dyn std::fmt::Display| NotLoaded::Uncompiled(error.to_string());
    if let Some(program) = &workshop.program {
        let compiler = &workshop.compiler;
        let code = compiler.code(&workshop.engine, &recipe, Kind::Component, wasm);
        let code = code.map_err(|error| uncompiled(&error))?;
        let native = Native::new(program, &code).map_err(|error| uncompiled(&error))?;
        let limits = ComponentLimits {
            memory_bytes_max,
            ..workshop.limits
        };
        let (imports, description) = apart::described(&native, &limits)?;
        let code = Code {
            body: Body::Apart(native),
            workshop: Arc::clone(workshop),
            imports,
            digest,
        };
        return Ok((code, description));
    }
    let component: Component = workshop
        .compiler
        .native(&workshop.engine, &recipe, wasm)
        .map_err(|error| uncompiled(&error))?;
    let code = Code {
        imports: world(&component, &workshop.engine)?,
        body: Body::Here(component),
        workshop: Arc::clone(workshop),
        digest,
    };
    let description = describe(&code, Some(memory_bytes_max))?;
    Ok((code, description))
}

/// Has a component say what it is, in an instance that is allowed nothing; where it may use other
/// memory than all, so much.
pub(super) fn describe(
    code: &Code,
    memory_bytes_max: Option<usize>,
) -> Result<Description, NotLoaded> {
    let workshop = &code.workshop;
    let start = Start {
        name: "(not yet named)".into(),
        granted: Vec::new(),
        keep: Keep::default(),
        config: Vec::new(),
        columns: Vec::new(),
        means: Means {
            memory_bytes_max,
            ..Means::default()
        },
    };
    let stopping = Arc::new(AtomicBool::new(false));
    let mute = |failure: Failure| NotLoaded::Mute(failure.message);
    let (mut store, instance) = instantiate(code, &start, &stopping).map_err(mute)?;
    let describe: TypedFunc<(), (Description,)> = function(&mut store, &instance, "describe")
        .map_err(|error| NotLoaded::World(in_words(&error)))?;
    let _ticking = workshop.ticker.watch();
    let (description,) = describe
        .call(&mut store, ())
        .map_err(|error| mute(failure(&store, &error)))?;
    Ok(description)
}

/// Holds what a component imports and exports against the world.
fn world(component: &Component, engine: &Engine) -> Result<Vec<Capability>, NotLoaded> {
    let kind = component.component_type();
    if kind.get_export(engine, MODULE).is_none() {
        let (stem, version) = MODULE.split_once('@').unwrap_or((MODULE, ""));
        let other = kind
            .exports(engine)
            .find_map(|(name, _)| Some(name.strip_prefix(stem)?.to_owned()));
        return Err(NotLoaded::World(match other {
            Some(other) => format!(
                "it speaks version {} of `saker:rules`, this Saker speaks {version}",
                other
                    .trim_start_matches('@')
                    .chars()
                    .take(64)
                    .collect::<String>()
            ),
            None => format!("it is no rule module: it does not export `{MODULE}`"),
        }));
    }
    let mut wanted = Vec::new();
    for (name, _) in kind.imports(engine) {
        match capability::import(name) {
            Import::Free => {}
            Import::Granted(capability) => wanted.push(capability),
            Import::Unknown => {
                return Err(NotLoaded::Import(name.chars().take(128).collect()));
            }
        }
    }
    Ok(wanted)
}

fn instantiate(
    code: &Code,
    start: &Start,
    stopping: &Arc<AtomicBool>,
) -> Result<(Store<Guest>, Instance), Failure> {
    let limits = &code.workshop.limits;
    let Body::Here(component) = &code.body else {
        return Err(Failure {
            kind: FailureKind::Judge,
            message: "its native code is for a process of its own".into(),
            is_last: false,
        });
    };
    let guest = Guest {
        name: start.name.clone(),
        granted: start.granted.clone(),
        keep: start.keep.clone(),
        voice: Voice::new(),
        diary: code.workshop.diary.clone(),
        means: start.means.clone(),
        now: code.workshop.is_replay().then_some(0),
        clock: Clock::new(limits.start, Arc::clone(stopping)),
        memory: Memory {
            used: 0,
            most: start
                .means
                .memory_bytes_max
                .unwrap_or(limits.memory_bytes_max),
            refused: false,
        },
    };
    let mut store = Store::new(&code.workshop.engine, guest);
    store.limiter(|guest| &mut guest.memory);
    store.set_hostcall_fuel(limits.answer_bytes_max);
    store.epoch_deadline_callback(|guest| {
        if guest.data().clock.is_over() {
            return Ok(UpdateDeadline::Interrupt);
        }
        Ok(UpdateDeadline::Continue(1))
    });
    begin(&mut store, limits.start);
    let _ticking = code.workshop.ticker.watch();
    match code.workshop.linker.instantiate(&mut store, component) {
        Ok(instance) => Ok((store, instance)),
        Err(error) => Err(failure(&store, &error)),
    }
}

/// A call begins, on this thread.
fn begin(store: &mut Store<Guest>, budget: Budget) {
    store.data_mut().memory.refused = false;
    store.data_mut().clock.start();
    store.set_epoch_deadline(1);
    if let Budget::Fuel(fuel) = budget {
        // Fails only where fuel is not counted, and then there is no such budget.
        let _ = store.set_fuel(fuel);
    }
}

fn function<P, R>(
    store: &mut Store<Guest>,
    instance: &Instance,
    name: &str,
) -> wasmtime::Result<TypedFunc<P, R>>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    let missing = || wasmtime::Error::msg(format!("`{MODULE}` has no function `{name}`"));
    let module = instance
        .get_export_index(&mut *store, None, MODULE)
        .ok_or_else(missing)?;
    let function = instance
        .get_export_index(&mut *store, Some(&module), name)
        .ok_or_else(missing)?;
    instance
        .get_typed_func(&mut *store, function)
        .map_err(|error| error.context(format!("`{name}` is not as the world has it")))
}

/// What a call's error means.
fn failure(store: &Store<Guest>, error: &wasmtime::Error) -> Failure {
    let memory = &store.data().memory;
    let wanted = |then: &dyn std::fmt::Display| {
        let most = memory.most >> 20;
        format!("wanted more memory than its {most} MiB (`memory_mb` sets that); {then}")
    };
    let (kind, message) = match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt | Trap::OutOfFuel) => {
            (FailureKind::Deadline, "took longer than it may".to_string())
        }
        Some(trap) if memory.refused => (FailureKind::Memory, wanted(trap)),
        Some(trap) => (FailureKind::Trap, trap.to_string()),
        None if memory.refused => (FailureKind::Memory, wanted(&in_words(error))),
        None => (FailureKind::Answer, in_words(error)),
    };
    Failure {
        kind,
        message,
        is_last: false,
    }
}

/// An instance, ready to be called.
pub(super) struct Seat {
    store: Store<Guest>,
    on_batch: TypedFunc<(Arc<Vec<u8>>,), (Vec<Alert>,)>,
    on_tick: TypedFunc<(u64,), (Vec<Alert>,)>,
    on_response: TypedFunc<(u64, Outcome), (Vec<Alert>,)>,
    budget: Budget,
}

impl Seat {
    /// Bytes of memory and tables that it has.
    pub(super) fn memory_bytes(&self) -> usize {
        self.store.data().memory.used
    }

    pub(super) fn new(
        code: &Code,
        start: &Start,
        stopping: &Arc<AtomicBool>,
    ) -> Result<Seat, Failure> {
        let (mut store, instance) = instantiate(code, start, stopping)?;
        type Init = TypedFunc<(Vec<(String, String)>, Vec<Column>), (Result<(), String>,)>;
        let found = (|| {
            let init: Init = function(&mut store, &instance, "init")?;
            let on_batch = function(&mut store, &instance, "on-batch")?;
            let on_tick = function(&mut store, &instance, "on-tick")?;
            let on_response = function(&mut store, &instance, "on-response")?;
            Ok((init, on_batch, on_tick, on_response))
        })();
        let (init, on_batch, on_tick, on_response) =
            found.map_err(|error| failure(&store, &error))?;
        let _ticking = code.workshop.ticker.watch();
        let config = (start.config.clone(), start.columns.clone());
        match init.call(&mut store, config) {
            Ok((Ok(()),)) => {}
            Ok((Err(why),)) => {
                return Err(Failure {
                    kind: FailureKind::Answer,
                    message: format!("`init` says: {}", for_people(&why)),
                    is_last: false,
                });
            }
            Err(error) => return Err(failure(&store, &error)),
        }
        let limits = &code.workshop.limits;
        let budget = match (limits.budget, start.means.cpu) {
            (Budget::Time { wall, .. }, Some(cpu)) => Budget::Time {
                cpu,
                wall: wall.max(cpu * 4),
            },
            // Fuel is the same for all.
            (budget, _) => budget,
        };
        store.data_mut().clock = Clock::new(budget, Arc::clone(stopping));
        Ok(Seat {
            store,
            on_batch,
            on_tick,
            on_response,
            budget,
        })
    }

    pub(super) fn batch(
        &mut self,
        workshop: &Workshop,
        rows: &Arc<Vec<u8>>,
        now: u64,
    ) -> Result<Vec<Alert>, Failure> {
        let function = self.on_batch;
        self.call(workshop, now, |store| {
            function.call(store, (Arc::clone(rows),))
        })
    }

    pub(super) fn tick(&mut self, workshop: &Workshop, time: u64) -> Result<Vec<Alert>, Failure> {
        let function = self.on_tick;
        self.call(workshop, time, |store| function.call(store, (time,)))
    }

    pub(super) fn response(
        &mut self,
        workshop: &Workshop,
        request: u64,
        outcome: &Outcome,
    ) -> Result<Vec<Alert>, Failure> {
        let function = self.on_response;
        // Only where there is no replay, whose time this would be.
        self.call(workshop, 0, |store| {
            function.call(store, (request, outcome.clone()))
        })
    }

    fn call(
        &mut self,
        workshop: &Workshop,
        now: u64,
        call: impl FnOnce(&mut Store<Guest>) -> wasmtime::Result<(Vec<Alert>,)>,
    ) -> Result<Vec<Alert>, Failure> {
        if let Some(of_replay) = &mut self.store.data_mut().now {
            *of_replay = now;
        }
        begin(&mut self.store, self.budget);
        let _ticking = workshop.ticker.watch();
        let called = call(&mut self.store);
        called.map(|(alerts,)| alerts).map_err(|error| {
            let failure = failure(&self.store, &error);
            match (failure.kind, self.budget) {
                (FailureKind::Deadline, Budget::Time { cpu, .. }) => Failure {
                    message: format!(
                        "took longer than it may, {} ms of CPU time (`cpu_ms` sets that)",
                        cpu.as_millis()
                    ),
                    ..failure
                },
                (_, Budget::Time { .. } | Budget::Fuel(_)) => failure,
            }
        })
    }
}
