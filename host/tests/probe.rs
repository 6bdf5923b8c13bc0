//! The probe on the running kernel: what children of this test do in a control group of their
//! own must come out of the rings as it happened, and nothing else. Needs root, BTF and a
//! mounted cgroup v2 hierarchy.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use saker::event::{Clock, decode};
use saker::source::ebpf::{Options, Probe, Scope};
use saker::source::merge::Batch;
use saker_ebpf::recipe::{RECIPES, Wanted};
use saker_ebpf::record::{self, File, Kind, Process, Record, Socket, Tag};

#[path = "probe/acts.rs"]
mod acts;

const EXECVE: u16 = 59;
const OPEN: u16 = 2;
const OPENAT: u16 = 257;
const OPENAT2: u16 = 437;
const OPEN_BY_HANDLE_AT: u16 = 304;
const CONNECT: u16 = 42;
const RENAME: u16 = 82;
const CHDIR: u16 = 80;
const CHMOD: u16 = 90;
const SETRESUID: u16 = 117;
const MEMFD_CREATE: u16 = 319;

/// Whether a test may run; says so when it may not, and fails where `SAKER_REQUIRE` lists the
/// name of what is missing.
fn require(name: &str, present: bool) -> bool {
    if !present {
        let required = std::env::var("SAKER_REQUIRE").unwrap_or_default();
        assert!(
            !required.split(',').any(|listed| listed.trim() == name),
            "SAKER_REQUIRE lists `{name}`, which is missing"
        );
        // The test harness swallows what `eprintln!` prints in a passing test, not this.
        let line = format!("skipped: needs {name}\n");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
    }
    present
}

fn hierarchy() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?;
        kind.starts_with("cgroup2 ").then(|| PathBuf::from(point))
    })
}

fn live() -> bool {
    let root = rustix::process::geteuid().is_root();
    let btf = Path::new("/sys/kernel/btf/vmlinux").exists();
    require("live", root && btf && hierarchy().is_some())
}

/// A control group for one test's children.
struct Stage {
    folder: PathBuf,
}

impl Stage {
    fn new(name: &str) -> Stage {
        let name = format!("saker-test-{}-{name}", std::process::id());
        let folder = hierarchy().expect("asked for before").join(name);
        fs::create_dir(&folder).expect("a cgroup of our own");
        Stage { folder }
    }

    fn options(&self) -> Options {
        Options {
            scope: Some(Scope::Path(self.folder.clone())),
            // The children are to be seen.
            exclude_self: false,
            ..Options::default()
        }
    }

    fn probe(&self) -> Probe {
        let mut probe = Probe::load(&self.options()).expect("the probe loads");
        probe
            .set_interest(&all_calls())
            .expect("interest is written");
        probe
    }

    /// A command that moves into the group and becomes `program`.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""])
            .arg(&self.folder)
            .arg(program)
            .stdin(Stdio::null());
        command
    }

    /// This test program, in the group, doing `act`.
    fn act(&self, act: &str) -> Output {
        let own = std::env::current_exe().expect("our own path");
        self.command(own.to_str().expect("a path in UTF-8"))
            .args(["--exact", acts::NAME, "--nocapture"])
            .env("SAKER_TEST_ACT", act)
            .output()
            .expect("the child runs")
    }

    fn done(&self, act: &str) {
        let output = self.act(act);
        assert!(
            output.status.success(),
            "{act}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for _ in 0..100 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            sleep(Duration::from_millis(10));
        }
    }
}

fn all_calls() -> Vec<Wanted> {
    let all = RECIPES.iter();
    all.map(|call| Wanted::always(call.number)).collect()
}

