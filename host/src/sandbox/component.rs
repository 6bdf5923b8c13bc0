//! Components: modules in any language, by the world of `wit/rules.wit`.
//!
//! A component gets rows that were copied for it, and answers with alerts; it sees neither the
//! window nor anything of the host. Of the world's imports it has those it was granted, and none
//! of them waits. There is no WASI.
//!
//! [`Code`] is a component, compiled and asked what it is. A [`Resident`] is one at work: its
//! instance, and what becomes of it when it fails. A [`Worker`] is a resident on a thread of its
//! own, behind a bounded queue, so that one that is slow loses its own rows and holds up nobody.
//! In a replay the resident is called directly, row by row, in the order of events, and its
//! budget is fuel.
//!
//! **What a guest can make the host copy** is bounded before it is copied (wasmtime's "hostcall
//! fuel"): lists and texts of an answer may overlap in the guest's memory, so that some MiB
//! there could stand for terabytes here.

mod admit;
mod apart;
mod call;
mod capability;
mod code;
mod confined;
#[cfg(test)]
mod hostile;
mod metric;
mod post;
mod resident;
mod share;
#[cfg(test)]
pub(crate) mod specimen;
mod words;
mod worker;

pub use admit::{COMPONENT_BYTES_MAX, exports, imports, is_component};
pub use call::{
    Alert, Answer, Capability, Column, Description, Kind, Priority, Rule, State, Subscription,
    Value,
};
pub use capability::{KEEP_BYTES_MAX, Keep};
pub(crate) use code::engine_by;
pub use code::{Code, NotLoaded, Workshop};
pub use confined::{COMMAND, component_for_parent};
pub use metric::{Metric, Metrics};
pub use post::{Outcome, Post};
pub use resident::{Failure, Means, Resident, Start};
pub use worker::{FromComponent, Put, ToComponent, Worker};

use super::Budget;
use super::native::Recipe;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a component may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentLimits {
    /// For a batch, or a tick.
    pub budget: Budget,
    /// For making an instance and its `init`, and for `describe`.
    pub start: Budget,
    /// Bytes of all its memories and tables together.
    pub memory_bytes_max: usize,
    /// Bytes of stack.
    pub stack_bytes_max: usize,
    /// Bytes that one call may hand to the host: an answer, or the arguments of an import.
    pub answer_bytes_max: usize,
    /// So many failures, all within [`strike_calls`](Self::strike_calls), and it is set aside.
    /// 0: never.
    pub strikes: u32,
    /// How many calls a failure counts.
    pub strike_calls: u64,
    /// Batches that may wait for it.
    pub queue: usize,
    /// Percent of a core that it may use over time, where it has a thread of its own.
    pub cpu_percent: u32,
    /// CPU time that it may use at once, before that counts.
    pub cpu_at_once: Duration,
    /// How long it may take to compile it.
    pub compile: Duration,
}

impl ComponentLimits {
    /// How the engine of a workshop with these limits is made.
    fn recipe(&self) -> Recipe {
        Recipe {
            counts_fuel: matches!(self.budget, Budget::Fuel(_)),
            stack_bytes_max: self.stack_bytes_max,
            seconds: self.compile.as_secs().max(1),
        }
    }

    /// Those for events as they happen.
    pub fn live(cpu: Duration) -> ComponentLimits {
        let wall = Duration::from_secs(2);
        ComponentLimits {
            budget: Budget::Time { cpu, wall },
            start: Budget::Time {
                cpu: Duration::from_secs(1),
                wall: Duration::from_secs(10),
            },
            memory_bytes_max: 64 << 20,
            stack_bytes_max: 512 * 1024,
            answer_bytes_max: 1 << 20,
            strikes: 3,
            strike_calls: 1024,
            queue: 64,
            cpu_percent: 50,
            cpu_at_once: Duration::from_secs(2),
            // An interpreter takes ten seconds and more, on a busy machine several times as long.
            compile: Duration::from_secs(180),
        }
    }

    /// Those for a replay: the same everywhere.
    pub fn replay(fuel: u64) -> ComponentLimits {
        ComponentLimits {
            budget: Budget::Fuel(fuel),
            start: Budget::Fuel(fuel.saturating_mul(4)),
            ..ComponentLimits::live(Duration::ZERO)
        }
    }
}
