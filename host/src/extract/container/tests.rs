//! Containers of captured events: what is shown of them, and from when until when.

use super::super::{Scratch, Value, View, value};
use crate::event::captured::write;
use crate::event::{Captured, Clock, Event};
use crate::state::version::VersionIndex;
use crate::state::{Limits, Seen, State};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{Field, FieldRef};

const ID: &str = "3fa4c2d17be09a5586d1f0c4e2b7a9833fa4c2d17be09a5586d1f0c4e2b7a983";
const SHORT: &str = "3fa4c2d17be0";

/// A capture with one thread, 7.
struct Machine {
    state: State,
    events: Vec<(Vec<u8>, Seen)>,
}

impl Machine {
    fn new(limits: Limits) -> Machine {
        Machine {
            state: State::new(limits, Clock::default()),
            events: Vec::new(),
        }
    }

    /// Applies an event and tells its number.
    fn event(&mut self, kind: EventType, tid: i64, params: &[&[u8]]) -> u64 {
        let number = self.events.len() as u64 + 1;
        let mut bytes = Vec::new();
        let param = |index: usize| params[index];
        write(
            kind,
            0,
            number * 1_000,
            tid,
            params.len(),
            param,
            &mut bytes,
        );
        let event = Captured::parse(&bytes, number).expect("it was just written");
        let seen = self.state.apply(&Event::Captured(event));
        self.events.push((bytes, seen));
        number
    }

    /// The thread executes something in that control group.
    fn exec_in(&mut self, cgroup: &str) -> u64 {
        let number = 7i64.to_le_bytes();
        let result = 0i64.to_le_bytes();
        let cgroups = format!("memory={cgroup}\0");
        let mut params: Vec<&[u8]> = vec![&[]; 31];
        params[0] = &result;
        params[1] = b"/bin/sh\0";
        params[3] = &number;
        params[4] = &number;
        params[14] = cgroups.as_bytes();
        self.event(EventType::Execve, 7, &params)
    }

    /// The recorder tells of a container.
    fn told(&mut self, name: &str, json: &str) -> u64 {
        let (name, json) = (format!("{name}\0"), format!("{json}\0"));
        let params: [&[u8]; 3] = [&[0; 4], name.as_bytes(), json.as_bytes()];
        self.event(EventType::Asyncevent, 0, &params)
    }

    fn shown(&self, number: u64, field: &str) -> String {
        let (bytes, seen) = &self.events[number as usize - 1];
        let event = Event::Captured(Captured::parse(bytes, number).expect("it was parsed before"));
        let view = View::new(&event, &self.state, *seen);
        let field = FieldRef::parse(field).expect("the field exists");
        let mut scratch = Scratch::new();
        match value(&field, &view, &mut scratch) {
            None => "-".into(),
            Some(Value::Text(text)) => String::from_utf8_lossy(text).into_owned(),
            Some(Value::Bool(flag)) => flag.to_string(),
            Some(other) => format!("{other:?}"),
        }
    }

    #[track_caller]
    fn shows(&self, number: u64, expected: &[(&str, &str)]) {
        for (field, text) in expected {
            assert_eq!(
                self.shown(number, field),
                *text,
                "{field} of event {number}"
            );
        }
    }
}