/// Everything that happened up to now, in order.
fn everything(probe: &mut Probe) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut batch = Batch::new();
    let deadline = Instant::now() + Duration::from_secs(5);
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let now = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
    while batch.complete_until() < now {
        assert!(Instant::now() < deadline, "the rings never become complete");
        probe.read(&mut batch);
        all.extend(batch.records().map(<[u8]>::to_vec));
        sleep(Duration::from_millis(1));
    }
    let keys: Vec<_> = all
        .iter()
        .map(|bytes| (parse(bytes).header.time, parse(bytes).header.cpu))
        .collect();
    assert!(keys.is_sorted(), "records come in order of time");
    all
}

fn parse(bytes: &[u8]) -> Record<'_> {
    Record::parse(bytes).expect("a whole record")
}

fn bytes<'a>(record: &Record<'a>, tag: Tag) -> Option<&'a [u8]> {
    Some(record.piece(tag)?.bytes)
}

fn text(record: &Record<'_>, tag: Tag) -> Option<String> {
    Some(String::from_utf8_lossy(bytes(record, tag)?).into_owned())
}

/// Components from leaf to root, as a path.
fn path(record: &Record<'_>, tag: Tag) -> Option<String> {
    let mut parts: Vec<String> = bytes(record, tag)?
        .split(|byte| *byte == 0)
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect();
    parts.reverse();
    Some(parts.join("/"))
}

fn calls(all: &[Vec<u8>], call: u16) -> Vec<Record<'_>> {
    all.iter()
        .map(|bytes| parse(bytes))
        .filter(|record| record.header.kind == Kind::Syscall && record.header.syscall == call)
        .collect()
}

fn of_kind(all: &[Vec<u8>], kind: Kind) -> Vec<Record<'_>> {
    all.iter()
        .map(|bytes| parse(bytes))
        .filter(|record| record.header.kind == kind)
        .collect()
}

/// The first of these records whose `tag` holds that text.
fn with<'a>(records: &[Record<'a>], tag: Tag, wanted: &str) -> Record<'a> {
    *records
        .iter()
        .find(|record| text(record, tag).as_deref() == Some(wanted))
        .unwrap_or_else(|| panic!("no record with {tag:?} `{wanted}`"))
}

fn file(record: &Record<'_>, tag: Tag) -> File {
    File::read(bytes(record, tag).expect("a file piece")).expect("a whole one")
}

fn process(record: &Record<'_>) -> Process {
    Process::read(bytes(record, Tag::Process).expect("a process piece")).expect("a whole one")
}

#[test]
fn an_open_tells_the_file_reached_and_the_path_used() {
    if !live() {
        return;
    }
    let stage = Stage::new("open");
    let mut probe = stage.probe();
    stage.done("open");
    let all = everything(&mut probe);
    let opens = calls(&all, OPENAT);

    let detour = with(&opens, Tag::Path0, "/proc/self/root/etc/hostname");
    assert_eq!(
        path(&detour, Tag::FilePath).as_deref(),
        Some("/etc/hostname")
    );
    assert!(detour.header.ret >= 0);
    assert_eq!(detour.header.flags, 0);
    let known = fs::metadata("/etc/hostname").expect("it is there");
    let seen = file(&detour, Tag::File);
    use std::os::unix::fs::MetadataExt;
    assert_eq!(
        (seen.inode, seen.mode, seen.uid),
        (known.ino(), known.mode(), known.uid())
    );
    assert_eq!(
        seen.mtime,
        known.mtime() as u64 * 1_000_000_000 + known.mtime_nsec() as u64
    );
    assert_eq!(
        seen.ctime,
        known.ctime() as u64 * 1_000_000_000 + known.ctime_nsec() as u64
    );
    assert_eq!(
        rustix::fs::makedev(seen.dev >> 20, seen.dev & 0xf_ffff),
        known.dev()
    );

    let relative = with(&opens, Tag::Path0, "hostname");
    assert_eq!(
        path(&relative, Tag::FilePath).as_deref(),
        Some("/etc/hostname")
    );
    assert_eq!(path(&relative, Tag::Dir0).as_deref(), Some("/etc"));

    let failed = with(&opens, Tag::Path0, "no/such/file");
    assert_eq!(failed.header.ret, -i64::from(libc::ENOENT));
    assert!(failed.piece(Tag::File).is_none());

    let made = with(&opens, Tag::Path0, "/tmp/saker-probe-test-new");
    assert_ne!(file(&made, Tag::File).flags & record::FILE_CREATED, 0);
    let renamed = with(
        &calls(&all, RENAME),
        Tag::Path0,
        "/tmp/saker-probe-test-new",
    );
    assert_eq!(
        text(&renamed, Tag::Path1).as_deref(),
        Some("saker-probe-test-newer")
    );
    assert_eq!(path(&renamed, Tag::Dir1).as_deref(), Some("/tmp"));
    let chmod = with(&calls(&all, CHMOD), Tag::Path0, "saker-probe-test-newer");
    assert_eq!(chmod.header.args[1], 0o4755);
}

