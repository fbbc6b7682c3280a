//! Preferences and changes of address.

use super::{Kind, Scope};
use crate::consent;
use onward_accounts::{Actor, CrmError};
use onward_connectors::incoming::Sender;
use onward_core::{Object, Timestamp, ports::Transaction};
use onward_database::Tx;

impl Scope<'_> {
    pub(super) async fn preference(
        self,
        tx: &mut Tx,
        sender: &Sender,
        category: &str,
        granted: bool,
        at: Option<Timestamp>,
        dedupe_id: Option<&str>,
    ) -> Result<Kind, CrmError> {
        if !self.is_first(tx, dedupe_id.map(|id| format!("preference:{id}")).as_deref()).await? {
            return Ok(Kind::Duplicate);
        }
        let mut data = Object::new();
        data.insert("category".into(), category.into());
        data.insert("granted".into(), granted.into());
        if sender.external_ids.is_empty() {
            self.keep_raw(tx, "preference", dedupe_id, data);
            return Ok(Kind::Raw);
        }
        // Someone unknown who refuses is remembered: the refusal must hold when we learn of them in another way.
        let contact = self.find_or_create(tx, sender).await?.contact;
        let at = at.unwrap_or_else(|| tx.now()).min(tx.now());
        let said = consent::Statement { channel: &self.receiver.connector, category, granted, at, source: "provider", text: "" };
        consent::record(tx, self.organisation, &Actor::Contact { id: contact.0 }, contact, &said).await?;
        data.insert("contact_id".into(), contact.to_string().into());
        self.keep_raw(tx, "preference", dedupe_id, data);
        Ok(Kind::Other)
    }

    pub(super) async fn address_changed(self, tx: &mut Tx, sender: &Sender, new_external_id: &str, dedupe_id: Option<&str>) -> Result<Kind, CrmError> {
        if !self.is_first(tx, dedupe_id.map(|id| format!("address:{id}")).as_deref()).await? {
            return Ok(Kind::Duplicate);
        }
        let contact = self.moved(tx, sender, new_external_id).await?;
        let mut data = Object::new();
        data.insert("contact_id".into(), contact.map(|contact| contact.to_string()).into());
        data.insert("new_external_id".into(), new_external_id.into());
        self.keep_raw(tx, "address_changed", dedupe_id, data);
        Ok(if contact.is_some() { Kind::Other } else { Kind::Raw })
    }
}
