use super::*;

fn calls(wanted: &[Wanted]) -> Arc<[Wanted]> {
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    wanted.into()
}

/// A candidate that asks for these.
fn asked(events: &[EventType], traced: &[Wanted]) -> Traced {
    let asked = events.iter().map(|event| {
        let calls: Vec<u16> = calls_of(*event).collect();
        let now = Coverage::of(*event, &calls, traced);
        Asked {
            event: *event,
            calls,
            now,
            least: now,
            since: 0,
        }
    });
    Traced {
        asked: asked.collect(),
    }
}

fn told(traced: &Traced) -> Vec<(String, String, Option<u64>)> {
    let told = traced.untraced().into_iter();
    told.map(|of| (of.event, of.what, of.since_ms)).collect()
}

#[test]
fn what_was_not_recorded_all_the_time_is_told_with_since_when_it_is() {
    let fchmod = Wanted::always(libc::SYS_fchmod as u16);
    let chdir = Wanted::success(libc::SYS_chdir as u16);
    let events = [EventType::Fchmod, EventType::Chdir, EventType::Execve];
    let before = calls(&[chdir]);
    let mut traced = asked(&events, &before);
    let failed = |event: &str| (event.to_owned(), "failed".to_owned(), None);
    assert_eq!(
        told(&traced),
        [
            ("fchmod".into(), "never".into(), None),
            failed("chdir"),
            failed("execve")
        ]
    );
    traced.now(&calls(&[chdir, fchmod]), 5_000_000_000);
    let partly = |since| ("fchmod".to_owned(), "partly".to_owned(), since);
    assert_eq!(told(&traced)[0], partly(Some(5_000)));
    traced.now(&before, 6_000_000_000);
    assert_eq!(told(&traced)[0], partly(None));
}

#[test]
fn what_is_told_before_the_first_event_holds_for_all_of_them() {
    let mut traced = asked(&[EventType::Fchmod], &[]);
    traced.now(&calls(&[Wanted::always(libc::SYS_fchmod as u16)]), 0);
    assert_eq!(told(&traced), []);
}

#[test]
fn a_capture_is_read_no_longer_than_a_trial_may_take() {
    let now = Instant::now();
    let read = |until| {
        let mut timed = Timed {
            bytes: b"a capture",
            until,
        };
        let mut all = Vec::new();
        timed.read_to_end(&mut all).map_err(|error| error.kind())
    };
    assert_eq!(read(now + Duration::from_secs(60)), Ok(9));
    assert_eq!(read(now), Err(io::ErrorKind::TimedOut));
}