#[test]
fn an_openat2_whose_flags_are_gone_is_known_by_what_it_opened() {
    if !live() {
        return;
    }
    let stage = Stage::new("openat2");
    let mut probe = stage.probe();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = folder.path().join("how").display().to_string();
    stage.done(&format!("openat2 {name}"));
    let all = everything(&mut probe);
    let open = with(&calls(&all, OPENAT2), Tag::Path0, &name);
    let how = open.piece(Tag::Struct).expect("the attempt to read it");
    assert_eq!((how.flags, how.bytes), (record::PIECE_FAULT, &b""[..]));
    let event = decode(&open, &Clock::default(), 1);
    let flags = event.open_flags().expect("the file's flags");
    assert_eq!(flags & libc::O_ACCMODE as u64, libc::O_WRONLY as u64);
    assert_eq!(event.open_mode(), None);
}

#[test]
fn a_file_opened_by_handle_is_told_by_its_path() {
    if !live() {
        return;
    }
    let stage = Stage::new("by-handle");
    let mut probe = stage.probe();
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let name = file.path().display().to_string();
    let output = stage.act(&format!("by-handle {name}"));
    if !require("file handles", output.status.code() != Some(77)) {
        return;
    }
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let all = everything(&mut probe);
    let opens = calls(&all, OPEN_BY_HANDLE_AT);
    let open = opens.first().expect("the call");
    assert_eq!(path(open, Tag::FilePath), Some(name));
    let event = decode(open, &Clock::default(), 1);
    let flags = event.open_flags().expect("an open has flags");
    assert_eq!(flags & libc::O_ACCMODE as u64, libc::O_WRONLY as u64);
}

#[test]
fn a_path_too_deep_to_be_told_says_that_its_beginning_is_missing() {
    if !live() {
        return;
    }
    let stage = Stage::new("deep");
    let mut probe = stage.probe();
    let folder = tempfile::tempdir().expect("a temporary folder");
    stage.done(&format!("deep {}", folder.path().display()));
    let all = everything(&mut probe);
    let opens = calls(&all, OPENAT);
    let shown = |depth: usize, tag| {
        let open = with(&opens, Tag::Path0, &format!("file-{depth}"));
        let event = decode(&open, &Clock::default(), 1);
        let mut text = Vec::new();
        event.path(tag).expect("a path").write(&mut text);
        let is_cut = file(&open, Tag::File).flags & record::FILE_PATH_CUT != 0;
        (String::from_utf8_lossy(&text).into_owned(), is_cut)
    };
    let whole = format!("{}{}", folder.path().display(), "/d".repeat(100));
    assert_eq!(
        shown(100, Tag::FilePath),
        (format!("{whole}/file-100"), false)
    );
    assert_eq!(shown(100, Tag::Dir0), (whole, false));
    for (tag, leaf) in [(Tag::FilePath, "/file-400"), (Tag::Dir0, "/d")] {
        let (path, is_cut) = shown(400, tag);
        assert!(is_cut && path.starts_with("<UNKNOWN>/d/d/"), "{path}");
        assert!(path.ends_with(leaf), "{path}");
    }
}

