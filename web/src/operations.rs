//! What kubelet and Prometheus ask, under Falco's names: `/healthz`, `/versions`, `/metrics`. On
//! a listener of its own, without login: it tells numbers and no alert.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;

/// What is asked of the program.
pub trait Operations: Send + Sync + 'static {
    /// Whether events are taken in.
    fn is_healthy(&self) -> bool;
    /// Versions, as a JSON object.
    fn versions(&self) -> serde_json::Value;
    /// Metrics in Prometheus' text form; none where they are not wanted.
    fn metrics(&self) -> Option<String>;
}

/// How healthiness is asked for where nobody says otherwise.
pub const HEALTHZ: &str = "/healthz";

pub(crate) fn router(healthz: &str, operations: Arc<dyn Operations>) -> Router {
    Router::new()
        .route(healthz, get(health))
        .route("/versions", get(versions))
        .route("/metrics", get(metrics))
        .layer(axum::middleware::from_fn(harden))
        .with_state(operations)
}

async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let nosniff = axum::http::HeaderValue::from_static("nosniff");
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// Asks where that holds up nobody.
async fn ask<T: Send + 'static>(
    operations: Arc<dyn Operations>,
    ask: impl FnOnce(&dyn Operations) -> T + Send + 'static,
) -> Result<T, StatusCode> {
    let asked = tokio::task::spawn_blocking(move || ask(&*operations));
    asked.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn health(State(operations): State<Arc<dyn Operations>>) -> Response {
    let json = [(CONTENT_TYPE, "application/json")];
    match ask(operations, |operations| operations.is_healthy()).await {
        Ok(true) => (json, r#"{"status": "ok"}"#).into_response(),
        Ok(false) | Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            json,
            r#"{"status": "stalled"}"#,
        )
            .into_response(),
    }
}

async fn versions(State(operations): State<Arc<dyn Operations>>) -> Response {
    let versions = ask(operations, |operations| operations.versions()).await;
    versions.map(axum::Json).into_response()
}

async fn metrics(State(operations): State<Arc<dyn Operations>>) -> Response {
    match ask(operations, |operations| operations.metrics()).await {
        Ok(Some(text)) => ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(status) => status.into_response(),
    }
}
