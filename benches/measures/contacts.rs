//! A crowd in virtual time, in this process: no database, no network.

use super::{Bench, machine::Nodes};
use crate::{Result, clock, report::Figure, report::Target, workflows};
use onward_core::definition::{
    Span, compile,
    testing::{Begin, EventDraft, Scenario},
};
use onward_runtime::play::{Crowd, Stage, Starts, contacts};
use serde_json::json;
use std::sync::Arc;

/// Synthetic contacts of one measurement.
const CONTACTS: usize = 100_000;

/// Who answers, and when.
const SCENARIO: &str = "answers:
  reply_1: [{ share: 20, after: { from: 1m, to: 20h } }]
  reply_2: [{ share: 20, after: { from: 1m, to: 20h } }, { share: 2, after: 1h, type: contact.unsubscribed }]
  reply_3: [{ share: 10, after: { from: 1m, to: 20h } }]
";

/// A drip of thirty days.
pub(super) fn measure(bench: &mut Bench) -> Result<()> {
    let nodes = Nodes::new();
    let compiled = compile(&workflows::drip("drip", "lead.captured"), &nodes);
    let workflow = Arc::new(compiled.workflow.ok_or_else(|| format!("the workflow does not compile: {:?}", compiled.problems))?);
    let scenario = Scenario::parse(SCENARIO).value.ok_or("the scenario cannot be read")?;
    let threads = std::thread::available_parallelism()?.get();
    let number = bench.settings.scaled(CONTACTS) as u64;
    let mut seconds = Vec::new();
    for seed in 0..bench.settings.runs {
        let mut stage = Stage::new(vec![Arc::clone(&workflow)]);
        stage.seed = seed as u64;
        let data = json!({ "contact_id": "c1", "phone": "+1555" });
        let lead = Begin::Event(EventDraft { kind: "lead.captured".into(), data, ..EventDraft::default() });
        let watched_for = Some(Span::parse("31d")?);
        let begun = clock::now();
        let counts =
            contacts(&Crowd { stage, starts: Starts::Begin(lead), scenario: &scenario, watched_for, over: None, previews: &nodes, contacts: number, threads });
        seconds.push(begun.elapsed().as_secs_f64());
        if counts.runs != number || !counts.faults.is_empty() || counts.statuses.get("completed") != Some(&number) {
            return Err(format!("the crowd did not come to its end: {counts:?}").into());
        }
    }
    let target = bench.at_full_size(Target::AtMost(30.0));
    let figure = Figure::new("contacts_100k_s", "s", seconds).with(json!({ "contacts": number, "threads": threads, "days": 30 }));
    bench.report.add(figure.target(target));
    Ok(())
}