#[test]
fn a_file_in_a_tree_mounted_nowhere_does_not_look_as_if_at_the_root() {
    if !live() {
        return;
    }
    let stage = Stage::new("detached");
    let mut probe = stage.probe();
    let folder = tempfile::tempdir().expect("a temporary folder");
    stage.done(&format!("detached {}", folder.path().display()));
    let all = everything(&mut probe);
    let relative: Vec<Record<'_>> = calls(&all, OPENAT)
        .into_iter()
        .filter(|open| text(open, Tag::Path0).as_deref() == Some("etc/hidden"))
        .collect();
    assert_eq!(relative.len(), 2, "cloned and unmounted");
    let by_handle = calls(&all, OPEN_BY_HANDLE_AT);
    assert_eq!(by_handle.len(), 1, "beside what is mounted");
    for open in relative.iter().chain(&by_handle) {
        assert_ne!(file(open, Tag::File).flags & record::FILE_DETACHED, 0);
        let event = decode(open, &Clock::default(), 1);
        let mut text = Vec::new();
        event.path(Tag::FilePath).expect("a path").write(&mut text);
        assert_eq!(String::from_utf8_lossy(&text), "<UNKNOWN>/etc/hidden");
    }
    let whole = format!("{}/tree/etc/hidden", folder.path().display());
    let made = with(&calls(&all, OPENAT), Tag::Path0, &whole);
    assert_eq!(path(&made, Tag::FilePath), Some(whole));
    assert_eq!(file(&made, Tag::File).flags & record::FILE_DETACHED, 0);
}

#[test]
fn an_exec_tells_program_arguments_and_parent_and_a_failed_one_its_attempt() {
    if !live() {
        return;
    }
    let stage = Stage::new("exec");
    let mut probe = stage.probe();
    let long = "x".repeat(20_000);
    let status: ExitStatus = stage
        .command("/bin/sh")
        .args([
            "-c",
            "/bin/true one 'two three'; /nonexistent/prog four",
            "name",
            &long,
        ])
        .stderr(Stdio::null())
        .status()
        .expect("the shell runs");
    assert_eq!(status.code(), Some(127));
    let all = everything(&mut probe);
    let execs = of_kind(&all, Kind::Exec);
    let shell = execs
        .iter()
        .find(|exec| text(exec, Tag::Args).is_some_and(|args| args.starts_with("/bin/sh\0-c\0")))
        .expect("the shell's own exec");
    let args = shell.piece(Tag::Args).expect("arguments");
    assert_eq!(args.flags, record::PIECE_TRUNCATED);
    assert_eq!(args.bytes.len(), 16 * 1024);

    let done = with(&execs, Tag::Args, "/bin/true\0one\0two three\0");
    let program = fs::canonicalize("/bin/true").expect("it is there");
    assert_eq!(path(&done, Tag::ExePath).map(PathBuf::from), Some(program));
    assert_eq!(text(&done, Tag::Filename).as_deref(), Some("/bin/true"));
    assert_eq!(text(&done, Tag::Comm).as_deref(), Some("true"));
    let group = stage.folder.file_name().and_then(|name| name.to_str());
    assert!(path(&done, Tag::Cgroup).is_some_and(|path| path.rsplit('/').next() == group));
    let own = process(&done);
    assert_eq!(own.parent_tgid, shell.header.tgid);
    assert_eq!(own.parent_start_time, shell.header.start_time);
    assert_eq!(own.leader_start_time, done.header.start_time);
    assert_eq!(own.uid, 0);
    assert_ne!(
        own.flags & record::PROCESS_EXE_WRITABLE,
        0,
        "root can write it"
    );

    let born = of_kind(&all, Kind::Fork);
    let born = born
        .iter()
        .find(|fork| fork.header.tid == done.header.tid)
        .expect("its birth");
    assert_eq!(born.header.start_time, done.header.start_time);
    assert_eq!(process(born).parent_tgid, shell.header.tgid);
    let gone = of_kind(&all, Kind::Exit);
    let gone = gone
        .iter()
        .find(|exit| exit.header.tid == done.header.tid)
        .expect("its end");
    assert_eq!((gone.header.args[0], gone.header.args[1]), (0, 1));
    assert!(born.header.time < done.header.time && done.header.time < gone.header.time);

    let failed = with(&calls(&all, EXECVE), Tag::Path0, "/nonexistent/prog");
    assert_eq!(failed.header.ret, -i64::from(libc::ENOENT));
    assert_eq!(
        text(&failed, Tag::Args).as_deref(),
        Some("/nonexistent/prog\0four\0")
    );
}

