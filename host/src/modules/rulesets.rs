//! Rule files made modules. Those of the latest texts are kept, so that going back to what was
//! there before takes no compiling.

use super::{Module, Written};
use crate::sandbox;
use saker_rules_compiler::{
    Code, Compilation, Diagnostic, Options, Source, Stop, compile, compile_unless,
};
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
    ) -> (Option<Module>, Vec<Diagnostic>) {
        let key = key(name, sources, options);
        let known = self.kept.iter().position(|kept| kept.key == key);
        if let Some(kept) = known.and_then(|at| self.kept.remove(at)) {
            let found = (Some(kept.module.clone()), kept.diagnostics.clone());
            self.kept.push_front(kept);
            return found;
        }
        let mut compilation = compile(sources, options);
        let written = Written::of(sources, &compilation);
        let Some(ruleset) = compilation.ruleset.take() else {
            return (None, compilation.diagnostics);
        };
        let mut module = match Module::compiled(name, ruleset.wasm) {
            Ok(module) => module,
            Err(refusal) => {
                compilation.diagnostics.push(too_large(&refusal));
                return (None, compilation.diagnostics);
            }
        };
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
        (Some(module), compilation.diagnostics)
    }
}

/// Compiles rule files, and sees to it that what comes of them can be run: what is beyond a bound
/// of the sandbox's is an error like any other.
pub fn compile_to_run(sources: &[Source], options: &Options) -> Compilation {
    runnable(compile(sources, options))
}

/// The same, unless nobody waits for it any more.
pub fn compile_to_run_unless(
    sources: &[Source],
    options: &Options,
    stop: Stop<'_>,
) -> Option<Compilation> {
    compile_unless(sources, options, stop).map(runnable)
}

fn runnable(mut compilation: Compilation) -> Compilation {
    let wasm = compilation.ruleset.as_ref().map(|ruleset| &ruleset.wasm);
    if let Some(Err(refusal)) = wasm.map(|wasm| sandbox::validate(wasm)) {
        compilation.diagnostics.push(too_large(&refusal));
        compilation.ruleset = None;
    }
    compilation
}

fn too_large(refusal: &sandbox::Refusal) -> Diagnostic {
    Diagnostic {
        code: Code::RulesetTooLarge,
        message: format!("the rules together are too large to be run: {refusal}"),
        span: None,
        label: String::new(),
        context: Vec::new(),
        help: Some("share them out among several rulesets, or shorten their lists".into()),
        rules: Vec::new(),
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
            let (module, said) = rulesets.module("rules", &sources(output), options);
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
    fn what_the_sandbox_would_refuse_is_an_error_of_the_rules() {
        let pids: Vec<String> = (0..180_000).step_by(3).map(|pid| pid.to_string()).collect();
        let text = format!(
            "- rule: R\n  desc: d\n  condition: evt.type = open and proc.pid in ({})\n  \
             output: o\n  priority: INFO\n",
            pids.join(", ")
        );
        let source = Source {
            name: "a.yaml".into(),
            text,
        };
        let compilation = compile_to_run(std::slice::from_ref(&source), &Options::default());
        let is_it = |found: &Diagnostic| found.code == Code::RulesetTooLarge;
        assert!(compilation.ruleset.is_none());
        assert!(compilation.diagnostics.iter().any(is_it));
        let mut rulesets = Rulesets::default();
        let (module, said) = rulesets.module("rules", &[source], &Options::default());
        assert!(module.is_none() && said.iter().any(is_it));
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_wrong_is_not_kept() {
        let mut rulesets = Rulesets::default();
        let options = Options::default();
        for number in 0..2 * KEPT_MAX {
            let made = rulesets.module("rules", &sources(&number.to_string()), &options);
            assert!(made.0.is_some());
        }
        assert_eq!(rulesets.kept.len(), KEPT_MAX);
        let wrong = rulesets.module("rules", &sources("%nonsense"), &options);
        assert!(matches!(wrong, (None, said) if !said.is_empty()));
        assert_eq!(rulesets.kept.len(), KEPT_MAX);
    }
}
