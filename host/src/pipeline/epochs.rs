//! Other modules instead of those that run: made ready while events go on, then switched to
//! between two events.

use super::{Answer, Pipeline, PipelineError};
use crate::guests::Refused;
use crate::modules::Epoch;
use crate::sandbox::ToJudge;
use std::rc::Rc;

impl Pipeline {
    /// The running epoch.
    pub fn epoch(&self) -> &Rc<Epoch> {
        &self.epoch
    }

    /// Begins to make an epoch's modules ready, in place of any that was proposed before. Events
    /// go on meanwhile; [`Pipeline::outcome`] tells when it is done.
    pub fn propose(&mut self, epoch: Rc<Epoch>) -> Result<(), PipelineError> {
        self.abandon()?;
        self.send(ToJudge::Install {
            epoch: epoch.id,
            rulesets: epoch.images(),
        })?;
        self.next = Some(epoch);
        Ok(())
    }

    /// What came of the last proposal, once. After `Ok`, [`Pipeline::switch`] cannot fail.
    pub fn outcome(&mut self) -> Option<Result<(), PipelineError>> {
        self.outcome.take()
    }

    /// Forgets what was proposed and not switched to.
    pub(super) fn abandon(&mut self) -> Result<(), PipelineError> {
        self.outcome = None;
        match self.next.take() {
            Some(last) => {
                self.dismiss_guests();
                self.send(ToJudge::Retire { epoch: last.id })
            }
            None => Ok(()),
        }
    }

    /// Makes an epoch's modules ready, and waits for that; windows of the running epoch are
    /// judged meanwhile.
    pub fn prepare(&mut self, epoch: &Rc<Epoch>) -> Result<(), PipelineError> {
        self.propose(epoch.clone())?;
        loop {
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
            if self.guests.is_starting() {
                if let Some(told) = self.guests.blocking_answer() {
                    self.take_answer(Answer::Component(told));
                }
                continue;
            }
            let answer = self.judge.blocking_receive();
            self.take(answer.ok_or(PipelineError::NoJudge)?);
        }
    }

    /// The judge has the rulesets of an epoch ready; components are next.
    pub(super) fn installed(&mut self, epoch: u32) {
        let Some(next) = self.next.clone().filter(|next| next.id == epoch) else {
            // It was given up meanwhile.
            if let Err(error) = self.send(ToJudge::Retire { epoch }) {
                self.outcome = Some(Err(error));
            }
            return;
        };
        match self.guests.prepare(&next) {
            Ok(true) => self.outcome = Some(Ok(())),
            Ok(false) => {}
            Err((module, why)) => self.refuse(&next, module, why.to_string()),
        }
    }

    pub(super) fn refuse(&mut self, epoch: &Epoch, module: usize, reason: String) {
        let named = epoch.modules.get(module);
        let name = named.map(|module| module.name.clone()).unwrap_or_default();
        self.next = None;
        self.outcome = Some(Err(PipelineError::Refused {
            module,
            name,
            reason,
        }));
    }

    /// The components of the next epoch are at work, or cannot be.
    pub(super) fn started(&mut self, epoch: u32, started: Result<(), (usize, Refused)>) {
        let Some(next) = self.next.clone().filter(|next| next.id == epoch) else {
            return;
        };
        match started {
            Ok(()) => self.outcome = Some(Ok(())),
            Err((module, why)) => {
                let told = self.send(ToJudge::Retire { epoch });
                self.refuse(&next, module, why.to_string());
                if let Err(error) = told {
                    self.outcome = Some(Err(error));
                }
            }
        }
    }

    /// Lets a prepared epoch judge every event from here on. The one before is forgotten when
    /// its last window is judged.
    pub fn switch(&mut self, epoch: Rc<Epoch>) -> Result<(), PipelineError> {
        self.flush()?;
        self.plans = epoch.plans()?;
        self.state
            .keep_all_descriptors(epoch.needs_all_descriptors());
        self.state.keep_notes(epoch.noted());
        self.guests.switch(&epoch);
        self.needs_facts = epoch.needs_container_facts();
        let last = std::mem::replace(&mut self.epoch, epoch);
        self.next = None;
        self.dismiss_guests();
        self.begin_ticks();
        // The judge answers what was sent before it retires an epoch.
        self.send(ToJudge::Retire { epoch: last.id })
    }
}
