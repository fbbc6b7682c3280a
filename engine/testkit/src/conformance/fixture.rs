//! What the behaviours are made of.

use onward_core::{
    Event, NewEvent, NodeId, OrganisationId, RunId, Shard, Timestamp, Value, digest,
    history::{Entry, Fact},
    ports::{CommitError, Correlation, Inserted, Lease, OpenWait, RunRow, RunStatus, RunWrite, Store, StoreError},
};
use serde_json::json;
use uuid::Uuid;

pub(super) const DAY_MS: i64 = 86_400_000;

/// The organisation of every behaviour that is not about several.
pub(super) fn org() -> OrganisationId {
    organisation(1)
}
pub(super) fn organisation(number: u128) -> OrganisationId {
    OrganisationId(Uuid::from_u128(0xa000 + number))
}
pub(super) fn node(number: u128) -> NodeId {
    NodeId(Uuid::from_u128(0xb000 + number))
}
pub(super) fn run_id(number: u128) -> RunId {
    RunId(Uuid::from_u128(0xc000 + number))
}
/// A moment: this many milliseconds after a fixed one.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + millis)
}
pub(super) fn every_shard() -> Vec<Lease> {
    (0..Shard::COUNT).map(|shard| Lease { shard: Shard(shard), epoch: 1 }).collect()
}

/// Does this in a transaction of that moment and commits it.
pub(super) async fn commit_at<S: Store, R>(store: &S, now: Timestamp, work: impl AsyncFnOnce(&mut S::Tx) -> R) -> R {
    let mut tx = store.begin(now).await.expect("begin");
    let result = work(&mut tx).await;
    store.commit(tx).await.expect("commit");
    result
}

/// Does this in a transaction, and says why it, or its commit, was refused.
pub(super) async fn attempt<S: Store>(store: &S, work: impl AsyncFnOnce(&mut S::Tx) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let mut tx = store.begin(at(0)).await.expect("begin");
    let done = work(&mut tx).await;
    if done.is_err() {
        store.rollback(tx).await;
        return done;
    }
    let committed = store.commit(tx).await;
    if let Err(CommitError::Refused(reason)) = committed {
        return Err(reason);
    }
    committed.expect("commit");
    Ok(())
}

/// Does this in a transaction that is rolled back: for looking.
pub(super) async fn look<S: Store, R>(store: &S, work: impl AsyncFnOnce(&mut S::Tx) -> R) -> R {
    let mut tx = store.begin(at(0)).await.expect("begin");
    let result = work(&mut tx).await;
    store.rollback(tx).await;
    result
}

pub(super) fn event(id: &str) -> NewEvent {
    NewEvent::new(org(), "message.received", "test", json!({ "text": id })).with_id(id)
}

/// Stores events at a moment, without correlations.
pub(super) async fn insert<S: Store>(store: &S, now: Timestamp, events: Vec<NewEvent>) -> Vec<Inserted> {
    let events = events.into_iter().map(|event| (event, Vec::new())).collect();
    commit_at(store, now, async |tx| store.insert_events(tx, events).await.expect("insert_events")).await
}

/// The event that was stored.
pub(super) fn stored(inserted: &Inserted) -> &Event {
    match inserted {
        Inserted::Stored(event) => Some(event),
        Inserted::Duplicate(_) => None,
    }
    .expect("the event is stored")
}

pub(super) fn correlation(value: &str) -> Correlation {
    correlation_in(org(), value)
}
pub(super) fn correlation_in(organisation: OrganisationId, value: &str) -> Correlation {
    let hash = digest::short(&[organisation.0.as_bytes(), value.as_bytes()]);
    Correlation { event: "message.received".into(), paths: vec!["contact_id".into()], hash }
}

pub(super) fn wait(run: RunId, target: &str, value: &str) -> OpenWait {
    OpenWait { organisation: org(), run_id: run, shard: Shard(7), target: target.into(), which: "event".into(), correlation: correlation(value) }
}

/// A derived row with something in every field.
pub(super) fn row(run: RunId, status: RunStatus) -> RunRow {
    let ended = status.is_final();
    RunRow {
        id: run,
        organisation: org(),
        shard: Shard(7),
        workflow: "welcome".into(),
        version: 3,
        key: "asha".into(),
        status,
        contact: Some("c1".into()),
        input: json!({ "phone": "+91", "nested": [1, 2.5, null, "é\"\\\n"] }),
        output: if ended { json!({ "result": "good" }) } else { Value::Null },
        error: (status == RunStatus::Failed).then(|| onward_core::StepError::new(onward_core::ErrorCode::Timeout, "too late").with_details(json!({ "ms": 5 }))),
        exit: (status == RunStatus::Completed).then(|| "contact.unsubscribed".into()),
        waiting_on: if status == RunStatus::Waiting { json!({ "event": "message.received" }) } else { Value::Null },
        questions: if status == RunStatus::Waiting { json!([{ "step": "ok#1", "title": "Send it?" }]) } else { Value::Null },
        event_id: Some(onward_core::EventId(Uuid::from_u128(0xe1))),
        started_at: at(1),
        ended_at: ended.then(|| at(9)),
        last_seq: 2,
        depth: 4,
    }
}

/// A write that does nothing yet.
pub(super) fn write(run: RunId) -> RunWrite {
    RunWrite {
        organisation: org(),
        run_id: run,
        shard: Shard(7),
        entries: Vec::new(),
        personal: false,
        row: None,
        timers_set: Vec::new(),
        timers_cleared: Vec::new(),
        waits_opened: Vec::new(),
        waits_closed: Vec::new(),
        inbox_applied: Vec::new(),
    }
}

/// A transition of two entries from `seq` on, with this output.
pub(super) fn entries(seq: u64, output: Value) -> Vec<Entry> {
    let entry = |seq, fact| Entry { seq, at: at(i64::try_from(seq).unwrap_or(0)), step: Some("a#1".into()), fact };
    let scheduled =
        Fact::StepScheduled { node: "debug.echo".into(), attempt: 1, generation: 0, input: Some(json!({ "n": seq }).into()), timeout_ms: None, prepared: None };
    let mut entries = vec![entry(seq, Fact::StepCompleted { output: output.into(), truncated: false, undo: None }), entry(seq + 1, scheduled)];
    entries[1].at = entries[0].at;
    entries
}

/// Writes transitions and commits them.
pub(super) async fn write_runs<S: Store>(store: &S, writes: &[RunWrite]) {
    commit_at(store, at(0), async |tx| store.write_runs(tx, writes).await.expect("write_runs")).await;
}

/// Stores runs in these states.
pub(super) async fn store_runs<S: Store>(store: &S, rows: impl IntoIterator<Item = RunRow>) {
    let writes: Vec<_> =
        rows.into_iter().map(|row| RunWrite { organisation: row.organisation, shard: row.shard, row: Some(row.clone()), ..write(row.id) }).collect();
    write_runs(store, &writes).await;
}

/// The history of one run.
pub(super) async fn history<S: Store>(store: &S, run: RunId) -> Vec<Entry> {
    let loaded = look(store, async |tx| store.load_runs(tx, &[run]).await.expect("load_runs")).await;
    loaded.into_iter().next().expect("the run is there").expect("its history can be read").entries
}
