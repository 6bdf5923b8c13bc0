use super::*;
use crate::event::Clock;
use crate::state::container::Container;
use crate::state::container::facts::FACTS_BYTES_MAX;
use crate::state::{Limits, Seen};

const ID: &str = "deee98f7e35b645905487db81e52e8d8887dbd2e2cf6f5222a7dd8e04292e0bb";

fn state() -> State {
    let clock = Clock {
        boot_to_epoch_ns: 1_000,
    };
    let limits = Limits {
        containers_max: 4,
        ..Limits::default()
    };
    let mut state = State::new(limits, clock);
    state.ask_about_containers();
    state
}

fn path(id: &str) -> Vec<u8> {
    format!("{id}\0docker\0").into_bytes()
}

/// A process in that container's group, met at the event of that number.
fn meet(state: &mut State, id: &str, number: u64) -> ProcessVersion {
    state.number = number;
    let mut version = state.blank(1, 1, number);
    version.cgroup = state.cgroup(&path(id), b"", &[]);
    version.known = !crate::state::version::IS_CAPTURED;
    version
}

fn facts(id: &str, name: &str, root: &str) -> Box<ContainerFacts> {
    Box::new(ContainerFacts {
        id: id[..12].into(),
        full_id: id.into(),
        name: name.into(),
        roots: Some([root.as_bytes().into()].into()),
        ..ContainerFacts::default()
    })
}

fn name<'s>(state: &'s State, version: &'s ProcessVersion, number: u64) -> Option<&'s str> {
    match state.container(version, number)? {
        Container::Known(facts) => Some(&facts.name),
        Container::Id(_) => None,
    }
}

#[test]
fn what_was_asked_holds_from_the_event_on_at_which_it_was_asked() {
    let mut state = state();
    let version = meet(&mut state, ID, 7);
    let lookups = state.take_container_lookups();
    assert_eq!(lookups.len(), 1);
    assert_eq!(
        (&*lookups[0].id, lookups[0].likely),
        (ID.as_bytes(), Some(Engine::Docker))
    );
    assert_eq!(state.pending_containers(), 1);
    assert!(state.pending_container(&version).is_some());
    // It is asked about once.
    meet(&mut state, ID, 9);
    assert!(state.take_container_lookups().is_empty());
    let root = format!("/docker/{ID}");
    state.answer_container(ContainerAnswer::Known(facts(ID, "web", &root)));
    assert_eq!(state.pending_containers(), 0);
    assert_eq!(name(&state, &version, 6), None);
    assert_eq!(name(&state, &version, 7), Some("web"));
    // What comes unasked holds for what is to come.
    state.answer_container(ContainerAnswer::Known(facts(ID, "shop", &root)));
    assert_eq!(name(&state, &version, 9), Some("web"));
    assert_eq!(name(&state, &version, 10), Some("shop"));
    assert_eq!(state.container_absence(&version, 10), None);
}

#[test]
fn a_group_named_like_a_container_is_not_that_container() {
    let mut state = state();
    let version = meet(&mut state, ID, 1);
    let root = format!("/elsewhere/{ID}");
    state.answer_container(ContainerAnswer::Known(facts(ID, "trusted", &root)));
    assert_eq!(name(&state, &version, 2), None);
    let why = state.container_absence(&version, 2);
    assert_eq!(why, Some(Absence::Unconfirmed));
    assert!(state.pending_container(&version).is_none());
}

#[test]
fn a_group_made_inside_of_a_container_does_not_hide_it() {
    let mut state = state();
    let inner = "f".repeat(64);
    state.number = 1;
    let mut version = state.blank(1, 1, 1);
    let components = format!("docker-{inner}.scope\0{ID}\0docker\0");
    version.cgroup = state.cgroup(components.as_bytes(), b"", &[]);
    version.known = !crate::state::version::IS_CAPTURED;
    assert_eq!(state.take_container_lookups().len(), 2);
    let trusted = facts(&inner, "trusted", &format!("/docker/{inner}"));
    state.answer_container(ContainerAnswer::Known(trusted));
    let own = facts(ID, "own", &format!("/docker/{ID}"));
    assert!(state.pending_container(&version).is_some());
    state.answer_container(ContainerAnswer::Known(own));
    assert_eq!(name(&state, &version, 1), Some("own"));
    assert!(state.pending_container(&version).is_none());
}

#[test]
fn every_missing_container_has_a_reason_and_is_counted() {
    let mut state = state();
    for (index, why) in [Absence::NoSocket, Absence::NotFound, Absence::Timeout]
        .into_iter()
        .enumerate()
    {
        let id = format!("{index:064x}");
        let id: String = id.chars().rev().collect();
        let version = meet(&mut state, &id, index as u64);
        let whole = id.as_bytes().into();
        state.answer_container(ContainerAnswer::Absent(whole, why));
        assert_eq!(state.container_absence(&version, index as u64), Some(why));
        assert_eq!(state.counters.containers_absent[why as usize], 1);
    }
    let listed = state.containers();
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|listed| listed.absence.is_some()));
}