#[test]
fn a_program_run_from_memory_is_known_as_such() {
    if !live() {
        return;
    }
    let stage = Stage::new("memfd");
    let mut probe = stage.probe();
    stage.done("memfd");
    let all = everything(&mut probe);
    let made = with(&calls(&all, MEMFD_CREATE), Tag::Text, "payload");
    assert_ne!(file(&made, Tag::File).flags & record::FILE_MEMFD, 0);
    let exec = with(
        &of_kind(&all, Kind::Exec),
        Tag::Args,
        "fileless\0argument\0",
    );
    let exe = file(&exec, Tag::Exe);
    let flags = record::FILE_MEMFD | record::FILE_UNLINKED;
    assert_eq!(exe.flags & flags, flags);
    assert_eq!(path(&exec, Tag::ExePath).as_deref(), Some("/memfd:payload"));
}

#[test]
fn a_connection_tells_both_ends_as_the_kernel_has_them() {
    if !live() {
        return;
    }
    let stage = Stage::new("connect");
    let mut probe = stage.probe();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    stage.done(&format!("connect {port}"));
    let (_, peer) = listener.accept().expect("it came");
    let all = everything(&mut probe);
    let connects = calls(&all, CONNECT);
    let socket = connects
        .iter()
        .filter_map(|call| Socket::read(bytes(call, Tag::Socket)?))
        .find(|socket| socket.remote_port == port)
        .expect("the connection");
    assert_eq!(socket.family, libc::AF_INET as u16);
    assert_eq!(socket.local[..4], [127, 0, 0, 1]);
    assert_eq!(socket.remote[..4], [127, 0, 0, 1]);
    assert_eq!(socket.local_port, peer.port());
}

#[test]
fn the_32_bit_door_into_the_kernel_is_watched_too() {
    if !live() {
        return;
    }
    let stage = Stage::new("compat");
    let mut probe = stage.probe();
    let output = stage.act("int80");
    // A kernel without IA32 emulation answers with a fault.
    if !require("ia32", output.status.signal() != Some(libc::SIGSEGV)) {
        return;
    }
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let all = everything(&mut probe);
    let open = with(&calls(&all, OPEN), Tag::Path0, "/etc/hostname");
    assert_eq!(open.header.flags, record::FLAG_COMPAT);
    assert!(open.header.ret >= 0);
    assert_eq!(path(&open, Tag::FilePath).as_deref(), Some("/etc/hostname"));
}

#[test]
fn changed_credentials_are_told_as_they_are_afterwards() {
    if !live() {
        return;
    }
    let stage = Stage::new("credentials");
    let mut probe = stage.probe();
    stage.done("setresuid");
    let all = everything(&mut probe);
    let change = calls(&all, SETRESUID);
    let after = process(change.first().expect("the call"));
    assert_eq!(
        (after.uid, after.euid, after.suid, after.fsuid),
        (65534, 65534, 65534, 65534)
    );
    assert_eq!(after.cap_effective, 0);
}

