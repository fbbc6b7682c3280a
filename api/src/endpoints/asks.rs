//! Questions to people: which are open, and answering one.

use crate::{
    Answer, App, Caller, Problem,
    caller::Identity,
    request::{Body, Id, Page, Params, Payload},
    shapes,
};
use axum::extract::State;
use onward_accounts::Action;
use onward_core::{RunId, Value, ports::RunRow};
use onward_messaging::questions::deliveries;
use onward_store::queries;
use serde::Deserialize;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_asks)).routes(routes!(answer_run))
}

/// Which questions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of runs of this workflow.
    workflow: Option<String>,
    /// Items of a page, 1 to 100; a run that asks several things at once counts as one.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the questions that runs ask people now, those of the newest run first.
#[utoipa::path(get, path = "/asks", tag = "Runs", params(Filter), responses((status = 200, body = shapes::Page<shapes::Ask>)))]
async fn list_asks(State(app): State<App>, caller: Caller, Params(filter): Params<Filter>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let page = Page::read("asks", filter.limit, filter.cursor.as_deref())?;
    let workflow = filter.workflow.as_deref();
    let found = queries::asking_runs(&mut app.reader(), caller.organisation, workflow, page.ask() as usize, page.after.map(RunId)).await?;
    let to_contacts: Vec<RunId> = found.iter().filter(|row| questions_of(row).any(is_to_contact)).map(|row| row.id).collect();
    let deliveries = if to_contacts.is_empty() { BTreeMap::new() } else { deliveries(&mut app.reader(), caller.organisation, &to_contacts).await? };
    let shapes = |row: &RunRow| questions_of(row).map(|question| shape(row, question, &caller, &deliveries)).collect();
    Ok(Answer::ok(page.render_several(found, |row| row.id.0, shapes)))
}

fn questions_of(row: &RunRow) -> impl Iterator<Item = &Value> {
    row.questions.as_array().into_iter().flatten()
}

fn is_to_contact(question: &Value) -> bool {
    question["who"]["contact"].is_string()
}

fn shape(row: &RunRow, question: &Value, caller: &Caller, deliveries: &BTreeMap<(RunId, String), Value>) -> Value {
    let delivery = question["step"].as_str().and_then(|step| deliveries.get(&(row.id, step.to_owned())));
    serde_json::json!({
        "run_id": row.id, "workflow": row.workflow, "contact": row.contact, "step": question["step"], "who": question["who"],
        "title": question["title"], "form": question["form"], "values": question["values"], "until": question["until"],
        "delivery": delivery, "mine": may_answer(caller, question),
    })
}

/// Whoever was asked may answer: the user, or those of the role; whoever may control runs, in their stead; and for a contact those
/// who talk with contacts.
fn may_answer(caller: &Caller, question: &Value) -> bool {
    if caller.role.allows(Action::ControlRuns) {
        return true;
    }
    let who = &question["who"];
    let is_user = match &caller.identity {
        Identity::Session { user, .. } => who["user"].as_str().is_some_and(|asked| asked == user.id.to_string() || asked.eq_ignore_ascii_case(&user.email)),
        Identity::Token(_) | Identity::Local => false,
    };
    is_user || who["role"] == caller.role.as_str() || (is_to_contact(question) && caller.role.allows(Action::WriteRecords))
}

/// An answer to a question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AskAnswer, example = json!({ "step": "approval", "answer": "approve" }))]
struct Given {
    /// The step that asks; may be left out when the run asks one thing only.
    #[serde(default)]
    step: Option<String>,
    /// What fits the question's form; without a form `approve` or `reject`.
    answer: Value,
}
impl Body for Given {}

/// Answers a question of a run, which then goes on. One that is not open any more is a conflict; an answer that does not fit
/// the form is refused with its place, and the question stays open.
#[utoipa::path(post, path = "/runs/{id}/answer", tag = "Runs", request_body = Given, params(("id" = String, Path, format = "uuid")), responses((status = 202, body = shapes::RunState)))]
async fn answer_run(State(app): State<App>, caller: Caller, Id(id): Id<RunId>, payload: Payload<Given>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let Given { step, answer } = payload.value;
    let row = queries::run(&mut app.reader(), caller.organisation, id).await?.ok_or_else(|| Problem::not_found("run", id))?;
    let open: Vec<&Value> = questions_of(&row).filter(|question| step.as_deref().is_none_or(|step| question["step"] == step)).collect();
    let question = match open.as_slice() {
        [question] => *question,
        [] => return Err(Problem::conflict("not_asked", nothing_asked(&row, id, step.as_deref()))),
        several => {
            let steps: Vec<&str> = several.iter().filter_map(|question| question["step"].as_str()).collect();
            return Err(Problem::invalid("/step", format!("run {id} asks several things; name the step: {}", steps.join(", "))));
        }
    };
    if !may_answer(&caller, question) {
        return Err(Problem::forbidden("forbidden", format!("this question is for {}; ask them, or an admin", asked(&question["who"]))));
    }
    let step = question["step"].as_str().unwrap_or_default();
    let status = app.engine().answer(caller.organisation, id, step, answer, &caller.by()).await?;
    Ok(Answer::accepted(serde_json::json!({ "run_id": id, "status": status })))
}

fn nothing_asked(row: &RunRow, id: RunId, step: Option<&str>) -> String {
    let open: Vec<&str> = questions_of(row).filter_map(|question| question["step"].as_str()).collect();
    match (step, open.as_slice()) {
        (Some(step), []) => format!("step {step} of run {id} asks nothing now; it may have been answered already"),
        (Some(step), open) => format!("step {step} of run {id} asks nothing now; open are: {}", open.join(", ")),
        (None, _) => format!("run {id} asks nothing now"),
    }
}

fn asked(who: &Value) -> String {
    let (kind, name) = who.as_object().and_then(|who| who.iter().next()).map_or(("nobody", ""), |(kind, name)| (kind.as_str(), name.as_str().unwrap_or("")));
    format!("the {kind} {name}")
}
