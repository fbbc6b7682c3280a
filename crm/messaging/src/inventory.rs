//! What an organisation has, of the things that definitions name.

use onward_accounts::{CrmError, UserId, users};
use onward_connectors::connection;
use onward_core::{
    OrganisationId, async_trait,
    definition::MentionKind,
    expression::suggest,
    ports::{Inventory, Presence, StoreError},
};
use onward_database::Reader;
use onward_records::segments;

/// Names that are looked through for the nearest one.
const NAMES: u32 = 1_000;

/// The CRM's things: connections, users and segments.
#[derive(Clone, Debug)]
pub struct CrmInventory {
    reader: Reader,
}

impl CrmInventory {
    /// Of this database.
    pub fn new(reader: Reader) -> Self {
        Self { reader }
    }
}

#[async_trait]
impl Inventory for CrmInventory {
    async fn look_up(&self, organisation: OrganisationId, kind: MentionKind, name: &str) -> Result<Presence, StoreError> {
        let mut reader = self.reader.clone();
        let failed = |error: &dyn std::fmt::Display| StoreError::Failed(error.to_string());
        let known = match kind {
            MentionKind::Connection => {
                if connection::find(&mut reader, organisation, name).await.map_err(|error| failed(&error))?.is_some() {
                    return Ok(Presence::There);
                }
                let all = connection::list(&mut reader, organisation, None, NAMES).await.map_err(|error| failed(&error))?;
                all.into_iter().map(|connection| connection.name).collect::<Vec<_>>()
            }
            MentionKind::User => {
                let found = match onward_core::ids::parse::<UserId>(name) {
                    Some(id) => users::get(&mut reader, organisation, id).await?,
                    None => users::by_email(&mut reader, organisation, name).await?,
                };
                if found.is_some_and(|user| user.active) {
                    return Ok(Presence::There);
                }
                let all = users::list(&mut reader, organisation).await?;
                all.into_iter().filter(|user| user.active).map(|user| user.email).collect()
            }
            MentionKind::Segment => match segments::find(&mut reader, organisation, name).await {
                Ok(_) => return Ok(Presence::There),
                Err(CrmError::NotFound { .. }) => {
                    segments::list(&mut reader, organisation, None, NAMES).await?.into_iter().map(|segment| segment.name).collect()
                }
                Err(error) => return Err(failed(&error)),
            },
            // Which templates a provider has approved is not known here yet; workflows are the engine's.
            MentionKind::Template | MentionKind::Workflow => return Ok(Presence::Unknown),
        };
        Ok(Presence::Missing { nearest: suggest::nearest(name, known.iter().map(String::as_str)).map(str::to_owned) })
    }
}
