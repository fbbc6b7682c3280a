//! Scenarios of flow control: limits, bursts, priorities, what is held and what lets it go (SEMANTICS.md 13, 22 to 24).

use super::{
    scenarios::{calm, calm_with, event, ingest, pass, publish, runs},
    world::{Handle, World},
};
use crate::{EngineError, StartRequest};
use onward_core::{
    NewEvent, OrganisationId, RunId, Timestamp,
    ports::{Clock as _, HeldQueue, Ids as _, RunRow, RunStatus},
};
use onward_testkit::faults::CommitFault;
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;

fn send(world: &World, handle: &Handle, kind: &str, all: impl IntoIterator<Item = Value>) -> Vec<RunId> {
    let events = all.into_iter().map(|data| event(world, kind, &world.simulation.ids.fresh(now(world)).to_string(), data)).collect();
    let answers = ingest(world, handle, events).expect("taken in");
    answers.into_iter().flat_map(|answer| answer.run_ids).collect()
}

fn alive(world: &World, workflow: &str) -> usize {
    runs(world, workflow).iter().filter(|run| !run.status.is_final()).count()
}

/// The rows of runs whose start is held.
fn held(world: &World) -> Vec<RunRow> {
    world.store.inner().committed_runs().into_iter().filter(|run| run.status == RunStatus::Held).collect()
}

fn now(world: &World) -> Timestamp {
    world.simulation.clock.now()
}

const DESK_A: &str = "
name: desk-a
on: [{ event: go }]
key: '{{ event.data.k }}'
limits: { concurrency: { max: 3, shared: desk } }
steps: [{ id: sleep, delay: 1h }]
";
const DESK_B: &str = "
name: desk-b
on: [{ event: go }]
limits: { concurrency: { max: 3, shared: desk } }
priority: '{{ event.data.p }}'
steps: [{ id: sleep, delay: 1h }]
";

#[test]
fn a_shared_limit_holds_over_workflows_crashes_and_unknown_commits() {
    let (world, handle) = calm(&[DESK_A, DESK_B]);
    let told = send(&world, &handle, "go", (0..10).map(|k| json!({ "k": k, "p": 5 })));
    assert_eq!(told.len(), 20, "each has a run id, held or not");
    for hour in 0..8 {
        assert!(alive(&world, "desk-a") + alive(&world, "desk-b") <= 3, "hour {hour}");
        if hour % 3 == 1 {
            // The commit in which runs end and others begin goes wrong, and then the process dies.
            world.store.script([Some(CommitFault::UnknownStored), Some(CommitFault::UnknownLost), Some(CommitFault::Failed)]);
            pass(&world, 61 * MINUTE);
            world.simulation.executor.crash();
            let _again = world.start();
        }
        pass(&world, 61 * MINUTE);
    }
    pass(&world, 10 * 60 * MINUTE);
    let done: Vec<RunRow> = [runs(&world, "desk-a"), runs(&world, "desk-b")].concat();
    assert!(done.len() == 20 && done.iter().all(|run| run.status == RunStatus::Completed && told.contains(&run.id)), "nothing is dropped");
    assert_eq!(world.store.inner().committed_permits(), []);
    assert_eq!(held(&world), []);
}

#[test]
fn what_is_held_is_listed_with_its_reason_and_starts_when_there_is_room() {
    let (world, handle) = calm(&[DESK_A]);
    send(&world, &handle, "go", (0..4).map(|k| json!({ "k": k })));
    let [waiting] = held(&world).try_into().expect("one is held");
    let reason = waiting.waiting_on["reason"].as_str().expect("a reason");
    assert!(reason.contains("3 of desk are at work; it starts when one has ended"), "{reason}");
    assert_eq!((waiting.waiting_on["held_by"].as_str(), waiting.key.as_str(), waiting.last_seq), (Some("concurrency"), "3", 0));
    let run = runs(&world, "desk-a")[0].id;
    world.simulation.executor.block_on(handle.cancel(world.organisation, run, "me", None, false)).expect("cancelled");
    let started = runs(&world, "desk-a").into_iter().find(|run| run.id == waiting.id).expect("in the commit that made room");
    assert_eq!((started.status, started.input["k"].clone()), (RunStatus::Waiting, json!(3)));
}

