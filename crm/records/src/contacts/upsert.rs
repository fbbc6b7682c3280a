//! Upsert: match, then create or merge.

use super::{Contact, ContactChange, get, get_to_change, join_name, resolve, update};
use crate::{ContactId, IdentityKey, addresses::AddressKind, events, identities, tags, timeline, timeline::ItemKind};
use onward_accounts::{Actor, CrmError};
use onward_core::{OrganisationId, digest, ports::Transaction};
use onward_database::{DatabaseError, Query as _, Rows, Tx, args};

/// What an upsert did.
#[derive(Clone, Debug, PartialEq)]
pub struct Upserted {
    /// The contact as it is now.
    pub contact: Contact,
    /// It is new.
    pub created: bool,
    /// What changed (`name`, `phones`, `fields.plan` …); empty: nothing was written.
    pub changed: Vec<String>,
}

/// Creates a contact or adds to the one that is meant.
///
/// Which one is meant, in this order: `id`; a contact with one of the identities; a contact with one of the phones or
/// e-mails, if exactly one has any of them. Emits `contact.created` or `contact.updated`, and nothing when nothing changes.
///
/// # Errors
/// [`CrmError::Conflict`] with their ids when several contacts fit; [`CrmError::NotFound`] for an `id` that is not there;
/// [`CrmError::Invalid`] naming the field.
pub async fn upsert(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, change: ContactChange) -> Result<Upserted, CrmError> {
    let change = change.normalised(tx, organisation).await?;
    match matching_or_locked(tx, organisation, &change).await? {
        Some(id) => {
            let contact = get_to_change(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("contact", id))?;
            update::merge(tx, organisation, actor, contact, change).await
        }
        None => create(tx, organisation, actor, change, Identities::Free).await,
    }
}

/// Whether what a new contact is to have may be somebody's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Identities {
    /// Nobody has any of them.
    Free,
    /// Some are another's, and stay theirs.
    PerhapsTaken,
}

/// The contact of a sender whom no identity names yet, as a provider describes them: matched and made as in [`upsert`], but
/// never refused. Where an address fits several contacts, or its form is strange, a contact of its own is better than a lost
/// message; people can merge.
pub async fn create_for_sender(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, change: ContactChange) -> Result<Upserted, CrmError> {
    let lenient = ContactChange {
        name: change.name.map(|text| text.chars().filter(|character| !character.is_control()).take(super::limits::NAME_CHARACTERS).collect()),
        emails: change.emails.into_iter().filter(|text| crate::addresses::email(text).is_ok()).collect(),
        ..change
    };
    // Phones of providers are normalised by the caller (`addresses::phone_from_provider`) and not judged again.
    let phones = lenient.phones.clone();
    let mut normalised = ContactChange { phones: Vec::new(), ..lenient }.normalised(tx, organisation).await?;
    normalised.phones = phones;
    match matching_or_locked(tx, organisation, &normalised).await {
        Ok(Some(id)) => {
            let contact = get_to_change(tx, organisation, id).await?.ok_or_else(|| CrmError::not_found("contact", id))?;
            // What we know of a person is better than the name they chose on a channel.
            let name = if contact.display_name_is_known() { None } else { normalised.name.take() };
            update::merge(tx, organisation, actor, contact, ContactChange { name, ..normalised }).await
        }
        Ok(None) => create(tx, organisation, actor, normalised, Identities::Free).await,
        Err(CrmError::Conflict { .. }) => create(tx, organisation, actor, normalised, Identities::PerhapsTaken).await,
        Err(other) => Err(other),
    }
}

impl Contact {
    fn display_name_is_known(&self) -> bool {
        !self.name.is_empty() || !self.first_name.is_empty() || !self.last_name.is_empty()
    }
}

/// The contact that is meant. Where it is none, or not one, nobody else makes one with these addresses until the transaction ends: of two
/// servers that hear of the same person at one time, one makes the contact, and the other waits and finds it.
async fn matching_or_locked(tx: &mut Tx, organisation: OrganisationId, change: &ContactChange) -> Result<Option<ContactId>, CrmError> {
    let found = matching(tx, organisation, change).await;
    if !change.has_addresses() || !matches!(found, Ok(None) | Err(CrmError::Conflict { .. })) {
        return found;
    }
    let name = |kind: &str, connection: &[u8], address: &str| digest::short(&[organisation.0.as_bytes(), kind.as_bytes(), connection, address.as_bytes()]);
    let identities = change.identities.iter().map(|key| name(&key.channel, key.connection_id.0.as_bytes(), &key.external_id));
    let phones = change.phones.iter().map(|phone| name(AddressKind::Phone.as_str(), &[], phone));
    let emails = change.emails.iter().map(|email| name(AddressKind::Email.as_str(), &[], email));
    if tx.lock(identities.chain(phones).chain(emails).collect()).await? { matching(tx, organisation, change).await } else { found }
}

