//! Runs, their histories and what is known of their keys.

use super::fixture::{at, attempt, commit_at, entries, every_shard, history, look, org, row, run_id, store_runs, write, write_runs};
use onward_core::{
    RunId, Shard,
    history::{Entry, Fact},
    ports::{KeyState, Lease, RunRow, RunStatus, RunWrite, Store, StoreError},
};
use serde_json::json;

async fn load<S: Store>(store: &S, ids: &[RunId]) -> Vec<(RunRow, Vec<Entry>)> {
    let loaded = look(store, async |tx| store.load_runs(tx, ids).await.expect("load_runs")).await;
    loaded.into_iter().map(|run| run.expect("the history can be read")).map(|run| (run.row, run.entries)).collect()
}

/// Missing ones are left out.
pub async fn the_shards_of_runs_are_told<S: Store>(store: &S) {
    store_runs(store, [row(run_id(1), RunStatus::Running), RunRow { shard: Shard(9), ..row(run_id(2), RunStatus::Held) }]).await;
    let mut told = look(store, async |tx| store.shards_of(tx, &[1, 2, 3].map(run_id)).await.expect("shards_of")).await;
    told.sort_unstable();
    assert_eq!(told, [(run_id(1), org(), Shard(7)), (run_id(2), org(), Shard(9))]);
}

/// Every field of the row in every state, and the history in order.
pub async fn a_run_comes_back_whole<S: Store>(store: &S) {
    use RunStatus::{Cancelled, Completed, Failed, Held, Paused, Running, Waiting};
    for (number, status) in (1..).zip([Held, Running, Waiting, Paused, Completed, Failed, Cancelled]) {
        let run = run_id(number);
        let started = RunWrite { entries: entries(1, json!({ "n": 1 })), row: Some(row(run, Running)), ..write(run) };
        write_runs(store, &[started]).await;
        write_runs(store, &[RunWrite { entries: entries(3, json!("two")), row: Some(row(run, status)), ..write(run) }]).await;
        write_runs(store, &[RunWrite { entries: entries(5, json!(null)), ..write(run) }]).await;
        let loaded = load(store, &[run]).await;
        assert_eq!(loaded, [(row(run, status), [entries(1, json!({ "n": 1 })), entries(3, json!("two")), entries(5, json!(null))].concat())]);
    }
}

/// Missing ones are left out.
pub async fn runs_come_in_the_order_asked_for<S: Store>(store: &S) {
    store_runs(store, (1..=9).map(|number| row(run_id(number), RunStatus::Running))).await;
    let asked: Vec<_> = [7, 2, 99, 9, 1].map(run_id).into();
    assert_eq!(load(store, &asked).await.into_iter().map(|(row, _)| row.id).collect::<Vec<_>>(), [7, 2, 9, 1].map(run_id));
    assert!(load(store, &[]).await.is_empty());
}

/// `(run, seq)` is the second fence: nothing of the later writer's batch is kept once it is rolled back.
pub async fn an_entry_is_written_once<S: Store>(store: &S) {
    write_runs(store, &[RunWrite { entries: entries(1, json!("first")), row: Some(row(run_id(1), RunStatus::Running)), ..write(run_id(1)) }]).await;
    let refused = attempt(store, async |tx| {
        let fine = RunWrite { entries: entries(1, json!("x")), row: Some(row(run_id(2), RunStatus::Running)), ..write(run_id(2)) };
        let late = RunWrite { entries: entries(1, json!("second")), ..write(run_id(1)) };
        store.write_runs(tx, &[fine, late]).await
    })
    .await;
    assert_eq!(refused, Err(StoreError::HistoryConflict { run_id: run_id(1), seq: 1 }));
    assert_eq!(history(store, run_id(1)).await, entries(1, json!("first")));
    assert!(load(store, &[run_id(2)]).await.is_empty());
}

/// Two transitions that claim one place.
pub async fn a_conflict_within_a_batch_is_found<S: Store>(store: &S) {
    let twice = [1, 1].map(|seq| RunWrite { entries: entries(seq, json!(0)), ..write(run_id(3)) });
    let refused = attempt(store, async |tx| store.write_runs(tx, &twice).await).await;
    assert_eq!(refused, Err(StoreError::HistoryConflict { run_id: run_id(3), seq: 1 }));
}

