//! API tokens.

use crate::{
    Answer, App, Caller, Problem,
    request::{Body, Id, Payload},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::{Action, Role, TokenId, tokens};
use onward_core::Value;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_tokens, create_token)).routes(routes!(revoke_token))
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "warehouse", "role": "agent" }))]
struct NewToken {
    /// What it is for; unique among the tokens that are not revoked.
    name: String,
    /// What it may do; `agent` when left out.
    #[serde(default = "agent")]
    #[schema(value_type = String, example = "agent")]
    role: Role,
}
impl Body for NewToken {}

fn agent() -> Role {
    Role::Agent
}

/// Lists the API tokens, newest first; never their secrets.
#[utoipa::path(get, path = "/tokens", tag = "Accounts", responses((status = 200, body = shapes::Page<shapes::Token>)))]
async fn list_tokens(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    let found = tokens::list(&mut app.reader(), caller.organisation).await?;
    Ok(Answer::ok(crate::request::page::envelope(found.iter().map(tokens::ApiToken::to_value).collect(), None)))
}

/// Makes an API token. The answer is the only place where its text ever stands, so it is kept under no `Idempotency-Key`;
/// the name, which is unique, keeps a repeated request from making two.
#[utoipa::path(post, path = "/tokens", tag = "Accounts", request_body = NewToken, responses((status = 201, body = shapes::NewlyMadeToken)))]
async fn create_token(State(app): State<App>, caller: Caller, payload: Payload<NewToken>) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    let NewToken { name, role } = payload.value;
    let source = app.clone();
    write(&app, &caller, None, move |tx, who| {
        let (name, app) = (name.clone(), source.clone());
        Box::pin(async move {
            let (token, text) = tokens::create(tx, who.organisation, &who.actor(), &name, role, &*app.parts.secrets).await?;
            let mut shape = token.to_value();
            if let Some(object) = shape.as_object_mut() {
                object.insert("token".into(), Value::from(text));
            }
            Ok(Answer::created(shape, format!("/api/v1/tokens/{}", token.id)))
        })
    })
    .await
}

/// Ends an API token at once.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "Accounts", params(("id" = String, Path, format = "uuid")), responses((status = 204)))]
async fn revoke_token(State(app): State<App>, caller: Caller, Id(id): Id<TokenId>) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    write(&app, &caller, None, move |tx, who| {
        Box::pin(async move {
            tokens::revoke(tx, who.organisation, &who.actor(), id).await?;
            Ok(Answer::empty())
        })
    })
    .await
}
