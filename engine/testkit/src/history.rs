//! Histories for tests, entry by entry.

use onward_core::{
    Timestamp, Value,
    history::{Entry, Fact, REVISION},
};

/// Builds a history: each entry follows the last one, at the builder's time.
///
/// ```
/// use onward_testkit::HistoryBuilder;
/// use serde_json::json;
/// let entries = HistoryBuilder::started("welcome", json!({})).step("a", "debug.echo", json!({ "n": 1 }), json!({ "n": 1 })).completed(json!(null)).build();
/// assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
/// ```
#[derive(Clone, Debug)]
pub struct HistoryBuilder {
    entries: Vec<Entry>,
    at: Timestamp,
}

impl HistoryBuilder {
    /// Begins with `run_started`, version 1, key `k`, by hand.
    pub fn started(workflow: &str, input: Value) -> Self {
        let event = serde_json::json!({ "specversion": "1.0", "id": "e", "source": "test", "type": "manual.started", "data": input });
        let started = Fact::RunStarted {
            workflow: workflow.to_owned(),
            version: 1,
            revision: REVISION,
            key: "k".into(),
            trigger: None,
            input: input.into(),
            event: event.into(),
            event_id: None,
            seed: 1,
            timezone: "UTC".into(),
            deadline: None,
            depth: 0,
            parent: None,
        };
        Self { entries: Vec::new(), at: super::simulation::BEGINNING }.fact(None, started)
    }

    /// Later entries are this much later.
    #[must_use]
    pub fn after(mut self, millis: i64) -> Self {
        self.at = self.at.plus_millis(millis);
        self
    }

    /// Any entry.
    #[must_use]
    pub fn fact(mut self, step: Option<&str>, fact: Fact) -> Self {
        let seq = self.entries.len() as u64 + 1;
        self.entries.push(Entry { seq, at: self.at, step: step.map(Into::into), fact });
        self
    }

    /// A node that was scheduled.
    #[must_use]
    pub fn scheduled(self, step: &str, node: &str, input: Value) -> Self {
        self.fact(
            Some(step),
            Fact::StepScheduled { node: node.to_owned(), attempt: 1, generation: 0, input: Some(input.into()), timeout_ms: None, prepared: None },
        )
    }

    /// A node that was scheduled and completed.
    #[must_use]
    pub fn step(self, step: &str, node: &str, input: Value, output: Value) -> Self {
        self.scheduled(step, node, input).fact(Some(step), Fact::StepCompleted { output: output.into(), truncated: false, undo: None })
    }

    /// `run_completed`.
    #[must_use]
    pub fn completed(self, output: Value) -> Self {
        self.fact(None, Fact::RunCompleted { output, exit: None })
    }

    /// The history.
    pub fn build(self) -> Vec<Entry> {
        self.entries
    }
}
