//! How long Falco's own rules take until they can judge: from YAML to Wasm, to native code with
//! an instance of it, and the same where the native code was kept. One core: the compiler of
//! this project and Cranelift use one thread each, one after the other.
//! `cargo bench -p saker --bench compile`; skipped without Falco's data.

mod support;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use saker::config::Matching;
use saker::modules::{Epoch, Module, Selection};
use saker::sandbox::{Apart, Cache, Compiler, FromJudge, Judge, Limits, RulesetImage, ToJudge};
use saker_rules_compiler::{Options, Ruleset, Source};
use saker_rules_schema::manifest::Priority;
use saker_shm::window::Window;
use std::path::Path;
use std::time::Duration;

fn compile(sources: &[Source]) -> Ruleset {
    saker_rules_compiler::compile(sources, &Options::default())
        .ruleset
        .expect("Falco's rules compile")
}

fn images(ruleset: Ruleset) -> Vec<RulesetImage> {
    let module = Module::compiled("falco", ruleset.wasm).expect("our own modules are valid");
    let selection = Selection {
        priority: Priority::Debug,
        matching: Matching::All,
        ..Selection::default()
    };
    Epoch::new(1, vec![module], selection).images()
}

/// A judge that gets an epoch ready.
struct Ready {
    _window: Window,
    judge: Judge,
}

impl Ready {
    fn new(compiler: Compiler) -> Ready {
        let window = Window::create(1).expect("memory");
        let judge =
            Judge::spawn_with(window.fd(), Limits::default(), compiler.into()).expect("threads");
        Ready {
            _window: window,
            judge,
        }
    }

    /// Itself, when they are ready.
    fn got(mut self, rulesets: Vec<RulesetImage>) -> Ready {
        let install = ToJudge::Install { epoch: 1, rulesets };
        self.judge.send(install).expect("room");
        let answer = self.judge.blocking_receive();
        assert_eq!(answer, Some(FromJudge::Installed { epoch: 1 }));
        self
    }
}

/// As the program compiles.
fn apart() -> Compiler {
    Compiler::apart(Apart::by(Path::new(env!("CARGO_BIN_EXE_saker"))))
}

fn benches(c: &mut Criterion) {
    let Some(sources) = support::falco_rules("compile") else {
        return;
    };
    let ruleset = compile(&sources);
    let (rules, bytes) = (ruleset.manifest.rules.len(), ruleset.wasm.len());
    println!("{rules} rules make {bytes} bytes of Wasm");
    let mut group = c.benchmark_group(format!("{rules} rules of Falco"));
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(10));
    group.bench_function("YAML to Wasm", |b| b.iter(|| compile(&sources)));
    // A judge remembers what it has compiled, so each time there is another.
    group.bench_function("YAML to ready", |b| {
        let get = |ready: Ready| ready.got(images(compile(&sources)));
        b.iter_batched(|| Ready::new(apart()), get, BatchSize::PerIteration);
    });
    let images = images(ruleset);
    group.bench_function("Wasm to ready", |b| {
        let get = |ready: Ready| ready.got(images.clone());
        b.iter_batched(|| Ready::new(apart()), get, BatchSize::PerIteration);
    });
    let folder = tempfile::tempdir().expect("a folder");
    let caching = || Ready::new(apart().keeping(Cache::open(folder.path()).expect("our own")));
    drop(caching().got(images.clone()));
    for file in folder.path().read_dir().expect("it is there").flatten() {
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        println!("{bytes} bytes of native code are kept");
    }
    group.bench_function("Wasm to ready, native code kept", |b| {
        let get = |ready: Ready| ready.got(images.clone());
        b.iter_batched(caching, get, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
