//! Random conditions over random rows: the module must answer as the plain evaluator does.

mod support;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{TestCaseError, TestRunner};
use saker_rules_compiler::oracle::{Layouts, holds};
use saker_rules_compiler::{Code, Options, compile};
use saker_rules_schema::abi::{MATCH_ALL, MATCH_FIRST};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{Binding, FieldRef};
use saker_rules_schema::manifest::{Clue, Manifest};
use saker_rules_schema::row::Shape;
use std::cell::Cell;
use std::collections::HashMap;
use std::time::Instant;
use support::{Facts, Judge, Known, Window, engine, facts, ids, ruleset, source};

const TEXT_FIELDS: [&str; 9] = [
    "proc.name",
    "proc.cmdline",
    "proc.aname",
    "proc.aname[2]",
    "fd.name",
    "fd.directory",
    "evt.arg.flags",
    "user.name",
    "container.id",
];
const TEXTS: [&str; 12] = [
    "",
    "a",
    "b",
    "A",
    "ab",
    "aab",
    "abcabcab",
    "/etc/",
    "/etc/passwd",
    "xxxxxxxxxxxxxxxxxxxxxab",
    "/ETC/Shadow.conf.d/very/long/name/that/goes/on",
    "zzzzzzzaaaaaaaaaaaaaaab",
];
const NUMBER_FIELDS: [&str; 7] = [
    "fd.num",
    "evt.rawres",
    "proc.pid",
    "proc.apid",
    "user.uid",
    "evt.num",
    "fd.port",
];
const EVENTS: [EventType; 4] = [
    EventType::Openat,
    EventType::Connect,
    EventType::Execve,
    EventType::Procexit,
];

fn quoted(text: &str) -> String {
    format!("'{text}'")
}

fn test() -> impl Strategy<Value = String> {
    let texts = || select(&TEXTS[..]).prop_map(quoted);
    let numbers = || select(&["0", "1", "2", "0x10", "65535"][..]);
    prop_oneof![
        (
            select(&TEXT_FIELDS[..]),
            select(&["=", "!=", "contains", "icontains", "startswith", "endswith"][..]),
            texts()
        )
            .prop_map(|(field, operator, text)| format!("{field} {operator} {text}")),
        (
            select(&TEXT_FIELDS[..]),
            prop::collection::vec(texts(), 0..8)
        )
            .prop_map(|(field, texts)| format!("{field} in ({})", texts.join(", "))),
        (
            select(&TEXT_FIELDS[..]),
            select(
                &[
                    "*", "*a*b", "a?b*", "[a-b]*", "/etc/*", "*[!a]", "x*x*ab", "\\*"
                ][..]
            )
        )
            .prop_map(|(field, pattern)| format!("{field} glob '{pattern}'")),
        (
            select(&TEXT_FIELDS[..]),
            select(&["*A*B", "A?B*", "[A-B]*", "/ETC/*"][..])
        )
            .prop_map(|(field, pattern)| format!("{field} iglob '{pattern}'")),
        (
            select(&TEXT_FIELDS[..]),
            select(
                &[
                    "a*b+",
                    "(abc)*ab",
                    "/[^/]*/.*",
                    ".{1,2}",
                    "[[:upper:]/]+.*",
                    "^$|x.*",
                    // From the end.
                    ".*[ab/].{12}"
                ][..]
            )
        )
            .prop_map(|(field, pattern)| format!("{field} regex '{pattern}'")),
        (
            select(&TEXT_FIELDS[..]),
            select(
                &[
                    "pmatch (/etc)",
                    "pmatch (/etc/p*, /ETC/*/very)",
                    "intersects (a, ab)"
                ][..]
            )
        )
            .prop_map(|(field, question)| format!("{field} {question}")),
        (
            select(&TEXT_FIELDS[..]),
            select(&["=", "!=", "startswith", "contains"][..]),
            select(&["oneof", "anyof", "allof"][..]),
            prop::collection::vec(texts(), 0..5)
        )
            .prop_map(|(field, operator, modifier, texts)| {
                format!("{field} {operator} {modifier} ({})", texts.join(", "))
            }),
        (
            select(&NUMBER_FIELDS[..]),
            select(&["=", "!=", "<", "<=", ">", ">="][..]),
            numbers()
        )
            .prop_map(|(field, operator, number)| format!("{field} {operator} {number}")),
        (
            select(&NUMBER_FIELDS[..]),
            prop::collection::vec(numbers(), 1..5)
        )
            .prop_map(|(field, numbers)| format!("{field} in ({})", numbers.join(", "))),
        (
            select(&["fd.ip", "fd.sip"][..]),
            select(&["=", "!="][..]),
            select(&["10.0.0.1", "10.0.0.2", "::1"][..])
        )
            .prop_map(|(field, operator, ip)| format!("{field} {operator} {ip}")),
        (
            select(&["fd.net", "fd.snet"][..]),
            select(
                &[
                    "= 10.0.0.0/30",
                    "!= 10.0.0.2/32",
                    "in (::/0, 10.0.0.1/32)",
                    "!= ::1/128"
                ][..]
            )
        )
            .prop_map(|(field, question)| format!("{field} {question}")),
        made(),
        select(&TEXT_FIELDS[..]).prop_map(|field| format!("{field} exists")),
        select(&["true", "false"][..]).prop_map(|truth| format!("evt.is_open_write = {truth}")),
        select(
            &[
                "evt.type = openat",
                "evt.type in (execve, connect)",
                "evt.type startswith proc",
                "evt.type != openat",
                "evt.category = file",
                "syscall.type exists",
            ][..]
        )
        .prop_map(str::to_string),
    ]
}

