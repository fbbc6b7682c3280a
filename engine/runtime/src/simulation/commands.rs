//! An engine that does only what it is told: a command's, on a database on which no server runs.

use super::{
    scenarios::{calm, event, ingest, pass, runs},
    world::World,
};
use crate::Duty;
use onward_core::ports::RunStatus;
use serde_json::json;

const SLEEPY: &str = "
name: sleepy
on: [{ event: sleep }]
steps:
  - { id: nap, delay: 1m }
  - { id: after, do: debug.echo, with: { n: 1 } }
";
const ECHO: &str = "
name: echo
on: [{ event: go }]
steps:
  - { id: first, do: debug.echo, with: { n: 1 } }
  - { id: second, do: debug.echo, with: { n: 2 } }
";
const HOUR_MS: i64 = 3_600_000;

/// Every run with its status and how long its history is.
fn standing(world: &World) -> Vec<(String, RunStatus, u64)> {
    let mut all: Vec<_> = ["sleepy", "echo"].iter().flat_map(|name| runs(world, name)).map(|run| (run.id.to_string(), run.status, run.last_seq)).collect();
    all.sort();
    all
}

#[test]
fn a_command_leaves_the_runs_where_they_stand() {
    let (world, server) = calm(&[SLEEPY, ECHO]);
    ingest(&world, &server, vec![event(&world, "sleep", "1", json!({})), event(&world, "go", "2", json!({}))]).expect("they are taken in");
    world.simulation.executor.crash();
    let before = standing(&world);
    assert_eq!(before.len(), 2);

    let command = world.start_for(Duty::Command);
    pass(&world, HOUR_MS);
    assert_eq!(standing(&world), before, "no timer fired, no call was made");
    world.simulation.executor.block_on(command.shutdown());
    assert_eq!(standing(&world), before);

    world.start();
    pass(&world, HOUR_MS);
    assert!(standing(&world).iter().all(|(_, status, _)| *status == RunStatus::Completed), "{:?}", standing(&world));
}

#[test]
fn what_a_command_starts_goes_on_with_the_next_server_and_is_called_once() {
    let (world, server) = calm(&[ECHO]);
    world.simulation.executor.block_on(server.shutdown());
    let command = world.start_for(Duty::Command);
    let told = ingest(&world, &command, vec![event(&world, "go", "1", json!({}))]).expect("it is taken in");
    pass(&world, HOUR_MS);
    assert_eq!(runs(&world, "echo")[0].status, RunStatus::Running);
    world.simulation.executor.block_on(command.shutdown());
    assert_ne!(runs(&world, "echo")[0].status, RunStatus::Completed);

    world.start();
    pass(&world, HOUR_MS);
    let run = runs(&world, "echo").remove(0);
    assert_eq!((run.id, run.status), (told[0].run_ids[0], RunStatus::Completed));
}
