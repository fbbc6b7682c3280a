//! What happens to a simulated world: clients that send, cancel, pause; crashes; then calm until everything has ended.

use super::{
    checks,
    company::Company,
    repairing,
    workflows::{EVENTS, SCHEDULED, WORKFLOWS},
    world::{Handle, World},
};
use crate::{EngineError, Ingested, StartRequest, config::Plant};
use onward_core::{
    NewEvent, RunId, Timestamp,
    history::Fact,
    ports::{Clock as _, Executor as _, HeldQueue, Pause, PauseScope, RunStatus},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What clients were told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// By (source, id): every acknowledgement.
    pub(super) events: BTreeMap<(String, String), Vec<(String, Ingested)>>,
    pub(super) started: Vec<RunId>,
}

pub(super) type Log = Arc<Mutex<Told>>;

pub(super) fn told<R>(log: &Log, work: impl FnOnce(&mut Told) -> R) -> R {
    work(&mut log.lock().unwrap_or_else(PoisonError::into_inner))
}

const DAY_MS: i64 = 86_400_000;
/// Longer than all delays of the longest queue of runs.
const CALM_DAYS: i64 = 120;

/// Plays one seed. `Err` names the promise that was broken; `Ok` is the whole trace: everything that was stored, told and done, and
/// the order in which everything had its turn.
pub(super) fn play(seed: u64, plant: Option<Plant>) -> Result<String, String> {
    std::panic::set_hook(Box::new(quiet));
    let mut world = World::new(seed, plant);
    world.take_all = seed.is_multiple_of(3);
    if !world.take_all {
        world.store.keep_time();
        // In every fourth of those somebody sets the database's clock.
        // In every other one a killed node may be followed by one on the same machine, which need not wait for its leases to end.
        world.machines = [0, 2, 0, 1][(seed / 8 % 4) as usize];
        world.clock_is_set = matches!(seed % 8, 0 | 4 | 5);
    }
    let world = world;
    let log: Log = Arc::default();
    let mut company = Company::start(&world);
    publish_all(&world, company.any(&world));
    world.let_it_rain();
    let operations = 12 + world.below(30);
    let mut number = 0;
    for _ in 0..operations {
        let handle = company.any(&world).clone();
        match world.below(100) {
            0..=54 => send_events(&world, &handle, &log, &mut number),
            55..=57 => start_by_hand(&world, &handle, &log),
            58..=59 => answer_in_time(&world, &handle, &mut number),
            60..=61 => disturb(&world, &handle, &log),
            62 => repairing::mend_some(&world, &handle),
            63 => hold_workflow(&world, &handle),
            64 => hold_more(&world, &handle),
            65..=74 => {
                world.simulation.executor.run_steps(world.below(60) as usize);
            }
            75..=84 => pass_time(&world, 5_000),
            85..=92 => pass_time(&world, DAY_MS),
            93..=95 => pass_time(&world, 5 * DAY_MS),
            _ => {
                world.simulation.executor.run_steps(world.below(40) as usize);
                if world.chance(500) {
                    // In the middle of a call.
                    let begun = world.ledger.at_work();
                    while world.ledger.at_work() <= begun && world.simulation.executor.run_steps(1) {}
                }
                if world.take_all {
                    company.crash(&world);
                } else {
                    company.misfortune(&world);
                }
                checks::always(&world, &log)?;
            }
        }
        checks::ownership(&world)?;
    }
    calm(&world, &mut company)?;
    checks::ownership(&world)?;
    let trace = checks::at_the_end(&world, &log)?;
    Ok(format!("{trace}{:?}\n{:?}\nturns: {}\n", world.ledger.calls(), told(&log, |told| format!("{told:?}")), world.simulation.executor.trace()))
}

/// Panics of planted nodes are part of the play; everything else still shows.
fn quiet(info: &std::panic::PanicHookInfo<'_>) {
    let text = info.payload().downcast_ref::<&str>().copied().or_else(|| info.payload().downcast_ref::<String>().map(String::as_str)).unwrap_or("");
    if !text.contains("a planted panic") {
        eprintln!("{info}");
    }
}

