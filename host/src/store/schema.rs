//! What the file is made of, and how one of an earlier form becomes one of today's: each form by
//! a step from the one before, which is never changed once it was released.

use super::Unfit;
use rusqlite::Connection;

/// Says whose file it is: "Skr1".
const APPLICATION: i64 = 0x536b_7231;

/// The steps. How many were taken is kept in `user_version`.
const STEPS: &[&str] = &[
    "
    -- What alerts are searched by, in rows as narrow as can be. Texts are digests of them.
    CREATE TABLE alert (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        rule INTEGER NOT NULL,
        tags INTEGER NOT NULL,
        process INTEGER NOT NULL,
        container INTEGER NOT NULL,
        container_name INTEGER NOT NULL,
        namespace INTEGER NOT NULL,
        pod INTEGER NOT NULL,
        incident INTEGER NOT NULL,
        acknowledged INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX alert_time ON alert (time, priority);
    CREATE INDEX alert_priority ON alert (priority, time);
    CREATE INDEX alert_rule ON alert (rule, time, priority);
    CREATE INDEX alert_tags ON alert (tags, time, priority);
    CREATE INDEX alert_process ON alert (process, time, priority);
    CREATE INDEX alert_container ON alert (container, time, priority);
    CREATE INDEX alert_container_name ON alert (container_name, time, priority)
        WHERE container_name <> 0;
    CREATE INDEX alert_namespace ON alert (namespace, time, priority) WHERE namespace <> 0;
    CREATE INDEX alert_pod ON alert (pod, time, priority) WHERE pod <> 0;
    CREATE INDEX alert_incident ON alert (incident, time, priority);
    CREATE INDEX alert_open ON alert (time, priority) WHERE acknowledged = 0;

    -- What alerts show: Falco's JSON line, and what stood around the event.
    CREATE TABLE body (
        id INTEGER PRIMARY KEY,
        line TEXT NOT NULL,
        module TEXT NOT NULL,
        module_digest TEXT NOT NULL,
        rule_digest TEXT NOT NULL,
        scene TEXT,
        why TEXT
    );
    CREATE VIRTUAL TABLE words USING fts5 (text, content = '', contentless_delete = 1,
        tokenize = 'unicode61');
    CREATE TABLE tag (tags INTEGER NOT NULL, tag INTEGER NOT NULL, PRIMARY KEY (tag, tags))
        WITHOUT ROWID;
    CREATE TABLE rule_text (digest TEXT PRIMARY KEY, text TEXT NOT NULL, used INTEGER NOT NULL);

    -- Roots of process trees, with what would take long to count.
    CREATE TABLE incident (
        mark INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        root TEXT,
        alerts INTEGER NOT NULL,
        open INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        newest INTEGER NOT NULL
    );
    CREATE INDEX incident_newest ON incident (newest);
    CREATE INDEX incident_open ON incident (newest) WHERE open > 0;
    CREATE TABLE incident_rule (
        incident INTEGER NOT NULL,
        rule TEXT NOT NULL,
        priority INTEGER NOT NULL,
        alerts INTEGER NOT NULL,
        PRIMARY KEY (incident, rule, priority)
    ) WITHOUT ROWID;

    -- What people did.
    CREATE TABLE seen (alert INTEGER PRIMARY KEY, time INTEGER NOT NULL, by TEXT NOT NULL);
    CREATE TABLE comment (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        alert INTEGER NOT NULL,
        time INTEGER NOT NULL,
        by TEXT NOT NULL,
        text TEXT NOT NULL
    );
    CREATE INDEX comment_alert ON comment (alert);
    CREATE TABLE change (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time INTEGER NOT NULL,
        by TEXT NOT NULL,
        what TEXT NOT NULL,
        outcome TEXT NOT NULL,
        done INTEGER NOT NULL,
        difference TEXT NOT NULL
    );
    ",
    "
    -- Roots that turned out to come of another: their incident is that one's.
    CREATE TABLE joined (mark INTEGER PRIMARY KEY, incident INTEGER NOT NULL);
    CREATE INDEX joined_incident ON joined (incident);
    ",
];

/// Brings the file to today's form.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Unfit> {
    let pragma = |connection: &Connection, name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
    };
    let form = pragma(connection, "user_version")?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && pragma(connection, "application_id")? != APPLICATION {
        return Err(Unfit::Foreign);
    }
    let known = STEPS.len() as i64;
    let taken = usize::try_from(form).map_err(|_| Unfit::Foreign)?;
    let Some(steps) = STEPS.get(taken..) else {
        return Err(Unfit::Later(form, known));
    };
    if steps.is_empty() {
        return Ok(());
    }
    // All of them or none.
    let transaction = connection.transaction()?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}
