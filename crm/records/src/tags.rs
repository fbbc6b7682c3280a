//! Tags on contacts.

use crate::{Contact, ContactId, contacts, events, timeline, timeline::ItemKind};
use onward_accounts::{Actor, CrmError};
use onward_core::{OrganisationId, ports::Transaction};
use onward_database::{DatabaseError, Rows, Tx, args};

/// Characters of a tag.
pub const TAG_CHARACTERS: usize = 64;
/// Tags of one contact.
pub const TAGS_PER_CONTACT: usize = 200;

/// A tag as it is stored: trimmed. Case counts: `VIP` and `vip` are two tags.
pub fn normalise(text: &str) -> Result<String, CrmError> {
    let tag = text.trim();
    if tag.is_empty() || tag.chars().count() > TAG_CHARACTERS || tag.chars().any(char::is_control) {
        return Err(CrmError::invalid("tags", format!("`{text}` is no tag; a tag has 1 to {TAG_CHARACTERS} characters")));
    }
    Ok(tag.to_owned())
}

/// Adds tags; those already there stay as they are.
pub async fn add(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, contact: ContactId, tags: &[String]) -> Result<Contact, CrmError> {
    let mut person = contacts::get_to_change(tx, organisation, contact).await?.ok_or_else(|| CrmError::not_found("contact", contact))?;
    let mut added = Vec::new();
    for tag in tags {
        let tag = normalise(tag)?;
        if !person.tags.contains(&tag) && !added.contains(&tag) {
            added.push(tag);
        }
    }
    if added.is_empty() {
        return Ok(person);
    }
    if person.tags.len() + added.len() > TAGS_PER_CONTACT {
        return Err(CrmError::invalid("tags", format!("a contact has at most {TAGS_PER_CONTACT} tags")));
    }
    insert(tx, organisation, person.id, &added).await?;
    person.tags.extend(added.iter().cloned());
    person.tags.sort();
    changed(tx, organisation, actor, &mut person, &format!("Tagged: {}", added.join(", "))).await?;
    Ok(person)
}

/// Takes tags away; those not there are no error.
pub async fn remove(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, contact: ContactId, tags: &[String]) -> Result<Contact, CrmError> {
    let mut person = contacts::get_to_change(tx, organisation, contact).await?.ok_or_else(|| CrmError::not_found("contact", contact))?;
    let removed: Vec<String> = person.tags.iter().filter(|tag| tags.iter().any(|given| given.trim() == *tag)).cloned().collect();
    if removed.is_empty() {
        return Ok(person);
    }
    delete(tx, organisation, person.id, &removed).await?;
    person.tags.retain(|tag| !removed.contains(tag));
    changed(tx, organisation, actor, &mut person, &format!("Tags removed: {}", removed.join(", "))).await?;
    Ok(person)
}

async fn changed(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, person: &mut Contact, text: &str) -> Result<(), CrmError> {
    contacts::note_updated(tx, organisation, person).await?;
    timeline::add(tx, organisation, person.id, actor, ItemKind::Tag, text, None)?;
    events::emit(tx, organisation, actor, "contact.updated", person, &["tags".to_owned()]);
    Ok(())
}

pub(crate) async fn insert(tx: &mut Tx, organisation: OrganisationId, contact: ContactId, tags: &[String]) -> Result<(), DatabaseError> {
    if tags.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    tx.execute(
        "INSERT INTO contact_tags (organisation, tag, contact_id, added_at) SELECT $1, t.tag, $2, $3 FROM {$4: tag text} AS t WHERE true
         ON CONFLICT (organisation, tag, contact_id) DO NOTHING",
        args![organisation, contact, now, Rows::of(tags)],
    )
    .await?;
    Ok(())
}

pub(crate) async fn delete(tx: &mut Tx, organisation: OrganisationId, contact: ContactId, tags: &[String]) -> Result<(), DatabaseError> {
    if tags.is_empty() {
        return Ok(());
    }
    tx.execute(
        "DELETE FROM contact_tags WHERE organisation = $1 AND contact_id = $2 AND tag IN (SELECT t.tag FROM {$3: tag text} AS t)",
        args![organisation, contact, Rows::of(tags)],
    )
    .await?;
    Ok(())
}
