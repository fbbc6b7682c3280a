//! Making, changing and removing companies.

use super::{Company, CompanyChange, CompanyPatch, limits, matching, read::get_to_change};
use crate::{CompanyId, addresses, events, fields, text};
use onward_accounts::{Actor, CrmError, UserId, audit, organisations, users};
use onward_core::{OrganisationId, Value, digest, ports::Transaction};
use onward_database::{DatabaseError, Query, Tx, args};

/// What an upsert did.
#[derive(Clone, Debug, PartialEq)]
pub struct Upserted {
    /// The company as it is now.
    pub company: Company,
    /// It is new.
    pub created: bool,
    /// What changed; empty: nothing was written.
    pub changed: Vec<String>,
}

/// Creates a company or adds to the one that is meant: by `id`, else by domain, else by name if exactly one has it. Emits
/// `company.created` or `company.updated`, and nothing when nothing changes.
pub async fn upsert(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, change: CompanyChange) -> Result<Upserted, CrmError> {
    let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let mut known = change.fields;
    known.retain(|_, value| !fields::is_empty(value));
    // In the form in which a person would set it: what is empty is no knowledge.
    let patch = CompanyPatch {
        name: given(change.name),
        domain: given(change.domain),
        phone: given(change.phone),
        address: given(change.address),
        owner: given(change.owner),
        fields: Some(known),
    };
    let mut patch = Normalised::of(tx, organisation, patch).await?;
    let before = if let Some(id) = change.id {
        Some(get_to_change(tx, organisation, id).await?)
    } else {
        let domain = patch.domain.as_ref().and_then(Option::as_deref);
        let mut found = matching(tx, organisation, domain, patch.name.as_deref()).await?;
        if found.is_empty() && lock_names(tx, organisation, domain, patch.name.as_deref()).await? {
            found = matching(tx, organisation, domain, patch.name.as_deref()).await?;
        }
        if found.len() > 1 {
            let ids = found.iter().map(|company| company.id.to_string()).collect();
            return Err(CrmError::conflict(format!("{} companies have this name; name one by its id or domain", found.len()), ids));
        }
        match found.pop() {
            Some(company) => Some(get_to_change(tx, organisation, company.id).await?),
            None => None,
        }
    };
    // The same name in another case is no news.
    if let (Some(before), Some(name)) = (&before, &patch.name)
        && before.name.to_lowercase() == name.to_lowercase()
    {
        patch.name = None;
    }
    match before {
        Some(before) => store(tx, organisation, actor, before, patch).await,
        None => create(tx, organisation, actor, patch).await,
    }
}

/// Of two servers that hear of the same company at one time, one makes it, and the other waits and finds it. Whether others may have
/// made it meanwhile.
async fn lock_names(tx: &mut Tx, organisation: OrganisationId, domain: Option<&str>, name: Option<&str>) -> Result<bool, DatabaseError> {
    let hash = |what: &[u8], text: &str| digest::short(&[organisation.0.as_bytes(), b"company", what, text.as_bytes()]);
    let name = name.map(str::to_lowercase);
    tx.lock(domain.map(|domain| hash(b"domain", domain)).into_iter().chain(name.map(|name| hash(b"name", &name))).collect()).await
}

/// Sets what a person sets by hand. Emits `company.updated`, and nothing when nothing changes.
pub async fn update(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: CompanyId, patch: CompanyPatch) -> Result<Upserted, CrmError> {
    let patch = Normalised::of(tx, organisation, patch).await?;
    let before = get_to_change(tx, organisation, id).await?;
    store(tx, organisation, actor, before, patch).await
}

