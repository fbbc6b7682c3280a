//! `onward workflows migrate`: moves waiting runs to another version.

use super::{
    Failure,
    table::{table, text},
};
use crate::{
    client::{Client, escape},
    terminal::{self, Look, Paint},
};
use serde_json::{Value, json};

/// Runs of one request: so often is told how far it is.
const RUNS_AT_ONCE: u32 = 1_000;

/// Which runs are moved, and where to.
#[derive(clap::Args, Debug)]
pub(crate) struct Migrate {
    /// The workflow's name.
    name: String,
    /// The version they move to; the current one when left out. With --undo, the version that they were moved to.
    #[arg(long)]
    to: Option<u32>,
    /// Only runs of this version.
    #[arg(long)]
    from: Option<u32>,
    /// Runs that wait in the step OLD go on in the step NEW; may be given several times.
    #[arg(long, value_name = "OLD=NEW", value_parser = pair)]
    map: Vec<(String, String)>,
    /// Runs that wait in this step begin again on the new version.
    #[arg(long, value_name = "STEP")]
    restart: Vec<String>,
    /// Runs that wait in this step are cancelled.
    #[arg(long, value_name = "STEP")]
    cancel: Vec<String>,
    /// What this step did is not undone any more when a run fails.
    #[arg(long, value_name = "STEP")]
    not_undone: Vec<String>,
    /// Take the move back, of runs that have decided nothing since.
    #[arg(long, conflicts_with_all = ["map", "restart", "cancel", "not_undone", "from"])]
    undo: bool,
    /// Only tell what would become of the runs.
    #[arg(long)]
    dry_run: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => Ok((old.to_owned(), new.to_owned())),
        _ => Err(format!("{text:?} is no OLD=NEW")),
    }
}

impl Migrate {
    /// Asks page by page; the sum of the answers.
    pub(super) async fn ask(&self, client: &Client) -> Result<Value, Failure> {
        let map: serde_json::Map<String, Value> = self.map.iter().map(|(old, new)| (old.clone(), Value::from(new.as_str()))).collect();
        let mut sum: Option<Value> = None;
        loop {
            let cursor = sum.as_ref().map(|sum| sum["next_cursor"].clone());
            let body = json!({
                "to": self.to, "from": self.from, "map": map, "restart": self.restart, "cancel": self.cancel, "not_undone": self.not_undone,
                "undo": self.undo, "dry_run": self.dry_run, "limit": RUNS_AT_ONCE, "cursor": cursor,
            });
            let page = client.post(&format!("/api/v1/workflows/{}/migrate", escape(&self.name)), &body).await?;
            let more = !page["next_cursor"].is_null();
            let so_far = match sum {
                None => page,
                Some(sum) => added(sum, &page),
            };
            if more {
                terminal::say(&format!("{} runs so far", so_far["runs"]));
                sum = Some(so_far);
            } else {
                return Ok(so_far);
            }
        }
    }

    /// Whether every run is where it was to go.
    pub(super) fn is_done(document: &Value) -> bool {
        document["obstacles"].as_array().is_some_and(Vec::is_empty)
    }

    pub(super) fn told(document: &Value, look: Look) -> String {
        let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
        let rows = list("steps").into_iter().map(|step| {
            let field = |name: &str| text(&step[name]);
            let place = match field("to_step") {
                to if to.is_empty() => field("place"),
                to => format!("{} in {to}", field("place")),
            };
            vec![field("from"), field("step"), field("waits_for"), field("runs"), place]
        });
        let mut lines = vec![table(look, &["VERSION", "STEP", "WAITS FOR", "RUNS", "ON THE NEW VERSION"], rows, "no run rests on another version")];
        for obstacle in list("obstacles") {
            let told =
                format!("{} runs of version {} stay: {} (run {})", obstacle["runs"], obstacle["from"], text(&obstacle["message"]), text(&obstacle["example"]));
            lines.push(look.paint(Paint::Bad, &told));
        }
        let changed = match document["changed"].as_u64() {
            Some(changed) if changed > 0 => format!("; {changed} went on meanwhile, ask again for them"),
            _ => String::new(),
        };
        let verb = if document["dry_run"] == true { "would move" } else { "moved" };
        lines.push(format!("{} of {} runs {verb}{changed}", document["moved"], document["runs"]));
        lines.join("\n")
    }
}

/// Two answers as one: what they count alike is added up.
fn added(mut sum: Value, page: &Value) -> Value {
    let plus = |one: &Value, other: &Value| Value::from(one.as_u64().unwrap_or(0) + other.as_u64().unwrap_or(0));
    for name in ["runs", "moved", "changed"] {
        sum[name] = plus(&sum[name], &page[name]);
    }
    for (name, alike) in [("steps", &["from", "step", "waits_for", "place", "to_step"][..]), ("obstacles", &["from", "message"][..])] {
        let more = page[name].as_array().cloned().unwrap_or_default();
        let Some(known) = sum[name].as_array_mut() else { continue };
        for item in more {
            match known.iter_mut().find(|known| alike.iter().all(|field| known[*field] == item[*field])) {
                Some(known) => known["runs"] = plus(&known["runs"], &item["runs"]),
                None => known.push(item),
            }
        }
    }
    sum["next_cursor"] = page["next_cursor"].clone();
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_add_up() {
        let page = |step: &str, runs: u64, cursor: Value| {
            json!({
                "runs": runs, "moved": runs, "changed": 0, "next_cursor": cursor, "obstacles": [],
                "steps": [{ "from": 1, "step": step, "waits_for": "timer", "place": "kept", "to_step": step, "runs": runs }],
            })
        };
        let sum = added(added(page("a", 2, json!("x")), &page("a", 3, json!("y"))), &page("b", 1, Value::Null));
        assert_eq!((&sum["runs"], &sum["steps"][0]["runs"], &sum["steps"][1]["runs"]), (&json!(6), &json!(5), &json!(1)));
        assert_eq!(sum["next_cursor"], Value::Null);
    }
}
