//! The whole path from records to alerts over a made-up machine: what must come out the same,
//! however the work is cut into windows, whoever misbehaves, and whatever is swapped meanwhile.

use saker::alert::{Alert, Format};
use saker::config::Matching;
use saker::event::Clock;
use saker::modules::{Epoch, Module, Selection};
use saker::pipeline::contest::{By, Contest, EXAMPLES_MAX};
use saker::pipeline::{Pipeline, Setup};
use saker::sandbox::{Budget, Judge, Limits};
use saker::source::merge::Batch;
use saker::source::synthetic::{Options as Machine, Synthetic};
use saker::state::State;
use saker::state::facts::{Image, ProcessFacts, Start};
use saker::state::version::{Credentials, Ids};
use saker_ebpf::record::{Builder, File, Header, Kind, Tag};
use saker_rules_compiler::{Options, Source, compile};
use saker_rules_schema::abi;
use saker_rules_schema::event::EventType;
use saker_rules_schema::manifest::{EventLayout, Manifest, Priority, Rule};
use saker_shm::window::Window;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Rules that hit often, ask for all kinds of fields, and overlap.
const RULES: &str = r#"
- list: shells
  items: [bash, sh, dash]
- macro: opened
  condition: (evt.type = openat and fd.num >= 0)
- rule: file opened for writing below var
  desc: d
  condition: opened and evt.is_open_write=true and fd.name startswith /var/
  output: "%evt.num %fd.name %proc.name %proc.pname %proc.aname[2] %proc.cmdline %user.uid"
  priority: WARNING
- rule: passwd opened by a child of a shell
  desc: d
  condition: opened and fd.name = /etc/passwd and proc.aname in (shells)
  output: "%evt.num %proc.pid %proc.ppid %proc.pcmdline %proc.exepath"
  priority: NOTICE
- rule: service started
  desc: d
  condition: evt.type = execve and proc.name in (java, python3) and proc.args contains /srv/app
  output: "%evt.num %proc.cmdline %proc.cwd %proc.pname"
  priority: INFO
- rule: connection to https
  desc: d
  condition: evt.type = connect and fd.sport = 443 and not proc.name in (shells)
  output: "%evt.num %fd.name %fd.l4proto %proc.name"
  priority: DEBUG
"#;

/// Of a thousand events this wants one or so.
const RARE: &str = r#"
- rule: service started
  desc: d
  condition: evt.type = execve and proc.name = java
  output: "%evt.num"
  priority: INFO
"#;

const CLOCK: Clock = Clock {
    boot_to_epoch_ns: 1_750_000_000_000_000_000,
};

/// A made-up machine with that many processes.
fn machine(seed: u64, processes: usize) -> Synthetic {
    Synthetic::new(Machine { seed, processes })
}

fn module(rules: &str) -> Module {
    let sources = [Source {
        name: "test.yaml".into(),
        text: rules.into(),
    }];
    let compilation = compile(&sources, &Options::default());
    let said = saker_rules_compiler::render(&compilation.diagnostics, &sources, false);
    let ruleset = compilation.ruleset.unwrap_or_else(|| panic!("{said}"));
    Module::compiled("test.yaml", ruleset.wasm).expect("our own modules are valid")
}

fn epoch(id: u32, modules: Vec<Module>) -> Epoch {
    Epoch::new(
        id,
        modules,
        Selection {
            priority: Priority::Debug,
            matching: Matching::All,
            ..Selection::default()
        },
    )
}

/// A pipeline and the alerts that came out of it.
struct Run {
    pipeline: Pipeline,
    alerts: Rc<RefCell<Vec<Alert>>>,
}

impl Run {
    fn new(modules: Vec<Module>, rows_max: usize, limits: Limits) -> Run {
        Run::of(
            State::new(Default::default(), CLOCK),
            modules,
            rows_max,
            limits,
        )
    }

    fn of(state: State, modules: Vec<Module>, rows_max: usize, limits: Limits) -> Run {
        let window = Window::create(4).expect("memory");
        let judge = Judge::spawn(window.fd(), limits).expect("threads");
        let alerts = Rc::new(RefCell::new(Vec::new()));
        let sink = alerts.clone();
        let setup = Setup {
            state,
            window,
            judge,
            rows_max,
            alerts: Box::new(move |alert| sink.borrow_mut().push(alert)),
        };
        let pipeline = Pipeline::new(setup, epoch(1, modules)).expect("good modules");
        Run { pipeline, alerts }
    }

