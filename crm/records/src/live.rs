//! Live records for expressions: `contact`, `company`, `deal` and `org`. Messaging adds `conversation` around it.

use crate::{CompanyId, ContactId, DealId, companies, contacts, deals};
use onward_accounts::organisations;
use onward_core::{
    OrganisationId, StepError, Value,
    ids::parse,
    ports::{RecordRef, Records},
};
use onward_database::Tx;

/// Reads `contact`, `company`, `deal` and `org`; everything else is `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LiveRecords;

#[onward_core::async_trait]
impl Records<Tx> for LiveRecords {
    async fn read(&self, tx: &mut Tx, organisation: OrganisationId, record: &RecordRef) -> Result<Option<Value>, StepError> {
        Ok(match record.name.as_str() {
            "contact" => match parse::<ContactId>(&record.id) {
                Some(id) => contacts::get(tx, organisation, id).await?.map(|contact| contact.to_value()),
                None => None,
            },
            "company" => match parse::<CompanyId>(&record.id) {
                Some(id) => companies::get(tx, organisation, id).await?.map(|company| company.to_value()),
                None => None,
            },
            "deal" => match parse::<DealId>(&record.id) {
                Some(id) => deals::get(tx, organisation, id).await?.map(|deal| deal.to_value()),
                None => None,
            },
            "org" => organisations::get(tx, organisation).await?.map(|found| found.to_value()),
            _ => None,
        })
    }
}
