//! Merging two contacts that are one person: records' part, and what was said with them.

use crate::conversations;
use onward_accounts::{Actor, CrmError};
use onward_core::OrganisationId;
use onward_database::{Query as _, Tx, args};
use onward_records::{Contact, ContactId, contacts};

/// Makes two contacts one, with their conversations, messages, drafts and consents; see [`contacts::merge`]. Where both have an
/// open conversation on one account, the other's is closed, since a contact has one.
pub async fn contacts(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, survivor: ContactId, other: ContactId) -> Result<Contact, CrmError> {
    let both_open = tx
        .fetch_all(
            "SELECT o.id FROM conversations AS o
             WHERE o.organisation = $1 AND o.contact_id = $2 AND o.status = 'open'
               AND EXISTS (SELECT 1 FROM conversations AS s
                           WHERE s.organisation = $1 AND s.contact_id = $3 AND s.connection_id = o.connection_id AND s.status = 'open')",
            args![organisation, other, survivor],
        )
        .await?;
    if survivor != other {
        for row in &both_open {
            conversations::close(tx, organisation, actor, row.get("id")?).await?;
        }
    }
    let merged = contacts::merge(tx, organisation, actor, survivor, other).await?;
    for sql in [
        "UPDATE messages SET contact_id = $3 WHERE organisation = $1
            AND conversation_id IN (SELECT id FROM conversations WHERE organisation = $1 AND contact_id = $2)",
        "UPDATE message_drafts SET contact_id = $3 WHERE organisation = $1
            AND conversation_id IN (SELECT id FROM conversations WHERE organisation = $1 AND contact_id = $2)",
        "UPDATE conversations SET contact_id = $3 WHERE organisation = $1 AND contact_id = $2",
        "UPDATE consents SET contact_id = $3 WHERE organisation = $1 AND contact_id = $2",
        "UPDATE contact_questions SET contact_id = $3 WHERE organisation = $1 AND contact_id = $2",
    ] {
        tx.execute(sql, args![organisation, other, survivor]).await?;
    }
    Ok(merged)
}