#[test]
fn overlay_files_tell_the_layer_they_lie_in() {
    if !live() {
        return;
    }
    let stage = Stage::new("overlay");
    let mut probe = stage.probe();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = stage.act(&format!("overlay {}", folder.path().display()));
    if !require("overlayfs", output.status.code() != Some(77)) {
        return;
    }
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let all = everything(&mut probe);
    let opens = calls(&all, OPENAT);
    let flags = |name: &str| {
        let open = opens
            .iter()
            .find(|open| {
                text(open, Tag::Path0).is_some_and(|path| path.ends_with(name))
                    && file_is_overlay(open)
            })
            .unwrap_or_else(|| panic!("no open of `{name}`"));
        file(open, Tag::File).flags & (record::FILE_UPPER_LAYER | record::FILE_LOWER_LAYER)
    };
    assert_eq!(flags("merged/old"), record::FILE_LOWER_LAYER);
    assert_eq!(flags("merged/new"), record::FILE_UPPER_LAYER);
}

fn file_is_overlay(open: &Record<'_>) -> bool {
    bytes(open, Tag::File)
        .and_then(File::read)
        .is_some_and(|file| file.magic == 0x794c_7630)
}

#[test]
fn nothing_outside_the_scope_is_seen() {
    if !live() {
        return;
    }
    let stage = Stage::new("scope");
    let mut probe = stage.probe();
    let own = std::env::current_exe().expect("our own path");
    let outside = Command::new(own)
        .args(["--exact", acts::NAME, "--nocapture"])
        .env("SAKER_TEST_ACT", "open")
        .stdout(Stdio::null())
        .status();
    assert!(outside.expect("it runs").success());
    stage.done("open");
    let all = everything(&mut probe);
    let id = {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(&stage.folder).expect("the cgroup").ino()
    };
    assert!(all.len() > 50, "the child inside was seen");
    let groups: BTreeSet<u64> = all.iter().map(|bytes| parse(bytes).header.cgroup).collect();
    assert_eq!(groups, BTreeSet::from([id]));
}

#[test]
fn what_is_not_of_interest_is_not_recorded_until_it_is() {
    if !live() {
        return;
    }
    let stage = Stage::new("interest");
    let mut probe = Probe::load(&stage.options()).expect("the probe loads");
    stage.done("open");
    let all = everything(&mut probe);
    assert!(of_kind(&all, Kind::Syscall).is_empty());
    assert_eq!(
        of_kind(&all, Kind::Exec).len(),
        1,
        "lifecycles are always told"
    );
    probe
        .set_interest(&[Wanted::always(OPENAT)])
        .expect("interest is written");
    stage.done("open");
    let all = everything(&mut probe);
    let seen: BTreeSet<u16> = of_kind(&all, Kind::Syscall)
        .iter()
        .map(|call| call.header.syscall)
        .collect();
    assert_eq!(seen, BTreeSet::from([OPENAT]));
}

#[test]
fn our_own_process_and_its_children_are_not_watched() {
    if !live() {
        return;
    }
    let stage = Stage::new("self");
    // The child loads a probe of its own over this very group and looks for itself in it.
    let folder = stage.folder.display();
    stage.done(&format!("watch-oneself {folder}"));
}

#[test]
fn every_record_a_full_ring_could_not_take_is_counted_and_leaves_a_gap() {
    if !live() {
        return;
    }
    let stage = Stage::new("flood");
    let options = Options {
        bulk_ring_bytes: 64 * 1024,
        ..stage.options()
    };
    let mut probe = Probe::load(&options).expect("the probe loads");
    probe
        .set_interest(&all_calls())
        .expect("interest is written");
    stage.done("flood");
    let mut all = everything(&mut probe);
    // A gap shows with the record that follows it on its CPU.
    stage.done("open-on-every-cpu");
    all.extend(everything(&mut probe));
    let counts = probe.drops().expect("counts are read");
    let lost = counts.total.records();
    assert!(lost > 1000, "the flood did not fill the ring: {counts:?}");
    assert_eq!(lost, counts.total.bulk_ring_full);
    assert_eq!(all.len() as u64 + lost, counts.attempted);
    assert_eq!(probe.losses().missing, lost);
    assert_eq!(probe.losses().late, 0);
    assert_eq!(
        counts.per_call.iter().map(|(_, lost)| lost).sum::<u64>(),
        lost
    );
    assert!(
        !of_kind(&all, Kind::Exit).is_empty(),
        "the flood evicts no lifecycle record"
    );
}

