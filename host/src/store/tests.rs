use super::*;
use crate::alert::{Alert, Container, Process, Root, RootKind, Scene};
use crate::outputs::Output;
use saker_rules_schema::manifest::Priority;
use saker_web::alerts::{Acknowledgement, AlertQuery};
use saker_web::incidents::IncidentQuery;
use std::time::Instant;

const LIMITS: Limits = Limits {
    age: Duration::from_secs(3600),
    bytes: 1 << 30,
};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for files of the test")
}

fn opened(folder: &tempfile::TempDir, limits: Limits) -> (Store, Writer) {
    let path = folder.path().join("state/alerts.db");
    Store::open(&path, limits, "h".into()).expect("a folder of the test")
}

/// The alert of that number: every third of another rule, every tenth in a container.
fn numbered(number: u64) -> Alert {
    let mut alert = crate::alert::tests::alert();
    alert.time = now() as u64;
    alert.rule = format!("Rule {}", number % 3);
    alert.priority = Priority::ALL[(number % 8) as usize];
    alert.message = format!("number {number} happened");
    alert.tags = vec![format!("tag{}", number % 5), "all".into()];
    let process = Process {
        pid: 100 + number as u32 % 50,
        name: format!("p{}", number % 50),
        cmdline: format!("p{} --number {number}", number % 50),
        ..Process::default()
    };
    alert.scene = Some(Box::new(Scene {
        event: "openat".into(),
        root: Some(Root {
            kind: RootKind::Service,
            at: 0,
            key: format!("process {}", process.pid),
            below: Vec::new(),
        }),
        processes: vec![process],
        container: number.is_multiple_of(10).then(|| Container {
            id: format!("c{}", number % 100),
            name: format!("web-{}", number % 100),
            namespace: "shop".into(),
            pod: format!("pod-{}", number % 100),
            ..Container::default()
        }),
        ..Scene::default()
    }));
    alert
}

fn write(writer: &mut Writer, numbers: std::ops::Range<u64>) {
    for number in numbers {
        writer.write(&numbered(number)).expect("it is written");
    }
    writer.flush().expect("it is written");
}

/// The questions of the page, each with how many of a hundred alerts answer it.
fn filters() -> Vec<(AlertQuery, usize)> {
    let of = |change: &dyn Fn(&mut AlertQuery)| {
        let mut query = AlertQuery::default();
        change(&mut query);
        query
    };
    let text = |text: &str| Some(text.to_owned());
    vec![
        (of(&|query| query.priority = text("emergency,alert")), 26),
        (of(&|query| query.rule = text("Rule 0")), 34),
        (of(&|query| query.tag = text("tag4")), 20),
        (of(&|query| query.tag = text("none")), 0),
        (of(&|query| query.container = text("c10")), 1),
        (of(&|query| query.container = text("web-10")), 1),
        (of(&|query| query.container = text("host")), 90),
        (of(&|query| query.namespace = text("shop")), 10),
        (of(&|query| query.pod = text("pod-20")), 1),
        (of(&|query| query.process = text("p7")), 2),
        (of(&|query| query.text = text("number happ")), 100),
        (of(&|query| query.text = text("number 42")), 1),
        (of(&|query| query.text = text("\"nothing\" OR *")), 0),
        (of(&|query| query.acknowledged = Some(false)), 100),
        (
            of(&|query| query.from = Some(now() / NS_PER_MS - 3_600_000)),
            100,
        ),
        (
            of(&|query| query.to = Some(now() / NS_PER_MS - 3_600_000)),
            0,
        ),
        (
            of(&|query| {
                query.rule = text("Rule 0");
                query.namespace = text("shop");
                query.text = text("happened");
            }),
            4,
        ),
    ]
}

#[test]
fn alerts_are_found_by_whatever_they_are_looked_for_page_by_page() {
    let folder = folder();
    let (store, mut writer) = opened(&folder, LIMITS);
    write(&mut writer, 0..100);
    for (query, count) in filters() {
        let found = store.alerts(&AlertQuery {
            limit: Some(500),
            ..query.clone()
        });
        assert_eq!(
            found.expect("a sound question").alerts.len(),
            count,
            "{query:?}"
        );
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let asked = AlertQuery {
                limit: Some(7),
                before,
                ..query.clone()
            };
            let page = store.alerts(&asked).expect("a sound question");
            seen.extend(page.alerts.into_iter().map(|alert| alert.id));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), count, "{query:?}");
        assert!(seen.is_sorted_by(|a, b| a > b), "{query:?}: {seen:?}");
    }
    let (skipped, after) = store
        .alerts_after(90, &AlertQuery::default(), 4)
        .expect("a question");
    assert_eq!(skipped, 6);
    assert_eq!(
        after.iter().map(|alert| alert.id).collect::<Vec<_>>(),
        [97, 98, 99, 100]
    );
    assert_eq!(*store.newest().borrow(), 100);
}

