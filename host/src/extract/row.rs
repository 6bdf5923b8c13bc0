//! Rows: what the loaded modules need of an event, written as `saker_rules_schema::row` lays
//! it out.
//!
//! A [`Plan`] belongs to one module and one epoch. The rows of processes are made once per
//! version and kept with it; what they were made of (ancestors, leaders, names of users) is
//! held against the state whenever that changed. Nothing is allocated per event.

use super::need::{self, PlannedNeed, ProcessNeeds};
use super::{Scratch, Value, View, made, param, process, value};
use crate::event::Event;
use crate::literal::Literals;
use crate::state::version::{ProcessVersion, RowCache, VersionIndex};
use crate::state::{Seen, State};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::{Arg, Binding, Field, Type};
use saker_rules_schema::manifest::{Manifest, Slot};
use saker_rules_schema::row::{
    self, LIST_LEN_MAX, PROCESS_ROW, PROCESS_ROWS_MAX, ROW_BYTES_MAX, ROW_HEADER_BYTES,
    ROW_TRUNCATED, STRING_BYTES_MAX, Shape,
};
use saker_rules_schema::term::Term;
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// What a process row is, beside its bytes.
#[derive(Clone, Copy)]
struct Made {
    stamp: u64,
    /// The bits of [`ProcessNeeds`] that are true of it.
    needs: u64,
}

/// The window has no room for the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the window is full")
    }
}
impl std::error::Error for Full {}

/// Why a manifest gives no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// A slot of process rows depends on the event.
    NotOfProcess(Term),
    /// More slots than a row can have, or values that one is made of.
    TooManySlots(usize),
    /// More modules than an epoch can tell apart.
    TooManyModules(usize),
}

impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PlanError::NotOfProcess(term) => {
                write!(f, "`{term}` is no process's, yet stands in the process row")
            }
            PlanError::TooManySlots(slots) => write!(f, "{slots} slots in one row"),
            PlanError::TooManyModules(modules) => write!(f, "{modules} modules at once"),
        }
    }
}
impl std::error::Error for PlanError {}

/// Rows have fewer slots than this, so that their fixed part always fits.
const SLOTS_MAX: usize = 1024;

/// How the rows of one event type are written.
#[derive(Debug)]
pub struct RowPlan {
    code: u16,
    shape: Shape,
    slots: Vec<PlannedSlot>,
    /// What an event needs for a row; one of these. Nothing where there are none.
    needs: Vec<PlannedNeed>,
    /// Whether they ask something of the process.
    asks_process: bool,
    literals: Arc<Literals>,
    scratch: RefCell<Scratch>,
}

#[derive(Clone, Debug)]
pub(super) struct PlannedSlot {
    term: Term,
    /// Of a parameter's text (`evt.arg`): its place.
    param: Option<usize>,
    /// Where the slot lies in the row, and its presence bit.
    pub(super) at: usize,
    pub(super) presence: (usize, u64),
    pub(super) bytes: bool,
    is_text: bool,
    is_list: bool,
}

impl PlannedSlot {
    #[inline]
    pub(super) fn is_single_text(&self) -> bool {
        self.is_text && !self.is_list
    }

    #[inline]
    pub(super) fn is_number(&self) -> bool {
        !self.is_text && !self.is_list
    }

