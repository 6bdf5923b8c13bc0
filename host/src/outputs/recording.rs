//! Captures being written: as many files as asked for, each with the state it begins in.

use crate::extract::{Scratch, View, Wire};
use saker_capture::{Compression, Entry, Event, WriteError, Writer};
use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// When a file ends and the next one begins, and when it is all over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Bytes of a file before compression, beside what it begins with.
    pub file_bytes: Option<u64>,
    /// Time that a file covers, ns.
    pub file_ns: Option<u64>,
    /// Files that are kept; older ones are removed.
    pub files: Option<usize>,
    /// Events altogether.
    pub events: Option<u64>,
    /// Bytes altogether, before compression.
    pub whole_bytes: Option<u64>,
    /// Only a file that was not there before is written.
    pub is_new: bool,
}

/// A capture being written.
pub struct Recording {
    path: PathBuf,
    limits: Limits,
    writer: Option<Writer<File>>,
    /// Files that are being read, by device and inode.
    inputs: Vec<(u64, u64)>,
    /// What the file began with, bytes before compression.
    state_bytes: u64,
    /// The file has no event yet, and nothing of the state.
    is_empty: bool,
    /// When the file's first event was.
    began: u64,
    files: VecDeque<PathBuf>,
    /// Files begun so far.
    begun: u64,
    events: u64,
    cut: u64,
    wire: Wire,
    scratch: Scratch,
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
            state_bytes: 0,
            is_empty: true,
            began: 0,
            files: VecDeque::new(),
            begun: 0,
            events: 0,
            cut: 0,
            wire: Wire::default(),
            scratch: Scratch::new(),
        };
        recording.open_file()?;
        Ok(recording)
    }

    /// Events written so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Texts and parameters of which only the beginning was written.
    pub fn cut(&self) -> u64 {
        self.cut + self.wire.cut
    }

    /// Whether all was written that was asked for.
    pub fn is_full(&self) -> bool {
        self.limits.events.is_some_and(|most| self.events >= most)
            || self
                .limits
                .whole_bytes
                .is_some_and(|most| self.event_bytes() >= most)
    }

    /// Bytes of the file's events, before compression.
    fn event_bytes(&self) -> u64 {
        let written = self.writer.as_ref().map(Writer::written);
        written.map_or(0, |written| written.bytes.saturating_sub(self.state_bytes))
    }

    /// Writes an event, in the next file if this one is long enough.
    pub fn event(&mut self, view: &View<'_>) -> Result<(), RecordError> {
        let time = view.event.time();
        let limits = &self.limits;
        let is_over = limits
            .file_bytes
            .is_some_and(|most| self.event_bytes() >= most)
            || limits
                .file_ns
                .is_some_and(|most| time.saturating_sub(self.began) >= most);
        if !self.is_empty && is_over {
            self.end_file()?;
        }
        if self.writer.is_none() {
            self.open_file()?;
        }
        if self.is_empty {
            self.write_state(view)?;
            let written = self
                .writer
                .as_ref()
                .map_or(0, |writer| writer.written().bytes);
            self.state_bytes = written;
            self.is_empty = false;
            self.began = time;
        }
        let Some(kind) = view.event.kind() else {
            return Ok(());
        };
        let Some(params) = self.wire.params(view, &mut self.scratch) else {
            return Ok(());
        };
        let event = Event {
            cpu: view.event.cpu(),
            flags: 0,
            time,
            tid: view.event.tid(),
            code: kind.code(),
            params,
        };
        if let Some(writer) = &mut self.writer {
            let written = writer.event(&event);
            written.map_err(|error| RecordError::Write(self.path.clone(), error))?;
        }
        self.events += 1;
        Ok(())
    }

    /// Writes what is known at the file's first event.
    fn write_state(&mut self, view: &View<'_>) -> Result<(), RecordError> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        let number = view.event.number();
        let written = view
            .state()
            .snapshot(number, |entry: &Entry<'_>| writer.write(entry));
        written.map_err(|error| RecordError::Write(self.path.clone(), error))
    }

    fn open_file(&mut self) -> Result<(), RecordError> {
        let path = match (self.limits.file_bytes, self.limits.file_ns) {
            (None, None) => self.path.clone(),
            _ => numbered(&self.path, self.begun),
        };
        let writer = self.make(&path)?;
        self.is_empty = true;
        self.state_bytes = 0;
        self.writer = Some(writer);
        self.begun += 1;
        self.files.push_back(path);
        if self
            .limits
            .files
            .is_some_and(|most| self.files.len() > most)
            && let Some(oldest) = self.files.pop_front()
        {
            // Whoever took it away before has done the same.
            let _ = std::fs::remove_file(oldest);
        }
        Ok(())
    }

    fn make(&self, path: &Path) -> Result<Writer<File>, RecordError> {
        let mut options = File::options();
        options.write(true).mode(0o600);
        if self.limits.is_new {
            // Follows no link that somebody has laid there.
            options.create_new(true);
        } else {
            options.create(true);
            // The path that was named may be a link. Those of further files nobody has named.
            if path != self.path {
                options.custom_flags(libc::O_NOFOLLOW);
            }
        }
        let open = || {
            let file = options.open(path)?;
            let found = file.metadata()?;
            if self.inputs.contains(&(found.dev(), found.ino())) {
                return Err(std::io::Error::other("it is what is being read"));
            }
            if found.is_file() {
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
        let ended = writer.finish();
        ended.map_err(|error| RecordError::Write(self.path.clone(), error))?;
        Ok(())
    }

    /// Ends the last file. Tells how many files there are.
    pub fn finish(mut self) -> Result<usize, RecordError> {
        self.end_file()?;
        Ok(self.files.len())
    }
}

/// `capture.scap.gz` → `capture.3.scap.gz`.
fn numbered(path: &Path, number: u64) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, rest) = match name.find('.').filter(|at| *at > 0) {
        Some(at) => name.split_at(at),
        None => (&*name, ""),
    };
    path.with_file_name(format!("{stem}.{number}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_before_what_says_their_kind() {
        for (path, expected) in [
            ("/tmp/a.scap.gz", "/tmp/a.3.scap.gz"),
            ("a", "a.3"),
            (".hidden", ".hidden.3"),
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
        recording.state_bytes = 5000;
        recording.end_file().unwrap();
        assert!(!recording.is_full());
        recording.open_file().unwrap();
        assert_eq!(recording.state_bytes, 0);
        recording.state_bytes = 5000;
        assert!(!recording.is_full());
    }
}
