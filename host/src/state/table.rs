//! Which process has which descriptors.
//!
//! An entry never changes: a socket that connects gets a new one, so that an event in flight
//! keeps seeing what it saw. Entries are counted by the tables that hold them; buffers of
//! names are used again, so that opening a file allocates nothing in the long run. A fork
//! shares its creator's table until one of the two changes it.

mod order;

use super::descriptor::{FdIndex, FdInfo};
use super::note::Kinds;
use super::slab::Slab;
use order::Order;

/// Bit of a table's entry: the descriptor is closed on exec.
const CLOEXEC: u32 = 1 << 31;
const EMPTY: u32 = u32::MAX;
/// Descriptors below this number lie in an array.
const LOW: usize = 1024;

/// The descriptors of a process, or of several that have not changed theirs since a fork.
#[derive(Clone, Debug, Default)]
struct FdTable {
    refs: u32,
    count: u32,
    cloexec: u32,
    low: Vec<u32>,
    high: hashbrown::HashMap<u32, u32, foldhash::fast::RandomState>,
    /// Falco's order, for tables of captures.
    order: Option<Box<Order>>,
    /// What [`Descriptors::kinds`] found, until something changes.
    kinds: Option<Kinds>,
    /// Bytes for which it was counted.
    room: usize,
}

impl FdTable {
    #[inline]
    fn get(&self, fd: u32) -> u32 {
        if (fd as usize) < LOW {
            self.low.get(fd as usize).copied().unwrap_or(EMPTY)
        } else {
            self.high.get(&fd).copied().unwrap_or(EMPTY)
        }
    }

    /// Puts an entry (or [`EMPTY`]) in, and gives the one that was there.
    fn replace(&mut self, fd: u32, entry: u32) -> u32 {
        let (old, number) = (self.get(fd), fd);
        if (fd as usize) < LOW {
            let fd = fd as usize;
            if self.low.len() <= fd {
                if entry == EMPTY {
                    return EMPTY;
                }
                self.low.resize(fd + 1, EMPTY);
            }
            self.low[fd] = entry;
        } else if entry == EMPTY {
            self.high.remove(&fd);
        } else {
            self.high.insert(fd, entry);
        }
        self.kinds = None;
        if let Some(order) = &mut self.order {
            match (old, entry) {
                (EMPTY, EMPTY) => {}
                (EMPTY, _) if order.is_full() => self.order = None,
                (EMPTY, _) => order.insert(number),
                (_, EMPTY) => order.remove(number),
                (_, _) => {}
            }
        }
        for (entry, sign) in [(old, -1), (entry, 1)] {
            if entry != EMPTY {
                self.count = self.count.wrapping_add_signed(sign);
                if entry & CLOEXEC != 0 {
                    self.cloexec = self.cloexec.wrapping_add_signed(sign);
                }
            }
        }
        old
    }

    /// Bytes that it takes more with that descriptor.
    fn growth(&self, fd: u32) -> usize {
        let fd = fd as usize;
        let places = match fd < LOW {
            true => (fd + 1).saturating_sub(self.low.capacity()),
            false if self.high.len() < self.high.capacity() => 0,
            false => self.high.capacity() * 10 / 4 + 10,
        };
        places * size_of::<u32>()
    }

    /// Bytes that it takes.
    fn bytes(&self) -> usize {
        let order = self.order.as_ref().map_or(0, |order| order.bytes());
        // An entry of the map has a byte beside it, and an eighth of the map is free.
        self.low.capacity() * size_of::<u32>() + self.high.capacity() * 10 + order
    }

    fn entries(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let low = self
            .low
            .iter()
            .enumerate()
            .map(|(fd, entry)| (fd as u32, *entry));
        let high = self.high.iter().map(|(fd, entry)| (*fd, *entry));
        low.chain(high).filter(|(_, entry)| *entry != EMPTY)
    }
}

/// A process's table in [`Descriptors`]; [`TableIndex::NONE`] for one that has none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TableIndex(u32);

impl TableIndex {
    pub(super) const NONE: TableIndex = TableIndex(u32::MAX);
}

