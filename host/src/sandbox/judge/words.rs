//! What lies in the line between the host and the judging process: requests of five words, and
//! answers of a head of eight and what belongs to it.
//!
//! ```text
//! request   what (1 judge, 2 retire, 3 stop) | window | epoch, ruleset | slot, rows | first, end
//! answer    what (1 judged, 2 failed, 3 quarantined), kind | window | epoch, ruleset | slot, rows |
//!           words that follow, bytes of text | lost hits | invalid hits | CPU time
//!           each hit: row, rule; or text
//! ```
//!
//! Of two numbers in a word the first is the lower half.

use super::bench::Request;
use crate::extract::printable::is_obeyed;
use crate::sandbox::message::{FailureKind, FromJudge, Hit};

pub(super) const REQUEST_WORDS: usize = 5;
pub(super) const HEAD_WORDS: usize = 8;
/// Bytes of what is said of a failure.
const TEXT_BYTES_MAX: usize = 1024;

const JUDGE: u64 = 1;
const RETIRE: u64 = 2;
const STOP: u64 = 3;

const JUDGED: u32 = 1;
const FAILED: u32 = 2;
const QUARANTINED: u32 = 3;

/// What the process is asked for over the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Judge(Request),
    Retire(u32),
    Stop,
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn halves(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

impl Asked {
    pub(super) fn words(&self) -> [u64; REQUEST_WORDS] {
        match self {
            Asked::Judge(request) => [
                JUDGE,
                request.window,
                pair(request.epoch, request.ruleset),
                pair(request.slot, request.rows),
                pair(request.first, request.end),
            ],
            Asked::Retire(epoch) => [RETIRE, 0, pair(*epoch, 0), 0, 0],
            Asked::Stop => [STOP, 0, 0, 0, 0],
        }
    }

    pub(super) fn of(words: &[u64; REQUEST_WORDS]) -> Option<Asked> {
        let [what, window, of, place, range] = *words;
        let ((epoch, ruleset), (slot, rows)) = (halves(of), halves(place));
        let (first, end) = halves(range);
        match what {
            JUDGE => Some(Asked::Judge(Request {
                window,
                epoch,
                ruleset,
                slot,
                first,
                end,
                rows,
            })),
            RETIRE => Some(Asked::Retire(epoch)),
            STOP => Some(Asked::Stop),
            _ => None,
        }
    }
}

/// Appends an answer. That of an installation goes another way.
pub(super) fn put_answer(answer: &FromJudge, words: &mut Vec<u64>) {
    match answer {
        FromJudge::Judged {
            window,
            epoch,
            ruleset,
            slot,
            rows,
            hits,
            lost_hits,
            invalid_hits,
            cpu_ns,
        } => {
            words.extend([
                pair(JUDGED, 0),
                *window,
                pair(*epoch, *ruleset),
                pair(*slot, *rows),
                pair(u32::try_from(hits.len()).unwrap_or(u32::MAX), 0),
                *lost_hits,
                *invalid_hits,
                *cpu_ns,
            ]);
            words.extend(hits.iter().map(|hit| pair(hit.row, hit.rule)));
        }
        FromJudge::Failed {
            window,
            epoch,
            ruleset,
            slot,
            rows,
            kind,
            message,
            cpu_ns,
        } => {
            let text = &message.as_bytes()[..message.len().min(TEXT_BYTES_MAX)];
            let kind = FailureKind::ALL.iter().position(|of| of == kind);
            words.extend([
                pair(FAILED, kind.unwrap_or(usize::MAX) as u32),
                *window,
                pair(*epoch, *ruleset),
                pair(*slot, *rows),
                pair(text.len().div_ceil(8) as u32, text.len() as u32),
                0,
                0,
                *cpu_ns,
            ]);
            words.extend(text.chunks(8).map(|chunk| {
                let mut bytes = [0; 8];
                bytes[..chunk.len()].copy_from_slice(chunk);
                u64::from_le_bytes(bytes)
            }));
        }
        FromJudge::Quarantined { epoch, ruleset } => {
            words.extend([QUARANTINED.into(), 0, pair(*epoch, *ruleset), 0, 0, 0, 0, 0]);
        }
        FromJudge::Installed { .. } | FromJudge::Refused { .. } => {}
    }
}

/// An answer's head, as it came: nothing of it is true yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) what: What,
    pub(super) window: u64,
    pub(super) epoch: u32,
    pub(super) ruleset: u32,
    pub(super) slot: u32,
    pub(super) rows: u32,
    /// Words that follow.
    pub(super) words: usize,
    pub(super) lost_hits: u64,
    pub(super) invalid_hits: u64,
    pub(super) cpu_ns: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Judged,
    Failed {
        kind: FailureKind,
        text_bytes: usize,
    },
    Quarantined,
}