    fn push(&mut self, source: &mut Synthetic, records: usize) {
        let mut batch = Batch::new();
        source.fill(&mut batch, records);
        self.pipeline
            .push(&Rc::new(batch))
            .expect("the judge lives");
    }

    fn lines(&mut self) -> Vec<String> {
        self.pipeline.drain().expect("the judge lives");
        let format = Format {
            json: true,
            ..Format::default()
        };
        self.alerts
            .borrow()
            .iter()
            .map(|alert| alert.line(&format, "host"))
            .collect()
    }
}

fn lines_of(modules: Vec<Module>, rows_max: usize, limits: Limits) -> Vec<String> {
    let mut run = Run::new(modules, rows_max, limits);
    let mut source = machine(42, 60);
    for _ in 0..20 {
        run.push(&mut source, 1_000);
    }
    run.lines()
}

/// A module may ask its rules in any order: here those that always hold before the one between
/// them.
#[test]
fn rules_of_one_event_alert_in_their_order_and_none_is_lost() {
    let rule = |name: &str, condition: &str| {
        format!(
            "- rule: {name}\n  desc: d\n  condition: {condition}\n  output: o\n  priority: INFO\n"
        )
    };
    let rules = [
        rule("first", "evt.type = openat and evt.num >= 1"),
        rule("second", "evt.type = openat and fd.name = /etc/passwd"),
        rule("third", "evt.type = openat and evt.source = syscall"),
    ];
    let mut run = Run::new(vec![module(&rules.concat())], 64, Limits::default());
    run.push(&mut machine(42, 60), 4_000);
    run.lines();
    assert_eq!(run.pipeline.counters().hits_lost, 0);
    let alerts = run.alerts.borrow();
    let names: Vec<&str> = alerts.iter().map(|alert| alert.rule.as_str()).collect();
    let all = names
        .windows(3)
        .filter(|all| *all == ["first", "second", "third"]);
    let second = names.iter().filter(|name| **name == "second").count();
    assert!(second > 10, "{second}");
    assert_eq!(all.count(), second);
}

#[test]
fn windows_of_1_7_and_4096_rows_give_the_same_alerts_to_the_byte() {
    let expected = lines_of(vec![module(RULES)], 4096, Limits::default());
    for rule in ["var", "shell", "service started", "https"] {
        let count = expected.iter().filter(|line| line.contains(rule)).count();
        assert!(count > 20, "{count} alerts of the rule with `{rule}`");
    }
    for rows_max in [1, 7] {
        let lines = lines_of(vec![module(RULES)], rows_max, Limits::default());
        assert!(
            lines == expected,
            "windows of {rows_max} rows: other alerts"
        );
    }
    let two_threads = Limits {
        threads: 2,
        ..Limits::default()
    };
    assert!(
        lines_of(vec![module(RULES)], 7, two_threads) == expected,
        "two threads"
    );
}

/// Else all batches since the first row would be kept until there are rows enough.
#[test]
fn rows_that_are_few_and_far_between_are_judged_before_there_is_a_windowful() {
    let mut run = Run::new(vec![module(RARE)], 4096, Limits::default());
    let mut source = machine(42, 60);
    for _ in 0..40 {
        run.push(&mut source, 1_000);
    }
    let counters = run.pipeline.counters();
    assert!(counters.rows > 0 && counters.rows < 4096, "{counters:?}");
    assert!(counters.windows >= 3, "{counters:?}");
}

