//! Loads the probe into the running kernel, tells it what to record, and reads its rings in
//! order of time. The probe lives as long as its [`Probe`]: nothing is pinned, so that it also
//! goes when the process is killed.

use std::fs;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aya::maps::{Array, ArrayOfMaps, HashMap, MapData, MapError};
use aya::programs::{BtfTracePoint, ProgramError};
use aya::{Btf, Ebpf, EbpfError, EbpfLoader, VerifierLogLevel};
use rustix::event::epoll;
use rustix::time::{ClockId, clock_gettime};
use saker_ebpf::recipe::{self, Wanted};
use thiserror::Error;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::merge::{Batch, Losses, Merger};
use saker_shm::ring::Ring;

/// The probe's programs; each is named as its tracepoint.
const PROGRAMS: [&str; 4] = [
    "sched_process_fork",
    "sched_process_exec",
    "sched_process_exit",
    "sys_exit",
];
/// The kernel stamps records with the fast accessor of the boot clock, which may lag behind
/// the exact one by as much as a clock adjustment moves it within a tick; this is far more.
const CLOCK_LAG_NS: u64 = 20_000;
/// Ring buffers first came with this kernel.
const KERNEL_MIN: &str = "5.8";

/// Which control group is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A directory of the cgroup v2 hierarchy.
    Path(PathBuf),
    /// Its id, and its depth below the hierarchy's root.
    Id {
        /// Inode number of its directory.
        id: u64,
        /// 0 is the root.
        level: u32,
    },
}

/// How the probe is loaded.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only tasks of this control group and those below it are observed; all by default.
    pub scope: Option<Scope>,
    /// Our own process, and what it starts from now on, is not observed. True by default.
    pub exclude_self: bool,
    /// How many CPUs share a pair of rings; 2 by default, as Falco has it.
    pub cpus_per_ring: u32,
    /// Bytes of a bulk ring, a power of two of pages; 8 MiB by default. Kernels 5.8 and 5.9
    /// take only the default.
    pub bulk_ring_bytes: u32,
    /// Bytes of a lifecycle ring; 4 MiB by default, otherwise as above.
    pub lifecycle_ring_bytes: u32,
    /// Wake the reader when so much waits in a ring; an eighth of a bulk ring by default.
    pub wakeup_bytes: Option<u32>,
    /// How much of a new program's environment is kept, at most 16 KiB; 4 KiB by default.
    pub env_bytes_max: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            scope: None,
            exclude_self: true,
            cpus_per_ring: 2,
            bulk_ring_bytes: 8 << 20,
            lifecycle_ring_bytes: 4 << 20,
            wakeup_bytes: None,
            env_bytes_max: 4096,
        }
    }
}

