//! Finding alerts again.

use super::change::unknown;
use super::incident::led_to;
use super::query::{Filter, incident_id, incident_mark};
use super::{NS_PER_MS, Refused, Store, mark, now};
use crate::alert::Scene;
use crate::extract::time;
use rusqlite::types::Value as Bound;
use rusqlite::{Connection, OptionalExtension, Row as Found, params, params_from_iter};
use saker_rules_schema::manifest::Priority;
use saker_web::alerts::{
    Alert, AlertDetail, AlertPage, AlertQuery, Comment, Container, Histogram, PAGE_MAX, Process,
    Row, Why,
};
use saker_web::host::Refusal;
use saker_web::incidents::{Incident, IncidentDetail, IncidentPage, IncidentQuery, RuleCount};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many are on a page where nobody says.
const PAGE: u32 = 100;
/// Steps of a histogram where nobody says.
const STEPS: u32 = 60;
/// What it begins before now, where nobody says.
const HOUR_MS: i64 = 3_600_000;
/// Rules that a list of incidents names of each.
const RULES_SHOWN: i64 = 16;

/// How many are asked for.
pub(super) fn limit(asked: Option<u32>) -> Result<usize, Refusal> {
    match asked.unwrap_or(PAGE) {
        limit @ 1..=PAGE_MAX => Ok(limit as usize),
        _ => Err(Refusal::Invalid(format!("`limit` is 1 to {PAGE_MAX}"))),
    }
}

pub(super) fn newest(connection: &Connection) -> Result<u64, rusqlite::Error> {
    let sql = "SELECT coalesce(max(id), 0) FROM alert";
    connection.query_row(sql, [], |row| row.get::<_, i64>(0).map(|id| id as u64))
}

/// What [`alert`] reads.
const COLUMNS: &str = "alert.id, alert.time, alert.incident, alert.acknowledged, body.line, \
                       body.scene";

impl Store {
    /// Alerts that meet a filter, the newest first.
    pub fn alerts(&self, query: &AlertQuery) -> Result<AlertPage, Refusal> {
        let limit = limit(query.limit)?;
        self.read(|connection| {
            let newest = newest(connection)?;
            let found = page(connection, query, query.before, limit + 1)?;
            let mut alerts: Vec<Alert> = found.into_iter().map(|(alert, _)| alert).collect();
            let is_more = alerts.len() > limit;
            alerts.truncate(limit);
            let next = alerts.last().filter(|_| is_more).map(|last| last.id);
            Ok(AlertPage {
                alerts,
                next,
                newest,
            })
        })
    }

    /// The alerts that meet a filter and came after that one: at most so many of the newest, the
    /// oldest first, and how many there are beside.
    pub fn alerts_after(
        &self,
        id: u64,
        query: &AlertQuery,
        most: usize,
    ) -> Result<(u64, Vec<Alert>), Refusal> {
        self.read(|connection| {
            let mut filter = Filter::of(connection, query)?;
            filter.bind("alert.id > ?", &[i64::try_from(id).unwrap_or(i64::MAX)]);
            let from = filter.from();
            let sql = format!(
                "SELECT alert.id FROM {from} ORDER BY alert.id DESC LIMIT {}",
                most + 1
            );
            let mut ids = numbers(connection, &sql, filter.values())?;
            let mut skipped = 0;
            if ids.len() > most {
                let sql = format!("SELECT count(*) FROM {from}");
                let all = numbers(connection, &sql, filter.values())?;
                skipped = all.first().map_or(0, |all| *all as u64 - most as u64);
                ids.truncate(most);
            }
            ids.reverse();
            let alerts = bodies(connection, &ids)?;
            Ok((
                skipped,
                alerts.into_iter().map(|(alert, _)| alert).collect(),
            ))
        })
    }

    /// The next alerts of an export, with their lines.
    pub fn rows(&self, query: &AlertQuery, before: u64) -> Result<Vec<Row>, Refusal> {
        self.read(|connection| {
            let found = page(connection, query, Some(before), PAGE_MAX as usize)?;
            let rows = found.into_iter().map(|(alert, raw)| Row { alert, raw });
            Ok(rows.collect())
        })
    }

