//! Calls of nodes to the outside: after the commit, beside the loop, bounded, fair between organisations.

use crate::{message::Item, meters::seconds, traces};
use futures_util::{
    FutureExt,
    future::{Either, select},
};
use onward_core::{
    ErrorCode, OrganisationId, RunId, StepError, Timestamp, Value,
    ports::{BoxFuture, Clock, Effect, Node, Outcome, Reconciled, StepContext, Transaction},
    trace::{SpanId, TraceId},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Waker},
};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{Instrument as _, field};

/// One attempt of one step of one run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallKey {
    pub(crate) run_id: RunId,
    pub(crate) step: Arc<str>,
    pub(crate) attempt: u32,
}

/// A call that may start once its `step_scheduled` is committed.
pub(crate) struct PlannedCall<T: Transaction> {
    pub(crate) key: CallKey,
    pub(crate) node: Arc<dyn Node<T>>,
    pub(crate) context: StepContext,
    pub(crate) prepared: Arc<Value>,
    pub(crate) timeout_ms: i64,
    /// It may have been made before a crash: ask first.
    pub(crate) reconcile: bool,
}

impl<T: Transaction> Clone for PlannedCall<T> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            node: Arc::clone(&self.node),
            context: self.context.clone(),
            prepared: Arc::clone(&self.prepared),
            timeout_ms: self.timeout_ms,
            reconcile: self.reconcile,
        }
    }
}

/// A call that was planned and whose outcome is not committed yet.
pub(crate) struct Known<T: Transaction> {
    pub(crate) call: PlannedCall<T>,
    /// The run does not wait for it any more.
    pub(crate) abandoned: bool,
    started: bool,
}

/// All calls of this process whose outcome is not committed yet.
pub(crate) struct Calls<T: Transaction> {
    known: BTreeMap<CallKey, Known<T>>,
    waiting: BTreeMap<OrganisationId, VecDeque<CallKey>>,
    /// The organisation that was served last.
    served: Option<OrganisationId>,
    running: usize,
    limit: usize,
    /// Calls that were decided in a transaction whose commit was not confirmed: if it took effect after all, these were
    /// surely not made, whatever the node's effect.
    unstarted: BTreeSet<CallKey>,
}

impl<T: Transaction> Calls<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self { known: BTreeMap::new(), waiting: BTreeMap::new(), served: None, running: 0, limit, unstarted: BTreeSet::new() }
    }
    pub(crate) fn get(&self, key: &CallKey) -> Option<&Known<T>> {
        self.known.get(key)
    }
    /// Queues a call whose `step_scheduled` is committed.
    pub(crate) fn enqueue(&mut self, call: PlannedCall<T>) {
        self.unstarted.remove(&call.key);
        self.waiting.entry(call.context.organisation).or_default().push_back(call.key.clone());
        self.known.insert(call.key.clone(), Known { call, abandoned: false, started: false });
    }
    /// Forgets a call whose outcome is committed.
    pub(crate) fn settle(&mut self, key: &CallKey) {
        self.known.remove(key);
    }
    /// A call ended, and its place is free.
    pub(crate) fn ended(&mut self) {
        self.running = self.running.saturating_sub(1);
    }
    /// Remembers calls of a transaction that was not confirmed.
    pub(crate) fn note_unstarted(&mut self, keys: impl IntoIterator<Item = CallKey>) {
        self.unstarted.extend(keys);
    }
    /// Whether this process surely never made the call. Asking forgets it.
    pub(crate) fn was_unstarted(&mut self, key: &CallKey) -> bool {
        self.unstarted.remove(key)
    }
    /// Forgets what was noted of a run.
    pub(crate) fn forget_unstarted(&mut self, run_id: RunId) {
        self.unstarted.retain(|key| key.run_id != run_id);
    }
    /// Forgets calls that have not begun: after a lost lease they are another's to judge.
    pub(crate) fn drop_unstarted(&mut self) {
        self.waiting.clear();
        self.unstarted.clear();
        self.known.retain(|_, known| known.started);
    }
    /// Calls that wait for a place.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }
    /// The same of these runs alone.
    pub(crate) fn drop_unstarted_of(&mut self, runs: &BTreeSet<RunId>) {
        for queue in self.waiting.values_mut() {
            queue.retain(|key| !runs.contains(&key.run_id));
        }
        self.waiting.retain(|_, queue| !queue.is_empty());
        self.unstarted.retain(|key| !runs.contains(&key.run_id));
        self.known.retain(|key, known| known.started || !runs.contains(&key.run_id));
    }
    /// The runs with calls whose outcome is not committed yet.
    pub(crate) fn runs(&self) -> impl Iterator<Item = RunId> {
        self.known.keys().map(|key| key.run_id)
    }
    /// Calls under way.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    /// A run does not wait for its step any more. A call that has not begun never will; it is ended here, so that its
    /// node's `finish` hears of it.
    pub(crate) fn abandon(&mut self, run_id: RunId, step: &str) -> Option<CallKey> {
        let (key, known) = self.known.iter_mut().find(|(key, _)| key.run_id == run_id && *key.step == *step)?;
        known.abandoned = true;
        if known.started {
            return None;
        }
        let key = key.clone();
        for queue in self.waiting.values_mut() {
            queue.retain(|waiting| *waiting != key);
        }
        Some(key)
    }

    /// Whether every call that is scheduled has begun.
    pub(crate) fn none_waits(&self) -> bool {
        self.waiting.values().all(VecDeque::is_empty)
    }

    /// The next call that may start: one of each organisation in turn.
    pub(crate) fn next(&mut self) -> Option<PlannedCall<T>> {
        if self.running >= self.limit {
            return None;
        }
        let organisation = {
            let after = |served: OrganisationId| self.waiting.keys().find(|organisation| **organisation > served);
            *self.served.and_then(after).or_else(|| self.waiting.keys().next())?
        };
        self.served = Some(organisation);
        let queue = self.waiting.get_mut(&organisation)?;
        let key = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&organisation);
        }
        let known = self.known.get_mut(&key?)?;
        known.started = true;
        self.running += 1;
        Some(known.call.clone())
    }
}

