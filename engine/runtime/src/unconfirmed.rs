//! What follows a transaction that was not confirmed (SEMANTICS.md 5).

use crate::{
    batch::Batch,
    engine::{Delayed, Engine, Queued},
    message::Item,
};
use onward_core::ports::{CommitError, Store, StoreError, WriteError};

/// Why a transaction did not end in a confirmed commit.
pub(crate) enum Unconfirmed {
    /// What this node has in memory of definitions, pauses and shapes is not what is stored: it is read again, and everything done again
    /// that was not stored.
    MemoryIsOld,
    /// Another node, of which this one did not know, brought something that comes first: everything is done again after that.
    InboxWaits,
    /// Another node holds what this transaction wants, and may be waiting for what it holds: it gives way, and everything is done again.
    Contended,
    /// A statement failed before the commit, or with it; nothing is stored.
    Failed(StoreError),
    /// The commit failed; nothing is stored.
    NotCommitted(StoreError),
    /// The commit may have worked.
    Unknown(String),
    /// It was decided on what another one was about to store, and that was not confirmed.
    Unfounded,
}

/// What goes wrong between begin and commit.
impl From<StoreError> for Unconfirmed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::GenerationChanged => Self::MemoryIsOld,
            StoreError::InboxWaits => Self::InboxWaits,
            StoreError::Contended => Self::Contended,
            error => Self::Failed(error),
        }
    }
}

/// How a commit ends that was not confirmed.
impl From<CommitError> for Unconfirmed {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Failed(StoreError::Contended) => Self::Contended,
            CommitError::Failed(error) => Self::NotCommitted(error),
            CommitError::Refused(error) => error.into(),
            CommitError::Unknown(reason) => Self::Unknown(reason),
        }
    }
}

/// For `Retry-After` when the store fails.
const RETRY_AFTER_MS: u64 = 1_000;
/// The longest pause before a failing message or store is tried again.
const LONGEST_PAUSE_MS: i64 = 5_000;

impl<S: Store> Engine<S> {
    /// After any end but a confirmed commit: memory is dropped and loaded again before anything else, callers are told,
    /// and what is our own is kept until it works (SEMANTICS.md 5).
    pub(crate) fn recover_from(&mut self, unconfirmed: &Unconfirmed, batch: Batch<S::Tx>, mut items: Vec<Queued<S>>) {
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
            Unconfirmed::Contended => {
                self.meters.commits_contended.increment(1);
                // Each alone locks little, and waits with empty hands for the first of it.
                for queued in &mut items {
                    queued.failures = queued.failures.max(1);
                }
                return self.redo(batch, items);
            }
            Unconfirmed::Unfounded => return self.redo(batch, items),
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

    /// Nothing was stored, because another node was quicker, or holds what is needed, or it was decided too early: the messages are taken in
    /// anew.
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
