//! What calls were given, kept by thread until they return. A thread is in one call at a time,
//! so that there is one for each at most; how many threads a capture names is up to the capture.

use hashbrown::HashMap;

/// The most that the beginning of a call has.
pub(super) const PARAMS_MAX: usize = 6;

/// Bounds of what is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Threads of which something is kept.
    pub(super) threads_max: usize,
    /// Bytes of parameters, with the room that was made for them.
    pub(super) bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            threads_max: 65_536,
            bytes_max: 32 << 20,
        }
    }
}

/// Room that a thread holds on to between its calls.
const IDLE_BYTES_MAX: usize = 512;
/// How many threads are looked at for one of which nothing is kept.
const LOOKED_AT_MAX: usize = 16;

/// What a call was given.
#[derive(Clone, Copy)]
pub(super) struct Beginning<'a> {
    pub(super) code: u16,
    ends: &'a [u32],
    bytes: &'a [u8],
}

impl<'a> Beginning<'a> {
    /// How many parameters there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A parameter.
    pub(super) fn param(&self, index: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start as usize..end as usize)
    }
}

#[derive(Default)]
struct Place {
    tid: i64,
    is_kept: bool,
    code: u16,
    params: u8,
    ends: [u32; PARAMS_MAX],
    bytes: Vec<u8>,
}

/// The beginnings. No allocation per call: a thread's place and its room are used again.
pub(super) struct Beginnings {
    limits: Limits,
    places: Vec<Place>,
    by_tid: HashMap<i64, u32, foldhash::fast::RandomState>,
    /// Where room was last made.
    hand: usize,
    kept: usize,
    bytes: usize,
    forgotten: u64,
}

impl Beginnings {
    pub(super) fn new(limits: Limits) -> Beginnings {
        Beginnings {
            limits,
            places: Vec::new(),
            by_tid: HashMap::default(),
            hand: 0,
            kept: 0,
            bytes: 0,
            forgotten: 0,
        }
    }

