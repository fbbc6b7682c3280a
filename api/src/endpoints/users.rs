//! Users of the organisation.

use crate::{
    Answer, App, Caller, Problem, passwords,
    request::{Body, Id, Payload, page},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::{
    Action, Role, UserId,
    users::{self, NewUser, User},
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_users, create_user)).routes(routes!(get_user, update_user))
}

/// A user to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser, example = json!({ "email": "meera@example.com", "name": "Meera", "password": "correct horse battery", "role": "agent" }))]
struct New {
    /// Unique in the organisation, in any case.
    email: String,
    /// As people call them; made of the e-mail when left out.
    #[serde(default)]
    name: String,
    /// At least 8 characters.
    #[schema(format = Password)]
    password: String,
    /// What they may do; `agent` when left out.
    #[serde(default = "agent")]
    #[schema(value_type = String, example = "agent")]
    role: Role,
}
impl Body for New {}

fn agent() -> Role {
    Role::Agent
}

/// What changes; what is left out stays.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = UserChange, example = json!({ "role": "admin" }))]
struct Patch {
    name: Option<String>,
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// `false` ends every session of theirs.
    active: Option<bool>,
    /// A new password ends every session of theirs.
    #[schema(format = Password)]
    password: Option<String>,
}
impl Body for Patch {}

/// Lists the users, by e-mail.
#[utoipa::path(get, path = "/users", tag = "Accounts", responses((status = 200, body = shapes::Page<shapes::User>)))]
async fn list_users(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    // Everybody may see whom a conversation can be assigned to.
    caller.may(Action::ReadRecords)?;
    let found = users::list(&mut app.reader(), caller.organisation).await?;
    Ok(Answer::ok(page::envelope(found.iter().map(User::to_value).collect(), None)))
}

/// Adds a user. Kept under no `Idempotency-Key`, since its body holds a password; the e-mail is unique.
#[utoipa::path(post, path = "/users", tag = "Accounts", request_body = New, responses((status = 201, body = shapes::User)))]
async fn create_user(State(app): State<App>, caller: Caller, payload: Payload<New>) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    let New { email, name, password, role } = payload.value;
    let password_hash = passwords::hash(&app, password).await?;
    write(&app, &caller, None, move |tx, who| {
        let new = NewUser { email: email.clone(), name: name.clone(), password_hash: password_hash.clone(), role };
        Box::pin(async move {
            let user = users::create(tx, who.organisation, &who.actor(), new).await?;
            Ok(Answer::created(user.to_value(), format!("/api/v1/users/{}", user.id)))
        })
    })
    .await
}

/// Gives a user.
#[utoipa::path(get, path = "/users/{id}", tag = "Accounts", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::User)))]
async fn get_user(State(app): State<App>, caller: Caller, Id(id): Id<UserId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let user = users::get(&mut app.reader(), caller.organisation, id).await?.ok_or_else(|| Problem::not_found("user", id))?;
    Ok(Answer::ok(user.to_value()))
}

/// Changes a user. The last active admin stays one.
#[utoipa::path(patch, path = "/users/{id}", tag = "Accounts", request_body = Patch, params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::User)))]
async fn update_user(State(app): State<App>, caller: Caller, Id(id): Id<UserId>, payload: Payload<Patch>) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    let Patch { name, role, active, password } = payload.value;
    let password_hash = match password {
        Some(password) => Some(passwords::hash(&app, password).await?),
        None => None,
    };
    write(&app, &caller, None, move |tx, who| {
        let (name, password_hash) = (name.clone(), password_hash.clone());
        Box::pin(async move {
            let user = users::update(tx, who.organisation, &who.actor(), id, name, role, active).await?;
            if let Some(hash) = &password_hash {
                users::set_password(tx, who.organisation, &who.actor(), id, hash).await?;
            }
            Ok(Answer::ok(user.to_value()))
        })
    })
    .await
}