/// All descriptors of all processes.
#[derive(Clone, Debug)]
pub(super) struct Descriptors {
    infos: Vec<FdInfo>,
    free: Vec<u32>,
    tables: Slab<FdTable>,
    infos_max: usize,
    /// Bytes of tables, and of names of entries that they hold, or held until they are free, and
    /// how many there may be.
    bytes: usize,
    bytes_max: usize,
    per_table_max: u32,
    /// Whether new tables have Falco's order.
    pub(super) keeps_order: bool,
    /// Entries no table holds any more; the caller retires them.
    pub(super) dropped: Vec<FdIndex>,
    /// Descriptors not kept because of a bound.
    pub(super) refused: u64,
}

impl Descriptors {
    /// Bytes that they take, about.
    pub(super) fn memory(&self) -> usize {
        let tables = self.tables.iter();
        let entries: usize = tables
            .map(|table| table.low.capacity() * size_of::<u32>())
            .sum();
        self.infos.capacity() * size_of::<FdInfo>() + self.tables.bytes() + entries + self.bytes
    }

    pub(super) fn new(
        infos_max: usize,
        bytes_max: usize,
        per_table_max: u32,
        tables_max: usize,
    ) -> Descriptors {
        Descriptors {
            infos: Vec::new(),
            free: Vec::new(),
            tables: Slab::new(tables_max),
            infos_max: infos_max.min(CLOEXEC as usize - 1),
            bytes: 0,
            bytes_max,
            per_table_max,
            keeps_order: false,
            dropped: Vec::new(),
            refused: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.infos.len() - self.free.len()
    }

    #[inline]
    pub(super) fn info(&self, index: FdIndex) -> Option<&FdInfo> {
        self.infos.get(index.0 as usize)
    }

    #[inline]
    pub(super) fn info_mut(&mut self, index: FdIndex) -> Option<&mut FdInfo> {
        self.infos.get_mut(index.0 as usize)
    }

    /// A fresh entry, held by nobody, that is the same as another.
    pub(super) fn copy(&mut self, from: FdIndex) -> Option<FdIndex> {
        let (index, _) = self.fresh()?;
        let (from, to) = (from.0 as usize, index.0 as usize);
        if let Ok([from, to]) = self.infos.get_disjoint_mut([from, to]) {
            let (refs, room) = (to.refs, to.room);
            to.clone_from(from);
            (to.refs, to.room) = (refs, room);
        }
        Some(index)
    }

    /// How many descriptors a table has.
    pub(super) fn count(&self, table: TableIndex) -> u32 {
        self.tables.get(table.0).map_or(0, |table| table.count)
    }

    /// Whether exec closes that descriptor.
    pub(super) fn closes_on_exec(&self, table: TableIndex, fd: i64) -> bool {
        let entry = u32::try_from(fd).ok().and_then(|fd| {
            let table = self.tables.get(table.0)?;
            Some(table.get(fd))
        });
        entry.is_some_and(|entry| entry != EMPTY && entry & CLOEXEC != 0)
    }

    /// The kinds of a table's descriptors.
    pub(super) fn kinds(&mut self, table: TableIndex) -> Kinds {
        let Some(table) = self.tables.get_mut(table.0) else {
            return Kinds::default();
        };
        if let Some(kinds) = table.kinds {
            return kinds;
        }
        let mut kinds = Kinds::default();
        let mut meet = |entry: u32| {
            if entry != EMPTY
                && let Some(info) = self.infos.get((entry & !CLOEXEC) as usize)
            {
                kinds.meet(info.kind);
            }
        };
        match &table.order {
            Some(order) => order.iter().for_each(|fd| meet(table.get(fd))),
            None => table.entries().for_each(|(_, entry)| meet(entry)),
        }
        table.kinds = Some(kinds);
        kinds
    }

    #[inline]
    pub(super) fn get(&self, table: TableIndex, fd: i64) -> FdIndex {
        let Some(table) = self.tables.get(table.0) else {
            return FdIndex::NONE;
        };
        let Ok(fd) = u32::try_from(fd) else {
            return FdIndex::NONE;
        };
        match table.get(fd) {
            EMPTY => FdIndex::NONE,
            entry => FdIndex(entry & !CLOEXEC),
        }
    }

    /// What descriptors 0, 1 and 2 are.
    #[inline]
    pub(super) fn standard(&self, table: TableIndex) -> [FdIndex; 3] {
        let mut standard = [FdIndex::NONE; 3];
        if let Some(table) = self.tables.get(table.0) {
            for (place, entry) in standard.iter_mut().zip(&table.low) {
                if *entry != EMPTY {
                    *place = FdIndex(entry & !CLOEXEC);
                }
            }
        }
        standard
    }

    /// A fresh entry, cleared, held by nobody; `None` when there are too many.
    pub(super) fn fresh(&mut self) -> Option<(FdIndex, &mut FdInfo)> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.infos.len() >= self.infos_max => {
                self.refused += 1;
                return None;
            }
            None => {
                self.infos.push(FdInfo::with_room());
                self.infos.len() as u32 - 1
            }
        };
        let info = &mut self.infos[index as usize];
        info.clear();
        Some((FdIndex(index), info))
    }

    /// Gives back an entry that no table and no event refers to.
    pub(super) fn free(&mut self, index: FdIndex) {
        if let Some(info) = self.infos.get_mut(index.0 as usize) {
            self.bytes -= std::mem::take(&mut info.room) as usize;
            info.clear();
            self.free.push(index.0);
        }
    }

    /// The table, unshared and existing, for a change; its index may be a new one.
    fn own(&mut self, table: &mut TableIndex) -> Option<&mut FdTable> {
        let refs = self.tables.get(table.0).map(|table| table.refs);
        match refs {
            None => {
                let fresh = FdTable {
                    refs: 1,
                    order: self.keeps_order.then(Box::default),
                    ..FdTable::default()
                };
                *table = TableIndex(self.tables.insert(fresh)?);
            }
            Some(refs) if refs > 1 => {
                let fresh = self.copy_table(*table)?;
                self.tables.get_mut(table.0)?.refs -= 1;
                *table = fresh;
            }
            Some(_) => {}
        }
        self.tables.get_mut(table.0)
    }

    /// The descriptors of that table.
    pub(super) fn entries(&self, table: TableIndex) -> impl Iterator<Item = (u32, FdIndex)> + '_ {
        let table = self.tables.get(table.0);
        table
            .into_iter()
            .flat_map(|table| table.entries())
            .map(|(fd, entry)| (fd, FdIndex(entry & !CLOEXEC)))
    }

    /// The same in the order in which they are to be put into another table.
    pub(super) fn written(&self, table: TableIndex) -> Vec<(u32, FdIndex)> {
        let ordered = self.tables.get(table.0).and_then(|table| {
            let order = table.order.as_ref()?;
            let entry = |fd| (fd, FdIndex(table.get(fd) & !CLOEXEC));
            Some(order.written().into_iter().map(entry).collect())
        });
        ordered.unwrap_or_else(|| self.entries(table).collect())
    }

    /// Another table with the same descriptors.
    fn copy_table(&mut self, table: TableIndex) -> Option<TableIndex> {
        if self.tables.is_full() {
            return None;
        }
        let from = self.tables.get(table.0)?;
        if self.bytes + from.bytes() > self.bytes_max {
            self.refused += u64::from(from.count);
            return None;
        }
        let mut copy = from.clone();
        copy.refs = 1;
        copy.room = copy.bytes();
        self.bytes += copy.room;
        for (_, entry) in copy.entries() {
            self.infos[(entry & !CLOEXEC) as usize].refs += 1;
        }
        Some(TableIndex(self.tables.insert(copy)?))
    }

    /// Lets descriptor `fd` of that table be `index`. Whether it was kept: an entry refused
    /// that nobody else holds counts as dropped.
    pub(super) fn put(
        &mut self,
        table: &mut TableIndex,
        fd: i64,
        index: FdIndex,
        close_on_exec: bool,
    ) -> bool {
        let per_table_max = self.per_table_max;
        let fd = u32::try_from(fd).ok();
        let has_room = self.take_room(index);
        let (bytes, bytes_max) = (self.bytes, self.bytes_max);
        let target = match has_room {
            true => self.own(table).zip(fd),
            false => None,
        };
        let Some((target, fd)) = target.filter(|(target, fd)| {
            let has_room = || bytes + target.growth(*fd) <= bytes_max;
            target.get(*fd) != EMPTY || target.count < per_table_max && has_room()
        }) else {
            self.refused += 1;
            self.unused(index);
            return false;
        };
        let entry = index.0 | if close_on_exec { CLOEXEC } else { 0 };
        let old = target.replace(fd, entry);
        let (before, now) = (target.room, target.bytes());
        target.room = now;
        self.bytes = self.bytes - before + now;
        self.infos[index.0 as usize].refs += 1;
        self.let_go(old);
        true
    }

    /// Counts the names of an entry, once. Whether there is room for them.
    fn take_room(&mut self, index: FdIndex) -> bool {
        let Some(info) = self.infos.get_mut(index.0 as usize) else {
            return false;
        };
        if info.room > 0 {
            return true;
        }
        let room = info.bound_names();
        let all = self.bytes + room as usize;
        if all > self.bytes_max {
            return false;
        }
        info.room = room;
        self.bytes = all;
        true
    }

    /// Notes an entry that no table took.
    pub(super) fn unused(&mut self, index: FdIndex) {
        if self
            .infos
            .get(index.0 as usize)
            .is_some_and(|info| info.refs == 0)
        {
            self.dropped.push(index);
        }
    }

    /// Closes descriptor `fd`, and gives what it was.
    pub(super) fn close(&mut self, table: &mut TableIndex, fd: i64) -> FdIndex {
        let index = self.get(*table, fd);
        if index != FdIndex::NONE
            && let Ok(fd) = u32::try_from(fd)
            && let Some(target) = self.own(table)
        {
            let old = target.replace(fd, EMPTY);
            self.let_go(old);
        }
        index
    }

    /// Closes what exec closes.
    pub(super) fn close_on_exec(&mut self, table: &mut TableIndex) {
        if self
            .tables
            .get(table.0)
            .is_none_or(|table| table.cloexec == 0)
        {
            return;
        }
        let Some(target) = self.own(table) else {
            return;
        };
        let closed: Vec<u32> = target
            .entries()
            .filter(|(_, entry)| entry & CLOEXEC != 0)
            .map(|(fd, _)| fd)
            .collect();
        let entries: Vec<u32> = closed.iter().map(|fd| target.replace(*fd, EMPTY)).collect();
        for entry in entries {
            self.let_go(entry);
        }
    }

    fn let_go(&mut self, entry: u32) {
        if entry == EMPTY {
            return;
        }
        let index = entry & !CLOEXEC;
        let info = &mut self.infos[index as usize];
        info.refs -= 1;
        if info.refs == 0 {
            self.dropped.push(FdIndex(index));
        }
    }

    /// The table for a process that starts with the same descriptors.
    pub(super) fn share(&mut self, table: TableIndex) -> TableIndex {
        let order = self
            .tables
            .get(table.0)
            .and_then(|table| table.order.as_ref());
        if let Some(order) = order.map(|order| order.copied()) {
            // Of the same descriptors, each has them in another order.
            let Some(copy) = self.copy_table(table) else {
                return TableIndex::NONE;
            };
            if let Some(copy) = self.tables.get_mut(copy.0) {
                copy.order = Some(Box::new(order));
                copy.kinds = None;
                let (before, now) = (copy.room, copy.bytes());
                copy.room = now;
                self.bytes = self.bytes - before + now;
            }
            return copy;
        }
        match self.tables.get_mut(table.0) {
            Some(shared) => {
                shared.refs += 1;
                table
            }
            None => TableIndex::NONE,
        }
    }

    /// A process gives its table up.
    pub(super) fn abandon(&mut self, table: TableIndex) {
        let Some(shared) = self.tables.get_mut(table.0) else {
            return;
        };
        shared.refs -= 1;
        if shared.refs > 0 {
            return;
        }
        if let Some(old) = self.tables.remove(table.0) {
            self.bytes -= old.room;
            for (_, entry) in old.entries() {
                self.let_go(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::descriptor::FdKind;
    use super::*;

    fn named(descriptors: &mut Descriptors, name: &[u8]) -> FdIndex {
        let (index, info) = descriptors.fresh().expect("there is room");
        info.fill_path(FdKind::File, name);
        index
    }

    #[test]
    fn what_forked_processes_have_is_bounded_in_bytes() {
        let mut all = Descriptors::new(10_000, 1 << 20, 10_000, 10_000);
        all.keeps_order = true;
        let mut first = TableIndex::NONE;
        for fd in 0..4_000 {
            let index = named(&mut all, b"/a");
            assert!(all.put(&mut first, fd, index, false));
        }
        let before = all.bytes;
        let shared: Vec<TableIndex> = (0..1_000)
            .map(|_| {
                let mut table = all.share(first);
                let index = named(&mut all, b"/b");
                all.put(&mut table, 0, index, false);
                table
            })
            .collect();
        assert!(all.bytes <= 1 << 20 && all.refused > 0);
        let real: usize = all.tables.iter().map(FdTable::bytes).sum();
        assert!(real <= all.bytes, "{real} {}", all.bytes);
        shared.into_iter().for_each(|table| all.abandon(table));
        let names = all.dropped.split_off(0);
        names.into_iter().for_each(|index| all.free(index));
        assert_eq!(all.bytes, before);
    }

    #[test]
    fn a_forked_process_changes_only_its_own_descriptors() {
        let mut all = Descriptors::new(100, 10_000, 10, 10);
        let mut parent = TableIndex::NONE;
        let (a, b) = (named(&mut all, b"/a"), named(&mut all, b"/b"));
        assert!(all.put(&mut parent, 0, a, false));
        assert!(all.put(&mut parent, 5000, b, true));
        let mut child = all.share(parent);
        all.close_on_exec(&mut child);
        assert_eq!(all.get(child, 5000), FdIndex::NONE);
        assert_eq!(all.get(parent, 5000), b);
        assert_eq!(all.standard(child), [a, FdIndex::NONE, FdIndex::NONE]);
        assert!(all.dropped.is_empty());
        all.abandon(parent);
        assert_eq!(all.dropped, [b]);
        assert_eq!(all.close(&mut child, 0), a);
        assert_eq!(all.dropped, [b, a]);
    }

    #[test]
    fn names_are_bounded_in_all_and_free_again_with_their_descriptors() {
        let mut all = Descriptors::new(100, 20_000, 10, 10);
        let mut table = TableIndex::NONE;
        let long = [b'x'; 100_000];
        let mut kept = Vec::new();
        for fd in 0..6 {
            let index = named(&mut all, &long);
            kept.push(all.put(&mut table, fd, index, false));
        }
        assert_eq!(kept, [true, true, true, true, false, false]);
        assert_eq!(all.refused, 2);
        // The same entry once more takes no more room.
        let first = all.get(table, 0);
        assert!(all.put(&mut table, 7, first, false));
        all.close(&mut table, 1);
        for index in std::mem::take(&mut all.dropped) {
            all.free(index);
        }
        let index = named(&mut all, b"/short");
        assert!(all.put(&mut table, 8, index, false));
        all.abandon(table);
        for index in std::mem::take(&mut all.dropped) {
            all.free(index);
        }
        assert_eq!(all.bytes, 0);
    }

    #[test]
    fn descriptors_are_bounded_in_a_process_and_in_all() {
        let mut all = Descriptors::new(3, 10_000, 2, 10);
        let mut table = TableIndex::NONE;
        let a = named(&mut all, b"/a");
        for fd in 0..4 {
            all.put(&mut table, fd, a, false);
        }
        assert_eq!(all.refused, 2);
        assert_eq!(all.get(table, 2), FdIndex::NONE);
        named(&mut all, b"/b");
        named(&mut all, b"/c");
        assert!(all.fresh().is_none());
        assert_eq!(all.refused, 3);
    }
}
