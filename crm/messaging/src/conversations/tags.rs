//! Tags on conversations.

use super::{Conversation, emit, get_to_change};
use crate::ConversationId;
use onward_accounts::{Actor, CrmError};
use onward_core::{OrganisationId, ports::Transaction};
use onward_database::{DatabaseError, Query, Rows, Tx, args};
use onward_records::{
    tags::normalise,
    timeline::{self, ItemKind},
};
use std::collections::BTreeMap;

/// Tags of one conversation.
const TAGS: usize = 50;

/// Adds tags to a conversation and takes others away. Emits `conversation.tagged`, and nothing when nothing changes.
pub async fn tag(
    tx: &mut Tx,
    organisation: OrganisationId,
    actor: &Actor,
    id: ConversationId,
    add: &[String],
    remove: &[String],
) -> Result<Conversation, CrmError> {
    let mut conversation = get_to_change(tx, organisation, id).await?;
    let mut added = Vec::new();
    for tag in add {
        let tag = normalise(tag)?;
        if !conversation.tags.contains(&tag) && !added.contains(&tag) {
            added.push(tag);
        }
    }
    let removed: Vec<String> =
        conversation.tags.iter().filter(|known| remove.iter().any(|given| given.trim() == *known) && !add.contains(known)).cloned().collect();
    if added.is_empty() && removed.is_empty() {
        return Ok(conversation);
    }
    conversation.tags.retain(|tag| !removed.contains(tag));
    conversation.tags.extend(added.iter().cloned());
    conversation.tags.sort();
    if conversation.tags.len() > TAGS {
        return Err(CrmError::invalid("tags", format!("a conversation has at most {TAGS} tags")));
    }
    tx.execute(
        "INSERT INTO conversation_tags (organisation, tag, conversation_id) SELECT $1, t.tag, $2 FROM {$3: tag text} AS t WHERE true
         ON CONFLICT (organisation, tag, conversation_id) DO NOTHING",
        args![organisation, id, Rows::of(&added)],
    )
    .await?;
    tx.execute(
        "DELETE FROM conversation_tags WHERE organisation = $1 AND conversation_id = $2 AND tag IN (SELECT t.tag FROM {$3: tag text} AS t)",
        args![organisation, id, Rows::of(&removed)],
    )
    .await?;
    let mut parts = Vec::new();
    for (what, list) in [("tagged", &added), ("tags removed", &removed)] {
        if !list.is_empty() {
            parts.push(format!("{what}: {}", list.join(", ")));
        }
    }
    timeline::add(tx, organisation, conversation.contact_id, actor, ItemKind::Tag, &format!("Conversation {}", parts.join("; ")), Some(id.0))?;
    let mut data = conversation.facts(actor, tx.now());
    data.insert("tags".into(), conversation.tags.clone().into());
    data.insert("added".into(), added.into());
    data.insert("removed".into(), removed.into());
    emit(tx, organisation, actor, "conversation.tagged", id, data);
    Ok(conversation)
}

/// Gives conversations their tags: one statement, however many.
pub(super) async fn fill(db: &mut impl Query, organisation: OrganisationId, conversations: &mut [Conversation]) -> Result<(), DatabaseError> {
    if conversations.is_empty() {
        return Ok(());
    }
    let ids = Rows::of(conversations.iter().map(|conversation| conversation.id));
    let rows = db
        .fetch_all(
            "SELECT t.conversation_id, t.tag FROM {$2: id uuid} AS w CROSS JOIN conversation_tags AS t
             WHERE t.organisation = $1 AND t.conversation_id = w.id ORDER BY t.tag",
            args![organisation, ids],
        )
        .await?;
    let mut tags: BTreeMap<ConversationId, Vec<String>> = BTreeMap::new();
    for row in &rows {
        tags.entry(row.get("conversation_id")?).or_default().push(row.get("tag")?);
    }
    for conversation in conversations {
        conversation.tags = tags.remove(&conversation.id).unwrap_or_default();
    }
    Ok(())
}
