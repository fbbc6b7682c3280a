//! Statuses of messages that we sent: in any order, repeated, before the API's own answer, for messages nobody knows.

use super::{Kind, Scope};
use crate::{
    ConversationId, MessageId, consent,
    events::{self, Facts},
    messages, questions,
};
use onward_accounts::{Actor, CrmError};
use onward_connectors::incoming::{DeliveryStatus, IncomingStatus};
use onward_core::{
    ConnectionId, OrganisationId, Value, digest,
    ports::{Change, Transaction},
};
use onward_database::{Query as _, Row, Tx, args};
use onward_records::{ContactId, IdentityKey, identities};

impl Scope<'_> {
    pub(super) async fn status(self, tx: &mut Tx, status: &IncomingStatus) -> Result<Kind, CrmError> {
        let word = messages::of_delivery(status.status).as_str();
        let now = tx.now();
        let error = error_value(status);
        let new = tx
            .execute(
                "INSERT INTO message_statuses (organisation, connection_id, external_id, status, at, error) VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (organisation, connection_id, external_id, status) DO NOTHING",
                args![self.organisation, self.receiver.id, &status.external_id, word, status.at.unwrap_or(now), &error],
            )
            .await?;
        if new == 0 {
            return Ok(Kind::Duplicate);
        }
        let mut known = find(tx, self.organisation, self.receiver.id, status).await?;
        if known.is_none() && lock(tx, self.receiver.id, &status.external_id).await? {
            known = find(tx, self.organisation, self.receiver.id, status).await?;
        }
        let found = match known {
            Some(id) => apply(tx, self.organisation, self.receiver.id, id, &status.external_id, status.status, error.as_ref()).await?,
            None => None,
        };
        let contact = match &found {
            Some(found) => Some(found.contact),
            None => self.recipient(tx, status).await?,
        };
        if let (Some(found), Some(error)) = (&found, &status.error)
            && status.status == DeliveryStatus::Failed
        {
            questions::not_sent(tx, self.organisation, found.id, &error.message).await?;
        }
        self.tell_status(tx, status, found.as_ref(), contact);
        if let (Some(contact), Some(error)) = (contact, &status.error)
            && let Some(category) = consent::refused_by_error(&self.receiver.connector, &error.provider_code)
        {
            let at = status.at.unwrap_or(now);
            let said = consent::Statement { channel: &self.receiver.connector, category, granted: false, at, source: "provider", text: &error.message };
            consent::record(tx, self.organisation, &Actor::Contact { id: contact.0 }, contact, &said).await?;
        }
        Ok(Kind::Status)
    }

    /// The contact to whom a message went that is not ours.
    async fn recipient(self, tx: &mut Tx, status: &IncomingStatus) -> Result<Option<ContactId>, CrmError> {
        let Some(recipient) = status.recipient.as_ref().filter(|text| !text.is_empty()) else { return Ok(None) };
        let key = IdentityKey { channel: self.receiver.connector.clone(), connection_id: self.receiver.id, external_id: recipient.clone() };
        let owners = identities::owners(tx, self.organisation, &[key]).await?;
        Ok(owners.first().map(|(_, contact)| *contact))
    }

    /// A status of a message that we did not send is kept as an event too, without a `message_id`.
    fn tell_status(self, tx: &mut Tx, status: &IncomingStatus, found: Option<&Applied>, contact: Option<ContactId>) {
        let at = status.at.unwrap_or_else(|| tx.now());
        let facts = Facts {
            contact,
            conversation: found.map(|found| found.conversation),
            message: found.map(|found| found.id),
            channel: &self.receiver.connector,
            connection: self.receiver.id,
            author: self.actor().author(),
            at,
        };
        let mut data = facts.to_object();
        data.insert("external_id".into(), status.external_id.clone().into());
        data.insert("status".into(), messages::of_delivery(status.status).as_str().into());
        data.insert("recipient".into(), status.recipient.clone().into());
        data.insert("error".into(), error_value(status).unwrap_or_default());
        if let Some(found) = found {
            data.insert("kind".into(), found.kind.clone().into());
            data.insert("text".into(), found.text.clone().into());
            data.insert("run_id".into(), found.run_id.map(|id| id.to_string()).into());
        }
        let kind = events::of_status(status.status);
        let id = format!("{}:{}", status.external_id, messages::of_delivery(status.status).as_str());
        self.emit(tx, kind, data, Some(id), contact.map(|contact| contact.to_string()), Some(at));
        if let Some(found) = found {
            found.announce(tx, self.organisation);
        }
    }
}

