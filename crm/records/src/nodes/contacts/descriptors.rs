//! What people and programs must know of the nodes.

use super::Work;
use onward_accounts::nodes::schema::{input, or_nothing, record, text, texts, with};
use onward_core::{
    Value,
    ports::{Effect, NodeDescriptor},
};
use serde_json::json;

/// The JSON Schema of a contact, as every node here returns it.
fn contact_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" },
            "name": { "type": ["string", "null"] },
            "first_name": { "type": ["string", "null"] },
            "last_name": { "type": ["string", "null"] },
            "phone": { "type": ["string", "null"], "description": "The main phone, E.164" },
            "email": { "type": ["string", "null"], "description": "The main e-mail" },
            "phones": { "type": "array", "items": { "type": "string" } },
            "emails": { "type": "array", "items": { "type": "string" } },
            "tags": { "type": "array", "items": { "type": "string" } },
            "identities": { "type": "array", "items": { "type": "object" } },
            "company_id": { "type": ["string", "null"] },
            "fields": { "type": "object" },
            "timezone": { "type": ["string", "null"] },
            "language": { "type": ["string", "null"] },
            "opt_outs": { "type": "array", "items": { "type": "string" }, "description": "What they refused, as CHANNEL:CATEGORY" },
            "score": { "type": "integer" },
            "created_at": { "type": "string" },
            "updated_at": { "type": "string" }
        },
        "required": ["id", "phones", "emails", "tags", "fields"]
    })
}

fn example_contact() -> Value {
    json!({
        "id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2c", "name": "Asha Rao", "first_name": "Asha", "last_name": null,
        "phone": "+919812345678", "email": null, "phones": ["+919812345678"], "emails": [], "tags": ["new"], "identities": [],
        "company_id": null, "fields": {}, "timezone": null, "language": null, "opt_outs": [], "score": 0,
        "created_at": "2026-11-20T09:00:00.000Z", "updated_at": "2026-11-20T09:00:00.000Z"
    })
}

fn phone() -> Value {
    json!({ "type": ["string", "number", "null"], "description": "A phone number; without a country code it is read as one of the organisation's country" })
}

/// The input that names a contact.
pub(in crate::nodes) fn contact() -> Value {
    record("A contact's id, or the contact; by default the run's")
}

/// The output that is a contact, and an example of it.
pub fn contact_output() -> (Value, Value) {
    (contact_schema(), example_contact())
}

fn identity() -> Value {
    json!({
        "type": ["object", "null"],
        "description": "An address on a channel account",
        "properties": { "channel": { "type": "string" }, "connection_id": { "type": "string" }, "external_id": { "type": "string" } },
        "required": ["channel", "connection_id", "external_id"],
        "additionalProperties": false
    })
}

fn facts() -> Value {
    json!({
        "contact": contact(), "id": text("The same as `contact`"),
        "name": text("The whole name"), "first_name": text("Given name"), "last_name": text("Family name"),
        "phone": phone(), "phones": texts("Phone numbers"), "email": text("An e-mail address"), "emails": texts("E-mail addresses"),
        "tags": texts("Tags"), "company": record("A company's id, or the company"), "fields": { "type": ["object", "null"], "description": "Custom fields" },
        "timezone": text("IANA name"), "language": text("A code like en or pt-BR")
    })
}

pub(super) fn of(work: Work) -> NodeDescriptor {
    let tagging = || json!({ "contact": contact(), "id": text("The same as `contact`"), "tags": texts("Tags"), "tag": text("One tag") });
    let (name, title, description, input, example, binds) = match work {
        Work::Upsert => (
            "upsert",
            "Create or update a contact",
            "Finds the person by id, then identity, then phone or e-mail if exactly one contact has it, and adds what is known anew; nobody found: a new contact. Empty values replace nothing.",
            input(&with(facts(), "identity", identity()), &[]),
            json!({ "phone": "+919812345678", "name": "Asha Rao", "tags": ["new"] }),
            true,
        ),
        Work::Get => (
            "get",
            "Read a contact",
            "The contact as it is now. Fails with not_found when there is none.",
            input(&json!({ "contact": contact(), "id": text("The same as `contact`") }), &[]),
            json!({ "contact": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2c" }),
            true,
        ),
        Work::Find => (
            "find",
            "Find a contact",
            "The one contact that fits, or nothing. Several that fit are a conflict.",
            input(
                &json!({ "phone": phone(), "email": text("An e-mail address"), "identity": identity(), "tag": text("A tag"), "company": record("A company's id, or the company"), "q": text("A part of the name or of an address") }),
                &[],
            ),
            json!({ "email": "asha@example.com" }),
            true,
        ),
        Work::Update => (
            "update",
            "Set fields of a contact",
            "Sets what is given; an empty value clears. Custom fields are merged by name, null removes one.",
            input(&facts(), &[]),
            json!({ "fields": { "plan": "pro" } }),
            false,
        ),
        Work::Tag => ("tag", "Tag a contact", "Adds tags.", input(&tagging(), &[]), json!({ "tags": ["vip"] }), false),
        Work::Untag => {
            ("untag", "Remove tags from a contact", "Takes tags away; those not there are no error.", input(&tagging(), &[]), json!({ "tags": ["new"] }), false)
        }
        Work::Note => (
            "note",
            "Write a note",
            "Writes a note on the contact's timeline.",
            input(&json!({ "contact": contact(), "id": text("The same as `contact`"), "text": { "type": "string", "description": "The note" } }), &["text"]),
            json!({ "text": "Asked for the price list." }),
            false,
        ),
    };
    let (output, example_output) = match work {
        Work::Note => (
            json!({ "type": "object", "properties": { "note_id": { "type": "string" }, "contact_id": { "type": "string" } }, "required": ["note_id", "contact_id"] }),
            json!({ "note_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2d", "contact_id": "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2c" }),
        ),
        Work::Find => (or_nothing(contact_schema()), example_contact()),
        _ => contact_output(),
    };
    NodeDescriptor {
        id: format!("crm.contact.{name}"),
        title: title.to_owned(),
        description: description.to_owned(),
        category: "CRM".to_owned(),
        effect: Effect::Transactional,
        input,
        output,
        example,
        example_output,
        ui: json!({ "order": ["contact", "phone", "email", "name", "first_name", "last_name", "tags", "fields", "text"] }),
        connector: None,
        personal: true,
        binds: binds.then(|| "contact".to_owned()),
    }
}
