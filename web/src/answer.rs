//! Answers: JSON, and refusals in one form.

use crate::Shared;
use crate::host::{Host, Refusal};
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why something asked for is not done.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Error {
    /// In words.
    pub error: String,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Refusal::Unknown(_) => StatusCode::NOT_FOUND,
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::Conflict(_) => StatusCode::CONFLICT,
            Refusal::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let (Refusal::Unknown(why)
        | Refusal::Invalid(why)
        | Refusal::Conflict(why)
        | Refusal::Busy(why)
        | Refusal::Failed(why)) = self;
        refused(status, why)
    }
}

/// A refusal of that status.
pub(crate) fn refused(status: StatusCode, why: impl Into<String>) -> Response {
    let error = why.into();
    (status, Json(Error { error })).into_response()
}

macro_rules! rejections {
    ($($rejection:ty),*) => {
        $(impl From<$rejection> for Refusal {
            fn from(rejection: $rejection) -> Refusal {
                Refusal::Invalid(rejection.body_text())
            }
        })*
    };
}
rejections!(JsonRejection, QueryRejection, PathRejection);

/// What is taken from a request; what does not fit is refused in the form of all refusals.
pub(crate) type Asked<T, Rejection> = Result<T, Rejection>;

/// Asks the host, where that holds up nobody.
pub(crate) async fn ask<T: Send + 'static>(
    shared: &Shared,
    ask: impl FnOnce(&dyn Host) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let turn = shared.turns.clone().try_acquire_owned();
    let Ok(turn) = turn else {
        return Err(Refusal::Busy("too much is asked at once".into()));
    };
    let host = shared.host.clone();
    let asked = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        ask(&*host)
    });
    asked
        .await
        .unwrap_or_else(|_| Err(Refusal::Failed("asking for it failed".into())))
}
