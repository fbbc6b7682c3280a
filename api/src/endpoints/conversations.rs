//! Conversations and their messages.

use crate::{
    Answer, App, Caller, Once, Problem,
    request::{Body, Id, Page, Paging, Params, Payload},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::{Action, UserId};
use onward_core::{OrganisationId, Value};
use onward_messaging::{
    ConversationId, MessageId,
    conversations::{self, Assignee, Conversation, ConversationFilter, ConversationStatus},
    messages::{self, Message},
    workflow,
};
use onward_records::ContactId;
use onward_runtime::StartRequest;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_conversations))
        .routes(routes!(get_conversation))
        .routes(routes!(assign_conversation))
        .routes(routes!(close_conversation))
        .routes(routes!(tag_conversation))
        .routes(routes!(read_conversation))
        .routes(routes!(list_messages, send_message))
}

/// Which conversations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// `open` or `closed`.
    status: Option<String>,
    /// Assigned to this user, by id.
    #[param(value_type = Option<String>)]
    assigned_user: Option<UserId>,
    /// Assigned to this team.
    assigned_team: Option<String>,
    /// With this contact, by id.
    #[param(value_type = Option<String>)]
    contact: Option<ContactId>,
    /// With this tag.
    tag: Option<String>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists conversations, the newest first.
#[utoipa::path(get, path = "/conversations", tag = "Conversations", params(Filter), responses((status = 200, body = shapes::Page<shapes::Conversation>)))]
async fn list_conversations(State(app): State<App>, caller: Caller, Params(filter): Params<Filter>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let page = Page::read("conversations", filter.limit, filter.cursor.as_deref())?;
    let status = match filter.status.as_deref() {
        None => None,
        Some(text) => Some(ConversationStatus::parse(text).ok_or_else(|| Problem::bad_request("bad_query", "status is open or closed"))?),
    };
    let wanted =
        ConversationFilter { status, assigned_user: filter.assigned_user, assigned_team: filter.assigned_team, contact: filter.contact, tag: filter.tag };
    let found = conversations::list(&mut app.reader(), caller.organisation, &wanted, page.after.map(ConversationId), page.ask()).await?;
    Ok(Answer::ok(page.render(found, |conversation| conversation.id.0, Conversation::to_value)))
}

/// Gives a conversation.
#[utoipa::path(get, path = "/conversations/{id}", tag = "Conversations", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Conversation)))]
async fn get_conversation(State(app): State<App>, caller: Caller, Id(id): Id<ConversationId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    Ok(Answer::ok(found(&app, caller.organisation, id).await?.to_value()))
}

async fn found(app: &App, organisation: OrganisationId, id: ConversationId) -> Result<Conversation, Problem> {
    conversations::get(&mut app.reader(), organisation, id).await?.ok_or_else(|| Problem::not_found("conversation", id))
}

/// Who is to care for it: one of the two, or none to take it from everybody.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({ "team": "sales" }))]
struct Assignment {
    /// A user, by id or e-mail.
    user: Option<String>,
    /// A team, by name.
    team: Option<String>,
}
impl Body for Assignment {}

/// Gives a conversation to a user, a team or nobody.
#[utoipa::path(post, path = "/conversations/{id}/assign", tag = "Conversations", request_body = Assignment, params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Conversation)))]
async fn assign_conversation(
    State(app): State<App>,
    caller: Caller,
    once: Once,
    Id(id): Id<ConversationId>,
    payload: Payload<Assignment>,
) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let to = Arc::new(payload.value);
    write(&app, &caller, key, move |tx, who| {
        let to = Arc::clone(&to);
        Box::pin(async move {
            let assignee = match (&to.user, &to.team) {
                (Some(_), Some(_)) => return Err(Problem::invalid("/team", "name a user or a team, not both")),
                (Some(user), None) => Assignee::user(tx, who.organisation, user).await?,
                (None, Some(team)) => Assignee::team(team)?,
                (None, None) => Assignee::Nobody,
            };
            let conversation = conversations::assign(tx, who.organisation, &who.actor(), id, assignee).await?;
            Ok(Answer::ok(conversation.to_value()))
        })
    })
    .await
}

/// Closes a conversation. The contact's next message opens a new one.
#[utoipa::path(post, path = "/conversations/{id}/close", tag = "Conversations", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Conversation)))]
async fn close_conversation(State(app): State<App>, caller: Caller, Id(id): Id<ConversationId>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move { Ok(Answer::ok(conversations::close(tx, who.organisation, &who.actor(), id).await?.to_value())) })
    })
    .await
}

/// Which tags come and which go.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = TagsChange, example = json!({ "add": ["complaint"], "remove": ["new"] }))]
struct TagsChange {
    add: Vec<String>,
    /// Those not there are no error.
    remove: Vec<String>,
}
impl Body for TagsChange {}

