//! Alerts: the list, the stream, one in full, what people say of them, and exports.

use crate::Shared;
use crate::answer::{Asked, ask};
use crate::host::Refusal;
use crate::listener::Held;
use crate::session::Actor;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

/// A comment is no longer.
pub const COMMENT_BYTES_MAX: usize = 4096;
/// So many alerts may be acknowledged at once.
pub const IDS_MAX: usize = 1000;
/// So many are on a page.
pub const PAGE_MAX: u32 = 500;
/// And so many in one piece of a stream.
const PIECE_MAX: usize = 500;
/// So long more alerts may wait for each other in a stream.
const PIECE_EVERY: Duration = Duration::from_millis(100);

/// Which alerts. What is not said is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct AlertQuery {
    /// Priorities with commas between them, such as `critical,warning`.
    pub priority: Option<String>,
    /// Name of the rule.
    pub rule: Option<String>,
    /// A tag of the rule.
    pub tag: Option<String>,
    /// Id or name of the container; `host` for none.
    pub container: Option<String>,
    /// Namespace of the pod.
    pub namespace: Option<String>,
    /// Name of the pod.
    pub pod: Option<String>,
    /// Name of the process.
    pub process: Option<String>,
    /// The incident it belongs to.
    pub incident: Option<String>,
    /// Words that the output or a command line has, the last one perhaps begun only.
    pub text: Option<String>,
    /// Whether somebody has acknowledged it.
    pub acknowledged: Option<bool>,
    /// Not before that time, in milliseconds since 1970.
    pub from: Option<i64>,
    /// Before that time, in milliseconds since 1970.
    pub to: Option<i64>,
    /// Where the page before ended: its `next`.
    pub before: Option<u64>,
    /// How many at most, up to 500: alerts (by default 100, and all in an export), or steps of a
    /// histogram (60).
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}

/// An alert, as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// Greater than that of every alert that came before.
    pub id: u64,
    /// Time of the event, with nanoseconds, as RFC 3339 has it.
    pub time: String,
    /// The same in milliseconds since 1970.
    pub time_ms: i64,
    /// Its priority, as `Critical`.
    pub priority: String,
    /// Name of the rule.
    pub rule: String,
    /// Source of the event.
    pub source: String,
    /// The rule's tags.
    pub tags: Vec<String>,
    /// The output, without time and priority.
    pub output: String,
    /// Name of the process; empty if there is none.
    pub process: String,
    /// Id of the container; `host` outside of containers, empty if that is not known.
    pub container: String,
    /// Name of the container.
    pub container_name: String,
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// The incident it belongs to; empty if it is about no process.
    pub incident: String,
    /// Whether somebody has acknowledged it.
    pub acknowledged: bool,
}

/// A page of alerts, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertPage {
    /// The alerts.
    pub alerts: Vec<Alert>,
    /// What to ask as `before` for the next page; none if this is the last.
    pub next: Option<u64>,
    /// The newest alert there is, from which a stream may go on.
    pub newest: u64,
}

/// A process, as it was at the event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// What it executes.
    pub exepath: String,
    /// Its command line.
    pub cmdline: String,
    /// Whose it is.
    pub user: String,
    /// The same as a number.
    pub uid: u32,
    /// When it started, in milliseconds since 1970; 0 if that is not known.
    pub started_ms: i64,
    /// Id of its container; empty outside.
    pub container: String,
}

/// A container, as far as it was known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its whole id.
    pub full_id: String,
    /// Its name.
    pub name: String,
    /// What runs it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its image.
    pub image: String,
    /// The image's digest.
    pub image_digest: String,
    /// Namespace of its pod.
    pub namespace: String,
    /// Name of its pod.
    pub pod: String,
}

/// What people say of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Comment {
    /// When, in milliseconds since 1970.
    pub time_ms: i64,
    /// Who.
    pub by: String,
    /// What.
    pub text: String,
}

/// A part of a condition, with what it saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// The macro whose condition it is.
    #[serde(rename = "macro", skip_serializing_if = "Option::is_none")]
    pub of_macro: Option<String>,
    /// `and`, `or`, `not` or `test`.
    pub kind: String,
    /// A test as conditions are written, perhaps cut; empty where the parts say it.
    pub text: String,
    /// Whether it held.
    pub held: bool,
    /// The values that a test asked for, by the names of their fields; null where there was none.
    pub values: BTreeMap<String, Value>,
    /// What it is made of.
    #[schema(no_recursion)]
    pub parts: Vec<Why>,
}

