//! The table alone: what is claimed, by whom, and what a lost claim can still do.

use super::harness::{FIRST, OURS, Place, QUEUE, SECOND, THEIRS, told};
use crate::jobs::{
    Job, JobFilter, JobState, NewJob, cancel, complete, enqueue, forget, get, list, retry,
    table::{self, Ending, Lost},
};
use onward_core::{NodeId, Value, ports::Transaction as _};

async fn claim(place: &Place, worker: NodeId, limit: usize) -> Vec<Job> {
    place
        .write(move |tx| {
            let until = tx.now().plus_millis(1_000);
            Box::pin(async move { table::claim(tx, QUEUE, worker, until, limit).await })
        })
        .await
}

fn ends(job: &Job, state: JobState) -> Ending {
    Ending { id: job.id, attempt: job.attempts, state, not_before: job.not_before, failures: 0, error: None, output: None }
}

async fn finish(place: &Place, ending: Ending) -> usize {
    place
        .write(move |tx| {
            let ending = ending.clone();
            Box::pin(async move { table::finish(tx, &[ending]).await })
        })
        .await
        .len()
}

#[tokio::test]
async fn a_job_is_wanted_in_the_transaction_that_wants_it() {
    let place = Place::open().await;
    let mut tx = place.database.begin(onward_core::ports::Clock::now(&*place.clock)).await.unwrap();
    enqueue(&mut tx, told("nothing")).await.unwrap();
    tx.rollback().await;
    assert!(place.all().await.is_empty());
    let id = place.want(told("nothing")).await.unwrap();
    assert_eq!((place.job(id).await.state, place.all().await.len()), (JobState::Pending, 1));
}

#[tokio::test]
async fn claims_are_apart_in_order_and_never_early() {
    let place = Place::open().await;
    let now = onward_core::ports::Clock::now(&*place.clock);
    let mut ids = Vec::new();
    for after in [5_i64, -2, 0, -1] {
        ids.push(place.want(told("nothing").at(now.plus_millis(after))).await.unwrap());
    }
    let other = NewJob { queue: "other", ..told("nothing") };
    place.want(other).await.unwrap();
    let (first, second) = (claim(&place, FIRST, 2).await, claim(&place, SECOND, 10).await);
    assert_eq!(first.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[1], ids[3]]);
    assert_eq!(second.iter().map(|job| job.id).collect::<Vec<_>>(), [ids[2]]);
    assert!(claim(&place, SECOND, 10).await.is_empty());
    assert_eq!(table::next_due(&mut place.database.reader(), QUEUE).await.unwrap(), Some(now.plus_millis(5)));
    place.clock.go_on(5);
    assert_eq!(claim(&place, SECOND, 10).await[0].id, ids[0]);
}

#[tokio::test]
async fn a_lost_claim_ends_nothing() {
    let place = Place::open().await;
    place.want(told("nothing")).await.unwrap();
    let lost = claim(&place, FIRST, 1).await.remove(0);
    assert_eq!(place.write(|tx| Box::pin(async move { table::take_back(tx, Lost::Expired).await })).await, 0, "it holds still");
    place.clock.go_on(1_000);
    assert!(table::any_expired(&mut place.database.reader(), onward_core::ports::Clock::now(&*place.clock)).await.unwrap());
    assert_eq!(place.write(|tx| Box::pin(async move { table::take_back(tx, Lost::Expired).await })).await, 1);
    let again = claim(&place, SECOND, 1).await.remove(0);
    assert_eq!((again.id, again.attempts, again.failures), (lost.id, 2, 1));
    assert_eq!(finish(&place, ends(&lost, JobState::Done)).await, 0);
    let late = lost.clone();
    assert!(
        !place
            .write(move |tx| {
                let late = late.clone();
                Box::pin(async move { complete(tx, &late, Value::Null).await })
            })
            .await
    );
    let (id, now) = (lost.id, onward_core::ports::Clock::now(&*place.clock));
    assert_eq!(place.write(move |tx| Box::pin(async move { table::renew(tx, FIRST, &[id], now.plus_millis(1)).await })).await, []);
    assert_eq!(place.job(lost.id).await.state, JobState::Running);
    assert_eq!(finish(&place, ends(&again, JobState::Done)).await, 1);
    assert_eq!(finish(&place, ends(&again, JobState::Failed)).await, 0, "an end is told once");
    assert_eq!(place.job(lost.id).await.state, JobState::Done);
}

#[tokio::test]
async fn renewing_holds_and_releasing_spends_nothing() {
    let place = Place::open().await;
    let id = place.want(told("nothing")).await.unwrap();
    claim(&place, FIRST, 1).await;
    let held = place
        .write(move |tx| {
            let until = tx.now().plus_millis(5_000);
            Box::pin(async move { table::renew(tx, FIRST, &[id], until).await })
        })
        .await;
    assert_eq!(held, [id]);
    place.clock.go_on(1_000);
    assert_eq!(place.write(|tx| Box::pin(async move { table::take_back(tx, Lost::Expired).await })).await, 0);
    assert_eq!(place.write(|tx| Box::pin(async move { table::release(tx, SECOND).await })).await, 0);
    assert_eq!(place.write(|tx| Box::pin(async move { table::release(tx, FIRST).await })).await, 1);
    assert_eq!((place.job(id).await.state, place.job(id).await.failures), (JobState::Pending, 0));
}

