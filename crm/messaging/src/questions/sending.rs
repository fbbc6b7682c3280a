//! The message that brings a question, as the one door writes it.

use super::{
    Question, Sent, Wording, of_step,
    wording::{Reason, wordings},
};
use crate::{MessageId, workflow};
use onward_accounts::{CrmError, nodes::input::Input};
use onward_core::{
    OrganisationId, RunId, StepError, Timestamp,
    ports::{StepContext, Transaction as _},
};
use onward_database::{DatabaseError, Tx, args};

/// A question that a step of the built-in workflow is to bring.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Errand {
    /// The question.
    pub(crate) question: Question,
    reason: Reason,
}

/// What became of an errand's beginning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sender {
    /// It is a message like any other.
    None,
    /// It brings a question.
    Brings(Box<Errand>),
    /// The question is closed, or was brought meanwhile.
    Idle,
}

impl Sender {
    /// Reads `question: { run_id, step, reason, since }` of the input.
    pub(crate) async fn read(tx: &mut Tx, ctx: &StepContext, input: &Input<'_>) -> Result<Self, CrmError> {
        let Some(given) = input.value("question") else { return Ok(Self::None) };
        if *ctx.workflow != *workflow::ASK_CONTACT {
            return Err(CrmError::invalid("question", format!("only the built-in workflow `{}` brings questions", workflow::ASK_CONTACT)));
        }
        let wrong = || CrmError::invalid("question", "a question is { run_id, step, reason, since }");
        let run_id = given["run_id"].as_str().and_then(onward_core::ids::parse::<RunId>).ok_or_else(wrong)?;
        let step = given["step"].as_str().ok_or_else(wrong)?;
        let reason = given["reason"].as_str().and_then(Reason::parse).ok_or_else(wrong)?;
        let since: Timestamp = given["since"].as_str().and_then(|since| since.parse().ok()).ok_or_else(wrong)?;
        let Some(question) = of_step(tx, ctx.organisation, run_id, step).await? else { return Ok(Self::Idle) };
        // Brought since this was asked for: another wait in the queue did it.
        let is_stale = question.answer.is_some() || question.sent_at.is_some_and(|at| at >= since) || (question.for_person && reason == Reason::Reminded);
        Ok(if is_stale && reason != Reason::GivenUp { Self::Idle } else { Self::Brings(Box::new(Errand { question, reason })) })
    }
}

impl Errand {
    /// The ways to write it, the handiest first.
    pub(crate) fn wordings(&self) -> Vec<Wording> {
        wordings(&self.question, self.reason)
    }

    fn key(&self) -> (RunId, &str) {
        (self.question.run_id, &self.question.step)
    }
}

/// It leaves now: from here on what the contact writes may be its answer.
pub(crate) async fn sent(tx: &mut Tx, organisation: OrganisationId, errand: &Errand, sent: Sent) -> Result<(), DatabaseError> {
    let ((run_id, step), now) = (errand.key(), tx.now());
    tx.execute(
        "UPDATE contact_questions SET message_id = $4, connection_id = $5, sent_before = sent_at, sent_at = $6, sender_run = NULL, sender_step = NULL,
                problem = CASE WHEN for_person THEN problem ELSE NULL END
         WHERE organisation = $1 AND run_id = $2 AND step = $3",
        args![organisation, run_id, step, sent.message, sent.connection, now],
    )
    .await?;
    Ok(())
}

/// It may not leave, or has nowhere to go; why is shown with the question, and the step that waits is woken when it closes.
pub(crate) async fn held(tx: &mut Tx, ctx: &StepContext, errand: &Errand, message: Option<MessageId>, why: &str) -> Result<(), DatabaseError> {
    let (run_id, step) = errand.key();
    tx.execute(
        "UPDATE contact_questions SET message_id = $4, sender_run = $5, sender_step = $6, problem = CASE WHEN for_person THEN problem ELSE $7 END
         WHERE organisation = $1 AND run_id = $2 AND step = $3",
        args![ctx.organisation, run_id, step, message, ctx.run_id, &*ctx.step, why],
    )
    .await?;
    Ok(())
}

/// A message did not leave, or will not arrive: what the contact writes answers what they saw before, or nothing.
pub(crate) async fn not_sent(tx: &mut Tx, organisation: OrganisationId, message: MessageId, why: &str) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE contact_questions SET sent_at = sent_before, problem = CASE WHEN for_person THEN problem ELSE $3 END
         WHERE organisation = $1 AND message_id = $2",
        args![organisation, message, why],
    )
    .await?;
    Ok(())
}

/// Why the message of a question that closed in time was not sent.
pub(crate) fn close_unsent() -> StepError {
    StepError::new(onward_core::ErrorCode::Cancelled, "the question was answered, or closed, before this could be sent")
}
