//! Watching the files of rules and modules: tells that some changed, when they have settled.
//!
//! The kernel's notes (inotify, by `notify`) only say when to look. What changed is found by
//! looking: device, inode, size and times of every file are held against what they were. So it
//! does not matter how an editor writes (in place, aside and renamed over, with backups), nor
//! that a ConfigMap turns a link two levels above the file, nor that notes are lost.
//!
//! A file that was closed or renamed has settled, and is looked at at once; one that is being
//! written is waited for. Where the kernel gives no notes, it is looked every two seconds.
//! Reading the files is left to others: they do not trust what they find either.

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// After a file has settled, others may follow within this time.
const SETTLED: Duration = Duration::from_millis(2);
/// A file that is being written is waited for so long after each note,
const UNSETTLED: Duration = Duration::from_millis(300);
/// and no longer than this in all.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often it is looked where there are no notes.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Notes that may wait; when there are more, everything is looked at anyhow.
const NOTES_MAX: usize = 1024;
/// No more folders are watched.
const FOLDERS_MAX: usize = 256;
/// No more files of a folder are looked at.
const FILES_MAX: usize = 4096;

/// Endings of files that are rules or modules.
const ENDINGS: [&str; 3] = ["wasm", "yaml", "yml"];

/// What is watched.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Rule files, and folders of them.
    pub rules: Vec<PathBuf>,
    /// Files that are modules.
    pub files: Vec<PathBuf>,
    /// The folder of modules.
    pub folder: Option<PathBuf>,
}

/// What is to be read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The rules.
    pub rules: bool,
    /// These files.
    pub files: Vec<PathBuf>,
    /// The folder of modules.
    pub folder: bool,
}

impl Changed {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        !self.rules && self.files.is_empty() && !self.folder
    }
}

/// What comes to the watching thread.
enum Note {
    Event(notify::Event),
    /// Another file is to be watched.
    Watch(PathBuf),
}

/// The watching thread, as long as it is wanted.
pub struct Watcher {
    notes: SyncSender<Note>,
}

impl Watcher {
    /// Looks at the files as they are, and tells from here on what changes.
    pub fn start(sources: Sources) -> io::Result<(Watcher, mpsc::Receiver<Changed>)> {
        let (notes, noted) = sync_channel(NOTES_MAX);
        let (tell, changed) = mpsc::channel(1);
        let has_missed = Arc::new(AtomicBool::new(false));
        let (note, missed) = (notes.clone(), has_missed.clone());
        let inotify = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let kept = event.is_ok_and(|event| {
                matters_not(&event.kind) || note.try_send(Note::Event(event)).is_ok()
            });
            if !kept {
                missed.store(true, Ordering::Relaxed);
            }
        });
        let mut looking = Looking {
            known: look(&sources),
            sources,
            inotify: inotify.map_err(complain).ok(),
            watched: BTreeMap::new(),
            is_blind: false,
            has_missed,
        };
        looking.watch_folders();
        std::thread::Builder::new()
            .name("saker-files".into())
            .spawn(move || looking.work(&noted, &tell))?;
        Ok((Watcher { notes }, changed))
    }

    /// Watches another file that is a module.
    pub fn watch(&self, path: &Path) {
        // With so many notes waiting, everything is looked at soon; but this file would not be.
        if self.notes.try_send(Note::Watch(path.into())).is_err() {
            tracing::warn!("`{}` is not watched for changes", path.display());
        }
    }
}

fn complain(error: notify::Error) {
    tracing::warn!(
        "the kernel gives no notes of changed files ({error}): they are looked at every {} s",
        LOOK_EVERY.as_secs()
    );
}

fn matters_not(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => false,
    }
}

/// What a file was when it was looked at.
type Look = (u64, u64, u64, i128, i128);

/// Each source with the files it stands for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Known {
    rules: BTreeMap<PathBuf, Option<Look>>,
    files: BTreeMap<PathBuf, Option<Look>>,
    folder: BTreeMap<PathBuf, Option<Look>>,
}

fn look(sources: &Sources) -> Known {
    let mut rules = BTreeMap::new();
    for path in &sources.rules {
        match path.is_dir() {
            true => rules.extend(look_into(path)),
            false => rules.extend([(path.clone(), look_at(path))]),
        }
    }
    let files = sources.files.iter();
    let folder = sources.folder.as_deref();
    Known {
        rules,
        files: files.map(|path| (path.clone(), look_at(path))).collect(),
        folder: folder.map(look_into).into_iter().flatten().collect(),
    }
}