/// A batch may hold several transitions of one run: all of history, the last word of the rest.
pub async fn several_transitions_of_one_run_fold<S: Store>(store: &S) {
    let run = run_id(1);
    let timer = |name: &str, due| (name.to_owned(), at(due));
    let first = RunWrite {
        entries: entries(1, json!(1)),
        row: Some(row(run, RunStatus::Running)),
        timers_set: vec![timer("moved", 10), timer("gone", 10), timer("back", 10)],
        ..write(run)
    };
    let second = RunWrite {
        entries: entries(3, json!(2)),
        row: Some(row(run, RunStatus::Waiting)),
        timers_cleared: vec!["gone".into(), "back".into()],
        timers_set: vec![timer("moved", 20)],
        ..write(run)
    };
    let third = RunWrite { entries: entries(5, json!(3)), timers_cleared: vec!["back".into()], timers_set: vec![timer("back", 30)], ..write(run) };
    write_runs(store, &[first, second, third]).await;
    let [(row, entries)] = &load(store, &[run]).await[..] else { unreachable!("one run was stored") };
    assert_eq!((row.status, entries.len()), (RunStatus::Waiting, 6));
    let timers = store.timers_due(&every_shard(), at(99), 99).await.expect("timers_due");
    assert_eq!(timers.into_iter().map(|timer| (timer.key, timer.due)).collect::<Vec<_>>(), [timer("moved", 20), timer("back", 30)]);
}

/// They lie apart from their entries (SEMANTICS.md 17), and nobody notices.
pub async fn personal_and_large_payloads_come_back<S: Store>(store: &S) {
    let run = run_id(1);
    let large = json!({ "text": "é\"\\".repeat(5_000), "n": 1 });
    let personal = json!({ "phone": "+919812345678" });
    let stored = RunRow { input: personal.clone(), output: large.clone(), ..row(run, RunStatus::Completed) };
    write_runs(
        store,
        &[
            RunWrite { entries: entries(1, large.clone()), ..write(run) },
            RunWrite { entries: entries(3, personal.clone()), personal: true, row: Some(stored.clone()), ..write(run) },
            // The same values once more: they are stored once.
            RunWrite { entries: entries(5, large.clone()), ..write(run) },
            RunWrite { entries: entries(7, personal.clone()), personal: true, ..write(run) },
        ],
    )
    .await;
    let whole = [entries(1, large.clone()), entries(3, personal.clone()), entries(5, large), entries(7, personal)].concat();
    assert_eq!(load(store, &[run]).await, [(stored, whole)]);
}

/// What a user or a provider wrote is never taken for our own mark.
pub async fn what_looks_like_a_payload_reference_comes_back<S: Store>(store: &S) {
    let forged = [json!({ "$payload": "00" }), json!({ "$erased": "00" }), json!({ "$payload": "ab".repeat(32), "more": 1 }), json!("$payload")];
    for (number, value) in (1..).zip(forged) {
        let run = run_id(number);
        let stored = RunRow { input: value.clone(), ..row(run, RunStatus::Running) };
        write_runs(store, &[RunWrite { entries: entries(1, value.clone()), row: Some(stored.clone()), ..write(run) }]).await;
        assert_eq!(load(store, &[run]).await, [(stored, entries(1, value))]);
    }
}

/// By id, in pages, of the shards that are named.
pub async fn running_runs_are_listed_by_shard<S: Store>(store: &S) {
    let of = |number, shard, status| RunRow { shard: Shard(shard), ..row(run_id(number), status) };
    let rows =
        [of(5, 1, RunStatus::Running), of(3, 2, RunStatus::Running), of(4, 1, RunStatus::Waiting), of(1, 1, RunStatus::Running), of(2, 9, RunStatus::Running)];
    store_runs(store, rows).await;
    let leases = [1, 2].map(|shard| Lease { shard: Shard(shard), epoch: 1 });
    let page = async |after, limit| store.running_runs(&leases, after, limit).await.expect("running_runs");
    assert_eq!(page(None, 2).await, [1, 3].map(run_id));
    assert_eq!(page(Some(run_id(3)), 2).await, [run_id(5)]);
    assert_eq!(page(Some(run_id(5)), 2).await, []);
}

/// Its history stays as it is, and it is not taken up again.
pub async fn a_quarantined_run_is_paused<S: Store>(store: &S) {
    write_runs(store, &[RunWrite { entries: entries(1, json!(1)), row: Some(row(run_id(1), RunStatus::Running)), ..write(run_id(1)) }]).await;
    commit_at(store, at(1), async |tx| store.quarantine_run(tx, org(), run_id(1), "it cannot be folded").await.expect("quarantine_run")).await;
    let [(row, stored)] = &load(store, &[run_id(1)]).await[..] else { unreachable!("one run was stored") };
    assert_eq!((row.status, stored.len()), (RunStatus::Paused, 2));
    assert!(row.waiting_on.to_string().contains("it cannot be folded"));
    assert_eq!(store.running_runs(&every_shard(), None, 9).await.expect("running_runs"), []);
}

