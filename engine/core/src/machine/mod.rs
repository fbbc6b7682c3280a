//! The machine: a pure function of a definition, the history so far and the next happening.
//!
//! ```text
//! decide(workflow, state, happening, context) -> Decision { entries, actions, need }
//! fold(workflow, state, entry)                -> state
//! ```
//! `decide` folds each entry it makes into `state` at once. Recovery folds recorded entries and evaluates nothing again
//! (SEMANTICS.md 14); what is left to do is then read from the state ([`State::in_flight`]).

mod admit;
mod answer;
mod calls;
mod checkpoint;
mod correlation;
mod decide;
mod delays;
mod ending;
mod fold;
mod follow;
mod fork;
mod goals;
mod groups;
mod happenings;
mod journal;
mod leaf;
mod migrate;
mod outcomes;
mod reached;
mod reopen;
mod repair;
mod replay;
mod results;
mod script;
mod state;
mod steps;
mod strand;
mod time;
mod told;
mod tree;
mod turn;
mod waits;
mod what_if;
pub mod why;

#[cfg(test)]
mod tests;

pub use admit::{Admission, Asked, Gates, LimitKey, Start, admit, admit_input, gates_of, priority_of};
pub use answer::{VERDICTS, check_answer, single_field};
pub use checkpoint::{Unfit, checkpoint_revision, fold_from};
pub use correlation::{correlation_of, correlations_of_event};
pub use decide::{Action, Context, Decision, Happening, Known, Need, decide};
pub use fold::{FoldError, fold, fold_all};
pub use follow::would_decide;
pub use fork::{Copied, Fork, Point, fork};
pub use goals::GoalEvents;
pub use migrate::{Mapping, Migration, Moved, Obstacle, begin_again, carry_over};
pub use reached::sites_reached;
pub use repair::{Refusal, Reopening, Repair, repair};
pub use replay::{CallDifference, Difference, Report, Versions, replay, versions_of};
pub use results::loop_results;
pub use state::{CallStanding, InFlight, OpenChild, State};
pub use what_if::replay_against;

use crate::EventId;
use serde::{Deserialize, Serialize};

/// The timer key of the whole run's time-out.
pub const RUN_TIMER: &str = "$run";
/// The timer key of the time that calls in flight get when a run ends.
pub const SETTLE_TIMER: &str = "$settle";
/// Before the number of an `exit_on` rule: the target of its wait.
pub const EXIT_TARGET: &str = "$exit.";
/// The event that tells of a new question to a person.
pub const ASKED: &str = "ask.opened";
/// The event that reminds of an open question.
pub const REMINDED: &str = "ask.reminded";
/// The event that tells of an answer.
pub const ANSWERED: &str = "ask.answered";

/// Which `exit_on` rule ended a run, by which event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExitCause {
    /// The rule's place, from 0.
    pub rule: usize,
    /// The event's type.
    pub event: String,
    /// The event.
    pub event_id: EventId,
}
