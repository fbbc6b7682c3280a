//! Scripts that are whole workflows: what whole runs of them cost, in this process.

use super::{
    Bench,
    machine::{Nodes, play, program, repeated},
};
use crate::{Result, report::Figure};
use serde_json::json;

/// Steps of the runs that are measured.
const STEPS: [usize; 3] = [10, 100, 1_000];

/// Whole runs, step after step.
pub(super) fn measure(bench: &mut Bench) -> Result<()> {
    let repeats = bench.settings.runs;
    let nodes = Nodes::new();
    for (steps, name) in STEPS.into_iter().zip(["script_run_10_ms", "script_run_100_ms", "script_run_1000_ms"]) {
        let workflow = program(&source(steps), &nodes)?;
        let rates = repeated(repeats, || play(&workflow, 1).map(|_| 1))?;
        let milliseconds = rates.iter().map(|rate| 1000.0 / rate).collect();
        bench.report.add(Figure::new(name, "ms", milliseconds).with(json!({ "steps": steps })));
    }
    Ok(())
}

fn source(steps: usize) -> String {
    format!("//! name: scripted\nfor number in 0..{steps} {{ step(\"debug.echo\", #{{ number: number, text: \"a text of the usual length\" }}); }}")
}
