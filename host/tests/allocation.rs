//! The path of an ordinary event, from record to row, allocates nothing in the long run.

use saker::event::{Clock, Event, decode};
use saker::extract::row::Plan;
use saker::literal::Literals;
use saker::source::synthetic::{Options, Synthetic};
use saker::state::{Limits, State};
use saker_ebpf::record::{Kind, Record};
use saker_rules_schema::event::EventType;
use saker_rules_schema::field::FieldRef;
use saker_rules_schema::manifest::{EventLayout, Manifest, Slot};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system's allocator, whose contract is the
// trait's; counting touches only a thread-local number that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System`, as all of this allocator's do.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the pointer came from `System`, as all of this allocator's do.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn slots(fields: &[&str]) -> Vec<Slot> {
    let slot = |field: &&str| Slot {
        term: FieldRef::parse(field).expect("the field exists").into(),
        bytes: true,
    };
    fields.iter().map(slot).collect()
}

fn manifest() -> Manifest {
    let wanted = [
        (
            EventType::Openat,
            &["fd.name", "fd.typechar", "fd.num", "evt.is_open_read"][..],
        ),
        (
            EventType::Connect,
            &["fd.sip", "fd.sport", "fd.typechar", "fd.name"][..],
        ),
    ];
    Manifest {
        process: slots(&[
            "proc.name",
            "proc.pname",
            "proc.cmdline",
            "proc.aname",
            "container.id",
        ]),
        events: wanted
            .into_iter()
            .map(|(event, fields)| EventLayout {
                event,
                slots: slots(fields),
            })
            .collect(),
        ..Manifest::default()
    }
}

const WARM_UP: u64 = 300_000;
const MEASURED: u64 = 200_000;
const SLOT: usize = 256 * 1024;

#[test]
fn ordinary_events_allocate_nothing_once_buffers_have_grown() {
    let mut literals = Literals::new();
    for literal in ["bash", "/etc/shadow", "host", "nginx", "/dev/null"] {
        literals.intern(literal.as_bytes());
    }
    let plan = Plan::new(&manifest(), &Arc::new(literals), 1);
    let mut plan = plan.expect("the manifest is sound");
    let mut state = State::new(Limits::default(), Clock::default());
    let mut records = Synthetic::new(Options::default());
    let stream: Vec<Vec<u8>> = (0..WARM_UP + MEASURED)
        .map(|_| records.next_record())
        .collect();
    let mut window = vec![0; SLOT];
    let mut at = 0;
    let (mut ordinary, mut allocations, mut rows) = (0, 0, 0);
    let mut start = Instant::now();
    for (number, bytes) in stream.iter().enumerate() {
        let number = number as u64 + 1;
        if number == WARM_UP {
            start = Instant::now();
        }
        let before = ALLOCATIONS.get();
        let record = Record::parse(bytes).expect("a synthetic record parses");
        let event = Event::from(decode(&record, &Clock::default(), number));
        let seen = state.apply(&event);
        let mut written = plan.write(&mut state, &event, seen, &mut window[at..]);
        if written.is_err() {
            plan.begin_window();
            state.release(number);
            at = 0;
            written = plan.write(&mut state, &event, seen, &mut window);
        }
        let written = written.expect("a row fits into an empty window");
        at += written.map_or(0, |written| written.bytes);
        // Births, execs and deaths make and unmake things; so does a change of credentials,
        // and the first row of a process after it.
        let is_ordinary = record.header.kind == Kind::Syscall
            && record.header.syscall != libc::SYS_setuid as u16
            && written.is_none_or(|written| written.row == 0);
        if number > WARM_UP {
            rows += u64::from(written.is_some());
            if is_ordinary {
                ordinary += 1;
                allocations += ALLOCATIONS.get() - before;
            }
        }
    }
    let ns = start.elapsed().as_nanos() as u64 / MEASURED;
    println!("{ns} ns an event, {rows} rows, {allocations} allocations in {ordinary} events");
    assert!(ordinary > MEASURED / 2 && rows > MEASURED / 4);
    // What is left is a table of descriptors that a fork shared and a first change copies.
    assert!(
        allocations < ordinary / 20,
        "{allocations} in {ordinary} events"
    );
}
