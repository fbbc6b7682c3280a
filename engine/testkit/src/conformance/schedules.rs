//! Where schedules stand.

use super::fixture::{at, commit_at, look, org, organisation};
use onward_core::{
    OrganisationId, Shard,
    ports::{Lease, ScheduleRow, Store},
};

fn schedule(organisation: OrganisationId, workflow: &str, trigger: usize, due: i64) -> ScheduleRow {
    ScheduleRow {
        organisation,
        workflow: workflow.into(),
        trigger,
        shard: Shard(u16::try_from(trigger).unwrap_or(0)),
        next_due: at(due),
        fires_at: at(due + 5),
        rhythm: "0 9 * * * @ é\"".into(),
        position: (trigger == 2).then(|| "c1".into()),
    }
}

async fn set<S: Store>(store: &S, organisation: OrganisationId, workflow: &str, rows: &[ScheduleRow]) {
    commit_at(store, at(0), async |tx| store.set_schedules(tx, organisation, workflow, rows).await.expect("set_schedules")).await;
}

/// All of a workflow's rows give way to those that are given, whole.
pub async fn schedules_are_replaced_as_a_whole<S: Store>(store: &S) {
    let [first, second, third] = [0, 1, 2].map(|trigger| schedule(org(), "a", trigger, 10));
    set(store, org(), "a", &[second.clone(), first.clone()]).await;
    set(store, org(), "b", &[schedule(org(), "b", 0, 1)]).await;
    let of = async |workflow: &str| look(store, async |tx| store.schedules_of(tx, org(), workflow).await.expect("schedules_of")).await;
    assert_eq!(of("a").await, [first, second]);
    set(store, org(), "a", std::slice::from_ref(&third)).await;
    assert_eq!(of("a").await, [third]);
    set(store, org(), "a", &[]).await;
    assert_eq!(of("a").await, []);
    assert_eq!(of("b").await.len(), 1);
}

/// A take-over reads what its shards have, and only what is committed.
pub async fn schedules_are_read_by_shard<S: Store>(store: &S) {
    let rows = [1, 2, 3].map(|trigger| schedule(org(), "a", trigger, 10));
    set(store, org(), "a", &rows).await;
    let leases = [1, 3].map(|shard| Lease { shard: Shard(shard), epoch: 1 });
    look(store, async |tx| {
        store.set_schedules(tx, org(), "a", &[]).await.expect("set_schedules");
        assert_eq!(store.schedules_of(tx, org(), "a").await.expect("schedules_of"), [], "the transaction sees what it wrote");
    })
    .await;
    assert_eq!(store.schedules(&leases).await.expect("schedules"), [rows[0].clone(), rows[2].clone()]);
    assert_eq!(store.schedules(&[]).await.expect("schedules"), []);
}

/// One moves on, and the others stay where they are; one that is not there any more does not come back.
pub async fn one_schedule_moves_on_alone<S: Store>(store: &S) {
    let [first, second, third] = [0, 1, 2].map(|trigger| schedule(org(), "a", trigger, 10));
    set(store, org(), "a", &[first.clone(), second.clone(), third.clone()]).await;
    set(store, organisation(2), "a", &[schedule(organisation(2), "a", 1, 10)]).await;
    let step = async |before: &ScheduleRow, after: Option<&ScheduleRow>| {
        commit_at(store, at(0), async |tx| store.move_schedule(tx, before, after).await.expect("move_schedule")).await;
    };
    let later = ScheduleRow { next_due: at(20), fires_at: at(21), position: Some("c2".into()), ..second.clone() };
    step(&second, Some(&later)).await;
    step(&third, None).await;
    step(&third, Some(&third)).await;
    look(store, async |tx| {
        assert_eq!(store.schedules_of(tx, org(), "a").await.expect("schedules_of"), [first, later]);
        assert_eq!(store.schedules_of(tx, organisation(2), "a").await.expect("schedules_of"), [schedule(organisation(2), "a", 1, 10)]);
    })
    .await;
}

/// The same name in another organisation is another workflow.
pub async fn schedules_stay_in_their_organisation<S: Store>(store: &S) {
    let (ours, theirs) = (schedule(org(), "a", 0, 10), schedule(organisation(2), "a", 0, 20));
    set(store, org(), "a", std::slice::from_ref(&ours)).await;
    set(store, organisation(2), "a", std::slice::from_ref(&theirs)).await;
    set(store, organisation(2), "a", &[]).await;
    look(store, async |tx| {
        assert_eq!(store.schedules_of(tx, org(), "a").await.expect("schedules_of"), [ours]);
        assert_eq!(store.schedules_of(tx, organisation(2), "a").await.expect("schedules_of"), []);
    })
    .await;
}
