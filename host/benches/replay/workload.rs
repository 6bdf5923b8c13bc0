//! A busy mix of calls like the one that Falco was measured with (`busy_falcoset` in `PEER.md`:
//! 27 of 100 events are `openat`, 3 `connect`, and one in two hundred is `execve`), done under the
//! eyes of `saker record` in a cgroup of its own.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The first argument that turns the bench into the workload.
pub(crate) const WORD: &str = "--workload";
/// Rounds of some 200 events.
const ROUNDS: usize = 10_000;

/// Records the workload; nothing where this machine does not allow it.
pub(crate) fn recorded(folder: &Path) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let root = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let place = words.next()?;
        (words.next()? == "cgroup2").then_some(place)
    })?;
    let scope = Path::new(root).join(format!("saker-bench-{}", std::process::id()));
    fs::create_dir(&scope).ok()?;
    let capture = record(folder, &scope);
    let _ = fs::remove_dir(&scope);
    capture
}

fn record(folder: &Path, scope: &Path) -> Option<PathBuf> {
    let capture = folder.join("workload.scap");
    let mut saker = Command::new(env!("CARGO_BIN_EXE_saker"))
        .arg("record")
        .arg("-w")
        .arg(&capture)
        .args(["-o", "cache.dir="])
        .args(["-o", &format!("scope.cgroup={}", scope.display())])
        .stderr(Stdio::piped())
        .spawn()
        .expect("saker starts");
    let mut messages = BufReader::new(saker.stderr.take().expect("piped"));
    let mut said = String::new();
    // The first line comes when the probe is attached, or says why it is not.
    if messages.read_line(&mut said).is_err() || !said.contains("INFO") {
        let _ = saker.kill();
        let _ = saker.wait();
        print!("{said}");
        return None;
    }
    let procs = File::options().write(true).open(scope.join("cgroup.procs"));
    let procs = procs.expect("the cgroup takes processes");
    let mut workload = Command::new(std::env::current_exe().expect("it runs"));
    workload.arg(WORD).current_dir(folder);
    // SAFETY: between fork and exec only write(2) is called, on a descriptor that is open.
    unsafe {
        workload.pre_exec(
            move || match libc::write(procs.as_raw_fd(), c"0".as_ptr().cast(), 1) {
                1 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            },
        );
    }
    let status = workload.status().expect("the workload runs");
    assert!(status.success(), "the workload ends well");
    // SAFETY: the process is our child and was not waited for.
    unsafe { libc::kill(saker.id() as i32, libc::SIGTERM) };
    let _ = messages.read_to_string(&mut said);
    let status = saker.wait().expect("a child of ours");
    assert!(status.success(), "{said}");
    print!("{said}");
    Some(capture)
}

/// Does the calls.
pub(crate) fn run() {
    let files = files();
    let folder = std::env::current_dir().expect("there is one").join("work");
    fs::create_dir_all(&folder).expect("a folder of the bench");
    let place = |name: &str| c_path(&folder.join(name));
    let (made, moved, inner) = (place("made"), place("moved"), place("inner"));
    let missing = c_path(Path::new("/usr/share/nothing/of/that/name"));
    let mut next = files.iter().cycle();
    for round in 0..ROUNDS {
        for _ in 0..10 {
            for _ in 0..4 {
                open_and_close(next.next().expect("it never ends"), libc::O_RDONLY);
            }
            open_and_close(&missing, libc::O_RDONLY);
        }
        open_and_close(&made, libc::O_CREAT | libc::O_WRONLY);
        // SAFETY: plain calls with whole texts, on descriptors made here.
        unsafe {
            libc::chmod(made.as_ptr(), 0o600);
            libc::rename(made.as_ptr(), moved.as_ptr());
            libc::unlink(moved.as_ptr());
            libc::mkdir(inner.as_ptr(), 0o700);
            libc::chdir(c"/".as_ptr());
            libc::rmdir(inner.as_ptr());
            let file = libc::open(files[round % files.len()].as_ptr(), libc::O_RDONLY);
            for _ in 0..20 {
                libc::close(libc::dup2(file, 200));
            }
            libc::close(file);
            let mut ends = [0; 2];
            for _ in 0..3 {
                libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC);
                libc::close(ends[0]);
                libc::close(ends[1]);
            }
            for _ in 0..4 {
                libc::kill(libc::getpid(), 0);
            }
        }
        for port in 1..=6 {
            // Nobody listens there.
            let refused = std::net::TcpStream::connect(("127.0.0.1", port));
            assert!(refused.is_err(), "port {port} of this machine is free");
        }
        let program = Command::new("/bin/true").env_clear().status();
        assert!(program.expect("it is there").success());
    }
    fs::remove_dir_all(&folder).expect("a folder of the bench");
}

fn open_and_close(path: &CString, flags: i32) {
    // SAFETY: a whole text, and a descriptor made here.
    unsafe {
        let file = libc::open(path.as_ptr(), flags | libc::O_CLOEXEC, 0o600);
        if file >= 0 {
            libc::close(file);
        }
    }
}

/// Some hundred files that are on every machine, and about which no rule alerts.
fn files() -> Vec<CString> {
    let mut files = Vec::new();
    for folder in [
        "/etc/alternatives",
        "/usr/bin",
        "/usr/lib",
        "/proc/self",
        "/usr/share/doc",
    ] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        files.extend(entries.map(|entry| c_path(&entry.path())).take(100));
    }
    files
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_encoded_bytes()).expect("no NUL in a path")
}
