//! Schedules under crashes, downtime and clock steps: each due time fires once, and what was missed follows the policy.

use super::{
    scenarios::{calm, calm_with, pass, publish, runs},
    world::{EVERYBODY, Handle, World},
};
use crate::EngineError;
use onward_core::{
    Timestamp,
    history::Fact,
    ports::{Clock as _, RunRow, Store as _},
};
use onward_testkit::{Faults, faults::CommitFault};
use std::collections::BTreeSet;

const HOUR_MS: i64 = 3_600_000;

/// An hourly workflow with this policy and these further lines in its schedule.
fn hourly(more: &str) -> String {
    format!("name: hourly\non: [{{ schedule: {{ cron: 0 * * * *, timezone: UTC, {more} }} }}]\nsteps:\n  - {{ id: a, do: test.count, with: {{}} }}\n")
}

fn started_by(world: &World, run: &RunRow) -> serde_json::Value {
    let history = world.store.inner().committed_history(run.id).expect("readable");
    match history.into_iter().next().map(|entry| entry.fact) {
        Some(Fact::RunStarted { event, .. }) => serde_json::Value::clone(&event),
        other => panic!("{other:?}"),
    }
}

/// The due times of a workflow's runs, in order of their starts.
fn due_times(world: &World, workflow: &str) -> Vec<Timestamp> {
    runs(world, workflow)
        .iter()
        .map(|run| {
            let event = started_by(world, run);
            assert_eq!(event["type"], "schedule.fired");
            event["data"]["due"].as_str().and_then(|due| due.parse().ok()).expect("it says when it was due")
        })
        .collect()
}

fn next_hour(world: &World) -> Timestamp {
    Timestamp::from_millis((world.simulation.clock.now().as_millis() / HOUR_MS + 1) * HOUR_MS)
}

fn hours(first: Timestamp, count: i64) -> Vec<Timestamp> {
    (0..count).map(|hour| first.plus_millis(hour * HOUR_MS)).collect()
}

/// The process dies, and another one starts this much later.
fn down(world: &World, millis: i64) -> Handle {
    world.simulation.executor.crash();
    world.simulation.clock.advance_to(world.simulation.clock.now().plus_millis(millis));
    let handle = world.start();
    pass(world, 1_000);
    handle
}

#[test]
fn each_due_time_starts_one_run_at_its_millisecond() {
    let (world, _handle) = calm(&[&hourly("missed: skip")]);
    let first = next_hour(&world);
    world.simulation.executor.run_until(first.plus_millis(-1));
    assert!(runs(&world, "hourly").is_empty(), "none is early");
    pass(&world, 1);
    assert_eq!(runs(&world, "hourly")[0].started_at, first);
    pass(&world, 10 * HOUR_MS);
    assert_eq!(due_times(&world, "hourly"), hours(first, 11));
}

#[test]
fn what_a_downtime_missed_follows_the_policy() {
    for (policy, made_up) in [("run_once", 1), ("skip", 0), ("run_all", 5)] {
        let (world, _handle) = calm(&[&hourly(&format!("missed: {policy}"))]);
        let first = next_hour(&world);
        world.simulation.executor.run_until(first.plus_millis(HOUR_MS / 2));
        let _handle = down(&world, 5 * HOUR_MS);
        let missed = hours(first, 6);
        let mut expected = vec![first];
        expected.extend(&missed[6 - made_up..]);
        assert_eq!(due_times(&world, "hourly"), expected, "{policy}");
        world.simulation.executor.run_until(first.plus_millis(6 * HOUR_MS));
        expected.push(first.plus_millis(6 * HOUR_MS));
        assert_eq!(due_times(&world, "hourly"), expected, "{policy}: and then as ever");
    }
}

#[test]
fn a_clock_that_jumps_ahead_is_a_downtime() {
    let (world, _handle) = calm(&[&hourly("missed: run_once")]);
    let first = next_hour(&world);
    world.simulation.clock.advance_to(first.plus_millis(100 * HOUR_MS + 120_000));
    pass(&world, 1_000);
    assert_eq!(due_times(&world, "hourly"), [first.plus_millis(100 * HOUR_MS)]);
}

#[test]
fn a_due_time_whose_commit_is_in_doubt_fires_once() {
    for fault in [CommitFault::Failed, CommitFault::UnknownStored, CommitFault::UnknownLost, CommitFault::DiskFull] {
        let (world, _handle) = calm(&[&hourly("missed: run_once")]);
        let first = next_hour(&world);
        world.simulation.executor.run_until(first.plus_millis(-1));
        world.store.script([Some(fault)]);
        pass(&world, HOUR_MS);
        assert_eq!(due_times(&world, "hourly"), [first], "{fault:?}");
    }
}

