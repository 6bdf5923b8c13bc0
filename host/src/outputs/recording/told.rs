//! What becomes known of a process while a file is being written. A capture lists processes at its
//! beginning alone, so that events tell of this one, in front of its first: of its exec, and where
//! it is now. What happens before an awaited answer has come waits for it.

use super::Reason;
use crate::event::Event;
use crate::state::{Learnt, State};
use saker_capture::{Event as Written, ParamBuffer, Params, Thread};
use saker_rules_schema::event::EventType;

/// Falco's `PPM_CL_CHILD_IN_PIDNS`.
const CHILD_IN_PIDNS: u32 = 1 << 29;

/// Falco's flags of what is executed.
const EXE_WRITABLE: u32 = 1;
const EXE_UPPER_LAYER: u32 = 2;
const EXE_FROM_MEMFD: u32 = 4;
const EXE_LOWER_LAYER: u32 = 8;

/// Events wait no longer, by their own time: `/proc` answers within a few milliseconds.
const WAIT_NS: u64 = 500_000_000;
/// No more bytes of events wait.
const BYTES_MAX: usize = 4 << 20;

/// An event that is kept to be written.
pub(super) struct Line {
    code: u16,
    cpu: u16,
    time: u64,
    tid: i64,
    params: ParamBuffer,
}

impl Line {
    pub(super) fn new(code: u16, event: &Event<'_>, params: Params<'_>) -> Line {
        let mut line = Line {
            code,
            cpu: event.cpu(),
            time: event.time(),
            tid: event.tid(),
            params: ParamBuffer::new(),
        };
        for param in params.iter() {
            line.params.push(param);
        }
        line
    }

    pub(super) fn time(&self) -> u64 {
        self.time
    }

    pub(super) fn event(&self, flags: u32) -> Written<'_> {
        Written {
            cpu: self.cpu,
            flags,
            time: self.time,
            tid: self.tid,
            code: self.code,
            params: self.params.params(),
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Line>() + self.params.params().parts().1.len()
    }
}

/// Events of processes of which more is to be learnt, in their order.
#[derive(Default)]
pub(super) struct Waiting {
    lines: Vec<(u64, Reason, Line)>,
    bytes: usize,
}

impl Waiting {
    /// Whether an event at that time is not to wait, nor those before it any longer.
    pub(super) fn is_too_much(&self, time: u64) -> bool {
        let first = self.lines.first();
        let is_late = |(_, _, line): &(u64, Reason, Line)| time.saturating_sub(line.time) > WAIT_NS;
        self.bytes > BYTES_MAX || first.is_some_and(is_late)
    }

    pub(super) fn push(&mut self, number: u64, reason: Reason, line: Line) {
        self.bytes += line.bytes();
        self.lines.push((number, reason, line));
    }

    pub(super) fn take(&mut self) -> Vec<(u64, Reason, Line)> {
        self.bytes = 0;
        std::mem::take(&mut self.lines)
    }
}

/// What was learnt of a process, as events that say so.
pub(super) struct Told {
    /// Number of the first event that saw it.
    pub(super) number: u64,
    pub(super) events: Vec<ToldEvent>,
}

/// One of them.
pub(super) struct ToldEvent {
    pub(super) kind: EventType,
    pub(super) tid: i64,
    pub(super) params: ParamBuffer,
}

impl Told {
    /// Whether both are of the same process.
    pub(super) fn is_of(&self, other: &Told) -> bool {
        let first = |told: &Told| told.events.first().map(|event| event.tid);
        self.number == other.number && first(self) == first(other)
    }

