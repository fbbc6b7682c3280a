//! One transaction: begin, everything that is ready, check the leases, one commit, and only then the consequences.

use crate::{
    batch::Batch,
    engine::{Engine, Queued},
    message::{Answer, Item},
    meters::seconds,
    unconfirmed::Unconfirmed,
};
use onward_core::ports::{BoxFuture, CommitError, Notice, NoticeKind, ShardSet, Store, StoreError, Transaction as _};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// A transaction that is being decided.
pub(crate) struct Open<S: Store> {
    pub(crate) tx: S::Tx,
    pub(crate) batch: Batch<S::Tx>,
    pub(crate) items: Vec<Queued<S>>,
    answers: Vec<Answer>,
    /// Nobody is known who could have brought anything: that is checked, not read.
    expects_empty_inbox: bool,
    /// What went wrong before it was its turn to be committed.
    pub(crate) failed: Option<Unconfirmed>,
    /// It takes nothing more in: what was decided is written down for the commit.
    is_closed: bool,
    /// When its turn was.
    ticks: i64,
}

impl<S: Store> Open<S> {
    pub(crate) fn new(tx: S::Tx, ticks: i64) -> Self {
        let batch = Batch::new(tx.now());
        Self { tx, batch, items: Vec::new(), answers: Vec::new(), expects_empty_inbox: false, failed: None, is_closed: false, ticks }
    }
}

/// One whose commit is under way, or has ended.
pub(crate) struct Sent<S: Store> {
    commit: BoxFuture<'static, Result<(), CommitError>>,
    end: Option<Result<(), CommitError>>,
    pub(crate) batch: Batch<S::Tx>,
    items: Vec<Queued<S>>,
    answers: Vec<Answer>,
    ticks: i64,
}

