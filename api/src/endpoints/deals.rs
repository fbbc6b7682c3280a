//! Deals.

use crate::{
    Answer, App, Caller, Once, Problem,
    request::{Body, Id, IfMatch, Page, Params, Payload, body::given},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::{Action, UserId};
use onward_core::Object;
use onward_records::{
    CompanyId, ContactId, DealId, PipelineId, StageId,
    deals::{self, Deal, DealFilter, DealPatch, DealStatus, NewDeal},
};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_deals, create_deal))
        .routes(routes!(get_deal, update_deal, delete_deal))
        .routes(routes!(move_deal))
        .routes(routes!(win_deal))
        .routes(routes!(lose_deal))
        .routes(routes!(reopen_deal))
}

/// Which deals.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// A part of the title.
    q: Option<String>,
    /// In this pipeline, by id.
    #[param(value_type = Option<String>)]
    pipeline: Option<PipelineId>,
    /// In this stage, by id.
    #[param(value_type = Option<String>)]
    stage: Option<StageId>,
    /// `open`, `won` or `lost`.
    status: Option<String>,
    /// With this contact, by id.
    #[param(value_type = Option<String>)]
    contact: Option<ContactId>,
    /// With this company, by id.
    #[param(value_type = Option<String>)]
    company: Option<CompanyId>,
    /// Cared for by this user, by id.
    #[param(value_type = Option<String>)]
    owner: Option<UserId>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A deal to be made.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = NewDeal, example = json!({ "title": "Website for Acme", "amount": 500_000, "currency": "EUR", "stage": "Qualified" }))]
struct New {
    /// By default the company's or contact's name.
    title: Option<String>,
    /// A pipeline by name or id; the default one when left out.
    pipeline: Option<String>,
    /// A stage by name or id; the first when left out.
    stage: Option<String>,
    /// In minor units of `currency`.
    amount: Option<i64>,
    /// ISO 4217.
    currency: Option<String>,
    /// Who may buy.
    #[schema(value_type = Option<String>, format = Uuid)]
    contact_id: Option<ContactId>,
    /// For which company; the contact's when left out.
    #[schema(value_type = Option<String>, format = Uuid)]
    company_id: Option<CompanyId>,
    /// A user, by id or e-mail.
    owner: Option<String>,
    /// A day.
    #[schema(format = Date)]
    expected_close: Option<String>,
    /// The organisation's own fields.
    #[schema(value_type = Object)]
    fields: Object,
}
impl Body for New {}

/// What changes; what is left out stays, `null` clears.
#[expect(clippy::option_option, reason = "absent leaves it, null clears it")]
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = DealChange, example = json!({ "amount": 750_000, "currency": "EUR" }))]
struct Patch {
    title: Option<String>,
    /// In minor units of `currency`.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    amount: Option<Option<i64>>,
    /// ISO 4217.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    currency: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = Uuid)]
    contact_id: Option<Option<ContactId>>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = Uuid)]
    company_id: Option<Option<CompanyId>>,
    /// A user, by id or e-mail.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    owner: Option<Option<String>>,
    /// A day.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = Date)]
    expected_close: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    lost_reason: Option<Option<String>>,
    /// Merged by key; `null` removes a field.
    #[schema(value_type = Option<Object>)]
    fields: Option<Object>,
}
impl Body for Patch {}

/// Where a deal goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DealMove, example = json!({ "stage": "Proposal" }))]
struct Move {
    /// A stage by name or id.
    stage: String,
    /// A pipeline by name or id; the deal's own when left out.
    #[serde(default)]
    pipeline: Option<String>,
}
impl Body for Move {}

/// Why a deal was lost.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = LostDeal, example = json!({ "reason": "no budget" }))]
struct Lost {
    reason: Option<String>,
}
impl Body for Lost {
    const OPTIONAL: bool = true;
}

/// Lists deals, newest first.
#[utoipa::path(get, path = "/deals", tag = "Deals", params(Filter), responses((status = 200, body = shapes::Page<shapes::Deal>)))]
async fn list_deals(State(app): State<App>, caller: Caller, Params(filter): Params<Filter>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let page = Page::read("deals", filter.limit, filter.cursor.as_deref())?;
    let status = match filter.status.as_deref() {
        None => None,
        Some(text) => Some(DealStatus::parse(text).ok_or_else(|| Problem::bad_request("bad_query", "status is open, won or lost"))?),
    };
    let wanted = DealFilter {
        q: filter.q,
        pipeline: filter.pipeline,
        stage: filter.stage,
        status,
        contact: filter.contact,
        company: filter.company,
        owner: filter.owner,
    };
    let found = deals::list(&mut app.reader(), caller.organisation, &wanted, page.after.map(DealId), page.ask()).await?;
    Ok(Answer::ok(page.render(found, |deal| deal.id.0, Deal::to_value)))
}