    pub(super) fn new(state: &State, learnt: &Learnt) -> Told {
        let mut events = Vec::new();
        state.learnt(learnt, |thread| {
            let mut tell = |kind, params| {
                let tid = thread.tid;
                events.push(ToldEvent { kind, tid, params });
            };
            let is_first = thread.tid == thread.pid;
            // Only what a thread is made by tells of its ids in a namespace. It also says when
            // that was, which is not known to a list of processes either: so it is told only
            // where it must be.
            if !is_first || thread.vtid != thread.tid {
                tell(EventType::Clone3, made(thread));
            }
            if is_first {
                tell(EventType::Execve, executed(thread));
                tell(EventType::Getcwd, entered(thread));
                tell(EventType::Setsid, leads(thread));
            }
        });
        let number = learnt.number;
        Told { number, events }
    }
}

/// What `clone3` tells the thread that it made.
fn made(thread: &Thread<'_>) -> ParamBuffer {
    let mut params = begun(thread);
    let is_inside = thread.vtid != thread.tid;
    let flags = thread.flags | if is_inside { CHILD_IN_PIDNS } else { 0 };
    for number in [flags, thread.uid, thread.gid] {
        params.push(&number.to_le_bytes());
    }
    params.push(&thread.vtid.to_le_bytes());
    params.push(&thread.vpid.to_le_bytes());
    params.push(&thread.pidns_init_start_time.to_le_bytes());
    params
}

/// What `execve` tells.
fn executed(thread: &Thread<'_>) -> ParamBuffer {
    let mut params = begun(thread);
    params.push(thread.env);
    params.push(&thread.tty.to_le_bytes());
    params.push(&thread.vpgid.to_le_bytes());
    params.push(&thread.loginuid.to_le_bytes());
    let flags = [
        (thread.exe_writable, EXE_WRITABLE),
        (thread.exe_upper_layer, EXE_UPPER_LAYER),
        (thread.exe_lower_layer, EXE_LOWER_LAYER),
        (thread.exe_from_memfd, EXE_FROM_MEMFD),
    ];
    let flags = flags.iter().filter(|(is_set, _)| *is_set);
    let flags = flags.fold(0, |all, (_, flag)| all | flag);
    params.push(&flags.to_le_bytes());
    for number in [
        thread.cap_inheritable,
        thread.cap_permitted,
        thread.cap_effective,
        thread.exe_inode,
        thread.exe_change_time,
        thread.exe_modify_time,
    ] {
        params.push(&number.to_le_bytes());
    }
    params.push(&thread.uid.to_le_bytes());
    push_text(&mut params, thread.exepath);
    params.push(&thread.pgid.to_le_bytes());
    params.push(&thread.gid.to_le_bytes());
    // Nobody knows by which name it was called.
    params.push(&[]);
    params
}

/// What both begin with.
fn begun(thread: &Thread<'_>) -> ParamBuffer {
    let mut params = ParamBuffer::new();
    params.push(&0i64.to_le_bytes());
    push_text(&mut params, thread.exe);
    params.push(thread.args);
    for id in [thread.tid, thread.pid, thread.ptid] {
        params.push(&id.to_le_bytes());
    }
    // Falco's drivers tell no directory here.
    push_text(&mut params, b"");
    params.push(&thread.fdlimit.to_le_bytes());
    params.push(&thread.pfmajor.to_le_bytes());
    params.push(&thread.pfminor.to_le_bytes());
    for size in [thread.vmsize_kib, thread.vmrss_kib, thread.vmswap_kib] {
        params.push(&size.to_le_bytes());
    }
    push_text(&mut params, thread.comm);
    params.push(thread.cgroups);
    params
}

/// What `getcwd` tells.
fn entered(thread: &Thread<'_>) -> ParamBuffer {
    let mut params = ParamBuffer::new();
    params.push(&1i64.to_le_bytes());
    push_text(&mut params, thread.cwd);
    params
}

/// What `setsid` tells.
fn leads(thread: &Thread<'_>) -> ParamBuffer {
    let mut params = ParamBuffer::new();
    params.push(&thread.sid.to_le_bytes());
    params
}

fn push_text(params: &mut ParamBuffer, text: &[u8]) {
    let mut text = text.to_vec();
    text.push(0);
    params.push(&text);
}