    /// How many were forgotten for want of room before their call returned.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Whether nothing is kept of any thread.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.kept == 0
    }

    /// What the thread's call was given, if it is kept.
    #[inline]
    pub(super) fn get(&self, tid: i64) -> Option<Beginning<'_>> {
        if self.kept == 0 {
            return None;
        }
        let place = self.places.get(*self.by_tid.get(&tid)? as usize)?;
        place.is_kept.then(|| Beginning {
            code: place.code,
            ends: place.ends.get(..place.params.into()).unwrap_or_default(),
            bytes: &place.bytes,
        })
    }

    /// Keeps what the thread's call is given, instead of what its call before was.
    pub(super) fn keep(&mut self, tid: i64, code: u16, params: &[&[u8]]) {
        let index = match self.by_tid.get(&tid) {
            Some(index) => *index as usize,
            None => self.place_for(tid),
        };
        let Some(place) = self.places.get_mut(index) else {
            return;
        };
        self.bytes -= place.bytes.capacity();
        self.kept += usize::from(!place.is_kept);
        place.is_kept = true;
        place.code = code;
        place.params = 0;
        place.bytes.clear();
        for (param, end) in params.iter().zip(&mut place.ends) {
            place.bytes.extend_from_slice(param);
            *end = place.bytes.len() as u32;
            place.params += 1;
        }
        self.bytes += place.bytes.capacity();
        // What others keep goes first; one that alone is too much goes in the end.
        for _ in 1..self.places.len() {
            if self.bytes <= self.limits.bytes_max {
                return;
            }
            self.hand = (self.hand + 1) % self.places.len();
            if self.hand != index {
                self.drop_at(self.hand);
            }
        }
        if self.bytes > self.limits.bytes_max {
            self.drop_at(index);
        }
    }

    /// Makes room of a place.
    fn drop_at(&mut self, index: usize) {
        let Some(place) = self.places.get_mut(index) else {
            return;
        };
        self.bytes -= place.bytes.capacity();
        place.bytes = Vec::new();
        if place.is_kept {
            place.is_kept = false;
            self.kept -= 1;
            self.forgotten += 1;
        }
    }

    /// Forgets what the thread's call was given.
    #[inline]
    pub(super) fn forget(&mut self, tid: i64) {
        if self.kept == 0 {
            return;
        }
        let Some(index) = self.by_tid.get(&tid) else {
            return;
        };
        let Some(place) = self.places.get_mut(*index as usize) else {
            return;
        };
        if place.is_kept {
            place.is_kept = false;
            self.kept -= 1;
        }
        if place.bytes.capacity() > IDLE_BYTES_MAX {
            self.bytes -= place.bytes.capacity();
            place.bytes = Vec::new();
        }
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        *self = Beginnings {
            forgotten: self.forgotten,
            ..Beginnings::new(self.limits)
        };
    }

    /// A place for a thread that has none: a new one, or that of a thread of which nothing is
    /// kept, or of whichever comes next.
    fn place_for(&mut self, tid: i64) -> usize {
        let index = if self.places.len() < self.limits.threads_max {
            self.places.push(Place::default());
            self.places.len() - 1
        } else {
            let count = self.places.len();
            let first = (self.hand + 1) % count;
            self.hand = (0..LOOKED_AT_MAX)
                .map(|step| (first + step) % count)
                .find(|index| !self.places[*index].is_kept)
                .unwrap_or(first);
            let place = &mut self.places[self.hand];
            self.by_tid.remove(&place.tid);
            if place.is_kept {
                place.is_kept = false;
                self.kept -= 1;
                self.forgotten += 1;
            }
            self.hand
        };
        self.places[index].tid = tid;
        self.by_tid.insert(tid, index as u32);
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(threads_max: usize, bytes_max: usize) -> Beginnings {
        Beginnings::new(Limits {
            threads_max,
            bytes_max,
        })
    }

    #[test]
    fn a_threads_last_beginning_is_kept_until_it_is_forgotten() {
        let mut beginnings = Beginnings::new(Limits::default());
        beginnings.keep(7, 6, &[b"one", b"", b"three"]);
        beginnings.keep(-1, 8, &[b"other"]);
        let kept = beginnings.get(7).expect("it was kept");
        assert_eq!((kept.code, kept.len()), (6, 3));
        assert_eq!(kept.param(0), Some(&b"one"[..]));
        assert_eq!(kept.param(1), Some(&b""[..]));
        assert_eq!(kept.param(2), Some(&b"three"[..]));
        assert_eq!(kept.param(3), None);
        beginnings.keep(7, 4, &[b"new"]);
        assert_eq!(
            beginnings.get(7).map(|kept| (kept.code, kept.len())),
            Some((4, 1))
        );
        beginnings.forget(7);
        assert!(beginnings.get(7).is_none());
        assert!(beginnings.get(-1).is_some());
        beginnings.clear();
        assert!(beginnings.get(-1).is_none());
        assert_eq!(beginnings.forgotten(), 0);
    }

    #[test]
    fn many_threads_take_no_more_room_than_there_is() {
        let mut beginnings = limited(100, 1 << 20);
        for tid in 0..10_000 {
            beginnings.keep(tid, 6, &[&tid.to_le_bytes()]);
            assert_eq!(
                beginnings.get(tid).and_then(|kept| kept.param(0)),
                Some(&tid.to_le_bytes()[..])
            );
        }
        assert_eq!(
            (beginnings.places.len(), beginnings.by_tid.len()),
            (100, 100)
        );
        assert_eq!((beginnings.kept, beginnings.forgotten()), (100, 9_900));
    }

    #[test]
    fn a_thread_that_is_in_no_call_gives_way_first() {
        let mut beginnings = limited(8, 1 << 20);
        for tid in 0..8 {
            beginnings.keep(tid, 6, &[]);
        }
        beginnings.forget(5);
        beginnings.keep(100, 6, &[]);
        assert_eq!(beginnings.forgotten(), 0);
        assert!(
            (0..8)
                .filter(|tid| *tid != 5)
                .all(|tid| beginnings.get(tid).is_some())
        );
    }

    #[test]
    fn long_parameters_take_no_more_room_than_there_is() {
        let mut beginnings = limited(1000, 100_000);
        let long = vec![1; 30_000];
        for tid in 0..1000 {
            beginnings.keep(tid, 98, &[&long]);
            assert!(beginnings.bytes <= 100_000, "{}", beginnings.bytes);
            assert!(beginnings.get(tid).is_some());
        }
        assert!(beginnings.forgotten() >= 996);
        // One that alone is too long.
        beginnings.keep(1, 98, &[&vec![1; 200_000]]);
        assert!(beginnings.bytes <= 100_000);
        assert!(beginnings.get(1).is_none());
    }
}