#[test]
fn priority_one_goes_first_and_equals_keep_their_order() {
    let (world, handle) = calm(&[&DESK_B.replace("max: 3", "max: 1")]);
    send(&world, &handle, "go", [json!({ "p": 5, "n": 0 })]);
    send(&world, &handle, "go", [9, 5, 1, 5, 1].into_iter().zip(1..).map(|(p, n)| json!({ "p": p, "n": n })));
    pass(&world, 7 * 60 * MINUTE);
    let mut order = runs(&world, "desk-b");
    order.sort_by_key(|run| run.started_at);
    let order: Vec<&Value> = order.iter().map(|run| &run.input["n"]).collect();
    assert_eq!(order, [0, 3, 5, 2, 4, 1], "1 is first, and equals keep the order in which they came");
}

const RATED: &str = "
name: rated
on: [{ event: go }]
key: '{{ event.data.k }}'
limits: { rate: { max: 6, per: 1h, key: all } }
steps: [{ id: a, do: test.count, with: {} }]
";

#[test]
fn a_rate_spreads_starts_and_no_crash_lets_more_through() {
    let (world, handle) = calm(&[RATED]);
    send(&world, &handle, "go", (0..20).map(|k| json!({ "k": k })));
    assert_eq!(held(&world).len(), 19);
    for _ in 0..16 {
        pass(&world, 13 * MINUTE);
        world.simulation.executor.crash();
        let _again = world.start();
    }
    let mut starts: Vec<Timestamp> = runs(&world, "rated").iter().map(|run| run.started_at).collect();
    starts.sort_unstable();
    assert_eq!(starts.len(), 20, "all have started after three hours and twenty minutes");
    for first in &starts {
        assert!(starts.iter().filter(|start| *start >= first && **start < first.plus_millis(60 * MINUTE)).count() <= 6);
    }
    assert!(starts.windows(2).all(|pair| pair[1].millis_since(pair[0]) >= 10 * MINUTE), "they are spread: {starts:?}");
}

const BURST: &str = "
name: burst
on: [{ event: typed }]
key: '{{ event.data.k }}'
limits: { debounce: { wait: 5m, max_wait: 12m } }
steps: [{ id: a, do: debug.echo, with: { n: '{{ event.data.n }}' } }]
";

#[test]
fn the_last_event_of_a_burst_starts_the_run_after_a_crash_too() {
    let (world, handle) = calm(&[BURST]);
    let mut told = Vec::new();
    let mut handle = handle;
    for n in 0..3 {
        told.extend(send(&world, &handle, "typed", [json!({ "k": "a", "n": n })]));
        pass(&world, 3 * MINUTE);
        world.simulation.executor.crash();
        handle = world.start();
    }
    assert!(runs(&world, "burst").is_empty() && told.windows(2).all(|pair| pair[0] == pair[1]), "one burst is one run: {told:?}");
    pass(&world, 2 * MINUTE);
    let [run] = runs(&world, "burst").try_into().expect("one run");
    assert_eq!((run.id, run.input["n"].clone()), (told[0], json!(2)), "the last event's");
    assert_eq!(run.event_id, world.simulation.executor.block_on(last_event(&world, &handle)));
}

/// The event that the newest run was started by, as its history says.
async fn last_event(world: &World, handle: &Handle) -> Option<onward_core::EventId> {
    let run = runs(world, "burst").pop()?;
    let stored = handle.histories(world.organisation, vec![run.id]).await.ok()?;
    match &stored.first()?.entries.first()?.fact {
        onward_core::history::Fact::RunStarted { event_id, .. } => *event_id,
        _ => None,
    }
}

#[test]
fn a_burst_that_does_not_end_is_bounded() {
    let (world, handle) = calm(&[BURST]);
    let began = now(&world);
    for n in 0..10 {
        send(&world, &handle, "typed", [json!({ "k": "a", "n": n }), json!({ "k": "b", "n": n })]);
        pass(&world, 2 * MINUTE);
    }
    pass(&world, 10 * MINUTE);
    let mut of_a: Vec<RunRow> = runs(&world, "burst").into_iter().filter(|run| run.key == "a").collect();
    of_a.sort_by_key(|run| run.started_at);
    assert_eq!(of_a.len(), 2, "twenty minutes of events are a burst of twelve and what came after");
    assert_eq!(of_a[0].started_at, began.plus_millis(12 * MINUTE));
    assert_eq!((of_a[0].input["n"].clone(), of_a[1].input["n"].clone()), (json!(5), json!(9)), "the last before its end");
    assert_eq!(runs(&world, "burst").len(), 4, "each key for itself");
}

