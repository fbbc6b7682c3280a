//! What a `do` step does: inline where it computes or writes through the transaction, planned where it calls outside.

use crate::{
    batch::{Batch, Work},
    calls::{self, CallKey, PlannedCall},
    engine::Engine,
    traces::Traced,
    turn::collect_outbox,
};
use futures_util::FutureExt;
use onward_core::{
    ErrorCode, RunId, StepError, Value,
    machine::{CallStanding, Happening, InFlight},
    ports::{Effect, Node, Outcome, StepContext, Store, StoreError},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

impl<S: Store> Engine<S> {
    /// Runs a step that was just scheduled, unless something else in this transaction cancelled it: then nothing was done
    /// (SEMANTICS.md 26).
    pub(crate) async fn run_standing_step(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId, call: InFlight) -> Result<(), StoreError> {
        match self.runs.get(run_id).map(|live| live.state.standing_of(&call.step, call.attempt)) {
            Some(CallStanding::Stands) => self.run_step(tx, batch, run_id, call).await,
            Some(CallStanding::Cancelled) => {
                batch.work.push_front(ended(run_id, &call, Outcome::failed(ErrorCode::Cancelled, "it was cancelled before it was made")));
                Ok(())
            }
            Some(CallStanding::Gone) | None => Ok(()),
        }
    }

    /// Runs a step that was scheduled.
    pub(crate) async fn run_step(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId, call: InFlight) -> Result<(), StoreError> {
        let Some(node) = self.shared.nodes.get(&call.node).cloned() else {
            let message = format!("node {:?} is not known to this server; the connector that offers it is missing", &*call.node);
            batch.work.push_front(ended(run_id, &call, Outcome::failed(ErrorCode::NotFound, message)));
            return Ok(());
        };
        let effect = node.descriptor().effect;
        let prepares = node.prepares() && call.prepared.is_none();
        let inline = matches!(effect, Effect::Pure | Effect::Transactional);
        if inline || prepares {
            // A long chain shares the transaction with others: the rest has its turn in the next one.
            let chain = batch.chain.entry(run_id).or_default();
            *chain += 1;
            if *chain > self.shared.limits.steps_per_turn {
                batch.take_up.push(run_id);
                return Ok(());
            }
        }
        batch.tally.step(effect);
        batch.tally.retries += u64::from(call.attempt > 1);
        match effect {
            Effect::Pure => {
                let ticks = self.shared.clock.ticks();
                let outcome = catch_unwind(AssertUnwindSafe(|| node.eval(&call.input))).unwrap_or_else(|_| panicked(node.as_ref()));
                self.inline_ended(batch, run_id, &call, ticks, &outcome);
                batch.work.push_front(ended(run_id, &call, outcome));
            }
            Effect::Transactional => {
                let Some(context) = self.step_context(run_id, &call, batch.now) else { return Ok(()) };
                let ticks = self.shared.clock.ticks();
                let outcome = self.apply(tx, batch, node.as_ref(), &context, &call.input).await?;
                self.inline_ended(batch, run_id, &call, ticks, &outcome);
                batch.work.push_front(ended(run_id, &call, outcome));
            }
            Effect::AtMostOnce if call.unsure && !prepares && !node.reconciles() => {
                let message = "whether the call took effect before the run was taken up again cannot be known";
                let outcome = Outcome::Unknown { error: StepError::new(ErrorCode::OutcomeUnknown, message) };
                batch.work.push_front(ended(run_id, &call, outcome));
            }
            Effect::External | Effect::AtMostOnce if prepares => self.prepare(tx, batch, run_id, node, call).await?,
            Effect::External | Effect::AtMostOnce => {
                let reconcile = call.unsure && node.reconciles();
                self.plan(batch, run_id, node, &call, reconcile);
            }
        }
        Ok(())
    }

    fn inline_ended(&mut self, batch: &mut Batch<S::Tx>, run_id: RunId, call: &InFlight, began: i64, outcome: &Outcome) {
        let took = self.shared.clock.ticks() - began;
        self.meters.took(&call.node, took);
        batch.tally.attempt(&call.node, outcome);
        if let Some(traced) = &mut batch.traced {
            let event = self.runs.get(run_id).and_then(|live| live.state.event_id);
            traced.push(Traced::step(run_id, event, call, batch.now, took, outcome));
        }
    }

    /// A transactional step, within the transaction that records it: on anything but `Done` its writes are undone.
    async fn apply(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        node: &dyn Node<S::Tx>,
        context: &StepContext,
        input: &Value,
    ) -> Result<Outcome, StoreError> {
        let store = Arc::clone(&self.shared.store);
        store.savepoint(tx).await?;
        let outcome = AssertUnwindSafe(node.apply(tx, context, input)).catch_unwind().await.unwrap_or_else(|_| panicked(node));
        if matches!(outcome, Outcome::Done { .. }) {
            if let Err(reason) = keep(&*store, tx).await? {
                return Ok(Outcome::failed(ErrorCode::Internal, reason));
            }
            collect_outbox(tx, batch, Some((context.run_id, context.depth)));
        } else {
            store.rollback_to_savepoint(tx).await?;
        }
        Ok(outcome)
    }

    /// `prepare`, committed with `step_scheduled`. Any outcome but `Done` ends the attempt without a call; of those,
    /// only `Hold` keeps what it wrote (a held message stays visible).
    async fn prepare(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        run_id: RunId,
        node: Arc<dyn Node<S::Tx>>,
        mut call: InFlight,
    ) -> Result<(), StoreError> {
        let Some(context) = self.step_context(run_id, &call, batch.now) else { return Ok(()) };
        let store = Arc::clone(&self.shared.store);
        store.savepoint(tx).await?;
        let Ok(outcome) = AssertUnwindSafe(node.prepare(tx, &context, &call.input)).catch_unwind().await else {
            store.rollback_to_savepoint(tx).await?;
            batch.work.push_front(ended(run_id, &call, panicked(node.as_ref())));
            return Ok(());
        };
        if matches!(outcome, Outcome::Done { .. } | Outcome::Hold { .. }) {
            if let Err(reason) = keep(&*store, tx).await? {
                batch.work.push_front(ended(run_id, &call, Outcome::failed(ErrorCode::Internal, reason)));
                return Ok(());
            }
            collect_outbox(tx, batch, Some((run_id, context.depth)));
        } else {
            store.rollback_to_savepoint(tx).await?;
        }
        match outcome {
            Outcome::Done { output: prepared } => {
                let prepared = Arc::new(prepared);
                if let Some(live) = self.runs.get_mut(run_id) {
                    live.state.record_prepared(batch.entries_of(run_id), &call.step, Arc::clone(&prepared));
                }
                call.prepared = Some(prepared);
                self.plan(batch, run_id, node, &call, false);
            }
            other => {
                batch.tally.attempt(&call.node, &other);
                batch.work.push_front(ended(run_id, &call, other));
            }
        }
        Ok(())
    }

    /// Plans a call for after the commit. `reconcile`: it may have been made before a crash.
    pub(crate) fn plan(&mut self, batch: &mut Batch<S::Tx>, run_id: RunId, node: Arc<dyn Node<S::Tx>>, call: &InFlight, reconcile: bool) {
        let Some(context) = self.step_context(run_id, call, batch.now) else { return };
        let prepared = call.prepared.clone().unwrap_or_else(|| Arc::clone(&call.input));
        #[cfg(test)]
        let prepared = crate::simulation::plants::rendered_again(&self.shared.limits, batch.now, call.attempt, &prepared);
        let timeout_ms = call.timeout_ms.unwrap_or(self.shared.limits.call_timeout_ms);
        batch.calls.push(PlannedCall { key: call_key(run_id, call), node, context, prepared, timeout_ms, reconcile });
    }

    /// A call's outcome: `finish` and the step's end in one transaction. One that comes late decides nothing.
    pub(crate) async fn call_ended(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, key: CallKey, outcome: Outcome) -> Result<(), StoreError> {
        batch.settled.push(key.clone());
        // Its run may have stopped waiting for it in this very transaction.
        let abandoned_here = batch.abandoned.iter().any(|(run_id, step)| *run_id == key.run_id && *step == key.step);
        if let Some(known) = self.calls.get(&key)
            && (known.abandoned || abandoned_here)
        {
            let call = known.call.clone();
            self.finish(tx, batch, call.node.as_ref(), &call.context, &call.prepared, outcome).await?;
            return Ok(());
        }
        self.load(tx, batch, &[key.run_id]).await?;
        let Some(live) = self.runs.get(key.run_id) else { return Ok(()) };
        let Some(call) = live.state.in_flight().into_iter().find(|call| call.step == key.step && call.attempt == key.attempt) else { return Ok(()) };
        let node = self.shared.nodes.get(&call.node).filter(|node| node.prepares()).cloned();
        let outcome = match node {
            Some(node) => {
                let Some(context) = self.step_context(key.run_id, &call, batch.now) else { return Ok(()) };
                let prepared = call.prepared.clone().unwrap_or_else(|| Arc::clone(&call.input));
                self.finish(tx, batch, node.as_ref(), &context, &prepared, outcome).await?
            }
            None => outcome,
        };
        batch.tally.attempt(&call.node, &outcome);
        self.happen(tx, batch, key.run_id, Happening::StepEnded { step: key.step, attempt: key.attempt, outcome }).await
    }

    async fn finish(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        node: &dyn Node<S::Tx>,
        context: &StepContext,
        prepared: &Value,
        outcome: Outcome,
    ) -> Result<Outcome, StoreError> {
        if !node.prepares() {
            return Ok(outcome);
        }
        let store = Arc::clone(&self.shared.store);
        store.savepoint(tx).await?;
        let reason = if let Ok(finished) = AssertUnwindSafe(node.finish(tx, context, prepared, outcome.clone())).catch_unwind().await {
            match keep(&*store, tx).await? {
                Ok(()) => {
                    collect_outbox(tx, batch, Some((context.run_id, context.depth)));
                    return Ok(finished);
                }
                Err(reason) => reason,
            }
        } else {
            store.rollback_to_savepoint(tx).await?;
            "it panicked".to_owned()
        };
        // The effect has happened: its outcome must not be lost with the bookkeeping.
        tracing::error!(node = node.descriptor().id, step = &*context.step, reason, "`finish` failed; the outcome is recorded as the call gave it");
        Ok(outcome)
    }

    /// Takes a run up where it stands: what is in flight and known to nobody is run, asked about, or given up, as its
    /// node's effect demands (SEMANTICS.md 16).
    pub(crate) async fn take_up(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, run_id: RunId) -> Result<(), StoreError> {
        self.load(tx, batch, &[run_id]).await?;
        // What belongs to something that is paused is paused itself now, and taken up when it goes on.
        if self.hold_before_take_up(tx, batch, run_id).await? {
            return Ok(());
        }
        let Some(live) = self.runs.get(run_id) else { return Ok(()) };
        for call in live.state.in_flight() {
            let key = call_key(run_id, &call);
            if self.calls.get(&key).is_some() || batch.calls.iter().any(|planned| planned.key == key) {
                continue;
            }
            let unstarted = self.calls.was_unstarted(&key);
            let Some(node) = self.shared.nodes.get(&call.node).cloned() else {
                self.run_step(tx, batch, run_id, call).await?;
                continue;
            };
            let effect = node.descriptor().effect;
            let inline = matches!(effect, Effect::Pure | Effect::Transactional);
            if inline || (node.prepares() && call.prepared.is_none()) {
                // What was not prepared was not called.
                self.run_step(tx, batch, run_id, call).await?;
            } else if unstarted {
                self.plan(batch, run_id, node, &call, false);
            } else if effect == Effect::External || node.reconciles() || self.repeats_at_most_once() {
                batch.tally.recovered += 1;
                let reconcile = node.reconciles();
                self.plan(batch, run_id, node, &call, reconcile);
            } else {
                batch.tally.recovered += 1;
                batch.work.push_back(Work::Ended { key, outcome: Outcome::Unknown { error: calls::unknown_error() } });
            }
        }
        self.calls.forget_unstarted(run_id);
        self.ask_for_children(tx, batch, run_id).await?;
        self.happen(tx, batch, run_id, Happening::Continue).await
    }

    pub(crate) fn step_context(&self, run_id: RunId, call: &InFlight, now: onward_core::Timestamp) -> Option<StepContext> {
        let live = self.runs.get(run_id)?;
        Some(StepContext {
            organisation: live.organisation,
            run_id,
            workflow: Arc::clone(&live.state.workflow),
            step: Arc::clone(&call.step),
            attempt: call.attempt,
            idempotency_key: call.idempotency_key(),
            event_id: live.state.event_id,
            now,
            contact: live.state.bindings.get("contact").cloned(),
            company: live.state.bindings.get("company").cloned(),
            deal: live.state.bindings.get("deal").cloned(),
            conversation: live.state.bindings.get("conversation").cloned(),
            depth: live.state.depth,
            credentials: Arc::clone(&self.shared.credentials),
        })
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "a planted mistake in tests looks at the configuration")]
    fn repeats_at_most_once(&self) -> bool {
        false
    }
    #[cfg(test)]
    fn repeats_at_most_once(&self) -> bool {
        self.shared.limits.planted(crate::config::Plant::AtMostOnceRepeated)
    }
}

