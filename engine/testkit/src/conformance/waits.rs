//! The correlation index.

use super::fixture::{at, commit_at, correlation, look, org, run_id, wait, write, write_runs};
use onward_core::ports::{OpenWait, RunWrite, Store};

async fn find<S: Store>(store: &S, values: &[&str]) -> Vec<OpenWait> {
    let correlations: Vec<_> = values.iter().map(|value| correlation(value)).collect();
    let mut found = look(store, async |tx| store.find_waits(tx, org(), &correlations, 99).await.expect("find_waits")).await;
    found.sort_by(|a, b| (a.run_id, &a.target, &a.which).cmp(&(b.run_id, &b.target, &b.which)));
    found
}

/// Several runs, several names of one step, several correlations of one event.
pub async fn a_wait_is_found_by_its_correlation<S: Store>(store: &S) {
    let named = |which: &str, value| OpenWait { which: which.into(), ..wait(run_id(1), "reply", value) };
    let (paid, refused, exit) = (named("paid", "p"), named("refused", "r"), wait(run_id(1), "$exit.0", "p"));
    let other = wait(run_id(2), "reply", "p");
    write_runs(
        store,
        &[
            RunWrite { waits_opened: vec![paid.clone(), refused.clone(), exit.clone()], ..write(run_id(1)) },
            RunWrite { waits_opened: vec![other.clone()], ..write(run_id(2)) },
        ],
    )
    .await;
    assert_eq!(find(store, &["p"]).await, [exit.clone(), paid.clone(), other.clone()]);
    assert_eq!(find(store, &["r", "p", "p"]).await, [exit, paid, refused.clone(), other]);
    assert_eq!(find(store, &["r"]).await, [refused]);
    assert_eq!(find(store, &["nobody"]).await, []);
    assert_eq!(find(store, &[]).await, []);
    let limited = look(store, async |tx| store.find_waits(tx, org(), &[correlation("p")], 2).await.expect("find_waits")).await;
    assert_eq!(limited.len(), 2);
}

/// All names of a target go, and no other target's.
pub async fn a_closed_target_is_found_no_more<S: Store>(store: &S) {
    let second = OpenWait { which: "second".into(), ..wait(run_id(1), "reply", "p") };
    let kept = [wait(run_id(1), "reply2", "p"), wait(run_id(2), "reply", "p")];
    write_runs(
        store,
        &[
            RunWrite { waits_opened: vec![wait(run_id(1), "reply", "p"), second, kept[0].clone()], ..write(run_id(1)) },
            RunWrite { waits_opened: vec![kept[1].clone()], ..write(run_id(2)) },
        ],
    )
    .await;
    write_runs(store, &[RunWrite { waits_closed: vec!["reply".into(), "never.opened".into()], ..write(run_id(1)) }]).await;
    assert_eq!(find(store, &["p"]).await, kept);
}

/// Within one write closing goes before opening; several writes of one run go in their order.
pub async fn a_wait_opened_again_listens_to_the_new_value<S: Store>(store: &S) {
    let opened = |value| RunWrite { waits_opened: vec![wait(run_id(1), "reply", value)], ..write(run_id(1)) };
    let closed = || RunWrite { waits_closed: vec!["reply".into()], ..write(run_id(1)) };
    write_runs(store, &[opened("a")]).await;
    write_runs(store, &[opened("b")]).await;
    assert_eq!((find(store, &["a"]).await.len(), find(store, &["b"]).await.len()), (0, 1));
    write_runs(store, &[RunWrite { waits_closed: vec!["reply".into()], ..opened("c") }]).await;
    assert_eq!((find(store, &["b"]).await.len(), find(store, &["c"]).await.len()), (0, 1));
    write_runs(store, &[closed(), opened("d")]).await;
    assert_eq!((find(store, &["c"]).await.len(), find(store, &["d"]).await.len()), (0, 1));
    write_runs(store, &[opened("e"), closed()]).await;
    assert_eq!(find(store, &["c", "d", "e"]).await, []);
}

/// They are read by whoever takes events in.
pub async fn shapes_are_remembered_once<S: Store>(store: &S) {
    let shape = |kind: &str, paths: &[&str]| (org(), kind.to_owned(), paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>());
    let shapes = [shape("a", &["x", "y.z"]), shape("a", &[]), shape("b", &["x"])];
    for _ in 0..2 {
        commit_at(store, at(0), async |tx| store.add_wait_shapes(tx, &shapes).await.expect("add_wait_shapes")).await;
    }
    let mut read = store.wait_shapes().await.expect("wait_shapes");
    read.sort();
    assert_eq!(read, [shapes[1].clone(), shapes[0].clone(), shapes[2].clone()]);
}
