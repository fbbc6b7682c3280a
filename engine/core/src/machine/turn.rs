//! One turn of the machine: entries are recorded and folded as they are decided, until the run rests or needs to know
//! something.

use super::{
    Action, Context, Decision, Need, State,
    fold::fold,
    groups::Motion,
    state::Opening,
    strand::{Standing, Trail, block_of, path_in, trail_of},
};
use crate::{
    ErrorCode, StepError, Timestamp, Value,
    definition::Workflow,
    expression::{ExpressionError, RECORD_NAMES, RecordReads, Scope},
    history::{Entry, Fact, StepPath},
    limits,
    ports::RecordRef,
};
use std::{collections::BTreeMap, sync::Arc};

/// A turn under way.
pub(super) struct Turn<'a, 'c> {
    pub(super) workflow: &'a Workflow,
    pub(super) state: &'a mut State,
    pub(super) context: &'a Context<'c>,
    pub(super) at: Timestamp,
    pub(super) decision: Decision,
    /// Nothing can be recorded any more.
    pub(super) stuck: bool,
}

/// Why a turn cannot go on with what it was doing.
#[derive(Debug)]
pub(super) enum Stop {
    /// Something must be known first; it is in the decision.
    Need,
    /// The step fails.
    Failed(StepError),
}

impl From<ExpressionError> for Stop {
    fn from(error: ExpressionError) -> Self {
        Self::Failed(StepError::new(ErrorCode::InvalidInput, error.message))
    }
}

impl Turn<'_, '_> {
    /// Records an entry and folds it at once.
    pub(super) fn record(&mut self, step: Option<&StepPath>, fact: Fact) {
        let entry = Entry { seq: self.state.seq + 1, at: self.at, step: step.cloned(), fact };
        match fold(self.workflow, self.state, &entry) {
            Ok(()) => self.decision.entries.push(entry),
            // The machine contradicts itself: hold the run for a person rather than guess (SEMANTICS.md 21).
            Err(error) => self.hold_for_engine(&error.to_string()),
        }
    }

    /// Pauses the run with reason `engine`.
    pub(super) fn hold_for_engine(&mut self, reason: &str) {
        if self.state.paused.is_some() {
            return;
        }
        let entry = Entry { seq: self.state.seq + 1, at: self.at, step: None, fact: Fact::Paused { by: "engine".into(), reason: Some(reason.to_owned()) } };
        match fold(self.workflow, self.state, &entry) {
            Ok(()) => self.decision.entries.push(entry),
            // Not even that can be recorded, as of a run that never began: nothing may go on from here.
            Err(_) => self.stuck = true,
        }
    }

    pub(super) fn act(&mut self, action: Action) {
        self.decision.actions.push(action);
    }

    /// Goes on from step to step until the run rests.
    pub(super) fn advance(&mut self) {
        while !self.stuck && !self.state.status.is_final() && self.state.paused.is_none() && self.decision.need.is_none() {
            if self.state.seq >= limits::RUN_ENTRIES && self.state.ending.is_none() {
                self.hold_for_engine(&format!("the history has {} entries, the most that a run may have", limits::RUN_ENTRIES));
                return;
            }
            let moved = if self.state.ending.is_some() {
                self.wind_down()
            } else if self.state.opening != Opening::Done {
                self.open().is_ok()
            } else if let Some(script) = &self.workflow.script {
                self.advance_script(script)
            } else {
                self.work(&Trail::new())
            };
            if !moved {
                return;
            }
        }
    }

    /// Takes one step forward in the strand at the end of the trail, or in one inside it. False: all of it rests.
    pub(super) fn work(&mut self, trail: &Trail) -> bool {
        let workflow = self.workflow;
        let (Some(block), Some(strand)) = (block_of(workflow, trail), self.state.root.at(trail)) else { return false };
        let index = strand.index;
        match &strand.standing {
            Standing::Busy => false,
            Standing::Free => match block.steps.get(index) {
                Some(step) => {
                    let path = path_in(&step.key, trail);
                    match self.begin(step, &path) {
                        Ok(()) => true,
                        Err(Stop::Need) => false,
                        Err(Stop::Failed(error)) => {
                            self.fail_step(&path, error);
                            true
                        }
                    }
                }
                None if trail.is_empty() => {
                    self.complete(Value::Null, None);
                    true
                }
                None => false,
            },
            Standing::Inside(group) => {
                let Some(step) = block.steps.get(index) else { return false };
                if let Some(next) = super::groups::next(step, group) {
                    return self.take(step, trail, next) == Motion::Moved;
                }
                let members: Vec<_> = group.strands.keys().copied().collect();
                let mut inner = trail.clone();
                for member in members {
                    inner.push((index, member));
                    if self.work(&inner) {
                        return true;
                    }
                    inner.pop();
                }
                false
            }
        }
    }