/// Adds tags to a conversation and takes others away.
#[utoipa::path(post, path = "/conversations/{id}/tags", tag = "Conversations", request_body = TagsChange, params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Conversation)))]
async fn tag_conversation(
    State(app): State<App>,
    caller: Caller,
    once: Once,
    Id(id): Id<ConversationId>,
    payload: Payload<TagsChange>,
) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let change = Arc::new(payload.value);
    write(&app, &caller, key, move |tx, who| {
        let change = Arc::clone(&change);
        Box::pin(async move {
            let conversation = conversations::tag(tx, who.organisation, &who.actor(), id, &change.add, &change.remove).await?;
            Ok(Answer::ok(conversation.to_value()))
        })
    })
    .await
}

/// Notes that a person has read a conversation.
#[utoipa::path(post, path = "/conversations/{id}/read", tag = "Conversations", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Conversation)))]
async fn read_conversation(State(app): State<App>, caller: Caller, Id(id): Id<ConversationId>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move {
            conversations::mark_read(tx, who.organisation, id).await?;
            let conversation = conversations::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("conversation", id))?;
            Ok(Answer::ok(conversation.to_value()))
        })
    })
    .await
}

/// Lists the messages of a conversation, newest first.
#[utoipa::path(get, path = "/conversations/{id}/messages", tag = "Conversations", params(("id" = String, Path, format = "uuid"), Paging), responses((status = 200, body = shapes::Page<shapes::Message>)))]
async fn list_messages(State(app): State<App>, caller: Caller, Id(id): Id<ConversationId>, Params(paging): Params<Paging>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let page = Page::read("messages", paging.limit, paging.cursor.as_deref())?;
    found(&app, caller.organisation, id).await?;
    let messages = messages::page(&mut app.reader(), caller.organisation, id, page.after.map(MessageId), page.ask()).await?;
    Ok(Answer::ok(page.render(messages, |message| message.id.0, Message::to_value)))
}

/// A message to be sent: a text, or a template.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMessage, example = json!({ "text": "Your order is on its way." }))]
struct NewMessage {
    /// Free text; only while the provider's window is open.
    text: Option<String>,
    /// The name of an approved template.
    template: Option<String>,
    /// The template's values.
    #[schema(value_type = Option<Object>)]
    params: Option<Value>,
    /// Up to three choices: `[{ "id", "title" }]`.
    #[schema(value_type = Option<Vec<Object>>)]
    buttons: Option<Value>,
    /// The template's language.
    language: Option<String>,
    /// `marketing`, `utility` …; the template's own when left out.
    category: Option<String>,
    /// `fail` (when left out), `hold` or `skip`, when the messaging policy says no.
    if_denied: Option<String>,
    /// The provider's id of the message that this one answers.
    reply_to: Option<String>,
}
impl Body for NewMessage {}

/// Sends a message: starts a run of the built-in workflow `send-message`, whose outcome tells what became of it.
#[utoipa::path(post, path = "/conversations/{id}/messages", tag = "Conversations", request_body = NewMessage,
    params(("id" = String, Path, format = "uuid"), ("Idempotency-Key" = Option<String>, Header, description = "keeps a repeated request from sending twice, for 24 h")),
    responses((status = 202, body = shapes::StartedRun)))]
async fn send_message(State(app): State<App>, caller: Caller, once: Once, Id(id): Id<ConversationId>, payload: Payload<NewMessage>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let new = payload.value;
    if new.text.as_deref().is_none_or(|text| text.trim().is_empty()) && new.template.is_none() {
        return Err(Problem::invalid("/text", "a message needs a text or a template"));
    }
    let conversation = found(&app, caller.organisation, id).await?;
    ensure_built_in(&app, caller.organisation).await?;
    let input = serde_json::json!({
        "contact_id": conversation.contact_id, "conversation_id": conversation.id, "channel": conversation.channel,
        "connection": conversation.connection_id, "text": new.text, "template": new.template, "params": new.params, "buttons": new.buttons,
        "language": new.language, "category": new.category, "if_denied": new.if_denied, "reply_to": new.reply_to,
        "author": caller.actor().author().to_value(),
    });
    let request = StartRequest { organisation: caller.organisation, workflow: workflow::NAME.to_owned(), input, key: None };
    super::runs::start(&app, request, key).await
}

/// The built-in workflows are published where they are first needed, and again when this version of Onward has newer ones.
pub(super) async fn ensure_built_in(app: &App, organisation: OrganisationId) -> Result<(), Problem> {
    for (name, source) in workflow::BUILT_IN {
        let current = app.engine().current(organisation, name);
        if current.is_none_or(|current| *current.workflow.source != *source) {
            app.engine().publish(organisation, Some(name), source).await.map_err(Problem::internal)?;
        }
    }
    Ok(())
}
