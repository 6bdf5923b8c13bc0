//! Which incident an alert belongs to. What a process came of may become known only after its first
//! alerts; then what was told apart is joined: the older id stays, and the others lead to it.

use rusqlite::{Connection, OptionalExtension, params};

/// The incident that a root's mark leads to: its own, if it was never joined to another.
pub(super) fn led_to(connection: &Connection, mark: i64) -> Result<i64, rusqlite::Error> {
    let joined = connection
        .prepare_cached("SELECT incident FROM joined WHERE mark = ?")?
        .query_row([mark], |row| row.get(0))
        .optional()?;
    Ok(joined.unwrap_or(mark))
}

/// The incident of a root, with those joined to it that were known by what stands below.
pub(super) fn join(
    connection: &Connection,
    root: i64,
    below: &[i64],
) -> Result<i64, rusqlite::Error> {
    let mut own = led_to(connection, root)?;
    for mark in below {
        let other = led_to(connection, *mark)?;
        if other == own {
            continue;
        }
        let Some(other_begin) = begin(connection, other)? else {
            continue;
        };
        own = match begin(connection, own)? {
            Some(own_begin) if own_begin <= other_begin => {
                move_to(connection, other, own)?;
                own
            }
            Some(_) => {
                move_to(connection, own, other)?;
                other
            }
            // Nothing was known by this root yet.
            None => {
                lead(connection, own, other)?;
                other
            }
        };
    }
    Ok(own)
}

/// The oldest alert of an incident, if there is such an incident.
fn begin(connection: &Connection, incident: i64) -> Result<Option<(i64, i64)>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT first, newest FROM incident WHERE mark = ?")?
        .query_row([incident], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn lead(connection: &Connection, from: i64, to: i64) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("UPDATE joined SET incident = ?2 WHERE incident = ?1")?
        .execute([from, to])?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO joined (mark, incident) VALUES (?1, ?2)")?
        .execute([from, to])?;
    Ok(())
}

fn move_to(connection: &Connection, from: i64, to: i64) -> Result<(), rusqlite::Error> {
    for sql in [
        "UPDATE alert SET incident = ?2 WHERE incident = ?1",
        "UPDATE incident SET alerts = incident.alerts + other.alerts, \
         open = incident.open + other.open, first = min(incident.first, other.first), \
         last = max(incident.last, other.last), newest = max(incident.newest, other.newest) \
         FROM incident AS other WHERE incident.mark = ?2 AND other.mark = ?1",
        "INSERT INTO incident_rule (incident, rule, priority, alerts) \
         SELECT ?2, rule, priority, alerts FROM incident_rule WHERE incident = ?1 \
         ON CONFLICT DO UPDATE SET alerts = alerts + excluded.alerts",
    ] {
        connection.prepare_cached(sql)?.execute([from, to])?;
    }
    for sql in [
        "DELETE FROM incident_rule WHERE incident = ?",
        "DELETE FROM incident WHERE mark = ?",
    ] {
        connection.prepare_cached(sql)?.execute(params![from])?;
    }
    lead(connection, from, to)
}
