//! Misbehaves on request, so that tests have something to detect: what no program on a plain
//! machine does from the command line. Everything it touches is its own.

use std::ffi::CString;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["memfd-exec", program] => memfd_exec("payload", program),
        ["memfd-exec-as", name, program] => memfd_exec(name, program),
        ["ptrace-attach", pid] => ptrace_attach(pid.parse().expect("a process id")),
        ["shell-on-socket"] => shell_on_socket(),
        ["shell-with-errors-on-socket"] => shell_with_errors_on_socket(),
        ["creat", path] => creat_file(path),
        ["open-to-empty", path] => open_file(path, O_TRUNC, 0),
        ["open-setuid", path] => open_file(path, O_CREAT | O_WRONLY, 0o4755),
        ["open-int80", path] => open_int80(path),
        ["sleep-then-read", path] => sleep_then_read(path),
        ["open-many", path, count] => open_many(path, count.parse().expect("a number")),
        _ => panic!("unknown behaviour {words:?}"),
    };
    done.expect("the behaviour works on this machine");
}

/// `<fcntl.h>`.
const O_WRONLY: i32 = 0o1;
const O_CREAT: i32 = 0o100;
const O_TRUNC: i32 = 0o1000;

/// Copies a program into a memfd of that name and executes that.
fn memfd_exec(name: &str, program: &str) -> std::io::Result<()> {
    let memory = rustix::fs::memfd_create(name, rustix::fs::MemfdFlags::CLOEXEC)?;
    std::io::copy(
        &mut std::fs::File::open(program)?,
        &mut std::fs::File::from(memory.try_clone()?),
    )?;
    let path = CString::new(format!("/proc/self/fd/{}", memory.as_raw_fd()))?;
    let name = CString::new("payload")?;
    let argv = [name.as_ptr(), std::ptr::null()];
    let envp = [std::ptr::null()];
    // SAFETY: path, argv and envp are NUL-terminated and outlive the call.
    unsafe { execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    Err(std::io::Error::last_os_error())
}

/// Attaches to a process and lets it go again.
fn ptrace_attach(pid: i32) -> std::io::Result<()> {
    const PTRACE_ATTACH: i64 = 16;
    const PTRACE_DETACH: i64 = 17;
    // SAFETY: PTRACE_ATTACH reads no memory of ours.
    if unsafe {
        ptrace(
            PTRACE_ATTACH,
            pid,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    } != 0
    {
        return Err(std::io::Error::last_os_error());
    }
    let mut status = 0;
    // SAFETY: `status` is a valid place for the result.
    unsafe { waitpid(pid, &mut status, 0) };
    // SAFETY: PTRACE_DETACH reads no memory of ours.
    unsafe {
        ptrace(
            PTRACE_DETACH,
            pid,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    };
    Ok(())
}

/// A shell whose standard input and output are one end of a connection on loopback.
fn shell_on_socket() -> std::io::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let inside = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (mut outside, _) = listener.accept()?;
    let (input, output) = (OwnedFd::from(inside.try_clone()?), OwnedFd::from(inside));
    let mut shell = Command::new("/bin/sh")
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(output))
        .spawn()?;
    outside.write_all(b"echo connected; exit\n")?;
    let mut answer = [0; 9];
    outside.read_exact(&mut answer)?;
    assert_eq!(&answer, b"connected");
    shell.wait()?;
    Ok(())
}

/// A shell of which only the standard error is a connection.
fn shell_with_errors_on_socket() -> std::io::Result<()> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let inside = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (_outside, _) = listener.accept()?;
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", ":"]).stdin(Stdio::null());
    shell.stderr(Stdio::from(OwnedFd::from(inside))).status()?;
    Ok(())
}

/// Opens a file with creat(2).
fn creat_file(path: &str) -> std::io::Result<()> {
    let path = CString::new(path)?;
    // SAFETY: the path is NUL-terminated.
    match unsafe { creat(path.as_ptr(), 0o644) } {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Opens a file with exactly those flags and that mode.
fn open_file(path: &str, flags: i32, mode: u32) -> std::io::Result<()> {
    let path = CString::new(path)?;
    // SAFETY: the path is NUL-terminated.
    match unsafe { open(path.as_ptr(), flags, mode) } {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Opens a file by the 32-bit system call table, as evasions do.
#[cfg(target_arch = "x86_64")]
fn open_int80(path: &str) -> std::io::Result<()> {
    use rustix::mm::{MapFlags, ProtFlags};
    /// `MAP_32BIT`, mmap(2): within the first 2 GiB.
    const MAP_32BIT: u32 = 0x40;
    let path = CString::new(path)?;
    let bytes = path.as_bytes_with_nul();
    assert!(bytes.len() <= 4096);
    // SAFETY: a fresh private mapping of one page below 4 GiB, where 32-bit pointers reach.
    let low = unsafe {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::from_bits_retain(MAP_32BIT);
        rustix::mm::mmap_anonymous(std::ptr::null_mut(), 4096, protection, flags)?
    };
    // SAFETY: the page holds 4096 bytes, and the path is no longer.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), low.cast::<u8>(), bytes.len()) };
    let result: i64;
    // SAFETY: open(2) of the 32-bit table reads the path and touches nothing else; rbx is saved.
    unsafe {
        std::arch::asm!(
            "push rbx", "mov ebx, {path:e}", "int 0x80", "pop rbx",
            path = in(reg) low as usize as u32,
            inlateout("rax") 5i64 => result,
            in("rcx") 0, in("rdx") 0,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    if result < 0 {
        return Err(std::io::Error::from_raw_os_error(-result as i32));
    }
    Ok(())
}

#[cfg(not(target_arch = "x86_64"))]
fn open_int80(_path: &str) -> std::io::Result<()> {
    Err(std::io::Error::other(
        "only x86_64 has a 32-bit table beside the 64-bit one",
    ))
}

/// Waits for a line on standard input, then reads the file.
fn sleep_then_read(path: &str) -> std::io::Result<()> {
    std::io::stdin().read_line(&mut String::new())?;
    std::fs::read(path).map(drop)
}

/// Opens a file many times, for floods.
fn open_many(path: &str, count: u64) -> std::io::Result<()> {
    for _ in 0..count {
        std::fs::File::open(path)?;
    }
    Ok(())
}

unsafe extern "C" {
    fn creat(path: *const std::ffi::c_char, mode: u32) -> i32;
    fn open(path: *const std::ffi::c_char, flags: i32, ...) -> i32;
    fn execve(
        path: *const std::ffi::c_char,
        argv: *const *const std::ffi::c_char,
        envp: *const *const std::ffi::c_char,
    ) -> i32;
    fn ptrace(
        request: i64,
        pid: i32,
        addr: *mut std::ffi::c_void,
        data: *mut std::ffi::c_void,
    ) -> i64;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
}
