//! Merging two contacts that are one person.

use super::{Contact, get_many, get_to_change, update};
use crate::{ContactId, events};
use onward_accounts::{Actor, CrmError, audit};
use onward_core::{OrganisationId, Value, ports::Transaction};
use onward_database::{Tx, args};

/// Makes two contacts one: the survivor keeps what it has and gets what only the other one has (names, addresses, tags, fields
/// that it lacks); identities, timeline, deals, tasks and segments move; what either of them refused stays refused. From then
/// on the other's id means the survivor. Emits `contact.updated` and `contact.merged`.
///
/// Whoever merges people calls messaging's part as well (`onward_messaging::merge`).
///
/// # Errors
/// [`CrmError::Invalid`] for one contact twice; [`CrmError::NotFound`] for one that is not there.
pub async fn merge(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, survivor: ContactId, other: ContactId) -> Result<Contact, CrmError> {
    if survivor == other {
        return Err(CrmError::invalid("other", "a contact cannot be merged with itself"));
    }
    // Whoever merges them the other way round locks them in the same order.
    for id in [survivor.min(other), survivor.max(other)] {
        if get_to_change(tx, organisation, id).await?.is_none_or(|found| found.id != id) {
            return Err(CrmError::not_found("contact", id));
        }
    }
    let mut found = get_many(tx, organisation, &[survivor, other]).await?;
    let (Some(second), Some(first)) = (found.pop(), found.pop()) else { return Err(CrmError::not_found("contact", survivor)) };
    move_rows(tx, organisation, survivor, other).await?;
    let name_of = &second;
    let mut after = Contact { company_id: first.company_id.or(second.company_id), ..first.clone() };
    if first.name.is_empty() && first.first_name.is_empty() && first.last_name.is_empty() {
        (after.name, after.first_name, after.last_name) = (name_of.name.clone(), name_of.first_name.clone(), name_of.last_name.clone());
    }
    after.timezone = first.timezone.clone().or(second.timezone);
    after.language = first.language.clone().or(second.language);
    for (field, value) in second.fields {
        after.fields.entry(field).or_insert(value);
    }
    for (known, more) in
        [(&mut after.phones, second.phones), (&mut after.emails, second.emails), (&mut after.tags, second.tags), (&mut after.opt_outs, second.opt_outs)]
    {
        let new: Vec<String> = more.into_iter().filter(|value| !known.contains(value)).collect();
        known.extend(new);
    }
    after.tags.sort();
    after.opt_outs.sort();
    let merged = update::store(tx, organisation, actor, first, after, true).await?.contact;
    events::emit_merged(tx, organisation, actor, &merged, other);
    let deed = audit::Deed {
        action: "contact.merged",
        subject: "contact",
        subject_id: survivor.to_string(),
        before: serde_json::json!({ "merged_id": other }),
        after: Value::Null,
    };
    audit::record_by_person(tx, organisation, actor, deed).await?;
    Ok(merged)
}

/// Everything that hangs on a contact in this room; the row itself is emptied, and says into whom it went.
async fn move_rows(tx: &mut Tx, organisation: OrganisationId, survivor: ContactId, other: ContactId) -> Result<(), CrmError> {
    let now = tx.now();
    for sql in [
        "UPDATE identities SET contact_id = $3 WHERE organisation = $1 AND contact_id = $2",
        "UPDATE timeline SET contact_id = $3 WHERE organisation = $1 AND contact_id = $2",
        "UPDATE deals SET contact_id = $3 WHERE organisation = $1 AND contact_id = $2",
        "UPDATE tasks SET contact_id = $3 WHERE organisation = $1 AND contact_id = $2",
        "INSERT INTO segment_members (organisation, segment_id, contact_id, added_at)
         SELECT organisation, segment_id, $3, added_at FROM segment_members WHERE organisation = $1 AND contact_id = $2
         ON CONFLICT (organisation, segment_id, contact_id) DO NOTHING",
        // Whoever was merged into the other one before has gone along.
        "UPDATE contacts SET merged_into = $3 WHERE organisation = $1 AND merged_into = $2",
    ] {
        tx.execute(sql, args![organisation, other, survivor]).await?;
    }
    for sql in [
        "DELETE FROM segment_members WHERE organisation = $1 AND contact_id = $2",
        "DELETE FROM contact_addresses WHERE organisation = $1 AND contact_id = $2",
        "DELETE FROM contact_tags WHERE organisation = $1 AND contact_id = $2",
    ] {
        tx.execute(sql, args![organisation, other]).await?;
    }
    tx.execute(
        "UPDATE contacts SET name = '', first_name = '', last_name = '', timezone = NULL, language = NULL, fields = '{}', company_id = NULL, score = 0,
                merged_into = $3, updated_at = $4, deleted_at = $4
         WHERE organisation = $1 AND id = $2",
        args![organisation, other, survivor, now],
    )
    .await?;
    Ok(())
}
