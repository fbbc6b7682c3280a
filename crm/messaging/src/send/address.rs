//! To which of a contact's addresses, over which connection.

use super::{Channels, StepContext, cannot_send};
use crate::{
    ConversationId,
    conversations::{self, Conversation, ConversationStatus, Parties},
};
use onward_accounts::CrmError;
use onward_connectors::connection::{self, ConnectionError, StoredConnection};
use onward_core::{ConnectionId, ErrorCode, StepError, Timestamp};
use onward_database::{DatabaseError, Tx};
use onward_records::{Contact, ContactId, Identity, IdentityKey, identities};

/// Channels whose addresses are phone numbers, so that somebody can be written to who never wrote.
const BY_PHONE: &[&str] = &["whatsapp", "twilio"];

/// What a step says of where a message is to go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// A connector.
    pub(crate) channel: Option<&'a str>,
    /// A connection by name or id.
    pub(crate) connection: Option<&'a str>,
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(super) channel: String,
    pub(super) connection_id: ConnectionId,
    pub(super) external_id: String,
    /// The open conversation on this connection.
    pub(crate) conversation: Option<ConversationId>,
    /// When the contact last wrote on this connection, in whichever conversation: closing one closes no window.
    pub(super) last_inbound_at: Option<Timestamp>,
}

impl Address {
    /// Whom a conversation here is with.
    pub(crate) fn parties(&self, contact: ContactId) -> Parties<'_> {
        Parties { contact, channel: &self.channel, connection: self.connection_id }
    }
}

/// Chooses: what the step names; else the run's conversation; else where the contact was last active; else any address that
/// can be written to; else, on channels that go by phone number, the contact's phone.
pub(crate) async fn choose(tx: &mut Tx, ctx: &StepContext, channels: &Channels, contact: &Contact, wanted: Wanted<'_>) -> Result<Address, StepError> {
    let given = match wanted.connection {
        Some(name) => Some(named(tx, ctx, name).await?),
        None => None,
    };
    if let Some(connection) = &given {
        channels.get(&connection.connector).ok_or_else(|| cannot_send(&connection.connector))?;
        if wanted.channel.is_some_and(|channel| channel != connection.connector) {
            return Err(CrmError::invalid("connection", format!("the connection `{}` is of the channel {}", connection.name, connection.connector)).into());
        }
    }
    if let Some(channel) = wanted.channel {
        channels.get(channel).ok_or_else(|| cannot_send(channel))?;
    }
    let fits = |channel: &str, id: ConnectionId| {
        channels.get(channel).is_some() && wanted.channel.is_none_or(|name| name == channel) && given.as_ref().is_none_or(|connection| connection.id == id)
    };
    let conversations = conversations::of_contact(tx, ctx.organisation, contact.id).await?;
    let of_run: Option<ConversationId> = ctx.conversation.as_deref().and_then(onward_core::ids::parse);
    let usable: Vec<&Identity> =
        contact.identities.iter().filter(|identity| !identity.replaced && fits(&identity.key.channel, identity.key.connection_id)).collect();
    // `of_contact` gives the last active first; a stable sort puts the run's own before it.
    let mut ordered: Vec<&Conversation> = conversations.iter().collect();
    ordered.sort_by_key(|conversation| Some(conversation.id) != of_run);
    let active =
        ordered.iter().find_map(|conversation| best(usable.iter().copied().filter(|identity| identity.key.connection_id == conversation.connection_id)));
    if let Some(identity) = active.or_else(|| best(usable.iter().copied())) {
        return Ok(at(identity.key.clone(), &conversations));
    }
    by_phone(tx, ctx, channels, contact, wanted.channel, given, &conversations).await
}

/// Of several addresses on one account: a number first, since every version of the providers' interfaces takes it, then the
/// strongest.
fn best<'a>(identities: impl Iterator<Item = &'a Identity>) -> Option<&'a Identity> {
    identities.min_by_key(|identity| (!identity.key.external_id.bytes().all(|byte| byte.is_ascii_digit()), identity.strength))
}

fn at(key: IdentityKey, conversations: &[Conversation]) -> Address {
    let here = || conversations.iter().filter(|conversation| conversation.connection_id == key.connection_id);
    Address {
        conversation: here().find(|conversation| conversation.status == ConversationStatus::Open).map(|conversation| conversation.id),
        last_inbound_at: here().filter_map(|conversation| conversation.last_inbound_at).max(),
        channel: key.channel,
        connection_id: key.connection_id,
        external_id: key.external_id,
    }
}

async fn by_phone(
    tx: &mut Tx,
    ctx: &StepContext,
    channels: &Channels,
    contact: &Contact,
    wanted_channel: Option<&str>,
    given: Option<StoredConnection>,
    conversations: &[Conversation],
) -> Result<Address, StepError> {
    let nowhere = |why: &str| StepError::new(ErrorCode::NotFound, format!("the contact {} has no address that can be written to: {why}", contact.id));
    let Some(phone) = contact.phones.first() else {
        return Err(nowhere("no identity on a channel that sends, and no phone number"));
    };
    let candidates = match given {
        Some(connection) => vec![connection],
        None => connection::list(tx, ctx.organisation, None, 100).await.map_err(stored)?,
    };
    let mut fitting = candidates.into_iter().filter(|connection| {
        let channel = connection.connector.as_str();
        BY_PHONE.contains(&channel) && channels.get(channel).is_some() && wanted_channel.is_none_or(|wanted| wanted == channel)
    });
    let Some(connection) = fitting.next() else {
        return Err(nowhere("no connection of a channel that goes by phone number"));
    };
    let key = IdentityKey { channel: connection.connector, connection_id: connection.id, external_id: phone.trim_start_matches('+').to_owned() };
    // So that their answer finds them at once.
    identities::attach(tx, ctx.organisation, contact.id, std::slice::from_ref(&key), None).await?;
    Ok(at(key, conversations))
}

async fn named(tx: &mut Tx, ctx: &StepContext, name: &str) -> Result<StoredConnection, StepError> {
    let found = connection::find(tx, ctx.organisation, name).await.map_err(stored)?;
    found.ok_or_else(|| CrmError::not_found("connection", name).into())
}

fn stored(error: ConnectionError) -> StepError {
    match error {
        ConnectionError::Database(error) => error.into(),
        other => DatabaseError::Failed(other.to_string()).into(),
    }
}
