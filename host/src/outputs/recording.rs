//! Captures being written: as many files as asked for, each with the state it begins in.

mod recorder;
mod told;

use crate::event::{self, Purpose, encode};
use crate::extract::{Scratch, View, Wire};
use crate::source::capture::is_taken_in_while_opening;
use crate::state::container::{self, ContainerFacts};
use crate::state::{Learnt, State};
pub use recorder::{Recorder, Written};
use saker_capture::{Compression, Entry, Event, ParamBuffer, WriteError, Writer};
use saker_rules_schema::event::EventType;
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use told::{Line, Told, Waiting};

/// The path that stands for standard output.
pub const STDOUT: &str = "-";

/// The flag of an event that is there for the state alone (libscap's `SCAP_DF_STATE_ONLY`).
const STATE_ONLY: u32 = 1;

/// Digits of a file's number, so that names are in order as texts, too: a file a minute fills them
/// in two years.
const DIGITS: usize = 6;

/// How long a file is, is looked at when so many bytes of events have come that may stand in it:
/// what is in flight must be judged for that.
const LOOK_BYTES: u64 = 64 << 10;
/// A file has no more of an event beside the bytes in which it comes.
const BLOCK_BYTES: u64 = 64;

/// What an event is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was asked for.
    Asked,
    /// It changes what is known of others. Readers take it in and show nothing of it.
    State,
}

/// When a file ends and the next one begins, and when it is all over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Bytes of a file before compression, beside what it begins with; it may have as many more as
    /// come between two looks.
    pub file_bytes: Option<u64>,
    /// Time that a file covers, ns.
    pub file_ns: Option<u64>,
    /// Files that are kept; older ones are removed.
    pub files: Option<usize>,
    /// Events altogether.
    pub events: Option<u64>,
    /// Bytes altogether, before compression.
    pub whole_bytes: Option<u64>,
    /// A file of that name that is there, or a link, makes place for it.
    pub takes_the_place: bool,
}

/// A capture being written.
pub struct Recording {
    path: PathBuf,
    limits: Limits,
    writer: Option<Writer<File>>,
    /// Files that are being read, by device and inode.
    inputs: Vec<(u64, u64)>,
    /// Bytes of events that came since it was looked how long the file is.
    came: u64,
    /// What the file began with, bytes before compression, once it has an event.
    state_bytes: Option<u64>,
    /// The file has no event yet, and nothing of the state.
    is_empty: bool,
    /// All events of the file so far are such as readers show none of at a capture's beginning.
    is_opening: bool,
    /// When the first event was that could stand in the file.
    began: Option<u64>,
    files: VecDeque<PathBuf>,
    /// Files begun so far.
    begun: u64,
    /// Bytes of files that had to make room, as they lay there.
    removed_bytes: u64,
    events: u64,
    /// Events for the state alone.
    hidden: u64,
    /// Events that no reader would take.
    too_long: u64,
    /// Bytes of files that have ended, before compression.
    bytes: u64,
    cut: u64,
    wire: Wire,
    scratch: Scratch,
    /// Processes that were learnt of since the file began, by their first event.
    told: Vec<Told>,
    /// Events of processes of which more is to be learnt.
    waiting: Waiting,
}

/// Why a capture is not written any further.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A file cannot be made.
    #[error("cannot make the capture `{0}`: {1}")]
    Create(PathBuf, std::io::Error),
    /// It cannot be written.
    #[error("cannot write the capture `{0}`: {1}")]
    Write(PathBuf, WriteError),
}

impl Recording {
    /// Begins to write to `path`, which must be none of `inputs` (device and inode); one that ends
    /// in `.gz` is compressed. The file is made at once, readable by its owner alone: command
    /// lines and environments are in it.
    pub fn new(
        path: PathBuf,
        limits: Limits,
        inputs: Vec<(u64, u64)>,
    ) -> Result<Recording, RecordError> {
        let mut recording = Recording {
            path,
            limits,
            writer: None,
            inputs,
            came: 0,
            state_bytes: None,
            is_empty: true,
            is_opening: true,
            began: None,
            files: VecDeque::new(),
            begun: 0,
            removed_bytes: 0,
            events: 0,
            hidden: 0,
            too_long: 0,
            bytes: 0,
            cut: 0,
            wire: Wire::default(),
            scratch: Scratch::new(),
            told: Vec::new(),
            waiting: Waiting::default(),
        };
        recording.open_file()?;
        Ok(recording)
    }

