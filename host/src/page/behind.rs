//! The program behind the page: `saker_web`'s one trait.

use super::{Doctor, Loaded, Shown, Tried, Try, addition, editor, exception};
use crate::config::Config;
use crate::control::{Answer, Asker, Containers, LATE, Request, Status};
use crate::local::LocalFile;
use crate::modules::roster::Listed;
use crate::modules::rulesets::Rulesets;
use crate::store::{NewChange, Store};
use saker_web::alerts::{
    Acknowledgement, Alert, AlertDetail, AlertPage, AlertQuery, Comment, Histogram, Row,
};
use saker_web::changes::{ChangePage, ChangeQuery};
use saker_web::editor::{CheckRequest, Checked, Completion};
use saker_web::exceptions::{Attempt, Draft, Proposal};
use saker_web::health::{Came, Check, Count, Engine, Health, Queue, Stage};
use saker_web::host::{Host, ModuleChange, Refusal};
use saker_web::incidents::{IncidentDetail, IncidentPage, IncidentQuery};
use saker_web::modules::{Done, Module, Upload};
use saker_web::rules::{Rule, RuleChoice};
use saker_web::session::{Actor, Role};
use saker_web::trial::{Capture, Recent, Shadow, ShadowRequest, Trials, TryRequest};
use std::collections::HashMap;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What is missing here is looked for no more often.
const EXAMINE_EVERY: Duration = Duration::from_secs(30);
/// The name of a file that is sent is no longer.
const FILE_NAME_BYTES_MAX: usize = 128;
/// So many files that were sent are kept,
const UPLOADS_MAX: usize = 256;
/// and so many bytes of them: one that was loaded once may be loaded still, so none is given up.
const UPLOADS_BYTES_MAX: u64 = 1 << 30;
/// Who may only look checks no more text,
const VIEWED_BYTES_MAX: usize = 256 << 10;
/// and waits so many times as long as it took: all of them together have a fifth of a core.
const REST: u32 = 4;
/// Whoever has a text checked waits so long for the one before.
const TURN_WITHIN: Duration = Duration::from_secs(2);
/// What is said of a text that takes longer than anybody waits.
const TOO_LONG: &str = "checking it takes too long: `saker check` has no such limit";
/// Who asks where it is the page itself.
const PAGE: &str = "the page";

/// What the page asks, answered.
pub(super) struct Behind {
    pub(super) store: Store,
    asker: Asker,
    doctor: Doctor,
    shown: Shown,
    hostname: String,
    pub(super) first_match: bool,
    /// Where files are put that are sent.
    uploads: PathBuf,
    /// Where exceptions are saved.
    pub(super) local: Option<LocalFile>,
    /// It is read again when it has changed.
    pub(super) is_watching: bool,
    /// One exception is saved at a time.
    pub(super) saving: Mutex<()>,
    examined: Mutex<Option<(Instant, Vec<Check>)>>,
    /// One text is compiled at a time,
    compiling: Mutex<()>,
    /// and one of those who may only look, until when they wait for the next.
    viewed: Mutex<Option<Instant>>,
    trials: Box<dyn Try>,
    /// One trial is held at a time, and what was compiled for them lately is kept.
    trying: Mutex<Rulesets>,
    /// The capture that was sent last.
    capture: Mutex<Option<Sent>>,
    /// The text that judges as a shadow behind the loaded rule files.
    shadowed: Mutex<Option<String>>,
}

/// A capture that was sent.
#[derive(Clone)]
struct Sent {
    id: String,
    bytes: Arc<[u8]>,
}

impl Behind {
    pub(super) fn new(
        config: &Config,
        store: Store,
        asker: Asker,
        doctor: Doctor,
        trials: Box<dyn Try>,
        shown: Shown,
        local: Option<LocalFile>,
    ) -> Behind {
        Behind {
            uploads: store.path().with_file_name("modules"),
            store,
            asker,
            doctor,
            shown,
            hostname: config.hostname(),
            first_match: config.is_hiding_certain(),
            local,
            is_watching: config.watch_files,
            saving: Mutex::default(),
            examined: Mutex::default(),
            compiling: Mutex::default(),
            viewed: Mutex::default(),
            trials,
            trying: Mutex::default(),
            capture: Mutex::default(),
            shadowed: Mutex::default(),
        }
    }

