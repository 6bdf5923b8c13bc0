//! How long Falco's own rules take until they can judge: from YAML to Wasm, to native code with
//! an instance of it, and the same where the native code was kept. One core: the compiler of
//! this project and Cranelift use one thread each, one after the other.
//! `cargo bench -p saker --bench compile`; skipped without Falco's data.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use saker::config::Matching;
use saker::modules::{Epoch, Module, Selection};
use saker::sandbox::{Cache, FromJudge, Judge, Limits, RulesetImage, ToJudge};
use saker_rules_compiler::{Options, Ruleset, Source};
use saker_rules_schema::manifest::Priority;
use saker_shm::window::Window;
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

/// A judge that gets epochs ready and forgets them.
struct Ready {
    _window: Window,
    judge: Judge,
    epoch: u32,
}

impl Ready {
    fn new(cache: Option<Cache>) -> Ready {
        let window = Window::create(1).expect("memory");
        let judge = Judge::spawn_with(window.fd(), Limits::default(), cache).expect("threads");
        Ready {
            _window: window,
            judge,
            epoch: 0,
        }
    }

    fn get(&mut self, rulesets: Vec<RulesetImage>) {
        self.epoch += 1;
        let epoch = self.epoch;
        let install = ToJudge::Install { epoch, rulesets };
        self.judge.send(install).expect("room");
        let answer = self.judge.blocking_receive();
        assert_eq!(answer, Some(FromJudge::Installed { epoch }));
        self.judge.send(ToJudge::Retire { epoch }).expect("room");
    }
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
    group.bench_function("YAML to ready", |b| {
        let mut ready = Ready::new(None);
        b.iter(|| ready.get(images(compile(&sources))));
    });
    group.bench_function("Wasm to ready", |b| {
        let mut ready = Ready::new(None);
        let images = images(ruleset.clone());
        b.iter(|| ready.get(images.clone()));
    });
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::open(folder.path()).expect("our own");
    let mut ready = Ready::new(Some(cache));
    let images = images(ruleset);
    ready.get(images.clone());
    for file in folder.path().read_dir().expect("it is there").flatten() {
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        println!("{bytes} bytes of native code are kept");
    }
    group.bench_function("Wasm to ready, native code kept", |b| {
        b.iter(|| ready.get(images.clone()));
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
