//! Making a deal, and what a deal's fields may be.

use super::{Deal, DealStatus, NewDeal, limits};
use crate::{CompanyId, ContactId, DealId, companies, contacts, events, fields, pipelines, text};
use onward_accounts::{Actor, CrmError, audit, users};
use onward_core::{OrganisationId, Value, ports::Transaction};
use onward_database::{Query, Tx, args};

/// Makes an open deal. Emits `deal.created`.
pub async fn create(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, new: NewDeal) -> Result<Deal, CrmError> {
    let contact = match new.contact {
        Some(id) => Some(contacts::get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("contact", id))?),
        None => None,
    };
    let company_id = new.company.or(contact.as_ref().and_then(|contact| contact.company_id));
    let company = match company_id {
        Some(id) => Some(companies::get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("company", id))?),
        None => None,
    };
    let pipeline = match &new.pipeline {
        Some(name) => pipelines::find(tx, organisation, name).await?,
        None => pipelines::ensure_default(tx, organisation).await?,
    };
    let stage = match &new.stage {
        Some(name) => pipeline.stage(name)?,
        None => pipeline.stages.first().ok_or_else(|| CrmError::invalid("pipeline", format!("the pipeline {} has no stages", pipeline.name)))?,
    };
    let title = match new.title.as_deref().map(str::trim).filter(|title| !title.is_empty()) {
        Some(title) => title.to_owned(),
        None => company.map(|company| company.name).or(contact.as_ref().map(contacts::Contact::display_name)).unwrap_or_default(),
    };
    let now = tx.now();
    let deal = Deal {
        id: DealId(tx.fresh_id()),
        title: text::title("title", &title, limits::TITLE_CHARACTERS)?,
        pipeline_id: pipeline.id,
        pipeline: pipeline.name.clone(),
        stage_id: stage.id,
        stage: stage.name.clone(),
        status: DealStatus::Open,
        amount: new.amount,
        currency: new.currency.as_deref().map(currency).transpose()?.flatten(),
        contact_id: contact.as_ref().map(|contact| contact.id),
        company_id,
        owner: match new.owner.filter(|owner| !owner.trim().is_empty()) {
            Some(owner) => Some(users::named(tx, organisation, &owner).await?.id),
            None => None,
        },
        expected_close: new.expected_close.as_deref().map(day).transpose()?.flatten(),
        lost_reason: None,
        fields: new.fields,
        stage_changed_at: now,
        closed_at: None,
        created_at: now,
        updated_at: now,
    };
    fields::check(&deal.fields)?;
    check_amount(&deal)?;
    tx.execute(
        "INSERT INTO deals (organisation, id, title, pipeline_id, stage_id, status, amount, currency, contact_id, company_id, owner, expected_close, fields,
                            stage_changed_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 'open', $6, $7, $8, $9, $10, $11, $12, $13, $13, $13)",
        args![
            organisation,
            deal.id,
            &deal.title,
            deal.pipeline_id,
            deal.stage_id,
            deal.amount,
            &deal.currency,
            deal.contact_id,
            deal.company_id,
            deal.owner,
            &deal.expected_close,
            Value::Object(deal.fields.clone()),
            now
        ],
    )
    .await?;
    let line = format!("Deal created: {} ({})", deal.title, deal.stage);
    events::emit_deal(tx, organisation, actor, "deal.created", &deal, &line, onward_core::Object::new())?;
    let deed = audit::Deed { action: "deal.created", subject: "deal", subject_id: deal.id.to_string(), before: Value::Null, after: deal.to_value() };
    audit::record_by_person(tx, organisation, actor, deed).await?;
    Ok(deal)
}

/// A currency's code in capitals; nothing of an empty text.
pub(super) fn currency(text: &str) -> Result<Option<String>, CrmError> {
    let code = text.trim().to_uppercase();
    if code.is_empty() {
        return Ok(None);
    }
    if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(Some(code))
    } else {
        Err(CrmError::invalid("currency", "a currency is a code of three letters like EUR"))
    }
}

/// A calendar day; nothing of an empty text. Of a time, its day.
pub(super) fn day(text: &str) -> Result<Option<String>, CrmError> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(None);
    }
    let date = trimmed.parse::<jiff::civil::Date>();
    date.map(|date| Some(date.to_string())).map_err(|_| CrmError::invalid("expected_close", format!("`{trimmed}` is no day; write it like 2026-12-24")))
}

/// An amount says nothing without its currency.
pub(super) fn check_amount(deal: &Deal) -> Result<(), CrmError> {
    match (deal.amount, &deal.currency) {
        (Some(_), None) => Err(CrmError::invalid("currency", "an amount needs a currency like EUR")),
        (Some(amount), _) if amount < 0 => Err(CrmError::invalid("amount", "an amount is not negative")),
        _ => Ok(()),
    }
}

/// Whether contact and company are there.
pub(super) async fn check_parties(
    db: &mut impl Query,
    organisation: OrganisationId,
    contact: Option<ContactId>,
    company: Option<CompanyId>,
) -> Result<(), CrmError> {
    if let Some(id) = contact
        && !contacts::exists(db, organisation, id).await?
    {
        return Err(CrmError::not_found("contact", id));
    }
    if let Some(id) = company
        && !companies::exists(db, organisation, id).await?
    {
        return Err(CrmError::not_found("company", id));
    }
    Ok(())
}
