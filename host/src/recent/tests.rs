use super::*;
use crate::event::Clock;
use crate::source::synthetic::{Options, Synthetic};
use std::collections::BTreeSet;

const CLOCK: Clock = Clock {
    boot_to_epoch_ns: 1_750_000_000_000_000_000,
};

fn absorb(state: &mut State, bytes: &[u8]) {
    let record = Record::parse(bytes).expect("made here");
    let number = state.number() + 1;
    state.absorb(&decode(&record, &CLOCK, number).into());
    state.release(number + 1);
}

/// All that a state knows, but for the numbers that places in it have.
fn known(state: &State) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let told: Result<(), ()> = state.snapshot(state.number(), |entry| {
        known.insert(format!("{entry:?}"));
        Ok(())
    });
    told.expect("nothing fails here");
    known
}

/// What the event thread knows, and what is kept, after so many events of a machine.
fn after(events: usize, bytes_max: usize) -> (State, Option<Kept>, Standing) {
    let mut machine = Synthetic::new(Options {
        seed: 7,
        processes: 40,
    });
    let mut state = State::new(Default::default(), CLOCK);
    let mut births = Batch::new();
    machine.fill(&mut births, 500);
    births.records().for_each(|bytes| absorb(&mut state, bytes));
    let mut recent = Recent::start(state.copy(), bytes_max).expect("a thread");
    let calls: Vec<Wanted> = crate::state::calls().collect();
    recent.told(Told::Traced(calls.into()));
    for _ in 0..events / 1_000 {
        let mut batch = Batch::new();
        machine.fill(&mut batch, 1_000);
        recent.records(&batch);
        batch.records().for_each(|bytes| absorb(&mut state, bytes));
        // Events come no faster than they are kept.
        recent.standing();
        recent.asker().look().expect("it is answered");
    }
    let kept = recent.asker().look().expect("it is answered");
    let standing = recent.standing();
    (state, kept, standing)
}

fn records(kept: &Kept) -> usize {
    kept.pieces.iter().map(|piece| piece.events()).sum()
}

#[test]
fn what_is_kept_leads_from_the_state_before_it_to_that_of_now() {
    // Room for all of it, and for a part.
    for (bytes_max, is_whole) in [(256 << 20, true), (4 << 20, false)] {
        let (state, kept, standing) = after(40_000, bytes_max);
        let mut kept = kept.expect("there is room for the state");
        assert_eq!(standing.state_too_large, 0);
        assert_eq!((standing.missed, kept.missed), (0, 0));
        assert_eq!(standing.events, records(&kept) as u64);
        assert!(standing.bytes <= bytes_max as u64, "{standing:?}");
        assert_eq!(records(&kept) == 40_000, is_whole);
        assert!(records(&kept) > 1_000, "{}", records(&kept));
        assert_ne!(known(&kept.state), known(&state));
        let mut told = 0;
        for next in kept.pieces.iter().flat_map(|piece| piece.each()) {
            match next {
                Next::Record(bytes) => absorb(&mut kept.state, bytes),
                Next::Told(_) => told += 1,
            }
        }
        let (there, here) = (known(&kept.state), known(&state));
        let missing: Vec<_> = here.difference(&there).take(3).collect();
        let wrong: Vec<_> = there.difference(&here).take(3).collect();
        assert!(
            missing.is_empty() && wrong.is_empty(),
            "{missing:#?} {wrong:#?}"
        );
        // What is traced is told, or known already.
        assert_eq!(told + usize::from(!kept.traced.is_empty()), 1);
    }
}

#[test]
fn where_the_state_alone_is_too_much_nothing_is_kept_and_that_is_said() {
    let bytes_max = 64 << 10;
    let (state, kept, standing) = after(3_000, bytes_max);
    assert!(state.bytes() > bytes_max, "{}", state.bytes());
    assert!(kept.is_none());
    assert_eq!((standing.events, standing.bytes), (0, 0));
    assert!(standing.state_too_large > bytes_max as u64, "{standing:?}");
}

#[test]
fn what_is_told_stays_in_its_place_between_records() {
    let mut machine = Synthetic::new(Options {
        seed: 1,
        processes: 3,
    });
    let mut recent = Recent::start(State::new(Default::default(), CLOCK), 64 << 20).unwrap();
    let clock = |ns| {
        Told::Enriched(Answer::Clock(Clock {
            boot_to_epoch_ns: ns,
        }))
    };
    for round in 0..3 {
        let mut batch = Batch::new();
        machine.fill(&mut batch, 2);
        recent.told(clock(round));
        recent.records(&batch);
    }
    recent.told(clock(3));
    recent.standing();
    let kept = recent.asker().look().unwrap().unwrap();
    let order = kept.pieces.iter().flat_map(|piece| piece.each());
    let order = order.map(|next| match next {
        Next::Record(_) => "record".to_owned(),
        Next::Told(Told::Enriched(Answer::Clock(clock))) => clock.boot_to_epoch_ns.to_string(),
        Next::Told(_) => "other".to_owned(),
    });
    let order: Vec<String> = order.collect();
    let r = "record";
    assert_eq!(order, ["0", r, r, "1", r, r, "2", r, r, "3"]);
}

#[test]
fn a_copied_state_shares_nothing_whose_users_are_counted() {
    let mut machine = Synthetic::new(Options {
        seed: 3,
        processes: 20,
    });
    let mut state = State::new(Default::default(), CLOCK);
    let mut births = Batch::new();
    machine.fill(&mut births, 2_000);
    births.records().for_each(|bytes| absorb(&mut state, bytes));
    let before = state.sizes();
    assert!(before[4] > 0, "images have bytes");
    let copy = state.copy();
    assert_eq!(known(&copy), known(&state));
    assert_eq!(copy.sizes()[..4], before[..4]);
    // The copy's images are its own, and gone with it.
    assert_eq!(state.sizes(), before);
    drop(copy);
    assert_eq!(state.sizes(), before);
}
