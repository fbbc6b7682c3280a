//! Why a run does not move: gathers what is recorded, and lets the machine say it.

use crate::{Answer, App, Caller, Problem, caller::Operator, request::Id, shapes};
use axum::extract::State;
use onward_accounts::{Action, audit};
use onward_core::{
    OrganisationId, RunId, Value,
    machine::{
        self,
        why::{Facts, HeldPlace, Owner, Reason, Standing, WorkflowPaused, why},
    },
    ports::{HeldStart, Pause, RunRow, RunStatus, StoredRun},
};
use onward_database::Query;
use onward_runtime::Duty;
use onward_store::{pauses, queries};
use std::panic::{AssertUnwindSafe, catch_unwind};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(why_not))
}

/// Runs that are named of those that go before a held start, and of those that have what it waits for.
const RUNS_NAMED: usize = 5;
/// Entries of the audit log in which the pause of a workflow is looked for.
const ENTRIES_READ: u32 = 50;

/// Tells why a run does not move: what it waits for and until when, what holds it back and who is ahead, who paused it and how that
/// is lifted. A run that waits for another one tells that one's own reasons, too.
#[utoipa::path(get, path = "/runs/{id}/why", tag = "Runs", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::WhyNot)))]
async fn why_not(State(app): State<App>, caller: Caller, Id(id): Id<RunId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let gathered = Gathered::of(&app, caller.organisation, id).await?.ok_or_else(|| Problem::not_found("run", id))?;
    let (row, owner, now) = (gathered.run.row.clone(), gathered.owner, gathered.now);
    let standing = gathered.standing().await?;
    let mut reasons = Vec::with_capacity(standing.reasons.len());
    for reason in &standing.reasons {
        let mut told = reason.to_value();
        if let Reason::Run { run_id, .. } = reason {
            told["why"] = of_child(&app, caller.organisation, *run_id).await?;
        }
        reasons.push(told);
    }
    Ok(Answer::ok(serde_json::json!({
        "run_id": id, "workflow": row.workflow, "status": standing.status, "at": now, "reasons": reasons, "more": standing.more,
        "owner": { "shard": row.shard, "node": owner.node, "until": owner.until },
    })))
}

/// The reasons of a run that another one waits for: one level down, not further. `null` while its start is on its way.
async fn of_child(app: &App, organisation: OrganisationId, id: RunId) -> Result<Value, Problem> {
    let Some(gathered) = Gathered::of(app, organisation, id).await? else { return Ok(Value::Null) };
    let Standing { status, reasons, .. } = gathered.standing().await?;
    Ok(serde_json::json!({ "status": status, "reasons": reasons.iter().map(Reason::to_value).collect::<Vec<_>>() }))
}

/// What is recorded of a run, on one snapshot.
struct Gathered {
    run: StoredRun,
    definition: Option<std::sync::Arc<onward_core::definition::Workflow>>,
    pauses: Vec<Pause>,
    workflow_paused: Option<WorkflowPaused>,
    held: Option<(HeldStart, u64, Vec<RunId>, Vec<RunId>)>,
    owner: Owner,
    now: onward_core::Timestamp,
}

impl Gathered {
    async fn of(app: &App, organisation: OrganisationId, id: RunId) -> Result<Option<Self>, Problem> {
        let now = app.now();
        let mut snapshot = app.reader().snapshot().await?;
        let Some(row) = queries::run(&mut snapshot, organisation, id).await? else { return Ok(None) };
        let held = match queries::held_start(&mut snapshot, organisation, id).await?.filter(|_| row.status == RunStatus::Held) {
            None => None,
            Some(start) => {
                let (before, ahead) = queries::ahead_of(&mut snapshot, &start, RUNS_NAMED).await?;
                let holders = queries::holders(&mut snapshot, organisation, &start.queue, RUNS_NAMED).await?;
                Some((start, before, ahead, holders))
            }
        };
        // A history that cannot be read is a reason of its own: the engine has set the run aside, and its row says so.
        let run = queries::stored_run(&mut snapshot, organisation, id).await.ok().flatten();
        let run = run.unwrap_or_else(|| StoredRun { row, entries: Vec::new() });
        let pauses = pauses::all(&mut snapshot).await?;
        let workflow_paused = workflow_paused(&mut snapshot, &run.row).await?;
        let (node, until) = queries::owner(&mut snapshot, run.row.shard).await?;
        drop(snapshot);
        let definition = if run.entries.is_empty() { None } else { app.engine().definition(organisation, &run.row.workflow, run.row.version).await.ok() };
        let owner = Owner { node, until, command: app.engine().duty() == Duty::Command };
        Ok(Some(Self { run, definition, pauses, workflow_paused, held, owner, now }))
    }

    /// Folds and asks, off the async threads: a history may have hundreds of thousands of entries.
    async fn standing(self) -> Result<Standing, Problem> {
        let work = move || {
            let StoredRun { row, entries } = &self.run;
            let fold = |workflow: &onward_core::definition::Workflow| machine::fold_all(workflow, row.id, entries).ok();
            let state = self.definition.as_deref().and_then(|workflow| catch_unwind(AssertUnwindSafe(|| fold(workflow))).ok().flatten());
            let held =
                self.held.as_ref().map(|(start, before, ahead, holders)| HeldPlace { start, before: *before, ahead: ahead.clone(), holders: holders.clone() });
            why(&Facts {
                row,
                state: state.as_ref(),
                entries,
                pauses: &self.pauses,
                workflow_paused: self.workflow_paused.clone(),
                held,
                owner: self.owner,
                now: self.now,
            })
        };
        tokio::task::spawn_blocking(work).await.map_err(Problem::internal)
    }
}

/// Who paused the run's whole workflow: the workflow itself only says that it is, the audit log says who did it.
async fn workflow_paused<Q: Query>(db: &mut Q, row: &RunRow) -> Result<Option<WorkflowPaused>, Problem> {
    let workflow = queries::workflow(db, row.organisation, &row.workflow).await?;
    if !workflow.is_some_and(|workflow| workflow.paused) {
        return Ok(None);
    }
    let entries = audit::list(db, row.organisation, Some(("workflow", &row.workflow)), None, ENTRIES_READ).await?;
    let whole = |entry: &&audit::Entry| entry.action == "workflow.paused" && entry.after["step"].is_null() && entry.after["version"].is_null();
    Ok(Some(entries.iter().find(whole).map_or_else(WorkflowPaused::default, |entry| WorkflowPaused {
        by: match entry.actor["kind"].as_str() {
            Some("system") => Some(Operator::BY.to_owned()),
            _ => entry.actor["name"].as_str().map(str::to_owned),
        },
        at: Some(entry.at),
        reason: entry.after["reason"].as_str().map(str::to_owned),
    })))
}
