//! Exceptions from alerts: what one may compare (`candidate`, by what was `seen`), how it is written
//! (`quoted`), what it would have silenced (`effect`), and how it is saved.
//!
//! What it would have silenced is the oracle's to say, over what the store keeps of each alert of
//! its rule. Only the parts are judged by which the rule's condition has become another: that the
//! rest held is what an alert says. Events themselves are not kept, so that of some alerts too
//! little is known; those are told apart.

mod candidate;
mod effect;
mod quoted;
mod seen;
#[cfg(test)]
mod tests;

use super::behind::Behind;
use super::{Loaded, addition, editor};
use crate::alert::RULES;
use crate::modules::{Module, Written};
use candidate::{broader, proposed};
use effect::{added, effect};
use quoted::{in_rules, in_yaml, in_yaml_key, is_plain};
use saker_rules_compiler::Ruleset;
use saker_rules_compiler::ir::Expr;
use saker_rules_schema::field::{FieldRef, Type};
use saker_web::alerts::AlertDetail;
use saker_web::exceptions::{Attempt, Draft, Part, Proposal};
use saker_web::host::Refusal;
use saker_web::modules::Done;
use saker_web::session::Actor;
use seen::Seen;

const OF_TEXTS: [&str; 5] = ["=", "startswith", "endswith", "contains", "glob"];
const OF_OTHERS: [&str; 1] = ["="];

/// The rule files as they run, and the rule in them.
struct Target<'l> {
    module: &'l Module,
    written: &'l Written,
    rule: usize,
}

impl<'l> Target<'l> {
    /// Where an exception from that alert belongs; else why there can be none.
    fn of(alert: &AlertDetail, loaded: &'l Loaded) -> Result<Target<'l>, String> {
        let rule = &alert.alert.rule;
        match &*alert.module {
            RULES => {
                if let Some(path) = &loaded.stand_in {
                    return Err(format!(
                        "`{}` stands in for the rule files, and would give way to them: write the \
                         exception there, or roll it back first",
                        path.display()
                    ));
                }
            }
            "" => return Err("it is an alert of Saker's own, and of no rule".into()),
            other => {
                let mut modules = loaded.modules.iter().map(|(module, _)| module);
                let found = modules.find(|module| &*module.identity().name == other);
                return Err(match found {
                    Some(module) if module.written().is_some() => format!(
                        "its rule is of the ruleset `{other}`, which has macros, lists and a file \
                         of its own: write the exception there"
                    ),
                    Some(module) if module.as_component().is_some() => format!(
                        "it is by the module `{other}`, a program that decides by itself: rules \
                         alone take exceptions"
                    ),
                    Some(_) => format!(
                        "its rule is of the compiled module `{other}`, which does not tell its \
                         rule files: write the exception there"
                    ),
                    None => format!("its module `{other}` is loaded no more"),
                });
            }
        }
        let mut modules = loaded.modules.iter().map(|(module, _)| module);
        let module = modules.find(|module| &*module.identity().name == RULES);
        let written = module.and_then(|module| Some((module, module.written()?)));
        let Some((module, written)) = written else {
            return Err("no rule files are loaded that it could be added to".into());
        };
        let at = module.rules().iter().position(|known| known.name == *rule);
        match at {
            None => Err(format!("no rule `{rule}` is loaded any more")),
            Some(rule) => Ok(Target {
                module,
                written,
                rule,
            }),
        }
    }

    fn name(&self) -> &str {
        &self.module.rules()[self.rule].name
    }

    /// The rule's condition in another ruleset; none if it is not there, or off.
    fn in_ruleset<'r>(&self, ruleset: &'r Ruleset) -> Option<&'r Expr> {
        let rules = &ruleset.manifest.rules;
        let at = rules.iter().position(|rule| rule.name == self.name())?;
        rules[at].enabled.then(|| ruleset.conditions.get(at))?
    }

    /// A name that no exception of the rule has.
    fn free_name(&self, id: u64) -> String {
        let listing = self.written.listing();
        let rules = listing.map_or(&[][..], |listing| &listing.rules);
        let known = rules.iter().find(|rule| rule.name == self.name());
        let taken = known.map_or(&[][..], |rule| &rule.exception_names);
        let first = format!("alert_{id}");
        let others = (2..).map(|number| format!("{first}_{number}"));
        std::iter::once(first.clone())
            .chain(others)
            .find(|name| !taken.contains(name))
            .unwrap_or(first)
    }

    /// Names that stand for something else than themselves.
    fn is_name(&self, text: &str) -> bool {
        self.written.listing().is_none_or(|listing| {
            let mut lists = listing.lists.iter().map(|list| &list.name);
            let mut macros = listing.macros.iter().map(|of| &of.name);
            lists.any(|name| name == text) || macros.any(|name| name == text)
        })
    }
}

