//! What starts a workflow, as people and screens need it: addresses, next times, the form of a start by hand.

use crate::{App, Problem};
use onward_accounts::organisations;
use onward_core::{
    OrganisationId, Timestamp, Value,
    definition::{Schedule, TriggerKind, Webhook, Zone},
};
use onward_runtime::{Current, next_fires};
use onward_store::queries;

/// Times that a schedule shows.
const TIMES: usize = 5;

/// The triggers of a version, in the file's order.
pub(crate) async fn render(app: &App, organisation: OrganisationId, current: &Current) -> Result<Vec<Value>, Problem> {
    let mut reader = app.reader();
    let owner = organisations::get(&mut reader, organisation).await?.ok_or_else(|| Problem::not_found("organisation", organisation))?;
    let first = organisations::first(&mut reader).await?.is_some_and(|first| first.id == organisation);
    let stands = queries::schedules(&mut reader, organisation, &current.workflow.name).await?;
    let rendered = current.workflow.triggers.iter().enumerate().map(|(place, trigger)| match &trigger.on {
        TriggerKind::Event(event) => serde_json::json!({ "kind": "event", "event": event }),
        TriggerKind::Manual { input } => serde_json::json!({ "kind": "manual", "input": input }),
        TriggerKind::Webhook(webhook) => {
            let part = if first { String::new() } else { format!("{}/", owner.name) };
            let url = format!("{}/hooks/in/{part}{}", app.parts.settings.public_url, webhook.path);
            listener(webhook, &url)
        }
        TriggerKind::Schedule(schedule) => {
            let next = stands.iter().find(|row| row.trigger == place).map(|row| row.next_due);
            // What a paused workflow missed is decided when it goes on.
            let next = next.filter(|due| !current.paused || *due > app.now());
            let times = next_fires(current, place, schedule, &owner.timezone, next, app.now(), TIMES);
            rhythm(schedule, &owner.timezone, &times)
        }
    });
    Ok(rendered.collect())
}

fn listener(webhook: &Webhook, url: &str) -> Value {
    let respond = if webhook.finished { "finished" } else { "accepted" };
    serde_json::json!({ "kind": "webhook", "path": webhook.path, "url": url, "connection": webhook.connection, "respond": respond })
}

fn rhythm(schedule: &Schedule, organisation_zone: &str, next: &[Timestamp]) -> Value {
    let zone = match &schedule.timezone {
        None => organisation_zone,
        Some(Zone::Contact) => "contact",
        Some(Zone::Named(name)) => name,
    };
    serde_json::json!({
        "kind": "schedule", "cron": schedule.cron.text(), "description": schedule.cron.describe(), "timezone": zone,
        "missed": schedule.missed.as_str(), "segment": schedule.each, "next": next,
    })
}
