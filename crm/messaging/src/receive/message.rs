//! Messages that come in, those that our side sent from the provider's own app, edits and revocations.

use super::{Kind, Scope, sender::Known};
use crate::{
    ConversationId, MessageId, consent, conversations,
    conversations::Parties,
    events::Facts,
    messages::{self, KINDS},
    policy::{self, AccountFacts, rules::LATEST_DELIVERY_MS},
    questions,
};
use onward_accounts::{Actor, Author, AuthorKind, CrmError};
use onward_connectors::incoming::{IncomingMessage, Sender};
use onward_core::{
    Object, Timestamp, Value,
    ports::{Change, Transaction},
};
use onward_database::{Query as _, Tx, args};
use onward_records::{
    ContactId,
    timeline::{self, ItemKind},
};

/// Held messages that look again at once; further ones do so by their timers.
const WOKEN_AT_ONCE: u32 = 100;

/// A stored message and where it stands.
struct Stored {
    id: MessageId,
    contact: ContactId,
    conversation: ConversationId,
}

impl Scope<'_> {
    pub(super) async fn message(self, tx: &mut Tx, message: &IncomingMessage) -> Result<Kind, CrmError> {
        let known = match self.find(tx, &message.sender).await? {
            Some(known @ Known { conversation: Some(_), .. }) => known,
            found => {
                // A repeated delivery must neither make a contact anew nor open a conversation that was closed.
                if self.is_stored(tx, &message.external_id).await? {
                    return Ok(Kind::Duplicate);
                }
                match found {
                    Some(known) => known,
                    None => self.create(tx, &message.sender).await?,
                }
            }
        };
        let contact = known.contact;
        let actor = if message.outbound { self.actor() } else { Actor::Contact { id: contact.0 } };
        let conversation = if let Some(conversation) = known.conversation {
            conversation
        } else {
            let parties = Parties { contact, channel: &self.receiver.connector, connection: self.receiver.id };
            if known.is_new {
                conversations::begin(tx, self.organisation, &actor, parties)?
            } else {
                conversations::open(tx, self.organisation, &actor, parties).await?
            }
        };
        let stored = Stored { id: MessageId(tx.fresh_id()), contact, conversation };
        if !self.insert(tx, &stored, message).await? {
            return Ok(Kind::Duplicate);
        }
        self.touch_conversation(tx, &stored, message)?;
        let line = messages::short(&message.kind, message.text.as_deref().unwrap_or_default());
        timeline::add(tx, self.organisation, contact, &actor, ItemKind::Message, &line, Some(stored.id.0))?;
        self.tell_message(tx, &stored, message, &line);
        if !message.outbound {
            self.hear_consent(tx, contact, message).await?;
        }
        if !message.outbound && !known.is_new {
            // Before what is held is let go: nobody answers what they have not seen.
            questions::hear(tx, self.organisation, contact, self.receiver.id, message).await?;
            self.wake_held(tx, conversation, known.last_inbound_at).await?;
        }
        Ok(Kind::Message)
    }

    /// Whoever writes opens the provider's window: what is held for it looks again at once. While the window was open nothing
    /// was held for it, so that most messages need not look.
    async fn wake_held(self, tx: &mut Tx, conversation: ConversationId, last_inbound_at: Option<Timestamp>) -> Result<(), CrmError> {
        if policy::window_is_open(&self.receiver.connector, AccountFacts { last_inbound_at }, tx.now()) {
            return Ok(());
        }
        let held = tx
            .fetch_all(
                "SELECT run_id, step FROM messages WHERE organisation = $1 AND conversation_id = $2 AND status = 'held'
                 AND run_id IS NOT NULL AND step IS NOT NULL ORDER BY id LIMIT $3",
                args![self.organisation, conversation, WOKEN_AT_ONCE],
            )
            .await?;
        for row in held {
            let step: String = row.get("step")?;
            tx.wake(row.get("run_id")?, step);
        }
        Ok(())
    }

    async fn is_stored(self, tx: &mut Tx, external_id: &str) -> Result<bool, CrmError> {
        let row = tx
            .fetch_optional(
                "SELECT 1 AS one FROM messages WHERE organisation = $1 AND connection_id = $2 AND external_id = $3",
                args![self.organisation, self.receiver.id, external_id],
            )
            .await?;
        Ok(row.is_some())
    }

    /// Whether it was new.
    async fn insert(self, tx: &mut Tx, stored: &Stored, message: &IncomingMessage) -> Result<bool, CrmError> {
        let now = tx.now();
        let author = author(stored.contact, message);
        let (direction, status) = if message.outbound { ("outbound", "sent") } else { ("inbound", "received") };
        let inserted = tx
            .execute(
                "INSERT INTO messages (organisation, id, conversation_id, contact_id, channel, connection_id, direction, kind, text, attachments,
                                       external_id, reply_id, context_id, status, author_kind, author_id, at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
                 ON CONFLICT (organisation, connection_id, external_id) WHERE external_id IS NOT NULL DO NOTHING",
                args![
                    self.organisation,
                    stored.id,
                    stored.conversation,
                    stored.contact,
                    &self.receiver.connector,
                    self.receiver.id,
                    direction,
                    known_kind(&message.kind),
                    message.text.clone().unwrap_or_default(),
                    Value::from(message.attachments.clone()),
                    &message.external_id,
                    &message.reply_id,
                    &message.context_id,
                    status,
                    author.kind.as_str(),
                    author.id,
                    message.at.unwrap_or(now)
                ],
            )
            .await?;
        Ok(inserted > 0)
    }

    fn touch_conversation(self, tx: &mut Tx, stored: &Stored, message: &IncomingMessage) -> Result<(), CrmError> {
        let now = tx.now();
        let line = messages::short(&message.kind, message.text.as_deref().unwrap_or_default());
        if message.outbound {
            tx.leave(
                "UPDATE conversations SET last_outbound_at = $3, last_message_at = $3, last_text = $4 WHERE organisation = $1 AND id = $2",
                args![self.organisation, stored.conversation, now, line],
            )?;
        } else {
            tx.leave(
                "UPDATE conversations SET last_inbound_at = CASE WHEN last_inbound_at > $3 THEN last_inbound_at ELSE $3 END,
                        last_message_at = $4, last_text = $5, unread = unread + 1
                 WHERE organisation = $1 AND id = $2",
                args![self.organisation, stored.conversation, window_opened_at(message.at, now), now, line],
            )?;
        }
        Ok(())
    }

    fn tell_message(self, tx: &mut Tx, stored: &Stored, message: &IncomingMessage, line: &str) {
        let at = message.at.unwrap_or_else(|| tx.now());
        let mut data = self.facts(stored, author(stored.contact, message), at);
        data.insert("external_id".into(), message.external_id.clone().into());
        data.insert("from".into(), from(&message.sender).into());
        data.insert("name".into(), message.sender.name.clone().into());
        data.insert("text".into(), message.text.clone().into());
        data.insert("kind".into(), known_kind(&message.kind).into());
        data.insert("reply_id".into(), message.reply_id.clone().into());
        data.insert("context_id".into(), message.context_id.clone().into());
        data.insert("attachments".into(), message.attachments.clone().into());
        let (kind, id) =
            if message.outbound { ("message.sent", format!("{}:sent", message.external_id)) } else { ("message.received", message.external_id.clone()) };
        self.emit(tx, kind, data, Some(id), Some(stored.contact.to_string()), Some(at));
        self.announce(tx, stored, kind, line);
    }

    fn facts(self, stored: &Stored, author: Author, at: Timestamp) -> Object {
        Facts {
            contact: Some(stored.contact),
            conversation: Some(stored.conversation),
            message: Some(stored.id),
            channel: &self.receiver.connector,
            connection: self.receiver.id,
            author,
            at,
        }
        .to_object()
    }

    fn announce(self, tx: &mut Tx, stored: &Stored, event: &str, text: &str) {
        tx.announce(Change {
            organisation: self.organisation,
            topic: "message".into(),
            id: stored.id.to_string(),
            data: serde_json::json!({ "event": event, "conversation_id": stored.conversation, "contact_id": stored.contact, "text": text }),
        });
    }

    /// STOP and its like are heard from what a person types or taps.
    async fn hear_consent(self, tx: &mut Tx, contact: ContactId, message: &IncomingMessage) -> Result<(), CrmError> {
        let Some(text) = message.text.as_deref().filter(|_| matches!(message.kind.as_str(), "text" | "interactive")) else { return Ok(()) };
        let Some(granted) = consent::read_text(text) else { return Ok(()) };
        let at = message.at.unwrap_or_else(|| tx.now());
        let said = consent::Statement { channel: &self.receiver.connector, category: "all", granted, at, source: "message", text };
        consent::record(tx, self.organisation, &Actor::Contact { id: contact.0 }, contact, &said).await?;
        Ok(())
    }

    pub(super) async fn edited(self, tx: &mut Tx, message: &IncomingMessage) -> Result<Kind, CrmError> {
        if !self.is_first(tx, Some(&format!("edit:{}", message.external_id))).await? {
            return Ok(Kind::Duplicate);
        }
        let now = tx.now();
        let row = tx
            .fetch_optional(
                "UPDATE messages SET kind = $4, text = $5, attachments = $6, edited_at = $7
                 WHERE organisation = $1 AND connection_id = $2 AND external_id = $3 RETURNING id, contact_id, conversation_id",
                args![
                    self.organisation,
                    self.receiver.id,
                    &message.context_id,
                    known_kind(&message.kind),
                    message.text.clone().unwrap_or_default(),
                    Value::from(message.attachments.clone()),
                    now
                ],
            )
            .await?;
        let Some(row) = row else {
            // The original never came: the new content is all there is.
            let whole = IncomingMessage { change: None, ..message.clone() };
            return self.message(tx, &whole).await;
        };
        let stored = Stored { id: row.get("id")?, contact: row.get("contact_id")?, conversation: row.get("conversation_id")? };
        let line = messages::short(&message.kind, message.text.as_deref().unwrap_or_default());
        self.changed(tx, &stored, message, "message.edited", &format!("Message edited: {line}"))
    }

    pub(super) async fn revoked(self, tx: &mut Tx, message: &IncomingMessage) -> Result<Kind, CrmError> {
        if !self.is_first(tx, Some(&format!("revoke:{}", message.external_id))).await? {
            return Ok(Kind::Duplicate);
        }
        let now = tx.now();
        let row = tx
            .fetch_optional(
                "UPDATE messages SET revoked_at = $4 WHERE organisation = $1 AND connection_id = $2 AND external_id = $3
                 RETURNING id, contact_id, conversation_id",
                args![self.organisation, self.receiver.id, &message.context_id, now],
            )
            .await?;
        let Some(row) = row else {
            self.keep_raw(tx, "message.revoked", Some(&message.external_id), Object::new());
            return Ok(Kind::Raw);
        };
        let stored = Stored { id: row.get("id")?, contact: row.get("contact_id")?, conversation: row.get("conversation_id")? };
        self.changed(tx, &stored, message, "message.revoked", "Message taken back")
    }

    fn changed(self, tx: &mut Tx, stored: &Stored, message: &IncomingMessage, kind: &'static str, line: &str) -> Result<Kind, CrmError> {
        let actor = if message.outbound { self.actor() } else { Actor::Contact { id: stored.contact.0 } };
        timeline::add(tx, self.organisation, stored.contact, &actor, ItemKind::Message, line, Some(stored.id.0))?;
        let at = message.at.unwrap_or_else(|| tx.now());
        let mut data = self.facts(stored, author(stored.contact, message), at);
        data.insert("external_id".into(), message.context_id.clone().into());
        data.insert("text".into(), message.text.clone().into());
        data.insert("kind".into(), known_kind(&message.kind).into());
        self.emit(tx, kind, data, Some(format!("{kind}:{}", message.external_id)), Some(stored.contact.to_string()), Some(at));
        self.announce(tx, stored, kind, line);
        Ok(Kind::Other)
    }
}

