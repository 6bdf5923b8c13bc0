//! The path of an ordinary event, from record to row, allocates nothing in the long run.

use saker::event::{Clock, Event, decode};
use saker::extract::row::Plan;
use saker::literal::Literals;
use saker::source::capture::Capture;
use saker::source::merge::Batch;
use saker::source::synthetic::{Options, Synthetic};
use saker::state::{Limits, State};
use saker_capture::{CaptureError, Compression, ParamBuffer, Reader, Writer};
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
                needs: Vec::new(),
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

/// A capture of a time when what a call was given was an event of its own.
fn old_capture(rounds: u32) -> Vec<u8> {
    let (zero, three, size) = (0i64.to_le_bytes(), 3i64.to_le_bytes(), 9u32.to_le_bytes());
    let path: &[u8] = b"/etc/passwd\0";
    let calls: [(u16, &[&[u8]]); 6] = [
        (306, &[&zero, path, &size, &size]),
        (307, &[&three, &zero, path, &size, &size]),
        (6, &[&three, &size]),
        (7, &[&zero, b"data"]),
        (4, &[&three]),
        (5, &[&zero]),
    ];
    let mut writer = Writer::new(Vec::new(), Compression::Plain).expect("memory takes it");
    let mut buffer = ParamBuffer::new();
    for (round, (code, params)) in (0..rounds).flat_map(|round| calls.map(|call| (round, call))) {
        buffer.clear();
        params.iter().for_each(|param| assert!(buffer.push(param)));
        let event = saker_capture::Event {
            cpu: 0,
            flags: 0,
            time: round.into(),
            tid: i64::from(round % 1000),
            code,
            params: buffer.params(),
        };
        writer.event(&event).expect("it is one");
    }
    writer.finish().expect("memory takes it")
}

#[test]
fn events_of_old_captures_become_current_ones_without_an_allocation() {
    const ROUNDS: u32 = 50_000;
    let bytes = old_capture(ROUNDS);
    let mut capture = Capture::new(Reader::new(&bytes[..]).expect("it is a capture"));
    let mut batch = Batch::new();
    let (mut events, mut allocations, mut ns) = (0, 0, 0);
    loop {
        batch.clear();
        let before = (ALLOCATIONS.get(), Instant::now());
        let more = capture.read::<CaptureError>(&mut batch, 1000, 1 << 20, |_, _, _| Ok(()));
        // The first thousand of rounds make the threads' places.
        if events > 10_000 {
            allocations += ALLOCATIONS.get() - before.0;
            ns += before.1.elapsed().as_nanos() as u64;
        }
        events += batch.len() as u64;
        if !more.expect("it is whole") {
            break;
        }
    }
    let per_event = ns / (events - 10_000);
    println!("{per_event} ns an event, {allocations} allocations in {events} events");
    // Beginnings of reads and closes are merged, those of opens are not.
    assert_eq!(events, u64::from(ROUNDS) * 4);
    assert_eq!(allocations, 0);
}
