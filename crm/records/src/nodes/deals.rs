//! `crm.deal.create`, `get`, `find`, `update`, `move`, `win` and `lose`.

use super::{cleared, id_of, of_run, record_of};
use crate::{
    ContactId, DealId, contacts,
    deals::{self, DealFilter, DealPatch, DealStatus, NewDeal},
    pipelines,
};
use onward_accounts::{
    Actor, CrmError,
    nodes::{
        Described, RecordNode,
        input::Input,
        schema::{self, fields, integer, or_nothing, record, text},
    },
};
use onward_core::{
    Value,
    ports::{Node, StepContext},
};
use onward_database::Tx;
use serde_json::json;
use std::sync::Arc;

pub(super) fn nodes() -> Vec<Arc<dyn Node<Tx>>> {
    let facts = json!({
        "title": text("As people call it; by default the company's or contact's name"),
        "amount": integer("In minor units: 50000 is 500.00 EUR"), "currency": text("A code like EUR"),
        "contact": contact_input(), "company": record("A company's id, or the company; by default the run's, else the contact's"),
        "owner": schema::user(), "expected_close": text("A day like 2026-12-24"), "fields": fields()
    });
    let named = || json!({ "deal": deal(), "id": text("The same as `deal`") });
    let merged = |mut members: Value, more: &Value| {
        if let (Some(members), Some(more)) = (members.as_object_mut(), more.as_object()) {
            members.extend(more.clone());
        }
        members
    };
    let described = |id, title, description, input, example, output, binds| Described {
        id,
        title,
        description,
        category: "CRM",
        input,
        example,
        output: (output, example_deal(id)),
        order: &["deal", "title", "pipeline", "stage", "amount", "currency", "contact", "company", "owner", "expected_close", "reason", "fields"],
        binds,
    };
    let binding = Some("deal");
    let stage =
        json!({ "pipeline": text("A pipeline's name or id; by default the organisation's"), "stage": text("A stage's name or id; by default the first") });
    vec![
        RecordNode::of(
            described(
                "crm.deal.create",
                "Create a deal",
                "Puts a new deal into a stage of a pipeline.",
                schema::input(&merged(facts.clone(), &stage), &[]),
                json!({ "title": "Website for Acme", "amount": 500_000, "currency": "EUR" }),
                deal_schema(),
                binding,
            ),
            |tx, ctx, input| Box::pin(create(tx, ctx, input)),
        ),
        RecordNode::of(
            described(
                "crm.deal.get",
                "Read a deal",
                "The deal as it is now. Fails with not_found when there is none.",
                schema::input(&named(), &[]),
                json!({ "deal": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b60" }),
                deal_schema(),
                binding,
            ),
            |tx, ctx, input| Box::pin(get(tx, ctx, input)),
        ),
        RecordNode::of(
            described(
                "crm.deal.find",
                "Find a deal",
                "The newest deal that fits, or nothing: by default an open one of the run's contact.",
                schema::input(
                    &json!({
                        "contact": contact_input(), "company": record("A company's id, or the company"),
                        "pipeline": text("A pipeline's name or id"), "stage": text("A stage's name or id; needs `pipeline`, or is of the organisation's default one"),
                        "status": { "enum": ["open", "won", "lost", "any", null], "description": "open by default" }, "q": text("A part of the title")
                    }),
                    &[],
                ),
                json!({ "status": "open" }),
                or_nothing(deal_schema()),
                binding,
            ),
            |tx, ctx, input| Box::pin(find(tx, ctx, input)),
        ),
        RecordNode::of(
            described(
                "crm.deal.update",
                "Set fields of a deal",
                "Sets what is given; an empty value clears. Custom fields are merged by name, null removes one.",
                schema::input(&merged(named(), &facts), &[]),
                json!({ "amount": 750_000, "currency": "EUR" }),
                deal_schema(),
                None,
            ),
            |tx, ctx, input| Box::pin(update(tx, ctx, input)),
        ),
        RecordNode::of(
            described(
                "crm.deal.move",
                "Move a deal",
                "Moves an open deal to another stage.",
                schema::input(
                    &merged(
                        named(),
                        &json!({
                            "stage": { "type": "string", "description": "A stage's name or id" },
                            "pipeline": text("A pipeline's name or id; by default the deal's")
                        }),
                    ),
                    &["stage"],
                ),
                json!({ "stage": "Qualified" }),
                deal_schema(),
                None,
            ),
            |tx, ctx, input| Box::pin(move_to(tx, ctx, input)),
        ),
        RecordNode::of(
            described("crm.deal.win", "Win a deal", "Closes a deal as won.", schema::input(&named(), &[]), json!({}), deal_schema(), None),
            |tx, ctx, input| Box::pin(close(tx, ctx, input, true)),
        ),
        RecordNode::of(
            described(
                "crm.deal.lose",
                "Lose a deal",
                "Closes a deal as lost.",
                schema::input(&merged(named(), &json!({ "reason": text("Why") })), &[]),
                json!({ "reason": "no budget" }),
                deal_schema(),
                None,
            ),
            |tx, ctx, input| Box::pin(close(tx, ctx, input, false)),
        ),
    ]
}

async fn create(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let new = NewDeal {
        title: input.text("title")?,
        pipeline: input.id("pipeline")?,
        stage: input.id("stage")?,
        amount: input.integer("amount")?,
        currency: input.text("currency")?,
        contact: id_of(&input, "contact", "contact")?.or(of_run(ctx.contact.as_deref())),
        company: id_of(&input, "company", "company")?.or(of_run(ctx.company.as_deref())),
        owner: input.id("owner")?,
        expected_close: input.text("expected_close")?,
        fields: input.object("fields")?.cloned().unwrap_or_default(),
    };
    Ok(deals::create(tx, ctx.organisation, &Actor::of_step(ctx), new).await?.to_value())
}

async fn get(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let id: DealId = record_of(&input, "deal", ctx.deal.as_deref())?;
    Ok(deals::get(tx, ctx.organisation, id).await?.ok_or_else(|| CrmError::not_found("deal", id))?.to_value())
}

async fn find(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let company = id_of(&input, "company", "company")?;
    let q = input.text("q")?;
    let named: Option<ContactId> = id_of(&input, "contact", "contact")?;
    let contact = named.or_else(|| if company.is_none() && q.is_none() { of_run(ctx.contact.as_deref()) } else { None });
    let contact = match contact {
        Some(id) => Some(contacts::resolve(tx, ctx.organisation, id).await?),
        None => None,
    };
    if contact.is_none() && company.is_none() && q.is_none() {
        return Err(CrmError::invalid("contact", "say which deal to find: contact, company or q"));
    }
    let status = match input.text("status")?.as_deref() {
        None => Some(DealStatus::Open),
        Some("any") => None,
        Some(text) => Some(DealStatus::parse(text).ok_or_else(|| CrmError::invalid("status", "`status` is open, won, lost or any"))?),
    };
    let stage_name = input.id("stage")?;
    let pipeline = match input.id("pipeline")? {
        Some(name) => Some(pipelines::find(tx, ctx.organisation, &name).await?),
        None if stage_name.is_some() => Some(pipelines::ensure_default(tx, ctx.organisation).await?),
        None => None,
    };
    let stage = match (&stage_name, &pipeline) {
        (Some(name), Some(pipeline)) => Some(pipeline.stage(name)?.id),
        _ => None,
    };
    let filter = DealFilter { q, pipeline: pipeline.map(|pipeline| pipeline.id), stage, status, contact, company, owner: None };
    let found = deals::list(tx, ctx.organisation, &filter, None, 1).await?;
    Ok(found.first().map_or(Value::Null, deals::Deal::to_value))
}

async fn update(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let id: DealId = record_of(&input, "deal", ctx.deal.as_deref())?;
    let patch = DealPatch {
        title: cleared(&input, "title")?,
        amount: if input.has("amount") { Some(input.integer("amount")?) } else { None },
        currency: cleared(&input, "currency")?,
        contact: if input.has("contact") { Some(id_of(&input, "contact", "contact")?) } else { None },
        company: if input.has("company") { Some(id_of(&input, "company", "company")?) } else { None },
        owner: if input.has("owner") { Some(input.id("owner")?.unwrap_or_default()) } else { None },
        expected_close: cleared(&input, "expected_close")?,
        lost_reason: None,
        fields: input.object("fields")?.cloned(),
    };
    Ok(deals::update(tx, ctx.organisation, &Actor::of_step(ctx), id, patch).await?.to_value())
}

async fn move_to(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let id: DealId = record_of(&input, "deal", ctx.deal.as_deref())?;
    let stage = input.id("stage")?.ok_or_else(|| CrmError::invalid("stage", "name the stage to move to"))?;
    let pipeline = input.id("pipeline")?;
    Ok(deals::move_to(tx, ctx.organisation, &Actor::of_step(ctx), id, pipeline.as_deref(), &stage).await?.to_value())
}

async fn close(tx: &mut Tx, ctx: &StepContext, input: Input<'_>, won: bool) -> Result<Value, CrmError> {
    let id: DealId = record_of(&input, "deal", ctx.deal.as_deref())?;
    let reason = input.text("reason")?;
    Ok(deals::close(tx, ctx.organisation, &Actor::of_step(ctx), id, won, reason.as_deref()).await?.to_value())
}

fn contact_input() -> Value {
    super::contacts::contact()
}

fn deal() -> Value {
    record("A deal's id, or the deal; by default the run's")
}

fn deal_schema() -> Value {
    let texts = ["currency", "contact_id", "company_id", "owner", "expected_close", "lost_reason", "closed_at"];
    let mut schema = json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" }, "title": { "type": "string" }, "pipeline_id": { "type": "string" }, "pipeline": { "type": "string" },
            "stage_id": { "type": "string" }, "stage": { "type": "string" }, "status": { "enum": ["open", "won", "lost"] },
            "amount": { "type": ["integer", "null"], "description": "In minor units" }, "fields": { "type": "object" },
            "stage_changed_at": { "type": "string" }, "created_at": { "type": "string" }, "updated_at": { "type": "string" }
        },
        "required": ["id", "title", "pipeline", "stage", "status", "amount", "currency", "contact_id", "company_id", "fields"]
    });
    for name in texts {
        schema["properties"][name] = json!({ "type": ["string", "null"] });
    }
    schema
}

fn example_deal(node: &str) -> Value {
    let status = match node {
        "crm.deal.win" => "won",
        "crm.deal.lose" => "lost",
        _ => "open",
    };
    let at = "2026-11-20T09:00:00.000Z";
    json!({
        "id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b60", "title": "Website for Acme", "pipeline_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b61", "pipeline": "Sales",
        "stage_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b62", "stage": "New", "status": status, "amount": 500_000, "currency": "EUR",
        "contact_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2c", "company_id": null, "owner": null, "expected_close": null, "lost_reason": null, "fields": {},
        "stage_changed_at": at, "closed_at": if status == "open" { Value::Null } else { at.into() }, "created_at": at, "updated_at": at
    })
}
