//! Questions that runs ask their contact (`ask: { who: contact }`): sent through the one door, answered by what the contact writes.
//!
//! ```text
//! the run asks ──► row, `ask.contact` ──► built-in workflow `ask-contact` ──► `message.send` (held while the policy says so)
//! the contact writes ──► fits: the run's answer, in the same transaction
//!                    └─► does not: `ask.contact` again, with what is expected; after three times a person takes over
//! answered by anybody, timed out, cancelled ──► the row goes; what still waits to be sent is not sent any more
//! ```
//!
//! A row stands for an open question, and goes with it. All of this is committed with what causes it: nothing is sent twice and
//! nothing is lost, wherever the process dies.

mod form;
mod hearing;
mod sending;
mod standing;
#[cfg(test)]
mod tests;
mod wording;

pub(crate) use hearing::hear;
pub(crate) use sending::{Errand, Sender, close_unsent, held, not_sent, sent};
pub use standing::ContactDesk;
pub(crate) use wording::{OPENS_LIST, Wording};

use crate::{ConversationId, MessageId, events};
use onward_core::{ConnectionId, NewEvent, OrganisationId, RunId, Timestamp, Value, ports::Transaction};
use onward_database::{DatabaseError, Query, Row, Rows, Tx, args};
use onward_records::ContactId;
use std::collections::BTreeMap;
use wording::Reason;

/// The event that has a question brought to its contact, first or again.
pub const BRING: &str = "ask.contact";

/// An open question to a contact.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    id: uuid::Uuid,
    run_id: RunId,
    step: String,
    /// The workflow that asks: the author of its messages.
    pub(crate) workflow: String,
    /// Whom.
    pub(crate) contact_id: ContactId,
    /// The run's conversation, where it has one.
    pub(crate) conversation_id: Option<ConversationId>,
    title: String,
    form: Value,
    /// When it was asked.
    pub(crate) opened_at: Timestamp,
    until: Option<Timestamp>,
    paused: bool,
    answer: Option<Value>,
    answered_by: Option<String>,
    sent_at: Option<Timestamp>,
    misfits: u32,
    for_person: bool,
}

/// The columns of a [`Question`].
macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, run_id, step, workflow, contact_id, conversation_id, title, form, opened_at, until, paused, answer, answered_by, sent_at, misfits, ",
            "for_person FROM contact_questions WHERE organisation = $1 ",
            $rest
        )
    };
}
use columns;

impl Question {
    fn from_row(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: row.get("id")?,
            run_id: row.get("run_id")?,
            step: row.get("step")?,
            workflow: row.get("workflow")?,
            contact_id: row.get("contact_id")?,
            conversation_id: row.get("conversation_id")?,
            title: row.get("title")?,
            form: row.get::<Option<Value>>("form")?.unwrap_or_default(),
            opened_at: row.get("opened_at")?,
            until: row.get("until")?,
            paused: row.get("paused")?,
            answer: row.get("answer")?,
            answered_by: row.get("answered_by")?,
            sent_at: row.get("sent_at")?,
            misfits: row.get("misfits")?,
            for_person: row.get("for_person")?,
        })
    }

    /// Has it brought to the contact, through the built-in workflow.
    fn bring(&self, tx: &mut Tx, organisation: OrganisationId, reason: Reason) {
        let data = serde_json::json!({
            "run_id": self.run_id, "step": self.step, "workflow": self.workflow, "title": self.title, "contact_id": self.contact_id,
            "conversation_id": self.conversation_id, "reason": reason.as_str(),
        });
        let mut event = NewEvent::new(organisation, BRING, events::SOURCE, data);
        event.subject = Some(self.contact_id.to_string());
        tx.emit(event);
    }
}

/// The open question of a step.
async fn of_step(tx: &mut Tx, organisation: OrganisationId, run_id: RunId, step: &str) -> Result<Option<Question>, DatabaseError> {
    let row = tx.fetch_optional(columns!("AND run_id = $2 AND step = $3"), args![organisation, run_id, step]).await?;
    row.as_ref().map(Question::from_row).transpose()
}

/// How the open questions of these runs stand with their contacts, by run and step: `{ status, problem, message_id, sent_at, misfits }`.
/// The status is the message's, or `waiting` (nothing is written yet), `answered` (the answer waits for the paused run), `for_person`
/// (nobody understood the contact: a person passes the answer on).
pub async fn deliveries(db: &mut impl Query, organisation: OrganisationId, runs: &[RunId]) -> Result<BTreeMap<(RunId, String), Value>, DatabaseError> {
    let rows = db
        .fetch_all(
            "SELECT q.run_id, q.step, q.answer, q.for_person, q.problem, q.message_id, q.sent_at, q.misfits, m.status
             FROM {$2: id uuid} AS asked JOIN contact_questions AS q ON q.organisation = $1 AND q.run_id = asked.id
             LEFT JOIN messages AS m ON m.organisation = $1 AND m.id = q.message_id",
            args![organisation, Rows::of(runs.iter().copied())],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let status = match (row.get::<Option<Value>>("answer")?, row.get::<bool>("for_person")?) {
                (Some(_), _) => "answered".to_owned(),
                (None, true) => "for_person".to_owned(),
                (None, false) => row.get::<Option<String>>("status")?.unwrap_or_else(|| "waiting".to_owned()),
            };
            let delivery = serde_json::json!({
                "status": status, "problem": row.get::<Option<String>>("problem")?, "message_id": row.get::<Option<MessageId>>("message_id")?,
                "sent_at": row.get::<Option<Timestamp>>("sent_at")?, "misfits": row.get::<u32>("misfits")?,
            });
            Ok(((row.get("run_id")?, row.get("step")?), delivery))
        })
        .collect()
}

/// Forgets what a contact is asked; see [`crate::erase`].
pub(crate) async fn forget_contact(tx: &mut Tx, organisation: OrganisationId, contact: ContactId) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM contact_questions WHERE organisation = $1 AND contact_id = $2", args![organisation, contact]).await?;
    Ok(())
}

/// What was sent with a question, by the account that it went over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// The message.
    pub(crate) message: MessageId,
    /// The account.
    pub(crate) connection: ConnectionId,
}