#[test]
fn more_containers_than_are_kept_are_not_asked_about() {
    let mut state = state();
    let versions: Vec<_> = (0..9u64)
        .map(|index| meet(&mut state, &format!("{index}{}", &ID[1..]), index))
        .collect();
    assert_eq!(state.take_container_lookups().len(), 4);
    assert_eq!(state.counters.containers_unasked, 5);
    let why = state.container_absence(&versions[8], 8);
    assert_eq!(why, Some(Absence::Limit));
    assert!(state.pending_container(&versions[8]).is_none());
}

/// A process in a group of that number, met then.
fn meet_group(state: &mut State, group: u64, time: u64) -> ProcessVersion {
    let mut version = meet(state, &"f".repeat(64), time);
    state.take_container_lookups();
    state.time = time;
    version.cgroup = state.cgroup(&path(ID), b"", &[group]);
    version
}

fn ended(at: u64) -> ContainerAnswer {
    let mut facts = facts(ID, "web", &format!("/docker/{ID}"));
    facts.ended = at;
    ContainerAnswer::Known(facts)
}

#[test]
fn a_container_that_has_ended_had_the_group_that_was_met_before() {
    let mut state = state();
    let own = meet_group(&mut state, 7, 100);
    assert_eq!(state.take_container_lookups().len(), 1);
    state.answer_container(ended(200));
    assert_eq!(name(&state, &own, 100), Some("web"));
    // A group that somebody makes at its path is another.
    let other = meet_group(&mut state, 8, 300);
    assert_eq!(state.take_container_lookups().len(), 1);
    state.answer_container(ended(200));
    assert_eq!(name(&state, &other, 300), None);
    let why = state.container_absence(&other, 300);
    assert_eq!(why, Some(Absence::Unconfirmed));
    assert_eq!(name(&state, &own, 300), Some("web"));
}

#[test]
fn what_was_told_of_a_container_that_has_ended_holds_for_the_group_met_before() {
    for (met, is_own) in [(100, true), (300, false)] {
        let mut state = state();
        state.answer_container(ended(200));
        let version = meet_group(&mut state, 7, met);
        assert_eq!(state.take_container_lookups().is_empty(), is_own, "{met}");
        assert_eq!(name(&state, &version, met).is_some(), is_own, "{met}");
    }
}

#[test]
fn a_users_engine_tells_nothing_of_others_containers() {
    let root = format!("/docker/{ID}");
    let of_user = || {
        let mut own = facts(ID, "trusted", "/user.slice/libpod");
        own.user = Some(1000);
        ContainerAnswer::Known(own)
    };
    // While the system's is asked.
    let mut state = state();
    let version = meet(&mut state, ID, 1);
    state.answer_container(of_user());
    assert!(state.is_container_pending(ID.as_bytes()));
    state.answer_container(ContainerAnswer::Known(facts(ID, "web", &root)));
    // And after that.
    state.answer_container(of_user());
    state.answer_container(ContainerAnswer::Gone(ID.into(), Some(1000)));
    state.release(u64::MAX);
    assert_eq!(name(&state, &version, 9), Some("web"));
    // And before it is met.
    let mut state = self::state();
    state.answer_container(of_user());
    let version = meet(&mut state, ID, 1);
    assert_eq!(state.take_container_lookups().len(), 1);
    assert_eq!(name(&state, &version, 9), None);
    state.answer_container(ContainerAnswer::Known(facts(ID, "web", &root)));
    assert_eq!(name(&state, &version, 9), Some("web"));
}

#[test]
fn what_is_never_answered_is_given_up_and_forgotten() {
    let mut state = state();
    let version = meet(&mut state, ID, 1);
    state.forget_containers(100, 10);
    assert_eq!(state.pending_containers(), 1);
    state.forget_containers(110, 10);
    assert_eq!(state.pending_containers(), 0);
    let why = state.container_absence(&version, 1);
    assert_eq!(why, Some(Absence::Timeout));
    drop(version);
    state.forget_containers(120, 10);
    state.forget_containers(130, 10);
    assert!(state.containers().is_empty());
}

