//! Single scenarios, each for one rule, in a world without chance.

use super::world::{Handle, World};
use crate::{EngineError, EngineLimits, Guard, Ingested, StartRequest, config::Plant};
use onward_core::{
    NewEvent, Timestamp, Value,
    ports::{Clock as _, Executor as _, Ids as _, Lane, RunRow, RunStatus, WriteError, Writer as _, write},
};
use onward_testkit::{MemoryTx, faults::CommitFault};
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

pub(super) const ECHO: &str = "
name: echo
on: [{ event: go }]
steps:
  - { id: a, do: debug.echo, with: { n: 1 } }
";

/// A calm world with an engine and these workflows.
pub(super) fn calm(sources: &[&str]) -> (World, Handle) {
    calm_with(sources, |_| {})
}

pub(super) fn calm_with(sources: &[&str], change: impl FnOnce(&mut World)) -> (World, Handle) {
    let mut world = World::new(1, None);
    world.limits = EngineLimits { lease_ms: 43_200_000, timer_horizon_ms: 3_600_000, ..EngineLimits::default() };
    change(&mut world);
    let handle = world.start();
    for source in sources {
        publish(&world, &handle, source);
    }
    (world, handle)
}

pub(super) fn publish(world: &World, handle: &Handle, source: &str) -> u32 {
    let published = world.simulation.executor.block_on(handle.publish(world.organisation, None, source));
    published.unwrap_or_else(|error| panic!("{error:#?}")).version
}

pub(super) fn event(world: &World, kind: &str, id: &str, data: Value) -> NewEvent {
    NewEvent::new(world.organisation, kind, "test", data).with_id(id)
}

pub(super) fn ingest(world: &World, handle: &Handle, events: Vec<NewEvent>) -> Result<Vec<Ingested>, EngineError> {
    world.simulation.executor.block_on(handle.ingest(events))
}

/// Runs that began: those whose start is held are not among them.
pub(super) fn runs(world: &World, workflow: &str) -> Vec<RunRow> {
    world.store.inner().committed_runs().into_iter().filter(|run| run.workflow == workflow && run.last_seq > 0).collect()
}

pub(super) fn pass(world: &World, millis: i64) {
    world.simulation.executor.run_until(world.simulation.clock.now().plus_millis(millis));
}

#[test]
fn from_the_answer_on_the_next_event_starts_the_new_version() {
    let (world, handle) = calm(&[ECHO]);
    let started = |id: &str| {
        let answers = ingest(&world, &handle, vec![event(&world, "go", id, json!({}))]).expect("it is taken in");
        let run = *answers[0].run_ids.first()?;
        runs(&world, "echo").into_iter().find(|row| row.id == run).map(|row| row.version)
    };
    assert_eq!(started("1"), Some(1));
    assert_eq!(publish(&world, &handle, ECHO), 1, "the same text makes no version");
    assert_eq!(publish(&world, &handle, &ECHO.replace("n: 1", "n: 2")), 2);
    assert_eq!(started("2"), Some(2));
    world.simulation.executor.block_on(handle.set_current(world.organisation, "echo", Some(1))).expect("an older version");
    assert_eq!(started("3"), Some(1));
    world.simulation.executor.block_on(handle.set_current(world.organisation, "echo", None)).expect("none");
    assert_eq!(started("4"), None);
    let missing = world.simulation.executor.block_on(handle.set_current(world.organisation, "echo", Some(9)));
    assert!(matches!(missing, Err(EngineError::NotFound { .. })), "{missing:?}");
    let invalid = world.simulation.executor.block_on(handle.publish(world.organisation, None, "name: echo\nsteps: [{ dance: {} }]"));
    assert!(matches!(invalid, Err(EngineError::Invalid { .. })), "{invalid:?}");
    let renamed = world.simulation.executor.block_on(handle.publish(world.organisation, Some("other"), ECHO));
    assert!(matches!(renamed, Err(EngineError::InvalidInput(_))), "{renamed:?}");
}

