//! Telling those who watch what a confirmed commit changed.

use crate::{batch::Batch, engine::Engine};
use onward_core::ports::{Change, Store};

impl<S: Store> Engine<S> {
    /// Announces runs whose status changed, and what bodies and nodes announced. Nobody listening is no error.
    pub(crate) fn announce(&self, batch: &Batch<S::Tx>) {
        let changes = &self.shared.changes;
        if changes.receiver_count() == 0 {
            return;
        }
        for (run_id, before) in batch.written() {
            let Some(live) = self.runs.get(run_id) else { continue };
            let status = live.state.status;
            if before == Some(status) {
                continue;
            }
            let step = live.state.waiting_on().get("step").cloned().unwrap_or_default();
            let data = serde_json::json!({ "workflow": live.workflow.name, "status": status, "step": step });
            drop(changes.send(Change { organisation: live.organisation, topic: "run", id: run_id.to_string(), data }));
        }
        for change in &batch.changes {
            drop(changes.send(change.clone()));
        }
    }
}
