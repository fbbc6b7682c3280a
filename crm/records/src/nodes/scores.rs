//! `crm.score.set` and `crm.score.add`.

use super::contacts::{contact, contact_of, contact_output};
use crate::contacts;
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
    let described = |id, title, description, field: &str, says, example| Described {
        id,
        title,
        description,
        category: "CRM",
        input: schema::input(&json!({ "contact": contact(), field: { "type": "integer", "description": says } }), &[field]),
        example,
        output: contact_output(),
        order: &["score", "points", "contact"],
        binds: None,
    };
    vec![
        RecordNode::of(
            described("crm.score.set", "Set a score", "Sets the contact's score.", "score", "The score", json!({ "score": 50 })),
            |tx, ctx, input| Box::pin(set(tx, ctx, input)),
        ),
        RecordNode::of(
            described(
                "crm.score.add",
                "Add to a score",
                "Adds points to the contact's score; negative ones take away.",
                "points",
                "Points to add",
                json!({ "points": 10 }),
            ),
            |tx, ctx, input| Box::pin(add(tx, ctx, input)),
        ),
    ]
}

async fn set(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let score = input.integer("score")?.ok_or_else(|| CrmError::invalid("score", "a score is a whole number"))?;
    let id = contact_of(&input, ctx)?;
    Ok(contacts::set_score(tx, ctx.organisation, &Actor::of_step(ctx), id, contacts::ScoreChange::To(score)).await?.to_value())
}

async fn add(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let points = input.integer("points")?.ok_or_else(|| CrmError::invalid("points", "points are a whole number"))?;
    let id = contact_of(&input, ctx)?;
    Ok(contacts::set_score(tx, ctx.organisation, &Actor::of_step(ctx), id, contacts::ScoreChange::By(points)).await?.to_value())
}
