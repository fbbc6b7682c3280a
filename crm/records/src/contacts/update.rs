//! Changing a contact: merging what a source knows, setting what a person sets.

use super::{Contact, ContactChange, ContactPatch, Upserted, get, get_to_change, join_name, limits, upsert};
use crate::{ContactId, events, fields, identities, tags, timeline, timeline::ItemKind};
use onward_accounts::{Actor, CrmError};
use onward_core::{OrganisationId, Value, ports::Transaction};
use onward_database::{DatabaseError, Tx, args};

/// Adds what a source knows; `change` is normalised.
pub(super) async fn merge(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, before: Contact, change: ContactChange) -> Result<Upserted, CrmError> {
    let mut after = before.clone();
    let parts_given = change.first_name.is_some() || change.last_name.is_some();
    after.first_name = change.first_name.unwrap_or(after.first_name);
    after.last_name = change.last_name.unwrap_or(after.last_name);
    match change.name {
        Some(name) => after.name = name,
        None if parts_given => after.name = join_name(&after.first_name, &after.last_name),
        None => {}
    }
    after.timezone = change.timezone.or(after.timezone);
    after.language = change.language.or(after.language);
    after.company_id = change.company.or(after.company_id);
    after.fields.extend(change.fields);
    for (list, known) in [(change.phones, &mut after.phones), (change.emails, &mut after.emails)] {
        known.extend(list.into_iter().filter(|value| !before.phones.contains(value) && !before.emails.contains(value)));
    }
    after.tags.extend(change.tags.into_iter().filter(|tag| !before.tags.contains(tag)));
    after.tags.sort();
    let new_identities: Vec<_> = change.identities.into_iter().filter(|key| !before.identities.iter().any(|known| known.key == *key)).collect();
    let attached = identities::attach(tx, organisation, before.id, &new_identities, None).await? > 0;
    store(tx, organisation, actor, before, after, attached).await
}

/// Sets what a person sets by hand. Emits `contact.updated`, and nothing when nothing changes.
pub async fn update(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: ContactId, patch: ContactPatch) -> Result<Upserted, CrmError> {
    let patch = patch.normalised(tx, organisation).await?;
    let before = get_to_change(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("contact", id))?;
    let mut after = before.clone();
    let parts_given = patch.first_name.is_some() || patch.last_name.is_some();
    after.first_name = patch.first_name.unwrap_or(after.first_name);
    after.last_name = patch.last_name.unwrap_or(after.last_name);
    match patch.name {
        Some(name) => after.name = name,
        None if parts_given => after.name = join_name(&after.first_name, &after.last_name),
        None => {}
    }
    after.phones = patch.phones.unwrap_or(after.phones);
    after.emails = patch.emails.unwrap_or(after.emails);
    after.tags = patch.tags.unwrap_or(after.tags);
    after.timezone = patch.timezone.unwrap_or(after.timezone);
    after.language = patch.language.unwrap_or(after.language);
    after.company_id = patch.company.unwrap_or(after.company_id);
    after.score = patch.score.unwrap_or(after.score);
    fields::set(&mut after.fields, patch.fields);
    store(tx, organisation, actor, before, after, false).await
}

/// What becomes of a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreChange {
    /// This many.
    To(i64),
    /// This many more, or fewer.
    By(i64),
}

/// Sets a contact's score or moves it. Emits `contact.updated`, and nothing when nothing changes.
pub async fn set_score(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: ContactId, change: ScoreChange) -> Result<Contact, CrmError> {
    let before = get_to_change(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("contact", id))?;
    let score = match change {
        ScoreChange::To(score) => score,
        ScoreChange::By(points) => before.score.saturating_add(points),
    };
    let after = Contact { score, ..before.clone() };
    Ok(store(tx, organisation, actor, before, after, false).await?.contact)
}