/// Why the probe cannot run here.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// The kernel refused for lack of privilege.
    #[error(
        "the kernel refused to load the probe: not permitted; run as root, or with CAP_BPF, \
         CAP_PERFMON and CAP_SYS_RESOURCE{}", lockdown_hint(*.lockdown)
    )]
    Privilege {
        /// The kernel is locked down to confidentiality, which forbids reading its memory.
        lockdown: bool,
    },
    /// The kernel does not describe its types.
    #[error(
        "the kernel has no BTF (`/sys/kernel/btf/vmlinux`): {0}; it must be built with \
         CONFIG_DEBUG_INFO_BTF=y"
    )]
    NoBtf(String),
    /// The kernel has no ring buffers.
    #[error("the kernel has no BPF ring buffers; it must be {KERNEL_MIN} or newer")]
    NoRingBuffer,
    /// The verifier turned a program down.
    #[error("the kernel's verifier turned down `{program}`: {reason}\n{log}")]
    Verifier {
        /// The program.
        program: &'static str,
        /// The system call's error.
        reason: io::Error,
        /// The end of the verifier's log.
        log: String,
    },
    /// The probe's object does not fit this kernel, or is damaged.
    #[error("the probe's object does not load: {0}")]
    Object(String),
    /// A map could not be made or written.
    #[error("the probe's map `{map}`: {reason}")]
    Map {
        /// The map.
        map: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// A program could not be attached.
    #[error("cannot attach to `{program}`: {reason}")]
    Attach {
        /// The program and its tracepoint.
        program: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// The control group to watch cannot be found.
    #[error("the cgroup `{}` to watch: {reason}", .path.display())]
    Scope {
        /// Its path.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// Reading the rings failed.
    #[error("reading the probe's rings: {0}")]
    Read(#[from] io::Error),
}

fn lockdown_hint(lockdown: bool) -> &'static str {
    if lockdown {
        "; the kernel is locked down (`/sys/kernel/security/lockdown` says `confidentiality`), \
         which forbids it to anyone"
    } else {
        ""
    }
}

/// Records that never reached a ring, by cause, since the probe was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// The lifecycle ring was full.
    pub lifecycle_ring_full: u64,
    /// The bulk ring was full.
    pub bulk_ring_full: u64,
    /// Another record was being built on that CPU.
    pub busy: u64,
    /// The record was too long, or its ring is missing.
    pub too_long: u64,
    /// Not a record: a child of ours that could not be excluded, and is observed.
    pub exclusions_full: u64,
}

impl Drops {
    /// Records lost for whatever cause.
    pub fn records(&self) -> u64 {
        self.lifecycle_ring_full + self.bulk_ring_full + self.busy + self.too_long
    }

    fn add(&mut self, cpu: &Cpu) {
        self.lifecycle_ring_full += cpu.lost[0];
        self.bulk_ring_full += cpu.lost[1];
        self.busy += cpu.lost[2];
        self.too_long += cpu.lost[3];
        self.exclusions_full += cpu.lost[4];
    }
}

/// All that the probe counts.
#[derive(Clone, Debug, Default)]
pub struct DropCounts {
    /// Over all CPUs.
    pub total: Drops,
    /// By CPU number.
    pub per_cpu: Vec<Drops>,
    /// Records begun, lost ones included.
    pub attempted: u64,
    /// Lost records by 64-bit system call number; 512 + [`Kind`](saker_ebpf::record::Kind)
    /// for those that are no system call. Only calls that lost any.
    pub per_call: Vec<(u16, u64)>,
}

/// `struct cpu` of the probe.
#[repr(C)]
#[derive(Clone, Copy)]
struct Cpu {
    sequence: u64,
    lost: [u64; 8],
    pad: [u64; 7],
}

// SAFETY: integers without padding; every bit pattern is one.
unsafe impl aya::Pod for Cpu {}

/// Fills and reads of `lost_by_call`.
const LOST_BY_CALL: u32 = recipe::CALLS as u32 + 16;

/// The loaded, attached probe.
pub struct Probe {
    ebpf: Ebpf,
    rings: Vec<Ring>,
    merger: Merger,
    // Registered with the runtime on first use: loading needs no runtime.
    wake: Wake,
}

enum Wake {
    Idle(OwnedFd),
    Registered(AsyncFd<OwnedFd>),
    /// Between the two.
    Moving,
}

impl Probe {
    /// Loads and attaches the embedded probe. Lifecycle records (exec, fork, exit) flow from
    /// now on; system calls once [`Probe::set_interest`] names them.
    pub fn load(options: &Options) -> Result<Probe, ProbeError> {
        Self::load_object(saker_ebpf::OBJECT, options)
    }

    /// The same with another object.
    pub fn load_object(object: &[u8], options: &Options) -> Result<Probe, ProbeError> {
        raise_memlock();
        let btf = Btf::from_sys_fs().map_err(|error| ProbeError::NoBtf(error.to_string()))?;
        let (scope_cgroup, scope_level) = match &options.scope {
            None => (0, 0),
            Some(Scope::Id { id, level }) => (*id, *level),
            Some(Scope::Path(path)) => scope_of(path)?,
        };
        let cpus = possible_cpus()?;
        let cpus_per_ring = options.cpus_per_ring.max(1);
        let groups = online_cpus()?.div_ceil(cpus_per_ring);
        let wakeup_bytes = options.wakeup_bytes.unwrap_or(options.bulk_ring_bytes / 8);
        let translation = recipe::translation();
        let mut loader = EbpfLoader::new();
        loader
            .btf(Some(&btf))
            .verifier_log_level(VerifierLogLevel::DEBUG | VerifierLogLevel::STATS)
            .override_global("cpus_per_ring", &cpus_per_ring, true)
            .override_global("ring_groups", &groups, true)
            .override_global("wakeup_bytes", &wakeup_bytes, true)
            .override_global("env_bytes_max", &options.env_bytes_max, true)
            .override_global("scope_cgroup", &scope_cgroup, true)
            .override_global("scope_level", &scope_level, true)
            .override_global("translate", &translation, true)
            .map_max_entries("cpus", cpus)
            .map_max_entries("scratches", cpus)
            .map_max_entries("rings_lifecycle", groups)
            .map_max_entries("rings_bulk", groups);
        let mut ebpf = loader.load(object).map_err(load_error)?;

        fill_recipes(&mut ebpf)?;
        let mut rings = Vec::new();
        for (map, bytes) in [
            ("rings_lifecycle", options.lifecycle_ring_bytes),
            ("rings_bulk", options.bulk_ring_bytes),
        ] {
            for group in 0..groups {
                rings.push(make_ring(&mut ebpf, map, group, bytes)?);
            }
        }
        if options.exclude_self {
            let name = "excluded";
            let mut excluded: HashMap<_, u32, u8> = map_mut(&mut ebpf, name)?;
            excluded
                .insert(std::process::id(), 1, 0)
                .map_err(map_error(name))?;
        }
        let epoll = epoll_of(&rings)?;
        for program in PROGRAMS {
            attach(&mut ebpf, program, &btf)?;
        }
        let merger = Merger::new(rings.len());
        Ok(Probe {
            ebpf,
            rings,
            merger,
            wake: Wake::Idle(epoll),
        })
    }

    /// Says which system calls are recorded from now on. Calls without a
    /// [recipe](saker_ebpf::recipe::RECIPES) are passed over.
    pub fn set_interest(&mut self, calls: &[Wanted]) -> Result<(), ProbeError> {
        let name = ".bss";
        let mut wanted: Array<_, [u8; recipe::NUMBERS]> = map_mut(&mut self.ebpf, name)?;
        wanted
            .set(0, recipe::interest(calls.iter().copied()), 0)
            .map_err(map_error(name))
    }

    /// What the probe could not hand over so far.
    pub fn drops(&self) -> Result<DropCounts, ProbeError> {
        let name = "cpus";
        let cpus: Array<_, Cpu> = map_ref(&self.ebpf, name)?;
        let mut counts = DropCounts::default();
        for n in 0..cpus.len() {
            let cpu = cpus.get(&n, 0).map_err(map_error(name))?;
            let mut drops = Drops::default();
            drops.add(&cpu);
            counts.total.add(&cpu);
            counts.per_cpu.push(drops);
            counts.attempted += cpu.sequence;
        }
        if counts.total != Drops::default() {
            let name = "lost_by_call";
            let calls: Array<_, u64> = map_ref(&self.ebpf, name)?;
            for call in 0..LOST_BY_CALL {
                let lost = calls.get(&call, 0).map_err(map_error(name))?;
                if lost > 0 {
                    counts.per_call.push((call as u16, lost));
                }
            }
        }
        Ok(counts)
    }

    /// What the merge found missing or out of order so far.
    pub fn losses(&self) -> Losses {
        self.merger.losses()
    }

    /// How many rings there are.
    pub fn rings(&self) -> usize {
        self.rings.len()
    }

    /// Reads what is there now, without waiting. The batch may be empty.
    pub fn read(&mut self, batch: &mut Batch) {
        let now = boot_time_ns().saturating_sub(CLOCK_LAG_NS);
        self.merger.round(now, &mut self.rings, batch);
    }

    /// Waits until a ring fills up or `flush_after` has passed, then reads what is there. The
    /// batch may be empty. Nothing is lost when the future is dropped. Needs a tokio runtime
    /// with I/O and time.
    pub async fn next_batch(
        &mut self,
        batch: &mut Batch,
        flush_after: Duration,
    ) -> Result<(), ProbeError> {
        let wake = self.wake.registered()?;
        match tokio::time::timeout(flush_after, wake.readable()).await {
            Ok(ready) => {
                let mut ready = ready?;
                forget_wakeups(wake.get_ref())?;
                ready.clear_ready();
            }
            Err(_elapsed) => {}
        }
        self.read(batch);
        Ok(())
    }
}

impl Wake {
    fn registered(&mut self) -> io::Result<&AsyncFd<OwnedFd>> {
        *self = match std::mem::replace(self, Wake::Moving) {
            Wake::Idle(epoll) => {
                // SAFETY: an `OwnedFd` that nobody can reach to exchange keeps its descriptor
                // open, and the same, until the `AsyncFd` drops it.
                let registered =
                    unsafe { AsyncFd::register_with_interest(epoll, Interest::READABLE) };
                Wake::Registered(registered?)
            }
            other => other,
        };
        match self {
            Wake::Registered(epoll) => Ok(epoll),
            Wake::Idle(_) | Wake::Moving => Err(io::Error::other("the rings' descriptor was lost")),
        }
    }
}

/// Takes the events off the rings' epoll, so that the next wake-up is seen as a new one.
fn forget_wakeups(epoll: &OwnedFd) -> io::Result<()> {
    let mut events = [const {
        epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }
    }; 16];
    let none = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    while epoll::wait(epoll, &mut events, Some(&none))? == events.len() {}
    Ok(())
}

