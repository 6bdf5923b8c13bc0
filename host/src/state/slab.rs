//! Places that are given out, freed and given out again: bounded, addressed by a `u32`, with
//! a generation per place so that a stale address is noticed.

/// A bounded store with reusable places.
#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    entries: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
    max: usize,
}

impl<T> Slab<T> {
    pub(super) fn new(max: usize) -> Slab<T> {
        Slab {
            entries: Vec::new(),
            free: Vec::new(),
            // The largest index means "none" to the callers.
            max: max.min(u32::MAX as usize - 1),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty() && self.entries.len() >= self.max
    }

    /// Less than an eighth is free: time to make room.
    pub(super) fn is_nearly_full(&self) -> bool {
        self.len() + self.max / 8 >= self.max
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Places ever given out: valid indices are below.
    pub(super) fn places(&self) -> u32 {
        self.entries.len() as u32
    }

    /// Stores a value, unless the bound is reached.
    pub(super) fn insert(&mut self, value: T) -> Option<u32> {
        if let Some(index) = self.free.pop() {
            let entry = &mut self.entries[index as usize];
            entry.0 = entry.0.wrapping_add(1);
            entry.1 = Some(value);
            return Some(index);
        }
        if self.entries.len() >= self.max {
            return None;
        }
        self.entries.push((0, Some(value)));
        Some(self.entries.len() as u32 - 1)
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let value = self.entries.get_mut(index as usize)?.1.take()?;
        self.free.push(index);
        Some(value)
    }

    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.entries.get(index as usize)?.1.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.entries.get_mut(index as usize)?.1.as_mut()
    }

    /// Everything stored.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().filter_map(|(_, value)| value.as_ref())
    }

    /// The same, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries
            .iter_mut()
            .filter_map(|(_, value)| value.as_mut())
    }

    /// The same places, with what `copy` makes of what is stored.
    pub(super) fn map(&self, mut copy: impl FnMut(&T) -> T) -> Slab<T> {
        let entries = self.entries.iter();
        Slab {
            entries: entries
                .map(|(generation, value)| (*generation, value.as_ref().map(&mut copy)))
                .collect(),
            free: self.free.clone(),
            max: self.max,
        }
    }

    /// Bytes of the places.
    pub(super) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(u32, Option<T>)>()
            + self.free.capacity() * size_of::<u32>()
    }

    /// How often the place was given out; tells a reused place from the one remembered.
    pub(super) fn generation(&self, index: u32) -> u32 {
        self.entries.get(index as usize).map_or(0, |entry| entry.0)
    }
}

/// A table indexed by process or thread id, in pages, so that a sparse id space costs little
/// and an id is found by two loads.
#[derive(Clone, Debug, Default)]
pub(super) struct IdTable {
    pages: Vec<Option<Box<[u32; PAGE]>>>,
}

const PAGE: usize = 1024;
/// No kernel gives out a larger id (`PID_MAX_LIMIT`).
const IDS: usize = 4 << 20;
/// Nothing stands there.
pub(super) const NONE: u32 = u32::MAX;

impl IdTable {
    #[inline]
    pub(super) fn get(&self, id: u32) -> u32 {
        let id = id as usize;
        match self.pages.get(id / PAGE) {
            Some(Some(page)) => page[id % PAGE],
            Some(None) | None => NONE,
        }
    }

    /// Whether the id can be stored at all.
    pub(super) fn holds(id: u32) -> bool {
        (id as usize) < IDS
    }

    /// Bytes of its pages.
    pub(super) fn bytes(&self) -> usize {
        self.pages.iter().flatten().count() * size_of::<[u32; PAGE]>()
    }

    pub(super) fn set(&mut self, id: u32, index: u32) {
        if !IdTable::holds(id) {
            return;
        }
        let id = id as usize;
        if self.pages.len() <= id / PAGE {
            if index == NONE {
                return;
            }
            self.pages.resize_with(id / PAGE + 1, || None);
        }
        let page = &mut self.pages[id / PAGE];
        match page {
            Some(page) => page[id % PAGE] = index,
            None if index == NONE => {}
            None => {
                let mut fresh = Box::new([NONE; PAGE]);
                fresh[id % PAGE] = index;
                *page = Some(fresh);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_place_has_another_generation() {
        let mut slab = Slab::new(2);
        let a = slab.insert("a").expect("there is room");
        let generation = slab.generation(a);
        slab.insert("b").expect("there is room");
        assert_eq!(slab.insert("c"), None);
        assert!(slab.is_full());
        assert_eq!(slab.remove(a), Some("a"));
        assert_eq!(slab.remove(a), None);
        let again = slab.insert("c").expect("a place is free again");
        assert_eq!(again, a);
        assert_ne!(slab.generation(a), generation);
        assert_eq!(slab.len(), 2);
    }

    #[test]
    fn ids_beyond_the_kernels_bound_are_not_kept() {
        let mut table = IdTable::default();
        table.set(u32::MAX, 1);
        assert_eq!(table.get(u32::MAX), NONE);
        table.set(4_000_000, 7);
        table.set(5, 8);
        assert_eq!(table.get(4_000_000), 7);
        assert_eq!(table.get(5), 8);
        assert_eq!(table.get(6), NONE);
    }
}
