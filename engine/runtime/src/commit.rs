//! One transaction: begin, check the leases, everything that is ready, one commit, and only then the consequences.

use crate::{
    Duty,
    batch::{Batch, Published},
    engine::{Delayed, Engine, Queued},
    message::{Answer, Item},
    meters::seconds,
    release::Looking,
};
use onward_core::ports::{Change, CommitError, Notice, NoticeKind, ShardSet, Store, StoreError, Timer, Transaction as _, WriteError};
use std::sync::Arc;

/// Why a transaction did not end in a confirmed commit.
enum Unconfirmed {
    /// What this node has in memory of definitions, pauses and shapes is not what is stored: it is read again, and everything done again
    /// that was not stored.
    MemoryIsOld,
    /// Another node, of which this one did not know, brought something that comes first: everything is done again after that.
    InboxWaits,
    /// A statement failed before the commit, or with it; nothing is stored.
    Failed(StoreError),
    /// The commit failed; nothing is stored.
    NotCommitted(StoreError),
    /// The commit may have worked.
    Unknown(String),
}

/// What goes wrong between begin and commit.
impl From<StoreError> for Unconfirmed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::GenerationChanged => Self::MemoryIsOld,
            StoreError::InboxWaits => Self::InboxWaits,
            error => Self::Failed(error),
        }
    }
}

/// For `Retry-After` when the store fails.
const RETRY_AFTER_MS: u64 = 1_000;
/// The longest pause before a failing message or store is tried again.
const LONGEST_PAUSE_MS: i64 = 5_000;

impl<S: Store> Engine<S> {
    /// Commits the messages in one transaction and answers them.
    pub(crate) async fn commit_together(&mut self, mut items: Vec<Queued<S>>) {
        let began = self.shared.clock.now();
        self.shared.load.batch_began(began);
        self.meters.commit_items.record(items.len() as f64);
        let ticks = self.shared.clock.ticks();
        let mut batch = Batch::new(began);
        let result = self.transact(&mut batch, &mut items).await;
        self.meters.commit_seconds.record(seconds(self.shared.clock.ticks() - ticks));
        match result {
            Ok(answers) => {
                self.shared.load.batch_ended(true);
                self.commit_failures = 0;
                let changes = self.follow_up(batch);
                let mut told = Vec::new();
                for (queued, answer) in items.into_iter().zip(answers) {
                    match answer {
                        Answer::Asked(request) => self.await_reply(request, queued.item),
                        answer if !queued.item.is_own() => told.push((queued.item, answer)),
                        _ => {}
                    }
                }
                self.herald.tell(changes, told);
            }
            Err(unconfirmed) => self.recover_from(&unconfirmed, batch, items),
        }
    }

    async fn transact(&mut self, batch: &mut Batch<S::Tx>, items: &mut [Queued<S>]) -> Result<Vec<Answer>, Unconfirmed> {
        let store = Arc::clone(&self.shared.store);
        let mut tx = store.begin(batch.now).await.map_err(Unconfirmed::NotCommitted)?;
        tx.has_its_turn_at(self.shared.clock.now());
        batch.now = tx.now();
        let answers = match self.fill(&mut tx, batch, items).await {
            Ok(answers) => answers,
            Err(unconfirmed) => {
                store.rollback(tx).await;
                return Err(unconfirmed);
            }
        };
        #[cfg(test)]
        let answers = crate::simulation::plants::acknowledge_early(&self.shared.limits, items, answers);
        match store.commit(tx).await {
            Ok(()) => Ok(answers),
            Err(CommitError::Failed(error)) => Err(Unconfirmed::NotCommitted(error)),
            Err(CommitError::Refused(error)) => Err(error.into()),
            Err(CommitError::Unknown(reason)) => Err(Unconfirmed::Unknown(reason)),
        }
    }