#[test]
fn a_command_line_too_long_to_be_recorded_is_counted_once_and_costs_no_rows() {
    let rules = |part: &str| {
        let condition = format!("evt.type = openat and proc.cmdline contains {part}");
        module(&format!(
            "- {{rule: r, desc: d, condition: {condition}, output: o, priority: INFO}}"
        ))
    };
    let run = |part: &str| {
        let mut state = State::new(Default::default(), CLOCK);
        let image = Image {
            arguments: b"loop\0--mode=fast"[..].into(),
            is_cut: true,
            ..Image::default()
        };
        state.seed([ProcessFacts {
            pid: 500,
            start: Start::Exact(1),
            comm: "loop".into(),
            image,
            cwd: b"/".to_vec(),
            ids: Ids::default(),
            credentials: Credentials::default(),
            cgroup: Default::default(),
            vm_size: 0,
            vm_rss: 0,
            threads: Vec::new(),
            descriptors: Vec::new(),
        }]);
        let mut run = Run::of(state, vec![rules(part)], 64, Limits::default());
        for time in 1..=200 {
            let mut batch = Batch::new();
            batch.push(&opened(time));
            run.pipeline.push(&Rc::new(batch)).expect("the judge lives");
        }
        let alerts = run.lines().len();
        let counters = run.pipeline.counters();
        (alerts, counters.rows, counters.rows_truncated)
    };
    assert_eq!(run("--evil"), (0, 0, 1));
    // One that is wanted has its rows, and each window one of the process.
    assert_eq!(run("--mode"), (200, 200, 200_u64.div_ceil(64)));
}

/// A file is opened by process 500.
fn opened(time: u64) -> Vec<u8> {
    let mut file = Vec::new();
    File::default().write(&mut file);
    let header = Header {
        len: 0,
        kind: Kind::Syscall,
        cpu: 0,
        sequence: 1,
        time,
        start_time: 1,
        cgroup: 1,
        tid: 500,
        tgid: 500,
        syscall: libc::SYS_openat as u16,
        flags: 0,
        ret: 3,
        args: [0; 6],
    };
    Builder::new(&header)
        .piece(Tag::File, 0, &file)
        .piece(Tag::FilePath, 0, b"file\0srv\0")
        .finish()
}

#[test]
fn under_first_matching_an_event_has_one_alert() {
    let both = "
- {rule: a, desc: d, condition: evt.type = connect, output: 'a %evt.num', priority: INFO}
- {rule: b, desc: d, condition: 'evt.type in (connect, execve)', output: 'b %evt.num', priority: INFO}
";
    let count = |matching| {
        let mut run = Run::new(vec![], 64, Limits::default());
        let selection = Selection {
            priority: Priority::Debug,
            matching,
            ..Selection::default()
        };
        let next = Rc::new(Epoch::new(2, vec![module(both)], selection));
        run.pipeline.prepare(&next).expect("good modules");
        run.pipeline.switch(next).expect("the judge lives");
        run.push(&mut machine(3, 10), 3_000);
        let lines = run.lines();
        let of = |rule| lines.iter().filter(|line| line.contains(rule)).count();
        (of("\"rule\":\"a\""), of("\"rule\":\"b\""))
    };
    let (all_a, all_b) = count(Matching::All);
    let (first_a, first_b) = count(Matching::First);
    assert!(all_a > 0 && all_b > all_a);
    assert_eq!((first_a, first_b), (all_a, all_b - all_a));
}

#[test]
fn a_swapped_in_ruleset_sees_a_process_that_already_ran() {
    let quiet = "
- {rule: quiet, desc: d, condition: evt.type = ptrace, output: 'q', priority: INFO}
";
    let mut run = Run::new(vec![module(quiet)], 4096, Limits::default());
    let mut source = machine(5, 40);
    run.push(&mut source, 400); // processes are born in the first epoch
    assert!(run.lines().is_empty());
    let next = Rc::new(epoch(2, vec![module(RULES)]));
    run.pipeline.prepare(&next).expect("good modules");
    run.pipeline.switch(next).expect("the judge lives");
    run.push(&mut source, 2_000);
    let lines = run.lines();
    // The same alerts as if the rules had been there from the beginning.
    let mut other = Run::new(vec![module(RULES)], 4096, Limits::default());
    let mut source = machine(5, 40);
    other.push(&mut source, 400);
    let born = other.lines().len();
    other.push(&mut source, 2_000);
    let expected = other.lines().split_off(born);
    assert!(lines.len() > 20);
    assert_eq!(lines, expected);
}

