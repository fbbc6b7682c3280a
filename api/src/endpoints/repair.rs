//! Repair: a failed run is retried or goes on without its failed step, a copy of a run goes on, a run is handed what it waits
//! for. Each leaves an entry in the audit log, in the transaction that does it.

use crate::{
    Answer, App, Caller, Problem,
    idempotency::{Note, Once, noting},
    request::{Body, Id, Payload},
    shapes,
};
use axum::extract::State;
use onward_accounts::{Action, audit};
use onward_core::{
    RunId, Value,
    machine::{Point, Repair},
    ports::WriteError,
};
use onward_database::Tx;
use onward_runtime::{EngineError, ForkRequest, Guard, MendedRun, Signal};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(retry_run)).routes(routes!(skip_run)).routes(routes!(fork_run)).routes(routes!(signal_run))
}

/// How the failed step is tried again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Retry, example = json!({ "input": { "to": "+919812345678" } }))]
struct Retry {
    /// Instead of the input that the step had; takes a new idempotency key.
    #[schema(value_type = Option<Object>)]
    input: Option<Value>,
    /// You made sure that the step, whose outcome is unknown and which must not happen twice, did not happen.
    not_done: bool,
}
impl Body for Retry {
    const OPTIONAL: bool = true;
}

/// What the failed step is taken to have given.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Skip, example = json!({ "output": { "id": "in_123" } }))]
struct Skip {
    /// The step's output; without it `null`.
    #[schema(value_type = Object)]
    output: Value,
}
impl Body for Skip {
    const OPTIONAL: bool = true;
}

/// From where a copy goes on, and with what. Without `step` and `seq`: before the failed step of a run that failed, where it
/// stands of one that lives.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Fork, example = json!({ "step": "invoice", "input": { "amount": 4200 } }))]
struct Fork {
    /// Before this step first began.
    step: Option<String>,
    /// Behind this entry of the history.
    seq: Option<u64>,
    /// Instead of the input of the step at that point.
    #[schema(value_type = Option<Object>)]
    input: Option<Value>,
    /// The version that it goes on with, when that decides the same up to there; without it the run's.
    version: Option<u32>,
}
impl Body for Fork {
    const OPTIONAL: bool = true;
}

/// What a run is told by hand.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = Signal, example = json!({ "name": "payment.succeeded", "data": { "amount": 4200 } }))]
struct Told {
    /// The type of the event that is waited for, or the name of the wait.
    name: Option<String>,
    /// The step that waits, when several do; or the step that asks.
    step: Option<String>,
    /// The event's data; or the answer.
    #[schema(value_type = Object)]
    data: Value,
}
impl Body for Told {
    const OPTIONAL: bool = true;
}

/// Tries the failed step of a run that failed again, and goes on from there. The idempotency key stays while the outcome is
/// unknown; a definite failure or another input takes a new one.
#[utoipa::path(post, path = "/runs/{id}/retry", tag = "Runs", request_body = Option<Retry>, params(("id" = String, Path, format = "uuid")), responses((status = 202, body = shapes::RunState)))]
async fn retry_run(State(app): State<App>, caller: Caller, once: Once, Id(id): Id<RunId>, payload: Payload<Retry>) -> Result<Answer, Problem> {
    let Retry { input, not_done } = payload.value;
    let deed = Deed { action: "run.retried", id, after: serde_json::json!({ "edited": input.is_some(), "not_done": not_done }) };
    let repair = Repair::Retry { input, not_done };
    let (engine, by, organisation) = (app.clone(), caller.by(), caller.organisation);
    mend(&app, &caller, once, &payload.bytes, deed, async move |guard| engine.engine().repair(organisation, id, &by, repair, Some(guard)).await).await
}

/// Goes on without the failed step of a run that failed, as if it had given `output`.
#[utoipa::path(post, path = "/runs/{id}/skip", tag = "Runs", request_body = Option<Skip>, params(("id" = String, Path, format = "uuid")), responses((status = 202, body = shapes::RunState)))]
async fn skip_run(State(app): State<App>, caller: Caller, once: Once, Id(id): Id<RunId>, payload: Payload<Skip>) -> Result<Answer, Problem> {
    let deed = Deed { action: "run.step_skipped", id, after: Value::Null };
    let repair = Repair::Skip { output: payload.value.output };
    let (engine, by, organisation) = (app.clone(), caller.by(), caller.organisation);
    mend(&app, &caller, once, &payload.bytes, deed, async move |guard| engine.engine().repair(organisation, id, &by, repair, Some(guard)).await).await
}

