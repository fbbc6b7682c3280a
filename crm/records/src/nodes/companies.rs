//! `crm.company.upsert`, `get`, `find` and `update`.

use super::{cleared, record_of};
use crate::{
    CompanyId,
    companies::{self, CompanyChange, CompanyFilter, CompanyPatch},
};
use onward_accounts::{
    Actor, CrmError,
    nodes::{
        Described, RecordNode,
        input::Input,
        schema::{self, fields, or_nothing, record, text},
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
        "company": company(), "id": text("The same as `company`"), "name": text("Its name"), "domain": text("Its domain or web address"),
        "phone": text("A phone number"), "address": text("Where it is"), "owner": schema::user(), "fields": fields()
    });
    let described = |id, title, description, input, example, output, binds| Described {
        id,
        title,
        description,
        category: "CRM",
        input,
        example,
        output: (output, example_company()),
        order: &["company", "name", "domain", "phone", "address", "owner", "fields"],
        binds,
    };
    let binding = Some("company");
    vec![
        RecordNode::of(
            described(
                "crm.company.upsert",
                "Create or update a company",
                "Finds the company by id, then domain, then name if exactly one has it, and adds what is known anew; none found: a new company. Empty values replace nothing.",
                schema::input(&facts, &[]),
                json!({ "name": "Acme", "domain": "acme.example" }),
                company_schema(),
                binding,
            ),
            |tx, ctx, input| Box::pin(upsert(tx, ctx, input)),
        ),
        RecordNode::of(
            described(
                "crm.company.get",
                "Read a company",
                "The company as it is now. Fails with not_found when there is none.",
                schema::input(&json!({ "company": company(), "id": text("The same as `company`") }), &[]),
                json!({ "company": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b50" }),
                company_schema(),
                binding,
            ),
            |tx, ctx, input| Box::pin(get(tx, ctx, input)),
        ),
        RecordNode::of(
            described(
                "crm.company.find",
                "Find a company",
                "The one company of this domain, or else name, or nothing. Several that fit are a conflict.",
                schema::input(
                    &json!({ "domain": text("A domain or web address"), "name": text("The whole name, in any case"), "q": text("A part of name or domain") }),
                    &[],
                ),
                json!({ "domain": "acme.example" }),
                or_nothing(company_schema()),
                binding,
            ),
            |tx, ctx, input| Box::pin(find(tx, ctx, input)),
        ),
        RecordNode::of(
            described(
                "crm.company.update",
                "Set fields of a company",
                "Sets what is given; an empty value clears. Custom fields are merged by name, null removes one.",
                schema::input(&facts, &[]),
                json!({ "fields": { "size": 40 } }),
                company_schema(),
                None,
            ),
            |tx, ctx, input| Box::pin(update(tx, ctx, input)),
        ),
    ]
}

async fn upsert(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let mut change = CompanyChange {
        id: super::id_of(&input, "company", "company")?.or(super::id_of(&input, "id", "company")?),
        name: input.text("name")?,
        domain: input.text("domain")?,
        phone: input.text("phone")?,
        address: input.text("address")?,
        owner: input.id("owner")?,
        fields: input.object("fields")?.cloned().unwrap_or_default(),
    };
    // The run's company is meant only when nothing else says which.
    if change.id.is_none() && change.name.is_none() && change.domain.is_none() {
        change.id = super::of_run(ctx.company.as_deref());
    }
    Ok(companies::upsert(tx, ctx.organisation, &Actor::of_step(ctx), change).await?.company.to_value())
}

async fn get(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let id: CompanyId = record_of(&input, "company", ctx.company.as_deref())?;
    Ok(companies::get(tx, ctx.organisation, id).await?.ok_or_else(|| CrmError::not_found("company", id))?.to_value())
}

async fn find(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let (domain, name, q) = (input.text("domain")?, input.text("name")?, input.text("q")?);
    if domain.is_none() && name.is_none() && q.is_none() {
        return Err(CrmError::invalid("domain", "say which company to find: domain, name or q"));
    }
    let domain = domain.as_deref().map(companies::domain).transpose()?.flatten();
    let mut found = if domain.is_some() || name.is_some() {
        companies::matching(tx, ctx.organisation, domain.as_deref(), name.as_deref()).await?
    } else {
        companies::list(tx, ctx.organisation, &CompanyFilter { q, ..CompanyFilter::default() }, None, 10).await?
    };
    if found.len() > 1 {
        let ids = found.iter().map(|company| company.id.to_string()).collect();
        return Err(CrmError::conflict(format!("{} companies fit; name more of which you mean", found.len()), ids));
    }
    Ok(found.pop().map_or(Value::Null, |company| company.to_value()))
}

async fn update(tx: &mut Tx, ctx: &StepContext, input: Input<'_>) -> Result<Value, CrmError> {
    let id: CompanyId = record_of(&input, "company", ctx.company.as_deref())?;
    let patch = CompanyPatch {
        name: cleared(&input, "name")?,
        domain: cleared(&input, "domain")?,
        phone: cleared(&input, "phone")?,
        address: cleared(&input, "address")?,
        owner: if input.has("owner") { Some(input.id("owner")?.unwrap_or_default()) } else { None },
        fields: input.object("fields")?.cloned(),
    };
    Ok(companies::update(tx, ctx.organisation, &Actor::of_step(ctx), id, patch).await?.company.to_value())
}

fn company() -> Value {
    record("A company's id, or the company; by default the run's")
}

fn company_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" }, "name": { "type": "string" }, "domain": { "type": ["string", "null"] }, "phone": { "type": ["string", "null"] },
            "address": { "type": ["string", "null"] }, "owner": { "type": ["string", "null"] }, "fields": { "type": "object" },
            "created_at": { "type": "string" }, "updated_at": { "type": "string" }
        },
        "required": ["id", "name", "domain", "fields"]
    })
}

fn example_company() -> Value {
    json!({
        "id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b50", "name": "Acme", "domain": "acme.example", "phone": null, "address": null, "owner": null,
        "fields": {}, "created_at": "2026-11-20T09:00:00.000Z", "updated_at": "2026-11-20T09:00:00.000Z"
    })
}
