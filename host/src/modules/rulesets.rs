//! Rule files made modules. Those of the latest texts are kept, so that going back to what was
//! there before takes no compiling.

use super::{Module, Written};
use crate::sandbox::Refusal;
use saker_rules_compiler::{Diagnostic, Options, Source, compile};
use std::collections::VecDeque;
use std::sync::Arc;

/// So many are kept,
const KEPT_MAX: usize = 16;
/// of so many bytes of text together.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// The rulesets that were made lately, the latest first.
#[derive(Default)]
pub struct Rulesets {
    kept: VecDeque<Kept>,
}

struct Kept {
    key: blake3::Hash,
    bytes: usize,
    module: Module,
    diagnostics: Vec<Diagnostic>,
}

impl std::fmt::Debug for Rulesets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rulesets")
            .field("kept", &self.kept.len())
            .finish()
    }
}

impl Rulesets {
    /// The module that rule files are together, called so, and all there is to say of them; no
    /// module where that has an error.
    pub fn module(
        &mut self,
        name: &str,
        sources: &[Source],
        options: &Options,
    ) -> Result<(Option<Module>, Vec<Diagnostic>), Refusal> {
        let key = key(name, sources, options);
        let known = self.kept.iter().position(|kept| kept.key == key);
        if let Some(kept) = known.and_then(|at| self.kept.remove(at)) {
            let found = (Some(kept.module.clone()), kept.diagnostics.clone());
            self.kept.push_front(kept);
            return Ok(found);
        }
        let mut compilation = compile(sources, options);
        let written = Written::of(sources, &compilation);
        let Some(ruleset) = compilation.ruleset.take() else {
            return Ok((None, compilation.diagnostics));
        };
        let mut module = Module::compiled(name, ruleset.wasm)?;
        module.written = Some(Arc::new(written));
        self.kept.push_front(Kept {
            key,
            bytes: sources.iter().map(|source| source.text.len()).sum(),
            module: module.clone(),
            diagnostics: compilation.diagnostics.clone(),
        });
        let mut bytes = 0;
        let fit = self.kept.iter().take_while(|kept| {
            bytes += kept.bytes;
            bytes <= KEPT_BYTES_MAX
        });
        let fit = fit.count().min(KEPT_MAX);
        self.kept.truncate(fit);
        Ok((Some(module), compilation.diagnostics))
    }
}

/// Of everything that the module and its diagnostics follow from.
fn key(name: &str, sources: &[Source], options: &Options) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(name.as_bytes());
    part(format!("{options:?}").as_bytes());
    for Source { name, text } in sources {
        part(name.as_bytes());
        part(text.as_bytes());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(output: &str) -> [Source; 1] {
        let text = format!(
            "- {{rule: r, desc: d, condition: evt.type = open, output: {output}, priority: INFO}}"
        );
        let name = "a.yaml".into();
        [Source { name, text }]
    }

    #[test]
    fn the_same_texts_are_the_same_module_and_others_are_not() {
        let mut rulesets = Rulesets::default();
        let mut digest = |output: &str, options: &Options| {
            let (module, said) = rulesets
                .module("rules", &sources(output), options)
                .expect("our own");
            (module.expect("no error").identity().digest, said)
        };
        let plain = Options::default();
        let first = Options {
            first_match: true,
            ..plain
        };
        let a = digest("a", &plain);
        assert_ne!(a.0, digest("b", &plain).0);
        assert_eq!(a, digest("a", &plain));
        let _ = digest("a", &first);
        assert_eq!(rulesets.kept.len(), 3);
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_wrong_is_not_kept() {
        let mut rulesets = Rulesets::default();
        let options = Options::default();
        for number in 0..2 * KEPT_MAX {
            let made = rulesets.module("rules", &sources(&number.to_string()), &options);
            assert!(matches!(made, Ok((Some(_), _))));
        }
        assert_eq!(rulesets.kept.len(), KEPT_MAX);
        let wrong = rulesets.module("rules", &sources("%nonsense"), &options);
        assert!(matches!(wrong, Ok((None, said)) if !said.is_empty()));
        assert_eq!(rulesets.kept.len(), KEPT_MAX);
    }
}
