//! Drafts: messages that wait for a person to send them.

use crate::{
    Answer, App, Caller, Once, Problem,
    request::{Body, Id, IfMatch, Payload, page},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::Action;
use onward_core::{Object, Value};
use onward_messaging::{
    ConversationId, MessageId, conversations,
    drafts::{self, Draft},
    workflow,
};
use onward_runtime::StartRequest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_drafts, create_draft))
        .routes(routes!(get_message_draft, update_message_draft, discard_message_draft))
        .routes(routes!(send_draft))
}

/// What a draft says, whole: a text, or a template.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DraftContent, example = json!({ "text": "Shall we talk on Monday?" }))]
struct Content {
    /// Free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The name of an approved template.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    /// The template's values.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<Value>,
    /// The template's header.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<Value>,
    /// What the template's buttons carry, in their order.
    #[schema(value_type = Option<Vec<Object>>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    button_params: Option<Value>,
    /// Up to three choices: `[{ "id", "title" }]`.
    #[schema(value_type = Option<Vec<Object>>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    buttons: Option<Value>,
    /// The template's language.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// `marketing`, `utility` …
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    /// The provider's id of the message that this one answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
}
impl Body for Content {}

impl Content {
    fn into_object(self) -> Object {
        match serde_json::to_value(self) {
            Ok(Value::Object(content)) => content,
            _ => Object::new(),
        }
    }
}

/// Lists the drafts of a conversation, newest first.
#[utoipa::path(get, path = "/conversations/{id}/drafts", tag = "Conversations", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Page<shapes::MessageDraft>)))]
async fn list_drafts(State(app): State<App>, caller: Caller, Id(id): Id<ConversationId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let mut reader = app.reader();
    conversations::get(&mut reader, caller.organisation, id).await?.ok_or_else(|| Problem::not_found("conversation", id))?;
    let found = drafts::of_conversation(&mut reader, caller.organisation, id).await?;
    Ok(Answer::ok(page::envelope(found.iter().map(Draft::to_value).collect(), None)))
}

/// Writes a draft.
#[utoipa::path(post, path = "/conversations/{id}/drafts", tag = "Conversations", request_body = Content, params(("id" = String, Path, format = "uuid")), responses((status = 201, body = shapes::MessageDraft)))]
async fn create_draft(State(app): State<App>, caller: Caller, once: Once, Id(id): Id<ConversationId>, payload: Payload<Content>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let content = payload.value.into_object();
    write(&app, &caller, key, move |tx, who| {
        let content = content.clone();
        Box::pin(async move {
            let draft = drafts::create(tx, who.organisation, &who.actor(), id, content).await?;
            Ok(Answer::created(draft.to_value(), format!("/api/v1/drafts/{}", draft.id)).tagged())
        })
    })
    .await
}

/// Gives a draft.
#[utoipa::path(get, path = "/drafts/{id}", tag = "Conversations", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::MessageDraft)))]
async fn get_message_draft(State(app): State<App>, caller: Caller, Id(id): Id<MessageId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let draft = drafts::get(&mut app.reader(), caller.organisation, id).await?.ok_or_else(|| Problem::not_found("draft", id))?;
    Ok(Answer::ok(draft.to_value()).tagged())
}

/// Replaces what a draft says. `If-Match` refuses it when somebody else changed it meanwhile.
#[utoipa::path(put, path = "/drafts/{id}", tag = "Conversations", request_body = Content,
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 200, body = shapes::MessageDraft)))]
async fn update_message_draft(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<MessageId>,
    seen: IfMatch,
    payload: Payload<Content>,
) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let content = payload.value.into_object();
    write(&app, &caller, None, move |tx, who| {
        let (content, seen) = (content.clone(), seen.clone());
        Box::pin(async move {
            let present = drafts::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("draft", id))?;
            seen.check(&present.to_value())?;
            Ok(Answer::ok(drafts::update(tx, who.organisation, id, content).await?.to_value()).tagged())
        })
    })
    .await
}

/// Throws a draft away.
#[utoipa::path(delete, path = "/drafts/{id}", tag = "Conversations", params(("id" = String, Path, format = "uuid")), responses((status = 204)))]
async fn discard_message_draft(State(app): State<App>, caller: Caller, Id(id): Id<MessageId>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move {
            drafts::discard(tx, who.organisation, &who.actor(), id).await?;
            Ok(Answer::empty())
        })
    })
    .await
}

/// Sends a draft: starts a run of the built-in workflow `send-message`, whose outcome tells what became of it.
///
/// Sent twice, by two people say, it leaves once: the second run fails with `conflict`. What the policy does not let leave
/// fails the run and leaves the draft.
#[utoipa::path(post, path = "/drafts/{id}/send", tag = "Conversations", params(("id" = String, Path, format = "uuid")), responses((status = 202, body = shapes::StartedRun)))]
async fn send_draft(State(app): State<App>, caller: Caller, once: Once, Id(id): Id<MessageId>) -> Result<Answer, Problem> {
    caller.may(Action::WriteRecords)?;
    let key = once.bind(&app, &caller, b"")?;
    let mut reader = app.reader();
    let draft = drafts::get(&mut reader, caller.organisation, id).await?.ok_or_else(|| Problem::not_found("draft", id))?;
    let conversation = conversations::get(&mut reader, caller.organisation, draft.conversation_id).await?;
    let conversation = conversation.ok_or_else(|| Problem::not_found("conversation", draft.conversation_id))?;
    super::conversations::ensure_built_in(&app, caller.organisation).await?;
    let mut input = draft.content.clone();
    for (name, value) in [
        ("draft", serde_json::json!(draft.id)),
        ("contact_id", serde_json::json!(conversation.contact_id)),
        ("conversation_id", serde_json::json!(conversation.id)),
        ("channel", serde_json::json!(conversation.channel)),
        ("connection", serde_json::json!(conversation.connection_id)),
        ("author", caller.actor().author().to_value()),
    ] {
        input.insert(name.to_owned(), value);
    }
    let request = StartRequest { organisation: caller.organisation, workflow: workflow::NAME.to_owned(), input: Value::Object(input), key: None };
    super::runs::start(&app, request, key).await
}
