//! The first user of a new server, who is made in the browser. Whoever starts the server is shown a code; a visitor without it
//! makes nobody, so a server that can be reached before it is set up belongs to nobody else.

use crate::{
    Answer, App, Problem,
    caller::check_origin,
    endpoints::session,
    passwords,
    request::{Body, Payload},
    shapes,
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use onward_accounts::{
    Role,
    organisations::{self, Organisation},
    users::{self, NewUser},
};
use onward_core::ports::{self, Lane};
use onward_database::{DatabaseError, Reader, Tx};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_first_run, set_up))
}

/// The first user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FirstUser, example = json!({ "code": "9f86d081884c7d659a2f", "email": "meera@example.com", "name": "Meera", "password": "correct horse battery" }))]
struct First {
    /// What the server showed when it started.
    code: String,
    email: String,
    /// As people call them; made of the e-mail when left out.
    #[serde(default)]
    name: String,
    /// At least 8 characters.
    #[schema(format = Password)]
    password: String,
}
impl Body for First {
    const LIMIT: usize = 16 << 10;
}

/// Characters of the code: 80 bits.
const CODE_CHARACTERS: usize = 20;

/// The code of this server. Made of its key, so that all nodes agree on it; good until there is a user.
fn code(app: &App) -> String {
    let mut code = hex::encode(app.parts.vault.derive("first user"));
    code.truncate(CODE_CHARACTERS);
    code
}

/// The organisation that has no user yet.
async fn without_users(reader: &mut Reader) -> Result<Option<Organisation>, DatabaseError> {
    let mut all = organisations::list(reader).await?;
    match all.len() {
        1 if !users::any(reader, all[0].id).await? => Ok(Some(all.swap_remove(0))),
        _ => Ok(None),
    }
}

/// The address where the first user is made; `None` once there is one.
pub async fn invitation(app: &App) -> Result<Option<String>, DatabaseError> {
    let wanted = without_users(&mut app.reader()).await?.is_some();
    Ok(wanted.then(|| format!("{}/?set-up={}", app.parts.settings.public_url, code(app))))
}

/// Tells whether the server has no user yet.
#[utoipa::path(get, path = "/auth/first-run", tag = "Accounts", responses((status = 200, body = shapes::FirstRun)), security(()))]
async fn get_first_run(State(app): State<App>) -> Result<Answer, Problem> {
    let needed = without_users(&mut app.reader()).await?.is_some();
    Ok(Answer::ok(serde_json::json!({ "needed": needed })))
}

/// Makes the first user, an admin, and signs them in. Needs the code that the server showed when it started; refused once there
/// is a user.
#[utoipa::path(post, path = "/auth/first-run", tag = "Accounts", request_body = First, responses((status = 200, body = shapes::Session)), security(()))]
async fn set_up(State(app): State<App>, headers: HeaderMap, payload: Payload<First>) -> Result<Response, Problem> {
    check_origin(&app, &headers)?;
    let First { code: given, email, name, password } = payload.value;
    let there_is_one = || Problem::conflict("already_set_up", "there is a user already; sign in, or ask an admin to be added");
    let organisation = without_users(&mut app.reader()).await?.ok_or_else(there_is_one)?;
    if !bool::from(code(&app).as_bytes().ct_eq(given.trim().as_bytes())) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "wrong_code", "this is not the code that `onward serve` shows when it starts"));
    }
    let password_hash = passwords::hash(&app, password).await?;
    let (whose, shared) = (organisation.id, app.clone());
    let made = ports::write(app.engine(), Lane::Normal, move |tx: &mut Tx| {
        let new = NewUser { email: email.clone(), name: name.clone(), password_hash: password_hash.clone(), role: Role::Admin };
        let app = shared.clone();
        Box::pin(async move {
            let Some(user) = users::create_first(tx, whose, new).await? else { return Ok(None) };
            let session = onward_accounts::sessions::begin(tx, &user, &*app.parts.secrets).await?;
            Ok::<_, Problem>(Some((user, session)))
        })
    });
    let (user, begun) = made.await??.ok_or_else(there_is_one)?;
    session::signed_in(&app, &user, &organisation, &begun)
}
