//! How long runs are kept after their end.

use crate::{
    Answer, App, Caller, Problem,
    request::{Body, IfMatch, Payload},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::{Action, audit};
use onward_store::retention::{self, Rules};
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Days of a rule at the most: a hundred years.
const MOST_DAYS: u32 = 36_500;
/// Rules of an organisation at the most.
const MOST_RULES: usize = 1_000;

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_retention, set_retention))
}

/// How many days runs are kept after their end.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRetention, example = json!({ "days": 30, "workflows": { "invoice": 365 } }))]
struct NewRetention {
    /// Where a workflow has no rule of its own; 1 to 36,500.
    days: u32,
    /// Rules of workflows, by name.
    #[serde(default)]
    workflows: BTreeMap<String, u32>,
}
impl Body for NewRetention {}

/// Tells how many days runs are kept after their end.
#[utoipa::path(get, path = "/retention", tag = "Operations", responses((status = 200, body = shapes::Retention)))]
async fn get_retention(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    Ok(Answer::ok(retention::rules(&mut app.reader(), caller.organisation).await?.to_value()).tagged())
}

/// Says how many days runs are kept after their end; the rules that were there go. What has had its time by the new rules goes with the
/// next round, for good. `If-Match` refuses it when somebody else changed the rules meanwhile.
#[utoipa::path(put, path = "/retention", tag = "Operations", request_body = NewRetention,
    params(("If-Match" = Option<String>, Header, description = "the ETag that was read")), responses((status = 200, body = shapes::Retention)))]
async fn set_retention(State(app): State<App>, caller: Caller, seen: IfMatch, payload: Payload<NewRetention>) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    let NewRetention { days, workflows } = payload.value;
    let wrong = [("/days".to_owned(), days)].into_iter().chain(workflows.iter().map(|(name, days)| (format!("/workflows/{name}"), *days)));
    if let Some((pointer, days)) = wrong.into_iter().find(|(_, days)| !(1..=MOST_DAYS).contains(days)) {
        return Err(Problem::invalid(pointer, format!("{days} days; it goes from 1 to {MOST_DAYS}")));
    }
    if workflows.len() > MOST_RULES || workflows.contains_key("") {
        return Err(Problem::invalid("/workflows", format!("at most {MOST_RULES} rules, each with a workflow's name")));
    }
    let rules = Rules { days, workflows };
    write(&app, &caller, None, move |tx, who| {
        let (rules, seen) = (rules.clone(), seen.clone());
        Box::pin(async move {
            let before = retention::rules(tx, who.organisation).await?.to_value();
            seen.check(&before)?;
            retention::set_rules(tx, who.organisation, &rules).await?;
            let after = rules.to_value();
            let deed =
                audit::Deed { action: "retention.changed", subject: "organisation", subject_id: who.organisation.to_string(), before, after: after.clone() };
            audit::record(tx, who.organisation, &who.actor(), deed).await?;
            Ok(Answer::ok(after).tagged())
        })
    })
    .await
}
