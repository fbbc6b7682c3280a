//! Background jobs: work that is no workflow, wanted in the transaction that has the reason for it and done soon after.
//!
//! [`enqueue`] writes a row; after the commit whoever does the jobs of that queue is told and claims it. A job is done at least
//! once, and what a handler writes together with [`complete`] takes effect exactly once: a claim that was lost completes nothing.
//! A failed attempt comes again after a wait that is a column and no timer, until `max_attempts`; then the job is dead, and a
//! person may let it come again.
//!
//! The [`runner`] does them on apalis: its monitor, its workers and the layers of tower; a queue's table, claims and ends are
//! ours (docs/decisions). What a job does stands with its subject, as a [`JobHandler`].

mod finisher;
mod model;
mod queue;
mod runner;
mod source;
mod table;
#[cfg(test)]
mod tests;

pub use model::{Done, Job, JobFailure, JobFilter, JobHandler, JobId, JobRun, JobState, NewJob, SERVER, TOPIC};
pub use runner::{JobParts, JobWaker, Jobs};
pub use table::{cancel, complete, enqueue, forget, get, list, retry};
