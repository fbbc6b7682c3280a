//! `onward jobs`: work that is no workflow: retention, backups, repairs of many runs …

use super::{
    Context, Failure,
    table::{items, table, text},
};
use crate::{
    client::{Client, escape},
    terminal::{Look, Paint},
};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

/// More than any list that a person reads.
const LIST_MOST: usize = 10_000;

/// Look at background jobs, let failed ones come again, call them off.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  onward jobs list --state failed
  onward jobs list --of-server
  onward jobs show JOB_ID
  onward jobs retry JOB_ID
  onward jobs retry --of-server JOB_ID
  onward jobs cancel JOB_ID --json

A job that fails comes again by itself, later each time; after its last attempt it is `failed` until somebody lets it come again. What the
server does for itself (retention, backups) is listed with --of-server; only the command line beside the database may.")]
pub(crate) enum Jobs {
    List(List),
    /// Show one: what it was told, what it did, why it failed.
    Show(One),
    /// Let a job come again that failed or was called off, with all its attempts; one that waits for its time comes at once.
    Retry(One),
    /// Call a job off that is not over. What it has done stays done.
    Cancel(One),
}

/// List background jobs, the newest first.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// In this state: pending, running, done, failed or cancelled.
    #[arg(long)]
    state: Option<String>,
    /// What kind of work: `retention`, `backup`, `repair` …
    #[arg(long)]
    queue: Option<String>,
    /// Those of the server itself.
    #[arg(long)]
    of_server: bool,
    /// At the most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=LIST_MOST as i64))]
    limit: u32,
}

/// One job.
#[derive(Args, Debug)]
pub(crate) struct One {
    /// The job's id.
    #[arg(value_name = "JOB_ID")]
    id: String,
    /// It is one of the server itself.
    #[arg(long)]
    of_server: bool,
}

fn place(of_server: bool) -> &'static str {
    if of_server { "/api/v1/server/jobs" } else { "/api/v1/jobs" }
}

impl List {
    async fn ask(&self, client: &Client) -> Result<Value, Failure> {
        let given =
            [("state", &self.state), ("queue", &self.queue)].into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escape(value.as_ref()?))));
        let query: Vec<String> = given.collect();
        let path = format!("{}{}{}", place(self.of_server), if query.is_empty() { "" } else { "?" }, query.join("&"));
        Ok(json!({ "items": client.all(&path, self.limit as usize).await? }))
    }
}

impl One {
    async fn show(&self, client: &Client) -> Result<Value, Failure> {
        if !self.of_server {
            return client.get(&format!("{}/{}", place(false), escape(&self.id))).await;
        }
        let all = client.all(place(true), LIST_MOST).await?;
        all.into_iter()
            .find(|job| job["id"] == self.id.as_str())
            .ok_or_else(|| Failure::new(format!("the server has no job {}; `onward jobs list --of-server`", self.id)))
    }

    async fn ask(&self, client: &Client, verb: &str) -> Result<Value, Failure> {
        client.request(Method::POST, &format!("{}/{}/{verb}", place(self.of_server), escape(&self.id)), None).await?.document()
    }
}

impl Jobs {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let result = match &self {
            Self::List(list) => list.ask(&client).await,
            Self::Show(one) => one.show(&client).await,
            Self::Retry(one) => one.ask(&client, "retry").await,
            Self::Cancel(one) => one.ask(&client, "cancel").await,
        };
        client.close().await;
        let look = Look::of_stdout();
        context.print(&result?, |document| match self {
            Self::List(_) => listed(document, look),
            Self::Show(_) => shown(document, look),
            Self::Retry(_) | Self::Cancel(_) => format!("job {} is {}", text(&document["id"]), text(&document["state"])),
        });
        Ok(())
    }
}

fn listed(document: &Value, look: Look) -> String {
    let row = |job: &Value| {
        let attempts = format!("{} of {}", job["attempts"], attempts(job));
        // A job that waits says when it comes.
        let when = if job["state"] == "pending" { &job["not_before"] } else { &job["created_at"] };
        vec![text(&job["id"]), text(&job["queue"]), text(&job["state"]), attempts, text(when), text(&job["error"])]
    };
    table(look, &["ID", "QUEUE", "STATE", "ATTEMPTS", "WHEN", "ERROR"], items(document).iter().map(row), "no jobs")
}

/// One that is there for good has no last attempt.
fn attempts(job: &Value) -> String {
    job["max_attempts"].as_u64().filter(|most| *most < u64::from(u32::MAX)).map_or_else(|| "any".to_owned(), |most| most.to_string())
}

fn shown(job: &Value, look: Look) -> String {
    let mut lines = vec![look.paint(Paint::Attention, &format!("{} {}: {}", text(&job["queue"]), text(&job["id"]), text(&job["state"])))];
    lines.push(format!("attempts    {} of {}, {} of them failed", job["attempts"], attempts(job), job["failures"]));
    for (name, field) in [("wanted", "created_at"), ("not before", "not_before"), ("begun", "started_at"), ("ended", "ended_at"), ("error", "error")] {
        if !job[field].is_null() {
            lines.push(format!("{name:<11} {}", text(&job[field])));
        }
    }
    for field in ["input", "output"] {
        if !job[field].is_null() {
            lines.push(format!("{field:<11} {}", job[field]));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look { colour: false, unicode: true, width: 100 };

    #[test]
    fn jobs_are_lines_and_one_that_stays_has_no_last_attempt() {
        let job = json!({ "id": "j1", "queue": "retention", "state": "pending", "attempts": 3, "failures": 1, "max_attempts": u32::MAX, "created_at": "2026-11-01T00:00:00Z",
            "not_before": "2026-11-01T00:10:00Z", "started_at": null, "ended_at": null, "error": "the disk is full", "input": {}, "output": { "runs": 4 } });
        let text = listed(&json!({ "items": [job] }), LOOK);
        assert!(text.ends_with("j1  retention  pending  3 of any  2026-11-01T00:10:00Z  the disk is full"), "{text}");
        assert_eq!(listed(&json!({ "items": [] }), LOOK), "no jobs");
        let text = shown(&job, LOOK);
        assert!(text.contains("3 of any, 1 of them failed") && text.contains("output      {\"runs\":4}") && !text.contains("ended"), "{text}");
    }
}
