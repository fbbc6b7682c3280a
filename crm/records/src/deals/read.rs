//! Reading deals.

use super::{Deal, DealStatus};
use crate::{CompanyId, ContactId, DealId, PipelineId, StageId, fields, text};
use onward_accounts::UserId;
use onward_core::OrganisationId;
use onward_database::{DatabaseError, Query, Row, args};

/// What a list shows; every part that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DealFilter {
    /// A part of the title.
    pub q: Option<String>,
    /// In this pipeline.
    pub pipeline: Option<PipelineId>,
    /// In this stage.
    pub stage: Option<StageId>,
    /// Open, won or lost.
    pub status: Option<DealStatus>,
    /// With this contact.
    pub contact: Option<ContactId>,
    /// With this company.
    pub company: Option<CompanyId>,
    /// The user who cares for it.
    pub owner: Option<UserId>,
}

macro_rules! select {
    ($rest:expr) => {
        concat!(
            "SELECT d.id, d.title, d.pipeline_id, p.name AS pipeline, d.stage_id, s.name AS stage, d.status, d.amount, d.currency, d.contact_id,
                    d.company_id, d.owner, d.expected_close, d.lost_reason, d.fields, d.stage_changed_at, d.closed_at, d.created_at, d.updated_at
             FROM deals AS d
             JOIN pipelines AS p ON p.organisation = d.organisation AND p.id = d.pipeline_id
             JOIN stages AS s ON s.organisation = d.organisation AND s.pipeline_id = d.pipeline_id AND s.id = d.stage_id
             WHERE d.organisation = $1 AND ",
            $rest
        )
    };
}

macro_rules! listing {
    ($lead:literal) => {
        select!(concat!(
            $lead,
            " AND d.id < $2 AND ($4 IS NULL OR lower(d.title) LIKE $4 ESCAPE '\\') AND ($5 IS NULL OR d.pipeline_id = $5) AND ($6 IS NULL OR d.stage_id = $6)
              AND ($7 IS NULL OR d.status = $7) AND ($8 IS NULL OR d.contact_id = $8) AND ($9 IS NULL OR d.company_id = $9) AND ($10 IS NULL OR d.owner = $10)
              ORDER BY d.id DESC LIMIT $3"
        ))
    };
}

/// By id.
pub async fn get(db: &mut impl Query, organisation: OrganisationId, id: DealId) -> Result<Option<Deal>, DatabaseError> {
    let row = db.fetch_optional(select!("d.id = $2"), args![organisation, id]).await?;
    row.as_ref().map(from_row).transpose()
}

/// A page, newest first; `before` is the last id of the page before.
pub async fn list(
    db: &mut impl Query,
    organisation: OrganisationId,
    filter: &DealFilter,
    before: Option<DealId>,
    limit: u32,
) -> Result<Vec<Deal>, DatabaseError> {
    let pattern = filter.q.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(text::containing);
    let args = args![
        organisation,
        before.map_or(uuid::Uuid::max(), |id| id.0),
        limit,
        pattern,
        filter.pipeline,
        filter.stage,
        filter.status.map(DealStatus::as_str),
        filter.contact,
        filter.company,
        filter.owner
    ];
    // The rarest filter leads, over its index.
    let rows = if filter.contact.is_some() {
        db.fetch_all(listing!("d.contact_id = $8"), args).await?
    } else if filter.company.is_some() {
        db.fetch_all(listing!("d.company_id = $9"), args).await?
    } else if filter.pipeline.is_some() && filter.stage.is_some() {
        db.fetch_all(listing!("d.pipeline_id = $5 AND d.stage_id = $6"), args).await?
    } else if filter.owner.is_some() {
        db.fetch_all(listing!("d.owner = $10"), args).await?
    } else {
        db.fetch_all(listing!("d.id IS NOT NULL"), args).await?
    };
    rows.iter().map(from_row).collect()
}

fn from_row(row: &Row) -> Result<Deal, DatabaseError> {
    let status: String = row.get("status")?;
    Ok(Deal {
        id: row.get("id")?,
        title: row.get("title")?,
        pipeline_id: row.get("pipeline_id")?,
        pipeline: row.get("pipeline")?,
        stage_id: row.get("stage_id")?,
        stage: row.get("stage")?,
        status: DealStatus::parse(&status)
            .ok_or_else(|| DatabaseError::Column { column: "status".into(), reason: format!("`{status}` is no status of a deal") })?,
        amount: row.get("amount")?,
        currency: row.get("currency")?,
        contact_id: row.get("contact_id")?,
        company_id: row.get("company_id")?,
        owner: row.get("owner")?,
        expected_close: row.get("expected_close")?,
        lost_reason: row.get("lost_reason")?,
        fields: fields::of_row(row.get("fields")?),
        stage_changed_at: row.get("stage_changed_at")?,
        closed_at: row.get("closed_at")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
