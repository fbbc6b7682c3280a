//! The engine tells which questions are open; the rows follow.

use super::{Question, columns, form::Field, wording::Reason};
use onward_core::{
    OrganisationId, async_trait,
    ports::{Asking, ContactQuestion, ContactQuestions, GivenAnswer, StoreError, Transaction},
};
use onward_database::{DatabaseError, Query as _, Tx, args};
use onward_records::ContactId;

/// Brings the questions of runs to their contacts.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContactDesk;

#[async_trait]
impl ContactQuestions<Tx> for ContactDesk {
    async fn changed(&self, tx: &mut Tx, asking: &Asking) -> Result<(), StoreError> {
        let known = tx.fetch_all(columns!("AND run_id = $2"), args![asking.organisation, asking.run_id]).await?;
        let known: Vec<Question> = known.iter().map(Question::from_row).collect::<Result<_, _>>()?;
        for question in &known {
            if !asking.open.iter().any(|open| *open.step == *question.step) {
                close(tx, asking.organisation, question).await?;
            }
        }
        for open in &asking.open {
            match known.iter().find(|question| *question.step == *open.step) {
                Some(question) => follow(tx, asking, question).await?,
                None => begin(tx, asking, open).await?,
            }
        }
        Ok(())
    }
}

/// A question opens: it is to be sent.
async fn begin(tx: &mut Tx, asking: &Asking, open: &ContactQuestion) -> Result<(), DatabaseError> {
    // What is no contact's id cannot be written to; the question is open to people.
    let Some(contact) = onward_core::ids::parse::<ContactId>(&open.contact) else { return Ok(()) };
    let question = Question {
        id: tx.fresh_id(),
        run_id: asking.run_id,
        step: open.step.to_string(),
        workflow: asking.workflow.clone(),
        contact_id: contact,
        conversation_id: asking.conversation.as_deref().and_then(onward_core::ids::parse),
        title: open.question["title"].as_str().unwrap_or_default().to_owned(),
        form: open.question["form"].clone(),
        opened_at: tx.now(),
        until: open.until,
        paused: asking.paused,
        answer: None,
        answered_by: None,
        sent_at: None,
        misfits: 0,
        for_person: Field::of(&open.question["form"]).is_none(),
    };
    let problem = question.for_person.then_some("its form asks for more than one thing; a person passes the answer on");
    tx.execute(
        "INSERT INTO contact_questions (organisation, run_id, step, id, workflow, contact_id, conversation_id, title, form, opened_at, until, paused,
                                        for_person, problem)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        args![
            asking.organisation,
            question.run_id,
            &question.step,
            question.id,
            &question.workflow,
            question.contact_id,
            question.conversation_id,
            &question.title,
            (!question.form.is_null()).then(|| question.form.clone()),
            question.opened_at,
            question.until,
            question.paused,
            question.for_person,
            problem
        ],
    )
    .await?;
    question.bring(tx, asking.organisation, Reason::Opened);
    Ok(())
}

/// The run is paused, or goes on: then the answer that waited for it is given, unless it came too late for the deadline.
async fn follow(tx: &mut Tx, asking: &Asking, question: &Question) -> Result<(), DatabaseError> {
    if question.paused != asking.paused {
        tx.execute(
            "UPDATE contact_questions SET paused = $4 WHERE organisation = $1 AND run_id = $2 AND step = $3",
            args![asking.organisation, asking.run_id, &question.step, asking.paused],
        )
        .await?;
    }
    if let Some(answer) = question.answer.clone().filter(|_| !asking.paused) {
        let by = question.answered_by.clone().unwrap_or_default();
        tx.answer(GivenAnswer { run_id: asking.run_id, step: question.step.as_str().into(), answer, by });
    }
    Ok(())
}

/// A question closes: what waits to be sent looks again, and finds that there is nothing to send.
async fn close(tx: &mut Tx, organisation: OrganisationId, question: &Question) -> Result<(), DatabaseError> {
    let row = tx
        .fetch_optional(
            "DELETE FROM contact_questions WHERE organisation = $1 AND run_id = $2 AND step = $3 RETURNING sender_run, sender_step",
            args![organisation, question.run_id, &question.step],
        )
        .await?;
    if let Some(row) = row
        && let (Some(run_id), Some(step)) = (row.get("sender_run")?, row.get::<Option<String>>("sender_step")?)
    {
        tx.wake(run_id, step);
    }
    Ok(())
}