    /// How many alerts there were when.
    pub fn histogram(&self, query: &AlertQuery) -> Result<Histogram, Refusal> {
        let steps = query.limit.unwrap_or(STEPS);
        if !(1..=PAGE_MAX).contains(&steps) {
            return Err(Refusal::Invalid(format!("`limit` is 1 to {PAGE_MAX}")));
        }
        let to = query.to.unwrap_or_else(|| now() / NS_PER_MS + 1);
        let from = query.from.unwrap_or(to.saturating_sub(HOUR_MS));
        let length = to.checked_sub(from).filter(|length| *length > 0);
        let length = length.ok_or_else(|| Refusal::Invalid("`from` is not before `to`".into()))?;
        let step = (length as u64).div_ceil(steps.into()) as i64;
        let steps = (length as u64).div_ceil(step as u64) as usize;
        let asked = AlertQuery {
            from: Some(from),
            to: Some(to),
            ..query.clone()
        };
        self.read(|connection| {
            let filter = Filter::of(connection, &asked)?;
            let sql = format!("SELECT alert.time, alert.priority FROM {}", filter.from());
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(filter.values()))?;
            let mut counts = vec![vec![0; Priority::ALL.len()]; steps];
            let mut total = 0;
            let begin = from.saturating_mul(NS_PER_MS);
            let width = step.saturating_mul(NS_PER_MS);
            while let Some(row) = rows.next()? {
                let (time, priority): (i64, i64) = (row.get(0)?, row.get(1)?);
                let at = time.saturating_sub(begin) / width;
                let step = counts.get_mut(usize::try_from(at).unwrap_or(usize::MAX));
                let place = step.and_then(|step| step.get_mut(priority as usize));
                if let Some(place) = place {
                    *place += 1;
                    total += 1;
                }
            }
            let priorities = Priority::ALL.iter().map(|priority| priority.name().into());
            Ok(Histogram {
                from,
                to,
                step_ms: step,
                priorities: priorities.collect(),
                counts,
                total,
            })
        })
    }

    /// All that is kept of an alert.
    pub fn alert(&self, id: u64) -> Result<AlertDetail, Refusal> {
        self.read(|connection| detail(connection, id)?.ok_or_else(|| unknown(id).into()))
    }

    /// What is kept of an alert's event: its line, what stood around it, why its rule held.
    pub fn kept<T>(
        &self,
        id: u64,
        take: impl FnOnce(&Value, Option<&Scene>, Option<&crate::alert::Why>) -> T,
    ) -> Result<T, Refusal> {
        let number = i64::try_from(id).unwrap_or(i64::MAX);
        let sql = "SELECT line, scene, why FROM body WHERE id = ?";
        self.read(|connection| {
            let found = connection
                .prepare_cached(sql)?
                .query_row([number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let (line, scene, why): (String, Option<String>, Option<String>) =
                found.ok_or_else(|| unknown(id))?;
            let line = serde_json::from_str(&line).unwrap_or_default();
            let scene: Option<Scene> = read_json(scene);
            Ok(take(&line, scene.as_ref(), read_json(why).as_ref()))
        })
    }

    /// Alerts of a module's rule that are no older than that, the newest first, each with what is
    /// kept of its event, until no more are wanted.
    pub fn each_of_rule(
        &self,
        module: &str,
        rule: &str,
        back: Duration,
        mut take: impl FnMut(&Value, Option<&Scene>, Option<&crate::alert::Why>, Alert) -> bool,
    ) -> Result<(), Refusal> {
        let back = i64::try_from(back.as_nanos()).unwrap_or(i64::MAX);
        let sql = format!(
            "SELECT {COLUMNS}, body.why FROM alert JOIN body ON body.id = alert.id WHERE \
             alert.rule = ? AND alert.time >= ? AND body.module = ? AND body.line ->> 'rule' = ? \
             ORDER BY alert.time DESC"
        );
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let since = now().saturating_sub(back);
            let mut rows = statement.query(params![mark(rule), since, module, rule])?;
            while let Some(row) = rows.next()? {
                let (alert, line, scene) = alert(row)?;
                let line = serde_json::from_str(&line).unwrap_or_default();
                let why = read_json(row.get(6)?);
                if !take(&line, scene.as_ref(), why.as_ref(), alert) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Alerts by the root of their process tree, the latest first.
    pub fn incidents(&self, query: &IncidentQuery) -> Result<IncidentPage, Refusal> {
        let limit = limit(query.limit)?;
        let before = query.before.map_or(i64::MAX, |before| before as i64);
        let condition = match query.acknowledged {
            None => "",
            Some(false) => "AND open > 0",
            Some(true) => "AND open <= 0",
        };
        self.read(|connection| {
            let sql = format!(
                "SELECT {INCIDENT} FROM incident WHERE newest < ? {condition} \
                 ORDER BY newest DESC LIMIT ?"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let found = statement.query_map([before, limit as i64 + 1], incident)?;
            let mut incidents: Vec<Incident> = found.collect::<Result<_, _>>()?;
            let is_more = incidents.len() > limit;
            incidents.truncate(limit);
            let next = incidents.last().filter(|_| is_more).map(|last| last.newest);
            for incident in &mut incidents {
                add_rules(connection, incident)?;
            }
            Ok(IncidentPage { incidents, next })
        })
    }

    /// One of them, with what happened when.
    pub fn incident(&self, id: &str) -> Result<IncidentDetail, Refusal> {
        let mark = incident_mark(id)?;
        self.read(|connection| {
            let mark = led_to(connection, mark)?;
            let sql = format!("SELECT {INCIDENT}, root FROM incident WHERE mark = ?");
            let found = connection
                .prepare_cached(&sql)?
                .query_row([mark], |row| {
                    Ok((incident(row)?, row.get::<_, Option<String>>(8)?))
                })
                .optional()?;
            let Some((mut incident, root)) = found else {
                return Err(Refusal::Unknown(format!("there is no incident `{id}`")).into());
            };
            add_rules(connection, &mut incident)?;
            let query = AlertQuery {
                incident: Some(id.into()),
                ..AlertQuery::default()
            };
            let found = page(connection, &query, None, PAGE_MAX as usize)?;
            let root: Option<crate::alert::Process> =
                root.and_then(|root| serde_json::from_str(&root).ok());
            Ok(IncidentDetail {
                incident,
                root: root.map(process),
                timeline: found.into_iter().rev().map(|(alert, _)| alert).collect(),
            })
        })
    }

    /// What is kept, for people who look after it.
    pub fn standing(&self) -> Result<saker_web::health::Store, Refusal> {
        let counters = self.counters();
        self.read(|connection| {
            Ok(saker_web::health::Store {
                path: Some(self.path().to_string_lossy().into_owned()),
                // Exact would be to count them.
                alerts: connection.query_row(
                    "SELECT coalesce(max(id) - min(id) + 1, 0) FROM alert",
                    [],
                    |row| row.get::<_, i64>(0).map(|count| count as u64),
                )?,
                bytes: super::write::bytes(connection)?,
                bytes_max: self.limits().bytes,
                written: counters.written.load(Ordering::Relaxed),
                forgotten: counters.forgotten.load(Ordering::Relaxed),
            })
        })
    }
}

fn numbers(
    connection: &Connection,
    sql: &str,
    values: impl Iterator<Item = Bound>,
) -> Result<Vec<i64>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map(params_from_iter(values), |row| row.get(0))?;
    found.collect()
}

/// The newest alerts that meet a filter and are older than one, with their lines.
fn page(
    connection: &Connection,
    query: &AlertQuery,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<(Alert, String)>, Refused> {
    let mut filter = Filter::of(connection, query)?;
    // What is found by words comes in the order in which it came in; else by time, as which the
    // indices are.
    let is_by_words = filter.words.is_some();
    if let Some(before) = before {
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        let time = connection
            .prepare_cached("SELECT time FROM alert WHERE id = ?")?
            .query_row([before], |row| row.get::<_, i64>(0))
            .optional()?;
        match time.filter(|_| !is_by_words) {
            Some(time) => filter.bind("(alert.time, alert.id) < (?, ?)", &[time, before]),
            None if is_by_words => filter.bind("words.rowid < ?", &[before]),
            // It was given up meanwhile, and so was all that was older; or it never was.
            None => filter.bind("alert.id < ?", &[before]),
        }
    }
    let order = match is_by_words {
        true => "words.rowid DESC",
        false => "alert.time DESC, alert.id DESC",
    };
    let from = filter.from();
    let sql = format!("SELECT alert.id FROM {from} ORDER BY {order} LIMIT {limit}");
    let ids = numbers(connection, &sql, filter.values())?;
    Ok(bodies(connection, &ids)?)
}

/// The alerts of those ids, in their order, with their lines.
fn bodies(connection: &Connection, ids: &[i64]) -> Result<Vec<(Alert, String)>, rusqlite::Error> {
    let sql =
        format!("SELECT {COLUMNS} FROM alert JOIN body ON body.id = alert.id WHERE alert.id = ?");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        // One may be given up between two questions.
        let one = statement.query_row([id], |row| {
            let (alert, line, _) = alert(row)?;
            Ok((alert, line))
        });
        found.extend(one.optional()?);
    }
    Ok(found)
}

/// What was written as JSON; none where it is of another form.
fn read_json<T: serde::de::DeserializeOwned>(text: Option<String>) -> Option<T> {
    text.and_then(|text| serde_json::from_str(&text).ok())
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// An alert as lists show it, its line, and what stood around it.
fn alert(row: &Found<'_>) -> Result<(Alert, String, Option<Scene>), rusqlite::Error> {
    let (id, time, incident): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let acknowledged: bool = row.get(3)?;
    let line: String = row.get(4)?;
    let scene: Option<String> = row.get(5)?;
    let scene: Option<Scene> = scene.and_then(|scene| serde_json::from_str(&scene).ok());
    let value: Value = serde_json::from_str(&line).unwrap_or_default();
    let priority = text(&value, "priority");
    let output = text(&value, "output");
    // It begins with the time and the priority.
    let headline = format!(": {priority} ");
    let output = match output.split_once(&headline) {
        Some((_, output)) => output.to_owned(),
        None => output,
    };
    let fields = &value["output_fields"];
    let process = scene.as_ref().and_then(|scene| scene.processes.first());
    let container = scene.as_ref().and_then(|scene| scene.container.as_ref());
    let of = |own: Option<&String>, name: &str| match own {
        Some(text) => text.clone(),
        None => text(fields, name),
    };
    let tags = value["tags"].as_array().into_iter().flatten();
    let found = Alert {
        id: id as u64,
        time: time::iso8601(time as u64).replace("+0000", "Z"),
        time_ms: time / NS_PER_MS,
        priority,
        rule: text(&value, "rule"),
        source: text(&value, "source"),
        tags: tags
            .filter_map(|tag| tag.as_str().map(str::to_owned))
            .collect(),
        output,
        process: of(process.map(|process| &process.name), "proc.name"),
        container: match (container, process) {
            (None, Some(_)) => "host".into(),
            (container, _) => of(container.map(|container| &container.id), "container.id"),
        },
        container_name: of(container.map(|container| &container.name), "container.name"),
        namespace: of(
            container.map(|container| &container.namespace),
            "k8s.ns.name",
        ),
        pod: of(container.map(|container| &container.pod), "k8s.pod.name"),
        incident: incident_id(incident),
        acknowledged,
    };
    Ok((found, line, scene))
}

fn process(of: crate::alert::Process) -> Process {
    Process {
        pid: of.pid,
        name: of.name,
        exepath: of.exepath,
        cmdline: of.cmdline,
        user: of.user,
        uid: of.uid,
        started_ms: of.started as i64 / NS_PER_MS,
        container: of.container,
    }
}

fn part(of: crate::alert::Why) -> Why {
    Why {
        of_macro: of.of_macro,
        kind: of.kind,
        text: of.text,
        held: of.held,
        values: of.values.into_iter().collect(),
        parts: of.parts.into_iter().map(part).collect(),
    }
}

fn detail(connection: &Connection, id: u64) -> Result<Option<AlertDetail>, rusqlite::Error> {
    let number = i64::try_from(id).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {COLUMNS}, body.module, body.module_digest, body.rule_digest, body.why, \
         seen.time, seen.by, rule_text.text FROM alert JOIN body ON body.id = alert.id \
         LEFT JOIN seen ON seen.alert = alert.id \
         LEFT JOIN rule_text ON rule_text.digest = body.rule_digest WHERE alert.id = ?"
    );
    let found = connection
        .prepare_cached(&sql)?
        .query_row([number], |row| {
            let (alert, raw, scene) = alert(row)?;
            let scene = scene.unwrap_or_default();
            let value: Value = serde_json::from_str(&raw).unwrap_or_default();
            let fields = value["output_fields"].as_object().into_iter().flatten();
            let why: Option<String> = row.get(9)?;
            Ok(AlertDetail {
                fields: fields
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
                event_type: scene.event,
                object: scene.object.into_iter().collect::<BTreeMap<_, _>>(),
                processes: scene.processes.into_iter().map(process).collect(),
                container_details: scene.container.map(|of| Container {
                    id: of.id,
                    full_id: of.full_id,
                    name: of.name,
                    kind: of.kind,
                    image: of.image,
                    image_digest: of.image_digest,
                    namespace: of.namespace,
                    pod: of.pod,
                }),
                is_cut: scene.is_cut,
                module: row.get(6)?,
                module_digest: row.get(7)?,
                rule_digest: row.get(8)?,
                rule_text: row.get::<_, Option<String>>(12)?.unwrap_or_default(),
                why: why.and_then(|why| Some(part(serde_json::from_str(&why).ok()?))),
                acknowledged_ms: row.get::<_, Option<i64>>(10)?.map(|time| time / NS_PER_MS),
                acknowledged_by: row.get(11)?,
                comments: Vec::new(),
                raw,
                alert,
            })
        })
        .optional()?;
    let Some(mut detail) = found else {
        return Ok(None);
    };
    let mut statement = connection
        .prepare_cached("SELECT time, by, text FROM comment WHERE alert = ? ORDER BY id")?;
    let comments = statement.query_map([number], |row| {
        Ok(Comment {
            time_ms: row.get::<_, i64>(0)? / NS_PER_MS,
            by: row.get(1)?,
            text: row.get(2)?,
        })
    })?;
    detail.comments = comments.collect::<Result<_, _>>()?;
    Ok(Some(detail))
}

const INCIDENT: &str = "mark, kind, title, alerts, open, first, last, newest";

fn incident(row: &Found<'_>) -> Result<Incident, rusqlite::Error> {
    let count = |at| row.get::<_, i64>(at).map(|count| count.max(0) as u64);
    Ok(Incident {
        id: incident_id(row.get(0)?),
        kind: row.get(1)?,
        title: row.get(2)?,
        alerts: count(3)?,
        open: count(4)?,
        priority: String::new(),
        first_ms: row.get::<_, i64>(5)? / NS_PER_MS,
        last_ms: row.get::<_, i64>(6)? / NS_PER_MS,
        newest: count(7)?,
        rules: Vec::new(),
    })
}

fn add_rules(connection: &Connection, incident: &mut Incident) -> Result<(), rusqlite::Error> {
    let mark = incident_mark(&incident.id).unwrap_or(0);
    let mut statement = connection.prepare_cached(
        "SELECT rule, sum(alerts) FROM incident_rule WHERE incident = ? GROUP BY rule \
         ORDER BY sum(alerts) DESC, rule LIMIT ?",
    )?;
    let rules = statement.query_map([mark, RULES_SHOWN], |row| {
        Ok(RuleCount {
            rule: row.get(0)?,
            alerts: row.get::<_, i64>(1)? as u64,
        })
    })?;
    incident.rules = rules.collect::<Result<_, _>>()?;
    let urgent: Option<i64> = connection
        .prepare_cached("SELECT min(priority) FROM incident_rule WHERE incident = ?")?
        .query_row([mark], |row| row.get(0))?;
    let urgent = urgent.and_then(|urgent| Priority::ALL.get(urgent as usize));
    incident.priority = urgent.map_or("", |priority| priority.name()).into();
    Ok(())
}