/// The call, to be made beside the loop; its outcome comes back as a message. With `here` it begins at once, on the loop's own thread,
/// and goes beside it only where it has to wait: a loop that would only go to sleep spares the call, and the outcome that is there at
/// once, the way to another thread.
pub(crate) fn start<T: Transaction>(
    mut call: PlannedCall<T>,
    took: metrics::Histogram,
    clock: &Arc<dyn Clock>,
    outcomes: UnboundedSender<Item<T>>,
    here: bool,
) -> Option<BoxFuture<'static, ()>> {
    let clock = Arc::clone(clock);
    call.context.now = clock.now();
    let context = &call.context;
    // Whatever a node or a client logs meanwhile says for whom.
    let span = tracing::info_span!(
        "call", organisation = %context.organisation, workflow = &*context.workflow, run = %context.run_id, step = &*context.step,
        node = call.node.descriptor().id, attempt = context.attempt, outcome = field::Empty, trace = field::Empty, id = field::Empty, parent = field::Empty,
        error = field::Empty
    );
    if traces::are_on() {
        span.record("trace", field::display(TraceId::of_run(context.run_id, context.event_id)));
        span.record("id", field::display(SpanId::of_attempt(&context.idempotency_key, context.attempt)));
        span.record("parent", field::display(SpanId::of_run(context.run_id)));
    }
    let work = async move {
        let began = clock.ticks();
        let outcome = run(&call, clock.as_ref()).await;
        took.record(seconds(clock.ticks() - began));
        tracing::debug!(outcome = outcome.word(), "the call ended");
        if traces::are_on() {
            traces::note_outcome(&outcome);
        }
        // The loop has gone only when the process ends; recovery finds the call then.
        drop(outcomes.send(Item::Outcome { key: call.key, outcome }));
    };
    let mut work = Box::pin(work.instrument(span));
    // Whoever spawns it polls it again, with a waker that wakes.
    if here && work.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
        return None;
    }
    Some(work)
}

async fn run<T: Transaction>(call: &PlannedCall<T>, clock: &dyn Clock) -> Outcome {
    let effect = call.node.descriptor().effect;
    let work = AssertUnwindSafe(attempt(call, effect)).catch_unwind();
    let due = clock.now().plus_millis(call.timeout_ms);
    match select(Box::pin(work), clock.sleep_until(due)).await {
        Either::Left((Ok(outcome), _)) => outcome,
        Either::Left((Err(_), _)) => {
            tracing::error!(node = call.node.descriptor().id, step = &*call.key.step, "a node panicked");
            gave_up(effect, StepError::new(ErrorCode::Internal, format!("node {} panicked; report this as a bug", call.node.descriptor().id)))
        }
        Either::Right(_) => gave_up(effect, timeout_error(call.timeout_ms)),
    }
}