fn publish_all(world: &World, handle: &Handle) {
    let published = handle.clone();
    let organisation = world.organisation;
    world.simulation.executor.block_on(async move {
        for source in WORKFLOWS {
            let result = published.publish(organisation, None, source).await;
            assert!(result.is_ok(), "{result:#?}");
        }
    });
}

/// Sends one request of one to three events; now and then an event that was sent before.
fn send_events(world: &World, handle: &Handle, log: &Log, number: &mut u64) {
    let mut events = Vec::new();
    for _ in 0..=world.below(3) {
        let kind = EVENTS[world.below(EVENTS.len() as u64) as usize];
        let repeat = *number > 0 && world.chance(150);
        let id = if repeat { world.below(*number) } else { *number };
        *number += u64::from(!repeat);
        let k = format!("k{}", world.below(5));
        let data = json!({ "k": k, "n": world.below(6) });
        events.push(NewEvent::new(world.organisation, kind, "driver", data).with_id(format!("e{id}")));
        if kind == "go.wait" && world.chance(800) {
            answer_soon(world, handle, &k);
        }
        if world.chance(100) {
            events.extend(events.last().cloned());
        }
    }
    let (handle, log) = (handle.clone(), Arc::clone(log));
    world.simulation.executor.spawn(Box::pin(async move {
        let sent = events.clone();
        if let Ok(answers) = handle.ingest(events).await {
            assert_eq!(answers.len(), sent.len(), "one answer for each event");
            told(&log, |told| {
                for (event, answer) in sent.into_iter().zip(answers) {
                    let identity = (event.source, event.id.unwrap_or_default());
                    told.events.entry(identity).or_default().push((event.kind, answer));
                }
            });
        }
    }));
    if world.chance(500) {
        world.simulation.executor.run_steps(world.below(30) as usize);
    }
}

/// An answer to somebody who has just begun, or is about to begin, to wait for it.
fn answer_soon(world: &World, handle: &Handle, k: &str) {
    let (handle, clock, organisation) = (handle.clone(), world.simulation.clock.clone(), world.organisation);
    let (millis, data) = (world.below(40) as i64, json!({ "k": k, "n": 0 }));
    world.simulation.executor.spawn(Box::pin(async move {
        clock.sleep_until(clock.now().plus_millis(millis)).await;
        drop(handle.ingest(vec![NewEvent::new(organisation, "answer", "driver", data)]).await);
    }));
}

/// An answer that comes in a few seconds before the time-out of whoever waits for it.
fn answer_in_time(world: &World, handle: &Handle, number: &mut u64) {
    let memory = world.store.inner();
    let waiting = memory.committed_runs().into_iter().filter(|run| run.workflow == "wait" && run.status == RunStatus::Waiting);
    let waiting: Vec<(RunId, Timestamp)> = memory
        .committed_timers()
        .into_iter()
        .filter(|timer| timer.key == "answer")
        .filter_map(|timer| waiting.clone().find(|run| run.id == timer.run_id).map(|run| (run.id, timer.due)))
        .collect();
    if waiting.is_empty() {
        // Somebody who will wait.
        let k = format!("k{}", world.below(5));
        let event = NewEvent::new(world.organisation, "go.wait", "driver", json!({ "k": k, "n": 0 })).with_id(format!("e{number}"));
        *number += 1;
        answer_soon(world, handle, &k);
        let handle = handle.clone();
        world.simulation.executor.spawn(Box::pin(async move { drop(handle.ingest(vec![event]).await) }));
        return;
    }
    let (run, due) = waiting[world.below(waiting.len() as u64) as usize];
    let Ok(history) = memory.committed_history(run) else { return };
    let Some(Fact::RunStarted { event, .. }) = history.first().map(|entry| &entry.fact) else { return };
    let data = json!({ "k": event["data"]["k"], "n": 0 });
    world.simulation.executor.run_until(due.plus_millis(-3_001 - world.below(2_500) as i64));
    world.store.lose_notices(world.chance(500));
    let (handle, event) = (handle.clone(), NewEvent::new(world.organisation, "answer", "driver", data));
    world.simulation.executor.spawn(Box::pin(async move { drop(handle.ingest(vec![event]).await) }));
    world.simulation.executor.run_until(due.plus_millis(10_000));
    world.store.lose_notices(false);
}

