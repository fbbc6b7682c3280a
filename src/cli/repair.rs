//! `onward runs retry|skip|fork|signal`: what people do when a run failed, or waits for what does not come.

use super::{
    Context, Failure, input,
    table::{items, table, text},
};
use crate::{
    client::{Client, escape},
    terminal::Look,
};
use clap::Args;
use serde_json::{Value, json};

/// Try the failed step of a run again; it goes on from there.
#[derive(Args, Debug)]
#[command(after_help = "The idempotency key stays while the outcome is unknown; a definite failure or another input takes a new one.

Examples:
  onward runs retry RUN_ID
  onward runs retry RUN_ID --input '{\"to\": \"+919812345678\"}'
  onward runs retry RUN_ID --not-done        # you made sure that the message was not sent")]
pub(crate) struct Retry {
    /// The run's id.
    #[arg(value_name = "RUN_ID")]
    id: String,
    /// Instead of the input that the step had; `@FILE` reads a file.
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// Retry even what must not happen twice: you made sure that it did not happen.
    #[arg(long)]
    not_done: bool,
}

impl Retry {
    pub(super) async fn run(self, client: &Client, context: &Context) -> Result<(), Failure> {
        let mut body = json!({ "not_done": self.not_done });
        if let Some(text) = &self.input {
            body["input"] = input::json("--input", text)?;
        }
        mend(client, context, &self.id, "retry", &body, "goes on from its failed step").await
    }
}

/// Go on without the failed step of a run, as if it had given an output.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward runs skip RUN_ID
  onward runs skip RUN_ID --output '{\"id\": \"in_123\"}'")]
pub(crate) struct Skip {
    /// The run's id.
    #[arg(value_name = "RUN_ID")]
    id: String,
    /// What the step is taken to have given; `@FILE` reads a file. Without it `null`.
    #[arg(long, value_name = "JSON")]
    output: Option<String>,
}

impl Skip {
    pub(super) async fn run(self, client: &Client, context: &Context) -> Result<(), Failure> {
        let output = self.output.as_deref().map(|text| input::json("--output", text)).transpose()?;
        mend(client, context, &self.id, "skip", &json!({ "output": output }), "goes on without its failed step").await
    }
}

/// Go on with a copy of a run, from any point of its history.
#[derive(Args, Debug)]
#[command(
    after_help = "What the run has done is not done again; calls that were on their way are made anew. Without --step and --seq the copy goes on
before the failed step of a run that failed, and where it stands of one that lives.

Examples:
  onward runs fork RUN_ID
  onward runs fork RUN_ID --step invoice --input '{\"amount\": 4200}'
  onward runs fork RUN_ID --seq 12 --version 3",
    disable_version_flag = true
)]
pub(crate) struct Fork {
    /// The run's id.
    #[arg(value_name = "RUN_ID")]
    id: String,
    /// Go on before this step first began.
    #[arg(long, value_name = "STEP", conflicts_with = "seq")]
    step: Option<String>,
    /// Go on behind this entry of its history.
    #[arg(long, value_name = "N")]
    seq: Option<u64>,
    /// Instead of the input of the step at that point; `@FILE` reads a file.
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// Go on with this version, when it decides the same up to there.
    #[arg(long, value_name = "N")]
    version: Option<u32>,
}

impl Fork {
    pub(super) async fn run(self, client: &Client, context: &Context) -> Result<(), Failure> {
        let input = self.input.as_deref().map(|text| input::json("--input", text)).transpose()?;
        let body = json!({ "step": self.step, "seq": self.seq, "input": input, "version": self.version });
        let copy = client.post(&format!("/api/v1/runs/{}/fork", escape(&self.id)), &body).await?;
        context.print(&copy, |copy| format!("run {} is a copy of run {}; it is {}", field(copy, "run_id"), self.id, field(copy, "status")));
        Ok(())
    }
}

/// Hand a run, and no other, the event that it waits for.
#[derive(Args, Debug)]
#[command(after_help = "Neither `match` nor `if` of the wait is asked. Without such a wait the answer lists those that are open.

Examples:
  onward runs signal RUN_ID payment.succeeded --data '{\"amount\": 4200}'
  onward runs signal RUN_ID --step reply")]
pub(crate) struct Signal {
    /// The run's id.
    #[arg(value_name = "RUN_ID")]
    id: String,
    /// The type of the event that is waited for, or the name of the wait.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The step that waits, when several do.
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// The event's data; `@FILE` reads a file.
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
}

impl Signal {
    pub(super) async fn run(self, client: &Client, context: &Context) -> Result<(), Failure> {
        let data = self.data.as_deref().map(|text| input::json("--data", text)).transpose()?;
        let body = json!({ "name": self.name, "step": self.step, "data": data.unwrap_or_else(|| json!({})) });
        mend(client, context, &self.id, "signal", &body, "has what it waited for").await
    }
}

/// Group failed runs by cause, the most frequent first.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward runs failures
  onward runs failures --workflow welcome --since 2026-11-01T00:00:00Z --json")]
pub(crate) struct Failures {
    /// Of this workflow.
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// That failed at or after this time.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// How many causes at the most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
}