/// Makes a deal.
#[utoipa::path(post, path = "/deals", tag = "Deals", request_body = New, responses((status = 201, body = shapes::Deal)))]
async fn create_deal(State(app): State<App>, caller: Caller, once: Once, payload: Payload<New>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let body = payload.value;
    let new = NewDeal {
        title: body.title,
        pipeline: body.pipeline,
        stage: body.stage,
        amount: body.amount,
        currency: body.currency,
        contact: body.contact_id,
        company: body.company_id,
        owner: body.owner,
        expected_close: body.expected_close,
        fields: body.fields,
    };
    write(&app, &caller, key, move |tx, who| {
        let new = new.clone();
        Box::pin(async move {
            let deal = deals::create(tx, who.organisation, &who.actor(), new).await?;
            Ok(Answer::created(deal.to_value(), format!("/api/v1/deals/{}", deal.id)).tagged())
        })
    })
    .await
}

/// Gives a deal.
#[utoipa::path(get, path = "/deals/{id}", tag = "Deals", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Deal)))]
async fn get_deal(State(app): State<App>, caller: Caller, Id(id): Id<DealId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let deal = deals::get(&mut app.reader(), caller.organisation, id).await?.ok_or_else(|| Problem::not_found("deal", id))?;
    Ok(Answer::ok(deal.to_value()).tagged())
}

/// Changes a deal. `If-Match` refuses it when somebody else changed it meanwhile.
#[utoipa::path(patch, path = "/deals/{id}", tag = "Deals", request_body = Patch,
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 200, body = shapes::Deal)))]
async fn update_deal(State(app): State<App>, caller: Caller, Id(id): Id<DealId>, seen: IfMatch, payload: Payload<Patch>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let body = payload.value;
    let patch = DealPatch {
        title: body.title,
        amount: body.amount,
        currency: body.currency.map(Option::unwrap_or_default),
        contact: body.contact_id,
        company: body.company_id,
        owner: body.owner.map(Option::unwrap_or_default),
        expected_close: body.expected_close.map(Option::unwrap_or_default),
        lost_reason: body.lost_reason.map(Option::unwrap_or_default),
        fields: body.fields,
    };
    write(&app, &caller, None, move |tx, who| {
        let (patch, seen) = (patch.clone(), seen.clone());
        Box::pin(async move {
            let present = deals::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("deal", id))?;
            seen.check(&present.to_value())?;
            Ok(Answer::ok(deals::update(tx, who.organisation, &who.actor(), id, patch).await?.to_value()).tagged())
        })
    })
    .await
}

/// Removes a deal.
#[utoipa::path(delete, path = "/deals/{id}", tag = "Deals",
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 204)))]
async fn delete_deal(State(app): State<App>, caller: Caller, Id(id): Id<DealId>, seen: IfMatch) -> Result<Answer, Problem> {
    caller.may(Action::DeleteRecords)?;
    write(&app, &caller, None, move |tx, who| {
        let seen = seen.clone();
        Box::pin(async move {
            let present = deals::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("deal", id))?;
            seen.check(&present.to_value())?;
            deals::delete(tx, who.organisation, &who.actor(), id).await?;
            Ok(Answer::empty())
        })
    })
    .await
}

/// Moves an open deal to another stage.
#[utoipa::path(patch, path = "/deals/{id}/stage", tag = "Deals", request_body = Move,
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 200, body = shapes::Deal)))]
async fn move_deal(State(app): State<App>, caller: Caller, Id(id): Id<DealId>, seen: IfMatch, payload: Payload<Move>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let to = Arc::new(payload.value);
    write(&app, &caller, None, move |tx, who| {
        let (to, seen) = (Arc::clone(&to), seen.clone());
        Box::pin(async move {
            let present = deals::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("deal", id))?;
            seen.check(&present.to_value())?;
            let deal = deals::move_to(tx, who.organisation, &who.actor(), id, to.pipeline.as_deref(), &to.stage).await?;
            Ok(Answer::ok(deal.to_value()).tagged())
        })
    })
    .await
}

/// Closes a deal as won.
#[utoipa::path(post, path = "/deals/{id}/win", tag = "Deals", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Deal)))]
async fn win_deal(State(app): State<App>, caller: Caller, Id(id): Id<DealId>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move { Ok(Answer::ok(deals::close(tx, who.organisation, &who.actor(), id, true, None).await?.to_value()).tagged()) })
    })
    .await
}

/// Closes a deal as lost.
#[utoipa::path(post, path = "/deals/{id}/lose", tag = "Deals", request_body = Lost, params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Deal)))]
async fn lose_deal(State(app): State<App>, caller: Caller, Id(id): Id<DealId>, payload: Payload<Lost>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let lost = Arc::new(payload.value);
    write(&app, &caller, None, move |tx, who| {
        let lost = Arc::clone(&lost);
        Box::pin(async move {
            let deal = deals::close(tx, who.organisation, &who.actor(), id, false, lost.reason.as_deref()).await?;
            Ok(Answer::ok(deal.to_value()).tagged())
        })
    })
    .await
}

/// Opens a closed deal again.
#[utoipa::path(post, path = "/deals/{id}/reopen", tag = "Deals", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Deal)))]
async fn reopen_deal(State(app): State<App>, caller: Caller, Id(id): Id<DealId>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move { Ok(Answer::ok(deals::reopen(tx, who.organisation, &who.actor(), id).await?.to_value()).tagged()) })
    })
    .await
}
