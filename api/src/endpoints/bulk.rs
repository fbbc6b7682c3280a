//! Failures grouped by cause, and repairs of many runs: told before, spread over time, each done once whatever crashes.

use crate::{
    Answer, App, Caller, Problem, bulk_repairs,
    idempotency::Once,
    request::{Body, Id, Params, Payload, page},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::{Action, audit};
use onward_core::{
    Timestamp, Value,
    ports::{RunStatus, Transaction as _},
};
use onward_database::jobs;
use onward_store::repairs::{self, BulkAction, BulkRepair, Choice, Failure, Progress};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_failures)).routes(routes!(repair_runs)).routes(routes!(get_bulk_repair)).routes(routes!(stop_bulk_repair))
}

/// Runs that one repair takes; what matches beyond that is for the next.
const RUNS: usize = 10_000;
/// Runs a minute without a word about it.
const PER_MINUTE: u32 = 60;
/// Runs a minute at the most.
const PER_MINUTE_MOST: u32 = 6_000;
/// Causes told in a preview.
const CAUSES: usize = 100;
/// Refusals that are listed.
const REFUSALS: usize = 100;

/// Which failures.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Of this workflow.
    workflow: Option<String>,
    /// At or after this time.
    #[param(value_type = Option<String>)]
    since: Option<Timestamp>,
    /// Causes at the most, 1 to 100.
    limit: Option<u32>,
}

/// Groups failed runs by cause: workflow, step, code and the message without its variable parts; the most frequent first.
#[utoipa::path(get, path = "/runs/failures", tag = "Runs", params(Asked), responses((status = 200, body = shapes::Page<shapes::Failure>)))]
async fn list_failures(State(app): State<App>, caller: Caller, Params(asked): Params<Asked>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let limit = page::bounded(asked.limit)?;
    let choice = Choice { workflow: asked.workflow, since: asked.since, ..Choice::default() };
    let found = repairs::failures(&mut app.reader(), caller.organisation, &choice, limit as usize).await?;
    Ok(Answer::ok(page::envelope(found.iter().map(Failure::to_value).collect(), None)))
}

/// What is to be done, to which runs, how fast.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BulkRepairRequest, example = json!({ "action": "retry", "workflow": "welcome", "cause": "5f0c8e3a9b1d4c7e8f2a6b3c9d0e1f2a", "dry_run": true }))]
struct Wanted {
    /// `retry`, `skip` or `cancel`.
    action: String,
    /// Of this workflow. At least one of `workflow`, `key`, `contact` and `cause` is given.
    workflow: Option<String>,
    /// `cancel`: in this state; without it all that live.
    status: Option<String>,
    /// About this key.
    key: Option<String>,
    /// Of this contact, by id.
    contact: Option<String>,
    /// That failed for this cause: an `id` of `GET /runs/failures`.
    cause: Option<String>,
    /// That failed, or began while they live, at or after this time.
    #[schema(value_type = Option<String>)]
    since: Option<Timestamp>,
    /// Runs a minute at the most; 60 without it.
    per_minute: Option<u32>,
    /// `skip`: what the failed steps are taken to have given.
    #[serde(default)]
    #[schema(value_type = Object)]
    output: Value,
    /// `retry`: you made sure that steps whose outcome is unknown and which must not happen twice did not happen.
    #[serde(default)]
    not_done: bool,
    /// `cancel`: why; written into the histories.
    reason: Option<String>,
    /// Only tell how many runs, by cause.
    #[serde(default)]
    dry_run: bool,
}
impl Body for Wanted {}

impl Wanted {
    fn read(&self) -> Result<(BulkAction, Choice, u32), Problem> {
        let action = BulkAction::parse(&self.action).ok_or_else(|| Problem::invalid("/action", "action is retry, skip or cancel"))?;
        let status = match self.status.as_deref() {
            None => None,
            Some(text) => Some(
                RunStatus::parse(text)
                    .filter(|status| action == BulkAction::Cancel && !status.is_final())
                    .ok_or_else(|| Problem::invalid("/status", "status goes with cancel, and is held, running, waiting or paused"))?,
            ),
        };
        if [&self.workflow, &self.key, &self.contact, &self.cause].iter().all(|given| given.is_none()) {
            return Err(Problem::invalid("/workflow", "say which runs: give workflow, key, contact or cause"));
        }
        let per_minute = self.per_minute.unwrap_or(PER_MINUTE);
        if !(1..=PER_MINUTE_MOST).contains(&per_minute) {
            return Err(Problem::invalid("/per_minute", format!("per_minute is 1 to {PER_MINUTE_MOST}")));
        }
        let Self { workflow, key, contact, cause, since, .. } = self.clone();
        Ok((action, Choice { workflow, status, key, contact, cause, since }, per_minute))
    }
}

