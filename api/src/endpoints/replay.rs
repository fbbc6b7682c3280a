//! Replay: recorded runs, executed again. Touches no node, record, clock or event (SEMANTICS.md 20).

use crate::{
    Answer, App, Caller, Problem,
    request::{Body, Id, Name, Payload, params::shortened},
    shapes,
};
use axum::extract::State;
use onward_accounts::Action;
use onward_core::{
    OrganisationId, RunId, Value,
    definition::{Catalogue as _, Workflow},
    limits,
    machine::{self, Report},
    ports::StoredRun,
};
use onward_runtime::{EngineError, RunReport, Summary, what_if};
use onward_store::queries::{self, RunFilter};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(replay_run)).routes(routes!(replay_workflow))
}

/// Runs that are replayed when nobody asks for a number.
const USUAL: u32 = 20;
/// Runs that are replayed at the most.
const MOST: u32 = 10_000;
/// Runs whose histories are loaded at once.
const RUNS_AT_ONCE: usize = 200;
/// Entries of the histories that are loaded at once.
const ENTRIES_AT_ONCE: u64 = 20_000;
/// Runs that differ and are told in full; of those after them, only that they differ.
const TOLD_IN_FULL: usize = 500;

/// On which definition one run is executed again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct ReplayRun {
    /// Another file; the version that the run was on when left out.
    source: Option<String>,
}
impl Body for ReplayRun {
    const LIMIT: usize = 3 * limits::DEFINITION_BYTES;
    const OPTIONAL: bool = true;
}

/// On which definition, and how many runs.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({ "last": 50 }))]
struct ReplayWorkflow {
    /// Another file; each run's own version when left out.
    source: Option<String>,
    /// The newest runs, 1 to 10,000; 20 when left out.
    last: Option<u32>,
}
impl Body for ReplayWorkflow {
    const LIMIT: usize = 3 * limits::DEFINITION_BYTES;
    const OPTIONAL: bool = true;
}

/// Executes a recorded run again: on its own version it must be the same, on another file the differences are what would have
/// gone differently.
#[utoipa::path(post, path = "/runs/{id}/replay", tag = "Runs", request_body = Option<ReplayRun>, params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::ReplayReport)))]
async fn replay_run(State(app): State<App>, caller: Caller, Id(id): Id<RunId>, payload: Payload<ReplayRun>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let against = match payload.value.source {
        Some(source) => Some(compiled(&app, source).await?),
        None => None,
    };
    let report = replayed(&app, caller.organisation, id, against).await?;
    Ok(Answer::ok(serde_json::json!({ "runs": [report], "summary": null })))
}

/// Executes the newest runs of a workflow again, on their own versions or on another file, and reports run by run.
#[utoipa::path(post, path = "/workflows/{name}/replay", tag = "Workflows", request_body = Option<ReplayWorkflow>, params(("name" = String, Path)), responses((status = 200, body = shapes::ReplayReport)))]
async fn replay_workflow(State(app): State<App>, caller: Caller, Name(name): Name, payload: Payload<ReplayWorkflow>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let ReplayWorkflow { source, last } = payload.value;
    let last = last.unwrap_or(USUAL);
    if !(1..=MOST).contains(&last) {
        return Err(Problem::invalid("/last", format!("is {last}; it goes from 1 to {MOST}")));
    }
    let against = match source {
        Some(source) => Some(compiled(&app, source).await?),
        None => None,
    };
    let mut reader = app.reader();
    queries::workflow(&mut reader, caller.organisation, &name).await?.ok_or_else(|| Problem::not_found("workflow", shortened(&name)))?;
    let filter = RunFilter { workflow: Some(name), ..RunFilter::default() };
    let mut rows = queries::list_runs(&mut reader, caller.organisation, &filter, last as usize, None).await?;
    let mut replays =
        Replays { app: &app, organisation: caller.organisation, against, reports: Vec::with_capacity(rows.len()), told: 0, summary: Summary::default() };
    while !rows.is_empty() {
        // As many histories at a time as fit into memory: at least one, however long it is.
        let mut entries = 0;
        let fitting = rows.iter().take_while(|row| {
            entries += row.last_seq;
            entries <= ENTRIES_AT_ONCE
        });
        let count = fitting.count().clamp(1, RUNS_AT_ONCE).min(rows.len());
        let ids: Vec<RunId> = rows.drain(..count).map(|row| row.id).collect();
        replays.batch(ids).await?;
    }
    Ok(Answer::ok(serde_json::json!({ "runs": replays.reports, "summary": replays.summary.finished() })))
}