/// Writes the difference, with its timeline items and its event.
pub(super) async fn store(
    tx: &mut Tx,
    organisation: OrganisationId,
    actor: &Actor,
    before: Contact,
    mut after: Contact,
    attached: bool,
) -> Result<Upserted, CrmError> {
    let changed = difference(&before, &after, attached);
    if changed.is_empty() {
        return Ok(Upserted { contact: before, created: false, changed });
    }
    fields::check(&after.fields)?;
    if !(-limits::SCORE..=limits::SCORE).contains(&after.score) {
        return Err(CrmError::invalid("score", format!("a score goes from -{0} to {0}", limits::SCORE)));
    }
    if after.tags.len() > tags::TAGS_PER_CONTACT {
        return Err(CrmError::invalid("tags", format!("a contact has at most {} tags", tags::TAGS_PER_CONTACT)));
    }
    for (list, what) in [(&after.phones, "phones"), (&after.emails, "emails")] {
        if list.len() > limits::ADDRESSES {
            return Err(CrmError::invalid(what, format!("a contact has at most {} {what}", limits::ADDRESSES)));
        }
    }
    write_row(tx, organisation, &mut after).await?;
    if before.phones != after.phones || before.emails != after.emails {
        let kept = |old: &[String], new: &[String]| new.starts_with(old);
        if kept(&before.phones, &after.phones) && kept(&before.emails, &after.emails) {
            upsert::add_addresses(tx, organisation, &after, before.phones.len(), before.emails.len())?;
        } else {
            tx.execute("DELETE FROM contact_addresses WHERE organisation = $1 AND contact_id = $2", args![organisation, after.id]).await?;
            upsert::add_addresses(tx, organisation, &after, 0, 0)?;
        }
    }
    let added: Vec<String> = after.tags.iter().filter(|tag| !before.tags.contains(tag)).cloned().collect();
    let removed: Vec<String> = before.tags.iter().filter(|tag| !after.tags.contains(tag)).cloned().collect();
    tags::insert(tx, organisation, after.id, &added).await?;
    tags::delete(tx, organisation, after.id, &removed).await?;
    if !added.is_empty() {
        timeline::add(tx, organisation, after.id, actor, ItemKind::Tag, &format!("Tagged: {}", added.join(", ")), None)?;
    }
    if !removed.is_empty() {
        timeline::add(tx, organisation, after.id, actor, ItemKind::Tag, &format!("Tags removed: {}", removed.join(", ")), None)?;
    }
    let fields: Vec<&str> = changed.iter().map(String::as_str).filter(|name| *name != "tags").collect();
    if !fields.is_empty() {
        timeline::add(tx, organisation, after.id, actor, ItemKind::Field, &format!("Changed: {}", fields.join(", ")), None)?;
    }
    if attached {
        after = get(tx, organisation, after.id).await?.ok_or_else(|| CrmError::not_found("contact", after.id))?;
    }
    events::emit(tx, organisation, actor, "contact.updated", &after, &changed);
    Ok(Upserted { contact: after, created: false, changed })
}

fn difference(before: &Contact, after: &Contact, attached: bool) -> Vec<String> {
    let mut changed: Vec<String> = [
        ("name", before.name != after.name),
        ("first_name", before.first_name != after.first_name),
        ("last_name", before.last_name != after.last_name),
        ("phones", before.phones != after.phones),
        ("emails", before.emails != after.emails),
        ("tags", before.tags != after.tags),
        ("identities", attached),
        ("timezone", before.timezone != after.timezone),
        ("language", before.language != after.language),
        ("company", before.company_id != after.company_id),
        ("score", before.score != after.score),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(name, _)| name.to_owned())
    .collect();
    changed.extend(fields::changed(&before.fields, &after.fields));
    changed
}

async fn write_row(tx: &mut Tx, organisation: OrganisationId, contact: &mut Contact) -> Result<(), DatabaseError> {
    contact.updated_at = tx.now();
    tx.execute(
        "UPDATE contacts SET name = $3, first_name = $4, last_name = $5, timezone = $6, language = $7, fields = $8, opt_outs = $9, score = $10, company_id = $11, updated_at = $12
         WHERE organisation = $1 AND id = $2",
        args![
            organisation,
            contact.id,
            &contact.name,
            &contact.first_name,
            &contact.last_name,
            &contact.timezone,
            &contact.language,
            Value::Object(contact.fields.clone()),
            Value::from(contact.opt_outs.clone()),
            contact.score,
            contact.company_id,
            contact.updated_at
        ],
    )
    .await?;
    Ok(())
}

/// Moves `updated_at`, for a change in a table beside the contact's own.
pub(crate) async fn note_updated(tx: &mut Tx, organisation: OrganisationId, contact: &mut Contact) -> Result<(), DatabaseError> {
    contact.updated_at = tx.now();
    tx.execute("UPDATE contacts SET updated_at = $3 WHERE organisation = $1 AND id = $2", args![organisation, contact.id, contact.updated_at]).await?;
    Ok(())
}

/// Notes on the contact that they refuse (`out`) or accept again a category on a channel; whether that is news. The proof,
/// the timeline item and the event are the caller's: consent belongs to messaging.
pub async fn set_opt_out(
    tx: &mut Tx,
    organisation: OrganisationId,
    id: ContactId,
    channel: &str,
    category: &str,
    out: bool,
) -> Result<Option<Contact>, CrmError> {
    let mut contact = get_to_change(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("contact", id))?;
    let entry = format!("{channel}:{category}");
    if contact.opt_outs.contains(&entry) == out {
        return Ok(None);
    }
    if out {
        contact.opt_outs.push(entry);
        contact.opt_outs.sort();
    } else {
        contact.opt_outs.retain(|known| *known != entry);
    }
    write_row(tx, organisation, &mut contact).await?;
    Ok(Some(contact))
}
