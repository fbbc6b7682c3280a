//! Checkpoints (SEMANTICS.md 19).

use super::fixture::{at, commit_at, entries, look, org, organisation, row, run_id, write};
use onward_core::{
    history::{Entry, Fact},
    ports::{Checkpoint, ResumedRun, RunStatus, RunWrite, Store},
};
use serde_json::json;

const REVISION: u32 = 7;

fn checkpoint(seq: u64) -> Checkpoint {
    Checkpoint { organisation: org(), run_id: run_id(1), seq, revision: REVISION, content: format!("what was {seq}, in a form of its own") }
}

/// A run of six entries in three transitions.
async fn six_entries<S: Store>(store: &S) {
    let entry = |seq: u64| Entry { seq, at: at(4), step: None, fact: Fact::Resumed { by: "me".into() } };
    let write = |first: u64| RunWrite {
        entries: vec![entry(first), entry(first + 1)],
        row: (first == 1).then(|| row(run_id(1), RunStatus::Waiting)),
        ..write(run_id(1))
    };
    commit_at(store, at(4), async |tx| store.write_runs(tx, &[1, 3, 5].map(write)).await.expect("write_runs")).await;
}

async fn keep<S: Store>(store: &S, checkpoint: Checkpoint) {
    commit_at(store, at(5), async |tx| store.keep_checkpoints(tx, &[checkpoint]).await.expect("keep_checkpoints")).await;
}

/// The checkpoint, and which entries come with it.
async fn resumed<S: Store>(store: &S) -> (Option<Checkpoint>, Vec<u64>) {
    let found = look(store, async |tx| store.resume_runs(tx, &[run_id(9), run_id(1)], REVISION).await.expect("resume_runs")).await;
    assert_eq!(found.len(), 1, "missing ones are left out");
    let committed = store.resume_committed_runs(&[run_id(9), run_id(1)], REVISION).await.expect("resume_committed_runs");
    assert_eq!(format!("{committed:?}"), format!("{found:?}"), "what is committed, read without a transaction");
    let ResumedRun { stored, checkpoint } = found.into_iter().next().expect("there").expect("readable");
    assert_eq!(stored.row.id, run_id(1));
    (checkpoint, stored.entries.iter().map(|entry| entry.seq).collect())
}

/// The history from its entry on, wherever in a transition that is; one of another revision counts for nothing.
pub async fn a_run_is_taken_up_from_its_checkpoint<S: Store>(store: &S) {
    six_entries(store).await;
    assert_eq!(resumed(store).await, (None, vec![1, 2, 3, 4, 5, 6]));
    for (seq, entries) in [(1, vec![1, 2, 3, 4, 5, 6]), (2, vec![2, 3, 4, 5, 6]), (3, vec![3, 4, 5, 6]), (6, vec![6])] {
        keep(store, checkpoint(seq)).await;
        assert_eq!(resumed(store).await, (Some(checkpoint(seq)), entries), "the last one counts");
    }
    let whole = look(store, async |tx| store.load_runs(tx, &[run_id(1)]).await.expect("load_runs")).await;
    assert_eq!(whole[0].as_ref().expect("readable").entries.len(), 6, "who wants the history gets all of it");
    keep(store, Checkpoint { revision: REVISION + 1, ..checkpoint(6) }).await;
    assert_eq!(resumed(store).await, (None, vec![1, 2, 3, 4, 5, 6]));
}

/// Values that lie apart come back, too.
pub async fn what_lies_apart_comes_back_behind_a_checkpoint<S: Store>(store: &S) {
    let large = |seq| json!({ "seq": seq, "text": "x".repeat(5_000) });
    let written = |seq: u64| RunWrite { entries: entries(seq, large(seq)), row: (seq == 1).then(|| row(run_id(1), RunStatus::Running)), ..write(run_id(1)) };
    commit_at(store, at(4), async |tx| store.write_runs(tx, &[1, 3, 5].map(written)).await.expect("write_runs")).await;
    keep(store, checkpoint(4)).await;
    let found = look(store, async |tx| store.resume_runs(tx, &[run_id(1)], REVISION).await.expect("resume_runs")).await;
    let run = &found[0].as_ref().expect("readable").stored;
    assert_eq!(run.entries, [&entries(3, large(3))[1..], &entries(5, large(5))].concat());
    assert_eq!(run.row, row(run_id(1), RunStatus::Running));
}

/// Its entry is not there, so that whoever takes the run up sees it.
pub async fn a_checkpoint_that_is_ahead_of_the_history_shows<S: Store>(store: &S) {
    six_entries(store).await;
    keep(store, checkpoint(9)).await;
    assert_eq!(resumed(store).await, (Some(checkpoint(9)), vec![]));
}

/// What is rolled back was never kept.
pub async fn a_checkpoint_goes_with_its_transaction<S: Store>(store: &S) {
    six_entries(store).await;
    keep(store, checkpoint(2)).await;
    look(store, async |tx| {
        store.keep_checkpoints(tx, &[checkpoint(4)]).await.expect("keep_checkpoints");
        let committed = store.resume_committed_runs(&[run_id(1)], REVISION).await.expect("resume_committed_runs");
        let kept = committed[0].as_ref().expect("readable").checkpoint.clone();
        assert_eq!(kept, Some(checkpoint(2)), "what is under way is nobody's");
    })
    .await;
    assert_eq!(resumed(store).await.0, Some(checkpoint(2)));
}

/// Of a run that has ended none stays; another organisation's is not ours to drop.
pub async fn a_checkpoint_is_dropped<S: Store>(store: &S) {
    six_entries(store).await;
    keep(store, checkpoint(2)).await;
    commit_at(store, at(6), async |tx| store.drop_checkpoints(tx, organisation(2), &[run_id(1)]).await.expect("drop_checkpoints")).await;
    assert_eq!(resumed(store).await.0, Some(checkpoint(2)));
    commit_at(store, at(6), async |tx| store.drop_checkpoints(tx, org(), &[run_id(9), run_id(1)]).await.expect("drop_checkpoints")).await;
    assert_eq!(resumed(store).await, (None, vec![1, 2, 3, 4, 5, 6]));
}

/// Nobody writes over what is another's.
pub async fn checkpoints_stay_in_their_organisation<S: Store>(store: &S) {
    six_entries(store).await;
    keep(store, checkpoint(2)).await;
    keep(store, Checkpoint { organisation: organisation(2), ..checkpoint(4) }).await;
    assert_eq!(resumed(store).await.0, Some(checkpoint(2)));
}
