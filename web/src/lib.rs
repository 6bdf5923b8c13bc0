//! Saker's page: its listener, its sessions, its routes and its files. What it shows and what it
//! changes is the host's, of which it knows one trait.
//!
//! A request passes `listener` (sockets, TLS, how many), `guard` (where from, who, whether it
//! may) and a route, each in the file of its noun, which asks the [`Host`] on a thread of its
//! own. Nothing here runs on a thread that moves events.

pub mod alerts;
pub mod answer;
pub mod changes;
pub mod editor;
pub mod exceptions;
mod files;
mod guard;
pub mod health;
pub mod host;
pub mod incidents;
mod listener;
pub mod modules;
mod openapi;
pub mod operations;
pub mod rules;
pub mod session;
pub mod trial;

pub use host::{Host, Refusal};
pub use listener::{Served, Settings, Tls, Unserved, serve, serve_operations};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use guard::Hosts;
use session::Sessions;
use std::sync::Arc;
use tokio::sync::Semaphore;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// So many questions are put to the host at once.
const TURNS: usize = 16;
/// So many read the stream, or an export.
const STREAMS: usize = 32;

/// What all routes share.
pub(crate) type Shared = Arc<Inside>;

pub(crate) struct Inside {
    host: Arc<dyn Host>,
    sessions: Sessions,
    hosts: Hosts,
    is_secure: bool,
    turns: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    description: String,
}

fn api() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(openapi::Description::openapi())
        .routes(routes!(session::login, session::show, session::logout))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::live))
        .routes(routes!(alerts::histogram))
        .routes(routes!(alerts::export_lines))
        .routes(routes!(alerts::export_table))
        .routes(routes!(alerts::acknowledge))
        .routes(routes!(alerts::detail))
        .routes(routes!(alerts::comment))
        .routes(routes!(exceptions::propose, exceptions::save))
        .routes(routes!(exceptions::attempt))
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::detail))
        .routes(routes!(rules::list))
        .routes(routes!(rules::choose))
        .routes(routes!(modules::list, modules::load))
        .routes(routes!(modules::enable))
        .routes(routes!(modules::disable))
        .routes(routes!(modules::rollback))
        .routes(routes!(modules::swap))
        .routes(routes!(changes::list))
        .routes(routes!(health::health))
        .routes(routes!(editor::check))
        .routes(routes!(editor::completion))
        .routes(routes!(trial::show, trial::judge))
        .routes(routes!(trial::send))
        .routes(routes!(trial::shadow, trial::begin_shadow, trial::discard))
        .routes(routes!(trial::promote))
}

/// The interface's description, as JSON.
pub fn openapi() -> String {
    let (_, description) = api().split_for_parts();
    description.to_pretty_json().unwrap_or_default()
}

/// All routes behind their guard.
fn router(settings: &Settings, port: u16, host: Arc<dyn Host>) -> Router {
    let (api, description) = api().split_for_parts();
    let is_secure = settings.tls.is_some();
    let shared = Arc::new(Inside {
        host,
        sessions: Sessions::new(
            settings.admin.clone(),
            settings.viewer.clone(),
            is_secure,
            port,
            settings.sessions.clone(),
        ),
        hosts: Hosts {
            names: settings.hosts.clone(),
            is_loopback: settings.address.ip().is_loopback(),
        },
        is_secure,
        turns: Arc::new(Semaphore::new(TURNS)),
        streams: Arc::new(Semaphore::new(STREAMS)),
        description: description.to_json().unwrap_or_default(),
    });
    let api = api
        .route("/openapi.json", axum::routing::get(describe))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        // The guard bounds bodies.
        .layer(axum::extract::DefaultBodyLimit::disable());
    Router::new()
        .nest(guard::API, api)
        // Nothing there is a view of the page.
        .route("/api", axum::routing::any(unknown))
        .route("/api/", axum::routing::any(unknown))
        .route("/api/{*rest}", axum::routing::any(unknown))
        .fallback(files::file)
        .layer(from_fn_with_state(shared.clone(), guard::admit))
        .layer(from_fn_with_state(shared.clone(), guard::harden))
        .with_state(shared)
}

async fn describe(axum::extract::State(shared): axum::extract::State<Shared>) -> Response {
    let kind = [(axum::http::header::CONTENT_TYPE, "application/json")];
    (kind, shared.description.clone()).into_response()
}

async fn unknown() -> Refusal {
    Refusal::Unknown("there is nothing there".into())
}

async fn not_allowed() -> Response {
    answer::refused(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "that cannot be done there",
    )
}
