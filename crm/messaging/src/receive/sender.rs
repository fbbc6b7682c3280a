//! Who wrote: from a provider's addresses to a contact.

use super::Scope;
use crate::ConversationId;
use onward_accounts::CrmError;
use onward_connectors::incoming::Sender;
use onward_core::{Timestamp, ports::Transaction};
use onward_database::{Query as _, Tx, args};
use onward_records::{
    ContactChange, ContactId, IdentityKey, addresses, contacts, identities,
    timeline::{self, ItemKind},
};

/// A sender whom we know, or know now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) contact: ContactId,
    /// Made just now: nothing was ever asked of them or sent to them.
    pub(super) is_new: bool,
    /// The open conversation on this connection.
    pub(super) conversation: Option<ConversationId>,
    /// When they last wrote in it.
    pub(super) last_inbound_at: Option<Timestamp>,
}

impl Scope<'_> {
    fn key(self, external_id: &str) -> IdentityKey {
        IdentityKey { channel: self.receiver.connector.clone(), connection_id: self.receiver.id, external_id: external_id.to_owned() }
    }

    fn keys(self, sender: &Sender) -> Vec<IdentityKey> {
        sender.external_ids.iter().filter(|id| !id.is_empty()).map(|id| self.key(id)).collect()
    }

    /// The contact who has one of the sender's addresses, with their open conversation. One short statement an address: for all in
    /// one, PostgreSQL would plan anew each time, which takes ten times as long as looking.
    ///
    /// Several addresses of one sender belong to one contact (MESSAGING-POLICY R2): those that nobody has become theirs.
    /// Where they belong to different contacts, both keep what they have, the strongest counts, and their timeline says so.
    pub(super) async fn find(self, tx: &mut Tx, sender: &Sender) -> Result<Option<Known>, CrmError> {
        let keys = self.keys(sender);
        if keys.is_empty() {
            return Ok(None);
        }
        let mut rows = Vec::with_capacity(keys.len());
        for key in &keys {
            let found = tx
                .fetch_optional(
                    "SELECT i.contact_id, v.id AS conversation_id, v.last_inbound_at FROM identities AS i
                     LEFT JOIN conversations AS v ON v.organisation = i.organisation AND v.contact_id = i.contact_id AND v.connection_id = i.connection_id
                        AND v.status = 'open'
                     WHERE i.organisation = $1 AND i.channel = $2 AND i.connection_id = $3 AND i.external_id = $4",
                    args![self.organisation, &key.channel, key.connection_id, &key.external_id],
                )
                .await?;
            rows.extend(found);
        }
        let Some(first) = rows.first() else { return Ok(None) };
        let known = Known {
            contact: first.get("contact_id")?,
            is_new: false,
            conversation: first.get("conversation_id")?,
            last_inbound_at: first.get("last_inbound_at")?,
        };
        if rows.len() < keys.len() {
            identities::attach(tx, self.organisation, known.contact, &keys, sender.username.as_deref()).await?;
        }
        for row in rows.iter().skip(1) {
            let other: ContactId = row.get("contact_id")?;
            if other != known.contact {
                self.note_split(tx, known.contact, other).await?;
            }
        }
        Ok(Some(known))
    }

    /// The contact of a sender, made when nobody is known.
    pub(super) async fn find_or_create(self, tx: &mut Tx, sender: &Sender) -> Result<Known, CrmError> {
        match self.find(tx, sender).await? {
            Some(known) => Ok(known),
            None => self.create(tx, sender).await,
        }
    }

    /// A contact of a sender whom nobody knows by these addresses; where somebody has their number or mail, it is that one.
    pub(super) async fn create(self, tx: &mut Tx, sender: &Sender) -> Result<Known, CrmError> {
        let change = ContactChange {
            identities: self.keys(sender),
            name: sender.name.clone().or_else(|| sender.username.clone()),
            phones: sender.phone.as_deref().and_then(addresses::phone_from_provider).into_iter().collect(),
            emails: sender.email.iter().cloned().collect(),
            ..ContactChange::default()
        };
        let upserted = contacts::create_for_sender(tx, self.organisation, &self.actor(), change).await?;
        let contact = upserted.contact.id;
        let conversation = if upserted.created { None } else { crate::conversations::find_open(tx, self.organisation, contact, self.receiver.id).await? };
        if let Some(username) = sender.username.as_deref() {
            tx.execute(
                "UPDATE identities SET username = $4 WHERE organisation = $1 AND contact_id = $2 AND connection_id = $3",
                args![self.organisation, contact, self.receiver.id, username],
            )
            .await?;
        }
        Ok(Known { contact, is_new: upserted.created, conversation, last_inbound_at: None })
    }

    /// Says once on the timeline that a sender's addresses belong to two contacts.
    async fn note_split(self, tx: &mut Tx, contact: ContactId, other: ContactId) -> Result<(), CrmError> {
        let said = tx
            .fetch_optional(
                "SELECT 1 AS one FROM timeline WHERE organisation = $1 AND contact_id = $2 AND kind = 'event' AND subject_id = $3 LIMIT 1",
                args![self.organisation, contact, other],
            )
            .await?;
        if said.is_none() {
            let text = format!("Another contact ({other}) has an address of the same sender; merge the two if they are one person");
            timeline::add(tx, self.organisation, contact, &self.actor(), ItemKind::Event, &text, Some(other.0))?;
        }
        Ok(())
    }

    /// A customer moved to another address: the new one belongs to the same contact.
    pub(super) async fn moved(self, tx: &mut Tx, sender: &Sender, new_external_id: &str) -> Result<Option<ContactId>, CrmError> {
        let new = self.key(new_external_id);
        let found = identities::replace(tx, self.organisation, &self.keys(sender), &new).await?;
        if let Some(contact) = found {
            // A number is an address in its own right too.
            if let Some(phone) = addresses::phone_from_provider(new_external_id).filter(|_| new_external_id.bytes().all(|byte| byte.is_ascii_digit())) {
                let change = ContactChange { id: Some(contact), phones: vec![phone], ..ContactChange::default() };
                // Where another contact has the number, or it is none, the identity has moved all the same.
                if let Err(error @ CrmError::Database(_)) = contacts::upsert(tx, self.organisation, &self.actor(), change).await {
                    return Err(error);
                }
            }
            let now = tx.now();
            let text = format!("Moved to another address on {} ({now})", self.receiver.connector);
            timeline::add(tx, self.organisation, contact, &self.actor(), ItemKind::Event, &text, None)?;
        }
        Ok(found)
    }
}
