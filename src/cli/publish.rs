//! `onward publish`: makes workflow files live.

use super::{Context, Failure, validate};
use crate::client::{Client, escape};
use clap::Args;
use onward_core::definition::{NeedKind, needs};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::PathBuf};

/// Publish workflow files: the next event starts the new version.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward publish welcome.yaml
  onward publish workflows/*.yaml --server https://onward.example.com --token \"$TOKEN\"

Every file is checked before the first is published, and what others call goes first. The same text twice is one version.")]
pub(crate) struct Publish {
    /// Workflow files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Publish {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let mut checked = Vec::new();
        for path in &self.files {
            let (source, workflow) = validate::compile_or_report(path)?;
            checked.push((path.display().to_string(), workflow.name, source));
        }
        let checked = called_first(checked);
        let client = context.client().await?;
        let mut items = Vec::new();
        for (file, name, source) in &checked {
            let answer = publish(&client, name, source).await.map_err(|failure| match failure {
                Failure::Failed(message) => Failure::Failed(format!("{file}: {message}")),
                other => other,
            })?;
            let starts = client.get(&format!("/api/v1/workflows/{}", escape(name))).await?;
            let mut item = json!({ "file": file, "workflow": name, "triggers": starts.get("triggers") });
            if let (Some(item), Value::Object(answer)) = (item.as_object_mut(), answer) {
                item.extend(answer);
            }
            items.push(item);
        }
        client.close().await;
        context.print(&json!({ "items": items }), |_| items.iter().map(line).collect::<Vec<_>>().join("\n"));
        Ok(())
    }
}

/// The files in an order in which each finds what it calls; those that call each other stay as they were given.
fn called_first(mut left: Vec<(String, String, String)>) -> Vec<(String, String, String)> {
    let called =
        |source: &str| -> BTreeSet<String> { needs(source).into_iter().filter(|need| need.kind == NeedKind::Workflow).map(|need| need.name).collect() };
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let waits = |(_, name, source): &(String, String, String)| {
            let called = called(source);
            left.iter().any(|(_, other, _)| other != name && called.contains(other))
        };
        let next = left.iter().position(|file| !waits(file)).unwrap_or_default();
        ordered.push(left.remove(next));
    }
    ordered
}

/// Publishes a workflow's text.
pub(crate) async fn publish(client: &Client, name: &str, source: &str) -> Result<Value, Failure> {
    client.post(&format!("/api/v1/workflows/{}/publish", escape(name)), &json!({ "source": source })).await
}

fn line(item: &Value) -> String {
    let text = |name: &str| item.get(name).map(super::table::text).unwrap_or_default();
    let problems: Vec<String> = validate::problems_of(item).into_iter().map(|problem| format!("\n  {}:{problem}", text("file"))).collect();
    let starts: Vec<String> = super::workflows::starts(item).into_iter().map(|start| format!("\n  {start}")).collect();
    format!("{}: {} version {} is live{}{}", text("file"), text("workflow"), text("version"), starts.concat(), problems.concat())
}
