//! The bus events that records emit.

use crate::Contact;
use onward_accounts::Actor;
use onward_core::{
    NewEvent, Object, OrganisationId, Value,
    ports::{Change, Transaction},
};
use onward_database::Tx;

/// Who says so, on events of our own records.
pub const SOURCE: &str = "onward/records";

/// The types that this room emits, for the catalogue.
pub fn event_types() -> Vec<&'static str> {
    vec!["contact.created", "contact.updated", "contact.unsubscribed"]
}

/// The facts that every event about a contact carries.
pub fn contact_facts(contact: &Contact, actor: &Actor) -> Object {
    let mut data = Object::new();
    data.insert("contact_id".into(), contact.id.to_string().into());
    data.insert("name".into(), contact.display_name().into());
    data.insert("phone".into(), contact.phones.first().cloned().into());
    data.insert("email".into(), contact.emails.first().cloned().into());
    data.insert("tags".into(), contact.tags.clone().into());
    data.insert("author".into(), actor.author().to_value());
    data
}

/// Emits an event about a contact and tells those who watch.
pub(crate) fn emit(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, kind: &'static str, contact: &Contact, changed: &[String]) {
    let mut data = contact_facts(contact, actor);
    data.insert("at".into(), tx.now().to_string().into());
    data.insert("changed".into(), changed.to_vec().into());
    let mut event = NewEvent::new(organisation, kind, SOURCE, Value::Object(data));
    event.subject = Some(contact.id.to_string());
    tx.emit(actor.stamp(event));
    tx.announce(Change {
        organisation,
        topic: "contact",
        id: contact.id.to_string(),
        data: serde_json::json!({ "event": kind, "name": contact.display_name(), "changed": changed }),
    });
}
