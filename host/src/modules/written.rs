//! What a ruleset was compiled of: its rule files, and what they say of each rule, for people who
//! look at rules and alerts.

use crate::alert::RuleText;
use saker_rules_compiler::ir::Expr;
use saker_rules_compiler::why::Outlines;
use saker_rules_compiler::{Compilation, Listing, Source, describe};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// What a ruleset was compiled of.
#[derive(Debug)]
pub struct Written {
    /// The rule files.
    pub sources: Vec<Source>,
    conditions: Vec<Expr>,
    outlines: Arc<Outlines>,
    rules: HashMap<String, Arc<RuleText>>,
    listing: OnceLock<Option<Listing>>,
}

impl Written {
    /// Of what came of rule files.
    pub(super) fn of(sources: &[Source], compilation: &Compilation) -> Written {
        let mut rules: HashMap<String, String> = HashMap::new();
        for (at, place) in compilation.places.iter().enumerate() {
            if place.kind != "rule" {
                continue;
            }
            // An item ends where the next one of its file begins.
            let next = compilation.places.get(at + 1);
            let next = next.filter(|next| next.span.source == place.span.source);
            let source = sources.get(place.span.source as usize);
            let text = source.and_then(|source| {
                let end = next.map_or(source.text.len(), |next| next.span.start as usize);
                source.text.get(place.span.start as usize..end)
            });
            // Of the next one, the dash is before it.
            let text = text
                .unwrap_or_default()
                .trim_end()
                .trim_end_matches('-')
                .trim_end();
            let whole = rules.entry(place.name.clone()).or_default();
            if !whole.is_empty() {
                whole.push_str("\n\n");
            }
            whole.push_str("- ");
            whole.push_str(text);
        }
        let rules = rules.into_iter().map(|(name, text)| {
            let digest = blake3::hash(text.as_bytes()).to_hex().to_string();
            (name, Arc::new(RuleText { text, digest }))
        });
        let ruleset = compilation.ruleset.as_ref();
        Written {
            sources: sources.to_vec(),
            conditions: ruleset.map_or(Vec::new(), |ruleset| ruleset.conditions.clone()),
            outlines: ruleset.map_or_else(Arc::default, |ruleset| ruleset.outlines.clone()),
            rules: rules.collect(),
            listing: OnceLock::new(),
        }
    }

    /// The condition of that rule of the manifest.
    pub fn condition(&self, rule: usize) -> Option<&Expr> {
        self.conditions.get(rule)
    }

    /// The conditions as they are written.
    pub fn outlines(&self) -> &Outlines {
        &self.outlines
    }

    /// What they say of that rule.
    pub fn rule(&self, name: &str) -> Option<&Arc<RuleText>> {
        self.rules.get(name)
    }

    /// All that they define. The first who asks waits for it.
    pub fn listing(&self) -> Option<&Listing> {
        let made = || describe(&self.sources).listing;
        self.listing.get_or_init(made).as_ref()
    }
}
