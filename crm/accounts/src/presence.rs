//! Who is online: has the app open. Kept in the database, so that every node knows and a step that picks somebody decides
//! by what is committed.

use crate::UserId;
use onward_core::{
    OrganisationId, Timestamp,
    ports::{Change, Transaction},
};
use onward_database::{DatabaseError, Query, Tx, args};

/// Whoever was not seen for this long is offline, however they went: 2.5 minutes.
pub const ONLINE_MS: i64 = 150_000;
/// An open app is noted at most once in this time, so that presence is few writes: 1 minute.
pub const NOTE_MS: i64 = 60_000;

/// Someone who is online.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// Who.
    pub user_id: UserId,
    /// When their app was seen last, to the minute.
    pub seen_at: Timestamp,
}

impl Present {
    /// The one JSON shape.
    pub fn to_value(&self) -> onward_core::Value {
        serde_json::json!({ "user_id": self.user_id, "seen_at": self.seen_at })
    }
}

/// Notes that a user has the app open. Tells those who watch when they were not online before.
pub async fn seen(tx: &mut Tx, organisation: OrganisationId, user: UserId) -> Result<(), DatabaseError> {
    let now = tx.now();
    let was = tx.fetch_optional("SELECT seen_at FROM presence WHERE organisation = $1 AND user_id = $2", args![organisation, user]).await?;
    let was: Option<Timestamp> = was.map(|row| row.get("seen_at")).transpose()?;
    tx.execute(
        "INSERT INTO presence (organisation, user_id, seen_at) SELECT $1, u.id, $3 FROM users AS u WHERE u.organisation = $1 AND u.id = $2 AND u.active
         ON CONFLICT (organisation, user_id) DO UPDATE SET seen_at = excluded.seen_at",
        args![organisation, user, now],
    )
    .await?;
    if was.is_none_or(|at| now.millis_since(at) > ONLINE_MS) {
        announce(tx, organisation, user, true);
    }
    Ok(())
}

/// Notes that a user has closed the app.
pub async fn gone(tx: &mut Tx, organisation: OrganisationId, user: UserId) -> Result<(), DatabaseError> {
    if tx.execute("DELETE FROM presence WHERE organisation = $1 AND user_id = $2", args![organisation, user]).await? > 0 {
        announce(tx, organisation, user, false);
    }
    Ok(())
}

/// Everybody who is online at `now`, by id.
pub async fn list(db: &mut impl Query, organisation: OrganisationId, now: Timestamp) -> Result<Vec<Present>, DatabaseError> {
    let rows = db
        .fetch_all(
            "SELECT p.user_id, p.seen_at FROM presence AS p JOIN users AS u ON u.organisation = p.organisation AND u.id = p.user_id
             WHERE p.organisation = $1 AND p.seen_at >= $2 AND u.active ORDER BY p.user_id",
            args![organisation, now.plus_millis(-ONLINE_MS)],
        )
        .await?;
    rows.iter().map(|row| Ok(Present { user_id: row.get("user_id")?, seen_at: row.get("seen_at")? })).collect()
}

fn announce(tx: &mut Tx, organisation: OrganisationId, user: UserId, online: bool) {
    tx.announce(Change { organisation, topic: "presence".into(), id: user.to_string(), data: serde_json::json!({ "online": online }) });
}