#[test]
fn groups_of_users_keep_no_others_out() {
    let mut state = state();
    let meet = |state: &mut State, parent: &str, id: &str| {
        let components = format!("libpod-{}\0{parent}\0", id.repeat(64));
        state.cgroup(components.as_bytes(), b"", &[])
    };
    let _kept: Vec<_> = ["1", "2", "3"]
        .map(|id| meet(&mut state, "x\0user.slice", id))
        .into();
    assert_eq!(state.take_container_lookups().len(), 1, "a quarter of four");
    let _kept: Vec<_> = ["4", "5", "6"]
        .map(|id| meet(&mut state, "machine", id))
        .into();
    assert_eq!(state.take_container_lookups().len(), 3);
    assert_eq!(state.counters.containers_unasked, 2);
}

#[test]
fn a_group_of_its_name_casts_no_doubt_on_a_container_that_is_confirmed() {
    let mut state = state();
    let own = meet_group(&mut state, 7, 100);
    let mut known = facts(ID, "web", &format!("/docker/{ID}"));
    known.group = 7;
    state.answer_container(ContainerAnswer::Known(known.clone()));
    let fake = meet_group(&mut state, 8, 200);
    assert!(state.is_container_pending(ID.as_bytes()));
    state.answer_container(ContainerAnswer::Known(known));
    assert_eq!(name(&state, &own, 200), Some("web"));
    assert_eq!(name(&state, &fake, 200), None);
    let listed = state.containers();
    let listed = listed.iter().find(|listed| listed.id == ID);
    assert_eq!(listed.expect("it is known").absence, None);
    // Begun anew, it has another.
    let mut again = facts(ID, "web", &format!("/docker/{ID}"));
    again.group = 9;
    let anew = meet_group(&mut state, 9, 300);
    state.answer_container(ContainerAnswer::Known(again));
    assert_eq!(name(&state, &anew, 300), Some("web"));
    let listed = state.containers();
    let listed = listed.iter().find(|listed| listed.id == ID);
    assert_eq!(listed.expect("it is known").absence, None);
}

#[test]
fn containers_whose_ids_begin_alike_are_two() {
    let mut state = state();
    let [one, two] = ["web-frontend-1", "web-frontend-2"];
    let meet = |state: &mut State, id: &str, number: u64| {
        state.number = number;
        let mut version = state.blank(1, 1, number);
        version.cgroup = state.cgroup(format!("{id}\0default\0").as_bytes(), b"", &[]);
        version.known = !crate::state::version::IS_CAPTURED;
        version
    };
    let versions = [meet(&mut state, one, 1), meet(&mut state, two, 2)];
    assert_eq!(state.take_container_lookups().len(), 2);
    for id in [one, two] {
        let root = format!("/default/{id}");
        state.answer_container(ContainerAnswer::Known(facts(id, id, &root)));
    }
    assert_eq!(name(&state, &versions[0], 9), Some(one));
    assert_eq!(name(&state, &versions[1], 9), Some(two));
}

#[test]
fn what_had_no_room_is_asked_about_again_when_there_is() {
    let clock = Clock {
        boot_to_epoch_ns: 1_000,
    };
    let limits = Limits {
        container_bytes_max: FACTS_BYTES_MAX + 4096,
        ..Limits::default()
    };
    let mut state = State::new(limits, clock);
    state.ask_about_containers();
    let own = meet(&mut state, ID, 1);
    let mut large = facts(ID, "web", &format!("/docker/{ID}"));
    large.image = "x".repeat(FACTS_BYTES_MAX / 2).into();
    state.answer_container(ContainerAnswer::Known(large.clone()));
    // Another that takes less is told of.
    let mut other = facts(&"f".repeat(64), "other", "/docker/f");
    other.image = "x".repeat(FACTS_BYTES_MAX / 2 - 64).into();
    state.answer_container(ContainerAnswer::Known(other.clone()));
    other.full_id = "e".repeat(64).into();
    state.answer_container(ContainerAnswer::Known(other));
    assert_eq!(name(&state, &own, 9), None);
    assert_eq!(state.container_absence(&own, 9), Some(Absence::Limit));
    state.take_container_lookups();
    meet(&mut state, ID, 2);
    assert!(
        state.take_container_lookups().is_empty(),
        "there is no room"
    );
    for id in ["e", "f"] {
        state.answer_container(ContainerAnswer::Gone(id.repeat(64).into(), None));
    }
    state.release(u64::MAX);
    let own = meet(&mut state, ID, 3);
    assert_eq!(state.take_container_lookups().len(), 1);
    state.answer_container(ContainerAnswer::Known(large));
    assert_eq!(name(&state, &own, 9), Some("web"));
}

