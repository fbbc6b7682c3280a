//! `onward runs`: what happened, when, why, and what a run waits for.

use super::{
    Context, Failure,
    asks::{Asks, Given},
    repair,
    table::{items, table, text},
    why,
};
use crate::{
    client::{Client, escape},
    terminal::{self, Look},
    timeline::{self, View},
    wiring,
};
use clap::{Args, Subcommand};
use onward_core::{
    Timestamp,
    definition::{self, Workflow},
    ports::Clock as _,
};
use onward_database::SystemClock;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// The most entries of a history; the engine pauses a run before.
const HISTORY_MOST: usize = 1_000_000;

/// Look at runs, cancel them, pause them, repair them, export their histories.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  onward runs list --workflow welcome-new-lead --status failed
  onward runs show RUN_ID
  onward runs why RUN_ID
  onward runs asks
  onward runs answer RUN_ID --approve
  onward runs retry RUN_ID
  onward runs cancel RUN_ID --reason \"wrong list\"
  onward runs export RUN_ID --out run.json && onward replay run.json")]
pub(crate) enum Runs {
    List(List),
    /// Draw one run: what happened, when, why it branched, what it waits for.
    Show {
        /// The run's id.
        #[arg(value_name = "RUN_ID")]
        id: String,
        /// Draw with ASCII only.
        #[arg(long)]
        ascii: bool,
    },
    Why(why::Why),
    /// List a run's history, entry by entry.
    History {
        /// The run's id.
        #[arg(value_name = "RUN_ID")]
        id: String,
    },
    /// Ask a run to end.
    Cancel {
        /// The run's id.
        #[arg(value_name = "RUN_ID")]
        id: String,
        /// Why; stands in its history.
        #[arg(long)]
        reason: Option<String>,
        /// Skip what a run does at its end.
        #[arg(long)]
        force: bool,
    },
    /// List what runs ask people now.
    Asks(Asks),
    /// Answer what a run asks; it then goes on.
    Answer(Given),
    /// Hold a run where it stands, or every run that the filter names.
    Pause(Chosen),
    /// Let a paused run go on, or every one that the filter names; or a start that waits for a person.
    Resume(Chosen),
    Retry(repair::Retry),
    Skip(repair::Skip),
    Fork(repair::Fork),
    Signal(repair::Signal),
    Failures(repair::Failures),
    Repair(repair::Repair),
    /// Write a run with its definition and history as one JSON document, enough for `onward replay` without a database.
    Export {
        /// The run's id.
        #[arg(value_name = "RUN_ID")]
        id: String,
        /// Into this file instead of standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// One run, or those that a filter names.
#[derive(Args, Debug)]
pub(crate) struct Chosen {
    /// The run's id.
    #[arg(value_name = "RUN_ID", required_unless_present_any = ["workflow", "status", "key", "contact"])]
    id: Option<String>,
    #[command(flatten)]
    filter: List,
}

impl Chosen {
    /// Asks it of each, and says how many did and which did not.
    async fn each(&self, client: &Client, verb: &str) -> Result<Value, Failure> {
        let ids: Vec<String> = if let Some(id) = &self.id {
            vec![id.clone()]
        } else {
            let found = client.all(&self.filter.path(), self.filter.limit as usize).await?;
            found.iter().filter_map(|run| run.get("id").map(text)).collect()
        };
        let mut items = Vec::new();
        for id in &ids {
            match client.post(&format!("/api/v1/runs/{}/{verb}", escape(id)), &json!({})).await {
                Ok(answer) => items.push(answer),
                // Of many, some have ended meanwhile: that must not keep the others.
                Err(failure) if self.id.is_none() => items.push(json!({ "run_id": id, "problem": failure.message() })),
                Err(failure) => return Err(failure),
            }
        }
        Ok(json!({ "items": items }))
    }
}

fn answered(document: &Value) -> String {
    let line = |item: &Value| {
        let field = |name: &str| item.get(name).map(text).unwrap_or_default();
        let problem = field("problem");
        if problem.is_empty() { format!("run {} is {}", field("run_id"), field("status")) } else { format!("run {}: {problem}", field("run_id")) }
    };
    let lines: Vec<String> = items(document).iter().map(line).collect();
    if lines.is_empty() { "no runs".to_owned() } else { lines.join("\n") }
}

/// List runs, the newest first.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Of this workflow.
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// In this status: held, running, waiting, paused, completed, failed, cancelled.
    #[arg(long)]
    status: Option<String>,
    /// About this key.
    #[arg(long)]
    key: Option<String>,
    /// Of this contact.
    #[arg(long, value_name = "CONTACT_ID")]
    contact: Option<String>,
    /// How many at the most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

impl Runs {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let client = context.client().await?;
        let result = self.with(&client, &context).await;
        client.close().await;
        result
    }

    async fn with(self, client: &Client, context: &Context) -> Result<(), Failure> {
        let look = Look::of_stdout();
        let now = SystemClock::new().now();
        match self {
            Self::List(list) => {
                let found = client.all(&list.path(), list.limit as usize).await?;
                context.print(&json!({ "items": found }), |document| listed(document, now, look));
            }
            Self::Show { id, ascii } => {
                let shown = Shown::of(client, &id).await?;
                let look = Look { unicode: look.unicode && !ascii, ..look };
                context.print(&shown.document(), |_| shown.draw(now, look));
            }
            Self::Why(why) => why.run(client, context, now, look).await?,
            Self::History { id } => {
                let entries = history(client, &id).await?;
                context.print(&json!({ "items": entries }), entries_listed);
            }
            Self::Cancel { id, reason, force } => {
                let answer = client.post(&format!("/api/v1/runs/{}/cancel", escape(&id)), &json!({ "reason": reason, "force": force })).await?;
                context.print(&answer, |run| match run.get("status").map(text) {
                    Some(status) if status == "cancelled" => format!("run {id} is cancelled"),
                    Some(status) => format!("run {id} was asked to end; it is {status}"),
                    None => format!("run {id} was asked to end"),
                });
            }
            Self::Asks(asks) => asks.run(client, context, look).await?,
            Self::Answer(given) => given.run(client, context).await?,
            Self::Pause(chosen) => {
                let answer = chosen.each(client, "pause").await?;
                context.print(&answer, answered);
            }
            Self::Resume(chosen) => {
                let answer = chosen.each(client, "resume").await?;
                context.print(&answer, answered);
            }
            Self::Retry(retry) => retry.run(client, context).await?,
            Self::Skip(skip) => skip.run(client, context).await?,
            Self::Fork(fork) => fork.run(client, context).await?,
            Self::Signal(signal) => signal.run(client, context).await?,
            Self::Failures(failures) => failures.run(client, context, look).await?,
            Self::Repair(repair) => repair.run(client, context).await?,
            Self::Export { id, out } => {
                let document = client.get(&format!("/api/v1/runs/{}/export", escape(&id))).await?;
                match out {
                    Some(file) => {
                        fs::write(&file, format!("{document:#}\n"))
                            .map_err(|error| Failure::because(format!("{} cannot be written", file.display()), &error))?;
                        terminal::say(&format!("run {id} is written to {}", file.display()));
                    }
                    None => super::print_json(&document),
                }
            }
        }
        Ok(())
    }
}

impl List {
    fn path(&self) -> String {
        let filters = [("workflow", &self.workflow), ("status", &self.status), ("key", &self.key), ("contact", &self.contact)];
        let given: Vec<String> = filters.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", escape(value)))).collect();
        if given.is_empty() { "/api/v1/runs".to_owned() } else { format!("/api/v1/runs?{}", given.join("&")) }
    }
}

/// A run with all that its drawing needs.
pub(super) struct Shown {
    run: Value,
    history: Vec<Value>,
    workflow: Option<Workflow>,
}

impl Shown {
    /// Asks for it.
    pub(super) async fn of(client: &Client, id: &str) -> Result<Self, Failure> {
        let run = client.get(&format!("/api/v1/runs/{}", escape(id))).await?;
        let history = history(client, id).await?;
        // A drawing without titles is better than none: a run that is held has no history to export yet.
        let export = client.get(&format!("/api/v1/runs/{}/export", escape(id))).await.ok();
        let workflow = export.as_ref().and_then(definition_of).and_then(|source| definition::compile(source, &wiring::catalogue().ok()?).workflow);
        Ok(Self { run, history, workflow })
    }