fn error_value(status: &IncomingStatus) -> Option<Value> {
    status.error.as_ref().map(|error| serde_json::json!({ "code": error.code.as_str(), "provider_code": error.provider_code, "message": error.message }))
}

/// A status and the provider's answer that names its message may come to two servers at one time: who is second sees what the first has
/// stored. Whether others may have stored something meanwhile.
pub(crate) async fn lock(tx: &mut Tx, connection: ConnectionId, external_id: &str) -> Result<bool, CrmError> {
    Ok(tx.lock(vec![digest::short(&[connection.0.as_bytes(), b"message", external_id.as_bytes()])]).await?)
}

/// The message that a status is about: by our own id where the provider echoes it, else by the provider's.
async fn find(tx: &mut Tx, organisation: OrganisationId, connection: ConnectionId, status: &IncomingStatus) -> Result<Option<MessageId>, CrmError> {
    let ours: Option<MessageId> = status.message_id.as_deref().and_then(onward_core::ids::parse);
    let row = tx
        .fetch_optional(
            "SELECT id FROM messages WHERE organisation = $1 AND connection_id = $2 AND direction = 'outbound' AND id = $3
             UNION ALL
             SELECT id FROM messages WHERE organisation = $1 AND connection_id = $2 AND direction = 'outbound' AND external_id = $4
             LIMIT 1",
            args![organisation, connection, ours, &status.external_id],
        )
        .await?;
    Ok(row.map(|row| row.get("id")).transpose()?)
}

/// A message to which a status was applied.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) id: MessageId,
    pub(crate) contact: ContactId,
    pub(crate) conversation: ConversationId,
    /// Its status now.
    pub(crate) status: String,
    kind: String,
    text: String,
    run_id: Option<onward_core::RunId>,
}

impl Applied {
    pub(crate) fn from_row(row: &Row) -> Result<Self, onward_database::DatabaseError> {
        Ok(Self {
            id: row.get("id")?,
            contact: row.get("contact_id")?,
            conversation: row.get("conversation_id")?,
            status: row.get("status")?,
            kind: row.get("kind")?,
            text: row.get("text")?,
            run_id: row.get("run_id")?,
        })
    }
    /// Tells those who watch.
    pub(crate) fn announce(&self, tx: &mut Tx, organisation: OrganisationId) {
        tx.announce(Change {
            organisation,
            topic: "message".into(),
            id: self.id.to_string(),
            data: serde_json::json!({ "event": "message.status", "status": self.status, "conversation_id": self.conversation, "contact_id": self.contact }),
        });
    }
}

/// Moves a message's status forward, never back ([`messages::rank`]), and learns the provider's id from it. One statement.
pub(crate) async fn apply(
    tx: &mut Tx,
    organisation: OrganisationId,
    connection: ConnectionId,
    message: MessageId,
    external_id: &str,
    status: DeliveryStatus,
    error: Option<&Value>,
) -> Result<Option<Applied>, CrmError> {
    let row = tx
        .fetch_optional(
            "UPDATE messages SET
                error = CASE WHEN (CASE status WHEN 'sent' THEN 1 WHEN 'failed' THEN 2 WHEN 'delivered' THEN 3 WHEN 'read' THEN 4 ELSE 0 END) < $6 THEN $7 ELSE error END,
                status = CASE WHEN (CASE status WHEN 'sent' THEN 1 WHEN 'failed' THEN 2 WHEN 'delivered' THEN 3 WHEN 'read' THEN 4 ELSE 0 END) < $6 THEN $5 ELSE status END,
                external_id = CASE
                    WHEN external_id IS NOT NULL THEN external_id
                    WHEN EXISTS (SELECT 1 FROM messages AS o WHERE o.organisation = $1 AND o.connection_id = $2 AND o.external_id = $4) THEN NULL
                    ELSE $4 END
             WHERE organisation = $1 AND connection_id = $2 AND id = $3
             RETURNING id, contact_id, conversation_id, status, kind, text, run_id",
            args![organisation, connection, message, external_id, messages::of_delivery(status).as_str(), messages::rank(status), error],
        )
        .await?;
    Ok(row.as_ref().map(Applied::from_row).transpose()?)
}