fn epoll_of(rings: &[Ring]) -> io::Result<OwnedFd> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for ring in rings {
        // Edge-triggered: records below the mark are fetched by the timer, not by us spinning.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, ring, epoll::EventData::new_u64(0), flags)?;
    }
    Ok(epoll)
}

fn boot_time_ns() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Kernels before 5.11 charge maps to the memory a process may lock.
fn raise_memlock() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    // Newer kernels need none of it; where it is needed, making the maps will say so.
    setrlimit(Resource::Memlock, unlimited).ok();
}

fn possible_cpus() -> Result<u32, ProbeError> {
    let cpus = aya::util::nr_cpus().map_err(|(_, error)| ProbeError::Read(error))?;
    Ok(cpus as u32)
}

fn online_cpus() -> Result<u32, ProbeError> {
    let cpus = aya::util::online_cpus().map_err(|(_, error)| ProbeError::Read(error))?;
    Ok(cpus.len().max(1) as u32)
}

/// Id and depth of a directory of the cgroup v2 hierarchy.
fn scope_of(path: &Path) -> Result<(u64, u32), ProbeError> {
    let fail = |reason: String| ProbeError::Scope {
        path: path.to_owned(),
        reason,
    };
    let path_found = fs::canonicalize(path).map_err(|error| fail(error.to_string()))?;
    let id = fs::metadata(&path_found)
        .map_err(|error| fail(error.to_string()))?
        .ino();
    let mounts =
        fs::read_to_string("/proc/self/mountinfo").map_err(|error| fail(error.to_string()))?;
    let level = level_in(&mounts, &path_found)
        .ok_or_else(|| fail("it does not lie in a cgroup v2 file system".to_owned()))?;
    Ok((id, level))
}

