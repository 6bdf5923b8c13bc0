//! Events that go to a capture: a recording of all of them, or what captures on alert hold.

use super::{CaptureMode, Pipeline, PipelineError, Round, Row, place_of};
use crate::event::Event;
use crate::extract::View;
use crate::outputs::recording::{Reason, RecordError, Recorder, Written};
use crate::outputs::triggered::Triggered;
use crate::recent::Told;
use crate::source::merge::Batch;
use crate::state::Seen;
use crate::state::container::ContainerFacts;
use std::rc::Rc;
use std::sync::Arc;

impl Pipeline {
    /// Hands the event of every hit, and what changes the state, to a recording from here on, and
    /// renders no alerts.
    pub fn record(&mut self, recorder: Recorder) {
        self.state.keep_all_descriptors(true);
        self.state.keep_learnt(true);
        self.state.keep_descriptor_order();
        self.recorder = Some(recorder);
    }

    /// Whether there is a recording, or captures may be asked for.
    pub fn makes_captures(&self) -> bool {
        self.recorder.is_some() || self.triggered.is_some()
    }

    /// Whether there is a recording that takes no more.
    pub fn is_recorded(&self) -> bool {
        self.recorder.as_ref().is_some_and(Recorder::is_over)
    }

    /// Ends the recording, if there is one.
    pub fn finish_recording(&mut self) -> Option<Result<Written, RecordError>> {
        self.recorder.take().map(Recorder::finish)
    }

    /// Makes captures where alerts ask for them, from here on.
    pub fn make_captures(&mut self, triggered: Triggered, mode: CaptureMode) {
        self.state.keep_descriptor_order();
        self.triggered = Some(triggered);
        self.capture = mode;
    }

    /// What makes captures, if anything does.
    pub fn triggered(&mut self) -> Option<&mut Triggered> {
        self.triggered.as_mut()
    }

    /// Whether a rule that may still alert asks for captures, so that events are kept for them.
    pub(super) fn keeps_for_captures(&self) -> bool {
        let rounds = self.flying.iter().chain(&self.open);
        let mut epochs = rounds.map(|round| &round.epoch).chain([&self.epoch]);
        self.triggered.is_some()
            && (self.capture.all_rules || epochs.any(|epoch| epoch.asks_for_captures()))
    }

    /// Keeps an event for captures on alert, where somebody asks for them.
    pub(super) fn keep_for_captures(
        &mut self,
        event: &Event<'_>,
        seen: Seen,
        batch: &Batch,
        index: usize,
    ) {
        let Some(triggered) = &mut self.triggered else {
            return;
        };
        if self.open.is_none() && self.flying.is_empty() && self.parking.is_empty() {
            // Nothing before this event is in flight.
            triggered.judged(event.time().saturating_sub(1));
        }
        triggered.event(&View::new(event, &self.state, seen), batch, index);
    }

    /// Captures on alert hold what the state was told beside events; to be called before other
    /// events come.
    pub fn tell_triggered(&mut self, told: Told) {
        if let Some(triggered) = &mut self.triggered {
            triggered.told(told);
        }
    }

    /// Whether [`Pipeline::tell_triggered`] has anybody to tell.
    pub fn is_keeping(&self) -> bool {
        (self.triggered.as_ref()).is_some_and(Triggered::keeps_any)
    }

    /// Begins another file of a recording, if the event at that time is to be its first.
    pub(super) fn begin_file_if_due(
        &mut self,
        time: u64,
        before: u64,
    ) -> Result<(), PipelineError> {
        if self.recorder.as_ref().is_some_and(Recorder::is_to_look) {
            self.drain()?;
        }
        if let Some(recorder) = &mut self.recorder
            && recorder.is_due(time)
        {
            self.drain()?;
            if let Some(recorder) = &mut self.recorder {
                recorder.begin(&self.state, before, time);
            }
        }
        Ok(())
    }

    /// A recording holds what is told of a container, in front of its events.
    pub(super) fn tell_recording(&mut self, facts: &Arc<ContainerFacts>) {
        // What was taken before stands before it.
        if self.recorder.is_none() || self.drain().is_err() {
            return;
        }
        let time = self.parking.since().unwrap_or(self.time);
        if let Some(recorder) = &mut self.recorder {
            recorder.container(facts, time);
        }
    }

    /// A recording holds what is known of processes that came from elsewhere, in front of their
    /// first events.
    pub fn tell_processes(&mut self) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        for learnt in self.state.take_learnt() {
            recorder.process(&self.state, &learnt);
        }
        if !self.state.is_awaiting() {
            recorder.settle();
        }
    }

    /// Keeps an event for the recording, in its place among the others.
    pub(super) fn keep_lasting(
        &mut self,
        batch: &Rc<Batch>,
        record: usize,
        number: u64,
        seen: Seen,
    ) {
        let round = self.open_round(number);
        let batch = place_of(batch, &mut round.batches, &mut round.bytes);
        round.lasting.push(Row {
            position: 0,
            batch,
            record: record as u32,
            number,
            seen,
        });
        round.rows += 1;
    }

    /// Hands what is to be recorded of a round to the recording, in its order.
    pub(super) fn write_recording(&mut self, round: &Round) {
        let hits = self.hits(round).into_iter();
        let asked = hits.map(|(_, _, _, row)| (row, Reason::Asked));
        let lasting = round.lasting.iter().map(|row| (*row, Reason::State));
        let mut rows: Vec<(Row, Reason)> = asked.chain(lasting).collect();
        // Of an event that is both, the hit comes first.
        rows.sort_by_key(|(row, _)| row.number);
        rows.dedup_by_key(|(row, _)| row.number);
        let Some(mut recorder) = self.recorder.take() else {
            return;
        };
        for (row, reason) in rows {
            round.event(&row, self.state.clock(), |event| {
                recorder.event(&View::new(event, &self.state, row.seen), reason);
            });
        }
        recorder.pause();
        self.recorder = Some(recorder);
    }
}