    /// The beginning of a run: its records, its variables, its exits.
    fn open(&mut self) -> Result<(), Stop> {
        let result = match self.state.opening {
            Opening::Bindings => self.bind_records().map(|()| Opening::Variables),
            Opening::Variables => self.set_initial_vars().map(|()| Opening::Exits),
            Opening::Exits | Opening::Done => {
                self.open_exits();
                Ok(Opening::Done)
            }
        };
        match result {
            Ok(next) => {
                self.state.opening = next;
                Ok(())
            }
            Err(Stop::Failed(error)) => {
                self.fail_run(error);
                Err(Stop::Need)
            }
            Err(Stop::Need) => Err(Stop::Need),
        }
    }

    /// Which contact is `contact` (SEMANTICS.md 36), likewise company, deal and conversation.
    fn bind_records(&mut self) -> Result<(), Stop> {
        for record in ["contact", "company", "deal", "conversation"] {
            if self.state.bindings.contains_key(record) {
                continue;
            }
            let id = if let Some(expression) = self.workflow.bindings.get(record) {
                let scope = self.scope(expression.records(), None, None)?;
                let value = expression.evaluate(&scope)?;
                self.note_reads(None, &scope);
                identifier(if value.is_object() { &value["id"] } else { &value })
            } else {
                let name = format!("{record}_id");
                identifier(&self.state.event["data"][&name]).or_else(|| identifier(&self.state.input[&name]))
            };
            if let Some(id) = id {
                self.record(None, Fact::Bound { record: record.to_owned(), id });
            }
        }
        Ok(())
    }

    fn set_initial_vars(&mut self) -> Result<(), Stop> {
        if self.workflow.vars.is_empty() {
            return Ok(());
        }
        let mut values = crate::Object::new();
        for (name, template) in &self.workflow.vars {
            let scope = self.scope(template.records(), None, None)?;
            values.insert(name.clone(), template.render(&scope)?);
            self.note_reads(None, &scope);
        }
        self.record(None, Fact::VarsSet { values });
        Ok(())
    }

    /// What an expression of this step (`None`: at the top) sees, with the live records that it names; asks for those that
    /// are not known yet.
    pub(super) fn scope(&mut self, records: &[&'static str], incoming: Option<&Arc<Value>>, step: Option<&str>) -> Result<Scope, Stop> {
        let trail = step.filter(|step| !step.starts_with('$')).and_then(|step| trail_of(self.workflow, step).ok()).unwrap_or_default();
        let mut known = BTreeMap::new();
        let mut asked = Vec::new();
        for name in RECORD_NAMES.iter().filter(|name| records.contains(name)) {
            let id = if *name == "org" { Some(String::new()) } else { self.state.bindings.get(*name).cloned() };
            match (self.context.known.records.get(*name), id) {
                (Some(value), _) => {
                    known.insert((*name).to_owned(), value.clone());
                }
                (None, Some(id)) => asked.push(RecordRef { name: (*name).to_owned(), id }),
                (None, None) => {
                    known.insert((*name).to_owned(), Value::Null);
                }
            }
        }
        if !asked.is_empty() {
            self.decision.need = Some(Need::Records(asked));
            return Err(Stop::Need);
        }
        let mut reads = RecordReads::live(known);
        reads.recorded_only = self.context.known.recorded_only;
        let root = &self.state.root;
        let error = root.caught(&trail).map(|error| serde_json::to_value(error).unwrap_or_default());
        Ok(Scope {
            event: Arc::clone(&self.state.event),
            input: Arc::clone(&self.state.input),
            vars: root.variables(&trail).map(Arc::clone).unwrap_or_default(),
            steps: root.view(&trail).map(|view| Arc::clone(&view.outputs)).unwrap_or_default(),
            run: Arc::clone(&self.state.facts),
            now: self.at,
            incoming: incoming.map(Arc::clone),
            error: error.map(Arc::new),
            locals: root.locals(&trail),
            records: Arc::new(reads),
            timezone: Some(Arc::clone(&self.state.timezone)),
        })
    }

    /// Records the fields of live records that an expression used.
    pub(super) fn note_reads(&mut self, step: Option<&StepPath>, scope: &Scope) {
        let values = scope.records.take_used();
        if !values.is_empty() {
            self.record(step, Fact::ValueRead { values });
        }
    }
}

/// An id in a value: text that is not empty, or a number as text.
pub(super) fn identifier(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