impl Failures {
    pub(super) async fn run(self, client: &Client, context: &Context, look: Look) -> Result<(), Failure> {
        let filters = [("workflow", &self.workflow), ("since", &self.since)];
        let given = filters.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("&{name}={}", escape(value))));
        let found = client.get(&format!("/api/v1/runs/failures?limit={}{}", self.limit, given.collect::<String>())).await?;
        context.print(&found, |document| {
            let rows = items(document)
                .iter()
                .map(|cause| ["count", "workflow", "step", "code", "message", "last_seen", "example", "id"].iter().map(|name| field(cause, name)).collect());
            table(look, &["RUNS", "WORKFLOW", "STEP", "CODE", "MESSAGE", "LAST", "EXAMPLE", "CAUSE"], rows, "no run has failed")
        });
        Ok(())
    }
}

/// Retry, skip or cancel every run that a filter names, spread over time by the server.
#[derive(Args, Debug)]
#[command(after_help = "One run after the other, at most --per-minute; a server that is restarted meanwhile goes on with it.

Examples:
  onward runs repair retry --workflow welcome --dry-run
  onward runs repair retry --cause 5f0c8e3a9b1d4c7e8f2a6b3c9d0e1f2a --per-minute 120
  onward runs repair cancel --workflow welcome --status waiting --reason \"wrong list\"
  onward runs repair --show REPAIR_ID
  onward runs repair --stop REPAIR_ID")]
pub(crate) struct Repair {
    /// What is done: retry, skip or cancel.
    #[arg(value_name = "ACTION", value_parser = ["retry", "skip", "cancel"], required_unless_present_any = ["show", "stop"])]
    action: Option<String>,
    /// Of this workflow.
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// That failed for this cause, as `onward runs failures` names it.
    #[arg(long, value_name = "CAUSE")]
    cause: Option<String>,
    /// About this key.
    #[arg(long)]
    key: Option<String>,
    /// Of this contact.
    #[arg(long, value_name = "CONTACT_ID")]
    contact: Option<String>,
    /// cancel: in this status.
    #[arg(long)]
    status: Option<String>,
    /// That failed, or began while they live, at or after this time.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Runs a minute at the most.
    #[arg(long, value_name = "N")]
    per_minute: Option<u32>,
    /// skip: what the failed steps are taken to have given; `@FILE` reads a file.
    #[arg(long, value_name = "JSON")]
    output: Option<String>,
    /// retry: even what must not happen twice; you made sure that it did not happen.
    #[arg(long)]
    not_done: bool,
    /// cancel: why; stands in the histories.
    #[arg(long)]
    reason: Option<String>,
    /// Only say how many runs, by cause.
    #[arg(long)]
    dry_run: bool,
    /// Say how far a repair is.
    #[arg(long, value_name = "REPAIR_ID", conflicts_with_all = ["action", "stop"])]
    show: Option<String>,
    /// Stop a repair: runs that had no turn yet stay as they are.
    #[arg(long, value_name = "REPAIR_ID", conflicts_with = "action")]
    stop: Option<String>,
}

impl Repair {
    pub(super) async fn run(self, client: &Client, context: &Context) -> Result<(), Failure> {
        let document = match (&self.show, &self.stop) {
            (Some(id), _) => client.get(&format!("/api/v1/runs/repair/{}", escape(id))).await?,
            (None, Some(id)) => client.post(&format!("/api/v1/runs/repair/{}/stop", escape(id)), &json!({})).await?,
            (None, None) => {
                let output = self.output.as_deref().map(|text| input::json("--output", text)).transpose()?;
                let body = json!({
                    "action": self.action, "workflow": self.workflow, "cause": self.cause, "key": self.key, "contact": self.contact,
                    "status": self.status, "since": self.since, "per_minute": self.per_minute, "output": output, "not_done": self.not_done,
                    "reason": self.reason, "dry_run": self.dry_run,
                });
                client.post("/api/v1/runs/repair", &body).await?
            }
        };
        let preview = self.dry_run;
        context.print(&document, |document| {
            if preview {
                let causes = document["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
                let lines = causes
                    .iter()
                    .map(|cause| format!("  {} at {}: {}: {}", field(cause, "count"), field(cause, "step"), field(cause, "code"), field(cause, "message")));
                let first = format!("{} runs{}", field(document, "count"), if document["more"] == true { ", and more for the next repair" } else { "" });
                return std::iter::once(first).chain(lines).collect::<Vec<_>>().join("\n");
            }
            let counts = ["pending", "done", "refused", "stopped"].map(|name| format!("{} {name}", field(document, name))).join(", ");
            let refusals = document["refusals"].as_array().map(Vec::as_slice).unwrap_or_default();
            let lines = refusals.iter().map(|refusal| format!("  run {}: {}", field(refusal, "run_id"), field(refusal, "reason")));
            std::iter::once(format!("repair {}: {counts}", field(document, "id"))).chain(lines).collect::<Vec<_>>().join("\n")
        });
        Ok(())
    }
}

/// Asks it of one run, and says what came of it.
async fn mend(client: &Client, context: &Context, id: &str, verb: &str, body: &Value, done: &str) -> Result<(), Failure> {
    let answer = client.post(&format!("/api/v1/runs/{}/{verb}", escape(id)), body).await?;
    context.print(&answer, |answer| format!("run {id} {done}; it is {}", field(answer, "status")));
    Ok(())
}

fn field(document: &Value, name: &str) -> String {
    document.get(name).map(text).unwrap_or_default()
}