#[test]
fn one_event_sent_two_hundred_times_at_once_starts_one_run() {
    let (world, handle) = calm(&[ECHO]);
    let answers: Arc<Mutex<Vec<Ingested>>> = Arc::default();
    for _ in 0..200 {
        let (handle, answers, sent) = (handle.clone(), Arc::clone(&answers), event(&world, "go", "same", json!({})));
        world.simulation.executor.spawn(Box::pin(async move {
            let answer = handle.ingest(vec![sent]).await.expect("it is taken in");
            answers.lock().unwrap().extend(answer);
        }));
    }
    pass(&world, 1_000);
    let answers = answers.lock().unwrap();
    assert_eq!(answers.len(), 200);
    assert_eq!(answers.iter().filter(|answer| !answer.duplicate).count(), 1);
    let run = runs(&world, "echo");
    assert_eq!(run.len(), 1);
    assert!(answers.iter().all(|answer| answer.run_ids == [run[0].id] && answer.event_id == answers[0].event_id), "each is told the first one's run");
}

const LISTENER: &str = "
name: listener
on: [{ event: listen }]
steps:
  - { id: heard, wait_for: { event: shout, match: any }, timeout: 10d }
  - { id: counted, do: test.count, with: {} }
";

#[test]
fn an_event_reaches_more_runs_than_one_commit_takes() {
    let (world, handle) = calm(&[LISTENER]);
    let many = (0..450).map(|number| event(&world, "listen", &number.to_string(), json!({}))).collect();
    ingest(&world, &handle, many).expect("taken in");
    pass(&world, 1_000);
    assert_eq!(runs(&world, "listener").iter().filter(|run| run.status == RunStatus::Waiting).count(), 450);
    world.store.script([None, Some(CommitFault::Slow(1_000))]);
    let (shouting, shout) = (handle.clone(), event(&world, "shout", "now", json!({})));
    world.simulation.executor.spawn(Box::pin(async move { drop(shouting.ingest(vec![shout]).await) }));
    pass(&world, 1);
    assert!(world.store.inner().committed_leftovers().2 > 0, "the rest is durable with the event");
    world.simulation.executor.crash();
    let _again = world.start();
    pass(&world, 1_000);
    assert_eq!(world.store.inner().committed_leftovers(), (0, 0, 0, 0));
    assert!(runs(&world, "listener").iter().all(|run| run.status == RunStatus::Completed));
}

#[test]
fn timers_of_one_millisecond_all_fire_in_it_after_a_restart_too() {
    let sleeper = "
name: sleeper
on: [{ event: go }]
steps:
  - { id: sleep, delay: 26h }
";
    let (world, handle) = calm(&[sleeper]);
    let many = (0..700).map(|number| event(&world, "go", &number.to_string(), json!({}))).collect();
    ingest(&world, &handle, many).expect("taken in");
    let due = world.simulation.clock.now().plus_millis(26 * 3_600_000);
    pass(&world, 3_600_000);
    world.simulation.executor.crash();
    let _again = world.start();
    world.simulation.executor.run_until(due.plus_millis(-1));
    assert!(runs(&world, "sleeper").iter().all(|run| run.status == RunStatus::Waiting), "none is early");
    pass(&world, 1);
    let ends: BTreeSet<Option<Timestamp>> = runs(&world, "sleeper").iter().map(|run| run.ended_at).collect();
    assert_eq!(ends, BTreeSet::from([Some(due)]));
}

#[test]
fn a_run_whose_history_is_damaged_is_paused_and_the_others_go_on() {
    let (world, handle) = calm(&[LISTENER]);
    ingest(&world, &handle, vec![event(&world, "listen", "1", json!({})), event(&world, "listen", "2", json!({}))]).expect("taken in");
    pass(&world, 1_000);
    let damaged = runs(&world, "listener")[0].id;
    world.store.inner().corrupt_history(damaged);
    world.simulation.executor.crash();
    let handle = world.start();
    ingest(&world, &handle, vec![event(&world, "shout", "now", json!({}))]).expect("taken in");
    pass(&world, 11 * 86_400_000);
    let by_status = |status| runs(&world, "listener").into_iter().filter(|run| run.status == status).map(|run| run.id).collect::<Vec<_>>();
    assert_eq!(by_status(RunStatus::Completed).len(), 1);
    assert_eq!(by_status(RunStatus::Paused), [damaged]);
    let refused = world.simulation.executor.block_on(handle.cancel(world.organisation, damaged, "me", None, false));
    assert!(matches!(refused, Err(EngineError::Conflict(_))), "{refused:?}");
}

