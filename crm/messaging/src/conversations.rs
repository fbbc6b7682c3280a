//! Conversations: what is said between a contact and us on one connection, from its opening to its close.

mod tags;

pub use tags::tag;

use crate::{
    ConversationId,
    events::{self, Facts},
};
use onward_accounts::{Actor, CrmError, UserId, teams, users};
use onward_core::{
    ConnectionId, NewEvent, Object, OrganisationId, Timestamp, Value, digest,
    ports::{Change, Transaction},
};
use onward_database::{DatabaseError, Query, Row, Tx, args};
use onward_records::{
    ContactId,
    timeline::{self, ItemKind},
};

/// Whether a conversation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationStatus {
    /// It goes on.
    Open,
    /// It is done; the next message opens another.
    Closed,
}

impl ConversationStatus {
    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
    /// Reads what [`ConversationStatus::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Closed].into_iter().find(|status| status.as_str() == text)
    }
}

/// A conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// With whom.
    pub contact_id: ContactId,
    /// What they are called.
    pub contact_name: String,
    /// On which channel.
    pub channel: String,
    /// On which account.
    pub connection_id: ConnectionId,
    /// Whether it goes on.
    pub status: ConversationStatus,
    /// The user who cares for it.
    pub assigned_user: Option<UserId>,
    /// The team that cares for it.
    pub assigned_team: Option<String>,
    /// Sorted.
    pub tags: Vec<String>,
    /// Messages that nobody has looked at.
    pub unread: u32,
    /// When the contact last wrote; opens the provider's window.
    pub last_inbound_at: Option<Timestamp>,
    /// When we last wrote.
    pub last_outbound_at: Option<Timestamp>,
    /// When anybody last wrote.
    pub last_message_at: Timestamp,
    /// What was written last, short.
    pub last_text: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

impl Conversation {
    /// The one JSON shape.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "contact_id": self.contact_id, "contact_name": self.contact_name, "channel": self.channel,
            "connection_id": self.connection_id, "status": self.status, "assigned_user": self.assigned_user, "assigned_team": self.assigned_team,
            "tags": self.tags, "unread": self.unread, "last_inbound_at": self.last_inbound_at, "last_outbound_at": self.last_outbound_at,
            "last_message_at": self.last_message_at, "last_text": self.last_text, "opened_at": self.opened_at, "closed_at": self.closed_at,
        })
    }
    fn facts(&self, actor: &Actor, at: Timestamp) -> Object {
        Facts {
            contact: Some(self.contact_id),
            conversation: Some(self.id),
            message: None,
            channel: &self.channel,
            connection: self.connection_id,
            author: actor.author(),
            at,
        }
        .to_object()
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT v.id, v.contact_id, c.name AS contact_name, v.channel, v.connection_id, v.status, v.assigned_user, v.assigned_team, v.unread,
                    v.last_inbound_at, v.last_outbound_at, v.last_message_at, v.last_text, v.opened_at, v.closed_at
             FROM conversations AS v JOIN contacts AS c ON c.organisation = $1 AND c.id = v.contact_id ",
            $rest
        )
    };
}

/// Whom a conversation is with, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parties<'a> {
    /// With whom.
    pub contact: ContactId,
    /// On which channel.
    pub channel: &'a str,
    /// On which account.
    pub connection: ConnectionId,
}

/// Opens a conversation, unless one is open: another server may have been quicker than the caller's own look. Emits `conversation.opened`.
pub async fn open(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, parties: Parties<'_>) -> Result<ConversationId, CrmError> {
    tx.lock(vec![digest::short(&[parties.contact.0.as_bytes(), b"conversation", parties.connection.0.as_bytes()])]).await?;
    match find_open(tx, organisation, parties.contact, parties.connection).await? {
        Some(open) => Ok(open),
        None => begin(tx, organisation, actor, parties),
    }
}

/// The same with a contact of whom nobody else knows yet.
pub(crate) fn begin(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, parties: Parties<'_>) -> Result<ConversationId, CrmError> {
    let id = ConversationId(tx.fresh_id());
    let now = tx.now();
    tx.leave(
        "INSERT INTO conversations (organisation, id, contact_id, channel, connection_id, status, last_message_at, opened_at)
         VALUES ($1, $2, $3, $4, $5, 'open', $6, $6)",
        args![organisation, id, parties.contact, parties.channel, parties.connection, now],
    )?;
    let facts = Facts {
        contact: Some(parties.contact),
        conversation: Some(id),
        message: None,
        channel: parties.channel,
        connection: parties.connection,
        author: actor.author(),
        at: now,
    };
    let data = facts.to_object();
    emit(tx, organisation, actor, "conversation.opened", id, data);
    Ok(id)
}

