use super::*;
use saker_rules_compiler::{Options, Source, compile};

const MINUTE: Duration = Duration::from_secs(60);

/// A ruleset whose rule's output is that.
fn module(name: &str, output: &str) -> Module {
    let text = format!(
        "- {{rule: r, desc: d, condition: evt.type = open, output: {output}, priority: INFO}}"
    );
    let source = Source {
        name: name.into(),
        text,
    };
    let ruleset = compile(&[source], &Options::default()).ruleset;
    Module::compiled(name, ruleset.expect("a good rule").wasm).expect("our own")
}

fn file(name: &str) -> Origin {
    Origin::Folder(format!("/modules/{name}.wasm").into())
}

fn roster() -> Roster {
    let modules = vec![
        (Origin::Rules, module("rules", "a")),
        (file("other"), module("other", "o")),
    ];
    Roster::new(modules, MINUTE)
}

fn installed(output: &str, now: Instant) -> Roster {
    let mut roster = roster();
    let new = module("rules", output);
    let done = roster.install(Origin::Rules, new, &Selection::default(), now);
    done.expect("another version");
    roster
}

fn shown(roster: &Roster, name: &str) -> Listed {
    let mut listed = roster
        .list(&Selection::default(), Instant::now())
        .into_iter();
    listed.find(|listed| listed.name == name).expect("loaded")
}

fn incident(roster: &Roster, is_last: bool) -> Incident {
    Incident {
        module: roster.modules()[0].identity().clone(),
        reason: "trap: unreachable".into(),
        is_last,
    }
}

#[test]
fn a_version_that_fails_on_probation_gives_its_place_back_and_is_not_taken_again() {
    let now = Instant::now();
    let before = shown(&roster(), "rules").digest;
    let mut roster = installed("b", now);
    assert_eq!(shown(&roster, "rules").state, "probation");
    let failed = incident(&roster, false);
    let remedy = roster.failed(&failed, now + MINUTE / 2);
    assert_eq!(remedy, Some(Remedy::RolledBack));
    let after = shown(&roster, "rules");
    assert_eq!((after.digest, &*after.state), (before, "running"));
    assert_eq!(after.reason.as_deref(), Some("trap: unreachable"));
    // What is still said of the version that failed is of no consequence.
    assert_eq!(roster.failed(&failed, now), None);
    let again = |roster: &mut Roster| {
        roster.install(
            Origin::Rules,
            module("rules", "b"),
            &Selection::default(),
            now,
        )
    };
    assert_eq!(again(&mut roster), Err(Unchanged::Shunned));
    roster.forgive();
    assert_eq!(again(&mut roster), Ok(()));
}

#[test]
fn a_version_that_has_proven_itself_is_set_aside_for_longer_each_time_and_tried_again() {
    let mut now = Instant::now();
    let mut roster = installed("b", now);
    now += MINUTE;
    let failed = incident(&roster, false);
    assert_eq!(roster.failed(&failed, now), None, "its first strike");
    let failed = incident(&roster, true);
    let mut times = Vec::new();
    for _ in 0..9 {
        let Some(Remedy::Quarantined(time)) = roster.failed(&failed, now) else {
            panic!("it is set aside");
        };
        times.push(time.as_secs());
        assert_eq!(roster.modules().len(), 1, "the other goes on");
        assert_eq!(roster.due(), Some(now + time));
        assert!(
            roster
                .retry(now + time - Duration::from_nanos(1))
                .is_empty()
        );
        now += time;
        assert_eq!(roster.retry(now), ["rules".into()]);
        assert_eq!((roster.modules().len(), roster.due()), (2, None));
    }
    assert_eq!(times, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
}

#[test]
fn going_back_is_taken_back_by_going_back() {
    let now = Instant::now();
    let first = shown(&roster(), "rules").digest;
    let mut roster = installed("b", now);
    let second = shown(&roster, "rules").digest;
    for expected in [&first, &second, &first] {
        roster.roll_back("rules").expect("there is one");
        assert_eq!(shown(&roster, "rules").digest, *expected);
    }
    let none = roster.roll_back("other");
    assert_eq!(none, Err(Unchanged::NoPrevious("other".into())));
}

#[test]
fn the_version_before_is_the_last_that_proved_itself() {
    let now = Instant::now();
    let first = shown(&roster(), "rules").digest;
    let mut roster = installed("b", now);
    // Another follows before that has proved itself.
    let next = module("rules", "c");
    let done = roster.install(Origin::Rules, next, &Selection::default(), now + MINUTE / 2);
    assert_eq!(done, Ok(()));
    assert_eq!(shown(&roster, "rules").previous, Some(first));
    let third = shown(&roster, "rules").digest;
    let next = module("rules", "d");
    let done = roster.install(Origin::Rules, next, &Selection::default(), now + 2 * MINUTE);
    assert_eq!(done, Ok(()));
    assert_eq!(shown(&roster, "rules").previous, Some(third));
}

#[test]
fn what_cannot_be_is_refused_in_words_and_changes_nothing() {
    let now = Instant::now();
    let mut roster = roster();
    let before = roster.list(&Selection::default(), Instant::now());
    let selection = Selection::default();
    let twice = roster.install(file("new"), module("other", "x"), &selection, now);
    assert_eq!(twice, Err(Unchanged::Twice("other".into())));
    let unknown = Err(Unchanged::Unknown("nobody".into()));
    assert_eq!(roster.disable("nobody"), unknown);
    assert_eq!(roster.enable("nobody"), unknown);
    assert_eq!(roster.roll_back("nobody"), unknown);
    let swap = roster.swap("nobody", Path::new("/x"), module("x", "x"), now);
    assert_eq!(swap, unknown);
    let already = Err(Unchanged::Already("other".into(), "enabled"));
    assert_eq!(roster.enable("other"), already);
    let none_on = Selection {
        choices: vec![crate::config::RuleChoice::default()],
        ..Selection::default()
    };
    let off = roster.install(Origin::Rules, module("rules", "x"), &none_on, now);
    assert_eq!(off, Err(Unchanged::NoRule));
    assert_eq!(roster.list(&Selection::default(), Instant::now()), before);
}

#[test]
fn a_module_that_is_turned_off_stays_so_whatever_version_comes() {
    let now = Instant::now();
    let mut roster = roster();
    roster.disable("other").expect("it is on");
    let next = module("other", "p");
    let done = roster.install(file("other"), next, &Selection::default(), now);
    assert_eq!(done, Ok(()));
    assert_eq!(
        (roster.modules().len(), &*shown(&roster, "other").state),
        (1, "disabled")
    );
    roster.enable("other").expect("it is off");
    assert_eq!(roster.modules().len(), 2);
}

#[test]
fn a_module_that_cannot_be_made_ready_is_as_it_was_before_and_others_stay_changed() {
    let now = Instant::now();
    let before = roster();
    let mut draft = installed("b", now);
    let selection = Selection::default();
    let done = draft.install(file("new"), module("new", "n"), &selection, now);
    assert_eq!(done, Ok(()));
    draft.restore("rules", &before);
    draft.restore("new", &before);
    assert_eq!(draft.list(&selection, now), before.list(&selection, now));
}
