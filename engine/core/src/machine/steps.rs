//! How each verb begins.

use super::{
    Action, Need,
    fold::REMIND_EVERY,
    leaf::{Leaf, Phase},
    turn::{Stop, Turn, identifier},
};
use crate::{
    ErrorCode, NewEvent, StepError, Value,
    definition::{Ask, Asked, Step, Variant, Verb},
    digest,
    expression::{Condition, Template},
    history::{Fact, StepPath},
    ports::{ScriptBudget, ScriptStep},
};
use std::sync::Arc;

impl Turn<'_, '_> {
    /// Begins the step at which the run stands.
    pub(super) fn begin(&mut self, step: &Step, path: &StepPath) -> Result<(), Stop> {
        if let Some(guard) = &step.guard
            && !self.test(guard, path)?
        {
            self.record(Some(path), Fact::StepSkipped { output: None });
            return Ok(());
        }
        match &step.verb {
            Verb::Do { node, with, .. } => self.begin_node(step, path, node, with),
            Verb::If { condition, .. } => {
                let branch = if self.test(condition, path)? { "then" } else { "else" };
                self.record(Some(path), Fact::BranchTaken { branch: branch.to_owned() });
                Ok(())
            }
            Verb::Choose { branches, .. } => {
                let mut taken = "else".to_owned();
                for (index, (condition, _)) in branches.iter().enumerate() {
                    if self.test(condition, path)? {
                        taken = (index + 1).to_string();
                        break;
                    }
                }
                self.record(Some(path), Fact::BranchTaken { branch: taken });
                Ok(())
            }
            Verb::Split { variants, by, .. } => self.begin_split(step, path, variants, by.as_ref()),
            Verb::Delay(delay) => self.begin_delay(path, delay),
            Verb::WaitFor { waits, since, .. } => self.begin_wait(step, path, waits, since),
            Verb::Parallel { .. } => {
                self.record(Some(path), Fact::BranchTaken { branch: "all".to_owned() });
                Ok(())
            }
            Verb::Try { .. } => {
                self.record(Some(path), Fact::BranchTaken { branch: "try".to_owned() });
                Ok(())
            }
            Verb::ForEach(for_each) => self.begin_for_each(path, for_each),
            Verb::Repeat(repeat) => self.begin_repeat(path, repeat),
            Verb::Call { workflow, with, .. } => self.begin_child(path, workflow, with),
            Verb::Script(script) => self.begin_script(path, script.as_ref()),
            Verb::Ask(ask) => self.begin_ask(step, path, ask),
            Verb::Set(values) => {
                let mut set = crate::Object::new();
                for (name, template) in values {
                    let value = self.render(template, path)?;
                    set.insert(name.clone(), value);
                }
                self.record(Some(path), Fact::VarsSet { values: set });
                Ok(())
            }
            Verb::Emit { event, with } => self.begin_emit(path, event, with),
            Verb::Stop { failed, reason, output } => self.begin_stop(path, *failed, reason.as_ref(), output.as_ref()),
        }
    }

    fn begin_stop(&mut self, path: &StepPath, failed: bool, reason: Option<&Template>, output: Option<&Template>) -> Result<(), Stop> {
        let reason = match reason {
            Some(template) => Some(as_text(&self.render(template, path)?)),
            None => None,
        };
        let output = match output {
            Some(template) => self.render(template, path)?,
            None => Value::Null,
        };
        let error = failed.then(|| {
            let message = reason.clone().unwrap_or_else(|| "the workflow stopped here".into());
            StepError::new(ErrorCode::Provider("workflow:stopped".into()), message).at_step(&**path)
        });
        self.complete_step(path, serde_json::json!({ "reason": reason, "output": output, "error": error }));
        Ok(())
    }

    fn begin_child(&mut self, path: &StepPath, workflow: &Template, with: &Template) -> Result<(), Stop> {
        let workflow = as_text(&self.render(workflow, path)?);
        let input = self.render(with, path)?;
        self.start_child(path, workflow, input);
        Ok(())
    }

    /// Starts another run with this input.
    pub(super) fn start_child(&mut self, path: &StepPath, workflow: String, input: Value) {
        let run_id = self.child_id(path);
        self.record(Some(path), Fact::ChildStarted { workflow: workflow.clone(), run_id, input: input.clone() });
        self.act(Action::StartChild { step: Arc::clone(path), run_id, workflow, input });
    }

