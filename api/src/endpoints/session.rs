//! Signing in and out with a password.

use crate::{
    Answer, App, Caller, Problem,
    caller::{COOKIE, Identity, check_origin, named_or_only},
    passwords,
    request::{Body, Payload},
    shapes,
    write::write,
};
use axum::{
    extract::{ConnectInfo, State},
    http::{Extensions, HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use onward_accounts::{
    organisations::{self, Organisation},
    sessions::{self, NewSession},
    throttle,
    users::{self, User},
};
use onward_core::{
    Value,
    ports::{self, Lane},
};
use onward_database::Tx;
use serde::Deserialize;
use std::net::SocketAddr;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(sign_in)).routes(routes!(sign_out)).routes(routes!(get_session))
}

/// Who wants to sign in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "meera@example.com", "password": "correct horse battery" }))]
struct SignIn {
    /// In any case.
    email: String,
    #[schema(format = Password)]
    password: String,
    /// The organisation's name; may be left out while there is only one.
    organisation: Option<String>,
}
impl Body for SignIn {
    const LIMIT: usize = 16 << 10;
}

/// The network address that a request came from.
struct Address(String);

impl axum::extract::FromRequestParts<App> for Address {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, _: &App) -> Result<Self, Self::Rejection> {
        Ok(Self(address(&parts.extensions)))
    }
}

/// The peer's own address: a header could say anything. Behind a proxy all share the proxy's, which is why failures by
/// address are counted more generously than those by e-mail.
fn address(extensions: &Extensions) -> String {
    extensions.get::<ConnectInfo<SocketAddr>>().map_or_else(|| "local".to_owned(), |info| info.0.ip().to_string())
}

/// Signs in: sets the session cookie and gives the CSRF token that changing requests send in `X-CSRF-Token`.
///
/// Too many wrong passwords have to wait: 429 with `Retry-After`.
#[utoipa::path(post, path = "/auth/sign-in", tag = "Accounts", request_body = SignIn, responses((status = 200, body = shapes::Session)), security(()))]
async fn sign_in(State(app): State<App>, headers: HeaderMap, Address(address): Address, payload: Payload<SignIn>) -> Result<Response, Problem> {
    check_origin(&app, &headers)?;
    let SignIn { email, password, organisation } = payload.value;
    let mut reader = app.reader();
    let organisation = named_or_only(&mut reader, organisation.as_deref()).await?;
    let turn = passwords::turn(&app).await?;
    if let Some(wait) = throttle::must_wait(&mut reader, organisation.id, &email, &address, app.now()).await? {
        let detail = format!("too many wrong passwords; wait {} s", wait.max(1_000) / 1_000);
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_failures", detail).retry_after(wait.unsigned_abs()));
    }
    let known = users::credentials(&mut reader, organisation.id, &email).await?;
    let (user, stored) = known.unzip();
    let right = passwords::verify(&turn, password, stored).await?;
    let Some(user) = user.filter(|_| right) else {
        note_failure(&app, &organisation, email, address).await?;
        drop(turn);
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "wrong_credentials", "the e-mail or the password is wrong"));
    };
    drop(turn);
    let begun = begin(&app, user.clone(), email).await?;
    signed_in(&app, &user, &organisation, &begun)
}

/// The answer to someone who has just signed in, with their cookie.
pub(super) fn signed_in(app: &App, user: &User, organisation: &Organisation, begun: &NewSession) -> Result<Response, Problem> {
    let body = shape(user, organisation, Some(&begun.csrf), Some(begun.expires_at));
    let mut response = Answer::ok(body).into_response();
    let cookie = cookie(app, &begun.token, sessions::IDLE_MS / 1_000);
    response.headers_mut().insert(header::SET_COOKIE, HeaderValue::try_from(cookie).map_err(Problem::internal)?);
    Ok(response)
}

async fn note_failure(app: &App, organisation: &Organisation, email: String, address: String) -> Result<(), Problem> {
    let organisation = organisation.id;
    ports::write(app.engine(), Lane::Normal, move |tx: &mut Tx| {
        let (email, address) = (email.clone(), address.clone());
        Box::pin(async move { Ok(throttle::note_failure(tx, organisation, &email, &address).await?) })
    })
    .await?
}

async fn begin(app: &App, user: User, email: String) -> Result<NewSession, Problem> {
    let shared = app.clone();
    ports::write(app.engine(), Lane::Normal, move |tx: &mut Tx| {
        let (app, user, email) = (shared.clone(), user.clone(), email.clone());
        Box::pin(async move {
            throttle::forget(tx, user.organisation, &email).await?;
            Ok(sessions::begin(tx, &user, &*app.parts.secrets).await?)
        })
    })
    .await?
}

/// Signs out: ends the session and removes its cookie.
#[utoipa::path(post, path = "/auth/sign-out", tag = "Accounts", responses((status = 204)))]
async fn sign_out(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    let Identity::Session { token, .. } = &caller.identity else {
        return Err(Problem::conflict("no_session", "this request uses no session; a token is ended with DELETE /api/v1/tokens/{id}"));
    };
    let token = token.clone();
    let answer = write(&app, &caller, None, move |tx, _| {
        let token = token.clone();
        Box::pin(async move {
            sessions::end(tx, &token).await?;
            Ok(Answer::empty())
        })
    })
    .await?;
    let mut response = answer.into_response();
    response.headers_mut().insert(header::SET_COOKIE, HeaderValue::try_from(cookie(&app, "", 0)).map_err(Problem::internal)?);
    Ok(response)
}

/// Says who is asking, in which organisation, and the session's CSRF token.
#[utoipa::path(get, path = "/auth/session", tag = "Accounts", responses((status = 200, body = shapes::Session)))]
async fn get_session(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    let organisation =
        organisations::get(&mut app.reader(), caller.organisation).await?.ok_or_else(|| Problem::not_found("organisation", caller.organisation))?;
    let body = match &caller.identity {
        Identity::Session { user, token, expires_at } => shape(user, &organisation, Some(&sessions::csrf_token(token)), Some(*expires_at)),
        Identity::Token(token) => {
            serde_json::json!({ "user": null, "token": token.to_value(), "role": caller.role, "organisation": organisation.to_value(), "csrf_token": null, "expires_at": null })
        }
        Identity::Local => {
            serde_json::json!({ "user": null, "token": null, "role": caller.role, "organisation": organisation.to_value(), "csrf_token": null, "expires_at": null })
        }
    };
    Ok(Answer::ok(body))
}

fn shape(user: &User, organisation: &Organisation, csrf: Option<&str>, expires_at: Option<onward_core::Timestamp>) -> Value {
    serde_json::json!({
        "user": user.to_value(), "token": null, "role": user.role, "organisation": organisation.to_value(),
        "csrf_token": csrf, "expires_at": expires_at,
    })
}

/// `SameSite=Lax`: links from other sites stay signed in, posts from other sites do not carry it.
fn cookie(app: &App, value: &str, max_age_s: i64) -> String {
    let secure = if app.parts.settings.secure() { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}")
}
