//! Making, changing and completing tasks.

use super::{NewTask, Task, TaskPatch, limits, read};
use crate::{ContactId, TaskId, contacts, deals, events, text};
use onward_accounts::{Actor, CrmError, audit};
use onward_core::{OrganisationId, Value, ports::Transaction};
use onward_database::{DatabaseError, Tx, args};

/// Makes a task. Emits `task.created`.
pub async fn create(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, new: NewTask) -> Result<Task, CrmError> {
    let deal = match new.deal {
        Some(id) => Some(deals::get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("deal", id))?),
        None => None,
    };
    let contact: Option<ContactId> = match new.contact {
        Some(id) => Some(contacts::get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("contact", id))?.id),
        None => deal.as_ref().and_then(|deal| deal.contact_id),
    };
    let (assigned_user, assigned_team) = new.assignee.known(tx, organisation).await?;
    let now = tx.now();
    let author = actor.author();
    let (run_id, step) = actor.run().unzip();
    let task = Task {
        id: TaskId(tx.fresh_id()),
        title: text::title("title", &new.title, limits::TITLE_CHARACTERS)?,
        text: text::paragraph("text", &new.text, limits::TEXT_CHARACTERS)?,
        done: false,
        due_at: new.due_at,
        assigned_user,
        assigned_team,
        contact_id: contact,
        deal_id: new.deal,
        author: author.to_value(),
        run_id,
        step: step.map(str::to_owned),
        completed_at: None,
        overdue_at: None,
        created_at: now,
        updated_at: now,
    };
    tx.execute(
        "INSERT INTO tasks (organisation, id, title, text, status, due_at, assigned_user, assigned_team, contact_id, deal_id, author_kind, author_id, run_id,
                            step, created_at, updated_at)
         VALUES ($1, $2, $3, $4, 'open', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)",
        args![
            organisation,
            task.id,
            &task.title,
            &task.text,
            task.due_at,
            task.assigned_user,
            &task.assigned_team,
            task.contact_id,
            task.deal_id,
            author.kind.as_str(),
            author.id,
            task.run_id,
            &task.step,
            now
        ],
    )
    .await?;
    let line = format!("Task: {}", task.title);
    events::emit_task(tx, organisation, actor, "task.created", &task, Some(&line))?;
    let deed = audit::Deed { action: "task.created", subject: "task", subject_id: task.id.to_string(), before: Value::Null, after: task.to_value() };
    audit::record_by_person(tx, organisation, actor, deed).await?;
    Ok(task)
}

/// Changes a task. Emits `task.updated`, and nothing when nothing changes. With another due time it can be overdue anew.
pub async fn update(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: TaskId, patch: TaskPatch) -> Result<Task, CrmError> {
    let before = read::get_to_change(tx, organisation, id).await?;
    let mut after = before.clone();
    if let Some(title) = &patch.title {
        after.title = text::title("title", title, limits::TITLE_CHARACTERS)?;
    }
    if let Some(text) = &patch.text {
        after.text = text::paragraph("text", text, limits::TEXT_CHARACTERS)?;
    }
    if let Some(assignee) = &patch.assignee {
        (after.assigned_user, after.assigned_team) = assignee.known(tx, organisation).await?;
    }
    if let Some(due_at) = patch.due_at
        && due_at != before.due_at
    {
        after.due_at = due_at;
        after.overdue_at = None;
    }
    if after == before {
        return Ok(before);
    }
    store(tx, organisation, actor, "task.updated", &before, after, None).await
}

/// It is done. Emits `task.completed`, and nothing when it was done already.
pub async fn complete(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: TaskId) -> Result<Task, CrmError> {
    let before = read::get_to_change(tx, organisation, id).await?;
    if before.done {
        return Ok(before);
    }
    let after = Task { done: true, completed_at: Some(tx.now()), ..before.clone() };
    let line = format!("Task done: {}", after.title);
    store(tx, organisation, actor, "task.completed", &before, after, Some(&line)).await
}

/// It is to be done after all. Emits `task.updated`, and nothing when it is open.
pub async fn reopen(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: TaskId) -> Result<Task, CrmError> {
    let before = read::get_to_change(tx, organisation, id).await?;
    if !before.done {
        return Ok(before);
    }
    let after = Task { done: false, completed_at: None, ..before.clone() };
    let line = format!("Task open again: {}", after.title);
    store(tx, organisation, actor, "task.updated", &before, after, Some(&line)).await
}

/// Removes a task.
pub async fn delete(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: TaskId) -> Result<(), CrmError> {
    let before = read::get_to_change(tx, organisation, id).await?;
    tx.execute("DELETE FROM tasks WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    let deed = audit::Deed { action: "task.deleted", subject: "task", subject_id: id.to_string(), before: before.to_value(), after: Value::Null };
    audit::record(tx, organisation, actor, deed).await?;
    events::announce(tx, organisation, "task", &id, "task.deleted");
    Ok(())
}

/// Emits `task.overdue` for open tasks whose time has come, once for each due time, at most `limit`; how many. For the
/// low-priority lane, again and again.
pub async fn note_overdue(tx: &mut Tx, organisation: OrganisationId, limit: u32) -> Result<usize, CrmError> {
    let now = tx.now();
    let due = read::newly_overdue(tx, organisation, now, limit).await?;
    let mut told = 0;
    for task in &due {
        // Where several servers look at one time, the first tells of it.
        let sql = "UPDATE tasks SET overdue_at = $3 WHERE organisation = $1 AND id = $2 AND overdue_at IS NULL";
        if tx.execute(sql, args![organisation, task.id, now]).await? == 0 {
            continue;
        }
        told += 1;
        let line = format!("Task overdue: {}", task.title);
        let task = Task { overdue_at: Some(now), ..task.clone() };
        events::emit_task(tx, organisation, &Actor::System, "task.overdue", &task, Some(&line))?;
    }
    Ok(told)
}

async fn store(
    tx: &mut Tx,
    organisation: OrganisationId,
    actor: &Actor,
    kind: &'static str,
    before: &Task,
    mut after: Task,
    line: Option<&str>,
) -> Result<Task, CrmError> {
    after.updated_at = tx.now();
    write_row(tx, organisation, &after).await?;
    events::emit_task(tx, organisation, actor, kind, &after, line)?;
    let deed = audit::Deed { action: kind, subject: "task", subject_id: after.id.to_string(), before: before.to_value(), after: after.to_value() };
    audit::record_by_person(tx, organisation, actor, deed).await?;
    Ok(after)
}

async fn write_row(tx: &mut Tx, organisation: OrganisationId, task: &Task) -> Result<(), DatabaseError> {
    tx.execute(
        "UPDATE tasks SET title = $3, text = $4, status = $5, due_at = $6, assigned_user = $7, assigned_team = $8, completed_at = $9, overdue_at = $10,
                updated_at = $11 WHERE organisation = $1 AND id = $2",
        args![
            organisation,
            task.id,
            &task.title,
            &task.text,
            if task.done { "done" } else { "open" },
            task.due_at,
            task.assigned_user,
            &task.assigned_team,
            task.completed_at,
            task.overdue_at,
            task.updated_at
        ],
    )
    .await?;
    Ok(())
}