/// How deep that directory lies in the cgroup v2 hierarchy, as a mount table tells.
fn level_in(mountinfo: &str, path: &Path) -> Option<u32> {
    let components = |path: &Path| {
        path.components()
            .filter(|part| matches!(part, std::path::Component::Normal(_)))
            .count() as u32
    };
    mountinfo
        .lines()
        .filter_map(|line| {
            let (mount, kind) = line.split_once(" - ")?;
            if kind.split(' ').next()? != "cgroup2" {
                return None;
            }
            let mut fields = mount.split(' ').skip(3);
            let (root, point) = (fields.next()?, fields.next()?);
            let below = path.strip_prefix(unescape(point)).ok()?;
            Some(components(Path::new(&unescape(root))) + components(below))
        })
        .next()
}

/// Mount tables write blanks and backslashes as octal.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

fn is_permission(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES))
}

fn privilege() -> ProbeError {
    let lockdown = fs::read_to_string("/sys/kernel/security/lockdown")
        .is_ok_and(|state| state.contains("[confidentiality]"));
    ProbeError::Privilege { lockdown }
}

/// The innermost error of the operating system, wherever a library has wrapped it.
fn os_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn load_error(error: EbpfError) -> ProbeError {
    match os_error(&error) {
        Some(cause) if is_permission(cause) => privilege(),
        // An unknown map type: only the ring buffer can be unknown to a kernel with BTF.
        Some(cause)
            if cause.raw_os_error() == Some(libc::EINVAL)
                && matches!(error, EbpfError::MapError(_)) =>
        {
            ProbeError::NoRingBuffer
        }
        _ => ProbeError::Object(chain(&error)),
    }
}

/// An error and its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

fn map_error(map: &'static str) -> impl FnOnce(MapError) -> ProbeError {
    move |error| ProbeError::Map {
        map,
        reason: chain(&error),
    }
}

fn map_mut<'a, M>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<M, ProbeError>
where
    M: TryFrom<&'a mut aya::maps::Map, Error = MapError>,
{
    let map = ebpf.map_mut(name).ok_or_else(|| missing(name))?;
    M::try_from(map).map_err(map_error(name))
}

fn map_ref<'a, M>(ebpf: &'a Ebpf, name: &'static str) -> Result<M, ProbeError>
where
    M: TryFrom<&'a aya::maps::Map, Error = MapError>,
{
    let map = ebpf.map(name).ok_or_else(|| missing(name))?;
    M::try_from(map).map_err(map_error(name))
}