fn json(rest: &str) -> String {
    format!(r#"{{"container":{{"type":0,"id":"{SHORT}","full_id":"{ID}"{rest}}}}}"#)
}

fn machine() -> Machine {
    Machine::new(Limits::default())
}

#[test]
fn the_host_is_a_container_of_that_name_and_nothing_more() {
    let mut machine = machine();
    let exec = machine.exec_in("/");
    machine.shows(
        exec,
        &[
            ("container.id", "host"),
            ("container.full_id", "host"),
            ("container.name", "host"),
            ("container.type", "host"),
            ("container.image", ""),
            ("container.image.repository", ""),
            ("container.privileged", "false"),
            ("container.mounts", ""),
            ("container.mount[0]", "-"),
            ("container.labels", ""),
            ("container.label[tier]", "-"),
            ("container.start_ts", "-"),
            ("container.duration", "-"),
            ("k8s.pod.name", "-"),
            ("k8s.pod.labels", ""),
            ("k8s.pod.ip", ""),
        ],
    );
}

#[test]
fn a_field_is_as_of_its_event_however_late_it_is_asked_for() {
    let mut machine = machine();
    let before = machine.exec_in(&format!("/docker/{ID}"));
    machine.told("container", &json(r#","name":"web","image":"shop:2""#));
    let known = machine.exec_in(&format!("/docker/{ID}"));
    machine.told("container", &json(r#","name":"web","ip":"10.0.0.7""#));
    let addressed = machine.exec_in(&format!("/docker/{ID}"));
    let removed = machine.told("container_removed", &json(r#","image":"shop:2""#));
    let after = machine.exec_in(&format!("/docker/{ID}"));
    for (number, name, image, ip) in [
        (before, "-", "-", "-"),
        (known, "web", "shop:2", ""),
        (addressed, "web", "", "10.0.0.7"),
        (removed, "", "shop:2", ""),
        (after, "-", "-", "-"),
    ] {
        machine.shows(
            number,
            &[
                ("container.id", SHORT),
                ("container.full_id", if name == "-" { "-" } else { ID }),
                ("container.type", if name == "-" { "-" } else { "docker" }),
                ("container.name", name),
                ("container.image", image),
                ("container.ip", ip),
            ],
        );
    }
}

#[test]
fn an_event_that_tells_of_a_container_shows_it_and_no_process() {
    let mut machine = machine();
    let told = machine.told("container", &json(r#","name":"web","host_pid":true"#));
    let expected = [
        ("container.id", SHORT),
        ("container.name", "web"),
        ("container.host_pid", "true"),
        ("container.host_ipc", "false"),
        ("container.start_ts", "-"),
        ("container.duration", "-"),
    ];
    machine.shows(told, &expected);
    let old_form = machine.event(
        EventType::Container,
        7,
        &[json(r#","name":"db""#).as_bytes()],
    );
    machine.shows(
        old_form,
        &[("container.name", "db"), ("container.id", SHORT)],
    );
    for field in Field::ALL {
        let name = field.name();
        if field.arg() == saker_rules_schema::field::ArgKind::None
            && ["proc.", "user.", "group.", "fd."]
                .iter()
                .any(|group| name.starts_with(group))
        {
            machine.shows(told, &[(name, "-")]);
        }
    }
    for other in [
        machine.told("useradded", &json("")),
        machine.told("container", "{"),
        machine.told("container", r#"{"container":{"id":7}}"#),
    ] {
        machine.shows(other, &[("container.id", "-"), ("container.name", "-")]);
    }
    assert_eq!(machine.state.counters.containers_unreadable, 2);
}

#[test]
fn mounts_and_labels_are_found_by_number_and_by_name() {
    let mut machine = machine();
    let told = machine.told(
        "container",
        &json(
            r#","labels":{"tier":"back end","7":"seven","empty":"","io.kubernetes.pod.name":"p"},
            "Mounts":[{"Source":"/srv/a","Destination":"/data","Mode":"ro","RW":false},
                {"Source":"/srv/b","Destination":"/db","RW":true,"Propagation":"rslave"}]"#,
        ),
    );
    machine.shows(
        told,
        &[
            (
                "container.mounts",
                "/srv/a:/data:ro:false:,/srv/b:/db::true:rslave",
            ),
            ("container.mount[1]", "/srv/b:/db::true:rslave"),
            ("container.mount[2]", "-"),
            ("container.mount[/srv]", "/srv/a:/data:ro:false:"),
            ("container.mount.source[/db]", "/srv/b"),
            ("container.mount.source[/srv]", "-"),
            ("container.mount.dest[/srv/.$]", "/data"),
            ("container.mount.mode[0]", "ro"),
            ("container.mount.rdwr[/b]", "true"),
            ("container.mount.rdwr[0]", "false"),
            ("container.mount.propagation[1]", "rslave"),
            // What is no regular expression finds nothing.
            ("container.mount.dest[*]", "-"),
            ("container.labels", "7:seven, empty, tier:back end"),
            ("container.label[tier]", "back end"),
            ("container.label[7]", "seven"),
            ("container.label[empty]", ""),
            ("container.label[none]", "-"),
        ],
    );
}

#[test]
fn a_pod_is_known_by_labels_and_by_its_sandbox() {
    let mut machine = machine();
    let sandbox = "77aa55cc33ee".repeat(4);
    let labels = r#""labels":{"io.kubernetes.pod.name":"shop-1",
        "io.kubernetes.pod.namespace":"prod","io.kubernetes.pod.uid":"u-1"}"#;
    let own = format!(r#",{labels},"pod_sandbox_id":"{sandbox}","pod_sandbox_labels":{{"a":"1"}}"#);
    machine.told("container", &json(&own));
    let before = machine.exec_in(&format!("/docker/{ID}"));
    machine.told(
        "container",
        r#"{"container":{"id":"77aa55cc33ee","ip":"10.1.0.2","cni_json":"{}",
            "is_pod_sandbox":true,"pod_sandbox_labels":{"app":"shop"}}}"#,
    );
    let after = machine.exec_in(&format!("/docker/{ID}"));
    for number in [before, after] {
        machine.shows(
            number,
            &[
                ("k8s.pod.name", "shop-1"),
                ("k8s.ns.name", "prod"),
                ("k8s.pod.id", "u-1"),
                ("k8s.pod.uid", "u-1"),
                ("k8s.pod.sandbox_id", "77aa55cc33ee"),
                ("k8s.pod.full_sandbox_id", &sandbox),
                ("k8s.pod.label[a]", "1"),
                ("container.labels", ""),
            ],
        );
    }
    let of_sandbox = |number: u64| {
        [
            "k8s.pod.ip",
            "k8s.pod.cni.json",
            "k8s.pod.labels",
            "k8s.pod.label[app]",
        ]
        .map(|field| machine.shown(number, field))
    };
    assert_eq!(of_sandbox(before), ["-", "-", "a:1", "-"]);
    assert_eq!(of_sandbox(after), ["10.1.0.2", "{}", "app:shop", "shop"]);
}

#[test]
fn a_container_without_an_engine_to_ask_is_known_at_once() {
    let mut machine = machine();
    let exec = machine.exec_in("/lxc/frontend-canary/system.slice");
    machine.shows(
        exec,
        &[
            ("container.id", "frontend-canary"),
            ("container.type", "lxc"),
            ("container.name", ""),
            ("container.full_id", ""),
        ],
    );
}

#[test]
fn what_is_told_of_containers_is_bounded_and_freed() {
    let limits = Limits {
        containers_max: 8,
        container_bytes_max: 1 << 16,
        versions_max: 16,
        ..Limits::default()
    };
    let mut machine = Machine::new(limits);
    for number in 0..200 {
        let label = "x".repeat(number * 10);
        let told = machine.told(
            "container",
            &format!(
                r#"{{"container":{{"id":"c{number}","name":"n","labels":{{"l":"{label}"}}}}}}"#
            ),
        );
        let seen = machine.events[told as usize - 1].1;
        // Without room for what the event itself shows, that is counted.
        if seen.told == VersionIndex::NONE {
            machine.shows(told, &[("container.name", "-")]);
        } else {
            machine.shows(told, &[("container.name", "n")]);
        }
    }
    let counters = machine.state.counters;
    assert_eq!(counters.containers_evicted, 192);
    assert_eq!(counters.containers_refused, 200 - 16);
    machine.state.release(u64::MAX);
    let again = machine.told("container", &json(r#","name":"web""#));
    machine.shows(again, &[("container.name", "web")]);
    assert_eq!(machine.state.counters.containers_refused, 200 - 16);
}
