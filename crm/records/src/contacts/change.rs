//! What is known anew about a contact ([`ContactChange`], merged), and what is set by hand ([`ContactPatch`], replaced).

use crate::{CompanyId, ContactId, IdentityKey, addresses, companies, fields, tags, text};
use onward_accounts::{CrmError, organisations};
use onward_core::{Object, OrganisationId};
use onward_database::Query;

/// How much one contact may hold; input beyond it is refused by name.
pub mod limits {
    /// Characters of a name or a part of one.
    pub const NAME_CHARACTERS: usize = 300;
    /// Phones, and e-mails.
    pub const ADDRESSES: usize = 50;
    /// The highest score, and negated the lowest: far from where programs count inexactly.
    pub const SCORE: i64 = 1_000_000_000;
}

/// What a source knows about a person. Empty values are no knowledge: they never replace a known one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContactChange {
    /// This very contact.
    pub id: Option<ContactId>,
    /// Addresses on channel accounts, strongest first; matched by, and added.
    pub identities: Vec<IdentityKey>,
    /// The name as one text.
    pub name: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Phones in any form; matched by, and added.
    pub phones: Vec<String>,
    /// E-mails; matched by, and added.
    pub emails: Vec<String>,
    /// Added.
    pub tags: Vec<String>,
    /// Where they work.
    pub company: Option<CompanyId>,
    /// Merged; a `null` or empty text in it changes nothing.
    pub fields: Object,
    /// IANA name.
    pub timezone: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
}

/// What a person sets by hand: `None` leaves it, anything else replaces it, empty included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContactPatch {
    /// The name as one text.
    pub name: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// All phones, the main one first.
    pub phones: Option<Vec<String>>,
    /// All e-mails, the main one first.
    pub emails: Option<Vec<String>>,
    /// All tags.
    pub tags: Option<Vec<String>>,
    /// Where they work; `Some(None)`: nowhere that we know.
    pub company: Option<Option<CompanyId>>,
    /// Merged by key; `null` removes a field.
    pub fields: Option<Object>,
    /// IANA name; `Some(None)` forgets it.
    pub timezone: Option<Option<String>>,
    /// BCP 47; `Some(None)` forgets it.
    pub language: Option<Option<String>>,
    /// Their score.
    pub score: Option<i64>,
}

impl ContactChange {
    /// Whether it says where somebody can be reached.
    pub(crate) fn has_addresses(&self) -> bool {
        !(self.identities.is_empty() && self.phones.is_empty() && self.emails.is_empty())
    }
    /// In the form in which it is stored and compared; empty values gone. Reads the organisation's country when a phone does
    /// not name its own.
    pub(crate) async fn normalised(self, db: &mut impl Query, organisation: OrganisationId) -> Result<Self, CrmError> {
        let country = default_country(db, organisation, &self.phones).await?;
        let mut given = self.fields;
        given.retain(|_, value| !fields::is_empty(value));
        fields::check(&given)?;
        check_company(db, organisation, self.company).await?;
        Ok(Self {
            id: self.id,
            identities: self.identities,
            name: name("name", self.name)?.filter(|text| !text.is_empty()),
            first_name: name("first_name", self.first_name)?.filter(|text| !text.is_empty()),
            last_name: name("last_name", self.last_name)?.filter(|text| !text.is_empty()),
            phones: phones(&self.phones, country.as_deref())?,
            emails: emails(&self.emails)?,
            tags: normalised_tags(&self.tags)?,
            company: self.company,
            fields: given,
            timezone: timezone(self.timezone)?,
            language: language(self.language)?,
        })
    }
}

impl ContactPatch {
    /// In the form in which it is stored and compared.
    pub(crate) async fn normalised(self, db: &mut impl Query, organisation: OrganisationId) -> Result<Self, CrmError> {
        let country = default_country(db, organisation, self.phones.as_deref().unwrap_or_default()).await?;
        check_company(db, organisation, self.company.flatten()).await?;
        Ok(Self {
            name: name("name", self.name)?,
            first_name: name("first_name", self.first_name)?,
            last_name: name("last_name", self.last_name)?,
            phones: self.phones.map(|list| phones(&list, country.as_deref())).transpose()?,
            emails: self.emails.as_deref().map(emails).transpose()?,
            tags: self.tags.as_deref().map(normalised_tags).transpose()?,
            company: self.company,
            fields: self.fields,
            timezone: self.timezone.map(timezone).transpose()?,
            language: self.language.map(language).transpose()?,
            score: self.score,
        })
    }
}

async fn check_company(db: &mut impl Query, organisation: OrganisationId, company: Option<CompanyId>) -> Result<(), CrmError> {
    match company {
        Some(id) if !companies::exists(db, organisation, id).await? => Err(CrmError::not_found("company", id)),
        _ => Ok(()),
    }
}

async fn default_country(db: &mut impl Query, organisation: OrganisationId, phones: &[String]) -> Result<Option<String>, CrmError> {
    if phones.iter().all(|phone| phone.trim().is_empty() || addresses::names_its_country(phone)) {
        return Ok(None);
    }
    Ok(organisations::get(db, organisation).await?.and_then(|found| found.country))
}

fn name(field: &str, text: Option<String>) -> Result<Option<String>, CrmError> {
    text.map(|text| text::line(field, &text, limits::NAME_CHARACTERS)).transpose()
}

fn distinct(field: &str, list: &[String], normalise: impl Fn(&str) -> Result<String, CrmError>) -> Result<Vec<String>, CrmError> {
    let mut out: Vec<String> = Vec::with_capacity(list.len());
    for (at, text) in list.iter().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let value = normalise(text).map_err(|error| match error {
            CrmError::Invalid { message, .. } => CrmError::invalid(format!("{field}/{at}"), message),
            other => other,
        })?;
        if !out.contains(&value) {
            out.push(value);
        }
    }
    if out.len() > limits::ADDRESSES {
        return Err(CrmError::invalid(field, format!("a contact has at most {} {field}", limits::ADDRESSES)));
    }
    Ok(out)
}

fn phones(list: &[String], country: Option<&str>) -> Result<Vec<String>, CrmError> {
    distinct("phones", list, |text| addresses::phone(text, country))
}

fn emails(list: &[String]) -> Result<Vec<String>, CrmError> {
    distinct("emails", list, addresses::email)
}

fn normalised_tags(list: &[String]) -> Result<Vec<String>, CrmError> {
    let mut out = list.iter().filter(|text| !text.trim().is_empty()).map(|text| tags::normalise(text)).collect::<Result<Vec<_>, _>>()?;
    out.sort();
    out.dedup();
    if out.len() > tags::TAGS_PER_CONTACT {
        return Err(CrmError::invalid("tags", format!("a contact has at most {} tags", tags::TAGS_PER_CONTACT)));
    }
    Ok(out)
}

fn timezone(text: Option<String>) -> Result<Option<String>, CrmError> {
    let Some(text) = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else { return Ok(None) };
    match jiff::tz::TimeZone::get(&text) {
        Ok(zone) => Ok(Some(zone.iana_name().map_or(text, str::to_owned))),
        Err(_) => Err(CrmError::invalid("timezone", format!("`{text}` is no time zone; write an IANA name like Asia/Kolkata"))),
    }
}

fn language(text: Option<String>) -> Result<Option<String>, CrmError> {
    let Some(text) = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else { return Ok(None) };
    let well_formed = text.len() <= 35 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if well_formed { Ok(Some(text)) } else { Err(CrmError::invalid("language", format!("`{text}` is no language; write a code like en or pt-BR"))) }
}
