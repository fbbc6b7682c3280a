//! What a job is, and who does it.

use crate::{DatabaseError, Row, id_columns};
use onward_core::{OrganisationId, Timestamp, Value, async_trait, define_id};
use tokio::sync::watch;
use uuid::Uuid;

/// The topic under which changes of jobs are announced.
pub const TOPIC: &str = "job";

/// Whose a job is that concerns the server as a whole.
pub const SERVER: OrganisationId = OrganisationId(Uuid::nil());

/// Attempts when nobody says how many.
const USUAL_ATTEMPTS: u32 = 10;

define_id!(
    /// One background job.
    JobId
);
id_columns!(JobId);

/// A job that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// Whose; [`SERVER`] for the server's own.
    pub organisation: OrganisationId,
    /// Who does it.
    pub queue: &'static str,
    /// What it is about.
    pub input: Value,
    /// When it is due; `None`: now.
    pub not_before: Option<Timestamp>,
    /// Of the organisation's jobs of this queue that are not over, one at most has this key.
    pub unique_key: Option<String>,
    /// Failed attempts after which it is given up.
    pub max_attempts: u32,
}

impl NewJob {
    /// One that is due at once.
    pub fn new(organisation: OrganisationId, queue: &'static str, input: Value) -> Self {
        Self { organisation, queue, input, not_before: None, unique_key: None, max_attempts: USUAL_ATTEMPTS }
    }
    /// Due at this moment.
    #[must_use]
    pub fn at(mut self, not_before: Timestamp) -> Self {
        self.not_before = Some(not_before);
        self
    }
    /// The only one of its kind that is not over.
    #[must_use]
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }
    /// Given up after this many failed attempts.
    #[must_use]
    pub fn attempts(mut self, max_attempts: u32) -> Self {
        self.max_attempts = max_attempts.max(1);
        self
    }
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It waits for its time or its turn.
    Pending,
    /// Somebody does it.
    Running,
    /// It is done.
    Done,
    /// It failed as often as it may: it is dead until a person lets it come again.
    Failed,
    /// A person called it off.
    Cancelled,
}

impl JobState {
    const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Done, Self::Failed, Self::Cancelled];
    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
    /// Reads what [`JobState::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A stored job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose.
    pub organisation: OrganisationId,
    /// Who does it.
    pub queue: String,
    /// How it stands.
    pub state: JobState,
    /// When it is due.
    pub not_before: Timestamp,
    /// How often it was claimed: the number of the claim that holds it now.
    pub attempts: i64,
    /// Failed attempts.
    pub failures: i64,
    /// Failed attempts after which it is given up.
    pub max_attempts: i64,
    /// When it was wanted.
    pub created_at: Timestamp,
    /// When it was last begun.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Why the last failed attempt failed.
    pub error: Option<String>,
    /// What it is about.
    pub input: Value,
    /// What it gave; of one that comes again and again, what it gave last.
    pub output: Value,
}

impl Job {
    pub(super) fn read(row: &Row) -> Result<Self, DatabaseError> {
        let state: String = row.get("state")?;
        Ok(Self {
            id: row.get("id")?,
            organisation: row.get("organisation")?,
            queue: row.get("queue")?,
            state: JobState::parse(&state)
                .ok_or_else(|| DatabaseError::Column { column: "state".into(), reason: format!("`{state}` is no state of a job") })?,
            not_before: row.get("not_before")?,
            attempts: row.get("attempts")?,
            failures: row.get("failures")?,
            max_attempts: row.get("max_attempts")?,
            created_at: row.get("created_at")?,
            started_at: row.get("started_at")?,
            ended_at: row.get("ended_at")?,
            error: row.get("error")?,
            input: row.get("input")?,
            output: row.get("output")?,
        })
    }

    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "queue": self.queue, "state": self.state.as_str(), "not_before": self.not_before, "attempts": self.attempts,
            "failures": self.failures, "max_attempts": self.max_attempts, "created_at": self.created_at, "started_at": self.started_at,
            "ended_at": self.ended_at, "error": self.error, "input": self.input, "output": self.output,
        })
    }
}

/// Which jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// In this state.
    pub state: Option<JobState>,
    /// Of this queue.
    pub queue: Option<String>,
}

/// A job that is being done.
#[derive(Clone, Debug)]
pub struct JobRun {
    /// The job.
    pub job: Job,
    pub(super) stopping: watch::Receiver<bool>,
}

impl JobRun {
    /// The server stops, or the job was called off or lost: what is left is not to be begun. A handler that goes on in pieces asks
    /// before each, and answers [`Done::Interrupted`].
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }
}

/// How an attempt ended that did not fail.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// The job is done, and gave this.
    With(Value),
    /// The handler has said so already, in a transaction of its own ([`complete`]).
    Committed,
    /// It comes again at this moment, as a job that never failed; until then this is what it gave last.
    Again {
        /// When.
        at: Timestamp,
        /// What it gave.
        output: Value,
    },
    /// It was not brought to its end because the server stops: it comes again with the next one.
    Interrupted,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JobFailure {
    /// For people.
    pub message: String,
    /// Another attempt cannot help.
    pub for_good: bool,
}

impl JobFailure {
    /// One that another attempt may help.
    pub fn passing(cause: impl std::fmt::Display) -> Self {
        Self { message: cause.to_string(), for_good: false }
    }
    /// One that no other attempt helps: a person must act.
    pub fn for_good(cause: impl std::fmt::Display) -> Self {
        Self { message: cause.to_string(), for_good: true }
    }
}

impl From<DatabaseError> for JobFailure {
    fn from(error: DatabaseError) -> Self {
        Self::passing(error)
    }
}

impl From<onward_core::ports::WriteError> for JobFailure {
    fn from(error: onward_core::ports::WriteError) -> Self {
        Self::passing(error)
    }
}

/// Does the jobs of one queue.
#[async_trait]
pub trait JobHandler: Send + Sync + 'static {
    /// The queue.
    fn queue(&self) -> &'static str;
    /// Jobs at once in this process.
    fn concurrency(&self) -> usize {
        1
    }
    /// Milliseconds that an attempt may take.
    fn longest_ms(&self) -> i64 {
        6 * 3_600_000
    }
    /// Does one attempt. It may have been begun before, by a process that ended in the middle of it.
    async fn run(&self, run: JobRun) -> Result<Done, JobFailure>;
}
