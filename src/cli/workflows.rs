//! `onward workflows`: what is published.

use super::{
    Context, Failure, input, migrate_runs,
    table::{items, table, text},
    versions,
};
use crate::{client::escape, terminal::Look, wiring};
use clap::Subcommand;
use serde_json::{Value, json};

/// More than any list that a person reads.
const LIST_MOST: usize = 10_000;

/// Look at workflows and their versions, pause them, let them go on.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  onward workflows list
  onward workflows show welcome-new-lead > welcome.yaml
  onward workflows gallery
  onward workflows gallery missed-call > missed-call.yaml
  onward workflows versions welcome-new-lead
  onward workflows diff welcome-new-lead
  onward workflows rollback welcome-new-lead
  onward workflows promote welcome-new-lead
  onward workflows migrate welcome-new-lead --map reply=answer --dry-run
  onward workflows backfill nightly-report --from 2026-11-01 --to 2026-11-08 --preview
  onward workflows start welcome-new-lead --input '{\"phone\": \"+919812345678\"}'
  onward workflows pause welcome-new-lead --step invoice
  onward workflows hold welcome-new-lead --version 4")]
pub(crate) enum Workflows {
    /// List the workflows.
    List,
    /// Show one: its text, as its author wrote it; and beside it what starts it, with addresses and next times.
    Show {
        /// The workflow's name.
        name: String,
    },
    /// Start a run by hand.
    Start {
        /// The workflow's name.
        name: String,
        /// The run's input, as JSON, `@FILE` or `-`; `show --json` gives the form that it must fit.
        #[arg(long, value_name = "JSON", default_value = "{}")]
        input: String,
        /// What the run is about, instead of the workflow's `key`.
        #[arg(long)]
        key: Option<String>,
    },
    /// Fire due times of a schedule that are past; one that did fire fires no more.
    Backfill {
        /// The workflow's name.
        name: String,
        /// From this moment on: RFC 3339, or a date in the schedule's zone.
        #[arg(long)]
        from: String,
        /// Before this moment; not after now.
        #[arg(long)]
        to: String,
        /// The schedule's place among the triggers, from 0, where there are several.
        #[arg(long)]
        trigger: Option<usize>,
        /// Only show the due times.
        #[arg(long)]
        preview: bool,
    },
    /// List the ready workflows that come with this binary and what each needs; with a name, print that one's text.
    Gallery {
        /// The workflow's name.
        name: Option<String>,
    },
    /// List the versions of one, the newest first.
    Versions {
        /// The workflow's name.
        name: String,
    },
    /// Compare two versions: steps added, removed, changed and moved, and the text line by line.
    Diff(versions::Diff),
    /// Take the version on trial back, or the current one: new events start the one before it. Runs stay where they are.
    Rollback(versions::Rollback),
    /// Move waiting runs to another version; --dry-run tells first what would become of them.
    Migrate(migrate_runs::Migrate),
    /// End the trial of a version well: it takes every start from now on.
    Promote(versions::Promote),
    /// Hold new starts and runs where they stand; nothing is skipped.
    #[command(disable_version_flag = true)]
    Pause {
        /// The workflow's name.
        name: String,
        #[command(flatten)]
        part: Part,
        /// Why; shown to others.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Let it go on: what fell due meanwhile is applied in order.
    #[command(disable_version_flag = true)]
    Resume {
        /// The workflow's name.
        name: String,
        #[command(flatten)]
        part: Part,
    },
    /// Hold everything that one version started, and its new starts.
    #[command(disable_version_flag = true)]
    Hold {
        /// The workflow's name.
        name: String,
        /// The version.
        #[arg(long)]
        version: u32,
        /// Why; shown to others.
        #[arg(long)]
        reason: Option<String>,
    },
}

/// What of a workflow is meant; without either, all of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Part {
    /// Only this step: every run that reaches it is held before it.
    #[arg(long, conflicts_with = "version")]
    step: Option<String>,
    /// Only this version: what it started, and its new starts.
    #[arg(long)]
    version: Option<u32>,
}

