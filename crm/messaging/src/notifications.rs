//! Notifications: what users of ours are told. One row for each of them, so that each reads it for themself.

use crate::NotificationId;
use onward_accounts::{Actor, CrmError, Role, UserId, teams, users};
use onward_core::{
    OrganisationId, RunId, Timestamp, Value,
    ports::{Change, Transaction},
};
use onward_database::{DatabaseError, Query, Row, Tx, args};

/// The topic of their changes; `/ws` tells a change of it to its own user only.
pub const TOPIC: &str = "notification";
/// Characters of a title.
pub const TITLE_CHARACTERS: usize = 200;
/// Characters of the text below it.
pub const TEXT_CHARACTERS: usize = 2_000;
/// Users who are told at once.
pub const RECIPIENTS: usize = 500;

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// One user, by id or e-mail.
    User(String),
    /// Everybody in a team, by its name or id.
    Team(String),
    /// Everybody of a role.
    Role(Role),
}

/// What they are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notice {
    /// In one line.
    pub title: String,
    /// More about it.
    pub text: String,
    /// The record to open: its kind and id.
    pub subject: Option<(&'static str, String)>,
}

/// What one user was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// Who is told.
    pub user_id: UserId,
    /// In one line.
    pub title: String,
    /// More about it.
    pub text: String,
    /// The record to open: `{ kind, id }`, or nothing.
    pub subject: Value,
    /// Who tells: kind and id.
    pub author: Value,
    /// The run that tells.
    pub run_id: Option<RunId>,
    /// Its step.
    pub step: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// When it was read.
    pub read_at: Option<Timestamp>,
}

impl Notification {
    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "title": self.title, "text": self.text, "subject": self.subject, "author": self.author, "run_id": self.run_id,
            "step": self.step, "created_at": self.created_at, "read_at": self.read_at,
        })
    }
}

/// Tells active users; whom, with the id of what each was told.
///
/// # Errors
/// [`CrmError::NotFound`] where there is no such user or team; [`CrmError::Conflict`] where nobody would be told.
pub async fn notify(
    tx: &mut Tx,
    organisation: OrganisationId,
    actor: &Actor,
    to: &Recipients,
    notice: &Notice,
) -> Result<Vec<(UserId, NotificationId)>, CrmError> {
    let title = notice.title.split_whitespace().collect::<Vec<_>>().join(" ");
    if title.is_empty() || title.chars().count() > TITLE_CHARACTERS {
        return Err(CrmError::invalid("title", format!("a notification's title has 1 to {TITLE_CHARACTERS} characters")));
    }
    let text = notice.text.trim();
    if text.chars().count() > TEXT_CHARACTERS {
        return Err(CrmError::invalid("text", format!("a notification's text has at most {TEXT_CHARACTERS} characters")));
    }
    let recipients = users_of(tx, organisation, to).await?;
    let now = tx.now();
    let author = actor.author();
    let (run_id, step) = actor.run().unzip();
    let (subject, subject_id) = notice.subject.clone().unzip();
    let mut told = Vec::with_capacity(recipients.len());
    for user in recipients {
        let id = NotificationId(tx.fresh_id());
        tx.execute(
            "INSERT INTO notifications (organisation, user_id, id, title, text, subject, subject_id, author_kind, author_id, run_id, step, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            args![organisation, user, id, &title, text, subject, &subject_id, author.kind.as_str(), &author.id, run_id, step, now],
        )
        .await?;
        announce(tx, organisation, id, serde_json::json!({ "event": "notification.created", "user_id": user, "title": title }));
        told.push((user, id));
    }
    Ok(told)
}

async fn users_of(tx: &mut Tx, organisation: OrganisationId, to: &Recipients) -> Result<Vec<UserId>, CrmError> {
    let (found, whom): (Vec<UserId>, String) = match to {
        Recipients::User(user) => (vec![users::named(tx, organisation, user).await?.id], user.clone()),
        Recipients::Team(name) => {
            let team = teams::named(tx, organisation, name).await?;
            let active = users::list(tx, organisation).await?;
            let active = active.into_iter().filter(|user| user.active && team.members.contains(&user.id));
            (active.map(|user| user.id).collect(), format!("of the team {}", team.name))
        }
        Recipients::Role(role) => {
            let all = users::list(tx, organisation).await?;
            (all.into_iter().filter(|user| user.active && user.role == *role).map(|user| user.id).collect(), format!("of the role {}", role.as_str()))
        }
    };
    match found.len() {
        0 => Err(CrmError::conflict(format!("there is no active user {whom} who could be told"), vec![])),
        1..=RECIPIENTS => Ok(found),
        many => Err(CrmError::conflict(format!("{many} users {whom} are too many to be told at once; at most {RECIPIENTS}"), vec![])),
    }
}

