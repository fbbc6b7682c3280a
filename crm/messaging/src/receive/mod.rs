//! All that comes in: what a connector made of a delivery becomes contacts, conversations, messages, statuses and events, in
//! the transaction that acknowledges it. Safe to repeat: providers do.

mod message;
mod other;
mod sender;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use status::{Applied, apply, lock};

use crate::events;
use onward_accounts::{Actor, CrmError};
use onward_connectors::{
    connection::{self, ConnectionError, StoredConnection},
    incoming::{Incoming, IncomingItem, MessageChange},
};
use onward_core::{ConnectionId, NewEvent, Object, OrganisationId, Timestamp, Value, ports::Transaction};
use onward_database::{DatabaseError, Tx, args};
use std::collections::BTreeMap;

/// The connection to whose address a delivery came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its id.
    pub id: ConnectionId,
    /// Its connector; also the channel's name.
    pub connector: String,
    /// The provider's account that its config names (WhatsApp: `phone_number_id`). Items that name another one are looked up.
    pub account: Option<String>,
}

impl From<&StoredConnection> for Receiver {
    fn from(connection: &StoredConnection) -> Self {
        Self { id: connection.id, connector: connection.connector.clone(), account: connection.account.clone() }
    }
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// New messages, in or out.
    pub messages: u32,
    /// New statuses.
    pub statuses: u32,
    /// Other things that were understood: edits, preferences, changes of address, events.
    pub others: u32,
    /// Kept as raw events.
    pub raw: u32,
    /// Known already; nothing was written.
    pub duplicates: u32,
    /// For an account that no connection has; kept as raw events and to be shown.
    pub quarantined: u32,
}

/// What one item turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Message,
    Status,
    Other,
    Raw,
    Duplicate,
}

/// Takes a delivery in. Nothing of it is dropped: what is not understood is kept as an event `CONNECTOR.raw`.
///
/// # Errors
/// Only the database's; whatever a provider sends is taken.
pub async fn receive(tx: &mut Tx, organisation: OrganisationId, connection: &Receiver, items: &[Incoming]) -> Result<Received, CrmError> {
    let mut received = Received::default();
    let mut accounts: BTreeMap<&str, Option<Receiver>> = BTreeMap::new();
    for incoming in items {
        let belongs_to = match &incoming.account {
            Some(account) if connection.account.as_ref() != Some(account) => {
                if !accounts.contains_key(account.as_str()) {
                    let found = connection::find_by_account(tx, organisation, &connection.connector, account).await.map_err(database)?;
                    accounts.insert(account, found.as_ref().map(Receiver::from));
                }
                accounts.get(account.as_str()).and_then(Option::as_ref)
            }
            _ => Some(connection),
        };
        let Some(belongs_to) = belongs_to else {
            quarantine(tx, organisation, connection, incoming);
            received.quarantined += 1;
            continue;
        };
        let scope = Scope { organisation, receiver: belongs_to, raw: &incoming.raw };
        let kind = scope.take(tx, &incoming.item).await?;
        *match kind {
            Kind::Message => &mut received.messages,
            Kind::Status => &mut received.statuses,
            Kind::Other => &mut received.others,
            Kind::Raw => &mut received.raw,
            Kind::Duplicate => &mut received.duplicates,
        } += 1;
    }
    Ok(received)
}

/// An item for an account that no connection has: shown, never dropped.
fn quarantine(tx: &mut Tx, organisation: OrganisationId, connection: &Receiver, incoming: &Incoming) {
    let mut data = Object::new();
    data.insert("name".into(), "unknown_account".into());
    data.insert("account".into(), incoming.account.clone().into());
    data.insert("connection_id".into(), connection.id.to_string().into());
    data.insert("quarantined".into(), true.into());
    data.insert("raw".into(), incoming.raw.clone());
    let kind = format!("{}.raw", connection.connector);
    let fingerprint = onward_core::digest::hex(incoming.raw.to_string().as_bytes());
    let event = NewEvent::new(organisation, kind, events::source(&connection.connector, connection.id), Value::Object(data));
    tx.emit(event.with_id(format!("unknown_account:{fingerprint}")));
}

