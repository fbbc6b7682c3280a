//! Deals: what somebody may buy, on its way through a pipeline.

mod create;
mod read;
mod write;

pub use create::create;
pub use read::{DealFilter, get, list};
pub use write::{close, delete, move_to, reopen, update};

use crate::{CompanyId, ContactId, DealId, PipelineId, StageId};
use onward_accounts::UserId;
use onward_core::{Object, Timestamp, Value};

/// How much one deal may hold.
pub mod limits {
    /// Characters of a title.
    pub const TITLE_CHARACTERS: usize = 300;
    /// Characters of a reason.
    pub const REASON_CHARACTERS: usize = 1_000;
}

/// How a deal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DealStatus {
    /// On its way.
    Open,
    /// They bought.
    Won,
    /// They did not.
    Lost,
}

impl DealStatus {
    /// As in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }
    /// Reads what [`DealStatus::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Won, Self::Lost].into_iter().find(|status| status.as_str() == text)
    }
}

/// What somebody may buy.
#[derive(Clone, Debug, PartialEq)]
pub struct Deal {
    /// Its id.
    pub id: DealId,
    /// As people call it.
    pub title: String,
    /// Its pipeline.
    pub pipeline_id: PipelineId,
    /// The pipeline's name.
    pub pipeline: String,
    /// Where it stands; a closed deal keeps the stage it was closed in.
    pub stage_id: StageId,
    /// The stage's name.
    pub stage: String,
    /// Open, won or lost.
    pub status: DealStatus,
    /// In minor units of `currency`.
    pub amount: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Who may buy.
    pub contact_id: Option<ContactId>,
    /// For which company.
    pub company_id: Option<CompanyId>,
    /// The user who cares for it.
    pub owner: Option<UserId>,
    /// The day on which it is expected to be closed, `2026-12-24`.
    pub expected_close: Option<String>,
    /// Why it was lost.
    pub lost_reason: Option<String>,
    /// Whatever the organisation keeps about deals.
    pub fields: Object,
    /// Since when it stands there.
    pub stage_changed_at: Timestamp,
    /// When it was won or lost.
    pub closed_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When something about it last changed.
    pub updated_at: Timestamp,
}

impl Deal {
    /// The one JSON shape: what the API gives, what nodes return, what expressions see as `deal`.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "title": self.title, "pipeline_id": self.pipeline_id, "pipeline": self.pipeline, "stage_id": self.stage_id,
            "stage": self.stage, "status": self.status, "amount": self.amount, "currency": self.currency, "contact_id": self.contact_id,
            "company_id": self.company_id, "owner": self.owner, "expected_close": self.expected_close, "lost_reason": self.lost_reason,
            "fields": self.fields, "stage_changed_at": self.stage_changed_at, "closed_at": self.closed_at, "created_at": self.created_at,
            "updated_at": self.updated_at,
        })
    }
}

/// A deal to be made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewDeal {
    /// As people call it; by default the contact's or company's name.
    pub title: Option<String>,
    /// A pipeline by name or id; by default the organisation's.
    pub pipeline: Option<String>,
    /// A stage by name or id; by default the first.
    pub stage: Option<String>,
    /// In minor units of `currency`.
    pub amount: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Who may buy.
    pub contact: Option<ContactId>,
    /// For which company; by default the contact's.
    pub company: Option<CompanyId>,
    /// A user, by id or e-mail.
    pub owner: Option<String>,
    /// A day.
    pub expected_close: Option<String>,
    /// Custom fields.
    pub fields: Object,
}

/// What a person sets by hand: `None` leaves it, anything else replaces it; an empty text clears.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DealPatch {
    /// As people call it; never empty.
    pub title: Option<String>,
    /// In minor units; `Some(None)` forgets it.
    pub amount: Option<Option<i64>>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Who may buy; `Some(None)`: nobody that we know.
    pub contact: Option<Option<ContactId>>,
    /// For which company.
    pub company: Option<Option<CompanyId>>,
    /// A user, by id or e-mail.
    pub owner: Option<String>,
    /// A day.
    pub expected_close: Option<String>,
    /// Why it was lost.
    pub lost_reason: Option<String>,
    /// Merged by key; `null` removes a field.
    pub fields: Option<Object>,
}