/// Who lives, oldest first; who is held does not live yet.
pub async fn a_key_knows_its_runs<S: Store>(store: &S) {
    use RunStatus::{Completed, Held, Paused, Running, Waiting};
    let of = |number, status, key: &str| RunRow { key: key.into(), ..row(run_id(number), status) };
    let rows = [of(4, Running, "k"), of(2, Waiting, "k"), of(3, Paused, "k"), of(1, Held, "k"), of(5, Completed, "k"), of(6, Running, "other")];
    store_runs(store, rows).await;
    store_runs(store, [RunRow { workflow: "else".into(), ..of(7, Running, "k") }]).await;
    let state = async |key: &str| look(store, async |tx| store.key_state(tx, org(), "welcome", key).await.expect("key_state")).await;
    assert_eq!(state("k").await, KeyState { live: [2, 3, 4].map(run_id).into(), last_ended_at: Some(at(9)), ..KeyState::default() });
    assert_eq!(state("nobody").await, KeyState::default());
    store_runs(store, [of(2, Completed, "k")]).await;
    assert_eq!(state("k").await.live, [3, 4].map(run_id));
}

/// The latest end counts, whatever the order in which ends are written.
pub async fn the_last_end_of_a_key_is_kept<S: Store>(store: &S) {
    for (number, ended_at) in [(1, 50), (2, 70), (3, 60)] {
        let ended = RunRow { ended_at: Some(at(ended_at)), ..row(run_id(number), RunStatus::Failed) };
        store_runs(store, [row(run_id(number), RunStatus::Running)]).await;
        store_runs(store, [ended]).await;
    }
    let state = look(store, async |tx| store.key_state(tx, org(), "welcome", "asha").await.expect("key_state")).await;
    assert_eq!(state, KeyState { live: Vec::new(), last_ended_at: Some(at(70)), ..KeyState::default() });
}

/// The first assignment wins for (workflow, step, by) (SEMANTICS.md 35).
pub async fn a_variant_is_assigned_once<S: Store>(store: &S) {
    let assign = async |workflow: &str, step: &str, by: &str, proposal: &str| {
        commit_at(store, at(0), async |tx| store.assign_variant(tx, org(), workflow, &step.into(), by, proposal).await.expect("assign_variant")).await
    };
    assert_eq!(assign("w", "s", "c1", "short").await, ("short".into(), false));
    assert_eq!(assign("w", "s", "c1", "long").await, ("short".into(), true));
    assert_eq!(assign("w", "s", "c2", "long").await, ("long".into(), false));
    assert_eq!(assign("w", "t", "c1", "long").await, ("long".into(), false));
    assert_eq!(assign("v", "s", "c1", "long").await, ("long".into(), false));
}

/// More than any statement may have parameters.
pub async fn a_large_batch_is_written_whole<S: Store>(store: &S) {
    let writes: Vec<_> = (1..=5_000)
        .map(|number| {
            let started = Fact::VarsSet { values: [("n".to_owned(), json!(number.to_string()))].into_iter().collect() };
            let entries = vec![Entry { seq: 1, at: at(1), step: None, fact: started }];
            RunWrite { entries, row: Some(row(run_id(number), RunStatus::Running)), timers_set: vec![("t".into(), at(1))], ..write(run_id(number)) }
        })
        .collect();
    write_runs(store, &writes).await;
    let ids: Vec<_> = writes.iter().map(|write| write.run_id).collect();
    let loaded = load(store, &ids).await;
    assert_eq!(loaded.len(), ids.len());
    assert!(loaded.iter().zip(&writes).all(|((row, entries), write)| row.id == write.run_id && *entries == write.entries));
    assert_eq!(store.timers_due(&every_shard(), at(1), 9_999).await.expect("timers_due").len(), ids.len());
}

/// A held start is a run without history; what it starts with, and when, is known once it does.
pub async fn a_held_run_becomes_what_starts<S: Store>(store: &S) {
    let held = row(run_id(1), RunStatus::Held);
    let started = RunRow { input: json!({ "last": "of the burst" }), event_id: None, started_at: at(7), version: 4, ..row(run_id(1), RunStatus::Running) };
    let later = RunRow { input: json!("ignored"), event_id: held.event_id, ..row(run_id(1), RunStatus::Completed) };
    let read = async || {
        let loaded = look(store, async |tx| store.load_runs(tx, &[run_id(1)]).await.expect("load_runs")).await;
        loaded.into_iter().next().expect("it is there").expect("it can be read")
    };
    store_runs(store, [held.clone()]).await;
    let stored = read().await;
    assert_eq!((stored.row, stored.entries.len()), (held, 0));
    store_runs(store, [started.clone()]).await;
    assert_eq!(read().await.row, started);
    store_runs(store, [later.clone()]).await;
    assert_eq!(read().await.row, RunRow { input: started.input, event_id: None, ..later });
}