/// Removes a company; its contacts and deals stay, without it.
pub async fn delete(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: CompanyId) -> Result<(), CrmError> {
    let before = get_to_change(tx, organisation, id).await?;
    let now = tx.now();
    tx.execute("UPDATE contacts SET company_id = NULL, updated_at = $3 WHERE organisation = $1 AND company_id = $2", args![organisation, id, now]).await?;
    tx.execute("UPDATE deals SET company_id = NULL, updated_at = $3 WHERE organisation = $1 AND company_id = $2", args![organisation, id, now]).await?;
    tx.execute("DELETE FROM companies WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    let deed = audit::Deed { action: "company.deleted", subject: "company", subject_id: id.to_string(), before: before.to_value(), after: Value::Null };
    audit::record(tx, organisation, actor, deed).await?;
    events::announce(tx, organisation, "company", &id, "company.deleted");
    Ok(())
}

/// A patch in the form in which it is stored; `Some(None)` clears.
#[expect(clippy::option_option, reason = "absent leaves it, nothing clears it: as in the patches of other records")]
struct Normalised {
    name: Option<String>,
    domain: Option<Option<String>>,
    phone: Option<Option<String>>,
    address: Option<String>,
    owner: Option<Option<UserId>>,
    fields: Option<onward_core::Object>,
}

impl Normalised {
    async fn of(db: &mut impl Query, organisation: OrganisationId, patch: CompanyPatch) -> Result<Self, CrmError> {
        let phone = match patch.phone {
            None => None,
            Some(text) if text.trim().is_empty() => Some(None),
            Some(text) => {
                let country =
                    if addresses::names_its_country(&text) { None } else { organisations::get(db, organisation).await?.and_then(|found| found.country) };
                Some(Some(addresses::phone(&text, country.as_deref())?))
            }
        };
        let owner = match patch.owner {
            None => None,
            Some(text) if text.trim().is_empty() => Some(None),
            Some(text) => Some(Some(users::named(db, organisation, &text).await?.id)),
        };
        Ok(Self {
            name: patch.name.map(|name| text::title("name", &name, limits::NAME_CHARACTERS)).transpose()?,
            domain: patch.domain.map(|text| domain(&text)).transpose()?,
            phone,
            address: patch.address.map(|address| text::paragraph("address", &address, limits::ADDRESS_CHARACTERS)).transpose()?,
            owner,
            fields: patch.fields,
        })
    }
}

/// The domain of a domain, web address or e-mail: lower case, without `www.`; nothing of an empty text.
pub fn domain(text: &str) -> Result<Option<String>, CrmError> {
    let lower = text.trim().to_lowercase();
    if lower.is_empty() {
        return Ok(None);
    }
    let bare = lower.split_once("://").map_or(lower.as_str(), |(_, rest)| rest);
    let bare = bare.split(['/', '?', '#']).next().unwrap_or_default();
    let bare = bare.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let bare = bare.strip_prefix("www.").unwrap_or(bare).trim_end_matches('.');
    let label = |label: &str| !label.is_empty() && label.len() <= 63 && label.chars().all(|character| character.is_alphanumeric() || character == '-');
    if bare.len() <= 253 && bare.contains('.') && bare.split('.').all(label) {
        Ok(Some(bare.to_owned()))
    } else {
        let shown: String = text.chars().take(80).collect();
        Err(CrmError::invalid("domain", format!("`{shown}` is no domain; write it like example.com")))
    }
}

async fn create(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, patch: Normalised) -> Result<Upserted, CrmError> {
    let now = tx.now();
    let domain = patch.domain.flatten();
    let name = patch.name.or_else(|| domain.clone()).ok_or_else(|| CrmError::invalid("name", "a new company needs a name or a domain"))?;
    let company = Company {
        id: CompanyId(tx.fresh_id()),
        name,
        domain,
        phone: patch.phone.flatten(),
        address: patch.address.unwrap_or_default(),
        owner: patch.owner.flatten(),
        fields: patch.fields.unwrap_or_default(),
        created_at: now,
        updated_at: now,
    };
    fields::check(&company.fields)?;
    let written = tx
        .attempt(
            "INSERT INTO companies (organisation, id, name, domain, phone, address, owner, fields, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
            args![
                organisation,
                company.id,
                &company.name,
                &company.domain,
                &company.phone,
                &company.address,
                company.owner,
                Value::Object(company.fields.clone()),
                now
            ],
        )
        .await;
    written.map_err(|error| domain_taken(error, &company))?;
    events::emit_company(tx, organisation, actor, "company.created", &company, &[]);
    let deed =
        audit::Deed { action: "company.created", subject: "company", subject_id: company.id.to_string(), before: Value::Null, after: company.to_value() };
    audit::record_by_person(tx, organisation, actor, deed).await?;
    Ok(Upserted { company, created: true, changed: Vec::new() })
}

async fn store(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, before: Company, patch: Normalised) -> Result<Upserted, CrmError> {
    let mut after = before.clone();
    after.name = patch.name.unwrap_or(after.name);
    after.domain = patch.domain.unwrap_or(after.domain);
    after.phone = patch.phone.unwrap_or(after.phone);
    after.address = patch.address.unwrap_or(after.address);
    after.owner = patch.owner.unwrap_or(after.owner);
    fields::set(&mut after.fields, patch.fields);
    let mut changed = events::differing(&[
        ("name", before.name != after.name),
        ("domain", before.domain != after.domain),
        ("phone", before.phone != after.phone),
        ("address", before.address != after.address),
        ("owner", before.owner != after.owner),
    ]);
    changed.extend(fields::changed(&before.fields, &after.fields));
    if changed.is_empty() {
        return Ok(Upserted { company: before, created: false, changed });
    }
    fields::check(&after.fields)?;
    after.updated_at = tx.now();
    let written = tx
        .attempt(
            "UPDATE companies SET name = $3, domain = $4, phone = $5, address = $6, owner = $7, fields = $8, updated_at = $9
             WHERE organisation = $1 AND id = $2",
            args![
                organisation,
                after.id,
                &after.name,
                &after.domain,
                &after.phone,
                &after.address,
                after.owner,
                Value::Object(after.fields.clone()),
                after.updated_at
            ],
        )
        .await;
    written.map_err(|error| domain_taken(error, &after))?;
    events::emit_company(tx, organisation, actor, "company.updated", &after, &changed);
    let deed =
        audit::Deed { action: "company.updated", subject: "company", subject_id: after.id.to_string(), before: before.to_value(), after: after.to_value() };
    audit::record_by_person(tx, organisation, actor, deed).await?;
    Ok(Upserted { company: after, created: false, changed })
}

fn domain_taken(error: DatabaseError, company: &Company) -> CrmError {
    if error.is_unique_violation_of("companies") {
        let domain = company.domain.as_deref().unwrap_or_default();
        return CrmError::conflict(format!("another company has the domain {domain}"), vec![]);
    }
    error.into()
}
