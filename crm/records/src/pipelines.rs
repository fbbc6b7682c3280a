//! Pipelines: the stages that deals go through. Every organisation has a default one.

use crate::{PipelineId, StageId, text};
use onward_accounts::{Actor, CrmError, audit};
use onward_core::{
    OrganisationId, Timestamp, Value, digest,
    ports::{Change, Transaction},
};
use onward_database::{DatabaseError, Query, Row, Rows, Tx, args};
use std::collections::BTreeMap;

/// Characters of the name of a pipeline or stage.
pub const NAME_CHARACTERS: usize = 100;
/// Stages of one pipeline: they stand side by side on a board.
pub const STAGES: usize = 50;
/// Pipelines of one organisation: they are listed whole.
pub const PIPELINES: usize = 100;

/// The pipeline that an organisation begins with.
const FIRST: (&str, [(&str, Option<u8>); 4]) = ("Sales", [("New", Some(10)), ("Qualified", Some(30)), ("Proposal", Some(60)), ("Negotiation", Some(80))]);

/// The stages that deals go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Its id.
    pub id: PipelineId,
    /// Unique in the organisation.
    pub name: String,
    /// Where deals go that name no pipeline.
    pub is_default: bool,
    /// From left to right.
    pub stages: Vec<Stage>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// One step on a deal's way. Won and lost are no stages: a deal is won or lost in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Its id.
    pub id: StageId,
    /// Unique in the pipeline.
    pub name: String,
    /// Of winning, in percent.
    pub probability: Option<u8>,
}

impl Pipeline {
    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        let stage = |stage: &Stage| serde_json::json!({ "id": stage.id, "name": stage.name, "probability": stage.probability });
        serde_json::json!({
            "id": self.id, "name": self.name, "default": self.is_default, "stages": self.stages.iter().map(stage).collect::<Vec<_>>(),
            "created_at": self.created_at, "updated_at": self.updated_at,
        })
    }
    /// A stage by name (in any case) or id.
    pub fn stage(&self, name_or_id: &str) -> Result<&Stage, CrmError> {
        let id = onward_core::ids::parse::<StageId>(name_or_id);
        let wanted = name_or_id.trim().to_lowercase();
        self.stages.iter().find(|stage| Some(stage.id) == id || stage.name.to_lowercase() == wanted).ok_or_else(|| {
            let names: Vec<&str> = self.stages.iter().map(|stage| stage.name.as_str()).collect();
            CrmError::invalid("stage", format!("the pipeline {} has no stage `{name_or_id}`; it has {}", self.name, names.join(", ")))
        })
    }
}

/// A stage as a person gives it: with the id of one that is there, it is that one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewStage {
    /// An existing stage of this pipeline.
    pub id: Option<StageId>,
    /// Its name.
    pub name: String,
    /// Of winning, in percent.
    pub probability: Option<u8>,
}

/// What changes; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipelinePatch {
    /// Unique in the organisation.
    pub name: Option<String>,
    /// Makes it the default; another one ceases to be.
    pub is_default: bool,
    /// All stages, from left to right. One that is left out is removed, if no open deal stands in it.
    pub stages: Option<Vec<NewStage>>,
}

/// The default pipeline, made where an organisation has none yet.
pub async fn ensure_default(tx: &mut Tx, organisation: OrganisationId) -> Result<Pipeline, CrmError> {
    if let Some(found) = the_default(tx, organisation).await? {
        return Ok(found);
    }
    if lock(tx, organisation).await?
        && let Some(found) = the_default(tx, organisation).await?
    {
        return Ok(found);
    }
    let stages = FIRST.1.iter().map(|(name, probability)| NewStage { id: None, name: (*name).to_owned(), probability: *probability }).collect();
    create(tx, organisation, &Actor::System, FIRST.0, stages).await
}

async fn the_default(tx: &mut Tx, organisation: OrganisationId) -> Result<Option<Pipeline>, CrmError> {
    let row = tx
        .fetch_optional("SELECT id, name, is_default, created_at, updated_at FROM pipelines WHERE organisation = $1 AND is_default", args![organisation])
        .await?;
    Ok(with_stages(tx, organisation, row.into_iter().collect()).await?.pop())
}

/// One server at a time changes an organisation's pipelines: one of them is the default. Whether others may have changed them meanwhile.
async fn lock(tx: &mut Tx, organisation: OrganisationId) -> Result<bool, CrmError> {
    Ok(tx.lock(vec![digest::short(&[organisation.0.as_bytes(), b"pipelines"])]).await?)
}