/// Many runs, executed again in batches.
struct Replays<'a> {
    app: &'a App,
    organisation: OrganisationId,
    against: Option<Arc<Workflow>>,
    reports: Vec<RunReport>,
    told: usize,
    summary: Summary,
}

impl Replays<'_> {
    async fn batch(&mut self, ids: Vec<RunId>) -> Result<(), Problem> {
        let loaded = queries::stored_runs(&mut self.app.reader(), self.organisation, &ids).await?;
        let mut runs = Vec::with_capacity(loaded.len());
        for run in loaded {
            match run {
                Ok(run) => {
                    let own = match &self.against {
                        Some(_) => BTreeMap::new(),
                        None => versions_of(self.app, &run).await?,
                    };
                    runs.push((run, own));
                }
                Err((run_id, error)) => {
                    let report = Report { unknown: Some(format!("its history cannot be read: {error}")), ..Report::default() };
                    let report = RunReport { run_id, report };
                    self.summary.add(&[], &report, self.app.engine().nodes());
                    self.reports.push(report);
                }
            }
        }
        let (engine, against) = (self.app.engine().clone(), self.against.clone());
        let mut summary = std::mem::take(&mut self.summary);
        let work = move || {
            let example = |node: &str| engine.nodes().node(node).map(|descriptor| descriptor.example_output.clone());
            let mut reports = Vec::with_capacity(runs.len());
            for (run, own) in &runs {
                let report = match &against {
                    Some(against) => what_if(std::slice::from_ref(run), against, &example).pop(),
                    None => Some(on_its_own(run, own)),
                };
                if let Some(report) = report {
                    summary.add(&run.entries, &report, engine.nodes());
                    reports.push(report);
                }
            }
            (summary, reports)
        };
        let (summary, reports) = tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?;
        self.summary = summary;
        for mut report in reports {
            self.told += usize::from(!report.report.same);
            if self.told > TOLD_IN_FULL {
                report.report.differences.clear();
                report.report.added.clear();
                report.report.missing.clear();
            }
            self.reports.push(report);
        }
        Ok(())
    }
}

async fn compiled(app: &App, source: String) -> Result<Arc<Workflow>, Problem> {
    let engine = app.engine().clone();
    let compiled = tokio::task::spawn_blocking(move || engine.compile(&source)).await.map_err(Problem::internal)?;
    match compiled.workflow {
        Some(workflow) => Ok(Arc::new(workflow)),
        None => Err(EngineError::Invalid { problems: compiled.problems }.into()),
    }
}

/// One run's report; computed off the async threads.
async fn replayed(app: &App, organisation: OrganisationId, id: RunId, against: Option<Arc<Workflow>>) -> Result<RunReport, Problem> {
    let run = super::runs::stored(app, organisation, id).await?;
    let own = match against {
        Some(_) => None,
        None => Some(versions_of(app, &run).await?),
    };
    let engine = app.engine().clone();
    let work = move || match (against, own) {
        (Some(against), _) => {
            let example = |node: &str| engine.nodes().node(node).map(|descriptor| descriptor.example_output.clone());
            what_if(std::slice::from_ref(&run), &against, &example as &dyn Fn(&str) -> Option<Value>).pop()
        }
        (None, Some(own)) => Some(on_its_own(&run, &own)),
        (None, None) => None,
    };
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?.ok_or_else(|| Problem::internal("a replay gave no report"))
}

/// The definitions of every version that a run was on.
async fn versions_of(app: &App, run: &StoredRun) -> Result<BTreeMap<u32, Arc<Workflow>>, Problem> {
    let mut versions = BTreeMap::new();
    for version in machine::versions_of(&run.entries) {
        versions.insert(version, app.engine().definition(run.row.organisation, &run.row.workflow, version).await?);
    }
    Ok(versions)
}

fn on_its_own(run: &StoredRun, versions: &BTreeMap<u32, Arc<Workflow>>) -> RunReport {
    let replay = AssertUnwindSafe(|| machine::replay(versions, run.row.organisation, run.row.id, &run.entries));
    let panicked = || Report { unknown: Some("the replay panicked; report this as a bug".into()), ..Report::default() };
    RunReport { run_id: run.row.id, report: catch_unwind(replay).unwrap_or_else(|_| panicked()) }
}
