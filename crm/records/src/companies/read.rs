//! Reading companies.

use super::Company;
use crate::{CompanyId, fields, text};
use onward_accounts::{CrmError, UserId};
use onward_core::OrganisationId;
use onward_database::{DatabaseError, Query, Row, Tx, args};

/// What a list shows; every part that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompanyFilter {
    /// A part of the name or domain.
    pub q: Option<String>,
    /// Exactly this domain.
    pub domain: Option<String>,
    /// The user who cares for it.
    pub owner: Option<UserId>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, name, domain, phone, address, owner, fields, created_at, updated_at FROM companies WHERE organisation = $1 AND ", $rest)
    };
}

/// Whether there is such a company.
pub async fn exists(db: &mut impl Query, organisation: OrganisationId, id: CompanyId) -> Result<bool, DatabaseError> {
    Ok(db.fetch_optional("SELECT 1 AS one FROM companies WHERE organisation = $1 AND id = $2", args![organisation, id]).await?.is_some())
}

/// By id.
pub async fn get(db: &mut impl Query, organisation: OrganisationId, id: CompanyId) -> Result<Option<Company>, DatabaseError> {
    let row = db.fetch_optional(select!("id = $2"), args![organisation, id]).await?;
    row.as_ref().map(from_row).transpose()
}

/// The same for whoever writes what follows from what it reads: until the transaction ends nobody else changes the company.
pub(super) async fn get_to_change(tx: &mut Tx, organisation: OrganisationId, id: CompanyId) -> Result<Company, CrmError> {
    let row = tx.fetch_optional(select!("id = $2 {for update of companies}"), args![organisation, id]).await?;
    row.as_ref().map(from_row).transpose()?.ok_or_else(|| CrmError::not_found("company", id))
}

/// The companies that a domain (normalised), or else a name in any case, means; at most ten. With both, a company of that
/// name counts only when it has no other domain.
pub async fn matching(db: &mut impl Query, organisation: OrganisationId, domain: Option<&str>, name: Option<&str>) -> Result<Vec<Company>, DatabaseError> {
    if let Some(domain) = domain
        && let Some(row) = db.fetch_optional(select!("domain = $2"), args![organisation, domain]).await?
    {
        return Ok(vec![from_row(&row)?]);
    }
    let Some(name) = name else { return Ok(Vec::new()) };
    let rows =
        db.fetch_all(select!("lower(name) = lower($2) AND ($3 IS NULL OR domain IS NULL) ORDER BY id LIMIT 10"), args![organisation, name, domain]).await?;
    rows.iter().map(from_row).collect()
}

/// A page, newest first; `before` is the last id of the page before.
pub async fn list(
    db: &mut impl Query,
    organisation: OrganisationId,
    filter: &CompanyFilter,
    before: Option<CompanyId>,
    limit: u32,
) -> Result<Vec<Company>, DatabaseError> {
    let pattern = filter.q.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(text::containing);
    let rows = db
        .fetch_all(
            select!(
                "id < $2 AND ($4 IS NULL OR lower(name) LIKE $4 ESCAPE '\\' OR domain LIKE $4 ESCAPE '\\')
                 AND ($5 IS NULL OR domain = $5) AND ($6 IS NULL OR owner = $6) ORDER BY id DESC LIMIT $3"
            ),
            args![organisation, before.map_or(uuid::Uuid::max(), |id| id.0), limit, pattern, &filter.domain, filter.owner],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

fn from_row(row: &Row) -> Result<Company, DatabaseError> {
    Ok(Company {
        id: row.get("id")?,
        name: row.get("name")?,
        domain: row.get("domain")?,
        phone: row.get("phone")?,
        address: row.get("address")?,
        owner: row.get("owner")?,
        fields: fields::of_row(row.get("fields")?),
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
