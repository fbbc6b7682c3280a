//! Teams: users who share work. Conversations and tasks name a team by its name, so a name never changes.

use crate::{
    Actor, CrmError, TeamId, UserId, audit, presence,
    users::{self, User},
};
use onward_core::{OrganisationId, Timestamp, Value, ports::Transaction};
use onward_database::{DatabaseError, Query, Row, Rows, Tx, args};
use std::collections::BTreeMap;

/// Characters of a team's name.
pub const NAME_CHARACTERS: usize = 100;
/// Members of one team: a pick looks at all of them.
pub const MEMBERS: usize = 500;
/// Teams of one organisation: they are listed whole.
pub const TEAMS: usize = 500;

/// Users who share work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Unique in the organisation; case counts.
    pub name: String,
    /// Who belongs to it, by id.
    pub members: Vec<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its members last changed.
    pub updated_at: Timestamp,
}

impl Team {
    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        serde_json::json!({ "id": self.id, "name": self.name, "members": self.members, "created_at": self.created_at, "updated_at": self.updated_at })
    }
}

/// A team's name as it is stored: trimmed.
pub fn normalise_name(text: &str) -> Result<String, CrmError> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARACTERS || name.chars().any(char::is_control) {
        return Err(CrmError::invalid("team", format!("a team's name has 1 to {NAME_CHARACTERS} characters")));
    }
    Ok(name.to_owned())
}

/// Makes a team of these users (ids or e-mails).
pub async fn create(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, name: &str, members: &[String]) -> Result<Team, CrmError> {
    let name = normalise_name(name).map_err(|_| CrmError::invalid("name", format!("a team's name has 1 to {NAME_CHARACTERS} characters")))?;
    let members = known_users(tx, organisation, members).await?;
    let count = tx.fetch_one("SELECT count(*) AS n FROM teams WHERE organisation = $1", args![organisation]).await?;
    if count.get::<u64>("n")? >= TEAMS as u64 {
        return Err(CrmError::conflict(format!("an organisation has at most {TEAMS} teams"), vec![]));
    }
    let now = tx.now();
    let team = Team { id: TeamId(tx.fresh_id()), name, members, created_at: now, updated_at: now };
    let written = tx
        .attempt(
            "INSERT INTO teams (organisation, id, name, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)",
            args![organisation, team.id, &team.name, now],
        )
        .await;
    match written {
        Err(error) if error.is_unique_violation_of("teams") => {
            return Err(CrmError::conflict(format!("there is already a team `{}`", team.name), vec![]));
        }
        other => other?,
    };
    add_members(tx, organisation, team.id, &team.members).await?;
    let deed = audit::Deed { action: "team.created", subject: "team", subject_id: team.id.to_string(), before: Value::Null, after: team.to_value() };
    audit::record(tx, organisation, actor, deed).await?;
    Ok(team)
}

/// Sets who belongs to a team (ids or e-mails); those who stay keep their turn.
pub async fn set_members(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: TeamId, members: &[String]) -> Result<Team, CrmError> {
    tx.lock(vec![*id.0.as_bytes()]).await?;
    let before = get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("team", id))?;
    let members = known_users(tx, organisation, members).await?;
    if members == before.members {
        return Ok(before);
    }
    let now = tx.now();
    let gone: Vec<UserId> = before.members.iter().filter(|user| !members.contains(user)).copied().collect();
    tx.execute(
        "DELETE FROM team_members WHERE organisation = $1 AND team_id = $2 AND user_id IN (SELECT g.id FROM {$3: id uuid} AS g)",
        args![organisation, id, Rows::of(gone)],
    )
    .await?;
    add_members(tx, organisation, id, &members).await?;
    tx.execute("UPDATE teams SET updated_at = $3 WHERE organisation = $1 AND id = $2", args![organisation, id, now]).await?;
    let after = Team { members, updated_at: now, ..before.clone() };
    let deed = audit::Deed {
        action: "team.updated",
        subject: "team",
        subject_id: id.to_string(),
        before: serde_json::json!({ "members": before.members }),
        after: serde_json::json!({ "members": after.members }),
    };
    audit::record(tx, organisation, actor, deed).await?;
    Ok(after)
}

/// Removes a team; its users stay, and so does its name on conversations and tasks.
pub async fn delete(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: TeamId) -> Result<(), CrmError> {
    let before = get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("team", id))?;
    tx.execute("DELETE FROM teams WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    let deed = audit::Deed { action: "team.deleted", subject: "team", subject_id: id.to_string(), before: before.to_value(), after: Value::Null };
    audit::record(tx, organisation, actor, deed).await?;
    Ok(())
}

