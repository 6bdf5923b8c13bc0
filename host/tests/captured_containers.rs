//! Rules that ask for containers, over a capture that tells of one between the events of its
//! processes: each event is judged, and shown, by what was known when it happened.

use saker::alert::Alert;
use saker::config::Matching;
use saker::event::{Clock, captured};
use saker::modules::{Epoch, Module, Selection};
use saker::pipeline::{Pipeline, Setup};
use saker::sandbox::{Judge, Limits};
use saker::source::merge::Batch;
use saker::state::State;
use saker_rules_compiler::{Options, Source, compile};
use saker_rules_schema::event::EventType;
use saker_rules_schema::manifest::Priority;
use saker_shm::window::Window;
use std::cell::RefCell;
use std::rc::Rc;

const ID: &str = "3fa4c2d17be09a5586d1f0c4e2b7a9833fa4c2d17be09a5586d1f0c4e2b7a983";

fn module(condition: &str) -> Module {
    let text = format!(
        "- rule: asked\n  desc: d\n  condition: {condition}\n  \
         output: '%evt.num %container.name'\n  priority: INFO\n"
    );
    let sources = [Source {
        name: "test.yaml".into(),
        text,
    }];
    let compilation = compile(&sources, &Options::default());
    let said = saker_rules_compiler::render(&compilation.diagnostics, &sources, false);
    let ruleset = compilation.ruleset.unwrap_or_else(|| panic!("{said}"));
    Module::compiled("test", ruleset.wasm).expect("our own modules are valid")
}

/// A process executes in the container.
fn exec(batch: &mut Batch) {
    let [result, id] = [0i64.to_le_bytes(), 7i64.to_le_bytes()];
    let cgroups = format!("memory=/docker/{ID}\0");
    let mut params: Vec<&[u8]> = vec![&[]; 31];
    params[0] = &result;
    params[1] = b"/bin/sh\0";
    params[3] = &id;
    params[4] = &id;
    params[14] = cgroups.as_bytes();
    batch.push_captured(1, |out| {
        captured::write(EventType::Execve, 0, 1, 7, 31, |index| params[index], out);
    });
}

/// The same process fails at something, which changes nothing of it.
fn act(batch: &mut Batch) {
    let result = (-2i64).to_le_bytes();
    let params: [&[u8]; 2] = [&result, b"/none\0"];
    batch.push_captured(1, |out| {
        captured::write(EventType::Unlink, 0, 1, 7, 2, |index| params[index], out);
    });
}

fn told(batch: &mut Batch, kind: &str, name: &str) {
    let json = format!(
        "{{\"container\":{{\"type\":0,\"id\":\"{}\",\"name\":\"{name}\"}}}}\0",
        &ID[..12]
    );
    let kind = format!("{kind}\0");
    let params: [&[u8]; 3] = [&[0; 4], kind.as_bytes(), json.as_bytes()];
    batch.push_captured(1, |out| {
        captured::write(
            EventType::Asyncevent,
            0,
            1,
            0,
            3,
            |index| params[index],
            out,
        );
    });
}

/// What alerts say, with all events in one window or in one each.
fn alerts(condition: &str, flushes: bool) -> Vec<String> {
    let window = Window::create(8).expect("memory");
    let judge = Judge::spawn(window.fd(), Limits::default()).expect("threads");
    let said = Rc::new(RefCell::new(Vec::new()));
    let sink = said.clone();
    let setup = Setup {
        state: State::new(Default::default(), Clock::default()),
        window,
        judge,
        rows_max: 4096,
        alerts: Box::new(move |alert: Alert| sink.borrow_mut().push(alert.message)),
    };
    let selection = Selection {
        priority: Priority::Debug,
        matching: Matching::All,
        ..Selection::default()
    };
    let epoch = Epoch::new(1, vec![module(condition)], selection);
    let mut pipeline = Pipeline::new(setup, epoch).expect("a good module");
    let mut push = |fill: &dyn Fn(&mut Batch)| {
        let mut batch = Batch::new();
        fill(&mut batch);
        pipeline.push(&Rc::new(batch)).expect("the judge lives");
        if flushes {
            pipeline.drain().expect("the judge lives");
        }
    };
    push(&exec);
    push(&|batch| told(batch, "container", "web"));
    push(&act);
    push(&|batch| told(batch, "useradded", "web"));
    push(&|batch| told(batch, "container", "db"));
    push(&act);
    push(&|batch| told(batch, "container_removed", "web"));
    push(&act);
    pipeline.drain().expect("the judge lives");
    said.take()
}

#[test]
fn every_event_is_judged_and_shown_by_what_was_known_of_its_container() {
    for flushes in [false, true] {
        let named = |condition: &str| alerts(condition, flushes);
        assert_eq!(named("container.name = web"), ["2 web", "3 web", "7 web"]);
        assert_eq!(named("container.name = db"), ["5 db", "6 db"]);
        let in_it = [
            "1 <NA>", "2 web", "3 web", "5 db", "6 db", "7 web", "8 <NA>",
        ];
        assert_eq!(named("container.id = 3fa4c2d17be0"), in_it);
        assert_eq!(
            named("evt.type in (execve, unlink) and not container.name exists"),
            ["1 <NA>", "8 <NA>"]
        );
        let none: [&str; 0] = [];
        assert_eq!(named("evt.is_async = true and proc.pid exists"), none);
    }
}
