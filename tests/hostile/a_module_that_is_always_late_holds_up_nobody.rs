use crate::court::{Court, Home, hostile};
use crate::specimen::{SILENT, Specimen};
use saker::source::merge::Batch;
use saker::source::synthetic::{Options as Machine, Synthetic};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// It takes some ten milliseconds for each batch, which is within its budget; more are made.
#[test]
fn it_loses_its_own_events_and_that_is_counted() {
    let on_batch = format!(
        "(local $left i32) (local.set $left (i32.const 20000000))
         (loop $again (local.set $left (i32.sub (local.get $left) (i32.const 1)))
           (br_if $again (local.get $left))) {SILENT}"
    );
    let slow = Specimen {
        on_batch: &on_batch,
        ..hostile()
    };
    for home in Home::ALL {
        let mut court = Court::new(home, vec![home.loaded(&slow)]);
        let mut machine = Synthetic::new(Machine {
            seed: 3,
            processes: 20,
        });
        let (mut longest, end) = (Duration::ZERO, Instant::now() + Duration::from_secs(60));
        while court.pipeline.counters().rows_untaken == 0 {
            assert!(Instant::now() < end, "{home:?}: it was never late");
            let mut batch = Batch::new();
            machine.fill(&mut batch, 100);
            let began = Instant::now();
            let pushed = court.pipeline.push(&Rc::new(batch));
            pushed.expect("the judge lives");
            court.pipeline.flush().expect("the judge lives");
            longest = longest.max(began.elapsed());
        }
        // Who waited for it would have waited for a queue of batches.
        assert!(
            longest < Duration::from_millis(500),
            "{home:?}: {longest:?}"
        );
        court.adjourn();
    }
}
