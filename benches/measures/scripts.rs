//! Scripts that are whole workflows: what whole runs of them cost, in this process.

use super::{
    Bench,
    machine::{Nodes, organisation, program, repeated, run},
};
use crate::{Result, report::Figure};
use onward_core::{
    Timestamp,
    definition::Workflow,
    machine::{Context, Happening, Known, Start, State, decide},
    ports::{Outcome, RunStatus},
};
use serde_json::json;
use std::collections::BTreeMap;

/// Steps of the runs that are measured.
const STEPS: [usize; 3] = [10, 100, 1_000];

/// Whole runs, step after step.
pub(super) fn measure(bench: &mut Bench) -> Result<()> {
    let repeats = bench.settings.runs;
    let nodes = Nodes::new();
    for (steps, name) in STEPS.into_iter().zip(["script_run_10_ms", "script_run_100_ms", "script_run_1000_ms"]) {
        let workflow = program(&source(steps), &nodes)?;
        let rates = repeated(repeats, || play(&workflow).map(|()| 1))?;
        let milliseconds = rates.iter().map(|rate| 1000.0 / rate).collect();
        bench.report.add(Figure::new(name, "ms", milliseconds).with(json!({ "steps": steps })));
    }
    Ok(())
}

fn source(steps: usize) -> String {
    format!("//! name: scripted\nfor number in 0..{steps} {{ step(\"debug.echo\", #{{ number: number, text: \"a text of the usual length\" }}); }}")
}

/// One run from start to end.
fn play(workflow: &Workflow) -> Result<()> {
    let mut state = State::new(run(1));
    let mut now = Timestamp::from_millis(1_800_000_000_000);
    let mut happening = Happening::Started(Start {
        version: 1,
        key: "key".into(),
        trigger: None,
        input: json!({}),
        event: json!({ "specversion": "1.0", "id": "event", "source": "/benchmark", "type": "manual.started", "data": {} }),
        event_id: None,
        seed: 1,
        depth: 0,
        parent: None,
        reads: BTreeMap::new(),
    });
    loop {
        let known = Known::default();
        decide(workflow, &mut state, happening, &Context { organisation: organisation(), now, known: &known, timezone: "UTC" });
        let Some(call) = state.in_flight().pop() else { break };
        now = now.plus_millis(1);
        happening = Happening::StepEnded {
            step: call.step,
            attempt: call.attempt,
            outcome: Outcome::done(json!({ "number": 1, "text": "a text of the usual length" })),
        };
    }
    if state.status == RunStatus::Completed { Ok(()) } else { Err(format!("the run is {:?}", state.status).into()) }
}