#[test]
fn no_event_is_lost_over_many_swaps() {
    let rule = |name: &str| {
        module(&format!(
            "- {{rule: {name}, desc: d, condition: evt.type = connect, output: '%evt.num', priority: INFO}}"
        ))
    };
    let mut run = Run::new(vec![rule("even")], 512, Limits::default());
    let mut source = machine(9, 30);
    for swap in 0..40 {
        run.push(&mut source, 250);
        let name = if swap % 2 == 0 { "odd" } else { "even" };
        let next = Rc::new(epoch(swap + 2, vec![rule(name)]));
        run.pipeline.prepare(&next).expect("good modules");
        run.pipeline.switch(next).expect("the judge lives");
    }
    let swapped = run.lines();
    let mut still = Run::new(vec![rule("same")], 512, Limits::default());
    let mut source = machine(9, 30);
    for _ in 0..40 {
        still.push(&mut source, 250);
    }
    let numbers = |lines: &[String]| -> Vec<String> {
        let output = |line: &String| line.split("\"output\":\"").nth(1).map(str::to_owned);
        let number = |output: String| output.split(['"', ' ']).nth(2).map(str::to_owned);
        lines.iter().filter_map(output).filter_map(number).collect()
    };
    let expected = numbers(&still.lines());
    assert!(expected.len() > 300);
    assert_eq!(numbers(&swapped), expected);
}

#[test]
fn more_modules_than_an_epoch_can_tell_apart_are_refused() {
    let rule =
        module("- {rule: r, desc: d, condition: evt.type = open, output: o, priority: INFO}");
    assert!(epoch(1, vec![rule.clone(); 256]).plans().is_ok());
    assert!(epoch(1, vec![rule; 257]).plans().is_err());
}

/// A module that is valid in every respect and does `body` instead of judging.
fn hostile(body: &str) -> Module {
    let manifest = Manifest {
        rules: vec![Rule {
            name: "hostile".into(),
            description: String::new(),
            priority: Priority::Notice,
            output: Vec::new(),
            tags: Vec::new(),
            source: "syscall".into(),
            enabled: true,
            capture: false,
            capture_duration_ms: 0,
        }],
        events: vec![EventLayout {
            event: EventType::Openat,
            slots: Vec::new(),
            needs: Vec::new(),
        }],
        hits_at: 1024,
        hits_max: 16,
        literal_ids_at: 0,
        sets_at: 256,
        enabled_at: 512,
        matching_at: 516,
        heap_at: 4096,
        ..Manifest::default()
    };
    let text = format!(
        r#"(module
             (import "saker" "window" (memory $window 1))
             (memory $own (export "memory") 1 256)
             (func (export "evaluate") (param i32 i32) (result i32) {body}))"#
    );
    let mut wasm = wat::parse_str(text).expect("the test's text is a module");
    let name = abi::MANIFEST_SECTION.as_bytes();
    let mut section = vec![name.len() as u8];
    section.extend_from_slice(name);
    section.extend(manifest.encode());
    wasm.push(0);
    let mut length = section.len();
    while length > 127 {
        wasm.push(length as u8 | 128);
        length >>= 7;
    }
    wasm.push(length as u8);
    wasm.extend(section);
    Module::foreign("hostile", wasm).expect("nothing in it is forbidden")
}

#[test]
fn a_module_that_traps_or_never_returns_costs_only_its_own_verdicts() {
    let expected = lines_of(vec![module(RULES)], 512, Limits::default());
    let budget = Budget::Time {
        cpu: Duration::from_millis(5),
        wall: Duration::from_secs(2),
    };
    for body in [
        "unreachable",
        "(loop $l (br $l)) unreachable",
        "i32.const -1",
    ] {
        let limits = Limits {
            budget,
            ..Limits::default()
        };
        let mut run = Run::new(vec![hostile(body), module(RULES)], 512, limits);
        let mut source = machine(42, 60);
        for _ in 0..20 {
            run.push(&mut source, 1_000);
        }
        assert!(run.lines() == expected, "`{body}` changed what others say");
        let counters = run.pipeline.counters();
        assert!(counters.rows_unjudged > 1_000, "{body}: {counters:?}");
        // Three strikes, then its windows are not judged at all.
        assert_eq!(counters.module_failures, 3, "{body}: {counters:?}");
    }
}

