//! Pipelines and their stages.

use crate::{
    Answer, App, Caller, Once, Problem,
    request::{Body, Id, IfMatch, Payload, page},
    shapes,
    write::write,
};
use axum::extract::State;
use onward_accounts::Action;
use onward_records::{
    PipelineId, StageId,
    pipelines::{self, NewStage, Pipeline, PipelinePatch},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_pipelines, create_pipeline)).routes(routes!(get_pipeline, update_pipeline, delete_pipeline))
}

/// A stage: with the id of one that is there, it is that one.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewStage)]
struct Stage {
    /// An existing stage of this pipeline.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Uuid)]
    id: Option<StageId>,
    /// Unique in the pipeline.
    name: String,
    /// Of winning, in percent.
    #[serde(default)]
    #[schema(maximum = 100)]
    probability: Option<u8>,
}

impl Stage {
    fn into_new(self) -> NewStage {
        NewStage { id: self.id, name: self.name, probability: self.probability }
    }
}

/// A pipeline to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPipeline, example = json!({ "name": "Coaching", "stages": [{ "name": "Asked" }, { "name": "Trial", "probability": 50 }] }))]
struct New {
    /// Unique in the organisation.
    name: String,
    /// From left to right.
    stages: Vec<Stage>,
}
impl Body for New {}

/// What changes; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PipelineChange, example = json!({ "default": true }))]
struct Patch {
    name: Option<String>,
    /// `true` makes it where deals go that name no pipeline.
    default: bool,
    /// All stages, from left to right. One that is left out is removed, if no deal stands in it.
    stages: Option<Vec<Stage>>,
}
impl Body for Patch {}

/// Lists the pipelines, the default first.
#[utoipa::path(get, path = "/pipelines", tag = "Deals", responses((status = 200, body = shapes::Page<shapes::Pipeline>)))]
async fn list_pipelines(State(app): State<App>, caller: Caller) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let found = pipelines::list(&mut app.reader(), caller.organisation).await?;
    Ok(Answer::ok(page::envelope(found.iter().map(Pipeline::to_value).collect(), None)))
}

/// Makes a pipeline.
#[utoipa::path(post, path = "/pipelines", tag = "Deals", request_body = New, responses((status = 201, body = shapes::Pipeline)))]
async fn create_pipeline(State(app): State<App>, caller: Caller, once: Once, payload: Payload<New>) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    let key = once.bind(&app, &caller, &payload.bytes)?;
    let New { name, stages } = payload.value;
    write(&app, &caller, key, move |tx, who| {
        let (name, stages) = (name.clone(), stages.iter().cloned().map(Stage::into_new).collect());
        Box::pin(async move {
            let pipeline = pipelines::create(tx, who.organisation, &who.actor(), &name, stages).await?;
            Ok(Answer::created(pipeline.to_value(), format!("/api/v1/pipelines/{}", pipeline.id)).tagged())
        })
    })
    .await
}

/// Gives a pipeline.
#[utoipa::path(get, path = "/pipelines/{id}", tag = "Deals", params(("id" = String, Path, format = "uuid")), responses((status = 200, body = shapes::Pipeline)))]
async fn get_pipeline(State(app): State<App>, caller: Caller, Id(id): Id<PipelineId>) -> Result<Answer, Problem> {
    caller.may(Action::ReadRecords)?;
    let pipeline = pipelines::get(&mut app.reader(), caller.organisation, id).await?.ok_or_else(|| Problem::not_found("pipeline", id))?;
    Ok(Answer::ok(pipeline.to_value()).tagged())
}

/// Changes a pipeline.
#[utoipa::path(patch, path = "/pipelines/{id}", tag = "Deals", request_body = Patch,
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 200, body = shapes::Pipeline)))]
async fn update_pipeline(State(app): State<App>, caller: Caller, Id(id): Id<PipelineId>, seen: IfMatch, payload: Payload<Patch>) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    let body = payload.value;
    let stages = body.stages.map(|stages| stages.into_iter().map(Stage::into_new).collect());
    let patch = PipelinePatch { name: body.name, is_default: body.default, stages };
    write(&app, &caller, None, move |tx, who| {
        let (patch, seen) = (patch.clone(), seen.clone());
        Box::pin(async move {
            let present = pipelines::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("pipeline", id))?;
            seen.check(&present.to_value())?;
            Ok(Answer::ok(pipelines::update(tx, who.organisation, &who.actor(), id, patch).await?.to_value()).tagged())
        })
    })
    .await
}

/// Removes a pipeline without deals that is not the default.
#[utoipa::path(delete, path = "/pipelines/{id}", tag = "Deals",
    params(("id" = String, Path, format = "uuid"), ("If-Match" = Option<String>, Header, description = "the ETag that was read")),
    responses((status = 204)))]
async fn delete_pipeline(State(app): State<App>, caller: Caller, Id(id): Id<PipelineId>, seen: IfMatch) -> Result<Answer, Problem> {
    caller.may(Action::Administer)?;
    write(&app, &caller, None, move |tx, who| {
        let seen = seen.clone();
        Box::pin(async move {
            let present = pipelines::get(tx, who.organisation, id).await?.ok_or_else(|| Problem::not_found("pipeline", id))?;
            seen.check(&present.to_value())?;
            pipelines::delete(tx, who.organisation, &who.actor(), id).await?;
            Ok(Answer::empty())
        })
    })
    .await
}