    pub(super) fn loaded(&self) -> Arc<Loaded> {
        let shown = self.shown.lock();
        shown.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whose text is compiled.
    pub(super) fn turn(&self) -> Result<MutexGuard<'_, ()>, Refusal> {
        let end = Instant::now() + TURN_WITHIN;
        loop {
            match self.compiling.try_lock() {
                Ok(turn) => return Ok(turn),
                // One that was given up ends between two rules.
                Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(10)),
                Err(_) => return Err(Refusal::Busy("another text is being checked".into())),
            }
        }
    }

    /// The same, waited for.
    pub(super) fn next_turn(&self) -> MutexGuard<'_, ()> {
        let turn = self.compiling.lock();
        turn.unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, request: Request, by: &str) -> Result<Answer, Refusal> {
        match self.asker.ask_waiting(request, by) {
            Answer::Error(why) => Err(Refusal::Conflict(why)),
            answer => Ok(answer),
        }
    }

    fn change(&self, request: Request, actor: &Actor) -> Result<Done, Refusal> {
        match self.ask(request, &actor.to_string())? {
            Answer::Done(done) => Ok(Done { done }),
            _ => Err(unexpected()),
        }
    }

    fn status(&self) -> Result<Status, Refusal> {
        match self.ask(Request::Status {}, PAGE)? {
            Answer::Status(status) => Ok(status),
            _ => Err(unexpected()),
        }
    }

    fn containers(&self) -> Result<Containers, Refusal> {
        match self.ask(Request::Containers {}, PAGE)? {
            Answer::Containers(containers) => Ok(containers),
            _ => Err(unexpected()),
        }
    }

    fn known_rules(&self) -> Result<Vec<crate::control::Rule>, Refusal> {
        match self.ask(Request::Rules {}, PAGE)? {
            Answer::Rules(rules) => Ok(rules),
            _ => Err(unexpected()),
        }
    }

    fn listed(&self) -> Result<Vec<Listed>, Refusal> {
        match self.ask(Request::List {}, PAGE)? {
            Answer::Modules(modules) => Ok(modules),
            _ => Err(unexpected()),
        }
    }

    /// What `saker doctor` says, or said lately.
    fn examine(&self) -> Vec<Check> {
        let mut examined = self.examined.lock().unwrap_or_else(PoisonError::into_inner);
        match &*examined {
            Some((when, checks)) if when.elapsed() < EXAMINE_EVERY => checks.clone(),
            _ => {
                let checks = (self.doctor)();
                *examined = Some((Instant::now(), checks.clone()));
                checks
            }
        }
    }

    fn sent(&self) -> Option<Sent> {
        let sent = self.capture.lock();
        sent.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a file that was sent where it can be loaded from: in a folder of its content's, so that
    /// what runs is never written over.
    fn keep(&self, upload: &Upload) -> Result<Kept, Unkept> {
        let digest = blake3::hash(&upload.bytes).to_hex();
        let folder = self.uploads.join(&digest[..16]);
        let path = folder.join(&upload.file);
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(&self.uploads)?;
        let is_new = !path.exists();
        if is_new && !has_room(&self.uploads, upload.bytes.len() as u64)? {
            return Err(Unkept::Full(self.uploads.clone()));
        }
        builder.create(&folder)?;
        let new = path.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&upload.bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        Ok(Kept { path, is_new })
    }

    /// A change by a file that was sent. One that is refused is not kept.
    fn change_by(&self, kept: Kept, request: Request, actor: &Actor) -> Result<Done, Refusal> {
        let done = self.change(request, actor);
        let is_refused = matches!(&done, Err(Refusal::Conflict(why)) if why != LATE);
        if is_refused && kept.is_new {
            let _ = std::fs::remove_file(&kept.path);
            // Unless there is another in it.
            let _ = kept.path.parent().map(std::fs::remove_dir);
        }
        done
    }
}

/// A file that was sent.
struct Kept {
    path: PathBuf,
    /// It was not there before.
    is_new: bool,
}

