//! Companies: where contacts work.

mod read;
mod write;

pub use read::{CompanyFilter, exists, get, list, matching};
pub use write::{Upserted, delete, domain, update, upsert};

use crate::CompanyId;
use onward_accounts::UserId;
use onward_core::{Object, Timestamp, Value};

/// How much one company may hold.
pub mod limits {
    /// Characters of a name.
    pub const NAME_CHARACTERS: usize = 300;
    /// Characters of an address.
    pub const ADDRESS_CHARACTERS: usize = 1_000;
}

/// Where contacts work.
#[derive(Clone, Debug, PartialEq)]
pub struct Company {
    /// Its id.
    pub id: CompanyId,
    /// As people call it.
    pub name: String,
    /// Its domain, lower case, without `www.`; no two companies have one.
    pub domain: Option<String>,
    /// E.164.
    pub phone: Option<String>,
    /// Where it is, in any form.
    pub address: String,
    /// The user who cares for it.
    pub owner: Option<UserId>,
    /// Whatever the organisation keeps about companies.
    pub fields: Object,
    /// When we first knew of it.
    pub created_at: Timestamp,
    /// When something about it last changed.
    pub updated_at: Timestamp,
}

impl Company {
    /// The one JSON shape: what the API gives, what nodes return, what expressions see as `company`.
    pub fn to_value(&self) -> Value {
        let address = if self.address.is_empty() { Value::Null } else { Value::from(self.address.as_str()) };
        serde_json::json!({
            "id": self.id, "name": self.name, "domain": self.domain, "phone": self.phone, "address": address, "owner": self.owner,
            "fields": self.fields, "created_at": self.created_at, "updated_at": self.updated_at,
        })
    }
}

/// What a source knows about a company. Empty values are no knowledge: they never replace a known one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CompanyChange {
    /// This very company.
    pub id: Option<CompanyId>,
    /// As people call it; matched by where there is no domain.
    pub name: Option<String>,
    /// Matched by. A web address will do.
    pub domain: Option<String>,
    /// In any form.
    pub phone: Option<String>,
    /// Where it is.
    pub address: Option<String>,
    /// A user, by id or e-mail.
    pub owner: Option<String>,
    /// Merged.
    pub fields: Object,
}

/// What a person sets by hand: `None` leaves it, anything else replaces it, empty included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CompanyPatch {
    /// As people call it; never empty.
    pub name: Option<String>,
    /// A domain or web address.
    pub domain: Option<String>,
    /// In any form.
    pub phone: Option<String>,
    /// Where it is.
    pub address: Option<String>,
    /// A user, by id or e-mail.
    pub owner: Option<String>,
    /// Merged by key; `null` removes a field.
    pub fields: Option<Object>,
}