    /// Shows the value that the slot would hold; `None` where there is none.
    #[inline]
    pub(super) fn value<T>(
        &self,
        view: &View<'_>,
        scratch: &mut Scratch,
        see: impl FnOnce(&Value<'_>) -> T,
    ) -> Option<T> {
        match &self.term {
            Term::Field(_) if let Some(index) = self.param => {
                param::text(view, index, scratch).map(|text| see(&Value::Text(text)))
            }
            Term::Field(field) => {
                // Most are of kinds that have nothing to drop.
                let value = ManuallyDrop::new(value(field, view, scratch)?);
                let seen = see(&value);
                if let Value::List(_) = *value {
                    drop(ManuallyDrop::into_inner(value));
                }
                Some(seen)
            }
            term => made::value(term, view, scratch).map(|value| see(&made::as_value(&value))),
        }
    }

    /// The same of a slot of a process's row.
    fn process_value<T>(
        &self,
        state: &State,
        version: &ProcessVersion,
        number: u64,
        scratch: &mut Scratch,
        see: impl FnOnce(&Value<'_>) -> T,
    ) -> Option<T> {
        match &self.term {
            Term::Field(field) => {
                process::value(field, state, version, number, scratch).map(|value| see(&value))
            }
            term => made::process_value(term, state, version, number, scratch)
                .map(|value| see(&made::as_value(&value))),
        }
    }
}

impl RowPlan {
    /// How rows with these slots are written, whatever the event; where there are needs, of events
    /// that meet one.
    pub fn new(code: u16, slots: &[Slot], literals: &Arc<Literals>) -> Result<RowPlan, PlanError> {
        let terms = slots.iter().map(|slot| slot.term.size()).sum();
        if terms > SLOTS_MAX {
            return Err(PlanError::TooManySlots(terms));
        }
        let shape = Shape {
            slots: slots.len() as u16,
        };
        let place = |index: usize| {
            let (at, mask) = shape.presence(index as u16);
            (shape.slot(index as u16) as usize, (at as usize, mask))
        };
        let slots: Vec<PlannedSlot> = slots
            .iter()
            .enumerate()
            .map(|(index, slot)| PlannedSlot {
                term: slot.term.clone(),
                param: param_of(code, &slot.term),
                at: place(index).0,
                presence: place(index).1,
                bytes: slot.bytes,
                is_text: matches!(
                    slot.term.kind(),
                    Type::Text | Type::Bytes | Type::IpAddr | Type::IpNet
                ),
                is_list: slot.term.is_list(),
            })
            .collect();
        Ok(RowPlan {
            code,
            shape,
            slots,
            needs: Vec::new(),
            asks_process: false,
            literals: literals.clone(),
            scratch: RefCell::default(),
        })
    }

    /// Whether a rule may match the event, of whose process those bits are true.
    fn is_needed(&self, process: u64, view: &View<'_>) -> bool {
        let scratch = &mut *self.scratch.borrow_mut();
        let mut needs = self.needs.iter();
        // One of which something was cut goes to the module, so that it is counted.
        self.needs.is_empty()
            || view.event.is_cut()
            || needs.any(|need| need.holds(process, view, &self.literals, scratch))
    }

    /// Writes the event's row to the beginning of `out` and tells its length. Whose row it is
    /// stays open.
    pub fn write(&self, view: &View<'_>, out: &mut [u8]) -> Result<usize, Full> {
        let scratch = &mut *self.scratch.borrow_mut();
        let mut row = Writer::begin(out, self, view.event.time(), view.event.number(), 0)?;
        if view.event.is_cut() {
            row.flags |= ROW_TRUNCATED;
        }
        self.write_slots(view, scratch, &mut row)?;
        row.finish()
    }

    fn write_slots(
        &self,
        view: &View<'_>,
        scratch: &mut Scratch,
        row: &mut Writer<'_>,
    ) -> Result<(), Full> {
        for slot in &self.slots {
            match &slot.term {
                Term::Field(_) if let Some(index) = slot.param => {
                    if let Some(text) = param::text(view, index, scratch) {
                        row.slot(slot, &Value::Text(text), &self.literals)?;
                    }
                }
                Term::Field(field) => {
                    // Most are of these kinds, which have nothing to drop.
                    let value = value(field, view, scratch).map(ManuallyDrop::new);
                    match value.as_deref() {
                        None => {}
                        Some(Value::Text(text)) if slot.is_single_text() => {
                            let word = row.text(slot, text, &self.literals)?;
                            row.put(slot, word);
                        }
                        Some(Value::Bool(flag)) if slot.is_number() => {
                            row.put(slot, (*flag).into());
                        }
                        Some(Value::Int(number)) if slot.is_number() => {
                            row.put(slot, *number as u64);
                        }
                        Some(Value::Uint(number)) if slot.is_number() => row.put(slot, *number),
                        Some(_) => {
                            let value = value.map(ManuallyDrop::into_inner);
                            let value = value.as_ref().expect("it was just looked at");
                            row.slot(slot, value, &self.literals)?;
                        }
                    }
                }
                term => {
                    if let Some(value) = made::value(term, view, scratch) {
                        row.slot(slot, &made::as_value(&value), &self.literals)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn write_process(
        &self,
        state: &State,
        index: VersionIndex,
        number: u64,
        out: &mut [u8],
    ) -> Result<usize, Full> {
        let scratch = &mut *self.scratch.borrow_mut();
        let mut row = Writer::begin(out, self, 0, 0, 0)?;
        let Some(version) = state.version(index) else {
            return row.finish();
        };
        if version.image.is_cut {
            row.flags |= ROW_TRUNCATED;
        }
        for slot in &self.slots {
            let put = |value: &Value<'_>| row.slot(slot, value, &self.literals);
            slot.process_value(state, version, number, scratch, put)
                .transpose()?;
        }
        row.finish()
    }

    /// What needs ask of a process.
    fn process_bits(
        &self,
        needs: &ProcessNeeds,
        state: &State,
        index: VersionIndex,
        number: u64,
    ) -> u64 {
        let scratch = &mut *self.scratch.borrow_mut();
        match state.version(index) {
            None => 0,
            Some(version) => needs.bits(&self.literals, |slot, see| {
                slot.process_value(state, version, number, scratch, see);
            }),
        }
    }
}

/// Which parameter of the event type a term shows as text, if it does no more.
fn param_of(code: u16, term: &Term) -> Option<usize> {
    let field = term.field().filter(|field| field.field == Field::EvtArg)?;
    match &field.arg {
        Arg::Key(name) => super::param_index(EventType::from_code(code)?, name),
        _ => None,
    }
}

/// A row being written.
struct Writer<'o> {
    out: &'o mut [u8],
    /// End of the tail so far.
    end: usize,
    flags: u16,
}

impl<'o> Writer<'o> {
    fn begin(
        out: &'o mut [u8],
        plan: &RowPlan,
        time: u64,
        number: u64,
        process: u32,
    ) -> Result<Writer<'o>, Full> {
        let limit = out.len().min(ROW_BYTES_MAX);
        let out = &mut out[..limit];
        let end = plan.shape.tail() as usize;
        // The fixed part is far below the bound of a row, so only the window can be too full.
        out.get_mut(ROW_HEADER_BYTES..end).ok_or(Full)?.fill(0);
        out[row::CODE_AT as usize..][..2].copy_from_slice(&plan.code.to_le_bytes());
        out[row::TIME_AT as usize..][..8].copy_from_slice(&time.to_le_bytes());
        out[row::NUMBER_AT as usize..][..8].copy_from_slice(&number.to_le_bytes());
        out[row::PROCESS_AT as usize..][..8].copy_from_slice(&u64::from(process).to_le_bytes());
        Ok(Writer { out, end, flags: 0 })
    }

    #[inline]
    fn slot(
        &mut self,
        slot: &PlannedSlot,
        value: &Value<'_>,
        literals: &Literals,
    ) -> Result<(), Full> {
        let word = self.any(slot, value, literals)?;
        self.put(slot, word);
        Ok(())
    }

    /// Fills a slot.
    #[inline]
    fn put(&mut self, slot: &PlannedSlot, word: u64) {
        let (at, mask) = slot.presence;
        if let Some(presence) = self.out[at..].first_chunk_mut() {
            *presence = (u64::from_le_bytes(*presence) | mask).to_le_bytes();
        }
        if let Some(place) = self.out[slot.at..].first_chunk_mut() {
            *place = word.to_le_bytes();
        }
    }

    /// The slot's eight bytes for any value.
    fn any(
        &mut self,
        slot: &PlannedSlot,
        value: &Value<'_>,
        literals: &Literals,
    ) -> Result<u64, Full> {
        if !slot.is_list {
            return self.word(slot, value, literals);
        }
        match value {
            Value::List(items) => self.list(slot, items, literals),
            single => self.list(slot, std::slice::from_ref(single), literals),
        }
    }

    /// The slot's eight bytes for a text: its id and where its bytes are.
    #[inline]
    fn text(&mut self, slot: &PlannedSlot, text: &[u8], literals: &Literals) -> Result<u64, Full> {
        let tail = if slot.bytes { self.string(text)? } else { 0 };
        Ok(u64::from(literals.id(text)) | u64::from(tail) << 32)
    }

    /// The slot's eight bytes for a single value.
    #[inline]
    fn word(
        &mut self,
        slot: &PlannedSlot,
        value: &Value<'_>,
        literals: &Literals,
    ) -> Result<u64, Full> {
        let value = value.first();
        match (slot.is_text, value) {
            (_, Value::List(_)) => Ok(0),
            (true, value) => value.with_text(|text| self.text(slot, text, literals)),
            (false, value) => Ok(value.as_number()),
        }
    }

    fn list(
        &mut self,
        slot: &PlannedSlot,
        items: &[Value<'_>],
        literals: &Literals,
    ) -> Result<u64, Full> {
        let count = items.len().min(LIST_LEN_MAX);
        if count < items.len() {
            self.flags |= ROW_TRUNCATED;
        }
        let align = if slot.is_text { 4 } else { 8 };
        let first = self.end.next_multiple_of(align);
        let Some(area) = self.room(first, count * 8)? else {
            return Ok(0);
        };
        let place = area.start;
        self.out[self.end..place].fill(0);
        self.end = area.end;
        for (index, item) in items[..count].iter().enumerate() {
            let word = self.word(slot, item, literals)?;
            self.out[place + index * 8..][..8].copy_from_slice(&word.to_le_bytes());
        }
        Ok(count as u64 | (place as u64) << 32)
    }

    /// Puts a string into the tail and tells where: never 0. One that would make the row too
    /// long is cut to nothing.
    #[inline]
    fn string(&mut self, text: &[u8]) -> Result<u32, Full> {
        let place = self.end;
        let end = place + 4 + text.len().next_multiple_of(4);
        if text.len() <= STRING_BYTES_MAX
            && end.next_multiple_of(8) <= self.out.len()
            && let Some((len, bytes)) = self.out[place..end].split_first_chunk_mut()
        {
            *len = (text.len() as u32).to_le_bytes();
            if let Some(last) = bytes.last_chunk_mut() {
                *last = [0; 4];
            }
            bytes[..text.len()].copy_from_slice(text);
            self.end = end;
            return Ok(place as u32);
        }
        self.long_string(text)
    }

    /// The same of one that may not have room.
    #[cold]
    fn long_string(&mut self, text: &[u8]) -> Result<u32, Full> {
        let mut text = text;
        if text.len() > STRING_BYTES_MAX {
            text = &text[..STRING_BYTES_MAX];
            self.flags |= ROW_TRUNCATED;
        }
        let bytes = 4 + text.len().next_multiple_of(4);
        let area = match self.room(self.end, bytes)? {
            Some(area) => area,
            None => {
                text = &[];
                match self.room(self.end, 4)? {
                    Some(area) => area,
                    None => return Ok(0),
                }
            }
        };
        let place = area.start;
        self.end = area.end;
        let area = &mut self.out[area];
        area[..4].copy_from_slice(&(text.len() as u32).to_le_bytes());
        area[4..4 + text.len()].copy_from_slice(text);
        area[4 + text.len()..].fill(0);
        Ok(place as u32)
    }

    /// Where `bytes` fit from `at` on; `Full` if the window ends before a row must, `None`
    /// (and the flag) if the row would be too long.
    fn room(&mut self, at: usize, bytes: usize) -> Result<Option<std::ops::Range<usize>>, Full> {
        let end = at + bytes;
        // The row's length is rounded up to 8 at the end.
        if end.next_multiple_of(8) <= self.out.len() {
            return Ok(Some(at..end));
        }
        if self.out.len() < ROW_BYTES_MAX {
            return Err(Full);
        }
        self.flags |= ROW_TRUNCATED;
        Ok(None)
    }

    fn finish(self) -> Result<usize, Full> {
        let len = self.end.next_multiple_of(8);
        self.out.get_mut(self.end..len).ok_or(Full)?.fill(0);
        self.out[..4].copy_from_slice(&(len as u32).to_le_bytes());
        self.out[row::FLAGS_AT as usize..][..2].copy_from_slice(&self.flags.to_le_bytes());
        Ok(len)
    }
}

/// What was written for an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Bytes in all: a process row, if one was needed, and the event's row.
    pub bytes: usize,
    /// Where the event's row begins.
    pub row: usize,
    /// A string of one of the rows was cut.
    pub truncated: bool,
}

/// How a module's rows are written, and which process rows the current window has.
#[derive(Debug)]
pub struct Plan {
    epoch: u32,
    rows: Vec<Option<RowPlan>>,
    process: RowPlan,
    process_needs: ProcessNeeds,
    row: Vec<u8>,
    row_bytes: usize,
    /// By version.
    written: Vec<WrittenProcess>,
    ordinals: Ordinals,
    window: u64,
    serials: u64,
    /// Process rows in which something is cut, made since they were last taken note of.
    cut: u64,
}

/// A version's process row, as last written. A version that is none has had no window.
#[derive(Clone, Copy, Debug, Default)]
struct WrittenProcess {
    window: u64,
    ordinal: u32,
    stamp: u64,
    /// Tells what the row holds from all that any row of this plan held; 0 if that is nothing.
    serial: u64,
}

/// Who has which ordinal. A version keeps its own for as long as there are enough, so that the
/// module finds again what it computed of it.
#[derive(Debug)]
struct Ordinals {
    /// By ordinal: the place of the version whose it is, and the window in which it was last
    /// used.
    owners: Vec<(usize, u64)>,
    /// The next to be given away.
    next: usize,
    /// How many the current window uses.
    used: usize,
}

impl Ordinals {
    fn new() -> Ordinals {
        Ordinals {
            owners: vec![(usize::MAX, 0); PROCESS_ROWS_MAX],
            next: 0,
            used: 0,
        }
    }

    /// An ordinal that the window does not use yet: the version's former one if it still can be
    /// had.
    fn find(&mut self, place: usize, former: u32, window: u64) -> Result<u32, Full> {
        if self.used >= PROCESS_ROWS_MAX {
            return Err(Full);
        }
        if let Some((owner, last)) = self.owners.get(former as usize)
            && *owner == place
            && *last != window
        {
            return Ok(former);
        }
        // One of them is not used, as was just seen.
        while self.owners[self.next].1 == window {
            self.next = (self.next + 1) % PROCESS_ROWS_MAX;
        }
        Ok(self.next as u32)
    }

    fn give(&mut self, ordinal: u32, place: usize, window: u64) {
        self.owners[ordinal as usize] = (place, window);
        self.used += 1;
    }
}

impl Plan {
    /// The plan for a module's manifest. `epoch` tells this plan from every other whose
    /// process rows the state may keep.
    pub fn new(
        manifest: &Manifest,
        literals: &Arc<Literals>,
        epoch: u32,
    ) -> Result<Plan, PlanError> {
        let foreign = manifest
            .process
            .iter()
            .find(|slot| slot.term.binding() != Binding::Process);
        if let Some(slot) = foreign {
            return Err(PlanError::NotOfProcess(slot.term.clone()));
        }
        let mut rows: Vec<Option<RowPlan>> = Vec::new();
        rows.resize_with(EventType::COUNT, || None);
        let process = RowPlan::new(PROCESS_ROW, &manifest.process, literals)?;
        let mut process_needs = ProcessNeeds::default();
        for layout in &manifest.events {
            let mut plan = RowPlan::new(layout.event.code(), &layout.slots, literals)?;
            let of = &mut process_needs;
            plan.needs = need::planned(&layout.needs, &plan.slots, &process.slots, of);
            plan.asks_process = plan.needs.iter().any(PlannedNeed::asks_process);
            rows[layout.event.index()] = Some(plan);
        }
        Ok(Plan {
            epoch,
            rows,
            process,
            process_needs,
            row: Vec::new(),
            row_bytes: 0,
            written: Vec::new(),
            ordinals: Ordinals::new(),
            window: 1,
            serials: 0,
            cut: 0,
        })
    }

    /// How rows of that event type are written; `None` if the module does not want it.
    #[inline]
    pub fn row(&self, event: EventType) -> Option<&RowPlan> {
        self.rows[event.index()].as_ref()
    }

    /// Whether a row of the event would be handed over, as far as the event itself tells: then
    /// nothing that is known of its process is looked at.
    pub fn offers(&self, state: &State, event: &Event<'_>, seen: Seen) -> bool {
        let Some(plan) = event
            .kind()
            .and_then(|kind| self.rows[kind.index()].as_ref())
        else {
            return false;
        };
        plan.is_needed(u64::MAX, &View::new(event, state, seen))
    }

    /// From here on rows go into another window, which has no process rows yet.
    pub fn begin_window(&mut self) {
        self.window += 1;
        self.ordinals.used = 0;
    }

    /// How many processes of which something is cut were asked what they are, since the last call:
    /// of one that no rule wants, there is no row to tell it.
    pub fn take_cut(&mut self) -> u64 {
        std::mem::take(&mut self.cut)
    }

    /// Writes an event's row, and before it its process row if this window lacks it, to the
    /// beginning of `out`. `Ok(None)`: the module does not want the event. `Err(Full)`: close the
    /// window, call [`Plan::begin_window`], try again.
    pub fn write(
        &mut self,
        state: &mut State,
        event: &Event<'_>,
        seen: Seen,
        out: &mut [u8],
    ) -> Result<Option<Written>, Full> {
        let Some(kind) = event.kind() else {
            return Ok(None);
        };
        let Some(plan) = &self.rows[kind.index()] else {
            return Ok(None);
        };
        // An event of a process that is not known, and of no container, refers to an ordinal without values.
        let index = seen.process_row();
        let needs = match plan.asks_process {
            true => self.refresh(state, index, event.number()).needs,
            false => 0,
        };
        let Some(plan) = &self.rows[kind.index()] else {
            return Ok(None);
        };
        if !plan.is_needed(needs, &View::new(event, state, seen)) {
            return Ok(None);
        }
        let stamp = self.refresh(state, index, event.number()).stamp;
        let place = if index == VersionIndex::NONE {
            0
        } else {
            index.place() + 1
        };
        if self.written.len() <= place {
            self.written.resize(place + 1, WrittenProcess::default());
        }
        let mut process = self.written[place];
        let mut start = 0;
        let mut truncated = false;
        let is_new = process.window != self.window || process.stamp != stamp;
        if is_new {
            process.ordinal = self.ordinals.find(place, process.ordinal, self.window)?;
            process.window = self.window;
            if process.stamp != stamp {
                process.stamp = stamp;
                process.serial = self.serials + 1;
            }
            let row: &[u8] = match state.row(index) {
                Some(row) => &row.bytes,
                None => &self.row[..self.row_bytes],
            };
            start = row.len();
            let room = out.get_mut(..start).ok_or(Full)?;
            room.copy_from_slice(row);
            room[row::NUMBER_AT as usize..][..8].copy_from_slice(&process.serial.to_le_bytes());
            room[row::PROCESS_AT as usize..][..4].copy_from_slice(&process.ordinal.to_le_bytes());
            truncated = row_is_truncated(row);
        }
        let Some(plan) = &self.rows[kind.index()] else {
            return Ok(None);
        };
        let row = &mut out[start..];
        let bytes = plan.write(&View::new(event, state, seen), row)?;
        row[row::PROCESS_AT as usize..][..8]
            .copy_from_slice(&u64::from(process.ordinal).to_le_bytes());
        truncated |= row_is_truncated(row);
        if is_new {
            // Its row tells it.
            self.cut = 0;
            self.ordinals.give(process.ordinal, place, self.window);
            self.serials = self.serials.max(process.serial);
            self.written[place] = process;
        }
        Ok(Some(Written {
            bytes: start + bytes,
            row: start,
            truncated,
        }))
    }

    /// Makes the version's process row anew if what it shows has changed.
    fn refresh(&mut self, state: &mut State, index: VersionIndex, number: u64) -> Made {
        let generation = state.generation();
        let kept = state
            .row(index)
            .filter(|row| row.epoch == self.epoch)
            .map(|row| {
                let RowCache { stamp, needs, .. } = *row;
                (row.generation, Made { stamp, needs })
            });
        if let Some((seen, made)) = kept
            && seen == generation
        {
            return made;
        }
        let stamp = state.row_stamp(index, number);
        if let Some((_, made)) = kept
            && made.stamp == stamp
        {
            state.confirm_row(index, generation);
            return made;
        }
        self.row.resize(ROW_BYTES_MAX, 0);
        self.row_bytes = 0;
        // With a whole row's room, a row always fits.
        let written = self
            .process
            .write_process(state, index, number, &mut self.row);
        self.row_bytes = written.unwrap_or(0);
        self.cut += u64::from(row_is_truncated(&self.row[..self.row_bytes]));
        let needs = self
            .process
            .process_bits(&self.process_needs, state, index, number);
        state.set_row(
            index,
            RowCache {
                epoch: self.epoch,
                generation,
                stamp,
                needs,
                bytes: self.row[..self.row_bytes].into(),
            },
        );
        Made { stamp, needs }
    }
}

fn row_is_truncated(row: &[u8]) -> bool {
    row.get(row::FLAGS_AT as usize)
        .is_some_and(|flags| u16::from(*flags) & ROW_TRUNCATED != 0)
}