/// Why a file that was sent is not kept.
#[derive(Debug, thiserror::Error)]
enum Unkept {
    #[error("{0}")]
    Failed(#[from] io::Error),
    #[error("too many files were sent already: remove those from `{}` that are not loaded", .0.display())]
    Full(PathBuf),
}

impl From<Unkept> for Refusal {
    fn from(why: Unkept) -> Refusal {
        match why {
            Unkept::Full(_) => Refusal::Conflict(why.to_string()),
            Unkept::Failed(error) => {
                tracing::error!("a module that was sent cannot be kept: {error}");
                Refusal::Failed("the file cannot be kept; Saker's log says why".into())
            }
        }
    }
}

/// Whether one more file of so many bytes may be kept in the folders of that folder.
fn has_room(uploads: &Path, bytes: u64) -> io::Result<bool> {
    let (mut files, mut kept) = (0, 0);
    for folder in uploads.read_dir()? {
        for file in folder?.path().read_dir()? {
            files += 1;
            kept += file?.metadata()?.len();
            if files >= UPLOADS_MAX {
                return Ok(false);
            }
        }
    }
    Ok(kept + bytes <= UPLOADS_BYTES_MAX)
}

fn unexpected() -> Refusal {
    Refusal::Failed("Saker answers something else".into())
}

fn not_plain() -> Refusal {
    Refusal::Invalid(format!(
        "a file is called by letters, digits, `-`, `_` and `.`, and ends in .wasm, .yaml or .yml, \
         in {FILE_NAME_BYTES_MAX} bytes at most"
    ))
}

/// The name of a file, which becomes part of a path.
fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let has_ending = [".wasm", ".yaml", ".yml"]
        .iter()
        .any(|ending| name.ends_with(ending));
    has_ending
        && name.len() <= FILE_NAME_BYTES_MAX
        && !name.starts_with('.')
        && name.bytes().all(is_plain)
}

impl Host for Behind {
    fn alerts(&self, query: &AlertQuery) -> Result<AlertPage, Refusal> {
        self.store.alerts(query)
    }

    fn alerts_after(
        &self,
        id: u64,
        query: &AlertQuery,
        most: usize,
    ) -> Result<(u64, Vec<Alert>), Refusal> {
        self.store.alerts_after(id, query, most)
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.store.newest()
    }

    fn rows(&self, query: &AlertQuery, before: u64) -> Result<Vec<Row>, Refusal> {
        self.store.rows(query, before)
    }

    fn histogram(&self, query: &AlertQuery) -> Result<Histogram, Refusal> {
        self.store.histogram(query)
    }

    fn alert(&self, id: u64) -> Result<AlertDetail, Refusal> {
        self.store.alert(id)
    }

    fn acknowledge(&self, actor: &Actor, what: &Acknowledgement) -> Result<u64, Refusal> {
        self.store.acknowledge(&actor.to_string(), what)
    }

    fn comment(&self, actor: &Actor, id: u64, text: &str) -> Result<Comment, Refusal> {
        self.store.comment(&actor.to_string(), id, text)
    }

    fn incidents(&self, query: &IncidentQuery) -> Result<IncidentPage, Refusal> {
        self.store.incidents(query)
    }

    fn incident(&self, id: &str) -> Result<IncidentDetail, Refusal> {
        self.store.incident(id)
    }

    fn rules(&self) -> Result<Vec<Rule>, Refusal> {
        let loaded = self.loaded();
        let known = self.known_rules()?;
        let mut written = HashMap::new();
        for (module, _) in &loaded.modules {
            let Some(of) = module.written() else {
                continue;
            };
            let listing = of.listing().map_or(&[][..], |listing| &listing.rules);
            for rule in listing {
                let key = (module.identity().name.to_string(), rule.name.as_str());
                written.insert(key, (of.rule(&rule.name), &rule.condition));
            }
        }
        let rules = known.into_iter().map(|rule| {
            let found = written.get(&(rule.module.clone(), rule.name.as_str()));
            let text = found.and_then(|(text, _)| *text);
            let condition = found.map(|(_, condition)| *condition);
            let events = condition.map(|of| of.events.iter().map(|event| (*event).into()));
            Rule {
                text: text.map_or(String::new(), |text| text.text.clone()),
                digest: text.map_or(String::new(), |text| text.digest.clone()),
                condition: condition.map_or(String::new(), |of| of.compiled.clone()),
                events: events.map_or(Vec::new(), Iterator::collect),
                name: rule.name,
                module: rule.module,
                description: rule.description,
                priority: rule.priority,
                source: rule.source,
                tags: rule.tags,
                enabled: rule.enabled,
                alerts: rule.alerts,
            }
        });
        Ok(rules.collect())
    }

