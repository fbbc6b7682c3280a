//! Events in, and what became of them.

use crate::{
    Answer, App, Caller, Once, Problem,
    problem::FieldError,
    request::{Id, Page, Params, body},
    shapes,
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use onward_accounts::Action;
use onward_core::{EventId, NewEvent, Object, OrganisationId, Value, limits};
use onward_store::queries::{self, NotedEvent};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_events, ingest_events)).routes(routes!(get_event))
}

/// Who says so, when the sender does not.
const SOURCE: &str = "api";
/// Bytes of one request: ten events of the usual size at the most, or one of the largest.
const BODY_BYTES: usize = limits::EVENT_BYTES_MAX;
/// Bytes of a type, source, id or subject: they are keys of tables.
const NAME_BYTES: usize = 512;

/// An event in its short form.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewEvent, example = json!({ "type": "lead.captured", "source": "landing-page", "id": "form-4711", "data": { "source": "whatsapp", "phone": "+919812345678", "name": "Asha" } }))]
struct Short {
    /// `[a-z0-9_.-]+`.
    r#type: String,
    /// Who says so; `api` when left out.
    source: Option<String>,
    /// The sender's id: with the source it makes the event take effect at most once within 90 days.
    id: Option<String>,
    /// What it is about.
    subject: Option<String>,
    /// When it happened, RFC 3339; now when left out.
    #[schema(format = DateTime)]
    time: Option<String>,
    /// The facts.
    #[serde(default = "no_facts")]
    data: Value,
}

fn no_facts() -> Value {
    Value::Object(Object::new())
}

/// A `CloudEvents` 1.0 envelope; attributes that we do not know are ignored, as its specification asks.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({ "specversion": "1.0", "type": "lead.captured", "source": "/landing-page", "id": "form-4711", "data": { "phone": "+919812345678" } }))]
struct CloudEvent {
    /// `1.0`.
    specversion: String,
    /// `[a-z0-9_.-]+`.
    r#type: String,
    /// Who says so.
    source: String,
    /// The sender's id.
    id: String,
    /// What it is about.
    subject: Option<String>,
    /// When it happened, RFC 3339.
    #[schema(format = DateTime)]
    time: Option<String>,
    /// The facts.
    #[serde(default = "no_facts")]
    data: Value,
    /// Not supported: send `data`.
    #[schema(ignore)]
    data_base64: Option<Value>,
}

/// Takes events in: one, an array of up to 1,000, a `CloudEvents` envelope, a batch of them, or one in `ce-` headers.
///
/// 202 after they are stored and routed in one transaction, all or none. An event that is known already is a duplicate: it
/// answers with the first one's id and runs, and takes no effect again.
#[utoipa::path(post, path = "/events", tag = "Events",
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeated request give the first one's answer, for 24 h")),
    request_body(content(
        (Short = "application/json"),
        (CloudEvent = "application/cloudevents+json"),
        (Vec<CloudEvent> = "application/cloudevents-batch+json"),
    )),
    responses((status = 202, body = shapes::IngestedList)))]
async fn ingest_events(State(app): State<App>, caller: Caller, once: Once, request: Request) -> Result<Answer, Problem> {
    caller.may(Action::StartRuns)?;
    if let Some(overload) = app.engine().overloaded() {
        return Err(Problem::overloaded(overload));
    }
    let (parts, body) = request.into_parts();
    let bytes = body::read(&app, &parts.headers, body, BODY_BYTES).await?;
    let key = once.bind(&app, &caller, &bytes)?;
    let events = read(&parts.headers, &bytes, caller.organisation)?;
    match key {
        None => {
            let ingested = app.engine().ingest(events).await?;
            Ok(Answer::accepted(serde_json::json!({ "items": ingested })))
        }
        Some(key) => {
            let (guard, kept) = key.guard(|ingested| Answer::accepted(serde_json::json!({ "items": ingested })));
            let done = app.engine().ingest_guarded(events, Some(guard)).await;
            kept.answer(done.map(|ingested| Answer::accepted(serde_json::json!({ "items": ingested }))))
        }
    }
}

