//! How the runs of a workflow fare: in each status, in each step, with each variant of a split.

use crate::{
    Answer, App, Caller, Problem,
    request::{Name, params::shortened},
    shapes,
};
use axum::extract::State;
use onward_accounts::{Action, organisations};
use onward_core::{
    OrganisationId, Timestamp, Value,
    definition::{Goal, Verb},
    machine::GoalEvents,
    ports::RunStatus,
};
use onward_store::queries::{self, Choice, StepStats};
use std::collections::BTreeMap;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_stats)).routes(routes!(get_variants))
}

/// Runs that step statistics are counted over.
const COUNTED_RUNS: u32 = 1_000;
/// Runs in each status that are counted at the most.
pub(super) const RUNS_MOST: usize = 50_000;
/// Failures of today, and runs that wait for long, that are counted at the most.
const RUNS_OF_STEPS: usize = 10_000;
/// Runs that variants are counted over.
const RUNS_OF_VARIANTS: u32 = 5_000;
/// Events that are looked through for one goal at the most, and at a time: one may be a megabyte.
const EVENTS_OF_GOAL: usize = 10_000;
const EVENTS_AT_A_TIME: usize = 200;

/// The organisation's time zone.
async fn zone(app: &App, organisation: OrganisationId) -> Result<String, Problem> {
    let found = organisations::get(&mut app.reader(), organisation).await?.ok_or_else(|| Problem::not_found("organisation", organisation))?;
    Ok(found.timezone)
}

/// Gives how runs fare: how many are in each status, how they passed each step, where they wait, and where they failed today. Of runs
/// in each status the newest 50,000 are counted.
#[utoipa::path(get, path = "/workflows/{name}/stats", tag = "Workflows", params(("name" = String, Path)), responses((status = 200, body = shapes::WorkflowStats)))]
async fn get_stats(State(app): State<App>, caller: Caller, Name(name): Name) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let mut reader = app.reader();
    let of = caller.organisation;
    queries::workflow(&mut reader, of, &name).await?.ok_or_else(|| Problem::not_found("workflow", shortened(&name)))?;
    let now = app.now();
    let today = now.start_of_day(&zone(&app, of).await?).unwrap_or(now);
    let runs = queries::status_counts(&mut reader, of, &name, RUNS_MOST).await?;
    let mut counted = queries::step_stats(&mut reader, of, &name, COUNTED_RUNS as usize).await?;
    for (step, waiting) in queries::waiting_longer(&mut reader, of, &name, COUNTED_RUNS as usize, RUNS_OF_STEPS).await? {
        counted.entry(step).or_default().waiting += waiting;
    }
    let mut failed = queries::failed_since(&mut reader, of, &name, today, RUNS_OF_STEPS).await?;
    for step in failed.keys() {
        counted.entry(step.clone()).or_default();
    }
    let mut shape = |step: &str, title: &str, stats: StepStats| {
        serde_json::json!({
            "step": step, "title": title, "entered": stats.entered, "waiting": stats.waiting, "left": stats.left, "failed": stats.failed,
            "failed_today": failed.remove(step).unwrap_or_default(),
        })
    };
    let mut steps = Vec::new();
    if let Some(current) = app.engine().current(of, &name) {
        for step in &current.workflow.outline {
            steps.push(shape(&step.key, &step.title, counted.remove(&*step.key).unwrap_or_default()));
        }
    }
    // Steps of older versions follow.
    steps.extend(counted.into_iter().map(|(step, stats)| shape(&step, &step, stats)));
    Ok(Answer::ok(serde_json::json!({ "runs": runs, "counted_runs": COUNTED_RUNS, "today": today, "steps": steps })))
}

