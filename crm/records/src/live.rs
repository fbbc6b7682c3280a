//! Live records for expressions: `contact` and `org`. Messaging adds `conversation` around it.

use crate::{ContactId, contacts};
use onward_accounts::organisations;
use onward_core::{
    OrganisationId, StepError, Value,
    ports::{RecordRef, Records},
};
use onward_database::Tx;

/// Reads `contact` and `org`; everything else is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ContactRecords;

#[onward_core::async_trait]
impl Records<Tx> for ContactRecords {
    async fn read(&self, tx: &mut Tx, organisation: OrganisationId, record: &RecordRef) -> Result<Option<Value>, StepError> {
        match record.name.as_str() {
            "contact" => match onward_core::ids::parse::<ContactId>(&record.id) {
                Some(id) => Ok(contacts::get(tx, organisation, id).await?.map(|contact| contact.to_value())),
                None => Ok(None),
            },
            "org" => Ok(organisations::get(tx, organisation).await?.map(|found| found.to_value())),
            _ => Ok(None),
        }
    }
}