/// An exception that compares these, as an override of its rule.
fn written(target: &Target<'_>, id: u64, parts: &[Part]) -> Result<String, Refusal> {
    let (mut fields, mut comps, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for Part {
        field,
        operator,
        value,
    } in parts
    {
        let known = FieldRef::parse(field)
            .map_err(|_| Refusal::Invalid(format!("there is no field `{field}`")))?;
        let may: &[&str] = match known.kind() {
            Type::Text => &OF_TEXTS,
            _ => &OF_OTHERS,
        };
        if !may.contains(&&**operator) {
            return Err(Refusal::Invalid(format!(
                "`{field}` is not compared by `{operator}`, but by {}",
                may.join(" ")
            )));
        }
        let of_rules = in_rules(value, |text| target.is_name(text));
        let of_rules = of_rules.map_err(|why| Refusal::Invalid(format!("`{field}`: {why}")))?;
        fields.push(match is_plain(field) {
            true => field.clone(),
            // A bracket would end the list.
            false => in_yaml(&known.to_string()),
        });
        comps.push(operator.as_str());
        values.push(in_yaml(&of_rules));
    }
    Ok(format!(
        "- rule: {}\n  exceptions:\n    - name: {}\n      fields: [{}]\n      comps: [{}]\n      \
         values:\n        - [{}]\n  override:\n    exceptions: append\n",
        in_yaml_key(target.name()),
        target.free_name(id),
        fields.join(", "),
        comps.join(", "),
        values.join(", "),
    ))
}

/// What may be made of an alert.
pub(super) fn propose(behind: &Behind, id: u64) -> Result<Proposal, Refusal> {
    let alert = behind.store.alert(id)?;
    let loaded = behind.loaded();
    let mut proposal = Proposal {
        rule: alert.alert.rule.clone(),
        ..Proposal::default()
    };
    let target = match Target::of(&alert, &loaded) {
        Ok(target) => target,
        Err(why) => {
            proposal.refused = Some(why);
            return Ok(proposal);
        }
    };
    let seen = behind.store.kept(id, Seen::of)?;
    proposal.fields = proposed(&seen);
    proposal.broader = broader(&seen, &proposal.fields);
    if proposal.fields.is_empty() {
        proposal.refused = Some("nothing was kept of it that an exception could compare".into());
        return Ok(proposal);
    }
    let parts: Vec<Part> = (proposal.fields.iter())
        .filter(|field| field.proposed)
        .map(|field| Part {
            field: field.field.clone(),
            operator: "=".into(),
            value: field.value.clone(),
        })
        .collect();
    proposal.text = written(&target, id, &parts)?;
    match &behind.local {
        Some(local) => {
            proposal.file = Some(local.path().to_string_lossy().into_owned());
            proposal.unwritable = local.unwritable().map(|why| why.to_string());
        }
        None => proposal.unwritable = Some("`page.local_rules` names no file".into()),
    }
    Ok(proposal)
}

/// Says what an exception would do.
pub(super) fn attempt(behind: &Behind, id: u64, draft: &Draft) -> Result<Attempt, Refusal> {
    let alert = behind.store.alert(id)?;
    let loaded = behind.loaded();
    let target = Target::of(&alert, &loaded).map_err(Refusal::Conflict)?;
    let text = match (&draft.parts, &draft.text) {
        (Some(parts), _) => written(&target, id, parts)?,
        (None, text) => text.clone().unwrap_or_default(),
    };
    let before = editor::sources(&loaded);
    let (checked, ruleset) = editor::compiled(&text, before, behind.first_match);
    let effect = match ruleset {
        None => None,
        Some(ruleset) => {
            let added = match target.in_ruleset(&ruleset) {
                Some(after) => added(target.written.condition(target.rule), after),
                // The rule is off then.
                None => None,
            };
            Some(effect(behind, target.name(), added.as_deref())?)
        }
    };
    Ok(Attempt {
        text,
        checked,
        effect,
    })
}

/// Saves an exception, and waits until it is in force.
pub(super) fn save(behind: &Behind, actor: &Actor, id: u64, text: &str) -> Result<Done, Refusal> {
    let alert = behind.store.alert(id)?;
    let loaded = behind.loaded();
    let target = Target::of(&alert, &loaded).map_err(Refusal::Conflict)?;
    let what = format!("except in rule `{}` what alert {id} is", target.name());
    // Rules that are the same are not loaded again, and nobody would see them come.
    let changes = |ruleset: &Ruleset| {
        let made = target.in_ruleset(ruleset);
        let known = target.written.condition(target.rule);
        match made.is_some_and(|made| added(known, made).is_some_and(|added| added.is_empty())) {
            false => Ok(()),
            true => Err(Refusal::Invalid(format!(
                "it excepts nothing from rule `{}` that is not excepted already",
                target.name()
            ))),
        }
    };
    addition::add(behind, actor, &loaded, text, what, changes)
}
