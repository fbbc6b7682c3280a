//! Removing a contact: the person's data goes, the id stays.

use super::get_to_change;
use crate::ContactId;
use onward_accounts::{Actor, CrmError, audit};
use onward_core::{
    OrganisationId, Value,
    ports::{Change, Transaction},
};
use onward_database::{Tx, args};

/// Removes a person's data: names, addresses, identities, tags, tasks, timeline, the words of deals. The id stays, so that runs and conversations still
/// point at something; whoever erases a person calls messaging's and the engine's erasure as well.
pub async fn delete(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: ContactId) -> Result<(), CrmError> {
    if get_to_change(tx, organisation, id).await?.is_none_or(|found| found.id != id) {
        return Err(CrmError::not_found("contact", id));
    }
    let now = tx.now();
    tx.execute(
        "UPDATE contacts SET name = '', first_name = '', last_name = '', timezone = NULL, language = NULL, fields = '{}', company_id = NULL, score = 0, updated_at = $3, deleted_at = $3
         WHERE organisation = $1 AND id = $2",
        args![organisation, id, now],
    )
    .await?;
    tx.execute("DELETE FROM contact_addresses WHERE organisation = $1 AND contact_id = $2", args![organisation, id]).await?;
    tx.execute("DELETE FROM identities WHERE organisation = $1 AND contact_id = $2", args![organisation, id]).await?;
    tx.execute("DELETE FROM contact_tags WHERE organisation = $1 AND contact_id = $2", args![organisation, id]).await?;
    tx.execute("DELETE FROM segment_members WHERE organisation = $1 AND contact_id = $2", args![organisation, id]).await?;
    tx.execute("DELETE FROM tasks WHERE organisation = $1 AND contact_id = $2", args![organisation, id]).await?;
    // What was sold for how much stays; the words in which somebody wrote of the person go.
    tx.execute(
        "UPDATE deals SET title = 'Deal', fields = '{}', lost_reason = NULL, updated_at = $3 WHERE organisation = $1 AND contact_id = $2",
        args![organisation, id, now],
    )
    .await?;
    tx.execute("DELETE FROM timeline WHERE organisation = $1 AND contact_id = $2", args![organisation, id]).await?;
    let deed = audit::Deed { action: "contact.deleted", subject: "contact", subject_id: id.to_string(), before: Value::Null, after: Value::Null };
    audit::record(tx, organisation, actor, deed).await?;
    tx.announce(Change { organisation, topic: "contact".into(), id: id.to_string(), data: serde_json::json!({ "event": "contact.deleted" }) });
    Ok(())
}
