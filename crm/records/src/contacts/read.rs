//! Reading contacts.

use super::Contact;
use crate::{CompanyId, ContactId, Identity, IdentityKey, addresses::AddressKind, fields, text};
use onward_core::{OrganisationId, Value};
use onward_database::{DatabaseError, Query, Row, Rows, Tx, args};
use std::collections::BTreeMap;

/// What a list shows; every part that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactFilter {
    /// A part of the name, or of an address.
    pub q: Option<String>,
    /// An e-mail, in any case.
    pub email: Option<String>,
    /// A phone in E.164.
    pub phone: Option<String>,
    /// A tag.
    pub tag: Option<String>,
    /// Where they work.
    pub company: Option<CompanyId>,
}

/// Whether there is such a contact.
pub async fn exists(db: &mut impl Query, organisation: OrganisationId, id: ContactId) -> Result<bool, DatabaseError> {
    let row = db.fetch_optional("SELECT 1 AS one FROM contacts WHERE organisation = $1 AND id = $2 AND deleted_at IS NULL", args![organisation, id]).await?;
    Ok(row.is_some())
}

/// What a contact is made of, by itself.
macro_rules! columns {
    () => {
        "SELECT c.id, c.name, c.first_name, c.last_name, c.company_id, c.timezone, c.language, c.fields, c.opt_outs, c.score, c.created_at, c.updated_at FROM "
    };
}

/// One contact with everything that belongs to it; of one that was merged into another, that other. Two statements, or four.
pub async fn get(db: &mut impl Query, organisation: OrganisationId, id: ContactId) -> Result<Option<Contact>, DatabaseError> {
    find(db, organisation, id, concat!(columns!(), "contacts AS c WHERE c.organisation = $1 AND c.id = $2 AND c.deleted_at IS NULL")).await
}

/// The same for whoever writes what follows from what it reads: until the transaction ends nobody else changes the contact.
pub(crate) async fn get_to_change(tx: &mut Tx, organisation: OrganisationId, id: ContactId) -> Result<Option<Contact>, DatabaseError> {
    find(tx, organisation, id, concat!(columns!(), "contacts AS c WHERE c.organisation = $1 AND c.id = $2 AND c.deleted_at IS NULL {for update of c}")).await
}

async fn find(db: &mut impl Query, organisation: OrganisationId, id: ContactId, sql: &'static str) -> Result<Option<Contact>, DatabaseError> {
    let mut row = db.fetch_optional(sql, args![organisation, id]).await?;
    if row.is_none()
        && let Some(survivor) = survivor(db, organisation, id).await?
    {
        row = db.fetch_optional(sql, args![organisation, survivor]).await?;
    }
    let Some(row) = row else { return Ok(None) };
    let contact = from_row(&row)?;
    let mut found = BTreeMap::from([(contact.id, contact)]);
    add_parts(db, organisation, &mut found).await?;
    Ok(found.into_values().next())
}

/// The id under which a contact is found now: its own, or of the contact that it was merged into.
pub async fn resolve(db: &mut impl Query, organisation: OrganisationId, id: ContactId) -> Result<ContactId, DatabaseError> {
    Ok(survivor(db, organisation, id).await?.unwrap_or(id))
}

/// The contact that another one was merged into.
async fn survivor(db: &mut impl Query, organisation: OrganisationId, id: ContactId) -> Result<Option<ContactId>, DatabaseError> {
    let row =
        db.fetch_optional("SELECT merged_into FROM contacts WHERE organisation = $1 AND id = $2 AND merged_into IS NOT NULL", args![organisation, id]).await?;
    row.map(|row| row.get("merged_into")).transpose()
}

