//! Who calls: a bearer token, a session cookie with its CSRF token, or the server's own command line.

use crate::{App, LocalAdmin, Problem, request::params::shortened, router::note_organisation, token_lookups};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Method, header, request::Parts},
};
use onward_accounts::{
    Action, Actor, Role, TokenId,
    organisations::{self, Organisation},
    sessions::{self, Session},
    tokens::{self, ApiToken},
    users::User,
};
use onward_core::{
    OrganisationId,
    ports::{Lane, WriteError, Writer as _},
};
use onward_database::{DatabaseError, Reader};

/// The session cookie's name.
pub const COOKIE: &str = "onward_session";
/// Where pages send their CSRF token.
pub const CSRF_HEADER: &str = "x-csrf-token";
/// Where the command line names an organisation; believed of [`LocalAdmin`] only.
pub const ORGANISATION_HEADER: &str = "x-onward-organisation";

/// Someone who may ask.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Whose data they see; part of every query.
    pub(crate) organisation: OrganisationId,
    /// What they may do.
    pub(crate) role: Role,
    /// Who they are.
    pub(crate) identity: Identity,
}

/// Who someone is.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    /// Signed in with a password.
    Session {
        /// Who.
        user: User,
        /// The cookie's value.
        token: String,
        /// When it ends unless it is used.
        expires_at: onward_core::Timestamp,
    },
    /// A program.
    Token(ApiToken),
    /// The server's own command line.
    Local,
}

impl Caller {
    /// Whether their role allows it.
    pub(crate) fn may(&self, action: Action) -> Result<(), Problem> {
        if self.role.allows(action) {
            return Ok(());
        }
        Err(Problem::forbidden("forbidden", format!("the role {} may not do this; ask an admin", self.role.as_str())))
    }
    /// As the one who does something.
    pub(crate) fn actor(&self) -> Actor {
        match &self.identity {
            Identity::Session { user, .. } => user.actor(),
            Identity::Token(token) => token.actor(),
            Identity::Local => Actor::System,
        }
    }
    /// For histories: who asked.
    pub(crate) fn by(&self) -> String {
        match &self.identity {
            Identity::Session { user, .. } => user.email.clone(),
            Identity::Token(token) => format!("token {}", token.name),
            Identity::Local => Operator::BY.to_owned(),
        }
    }
    /// What an `Idempotency-Key` is kept by besides the organisation.
    pub(crate) fn key_space(&self) -> String {
        match &self.identity {
            Identity::Session { user, .. } => format!("user:{}", user.id),
            Identity::Token(token) => format!("token:{}", token.id),
            Identity::Local => "local".to_owned(),
        }
    }
}

/// Whoever operates the server: its own command line, in-process or through the socket that only the server's user can open.
/// No token and no session is one, whatever their role: those belong to an organisation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operator;

impl Operator {
    /// For what is kept: who asked.
    pub(crate) const BY: &'static str = "command line";
}

impl FromRequestParts<App> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if parts.extensions.get::<LocalAdmin>().is_some() {
            return Ok(Self);
        }
        Caller::who_asks(parts, app).await?;
        Err(Problem::forbidden("forbidden", "this concerns every organisation of the server: use `onward` on the machine that it runs on"))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = Self::who_asks(parts, app).await?;
        note_organisation(caller.organisation);
        Ok(caller)
    }
}

impl Caller {
    async fn who_asks(parts: &Parts, app: &App) -> Result<Self, Problem> {
        if let Some(local) = parts.extensions.get::<LocalAdmin>() {
            let organisation = local_organisation(app, *local, &parts.headers).await?;
            return Ok(Self { organisation, role: Role::Admin, identity: Identity::Local });
        }
        if let Some(token) = bearer(&parts.headers)? {
            return by_token(app, token)
                .await?
                .ok_or_else(|| Problem::unauthorised("this API token is unknown or revoked; make one with `onward token add NAME`"));
        }
        if let Some(cookie) = session_cookie(&parts.headers) {
            let caller = by_session(app, cookie).await?.ok_or_else(|| Problem::unauthorised("the session has ended; sign in again"))?;
            if !is_safe(&parts.method) {
                check_forgery(app, &parts.headers, cookie)?;
            }
            return Ok(caller);
        }
        Err(Problem::unauthorised("send Authorization: Bearer TOKEN, or sign in"))
    }
}

/// The caller behind an API token.
pub(crate) async fn by_token(app: &App, text: &str) -> Result<Option<Caller>, DatabaseError> {
    let patience = app.parts.clock.sleep_until(app.now().plus_millis(token_lookups::PATIENCE_MS));
    let Some(token) = app.token_lookups.find(&mut app.reader(), text, patience).await? else { return Ok(None) };
    if token.wants_touch(app.now()) {
        let (organisation, id) = (token.organisation, token.id);
        note_use(app, TouchedBy::Token(organisation, id));
    }
    Ok(Some(Caller { organisation: token.organisation, role: token.role, identity: Identity::Token(token) }))
}

