//! Drafts: what people edit before they publish.

use onward_core::{OrganisationId, Timestamp, ports::Transaction as _};
use onward_database::{DatabaseError, Query, Tx, args};

/// A workflow as it is being edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The workflow.
    pub workflow: String,
    /// The file's text.
    pub source: String,
    /// Last change.
    pub updated_at: Timestamp,
    /// Who made it.
    pub updated_by: Option<String>,
}

/// The draft, if there is one.
pub async fn get<Q: Query>(db: &mut Q, organisation: OrganisationId, workflow: &str) -> Result<Option<Draft>, DatabaseError> {
    let row = db
        .fetch_optional(
            "SELECT workflow, source, updated_at, updated_by FROM workflow_drafts WHERE organisation = $1 AND workflow = $2",
            args![organisation, workflow],
        )
        .await?;
    row.map(|row| {
        Ok(Draft { workflow: row.get("workflow")?, source: row.get("source")?, updated_at: row.get("updated_at")?, updated_by: row.get("updated_by")? })
    })
    .transpose()
}

/// Stores a draft; creates the workflow when it is new.
pub async fn put(tx: &mut Tx, organisation: OrganisationId, workflow: &str, source: &str, by: Option<&str>) -> Result<(), DatabaseError> {
    let now = tx.now();
    tx.execute(
        "INSERT INTO workflows (organisation, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (organisation, name) DO NOTHING",
        args![organisation, workflow, now],
    )
    .await?;
    tx.execute(
        "INSERT INTO workflow_drafts (organisation, workflow, updated_at, updated_by, source) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (organisation, workflow) DO UPDATE SET updated_at = excluded.updated_at, updated_by = excluded.updated_by, source = excluded.source",
        args![organisation, workflow, now, by, source],
    )
    .await?;
    Ok(())
}

/// Drops a draft; whether there was one. A workflow that was never published goes with it.
pub async fn delete(tx: &mut Tx, organisation: OrganisationId, workflow: &str) -> Result<bool, DatabaseError> {
    let dropped = tx.execute("DELETE FROM workflow_drafts WHERE organisation = $1 AND workflow = $2", args![organisation, workflow]).await?;
    tx.execute(
        "DELETE FROM workflows WHERE organisation = $1 AND name = $2
            AND NOT EXISTS (SELECT 1 FROM workflow_versions WHERE organisation = $1 AND workflow = $2)
            AND NOT EXISTS (SELECT 1 FROM workflow_drafts WHERE organisation = $1 AND workflow = $2)",
        args![organisation, workflow],
    )
    .await?;
    Ok(dropped > 0)
}
