//! Questions to the contact, as the engine tells of them: whoever talks with contacts brings them there.

use super::{StoreError, Transaction};
use crate::{OrganisationId, RunId, Timestamp, Value, history::StepPath};

/// A question to the run's contact that is open now.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactQuestion {
    /// The step that asks.
    pub step: StepPath,
    /// Whom: a contact's id.
    pub contact: String,
    /// The question as the history has it: `title`, `form`, `values`.
    pub question: Value,
    /// Until when it may be answered.
    pub until: Option<Timestamp>,
}

/// What one run asks its contact now: everything, since what is not named here is asked no more.
#[derive(Clone, Debug, PartialEq)]
pub struct Asking {
    /// Whose.
    pub organisation: OrganisationId,
    /// The run.
    pub run_id: RunId,
    /// The workflow that it runs.
    pub workflow: String,
    /// The run's conversation, where it has one.
    pub conversation: Option<String>,
    /// The run is paused: it takes no answer until it goes on.
    pub paused: bool,
    /// The open questions, in order of their steps; none once the run has ended.
    pub open: Vec<ContactQuestion>,
}

/// Told in the very transaction in which a question to a contact opens or closes, in whatever way (an answer, a time-out, the
/// run's end, a repair, a copy of the run, a move to another version), and in which a run that asks is paused or goes on.
#[crate::async_trait]
pub trait ContactQuestions<T: Transaction>: Send + Sync + 'static {
    /// Takes note. What it emits is routed in this transaction, and answers that it has for the run are given
    /// ([`Transaction::answer`]). May be told the same again.
    async fn changed(&self, tx: &mut T, asking: &Asking) -> Result<(), StoreError>;
}

/// Brings questions nowhere: they are answered by people, over the API.
#[derive(Clone, Copy, Debug, Default)]
pub struct NobodyAsked;

#[crate::async_trait]
impl<T: Transaction> ContactQuestions<T> for NobodyAsked {
    async fn changed(&self, _tx: &mut T, _asking: &Asking) -> Result<(), StoreError> {
        Ok(())
    }
}