/// Contacts in the order of `ids`; those that are not there are left out. Two statements, however many.
///
/// Here and elsewhere a list stands before `CROSS JOIN`: SQLite keeps that order, and so looks each of the list up, where it
/// may otherwise walk a whole organisation past the list.
pub async fn get_many(db: &mut impl Query, organisation: OrganisationId, ids: &[ContactId]) -> Result<Vec<Contact>, DatabaseError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = db
        .fetch_all(
            concat!(columns!(), "{$2: id uuid} AS wanted CROSS JOIN contacts AS c WHERE c.organisation = $1 AND c.id = wanted.id AND c.deleted_at IS NULL"),
            args![organisation, Rows::of(ids)],
        )
        .await?;
    let mut found: BTreeMap<ContactId, Contact> = BTreeMap::new();
    for row in &rows {
        let contact = from_row(row)?;
        found.insert(contact.id, contact);
    }
    if !found.is_empty() {
        add_parts(db, organisation, &mut found).await?;
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// Everything that belongs to contacts, in one statement: `what` says which table a row comes from.
async fn add_parts(db: &mut impl Query, organisation: OrganisationId, contacts: &mut BTreeMap<ContactId, Contact>) -> Result<(), DatabaseError> {
    let ids = Rows::of(contacts.keys());
    let rows = db
        .fetch_all(
            "SELECT i.contact_id, 'identity' AS what, i.external_id AS value, i.channel AS channel, i.connection_id AS connection_id, i.strength AS position,
                i.username AS username, i.replaced_at AS replaced_at
             FROM {$2: id uuid} AS w CROSS JOIN identities AS i WHERE i.organisation = $1 AND i.contact_id = w.id
             UNION ALL
             SELECT a.contact_id, a.kind, a.value, NULL, NULL, a.position, NULL, NULL
             FROM {$2: id uuid} AS w CROSS JOIN contact_addresses AS a WHERE a.organisation = $1 AND a.contact_id = w.id
             UNION ALL
             SELECT t.contact_id, 'tag', t.tag, NULL, NULL, 0, NULL, NULL
             FROM {$2: id uuid} AS w CROSS JOIN contact_tags AS t WHERE t.organisation = $1 AND t.contact_id = w.id
             ORDER BY position, value",
            args![organisation, ids],
        )
        .await?;
    for row in rows {
        let Some(contact) = contacts.get_mut(&row.get::<ContactId>("contact_id")?) else { continue };
        let value: String = row.get("value")?;
        match row.get::<String>("what")?.as_str() {
            "phone" => contact.phones.push(value),
            "email" => contact.emails.push(value),
            "tag" => contact.tags.push(value),
            _ => contact.identities.push(Identity {
                key: IdentityKey { channel: row.get("channel")?, connection_id: row.get("connection_id")?, external_id: value },
                strength: row.get("position")?,
                username: row.get("username")?,
                replaced: row.get::<Option<i64>>("replaced_at")?.is_some(),
            }),
        }
    }
    Ok(())
}

/// Ids of the contacts that have an address (normalised), newest first.
pub async fn find_by_address(db: &mut impl Query, organisation: OrganisationId, kind: AddressKind, value: &str) -> Result<Vec<ContactId>, DatabaseError> {
    let rows = db
        .fetch_all(
            "SELECT contact_id FROM contact_addresses WHERE organisation = $1 AND kind = $2 AND value = $3 ORDER BY contact_id DESC LIMIT 100",
            args![organisation, kind.as_str(), value],
        )
        .await?;
    rows.iter().map(|row| row.get("contact_id")).collect()
}

/// The filters that are checked row by row; `$2` before, `$3` limit, `$4` pattern, `$5` e-mail, `$6` phone, `$7` tag, `$8` company. `$id` is
/// the column that the page goes by.
macro_rules! listing {
    ($from:literal, $id:literal) => {
        concat!(
            "SELECT c.id FROM ",
            $from,
            " AND c.organisation = $1 AND c.deleted_at IS NULL AND ",
            $id,
            " < $2
              AND ($4 IS NULL OR lower(c.name) LIKE $4 ESCAPE '\\' OR lower(c.first_name || ' ' || c.last_name) LIKE $4 ESCAPE '\\'
                   OR EXISTS (SELECT 1 FROM contact_addresses AS q WHERE q.organisation = $1 AND q.contact_id = c.id AND q.value LIKE $4 ESCAPE '\\'))
              AND ($5 IS NULL OR EXISTS (SELECT 1 FROM contact_addresses AS e WHERE e.organisation = $1 AND e.kind = 'email' AND e.value = $5 AND e.contact_id = c.id))
              AND ($6 IS NULL OR EXISTS (SELECT 1 FROM contact_addresses AS p WHERE p.organisation = $1 AND p.kind = 'phone' AND p.value = $6 AND p.contact_id = c.id))
              AND ($7 IS NULL OR EXISTS (SELECT 1 FROM contact_tags AS g WHERE g.organisation = $1 AND g.tag = $7 AND g.contact_id = c.id))
              AND ($8 IS NULL OR c.company_id = $8)
              ORDER BY ",
            $id,
            " DESC LIMIT $3"
        )
    };
}

/// A page of contacts, newest first; `before` is the last id of the page before.
pub async fn list(
    db: &mut impl Query,
    organisation: OrganisationId,
    filter: &ContactFilter,
    before: Option<ContactId>,
    limit: u32,
) -> Result<Vec<Contact>, DatabaseError> {
    let pattern = filter.q.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(text::containing);
    let email = filter.email.as_deref().map(|text| text.trim().to_lowercase());
    let before = before.map_or(uuid::Uuid::max(), |id| id.0);
    let args = args![organisation, before, limit, pattern, &email, &filter.phone, &filter.tag, filter.company];
    // The rarest filter leads, so that a page by address or tag does not walk all contacts.
    let rows = if email.is_some() {
        let sql = listing!(
            "contact_addresses AS lead CROSS JOIN contacts AS c WHERE lead.organisation = $1 AND lead.kind = 'email' AND lead.value = $5 AND c.id = lead.contact_id",
            "lead.contact_id"
        );
        db.fetch_all(sql, args).await?
    } else if filter.phone.is_some() {
        let sql = listing!(
            "contact_addresses AS lead CROSS JOIN contacts AS c WHERE lead.organisation = $1 AND lead.kind = 'phone' AND lead.value = $6 AND c.id = lead.contact_id",
            "lead.contact_id"
        );
        db.fetch_all(sql, args).await?
    } else if filter.tag.is_some() {
        let sql = listing!(
            "contact_tags AS lead CROSS JOIN contacts AS c WHERE lead.organisation = $1 AND lead.tag = $7 AND c.id = lead.contact_id",
            "lead.contact_id"
        );
        db.fetch_all(sql, args).await?
    } else if filter.company.is_some() {
        db.fetch_all(listing!("contacts AS c WHERE c.company_id = $8", "c.id"), args).await?
    } else {
        db.fetch_all(listing!("contacts AS c WHERE true", "c.id"), args).await?
    };
    let ids = rows.iter().map(|row| row.get("id")).collect::<Result<Vec<ContactId>, _>>()?;
    get_many(db, organisation, &ids).await
}

fn from_row(row: &Row) -> Result<Contact, DatabaseError> {
    let opt_outs: Value = row.get("opt_outs")?;
    Ok(Contact {
        id: row.get("id")?,
        name: row.get("name")?,
        first_name: row.get("first_name")?,
        last_name: row.get("last_name")?,
        phones: Vec::new(),
        emails: Vec::new(),
        tags: Vec::new(),
        identities: Vec::new(),
        company_id: row.get("company_id")?,
        fields: fields::of_row(row.get("fields")?),
        timezone: row.get("timezone")?,
        language: row.get("language")?,
        opt_outs: texts(&opt_outs),
        score: row.get("score")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
