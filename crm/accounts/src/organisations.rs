//! Organisations (tenants). A fresh database has one: [`DEFAULT`].

use crate::{Actor, CrmError, audit};
use onward_core::{OrganisationId, Timestamp, Value, digest, hours, ports::Transaction};
use onward_database::{DatabaseError, Query, Row, Tx, args};

/// The name of the organisation that a fresh database has.
pub const DEFAULT: &str = "default";

/// An organisation.
#[derive(Clone, Debug, PartialEq)]
pub struct Organisation {
    /// Its id.
    pub id: OrganisationId,
    /// What `--org` and URLs say.
    pub name: String,
    /// What people read.
    pub title: String,
    /// IANA name.
    pub timezone: String,
    /// ISO 3166 code by which phone numbers without a country are read.
    pub country: Option<String>,
    /// BCP 47.
    pub language: String,
    /// `{ days: { mon: [["09:00", "18:00"]], … }, holidays: ["2026-12-25"] }`.
    pub business_hours: Value,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Organisation {
    /// The one JSON shape; also what expressions see as `org`.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "name": self.name, "title": self.title, "timezone": self.timezone, "country": self.country,
            "language": self.language, "business_hours": self.business_hours, "created_at": self.created_at,
        })
    }
}

/// What may be changed; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrganisationChange {
    /// What people read.
    pub title: Option<String>,
    /// IANA name.
    pub timezone: Option<String>,
    /// ISO 3166 code; `Some(None)` takes it away.
    pub country: Option<Option<String>>,
    /// BCP 47.
    pub language: Option<String>,
    /// See [`Organisation::business_hours`].
    pub business_hours: Option<Value>,
}

/// `SELECT` with every column, and what follows it.
macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, name, title, timezone, country, language, business_hours, created_at FROM organisations ", $rest)
    };
}

/// The organisation of a fresh database: made when there is none at all, so it may be called at every start.
pub async fn ensure_default(tx: &mut Tx) -> Result<Organisation, CrmError> {
    if let Some(oldest) = first(tx).await? {
        return Ok(oldest);
    }
    // Servers that start at one time make one.
    if tx.lock(vec![digest::short(&[b"organisation", DEFAULT.as_bytes()])]).await?
        && let Some(oldest) = first(tx).await?
    {
        return Ok(oldest);
    }
    create(tx, &Actor::System, DEFAULT, "Default").await
}

/// A new organisation, in UTC with usual business hours.
pub async fn create(tx: &mut Tx, actor: &Actor, name: &str, title: &str) -> Result<Organisation, CrmError> {
    if name.is_empty() || name.len() > 63 || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return Err(CrmError::invalid("name", "an organisation's name has 1 to 63 of a-z, 0-9 and -"));
    }
    let made = Organisation {
        id: OrganisationId(tx.fresh_id()),
        name: name.to_owned(),
        title: title.to_owned(),
        timezone: "UTC".to_owned(),
        country: None,
        language: "en".to_owned(),
        business_hours: hours::usual(),
        created_at: tx.now(),
    };
    let written = tx
        .attempt(
            "INSERT INTO organisations (id, name, title, timezone, country, language, business_hours, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
            args![made.id, &made.name, &made.title, &made.timezone, &made.country, &made.language, &made.business_hours, made.created_at],
        )
        .await;
    match written {
        Err(error) if error.is_unique_violation_of("organisations") => {
            return Err(CrmError::conflict(format!("there is already an organisation `{name}`"), vec![]));
        }
        other => other?,
    };
    let deed =
        audit::Deed { action: "organisation.created", subject: "organisation", subject_id: made.id.to_string(), before: Value::Null, after: made.to_value() };
    audit::record(tx, made.id, actor, deed).await?;
    Ok(made)
}

/// By id.
pub async fn get(db: &mut impl Query, id: OrganisationId) -> Result<Option<Organisation>, DatabaseError> {
    let row = db.fetch_optional(select!("WHERE id = $1"), args![id]).await?;
    row.as_ref().map(from_row).transpose()
}

/// By name.
pub async fn by_name(db: &mut impl Query, name: &str) -> Result<Option<Organisation>, DatabaseError> {
    let row = db.fetch_optional(select!("WHERE name = $1"), args![name]).await?;
    row.as_ref().map(from_row).transpose()
}

/// The oldest one: whom addresses mean that name none.
pub async fn first(db: &mut impl Query) -> Result<Option<Organisation>, DatabaseError> {
    let row = db.fetch_optional(select!("ORDER BY id LIMIT 1"), args![]).await?;
    row.as_ref().map(from_row).transpose()
}

/// Every organisation, oldest first.
pub async fn list(db: &mut impl Query) -> Result<Vec<Organisation>, DatabaseError> {
    let rows = db.fetch_all(select!("ORDER BY id"), args![]).await?;
    rows.iter().map(from_row).collect()
}

/// Changes settings. A change that changes nothing writes nothing.
pub async fn update(tx: &mut Tx, actor: &Actor, id: OrganisationId, change: OrganisationChange) -> Result<Organisation, CrmError> {
    // What others set at the same time stays.
    tx.lock(vec![*id.0.as_bytes()]).await?;
    let before = get(tx, id).await?.ok_or_else(|| CrmError::not_found("organisation", id))?;
    let mut after = before.clone();
    after.title = change.title.unwrap_or(after.title);
    after.timezone = change.timezone.unwrap_or(after.timezone);
    after.country = change.country.unwrap_or(after.country);
    after.language = change.language.unwrap_or(after.language);
    after.business_hours = change.business_hours.unwrap_or(after.business_hours);
    if after == before {
        return Ok(after);
    }
    check(&after)?;
    tx.execute(
        "UPDATE organisations SET title = $2, timezone = $3, country = $4, language = $5, business_hours = $6, updated_at = $7 WHERE id = $1",
        args![id, &after.title, &after.timezone, &after.country, &after.language, &after.business_hours, tx.now()],
    )
    .await?;
    tx.outbox().settings_changed.push(id);
    let deed =
        audit::Deed { action: "organisation.updated", subject: "organisation", subject_id: id.to_string(), before: before.to_value(), after: after.to_value() };
    audit::record(tx, id, actor, deed).await?;
    Ok(after)
}

fn check(organisation: &Organisation) -> Result<(), CrmError> {
    if jiff::tz::TimeZone::get(&organisation.timezone).is_err() {
        return Err(CrmError::invalid("timezone", format!("`{}` is no time zone; write an IANA name like Europe/Berlin", organisation.timezone)));
    }
    if let Some(country) = &organisation.country
        && !(country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()))
    {
        return Err(CrmError::invalid("country", format!("`{country}` is no country code; write two capital letters like DE")));
    }
    hours::OpeningHours::parse(&organisation.business_hours).map_err(|problem| CrmError::invalid("business_hours", problem))?;
    Ok(())
}

fn from_row(row: &Row) -> Result<Organisation, DatabaseError> {
    Ok(Organisation {
        id: row.get("id")?,
        name: row.get("name")?,
        title: row.get("title")?,
        timezone: row.get("timezone")?,
        country: row.get("country")?,
        language: row.get("language")?,
        business_hours: row.get("business_hours")?,
        created_at: row.get("created_at")?,
    })
}
