//! Modules: which are loaded, and other versions of them.

use crate::Shared;
use crate::answer::{Asked, ask};
use crate::host::{ModuleChange, Refusal};
use crate::session::Actor;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A module that is loaded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// `rules`, `ruleset` or `component`.
    pub kind: String,
    /// What a component says of its version.
    pub version: Option<String>,
    /// `running`, `probation`, `disabled` or `quarantined`.
    pub state: String,
    /// How many of its rules are on.
    pub rules: u64,
    /// The digest of its code.
    pub digest: String,
    /// Its file; none where it is the rule files.
    pub path: Option<String>,
    /// The digest of the version that a rollback brings back.
    pub previous: Option<String>,
    /// How often it failed.
    pub failures: u64,
    /// Times that it trapped since Saker began.
    pub traps: u64,
    /// Times that it took more time or memory than it may, since then.
    pub overruns: u64,
    /// Why there is no newer version, or why it is set aside.
    pub reason: Option<String>,
    /// Events that it was given since Saker began.
    pub events: u64,
    /// CPU time that it took since then, in nanoseconds.
    pub cpu_ns: u64,
    /// Bytes of memory that a component has.
    pub memory_bytes: Option<u64>,
    /// Alerts by it since then.
    pub alerts: u64,
    /// What a component may do beside judging events.
    pub capabilities: Vec<String>,
}

/// What was done, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Done {
    /// What.
    pub done: String,
}

/// A file that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// What it is called: a name that ends in `.wasm`, `.yaml` or `.yml`.
    pub file: String,
    /// The module whose place it takes; none where it is a further one.
    pub swap: Option<String>,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// What a sent file is called.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadQuery {
    /// Its name, which ends in `.wasm`, `.yaml` or `.yml`.
    file: String,
}

/// The modules that are loaded.
#[utoipa::path(get, path = "/modules", tag = "modules",
    responses((status = 200, body = Vec<Module>), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn list(State(shared): State<Shared>) -> Result<Json<Vec<Module>>, Refusal> {
    ask(&shared, |host| host.modules()).await.map(Json)
}

async fn change(
    shared: Shared,
    actor: Actor,
    name: Asked<Path<String>, PathRejection>,
    change: ModuleChange,
) -> Result<Json<Done>, Refusal> {
    let Path(name) = name?;
    ask(&shared, move |host| {
        host.change_module(&actor, &name, change)
    })
    .await
    .map(Json)
}

/// Turns a module on that was turned off or set aside.
#[utoipa::path(post, path = "/modules/{name}/enable", tag = "modules",
    params(("name" = String, Path)),
    responses((status = 200, body = Done), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn enable(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
    name: Asked<Path<String>, PathRejection>,
) -> Result<Json<Done>, Refusal> {
    change(shared, actor, name, ModuleChange::Enable).await
}

/// Turns a module off.
#[utoipa::path(post, path = "/modules/{name}/disable", tag = "modules",
    params(("name" = String, Path)),
    responses((status = 200, body = Done), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn disable(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
    name: Asked<Path<String>, PathRejection>,
) -> Result<Json<Done>, Refusal> {
    change(shared, actor, name, ModuleChange::Disable).await
}

/// Brings a module's version before back.
#[utoipa::path(post, path = "/modules/{name}/rollback", tag = "modules",
    params(("name" = String, Path)),
    responses((status = 200, body = Done), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn rollback(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
    name: Asked<Path<String>, PathRejection>,
) -> Result<Json<Done>, Refusal> {
    change(shared, actor, name, ModuleChange::Rollback).await
}

async fn upload(
    shared: Shared,
    actor: Actor,
    query: Asked<Query<UploadQuery>, QueryRejection>,
    swap: Option<String>,
    bytes: Asked<Bytes, BytesRejection>,
) -> Result<Json<Done>, Refusal> {
    let Query(UploadQuery { file }) = query?;
    let bytes = bytes.map_err(|why| Refusal::Invalid(why.body_text()))?;
    let upload = Upload {
        file,
        swap,
        bytes: bytes.into(),
    };
    ask(&shared, move |host| host.upload(&actor, upload))
        .await
        .map(Json)
}

/// Loads a module, or rules as a ruleset of their own: the file is the body.
#[utoipa::path(post, path = "/modules", tag = "modules", params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Done), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn load(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
    query: Asked<Query<UploadQuery>, QueryRejection>,
    bytes: Asked<Bytes, BytesRejection>,
) -> Result<Json<Done>, Refusal> {
    upload(shared, actor, query, None, bytes).await
}

/// Puts another version in a module's place, between two events: the file is the body.
#[utoipa::path(post, path = "/modules/{name}/swap", tag = "modules",
    params(("name" = String, Path), UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Done), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn swap(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
    name: Asked<Path<String>, PathRejection>,
    query: Asked<Query<UploadQuery>, QueryRejection>,
    bytes: Asked<Bytes, BytesRejection>,
) -> Result<Json<Done>, Refusal> {
    let Path(name) = name?;
    upload(shared, actor, query, Some(name), bytes).await
}
