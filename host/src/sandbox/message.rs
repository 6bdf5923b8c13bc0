//! What the host and the judge say to each other: plain data that can be written to a pipe.
//!
//! Beside these messages only the window's descriptor crosses the boundary, once, when the judge
//! is started. No message borrows anything, and numbers name things: an epoch and a ruleset
//! within it, a window's number, a slot. Neither side trusts a number it is told.

use serde::{Deserialize, Serialize};
use std::fmt;

/// From the host to the judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToJudge {
    /// Compile these rulesets and keep them ready. Answered by [`FromJudge::Installed`] or
    /// [`FromJudge::Refused`]; windows of the epoch may be sent only after that. Meanwhile
    /// windows of other epochs are judged.
    Install {
        /// The epoch to be; not one that is installed.
        epoch: u32,
        /// Its rulesets, in load order.
        rulesets: Vec<RulesetImage>,
    },
    /// Judge the rows of a window by one ruleset. Answered by [`FromJudge::Judged`] or
    /// [`FromJudge::Failed`], always by exactly one of them.
    Judge {
        /// The window's number, returned with the answer.
        window: u64,
        /// The epoch the rows were written for.
        epoch: u32,
        /// Which of the epoch's rulesets.
        ruleset: u32,
        /// The slot the rows lie in. It must stay as it is until the answer.
        slot: u32,
        /// Where the first row begins (byte offset in the window memory).
        first: u32,
        /// Where the last row ends.
        end: u32,
        /// How many rows that are; only counted.
        rows: u32,
    },
    /// Forget the epoch. Windows sent before are still judged.
    Retire {
        /// Which.
        epoch: u32,
    },
    /// Judge what was sent, then end.
    Stop,
}

/// A ruleset with all that the judge must know of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesetImage {
    /// The module.
    pub wasm: Vec<u8>,
    /// For each rule of the manifest, whether it is on.
    pub enabled: Vec<bool>,
    /// [`MATCH_ALL`](saker_rules_schema::abi::MATCH_ALL) or
    /// [`MATCH_FIRST`](saker_rules_schema::abi::MATCH_FIRST).
    pub matching: u32,
    /// For each literal of the manifest, its id in the epoch's table: 1 to `literals`.
    pub literal_ids: Vec<u32>,
    /// How many literals the epoch's table has: its greatest id.
    pub literals: u32,
    /// Give the module its memory as it was at the start before every window. For a module that
    /// our compiler did not make: it could keep something there from call to call.
    pub reset: bool,
}

/// From the judge to the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromJudge {
    /// All rulesets of the epoch are ready.
    Installed {
        /// Which.
        epoch: u32,
    },
    /// A ruleset cannot be had; nothing of the epoch is kept.
    Refused {
        /// Which epoch.
        epoch: u32,
        /// Which ruleset.
        ruleset: u32,
        /// Why.
        error: String,
    },
    /// A window was judged.
    Judged {
        /// The window's number.
        window: u64,
        /// Its epoch.
        epoch: u32,
        /// The ruleset.
        ruleset: u32,
        /// The slot.
        slot: u32,
        /// How many rows there were.
        rows: u32,
        /// What matched, by row and rule, ascending, none twice: every one names an event row
        /// of the window and a rule of the ruleset.
        hits: Vec<Hit>,
        /// Hits there was no room for.
        lost_hits: u64,
        /// Entries that named no row, no rule, or came out of order.
        invalid_hits: u64,
        /// CPU time it took, in nanoseconds.
        cpu_ns: u64,
    },
    /// A window was not judged.
    Failed {
        /// The window's number.
        window: u64,
        /// Its epoch.
        epoch: u32,
        /// The ruleset.
        ruleset: u32,
        /// The slot.
        slot: u32,
        /// How many rows there were.
        rows: u32,
        /// What went wrong.
        kind: FailureKind,
        /// In words.
        message: String,
        /// CPU time it took, in nanoseconds.
        cpu_ns: u64,
    },
    /// A ruleset failed too often: none of its windows is judged any more in this epoch.
    Quarantined {
        /// Which epoch.
        epoch: u32,
        /// Which ruleset.
        ruleset: u32,
    },
}

