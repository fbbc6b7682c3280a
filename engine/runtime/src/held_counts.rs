//! How many starts are held, without counting them each time: read once, then kept by what is committed.

use crate::{batch::Batch, engine::Engine};
use onward_core::{
    OrganisationId,
    ports::{Store, StoreError},
};
use std::{collections::BTreeMap, sync::Arc};

/// Counts as the last confirmed commit left them. What is not there is read from the store.
#[derive(Debug, Default)]
pub(crate) struct HeldCounts {
    organisations: BTreeMap<OrganisationId, u64>,
    keys: BTreeMap<(OrganisationId, String, String), u64>,
}

/// What one transaction changes in them, by organisation, workflow and key.
pub(crate) type HeldChanges = BTreeMap<(OrganisationId, String, String), i64>;

impl HeldCounts {
    pub(crate) fn of_organisation(&self, organisation: OrganisationId) -> Option<u64> {
        self.organisations.get(&organisation).copied()
    }
    pub(crate) fn of_key(&self, organisation: OrganisationId, workflow: &str, key: &str) -> Option<u64> {
        self.keys.get(&(organisation, workflow.to_owned(), key.to_owned())).copied()
    }
    /// Takes what the store counts within a transaction that has already changed it by `own`; gives what stood before.
    pub(crate) fn learn_organisation(&mut self, organisation: OrganisationId, stored: u64, own: i64) -> u64 {
        let before = stored.saturating_add_signed(-own);
        self.organisations.insert(organisation, before);
        before
    }
    /// The same of a key.
    pub(crate) fn learn_key(&mut self, organisation: OrganisationId, workflow: &str, key: &str, stored: u64, own: i64) -> u64 {
        let before = stored.saturating_add_signed(-own);
        self.keys.insert((organisation, workflow.to_owned(), key.to_owned()), before);
        before
    }
    /// Keys of an organisation that have as many as they may.
    pub(crate) fn full_keys(&self, organisation: OrganisationId, most: u64) -> bool {
        let from = (organisation, String::new(), String::new());
        self.keys.range(from..).take_while(|((whose, _, _), _)| *whose == organisation).any(|(_, count)| *count >= most)
    }
    /// A transaction was confirmed.
    pub(crate) fn apply(&mut self, changes: &HeldChanges) {
        for (place, change) in changes {
            if let Some(count) = self.organisations.get_mut(&place.0) {
                *count = count.saturating_add_signed(*change);
            }
            if let Some(count) = self.keys.get_mut(place) {
                *count = count.saturating_add_signed(*change);
                if *count == 0 {
                    self.keys.remove(place);
                }
            }
        }
    }
    /// Nothing is known any more: a transaction's end is, or the shards are another's.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<S: Store> Engine<S> {
    /// Why not even a held start is kept of this key; `None`: there is room (SEMANTICS.md 23).
    pub(crate) async fn too_many_held(
        &mut self,
        tx: &mut S::Tx,
        batch: &mut Batch<S::Tx>,
        organisation: OrganisationId,
        workflow: &str,
        key: &str,
    ) -> Result<Option<String>, StoreError> {
        let (of_key, most) = (Some((workflow, key)), &self.shared.limits);
        let (most_of_key, most) = (most.held_per_key, most.held_per_organisation);
        let count = self.held_of_organisation(tx, batch, organisation, most).await?;
        let reason = if count.saturating_add_signed(batch.held_in(organisation, None)) >= most {
            format!("{most} starts of this organisation are held already; let some go or cancel them, then try again")
        } else {
            let count = self.held_of_key(tx, batch, organisation, workflow, key, most_of_key).await?;
            if count.saturating_add_signed(batch.held_in(organisation, of_key)) < most_of_key {
                return Ok(None);
            }
            format!("{most_of_key} starts of workflow {workflow:?} with the key {key:?} are held already; let some go or cancel them, then try again")
        };
        tracing::error!(%organisation, workflow, key, reason, "too many starts are held");
        metrics::counter!("onward_held_starts_over_limit_total").increment(1);
        Ok(Some(reason))
    }

    async fn held_of_organisation(&mut self, tx: &mut S::Tx, batch: &Batch<S::Tx>, organisation: OrganisationId, most: u64) -> Result<u64, StoreError> {
        if let Some(count) = self.held_counts.of_organisation(organisation) {
            return Ok(count);
        }
        let store = Arc::clone(&self.shared.store);
        let stored = store.count_held(tx, organisation, None, most).await?;
        Ok(self.held_counts.learn_organisation(organisation, stored, batch.held_in(organisation, None)))
    }

    async fn held_of_key(
        &mut self,
        tx: &mut S::Tx,
        batch: &Batch<S::Tx>,
        organisation: OrganisationId,
        workflow: &str,
        key: &str,
        most: u64,
    ) -> Result<u64, StoreError> {
        if let Some(count) = self.held_counts.of_key(organisation, workflow, key) {
            return Ok(count);
        }
        let store = Arc::clone(&self.shared.store);
        let stored = store.count_held(tx, organisation, Some((workflow, key)), most).await?;
        Ok(self.held_counts.learn_key(organisation, workflow, key, stored, batch.held_in(organisation, Some((workflow, key)))))
    }
}
