//! Nodes of the simulation, and the outside world that they work on: a ledger that survives every crash of ours.

use onward_core::{
    ErrorCode, StepError, Timestamp, Value, async_trait,
    ports::{Clock as _, Effect, Node, NodeDescriptor, Outcome, Reconciled, StepContext, Transaction},
};
use onward_testkit::{MemoryTx, Simulation};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// An effect that happened outside.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Effected {
    pub(super) run: String,
    pub(super) step: String,
    pub(super) input: Value,
    pub(super) at: Timestamp,
}

/// What the outside remembers: by node and idempotency key.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    effects: Mutex<BTreeMap<(String, String), Vec<Effected>>>,
    /// Calls that came in, with or without an effect.
    calls: Mutex<BTreeMap<(String, String), Vec<Value>>>,
    /// Calls that are under way.
    at_work: AtomicUsize,
}

/// A call that is under way, for as long as it or its process lives.
struct AtWork<'a>(&'a Ledger);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ledger {
    pub(super) fn at_work(&self) -> usize {
        self.at_work.load(Ordering::Relaxed)
    }
    fn begins(&self) -> AtWork<'_> {
        self.at_work.fetch_add(1, Ordering::Relaxed);
        AtWork(self)
    }
    fn called(&self, node: &str, ctx: &StepContext, input: &Value) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.entry((node.to_owned(), ctx.idempotency_key.clone())).or_default().push(input.clone());
    }
    fn effect(&self, node: &str, ctx: &StepContext, input: &Value, at: Timestamp) {
        let mut effects = self.effects.lock().unwrap_or_else(PoisonError::into_inner);
        let effect = Effected { run: ctx.run_id.to_string(), step: ctx.step.to_string(), input: input.clone(), at };
        effects.entry((node.to_owned(), ctx.idempotency_key.clone())).or_default().push(effect);
    }
    fn has(&self, node: &str, key: &str) -> bool {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&(node.to_owned(), key.to_owned()))
    }
    pub(super) fn effects(&self) -> BTreeMap<(String, String), Vec<Effected>> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    pub(super) fn calls(&self) -> BTreeMap<(String, String), Vec<Value>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The nodes of the simulation.
pub(super) fn nodes(world: &Simulation, ledger: &Arc<Ledger>) -> Vec<Arc<dyn Node<MemoryTx>>> {
    let outside = |id: &str, effect, behaviour| -> Arc<dyn Node<MemoryTx>> {
        Arc::new(Outside { descriptor: describe(id, effect), behaviour, world: world.clone(), ledger: Arc::clone(ledger) })
    };
    vec![
        Arc::new(Count(describe("test.count", Effect::Transactional))),
        outside("test.call", Effect::External, Behaviour::Plain),
        outside("test.order", Effect::External, Behaviour::Reconciling),
        outside("test.send", Effect::AtMostOnce, Behaviour::Plain),
        outside("test.message", Effect::AtMostOnce, Behaviour::Preparing),
        outside("test.pay", Effect::AtMostOnce, Behaviour::Reconciling),
        outside("test.letter", Effect::AtMostOnce, Behaviour::Sure),
    ]
}

fn describe(id: &str, effect: Effect) -> NodeDescriptor {
    NodeDescriptor {
        id: id.into(),
        title: id.into(),
        description: id.into(),
        category: "Test".into(),
        effect,
        input: json!({ "type": "object" }),
        output: json!({}),
        example: json!({}),
        example_output: json!({}),
        ui: Value::Null,
        connector: None,
        personal: false,
        binds: None,
    }
}

/// Writes through the transaction: an event without an id, so that each effect shows.
struct Count(NodeDescriptor);

#[async_trait]
impl Node<MemoryTx> for Count {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.0
    }
    async fn apply(&self, tx: &mut MemoryTx, ctx: &StepContext, _input: &Value) -> Outcome {
        emit(tx, "counted", ctx);
        Outcome::done(json!({ "counted": true }))
    }
}