/// All that is kept of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertDetail {
    /// What lists show.
    #[serde(flatten)]
    pub alert: Alert,
    /// All output fields.
    pub fields: BTreeMap<String, Value>,
    /// Type of the event.
    pub event_type: String,
    /// The file, connection or other thing that the event was about: fields with a value.
    pub object: BTreeMap<String, Value>,
    /// The process and its ancestors, nearest first.
    pub processes: Vec<Process>,
    /// The container, in full.
    pub container_details: Option<Container>,
    /// Some of this was longer than what is kept.
    pub is_cut: bool,
    /// The module that the rule is of.
    pub module: String,
    /// The digest of its version.
    pub module_digest: String,
    /// The digest of the rule's text.
    pub rule_digest: String,
    /// The rule as it was; empty if its module does not tell.
    pub rule_text: String,
    /// The rule's condition, judged part by part; none if its module does not tell, or if there
    /// were too many alerts at once.
    pub why: Option<Why>,
    /// The alert as a JSON line of Falco's.
    pub raw: String,
    /// When it was acknowledged, in milliseconds since 1970.
    pub acknowledged_ms: Option<i64>,
    /// Who did.
    pub acknowledged_by: Option<String>,
    /// What was said of it.
    pub comments: Vec<Comment>,
}

/// How many alerts there were when, by priority.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Histogram {
    /// When the first step begins, in milliseconds since 1970.
    pub from: i64,
    /// When the last one ends.
    pub to: i64,
    /// How long a step is, in milliseconds.
    pub step_ms: i64,
    /// The priorities, the most urgent first.
    pub priorities: Vec<String>,
    /// Per step, how many alerts of each priority.
    pub counts: Vec<Vec<u64>>,
    /// How many altogether.
    pub total: u64,
}

/// Alerts that were seen, or that were not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// Their ids, up to 1,000.
    #[schema(max_items = 1000)]
    pub ids: Vec<u64>,
    /// Whether they were.
    pub acknowledged: bool,
}

/// How many were changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Changed {
    /// So many.
    pub changed: u64,
}

/// A comment to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Remark {
    /// What is said, up to 4,096 bytes.
    #[schema(min_length = 1, max_length = 4096)]
    pub text: String,
}

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// A JSON line of Falco's for each alert.
    Jsonl,
    /// A table for spreadsheets.
    Csv,
}

/// A row of an export.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What lists show.
    pub alert: Alert,
    /// As a JSON line of Falco's, without its end.
    pub raw: String,
}

type Queried<T> = Asked<Query<T>, QueryRejection>;
type Sent<T> = Asked<Json<T>, JsonRejection>;

/// Alerts that meet a filter, the newest first.
#[utoipa::path(get, path = "/alerts", tag = "alerts", params(AlertQuery),
    responses((status = 200, body = AlertPage), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    query: Queried<AlertQuery>,
) -> Result<Json<AlertPage>, Refusal> {
    let Query(query) = query?;
    ask(&shared, move |host| host.alerts(&query))
        .await
        .map(Json)
}

