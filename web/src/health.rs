//! How it goes: what was counted, what was lost and why, who is asked, what is missing here.

use crate::Shared;
use crate::answer::ask;
use crate::host::Refusal;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How it goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Saker's version.
    pub version: String,
    /// The host's name.
    pub hostname: String,
    /// Since when it watches.
    pub uptime_seconds: u64,
    /// The number of the running epoch.
    pub epoch: u64,
    /// Times that other modules took over.
    pub swaps: u64,
    /// Rules that may alert.
    pub rules: u64,
    /// Events so far.
    pub events: u64,
    /// Rows written for modules so far.
    pub rows: u64,
    /// Windows handed to modules so far.
    pub windows: u64,
    /// Alerts so far.
    pub alerts: u64,
    /// Times that a module failed.
    pub module_failures: u64,
    /// Which types of events came, and how often.
    pub event_types: Vec<Came>,
    /// What the stages of an event take, in the order in which it passes them.
    pub stages: Vec<Stage>,
    /// What was lost, by cause; a cause without a loss is there as well.
    pub losses: Vec<Count>,
    /// What waits where.
    pub queues: Vec<Queue>,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
    /// Processor time so far, in milliseconds.
    pub cpu_ms: u64,
    /// Container engines and how they are doing.
    pub engines: Vec<Engine>,
    /// What is kept of alerts.
    pub store: Store,
    /// What `saker doctor` says.
    pub checks: Vec<Check>,
}

/// A count under its cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Count {
    /// The cause.
    pub cause: String,
    /// How many.
    pub count: u64,
}

/// How often a type of events came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Came {
    /// Its name.
    pub event: String,
    /// How often.
    pub count: u64,
}

/// What a stage of an event takes: `decode`, `state` and `extract` of one event of many, measured;
/// `judge` and `alert` of all, as processor time and as time of the thread that moves events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stage {
    /// Its name.
    pub stage: String,
    /// Nanoseconds together.
    pub ns: u64,
    /// Of so many events.
    pub events: u64,
}

/// How full a queue is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Of what.
    pub name: String,
    /// So many wait.
    pub waiting: u64,
    /// So many may.
    pub most: u64,
}

/// An engine, and how it is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Engine {
    /// Its name.
    pub engine: String,
    /// Where it is asked.
    pub socket: String,
    /// Why it is not followed, if it is not.
    pub trouble: Option<String>,
    /// Questions so far.
    pub asked: u64,
    /// Those that failed.
    pub failed: u64,
}

/// What is kept of alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Store {
    /// Its file; none where it is in memory only.
    pub path: Option<String>,
    /// Alerts in it.
    pub alerts: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// Bytes that they may take.
    pub bytes_max: u64,
    /// Alerts that were written since Saker began.
    pub written: u64,
    /// Alerts that were given up for their age or the room they take.
    pub forgotten: u64,
}

/// A precondition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// `ok`, `weak` or `missing`.
    pub state: String,
    /// What was found.
    pub found: String,
    /// What to do if it is not good.
    pub help: String,
}

/// How it goes.
#[utoipa::path(get, path = "/health", tag = "health",
    responses((status = 200, body = Health), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn health(State(shared): State<Shared>) -> Result<Json<Health>, Refusal> {
    ask(&shared, |host| host.health()).await.map(Json)
}
