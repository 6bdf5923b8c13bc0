//! The sandbox: runs compiled rulesets over windows, so that none of them can crash, stall or
//! deceive the host, and [components](component) over rows of their own. The only place that
//! knows wasmtime.
//!
//! **Two walls.** A module that is not ours to trust must get past both to touch the host's
//! rows, and each is tested with the other one off. [`validate()`] admits only modules that do
//! not write to the window. Should one pass that does, it finds a private copy-on-write mapping
//! there: it writes to its own copy, which is thrown away with the instance after every failure.
//! (The mapping is writable because bulk instructions and data segments run as host code: on a
//! read-only page they would end the process.)
//!
//! **Compiling** is bounded as well, and done [apart](Compiler::apart): the process that does it
//! has no rights, and its answer is believed as the compiler's is.
//!
//! **Budgets.** CPU time (or fuel, in a replay), the sum of memories, stack, hits, and the size
//! of what is compiled. What exceeds one costs its window, is counted and said; after some
//! strikes the ruleset is quarantined.
//!
//! **State.** A module shall answer for a window by the window alone. The validator leaves it
//! one place to keep something from call to call: the bytes of its own memory (no mutable
//! globals, no tables, no growing, no segments to drop). That what is there is written before it
//! is read cannot be proved of a stranger's code, so: modules of our own compiler are trusted to
//! do it, which the compiler's tests check, and any other module is to be installed with
//! [`RulesetImage::reset`], which restores its memory before every window (a copy of some
//! hundred KiB, charged to nobody but the module's windows). Within one window a foreign module
//! can still let a row depend on an earlier one; that only spoils its own answers.
//!
//! A validated module can read the whole window: the other slots too, which hold rows written
//! for other rulesets, or half a row. So only rulesets compiled here or signed by a trusted key
//! may be installed; deciding that is left to the caller, as are compiling YAML, filling
//! windows, and making alerts of hits.
//!
//! **The boundary is made of messages** ([`ToJudge`], [`FromJudge`]), so that rulesets are judged
//! by threads of this process, or by a process of its own that has no rights and knows nothing
//! but the window and what it is told ([`Judge::spawn_apart`]). What that one answers is held
//! against what it was asked; one that answers anything else is killed, and another takes its
//! place. Components have processes of their own as well, or threads of this one.

mod cache;
mod child;
pub mod component;
mod confine;
mod deadline;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod hostile;
mod instance;
mod judge;
mod message;
mod native;
mod validate;
#[cfg(test)]
mod walls;

pub use cache::{Cache, Refused, Unfit};
pub use judge::{
    COMMAND as JUDGE_COMMAND, Counters, Judge, JudgeProcess, Nothing, SendError, SpawnError,
    Standing, judge_for_parent,
};
pub use message::{FailureKind, FromJudge, Hit, RulesetImage, ToJudge};
pub use native::{Apart, COMMAND as COMPILE_COMMAND, Compiler, compile_for_parent};
pub use validate::{
    BODY_BYTES_MAX, BULK_MAX, CLUES_MAX, FUNCTIONS_MAX, LOCALS_MAX, LOCALS_TIMES_BRANCHES_MAX,
    MANIFEST_ITEMS_MAX, MODULE_BYTES_MAX, MODULE_MEMORY_BYTES_MAX, Refusal, SLOTS_MAX, TARGETS_MAX,
    validate,
};

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long it may take to compile a ruleset: far more than the largest that is admitted does.
const COMPILE_SECONDS: u64 = 60;

/// What one call for one window may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Budget {
    /// CPU time of the thread, and far above it, wall time.
    Time {
        /// CPU time for a window.
        cpu: Duration,
        /// Wall time for a window.
        wall: Duration,
    },
    /// Fuel, about one unit per instruction: the same on every machine, so that a replay gives
    /// the same answers everywhere. Running code is slower for counting it.
    Fuel(u64),
}

/// What modules may use, and how the judge is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// For one window.
    pub budget: Budget,
    /// Bytes of all memories of a module together, the window not counted.
    pub memory_bytes_max: usize,
    /// Bytes of stack a module may use.
    pub stack_bytes_max: usize,
    /// Hits of a window that are passed on; the rest is counted as lost.
    pub hits_max: u32,
    /// So many failures, all within [`strike_windows`](Self::strike_windows), and the ruleset is
    /// quarantined. 0: never.
    pub strikes: u32,
    /// How many windows of a ruleset a failure counts.
    pub strike_windows: u64,
    /// How many messages fit in the queue to the judge, and in the one back.
    pub queue: usize,
    /// Judging threads. With more than one, answers come in any order.
    pub threads: usize,
}

impl Limits {
    /// How the engine of a judge with these limits is made.
    fn recipe(&self) -> native::Recipe {
        native::Recipe {
            counts_fuel: matches!(self.budget, Budget::Fuel(_)),
            stack_bytes_max: self.stack_bytes_max,
            seconds: COMPILE_SECONDS,
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            budget: Budget::Time {
                cpu: Duration::from_millis(50),
                wall: Duration::from_secs(2),
            },
            memory_bytes_max: MODULE_MEMORY_BYTES_MAX as usize,
            stack_bytes_max: 512 * 1024,
            hits_max: 16_384,
            strikes: 3,
            strike_windows: 1024,
            queue: 256,
            threads: 1,
        }
    }
}
