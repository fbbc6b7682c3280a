//! A store in memory, complete and honest: transactions, savepoints and committed reads behave as a database's do. What is
//! committed survives a crash of everything else; what is not, does not.

mod held;
mod nodes;
mod runs;
mod state;
mod store;
mod table;
mod transaction;

pub use transaction::MemoryTx;

use onward_core::{
    Event, OrganisationId, RunId, Timestamp,
    history::Entry,
    machine::LimitKey,
    ports::{Checkpoint, HeldStart, Ids, Notice, RoutingNote, RunRow, ShardOwner, Timer},
};
use state::State;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64};

/// The engine's tables in memory. Cheap to clone; clones are the same store.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    /// Held by the transaction that is open.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// The open transaction's number and its turn.
    open: Mutex<Option<(u64, tokio::sync::OwnedMutexGuard<()>)>>,
    begun: AtomicU64,
    /// Where committed notices go.
    listeners: Mutex<Vec<tokio::sync::mpsc::UnboundedSender<Notice>>>,
    ids: Arc<dyn Ids>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryStore(…)")
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in a test poisons the lock; what the test then looks at is whole all the same.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn open(&self) -> MutexGuard<'_, Option<(u64, tokio::sync::OwnedMutexGuard<()>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryStore {
    /// An empty store with these ids.
    pub fn new(ids: Arc<dyn Ids>) -> Self {
        let shared =
            Shared { state: Mutex::default(), turn: Arc::default(), open: Mutex::default(), begun: AtomicU64::new(0), listeners: Mutex::default(), ids };
        Self { shared: Arc::new(shared) }
    }

    /// Ends the open transaction from outside, as a database does with one that lies idle for too long: nothing of it is stored,
    /// and its owner finds out at the commit. Whether there was one.
    pub fn end_idle_transaction(&self) -> bool {
        let ended = self.shared.open().take();
        if ended.is_some() {
            self.shared.state().undo_to(&[]);
        }
        ended.is_some()
    }

    /// The committed owners of all shards.
    pub fn committed_owners(&self) -> Vec<ShardOwner> {
        nodes::owners(self.shared.state().leases.committed())
    }

    /// Every committed run, by id: for the checks of a simulation.
    pub fn committed_runs(&self) -> Vec<RunRow> {
        self.shared.state().runs.committed().values().map(|row| RunRow::clone(row)).collect()
    }

    /// The committed history of a run; empty when there is none.
    ///
    /// # Errors
    /// When stored text cannot be read: what that means is for the test to say.
    pub fn committed_history(&self, run: RunId) -> Result<Vec<Entry>, serde_json::Error> {
        runs::history(self.shared.state().history.committed(), run)
    }

    /// Every committed timer.
    pub fn committed_timers(&self) -> Vec<Timer> {
        self.shared.state().timers.committed().values().cloned().collect()
    }

    /// Every committed event.
    pub fn committed_events(&self) -> Vec<Arc<Event>> {
        self.shared.state().events.committed().values().cloned().collect()
    }

    /// The committed checkpoint of a run.
    pub fn committed_checkpoint(&self, run: RunId) -> Option<Checkpoint> {
        self.shared.state().checkpoints.committed().get(&run).cloned()
    }

    /// Everything that routing noted, and is committed.
    pub fn committed_notes(&self) -> Vec<RoutingNote> {
        self.shared.state().notes.committed().values().cloned().collect()
    }

    /// How many timers, waits, inbox rows and held starts are committed: what must be none once every run has ended.
    pub fn committed_leftovers(&self) -> (usize, usize, usize, usize) {
        let state = self.shared.state();
        (state.timers.committed().len(), state.waits.committed().len(), state.inbox.committed().len(), state.held.committed().len())
    }

    /// Committed permits: limit, then the runs that hold one.
    pub fn committed_permits(&self) -> Vec<(OrganisationId, LimitKey, RunId)> {
        self.shared.state().permits.committed().keys().cloned().collect()
    }

    /// Committed held starts, in order of intake.
    pub fn committed_held(&self) -> Vec<HeldStart> {
        self.shared.state().held.committed().values().map(|start| HeldStart::clone(start)).collect()
    }

    /// Damages the stored history of a run, as a broken disk would.
    pub fn corrupt_history(&self, run: RunId) {
        let mut state = self.shared.state();
        state.history.put((run, u64::MAX), state::Chunk { at: Timestamp::default(), text: "no json".into() });
        state.commit();
    }
}
