//! The output that keeps alerts. Those that come together are committed together; what is too
//! old, or too much, is given up between two commits.

use super::{Store, incident, mark};
use crate::alert::{Alert, Format, RootKind, RuleText, Scene};
use crate::outputs::Output;
use rusqlite::{Connection, params};
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// So many alerts are committed together at most,
const BATCH_MAX: usize = 1000;
/// and none waits longer for others.
const BATCH_WITHIN: Duration = Duration::from_millis(200);
/// How often it is looked whether there is too much.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// So many are given up at once: others wait to be written meanwhile.
const FORGET_AT_ONCE: i64 = 500;
/// So many of them one after the other.
const FORGET_ROUNDS: usize = 20;
/// A root's title is no longer.
const TITLE_BYTES_MAX: usize = 512;

/// Writes alerts to the store.
pub struct Writer {
    connection: Connection,
    store: Store,
    hostname: String,
    format: Format,
    /// Tells roots of processes from those before the machine was booted anew.
    boot: String,
    /// Alerts of the batch that is open.
    open: usize,
    since: Instant,
    last: u64,
    look: Instant,
}

impl Writer {
    pub(super) fn new(connection: Connection, store: Store, hostname: String) -> Writer {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let now = Instant::now();
        Writer {
            connection,
            store,
            hostname,
            format: Format {
                json: true,
                ..Format::default()
            },
            boot: boot.unwrap_or_default().trim().to_owned(),
            open: 0,
            since: now,
            last: 0,
            look: now,
        }
    }