/// The open conversation with a contact on a connection.
pub async fn find_open(
    db: &mut impl Query,
    organisation: OrganisationId,
    contact: ContactId,
    connection: ConnectionId,
) -> Result<Option<ConversationId>, DatabaseError> {
    let row = db
        .fetch_optional(
            "SELECT id FROM conversations WHERE organisation = $1 AND contact_id = $2 AND connection_id = $3 AND status = 'open'",
            args![organisation, contact, connection],
        )
        .await?;
    row.map(|row| row.get("id")).transpose()
}

/// By id.
pub async fn get(db: &mut impl Query, organisation: OrganisationId, id: ConversationId) -> Result<Option<Conversation>, DatabaseError> {
    let row = db.fetch_optional(select!("WHERE v.organisation = $1 AND v.id = $2"), args![organisation, id]).await?;
    Ok(from_rows(db, organisation, row.as_slice()).await?.pop())
}

/// The same for whoever writes what follows from what it reads: until the transaction ends nobody else changes the conversation. Its row
/// is locked by itself first: read together with its contact it would be gone for whoever waited while that one was merged.
async fn get_to_change(tx: &mut Tx, organisation: OrganisationId, id: ConversationId) -> Result<Conversation, CrmError> {
    tx.fetch_optional("SELECT 1 AS one FROM conversations WHERE organisation = $1 AND id = $2 {for update of conversations}", args![organisation, id]).await?;
    get(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("conversation", id))
}

/// A contact's conversations, the last active first.
pub async fn of_contact(db: &mut impl Query, organisation: OrganisationId, contact: ContactId) -> Result<Vec<Conversation>, DatabaseError> {
    let rows = db
        .fetch_all(select!("WHERE v.organisation = $1 AND v.contact_id = $2 ORDER BY v.last_message_at DESC, v.id DESC LIMIT 50"), args![organisation, contact])
        .await?;
    from_rows(db, organisation, &rows).await
}

/// What a list shows; every part that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationFilter {
    /// Open or closed.
    pub status: Option<ConversationStatus>,
    /// Assigned to this user.
    pub assigned_user: Option<UserId>,
    /// Assigned to this team.
    pub assigned_team: Option<String>,
    /// With this contact.
    pub contact: Option<ContactId>,
    /// With this tag.
    pub tag: Option<String>,
}

macro_rules! listing {
    ($lead:literal) => {
        concat!(
            "SELECT v.id, v.contact_id, c.name AS contact_name, v.channel, v.connection_id, v.status, v.assigned_user, v.assigned_team, v.unread,
                    v.last_inbound_at, v.last_outbound_at, v.last_message_at, v.last_text, v.opened_at, v.closed_at
             FROM conversations AS v JOIN contacts AS c ON c.organisation = $1 AND c.id = v.contact_id
             WHERE v.organisation = $1 AND v.id < $2 AND ",
            $lead,
            " AND ($4 IS NULL OR v.status = $4) AND ($5 IS NULL OR v.assigned_user = $5)
              AND ($6 IS NULL OR v.assigned_team = $6) AND ($7 IS NULL OR v.contact_id = $7)
              AND ($8 IS NULL OR EXISTS (SELECT 1 FROM conversation_tags AS t WHERE t.organisation = $1 AND t.tag = $8 AND t.conversation_id = v.id))
              ORDER BY v.id DESC LIMIT $3"
        )
    };
}

/// A page of conversations, the newest first; `before` is the last id of the page before.
pub async fn list(
    db: &mut impl Query,
    organisation: OrganisationId,
    filter: &ConversationFilter,
    before: Option<ConversationId>,
    limit: u32,
) -> Result<Vec<Conversation>, DatabaseError> {
    let args = args![
        organisation,
        before.map_or(uuid::Uuid::max(), |id| id.0),
        limit,
        filter.status.map(ConversationStatus::as_str),
        filter.assigned_user,
        &filter.assigned_team,
        filter.contact,
        &filter.tag
    ];
    // The rarest filter leads, over its index, so that a page of the inbox does not walk all closed conversations.
    let rows = if filter.contact.is_some() {
        db.fetch_all(listing!("v.contact_id = $7"), args).await?
    } else if filter.assigned_user.is_some() {
        db.fetch_all(listing!("v.assigned_user = $5"), args).await?
    } else if filter.status == Some(ConversationStatus::Open) {
        db.fetch_all(listing!("v.status = 'open'"), args).await?
    } else {
        db.fetch_all(listing!("v.id IS NOT NULL"), args).await?
    };
    from_rows(db, organisation, &rows).await
}

/// Who is to care for a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignee {
    /// A person.
    User(UserId),
    /// A team.
    Team(String),
    /// Nobody.
    Nobody,
}

impl Assignee {
    /// A user by id or e-mail.
    pub async fn user(db: &mut impl Query, organisation: OrganisationId, id_or_email: &str) -> Result<Self, CrmError> {
        Ok(Self::User(users::named(db, organisation, id_or_email).await?.id))
    }
    /// A team by name.
    pub fn team(name: &str) -> Result<Self, CrmError> {
        teams::normalise_name(name).map(Self::Team)
    }
}

