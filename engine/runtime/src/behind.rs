//! While a transaction is committed, the next one is decided: the loop and the database work at the same time, and need not take turns.
//!
//! It is decided on what the one before it is about to store. So nothing of it is written, and nobody hears of it, before that one is
//! confirmed; where it is not, everything that was decided behind it is forgotten and decided anew ([`crate::unconfirmed::Unconfirmed::Unfounded`]). What it
//! asks the store waits until the one before has ended, and so sees what that stored. Only transactions that change nothing but runs are
//! followed so, and only while the loop has no other duty: definitions, pauses, shards and the like are changed between transactions.

use crate::{
    Duty,
    commit::{Open, Sent},
    engine::{Engine, Queued, Recovery},
    gather::Room,
};
use onward_core::ports::Store;
use std::{
    future::{Future, poll_fn},
    pin::pin,
};

impl<S: Store> Engine<S> {
    /// Waits until the commit has ended, and decides meanwhile what comes. `None`: nothing came, or it has to wait.
    pub(crate) async fn decide_behind(&mut self, sent: &mut Sent<S>) -> Option<Open<S>> {
        let may = sent.batch.changes_only_runs() && self.has_no_other_duty();
        let Some(tx) = may.then(|| self.shared.store.begin_behind(self.now())).flatten() else {
            sent.ended().await;
            return None;
        };
        let mut open = Open::new(tx, self.shared.clock.ticks());
        let mut room = Room::behind(&self.shared.limits);
        while !sent.has_ended().await {
            self.look_ahead();
            // A large one is better written down while there is time for it than made larger.
            let is_large = open.batch.runs_to_write() >= self.shared.limits.batch_items.div_ceil(2);
            let takes = open.failed.is_none() && !is_large && self.has_no_other_duty();
            let items = if takes { self.gather_into(&mut room) } else { Vec::new() };
            if !items.is_empty() {
                open.failed = Box::pin(alongside(sent, self.add(&mut open, items))).await.err();
            } else if takes && room.is_open() {
                self.wait_behind(sent).await;
            } else {
                if !open.items.is_empty() {
                    // So that nothing is left to be done between the two commits.
                    Box::pin(alongside(sent, self.close(&mut open))).await;
                }
                sent.ended().await;
            }
        }
        (!open.items.is_empty()).then_some(open)
    }

    /// Whether the loop has nothing to look after but messages.
    fn has_no_other_duty(&self) -> bool {
        let now = self.now();
        self.shared.duty == Duty::Server
            && !self.shared.load.is_stopping()
            && self.back_off_until <= now
            && self.held_back.is_none()
            && !self.leases.held().is_empty()
            && self.nodes_leave_us_alone()
            && self.recovery == Recovery::Done
            && !self.pauses.resuming
            && !self.rollouts.unread
            && !self.schedules.are_unread()
            && !self.timers.wants_page(now, self.shared.limits.timer_horizon_ms)
    }

    /// Waits until a message comes, or the commit has ended.
    async fn wait_behind(&mut self, sent: &mut Sent<S>) {
        let item = tokio::select! {
            biased;
            () = sent.ended() => return,
            Some(item) = self.incoming.outcomes.recv() => {
                self.calls.ended();
                item
            }
            Some(item) = self.incoming.normal.recv() => {
                if item.is_alone() {
                    self.held_back = Some(item);
                    return;
                }
                self.shared.load.taken(item.bytes());
                item
            }
        };
        self.own.push_back(Queued { item, failures: 0 });
    }
}

/// Does the work, and lets the commit go on whenever the work has to wait: it may be waiting for that very commit.
async fn alongside<S: Store, T>(sent: &mut Sent<S>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        let done = work.as_mut().poll(context);
        if done.is_pending() {
            sent.poll_end(context);
        }
        done
    })
    .await
}