    /// Whether all was written that was asked for.
    pub fn is_full(&self) -> bool {
        self.limits.events.is_some_and(|most| self.events >= most)
            || self
                .limits
                .whole_bytes
                .is_some_and(|most| self.event_bytes() >= most)
    }

    /// Bytes that an event takes in a file, before compression.
    pub fn bytes_of(view: &View<'_>, wire: &mut Wire, scratch: &mut Scratch) -> u64 {
        let (code, reason) = code_and_reason(view.event, Reason::Asked);
        let params = wire.params(view, scratch);
        let (Some(code), Some(params)) = (code, params) else {
            return 0;
        };
        let event = Event {
            cpu: view.event.cpu(),
            flags: flags(reason),
            time: view.event.time(),
            tid: view.event.tid(),
            code,
            params,
        };
        event.block_bytes() as u64
    }

    /// Bytes of the file's events, before compression.
    fn event_bytes(&self) -> u64 {
        let written = self.writer.as_ref().map(Writer::written);
        let begun = written.zip(self.state_bytes);
        begun.map_or(0, |(written, state)| written.bytes.saturating_sub(state))
    }

    /// Says that an event of so many bytes came, which may be written.
    pub fn expect(&mut self, bytes: usize) {
        self.came += bytes as u64 + BLOCK_BYTES;
    }

    /// Whether it is to be looked how long the file is, for which all that came must be written.
    pub fn is_to_look(&self) -> bool {
        self.limits.file_bytes.is_some() && self.came >= LOOK_BYTES
    }

    /// Whether an event at that time, which is yet to come, is the first of a file, for which
    /// [`Recording::begin`] must be told what is known before it.
    pub fn is_due(&mut self, time: u64) -> bool {
        let began = *self.began.get_or_insert(time);
        // Not at every event: where files end must not hang on how many are judged at once.
        let looks = self.is_to_look();
        if looks {
            self.came = 0;
        }
        let is_long = |most| looks && self.event_bytes() >= most;
        let lasted = |most| time.saturating_sub(began) >= most;
        self.is_empty
            || self.limits.file_bytes.is_some_and(is_long)
            || self.limits.file_ns.is_some_and(lasted)
    }

