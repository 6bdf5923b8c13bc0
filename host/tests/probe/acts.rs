//! What the children of the probe's tests do: this test program is started again with
//! `SAKER_TEST_ACT` naming the act.

use std::arch::asm;
use std::ffi::CString;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use saker::source::ebpf::{Options, Probe, Scope};

use super::{all_calls, everything};

/// The test to run in the child.
pub(crate) const NAME: &str = "acts::the_child_of_another_test_does_its_act";

/// Not a test by itself, and empty unless another started it.
#[test]
fn the_child_of_another_test_does_its_act() {
    let Ok(act) = std::env::var("SAKER_TEST_ACT") else {
        return;
    };
    let (act, argument) = act.split_once(' ').unwrap_or((&act, ""));
    match act {
        "open" => act_open(),
        "memfd" => act_memfd(),
        "connect" => drop(TcpStream::connect((
            "127.0.0.1",
            argument.parse().expect("a port"),
        ))),
        "int80" => act_int80(),
        "setresuid" => {
            let nobody = 65534;
            // SAFETY: changes credentials of this process, which is about to end.
            let answer = unsafe { libc::syscall(libc::SYS_setresuid, nobody, nobody, nobody) };
            assert_eq!(answer, 0);
        }
        "openat2" => act_openat2(Path::new(argument)),
        "detached" => act_detached(Path::new(argument)),
        "deep" => act_deep(Path::new(argument)),
        "by-handle" => act_by_handle(Path::new(argument)),
        "overlay" => act_overlay(Path::new(argument)),
        "flood" => {
            for _ in 0..20_000 {
                drop(fs::File::open("/etc/hostname"));
            }
        }
        "flood-of-failures" => act_flood_of_failures(),
        "open-on-every-cpu" => act_open_on_every_cpu(),
        "watch-oneself" => act_watch_oneself(argument),
        other => panic!("no act `{other}`"),
    }
}

fn act_open() {
    fs::read("/proc/self/root/etc/hostname").expect("read");
    std::env::set_current_dir("/etc").expect("there is /etc");
    fs::read("hostname").expect("read");
    fs::read("no/such/file").expect_err("it is not there");
    std::env::set_current_dir("/tmp").expect("there is /tmp");
    fs::write("/tmp/saker-probe-test-new", "x").expect("written");
    // The plain calls, where the library prefers the others.
    for _ in 0..30 {
        fs::read("/etc/hostname").expect("read");
    }
    let (old, new) = (c"/tmp/saker-probe-test-new", c"saker-probe-test-newer");
    // SAFETY: both are NUL-ended strings.
    unsafe {
        assert_eq!(
            libc::syscall(libc::SYS_rename, old.as_ptr(), new.as_ptr()),
            0
        );
        assert_eq!(libc::syscall(libc::SYS_chmod, new.as_ptr(), 0o4755), 0);
    }
    fs::remove_file("/tmp/saker-probe-test-newer").expect("removed");
}

fn act_memfd() {
    // SAFETY: a NUL-ended name; the descriptor is new and ours.
    let payload = unsafe { OwnedFd::from_raw_fd(libc::memfd_create(c"payload".as_ptr(), 0)) };
    let program = format!("/proc/self/fd/{}", payload.as_raw_fd());
    let mut payload = fs::File::from(payload);
    payload
        .write_all(&fs::read("/bin/true").expect("read"))
        .expect("written");
    let status = Command::new(program)
        .arg0("fileless")
        .arg("argument")
        .status();
    assert!(status.expect("it runs").success());
}

fn act_int80() {
    // SAFETY: a new private mapping below 4 GiB; the string fits; `int 0x80` preserves what is
    // not declared clobbered; rbx is put back.
    let fd = unsafe {
        let page = libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
            -1,
            0,
        );
        assert_ne!(page, libc::MAP_FAILED);
        let name = c"/etc/hostname";
        std::ptr::copy_nonoverlapping(name.as_ptr(), page.cast(), name.count_bytes() + 1);
        let fd: u64;
        asm!(
            "xchg {path}, rbx",
            "int 0x80",
            "xchg {path}, rbx",
            path = inout(reg) page as u64 => _,
            inlateout("rax") 5u64 => fd,
            in("rcx") 0u64,
            in("rdx") 0u64,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
        fd as i32
    };
    assert!(fd >= 0, "open answered {fd}");
}

