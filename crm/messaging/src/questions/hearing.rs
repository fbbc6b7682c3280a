//! What a contact writes while they are asked something.

use super::{
    Question, columns,
    form::Field,
    wording::{MISFITS, Reason, choice_of},
};
use crate::consent;
use onward_connectors::incoming::IncomingMessage;
use onward_core::{
    ConnectionId, OrganisationId,
    ports::{GivenAnswer, Transaction},
};
use onward_database::{DatabaseError, Query as _, Tx, args};
use onward_records::ContactId;

/// Takes a new message of a contact for the answer to what they were asked last over this account, where it is one: a choice that
/// was tapped answers the question that it belongs to, whatever was asked since.
pub(crate) async fn hear(
    tx: &mut Tx,
    organisation: OrganisationId,
    contact: ContactId,
    connection: ConnectionId,
    message: &IncomingMessage,
) -> Result<(), DatabaseError> {
    if message.kind == "reaction" {
        return Ok(());
    }
    let text = message.text.as_deref().unwrap_or_default();
    let now = tx.now();
    // Of two messages at two servers one is the answer: who finds the question changes it before anybody else does.
    let row = match message.reply_id.as_deref().map(choice_of) {
        Some(Some((id, _))) => {
            tx.fetch_optional(
                columns!("AND id = $2 AND contact_id = $3 AND answer IS NULL {for update of contact_questions}"),
                args![organisation, id, contact],
            )
            .await?
        }
        // A button of another message answers that one.
        Some(None) => None,
        // STOP is never meant for the question.
        None if consent::read_text(text).is_some() => None,
        None => {
            // What was left says how far the conversation is, nothing of questions.
            tx.fetch_apart(
                columns!("AND contact_id = $2 AND connection_id = $3 AND sent_at IS NOT NULL AND answer IS NULL AND NOT for_person ORDER BY sent_at DESC, id DESC LIMIT 1 {for update of contact_questions}"),
                args![organisation, contact, connection],
            )
            .await?
            .into_iter()
            .next()
        }
    };
    let Some(question) = row.as_ref().map(Question::from_row).transpose()? else { return Ok(()) };
    // One that is past its time is about to close: too late is an ordinary message.
    if question.until.is_some_and(|until| until < now) {
        return Ok(());
    }
    let field = Field::of(&question.form);
    let answer = match message.reply_id.as_deref().and_then(choice_of) {
        Some((_, place)) => field.and_then(|field| field.chosen(place)),
        None => field.and_then(|field| field.read(text)),
    };
    match answer {
        Some(answer) => {
            let by = format!("contact {contact}");
            // A run that is paused takes it when it goes on.
            tx.execute(
                "UPDATE contact_questions SET answer = $4, answered_by = $5, problem = NULL WHERE organisation = $1 AND run_id = $2 AND step = $3",
                args![organisation, question.run_id, &question.step, &answer, &by],
            )
            .await?;
            if !question.paused {
                tx.answer(GivenAnswer { run_id: question.run_id, step: question.step.as_str().into(), answer, by });
            }
        }
        // Of a choice that is not there any more, or with a text that people look at anyway.
        None if message.reply_id.is_some() || question.for_person => {}
        None => misfit(tx, organisation, &question).await?,
    }
    Ok(())
}

/// What they wrote does not fit: they are asked again, but not for ever.
async fn misfit(tx: &mut Tx, organisation: OrganisationId, question: &Question) -> Result<(), DatabaseError> {
    let misfits = question.misfits + 1;
    let given_up = misfits >= MISFITS;
    let problem = given_up.then(|| format!("{misfits} answers of the contact did not fit; a person passes the answer on"));
    tx.execute(
        "UPDATE contact_questions SET misfits = $4, for_person = $5, problem = $6 WHERE organisation = $1 AND run_id = $2 AND step = $3",
        args![organisation, question.run_id, &question.step, misfits, given_up, problem],
    )
    .await?;
    question.bring(tx, organisation, if given_up { Reason::GivenUp } else { Reason::Misfit });
    Ok(())
}