impl Workflows {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let look = Look::of_stdout();
        if let Self::Gallery { name } = &self {
            return gallery(&context, name.as_deref(), look);
        }
        let client = context.client().await?;
        let result = match &self {
            Self::List => client.all("/api/v1/workflows", LIST_MOST).await.map(|items| json!({ "items": items })),
            Self::Show { name } => client.get(&format!("/api/v1/workflows/{}", escape(name))).await,
            Self::Start { name, input, key } => {
                let mut body = json!({ "input": input::json("--input", input)? });
                if let (Some(key), Some(body)) = (key, body.as_object_mut()) {
                    body.insert("key".into(), key.as_str().into());
                }
                client.post(&format!("/api/v1/workflows/{}/runs", escape(name)), &body).await
            }
            Self::Backfill { name, from, to, trigger, preview } => {
                let body = json!({ "from": from, "to": to, "trigger": trigger, "preview": preview });
                client.post(&format!("/api/v1/workflows/{}/backfill", escape(name)), &body).await
            }
            Self::Gallery { .. } => Ok(Value::Null),
            Self::Versions { name } => {
                client.all(&format!("/api/v1/workflows/{}/versions", escape(name)), LIST_MOST).await.map(|items| json!({ "items": items }))
            }
            Self::Diff(diff) => diff.ask(&client).await,
            Self::Rollback(rollback) => rollback.ask(&client).await,
            Self::Promote(promote) => promote.ask(&client).await,
            Self::Migrate(migrate) => migrate.ask(&client).await,
            Self::Pause { name, part, reason } => {
                let body = json!({ "step": part.step, "version": part.version, "reason": reason });
                client.post(&format!("/api/v1/workflows/{}/pause", escape(name)), &body).await
            }
            Self::Resume { name, part } => {
                client.post(&format!("/api/v1/workflows/{}/resume", escape(name)), &json!({ "step": part.step, "version": part.version })).await
            }
            Self::Hold { name, version, reason } => {
                client.post(&format!("/api/v1/workflows/{}/pause", escape(name)), &json!({ "version": version, "reason": reason })).await
            }
        };
        client.close().await;
        let document = result?;
        if let (Self::Show { .. }, false) = (&self, context.json) {
            for line in starts(&document).into_iter().chain(versions::on_trial(&document)) {
                crate::terminal::say(&line);
            }
        }
        context.print(&document, |document| match &self {
            Self::Start { .. } => started(document),
            Self::Backfill { .. } => backfilled(document, look),
            Self::Gallery { .. } => String::new(),
            Self::List => list(document, look),
            Self::Show { .. } => document.get("source").map(text).unwrap_or_default(),
            Self::Versions { .. } => listed(document, look),
            Self::Diff(_) => versions::differences(document, look),
            Self::Rollback(rollback) => rollback.told(document),
            Self::Promote(promote) => promote.told(document),
            Self::Migrate(_) => migrate_runs::Migrate::told(document, look),
            Self::Pause { name, .. } => format!("{name} is paused; `onward workflows resume {name}` lets it go on"),
            Self::Resume { name, .. } => format!("{name} goes on"),
            Self::Hold { name, version, .. } => {
                format!("version {version} of {name} is held; `onward workflows resume {name} --version {version}` lets it go on")
            }
        });
        if matches!(&self, Self::Migrate(_)) && !migrate_runs::Migrate::is_done(&document) {
            return Err(Failure::Shown);
        }
        Ok(())
    }
}

