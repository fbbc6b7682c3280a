//! Changing, moving, closing and removing deals.

use super::{Deal, DealPatch, DealStatus, create, get, limits};
use crate::{DealId, events, fields, pipelines, text};
use onward_accounts::{Actor, CrmError, audit, users};
use onward_core::{Object, OrganisationId, Value, ports::Transaction};
use onward_database::{Query as _, Tx, args};

/// Sets what a person sets by hand. Emits `deal.updated`, and nothing when nothing changes.
pub async fn update(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: DealId, patch: DealPatch) -> Result<Deal, CrmError> {
    let before = found(tx, organisation, id).await?;
    let mut after = before.clone();
    if let Some(title) = &patch.title {
        after.title = text::title("title", title, limits::TITLE_CHARACTERS)?;
    }
    after.amount = patch.amount.unwrap_or(after.amount);
    if let Some(code) = &patch.currency {
        after.currency = create::currency(code)?;
    }
    after.contact_id = patch.contact.unwrap_or(after.contact_id);
    after.company_id = patch.company.unwrap_or(after.company_id);
    match patch.owner.as_deref().map(str::trim) {
        None => {}
        Some("") => after.owner = None,
        Some(owner) => after.owner = Some(users::named(tx, organisation, owner).await?.id),
    }
    if let Some(day) = &patch.expected_close {
        after.expected_close = create::day(day)?;
    }
    if let Some(reason) = &patch.lost_reason {
        after.lost_reason = reason_of(reason)?;
    }
    fields::set(&mut after.fields, patch.fields);
    let mut changed = events::differing(&[
        ("title", before.title != after.title),
        ("amount", before.amount != after.amount),
        ("currency", before.currency != after.currency),
        ("contact", before.contact_id != after.contact_id),
        ("company", before.company_id != after.company_id),
        ("owner", before.owner != after.owner),
        ("expected_close", before.expected_close != after.expected_close),
        ("lost_reason", before.lost_reason != after.lost_reason),
    ]);
    changed.extend(fields::changed(&before.fields, &after.fields));
    if changed.is_empty() {
        return Ok(before);
    }
    fields::check(&after.fields)?;
    create::check_amount(&after)?;
    create::check_parties(tx, organisation, patch.contact.flatten(), patch.company.flatten()).await?;
    let line = format!("Deal {} changed: {}", after.title, changed.join(", "));
    let more = Object::from_iter([("changed".to_owned(), changed.into())]);
    store(tx, organisation, actor, "deal.updated", &before, after, &line, more).await
}

/// Moves an open deal to a stage (name or id) of its pipeline, or of another that is named. Emits `deal.stage_changed`, and
/// nothing when it stands there already.
pub async fn move_to(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: DealId, pipeline: Option<&str>, stage: &str) -> Result<Deal, CrmError> {
    let before = found(tx, organisation, id).await?;
    let pipeline = match pipeline {
        Some(name) => pipelines::find(tx, organisation, name).await?,
        None => pipelines::get(tx, organisation, before.pipeline_id).await?.ok_or_else(|| CrmError::not_found("pipeline", before.pipeline_id))?,
    };
    let stage = pipeline.stage(stage)?;
    if stage.id == before.stage_id && pipeline.id == before.pipeline_id {
        return Ok(before);
    }
    must_be_open(&before)?;
    let mut after = before.clone();
    (after.pipeline_id, after.pipeline) = (pipeline.id, pipeline.name.clone());
    (after.stage_id, after.stage) = (stage.id, stage.name.clone());
    after.stage_changed_at = tx.now();
    let line = format!("Deal {} moved from {} to {}", after.title, before.stage, after.stage);
    let more = Object::from_iter([
        ("from_stage".to_owned(), before.stage.clone().into()),
        ("from_stage_id".to_owned(), before.stage_id.to_string().into()),
        ("from_pipeline_id".to_owned(), before.pipeline_id.to_string().into()),
    ]);
    store(tx, organisation, actor, "deal.stage_changed", &before, after, &line, more).await
}