fn start_by_hand(world: &World, handle: &Handle, log: &Log) {
    let (handle, log, organisation) = (handle.clone(), Arc::clone(log), world.organisation);
    world.simulation.executor.spawn(Box::pin(async move {
        let request = StartRequest { organisation, workflow: "chain".into(), input: json!({ "by": "hand" }), key: None };
        if let Ok(started) = handle.start_run(request).await {
            told(&log, |told| told.started.push(started.run_id));
        }
    }));
}

/// Cancels, pauses or resumes a run that exists.
fn disturb(world: &World, handle: &Handle, log: &Log) {
    let runs = world.store.inner().committed_runs();
    if runs.is_empty() {
        return;
    }
    let run = runs[world.below(runs.len() as u64) as usize].id;
    let (handle, organisation, which) = (handle.clone(), world.organisation, world.below(4));
    let log = Arc::clone(log);
    world.simulation.executor.spawn(Box::pin(async move {
        let result = match which {
            0 => handle.cancel(organisation, run, "driver", None, false).await,
            1 => handle.cancel(organisation, run, "driver", Some("at once".into()), true).await,
            2 => handle.pause(organisation, run, "driver", None).await,
            _ => handle.resume(organisation, run, "driver").await,
        };
        assert!(!matches!(result, Err(EngineError::NotFound { .. })), "a committed run is found: {result:?}");
        drop(log);
    }));
}

/// Workflows that are paused and go on again.
const HELD_NOW_AND_THEN: [&str; 7] = ["queued", "restart", "split", "shared-a", "rated", "burst", "nightly"];

/// What else is paused now and then: everything, the organisation, a step, a version.
fn scopes(world: &World) -> [PauseScope; 5] {
    let organisation = world.organisation;
    [
        PauseScope::Everything,
        PauseScope::Organisation(organisation),
        PauseScope::Step { organisation, workflow: "chain".into(), step: "d".into() },
        PauseScope::Step { organisation, workflow: "wait".into(), step: "answer".into() },
        PauseScope::Version { organisation, workflow: "messages".into(), version: 1 },
    ]
}

/// Pauses one of them or lets it go on.
fn hold_more(world: &World, handle: &Handle) {
    let scope = scopes(world)[world.below(5) as usize].clone();
    let (handle, on) = (handle.clone(), world.chance(500));
    let pause = Pause { scope, at: world.simulation.clock.now(), by: "driver".into(), reason: None };
    world.simulation.executor.spawn(Box::pin(async move { drop(handle.set_pause(pause, on).await) }));
}

/// Pauses a workflow or lets it go on.
fn hold_workflow(world: &World, handle: &Handle) {
    let workflow = HELD_NOW_AND_THEN[world.below(HELD_NOW_AND_THEN.len() as u64) as usize];
    let (handle, organisation, paused) = (handle.clone(), world.organisation, world.chance(500));
    world.simulation.executor.spawn(Box::pin(async move { drop(handle.set_workflow_paused(organisation, workflow, paused).await) }));
}

fn pass_time(world: &World, longest_ms: i64) {
    let clock = &world.simulation.clock;
    let until = clock.now().plus_millis(world.below(longest_ms.unsigned_abs()) as i64);
    world.simulation.executor.run_until(until);
}

