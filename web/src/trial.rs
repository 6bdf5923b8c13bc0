//! Rules tried before they are loaded: against events of the last minutes or of a capture, or
//! beside the rules that run.

use crate::Shared;
use crate::answer::{Asked, ask};
use crate::host::Refusal;
use crate::modules::Done;
use crate::session::Actor;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{Extension, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// No shadow judges for longer.
pub const SHADOW_SECONDS_MAX: u32 = 24 * 60 * 60;

/// Rules to be tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TryRequest {
    /// The text of a rule file.
    pub text: String,
    /// Whether the loaded rule files come before it.
    #[serde(default)]
    pub with_loaded: bool,
    /// The module whose place it would take; none where it would be a ruleset of its own.
    #[serde(default)]
    pub replaces: Option<String>,
    /// The capture that was sent, instead of recent events.
    #[serde(default)]
    pub capture: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Tried {
    /// Events that were judged.
    pub events: u64,
    /// When the first of them was, in milliseconds since 1970.
    pub from_ms: u64,
    /// When the last was.
    pub to_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// Why not all there was has been judged.
    pub cut: Option<String>,
    /// Events of that time that are not among them, because keeping them was too slow.
    pub missed: u64,
    /// Types of events that the rules ask for and that were not recorded, or not always.
    pub untraced: Vec<Untraced>,
    /// What came of both, rule by rule.
    pub compared: Compared,
}

/// A type of events that was not recorded, or not always.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Untraced {
    /// The type.
    pub event: String,
    /// `never`, `partly` (not all the time) or `failed` (not where the call failed).
    pub what: String,
    /// Since when it is recorded, in milliseconds since 1970; none where it is not.
    pub since_ms: Option<u64>,
}

/// A candidate and the rules that run, over the same events.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Compared {
    /// Alerts by the rules that run.
    pub running: u64,
    /// Alerts by the candidate.
    pub candidate: u64,
    /// Alerts of the candidate alone.
    pub added: u64,
    /// Alerts of the rules that run alone.
    pub removed: u64,
    /// Nanoseconds an event that judging by the candidate takes, beside those by the rules whose
    /// place it would take; of all events, wanted or not.
    pub candidate_ns: f64,
    /// Those by the rules whose place it would take.
    pub running_ns: f64,
    /// Events that the candidate was given and did not judge, because it failed.
    pub unjudged: u64,
    /// Alerts of it that were lost, because there were too many at once.
    pub lost: u64,
    /// Rule by rule.
    pub rules: Vec<Tally>,
    /// The first alerts of the candidate, and the first that it has not.
    pub examples: Vec<Example>,
}

/// What came of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tally {
    /// Its name.
    pub rule: String,
    /// Alerts by the rules that run.
    pub running: u64,
    /// Alerts by the candidate.
    pub candidate: u64,
    /// Those of the candidate alone.
    pub added: u64,
    /// Those of the rules that run alone.
    pub removed: u64,
}

/// An alert that would be, or would not be any more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Example {
    /// When the event was, in milliseconds since 1970.
    pub time_ms: u64,
    /// The rule.
    pub rule: String,
    /// Its priority.
    pub priority: String,
    /// The process.
    pub process: String,
    /// Its id.
    pub pid: u32,
    /// What it says.
    pub output: String,
    /// `both`, `candidate` or `running`: who says it.
    pub by: String,
}

/// Rules that are to judge beside those that run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShadowRequest {
    /// What they are called: a name that ends in `.yaml` or `.yml`.
    pub file: String,
    /// The text of a rule file.
    pub text: String,
    /// Whether the loaded rule files come before it.
    #[serde(default)]
    pub with_loaded: bool,
    /// The module whose place it would take; none where it would be a ruleset of its own.
    #[serde(default)]
    pub replaces: Option<String>,
    /// For how many seconds, a day at most.
    #[schema(minimum = 1, maximum = 86400)]
    pub seconds: u32,
}

/// Rules that judge beside those that run, or did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shadow {
    /// What they are called.
    pub file: String,
    /// The module whose place they would take.
    pub replaces: Option<String>,
    /// Whether the loaded rule files come before them.
    pub with_loaded: bool,
    /// Who asked for it.
    pub by: String,
    /// Since when they judge, in milliseconds since 1970.
    pub from_ms: u64,
    /// Until when they are to.
    pub to_ms: u64,
    /// Why they do not judge any more; none while they do.
    pub over: Option<String>,
    /// Events since they judge.
    pub events: u64,
    /// What came of both.
    pub compared: Compared,
}

