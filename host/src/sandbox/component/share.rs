//! A component's share of CPU time. One that always stays just within the budget of a call would
//! have a core to itself, however little came of it; so what it used has to come back, at so many
//! percent of the time that goes by, before it is called again.

use std::time::{Duration, Instant};

/// What it may use without having waited for it, and how that comes back.
#[derive(Debug)]
pub(super) struct Share {
    percent: u32,
    most: Duration,
    /// What there is.
    left: Duration,
    /// What it used beyond that.
    owed: Duration,
    at: Instant,
}

impl Share {
    pub(super) fn new(percent: u32, most: Duration, now: Instant) -> Share {
        Share {
            percent: percent.max(1),
            most,
            left: most,
            owed: Duration::ZERO,
            at: now,
        }
    }

    /// Takes note of CPU time that was used until now, and tells how long to wait before any more
    /// is.
    pub(super) fn spend(&mut self, used: Duration, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.at);
        self.at = now;
        let back = passed.saturating_mul(self.percent) / 100;
        let due = self.owed.saturating_add(used);
        let has = (self.left.saturating_add(back)).min(self.most);
        self.left = has.saturating_sub(due);
        self.owed = due.saturating_sub(has);
        self.owed.saturating_mul(100) / self.percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn who_uses_more_than_its_share_waits_until_it_has_come_back() {
        let begin = Instant::now();
        let mut share = Share::new(25, 20 * MS, begin);
        // There is something to begin with, and no more than that.
        assert_eq!(share.spend(20 * MS, begin), Duration::ZERO);
        assert_eq!(share.spend(5 * MS, begin), 20 * MS);
        // That was waited for.
        assert_eq!(share.spend(Duration::ZERO, begin + 20 * MS), Duration::ZERO);
        assert_eq!(share.spend(MS, begin + 20 * MS), 4 * MS);
    }

    #[test]
    fn who_is_quiet_gathers_no_more_than_there_was_at_first() {
        let begin = Instant::now();
        let mut share = Share::new(50, 20 * MS, begin);
        let later = begin + 10_000 * MS;
        assert_eq!(share.spend(30 * MS, later), 20 * MS);
        // A clock that goes back gives nothing.
        assert_eq!(share.spend(Duration::ZERO, begin), 20 * MS);
    }

    #[test]
    fn the_whole_share_is_a_core() {
        let begin = Instant::now();
        let mut share = Share::new(100, 20 * MS, begin);
        for at in 1..1000 {
            assert_eq!(share.spend(MS, begin + at * MS), Duration::ZERO);
        }
    }
}
