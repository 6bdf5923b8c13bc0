//! Exceptions: one proposed from an alert, tried against the alerts of the last day, and saved.

use crate::Shared;
use crate::alerts::Alert;
use crate::answer::{Asked, ask};
use crate::editor::Checked;
use crate::host::Refusal;
use crate::modules::Done;
use crate::session::Actor;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Extension, Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The text of an exception is no longer.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// It compares no more fields.
pub const PARTS_MAX: usize = 32;

/// What an exception from an alert may be made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Proposal {
    /// The rule that it is for.
    pub rule: String,
    /// Why there can be none; none if there can.
    pub refused: Option<String>,
    /// The fields whose values the alert kept, those that are proposed first.
    pub fields: Vec<Candidate>,
    /// Where what is proposed holds for more than what the alert was about, in words.
    pub broader: Vec<String>,
    /// The exception that is proposed, as YAML.
    pub text: String,
    /// The file that it would be saved to; none if nothing can be saved.
    pub file: Option<String>,
    /// Why it cannot be saved there; none if it can.
    pub unwritable: Option<String>,
}

/// A field that an exception may compare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// Its name.
    pub field: String,
    /// Its value in the alert.
    pub value: String,
    /// What it may be compared with.
    pub operators: Vec<String>,
    /// Whether it is proposed.
    pub proposed: bool,
}

/// A field that an exception compares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name.
    pub field: String,
    /// `=`, `startswith`, `endswith`, `contains` or `glob`.
    pub operator: String,
    /// What it is compared with. Of a glob it is the pattern, else it stands for itself.
    pub value: String,
}

/// An exception to be tried: by what it compares, or as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// What it compares; all of it must hold.
    #[serde(default)]
    #[schema(max_items = 32)]
    pub parts: Option<Vec<Part>>,
    /// The YAML, up to 64 KiB; not together with `parts`.
    #[serde(default)]
    pub text: Option<String>,
}

/// What came of trying it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// The exception as YAML.
    pub text: String,
    /// What the compiler says of it, together with the loaded rule files.
    pub checked: Checked,
    /// What it would have done; none if it is not valid.
    pub effect: Option<Effect>,
}

/// What an exception would have done to the alerts of its rule in the last 24 hours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Effect {
    /// Alerts that were judged, the newest.
    pub judged: u64,
    /// Whether there were more than that.
    pub is_cut: bool,
    /// Those that would not have been.
    pub silenced: u64,
    /// Those of which too little was kept to say.
    pub unknown: u64,
    /// The newest that would not have been, up to 50.
    pub silenced_alerts: Vec<Alert>,
    /// The newest of which that is not known, up to 10.
    pub unknown_alerts: Vec<Alert>,
    /// Fields that nothing was kept of, for want of which that is not known.
    pub missing: Vec<String>,
}

/// An exception to be saved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewException {
    /// The YAML, up to 64 KiB.
    #[schema(min_length = 1)]
    pub text: String,
}

fn bounded(text: &str) -> Result<(), Refusal> {
    match text.len() <= TEXT_BYTES_MAX {
        true => Ok(()),
        false => Err(Refusal::Invalid(format!(
            "an exception has {TEXT_BYTES_MAX} bytes at most"
        ))),
    }
}

/// What an exception from an alert may be made of, with one that is proposed.
#[utoipa::path(get, path = "/alerts/{id}/exception", tag = "alerts", params(("id" = u64, Path)),
    responses((status = 200, body = Proposal), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn propose(
    State(shared): State<Shared>,
    id: Asked<Path<u64>, PathRejection>,
) -> Result<Json<Proposal>, Refusal> {
    let Path(id) = id?;
    ask(&shared, move |host| host.propose_exception(id))
        .await
        .map(Json)
}

/// Tries an exception: what is wrong with it, and which alerts of its rule in the last 24 hours
/// would not have been. Changes nothing.
#[utoipa::path(post, path = "/alerts/{id}/exception/try", tag = "alerts",
    params(("id" = u64, Path)), request_body = Draft,
    responses((status = 200, body = Attempt), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn attempt(
    State(shared): State<Shared>,
    id: Asked<Path<u64>, PathRejection>,
    draft: Asked<Json<Draft>, JsonRejection>,
) -> Result<Json<Attempt>, Refusal> {
    let Path(id) = id?;
    let Json(draft) = draft?;
    match (&draft.parts, &draft.text) {
        (Some(parts), None) if parts.is_empty() || parts.len() > PARTS_MAX => {
            return Err(Refusal::Invalid(format!("1 to {PARTS_MAX} `parts`")));
        }
        (Some(parts), None) => {
            let texts = parts.iter().flat_map(|part| [&part.field, &part.value]);
            let bytes: usize = texts.map(String::len).sum();
            if bytes > TEXT_BYTES_MAX {
                return Err(Refusal::Invalid("the values are too long".into()));
            }
        }
        (None, Some(text)) => bounded(text)?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(Refusal::Invalid("either `parts` or `text`".into()));
        }
    }
    ask(&shared, move |host| host.try_exception(id, &draft))
        .await
        .map(Json)
}

/// Adds an exception to the local rules file, if the rules are valid with it. It is in force when
/// they have been read again.
#[utoipa::path(post, path = "/alerts/{id}/exception", tag = "alerts",
    params(("id" = u64, Path)), request_body = NewException,
    responses((status = 200, body = Done), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn save(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
    id: Asked<Path<u64>, PathRejection>,
    new: Asked<Json<NewException>, JsonRejection>,
) -> Result<Json<Done>, Refusal> {
    let Path(id) = id?;
    let Json(new) = new?;
    bounded(&new.text)?;
    ask(&shared, move |host| {
        host.save_exception(&actor, id, &new.text)
    })
    .await
    .map(Json)
}