#[test]
fn what_people_do_is_counted_where_it_belongs_and_is_there_when_it_is_opened_anew() {
    let folder = folder();
    let (store, mut writer) = opened(&folder, LIMITS);
    write(&mut writer, 0..100);
    let ids = vec![1, 51, 4711];
    let seen = Acknowledgement {
        ids,
        acknowledged: true,
    };
    assert_eq!(store.acknowledge("me", &seen).expect("it is written"), 2);
    assert_eq!(store.acknowledge("me", &seen).expect("it is written"), 0);
    store.comment("me", 1, "seen").expect("it is written");
    assert!(matches!(
        store.comment("me", 4711, "x"),
        Err(Refusal::Unknown(_))
    ));
    drop((store, writer));
    let (store, _writer) = opened(&folder, LIMITS);
    let alert = store.alert(1).expect("it is there");
    assert_eq!(alert.acknowledged_by.as_deref(), Some("me"));
    assert_eq!(alert.comments[0].text, "seen");
    // Number 0 and number 50 are of one process, and nobody else is of it.
    let incident = store.incident(&alert.alert.incident).expect("it is there");
    assert_eq!((incident.incident.alerts, incident.incident.open), (2, 0));
    let open = IncidentQuery {
        acknowledged: Some(false),
        ..IncidentQuery::default()
    };
    assert_eq!(
        store.incidents(&open).expect("a question").incidents.len(),
        49
    );
    let changes = store
        .changes_made(&Default::default())
        .expect("a question")
        .changes;
    assert_eq!(changes.len(), 3);
}

#[test]
fn what_is_too_old_or_too_much_is_given_up_with_all_that_counts_it() {
    let folder = folder();
    let short = Limits {
        age: Duration::from_secs(60),
        ..LIMITS
    };
    let (store, mut writer) = opened(&folder, short);
    let mut old = numbered(1);
    old.time -= 120 * 1_000_000_000;
    writer.write(&old).expect("it is written");
    write(&mut writer, 51..52);
    writer.forget().expect("it is done");
    assert!(matches!(store.alert(1), Err(Refusal::Unknown(_))));
    let left = store.alert(2).expect("it is there");
    let incident = store.incident(&left.alert.incident).expect("it is there");
    assert_eq!(incident.incident.alerts, 1);
    assert_eq!(
        store
            .counters()
            .forgotten
            .load(std::sync::atomic::Ordering::Relaxed),
        1
    );
    drop((store, writer));

    let small = Limits {
        bytes: 400 << 10,
        ..LIMITS
    };
    let (store, mut writer) = opened(&folder, small);
    for round in 0..10 {
        write(&mut writer, round * 500..(round + 1) * 500);
        writer.forget().expect("it is done");
    }
    let standing = store.standing().expect("a question");
    assert!(standing.bytes < 800 << 10, "{standing:?}");
    assert!(
        standing.alerts > 0 && standing.forgotten > 3000,
        "{standing:?}"
    );
}

/// An alert of a chain of processes, the root last.
fn of_chain(keys: &[&str]) -> Alert {
    let mut alert = numbered(1);
    let named = |name: &&str| Process {
        name: (*name).into(),
        cmdline: (*name).into(),
        ..Process::default()
    };
    let (root, below) = keys.split_last().expect("a process");
    alert.scene = Some(Box::new(Scene {
        root: Some(Root {
            kind: RootKind::Service,
            at: below.len(),
            key: (*root).into(),
            below: below.iter().rev().map(|key| (*key).into()).collect(),
        }),
        processes: keys.iter().map(named).collect(),
        ..Scene::default()
    }));
    alert
}

