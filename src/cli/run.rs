//! `onward run`: one run of a workflow file to its end, on a temporary database.

use super::{Context, Failure, input, publish, runs::Shown, validate};
use crate::{
    client::{Client, escape},
    terminal::{self, Look},
    timeline,
    wiring::{self, LeapingClock, Rooms, Settings},
};
use clap::Args;
use onward_connectors::http::AllowPrivate;
use onward_core::{Timestamp, limits, ports::Clock as _};
use onward_runtime::Duty;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};
use tokio::sync::broadcast::error::RecvError;

/// Run a workflow file once, to its end, on a temporary database, and draw what happened.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward run hello.yaml --input '{\"name\": \"Asha\"}'
  onward run welcome.yaml --event lead.json
  onward run welcome.yaml --event lead.json --skip-delays

It runs really: HTTP calls are made, and what waits, waits. On the temporary database there are no connections and no other
events, so a `wait_for` ends by its time-out only. --skip-delays moves the run's clock instead of waiting: a delay of three
days is over at once, and the history shows the moments as if it had lasted. A run that could only go on with an event that
nobody sends ends the command with exit code 1.")]
pub(crate) struct Run {
    /// The workflow file.
    file: PathBuf,
    /// The event that starts it: `{ \"type\", \"data\", … }`.
    #[arg(long, value_name = "FILE.json", conflicts_with = "input")]
    event: Option<PathBuf>,
    /// Start it by hand with this input; `@FILE` reads a file.
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// Move the run's clock instead of waiting.
    #[arg(long, env = "ONWARD_SKIP_DELAYS", value_parser = clap::builder::BoolishValueParser::new())]
    skip_delays: bool,
    /// Let calls reach loopback and private addresses.
    #[arg(long, env = "ONWARD_ALLOW_PRIVATE_URLS", value_parser = clap::builder::BoolishValueParser::new())]
    allow_private_urls: bool,
}

impl Run {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let (source, workflow) = validate::compile_or_report(&self.file)?;
        let start = self.start()?;
        let folder = tempfile::tempdir().map_err(|error| Failure::because("no temporary folder can be made", &error))?;
        let clock = Arc::new(LeapingClock::default());
        let mut settings = Settings::for_commands(&format!("sqlite://{}", folder.path().join("run.db").display()));
        settings.clock = Some(Arc::clone(&clock));
        settings.knows_things = false;
        settings.duty = Duty::Server;
        settings.allow_private = if self.allow_private_urls { AllowPrivate::All } else { AllowPrivate::None };
        let client = Client::local(wiring::open(&settings).await?);
        let result = self.to_its_end(&client, &clock, &workflow.name, &source, start).await;
        let outcome = match result {
            Ok(id) => Shown::of(&client, &id).await.map(|shown| (id, shown)),
            Err(failure) => Err(failure),
        };
        client.close().await;
        let (id, shown) = outcome?;
        let status = shown.run().get("status").and_then(Value::as_str).unwrap_or_default().to_owned();
        let document = json!({
            "run_id": id,
            "status": status,
            "output": shown.run().get("output"),
            "error": shown.run().get("error"),
            "history": with_inputs(shown.history()),
        });
        context.print(&document, |_| {
            let output = shown.run().get("output").filter(|output| !output.is_null()).map_or_else(String::new, |output| format!("\n\n{output:#}"));
            format!("{}{output}", shown.draw(clock.now(), Look::of_stdout()))
        });
        if status == "completed" { Ok(()) } else { Err(Failure::Shown) }
    }

    fn start(&self) -> Result<Start, Failure> {
        match (&self.event, &self.input) {
            (Some(file), _) => input::json_file(file, limits::EVENT_BYTES_MAX).map(Start::Event),
            (None, Some(text)) => input::json("--input", text).map(Start::Input),
            (None, None) => Ok(Start::Input(json!({}))),
        }
    }

    /// Starts the run and waits until it ends, or until nothing can move it any more; gives its id.
    async fn to_its_end(&self, client: &Client, clock: &LeapingClock, name: &str, source: &str, start: Start) -> Result<String, Failure> {
        let rooms = client.rooms().ok_or_else(|| Failure::new("the temporary database is not in this process; report this as a bug"))?;
        let mut changes = rooms.engine().subscribe();
        publish::publish(client, name, source).await?;
        let id = begin(client, name, start).await?;
        let mut said = None;
        loop {
            let run = client.get(&format!("/api/v1/runs/{}", escape(&id))).await?;
            let status = run.get("status").and_then(Value::as_str).unwrap_or_default();
            if ["completed", "failed", "cancelled", "paused"].contains(&status) {
                return Ok(id);
            }
            let waits = run.get("waiting_on").filter(|waits| waits.get("kind").is_some_and(|kind| kind != "step"));
            if let Some(waits) = waits.filter(|_| ["waiting", "held"].contains(&status)) {
                let until: Option<Timestamp> = waits.get("until").and_then(Value::as_str).and_then(|until| until.parse().ok());
                match until {
                    None => {
                        terminal::say(&format!(
                            "the run waits {}, and nobody is here to send that",
                            timeline::waiting_for(waits, clock.now()).unwrap_or_default()
                        ));
                        return Ok(id);
                    }
                    Some(until) if self.skip_delays => clock.leap_to(until),
                    Some(until) => {
                        if said.as_ref() != Some(waits) {
                            say_wait(waits, until, clock.now());
                            said = Some(waits.clone());
                        }
                    }
                }
            }
            tokio::select! {
                change = changes.recv() => if matches!(change, Err(RecvError::Closed)) {
                    return Err(Failure::new("the engine stopped before the run ended"));
                },
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted.map_err(|error| Failure::because("signals cannot be read", &error))?;
                    terminal::say("interrupted; this is how far it came:");
                    return Ok(id);
                }
            }
        }
    }
}