pub(crate) fn call_key(run_id: RunId, call: &InFlight) -> CallKey {
    CallKey { run_id, step: Arc::clone(&call.step), attempt: call.attempt }
}

fn ended(run_id: RunId, call: &InFlight, outcome: Outcome) -> Work {
    Work::Happen { run_id, happening: Happening::StepEnded { step: Arc::clone(&call.step), attempt: call.attempt, outcome } }
}

/// Keeps what was written since the savepoint. What was left within it may be refused only now, by what it says: then all of it is undone,
/// as when the body itself refuses, and nobody else's work with it.
pub(crate) async fn keep<S: Store>(store: &S, tx: &mut S::Tx) -> Result<Result<(), String>, StoreError> {
    match store.release_savepoint(tx).await {
        Ok(()) => Ok(Ok(())),
        Err(StoreError::Failed(reason)) => {
            store.rollback_to_savepoint(tx).await?;
            Ok(Err(reason))
        }
        Err(other) => Err(other),
    }
}

fn panicked<T: onward_core::ports::Transaction>(node: &dyn Node<T>) -> Outcome {
    tracing::error!(node = node.descriptor().id, "a node panicked");
    Outcome::Failed { error: StepError::new(ErrorCode::Internal, format!("node {} panicked; report this as a bug", node.descriptor().id)) }
}