/// Compares the variants of each split of the current version: how many of the newest runs were given each, came to their end, and
/// reached the split's goal.
#[utoipa::path(get, path = "/workflows/{name}/variants", tag = "Workflows", params(("name" = String, Path)), responses((status = 200, body = shapes::WorkflowVariants)))]
async fn get_variants(State(app): State<App>, caller: Caller, Name(name): Name) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let of = caller.organisation;
    queries::workflow(&mut app.reader(), of, &name).await?.ok_or_else(|| Problem::not_found("workflow", shortened(&name)))?;
    let mut splits = Vec::new();
    if let Some(current) = app.engine().current(of, &name) {
        let zone = zone(&app, of).await?;
        let mut by_split: BTreeMap<String, Vec<Choice>> = BTreeMap::new();
        for choice in queries::choices(&mut app.reader(), of, &name, RUNS_OF_VARIANTS as usize).await? {
            by_split.entry(choice.step.clone()).or_default().push(choice);
        }
        for step in &current.workflow.outline {
            let Some(Verb::Split { variants, goal, .. }) = current.workflow.step(&step.key).map(|step| &step.verb) else { continue };
            let chosen = by_split.remove(&*step.key).unwrap_or_default();
            let (events, not_told) = match goal {
                Some(goal) => goal_events(&app, of, goal, &chosen).await?,
                None => (None, None),
            };
            let mut counts: Vec<(String, Counts)> = variants.iter().map(|variant| (variant.name.clone(), Counts::default())).collect();
            for choice in &chosen {
                if !counts.iter().any(|(name, _)| *name == choice.variant) {
                    counts.push((choice.variant.clone(), Counts::default()));
                }
                let reached = events.as_ref().is_some_and(|events| events.reached(choice.contact.as_deref(), choice.at, &zone));
                for (_, counts) in counts.iter_mut().filter(|(name, _)| *name == choice.variant) {
                    counts.note(choice, reached);
                }
            }
            let variants: Vec<Value> = counts.iter().map(|(name, counts)| counts.shape(name, events.is_some())).collect();
            splits.push(serde_json::json!({
                "step": step.key, "goal": goal.as_ref().map(|goal| &goal.rule.event), "not_told": not_told, "variants": variants,
            }));
        }
    }
    Ok(Answer::ok(serde_json::json!({ "counted_runs": RUNS_OF_VARIANTS, "splits": splits })))
}

#[derive(Default)]
struct Counts {
    entered: u64,
    completed: u64,
    failed: u64,
    reached: u64,
}

impl Counts {
    fn note(&mut self, choice: &Choice, reached: bool) {
        self.entered += 1;
        self.completed += u64::from(choice.status == RunStatus::Completed);
        self.failed += u64::from(choice.status == RunStatus::Failed);
        self.reached += u64::from(reached);
    }
    fn shape(&self, name: &str, told: bool) -> Value {
        serde_json::json!({
            "variant": name, "entered": self.entered, "completed": self.completed, "failed": self.failed, "reached": told.then_some(self.reached),
        })
    }
}

/// The events of a goal since the first choice; else why nobody can tell them.
async fn goal_events<'g>(app: &App, of: OrganisationId, goal: &'g Goal, chosen: &[Choice]) -> Result<(Option<GoalEvents<'g>>, Option<&'static str>), Problem> {
    let Some(mut found) = GoalEvents::of(goal) else {
        return Ok((None, Some("the goal compares with values of the run; only `match: contact`, plain values and `incoming` can be counted")));
    };
    let since = chosen.iter().map(|choice| choice.at).min().unwrap_or(Timestamp::MIN);
    let mut seen = 0;
    let mut last = None;
    while !chosen.is_empty() {
        let page = queries::events_of_type(&mut app.reader(), of, &goal.rule.event, since, EVENTS_AT_A_TIME, last.as_ref()).await?;
        for event in &page {
            found.note(event);
        }
        seen += page.len();
        if page.len() < EVENTS_AT_A_TIME {
            break;
        }
        if seen >= EVENTS_OF_GOAL {
            return Ok((None, Some("more than 10,000 events of the goal's type came since the first of these runs")));
        }
        last = page.into_iter().next_back();
    }
    Ok((Some(found), None))
}
