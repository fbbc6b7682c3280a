//! Contacts: people we know.

mod change;
mod merge;
mod read;
mod remove;
mod update;
mod upsert;

pub use change::{ContactChange, ContactPatch, limits};
pub use merge::merge;
pub(crate) use read::get_to_change;
pub use read::{ContactFilter, exists, find_by_address, get, get_many, list, resolve};
pub use remove::delete;
pub(crate) use update::note_updated;
pub use update::{ScoreChange, set_opt_out, set_score, update};
pub use upsert::{Upserted, create_for_sender, upsert};

use crate::{CompanyId, ContactId, Identity};
use onward_core::{Object, Timestamp, Value};

/// A person we know, with everything that belongs to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    /// Their id.
    pub id: ContactId,
    /// The name as one text.
    pub name: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// E.164, the main one first.
    pub phones: Vec<String>,
    /// Lower case, the main one first.
    pub emails: Vec<String>,
    /// Sorted.
    pub tags: Vec<String>,
    /// Addresses on channel accounts, strongest first.
    pub identities: Vec<Identity>,
    /// Where they work.
    pub company_id: Option<CompanyId>,
    /// Whatever the organisation keeps about people.
    pub fields: Object,
    /// IANA name.
    pub timezone: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
    /// What they refused: `CHANNEL:CATEGORY`; sorted.
    pub opt_outs: Vec<String>,
    /// For scoring.
    pub score: i64,
    /// When we first knew of them.
    pub created_at: Timestamp,
    /// When something about them last changed.
    pub updated_at: Timestamp,
}

impl Contact {
    /// What people call them: the name, else its parts, else an address.
    pub fn display_name(&self) -> String {
        if !self.name.is_empty() {
            return self.name.clone();
        }
        let parts = join_name(&self.first_name, &self.last_name);
        if !parts.is_empty() {
            return parts;
        }
        self.emails.first().or(self.phones.first()).cloned().unwrap_or_default()
    }

    /// The one JSON shape (DESIGN.md): what the API gives, what nodes return, what expressions see as `contact`.
    ///
    /// An unknown text is `null`, so that `default(…)` in a template works.
    pub fn to_value(&self) -> Value {
        let known = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
        serde_json::json!({
            "id": self.id,
            "name": known(&self.display_name()),
            "first_name": known(&self.first_name_or_guess()),
            "last_name": known(&self.last_name),
            "phone": self.phones.first(),
            "email": self.emails.first(),
            "phones": self.phones,
            "emails": self.emails,
            "tags": self.tags,
            "identities": self.identities.iter().map(Identity::to_value).collect::<Vec<_>>(),
            "company_id": self.company_id,
            "fields": self.fields,
            "timezone": self.timezone,
            "language": self.language,
            "opt_outs": self.opt_outs,
            "score": self.score,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        })
    }

    /// The given name; where only the whole name is known, its first word.
    fn first_name_or_guess(&self) -> String {
        if self.first_name.is_empty() { self.name.split_whitespace().next().unwrap_or_default().to_owned() } else { self.first_name.clone() }
    }
}

pub(crate) fn join_name(first: &str, last: &str) -> String {
    [first, last].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