/// A rule holds for a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hit {
    /// The row's byte offset in the window memory.
    pub row: u32,
    /// The rule's index in the manifest.
    pub rule: u32,
}

/// Why a window was not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FailureKind {
    /// The module trapped.
    Trap,
    /// It took more time, or fuel, than a window may.
    Deadline,
    /// It wanted more memory than a ruleset may have, and then trapped.
    Memory,
    /// It claimed more hits than there are rows and rules.
    Hits,
    /// It answered, or asked for, what it may not.
    Answer,
    /// It failed too often and was not run.
    Quarantined,
    /// The request named an epoch, a ruleset, a slot or rows that are not there.
    Request,
    /// The judge itself failed, or is stopping.
    Judge,
    /// The judge's process died while it had the window, or there was none for too long.
    Died,
}

impl FailureKind {
    /// All of them, for counting by kind.
    pub const ALL: [FailureKind; 9] = [
        FailureKind::Trap,
        FailureKind::Deadline,
        FailureKind::Memory,
        FailureKind::Hits,
        FailureKind::Answer,
        FailureKind::Quarantined,
        FailureKind::Request,
        FailureKind::Judge,
        FailureKind::Died,
    ];

    /// Whether the module is to blame.
    pub fn is_strike(self) -> bool {
        match self {
            FailureKind::Trap
            | FailureKind::Deadline
            | FailureKind::Memory
            | FailureKind::Hits
            | FailureKind::Answer => true,
            FailureKind::Quarantined
            | FailureKind::Request
            | FailureKind::Judge
            | FailureKind::Died => false,
        }
    }

    /// One word, for metrics.
    pub fn name(self) -> &'static str {
        match self {
            FailureKind::Trap => "trap",
            FailureKind::Deadline => "deadline",
            FailureKind::Memory => "memory",
            FailureKind::Hits => "hits",
            FailureKind::Answer => "answer",
            FailureKind::Quarantined => "quarantined",
            FailureKind::Request => "request",
            FailureKind::Judge => "judge",
            FailureKind::Died => "died",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T>(message: &T)
    where
        T: Serialize + for<'a> Deserialize<'a> + PartialEq + fmt::Debug,
    {
        let bytes = serde_json::to_vec(message).unwrap();
        assert_eq!(&serde_json::from_slice::<T>(&bytes).unwrap(), message);
    }

    #[test]
    fn every_message_survives_being_written_to_bytes() {
        let image = RulesetImage {
            wasm: vec![0, 0x61, 0xff],
            enabled: vec![true, false],
            matching: 1,
            literal_ids: vec![1, u32::MAX],
            literals: u32::MAX,
            reset: true,
        };
        let (epoch, ruleset, window) = (u32::MAX, 2, u64::MAX);
        let (slot, rows) = (3, 4);
        for message in [
            ToJudge::Install {
                epoch,
                rulesets: vec![image, RulesetImage::default()],
            },
            ToJudge::Judge {
                window,
                epoch,
                ruleset,
                slot,
                first: 65536,
                end: 65600,
                rows,
            },
            ToJudge::Retire { epoch },
            ToJudge::Stop,
        ] {
            round_trip(&message);
        }
        let hits = vec![Hit {
            row: 65536,
            rule: 0,
        }];
        for message in [
            FromJudge::Installed { epoch },
            FromJudge::Refused {
                epoch,
                ruleset,
                error: "no\n\"manifest\"".into(),
            },
            FromJudge::Judged {
                window,
                epoch,
                ruleset,
                slot,
                rows,
                hits,
                lost_hits: u64::MAX,
                invalid_hits: 1,
                cpu_ns: 5,
            },
            FromJudge::Quarantined { epoch, ruleset },
        ] {
            round_trip(&message);
        }
        for kind in FailureKind::ALL {
            round_trip(&FromJudge::Failed {
                window,
                epoch,
                ruleset,
                slot,
                rows,
                kind,
                message: String::new(),
                cpu_ns: 0,
            });
        }
    }
}
