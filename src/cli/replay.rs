//! `onward replay`: re-executes recorded runs, on their own definition or on another file.

use super::{Context, Failure, input, validate};
use crate::{
    client::escape,
    terminal::{Look, Paint},
    wiring,
};
use clap::Args;
use onward_api::export::{self, Exported};
use onward_core::{
    OrganisationId,
    definition::{self, Catalogue as _, Workflow},
    machine::{self, Report},
    ports::NodeDescriptor,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes of an exported run that are read: a history has 256 MB at the most, and JSON is longer.
const EXPORT_BYTES: usize = 1 << 30;
/// Runs that are told in full on a terminal.
const TOLD: usize = 20;

/// Re-execute recorded runs: on their own definition (do they make the same decisions?), or on another file (what would
/// have gone differently, run by run?). Touches nothing outside.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward replay RUN_ID
  onward replay run.json                                      an exported run, without a database
  onward replay RUN_ID --against welcome-v2.yaml
  onward replay --workflow welcome-new-lead --last 50 --against welcome-v2.yaml

Exit code 1 when a run differs, or when a history contradicts itself, its digest or its definition.")]
pub(crate) struct Replay {
    /// A run's id, or a file that `onward runs export` wrote.
    #[arg(value_name = "RUN_ID|EXPORT.json", required_unless_present = "workflow", conflicts_with = "workflow")]
    run: Option<String>,
    /// The last runs of this workflow.
    #[arg(long, value_name = "NAME", requires = "against")]
    workflow: Option<String>,
    /// How many of them.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    last: u32,
    /// The definition to execute instead of the run's own.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

impl Replay {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let against = self.against.as_deref().map(validate::compile_or_report).transpose()?;
        let mut document = match (&self.workflow, &self.run) {
            (Some(name), _) => {
                let (source, _) = against.ok_or_else(|| Failure::wrong_use("--workflow needs --against FILE"))?;
                let client = context.client().await?;
                let result = client.post(&format!("/api/v1/workflows/{}/replay", escape(name)), &json!({ "source": source, "last": self.last })).await;
                client.close().await;
                result?
            }
            (None, Some(run)) => {
                let exported = find(run, &context).await?;
                json!({ "runs": [re_executed(&exported, against.as_ref().map(|(_, workflow)| workflow))?] })
            }
            (None, None) => return Err(Failure::wrong_use("name a run, an exported file, or --workflow")),
        };
        let all_same = document.get("runs").and_then(Value::as_array).is_some_and(|runs| runs.iter().all(is_same));
        let look = Look::of_stdout();
        if let Some(document) = document.as_object_mut() {
            document.retain(|name, value| name == "runs" || (name == "summary" && !value.is_null()));
        }
        context.print(&document, |document| told(document, look));
        if all_same { Ok(()) } else { Err(Failure::Shown) }
    }
}

/// The export in the file of that name, else the run of that id.
async fn find(run: &str, context: &Context) -> Result<Exported, Failure> {
    let document = if Path::new(run).is_file() || run == "-" {
        input::json_file(Path::new(run), EXPORT_BYTES)?
    } else {
        let client = context.client().await?;
        let result = client.get(&format!("/api/v1/runs/{}/export", escape(run))).await;
        client.close().await;
        result?
    };
    export::read(&document).map_err(|error| Failure::because(format!("{run} is refused"), &error))
}

/// One run's report, as the API gives it.
fn re_executed(exported: &Exported, against: Option<&Workflow>) -> Result<Value, Failure> {
    let registry = wiring::catalogue()?;
    let mut own: BTreeMap<u32, Arc<Workflow>> = BTreeMap::new();
    let current = (exported.version, exported.source.clone());
    for (version, source) in exported.earlier.iter().chain([&current]) {
        let compiled = definition::compile(source, &registry).workflow;
        own.insert(*version, Arc::new(compiled.ok_or_else(|| Failure::new("the exported definition does not compile in this version"))?));
    }
    // An export does not name its organisation, and no decision that a history holds depends on it.
    let organisation = OrganisationId(uuid::Uuid::nil());
    let own_report = machine::replay(&own, organisation, exported.run_id, &exported.entries);
    // What-if builds on a history that is true to its own definition.
    let report = match against {
        Some(other) if own_report.same => {
            let example = |node: &str| registry.node(node).map(|node: &NodeDescriptor| node.example_output.clone());
            machine::replay_against(other, organisation, exported.run_id, &exported.entries, &example)
        }
        _ => own_report,
    };
    with_id(exported, &report)
}

fn with_id(exported: &Exported, report: &Report) -> Result<Value, Failure> {
    let mut document = json!({ "run_id": exported.run_id });
    let report = serde_json::to_value(report).map_err(|error| Failure::because("the report cannot be shown", &error))?;
    if let (Some(document), Value::Object(report)) = (document.as_object_mut(), report) {
        document.extend(report);
    }
    Ok(document)
}

fn is_same(run: &Value) -> bool {
    run.get("same").and_then(Value::as_bool).unwrap_or(false)
}

/// Of many runs, those that differ, and what they say together.
fn told(document: &Value, look: Look) -> String {
    let runs = document.get("runs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let Some(summary) = document.get("summary").filter(|summary| summary.is_object()) else {
        return runs.iter().map(|run| told_run(run, look)).collect::<Vec<_>>().join("\n");
    };
    let different: Vec<&Value> = runs.iter().filter(|run| !is_same(run)).collect();
    let mut lines: Vec<String> = different.iter().take(TOLD).map(|run| told_run(run, look)).collect();
    if different.len() > TOLD {
        lines.push(format!("and {} more that differ; --json has them all", different.len() - TOLD));
    }
    lines.push(told_summary(summary, look));
    lines.join("\n")
}

fn told_summary(summary: &Value, look: Look) -> String {
    let mut lines = vec![look.paint(Paint::Strong, summary.get("text").and_then(Value::as_str).unwrap_or_default())];
    let changes = |name: &str| summary.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let change = |change: &Value| format!("{} -> {}", super::table::text(&change["was"]), super::table::text(&change["would"]));
    for (node, calls) in changes("calls") {
        lines.push(format!("  calls of {node}: {}", change(&calls)));
    }
    for (status, runs) in changes("statuses") {
        if runs["was"] != runs["would"] {
            lines.push(format!("  runs {status}: {}", change(&runs)));
        }
    }
    if let Some(ids) = summary.get("would_fail_runs").and_then(Value::as_array).filter(|ids| !ids.is_empty()) {
        let ids: Vec<String> = ids.iter().map(super::table::text).collect();
        lines.push(look.paint(Paint::Bad, &format!("  would fail: {}", ids.join(", "))));
    }
    lines.join("\n")
}

fn told_run(run: &Value, look: Look) -> String {
    let text = |value: Option<&Value>| value.map(super::table::text).unwrap_or_default();
    let list = |name: &str| run.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let id = text(run.get("run_id"));
    let mut lines = vec![if is_same(run) {
        format!("{id}  {}", look.paint(Paint::Good, "same decisions"))
    } else {
        format!("{id}  {}", look.paint(Paint::Bad, "different"))
    }];
    for difference in list("differences") {
        let step = difference.get("step").filter(|step| !step.is_null()).map_or_else(String::new, |step| format!(" at step {}", super::table::text(step)));
        let nothing = |value: Option<&Value>| value.filter(|value| !value.is_null()).map_or_else(|| "nothing".to_owned(), super::table::text);
        lines.push(format!("  from entry {}{step}", text(difference.get("seq"))));
        lines.push(format!("    was    {}", nothing(difference.get("was"))));
        lines.push(format!("    would  {}", nothing(difference.get("would"))));
    }
    for (name, word) in [("added", "would call"), ("missing", "would not call")] {
        lines.extend(
            list(name).iter().map(|call| format!("  {word} {} at {} with {}", text(call.get("node")), text(call.get("step")), text(call.get("input")))),
        );
    }
    if let Some(seq) = run.get("assumed_from").filter(|seq| !seq.is_null()) {
        lines.push(format!("  from its entry {seq} on, values are assumed (a node's example)"));
    }
    if let Some(unknown) = run.get("unknown").and_then(Value::as_str) {
        lines.push(format!("  it ends there: {unknown}"));
    }
    lines.join("\n")
}