    /// Everything between begin and commit.
    async fn fill(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, items: &mut [Queued<S>]) -> Result<Vec<Answer>, Unconfirmed> {
        let store = Arc::clone(&self.shared.store);
        if !self.skips_lease_check() {
            store.check_leases(tx, self.leases.held()).await?;
        }
        let addressed = Self::addressed(batch, items);
        self.load(tx, batch, &addressed).await?;
        if self.is_in_company() && items.iter().any(|queued| self.comes_after_the_inbox(&queued.item)) {
            // What others brought before comes first: starts of one key keep the order of intake.
            let applies_rows = self.inbox_waits || items.iter().any(|queued| matches!(queued.item, Item::Inbox));
            if self.sharing.seems_alone && !applies_rows {
                // Nobody is known who could have brought anything: that is checked, not read.
                store.expect_empty_inbox(tx, self.leases.held()).await?;
            } else {
                self.empty_the_inbox(tx, batch).await?;
            }
        }
        let mut answers = Vec::with_capacity(items.len());
        for (index, queued) in items.iter_mut().enumerate() {
            answers.push(self.handle(tx, batch, index, &mut queued.item).await?);
        }
        self.settle(tx, batch).await?;
        self.complete_answers(tx, batch, items, &mut answers).await?;
        self.tell_requests(tx, batch).await?;
        if !batch.notes.is_empty() {
            store.note_routing(tx, &batch.notes).await?;
        }
        for ((organisation, workflow), rollout) in &batch.rollouts {
            match rollout {
                Some(state) => store.set_rollout(tx, state).await?,
                None => store.remove_rollout(tx, *organisation, workflow).await?,
            }
        }
        if !batch.shapes_added.is_empty() {
            store.add_wait_shapes(tx, &batch.shapes_added).await?;
        }
        let (checkpoints, outlived) = (self.checkpoints(batch), self.outlived_checkpoints(batch));
        let runs = &self.runs;
        let (writes, timers) = batch.run_writes(|run_id| runs.get(run_id));
        batch.timer_changes = timers;
        if !writes.is_empty() {
            store.write_runs(tx, &writes).await?;
        }
        if !checkpoints.is_empty() {
            store.keep_checkpoints(tx, &checkpoints).await?;
        }
        for (organisation, runs) in &outlived {
            store.drop_checkpoints(tx, *organisation, runs).await?;
        }
        for (run_id, (organisation, reason)) in &batch.quarantined {
            store.quarantine_run(tx, *organisation, *run_id, reason).await?;
        }
        self.tell_other_nodes(tx, batch).await?;
        if self.is_in_company() {
            match batch.generation {
                None => store.check_generation(tx, self.generation).await?,
                Some(raised) if raised == self.generation + 1 => {}
                Some(_) => return Err(Unconfirmed::MemoryIsOld),
            }
        }
        Ok(answers)
    }

