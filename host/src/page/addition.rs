//! What is added to the local rule file: an exception, or rules that were a shadow. It is compiled
//! with all that is loaded before it is written, and comes into force as any file that is saved.

use super::behind::Behind;
use super::{Loaded, editor};
use crate::local::Unsaved;
use crate::store::NewChange;
use crate::store::history::difference_of;
use saker_rules_compiler::Ruleset;
use saker_web::host::Refusal;
use saker_web::modules::Done;
use saker_web::session::Actor;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How long it may take until a rule file that was saved is in force.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(10);

/// Adds a text to the local rule file, if the rules that come of it are as wanted, and waits until
/// it is in force.
pub(super) fn add(
    behind: &Behind,
    actor: &Actor,
    loaded: &Loaded,
    text: &str,
    what: String,
    is_wanted: impl FnOnce(&Ruleset) -> Result<(), Refusal>,
) -> Result<Done, Refusal> {
    if let Some(path) = &loaded.stand_in {
        return Err(Refusal::Conflict(format!(
            "`{}` stands in for the rule files, and would give way to them: write it there, or \
             roll it back first",
            path.display()
        )));
    }
    let Some(local) = &behind.local else {
        let why = "`page.local_rules` names no file: put it into your rule files";
        return Err(Refusal::Conflict(why.into()));
    };
    let shown = local.path().to_string_lossy().into_owned();
    let unsaved =
        |why: Unsaved| Refusal::Conflict(format!("`{shown}`: {why}; put it into your rule files"));
    let _saving = behind.saving.lock().unwrap_or_else(PoisonError::into_inner);
    let before = local.text().map_err(unsaved)?;
    let mut after = before.clone();
    if !after.is_empty() && !after.ends_with('\n') {
        after.push('\n');
    }
    if !after.is_empty() {
        after.push('\n');
    }
    after.push_str(text.trim_end());
    after.push('\n');
    // The whole file behind the others, as it will be loaded.
    let mut others = editor::sources(loaded);
    others.retain(|source| source.name != shown);
    let turn = behind.next_turn();
    let (checked, ruleset) = editor::compiled(&after, others, behind.first_match);
    drop(turn);
    if !checked.valid {
        let mut found = checked.diagnostics.iter();
        let error = found.find(|found| found.severity == "error");
        return Err(Refusal::Invalid(match error {
            Some(found) => format!(
                "the rules are not valid with it: [{}] {}",
                found.code, found.message
            ),
            None => "the rules are not valid with it".into(),
        }));
    }
    if let Some(ruleset) = &ruleset {
        is_wanted(ruleset)?;
    }
    local.write(&before, &after).map_err(unsaved)?;
    let outcome = format!("saved to `{shown}`");
    let difference = difference_of(&shown, &before, &after);
    behind.store.note(&NewChange {
        by: actor.to_string(),
        what,
        outcome: outcome.clone(),
        done: true,
        difference,
    })?;
    let end = Instant::now() + IN_FORCE_WITHIN;
    let is_in_force = || {
        let sources = editor::sources(&behind.loaded());
        sources.iter().any(|source| source.text == after)
    };
    while behind.is_watching && Instant::now() < end {
        if is_in_force() {
            return Ok(Done {
                done: format!("{outcome}, and in force"),
            });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(Done {
        done: match behind.is_watching {
            true => format!("{outcome}; it is not in force yet: the history says what came of it"),
            false => format!(
                "{outcome}; it is in force when the files are read again (SIGHUP), since \
                 `watch_config_files` is off"
            ),
        },
    })
}
