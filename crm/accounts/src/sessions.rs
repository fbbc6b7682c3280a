//! Sessions: an opaque random token in a cookie; only its hash is stored.

use crate::{CrmError, SecretSource, UserId, secret, users, users::User};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use onward_core::{OrganisationId, Timestamp, ports::Transaction};
use onward_database::{DatabaseError, Query, Tx, args};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Without a request for this long the session ends: 7 days.
pub const IDLE_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// However busy, it ends after 90 days: a stolen cookie is not for ever.
pub const LONGEST_MS: i64 = 90 * 24 * 60 * 60 * 1000;
/// The end is moved at most once in this time, so that reading a page is seldom a write: 1 hour.
pub const SLIDE_MS: i64 = 60 * 60 * 1000;

/// A session just begun: the only time its token is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The cookie's value.
    pub token: String,
    /// What pages send in `X-CSRF-Token`; see [`csrf_token`].
    pub csrf: String,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
}

/// A session that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who signed in.
    pub user: User,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
    /// It is time to call [`touch`].
    pub wants_touch: bool,
}

/// The CSRF token that belongs to a session. Derived, so it needs no column and ends with the session; a page of another
/// origin can make the browser send the cookie but cannot read it, so it cannot know this.
pub fn csrf_token(session_token: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"onward csrf\0");
    hasher.update(session_token.as_bytes());
    URL_SAFE_NO_PAD.encode(hasher.finalize())
}

/// Whether `given` is the CSRF token of this session; in constant time.
pub fn csrf_is_right(session_token: &str, given: &str) -> bool {
    csrf_token(session_token).as_bytes().ct_eq(given.as_bytes()).into()
}

/// Begins a session for a user whose password was right, and notes the sign-in.
pub async fn begin(tx: &mut Tx, user: &User, secrets: &dyn SecretSource) -> Result<NewSession, CrmError> {
    let now = tx.now();
    let token = secret::fresh(secrets, "");
    let expires_at = now.plus_millis(IDLE_MS);
    tx.execute("DELETE FROM sessions WHERE expires_at <= $1", args![now]).await?;
    tx.execute(
        "INSERT INTO sessions (token_hash, organisation, user_id, created_at, expires_at, ends_at) VALUES ($1, $2, $3, $4, $5, $6)",
        args![secret::hash(&token), user.organisation, user.id, now, expires_at, now.plus_millis(LONGEST_MS)],
    )
    .await?;
    tx.execute("UPDATE users SET last_sign_in_at = $3 WHERE organisation = $1 AND id = $2", args![user.organisation, user.id, now]).await?;
    Ok(NewSession { csrf: csrf_token(&token), token, expires_at })
}

/// The session of a cookie, if it is good at `now`.
pub async fn find(db: &mut impl Query, token: &str, now: Timestamp) -> Result<Option<Session>, DatabaseError> {
    let row = db
        .fetch_optional(
            "SELECT u.organisation, u.id, u.email, u.name, u.role, u.active, u.created_at, u.last_sign_in_at, s.expires_at, s.ends_at
             FROM sessions s JOIN users u ON u.organisation = s.organisation AND u.id = s.user_id
             WHERE s.token_hash = $1 AND s.expires_at > $2 AND u.active",
            args![secret::hash(token), now],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let expires_at: Timestamp = row.get("expires_at")?;
    let ends_at: Timestamp = row.get("ends_at")?;
    let wants_touch = slid(now, ends_at).millis_since(expires_at) >= SLIDE_MS;
    Ok(Some(Session { user: users::from_row(&row)?, expires_at, wants_touch }))
}

/// Moves the session's end, since it was used.
pub async fn touch(tx: &mut Tx, token: &str) -> Result<(), DatabaseError> {
    let now = tx.now();
    tx.execute(
        "UPDATE sessions SET expires_at = CASE WHEN ends_at < $2 THEN ends_at ELSE $2 END WHERE token_hash = $1 AND expires_at > $3",
        args![secret::hash(token), now.plus_millis(IDLE_MS), now],
    )
    .await?;
    Ok(())
}

/// Ends a session (signing out).
pub async fn end(tx: &mut Tx, token: &str) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM sessions WHERE token_hash = $1", args![secret::hash(token)]).await?;
    Ok(())
}

/// Ends every session of a user.
pub async fn end_all(tx: &mut Tx, organisation: OrganisationId, user: UserId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM sessions WHERE organisation = $1 AND user_id = $2", args![organisation, user]).await?;
    Ok(())
}

fn slid(now: Timestamp, ends_at: Timestamp) -> Timestamp {
    now.plus_millis(IDLE_MS).min(ends_at)
}