/// By id.
pub async fn get(db: &mut impl Query, organisation: OrganisationId, id: TeamId) -> Result<Option<Team>, DatabaseError> {
    let row = db.fetch_optional("SELECT id, name, created_at, updated_at FROM teams WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    Ok(with_members(db, organisation, row.into_iter().collect()).await?.pop())
}

/// By name or id, as workflows say it.
///
/// # Errors
/// [`CrmError::NotFound`] when there is none.
pub async fn named(db: &mut impl Query, organisation: OrganisationId, name_or_id: &str) -> Result<Team, CrmError> {
    let row = match onward_core::ids::parse::<TeamId>(name_or_id) {
        Some(id) => return get(db, organisation, id).await?.ok_or_else(|| CrmError::not_found("team", id)),
        None => {
            db.fetch_optional(
                "SELECT id, name, created_at, updated_at FROM teams WHERE organisation = $1 AND name = $2",
                args![organisation, name_or_id.trim()],
            )
            .await?
        }
    };
    with_members(db, organisation, row.into_iter().collect()).await?.pop().ok_or_else(|| CrmError::not_found("team", name_or_id))
}

/// Every team, by name.
pub async fn list(db: &mut impl Query, organisation: OrganisationId) -> Result<Vec<Team>, DatabaseError> {
    let rows = db.fetch_all("SELECT id, name, created_at, updated_at FROM teams WHERE organisation = $1 ORDER BY name", args![organisation]).await?;
    with_members(db, organisation, rows).await
}

/// The active members of a team in order of their turns, whose turn it is first; only those online when asked for. Until the
/// transaction ends no other one learns whose turn it is: two nodes would give the same one twice.
pub(crate) async fn waiting(tx: &mut Tx, organisation: OrganisationId, team: &Team, online: bool) -> Result<Vec<UserId>, DatabaseError> {
    tx.lock(vec![*team.id.0.as_bytes()]).await?;
    let seen_since = tx.now().plus_millis(-presence::ONLINE_MS);
    let rows = tx
        .fetch_all(
            "SELECT m.user_id FROM team_members AS m JOIN users AS u ON u.organisation = m.organisation AND u.id = m.user_id
             WHERE m.organisation = $1 AND m.team_id = $2 AND u.active
               AND (NOT $3 OR EXISTS (SELECT 1 FROM presence AS p WHERE p.organisation = $1 AND p.user_id = m.user_id AND p.seen_at >= $4))
             ORDER BY m.turn, m.user_id",
            args![organisation, team.id, online, seen_since],
        )
        .await?;
    rows.iter().map(|row| row.get("user_id")).collect()
}

/// Puts a member at the end of the turns. Part of the transaction that picked them, so a pick that is not committed takes
/// nobody's turn.
pub(crate) async fn take_turn(tx: &mut Tx, organisation: OrganisationId, team: &Team, user: UserId) -> Result<User, CrmError> {
    tx.execute(
        "UPDATE team_members SET turn = 1 + (SELECT max(o.turn) FROM team_members AS o WHERE o.organisation = $1 AND o.team_id = $2)
         WHERE organisation = $1 AND team_id = $2 AND user_id = $3",
        args![organisation, team.id, user],
    )
    .await?;
    users::get(tx, organisation, user).await?.ok_or_else(|| CrmError::not_found("user", user))
}

async fn with_members(db: &mut impl Query, organisation: OrganisationId, rows: Vec<Row>) -> Result<Vec<Team>, DatabaseError> {
    let mut teams = Vec::with_capacity(rows.len());
    for row in &rows {
        teams.push(Team {
            id: row.get("id")?,
            name: row.get("name")?,
            members: Vec::new(),
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        });
    }
    let places: BTreeMap<TeamId, usize> = teams.iter().enumerate().map(|(at, team)| (team.id, at)).collect();
    if places.is_empty() {
        return Ok(teams);
    }
    let members = db
        .fetch_all(
            "SELECT m.team_id, m.user_id FROM {$2: id uuid} AS t CROSS JOIN team_members AS m WHERE m.organisation = $1 AND m.team_id = t.id ORDER BY m.user_id",
            args![organisation, Rows::of(places.keys())],
        )
        .await?;
    for row in &members {
        if let Some(team) = places.get(&row.get::<TeamId>("team_id")?).and_then(|at| teams.get_mut(*at)) {
            team.members.push(row.get("user_id")?);
        }
    }
    Ok(teams)
}

/// The users of these ids or e-mails, by id, each once.
async fn known_users(db: &mut impl Query, organisation: OrganisationId, members: &[String]) -> Result<Vec<UserId>, CrmError> {
    if members.len() > MEMBERS {
        return Err(CrmError::invalid("members", format!("a team has at most {MEMBERS} members")));
    }
    let all = users::list(db, organisation).await?;
    let mut found = Vec::with_capacity(members.len());
    for (at, text) in members.iter().enumerate() {
        let id = onward_core::ids::parse::<UserId>(text);
        let email = text.trim().to_lowercase();
        let user = all.iter().find(|user| Some(user.id) == id || user.email == email);
        found.push(user.ok_or_else(|| CrmError::invalid(format!("members/{at}"), format!("there is no user `{text}`")))?.id);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// New members join where whose turn it is stands: they are next, once, and need not catch up.
async fn add_members(tx: &mut Tx, organisation: OrganisationId, team: TeamId, members: &[UserId]) -> Result<(), DatabaseError> {
    tx.execute(
        "INSERT INTO team_members (organisation, team_id, user_id, turn)
         SELECT $1, $2, m.id, (SELECT coalesce(min(o.turn), 0) FROM team_members AS o WHERE o.organisation = $1 AND o.team_id = $2) FROM {$3: id uuid} AS m WHERE true
         ON CONFLICT (organisation, team_id, user_id) DO NOTHING",
        args![organisation, team, Rows::of(members)],
    )
    .await?;
    Ok(())
}
