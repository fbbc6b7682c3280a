//! Sharing the store with other nodes: beats, shards that come and go, wake-ups (SEMANTICS.md 1, 4, 9).

use crate::{
    Duty,
    engine::{Engine, Queued, Recovery},
    message::Item,
    release::Looking,
};
use onward_core::{
    OrganisationId, RunId, Shard, Timestamp,
    ports::{Beat, Lease, Notice, NoticeKind, Notices, ShardSet, Standing, Store, Take, WriteError},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The pause before a store that does not answer is asked again.
const RETRY_MS: i64 = 500;
/// A shard that nobody served for no longer than this changed hands; there was no outage, so none of its due times was missed.
const HAND_OVER_MS: i64 = 10_000;

/// What other nodes rang for and the loop has not looked at.
#[derive(Debug, Default)]
pub(crate) struct Rung(Mutex<Option<Wanted>>);

/// What to look at.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    inbox: ShardSet,
    leases: bool,
    definitions: bool,
    replies: bool,
}

impl Rung {
    fn add(&self, notice: Notice) {
        let mut wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = wanted.get_or_insert_default();
        match notice.kind {
            NoticeKind::Inbox => wanted.inbox = wanted.inbox.union(notice.shards),
            NoticeKind::Leases => wanted.leases = true,
            NoticeKind::Definitions => wanted.definitions = true,
            NoticeKind::Replies => wanted.replies = true,
        }
    }
    fn is_silent(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
    fn take(&self) -> Option<Wanted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// How the store is shared, as far as this node is concerned.
#[derive(Debug)]
pub(crate) struct Sharing {
    /// Shards that are to be given to other nodes, and when at the latest.
    pub(crate) leaving: ShardSet,
    pub(crate) leave_at: Option<Timestamp>,
    /// How many shards are our fair share.
    share: usize,
    /// When the lease of another node runs out, by our own clock; and until when that was looked at.
    next_expiry: Option<Timestamp>,
    looked_at_expiry: Timestamp,
    /// The last beat knew of no other node that lives. One may have come since.
    pub(crate) seems_alone: bool,
    /// Something changed among the nodes.
    pub(crate) beat_now: bool,
    beats: u32,
}

impl Sharing {
    pub(crate) fn new() -> Self {
        Self {
            leaving: ShardSet::EMPTY,
            leave_at: None,
            share: usize::from(Shard::COUNT),
            next_expiry: None,
            looked_at_expiry: Timestamp::MIN,
            seems_alone: false,
            beat_now: false,
            beats: 0,
        }
    }
}

impl<S: Store> Engine<S> {
    /// Whether other nodes may be at work on the store.
    pub(crate) fn is_in_company(&self) -> bool {
        !self.shared.take_all
    }

    /// Listens to other nodes, beside the loop.
    pub(crate) fn listen(&self) {
        if !self.is_in_company() {
            return;
        }
        let mut notices: Box<dyn Notices> = self.shared.store.listen();
        let shared = Arc::clone(&self.shared);
        let mut phase = shared.phase.subscribe();
        self.shared.executor.spawn(Box::pin(async move {
            loop {
                let stopped = phase.wait_for(|phase| *phase == crate::engine::Phase::Stopped);
                let notice = tokio::select! { biased; _ = stopped => return, notice = notices.next() => notice };
                shared.rung.add(notice);
                shared.nudge.notify_one();
            }
        }));
    }

    /// Looks at what other nodes rang for.
    pub(crate) fn answer_the_bell(&mut self) {
        let Some(wanted) = self.shared.rung.take() else { return };
        if wanted.inbox.meets(&self.leases.shards()) {
            self.look_into_the_inbox();
        }
        self.sharing.beat_now |= wanted.leases;
        self.rollouts.unread |= wanted.definitions;
        if wanted.replies {
            self.look_for_replies();
        }
    }

    pub(crate) fn look_into_the_inbox(&mut self) {
        self.inbox_waits = true;
        if self.shared.duty == Duty::Server && !self.own.iter().any(|queued| matches!(queued.item, Item::Inbox)) {
            self.own.push_back(Queued { item: Item::Inbox, failures: 0 });
        }
    }

    /// When the next beat is due, by the node's own clock.
    pub(crate) fn next_beat(&self) -> Timestamp {
        let expiry = self.sharing.next_expiry.map_or(Timestamp::from_millis(i64::MAX), |expiry| expiry.max(self.sharing.looked_at_expiry));
        self.leases.renew_at().min(expiry).max(self.beat_again_at)
    }

    /// Whether nobody rang, no beat is due and no shard is to be given back.
    pub(crate) fn nodes_leave_us_alone(&self) -> bool {
        let due = self.next_beat() <= self.shared.time.own() || self.sharing.beat_now;
        self.shared.rung.is_silent() && !due && self.sharing.leaving.is_empty() && (!self.is_in_company() || self.sharing.seems_alone && !self.inbox_waits)
    }

    /// Takes shards when there are none, prolongs them in good time otherwise, gives some back when there are more nodes.
    pub(crate) async fn maintain_leases(&mut self) {
        let sent_at = self.shared.time.own();
        self.choose_leavers();
        let give = self.leavers_at_rest();
        let alone = !self.is_in_company();
        let due = if alone && self.leases.held().is_empty() { self.back_off_until <= self.now() } else { self.next_beat() <= sent_at };
        let rung = self.sharing.beat_now && sent_at >= self.beat_again_at;
        if !(due || rung) && give.is_empty() {
            return;
        }
        self.sharing.beat_now = false;
        let take = match (self.shared.role.owns_shards() && !self.shared.load.is_stopping(), alone && !self.leases.were_lost()) {
            (true, true) if self.leases.held().is_empty() => Take::Everything,
            (true, _) => Take::Share,
            // What a stopping engine has left it keeps until that is at rest.
            (false, _) => Take::Nothing,
        };
        let store = Arc::clone(&self.shared.store);
        // Before anything else may be done for them: from the beat on they are another's.
        let given: ShardSet = give.iter().copied().collect();
        self.drop_shards(&given);
        let beat = Beat {
            node: self.shared.node_id,
            role: self.shared.role,
            about: &self.shared.about,
            processes: &*self.shared.processes,
            now: self.now(),
            ttl_ms: self.leases.ttl_ms(),
            give: &give,
            take,
        };
        match store.beat(&beat).await {
            Ok(standing) => {
                if !alone {
                    self.set_time(sent_at, standing.now).await;
                }
                let gained = self.stand(standing, sent_at, &given);
                if gained {
                    // Whoever had them before can give out none any more. What the store cannot tell is possible.
                    self.permits_are_out = store.permits_are_out().await.unwrap_or(true);
                }
                if !given.is_empty() {
                    tracing::info!(shards = given.len(), "shards given to other nodes");
                    self.ring(NoticeKind::Leases, given).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the leases could not be prolonged");
                self.beat_again_at = sent_at.plus_millis(RETRY_MS.min(self.leases.ttl_ms() / 6));
                if self.leases.held().is_empty() {
                    self.back_off_until = self.now().plus_millis(RETRY_MS);
                }
            }
        }
    }

    /// Looks at the database's clock alone: a beat takes milliseconds, by which nobody's timers should be late. Where it is not told, what
    /// it showed amid the beat is good enough.
    async fn set_time(&mut self, beat_sent_at: Timestamp, amid_the_beat: Timestamp) {
        let store = Arc::clone(&self.shared.store);
        let asked_at = self.shared.time.own();
        match store.clock(self.now()).await {
            Ok(Some(shown)) => return self.shared.time.follow(asked_at, shown),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the database's clock cannot be read; engine time is estimated from the beat"),
        }
        self.shared.time.estimate(beat_sent_at, asked_at, amid_the_beat);
    }

    /// Takes in what a beat said; whether shards are ours now that were not.
    fn stand(&mut self, standing: Standing, sent_at: Timestamp, given: &ShardSet) -> bool {
        let before = self.leases.held().to_vec();
        let alone = !self.is_in_company();
        let is_new = |lease: &&Lease| !before.contains(lease);
        let gained: Vec<Lease> = standing.leases.iter().filter(is_new).copied().collect();
        let still: BTreeSet<Lease> = standing.leases.iter().copied().collect();
        let lost: ShardSet = before.iter().filter(|lease| !still.contains(lease) && !given.contains(lease.shard)).map(|lease| lease.shard).collect();
        let first = !self.leases.have_begun();
        self.sharing.share = standing.share;
        self.sharing.seems_alone = !standing.company;
        self.shared.watchers.set_company(standing.company);
        let own_now = |database: Timestamp| sent_at.plus_millis(database.millis_since(standing.now));
        self.sharing.next_expiry = standing.next_expiry.map(own_now).filter(|_| self.shared.role.owns_shards());
        // One that is past and was not taken is looked at again with the next beat, or shortly.
        self.sharing.looked_at_expiry = sent_at.plus_millis(RETRY_MS.min(self.leases.ttl_ms() / 6));
        if !lost.is_empty() {
            tracing::error!(shards = lost.len(), "shards were taken by another node; what is theirs is dropped");
            if alone {
                self.lose_everything();
                return false;
            }
            self.meters.leases_lost.increment(1);
            self.leases.some_were_lost();
            self.drop_shards(&lost);
        }
        self.leases.granted(standing.leases, sent_at);
        self.tell_leases();
        if !gained.is_empty() {
            tracing::info!(shards = gained.len(), "shards taken");
            self.shared.load.batch_ended(true);
            if self.shared.duty == Duty::Server {
                for lease in &gained {
                    let since = standing.unserved_since.get(&lease.shard).copied().unwrap_or(Timestamp::MIN);
                    let handed_over = !alone && standing.now.millis_since(since) <= HAND_OVER_MS;
                    self.schedules.gained(lease.shard, if handed_over { since.plus_millis(-HAND_OVER_MS) } else { standing.now });
                }
                self.take_up_shards(&gained);
            }
        } else if alone && self.leases.held().is_empty() {
            self.back_off_until = self.now().plus_millis(RETRY_MS);
            self.refuse_all();
        }
        if !alone {
            if first {
                self.rollouts.unread = true;
            }
            // The safety net under the notices.
            self.look_into_the_inbox();
            self.look_for_replies();
            self.held_counts.clear();
            self.rollouts.unread |= self.look_at_generation();
        }
        !gained.is_empty()
    }

    /// Now and then the generation is looked at without a notice.
    fn look_at_generation(&mut self) -> bool {
        self.sharing.beats = self.sharing.beats.wrapping_add(1);
        self.sharing.beats.is_multiple_of(4)
    }

    /// What must be read of shards that are ours now.
    fn take_up_shards(&mut self, gained: &[Lease]) {
        self.recovering.retain(|lease| self.leases.held().contains(lease));
        self.recovering.extend(gained);
        self.recovery = Recovery::Begins;
        self.timers.reset();
        self.inbox_waits = true;
        self.own.push_back(Queued { item: Item::Inbox, failures: 0 });
        self.own.push_back(Queued { item: Item::LookAtQueues { looking: Looking::default() }, failures: 0 });
        self.next_burst_end = Some(self.now());
        self.resume_runs();
        // What is not known is possible.
        self.starts_are_held = true;
        self.permits_are_out = true;
    }

    /// Which shards are to be given back: what is beyond our share, and all when the engine stops.
    fn choose_leavers(&mut self) {
        if !self.is_in_company() || self.leases.held().is_empty() {
            return;
        }
        let now = self.shared.time.own();
        let keep = if self.shared.load.is_stopping() { 0 } else { self.sharing.share.max(1) };
        let held = self.leases.held();
        let staying = held.iter().filter(|lease| !self.sharing.leaving.contains(lease.shard)).count();
        if staying > keep {
            // The last ones: those that were there first stay together.
            let more: ShardSet =
                held.iter().rev().map(|lease| lease.shard).filter(|shard| !self.sharing.leaving.contains(*shard)).take(staying - keep).collect();
            self.sharing.leaving = self.sharing.leaving.union(more);
            self.sharing.leave_at = Some(now.plus_millis(self.shared.limits.shutdown_ms));
        } else if staying < keep && !self.sharing.leaving.is_empty() {
            // Somebody left before they did.
            let back: Vec<_> = self.sharing.leaving.iter().take(keep - staying).collect();
            for shard in back {
                self.sharing.leaving.remove(shard);
            }
        }
    }

    /// Of those, the ones without a call in flight; after a while all.
    fn leavers_at_rest(&self) -> Vec<Shard> {
        if self.sharing.leaving.is_empty() {
            return Vec::new();
        }
        let late = self.sharing.leave_at.is_some_and(|at| at <= self.shared.time.own());
        let busy: ShardSet = if late { ShardSet::EMPTY } else { self.calls.runs().filter_map(|run_id| self.runs.get(run_id)).map(|live| live.shard).collect() };
        self.sharing.leaving.iter().filter(|shard| self.leases.own(*shard) && !busy.contains(*shard)).collect()
    }

    /// Whether a run's calls wait for the node that its shard goes to.
    pub(crate) fn is_leaving(&self, run_id: RunId) -> bool {
        !self.sharing.leaving.is_empty() && self.runs.get(run_id).is_some_and(|live| self.sharing.leaving.contains(live.shard))
    }

    /// Nothing that is in memory of these shards may be used any more, and no effect of theirs may start.
    fn drop_shards(&mut self, shards: &ShardSet) {
        if shards.is_empty() {
            return;
        }
        let runs = self.runs.drop_shards(shards);
        self.ahead.forget();
        self.calls.drop_unstarted_of(&runs);
        self.timers.drop_shards(shards);
        self.schedules.drop_shards(shards);
        self.recovering.retain(|lease| !shards.contains(lease.shard));
        for shard in shards.iter() {
            self.sharing.leaving.remove(shard);
        }
        let held = self.leases.held().iter().filter(|lease| !shards.contains(lease.shard)).copied().collect();
        self.leases.keep_only(held);
    }

    /// Wakes others outside of any commit of ours.
    pub(crate) async fn ring(&mut self, kind: NoticeKind, shards: ShardSet) {
        let store = Arc::clone(&self.shared.store);
        let Ok(mut tx) = store.begin(self.now()).await else { return };
        // A notice that is lost is made up for by the next beat of whoever it was for.
        if store.notify(&mut tx, &[Notice { kind, shards }]).await.is_ok() {
            drop(store.commit(tx).await);
        }
    }

    /// Without shards, and with nobody else to take it in, nothing may be written: whoever waits is told, and nobody new is let in
    /// until there are some.
    fn refuse_all(&mut self) {
        self.shared.load.batch_ended(false);
        for item in self.take_waiting() {
            self.shared.load.taken(item.bytes());
            item.refuse(WriteError::Unavailable { retry_after_ms: RETRY_MS.unsigned_abs() });
        }
    }

    /// Reads what every node keeps in memory, where it may have changed.
    pub(crate) async fn read_if_changed(&mut self) -> Result<(), onward_core::ports::StoreError> {
        if self.is_in_company() && self.shared.store.committed_generation().await? == self.generation {
            return Ok(());
        }
        self.read_what_changed().await
    }

    /// What every node keeps in memory has changed: it is read again, and what follows from it is done.
    pub(crate) async fn read_what_changed(&mut self) -> Result<(), onward_core::ports::StoreError> {
        let before = self.shared.definitions.snapshot();
        self.read_definitions().await?;
        if !self.is_in_company() {
            return Ok(());
        }
        let now = self.now();
        let after = self.shared.definitions.snapshot();
        let went_on = |organisation: OrganisationId, name: &str| before.current(organisation, name).is_some_and(|before| before.paused);
        for current in after.every().filter(|current| !current.paused && went_on(current.organisation, &current.workflow.name)) {
            self.schedules.resumed(current.organisation, &current.workflow.name, now);
        }
        self.schedules.read_again();
        if !self.leases.held().is_empty() && self.shared.duty == Duty::Server {
            self.own.push_back(Queued { item: Item::LookAtQueues { looking: Looking::default() }, failures: 0 });
            self.resume_runs();
        }
        Ok(())
    }
}
