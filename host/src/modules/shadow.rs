//! A candidate among the modules of an epoch: one that is judged as the others are, and that nobody
//! hears.

use super::Module;
use saker_rules_schema::manifest::Rule;

/// Who is the candidate among the modules of an epoch, and whom it is compared with.
#[derive(Clone, Debug)]
pub struct Shadow {
    /// Its place among the modules.
    pub module: usize,
    /// The place of the module that it would replace.
    pub replaced: Option<usize>,
    /// By module and rule, whether it is compared.
    compared: Vec<Vec<bool>>,
}

impl Shadow {
    /// The last of these modules is the candidate; it would take the place of the one of that
    /// name, or stand beside all.
    pub fn last_of(modules: &[Module], replaces: Option<&str>) -> Option<Shadow> {
        let (candidate, others) = modules.split_last()?;
        let is_replaced = |module: &Module| {
            module.component.is_none() && Some(&*module.identity().name) == replaces
        };
        let own: Vec<&str> = names(candidate.rules()).collect();
        let compared = others.iter().map(|module| {
            let all = is_replaced(module);
            let is_compared = |name| all || replaces.is_none() && own.contains(&name);
            match module.component {
                Some(_) => Vec::new(),
                None => names(module.rules()).map(is_compared).collect(),
            }
        });
        let mut compared: Vec<Vec<bool>> = compared.collect();
        compared.push(vec![true; own.len()]);
        Some(Shadow {
            module: others.len(),
            replaced: others.iter().position(is_replaced),
            compared,
        })
    }

    /// Whether hits of that rule are compared.
    pub fn compares(&self, module: usize, rule: u32) -> bool {
        let rules = self.compared.get(module);
        rules.is_some_and(|rules| rules.get(rule as usize) == Some(&true))
    }
}

fn names(rules: &[Rule]) -> impl Iterator<Item = &str> {
    rules.iter().map(|rule| rule.name.as_str())
}
