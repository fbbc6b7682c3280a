//! Due times of a schedule that are past and did not fire: shown, then fired.

use crate::{
    Answer, App, Caller, Problem,
    request::{Body, Name, Payload, params::shortened},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::{Action, audit, organisations};
use onward_core::{
    Timestamp, Value,
    definition::{Schedule, TriggerKind, Zone},
    limits,
    schedule::{Calendar, read_moment},
};
use onward_runtime::Current;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(backfill_workflow))
}

/// Which due times are to be made up for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Backfill, example = json!({ "from": "2026-11-01", "to": "2026-11-08", "preview": true }))]
struct Backfill {
    /// The first moment that counts: RFC 3339, or a date with or without a time of day in the schedule's zone.
    from: String,
    /// The first moment that counts no more; not after now.
    to: String,
    /// The schedule's place among the workflow's triggers, from 0; the only one when left out.
    trigger: Option<usize>,
    /// Only shows the due times.
    #[serde(default)]
    preview: bool,
}
impl Body for Backfill {}

/// Fires due times of a schedule that are past, as they would have fired then. One that did fire is a duplicate: it answers with
/// the runs of then, and takes no effect again. With `preview` nothing fires.
#[utoipa::path(post, path = "/workflows/{name}/backfill", tag = "Workflows", request_body = Backfill, params(("name" = String, Path)),
    responses((status = 200, body = shapes::Backfilled, description = "what would fire"), (status = 202, body = shapes::Backfilled)))]
async fn backfill_workflow(State(app): State<App>, caller: Caller, Name(name): Name, payload: Payload<Backfill>) -> Result<Answer, Problem> {
    caller.may(Action::StartRuns)?;
    let asked = payload.value;
    let current = app.engine().current(caller.organisation, &name).ok_or_else(|| Problem::not_found("published workflow", shortened(&name)))?;
    let (trigger, schedule) = chosen(&current, asked.trigger)?;
    let due = due_times(&app, &caller, schedule, &asked).await?;
    if asked.preview {
        let items: Vec<Value> = due.iter().map(|due| serde_json::json!({ "due": due })).collect();
        return Ok(Answer::ok(serde_json::json!({ "items": items })));
    }
    if schedule.each.is_some() {
        return Err(Problem::conflict(
            "each",
            "a schedule with `each` cannot be made up for: who was in the segment then is not known; start the runs by hand",
        ));
    }
    let fired = app.engine().backfill(caller.organisation, &name, trigger, &due).await?;
    let mut items = Vec::with_capacity(fired.len());
    for (due, ingested) in due.iter().zip(&fired) {
        let mut item = serde_json::to_value(ingested).map_err(Problem::internal)?;
        if let Some(item) = item.as_object_mut() {
            item.insert("due".into(), due.to_string().into());
        }
        items.push(item);
    }
    let after = serde_json::json!({ "from": asked.from, "to": asked.to, "trigger": trigger, "due_times": due.len() });
    write(&app, &caller, None, move |tx, who| {
        let (name, after) = (name.clone(), after.clone());
        Box::pin(async move {
            let deed = audit::Deed { action: "workflow.backfilled", subject: "workflow", subject_id: name, before: Value::Null, after };
            audit::record(tx, who.organisation, &who.actor(), deed).await?;
            Ok(Answer::empty())
        })
    })
    .await?;
    Ok(Answer::accepted(serde_json::json!({ "items": items })))
}

/// The schedule that is meant, and its place.
fn chosen(current: &Current, place: Option<usize>) -> Result<(usize, &Schedule), Problem> {
    let mut schedules = current.workflow.triggers.iter().enumerate().filter_map(|(place, trigger)| match &trigger.on {
        TriggerKind::Schedule(schedule) => Some((place, schedule.as_ref())),
        _ => None,
    });
    if let Some(place) = place {
        return schedules.find(|(at, _)| *at == place).ok_or_else(|| Problem::invalid("/trigger", format!("trigger {place} of this workflow is no schedule")));
    }
    match (schedules.next(), schedules.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Problem::conflict("no_schedule", "this workflow has no schedule")),
        (Some((first, _)), Some((second, _))) => {
            Err(Problem::invalid("/trigger", format!("this workflow has several schedules: say which, {first} or {second} or a later one")))
        }
    }
}

async fn due_times(app: &App, caller: &Caller, schedule: &Schedule, asked: &Backfill) -> Result<Vec<Timestamp>, Problem> {
    let owner = organisations::get(&mut app.reader(), caller.organisation).await?;
    let organisation_zone = owner.map_or_else(|| "UTC".to_owned(), |owner| owner.timezone);
    let zone = match &schedule.timezone {
        Some(Zone::Named(name)) => name,
        _ => &organisation_zone,
    };
    let from = read_moment(&asked.from, zone).map_err(|error| Problem::invalid("/from", error))?;
    let to = read_moment(&asked.to, zone).map_err(|error| Problem::invalid("/to", error))?;
    if to > app.now() {
        return Err(Problem::invalid("/to", "it is not past: what is due later fires by itself"));
    }
    if from >= to {
        return Err(Problem::invalid("/from", "it is not before `to`"));
    }
    let due = Calendar::of(schedule, &organisation_zone).between(from, to, limits::BACKFILL_TIMES + 1);
    if due.len() > limits::BACKFILL_TIMES {
        return Err(Problem::invalid("/to", format!("more than {} due times lie between; ask for them in parts", limits::BACKFILL_TIMES)));
    }
    Ok(due)
}