impl<S: Store> Sent<S> {
    /// Lets the commit go on; whether it has ended.
    pub(crate) fn poll_end(&mut self, context: &mut Context<'_>) -> bool {
        if self.end.is_none()
            && let Poll::Ready(end) = Pin::new(&mut self.commit).poll(context)
        {
            self.end = Some(end);
        }
        self.end.is_some()
    }
    /// Lets it go as far as it can now; whether it has ended.
    pub(crate) async fn has_ended(&mut self) -> bool {
        std::future::poll_fn(|context| Poll::Ready(self.poll_end(context))).await
    }
    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) {
        std::future::poll_fn(|context| if self.poll_end(context) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

impl<S: Store> Engine<S> {
    /// Commits the messages in one transaction and answers them; what comes meanwhile goes into the transactions behind it, as long as the
    /// loop has nothing else to do.
    pub(crate) async fn commit_together(&mut self, items: Vec<Queued<S>>) {
        let Some(open) = self.begin(items).await else { return };
        let mut next = match self.send(open).await {
            Ok(sent) => Some(sent),
            Err((open, unconfirmed)) => return self.undo(*open, &unconfirmed).await,
        };
        while let Some(mut sent) = next {
            let behind = self.decide_behind(&mut sent).await;
            next = self.end(sent, behind).await;
        }
    }

    async fn begin(&mut self, items: Vec<Queued<S>>) -> Option<Open<S>> {
        let (now, ticks) = (self.shared.clock.now(), self.shared.clock.ticks());
        self.shared.load.batch_began(now);
        let store = Arc::clone(&self.shared.store);
        match store.begin(now).await {
            Ok(tx) => {
                let mut open = Open::new(tx, ticks);
                open.failed = self.add(&mut open, items).await.err();
                Some(open)
            }
            Err(error) => {
                self.recover_from(&Unconfirmed::NotCommitted(error), Batch::new(now), items);
                None
            }
        }
    }

    /// Does what the messages ask for, up to what is to be written of it. None may be closed.
    pub(crate) async fn add(&mut self, open: &mut Open<S>, items: Vec<Queued<S>>) -> Result<(), Unconfirmed> {
        let Open { tx, batch, items: all, answers, expects_empty_inbox, .. } = open;
        tx.has_its_turn_at(self.shared.clock.now());
        batch.now = tx.now();
        let first = all.len();
        all.extend(items);
        let addressed = Self::addressed(batch, &all[first..]);
        self.load(tx, batch, &addressed).await?;
        if self.is_in_company() && all[first..].iter().any(|queued| self.comes_after_the_inbox(&queued.item)) {
            // What others brought before comes first: starts of one key keep the order of intake.
            let applies_rows = self.inbox_waits || all[first..].iter().any(|queued| matches!(queued.item, Item::Inbox));
            if self.sharing.seems_alone && !applies_rows {
                *expects_empty_inbox = true;
            } else {
                self.empty_the_inbox(tx, batch).await?;
            }
        }
        for (index, queued) in all.iter_mut().enumerate().skip(first) {
            answers.push(self.handle(tx, batch, index, &mut queued.item).await?);
        }
        Ok(self.settle(tx, batch).await?)
    }

    /// Writes what was decided and sends the commit.
    async fn send(&mut self, mut open: Open<S>) -> Result<Sent<S>, (Box<Open<S>>, Unconfirmed)> {
        self.shared.load.batch_began(self.shared.clock.now());
        self.meters.commit_items.record(open.items.len() as f64);
        self.close(&mut open).await;
        if let Some(failed) = open.failed.take() {
            self.meters.commit_seconds.record(seconds(self.shared.clock.ticks() - open.ticks));
            return Err((Box::new(open), failed));
        }
        let Open { tx, batch, items, answers, ticks, .. } = open;
        #[cfg(test)]
        let (mut items, answers) = (items, answers);
        #[cfg(test)]
        let answers = crate::simulation::plants::acknowledge_early(&self.shared.limits, &mut items, answers);
        let store = Arc::clone(&self.shared.store);
        let commit = Box::pin(async move { store.commit(tx).await });
        let mut sent = Sent { commit, end: None, batch, items, answers, ticks };
        // Its first statement is on its way before anything else is done.
        sent.has_ended().await;
        Ok(sent)
    }

    /// Does what follows from the end of a commit. Before that it sends the one behind it, when that may go on, so that the database has
    /// something to do meanwhile; gives that back.
    async fn end(&mut self, mut sent: Sent<S>, behind: Option<Open<S>>) -> Option<Sent<S>> {
        sent.ended().await;
        let Sent { end, batch, items, answers, ticks, .. } = sent;
        let now_ticks = self.shared.clock.ticks();
        self.meters.commit_seconds.record(seconds(now_ticks - ticks));
        if let Some(Err(error)) = end {
            #[cfg(test)]
            let behind = if self.shared.limits.planted(crate::config::Plant::UnfoundedKept) { self.built_on_sand(behind).await } else { behind };
            if let Some(behind) = behind {
                // Before those of this one, which come to stand before them.
                self.undo(behind, &Unconfirmed::Unfounded).await;
            }
            self.recover_from(&error.into(), batch, items);
            return None;
        }
        self.shared.load.batch_ended(true);
        self.commit_failures = 0;
        let next = match behind {
            Some(open) => Some(self.send(Open { ticks: now_ticks, ..open }).await),
            None => None,
        };
        let further = match &next {
            Some(Ok(sent)) => Some(&sent.batch.touched),
            Some(Err((open, _))) => Some(&open.batch.touched),
            None => None,
        };
        let changes = self.follow_up(batch, further);
        let mut told = Vec::new();
        for (queued, answer) in items.into_iter().zip(answers) {
            match answer {
                Answer::Asked(request) => self.await_reply(request, queued.item),
                answer if !queued.item.is_own() => told.push((queued.item, answer)),
                _ => {}
            }
        }
        self.herald.tell(changes, told);
        match next? {
            Ok(sent) => {
                self.start_calls();
                Some(sent)
            }
            Err((open, unconfirmed)) => {
                self.undo(*open, &unconfirmed).await;
                None
            }
        }
    }

    /// A planted mistake: what was decided behind a commit is written although that one failed.
    #[cfg(test)]
    async fn built_on_sand(&mut self, behind: Option<Open<S>>) -> Option<Open<S>> {
        match self.send(behind?).await {
            Ok(sent) => Box::pin(self.end(sent, None)).await.and(None),
            Err((open, _)) => Some(*open),
        }
    }

    async fn undo(&mut self, open: Open<S>, unconfirmed: &Unconfirmed) {
        let store = Arc::clone(&self.shared.store);
        store.rollback(open.tx).await;
        self.recover_from(unconfirmed, open.batch, open.items);
    }

    /// Writes what was decided, up to the commit, unless something went wrong before; once.
    pub(crate) async fn close(&mut self, open: &mut Open<S>) {
        if open.failed.is_none() && !std::mem::replace(&mut open.is_closed, true) {
            open.failed = self.write_down(open).await.err();
        }
    }

    async fn write_down(&mut self, open: &mut Open<S>) -> Result<(), Unconfirmed> {
        let Open { tx, batch, items, answers, expects_empty_inbox, .. } = open;
        let store = Arc::clone(&self.shared.store);
        if !self.skips_lease_check() {
            store.check_leases(tx, self.leases.held()).await?;
        }
        if *expects_empty_inbox {
            store.expect_empty_inbox(tx, self.leases.held()).await?;
        }
        self.complete_answers(tx, batch, items, answers).await?;
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
        batch.announced = self.announcements(batch);
        Ok(())
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
}
