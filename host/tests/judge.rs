//! A judge that is a process of its own: what it answers, what it may do, and what becomes of
//! windows when it dies or makes no sense.

use saker::modules::rulesets::Rulesets;
use saker::modules::{Epoch, Selection};
use saker::sandbox::{
    FailureKind, FromJudge, Judge, JudgeProcess, Limits, RulesetImage, SpawnError, Standing,
    ToJudge,
};
use saker_rules_compiler::{Options, Source};
use saker_shm::window::{Filled, Window};
use std::fs::read_to_string;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_saker");
const ROW: usize = 40;

fn ruleset() -> Vec<RulesetImage> {
    let source = Source {
        name: "rules.yaml".into(),
        text: "- {rule: r, desc: d, condition: evt.type = connect, output: o, priority: INFO}"
            .into(),
    };
    let made = Rulesets::default().module("rules", &[source], &Options::default());
    let module = made.0.expect("a good rule");
    Epoch::new(1, vec![module], Selection::default()).images()
}

/// Rows of no event type that a rule is about.
fn fill(window: &Window) -> Filled {
    let mut slot = window.claim().expect("a free slot");
    for _ in 0..100 {
        slot.rest()[..4].copy_from_slice(&(ROW as u32).to_le_bytes());
        slot.commit(ROW);
    }
    slot.close()
}

fn apart(window: &Window, process: JudgeProcess) -> Result<Judge, SpawnError> {
    Judge::spawn_apart(window.fd(), Limits::default(), Arc::default(), process)
}

fn install(judge: &mut Judge, epoch: u32) -> FromJudge {
    let rulesets = ruleset();
    let install = ToJudge::Install { epoch, rulesets };
    judge.send(install).expect("room");
    judge.blocking_receive().expect("an answer")
}

fn send(judge: &mut Judge, window: u64, epoch: u32, filled: &Filled) {
    let message = ToJudge::Judge {
        window,
        epoch,
        ruleset: 0,
        slot: filled.slot(),
        first: filled.range().start,
        end: filled.range().end,
        rows: 100,
    };
    judge.send(message).expect("room");
}

fn pid(judge: &Judge) -> u32 {
    judge
        .standing()
        .and_then(|standing| standing.pid)
        .expect("a process")
}

fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid as i32).expect("a process");
    rustix::process::kill_process(pid, signal).expect("it is ours");
}

#[test]
fn a_killed_judge_costs_its_windows_in_flight_and_another_is_there_within_a_second() {
    let window = Window::create(4).expect("memory");
    let mut judge = apart(&window, JudgeProcess::by(PROGRAM)).expect("a process");
    assert_eq!(install(&mut judge, 1), FromJudge::Installed { epoch: 1 });
    let filled = fill(&window);
    let (mut next, mut answered, mut died) = (0, Vec::new(), 0);
    for death in 1..=3 {
        let until = next + 2_000;
        let mut killed = None;
        while answered.len() < until as usize {
            while next < until && next - (answered.len() as u64) < 4 {
                send(&mut judge, next, 1, &filled);
                next += 1;
            }
            if next == until - 1_000 && killed.is_none() {
                kill(pid(&judge), rustix::process::Signal::KILL);
                killed = Some(Instant::now());
            }
            match judge.blocking_receive().expect("an answer") {
                FromJudge::Judged { window, .. } => answered.push(window),
                FromJudge::Failed { window, kind, .. } => {
                    assert_eq!(kind, FailureKind::Died);
                    answered.push(window);
                    died += 1;
                }
                other => panic!("{other:?}"),
            }
            if let Some(at) = killed
                && judge
                    .standing()
                    .is_some_and(|now| now.pid.is_some() && now.restarts == death)
            {
                assert!(at.elapsed() < Duration::from_secs(1), "{:?}", at.elapsed());
                killed = None;
                println!("back after {:?}", at.elapsed());
            }
        }
    }
    // Every window was answered once, and no more were lost than were in flight.
    answered.sort_unstable();
    assert!(answered.into_iter().eq(0..next));
    assert!(died <= 3 * 4, "{died}");
    println!("{died} windows died");
}

