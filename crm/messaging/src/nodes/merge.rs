//! `crm.contact.merge`.

use crate::merge;
use onward_accounts::{
    Actor, CrmError,
    nodes::{
        Described, RecordNode,
        input::Input,
        schema::{self, record},
    },
};
use onward_core::{
    Value,
    ports::{Node, StepContext},
};
use onward_database::Tx;
use onward_records::nodes::{contact_of, contact_output};
use serde_json::json;
use std::sync::Arc;

pub(super) fn node() -> Arc<dyn Node<Tx>> {
    let described = Described {
        id: "crm.contact.merge",
        title: "Merge two contacts",
        description: "Makes two contacts one: this one keeps what it has and gets what only the other one has; what was said, sold and noted with either belongs to it.",
        category: "CRM",
        input: schema::input(
            &json!({
                "contact": record("The contact that stays: its id, or the contact; by default the run's"),
                "other": { "type": ["string", "object"], "description": "The contact that goes up in it" }
            }),
            &["other"],
        ),
        example: json!({ "other": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2d" }),
        output: contact_output(),
        order: &["contact", "other"],
        binds: None,
    };
    RecordNode::of(described, |tx, ctx, input| Box::pin(merge(tx, ctx, input)))
}

async fn merge(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let survivor = contact_of(&input, ctx)?;
    let other = input.id("other")?.ok_or_else(|| CrmError::invalid("other", "name the contact that goes up in this one"))?;
    let other = onward_core::ids::parse(&other).ok_or_else(|| CrmError::not_found("contact", other))?;
    Ok(merge::contacts(tx, ctx.organisation, &Actor::of_step(ctx), survivor, other).await?.to_value())
}
