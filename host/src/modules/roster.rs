//! What is loaded: each module with its state, its version, where it came from, and the version
//! before. A change is drafted in a copy, which becomes the roster when its modules are ready.
//!
//! No file is read here and no clock: what was read is handed in, and the time with it. Making
//! modules ready and switching to them is the pipeline's; asking for a change, `control`'s and
//! the commands'.
//!
//! **Probation.** A version that took the place of another is on probation for a while: fails it
//! in that time, the one before takes its place again, and it is not tried again until its file
//! changes. **Quarantine.** A module that failed too often and has no better version is taken
//! out of the epoch, so that nothing is written for it any more, and tried again later: after
//! ten seconds, and twice as long each time.

use super::{Incident, Module, Selection, Work};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a module is set aside the first time.
const QUARANTINE: Duration = Duration::from_secs(10);
/// And at most.
const QUARANTINE_MAX: Duration = Duration::from_secs(600);
/// What is kept of a reason.
const REASON_BYTES_MAX: usize = 4096;

/// Where a module comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The rule files, which are one module together.
    Rules,
    /// A file that was named.
    File(PathBuf),
    /// A file in the folder of modules.
    Folder(PathBuf),
}

impl Origin {
    /// The file, where it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Origin::Rules => None,
            Origin::File(path) | Origin::Folder(path) => Some(path),
        }
    }
}

/// How a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    /// Until then, a failure brings the version before back.
    Probation(Instant),
    /// Somebody turned it off.
    Disabled,
    /// It failed too often, and is tried again then.
    Quarantined(Instant),
}

/// A module that is loaded.
#[derive(Clone)]
struct Entry {
    /// Where it came from. The rule files stay where rules come from, whatever took their place.
    origin: Origin,
    module: Arc<Module>,
    /// The file that took the rule files' place.
    stand_in: Option<PathBuf>,
    /// And that of the version before.
    previous_stand_in: Option<PathBuf>,
    state: State,
    /// The last version that was not found wanting.
    previous: Option<Arc<Module>>,
    /// A version that was taken back, and is not taken again by itself.
    shunned: Option<blake3::Hash>,
    /// Why there is no newer version, or why it is set aside.
    reason: Option<String>,
    failures: u64,
    /// How often it was set aside.
    quarantines: u32,
}

impl Entry {
    fn name(&self) -> &str {
        &self.module.identity().name
    }

    fn is_in_epoch(&self) -> bool {
        match self.state {
            State::Running | State::Probation(_) => true,
            State::Disabled | State::Quarantined(_) => false,
        }
    }
}

/// A module as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// `rules`, `ruleset` or `component`.
    pub kind: String,
    /// What a component says of its version.
    pub version: Option<String>,
    /// `running`, `probation`, `disabled` or `quarantined`.
    pub state: String,
    /// How many of its rules are on.
    pub rules: usize,
    /// Of its code.
    pub digest: String,
    /// Its file; none where it is the rule files.
    pub path: Option<String>,
    /// The digest of the version that `rollback` brings back.
    pub previous: Option<String>,
    /// How often it failed.
    pub failures: u64,
    /// Why there is no newer version, or why it is set aside.
    pub reason: Option<String>,
    /// What it did so far; the roster does not know.
    #[serde(default)]
    pub work: Work,
}

/// Why a change cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unchanged {
    /// There is no such module.
    #[error("no module is called `{0}`")]
    Unknown(String),
    /// There is one of that name already.
    #[error("a module called `{0}` is loaded already: `swap` brings another version of it")]
    Twice(String),
    /// The file has another module.
    #[error("the file has the module `{found}`, not `{wanted}`")]
    Other {
        /// What was asked for.
        wanted: String,
        /// What is in it.
        found: String,
    },
    /// There is no version to go back to.
    #[error("there is no version of `{0}` to go back to")]
    NoPrevious(String),
    /// It is so already.
    #[error("`{0}` is {1} already")]
    Already(String, &'static str),
    /// All of its rules are off.
    #[error("of its rules, none is on")]
    NoRule,
    /// It is the version that was taken back.
    #[error("it is the version that was taken back")]
    Shunned,
}