    /// What other nodes must hear of with this commit.
    async fn tell_other_nodes(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>) -> Result<(), StoreError> {
        if !self.is_in_company() {
            return Ok(());
        }
        let store = Arc::clone(&self.shared.store);
        let mut notices = Vec::new();
        let ended_trial = batch.rollouts.values().any(Option::is_none);
        let changes_memory = ended_trial || !(batch.settings_changed.is_empty() && batch.published.is_empty() && batch.pause_changes.is_empty());
        if batch.generation.is_none() && changes_memory {
            batch.generation = Some(store.raise_generation(tx).await?);
        }
        if batch.generation.is_some() {
            notices.push(Notice { kind: NoticeKind::Definitions, shards: ShardSet::ALL });
        }
        if !batch.woken.is_empty() {
            notices.push(Notice { kind: NoticeKind::Inbox, shards: batch.woken });
        }
        if batch.replies_given > 0 {
            notices.push(Notice { kind: NoticeKind::Replies, shards: ShardSet::EMPTY });
        }
        if notices.is_empty() { Ok(()) } else { store.notify(tx, &notices).await }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "a planted mistake in tests looks at the configuration")]
    fn comes_after_the_inbox(&self, item: &Item<S::Tx>) -> bool {
        item.comes_after_the_inbox()
    }
    #[cfg(test)]
    fn comes_after_the_inbox(&self, item: &Item<S::Tx>) -> bool {
        let overtakes = self.shared.limits.planted(crate::config::Plant::TimeOutBeforeInbox) && matches!(item, Item::Due { .. });
        item.comes_after_the_inbox() && !overtakes
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "a planted mistake in tests looks at the configuration")]
    fn skips_lease_check(&self) -> bool {
        false
    }
    #[cfg(test)]
    fn skips_lease_check(&self) -> bool {
        self.shared.limits.planted(crate::config::Plant::EpochUnchecked)
    }

    /// What follows a confirmed commit. Gives back what is to be announced.
    fn follow_up(&mut self, mut batch: Batch<S::Tx>) -> Vec<Change> {
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
        let changes = self.announcements(&mut batch);
        self.ahead.committed(&batch.touched);
        for run_id in batch.quarantined.keys() {
            self.runs.evict(*run_id);
        }
        let keep = self.shared.limits.resting_runs;
        for run_id in &batch.touched {
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
        changes
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

    /// After any end but a confirmed commit: memory is dropped and loaded again before anything else, callers are told,
    /// and what is our own is kept until it works (SEMANTICS.md 5).
    fn recover_from(&mut self, unconfirmed: &Unconfirmed, batch: Batch<S::Tx>, items: Vec<Queued<S>>) {
        let now = self.shared.clock.now();
        // What was planned to be asked about may have been made before this process: that stays so.
        self.calls.note_unstarted(batch.calls.iter().filter(|call| !call.reconcile).map(|call| call.key.clone()));
        self.unlearn_shapes(&batch.shapes_added);
        let (error, refusal) = match unconfirmed {
            Unconfirmed::Failed(error) | Unconfirmed::NotCommitted(error) => (error.to_string(), WriteError::Unavailable { retry_after_ms: RETRY_AFTER_MS }),
            Unconfirmed::Unknown(reason) => (reason.clone(), WriteError::OutcomeUnknown),
            Unconfirmed::MemoryIsOld => {
                self.rollouts.unread = true;
                return self.redo(batch, items);
            }
            Unconfirmed::InboxWaits => {
                self.sharing.seems_alone = false;
                self.look_into_the_inbox();
                return self.redo(batch, items);
            }
        };
        let changes_memory = !(batch.rollouts.is_empty() && batch.published.is_empty() && batch.pause_changes.is_empty() && batch.settings_changed.is_empty());
        if matches!(unconfirmed, Unconfirmed::Unknown(_)) && changes_memory {
            // What takes starts, and what is paused, may be otherwise now.
            self.rollouts.unread = true;
            self.generation = -1;
        }
        self.held_counts.clear();
        self.drop_touched(&batch);
        self.ahead.forget();
        self.meters.commits_unconfirmed.increment(1);
        tracing::error!(error, items = items.len(), "a transaction was not confirmed; its runs are loaded again");
        // A database that cannot be reached says nothing about the statement.
        let statement_failed = matches!(&unconfirmed, Unconfirmed::Failed(error) if !matches!(error, StoreError::Unavailable(_)));
        let lease_lost = matches!(unconfirmed, Unconfirmed::Failed(StoreError::LeaseLost { .. }) | Unconfirmed::NotCommitted(StoreError::LeaseLost { .. }));
        // One message may be the cause of a failed statement: each is tried again alone before anyone is told.
        let apart = statement_failed && !lease_lost && items.len() > 1;
        self.shared.load.batch_ended(statement_failed);
        if !statement_failed {
            self.commit_failures = self.commit_failures.saturating_add(1);
            self.back_off_until = now.plus_millis(pause_ms(self.commit_failures));
        }
        let mut again = Vec::new();
        for queued in items {
            if apart {
                again.push(Queued { item: queued.item, failures: queued.failures.max(1) });
            } else if queued.item.is_own() {
                let failures = queued.failures.saturating_add(1);
                self.delayed.push(Delayed { due: now.plus_millis(pause_ms(failures)), failures: u32::from(statement_failed) * failures, item: queued.item });
            } else if statement_failed && !lease_lost {
                queued.item.refuse(WriteError::Database(error.clone()));
            } else {
                queued.item.refuse(refusal.clone());
            }
        }
        for queued in again.into_iter().rev() {
            self.own.push_front(queued);
        }
        if !batch.touched.is_empty() {
            let runs = batch.touched.into_iter().collect();
            self.own.push_front(Queued { item: Item::TakeUp { runs }, failures: 0 });
        }
        if !statement_failed && self.own.is_empty() && self.delayed.is_empty() {
            // Something of our own must find out when commits work again: until then, nothing is taken in.
            self.own.push_back(Queued { item: Item::Inbox, failures: 0 });
        }
        if lease_lost && self.is_in_company() {
            // The next beat says what is left.
            self.sharing.beat_now = true;
        } else if lease_lost {
            self.lose_everything();
        }
    }

    /// Nothing was stored, because another node was quicker: the messages are taken in anew.
    fn redo(&mut self, batch: Batch<S::Tx>, items: Vec<Queued<S>>) {
        self.held_counts.clear();
        self.drop_touched(&batch);
        for queued in items.into_iter().rev() {
            self.own.push_front(queued);
        }
        if !batch.touched.is_empty() {
            let runs = batch.touched.into_iter().collect();
            self.own.push_front(Queued { item: Item::TakeUp { runs }, failures: 0 });
        }
        self.shared.load.batch_ended(true);
    }

    #[cfg(not(test))]
    fn drop_touched(&mut self, batch: &Batch<S::Tx>) {
        for run_id in &batch.touched {
            self.runs.evict(*run_id);
        }
    }
    #[cfg(test)]
    fn drop_touched(&mut self, batch: &Batch<S::Tx>) {
        if self.shared.limits.planted(crate::config::Plant::MemoryKept) {
            return;
        }
        for run_id in &batch.touched {
            self.runs.evict(*run_id);
        }
    }
}

/// Longer with each failure, up to a bound.
fn pause_ms(failures: u32) -> i64 {
    (50_i64 << failures.min(7)).min(LONGEST_PAUSE_MS)
}
