//! The engine's core alone, in this process: no database, no network.

use super::Bench;
use crate::{
    Result, clock,
    report::{Figure, Target},
    workflows,
};
use onward_core::{
    OrganisationId, RunId, Timestamp, Value,
    definition::{Catalogue, Workflow, compile},
    history::Entry,
    machine::{Action, Context, Happening, Known, Start, State, decide, replay, replay_against},
    ports::{Effect, NodeDescriptor, Outcome, RunStatus, Scripts},
};
use onward_runtime::play::Previews;
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Steps of the file that is compiled.
const FILE_STEPS: usize = 500;
/// Steps of the run that is decided and replayed.
const RUN_STEPS: usize = 20;
/// Runs of one measurement.
const RUNS: usize = 10_000;

/// Compiling, deciding, replaying.
pub(super) fn measure(bench: &mut Bench) -> Result<()> {
    let repeats = bench.settings.runs;
    let nodes = Nodes::new();

    let file = workflows::echo_chain("large", FILE_STEPS);
    let compiling = repeated(repeats, || program(&file, &nodes).map(|_| 1))?;
    let milliseconds = compiling.iter().map(|rate| 1000.0 / rate).collect();
    let figure = Figure::new("compile_500_steps_ms", "ms", milliseconds).with(json!({ "steps": FILE_STEPS, "bytes": file.len() }));
    bench.report.add(figure.target(Some(Target::AtMost(20.0))));

    let workflow = program(&workflows::echo_chain("chain", RUN_STEPS), &nodes)?;
    let runs = bench.settings.scaled(RUNS);
    let deciding = repeated(repeats, || {
        let mut decisions = 0;
        for number in 0..runs {
            decisions += play(&workflow, number)?.1;
        }
        Ok(decisions)
    })?;
    let figure = Figure::new("decisions_per_s", "decisions/s", deciding).with(json!({ "steps": RUN_STEPS, "runs": runs }));
    bench.report.add(figure.target(Some(Target::AtLeast(1_000_000.0))));

    let histories: Vec<Vec<Entry>> = (0..runs).map(|number| Ok(play(&workflow, number)?.0)).collect::<Result<_>>()?;
    let replaying = repeated(repeats, || {
        for (number, history) in histories.iter().enumerate() {
            let report = replay(&workflow, organisation(), run(number), history);
            if !report.same {
                return Err(format!("a replay differs: {report:?}").into());
            }
        }
        Ok(histories.len())
    })?;
    let entries = histories.first().map_or(0, Vec::len);
    bench
        .report
        .add(Figure::new("replays_per_s", "runs/s", replaying).with(json!({ "runs": runs, "entries": entries })).target(Some(Target::AtLeast(1_000.0))));

    // The edit: some calls have another input.
    let edited = program(&workflows::echo_chain("chain", RUN_STEPS).replace("number: 1", "number: 10"), &nodes)?;
    let example = |_: &str| Some(json!({}));
    let what_if = repeated(repeats, || {
        for (number, history) in histories.iter().enumerate() {
            let report = replay_against(&edited, organisation(), run(number), history, &example);
            if report.same || report.unknown.is_some() {
                return Err(format!("an edit was not seen: {report:?}").into());
            }
        }
        Ok(histories.len())
    })?;
    let figure = Figure::new("what_ifs_per_s", "runs/s", what_if).with(json!({ "runs": runs, "entries": entries }));
    bench.report.add(figure.target(Some(Target::AtLeast(1_000.0))));
    Ok(())
}

/// Does it again and again; how many a second.
pub(super) fn repeated(repeats: usize, mut work: impl FnMut() -> Result<usize>) -> Result<Vec<f64>> {
    (0..repeats)
        .map(|_| {
            let begun = clock::now();
            let count = work()?;
            Ok(count as f64 / begun.elapsed().as_secs_f64())
        })
        .collect()
}

pub(super) fn program(source: &str, nodes: &Nodes) -> Result<Workflow> {
    let compiled = compile(source, nodes);
    compiled.workflow.ok_or_else(|| format!("the workflow does not compile: {:?}", compiled.problems).into())
}

/// One run from start to end: its history, and how many decisions it took.
pub(super) fn play(workflow: &Workflow, number: usize) -> Result<(Vec<Entry>, usize)> {
    let (known, mut state, mut history, mut decisions) = (Known::default(), State::new(run(number)), Vec::new(), 0);
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
        let decision = decide(workflow, &mut state, happening, &Context { organisation: organisation(), now, known: &known, timezone: "UTC" });
        decisions += 1;
        history.extend(decision.entries);
        // As the runtime does: what is to be run is in the decision.
        let Some(call) = decision.actions.into_iter().find_map(|action| if let Action::Run(call) = action { Some(call) } else { None }) else { break };
        now = now.plus_millis(1);
        happening = Happening::StepEnded { step: call.step, attempt: call.attempt, outcome: Outcome::done(json!({ "number": 1 })) };
    }
    if state.status == RunStatus::Completed { Ok((history, decisions)) } else { Err(format!("the run is {:?}", state.status).into()) }
}

pub(super) fn organisation() -> OrganisationId {
    OrganisationId(Uuid::from_u128(1))
}

pub(super) fn run(number: usize) -> RunId {
    RunId(Uuid::from_u128(number as u128))
}

/// A catalogue of one node.
pub(super) struct Nodes(NodeDescriptor);

impl Nodes {
    pub(super) fn new() -> Self {
        Self(NodeDescriptor {
            id: "debug.echo".into(),
            title: "Echo".into(),
            description: "Returns its input.".into(),
            category: "Engine".into(),
            effect: Effect::External,
            input: json!({}),
            output: json!({}),
            example: json!({}),
            example_output: json!({}),
            ui: Value::Null,
            connector: None,
            personal: false,
            binds: None,
        })
    }
}

impl Catalogue for Nodes {
    fn node(&self, id: &str) -> Option<&NodeDescriptor> {
        (self.0.id == id).then_some(&self.0)
    }
    fn node_ids(&self) -> Vec<&str> {
        vec![&self.0.id]
    }
    fn event_types(&self) -> Vec<&str> {
        Vec::new()
    }
    fn scripts(&self) -> Option<&dyn Scripts> {
        Some(&onward_script::Rhai)
    }
}

impl Previews for Nodes {
    fn preview(&self, _node: &str, input: &Value) -> Option<Outcome> {
        Some(Outcome::done(input.clone()))
    }
}
