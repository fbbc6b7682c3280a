//! How the organisation fares, at a glance.

use crate::{Answer, App, Caller, Problem, request::Params, shapes};
use axum::extract::State;
use onward_accounts::Action;
use onward_core::Timestamp;
use onward_store::queries::{self, RUNS_OF_AN_OVERVIEW};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

const HOUR_MS: i64 = 3_600_000;
const MINUTE_MS: i64 = 60_000;
/// Minutes of events.
const MINUTES: i64 = 60;
/// Hours of runs that are told without a word about it, and at the most.
const HOURS: i64 = 24;
const HOURS_MOST: i64 = 168;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_overview))
}

/// Of which time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Hours of runs, 1 to 168; 24 without it.
    hours: Option<i64>,
}

/// Tells how the organisation fares: runs that live, runs by the hour they began and how they stand, events by the minute.
#[utoipa::path(get, path = "/overview", tag = "Runs", params(Asked), responses((status = 200, body = shapes::Overview)))]
async fn get_overview(State(app): State<App>, caller: Caller, Params(asked): Params<Asked>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let hours = asked.hours.unwrap_or(HOURS);
    if !(1..=HOURS_MOST).contains(&hours) {
        return Err(Problem::bad_request("bad_query", format!("hours is 1 to {HOURS_MOST}")));
    }
    let now = app.now();
    let since = whole(now, HOUR_MS).plus_millis(-(hours - 1) * HOUR_MS);
    let mut reader = app.reader();
    let living = queries::living_runs(&mut reader, caller.organisation).await?;
    let by_hour = queries::runs_by_time(&mut reader, caller.organisation, since, HOUR_MS).await?;
    let from = whole(now, MINUTE_MS).plus_millis(-(MINUTES - 1) * MINUTE_MS);
    let minutes = queries::events_by_time(&mut reader, caller.organisation, from, MINUTE_MS).await?;
    let counted: u64 = by_hour.iter().flat_map(|(_, runs)| runs.values()).sum();
    let counted_since = if counted >= RUNS_OF_AN_OVERVIEW as u64 { by_hour.first().map_or(since, |(at, _)| *at) } else { since };
    Ok(Answer::ok(serde_json::json!({
        "at": now, "living": living, "counted_since": counted_since,
        "hours": by_hour.iter().map(|(at, runs)| serde_json::json!({ "at": at, "runs": runs })).collect::<Vec<_>>(),
        "minutes": minutes.iter().map(|(at, events)| serde_json::json!({ "at": at, "events": events })).collect::<Vec<_>>(),
    })))
}

/// The beginning of the hour or minute that a moment is in.
fn whole(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(at.as_millis().div_euclid(millis) * millis)
}
