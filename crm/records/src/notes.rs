//! Notes: what someone writes down about a contact. A note is an item of the timeline.

use crate::{ContactId, TimelineId, contacts, timeline, timeline::ItemKind};
use onward_accounts::{Actor, CrmError};
use onward_core::{
    OrganisationId,
    ports::{Change, Transaction},
};
use onward_database::Tx;

/// Writes a note.
pub async fn add(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, contact: ContactId, text: &str) -> Result<TimelineId, CrmError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(CrmError::invalid("text", "a note needs a text"));
    }
    if text.chars().count() > timeline::NOTE_CHARACTERS {
        return Err(CrmError::invalid("text", format!("a note has at most {} characters", timeline::NOTE_CHARACTERS)));
    }
    let contact = contacts::get(tx, organisation, contact).await?.ok_or_else(|| CrmError::not_found("contact", contact))?.id;
    let id = timeline::add(tx, organisation, contact, actor, ItemKind::Note, text, None)?;
    tx.announce(Change { organisation, topic: "contact".into(), id: contact.to_string(), data: serde_json::json!({ "event": "note.added" }) });
    Ok(id)
}