#[test]
fn a_newer_start_replaces_one_that_is_held() {
    let restart = "
name: restart
on: [{ event: go }]
key: one
mode: restart
steps: [{ id: sleep, delay: 1h }]
";
    let (world, handle) = calm(&[restart]);
    let told = send(&world, &handle, "go", (0..4).map(|n| json!({ "n": n })));
    pass(&world, 2 * 60 * MINUTE);
    let completed: Vec<RunId> = runs(&world, "restart").into_iter().filter(|run| run.status == RunStatus::Completed).map(|run| run.id).collect();
    assert_eq!(completed, [told[3]], "the newest");
    let replaced: Vec<RunRow> = world.store.inner().committed_runs().into_iter().filter(|run| run.last_seq == 0).collect();
    assert!(replaced.iter().all(|run| run.status == RunStatus::Cancelled), "{replaced:#?}");
    assert!(replaced.iter().all(|run| run.error.as_ref().is_some_and(|error| error.message.contains("a newer start of this key replaces it"))));
}

#[test]
fn a_start_above_depth_sixteen_waits_for_a_person() {
    let circle = "
name: circle
on: [{ event: round }]
steps: [{ emit: round, with: { n: '{{ event.data.n + 1 }}' } }]
";
    let (world, handle) = calm(&[circle]);
    send(&world, &handle, "round", [json!({ "n": 0 })]);
    pass(&world, MINUTE);
    assert_eq!(runs(&world, "circle").len(), 17);
    world.simulation.executor.crash();
    let handle = world.start();
    pass(&world, MINUTE);
    let [waiting] = held(&world).try_into().expect("it is durable");
    assert!(waiting.waiting_on["reason"].as_str().is_some_and(|reason| reason.contains("onward runs resume")), "{waiting:#?}");
    let paused = world.simulation.executor.block_on(handle.pause(world.organisation, waiting.id, "me", None));
    assert!(matches!(paused, Err(EngineError::Conflict(_))), "{paused:?}");
    world.simulation.executor.block_on(handle.resume(world.organisation, waiting.id, "me")).expect("let go");
    pass(&world, MINUTE);
    assert_eq!(runs(&world, "circle").len(), 34, "its causes count anew");
    let again = held(&world)[0].id;
    world.simulation.executor.block_on(handle.cancel(world.organisation, again, "me", Some("a circle".into()), false)).expect("cancelled");
    let ended = world.store.inner().committed_runs().into_iter().find(|run| run.id == again).expect("it stays listed");
    assert!(ended.status == RunStatus::Cancelled && ended.error.is_some_and(|error| error.message.contains("cancelled by me: a circle")));
    let twice = world.simulation.executor.block_on(handle.cancel(world.organisation, again, "me", None, false));
    assert!(matches!(twice, Err(EngineError::Conflict(_))), "{twice:?}");
}

#[test]
fn too_many_held_starts_are_refused_by_the_api_and_kept_from_providers() {
    let (world, handle) = calm_with(&["name: queued\non: [{ event: go }, { manual: {} }]\nkey: one\nmode: queued\nsteps: [{ id: s, delay: 1h }]\n"], |world| {
        world.limits.held_per_key = 5;
    });
    send(&world, &handle, "go", (0..6).map(|n| json!({ "n": n })));
    assert_eq!(held(&world).len(), 5);
    let refused = ingest(&world, &handle, vec![event(&world, "go", "over", json!({}))]);
    assert!(matches!(refused, Err(EngineError::TooMany(_))), "{refused:?}");
    let by_hand = StartRequest { organisation: world.organisation, workflow: "queued".into(), input: json!({}), key: None };
    let refused = world.simulation.executor.block_on(handle.start_run(by_hand.clone()));
    assert!(matches!(refused, Err(EngineError::TooMany(_))), "{refused:?}");
    let organisation = world.organisation;
    let provider = onward_core::ports::write(&handle, onward_core::ports::Lane::Normal, move |tx: &mut onward_testkit::MemoryTx| {
        onward_core::ports::Transaction::emit(tx, NewEvent::new(organisation, "go", "provider", json!({})));
        Box::pin(async { Ok::<(), ()>(()) })
    });
    world.simulation.executor.block_on(provider).expect("taken").expect("in");
    assert_eq!(held(&world).len(), 6, "what a provider sends is kept");
    pass(&world, 4 * 60 * MINUTE);
    world.simulation.executor.block_on(handle.start_run(by_hand)).expect("there is room again");
}

