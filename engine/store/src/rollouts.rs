//! Versions on trial.

use onward_core::{
    OrganisationId,
    ports::{RolloutState, StoreError},
};
use onward_database::{DatabaseError, Query, Row, Tx, args};

/// Every version on trial, of every organisation.
pub(crate) async fn all<Q: Query>(db: &mut Q) -> Result<Vec<RolloutState>, StoreError> {
    let rows = db.fetch_all("SELECT * FROM rollouts ORDER BY organisation, workflow", args![]).await?;
    Ok(rows.iter().map(rollout).collect::<Result<_, _>>()?)
}

/// The version of a workflow that is on trial.
pub async fn one<Q: Query>(db: &mut Q, organisation: OrganisationId, workflow: &str) -> Result<Option<RolloutState>, StoreError> {
    let row = db.fetch_optional("SELECT * FROM rollouts WHERE organisation = $1 AND workflow = $2", args![organisation, workflow]).await?;
    Ok(row.as_ref().map(rollout).transpose()?)
}

pub(crate) async fn set(tx: &mut Tx, state: &RolloutState) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO rollouts (organisation, workflow, version, since, ended, failed, held_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (organisation, workflow) DO UPDATE SET version = excluded.version, since = excluded.since, ended = excluded.ended,
                failed = excluded.failed, held_at = excluded.held_at",
        args![state.organisation, &state.workflow, state.version, state.since, state.ended, state.failed, state.held_at],
    )
    .await?;
    Ok(())
}

pub(crate) async fn remove(tx: &mut Tx, organisation: OrganisationId, workflow: &str) -> Result<(), StoreError> {
    tx.execute("DELETE FROM rollouts WHERE organisation = $1 AND workflow = $2", args![organisation, workflow]).await?;
    Ok(())
}

fn rollout(row: &Row) -> Result<RolloutState, DatabaseError> {
    Ok(RolloutState {
        organisation: row.get("organisation")?,
        workflow: row.get("workflow")?,
        version: row.get("version")?,
        since: row.get("since")?,
        ended: row.get("ended")?,
        failed: row.get("failed")?,
        held_at: row.get("held_at")?,
    })
}