#[test]
fn it_has_no_rights_while_it_judges_and_ends_with_who_started_it() {
    let window = Window::create(1).expect("memory");
    let mut judge = apart(&window, JudgeProcess::by(PROGRAM)).expect("a process");
    assert_eq!(install(&mut judge, 1), FromJudge::Installed { epoch: 1 });
    let pid = pid(&judge);
    let said = |line: &str| {
        let text = read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let found = text.lines().find_map(|text| text.strip_prefix(line));
        found.unwrap_or_default().trim().to_string()
    };
    assert_eq!(said("Seccomp:"), "2");
    assert_eq!(said("NoNewPrivs:"), "1");
    for set in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"] {
        assert_eq!(said(set), "0000000000000000", "{set}");
    }
    if rustix::process::geteuid().is_root() {
        // A user of its own.
        let user = 0x7fff_0000 + pid % 65_536;
        for line in ["Uid:", "Gid:"] {
            assert_eq!(said(line), vec![user.to_string(); 4].join("\t"), "{line}");
        }
        assert_eq!(said("Groups:"), "");
    }
    // All threads have the filter, and nothing is open but what it was given.
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))
        .expect("it lives")
        .flatten()
    {
        let status = read_to_string(thread.path().join("status")).expect("it lives");
        assert!(status.contains("Seccomp:\t2"), "{status}");
    }
    if rustix::process::geteuid().is_root() {
        for file in std::fs::read_dir(format!("/proc/{pid}/fd"))
            .expect("it lives")
            .flatten()
        {
            let to = std::fs::read_link(file.path()).expect("it lives");
            let to = to.display().to_string();
            let is_given = [
                "socket:",
                "/dev/null",
                "/memfd:saker-",
                "anon_inode:[eventfd]",
            ];
            assert!(is_given.iter().any(|given| to.starts_with(given)), "{to}");
        }
    }
    drop(judge);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn what_is_not_this_program_judges_nothing() {
    let window = Window::create(1).expect("memory");
    for program in ["/nonexistent", "/bin/false"] {
        let none = apart(&window, JudgeProcess::by(program));
        assert!(
            matches!(none, Err(SpawnError::Process(_))),
            "{program}: {none:?}"
        );
    }
}

#[test]
fn a_judge_that_says_nothing_is_given_up() {
    let window = Window::create(1).expect("memory");
    let process = JudgeProcess {
        silent_after: Duration::from_millis(300),
        ..JudgeProcess::by(PROGRAM)
    };
    let mut judge = apart(&window, process).expect("a process");
    assert_eq!(install(&mut judge, 1), FromJudge::Installed { epoch: 1 });
    let filled = fill(&window);
    let stopped = format!("/proc/{}/status", pid(&judge));
    kill(pid(&judge), rustix::process::Signal::STOP);
    while !read_to_string(&stopped)
        .expect("it lives")
        .contains("State:\tT")
    {
        std::thread::sleep(Duration::from_millis(1));
    }
    send(&mut judge, 1, 1, &filled);
    let answer = judge.blocking_receive().expect("an answer");
    let FromJudge::Failed { kind, message, .. } = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(kind, FailureKind::Died);
    assert!(message.contains("nothing for too long"), "{message}");
    send(&mut judge, 2, 1, &filled);
    let answer = judge.blocking_receive().expect("an answer");
    assert!(
        matches!(answer, FromJudge::Judged { window: 2, .. }),
        "{answer:?}"
    );
    let standing = judge.standing();
    assert!(
        matches!(standing, Some(Standing { restarts: 1, .. })),
        "{standing:?}"
    );
}

#[test]
fn epochs_that_are_retired_are_freed_and_windows_sent_before_are_judged() {
    let window = Window::create(1).expect("memory");
    let mut judge = apart(&window, JudgeProcess::by(PROGRAM)).expect("a process");
    let filled = fill(&window);
    let mut maps = Vec::new();
    for epoch in 1..=200 {
        assert_eq!(install(&mut judge, epoch), FromJudge::Installed { epoch });
        send(&mut judge, epoch.into(), epoch, &filled);
        judge.send(ToJudge::Retire { epoch }).expect("room");
        let answer = judge.blocking_receive().expect("an answer");
        assert!(matches!(answer, FromJudge::Judged { .. }), "{answer:?}");
        let text = read_to_string(format!("/proc/{}/maps", pid(&judge)));
        maps.push(text.expect("it lives").lines().count());
    }
    // No judge keeps more than 64, and this one keeps one.
    assert!(maps[199] <= maps[20] + 20, "{maps:?}");
    assert_eq!(judge.standing().map(|standing| standing.restarts), Some(0));
}