/// The contact that is meant. One statement.
async fn matching(tx: &mut Tx, organisation: OrganisationId, change: &ContactChange) -> Result<Option<ContactId>, CrmError> {
    if !change.has_addresses() {
        return Ok(change.id);
    }
    let mut keys = Rows::new();
    for IdentityKey { channel, connection_id, external_id } in &change.identities {
        keys.push(args![channel, *connection_id, external_id]);
    }
    let mut addresses = Rows::new();
    for (kind, list) in [(AddressKind::Phone, &change.phones), (AddressKind::Email, &change.emails)] {
        for value in list {
            addresses.push(args![kind.as_str(), value]);
        }
    }
    let rows = tx
        .fetch_all(
            "SELECT 'identity' AS by, i.contact_id FROM {$2: channel text, connection_id uuid, external_id text} AS k
             CROSS JOIN identities AS i WHERE i.organisation = $1 AND i.channel = k.channel AND i.connection_id = k.connection_id AND i.external_id = k.external_id
             UNION
             SELECT 'address', a.contact_id FROM {$3: kind text, value text} AS k
             CROSS JOIN contact_addresses AS a WHERE a.organisation = $1 AND a.kind = k.kind AND a.value = k.value",
            args![organisation, keys, addresses],
        )
        .await?;
    let (mut by_identity, mut by_address) = (Vec::new(), Vec::new());
    for row in rows {
        let id: ContactId = row.get("contact_id")?;
        if row.get::<String>("by")? == "identity" { by_identity.push(id) } else { by_address.push(id) }
    }
    by_identity.sort();
    by_address.sort();
    if let Some(id) = change.id {
        let id = if by_identity.is_empty() { id } else { resolve(tx, organisation, id).await? };
        // An address may be shared, an identity may not.
        let others: Vec<ContactId> = by_identity.into_iter().filter(|other| *other != id).collect();
        return if others.is_empty() {
            Ok(Some(id))
        } else {
            Err(several("another contact has this identity; merge the two or leave the identity out", std::iter::once(id).chain(others)))
        };
    }
    for (found, what) in [(by_identity, "identity"), (by_address, "e-mail or phone")] {
        match found.as_slice() {
            [] => {}
            [one] => return Ok(Some(*one)),
            many => return Err(several(&format!("{} contacts have this {what}; merge them or name one by its id", many.len()), many.iter().copied())),
        }
    }
    Ok(None)
}

fn several(message: &str, ids: impl Iterator<Item = ContactId>) -> CrmError {
    CrmError::conflict(message, ids.map(|id| id.to_string()).collect())
}

async fn create(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, change: ContactChange, identities: Identities) -> Result<Upserted, CrmError> {
    let now = tx.now();
    let mut contact = Contact {
        id: ContactId(tx.fresh_id()),
        name: change.name.unwrap_or_default(),
        first_name: change.first_name.unwrap_or_default(),
        last_name: change.last_name.unwrap_or_default(),
        phones: change.phones,
        emails: change.emails,
        tags: change.tags,
        identities: Vec::new(),
        company_id: change.company,
        fields: change.fields,
        timezone: change.timezone,
        language: change.language,
        opt_outs: Vec::new(),
        score: 0,
        created_at: now,
        updated_at: now,
    };
    if contact.name.is_empty() {
        contact.name = join_name(&contact.first_name, &contact.last_name);
    }
    tx.leave(
        "INSERT INTO contacts (organisation, id, name, first_name, last_name, timezone, language, fields, company_id, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
        args![
            organisation,
            contact.id,
            &contact.name,
            &contact.first_name,
            &contact.last_name,
            &contact.timezone,
            &contact.language,
            serde_json::Value::Object(contact.fields.clone()),
            contact.company_id,
            now
        ],
    )?;
    add_addresses(tx, organisation, &contact, 0, 0)?;
    tags::insert(tx, organisation, contact.id, &contact.tags).await?;
    if !change.identities.is_empty() {
        contact.identities = identities::give(tx, organisation, contact.id, &change.identities)?;
        if identities == Identities::PerhapsTaken {
            contact = get(tx, organisation, contact.id).await?.ok_or_else(|| CrmError::not_found("contact", contact.id))?;
        }
    }
    timeline::add(tx, organisation, contact.id, actor, ItemKind::Event, "Contact created", None)?;
    events::emit(tx, organisation, actor, "contact.created", &contact, &[]);
    Ok(Upserted { contact, created: true, changed: Vec::new() })
}

/// Stores the addresses from these places on.
pub(super) fn add_addresses(tx: &mut Tx, organisation: OrganisationId, contact: &Contact, phones_from: usize, emails_from: usize) -> Result<(), DatabaseError> {
    let mut rows = Rows::new();
    for (kind, list, from) in [(AddressKind::Phone, &contact.phones, phones_from), (AddressKind::Email, &contact.emails, emails_from)] {
        for (value, position) in list.iter().zip(0_u32..).skip(from) {
            rows.push(args![kind.as_str(), value, position]);
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    tx.leave(
        "INSERT INTO contact_addresses (organisation, kind, value, contact_id, position)
         SELECT $1, k.kind, k.value, $2, k.position FROM {$3: kind text, value text, position bigint} AS k WHERE true
         ON CONFLICT (organisation, kind, value, contact_id) DO UPDATE SET position = excluded.position",
        args![organisation, contact.id, rows],
    )
}
