//! Contacts and their timelines.

use crate::{
    Answer, App, Caller, Once, Problem,
    request::{Body, Id, IfMatch, Page, Paging, Params, Payload, body::given, etag},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::Action;
use onward_connectors::connection;
use onward_core::{ConnectionId, Object, Value};
use onward_records::{
    CompanyId, ContactChange, ContactId, ContactPatch, IdentityKey, TimelineId, addresses,
    contacts::{self, ContactFilter},
    timeline,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_contacts, upsert_contact))
        .routes(routes!(get_contact, update_contact, delete_contact))
        .routes(routes!(merge_contacts))
        .routes(routes!(list_timeline))
}

/// Which contacts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// A part of the name, or of an address.
    q: Option<String>,
    /// An e-mail address, in any case.
    email: Option<String>,
    /// A phone number with its country code.
    phone: Option<String>,
    /// A tag, exactly.
    tag: Option<String>,
    /// Working at this company, by id.
    #[param(value_type = Option<String>)]
    company: Option<CompanyId>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// An address on a channel account.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewIdentity {
    /// `whatsapp` …
    channel: String,
    /// The connection, by id.
    #[schema(value_type = String, format = Uuid)]
    connection_id: ConnectionId,
    /// The person's address there.
    external_id: String,
}

/// A contact to be made, or found again by identity, e-mail or phone and completed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = NewContact, example = json!({ "name": "Asha Rao", "phones": ["+919812345678"], "emails": ["asha@example.com"], "tags": ["lead"], "fields": { "plan": "pro" } }))]
struct NewContact {
    name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    /// One phone number; the same as `phones` with one item.
    phone: Option<String>,
    /// Phone numbers, the main one first; with country code, unless the organisation has a country.
    phones: Vec<String>,
    /// One e-mail address; the same as `emails` with one item.
    email: Option<String>,
    /// E-mail addresses, the main one first.
    emails: Vec<String>,
    tags: Vec<String>,
    /// Where they work.
    #[schema(value_type = Option<String>, format = Uuid)]
    company_id: Option<CompanyId>,
    /// The organisation's own fields.
    #[schema(value_type = Object)]
    fields: Object,
    identities: Vec<NewIdentity>,
    /// IANA name.
    timezone: Option<String>,
    /// BCP 47.
    language: Option<String>,
}
impl Body for NewContact {}

/// What changes; what is left out stays.
#[expect(clippy::option_option, reason = "absent leaves it, null forgets it: as in `ContactPatch`, which it becomes")]
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ContactChange, example = json!({ "first_name": "Asha", "fields": { "plan": null } }))]
struct Patch {
    name: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    /// All phone numbers, the main one first.
    phones: Option<Vec<String>>,
    /// All e-mail addresses, the main one first.
    emails: Option<Vec<String>>,
    /// All tags.
    tags: Option<Vec<String>>,
    /// Where they work; `null`: nowhere that we know.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = Uuid)]
    company_id: Option<Option<CompanyId>>,
    /// Merged by key; `null` removes a field.
    #[schema(value_type = Option<Object>)]
    fields: Option<Object>,
    /// IANA name; `null` forgets it.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    timezone: Option<Option<String>>,
    /// BCP 47; `null` forgets it.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    language: Option<Option<String>>,
    score: Option<i64>,
}
impl Body for Patch {}

/// Lists contacts, newest first.
#[utoipa::path(get, path = "/contacts", tag = "Contacts", params(Filter), responses((status = 200, body = shapes::Page<shapes::Contact>)))]
async fn list_contacts(State(app): State<App>, caller: Caller, Params(filter): Params<Filter>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let page = Page::read("contacts", filter.limit, filter.cursor.as_deref())?;
    let phone = filter.phone.map(|text| addresses::phone(&text, None).unwrap_or(text));
    let wanted = ContactFilter { q: filter.q, email: filter.email, phone, tag: filter.tag, company: filter.company };
    let found = contacts::list(&mut app.reader(), caller.organisation, &wanted, page.after.map(ContactId), page.ask()).await?;
    Ok(Answer::ok(page.render(found, |contact| contact.id.0, contacts::Contact::to_value)))
}

/// Makes a contact, or completes the one that has this identity, e-mail or phone already.
///
/// 201 when it is new, 200 when it was known. Several candidates are a conflict that names them.
#[utoipa::path(post, path = "/contacts", tag = "Contacts", request_body = NewContact, responses(
    (status = 201, body = shapes::Contact, description = "made"),
    (status = 200, body = shapes::Contact, description = "known already, and completed"),
))]
async fn upsert_contact(State(app): State<App>, caller: Caller, once: Once, payload: Payload<NewContact>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let change = payload.value.into_change();
    write(&app, &caller, key, move |tx, who| {
        let change = change.clone();
        Box::pin(async move {
            for (at, identity) in change.identities.iter().enumerate() {
                let known = connection::find(tx, who.organisation, &identity.connection_id.to_string()).await?;
                if known.is_none_or(|known| known.connector != identity.channel) {
                    return Err(Problem::invalid(
                        format!("/identities/{at}/connection_id"),
                        format!("there is no {} connection with this id", identity.channel),
                    ));
                }
            }
            let upserted = contacts::upsert(tx, who.organisation, &who.actor(), change).await?;
            let shape = upserted.contact.to_value();
            let answer = if upserted.created { Answer::created(shape, format!("/api/v1/contacts/{}", upserted.contact.id)) } else { Answer::ok(shape) };
            Ok(answer.tagged())
        })
    })
    .await
}

