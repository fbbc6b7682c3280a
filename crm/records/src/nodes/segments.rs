//! `crm.segment.contains`, `add` and `remove`.

use super::contacts::{contact, contact_of};
use crate::{
    ContactId, contacts,
    segments::{self, Segment},
};
use onward_accounts::{
    Actor, CrmError,
    nodes::{Described, RecordNode, input::Input, schema},
};
use onward_core::{
    Value,
    ports::{Node, StepContext},
};
use onward_database::Tx;
use serde_json::json;
use std::sync::Arc;

pub(super) fn nodes() -> Vec<Arc<dyn Node<Tx>>> {
    let described = |id, title, description, answer: &str, says| Described {
        id,
        title,
        description,
        category: "CRM",
        input: schema::input(
            &json!({ "segment": { "type": ["string", "object"], "x-names": "segment", "description": "A segment's name or id" }, "contact": contact() }),
            &["segment"],
        ),
        example: json!({ "segment": "vip" }),
        output: (
            json!({
                "type": "object",
                "properties": {
                    "segment_id": { "type": "string" }, "contact_id": { "type": "string" }, answer: { "type": "boolean", "description": says }
                },
                "required": ["segment_id", "contact_id", answer]
            }),
            json!({ "segment_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b80", "contact_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2c", answer: true }),
        ),
        order: &["segment", "contact"],
        binds: None,
    };
    vec![
        RecordNode::of(
            described("crm.segment.contains", "Is the contact in a segment?", "Whether the contact is in the segment now.", "contains", "They are in it"),
            |tx, ctx, input| Box::pin(contains(tx, ctx, input)),
        ),
        RecordNode::of(
            described("crm.segment.add", "Put into a segment", "Puts the contact into a static segment.", "changed", "They were not in it"),
            |tx, ctx, input| Box::pin(change(tx, ctx, input, true)),
        ),
        RecordNode::of(
            described("crm.segment.remove", "Take out of a segment", "Takes the contact out of a static segment.", "changed", "They were in it"),
            |tx, ctx, input| Box::pin(change(tx, ctx, input, false)),
        ),
    ]
}

async fn parties(tx: &mut Tx, ctx: &StepContext, input: &Input<'_>) -> Result<(Segment, ContactId), CrmError> {
    let name = input.id("segment")?.ok_or_else(|| CrmError::invalid("segment", "name the segment"))?;
    let contact = contact_of(input, ctx)?;
    let segment = segments::find(tx, ctx.organisation, &name).await?;
    let person = contacts::get(tx, ctx.organisation, contact).await?.ok_or_else(|| CrmError::not_found("contact", contact))?;
    Ok((segment, person.id))
}

async fn contains(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let (segment, contact) = parties(tx, ctx, &input).await?;
    let contains = segments::contains(tx, ctx.organisation, segment.id, contact).await?;
    Ok(json!({ "segment_id": segment.id, "contact_id": contact, "contains": contains }))
}

async fn change(tx: &mut Tx, ctx: &StepContext, input: Input<'_>, put_in: bool) -> Result<Value, CrmError> {
    let (segment, contact) = parties(tx, ctx, &input).await?;
    let actor = Actor::of_step(ctx);
    let changed = if put_in {
        segments::add(tx, ctx.organisation, &actor, &segment, &[contact]).await?
    } else {
        segments::remove(tx, ctx.organisation, &actor, &segment, &[contact]).await?
    };
    Ok(json!({ "segment_id": segment.id, "contact_id": contact, "changed": changed > 0 }))
}
