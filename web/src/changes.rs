//! The history of changes: who changed what, and when.

use crate::Shared;
use crate::answer::{Asked, ask};
use crate::host::Refusal;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ChangeQuery {
    /// Where the page before ended: its `next`.
    pub before: Option<u64>,
    /// How many at most, up to 500; by default 100.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}

/// What somebody did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Greater than that of every change before.
    pub id: u64,
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
    /// Who: the role, and from where.
    pub by: String,
    /// What was asked for, in words.
    pub what: String,
    /// What came of it, in words.
    pub outcome: String,
    /// Whether it was done.
    pub done: bool,
    /// How the texts differ, as `diff -u` shows it; empty where none changed.
    pub difference: String,
}

/// A page of changes, the latest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangePage {
    /// The changes.
    pub changes: Vec<Change>,
    /// What to ask as `before` for the next page; none if this is the last.
    pub next: Option<u64>,
}

/// Who changed what, the latest first.
#[utoipa::path(get, path = "/changes", tag = "modules", params(ChangeQuery),
    responses((status = 200, body = ChangePage), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    query: Asked<Query<ChangeQuery>, QueryRejection>,
) -> Result<Json<ChangePage>, Refusal> {
    let Query(query) = query?;
    ask(&shared, move |host| host.changes(&query))
        .await
        .map(Json)
}
