//! What an editor of rules asks: what is wrong with them, and what it may offer.

use crate::Shared;
use crate::answer::{Asked, ask};
use crate::host::Refusal;
use crate::session::Actor;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};
use utoipa::ToSchema;

/// No check takes longer.
const CHECK_WITHIN: Duration = Duration::from_secs(20);

/// Rules to be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// The text of a rule file.
    pub text: String,
    /// Whether the loaded rule files come before it, so that it may name their macros and lists
    /// and change their rules.
    #[serde(default)]
    pub with_loaded: bool,
}

/// What is wrong with rules, and what is worth a look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    /// Whether they could be loaded.
    pub valid: bool,
    /// What there is to say, in the order of places.
    pub diagnostics: Vec<Diagnostic>,
}

/// What is wrong at a place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Diagnostic {
    /// `error` or `warning`.
    pub severity: String,
    /// Saker's code.
    pub code: String,
    /// Falco's.
    pub falco: String,
    /// What it is.
    pub message: String,
    /// What stands at the place.
    pub label: String,
    /// What to do.
    pub help: Option<String>,
    /// Where it begins and ends; none where it is about the whole.
    pub range: Option<Range>,
}

/// A place in the text. Lines and columns begin with 0; columns are counted in UTF-16 units, as
/// editors count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Range {
    /// The line in which it begins.
    pub line: u32,
    /// The column.
    pub column: u32,
    /// The line in which it ends.
    pub end_line: u32,
    /// The column behind its last character.
    pub end_column: u32,
}

/// What an editor may offer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Completion {
    /// The catalogue of fields.
    pub fields: Vec<Field>,
    /// Comparisons.
    pub operators: Vec<String>,
    /// What makes values of values.
    pub transformers: Vec<String>,
    /// What joins conditions.
    pub keywords: Vec<String>,
    /// Types of events.
    pub events: Vec<String>,
    /// Priorities, the most urgent first.
    pub priorities: Vec<String>,
    /// The keys of a rule.
    pub keys: Vec<String>,
    /// Macros of the loaded rule files.
    pub macros: Vec<Named>,
    /// Lists of the loaded rule files.
    pub lists: Vec<Named>,
    /// Rules of the loaded rule files.
    pub rules: Vec<Named>,
}

/// A field of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The type of its value.
    #[serde(rename = "type")]
    pub kind: String,
    /// What may stand in brackets: `none`, `index` or `key`, and whether it must.
    pub argument: String,
    /// What it is.
    pub description: String,
    /// Whether it has a value yet.
    pub has_value: bool,
}

/// A macro, list or rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub text: String,
}

/// What is wrong with rules, as `saker check` says it. Who may only look checks up to 256 KiB at
/// a time, and waits after a check for four times as long as it took. A check ends when nobody
/// waits for it any more, and after 20 s.
#[utoipa::path(post, path = "/check", tag = "editor", request_body = CheckRequest,
    responses((status = 200, body = Checked), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn check(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
    request: Asked<Json<CheckRequest>, JsonRejection>,
) -> Result<Json<Checked>, Refusal> {
    let Json(request) = request?;
    // Dropped with this future, which is when nobody waits for the answer any more.
    let waited = Arc::new(());
    let waits = Arc::downgrade(&waited);
    let end = Instant::now() + CHECK_WITHIN;
    let checked = ask(&shared, move |host| {
        let stop = || waits.strong_count() == 0 || Instant::now() >= end;
        host.check(&actor, &request, &stop)
    });
    let checked = checked.await.map(Json);
    drop(waited);
    checked
}

/// What an editor may offer.
#[utoipa::path(get, path = "/completion", tag = "editor",
    responses((status = 200, body = Completion), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn completion(State(shared): State<Shared>) -> Result<Json<Completion>, Refusal> {
    ask(&shared, |host| host.completion()).await.map(Json)
}