    /// The run, its history among its fields.
    pub(super) fn document(&self) -> Value {
        let mut document = self.run.clone();
        if let Some(document) = document.as_object_mut() {
            document.insert("history".into(), Value::Array(self.history.clone()));
        }
        document
    }

    /// Its timeline.
    pub(super) fn draw(&self, now: Timestamp, look: Look) -> String {
        timeline::draw(&View { run: &self.run, history: &self.history, workflow: self.workflow.as_ref(), now }, look)
    }

    /// The API's run.
    pub(super) fn run(&self) -> &Value {
        &self.run
    }

    /// The API's entries.
    pub(super) fn history(&self) -> &[Value] {
        &self.history
    }
}

/// The text of the definition in an exported run.
pub(super) fn definition_of(export: &Value) -> Option<&str> {
    let definition = export.get("definition")?;
    definition.as_str().or_else(|| definition.get("source").and_then(Value::as_str))
}

async fn history(client: &Client, id: &str) -> Result<Vec<Value>, Failure> {
    client.all(&format!("/api/v1/runs/{}/history", escape(id)), HISTORY_MOST).await
}

fn listed(document: &Value, now: Timestamp, look: Look) -> String {
    let rows = items(document).iter().map(|run| {
        let field = |name: &str| run.get(name).map(text).unwrap_or_default();
        let status = field("status");
        let error = run
            .get("error")
            .filter(|error| error.is_object())
            .map(|error| format!("{}: {}", error.get("code").map(text).unwrap_or_default(), error.get("message").map(text).unwrap_or_default()));
        let about =
            error.or_else(|| run.get("waiting_on").and_then(|on| timeline::waiting_for(on, now)).map(|waits| format!("waits {waits}"))).unwrap_or_default();
        vec![field("id"), field("workflow"), status, field("key"), field("started_at"), about]
    });
    table(look, &["RUN", "WORKFLOW", "STATUS", "KEY", "STARTED", ""], rows, "no runs")
}

fn entries_listed(document: &Value) -> String {
    let line = |entry: &Value| {
        let field = |name: &str| entry.get(name).map(text).unwrap_or_default();
        let rest: serde_json::Map<String, Value> = entry
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| !["seq", "at", "kind", "step"].contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        format!("{:>4}  {}  {:<18} {:<20} {}", field("seq"), field("at"), field("kind"), field("step"), Value::Object(rest))
    };
    items(document).iter().map(line).collect::<Vec<_>>().join("\n")
}
