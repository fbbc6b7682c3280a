//! Typed identifiers. All are `UUIDv7` on the outside; none is ever made here: [`crate::ports::Transaction::fresh_id`]
//! and [`crate::ports::Ids`] make them, so that simulation can.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// Declares a newtype around a UUID with text and JSON forms.
#[macro_export]
macro_rules! define_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                uuid::Uuid::parse_str(text).map(Self)
            }
        }
        impl From<uuid::Uuid> for $name {
            fn from(id: uuid::Uuid) -> Self {
                Self(id)
            }
        }
    };
}

define_id!(
    /// An organisation (tenant). Part of every query.
    OrganisationId
);
define_id!(
    /// One run of a workflow.
    RunId
);
define_id!(
    /// A stored event, as this system names it; `Event::id` is the sender's own name for it.
    EventId
);
define_id!(
    /// A stored credential for a connector.
    ConnectionId
);
define_id!(
    /// One process that owns shards.
    NodeId
);

/// One of [`Shard::COUNT`] parts into which runs are divided; owned by one node at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shard(pub u16);

impl Shard {
    /// How many shards there are; fixed for ever, since it decides where a run lives.
    pub const COUNT: u16 = 256;

    /// The shard of a key: by hash of organisation, workflow and key.
    pub fn of(organisation: OrganisationId, workflow: &str, key: &str) -> Self {
        let digest = crate::digest::hash(&[organisation.0.as_bytes(), workflow.as_bytes(), key.as_bytes()]);
        Self(u16::from(digest[0]))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads an id from text that a person or a program gave.
pub fn parse<T: From<Uuid>>(text: &str) -> Option<T> {
    Uuid::from_str(text.trim()).ok().map(T::from)
}