/// Where the process has the line in its memory.
fn line_of(pid: u32) -> Vec<std::ops::Range<u64>> {
    let maps = read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let lines = maps.lines().filter(|map| map.contains("/memfd:saker-line"));
    let range = |map: &str| {
        let (begin, rest) = map.split_once('-')?;
        let (end, _) = rest.split_once(' ')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some(number(begin)?..number(end)?)
    };
    lines.filter_map(range).collect()
}

#[test]
fn whatever_a_judge_that_was_taken_over_says_every_window_is_answered_once_and_within_its_bounds() {
    const WINDOWS: u64 = 300;
    let window = Window::create(4).expect("memory");
    let filled = fill(&window);
    let (mut judged, mut died, mut deaths) = (0, 0, 0);
    for seed in 1..=40_u64 {
        let process = JudgeProcess {
            silent_after: Duration::from_millis(200),
            ..JudgeProcess::by(PROGRAM)
        };
        let mut judge = apart(&window, process).expect("a process");
        assert_eq!(install(&mut judge, 1), FromJudge::Installed { epoch: 1 });
        let pid = pid(&judge);
        let memory = std::fs::File::options()
            .write(true)
            .open(format!("/proc/{pid}/mem"));
        let memory = memory.expect("it is ours");
        let lines = line_of(pid);
        assert!(!lines.is_empty());
        // What it was taught to say: words at random, large, small, and those of answers.
        let liar = std::thread::spawn(move || {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut random = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state
            };
            // Until the process is no more.
            loop {
                let line = &lines[random() as usize % lines.len()];
                let words = (line.end - line.start) / 8;
                // Positions lie at the beginning of the queues, heads behind them.
                let word = match random() % 3 {
                    0 => random() % 64,
                    1 => random() % 1024,
                    _ => random() % words,
                };
                let value = match random() % 4 {
                    0 => random(),
                    1 => random() % 16,
                    2 => (random() % 16) | ((random() % 16) << 32),
                    _ => u64::MAX - random() % 16,
                };
                let at = line.start + word.min(words - 1) * 8;
                let written =
                    std::os::unix::fs::FileExt::write_at(&memory, &value.to_le_bytes(), at);
                if written.is_err() || written.is_ok_and(|bytes| bytes == 0) {
                    return;
                }
            }
        });
        let (mut next, mut open) = (0, std::collections::BTreeSet::new());
        while next < WINDOWS || !open.is_empty() {
            while next < WINDOWS && open.len() < 4 {
                send(&mut judge, next, 1, &filled);
                open.insert(next);
                next += 1;
            }
            match judge.blocking_receive().expect("an answer") {
                FromJudge::Judged {
                    window,
                    epoch,
                    ruleset,
                    slot,
                    rows,
                    hits,
                    ..
                } => {
                    assert!(open.remove(&window), "{window}");
                    assert_eq!((epoch, ruleset, slot, rows), (1, 0, filled.slot(), 100));
                    for hit in hits {
                        assert!(
                            filled.range().contains(&hit.row) && hit.rule == 0,
                            "{hit:?}"
                        );
                    }
                    judged += 1;
                }
                FromJudge::Failed { window, .. } => {
                    assert!(open.remove(&window), "{window}");
                    died += 1;
                }
                FromJudge::Quarantined { epoch, ruleset } => assert_eq!((epoch, ruleset), (1, 0)),
                other => panic!("{other:?}"),
            }
        }
        deaths += judge.standing().map_or(0, |standing| standing.restarts);
        drop(judge);
        liar.join().expect("it ends with the process");
    }
    println!("{judged} windows judged, {died} not, {deaths} judges killed");
    // Most lies cannot be.
    assert!(
        deaths > 10 && judged > 0 && died > 0,
        "{deaths} {judged} {died}"
    );
}
