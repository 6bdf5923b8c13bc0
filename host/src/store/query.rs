//! Filters as people give them, made conditions of SQL. A filter's texts are never part of the
//! SQL, only bound to it.

use super::{NS_PER_MS, incident, mark};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};
use saker_rules_schema::manifest::Priority;
use saker_web::alerts::AlertQuery;
use saker_web::host::Refusal;

/// Words that are looked for at once.
const WORDS_MAX: usize = 16;

/// Conditions over `alert`, and the words to be looked for in `words`.
pub(super) struct Filter {
    conditions: Vec<String>,
    values: Vec<Value>,
    /// What `words` is matched with.
    pub(super) words: Option<String>,
}

impl Filter {
    /// Of what is asked; `before` and `limit` are left to the caller.
    pub(super) fn of(
        connection: &Connection,
        query: &AlertQuery,
    ) -> Result<Filter, super::Refused> {
        let mut filter = Filter {
            conditions: Vec::new(),
            values: Vec::new(),
            words: None,
        };
        if let Some(priorities) = &query.priority {
            let numbers: Result<Vec<String>, Refusal> = priorities
                .split(',')
                .map(|word| {
                    let priority = Priority::parse(word.trim());
                    let priority = priority.map(|priority| (priority as u8).to_string());
                    priority.ok_or_else(|| Refusal::Invalid(format!("`{word}` is no priority")))
                })
                .collect();
            filter.and(format!("alert.priority IN ({})", numbers?.join(",")));
        }
        for (column, text) in [
            ("rule", &query.rule),
            ("process", &query.process),
            ("namespace", &query.namespace),
            ("pod", &query.pod),
        ] {
            if let Some(text) = text {
                filter.is(column, mark(text));
            }
        }
        if let Some(tag) = &query.tag {
            filter.and("alert.tags IN (SELECT tags FROM tag WHERE tag = ?)".into());
            filter.values.push(Value::Integer(mark(tag)));
        }
        if let Some(container) = &query.container {
            let container = mark(container);
            let by_id = connection
                .query_row(
                    "SELECT 1 FROM alert WHERE container = ? LIMIT 1",
                    [container],
                    |_| Ok(()),
                )
                .optional()?;
            filter.is(
                match by_id {
                    Some(()) => "container",
                    None => "container_name",
                },
                container,
            );
        }
        if let Some(incident) = &query.incident {
            let mark = incident_mark(incident)?;
            filter.is("incident", incident::led_to(connection, mark)?);
        }
        if let Some(acknowledged) = query.acknowledged {
            filter.and(format!("alert.acknowledged = {}", u8::from(acknowledged)));
        }
        for (word, time) in [(">=", query.from), ("<", query.to)] {
            if let Some(ms) = time {
                filter.and(format!("alert.time {word} ?"));
                filter
                    .values
                    .push(Value::Integer(ms.saturating_mul(NS_PER_MS)));
            }
        }
        if let Some(text) = &query.text {
            filter.words = Some(words(text)?);
        }
        Ok(filter)
    }

    fn is(&mut self, column: &str, mark: i64) {
        self.and(format!("alert.{column} = ?"));
        self.values.push(Value::Integer(mark));
        // Which an index of those that have one at all wants to hear.
        if ["container_name", "namespace", "pod"].contains(&column) {
            self.and(format!("alert.{column} <> 0"));
        }
    }

    pub(super) fn and(&mut self, condition: String) {
        self.conditions.push(condition);
    }

    pub(super) fn bind(&mut self, condition: &str, values: &[i64]) {
        self.and(condition.to_owned());
        self.values
            .extend(values.iter().copied().map(Value::Integer));
    }

    /// What stands behind `FROM`, where both the words and the conditions are met.
    pub(super) fn from(&self) -> String {
        let tables = match &self.words {
            Some(_) => "words CROSS JOIN alert ON alert.id = words.rowid",
            None => "alert",
        };
        let matched = self.words.iter().map(|_| "words MATCH ?".to_owned());
        let all: Vec<String> = matched.chain(self.conditions.iter().cloned()).collect();
        match all.is_empty() {
            true => tables.to_owned(),
            false => format!("{tables} WHERE {}", all.join(" AND ")),
        }
    }

    /// What is bound to it.
    pub(super) fn values(&self) -> impl Iterator<Item = Value> + '_ {
        let words = self.words.iter().map(|words| Value::Text(words.clone()));
        words.chain(self.values.iter().cloned())
    }
}

/// An incident's id, which people see, is its mark in hexadecimal digits.
pub(super) fn incident_mark(id: &str) -> Result<i64, Refusal> {
    let digits = id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits
        .then(|| i64::from_str_radix(id, 16).ok())
        .flatten()
        .ok_or_else(|| Refusal::Unknown(format!("there is no incident `{id}`")))
}

/// The other way round; empty where there is none.
pub(super) fn incident_id(mark: i64) -> String {
    match mark {
        0 => String::new(),
        mark => format!("{mark:012x}"),
    }
}

/// Words as the index of words takes them: each quoted, so that none is an operator, and the
/// last one as the beginning of one.
fn words(text: &str) -> Result<String, Refusal> {
    let words: Vec<String> = text
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"").replace('\0', "")))
        .collect();
    match words.len() {
        0 => Err(Refusal::Invalid("`text` has no letter or digit".into())),
        count if count > WORDS_MAX => Err(Refusal::Invalid(format!(
            "`text` has more than {WORDS_MAX} words"
        ))),
        _ => Ok(format!("{}*", words.join(" "))),
    }
}