#[test]
fn a_slow_commit_makes_intake_say_so() {
    let (world, handle) = calm(&[ECHO]);
    world.store.script([Some(CommitFault::Slow(10_000))]);
    let (first, sent) = (handle.clone(), event(&world, "go", "1", json!({})));
    world.simulation.executor.spawn(Box::pin(async move { drop(first.ingest(vec![sent]).await) }));
    pass(&world, 2_001);
    let refused = ingest(&world, &handle, vec![event(&world, "go", "2", json!({}))]);
    assert!(matches!(refused, Err(EngineError::Write(WriteError::Unavailable { retry_after_ms })) if retry_after_ms > 0), "{refused:?}");
    pass(&world, 10_000);
    ingest(&world, &handle, vec![event(&world, "go", "2", json!({}))]).expect("again");
    pass(&world, 1_000);
    assert_eq!(runs(&world, "echo").len(), 2);
}

#[test]
fn a_full_disk_refuses_what_is_new_and_keeps_what_is_under_way() {
    let (world, handle) = calm(&[ECHO]);
    let sent = handle.clone();
    let event_one = event(&world, "go", "1", json!({}));
    world.simulation.executor.block_on(async move { sent.ingest(vec![event_one]).await }).expect("taken in");
    // The outcome of the step meets a full disk, ten times.
    world.store.script(vec![Some(CommitFault::DiskFull); 10]);
    pass(&world, 100);
    let refused = ingest(&world, &handle, vec![event(&world, "go", "2", json!({}))]);
    assert!(matches!(refused, Err(EngineError::Write(WriteError::Unavailable { .. }))), "{refused:?}");
    assert!(!handle.is_ready());
    pass(&world, 60_000);
    assert_eq!(runs(&world, "echo")[0].status, RunStatus::Completed, "it went on by itself");
    assert!(handle.is_ready());
}

#[test]
fn an_idle_engine_finds_out_when_commits_work_again() {
    let (world, handle) = calm(&[ECHO]);
    world.store.fail_next_begin();
    let refused = ingest(&world, &handle, vec![event(&world, "go", "1", json!({}))]);
    assert!(matches!(refused, Err(EngineError::Write(WriteError::Unavailable { .. }))), "{refused:?}");
    pass(&world, 10_000);
    assert!(handle.is_ready());
    ingest(&world, &handle, vec![event(&world, "go", "1", json!({}))]).expect("taken in");
}

#[test]
fn a_write_commits_with_what_it_emits_or_not_at_all() {
    let (world, handle) = calm(&[ECHO]);
    let organisation = world.organisation;
    let emit = move |tx: &mut MemoryTx| onward_core::ports::Transaction::emit(tx, NewEvent::new(organisation, "go", "room", json!({})));
    let good = world.simulation.executor.block_on(write(&handle, Lane::Low, move |tx: &mut MemoryTx| {
        emit(tx);
        Box::pin(async { Ok::<u8, String>(7) })
    }));
    assert_eq!(good, Ok(Ok(7)));
    assert_eq!(runs(&world, "echo").len(), 1, "routed in that commit");
    let bad = world.simulation.executor.block_on(write(&handle, Lane::Normal, move |tx: &mut MemoryTx| {
        emit(tx);
        Box::pin(async { Err::<u8, String>("no".into()) })
    }));
    assert_eq!(bad, Ok(Err("no".into())));
    let panicked = world.simulation.executor.block_on(handle.submit(
        Lane::Normal,
        Box::new(move |tx| {
            emit(tx);
            Box::pin(async { panic!("a planted panic of a body") })
        }),
    ));
    assert!(matches!(panicked, Err(WriteError::Database(_))), "{panicked:?}");
    pass(&world, 1_000);
    assert_eq!(runs(&world, "echo").len(), 1);
}

fn guard(refuse: bool, answers: Arc<Mutex<Vec<Value>>>) -> Guard<MemoryTx> {
    Guard {
        before: Box::new(move |_| Box::pin(async move { if refuse { Err(WriteError::Refused) } else { Ok(()) } })),
        after: Box::new(move |_, answer| {
            answers.lock().unwrap().push(answer.clone());
            Box::pin(async { Ok(()) })
        }),
    }
}