fn database(error: ConnectionError) -> CrmError {
    match error {
        ConnectionError::Database(error) => error.into(),
        other => DatabaseError::Failed(other.to_string()).into(),
    }
}

/// One item's place: whose it is, which connection it belongs to, and its raw form.
#[derive(Clone, Copy)]
struct Scope<'a> {
    organisation: OrganisationId,
    receiver: &'a Receiver,
    raw: &'a Value,
}

impl Scope<'_> {
    async fn take(self, tx: &mut Tx, item: &IncomingItem) -> Result<Kind, CrmError> {
        match item {
            IncomingItem::Message(message) => match message.change {
                None => self.message(tx, message).await,
                Some(MessageChange::Edited) => self.edited(tx, message).await,
                Some(MessageChange::Revoked) => self.revoked(tx, message).await,
            },
            IncomingItem::Status(status) => self.status(tx, status).await,
            IncomingItem::Preference { sender, category, granted, at, dedupe_id } => {
                self.preference(tx, sender, category, *granted, *at, dedupe_id.as_deref()).await
            }
            IncomingItem::AddressChanged { sender, new_external_id, dedupe_id } => {
                self.address_changed(tx, sender, new_external_id, dedupe_id.as_deref()).await
            }
            IncomingItem::Event { kind, data, dedupe_id } => {
                self.event(tx, kind, data.clone(), dedupe_id.as_deref());
                Ok(Kind::Other)
            }
            IncomingItem::Raw { name, dedupe_id } => {
                self.keep_raw(tx, name, dedupe_id.as_deref(), Object::new());
                Ok(Kind::Raw)
            }
        }
    }

    fn source(self) -> String {
        events::source(&self.receiver.connector, self.receiver.id)
    }

    /// The provider itself, as the one who does something.
    fn actor(self) -> Actor {
        Actor::Connector { connector: self.receiver.connector.clone() }
    }

    /// Emits an event of this connection, whole. `id` is the provider's: with the source it makes the event take effect at
    /// most once.
    fn emit(self, tx: &mut Tx, kind: impl Into<String>, mut data: Object, id: Option<String>, subject: Option<String>, at: Option<Timestamp>) {
        data.insert("raw".into(), self.raw.clone());
        let mut event = NewEvent::new(self.organisation, kind, self.source(), Value::Object(data));
        event.id = id;
        event.subject = subject;
        event.time = at;
        tx.emit(event);
    }

    /// Keeps what is not understood.
    fn keep_raw(self, tx: &mut Tx, name: &str, dedupe_id: Option<&str>, mut data: Object) {
        data.insert("name".into(), name.into());
        data.insert("channel".into(), self.receiver.connector.clone().into());
        data.insert("connection_id".into(), self.receiver.id.to_string().into());
        let kind = format!("{}.raw", self.receiver.connector);
        self.emit(tx, kind, data, dedupe_id.map(|id| format!("{name}:{id}")), None, None);
    }

    /// An event with a name of its own on the bus.
    fn event(self, tx: &mut Tx, kind: &str, mut data: Object, dedupe_id: Option<&str>) {
        data.entry("channel".to_owned()).or_insert_with(|| self.receiver.connector.clone().into());
        data.entry("connection_id".to_owned()).or_insert_with(|| self.receiver.id.to_string().into());
        self.emit(tx, kind, data, dedupe_id.map(|id| format!("{kind}:{id}")), None, None);
    }

    /// Whether this is the first time that the item with this id came.
    async fn is_first(self, tx: &mut Tx, dedupe_id: Option<&str>) -> Result<bool, CrmError> {
        let Some(dedupe_id) = dedupe_id else { return Ok(true) };
        let now = tx.now();
        let new = tx
            .execute(
                "INSERT INTO deliveries_seen (organisation, connection_id, dedupe_id, at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (organisation, connection_id, dedupe_id) DO NOTHING",
                args![self.organisation, self.receiver.id, dedupe_id, now],
            )
            .await?;
        Ok(new > 0)
    }
}
