//! What the port does not speak of: request keys, forgetting, the generation of definitions.

use super::{ORG, OTHER, at, commit, store};
use crate::{
    SqlStore,
    idempotency::{self, Claim, RequestKey},
    retention, set_workflow_paused,
};
use onward_core::{NewEvent, ports::Store as _};
use onward_database::{Query as _, args};
use serde_json::json;

const DAY_MS: i64 = 86_400_000;

fn request(token: &str) -> RequestKey {
    RequestKey { organisation: ORG, token: token.into(), route: "POST /contacts".into(), key: "k".into() }
}

async fn claim(store: &SqlStore, now: i64, request: &RequestKey, hash: u8) -> Claim {
    let mut tx = store.begin(at(now)).await.unwrap();
    let claim = idempotency::claim(&mut tx, request, [hash; 32]).await.unwrap();
    store.commit(tx).await.unwrap();
    claim
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    let (store, _) = store().await;
    assert_eq!(claim(&store, 0, &request("t"), 1).await, Claim::New);
    assert_eq!(claim(&store, 1, &request("t"), 1).await, Claim::Running);
    commit(&store, async |tx| idempotency::complete(tx, &request("t"), 201, &json!({ "id": 1 })).await.unwrap()).await;
    assert_eq!(claim(&store, 2, &request("t"), 1).await, Claim::Done { status: 201, response: json!({ "id": 1 }) });
    assert_eq!(claim(&store, 2, &request("t"), 2).await, Claim::OtherRequest);
    assert_eq!(claim(&store, 2, &request("another token"), 2).await, Claim::New);
    assert_eq!(claim(&store, 2, &RequestKey { organisation: OTHER, ..request("t") }, 2).await, Claim::New);
    // A day later it is forgotten.
    assert_eq!(claim(&store, DAY_MS - 1, &request("t"), 2).await, Claim::OtherRequest);
    assert_eq!(claim(&store, DAY_MS, &request("t"), 2).await, Claim::New);
    assert_eq!(claim(&store, DAY_MS, &request("t"), 2).await, Claim::Running);
    let mut tx = store.begin(at(2 * DAY_MS)).await.unwrap();
    assert_eq!(idempotency::forget(&mut tx, ORG, 9).await.unwrap(), 2);
}

#[tokio::test]
async fn identities_and_correlations_have_their_time() {
    let (store, mut reader) = store().await;
    let correlation = onward_core::ports::Correlation { event: "a".into(), paths: vec![], hash: [1; 16] };
    let event = NewEvent::new(ORG, "a", "s", json!(1)).with_id("1");
    commit(&store, async |tx| store.insert_events(tx, vec![(event, vec![correlation])]).await.unwrap()).await;
    let first = ([0; 16], at(0), uuid::Uuid::nil());
    for day in [0, 29, 30, 90] {
        let before = at(day * DAY_MS);
        let (keys, last) = retention::old_identities(&mut reader, ORG, before, [0; 16], 9).await.unwrap();
        assert_eq!((keys.is_empty(), last.is_some()), (day == 0 && at(0) > before, true));
        assert_eq!(retention::old_identities(&mut reader, OTHER, before, [0; 16], 9).await.unwrap(), (vec![], None));
        assert_eq!(retention::old_correlations(&mut reader, OTHER, before, first, 9).await.unwrap(), (vec![], None));
    }
    let (keys, _) = retention::old_identities(&mut reader, ORG, at(-1), [0; 16], 9).await.unwrap();
    assert_eq!(keys, [[0; 16]; 0], "not before its time");
    let (keys, last) = retention::old_identities(&mut reader, ORG, at(0), [0; 16], 9).await.unwrap();
    let (rows, _) = retention::old_correlations(&mut reader, ORG, at(0), first, 9).await.unwrap();
    assert_eq!((keys.len(), last, rows.len()), (1, Some(keys[0]), 1));
    assert_eq!(retention::old_identities(&mut reader, ORG, at(0), keys[0], 9).await.unwrap(), (vec![], None), "the walk ends");
    assert_eq!(retention::old_correlations(&mut reader, ORG, at(0), rows[0], 9).await.unwrap(), (vec![], None));
    let mut tx = store.begin(at(DAY_MS)).await.unwrap();
    assert_eq!(retention::forget_identities(&mut tx, OTHER, &keys, at(0)).await.unwrap(), 0);
    assert_eq!(retention::forget_identities(&mut tx, ORG, &keys, at(-1)).await.unwrap(), 0, "it was renewed meanwhile");
    assert_eq!(retention::forget_identities(&mut tx, ORG, &keys, at(0)).await.unwrap(), 1);
    assert_eq!(retention::forget_correlations(&mut tx, OTHER, &rows).await.unwrap(), 0);
    assert_eq!(retention::forget_correlations(&mut tx, ORG, &rows).await.unwrap(), 1);
}

#[tokio::test]
async fn every_change_of_definitions_raises_the_generation() {
    let (store, mut reader) = store().await;
    let mut seen = Vec::new();
    for source in ["one", "one", "two"] {
        commit(&store, async |tx| store.publish(tx, ORG, "w", source, source, 1).await.unwrap()).await;
        let row = reader.fetch_one("SELECT definition_generation FROM engine_organisations WHERE organisation = $1", args![ORG]).await.unwrap();
        seen.push(row.get::<i64>("definition_generation").unwrap());
    }
    commit(&store, async |tx| store.set_current(tx, ORG, "w", None).await.unwrap()).await;
    let row = reader.fetch_one("SELECT definition_generation FROM engine_organisations WHERE organisation = $1", args![ORG]).await.unwrap();
    seen.push(row.get::<i64>("definition_generation").unwrap());
    assert_eq!(seen, [1, 1, 2, 3]);
}

#[tokio::test]
async fn a_paused_workflow_stays_paused_over_a_new_version() {
    let (store, _) = store().await;
    commit(&store, async |tx| {
        store.publish(tx, ORG, "w", "one", "one", 1).await.unwrap();
        assert!(set_workflow_paused(tx, ORG, "w", true).await.unwrap());
        assert!(!set_workflow_paused(tx, OTHER, "w", false).await.unwrap());
        assert!(store.publish(tx, ORG, "w", "two", "two", 1).await.unwrap().paused);
    })
    .await;
    assert!(store.current_versions().await.unwrap().iter().all(|version| version.paused && version.version == 2));
    commit(&store, async |tx| assert!(set_workflow_paused(tx, ORG, "w", false).await.unwrap())).await;
    assert!(store.version(ORG, "w", 2).await.unwrap().is_some_and(|version| !version.paused));
}
