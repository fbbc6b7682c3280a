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
    /// `None`: it waits for its turn with the first thing that it does.
    number: Option<u64>,
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
    pub(super) fn new(shared: Arc<Shared>, turn: Option<OwnedMutexGuard<()>>, now: Timestamp) -> Self {
        let mut tx = Self { shared, number: None, now, outbox: Outbox::default(), savepoints: Vec::new(), notices: Vec::new(), nowhere: Mutex::default() };
        if let Some(turn) = turn {
            tx.open(turn);
        }
        tx
    }

    fn open(&mut self, turn: OwnedMutexGuard<()>) {
        let number = self.shared.begun.fetch_add(1, Ordering::Relaxed);
        *self.shared.open() = Some((number, turn));
        self.number = Some(number);
    }

    fn is_open(&self) -> bool {
        self.number.is_some() && self.shared.open().as_ref().map(|(number, _)| *number) == self.number
    }

    /// What it sees, once it has its turn.
    pub(super) async fn state(&mut self) -> MutexGuard<'_, State> {
        if self.number.is_none() {
            let turn = Arc::clone(&self.shared.turn).lock_owned().await;
            self.open(turn);
        }
        if self.is_open() { self.shared.state() } else { self.nowhere.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    pub(super) async fn savepoint(&mut self) {
        let mark = self.state().await.mark();
        self.savepoints.push(Savepoint { mark, outbox: self.outbox.clone(), notices: self.notices.len() });
    }

    pub(super) fn release(&mut self) -> Result<(), StoreError> {
        self.savepoints.pop().map(drop).ok_or_else(no_savepoint)
    }

    pub(super) async fn rollback_to(&mut self) -> Result<(), StoreError> {
        let savepoint = self.savepoints.pop().ok_or_else(no_savepoint)?;
        self.state().await.undo_to(&savepoint.mark);
        self.outbox = savepoint.outbox;
        self.notices.truncate(savepoint.notices);
        Ok(())
    }

    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        drop(self.state().await);
        if !self.is_open() {
            return Err(StoreError::Failed("the transaction was ended from outside".into()));
        }
        self.shared.state().commit();
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