/// Calls that fail, among them execs with long arguments; then an exec that does not.
fn act_flood_of_failures() {
    let nowhere = c"/nonexistent/place";
    let long = CString::new("x".repeat(1000)).expect("no NUL in it");
    let argv = [
        long.as_ptr(),
        long.as_ptr(),
        long.as_ptr(),
        std::ptr::null(),
    ];
    for _ in 0..5_000 {
        // SAFETY: NUL-ended strings, and an array ended by a null pointer.
        unsafe {
            assert_eq!(libc::chdir(nowhere.as_ptr()), -1);
            assert_eq!(libc::execv(nowhere.as_ptr(), argv.as_ptr()), -1);
        }
    }
    std::env::set_current_dir("/tmp").expect("there is /tmp");
    let status = Command::new("/bin/true").arg("after the flood").status();
    assert!(status.expect("it runs").success());
}

/// An openat2 whose flags lie in the file that it empties: gone when the call returns.
fn act_openat2(path: &Path) {
    let how = [(libc::O_WRONLY | libc::O_TRUNC) as u64, 0, 0];
    let words: Vec<u8> = how.iter().flat_map(|word| word.to_le_bytes()).collect();
    fs::write(path, words).expect("written");
    let file = fs::File::open(path).expect("read");
    let path = CString::new(path.as_os_str().as_encoded_bytes()).expect("no NUL in it");
    // SAFETY: a new mapping, which only the kernel reads; the path is NUL-ended.
    let fd = unsafe {
        let page = libc::mmap(
            std::ptr::null_mut(),
            4096,
            libc::PROT_READ,
            libc::MAP_SHARED | libc::MAP_POPULATE,
            file.as_raw_fd(),
            0,
        );
        assert_ne!(page, libc::MAP_FAILED);
        libc::syscall(libc::SYS_openat2, libc::AT_FDCWD, path.as_ptr(), page, 24)
    };
    assert!(fd >= 0, "openat2 answered {fd}");
}

/// Reads a file in a tree that is mounted nowhere: one that open_tree has cloned, one that was
/// unmounted while in use, and one beside the only part of it that is mounted.
fn act_detached(folder: &Path) {
    let c = |path: &Path| CString::new(path.as_os_str().as_encoded_bytes()).expect("no NUL in it");
    let (tree, part) = (folder.join("tree"), folder.join("part"));
    fs::create_dir(&tree).expect("made");
    fs::write(&part, "").expect("written");
    let (none, tmpfs, hidden) = (c"none".as_ptr(), c"tmpfs".as_ptr(), c"etc/hidden".as_ptr());
    let (place, nothing) = (c(&tree), std::ptr::null());
    // SAFETY: NUL-ended strings that outlive the calls.
    unsafe {
        assert_eq!(libc::unshare(libc::CLONE_NEWNS), 0);
        let private = libc::MS_REC | libc::MS_PRIVATE;
        assert_eq!(libc::mount(none, c"/".as_ptr(), none, private, nothing), 0);
        assert_eq!(libc::mount(tmpfs, place.as_ptr(), tmpfs, 0, nothing), 0);
    }
    fs::create_dir(tree.join("etc")).expect("made");
    fs::write(tree.join("etc/hidden"), "x").expect("written");
    fs::write(tree.join("part"), "x").expect("written");
    let (from, to) = (c(&tree.join("part")), c(&part));
    // SAFETY: as above.
    unsafe {
        const OPEN_TREE_CLONE: i32 = 1;
        let at = libc::AT_FDCWD;
        let clone = libc::syscall(libc::SYS_open_tree, at, place.as_ptr(), OPEN_TREE_CLONE);
        assert!(clone >= 0, "open_tree answered {clone}");
        assert!(libc::openat(clone as i32, hidden, libc::O_RDONLY) >= 0);
        let bind = libc::MS_BIND;
        assert_eq!(
            libc::mount(from.as_ptr(), to.as_ptr(), none, bind, nothing),
            0
        );
        act_by_handle_at(&tree.join("etc/hidden"), &part);
        std::env::set_current_dir(&tree).expect("moved");
        assert_eq!(libc::umount2(place.as_ptr(), libc::MNT_DETACH), 0);
        assert!(libc::openat(at, hidden, libc::O_RDONLY) >= 0);
    }
}

