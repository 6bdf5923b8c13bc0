//! What people do: they acknowledge, comment, and change what is loaded. Each is on the disk
//! before it is said to be done.

use super::{NS_PER_MS, Refused, Store, now};
use rusqlite::{Connection, OptionalExtension, params};
use saker_web::alerts::{Acknowledgement, Comment};
use saker_web::changes::{Change, ChangePage, ChangeQuery};
use saker_web::host::Refusal;

/// Comments to one alert.
const COMMENTS_MAX: i64 = 1000;
/// Changes that are kept.
const CHANGES_MAX: i64 = 100_000;
/// What is kept of a text of a change.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// What somebody did, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewChange {
    /// Who.
    pub by: String,
    /// What was asked for.
    pub what: String,
    /// What came of it.
    pub outcome: String,
    /// Whether it was done.
    pub done: bool,
    /// How the texts differ.
    pub difference: String,
}

impl Store {
    fn write<T>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, Refused>,
    ) -> Result<T, Refusal> {
        let mut connection = self.changes();
        let transaction = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(Refused::from)?;
        let changed = change(&transaction)?;
        transaction.commit().map_err(Refused::from)?;
        Ok(changed)
    }

    /// Notes that alerts were seen, or that they were not; how many were not so already.
    pub fn acknowledge(&self, by: &str, what: &Acknowledgement) -> Result<u64, Refusal> {
        self.write(|connection| {
            let mut changed = 0;
            for id in &what.ids {
                let id = i64::try_from(*id).unwrap_or(i64::MAX);
                let incident = connection
                    .prepare_cached(
                        "UPDATE alert SET acknowledged = ?1 WHERE id = ?2 AND \
                         acknowledged <> ?1 RETURNING incident",
                    )?
                    .query_row(params![what.acknowledged, id], |row| row.get::<_, i64>(0))
                    .optional()?;
                let Some(incident) = incident else {
                    continue;
                };
                changed += 1;
                let fewer = if what.acknowledged { 1 } else { -1 };
                connection
                    .prepare_cached("UPDATE incident SET open = open - ? WHERE mark = ?")?
                    .execute(params![fewer, incident])?;
                match what.acknowledged {
                    true => connection
                        .prepare_cached("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)")?
                        .execute(params![id, now(), by])?,
                    false => connection
                        .prepare_cached("DELETE FROM seen WHERE alert = ?")?
                        .execute([id])?,
                };
            }
            let word = if what.acknowledged {
                "acknowledge"
            } else {
                "reopen"
            };
            note(
                connection,
                &NewChange {
                    by: by.into(),
                    what: match what.ids.as_slice() {
                        [id] => format!("{word} alert {id}"),
                        ids => format!("{word} {} alerts", ids.len()),
                    },
                    outcome: format!("{changed} changed"),
                    done: true,
                    difference: String::new(),
                },
            )?;
            Ok(changed)
        })
    }

    /// Adds a comment to an alert.
    pub fn comment(&self, by: &str, id: u64, text: &str) -> Result<Comment, Refusal> {
        self.write(|connection| {
            let alert = i64::try_from(id).unwrap_or(i64::MAX);
            let sql = "SELECT (SELECT count(*) FROM comment WHERE alert = ?1) FROM alert \
                       WHERE id = ?1";
            let there = connection
                .query_row(sql, [alert], |row| row.get::<_, i64>(0))
                .optional()?;
            match there {
                None => return Err(unknown(id).into()),
                Some(COMMENTS_MAX..) => {
                    let why = format!("an alert has {COMMENTS_MAX} comments at most");
                    return Err(Refusal::Conflict(why).into());
                }
                Some(_) => {}
            }
            let time = now();
            connection.execute(
                "INSERT INTO comment (alert, time, by, text) VALUES (?, ?, ?, ?)",
                params![alert, time, by, text],
            )?;
            note(
                connection,
                &NewChange {
                    by: by.into(),
                    what: format!("comment on alert {id}"),
                    outcome: text.into(),
                    done: true,
                    difference: String::new(),
                },
            )?;
            Ok(Comment {
                time_ms: time / NS_PER_MS,
                by: by.into(),
                text: text.into(),
            })
        })
    }

    /// Notes a change.
    pub fn note(&self, change: &NewChange) -> Result<(), Refusal> {
        self.write(|connection| Ok(note(connection, change)?))
    }

    /// Who changed what, the latest first.
    pub fn changes_made(&self, query: &ChangeQuery) -> Result<ChangePage, Refusal> {
        let limit = super::read::limit(query.limit)?;
        let before = query.before.map_or(i64::MAX, |before| before as i64);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, time, by, what, outcome, done, difference FROM change \
                 WHERE id < ? ORDER BY id DESC LIMIT ?",
            )?;
            let found = statement.query_map(params![before, limit as i64 + 1], |row| {
                Ok(Change {
                    id: row.get::<_, i64>(0)? as u64,
                    time_ms: row.get::<_, i64>(1)? / NS_PER_MS,
                    by: row.get(2)?,
                    what: row.get(3)?,
                    outcome: row.get(4)?,
                    done: row.get(5)?,
                    difference: row.get(6)?,
                })
            })?;
            let mut changes: Vec<Change> = found.collect::<Result<_, _>>()?;
            let is_more = changes.len() > limit;
            changes.truncate(limit);
            let next = changes.last().filter(|_| is_more).map(|last| last.id);
            Ok(ChangePage { changes, next })
        })
    }
}

pub(super) fn unknown(id: u64) -> Refusal {
    Refusal::Unknown(format!("there is no alert {id}"))
}

fn note(connection: &Connection, change: &NewChange) -> Result<(), rusqlite::Error> {
    let cut = |text: &str| text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned();
    connection
        .prepare_cached(
            "INSERT INTO change (time, by, what, outcome, done, difference) \
             VALUES (?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            now(),
            change.by,
            cut(&change.what),
            cut(&change.outcome),
            change.done,
            cut(&change.difference),
        ])?;
    connection
        .prepare_cached("DELETE FROM change WHERE id <= ?")?
        .execute([connection.last_insert_rowid() - CHANGES_MAX])?;
    Ok(())
}