fn look_into(folder: &Path) -> Vec<(PathBuf, Option<Look>)> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let entries = entries.take(FILES_MAX).map(|entry| entry.path());
    let files = entries.filter(|path| {
        let ending = path.extension().and_then(OsStr::to_str);
        ending.is_some_and(|ending| ENDINGS.contains(&ending))
    });
    files.map(|path| (path.clone(), look_at(&path))).collect()
}

/// A link is looked through: what it leads to counts, and that it leads there now.
fn look_at(path: &Path) -> Option<Look> {
    let found = path.metadata().ok()?;
    let time = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
    Some((
        found.dev(),
        found.ino(),
        found.size(),
        time(found.mtime(), found.mtime_nsec()),
        time(found.ctime(), found.ctime_nsec()),
    ))
}

/// Which notes of a folder say that it is time to look.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Interest {
    /// All of them.
    All,
    /// Those of these names.
    Names(BTreeSet<OsString>),
}

impl Interest {
    fn merge(&mut self, other: Interest) {
        match (&mut *self, other) {
            (Interest::All, _) => {}
            (Interest::Names(names), Interest::Names(more)) => names.extend(more),
            (Interest::Names(_), Interest::All) => *self = Interest::All,
        }
    }
}

/// What the thread works with.
struct Looking {
    sources: Sources,
    known: Known,
    inotify: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Interest>,
    /// Some folder gives no notes.
    is_blind: bool,
    has_missed: Arc<AtomicBool>,
}

impl Looking {
    fn work(mut self, notes: &Receiver<Note>, tell: &mpsc::Sender<Changed>) {
        // Files that are being written, and since when anything is.
        let mut writing: HashSet<PathBuf> = HashSet::new();
        let mut since: Option<Instant> = None;
        let mut due: Option<Instant> = None;
        loop {
            let now = Instant::now();
            let wait = match due {
                Some(due) => due.saturating_duration_since(now),
                None => LOOK_EVERY,
            };
            match notes.recv_timeout(wait) {
                Ok(Note::Watch(path)) => {
                    if self.known.files.contains_key(&path) {
                        continue;
                    }
                    // It may have changed since it was read: it is looked at as if it had.
                    self.known.files.insert(path.clone(), None);
                    self.sources.files.push(path);
                    self.watch_folders();
                    due.get_or_insert(now + SETTLED);
                    continue;
                }
                Ok(Note::Event(event)) => {
                    if !self.is_of_interest(&event) {
                        continue;
                    }
                    match has_settled(&event.kind) {
                        true => event.paths.iter().for_each(|path| {
                            writing.remove(path);
                        }),
                        false => writing.extend(event.paths),
                    }
                    let now = Instant::now();
                    let last = *since.get_or_insert(now) + PATIENCE;
                    let wait = match writing.is_empty() {
                        true => SETTLED,
                        false => UNSETTLED,
                    };
                    due = Some(last.min(now + wait));
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let has_missed = self.has_missed.swap(false, Ordering::Relaxed);
            if due.is_none() && !self.is_blind && !has_missed && !tell.is_closed() {
                continue;
            }
            (since, due) = (None, None);
            writing.clear();
            let changed = self.look_again();
            // Nobody listens any more only when the program ends.
            if tell.is_closed() || !changed.is_empty() && tell.blocking_send(changed).is_err() {
                return;
            }
        }
    }

    fn look_again(&mut self) -> Changed {
        let now = look(&self.sources);
        let files = now.files.iter().filter(|(path, look)| {
            let before = self.known.files.get(*path);
            before != Some(*look)
        });
        let changed = Changed {
            rules: now.rules != self.known.rules,
            files: files.map(|(path, _)| path.clone()).collect(),
            folder: now.folder != self.known.folder,
        };
        self.known = now;
        // Links may lead elsewhere now.
        self.watch_folders();
        changed
    }

    fn is_of_interest(&self, event: &notify::Event) -> bool {
        event.need_rescan()
            || event.paths.iter().any(|path| {
                let all = self.watched.get(path);
                let of_folder = path.parent().and_then(|folder| self.watched.get(folder));
                let is_named = |interest: &Interest| match interest {
                    Interest::All => true,
                    Interest::Names(names) => {
                        path.file_name().is_some_and(|name| names.contains(name))
                    }
                };
                all.is_some() || of_folder.is_some_and(is_named)
            })
    }

    /// Watches the folders that say when to look, and no others.
    fn watch_folders(&mut self) {
        let wanted = folders(&self.sources);
        let Some(inotify) = &mut self.inotify else {
            self.is_blind = true;
            return;
        };
        for gone in self
            .watched
            .keys()
            .filter(|path| !wanted.contains_key(*path))
        {
            // It may be gone itself.
            let _ = inotify.unwatch(gone);
        }
        self.is_blind = false;
        let mut watched = BTreeMap::new();
        for (folder, interest) in wanted {
            // One that was removed and made again is another: it is watched anew each time.
            match inotify.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watched.insert(folder, interest);
                }
                // It is not there, or not yet.
                Err(_) if !folder.exists() => self.is_blind = true,
                Err(error) => {
                    if !std::mem::replace(&mut self.is_blind, true) {
                        complain(error);
                    }
                }
            }
        }
        self.watched = watched;
    }
}

