//! The nodes `crm.contact.…`: each calls the record function of its name in the transaction that records the step.

mod descriptors;

pub(super) use descriptors::contact;
pub use descriptors::contact_output;

use crate::{Contact, ContactChange, ContactId, ContactPatch, IdentityKey, addresses, contacts, notes, tags};
use onward_accounts::{Actor, CrmError, nodes::input::Input, organisations};
use onward_core::{
    ConnectionId, OrganisationId, StepError, Value,
    ports::{Node, NodeDescriptor, Outcome, StepContext},
};
use onward_database::Tx;
use std::sync::Arc;

/// The nodes of contacts.
pub(super) fn nodes() -> Vec<Arc<dyn Node<Tx>>> {
    [Work::Upsert, Work::Get, Work::Find, Work::Update, Work::Tag, Work::Untag, Work::Note]
        .into_iter()
        .map(|work| Arc::new(ContactNode { descriptor: descriptors::of(work), work }) as Arc<dyn Node<Tx>>)
        .collect()
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Upsert,
    Get,
    Find,
    Update,
    Tag,
    Untag,
    Note,
}

struct ContactNode {
    descriptor: NodeDescriptor,
    work: Work,
}

#[onward_core::async_trait]
impl Node<Tx> for ContactNode {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.descriptor
    }

    async fn apply(&self, tx: &mut Tx, ctx: &StepContext, input: &Value) -> Outcome {
        match self.work(tx, ctx, input).await {
            Ok(output) => Outcome::done(output),
            Err(error) => StepError::from(error).into(),
        }
    }
}

impl ContactNode {
    async fn work(&self, tx: &mut Tx, ctx: &StepContext, input: &Value) -> Result<Value, CrmError> {
        let actor = Actor::of_step(ctx);
        let input = Input::new(input)?;
        let organisation = ctx.organisation;
        match self.work {
            Work::Upsert => {
                let mut change = change(&input)?;
                // The run's contact is meant only when nothing else says who is: an upsert of a second person, by their
                // phone, must not rename the first.
                let nobody_named = change.identities.is_empty() && change.phones.is_empty() && change.emails.is_empty();
                if change.id.is_none() && nobody_named {
                    change.id = ctx.contact.as_deref().and_then(onward_core::ids::parse);
                }
                Ok(contacts::upsert(tx, organisation, &actor, change).await?.contact.to_value())
            }
            Work::Get => {
                let id = contact_of(&input, ctx)?;
                contacts::get(tx, organisation, id).await?.map(|contact| contact.to_value()).ok_or_else(|| CrmError::not_found("contact", id))
            }
            Work::Find => find(tx, organisation, &input).await.map(|found| found.map_or(Value::Null, |contact| contact.to_value())),
            Work::Update => {
                let id = contact_of(&input, ctx)?;
                Ok(contacts::update(tx, organisation, &actor, id, patch(&input)?).await?.contact.to_value())
            }
            Work::Tag => {
                let id = contact_of(&input, ctx)?;
                Ok(tags::add(tx, organisation, &actor, id, &required_tags(&input)?).await?.to_value())
            }
            Work::Untag => {
                let id = contact_of(&input, ctx)?;
                Ok(tags::remove(tx, organisation, &actor, id, &required_tags(&input)?).await?.to_value())
            }
            Work::Note => {
                let id = contact_of(&input, ctx)?;
                let text = input.text("text")?.ok_or_else(|| CrmError::invalid("text", "a note needs a text"))?;
                let note = notes::add(tx, organisation, &actor, id, &text).await?;
                Ok(serde_json::json!({ "note_id": note, "contact_id": id }))
            }
        }
    }
}

/// The contact that an input names, by default the run's.
pub fn contact_of(input: &Input<'_>, ctx: &StepContext) -> Result<ContactId, CrmError> {
    if let Some(id) = named_contact(input)? {
        return Ok(id);
    }
    ctx.contact.as_deref().and_then(onward_core::ids::parse).ok_or_else(|| {
        CrmError::invalid("contact", "this run has no contact yet; name one with `contact`, or let a crm.contact.upsert, get or find step come first")
    })
}

fn named_contact(input: &Input<'_>) -> Result<Option<ContactId>, CrmError> {
    for key in ["contact", "id"] {
        if let Some(text) = input.id(key)? {
            return onward_core::ids::parse(&text).map(Some).ok_or_else(|| CrmError::not_found("contact", text));
        }
    }
    Ok(None)
}