/// The gallery, from this binary itself, without a database.
fn gallery(context: &Context, name: Option<&str>, look: Look) -> Result<(), Failure> {
    let failed = |error: serde_json::Error| Failure::because("the gallery cannot be shown", &error);
    let all = crate::gallery::items(&wiring::catalogue()?)?;
    let Some(name) = name else {
        let document = json!({ "items": serde_json::to_value(&all).map_err(failed)? });
        context.print(&document, |_| {
            let rows = all.iter().map(|item| {
                let needs = &item.needs;
                let kinds = [
                    ("template", &needs.templates),
                    ("connection", &needs.connections),
                    ("segment", &needs.segments),
                    ("team", &needs.teams),
                    ("workflow", &needs.workflows),
                ];
                let needed: Vec<String> = kinds.iter().flat_map(|(kind, names)| names.iter().map(move |name| format!("{kind} {name}"))).collect();
                vec![item.name.clone(), item.description.clone(), needed.join(", ")]
            });
            table(look, &["NAME", "WHAT IT DOES", "WHAT IT NEEDS"], rows, "the gallery is empty")
        });
        return Ok(());
    };
    let item = all.iter().find(|item| item.name == name).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|item| item.name.as_str()).collect();
        let near = wiring::nearest(name, &names).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Failure::new(format!("the gallery has no `{name}`{near} (`onward workflows gallery` shows all)"))
    })?;
    context.print(&serde_json::to_value(item).map_err(failed)?, |_| item.source.trim_end().to_owned());
    Ok(())
}

/// What starts a workflow, beside the events and hands that its text names.
pub(super) fn starts(document: &Value) -> Vec<String> {
    let triggers = document.get("triggers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    triggers.iter().filter_map(start).collect()
}

fn start(trigger: &Value) -> Option<String> {
    let field = |name: &str| trigger.get(name).map(text).unwrap_or_default();
    match trigger.get("kind").and_then(Value::as_str)? {
        "webhook" => {
            let who = match trigger.get("connection").and_then(Value::as_str) {
                Some(connection) => format!("verified by the connection {connection}"),
                None => "open to everybody".to_owned(),
            };
            Some(format!("POST {}  ({who})", field("url")))
        }
        "schedule" => {
            let next: Vec<&str> = trigger.get("next").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            let next = if next.is_empty() { "never again".to_owned() } else { next.join(", ") };
            Some(format!("{} ({}), next: {next}", field("description"), field("timezone")))
        }
        _ => None,
    }
}

fn started(document: &Value) -> String {
    let held = document.get("held").filter(|held| !held.is_null()).map(|held| format!("; held: {}", text(held))).unwrap_or_default();
    format!("run {}{held}", document.get("run_id").map(text).unwrap_or_default())
}

fn backfilled(document: &Value, look: Look) -> String {
    let rows = items(document).iter().map(|item| {
        let field = |name: &str| item.get(name).map(text).unwrap_or_default();
        let runs: Vec<&str> = item.get("run_ids").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let what = match item.get("duplicate").and_then(Value::as_bool) {
            None => "would fire",
            Some(true) => "had fired",
            Some(false) => "fired",
        };
        vec![field("due"), what.to_owned(), runs.join(" ")]
    });
    table(look, &["DUE", "", "RUNS"], rows, "nothing was due in that time")
}

fn list(document: &Value, look: Look) -> String {
    let rows = items(document).iter().map(|item| {
        let field = |name: &str| item.get(name).map(text).unwrap_or_default();
        vec![field("name"), field("current_version"), field("published_at"), field("live_runs"), field("draft_updated_at")]
    });
    table(look, &["NAME", "VERSION", "PUBLISHED", "LIVE RUNS", "DRAFT OF"], rows, "no workflows yet; publish one with `onward publish FILE`")
}

fn listed(document: &Value, look: Look) -> String {
    let rows = items(document).iter().map(|item| {
        let field = |name: &str| item.get(name).map(text).unwrap_or_default();
        let current = if item.get("current").and_then(Value::as_bool).unwrap_or(false) { "live" } else { "" };
        vec![field("version"), current.to_owned(), field("published_at")]
    });
    table(look, &["VERSION", "", "PUBLISHED"], rows, "no version is published; publish one with `onward publish FILE`")
}
