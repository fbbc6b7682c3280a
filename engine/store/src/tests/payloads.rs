use super::{ORG, OTHER, commit, row, run_id, store, write};
use crate::{erase_payloads, queries};
use onward_core::ports::{Checkpoint, RunStatus, RunWrite, Store as _, StoreError};
use onward_database::{Query as _, args};
use onward_testkit::HistoryBuilder;
use serde_json::json;

#[tokio::test]
async fn erasing_a_person_leaves_sequence_kinds_and_decisions() {
    let (store, mut reader) = store().await;
    let large = json!("x".repeat(5_000));
    let entries = HistoryBuilder::started("welcome", json!({ "phone": "+919812345678" })).step("a", "debug.echo", json!({ "n": 1 }), large.clone()).build();
    let run = row(1, RunStatus::Running);
    let (personal, plain) = (RunWrite { personal: true, ..write(&run, entries[..1].to_vec()) }, RunWrite { row: None, ..write(&run, entries[1..].to_vec()) });
    commit(&store, async |tx| store.write_runs(tx, &[personal, plain]).await.unwrap()).await;
    let texts: Vec<String> = reader
        .fetch_all("SELECT h.entries || r.input AS text FROM history AS h, runs AS r", args![])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get("text").unwrap())
        .collect();
    assert!(texts.iter().all(|text| !text.contains("+919812345678")), "{texts:?}");

    assert_eq!(commit(&store, async |tx| erase_payloads(tx, OTHER, &[run.id]).await.unwrap()).await, 0);
    let before = queries::stored_run(&mut reader, ORG, run.id).await.unwrap().unwrap();
    assert_eq!((before.row, before.entries), (run.clone(), entries.clone()));
    assert!(commit(&store, async |tx| erase_payloads(tx, ORG, &[run.id, run_id(9)]).await.unwrap()).await > 0);
    let after = queries::stored_run(&mut reader, ORG, run.id).await.unwrap().unwrap();
    let shape =
        |entries: &[onward_core::history::Entry]| entries.iter().map(|entry| (entry.seq, entry.at, entry.fact.kind(), entry.step.clone())).collect::<Vec<_>>();
    assert_eq!(shape(&after.entries), shape(&entries));
    assert_eq!(after.entries[1..], entries[1..], "what is large and not personal stays");
    let text = serde_json::to_string(&(after.row, &after.entries[0])).unwrap();
    assert!(text.contains("$erased") && !text.contains("+919812345678"), "{text}");
}

#[tokio::test]
async fn a_damaged_history_is_an_error_of_its_run_alone() {
    let (store, _) = store().await;
    let writes = [1, 2, 3].map(|number| write(&row(number, RunStatus::Running), HistoryBuilder::started("welcome", json!(number)).build()));
    commit(&store, async |tx| store.write_runs(tx, &writes).await.unwrap()).await;
    commit(&store, async |tx| {
        tx.execute("UPDATE history SET entries = 'no json' WHERE run = $1", args![run_id(2)]).await.unwrap();
    })
    .await;
    let loaded = commit(&store, async |tx| store.load_runs(tx, &[1, 2, 3].map(run_id)).await.unwrap()).await;
    let [Ok(_), Err((run, StoreError::Corrupt { what, .. })), Ok(_)] = &loaded[..] else { panic!("{loaded:?}") };
    assert_eq!(*run, run_id(2));
    assert!(what.contains(&run.to_string()), "{what}");
}

#[tokio::test]
async fn a_checkpoint_does_not_outlive_what_was_erased() {
    let (store, mut reader) = store().await;
    let run = row(1, RunStatus::Running);
    let checkpoint = Checkpoint { organisation: ORG, run_id: run.id, seq: 1, revision: 1, content: "+919812345678".to_owned() };
    let personal = RunWrite { personal: true, ..write(&run, HistoryBuilder::started("welcome", json!({ "phone": "+919812345678" })).build()) };
    let kept = async |reader: &mut onward_database::Reader| reader.fetch_all("SELECT state FROM checkpoints", args![]).await.unwrap().len();
    commit(&store, async |tx| {
        store.write_runs(tx, &[personal]).await.unwrap();
        store.keep_checkpoints(tx, std::slice::from_ref(&checkpoint)).await.unwrap();
    })
    .await;
    assert_eq!(commit(&store, async |tx| erase_payloads(tx, OTHER, &[run.id]).await.unwrap()).await, 0);
    assert_eq!(kept(&mut reader).await, 1);
    commit(&store, async |tx| erase_payloads(tx, ORG, &[run.id]).await.unwrap()).await;
    assert_eq!(kept(&mut reader).await, 0);
    commit(&store, async |tx| store.keep_checkpoints(tx, std::slice::from_ref(&checkpoint)).await.unwrap()).await;
    assert_eq!(kept(&mut reader).await, 0, "the run may be in memory still, and know what was erased");
}