/// How many alerts there were when, by priority.
#[utoipa::path(get, path = "/alerts/histogram", tag = "alerts", params(AlertQuery),
    responses((status = 200, body = Histogram), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn histogram(
    State(shared): State<Shared>,
    query: Queried<AlertQuery>,
) -> Result<Json<Histogram>, Refusal> {
    let Query(query) = query?;
    ask(&shared, move |host| host.histogram(&query))
        .await
        .map(Json)
}

/// All that is kept of an alert.
#[utoipa::path(get, path = "/alerts/{id}", tag = "alerts", params(("id" = u64, Path)),
    responses((status = 200, body = AlertDetail), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn detail(
    State(shared): State<Shared>,
    id: Asked<Path<u64>, PathRejection>,
) -> Result<Json<AlertDetail>, Refusal> {
    let Path(id) = id?;
    ask(&shared, move |host| host.alert(id)).await.map(Json)
}

/// Notes that alerts were seen, or that they were not.
#[utoipa::path(post, path = "/alerts/acknowledge", tag = "alerts", request_body = Acknowledgement,
    responses((status = 200, body = Changed), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn acknowledge(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
    what: Sent<Acknowledgement>,
) -> Result<Json<Changed>, Refusal> {
    let Json(what) = what?;
    if what.ids.len() > IDS_MAX {
        return Err(Refusal::Invalid(format!("at most {IDS_MAX} at once")));
    }
    let changed = ask(&shared, move |host| host.acknowledge(&actor, &what)).await?;
    Ok(Json(Changed { changed }))
}

/// Adds a comment to an alert.
#[utoipa::path(post, path = "/alerts/{id}/comments", tag = "alerts", params(("id" = u64, Path)),
    request_body = Remark,
    responses((status = 200, body = Comment), (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn comment(
    State(shared): State<Shared>,
    Extension(actor): Extension<Actor>,
    id: Asked<Path<u64>, PathRejection>,
    remark: Sent<Remark>,
) -> Result<Json<Comment>, Refusal> {
    let Path(id) = id?;
    let Json(remark) = remark?;
    let text = remark.text.trim().to_owned();
    if text.is_empty() || text.len() > COMMENT_BYTES_MAX {
        return Err(Refusal::Invalid(format!(
            "a comment has 1 to {COMMENT_BYTES_MAX} bytes"
        )));
    }
    ask(&shared, move |host| host.comment(&actor, id, &text))
        .await
        .map(Json)
}

/// Alerts as they come: server-sent events called `alerts`, each an array of them, whose id is
/// that of the last. Begins after `Last-Event-ID`, else after `before` of the query, else with
/// the next one. An event called `skipped` tells how many were left out where the reader is too
/// far behind.
#[utoipa::path(get, path = "/alerts/stream", tag = "alerts",
    params(AlertQuery, ("Last-Event-ID" = Option<u64>, Header)),
    responses((status = 200, content_type = "text/event-stream", body = Vec<Alert>),
        (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn live(
    State(shared): State<Shared>,
    held: Option<Extension<Held>>,
    headers: HeaderMap,
    query: Queried<AlertQuery>,
) -> Result<Response, Refusal> {
    let Query(query) = query?;
    let last = match headers.get("last-event-id") {
        None => query.before,
        Some(id) => {
            let id = id.to_str().ok().and_then(|id| id.parse().ok());
            Some(id.ok_or_else(|| Refusal::Invalid("`Last-Event-ID` is no id of an alert".into()))?)
        }
    };
    let place = shared.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Refusal::Busy("too many read along already".into()))?;
    let mut newest = shared.host.newest();
    let last = last.unwrap_or(*newest.borrow_and_update());
    // What does not meet the query is refused before the stream begins.
    let (first, at) = (query.clone(), last);
    ask(&shared, move |host| host.alerts_after(at, &first, 1)).await?;
    let state = Reading {
        shared,
        query,
        last,
        newest,
        ready: Vec::new(),
        _place: (place, held),
    };
    let events = stream::unfold(state, |mut state| async move {
        let event = state.next().await?;
        Some((Ok::<_, Infallible>(event), state))
    });
    let stream = Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)));
    Ok(stream.into_response())
}

/// One of so many, on a connection that makes no room for others meanwhile.
type Place = (tokio::sync::OwnedSemaphorePermit, Option<Extension<Held>>);

/// How far a reader of the stream is.
struct Reading {
    shared: Shared,
    query: AlertQuery,
    last: u64,
    newest: tokio::sync::watch::Receiver<u64>,
    ready: Vec<Event>,
    _place: Place,
}

impl Reading {
    /// The next event; none when the program ends.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop() {
                return Some(event);
            }
            let newest = *self.newest.borrow_and_update();
            if newest > self.last {
                let (query, last) = (self.query.clone(), self.last);
                let found = ask(&self.shared, move |host| {
                    host.alerts_after(last, &query, PIECE_MAX)
                });
                match found.await {
                    Ok((skipped, alerts)) => self.take(skipped, &alerts, newest),
                    // Later, then.
                    Err(_) => tokio::time::sleep(PIECE_EVERY).await,
                }
                if !self.ready.is_empty() {
                    continue;
                }
            }
            self.newest.changed().await.ok()?;
            // More may be about to come.
            tokio::time::sleep(PIECE_EVERY).await;
        }
    }

    fn take(&mut self, skipped: u64, alerts: &[Alert], newest: u64) {
        self.last = newest.max(alerts.last().map_or(0, |alert| alert.id));
        let id = self.last.to_string();
        // The last one is the next.
        if !alerts.is_empty()
            && let Ok(event) = Event::default().event("alerts").id(id).json_data(alerts)
        {
            self.ready.push(event);
        }
        if skipped > 0 {
            let event = Event::default().event("skipped");
            self.ready.push(event.data(skipped.to_string()));
        }
    }
}

