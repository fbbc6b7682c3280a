//! What an organisation has, of the things that definitions name.

use super::StoreError;
use crate::{OrganisationId, definition::MentionKind};

/// Whether a thing is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    There,
    /// It is not.
    Missing {
        /// The nearest name that is.
        nearest: Option<String>,
    },
    /// Nobody here can tell: no complaint is made.
    Unknown,
}

/// Asked when a definition is published or validated, never by a run: what a run needs it asks for itself, then.
#[crate::async_trait]
pub trait Inventory: Send + Sync + 'static {
    /// Whether the organisation has a thing of this kind under this name.
    async fn look_up(&self, organisation: OrganisationId, kind: MentionKind, name: &str) -> Result<Presence, StoreError>;
    /// Whether the organisation is whole here. In a part of one, as it is made for a single run, what is missing says nothing.
    fn is_whole(&self) -> bool {
        true
    }
}

/// Knows of nothing: for a database that is made for one run.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoInventory;

#[crate::async_trait]
impl Inventory for NoInventory {
    async fn look_up(&self, _organisation: OrganisationId, _kind: MentionKind, _name: &str) -> Result<Presence, StoreError> {
        Ok(Presence::Unknown)
    }
    fn is_whole(&self) -> bool {
        false
    }
}
