//! The crate on a real database.

mod conformance;
mod differential;
mod fences;
mod outside_the_port;
mod payloads;
mod queries;

use crate::SqlStore;
use onward_core::{
    OrganisationId, RunId, Shard, Timestamp, Value,
    history::Entry,
    ports::{RunRow, RunStatus, RunWrite, Store as _},
};
use onward_database::{Reader, Tx};
use serde_json::json;
use uuid::Uuid;

const ORG: OrganisationId = OrganisationId(Uuid::from_u128(1));
const OTHER: OrganisationId = OrganisationId(Uuid::from_u128(2));

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + millis)
}
fn run_id(number: u128) -> RunId {
    RunId(Uuid::from_u128(0xc000 + number))
}

async fn store() -> (SqlStore, Reader) {
    let database = onward_database::testing::database().await;
    (SqlStore::by_the_askers_clock(database.clone()), database.reader())
}

/// Does this in a transaction and commits it.
async fn commit<R>(store: &SqlStore, work: impl AsyncFnOnce(&mut Tx) -> R) -> R {
    let mut tx = store.begin(at(0)).await.unwrap();
    let result = work(&mut tx).await;
    store.commit(tx).await.unwrap();
    result
}

fn row(number: u128, status: RunStatus) -> RunRow {
    RunRow {
        id: run_id(number),
        organisation: ORG,
        shard: Shard(0),
        workflow: "welcome".into(),
        version: 1,
        key: "k".into(),
        status,
        contact: None,
        input: json!({ "phone": "+919812345678" }),
        output: Value::Null,
        error: None,
        exit: None,
        waiting_on: Value::Null,
        questions: Value::Null,
        event_id: None,
        started_at: at(0),
        ended_at: status.is_final().then(|| at(1)),
        last_seq: 1,
        depth: 0,
    }
}

fn write(row: &RunRow, entries: Vec<Entry>) -> RunWrite {
    RunWrite {
        organisation: row.organisation,
        run_id: row.id,
        shard: row.shard,
        entries,
        personal: false,
        row: Some(row.clone()),
        timers_set: Vec::new(),
        timers_cleared: Vec::new(),
        waits_opened: Vec::new(),
        waits_closed: Vec::new(),
        inbox_applied: Vec::new(),
    }
}
