//! The versions of a workflow: compared, promoted, taken back. Parts of `onward workflows`.

use super::{Failure, table::text};
use crate::{
    client::{Client, escape},
    terminal::{Look, Paint},
};
use serde_json::{Value, json};

/// Which versions are compared.
#[derive(clap::Args, Debug)]
pub(crate) struct Diff {
    /// The workflow's name.
    name: String,
    /// The older version; the one before TO when left out.
    from: Option<String>,
    /// The newer version, or `draft`; the current one when left out.
    to: Option<String>,
}

impl Diff {
    pub(super) async fn ask(&self, client: &Client) -> Result<Value, Failure> {
        let given = [("from", &self.from), ("to", &self.to)].into_iter().filter_map(|(name, value)| Some(format!("{name}={}", escape(value.as_ref()?))));
        let query: Vec<String> = given.collect();
        client.get(&format!("/api/v1/workflows/{}/diff?{}", escape(&self.name), query.join("&"))).await
    }
}

/// What differs: steps and settings, a line each, and then the text.
pub(super) fn differences(document: &Value, look: Look) -> String {
    if document.get("same").and_then(Value::as_bool).unwrap_or(false) {
        return "the two are the same".to_owned();
    }
    let mut lines = Vec::new();
    for field in list(document, "settings") {
        lines.push(look.paint(Paint::Attention, &format!("~ {}", text(&field["field"]))));
    }
    for step in list(document, "steps") {
        let change = text(&step["change"]);
        let (mark, paint) = match change.as_str() {
            "added" => ("+", Paint::Good),
            "removed" => ("-", Paint::Bad),
            _ => ("~", Paint::Attention),
        };
        let mut told: Vec<String> = list(step, "fields").iter().map(|field| text(&field["field"])).collect();
        if step["moved"] == true {
            told.push("moved".to_owned());
        }
        let told = if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) };
        lines.push(look.paint(paint, &format!("{mark} step {} ({}){told}", text(&step["step"]), text(&step["title"]))));
    }
    lines.push(String::new());
    for line in document["text"].as_str().unwrap_or_default().lines() {
        lines.push(match line.as_bytes().first() {
            Some(b'+') => look.paint(Paint::Good, line),
            Some(b'-') => look.paint(Paint::Bad, line),
            Some(b'@') => look.paint(Paint::Faint, line),
            _ => line.to_owned(),
        });
    }
    lines.join("\n").trim_start().to_owned()
}

fn list<'v>(document: &'v Value, name: &str) -> &'v [Value] {
    document.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// To which version.
#[derive(clap::Args, Debug)]
pub(crate) struct Rollback {
    /// The workflow's name.
    name: String,
    /// The version that new events start from now on; the one before the current one when left out.
    #[arg(long)]
    to: Option<u32>,
}

impl Rollback {
    pub(super) async fn ask(&self, client: &Client) -> Result<Value, Failure> {
        client.post(&format!("/api/v1/workflows/{}/rollback", escape(&self.name)), &json!({ "to": self.to })).await
    }

    pub(super) fn told(&self, document: &Value) -> String {
        format!("new events start version {} of {}; runs stay on the version that they started with", text(&document["version"]), self.name)
    }
}

/// Which workflow's version on trial.
#[derive(clap::Args, Debug)]
pub(crate) struct Promote {
    /// The workflow's name.
    name: String,
}

impl Promote {
    pub(super) async fn ask(&self, client: &Client) -> Result<Value, Failure> {
        client.post(&format!("/api/v1/workflows/{}/promote", escape(&self.name)), &json!({})).await
    }

    pub(super) fn told(&self, document: &Value) -> String {
        format!("version {} of {} takes every start from now on", text(&document["version"]), self.name)
    }
}

/// How a version's trial stands, beside what starts the workflow.
pub(super) fn on_trial(document: &Value) -> Option<String> {
    let rollout = document.get("rollout").filter(|rollout| !rollout.is_null())?;
    let share = rollout["share"].as_f64().map(|share| format!(", {}% of the keys", share * 100.0)).unwrap_or_default();
    let counted = format!("{} of its runs ended, {} of them failed", text(&rollout["ended"]), text(&rollout["failed"]));
    let held = if rollout["held_at"].is_null() { "" } else { "; it is held: promote it, or take it back with rollback" };
    Some(format!("version {} is on trial{share}; {counted}{held}", text(&rollout["version"])))
}