/// A page of what a user was told, newest first; `before` is the last id of the page before.
pub async fn list(
    db: &mut impl Query,
    organisation: OrganisationId,
    user: UserId,
    unread: bool,
    before: Option<NotificationId>,
    limit: u32,
) -> Result<Vec<Notification>, DatabaseError> {
    macro_rules! listing {
        ($unread:literal) => {
            concat!(
                "SELECT id, user_id, title, text, subject, subject_id, author_kind, author_id, run_id, step, created_at, read_at FROM notifications
                 WHERE organisation = $1 AND user_id = $2 AND id < $3",
                $unread,
                " ORDER BY id DESC LIMIT $4"
            )
        };
    }
    let args = args![organisation, user, before.map_or(uuid::Uuid::max(), |id| id.0), limit];
    let rows = if unread { db.fetch_all(listing!(" AND read_at IS NULL"), args).await? } else { db.fetch_all(listing!(""), args).await? };
    rows.iter().map(from_row).collect()
}

/// Notes that a user has read something; what they were told.
pub async fn mark_read(tx: &mut Tx, organisation: OrganisationId, user: UserId, id: NotificationId) -> Result<Notification, CrmError> {
    let now = tx.now();
    let changed = tx
        .execute(
            "UPDATE notifications SET read_at = $4 WHERE organisation = $1 AND user_id = $2 AND id = $3 AND read_at IS NULL",
            args![organisation, user, id, now],
        )
        .await?;
    if changed > 0 {
        announce(tx, organisation, id, serde_json::json!({ "event": "notification.read", "user_id": user }));
    }
    let row = tx
        .fetch_optional(
            "SELECT id, user_id, title, text, subject, subject_id, author_kind, author_id, run_id, step, created_at, read_at FROM notifications
             WHERE organisation = $1 AND user_id = $2 AND id = $3",
            args![organisation, user, id],
        )
        .await?;
    match row {
        Some(row) => Ok(from_row(&row)?),
        None => Err(CrmError::not_found("notification", id)),
    }
}

/// Notes that a user has read everything up to now; how much that was.
pub async fn mark_all_read(tx: &mut Tx, organisation: OrganisationId, user: UserId) -> Result<u64, CrmError> {
    let now = tx.now();
    let changed = tx
        .execute("UPDATE notifications SET read_at = $3 WHERE organisation = $1 AND user_id = $2 AND read_at IS NULL", args![organisation, user, now])
        .await?;
    if changed > 0 {
        let change =
            Change { organisation, topic: TOPIC.into(), id: String::new(), data: serde_json::json!({ "event": "notification.all_read", "user_id": user }) };
        tx.announce(change);
    }
    Ok(changed)
}

fn announce(tx: &mut Tx, organisation: OrganisationId, id: NotificationId, data: Value) {
    tx.announce(Change { organisation, topic: TOPIC.into(), id: id.to_string(), data });
}

fn from_row(row: &Row) -> Result<Notification, DatabaseError> {
    let subject: Option<String> = row.get("subject")?;
    let subject_id: Option<String> = row.get("subject_id")?;
    Ok(Notification {
        id: row.get("id")?,
        user_id: row.get("user_id")?,
        title: row.get("title")?,
        text: row.get("text")?,
        subject: subject.map_or(Value::Null, |kind| serde_json::json!({ "kind": kind, "id": subject_id })),
        author: serde_json::json!({ "kind": row.get::<String>("author_kind")?, "id": row.get::<Option<String>>("author_id")? }),
        run_id: row.get("run_id")?,
        step: row.get("step")?,
        created_at: row.get("created_at")?,
        read_at: row.get("read_at")?,
    })
}
