//! Held starts, permits and rates (SEMANTICS.md 22 to 24).

use super::fixture::{at, commit_at, look, org, organisation, run_id};
use onward_core::{
    EventId, OrganisationId, RunId, Shard,
    history::Parent,
    machine::LimitKey,
    ports::{HeldQueue, HeldStart, KeyState, Store},
};
use serde_json::json;
use uuid::Uuid;

fn key_queue(key: &str) -> HeldQueue {
    HeldQueue::Key { workflow: "welcome".into(), key: key.into() }
}

fn limit(key: &str) -> LimitKey {
    LimitKey { name: "shared:erp".into(), key: key.into() }
}

/// A start of workflow `welcome` that is held in this queue.
pub(super) fn start(number: u128, key: &str, queue: HeldQueue) -> HeldStart {
    HeldStart {
        id: 0,
        organisation: org(),
        workflow: "welcome".into(),
        key: key.into(),
        trigger: number.is_multiple_of(2).then_some(3),
        event_id: number.is_multiple_of(2).then(|| EventId(Uuid::from_u128(number))),
        input: json!({ "n": "é\"" }),
        run_id: run_id(number),
        queue,
        reason: "because".into(),
        not_before: number.is_multiple_of(2).then(|| at(5)),
        priority: 5,
        depth: 3,
        held_at: at(1),
        parent: number.is_multiple_of(2).then(|| Parent { run_id: run_id(number + 100), step: "sub#2".into() }),
    }
}

async fn hold<S: Store>(store: &S, start: &HeldStart) -> i64 {
    commit_at(store, at(0), async |tx| store.hold_start(tx, start).await.expect("hold_start")).await
}

async fn next<S: Store>(store: &S, queue: &HeldQueue) -> Option<HeldStart> {
    look(store, async |tx| store.next_held(tx, org(), queue).await.expect("next_held")).await
}

async fn next_run<S: Store>(store: &S, queue: &HeldQueue) -> Option<RunId> {
    next(store, queue).await.map(|start| start.run_id)
}

async fn remove<S: Store>(store: &S, organisation: OrganisationId, id: i64) {
    commit_at(store, at(0), async |tx| store.remove_held(tx, organisation, id).await.expect("remove_held")).await;
}

/// In order of intake, key by key, whole.
pub async fn held_starts_leave_in_order<S: Store>(store: &S) {
    // Later ids and run ids first, an urgent one last: in a key's queue only the order of intake counts.
    let (first, second) = (start(9, "k", key_queue("k")), HeldStart { priority: 1, ..start(8, "k", key_queue("k")) });
    let (one, _, two) = (hold(store, &first).await, hold(store, &start(1, "other", key_queue("other"))).await, hold(store, &second).await);
    assert_eq!(next(store, &key_queue("k")).await, Some(HeldStart { id: one, ..first }));
    remove(store, organisation(2), one).await;
    assert!(next(store, &key_queue("k")).await.is_some_and(|start| start.id == one), "another organisation removes nothing here");
    remove(store, org(), one).await;
    assert_eq!(next(store, &key_queue("k")).await, Some(HeldStart { id: two, ..second }));
    remove(store, org(), two).await;
    assert_eq!(next(store, &key_queue("k")).await, None);
    assert!(next(store, &key_queue("other")).await.is_some());
}

/// In a limit's queue priority 1 goes first; among equals the order of intake counts.
pub async fn urgent_starts_leave_a_limit_first<S: Store>(store: &S) {
    let queue = HeldQueue::concurrency(&limit("a"));
    for (number, priority) in [(1, 5), (2, 10), (3, 1), (4, 5), (5, 1)] {
        hold(store, &HeldStart { priority, ..start(number, "k", queue.clone()) }).await;
    }
    let mut order = Vec::new();
    while let Some(start) = next(store, &queue).await {
        order.push(start.run_id);
        remove(store, org(), start.id).await;
    }
    assert_eq!(order, [3, 5, 1, 4, 2].map(run_id));
}

/// A start moves from queue to queue, keeps its number, and is found by its run.
pub async fn a_held_start_moves_and_keeps_its_number<S: Store>(store: &S) {
    let (concurrency, rate) = (HeldQueue::concurrency(&limit("a")), HeldQueue::rate(&limit("a")));
    let first = start(2, "k", concurrency.clone());
    let id = hold(store, &first).await;
    hold(store, &start(3, "k", rate.clone())).await;
    commit_at(store, at(0), async |tx| {
        store.move_held(tx, organisation(2), id, &key_queue("k"), "not yours", None).await.expect("move_held");
        store.move_held(tx, org(), id, &rate, "its turn", Some(at(7))).await.expect("move_held");
    })
    .await;
    assert_eq!(next(store, &concurrency).await, None);
    assert_eq!(next_run(store, &rate).await, Some(run_id(2)), "it was there first");
    let found = look(store, async |tx| {
        assert_eq!(store.held_start(tx, organisation(2), run_id(2)).await.expect("held_start"), None);
        store.held_start(tx, org(), run_id(2)).await.expect("held_start")
    })
    .await;
    assert_eq!(found, Some(HeldStart { id, queue: rate, reason: "its turn".into(), not_before: Some(at(7)), ..first }));
}