    /// The id of the run that a step starts: the same whenever it is asked for, and in order of time like every other.
    pub(super) fn child_id(&self, path: &str) -> crate::RunId {
        let again = self.state.reopens.to_be_bytes();
        let parts = [self.state.run_id.0.as_bytes().as_slice(), b"child", path.as_bytes(), &again];
        // Of a run that was taken up again another one than before.
        let digest = digest::hash(if self.state.reopens == 0 { &parts[..3] } else { &parts });
        let mut random = [0; 10];
        random.copy_from_slice(&digest[..10]);
        let millis = u64::try_from(self.at.as_millis()).unwrap_or_default();
        crate::RunId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// A script is a function of what it sees: its outcome is recorded, and only a replay evaluates it again.
    fn begin_script(&mut self, path: &StepPath, script: &dyn ScriptStep) -> Result<(), Stop> {
        let named = |name: &str| script.references().iter().any(|reference| reference.path.first().is_some_and(|root| root == name));
        let records: Vec<&'static str> = crate::expression::RECORD_NAMES.into_iter().filter(|name| named(name)).collect();
        let scope = self.scope(&records, None, Some(path))?;
        let budget = ScriptBudget::unlimited();
        let Ok(outcome) = script.evaluate(&scope, &budget) else {
            self.hold_for_engine(&format!("the script of step {path} takes more than this server gives it; make it smaller"));
            return Ok(());
        };
        self.note_reads(Some(path), &scope);
        match outcome {
            Ok(output) => {
                let (output, truncated) = super::outcomes::bounded(output);
                self.record(Some(path), Fact::StepCompleted { output: output.into(), truncated, undo: None });
                Ok(())
            }
            Err(error) => Err(Stop::Failed(error)),
        }
    }

    fn begin_ask(&mut self, step: &Step, path: &StepPath, ask: &Ask) -> Result<(), Stop> {
        let who = match &ask.who {
            Asked::Role(role) => serde_json::json!({ "role": role }),
            Asked::User(user) => {
                let user = self.render(user, path)?;
                let user = identifier(&user)
                    .ok_or_else(|| Stop::Failed(StepError::new(ErrorCode::InvalidInput, format!("ask: `user` is {user}; it must be the id of a user"))))?;
                serde_json::json!({ "user": user })
            }
            Asked::Contact => {
                let contact = self.state.bindings.get("contact").ok_or_else(|| {
                    let message = "ask: the run has no contact yet; find or upsert one in a step before";
                    Stop::Failed(StepError::new(ErrorCode::InvalidInput, message))
                })?;
                serde_json::json!({ "contact": contact })
            }
        };
        let title = as_text(&self.render(&ask.title, path)?);
        let values = match &ask.values {
            Some(values) => self.render(values, path)?,
            None => Value::Null,
        };
        let deadline = match &step.timeout {
            Some(template) => Some(self.span_end(template, path)?),
            None => None,
        };
        let mut question = serde_json::json!({ "who": who, "title": title, "form": ask.form, "values": values });
        if let (Some(every), Some(_)) = (&ask.remind_every, &self.workflow.script) {
            question[REMIND_EVERY] = every.text.as_str().into();
        }
        self.record(Some(path), Fact::AskOpened { question, deadline });
        self.tell_of_question(path, super::ASKED);
        if let Some(due) = self.state.leaves.get(path).and_then(Leaf::due) {
            self.act(Action::SetTimer { key: path.to_string(), due });
        }
        Ok(())
    }

    /// Puts an event about an open question on the bus.
    pub(super) fn tell_of_question(&mut self, path: &StepPath, kind: &str) {
        let Some(Leaf::Ask { question, deadline, .. }) = self.state.leaves.get(path) else { return };
        let data = serde_json::json!({
            "run_id": self.state.run_id, "workflow": self.workflow.name, "step": path, "who": question["who"], "title": question["title"],
            "form": question["form"], "values": question["values"], "until": deadline, "contact_id": self.state.bindings.get("contact"),
        });
        self.emit(path, kind.to_owned(), data);
    }

    fn begin_node(&mut self, step: &Step, path: &StepPath, node: &str, with: &Template) -> Result<(), Stop> {
        let input = self.render(with, path)?;
        self.schedule(step, path, node, input)
    }

    /// Schedules a node for the first time, with this input.
    pub(super) fn schedule(&mut self, step: &Step, path: &StepPath, node: &str, input: Value) -> Result<(), Stop> {
        let timeout_ms = match &step.timeout {
            Some(template) => Some(self.span_end(template, path)?.millis_since(self.at).max(1)),
            None => None,
        };
        let generation = self.state.reopens;
        self.record(Some(path), Fact::StepScheduled { node: node.to_owned(), attempt: 1, generation, input: Some(input.into()), timeout_ms, prepared: None });
        self.run(path);
        Ok(())
    }

    /// Hands the call of a step, which is now in flight, to the runtime.
    pub(super) fn run(&mut self, path: &StepPath) {
        if let Some(Leaf::Node(progress)) = self.state.leaves.get(path)
            && progress.phase == Phase::InFlight
        {
            let call = self.state.call(path, progress);
            self.act(Action::Run(call));
        }
    }

    fn begin_split(&mut self, step: &Step, path: &StepPath, variants: &[Variant], by: Option<&Template>) -> Result<(), Stop> {
        let by = match by {
            Some(template) => {
                let value = self.render(template, path)?;
                identifier(&value).ok_or_else(|| {
                    Stop::Failed(StepError::new(
                        ErrorCode::InvalidInput,
                        format!("split: `by` is {value}; it must be a text or a number that names whom the variant is for"),
                    ))
                })?
            }
            None => self.state.bindings.get("contact").cloned().unwrap_or_else(|| self.state.key.to_string()),
        };
        let organisation = self.context.organisation;
        let chance = digest::fraction(&[organisation.0.as_bytes(), self.workflow.name.as_bytes(), step.key.as_bytes(), by.as_bytes()]);
        let proposal = choose(variants, chance);
        let Some((stored, sticky)) = self.context.known.variants.get(path).cloned() else {
            self.decision.need = Some(Need::Variant { step: Arc::clone(path), by, proposal });
            return Err(Stop::Need);
        };
        // A stored variant that this version does not have any more gives way to the one proposed.
        let (variant, sticky) = if step.verb.part_named(&stored).is_some() { (stored, sticky) } else { (proposal, false) };
        self.record(Some(path), Fact::VariantChosen { variant, by, sticky });
        Ok(())
    }

    fn begin_emit(&mut self, path: &StepPath, event: &Template, with: &Template) -> Result<(), Stop> {
        let kind = as_text(&self.render(event, path)?);
        if kind.is_empty() || !kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.-".contains(&byte)) {
            return Err(Stop::Failed(StepError::new(
                ErrorCode::InvalidInput,
                format!("emit: {kind:?} is no event type; use lower-case letters, digits, dots, dashes and underscores"),
            )));
        }
        let data = self.render(with, path)?;
        self.emit(path, kind, data);
        Ok(())
    }

