//! The in-memory store's write transaction.

use super::{Shared, state::State};
use onward_core::{
    Timestamp,
    ports::{Outbox, StoreError, Transaction},
};
use std::sync::{Arc, MutexGuard};
use tokio::sync::OwnedMutexGuard;

/// A write transaction of [`super::MemoryStore`]; only one is open at a time. Dropped without an end, it is rolled back.
#[derive(Debug)]
pub struct MemoryTx {
    shared: Arc<Shared>,
    _turn: OwnedMutexGuard<()>,
    now: Timestamp,
    outbox: Outbox,
    savepoints: Vec<Savepoint>,
}

#[derive(Debug)]
struct Savepoint {
    mark: Vec<usize>,
    outbox: Outbox,
}

impl MemoryTx {
    pub(super) fn new(shared: Arc<Shared>, turn: OwnedMutexGuard<()>, now: Timestamp) -> Self {
        Self { shared, _turn: turn, now, outbox: Outbox::default(), savepoints: Vec::new() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    pub(super) fn savepoint(&mut self) {
        let mark = self.state().mark();
        self.savepoints.push(Savepoint { mark, outbox: self.outbox.clone() });
    }

    pub(super) fn release(&mut self) -> Result<(), StoreError> {
        self.savepoints.pop().map(drop).ok_or_else(no_savepoint)
    }

    pub(super) fn rollback_to(&mut self) -> Result<(), StoreError> {
        let savepoint = self.savepoints.pop().ok_or_else(no_savepoint)?;
        self.state().undo_to(&savepoint.mark);
        self.outbox = savepoint.outbox;
        Ok(())
    }

    pub(super) fn commit(self) {
        self.state().commit();
    }
}

fn no_savepoint() -> StoreError {
    StoreError::Failed("there is no savepoint to go back to".into())
}

impl Drop for MemoryTx {
    fn drop(&mut self) {
        // After a commit nothing is left to undo.
        self.shared.state().undo_to(&[]);
    }
}

impl Transaction for MemoryTx {
    fn now(&self) -> Timestamp {
        self.now
    }
    fn fresh_id(&mut self) -> uuid::Uuid {
        self.shared.ids.fresh(self.now)
    }
    fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }
}