    /// Begins a file at that time with what was known at the event of that number.
    pub fn begin(&mut self, state: &State, number: u64, time: u64) -> Result<(), RecordError> {
        self.settle()?;
        // The others are among what the file begins with.
        self.told.retain(|told| told.number > number);
        if !self.is_empty {
            self.end_file()?;
            self.open_file()?;
        }
        self.began = Some(time);
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        let written = state.snapshot(number, |entry: &Entry<'_>| writer.write(entry));
        written.map_err(|error| RecordError::Write(self.path.clone(), error))?;
        self.is_empty = false;
        state.closed_on_exec(number, |tid, fd| self.closed_on_exec(tid, fd, time))?;
        for learnt in state.half_known(number) {
            self.process(state, &learnt);
        }
        // There is no entry for containers: they are told of by the first events.
        for facts in state.known_containers(number) {
            self.container(&facts, time)?;
        }
        Ok(())
    }

    /// Writes that exec closes a descriptor.
    fn closed_on_exec(&mut self, tid: u32, fd: u32, time: u64) -> Result<(), RecordError> {
        let mut params = ParamBuffer::default();
        params.push(&0i64.to_le_bytes());
        params.push(&i64::from(fd).to_le_bytes());
        params.push(&[encode::F_SETFD as u8]);
        params.push(&(libc::FD_CLOEXEC as u64).to_le_bytes());
        self.hidden(EventType::Fcntl, tid.into(), &params, time)
    }

    /// Writes what is known of a container, for the state alone. What is known before a file
    /// begins it begins with.
    pub fn container(&mut self, facts: &ContainerFacts, time: u64) -> Result<(), RecordError> {
        if self.is_empty {
            return Ok(());
        }
        let mut params = ParamBuffer::default();
        params.push(&container::write_json(facts));
        self.hidden(EventType::Container, -1, &params, time)
    }

    /// Writes an event that says nothing, so that what is told of users and containers behind it
    /// is shown as any event.
    fn end_opening(&mut self, time: u64) -> Result<(), RecordError> {
        let mut params = ParamBuffer::default();
        params.push(&[0; 8]);
        params.push(&[0; 8]);
        self.hidden(EventType::Procinfo, -1, &params, time)
    }

    /// Writes an event that is there for the state alone, and is no part of what was asked for.
    fn hidden(
        &mut self,
        kind: EventType,
        tid: i64,
        params: &ParamBuffer,
        time: u64,
    ) -> Result<(), RecordError> {
        self.is_opening &= is_taken_in_while_opening(kind);
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        let before = writer.written().bytes;
        let written = writer.event(&Event {
            cpu: 0,
            flags: STATE_ONLY,
            time,
            tid,
            code: kind.code(),
            params: params.params(),
        });
        match written {
            Ok(()) => self.hidden += 1,
            Err(WriteError::TooLong { .. } | WriteError::ParamCount(_)) => self.too_long += 1,
            Err(error @ (WriteError::Write(_) | WriteError::Order(_))) => {
                return Err(RecordError::Write(self.path.clone(), error));
            }
        }
        if let Some(state) = &mut self.state_bytes {
            *state += writer.written().bytes.saturating_sub(before);
        }
        Ok(())
    }

    /// Takes over what another capture says of its beginning. Whether it could stand there.
    pub fn entry(&mut self, entry: &Entry<'_>) -> Result<bool, RecordError> {
        let Some(writer) = &mut self.writer else {
            return Ok(true);
        };
        let before = writer.written().bytes;
        match writer.write(entry) {
            Ok(()) => {}
            Err(error @ WriteError::Write(_)) => {
                return Err(RecordError::Write(self.path.clone(), error));
            }
            Err(WriteError::Order(_) | WriteError::TooLong { .. } | WriteError::ParamCount(_)) => {
                return Ok(false);
            }
        }
        self.is_empty = false;
        // Another recording may begin in the middle of this one.
        if let Some(state) = &mut self.state_bytes {
            *state += writer.written().bytes.saturating_sub(before);
        }
        Ok(true)
    }

    /// Writes an event. What is no event of Falco's is left out, and so is, and counted, what no
    /// reader would take.
    pub fn event(&mut self, view: &View<'_>, reason: Reason) -> Result<(), RecordError> {
        let (Some(code), reason) = code_and_reason(view.event, reason) else {
            return Ok(());
        };
        let (time, number) = (view.event.time(), view.event.number());
        if !view.state().is_awaiting() || self.waiting.is_too_much(time) {
            self.settle()?;
        } else if let Some(params) = self.wire.params(view, &mut self.scratch) {
            let line = Line::new(code, view.event, params);
            self.waiting.push(number, reason, line);
            return Ok(());
        }
        self.tell(number, time)?;
        let kind = view.event.kind();
        if self.is_opening && reason == Reason::Asked && kind.is_some_and(is_taken_in_while_opening)
        {
            self.end_opening(time)?;
        }
        self.is_opening &= kind.is_some_and(is_taken_in_while_opening);
        let Some(params) = self.wire.params(view, &mut self.scratch) else {
            return Ok(());
        };
        let event = Event {
            cpu: view.event.cpu(),
            flags: flags(reason),
            time,
            tid: view.event.tid(),
            code,
            params,
        };
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        let put = put(writer, &mut self.state_bytes, &event);
        self.count(put, reason)
    }

    /// Writes what is known of processes whose first event is of no later number, in front of an
    /// event at that time.
    fn tell(&mut self, number: u64, time: u64) -> Result<(), RecordError> {
        if self.told.is_empty() {
            return Ok(());
        }
        let later = |told: &mut Told| told.number <= number;
        let mut told: Vec<Told> = self.told.extract_if(.., later).collect();
        // A parent that was learnt of after its child is told of before it.
        told.sort_by_key(|told| told.number);
        for event in told.iter().flat_map(|told| &told.events) {
            self.hidden(event.kind, event.tid, &event.params, time)?;
        }
        Ok(())
    }

    /// Has what was learnt of a process stand in front of its first event.
    pub fn process(&mut self, state: &State, learnt: &Learnt) {
        let told = Told::new(state, learnt);
        if !told.events.is_empty() {
            // What is known later is more.
            self.told.retain(|before| !before.is_of(&told));
            self.told.push(told);
        }
    }

    /// Writes the events that waited for what is to be learnt of processes.
    pub fn settle(&mut self) -> Result<(), RecordError> {
        for (number, reason, line) in self.waiting.take() {
            if self.is_full() {
                break;
            }
            self.tell(number, line.time())?;
            self.is_opening = false;
            let Some(writer) = &mut self.writer else {
                break;
            };
            let put = put(writer, &mut self.state_bytes, &line.event(flags(reason)));
            self.count(put, reason)?;
        }
        Ok(())
    }

    fn count(&mut self, put: Result<bool, WriteError>, reason: Reason) -> Result<(), RecordError> {
        match (put, reason) {
            (Ok(true), Reason::Asked) => self.events += 1,
            (Ok(true), Reason::State) => self.hidden += 1,
            (Ok(false), _) => self.too_long += 1,
            (Err(error), _) => return Err(RecordError::Write(self.path.clone(), error)),
        }
        Ok(())
    }

    /// Hands on all that was written.
    pub fn flush(&mut self) -> Result<(), RecordError> {
        let flushed = self.writer.as_mut().map_or(Ok(()), Writer::flush);
        flushed.map_err(|error| RecordError::Write(self.path.clone(), error))
    }

    fn open_file(&mut self) -> Result<(), RecordError> {
        let path = match (self.limits.file_bytes, self.limits.file_ns) {
            (None, None) => self.path.clone(),
            _ => numbered(&self.path, self.begun),
        };
        let writer = self.make(&path)?;
        self.is_empty = true;
        self.is_opening = true;
        self.began = None;
        self.came = 0;
        self.state_bytes = None;
        self.writer = Some(writer);
        self.begun += 1;
        self.files.push_back(path);
        if self
            .limits
            .files
            .is_some_and(|most| self.files.len() > most)
            && let Some(oldest) = self.files.pop_front()
        {
            self.removed_bytes += size(&oldest);
            // Whoever took it away before has done the same.
            let _ = std::fs::remove_file(oldest);
        }
        Ok(())
    }

    fn make(&self, path: &Path) -> Result<Writer<File>, RecordError> {
        let mut options = File::options();
        options.write(true).mode(0o600);
        if self.limits.takes_the_place {
            // Writes through no link that somebody has laid there, of either kind.
            options.create_new(true);
        } else {
            options.create(true);
            // The path that was named may be a link. Those of further files nobody has named.
            if path != self.path {
                options.custom_flags(libc::O_NOFOLLOW);
            }
        }
        let is_stdout = path == Path::new(STDOUT);
        let open = || {
            if self.limits.takes_the_place
                && let Ok(found) = path.symlink_metadata()
            {
                if self.inputs.contains(&(found.dev(), found.ino())) {
                    return Err(std::io::Error::other("it is what is being read"));
                }
                std::fs::remove_file(path)?;
            }
            let file = match is_stdout {
                true => File::from(std::io::stdout().as_fd().try_clone_to_owned()?),
                false => options.open(path)?,
            };
            let found = file.metadata()?;
            if self.inputs.contains(&(found.dev(), found.ino())) {
                return Err(std::io::Error::other("it is what is being read"));
            }
            if found.is_file() && !is_stdout {
                file.set_len(0)?;
            }
            Ok(file)
        };
        let file = open().map_err(|error| RecordError::Create(path.into(), error))?;
        let compression = match path.extension() {
            Some(extension) if extension == "gz" => Compression::Gzip,
            Some(_) | None => Compression::Plain,
        };
        Writer::new(file, compression).map_err(|error| RecordError::Write(path.into(), error))
    }

    fn end_file(&mut self) -> Result<(), RecordError> {
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        self.cut += writer.written().texts_cut;
        self.bytes += writer.written().bytes;
        let ended = writer.finish();
        ended.map_err(|error| RecordError::Write(self.path.clone(), error))?;
        Ok(())
    }

    /// Ends the last file. Tells what there is now.
    pub fn finish(mut self) -> Result<Written, RecordError> {
        self.end_file()?;
        let beside = match (self.limits.file_bytes, self.limits.file_ns) {
            (None, None) => 0,
            _ => like(&self.path).saturating_sub(self.files.len() as u64),
        };
        Ok(Written {
            beside,
            events: self.events,
            hidden: self.hidden,
            too_long: self.too_long,
            bytes: self.bytes,
            files: self.files.len() as u64,
            kept_bytes: self.files.iter().map(|path| size(path)).sum(),
            removed_bytes: self.removed_bytes,
            removed: self.begun - self.files.len() as u64,
            cut: self.cut + self.wire.cut,
            entries_lost: 0,
        })
    }
}

/// Falco's code of an event, if it has one, and what it is written for, where that is asked for.
fn code_and_reason(event: &event::Event<'_>, asked: Reason) -> (Option<u16>, Reason) {
    match event {
        event::Event::Recorded(event) => (event.kind.map(EventType::code), asked),
        event::Event::Captured(event) => match event.purpose {
            Purpose::Judged => (Some(event.kind.code()), asked),
            Purpose::Hidden => (Some(event.kind.code()), Reason::State),
            // The type of which the end has that type.
            Purpose::Beginning => (Some(event.kind.code() - 1), Reason::State),
        },
    }
}

/// Libscap's flags of an event that is written for that.
fn flags(reason: Reason) -> u32 {
    match reason {
        Reason::Asked => 0,
        Reason::State => STATE_ONLY,
    }
}

/// Writes an event. `false`: no reader would take it.
fn put(
    writer: &mut Writer<File>,
    state_bytes: &mut Option<u64>,
    event: &Event<'_>,
) -> Result<bool, WriteError> {
    if state_bytes.is_none() {
        // Ends the last list, so that all of it is counted.
        writer.flush()?;
        *state_bytes = Some(writer.written().bytes);
    }
    match writer.event(event) {
        Ok(()) => Ok(true),
        Err(WriteError::TooLong { .. } | WriteError::ParamCount(_)) => Ok(false),
        Err(error @ (WriteError::Write(_) | WriteError::Order(_))) => Err(error),
    }
}

/// How many files there are with a number in their names as a recording to that path gives them.
fn like(path: &Path) -> u64 {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return 0;
    };
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let name = name.to_string_lossy();
    let (stem, rest) = parts(&name);
    let is_like = |found: &std::ffi::OsStr| {
        let found = found.to_string_lossy();
        let number = found
            .strip_prefix(stem)
            .and_then(|found| found.strip_prefix('.'));
        let number = number.and_then(|found| found.strip_suffix(rest));
        number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let found = std::fs::read_dir(folder).into_iter().flatten().flatten();
    found.filter(|found| is_like(&found.file_name())).count() as u64
}

/// Bytes of a file as it lies there.
fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |found| found.len())
}

