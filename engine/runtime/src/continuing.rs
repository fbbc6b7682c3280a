//! Runs that go on in a new history (`continue_as`, SEMANTICS.md 31).

use crate::{batch::Batch, engine::Engine, gates::home_of, live::Live};
use onward_core::{
    RunId, Value,
    machine::{Happening, Start, State},
    ports::{Store, StoreError},
};
use std::{collections::BTreeMap, sync::Arc};

impl<S: Store> Engine<S> {
    /// Begins the new history of a run, in the transaction that ends the old one. It is no new start: neither mode nor limits
    /// are asked, and the permits go over. It runs the version published now, or its own where none is.
    pub(crate) async fn continue_as(&mut self, tx: &mut S::Tx, batch: &mut Batch<S::Tx>, old: RunId, run_id: RunId, input: Value) -> Result<(), StoreError> {
        let Some(live) = self.runs.get(old) else { return Ok(()) };
        let (organisation, shard, may_hold_permit) = (live.organisation, live.shard, live.may_hold_permit);
        let snapshot = self.shared.definitions.snapshot();
        let (workflow, version) = match snapshot.current(organisation, &live.workflow.name) {
            Some(current) => (Arc::clone(&current.workflow), current.version),
            None => (Arc::clone(&live.workflow), live.state.version),
        };
        let start = Start {
            version,
            key: live.state.key.to_string(),
            trigger: None,
            input,
            event: Value::clone(&live.state.event),
            event_id: live.state.event_id,
            seed: self.shared.ids.seed(),
            depth: live.state.depth,
            parent: live.state.parent.clone(),
            reads: BTreeMap::new(),
        };
        let store = Arc::clone(&self.shared.store);
        if may_hold_permit {
            for (organisation, limit) in store.release_permits(tx, &[old]).await? {
                store.take_permit(tx, organisation, &limit, home_of(organisation, &limit), run_id, u32::MAX).await?;
            }
        }
        batch.key_change(organisation, &workflow.name, &start.key).started.push(run_id);
        batch.touched.insert(run_id);
        self.runs.insert(Live::new(organisation, shard, workflow, State::new(run_id), 0).that_may_hold_permit(may_hold_permit));
        batch.happen(run_id, Happening::Started(start));
        Ok(())
    }
}