/// All alerts that meet a filter, the newest first, each as a JSON line of Falco's.
#[utoipa::path(get, path = "/alerts/export.jsonl", tag = "alerts", params(AlertQuery),
    responses((status = 200, content_type = "application/x-ndjson", body = String),
        (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn export_lines(
    State(shared): State<Shared>,
    held: Option<Extension<Held>>,
    query: Queried<AlertQuery>,
) -> Result<Response, Refusal> {
    export(shared, held, query?.0, Format::Jsonl).await
}

/// The same as a table.
#[utoipa::path(get, path = "/alerts/export.csv", tag = "alerts", params(AlertQuery),
    responses((status = 200, content_type = "text/csv", body = String),
        (status = "4XX", body = crate::answer::Error)))]
pub(crate) async fn export_table(
    State(shared): State<Shared>,
    held: Option<Extension<Held>>,
    query: Queried<AlertQuery>,
) -> Result<Response, Refusal> {
    export(shared, held, query?.0, Format::Csv).await
}

async fn export(
    shared: Shared,
    held: Option<Extension<Held>>,
    query: AlertQuery,
    format: Format,
) -> Result<Response, Refusal> {
    let place = shared.streams.clone().try_acquire_owned();
    let place = place.map_err(|_| Refusal::Busy("too many read along already".into()))?;
    let place: Place = (place, held);
    let before = query.before.unwrap_or(u64::MAX >> 1);
    // The first rows tell whether there is anything to be had.
    let asked = query.clone();
    let first = ask(&shared, move |host| host.rows(&asked, before)).await?;
    let head = match format {
        Format::Jsonl => Bytes::new(),
        Format::Csv => Bytes::from_static(CSV_HEAD.as_bytes()),
    };
    let left = query.limit.map_or(usize::MAX, |limit| limit as usize);
    let state = (shared, query, Some(first), left, place);
    let rows = stream::unfold(
        state,
        move |(shared, query, rows, left, place)| async move {
            let mut rows = rows?;
            rows.truncate(left);
            let left = left - rows.len();
            let last = rows.last()?.alert.id;
            let text: String = rows.iter().map(|row| line(row, format)).collect();
            let asked = query.clone();
            let next = ask(&shared, move |host| host.rows(&asked, last)).await;
            // A reader who gets no more sees no end of the file.
            let piece = Ok::<_, std::io::Error>(Bytes::from(text));
            match next {
                Ok(next) => Some((piece, (shared, query, Some(next), left, place))),
                Err(_) => Some((
                    Err(std::io::Error::other("no more can be read")),
                    (shared, query, None, left, place),
                )),
            }
        },
    );
    let head = stream::once(async move { Ok(head) });
    let body = Body::from_stream(futures_util::StreamExt::chain(head, rows));
    let (kind, name) = match format {
        Format::Jsonl => (
            "application/x-ndjson",
            "attachment; filename=\"alerts.jsonl\"",
        ),
        Format::Csv => (
            "text/csv; charset=utf-8",
            "attachment; filename=\"alerts.csv\"",
        ),
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CONTENT_DISPOSITION, HeaderValue::from_static(name)),
    ];
    Ok((headers, body).into_response())
}

const CSV_HEAD: &str = "id,time,priority,rule,source,tags,process,container,container_name,\
                        namespace,pod,incident,acknowledged,output\r\n";

fn line(row: &Row, format: Format) -> String {
    match format {
        Format::Jsonl => format!("{}\n", row.raw),
        Format::Csv => {
            let alert = &row.alert;
            let (id, tags) = (alert.id.to_string(), alert.tags.join(" "));
            let acknowledged = alert.acknowledged.to_string();
            let cells: [&str; 14] = [
                &id,
                &alert.time,
                &alert.priority,
                &alert.rule,
                &alert.source,
                &tags,
                &alert.process,
                &alert.container,
                &alert.container_name,
                &alert.namespace,
                &alert.pod,
                &alert.incident,
                &acknowledged,
                &alert.output,
            ];
            let cells: Vec<String> = cells.into_iter().map(cell).collect();
            format!("{}\r\n", cells.join(","))
        }
    }
}

/// A cell of a table, quoted. A spreadsheet takes what begins with one of these for a formula,
/// and names of processes are an attacker's choice.
fn cell(text: &str) -> String {
    let guard = match text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        true => "'",
        false => "",
    };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_ends_early() {
        assert_eq!(cell("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        assert_eq!(cell("a\",\"b\r\n"), "\"a\"\",\"\"b\r\n\"");
        assert_eq!(cell("-1"), "\"'-1\"");
        assert_eq!(cell("bash"), "\"bash\"");
    }
}
