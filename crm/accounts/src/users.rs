//! Users: people who sign in.

use crate::{Actor, CrmError, Role, UserId, audit};
use onward_core::{OrganisationId, Timestamp, Value, ports::Transaction};
use onward_database::{DatabaseError, Query, Row, Tx, args};

/// Someone who signs in. The password's hash is not part of it: see [`credentials`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Whose.
    pub organisation: OrganisationId,
    /// Their id.
    pub id: UserId,
    /// Lower case.
    pub email: String,
    /// As people call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// An inactive user cannot sign in, and their sessions are gone.
    pub active: bool,
    /// When they were added.
    pub created_at: Timestamp,
    /// When they last signed in.
    pub last_sign_in_at: Option<Timestamp>,
}

impl User {
    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "email": self.email, "name": self.name, "role": self.role, "active": self.active,
            "created_at": self.created_at, "last_sign_in_at": self.last_sign_in_at,
        })
    }
    /// As the one who does something.
    pub fn actor(&self) -> Actor {
        Actor::User { id: self.id, name: self.name.clone() }
    }
}

/// A user to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// Any case.
    pub email: String,
    /// As people call them.
    pub name: String,
    /// From [`crate::password::hash`].
    pub password_hash: String,
    /// What they may do.
    pub role: Role,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT organisation, id, email, name, role, active, created_at, last_sign_in_at FROM users ", $rest)
    };
}

/// An e-mail address in the form in which it is stored and compared.
pub fn normalise_email(text: &str) -> Result<String, CrmError> {
    let email = text.trim().to_lowercase();
    let well_formed = email.len() <= 254
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.') && !domain.contains('@')
        })
        && !email.chars().any(|character| character.is_whitespace() || character.is_control() || matches!(character, '<' | '>' | ',' | ';'));
    if well_formed { Ok(email) } else { Err(CrmError::invalid("email", format!("`{text}` is no e-mail address"))) }
}

/// The first user of an organisation; `None` where there is one already, or another server makes one at this moment.
pub async fn create_first(tx: &mut Tx, organisation: OrganisationId, new: NewUser) -> Result<Option<User>, CrmError> {
    tx.lock(vec![*organisation.0.as_bytes()]).await?;
    if any(tx, organisation).await? { Ok(None) } else { create(tx, organisation, &Actor::System, new).await.map(Some) }
}

/// Adds a user.
pub async fn create(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, new: NewUser) -> Result<User, CrmError> {
    let email = normalise_email(&new.email)?;
    let user = User {
        organisation,
        id: UserId(tx.fresh_id()),
        name: if new.name.trim().is_empty() { email.split('@').next().unwrap_or_default().to_owned() } else { new.name.trim().to_owned() },
        email,
        role: new.role,
        active: true,
        created_at: tx.now(),
        last_sign_in_at: None,
    };
    let written = tx
        .attempt(
            "INSERT INTO users (organisation, id, email, name, password_hash, role, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            args![organisation, user.id, &user.email, &user.name, new.password_hash, user.role.as_str(), user.created_at],
        )
        .await;
    match written {
        Err(error) if error.is_unique_violation_of("users") => {
            return Err(CrmError::conflict(format!("there is already a user with the e-mail {}", user.email), vec![]));
        }
        other => other?,
    };
    let deed = audit::Deed { action: "user.created", subject: "user", subject_id: user.id.to_string(), before: Value::Null, after: facts(&user) };
    audit::record(tx, organisation, actor, deed).await?;
    Ok(user)
}

/// By id.
pub async fn get(db: &mut impl Query, organisation: OrganisationId, id: UserId) -> Result<Option<User>, DatabaseError> {
    let row = db.fetch_optional(select!("WHERE organisation = $1 AND id = $2"), args![organisation, id]).await?;
    row.as_ref().map(from_row).transpose()
}

/// By e-mail, in any case.
pub async fn by_email(db: &mut impl Query, organisation: OrganisationId, email: &str) -> Result<Option<User>, DatabaseError> {
    let row = db.fetch_optional(select!("WHERE organisation = $1 AND email = $2"), args![organisation, email.trim().to_lowercase()]).await?;
    row.as_ref().map(from_row).transpose()
}

/// An active user by id or e-mail, as workflows and people say it.
///
/// # Errors
/// [`CrmError::NotFound`] when there is none, [`CrmError::Conflict`] when they are not active.
pub async fn named(db: &mut impl Query, organisation: OrganisationId, id_or_email: &str) -> Result<User, CrmError> {
    let found = match onward_core::ids::parse::<UserId>(id_or_email) {
        Some(id) => get(db, organisation, id).await?,
        None => by_email(db, organisation, id_or_email).await?,
    };
    match found {
        Some(user) if user.active => Ok(user),
        Some(user) => Err(CrmError::conflict(format!("the user {} is not active", user.email), vec![user.id.to_string()])),
        None => Err(CrmError::not_found("user", id_or_email)),
    }
}

