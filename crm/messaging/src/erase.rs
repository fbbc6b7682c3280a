//! Erasing what a person wrote: the rows stay as facts (who sent when, how it went), their words go.

use onward_core::OrganisationId;
use onward_database::{DatabaseError, Tx, args};
use onward_records::ContactId;

/// Takes the words out of a contact's messages and conversations. Call it with `onward_records::contacts::delete`.
pub async fn erase_contact(tx: &mut Tx, organisation: OrganisationId, contact: ContactId) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE messages SET text = '', attachments = '[]', reply_id = NULL WHERE conversation_id IN
            (SELECT id FROM conversations WHERE organisation = $1 AND contact_id = $2) AND organisation = $1",
        args![organisation, contact],
    )
    .await?;
    tx.execute("UPDATE conversations SET last_text = '' WHERE organisation = $1 AND contact_id = $2", args![organisation, contact]).await?;
    tx.execute("DELETE FROM message_drafts WHERE organisation = $1 AND contact_id = $2", args![organisation, contact]).await?;
    crate::questions::forget_contact(tx, organisation, contact).await?;
    // That they refused stays, its words go: a refusal must outlive the person's other data.
    tx.execute("UPDATE consents SET text = '' WHERE organisation = $1 AND contact_id = $2", args![organisation, contact]).await?;
    Ok(())
}
