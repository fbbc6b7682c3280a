//! What people hold (SEMANTICS.md 29).

use super::fixture::{at, commit_at, look, org, organisation, row, run_id, store_runs};
use onward_core::ports::{Pause, PauseScope, RunRow, RunStatus, Store};

/// Each scope once, whole; the first pause of a scope stands.
pub async fn pauses_come_and_go<S: Store>(store: &S) {
    let scopes = [
        PauseScope::Everything,
        PauseScope::Organisation(org()),
        PauseScope::Organisation(organisation(2)),
        PauseScope::Step { organisation: org(), workflow: "w".into(), step: "a".into() },
        PauseScope::Version { organisation: org(), workflow: "w".into(), version: 3 },
        PauseScope::Starts { organisation: org(), workflow: "w".into(), version: 3 },
    ];
    let pause = |scope: &PauseScope, by: &str| Pause { scope: scope.clone(), at: at(4), by: by.into(), reason: (by == "first").then(|| "why".into()) };
    commit_at(store, at(4), async |tx| {
        for scope in &scopes {
            store.add_pause(tx, &pause(scope, "first")).await.expect("add_pause");
            store.add_pause(tx, &pause(scope, "second")).await.expect("add_pause");
        }
    })
    .await;
    let stored = store.pauses().await.expect("pauses");
    assert_eq!(stored.len(), scopes.len());
    assert!(scopes.iter().all(|scope| stored.contains(&pause(scope, "first"))), "{stored:#?}");
    let removed = commit_at(store, at(5), async |tx| {
        let other = PauseScope::Step { organisation: organisation(2), workflow: "w".into(), step: "a".into() };
        let mut removed = Vec::new();
        for scope in [&scopes[0], &scopes[0], &scopes[3], &other] {
            removed.push(store.remove_pause(tx, scope).await.expect("remove_pause"));
        }
        removed
    })
    .await;
    assert_eq!(removed, [true, false, true, false]);
    assert_eq!(store.pauses().await.expect("pauses").len(), 4);
}

/// Over all organisations, page by page, with what they wait for.
pub async fn paused_runs_come_in_pages<S: Store>(store: &S) {
    let rows = (1..=5).map(|number| {
        let status = if number == 3 { RunStatus::Waiting } else { RunStatus::Paused };
        let whose = if number == 2 { organisation(2) } else { org() };
        RunRow { organisation: whose, waiting_on: serde_json::json!({ "n": u64::try_from(number).unwrap_or(0) }), ..row(run_id(number), status) }
    });
    store_runs(store, rows).await;
    let page = async |after: Option<u128>| look(store, async |tx| store.paused_runs(tx, after.map(run_id), 2).await.expect("paused_runs")).await;
    assert_eq!(page(None).await, [1, 2].map(|number| (run_id(number), serde_json::json!({ "n": u64::try_from(number).unwrap_or(0) }))));
    assert_eq!(page(Some(2)).await.into_iter().map(|(run, _)| run).collect::<Vec<_>>(), [4, 5].map(run_id));
    assert!(page(Some(5)).await.is_empty());
}