    fn choose_rule(&self, actor: &Actor, choice: &RuleChoice) -> Result<Done, Refusal> {
        let name = choice.rule.clone();
        let request = match choice.enabled {
            true => Request::EnableRule { name },
            false => Request::DisableRule { name },
        };
        self.change(request, actor)
    }

    fn modules(&self) -> Result<Vec<Module>, Refusal> {
        let loaded = self.loaded();
        let mut alerts: HashMap<String, u64> = HashMap::new();
        for rule in self.known_rules()? {
            *alerts.entry(rule.module).or_default() += rule.alerts;
        }
        let modules = self.listed()?.into_iter().map(|listed| {
            let mut all = loaded.modules.iter().map(|(module, _)| module);
            let module = all.find(|module| *module.identity().name == *listed.name);
            let component = module.and_then(|module| module.as_component());
            Module {
                alerts: alerts.get(&listed.name).copied().unwrap_or(0),
                capabilities: component.map_or(Vec::new(), |component| component.granted()),
                events: listed.work.events,
                name: listed.name,
                kind: listed.kind,
                version: listed.version,
                state: listed.state,
                rules: listed.rules as u64,
                digest: listed.digest,
                path: listed.path,
                previous: listed.previous,
                failures: listed.failures,
                reason: listed.reason,
                traps: listed.work.traps,
                overruns: listed.work.overruns,
                cpu_ns: listed.work.cpu_ns,
                memory_bytes: listed.work.memory_bytes,
            }
        });
        Ok(modules.collect())
    }

    fn change_module(
        &self,
        actor: &Actor,
        name: &str,
        change: ModuleChange,
    ) -> Result<Done, Refusal> {
        let name = name.to_owned();
        let request = match change {
            ModuleChange::Enable => Request::Enable { name },
            ModuleChange::Disable => Request::Disable { name },
            ModuleChange::Rollback => Request::Rollback { name },
        };
        self.change(request, actor)
    }

    fn upload(&self, actor: &Actor, upload: Upload) -> Result<Done, Refusal> {
        if !is_plain(&upload.file) {
            return Err(not_plain());
        }
        let kept = self.keep(&upload)?;
        let path = kept.path.clone();
        let request = match upload.swap {
            Some(name) => Request::Swap { name, path },
            None => Request::Load { path },
        };
        self.change_by(kept, request, actor)
    }

    fn changes(&self, query: &ChangeQuery) -> Result<ChangePage, Refusal> {
        self.store.changes_made(query)
    }

    fn note(&self, actor: &Actor, what: &str) {
        // That the store fails is said where it does.
        let _ = self.store.note(&NewChange {
            by: actor.to_string(),
            what: what.into(),
            done: true,
            ..NewChange::default()
        });
    }

    fn health(&self) -> Result<Health, Refusal> {
        let status = self.status()?;
        let containers = self.containers()?;
        let (memory_bytes, cpu_ms) = used();
        let modules = self.listed()?;
        let of_modules = modules.iter().filter_map(|listed| listed.work.pid);
        let others = status.judge_pid.into_iter().chain(of_modules);
        let others_bytes: u64 = others.filter_map(resident).sum();
        let losses = status.losses.into_iter().map(|loss| Count {
            cause: loss.cause,
            count: loss.count,
        });
        let engines = containers.engines.into_iter().map(|engine| Engine {
            engine: engine.engine,
            socket: engine.socket,
            trouble: engine.trouble,
            asked: engine.asked,
            failed: engine.failed,
        });
        let event_types = status.event_types.into_iter().map(|came| Came {
            event: came.event,
            count: came.count,
        });
        let stages = status.stages.into_iter().map(|stage| Stage {
            stage: stage.stage,
            ns: stage.ns,
            events: stage.events,
        });
        let queues = status.queues.into_iter().map(|queue| Queue {
            name: queue.name,
            waiting: queue.waiting,
            most: queue.most,
        });
        Ok(Health {
            version: status.version,
            hostname: self.hostname.clone(),
            uptime_seconds: status.uptime_seconds,
            epoch: status.epoch.into(),
            swaps: status.swaps,
            rules: status.rules,
            events: status.events,
            rows: status.rows,
            windows: status.windows,
            alerts: status.alerts,
            module_failures: status.module_failures,
            event_types: event_types.collect(),
            stages: stages.collect(),
            losses: losses.collect(),
            queues: queues.collect(),
            memory_bytes: memory_bytes + others_bytes,
            cpu_ms,
            engines: engines.collect(),
            store: self.store.standing()?,
            checks: self.examine(),
        })
    }