/// What starts the run.
enum Start {
    Event(Value),
    Input(Value),
}

async fn begin(client: &Client, name: &str, start: Start) -> Result<String, Failure> {
    let id_in = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    match start {
        Start::Input(input) => {
            let answer = client.post(&format!("/api/v1/workflows/{}/runs", escape(name)), &json!({ "input": input })).await?;
            id_in(answer.get("run_id")).ok_or_else(|| Failure::new("the run was not started"))
        }
        Start::Event(event) => {
            let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
            let answer = client.post("/api/v1/events", &event).await?;
            if let Some(id) = id_in(answer.pointer("/items/0/run_ids/0")) {
                return Ok(id);
            }
            let event_id = id_in(answer.pointer("/items/0/event_id")).unwrap_or_default();
            let stored = client.get(&format!("/api/v1/events/{}", escape(&event_id))).await?;
            let why = stored
                .get("routing")
                .filter(|notes| notes.as_array().is_none_or(|notes| !notes.is_empty()))
                .map_or_else(|| format!("no trigger of {name} takes events of type {kind:?}; look at `on`"), |notes| format!("why: {notes}"));
            Err(Failure::new(format!("the event started no run: {why}")))
        }
    }
}

/// A wait that a person would notice is told.
fn say_wait(waits: &Value, until: Timestamp, now: Timestamp) {
    const NOTICED_MS: i64 = 2_000;
    if until.millis_since(now) > NOTICED_MS {
        let waits = timeline::waiting_for(waits, now).unwrap_or_default();
        terminal::say(&format!("the run waits {waits}; Ctrl-C ends it here, --skip-delays does not wait"));
    }
}

/// The entries, with the input at the end of a step too: an entry that tells how a step ended then tells the whole of it.
fn with_inputs(history: &[Value]) -> Vec<Value> {
    let mut inputs: BTreeMap<String, Value> = BTreeMap::new();
    let with = |entry: &Value| {
        let mut entry = entry.clone();
        let Some(fields) = entry.as_object_mut() else { return entry };
        let text = |fields: &Map<String, Value>, name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let step = text(fields, "step");
        match text(fields, "kind").as_str() {
            "step_scheduled" => {
                if let Some(input) = fields.get("input") {
                    inputs.insert(step, input.clone());
                }
            }
            "step_completed" | "step_failed" => {
                if let Some(input) = inputs.get(&step) {
                    fields.insert("input".into(), input.clone());
                }
            }
            _ => {}
        }
        entry
    };
    history.iter().map(with).collect()
}

impl Rooms {
    /// The engine of these rooms, to watch what it does.
    pub(crate) fn engine(&self) -> &onward_runtime::EngineHandle<onward_store::SqlStore> {
        self.app().engine()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_step_carries_its_input() {
        let history = [
            json!({ "seq": 1, "kind": "step_scheduled", "step": "a", "input": { "n": 1 } }),
            json!({ "seq": 2, "kind": "step_completed", "step": "a", "output": 2 }),
            json!({ "seq": 3, "kind": "step_completed", "step": "b", "output": 3 }),
        ];
        let with = with_inputs(&history);
        assert_eq!(with[1].get("input"), Some(&json!({ "n": 1 })));
        assert_eq!(with[2].get("input"), None);
    }
}
