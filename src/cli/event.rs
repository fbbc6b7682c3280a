//! `onward event`: puts an event on the bus.

use super::{Context, Failure, input, table::items, table::text};
use clap::{Args, Subcommand};
use serde_json::{Map, Value};

/// Send events.
#[derive(Debug, Subcommand)]
pub(crate) enum Event {
    Send(Send),
}

/// Send one event; it starts the workflows that wait for its type, and wakes the runs that do.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward event send lead.captured --data '{\"phone\": \"+919812345678\", \"name\": \"Asha\"}'
  onward event send order.created --data @order.json --source shop --id 4711

With --id the event takes effect once, however often it is sent.")]
pub(crate) struct Send {
    /// The event's type.
    #[arg(value_name = "TYPE")]
    kind: String,
    /// Its facts as JSON; `@FILE` reads a file, `-` standard input.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    data: String,
    /// Who says so.
    #[arg(long)]
    source: Option<String>,
    /// The sender's own id of it.
    #[arg(long)]
    id: Option<String>,
    /// What it is about.
    #[arg(long)]
    subject: Option<String>,
    /// When it happened, RFC 3339.
    #[arg(long)]
    time: Option<String>,
}

impl Event {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let Self::Send(send) = self;
        let event = send.event()?;
        let client = context.client().await?;
        let result = client.post("/api/v1/events", &event).await;
        client.close().await;
        context.print(&result?, |document| items(document).iter().map(line).collect::<Vec<_>>().join("\n"));
        Ok(())
    }
}

impl Send {
    fn event(self) -> Result<Value, Failure> {
        let mut event = Map::new();
        event.insert("type".into(), self.kind.into());
        for (name, value) in [("source", self.source), ("id", self.id), ("subject", self.subject), ("time", self.time)] {
            if let Some(value) = value {
                event.insert(name.into(), value.into());
            }
        }
        event.insert("data".into(), input::json("--data", &self.data)?);
        Ok(Value::Object(event))
    }
}

fn line(item: &Value) -> String {
    let event = item.get("event_id").map(text).unwrap_or_default();
    if item.get("duplicate").and_then(Value::as_bool).unwrap_or(false) {
        return format!("event {event} was known already: nothing happened");
    }
    let runs: Vec<String> = item.get("run_ids").and_then(Value::as_array).into_iter().flatten().map(text).collect();
    if runs.is_empty() { format!("event {event} is stored; it started no run") } else { format!("event {event} started {}", runs.join(", ")) }
}