#[tokio::test]
async fn a_job_that_ends_its_process_is_dead_at_last() {
    let place = Place::open().await;
    let id = place.want(told("nothing").attempts(2)).await.unwrap();
    for state in [JobState::Pending, JobState::Failed] {
        assert_eq!(claim(&place, FIRST, 1).await.len(), 1);
        assert_eq!(place.write(|tx| Box::pin(async move { table::take_back(tx, Lost::NotOf(FIRST)).await })).await, 0, "one's own stay");
        assert_eq!(place.write(|tx| Box::pin(async move { table::take_back(tx, Lost::NotOf(SECOND)).await })).await, 1);
        assert_eq!(place.job(id).await.state, state);
    }
    assert!(place.job(id).await.error.unwrap().contains("in the middle"));
}

#[tokio::test]
async fn one_of_a_kind_until_it_is_over() {
    let place = Place::open().await;
    let one = || told("nothing").unique("daily");
    let id = place.want(one()).await.unwrap();
    assert_eq!(place.want(one()).await, None);
    assert!(place.want(NewJob { organisation: THEIRS, ..one() }).await.is_some(), "another organisation's is another");
    let job = claim(&place, FIRST, 1).await.remove(0);
    assert_eq!(place.want(one()).await, None, "it runs");
    finish(&place, ends(&job, JobState::Failed)).await;
    assert!(place.want(one()).await.is_some());
    assert_eq!(place.write(move |tx| Box::pin(async move { retry(tx, OURS, id).await })).await, None, "its successor stands in its place");
}

#[tokio::test]
async fn people_see_retry_and_call_off_their_own_jobs_only() {
    let place = Place::open().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(place.want(told("nothing")).await.unwrap());
    }
    let id = ids[0];
    assert_eq!(get(&mut place.database.reader(), THEIRS, id).await.unwrap(), None);
    assert_eq!(place.write(move |tx| Box::pin(async move { cancel(tx, THEIRS, id).await })).await, None);
    let called_off = place.write(move |tx| Box::pin(async move { cancel(tx, OURS, id).await })).await.unwrap();
    assert_eq!((called_off.state, called_off.ended_at.is_some()), (JobState::Cancelled, true));
    assert_eq!(place.write(move |tx| Box::pin(async move { cancel(tx, OURS, id).await })).await, None, "it is over");
    let running = claim(&place, FIRST, 1).await.remove(0);
    let at_work = running.id;
    assert!(place.write(move |tx| Box::pin(async move { cancel(tx, OURS, at_work).await })).await.is_some());
    assert_eq!(finish(&place, ends(&running, JobState::Done)).await, 0, "who was at it ends nothing any more");
    let of = |state: &str| JobFilter { state: JobState::parse(state), queue: Some(QUEUE.into()) };
    let reader = &mut place.database.reader();
    assert_eq!(list(reader, OURS, &of("cancelled"), None, 10).await.unwrap().len(), 2);
    assert_eq!(list(reader, THEIRS, &JobFilter::default(), None, 10).await.unwrap(), []);
    let newest = list(reader, OURS, &JobFilter::default(), None, 1).await.unwrap();
    assert_eq!(newest[0].id, ids[2]);
    assert_eq!(list(reader, OURS, &JobFilter::default(), Some(ids[2]), 1).await.unwrap()[0].id, ids[1]);
    assert_eq!(place.write(move |tx| Box::pin(async move { retry(tx, THEIRS, id).await })).await, None);
    let again = place.write(move |tx| Box::pin(async move { retry(tx, OURS, id).await })).await.unwrap();
    assert_eq!((again.state, again.failures, again.ended_at), (JobState::Pending, 0, None));
}

#[tokio::test]
async fn what_is_over_is_forgotten_after_its_time_and_nothing_else() {
    let place = Place::open().await;
    for _ in 0..3 {
        place.want(told("nothing")).await.unwrap();
    }
    let job = claim(&place, FIRST, 1).await.remove(0);
    finish(&place, ends(&job, JobState::Done)).await;
    let now = onward_core::ports::Clock::now(&*place.clock);
    assert_eq!(place.write(move |tx| Box::pin(async move { forget(tx, OURS, now, 10).await })).await, 0);
    assert_eq!(place.write(move |tx| Box::pin(async move { forget(tx, THEIRS, now.plus_millis(1), 10).await })).await, 0);
    assert_eq!(place.write(move |tx| Box::pin(async move { forget(tx, OURS, now.plus_millis(1), 10).await })).await, 1);
    assert_eq!(place.all().await.len(), 2);
}