    fn propose_exception(&self, id: u64) -> Result<Proposal, Refusal> {
        exception::propose(self, id)
    }

    fn try_exception(&self, id: u64, draft: &Draft) -> Result<Attempt, Refusal> {
        let _turn = self.turn()?;
        exception::attempt(self, id, draft)
    }

    fn save_exception(&self, actor: &Actor, id: u64, text: &str) -> Result<Done, Refusal> {
        exception::save(self, actor, id, text)
    }

    fn check(
        &self,
        actor: &Actor,
        request: &CheckRequest,
        stop: &dyn Fn() -> bool,
    ) -> Result<Checked, Refusal> {
        let check = || {
            let checked = editor::check(request, &self.loaded(), self.first_match, stop);
            checked.ok_or_else(|| Refusal::Invalid(TOO_LONG.into()))
        };
        if actor.role == Some(Role::Admin) {
            let _turn = self.turn()?;
            return check();
        }
        // Who may only look holds up nobody who may do more.
        if request.text.len() > VIEWED_BYTES_MAX {
            return Err(Refusal::Invalid(format!(
                "who may only look checks {} KiB at a time",
                VIEWED_BYTES_MAX >> 10
            )));
        }
        let busy = || Refusal::Busy("others who may only look have a text checked".into());
        let mut rested = self.viewed.try_lock().map_err(|_| busy())?;
        if rested.is_some_and(|rested| Instant::now() < rested) {
            return Err(busy());
        }
        let begin = Instant::now();
        let checked = check();
        *rested = Some(Instant::now() + REST * begin.elapsed());
        checked
    }

    fn trials(&self) -> Result<Trials, Refusal> {
        let recent = match self.ask(Request::Recent {}, PAGE)? {
            Answer::Recent(recent) => recent,
            _ => return Err(unexpected()),
        };
        Ok(Trials {
            recent: recent.map(|kept| Recent {
                events: kept.events,
                bytes: kept.bytes,
                bytes_max: kept.bytes_max,
                missed: kept.missed,
                state_too_large: kept.state_too_large,
            }),
            capture: self.sent().map(|sent| Capture {
                id: sent.id,
                bytes: sent.bytes.len() as u64,
            }),
        })
    }

    fn try_rules(&self, request: &TryRequest) -> Result<saker_web::trial::Tried, Refusal> {
        let busy = || Refusal::Busy("other rules are being tried".into());
        let mut rulesets = self.trying.try_lock().map_err(|_| busy())?;
        let loaded = self.loaded();
        if let Some(name) = &request.replaces
            && !(loaded.modules.iter()).any(|(module, _)| *module.identity().name == **name)
        {
            return Err(Refusal::Conflict(format!("no module is called `{name}`")));
        }
        let capture = match &request.capture {
            Some(id) => {
                let sent = self.sent().filter(|sent| sent.id == *id);
                let gone = || Refusal::Conflict("that capture is not there any more".into());
                Some(sent.ok_or_else(gone)?)
            }
            None => {
                // Has what came last handed over.
                self.ask(Request::Recent {}, PAGE)?;
                None
            }
        };
        let module = editor::module(
            &mut rulesets,
            &request.text,
            request.with_loaded,
            &loaded,
            self.first_match,
        );
        let running = loaded.modules.iter().filter(|(_, runs)| *runs);
        self.trials.judge(&Tried {
            module: module.map_err(Refusal::Invalid)?,
            replaces: request.replaces.clone(),
            capture: capture.as_ref().map(|sent| &*sent.bytes),
            running: running.map(|(module, _)| module.clone()).collect(),
            selection: &loaded.selection,
        })
    }

    fn keep_capture(&self, bytes: Vec<u8>) -> Result<Capture, Refusal> {
        if let Err(why) = saker_capture::Reader::new(&*bytes) {
            return Err(Refusal::Invalid(why.to_string()));
        }
        let sent = Sent {
            id: blake3::hash(&bytes).to_hex()[..16].into(),
            bytes: bytes.into(),
        };
        let told = Capture {
            id: sent.id.clone(),
            bytes: sent.bytes.len() as u64,
        };
        *self.capture.lock().unwrap_or_else(PoisonError::into_inner) = Some(sent);
        Ok(told)
    }

