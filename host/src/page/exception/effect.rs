//! What an exception would have silenced: the parts are judged by which its rule's condition has
//! become another, over what is kept of the rule's alerts.

use super::seen::Seen;
use crate::alert::{RULES, Scene, Why};
use crate::page::behind::Behind;
use saker_rules_compiler::ir::Expr;
use saker_rules_compiler::oracle::holds_as_known;
use saker_web::alerts::Alert;
use saker_web::exceptions::Effect;
use saker_web::host::Refusal;
use serde_json::Value as Json;
use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

/// Alerts so far back are judged,
const BACK: Duration = Duration::from_secs(24 * 3600);
/// no more of them,
const JUDGED_MAX: usize = 20_000;
/// and for no longer.
const JUDGING: Duration = Duration::from_secs(3);
/// So many are shown that would not have been,
const SILENCED_SHOWN: usize = 50;
/// and of those of which that is not known.
const UNKNOWN_SHOWN: usize = 10;

/// The parts of a condition that it has not had before. All of them must hold.
pub(super) fn added(before: Option<&Expr>, after: &Expr) -> Option<Vec<Expr>> {
    let shown = |part: &Expr| part.graph.show(part.root).to_string();
    let known: HashSet<String> = before.map_or(HashSet::new(), |before| {
        before.parts().iter().map(shown).collect()
    });
    let mut parts = after.parts();
    parts.retain(|part| !known.contains(&shown(part)));
    Some(parts)
}

/// What would have become of the alerts of a rule whose condition has those parts more; without
/// any, of a rule that is off.
pub(super) fn effect(
    behind: &Behind,
    rule: &str,
    added: Option<&[Expr]>,
) -> Result<Effect, Refusal> {
    let mut effect = Effect::default();
    let mut missing: BTreeSet<String> = BTreeSet::new();
    let end = Instant::now() + JUDGING;
    let judge = |line: &Json, scene: Option<&Scene>, why: Option<&Why>, alert: Alert| {
        if effect.judged >= JUDGED_MAX as u64 || Instant::now() >= end {
            effect.is_cut = true;
            return false;
        }
        effect.judged += 1;
        match added {
            None => effect.silence(alert),
            Some(added) => {
                let seen = Seen::of(line, scene, why);
                match judged(added, &seen) {
                    Some(true) => {}
                    Some(false) => effect.silence(alert),
                    None => {
                        note_missing(added, &seen, &mut missing);
                        effect.unknown += 1;
                        if effect.unknown_alerts.len() < UNKNOWN_SHOWN {
                            effect.unknown_alerts.push(alert);
                        }
                    }
                }
            }
        }
        true
    };
    behind.store.each_of_rule(RULES, rule, BACK, judge)?;
    effect.missing = missing.into_iter().collect();
    Ok(effect)
}

trait Silence {
    fn silence(&mut self, alert: Alert);
}

impl Silence for Effect {
    fn silence(&mut self, alert: Alert) {
        self.silenced += 1;
        if self.silenced_alerts.len() < SILENCED_SHOWN {
            self.silenced_alerts.push(alert);
        }
    }
}

/// Whether the alert would have been: all parts hold for it.
pub(super) fn judged(added: &[Expr], seen: &Seen) -> Option<bool> {
    let event = seen.event?;
    let mut all = Some(true);
    for part in added {
        match holds_as_known(part, seen, &|field| seen.knows(field), event) {
            Some(false) => return Some(false),
            Some(true) => {}
            None => all = None,
        }
    }
    all
}

pub(super) fn note_missing(added: &[Expr], seen: &Seen, missing: &mut BTreeSet<String>) {
    for term in added.iter().flat_map(Expr::terms) {
        term.each_field(&mut |field| {
            if !seen.knows(field) && missing.len() < UNKNOWN_SHOWN {
                missing.insert(field.to_string());
            }
        });
    }
}
