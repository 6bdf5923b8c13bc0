//! The order in which Falco meets the descriptors of a table, which decides in what order it
//! shows their kinds (`fd.types`): that of libstdc++'s `unordered_map`.
//!
//! There all entries are in one list. A new one comes to its front or, if there are some of the
//! same bucket, in front of those. When entries become as many as buckets, there are more
//! buckets, and every entry is put in again, from the front on.

/// Numbers of buckets: each is the least of libstdc++'s primes that is twice the one before.
const BUCKETS: [u32; 13] = [
    13, 29, 59, 127, 257, 541, 1109, 2357, 5087, 10_273, 20_753, 42_043, 85_229,
];

/// The order of more is not kept.
const ENTRIES_MAX: usize = 1024;

/// Descriptors in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    buckets: u32,
    /// The front of the list is the last.
    list: Vec<u32>,
}

impl Order {
    /// The order that a copy gets which is made by putting in one entry after the other.
    pub(super) fn copied(&self) -> Order {
        let mut copy = Order {
            buckets: 0,
            list: Vec::with_capacity(self.list.len()),
        };
        self.iter().for_each(|fd| copy.insert(fd));
        copy
    }

    /// In which order they must be put into an empty one for it to become this one, as far as that
    /// can be: a table that was larger may have an order that no other has.
    pub(super) fn written(&self) -> Vec<u32> {
        let mut order = self.list.clone();
        // What was there when there came to be more buckets was turned round.
        for buckets in BUCKETS.iter().rev() {
            if let Some(before) = order.get_mut(..*buckets as usize)
                && self.list.len() > *buckets as usize
            {
                before.reverse();
            }
        }
        order
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Order>() + self.list.capacity() * size_of::<u32>()
    }

    /// The descriptors, from the front on.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.list.iter().rev().copied()
    }

    /// Whether it is not worth its price any longer: putting one in takes as many steps as there
    /// are descriptors, and nobody looks at the order of so many.
    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= ENTRIES_MAX
    }

    /// Puts in one that is not there.
    pub(super) fn insert(&mut self, fd: u32) {
        if self.list.len() >= self.buckets as usize {
            let more = BUCKETS.iter().find(|buckets| **buckets > self.buckets);
            // Beyond, buckets only become fuller; no table has so many.
            if let Some(more) = more {
                self.buckets = *more;
                let before = std::mem::take(&mut self.list);
                self.list.reserve(before.len() + 1);
                before.iter().rev().for_each(|fd| self.link(*fd));
            }
        }
        self.link(fd);
    }

    fn link(&mut self, fd: u32) {
        let bucket = bucket(fd, self.buckets);
        let buckets = self.buckets;
        let first = |other: &u32| self::bucket(*other, buckets) == bucket;
        match self.list.iter().rposition(first) {
            Some(first) => self.list.insert(first + 1, fd),
            None => self.list.push(fd),
        }
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, fd: u32) {
        if let Some(place) = self.list.iter().rposition(|other| *other == fd) {
            self.list.remove(place);
        }
    }
}

/// Falco's numbers of descriptors have 64 bits, and a sign.
fn bucket(fd: u32, buckets: u32) -> u64 {
    i64::from(fd as i32) as u64 % u64::from(buckets.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(order: &Order) -> Vec<u32> {
        order.iter().collect()
    }

    #[test]
    fn the_latest_comes_first_and_beside_those_of_its_bucket() {
        let mut order = Order::default();
        (0..4).for_each(|fd| order.insert(fd));
        assert_eq!(all(&order), [3, 2, 1, 0]);
        order.insert(14);
        assert_eq!(all(&order), [3, 2, 14, 1, 0]);
        order.remove(3);
        order.insert(3);
        assert_eq!(all(&order), [3, 2, 14, 1, 0]);
        order.remove(1);
        order.remove(99);
        assert_eq!(all(&order), [3, 2, 14, 0]);
        assert_eq!(all(&order.copied()), [0, 14, 2, 3]);
    }

    #[test]
    fn one_that_is_written_becomes_the_same_again() {
        for count in [1, 5, 13, 14, 29, 30, 100] {
            let mut order = Order::default();
            (0..count).for_each(|fd| order.insert(fd));
            let mut again = Order::default();
            order.written().into_iter().for_each(|fd| again.insert(fd));
            assert_eq!(all(&again), all(&order), "{count}");
        }
        let mut order = Order::default();
        [7, 3, 20, 16, 1]
            .into_iter()
            .for_each(|fd| order.insert(fd));
        order.remove(3);
        let mut again = Order::default();
        order.written().into_iter().for_each(|fd| again.insert(fd));
        assert_eq!(all(&again), all(&order));
    }

    #[test]
    fn more_buckets_turn_the_list_round() {
        let mut order = Order::default();
        (0..13).for_each(|fd| order.insert(fd));
        assert_eq!(order.iter().next(), Some(12));
        order.insert(13);
        let turned: Vec<u32> = std::iter::once(13).chain(0..13).collect();
        assert_eq!(all(&order), turned);
        order.insert((-22i32) as u32);
        assert_eq!(order.iter().count(), 15);
    }
}
