//! What an engine is made of, and how much it takes on.

use crate::Registry;
use onward_core::{
    NodeId,
    ports::{Clock, ContactQuestions, Credentials, Disk, Executor, Ids, Inventory, NodeRole, Processes, Records, Segments, Store},
};
use std::sync::Arc;

/// Everything that an engine needs of the world.
pub struct EngineConfig<S: Store> {
    /// The database.
    pub store: Arc<S>,
    /// Engine time.
    pub clock: Arc<dyn Clock>,
    /// Ids and seeds.
    pub ids: Arc<dyn Ids>,
    /// Runs the loop and the calls.
    pub executor: Arc<dyn Executor>,
    /// What `do` steps can run.
    pub nodes: Registry<S::Tx>,
    /// Live records.
    pub records: Arc<dyn Records<S::Tx>>,
    /// Who is in a segment, for schedules with `each`.
    pub segments: Arc<dyn Segments<S::Tx>>,
    /// Who brings questions to contacts.
    pub questions: Arc<dyn ContactQuestions<S::Tx>>,
    /// Connections and their secrets.
    pub credentials: Arc<dyn Credentials>,
    /// What the organisations have, of the things that definitions name.
    pub inventory: Arc<dyn Inventory>,
    /// Where the store grows.
    pub disk: Arc<dyn Disk>,
    /// This process.
    pub node_id: NodeId,
    /// What this process does.
    pub role: NodeRole,
    /// What it says of itself, for people who look at the list of nodes.
    pub about: String,
    /// What is known here of its process and of others'.
    pub processes: Arc<dyn Processes>,
    /// It is alone on its store, and takes shards that another node left behind, expired or not: right on `SQLite`, where the
    /// file lock proves that node dead.
    pub take_all: bool,
    /// Whose work it does.
    pub duty: Duty,
    /// How much is taken on at once.
    pub limits: EngineLimits,
}

/// Whose work an engine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Everybody's: it takes runs up where they stand, fires timers, makes calls.
    Server,
    /// Only what it is told: for a command on a database on which no server runs. What it is told is committed with all that
    /// follows at once; no run is taken up, no timer fires, and calls are left to the next server.
    Command,
}

/// How much an engine takes on at once. The defaults suit two cores and one disk.
#[derive(Clone, Debug)]
pub struct EngineLimits {
    /// Messages in one commit: keeps the latency of a full batch below the target for one step.
    pub batch_items: usize,
    /// Bytes of messages in one commit, as estimated.
    pub batch_bytes: usize,
    /// Of `batch_items`, how many are kept for the outcomes of steps, so that admitted work drains (SEMANTICS.md 32).
    pub step_share: usize,
    /// Messages of the low lane that may join a commit while others wait.
    pub low_lane_items: usize,
    /// Bytes of messages that may wait; more are refused.
    pub queue_bytes: usize,
    /// Milliseconds that a commit may take before new messages are refused (SEMANTICS.md 32).
    pub commit_lag_ms: i64,
    /// Calls of nodes in flight at once; others queue, fairly between organisations.
    pub calls: usize,
    /// Milliseconds of one attempt of a step without a `timeout`: nothing may hold a place for ever.
    pub call_timeout_ms: i64,
    /// Transactional and pure steps of one run in one commit; then others have their turn.
    pub steps_per_turn: usize,
    /// Held starts that are asked again in one commit, fairly between organisations.
    pub releases: usize,
    /// Held starts of one key; more are refused, or kept with an alarm where they cannot be.
    pub held_per_key: u64,
    /// Held starts of one organisation.
    pub held_per_organisation: u64,
    /// Timers that fall due together and share a commit.
    pub timer_page: usize,
    /// Timers read ahead at once.
    pub timer_read_ahead: usize,
    /// Milliseconds of timers kept in memory.
    pub timer_horizon_ms: i64,
    /// Runs taken up by one commit of recovery.
    pub recovery_page: usize,
    /// Runs at rest that stay in memory.
    pub resting_runs: usize,
    /// Entries of a run after which its state is written down anew, so that it is taken up from there (SEMANTICS.md 19). A
    /// shorter run has no checkpoint: folding a thousand entries takes less time than most commits.
    pub checkpoint_every: u64,
    /// Bytes of checkpoints for each byte of history at the most: a run with a large state (a loop over a long list) is written
    /// down more rarely.
    pub checkpoint_cost: usize,
    /// Milliseconds for which a lease is taken. A dead node's shards are free after this.
    pub lease_ms: i64,
    /// Milliseconds that calls in flight get at a shutdown.
    pub shutdown_ms: i64,
    /// Changes that a slow watcher may lag behind.
    pub changes: usize,
    /// Mistakes to be planted, so that the simulation can show that it finds them.
    #[cfg(test)]
    pub(crate) plant: Option<Plant>,
}

/// A mistake that is planted in a test.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// Callers are answered before the commit.
    AcknowledgeBeforeCommit,
    /// Timers fire when the second they are due in begins.
    TimerRoundedDown,
    /// Events lose their ids on intake.
    DedupeDropped,
    /// Commits do not check their leases.
    EpochUnchecked,
    /// After a commit that was not confirmed, the runs stay in memory as they were decided.
    MemoryKept,
    /// A call that may have happened is made again whatever the node's effect.
    AtMostOnceRepeated,
    /// The inbox is read by number, greater than the last one seen, and not by what is there (SEMANTICS.md 2).
    InboxByNumber,
    /// A wait that opens does not see the events whose transactions may still be open, and they do not see it: as if neither
    /// locked the correlation buckets (SEMANTICS.md 3).
    BucketsNotLocked,
    /// A deadline fires before what lies in the inbox is applied (SEMANTICS.md 12).
    TimeOutBeforeInbox,
    /// An input is rendered anew for each attempt (SEMANTICS.md 15).
    InputRenderedAgain,
    /// An event is matched against waits that were committed before, not against those of the same commit.
    WaitsOfBatchOverlooked,
    /// What was decided behind a commit is written although that commit was not confirmed.
    UnfoundedKept,
    /// Where two passes over paused runs meet in one commit, the one that came last goes on, and the other is forgotten.
    LastPassGoesOn,
}

impl EngineLimits {
    #[cfg(test)]
    pub(crate) fn planted(&self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            batch_items: 512,
            batch_bytes: 4 << 20,
            step_share: 256,
            low_lane_items: 1,
            queue_bytes: 64 << 20,
            commit_lag_ms: 2_000,
            calls: 512,
            call_timeout_ms: 300_000,
            steps_per_turn: 32,
            releases: 64,
            held_per_key: onward_core::limits::HELD_STARTS_PER_KEY,
            held_per_organisation: onward_core::limits::HELD_STARTS_PER_ORGANISATION,
            timer_page: 500,
            timer_read_ahead: 10_000,
            timer_horizon_ms: 60_000,
            recovery_page: 500,
            resting_runs: 1_000,
            checkpoint_every: 1_000,
            checkpoint_cost: 1,
            lease_ms: 4_000,
            shutdown_ms: 10_000,
            changes: 4_096,
            #[cfg(test)]
            plant: None,
        }
    }
}
