//! Reading tasks.

use super::Task;
use crate::{ContactId, DealId, TaskId};
use onward_accounts::{CrmError, UserId};
use onward_core::{OrganisationId, Timestamp};
use onward_database::{DatabaseError, Query, Row, Rows, Tx, args};
use std::collections::BTreeMap;

/// What a list shows; every part that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Done or not.
    pub done: Option<bool>,
    /// This user is to do it.
    pub assigned_user: Option<UserId>,
    /// This team is to do it.
    pub assigned_team: Option<String>,
    /// About this contact.
    pub contact: Option<ContactId>,
    /// About this deal.
    pub deal: Option<DealId>,
    /// Due before this moment.
    pub due_before: Option<Timestamp>,
}

macro_rules! select {
    ($rest:expr) => {
        concat!(
            "SELECT id, title, text, status, due_at, assigned_user, assigned_team, contact_id, deal_id, author_kind, author_id, run_id, step,
                    completed_at, overdue_at, created_at, updated_at FROM tasks WHERE organisation = $1 AND ",
            $rest
        )
    };
}

macro_rules! listing {
    ($lead:literal) => {
        select!(concat!(
            $lead,
            " AND id < $2 AND ($4 IS NULL OR status = $4) AND ($5 IS NULL OR assigned_user = $5) AND ($6 IS NULL OR assigned_team = $6)
              AND ($7 IS NULL OR contact_id = $7) AND ($8 IS NULL OR deal_id = $8) AND ($9 IS NULL OR due_at < $9) ORDER BY id DESC LIMIT $3"
        ))
    };
}

/// By id.
pub async fn get(db: &mut impl Query, organisation: OrganisationId, id: TaskId) -> Result<Option<Task>, DatabaseError> {
    let row = db.fetch_optional(select!("id = $2"), args![organisation, id]).await?;
    row.as_ref().map(from_row).transpose()
}

/// The same for whoever writes what follows from what it reads: until the transaction ends nobody else changes the task.
pub(super) async fn get_to_change(tx: &mut Tx, organisation: OrganisationId, id: TaskId) -> Result<Task, CrmError> {
    let row = tx.fetch_optional(select!("id = $2 {for update of tasks}"), args![organisation, id]).await?;
    row.as_ref().map(from_row).transpose()?.ok_or_else(|| CrmError::not_found("task", id))
}

/// A page, newest first; `before` is the last id of the page before.
pub async fn list(
    db: &mut impl Query,
    organisation: OrganisationId,
    filter: &TaskFilter,
    before: Option<TaskId>,
    limit: u32,
) -> Result<Vec<Task>, DatabaseError> {
    let status = filter.done.map(|done| if done { "done" } else { "open" });
    let args = args![
        organisation,
        before.map_or(uuid::Uuid::max(), |id| id.0),
        limit,
        status,
        filter.assigned_user,
        &filter.assigned_team,
        filter.contact,
        filter.deal,
        filter.due_before
    ];
    // The rarest filter leads, over its index.
    let rows = if filter.contact.is_some() {
        db.fetch_all(listing!("contact_id = $7"), args).await?
    } else if filter.deal.is_some() {
        db.fetch_all(listing!("deal_id = $8"), args).await?
    } else if filter.assigned_user.is_some() {
        db.fetch_all(listing!("assigned_user = $5"), args).await?
    } else if filter.done == Some(false) {
        db.fetch_all(listing!("status = 'open'"), args).await?
    } else {
        db.fetch_all(listing!("id IS NOT NULL"), args).await?
    };
    rows.iter().map(from_row).collect()
}

/// How many open tasks each of these users has; who is missing has none.
pub async fn open_by_user(db: &mut impl Query, organisation: OrganisationId, users: &[UserId]) -> Result<BTreeMap<UserId, u64>, DatabaseError> {
    let rows = db
        .fetch_all(
            "SELECT u.id, count(*) AS n FROM {$2: id uuid} AS u CROSS JOIN tasks AS t
             WHERE t.organisation = $1 AND t.assigned_user = u.id AND t.status = 'open' GROUP BY u.id",
            args![organisation, Rows::of(users)],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.get("n")?))).collect()
}

/// When the next open task falls due of which nobody was told, be it past: one look at an index. `None`: no task has a due time.
pub async fn next_due(db: &mut impl Query, organisation: OrganisationId) -> Result<Option<Timestamp>, DatabaseError> {
    let row = db
        .fetch_optional(
            "SELECT due_at FROM tasks WHERE organisation = $1 AND status = 'open' AND overdue_at IS NULL AND due_at IS NOT NULL ORDER BY due_at LIMIT 1",
            args![organisation],
        )
        .await?;
    row.map(|row| row.get("due_at")).transpose()
}

/// Open tasks whose time has come and of which nobody was told, those first that were due first.
pub(super) async fn newly_overdue(db: &mut impl Query, organisation: OrganisationId, now: Timestamp, limit: u32) -> Result<Vec<Task>, DatabaseError> {
    let rows = db
        .fetch_all(
            select!("status = 'open' AND overdue_at IS NULL AND due_at IS NOT NULL AND due_at <= $2 ORDER BY due_at, id LIMIT $3"),
            args![organisation, now, limit],
        )
        .await?;
    rows.iter().map(from_row).collect()
}

fn from_row(row: &Row) -> Result<Task, DatabaseError> {
    Ok(Task {
        id: row.get("id")?,
        title: row.get("title")?,
        text: row.get("text")?,
        done: row.get::<String>("status")? == "done",
        due_at: row.get("due_at")?,
        assigned_user: row.get("assigned_user")?,
        assigned_team: row.get("assigned_team")?,
        contact_id: row.get("contact_id")?,
        deal_id: row.get("deal_id")?,
        author: serde_json::json!({ "kind": row.get::<String>("author_kind")?, "id": row.get::<Option<String>>("author_id")? }),
        run_id: row.get("run_id")?,
        step: row.get("step")?,
        completed_at: row.get("completed_at")?,
        overdue_at: row.get("overdue_at")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
