//! What is another shard's owner's to do: a row in its inbox, in the transaction that causes it (SEMANTICS.md 1).

use crate::{
    admission::{Candidate, Origin},
    batch::Batch,
    engine::Engine,
};
use onward_core::{
    OrganisationId, RunId, Shard, StepError, Value,
    history::Parent,
    machine::Happening,
    ports::{InboxMessage, RunRow, RunStatus, RunWrite, Store, StoreError, Transaction as _},
};
use std::sync::Arc;

/// Ids that are tried until one falls to a shard that is wanted: with one shard of 256 wanted, one try in ten million fails.
const TRIES: usize = 4_096;

impl<S: Store> Engine<S> {
    /// Of these runs, those that are ours; where the others live is noted.
    pub(crate) async fn ours_of(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, runs: Vec<RunId>) -> Result<Vec<RunId>, StoreError> {
        if runs.is_empty() || self.leases.own_all() {
            return Ok(runs);
        }
        let store = Arc::clone(&self.shared.store);
        for (run_id, organisation, shard) in store.shards_of(tx, &runs).await? {
            if !self.leases.own(shard) {
                batch.foreign.insert(run_id, (organisation, shard));
            }
        }
        Ok(runs.into_iter().filter(|run_id| !batch.foreign.contains_key(run_id)).collect())
    }

