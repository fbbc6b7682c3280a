//! Companies.

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
    CompanyId,
    companies::{self, Company, CompanyChange, CompanyFilter, CompanyPatch},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_companies, upsert_company)).routes(routes!(get_company, update_company, delete_company))
}

/// Which companies.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// A part of the name or domain.
    q: Option<String>,
    /// A domain.
    domain: Option<String>,
    /// Cared for by this user, by id.
    #[param(value_type = Option<String>)]
    owner: Option<UserId>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A company to be made, or found again by domain or name and completed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = NewCompany, example = json!({ "name": "Acme", "domain": "acme.example", "fields": { "size": 40 } }))]
struct New {
    name: Option<String>,
    /// A domain or web address.
    domain: Option<String>,
    phone: Option<String>,
    address: Option<String>,
    /// A user, by id or e-mail.
    owner: Option<String>,
    /// The organisation's own fields.
    #[schema(value_type = Object)]
    fields: Object,
}
impl Body for New {}

/// What changes; what is left out stays, `null` or an empty text clears.
#[expect(clippy::option_option, reason = "absent leaves it, null clears it")]
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = CompanyChange, example = json!({ "phone": null, "fields": { "size": 50 } }))]
struct Patch {
    name: Option<String>,
    /// A domain or web address.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    domain: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    phone: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    address: Option<Option<String>>,
    /// A user, by id or e-mail.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    owner: Option<Option<String>>,
    /// Merged by key; `null` removes a field.
    #[schema(value_type = Option<Object>)]
    fields: Option<Object>,
}
impl Body for Patch {}

/// Lists companies, newest first.
#[utoipa::path(get, path = "/companies", tag = "Companies", params(Filter), responses((status = 200, body = shapes::Page<shapes::Company>)))]
async fn list_companies(State(app): State<App>, caller: Caller, Params(filter): Params<Filter>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let page = Page::read("companies", filter.limit, filter.cursor.as_deref())?;
    let domain = filter.domain.map(|text| companies::domain(&text).ok().flatten().unwrap_or(text));
    let wanted = CompanyFilter { q: filter.q, domain, owner: filter.owner };
    let found = companies::list(&mut app.reader(), caller.organisation, &wanted, page.after.map(CompanyId), page.ask()).await?;
    Ok(Answer::ok(page.render(found, |company| company.id.0, Company::to_value)))
}

/// Makes a company, or completes the one that has this domain, or else name, already.
///
/// 201 when it is new, 200 when it was known. Several candidates are a conflict that names them.
#[utoipa::path(post, path = "/companies", tag = "Companies", request_body = New, responses(
    (status = 201, body = shapes::Company, description = "made"),
    (status = 200, body = shapes::Company, description = "known already, and completed"),
))]
async fn upsert_company(State(app): State<App>, caller: Caller, once: Once, payload: Payload<New>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let body = payload.value;
    let change =
        CompanyChange { id: None, name: body.name, domain: body.domain, phone: body.phone, address: body.address, owner: body.owner, fields: body.fields };
    write(&app, &caller, key, move |tx, who| {
        let change = change.clone();
        Box::pin(async move {
            let done = companies::upsert(tx, who.organisation, &who.actor(), change).await?;
            let shape = done.company.to_value();
            let answer = if done.created { Answer::created(shape, format!("/api/v1/companies/{}", done.company.id)) } else { Answer::ok(shape) };
            Ok(answer.tagged())
        })
    })
    .await
}

/// Gives a company.
#[utoipa::path(get, path = "/companies/{id}", tag = "Companies", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Company)))]
async fn get_company(State(app): State<App>, caller: Caller, Id(id): Id<CompanyId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let company = companies::get(&mut app.reader(), caller.organisation, id).await?.ok_or_else(|| Problem::not_found("company", id))?;
    Ok(Answer::ok(company.to_value()).tagged())
}

/// Changes a company. `If-Match` refuses it when somebody else changed it meanwhile.
#[utoipa::path(patch, path = "/companies/{id}", tag = "Companies", request_body = Patch,
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 200, body = shapes::Company)))]
async fn update_company(State(app): State<App>, caller: Caller, Id(id): Id<CompanyId>, seen: IfMatch, payload: Payload<Patch>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let body = payload.value;
    let patch = CompanyPatch {
        name: body.name,
        domain: body.domain.map(Option::unwrap_or_default),
        phone: body.phone.map(Option::unwrap_or_default),
        address: body.address.map(Option::unwrap_or_default),
        owner: body.owner.map(Option::unwrap_or_default),
        fields: body.fields,
    };
    write(&app, &caller, None, move |tx, who| {
        let (patch, seen) = (patch.clone(), seen.clone());
        Box::pin(async move {
            let present = companies::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("company", id))?;
            seen.check(&present.to_value())?;
            Ok(Answer::ok(companies::update(tx, who.organisation, &who.actor(), id, patch).await?.company.to_value()).tagged())
        })
    })
    .await
}

/// Removes a company. Its contacts and deals stay, without it.
#[utoipa::path(delete, path = "/companies/{id}", tag = "Companies",
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 204)))]
async fn delete_company(State(app): State<App>, caller: Caller, Id(id): Id<CompanyId>, seen: IfMatch) -> Result<Answer, Problem> {
    caller.may(Action::DeleteRecords)?;
    write(&app, &caller, None, move |tx, who| {
        let seen = seen.clone();
        Box::pin(async move {
            let present = companies::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("company", id))?;
            seen.check(&present.to_value())?;
            companies::delete(tx, who.organisation, &who.actor(), id).await?;
            Ok(Answer::empty())
        })
    })
    .await
}