fn missing(map: &'static str) -> ProbeError {
    ProbeError::Map {
        map,
        reason: "the object has no such map".to_owned(),
    }
}

fn fill_recipes(ebpf: &mut Ebpf) -> Result<(), ProbeError> {
    let name = "recipes";
    let mut recipes: Array<_, [u8; recipe::RECIPE_BYTES]> = map_mut(ebpf, name)?;
    for call in recipe::RECIPES {
        recipes
            .set(u32::from(call.number), call.recipe.to_bytes(), 0)
            .map_err(map_error(name))?;
    }
    Ok(())
}

/// Makes a ring, puts it into its place in the probe, and maps it.
fn make_ring(
    ebpf: &mut Ebpf,
    name: &'static str,
    group: u32,
    bytes: u32,
) -> Result<Ring, ProbeError> {
    let fail = |error: io::Error| {
        if is_permission(&error) {
            return privilege();
        }
        ProbeError::Map {
            map: name,
            reason: format!("a ring of {bytes} bytes: {error}"),
        }
    };
    let ring = create_ring(bytes).map_err(fail)?;
    let data = ring
        .try_clone()
        .map_err(fail)
        .and_then(|ring| MapData::from_fd(ring).map_err(map_error(name)))?;
    let mut outer: ArrayOfMaps<_, MapData> = map_mut(ebpf, name)?;
    outer.set(group, &data, 0).map_err(map_error(name))?;
    Ring::map(ring, bytes).map_err(fail)
}

/// A ring buffer map of our own size: aya makes maps only as the object declares them.
fn create_ring(bytes: u32) -> io::Result<OwnedFd> {
    const BPF_MAP_CREATE: libc::c_long = 0;
    const BPF_MAP_TYPE_RINGBUF: u32 = 27;
    // The first fields of `union bpf_attr` for that command: type, key size, value size,
    // entries, flags.
    let attributes: [u32; 5] = [BPF_MAP_TYPE_RINGBUF, 0, 0, bytes, 0];
    // SAFETY: the kernel reads `size_of_val(&attributes)` bytes and keeps nothing.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_MAP_CREATE,
            attributes.as_ptr(),
            size_of_val(&attributes),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else knows of.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// How much of the verifier's log an error shows: its end tells the reason.
const LOG_LINES: usize = 20;

fn attach(ebpf: &mut Ebpf, name: &'static str, btf: &Btf) -> Result<(), ProbeError> {
    let fail = |reason: String| ProbeError::Attach {
        program: name,
        reason,
    };
    let program: &mut BtfTracePoint = ebpf
        .program_mut(name)
        .ok_or_else(|| fail("the object has no such program".to_owned()))?
        .try_into()
        .map_err(|error: ProgramError| fail(chain(&error)))?;
    program.load(name, btf).map_err(|error| match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => {
            let log = verifier_log.to_string();
            let lines: Vec<&str> = log.lines().collect();
            if lines.len() < 2 && is_permission(&io_error) {
                return privilege();
            }
            ProbeError::Verifier {
                program: name,
                reason: io_error,
                log: lines[lines.len().saturating_sub(LOG_LINES)..].join("\n"),
            }
        }
        other => fail(chain(&other)),
    })?;
    program.attach().map_err(|error| fail(chain(&error)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw - ext4 /dev/root rw
31 22 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
32 22 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw
33 22 0:27 /outer/inner /mnt/a\\040part rw - cgroup2 cgroup2 rw
";

    #[test]
    fn the_depth_of_a_cgroup_counts_from_the_root_of_its_hierarchy() {
        let level = |path: &str| level_in(MOUNTS, Path::new(path));
        assert_eq!(level("/sys/fs/cgroup/unified"), Some(0));
        assert_eq!(level("/sys/fs/cgroup/unified/pods/one"), Some(2));
        assert_eq!(level("/mnt/a part/one"), Some(3));
        assert_eq!(level("/sys/fs/cgroup/memory/one"), None);
        assert_eq!(level("/etc"), None);
    }

    #[test]
    fn a_scope_that_is_no_cgroup_is_refused_by_name() {
        for path in ["/", "/no/such/cgroup"] {
            let refused = scope_of(Path::new(path)).expect_err("it is none");
            assert!(refused.to_string().contains(path), "{refused}");
        }
    }
}