    /// Writes a row into the inbox of a shard's owner.
    #[expect(clippy::too_many_arguments, reason = "the parts of one row")]
    pub(crate) async fn address(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        shard: Shard,
        run: Option<RunId>,
        cause: &str,
        message: &InboxMessage,
    ) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        store.add_inbox(tx, organisation, shard, run, cause, message).await?;
        if self.leases.own(shard) {
            self.inbox_waits = true;
            batch.more_inbox = true;
        } else {
            batch.woken.insert(shard);
        }
        Ok(())
    }

    /// Hands a happening on to the owner of the run; one that only concerns who holds the run in memory goes nowhere.
    pub(crate) async fn forward(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId, happening: Happening) -> Result<(), StoreError> {
        let Some((organisation, shard)) = batch.foreign.get(&run_id).copied() else { return Ok(()) };
        let (cause, message) = match happening {
            Happening::Event { target, which, event } => {
                (format!("{}:{which}", event.event_id), InboxMessage::Event { target, which, event_id: event.event_id })
            }
            Happening::Woken { step } => (tx.fresh_id().to_string(), InboxMessage::Woken { step }),
            Happening::Cancel { by, reason, force } => (tx.fresh_id().to_string(), InboxMessage::Cancel { by, reason, force }),
            Happening::ChildStarted { step } => ("child".to_owned(), InboxMessage::ChildStarted { step }),
            Happening::ChildRefused { step, error } => ("child".to_owned(), InboxMessage::ChildRefused { step, error }),
            Happening::ChildEnded { step, run_id: child, outcome } => (child.to_string(), InboxMessage::ChildEnded { step, child, outcome }),
            Happening::Answered { step, answer, by } => (tx.fresh_id().to_string(), InboxMessage::Answered { step, answer, by }),
            Happening::Started(_)
            | Happening::Continue
            | Happening::StepEnded { .. }
            | Happening::Due { .. }
            | Happening::Signal { .. }
            | Happening::Pause { .. }
            | Happening::Resume { .. }
            | Happening::Reopen(_)
            | Happening::Migrate(_) => return Ok(()),
        };
        self.address(tx, batch, organisation, shard, Some(run_id), &cause, &message).await
    }

    /// The id of a run that is about to be asked for (`known` where that was said) and where it will live. Without a key the id decides
    /// that: one that falls to us is taken where there is one, and all starts that share a burst fall to one shard.
    pub(crate) fn place_start(
        &self,
        tx: &mut S::Tx,
        (organisation, workflow, key): (OrganisationId, &str, Option<&str>),
        known: Option<RunId>,
        bursts: bool,
    ) -> (RunId, Shard) {
        let first = known.unwrap_or_else(|| RunId(tx.fresh_id()));
        if let Some(key) = key {
            return (first, Shard::of(organisation, workflow, key));
        }
        let of = |run_id: RunId| Shard::of(organisation, workflow, &run_id.to_string());
        if known.is_some() || self.leases.own_all() || (self.leases.held().is_empty() && !bursts) {
            return (first, of(first));
        }
        let home = bursts.then(|| Shard::of(organisation, workflow, ""));
        let wanted = |shard: Shard| home.map_or_else(|| self.leases.own(shard), |home| home == shard);
        let mut run_id = first;
        for _ in 0..TRIES {
            let shard = of(run_id);
            if wanted(shard) {
                return (run_id, shard);
            }
            run_id = RunId(tx.fresh_id());
        }
        (run_id, of(run_id))
    }

    /// Leaves a start to the owner of its shard. The run is listed meanwhile as held: whoever brought the start knows its id.
    pub(crate) async fn announce_start(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, candidate: Candidate, shard: Shard) -> Result<(), StoreError> {
        let (organisation, run_id, version) = (candidate.organisation(), candidate.run_id, candidate.current.version);
        let workflow = candidate.workflow().to_owned();
        let row = RunRow {
            id: run_id,
            organisation,
            shard,
            workflow: workflow.clone(),
            version,
            key: candidate.key.clone(),
            status: RunStatus::Held,
            contact: None,
            input: candidate.input.clone(),
            output: Value::Null,
            error: None,
            exit: None,
            waiting_on: serde_json::json!({ "kind": "start", "held_by": "inbox", "reason": "it is on its way to the node that owns its shard" }),
            questions: Value::Null,
            event_id: candidate.event_id(),
            started_at: batch.now,
            ended_at: None,
            last_seq: 0,
            depth: candidate.depth,
        };
        self.write_row(tx, row).await?;
        let (cause, message) = match candidate.origin {
            Origin::Event { trigger, event } => (event.event_id.to_string(), InboxMessage::Start { workflow, trigger, event_id: event.event_id }),
            Origin::Run { parent, .. } => {
                let Parent { run_id, step } = &parent;
                let cause = format!("{run_id}/{step}");
                (cause, InboxMessage::Child { parent, workflow, input: candidate.input, depth: candidate.depth })
            }
            // Whoever starts by hand is told what became of it: that is asked for, and not left.
            Origin::Hand => return Err(StoreError::Failed("a start by hand was left to another node; report this as a bug".into())),
        };
        self.address(tx, batch, organisation, shard, Some(run_id), &cause, &message).await
    }

    /// A run that was announced will never begin: it is shown as cancelled, with the reason.
    pub(crate) async fn end_announced(&mut self, tx: &mut S::Tx, run_id: RunId, reason: &str) -> Result<(), StoreError> {
        let store = Arc::clone(&self.shared.store);
        let Some(Ok(stored)) = store.load_runs(tx, &[run_id]).await?.into_iter().next() else { return Ok(()) };
        if !stored.entries.is_empty() || stored.row.status != RunStatus::Held {
            return Ok(());
        }
        let error = StepError::new(onward_core::ErrorCode::Cancelled, format!("it never started: {reason}"));
        self.write_row(tx, RunRow { status: RunStatus::Cancelled, waiting_on: Value::Null, error: Some(error), ..stored.row }).await
    }

    /// Writes a run's derived row alone.
    pub(crate) async fn write_row(&mut self, tx: &mut S::Tx, row: RunRow) -> Result<(), StoreError> {
        let write = RunWrite {
            organisation: row.organisation,
            run_id: row.id,
            shard: row.shard,
            entries: Vec::new(),
            personal: false,
            row: Some(row),
            timers_set: Vec::new(),
            timers_cleared: Vec::new(),
            waits_opened: Vec::new(),
            waits_closed: Vec::new(),
            inbox_applied: Vec::new(),
        };
        let store = Arc::clone(&self.shared.store);
        store.write_runs(tx, &[write]).await
    }
}