    fn shadow(&self) -> Result<Option<Shadow>, Refusal> {
        match self.ask(Request::ShadowStanding {}, PAGE)? {
            Answer::Shadow(shadow) => Ok(shadow.map(|shadow| *shadow)),
            _ => Err(unexpected()),
        }
    }

    fn begin_shadow(&self, actor: &Actor, request: ShadowRequest) -> Result<Done, Refusal> {
        if !is_plain(&request.file) || request.file.ends_with(".wasm") {
            return Err(not_plain());
        }
        let text = request.with_loaded.then(|| request.text.clone());
        let kept = self.keep(&Upload {
            file: request.file,
            swap: None,
            bytes: request.text.into_bytes(),
        })?;
        let request = Request::Shadow {
            path: kept.path.clone(),
            replaces: request.replaces,
            with_loaded: request.with_loaded,
            seconds: request.seconds,
        };
        // Nobody begins another before it is known which this one is.
        let mut shadowed = self.shadowed.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.change_by(kept, request, actor)?;
        *shadowed = text;
        Ok(done)
    }

    fn promote_shadow(&self, actor: &Actor) -> Result<Done, Refusal> {
        let shadow = self.shadow()?;
        let Some(shadow) = shadow.filter(|shadow| shadow.with_loaded) else {
            return self.change(Request::Promote {}, actor);
        };
        // What changes the loaded files belongs behind them.
        let mut shadowed = self.shadowed.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = || Refusal::Conflict("the shadow was begun elsewhere: save its file".into());
        let text = shadowed.clone().ok_or_else(gone)?;
        let what = format!("promote the shadow: add `{}` to the rules", shadow.file);
        let done = addition::add(self, actor, &self.loaded(), &text, what, |_| Ok(()))?;
        *shadowed = None;
        self.change(Request::EndShadow {}, actor)?;
        Ok(done)
    }

    fn end_shadow(&self, actor: &Actor) -> Result<Done, Refusal> {
        self.change(Request::EndShadow {}, actor)
    }

    fn completion(&self) -> Result<Completion, Refusal> {
        Ok(editor::completion(&self.loaded()))
    }
}

/// Resident bytes and processor time in milliseconds of this process.
pub(super) fn used() -> (u64, u64) {
    let time = |of: rustix::process::RawPid| {
        let stat = std::fs::read_to_string(format!("/proc/{of}/stat")).ok()?;
        // The name before it may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<u64> = rest
            .split_whitespace()
            .map(|n| n.parse().unwrap_or(0))
            .collect();
        let ticks = fields.get(11)? + fields.get(12)?;
        Some(ticks * 1000 / rustix::param::clock_ticks_per_second())
    };
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let bytes = resident(own as u32).unwrap_or(0);
    (bytes, time(own).unwrap_or(0))
}

/// Resident bytes of a process.
pub(super) fn resident(pid: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_bounded_in_files_and_in_bytes() {
        let folder = tempfile::tempdir().expect("a folder for files of the test");
        let room = |bytes| has_room(folder.path(), bytes).expect("a folder of the test");
        assert!(room(UPLOADS_BYTES_MAX) && !room(UPLOADS_BYTES_MAX + 1));
        for number in 0..UPLOADS_MAX {
            assert!(room(1), "{number}");
            let one = folder.path().join(number.to_string());
            std::fs::create_dir(&one).expect("a folder of the test");
            std::fs::write(one.join("x.yaml"), "x").expect("a folder of the test");
        }
        assert!(!room(1));
    }

    #[test]
    fn only_plain_names_become_part_of_a_path() {
        for name in ["beacon.wasm", "my-rules_2.yaml", "x.yml"] {
            assert!(is_plain(name), "{name}");
        }
        for name in [
            "",
            ".wasm",
            "../x.wasm",
            "a/b.wasm",
            "x.exe",
            "x.wasm\0",
            "é.wasm",
            "x y.wasm",
        ] {
            assert!(!is_plain(name), "{name}");
        }
        assert!(!is_plain(&format!("{}.wasm", "x".repeat(200))));
    }
}