    pub(super) fn emit(&mut self, path: &StepPath, kind: String, data: Value) {
        let id = self.event_id_of(path, self.state.emitted);
        self.record(Some(path), Fact::EventEmitted { event: kind.clone(), id: id.clone(), data: data.clone() });
        let event = self.own_event(kind, id, data);
        self.act(Action::Emit(event));
    }

    /// hash(run, step path, n) (SEMANTICS.md 8).
    pub(super) fn event_id_of(&self, path: &str, number: u64) -> String {
        hex::encode(digest::short(&[self.state.run_id.0.as_bytes(), path.as_bytes(), &number.to_be_bytes()]))
    }

    /// An event of this run, one cause deeper than the run.
    pub(super) fn own_event(&self, kind: String, id: String, data: Value) -> NewEvent {
        NewEvent {
            organisation: self.context.organisation,
            kind,
            source: format!("/workflows/{}", self.workflow.name),
            id: Some(id),
            subject: Some(self.state.run_id.to_string()),
            time: Some(self.at),
            data,
            cause: Some(self.state.run_id),
            depth: self.state.depth.saturating_add(1),
        }
    }

    /// Whether a condition holds; notes what it read.
    pub(super) fn test(&mut self, condition: &Condition, path: &StepPath) -> Result<bool, Stop> {
        let scope = self.scope(condition.records(), None, Some(path))?;
        let holds = condition.test(&scope)?;
        self.note_reads(Some(path), &scope);
        Ok(holds)
    }

    /// A template's value; notes what it read.
    pub(super) fn render(&mut self, template: &Template, path: &StepPath) -> Result<Value, Stop> {
        if let Some(value) = template.as_literal() {
            return Ok(value.clone());
        }
        let scope = self.scope(template.records(), None, Some(path))?;
        let value = template.render(&scope)?;
        self.note_reads(Some(path), &scope);
        Ok(value)
    }
}

/// The variant at this chance (0 to 1), by weight.
fn choose(variants: &[Variant], chance: f64) -> String {
    let total: f64 = variants.iter().map(|variant| variant.weight.max(0.0)).sum();
    let mut left = chance * total;
    for variant in variants {
        left -= variant.weight.max(0.0);
        if left < 0.0 {
            return variant.name.clone();
        }
    }
    variants.last().map(|variant| variant.name.clone()).unwrap_or_default()
}

/// Text as it is, anything else as JSON.
pub(super) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
