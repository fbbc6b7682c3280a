//! What is stored of a run: its row, its transitions, what it waits for.

use crate::{EventId, OrganisationId, RunId, Shard, StepError, Timestamp, Value, history::Entry};
use serde::{Deserialize, Serialize};

/// A run's state as people see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Admitted, not started: a limit or a queue holds it.
    Held,
    /// Work is in flight.
    #[default]
    Running,
    /// Sleeps until a time or an event.
    Waiting,
    /// Held by a person or by the engine.
    Paused,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Ended on request.
    Cancelled,
}

impl RunStatus {
    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
    /// Reads what [`RunStatus::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Held, Self::Running, Self::Waiting, Self::Paused, Self::Completed, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
    /// Whether nothing can happen to the run any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// The derived row of a run: what lists and filters need; can be rebuilt from history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// Whose.
    pub organisation: OrganisationId,
    /// Where it lives.
    pub shard: Shard,
    /// The workflow.
    pub workflow: String,
    /// The version it runs on.
    pub version: u32,
    /// What it is about.
    pub key: String,
    /// State.
    pub status: RunStatus,
    /// The run's contact.
    pub contact: Option<String>,
    /// The start's input.
    pub input: Value,
    /// The run's output, when it has ended well.
    pub output: Value,
    /// Why it failed.
    pub error: Option<StepError>,
    /// The event type of the `exit_on` that ended it.
    pub exit: Option<String>,
    /// What it waits for; `null` when it does not wait.
    pub waiting_on: Value,
    /// The questions that it asks people now, a list of [`crate::machine::State::open_questions`]; `null` when it asks none.
    pub questions: Value,
    /// The event that started it.
    pub event_id: Option<EventId>,
    /// First entry's time.
    pub started_at: Timestamp,
    /// Last entry's time, once ended.
    pub ended_at: Option<Timestamp>,
    /// The last entry's position.
    pub last_seq: u64,
    /// Causes in a row that led here.
    pub depth: u16,
}

/// Everything that one transition of one run writes.
#[derive(Clone, Debug)]
pub struct RunWrite {
    /// Whose.
    pub organisation: OrganisationId,
    /// Which.
    pub run_id: RunId,
    /// Where it lives.
    pub shard: Shard,
    /// The new entries: consecutive, all of one `at`.
    pub entries: Vec<Entry>,
    /// Payloads of these entries' values are personal and lie apart whatever their size.
    pub personal: bool,
    /// The derived row, when anything but `last_seq` changed in it; inserted when new.
    pub row: Option<RunRow>,
    /// Timers set or moved.
    pub timers_set: Vec<(String, Timestamp)>,
    /// Timers gone.
    pub timers_cleared: Vec<String>,
    /// Waits opened.
    pub waits_opened: Vec<OpenWait>,
    /// Waits closed: every row of these targets.
    pub waits_closed: Vec<String>,
    /// Inbox rows that this transition applied.
    pub inbox_applied: Vec<i64>,
}

/// A wait's row in the correlation index.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenWait {
    /// Whose.
    pub organisation: OrganisationId,
    /// The run that waits.
    pub run_id: RunId,
    /// Its shard.
    pub shard: Shard,
    /// The step's path, or `$exit.N`.
    pub target: String,
    /// The wait's name within the step.
    pub which: String,
    /// What is compared.
    pub correlation: Correlation,
}

/// A value of the correlation index: hash(organisation, type, sorted paths, canonical typed values) (SEMANTICS.md 10).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Correlation {
    /// The event's type.
    pub event: String,
    /// The paths that are compared, sorted; empty for `match: any`.
    pub paths: Vec<String>,
    /// The hash.
    pub hash: [u8; 16],
}

/// A run with its whole history, as loaded.
#[derive(Clone, Debug)]
pub struct StoredRun {
    /// The derived row.
    pub row: RunRow,
    /// The history, payloads put back.
    pub entries: Vec<Entry>,
}

/// The state of a run as it was written down: a disposable cache of the fold (SEMANTICS.md 19).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose.
    pub organisation: OrganisationId,
    /// Of which run.
    pub run_id: RunId,
    /// The last entry that is in it.
    pub seq: u64,
    /// What wrote it: only the same can read it.
    pub revision: u32,
    /// The state, and what else is known of the run; the writer's own form.
    pub content: String,
}

/// A run as it is taken up.
#[derive(Clone, Debug)]
pub struct ResumedRun {
    /// The run. With a checkpoint, its entries begin with the one that the checkpoint is of, where the history has that.
    pub stored: StoredRun,
    /// Its checkpoint.
    pub checkpoint: Option<Checkpoint>,
}

/// A timer's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// The run.
    pub run_id: RunId,
    /// Whose.
    pub organisation: OrganisationId,
    /// Its shard.
    pub shard: Shard,
    /// The step's path, or a name that begins with `$`.
    pub key: String,
    /// When it falls due.
    pub due: Timestamp,
}

/// What is known of a key: who lives, and when the last one ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyState {
    /// Living runs of the key, oldest first; one that is still `held` does not live yet.
    pub live: Vec<RunId>,
    /// When the last run of the key ended; remembered longer than the runs.
    pub last_ended_at: Option<Timestamp>,
    /// The first held start of the key that keeps its place in the order of intake: bursts that are not over and starts
    /// that wait for a person have none.
    pub oldest_held: Option<i64>,
    /// The last such start.
    pub newest_held: Option<i64>,
}
