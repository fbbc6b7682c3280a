//! Runs that may move to another version (SEMANTICS.md 28).

use super::fixture::{org, organisation, row, run_id, store_runs};
use onward_core::{
    RunId,
    ports::{RunRow, RunStatus, Store},
};

/// Those that wait or are paused, of the wanted versions, of one workflow of one organisation, page by page.
pub async fn runs_at_rest_are_found_by_their_version<S: Store>(store: &S) {
    let on = |number: u128, status, version| RunRow { version, ..row(run_id(number), status) };
    let rows = [
        on(1, RunStatus::Waiting, 1),
        on(2, RunStatus::Paused, 2),
        on(3, RunStatus::Running, 1),
        on(4, RunStatus::Waiting, 3),
        on(5, RunStatus::Completed, 1),
        RunRow { workflow: "another".into(), ..on(6, RunStatus::Waiting, 1) },
        RunRow { organisation: organisation(2), ..on(7, RunStatus::Waiting, 1) },
        on(8, RunStatus::Waiting, 1),
    ];
    let workflow = rows[0].workflow.clone();
    store_runs(store, rows).await;
    let found = async |on, not_on, after: Option<u128>, limit| {
        let found = store.runs_on_versions(org(), &workflow, on, not_on, after.map(run_id), limit).await;
        found.expect("runs_on_versions")
    };
    let ids = |numbers: &[u128]| -> Vec<RunId> { numbers.iter().map(|number| run_id(*number)).collect() };
    assert_eq!(found(None, None, None, 9).await, ids(&[1, 2, 4, 8]));
    assert_eq!(found(None, Some(3), None, 9).await, ids(&[1, 2, 8]));
    assert_eq!(found(Some(1), Some(3), None, 9).await, ids(&[1, 8]));
    assert_eq!(found(Some(1), None, Some(1), 9).await, ids(&[8]));
    assert_eq!(found(None, None, None, 2).await, ids(&[1, 2]));
}