#[test]
fn a_guard_refuses_or_is_told_the_answer_before_the_commit() {
    let (world, handle) = calm(&[ECHO, "name: hand\non: [{ manual: {} }]\nsteps: [{ id: a, do: debug.echo, with: {} }]\n"]);
    let answers: Arc<Mutex<Vec<Value>>> = Arc::default();
    let request = StartRequest { organisation: world.organisation, workflow: "hand".into(), input: json!({}), key: None };
    let refused = world.simulation.executor.block_on(handle.start_run_guarded(request.clone(), Some(guard(true, Arc::clone(&answers)))));
    assert_eq!(refused, Err(EngineError::Write(WriteError::Refused)));
    assert!(runs(&world, "hand").is_empty());
    let started = world.simulation.executor.block_on(handle.start_run_guarded(request, Some(guard(false, Arc::clone(&answers))))).expect("started");
    let ingested = world
        .simulation
        .executor
        .block_on(handle.ingest_guarded(vec![event(&world, "go", "1", json!({}))], Some(guard(false, Arc::clone(&answers)))))
        .expect("taken in");
    assert_eq!(*answers.lock().unwrap(), [serde_json::to_value(&started).unwrap(), serde_json::to_value(&ingested).unwrap()]);
    let missing = StartRequest { organisation: world.organisation, workflow: "nobody".into(), input: json!({}), key: None };
    assert!(matches!(world.simulation.executor.block_on(handle.start_run(missing)), Err(EngineError::NotFound { .. })));
}

#[test]
fn watchers_hear_of_a_run_after_its_commit_only() {
    let (world, handle) = calm(&[ECHO]);
    let mut changes = handle.subscribe();
    world.store.script([Some(CommitFault::UnknownLost)]);
    assert!(ingest(&world, &handle, vec![event(&world, "go", "1", json!({}))]).is_err());
    pass(&world, 10_000);
    assert!(changes.try_recv().is_err(), "nothing was stored, nothing is told");
    let answer = ingest(&world, &handle, vec![event(&world, "go", "1", json!({}))]).expect("again");
    pass(&world, 1_000);
    let told: Vec<_> = std::iter::from_fn(|| changes.try_recv().ok()).map(|change| (change.topic, change.id, change.data["status"].clone())).collect();
    let run = answer[0].run_ids[0].to_string();
    assert_eq!(told, [("run".into(), run.clone(), json!("running")), ("run".into(), run, json!("completed"))]);
}

#[test]
fn another_organisation_cannot_touch_a_run() {
    let (world, handle) = calm(&[LISTENER]);
    let run = ingest(&world, &handle, vec![event(&world, "listen", "1", json!({}))]).expect("taken in")[0].run_ids[0];
    let stranger = onward_core::OrganisationId(world.simulation.ids.fresh(world.simulation.clock.now()));
    let refused = world.simulation.executor.block_on(handle.cancel(stranger, run, "them", None, true));
    assert!(matches!(refused, Err(EngineError::NotFound { .. })), "{refused:?}");
    let theirs = NewEvent::new(stranger, "shout", "them", json!({}));
    ingest(&world, &handle, vec![theirs]).expect("their own event");
    pass(&world, 1_000);
    assert_eq!(runs(&world, "listener")[0].status, RunStatus::Waiting, "a stranger's event wakes nobody here");
    assert_eq!(world.simulation.executor.block_on(handle.histories(stranger, vec![run])).expect("read").len(), 0);
    let ours = world.simulation.executor.block_on(handle.histories(world.organisation, vec![run])).expect("read");
    let program = world.simulation.executor.block_on(handle.definition(world.organisation, "listener", 1)).expect("compiled");
    let reports = crate::what_if(&ours, &program, &|_| None);
    assert!(reports.len() == 1 && reports[0].run_id == run, "{reports:?}");
}

#[test]
fn a_paused_workflow_holds_its_starts_until_it_goes_on() {
    let single = "
name: single
on: [{ event: go }]
key: '{{ event.data.k }}'
mode: single
steps: [{ id: sleep, delay: 1h }]
";
    let (world, handle) = calm(&[ECHO, single]);
    let pause = |workflow: &str, paused| world.simulation.executor.block_on(handle.set_workflow_paused(world.organisation, workflow, paused));
    pause("echo", true).expect("paused");
    pause("single", true).expect("paused");
    assert!(matches!(pause("nobody", true), Err(EngineError::NotFound { .. })));
    let answers =
        ingest(&world, &handle, vec![event(&world, "go", "1", json!({ "k": "a" })), event(&world, "go", "2", json!({ "k": "a" }))]).expect("taken in");
    assert!(answers.iter().all(|answer| answer.run_ids.len() == 2), "their ids are known: {answers:?}");
    pass(&world, 1_000);
    assert_eq!((runs(&world, "echo").len(), runs(&world, "single").len()), (0, 0));
    world.simulation.executor.crash();
    let handle = world.start();
    world.simulation.executor.block_on(handle.set_workflow_paused(world.organisation, "echo", false)).expect("it goes on");
    world.simulation.executor.block_on(handle.set_workflow_paused(world.organisation, "single", false)).expect("it goes on");
    pass(&world, 1_000);
    let started: BTreeSet<_> = runs(&world, "echo").iter().map(|run| run.id).collect();
    assert!(started.len() == 2 && started.iter().all(|run| answers.iter().any(|answer| answer.run_ids.contains(run))), "under the ids that were told");
    assert_eq!(runs(&world, "single").len(), 1, "the second meets the first, as its mode says");
    assert_eq!(world.store.inner().committed_leftovers().3, 0);
}

