//! The bus events that records emit.

use crate::{
    Contact, ContactId,
    companies::Company,
    deals::Deal,
    segments::Segment,
    tasks::Task,
    timeline::{self, ItemKind},
};
use onward_accounts::Actor;
use onward_core::{
    NewEvent, Object, OrganisationId, Value,
    ports::{Change, Transaction},
};
use onward_database::{DatabaseError, Tx};

/// Who says so, on events of our own records.
pub const SOURCE: &str = "onward/records";

/// The types that this room emits, for the catalogue.
pub fn event_types() -> Vec<&'static str> {
    vec![
        "contact.created",
        "contact.updated",
        "contact.unsubscribed",
        "contact.merged",
        "company.created",
        "company.updated",
        "deal.created",
        "deal.updated",
        "deal.stage_changed",
        "deal.won",
        "deal.lost",
        "deal.reopened",
        "task.created",
        "task.updated",
        "task.completed",
        "task.overdue",
        "segment.entered",
        "segment.left",
    ]
}

/// The names of what differs.
pub(crate) fn differing(parts: &[(&str, bool)]) -> Vec<String> {
    parts.iter().filter(|(_, differs)| *differs).map(|(name, _)| (*name).to_owned()).collect()
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
    put_on_the_bus(tx, organisation, actor, kind, &contact.id, data);
    tx.announce(Change {
        organisation,
        topic: "contact".into(),
        id: contact.id.to_string(),
        data: serde_json::json!({ "event": kind, "name": contact.display_name(), "changed": changed }),
    });
}

/// Emits that another contact went up in this one.
pub(crate) fn emit_merged(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, survivor: &Contact, other: ContactId) {
    let mut data = contact_facts(survivor, actor);
    data.insert("at".into(), tx.now().to_string().into());
    data.insert("merged_id".into(), other.to_string().into());
    put_on_the_bus(tx, organisation, actor, "contact.merged", &survivor.id, data);
    tx.announce(Change {
        organisation,
        topic: "contact".into(),
        id: other.to_string(),
        data: serde_json::json!({ "event": "contact.merged", "into": survivor.id }),
    });
}

/// Emits that a contact entered or left a segment.
pub(crate) fn emit_segment(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, kind: &'static str, contact: &Contact, segment: &Segment) {
    let mut data = contact_facts(contact, actor);
    data.insert("at".into(), tx.now().to_string().into());
    data.insert("segment_id".into(), segment.id.to_string().into());
    data.insert("segment".into(), segment.name.clone().into());
    put_on_the_bus(tx, organisation, actor, kind, &contact.id, data);
    tx.announce(Change {
        organisation,
        topic: "segment".into(),
        id: segment.id.to_string(),
        data: serde_json::json!({ "event": kind, "contact_id": contact.id }),
    });
}

/// Emits an event about a company and tells those who watch.
pub(crate) fn emit_company(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, kind: &'static str, company: &Company, changed: &[String]) {
    let data = facts(
        tx,
        actor,
        serde_json::json!({ "company_id": company.id, "name": company.name, "domain": company.domain, "owner": company.owner, "changed": changed }),
    );
    put_on_the_bus(tx, organisation, actor, kind, &company.id, data);
    announce(tx, organisation, "company", &company.id, kind);
}

/// Emits an event about a deal, notes it on the contact's timeline and tells those who watch. `more` joins the event's data.
pub(crate) fn emit_deal(
    tx: &mut Tx,
    organisation: OrganisationId,
    actor: &Actor,
    kind: &'static str,
    deal: &Deal,
    line: &str,
    more: Object,
) -> Result<(), DatabaseError> {
    note(tx, organisation, deal.contact_id, actor, ItemKind::Deal, line, deal.id.0)?;
    let mut data = facts(
        tx,
        actor,
        serde_json::json!({
            "deal_id": deal.id, "contact_id": deal.contact_id, "company_id": deal.company_id, "title": deal.title, "status": deal.status,
            "pipeline_id": deal.pipeline_id, "pipeline": deal.pipeline, "stage_id": deal.stage_id, "stage": deal.stage, "amount": deal.amount,
            "currency": deal.currency, "owner": deal.owner, "lost_reason": deal.lost_reason,
        }),
    );
    data.extend(more);
    put_on_the_bus(tx, organisation, actor, kind, &deal.id, data);
    tx.announce(Change {
        organisation,
        topic: "deal".into(),
        id: deal.id.to_string(),
        data: serde_json::json!({ "event": kind, "stage_id": deal.stage_id, "pipeline_id": deal.pipeline_id, "status": deal.status }),
    });
    Ok(())
}

/// Emits an event about a task, notes it on the contact's timeline where there is a line, and tells those who watch.
pub(crate) fn emit_task(
    tx: &mut Tx,
    organisation: OrganisationId,
    actor: &Actor,
    kind: &'static str,
    task: &Task,
    line: Option<&str>,
) -> Result<(), DatabaseError> {
    if let Some(line) = line {
        note(tx, organisation, task.contact_id, actor, ItemKind::Task, line, task.id.0)?;
    }
    let data = facts(
        tx,
        actor,
        serde_json::json!({
            "task_id": task.id, "contact_id": task.contact_id, "deal_id": task.deal_id, "title": task.title, "due_at": task.due_at,
            "assigned_user": task.assigned_user, "assigned_team": task.assigned_team,
        }),
    );
    put_on_the_bus(tx, organisation, actor, kind, &task.id, data);
    tx.announce(Change {
        organisation,
        topic: "task".into(),
        id: task.id.to_string(),
        data: serde_json::json!({ "event": kind, "assigned_user": task.assigned_user, "assigned_team": task.assigned_team }),
    });
    Ok(())
}

/// Tells those who watch, and nobody else.
pub(crate) fn announce(tx: &mut Tx, organisation: OrganisationId, topic: &'static str, id: &impl ToString, event: &'static str) {
    tx.announce(Change { organisation, topic: topic.into(), id: id.to_string(), data: serde_json::json!({ "event": event }) });
}

fn note(
    tx: &mut Tx,
    organisation: OrganisationId,
    contact: Option<ContactId>,
    actor: &Actor,
    kind: ItemKind,
    line: &str,
    subject: uuid::Uuid,
) -> Result<(), DatabaseError> {
    if let Some(contact) = contact {
        timeline::add(tx, organisation, contact, actor, kind, line, Some(subject))?;
    }
    Ok(())
}

fn facts(tx: &Tx, actor: &Actor, of_record: Value) -> Object {
    let mut data = if let Value::Object(members) = of_record { members } else { Object::new() };
    data.insert("author".into(), actor.author().to_value());
    data.insert("at".into(), tx.now().to_string().into());
    data
}

fn put_on_the_bus(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, kind: &'static str, subject: &impl ToString, data: Object) {
    let mut event = NewEvent::new(organisation, kind, SOURCE, Value::Object(data));
    event.subject = Some(subject.to_string());
    tx.emit(actor.stamp(event));
}