fn has_settled(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(_) | EventKind::Remove(_) => true,
        EventKind::Modify(ModifyKind::Name(_) | ModifyKind::Metadata(_)) => true,
        EventKind::Modify(ModifyKind::Any | ModifyKind::Data(_) | ModifyKind::Other) => false,
        EventKind::Any | EventKind::Create(_) | EventKind::Other => false,
    }
}

/// The folders whose notes matter.
fn folders(sources: &Sources) -> BTreeMap<PathBuf, Interest> {
    let mut folders: BTreeMap<PathBuf, Interest> = BTreeMap::new();
    let mut want = |path: PathBuf, interest: Interest| {
        if folders.len() < FOLDERS_MAX || folders.contains_key(&path) {
            let place = folders.entry(path);
            let known = place.or_insert_with(|| Interest::Names(BTreeSet::new()));
            known.merge(interest);
        }
    };
    let named = |path: &Path| Some((path.parent()?.to_owned(), path.file_name()?.to_owned()));
    let all = sources
        .rules
        .iter()
        .chain(&sources.files)
        .chain(&sources.folder);
    // Notes tell paths from the root.
    for path in all.filter_map(|path| std::path::absolute(path).ok()) {
        let Some((parent, name)) = named(&path) else {
            continue;
        };
        let is_link = path.is_symlink();
        let interest = match is_link {
            // It may lead through another one beside it.
            true => Interest::All,
            false => Interest::Names([name].into()),
        };
        want(parent, interest);
        if path.is_dir() {
            want(path.clone(), Interest::All);
        }
        // Where it leads to.
        if is_link
            && let Ok(found) = path.canonicalize()
            && let Some((parent, name)) = named(&found)
        {
            want(parent, Interest::Names([name].into()));
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// No wait in a test is longer.
    const LONG: Duration = Duration::from_secs(20);

    struct Watched {
        place: tempfile::TempDir,
        _watcher: Watcher,
        changed: mpsc::Receiver<Changed>,
    }

    impl Watched {
        /// Watches `rules.yaml`, the folder `rules`, `module.wasm` and the folder `modules`.
        fn new(prepare: impl FnOnce(&Path)) -> Watched {
            let place = tempfile::tempdir().expect("a folder for files of the test");
            let path = |name: &str| place.path().join(name);
            fs::create_dir(path("rules")).expect("ours");
            fs::create_dir(path("modules")).expect("ours");
            fs::write(path("rules.yaml"), "a").expect("ours");
            fs::write(path("module.wasm"), "a").expect("ours");
            prepare(place.path());
            let (watcher, changed) = Watcher::start(Sources {
                rules: vec![path("rules.yaml"), path("rules")],
                files: vec![path("module.wasm")],
                folder: Some(path("modules")),
            })
            .expect("a thread");
            Watched {
                place,
                _watcher: watcher,
                changed,
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.place.path().join(name)
        }

        /// What is told first, and how long that took.
        #[track_caller]
        fn told(&mut self) -> (Changed, Duration) {
            let began = Instant::now();
            loop {
                if let Ok(changed) = self.changed.try_recv() {
                    return (changed, began.elapsed());
                }
                assert!(began.elapsed() < LONG, "nothing is told");
                std::thread::sleep(Duration::from_millis(1));
            }
        }

        #[track_caller]
        fn tells_rules(&mut self) {
            let (changed, _) = self.told();
            assert!(changed.rules, "{changed:?}");
            assert!(changed.files.is_empty() && !changed.folder, "{changed:?}");
        }

        fn tells_nothing(&mut self) {
            std::thread::sleep(UNSETTLED * 2);
            assert!(self.changed.try_recv().is_err());
        }
    }

    #[test]
    fn however_a_file_is_saved_it_is_told_once_it_has_settled() {
        let mut watched = Watched::new(|_| {});
        let rules = watched.path("rules.yaml");
        // In place.
        fs::write(&rules, "in place").expect("ours");
        watched.tells_rules();
        // Aside, and renamed over.
        fs::write(watched.path("rules.yaml.tmp"), "aside").expect("ours");
        fs::rename(watched.path("rules.yaml.tmp"), &rules).expect("ours");
        watched.tells_rules();
        // As vim does: the old one becomes a backup, then a new one is written.
        fs::rename(&rules, watched.path("rules.yaml~")).expect("ours");
        fs::write(&rules, "with a backup").expect("ours");
        let last = look_at(&rules);
        loop {
            watched.tells_rules();
            if watched.changed.is_empty() && look_at(&rules) == last {
                break;
            }
        }
        let (changed, _) = {
            fs::write(watched.path("module.wasm"), "b").expect("ours");
            watched.told()
        };
        assert_eq!(changed.files, [watched.path("module.wasm")]);
        assert!(!changed.rules);
    }

    #[test]
    fn a_file_that_is_named_from_where_one_stands_is_watched_as_well() {
        let place = tempfile::tempdir().expect("a folder for files of the test");
        let file = place.path().join("rules.yaml");
        fs::write(&file, "a").expect("ours");
        let here = std::env::current_dir().expect("we are somewhere");
        let mut path: PathBuf = here.components().skip(1).map(|_| "..").collect();
        path.push(file.strip_prefix("/").expect("from the root"));
        let sources = Sources {
            rules: vec![path],
            ..Sources::default()
        };
        let (_watcher, changed) = Watcher::start(sources).expect("a thread");
        let mut watched = Watched {
            place,
            _watcher,
            changed,
        };
        fs::write(&file, "in place").expect("ours");
        watched.tells_rules();
    }

    #[test]
    fn a_file_that_is_just_being_written_is_waited_for() {
        use std::io::Write;
        let mut watched = Watched::new(|_| {});
        let mut file = fs::File::create(watched.path("rules.yaml")).expect("ours");
        file.write_all(b"the first half").expect("room");
        std::thread::sleep(UNSETTLED / 3);
        assert!(watched.changed.try_recv().is_err(), "it is not whole");
        file.write_all(b", and the other").expect("room");
        drop(file);
        let (changed, took) = watched.told();
        assert!(changed.rules && took < UNSETTLED / 2, "{took:?}");
        watched.tells_nothing();
    }

    #[test]
    fn the_link_of_a_config_map_that_turns_is_seen() {
        let mut watched = Watched::new(|place| {
            let rules = place.join("rules");
            for version in ["..1", "..2"] {
                fs::create_dir(rules.join(version)).expect("ours");
                fs::write(rules.join(version).join("a.yaml"), version).expect("ours");
            }
            symlink("..1", rules.join("..data")).expect("ours");
            symlink("..data/a.yaml", rules.join("a.yaml")).expect("ours");
        });
        let rules = watched.path("rules");
        for version in ["..2", "..1"] {
            symlink(version, rules.join("..data_tmp")).expect("ours");
            fs::rename(rules.join("..data_tmp"), rules.join("..data")).expect("ours");
            watched.tells_rules();
        }
    }

    #[test]
    fn files_come_to_a_folder_and_go_and_the_folder_itself_is_replaced() {
        let mut watched = Watched::new(|_| {});
        let only_folder = Changed {
            folder: true,
            ..Changed::default()
        };
        fs::write(watched.path("modules/a.wasm"), "a").expect("ours");
        assert_eq!(watched.told().0, only_folder);
        fs::remove_file(watched.path("modules/a.wasm")).expect("ours");
        assert_eq!(watched.told().0, only_folder);
        fs::create_dir(watched.path("next")).expect("ours");
        fs::write(watched.path("next/a.yaml"), "a").expect("ours");
        fs::remove_dir(watched.path("rules")).expect("it is empty");
        fs::rename(watched.path("next"), watched.path("rules")).expect("ours");
        watched.tells_rules();
        fs::write(watched.path("rules/b.yaml"), "b").expect("ours");
        watched.tells_rules();
    }

    #[test]
    fn what_is_written_beside_the_files_is_of_no_interest() {
        let mut watched = Watched::new(|_| {});
        for number in 0..100 {
            fs::write(watched.path(&format!("other {number}")), "x").expect("ours");
        }
        watched.tells_nothing();
    }

    #[test]
    fn when_notes_are_lost_the_change_is_found_all_the_same() {
        let mut watched = Watched::new(|_| {});
        // More than may wait, and while nobody takes what is told.
        for number in 0..3 * NOTES_MAX {
            fs::write(watched.path("rules/a.yaml"), format!("{number}")).expect("ours");
        }
        let last = look_at(&watched.path("rules/a.yaml"));
        watched.tells_rules();
        std::thread::sleep(LOOK_EVERY + UNSETTLED);
        while watched.changed.try_recv().is_ok() {}
        assert_eq!(look_at(&watched.path("rules/a.yaml")), last);
        fs::remove_file(watched.path("rules/a.yaml")).expect("ours");
        watched.tells_rules();
    }
}