impl Head {
    /// `None`: it is none.
    pub(super) fn of(words: &[u64; HEAD_WORDS]) -> Option<Head> {
        let [
            what,
            window,
            of,
            place,
            size,
            lost_hits,
            invalid_hits,
            cpu_ns,
        ] = *words;
        let ((epoch, ruleset), (slot, rows)) = (halves(of), halves(place));
        let (count, text_bytes) = halves(size);
        let (count, text_bytes) = (count as usize, text_bytes as usize);
        let what = match halves(what) {
            (JUDGED, 0) => What::Judged,
            (FAILED, kind) => {
                let kind = *FailureKind::ALL.get(kind as usize)?;
                let fits = text_bytes <= TEXT_BYTES_MAX && count == text_bytes.div_ceil(8);
                // Of its own death no process tells.
                if !fits || kind == FailureKind::Died {
                    return None;
                }
                What::Failed { kind, text_bytes }
            }
            (QUARANTINED, 0) if count == 0 => What::Quarantined,
            _ => return None,
        };
        Some(Head {
            what,
            window,
            epoch,
            ruleset,
            slot,
            rows,
            words: count,
            lost_hits,
            invalid_hits,
            cpu_ns,
        })
    }
}

pub(super) fn hit_of(word: u64) -> Hit {
    let (row, rule) = halves(word);
    Hit { row, rule }
}

/// The text of so many bytes, in which nothing is left that a terminal would obey.
pub(super) fn text_of(words: &[u64], bytes: usize) -> String {
    let text: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let text = String::from_utf8_lossy(&text[..bytes.min(text.len())]);
    let shown = text.chars().map(|char| match is_obeyed(char) {
        true => ' ',
        false => char,
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Request = Request {
        window: u64::MAX,
        epoch: 1,
        ruleset: 2,
        slot: 3,
        first: 4,
        end: u32::MAX,
        rows: 6,
    };

    #[test]
    fn requests_survive_being_written_as_words() {
        for asked in [Asked::Judge(REQUEST), Asked::Retire(u32::MAX), Asked::Stop] {
            assert_eq!(Asked::of(&asked.words()), Some(asked));
        }
        assert_eq!(Asked::of(&[4, 0, 0, 0, 0]), None);
    }

    #[test]
    fn what_went_wrong_survives_without_what_a_terminal_obeys() {
        let message = format!("tr\u{1b}p ü{}", "x".repeat(2000));
        let mut words = Vec::new();
        put_answer(&REQUEST.failed(FailureKind::Trap, message, 9), &mut words);
        let (head, rest) = words.split_first_chunk().unwrap();
        let head = Head::of(head).unwrap();
        let What::Failed { kind, text_bytes } = head.what else {
            panic!("{head:?}");
        };
        assert_eq!(
            (kind, head.words, head.cpu_ns),
            (FailureKind::Trap, rest.len(), 9)
        );
        let text = text_of(rest, text_bytes);
        assert!(text.starts_with("tr p üxx"), "{text}");
        assert_eq!(text.len(), TEXT_BYTES_MAX);
    }

    #[test]
    fn heads_that_cannot_be_are_none() {
        let died = FailureKind::ALL
            .iter()
            .position(|kind| *kind == FailureKind::Died);
        let died = pair(FAILED, died.unwrap() as u32);
        for (what, size) in [
            (0, 0),
            (4, 0),
            (pair(JUDGED, 1), 0),
            (pair(FAILED, 99), 0),
            (died, 0),
            (pair(FAILED, 0), pair(1, 9)),
            (pair(FAILED, 0), pair(u32::MAX, u32::MAX)),
            (QUARANTINED.into(), pair(1, 0)),
        ] {
            assert_eq!(
                Head::of(&[what, 0, 0, 0, size, 0, 0, 0]),
                None,
                "{what} {size}"
            );
        }
    }
}