#[test]
fn a_start_that_waits_for_a_version_goes_when_there_is_one() {
    let queued = "
name: queued
on: [{ event: go }]
key: one
mode: queued
steps: [{ id: sleep, delay: 1h }]
";
    let (world, handle) = calm(&[queued]);
    ingest(&world, &handle, vec![event(&world, "go", "1", json!({})), event(&world, "go", "2", json!({}))]).expect("taken in");
    world.simulation.executor.block_on(handle.set_current(world.organisation, "queued", None)).expect("none is current");
    pass(&world, 2 * 3_600_000);
    assert_eq!(runs(&world, "queued").len(), 1);
    assert_eq!(world.store.inner().committed_leftovers().3, 1, "it is held");
    publish(&world, &handle, &queued.replace("1h", "2h"));
    pass(&world, 1_000);
    let versions: Vec<u32> = runs(&world, "queued").iter().map(|run| run.version).collect();
    assert_eq!(versions, [1, 2], "on the version published when it is released");
}

/// A wait opens and its event comes in one commit; whether the run heard it.
fn hears_in_one_commit(plant: Option<Plant>) -> bool {
    let early = "
name: early
on: [{ event: listen }]
steps:
  - { id: a, do: debug.echo, with: {} }
  - { id: heard, wait_for: { event: shout, match: any }, timeout: 1h }
";
    let (world, handle) = calm_with(&[early], |world| world.limits.plant = plant);
    // While the second slow commit is under way, the outcome of `a` and the event gather for the next one: behind one that publishes,
    // nothing is decided.
    let (sending, publishing, organisation) = (handle.clone(), handle, world.organisation);
    let (listen, shout) = (event(&world, "listen", "1", json!({})), event(&world, "shout", "3", json!({})));
    world.store.script([Some(CommitFault::Slow(100)), Some(CommitFault::Slow(100))]);
    let clock = Arc::clone(&world.simulation.clock);
    world.simulation.executor.spawn(Box::pin(async move {
        let send = async |at: i64, event: NewEvent| {
            clock.sleep(at * 1_000).await;
            sending.ingest(vec![event]).await
        };
        let publish = async {
            clock.sleep(50_000).await;
            publishing.publish(organisation, None, ECHO).await
        };
        drop(futures_util::future::join3(send(0, listen), publish, send(150, shout)).await);
    }));
    pass(&world, 1_000);
    runs(&world, "early")[0].status == RunStatus::Completed
}

/// An event comes in while the step before the wait is under way; whether the run heard it.
fn hears_what_came_before(plant: Option<Plant>) -> bool {
    let early = "
name: early
on: [{ event: listen }]
steps:
  - { id: nap, delay: 1s }
  - { id: heard, wait_for: { event: shout, match: any }, timeout: 1h }
";
    let (world, handle) = calm_with(&[early], |world| world.limits.plant = plant);
    ingest(&world, &handle, vec![event(&world, "listen", "1", json!({}))]).expect("taken in");
    pass(&world, 500);
    ingest(&world, &handle, vec![event(&world, "shout", "2", json!({}))]).expect("taken in");
    pass(&world, 7_200_000);
    let run = &runs(&world, "early")[0];
    let history = world.store.inner().committed_history(run.id).expect("readable");
    history.iter().any(|entry| entry.fact.kind() == "wait_resolved")
}

#[test]
fn a_lost_wake_up_is_found() {
    assert!(hears_what_came_before(None));
    assert!(!hears_what_came_before(Some(Plant::BucketsNotLocked)), "an event whose transaction the wait did not wait for is missed");
}

#[test]
fn a_wait_hears_the_event_of_its_own_commit() {
    assert!(hears_in_one_commit(None));
}

#[test]
fn an_overlooked_wait_is_found() {
    assert!(!hears_in_one_commit(Some(Plant::WaitsOfBatchOverlooked)), "only the look at this commit's own waits finds it");
}