/// The caller behind a session cookie.
pub(crate) async fn by_session(app: &App, cookie: &str) -> Result<Option<Caller>, DatabaseError> {
    let Some(Session { user, expires_at, wants_touch }) = sessions::find(&mut app.reader(), cookie, app.now()).await? else { return Ok(None) };
    if wants_touch {
        note_use(app, TouchedBy::Session(cookie.to_owned()));
    }
    Ok(Some(Caller { organisation: user.organisation, role: user.role, identity: Identity::Session { user, token: cookie.to_owned(), expires_at } }))
}

enum TouchedBy {
    Token(OrganisationId, TokenId),
    Session(String),
}

/// Notes that a token or session was used, beside the request: nobody waits for it, and losing it costs nothing.
fn note_use(app: &App, touched: TouchedBy) {
    let touched = std::sync::Arc::new(touched);
    let written = app.engine().submit(
        Lane::Low,
        Box::new(move |tx| {
            let touched = std::sync::Arc::clone(&touched);
            Box::pin(async move {
                match &*touched {
                    TouchedBy::Token(organisation, id) => tokens::touch(tx, *organisation, *id).await,
                    TouchedBy::Session(cookie) => sessions::touch(tx, cookie).await,
                }
                .map_err(WriteError::from)
            })
        }),
    );
    tokio::spawn(async move {
        if let Err(error) = written.await {
            tracing::debug!(%error, "the last use of a token or session was not noted");
        }
    });
}

/// The text behind `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match token {
        Some((_, token)) => Ok(Some(token.trim())),
        None => Err(Problem::unauthorised("the Authorization header must be: Bearer TOKEN")),
    }
}

/// The session cookie's value.
pub(crate) fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// A request that changes something and is authenticated by a cookie must show that a page of ours made it.
fn check_forgery(app: &App, headers: &HeaderMap, cookie: &str) -> Result<(), Problem> {
    check_origin(app, headers)?;
    let given = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if sessions::csrf_is_right(cookie, given) {
        return Ok(());
    }
    Err(Problem::forbidden("csrf", "send the session's csrf_token (GET /api/v1/auth/session) in X-CSRF-Token"))
}

/// Refuses a request that a browser made for a page of another origin. Without `Origin` no browser page made it.
pub(crate) fn check_origin(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let same_host = origin.split_once("://").is_some_and(|(_, rest)| !rest.is_empty() && rest.eq_ignore_ascii_case(host));
    if same_host || origin.eq_ignore_ascii_case(&app.parts.settings.public_url) {
        return Ok(());
    }
    Err(Problem::forbidden("foreign_origin", format!("a page of {} may not do this", shortened(origin))))
}

async fn local_organisation(app: &App, local: LocalAdmin, headers: &HeaderMap) -> Result<OrganisationId, Problem> {
    if let Some(organisation) = local.organisation {
        return Ok(organisation);
    }
    let name = headers.get(ORGANISATION_HEADER).and_then(|value| value.to_str().ok());
    Ok(named_or_only(&mut app.reader(), name).await?.id)
}

/// The organisation of this name; without one, the only one there is.
pub(crate) async fn named_or_only(reader: &mut Reader, name: Option<&str>) -> Result<Organisation, Problem> {
    if let Some(name) = name {
        return organisations::by_name(reader, name).await?.ok_or_else(|| Problem::not_found("organisation", shortened(name)));
    }
    let mut all = organisations::list(reader).await?;
    match all.len() {
        1 => Ok(all.swap_remove(0)),
        0 => Err(Problem::conflict("no_organisation", "there is no organisation yet")),
        _ => {
            let names: Vec<&str> = all.iter().map(|organisation| organisation.name.as_str()).collect();
            Err(Problem::invalid("/organisation", format!("there are several organisations ({}); name one", names.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(name: &header::HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn bearer_tokens_in_any_spelling_of_the_scheme() {
        assert_eq!(bearer(&headers(&header::AUTHORIZATION, &["bearer  onw_x"])), Ok(Some("onw_x")));
        assert_eq!(bearer(&HeaderMap::new()), Ok(None));
        for wrong in ["onw_x", "Basic eDp5", ""] {
            assert_eq!(bearer(&headers(&header::AUTHORIZATION, &[wrong])).unwrap_err().code(), "unauthorized", "{wrong}");
        }
    }

    #[test]
    fn the_cookie_among_others() {
        assert_eq!(session_cookie(&headers(&header::COOKIE, &["a=1; onward_session=tok; b=2"])), Some("tok"));
        assert_eq!(session_cookie(&headers(&header::COOKIE, &["a=1", "onward_session=tok"])), Some("tok"));
        assert_eq!(session_cookie(&headers(&header::COOKIE, &["xonward_session=tok", "onward_session"])), None);
    }
}