/// Retries, skips or cancels every run that the filter names, one after the other, at most `per_minute`. With `dry_run` only
/// tells how many, by cause. 202 with its id; a server that is restarted meanwhile goes on with it.
#[utoipa::path(post, path = "/runs/repair", tag = "Runs", request_body = Wanted,
    responses((status = 200, body = shapes::BulkPreview, description = "dry_run"), (status = 202, body = shapes::BulkRepair)))]
async fn repair_runs(State(app): State<App>, caller: Caller, once: Once, payload: Payload<Wanted>) -> Result<Answer, Problem> {
    caller.may(Action::ControlRuns)?;
    let wanted = payload.value;
    let (action, choice, per_minute) = wanted.read()?;
    let mut reader = app.reader();
    if wanted.dry_run {
        let runs = repairs::chosen(&mut reader, caller.organisation, action, &choice, RUNS + 1).await?;
        let causes = if action == BulkAction::Cancel { Vec::new() } else { repairs::failures(&mut reader, caller.organisation, &choice, CAUSES).await? };
        let causes: Vec<Value> = causes.iter().map(Failure::to_value).collect();
        return Ok(Answer::ok(serde_json::json!({ "count": runs.len().min(RUNS), "more": runs.len() > RUNS, "causes": causes })));
    }
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let options = serde_json::json!({ "output": wanted.output, "not_done": wanted.not_done, "reason": wanted.reason });
    let filter = serde_json::json!({
        "workflow": choice.workflow, "status": choice.status, "key": choice.key, "contact": choice.contact, "cause": choice.cause, "since": choice.since,
    });
    write(&app, &caller, key, move |tx, who| {
        let (choice, options, filter) = (choice.clone(), options.clone(), filter.clone());
        Box::pin(async move {
            let runs = repairs::chosen(tx, who.organisation, action, &choice, RUNS).await?;
            let (id, now) = (tx.fresh_id(), tx.now());
            let bulk =
                BulkRepair { id, organisation: who.organisation, action, options, per_minute, actor: who.by(), created_at: now, next_at: now, ended_at: None };
            repairs::begin(tx, &bulk, &runs).await?;
            jobs::enqueue(tx, bulk_repairs::job(who.organisation, id)).await?;
            let after = serde_json::json!({ "action": action.as_str(), "filter": filter, "runs": runs.len(), "per_minute": per_minute });
            let deed = audit::Deed { action: "runs.repaired", subject: "bulk_repair", subject_id: id.to_string(), before: Value::Null, after };
            audit::record(tx, who.organisation, &who.actor(), deed).await?;
            let progress = Progress { pending: runs.len() as u64, ..Progress::default() };
            Ok(Answer::accepted(shape(&bulk, &progress)))
        })
    })
    .await
}

fn shape(bulk: &BulkRepair, progress: &Progress) -> Value {
    let refusals: Vec<Value> = progress.refusals.iter().map(|(run, reason)| serde_json::json!({ "run_id": run, "reason": reason })).collect();
    serde_json::json!({
        "id": bulk.id, "action": bulk.action.as_str(), "per_minute": bulk.per_minute, "by": bulk.actor, "created_at": bulk.created_at,
        "ended_at": bulk.ended_at, "pending": progress.pending, "done": progress.done, "refused": progress.refused, "stopped": progress.stopped,
        "refusals": refusals,
    })
}

async fn shown(app: &App, caller: &Caller, id: Uuid) -> Result<Answer, Problem> {
    let mut reader = app.reader();
    let bulk = repairs::get(&mut reader, caller.organisation, id).await?.ok_or_else(|| Problem::not_found("bulk repair", id))?;
    let progress = repairs::progress(&mut reader, caller.organisation, id, REFUSALS).await?;
    Ok(Answer::ok(shape(&bulk, &progress)))
}

/// Tells how far a repair of many runs is, and which were refused.
#[utoipa::path(get, path = "/runs/repair/{id}", tag = "Runs", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::BulkRepair)))]
async fn get_bulk_repair(State(app): State<App>, caller: Caller, Id(id): Id<Uuid>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    shown(&app, &caller, id).await
}

/// Stops a repair of many runs: those that had no turn yet are left as they are.
#[utoipa::path(post, path = "/runs/repair/{id}/stop", tag = "Runs", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::BulkRepair)))]
async fn stop_bulk_repair(State(app): State<App>, caller: Caller, Id(id): Id<Uuid>) -> Result<Answer, Problem> {
    caller.may(Action::ControlRuns)?;
    shown(&app, &caller, id).await?;
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move {
            repairs::end(tx, who.organisation, id).await?;
            let deed =
                audit::Deed { action: "runs.repair_stopped", subject: "bulk_repair", subject_id: id.to_string(), before: Value::Null, after: Value::Null };
            audit::record(tx, who.organisation, &who.actor(), deed).await?;
            Ok(Answer::empty())
        })
    })
    .await?;
    shown(&app, &caller, id).await
}
