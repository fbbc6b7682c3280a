//! Teams, and who is online.

use crate::{
    Answer, App, Caller, Once, Problem,
    request::{Body, Id, IfMatch, Payload, page},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::{
    Action, TeamId,
    presence::{self, Present},
    teams::{self, Team},
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_teams, create_team)).routes(routes!(get_team, update_team, delete_team)).routes(routes!(list_presence))
}

/// A team to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTeam, example = json!({ "name": "sales", "members": ["meera@example.com"] }))]
struct New {
    /// Unique in the organisation; it never changes, since workflows name teams by it.
    name: String,
    /// Users, by id or e-mail.
    #[serde(default)]
    members: Vec<String>,
}
impl Body for New {}

/// What changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TeamChange, example = json!({ "members": ["meera@example.com", "ben@example.com"] }))]
struct Patch {
    /// All members, by id or e-mail.
    members: Vec<String>,
}
impl Body for Patch {}

/// Lists the teams, by name.
#[utoipa::path(get, path = "/teams", tag = "Accounts", responses((status = 200, body = shapes::Page<shapes::Team>)))]
async fn list_teams(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let found = teams::list(&mut app.reader(), caller.organisation).await?;
    Ok(Answer::ok(page::envelope(found.iter().map(Team::to_value).collect(), None)))
}

/// Makes a team.
#[utoipa::path(post, path = "/teams", tag = "Accounts", request_body = New, responses((status = 201, body = shapes::Team)))]
async fn create_team(State(app): State<App>, caller: Caller, once: Once, payload: Payload<New>) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let New { name, members } = payload.value;
    write(&app, &caller, key, move |tx, who| {
        let (name, members) = (name.clone(), members.clone());
        Box::pin(async move {
            let team = teams::create(tx, who.organisation, &who.actor(), &name, &members).await?;
            Ok(Answer::created(team.to_value(), format!("/api/v1/teams/{}", team.id)).tagged())
        })
    })
    .await
}

/// Gives a team.
#[utoipa::path(get, path = "/teams/{id}", tag = "Accounts", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Team)))]
async fn get_team(State(app): State<App>, caller: Caller, Id(id): Id<TeamId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let team = teams::get(&mut app.reader(), caller.organisation, id).await?.ok_or_else(|| Problem::not_found("team", id))?;
    Ok(Answer::ok(team.to_value()).tagged())
}

/// Sets who belongs to a team.
#[utoipa::path(patch, path = "/teams/{id}", tag = "Accounts", request_body = Patch,
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 200, body = shapes::Team)))]
async fn update_team(State(app): State<App>, caller: Caller, Id(id): Id<TeamId>, seen: IfMatch, payload: Payload<Patch>) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    let members = payload.value.members;
    write(&app, &caller, None, move |tx, who| {
        let (members, seen) = (members.clone(), seen.clone());
        Box::pin(async move {
            let present = teams::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("team", id))?;
            seen.check(&present.to_value())?;
            Ok(Answer::ok(teams::set_members(tx, who.organisation, &who.actor(), id, &members).await?.to_value()).tagged())
        })
    })
    .await
}

/// Removes a team. Its users stay.
#[utoipa::path(delete, path = "/teams/{id}", tag = "Accounts",
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 204)))]
async fn delete_team(State(app): State<App>, caller: Caller, Id(id): Id<TeamId>, seen: IfMatch) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    write(&app, &caller, None, move |tx, who| {
        let seen = seen.clone();
        Box::pin(async move {
            let present = teams::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("team", id))?;
            seen.check(&present.to_value())?;
            teams::delete(tx, who.organisation, &who.actor(), id).await?;
            Ok(Answer::empty())
        })
    })
    .await
}

/// Lists who has the app open.
#[utoipa::path(get, path = "/presence", tag = "Accounts", responses((status = 200, body = shapes::Page<shapes::Presence>)))]
async fn list_presence(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let found = presence::list(&mut app.reader(), caller.organisation, app.now()).await?;
    Ok(Answer::ok(page::envelope(found.iter().map(Present::to_value).collect(), None)))
}
