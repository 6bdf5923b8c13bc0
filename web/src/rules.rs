//! Rules: which there are, what they say, how often they alerted; one turned on or off.

use crate::Shared;
use crate::answer::{Asked, ask};
use crate::host::Refusal;
use crate::modules::Done;
use crate::session::Actor;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A rule of a module that is loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// The module it is of.
    pub module: String,
    /// What it is about.
    pub description: String,
    /// Its priority.
    pub priority: String,
    /// Its source.
    pub source: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether it may alert: it is on, urgent enough, and its module runs.
    pub enabled: bool,
    /// Alerts since Saker began.
    pub alerts: u64,
    /// As it is written, with what was appended to it; empty if its module does not tell.
    pub text: String,
    /// Its condition with macros, lists and exceptions filled in; empty if its module does not
    /// tell.
    pub condition: String,
    /// The event types for which it can hold.
    pub events: Vec<String>,
    /// The digest of its text.
    pub digest: String,
}

/// A rule that is to be on or off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleChoice {
    /// Its name.
    #[schema(min_length = 1, max_length = 1024)]
    pub rule: String,
    /// Whether it is to be on.
    pub enabled: bool,
}

/// The rules of all modules that are loaded.
#[utoipa::path(get, path = "/rules", tag = "rules",
    responses((status = 200, body = Vec<Rule>), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn list(State(shared): State<Shared>) -> Result<Json<Vec<Rule>>, Refusal> {
    ask(&shared, |host| host.rules()).await.map(Json)
}

/// Turns a rule on or off, until Saker ends.
#[utoipa::path(post, path = "/rules/enabled", tag = "rules", request_body = RuleChoice,
    responses((status = 200, body = Done), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn choose(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
    choice: Asked<Json<RuleChoice>, JsonRejection>,
) -> Result<Json<Done>, Refusal> {
    let Json(choice) = choice?;
    ask(&shared, move |host| host.choose_rule(&actor, &choice))
        .await
        .map(Json)
}