/// A test of what is made of fields.
fn made() -> impl Strategy<Value = String> {
    // Ancestors' fields cannot be transformed.
    let field = || {
        select(&[
            "proc.name",
            "proc.cmdline",
            "fd.name",
            "evt.arg.flags",
            "evt.type",
        ])
    };
    let texts = || select(&TEXTS[..]).prop_map(quoted);
    prop_oneof![
        (
            field(),
            select(&["tolower", "toupper", "basename", "b64"][..]),
            select(&["=", "!=", "contains", "startswith"][..]),
            texts()
        )
            .prop_map(|(field, function, operator, text)| {
                format!("{function}({field}) {operator} {text}")
            }),
        (field(), select(&["<", "=", ">="][..]), 0..24)
            .prop_map(|(field, operator, length)| format!("len({field}) {operator} {length}")),
        (
            field(),
            select(
                &[
                    "=",
                    "!=",
                    "<",
                    "contains",
                    "icontains",
                    "endswith",
                    "glob",
                    "in"
                ][..]
            ),
            field()
        )
            .prop_map(|(left, operator, right)| format!("{left} {operator} val({right})")),
        (field(), field(), texts())
            .prop_map(|(left, right, text)| format!("concat({left}, {right}) endswith {text}")),
        (field(), texts()).prop_map(|(field, text)| format!("join('b', ('a', {field})) = {text}")),
        (field(), select(&["<", ">="][..])).prop_map(|(field, order)| format!("{field} {order} 1")),
        (field(), texts()).prop_map(|(field, text)| {
            format!("getopt(('-ab', {field}), 'ab:') intersects ('a', {text})")
        }),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    test().prop_recursive(5, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..5)
                .prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..5)
                .prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

fn text_facts(fields: &'static [&'static str]) -> impl Strategy<Value = Facts> {
    prop::collection::vec(
        prop::option::of(prop::collection::vec(select(&TEXTS[..]), 1..4)),
        fields.len(),
    )
    .prop_map(move |values| {
        let mut all = Facts::new();
        for (name, values) in fields.iter().zip(values) {
            if let Some(values) = values {
                let list = FieldRef::parse(name).unwrap().is_list();
                let text = if list {
                    values.join("|")
                } else {
                    values[0].to_string()
                };
                all.extend(facts(&[(name, &text)]));
            }
        }
        all
    })
}

