//! Captures for tests: Falco's, which are read where they lie, and a small one of our own; and
//! running the program over them.

use crate::needs;
use crate::program::{saker, workspace};
use saker_capture::{Compression, Entry, Event, ParamBuffer, Thread, Writer};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of Falco's data, if it is there.
pub(crate) fn falco() -> Option<PathBuf> {
    let beside = workspace().join("../shared/falco");
    let folder = std::env::var_os("SAKER_FALCO").map_or(beside, PathBuf::from);
    let missing = match folder.join("expected/replay.yaml").is_file() {
        true => None,
        false => Some(format!("no captures in {}", folder.display())),
    };
    needs::have("falco", missing).then_some(folder)
}

/// The capture of that name, compressed or not.
pub(crate) fn falcos(folder: &Path, name: &str) -> PathBuf {
    let plain = folder.join(format!("captures/{name}.scap"));
    match plain.is_file() {
        true => plain,
        false => folder.join(format!("captures/{name}.scap.gz")),
    }
}

/// One second, in the units of captures.
pub(crate) const SECOND: u64 = 1_000_000_000;
/// When the first event of our own capture happens: at 01:00:00.
pub(crate) const BEGIN: u64 = 1_795_309_200 * SECOND;

/// A capture of our own being written: what a shell does.
pub(crate) struct Own {
    writer: Writer<File>,
}

impl Own {
    /// Begins, with a shell whose program has that name.
    pub(crate) fn begin(path: &Path, comm: &[u8]) -> Own {
        let file = File::create(path).expect("a folder of the test");
        let mut writer = Writer::new(file, Compression::Plain).expect("a new file");
        let shell = Thread {
            tid: 77,
            pid: 77,
            ptid: 1,
            vtid: 77,
            vpid: 77,
            comm,
            exe: b"/bin/sh",
            exepath: b"/bin/sh",
            cwd: b"/home",
            ..Thread::default()
        };
        writer
            .write(&Entry::Thread(Box::new(shell)))
            .expect("it fits");
        Own { writer }
    }

    fn event(&mut self, code: u16, time: u64, params: &[&[u8]]) {
        let mut all = ParamBuffer::new();
        assert!(params.iter().all(|param| all.push(param)));
        let event = Event {
            cpu: 1,
            flags: 0,
            time,
            tid: 77,
            code,
            params: all.params(),
        };
        self.writer.event(&event).expect("it fits");
    }

    /// A plugin of that number tells something.
    pub(crate) fn plugin(&mut self, time: u64, plugin: u32, data: &[u8]) {
        self.event(322, time, &[&plugin.to_le_bytes(), data]);
    }

    /// It opens a file of that name, as descriptor 3.
    pub(crate) fn open(&mut self, time: u64, name: &str) {
        let name = format!("{name}\0");
        let (cwd, flags, none) = ((-100i64).to_le_bytes(), 1u32.to_le_bytes(), [0; 4]);
        let inode = 9u64.to_le_bytes();
        let params: [&[u8]; 7] = [&THREE, &cwd, name.as_bytes(), &flags, &none, &none, &inode];
        self.event(307, time, &params);
    }

    /// It closes the descriptor.
    pub(crate) fn close(&mut self, time: u64) {
        self.event(5, time, &[&[0; 8], &THREE]);
    }

    /// It makes a call that has no event of its own, of that number of Falco's.
    pub(crate) fn call(&mut self, time: u64, number: u16) {
        self.event(1, time, &[&number.to_le_bytes(), &[0; 2]]);
    }

    /// It writes to the descriptor.
    pub(crate) fn write(&mut self, time: u64, data: &[u8]) {
        let size = (data.len() as u32).to_le_bytes();
        let written = (data.len() as i64).to_le_bytes();
        self.event(9, time, &[&written, data, &THREE, &size]);
    }

    pub(crate) fn end(self) {
        self.writer.finish().expect("there is room");
    }
}

const THREE: [u8; 8] = 3i64.to_le_bytes();

/// A capture of our own: every second, the shell opens a file and closes it; the third one is
/// `/etc/shadow`.
pub(crate) fn own_capture(folder: &tempfile::TempDir) -> PathBuf {
    own_capture_of(folder, "own.scap", b"sh")
}

/// The same in a file of that name, by a program of that name.
pub(crate) fn own_capture_of(folder: &tempfile::TempDir, name: &str, comm: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    let mut own = Own::begin(&path, comm);
    let names = ["/tmp/a", "b", "/etc/shadow", "/tmp/c", "/tmp/d"];
    for (second, name) in (0..).zip(names) {
        let time = BEGIN + second * SECOND;
        own.open(time, name);
        own.close(time + 1000);
    }
    own.end();
    path
}

pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for files of the test")
}

/// Runs the program with these arguments; standard output, standard error and exit code.
pub(crate) fn run(args: &[&str]) -> (String, String, Option<i32>) {
    let output = Command::new(saker())
        .args(args)
        .args(["-o", "cache.dir=", "-o", "hostname=h"])
        .output()
        .expect("saker runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (
        text(output.stdout),
        text(output.stderr),
        output.status.code(),
    )
}

/// A terminal: the end that shows what programs write to the other.
pub(crate) fn terminal() -> (File, File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("there are terminals");
    grantpt(&terminal).expect("it is ours");
    unlockpt(&terminal).expect("it is ours");
    let name = ptsname(&terminal, Vec::new()).expect("it has a name");
    let name = name.into_string().expect("text");
    let mut options = File::options();
    let other_end = options.read(true).write(true).open(name);
    (terminal.into(), other_end.expect("it is there"))
}

pub(crate) const SHADOW_RULE: &str = "\
- rule: Shadow
  desc: passwords are read
  condition: evt.type = openat and fd.name = /etc/shadow
  output: read by %proc.name (file=%fd.name)
  priority: WARNING
  capture: true
  capture_duration: 1500
";

pub(crate) fn shadow_rule(folder: &tempfile::TempDir) -> String {
    let path = folder.path().join("rules.yaml");
    std::fs::write(&path, SHADOW_RULE).expect("a folder of the test");
    path.display().to_string()
}
