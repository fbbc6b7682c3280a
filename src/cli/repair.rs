//! `onward runs retry|skip|fork|signal`: what people do when a run failed, or waits for what does not come.

use super::{Context, Failure, input, table::text};
use crate::client::{Client, escape};
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
#[command(after_help = "What the run has done is not done again; calls that were on their way are made anew. Without --step and --seq the copy goes on
before the failed step of a run that failed, and where it stands of one that lives.

Examples:
  onward runs fork RUN_ID
  onward runs fork RUN_ID --step invoice --input '{\"amount\": 4200}'
  onward runs fork RUN_ID --seq 12 --version 3")]
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

/// Asks it of one run, and says what came of it.
async fn mend(client: &Client, context: &Context, id: &str, verb: &str, body: &Value, done: &str) -> Result<(), Failure> {
    let answer = client.post(&format!("/api/v1/runs/{}/{verb}", escape(id)), body).await?;
    context.print(&answer, |answer| format!("run {id} {done}; it is {}", field(answer, "status")));
    Ok(())
}

fn field(document: &Value, name: &str) -> String {
    document.get(name).map(text).unwrap_or_default()
}