impl NewContact {
    fn into_change(self) -> ContactChange {
        let with_one = |one: Option<String>, mut all: Vec<String>| {
            if let Some(one) = one {
                all.insert(0, one);
            }
            all
        };
        ContactChange {
            id: None,
            identities: self
                .identities
                .into_iter()
                .map(|identity| IdentityKey { channel: identity.channel, connection_id: identity.connection_id, external_id: identity.external_id })
                .collect(),
            name: self.name,
            first_name: self.first_name,
            last_name: self.last_name,
            phones: with_one(self.phone, self.phones),
            emails: with_one(self.email, self.emails),
            tags: self.tags,
            company: self.company_id,
            fields: self.fields,
            timezone: self.timezone,
            language: self.language,
        }
    }
}

/// Gives a contact.
#[utoipa::path(get, path = "/contacts/{id}", tag = "Contacts", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Contact)))]
async fn get_contact(State(app): State<App>, caller: Caller, Id(id): Id<ContactId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let contact = contacts::get(&mut app.reader(), caller.organisation, id).await?.ok_or_else(|| Problem::not_found("contact", id))?;
    Ok(Answer::ok(contact.to_value()).tagged())
}

/// Changes a contact. `If-Match` refuses it when somebody else changed it meanwhile.
#[utoipa::path(patch, path = "/contacts/{id}", tag = "Contacts", request_body = Patch,
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 200, body = shapes::Contact)))]
async fn update_contact(State(app): State<App>, caller: Caller, Id(id): Id<ContactId>, seen: IfMatch, payload: Payload<Patch>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let body = payload.value;
    let patch = ContactPatch {
        name: body.name,
        first_name: body.first_name,
        last_name: body.last_name,
        phones: body.phones,
        emails: body.emails,
        tags: body.tags,
        company: body.company_id,
        fields: body.fields,
        timezone: body.timezone,
        language: body.language,
        score: body.score,
    };
    write(&app, &caller, None, move |tx, who| {
        let (patch, seen) = (patch.clone(), seen.clone());
        Box::pin(async move {
            let present = contacts::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("contact", id))?;
            seen.check(&present.to_value())?;
            let updated = contacts::update(tx, who.organisation, &who.actor(), id, patch).await?;
            Ok(Answer::ok(updated.contact.to_value()).tagged())
        })
    })
    .await
}

/// Erases a contact's data. Runs and messages keep pointing at an empty contact.
#[utoipa::path(delete, path = "/contacts/{id}", tag = "Contacts",
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 204)))]
async fn delete_contact(State(app): State<App>, caller: Caller, Id(id): Id<ContactId>, seen: IfMatch) -> Result<Answer, Problem> {
    caller.may(Action::DeleteRecords)?;
    write(&app, &caller, None, move |tx, who| {
        let seen = seen.clone();
        Box::pin(async move {
            let present = contacts::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("contact", id))?;
            seen.check_tag(&etag(&present.to_value()))?;
            contacts::delete(tx, who.organisation, &who.actor(), id).await?;
            onward_messaging::erase::erase_contact(tx, who.organisation, id).await?;
            Ok(Answer::empty())
        })
    })
    .await
}

/// The contact that goes up in another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Merge, example = json!({ "other_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2d" }))]
struct Merge {
    /// By id. From then on this id means the contact that stays.
    #[schema(value_type = String, format = Uuid)]
    other_id: ContactId,
}
impl Body for Merge {}

/// Merges another contact into this one, which stays.
///
/// It keeps what it has and gets what only the other one has; what was said, sold and noted with either belongs to it.
#[utoipa::path(post, path = "/contacts/{id}/merge", tag = "Contacts", request_body = Merge, params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Contact)))]
async fn merge_contacts(State(app): State<App>, caller: Caller, once: Once, Id(id): Id<ContactId>, payload: Payload<Merge>) -> Result<Answer, Problem> {
    caller.may(Action::DeleteRecords)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let other = payload.value.other_id;
    write(&app, &caller, key, move |tx, who| {
        Box::pin(async move {
            let merged = onward_messaging::merge::contacts(tx, who.organisation, &who.actor(), id, other).await?;
            Ok(Answer::ok(merged.to_value()).tagged())
        })
    })
    .await
}

/// Gives what happened to a contact, newest first.
#[utoipa::path(get, path = "/contacts/{id}/timeline", tag = "Contacts", params(("id" = String, Path, format = "uuid"), Paging),
    responses((status = 200, body = shapes::Page<shapes::TimelineItem>)))]
async fn list_timeline(State(app): State<App>, caller: Caller, Id(id): Id<ContactId>, Params(paging): Params<Paging>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let page = Page::read("timeline", paging.limit, paging.cursor.as_deref())?;
    let mut reader = app.reader();
    if !contacts::exists(&mut reader, caller.organisation, id).await? {
        return Err(Problem::not_found("contact", id));
    }
    let found = timeline::page(&mut reader, caller.organisation, id, page.after.map(TimelineId), page.ask()).await?;
    let shape = |item: &timeline::Item| -> Value { item.to_value() };
    Ok(Answer::ok(page.render(found, |item| item.id.0, shape)))
}
