//! Incidents: alerts grouped by the root of their process tree.

use crate::Shared;
use crate::alerts::{Alert, Process};
use crate::answer::{Asked, ask};
use crate::host::Refusal;
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct IncidentQuery {
    /// Only those with an alert that nobody acknowledged (`false`), or without one (`true`).
    pub acknowledged: Option<bool>,
    /// Where the page before ended: its `next`.
    pub before: Option<u64>,
    /// How many at most, up to 500; by default 100.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}

/// What a process tree did: alerts whose processes have one root.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Incident {
    /// The same for the same root, whenever it is asked.
    pub id: String,
    /// What the root is: `container`, `login` or `service`.
    pub kind: String,
    /// The container's name, or the root's command line.
    pub title: String,
    /// How many alerts.
    pub alerts: u64,
    /// How many of them nobody acknowledged.
    pub open: u64,
    /// The most urgent priority.
    pub priority: String,
    /// Time of the first one, in milliseconds since 1970.
    pub first_ms: i64,
    /// Time of the last one.
    pub last_ms: i64,
    /// The newest one.
    pub newest: u64,
    /// Its rules, the most frequent first, at most sixteen.
    pub rules: Vec<RuleCount>,
}

/// How often a rule alerted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleCount {
    /// Its name.
    pub rule: String,
    /// So often.
    pub alerts: u64,
}

/// A page of incidents, the latest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncidentPage {
    /// The incidents.
    pub incidents: Vec<Incident>,
    /// What to ask as `before` for the next page; none if this is the last.
    pub next: Option<u64>,
}

/// An incident and what happened when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IncidentDetail {
    /// What lists show.
    #[serde(flatten)]
    pub incident: Incident,
    /// The root, as it was at the newest alert.
    pub root: Option<Process>,
    /// The newest alerts, the oldest of them first, at most 500. All others are found by the
    /// filter `incident` of the list.
    pub timeline: Vec<Alert>,
}

/// Alerts by the root of their process tree, the latest first.
#[utoipa::path(get, path = "/incidents", tag = "alerts", params(IncidentQuery),
    responses((status = 200, body = IncidentPage), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    query: Asked<Query<IncidentQuery>, QueryRejection>,
) -> Result<Json<IncidentPage>, Refusal> {
    let Query(query) = query?;
    ask(&shared, move |host| host.incidents(&query))
        .await
        .map(Json)
}

/// One of them, with what happened when.
#[utoipa::path(get, path = "/incidents/{id}", tag = "alerts", params(("id" = String, Path)),
    responses((status = 200, body = IncidentDetail), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn detail(
    State(shared): State<Shared>,
    id: Asked<Path<String>, PathRejection>,
) -> Result<Json<IncidentDetail>, Refusal> {
    let Path(id) = id?;
    ask(&shared, move |host| host.incident(&id)).await.map(Json)
}
