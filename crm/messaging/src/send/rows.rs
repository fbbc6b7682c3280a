//! The message row over its attempts.

use super::{Draft, MessageId, MessageStatus};
use crate::{
    conversations, drafts, messages,
    receive::{Applied, apply, lock},
};
use onward_accounts::CrmError;
use onward_connectors::incoming::DeliveryStatus;
use onward_core::{
    ConnectionId, ErrorCode, OrganisationId, StepError, Value,
    ports::{Change, Transaction},
};
use onward_database::{Query as _, Tx, args};
use onward_records::timeline::{self, ItemKind};

impl Draft<'_> {
    /// One row over all attempts of the step: made by the first, moved by the others.
    pub(super) async fn store(&self, tx: &mut Tx, status: MessageStatus) -> Result<(), CrmError> {
        let organisation = self.ctx.organisation;
        if let Some(row) = self.existing {
            tx.execute(
                "UPDATE messages SET status = $3, verdict = $4, error = NULL WHERE organisation = $1 AND id = $2",
                args![organisation, row.id, status.as_str(), self.verdict.to_value()],
            )
            .await?;
            if row.status != status {
                announce(tx, organisation, self.id, status);
            }
            return Ok(());
        }
        if let Some(draft) = self.input.draft {
            drafts::take(tx, organisation, draft).await?;
        }
        let conversation = if let Some(conversation) = self.address.conversation {
            conversation
        } else {
            conversations::open(tx, organisation, self.actor, self.address.parties(self.contact.id)).await?
        };
        let now = tx.now();
        let text = self.input.readable();
        tx.execute(
            "INSERT INTO messages (organisation, id, conversation_id, contact_id, channel, connection_id, direction, kind, text, attachments,
                                   status, verdict, author_kind, author_id, at, run_id, step, send_key, context_id)
             VALUES ($1, $2, $3, $4, $5, $6, 'outbound', $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
            args![
                organisation,
                self.id,
                conversation,
                self.contact.id,
                &self.address.channel,
                self.address.connection_id,
                self.input.kind(),
                &text,
                self.input.attachments(),
                status.as_str(),
                self.verdict.to_value(),
                self.author.kind.as_str(),
                &self.author.id,
                now,
                self.ctx.run_id,
                &*self.ctx.step,
                &self.ctx.idempotency_key,
                &self.input.reply_to
            ],
        )
        .await?;
        let line = messages::short(self.input.kind(), &text);
        tx.execute(
            "UPDATE conversations SET last_outbound_at = $3, last_message_at = $3, last_text = $4 WHERE organisation = $1 AND id = $2",
            args![organisation, conversation, now, &line],
        )
        .await?;
        timeline::add(tx, organisation, self.contact.id, self.actor, ItemKind::Message, &line, Some(self.id.0))?;
        tx.announce(Change {
            organisation,
            topic: "message".into(),
            id: self.id.to_string(),
            data: serde_json::json!({
                "event": "message.created", "status": status.as_str(), "conversation_id": conversation, "contact_id": self.contact.id, "text": line,
            }),
        });
        Ok(())
    }
}

/// The provider took it: `sent`, unless a status was faster; and its id, under which statuses may be waiting already.
pub(super) async fn accepted(
    tx: &mut Tx,
    organisation: OrganisationId,
    connection: ConnectionId,
    id: MessageId,
    external_id: Option<&str>,
) -> Result<(), CrmError> {
    let Some(external_id) = external_id else {
        rest(tx, organisation, id, MessageStatus::Sent, None).await?;
        return Ok(());
    };
    lock(tx, connection, external_id).await?;
    let mut applied = apply(tx, organisation, connection, id, external_id, DeliveryStatus::Sent, None).await?;
    let waiting = tx
        .fetch_all(
            "SELECT status, error FROM message_statuses WHERE organisation = $1 AND connection_id = $2 AND external_id = $3",
            args![organisation, connection, external_id],
        )
        .await?;
    for row in waiting {
        let word: String = row.get("status")?;
        let Some(status) = delivery(&word) else { continue };
        let error: Option<Value> = row.get("error")?;
        applied = apply(tx, organisation, connection, id, external_id, status, error.as_ref()).await?;
    }
    if let Some(applied) = applied {
        Applied::announce(&applied, tx, organisation);
    }
    Ok(())
}

fn delivery(word: &str) -> Option<DeliveryStatus> {
    [DeliveryStatus::Sent, DeliveryStatus::Delivered, DeliveryStatus::Read, DeliveryStatus::Failed]
        .into_iter()
        .find(|status| messages::of_delivery(*status).as_str() == word)
}

/// A call ended without the provider's word that it took the message: moves the row there, unless a status has told more.
/// The status afterwards; `None` when the row is gone.
pub(super) async fn rest(
    tx: &mut Tx,
    organisation: OrganisationId,
    id: MessageId,
    status: MessageStatus,
    error: Option<&StepError>,
) -> Result<Option<MessageStatus>, CrmError> {
    let row = tx
        .fetch_optional(
            "UPDATE messages SET
                error = CASE WHEN status IN ('sending', 'queued', 'held', 'unknown') THEN $4 ELSE error END,
                status = CASE WHEN status IN ('sending', 'queued', 'held', 'unknown') THEN $3 ELSE status END
             WHERE organisation = $1 AND id = $2 RETURNING status",
            args![organisation, id, status.as_str(), error.map(StepError::to_value)],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let now: String = row.get("status")?;
    let now = MessageStatus::parse(&now);
    if let Some(now) = now {
        announce(tx, organisation, id, now);
    }
    Ok(now)
}

/// Why a message failed, as a status told it.
pub(super) async fn failure(tx: &mut Tx, organisation: OrganisationId, id: MessageId) -> Result<StepError, CrmError> {
    let error = messages::get(tx, organisation, id).await?.map(|row| row.error).unwrap_or_default();
    let code = error["code"].as_str().map_or(ErrorCode::Declined, ErrorCode::parse);
    let message = error["message"].as_str().unwrap_or("the provider says that the message failed");
    Ok(StepError::new(code, message).with_details(serde_json::json!({ "message_id": id, "provider_code": error["provider_code"] })))
}

fn announce(tx: &mut Tx, organisation: OrganisationId, id: MessageId, status: MessageStatus) {
    tx.announce(Change {
        organisation,
        topic: "message".into(),
        id: id.to_string(),
        data: serde_json::json!({ "event": "message.status", "status": status.as_str() }),
    });
}
