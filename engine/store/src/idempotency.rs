//! `Idempotency-Key`: a request repeated within 24 h gets the answer of the first (SEMANTICS.md 34).

use onward_core::{OrganisationId, Value, ports::Transaction as _};
use onward_database::{DatabaseError, Query, Tx, args};

/// How long a key is kept, in milliseconds.
const KEPT_MS: i64 = 86_400_000;

/// Whose request it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// Whose.
    pub organisation: OrganisationId,
    /// The token or session that asks.
    pub token: String,
    /// Method and route.
    pub route: String,
    /// The header's value.
    pub key: String,
}

/// What is known of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// It is new, and ours now: do it and [`complete`] it in the same transaction.
    New,
    /// It was done: answer the same.
    Done {
        /// The HTTP status.
        status: u16,
        /// The body.
        response: Value,
    },
    /// The key came with another body: 422.
    OtherRequest,
    /// It was begun and is not done: 409.
    Running,
}

/// Claims a key for a request with this hash.
pub async fn claim(tx: &mut Tx, request: &RequestKey, request_hash: [u8; 32]) -> Result<Claim, DatabaseError> {
    let now = tx.now();
    let ours = tx
        .execute(
            "INSERT INTO idempotency_keys (organisation, token, route, key, request_hash, created_at) VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (organisation, token, route, key) DO UPDATE
                SET request_hash = excluded.request_hash, created_at = excluded.created_at, status = NULL, response = NULL
                WHERE idempotency_keys.created_at <= $7",
            args![request.organisation, &request.token, &request.route, &request.key, request_hash, now, now.plus_millis(-KEPT_MS)],
        )
        .await?;
    if ours == 1 {
        return Ok(Claim::New);
    }
    find(tx, request, request_hash).await
}

/// What is known of a key, without claiming it: for an effect that may still refuse, in whose transaction it is claimed when
/// it did not.
pub async fn find(tx: &mut Tx, request: &RequestKey, request_hash: [u8; 32]) -> Result<Claim, DatabaseError> {
    let since = tx.now().plus_millis(-KEPT_MS);
    let row = tx
        .fetch_optional(
            "SELECT request_hash, status, response FROM idempotency_keys
                WHERE organisation = $1 AND token = $2 AND route = $3 AND key = $4 AND created_at > $5",
            args![request.organisation, &request.token, &request.route, &request.key, since],
        )
        .await?;
    let Some(row) = row else { return Ok(Claim::New) };
    Ok(match row.get("status")? {
        _ if row.get::<[u8; 32]>("request_hash")? != request_hash => Claim::OtherRequest,
        None => Claim::Running,
        Some(status) => Claim::Done { status, response: row.get("response")? },
    })
}

/// Stores the answer, in the transaction of the effect.
pub async fn complete(tx: &mut Tx, request: &RequestKey, status: u16, response: &Value) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE idempotency_keys SET status = $5, response = $6 WHERE organisation = $1 AND token = $2 AND route = $3 AND key = $4",
        args![request.organisation, &request.token, &request.route, &request.key, status, response],
    )
    .await?;
    Ok(())
}

/// Forgets keys that have had their time, at most `limit`; how many. For the low-priority lane.
pub async fn forget(tx: &mut Tx, organisation: OrganisationId, limit: usize) -> Result<u64, DatabaseError> {
    let before = tx.now().plus_millis(-KEPT_MS);
    tx.execute(
        "DELETE FROM idempotency_keys WHERE organisation = $1 AND (token, route, key) IN
            (SELECT token, route, key FROM idempotency_keys WHERE organisation = $1 AND created_at <= $2 LIMIT $3)",
        args![organisation, before, limit as i64],
    )
    .await
}
