//! The correlation index: which runs wait for what.

use crate::{corrupt, to_json};
use onward_core::{
    OrganisationId,
    ports::{Correlation, OpenWait, StoreError},
};
use onward_database::{Query, Row, Rows, Tx, args};

pub(crate) async fn shapes<Q: Query>(db: &mut Q) -> Result<Vec<(OrganisationId, String, Vec<String>)>, StoreError> {
    let rows = db.fetch_all("SELECT organisation, type, paths FROM wait_shapes ORDER BY organisation, type, paths", args![]).await?;
    rows.iter().map(|row| Ok((row.get("organisation")?, row.get("type")?, paths(row)?))).collect()
}

pub(crate) async fn add_shapes(tx: &mut Tx, shapes: &[(OrganisationId, String, Vec<String>)]) -> Result<(), StoreError> {
    if shapes.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new();
    for (organisation, kind, paths) in shapes {
        rows.push(args![organisation, kind, to_json(paths)?]);
    }
    tx.execute(
        "INSERT INTO wait_shapes (organisation, type, paths) SELECT r.organisation, r.type, r.paths FROM {$1: organisation uuid, type text, paths json} AS r
            WHERE true ON CONFLICT DO NOTHING",
        args![rows],
    )
    .await?;
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx, organisation: OrganisationId, correlations: &[Correlation], limit: usize) -> Result<Vec<OpenWait>, StoreError> {
    if correlations.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx
        .fetch_all(
            "SELECT * FROM waits WHERE organisation = $1 AND hash IN (SELECT hash FROM {$2: hash bytes} AS wanted) ORDER BY hash, run, target, which LIMIT $3",
            args![organisation, Rows::of(correlations.iter().map(|correlation| correlation.hash)), limit as i64],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(OpenWait {
                organisation: row.get("organisation")?,
                run_id: row.get("run")?,
                shard: row.get("shard")?,
                target: row.get("target")?,
                which: row.get("which")?,
                correlation: Correlation { event: row.get("type")?, paths: paths(row)?, hash: row.get("hash")? },
            })
        })
        .collect()
}

fn paths(row: &Row) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(&row.get::<String>("paths")?).map_err(|error| corrupt("the paths of a wait", error))
}
