//! Giving up rights for good: what a process of ours does before it works on what a stranger
//! wrote. Which system calls it needs afterwards is left to it.

use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use rustix::thread::{
    CapabilitySet, CapabilitySets, Gid, Uid, set_capabilities, set_no_new_privs, set_thread_gid,
    set_thread_groups, set_thread_uid,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};
use std::collections::BTreeMap;
use std::io;

/// The first of the numbers that are users and groups of such processes alone, one for each: no
/// process can do anything to another of them, and none to those of anybody else.
const OWN_FIRST: u32 = 0x7fff_0000;
/// There are so many.
const OWN_COUNT: u32 = 1 << 16;
/// Nobody's user and group, by the kernel's own convention (`/proc/sys/kernel/overflowuid`).
const NOBODY: u32 = 65_534;

/// Asks for what the kernel told the program at its start (`linux/prctl.h`).
const PR_GET_AUXV: libc::c_int = 0x4155_5856;

/// What the process may use from now on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// CPU time, in seconds; `None`: any.
    pub(super) cpu_seconds: Option<u64>,
    /// Address space; `None`: any.
    pub(super) address_bytes_max: Option<u64>,
    /// Memory that can be written and is nobody else's; `None`: any.
    pub(super) data_bytes_max: Option<u64>,
}

/// What may become of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// Data.
    Data,
    /// Code as well, where it cannot be written any more.
    Code,
}

/// Gives up user, groups, capabilities, every descriptor but the first three, and the means to
/// get any of them back; ends with who started it. To be called before there is a second thread:
/// users and capabilities are a thread's.
pub(super) fn give_up_rights(bounds: Bounds) -> io::Result<()> {
    // SAFETY: nothing in this process has opened a descriptor beyond the first three and counts
    // on it. A kernel before 5.9 does not know the call; ours are closed by exec anyway.
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    set_no_new_privs(true)?;
    if rustix::process::geteuid().is_root() {
        // In a user namespace there may be no such user, or no right to become it. Then it is
        // what follows that counts.
        let _ = set_thread_groups(&[]);
        let own = OWN_FIRST + std::process::id() % OWN_COUNT;
        if set_thread_gid(Gid::from_raw(own)).is_err() {
            let _ = set_thread_gid(Gid::from_raw(NOBODY));
        }
        if set_thread_uid(Uid::from_raw(own)).is_err() {
            let _ = set_thread_uid(Uid::from_raw(NOBODY));
        }
    }
    let none = CapabilitySet::empty();
    set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )?;
    // After the user: changing that clears it.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let Bounds {
        cpu_seconds,
        address_bytes_max,
        data_bytes_max,
    } = bounds;
    for (resource, most) in [
        (Resource::Cpu, cpu_seconds),
        (Resource::As, address_bytes_max),
        (Resource::Data, data_bytes_max),
        (Resource::Fsize, Some(0)),
        (Resource::Core, Some(0)),
    ] {
        if most.is_none() {
            continue;
        }
        // The signal for the lesser limit tells why; that for the other cannot be caught.
        let maximum = match resource {
            Resource::Cpu => most.map(|seconds| seconds + 1),
            _ => most,
        };
        let limit = Rlimit {
            current: most,
            maximum,
        };
        setrlimit(resource, limit)?;
    }
    Ok(())
}

/// Has all threads killed that make another system call than these, or of memory what it may not
/// become. To those of `refused` the kernel says that it is not permitted.
pub(super) fn allow_only(
    calls: &[libc::c_long],
    refused: &[libc::c_long],
    memory: Memory,
) -> Result<(), seccompiler::Error> {
    let all = |calls: &[libc::c_long]| -> BTreeMap<i64, Vec<SeccompRule>> {
        calls.iter().map(|call| (*call, Vec::new())).collect()
    };
    let errno = SeccompAction::Errno(libc::EPERM as u32);
    apply(all(refused), SeccompAction::Allow, errno)?;
    // Of two filters the stricter decides.
    let mut rules = all(calls);
    rules.extend(all(refused));
    let without = |protection: libc::c_int| {
        let protection = protection as u64;
        let masked = SeccompCmpOp::MaskedEq(protection);
        let condition = SeccompCondition::new(2, SeccompCmpArgLen::Dword, masked, 0)?;
        SeccompRule::new(vec![condition])
    };
    rules.insert(libc::SYS_mmap, vec![without(libc::PROT_EXEC)?]);
    let mut protect = vec![without(libc::PROT_EXEC)?];
    if memory == Memory::Code {
        protect.push(without(libc::PROT_WRITE)?);
    }
    rules.insert(libc::SYS_mprotect, protect);
    // The standard library names threads, and asks whether what it closes is open; the size of a
    // page is asked for where no file tells it.
    for (call, at, only) in [
        (libc::SYS_prctl, 0, &[libc::PR_SET_NAME, PR_GET_AUXV][..]),
        (libc::SYS_fcntl, 1, &[libc::F_GETFD][..]),
    ] {
        let equal = || SeccompCmpOp::Eq;
        let only = only.iter().map(|only| {
            let only = SeccompCondition::new(at, SeccompCmpArgLen::Dword, equal(), *only as u64)?;
            SeccompRule::new(vec![only])
        });
        rules.insert(call, only.collect::<Result<_, _>>()?);
    }
    apply(rules, SeccompAction::KillProcess, SeccompAction::Allow)
}

fn apply(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    others: SeccompAction,
    these: SeccompAction,
) -> Result<(), seccompiler::Error> {
    let architecture: TargetArch = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(rules, others, these, architecture)?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter_all_threads(&program)
}
