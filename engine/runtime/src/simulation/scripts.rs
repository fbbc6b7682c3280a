//! Scripts in the simulation: one that does all that scripts can, between crashes at every place.

use super::scenarios::{calm, event, ingest, pass, runs};
use onward_core::{
    Value,
    history::Fact,
    ports::{RunStatus, Store as _},
};
use serde_json::json;

/// Steps of every effect, branches side by side, waits, sleeps, other runs, a question, failures that are caught.
pub(super) const SCRIPT: &str = r#"
//! name: script
//! on: [{ event: go.script }]
//! timeout: 20d
let k = event.data.k;
log(`begins with ${k}`);
let first = step("first", "test.call", #{ k: k });
step("test.count");
let sent = try_send("test.send");
fn try_send(node) {
    try { step("send", node, #{ n: 2 }); return "sent"; } catch (e) { return e.code; }
}
let both = parallel([
    || {
        sleep("90s");
        for i in 0..2 { step(`left_${i}`, "test.count"); }
        random(1, 6)
    },
    || {
        let reply = wait_for("answer", #{ k: k }, "6h");
        if reply == () { step("late", "test.count"); return "late"; }
        try { step("paid", "test.pay", #{ n: reply.data.n }); } catch (e) { log(e.message); }
        "answered"
    },
]);
let variant = split("test", #{ short: 1, long: 1 });
if variant == "long" { sleep("1h"); }
emit("answer", #{ k: k, n: 0 });
try { step("fails", "debug.fail", #{ code: "declined", message: "no" }); } catch (e) { step("test.count"); }
let child = ();
try { child = call("callee", #{ k: k }).k; } catch (e) { child = e.code; }
try { start("callee", #{ k: k }); } catch (e) { log(e.code); }
let laps = call("laps", #{ lap: 1 }).laps;
let asked = ask("sign_off", #{ who: #{ role: "owner" }, title: "Go on?", remind_every: "20m", timeout: "1h" });
#{ sent: sent, both: both, variant: variant, child: child, laps: laps, asked: asked.timed_out, ended: now() }
"#;

/// A run that goes on in a new history, one at a time.
pub(super) const LAPS: &str = r#"
//! name: laps
//! on: [{ manual: {} }]
//! mode: single
//! reentry: never
//! limits: { concurrency: { max: 1, shared: track } }
let lap = step("debug.echo", #{ lap: input.lap }).lap;
sleep("1m");
if lap < 3 { continue_as(#{ lap: lap + 1 }); }
#{ laps: lap }
"#;

/// Waits for one.
const RUNNER: &str = "
name: runner
on: [{ event: go.runner }]
steps:
  - { id: run, call: laps, with: { lap: 1 } }
  - { id: end, stop: { output: \"{{ steps.run.laps }}\" } }
";

#[test]
fn whoever_waits_for_a_run_waits_for_all_its_histories() {
    let (world, handle) = calm(&[LAPS, RUNNER]);
    ingest(&world, &handle, vec![event(&world, "go.runner", "1", json!({}))]).expect("it is taken in");
    pass(&world, 600_000);
    assert_eq!(runs(&world, "runner")[0].output, json!(3));
    let laps = runs(&world, "laps");
    assert_eq!(laps.len(), 3);
    assert!(laps.iter().all(|run| run.key == laps[0].key && run.status == RunStatus::Completed), "{laps:#?}");

    ingest(&world, &handle, vec![event(&world, "go.runner", "2", json!({}))]).expect("it is taken in");
    pass(&world, 90_000);
    let runner = runs(&world, "runner").into_iter().find(|run| run.status == RunStatus::Waiting).expect("it waits");
    world.simulation.executor.block_on(handle.cancel(world.organisation, runner.id, "test", None, false)).expect("it is cancelled");
    pass(&world, 600_000);
    let statuses: Vec<RunStatus> = runs(&world, "laps").into_iter().skip(3).map(|run| run.status).collect();
    assert_eq!(statuses, [RunStatus::Completed, RunStatus::Cancelled], "the cancel reaches the history that runs");
    assert!(!world.simulation.executor.block_on(world.store.inner().permits_are_out()).expect("they are counted"), "each permit is given back");
}

#[test]
fn a_script_runs_to_its_end() {
    let (world, handle) = calm(&[SCRIPT, LAPS, super::workflows::CALLEE]);
    ingest(&world, &handle, vec![event(&world, "go.script", "1", json!({ "k": "one" }))]).expect("it is taken in");
    ingest(&world, &handle, vec![event(&world, "answer", "early", json!({ "k": "one", "n": 3 }))]).expect("it is taken in");
    pass(&world, 86_400_000);
    let run = runs(&world, "script").remove(0);
    assert_eq!(run.status, RunStatus::Completed, "{:?}", run.error);
    let both = run.output["both"].as_array().cloned().unwrap_or_default();
    assert!(both.first().is_some_and(Value::is_i64) && both.len() == 2, "{}", run.output);
    assert_eq!((&run.output["child"], &run.output["laps"], &run.output["asked"]), (&json!("one"), &json!(3), &json!(true)), "{}", run.output);
    let history = world.store.inner().committed_history(run.id).expect("it is stored");
    let steps: Vec<String> = history.iter().filter_map(|entry| entry.step.as_deref().map(str::to_owned)).collect();
    for step in ["first", "parallel:1/0/left_1", "parallel:1/1/wait_for:1", "test", "emit:answer:1", "fails", "call:callee:1", "start:callee:1", "sign_off"] {
        assert!(steps.iter().any(|seen| seen == step), "{step} in {steps:?}");
    }
    let reminders = history.iter().filter(|entry| matches!(&entry.fact, Fact::EventEmitted { event, .. } if event == "ask.reminded")).count();
    assert_eq!(reminders, 2, "an hour has two times twenty minutes before its end");
    assert_eq!(runs(&world, "callee").len(), 2);
}