fn number_facts() -> impl Strategy<Value = Facts> {
    let number = || prop::option::of(select(&["0", "1", "2", "16", "65535"][..]));
    let ip = || prop::option::of(select(&["10.0.0.1", "10.0.0.2", "::1"][..]));
    (
        (
            number(),
            number(),
            number(),
            number(),
            number(),
            number(),
            number(),
        ),
        (ip(), ip()),
        prop::option::of(select(&["true", "false"][..])),
        select(&["-1", "-65535", "0"][..]),
        any::<bool>(),
    )
        .prop_map(|(numbers, ips, write, negative, is_negative)| {
            let mut all = Facts::new();
            let pairs = [
                ("fd.num", numbers.0),
                (
                    "evt.rawres",
                    if is_negative {
                        Some(negative)
                    } else {
                        numbers.1
                    },
                ),
                ("proc.pid", numbers.2),
                ("proc.apid", numbers.3),
                ("user.uid", numbers.4),
                ("fd.cport", numbers.5),
                ("fd.sport", numbers.6),
                ("fd.cip", ips.0),
                ("fd.cnet", ips.0),
                ("fd.sip", ips.1),
                ("fd.snet", ips.1),
                ("evt.is_open_write", write),
            ];
            for (name, value) in pairs {
                if let Some(value) = value {
                    all.extend(facts(&[(name, value)]));
                }
            }
            all
        })
}

/// The facts that lie in the process row, or in the event row.
fn of(all: &Facts, binding: Binding) -> Facts {
    all.iter()
        .filter(|(field, _)| field.field.binding() == binding)
        .map(|(field, value)| (field.clone(), value.clone()))
        .collect()
}

/// A row is made of one of the pool's events, processes and sets of facts, so that many rows
/// cost little to make.
#[derive(Debug)]
struct Rows {
    texts: Vec<Facts>,
    numbers: Vec<Facts>,
    /// Indices into these, beyond the end counted from the beginning again; the process's facts
    /// are such a pair as well.
    processes: Vec<(usize, usize)>,
    rows: Vec<(EventType, usize, usize, usize)>,
}

fn rows() -> impl Strategy<Value = Rows> {
    let index = 0..POOL;
    (
        prop::collection::vec(text_facts(&TEXT_FIELDS), 1..POOL),
        prop::collection::vec(number_facts(), 1..POOL),
        prop::collection::vec((index.clone(), index.clone()), 1..8),
        prop::collection::vec(
            (select(&EVENTS[..]), index.clone(), index.clone(), index),
            1..ROWS_MAX,
        ),
    )
        .prop_map(|(texts, numbers, processes, rows)| Rows {
            texts,
            numbers,
            processes,
            rows,
        })
}

const POOL: usize = 16;
const ROWS_MAX: usize = 600;
/// Pairs of a condition and a row that are tried at least; `SAKER_PAIRS` asks for others.
const PAIRS_MIN: u64 = 100_000;

fn at<T>(pool: &[T], index: usize) -> &T {
    &pool[index % pool.len()]
}