fn identities(input: &Input<'_>) -> Result<Vec<IdentityKey>, CrmError> {
    let Some(given) = input.object("identity")? else { return Ok(Vec::new()) };
    let given = Input::within(given, "identity");
    let text =
        |key: &str| given.text(key)?.ok_or_else(|| CrmError::invalid(format!("identity/{key}"), "an identity has channel, connection_id and external_id"));
    let connection: ConnectionId =
        onward_core::ids::parse(&text("connection_id")?).ok_or_else(|| CrmError::invalid("identity/connection_id", "this is no connection's id"))?;
    Ok(vec![IdentityKey { channel: text("channel")?, connection_id: connection, external_id: text("external_id")? }])
}

fn change(input: &Input<'_>) -> Result<ContactChange, CrmError> {
    Ok(ContactChange {
        id: named_contact(input)?,
        identities: identities(input)?,
        name: input.text("name")?,
        first_name: input.text("first_name")?,
        last_name: input.text("last_name")?,
        phones: input.one_or_more("phone", "phones")?,
        emails: input.one_or_more("email", "emails")?,
        tags: input.texts("tags")?.unwrap_or_default(),
        company: super::id_of(input, "company", "company")?,
        fields: input.object("fields")?.cloned().unwrap_or_default(),
        timezone: input.text("timezone")?,
        language: input.text("language")?,
    })
}

fn patch(input: &Input<'_>) -> Result<ContactPatch, CrmError> {
    let list = |one: &str, many: &str| -> Result<Option<Vec<String>>, CrmError> {
        Ok(if input.has(one) || input.has(many) { Some(input.one_or_more(one, many)?) } else { None })
    };
    let optional = |key: &str| -> Result<Option<Option<String>>, CrmError> { Ok(if input.has(key) { Some(input.text(key)?) } else { None }) };
    let emptied = |key: &str| -> Result<Option<String>, CrmError> { Ok(optional(key)?.map(Option::unwrap_or_default)) };
    Ok(ContactPatch {
        name: emptied("name")?,
        first_name: emptied("first_name")?,
        last_name: emptied("last_name")?,
        phones: list("phone", "phones")?,
        emails: list("email", "emails")?,
        tags: input.texts("tags")?,
        company: if input.has("company") { Some(super::id_of(input, "company", "company")?) } else { None },
        fields: input.object("fields")?.cloned(),
        timezone: optional("timezone")?,
        language: optional("language")?,
        score: None,
    })
}

fn required_tags(input: &Input<'_>) -> Result<Vec<String>, CrmError> {
    let tags = input.one_or_more("tag", "tags")?;
    if tags.is_empty() { Err(CrmError::invalid("tags", "name at least one tag")) } else { Ok(tags) }
}

/// The one contact that fits; several are a conflict, since the next step would write to a stranger.
async fn find(tx: &mut Tx, organisation: OrganisationId, input: &Input<'_>) -> Result<Option<Contact>, CrmError> {
    let identities = identities(input)?;
    if !identities.is_empty() {
        let owners = crate::identities::owners(tx, organisation, &identities).await?;
        return match owners.first() {
            Some((_, id)) => Ok(contacts::get(tx, organisation, *id).await?),
            None => Ok(None),
        };
    }
    let phone = match input.text("phone")? {
        Some(text) => {
            let country = if addresses::names_its_country(&text) { None } else { organisations::get(tx, organisation).await?.and_then(|found| found.country) };
            Some(addresses::phone(&text, country.as_deref())?)
        }
        None => None,
    };
    let filter = contacts::ContactFilter {
        q: input.text("q")?,
        email: input.text("email")?,
        phone,
        tag: input.text("tag")?,
        company: super::id_of(input, "company", "company")?,
    };
    if filter == contacts::ContactFilter::default() {
        return Err(CrmError::invalid("phone", "say whom to find: phone, email, identity, tag, company or q"));
    }
    let mut found = contacts::list(tx, organisation, &filter, None, 10).await?;
    if found.len() > 1 {
        let ids = found.iter().map(|contact| contact.id.to_string()).collect();
        return Err(CrmError::conflict(format!("{} contacts fit; name more of whom you mean", found.len()), ids));
    }
    Ok(found.pop())
}