/// Makes a pipeline; the first of an organisation is its default.
pub async fn create(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, name: &str, stages: Vec<NewStage>) -> Result<Pipeline, CrmError> {
    lock(tx, organisation).await?;
    let name = text::title("name", name, NAME_CHARACTERS)?;
    let counts = tx
        .fetch_one("SELECT count(*) AS n, count(CASE WHEN is_default THEN 1 END) AS defaults FROM pipelines WHERE organisation = $1", args![organisation])
        .await?;
    if counts.get::<u64>("n")? >= PIPELINES as u64 {
        return Err(CrmError::conflict(format!("an organisation has at most {PIPELINES} pipelines"), vec![]));
    }
    let now = tx.now();
    let stages = named(tx, &[], stages)?;
    let is_default = counts.get::<u64>("defaults")? == 0;
    let pipeline = Pipeline { id: PipelineId(tx.fresh_id()), name, is_default, stages, created_at: now, updated_at: now };
    let written = tx
        .attempt(
            "INSERT INTO pipelines (organisation, id, name, is_default, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
            args![organisation, pipeline.id, &pipeline.name, is_default, now],
        )
        .await;
    written.map_err(|error| name_taken(error, &pipeline.name))?;
    insert_stages(tx, organisation, &pipeline).await?;
    told(tx, organisation, actor, "pipeline.created", pipeline.id, Value::Null, pipeline.to_value()).await?;
    Ok(pipeline)
}

/// Changes a pipeline. A change that changes nothing writes nothing.
pub async fn update(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: PipelineId, patch: PipelinePatch) -> Result<Pipeline, CrmError> {
    lock(tx, organisation).await?;
    let before = get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("pipeline", id))?;
    let mut after = before.clone();
    if let Some(name) = &patch.name {
        after.name = text::title("name", name, NAME_CHARACTERS)?;
    }
    after.is_default |= patch.is_default;
    if let Some(stages) = patch.stages {
        after.stages = named(tx, &before.stages, stages)?;
    }
    if after == before {
        return Ok(before);
    }
    let gone: Vec<&Stage> = before.stages.iter().filter(|stage| after.stages.iter().all(|kept| kept.id != stage.id)).collect();
    for stage in gone {
        let used = tx
            .fetch_optional("SELECT id FROM deals WHERE organisation = $1 AND pipeline_id = $2 AND stage_id = $3 LIMIT 1", args![organisation, id, stage.id])
            .await?;
        if used.is_some() {
            return Err(CrmError::conflict(format!("deals stand in the stage {}; move them first", stage.name), vec![stage.id.to_string()]));
        }
    }
    let now = tx.now();
    after.updated_at = now;
    if after.is_default && !before.is_default {
        tx.execute("UPDATE pipelines SET is_default = FALSE, updated_at = $2 WHERE organisation = $1 AND is_default", args![organisation, now]).await?;
    }
    let written = tx
        .attempt(
            "UPDATE pipelines SET name = $3, is_default = $4, updated_at = $5 WHERE organisation = $1 AND id = $2",
            args![organisation, id, &after.name, after.is_default, now],
        )
        .await;
    written.map_err(|error| name_taken(error, &after.name))?;
    if after.stages != before.stages {
        tx.execute("DELETE FROM stages WHERE organisation = $1 AND pipeline_id = $2", args![organisation, id]).await?;
        insert_stages(tx, organisation, &after).await?;
    }
    told(tx, organisation, actor, "pipeline.updated", id, before.to_value(), after.to_value()).await?;
    Ok(after)
}

/// Removes a pipeline without deals that is not the default.
pub async fn delete(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: PipelineId) -> Result<(), CrmError> {
    lock(tx, organisation).await?;
    let before = get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("pipeline", id))?;
    if before.is_default {
        return Err(CrmError::conflict("this is the default pipeline; make another one the default first", vec![id.to_string()]));
    }
    let used = tx.fetch_optional("SELECT id FROM deals WHERE organisation = $1 AND pipeline_id = $2 LIMIT 1", args![organisation, id]).await?;
    if used.is_some() {
        return Err(CrmError::conflict("the pipeline has deals; move or remove them first", vec![id.to_string()]));
    }
    tx.execute("DELETE FROM pipelines WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    told(tx, organisation, actor, "pipeline.deleted", id, before.to_value(), Value::Null).await
}

/// By id.
pub async fn get(db: &mut impl Query, organisation: OrganisationId, id: PipelineId) -> Result<Option<Pipeline>, DatabaseError> {
    let row = db
        .fetch_optional("SELECT id, name, is_default, created_at, updated_at FROM pipelines WHERE organisation = $1 AND id = $2", args![organisation, id])
        .await?;
    Ok(with_stages(db, organisation, row.into_iter().collect()).await?.pop())
}

/// By name or id, as workflows say it.
pub async fn find(db: &mut impl Query, organisation: OrganisationId, name_or_id: &str) -> Result<Pipeline, CrmError> {
    let found = if let Some(id) = onward_core::ids::parse::<PipelineId>(name_or_id) {
        get(db, organisation, id).await?
    } else {
        let row = db
            .fetch_optional(
                "SELECT id, name, is_default, created_at, updated_at FROM pipelines WHERE organisation = $1 AND name = $2",
                args![organisation, name_or_id.trim()],
            )
            .await?;
        with_stages(db, organisation, row.into_iter().collect()).await?.pop()
    };
    found.ok_or_else(|| CrmError::not_found("pipeline", name_or_id))
}