/// Gives a conversation to somebody. Emits `conversation.assigned`, and nothing when it is theirs already.
pub async fn assign(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: ConversationId, to: Assignee) -> Result<Conversation, CrmError> {
    let mut conversation = get_to_change(tx, organisation, id).await?;
    let (user, team) = match to {
        Assignee::User(user) => {
            users::get(tx, organisation, user).await?.ok_or_else(|| CrmError::not_found("user", user))?;
            (Some(user), None)
        }
        Assignee::Team(team) => (None, Some(team)),
        Assignee::Nobody => (None, None),
    };
    if conversation.assigned_user == user && conversation.assigned_team == team {
        return Ok(conversation);
    }
    tx.execute("UPDATE conversations SET assigned_user = $3, assigned_team = $4 WHERE organisation = $1 AND id = $2", args![organisation, id, user, &team])
        .await?;
    let whom = match (&user, &team) {
        (Some(user), _) => format!("Conversation assigned to user {user}"),
        (None, Some(team)) => format!("Conversation assigned to team {team}"),
        (None, None) => "Conversation assigned to nobody".to_owned(),
    };
    conversation.assigned_user = user;
    conversation.assigned_team = team;
    timeline::add(tx, organisation, conversation.contact_id, actor, ItemKind::Event, &whom, Some(id.0))?;
    let mut data = conversation.facts(actor, tx.now());
    data.insert("user".into(), conversation.assigned_user.map(|user| user.to_string()).into());
    data.insert("team".into(), conversation.assigned_team.clone().into());
    emit(tx, organisation, actor, "conversation.assigned", id, data);
    Ok(conversation)
}

/// Closes a conversation. Emits `conversation.closed`, and nothing when it is closed already.
pub async fn close(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: ConversationId) -> Result<Conversation, CrmError> {
    let mut conversation = get_to_change(tx, organisation, id).await?;
    if conversation.status == ConversationStatus::Closed {
        return Ok(conversation);
    }
    let now = tx.now();
    tx.execute("UPDATE conversations SET status = 'closed', closed_at = $3, unread = 0 WHERE organisation = $1 AND id = $2", args![organisation, id, now])
        .await?;
    conversation.status = ConversationStatus::Closed;
    conversation.closed_at = Some(now);
    conversation.unread = 0;
    timeline::add(tx, organisation, conversation.contact_id, actor, ItemKind::Event, "Conversation closed", Some(id.0))?;
    let data = conversation.facts(actor, now);
    emit(tx, organisation, actor, "conversation.closed", id, data);
    Ok(conversation)
}

/// Somebody has looked at it.
pub async fn mark_read(tx: &mut Tx, organisation: OrganisationId, id: ConversationId) -> Result<(), CrmError> {
    let changed = tx.execute("UPDATE conversations SET unread = 0 WHERE organisation = $1 AND id = $2 AND unread > 0", args![organisation, id]).await?;
    if changed > 0 {
        tx.announce(Change { organisation, topic: "conversation".into(), id: id.to_string(), data: serde_json::json!({ "event": "conversation.read" }) });
    }
    Ok(())
}

fn emit(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, kind: &'static str, id: ConversationId, data: Object) {
    let contact = data.get("contact_id").cloned().unwrap_or_default();
    let mut event = NewEvent::new(organisation, kind, events::SOURCE, Value::Object(data));
    event.subject = Some(id.to_string());
    tx.emit(actor.stamp(event));
    tx.announce(Change { organisation, topic: "conversation".into(), id: id.to_string(), data: serde_json::json!({ "event": kind, "contact_id": contact }) });
}

async fn from_rows(db: &mut impl Query, organisation: OrganisationId, rows: &[Row]) -> Result<Vec<Conversation>, DatabaseError> {
    let mut conversations = rows.iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
    tags::fill(db, organisation, &mut conversations).await?;
    Ok(conversations)
}

fn from_row(row: &Row) -> Result<Conversation, DatabaseError> {
    let status: String = row.get("status")?;
    Ok(Conversation {
        id: row.get("id")?,
        contact_id: row.get("contact_id")?,
        contact_name: row.get("contact_name")?,
        channel: row.get("channel")?,
        connection_id: row.get("connection_id")?,
        status: ConversationStatus::parse(&status)
            .ok_or_else(|| DatabaseError::Column { column: "status".into(), reason: format!("`{status}` is no status of a conversation") })?,
        assigned_user: row.get("assigned_user")?,
        assigned_team: row.get("assigned_team")?,
        tags: Vec::new(),
        unread: row.get("unread")?,
        last_inbound_at: row.get("last_inbound_at")?,
        last_outbound_at: row.get("last_outbound_at")?,
        last_message_at: row.get("last_message_at")?,
        last_text: row.get("last_text")?,
        opened_at: row.get("opened_at")?,
        closed_at: row.get("closed_at")?,
    })
}