/// `capture.scap.gz` → `capture.000003.scap.gz`.
fn numbered(path: &Path, number: u64) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, rest) = parts(&name);
    path.with_file_name(format!("{stem}.{number:0DIGITS$}{rest}"))
}

/// A name up to what says its kind, and that.
fn parts(name: &str) -> (&str, &str) {
    let plain = name.strip_suffix(".gz").filter(|plain| !plain.is_empty());
    let plain = plain.unwrap_or(name);
    let end = plain.rfind('.').filter(|at| *at > 0);
    name.split_at(end.unwrap_or(plain.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_before_what_says_their_kind() {
        for (path, expected) in [
            ("/tmp/a.scap.gz", "/tmp/a.000003.scap.gz"),
            ("/tmp/a.b.scap", "/tmp/a.b.000003.scap"),
            ("10.0.0.1.scap.gz", "10.0.0.1.000003.scap.gz"),
            ("a", "a.000003"),
            ("a.gz", "a.000003.gz"),
            (".hidden", ".hidden.000003"),
            (".gz", ".gz.000003"),
        ] {
            assert_eq!(numbered(Path::new(path), 3), Path::new(expected));
        }
    }

    #[test]
    fn a_further_file_counts_what_it_has_itself() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits {
            file_bytes: Some(1 << 20),
            whole_bytes: Some(1),
            ..Limits::default()
        };
        let path = folder.path().join("a.scap");
        let mut recording = Recording::new(path, limits, Vec::new()).unwrap();
        // As after a long list of processes.
        recording.state_bytes = Some(5000);
        recording.end_file().unwrap();
        assert!(!recording.is_full());
        recording.open_file().unwrap();
        assert_eq!(recording.state_bytes, None);
        recording.state_bytes = Some(5000);
        assert!(!recording.is_full());
    }
}
