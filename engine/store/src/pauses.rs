//! What people hold.

use crate::corrupt;
use onward_core::{
    OrganisationId, RunId, Timestamp, Value,
    ports::{Pause, PauseScope, StoreError},
};
use onward_database::{Query, Row, Tx, args};
use uuid::Uuid;

/// Whose row it is: everything is of the organisation of zeros.
fn owner(scope: &PauseScope) -> OrganisationId {
    scope.organisation().unwrap_or(OrganisationId(Uuid::nil()))
}

/// Every pause of every organisation, but for those of whole workflows.
pub async fn all<Q: Query>(db: &mut Q) -> Result<Vec<Pause>, StoreError> {
    let rows = db.fetch_all("SELECT * FROM pauses ORDER BY organisation, scope, workflow, target", args![]).await?;
    rows.iter().map(pause).collect()
}

/// The pause of everything, if there is one.
pub async fn everything<Q: Query>(db: &mut Q) -> Result<Option<Pause>, StoreError> {
    let (kind, workflow, target) = PauseScope::Everything.parts();
    let row = db
        .fetch_optional(
            "SELECT * FROM pauses WHERE organisation = $1 AND scope = $2 AND workflow = $3 AND target = $4",
            args![owner(&PauseScope::Everything), kind, workflow, target],
        )
        .await?;
    row.as_ref().map(pause).transpose()
}

/// Pauses what `pause` names; a pause that is there stays as it was. Through the engine where one runs: it keeps what is paused in
/// memory.
pub async fn add(tx: &mut Tx, pause: &Pause) -> Result<(), StoreError> {
    let (kind, workflow, target) = pause.scope.parts();
    tx.execute(
        "INSERT INTO pauses (organisation, scope, workflow, target, paused_at, paused_by, reason) VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (organisation, scope, workflow, target) DO NOTHING",
        args![owner(&pause.scope), kind, workflow, target, pause.at, &pause.by, pause.reason.as_deref()],
    )
    .await?;
    Ok(())
}

pub(crate) async fn remove(tx: &mut Tx, scope: &PauseScope) -> Result<bool, StoreError> {
    let (kind, workflow, target) = scope.parts();
    let removed = tx
        .execute("DELETE FROM pauses WHERE organisation = $1 AND scope = $2 AND workflow = $3 AND target = $4", args![owner(scope), kind, workflow, target])
        .await?;
    Ok(removed > 0)
}

pub(crate) async fn paused_runs(tx: &mut Tx, after: Option<RunId>, limit: usize) -> Result<Vec<(RunId, Value)>, StoreError> {
    let after = after.map_or(Uuid::nil(), |run| run.0);
    let rows = tx.fetch_all("SELECT id, waiting_on FROM runs WHERE status = 'paused' AND id > $1 ORDER BY id LIMIT $2", args![after, limit as i64]).await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.get("waiting_on")?))).collect()
}

fn pause(row: &Row) -> Result<Pause, StoreError> {
    let kind: String = row.get("scope")?;
    let scope = PauseScope::of_parts(row.get("organisation")?, &kind, row.get("workflow")?, row.get("target")?);
    Ok(Pause {
        scope: scope.ok_or_else(|| corrupt("a pause", format!("the scope `{kind}` or its target is unknown")))?,
        at: row.get("paused_at")?,
        by: row.get("paused_by")?,
        reason: row.get("reason")?,
    })
}

/// What a resume of an organisation would set going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Timers that have fallen due.
    pub timers: u64,
    /// When the oldest of them was due.
    pub oldest: Option<Timestamp>,
    /// Starts that are held, for whatever reason.
    pub held_starts: u64,
    /// Runs that are paused.
    pub paused_runs: u64,
}

/// Counts what is due at this moment.
pub async fn due<Q: Query>(db: &mut Q, organisation: OrganisationId, now: Timestamp) -> Result<Due, StoreError> {
    let row = db
        .fetch_one(
            "SELECT (SELECT count(*) FROM timers WHERE organisation = $1 AND due <= $2) AS timers,
                (SELECT min(due) FROM timers WHERE organisation = $1 AND due <= $2) AS oldest,
                (SELECT count(*) FROM held_starts WHERE organisation = $1) AS held_starts,
                (SELECT count(*) FROM runs WHERE organisation = $1 AND status = 'paused') AS paused_runs",
            args![organisation, now],
        )
        .await?;
    Ok(Due { timers: row.get("timers")?, oldest: row.get("oldest")?, held_starts: row.get("held_starts")?, paused_runs: row.get("paused_runs")? })
}