fn author(contact: ContactId, message: &IncomingMessage) -> Author {
    if message.outbound {
        // Somebody of ours, at the provider's own app; it does not say who.
        Author { kind: AuthorKind::User, id: None }
    } else {
        Author { kind: AuthorKind::Contact, id: Some(contact.to_string()) }
    }
}

/// What `from` says: the phone number where the provider shows it, else the strongest address.
fn from(sender: &Sender) -> Option<String> {
    sender.phone.clone().or_else(|| sender.external_ids.first().cloned()).or_else(|| sender.email.clone())
}

fn known_kind(kind: &str) -> &str {
    if KINDS.contains(&kind) { kind } else { "unsupported" }
}

/// When a message opened the provider's window: the provider's own time, never later than ours. A time further back than
/// providers repeat deliveries is a wrong clock, and the intake counts.
fn window_opened_at(at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    match at {
        Some(at) if now.millis_since(at) <= LATEST_DELIVERY_MS => at.min(now),
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_opens_at_the_providers_time_within_reason() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        for (at, expected) in [
            (None, now),
            (Some(now.plus_millis(-5)), now.plus_millis(-5)),
            (Some(now.plus_millis(5)), now),
            (Some(now.plus_millis(-LATEST_DELIVERY_MS)), now.plus_millis(-LATEST_DELIVERY_MS)),
            (Some(now.plus_millis(-LATEST_DELIVERY_MS - 1)), now),
            (Some(Timestamp::from_millis(0)), now),
        ] {
            assert_eq!(window_opened_at(at, now), expected, "{at:?}");
        }
    }
}