/// A run in which a candidate judges beside the rules, in whose place it would come, from the
/// first event on.
fn shadowed(candidate: Module, limits: Limits) -> Run {
    let mut run = Run::new(vec![module(RULES)], 512, limits);
    let selection = run.pipeline.epoch().selection().clone();
    let rules = vec![module(RULES)];
    let replaces = rules[0].identity().name.clone();
    let next = Epoch::shadowed(2, rules, candidate, Some(&replaces), selection);
    let next = Rc::new(next);
    run.pipeline.prepare(&next).expect("a good candidate");
    run.pipeline.switch(next).expect("it is ready");
    run.pipeline.compare(Some(Contest::default()));
    let mut source = machine(42, 60);
    for _ in 0..20 {
        run.push(&mut source, 1_000);
    }
    run
}

#[test]
fn a_shadow_is_counted_rule_by_rule_and_never_heard() {
    let expected = lines_of(vec![module(RULES)], 512, Limits::default());
    // One rule says less, one more, one has another name, the last is the same.
    let other = RULES
        .replace("startswith /var/", "startswith /var/log/")
        .replace("and not proc.name in (shells)", "")
        .replace("rule: service started", "rule: service begun");
    let alone = |rules: &str, rule: &str| {
        let lines = lines_of(vec![module(rules)], 512, Limits::default());
        let named = format!("\"rule\":\"{rule}\"");
        lines.iter().filter(|line| line.contains(&named)).count() as u64
    };
    let mut run = shadowed(module(&other), Limits::default());
    assert!(run.lines() == expected, "a shadow changes what others say");
    let contest = run.pipeline.contest().expect("it is compared");
    assert_eq!(contest.events, run.pipeline.counters().events);
    assert!(contest.candidate_ns > 0 && contest.running_ns > 0);
    let names: Vec<&str> = contest.rules.keys().map(|name| &**name).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    for (rule, tally) in &contest.rules {
        assert_eq!(tally.running, alone(RULES, rule), "{rule}");
        assert_eq!(tally.candidate, alone(&other, rule), "{rule}");
        let both = tally.running - tally.removed;
        assert_eq!(both, tally.candidate - tally.added, "{rule}");
    }
    let of = |rule: &str| contest.rules[rule];
    let less = of("file opened for writing below var");
    assert!(less.removed > 0 && less.added == 0, "{less:?}");
    let more = of("connection to https");
    assert!(more.added > 0 && more.removed == 0, "{more:?}");
    let same = of("passwd opened by a child of a shell");
    assert!(
        same.running > 0 && same.added + same.removed == 0,
        "{same:?}"
    );
    assert_eq!(of("service begun").added, of("service started").removed);
    // So many examples of what it says, and of what it does not say, and no more.
    let gone = contest.examples.iter().filter(|of| of.by == By::Running);
    assert_eq!(
        (gone.count(), contest.examples.len()),
        (EXAMPLES_MAX, 2 * EXAMPLES_MAX)
    );
}

#[test]
fn a_shadow_that_traps_or_never_returns_costs_nobody_but_itself() {
    let expected = lines_of(vec![module(RULES)], 512, Limits::default());
    let limits = Limits {
        budget: Budget::Time {
            cpu: Duration::from_millis(5),
            wall: Duration::from_secs(2),
        },
        ..Limits::default()
    };
    for body in [
        "unreachable",
        "(loop $l (br $l)) unreachable",
        "i32.const -1",
    ] {
        let mut run = shadowed(hostile(body), limits);
        assert!(run.lines() == expected, "`{body}` changed what others say");
        let counters = run.pipeline.counters();
        assert_eq!(
            (
                counters.rows_unjudged,
                counters.module_failures,
                counters.hits_lost
            ),
            (0, 0, 0),
            "{body}"
        );
        assert!(run.pipeline.incidents().is_empty(), "{body}");
        let contest = run.pipeline.contest().expect("it is compared");
        assert!(contest.unjudged > 1_000, "{body}: {}", contest.unjudged);
        assert!(run.pipeline.contest_failed().is_some(), "{body}");
    }
}
