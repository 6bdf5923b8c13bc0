//! The module over connects that are made up.

use beacon::Beacon;
use saker_rules_sdk::Alert;
use saker_rules_sdk::testing::{Event, Run};

const SECOND: u64 = 1_000_000_000;

fn connect(time: u64, program: &str, last: u8) -> Event {
    Event::at(time)
        .text("proc.exepath", program)
        .text("proc.name", "x")
        .address("fd.sip", [192, 0, 2, last].into())
        .number("fd.sport", 443)
}

fn alerts(times: impl Iterator<Item = u64>) -> Vec<Alert> {
    let mut run = Run::<Beacon>::start(&[]).expect("it starts");
    times
        .flat_map(|time| run.event(&connect(time, "/x", 1)))
        .collect()
}

#[test]
fn who_calls_every_minute_is_told_once() {
    let alerts = alerts((0..50).map(|n| n * 60 * SECOND));
    assert_eq!(alerts.len(), 1);
    let (name, value) = &alerts[0].fields[1];
    assert_eq!((name.as_str(), value), ("beacon.interval_s", &60.0.into()));
}

#[test]
fn a_little_jitter_does_not_hide_it() {
    assert_eq!(
        alerts((0..50).map(|n| n * 60 * SECOND + n * n * 7 % 5 * SECOND)).len(),
        1
    );
}

#[test]
fn who_calls_at_odd_times_is_not_told() {
    let times = (0..50_u64).scan(0, |time, n| {
        *time += (1 + n * n * 31 % 97) * SECOND;
        Some(*time)
    });
    assert_eq!(alerts(times), []);
}

#[test]
fn many_connections_at_once_are_one_call() {
    assert_eq!(alerts((0..50).map(|n| n * SECOND / 100)), []);
}

#[test]
fn other_programs_and_addresses_have_rhythms_of_their_own() {
    let mut run = Run::<Beacon>::start(&[("connects", "4")]).expect("it starts");
    let mut told = 0;
    for n in 0..8 {
        told += run.event(&connect(n * 10 * SECOND, "/a", 1)).len();
        told += run.event(&connect(n * n * 10 * SECOND, "/b", 1)).len();
        told += run.event(&connect(n * n * 10 * SECOND, "/a", 2)).len();
    }
    assert_eq!(told, 1);
    assert!(Run::<Beacon>::start(&[("connects", "2")]).is_err());
    assert!(Run::<Beacon>::start(&[("jitter", "much")]).is_err());
}