fn emit(tx: &mut MemoryTx, kind: &str, ctx: &StepContext) {
    let data = json!({ "run": ctx.run_id, "step": &*ctx.step, "kind": kind });
    tx.emit(onward_core::NewEvent::new(ctx.organisation, kind, "test", data));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Plain,
    Reconciling,
    Preparing,
    /// The same, and nothing ever goes wrong with it.
    Sure,
}

/// Calls an outside that is slow, fails before or after the effect, holds, or never answers.
struct Outside {
    descriptor: NodeDescriptor,
    behaviour: Behaviour,
    world: Simulation,
    ledger: Arc<Ledger>,
}

impl Outside {
    fn chance(&self, thousandths: u64) -> bool {
        self.world.executor.random_below(1_000) < thousandths
    }
    async fn dawdle(&self) {
        let millis = match self.world.executor.random_below(10) {
            0..=5 => return,
            6..=8 => self.world.executor.random_below(50),
            _ => self.world.executor.random_below(20_000),
        };
        self.world.clock.sleep_until(self.world.clock.now().plus_millis(millis as i64)).await;
    }
}

#[async_trait]
impl Node<MemoryTx> for Outside {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.descriptor
    }
    fn prepares(&self) -> bool {
        matches!(self.behaviour, Behaviour::Preparing | Behaviour::Sure)
    }
    async fn prepare(&self, tx: &mut MemoryTx, ctx: &StepContext, input: &Value) -> Outcome {
        if self.behaviour != Behaviour::Sure && self.chance(100) {
            let until = Some(ctx.now.plus_millis(1 + self.world.executor.random_below(7_200_000) as i64));
            return Outcome::Hold { until, reason: "quiet hours".into() };
        }
        emit(tx, "prepared", ctx);
        Outcome::done(json!({ "input": input, "for": &*ctx.step }))
    }
    async fn call(&self, ctx: &StepContext, prepared: &Value) -> Outcome {
        let node = &self.descriptor.id;
        self.ledger.called(node, ctx, prepared);
        if self.behaviour == Behaviour::Sure {
            self.ledger.effect(node, ctx, prepared, self.world.clock.now());
            return Outcome::done(json!({ "of": prepared }));
        }
        let _at_work = self.ledger.begins();
        self.dawdle().await;
        if self.chance(60) {
            return Outcome::failed(ErrorCode::Unavailable, "the outside is not there for now");
        }
        if self.chance(30) {
            return Outcome::Retry { after_ms: Some(500), error: StepError::new(ErrorCode::RateLimited, "slow down") };
        }
        assert!(!self.chance(10), "a planted panic of a node");
        self.ledger.effect(node, ctx, prepared, self.world.clock.now());
        self.dawdle().await;
        if self.chance(30) {
            return Outcome::Unknown { error: StepError::new(ErrorCode::Unavailable, "the answer was lost") };
        }
        if self.chance(10) {
            std::future::pending::<()>().await;
        }
        Outcome::done(json!({ "of": prepared }))
    }
    async fn finish(&self, tx: &mut MemoryTx, ctx: &StepContext, _prepared: &Value, reply: Outcome) -> Outcome {
        if matches!(reply, Outcome::Done { .. }) {
            emit(tx, "finished", ctx);
        }
        reply
    }
    fn reconciles(&self) -> bool {
        self.behaviour == Behaviour::Reconciling
    }
    async fn reconcile(&self, ctx: &StepContext, prepared: &Value) -> Reconciled {
        self.dawdle().await;
        if self.chance(100) {
            return Reconciled::Unknown;
        }
        if self.ledger.has(&self.descriptor.id, &ctx.idempotency_key) {
            Reconciled::Done(Outcome::done(json!({ "of": prepared })))
        } else {
            Reconciled::NotDone
        }
    }
}