/// Goes on with a copy of a run under a new id, from any point of its history. What was done is not done again; calls that
/// were on their way are made anew, with keys of their own. 202 with the copy.
#[utoipa::path(post, path = "/runs/{id}/fork", tag = "Runs", request_body = Option<Fork>, params(("id" = String, Path, format = "uuid")), responses((status = 202, body = shapes::RunState)))]
async fn fork_run(State(app): State<App>, caller: Caller, once: Once, Id(id): Id<RunId>, payload: Payload<Fork>) -> Result<Answer, Problem> {
    let Fork { step, seq, input, version } = payload.value;
    let deed = Deed { action: "run.forked", id, after: serde_json::json!({ "step": step, "seq": seq, "edited": input.is_some(), "version": version }) };
    let point = match (step, seq) {
        (Some(_), Some(_)) => return Err(Problem::invalid("/seq", "give step or seq, not both")),
        (Some(step), None) => Point::Before(step),
        (None, Some(seq)) => Point::After(seq),
        (None, None) => Point::Here,
    };
    let asked = ForkRequest { point, input, version };
    let (engine, by, organisation) = (app.clone(), caller.by(), caller.organisation);
    mend(&app, &caller, once, &payload.bytes, deed, async move |guard| engine.engine().fork(organisation, id, &by, asked, Some(guard)).await).await
}

/// Hands a run an event for one of its open waits, and no other run: neither `match` nor `if` is asked. Without such a wait a
/// conflict lists those that are open.
#[utoipa::path(post, path = "/runs/{id}/signal", tag = "Runs", request_body = Option<Told>, params(("id" = String, Path, format = "uuid")), responses((status = 202, body = shapes::RunState)))]
async fn signal_run(State(app): State<App>, caller: Caller, once: Once, Id(id): Id<RunId>, payload: Payload<Told>) -> Result<Answer, Problem> {
    let Told { name, step, data } = payload.value;
    let deed = Deed { action: "run.signalled", id, after: serde_json::json!({ "name": name, "step": step }) };
    let signal = Signal { name, step, data };
    let (engine, by, organisation) = (app.clone(), caller.by(), caller.organisation);
    mend(&app, &caller, once, &payload.bytes, deed, async move |guard| engine.engine().signal(organisation, id, &by, signal, Some(guard)).await).await
}

/// What the audit log says of it.
#[derive(Clone)]
struct Deed {
    action: &'static str,
    id: RunId,
    after: Value,
}

/// Does it, with the entry in the audit log and the answer for an `Idempotency-Key` in its transaction.
async fn mend<W>(app: &App, caller: &Caller, once: Once, bytes: &[u8], deed: Deed, work: W) -> Result<Answer, Problem>
where
    W: AsyncFnOnce(Guard<Tx>) -> Result<MendedRun, EngineError>,
{
    caller.may(Action::ControlRuns)?;
    let who = Arc::new(caller.clone());
    let note: Note = Arc::new(move |tx, mended| {
        let (who, deed) = (Arc::clone(&who), deed.clone());
        let mut after = deed.after.clone();
        // Of a fork, the copy.
        if let Some(after) = after.as_object_mut().filter(|_| mended["run_id"] != serde_json::json!(deed.id)) {
            after.insert("run_id".into(), mended["run_id"].clone());
        }
        Box::pin(async move {
            let deed = audit::Deed { action: deed.action, subject: "run", subject_id: deed.id.to_string(), before: Value::Null, after };
            audit::record(tx, who.organisation, &who.actor(), deed).await.map_err(|error| WriteError::Database(error.to_string()))
        })
    });
    match once.bind(app, caller, bytes)? {
        None => Ok(rendered(&serde_json::to_value(work(noting(note)).await?).map_err(Problem::internal)?)),
        Some(key) => {
            let (guard, kept) = key.guard_noting(rendered, Some(note));
            let done = work(guard).await;
            kept.answer(done.map(|run| rendered(&serde_json::to_value(run).unwrap_or_default())))
        }
    }
}

fn rendered(run: &Value) -> Answer {
    Answer::accepted(run.clone())
}
