//! `onward runs why`: why a run does not move.

use super::{Context, Failure, table::text};
use crate::{
    client::{Client, escape},
    terminal::{Look, Paint},
    timeline,
};
use clap::Args;
use onward_core::Timestamp;
use serde_json::Value;

/// Tell why a run does not move: what it waits for, what holds it back, who paused it, and what lets it go on.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward runs why RUN_ID
  onward runs why RUN_ID --json")]
pub(crate) struct Why {
    /// The run's id.
    #[arg(value_name = "RUN_ID")]
    id: String,
}

impl Why {
    pub(crate) async fn run(self, client: &Client, context: &Context, now: Timestamp, look: Look) -> Result<(), Failure> {
        let answer = client.get(&format!("/api/v1/runs/{}/why", escape(&self.id))).await?;
        context.print(&answer, |document| told(document, now, look));
        Ok(())
    }
}

fn told(document: &Value, now: Timestamp, look: Look) -> String {
    let field = |name: &str| document.get(name).map(text).unwrap_or_default();
    let status = field("status");
    let mut lines =
        vec![format!("Run {}  {}  {}", field("run_id"), look.paint(Paint::Strong, &field("workflow")), look.paint(timeline::paint_status(&status), &status))];
    let reasons = document.get("reasons").and_then(Value::as_array).into_iter().flatten();
    for reason in reasons {
        lines.push(sentence(reason, now));
        if let Some(why) = reason.get("why").filter(|why| why.is_object()) {
            let inner = why.get("reasons").and_then(Value::as_array).into_iter().flatten();
            lines.extend(inner.map(|reason| format!("  {}", sentence(reason, now))));
        }
    }
    match document.get("more").and_then(Value::as_u64) {
        None | Some(0) => {}
        Some(more) => lines.push(format!("And {more} more steps are in progress: `onward runs show` draws them all.")),
    }
    lines.join("\n")
}

/// The sentence, and how far off its moment is.
fn sentence(reason: &Value, now: Timestamp) -> String {
    let sentence: String = reason.get("text").map(text).unwrap_or_default().chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let until: Option<Timestamp> = reason.get("until").and_then(Value::as_str).and_then(|until| until.parse().ok());
    match until.map(|until| until.millis_since(now)) {
        None => sentence,
        Some(left) if left >= 0 => format!("{sentence} That is in {}.", timeline::length(left)),
        Some(left) => format!("{sentence} That was {} ago.", timeline::length(-left)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sentences_with_how_far_off_they_are_and_a_childs_below() {
        let look = Look { colour: false, unicode: true, width: 80 };
        let document = json!({ "run_id": "r1", "workflow": "welcome", "status": "waiting", "more": 2, "reasons": [
            { "kind": "timer", "text": "Step nap sleeps until 1970-01-01T01:00:00.000Z.", "until": "1970-01-01T01:00:00.000Z" },
            { "kind": "run", "text": "Step sub waits for run r2 of other to end.", "why": { "status": "waiting", "reasons": [
                { "kind": "event", "text": "Step a\u{1b}waits.", "until": "1970-01-01T00:00:00.000Z" } ] } },
        ] });
        let told = told(&document, Timestamp::from_millis(1_000), look);
        assert_eq!(
            told.lines().collect::<Vec<_>>(),
            [
                "Run r1  welcome  waiting",
                "Step nap sleeps until 1970-01-01T01:00:00.000Z. That is in 59 min 59 s.",
                "Step sub waits for run r2 of other to end.",
                "  Step a waits. That was 1 s ago.",
                "And 2 more steps are in progress: `onward runs show` draws them all.",
            ]
        );
    }
}
