use saker::event::Clock;
use saker::modules::rulesets::Rulesets;
use saker::modules::{Epoch, Selection};
use saker::pipeline::{Pipeline, Setup};
use saker::sandbox::{Cache, Compiler, Judge, Limits};
use saker::source::merge::Batch;
use saker::source::synthetic::{Options as Machine, Synthetic};
use saker::state::State;
use saker_rules_compiler::{Options, Source};
use saker_shm::window::Window;
use std::cell::Cell;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// How many alerts rules give whose native code is kept in that folder, and how much of that was
/// not used.
fn alerts(cache: &Path) -> (usize, u64) {
    let source = Source {
        name: "rules.yaml".into(),
        text: "- {rule: r, desc: d, condition: evt.type = connect, output: o, priority: INFO}"
            .into(),
    };
    let made = Rulesets::default().module("rules", &[source], &Options::default());
    let module = made.0.expect("a good rule");
    let window = Window::create(4).expect("memory");
    let cache = Cache::open(cache).expect("it is ours");
    let compiler = Arc::new(Compiler::default().keeping(cache));
    let judge = Judge::spawn_with(window.fd(), Limits::default(), compiler.clone());
    let count = Rc::new(Cell::new(0));
    let sink = count.clone();
    let boot_to_epoch_ns = 1;
    let setup = Setup {
        state: State::new(Default::default(), Clock { boot_to_epoch_ns }),
        window,
        judge: judge.expect("threads"),
        rows_max: 4096,
        alerts: Box::new(move |_| sink.set(sink.get() + 1)),
    };
    let epoch = Epoch::new(1, vec![module], Selection::default());
    let mut pipeline = Pipeline::new(setup, epoch).expect("kept code never fails a start");
    let mut batch = Batch::new();
    let machine = Machine {
        seed: 5,
        processes: 20,
    };
    Synthetic::new(machine).fill(&mut batch, 1_000);
    pipeline.push(&Rc::new(batch)).expect("the judge lives");
    pipeline.drain().expect("the judge lives");
    let cache = compiler.cache().expect("it has one");
    (count.get(), cache.refused().map(|(_, files)| files).sum())
}

fn kept(cache: &Path) -> PathBuf {
    let files = cache.read_dir().expect("ours");
    let files = files.map(|entry| entry.expect("ours").path());
    let files: Vec<PathBuf> = files.filter(|path| !path.ends_with("secret")).collect();
    let [file] = &files[..] else {
        panic!("{files:?}");
    };
    file.clone()
}

#[test]
fn whatever_lies_in_its_place() {
    let place = tempfile::tempdir().expect("a folder for files of the test");
    let cache = place.path().join("cache");
    let (expected, refused) = alerts(&cache);
    assert!(expected > 10 && refused == 0, "{expected}, {refused}");
    assert_eq!(alerts(&cache), (expected, 0));
    let expected = (expected, 1);
    let file = kept(&cache);
    let ours = std::fs::read(&file).expect("ours");
    let mode = |bits| std::fs::set_permissions(&file, PermissionsExt::from_mode(bits));
    // Code that would end the process if it ran, whole and in part; nothing; too much.
    let mut ud2 = ours.clone();
    ud2[40..].fill(0x0b);
    let mut turned = ours.clone();
    let last = turned.len() - 1;
    turned[last] ^= 1;
    for bytes in [&ud2[..], &turned, &ours[..ours.len() / 2], b"", b"\x7fELF"] {
        std::fs::write(&file, bytes).expect("ours");
        mode(0o600).expect("ours");
        assert_eq!(alerts(&cache), expected);
        // It is written anew.
        assert_eq!(std::fs::read(&file).expect("ours"), ours);
    }
    // One that others can have changed.
    mode(0o666).expect("ours");
    assert_eq!(alerts(&cache), expected);
    // A link, to code that would be the right one.
    let elsewhere = place.path().join("elsewhere");
    std::fs::rename(&file, &elsewhere).expect("ours");
    symlink(&elsewhere, &file).expect("ours");
    assert_eq!(alerts(&cache), expected);
    assert!(!file.is_symlink());
}