/// What becomes of a module that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The version before takes its place.
    RolledBack,
    /// It is set aside for so long.
    Quarantined(Duration),
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remedy::RolledBack => f.write_str("the version before takes its place"),
            Remedy::Quarantined(time) => {
                write!(f, "it is set aside for {} s", time.as_secs())
            }
        }
    }
}

/// All modules that are loaded, in load order.
#[derive(Clone)]
pub struct Roster {
    entries: Vec<Entry>,
    probation: Duration,
}

impl Roster {
    /// The modules that a run begins with.
    pub fn new(modules: Vec<(Origin, Module)>, probation: Duration) -> Roster {
        let entries = modules.into_iter();
        Roster {
            entries: entries
                .map(|(origin, module)| first(origin, Arc::new(module)))
                .collect(),
            probation,
        }
    }

    /// The modules of the epoch, in load order.
    pub fn modules(&self) -> Vec<Module> {
        let entries = self.entries.iter().filter(|entry| entry.is_in_epoch());
        entries.map(|entry| Module::clone(&entry.module)).collect()
    }

    /// All modules, and whether they run.
    pub fn all(&self) -> impl Iterator<Item = (&Module, bool)> {
        let entries = self.entries.iter();
        entries.map(|entry| (&*entry.module, entry.is_in_epoch()))
    }

    /// The name of the module that has that place in the epoch.
    pub fn name_in_epoch(&self, index: usize) -> Option<Arc<str>> {
        let mut entries = self.entries.iter().filter(|entry| entry.is_in_epoch());
        let entry = entries.nth(index)?;
        Some(entry.module.identity().name.clone())
    }

    /// The module that came from there: its name and digest.
    pub fn from(&self, origin: &Origin) -> Option<(Arc<str>, blake3::Hash)> {
        let entry = self.entries.iter().find(|entry| entry.origin == *origin)?;
        let identity = entry.module.identity();
        Some((identity.name.clone(), identity.digest))
    }