/// Each queue once, in a fixed order, page by page.
pub async fn queues_come_in_pages<S: Store>(store: &S) {
    let queues = [
        key_queue("a"),
        key_queue("b"),
        HeldQueue::concurrency(&limit("a")),
        HeldQueue::concurrency(&limit("")),
        HeldQueue::rate(&limit("a")),
        HeldQueue::Debounce { workflow: "welcome".into(), key: "k".into() },
        HeldQueue::Paused { workflow: "welcome".into() },
        HeldQueue::Person { workflow: "welcome".into() },
    ];
    for (number, queue) in queues.iter().chain(&queues).enumerate() {
        hold(store, &start(number as u128, "k", queue.clone())).await;
    }
    hold(store, &HeldStart { organisation: organisation(2), ..start(99, "k", key_queue("a")) }).await;
    let mut found = Vec::new();
    loop {
        let page = look(store, async |tx| store.held_queues(tx, found.last(), 3).await.expect("held_queues")).await;
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 3);
        found.extend(page);
    }
    let mut wanted: Vec<_> = queues.into_iter().map(|queue| (org(), queue)).collect();
    wanted.push((organisation(2), key_queue("a")));
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    assert!(wanted.iter().all(|queue| found.contains(queue)), "{found:#?}");
}

/// Bursts are found by their ends, over all organisations.
pub async fn bursts_end_in_order<S: Store>(store: &S) {
    let queue = |key: &str| HeldQueue::Debounce { workflow: "welcome".into(), key: key.into() };
    for (number, organisation, key, end) in [(1, org(), "a", 30), (2, organisation(2), "b", 10), (3, org(), "c", 20)] {
        hold(store, &HeldStart { organisation, not_before: Some(at(end)), ..start(number, key, queue(key)) }).await;
    }
    hold(store, &HeldStart { not_before: Some(at(1)), ..start(4, "d", HeldQueue::rate(&limit("d"))) }).await;
    let bursts = async |limit| look(store, async |tx| store.bursts(tx, limit).await.expect("bursts")).await;
    assert_eq!(bursts(2).await, [(organisation(2), queue("b"), at(10)), (org(), queue("c"), at(20))]);
    assert_eq!(bursts(9).await.len(), 3);
}

/// What waits for a person, and bursts that are not over, have no place in the order of intake of their key.
pub async fn a_key_knows_its_held_starts<S: Store>(store: &S) {
    let debounce = HeldQueue::Debounce { workflow: "welcome".into(), key: "k".into() };
    let queues = [debounce, HeldQueue::rate(&limit("a")), key_queue("k"), HeldQueue::Person { workflow: "welcome".into() }];
    let mut ids = Vec::new();
    for (number, queue) in queues.into_iter().enumerate() {
        ids.push(hold(store, &start(number as u128, "k", queue)).await);
    }
    let (key, others) = look(store, async |tx| {
        (store.key_state(tx, org(), "welcome", "k").await.expect("key_state"), store.key_state(tx, organisation(2), "welcome", "k").await.expect("key_state"))
    })
    .await;
    assert_eq!((key.oldest_held, key.newest_held), (Some(ids[1]), Some(ids[2])));
    assert_eq!(others, KeyState::default());
    let counts = look(store, async |tx| {
        let mut counts = Vec::new();
        for (whose, of, most) in [(org(), None, 99), (org(), Some(("welcome", "k")), 3), (org(), Some(("welcome", "x")), 9), (organisation(2), None, 9)] {
            counts.push(store.count_held(tx, whose, of, most).await.expect("count_held"));
        }
        counts
    })
    .await;
    assert_eq!(counts, [4, 3, 0, 0]);
}

/// No more permits than the limit has, counted apart by organisation, name and key.
pub async fn permits_are_counted_and_given_back<S: Store>(store: &S) {
    let take = async |whose, key: &str, run| {
        commit_at(store, at(0), async |tx| store.take_permit(tx, whose, &limit(key), Shard(7), run_id(run), 2).await.expect("take_permit")).await
    };
    let free = async |runs: &[u128]| {
        let runs: Vec<RunId> = runs.iter().map(|run| run_id(*run)).collect();
        commit_at(store, at(0), async |tx| store.release_permits(tx, &runs).await.expect("release_permits")).await
    };
    assert!(!store.permits_are_out().await.expect("permits_are_out"));
    assert!(take(org(), "a", 1).await && take(org(), "a", 2).await);
    assert!(store.permits_are_out().await.expect("permits_are_out"));
    assert!(!take(org(), "a", 3).await, "two are out");
    assert!(take(org(), "a", 1).await, "a run keeps what it has");
    assert!(take(org(), "b", 1).await && take(organisation(2), "a", 3).await, "other values and organisations count apart");
    assert_eq!(free(&[1, 9]).await, [(org(), limit("a")), (org(), limit("b"))]);
    assert_eq!(free(&[1]).await, []);
    assert!(take(org(), "a", 3).await && !take(org(), "a", 4).await);
    let undone = look(store, async |tx| store.release_permits(tx, &[run_id(2), run_id(3)]).await.expect("release_permits")).await;
    assert_eq!(undone.len(), 2, "once for each limit that has room now");
    assert!(!take(org(), "a", 4).await, "what is rolled back was not given back");
}

/// What a rate has used up is remembered.
pub async fn a_rate_remembers_its_starts<S: Store>(store: &S) {
    let used = async |whose| look(store, async |tx| store.rate_used_until(tx, whose, &limit("a")).await.expect("rate_used_until")).await;
    assert_eq!(used(org()).await, None);
    for until in [5_000_000_000_000_001, 5_000_000_000_000_777] {
        commit_at(store, at(0), async |tx| store.use_rate(tx, org(), &limit("a"), Shard(1), until).await.expect("use_rate")).await;
        assert_eq!(used(org()).await, Some(until));
    }
    assert_eq!(used(organisation(2)).await, None);
}
