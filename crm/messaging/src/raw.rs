//! Deliveries as they came, before anything was understood of them.

use onward_core::{ConnectionId, OrganisationId, Timestamp, Value, digest, ports::Transaction};
use onward_database::{DatabaseError, Query, Tx, args};
use uuid::Uuid;

/// A delivery as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawDelivery {
    /// Its id.
    pub id: Uuid,
    /// To which connection's address.
    pub connection_id: ConnectionId,
    /// Of which connector.
    pub connector: String,
    /// When.
    pub received_at: Timestamp,
    /// Why nobody could be found to take it.
    pub quarantined: Option<String>,
    /// The bytes.
    pub body: Vec<u8>,
}

impl RawDelivery {
    /// The one JSON shape; a body that is no text is shown in replacement characters.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "connection_id": self.connection_id, "connector": self.connector, "received_at": self.received_at,
            "quarantined": self.quarantined, "body": String::from_utf8_lossy(&self.body),
        })
    }
}

/// Keeps the raw body of a delivery; the same bytes on the same connection are kept once. Called in the transaction that
/// receives it, and with `quarantined` for one that nobody can take apart.
pub fn store_raw(
    tx: &mut Tx,
    organisation: OrganisationId,
    connection: ConnectionId,
    connector: &str,
    body: &[u8],
    quarantined: Option<&str>,
) -> Result<(), DatabaseError> {
    let id = tx.fresh_id();
    let now = tx.now();
    tx.leave(
        "INSERT INTO raw_deliveries (organisation, id, connection_id, connector, received_at, digest, body, quarantined)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (organisation, connection_id, digest) DO NOTHING",
        args![organisation, id, connection, connector, now, digest::short(&[body]), body.to_vec(), quarantined],
    )
}

/// What waits for somebody to look at it, newest first.
pub async fn quarantined(db: &mut impl Query, organisation: OrganisationId, before: Option<Uuid>, limit: u32) -> Result<Vec<RawDelivery>, DatabaseError> {
    let rows = db
        .fetch_all(
            "SELECT id, connection_id, connector, received_at, quarantined, body FROM raw_deliveries
             WHERE organisation = $1 AND quarantined IS NOT NULL AND id < $2 ORDER BY id DESC LIMIT $3",
            args![organisation, before.unwrap_or(Uuid::max()), limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(RawDelivery {
                id: row.get("id")?,
                connection_id: row.get("connection_id")?,
                connector: row.get("connector")?,
                received_at: row.get("received_at")?,
                quarantined: row.get("quarantined")?,
                body: row.get("body")?,
            })
        })
        .collect()
}
