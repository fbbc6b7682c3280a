//! Plays in virtual time and single steps, without any effect.

use crate::{
    Answer, App, Caller, Problem,
    problem::FieldError,
    request::{Body, Name, Payload, params::shortened},
    shapes,
};
use axum::extract::State;
use onward_accounts::Action;
use onward_core::{
    Object, Value,
    definition::{
        Span, Workflow,
        testing::{Begin, EventDraft, Scenario},
    },
    limits,
};
use onward_runtime::{
    EngineError,
    play::{Crowd, Previews, Stage, Starts, StepTrial, TimelineSetup, contacts, timeline, try_step},
};
use onward_store::{drafts, queries};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(simulate)).routes(routes!(test_step))
}

/// Threads that one simulation takes: the server has other things to do.
const THREADS: usize = 2;

/// What is played.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = NewSimulation, example = json!({ "event": { "type": "lead.captured", "data": { "phone": "+919812345678" } }, "for": "30d", "contacts": 1000 }))]
struct NewSimulation {
    /// The workflow file; left out, its draft, else the version that is current.
    source: Option<String>,
    /// The event that starts it: `{ type, data, … }`.
    #[schema(value_type = Option<Object>)]
    event: Option<Value>,
    /// Or the input of a start by hand.
    input: Option<Value>,
    /// Or a delivery to a webhook of the workflow.
    webhook: Option<Delivery>,
    /// Or the workflow's own schedules: every due time of so long a span, such as 30d.
    schedule: Option<String>,
    /// What nodes give, what records hold, how people answer: `{ mock, records, answers, vary, now, timezone, variant }`, or the
    /// same as YAML text.
    scenario: Option<Value>,
    /// How long it is watched, such as 30d; left out: until nothing moves any more.
    r#for: Option<String>,
    /// A crowd of so many synthetic contacts, up to 10,000; left out: one timeline.
    contacts: Option<u64>,
    /// Over how long they come, one after the other, such as 8h; left out: all at the same moment.
    over: Option<String>,
    /// Where all chance comes from; 0 when left out.
    seed: u64,
}
impl Body for NewSimulation {
    const LIMIT: usize = 4 * limits::DEFINITION_BYTES;
    const OPTIONAL: bool = true;
}

/// What somebody posts to a webhook.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SimulatedDelivery)]
struct Delivery {
    /// The webhook's path; left out: the only one that the workflow has.
    path: Option<String>,
    /// The body: what `event.data` holds.
    body: Value,
}

impl NewSimulation {
    fn starts(&self) -> Result<Starts, Problem> {
        let given =
            [("/event", self.event.is_some()), ("/input", self.input.is_some()), ("/webhook", self.webhook.is_some()), ("/schedule", self.schedule.is_some())];
        if let Some((pointer, _)) = given.iter().filter(|(_, given)| *given).nth(1) {
            return Err(Problem::invalid(*pointer, "a simulation begins with one of event, input, webhook and schedule"));
        }
        if let Some(event) = &self.event {
            return Ok(Starts::Begin(Begin::Event(EventDraft::from_value(event).map_err(|problem| Problem::invalid("/event", problem))?)));
        }
        if let Some(Delivery { path, body }) = &self.webhook {
            return Ok(Starts::Webhook { path: path.clone(), body: body.clone() });
        }
        if let Some(text) = &self.schedule {
            return Ok(Starts::Schedule(Span::parse(text).map_err(|problem| Problem::invalid("/schedule", problem))?));
        }
        Ok(Starts::Begin(Begin::Input(self.input.clone().unwrap_or_else(|| Value::Object(Object::new())))))
    }
}

/// Plays a workflow in virtual time, without any effect: one start, or a crowd of synthetic contacts.
#[utoipa::path(post, path = "/workflows/{name}/simulate", tag = "Workflows", request_body = NewSimulation, params(("name" = String, Path)), responses((status = 200, body = shapes::Simulation)))]
async fn simulate(State(app): State<App>, caller: Caller, Name(name): Name, payload: Payload<NewSimulation>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let asked = payload.value;
    let starts = asked.starts()?;
    let watched_for = asked.r#for.as_deref().map(Span::parse).transpose().map_err(|problem| Problem::invalid("/for", problem))?;
    let over = asked.over.as_deref().map(Span::parse).transpose().map_err(|problem| Problem::invalid("/over", problem))?;
    if let Some(number) = asked.contacts.filter(|number| !(1..=limits::SIMULATED_CONTACTS_REMOTE).contains(number)) {
        return Err(Problem::invalid("/contacts", format!("is {number}; it goes from 1 to {}", limits::SIMULATED_CONTACTS_REMOTE)));
    }
    let workflow = workflow(&app, &caller, &name, asked.source.clone()).await?;
    let wrong = |reason| Problem::invalid(if asked.schedule.is_some() { "/schedule" } else { "/webhook" }, reason);
    starts.check(&workflow, asked.contacts.is_some()).map_err(wrong)?;
    let engine = app.engine().clone();
    let scenario = scenario(asked.scenario.as_ref(), &workflow, engine.nodes())?;
    let mut stage = Stage::new(vec![workflow]);
    stage.seed = asked.seed;
    let work = move || {
        if let Some(number) = asked.contacts {
            let crowd = Crowd { stage, starts, scenario: &scenario, watched_for, over, previews: engine.nodes(), contacts: number, threads: THREADS };
            return serde_json::to_value(contacts(&crowd)).map(|counts| serde_json::json!({ "timeline": null, "counts": counts }));
        }
        let played = timeline(&TimelineSetup { stage, starts, scenario: &scenario, watched_for, previews: engine.nodes() });
        serde_json::to_value(played).map(|timeline| serde_json::json!({ "timeline": timeline, "counts": null }))
    };
    let played = tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?.map_err(Problem::internal)?;
    Ok(Answer::ok(played))
}

