//! Tasks: what somebody of ours is to do.

mod read;
mod write;

pub use read::{TaskFilter, get, list, next_due, open_by_user};
pub use write::{complete, create, delete, note_overdue, reopen, update};

use crate::{ContactId, DealId, TaskId};
use onward_accounts::{CrmError, UserId, teams, users};
use onward_core::{OrganisationId, RunId, Timestamp, Value};
use onward_database::Query;

/// How much one task may hold.
pub mod limits {
    /// Characters of a title.
    pub const TITLE_CHARACTERS: usize = 300;
    /// Characters of the text below it.
    pub const TEXT_CHARACTERS: usize = 10_000;
}

/// What somebody of ours is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// What is to be done.
    pub title: String,
    /// More about it.
    pub text: String,
    /// It is done.
    pub done: bool,
    /// By when.
    pub due_at: Option<Timestamp>,
    /// The user who is to do it.
    pub assigned_user: Option<UserId>,
    /// The team that is to do it.
    pub assigned_team: Option<String>,
    /// About whom.
    pub contact_id: Option<ContactId>,
    /// About which deal.
    pub deal_id: Option<DealId>,
    /// Who asked for it: kind and id.
    pub author: Value,
    /// The run that did.
    pub run_id: Option<RunId>,
    /// Its step.
    pub step: Option<String>,
    /// When it was done.
    pub completed_at: Option<Timestamp>,
    /// When it was found overdue.
    pub overdue_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Task {
    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "title": self.title, "text": self.text, "status": if self.done { "done" } else { "open" }, "due_at": self.due_at,
            "assigned_user": self.assigned_user, "assigned_team": self.assigned_team, "contact_id": self.contact_id, "deal_id": self.deal_id,
            "author": self.author, "run_id": self.run_id, "step": self.step, "completed_at": self.completed_at, "overdue_at": self.overdue_at,
            "created_at": self.created_at, "updated_at": self.updated_at,
        })
    }
}

/// Who is to do something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignee {
    /// A user, by id or e-mail.
    pub user: Option<String>,
    /// A team, by name.
    pub team: Option<String>,
}

impl Assignee {
    /// The user's id and the team's name.
    async fn known(&self, db: &mut impl Query, organisation: OrganisationId) -> Result<(Option<UserId>, Option<String>), CrmError> {
        let given = |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        match (given(&self.user), given(&self.team)) {
            (Some(_), Some(_)) => Err(CrmError::invalid("team", "name either `user` or `team`, not both")),
            (Some(user), None) => Ok((Some(users::named(db, organisation, &user).await?.id), None)),
            (None, Some(team)) => Ok((None, Some(teams::normalise_name(&team)?))),
            (None, None) => Ok((None, None)),
        }
    }
}

/// A task to be made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewTask {
    /// What is to be done.
    pub title: String,
    /// More about it.
    pub text: String,
    /// By when.
    pub due_at: Option<Timestamp>,
    /// Who is to do it.
    pub assignee: Assignee,
    /// About whom; by default the deal's contact.
    pub contact: Option<ContactId>,
    /// About which deal.
    pub deal: Option<DealId>,
}

/// What changes; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskPatch {
    /// What is to be done; never empty.
    pub title: Option<String>,
    /// More about it.
    pub text: Option<String>,
    /// By when; `Some(None)`: no matter when.
    pub due_at: Option<Option<Timestamp>>,
    /// Who is to do it; an empty one: nobody.
    pub assignee: Option<Assignee>,
}
