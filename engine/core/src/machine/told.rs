//! What a run tells of itself: its row, what it waits for, what it asks.

use super::{
    leaf::{Leaf, Phase, UNDO},
    state::State,
};
use crate::{
    OrganisationId, Shard, Value,
    ports::{ContactQuestion, RunRow},
};
use std::sync::Arc;

/// Waits that are told besides the first.
const ALSO_TOLD: usize = 9;

impl State {
    /// The derived row.
    pub fn row(&self, organisation: OrganisationId, shard: Shard) -> RunRow {
        RunRow {
            id: self.run_id,
            organisation,
            shard,
            workflow: self.workflow.to_string(),
            version: self.version,
            key: self.key.to_string(),
            status: self.status,
            contact: self.bindings.get("contact").cloned(),
            input: Value::clone(&self.input),
            output: self.output.clone(),
            error: self.error.clone(),
            exit: self.exit.clone(),
            waiting_on: self.waiting_on(),
            questions: self.open_questions(),
            event_id: self.event_id,
            started_at: self.started_at,
            ended_at: self.status.is_final().then_some(self.at),
            last_seq: self.seq,
            depth: self.depth,
        }
    }

    /// Whether it asks people something now.
    pub fn is_asking(&self) -> bool {
        self.leaves.values().any(|leaf| matches!(leaf, Leaf::Ask { .. }))
    }

    /// The questions to the run's contact that can be answered now, in order of their steps.
    pub fn contact_questions(&self) -> Vec<ContactQuestion> {
        if self.status.is_final() {
            return Vec::new();
        }
        let open = self.leaves.iter().filter_map(|(path, leaf)| {
            let Leaf::Ask { question, deadline, .. } = leaf else { return None };
            let contact = question["who"]["contact"].as_str()?.to_owned();
            Some(ContactQuestion { step: Arc::clone(path), contact, question: Value::clone(question), until: *deadline })
        });
        let mut open: Vec<ContactQuestion> = open.collect();
        open.sort_by(|a, b| a.step.cmp(&b.step));
        open
    }

    /// The questions that people can answer now, in order of their steps: a list of `{ step, who, title, form, values, until }`,
    /// or `null`.
    pub fn open_questions(&self) -> Value {
        if self.status.is_final() {
            return Value::Null;
        }
        let told = self.leaves.iter().filter_map(|(path, leaf)| {
            let Leaf::Ask { question, deadline, .. } = leaf else { return None };
            let mut told = Value::clone(question);
            told["step"] = Value::from(&**path);
            told["until"] = serde_json::json!(deadline);
            Some(told)
        });
        let told: Vec<Value> = told.collect();
        if told.is_empty() { Value::Null } else { told.into() }
    }

    /// What the run waits for, for people and programs: `null`, or an object with `kind`
    /// (`event|timer|retry|hold|step|run|ask|settle|resume`; a run that is held back has `start`), the step, and what belongs
    /// to it. A run that waits for several things at once tells the others in `also`, a few of them.
    pub fn waiting_on(&self) -> Value {
        if self.status.is_final() {
            return Value::Null;
        }
        if let Some(by) = &self.paused {
            return serde_json::json!({ "kind": "resume", "paused_by": by });
        }
        let mut leaves = self.leaves.iter();
        let Some((path, first)) = leaves.next() else {
            return match &self.ending {
                Some(ending) => serde_json::json!({ "kind": "settle", "until": ending.settles_at() }),
                None => Value::Null,
            };
        };
        if let (Some(ending), Leaf::Node(progress)) = (&self.ending, first)
            && progress.phase == Phase::InFlight
            && !path.starts_with(UNDO)
        {
            return serde_json::json!({ "kind": "settle", "until": ending.settles_at() });
        }
        let mut told = first.told(path);
        let also: Vec<Value> = leaves.take(ALSO_TOLD).map(|(path, leaf)| leaf.told(path)).collect();
        if !also.is_empty()
            && let Some(told) = told.as_object_mut()
        {
            told.insert("also".into(), also.into());
        }
        told
    }
}