/// Every pipeline, the default first, then by name.
pub async fn list(db: &mut impl Query, organisation: OrganisationId) -> Result<Vec<Pipeline>, DatabaseError> {
    let rows = db
        .fetch_all(
            "SELECT id, name, is_default, created_at, updated_at FROM pipelines WHERE organisation = $1 ORDER BY is_default DESC, name",
            args![organisation],
        )
        .await?;
    with_stages(db, organisation, rows).await
}

async fn with_stages(db: &mut impl Query, organisation: OrganisationId, rows: Vec<Row>) -> Result<Vec<Pipeline>, DatabaseError> {
    let mut pipelines = Vec::with_capacity(rows.len());
    for row in &rows {
        pipelines.push(Pipeline {
            id: row.get("id")?,
            name: row.get("name")?,
            is_default: row.get("is_default")?,
            stages: Vec::new(),
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        });
    }
    let places: BTreeMap<PipelineId, usize> = pipelines.iter().enumerate().map(|(at, pipeline)| (pipeline.id, at)).collect();
    if places.is_empty() {
        return Ok(pipelines);
    }
    let stages = db
        .fetch_all(
            "SELECT s.pipeline_id, s.id, s.name, s.probability FROM {$2: id uuid} AS p CROSS JOIN stages AS s
             WHERE s.organisation = $1 AND s.pipeline_id = p.id ORDER BY s.position",
            args![organisation, Rows::of(places.keys())],
        )
        .await?;
    for row in &stages {
        if let Some(pipeline) = places.get(&row.get::<PipelineId>("pipeline_id")?).and_then(|at| pipelines.get_mut(*at)) {
            let probability = row.get::<Option<i64>>("probability")?.and_then(|percent| u8::try_from(percent).ok());
            pipeline.stages.push(Stage { id: row.get("id")?, name: row.get("name")?, probability });
        }
    }
    Ok(pipelines)
}

/// The stages with their ids, checked.
fn named(tx: &mut Tx, present: &[Stage], stages: Vec<NewStage>) -> Result<Vec<Stage>, CrmError> {
    if stages.is_empty() || stages.len() > STAGES {
        return Err(CrmError::invalid("stages", format!("a pipeline has 1 to {STAGES} stages")));
    }
    let mut out: Vec<Stage> = Vec::with_capacity(stages.len());
    for (at, new) in stages.into_iter().enumerate() {
        let name = text::title(&format!("stages/{at}/name"), &new.name, NAME_CHARACTERS)?;
        if out.iter().any(|stage| stage.name.to_lowercase() == name.to_lowercase()) {
            return Err(CrmError::invalid(format!("stages/{at}/name"), format!("there are two stages `{name}`")));
        }
        if new.probability.is_some_and(|percent| percent > 100) {
            return Err(CrmError::invalid(format!("stages/{at}/probability"), "a probability goes from 0 to 100 percent"));
        }
        let id = match new.id {
            None => StageId(tx.fresh_id()),
            Some(id) if present.iter().any(|stage| stage.id == id) && out.iter().all(|stage| stage.id != id) => id,
            Some(id) => return Err(CrmError::invalid(format!("stages/{at}/id"), format!("this pipeline has no stage {id}, or it is named twice"))),
        };
        out.push(Stage { id, name, probability: new.probability });
    }
    Ok(out)
}

async fn insert_stages(tx: &mut Tx, organisation: OrganisationId, pipeline: &Pipeline) -> Result<(), DatabaseError> {
    let rows: Rows =
        (0_i64..).zip(&pipeline.stages).map(|(position, stage)| args![stage.id, &stage.name, position, stage.probability.map(i64::from)]).collect();
    tx.execute(
        "INSERT INTO stages (organisation, pipeline_id, id, name, position, probability)
         SELECT $1, $2, s.id, s.name, s.position, s.probability FROM {$3: id uuid, name text, position bigint, probability bigint} AS s",
        args![organisation, pipeline.id, rows],
    )
    .await?;
    Ok(())
}

async fn told(
    tx: &mut Tx,
    organisation: OrganisationId,
    actor: &Actor,
    action: &'static str,
    id: PipelineId,
    before: Value,
    after: Value,
) -> Result<(), CrmError> {
    audit::record(tx, organisation, actor, audit::Deed { action, subject: "pipeline", subject_id: id.to_string(), before, after }).await?;
    tx.announce(Change { organisation, topic: "pipeline".into(), id: id.to_string(), data: serde_json::json!({ "event": action }) });
    Ok(())
}

fn name_taken(error: DatabaseError, name: &str) -> CrmError {
    if error.is_unique_violation_of("pipelines") {
        return CrmError::conflict(format!("there is already a pipeline `{name}`"), vec![]);
    }
    error.into()
}
