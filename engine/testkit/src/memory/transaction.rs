//! The in-memory store's write transaction.

use super::{Shared, state::State};
use onward_core::{
    Timestamp,
    ports::{Notice, Outbox, StoreError, Transaction},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering};
use tokio::sync::OwnedMutexGuard;

/// A write transaction of [`super::MemoryStore`]; only one is open at a time. Dropped without an end, it is rolled back.
#[derive(Debug)]
pub struct MemoryTx {
    shared: Arc<Shared>,
    number: u64,
    now: Timestamp,
    outbox: Outbox,
    savepoints: Vec<Savepoint>,
    pub(super) notices: Vec<Notice>,
    /// What it sees once it was ended from outside: nothing, and nothing comes of what it writes.
    nowhere: Mutex<State>,
}

#[derive(Debug)]
struct Savepoint {
    mark: Vec<usize>,
    outbox: Outbox,
    notices: usize,
}

impl MemoryTx {
    pub(super) fn new(shared: Arc<Shared>, turn: OwnedMutexGuard<()>, now: Timestamp) -> Self {
        let number = shared.begun.fetch_add(1, Ordering::Relaxed);
        *shared.open() = Some((number, turn));
        Self { shared, number, now, outbox: Outbox::default(), savepoints: Vec::new(), notices: Vec::new(), nowhere: Mutex::default() }
    }

    fn is_open(&self) -> bool {
        self.shared.open().as_ref().is_some_and(|(number, _)| *number == self.number)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        if self.is_open() { self.shared.state() } else { self.nowhere.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    pub(super) fn savepoint(&mut self) {
        let mark = self.state().mark();
        self.savepoints.push(Savepoint { mark, outbox: self.outbox.clone(), notices: self.notices.len() });
    }

    pub(super) fn release(&mut self) -> Result<(), StoreError> {
        self.savepoints.pop().map(drop).ok_or_else(no_savepoint)
    }

    pub(super) fn rollback_to(&mut self) -> Result<(), StoreError> {
        let savepoint = self.savepoints.pop().ok_or_else(no_savepoint)?;
        self.state().undo_to(&savepoint.mark);
        self.outbox = savepoint.outbox;
        self.notices.truncate(savepoint.notices);
        Ok(())
    }

    pub(super) fn commit(mut self) -> Result<(), StoreError> {
        if !self.is_open() {
            return Err(StoreError::Failed("the transaction was ended from outside".into()));
        }
        self.state().commit();
        let notices = std::mem::take(&mut self.notices);
        let mut listeners = self.shared.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| notices.iter().all(|notice| listener.send(*notice).is_ok()));
        Ok(())
    }
}

fn no_savepoint() -> StoreError {
    StoreError::Failed("there is no savepoint to go back to".into())
}

impl Drop for MemoryTx {
    fn drop(&mut self) {
        if self.is_open() {
            // After a commit nothing is left to undo.
            self.shared.state().undo_to(&[]);
            *self.shared.open() = None;
        }
    }
}

impl Transaction for MemoryTx {
    fn now(&self) -> Timestamp {
        self.now
    }
    fn has_its_turn_at(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }
    fn fresh_id(&mut self) -> uuid::Uuid {
        self.shared.ids.fresh(self.now)
    }
    fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }
}
