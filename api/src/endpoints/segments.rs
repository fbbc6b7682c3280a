//! Segments and who is in them.

use crate::{
    Answer, App, Caller, Once, Problem,
    request::{Body, Id, IfMatch, Page, Paging, Params, Payload},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::Action;
use onward_records::{
    ContactId, SegmentId,
    contacts::Contact,
    segments::{self, Segment},
};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_segments, create_segment))
        .routes(routes!(get_segment, update_segment, delete_segment))
        .routes(routes!(list_members, change_members))
}

/// A static segment to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSegment, example = json!({ "name": "vip", "description": "Those who matter most" }))]
struct New {
    /// What workflows say; unique in the organisation.
    name: String,
    /// What it is for.
    #[serde(default)]
    description: String,
}
impl Body for New {}

/// What changes; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = SegmentChange, example = json!({ "description": "Those who buy every month" }))]
struct Patch {
    name: Option<String>,
    description: Option<String>,
}
impl Body for Patch {}

/// Who enters and who leaves; together at most 500.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = MembersChange, example = json!({ "add": ["0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2c"], "remove": [] }))]
struct Change {
    /// Contacts, by id.
    #[schema(value_type = Vec<String>)]
    add: Vec<ContactId>,
    /// Contacts, by id; those not in are no error.
    #[schema(value_type = Vec<String>)]
    remove: Vec<ContactId>,
}
impl Body for Change {}

/// Lists segments, newest first.
#[utoipa::path(get, path = "/segments", tag = "Segments", params(Paging), responses((status = 200, body = shapes::Page<shapes::Segment>)))]
async fn list_segments(State(app): State<App>, caller: Caller, Params(paging): Params<Paging>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let page = Page::read("segments", paging.limit, paging.cursor.as_deref())?;
    let found = segments::list(&mut app.reader(), caller.organisation, page.after.map(SegmentId), page.ask()).await?;
    Ok(Answer::ok(page.render(found, |segment| segment.id.0, Segment::to_value)))
}

/// Makes an empty static segment.
#[utoipa::path(post, path = "/segments", tag = "Segments", request_body = New, responses((status = 201, body = shapes::Segment)))]
async fn create_segment(State(app): State<App>, caller: Caller, once: Once, payload: Payload<New>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let new = Arc::new(payload.value);
    write(&app, &caller, key, move |tx, who| {
        let new = Arc::clone(&new);
        Box::pin(async move {
            let segment = segments::create(tx, who.organisation, &who.actor(), &new.name, &new.description).await?;
            Ok(Answer::created(segment.to_value(), format!("/api/v1/segments/{}", segment.id)).tagged())
        })
    })
    .await
}

/// Gives a segment.
#[utoipa::path(get, path = "/segments/{id}", tag = "Segments", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Segment)))]
async fn get_segment(State(app): State<App>, caller: Caller, Id(id): Id<SegmentId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let segment = segments::get(&mut app.reader(), caller.organisation, id).await?.ok_or_else(|| Problem::not_found("segment", id))?;
    Ok(Answer::ok(segment.to_value()).tagged())
}

/// Changes a segment's name or description.
#[utoipa::path(patch, path = "/segments/{id}", tag = "Segments", request_body = Patch,
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 200, body = shapes::Segment)))]
async fn update_segment(State(app): State<App>, caller: Caller, Id(id): Id<SegmentId>, seen: IfMatch, payload: Payload<Patch>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let patch = Arc::new(payload.value);
    write(&app, &caller, None, move |tx, who| {
        let (patch, seen) = (Arc::clone(&patch), seen.clone());
        Box::pin(async move {
            let present = segments::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("segment", id))?;
            seen.check(&present.to_value())?;
            let segment = segments::update(tx, who.organisation, &who.actor(), id, patch.name.as_deref(), patch.description.as_deref()).await?;
            Ok(Answer::ok(segment.to_value()).tagged())
        })
    })
    .await
}

/// Removes a segment. Its contacts stay.
#[utoipa::path(delete, path = "/segments/{id}", tag = "Segments",
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 204)))]
async fn delete_segment(State(app): State<App>, caller: Caller, Id(id): Id<SegmentId>, seen: IfMatch) -> Result<Answer, Problem> {
    caller.may(Action::DeleteRecords)?;
    write(&app, &caller, None, move |tx, who| {
        let seen = seen.clone();
        Box::pin(async move {
            let present = segments::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("segment", id))?;
            seen.check(&present.to_value())?;
            segments::delete(tx, who.organisation, &who.actor(), id).await?;
            Ok(Answer::empty())
        })
    })
    .await
}

/// Lists who is in a segment, in the order in which we came to know them.
#[utoipa::path(get, path = "/segments/{id}/members", tag = "Segments", params(("id" = String, Path, format = "uuid"), Paging),
    responses((status = 200, body = shapes::Page<shapes::Contact>)))]
async fn list_members(State(app): State<App>, caller: Caller, Id(id): Id<SegmentId>, Params(paging): Params<Paging>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let page = Page::read("members", paging.limit, paging.cursor.as_deref())?;
    let mut reader = app.reader();
    segments::get(&mut reader, caller.organisation, id).await?.ok_or_else(|| Problem::not_found("segment", id))?;
    let found = segments::members(&mut reader, caller.organisation, id, page.after.map(ContactId), page.ask()).await?;
    Ok(Answer::ok(page.render(found, |contact| contact.id.0, Contact::to_value)))
}

/// Puts contacts into a static segment and takes others out.
#[utoipa::path(post, path = "/segments/{id}/members", tag = "Segments", request_body = Change, params(("id" = String, Path, format = "uuid")),
    responses((status = 200, body = shapes::MembersChanged)))]
async fn change_members(State(app): State<App>, caller: Caller, once: Once, Id(id): Id<SegmentId>, payload: Payload<Change>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let change = Arc::new(payload.value);
    if change.add.len() + change.remove.len() > segments::MEMBERS_AT_ONCE {
        return Err(Problem::invalid("/add", format!("at most {} contacts at once", segments::MEMBERS_AT_ONCE)));
    }
    write(&app, &caller, key, move |tx, who| {
        let change = Arc::clone(&change);
        Box::pin(async move {
            let segment = segments::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("segment", id))?;
            let entered = segments::add(tx, who.organisation, &who.actor(), &segment, &change.add).await?;
            let left = segments::remove(tx, who.organisation, &who.actor(), &segment, &change.remove).await?;
            Ok(Answer::ok(serde_json::json!({ "entered": entered, "left": left })))
        })
    })
    .await
}