/// A step and what it is to see.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StepTest, example = json!({ "step": "greeting", "event": { "type": "lead.captured", "data": { "name": "Asha" } }, "steps": { "lead": { "id": "c1" } } }))]
struct StepTest {
    /// The workflow file; left out, its draft, else the version that is current.
    source: Option<String>,
    /// The step's id.
    step: String,
    /// The event that it sees.
    #[serde(default)]
    #[schema(value_type = Object)]
    event: Value,
    /// Its input.
    #[serde(default)]
    input: Value,
    /// Variables.
    #[serde(default)]
    #[schema(value_type = Object)]
    vars: Object,
    /// Outputs of steps, by id.
    #[serde(default)]
    #[schema(value_type = Object)]
    steps: Object,
    /// `item`, `loop`, `error` and the like.
    #[serde(default)]
    #[schema(value_type = Object)]
    locals: Object,
    /// What nodes give and records hold, as for a simulation.
    scenario: Option<Value>,
}
impl Body for StepTest {
    const LIMIT: usize = 4 * limits::DEFINITION_BYTES;
}

/// Tries one step alone, without any effect: what it would be called with, what its node would give, which branch it would take.
#[utoipa::path(post, path = "/workflows/{name}/test-step", tag = "Workflows", request_body = StepTest, params(("name" = String, Path)), responses((status = 200, body = shapes::TriedStep)))]
async fn test_step(State(app): State<App>, caller: Caller, Name(name): Name, payload: Payload<StepTest>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let asked = payload.value;
    let workflow = workflow(&app, &caller, &name, asked.source.clone()).await?;
    let engine = app.engine().clone();
    let scenario = scenario(asked.scenario.as_ref(), &workflow, engine.nodes())?;
    let now = app.now();
    let work = move || {
        try_step(&StepTrial {
            workflow: &workflow,
            step: &asked.step,
            event: asked.event,
            input: asked.input,
            vars: asked.vars,
            steps: asked.steps,
            locals: asked.locals,
            setting: &scenario.setting,
            now,
            previews: engine.nodes(),
        })
    };
    let tried = tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?;
    let tried = tried.map_err(|reason| Problem::invalid("/step", reason))?;
    Ok(Answer::ok(serde_json::to_value(tried).map_err(Problem::internal)?))
}

/// The workflow that is meant: the given file, else its draft, else the version that is current.
async fn workflow(app: &App, caller: &Caller, name: &str, source: Option<String>) -> Result<Arc<Workflow>, Problem> {
    let source = match source {
        Some(source) => source,
        None => stored(app, caller, name).await?,
    };
    let engine = app.engine().clone();
    let compiled = tokio::task::spawn_blocking(move || engine.compile(&source)).await.map_err(Problem::internal)?;
    compiled.workflow.map(Arc::new).ok_or_else(|| EngineError::Invalid { problems: compiled.problems }.into())
}

/// The text of a workflow: its draft, else the version that is current.
async fn stored(app: &App, caller: &Caller, name: &str) -> Result<String, Problem> {
    let mut reader = app.reader();
    if let Some(draft) = drafts::get(&mut reader, caller.organisation, name).await? {
        return Ok(draft.source);
    }
    let missing = || Problem::not_found("workflow", shortened(name));
    let found = queries::workflow(&mut reader, caller.organisation, name).await?.ok_or_else(missing)?;
    let version = found.current_version.ok_or_else(missing)?;
    Ok(queries::version(&mut reader, caller.organisation, name, version).await?.ok_or_else(missing)?.source)
}

/// A scenario as text or as JSON; JSON is YAML too.
fn scenario(given: Option<&Value>, workflow: &Workflow, previews: &dyn Previews) -> Result<Scenario, Problem> {
    let text = match given {
        None | Some(Value::Null) => return Ok(Scenario::default()),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut read = Scenario::parse(&text);
    if let Some(scenario) = &read.value {
        read.problems.extend(scenario.check(&[workflow], previews));
    }
    if read.problems.is_empty()
        && let Some(scenario) = read.value
    {
        return Ok(scenario);
    }
    let mistakes = read.problems.into_iter().map(|problem| FieldError { pointer: format!("/scenario{}", problem.pointer), detail: problem.message });
    Err(Problem::invalid_input(mistakes.collect()))
}