#[test]
fn what_is_too_much_is_left_out_and_said_to_be() {
    let mut state = state();
    let version = meet(&mut state, ID, 1);
    let mut large = facts(ID, "web", &format!("/docker/{ID}"));
    let label = ("key".into(), "x".repeat(FACTS_BYTES_MAX).into());
    large.labels = [label].into_iter().collect();
    assert!(large.cut());
    state.answer_container(ContainerAnswer::Known(large));
    assert_eq!(name(&state, &version, 1), Some("web"));
    assert_eq!(state.container_absence(&version, 1), Some(Absence::Limit));
}

#[test]
fn a_container_is_forgotten_some_time_after_its_last_process() {
    let mut state = state();
    let version = meet(&mut state, ID, 1);
    state.take_container_lookups();
    let root = format!("/docker/{ID}");
    state.answer_container(ContainerAnswer::Known(facts(ID, "web", &root)));
    state.forget_containers(100, 10);
    state.forget_containers(200, 10);
    assert_eq!(name(&state, &version, 2), Some("web"), "a process is in it");
    drop(version);
    state.forget_containers(300, 10);
    assert_eq!(state.containers().len(), 1);
    state.forget_containers(310, 10);
    state.release(u64::MAX);
    assert!(state.containers().is_empty());
    assert_eq!(state.counters.containers_forgotten, 1);
    // One that comes again under that name is another.
    let again = meet(&mut state, ID, 9);
    assert_eq!(state.take_container_lookups().len(), 1);
    assert_eq!(name(&state, &again, 9), None);
}

#[test]
fn outside_of_containers_nothing_is_asked() {
    let mut state = state();
    state.cgroup(b"ssh.service\0system.slice\0", b"", &[]);
    assert!(state.take_container_lookups().is_empty());
    assert_eq!(state.pending_containers(), 0);
    assert_eq!(
        state.version(Seen::NONE.version).map(|version| version.pid),
        None
    );
}

#[test]
fn another_group_at_the_same_path_is_another_containers_until_the_engine_says_so() {
    let mut state = state();
    let mut version = meet(&mut state, ID, 1);
    let mut enter = |state: &mut State, group: u64, number: u64| {
        state.number = number;
        version.cgroup = state.cgroup(&path(ID), b"", &[group]);
        version.clone()
    };
    let own = enter(&mut state, 7, 2);
    let known = |group: u64| {
        let mut facts = facts(ID, "web", &format!("/docker/{ID}"));
        facts.group = group;
        ContainerAnswer::Known(facts)
    };
    state.take_container_lookups();
    state.answer_container(known(7));
    assert_eq!(name(&state, &own, 2), Some("web"));
    // It is asked about again, and the engine says the same.
    let other = enter(&mut state, 8, 3);
    assert_eq!(state.take_container_lookups().len(), 1);
    assert!(state.is_container_pending(ID.as_bytes()));
    state.answer_container(known(7));
    assert_eq!(name(&state, &other, 3), None);
    assert_eq!(
        state.container_absence(&other, 3),
        Some(Absence::Unconfirmed)
    );
    assert_eq!(name(&state, &own, 3), Some("web"));
    // It was begun anew.
    let anew = enter(&mut state, 9, 4);
    assert_eq!(state.take_container_lookups().len(), 1);
    state.answer_container(known(9));
    assert_eq!(name(&state, &anew, 4), Some("web"));
    // Whoever makes groups without end is not asked about without end.
    let mut asked = 0;
    for number in 0..100 {
        enter(&mut state, 1000 + number, 5 + number);
        let lookups = state.take_container_lookups().len();
        if lookups > 0 {
            state.answer_container(known(9));
        }
        asked += lookups;
    }
    assert_eq!(asked, usize::from(DOUBTS_MAX));
}

#[test]
fn a_namespace_told_of_later_names_the_containers_that_run_in_it() {
    let mut state = state();
    let facts = crate::state::facts::ProcessFacts {
        pid: 41,
        start: crate::state::facts::Start::Exact(5),
        comm: b"sh".to_vec(),
        image: Default::default(),
        cwd: b"/".to_vec(),
        ids: Default::default(),
        credentials: Default::default(),
        cgroup: Arc::new(Cgroup::from_proc(
            b"0::/shop/web-1\n",
            &ByPath::default(),
            |_| 0,
        )),
        vm_size: 0,
        vm_rss: 0,
        threads: Vec::new(),
        descriptors: Vec::new(),
    };
    state.seed([facts]);
    assert!(state.take_container_lookups().is_empty());
    state.answer_container(ContainerAnswer::Namespace("shop".into()));
    let lookups = state.take_container_lookups();
    assert_eq!(lookups.len(), 1);
    assert_eq!(&*lookups[0].id, b"web-1");
    let slot = state.live_process(41).expect("it was met");
    let latest = state.processes.get(slot).expect("it is there").latest;
    let version = state.version(latest).expect("it is there");
    assert_eq!(version.container().expect("it is named").whole, b"web-1");
}