/// Wins or loses a deal. Emits `deal.won` or `deal.lost`, and nothing when it is so already. A won deal is not lost, nor the
/// other way round, before it was reopened.
pub async fn close(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: DealId, won: bool, lost_reason: Option<&str>) -> Result<Deal, CrmError> {
    let before = found(tx, organisation, id).await?;
    let status = if won { DealStatus::Won } else { DealStatus::Lost };
    if before.status == status {
        return Ok(before);
    }
    must_be_open(&before)?;
    let mut after = before.clone();
    after.status = status;
    after.closed_at = Some(tx.now());
    after.lost_reason = lost_reason.filter(|_| !won).map(reason_of).transpose()?.flatten();
    let (kind, line) = match (won, &after.lost_reason) {
        (true, _) => ("deal.won", format!("Deal won: {}", after.title)),
        (false, None) => ("deal.lost", format!("Deal lost: {}", after.title)),
        (false, Some(reason)) => ("deal.lost", format!("Deal lost: {} ({reason})", after.title)),
    };
    store(tx, organisation, actor, kind, &before, after, &line, Object::new()).await
}

/// Opens a closed deal again, in the stage it was closed in. Emits `deal.reopened`, and nothing when it is open.
pub async fn reopen(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: DealId) -> Result<Deal, CrmError> {
    let before = found(tx, organisation, id).await?;
    if before.status == DealStatus::Open {
        return Ok(before);
    }
    let after = Deal { status: DealStatus::Open, closed_at: None, lost_reason: None, ..before.clone() };
    let line = format!("Deal reopened: {}", after.title);
    store(tx, organisation, actor, "deal.reopened", &before, after, &line, Object::new()).await
}

/// Removes a deal; its tasks stay, without it.
pub async fn delete(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: DealId) -> Result<(), CrmError> {
    let before = found(tx, organisation, id).await?;
    let now = tx.now();
    tx.execute("UPDATE tasks SET deal_id = NULL, updated_at = $3 WHERE organisation = $1 AND deal_id = $2", args![organisation, id, now]).await?;
    tx.execute("DELETE FROM deals WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    let deed = audit::Deed { action: "deal.deleted", subject: "deal", subject_id: id.to_string(), before: before.to_value(), after: Value::Null };
    audit::record(tx, organisation, actor, deed).await?;
    events::announce(tx, organisation, "deal", &id, "deal.deleted");
    Ok(())
}

/// The deal, which nobody else changes until the transaction ends. Its row is locked by itself first: read together with its stage it
/// would be gone for whoever waited while it moved to another one.
async fn found(tx: &mut Tx, organisation: OrganisationId, id: DealId) -> Result<Deal, CrmError> {
    tx.fetch_optional("SELECT 1 AS one FROM deals WHERE organisation = $1 AND id = $2 {for update of deals}", args![organisation, id]).await?;
    get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("deal", id))
}

fn must_be_open(deal: &Deal) -> Result<(), CrmError> {
    if deal.status == DealStatus::Open {
        return Ok(());
    }
    Err(CrmError::conflict(format!("the deal {} is {}; reopen it first", deal.title, deal.status.as_str()), vec![deal.id.to_string()]))
}

fn reason_of(text: &str) -> Result<Option<String>, CrmError> {
    let reason = text::paragraph("lost_reason", text, limits::REASON_CHARACTERS)?;
    Ok((!reason.is_empty()).then_some(reason))
}

/// Writes the row, with its timeline item, its event and, for a person, its audit entry.
#[expect(clippy::too_many_arguments, reason = "what every change of a deal has; a struct would only name them again")]
async fn store(
    tx: &mut Tx,
    organisation: OrganisationId,
    actor: &Actor,
    kind: &'static str,
    before: &Deal,
    mut after: Deal,
    line: &str,
    more: Object,
) -> Result<Deal, CrmError> {
    after.updated_at = tx.now();
    tx.execute(
        "UPDATE deals SET title = $3, pipeline_id = $4, stage_id = $5, status = $6, amount = $7, currency = $8, contact_id = $9, company_id = $10,
                owner = $11, expected_close = $12, lost_reason = $13, fields = $14, stage_changed_at = $15, closed_at = $16, updated_at = $17
         WHERE organisation = $1 AND id = $2",
        args![
            organisation,
            after.id,
            &after.title,
            after.pipeline_id,
            after.stage_id,
            after.status.as_str(),
            after.amount,
            &after.currency,
            after.contact_id,
            after.company_id,
            after.owner,
            &after.expected_close,
            &after.lost_reason,
            Value::Object(after.fields.clone()),
            after.stage_changed_at,
            after.closed_at,
            after.updated_at
        ],
    )
    .await?;
    events::emit_deal(tx, organisation, actor, kind, &after, line, more)?;
    let deed = audit::Deed { action: kind, subject: "deal", subject_id: after.id.to_string(), before: before.to_value(), after: after.to_value() };
    audit::record_by_person(tx, organisation, actor, deed).await?;
    Ok(after)
}
