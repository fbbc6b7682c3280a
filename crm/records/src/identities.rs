//! Identities: a contact's addresses on channel accounts.

use crate::ContactId;
use onward_core::{ConnectionId, OrganisationId, Timestamp, Value, ports::Transaction};
use onward_database::{Args, DatabaseError, Query, Rows, Tx, args};

/// What makes an identity unique within an organisation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdentityKey {
    /// `whatsapp` …
    pub channel: String,
    /// The channel account.
    pub connection_id: ConnectionId,
    /// The person's address there.
    pub external_id: String,
}

/// A contact's address on one channel account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Where.
    pub key: IdentityKey,
    /// 0 is the address to write to first.
    pub strength: u16,
    /// The person's user name there.
    pub username: Option<String>,
    /// The person has moved to another address: nothing is sent here any more.
    pub replaced: bool,
}

impl Identity {
    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "channel": self.key.channel, "connection_id": self.key.connection_id, "external_id": self.key.external_id,
            "username": self.username, "replaced": self.replaced,
        })
    }
}

/// Gives a contact identities; those that somebody has already stay with them.
pub async fn attach(tx: &mut Tx, organisation: OrganisationId, contact: ContactId, keys: &[IdentityKey], username: Option<&str>) -> Result<u64, DatabaseError> {
    if keys.is_empty() {
        return Ok(0);
    }
    tx.execute(ATTACH, attached(tx.now(), organisation, contact, keys, username)).await
}

/// The same for a contact that is new; what it has then, where nobody had any of them, which is not told.
pub(crate) fn give(tx: &mut Tx, organisation: OrganisationId, contact: ContactId, keys: &[IdentityKey]) -> Result<Vec<Identity>, DatabaseError> {
    tx.leave(ATTACH, attached(tx.now(), organisation, contact, keys, None))?;
    let mut given: Vec<Identity> = Vec::with_capacity(keys.len());
    for (key, strength) in keys.iter().zip(0_u16..) {
        if given.iter().all(|known| known.key != *key) {
            given.push(Identity { key: key.clone(), strength, username: None, replaced: false });
        }
    }
    Ok(given)
}

const ATTACH: &str = "INSERT INTO identities (organisation, channel, connection_id, external_id, contact_id, strength, username, created_at)
    SELECT $1, k.channel, k.connection_id, k.external_id, $2, k.strength, $3, $4
    FROM {$5: channel text, connection_id uuid, external_id text, strength bigint} AS k WHERE true
    ON CONFLICT (organisation, channel, connection_id, external_id) DO NOTHING";

fn attached(now: Timestamp, organisation: OrganisationId, contact: ContactId, keys: &[IdentityKey], username: Option<&str>) -> Args {
    let rows: Rows = keys.iter().zip(0_u16..).map(|(key, strength)| args![&key.channel, key.connection_id, &key.external_id, strength]).collect();
    args![organisation, contact, username, now, rows]
}

/// Notes that a person moved from one address to another on the same account; the new one belongs to the same contact
/// unless somebody has it already. Whose it was; `None` when nobody has the old one.
pub async fn replace(tx: &mut Tx, organisation: OrganisationId, old: &[IdentityKey], new: &IdentityKey) -> Result<Option<ContactId>, DatabaseError> {
    let found = owners(tx, organisation, old).await?;
    let Some((_, contact)) = found.first() else { return Ok(None) };
    let contact = *contact;
    attach(tx, organisation, contact, std::slice::from_ref(new), None).await?;
    let now = tx.now();
    for (key, owner) in &found {
        // A business-scoped id stays good when only the number behind it changes; it is the address equal in kind that ends.
        if *owner == contact && key.external_id != new.external_id && same_kind(&key.external_id, &new.external_id) {
            tx.execute(
                "UPDATE identities SET replaced_at = $5 WHERE organisation = $1 AND channel = $2 AND connection_id = $3 AND external_id = $4",
                args![organisation, &key.channel, key.connection_id, &key.external_id, now],
            )
            .await?;
        }
    }
    Ok(Some(contact))
}

fn same_kind(one: &str, other: &str) -> bool {
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'+');
    number(one) == number(other)
}

/// Who has these identities; in the order of `keys`.
pub async fn owners(db: &mut impl Query, organisation: OrganisationId, keys: &[IdentityKey]) -> Result<Vec<(IdentityKey, ContactId)>, DatabaseError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Rows = keys.iter().zip(0_u32..).map(|(key, at)| args![&key.channel, key.connection_id, &key.external_id, at]).collect();
    let found = db
        .fetch_all(
            "SELECT k.n, i.contact_id FROM {$2: channel text, connection_id uuid, external_id text, n bigint} AS k
             CROSS JOIN identities AS i WHERE i.organisation = $1 AND i.channel = k.channel AND i.connection_id = k.connection_id AND i.external_id = k.external_id
             ORDER BY k.n",
            args![organisation, rows],
        )
        .await?;
    let mut owners = Vec::with_capacity(found.len());
    for row in found {
        let at: u32 = row.get("n")?;
        if let Some(key) = keys.get(at as usize) {
            owners.push((key.clone(), row.get("contact_id")?));
        }
    }
    Ok(owners)
}