#[test]
fn the_module_hits_exactly_where_the_oracle_says() {
    let wanted = std::env::var("SAKER_PAIRS").ok();
    let wanted = wanted.and_then(|text| text.parse().ok());
    let wanted = wanted.unwrap_or(PAIRS_MIN);
    let config = ProptestConfig {
        cases: 16,
        failure_persistence: None,
        // A failing case is compiled anew for every step.
        max_shrink_iters: 500,
        ..ProptestConfig::default()
    };
    let strategy = (
        prop::collection::vec(condition(), 1..8),
        rows(),
        any::<bool>(),
    );
    let tried = Cell::new(0);
    let started = Instant::now();
    while tried.get() < wanted {
        // A runner counts the cases it has run, and runs no more than those.
        let outcome = TestRunner::new(config.clone()).run(&strategy, |(conditions, rows, keep)| {
            let pairs = agree(&conditions, &rows, keep)?;
            tried.set(tried.get() + pairs);
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    }
    // The harness swallows what `println!` prints in a passing test, not this.
    let line = format!(
        "{} pairs of a condition and a row were tried in {:?}\n",
        tried.get(),
        started.elapsed()
    );
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}

/// Holds the module made of the conditions against the plain evaluator over the rows, and tells
/// how many pairs these are.
fn agree(conditions: &[String], rows: &Rows, for_oracle: bool) -> Result<u64, TestCaseError> {
    let yaml: String = conditions
        .iter()
        .enumerate()
        .map(|(at, condition)| {
            format!(
                "- rule: r{at}\n  desc: d\n  condition: {}\n  output: o\n  priority: INFO\n",
                serde_json::to_string(condition).unwrap()
            )
        })
        .collect();
    let ruleset = ruleset(&yaml, for_oracle);
    let manifest = &ruleset.manifest;
    let layouts = Layouts::new(manifest);
    let mut window = Window::new(manifest);
    let mut processes = Vec::new();
    for (ordinal, (texts, numbers)) in rows.processes.iter().enumerate() {
        let mut known = of(at(&rows.texts, *texts), Binding::Process);
        known.extend(of(at(&rows.numbers, *numbers), Binding::Process));
        window.process_of(manifest, ordinal as u32, ordinal as u64 + 1, &known);
        processes.push((known, window.last().to_vec()));
    }
    let mut expected = Vec::new();
    let mut first = Vec::new();
    for (number, (event, process, texts, numbers)) in rows.rows.iter().enumerate() {
        let process = process % processes.len();
        let (of_process, process_row) = &processes[process];
        let mut known = of(at(&rows.texts, *texts), Binding::Event);
        known.extend(of(at(&rows.numbers, *numbers), Binding::Event));
        known.extend(facts(&[("evt.num", &(number + 1).to_string())]));
        // No host gives an event a parameter that its type lacks.
        if event.param("flags").is_none() {
            known.remove(&FieldRef::parse("evt.arg.flags").unwrap());
        }
        // A slot of the event's row may be made of anything.
        known.extend(facts(&[("evt.type", event.name())]));
        known.extend(of_process.clone());
        let wanted = window.event(manifest, *event, number as u64 + 1, process as u32, &known);
        let row = window.rows.last().unwrap().0;
        let mut found = Vec::new();
        for (rule, condition) in ruleset.conditions.iter().enumerate() {
            let answer = holds(condition, &Known(&known), *event);
            // An event type the module does not want must be one it cannot hit on.
            prop_assert!(wanted || !answer, "{condition}");
            if wanted && for_oracle {
                let values = layouts
                    .values(*event, window.last(), process_row)
                    .expect("the event type is wanted");
                prop_assert_eq!(holds(condition, &values, *event), answer, "{}", condition);
            }
            if answer {
                // Nor is an event left out that a rule holds for.
                let offered = is_offered(manifest, *event, window.last(), process_row);
                prop_assert!(offered, "{condition} without {:?}", manifest.layout(*event));
                found.push((row, rule as u32));
            }
        }
        first.extend(found.first());
        expected.extend(found);
    }
    let mut judge = Judge::new(&engine(), &ruleset, MATCH_ALL);
    prop_assert_eq!(&judge.judge(&window.bytes), &expected);
    // Now with what it computed of the processes before.
    prop_assert_eq!(&judge.judge(&window.bytes), &expected);
    judge.set_matching(MATCH_FIRST);
    prop_assert_eq!(&judge.judge(&window.bytes), &first);
    Ok((conditions.len() * rows.rows.len()) as u64)
}

/// Whether the row and its process's meet one of the needs of the event type, asked in the
/// plainest way.
fn is_offered(manifest: &Manifest, event: EventType, row: &[u8], process: &[u8]) -> bool {
    let Some(layout) = manifest.layout(event) else {
        return false;
    };
    let ids = ids(manifest);
    let event = Slots::new(row, layout.slots.len());
    let process = Slots::new(process, manifest.process.len());
    let needs = &layout.needs;
    needs.is_empty()
        || needs.iter().any(|need| {
            let is_number = |(slot, number)| event.number(slot) == Some(number);
            need.number.is_none_or(is_number)
                && (need.clues.is_empty() || need.clues.iter().any(|clue| event.holds(clue, &ids)))
                && (need.process.is_empty()
                    || need.process.iter().any(|clue| process.holds(clue, &ids)))
        })
}

/// The slots of a row.
struct Slots<'a> {
    row: &'a [u8],
    shape: Shape,
}

impl Slots<'_> {
    fn new(row: &[u8], slots: usize) -> Slots<'_> {
        let slots = slots as u16;
        Slots {
            row,
            shape: Shape { slots },
        }
    }

    fn word(&self, at: u32) -> u64 {
        u64::from_le_bytes(self.row[at as usize..][..8].try_into().unwrap())
    }

    fn number(&self, slot: u16) -> Option<u64> {
        let (at, mask) = self.shape.presence(slot);
        (self.word(at) & mask != 0).then(|| self.word(self.shape.slot(slot)))
    }

    fn text(&self, slot: u16) -> &[u8] {
        let place = (self.word(self.shape.slot(slot)) >> 32) as usize;
        let string = (place != 0).then(|| &self.row[place..]);
        string.map_or(&[][..], |string| {
            let len = u32::from_le_bytes(string[..4].try_into().unwrap());
            &string[4..4 + len as usize]
        })
    }

    fn holds(&self, clue: &Clue, ids: &HashMap<Vec<u8>, u32>) -> bool {
        let id = |slot: u16| self.word(self.shape.slot(slot)) as u32;
        match clue {
            Clue::Known(slot) => id(*slot) != 0,
            Clue::Is(slot, text) => id(*slot) == ids[text],
            Clue::Starts(slot, start) => self.text(*slot).starts_with(start),
            Clue::Contains(slot, part) => {
                let text = self.text(*slot);
                part.len() <= text.len() && text.windows(part.len()).any(|found| found == part)
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_rule_that_is_called_hidden_is_never_the_first_to_hold(
        conditions in prop::collection::vec(condition(), 2..5),
        joined in prop::collection::vec((0..5usize, 0..5usize, any::<bool>()), 1..6),
        rows in prop::collection::vec(
            (select(&EVENTS[..]), text_facts(&TEXT_FIELDS), number_facts()), 1..40),
    ) {
        let pick = |at: usize| &conditions[at % conditions.len()];
        let joined = joined.iter().map(|(left, right, and)| {
            let word = if *and { "and" } else { "or" };
            format!("({}) {word} ({})", pick(*left), pick(*right))
        });
        let yaml: String = conditions.iter().cloned().chain(joined)
            .enumerate()
            .map(|(at, condition)| format!(
                "- rule: r{at}\n  desc: d\n  condition: {}\n  output: o\n  priority: INFO\n",
                serde_json::to_string(&condition).unwrap()
            ))
            .collect();
        let options = Options { first_match: true, ..Options::default() };
        let compilation = compile(&[source(&yaml)], &options);
        let hidden: Vec<&str> = compilation.diagnostics.iter()
            .filter(|found| found.code == Code::Hidden)
            .filter_map(|found| found.message.split('`').nth(1))
            .collect();
        let ruleset = compilation.ruleset.expect("the conditions are sound");
        for (event, texts, numbers) in &rows {
            let mut known = facts(&[("evt.num", "1")]);
            for binding in [Binding::Event, Binding::Process] {
                known.extend(of(texts, binding));
                known.extend(of(numbers, binding));
            }
            if event.param("flags").is_none() {
                known.remove(&FieldRef::parse("evt.arg.flags").unwrap());
            }
            let first = ruleset.conditions.iter()
                .position(|condition| holds(condition, &Known(&known), *event));
            let name = first.map(|at| ruleset.manifest.rules[at].name.as_str());
            prop_assert!(name.is_none_or(|name| !hidden.contains(&name)), "{name:?}\n{yaml}");
        }
    }
}