#[test]
fn what_comes_of_one_origin_is_one_incident_once_that_is_known() {
    let folder = folder();
    let (store, mut writer) = opened(&folder, LIMITS);
    let mut write = |keys: &[&str]| {
        writer.write(&of_chain(keys)).expect("it is written");
        writer.flush().expect("it is written");
        let alerts = store.alerts(&AlertQuery::default()).expect("a question");
        alerts.alerts[0].incident.clone()
    };
    let all = || {
        let found = store.incidents(&IncidentQuery::default());
        found.expect("a question").incidents
    };
    // What it came of becomes known step by step, and its first id stays.
    let first = write(&["sh"]);
    assert_eq!(write(&["cat", "sh", "sshd"]), first);
    assert_eq!(write(&["ls", "sshd", "systemd"]), first);
    assert_eq!(
        (all().len(), all()[0].alerts, &*all()[0].title),
        (1, 3, "systemd")
    );
    // Two that were told apart become one, by the id of the older; the other leads to it.
    let other = write(&["worker"]);
    assert_ne!(other, first);
    let ids: Vec<u64> = store
        .incident(&other)
        .expect("it is there")
        .timeline
        .iter()
        .map(|alert| alert.id)
        .collect();
    let seen = Acknowledgement {
        ids: ids.clone(),
        acknowledged: true,
    };
    store.acknowledge("me", &seen).expect("they are there");
    assert_eq!(all().len(), 2);
    assert_eq!(write(&["curl", "worker", "sshd"]), first);
    let joined = all();
    assert_eq!((joined.len(), joined[0].alerts, joined[0].open), (1, 5, 4));
    assert_eq!(joined[0].rules[0].alerts, 5);
    let by_other = store.incident(&other).expect("it leads there");
    assert_eq!(
        (&by_other.incident.id, by_other.timeline.len()),
        (&first, 5)
    );
    let query = AlertQuery {
        incident: Some(other.clone()),
        ..AlertQuery::default()
    };
    assert_eq!(store.alerts(&query).expect("a question").alerts.len(), 5);
    // What was told of the other is told of the one.
    let again = Acknowledgement {
        ids,
        acknowledged: false,
    };
    store.acknowledge("me", &again).expect("they are there");
    assert_eq!(all()[0].open, 5);
    assert_eq!(write(&["worker"]), first);
    // Another origin is another incident.
    assert_ne!(write(&["cron"]), first);
}

#[test]
fn a_file_that_is_another_programs_or_anybodys_is_not_used() {
    let folder = folder();
    let path = folder.path().join("other.db");
    let open = || Store::open(&path, LIMITS, "h".into()).map(drop);
    std::fs::write(
        &path,
        "this is no database, and long enough to be looked at as one",
    )
    .expect("a folder of the test");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
    assert!(open().is_err());
    std::fs::remove_file(&path).expect("ours");
    let other = Connection::open(&path).expect("a folder of the test");
    other.execute_batch("CREATE TABLE mine (x)").expect("ours");
    drop(other);
    assert!(matches!(open(), Err(Unfit::Foreign)));
    std::fs::remove_file(&path).expect("ours");
    open().expect("a folder of the test");
    let later = Connection::open(&path).expect("ours");
    later
        .pragma_update(None, "user_version", 1000)
        .expect("ours");
    drop(later);
    assert!(matches!(open(), Err(Unfit::Later(1000, _))));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("ours");
    assert!(matches!(open(), Err(Unfit::Writable(0o666))));
    std::fs::remove_file(&path).expect("ours");
    std::os::unix::fs::symlink("/etc/hostname", &path).expect("ours");
    assert!(matches!(open(), Err(Unfit::Closed(_))));
}

/// Says for each question how long it takes among a million alerts. In a release build none takes
/// 100 ms.
#[test]
#[ignore = "takes minutes"]
fn a_million_alerts_are_searched_by_any_filter_in_no_time() {
    let folder = folder();
    let (store, mut writer) = opened(
        &folder,
        Limits {
            bytes: 1 << 40,
            ..LIMITS
        },
    );
    let began = Instant::now();
    for number in 0..1_000_000 {
        writer.write(&numbered(number)).expect("it is written");
    }
    writer.flush().expect("it is written");
    let standing = store.standing().expect("a question");
    println!("written in {:?}: {standing:?}", began.elapsed());
    let mut slowest = Duration::ZERO;
    for (query, _) in filters() {
        // Others use the machine as well: the best of three.
        let tries = (0..3).map(|_| {
            let began = Instant::now();
            let found = store.alerts(&query).expect("a sound question").alerts.len();
            (began.elapsed(), found)
        });
        let (taken, found) = tries.min().expect("three");
        slowest = slowest.max(taken);
        println!("{taken:>12?} {found:>4} of {query:?}");
    }
    assert!(slowest < Duration::from_millis(100), "{slowest:?}");
}