/// The forms in which events are handed in.
enum Form {
    /// One envelope.
    Structured,
    /// An array of envelopes.
    Batched,
    /// Attributes in headers, facts in the body.
    Binary,
    /// Our short form, or envelopes, one or an array.
    Plain,
}

fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("application/json");
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/cloudevents+json" => Ok(Form::Structured),
        "application/cloudevents-batch+json" => Ok(Form::Batched),
        _ if headers.contains_key("ce-specversion") || headers.contains_key("ce-type") => Ok(Form::Binary),
        _ if body::is_json(kind.as_bytes()) => Ok(Form::Plain),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "send application/json, application/cloudevents+json or application/cloudevents-batch+json",
        )),
    }
}

/// The events of a request; every mistake at once, each with its place (`/3/type`).
fn read(headers: &HeaderMap, bytes: &Bytes, organisation: OrganisationId) -> Result<Vec<NewEvent>, Problem> {
    let form = form(headers)?;
    if matches!(form, Form::Binary) {
        let event = from_headers(headers, bytes)?;
        return check("", event, organisation).map(|event| vec![event]).map_err(Problem::invalid_input);
    }
    let value = body::parse(bytes)?;
    let items = match (form, value) {
        (Form::Batched | Form::Plain, Value::Array(items)) => items,
        (Form::Batched, _) => return Err(Problem::invalid("", "a batch is an array of events")),
        (_, one) => return one_event("", one, organisation).map(|event| vec![event]).map_err(Problem::invalid_input),
    };
    if items.is_empty() || items.len() > limits::EVENTS_PER_REQUEST {
        return Err(Problem::invalid("", format!("a request holds 1 to {} events, this one {}", limits::EVENTS_PER_REQUEST, items.len())));
    }
    let mut events = Vec::with_capacity(items.len());
    let mut errors = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        match one_event(&format!("/{at}"), item, organisation) {
            Ok(event) => events.push(event),
            Err(mistakes) => errors.extend(mistakes),
        }
    }
    if errors.is_empty() { Ok(events) } else { Err(Problem::invalid_input(errors)) }
}

fn one_event(place: &str, value: Value, organisation: OrganisationId) -> Result<NewEvent, Vec<FieldError>> {
    if value.get("specversion").is_some() {
        let event: CloudEvent = body::at(place, value).map_err(|error| vec![error])?;
        let mut errors = Vec::new();
        if event.specversion != "1.0" {
            errors.push(mistake(place, "specversion", format!("`{}` is not supported; send 1.0", shortened(&event.specversion))));
        }
        if event.data_base64.is_some() {
            errors.push(mistake(place, "data_base64", "is not supported; send data"));
        }
        let short = Short { r#type: event.r#type, source: Some(event.source), id: Some(event.id), subject: event.subject, time: event.time, data: event.data };
        let checked = check(place, short, organisation);
        return match (checked, errors.is_empty()) {
            (Ok(event), true) => Ok(event),
            (Ok(_), false) => Err(errors),
            (Err(more), _) => Err(errors.into_iter().chain(more).collect()),
        };
    }
    check(place, body::at(place, value).map_err(|error| vec![error])?, organisation)
}

fn from_headers(headers: &HeaderMap, bytes: &Bytes) -> Result<Short, Problem> {
    let text = |name: &str| -> Result<Option<String>, Problem> {
        let Some(value) = headers.get(name) else { return Ok(None) };
        let text = value.to_str().map_err(|_| Problem::bad_request("bad_header", format!("{name} is not ASCII")))?;
        Ok(Some(percent_decoded(text)))
    };
    let needed = |name: &str| text(name)?.ok_or_else(|| Problem::bad_request("bad_header", format!("{name} is missing")));
    if needed("ce-specversion")? != "1.0" {
        return Err(Problem::bad_request("bad_header", "ce-specversion must be 1.0"));
    }
    let json = headers.get(header::CONTENT_TYPE).is_none_or(|kind| body::is_json(kind.as_bytes()));
    let data = match (bytes.is_empty(), json) {
        (true, _) => no_facts(),
        (false, true) => body::parse(bytes)?,
        (false, false) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::from(text),
            Err(_) => return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "the facts of an event are JSON or text")),
        },
    };
    Ok(Short {
        r#type: needed("ce-type")?,
        source: Some(needed("ce-source")?),
        id: Some(needed("ce-id")?),
        subject: text("ce-subject")?,
        time: text("ce-time")?,
        data,
    })
}