/// No more faults, everything that is paused goes on, and time passes until every run has ended.
fn calm(world: &World, company: &mut Company) -> Result<(), String> {
    // Two waits for a connection, one after the other, would last for longer than the day below.
    world.store.calm();
    let handle = &company.steady(world);
    if !world.take_all {
        // The leases of the dead run out.
        world.simulation.executor.run_until(world.simulation.clock.now().plus_millis(DAY_MS));
    }
    world.simulation.executor.run_until(world.simulation.clock.now().plus_millis(60_000));
    for scope in scopes(world) {
        let handle = handle.clone();
        let pause = Pause { scope, at: world.simulation.clock.now(), by: "driver".into(), reason: None };
        if let Err(error) = world.simulation.executor.block_on(async move { handle.set_pause(pause, false).await }) {
            return Err(format!("what is paused cannot go on: {error}"));
        }
    }
    for workflow in HELD_NOW_AND_THEN {
        let (handle, organisation) = (handle.clone(), world.organisation);
        let result = world.simulation.executor.block_on(async move { handle.set_workflow_paused(organisation, workflow, false).await });
        if let Err(error) = result {
            return Err(format!("workflow {workflow} cannot go on: {error}"));
        }
    }
    world.simulation.executor.run_until(world.simulation.clock.now().plus_millis(60_000));
    let paused: Vec<RunId> = world.store.inner().committed_runs().into_iter().filter(|run| run.status == RunStatus::Paused).map(|run| run.id).collect();
    for run in paused {
        let (handle, organisation) = (handle.clone(), world.organisation);
        let result = world.simulation.executor.block_on(async move { handle.resume(organisation, run, "driver").await });
        if let Err(error) = result {
            return Err(format!("run {run} cannot be resumed: {error}"));
        }
    }
    let_go_what_waits_for_a_person(world, handle, true)?;
    world.simulation.executor.run_until(world.simulation.clock.now().plus_millis(DAY_MS));
    for workflow in SCHEDULED {
        let (handle, organisation) = (handle.clone(), world.organisation);
        let result = world.simulation.executor.block_on(async move { handle.set_current(organisation, workflow, None).await });
        if let Err(error) = result {
            return Err(format!("workflow {workflow} cannot be taken back: {error}"));
        }
    }
    for _ in 0..CALM_DAYS {
        world.simulation.executor.run_until(world.simulation.clock.now().plus_millis(DAY_MS));
        // Those that were let go went round again.
        let_go_what_waits_for_a_person(world, handle, false)?;
        let leftovers = world.store.inner().committed_leftovers();
        if leftovers == (0, 0, 0, 0) && world.store.inner().committed_runs().iter().all(|run| run.status.is_final()) {
            company.shut_down(world);
            return if world.simulation.executor.alive() == 0 {
                Ok(())
            } else {
                Err(format!("{} tasks live after the shutdown", world.simulation.executor.alive()))
            };
        }
    }
    let stuck: Vec<String> = world
        .store
        .inner()
        .committed_runs()
        .into_iter()
        .filter(|run| !run.status.is_final())
        .map(|run| format!("{} {} {} {:?} {}", run.workflow, run.id, run.key, run.status, run.waiting_on))
        .collect();
    Err(format!(
        "every run goes on by itself (promise 10): left over (timers, waits, inbox, held) {:?}; runs {stuck:#?}",
        world.store.inner().committed_leftovers()
    ))
}

/// Starts whose causes were too many: every other one may begin after all, the rest is cancelled.
fn let_go_what_waits_for_a_person(world: &World, handle: &Handle, some_begin: bool) -> Result<(), String> {
    let held = world.store.inner().committed_held().into_iter().filter(|held| matches!(held.queue, HeldQueue::Person { .. }));
    for (number, held) in held.enumerate() {
        let (handle, organisation, begins) = (handle.clone(), world.organisation, some_begin && number % 2 == 0);
        let result = world.simulation.executor.block_on(async move {
            if begins {
                handle.resume(organisation, held.run_id, "driver").await
            } else {
                handle.cancel(organisation, held.run_id, "driver", None, false).await
            }
        });
        if let Err(error) = result {
            return Err(format!("a start that waits for a person cannot be let go: {error}"));
        }
    }
    Ok(())
}
