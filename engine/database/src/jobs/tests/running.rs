//! The whole of it: from the transaction that wants a job to the one that ends it, with what may go wrong between.

use super::harness::{FIRST, OURS, Obedient, Place, SECOND, told};
use crate::jobs::{JobId, JobState, cancel, retry};
use onward_core::Value;
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

/// Lets everything that can go on go on, until the job is in this state.
async fn until(place: &Place, id: JobId, state: JobState) {
    for _ in 0..20_000 {
        if place.job(id).await.state == state {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never was {state:?}: {:?}", place.job(id).await);
}

#[tokio::test]
async fn a_job_is_done_at_once_after_the_commit_that_wants_it() {
    let place = Place::open().await;
    let (handler, mut began) = Obedient::new(&place, 4);
    let jobs = place.start(FIRST, true, vec![handler]).await;
    // The clock stands: nothing is found by looking now and then.
    for n in 0..20 {
        let id = place.want(told(&n.to_string())).await.unwrap();
        assert_eq!(began.recv().await.unwrap().job.id, id);
        until(&place, id, JobState::Done).await;
        assert_eq!(place.job(id).await.output["do"], n.to_string());
    }
    jobs.stop().await;
}

#[tokio::test]
async fn failures_wait_longer_each_time_and_end() {
    let place = Place::open().await;
    let (handler, mut began) = Obedient::new(&place, 1);
    let jobs = place.start(FIRST, true, vec![handler]).await;
    let id = place.want(told("fail").attempts(3)).await.unwrap();
    for (attempt, wait) in [(1, 1_000), (2, 2_000)] {
        assert_eq!(began.recv().await.unwrap().job.attempts, attempt);
        until(&place, id, JobState::Pending).await;
        let job = place.job(id).await;
        assert_eq!((job.failures, job.not_before), (attempt, onward_core::ports::Clock::now(&*place.clock).plus_millis(wait)));
        place.clock.go_on(wait - 1);
        tokio::task::yield_now().await;
        assert!(began.try_recv().is_err(), "never early");
        place.clock.go_on(1);
    }
    began.recv().await.unwrap();
    until(&place, id, JobState::Failed).await;
    assert_eq!(place.job(id).await.error.as_deref(), Some("as it was told"));
    place.write(move |tx| Box::pin(async move { retry(tx, OURS, id).await })).await.unwrap();
    assert_eq!(began.recv().await.unwrap().job.failures, 0, "a person lets it come again with all its attempts");
    let for_good = place.want(told("fail for good")).await.unwrap();
    until(&place, for_good, JobState::Failed).await;
    jobs.stop().await;
}

#[tokio::test]
async fn a_panic_is_a_failure_of_that_job_alone() {
    let place = Place::open().await;
    let (handler, _began) = Obedient::new(&place, 1);
    let jobs = place.start(FIRST, true, vec![handler]).await;
    let panics = place.want(told("panic").attempts(1)).await.unwrap();
    let after = place.want(told("well")).await.unwrap();
    until(&place, panics, JobState::Failed).await;
    until(&place, after, JobState::Done).await;
    jobs.stop().await;
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_fails() {
    let place = Place::open().await;
    let (handler, mut began) = Obedient::new(&place, 1);
    let jobs = place.start(FIRST, true, vec![handler]).await;
    let id = place.want(told("hang").attempts(1)).await.unwrap();
    began.recv().await.unwrap();
    place.clock.go_on(3_600_000);
    until(&place, id, JobState::Failed).await;
    jobs.stop().await;
}

#[tokio::test]
async fn what_comes_again_and_again_is_one_job() {
    let place = Place::open().await;
    let (handler, mut began) = Obedient::new(&place, 1);
    let jobs = place.start(FIRST, true, vec![handler]).await;
    let id = place.want(told("again").unique("it")).await.unwrap();
    for round in 1..=3 {
        assert_eq!(began.recv().await.unwrap().job.attempts, round);
        until(&place, id, JobState::Pending).await;
        assert_eq!(place.job(id).await.output, Value::from(round));
        place.clock.go_on(60_000);
    }
    assert_eq!(place.all().await.len(), 1);
    jobs.stop().await;
}

#[tokio::test]
async fn what_comes_again_comes_in_time_though_the_queue_looked_while_it_was_at_work() {
    let place = Place::open().await;
    let (handler, mut began) = Obedient::new(&place, 4);
    let jobs = place.start(FIRST, true, vec![Arc::clone(&handler) as _]).await;
    let id = place.want(told("fail when told")).await.unwrap();
    began.recv().await.unwrap();
    // Another one, so that the queue has looked since.
    let other = place.want(told("well")).await.unwrap();
    began.recv().await.unwrap();
    until(&place, other, JobState::Done).await;
    handler.go.notify_one();
    until(&place, id, JobState::Pending).await;
    place.clock.go_on(1_000);
    for _ in 0..20_000 {
        if began.try_recv().is_ok() {
            handler.go.notify_one();
            return jobs.stop().await;
        }
        tokio::task::yield_now().await;
    }
    panic!("it waits for somebody to look");
}

#[tokio::test]
async fn a_stop_tells_those_at_work_and_gives_back_what_was_not_begun() {
    let place = Place::open().await;
    let (handler, mut began) = Obedient::new(&place, 2);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(place.want(told("wait")).await.unwrap());
    }
    let jobs = place.start(FIRST, true, vec![Arc::clone(&handler) as _]).await;
    for _ in 0..2 {
        assert!(!began.recv().await.unwrap().is_stopping());
    }
    let stopping = tokio::spawn(jobs.stop());
    while place.all().await.iter().any(|job| job.state == JobState::Running) {
        handler.go.notify_one();
        tokio::task::yield_now().await;
    }
    stopping.await.unwrap();
    for id in ids {
        let job = place.job(id).await;
        assert_eq!((job.state, job.failures), (JobState::Pending, 0), "{job:?}");
    }
}

#[tokio::test]
async fn one_that_is_called_off_is_told() {
    let place = Place::open().await;
    let (handler, mut began) = Obedient::new(&place, 1);
    let jobs = place.start(FIRST, true, vec![Arc::clone(&handler) as _]).await;
    let id = place.want(told("wait")).await.unwrap();
    let run = began.recv().await.unwrap();
    place.write(move |tx| Box::pin(async move { cancel(tx, OURS, id).await })).await.unwrap();
    while !run.is_stopping() {
        tokio::task::yield_now().await;
    }
    handler.go.notify_one();
    let next = place.want(told("well")).await.unwrap();
    until(&place, next, JobState::Done).await;
    assert_eq!(place.job(id).await.state, JobState::Cancelled);
    jobs.stop().await;
}

#[tokio::test]
async fn what_a_dead_process_held_is_done_by_the_next() {
    let place = Place::open().await;
    let (handler, mut began) = Obedient::new(&place, 1);
    let dead = place.start(FIRST, true, vec![handler]).await;
    let id = place.want(told("hang")).await.unwrap();
    began.recv().await.unwrap();
    // As after kill -9: nothing is given back.
    std::mem::forget(dead);
    let (handler, mut began) = Obedient::new(&place, 1);
    let jobs = place.start(SECOND, true, vec![handler]).await;
    let run = began.recv().await.unwrap();
    assert_eq!((run.job.id, run.job.attempts, run.job.failures), (id, 2, 1));
    place.write(move |tx| Box::pin(async move { cancel(tx, OURS, id).await })).await.unwrap();
    place.clock.go_on(3_600_000);
    jobs.stop().await;
}

/// Writes that fail before, or are stored and not known to be, at every place in turn.
#[tokio::test]
async fn effects_are_exactly_once_whatever_write_fails() {
    let place = Place::open().await.with_effects().await;
    let (handler, _began) = Obedient::new(&place, 3);
    let jobs = place.start(FIRST, true, vec![handler]).await;
    let mut wanted = BTreeSet::new();
    for round in 0..60_u32 {
        for _ in 0..3 {
            wanted.insert(place.want(told("effect").attempts(1_000)).await.unwrap());
        }
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        let fault = if round % 2 == 0 { &place.writing.0.refuse } else { &place.writing.0.forget };
        fault.store(round % 3 + 1, Ordering::Release);
        // The faults are met, and what they hold up is tried again.
        for _ in 0..200 {
            place.clock.go_on(500);
            tokio::task::yield_now().await;
        }
        place.writing.0.refuse.store(0, Ordering::Release);
        place.writing.0.forget.store(0, Ordering::Release);
    }
    for id in &wanted {
        for _ in 0..20_000 {
            if place.job(*id).await.state == JobState::Done {
                break;
            }
            place.clock.go_on(1_000);
            tokio::task::yield_now().await;
        }
    }
    let effects = place.effects().await;
    assert_eq!(effects.len(), wanted.len());
    assert!(effects.iter().all(|(_, times)| *times == 1), "{effects:?}");
    jobs.stop().await;
}