    fn insert(&mut self, alert: &Alert) -> Result<(), rusqlite::Error> {
        if self.open == 0 {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            self.since = Instant::now();
        }
        self.open += 1;
        let kept = Kept::of(alert, &self.boot);
        let connection = &self.connection;
        let time = i64::try_from(alert.time).unwrap_or(i64::MAX);
        let priority = alert.priority as i64;
        let [process, container, container_name, namespace, pod] = [
            &kept.process,
            &kept.container,
            &kept.container_name,
            &kept.namespace,
            &kept.pod,
        ]
        .map(|text| mark_of(text));
        let tags = alert.tags.join("\0");
        let tags_mark = mark_of(&tags);
        for tag in &alert.tags {
            connection
                .prepare_cached("INSERT OR IGNORE INTO tag (tags, tag) VALUES (?, ?)")?
                .execute(params![tags_mark, mark(tag)])?;
        }
        let incident = match &kept.root {
            Some(root) => incident::join(connection, root.mark, &root.below)?,
            None => 0,
        };
        connection
            .prepare_cached(
                "INSERT INTO alert (time, priority, rule, tags, process, container, \
                 container_name, namespace, pod, incident) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                time,
                priority,
                mark(&alert.rule),
                tags_mark,
                process,
                container,
                container_name,
                namespace,
                pod,
                incident
            ])?;
        let id = connection.last_insert_rowid();
        let text = alert.text.as_deref();
        if let Some(RuleText { text, digest }) = text {
            connection
                .prepare_cached(
                    "INSERT INTO rule_text (digest, text, used) VALUES (?1, ?2, ?3) \
                     ON CONFLICT DO UPDATE SET used = ?3 WHERE used < ?3 - 1000",
                )?
                .execute(params![digest, text, id])?;
        }
        let module = alert.module.as_ref();
        let scene = alert.scene.as_deref();
        connection
            .prepare_cached(
                "INSERT INTO body (id, line, module, module_digest, rule_digest, scene, why) \
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                id,
                alert.line(&self.format, &self.hostname),
                module.map_or("", |module| &module.name),
                module.map_or(String::new(), |module| module.digest.to_hex().to_string()),
                text.map_or("", |text| &text.digest),
                scene.and_then(|scene| serde_json::to_string(scene).ok()),
                (alert.why.as_ref()).and_then(|why| serde_json::to_string(why).ok()),
            ])?;
        connection
            .prepare_cached("INSERT INTO words (rowid, text) VALUES (?, ?)")?
            .execute(params![id, words(alert)])?;
        if let Some(of) = kept.root {
            connection
                .prepare_cached(
                    "INSERT INTO incident (mark, kind, title, root, alerts, open, first, last, \
                     newest) VALUES (?1, ?2, ?3, ?4, 1, 1, ?5, ?5, ?6) ON CONFLICT (mark) DO \
                     UPDATE SET title = excluded.title, root = excluded.root, \
                     alerts = alerts + 1, open = open + 1, first = min(first, excluded.first), \
                     last = max(last, excluded.last), newest = excluded.newest",
                )?
                .execute(params![incident, of.kind, of.title, of.process, time, id])?;
            connection
                .prepare_cached(
                    "INSERT INTO incident_rule (incident, rule, priority, alerts) VALUES \
                     (?, ?, ?, 1) ON CONFLICT DO UPDATE SET alerts = alerts + 1",
                )?
                .execute(params![incident, alert.rule, priority])?;
        }
        self.last = id as u64;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), rusqlite::Error> {
        if self.open == 0 {
            return Ok(());
        }
        let written = std::mem::take(&mut self.open) as u64;
        if let Err(error) = self.connection.execute_batch("COMMIT") {
            // None of them is there.
            let _ = self.connection.execute_batch("ROLLBACK");
            return Err(error);
        }
        let inside = &self.store.inside;
        inside
            .counters
            .written
            .fetch_add(written, Ordering::Relaxed);
        inside.newest.send_replace(self.last);
        Ok(())
    }

    /// Gives up what is too old, and the oldest of what is too much.
    pub(super) fn forget(&mut self) -> Result<(), rusqlite::Error> {
        let limits = self.store.limits();
        let age = i64::try_from(limits.age.as_nanos()).unwrap_or(i64::MAX);
        let eldest = super::now().saturating_sub(age);
        for _ in 0..FORGET_ROUNDS {
            let is_full = bytes(&self.connection)? > limits.bytes;
            let condition = match is_full {
                true => "1",
                false => "time < ?1",
            };
            // Both ways it is begun with the oldest, and the index of times finds it.
            let chosen = format!(
                "SELECT id FROM alert WHERE {condition} ORDER BY time LIMIT {FORGET_AT_ONCE}"
            );
            let mut statement = self.connection.prepare(&chosen)?;
            let bound = i32::from(!is_full) as usize;
            let ids = statement.query_map(
                rusqlite::params_from_iter([eldest].iter().take(bound)),
                |row| row.get::<_, i64>(0),
            )?;
            let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
            drop(statement);
            if ids.is_empty() {
                break;
            }
            let transaction = self.connection.transaction()?;
            for id in &ids {
                forget_one(&transaction, *id)?;
            }
            // A text is said to be used every thousand alerts at least.
            transaction.execute(
                "DELETE FROM rule_text WHERE used < (SELECT min(id) FROM alert) - 2000",
                [],
            )?;
            transaction.execute("DELETE FROM incident_rule WHERE alerts <= 0", [])?;
            transaction.execute("DELETE FROM incident WHERE alerts <= 0", [])?;
            transaction.execute(
                "DELETE FROM joined WHERE incident NOT IN (SELECT mark FROM incident)",
                [],
            )?;
            transaction.commit()?;
            let forgotten = &self.store.inside.counters.forgotten;
            forgotten.fetch_add(ids.len() as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Err(error) = self.commit() {
            tracing::error!("the last alerts are not kept: {error}");
        }
    }
}

impl Output for Writer {
    fn write(&mut self, alert: &Alert) -> io::Result<()> {
        let mut written = self.insert(alert);
        if written.is_err() {
            // An alert is there with all that belongs to it, or not at all; so is its batch.
            self.open = 0;
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        if self.open >= BATCH_MAX || (self.open > 0 && self.since.elapsed() >= BATCH_WITHIN) {
            written = written.and_then(|()| self.commit());
        }
        written.map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.commit().map_err(io::Error::other)?;
        let now = Instant::now();
        if now >= self.look {
            self.look = now + LOOK_EVERY;
            self.forget().map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// Takes one alert out of everything that counts it.
fn forget_one(connection: &Connection, id: i64) -> Result<(), rusqlite::Error> {
    let (incident, priority, acknowledged): (i64, i64, bool) = connection
        .prepare_cached("SELECT incident, priority, acknowledged FROM alert WHERE id = ?")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if incident != 0 {
        connection
            .prepare_cached(
                "UPDATE incident SET alerts = alerts - 1, open = open - ? WHERE mark = ?",
            )?
            .execute(params![!acknowledged, incident])?;
        connection
            .prepare_cached(
                "UPDATE incident_rule SET alerts = alerts - 1 WHERE incident = ? AND priority = ? \
                 AND rule = (SELECT line ->> 'rule' FROM body WHERE id = ?)",
            )?
            .execute(params![incident, priority, id])?;
    }
    for sql in [
        "DELETE FROM alert WHERE id = ?",
        "DELETE FROM body WHERE id = ?",
        "DELETE FROM words WHERE rowid = ?",
        "DELETE FROM seen WHERE alert = ?",
        "DELETE FROM comment WHERE alert = ?",
    ] {
        connection.prepare_cached(sql)?.execute([id])?;
    }
    Ok(())
}

/// Bytes in use: pages that nothing is in any more are used again.
pub(super) fn bytes(connection: &Connection) -> Result<u64, rusqlite::Error> {
    let number = |name: &str| {
        let value = connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        value.map(|value| value as u64)
    };
    let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
    Ok(pages * number("page_size")?)
}

fn mark_of(text: &str) -> i64 {
    match text {
        "" => 0,
        text => mark(text),
    }
}

/// What an alert is found by.
struct Kept {
    process: String,
    container: String,
    container_name: String,
    namespace: String,
    pod: String,
    root: Option<Root>,
}

/// What an alert's incident is known by, and how it is shown.
struct Root {
    mark: i64,
    /// The marks of what stands between it and the alert's process.
    below: Vec<i64>,
    kind: &'static str,
    title: String,
    /// The process, as JSON.
    process: Option<String>,
}

impl Kept {
    fn of(alert: &Alert, boot: &str) -> Kept {
        let Some(scene) = alert.scene.as_deref() else {
            // A component shows what it was given, and Saker itself nothing.
            let field = |name: &str| {
                let found = alert.fields.iter().find(|(field, _)| field == name);
                let text = found.and_then(|(_, value)| value.as_str());
                text.unwrap_or_default().to_owned()
            };
            return Kept {
                process: field("proc.name"),
                container: field("container.id"),
                container_name: field("container.name"),
                namespace: field("k8s.ns.name"),
                pod: field("k8s.pod.name"),
                root: None,
            };
        };
        let process = scene.processes.first();
        let container = scene.container.as_ref();
        let of = |text: Option<&String>| text.cloned().unwrap_or_default();
        Kept {
            process: of(process.map(|process| &process.name)),
            container: match (container, process) {
                (Some(container), _) => container.id.clone(),
                (None, Some(_)) => "host".into(),
                (None, None) => String::new(),
            },
            container_name: of(container.map(|container| &container.name)),
            namespace: of(container.map(|container| &container.namespace)),
            pod: of(container.map(|container| &container.pod)),
            root: root(scene, boot),
        }
    }
}

fn root(scene: &Scene, boot: &str) -> Option<Root> {
    let root = scene.root.as_ref()?;
    let process = scene.processes.get(root.at)?;
    let of_boot = |key: &String| mark(&format!("{boot} {key}"));
    let (kind, mark) = match root.kind {
        RootKind::Container => ("container", mark(&root.key)),
        RootKind::Login => ("login", of_boot(&root.key)),
        RootKind::Service => ("service", of_boot(&root.key)),
    };
    let named = scene
        .container
        .as_ref()
        .map(|container| match &*container.name {
            "" => container.id.clone(),
            name => name.to_owned(),
        });
    let mut title = named.unwrap_or_else(|| process.cmdline.clone());
    title.truncate(title.floor_char_boundary(TITLE_BYTES_MAX));
    Some(Root {
        mark,
        below: root.below.iter().map(of_boot).collect(),
        kind,
        title,
        process: serde_json::to_string(process).ok(),
    })
}

/// What an alert is found by in words.
fn words(alert: &Alert) -> String {
    let mut words = format!("{} {}", alert.rule, alert.message);
    for process in alert.scene.iter().flat_map(|scene| &scene.processes) {
        words.push(' ');
        words.push_str(&process.cmdline);
    }
    words
}