/// Header values of `CloudEvents` are percent-encoded where they are not printable ASCII.
fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn check(place: &str, event: Short, organisation: OrganisationId) -> Result<NewEvent, Vec<FieldError>> {
    let mut errors = Vec::new();
    let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'-');
    if event.r#type.is_empty() || event.r#type.len() > NAME_BYTES || !event.r#type.bytes().all(right) {
        errors.push(mistake(place, "type", format!("`{}` is no event type; use lower-case letters, digits, `.`, `_` and `-`", shortened(&event.r#type))));
    }
    for (name, text) in [("source", &event.source), ("id", &event.id), ("subject", &event.subject)] {
        if text.as_ref().is_some_and(|text| text.is_empty() || text.len() > NAME_BYTES) {
            errors.push(mistake(place, name, format!("has 1 to {NAME_BYTES} bytes; leave it out when there is none")));
        }
    }
    let time = event.time.as_deref().map(str::parse);
    if let Some(Err(_)) = time {
        errors.push(mistake(place, "time", "is no RFC 3339 time; write one such as 2026-11-20T09:30:00Z"));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut new = NewEvent::new(organisation, event.r#type, event.source.unwrap_or_else(|| SOURCE.to_owned()), event.data);
    new.id = event.id;
    new.subject = event.subject;
    new.time = time.and_then(Result::ok);
    Ok(new)
}

fn mistake(place: &str, name: &str, detail: impl Into<String>) -> FieldError {
    FieldError { pointer: format!("{place}/{name}"), detail: detail.into() }
}

fn shortened(text: &str) -> String {
    crate::request::params::shortened(text)
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of this type.
    r#type: Option<String>,
    /// From this source.
    source: Option<String>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists events, newest first: whole envelopes, with what routing noted.
#[utoipa::path(get, path = "/events", tag = "Events", params(Filter), responses((status = 200, body = shapes::Page<shapes::Event>)))]
async fn list_events(State(app): State<App>, caller: Caller, Params(filter): Params<Filter>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let page = Page::read("events", filter.limit, filter.cursor.as_deref())?;
    let wanted = queries::EventFilter { kind: filter.r#type, source: filter.source };
    let found = queries::list_events(&mut app.reader(), caller.organisation, &wanted, page.ask() as usize, page.after.map(EventId)).await?;
    Ok(Answer::ok(page.render(found, |noted| noted.event.event_id.0, shape)))
}

/// Gives an event with what routing noted: the runs it started and reached, and the triggers that refused it or failed.
#[utoipa::path(get, path = "/events/{id}", tag = "Events", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Event)))]
async fn get_event(State(app): State<App>, caller: Caller, Id(id): Id<EventId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let found = queries::event(&mut app.reader(), caller.organisation, id).await?.ok_or_else(|| Problem::not_found("event", id))?;
    Ok(Answer::ok(shape(&found)))
}

/// The envelope, our own id and time of intake, and what routing noted.
fn shape(noted: &NotedEvent) -> Value {
    let mut envelope = noted.event.envelope();
    if let Some(object) = envelope.as_object_mut() {
        object.insert("event_id".into(), noted.event.event_id.to_string().into());
        object.insert("taken_in_at".into(), noted.event.taken_in_at.to_string().into());
        object.insert("routing".into(), serde_json::to_value(&noted.notes).unwrap_or_default());
    }
    envelope
}
