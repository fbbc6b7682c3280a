//! One step tried alone, on values that are given: what it would be called with, which branch it would take.

use super::{Outside as _, Previews, Stage, scripted::Scripted};
use onward_core::{
    ErrorCode, Object, RunId, StepError, Timestamp, Value,
    definition::{Step, Verb, Workflow, testing::Setting},
    expression::{RECORD_NAMES, RecordReads, Scope},
    machine::InFlight,
    ports::{Outcome, RecordRef},
};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// A step and what it sees.
pub struct StepTrial<'s> {
    /// The workflow.
    pub workflow: &'s Workflow,
    /// The step's key.
    pub step: &'s str,
    /// The envelope that it sees as `event`.
    pub event: Value,
    /// Its `input`.
    pub input: Value,
    /// Its `vars`.
    pub vars: Object,
    /// Outputs of steps, by id.
    pub steps: Object,
    /// `item`, `loop`, `error` and the like.
    pub locals: Object,
    /// Records, mocks, the moment and the zone.
    pub setting: &'s Setting,
    /// When nothing else is said.
    pub now: Timestamp,
    /// What nodes without a mock give.
    pub previews: &'s dyn Previews,
}

/// What it would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TriedStep {
    /// The step's key.
    pub step: String,
    /// Its verb.
    pub verb: String,
    /// The node, of a `do`.
    pub node: Option<String>,
    /// The guard was false.
    pub skipped: bool,
    /// The input that the node would get; what an `emit` would carry; what a `set` would give.
    pub input: Value,
    /// What the node gives without an effect.
    pub output: Value,
    /// The branch that would be taken.
    pub branch: Option<String>,
    /// Why it fails.
    pub error: Option<StepError>,
    /// Fields of records that its expressions used.
    pub reads: BTreeMap<String, Value>,
}

/// Tries a step. `Err` says why it cannot be tried alone.
pub fn try_step(trial: &StepTrial<'_>) -> Result<TriedStep, String> {
    let mut found: Option<&Step> = None;
    let mut known = Vec::new();
    trial.workflow.steps.each_step(&mut |step| {
        known.push(step.key.to_string());
        if *step.key == *trial.step {
            found = Some(step);
        }
    });
    let Some(step) = found else {
        return Err(format!("the workflow {} has no step {:?}; it has {}", trial.workflow.name, trial.step, known.join(", ")));
    };
    let mut outside = Scripted::new(trial.setting, trial.previews);
    let scope = scope(trial, &mut outside);
    let mut tried = TriedStep { step: step.key.to_string(), verb: step.verb.word().to_owned(), ..TriedStep::default() };
    if let Err(message) = run(trial, step, &scope, &mut outside, &mut tried)? {
        tried.error = Some(StepError::new(ErrorCode::InvalidInput, message).at_step(&*step.key));
    }
    tried.reads = scope.records.take_used();
    Ok(tried)
}

fn run(trial: &StepTrial<'_>, step: &Step, scope: &Scope, outside: &mut Scripted<'_>, tried: &mut TriedStep) -> Result<Result<(), String>, String> {
    let done = (|| -> Result<bool, onward_core::expression::ExpressionError> {
        if let Some(guard) = &step.guard
            && !guard.test(scope)?
        {
            tried.skipped = true;
            return Ok(true);
        }
        match &step.verb {
            Verb::Do { node, with, .. } => {
                tried.node = Some(node.clone());
                tried.input = with.render(scope)?;
                call(trial, step, node, outside, tried);
            }
            Verb::If { condition, .. } => tried.branch = Some(if condition.test(scope)? { "then" } else { "else" }.to_owned()),
            Verb::Choose { branches, .. } => {
                let mut taken = "else".to_owned();
                for (index, (condition, _)) in branches.iter().enumerate() {
                    if condition.test(scope)? {
                        taken = (index + 1).to_string();
                        break;
                    }
                }
                tried.branch = Some(taken);
            }
            Verb::Set(values) => {
                let mut set = Object::new();
                for (name, template) in values {
                    set.insert(name.clone(), template.render(scope)?);
                }
                tried.input = Value::Object(set.clone());
                tried.output = Value::Object(set);
            }
            Verb::Emit { event, with } => {
                tried.input = serde_json::json!({ "type": event.render(scope)?, "data": with.render(scope)? });
            }
            Verb::Stop { output, .. } => {
                if let Some(output) = output {
                    tried.output = output.render(scope)?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    })();
    match done {
        Ok(true) => Ok(Ok(())),
        Ok(false) => Err(format!("a `{}` cannot be tried alone; simulate the whole workflow", step.verb.word())),
        Err(error) => Ok(Err(error.message)),
    }
}

fn call(trial: &StepTrial<'_>, step: &Step, node: &str, outside: &mut Scripted<'_>, tried: &mut TriedStep) {
    let call = InFlight {
        step: Arc::clone(&step.key),
        node: node.into(),
        attempt: 1,
        run_id: RunId(uuid::Uuid::nil()),
        generation: 0,
        input: Arc::new(tried.input.clone()),
        prepared: None,
        timeout_ms: None,
        unsure: false,
    };
    match outside.call(&Stage::new(Vec::new()), &call, trial.now).outcome {
        Outcome::Done { output } => tried.output = output,
        Outcome::Retry { error, .. } | Outcome::Failed { error } | Outcome::Unknown { error } => tried.error = Some(error.at_step(&*step.key)),
        Outcome::Hold { reason, .. } => tried.error = Some(StepError::new(ErrorCode::PolicyDenied, format!("held: {reason}")).at_step(&*step.key)),
    }
}

fn scope(trial: &StepTrial<'_>, outside: &mut Scripted<'_>) -> Scope {
    let id = |name: &str| {
        let field = format!("{name}_id");
        [&trial.event["data"][&field], &trial.input[&field]].into_iter().find_map(Value::as_str).unwrap_or_default().to_owned()
    };
    let known = RECORD_NAMES.iter().map(|name| ((*name).to_owned(), outside.record(&RecordRef { name: (*name).to_owned(), id: id(name) }))).collect();
    let now = trial.setting.now.unwrap_or(trial.now);
    let mut locals: Vec<(Arc<str>, Arc<Value>)> = trial.locals.iter().map(|(name, value)| (Arc::from(name.as_str()), Arc::new(value.clone()))).collect();
    locals.sort_by(|a, b| a.0.cmp(&b.0));
    Scope {
        event: Arc::new(trial.event.clone()),
        input: Arc::new(trial.input.clone()),
        vars: Arc::new(trial.vars.clone()),
        steps: Arc::new(trial.steps.iter().map(|(id, output)| (Arc::from(id.as_str()), Arc::new(output.clone()))).collect()),
        run: Arc::new(serde_json::json!({ "id": "trial", "workflow": trial.workflow.name, "version": 0, "key": "", "started_at": now })),
        now,
        incoming: None,
        error: None,
        locals,
        records: Arc::new(RecordReads::live(known)),
        timezone: trial.setting.timezone.as_deref().map(Arc::from),
    }
}
