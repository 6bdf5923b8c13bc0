//! What the page asks of the program that it is a page of. The one arrow out of this crate.
//!
//! Every method may wait (for a disk, for a module that is compiled) and is called on a thread
//! where that holds up nobody else.

use crate::alerts::{
    Acknowledgement, Alert, AlertDetail, AlertPage, AlertQuery, Comment, Histogram, Row,
};
use crate::changes::{ChangePage, ChangeQuery};
use crate::editor::{CheckRequest, Checked, Completion};
use crate::exceptions::{Attempt, Draft, Proposal};
use crate::health::Health;
use crate::incidents::{IncidentDetail, IncidentPage, IncidentQuery};
use crate::modules::{Done, Module, Upload};
use crate::rules::{Rule, RuleChoice};
use crate::session::Actor;
use crate::trial::{Capture, Shadow, ShadowRequest, Trials, Tried, TryRequest};
use tokio::sync::watch;

/// Why something asked for is not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such thing.
    Unknown(String),
    /// What is asked makes no sense.
    Invalid(String),
    /// It cannot be as things are.
    Conflict(String),
    /// Too much is asked at once.
    Busy(String),
    /// Something is broken on this side.
    Failed(String),
}

/// The program behind the page.
pub trait Host: Send + Sync + 'static {
    /// Alerts that meet a filter, the newest first.
    fn alerts(&self, query: &AlertQuery) -> Result<AlertPage, Refusal>;
    /// The alerts after that id, the oldest first, at most so many of the newest; and how many
    /// were left out before them.
    fn alerts_after(
        &self,
        id: u64,
        query: &AlertQuery,
        most: usize,
    ) -> Result<(u64, Vec<Alert>), Refusal>;
    /// Tells the id of the newest alert whenever there is another.
    fn newest(&self) -> watch::Receiver<u64>;
    /// Rows for an export: those that meet a filter and are older than `before`.
    fn rows(&self, query: &AlertQuery, before: u64) -> Result<Vec<Row>, Refusal>;
    /// How many alerts there were when.
    fn histogram(&self, query: &AlertQuery) -> Result<Histogram, Refusal>;
    /// All that is kept of an alert.
    fn alert(&self, id: u64) -> Result<AlertDetail, Refusal>;
    /// Notes that alerts were seen, or that they were not.
    fn acknowledge(&self, actor: &Actor, what: &Acknowledgement) -> Result<u64, Refusal>;
    /// Adds a comment to an alert.
    fn comment(&self, actor: &Actor, id: u64, text: &str) -> Result<Comment, Refusal>;
    /// What an exception from an alert may be made of.
    fn propose_exception(&self, id: u64) -> Result<Proposal, Refusal>;
    /// What an exception would do.
    fn try_exception(&self, id: u64, draft: &Draft) -> Result<Attempt, Refusal>;
    /// Adds an exception to the local rules file.
    fn save_exception(&self, actor: &Actor, id: u64, text: &str) -> Result<Done, Refusal>;
    /// Alerts by the root of their process tree, the latest first.
    fn incidents(&self, query: &IncidentQuery) -> Result<IncidentPage, Refusal>;
    /// One of them, with what happened when.
    fn incident(&self, id: &str) -> Result<IncidentDetail, Refusal>;
    /// The rules of all modules that are loaded.
    fn rules(&self) -> Result<Vec<Rule>, Refusal>;
    /// Turns a rule on or off.
    fn choose_rule(&self, actor: &Actor, choice: &RuleChoice) -> Result<Done, Refusal>;
    /// The modules that are loaded.
    fn modules(&self) -> Result<Vec<Module>, Refusal>;
    /// Changes one of them.
    fn change_module(
        &self,
        actor: &Actor,
        name: &str,
        change: ModuleChange,
    ) -> Result<Done, Refusal>;
    /// Loads a module, or puts it in the place of the one of that name.
    fn upload(&self, actor: &Actor, upload: Upload) -> Result<Done, Refusal>;
    /// Who changed what, the latest first.
    fn changes(&self, query: &ChangeQuery) -> Result<ChangePage, Refusal>;
    /// Notes what somebody did that changes nothing else: came in, or was refused.
    fn note(&self, actor: &Actor, what: &str);
    /// How it goes.
    fn health(&self) -> Result<Health, Refusal>;
    /// What is wrong with rules, unless it is told to stop before that is known.
    fn check(
        &self,
        actor: &Actor,
        request: &CheckRequest,
        stop: &dyn Fn() -> bool,
    ) -> Result<Checked, Refusal>;
    /// What an editor may offer.
    fn completion(&self) -> Result<Completion, Refusal>;
    /// What rules can be tried against.
    fn trials(&self) -> Result<Trials, Refusal>;
    /// What alerts there would be, by rules that are not loaded.
    fn try_rules(&self, request: &TryRequest) -> Result<Tried, Refusal>;
    /// Keeps a capture to try rules against, in the place of the one before.
    fn keep_capture(&self, bytes: Vec<u8>) -> Result<Capture, Refusal>;
    /// The rules that judge beside those that run.
    fn shadow(&self) -> Result<Option<Shadow>, Refusal>;
    /// Has rules judge beside those that run.
    fn begin_shadow(&self, actor: &Actor, request: ShadowRequest) -> Result<Done, Refusal>;
    /// Puts them in their place.
    fn promote_shadow(&self, actor: &Actor) -> Result<Done, Refusal>;
    /// Forgets them.
    fn end_shadow(&self, actor: &Actor) -> Result<Done, Refusal>;
}

/// A change of a module that is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleChange {
    /// Turn it on.
    Enable,
    /// Turn it off.
    Disable,
    /// Bring its version before back.
    Rollback,
}