#[test]
fn a_crash_between_any_two_steps_fires_each_due_time_once() {
    for steps in 0..60 {
        let (world, _handle) = calm(&[&hourly("missed: run_all")]);
        let first = next_hour(&world);
        world.simulation.executor.run_until(first.plus_millis(-1));
        world.simulation.clock.advance_to(first);
        world.simulation.executor.run_steps(steps);
        let _handle = down(&world, 2 * HOUR_MS);
        pass(&world, 1_000);
        assert_eq!(due_times(&world, "hourly"), hours(first, 3), "a crash after {steps} steps");
    }
}

#[test]
fn a_new_version_goes_on_where_the_old_one_stood_unless_the_rhythm_changes() {
    let (world, handle) = calm(&[&hourly("missed: run_all")]);
    let first = next_hour(&world);
    // Down over a due time: the version that is published first thing afterwards makes up for it all the same.
    world.simulation.executor.run_until(first.plus_millis(-1));
    world.simulation.executor.crash();
    world.simulation.clock.advance_to(first.plus_millis(HOUR_MS / 2));
    drop(handle);
    let handle = world.start();
    publish(&world, &handle, &hourly("missed: run_all").replace("id: a", "id: b"));
    pass(&world, 1_000);
    assert_eq!(due_times(&world, "hourly"), [first]);
    publish(&world, &handle, &hourly("missed: run_all").replace("0 * * * *", "30 * * * *"));
    pass(&world, HOUR_MS);
    assert_eq!(due_times(&world, "hourly"), [first, first.plus_millis(HOUR_MS * 3 / 2)], "the new rhythm, from now on");
    world.simulation.executor.block_on(handle.set_current(world.organisation, "hourly", Some(1))).expect("a rollback");
    pass(&world, HOUR_MS);
    assert_eq!(due_times(&world, "hourly").last(), Some(&first.plus_millis(2 * HOUR_MS)), "the old rhythm again");
    world.simulation.executor.block_on(handle.set_current(world.organisation, "hourly", None)).expect("none");
    let count = due_times(&world, "hourly").len();
    pass(&world, 5 * HOUR_MS);
    assert_eq!(due_times(&world, "hourly").len(), count, "no version, no time");
}

#[test]
fn a_paused_workflow_stands_still_and_its_missed_times_follow_the_policy() {
    for (policy, made_up) in [("run_once", 1), ("skip", 0), ("run_all", 4)] {
        let (world, handle) = calm(&[&hourly(&format!("missed: {policy}"))]);
        let first = next_hour(&world);
        let pause = |paused| world.simulation.executor.block_on(handle.set_workflow_paused(world.organisation, "hourly", paused)).expect("a workflow");
        pause(true);
        world.simulation.executor.run_until(first.plus_millis(3 * HOUR_MS + HOUR_MS / 2));
        assert!(runs(&world, "hourly").is_empty(), "{policy}: nothing fires while it is paused");
        assert_eq!(world.store.inner().committed_leftovers().3, 0, "and nothing is held");
        pause(false);
        pass(&world, 1_000);
        assert_eq!(due_times(&world, "hourly"), hours(first, 4)[4 - made_up..], "{policy}");
        world.simulation.executor.run_until(first.plus_millis(4 * HOUR_MS));
        assert_eq!(due_times(&world, "hourly").last(), Some(&first.plus_millis(4 * HOUR_MS)), "{policy}: and then as ever");
    }
}

#[test]
fn jitter_comes_later_and_the_same_after_a_crash() {
    let (world, _handle) = calm(&[&hourly("jitter: 20m")]);
    let first = next_hour(&world);
    let row = |world: &World| {
        let leases: Vec<_> = (0..256).map(|shard| onward_core::ports::Lease { shard: onward_core::Shard(shard), epoch: 1 }).collect();
        world.simulation.executor.block_on(world.store.inner().schedules(&leases)).expect("readable").remove(0)
    };
    let planned = row(&world);
    assert!(planned.next_due == first && planned.fires_at > first && planned.fires_at <= first.plus_millis(20 * 60_000), "{planned:?}");
    world.simulation.executor.crash();
    let _handle = world.start();
    world.simulation.executor.run_until(planned.fires_at.plus_millis(-1));
    assert!(runs(&world, "hourly").is_empty());
    pass(&world, 1);
    let run = &runs(&world, "hourly")[0];
    assert_eq!((run.started_at, due_times(&world, "hourly")), (planned.fires_at, vec![first]));
}