#[test]
fn calls_that_fail_are_not_recorded_for_the_state_alone() {
    if !live() {
        return;
    }
    let stage = Stage::new("failures");
    let mut probe = Probe::load(&stage.options()).expect("the probe loads");
    let state: Vec<Wanted> = saker::state::calls().collect();
    probe.set_interest(&state).expect("interest is written");
    stage.done("flood-of-failures");
    let all = everything(&mut probe);
    let chdirs = calls(&all, CHDIR);
    assert_eq!(chdirs.len(), 1, "the one that succeeded");
    assert_eq!(path(&chdirs[0], Tag::Cwd).as_deref(), Some("/tmp"));
    let attempted = probe.drops().expect("counts are read").attempted;
    assert_eq!(attempted, all.len() as u64);
}

#[test]
fn calls_that_fail_do_not_take_the_place_of_an_exec() {
    if !live() {
        return;
    }
    let stage = Stage::new("failures-wanted");
    let options = Options {
        bulk_ring_bytes: 64 * 1024,
        lifecycle_ring_bytes: 256 * 1024,
        ..stage.options()
    };
    let mut probe = Probe::load(&options).expect("the probe loads");
    probe
        .set_interest(&all_calls())
        .expect("interest is written");
    stage.done("flood-of-failures");
    let all = everything(&mut probe);
    with(
        &of_kind(&all, Kind::Exec),
        Tag::Args,
        "/bin/true\0after the flood\0",
    );
    let counts = probe.drops().expect("counts are read");
    assert!(counts.total.bulk_ring_full > 1000, "{counts:?}");
    assert_eq!(counts.total.records(), counts.total.bulk_ring_full);
    assert_eq!(all.len() as u64 + counts.total.records(), counts.attempted);
}

#[test]
fn a_batch_comes_when_it_is_due_without_a_wake_up() {
    if !live() {
        return;
    }
    let stage = Stage::new("batch");
    let mut probe = stage.probe();
    stage.done("open");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut batch = Batch::new();
    let mut seen = 0;
    let begin = Instant::now();
    runtime.block_on(async {
        while seen < 50 && begin.elapsed() < Duration::from_secs(5) {
            let due = Duration::from_millis(5);
            probe
                .next_batch(&mut batch, due)
                .await
                .expect("the rings are read");
            seen += batch.len();
        }
    });
    assert!(seen >= 50, "only {seen} records came");
}

#[test]
fn a_ring_that_fills_wakes_the_reader_each_time() {
    if !live() {
        return;
    }
    let stage = Stage::new("wake");
    let options = Options {
        wakeup_bytes: Some(4096),
        ..stage.options()
    };
    let mut probe = Probe::load(&options).expect("the probe loads");
    probe
        .set_interest(&all_calls())
        .expect("interest is written");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut batch = Batch::new();
    runtime.block_on(async {
        for round in 0..3 {
            // What is left of the round before neither counts nor wakes.
            let none = Duration::from_millis(50);
            probe
                .next_batch(&mut batch, none)
                .await
                .expect("the rings are read");
            stage.done("open");
            let begin = Instant::now();
            let late = Duration::from_secs(30);
            probe
                .next_batch(&mut batch, late)
                .await
                .expect("the rings are read");
            assert!(
                begin.elapsed() < late / 2,
                "nobody woke us in round {round}"
            );
            assert!(!batch.is_empty());
        }
    });
}