/// Makes a file 100 folders below `folder`, and one 400 below.
fn act_deep(folder: &Path) {
    std::env::set_current_dir(folder).expect("there is one");
    for depth in 1..=400 {
        fs::create_dir("d").expect("made");
        std::env::set_current_dir("d").expect("moved");
        if depth == 100 || depth == 400 {
            fs::write(format!("file-{depth}"), "x").expect("written");
        }
    }
}

/// Opens a file by its handle alone, to write.
fn act_by_handle(path: &Path) {
    act_by_handle_at(path, path.parent().expect("a file's folder"));
}

/// The same through a mount of the file system that `place` lies in.
fn act_by_handle_at(path: &Path, place: &Path) {
    let place = fs::File::open(place).expect("opened");
    let path = CString::new(path.as_os_str().as_encoded_bytes()).expect("no NUL in it");
    // `struct file_handle`: room for bytes u32, type i32, then that many bytes.
    let mut handle = [0u32; 34];
    handle[0] = 128;
    let mut mount = 0i32;
    // SAFETY: a NUL-ended path; the handle has the room that it says; `mount` takes an int.
    unsafe {
        let answer = libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            path.as_ptr(),
            handle.as_mut_ptr(),
            &raw mut mount,
            0,
        );
        if answer != 0 {
            std::process::exit(77);
        }
        let fd = libc::syscall(
            libc::SYS_open_by_handle_at,
            place.as_raw_fd(),
            handle.as_ptr(),
            libc::O_WRONLY,
        );
        assert!(fd >= 0, "open_by_handle_at answered {fd}");
    }
}

fn act_overlay(folder: &Path) {
    let c = |text: String| CString::new(text).expect("no NUL in it");
    let base = folder.display();
    // SAFETY: no arguments but numbers.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNS) }, 0);
    let mount = |source: &str, target: String, kind: &str, flags, data: String| {
        let (source, target) = (c(source.into()), c(target));
        let (kind, data) = (c(kind.into()), c(data));
        // SAFETY: NUL-ended strings that outlive the call.
        unsafe {
            libc::mount(
                source.as_ptr(),
                target.as_ptr(),
                kind.as_ptr(),
                flags,
                data.as_ptr().cast(),
            ) == 0
        }
    };
    let private = libc::MS_REC | libc::MS_PRIVATE;
    assert!(mount("none", "/".into(), "none", private, String::new()));
    assert!(mount("tmpfs", base.to_string(), "tmpfs", 0, String::new()));
    for part in ["lower", "upper", "work", "merged"] {
        fs::create_dir(folder.join(part)).expect("made");
    }
    fs::write(folder.join("lower/old"), "x").expect("written");
    let layers = format!("lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work");
    if !mount("overlay", format!("{base}/merged"), "overlay", 0, layers) {
        std::process::exit(77);
    }
    fs::read(folder.join("merged/old")).expect("read");
    fs::write(folder.join("merged/new"), "y").expect("written");
}

fn act_open_on_every_cpu() {
    let all = rustix::thread::sched_getaffinity(None).expect("our CPUs");
    for cpu in (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)) {
        let mut one = rustix::thread::CpuSet::new();
        one.set(cpu);
        rustix::thread::sched_setaffinity(None, &one).expect("moved");
        fs::read("/etc/hostname").expect("read");
    }
}

fn act_watch_oneself(folder: &str) {
    let options = Options {
        scope: Some(Scope::Path(folder.into())),
        ..Options::default()
    };
    let mut probe = Probe::load(&options).expect("the probe loads");
    probe
        .set_interest(&all_calls())
        .expect("interest is written");
    fs::read("/etc/hostname").expect("read");
    let child = Command::new("/bin/sh")
        .args(["-c", "/bin/true; cat /etc/hostname"])
        .output();
    assert!(child.expect("it runs").status.success());
    assert_eq!(everything(&mut probe).len(), 0, "we saw ourselves");
    assert_eq!(probe.drops().expect("counts are read").attempted, 0);
}