/// The shadow, if there is one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Shadowed {
    /// It.
    pub shadow: Option<Shadow>,
}

/// What rules can be tried against.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trials {
    /// The recent events; none where they are not kept.
    pub recent: Option<Recent>,
    /// The capture that was sent last.
    pub capture: Option<Capture>,
}

/// How much is kept of recent events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recent {
    /// Events.
    pub events: u64,
    /// Bytes that are kept for them alone.
    pub bytes: u64,
    /// Bytes that may be.
    pub bytes_max: u64,
    /// Events that were not kept, because that was too slow.
    pub missed: u64,
    /// Bytes of what is known of processes where that alone is more than may be kept, so that
    /// nothing is; else 0.
    pub state_too_large: u64,
}

/// A capture that was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Capture {
    /// By which it is named.
    pub id: String,
    /// How long it is.
    pub bytes: u64,
}

/// What rules can be tried against.
#[utoipa::path(get, path = "/trial", tag = "editor",
    responses((status = 200, body = Trials), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn show(State(shared): State<Shared>) -> Result<Json<Trials>, Refusal> {
    ask(&shared, |host| host.trials()).await.map(Json)
}

/// Judges recent events, or those of a capture that was sent, by rules that are not loaded, and
/// compares that with the rules that run. It changes nothing.
#[utoipa::path(post, path = "/trial", tag = "editor", request_body = TryRequest,
    responses((status = 200, body = Tried), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn judge(
    State(shared): State<Shared>,
    request: Asked<Json<TryRequest>, JsonRejection>,
) -> Result<Json<Tried>, Refusal> {
    let Json(request) = request?;
    ask(&shared, move |host| host.try_rules(&request))
        .await
        .map(Json)
}

/// Sends a capture (a scap file, plain or compressed by gzip) to try rules against: the file is
/// the body. It takes the place of the one before, and is kept in memory until Saker ends.
#[utoipa::path(post, path = "/trial/capture", tag = "editor",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Capture), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn send(
    State(shared): State<Shared>,
    bytes: Asked<Bytes, BytesRejection>,
) -> Result<Json<Capture>, Refusal> {
    let bytes = bytes.map_err(|why| Refusal::Invalid(why.body_text()))?;
    ask(&shared, move |host| host.keep_capture(bytes.into()))
        .await
        .map(Json)
}

/// The rules that judge beside those that run, and what that comes to.
#[utoipa::path(get, path = "/shadow", tag = "editor",
    responses((status = 200, body = Shadowed), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn shadow(State(shared): State<Shared>) -> Result<Json<Shadowed>, Refusal> {
    let shadow = ask(&shared, |host| host.shadow()).await?;
    Ok(Json(Shadowed { shadow }))
}

/// Has rules judge beside those that run for a time: their alerts are counted, and nobody is told.
/// There is one such set of rules at a time.
#[utoipa::path(post, path = "/shadow", tag = "editor", request_body = ShadowRequest,
    responses((status = 200, body = Done), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn begin_shadow(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
    request: Asked<Json<ShadowRequest>, JsonRejection>,
) -> Result<Json<Done>, Refusal> {
    let Json(request) = request?;
    if !(1..=SHADOW_SECONDS_MAX).contains(&request.seconds) {
        return Err(Refusal::Invalid(format!(
            "`seconds` is 1 to {SHADOW_SECONDS_MAX}"
        )));
    }
    ask(&shared, move |host| host.begin_shadow(&actor, request))
        .await
        .map(Json)
}

/// Puts them in their place, between two events. Those that judge together with the loaded rule
/// files are added to the local rule file, which is read again.
#[utoipa::path(post, path = "/shadow/promote", tag = "editor",
    responses((status = 200, body = Done), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn promote(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<Done>, Refusal> {
    ask(&shared, move |host| host.promote_shadow(&actor))
        .await
        .map(Json)
}

/// Forgets them, and what they came to.
#[utoipa::path(delete, path = "/shadow", tag = "editor",
    responses((status = 200, body = Done), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn discard(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<Done>, Refusal> {
    ask(&shared, move |host| host.end_shadow(&actor))
        .await
        .map(Json)
}