    /// Where the modules came from.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.entries.iter().map(|entry| &entry.origin)
    }

    /// All of them, for people and programs.
    pub fn list(&self, selection: &Selection, now: Instant) -> Vec<Listed> {
        let listed = self.entries.iter().map(|entry| Listed {
            name: entry.name().to_owned(),
            kind: match (entry.module.as_component(), &entry.origin) {
                (Some(_), _) => "component",
                (None, Origin::Rules) => "rules",
                (None, Origin::File(_) | Origin::Folder(_)) => "ruleset",
            }
            .into(),
            version: entry
                .module
                .as_component()
                .map(|component| component.description.version.clone()),
            state: match entry.state {
                State::Probation(until) if now < until => "probation",
                State::Running | State::Probation(_) => "running",
                State::Disabled => "disabled",
                State::Quarantined(_) => "quarantined",
            }
            .into(),
            rules: entry.module.rules_on(selection),
            digest: entry.module.identity().digest.to_hex().to_string(),
            path: (entry.stand_in.as_deref())
                .or_else(|| entry.origin.path())
                .map(|path| path.to_string_lossy().into_owned()),
            previous: entry
                .previous
                .as_ref()
                .map(|module| module.identity().digest.to_hex().to_string()),
            failures: entry.failures,
            reason: entry.reason.clone(),
            work: Work::default(),
        });
        listed.collect()
    }

    /// Takes a module in that comes from there: a new one, or another version of the one that
    /// came from there before.
    pub fn install(
        &mut self,
        origin: Origin,
        module: Module,
        selection: &Selection,
        now: Instant,
    ) -> Result<(), Unchanged> {
        let known = self.entries.iter().position(|entry| entry.origin == origin);
        let module = match known.filter(|_| module.as_component().is_none()) {
            // A ruleset has no name of its own.
            Some(at) => module.called(self.entries[at].name()),
            None => module,
        };
        let name = module.identity().name.clone();
        let named = self.entries.iter().position(|entry| *entry.name() == *name);
        if named.is_some() && named != known {
            return Err(Unchanged::Twice(name.to_string()));
        }
        // An empty file is most likely one that is just being written.
        if module.rules_on(selection) == 0 {
            return Err(Unchanged::NoRule);
        }
        match known {
            Some(at) if self.entries[at].shunned == Some(module.identity().digest) => {
                Err(Unchanged::Shunned)
            }
            Some(at) => {
                self.replace(at, module, None, now);
                Ok(())
            }
            None => {
                self.entries.push(first(origin, Arc::new(module)));
                Ok(())
            }
        }
    }

    /// Takes another version of a module in, from that file.
    pub fn swap(
        &mut self,
        name: &str,
        path: &Path,
        module: Module,
        now: Instant,
    ) -> Result<(), Unchanged> {
        let at = self.find(name)?;
        let module = match module.as_component() {
            // A ruleset has no name of its own.
            None => module.called(name),
            Some(component) if *component.name == *name => module,
            Some(component) => {
                return Err(Unchanged::Other {
                    wanted: name.into(),
                    found: component.name.to_string(),
                });
            }
        };
        let stand_in = match self.entries[at].origin {
            Origin::Rules => Some(path.to_owned()),
            Origin::File(_) | Origin::Folder(_) => {
                self.entries[at].origin = Origin::File(path.into());
                None
            }
        };
        self.replace(at, module, stand_in, now);
        Ok(())
    }

    /// The file that stands in for the rule files, if one does.
    pub fn stand_in(&self) -> Option<&Path> {
        let mut stand_ins = self
            .entries
            .iter()
            .filter_map(|entry| entry.stand_in.as_deref());
        stand_ins.next()
    }

    fn replace(&mut self, at: usize, module: Module, stand_in: Option<PathBuf>, now: Instant) {
        let until = now + self.probation;
        let entry = &mut self.entries[at];
        entry.shunned = None;
        entry.reason = None;
        let is_same = entry.module.identity().digest == module.identity().digest;
        let last = std::mem::replace(&mut entry.module, Arc::new(module));
        let last_stand_in = std::mem::replace(&mut entry.stand_in, stand_in);
        if is_same {
            return;
        }
        let is_proven = !matches!(entry.state, State::Probation(end) if now < end);
        let is_sound = !matches!(entry.state, State::Quarantined(_));
        if is_sound && (is_proven || entry.previous.is_none()) {
            entry.previous = Some(last);
            entry.previous_stand_in = last_stand_in;
        }
        entry.state = match entry.state {
            State::Disabled => State::Disabled,
            State::Running | State::Probation(_) | State::Quarantined(_) => State::Probation(until),
        };
    }

    /// Gives up the module that came from there.
    pub fn remove(&mut self, origin: &Origin) {
        self.entries.retain(|entry| entry.origin != *origin);
    }

    /// Turns a module off.
    pub fn disable(&mut self, name: &str) -> Result<(), Unchanged> {
        let entry = self.find(name).map(|at| &mut self.entries[at])?;
        if entry.state == State::Disabled {
            return Err(Unchanged::Already(name.into(), "disabled"));
        }
        entry.state = State::Disabled;
        Ok(())
    }

    /// Turns a module on that was turned off or set aside.
    pub fn enable(&mut self, name: &str) -> Result<(), Unchanged> {
        let entry = self.find(name).map(|at| &mut self.entries[at])?;
        if entry.is_in_epoch() {
            return Err(Unchanged::Already(name.into(), "enabled"));
        }
        entry.state = State::Running;
        entry.reason = None;
        Ok(())
    }

    /// Brings the version before back; the one that ran takes its place, so that this can be
    /// taken back as well.
    pub fn roll_back(&mut self, name: &str) -> Result<(), Unchanged> {
        let entry = self.find(name).map(|at| &mut self.entries[at])?;
        let Some(previous) = entry.previous.take() else {
            return Err(Unchanged::NoPrevious(name.into()));
        };
        let last = std::mem::replace(&mut entry.module, previous);
        entry.shunned = Some(last.identity().digest);
        entry.previous = Some(last);
        std::mem::swap(&mut entry.stand_in, &mut entry.previous_stand_in);
        entry.reason = None;
        if entry.state != State::Disabled {
            entry.state = State::Running;
        }
        Ok(())
    }

    /// A module failed: what is to be done, which is done here. Of a version that does not run
    /// any more it is of no consequence.
    pub fn failed(&mut self, incident: &Incident, now: Instant) -> Option<Remedy> {
        let is_it = |entry: &&mut Entry| *entry.module.identity() == incident.module;
        let entry = self.entries.iter_mut().find(is_it)?;
        entry.failures += 1;
        let until = match entry.state {
            State::Running if incident.is_last => None,
            State::Probation(until) if incident.is_last || now < until => Some(until),
            State::Running | State::Probation(_) => return None,
            State::Disabled | State::Quarantined(_) => return None,
        };
        let mut reason = incident.reason.clone();
        reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
        entry.reason = Some(reason);
        if until.is_some_and(|until| now < until)
            && let Some(previous) = entry.previous.take()
        {
            let failed = std::mem::replace(&mut entry.module, previous);
            entry.stand_in = entry.previous_stand_in.take();
            entry.shunned = Some(failed.identity().digest);
            entry.state = State::Running;
            return Some(Remedy::RolledBack);
        }
        if !incident.is_last {
            return None;
        }
        let time = QUARANTINE * 2_u32.saturating_pow(entry.quarantines.min(16));
        let time = time.min(QUARANTINE_MAX);
        entry.quarantines += 1;
        entry.state = State::Quarantined(now + time);
        Some(Remedy::Quarantined(time))
    }

    /// Notes why there is no newer version of a module.
    pub fn refuse(&mut self, origin: &Origin, reason: &str) {
        let is_it = |entry: &&mut Entry| entry.origin == *origin;
        if let Some(entry) = self.entries.iter_mut().find(is_it) {
            let end = reason.floor_char_boundary(REASON_BYTES_MAX);
            entry.reason = Some(reason[..end].to_owned());
        }
    }

    /// Takes a module as `other` has it; where that has none, gives it up.
    pub fn restore(&mut self, name: &str, other: &Roster) {
        let Ok(at) = self.find(name) else {
            return;
        };
        let origin = self.entries[at].origin.clone();
        let is_it = |entry: &&Entry| entry.name() == name || entry.origin == origin;
        match other.entries.iter().find(is_it) {
            Some(entry) => self.entries[at] = entry.clone(),
            None => {
                self.entries.remove(at);
            }
        }
    }

    /// When the next module is to be tried again.
    pub fn due(&self) -> Option<Instant> {
        let quarantined = self.entries.iter().filter_map(|entry| match entry.state {
            State::Quarantined(until) => Some(until),
            State::Running | State::Probation(_) | State::Disabled => None,
        });
        quarantined.min()
    }

    /// Tries those again whose time has come: their names.
    pub fn retry(&mut self, now: Instant) -> Vec<Arc<str>> {
        let mut names = Vec::new();
        for entry in &mut self.entries {
            if matches!(entry.state, State::Quarantined(until) if until <= now) {
                entry.state = State::Running;
                names.push(entry.module.identity().name.clone());
            }
        }
        names
    }

    /// A version that was taken back may be tried again: somebody asks for it.
    pub fn forgive(&mut self) {
        for entry in &mut self.entries {
            entry.shunned = None;
        }
    }

    fn find(&self, name: &str) -> Result<usize, Unchanged> {
        let mut entries = self.entries.iter();
        let found = entries.position(|entry| entry.name() == name);
        found.ok_or_else(|| Unchanged::Unknown(name.into()))
    }
}

fn first(origin: Origin, module: Arc<Module>) -> Entry {
    Entry {
        origin,
        module,
        stand_in: None,
        previous_stand_in: None,
        state: State::Running,
        previous: None,
        shunned: None,
        reason: None,
        failures: 0,
        quarantines: 0,
    }
}

#[cfg(test)]
mod tests;
