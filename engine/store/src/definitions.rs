//! Published versions.

use onward_core::{
    OrganisationId,
    ports::{PublishedVersion, StoreError, Transaction as _},
};
use onward_database::{DatabaseError, Query, Row, Tx, args};

pub(crate) async fn publish(
    tx: &mut Tx,
    organisation: OrganisationId,
    workflow: &str,
    source: &str,
    digest: &str,
    language_revision: u32,
) -> Result<PublishedVersion, StoreError> {
    let known = tx
        .fetch_optional(
            "SELECT w.paused, w.current_version, v.digest, v.published_at, v.language_revision,
                (SELECT max(version) FROM workflow_versions WHERE organisation = $1 AND workflow = $2) AS latest
                FROM workflows w LEFT JOIN workflow_versions v ON v.organisation = w.organisation AND v.workflow = w.name AND v.version = w.current_version
                WHERE w.organisation = $1 AND w.name = $2",
            args![organisation, workflow],
        )
        .await?;
    let mut published = PublishedVersion {
        organisation,
        workflow: workflow.to_owned(),
        version: 1,
        source: source.to_owned(),
        digest: digest.to_owned(),
        language_revision,
        published_at: tx.now(),
        current: true,
        paused: false,
    };
    if let Some(row) = known {
        published.paused = row.get("paused")?;
        if let (Some(version), Some(current)) = (row.get("current_version")?, row.get::<Option<String>>("digest")?)
            && current == digest
        {
            published.version = version;
            published.published_at = row.get("published_at")?;
            published.language_revision = row.get("language_revision")?;
            return Ok(published);
        }
        published.version = row.get::<Option<u32>>("latest")?.unwrap_or(0).saturating_add(1);
    }
    tx.execute(
        "INSERT INTO workflow_versions (organisation, workflow, version, digest, language_revision, published_at, source) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![organisation, workflow, published.version, digest, language_revision, published.published_at, source],
    )
    .await?;
    tx.execute(
        "INSERT INTO workflows (organisation, name, current_version, created_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (organisation, name) DO UPDATE SET current_version = excluded.current_version",
        args![organisation, workflow, published.version, published.published_at],
    )
    .await?;
    raise_generation(tx, organisation).await?;
    Ok(published)
}

pub(crate) async fn set_current(tx: &mut Tx, organisation: OrganisationId, workflow: &str, version: Option<u32>) -> Result<(), StoreError> {
    let changed = tx
        .execute(
            "UPDATE workflows SET current_version = $3 WHERE organisation = $1 AND name = $2 AND ($3 IS NULL
                OR EXISTS (SELECT 1 FROM workflow_versions WHERE organisation = $1 AND workflow = $2 AND version = $3))",
            args![organisation, workflow, version],
        )
        .await?;
    match version {
        Some(version) if changed == 0 => Err(StoreError::Failed(format!("workflow {workflow} has no version {version}"))),
        _ => raise_generation(tx, organisation).await,
    }
}

/// Pauses a workflow (it takes starts in and holds them) or resumes it; whether there is one of that name.
pub async fn set_paused(tx: &mut Tx, organisation: OrganisationId, workflow: &str, paused: bool) -> Result<bool, StoreError> {
    let changed = tx.execute("UPDATE workflows SET paused = $3 WHERE organisation = $1 AND name = $2", args![organisation, workflow, paused]).await?;
    if changed > 0 {
        raise_generation(tx, organisation).await?;
    }
    Ok(changed > 0)
}

/// Says to routing that its snapshot of the organisation's definitions is old (SEMANTICS.md 9).
async fn raise_generation(tx: &mut Tx, organisation: OrganisationId) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO engine_organisations (organisation, definition_generation) VALUES ($1, 1)
            ON CONFLICT (organisation) DO UPDATE SET definition_generation = engine_organisations.definition_generation + 1",
        args![organisation],
    )
    .await?;
    Ok(())
}

pub(crate) async fn all_current<Q: Query>(db: &mut Q) -> Result<Vec<PublishedVersion>, StoreError> {
    let rows = db
        .fetch_all(
            "SELECT v.*, w.paused, true AS current FROM workflows w
                JOIN workflow_versions v ON v.organisation = w.organisation AND v.workflow = w.name AND v.version = w.current_version
                ORDER BY v.organisation, v.workflow",
            args![],
        )
        .await?;
    Ok(rows.iter().map(published).collect::<Result<_, _>>()?)
}

pub(crate) async fn one<Q: Query>(db: &mut Q, organisation: OrganisationId, workflow: &str, version: u32) -> Result<Option<PublishedVersion>, StoreError> {
    let row = db
        .fetch_optional(
            "SELECT v.*, w.paused, w.current_version IS NOT NULL AND w.current_version = v.version AS current FROM workflow_versions v
                JOIN workflows w ON w.organisation = v.organisation AND w.name = v.workflow
                WHERE v.organisation = $1 AND v.workflow = $2 AND v.version = $3",
            args![organisation, workflow, version],
        )
        .await?;
    Ok(row.as_ref().map(published).transpose()?)
}

/// Reads a row of `workflow_versions` with `paused` and `current`.
pub(crate) fn published(row: &Row) -> Result<PublishedVersion, DatabaseError> {
    Ok(PublishedVersion {
        organisation: row.get("organisation")?,
        workflow: row.get("workflow")?,
        version: row.get("version")?,
        source: row.get("source")?,
        digest: row.get("digest")?,
        language_revision: row.get("language_revision")?,
        published_at: row.get("published_at")?,
        current: row.get("current")?,
        paused: row.get("paused")?,
    })
}