/// A call that began and gave no outcome: where it must not happen twice, nobody can know.
fn gave_up(effect: Effect, error: StepError) -> Outcome {
    if effect == Effect::AtMostOnce { Outcome::Unknown { error } } else { Outcome::Failed { error } }
}

fn timeout_error(timeout_ms: i64) -> StepError {
    StepError::new(ErrorCode::Timeout, format!("the attempt took longer than {timeout_ms} ms"))
}

async fn attempt<T: Transaction>(call: &PlannedCall<T>, effect: Effect) -> Outcome {
    if call.reconcile {
        let reconciled = if call.node.reconciles() { call.node.reconcile(&call.context, &call.prepared).await } else { Reconciled::Unknown };
        match reconciled {
            Reconciled::Done(outcome) => return outcome,
            Reconciled::Unknown if effect == Effect::AtMostOnce => return Outcome::Unknown { error: unknown_error() },
            Reconciled::NotDone | Reconciled::Unknown => {}
        }
    }
    call.node.call(&call.context, &call.prepared).await
}

/// Why an outcome is not known after a crash.
pub(crate) fn unknown_error() -> StepError {
    StepError::new(ErrorCode::OutcomeUnknown, "the server stopped during the call; whether it took effect cannot be known")
}

/// When an effect may still start under a lease that was renewed at `sent_at` (SEMANTICS.md 4).
pub(crate) fn may_start(now: Timestamp, lease_until: Timestamp) -> bool {
    now < lease_until.plus_millis(-crate::leases::SAFETY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{debug_nodes, simulation::no_credentials};
    use onward_testkit::MemoryTx;
    use uuid::Uuid;

    fn call(organisation: u128, run: u128) -> PlannedCall<MemoryTx> {
        let run_id = RunId(Uuid::from_u128(run));
        let context = StepContext {
            organisation: OrganisationId(Uuid::from_u128(organisation)),
            run_id,
            workflow: "w".into(),
            step: "s".into(),
            attempt: 1,
            idempotency_key: String::new(),
            event_id: None,
            now: Timestamp::default(),
            contact: None,
            company: None,
            deal: None,
            conversation: None,
            depth: 0,
            credentials: no_credentials(),
        };
        let node = debug_nodes().into_iter().next().unwrap();
        PlannedCall { key: CallKey { run_id, step: "s".into(), attempt: 1 }, node, context, prepared: Arc::default(), timeout_ms: 1, reconcile: false }
    }

    #[test]
    fn organisations_take_turns_within_the_limit() {
        let mut calls = Calls::new(4);
        for run in 0..100 {
            calls.enqueue(call(1, run));
        }
        calls.enqueue(call(2, 200));
        calls.enqueue(call(3, 300));
        let mut order = || calls.next().map(|call| call.context.organisation.0.as_u128());
        assert_eq!([order(), order(), order(), order(), order()], [Some(1), Some(2), Some(3), Some(1), None]);
        calls.ended();
        assert!(calls.next().is_some(), "a place is free again");
    }

    #[test]
    fn an_abandoned_call_never_begins_unless_it_has() {
        let mut calls = Calls::new(1);
        calls.enqueue(call(1, 1));
        calls.enqueue(call(1, 2));
        let running = calls.next().unwrap();
        assert_eq!(calls.abandon(running.key.run_id, "s"), None, "it runs: its outcome will come");
        let waiting = call(1, 2).key;
        assert_eq!(calls.abandon(waiting.run_id, "s"), Some(waiting.clone()));
        calls.ended();
        assert!(calls.next().is_none());
        assert!(calls.get(&waiting).is_some_and(|known| known.abandoned), "until its end is committed");
        calls.settle(&waiting);
        assert!(calls.get(&waiting).is_none());
    }

    #[test]
    fn a_call_of_an_unconfirmed_commit_is_known_not_to_have_begun() {
        let mut calls = Calls::<MemoryTx>::new(1);
        let key = call(1, 1).key;
        calls.note_unstarted([key.clone()]);
        assert!(calls.was_unstarted(&key) && !calls.was_unstarted(&key));
        calls.note_unstarted([key.clone()]);
        calls.enqueue(call(1, 1));
        assert!(!calls.was_unstarted(&key), "planned again, it may begin");
    }
}