/// What signing in needs: the active user of this e-mail and the hash to check the password against, off the async threads
/// ([`crate::password::verify`]; hand it `None` when this gives `None`).
pub async fn credentials(db: &mut impl Query, organisation: OrganisationId, email: &str) -> Result<Option<(User, String)>, DatabaseError> {
    let row = db
        .fetch_optional(
            "SELECT organisation, id, email, name, role, active, created_at, last_sign_in_at, password_hash FROM users
             WHERE organisation = $1 AND email = $2 AND active",
            args![organisation, email.trim().to_lowercase()],
        )
        .await?;
    row.map(|row| Ok((from_row(&row)?, row.get("password_hash")?))).transpose()
}

/// Every user, by e-mail.
pub async fn list(db: &mut impl Query, organisation: OrganisationId) -> Result<Vec<User>, DatabaseError> {
    let rows = db.fetch_all(select!("WHERE organisation = $1 ORDER BY email"), args![organisation]).await?;
    rows.iter().map(from_row).collect()
}

/// Whether the organisation has a user, active or not.
pub async fn any(db: &mut impl Query, organisation: OrganisationId) -> Result<bool, DatabaseError> {
    Ok(db.fetch_optional("SELECT id FROM users WHERE organisation = $1 LIMIT 1", args![organisation]).await?.is_some())
}

/// Gives a user a new password; every session of theirs ends.
pub async fn set_password(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: UserId, password_hash: &str) -> Result<(), CrmError> {
    let changed = tx.execute("UPDATE users SET password_hash = $3 WHERE organisation = $1 AND id = $2", args![organisation, id, password_hash]).await?;
    if changed == 0 {
        return Err(CrmError::not_found("user", id));
    }
    crate::sessions::end_all(tx, organisation, id).await?;
    let deed = audit::Deed { action: "user.password_changed", subject: "user", subject_id: id.to_string(), before: Value::Null, after: Value::Null };
    audit::record(tx, organisation, actor, deed).await?;
    Ok(())
}

/// Changes name, role or whether they may sign in; `None` leaves it. The last active admin stays one.
pub async fn update(
    tx: &mut Tx,
    organisation: OrganisationId,
    actor: &Actor,
    id: UserId,
    name: Option<String>,
    role: Option<Role>,
    active: Option<bool>,
) -> Result<User, CrmError> {
    // Of two admins who take each other's role at one time one is left.
    tx.lock(vec![*organisation.0.as_bytes()]).await?;
    let before = get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("user", id))?;
    let after = User {
        name: name.unwrap_or_else(|| before.name.clone()),
        role: role.unwrap_or(before.role),
        active: active.unwrap_or(before.active),
        ..before.clone()
    };
    if after == before {
        return Ok(after);
    }
    let was_admin = before.role == Role::Admin && before.active;
    let is_admin = after.role == Role::Admin && after.active;
    if was_admin && !is_admin {
        let others = tx
            .fetch_optional("SELECT id FROM users WHERE organisation = $1 AND role = 'admin' AND active AND id <> $2 LIMIT 1", args![organisation, id])
            .await?;
        if others.is_none() {
            return Err(CrmError::conflict("this is the last active admin; make another user admin first", vec![id.to_string()]));
        }
    }
    tx.execute(
        "UPDATE users SET name = $3, role = $4, active = $5 WHERE organisation = $1 AND id = $2",
        args![organisation, id, &after.name, after.role.as_str(), after.active],
    )
    .await?;
    if !after.active {
        crate::sessions::end_all(tx, organisation, id).await?;
    }
    let deed = audit::Deed { action: "user.updated", subject: "user", subject_id: id.to_string(), before: facts(&before), after: facts(&after) };
    audit::record(tx, organisation, actor, deed).await?;
    Ok(after)
}

fn facts(user: &User) -> Value {
    serde_json::json!({ "email": user.email, "name": user.name, "role": user.role, "active": user.active })
}

pub(crate) fn from_row(row: &Row) -> Result<User, DatabaseError> {
    let role: String = row.get("role")?;
    Ok(User {
        organisation: row.get("organisation")?,
        id: row.get("id")?,
        email: row.get("email")?,
        name: row.get("name")?,
        role: Role::parse(&role).ok_or_else(|| DatabaseError::Column { column: "role".into(), reason: format!("`{role}` is no role") })?,
        active: row.get("active")?,
        created_at: row.get("created_at")?,
        last_sign_in_at: row.get("last_sign_in_at")?,
    })
}