const EACH: &str = "
name: each
on: [{ schedule: { cron: 0 9 * * *, timezone: UTC, each: { segment: everybody } } }]
mode: single
steps:
  - { id: a, do: debug.echo, with: { who: '{{ event.data.contact_id }}' } }
";

#[test]
fn every_contact_of_the_segment_has_one_run_for_a_due_time_whatever_crashes() {
    let (world, _handle) = calm(&[EACH]);
    world.store.set(Faults { commit_fails: 100, commit_unknown: 100, write_fails: 20, ..Faults::default() });
    for _ in 0..20 {
        pass(&world, 24 * HOUR_MS / 20 - 7);
        world.simulation.executor.run_steps(200);
        world.simulation.executor.crash();
        drop(world.start());
    }
    world.store.set(Faults::default());
    pass(&world, HOUR_MS);
    let all = runs(&world, "each");
    let due: BTreeSet<Timestamp> = due_times(&world, "each").into_iter().collect();
    let keys: BTreeSet<(String, String)> = all.iter().map(|run| (started_by(&world, run)["data"]["due"].to_string(), run.key.clone())).collect();
    assert_eq!((all.len(), keys.len()), (EVERYBODY * due.len(), EVERYBODY * due.len()), "once per contact and due time: {due:?}");
    assert!(all.iter().all(|run| run.contact.as_deref() == Some(run.key.as_str())), "the contact is bound, and is the key");
}

#[test]
fn contacts_are_served_at_that_hour_where_they_live() {
    let (world, _handle) = calm(&[&EACH.replace("timezone: UTC", "timezone: contact")]);
    pass(&world, 24 * HOUR_MS);
    let all = runs(&world, "each");
    assert_eq!(all.len(), EVERYBODY);
    for run in all {
        let zone = if run.key[1..].parse::<usize>().expect("a number").is_multiple_of(3) { "America/New_York" } else { "Asia/Kolkata" };
        let here = run.started_at.to_jiff().expect("a time").in_tz(zone).expect("a zone");
        assert_eq!((here.hour(), here.minute()), (9, 0), "{} lives in {zone}", run.key);
    }
}

#[test]
fn a_segment_that_does_not_exist_is_told_on_the_event() {
    let (world, _handle) = calm(&[&EACH.replace("everybody", "nobody")]);
    pass(&world, 48 * HOUR_MS);
    assert!(runs(&world, "each").is_empty());
    let notes = world.store.inner().committed_notes();
    assert!(notes.iter().filter(|note| format!("{note:?}").contains("the segment \\\"nobody\\\" does not exist")).count() == 2, "{notes:?}");
}

#[test]
fn two_workflows_cannot_listen_at_one_path() {
    let hook = |name: &str| format!("name: {name}\non: [{{ webhook: {{ path: leads, verify: none }} }}]\nsteps: [{{ stop: }}]\n");
    let (world, handle) = calm(&[&hook("first")]);
    let second = world.simulation.executor.block_on(handle.publish(world.organisation, None, &hook("second")));
    assert!(matches!(&second, Err(EngineError::Invalid { problems }) if problems[0].code == "duplicate_path" && problems[0].line == 2), "{second:?}");
    publish(&world, &handle, &hook("first").replace("leads", "others"));
    publish(&world, &handle, &hook("second"));
    let back = world.simulation.executor.block_on(handle.set_current(world.organisation, "first", Some(1)));
    assert!(matches!(back, Err(EngineError::Invalid { .. })), "a rollback to a path that was given away: {back:?}");
}

#[test]
fn one_event_starts_a_workflow_once_by_the_first_trigger_that_lets_it_in() {
    let source = "
name: several
on:
  - { event: go, if: event.data.nothing.at.all > 1, with: { by: broken } }
  - { event: go, if: event.data.n > 5, with: { by: large } }
  - { event: go, with: { by: any } }
  - { event: go, with: { by: never } }
steps:
  - { id: a, do: debug.echo, with: { by: '{{ input.by }}' } }
";
    let (world, handle) = calm_with(&[source], |_| {});
    for n in [1, 9] {
        let event = onward_core::NewEvent::new(world.organisation, "go", "test", serde_json::json!({ "n": n }));
        let answers = world.simulation.executor.block_on(handle.ingest(vec![event])).expect("taken in");
        assert_eq!(answers[0].run_ids.len(), 1);
    }
    let by: Vec<String> = runs(&world, "several").iter().map(|run| run.input["by"].as_str().unwrap_or("").to_owned()).collect();
    assert_eq!(by, ["any", "large"]);
}
