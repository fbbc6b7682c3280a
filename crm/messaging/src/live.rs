//! Live records for expressions: `conversation`, and what records reads.

use crate::{ConversationId, conversations};
use onward_core::{
    OrganisationId, StepError, Value,
    ports::{RecordRef, Records},
};
use onward_database::Tx;
use onward_records::LiveRecords;

/// Reads `contact`, `company`, `deal`, `org` and `conversation`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrmRecords {
    records: LiveRecords,
}

#[onward_core::async_trait]
impl Records<Tx> for CrmRecords {
    async fn read(&self, tx: &mut Tx, organisation: OrganisationId, record: &RecordRef) -> Result<Option<Value>, StepError> {
        if record.name != "conversation" {
            return self.records.read(tx, organisation, record).await;
        }
        match onward_core::ids::parse::<ConversationId>(&record.id) {
            Some(id) => Ok(conversations::get(tx, organisation, id).await?.map(|conversation| conversation.to_value())),
            None => Ok(None),
        }
    }
}
