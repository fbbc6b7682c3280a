//! Questions to contacts: whoever talks with them is told of each change, in the transaction that makes it.

use crate::{batch::Batch, engine::Engine, turn::collect_outbox};
use onward_core::{
    history::StepPath,
    machine::State,
    ports::{Asking, Store, StoreError},
};
use std::sync::Arc;

/// What the run asks its contact, as far as a change of it must be told: which steps, and whether it takes answers.
pub(crate) fn standing(state: &State) -> Option<(bool, Vec<StepPath>)> {
    if !state.is_asking() || state.status.is_final() {
        return None;
    }
    let steps: Vec<StepPath> = state.contact_questions().into_iter().map(|open| open.step).collect();
    (!steps.is_empty()).then_some((state.paused.is_some(), steps))
}

impl<S: Store> Engine<S> {
    /// Tells of the runs whose questions changed. What comes of it is done within this transaction.
    pub(crate) async fn tell_of_questions(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>) -> Result<(), StoreError> {
        for run_id in std::mem::take(&mut batch.asking) {
            let Some(live) = self.runs.get(run_id) else { continue };
            let state = &live.state;
            let asking = Asking {
                organisation: live.organisation,
                run_id,
                workflow: live.workflow.name.clone(),
                conversation: state.bindings.get("conversation").cloned(),
                paused: state.paused.is_some(),
                open: state.contact_questions(),
            };
            let depth = state.depth;
            let questions = Arc::clone(&self.shared.questions);
            questions.changed(tx, &asking).await?;
            collect_outbox(tx, batch, Some((run_id, depth)));
        }
        Ok(())
    }
}