#[test]
fn wider_limits_let_go_what_narrower_ones_held() {
    let (world, handle) = calm(&[DESK_A]);
    send(&world, &handle, "go", (0..8).map(|k| json!({ "k": k })));
    assert_eq!(held(&world).len(), 5);
    publish(&world, &handle, &DESK_A.replace("max: 3", "max: 5"));
    pass(&world, 10);
    assert_eq!((held(&world).len(), alive(&world, "desk-a")), (3, 5));
    publish(&world, &handle, &DESK_A.replace("limits: { concurrency: { max: 3, shared: desk } }", ""));
    pass(&world, 10);
    assert_eq!((held(&world).len(), alive(&world, "desk-a")), (0, 8));
    let versions: Vec<u32> = runs(&world, "desk-a").iter().map(|run| run.version).collect();
    assert!([1, 2, 3].iter().all(|version| versions.contains(version)), "each on the version published when it began: {versions:?}");
}

#[test]
fn a_million_held_starts_of_one_organisation_do_not_delay_the_first_of_another() {
    const MANY: usize = 3_000;
    let open = "name: open\non: [{ event: go }]\nsteps: [{ id: a, do: debug.echo, with: {} }]\n";
    let (world, handle) = calm(&[open]);
    let other = OrganisationId(world.simulation.ids.fresh(now(&world)));
    world.simulation.executor.block_on(handle.publish(other, None, open)).expect("published");
    for organisation in [world.organisation, other] {
        world.simulation.executor.block_on(handle.set_workflow_paused(organisation, "open", true)).expect("paused");
    }
    for page in 0..MANY / 500 {
        let events = (0..500).map(|number| event(&world, "go", &format!("{page}-{number}"), json!({}))).collect();
        ingest(&world, &handle, events).expect("taken in");
    }
    ingest(&world, &handle, vec![NewEvent::new(other, "go", "them", json!({}))]).expect("taken in");
    assert_eq!(held(&world).len(), MANY + 1);
    // Every commit takes a millisecond, so that the order shows in time.
    world.store.script(vec![Some(CommitFault::Slow(1)); MANY]);
    world.simulation.executor.block_on(handle.set_workflow_paused(world.organisation, "open", false)).expect("resumed");
    world.simulation.executor.block_on(handle.set_workflow_paused(other, "open", false)).expect("resumed");
    pass(&world, 60_000);
    let all = runs(&world, "open");
    assert_eq!(all.len(), MANY + 1);
    let theirs = all.iter().find(|run| run.organisation == other).expect("it started").started_at;
    let before = all.iter().filter(|run| run.started_at < theirs).count();
    assert!(before <= 3 * world.limits.releases, "{before} of another organisation began before it");
}

#[test]
fn queues_of_a_paused_workflow_do_not_block_others_of_their_limit() {
    let (world, handle) = calm(&[DESK_A, DESK_B]);
    send(&world, &handle, "go", (0..6).map(|k| json!({ "k": k, "p": 5 })));
    world.simulation.executor.block_on(handle.set_workflow_paused(world.organisation, "desk-a", true)).expect("paused");
    pass(&world, 7 * 60 * MINUTE);
    let began = runs(&world, "desk-a").len();
    assert!(began <= 3 && runs(&world, "desk-b").len() == 6, "{began}");
    assert!(world.store.inner().committed_held().iter().all(|held| matches!(held.queue, HeldQueue::Paused { .. })));
    world.simulation.executor.block_on(handle.set_workflow_paused(world.organisation, "desk-a", false)).expect("resumed");
    pass(&world, 7 * 60 * MINUTE);
    assert_eq!(runs(&world, "desk-a").len(), 6);
}
