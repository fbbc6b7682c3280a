//! What follows a confirmed commit: memory comes to say what is stored, and what waits for that is set going.

use crate::{
    Duty,
    batch::{Batch, Published},
    engine::{Engine, Queued},
    message::Item,
    release::Looking,
};
use onward_core::{
    RunId,
    ports::{Change, Store, Timer},
};
use std::collections::BTreeSet;

impl<S: Store> Engine<S> {
    /// What follows a confirmed commit. Gives back what is to be announced. Runs that are decided further already, in a transaction behind
    /// it, are left to that one.
    pub(crate) fn follow_up(&mut self, mut batch: Batch<S::Tx>, further: Option<&BTreeSet<RunId>>) -> Vec<Change> {
        for organisation in &batch.settings_changed {
            self.zones.remove(organisation);
        }
        if let Some(generation) = batch.generation {
            // Where another one lies between, something else changed, too.
            self.rollouts.unread |= generation != self.generation + 1;
            if generation == self.generation + 1 {
                self.generation = generation;
            }
        }
        if batch.replies_given > 0 {
            // Whoever asked may be ourselves, before the shard was ours.
            self.look_for_replies();
        }
        for (request, answer) in std::mem::take(&mut batch.replied) {
            if let Some(asked) = self.asked.remove(&request) {
                asked.item.answer(answer);
            }
        }
        for (organisation, run_id, shard, key, due) in batch.timer_changes.iter().cloned() {
            match due {
                Some(due) => self.timers.set(Timer { run_id, organisation, shard, key, due }),
                None => self.timers.clear(run_id, &key),
            }
        }
        for timer in &batch.timers_due {
            self.set_again(timer, batch.now);
        }
        self.rollouts.apply(std::mem::take(&mut batch.rollouts));
        for Published { organisation, workflow, standing } in std::mem::take(&mut batch.published) {
            let was_paused = self.shared.definitions.snapshot().current(organisation, &workflow).is_some_and(|before| before.paused);
            let takes_starts = standing.as_ref().is_some_and(|standing| !standing.current.paused);
            self.shared.definitions.set_standing(organisation, &workflow, standing);
            if takes_starts {
                if was_paused {
                    self.schedules.resumed(organisation, &workflow, batch.now);
                }
                // What was held while the workflow was paused, had no version, or narrower limits, may go now.
                let looking = Looking { of: Some((organisation, Some(workflow))), after: None };
                self.own.push_back(Queued { item: Item::LookAtQueues { looking }, failures: 0 });
            }
        }
        for (pause, on) in std::mem::take(&mut batch.pause_changes) {
            self.pause_changed(pause, on);
        }
        if batch.resume_runs {
            self.resume_runs();
        }
        if batch.resumed_page {
            if let Some(after) = batch.resumed_until {
                self.own.push_front(Queued { item: Item::ResumeRuns { after: Some(after) }, failures: 0 });
            }
            self.pauses.resuming = self.own.iter().any(|queued| matches!(queued.item, Item::ResumeRuns { .. }));
        }
        self.held_counts.apply(batch.held_changes());
        for ((organisation, workflow), rows) in &batch.schedules {
            let ours: Vec<_> = rows.iter().filter(|row| self.leases.own(row.shard)).cloned().collect();
            self.schedules.replace(*organisation, workflow, &ours);
        }
        for key in &batch.settled {
            self.calls.settle(key);
        }
        self.ahead.committed(&batch.touched);
        for run_id in batch.quarantined.keys() {
            self.runs.evict(*run_id);
        }
        let keep = self.shared.limits.resting_runs;
        // They stay in memory: what could be read of them meanwhile is older than what is decided.
        for run_id in batch.touched.iter().filter(|run_id| further.is_none_or(|further| !further.contains(run_id))) {
            self.runs.settle(*run_id, keep);
        }
        for call in batch.calls {
            self.calls.enqueue(call);
        }
        for (run_id, step) in batch.abandoned {
            if let Some(key) = self.calls.abandon(run_id, &step) {
                let error = onward_core::StepError::new(onward_core::ErrorCode::Cancelled, "the run ended before the call was made");
                let outcome = onward_core::ports::Outcome::Failed { error };
                self.own.push_back(Queued { item: Item::Outcome { key, outcome }, failures: 0 });
            }
        }
        if !batch.take_up.is_empty() {
            self.own.push_back(Queued { item: Item::TakeUp { runs: batch.take_up }, failures: 0 });
        }
        for (organisation, queue) in batch.ready {
            self.ready.add(organisation, queue);
        }
        for (organisation, weight) in batch.spent {
            self.ready.charge(organisation, weight);
        }
        for (organisation, queue, at) in batch.alarms {
            self.ready.add_at(organisation, queue, at);
        }
        for end in batch.burst_ends {
            self.next_burst_end = Some(self.next_burst_end.map_or(end, |next| next.min(end)));
        }
        for looking in batch.look_further {
            self.own.push_back(Queued { item: Item::LookAtQueues { looking }, failures: 0 });
        }
        if batch.more_inbox && self.shared.duty == Duty::Server && !self.own.iter().any(|queued| matches!(queued.item, Item::Inbox)) {
            self.own.push_back(Queued { item: Item::Inbox, failures: 0 });
        }
        self.meters.quarantined.increment(batch.quarantined.len() as u64);
        self.meters.count(batch.tally);
        if let Some(traced) = batch.traced {
            let now = self.shared.clock.now();
            for traced in traced {
                traced.tell(now);
            }
        }
        self.to_be_announced(batch.announced)
    }

    /// A timer that was handed to its run too early, because the clock went back, is set again.
    fn set_again(&mut self, timer: &Timer, now: onward_core::Timestamp) {
        // A paused run sets its timers again when it goes on.
        let Some(live) = self.runs.get(timer.run_id).filter(|live| live.state.paused.is_none()) else { return };
        let due = live.state.timers().into_iter().find_map(|(key, due)| (key == timer.key).then_some(due));
        match due {
            Some(due) if due > now => self.timers.set(Timer { due, ..timer.clone() }),
            Some(due) => tracing::error!(run = %timer.run_id, timer = timer.key, %due, "a run takes no notice of its timer; report this as a bug"),
            None => {}
        }
    }
}
